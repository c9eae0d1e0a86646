/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search - queries that are answered in slices, so that none of them holds up the loop.
 *
 * A turn has some milliseconds for them all.  Those that a host's or a service's
 * few entries answer go first; of the others one is under way at a time, so
 * that only one holds what it has found.
 *
 * What is found: an entry that is there from the beginning of the search to its
 * end is found once, as it was at some moment between; one that comes or goes
 * meanwhile is found or not.  They are handed out in the order of their names.
 */
#ifndef SEARCH_H
#define SEARCH_H

#include <satellite/module.h>

struct search;

struct search_calls {
	int (*found)(void *arg, const struct sat_event *ev);	/* not 0 ends it, and is its rc */
	void (*done)(void *arg, int rc);	/* last, unless it is stopped; maybe from inside of search_start() */
};

/* Takes q, on failure, too.  *later: what search_stop() wants, NULL once it is done.
 * later NULL: do all of it now.  -ENOMEM: no call was made. */
int search_start(struct sat_query *q, const struct search_calls *calls, void *arg, struct search **later);
void search_stop(struct search *s);	/* no call comes any more; NULL is fine */
bool search_turn(void);			/* a turn's share; true: there is more to do */
size_t search_waiting(void);		/* how many have begun, or wait to */
void search_free(void);
void search_budget(int64_t each);	/* for tests: microseconds of a turn; 0: the least that is a step */

#endif
