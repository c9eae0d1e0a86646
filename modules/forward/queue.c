/* SPDX-License-Identifier: Apache-2.0 */
/* queue - a bounded ring of events: in front those under way, then those that wait. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "forward.h"

#define LEAST	16u	/* entries */
#define BESIDE	64u	/* bytes that one takes beside what goes over the wire */

struct parcel *parcel_new(const void *bytes, size_t len)
{
	struct parcel *p = len <= UINT32_MAX ? malloc(sizeof(*p) + len) : NULL;

	if (p == NULL)
		return NULL;
	p->refs = 1;
	p->len = (uint32_t)len;
	memcpy(p->bytes, bytes, len);
	return p;
}

struct parcel *parcel_ref(struct parcel *p)
{
	p->refs++;
	return p;
}

void parcel_unref(struct parcel *p)
{
	if (p != NULL && --p->refs == 0)
		free(p);
}

static struct entry *at(const struct queue *q, size_t i)
{
	return &q->ring[(q->first + i) & (q->size - 1)];
}

static bool grow(struct queue *q)
{
	size_t size = q->size > 0 ? q->size * 2 : LEAST;
	struct entry *ring = calloc(size, sizeof(*ring));

	if (ring == NULL)
		return false;
	for (size_t i = 0; i < q->n; i++)
		ring[i] = *at(q, i);
	free(q->ring);
	q->ring = ring;
	q->size = size;
	q->first = 0;
	return true;
}

/* Whether `bytes` more may wait. */
static bool reserve(struct queue *q, size_t bytes)
{
	size_t want = q->bytes + bytes > QUEUE_OWN ? q->bytes + bytes - QUEUE_OWN : 0;

	if (want > q->reserved) {
		if (q->self != NULL && sat_reserve(q->self, SAT_QUEUES, want - q->reserved) != 0)
			return false;
		q->reserved = want;
	}
	q->bytes += bytes;
	return true;
}

static void give_back(struct queue *q, size_t bytes)
{
	size_t want;

	q->bytes -= bytes;
	want = q->bytes > QUEUE_OWN ? q->bytes - QUEUE_OWN : 0;
	if (want >= q->reserved)
		return;
	if (q->self != NULL)
		sat_release(q->self, SAT_QUEUES, q->reserved - want);
	q->reserved = want;
}

/* Let go of what is in an entry; its place in the ring stays. */
static bool empty(struct queue *q, struct entry *e)
{
	if (e->parcel == NULL)
		return false;
	give_back(q, e->parcel->len + BESIDE);
	parcel_unref(e->parcel);
	e->parcel = NULL;
	q->held--;
	return true;
}

/* Take the first entry out; true if it held an event. */
static bool pop(struct queue *q)
{
	struct entry *e = at(q, 0);
	bool held = empty(q, e);

	if (e->place != 0)
		q->passed = e->place;
	q->first++;
	q->n--;
	return held;
}

/* The oldest goes, even from under way: it may have arrived. */
static bool pop_oldest(struct queue *q)
{
	unsigned b = 0;

	if (q->under_way > 0) {
		while (q->batches[b] == 0)
			b++;
		q->batches[b]--;
		q->under_way--;
	}
	return pop(q);
}

size_t queue_put_placed(struct queue *q, struct parcel *p, int64_t until, uint64_t place)
{
	size_t bytes = p->len + BESIDE, gone = 0;

	if (bytes > q->max_bytes)
		goto refuse;
	while (q->n > 0 && (q->n >= q->max || q->bytes + bytes > q->max_bytes))
		gone += pop_oldest(q);
	if (q->n == q->size && !grow(q)) {
		if (q->n == 0)
			goto refuse;
		gone += pop_oldest(q);
	}
	while (!reserve(q, bytes)) {
		if (q->n == 0)
			goto refuse;
		gone += pop_oldest(q);
	}
	*at(q, q->n++) = (struct entry){ .parcel = p, .until = until, .place = place };
	q->held++;
	return gone;
refuse:
	parcel_unref(p);
	return gone + 1;
}

size_t queue_take(struct queue *q, struct parcel **out, const struct most *most, int64_t now, size_t *expired)
{
	size_t places = 0, n = 0, bytes = 0;

	assert(q->n_batches < DEPTH);
	*expired = 0;
	for (; q->under_way + places < q->n && n < most->events; places++) {
		struct entry *e = at(q, q->under_way + places);

		/* Its place is kept until the message it would have been in is answered. */
		if (e->until < now)
			*expired += empty(q, e);
		if (e->parcel == NULL)
			continue;
		bytes += e->parcel->len;
		if (n > 0 && bytes > most->bytes)
			break;
		out[n++] = e->parcel;
	}
	if (n > 0) {
		q->batches[q->n_batches++] = places;
		q->under_way += places;
	} else if (q->n_batches > 0) {
		q->batches[q->n_batches - 1] += places;
		q->under_way += places;
	} else {
		while (places-- > 0)
			pop(q);
	}
	return n;
}

void queue_untake(struct queue *q)
{
	q->under_way -= q->batches[--q->n_batches];
}

size_t queue_ack(struct queue *q)
{
	size_t n = 0;

	for (size_t i = q->batches[0]; i > 0; i--)
		n += pop(q);
	q->under_way -= q->batches[0];
	q->n_batches--;
	memmove(q->batches, q->batches + 1, q->n_batches * sizeof(*q->batches));
	return n;
}

void queue_lost(struct queue *q)
{
	q->under_way = 0;
	q->n_batches = 0;
}

size_t queue_move(struct queue *from, struct queue *to, const struct most *most)
{
	size_t bytes = 0, gone = 0;

	for (size_t n = 0; from->n > 0 && n < most->events && bytes < most->bytes; n++) {
		struct entry *e = at(from, 0);

		if (e->parcel != NULL) {
			bytes += e->parcel->len;
			gone += queue_put_placed(to, parcel_ref(e->parcel), e->until, e->place);
		}
		pop(from);
	}
	return gone;
}

size_t queue_split(struct queue *q, struct queue *to)
{
	size_t first = q->n, gone = 0;

	while (first > q->under_way && at(q, first - 1)->place == 0)
		first--;
	for (size_t i = first; i < q->n; i++) {
		struct entry *e = at(q, i);

		if (e->parcel == NULL)
			continue;
		gone += queue_put(to, parcel_ref(e->parcel), e->until);
		empty(q, e);
	}
	q->n = first;
	return gone;
}

size_t queue_in_memory(const struct queue *q, uint32_t segment)
{
	size_t n = 0;

	while (n < q->n && at(q, n)->place >> 32 < (segment > 0 ? segment : 1))
		n++;
	return n;
}

const struct entry *queue_at(const struct queue *q, size_t i)
{
	return at(q, i);
}

void queue_free(struct queue *q)
{
	queue_lost(q);
	while (q->n > 0)
		pop(q);
	free(q->ring);
	*q = (struct queue){ 0 };
}
