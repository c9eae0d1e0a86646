/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - the engine's one clock.
 *
 * Live: the wall for stamps, CLOCK_BOOTTIME for deadlines, read once a loop
 * turn.  The steady reading advances by at most 1 s a turn beyond what the loop
 * meant to sleep; a stall over 5 s (a stopped process, a suspended machine) is
 * cut out of it, since nothing can be said of who was silent meanwhile, and
 * makes the clock late for 60 s.  Virtual: both readings are what clock_set() says.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>

void clock_live(void);
void clock_virtual(int64_t now);
void clock_turn(void);			/* a new loop turn: read anew when next asked */
void clock_expect(int64_t next);	/* before the loop sleeps: until when, steady */
void clock_set(int64_t now);		/* virtual only; never goes back */
int64_t clock_steady(void);		/* what sat_clock() gives */
int64_t clock_wall(void);		/* what sat_wall() gives */
int64_t clock_pretend(int64_t steady);	/* until it is called with what it gave; no turn between */
bool clock_late(void);			/* expiry and guard are frozen */
bool clock_behind(void);		/* catching up after a stall: do not sleep */
int64_t clock_boot(void);		/* CLOCK_BOOTTIME itself, for leases [any thread] */

/* For tests: where live readings come from; NULL: the system's. */
struct clock_source { int64_t (*steady)(void); int64_t (*wall)(void); };
void clock_source(const struct clock_source *s);

#endif
