/* SPDX-License-Identifier: Apache-2.0 */
/* arena - memory that is given back all at once, in chunks that are reused. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

enum { CHUNK = 64 * 1024, KEEP = 1024 * 1024, MAX = 64 * 1024 * 1024 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	_Alignas(16) unsigned char bytes[];
};

/* Go on to a chunk that has room for size bytes. */
static int more(struct arena *a, size_t size)
{
	struct arena_chunk **at = a->now != NULL ? &a->now->next : &a->first;
	size_t want = size > CHUNK ? size : CHUNK;
	struct arena_chunk *c;

	if (*at == NULL || (*at)->size < size) {
		size_t max = a->max != 0 ? a->max : MAX;

		if (want > max || a->total > max - want)
			return -1;
		c = malloc(sizeof(*c) + want);
		if (c == NULL)
			return -1;
		c->size = want;
		c->next = *at;
		*at = c;
		a->total += want;
	}
	a->now = *at;
	a->used = 0;
	return 0;
}

void *arena_raw(struct arena *a, size_t size)
{
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + 15) & ~(size_t)15;
	if ((a->now == NULL || a->now->size - a->used < size) && more(a, size) != 0)
		return NULL;
	p = a->now->bytes + a->used;
	a->used += size;
	return p;
}

void *arena_get(struct arena *a, size_t size)
{
	void *p = arena_raw(a, size);

	return p != NULL ? memset(p, 0, size) : NULL;
}

char *arena_text(struct arena *a, const char *s, size_t n)
{
	char *p = n < SIZE_MAX ? arena_raw(a, n + 1) : NULL;

	if (p != NULL) {
		memcpy(p, s, n);
		p[n] = '\0';
	}
	return p;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk **at = &a->first, *c;
	size_t kept = 0;

	a->now = NULL;
	a->used = 0;
	if (a->total <= KEEP)
		return;
	while ((c = *at) != NULL) {
		if (kept + c->size <= KEEP) {
			kept += c->size;
			at = &c->next;
		} else {
			*at = c->next;
			free(c);
		}
	}
	a->total = kept;
}

void arena_free(struct arena *a)
{
	struct arena_chunk *c;

	while ((c = a->first) != NULL) {
		a->first = c->next;
		free(c);
	}
	a->now = NULL;
	a->used = a->total = 0;
}
