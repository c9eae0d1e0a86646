/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account - how much memory each kind of thing holds, and the most that it may.
 *
 * The setting `memory-max` is divided: each account has its share, so that a flood of
 * one kind takes nothing from the others.  What is held is a gauge of the host's.
 */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "self.h"

/* Those of modules, then the host's own. */
enum account {
	ACCOUNT_BUFFERS = SAT_BUFFERS, ACCOUNT_QUEUES = SAT_QUEUES, ACCOUNT_RINGS = SAT_RINGS,
	ACCOUNT_EVENTS,		/* lasting copies, and the index's tables */
	ACCOUNT_FORKS,
	ACCOUNT_N
};

#define ACCOUNT_LEAST (INT64_C(16) << 20)	/* of `memory-max` */
#define ACCOUNT_CHUNK 16	/* bytes that malloc() adds to each */

extern _Atomic int64_t account_shares[ACCOUNT_N];	/* account_limit() sets them; before: any */

/* Divide `max` bytes.  What is held beyond goes as its owners let go of it. */
void account_limit(int64_t max);
/* A quarter of this machine's memory, or of what its control groups leave this process.
 * root: in front of /proc and /sys, "" but for tests. */
int64_t account_default(const char *root);
void account_forget(struct sat_self *self);	/* give back what an instance has not */

/* The events' and the forks' are the loop thread's alone, and cost next to nothing. */
static inline void account_add(enum account a, int64_t bytes)
{
	_Atomic int64_t *held = &self_host.counters[SELF_MEMORY_BUFFERS + a];

	atomic_store_explicit(held, atomic_load_explicit(held, memory_order_relaxed) + bytes, memory_order_relaxed);
}

/* Whether `bytes` more go into `part` sixteenths of its share. */
static inline bool account_has_room(enum account a, int64_t bytes, int part)
{
	int64_t held = atomic_load_explicit(&self_host.counters[SELF_MEMORY_BUFFERS + a], memory_order_relaxed);

	return held + bytes <= atomic_load_explicit(&account_shares[a], memory_order_relaxed) / 16 * part;
}

#endif
