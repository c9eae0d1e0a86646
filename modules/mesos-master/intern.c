/* SPDX-License-Identifier: Apache-2.0 */
/* intern - texts kept once each, and counted: two are the same where their pointers are. */
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

#include "intern.h"

struct text {
	struct table_link link;		/* its mark counts the references */
	char text[];
};

const char intern_none[] = "";

static struct text *text_of(const char *text)
{
	return SAT_OWNER(text, struct text, text);	/* ours, whoever has it */
}

static uint32_t hash_of(const char *text)
{
	uint64_t h = sat_hash(0, text);

	return (uint32_t)(h ^ h >> 32);
}

static struct text *find(const struct intern *in, const char *text, uint32_t hash)
{
	uint32_t at;
	struct table_link *l = table_find(&in->table, hash, &at);

	while (l != NULL && strcmp(((struct text *)l)->text, text) != 0)
		l = table_same(&in->table, hash, &at);
	return (struct text *)l;
}

const char *intern(struct intern *in, const char *text)
{
	uint32_t hash = hash_of(text);
	size_t size = sizeof(struct text) + strlen(text) + 1;
	struct text *t;

	if (text[0] == '\0')
		return intern_none;
	t = find(in, text, hash);
	if (t != NULL) {
		t->link.mark++;
		return t->text;
	}
	if (in->max != 0 && in->bytes + size > in->max)
		return NULL;
	t = malloc(size);
	if (t == NULL)
		return NULL;
	if (table_add(&in->table, &t->link, hash) != 0) {
		free(t);
		return NULL;
	}
	memcpy(t->text, text, size - sizeof(*t));
	t->link.mark = 1;
	in->bytes += size;
	return t->text;
}

const char *intern_find(const struct intern *in, const char *text)
{
	struct text *t;

	if (text[0] == '\0')
		return intern_none;
	t = find(in, text, hash_of(text));
	return t != NULL ? t->text : NULL;
}

void intern_expect(const struct intern *in, const char *text)
{
	table_expect(&in->table, hash_of(text));
}

void intern_drop(struct intern *in, const char *text)
{
	struct text *t;

	if (text == NULL || text == intern_none)
		return;
	t = text_of(text);
	if (--t->link.mark != 0)
		return;
	table_take(&in->table, &t->link);
	in->bytes -= sizeof(*t) + strlen(text) + 1;
	free(t);
}

uint32_t intern_hash(const char *text)
{
	return text == intern_none ? 0 : text_of(text)->link.hash;
}

void intern_free(struct intern *in)
{
	struct table_link *l = NULL, *next;

	for (l = table_next(&in->table, NULL); l != NULL; l = next) {
		next = table_next(&in->table, l);
		free(l);
	}
	table_free(&in->table);
	in->bytes = 0;
}
