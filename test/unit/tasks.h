/* SPDX-License-Identifier: Apache-2.0 */
/* tasks.h - a whole host that keeps records of tasks, and who asks it for one. */
#ifndef UNIT_TASKS_H
#define UNIT_TASKS_H

#include "unit/host.h"

#include "../../modules/tasks/tasks.h"

static char *answer;
static int status;

static void reply(void *conn, int code, const char *type, const void *body, size_t len, const char *const *extra)
{
	(void)conn;
	(void)type;
	(void)extra;
	free(answer);
	answer = strndup(body, len);
	status = code;
}

static const struct sat_http_server door = { .size = sizeof(door), .reply = reply };

static bool answered(void)
{
	return status != 0;
}

/* The status; 0: it was not taken. */
static int ask(const char *path, const char *query)
{
	const struct sat_http_head head = { .size = sizeof(head), .method = "GET", .path = path, .query = query,
		.peer = "here" };
	void *req;

	status = 0;
	if (http_request(&door, &status, &head, &req) != 0)
		return 0;
	assert_true(host_until(answered, 10000));
	return status;
}

/* What has ended, as mesos-master says it.  time 0: the event has none. */
static void published(const char *task, const char *state, int64_t time, bool past)
{
	const struct sat_attr attrs[] = { { "framework", "f" }, { "framework-id", "f-1" }, { "task", task } };
	const struct sat_event ev = { .size = sizeof(ev), .has = time != 0 ? SAT_HAS_TIME : 0, .host = "h",
		.service = "mesos/tasks", .state = state, .description = "a \"message\"", .time = time, .attrs = attrs,
		.n_attrs = task != NULL ? 3 : 2, .tags = (const char *const[]){ "past" }, .n_tags = past };
	const struct sat_event *const evs[] = { &ev };

	sat_publish(&self_host, "mesos/tasks", &(struct sat_item){ .evs = evs, .n = 1 }, false);
}

static int64_t counted(unsigned which)
{
	return sat_counted(&setup_find(life_setup(), "tasks")->self, which);
}

static void forget_file(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s/tasks.db* %s/state", host_folder, host_folder);
	assert_int_equal(system(command), 0);
	free(answer);
	answer = NULL;
}

#endif
