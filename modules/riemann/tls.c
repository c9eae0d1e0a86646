/* SPDX-License-Identifier: Apache-2.0 */
/* tls - between a connection and its socket: the settings, what came, and what is to go. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "door.h"

#define TLS_RECORD 16384u	/* so much of a frame may be there before it is known that it must wait */

const struct sat_option *const tls_options[] = {
	SAT_OPTION("host", SAT_STRING, .help = "address to listen on; default: that of TCP"),
	SAT_OPTION("port", SAT_INTEGER, .fallback = "5554", .min = 1, .max = 65535, .help = "TCP port"),
	SAT_OPTION("cert", SAT_STRING, .required = true, .help = "PEM file: our certificate, then those up to its CA"),
	SAT_OPTION("key", SAT_STRING, .required = true, .help = "PEM file: its key, without a passphrase"),
	SAT_OPTION("ca", SAT_STRING, .help = "PEM file: who may sign the certificates of clients"),
	SAT_OPTION("verify", SAT_BOOLEAN, .fallback = "true", .help = "clients need a certificate"),
	SAT_OPTION("handshake-timeout", SAT_SECONDS, .fallback = "10", .min = 0.1, .max = 600,
		   .help = "close a connection that is not secure by then"),
	NULL
};

int tls_create(struct sat_self *self, const struct sat_conf *conf, struct tls **out)
{
	const struct sat_conf *group = sat_conf_get(conf, "tls");
	struct tls *t;

	if (group == NULL)
		return 0;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	t->keys = sat_tls_new(self, group, true);
	if (t->keys == NULL) {
		free(t);
		return -EINVAL;
	}
	t->host = sat_conf_string(sat_conf_has(group, "host") ? group : conf, "host");
	t->port = (int)sat_conf_integer(group, "port");
	t->verify = sat_conf_boolean(group, "verify");
	t->handshake_ms = (uint64_t)(sat_conf_time(group, "handshake-timeout") / SAT_MS);
	*out = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	sat_tls_free(t->keys);
	sat_buf_free(&t->out);
	free(t);
}

/* ---- What goes ---------------------------------------------------------- */

bool tls_seal(struct conn *c)
{
	struct door *d = c->tcp.data;
	int rc = sat_tls_encrypt(c->tls, d->out.p, d->out.len, &d->tls->out);
	struct sat_buf plain = d->out;

	d->out = d->tls->out;
	d->tls->out = plain;
	d->tls->out.len = 0;
	if (d->tls->out.full)
		sat_buf_free(&d->tls->out);
	return rc == 0;
}

void tls_end(struct conn *c)
{
	struct door *d = c->tcp.data;
	struct sat_buf *out = &d->tls->out;
	uv_buf_t rest;

	out->len = 0;
	sat_tls_close(c->tls, c->writing ? NULL : out);
	c->tls = NULL;
	rest = uv_buf_init(out->p, (unsigned)out->len);
	if (out->len != 0)
		uv_try_write((uv_stream_t *)&c->tcp, &rest, 1);
	out->len = 0;
}

/* ---- What comes --------------------------------------------------------- */

/* Decrypted bytes: the rest of the frame that has begun, and others. */
static void feed(struct conn *c, char *p, size_t n)
{
	uv_buf_t room;

	while (n > 0 && c->part != NULL && !c->ending && !c->closing) {
		frames_room((uv_handle_t *)&c->tcp, 0, &room);
		if (room.len == 0) {
			conn_end(c);
			return;
		}
		room.len = room.len < n ? room.len : n;
		memcpy(room.base, p, room.len);
		p += room.len;
		n -= room.len;
		frames_add(c, room.len);
	}
	if (n == 0 || c->ending || c->closing)
		return;
	if (!c->writing && c->asked == NULL) {
		frames_take(c, p, n);
		return;
	}
	frames_keep(c, p, n);
	if (!c->closing)
		conn_settle(c);
}

/* It goes no further; a port scanner that says nothing is not worth a line. */
static void failed(struct conn *c, const char *why)
{
	struct door *d = c->tcp.data;
	bool shaking = c->at.list == &d->shaking;

	if (shaking)
		sat_count(d->self, TLS_FAILED, 1);
	if (why != NULL)
		log_some(d, "%s: %s: %s", PEER(c), shaking ? "TLS handshake" : "TLS", why);
}

void tls_decrypt(struct conn *c, size_t n)
{
	struct door *d = c->tcp.data;
	size_t got;
	int rc = sat_tls_decrypt(c->tls, d->tls->in, n, d->in, &got, &d->tls->out);

	if (rc != 0 && rc != -EPIPE)
		failed(c, sat_tls_why(c->tls));
	if (c->at.list == &d->shaking && sat_tls_ready(c->tls)) {
		sat_count(d->self, TLS_ACCEPTED, 1);
		conn_settle(c);
	}
	feed(c, d->in, got);
	if (c->tls != NULL && !c->closing && !c->writing)
		answers_flush(c);
	if (rc != 0 && rc != -EPIPE && !c->closing)
		conn_refuse(c);		/* TLS has told why */
	else if (rc != 0 && !c->closing)
		conn_end(c);
	d->tls->out.len = 0;
}

void tls_room(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct door *d = h->data;

	(void)hint;
	*buf = uv_buf_init(d->tls->in, d->n_waiting == 0 ? TLS_READ : TLS_RECORD);
}

void tls_heard(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = (struct conn *)s;
	struct door *d = s->data;

	if (n < 0 && c->at.list == &d->shaking)
		failed(c, NULL);
	if (n <= 0) {
		conn_heard(s, n, buf);
		return;
	}
	sat_count(d->self, BYTES, n);
	tls_decrypt(c, (size_t)n);
}

void tls_tick(struct door *d)
{
	uint64_t now = uv_now(sat_loop(d->self));

	while (d->shaking.first != NULL && now - d->shaking.first->since >= d->tls->handshake_ms) {
		struct conn *c = SAT_OWNER(d->shaking.first, struct conn, at);

		failed(c, "not done within handshake-timeout");
		conn_close(c);
	}
}
