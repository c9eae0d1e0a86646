/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settle - what a state brought is gone through, and one of another time freed, a little in each turn.
 *
 * A turn of the loop is everybody's, and to go through 400,000 tasks takes many times
 * what one should.
 */
#include <stdlib.h>

#include "mesos.h"

#define SETTLE_AT_ONCE	4096u
#define FREE_AT_ONCE	16384u
#define LARGE		4096		/* bytes */
#define CLOCKS		(60 * SAT_SECOND)

/* Where the alarm cannot be set all of it is done now. */
static void settle(struct sat_alarm *alarm)
{
	struct mesos *m = SAT_OWNER(alarm, struct mesos, settle);

	while (model_settle(&m->model, SETTLE_AT_ONCE))
		if (sat_alarm_set(m->self, alarm, sat_clock() + 1) == 0)
			return;
	if (m->taking || m->listing_agents)
		gone_have_list(m);
	if (m->listing_agents)
		look_settled(m);
	if (m->taking)
		mesos_took_model(m);
	m->taking = m->listing_agents = false;
}

void settle_go_on(struct mesos *m)
{
	settle(&m->settle);
}

/* Up to then the last leader's word is whole; clocks of agents, and what was on its way, may differ so much. */
static void note_known(struct mesos *m)
{
	const struct source *s = m->follow.live ? &m->follow.source : &m->state;

	m->before = !m->has_base ? 0 : m->inherited ? m->known - CLOCKS : m->before;
	m->known = sat_wall() - (sat_clock() - s->asked);
}

void settle_begin(struct mesos *m)
{
	m->has_base &= !m->inherited || model_is_same(&m->model);
	note_known(m);
	if (m->inherited && m->has_base)
		model_end_inherited(&m->model);
	else
		model_end(&m->model, !m->has_base);
	m->inherited = false;
	if (!m->has_base) {
		m->since = sat_wall();
		past_begin(m);
	}
	m->has_base = m->taking = true;
	settle(&m->settle);
}

void settle_list(struct mesos *m)
{
	model_end_list(&m->model);
	m->listing_agents = true;
	settle(&m->settle);
}

/* glibc joins small pieces that were freed as soon as a large one is asked for: a million of them take a tenth of a
 * second.  So after each slice. */
static void join_freed(void)
{
	void *volatile large = malloc(LARGE);

	free(large);
}

static bool dig_some(struct mesos *m)
{
	bool more = model_free_some(&m->grave, FREE_AT_ONCE);

	join_freed();
	return more;
}

static void dig(struct sat_alarm *alarm)
{
	struct mesos *m = SAT_OWNER(alarm, struct mesos, dig);

	while (dig_some(m))
		if (sat_alarm_set(m->self, alarm, sat_clock() + 1) == 0)
			return;
	if (m->ending)
		sat_stopped(m->self);
}

/* What is in the grave yet where another follows is freed at once: that is rare. */
static void bury(struct mesos *m)
{
	m->taking = m->listing_agents = false;
	if (m->model.texts.table.n == 0)	/* nothing is in it, and the grave may be dug yet */
		return;
	model_free(&m->grave);
	m->grave = m->model;
	model_init(&m->model, m->grave.calls, m->grave.arg);
	m->left_out = 0;
}

void settle_bury(struct mesos *m)
{
	bury(m);
	dig(&m->dig);
}

void settle_end(struct mesos *m)
{
	if (m->ending)
		return;
	m->ending = true;
	sat_alarm_stop(&m->dig);	/* of another grave: nobody is here when it fires */
	bury(m);
	dig(&m->dig);
}

void settle_init(struct mesos *m)
{
	model_init(&m->grave, NULL, NULL);
	m->settle.fire = settle;
	m->dig.fire = dig;
}

void settle_stop(struct mesos *m)
{
	sat_alarm_stop(&m->settle);
}
