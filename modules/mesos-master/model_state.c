/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_state - whole states: what they have no more is gone, what they changed is told.
 *
 * A state of 400,000 tasks that ends takes a while to be gone through, and what
 * changed with it to be told, so that is done a few at a time; meanwhile single
 * changes may come.  Agents that are gone go last, since where a task ran is told with it.
 */
#include "model_inner.h"

bool model_busy(const struct model *m)
{
	return m->reading || m->settle.at != SETTLE_NOTHING;
}

void model_begin(struct model *m)
{
	while (model_settle(m, UINT32_MAX))
		continue;
	m->turn++;
	m->agents_turn++;
	for (int i = 0; i < LEFTS; i++)
		m->left[i].n = 0;
	m->reading = true;
}

void model_begin_list(struct model *m)
{
	while (model_settle(m, UINT32_MAX))
		continue;
	m->agents_turn++;
}

void model_end_list(struct model *m)
{
	while (model_settle(m, UINT32_MAX))
		continue;
	m->settle.at = SETTLE_GONE;
	m->settle.slot = 0;
	m->settle.renewed = m->agents.renewed;
	m->settle.list = true;
	m->settle.silent = m->settle.inherits = false;
}

bool model_settles(const struct model *m)
{
	return m->settle.at != SETTLE_NOTHING;
}

static void settle(struct model *m, bool state, bool silent)
{
	m->settle.at = SETTLE_AGENTS;
	m->settle.slot = 0;
	m->settle.renewed = m->agents.renewed;
	m->settle.state = state;
	m->settle.silent = silent;
	m->settle.inherits = false;
	m->untold = false;
}

void model_end(struct model *m, bool silent)
{
	m->reading = false;
	settle(m, true, silent);
}

void model_end_inherited(struct model *m)
{
	model_end(m, false);
	m->settle.inherits = true;
}

bool model_is_same(const struct model *m)
{
	const struct model_agent *a;
	uint32_t all = 0, known = 0;

	for (a = model_next_agent(m, NULL); a != NULL; a = model_next_agent(m, a)) {
		all += a->link.mark == m->agents_turn;
		known += a->link.mark == m->agents_turn && a->told != MODEL_NEW;
	}
	return 2 * known >= all;
}

void model_abort(struct model *m)
{
	m->reading = false;
}

void model_tell(struct model *m)
{
	if (!model_busy(m))
		settle(m, false, false);
}

/* ---- One of them -------------------------------------------------------- */

/* Its agent has not come back to a new leader, which does not know its tasks before. */
static bool waits(const struct model *m, const struct model_task *t)
{
	const struct model_agent *a = model_agent_of(m, t->agent);

	if (a == NULL)
		return false;
	return a->link.mark == m->agents_turn ? a->stand == MODEL_RECOVERED : m->settle.inherits;
}

static void settle_task(struct model *m, struct model_task *t)
{
	if (m->settle.state && t->link.mark != m->turn) {
		if (waits(m, t))
			model_task_park(t);
		else
			model_task_gone(m, t);
		return;
	}
	if (m->settle.silent && !t->counted)
		t->told = t->state;
	if (m->settle.state)
		model_count(m, t);
	if (!m->untold)
		model_tell_task(m, t);
}

static void settle_framework(struct model *m, struct model_framework *f)
{
	if (m->settle.state && f->link.mark != m->turn) {
		if (m->settle.silent || m->settle.inherits)
			f->told = PRESENCE_NEW;	/* nobody knew it, or it may come back */
		model_framework_gone(m, f);
		return;
	}
	if (!f->settled && (m->settle.silent || (m->settle.inherits && f->told == PRESENCE_NEW)))
		model_framework_silent(f);
	f->settled = true;
	if (!m->untold && !m->settle.inherits)	/* a scheduler takes a while to find a new leader */
		model_tell_framework(m, f);
}

static void settle_agent(struct model *m, struct model_agent *a)
{
	if (m->settle.state && a->link.mark != m->agents_turn)
		return;
	if (m->settle.silent && !a->settled)
		a->told = a->stand;
	a->based |= m->settle.silent && a->stand != MODEL_RECOVERED;
	a->settled = true;
	if (!m->untold)
		model_tell_agent(m, a);
}

static void settle_gone(struct model *m, struct model_agent *a)
{
	if ((!m->settle.state && !m->settle.list) || a->link.mark == m->agents_turn)
		return;
	if (m->settle.inherits) {
		model_agent_park(m, a);
		return;
	}
	if (m->settle.silent || a->parked)
		a->told = MODEL_NEW;	/* nobody knew it, or knows what became of it */
	model_agent_gone(m, a);
}

/* ---- All of them -------------------------------------------------------- */

static const struct table *table_of(const struct model *m)
{
	return m->settle.at == SETTLE_TASKS ? &m->tasks : m->settle.at == SETTLE_FRAMEWORKS ? &m->frameworks : &m->agents;
}

static void settle_one(struct model *m, struct table_link *l)
{
	if (m->settle.at == SETTLE_TASKS)
		settle_task(m, (struct model_task *)l);
	else if (m->settle.at == SETTLE_FRAMEWORKS)
		settle_framework(m, (struct model_framework *)l);
	else if (m->settle.at == SETTLE_AGENTS)
		settle_agent(m, (struct model_agent *)l);
	else
		settle_gone(m, (struct model_agent *)l);
}

/* Where a table grew all of it is in other slots; what is settled stays so. */
bool model_settle(struct model *m, uint32_t n)
{
	for (; n > 0 && m->settle.at != SETTLE_NOTHING; n--) {
		const struct table *t = table_of(m);
		struct table_link *l;

		if (m->settle.renewed != t->renewed)
			m->settle.slot = 0;
		m->settle.renewed = t->renewed;
		if (m->settle.slot < t->size) {
			l = table_at(t, m->settle.slot++);
			if (l != NULL)
				settle_one(m, l);
			continue;
		}
		m->settle.slot = 0;
		m->settle.at = m->settle.at == SETTLE_GONE ? SETTLE_NOTHING : m->settle.at + 1;
		m->settle.renewed = table_of(m)->renewed;
	}
	m->settle.state = m->settle.state && m->settle.at != SETTLE_NOTHING;
	m->settle.list = m->settle.list && m->settle.at != SETTLE_NOTHING;
	m->settle.inherits = m->settle.inherits && m->settle.at != SETTLE_NOTHING;
	return m->settle.at != SETTLE_NOTHING;
}
