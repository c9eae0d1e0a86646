/* SPDX-License-Identifier: Apache-2.0 */
/* model - the agents, frameworks and tasks of a Mesos cluster, as last heard. */
#include <errno.h>
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
			return WORD_ENDS;
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

/* ---- Resources ---------------------------------------------------------- */

static struct model_resources now(const struct model_resources *then, const struct model_sum *moved)
{
	struct model_resources r = *then;

	r.cpus += (double)moved->cpus / 1000;
	r.mem += (double)moved->mem / 1000;
	r.disk += (double)moved->disk / 1000;
	r.gpus += (double)moved->gpus / 1000;
	r.ports = (uint32_t)(moved->ports + r.ports > 0 ? moved->ports + r.ports : 0);
	return r;
}

struct model_resources model_agent_used(const struct model_agent *a)
{
	return now(&a->used, &a->moved);
}

struct model_resources model_framework_used(const struct model_framework *f)
{
	return now(&f->used, &f->moved);
}

static void move(struct model_sum *s, const struct model_task *t, int sign)
{
	s->cpus += sign * t->cpus;
	s->mem += sign * t->mem;
	s->disk += sign * t->disk;
	s->gpus += sign * (int64_t)t->gpus * 1000;
	s->ports += sign * (int64_t)t->ports;
}

bool model_uses(const struct model *m, const struct model_task *t)
{
	return m->word_flags[t->state] == 0 && t->state != 0;
}

/* While a state is read, sums come with it. */
void model_account(struct model *m, const struct model_task *t, int sign)
{
	struct model_agent *a;
	struct model_framework *f;

	if (m->reading || !model_uses(m, t))
		return;
	a = model_agent_of(m, t->agent);
	f = model_framework_of(m, t->framework);
	if (a != NULL)
		move(&a->moved, t, sign);
	if (f != NULL) {
		move(&f->moved, t, sign);
		f->tasks += (uint32_t)sign;
	}
}

/* ---- Telling ------------------------------------------------------------ */

static void tell_agent(struct model *m, struct model_agent *a)
{
	enum model_stand was = a->told;

	if (m->reading || was == a->stand)
		return;
	/* One that comes back to another Mesos master is no new one. */
	if (m->calls == NULL || a->stand == MODEL_RECOVERED ||
	    (was == MODEL_RECOVERED && a->stand == MODEL_ACTIVE)) {
		a->told = a->stand;
		return;
	}
	if (was == MODEL_NEW && m->calls->agent(m->arg, a, MODEL_NEW) != 0) {
		m->untold = true;
		return;
	}
	a->told = MODEL_ACTIVE;
	if (a->stand != MODEL_ACTIVE || (was != MODEL_NEW && was != MODEL_ACTIVE)) {
		if (m->calls->agent(m->arg, a, a->stand) == 0)
			a->told = a->stand;
		else
			m->untold = true;
	}
}

void model_tell_task(struct model *m, struct model_task *t)
{
	if (m->reading || t->told == t->state)
		return;
	if (m->calls == NULL || m->calls->task(m->arg, t) == 0)
		t->told = t->state;
	else
		m->untold = true;
}

void model_tell(struct model *m)
{
	struct model_agent *a;
	struct model_task *t;

	m->untold = false;
	for (a = model_next_agent(m, NULL); a != NULL && !m->untold; a = model_next_agent(m, a))
		tell_agent(m, a);
	for (t = model_next_task(m, NULL); t != NULL && !m->untold; t = model_next_task(m, t))
		model_tell_task(m, t);
}

/* ---- Agents ------------------------------------------------------------- */

static void agent_free(struct model *m, struct model_agent *a)
{
	intern_drop(&m->texts, a->id);
	intern_drop(&m->texts, a->host);
	intern_drop(&m->texts, a->pid);
	intern_drop(&m->texts, a->version);
	intern_drop(&m->texts, a->attributes);
	free(a);
}

static void count_agent(struct model *m, const struct model_agent *a, uint32_t more)
{
	m->n_recovered += a->stand == MODEL_RECOVERED ? more : 0;
	m->n_active += a->active ? more : 0;
	m->n_draining += a->stand == MODEL_DRAINING ? more : 0;
}

static enum model_stand stand_of(const struct model_agent_news *n)
{
	if (n->recovered)
		return MODEL_RECOVERED;
	if (strcmp(n->drain, "DRAINING") == 0)
		return MODEL_DRAINING;
	if (strcmp(n->drain, "DRAINED") == 0)
		return MODEL_DRAINED;
	if (n->deactivated)
		return MODEL_DEACTIVATED;
	return n->active ? MODEL_ACTIVE : MODEL_INACTIVE;
}

static int set_agent(struct model *m, struct model_agent *a, const struct model_agent_news *n)
{
	bool changed = a->host == NULL;

	if (!model_set(m, &a->id, n->id[0] != '\0' ? n->id : n->host, &changed) ||
	    !model_set(m, &a->host, n->host, &changed) || !model_set(m, &a->pid, n->pid, &changed) ||
	    !model_set(m, &a->version, n->version, NULL) ||
	    !model_set(m, &a->attributes, n->attributes, NULL))
		return -ENOMEM;
	if (changed || a->active != (n->active && !n->recovered) || n->recovered != (a->stand == MODEL_RECOVERED))
		m->listing++;
	if (n->has_total || m->reading)
		a->total = n->total;
	if (n->has_total || m->reading) {
		a->unreserved = n->unreserved;
		a->has_total = n->has_total;
		a->has_unreserved = n->has_unreserved;
	}
	if (n->has_used || m->reading) {
		a->used = n->used;
		a->has_used = n->has_used;
		a->moved = (struct model_sum){ 0 };
	}
	a->registered = n->registered;
	a->link.mark = m->turn;
	return 0;
}

static int new_agent(struct model *m, const struct model_agent_news *n, struct model_agent **made)
{
	struct model_agent *a;

	if (m->agents.n >= MODEL_AGENTS_MAX) {
		m->over++;
		return 0;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	if (set_agent(m, a, n) != 0 || table_add(&m->agents, &a->link, intern_hash(a->id)) != 0) {
		agent_free(m, a);
		return -ENOMEM;
	}
	*made = a;
	return 0;
}

int model_put_agent(struct model *m, const struct model_agent_news *n)
{
	struct model_agent *a;
	int rc;

	if (n->host[0] == '\0') {
		m->odd++;
		return 0;
	}
	a = model_agent(m, n->id[0] != '\0' ? n->id : n->host);
	if (a == NULL) {
		rc = new_agent(m, n, &a);
		if (rc != 0 || a == NULL)
			return rc;
	} else {
		rc = set_agent(m, a, n);
		if (rc != 0)
			return rc;
		count_agent(m, a, UINT32_MAX);
	}
	a->stand = (uint8_t)stand_of(n);
	a->active = n->active && !n->recovered;
	a->lost = a->lost && a->stand != MODEL_ACTIVE;
	count_agent(m, a, 1);
	tell_agent(m, a);
	return 0;
}

/* Mesos says of an agent that went not why: one it had no word of before, or whose tasks it
 * calls unreachable, is out of reach. */
static void agent_gone(struct model *m, struct model_agent *a)
{
	bool away = a->lost || a->stand == MODEL_INACTIVE;

	if (m->calls != NULL && a->told != MODEL_NEW && a->stand != MODEL_RECOVERED)
		m->calls->agent(m->arg, a, away ? MODEL_UNREACHABLE : MODEL_REMOVED);
	count_agent(m, a, UINT32_MAX);
	table_take(&m->agents, &a->link);
	agent_free(m, a);
	m->listing++;
}

void model_remove_agent(struct model *m, const char *id)
{
	struct model_agent *a = model_agent(m, id);

	if (a != NULL)
		agent_gone(m, a);
}

/* ---- Frameworks --------------------------------------------------------- */

static void framework_free(struct model *m, struct model_framework *f)
{
	intern_drop(&m->texts, f->id);
	intern_drop(&m->texts, f->name);
	intern_drop(&m->texts, f->role);
	intern_drop(&m->texts, f->user);
	intern_drop(&m->texts, f->principal);
	intern_drop(&m->texts, f->host);
	free(f);
}

static int set_framework(struct model *m, struct model_framework *f, const struct model_framework_news *n)
{
	if (!model_set(m, &f->id, n->id[0] != '\0' ? n->id : n->name, NULL) || !model_set(m, &f->name, n->name, NULL) ||
	    !model_set(m, &f->role, n->role, NULL) || !model_set(m, &f->user, n->user, NULL) ||
	    !model_set(m, &f->principal, n->principal, NULL) || !model_set(m, &f->host, n->host, NULL))
		return -ENOMEM;
	if (n->has_used || m->reading) {
		f->used = n->used;
		f->has_used = n->has_used;
		f->moved = (struct model_sum){ 0 };
	}
	f->active = n->active;
	f->connected = n->connected;
	f->completed = n->completed;
	f->registered = n->registered;
	f->known = true;
	f->link.mark = m->turn;
	return 0;
}

int model_put_framework(struct model *m, const struct model_framework_news *n)
{
	struct model_framework *f;

	if (n->name[0] == '\0' && n->id[0] == '\0') {
		m->odd++;
		return 0;
	}
	f = model_framework(m, n->id[0] != '\0' ? n->id : n->name);
	if (f != NULL)
		return set_framework(m, f, n);
	if (m->frameworks.n >= MODEL_FRAMEWORKS_MAX) {
		m->over++;
		return 0;
	}
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return -ENOMEM;
	if (set_framework(m, f, n) != 0 || table_add(&m->frameworks, &f->link, intern_hash(f->id)) != 0) {
		framework_free(m, f);
		return -ENOMEM;
	}
	return 0;
}

/* Its tasks are still told of as they end. */
void model_remove_framework(struct model *m, const char *id)
{
	struct model_framework *f = model_framework(m, id);

	if (f == NULL)
		return;
	f->active = f->connected = false;
	f->completed = true;
}

static void framework_gone(struct model *m, struct model_framework *f)
{
	table_take(&m->frameworks, &f->link);
	framework_free(m, f);
}

/* ---- Whole states ------------------------------------------------------- */

void model_begin(struct model *m)
{
	m->turn++;
	m->reading = true;
}

static void sweep_agents(struct model *m)
{
	struct model_agent *a, *next;

	for (a = model_next_agent(m, NULL); a != NULL; a = next) {
		next = model_next_agent(m, a);
		if (a->link.mark != m->turn)
			agent_gone(m, a);
	}
}

static void sweep_rest(struct model *m)
{
	struct model_framework *f, *next_f;
	struct model_task *t, *next_t;

	for (f = model_next_framework(m, NULL); f != NULL; f = next_f) {
		next_f = model_next_framework(m, f);
		f->tasks = 0;
		if (f->link.mark != m->turn)
			framework_gone(m, f);
	}
	for (t = model_next_task(m, NULL); t != NULL; t = next_t) {
		next_t = model_next_task(m, t);
		if (t->link.mark != m->turn)
			model_task_gone(m, t);
	}
}

/* Sums of those for whom the state had none. */
static void sum_tasks(struct model *m, enum model_scope scope)
{
	struct model_task *t;
	struct model_agent *a;
	struct model_framework *f;

	for (t = model_next_task(m, NULL); t != NULL; t = model_next_task(m, t)) {
		if (!model_uses(m, t))
			continue;
		a = model_agent_of(m, t->agent);
		if (a != NULL && !a->has_used)
			move(&a->moved, t, 1);
		f = scope == MODEL_ALL ? model_framework_of(m, t->framework) : NULL;
		if (f == NULL)
			continue;
		f->tasks++;
		if (!f->has_used)
			move(&f->moved, t, 1);
	}
}

static void keep_silent(struct model *m)
{
	struct model_agent *a;
	struct model_task *t;

	for (a = model_next_agent(m, NULL); a != NULL; a = model_next_agent(m, a))
		a->told = a->stand;
	for (t = model_next_task(m, NULL); t != NULL; t = model_next_task(m, t))
		t->told = t->state;
	m->untold = false;
}

void model_end(struct model *m, enum model_scope scope, bool silent)
{
	const struct model_calls *calls = m->calls;

	if (silent)
		m->calls = NULL;
	sweep_agents(m);
	if (scope == MODEL_ALL)
		sweep_rest(m);
	sum_tasks(m, scope);
	m->reading = false;
	m->calls = calls;
	if (silent)
		keep_silent(m);
	else
		model_tell(m);
}

void model_abort(struct model *m)
{
	m->reading = false;
}

void model_init(struct model *m, const struct model_calls *calls, void *arg)
{
	*m = (struct model){ .calls = calls, .arg = arg, .n_words = 1, .words = { intern_none } };
	m->texts.max = MODEL_TEXT_MAX;
}

void model_free(struct model *m)
{
	struct table_link *l, *next;

	for (l = table_next(&m->agents, NULL); l != NULL; l = next) {
		next = table_next(&m->agents, l);
		free(l);
	}
	for (l = table_next(&m->frameworks, NULL); l != NULL; l = next) {
		next = table_next(&m->frameworks, l);
		free(l);
	}
	for (l = table_next(&m->tasks, NULL); l != NULL; l = next) {
		next = table_next(&m->tasks, l);
		free(l);
	}
	table_free(&m->agents);
	table_free(&m->frameworks);
	table_free(&m->tasks);
	intern_free(&m->texts);
	model_init(m, m->calls, m->arg);
}
