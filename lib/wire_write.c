/* SPDX-License-Identifier: Apache-2.0 */
/* wire_write - Riemann's messages written: answers, and events for other masters. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "wire.h"

#define VARINT_MAX	10
#define EVENT_MAX	96	/* of all fields but the texts */

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

/* A text that is not UTF-8 spoils the whole message for a strict reader: it is made so. */
static uint8_t *put_bytes(uint8_t *p, unsigned field, const char *s, size_t n)
{
	*p++ = (uint8_t)(field << 3 | 2);
	p = put_varint(p, n);
	memcpy(p, s, n);
	buf_mend((char *)p, n);
	return p + n;
}

static uint8_t *put_text(uint8_t *p, unsigned field, const char *s)
{
	return s != NULL ? put_bytes(p, field, s, strlen(s)) : p;
}

static uint8_t *put_int(uint8_t *p, unsigned field, int64_t v)
{
	*p++ = (uint8_t)(field << 3);
	return put_varint(p, (uint64_t)v);
}

static uint8_t *put_float(uint8_t *p, unsigned field, double d)
{
	float f = (float)d;

	*p++ = (uint8_t)(field << 3 | 5);
	return (uint8_t *)memcpy(p, &f, sizeof(f)) + sizeof(f);
}

/* The float beside the exact metric is for old readers; Riemann leaves it out
 * where it overflows. */
static uint8_t *put_metric(uint8_t *p, const struct sat_event *ev)
{
	if (ev->has & SAT_HAS_INT) {
		uint64_t v = (uint64_t)ev->metric.i;

		p = put_int(p, 13, (int64_t)(v << 1 ^ -(v >> 63)));
		return put_float(p, 15, (double)ev->metric.i);
	}
	if (!(ev->has & SAT_HAS_DOUBLE))
		return p;
	*p++ = 14 << 3 | 1;
	memcpy(p, &ev->metric.d, 8);
	p += 8;
	if (isfinite(ev->metric.d) && fabs(ev->metric.d) > (double)FLT_MAX)
		return p;
	return put_float(p, 15, ev->metric.d);
}

static uint8_t *put_attr(uint8_t *p, const struct sat_attr *attr)
{
	size_t k = strlen(attr->key), v = strlen(attr->value);
	uint8_t spare[VARINT_MAX];
	size_t n = 2 + k + v + (size_t)(put_varint(spare, k) - spare) + (size_t)(put_varint(spare, v) - spare);

	*p++ = 9 << 3 | 2;
	p = put_varint(p, n);
	p = put_bytes(p, 1, attr->key, k);
	return put_bytes(p, 2, attr->value, v);
}

static size_t text_max(const char *s)
{
	return s != NULL ? strlen(s) + 1 + VARINT_MAX : 0;
}

static size_t event_max(const struct sat_event *ev)
{
	size_t n = EVENT_MAX + text_max(ev->host) + text_max(ev->service) + text_max(ev->state) +
		text_max(ev->description);

	for (uint32_t i = 0; i < ev->n_tags; i++)
		n += text_max(ev->tags[i]);
	for (uint32_t i = 0; i < ev->n_attrs; i++)
		n += text_max(ev->attrs[i].key) + text_max(ev->attrs[i].value) + 1 + VARINT_MAX;
	return n;
}

static uint8_t *put_event(uint8_t *p, const struct sat_event *ev)
{
	if (ev->has & SAT_HAS_TIME)
		p = put_int(p, 1, ev->time / SAT_SECOND - (ev->time % SAT_SECOND < 0));
	p = put_text(p, 2, ev->state);
	p = put_text(p, 3, ev->service);
	p = put_text(p, 4, ev->host);
	p = put_text(p, 5, ev->description);
	for (uint32_t i = 0; i < ev->n_tags; i++)
		p = put_text(p, 7, ev->tags[i]);
	if (ev->has & SAT_HAS_TTL)
		p = put_float(p, 8, ev->ttl);
	for (uint32_t i = 0; i < ev->n_attrs; i++)
		p = put_attr(p, &ev->attrs[i]);
	if (ev->has & SAT_HAS_TIME)
		p = put_int(p, 10, ev->time);
	return put_metric(p, ev);
}

/* Its length stands in front, and is known only afterwards. */
void wire_add(struct sat_buf *b, const struct sat_event *ev)
{
	uint8_t *to = (uint8_t *)buf_room(b, event_max(ev) + 1 + VARINT_MAX), *body, *end, *p;

	if (to == NULL)
		return;
	body = to + 1 + VARINT_MAX;
	end = put_event(body, ev);
	*to = 6 << 3 | 2;
	p = put_varint(to + 1, (uint64_t)(end - body));
	memmove(p, body, (size_t)(end - body));
	b->len += (size_t)(p - to) + (size_t)(end - body);
}

static size_t begin(struct sat_buf *b)
{
	sat_buf_add(b, "\0\0\0\0", 4);
	return b->len;
}

static void finish(struct sat_buf *b, size_t from)
{
	size_t n = b->len - from;

	if (b->full)
		return;
	for (int i = 0; i < 4; i++)
		b->p[from - 4 + (size_t)i] = (char)(n >> (24 - 8 * i));
}

void wire_ok(struct sat_buf *b)
{
	sat_buf_add(b, "\0\0\0\2\x10\1", 6);
}

void wire_error(struct sat_buf *b, const char *error)
{
	size_t from = begin(b), n = error != NULL ? strlen(error) : 0;
	uint8_t head[1 + VARINT_MAX] = { 3 << 3 | 2 };

	sat_buf_add(b, "\x10\0", 2);
	if (error != NULL) {
		sat_buf_add(b, head, (size_t)(put_varint(head + 1, n) - head));
		sat_buf_add(b, error, n);
	}
	finish(b, from);
}

size_t wire_begin(struct sat_buf *b)
{
	size_t from = begin(b);

	sat_buf_add(b, "\x10\1", 2);
	return from;
}

size_t wire_begin_query(struct sat_buf *b, const char *query)
{
	size_t from = begin(b), n = strlen(query);
	uint8_t *to = (uint8_t *)buf_room(b, n + 2 * (1 + VARINT_MAX)), spare[VARINT_MAX], *p;

	if (to == NULL)
		return from;
	*to = 5 << 3 | 2;
	p = put_varint(to + 1, 1 + (size_t)(put_varint(spare, n) - spare) + n);
	b->len += (size_t)(put_bytes(p, 1, query, n) - to);
	return from;
}

void wire_end(struct sat_buf *b, size_t from)
{
	finish(b, from);
}

void sat_buf_message(struct sat_buf *b, const struct sat_event *const *evs, size_t n)
{
	size_t from = begin(b);

	for (size_t i = 0; i < n; i++)
		wire_add(b, evs[i]);
	finish(b, from);
}
