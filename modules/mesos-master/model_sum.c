/* SPDX-License-Identifier: Apache-2.0 */
/* model_sum - what agents and frameworks use: in the last state, and by the tasks that came and went since. */
#include "model_inner.h"

static struct model_resources now(const struct model_resources *then, const struct model_sum *moved)
{
	struct model_resources r = *then;

	r.cpus += (double)moved->cpus / 1000;
	r.mem += (double)moved->mem / 1000;
	r.disk += (double)moved->disk / 1000;
	r.gpus += (double)moved->gpus / 1000;
	r.ports = (uint32_t)(moved->ports + r.ports > 0 ? moved->ports + r.ports : 0);
	return r;
}

struct model_resources model_agent_used(const struct model_agent *a)
{
	return now(&a->used, &a->moved);
}

struct model_resources model_framework_used(const struct model_framework *f)
{
	return now(&f->used, &f->moved);
}

static void move(struct model_sum *s, const struct model_task *t, int sign)
{
	s->cpus += sign * t->cpus;
	s->mem += sign * t->mem;
	s->disk += sign * t->disk;
	s->gpus += sign * (int64_t)t->gpus * 1000;
	s->ports += sign * (int64_t)t->ports;
}

bool model_uses(const struct model *m, const struct model_task *t)
{
	return m->word_flags[t->state] == 0 && t->state != 0;
}

/*
 * While a state is read, sums come with it, of the tasks that it has.  Where it
 * had none, each of them counts once it is settled.
 */
void model_account(struct model *m, const struct model_task *t, int sign)
{
	struct model_agent *a;
	struct model_framework *f;

	if (m->reading || !model_uses(m, t) || (m->settle.state && t->link.mark != m->turn))
		return;
	a = model_agent_of(m, t->agent);
	f = model_framework_of(m, t->framework);
	if (a != NULL && (t->counted || a->has_used))
		move(&a->moved, t, sign);
	if (f != NULL && (t->counted || f->has_used))
		move(&f->moved, t, sign);
	if (f != NULL && t->counted)
		f->tasks += (uint32_t)sign;
}

void model_count(struct model *m, struct model_task *t)
{
	struct model_agent *a;
	struct model_framework *f;

	if (t->counted)
		return;
	t->counted = true;
	if (!model_uses(m, t))
		return;
	a = model_agent_of(m, t->agent);
	f = model_framework_of(m, t->framework);
	if (a != NULL && !a->has_used)
		move(&a->moved, t, 1);
	if (f == NULL)
		return;
	f->tasks++;
	if (!f->has_used)
		move(&f->moved, t, 1);
}
