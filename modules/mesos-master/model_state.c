/* SPDX-License-Identifier: Apache-2.0 */
/* model_state - whole states: what they have no more is gone, what they changed is told. */
#include "model_inner.h"

void model_tell(struct model *m)
{
	struct model_agent *a;
	struct model_task *t;

	m->untold = false;
	for (a = model_next_agent(m, NULL); a != NULL && !m->untold; a = model_next_agent(m, a))
		model_tell_agent(m, a);
	for (t = model_next_task(m, NULL); t != NULL && !m->untold; t = model_next_task(m, t))
		model_tell_task(m, t);
}
void model_begin(struct model *m)
{
	m->turn++;
	m->reading = true;
}

static void sweep_agents(struct model *m)
{
	struct model_agent *a, *next;

	for (a = model_next_agent(m, NULL); a != NULL; a = next) {
		next = model_next_agent(m, a);
		if (a->link.mark != m->turn)
			model_agent_gone(m, a);
	}
}

static void sweep_rest(struct model *m)
{
	struct model_framework *f, *next_f;
	struct model_task *t, *next_t;

	for (f = model_next_framework(m, NULL); f != NULL; f = next_f) {
		next_f = model_next_framework(m, f);
		f->tasks = 0;
		if (f->link.mark != m->turn)
			model_framework_gone(m, f);
	}
	for (t = model_next_task(m, NULL); t != NULL; t = next_t) {
		next_t = model_next_task(m, t);
		if (t->link.mark != m->turn)
			model_task_gone(m, t);
	}
}

/* Sums of those for whom the state had none. */
static void sum_tasks(struct model *m, enum model_scope scope)
{
	struct model_task *t;
	struct model_agent *a;
	struct model_framework *f;

	for (t = model_next_task(m, NULL); t != NULL; t = model_next_task(m, t)) {
		if (!model_uses(m, t))
			continue;
		a = model_agent_of(m, t->agent);
		if (a != NULL && !a->has_used)
			model_move(&a->moved, t, 1);
		f = scope == MODEL_ALL ? model_framework_of(m, t->framework) : NULL;
		if (f == NULL)
			continue;
		f->tasks++;
		if (!f->has_used)
			model_move(&f->moved, t, 1);
	}
}

static void keep_silent(struct model *m)
{
	struct model_agent *a;
	struct model_task *t;

	for (a = model_next_agent(m, NULL); a != NULL; a = model_next_agent(m, a))
		a->told = a->stand;
	for (t = model_next_task(m, NULL); t != NULL; t = model_next_task(m, t))
		t->told = t->state;
	m->untold = false;
}

void model_end(struct model *m, enum model_scope scope, bool silent)
{
	const struct model_calls *calls = m->calls;

	if (silent)
		m->calls = NULL;
	sweep_agents(m);
	if (scope == MODEL_ALL)
		sweep_rest(m);
	sum_tasks(m, scope);
	m->reading = false;
	m->calls = calls;
	if (silent)
		keep_silent(m);
	else
		model_tell(m);
}

void model_abort(struct model *m)
{
	m->reading = false;
}
