/* SPDX-License-Identifier: Apache-2.0 */
/* tasks - its settings and life, and where records come from: a topic, and the operator keep-task. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tasks.h"

/* ---- Where they come from ----------------------------------------------- */

static void heard(void *state, const char *topic, const struct sat_item *item)
{
	(void)topic;
	for (uint32_t i = 0; i < item->n; i++)
		keep_event(state, item->evs[i]);
}

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)conf;
	*def = module;
	return 0;
}

static int item(const struct sat_at *at, void *def, void *state, const struct sat_item *items)
{
	(void)state;
	if (sat_shown(at, "keep-task", NULL, items))
		return 0;
	for (uint32_t i = 0; i < items->n; i++) {
		int rc = keep_event(def, items->evs[i]);

		if (rc == -EINVAL)
			return sat_fail(at, rc, "keep-task: the event has no attribute task, or one over 1024 bytes");
	}
	return 0;	/* what is dropped is counted, and logged */
}

static const struct sat_op keep_task = {
	.size = sizeof(keep_task), .name = "keep-task", .summary = "keep how a task ended, if the event says that",
	.define = define, .item = item,
};

/* ---- Life --------------------------------------------------------------- */

static const struct sat_option *const options[] = {
	SAT_OPTION("path", SAT_STRING, .fallback = "tasks.db", .help = "the file, under state-dir unless it begins with /"),
	SAT_OPTION("keep-days", SAT_NUMBER, .fallback = "30", .min = 0.00001, .max = 36500,
		   .help = "days after which a record goes"),
	SAT_OPTION("max-tasks", SAT_INTEGER, .fallback = "1000000", .min = 1, .max = 1e9,
		   .help = "records there may be; the oldest go first"),
	SAT_OPTION("max-bytes", SAT_INTEGER, .fallback = "536870912", .min = 1048576, .max = 1e15,
		   .help = "bytes they may take; the oldest go first"),
	SAT_OPTION("queue", SAT_INTEGER, .fallback = "20000", .min = 1, .max = 1e6,
		   .help = "records that may wait to be written"),
	SAT_OPTION("riak", SAT_GROUP, .inner = riak_options, .help = "another store that is to have the records, too"),
	NULL
};

static const struct sat_counter *const counters[] = {
	[COUNT_KEPT] = SAT_COUNTER("kept", .help = "records written"),
	[COUNT_DROPPED] = SAT_COUNTER("dropped", .help = "records lost: too many waited, or there was no memory"),
	[COUNT_REFUSED] = SAT_COUNTER("refused", .help = "events that do not say of which task they are"),
	[COUNT_REMOVED] = SAT_COUNTER("removed", .help = "records that went by age or size"),
	[COUNT_ERRORS] = SAT_COUNTER("errors", .help = "times records could not be written"),
	[COUNT_WAITING] = SAT_COUNTER("waiting", .gauge = true, .help = "records not written yet"),
	[COUNT_TASKS] = SAT_COUNTER("records", .gauge = true, .help = "tasks that are kept"),
	[COUNT_BYTES] = SAT_COUNTER("bytes", .gauge = true, .help = "bytes of the file that are in use"),
	[COUNT_SENT] = SAT_COUNTER("riak-sent", .help = "records that riak took"),
	[COUNT_UNSENT] = SAT_COUNTER("riak-unsent", .gauge = true, .help = "records that wait for riak"),
	[COUNT_SKIPPED] = SAT_COUNTER("riak-dropped", .help = "records that are not sent: too many waited for riak"),
	[COUNT_NOT_TAKEN] = SAT_COUNTER("riak-refused", .help = "records that riak did not take"),
	[COUNT_RIAK_ERRORS] = SAT_COUNTER("riak-errors", .help = "requests to riak that failed"),
	NULL
};

static void destroy(void *state)
{
	struct tasks *t = state;

	riak_free(t->riak);
	db_close(&t->db);
	records_free(t->waiting);
	free(t->db.path);
	free(t);
}

static int make_riak(struct tasks *t, const struct sat_conf *group)
{
	int rc = group != NULL ? riak_new(t, group, &t->riak) : 0;

	if (rc == 0 && group != NULL)
		t->db.max_unsent = sat_conf_integer(group, "queue");
	return rc;
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct tasks *t = calloc(1, sizeof(*t));
	const char *path = sat_conf_string(conf, "path");
	int rc;

	if (t == NULL)
		return -ENOMEM;
	t->self = self;
	t->waiting_end = &t->waiting;
	t->max_waiting = (unsigned)sat_conf_integer(conf, "queue");
	t->db.keep = (int64_t)(sat_conf_number(conf, "keep-days") * 86400 * SAT_SECOND);
	t->db.max_tasks = sat_conf_integer(conf, "max-tasks");
	t->db.max_bytes = sat_conf_integer(conf, "max-bytes");
	if (*path == '\0' || strlen(path) > 3000) {
		free(t);
		return sat_conf_error(conf, "path", "is no path of a file");
	}
	if (asprintf(&t->db.path, "%s%s%s", *path == '/' ? "" : sat_state_dir(), *path == '/' ? "" : "/", path) < 0) {
		free(t);
		return -ENOMEM;
	}
	rc = make_riak(t, sat_conf_get(conf, "riak"));
	if (rc == 0)
		*state = t;
	else
		destroy(t);
	return rc;
}

static void acting(void *state, bool acts)
{
	struct tasks *t = state;

	(void)acts;
	riak_acting(t->riak);
}

static int start(void *state)
{
	struct tasks *t = state;
	int rc = sat_subscribe(t->self, "mesos/tasks", heard);

	if (rc == 0)	/* who knows of some is to tell them anew */
		rc = sat_publish(t->self, "mesos/tasks/wanted", &(struct sat_item){ .list = true }, false);
	if (rc == 0 && t->riak != NULL)
		rc = sat_on_acting(t->self, acting);
	if (rc == 0)
		keep_begin(t);
	return rc;
}

static void stop(void *state)
{
	keep_end(state);
}

SAT_MODULE(tasks, .name = "tasks", .version = SAT_VERSION, .summary = "how every task ended, past Mesos' own memory",
	   .options = options, .create = create, .start = start, .stop = stop, .destroy = destroy,
	   .ops = (const struct sat_op *const[]){ &keep_task, NULL },
	   .routes = ask_routes, .commands = ask_commands, .counters = counters);
