/* SPDX-License-Identifier: Apache-2.0 */
/* table - things found by a hash; each begins with its link, and stays where it is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define SIZE_MIN	64u
#define SIZE_MAX_OF	(UINT32_C(1) << 30)

enum { EMPTY, TAKEN, TAGS };	/* a hash among these is one of the next */

static uint32_t tag_of(uint32_t hash)
{
	return hash < TAGS ? hash + TAGS : hash;
}

static uint32_t after(const struct table *t, uint32_t i)
{
	return (i + 1) & (t->size - 1);
}

/* The first slot from i on that bears this tag, or is EMPTY. */
static uint32_t seek(const struct table *t, uint32_t tag, uint32_t i)
{
	while (t->tags[i] != tag && t->tags[i] != EMPTY)
		i = after(t, i);
	return i;
}

static void put(struct table *t, struct table_link *l, uint32_t tag)
{
	uint32_t i = tag & (t->size - 1);

	while (t->tags[i] >= TAGS)
		i = after(t, i);
	t->used += t->tags[i] == EMPTY;
	t->tags[i] = tag;
	t->slots[i] = l;
}

/* Of twice the size, or of the same without what was TAKEN. */
static int renew(struct table *t)
{
	struct table old = *t;
	uint32_t i, size = t->size == 0 ? SIZE_MIN : t->n >= t->size / 2 && t->size < SIZE_MAX_OF ? t->size * 2 : t->size;
	struct table_link **slots = malloc(size * (sizeof(*slots) + sizeof(*t->tags)));

	if (slots == NULL)
		return -ENOMEM;
	t->slots = slots;
	t->tags = (uint32_t *)(void *)(slots + size);
	t->size = size;
	t->used = 0;
	t->renewed++;
	memset(t->tags, EMPTY, size * sizeof(*t->tags));
	for (i = 0; i < old.size; i++)
		if (old.tags[i] >= TAGS)
			put(t, old.slots[i], old.tags[i]);
	free(old.slots);
	return 0;
}

/* One that cannot grow gets slower, until one slot is left to end searches. */
int table_add(struct table *t, struct table_link *l, uint32_t hash)
{
	if (t->used >= t->size - t->size / 4 && renew(t) != 0 && t->used + 1 >= t->size)
		return -ENOMEM;
	l->hash = hash;
	put(t, l, tag_of(hash));
	t->n++;
	return 0;
}

struct table_link *table_at(const struct table *t, uint32_t slot)
{
	return t->tags[slot] >= TAGS ? t->slots[slot] : NULL;
}

static uint32_t slot_of(const struct table *t, const struct table_link *l)
{
	uint32_t tag = tag_of(l->hash), i = seek(t, tag, tag & (t->size - 1));

	while (t->slots[i] != l)
		i = seek(t, tag, after(t, i));
	return i;
}

void table_take(struct table *t, struct table_link *l)
{
	uint32_t i = slot_of(t, l);

	t->n--;
	t->tags[i] = TAKEN;
	/* No search goes through what stands before an EMPTY one. */
	if (t->tags[after(t, i)] != EMPTY)
		return;
	for (; t->tags[i] == TAKEN; i = (i - 1) & (t->size - 1)) {
		t->tags[i] = EMPTY;
		t->used--;
	}
}

static struct table_link *found(const struct table *t, uint32_t tag, uint32_t i, uint32_t *at)
{
	*at = seek(t, tag, i);
	return t->tags[*at] == tag ? t->slots[*at] : NULL;
}

struct table_link *table_find(const struct table *t, uint32_t hash, uint32_t *at)
{
	uint32_t tag = tag_of(hash);

	return t->size == 0 ? NULL : found(t, tag, tag & (t->size - 1), at);
}

struct table_link *table_same(const struct table *t, uint32_t hash, uint32_t *at)
{
	return found(t, tag_of(hash), after(t, *at), at);
}

void table_expect(const struct table *t, uint32_t hash)
{
	uint32_t i = tag_of(hash) & (t->size - 1);

	if (t->size == 0)
		return;
	__builtin_prefetch(&t->tags[i]);
	__builtin_prefetch(&t->slots[i]);
}

struct table_link *table_next(const struct table *t, const struct table_link *l)
{
	uint32_t i = l == NULL ? 0 : slot_of(t, l) + 1;

	while (i < t->size && t->tags[i] < TAGS)
		i++;
	return i < t->size ? t->slots[i] : NULL;
}

void table_free(struct table *t)
{
	free(t->slots);
	*t = (struct table){ 0 };
}
