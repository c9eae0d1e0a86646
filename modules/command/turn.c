/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turn - at most so many commands at once; the others wait, first come, first served.
 *
 * One that was killed gives its turn to the next at once: where even SIGKILL does
 * not end it, as in uninterruptible sleep, it is in nobody's way.
 */
#include <string.h>

#include "command.h"

static void begin(struct command *c)
{
	c->turns->running++;
	c->has_turn = true;
	run_begin(c);
}

static void leave(struct command *c)
{
	struct turns *t = c->turns;
	struct command **at = &t->first;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (t->last == &c->next)
		t->last = at;
	c->next = NULL;
	c->waits = false;
	sat_gauge(c->self, COUNT_WAITING, --t->waiting);
}

/* Not at once when one ends: where all are to stop, no other should begin. */
static void next(struct sat_alarm *alarm)
{
	struct turns *t = SAT_OWNER(alarm, struct turns, alarm);

	while (t->first != NULL && t->running < t->most) {
		struct command *c = t->first;

		leave(c);
		if (sat_probe_waits(c->probe, false) == 0) {
			begin(c);
			continue;
		}
		sat_report(c->probe, .state = "critical", .description = "not run: out of memory");
		sat_probe_done(c->probe);
	}
}

void turns_init(struct turns *t, unsigned most)
{
	memset(t, 0, sizeof(*t));
	t->last = &t->first;
	t->most = most;
	t->alarm.fire = next;
}

void turn_take(struct command *c)
{
	struct turns *t = c->turns;

	if (t->first == NULL && t->running < t->most) {
		begin(c);
		return;
	}
	*t->last = c;
	t->last = &c->next;
	c->waits = true;
	sat_probe_waits(c->probe, true);
	sat_count(c->self, COUNT_WAITED, 1);
	sat_gauge(c->self, COUNT_WAITING, ++t->waiting);
}

void turn_give(struct command *c)
{
	struct turns *t = c->turns;

	if (!c->has_turn)
		return;
	c->has_turn = false;
	t->running--;
	if (t->first != NULL && sat_alarm_set(c->self, &t->alarm, sat_clock()) != 0)
		next(&t->alarm);
}

bool turn_forgo(struct command *c)
{
	if (!c->waits)
		return false;
	leave(c);
	sat_probe_done(c->probe);
	return true;
}
