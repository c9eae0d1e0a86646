/* SPDX-License-Identifier: Apache-2.0 */
/* names - ids and numbers that several answers show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"

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
