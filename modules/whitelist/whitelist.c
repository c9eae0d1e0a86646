/* SPDX-License-Identifier: Apache-2.0 */
/* whitelist - the module: its settings, its life, and the numbers that it tells. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whitelist.h"

#define NUMBERS_TIME	(60 * SAT_SECOND)
#define NUMBERS_SETTLE	(200 * SAT_MS)

static const struct sat_option *const options[] = {
	SAT_OPTION("path", SAT_STRING, .help = "the file that the Mesos master reads; default: whitelist in state-dir"),
	SAT_OPTION("store", SAT_STRING, .fallback = "sqlite", .help = "where the records are kept"),
	SAT_OPTION("actuators", SAT_STRINGS, .fallback = "file",
		   .help = "what puts decisions into effect: \"file\", and others, each of a module actuator-NAME"),
	SAT_OPTION("new-agents", SAT_STRING, .fallback = "on",
		   .help = "an agent that registers later is \"on\", \"off\", or on after its first full pass: \"tests\""),
	SAT_OPTION("import", SAT_BOOLEAN, .fallback = "true",
		   .help = "at first start, take in the hosts of the file, or else the registered agents"),
	SAT_OPTION("silent", SAT_SECONDS, .fallback = "600", .min = 1, .max = 1e7,
		   .help = "seconds without a word after which satellite/host/heard is critical"),
	SAT_OPTION("reap", SAT_SECONDS, .fallback = "86400", .min = 1, .max = 1e9,
		   .help = "seconds past its ttl after which the event of a check that is no more leaves its record"),
	SAT_OPTION("resolve", SAT_BOOLEAN, .fallback = "true", .help = "a host that a person adds must have an address"),
	SAT_OPTION("host-pattern", SAT_STRING, .help = "and match this; % is any text, _ any byte"),
	SAT_OPTION("reachable", SAT_ANY, .help = "and answer on this TCP port, or on one of these"),
	SAT_OPTION("reach-timeout", SAT_SECONDS, .fallback = "2", .min = 0.1, .max = 30,
		   .help = "seconds that it has to answer"),
	SAT_OPTION("guard", SAT_GROUP, .inner = guard_options, .help = "limits to what streams may do to hosts"),
	NULL
};

static const struct sat_counter *const counters[] = {
	[COUNT_COMMITS] = SAT_COUNTER("commits", .help = "batches that the store took"),
	[COUNT_CONFLICTS] = SAT_COUNTER("conflicts", .help = "records that another had changed meanwhile"),
	[COUNT_STORE_ERRORS] = SAT_COUNTER("store-errors", .help = "batches that the store did not take"),
	[COUNT_STRANGERS] = SAT_COUNTER("strangers", .help = "acts of streams on hosts outside the inventory"),
	[COUNT_WISHES_DROPPED] = SAT_COUNTER("wishes-dropped", .help = "wishes over a limit, or without memory"),
	[COUNT_TURNED_ON] = SAT_COUNTER("turned-on", .help = "hosts that went on"),
	[COUNT_TURNED_OFF] = SAT_COUNTER("turned-off", .help = "hosts that went off"),
	[COUNT_FILE_WRITES] = SAT_COUNTER("file-writes", .help = "times the file was replaced"),
	[COUNT_FILE_ERRORS] = SAT_COUNTER("file-errors", .help = "times it could not be"),
	[COUNT_FILE_REPAIRS] = SAT_COUNTER("file-repairs", .help = "times another had changed it, and it was put back"),
	[COUNT_ORDERS] = SAT_COUNTER("orders", .help = "changes that people asked for"),
	[COUNT_HOSTS] = SAT_COUNTER("hosts", .gauge = true, .help = "hosts of the inventory"),
	[COUNT_HOSTS_ON] = SAT_COUNTER("hosts-on", .gauge = true, .help = "of these, those that get work"),
	[COUNT_HOSTS_DIRTY] = SAT_COUNTER("hosts-dirty", .gauge = true,
		.help = "hosts that wait to be written to the store"),
	[COUNT_HOSTS_HELD] = SAT_COUNTER("hosts-held", .gauge = true,
		.help = "hosts that streams wish on or off, and the guard does not let them"),
	[COUNT_LATCHED] = SAT_COUNTER("latched", .gauge = true, .help = "1: the breaker is, until a person resets it"),
	[COUNT_REAPED] = SAT_COUNTER("events-reaped", .help = "events of checks that are no more"),
	NULL
};

/* ---- How many hosts there are ------------------------------------------- */

static void number(struct whitelist *wl, const char *service, size_t n)
{
	sat_emit(wl->self, .has = SAT_HAS_INT | SAT_HAS_TTL, .service = service, .state = "ok",
		 .metric = { .i = (int64_t)n }, .ttl = 300);
}

/* None before there is an inventory: that nothing is imported yet is no lack of hosts. */
static bool numbers_known(const struct whitelist *wl)
{
	return wl->settled && (wl->n_hosts > 0 || wl->mark >= MARK_IMPORTED);
}

static void numbers(struct sat_alarm *alarm)
{
	struct whitelist *wl = SAT_OWNER(alarm, struct whitelist, numbers);

	wl->numbers_due = false;
	if (numbers_known(wl)) {
		number(wl, "mesos/num-available-hosts", wl->n_hosts);
		number(wl, "mesos/num-hosts-up", wl->n_on);
		sat_emit(wl->self, .has = SAT_HAS_DOUBLE | SAT_HAS_TTL, .service = "mesos/prop-available-hosts",
			 .state = "ok", .ttl = 300,
			 .metric = { .d = wl->n_hosts == 0 ? 0 : (double)wl->n_on / (double)wl->n_hosts });
	}
	sat_alarm_set(wl->self, alarm, sat_clock() + NUMBERS_TIME);
}

void numbers_changed(struct whitelist *wl)
{
	if (wl->numbers_due || wl->stopping || !wl->settled)
		return;
	wl->numbers_due = sat_alarm_set(wl->self, &wl->numbers, sat_clock() + NUMBERS_SETTLE) == 0;
}

/* ---- Life --------------------------------------------------------------- */

static void acting(void *state, bool acts)
{
	struct whitelist *wl = state;

	sat_log(wl->self, LOG_NOTICE, "%s", acts ? "acts from now on" : "acts no longer");
	if (!acts)
		return;
	import_consider(wl);
	decide_anew(wl);
	commit_all(wl);
}

static int agents_judge(struct whitelist *wl, const struct sat_conf *conf)
{
	const char *word = sat_conf_string(conf, "new-agents");

	if (strcmp(word, "on") == 0)
		wl->new_agents = NEW_ON;
	else if (strcmp(word, "off") == 0)
		wl->new_agents = NEW_OFF;
	else if (strcmp(word, "tests") == 0)
		wl->new_agents = NEW_TESTS;
	else
		return sat_conf_error(conf, "new-agents", "\"%s\" is none of on, off, tests", word);
	return 0;
}

static int settings(struct whitelist *wl, const struct sat_conf *conf)
{
	const char *path = sat_conf_string(conf, "path"), *pattern = sat_conf_string(conf, "host-pattern");
	int rc, more;

	wl->silent = sat_conf_time(conf, "silent");
	wl->reap = sat_conf_time(conf, "reap");
	wl->import = sat_conf_boolean(conf, "import");
	rc = agents_judge(wl, conf);
	more = admit_judge(wl, conf);
	rc = rc != 0 ? rc : more;
	more = actuators_judge(wl, conf);
	rc = rc != 0 ? rc : more;
	more = guard_judge(&wl->guard, sat_conf_get(conf, "guard"));
	if (rc != 0 || more != 0)
		return rc != 0 ? rc : more;
	if (pattern != NULL && (wl->host_pattern = strdup(pattern)) == NULL)
		return -ENOMEM;
	if (path != NULL)
		wl->path = strdup(path);
	else if (asprintf(&wl->path, "%s/whitelist", sat_state_dir()) < 0)
		wl->path = NULL;
	if (asprintf(&wl->heard_path, "%s/heard", sat_state_dir()) < 0)
		wl->heard_path = NULL;
	wl->store = strdup(sat_conf_string(conf, "store"));
	if (wl->path == NULL || wl->heard_path == NULL || wl->store == NULL)
		return -ENOMEM;
	if (asprintf(&wl->from_file, "imported from %s", wl->path) < 0)
		wl->from_file = NULL;
	return wl->from_file == NULL ? -ENOMEM : 0;
}

static void alarms_stop(struct whitelist *wl)
{
	import_stop(wl);
	silence_stop(wl);
	sat_alarm_stop(&wl->flush);
	sat_alarm_stop(&wl->file_alarm);
	sat_alarm_stop(&wl->file_look);
	sat_alarm_stop(&wl->numbers);
	sat_alarm_stop(&wl->until);
	sat_alarm_stop(&wl->decide);
	sat_alarm_stop(&wl->actuate);
	wl->until_due = wl->decide_due = 0;	/* the next start sets them again */
	wl->numbers_due = wl->file_deferred = wl->actuate_due = false;
}

/* Streams may have set an alarm where start() never came. */
static void destroy(void *state)
{
	struct whitelist *wl = state;

	alarms_stop(wl);
	hosts_free(wl);
	import_free(wl);
	guard_free(&wl->guard);
	actuators_free(wl);
	free(wl->host_pattern);
	free(wl->path);
	free(wl->heard_path);
	free(wl);
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct whitelist *wl = calloc(1, sizeof(*wl));
	int rc;

	if (wl == NULL)
		return -ENOMEM;
	wl->self = self;
	wl->file_job.wl = wl->heard_job.wl = wl;
	wl->file_job.listed = true;
	wl->numbers.fire = numbers;
	commit_start(wl);
	wishes_start(wl);
	rc = settings(wl, conf);
	wl->link = sat_store_use(self, conf, "store");
	if (rc == 0 && wl->link == NULL)
		rc = -EINVAL;
	if (rc != 0)
		destroy(wl);
	else
		*state = wl;
	return rc;
}

static int start(void *state)
{
	struct whitelist *wl = state;
	int rc = silence_start(wl);

	if (rc == 0)
		rc = import_start(wl);
	if (rc == 0)
		rc = file_start(wl);
	if (rc == 0)
		rc = decide_start(wl);
	if (rc == 0)
		rc = actuators_start(wl);
	if (rc == 0)
		rc = sat_on_acting(wl->self, acting);
	if (rc == 0)
		rc = sat_alarm_set(wl->self, &wl->numbers, sat_clock() + NUMBERS_TIME);
	if (rc == 0)
		rc = hosts_start(wl);
	if (rc != 0)
		alarms_stop(wl);
	return rc;
}

void whitelist_idle(struct whitelist *wl)
{
	if (!wl->stopping || wl->stopped || wl->n_batches > 0 || wl->mark_busy || wl->latch_busy || wl->n_resets > 0 || wl->n_admits > 0 ||
	    wl->file_job.busy || wl->heard_job.busy || wl->import_job.busy)
		return;
	wl->stopped = true;
	sat_stopped(wl->self);
}

static void stop(void *state)
{
	struct whitelist *wl = state;

	wl->stopping = true;
	admit_stop(wl);
	commit_lost(wl);
	silence_save(wl);
	alarms_stop(wl);
	hosts_stop(wl);
	whitelist_idle(wl);
}

SAT_MODULE(whitelist, .name = "whitelist", .version = SAT_VERSION, .summary = "which hosts get work, and why",
	   .options = options, .create = create, .start = start, .stop = stop, .destroy = destroy,
	   .ops = whitelist_ops, .routes = whitelist_routes, .commands = whitelist_commands, .counters = counters);
