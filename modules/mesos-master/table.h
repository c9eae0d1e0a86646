/* SPDX-License-Identifier: Apache-2.0 */
/* table - things found by a hash; each begins with its link, and stays where it is. */
#ifndef TABLE_H
#define TABLE_H

#include <stdint.h>

struct table_link {
	struct table_link *next;
	uint32_t hash;
	uint32_t mark;		/* the owner's */
};

struct table {			/* zero at first */
	struct table_link **slots;
	uint32_t size, n;
};

int table_add(struct table *t, struct table_link *l, uint32_t hash);	/* -ENOMEM */
void table_take(struct table *t, struct table_link *l);
/* The first of this hash, and the next of the same as l. */
struct table_link *table_find(const struct table *t, uint32_t hash);
struct table_link *table_same(const struct table_link *l);
/* Each in turn, in no order: NULL gives the first.  Take none but the one that came before. */
struct table_link *table_next(const struct table *t, const struct table_link *l);
void table_free(struct table *t);	/* what was in it is the owner's */

#endif
