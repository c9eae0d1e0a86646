/* SPDX-License-Identifier: Apache-2.0 */
/* tally - the tasks that ended in a sliding window, by host and framework; each once. */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TALLY_MAX = 1 << 18,	/* tasks in the window; then the oldest leave it early */
	/* Frameworks that are told apart on a host, each of which costs a look a task; those beyond count
	 * together, by the name TALLY_REST, as do tasks that name none. */
	TALLY_CELLS = 1024,
	TALLY_NAME = 255	/* bytes of a name: what is longer is cut */
};
#define TALLY_REST	""
/* A host counts for no more tasks of a framework than these when others are compared with it,
 * since a black hole has very many. */
#define TALLY_SHARE	10u
#define TALLY_PARTS	(1u << 20)	/* of a task: whole numbers, so that sums never drift */

struct party {			/* a host, or a framework */
	struct party *next;	/* of its bucket */
	uint32_t samples;	/* that name it */
	/* of a host */
	struct cell *cells;	/* one a framework */
	uint32_t n_cells, room;
	/* of a framework: what its hosts count for, and what of that those do that are suspected */
	struct sum { uint64_t tasks, failed; uint32_t hosts; } all, suspected;	/* failed: in parts */
	bool critical;		/* a framework's is the caller's, a host's for tally_suspect() */
	/* the caller's */
	int64_t told;		/* clock; 0: never */
	int64_t since;		/* clock: of a framework, when its first task ended */
	char name[];
};
struct cell { struct party *framework; uint32_t tasks, failed; };

struct ended {
	int64_t until;		/* then it leaves the window */
	struct party *host, *framework;
	uint64_t task;		/* a hash of its id; 0: it has none */
	uint64_t older;		/* the next of its bucket, by its serial number; see tally.c */
	bool failed;
};

struct parties { struct party **buckets; size_t n_buckets, n; };
struct tally {
	struct ended *ring;
	size_t size, first, n;
	uint64_t *tasks;	/* by hash: the latest of the bucket */
	uint64_t serial;	/* of the first; those after it follow */
	struct parties hosts, frameworks;
};

struct tally *tally_new(void);
void tally_free(struct tally *t);
uint64_t tally_hash(uint64_t h, const char *id);	/* of h and this; the same in every process; not 0 */
/* 1: counted, and *host and *framework are its; 0: that task is counted already; -ENOMEM. */
int tally_add(struct tally *t, const char *host, const char *framework, uint64_t task, bool failed, int64_t until,
	      struct party **h, struct party **f);
bool tally_full(const struct tally *t);
const struct ended *tally_at(const struct tally *t, size_t i);	/* 0: the first to leave; NULL: none */
/* Take the first out; its parties stay until they are let go of. */
void tally_pop(struct tally *t, struct party **host, struct party **framework);
void tally_let_go(struct tally *t, struct party *host, struct party *framework);	/* free what nobody names */
struct party *tally_host(const struct tally *t, const char *name);	/* NULL: not there */
void tally_suspect(struct party *host, bool is);
/* What other hosts count for in a cell of this one. */
void tally_peers(const struct cell *c, double *tasks, double *failed, uint32_t *hosts);

#endif
