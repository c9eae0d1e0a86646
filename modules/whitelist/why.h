/* SPDX-License-Identifier: Apache-2.0 */
/* why - what the files that explain a host share. */
#ifndef WHY_H
#define WHY_H

#include "whitelist.h"

enum { SHOWN_MAX = 4 };		/* of a kind: it is to fit a screen */

enum source { NOBODY, A_PERSON, A_STREAM, THE_IMPORT, ANOTHER };

/* One host, looked at. */
struct why {
	struct whitelist *wl;
	const struct host *h;
	const struct record *rec;
	enum source source;
	bool on;
	int64_t since;			/* wall; 0: not known */
	bool freed;			/* since a person's word ended that had it otherwise */
	enum flag wish;
	enum verdict verdict;		/* of the wish; GUARD_NOTHING: nothing stands in its way */
};

/* words */
/* Members of an event, or of a decision, as texts; NULL: it has none. */
struct told { char *description, *by, *flag, *cause, *metric; int64_t time; };
struct told told_read(const char *json);
void told_free(struct told *t);
void until_print(int64_t until, struct sat_buf *out);	/* ", until …"; 0: nothing */
void when_print(int64_t t, struct sat_buf *out);
void span_print(int64_t us, struct sat_buf *out);	/* as people count: 90 s, 5 min, 3 h, 2 d */
bool check_fails(const struct rec_event *e);

/* ways */
void why_ways(const struct why *w, struct sat_buf *out);	/* what would change it, a line each */

#endif
