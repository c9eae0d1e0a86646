/* SPDX-License-Identifier: Apache-2.0 */
/* event - the host's side of an event: loans, lasting copies, fields. */
#ifndef EVENT_H
#define EVENT_H

#include <satellite/module.h>
#include "arena.h"

/*
 * Every event that the host hands out is one of these.  On loan (refs 0) it
 * lives in a push's arena or a message's buffer; sat_keep() then makes the one
 * lasting copy, to which `kept` points until the push ends.
 */
struct event {
	struct sat_event pub;	/* first: a sat_event of the host's is an event */
	uint32_t refs;		/* 0: on loan */
	uint32_t hops;		/* how many emits it is away from the outside */
	uint32_t room;		/* a lasting one: bytes behind it for strings and arrays */
	struct event *kept;	/* on loan: its lasting copy, a reference of ours */
	struct event *next;	/* on loan and kept: the list that events_settle() ends */
};

static inline struct event *event_of(const struct sat_event *ev)
{
	return (struct event *)(uintptr_t)ev;
}

enum event_field { FIELD_HOST = 1, FIELD_SERVICE, FIELD_STATE, FIELD_DESCRIPTION, FIELD_METRIC,
	FIELD_TAGS, FIELD_TIME, FIELD_TTL, FIELD_ATTR };

/* A loan in the arena, out of any sat_event (of a module's size, too); what it
 * points to is borrowed.  from NULL: all nil.  NULL: no memory. */
struct event *event_loan(struct arena *a, const struct sat_event *from);
/* A lasting event out of any sat_event: one allocation, refs 1. */
struct event *event_copy(const struct sat_event *from);
/* The same into a lasting one that nobody else holds.  false: no room there. */
bool event_refill(struct event *into, const struct sat_event *from);
/* End all loans of this push: let go of the lasting copies that they hold. */
void events_settle(void);
/* Its time + ttl on the steady clock; INT64_MAX: a hundred years and more. */
int64_t event_deadline(const struct sat_event *ev, double ttl);

#endif
