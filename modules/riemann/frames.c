/* SPDX-License-Identifier: Apache-2.0 */
/* frames - messages with their lengths: run where they lie, or kept until they are whole. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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

/* Not even if nobody else had any. */
static void no_room(struct conn *c, size_t n)
{
	struct door *d = c->tcp.data;

	sat_count(d->self, TOO_LARGE, 1);
	log_some(d, "%s: frame of %zu bytes, over what memory-max has for buffers", PEER(c), n - 4);
	answer_error(d, "frame of %zu bytes is more than there is memory for", n - 4);
	answers_flush(c);
	if (!c->closing)
		conn_refuse(c);
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

/* The same, until there are no more, or it is the client's or the host's turn. */
static size_t run_all(struct conn *c, char *p, size_t n, bool *more)
{
	size_t used, all = 0;

	do {
		used = run_frames(c, p + all, n - all, more);
		answers_flush(c);
		all += used;
	} while (used != 0 && *more && !c->writing && !c->closing && c->asked == NULL);
	if (c->asked != NULL && !c->closing)
		uv_read_stop((uv_stream_t *)&c->tcp);
	return *more ? all : n;
}

void frames_take(struct conn *c, char *p, size_t n)
{
	bool more = true;
	size_t used = run_all(c, p, n, &more);

	if (c->closing)
		return;
	if (more)
		frames_keep(c, p + used, n - used);
	else
		conn_refuse(c);
	if (!c->closing)
		conn_settle(c);
}

/* ---- What is kept ------------------------------------------------------- */

/* How many bytes the frame that has begun has in all, as far as is known. */
static size_t wanted(const struct conn *c)
{
	return c->len < 4 ? 4 : 4 + (size_t)frame_length(c->part);
}

/* Whole frames wait to be run, and one over the limit for its turn to be refused. */
static void ask(struct conn *c)
{
	struct door *d = c->tcp.data;
	size_t n = wanted(c) <= 4 + (size_t)d->limit ? wanted(c) : 0;

	if (c->len < 4)
		return;
	n = n > c->len ? n : c->len;
	if (room_ask(c, n) == -EMSGSIZE)
		no_room(c, n);
}

static bool copy(struct conn *c, const char *p, size_t n)
{
	c->part = malloc(n + 1);
	if (c->part == NULL) {
		conn_end(c);
		return false;
	}
	memcpy(c->part, p, n);
	c->len = c->size = (uint32_t)n;
	return true;
}

void frames_keep(struct conn *c, const char *p, size_t n)
{
	if (n != 0 && copy(c, p, n))
		ask(c);
}

char *frames_detach(struct conn *c)
{
	char *part = c->part;

	room_give(c);
	c->part = NULL;
	c->len = c->size = 0;
	return part;
}

void frames_room(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct conn *c = (struct conn *)h;
	struct door *d = h->data;
	size_t want, size;
	char *p;

	(void)hint;
	*buf = d->n_waiting == 0 ? uv_buf_init(d->in, READ_SIZE) : uv_buf_init(NULL, 0);
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
	uint32_t len = c->len += (uint32_t)n;
	char *part;

	if (len < wanted(c) && wanted(c) <= 4 + (size_t)d->limit) {
		if (c->held == 0 && !room_waits(c))
			ask(c);
		if (!c->closing)
			conn_settle(c);
		return;
	}
	part = frames_detach(c);
	frames_take(c, part, len);
	free(part);
}

/* ---- While somebody waits for room -------------------------------------- */

/* What stands behind the frames that were run: how much of it is taken. */
static size_t take_rest(struct conn *c, const char *p, size_t n)
{
	size_t want = n < 4 ? n : 4 + (size_t)frame_length(p);
	int rc;

	if (n == 0 || c->writing || c->asked != NULL)
		return 0;
	rc = n < 4 ? 0 : room_ask(c, want);
	if (rc == -EMSGSIZE)
		no_room(c, want);
	return rc == 0 && copy(c, p, n) ? n : 0;
}

void frames_look(struct conn *c)
{
	struct door *d = c->tcp.data;
	bool more = true;
	uv_os_fd_t fd;
	size_t used;
	ssize_t n;

	n = uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0 ? recv(fd, d->in, READ_SIZE, MSG_PEEK | MSG_DONTWAIT) : 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_end(c);
		return;
	}
	used = run_all(c, d->in, (size_t)n, &more);
	if (c->closing)
		return;
	if (used != 0)
		room_leave(c);		/* the next frame's turn is another */
	if (more)
		used += take_rest(c, d->in + used, (size_t)n - used);
	else
		conn_refuse(c);
	if (c->closing)
		return;
	recv(fd, NULL, used, MSG_TRUNC | MSG_DONTWAIT);
	sat_count(d->self, BYTES, (int64_t)used);
	conn_settle(c);
	conn_read_on(c);
}
