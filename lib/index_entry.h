/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index_entry - an entry as the parts of the index see it: index.c has the table of
 * them, index_names.c the lists of each host and service, index_due.c the deadlines,
 * and index_find.c looks through them.
 */
#ifndef INDEX_ENTRY_H
#define INDEX_ENTRY_H

#include "index.h"

enum { CHUNK = 1024 };		/* entries */

/* Entries are numbered from 1 and refer to one another by number, so that one is
 * 64 bytes: a line of the cache, which is what a large index costs. */
struct link { uint32_t prev, next; };

/* A host or a service that some entry has. */
struct name {
	struct name *chain;
	uint32_t first, last, hash, n;
	bool nil;
	char text[];
};

struct entry {
	struct event *ev;		/* NULL: a free one; due.next is the next */
	int64_t deadline;		/* steady */
	struct name *name[2];		/* its host, its service */
	struct link with[2];		/* others of that host, of that service */
	struct link due;		/* others of the same bucket */
	uint32_t hash, bucket;
};
_Static_assert(sizeof(struct entry) == 64, "an entry is a line of the cache");

extern struct entry **entry_chunks;	/* as many as there ever were entries for */
extern size_t entry_n_chunks;

static inline struct entry *entry_at(uint32_t n)
{
	return &entry_chunks[n / CHUNK][n % CHUNK];
}

/* How many walks have begun that ask what is older than they are: events bear the number.  It
 * comes round after 2^32 of them, that is, ten a second for 13 years; half of it is told apart. */
extern uint32_t entry_moment;

struct event *entry_take_out(uint32_t at);	/* of all lists; its event is the caller's */

/* which: 0 a host, 1 a service; NULL is a name, too. */
struct name *names_find(int which, const char *s);
struct name *names_get(int which, const char *s);	/* made where there is none; NULL: no memory */
void names_drop(int which, struct name *n);		/* if no entry has it */
void names_join(struct name *n, uint32_t at, int which);
void names_leave(struct entry *e, int which);
void names_free(void);

void due_join(uint32_t at);
void due_leave(struct entry *e);
void due_free(void);

#endif
