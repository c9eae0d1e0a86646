/* SPDX-License-Identifier: Apache-2.0 */
/* objects - agents, frameworks and tasks, as unversioned endpoints show them. */
#include "objects.h"

/* ---- Resources ---------------------------------------------------------- */

static void put_amounts(struct out *o, struct resources r, double gpus)
{
	out_raw(o, "{\"cpus\":");
	out_number(o, r.cpus / 1000.0);
	out_raw(o, ",\"disk\":");
	out_number(o, r.disk);
	if (o->v->version >= 100) {
		out_raw(o, ",\"gpus\":");
		out_number(o, gpus);
	}
	out_raw(o, ",\"mem\":");
	out_number(o, r.mem);
}

void put_none(struct out *o, const void *about)
{
	(void)about;
	put_amounts(o, (struct resources){ 0, 0, 0 }, 0);
	buf_char(o->b, '}');
}

static bool port_used(const struct agent *a, int i)
{
	return i < PORTS && (a->ports[i / 64] >> i % 64 & 1);
}

static void put_used_ports(struct out *o, const struct agent *a)
{
	int i, first;
	bool any = false;

	for (i = 0; i < PORTS; i++) {
		if (!port_used(a, i))
			continue;
		for (first = i; port_used(a, i + 1); i++)
			;
		buf_fmt(o->b, "%s%d-%d", any ? ", " : ",\"ports\":\"[",
			FIRST_PORT + first, FIRST_PORT + i);
		any = true;
	}
	if (any)
		out_raw(o, "]\"");
}

void slave_used(struct out *o, const void *about)
{
	const struct agent *a = about;

	put_amounts(o, (struct resources){ a->cpus_used,
		    (uint32_t)a->mem_used, (uint32_t)a->disk_used }, 0);
	put_used_ports(o, a);
	buf_char(o->b, '}');
}

static void put_with_ports(struct out *o, struct resources r, double gpus)
{
	put_amounts(o, r, gpus);
	out_raw(o, ",\"ports\":\"[31000-32023]\"}");
}

void slave_resources(struct out *o, const void *about)
{
	put_with_ports(o, agent_total(o->v, about),
		       agent_has_gpus(about) ? 8 : 0);
}

static struct resources half(struct resources r)
{
	return (struct resources){ r.cpus / 2, r.mem / 2, r.disk / 2 };
}

void slave_unreserved(struct out *o, const void *about)
{
	struct resources r = agent_total(o->v, about);

	put_with_ports(o, agent_reserved_role(about) ? half(r) : r,
		       agent_has_gpus(about) ? 8 : 0);
}

void slave_reserved(struct out *o, const void *about)
{
	const char *role = agent_reserved_role(about);

	buf_char(o->b, '{');
	if (role) {
		out_text(o, role);
		buf_char(o->b, ':');
		put_amounts(o, half(agent_total(o->v, about)), 0);
		buf_char(o->b, '}');
	}
	buf_char(o->b, '}');
}

/* ---- Tasks -------------------------------------------------------------- */

static const struct agent *agent_of(const struct out *o, const struct task *t)
{
	return &o->v->s->agents[t->agent];
}

static void task_id(struct out *o, const void *t)
{
	id_of_task(o, t);
}

static void task_name(struct out *o, const void *about)
{
	out_text(o, task_app(about));
}

void task_framework(struct out *o, const void *about)
{
	id_of_framework(o, ((const struct task *)about)->framework);
}

static void task_slave(struct out *o, const void *about)
{
	id_of_agent(o, ((const struct task *)about)->agent);
}

static void put_state(struct out *o, const void *about)
{
	out_text(o, task_state_name(((const struct task *)about)->state));
}

void task_amounts(struct out *o, const void *about)
{
	const struct task *t = about;

	put_amounts(o, task_resources(t), 0);
	if (t->port)
		buf_fmt(o->b, ",\"ports\":\"[%u-%u]\"", t->port, t->port);
	buf_char(o->b, '}');
}

static void task_role(struct out *o, const void *about)
{
	const struct task *t = about;

	out_text(o, framework_role(&o->v->s->frameworks[t->framework]));
}

static void put_status(struct out *o, const struct task *t, const char *state, double when, bool *any)
{
	const struct agent *a = agent_of(o, t);

	out_raw(o, *any ? ",{\"state\":\"" : "{\"state\":\"");
	*any = true;
	out_raw(o, state);
	out_raw(o, "\",\"timestamp\":");
	out_time(o, when);
	if (o->v->version >= 25)
		buf_fmt(o->b, ",\"container_status\":{\"network_infos\":[{%s"
			"\"ip_addresses\":[{\"ip_address\":\"10.%u.%u.%u\"}]"
			"}]}", o->v->version < 28 ?
			"\"ip_address\":\"10.0.0.1\"," : "",
			a->index >> 16 & 255, a->index >> 8 & 255,
			a->index & 255);
	buf_char(o->b, '}');
}

static void task_statuses(struct out *o, const void *about)
{
	const struct task *t = about;
	bool any = false;

	buf_char(o->b, '[');
	if (t->started > 0)
		put_status(o, t, "TASK_STARTING", t->started, &any);
	if (t->running > 0)
		put_status(o, t, "TASK_RUNNING", t->running, &any);
	if (t->ended > 0)
		put_status(o, t, task_state_name(t->state), t->ended, &any);
	buf_char(o->b, ']');
}

static void task_labels(struct out *o, const void *about)
{
	const struct task *t = about;

	buf_fmt(o->b, "[{\"key\":\"team\",\"value\":\"team%02u\"},{\"key\":"
		"\"DCOS_SPACE\",\"value\":", (unsigned int)(t->serial % 37));
	out_fmt(o, "/%s", task_app(t));
	out_raw(o, "}]");
}

static void task_discovery(struct out *o, const void *about)
{
	const struct task *t = about;

	out_raw(o, "{\"visibility\":\"FRAMEWORK\",\"name\":");
	out_text(o, task_app(t));
	out_raw(o, ",\"ports\":{");
	if (t->port)
		buf_fmt(o->b, "\"ports\":[{\"number\":%u,\"name\":\"http\","
			"\"protocol\":\"tcp\"}]", t->port);
	out_raw(o, "}}");
}

static void task_container(struct out *o, const void *about)
{
	out_raw(o, "{\"type\":\"DOCKER\",\"docker\":{\"image\":");
	out_fmt(o, "registry.example.com/%s:v%u", task_app(about),
		(unsigned int)(((const struct task *)about)->serial % 50));
	out_raw(o, ",\"network\":\"HOST\",\"privileged\":false}}");
}

SHARED_SHAPE(state_task,
	{ "id", .leaf = task_id },
	{ "name", .leaf = task_name },
	{ "framework_id", .leaf = task_framework },
	{ "executor_id", .leaf = put_empty },
	{ "slave_id", .leaf = task_slave },
	{ "state", .leaf = put_state },
	{ "resources", .leaf = task_amounts },
	{ "role", 103, .leaf = task_role },
	{ "statuses", .leaf = task_statuses },
	{ "user", 100, .leaf = put_user },
	{ "labels", 22, .leaf = task_labels },
	{ "discovery", 22, .leaf = task_discovery },
	{ "container", 26, .leaf = task_container },
);

/* ---- Frameworks --------------------------------------------------------- */

static const void *framework_task(const struct view *v, const void *about, size_t i)
{
	const struct framework *f = about;

	(void)v;
	return i < f->n_tasks ? &f->tasks[i] : NULL;
}

static const void *framework_completed(const struct view *v, const void *about, size_t i)
{
	(void)v;
	return framework_done(about, i);
}

void framework_id(struct out *o, const void *about)
{
	id_of_framework(o, ((const struct framework *)about)->index);
}

void framework_name(struct out *o, const void *about)
{
	out_text(o, ((const struct framework *)about)->name);
}

void framework_pid(struct out *o, const void *about)
{
	const struct framework *f = about;

	out_fmt(o, "scheduler-%u@10.254.0.%u:15101", f->index, f->index);
}

void framework_used(struct out *o, const void *about)
{
	const struct framework *f = about;
	struct resources sum = { 0, 0, 0 };
	size_t i;

	for (i = 0; i < f->n_tasks; i++) {
		struct resources r = task_resources(&f->tasks[i]);

		sum.cpus += r.cpus;
		sum.mem += r.mem;
		sum.disk += r.disk;
	}
	put_amounts(o, sum, 0);
	buf_char(o->b, '}');
}

void framework_capabilities(struct out *o, const void *about)
{
	const struct framework *f = about;

	buf_fmt(o->b, "[\"TASK_KILLING_STATE\"%s%s]",
		o->v->version >= 102 ? ",\"PARTITION_AWARE\"" : "",
		o->v->version >= 103 && f->multi_role ? ",\"MULTI_ROLE\"" : "");
}

void framework_hostname(struct out *o, const void *about)
{
	out_fmt(o, "sched%02u.example.com",
		((const struct framework *)about)->index);
}

void framework_webui(struct out *o, const void *about)
{
	out_fmt(o, "http://sched%02u.example.com:8080",
		((const struct framework *)about)->index);
}

void framework_failover(struct out *o, const void *about)
{
	(void)about;
	out_number(o, 604800);
}

static void framework_registered(struct out *o, const void *about)
{
	out_time(o, ((const struct framework *)about)->registered_time);
}

static bool framework_many_roles(const struct view *v, const void *about)
{
	return v->version >= 103 && ((const struct framework *)about)->multi_role;
}

static bool framework_one_role(const struct view *v, const void *about)
{
	return !framework_many_roles(v, about);
}

static void framework_role_text(struct out *o, const void *about)
{
	out_text(o, framework_role(about));
}

static void framework_roles(struct out *o, const void *about)
{
	buf_char(o->b, '[');
	out_text(o, framework_role(about));
	out_raw(o, ",\"dev\"]");
}

SHARED_SHAPE(state_framework,
	{ "id", .leaf = framework_id },
	{ "name", .leaf = framework_name },
	{ "pid", .leaf = framework_pid },
	{ "used_resources", 21, .leaf = framework_used },
	{ "offered_resources", 21, .leaf = put_none },
	{ "capabilities", 26, .leaf = framework_capabilities },
	{ "hostname", .leaf = framework_hostname },
	{ "webui_url", .leaf = framework_webui },
	{ "active", .leaf = put_true },
	{ "connected", 102, .leaf = put_true },
	{ "recovered", 102, .leaf = put_false },
	{ "user", .leaf = put_user },
	{ "failover_timeout", .leaf = framework_failover },
	{ "checkpoint", .leaf = put_true },
	{ "registered_time", .leaf = framework_registered },
	{ "unregistered_time", .leaf = put_zero },
	{ "principal", 23, .leaf = framework_name },
	{ "resources", .leaf = framework_used },
	{ "role", .leaf = framework_role_text, .has = framework_one_role },
	{ "roles", 103, .leaf = framework_roles, .has = framework_many_roles },
	{ "tasks", .of = &state_task, .item = framework_task },
	{ "unreachable_tasks", 102, .leaf = put_list },
	{ "completed_tasks", .of = &state_task, .item = framework_completed },
	{ "offers", .leaf = put_list },
	{ "executors", 23, .leaf = put_list },
	{ "offer_constraints", 111, .leaf = put_none },
);

/* ---- Agents ------------------------------------------------------------- */

void slave_id(struct out *o, const void *about)
{
	id_of_agent(o, ((const struct agent *)about)->index);
}

void slave_hostname(struct out *o, const void *about)
{
	out_text(o, ((const struct agent *)about)->host);
}

void slave_port(struct out *o, const void *about)
{
	buf_fmt(o->b, "%d", ((const struct agent *)about)->port);
}

void slave_attributes(struct out *o, const void *about)
{
	const struct agent *a = about;

	buf_fmt(o->b, "{\"rack\":\"r%03u\",\"zone\":\"z%c\",\"number\":",
		a->index / 40, 'a' + (int)(a->index % 3));
	out_number(o, a->index);
	buf_char(o->b, '}');
}

void slave_domain(struct out *o, const void *about)
{
	const struct agent *a = about;

	out_raw(o, "{\"fault_domain\":{\"region\":{\"name\":");
	out_text(o, "dc/one");
	out_raw(o, "},\"zone\":{\"name\":");
	out_fmt(o, "dc/one%c", 'a' + (int)(a->index % 3));
	out_raw(o, "}}}");
}

void slave_registered(struct out *o, const void *about)
{
	out_time(o, ((const struct agent *)about)->registered_time);
}

void slave_reregistered(struct out *o, const void *about)
{
	out_time(o, ((const struct agent *)about)->reregistered_time);
}

void slave_drain_time(struct out *o, const void *about)
{
	out_time(o, ((const struct agent *)about)->drain_time);
}

void slave_capabilities(struct out *o, const void *about)
{
	(void)about;
	buf_fmt(o->b, "[%s%s]", o->v->version >= 103 ? "\"MULTI_ROLE\"" : "",
		o->v->version >= 109 ? ",\"AGENT_DRAINING\"" : "");
}

static void put_full_scalar(struct out *o, const char *name, double value)
{
	buf_fmt(o->b, "{\"name\":\"%s\",\"type\":\"SCALAR\",\"scalar\":"
		"{\"value\":", name);
	out_number(o, value);
	out_raw(o, "},\"role\":\"*\"}");
}

static void slave_unreserved_full(struct out *o, const void *about)
{
	struct resources r = agent_total(o->v, about);

	if (agent_reserved_role(about))
		r = half(r);
	buf_char(o->b, '[');
	put_full_scalar(o, "cpus", r.cpus / 1000.0);
	buf_char(o->b, ',');
	put_full_scalar(o, "mem", r.mem);
	buf_char(o->b, ',');
	put_full_scalar(o, "disk", r.disk);
	out_raw(o, ",{\"name\":\"ports\",\"type\":\"RANGES\",\"ranges\":"
		"{\"range\":[{\"begin\":31000,\"end\":32023}]},"
		"\"role\":\"*\"}]");
}

SHARED_SHAPE(state_slave, SLAVE_FIELDS);
SHARED_SHAPE(state_slave_full, SLAVE_FIELDS,
	{ "reserved_resources_full", 28, .leaf = put_object },
	{ "unreserved_resources_full", 28, .leaf = slave_unreserved_full },
	{ "used_resources_full", 28, .leaf = put_list },
	{ "offered_resources_full", 28, .leaf = put_list },
);
