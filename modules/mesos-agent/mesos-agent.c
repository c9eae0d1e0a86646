/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesos-agent - how many tasks the Mesos agent here has started, finished, seen fail; and all its figures.
 *
 * Its checks usually run at the same time, so one answer serves all that wait
 * for it, and those that come within a second of it.  The agent being away is
 * not the host being bad: these checks are never critical.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

#define FRESH		SAT_SECOND

/* The second is that of Mesos before 0.23. */
static const char *const paths[] = { "/metrics/snapshot", "/stats.json" };

/* ---- What the checks say ------------------------------------------------ */

static void tell(struct total *t)
{
	const struct figures *f = &t->agent->figures;
	unsigned lacks = t->wants & ~f->known;
	char text[256];
	double sum = 0;
	int i;

	for (i = 0; i < FIGURES; i++) {
		if ((lacks & 1u << i) != 0) {
			snprintf(text, sizeof(text), "%.150s%s: lacks %s", t->agent->url,
				 paths[t->agent->path], figures_keys[i]);
			sat_report(t->probe, .state = "unknown", .description = text);
			return;
		}
		if ((t->wants & 1u << i) != 0)
			sum += f->value[i];
	}
	if (sum == floor(sum) && fabs(sum) < 9e15)
		sat_report(t->probe, .has = SAT_HAS_INT, .metric.i = (int64_t)sum, .state = "ok");
	else
		sat_report(t->probe, .has = SAT_HAS_DOUBLE, .metric.d = sum, .state = "ok");
}

/* why NULL: the figures are there. */
static void answer(struct total *t, const char *why)
{
	if (why == NULL)
		tell(t);
	else
		sat_report(t->probe, .state = "unknown", .description = why);
	sat_probe_done(t->probe);
}

static void answer_all(struct agent *a, const char *why)
{
	struct total *all = a->waiting;

	a->waiting = NULL;
	while (all != NULL) {
		struct total *t = all;

		all = t->next;
		t->waits = false;
		answer(t, why);
	}
}

static void leave(struct total *t)
{
	struct total **at = &t->agent->waiting;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->waits = false;
}

/* ---- Asking the agent --------------------------------------------------- */

static const char *describe(const struct agent *a, const struct sat_answer *ans, int rc)
{
	if (rc == -EBADMSG)
		return "not JSON of a Mesos agent, or cut short";
	if (rc < 0 && rc != ans->rc)
		return strerror(-rc);
	if (ans->rc == -ECONNREFUSED)
		return "connection refused: does a Mesos agent run there?";
	if (ans->rc == -ETIMEDOUT)
		return "no answer in time (setting: mesos-agent.timeout)";
	if (ans->rc == -EMSGSIZE)
		return "no Mesos agent's answer is so large: no more of it was read";
	if (ans->rc != 0)
		return ans->error != NULL ? ans->error : strerror(-ans->rc);
	if (rc == 401)
		return a->how.user == NULL && a->how.token == NULL ?
			"answers 401: it wants credentials (settings: user, password, or token)" :
			"answers 401: it does not take these credentials";
	if (rc == 403)
		return "answers 403: this principal may not see it";
	if (rc == 404)
		return "answers 404: it has none of the paths of a Mesos agent (setting: url)";
	return NULL;
}

void agent_explain(const struct agent *a, const struct sat_answer *ans, const char *path, int rc,
		   char *why, size_t size)
{
	const char *words = describe(a, ans, rc);

	if (words != NULL)
		snprintf(why, size, "%.200s%s: %s", a->url, path, words);
	else
		snprintf(why, size, "%.200s%s: answers %d", a->url, path, rc);
}

/* One log line per change; the checks say it each time. */
static void trouble(struct agent *a, const struct sat_answer *ans, int rc)
{
	char why[512];

	agent_explain(a, ans, paths[a->path], rc, why, sizeof(why));
	if (a->trouble != rc && !a->stopping)
		sat_log(a->self, LOG_WARNING, "%s", why);
	a->trouble = rc;
	answer_all(a, why);
}

static void well(struct agent *a)
{
	if (a->trouble != 0)
		sat_log(a->self, LOG_NOTICE, "%s%s: answers", a->url, paths[a->path]);
	a->trouble = 0;
	a->fresh_until = sat_clock() + FRESH;
	answer_all(a, NULL);
}

static bool ask(struct agent *a);

static void done(void *arg, const struct sat_answer *ans)
{
	struct agent *a = arg;
	int rc = ans->rc != 0 ? ans->rc : ans->status;

	a->call = NULL;
	if (rc == 404 && !a->retried && !a->stopping) {
		a->retried = true;
		a->path = !a->path;
		if (ask(a))
			return;
	}
	if (rc == 200)
		rc = figures_read(&a->figures, ans->body, ans->len);
	if (rc == 0)
		well(a);
	else
		trouble(a, ans, rc);
	poll_stopped_yet(a);
}

static bool ask(struct agent *a)
{
	char url[2048];
	struct sat_fetch what = a->how;

	snprintf(url, sizeof(url), "%s%s", a->url, paths[a->path]);
	what.size = sizeof(what);
	what.url = url;
	what.done = done;
	a->call = sat_fetch(a->self, &what, a);
	return a->call != NULL;
}

/* ---- The checks --------------------------------------------------------- */

static void run(void *def)
{
	struct total *t = def;
	struct agent *a = t->agent;

	if (sat_clock() < a->fresh_until) {
		answer(t, NULL);
		return;
	}
	t->next = a->waiting;
	t->waits = true;
	a->waiting = t;
	if (a->call != NULL)
		return;
	a->retried = false;
	if (a->stopping || !ask(a))
		answer_all(a, "the Mesos agent could not be asked");
}

static void timeout(void *def)
{
	struct total *t = def;
	char why[300];

	if (!t->waits)
		return;
	leave(t);
	snprintf(why, sizeof(why), "%.200s: no answer within the check's timeout", t->agent->url);
	answer(t, why);
}

static int define(struct sat_probe *probe, struct agent *agent, const char *name, unsigned wants, void **def)
{
	struct total *t = calloc(1, sizeof(*t));
	int rc;

	if (t == NULL)
		return -ENOMEM;
	t->agent = agent;
	t->probe = probe;
	t->wants = wants;
	rc = sat_probe_service(probe, "%s", name);
	if (rc != 0) {
		free(t);
		return rc;
	}
	*def = t;
	return 0;
}

#define TOTAL(id, which) \
	static int define_##id(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def) \
	{ \
		(void)conf; \
		return define(probe, module, "total-tasks-" #id, which, def); \
	}
TOTAL(failed, 1u << FAILED)
TOTAL(finished, 1u << FINISHED)
TOTAL(started, FIGURES_ALL)

#define CHECK(id, words) &(const struct sat_check){ \
	.size = sizeof(struct sat_check), .name = "total-tasks-" #id, .summary = (words), \
	.define = define_##id, .run = run, .timeout = timeout, .undefine = free }

static const struct sat_check *const checks[] = {
	CHECK(failed, "tasks that failed on this Mesos agent"),
	CHECK(finished, "tasks that finished on this Mesos agent"),
	CHECK(started, "tasks ever started on this Mesos agent"),
	NULL,
};

/* ---- Life --------------------------------------------------------------- */

static const struct sat_option *const options[] = {
	SAT_OPTION("url", SAT_STRING, .fallback = "http://localhost:5051",
		   .help = "the Mesos agent of this host"),
	SAT_FETCH_OPTIONS("the agent's"),
	SAT_OPTION("timeout", SAT_SECONDS, .fallback = "10", .min = 0.1, .max = 3600,
		   .help = "for an answer"),
	SAT_OPTION("interval", SAT_SECONDS, .fallback = "0", .min = 0, .max = 86400,
		   .help = "seconds between two looks at its figures, containers and tasks; 0: never"),
	SAT_OPTION("events", SAT_BOOLEAN, .fallback = "true",
		   .help = "figures and containers are events, too"),
	SAT_OPTION("ended-tasks", SAT_BOOLEAN, .fallback = "true",
		   .help = "each task that has ended is an event, for who keeps records"),
	SAT_OPTION("task-labels", SAT_STRINGS, .help = "labels of tasks that mesos_slave_task_labels has"),
	SAT_OPTION("attributes", SAT_STRINGS, .help = "attributes of the agent that mesos_slave_attributes has"),
	NULL,
};

static const struct sat_counter *const counters[] = {
	[COUNT_REQUESTS] = SAT_COUNTER("requests", .help = "requests to the Mesos agent, but for those of checks"),
	[COUNT_FAILURES] = SAT_COUNTER("failures", .help = "of these, those that failed, or gave nonsense"),
	[COUNT_LEFT_OUT] = SAT_COUNTER("left-out",
		.help = "tasks and events that are too many, names that are too long, and containers without one"),
	[SUCCESS_SNAPSHOT] = SAT_COUNTER("snapshot-last-success", .gauge = true,
		.help = "time of the last figures, in seconds since 1970"),
	[SUCCESS_STATISTICS] = SAT_COUNTER("statistics-last-success", .gauge = true,
		.help = "time of the last statistics, in seconds since 1970"),
	[SUCCESS_STATE] = SAT_COUNTER("state-last-success", .gauge = true,
		.help = "time of the last state, in seconds since 1970"),
	[COUNT_ENDED] = SAT_COUNTER("ended-tasks", .help = "tasks that have ended, of which an event went"),
	NULL,
};

static void destroy(void *state)
{
	struct agent *a = state;

	poll_free(a);
	free(a->url);
	free(a->prefix);
	free(a);
}

static int judge_labels(const struct sat_conf *conf, const char *name, const char *const **list, uint32_t *n)
{
	size_t all;

	*list = sat_conf_strings(conf, name, &all);
	*n = (uint32_t)all;
	return all <= TASKS_WANTED ? 0 : sat_conf_error(conf, name, "has more than %d names", TASKS_WANTED);
}

/* Every mistake is reported, not the first alone. */
static int judge(struct agent *a, const struct sat_conf *conf)
{
	int rc = sat_fetch_base(conf, "url", sat_conf_string(conf, "url"), &a->url);

	if (rc == -ENOMEM)
		return rc;
	if (sat_fetch_settings(conf, &a->how) != 0)
		rc = -EINVAL;
	if (judge_labels(conf, "task-labels", &a->wanted.labels, &a->wanted.n_labels) != 0 ||
	    judge_labels(conf, "attributes", &a->wanted.attributes, &a->wanted.n_attributes) != 0)
		rc = -EINVAL;
	return rc != 0 ? rc : sat_need(a->self, conf, "http-client");
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	const char *prefix = sat_top_string("service-prefix");
	struct agent *a = calloc(1, sizeof(*a));
	bool wants_ended;
	int rc;

	if (a == NULL)
		return -ENOMEM;
	a->self = self;
	a->how.timeout = sat_conf_time(conf, "timeout");
	a->interval = sat_conf_time(conf, "interval");
	a->ttl = 3 * (double)a->interval / SAT_SECOND;
	a->events = sat_conf_boolean(conf, "events");
	wants_ended = a->interval > 0 && sat_conf_boolean(conf, "ended-tasks");
	a->ended = wants_ended ? ended_new() : NULL;
	poll_init(a);
	a->prefix = strdup(prefix != NULL ? prefix : "");
	rc = a->prefix == NULL || (wants_ended && a->ended == NULL) ? -ENOMEM : remember_where(a);
	rc = rc != 0 ? rc : judge(a, conf);
	if (rc != 0) {
		destroy(a);
		return rc;
	}
	*state = a;
	return 0;
}

static int start(void *state)
{
	struct agent *a = state;

	a->stopping = false;
	return poll_start(a);
}

static void stop(void *state)
{
	struct agent *a = state;

	a->stopping = true;
	if (a->call != NULL)
		sat_fetch_cancel(a->call);
	poll_stop(a);
	if (poll_idle(a) && a->call == NULL)
		sat_stopped(a->self);
}

SAT_MODULE(mesos_agent,
	.name = "mesos-agent", .version = SAT_VERSION, .summary = "the Mesos agent's tasks, figures and containers",
	.options = options, .checks = checks, .counters = counters, .series = tell_series,
	.create = create, .start = start, .stop = stop, .destroy = destroy);
