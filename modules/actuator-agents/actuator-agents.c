/* SPDX-License-Identifier: Apache-2.0 */
/* actuator-agents - the whitelist's decisions, put into effect by deactivating agents: settings and life. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents.h"

#define BEAT	(200 * SAT_MS)
#define STORE	"sqlite"	/* unless said otherwise, here and of the whitelist */

static const struct sat_option *const options[] = {
	SAT_OPTION("url", SAT_STRINGS, .fallback = "http://localhost:5050",
		   .help = "a Mesos master, or all of them"),
	SAT_OPTION("store", SAT_STRING, .fallback = STORE,
		   .help = "where it keeps which agents it deactivated: the whitelist's store"),
	SAT_OPTION("interval", SAT_SECONDS, .fallback = "60", .min = 1, .max = 86400,
		   .help = "seconds between two lists of agents while nothing is to be done"),
	SAT_OPTION("rate", SAT_NUMBER, .fallback = "10", .min = 0.01, .max = 1000,
		   .help = "agents a second that are switched at most"),
	SAT_OPTION("timeout", SAT_SECONDS, .fallback = "60", .min = 0.1, .max = 3600, .help = "for a list of agents"),
	SAT_FETCH_OPTIONS("the master's"),	/* of a principal that may deactivate agents */
	NULL
};

static const struct sat_counter *const counters[] = {
	[COUNT_CALLS] = SAT_COUNTER("calls", .help = "agents that Mesos was asked to switch"),
	[COUNT_FAILURES] = SAT_COUNTER("failures", .help = "requests to Mesos that failed"),
	[COUNT_LISTS] = SAT_COUNTER("lists", .help = "lists of agents that were read"),
	[COUNT_BYTES] = SAT_COUNTER("bytes", .help = "bytes of Mesos' answers"),
	[COUNT_DEACTIVATED] = SAT_COUNTER("deactivated", .help = "agents that were deactivated"),
	[COUNT_REACTIVATED] = SAT_COUNTER("reactivated", .help = "agents that were reactivated"),
	[COUNT_UNDONE] = SAT_COUNTER("undone", .help = "times that what was deactivated was found active"),
	[GAUGE_AGENTS] = SAT_COUNTER("agents", .gauge = true, .help = "agents of the last list"),
	[GAUGE_MARKS] = SAT_COUNTER("ours", .gauge = true, .help = "agents that Satellite deactivated, and may reactivate"),
	[GAUGE_DRIFT] = SAT_COUNTER("drift", .gauge = true, .help = "agents that others switched otherwise than was decided"),
	[GAUGE_PENDING] = SAT_COUNTER("pending", .gauge = true, .help = "agents that wait to be switched"),
	[GAUGE_SUCCESS] = SAT_COUNTER("last-success", .gauge = true,
		.help = "time of the last list, in seconds since 1970"),
	NULL
};

/* ---- What is decided ---------------------------------------------------- */

static void wants_free(struct actuator *a)
{
	for (size_t i = 0; i < a->n_wants; i++)
		sat_drop(a->wants[i]);
	free(a->wants);
	a->wants = NULL;
	a->n_wants = 0;
}

static void store_heard(struct actuator *a, const char *store)
{
	bool other = store == NULL || strcmp(store, a->store) != 0;

	if (other && !a->other_store) {
		sat_log(a->self, LOG_ERR, "store: is \"%s\", the whitelist's is \"%s\": nothing is done", a->store,
			store == NULL ? "" : store);
		sat_ready(a->self, "its store is not the whitelist's (setting: store)");
	} else if (!other && a->other_store) {
		sat_ready(a->self, NULL);
	}
	a->other_store = other;
}

static int by_host(const void *x, const void *y)
{
	return strcmp((*(const struct sat_event *const *)x)->host, (*(const struct sat_event *const *)y)->host);
}

static void hosts_heard(void *state, const char *topic, const struct sat_item *item)
{
	struct actuator *a = state;
	const struct sat_event **wants = calloc(item->n + 1, sizeof(*wants));
	size_t n = 0;

	(void)topic;
	a->wants_lost = wants == NULL;
	if (wants == NULL || item->n == 0) {
		free(wants);
		return;
	}
	store_heard(a, sat_attr(item->evs[0], "store"));
	for (uint32_t i = 1; i < item->n; i++) {
		if (item->evs[i]->host == NULL || item->evs[i]->state == NULL)
			continue;
		wants[n] = sat_keep(item->evs[i]);
		a->wants_lost |= wants[n] == NULL;
		n += wants[n] != NULL;
	}
	qsort(wants, n, sizeof(*wants), by_host);
	wants_free(a);
	a->wants = wants;
	a->n_wants = n;
	a->wants_heard = a->plan_due = true;
}

/* An agent came, went or changed: it may bear a new id. */
static void agents_heard(void *state, const char *topic, const struct sat_item *item)
{
	struct actuator *a = state;

	(void)topic, (void)item;
	a->next_list = sat_clock();
}

/* ---- Life --------------------------------------------------------------- */

static bool may_act(const struct actuator *a)
{
	return !a->stopping && a->synced && a->wants_heard && !a->other_store && (sat_acting() || sat_dry_run());
}

/* Another acts, or nobody: what is known here grows old. */
static void stand_down(struct actuator *a)
{
	plan_forget(a);
	a->trouble = 0;
	a->calls_fail = false;
	a->backoff = 0;
	a->no_call_before = 0;
	if (!a->other_store)
		sat_ready(a->self, NULL);
	tell_standing(a);
}

static void beat(struct sat_alarm *alarm)
{
	struct actuator *a = SAT_OWNER(alarm, struct actuator, beat);
	int64_t now = sat_clock();

	sat_alarm_set(a->self, alarm, now + BEAT);
	if (a->starved) {
		marks_stop(a);
		a->starved = marks_start(a) != 0;
	}
	if (a->wants_lost)
		sat_subscribe(a->self, "whitelist/hosts", hosts_heard);
	if (a->acts != may_act(a)) {
		a->acts = !a->acts;
		a->next_list = now;
		if (a->acts)
			marks_renew(a);
		else
			stand_down(a);
	}
	if (!a->acts)
		return;
	if (a->listing == NULL && now >= a->next_list && now >= a->no_list_before)
		list_ask(a);
	if (a->plan_due && a->has_list)
		plan(a);
	calls_pump(a);
}

static void destroy(void *state)
{
	struct actuator *a = state;

	sat_alarm_stop(&a->beat);
	plan_forget(a);
	list_free(&a->reading);
	marks_free(a);
	wants_free(a);
	for (unsigned i = 0; i < a->n_urls; i++)
		free(a->urls[i]);
	free(a->store);
	free(a);
}

static bool has_text(const struct sat_conf *s, const char *text)
{
	return sat_conf_value(s).kind == SAT_TEXT && strcmp(sat_conf_value(s).text, text) == 0;
}

/* Where the whitelist has us put its decisions into effect, its store must be ours. */
static int judge_store(struct actuator *a, const struct sat_conf *conf)
{
	int reported;
	const struct sat_conf *whitelist = sat_top_group(a->self, "whitelist", NULL, &reported);
	const struct sat_conf *names = sat_conf_find(whitelist, "actuators"),
		*store = sat_conf_find(whitelist, "store");
	bool same = store == NULL ? strcmp(a->store, STORE) == 0 : has_text(store, a->store);
	bool named = false;

	for (size_t i = 0; names != NULL && i < sat_conf_count(names); i++)
		named |= has_text(sat_conf_at(names, i), "agents");
	/* One that is no text is complained of there. */
	if (!named || same || (store != NULL && sat_conf_value(store).kind != SAT_TEXT))
		return 0;
	return sat_conf_error(conf, "store", "is \"%s\", and must be that of the whitelist, \"%s\"", a->store,
			      store == NULL ? STORE : sat_conf_value(store).text);
}

/* Every mistake is reported, not the first alone. */
static int judge(struct actuator *a, const struct sat_conf *conf)
{
	int rc = sat_fetch_bases(conf, "url", a->urls, URLS_MAX, &a->n_urls), more;

	if (rc == -ENOMEM)
		return rc;
	if (sat_fetch_settings(conf, &a->how) != 0)
		rc = -EINVAL;
	a->link = sat_store_use(a->self, conf, "store");
	if (a->link == NULL)
		rc = -EINVAL;
	if (judge_store(a, conf) != 0)
		rc = -EINVAL;
	more = sat_need(a->self, conf, "http-client");
	return rc != 0 ? rc : more;
}

static int settings(struct actuator *a, const struct sat_conf *conf)
{
	a->store = strdup(sat_conf_string(conf, "store"));
	a->interval = sat_conf_time(conf, "interval");
	a->timeout = sat_conf_time(conf, "timeout");
	a->rate = sat_conf_number(conf, "rate");
	return a->store != NULL ? judge(a, conf) : -ENOMEM;
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct actuator *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL)
		return -ENOMEM;
	a->self = self;
	rc = settings(a, conf);
	if (rc == 0)
		*state = a;
	else
		destroy(a);
	return rc;
}

static int start(void *state)
{
	struct actuator *a = state;
	int rc = marks_start(a);

	a->stopping = a->stopped = false;
	a->beat.fire = beat;
	a->filled = sat_clock();
	if (rc == 0)
		rc = sat_subscribe(a->self, "whitelist/hosts", hosts_heard);
	if (rc == 0)
		rc = sat_subscribe(a->self, "mesos/agents", agents_heard);
	if (rc == 0)
		rc = sat_alarm_set(a->self, &a->beat, sat_clock());
	if (rc != 0)
		marks_stop(a);
	return rc;
}

void actuator_idle(struct actuator *a)
{
	if (!a->stopping || a->stopped || calls_busy(a))
		return;
	a->stopped = true;
	sat_stopped(a->self);
}

static void stop(void *state)
{
	struct actuator *a = state;

	a->stopping = true;
	sat_alarm_stop(&a->beat);
	calls_cancel(a);
	marks_stop(a);
	actuator_idle(a);
}

SAT_MODULE(actuator_agents,
	.name = "actuator-agents", .version = SAT_VERSION,
	.summary = "deactivates the agents of hosts that are off, and reactivates those",
	.options = options, .counters = counters,
	.create = create, .start = start, .stop = stop, .destroy = destroy);
