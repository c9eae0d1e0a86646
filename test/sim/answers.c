/* SPDX-License-Identifier: Apache-2.0 */
/* answers - the shapes of a master's unversioned endpoints. */
#include "answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIT_SHA "6ba3b7e2a0c0e5f0a5c7c3f4cbf4bd1d3a2f6c11"
#define BUILD_DATE "2020-11-18 07:24:37"
#define BUILD_TIME 1605684277

/* ---- Names, numbers ----------------------------------------------------- */

void uuid_text(char uuid[40], uint64_t a, uint64_t b)
{
	snprintf(uuid, 40, "%08x-%04x-4%03x-a%03x-%012llx",
		 (unsigned int)(a & 0xffffffff), (unsigned int)(a >> 32 & 0xffff),
		 (unsigned int)(a >> 48 & 0xfff), (unsigned int)(b >> 48 & 0xfff),
		 (unsigned long long)(b & 0xffffffffffff));
}

void task_id_text(const struct task *t, char id[128])
{
	char uuid[40];

	uuid_text(uuid, mix(t->serial, 6), t->serial);
	snprintf(id, 128, "%s.%s", task_app(t), uuid);
}

uint64_t task_id_serial(const char *id)
{
	const char *tail = strrchr(id, '-');

	return tail ? strtoull(tail + 1, NULL, 16) : 0;
}

/* Ids are made of the first master's: they outlive a failover. */
static void base_id(const struct view *v, char id[40])
{
	uuid_text(id, mix(v->c->seed, 1), mix(v->c->seed, 2));
}

void id_of_agent(struct out *o, uint32_t index)
{
	char base[40];

	base_id(o->v, base);
	out_fmt(o, "%s-S%u", base, o->v->s->n_agents ?
		o->v->s->agents[index].id : o->v->c->agents[index].id);
}

void id_of_framework(struct out *o, uint16_t index)
{
	char base[40];

	base_id(o->v, base);
	out_fmt(o, "%s-%04u", base, index);
}

void id_of_task(struct out *o, const struct task *t)
{
	char id[128];

	task_id_text(t, id);
	out_text(o, id);
}

/* Agents with a port of their own can be asked there. */
void agent_pid(char pid[64], const struct agent *a)
{
	if (a->port != 5051)
		snprintf(pid, 64, "slave(1)@127.0.0.1:%d", a->port);
	else
		snprintf(pid, 64, "slave(1)@10.%u.%u.%u:5051",
			 a->index >> 16 & 255, a->index >> 8 & 255,
			 a->index & 255);
}

bool agent_has_gpus(const struct agent *a)
{
	return a->index % 50 == 7;
}

const char *agent_reserved_role(const struct agent *a)
{
	return a->index % 20 == 5 ? "kafka" : NULL;
}

struct resources agent_total(const struct view *v, const struct agent *a)
{
	(void)a;
	return (struct resources){ v->c->agent_cpus * 1000,
		v->c->agent_cpus * 4096, v->c->agent_cpus * 28800 };
}

const char *framework_role(const struct framework *f)
{
	static const char *const roles[] = { "*", "slave_public", "prod",
		"batch", "kafka" };

	return roles[f->index % 5];
}

static void put_pid(struct out *o, const struct master_info *m)
{
	out_fmt(o, "master@%s:%d", m->host, m->port);
}

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

static void put_none(struct out *o, const void *about)
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

static void slave_used(struct out *o, const void *about)
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

static void slave_resources(struct out *o, const void *about)
{
	put_with_ports(o, agent_total(o->v, about),
		       agent_has_gpus(about) ? 8 : 0);
}

static struct resources half(struct resources r)
{
	return (struct resources){ r.cpus / 2, r.mem / 2, r.disk / 2 };
}

static void slave_unreserved(struct out *o, const void *about)
{
	struct resources r = agent_total(o->v, about);

	put_with_ports(o, agent_reserved_role(about) ? half(r) : r,
		       agent_has_gpus(about) ? 8 : 0);
}

static void slave_reserved(struct out *o, const void *about)
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

static void task_framework(struct out *o, const void *about)
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

static void task_amounts(struct out *o, const void *about)
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

static void put_empty(struct out *o, const void *x)
{
	(void)x;
	out_raw(o, "\"\"");
}

static void put_user(struct out *o, const void *x)
{
	(void)x;
	out_raw(o, "\"root\"");
}

static void put_true(struct out *o, const void *x)
{
	(void)x;
	out_bool(o, true);
}

static void put_false(struct out *o, const void *x)
{
	(void)x;
	out_bool(o, false);
}

static void put_zero(struct out *o, const void *x)
{
	(void)x;
	out_number(o, 0);
}

static void put_list(struct out *o, const void *x)
{
	(void)x;
	out_raw(o, "[]");
}

SHAPE(shape_task,
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

static void framework_id(struct out *o, const void *about)
{
	id_of_framework(o, ((const struct framework *)about)->index);
}

static void framework_name(struct out *o, const void *about)
{
	out_text(o, ((const struct framework *)about)->name);
}

static void framework_pid(struct out *o, const void *about)
{
	const struct framework *f = about;

	out_fmt(o, "scheduler-%u@10.254.0.%u:15101", f->index, f->index);
}

static void framework_used(struct out *o, const void *about)
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

static void framework_capabilities(struct out *o, const void *about)
{
	const struct framework *f = about;

	buf_fmt(o->b, "[\"TASK_KILLING_STATE\"%s%s]",
		o->v->version >= 102 ? ",\"PARTITION_AWARE\"" : "",
		o->v->version >= 103 && f->multi_role ? ",\"MULTI_ROLE\"" : "");
}

static void framework_hostname(struct out *o, const void *about)
{
	out_fmt(o, "sched%02u.example.com",
		((const struct framework *)about)->index);
}

static void framework_webui(struct out *o, const void *about)
{
	out_fmt(o, "http://sched%02u.example.com:8080",
		((const struct framework *)about)->index);
}

static void framework_failover(struct out *o, const void *about)
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

SHAPE(shape_framework,
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
	{ "tasks", .of = &shape_task, .item = framework_task },
	{ "unreachable_tasks", 102, .leaf = put_list },
	{ "completed_tasks", .of = &shape_task, .item = framework_completed },
	{ "offers", .leaf = put_list },
	{ "executors", 23, .leaf = put_list },
	{ "offer_constraints", 111, .leaf = put_none },
);

/* ---- Agents ------------------------------------------------------------- */

static void slave_id(struct out *o, const void *about)
{
	id_of_agent(o, ((const struct agent *)about)->index);
}

static void slave_hostname(struct out *o, const void *about)
{
	out_text(o, ((const struct agent *)about)->host);
}

static void slave_port(struct out *o, const void *about)
{
	buf_fmt(o->b, "%d", ((const struct agent *)about)->port);
}

static void slave_attributes(struct out *o, const void *about)
{
	const struct agent *a = about;

	buf_fmt(o->b, "{\"rack\":\"r%03u\",\"zone\":\"z%c\",\"number\":",
		a->index / 40, 'a' + (int)(a->index % 3));
	out_number(o, a->index);
	buf_char(o->b, '}');
}

static void slave_domain(struct out *o, const void *about)
{
	const struct agent *a = about;

	out_raw(o, "{\"fault_domain\":{\"region\":{\"name\":");
	out_text(o, "dc/one");
	out_raw(o, "},\"zone\":{\"name\":");
	out_fmt(o, "dc/one%c", 'a' + (int)(a->index % 3));
	out_raw(o, "}}}");
}

static void slave_pid(struct out *o, const void *about)
{
	char pid[64];

	agent_pid(pid, about);
	out_text(o, pid);
}

static void slave_registered(struct out *o, const void *about)
{
	out_time(o, ((const struct agent *)about)->registered_time);
}

static void slave_reregistered(struct out *o, const void *about)
{
	out_time(o, ((const struct agent *)about)->reregistered_time);
}

static bool slave_was_reregistered(const struct view *v, const void *about)
{
	(void)v;
	return ((const struct agent *)about)->reregistered_time > 0;
}

static void slave_active(struct out *o, const void *about)
{
	out_bool(o, agent_active(about));
}

static void slave_deactivated(struct out *o, const void *about)
{
	out_bool(o, ((const struct agent *)about)->deactivated);
}

static bool slave_drains(const struct view *v, const void *about)
{
	(void)v;
	return ((const struct agent *)about)->draining;
}

static void slave_drain_info(struct out *o, const void *about)
{
	buf_fmt(o->b, "{\"state\":\"%s\",\"config\":{\"max_grace_period\":"
		"{\"nanoseconds\":600000000000},\"mark_gone\":false}}",
		((const struct agent *)about)->tasks ? "DRAINING" : "DRAINED");
}

static void slave_drain_time(struct out *o, const void *about)
{
	out_time(o, ((const struct agent *)about)->drain_time);
}

static void put_version(struct out *o, const void *about)
{
	(void)about;
	out_text(o, o->v->c->version_text);
}

static void slave_capabilities(struct out *o, const void *about)
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

static void put_object(struct out *o, const void *x)
{
	(void)x;
	out_raw(o, "{}");
}

#define SLAVE_FIELDS \
	{ "id", .leaf = slave_id }, \
	{ "hostname", .leaf = slave_hostname }, \
	{ "port", 102, .leaf = slave_port }, \
	{ "attributes", .leaf = slave_attributes }, \
	{ "domain", 105, .leaf = slave_domain }, \
	{ "pid", .leaf = slave_pid }, \
	{ "registered_time", .leaf = slave_registered }, \
	{ "reregistered_time", .leaf = slave_reregistered, \
		.has = slave_was_reregistered }, \
	{ "resources", .leaf = slave_resources }, \
	{ "used_resources", 23, .leaf = slave_used }, \
	{ "offered_resources", 23, .leaf = put_none }, \
	{ "reserved_resources", 23, .leaf = slave_reserved }, \
	{ "unreserved_resources", 23, .leaf = slave_unreserved }, \
	{ "active", 20, .leaf = slave_active }, \
	{ "deactivated", 109, .leaf = slave_deactivated }, \
	{ "version", 27, .leaf = put_version }, \
	{ "capabilities", 102, .leaf = slave_capabilities }, \
	{ "drain_info", 109, .leaf = slave_drain_info, .has = slave_drains }, \
	{ "estimated_drain_start_time_seconds", 109, \
		.leaf = slave_drain_time, .has = slave_drains }

SHAPE(shape_slave, SLAVE_FIELDS);
SHAPE(shape_slave_full, SLAVE_FIELDS,
	{ "reserved_resources_full", 28, .leaf = put_object },
	{ "unreserved_resources_full", 28, .leaf = slave_unreserved_full },
	{ "used_resources_full", 28, .leaf = put_list },
	{ "offered_resources_full", 28, .leaf = put_list },
);

/* ---- State -------------------------------------------------------------- */

static const void *state_slave(const struct view *v, const void *about, size_t i)
{
	(void)about;
	return i < v->s->n_registered ?
		&v->s->agents[v->s->registered[i]] : NULL;
}

static const void *framework_that(const struct view *v, size_t i, bool registered)
{
	size_t k;

	for (k = 0; k < v->s->n_frameworks; k++)
		if (v->s->frameworks[k].registered == registered && i-- == 0)
			return &v->s->frameworks[k];
	return NULL;
}

static const void *state_framework(const struct view *v, const void *about, size_t i)
{
	(void)about;
	return framework_that(v, i, true);
}

static const void *state_completed(const struct view *v, const void *about, size_t i)
{
	(void)about;
	return framework_that(v, i, false);
}

static void put_git_sha(struct out *o, const void *x)
{
	(void)x;
	out_text(o, GIT_SHA);
}

static void put_build_date(struct out *o, const void *x)
{
	(void)x;
	out_text(o, BUILD_DATE);
}

static void put_build_time(struct out *o, const void *x)
{
	(void)x;
	out_number(o, BUILD_TIME);
}

static void put_cluster(struct out *o, const void *x)
{
	(void)x;
	out_text(o, "simulated");
}

static void put_log_dir(struct out *o, const void *x)
{
	(void)x;
	out_text(o, "/var/log/mesos");
}

static void state_start(struct out *o, const void *about)
{
	(void)about;
	out_time(o, o->v->me->start_time);
}

static void state_elected(struct out *o, const void *about)
{
	(void)about;
	out_time(o, o->v->me->elected_time);
}

static bool leads(const struct view *v, const void *about)
{
	(void)about;
	return v->me == v->leader;
}

static bool leader_known(const struct view *v, const void *about)
{
	(void)about;
	return v->leader != NULL;
}

static void state_id(struct out *o, const void *about)
{
	(void)about;
	out_text(o, o->v->me->id);
}

static void state_pid(struct out *o, const void *about)
{
	(void)about;
	put_pid(o, o->v->me);
}

static void state_hostname(struct out *o, const void *about)
{
	(void)about;
	out_text(o, o->v->me->host);
}

static void state_leader(struct out *o, const void *about)
{
	(void)about;
	put_pid(o, o->v->leader);
}

static void state_leader_info(struct out *o, const void *about)
{
	(void)about;
	out_raw(o, "{\"id\":");
	out_text(o, o->v->leader->id);
	out_raw(o, ",\"pid\":");
	put_pid(o, o->v->leader);
	buf_fmt(o->b, ",\"port\":%d,\"hostname\":", o->v->leader->port);
	out_text(o, o->v->leader->host);
	buf_char(o->b, '}');
}

static void put_agent_count(struct out *o, bool active)
{
	size_t i, n = 0;

	for (i = 0; i < o->v->s->n_agents; i++)
		n += o->v->s->agents[i].registered &&
			agent_active(&o->v->s->agents[i]) == active;
	out_number(o, (double)n);
}

static void state_activated(struct out *o, const void *x)
{
	(void)x;
	put_agent_count(o, true);
}

static void state_deactivated(struct out *o, const void *x)
{
	(void)x;
	put_agent_count(o, false);
}

static void state_unreachable(struct out *o, const void *x)
{
	(void)x;
	out_number(o, (double)cluster_unreachable(o->v->s->agents,
						  o->v->s->n_agents));
}

static void state_flags(struct out *o, const void *about)
{
	(void)about;
	out_raw(o, "{\"allocation_interval\":\"1secs\",\"cluster\":"
		"\"simulated\",\"max_completed_tasks_per_framework\":\"1000\","
		"\"port\":");
	out_fmt(o, "%d", o->v->me->port);
	out_raw(o, ",\"quorum\":\"1\",\"work_dir\":");
	out_text(o, "/var/lib/mesos");
	buf_char(o->b, '}');
}

static void state_capabilities(struct out *o, const void *about)
{
	(void)about;
	buf_fmt(o->b, "[\"AGENT_UPDATE\"%s]",
		o->v->version >= 109 ? ",\"AGENT_DRAINING\"" : "");
}

static void put_count(struct out *o, uint64_t n)
{
	out_number(o, (double)n);
}

static void state_staged(struct out *o, const void *x)
{
	(void)x;
	put_count(o, o->v->s->count.launched);
}

static void state_finished(struct out *o, const void *x)
{
	(void)x;
	put_count(o, o->v->s->count.ended[TASK_FINISHED]);
}

static void state_failed(struct out *o, const void *x)
{
	(void)x;
	put_count(o, o->v->s->count.ended[TASK_FAILED]);
}

static void state_killed(struct out *o, const void *x)
{
	(void)x;
	put_count(o, o->v->s->count.ended[TASK_KILLED]);
}

static void state_lost(struct out *o, const void *x)
{
	(void)x;
	put_count(o, o->v->s->count.ended[TASK_LOST]);
}

SHAPE(shape_state,
	{ "version", .leaf = put_version },
	{ "git_sha", .leaf = put_git_sha },
	{ "git_tag", 0, 26, .leaf = put_version },
	{ "build_date", .leaf = put_build_date },
	{ "build_time", .leaf = put_build_time },
	{ "build_user", .leaf = put_user },
	{ "start_time", .leaf = state_start },
	{ "elected_time", .leaf = state_elected, .has = leads },
	{ "id", .leaf = state_id },
	{ "pid", .leaf = state_pid },
	{ "hostname", .leaf = state_hostname },
	{ "capabilities", 105, .leaf = state_capabilities },
	{ "activated_slaves", .leaf = state_activated },
	{ "deactivated_slaves", .leaf = state_deactivated },
	{ "unreachable_slaves", 102, .leaf = state_unreachable },
	{ "started_tasks", 0, 22, .leaf = put_zero },
	{ "staged_tasks", 0, 22, .leaf = state_staged },
	{ "finished_tasks", 0, 22, .leaf = state_finished },
	{ "failed_tasks", 0, 22, .leaf = state_failed },
	{ "killed_tasks", 0, 22, .leaf = state_killed },
	{ "lost_tasks", 0, 22, .leaf = state_lost },
	{ "leader", .leaf = state_leader, .has = leader_known },
	{ "leader_info", 101, .leaf = state_leader_info, .has = leader_known },
	{ "cluster", .leaf = put_cluster },
	{ "log_dir", .leaf = put_log_dir },
	{ "flags", .leaf = state_flags },
	{ "slaves", .of = &shape_slave, .item = state_slave },
	{ "recovered_slaves", 102, .leaf = put_list },
	{ "frameworks", .of = &shape_framework, .item = state_framework },
	{ "completed_frameworks", .of = &shape_framework,
		.item = state_completed },
	{ "orphan_tasks", 20, .leaf = put_list },
	{ "unregistered_frameworks", 20, .leaf = put_list },
);

SHAPE(shape_slaves,
	{ "slaves", .of = &shape_slave_full, .item = state_slave },
	{ "recovered_slaves", 102, .leaf = put_list },
);

SHAPE(shape_frameworks,
	{ "frameworks", .of = &shape_framework, .item = state_framework },
	{ "completed_frameworks", .of = &shape_framework,
		.item = state_completed },
	{ "unregistered_frameworks", 20, .leaf = put_list },
);

/* ---- Summary ------------------------------------------------------------ */

/* The counts of tasks in memory, of an agent and of a framework. */
#define COUNTED(state) \
	static void \
	slave_##state(struct out *o, const void *about) \
	{ \
		const struct agent *a = about; \
		\
		out_number(o, o->v->s->agent_states[a->index][state]); \
	} \
	static void \
	framework_##state(struct out *o, const void *about) \
	{ \
		const struct framework *f = about; \
		\
		out_number(o, o->v->s->framework_states[f->index][state]); \
	}

COUNTED(TASK_STAGING)
COUNTED(TASK_STARTING)
COUNTED(TASK_RUNNING)
COUNTED(TASK_KILLING)
COUNTED(TASK_FINISHED)
COUNTED(TASK_FAILED)
COUNTED(TASK_KILLED)
COUNTED(TASK_LOST)
COUNTED(TASK_ERROR)

#define COUNT_FIELDS(of) \
	{ "TASK_STAGING", .leaf = of##_TASK_STAGING }, \
	{ "TASK_STARTING", .leaf = of##_TASK_STARTING }, \
	{ "TASK_RUNNING", .leaf = of##_TASK_RUNNING }, \
	{ "TASK_KILLING", 26, .leaf = of##_TASK_KILLING }, \
	{ "TASK_FINISHED", .leaf = of##_TASK_FINISHED }, \
	{ "TASK_KILLED", .leaf = of##_TASK_KILLED }, \
	{ "TASK_FAILED", .leaf = of##_TASK_FAILED }, \
	{ "TASK_LOST", .leaf = of##_TASK_LOST }, \
	{ "TASK_ERROR", .leaf = of##_TASK_ERROR }, \
	{ "TASK_UNREACHABLE", 102, .leaf = put_zero }

static void slave_framework_ids(struct out *o, const void *about)
{
	const struct agent *a = about;
	uint64_t set = o->v->s->agent_frameworks[a->index];

	buf_char(o->b, '[');
	for (; set; set &= set - 1) {
		id_of_framework(o, (uint16_t)__builtin_ctzll(set));
		if (set & (set - 1))
			buf_char(o->b, ',');
	}
	buf_char(o->b, ']');
}

static void framework_slave_ids(struct out *o, const void *about)
{
	const struct framework *f = about;
	const struct snapshot *s = o->v->s;
	bool any = false;
	size_t i;

	buf_char(o->b, '[');
	for (i = 0; i < s->n_agents; i++) {
		if (!(s->agent_frameworks[i] >> f->index & 1))
			continue;
		if (any)
			buf_char(o->b, ',');
		any = true;
		id_of_agent(o, (uint32_t)i);
	}
	buf_char(o->b, ']');
}

SHAPE(shape_summary_slave, SLAVE_FIELDS,
	COUNT_FIELDS(slave),
	{ "framework_ids", .leaf = slave_framework_ids },
);

SHAPE(shape_summary_framework,
	{ "id", .leaf = framework_id },
	{ "name", .leaf = framework_name },
	{ "pid", .leaf = framework_pid },
	{ "used_resources", .leaf = framework_used },
	{ "offered_resources", .leaf = put_none },
	{ "capabilities", 28, .leaf = framework_capabilities },
	{ "hostname", .leaf = framework_hostname },
	{ "webui_url", .leaf = framework_webui },
	{ "active", 28, .leaf = put_true },
	{ "connected", 102, .leaf = put_true },
	{ "recovered", 102, .leaf = put_false },
	COUNT_FIELDS(framework),
	{ "slave_ids", .leaf = framework_slave_ids },
);

SHAPE(shape_summary,
	{ "hostname", .leaf = state_hostname },
	{ "cluster", .leaf = put_cluster },
	{ "slaves", .of = &shape_summary_slave, .item = state_slave },
	{ "frameworks", .of = &shape_summary_framework,
		.item = state_framework },
);

/* ---- Small answers ------------------------------------------------------ */

SHAPE(shape_version,
	{ "build_date", .leaf = put_build_date },
	{ "build_time", .leaf = put_build_time },
	{ "build_user", .leaf = put_user },
	{ "git_sha", .leaf = put_git_sha },
	{ "version", .leaf = put_version },
);

SHAPE(shape_flags,
	{ "flags", .leaf = state_flags },
);

struct shape *const answer_state = &shape_state;
struct shape *const answer_slaves = &shape_slaves;
struct shape *const answer_frameworks = &shape_frameworks;
struct shape *const answer_summary = &shape_summary;

void answer_version(struct out *o)
{
	shape_put(o, &shape_version, NULL);
}

void answer_flags(struct out *o)
{
	shape_put(o, &shape_flags, NULL);
}

/* ---- The agent's own ---------------------------------------------------- */

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
	{ "tasks", .of = &shape_task, .item = executor_task },
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
	{ "pid", .leaf = slave_pid },
	{ "hostname", .leaf = slave_hostname },
	{ "capabilities", 103, .leaf = slave_capabilities },
	{ "resources", .leaf = slave_resources },
	{ "reserved_resources", 100, .leaf = slave_reserved },
	{ "unreserved_resources", 100, .leaf = slave_unreserved },
	{ "attributes", .leaf = slave_attributes },
	{ "master_hostname", .leaf = state_hostname },
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

void answers_prepare(int version)
{
	struct shape *all[] = { &shape_state, &shape_slaves,
		&shape_frameworks, &shape_summary, &shape_version,
		&shape_flags, &shape_agent_state, &shape_statistics };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		shape_prepare(all[i], version);
}
