/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls - the shapes of a master's v1 API: ids in objects, times in
 * nanoseconds, empty lists left out.
 */
#include <stdio.h>
#include <string.h>

#include "parts.h"

static void put_value(struct out *o, const char *text)
{
	out_raw(o, "{\"value\":");
	out_text(o, text);
	buf_char(o->b, '}');
}

static void put_agent_id(struct out *o, uint32_t index)
{
	out_raw(o, "{\"value\":");
	id_of_agent(o, index);
	buf_char(o->b, '}');
}

static void put_framework_id(struct out *o, uint16_t index)
{
	out_raw(o, "{\"value\":");
	id_of_framework(o, index);
	buf_char(o->b, '}');
}

static void put_nanoseconds(struct out *o, double t)
{
	buf_fmt(o->b, "{\"nanoseconds\":%lld}", (long long)(t * 1e6) * 1000);
}

static void put_scalar(struct out *o, const char *name, double value, const char *role)
{
	buf_fmt(o->b, "{\"name\":\"%s\",\"type\":\"SCALAR\",\"scalar\":"
		"{\"value\":", name);
	out_number(o, value);
	out_raw(o, "},");
	if (role) {
		out_raw(o, "\"allocation_info\":{\"role\":");
		out_text(o, role);
		out_raw(o, "}}");
	} else {
		out_raw(o, "\"role\":\"*\"}");
	}
}

static void put_scalars(struct out *o, struct resources r, const char *role)
{
	put_scalar(o, "cpus", r.cpus / 1000.0, role);
	buf_char(o->b, ',');
	put_scalar(o, "mem", r.mem, role);
	if (r.disk) {
		buf_char(o->b, ',');
		put_scalar(o, "disk", r.disk, role);
	}
}

static void put_range(struct out *o, unsigned int begin, unsigned int end)
{
	buf_fmt(o->b, ",{\"name\":\"ports\",\"type\":\"RANGES\",\"ranges\":"
		"{\"range\":[{\"begin\":%u,\"end\":%u}]},\"role\":\"*\"}",
		begin, end);
}

/* ---- Tasks -------------------------------------------------------------- */

static void task_name(struct out *o, const void *about)
{
	out_text(o, task_app(about));
}

static void task_id(struct out *o, const void *about)
{
	char id[128];

	task_id_text(about, id);
	put_value(o, id);
}

static void task_framework(struct out *o, const void *about)
{
	put_framework_id(o, ((const struct task *)about)->framework);
}

static void task_agent(struct out *o, const void *about)
{
	put_agent_id(o, ((const struct task *)about)->agent);
}

static void task_state(struct out *o, const void *about)
{
	out_text(o, task_state_name(((const struct task *)about)->state));
}

static void task_amounts(struct out *o, const void *about)
{
	const struct task *t = about;

	buf_char(o->b, '[');
	put_scalars(o, task_resources(t),
		    framework_role(&o->v->c->frameworks[t->framework]));
	if (t->port)
		put_range(o, t->port, t->port);
	buf_char(o->b, ']');
}

static double task_last_change(const struct task *t)
{
	if (t->ended > 0)
		return t->ended;
	return t->running > 0 ? t->running :
		t->started > 0 ? t->started : t->staged;
}

/* "SOURCE_AGENT", "REASON_…": 0.2x and the metrics still say slave. */
static void put_cause(struct out *o, const struct task *t)
{
	static const char *const sources[TASK_CAUSES] = {
		"EXECUTOR", "EXECUTOR", "AGENT", "MASTER",
	};
	static const char *const reasons[TASK_CAUSES] = {
		NULL, "COMMAND_EXECUTOR_FAILED", "CONTAINER_LAUNCH_FAILED",
		"AGENT_REMOVED",
	};

	buf_fmt(o->b, ",\"source\":\"SOURCE_%s\"", sources[t->cause]);
	if (reasons[t->cause])
		buf_fmt(o->b, ",\"reason\":\"REASON_%s\"", reasons[t->cause]);
	if (t->state == TASK_FAILED)
		out_raw(o, t->cause == CAUSE_LAUNCH ?
			",\"message\":\"Failed to launch container\"" :
			",\"message\":\"Command exited with status 1\"");
}

static void put_status(struct out *o, const void *about)
{
	const struct task *t = about;
	const struct agent *a = &o->v->c->agents[t->agent];

	out_raw(o, "{\"task_id\":");
	task_id(o, t);
	out_raw(o, ",\"state\":");
	task_state(o, t);
	put_cause(o, t);
	out_raw(o, ",\"agent_id\":");
	put_agent_id(o, t->agent);
	out_raw(o, ",\"executor_id\":");
	task_id(o, t);
	buf_fmt(o->b, ",\"timestamp\":%.6f,\"uuid\":\"", task_last_change(t));
	buf_fmt(o->b, "%016llx%04x==\",\"container_status\":{",
		(unsigned long long)mix(t->serial, t->state), t->state);
	buf_fmt(o->b, "\"network_infos\":[{\"ip_addresses\":[{\"ip_address\":"
		"\"10.%u.%u.%u\"}]}]}}", a->index >> 16 & 255,
		a->index >> 8 & 255, a->index & 255);
}

static void task_statuses(struct out *o, const void *about)
{
	buf_char(o->b, '[');
	if (((const struct task *)about)->state != TASK_STAGING)
		put_status(o, about);
	buf_char(o->b, ']');
}

static void task_labels(struct out *o, const void *about)
{
	const struct task *t = about;

	buf_fmt(o->b, "{\"labels\":[{\"key\":\"team\",\"value\":\"team%02u\"},"
		"{\"key\":\"DCOS_SPACE\",\"value\":",
		(unsigned int)(t->serial % 37));
	out_fmt(o, "/%s", task_app(t));
	out_raw(o, "}]}");
}

SHAPE(shape_task,
	{ "name", .leaf = task_name },
	{ "task_id", .leaf = task_id },
	{ "framework_id", .leaf = task_framework },
	{ "agent_id", .leaf = task_agent },
	{ "state", .leaf = task_state },
	{ "resources", .leaf = task_amounts },
	{ "statuses", .leaf = task_statuses },
	{ "labels", .leaf = task_labels },
);

static const void *task_of_all(const struct view *v, size_t i, bool done)
{
	size_t f;

	for (f = 0; f < v->s->n_frameworks; f++) {
		const struct framework *fw = &v->s->frameworks[f];
		size_t n = done ? fw->n_done : fw->n_tasks;

		if (i < n)
			return done ? framework_done(fw, i) : &fw->tasks[i];
		i -= n;
	}
	return NULL;
}

static const void *running_task(const struct view *v, const void *about, size_t i)
{
	(void)about;
	return task_of_all(v, i, false);
}

static const void *completed_task(const struct view *v, const void *about, size_t i)
{
	(void)about;
	return task_of_all(v, i, true);
}

SHAPE(shape_tasks,
	{ "tasks", .of = &shape_task, .item = running_task, .sparse = true },
	{ "completed_tasks", .of = &shape_task, .item = completed_task,
		.sparse = true },
);

/* ---- Frameworks --------------------------------------------------------- */

static void framework_info(struct out *o, const void *about)
{
	const struct framework *f = about;
	bool many = f->multi_role && o->v->version >= 103;

	out_raw(o, "{\"user\":\"root\",\"name\":");
	out_text(o, f->name);
	out_raw(o, ",\"id\":");
	put_framework_id(o, f->index);
	out_raw(o, ",\"failover_timeout\":604800.0,\"checkpoint\":true,");
	out_raw(o, many ? "\"roles\":[" : "\"role\":");
	out_text(o, framework_role(f));
	out_raw(o, many ? ",\"dev\"]," : ",");
	buf_fmt(o->b, "\"hostname\":\"sched%02u.example.com\",\"webui_url\":",
		f->index);
	out_fmt(o, "http://sched%02u.example.com:8080", f->index);
	out_raw(o, ",\"capabilities\":[{\"type\":\"TASK_KILLING_STATE\"}");
	out_raw(o, many ? ",{\"type\":\"MULTI_ROLE\"}]}" : "]}");
}

static void framework_registered(struct out *o, const void *about)
{
	put_nanoseconds(o, ((const struct framework *)about)->registered_time);
}

SHAPE(shape_framework,
	{ "framework_info", .leaf = framework_info },
	{ "active", .leaf = put_true },
	{ "connected", .leaf = put_true },
	{ "recovered", 102, .leaf = put_false },
	{ "registered_time", .leaf = framework_registered },
	{ "reregistered_time", .leaf = framework_registered },
);

SHAPE(shape_frameworks,
	{ "frameworks", .of = &shape_framework, .item = each_framework,
		.sparse = true },
	{ "completed_frameworks", .of = &shape_framework,
		.item = each_completed_framework, .sparse = true },
);

/* ---- Agents ------------------------------------------------------------- */

static void agent_total_list(struct out *o, const void *about)
{
	buf_char(o->b, '[');
	put_scalars(o, agent_total(o->v, about), NULL);
	put_range(o, FIRST_PORT, FIRST_PORT + PORTS - 1);
	buf_char(o->b, ']');
}

static void agent_info(struct out *o, const void *about)
{
	const struct agent *a = about;

	out_raw(o, "{\"hostname\":");
	out_text(o, a->host);
	buf_fmt(o->b, ",\"port\":%d,\"resources\":", a->port);
	agent_total_list(o, a);
	buf_fmt(o->b, ",\"attributes\":[{\"name\":\"rack\",\"type\":\"TEXT\","
		"\"text\":{\"value\":\"r%03u\"}},{\"name\":\"number\",\"type\":"
		"\"SCALAR\",\"scalar\":{\"value\":%u.0}}],\"id\":",
		a->index / 40, a->index);
	put_agent_id(o, a->index);
	buf_char(o->b, '}');
}

static void agent_registered(struct out *o, const void *about)
{
	put_nanoseconds(o, ((const struct agent *)about)->registered_time);
}

static void agent_reregistered(struct out *o, const void *about)
{
	put_nanoseconds(o, ((const struct agent *)about)->reregistered_time);
}

static bool agent_is_used(const struct view *v, const void *about)
{
	(void)v;
	return ((const struct agent *)about)->tasks > 0;
}

static void agent_allocated(struct out *o, const void *about)
{
	const struct agent *a = about;

	buf_char(o->b, '[');
	put_scalars(o, (struct resources){ a->cpus_used,
		    (uint32_t)a->mem_used, (uint32_t)a->disk_used }, "*");
	buf_char(o->b, ']');
}

static void agent_capabilities(struct out *o, const void *about)
{
	(void)about;
	buf_fmt(o->b, "[{\"type\":\"MULTI_ROLE\"}%s]",
		o->v->version >= 109 ? ",{\"type\":\"AGENT_DRAINING\"}" : "");
}

static void agent_drain_start(struct out *o, const void *about)
{
	put_nanoseconds(o, ((const struct agent *)about)->drain_time);
}

SHAPE(shape_agent,
	{ "agent_info", .leaf = agent_info },
	{ "active", .leaf = put_agent_active },
	{ "deactivated", 109, .leaf = put_agent_deactivated },
	{ "drain_info", 109, .leaf = put_drain_info, .has = agent_drains },
	{ "estimated_drain_start_time", 109, .leaf = agent_drain_start,
		.has = agent_drains },
	{ "version", .leaf = put_version },
	{ "pid", .leaf = put_agent_pid },
	{ "registered_time", .leaf = agent_registered },
	{ "reregistered_time", .leaf = agent_reregistered,
		.has = agent_was_reregistered },
	{ "total_resources", .leaf = agent_total_list },
	{ "allocated_resources", .leaf = agent_allocated,
		.has = agent_is_used },
	{ "capabilities", 103, .leaf = agent_capabilities },
);

SHAPE(shape_agents,
	{ "agents", .of = &shape_agent, .item = each_agent,
		.sparse = true },
);

/* ---- Calls -------------------------------------------------------------- */

SHAPE(shape_state,
	{ "get_tasks", .of = &shape_tasks },
	{ "get_executors", .leaf = put_object },
	{ "get_frameworks", .of = &shape_frameworks },
	{ "get_agents", .of = &shape_agents },
);

static void heartbeat_seconds(struct out *o, const void *about)
{
	(void)about;
	out_number(o, o->v->c->heartbeat);
}

SHAPE(shape_subscribed,
	{ "get_state", .of = &shape_state },
	{ "heartbeat_interval_seconds", 103, .leaf = heartbeat_seconds },
);

static void master_info_text(struct out *o, const void *about)
{
	(void)about;
	out_raw(o, "{\"id\":");
	out_text(o, o->v->me->id);
	buf_fmt(o->b, ",\"ip\":16777343,\"port\":%d,\"hostname\":",
		o->v->me->port);
	out_text(o, o->v->me->host);
	out_raw(o, ",\"pid\":");
	out_fmt(o, "master@%s:%d", o->v->me->host, o->v->me->port);
	out_raw(o, ",\"version\":");
	out_text(o, o->v->c->version_text);
	buf_char(o->b, '}');
}

SHAPE(shape_master,
	{ "master_info", .leaf = master_info_text },
);

static void version_info(struct out *o, const void *about)
{
	(void)about;
	answer_version(o);
}

SHAPE(shape_version,
	{ "version_info", .leaf = version_info },
);

SHAPE(shape_health,
	{ "healthy", .leaf = put_true },
);

/* {"type":"X","x":{…}} */
#define CALL(name, key, shape) \
	static void \
	type_of_##name(struct out *o, const void *about) \
	{ \
		(void)about; \
		out_raw(o, "\"" #name "\""); \
	} \
	SHAPE(call_##name, \
		{ "type", .leaf = type_of_##name }, \
		{ key, .of = &shape }, \
	)

CALL(GET_STATE, "get_state", shape_state);
CALL(GET_AGENTS, "get_agents", shape_agents);
CALL(GET_FRAMEWORKS, "get_frameworks", shape_frameworks);
CALL(GET_TASKS, "get_tasks", shape_tasks);
CALL(GET_MASTER, "get_master", shape_master);
CALL(GET_VERSION, "get_version", shape_version);
CALL(GET_HEALTH, "get_health", shape_health);
CALL(SUBSCRIBED, "subscribed", shape_subscribed);

static const struct {
	const char *type;
	struct shape *shape;
} calls[] = {
	{ "GET_STATE", &call_GET_STATE },
	{ "GET_AGENTS", &call_GET_AGENTS },
	{ "GET_FRAMEWORKS", &call_GET_FRAMEWORKS },
	{ "GET_TASKS", &call_GET_TASKS },
	{ "GET_MASTER", &call_GET_MASTER },
	{ "GET_VERSION", &call_GET_VERSION },
	{ "GET_HEALTH", &call_GET_HEALTH },
	{ "SUBSCRIBED", &call_SUBSCRIBED },
};

struct shape *answer_call(const char *type)
{
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].type, type))
			return calls[i].shape;
	return NULL;
}

/* ---- Events ------------------------------------------------------------- */

static void task_updated(struct out *o, const struct task *t)
{
	out_raw(o, "{\"framework_id\":");
	put_framework_id(o, t->framework);
	out_raw(o, ",\"status\":");
	put_status(o, t);
	out_raw(o, ",\"state\":");
	task_state(o, t);
	buf_char(o->b, '}');
}

static void wrapped(struct out *o, const char *key, struct shape *shape, const void *about)
{
	buf_fmt(o->b, "{\"%s\":", key);
	shape_put(o, shape, about);
	buf_char(o->b, '}');
}

static void put_about(struct out *o, enum cluster_event ev, const void *about)
{
	switch (ev) {
	case EV_TASK_ADDED:
		wrapped(o, "task", &shape_task, about);
		break;
	case EV_TASK_UPDATED:
		task_updated(o, about);
		break;
	case EV_AGENT_ADDED:
		wrapped(o, "agent", &shape_agent, about);
		break;
	case EV_AGENT_REMOVED:
		out_raw(o, "{\"agent_id\":");
		put_agent_id(o, ((const struct agent *)about)->index);
		buf_char(o->b, '}');
		break;
	case EV_FRAMEWORK_ADDED:
	case EV_FRAMEWORK_UPDATED:
		wrapped(o, "framework", &shape_framework, about);
		break;
	case EV_FRAMEWORK_REMOVED:
		out_raw(o, "{\"framework_info\":");
		framework_info(o, about);
		buf_char(o->b, '}');
		break;
	}
}

void answer_event(struct out *o, enum cluster_event ev, const void *about)
{
	static const char *const names[][2] = {
		[EV_TASK_ADDED] = { "TASK_ADDED", "task_added" },
		[EV_TASK_UPDATED] = { "TASK_UPDATED", "task_updated" },
		[EV_AGENT_ADDED] = { "AGENT_ADDED", "agent_added" },
		[EV_AGENT_REMOVED] = { "AGENT_REMOVED", "agent_removed" },
		[EV_FRAMEWORK_ADDED] = { "FRAMEWORK_ADDED", "framework_added" },
		[EV_FRAMEWORK_UPDATED] = { "FRAMEWORK_UPDATED",
			"framework_updated" },
		[EV_FRAMEWORK_REMOVED] = { "FRAMEWORK_REMOVED",
			"framework_removed" },
	};

	buf_fmt(o->b, "{\"type\":\"%s\",\"%s\":", names[ev][0], names[ev][1]);
	put_about(o, ev, about);
	buf_char(o->b, '}');
}

void calls_prepare(int version)
{
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		shape_prepare(calls[i].shape, version);
}
