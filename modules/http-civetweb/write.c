/* SPDX-License-Identifier: Apache-2.0 */
/* write - answers as a worker writes them, piece by piece, as far as the client takes them. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "conn.h"

#define PING_S		15			/* between two pings of a WebSocket that is quiet */
#define UNANSWERED	3			/* pings, and it is taken for gone */
#define PIECE		((size_t)16 << 10)

static bool write_all(struct conn *c, const char *p, size_t n)
{
	while (n > 0) {
		size_t part = n < PIECE ? n : PIECE;

		if (mg_write(c->mg, p, part) != (int)part)
			return false;
		p += part;
		n -= part;
	}
	return true;
}

/*
 * The next piece to write; 0: none will come, -EPIPE: the client is
 * gone, -ETIMEDOUT: nothing came for a while.
 */
static int wait_piece(struct conn *c, char *piece, size_t max, size_t *n)
{
	struct timespec until;
	bool room = false;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PING_S;
	pthread_mutex_lock(&c->lock);
	while (c->state == CONN_STREAMS && c->used == 0 && rc == 0)
		rc = -pthread_cond_timedwait(&c->changed, &c->lock, &until);
	if (c->state == CONN_BROKEN)
		rc = -EPIPE;
	else if (rc == 0 || c->used > 0)
		rc = c->used > 0;
	if (rc == 1) {
		*n = c->used < max ? c->used : max;
		conn_take(c, piece, *n);
		room = c->wants_room && c->used <= RING_SIZE / 2;
		if (room)
			c->wants_room = false;
	}
	pthread_mutex_unlock(&c->lock);
	if (room)
		sat_http_room(c->req);
	return rc;
}

/* A client that is there answers, so that its silence can be told from its end. */
static bool ping(struct conn *c)
{
	bool silent;

	pthread_mutex_lock(&c->lock);
	silent = c->pings++ >= UNANSWERED;
	if (!silent)
		conn_add_frame(c, MG_WEBSOCKET_OPCODE_PING, "", 0);
	pthread_mutex_unlock(&c->lock);
	if (silent)
		sat_count(c->pool->self, STALLED, 1);
	return !silent;
}

static bool write_piece(struct conn *c, const char *piece, size_t n)
{
	return c->chunked ? mg_send_chunk(c->mg, piece, (unsigned)n) > 0 : write_all(c, piece, n);
}

bool write_stream(struct conn *c)
{
	char piece[PIECE];
	bool goes = true;
	size_t n = 0;
	int rc = 1;

	while (goes && (rc == 1 || rc == -ETIMEDOUT)) {
		rc = wait_piece(c, piece, sizeof(piece), &n);
		if (rc == 1)
			goes = write_piece(c, piece, n);
		else if (rc == -ETIMEDOUT && c->websocket)
			goes = ping(c);
	}
	return goes && rc == 0;
}

void write_whole_stream(struct conn *c)
{
	if (write_all(c, c->text, c->len) && write_stream(c) && c->chunked)
		mg_send_chunk(c->mg, "", 0);
}

void write_answer(struct conn *c)
{
	if (c->text != NULL)
		write_all(c, c->text, c->len);
	else
		write_error(c->mg, 503, "out of memory");
}

void write_error(struct mg_connection *mg, int status, const char *why)
{
	char body[200];
	int n = snprintf(body, sizeof(body), "{\"error\": \"%s\"}\n", why);

	mg_printf(mg, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
		  "Content-Length: %d\r\n\r\n%s", status, mg_get_response_code_text(mg, status), n, body);
}
