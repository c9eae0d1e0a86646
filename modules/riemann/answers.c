/* SPDX-License-Identifier: Apache-2.0 */
/* answers - replies gathered while frames run, and those that wait for their client to take them. */
#include <stdio.h>
#include <stdlib.h>

#include "door.h"

#define UNTAKEN_MAX	((size_t)512 * 1024 * 1024)	/* of all connections' answers */

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

	d->untaken -= a->len;
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
void answers_flush(struct conn *c)
{
	struct door *d = c->tcp.data;
	uv_stream_t *s = (uv_stream_t *)&c->tcp;
	bool sealed = c->tls == NULL || tls_seal(c);
	uv_buf_t rest = uv_buf_init(d->out.p, (unsigned)d->out.len);
	int n = d->out.len != 0 ? uv_try_write(s, &rest, 1) : 0;
	struct answers *a;

	if (!sealed)
		conn_close(c);
	else if (n < 0 && n != UV_EAGAIN) {
		conn_close(c);
	} else if (n != (int)d->out.len) {
		rest.base += n > 0 ? n : 0;
		rest.len -= n > 0 ? (size_t)n : 0;
		a = malloc(sizeof(*a));
		if (a == NULL || uv_write(&a->req, s, &rest, 1, written) != 0) {
			free(a);
			conn_close(c);
		} else {
			a->conn = c;
			a->p = d->out.p;
			a->len = d->out.len;
			d->untaken += a->len;
			d->out = (struct sat_buf){ .max = ANSWERS_MAX };
			c->writing++;
			uv_read_stop(s);
		}
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

void answer(void *arg, const void *p, size_t n)
{
	struct conn *c = arg;
	struct door *d = c->tcp.data;

	if (n > ANSWERS_ENOUGH && d->untaken + n > UNTAKEN_MAX)
		answer_error(d, "too many bytes of answers wait to be read: ask later");
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
