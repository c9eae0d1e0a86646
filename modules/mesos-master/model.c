/* SPDX-License-Identifier: Apache-2.0 */
/* model - the agents, frameworks and tasks of a Mesos cluster, as last heard: words, texts, and finding them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_inner.h"

/* ---- Words -------------------------------------------------------------- */

static uint8_t flags_of(const char *word)
{
	static const char *const ends[] = {
		"FINISHED", "FAILED", "KILLED", "ERROR", "LOST", "DROPPED", "GONE", "GONE_BY_OPERATOR",
	};
	size_t i;

	if (strncmp(word, "TASK_", 5) != 0)
		return 0;
	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (strcmp(word + 5, ends[i]) == 0)
			return WORD_ENDS | (strcmp(ends[i], "GONE_BY_OPERATOR") == 0 ? WORD_EXPELS : 0);
	return strcmp(word, "TASK_UNREACHABLE") == 0 ? WORD_LOST : 0;
}

/* The number of a word; 0 where it is "", or there are too many. */
uint8_t model_word_of(struct model *m, const char *text, uint8_t guess)
{
	unsigned i;

	if (strcmp(m->words[guess], text) == 0)
		return guess;
	for (i = 0; i < m->n_words; i++)
		if (strcmp(m->words[i], text) == 0)
			return (uint8_t)i;
	if (m->n_words > UINT8_MAX)
		return 0;
	m->words[i] = intern(&m->texts, text);
	if (m->words[i] == NULL)
		return 0;
	m->word_flags[i] = flags_of(text);
	m->n_words++;
	return (uint8_t)i;
}

const char *model_word(const struct model *m, uint8_t n)
{
	return n < m->n_words ? m->words[n] : intern_none;
}

bool model_ended(const struct model *m, const struct model_task *t)
{
	return (m->word_flags[t->state] & WORD_ENDS) != 0;
}

const char *model_stand_name(enum model_stand stand)
{
	static const char *const names[] = {
		"added", "active", "inactive", "deactivated", "draining", "drained", "recovered", "removed",
		"unreachable",
	};

	return names[stand];
}

const char *model_presence_name(enum model_presence presence)
{
	static const char *const names[] = { "added", "active", "inactive", "disconnected", "removed" };

	return names[presence];
}

/* ---- Texts -------------------------------------------------------------- */

/* In place of what is there; false: out of memory. */
bool model_set(struct model *m, const char **at, const char *text, bool *changed)
{
	const char *fresh;

	if (*at != NULL && strcmp(*at, text) == 0)
		return true;
	fresh = intern(&m->texts, text);
	if (fresh == NULL)
		return false;
	intern_drop(&m->texts, *at);
	*at = fresh;
	if (changed != NULL)
		*changed = true;
	return true;
}

bool model_attribute(const char **at, char *key, char *value)
{
	size_t n = strcspn(*at, "\x1f");

	if (**at == '\0')
		return false;
	memcpy(key, *at, n);
	key[n] = '\0';
	*at += n + ((*at)[n] != '\0');
	n = strcspn(*at, "\x1e");
	memcpy(value, *at, n);
	value[n] = '\0';
	*at += n + ((*at)[n] != '\0');
	return true;
}

/* ---- Looking up --------------------------------------------------------- */

/* By an id that is kept. */
struct model_agent *model_agent_of(const struct model *m, const char *id)
{
	uint32_t hash = intern_hash(id), at;
	struct table_link *l = table_find(&m->agents, hash, &at);

	while (l != NULL && ((struct model_agent *)l)->id != id)
		l = table_same(&m->agents, hash, &at);
	return (struct model_agent *)l;
}

struct model_framework *model_framework_of(const struct model *m, const char *id)
{
	uint32_t hash = intern_hash(id), at;
	struct table_link *l = table_find(&m->frameworks, hash, &at);

	while (l != NULL && ((struct model_framework *)l)->id != id)
		l = table_same(&m->frameworks, hash, &at);
	return (struct model_framework *)l;
}

struct model_agent *model_agent(const struct model *m, const char *id)
{
	const char *kept = intern_find(&m->texts, id);

	return kept != NULL ? model_agent_of(m, kept) : NULL;
}

struct model_framework *model_framework(const struct model *m, const char *id)
{
	const char *kept = intern_find(&m->texts, id);

	return kept != NULL ? model_framework_of(m, kept) : NULL;
}

uint32_t model_task_hash(const char *framework, const char *id)
{
	return intern_hash(framework) * UINT32_C(2654435761) + intern_hash(id);
}

struct model_task *model_task(const struct model *m, const char *framework, const char *id)
{
	const char *f = intern_find(&m->texts, framework), *i = intern_find(&m->texts, id);
	uint32_t hash, at;
	struct table_link *l;

	if (f == NULL || i == NULL)
		return NULL;
	hash = model_task_hash(f, i);
	l = table_find(&m->tasks, hash, &at);
	while (l != NULL && (((struct model_task *)l)->id != i || ((struct model_task *)l)->framework != f))
		l = table_same(&m->tasks, hash, &at);
	return (struct model_task *)l;
}

struct model_agent *model_next_agent(const struct model *m, const struct model_agent *a)
{
	return (struct model_agent *)table_next(&m->agents, a != NULL ? &a->link : NULL);
}

struct model_framework *model_next_framework(const struct model *m, const struct model_framework *f)
{
	return (struct model_framework *)table_next(&m->frameworks, f != NULL ? &f->link : NULL);
}

struct model_task *model_next_task(const struct model *m, const struct model_task *t)
{
	return (struct model_task *)table_next(&m->tasks, t != NULL ? &t->link : NULL);
}

void model_leave_out(struct model *m, enum model_left what, const char *name)
{
	m->odd += what <= LEFT_TASK;
	m->over += what >= LEFT_AGENT_FULL && what <= LEFT_TASK_FULL;
	if (m->left[what].n++ == 0)
		snprintf(m->left[what].first, sizeof(m->left[what].first), "%.*s", MODEL_PART, name);
}

/* ---- Life --------------------------------------------------------------- */

void model_init(struct model *m, const struct model_calls *calls, void *arg)
{
	*m = (struct model){ .calls = calls, .arg = arg, .n_words = 1, .words = { intern_none } };
	m->texts.max = MODEL_TEXT_MAX;
}

bool model_free_some(struct model *m, uint32_t n)
{
	struct table *const all[] = { &m->agents, &m->gone, &m->frameworks, &m->tasks, &m->texts.table };

	if (m->settle.at != SETTLE_NOTHING)	/* else what was begun goes on */
		m->settle.slot = 0;
	m->settle.at = SETTLE_NOTHING;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (all[i]->size == 0)
			continue;
		for (; m->settle.slot < all[i]->size; n--) {
			if (n == 0)
				return true;
			free(table_at(all[i], m->settle.slot++));
		}
		table_free(all[i]);
		m->settle.slot = 0;
	}
	model_init(m, m->calls, m->arg);
	return false;
}

void model_free(struct model *m)
{
	while (model_free_some(m, UINT32_MAX))
		continue;
}
