/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - the engine's one clock.
 *
 * Live: the wall for stamps, CLOCK_BOOTTIME for deadlines, sampled once a loop
 * turn; after a stall the steady reading advances by at most 1 s a turn, and a
 * gap over 5 s makes it late for 60 s.  Virtual: both are what clock_set() says.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>

void clock_live(void);
void clock_virtual(int64_t now);
bool clock_is_virtual(void);
void clock_sample(void);		/* once a loop turn; no effect when virtual */
void clock_set(int64_t now);		/* virtual only; never goes back */
int64_t clock_steady(void);		/* what sat_clock() gives */
int64_t clock_wall(void);		/* what sat_wall() gives */
bool clock_late(void);			/* expiry and guard are frozen */
bool clock_behind(void);		/* still catching up after a stall */

/* For tests: where live readings come from. */
struct clock_source { int64_t (*steady)(void); int64_t (*wall)(void); };
void clock_source(const struct clock_source *s);	/* NULL: the system's */

#endif
