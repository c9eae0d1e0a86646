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

enum {
	BUCKETS = 1024,		/* seconds that the ring spans; later ones come round again */
	CHUNK = 1024,		/* entries */
};

/* Entries are numbered from 1 and refer to one another by number, so that one is
 * 64 bytes: a line of the cache, which is what a large index costs. */
struct link { uint32_t prev, next; };

/* A host or a service that some entry has. */
struct name {
	struct name *chain;
	uint32_t first, last, hash, n;
	bool nil;
	char text[];
};

struct entry {
	struct event *ev;		/* NULL: a free one; due.next is the next */
	int64_t deadline;		/* steady */
	struct name *name[2];		/* its host, its service */
	struct link with[2];		/* others of that host, of that service */
	struct link due;		/* others of the same bucket */
	uint32_t hash, bucket;
};
_Static_assert(sizeof(struct entry) == 64, "an entry is a line of the cache");

struct slot { uint32_t hash, entry; };	/* entry 0: a free one */
struct names { struct name **slots; size_t size, n; };

/* What is looked for. */
struct key { const char *host, *service; size_t host_len, service_len; uint32_t hash; };

#define DEFAULTS { .ttl = 60, .reap = 10 * SAT_SECOND, .max = 4000000 }

static struct index_conf conf = DEFAULTS;
static struct slot *slots;		/* probed in line; at most 7 of 8 are taken */
static size_t size, count;
static struct entry **chunks;		/* as many as there ever were entries for */
static size_t n_chunks;
static uint32_t free_entry;		/* the first of them; 0: none */
static struct names names[2];
static struct link ring[BUCKETS];	/* first (next) and last (prev) of each */
static int64_t reaped = INT64_MIN;	/* the second up to which the ring was read */
static int64_t last_turn;
static struct { uint32_t *v, n, size; } due;	/* entries that a turn of the reaper takes out */

static inline struct entry *entry_at(uint32_t n)
{
	return &chunks[n / CHUNK][n % CHUNK];
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

static void name_join(struct name *n, uint32_t at, int which)
{
	struct entry *e = entry_at(at);

	e->name[which] = n;
	e->with[which] = (struct link){ n->last, 0 };
	*(n->last != 0 ? &entry_at(n->last)->with[which].next : &n->first) = at;
	n->last = at;
	n->n++;
}

static void name_leave(struct entry *e, int which)
{
	struct name *n = e->name[which];
	struct link *l = &e->with[which];

	*(l->prev != 0 ? &entry_at(l->prev)->with[which].next : &n->first) = l->next;
	*(l->next != 0 ? &entry_at(l->next)->with[which].prev : &n->last) = l->prev;
	n->n--;
	name_drop(&names[which], n);
}

/* ---- Deadlines ---------------------------------------------------------- */

static void due_join(uint32_t at)
{
	struct entry *e = entry_at(at);
	int64_t second = e->deadline / SAT_SECOND + 1;	/* of INT64_MAX, too */
	struct link *bucket;

	/* What is due already must lie where the reaper has yet to look. */
	if (second <= reaped)
		second = reaped + 1;
	e->bucket = (uint32_t)((uint64_t)second % BUCKETS);
	bucket = &ring[e->bucket];
	e->due = (struct link){ bucket->prev, 0 };
	*(bucket->prev != 0 ? &entry_at(bucket->prev)->due.next : &bucket->next) = at;
	bucket->prev = at;
}

static void due_leave(struct entry *e)
{
	*(e->due.prev != 0 ? &entry_at(e->due.prev)->due.next : &ring[e->bucket].next) = e->due.next;
	*(e->due.next != 0 ? &entry_at(e->due.next)->due.prev : &ring[e->bucket].prev) = e->due.prev;
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

static struct key key_of(const char *host, const char *service)
{
	struct key k = { host, service, host != NULL ? strlen(host) : 0, service != NULL ? strlen(service) : 0, 0 };

	k.hash = hash_texts(host, k.host_len, service, k.service_len);
	return k;
}

static inline bool is(const struct entry *e, const struct key *k)
{
	return e->hash == k->hash && e->ev != NULL &&
	       event_has(e->ev, e->ev->pub.host, k->host, k->host_len) &&
	       event_has(e->ev, e->ev->pub.service, k->service, k->service_len);
}

static uint32_t find(const struct key *k)
{
	for (size_t i = k->hash & (size - 1); size != 0 && slots[i].entry != 0; i = (i + 1) & (size - 1))
		if (slots[i].hash == k->hash && is(entry_at(slots[i].entry), k))
			return slots[i].entry;
	return 0;
}

static void slot_take(struct slot *table, size_t n, struct slot s)
{
	size_t i = s.hash & (n - 1);

	while (table[i].entry != 0)
		i = (i + 1) & (n - 1);
	table[i] = s;
}

/* Those behind it move up as far as their hash lets them, so that no probe ends too soon. */
static void slot_leave(uint32_t hash, uint32_t entry)
{
	size_t mask = size - 1, hole = hash & mask;

	while (slots[hole].entry != entry)
		hole = (hole + 1) & mask;
	for (size_t i = (hole + 1) & mask; slots[i].entry != 0; i = (i + 1) & mask)
		if (((i - slots[i].hash) & mask) >= ((i - hole) & mask)) {
			slots[hole] = slots[i];
			hole = i;
		}
	slots[hole].entry = 0;
}

static int grow(void)
{
	size_t more = size != 0 ? 2 * size : 1024;
	struct slot *p;

	if (count < size / 8 * 7)
		return 0;
	p = calloc(more, sizeof(*p));
	if (p == NULL)
		return count + 1 < size ? 0 : -ENOMEM;
	for (size_t i = 0; i < size; i++)
		if (slots[i].entry != 0)
			slot_take(p, more, slots[i]);
	free(slots);
	slots = p;
	size = more;
	return 0;
}

/* A chunk's worth of free entries; number 0 is none. */
static int more_entries(void)
{
	struct entry **p = realloc(chunks, (n_chunks + 1) * sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	chunks = p;
	p[n_chunks] = aligned_alloc(sizeof(struct entry), CHUNK * sizeof(struct entry));
	if (p[n_chunks] == NULL)
		return -ENOMEM;
	n_chunks++;
	for (uint32_t i = CHUNK, at = (uint32_t)n_chunks * CHUNK; i-- > 0;)
		if (--at != 0) {
			entry_at(at)->ev = NULL;
			entry_at(at)->due.next = free_entry;
			free_entry = at;
		}
	return 0;
}

/* Out of all lists; its event is the caller's. */
static struct event *take_out(uint32_t at)
{
	struct entry *e = entry_at(at);
	struct event *ev = e->ev;

	slot_leave(e->hash, at);
	name_leave(e, 0);
	name_leave(e, 1);
	due_leave(e);
	e->ev = NULL;
	e->due.next = free_entry;
	free_entry = at;
	count--;
	return ev;
}

static int insert(const struct sat_event *ev, const struct key *k)
{
	struct event *copy;
	struct name *n[2];
	uint32_t at;

	if (count >= conf.max)
		return -ENOBUFS;
	if (grow() != 0 || (free_entry == 0 && more_entries() != 0))
		return -ENOMEM;
	copy = event_copy(ev);
	n[0] = name_get(&names[0], ev->host);
	n[1] = name_get(&names[1], ev->service);
	if (copy == NULL || n[0] == NULL || n[1] == NULL)
		goto fail;
	at = free_entry;
	free_entry = entry_at(at)->due.next;
	entry_at(at)->ev = copy;
	entry_at(at)->hash = k->hash;
	entry_at(at)->deadline = deadline_of(ev);
	name_join(n[0], at, 0);
	name_join(n[1], at, 1);
	due_join(at);
	slot_take(slots, size, (struct slot){ k->hash, at });
	count++;
	return 0;
fail:
	if (n[0] != NULL)
		name_drop(&names[0], n[0]);
	if (n[1] != NULL)
		name_drop(&names[1], n[1]);
	if (copy != NULL)
		sat_drop(&copy->pub);
	return -ENOMEM;
}

/* loan: ev as a message's event, or NULL. */
static int replace(uint32_t at, const struct sat_event *ev, const struct event *loan)
{
	struct entry *e = entry_at(at);
	int64_t deadline = deadline_of(ev);
	struct event *copy;

	if (&e->ev->pub == ev || (loan != NULL ? event_renew(e->ev, loan) : event_refill(e->ev, ev)))
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
		due_join(at);
	}
	e->deadline = deadline;
	return 0;
}

static struct { const struct event *events; uint32_t n, entry[INDEX_AHEAD]; } ahead;

void index_expect(const struct event *events, uint32_t n)
{
	const char *ev;

	ahead.events = events;
	ahead.n = n;
	if (size == 0)
		memset(ahead.entry, 0, sizeof(ahead.entry));
	for (uint32_t i = 0; size != 0 && i < n; i++)
		__builtin_prefetch(&slots[events[i].hash & (size - 1)]);
	for (uint32_t i = 0; size != 0 && i < n; i++) {
		size_t at = events[i].hash & (size - 1);

		while (slots[at].hash != events[i].hash && slots[at].entry != 0)
			at = (at + 1) & (size - 1);
		ahead.entry[i] = slots[at].entry;
		if (ahead.entry[i] != 0)
			__builtin_prefetch(entry_at(ahead.entry[i]), 1);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (ahead.entry[i] == 0)
			continue;
		ev = (const char *)entry_at(ahead.entry[i])->ev;
		for (size_t line = 0; line < EVENT_LASTING + 64; line += 64)
			__builtin_prefetch(ev + line, 1);
	}
}

/* One of those that index_expect() named, or NULL. */
static inline const struct event *expected(const struct sat_event *ev, uint32_t *entry)
{
	uintptr_t at = (uintptr_t)ev - (uintptr_t)ahead.events;

	if (at >= ahead.n * sizeof(struct event))
		return NULL;
	*entry = ahead.entry[at / sizeof(struct event)];
	return (const struct event *)ev;
}

int index_put(const struct sat_event *ev)
{
	uint32_t at = 0;
	const struct event *loan = expected(ev, &at);
	struct key k = loan == NULL ? key_of(ev->host, ev->service) :
		(struct key){ ev->host, ev->service, loan->host_len, loan->service_len, loan->hash };

	if (at == 0 || !is(entry_at(at), &k))
		at = find(&k);
	if (ev->state != NULL && ev->state[0] == 'e' && strcmp(ev->state, "expired") == 0) {
		if (at != 0)
			sat_drop(&take_out(at)->pub);
		return 0;
	}
	if (!(ev->has & SAT_HAS_TIME))
		return -EINVAL;
	return at != 0 ? replace(at, ev, loan) : insert(ev, &k);
}

static uint32_t find_texts(const char *host, const char *service)
{
	struct key k = key_of(host, service);

	return find(&k);
}

int index_delete(const char *host, const char *service)
{
	uint32_t at = find_texts(host, service);

	if (at == 0)
		return -ENOENT;
	sat_drop(&take_out(at)->pub);
	return 0;
}

const struct sat_event *index_get(const char *host, const char *service)
{
	uint32_t at = find_texts(host, service);

	return at != 0 ? &entry_at(at)->ev->pub : NULL;
}

size_t index_size(void)
{
	return count;
}

/* ---- Searching ---------------------------------------------------------- */

struct hits { const struct sat_event **evs; size_t n, room; };

static int hit(struct hits *h, const struct sat_query *q, const struct entry *e)
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

/* The shortest list that has every match: a host's, a service's, or (NULL) all; *none: nothing can match. */
static struct name *shortest(const struct sat_query *q, int *which, bool *none)
{
	const char *want[2] = { q != NULL ? query_host(q) : NULL, q != NULL ? query_service(q) : NULL };
	struct name *best = NULL;

	*none = false;
	for (int i = 0; i < 2; i++) {
		struct name *n = want[i] != NULL ? name_find(&names[i], want[i]) : NULL;

		if (want[i] != NULL && n == NULL)
			*none = true;
		if (n != NULL && (best == NULL || n->n < best->n)) {
			best = n;
			*which = i;
		}
	}
	return best;
}

static int collect(struct hits *h, const struct sat_query *q)
{
	int which = 0, rc = 0;
	bool none;
	const struct name *list = shortest(q, &which, &none);

	if (none)
		return 0;
	if (list != NULL) {
		for (uint32_t at = list->first; at != 0 && rc == 0; at = entry_at(at)->with[which].next)
			rc = hit(h, q, entry_at(at));
		return rc;
	}
	for (size_t i = 0; i < size && rc == 0; i++)
		if (slots[i].entry != 0)
			rc = hit(h, q, entry_at(slots[i].entry));
	return rc;
}

size_t index_walk_begin(struct index_walk *w, const struct sat_query *q)
{
	int which = 0;
	bool none;
	const struct name *list = shortest(q, &which, &none);

	*w = (struct index_walk){ .q = q, .few = none || (list != NULL && list->n <= INDEX_FEW) };
	return none ? 0 : w->few ? list->n : count;
}

static int walk_list(const struct index_walk *w, int (*met)(void *arg, const struct sat_event *ev), void *arg)
{
	int which = 0, rc = 0;
	bool none;
	const struct name *list = shortest(w->q, &which, &none);

	for (uint32_t at = none || list == NULL ? 0 : list->first; at != 0 && rc == 0;
	     at = entry_at(at)->with[which].next)
		rc = met(arg, &entry_at(at)->ev->pub);
	return rc;
}

/* By number, since an entry keeps its own. */
bool index_walk(struct index_walk *w, uint32_t most, int (*met)(void *arg, const struct sat_event *ev),
		void *arg, int *rc)
{
	*rc = 0;
	if (w->few) {
		*rc = walk_list(w, met, arg);
		return false;
	}
	if (w->at == 0)
		w->end = (uint32_t)n_chunks * CHUNK;
	for (uint32_t n = 0; n < most && *rc == 0 && ++w->at < w->end; n++)
		if (entry_at(w->at)->ev != NULL)
			*rc = met(arg, &entry_at(w->at)->ev->pub);
	return *rc == 0 && w->at < w->end;
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

static bool due_room(void)
{
	uint32_t *v;

	if (due.n < due.size)
		return true;
	v = realloc(due.v, 2 * (due.size + 32) * sizeof(*v));
	if (v == NULL)
		return false;
	due.v = v;
	due.size = 2 * (due.size + 32);
	return true;
}

/* Look through one bucket: note what is due, file anew what is not.  false: no room for more. */
static bool gather(uint32_t b, int64_t now, uint32_t most)
{
	uint32_t at = ring[b].next, next, last = ring[b].prev;

	for (; at != 0; at = next) {
		struct entry *e = entry_at(at);

		next = at != last ? e->due.next : 0;
		if (e->deadline >= now) {
			due_leave(e);
			due_join(at);
		} else if (due.n < most && due_room()) {
			due.v[due.n++] = at;
		} else {
			return false;
		}
	}
	return true;
}

static int by_deadline(const void *a, const void *b)
{
	const struct entry *x = entry_at(*(const uint32_t *)a), *y = entry_at(*(const uint32_t *)b);

	if (x->deadline != y->deadline)
		return x->deadline < y->deadline ? -1 : 1;
	return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

/* In the order of their deadlines, whatever seconds the buckets begin with: replay must do the same. */
bool index_reap(int64_t now, uint32_t most, struct arena *a,
		void (*expired)(void *arg, struct event *ev, const struct sat_event *was), void *arg)
{
	int64_t second = now / SAT_SECOND, from;
	bool all = true;

	last_turn = now;
	due.n = 0;
	from = reaped != INT64_MIN && second - reaped < BUCKETS ? reaped + 1 : second - BUCKETS + 1;
	for (int64_t s = from; all && s <= second + 1 && s - from < BUCKETS; s++) {	/* each bucket once */
		all = gather((uint32_t)((uint64_t)s % BUCKETS), now, most);
		if (all && s <= second - 1)
			reaped = s;
	}
	if (due.n > 1)
		qsort(due.v, due.n, sizeof(*due.v), by_deadline);
	for (uint32_t i = 0; i < due.n; i++) {
		struct event *was = take_out(due.v[i]), *ev = expired_event(&was->pub, a);

		if (ev != NULL)
			expired(arg, ev, &was->pub);
		sat_drop(&was->pub);
		self_add(SELF_EXPIRED, 1);
	}
	return !all && due.n > 0;
}

int64_t index_next(void)
{
	return count != 0 ? last_turn + conf.reap : INT64_MAX;
}

int64_t index_left(const struct sat_event *ev)
{
	uint32_t at = find_texts(ev->host, ev->service);

	if (at == 0)
		return 0;
	return entry_at(at)->deadline != INT64_MAX ? entry_at(at)->deadline - clock_steady() : INT64_MAX;
}

void index_set_left(const struct sat_event *ev, int64_t left)
{
	uint32_t at = find_texts(ev->host, ev->service);

	if (at == 0)
		return;
	due_leave(entry_at(at));
	entry_at(at)->deadline = left < INT64_MAX - clock_steady() ? clock_steady() + left : INT64_MAX;
	due_join(at);
}

void index_free(void)
{
	for (size_t i = 0; i < size; i++)
		while (slots[i].entry != 0)
			sat_drop(&take_out(slots[i].entry)->pub);
	free(slots);
	slots = NULL;
	size = count = 0;
	for (size_t i = 0; i < n_chunks; i++)
		free(chunks[i]);
	free(chunks);
	chunks = NULL;
	free(due.v);
	memset(&due, 0, sizeof(due));
	n_chunks = 0;
	ahead.n = 0;
	free_entry = 0;
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
