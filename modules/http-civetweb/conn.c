/* SPDX-License-Identifier: Apache-2.0 */
/* conn - a request's answer, as the loop gives it: whole, or a stream through a ring. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"

#define STREAMS		64
#define LONG_BYTES	((size_t)64 << 20)	/* of all answers that are long */

int conn_init(struct conn *c, struct mg_connection *mg, bool websocket)
{
	const struct mg_request_info *ri = mg_get_request_info(mg);
	pthread_condattr_t steady;

	memset(c, 0, sizeof(*c));
	c->pool = mg_get_user_data(mg_get_context(mg));
	c->mg = mg;
	c->websocket = websocket;
	c->pass = gate_knows(c->pool->gate, ri->remote_port, c->peer);
	if (c->pass == 0)
		return -EACCES;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &steady);
	pthread_condattr_destroy(&steady);
	return 0;
}

void conn_free(struct conn *c)
{
	atomic_fetch_sub(&c->pool->bytes, c->counted);
	if (c->placed) {
		sat_count(c->pool->self, STREAMING, -1);
		atomic_fetch_sub(&c->pool->streams, 1);
	}
	frames_free(&c->frames);
	free(c->ring);
	free(c->text);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->changed);
}

void conn_set_state(struct conn *c, enum conn_state state)
{
	c->state = state;
	pthread_cond_broadcast(&c->changed);
}

/* ---- The ring ----------------------------------------------------------- */

static void ring_add(struct conn *c, const void *p, size_t n)
{
	size_t at = (c->first + c->used) % RING_SIZE;
	size_t part = n < RING_SIZE - at ? n : RING_SIZE - at;

	memcpy(c->ring + at, p, part);
	memcpy(c->ring, (const char *)p + part, n - part);
	c->used += n;
}

void conn_take(struct conn *c, void *p, size_t n)
{
	size_t part = n < RING_SIZE - c->first ? n : RING_SIZE - c->first;

	memcpy(p, c->ring + c->first, part);
	memcpy((char *)p + part, c->ring, n - part);
	c->first = (c->first + n) % RING_SIZE;
	c->used -= n;
}

bool conn_add_frame(struct conn *c, unsigned opcode, const void *p, size_t n)
{
	char head[FRAMES_HEAD];
	size_t len = frames_head(head, opcode, n);

	if (len + n > RING_SIZE - c->used)
		return false;
	ring_add(c, head, len);
	ring_add(c, p, n);
	pthread_cond_broadcast(&c->changed);
	return true;
}

/* Under the lock. */
static bool ring_piece(struct conn *c, const void *p, size_t n)
{
	if (c->websocket)
		return conn_add_frame(c, MG_WEBSOCKET_OPCODE_TEXT, p, n);
	if (n > RING_SIZE - c->used)
		return false;
	ring_add(c, p, n);
	pthread_cond_broadcast(&c->changed);
	return true;
}

/* ---- The loop's side ---------------------------------------------------- */

static void write_head(struct sat_buf *b, struct conn *c, int status, const char *type, const char *const *extra)
{
	sat_buf_printf(b, "HTTP/1.1 %d %s\r\nConnection: close\r\nCache-Control: no-store\r\n", status,
		       mg_get_response_code_text(c->mg, status));
	if (type != NULL)
		sat_buf_printf(b, "Content-Type: %s\r\n", type);
	for (; extra != NULL && *extra != NULL; extra++)
		sat_buf_printf(b, "%s\r\n", *extra);
}

/* An answer that may have to wait for its client holds its worker, so there is a place for only so many. */
static bool take_place(struct conn *c)
{
	struct pool *p = c->pool;

	if (atomic_load(&p->stopping))
		return false;
	if (atomic_fetch_add(&p->streams, 1) < STREAMS) {
		sat_count(p->self, STREAMING, 1);
		c->placed = true;
		return true;
	}
	atomic_fetch_sub(&p->streams, 1);
	return false;
}

/* One of GATE_OUT at most never waits for its client: the gate takes it whole. */
static bool may_be_long(struct conn *c, size_t len)
{
	if (len <= GATE_OUT)
		return true;
	if (atomic_fetch_add(&c->pool->bytes, len) + len > LONG_BYTES) {
		atomic_fetch_sub(&c->pool->bytes, len);
		return false;
	}
	c->counted = len;
	return take_place(c);
}

void conn_reply(void *conn, int status, const char *type, const void *body, size_t len,
		const char *const *extra)
{
	static const char busy[] = "{\"error\": \"too many long answers at once\"}\n";
	struct conn *c = conn;
	struct sat_buf b = { .max = len + 65536 };

	if (body != NULL && !may_be_long(c, len)) {
		body = busy;
		len = sizeof(busy) - 1;
		status = 503;
		type = "application/json";
		extra = NULL;
	}
	write_head(&b, c, status, type, extra);
	if (status != 204)
		sat_buf_printf(&b, "Content-Length: %zu\r\n", len);
	sat_buf_add(&b, "\r\n", 2);
	if (body != NULL)
		sat_buf_add(&b, body, len);
	if (b.full) {
		sat_buf_free(&b);
		b = (struct sat_buf){ 0 };
	}
	pthread_mutex_lock(&c->lock);
	c->status = status;
	c->text = b.p;		/* NULL: there was no memory for it */
	c->len = b.len;
	conn_set_state(c, CONN_ANSWERED);
	pthread_mutex_unlock(&c->lock);
}

int conn_begin(void *conn, int status, const char *type, const char *const *extra, uint64_t length)
{
	struct conn *c = conn;
	struct sat_buf b = { 0 };
	char *ring = malloc(RING_SIZE);

	if (status != 101) {
		write_head(&b, c, status, type, extra);
		if (length != 0)
			sat_buf_printf(&b, "Content-Length: %llu\r\n\r\n", (unsigned long long)length);
		else
			sat_buf_printf(&b, "Transfer-Encoding: chunked\r\nX-Accel-Buffering: no\r\n\r\n");
	}
	if (ring == NULL || b.full || !take_place(c)) {
		free(ring);
		sat_buf_free(&b);
		return -EBUSY;
	}
	pthread_mutex_lock(&c->lock);
	c->status = status;
	c->chunked = status != 101 && length == 0;
	c->text = b.p;
	c->len = b.len;
	c->ring = ring;
	conn_set_state(c, CONN_STREAMS);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

int conn_send(void *conn, const void *p, size_t len)
{
	struct conn *c = conn;
	int rc = 0;

	if (len > RING_SIZE - FRAMES_HEAD)
		return -EMSGSIZE;
	pthread_mutex_lock(&c->lock);
	if (c->state != CONN_STREAMS) {
		rc = -EPIPE;
	} else if (!ring_piece(c, p, len)) {
		c->wants_room = true;
		rc = -EAGAIN;
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void conn_end_stream(struct conn *c, unsigned code)
{
	if (c->state != CONN_STREAMS)
		return;
	c->code = code;
	conn_set_state(c, CONN_ENDS);
}

void conn_end(void *conn)
{
	struct conn *c = conn;

	pthread_mutex_lock(&c->lock);
	conn_end_stream(c, atomic_load(&c->pool->stopping) ? 1001 : 1000);
	pthread_mutex_unlock(&c->lock);
}
