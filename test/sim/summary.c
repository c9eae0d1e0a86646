/* SPDX-License-Identifier: Apache-2.0 */
/* summary - /state-summary: a cluster by its counts. */
#include "objects.h"

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
	{ "hostname", .leaf = put_hostname },
	{ "cluster", .leaf = put_cluster },
	{ "slaves", .of = &shape_summary_slave, .item = each_agent },
	{ "frameworks", .of = &shape_summary_framework,
		.item = each_framework },
);

struct shape *const answer_summary = &shape_summary;
