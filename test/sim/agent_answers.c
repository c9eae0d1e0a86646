/* SPDX-License-Identifier: Apache-2.0 */
/* agent_answers - what the endpoints of an agent say. */
#include "objects.h"

static const void *agent_task(const struct view *v, const void *about, size_t i)
{
	const struct agent *a = about;
	size_t f, k;

	for (f = 0; f < v->s->n_frameworks; f++)
		for (k = 0; k < v->s->frameworks[f].n_tasks; k++)
			if (v->s->frameworks[f].tasks[k].agent == a->index &&
			    i-- == 0)
				return &v->s->frameworks[f].tasks[k];
	return NULL;
}

static void executor_id(struct out *o, const void *t)
{
	id_of_task(o, t);
}

static void executor_name(struct out *o, const void *about)
{
	char id[128];

	task_id_text(about, id);
	out_fmt(o, "Command Executor (Task: %s) (Command: sh -c 'sleep 100')",
		id);
}

static const void *executor_task(const struct view *v, const void *about, size_t i)
{
	(void)v;
	return i == 0 ? about : NULL;
}

static void executor_limits(struct out *o, const void *about)
{
	const struct task *t = about;
	struct resources r = task_resources(t);

	out_raw(o, "{\"cpus_limit\":");
	out_number(o, r.cpus / 1000.0 + 0.1);
	out_raw(o, ",\"cpus_system_time_secs\":");
	out_number(o, (double)(t->serial % 97) / 10);
	out_raw(o, ",\"cpus_user_time_secs\":");
	out_number(o, (double)(t->serial % 89) / 5);
	out_raw(o, ",\"mem_limit_bytes\":");
	out_number(o, (r.mem + 32.0) * 1048576);
	out_raw(o, ",\"mem_rss_bytes\":");
	out_number(o, r.mem * 524288.0);
	out_raw(o, ",\"timestamp\":");
	out_time(o, now_seconds());
	buf_char(o->b, '}');
}

SHAPE(shape_executor,
	{ "id", .leaf = executor_id },
	{ "name", .leaf = executor_name },
	{ "source", .leaf = executor_id },
	{ "container", .leaf = executor_id },
	{ "directory", .leaf = put_log_dir },
	{ "resources", .leaf = task_amounts },
	{ "tasks", .of = &state_task, .item = executor_task },
	{ "queued_tasks", .leaf = put_list },
	{ "completed_tasks", .leaf = put_list },
);

/* An agent's frameworks are shown as one, which runs all its tasks. */
SHAPE(shape_agent_framework,
	{ "id", .leaf = put_empty },
	{ "name", .leaf = put_cluster },
	{ "user", .leaf = put_user },
	{ "failover_timeout", .leaf = framework_failover },
	{ "checkpoint", .leaf = put_true },
	{ "role", .leaf = put_cluster },
	{ "executors", .of = &shape_executor, .item = agent_task },
	{ "completed_executors", .leaf = put_list },
);

static const void *agent_framework(const struct view *v, const void *about, size_t i)
{
	(void)v;
	return i == 0 ? about : NULL;
}

SHAPE(shape_agent_state,
	{ "version", .leaf = put_version },
	{ "git_sha", .leaf = put_git_sha },
	{ "build_date", .leaf = put_build_date },
	{ "build_time", .leaf = put_build_time },
	{ "build_user", .leaf = put_user },
	{ "start_time", .leaf = slave_registered },
	{ "id", .leaf = slave_id },
	{ "pid", .leaf = put_agent_pid },
	{ "hostname", .leaf = slave_hostname },
	{ "capabilities", 103, .leaf = slave_capabilities },
	{ "resources", .leaf = slave_resources },
	{ "reserved_resources", 100, .leaf = slave_reserved },
	{ "unreserved_resources", 100, .leaf = slave_unreserved },
	{ "attributes", .leaf = slave_attributes },
	{ "master_hostname", .leaf = put_hostname },
	{ "log_dir", .leaf = put_log_dir },
	{ "flags", .leaf = put_object },
	{ "frameworks", .of = &shape_agent_framework,
		.item = agent_framework },
	{ "completed_frameworks", .leaf = put_list },
);

SHAPE(shape_statistics,
	{ "executor_id", .leaf = executor_id },
	{ "executor_name", .leaf = executor_name },
	{ "framework_id", .leaf = task_framework },
	{ "source", .leaf = executor_id },
	{ "statistics", .leaf = executor_limits },
);

void agent_state(struct out *o, const struct agent *a)
{
	shape_put(o, &shape_agent_state, a);
}

void agent_statistics(struct out *o, const struct agent *a)
{
	const void *t;
	size_t i;

	buf_char(o->b, '[');
	for (i = 0; (t = agent_task(o->v, a, i)) != NULL; i++) {
		if (i)
			buf_char(o->b, ',');
		shape_put(o, &shape_statistics, t);
	}
	buf_char(o->b, ']');
}

void agent_prepare(int version)
{
	shape_prepare(&shape_agent_state, version);
	shape_prepare(&shape_statistics, version);
}
