/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls - asking Mesos: for the list of its agents, and to switch one.
 *
 * Each is a POST to /api/v1, which a master that does not lead sends on to the one
 * that does.  An agent is switched only while the list is young, so that what
 * people do by hand is seen first; a few at a time, and no more a second than
 * `rate` says.  After a failure there is a pause, each twice as long as the last,
 * and then one call alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agents.h"

#define YOUNG		(5 * SAT_SECOND)
#define SPACING		SAT_SECOND	/* between two lists, and ten times what the last one took */
#define CALL_TIMEOUT	(30 * SAT_SECOND)
#define FORGET		(7 * 86400 * SAT_SECOND)
#define WORDS_MAX	((size_t)64 << 10)

/* The engine's clock stands still while the process does, Mesos does not. */
static int64_t boot(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * SAT_SECOND + ts.tv_nsec / 1000;
}

static struct sat_call *post(struct actuator *a, struct sat_fetch *what, const char *body, void *arg)
{
	char url[2048];

	snprintf(url, sizeof(url), "%s/api/v1", a->urls[a->url]);
	what->size = sizeof(*what);
	what->method = "POST";
	what->url = url;
	what->headers = (const char *const []){ "Content-Type: application/json", "Accept: application/json", NULL };
	what->body = body;
	what->body_len = strlen(body);
	return sat_fetch(a->self, what, arg);
}

/* ---- How it went -------------------------------------------------------- */

/* The beginning of Mesos' own words, where it is text. */
static int words_len(const struct sat_answer *answer)
{
	int n = 0;

	while (n < 120 && (size_t)n < answer->len && answer->body[n] >= ' ' && answer->body[n] <= '~')
		n++;
	return n;
}

static const char *advice(const struct actuator *a, int status)
{
	switch (status) {
	case 401:
		return a->how.user == NULL && a->how.token == NULL ?
			": it wants credentials (settings: user, password, or token)" :
			": it does not take these credentials (settings: user, password, token; url, if it was sent on)";
	case 403:
		return ": this principal may not do that; allow it in the Mesos master's ACLs";
	default:
		return "";
	}
}

/* An answer that is not what was asked for; what: "GET_AGENTS". */
static void trouble(struct actuator *a, const char *what, const struct sat_answer *answer)
{
	const char *url = answer->url != NULL ? answer->url : a->urls[a->url];
	int n = answer->rc == 0 && answer->body != NULL ? words_len(answer) : 0;
	bool calls = strcmp(what, "GET_AGENTS") != 0;

	sat_count(a->self, COUNT_FAILURES, 1);
	if (answer->rc != 0)
		tell_trouble(a, answer->rc, calls, "%s: %s: %s", url, what,
			     answer->error != NULL ? answer->error : strerror(-answer->rc));
	else
		tell_trouble(a, answer->status, calls, "%s: %s: answers %d%s%s%.*s", url, what, answer->status,
			     advice(a, answer->status), n > 0 ? ": " : "", n, n > 0 ? answer->body : "");
	if (!calls)
		a->next_list = sat_clock() + a->backoff;
	a->no_call_before = sat_clock() + a->backoff;
}

/* Mesos before 1.9 does not know the calls, before 1.0 not even the API. */
static void too_old(struct actuator *a)
{
	sat_count(a->self, COUNT_FAILURES, 1);
	tell_trouble(a, -ENOSYS, true, "%s: this Mesos does not know DEACTIVATE_AGENT, which came with 1.9: "
		     "take \"agents\" out of whitelist.actuators", a->urls[a->url]);
	a->next_list = a->no_call_before = sat_clock() + a->backoff;
}

/* ---- The list ----------------------------------------------------------- */

static bool young(const struct actuator *a)
{
	return a->has_list && a->received != 0 && boot() - a->received < YOUNG;
}

static int list_data(void *arg, int status, const void *p, size_t n)
{
	struct actuator *a = arg;

	if (status == 200 && a->reading_rc == 0)
		a->reading_rc = list_feed(&a->reading, p, n);
	return status == 200 ? a->reading_rc : 0;
}

/* false: no memory. */
static bool take(struct actuator *a)
{
	bool *refused = calloc(a->reading.n + 1, sizeof(*refused));

	if (refused == NULL)
		return false;
	free(a->refused);
	list_free(&a->list);
	a->refused = refused;
	a->list = a->reading;
	a->reading = (struct list){ 0 };
	a->has_list = true;
	a->plan_due = true;	/* the one that stands is of the other list */
	a->n_todo = a->next_todo = 0;
	a->received = boot();
	sat_count(a->self, COUNT_LISTS, 1);
	sat_gauge(a->self, GAUGE_AGENTS, (int64_t)a->list.n);
	sat_gauge(a->self, GAUGE_SUCCESS, sat_wall() / SAT_SECOND);
	plan(a);
	calls_reap(a);
	if (!a->calls_fail || a->pending == 0)
		tell_well(a);
	return true;
}

static void unreadable(struct actuator *a, int rc)
{
	const struct sat_answer answer = { .size = sizeof(answer), .rc = rc, .error =
		rc == -EBADMSG ? "not JSON, or cut short" : rc == -EPROTO ? "JSON, but no list of agents" : NULL };

	trouble(a, "GET_AGENTS", &answer);
}

static void list_read(struct actuator *a, const struct sat_answer *answer, bool late)
{
	const struct sat_answer overdue = { .size = sizeof(overdue), .rc = -ETIMEDOUT };

	if (answer->rc == 0 && answer->status == 200 && !late) {
		int rc = list_end(&a->reading);

		if (rc != 0 || !take(a))
			unreadable(a, rc != 0 ? rc : -ENOMEM);
		return;
	}
	if (a->reading_rc != 0)
		unreadable(a, a->reading_rc);
	else if (answer->rc == 0 && answer->status == 404)
		too_old(a);
	else
		trouble(a, "GET_AGENTS", late ? &overdue : answer);
	a->url = (a->url + 1) % a->n_urls;	/* another may know more */
}

static void list_done(void *arg, const struct sat_answer *answer)
{
	struct actuator *a = arg;
	int64_t took = boot() - a->asked, now = sat_clock();

	a->listing = NULL;
	sat_count(a->self, COUNT_BYTES, (int64_t)answer->received);
	a->no_list_before = now + (10 * took > SPACING ? 10 * took : SPACING);
	a->next_list = now + (10 * took > a->interval ? 10 * took : a->interval);
	if (!a->stopping && a->acts)
		list_read(a, answer, took > a->timeout + SAT_SECOND);
	list_free(&a->reading);
	actuator_idle(a);
}

void list_ask(struct actuator *a)
{
	struct sat_fetch what = a->how;

	what.timeout = a->timeout;
	what.data = list_data;
	what.done = list_done;
	a->next_list = sat_clock() + a->interval;
	a->no_list_before = sat_clock() + SPACING;
	a->asked = boot();
	a->reading_rc = list_begin(&a->reading);
	if (a->reading_rc == 0)
		a->listing = post(a, &what, "{\"type\":\"GET_AGENTS\"}", a);
	if (a->listing != NULL)
		return;
	list_free(&a->reading);
	unreadable(a, -ENOMEM);
}

/* ---- One agent ---------------------------------------------------------- */

bool calls_about(const struct actuator *a, const char *id)
{
	for (int i = 0; i < PARALLEL; i++)
		if (a->jobs[i].busy && strcmp(a->jobs[i].id, id) == 0)
			return true;
	return false;
}

bool calls_busy(const struct actuator *a)
{
	bool busy = a->listing != NULL || a->n_commits > 0;

	for (int i = 0; i < PARALLEL; i++)
		busy |= a->jobs[i].call != NULL;
	return busy;
}

static void job_end(struct job *j)
{
	j->busy = false;
	j->a->plan_due = true;
}

/* The list may be another by now. */
static struct listed *listed(struct actuator *a, const char *id)
{
	size_t from = 0, to = a->list.n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int order = strcmp(list_id(&a->list, &a->list.agents[mid]), id);

		if (order == 0)
			return &a->list.agents[mid];
		if (order < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}

static void unmarked(struct job *j, int rc)
{
	if (rc != 0)		/* the next plan asks for it again */
		j->a->no_call_before = sat_clock() + SAT_SECOND;
	job_end(j);
}

/* The store is out of touch, or there is no memory. */
static void no_mark(struct job *j)
{
	j->a->no_call_before = sat_clock() + SAT_SECOND;
	job_end(j);
}

static void unmark(struct job *j)
{
	if (mark_drop(j, unmarked) != 0)
		no_mark(j);
}

static const char *call_name(const struct job *j)
{
	return j->step == STEP_DEACTIVATE ? "DEACTIVATE_AGENT" : "REACTIVATE_AGENT";
}

static void switched(struct job *j)
{
	struct actuator *a = j->a;
	struct listed *agent = listed(a, j->id);
	bool off = j->step == STEP_DEACTIVATE;
	char text[320];

	if (agent != NULL)
		agent->deactivated = off;
	snprintf(text, sizeof(text), "agent %s is %sactivated", j->id, off ? "de" : "re");
	sat_count(a->self, off ? COUNT_DEACTIVATED : COUNT_REACTIVATED, 1);
	sat_log(a->self, LOG_NOTICE, "%s: %s", j->host, text);
	tell_host(a, j->host, "ok", text);
	tell_well(a);
	if (off)
		job_end(j);
	else
		unmark(j);
}

/* Of this agent alone, it seems: until the next list. */
static void refused(struct job *j, const struct sat_answer *answer)
{
	struct actuator *a = j->a;
	struct listed *agent = listed(a, j->id);

	sat_count(a->self, COUNT_FAILURES, 1);
	if (agent != NULL)
		a->refused[agent - a->list.agents] = true;
	if (sat_log_allowed(a->self, &a->limit, 5, 60 * SAT_SECOND))
		sat_log(a->self, LOG_WARNING, "%s: agent %s: %s: answers %d: %.*s", j->host, j->id, call_name(j),
			answer->status, words_len(answer), answer->body);
}

static void failed(struct job *j, const struct sat_answer *answer)
{
	struct actuator *a = j->a;
	int status = answer->rc == 0 ? answer->status : 0;
	/* What is certain not to have happened is not ours. */
	bool never = status != 0 && (status < 500 || status == 501 || status == 503);
	bool one = status == 400 || status == 404 || status == 409;

	if (status == 501 || (one && !a->list.tells))
		too_old(a);
	else if (one)
		refused(j, answer);
	else
		trouble(a, call_name(j), answer);
	if (!never)
		a->received = 0;	/* it may have been done: the list says too little now */
	if (never && j->marks)
		unmark(j);
	else
		job_end(j);
}

static void call_done(void *arg, const struct sat_answer *answer)
{
	struct job *j = arg;
	struct actuator *a = j->a;

	j->call = NULL;
	sat_count(a->self, COUNT_BYTES, (int64_t)answer->received);
	if (a->stopping) {
		job_end(j);
		actuator_idle(a);
	} else if (answer->rc == 0 && (answer->status == 200 || answer->status == 202)) {
		switched(j);
	} else {
		failed(j, answer);
	}
}

static void call(struct job *j)
{
	struct actuator *a = j->a;
	struct sat_fetch what = a->how;
	struct sat_buf body = { .max = 4096 };
	const char *key = j->step == STEP_DEACTIVATE ? "deactivate_agent" : "reactivate_agent";

	what.timeout = CALL_TIMEOUT;
	what.max = WORDS_MAX;
	what.done = call_done;
	sat_buf_printf(&body, "{\"type\":\"%s\",\"%s\":{\"agent_id\":{\"value\":", call_name(j), key);
	sat_buf_json(&body, j->id);
	sat_buf_printf(&body, "}}}");
	sat_buf_add(&body, "", 1);
	sat_count(a->self, COUNT_CALLS, 1);
	if (!body.full && sat_acting())
		j->call = post(a, &what, body.p, j);
	sat_buf_free(&body);
	if (j->call == NULL)
		job_end(j);
}

static void marked(struct job *j, int rc)
{
	j->marks = rc == 0;
	if (rc == 0 && !j->a->stopping)
		call(j);
	else
		no_mark(j);
}

/* In a dry run it is said, and taken for done until the next list. */
static void pretend(struct job *j)
{
	struct listed *agent = listed(j->a, j->id);

	if (sat_log_allowed(j->a->self, &j->a->limit, 20, 60 * SAT_SECOND))
		sat_log(j->a->self, LOG_NOTICE, "%s: agent %s: dry run: no %s", j->host, j->id,
			j->step == STEP_UNMARK ? "mark is changed" : call_name(j));
	if (agent != NULL)
		j->a->refused[agent - j->a->list.agents] = true;
	job_end(j);
}

static void begin(struct job *j, const struct todo *t)
{
	struct actuator *a = j->a;
	const struct listed *agent = &a->list.agents[t->agent];

	j->busy = true;
	j->marks = false;
	j->step = t->step;
	snprintf(j->id, sizeof(j->id), "%s", list_id(&a->list, agent));
	snprintf(j->host, sizeof(j->host), "%s", list_host(&a->list, agent));
	if (sat_dry_run())
		pretend(j);
	else if (t->step == STEP_UNMARK)
		unmark(j);
	else if (mark_find(a, j->id) != NULL)
		call(j);
	else if (mark_put(j, marked) != 0)
		no_mark(j);
}

static void fill(struct actuator *a, int64_t now)
{
	double most = a->rate > 1 ? a->rate : 1;

	a->tokens += a->rate * (double)(now - a->filled) / SAT_SECOND;
	if (a->tokens > most)
		a->tokens = most;
	a->filled = now;
}

static struct job *idle_job(struct actuator *a)
{
	int most = a->calls_fail ? 1 : PARALLEL;

	for (int i = 0; i < most; i++)
		if (!a->jobs[i].busy)
			return &a->jobs[i];
	return NULL;
}

void calls_pump(struct actuator *a)
{
	struct job *j;
	int64_t now = sat_clock();

	fill(a, now);
	while (a->next_todo < a->n_todo && now >= a->no_call_before && a->tokens >= 1 && (j = idle_job(a)) != NULL) {
		if (!young(a)) {
			a->next_list = now;
			return;
		}
		j->a = a;
		a->tokens--;
		begin(j, &a->todo[a->next_todo++]);
	}
}

/* It does not come back under that id; one for each list will do. */
void calls_reap(struct actuator *a)
{
	const struct mark *m = mark_unlisted(a, sat_clock() - FORGET);
	struct job *j = m != NULL && !sat_dry_run() ? idle_job(a) : NULL;

	if (j == NULL || calls_about(a, m->id))
		return;
	*j = (struct job){ .a = a, .busy = true, .step = STEP_UNMARK };
	snprintf(j->id, sizeof(j->id), "%s", m->id);
	sat_log(a->self, LOG_INFO, "%s: Mesos has not named this agent for a week: its mark is dropped", m->id);
	unmark(j);
}

void calls_cancel(struct actuator *a)
{
	sat_fetch_cancel(a->listing);
	for (int i = 0; i < PARALLEL; i++)
		if (a->jobs[i].call != NULL)
			sat_fetch_cancel(a->jobs[i].call);
}
