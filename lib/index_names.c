/* SPDX-License-Identifier: Apache-2.0 */
/* index_names - the hosts and the services of the index, each with a list of its entries. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "hash.h"
#include "index_entry.h"

struct names { struct name **slots; size_t size, n; };

static struct names names[2];

static uint32_t hash_of(const char *s)
{
	return s != NULL ? hash_bytes(s, strlen(s)) : 1;
}

struct name *names_find(int which, const char *s)
{
	const struct names *t = &names[which];
	uint32_t hash = hash_of(s);
	struct name *n;

	if (t->size == 0)
		return NULL;
	for (n = t->slots[hash & (t->size - 1)]; n != NULL; n = n->chain)
		if (n->hash == hash && n->nil == (s == NULL) && (s == NULL || strcmp(n->text, s) == 0))
			return n;
	return NULL;
}

/* With its place in a table that is up to half empty. */
static int64_t weight(size_t len)
{
	return (int64_t)(sizeof(struct name) + len + 1 + 2 * sizeof(struct name *) + ACCOUNT_CHUNK);
}

static int make_room(struct names *t)
{
	size_t more = t->size != 0 ? 2 * t->size : 256;
	struct name **p, *n;

	if (t->n < t->size)
		return 0;
	p = calloc(more, sizeof(struct name *));
	if (p == NULL)
		return t->size != 0 ? 0 : -ENOMEM;
	for (size_t i = 0; i < t->size; i++)
		while ((n = t->slots[i]) != NULL) {
			t->slots[i] = n->chain;
			n->chain = p[n->hash & (more - 1)];
			p[n->hash & (more - 1)] = n;
		}
	free(t->slots);
	t->slots = p;
	t->size = more;
	return 0;
}

struct name *names_get(int which, const char *s)
{
	struct names *t = &names[which];
	struct name *n = names_find(which, s);
	size_t len = s != NULL ? strlen(s) : 0;

	if (n != NULL)
		return n;
	if (make_room(t) != 0)
		return NULL;
	n = calloc(1, sizeof(*n) + len + 1);
	if (n == NULL)
		return NULL;
	account_add(ACCOUNT_EVENTS, weight(len));
	n->hash = hash_of(s);
	n->nil = s == NULL;
	if (s != NULL)
		memcpy(n->text, s, len);
	n->chain = t->slots[n->hash & (t->size - 1)];
	t->slots[n->hash & (t->size - 1)] = n;
	t->n++;
	return n;
}

void names_drop(int which, struct name *n)
{
	struct names *t = &names[which];
	struct name **at = &t->slots[n->hash & (t->size - 1)];

	if (n->n != 0)
		return;
	while (*at != n)
		at = &(*at)->chain;
	*at = n->chain;
	t->n--;
	account_add(ACCOUNT_EVENTS, -weight(strlen(n->text)));
	free(n);
}

void names_join(struct name *n, uint32_t at, int which)
{
	struct entry *e = entry_at(at);

	e->name[which] = n;
	e->with[which] = (struct link){ n->last, 0 };
	*(n->last != 0 ? &entry_at(n->last)->with[which].next : &n->first) = at;
	n->last = at;
	n->n++;
}

void names_leave(struct entry *e, int which)
{
	struct name *n = e->name[which];
	struct link *l = &e->with[which];

	*(l->prev != 0 ? &entry_at(l->prev)->with[which].next : &n->first) = l->next;
	*(l->next != 0 ? &entry_at(l->next)->with[which].prev : &n->last) = l->prev;
	n->n--;
	names_drop(which, n);
}

/* No entry is left. */
void names_free(void)
{
	for (int i = 0; i < 2; i++) {
		free(names[i].slots);
		names[i] = (struct names){ 0 };
	}
}
