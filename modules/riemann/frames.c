/* SPDX-License-Identifier: Apache-2.0 */
/* frames - messages with their lengths: run where they lie, or kept until they are whole. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "door.h"

static uint32_t frame_length(const char *p)
{
	uint32_t n;

	memcpy(&n, p, 4);
	return ntohl(n);
}

/* false: no more of this connection. */
static bool run(struct conn *c, char *msg, uint32_t n)
{
	struct door *d = c->tcp.data;
	int rc;

	c->running = true;
	rc = sat_message(d->self, msg, n, d->answer_limit, answer, c, &c->asked);
	c->running = false;

	if (rc == -EBADMSG) {
		sat_count(d->self, MALFORMED, 1);
		log_some(d, "%s: malformed message of %u bytes", PEER(c), n);
		answer_error(d, "malformed message");
		return false;
	}
	if (rc != 0) {
		log_some(d, "%s: message of %u bytes: %s", PEER(c), n, strerror(-rc));
		answer_error(d, "%s", strerror(-rc));
	}
	return !d->out.full;
}

static bool too_large(struct conn *c, uint32_t n)
{
	struct door *d = c->tcp.data;

	if (n <= d->limit)
		return false;
	sat_count(d->self, TOO_LARGE, 1);
	log_some(d, "%s: frame of %u bytes, over frame-limit = %u", PEER(c), n, d->limit);
	answer_error(d, "frame of %u bytes is over the limit of %u", n, d->limit);
	return true;
}

/* A frame's room grows as it comes, not as it was announced. */
void frames_keep(struct conn *c, const char *p, size_t n)
{
	if (n == 0)
		return;
	c->part = malloc(n + 1);
	if (c->part == NULL) {
		conn_end(c);
		return;
	}
	memcpy(c->part, p, n);
	c->len = c->size = (uint32_t)n;
}

/* Run whole frames until the answers are enough: how many bytes they had. */
static size_t run_frames(struct conn *c, char *p, size_t n, bool *more)
{
	struct door *d = c->tcp.data;
	int64_t messages = 0;
	size_t used = 0;
	uint32_t len;

	while (*more && c->asked == NULL && n - used >= 4 && d->out.len < ANSWERS_ENOUGH) {
		len = frame_length(p + used);
		if (too_large(c, len))
			*more = false;
		else if (len > n - used - 4)
			break;
		else
			*more = run(c, p + used + 4, len);
		messages += *more;
		used += 4 + (size_t)len;
	}
	if (messages != 0)
		sat_count(d->self, MESSAGES, messages);
	return used;
}

void frames_take(struct conn *c, char *p, size_t n)
{
	bool more = true;
	size_t used;

	do {
		used = run_frames(c, p, n, &more);
		answers_flush(c);
		p += used;
		n -= more ? used : n;
	} while (used != 0 && more && !c->writing && !c->closing && c->asked == NULL);
	if (c->closing)
		return;
	if (c->asked != NULL)
		uv_read_stop((uv_stream_t *)&c->tcp);
	if (more)
		frames_keep(c, p, n);
	else
		conn_end(c);
	if (!c->closing)
		conn_settle(c);
}

/* How many bytes the frame that has begun has in all, as far as is known. */
static size_t wanted(const struct conn *c)
{
	return c->len < 4 ? 4 : 4 + (size_t)frame_length(c->part);
}

void frames_room(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct conn *c = (struct conn *)h;
	struct door *d = h->data;
	size_t want, size;
	char *p;

	(void)hint;
	*buf = uv_buf_init(d->in, READ_SIZE);
	if (c->part == NULL)
		return;
	want = wanted(c);
	if (c->size == c->len) {
		size = c->size < 2048 ? 4096 : 2 * (size_t)c->size;
		size = size < want ? size : want;
		p = realloc(c->part, size + 1);
		if (p == NULL) {
			*buf = uv_buf_init(NULL, 0);	/* the reader gets UV_ENOBUFS */
			return;
		}
		c->part = p;
		c->size = (uint32_t)size;
	}
	*buf = uv_buf_init(c->part + c->len, (unsigned)((c->size < want ? c->size : want) - c->len));
}

void frames_add(struct conn *c, size_t n)
{
	struct door *d = c->tcp.data;
	char *part = c->part;
	uint32_t len = c->len += (uint32_t)n;

	if (len < wanted(c) && wanted(c) <= 4 + (size_t)d->limit) {
		conn_settle(c);
		return;
	}
	c->part = NULL;
	c->len = c->size = 0;
	frames_take(c, part, len);
	free(part);
}
