/* SPDX-License-Identifier: Apache-2.0 */
/* tally - the tasks that ended in a sliding window, by host and framework; each once. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

#include "tally.h"

enum { FIRST_ROOM = 64, NOBODY = UINT32_MAX };

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

static double share(const struct cell *c)
{
	return c->tasks > TALLY_SHARE ? TALLY_SHARE / c->tasks : 1;
}

/* Its host counts for this much more, or less, of the framework. */
static void count_share(const struct cell *c, double sign)
{
	if (c->tasks == 0)
		return;
	c->framework->tasks += sign * share(c) * c->tasks;
	c->framework->failed += sign * share(c) * c->failed;
	c->framework->hosts += sign > 0 ? 1 : -1;
	if (c->framework->hosts == 0)		/* no error of rounding lasts */
		c->framework->tasks = c->framework->failed = 0;
}

static struct cell *cell_of(struct party *host, struct party *framework)
{
	for (uint32_t i = 0; i < host->n_cells; i++)
		if (host->cells[i].framework == framework)
			return &host->cells[i];
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

static void change(struct party *host, struct cell *c, int by, bool failed)
{
	count_share(c, -1);
	c->tasks += (uint32_t)by;
	c->failed += (uint32_t)(failed ? by : 0);
	count_share(c, 1);
	if (c->tasks == 0)
		*c = host->cells[--host->n_cells];
}

void tally_peers(const struct cell *c, double *tasks, double *failed, uint32_t *hosts)
{
	*tasks = c->framework->tasks - share(c) * c->tasks;
	*failed = c->framework->failed - share(c) * c->failed;
	*hosts = c->framework->hosts - 1;
}

/* ---- The window --------------------------------------------------------- */

uint64_t tally_hash(const char *id)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *id != '\0'; id++)
		h = (h ^ (unsigned char)*id) * UINT64_C(0x100000001b3);
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
static struct ended *by_serial(const struct tally *t, uint32_t serial)
{
	return serial != NOBODY && serial - t->serial < t->n ? place(t, serial - t->serial) : NULL;
}

static uint32_t next_serial(const struct tally *t)
{
	return t->serial + (uint32_t)t->n;
}

static void chain(struct tally *t, struct ended *e, uint32_t serial)
{
	uint32_t *bucket = &t->tasks[e->task & (t->size - 1)];

	e->older = *bucket;
	*bucket = serial;
}

static int more_room(struct tally *t)
{
	size_t size = t->size != 0 ? 2 * t->size : FIRST_ROOM;
	struct ended *ring = malloc(size * sizeof(*ring));
	uint32_t *tasks = malloc(size * sizeof(*tasks));

	if (ring == NULL || tasks == NULL) {
		free(ring);
		free(tasks);
		return -ENOMEM;
	}
	for (size_t i = 0; i < t->n; i++)
		ring[i] = *place(t, i);
	memset(tasks, 0xff, size * sizeof(*tasks));
	free(t->ring);
	free(t->tasks);
	t->ring = ring;
	t->tasks = tasks;
	t->size = size;
	t->first = 0;
	for (size_t i = 0; i < t->n; i++)
		if (ring[i].task != 0)
			chain(t, &ring[i], t->serial + (uint32_t)i);
	return 0;
}

static bool counted(const struct tally *t, uint64_t task)
{
	const struct ended *e = t->size != 0 && task != 0 ? by_serial(t, t->tasks[task & (t->size - 1)]) : NULL;

	while (e != NULL && e->task != task)
		e = by_serial(t, e->older);
	return e != NULL;
}

int tally_add(struct tally *t, const char *host, const char *framework, uint64_t task, bool failed, int64_t until,
	      struct party **h, struct party **f)
{
	struct ended *e;
	struct cell *c = NULL;

	if (counted(t, task))
		return 0;
	assert(t->n < TALLY_MAX);
	if (t->n == t->size && more_room(t) != 0)
		return -ENOMEM;
	*h = get(&t->hosts, host);
	*f = *h != NULL ? get(&t->frameworks, framework) : NULL;
	c = *f != NULL ? cell_of(*h, *f) : NULL;
	if (c == NULL) {
		let_go(&t->hosts, *h);
		let_go(&t->frameworks, *h != NULL ? *f : NULL);
		return -ENOMEM;
	}
	change(*h, c, 1, failed);
	(*h)->samples++;
	(*f)->samples++;
	e = place(t, t->n);
	*e = (struct ended){ .until = until, .host = *h, .framework = *f, .task = task, .failed = failed };
	if (task != 0)
		chain(t, e, next_serial(t));
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
