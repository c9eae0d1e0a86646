/* SPDX-License-Identifier: Apache-2.0 */
/* timer - a 4-ary heap of deadlines on the engine's clock. */
#include <errno.h>
#include <stdlib.h>

#include "timer.h"

struct entry {
	int64_t due;
	uint64_t order;
	void *what;
	bool alarm;
};

static struct entry *heap;
static size_t count, room;
static uint64_t armed;

static bool before(const struct entry *a, const struct entry *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

/* Every owner knows its place, counted from 1. */
static void place(size_t i, struct entry e)
{
	heap[i] = e;
	if (e.alarm)
		((struct sat_alarm *)e.what)->slot = (uint32_t)i + 1;
	else
		((struct sat_timer *)e.what)->slot = (uint32_t)i + 1;
}

static void up(size_t i, struct entry e)
{
	while (i > 0 && before(&e, &heap[(i - 1) / 4])) {
		place(i, heap[(i - 1) / 4]);
		i = (i - 1) / 4;
	}
	place(i, e);
}

static void down(size_t i, struct entry e)
{
	for (;;) {
		size_t c = 4 * i + 1, best = c, end = c + 4 < count ? c + 4 : count;

		if (c >= count)
			break;
		for (; c < end; c++)
			if (before(&heap[c], &heap[best]))
				best = c;
		if (!before(&heap[best], &e))
			break;
		place(i, heap[best]);
		i = best;
	}
	place(i, e);
}

static int put(void *what, bool alarm, int64_t due, uint64_t order)
{
	if (count == room) {
		size_t more = room != 0 ? 2 * room : 64;
		struct entry *p = realloc(heap, more * sizeof(*p));

		if (p == NULL)
			return -ENOMEM;
		heap = p;
		room = more;
	}
	count++;
	up(count - 1, (struct entry){ due, order, what, alarm });
	return 0;
}

static void take(size_t i)
{
	struct entry last = heap[--count];

	if (i == count)
		return;
	if (i > 0 && before(&last, &heap[(i - 1) / 4]))
		up(i, last);
	else
		down(i, last);
}

int timer_set(struct sat_timer *t, int64_t due)
{
	int rc;

	timer_stop(t);
	rc = put(t, false, due, ++armed);
	if (rc == 0) {
		t->due = due;
		t->order = armed;
	}
	return rc;
}

void timer_reorder(struct sat_timer *t, uint64_t order)
{
	if (t->slot == 0)
		return;
	take(t->slot - 1);
	put(t, false, t->due, order);	/* there is room */
	t->order = order;
	if (armed < order)
		armed = order;
}

void timer_stop(struct sat_timer *t)
{
	if (t->slot == 0)
		return;
	take(t->slot - 1);
	t->slot = 0;
}

void timer_moved(struct sat_timer *t)
{
	if (t->slot != 0)
		heap[t->slot - 1].what = t;
}

int64_t timer_next(void)
{
	return count != 0 ? heap[0].due : INT64_MAX;
}

struct sat_timer *timer_due(int64_t now)
{
	return count != 0 && heap[0].due <= now && !heap[0].alarm ? heap[0].what : NULL;
}

bool timer_pop(int64_t now, struct sat_timer **t, struct sat_alarm **a)
{
	struct entry e;

	*t = NULL;
	*a = NULL;
	if (count == 0 || heap[0].due > now)
		return false;
	e = heap[0];
	take(0);
	if (e.alarm) {
		*a = e.what;
		(*a)->slot = 0;
	} else {
		*t = e.what;
		(*t)->slot = 0;
	}
	return true;
}

static bool is_of(const struct entry *e, const struct sat_self *self)
{
	return e->alarm && ((const struct sat_alarm *)e->what)->self == self;
}

void timer_forget(const struct sat_self *self)
{
	size_t n = count, i = 0;

	while (i < n && !is_of(&heap[i], self))
		i++;
	if (i == n)
		return;
	/* What stays is put in anew, behind what was looked at. */
	count = 0;
	for (i = 0; i < n; i++) {
		struct entry e = heap[i];

		if (is_of(&e, self))
			((struct sat_alarm *)e.what)->slot = 0;
		else
			up(count++, e);
	}
}

size_t timer_count(void)
{
	return count;
}

void timer_free(void)
{
	free(heap);
	heap = NULL;
	count = room = 0;
}

int sat_alarm_set(struct sat_self *self, struct sat_alarm *alarm, int64_t due)
{
	sat_alarm_stop(alarm);
	alarm->self = self;
	alarm->due = due;
	alarm->order = ++armed;
	return put(alarm, true, due, alarm->order);
}

void sat_alarm_stop(struct sat_alarm *alarm)
{
	if (alarm->slot == 0)
		return;
	take(alarm->slot - 1);
	alarm->slot = 0;
}
