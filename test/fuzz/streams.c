/* SPDX-License-Identifier: Apache-2.0 */
/*
 * streams - any text as streams: refused with a reason, or built, and events pushed.
 *
 * A line of "%%" ends the text.  Each byte after it is an event, and how far the
 * clock moves before it; half-way the same streams are built anew, as by a reload.
 */
#include "unit/flow.h"

#define MOST 32			/* events */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
const char *__lsan_default_suppressions(void);

/* libconfig forgets a string that a syntax error interrupts; once, at start, that is no matter. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return log_open("/dev/null", LOG_ERR);
}

static void push(unsigned char c)
{
	static const char *const hosts[] = { "a", "b", NULL, "" }, *const services[] = { "s", "t", "cpu load", NULL };
	static const char *const states[] = { "ok", "critical", "expired", NULL };
	static const char *const tags[] = { "x", "y" };
	static const int64_t steps[] = { 0, SAT_MS, 100 * SAT_MS, SAT_SECOND };
	struct event ev;

	engine_move(clock_steady() + steps[c >> 6]);
	ev = flow_event(hosts[c & 3], services[c >> 2 & 3], states[c >> 4 & 3], c % 5 == 0 ? 2 : 0);
	ev.pub.has |= c % 3 == 0 ? SAT_HAS_INT : c % 3 == 1 ? SAT_HAS_DOUBLE : 0;
	if (c % 3 == 0)
		ev.pub.metric.i = c % 7 == 0 ? INT64_MAX : c - 40;
	else if (c % 3 == 1)
		ev.pub.metric.d = c / 3.0;
	if (c % 4 == 0) {
		ev.pub.tags = tags;
		ev.pub.n_tags = c % 8 == 0 ? 2 : 1;
		ev.pub.has |= SAT_HAS_TAGS;
	}
	engine_input(&ev);
	flow_seen[0] = '\0';
}

static void run(const char *text, const unsigned char *p, size_t n)
{
	struct streams *s = flow_build(text);

	n = n < MOST ? n : MOST;
	if ((s == NULL) != (conf_mistakes() != 0))
		abort();
	conf_forgive();
	if (s == NULL)
		return;
	flow_end(engine_swap(s));
	for (size_t i = 0; i < n; i++) {
		if (i == n / 2)
			flow_swap(text);
		push(p[i]);
	}
	engine_reap();
	engine_move(clock_steady() + SAT_SECOND);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char events[] = "/0a@ip.~A";
	char *text = malloc(n + 1), *rest;

	memcpy(text, p, n);
	text[n] = '\0';
	rest = strstr(text, "\n%%\n");
	flow_begin(1000);
	if (rest != NULL) {
		*rest = '\0';
		rest += strlen("\n%%\n");
		run(text, (const unsigned char *)rest, n - (size_t)(rest - text));
	} else {
		run(text, (const unsigned char *)events, strlen(events));
	}
	flow_over();
	free(text);
	return 0;
}
