/* SPDX-License-Identifier: Apache-2.0 */
/* event - the host's side of an event: loans, lasting copies, fields. */
#ifndef EVENT_H
#define EVENT_H

#include <string.h>
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
	uint32_t room;		/* a lasting one: bytes for strings and arrays */
	union {
		uint32_t hops;	/* how many emits it is away from the outside */
		uint32_t born;	/* of the index: the moment after which its entry came, */
	};
	uint32_t changed;	/* and the one after which it last changed: see index_walk_begin() */
	/* A lasting one has its arrays and strings from here on, and nothing of what follows. */
	_Alignas(8) struct event *kept;	/* its lasting copy, a reference of ours */
	struct event *next;	/* kept, too: the list that events_settle() ends */
	/* Of a message's event, by which the index finds its entry; 0 where the text is nil. */
	uint32_t hash, host_len, service_len, state_len, description_len;
};
#define EVENT_LASTING offsetof(struct event, kept)

/* Whether n bytes are the same: most texts are short, and a call of memcmp() is dear. */
static inline bool same_bytes(const char *a, const char *b, size_t n)
{
	uint64_t x, y, differ = 0;

	if (n < 8) {
		for (size_t i = 0; i < n; i++)
			differ |= (unsigned char)(a[i] ^ b[i]);
		return differ == 0;
	}
	for (size_t i = 0; i + 8 < n; i += 8) {
		memcpy(&x, a + i, 8);
		memcpy(&y, b + i, 8);
		differ |= x ^ y;
	}
	memcpy(&x, a + n - 8, 8);
	memcpy(&y, b + n - 8, 8);
	return (differ | (x ^ y)) == 0;
}

/* Whether a text of a lasting event is this one, of n bytes without its NUL. */
static inline bool event_has(const struct event *ev, const char *text, const char *s, size_t n)
{
	const char *end = (const char *)ev + EVENT_LASTING + ev->room;

	if (text == NULL || s == NULL)
		return text == s;
	return (size_t)(end - text) > n && text[n] == '\0' && same_bytes(text, s, n);
}

static inline struct event *event_of(const struct sat_event *ev)
{
	return (struct event *)(uintptr_t)ev;
}

/* The length of a text of an event, which is known of a message's. */
static inline size_t event_text_len(const struct sat_event *ev, const char *text)
{
	const struct event *loan = event_of(ev);

	if (loan->refs == 0 && loan->hash != 0) {
		if (text == ev->host)
			return loan->host_len;
		if (text == ev->service)
			return loan->service_len;
	}
	return strlen(text);
}

enum event_field { FIELD_HOST = 1, FIELD_SERVICE, FIELD_STATE, FIELD_DESCRIPTION, FIELD_METRIC,
	FIELD_TAGS, FIELD_TIME, FIELD_TTL, FIELD_ATTR };

/* A loan in the arena, out of any sat_event (of a module's size, too); what it
 * points to is borrowed.  from NULL: all nil.  NULL: no memory. */
struct event *event_loan(struct arena *a, const struct sat_event *from);
/* A lasting event out of any sat_event: one allocation, refs 1. */
struct event *event_copy(const struct sat_event *from);
/* The same, unless the events' share of memory-max is full, which is counted. */
struct event *event_copy_within(const struct sat_event *from);
/* The same into a lasting one that nobody else holds.  false: no room there. */
bool event_refill(struct event *into, const struct sat_event *from);
/* The same for a message's event that has the host and service of `into`. */
bool event_renew(struct event *into, const struct event *from);
/* As sat_keep(), whether there is room or not: of what is bounded otherwise, and must not be lost. */
const struct sat_event *event_keep(const struct sat_event *ev);
/* End all loans of this push: let go of the lasting copies that they hold. */
void events_settle(void);
/* In the order of hosts, then services; nil comes before the empty string. */
int event_by_name(const struct sat_event *a, const struct sat_event *b);
/* Its time + ttl on the steady clock; INT64_MAX: a hundred years and more. */
int64_t event_deadline(const struct sat_event *ev, double ttl);

#endif
