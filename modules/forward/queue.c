/* SPDX-License-Identifier: Apache-2.0 */
/* queue - a bounded ring of events: in front those under way, then those that wait. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "forward.h"

#define LEAST	16u	/* entries */

static struct entry *at(const struct queue *q, size_t i)
{
	return &q->ring[(q->first + i) & (q->size - 1)];
}

/* Roughly what an event takes on the wire and in memory. */
static size_t weigh(const struct sat_event *ev)
{
	const char *const texts[] = { ev->host, ev->service, ev->state, ev->description };
	size_t bytes = 128;

	for (size_t i = 0; i < 4; i++)
		bytes += texts[i] != NULL ? strlen(texts[i]) + 4 : 0;
	for (uint32_t i = 0; i < ev->n_tags; i++)
		bytes += strlen(ev->tags[i]) + 4;
	for (uint32_t i = 0; i < ev->n_attrs; i++)
		bytes += strlen(ev->attrs[i].key) + strlen(ev->attrs[i].value) + 12;
	return bytes;
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

/* Take the first entry out; true if it held an event. */
static bool pop(struct queue *q)
{
	struct entry *e = at(q, 0);
	bool held = e->ev != NULL;

	sat_drop(e->ev);
	give_back(q, e->bytes);
	*e = (struct entry){ 0 };
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

size_t queue_put(struct queue *q, const struct sat_event *ev, int64_t until)
{
	size_t bytes = weigh(ev), gone = 0;

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
	*at(q, q->n++) = (struct entry){ .ev = ev, .bytes = bytes, .until = until };
	return gone;
refuse:
	sat_drop(ev);
	return gone + 1;
}

/* Its place is kept until the message it would have been in is answered. */
static void expire(struct queue *q, struct entry *e)
{
	sat_drop(e->ev);
	give_back(q, e->bytes);
	e->ev = NULL;
	e->bytes = 0;
}

size_t queue_take(struct queue *q, const struct sat_event **evs, size_t most, int64_t now, size_t *expired)
{
	size_t places = 0, n = 0;

	assert(q->n_batches < DEPTH);
	*expired = 0;
	while (q->under_way + places < q->n && n < most) {
		struct entry *e = at(q, q->under_way + places++);

		if (e->ev != NULL && e->until < now) {
			expire(q, e);
			++*expired;
		}
		if (e->ev != NULL)
			evs[n++] = e->ev;
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

void queue_free(struct queue *q)
{
	queue_lost(q);
	while (q->n > 0)
		pop(q);
	free(q->ring);
	*q = (struct queue){ 0 };
}
