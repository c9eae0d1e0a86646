/* SPDX-License-Identifier: Apache-2.0 */
/* index - the latest event of each (host, service), and when it expires. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "hash.h"
#include "index.h"
#include "query.h"
#include "self.h"

enum { BUCKETS = 1024 };	/* seconds that the ring spans; later ones come round again */

struct entry;
struct link { struct entry *prev, *next; };

/* A host or a service that some entry has. */
struct name {
	struct name *chain;
	struct entry *first, *last;
	uint32_t hash, n;
	bool nil;
	char text[];
};

struct entry {
	struct entry *chain;
	struct event *ev;
	struct name *name[2];		/* its host, its service */
	struct link with[2];		/* others of that host, of that service */
	struct link due;		/* others of the same bucket */
	int64_t deadline;		/* steady */
	uint32_t hash, bucket;
};

struct names { struct name **slots; size_t size, n; };

#define DEFAULTS { .ttl = 60, .reap = 10 * SAT_SECOND, .max = 4000000 }

static struct index_conf conf = DEFAULTS;
static struct entry **slots;
static size_t size, count;
static struct names names[2];
static struct link ring[BUCKETS];	/* first (next) and last (prev) of each */
static int64_t reaped = INT64_MIN;	/* the second up to which the ring was read */
static int64_t last_turn;

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* ---- Names -------------------------------------------------------------- */

static uint32_t name_hash(const char *s)
{
	return s != NULL ? hash_bytes(s, strlen(s)) : 1;
}

static struct name *name_find(const struct names *t, const char *s)
{
	uint32_t hash = name_hash(s);
	struct name *n;

	if (t->size == 0)
		return NULL;
	for (n = t->slots[hash & (t->size - 1)]; n != NULL; n = n->chain)
		if (n->hash == hash && n->nil == (s == NULL) && (s == NULL || strcmp(n->text, s) == 0))
			return n;
	return NULL;
}

static int name_room(struct names *t)
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

static struct name *name_get(struct names *t, const char *s)
{
	struct name *n = name_find(t, s);
	size_t len = s != NULL ? strlen(s) : 0;

	if (n != NULL)
		return n;
	if (name_room(t) != 0)
		return NULL;
	n = calloc(1, sizeof(*n) + len + 1);
	if (n == NULL)
		return NULL;
	n->hash = name_hash(s);
	n->nil = s == NULL;
	if (s != NULL)
		memcpy(n->text, s, len);
	n->chain = t->slots[n->hash & (t->size - 1)];
	t->slots[n->hash & (t->size - 1)] = n;
	t->n++;
	return n;
}

static void name_drop(struct names *t, struct name *n)
{
	struct name **at = &t->slots[n->hash & (t->size - 1)];

	if (n->n != 0)
		return;
	while (*at != n)
		at = &(*at)->chain;
	*at = n->chain;
	t->n--;
	free(n);
}

static void name_join(struct name *n, struct entry *e, int which)
{
	e->name[which] = n;
	e->with[which] = (struct link){ n->last, NULL };
	*(n->last != NULL ? &n->last->with[which].next : &n->first) = e;
	n->last = e;
	n->n++;
}

static void name_leave(struct entry *e, int which)
{
	struct name *n = e->name[which];
	struct link *l = &e->with[which];

	*(l->prev != NULL ? &l->prev->with[which].next : &n->first) = l->next;
	*(l->next != NULL ? &l->next->with[which].prev : &n->last) = l->prev;
	n->n--;
	name_drop(&names[which], n);
}

/* ---- Deadlines ---------------------------------------------------------- */

static void due_join(struct entry *e)
{
	int64_t second = e->deadline / SAT_SECOND + 1;	/* of INT64_MAX, too */

	/* What is due already must lie where the reaper has yet to look. */
	if (second <= reaped)
		second = reaped + 1;
	e->bucket = (uint32_t)((uint64_t)second % BUCKETS);
	e->due = (struct link){ ring[e->bucket].prev, NULL };
	*(e->due.prev != NULL ? &e->due.prev->due.next : &ring[e->bucket].next) = e;
	ring[e->bucket].prev = e;
}

static void due_leave(struct entry *e)
{
	*(e->due.prev != NULL ? &e->due.prev->due.next : &ring[e->bucket].next) = e->due.next;
	*(e->due.next != NULL ? &e->due.next->due.prev : &ring[e->bucket].prev) = e->due.prev;
}

static int64_t deadline_of(const struct sat_event *ev)
{
	return event_deadline(ev, ev->has & SAT_HAS_TTL ? ev->ttl : conf.ttl);
}

/* ---- Entries ------------------------------------------------------------ */

void index_init(const struct index_conf *c)
{
	conf = *c;
}

const struct index_conf *index_settings(void)
{
	return &conf;
}

static struct entry **find(const char *host, const char *service, uint32_t hash)
{
	struct entry **at;

	if (size == 0)
		return NULL;
	for (at = &slots[hash & (size - 1)]; *at != NULL; at = &(*at)->chain)
		if ((*at)->hash == hash && same((*at)->ev->pub.host, host) &&
		    same((*at)->ev->pub.service, service))
			return at;
	return NULL;
}

static int grow(void)
{
	size_t more = size != 0 ? 2 * size : 1024;
	struct entry **p, *e;

	if (count < size)
		return 0;
	p = calloc(more, sizeof(struct entry *));
	if (p == NULL)
		return size != 0 ? 0 : -ENOMEM;
	for (size_t i = 0; i < size; i++)
		while ((e = slots[i]) != NULL) {
			slots[i] = e->chain;
			e->chain = p[e->hash & (more - 1)];
			p[e->hash & (more - 1)] = e;
		}
	free(slots);
	slots = p;
	size = more;
	return 0;
}

static void unlink_entry(struct entry **at)
{
	struct entry *e = *at;

	*at = e->chain;
	name_leave(e, 0);
	name_leave(e, 1);
	due_leave(e);
	count--;
}

static void free_entry(struct entry *e)
{
	sat_drop(&e->ev->pub);
	free(e);
}

static int insert(const struct sat_event *ev, uint32_t hash)
{
	struct entry *e;
	struct name *n[2];

	if (count >= conf.max)
		return -ENOBUFS;
	if (grow() != 0)
		return -ENOMEM;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return -ENOMEM;
	e->ev = event_copy(ev);
	n[0] = name_get(&names[0], ev->host);
	n[1] = name_get(&names[1], ev->service);
	if (e->ev == NULL || n[0] == NULL || n[1] == NULL)
		goto fail;
	name_join(n[0], e, 0);
	name_join(n[1], e, 1);
	e->hash = hash;
	e->chain = slots[hash & (size - 1)];
	slots[hash & (size - 1)] = e;
	e->deadline = deadline_of(ev);
	due_join(e);
	count++;
	return 0;
fail:
	if (n[0] != NULL)
		name_drop(&names[0], n[0]);
	if (n[1] != NULL)
		name_drop(&names[1], n[1]);
	if (e->ev != NULL)
		sat_drop(&e->ev->pub);
	free(e);
	return -ENOMEM;
}

static int replace(struct entry *e, const struct sat_event *ev)
{
	int64_t deadline = deadline_of(ev);
	struct event *copy;

	if (&e->ev->pub == ev || event_refill(e->ev, ev))
		goto kept;
	copy = event_copy(ev);
	if (copy == NULL)
		return -ENOMEM;
	sat_drop(&e->ev->pub);
	e->ev = copy;
kept:
	/* Later deadlines wait lazily in the old bucket; an earlier one must move. */
	if (deadline < e->deadline) {
		due_leave(e);
		e->deadline = deadline;
		due_join(e);
	}
	e->deadline = deadline;
	return 0;
}

static struct { const struct event *events; uint32_t n, hash[INDEX_AHEAD]; } ahead;

void index_expect(const struct event *events, uint32_t n)
{
	const struct entry *e;
	const char *ev;

	ahead.events = events;
	ahead.n = size != 0 ? n : 0;
	for (uint32_t i = 0; i < ahead.n; i++) {
		ahead.hash[i] = hash_pair(events[i].pub.host, events[i].pub.service);
		__builtin_prefetch(&slots[ahead.hash[i] & (size - 1)]);
	}
	for (uint32_t i = 0; i < ahead.n; i++)
		__builtin_prefetch(slots[ahead.hash[i] & (size - 1)]);
	for (uint32_t i = 0; i < ahead.n; i++) {
		e = slots[ahead.hash[i] & (size - 1)];
		if (e == NULL)
			continue;
		ev = (const char *)e->ev;
		for (size_t line = 0; line < sizeof(struct event) + 64; line += 64)
			__builtin_prefetch(ev + line, 1);
	}
}

static uint32_t hash_of(const struct sat_event *ev)
{
	uintptr_t at = (uintptr_t)ev - (uintptr_t)ahead.events;

	if (at < ahead.n * sizeof(struct event))
		return ahead.hash[at / sizeof(struct event)];
	return hash_pair(ev->host, ev->service);
}

int index_put(const struct sat_event *ev)
{
	uint32_t hash = hash_of(ev);
	struct entry **at = find(ev->host, ev->service, hash), *e;

	if (ev->state != NULL && strcmp(ev->state, "expired") == 0) {
		if (at == NULL)
			return 0;
		e = *at;
		unlink_entry(at);
		free_entry(e);
		return 0;
	}
	if (!(ev->has & SAT_HAS_TIME))
		return -EINVAL;
	return at != NULL ? replace(*at, ev) : insert(ev, hash);
}

int index_delete(const char *host, const char *service)
{
	struct entry **at = find(host, service, hash_pair(host, service)), *e;

	if (at == NULL)
		return -ENOENT;
	e = *at;
	unlink_entry(at);
	free_entry(e);
	return 0;
}

const struct sat_event *index_get(const char *host, const char *service)
{
	struct entry **at = find(host, service, hash_pair(host, service));

	return at != NULL ? &(*at)->ev->pub : NULL;
}

size_t index_size(void)
{
	return count;
}

/* ---- Searching ---------------------------------------------------------- */

struct hits { const struct sat_event **evs; size_t n, room; };

static int hit(struct hits *h, const struct sat_query *q, struct entry *e)
{
	const struct sat_event **p;

	if (q != NULL && !sat_query_match(q, &e->ev->pub))
		return 0;
	if (h->n == h->room) {
		p = realloc(h->evs, (h->room != 0 ? 2 * h->room : 64) * sizeof(struct sat_event *));
		if (p == NULL)
			return -ENOMEM;
		h->evs = p;
		h->room = h->room != 0 ? 2 * h->room : 64;
	}
	h->evs[h->n] = sat_keep(&e->ev->pub);
	h->n++;
	return 0;
}

/* The shortest list that has every match: a host's, a service's, or all. */
static int collect(struct hits *h, const struct sat_query *q)
{
	const char *want[2] = { q != NULL ? query_host(q) : NULL, q != NULL ? query_service(q) : NULL };
	struct name *best = NULL;
	int which = 0, rc = 0;

	for (int i = 0; i < 2; i++) {
		struct name *n = want[i] != NULL ? name_find(&names[i], want[i]) : NULL;

		if (want[i] != NULL && n == NULL)
			return 0;
		if (n != NULL && (best == NULL || n->n < best->n)) {
			best = n;
			which = i;
		}
	}
	if (best != NULL) {
		for (struct entry *e = best->first; e != NULL && rc == 0; e = e->with[which].next)
			rc = hit(h, q, e);
		return rc;
	}
	for (size_t i = 0; i < size && rc == 0; i++)
		for (struct entry *e = slots[i]; e != NULL && rc == 0; e = e->chain)
			rc = hit(h, q, e);
	return rc;
}

/* nil comes before the empty string. */
static int compare(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int by_name(const void *a, const void *b)
{
	const struct sat_event *x = *(const struct sat_event *const *)a;
	const struct sat_event *y = *(const struct sat_event *const *)b;
	int c = compare(x->host, y->host);

	return c != 0 ? c : compare(x->service, y->service);
}

/* The hits are kept and put in order first: found() may change the index, and
 * the order of a seeded hash must not be seen. */
int index_search(const struct sat_query *q, int (*found)(void *arg, const struct sat_event *ev), void *arg)
{
	struct hits h = { 0 };
	int rc = collect(&h, q);

	if (h.n > 1)
		qsort(h.evs, h.n, sizeof(struct sat_event *), by_name);
	for (size_t i = 0; i < h.n; i++) {
		if (rc == 0)
			rc = found(arg, h.evs[i]);
		sat_drop(h.evs[i]);
	}
	free(h.evs);
	return rc;
}

/* ---- The reaper --------------------------------------------------------- */

static bool keeps(const char *name)
{
	if (conf.keep == NULL)
		return strcmp(name, "host") == 0 || strcmp(name, "service") == 0;
	for (const char *const *k = conf.keep; *k != NULL; k++)
		if (strcmp(*k, name) == 0)
			return true;
	return false;
}

/* An attribute may be named by its key. */
static void keep_attrs(struct sat_event *ev, struct arena *a)
{
	struct sat_attr *v = ev->n_attrs != 0 ? arena_raw(a, ev->n_attrs * sizeof(*v)) : NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; v != NULL && i < ev->n_attrs; i++)
		if (keeps(ev->attrs[i].key))
			v[n++] = ev->attrs[i];
	ev->attrs = v;
	ev->n_attrs = n;
}

static struct event *expired_event(const struct sat_event *was, struct arena *a)
{
	struct event *ev = event_loan(a, was);
	struct sat_event *p;

	if (ev == NULL)
		return NULL;
	p = &ev->pub;
	if (!conf.keep_all) {
		if (!keeps("host"))
			p->host = NULL;
		if (!keeps("service"))
			p->service = NULL;
		if (!keeps("description"))
			p->description = NULL;
		if (!keeps("metric"))
			p->has &= ~SAT_HAS_METRIC;
		if (!keeps("tags")) {
			p->has &= ~(uint32_t)SAT_HAS_TAGS;
			p->n_tags = 0;
		}
		if (!keeps("ttl"))
			p->has &= ~(uint32_t)SAT_HAS_TTL;
		if (!keeps("attributes"))
			keep_attrs(p, a);
	}
	p->state = "expired";
	p->time = clock_wall();
	p->has |= SAT_HAS_TIME;
	return ev;
}

static struct entry **place_of(struct entry *e)
{
	struct entry **at = &slots[e->hash & (size - 1)];

	while (*at != e)
		at = &(*at)->chain;
	return at;
}

/* Look through one bucket: hand out what is due, file anew what is not. */
static uint32_t reap_bucket(uint32_t b, int64_t now, uint32_t most, struct arena *a,
			    void (*expired)(void *arg, struct event *ev, const struct sat_event *was), void *arg)
{
	struct entry *e = ring[b].next, *next, *last = ring[b].prev;
	uint32_t n = 0;

	for (; e != NULL && n < most; e = next) {
		next = e != last ? e->due.next : NULL;
		if (e->deadline < now) {
			struct event *ev = expired_event(&e->ev->pub, a);

			unlink_entry(place_of(e));
			if (ev != NULL)
				expired(arg, ev, &e->ev->pub);
			free_entry(e);
			self_add(SELF_EXPIRED, 1);
			n++;
		} else {
			due_leave(e);
			due_join(e);
		}
	}
	return n;
}

bool index_reap(int64_t now, uint32_t most, struct arena *a,
		void (*expired)(void *arg, struct event *ev, const struct sat_event *was), void *arg)
{
	int64_t second = now / SAT_SECOND, from;
	uint32_t n = 0;

	last_turn = now;
	from = reaped != INT64_MIN && second - reaped < BUCKETS ? reaped + 1 : second - BUCKETS + 1;
	for (int64_t s = from; s <= second + 1; s++) {
		n += reap_bucket((uint32_t)((uint64_t)s % BUCKETS), now, most - n, a, expired, arg);
		if (n >= most)
			return true;
		if (s <= second - 1)
			reaped = s;
	}
	return false;
}

int64_t index_next(void)
{
	return count != 0 ? last_turn + conf.reap : INT64_MAX;
}

int64_t index_left(const struct sat_event *ev)
{
	struct entry **at = find(ev->host, ev->service, hash_pair(ev->host, ev->service));

	if (at == NULL)
		return 0;
	return (*at)->deadline != INT64_MAX ? (*at)->deadline - clock_steady() : INT64_MAX;
}

void index_set_left(const struct sat_event *ev, int64_t left)
{
	struct entry **at = find(ev->host, ev->service, hash_pair(ev->host, ev->service));

	if (at == NULL)
		return;
	due_leave(*at);
	(*at)->deadline = left < INT64_MAX - clock_steady() ? clock_steady() + left : INT64_MAX;
	due_join(*at);
}

void index_free(void)
{
	for (size_t i = 0; i < size; i++)
		while (slots[i] != NULL) {
			struct entry *e = slots[i];

			unlink_entry(&slots[i]);
			free_entry(e);
		}
	free(slots);
	slots = NULL;
	size = count = 0;
	for (int i = 0; i < 2; i++) {
		free(names[i].slots);
		names[i] = (struct names){ 0 };
	}
	conf = (struct index_conf)DEFAULTS;
	reaped = INT64_MIN;
	last_turn = 0;
}

const struct sat_event *sat_index_get(const char *host, const char *service)
{
	return index_get(host, service);
}

size_t sat_index_size(void)
{
	return index_size();
}

int sat_index_search(const struct sat_query *q, int (*found)(void *arg, const struct sat_event *ev), void *arg)
{
	return index_search(q, found, arg);
}
