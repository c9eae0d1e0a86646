/* SPDX-License-Identifier: Apache-2.0 */
/* mesos-master - observes the Mesos master beside which this process runs: settings and life. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mesos.h"
#include "poll.h"

static const struct sat_option *const options[] = {
	SAT_OPTION("url", SAT_STRING, .help = "the Mesos master beside this process; default: http://localhost:5050"),
	SAT_OPTION("masters", SAT_STRINGS, .help = "all Mesos masters, or zk://…, their ZooKeeper: the one that leads is observed"),
	SAT_OPTION("host", SAT_STRING, .help = "host of its events; default: this host"),
	SAT_OPTION("interval", SAT_SECONDS, .fallback = "60", .min = 0.1, .max = 86400,
		   .help = "between its figures as events; at most one state in this time"),
	SAT_OPTION("leader-interval", SAT_SECONDS, .fallback = "1", .min = 0.1, .max = 60,
		   .help = "between two looks at who leads"),
	SAT_OPTION("timeout", SAT_SECONDS, .fallback = "60", .min = 0.1, .max = 3600,
		   .help = "for a whole answer"),
	SAT_FETCH_OPTIONS("the master's"),
	SAT_OPTION("subscribe", SAT_BOOLEAN, .fallback = "true",
		   .help = "follow the master's v1 stream, where it has one"),
	SAT_OPTION("max-state", SAT_INTEGER, .fallback = "2000000000", .min = 1024, .max = 1e12,
		   .help = "bytes of a state, beyond which it is not believed"),
	SAT_OPTION("attributes", SAT_STRINGS, .help = "attributes of agents that mesos_slave_attributes has"),
	NULL,
};

static const struct sat_counter *const counters[] = {
	[COUNT_REQUESTS] = SAT_COUNTER("requests", .help = "requests to the Mesos master"),
	[COUNT_FAILURES] = SAT_COUNTER("failures", .help = "requests that failed, or gave nonsense"),
	[COUNT_BYTES] = SAT_COUNTER("bytes", .help = "bytes of its answers"),
	[COUNT_STATES] = SAT_COUNTER("states", .help = "times the whole state was asked for"),
	[COUNT_LEFT_OUT] = SAT_COUNTER("left-out",
		.help = "agents, frameworks and tasks without a legal name, or too many"),
	[GAUGE_BYTES_PER_MINUTE] = SAT_COUNTER("bytes-per-minute", .gauge = true,
		.help = "bytes of its answers in the last minute"),
	[GAUGE_AGENTS] = SAT_COUNTER("agents", .gauge = true, .help = "agents that are registered"),
	[GAUGE_TASKS] = SAT_COUNTER("tasks", .gauge = true, .help = "tasks that are kept, ended ones too"),
	[GAUGE_TEXT] = SAT_COUNTER("text-bytes", .gauge = true, .help = "bytes of ids and names that are kept"),
	[GAUGE_LEADS] = SAT_COUNTER("leads", .gauge = true, .help = "whether the Mesos master leads"),
	[GAUGE_SNAPSHOT_SUCCESS] = SAT_COUNTER("snapshot-last-success", .gauge = true,
		.help = "time of the last figures, in seconds since 1970"),
	[GAUGE_STATE_SUCCESS] = SAT_COUNTER("state-last-success", .gauge = true,
		.help = "time of the last state, in seconds since 1970"),
	[COUNT_STREAMS] = SAT_COUNTER("streams", .help = "times the stream of changes was begun"),
	[GAUGE_REQUESTS_PER_MINUTE] = SAT_COUNTER("requests-per-minute", .gauge = true,
		.help = "requests in the last minute"),
	[GAUGE_LONGEST] = SAT_COUNTER("longest-request", .gauge = true,
		.help = "microseconds that the longest answer of the last minute took"),
	[GAUGE_STREAM_SUCCESS] = SAT_COUNTER("stream-last-success", .gauge = true,
		.help = "time of the last that came of the stream of changes, in seconds since 1970"),
	[GAUGE_AGENTS_SUCCESS] = SAT_COUNTER("agents-last-success", .gauge = true,
		.help = "time of the last answer with the agents alone, in seconds since 1970"),
	[GAUGE_MAINTENANCE_SUCCESS] = SAT_COUNTER("maintenance-last-success", .gauge = true,
		.help = "time of the last maintenance status, in seconds since 1970"),
	NULL,
};

static int copy(char **to, const struct sat_conf *conf, const char *name)
{
	const char *text = sat_conf_string(conf, name);

	if (text == NULL)
		return 0;
	*to = strdup(text);
	return *to != NULL ? 0 : -ENOMEM;
}

static void destroy(void *state)
{
	struct mesos *m = state;

	model_free(&m->model);
	model_free(&m->grave);
	reader_free(&m->reader);
	maintain_free(m);
	figures_drop(m);
	masters_free(m);
	free(m->host);
	free(m);
}

/* Every mistake is reported, not the first alone. */
static int judge(struct mesos *m, const struct sat_conf *conf)
{
	int rc = masters_settings(m, conf);
	size_t n;

	if (sat_fetch_settings(conf, &m->how) != 0)
		rc = -EINVAL;
	if (sat_conf_strings(conf, "attributes", &n) != NULL && n > MESOS_ATTRIBUTES)
		rc = sat_conf_error(conf, "attributes", "has more than %d names", MESOS_ATTRIBUTES);
	if (m->leader_interval > m->interval)
		rc = sat_conf_error(conf, "leader-interval", "is longer than interval");
	return rc != 0 ? rc : sat_need(m->self, conf, "http-client");
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct mesos *m = calloc(1, sizeof(*m));
	int rc;

	if (m == NULL)
		return -ENOMEM;
	m->self = self;
	rc = copy(&m->host, conf, "host");
	if (rc != 0)
		goto fail;
	m->interval = sat_conf_time(conf, "interval");
	m->leader_interval = sat_conf_time(conf, "leader-interval");
	m->attributes = sat_conf_strings(conf, "attributes", NULL);
	m->max_state = (uint64_t)sat_conf_integer(conf, "max-state");
	m->subscribe = sat_conf_boolean(conf, "subscribe");
	m->ttl = 3 * (double)m->interval / SAT_SECOND;
	rc = judge(m, conf);
	if (rc != 0)
		goto fail;
	poll_init(m, sat_conf_time(conf, "timeout"));
	rc = leader_init(m);
	if (rc != 0)
		goto fail;
	*state = m;
	return 0;
fail:
	destroy(m);
	return rc;
}

static int start(void *state)
{
	int rc = named_start(state);

	rc = rc != 0 ? rc : past_start(state);
	return rc != 0 ? rc : poll_start(state);
}

static void stop(void *state)
{
	poll_stop(state);
}

SAT_MODULE(mesos_master,
	.name = "mesos-master", .version = SAT_VERSION, .summary = "observes a Mesos master",
	.options = options, .counters = counters, .series = figures_tell,
	.create = create, .start = start, .stop = stop, .destroy = destroy);
