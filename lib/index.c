/* SPDX-License-Identifier: Apache-2.0 */
/* index - the latest event of each (host, service): a hash table of entries. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "clock.h"
#include "hash.h"
#include "index_entry.h"

struct slot { uint32_t hash, entry; };	/* entry 0: a free one */

/* Who wants to see an entry before it changes. */
static struct { const struct index_walk *walk; void (*before)(const struct sat_event *ev); } guard;

/* What is looked for. */
struct key { const char *host, *service; size_t host_len, service_len; uint32_t hash; };

#define DEFAULTS { .ttl = 60, .reap = 10 * SAT_SECOND, .max = 4000000 }

struct entry **entry_chunks;
size_t entry_n_chunks;
uint32_t entry_moment;

/* An entry with its places in a table that is up to half empty. */
#define ENTRY_WEIGHT ((int64_t)(sizeof(struct entry) + 2 * sizeof(struct slot)))

static struct index_conf conf = DEFAULTS;
static struct slot *slots;		/* probed in line; at most 7 of 8 are taken */
static size_t size, count;
static uint32_t free_entry;		/* the first of them; 0: none */

static int64_t deadline_of(const struct sat_event *ev)
{
	return event_deadline(ev, ev->has & SAT_HAS_TTL ? ev->ttl : conf.ttl);
}

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
	struct entry **p = realloc(entry_chunks, (entry_n_chunks + 1) * sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	entry_chunks = p;
	p[entry_n_chunks] = aligned_alloc(sizeof(struct entry), CHUNK * sizeof(struct entry));
	if (p[entry_n_chunks] == NULL)
		return -ENOMEM;
	entry_n_chunks++;
	for (uint32_t i = CHUNK, at = (uint32_t)entry_n_chunks * CHUNK; i-- > 0;)
		if (--at != 0) {
			entry_at(at)->ev = NULL;
			entry_at(at)->due.next = free_entry;
			free_entry = at;
		}
	return 0;
}

void index_walk_guard(const struct index_walk *w, void (*before)(const struct sat_event *ev))
{
	guard.walk = w;
	guard.before = before;
}

static void tell_guard(uint32_t at)
{
	const struct event *ev = entry_at(at)->ev;

	if (at >= guard.walk->at && (int32_t)(ev->changed - guard.walk->moment) <= 0)
		guard.before(&ev->pub);
}

struct event *entry_take_out(uint32_t at)
{
	struct entry *e = entry_at(at);
	struct event *ev = e->ev;

	if (guard.walk != NULL)
		tell_guard(at);
	slot_leave(e->hash, at);
	names_leave(e, 0);
	names_leave(e, 1);
	due_leave(e);
	e->ev = NULL;
	e->due.next = free_entry;
	free_entry = at;
	count--;
	account_add(ACCOUNT_EVENTS, -ENTRY_WEIGHT);
	return ev;
}

/* Events of new names leave the last eighth of the share to those that take an older one's
 * place, and to streams: what is known already goes on being known. */
static bool may_grow(void)
{
	if (count >= conf.max)
		return false;
	if (account_has_room(ACCOUNT_EVENTS, 0, 14))
		return true;
	self_add(SELF_MEMORY_REFUSED, 1);
	return false;
}

static int insert(const struct sat_event *ev, const struct key *k)
{
	struct event *copy;
	struct name *n[2];
	uint32_t at;

	if (!may_grow())
		return -ENOBUFS;
	if (grow() != 0 || (free_entry == 0 && more_entries() != 0))
		return -ENOMEM;
	copy = event_copy(ev);
	n[0] = names_get(0, ev->host);
	n[1] = names_get(1, ev->service);
	if (copy == NULL || n[0] == NULL || n[1] == NULL)
		goto fail;
	at = free_entry;
	free_entry = entry_at(at)->due.next;
	copy->born = copy->changed = entry_moment;
	entry_at(at)->ev = copy;
	entry_at(at)->hash = k->hash;
	entry_at(at)->deadline = deadline_of(ev);
	names_join(n[0], at, 0);
	names_join(n[1], at, 1);
	due_join(at);
	slot_take(slots, size, (struct slot){ k->hash, at });
	count++;
	account_add(ACCOUNT_EVENTS, ENTRY_WEIGHT);
	return 0;
fail:
	if (n[0] != NULL)
		names_drop(0, n[0]);
	if (n[1] != NULL)
		names_drop(1, n[1]);
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

	if (__builtin_expect(guard.walk != NULL, 0))
		tell_guard(at);
	if (&e->ev->pub == ev || (loan != NULL ? event_renew(e->ev, loan) : event_refill(e->ev, ev)))
		goto kept;
	copy = event_copy_within(ev);
	if (copy == NULL)
		return -ENOMEM;
	copy->born = e->ev->born;
	sat_drop(&e->ev->pub);
	e->ev = copy;
kept:
	e->ev->changed = entry_moment;
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
			sat_drop(&entry_take_out(at)->pub);
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
	sat_drop(&entry_take_out(at)->pub);
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
			sat_drop(&entry_take_out(slots[i].entry)->pub);
	free(slots);
	slots = NULL;
	size = count = 0;
	for (size_t i = 0; i < entry_n_chunks; i++)
		free(entry_chunks[i]);
	free(entry_chunks);
	entry_chunks = NULL;
	entry_n_chunks = 0;
	ahead.n = 0;
	free_entry = 0;
	names_free();
	due_free();
	conf = (struct index_conf)DEFAULTS;
}

const struct sat_event *sat_index_get(const char *host, const char *service)
{
	return index_get(host, service);
}

size_t sat_index_size(void)
{
	return index_size();
}
