/* SPDX-License-Identifier: Apache-2.0 */
/*
 * past - the tasks that had ended before the first state of a Mesos master: for who keeps records,
 * and once more for who comes later.
 *
 * They are no news, so no stream hears of them.  A few at a time: there may be 100,000,
 * and who keeps them has a queue.  Where the table is renewed meanwhile, which moves
 * them all, it begins anew: who hears of one twice keeps it once.
 */
#include "mesos.h"

enum { SLOTS_AT_ONCE = 16384, TASKS_AT_ONCE = 250 };
#define PAUSE	(50 * SAT_MS)

static unsigned tell_slot(struct mesos *m, struct table_link *l)
{
	const struct model_task *t = SAT_OWNER(l, struct model_task, link);

	if (l == NULL || !model_ended(&m->model, t))
		return 0;
	tell_past(m, t);
	return 1;
}

static void go_on(struct sat_alarm *alarm)
{
	struct past *p = SAT_OWNER(alarm, struct past, alarm);
	struct mesos *m = SAT_OWNER(p, struct mesos, past);
	const struct table *t = &m->model.tasks;
	uint32_t slots = 0;
	unsigned n = 0;

	if (p->renewed != t->renewed)
		p->next = 0;
	p->renewed = t->renewed;
	for (; p->next < t->size && slots < SLOTS_AT_ONCE && n < TASKS_AT_ONCE; slots++)
		n += tell_slot(m, table_at(t, p->next++));
	if (p->next < t->size)
		sat_alarm_set(m->self, alarm, sat_clock() + PAUSE);
}

void past_begin(struct mesos *m)
{
	m->past = (struct past){ .alarm = m->past.alarm };
	m->past.alarm.fire = go_on;
	sat_alarm_set(m->self, &m->past.alarm, sat_clock() + PAUSE);
}

static void wanted(void *state, const char *topic, const struct sat_item *item)
{
	struct mesos *m = state;

	(void)topic, (void)item;
	if (m->has_base && !m->stopping)	/* else they are told with the first state, or by who follows */
		past_begin(m);
}

int past_start(struct mesos *m)
{
	return sat_subscribe(m->self, "mesos/tasks/wanted", wanted);
}

void past_stop(struct mesos *m)
{
	sat_alarm_stop(&m->past.alarm);
}
