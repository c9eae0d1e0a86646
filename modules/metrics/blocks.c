/* SPDX-License-Identifier: Apache-2.0 */
/* blocks - a text in pieces: it grows without being moved, and goes piece by piece. */
#include <stdlib.h>
#include <string.h>

#include "blocks.h"

enum { LEAST = 256, MOST = 65536 };	/* bytes of memory of one */

static bool grow(struct blocks *b, size_t n)
{
	size_t size = b->last != NULL && b->last->size < MOST ? 2 * b->last->size : b->last != NULL ? MOST : LEAST;
	struct block *more;

	if (size < sizeof(*more) + n)
		size = sizeof(*more) + n;
	more = malloc(size);
	if (more == NULL)
		return false;
	*more = (struct block){ .size = size };
	*(b->last != NULL ? &b->last->next : &b->first) = more;
	b->last = more;
	b->held += size;
	return true;
}

static size_t room(const struct blocks *b)
{
	return b->last != NULL ? b->last->size - sizeof(*b->last) - b->last->len : 0;
}

bool blocks_add(struct blocks *b, const void *p, size_t n)
{
	if (room(b) < n && !grow(b, n))
		return false;
	if (n > 0)
		memcpy(b->last->text + b->last->len, p, n);
	blocks_fill(b, n);
	return true;
}

char *blocks_room(struct blocks *b, size_t *n)
{
	if (room(b) == 0 && !grow(b, 1))
		return NULL;
	*n = room(b);
	return b->last->text + b->last->len;
}

void blocks_fill(struct blocks *b, size_t n)
{
	if (n == 0)
		return;
	b->last->len += n;
	b->len += n;
}

/* What is small is copied, so that many small ones make no many small pieces. */
bool blocks_join(struct blocks *to, struct blocks *from)
{
	if (from->first == from->last && from->len < MOST / 4) {
		if (from->len > 0 && !blocks_add(to, from->first->text, from->len))
			return false;
		blocks_free(from);
		return true;
	}
	*(to->last != NULL ? &to->last->next : &to->first) = from->first;
	to->last = from->last;
	to->len += from->len;
	to->held += from->held;
	*from = (struct blocks){ 0 };
	return true;
}

void blocks_drop(struct blocks *b)
{
	struct block *gone = b->first;

	b->first = gone->next;
	if (b->first == NULL)
		b->last = NULL;
	b->len -= gone->len;
	b->held -= gone->size;
	free(gone);
}

void blocks_free(struct blocks *b)
{
	while (b->first != NULL)
		blocks_drop(b);
}
