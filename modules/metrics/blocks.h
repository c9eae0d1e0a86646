/* SPDX-License-Identifier: Apache-2.0 */
/* blocks - a text in pieces: it grows without being moved, and goes piece by piece. */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

struct block {
	struct block *next;
	size_t len, size;
	char text[];
};

struct blocks {			/* zero at first */
	struct block *first, *last;
	size_t len;		/* of the text */
	size_t held;		/* bytes of memory */
};

bool blocks_add(struct blocks *b, const void *p, size_t n);	/* false: out of memory, and nothing was added */
char *blocks_room(struct blocks *b, size_t *n);	/* some, to be filled in; NULL: out of memory */
void blocks_fill(struct blocks *b, size_t n);	/* so much of it was */
bool blocks_join(struct blocks *to, struct blocks *from);	/* at the end, and leaves from empty; likewise */
void blocks_drop(struct blocks *b);		/* the first */
void blocks_free(struct blocks *b);

#endif
