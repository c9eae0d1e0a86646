/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk - sat_index_walk(): the index in slices, as fast as whoever asked takes it.
 *
 * Nothing that was found is held, so that one who is slow costs nothing but his place.
 */
#ifndef WALK_H
#define WALK_H

#include <satellite/module.h>

bool walk_turn(void);			/* a turn's share for all of them; true: there is more to do */
void walk_free(void);			/* all end, with -ECANCELED */
void walk_budget(int64_t each);		/* for tests: microseconds of a turn; 0: the least that is a step */

#endif
