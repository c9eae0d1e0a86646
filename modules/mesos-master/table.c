/* SPDX-License-Identifier: Apache-2.0 */
/* table - things found by a hash; each begins with its link, and stays where it is. */
#include <errno.h>
#include <stdlib.h>

#include "table.h"

#define SIZE_MIN	64u

static struct table_link **slot_of(const struct table *t, uint32_t hash)
{
	return &t->slots[hash & (t->size - 1)];
}

/* One that cannot grow gets slower, no worse. */
static int grow(struct table *t)
{
	struct table old = *t;
	uint32_t i, size = t->size == 0 ? SIZE_MIN : t->size * 2;
	struct table_link **slots = calloc(size, sizeof(*slots));

	if (slots == NULL)
		return t->size == 0 ? -ENOMEM : 0;
	t->slots = slots;
	t->size = size;
	for (i = 0; i < old.size; i++)
		for (struct table_link *l = old.slots[i], *next; l != NULL; l = next) {
			struct table_link **at = slot_of(t, l->hash);

			next = l->next;
			l->next = *at;
			*at = l;
		}
	free(old.slots);
	return 0;
}

int table_add(struct table *t, struct table_link *l, uint32_t hash)
{
	struct table_link **at;

	if (t->n >= t->size && t->size < UINT32_C(1) << 30 && grow(t) != 0)
		return -ENOMEM;
	at = slot_of(t, hash);
	l->hash = hash;
	l->next = *at;
	*at = l;
	t->n++;
	return 0;
}

void table_take(struct table *t, struct table_link *l)
{
	struct table_link **at = slot_of(t, l->hash);

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	t->n--;
}

static struct table_link *of_hash(struct table_link *l, uint32_t hash)
{
	while (l != NULL && l->hash != hash)
		l = l->next;
	return l;
}

struct table_link *table_find(const struct table *t, uint32_t hash)
{
	return t->size == 0 ? NULL : of_hash(*slot_of(t, hash), hash);
}

struct table_link *table_same(const struct table_link *l)
{
	return of_hash(l->next, l->hash);
}

struct table_link *table_next(const struct table *t, const struct table_link *l)
{
	uint32_t i = 0;

	if (l != NULL && l->next != NULL)
		return l->next;
	if (l != NULL)
		i = (l->hash & (t->size - 1)) + 1;
	while (i < t->size && t->slots[i] == NULL)
		i++;
	return i < t->size ? t->slots[i] : NULL;
}

void table_free(struct table *t)
{
	free(t->slots);
	*t = (struct table){ 0 };
}
