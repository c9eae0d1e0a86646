/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll - the agent is asked for its figures, containers and tasks, once an interval.
 *
 * Its answers are kept as they came: they are small, and read again when somebody asks.  Of
 * its state, which is not, the names of what runs are, and what ended is told once.  What
 * fails is forgotten.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "statistics.h"

#define ANSWER_MAX	((size_t)8 << 20)

/* ---- What is done with answers ------------------------------------------ */

static void nothing(void *arg, const char *key, const struct sat_value *n)
{
	(void)arg, (void)key, (void)n;
}

static void no_container(void *arg, const struct container *c)
{
	(void)arg, (void)c;
}

static int keep(struct sat_buf *b, const struct sat_answer *ans)
{
	b->len = 0;
	b->full = false;
	b->max = ANSWER_MAX;
	sat_buf_add(b, ans->body, ans->len);
	return b->full ? -ENOMEM : 0;
}

static int snapshot_done(struct agent *a, const struct sat_answer *ans)
{
	int rc = figures_all(ans->body, ans->len, nothing, NULL);

	rc = rc != 0 ? rc : keep(&a->snapshot, ans);
	if (rc == 0 && a->events)
		tell_snapshot(a);
	return rc;
}

static void tell_all_no_more(struct agent *a)
{
	tell_no_more(a, SNAPSHOT);
	tell_no_more(a, STATISTICS_SOURCE);
}

static void snapshot_forget(struct agent *a)
{
	a->snapshot.len = 0;
	tell_no_more(a, SNAPSHOT);
}

static int statistics_done(struct agent *a, const struct sat_answer *ans)
{
	unsigned left_out;
	int rc = statistics_read(ans->body, ans->len, no_container, NULL, &left_out);

	if (rc == 0)
		sat_count(a->self, COUNT_LEFT_OUT, left_out);
	rc = rc != 0 ? rc : keep(&a->statistics, ans);
	if (rc == 0 && a->events)
		tell_statistics(a);
	return rc;
}

static void statistics_forget(struct agent *a)
{
	a->statistics.len = 0;
	tell_no_more(a, STATISTICS_SOURCE);
}

static int state_data(void *arg, int status, const void *p, size_t n)
{
	struct source *s = arg;

	if (status == 200 && s->agent->reading != NULL)
		s->read = tasks_feed(s->agent->reading, p, n);
	if (status == 200 && s->agent->ended != NULL)
		ended_feed(s->agent->ended, p, n);
	return s->read;
}

/* There may be thousands after a start, and as many agents start at once: some each second. */
static void tell_some(struct sat_alarm *alarm)
{
	struct agent *a = SAT_OWNER(alarm, struct agent, telling);

	if (tell_ended(a))
		sat_alarm_set(a->self, alarm, sat_clock() + SAT_SECOND);
}

static void take_ended(struct agent *a)
{
	ended_end(a->ended, true);
	sat_count(a->self, COUNT_LEFT_OUT, (int64_t)ended_left_out(a->ended));
	tell_some(&a->telling);
}

static int state_done(struct agent *a, const struct sat_answer *ans)
{
	int rc = a->reading != NULL ? tasks_end(a->reading) : -ENOMEM;

	(void)ans;
	if (rc != 0)
		return rc == -ENOMEM ? rc : -EBADMSG;
	tasks_free(a->tasks);
	a->tasks = a->reading;
	a->reading = NULL;
	if (tasks_left_out(a->tasks) > 0)
		sat_count(a->self, COUNT_LEFT_OUT, (int64_t)tasks_left_out(a->tasks));
	if (a->ended != NULL)
		take_ended(a);
	return 0;
}

static void state_forget(struct agent *a)
{
	tasks_free(a->tasks);
	a->tasks = NULL;
	if (a->ended != NULL)
		ended_end(a->ended, false);
}

/* ---- Asking ------------------------------------------------------------- */

static bool ask(struct source *s);

static void say(struct source *s, const struct sat_answer *ans, int rc)
{
	char why[512];

	if (rc == s->trouble)
		return;
	s->trouble = rc;
	agent_explain(s->agent, ans, s->paths[s->path], rc, why, sizeof(why));
	if (rc != 0)
		sat_log(s->agent->self, LOG_WARNING, "%s", why);
	else
		sat_log(s->agent->self, LOG_NOTICE, "%s%s: answers", s->agent->url, s->paths[s->path]);
}

/* The next of its paths, unless all have been tried. */
static bool ask_elsewhere(struct source *s)
{
	unsigned next = s->paths[s->path + 1] != NULL ? s->path + 1 : 0;

	if (next == s->first)
		return false;
	s->path = next;
	return ask(s);
}

static void done(void *arg, const struct sat_answer *ans)
{
	struct source *s = arg;
	struct agent *a = s->agent;
	int rc = ans->rc != 0 ? ans->rc : ans->status;

	s->call = NULL;
	if (a->stopping) {
		poll_stopped_yet(a);
		return;
	}
	if (s->read != 0)
		rc = s->read == -ENOMEM ? s->read : -EBADMSG;
	if (rc == 404 && ask_elsewhere(s))
		return;
	if (rc == 200)
		rc = s->done(a, ans);
	if (rc == 0) {
		sat_gauge(a->self, s->success, sat_wall() / SAT_SECOND);
	} else {
		sat_count(a->self, COUNT_FAILURES, 1);
		s->forget(a);
	}
	remember_save(a);
	say(s, ans, rc);
}

static bool ask(struct source *s)
{
	const struct agent *a = s->agent;
	char url[2048];
	struct sat_fetch what = a->how;

	if (s->data != NULL) {
		tasks_free(s->agent->reading);
		s->agent->reading = tasks_new(&a->wanted);
		if (a->ended != NULL)
			ended_begin(a->ended);
	}
	snprintf(url, sizeof(url), "%s%s", a->url, s->paths[s->path]);
	what.size = sizeof(what);
	what.url = url;
	what.max = ANSWER_MAX;
	what.data = s->data;
	what.done = done;
	sat_count(a->self, COUNT_REQUESTS, 1);
	s->read = 0;
	s->call = sat_fetch(a->self, &what, s);
	return s->call != NULL;
}

static void beat(struct sat_alarm *alarm)
{
	struct agent *a = SAT_OWNER(alarm, struct agent, beat);

	sat_alarm_set(a->self, alarm, sat_clock() + a->interval);
	for (int i = 0; i < SOURCES; i++) {
		struct source *s = &a->sources[i];

		if (s->call != NULL)
			continue;
		s->first = s->path;
		ask(s);
	}
}

/* ---- Life --------------------------------------------------------------- */

void poll_init(struct agent *a)
{
	static const char *const snapshot[] = { "/metrics/snapshot", "/stats.json", NULL };
	static const char *const statistics[] = {
		"/monitor/statistics", "/slave(1)/monitor/statistics", "/monitor/statistics.json", NULL,
	};
	static const char *const state[] = { "/state", "/slave(1)/state", "/state.json", "/slave(1)/state.json", NULL };

	a->sources[SNAPSHOT] = (struct source){ .agent = a, .paths = snapshot, .success = SUCCESS_SNAPSHOT,
		.done = snapshot_done, .forget = snapshot_forget };
	a->sources[STATISTICS_SOURCE] = (struct source){ .agent = a, .paths = statistics,
		.success = SUCCESS_STATISTICS, .done = statistics_done, .forget = statistics_forget };
	a->sources[STATE] = (struct source){ .agent = a, .paths = state, .success = SUCCESS_STATE,
		.data = state_data, .done = state_done, .forget = state_forget };
	a->beat.fire = beat;
	a->telling.fire = tell_some;
}

int poll_start(struct agent *a)
{
	if (a->interval == 0)
		return 0;
	remember_load(a);
	if (!a->events)
		tell_all_no_more(a);
	return sat_alarm_set(a->self, &a->beat, sat_clock());
}

bool poll_idle(const struct agent *a)
{
	if (a->saving)
		return false;
	for (int i = 0; i < SOURCES; i++)
		if (a->sources[i].call != NULL)
			return false;
	return true;
}

void poll_stopped_yet(struct agent *a)
{
	if (a->stopping && poll_idle(a) && a->call == NULL)
		sat_stopped(a->self);
}

void poll_stop(struct agent *a)
{
	sat_alarm_stop(&a->beat);
	sat_alarm_stop(&a->telling);
	tell_all_no_more(a);
	for (int i = 0; i < SOURCES; i++)
		if (a->sources[i].call != NULL)
			sat_fetch_cancel(a->sources[i].call);
}

void poll_free(struct agent *a)
{
	told_free(&a->told);
	free(a->told_path);
	sat_buf_free(&a->snapshot);
	sat_buf_free(&a->statistics);
	tasks_free(a->reading);
	tasks_free(a->tasks);
	ended_free(a->ended);
}
