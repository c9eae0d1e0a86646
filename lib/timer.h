/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer - a 4-ary heap of deadlines on the engine's clock, fired in the order
 * (due, armed).  Holds the sat_timer of forks and the sat_alarm of modules.
 */
#ifndef TIMER_H
#define TIMER_H

#include <satellite/module.h>

int timer_set(struct sat_timer *t, int64_t due);	/* again: moves it; -ENOMEM */
/* One that is set gets back the order it had in another process, among all of one due. */
void timer_reorder(struct sat_timer *t, uint64_t order);
void timer_stop(struct sat_timer *t);			/* fine when not set */
void timer_moved(struct sat_timer *t);			/* its memory moved: tell the heap */
struct sat_timer *timer_due(int64_t now);		/* what timer_pop() would take, if it is one; or NULL */
int64_t timer_next(void);				/* the earliest due; INT64_MAX: none */
/* Take the first that is due at or before now: exactly one of the two is then
 * not NULL, and not set any more.  false: none. */
bool timer_pop(int64_t now, struct sat_timer **t, struct sat_alarm **a);
void timer_forget(const struct sat_self *self);		/* alarms that a module left set: it is freed */
size_t timer_count(void);				/* for tests: how many are set */
void timer_free(void);

#endif
