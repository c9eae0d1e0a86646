/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gone - why agents went, by what Mesos counts.
 *
 * slave_removals/reason_unhealthy counts each agent that Mesos marked unreachable, since
 * it answered no more, or did not come back to a new leader; slave_removals those and the
 * ones that were removed.  An agent that an operator marked gone is in neither.  Both only
 * grow, unlike slaves_unreachable, from which agents that come back, or are forgotten
 * after weeks, are taken.  So an agent that went waits for the figures that are asked for
 * afterwards, and what these count beyond the agents that were judged before tells why;
 * the figures from before the last list of agents was asked for are the least that was.
 */
#include "mesos.h"

#define PATIENCE	(5 * SAT_SECOND)	/* with figures that do not come: then it is guessed */
#define TELL_AT_ONCE	4096u
#define COUNT_MAX	(INT64_C(1) << 50)	/* of more it is no count of agents */

static const struct model_toll unknown = { -1, 0 };

static struct model_toll counted(const struct mesos *m)
{
	const struct snapshot *s = &m->figures;

	if (s->unhealthy < 0 || s->removals < s->unhealthy || s->removals > COUNT_MAX)
		return unknown;
	return (struct model_toll){ s->unhealthy, s->removals - s->unhealthy };
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* What the list was without had gone before that, and is judged. */
static void advance(struct gone *g)
{
	g->listed = false;
	if (g->asked.lost < 0)
		return;
	g->base.lost = most(g->base.lost, g->asked.lost);
	g->base.removed = most(g->base.removed, g->asked.removed);
}

/* Those that were judged are in the figures by now, or in the next. */
static void settle_accounts(struct mesos *m)
{
	struct gone *g = &m->gone;

	if (g->base.lost >= 0) {
		g->base.lost += m->model.judged.lost;
		g->base.removed += m->model.judged.removed;
	}
	m->model.judged = (struct model_toll){ 0, 0 };
	if (g->listed && m->model.n_open == 0)
		advance(g);
}

/* As many as there are at most: a guess may have been wrong. */
static void stay_below(struct gone *g, const struct model_toll *now)
{
	if (g->base.lost > now->lost)
		g->base.lost = now->lost;
	if (g->base.removed > now->removed)
		g->base.removed = now->removed;
}

void gone_ask_list(struct mesos *m)
{
	m->gone.asked = counted(m);
	m->gone.listed = false;
}

void gone_have_list(struct mesos *m)
{
	m->gone.listed = true;
	settle_accounts(m);
}

void gone_ask_figures(struct mesos *m)
{
	model_ask_why(&m->model);
}

void gone_have_figures(struct mesos *m)
{
	struct gone *g = &m->gone;
	struct model_toll now = counted(m), more;

	if (m->model.n_open == 0 || model_settles(&m->model))
		return;
	more = (struct model_toll){ now.lost - g->base.lost, now.removed - g->base.removed };
	model_judge(&m->model, now.lost < 0 || g->base.lost < 0 ? NULL : &more);
	settle_accounts(m);
	if (now.lost >= 0)
		stay_below(g, &now);
	model_tell_gone(&m->model, TELL_AT_ONCE);
}

void gone_turn(struct mesos *m, int64_t now)
{
	struct gone *g = &m->gone;

	if (m->model.n_open == 0 || model_settles(&m->model)) {
		g->since = now;
	} else if (g->base.lost < 0 || now - g->since > PATIENCE) {
		model_judge(&m->model, NULL);
		settle_accounts(m);
	}
	model_tell_gone(&m->model, TELL_AT_ONCE);
}

void gone_forget(struct mesos *m)
{
	model_judge(&m->model, NULL);
	model_tell_gone(&m->model, UINT32_MAX);	/* what was begun, */
	model_tell_gone(&m->model, UINT32_MAX);	/* and the rest */
	m->gone = (struct gone){ .base = unknown, .asked = unknown, .since = sat_clock() };
}
