/* SPDX-License-Identifier: Apache-2.0 */
/* index_due - when entries expire: a ring of one-second buckets, and the reaper that reads it. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "index_entry.h"
#include "self.h"

enum { BUCKETS = 1024 };	/* seconds that the ring spans; later ones come round again */

static struct link ring[BUCKETS];	/* first (next) and last (prev) of each */
static int64_t reaped = INT64_MIN;	/* the second up to which the ring was read */
static int64_t last_turn;
static struct { uint32_t *v, n, size; } due;	/* entries that a turn of the reaper takes out */

void due_join(uint32_t at)
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

void due_leave(struct entry *e)
{
	*(e->due.prev != 0 ? &entry_at(e->due.prev)->due.next : &ring[e->bucket].next) = e->due.next;
	*(e->due.next != 0 ? &entry_at(e->due.next)->due.prev : &ring[e->bucket].prev) = e->due.prev;
}

/* ---- The reaper --------------------------------------------------------- */

static bool keeps(const char *name)
{
	const char *const *k = index_settings()->keep;

	if (k == NULL)
		return strcmp(name, "host") == 0 || strcmp(name, "service") == 0;
	for (; *k != NULL; k++)
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
	if (!index_settings()->keep_all) {
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
	p->has |= SAT_HAS_TIME | SAT_HAS_STAMP;
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
		struct event *was = entry_take_out(due.v[i]), *ev = expired_event(&was->pub, a);

		if (ev != NULL)
			expired(arg, ev, &was->pub);
		sat_drop(&was->pub);
		self_add(SELF_EXPIRED, 1);
	}
	return !all && due.n > 0;
}

int64_t index_next(void)
{
	return index_size() != 0 ? last_turn + index_settings()->reap : INT64_MAX;
}

/* No entry is left. */
void due_free(void)
{
	free(due.v);
	memset(&due, 0, sizeof(due));
	reaped = INT64_MIN;
	last_turn = 0;
}
