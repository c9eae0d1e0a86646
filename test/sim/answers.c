/* SPDX-License-Identifier: Apache-2.0 */
/* answers - the shapes of a master's unversioned endpoints. */
#include "objects.h"

static void put_pid(struct out *o, const struct master_info *m)
{
	out_fmt(o, "master@%s:%d", m->host, m->port);
}

/* ---- State -------------------------------------------------------------- */

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
	{ "hostname", .leaf = put_hostname },
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
	{ "slaves", .of = &state_slave, .item = each_agent },
	{ "recovered_slaves", 102, .leaf = put_list },
	{ "frameworks", .of = &state_framework, .item = each_framework },
	{ "completed_frameworks", .of = &state_framework,
		.item = each_completed_framework },
	{ "orphan_tasks", 20, .leaf = put_list },
	{ "unregistered_frameworks", 20, .leaf = put_list },
);

SHAPE(shape_slaves,
	{ "slaves", .of = &state_slave_full, .item = each_agent },
	{ "recovered_slaves", 102, .leaf = put_list },
);

SHAPE(shape_frameworks,
	{ "frameworks", .of = &state_framework, .item = each_framework },
	{ "completed_frameworks", .of = &state_framework,
		.item = each_completed_framework },
	{ "unregistered_frameworks", 20, .leaf = put_list },
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

void answer_version(struct out *o)
{
	shape_put(o, &shape_version, NULL);
}

void answer_flags(struct out *o)
{
	shape_put(o, &shape_flags, NULL);
}

void answers_prepare(int version)
{
	struct shape *all[] = { &shape_state, &shape_slaves,
		&shape_frameworks, answer_summary, &shape_version,
		&shape_flags };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		shape_prepare(all[i], version);
}
