/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claim - leadership among those who share a store: an epoch and a beat in it.
 *
 * leader/epoch changes hands only by a commit that replaces the beat as it was seen;
 * leader/beat is set twice a second by who holds the epoch.  A claim is a lease of
 * 2 s of CLOCK_BOOTTIME from when the last confirmed beat was sent, so that one who
 * was stopped finds out before he acts.
 */
#ifndef CLAIM_H
#define CLAIM_H

#include "self.h"

#define CLAIM_LEASE	(2 * SAT_SECOND)

/* FREE: once nobody has beaten for 3 s.  NOW: whoever holds it. */
enum claim_want { CLAIM_NOT, CLAIM_FREE, CLAIM_NOW };

/* changed(): look at claim_until() again. */
void claim_init(void (*changed)(void));
/* The store to claim in, held until it is called again; NULL: none.  What is held is given up. */
void claim_use(struct sat_self *store);
bool claim_used(void);
bool claim_lies_in(const struct sat_self *store);
void claim_want(enum claim_want want);
int64_t claim_until(void);		/* clock_boot(); 0: not ours */
uint64_t claim_epoch(void);		/* as long as it is ours */
/* What a deposed holder's commit fails at. */
void claim_fence(struct sat_change *check);
/* Whether what came then came before the process began, some 5 s more or less, that now holds it: it
 * does not know of that.  false for the first 10 s, and where the holder does not say. */
bool claim_came_before(int64_t when);
/* How long nobody's beat was seen, while this process ran; microseconds, in steps of half a second. */
int64_t claim_silence(void);
#define CLAIM_QUIET	(5 * SAT_SECOND)	/* longer than a lease and a take-over last */
bool claim_synced(void);		/* the store is read right now */
bool claim_resigned(void);		/* who held it last gave it up, and nobody has taken over since */
/* Who holds it, or held it last, as far as is known: his sat_host(); NULL: nobody has. */
const char *claim_holder(void);

#endif
