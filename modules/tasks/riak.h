/* SPDX-License-Identifier: Apache-2.0 */
/*
 * riak - another store of records: a Riak, or what speaks its HTTP.
 *
 *   riak   its settings, how it is asked, how it stands
 *   send   records that it lacks go there
 *   look   what it has under a task's id; for send, and for questions
 */
#ifndef RIAK_H
#define RIAK_H

#include "tasks.h"

#define CLOCK "X-Riak-Vclock"
enum { URLS_MAX = 16, PARALLEL = 4, BATCH = 256, SEEKS_MAX = 64, SIBLINGS_MAX = 16 };

/* What is had under an id: the last, where there are siblings. */
struct look {
	struct riak *r;
	struct sat_call *call;
	unsigned url;			/* which is asked */
	const char *id;			/* the owner's */
	void (*done)(struct look *l, int rc, const char *why);	/* -ENOENT: there is none; then look_free() */
	char *clock;			/* of all that is there: the header for what takes its place; NULL: none */
	char *siblings;			/* their tags, NUL-ended, then "" */
	const char *next;		/* of them; NULL: not that far */
	struct sat_buf body;
	struct stored *stored;		/* NULL: JSON, but nothing that we know of that task */
	bool found, odd;		/* odd: there is what is no JSON */
};

struct put {
	struct riak *r;
	struct record *record;		/* NULL: idle */
	struct sat_call *call;
	struct look look;
	unsigned url;			/* which is asked */
	bool over;			/* it takes the place of what is there, */
	char *clock;			/* which has this header; NULL: none */
};

struct seek {
	struct seek *next, **link;
	struct look look;
	struct ask *ask;
	unsigned tries;			/* of the URLs */
	int rc;				/* of looking it up here */
};

struct riak {
	struct tasks *t;
	struct sat_self *self;
	char *urls[URLS_MAX];
	unsigned n_urls, url;		/* which is asked */
	char *path;			/* "/buckets/B/keys/" */
	struct sat_fetch how;		/* it is asked: credentials, certificates, timeout */
	int64_t max_unsent;
	int64_t unsent;			/* records in the file, by its last job */

	struct record *todo;
	struct record *sent;		/* and not marked so yet */
	struct put puts[PARALLEL];
	unsigned n_puts;		/* under way */
	struct sat_alarm again;
	int64_t not_before, backoff;
	bool ill, stopping;
	struct sat_log_limit refusals;

	struct seek *seeks;
	unsigned n_seeks;
};

/* what: `how`, and what is to be done; more: what stands behind the key, "" or "?vtag=…".
 * NULL: it is not asked, out of memory. */
struct sat_call *riak_ask(struct riak *r, unsigned url, struct sat_fetch *what, const char *id, const char *more,
			  void *arg);
bool riak_legal(const char *id);		/* it can be a key */
const char *riak_advice(const struct riak *r, int status);
/* And a pause. */
void riak_trouble(struct riak *r, unsigned url, const char *what, const struct sat_answer *answer);
void riak_well(struct riak *r);

void send_pump(struct riak *r);
void send_stop(struct riak *r);
void send_let_go(struct riak *r, struct record *list);	/* no longer ours to send */

int look_begin(struct look *l);
void look_free(struct look *l);			/* none is under way */
void seek_stop(struct riak *r);

#endif
