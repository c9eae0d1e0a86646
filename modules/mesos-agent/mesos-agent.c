/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesos-agent - how many tasks the Mesos agent here has started, finished, seen fail.
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
	if (ans->rc == -ECONNREFUSED)
		return "connection refused: does a Mesos agent run there?";
	if (ans->rc == -ETIMEDOUT)
		return "no answer in time (setting: mesos-agent.timeout)";
	if (ans->rc != 0)
		return ans->error != NULL ? ans->error : strerror(-ans->rc);
	if (rc == -EBADMSG)
		return "not JSON of a Mesos agent, or cut short";
	if (rc < 0)
		return strerror(-rc);
	if (rc == 401)
		return a->user == NULL ? "answers 401: it wants credentials (settings: user, password)" :
					 "answers 401: it does not take these credentials";
	if (rc == 403)
		return "answers 403: this principal may not see it";
	if (rc == 404)
		return "answers 404: it has none of the paths of a Mesos agent (setting: url)";
	return NULL;
}

/* One log line per change; the checks say it each time. */
static void trouble(struct agent *a, const struct sat_answer *ans, int rc)
{
	const char *words = describe(a, ans, rc);
	char why[512];

	if (words != NULL)
		snprintf(why, sizeof(why), "%.200s%s: %s", a->url, paths[a->path], words);
	else
		snprintf(why, sizeof(why), "%.200s%s: answers %d", a->url, paths[a->path], rc);
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
	if (a->stopping)
		sat_stopped(a->self);
}

static bool ask(struct agent *a)
{
	char url[2048];
	struct sat_fetch what = {
		.size = sizeof(what), .url = url, .user = a->user, .password = a->password,
		.ca = a->ca, .cert = a->cert, .key = a->key, .timeout = a->timeout, .done = done,
	};

	snprintf(url, sizeof(url), "%s%s", a->url, paths[a->path]);
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
	SAT_OPTION("user", SAT_STRING, .help = "for Basic authentication"),
	SAT_OPTION("password", SAT_STRING, .help = "for Basic authentication"),
	SAT_OPTION("timeout", SAT_SECONDS, .fallback = "10", .min = 0.1, .max = 3600,
		   .help = "for an answer"),
	SAT_OPTION("ca", SAT_STRING, .help = "PEM file: who may sign the agent's certificate"),
	SAT_OPTION("cert", SAT_STRING, .help = "PEM file: our certificate"),
	SAT_OPTION("key", SAT_STRING, .help = "PEM file: its key"),
	NULL,
};

static void destroy(void *state)
{
	struct agent *a = state;

	free(a->url);
	free(a->user);
	free(a->password);
	free(a->ca);
	free(a->cert);
	free(a->key);
	free(a);
}

static int copy(char **to, const struct sat_conf *conf, const char *name)
{
	const char *text = sat_conf_string(conf, name);

	if (text == NULL)
		return 0;
	*to = strdup(text);
	return *to != NULL ? 0 : -ENOMEM;
}

/* Every mistake is reported, not the first alone. */
static int judge(struct agent *a, const struct sat_conf *conf)
{
	size_t n = strlen(a->url);
	int rc = 0;

	if (strncmp(a->url, "http://", 7) != 0 && strncmp(a->url, "https://", 8) != 0)
		rc = sat_conf_error(conf, "url", "is not http://HOST:PORT or https://HOST:PORT");
	else if (strpbrk(a->url, "?#@ ") != NULL || n > 1024)
		rc = sat_conf_error(conf, "url", "is more than scheme, host, port and path");
	while (n > 0 && a->url[n - 1] == '/')
		a->url[--n] = '\0';
	if ((a->user == NULL) != (a->password == NULL))
		rc = sat_conf_error(conf, a->user == NULL ? "password" : "user", "needs %s beside it",
				    a->user == NULL ? "user" : "password");
	if ((a->cert == NULL) != (a->key == NULL))
		rc = sat_conf_error(conf, a->cert == NULL ? "key" : "cert", "needs %s beside it",
				    a->cert == NULL ? "cert" : "key");
	return rc != 0 ? rc : sat_need(a->self, conf, "http-client");
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct agent *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL)
		return -ENOMEM;
	a->self = self;
	a->timeout = sat_conf_time(conf, "timeout");
	rc = copy(&a->url, conf, "url");
	rc = rc != 0 ? rc : copy(&a->user, conf, "user");
	rc = rc != 0 ? rc : copy(&a->password, conf, "password");
	rc = rc != 0 ? rc : copy(&a->ca, conf, "ca");
	rc = rc != 0 ? rc : copy(&a->cert, conf, "cert");
	rc = rc != 0 ? rc : copy(&a->key, conf, "key");
	rc = rc != 0 ? rc : judge(a, conf);
	if (rc != 0) {
		destroy(a);
		return rc;
	}
	*state = a;
	return 0;
}

static void stop(void *state)
{
	struct agent *a = state;

	a->stopping = true;
	if (a->call != NULL)
		sat_fetch_cancel(a->call);
	else
		sat_stopped(a->self);
}

SAT_MODULE(mesos_agent,
	.name = "mesos-agent", .version = SAT_VERSION, .summary = "the Mesos agent's totals of tasks",
	.options = options, .checks = checks,
	.create = create, .stop = stop, .destroy = destroy);
