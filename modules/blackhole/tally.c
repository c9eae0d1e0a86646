/* SPDX-License-Identifier: Apache-2.0 */
/* tally - the tasks that ended in a sliding window, by host and framework; each once. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

#include "tally.h"

enum { FIRST_ROOM = 64 };
#define NOBODY	UINT64_MAX

/* ---- Parties ------------------------------------------------------------ */

static struct party **find(const struct parties *all, const char *name)
{
	struct party **p = &all->buckets[sat_hash(0, name) & (all->n_buckets - 1)];

	while (*p != NULL && strcmp((*p)->name, name) != 0)
		p = &(*p)->next;
	return p;
}

static int more_buckets(struct parties *all)
{
	struct parties next = { .n_buckets = all->n_buckets != 0 ? 2 * all->n_buckets : FIRST_ROOM, .n = all->n };

	next.buckets = calloc(next.n_buckets, sizeof(*next.buckets));
	if (next.buckets == NULL)
		return all->n_buckets != 0 ? 0 : -ENOMEM;	/* slower, then */
	for (size_t i = 0; i < all->n_buckets; i++)
		while (all->buckets[i] != NULL) {
			struct party *p = all->buckets[i], **to = find(&next, p->name);

			all->buckets[i] = p->next;
			p->next = NULL;
			*to = p;
		}
	free(all->buckets);
	*all = next;
	return 0;
}

static struct party *get(struct parties *all, const char *name)
{
	struct party **p, *new;
	size_t len = strlen(name) + 1;

	if (all->n >= all->n_buckets && more_buckets(all) != 0)
		return NULL;
	p = find(all, name);
	if (*p != NULL)
		return *p;
	new = calloc(1, sizeof(*new) + len);
	if (new == NULL)
		return NULL;
	memcpy(new->name, name, len);
	*p = new;
	all->n++;
	return new;
}

static void let_go(struct parties *all, struct party *p)
{
	struct party **at;

	if (p == NULL || p->samples != 0)
		return;
	at = find(all, p->name);
	assert(*at == p);
	*at = p->next;
	all->n--;
	free(p->cells);
	free(p);
}

static void free_parties(struct parties *all)
{
	for (size_t i = 0; i < all->n_buckets; i++)
		while (all->buckets[i] != NULL) {
			struct party *p = all->buckets[i];

			all->buckets[i] = p->next;
			free(p->cells);
			free(p);
		}
	free(all->buckets);
}

struct party *tally_host(const struct tally *t, const char *name)
{
	return t->hosts.n_buckets != 0 ? *find(&t->hosts, name) : NULL;
}

/* ---- Cells -------------------------------------------------------------- */

static uint32_t share(const struct cell *c)
{
	return c->tasks < TALLY_SHARE ? c->tasks : TALLY_SHARE;
}

/* Of its share; rounded, but the same each time. */
static uint64_t failed_parts(const struct cell *c)
{
	return c->tasks != 0 ? (uint64_t)c->failed * share(c) * TALLY_PARTS / c->tasks : 0;
}

static void leave_out(struct sum *s, const struct cell *c)
{
	s->tasks -= share(c);
	s->failed -= failed_parts(c);
	s->hosts -= c->tasks != 0;
}

static void put_in(struct sum *s, const struct cell *c)
{
	s->tasks += share(c);
	s->failed += failed_parts(c);
	s->hosts += c->tasks != 0;
}

void tally_suspect(struct party *host, bool is)
{
	if (host->critical == is)
		return;
	host->critical = is;
	for (uint32_t i = 0; i < host->n_cells; i++) {
		struct sum *s = &host->cells[i].framework->suspected;

		if (is)
			put_in(s, &host->cells[i]);
		else
			leave_out(s, &host->cells[i]);
	}
}

static struct cell *cell_of(const struct party *host, const struct party *framework)
{
	for (uint32_t i = 0; i < host->n_cells; i++)
		if (host->cells[i].framework == framework)
			return &host->cells[i];
	return NULL;
}

static struct cell *new_cell(struct party *host, struct party *framework)
{
	if (host->n_cells == host->room) {
		uint32_t room = host->room != 0 ? 2 * host->room : 2;
		struct cell *more = realloc(host->cells, room * sizeof(*more));

		if (more == NULL)
			return NULL;
		host->cells = more;
		host->room = room;
	}
	host->cells[host->n_cells] = (struct cell){ .framework = framework };
	return &host->cells[host->n_cells++];
}

/* That of the framework, or of the rest; *f: of which it is.  NULL: no memory. */
static struct cell *get_cell(struct tally *t, struct party *host, const char *framework, struct party **f)
{
	struct cell *c;

	*f = get(&t->frameworks, framework);
	c = *f != NULL ? cell_of(host, *f) : NULL;
	if (c == NULL && *f != NULL && host->n_cells >= TALLY_CELLS) {
		let_go(&t->frameworks, *f);
		*f = get(&t->frameworks, TALLY_REST);
		c = *f != NULL ? cell_of(host, *f) : NULL;
	}
	if (c == NULL && *f != NULL)
		c = new_cell(host, *f);
	if (c == NULL)
		let_go(&t->frameworks, *f);
	return c;
}

static void change(struct party *host, struct cell *c, int by, bool failed)
{
	struct party *f = c->framework;

	leave_out(&f->all, c);
	if (host->critical)
		leave_out(&f->suspected, c);
	c->tasks += (uint32_t)by;
	c->failed += (uint32_t)(failed ? by : 0);
	put_in(&f->all, c);
	if (host->critical)
		put_in(&f->suspected, c);
	if (c->tasks == 0)
		*c = host->cells[--host->n_cells];
}

void tally_peers(const struct cell *c, double *tasks, double *failed, uint32_t *hosts)
{
	*tasks = (double)(c->framework->all.tasks - share(c));
	*failed = (double)(c->framework->all.failed - failed_parts(c)) / TALLY_PARTS;
	*hosts = c->framework->all.hosts - 1;
}

/* ---- The window --------------------------------------------------------- */

/* The NUL counts, so that what follows is another text. */
uint64_t tally_hash(uint64_t h, const char *id)
{
	h ^= UINT64_C(0xcbf29ce484222325);
	do
		h = (h ^ (unsigned char)*id) * UINT64_C(0x100000001b3);
	while (*id++ != '\0');
	return h != 0 ? h : 1;
}

struct tally *tally_new(void)
{
	return calloc(1, sizeof(struct tally));
}

void tally_free(struct tally *t)
{
	if (t == NULL)
		return;
	free_parties(&t->hosts);
	free_parties(&t->frameworks);
	free(t->ring);
	free(t->tasks);
	free(t);
}

static struct ended *place(const struct tally *t, size_t i)
{
	return &t->ring[(t->first + i) & (t->size - 1)];
}

const struct ended *tally_at(const struct tally *t, size_t i)
{
	return i < t->n ? place(t, i) : NULL;
}

bool tally_full(const struct tally *t)
{
	return t->n == TALLY_MAX;
}

/* Tasks are chained by their serial numbers, the latest first: a chain ends where one has left. */
static struct ended *by_serial(const struct tally *t, uint64_t serial)
{
	return serial - t->serial < t->n ? place(t, serial - t->serial) : NULL;
}

/* Frameworks choose the ids of tasks: not which of them share a bucket. */
static uint64_t *bucket_of(const struct tally *t, uint64_t task)
{
	return &t->tasks[sat_hash(task, "") & (t->size - 1)];
}

static void chain(struct tally *t, struct ended *e, uint64_t serial)
{
	uint64_t *bucket = bucket_of(t, e->task);

	e->older = *bucket;
	*bucket = serial;
}

static int more_room(struct tally *t)
{
	size_t size = t->size != 0 ? 2 * t->size : FIRST_ROOM;
	struct ended *ring = malloc(size * sizeof(*ring));
	uint64_t *tasks = malloc(size * sizeof(*tasks));

	if (ring == NULL || tasks == NULL) {
		free(ring);
		free(tasks);
		return -ENOMEM;
	}
	for (size_t i = 0; i < t->n; i++)
		ring[i] = *place(t, i);
	for (size_t i = 0; i < size; i++)
		tasks[i] = NOBODY;
	free(t->ring);
	free(t->tasks);
	t->ring = ring;
	t->tasks = tasks;
	t->size = size;
	t->first = 0;
	for (size_t i = 0; i < t->n; i++)
		if (ring[i].task != 0)
			chain(t, &ring[i], t->serial + i);
	return 0;
}

static bool counted(const struct tally *t, uint64_t task)
{
	const struct ended *e = t->size != 0 && task != 0 ? by_serial(t, *bucket_of(t, task)) : NULL;

	while (e != NULL && e->task != task)
		e = by_serial(t, e->older);
	return e != NULL;
}

static const char *cut(const char *name, char to[static TALLY_NAME + 1])
{
	size_t len = strnlen(name, TALLY_NAME);

	memcpy(to, name, len);
	to[len] = '\0';
	return to;
}

int tally_add(struct tally *t, const char *host, const char *framework, uint64_t task, bool failed, int64_t until,
	      struct party **h, struct party **f)
{
	char name[TALLY_NAME + 1];
	struct ended *e;
	struct cell *c;

	if (counted(t, task))
		return 0;
	assert(t->n < TALLY_MAX);
	if (t->n == t->size && more_room(t) != 0)
		return -ENOMEM;
	*h = get(&t->hosts, cut(host, name));
	c = *h != NULL ? get_cell(t, *h, cut(framework, name), f) : NULL;
	if (c == NULL) {
		let_go(&t->hosts, *h);
		return -ENOMEM;
	}
	change(*h, c, 1, failed);
	(*h)->samples++;
	(*f)->samples++;
	e = place(t, t->n);
	*e = (struct ended){ .until = until, .host = *h, .framework = *f, .task = task, .failed = failed };
	if (task != 0)
		chain(t, e, t->serial + t->n);
	t->n++;
	return 1;
}

void tally_pop(struct tally *t, struct party **host, struct party **framework)
{
	struct ended *e = place(t, 0);

	*host = e->host;
	*framework = e->framework;
	change(e->host, cell_of(e->host, e->framework), -1, e->failed);
	e->host->samples--;
	e->framework->samples--;
	t->first++;
	t->serial++;
	t->n--;
}

void tally_let_go(struct tally *t, struct party *host, struct party *framework)
{
	let_go(&t->hosts, host);
	let_go(&t->frameworks, framework);
}
