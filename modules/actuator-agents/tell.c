/* SPDX-License-Identifier: Apache-2.0 */
/* tell - how it stands: log, events, and the topic that the whitelist shows hosts by. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents.h"

#define TOPIC		"actuator/agents"
#define BACKOFF_MAX	(60 * SAT_SECOND)
#define BACKOFF_OLD	(600 * SAT_SECOND)	/* an older Mesos becomes a newer one seldom */

/* ---- Mesos as a whole --------------------------------------------------- */

static void news(struct actuator *a, int code)
{
	bool changed = a->trouble != code;

	a->trouble = code;
	if (!changed)
		return;
	sat_log(a->self, code == 0 ? LOG_NOTICE : LOG_WARNING, "%s", a->why);
	sat_ready(a->self, code == 0 ? NULL : a->why);
	sat_emit(a->self, .service = "satellite/actuator/agents", .state = code == 0 ? "ok" : "critical",
		 .description = a->why);
	tell_standing(a);
}

/* The pause that follows is as long as the last one twice. */
void tell_trouble(struct actuator *a, int code, bool of_calls, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->why, sizeof(a->why), fmt, ap);
	va_end(ap);
	a->calls_fail = of_calls;
	a->backoff = a->backoff == 0 ? SAT_SECOND : 2 * a->backoff;
	if (a->backoff > BACKOFF_MAX)
		a->backoff = BACKOFF_MAX;
	if (code == -ENOSYS)
		a->backoff = BACKOFF_OLD;
	news(a, code);
}

void tell_well(struct actuator *a)
{
	a->backoff = 0;
	a->calls_fail = false;
	snprintf(a->why, sizeof(a->why), "%s: does as it is asked", a->urls[a->url]);
	news(a, 0);
}

/* ---- Hosts -------------------------------------------------------------- */

void tell_host(struct actuator *a, const char *host, const char *state, const char *text)
{
	sat_emit(a->self, .host = host, .service = "satellite/host/agents", .state = state, .description = text);
}

/* What waits its turn is no news. */
static bool is_news(const struct note *n)
{
	return n->amiss > AMISS_PENDING;
}

static void tell_note(struct actuator *a, const struct note *n)
{
	if (n->amiss == AMISS_UNDONE)
		sat_count(a->self, COUNT_UNDONE, 1);
	if (sat_log_allowed(a->self, &a->limit, 20, 60 * SAT_SECOND))
		sat_log(a->self, LOG_WARNING, "%s: %s", n->host, n->text);
	tell_host(a, n->host, "warning", n->text);
}

void tell_notes(struct actuator *a, const struct note *old, size_t n_old)
{
	bool changed = n_old != a->n_notes;

	for (size_t i = 0, k = 0; i < a->n_notes || k < n_old;) {
		const struct note *now = i < a->n_notes ? &a->notes[i] : NULL, *was = k < n_old ? &old[k] : NULL;
		int order = now == NULL ? 1 : was == NULL ? -1 : strcmp(now->host, was->host);
		bool same = order == 0 && strcmp(now->text, was->text) == 0;

		if (order <= 0 && !same && is_news(now))
			tell_note(a, now);
		if ((order > 0 && is_news(was)) || (order == 0 && is_news(was) && !is_news(now)))
			tell_host(a, was->host, "ok", "its agents are as decided, or soon will be");
		changed |= !same;
		i += order <= 0;
		k += order >= 0;
	}
	if (changed)
		tell_standing(a);
}

/* A list that finds no memory is told with the next change. */
void tell_standing(struct actuator *a)
{
	struct sat_event *list = calloc(a->n_notes + 1, sizeof(*list));
	const struct sat_event **evs = calloc(a->n_notes + 1, sizeof(*evs));

	for (size_t i = 0; list != NULL && evs != NULL && i <= a->n_notes; i++) {
		const struct note *n = i > 0 ? &a->notes[i - 1] : NULL;

		list[i] = (struct sat_event){ .size = sizeof(*list), .service = TOPIC, .host = n != NULL ? n->host : NULL,
			.state = n == NULL ? (a->trouble != 0 ? "critical" : "ok") : is_news(n) ? "warning" : "ok",
			.description = n == NULL ? (a->trouble != 0 ? a->why : NULL) : n->text };
		evs[i] = &list[i];
	}
	if (list != NULL && evs != NULL)
		sat_publish(a->self, TOPIC, &(struct sat_item){ .evs = evs, .n = (uint32_t)a->n_notes + 1, .list = true },
			    true);
	free(list);
	free(evs);
}
