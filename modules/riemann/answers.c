/* SPDX-License-Identifier: Apache-2.0 */
/* answers - replies gathered while frames run, and those that wait for their client to take them. */
#include <stdio.h>
#include <stdlib.h>

#include "door.h"

struct answers {
	uv_write_t req;			/* first */
	struct conn *conn;
	char *p;
	size_t len;
};

static void written(uv_write_t *req, int status)
{
	struct answers *a = (struct answers *)req;
	struct conn *c = a->conn;
	struct door *d = c->tcp.data;

	room_release(d, a->len);
	free(a->p);
	free(a);
	c->writing--;
	if (c->closing)
		return;
	if (status != 0)
		conn_close(c);
	else if (c->writing == 0 && c->asked == NULL)
		conn_go_on(c);
}

/* What the socket does not take at once it gets from a buffer of its own. */
static void hold(struct conn *c, uv_buf_t rest)
{
	struct door *d = c->tcp.data;
	struct answers *a;
	char *p;

	if (room_reserve(d, d->out.len) != 0) {
		sat_count(d->self, UNTAKEN, 1);
		log_some(d, "%s: %zu bytes of answers wait to be read, and there is no room for them", PEER(c),
			 rest.len);
		conn_close(c);
		return;
	}
	p = realloc(d->out.p, d->out.len);		/* it may have been much longer */
	if (p != NULL) {
		d->out.p = p;
		d->out.size = d->out.len;
		rest.base = p + d->out.len - rest.len;
	}
	a = malloc(sizeof(*a));
	if (a == NULL || uv_write(&a->req, (uv_stream_t *)&c->tcp, &rest, 1, written) != 0) {
		free(a);
		room_release(d, d->out.len);
		conn_close(c);
		return;
	}
	a->conn = c;
	a->p = d->out.p;
	a->len = d->out.len;
	d->out = (struct sat_buf){ .max = ANSWERS_MAX };
	c->writing++;
	uv_read_stop((uv_stream_t *)&c->tcp);
}

void answers_flush(struct conn *c)
{
	struct door *d = c->tcp.data;
	uv_stream_t *s = (uv_stream_t *)&c->tcp;
	bool sealed = c->tls == NULL || tls_seal(c);
	uv_buf_t rest = uv_buf_init(d->out.p, (unsigned)d->out.len);
	int n = d->out.len != 0 ? uv_try_write(s, &rest, 1) : 0;

	if (!sealed || (n < 0 && n != UV_EAGAIN)) {
		conn_close(c);
	} else if (n != (int)d->out.len) {
		rest.base += n > 0 ? n : 0;
		rest.len -= n > 0 ? (size_t)n : 0;
		hold(c, rest);
	}
	d->out.len = 0;
	if (d->out.full || d->out.size > ANSWERS_ENOUGH)
		sat_buf_free(&d->out);
}

void answer_error(struct door *d, const char *fmt, ...)
{
	char words[120];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(words))
		n = sizeof(words) - 1;
	sat_buf_add(&d->out, (char[]){ 0, 0, 0, (char)(n + 4), 2 << 3, 0, 3 << 3 | 2, (char)n }, 8);
	sat_buf_add(&d->out, words, (size_t)n);
}

/* Maybe it is not taken at once. */
static bool has_room(struct door *d, size_t n)
{
	if (room_reserve(d, n) != 0)
		return false;
	room_release(d, n);
	return true;
}

void answer(void *arg, const void *p, size_t n)
{
	struct conn *c = arg;
	struct door *d = c->tcp.data;

	if (n > ANSWERS_ENOUGH && !has_room(d, n))
		answer_error(d, "no room for an answer of %zu bytes: ask for less, or later", n);
	else
		sat_buf_add(&d->out, p, n);
	if (c->running)
		return;
	if (d->out.full)	/* out of memory */
		conn_close(c);
	answers_flush(c);
	if (c->closing)
		return;
	if (c->writing)
		conn_settle(c);	/* now it is we who wait */
	else
		conn_go_on(c);
}
