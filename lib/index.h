/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index - the latest event of each (host, service), and when it expires.
 *
 * A hash table of entries with their host's and service's lists; deadlines lie
 * lazily in a ring of one-second buckets on the steady clock.  Hands out what
 * expired; knows nothing of streams.
 */
#ifndef INDEX_H
#define INDEX_H

#include "event.h"

struct index_conf { double ttl; int64_t reap; const char *const *keep; bool keep_all; size_t max; };

/* New settings: entries stay, and c's strings are borrowed until the next ones. */
void index_init(const struct index_conf *c);
const struct index_conf *index_settings(void);
/* Put, or delete where state is "expired".  Takes nothing.  -ENOBUFS: full. */
int index_put(const struct sat_event *ev);
/* These events (of one array) are likely to be put next: hash them and fetch
 * their entries ahead, since a large index lies in no cache.  No more than
 * INDEX_AHEAD; n 0 before they go. */
#define INDEX_AHEAD 32u
void index_expect(const struct event *events, uint32_t n);
int index_delete(const char *host, const char *service);
const struct sat_event *index_get(const char *host, const char *service);
size_t index_size(void);
/* Each match of q (NULL: all) in turn, by name, as they are now: found() may change the index. */
int index_search(const struct sat_query *q, int (*found)(void *arg, const struct sat_event *ev), void *arg);
/*
 * The same in pieces, in no order and without the matching: what may match, of which
 * what stays from the beginning to the end is met, and what goes meanwhile maybe.
 * What changes or comes after the beginning is also met, or is not:
 *   INDEX_ANY        comes: maybe, so that one which went and came again may be met twice
 *   INDEX_OLD        comes: never.  Each is met once, as it is when its turn comes
 *   INDEX_UNCHANGED  comes or changes: never.  Who hears of those, too, sees each once
 */
enum index_which { INDEX_ANY, INDEX_OLD, INDEX_UNCHANGED };
struct index_walk {
	const struct sat_query *q;
	enum index_which which;
	uint32_t moment, at, end;
	uint32_t *few;		/* NULL: all that there are */
};
#define INDEX_FEW 1024u		/* no more than these are gathered at the beginning */
int index_walk_begin(struct index_walk *w, const struct sat_query *q, enum index_which which);	/* or -ENOMEM */
/* A piece of `most` entries at most; met() changes nothing, and after -EAGAIN gets the same again.
 * false: it is over, or *rc is not 0. */
bool index_walk(struct index_walk *w, uint32_t most, int (*met)(void *arg, const struct sat_event *ev),
		void *arg, int *rc);
/* Of one walk at most: before what it has yet to meet changes or goes, before() gets it.  NULL: no more. */
void index_walk_guard(const struct index_walk *w, void (*before)(const struct sat_event *ev));
void index_walk_end(struct index_walk *w);	/* zeroes are fine */
/*
 * One turn of the reaper at `now` (steady): each entry past its time + ttl is
 * taken out and handed over as an event {host, service, state "expired", time
 * wall} plus what `keep` names, on loan in `a`.  At most `most` of them; true: more are due.
 */
bool index_reap(int64_t now, uint32_t most, struct arena *a,
		void (*expired)(void *arg, struct event *ev, const struct sat_event *was), void *arg);
int64_t index_next(void);	/* when a reaper's turn makes sense next; INT64_MAX: never */
/* For the state file: how long an entry has yet, and to set it after a restart. */
int64_t index_left(const struct sat_event *ev);
void index_set_left(const struct sat_event *ev, int64_t left);
void index_free(void);

#endif
