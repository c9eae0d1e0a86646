/* SPDX-License-Identifier: Apache-2.0 */
/* table - things found by a hash; each begins with its link, and stays where it is. */
#ifndef TABLE_H
#define TABLE_H

#include <stdint.h>

struct table_link {
	uint32_t hash;
	uint32_t mark;		/* the owner's */
};

/* Hashes stand apart: of a thousand lookups those that find nothing touch no link. */
struct table {			/* zero at first */
	struct table_link **slots;
	uint32_t *tags;		/* hashes, of the slots; or EMPTY, or TAKEN */
	uint32_t size, n;
	uint32_t used;		/* slots that are not EMPTY */
	uint32_t renewed;	/* so often all of it moved to other slots */
};

int table_add(struct table *t, struct table_link *l, uint32_t hash);	/* -ENOMEM */
void table_take(struct table *t, struct table_link *l);
/* The first of this hash; then the next of it.  at is theirs. */
struct table_link *table_find(const struct table *t, uint32_t hash, uint32_t *at);
struct table_link *table_same(const struct table *t, uint32_t hash, uint32_t *at);
/* Each in turn, in no order: NULL gives the first.  Take none but the one that came before. */
struct table_link *table_next(const struct table *t, const struct table_link *l);
struct table_link *table_at(const struct table *t, uint32_t slot);	/* NULL: nothing is there */
void table_expect(const struct table *t, uint32_t hash);	/* soon it is looked for */
void table_free(struct table *t);	/* what was in it is the owner's */

#endif
