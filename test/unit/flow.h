/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow - streams on a virtual clock: build them from a text, push events, read
 * what came out as words.  The modules' operators are the real ones; `tap`
 * writes down what reaches it, `fails`, `catch` and `output` are for the host.
 */
#ifndef FLOW_H
#define FLOW_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "clock.h"
#include "engine.h"
#include "log.h"
#include "self.h"
#include "timer.h"
#include "unit/fault.h"

SAT_API extern const struct sat_module sat_module_flow, sat_module_change, sat_module_limit, sat_module_window,
	sat_module_index, sat_module_shape, sat_module_select, sat_module_dual, sat_module_fill,
	sat_module_numbers, sat_module_cluster, sat_module_blackhole;

static const struct sat_module *const flow_modules[] = {
	&sat_module_flow, &sat_module_change, &sat_module_limit, &sat_module_window, &sat_module_index,
	&sat_module_shape, &sat_module_select, &sat_module_dual, &sat_module_fill,
	&sat_module_numbers, &sat_module_cluster, &sat_module_blackhole,
};
enum { FLOW_MODULES = sizeof(flow_modules) / sizeof(flow_modules[0]) };

static struct sat_self flow_self[FLOW_MODULES + 1];
static _Atomic int64_t flow_counters[FLOW_MODULES][8];
static char flow_seen[65536];		/* since flow_was() last looked */
static int flow_started, flow_stopped, flow_opened, flow_closed;

/* ---- Operators of the test ---------------------------------------------- */

static void flow_say(const char *fmt, ...) SAT_PRINTF(1);
static void flow_say(const char *fmt, ...)
{
	size_t n = strlen(flow_seen);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(flow_seen + n, sizeof(flow_seen) - n, fmt, ap);
	va_end(ap);
}

static void flow_say_event(const struct sat_event *ev)
{
	flow_say("%s/%s/%s", ev->host != NULL ? ev->host : "-", ev->service != NULL ? ev->service : "-",
		 ev->state != NULL ? ev->state : "-");
}

static const struct sat_option *const flow_tap_options[] = { SAT_OPTION("tap", SAT_STRING, .help = "a name"), NULL };

static int flow_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	const char *name = sat_conf_string(conf, "tap");

	(void)node;
	(void)module;
	*def = name != NULL ? strdup(name) : NULL;
	return name != NULL && *def == NULL ? -ENOMEM : 0;
}

static int flow_tap_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)at;
	(void)state;
	if (def != NULL)
		flow_say("%s:", (const char *)def);
	flow_say(item->list ? "[" : "");
	for (uint32_t i = 0; i < item->n; i++) {
		flow_say(i != 0 ? "," : "");
		flow_say_event(item->evs[i]);
	}
	flow_say(item->list ? "] " : " ");
	return 0;
}

static int flow_fail_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	(void)item;
	return sat_fail(at, -EIO, "it fails");
}

static int flow_pass_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	sat_pass(at, 0, item);
	return 0;
}

static const struct sat_option *const flow_output_options[] = {
	SAT_OPTION("output", SAT_STRING, .help = "a name"), NULL
};
struct flow_output { struct sat_node *node; const char *name; };
static int flow_output_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct flow_output *o = calloc(1, sizeof(*o));

	(void)module;
	if (o == NULL)
		return -ENOMEM;
	o->node = node;
	o->name = sat_conf_string(conf, "output");	/* borrowed: good as long as conf is */
	*def = o;
	return 0;
}
static int flow_output_start(void *def)
{
	(void)def;
	flow_started++;
	return 0;
}
static void flow_output_stop(void *def)
{
	flow_stopped++;
	sat_node_stopped(((struct flow_output *)def)->node);
}
static int flow_output_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct flow_output *o = def;

	(void)state;
	(void)item;
	flow_say("%s@%s ", o->name, sat_at_path(at));
	assert_string_equal(sat_at_path(at), sat_node_path(o->node));
	return 0;
}
/* A state that owns memory, so that the sanitizer sees what is not closed, or twice. */
struct flow_held { char *p; };
static int flow_held_open(const struct sat_at *at, const void *def, void *state)
{
	(void)at;
	(void)def;
	((struct flow_held *)state)->p = strdup("held");
	flow_opened += ((struct flow_held *)state)->p != NULL;
	return ((struct flow_held *)state)->p != NULL ? 0 : -ENOMEM;
}
static void flow_held_close(const void *def, void *state)
{
	struct flow_held *h = state;

	(void)def;
	flow_closed += h->p != NULL;
	free(h->p);
	h->p = NULL;
}
static bool flow_held_idle(const void *def, const void *state)
{
	(void)def;
	(void)state;
	return true;
}

static const struct sat_op flow_ops[] = {
	{ .size = sizeof(struct sat_op), .name = "tap", .options = flow_tap_options, .define = flow_define,
	  .undefine = free, .item = flow_tap_item },
	{ .size = sizeof(struct sat_op), .name = "fails", .item = flow_fail_item },
	{ .size = sizeof(struct sat_op), .name = "catch", .flags = SAT_CATCHES, .item = flow_pass_item },
	{ .size = sizeof(struct sat_op), .name = "output", .options = flow_output_options,
	  .define = flow_output_define, .start = flow_output_start, .stop = flow_output_stop, .undefine = free,
	  .item = flow_output_item },
	{ .size = sizeof(struct sat_op), .state_version = 1, .name = "held", .state_size = sizeof(struct flow_held),
	  .open = flow_held_open, .close = flow_held_close, .idle = flow_held_idle, .item = flow_pass_item },
};

static const struct sat_op *flow_find(void *arg, const char *name, const struct sat_conf *where, struct sat_self **self)
{
	(void)arg;
	*self = &flow_self[FLOW_MODULES];
	for (size_t i = 0; i < sizeof(flow_ops) / sizeof(flow_ops[0]); i++)
		if (strcmp(flow_ops[i].name, name) == 0)
			return &flow_ops[i];
	for (int m = 0; m < FLOW_MODULES; m++)
		for (const struct sat_op *const *op = flow_modules[m]->ops; *op != NULL; op++)
			if (strcmp((*op)->name, name) == 0) {
				*self = &flow_self[m];
				return *op;
			}
	sat_conf_error(where, NULL, "no operator \"%s\"", name);
	return NULL;
}

/* ---- What tests do ------------------------------------------------------ */

/* text: `streams = …; define = …;`.  NULL: refused. */
static inline struct streams *flow_build(const char *text)
{
	static const struct stream_finder finder = { flow_find, NULL };
	struct conf *c = conf_text(text, "test.cfg");
	struct streams *s;

	if (c == NULL)
		return NULL;
	s = streams_build(c, conf_find(conf_root(c), "streams"), conf_find(conf_root(c), "define"), "index", &finder);
	conf_unref(c);
	return s;
}

static inline void flow_end(struct streams *s)
{
	if (s != NULL)
		streams_stop(s, NULL, NULL);
	streams_free(s);
}

/* Put these streams in place of those that are there, at the clock as it stands. */
static inline void flow_swap(const char *text)
{
	struct streams *next = flow_build(text);

	assert_non_null(next);
	flow_end(engine_swap(next));
}

/* For streams_save(): the records, in the order in which they came. */
static struct { size_t n, len[256]; char *text[256]; } flow_saved;

static inline int flow_keep(void *arg, const void *p, size_t n)
{
	char *copy = malloc(n + 1);

	(void)arg;
	assert_true(flow_saved.n < 256);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, p, n);
	flow_saved.text[flow_saved.n] = copy;
	flow_saved.len[flow_saved.n++] = n;
	return 0;
}

/* All but the first n of them. */
static inline void flow_forget(size_t n)
{
	while (flow_saved.n > n)
		free(flow_saved.text[--flow_saved.n]);
}

static inline void flow_begin(int64_t seconds)
{
	static char name[] = "test";

	for (int m = 0; m <= FLOW_MODULES; m++)
		flow_self[m] = (struct sat_self){ .name = name, .counters = m < FLOW_MODULES ? flow_counters[m] : NULL,
						  .n_counters = m < FLOW_MODULES ? 8 : 0 };
	memset(flow_counters, 0, sizeof(flow_counters));
	flow_seen[0] = '\0';
	flow_started = flow_stopped = flow_opened = flow_closed = 0;
	clock_virtual(seconds * SAT_SECOND);
	engine_init(NULL);
}

static inline void flow_over(void)
{
	flow_end(engine_swap(NULL));
	engine_stop();
	clock_live();
	assert_int_equal(timer_count(), 0);
	assert_int_equal(flow_opened, flow_closed);
}

/* For cmocka: what a test begins and ends with. */
static inline int flow_setup(void **unused)
{
	(void)unused;
	flow_begin(1000);
	return 0;
}

static inline int flow_teardown(void **unused)
{
	(void)unused;
	flow_over();
	flow_forget(0);
	return 0;
}

#define FLOW_TEST(name) cmocka_unit_test_setup_teardown(name, flow_setup, flow_teardown)

/* Let each call of these streams' building fail, which are more than `least`: it is refused, and nothing is left. */
static inline void flow_build_survives(const char *text, int least)
{
	int nth = 0, fired;

	do {
		struct streams *s;

		fault_arm(++nth);
		s = flow_build(text);
		fired = fault_fired();
		fault_arm(0);
		assert_int_equal(s == NULL, fired);
		streams_free(s);
	} while (fired);
	assert_true(nth > least);
}

static inline struct event flow_event(const char *host, const char *service, const char *state, double ttl)
{
	return (struct event){ .pub = { .size = sizeof(struct sat_event), .host = host, .service = service,
					.state = state, .time = clock_wall(), .ttl = ttl,
					.has = SAT_HAS_TIME | (ttl != 0 ? SAT_HAS_TTL : 0) } };
}

static inline int flow_push(const char *host, const char *service, const char *state, double ttl)
{
	struct event ev = flow_event(host, service, state, ttl);

	return engine_input(&ev);
}

static inline void flow_at(double seconds)
{
	engine_move((int64_t)(seconds * 1e6));
}

/* What the taps wrote since the last time. */
#define flow_was(words) do { assert_string_equal(flow_seen, words); flow_seen[0] = '\0'; } while (0)

#endif
