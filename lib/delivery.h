/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delivery - the log of alerts that masters share: which are claimed by who acts, which are sent.
 *
 * It lies in the store under alerts/, in 16 slots that are written one after the other and
 * round again.  Only who acts writes, a slot at a time, behind the fence of his epoch; all
 * that was to be written meanwhile goes with the next write.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "self.h"

#define DELIVERY_LASTS	(240 * SAT_SECOND)	/* an entry; what is younger may be written over, counted */

struct delivery_id { uint64_t v[2]; };
enum delivery_mark { DELIVERY_NONE, DELIVERY_CLAIMED, DELIVERY_SENT };

/* changed(): another wrote, or what we wrote is there. */
void delivery_init(void (*changed)(void));
/* The store that masters share, until it is called again; NULL: none. */
void delivery_use(struct sat_self *store);
bool delivery_known(void);		/* what others wrote is known */
/* What the log has of it; ours: by this process, since it last came to act. */
enum delivery_mark delivery_look(const struct delivery_id *id, bool *ours);
/* To be written; the number of that, 0: there is no room. */
uint64_t delivery_write(const struct delivery_id *id, enum delivery_mark mark);
uint64_t delivery_written(void);	/* all numbers up to this one are in the store */
/* Try again what was not to be had; whether there is more to do. */
bool delivery_turn(void);

#endif
