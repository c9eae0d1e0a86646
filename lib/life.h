/* SPDX-License-Identifier: Apache-2.0 */
/* life - the setup that runs: started, replaced by the next, stopped. */
#ifndef LIFE_H
#define LIFE_H

#include "setup.h"

int life_init(void);
void life_end(void);		/* where nothing was ever swapped in */
/* Put an opened setup in the place of the one that runs (if any): adopt what
 * it had, start what is new, stop the rest.  Takes s. */
void life_swap(struct setup *s);
/*
 * Stop all, in order: checks, what brings events in, then quiet(), which may
 * save; outputs, and the instances, the last started first.  done() follows.
 */
void life_stop(void (*quiet)(void), void (*done)(void));
/* Log the name of everything that has not stopped.  true: events may be lost with it, or what is kept. */
bool life_overdue(void);
/* After done(): checks still run, and use what they had: nothing may be freed. */
bool life_left(void);

struct setup *life_setup(void);	/* the running one, or NULL */

#endif
