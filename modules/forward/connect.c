/* SPDX-License-Identifier: Apache-2.0 */
/* connect - the way to a master: its name, its addresses one by one, the handshake of TLS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

void connect_up(struct peer *p)
{
	sat_alarm_stop(&p->alarm);
	p->state = UP;
	p->connections++;
	p->due = true;
	send_due(p);
}

/* What TLS has to say by itself.  Takes out. */
static int write_bytes(struct peer *p, struct sat_buf *out)
{
	struct message *m;

	if (out->len == 0)
		return 0;
	m = calloc(1, sizeof(*m));
	if (m == NULL) {
		sat_buf_free(out);
		return -ENOMEM;
	}
	m->buf = *out;
	return send_message(p, m);
}

void connect_decrypt(struct peer *p, const char *bytes, size_t n)
{
	static char plain[SAT_TLS_ROOM(READ_SIZE)];
	struct sat_buf out = { 0 };
	char why[400] = "closed the connection";
	size_t got;
	int rc = sat_tls_decrypt(p->tls, bytes, n, plain, &got, &out), sent;

	if (rc != 0 && rc != -EPIPE)
		snprintf(why, sizeof(why), "TLS: %s", sat_tls_why(p->tls));
	sent = write_bytes(p, &out);
	if (rc == 0 && p->state == SHAKING && sat_tls_ready(p->tls))
		connect_up(p);
	if (p->state == UP && got > 0)
		answer_take(p, plain, got);
	if (p->state != UP && p->state != SHAKING)
		return;
	if (rc != 0 || sent != 0)
		peer_lose(p, rc != 0 ? why : strerror(-sent));
}

/* The alarm of the connection goes on. */
static void shake_hands(struct peer *p)
{
	p->tls = sat_tls_open(p->sender->how.tls, p->host);
	p->state = SHAKING;
	if (p->tls != NULL)
		connect_decrypt(p, "", 0);
	else
		peer_lose(p, "out of memory");
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	static char room[READ_SIZE];

	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(room, sizeof(room));
}

static void came(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct peer *p = stream->data;

	if (p->state != UP && p->state != SHAKING)
		return;
	if (n < 0)
		peer_lose(p, n == UV_EOF ? "closed the connection" : strerror((int)-n));
	else if (p->tls != NULL)
		connect_decrypt(p, buf->base, (size_t)n);
	else
		answer_take(p, buf->base, (size_t)n);
}

static void connected(uv_connect_t *req, int status)
{
	struct peer *p = req->data;
	int rc = status;

	if (p->state != CONNECTING)
		return;
	if (rc == 0)
		rc = uv_read_start((uv_stream_t *)&p->tcp, give_room, came);
	if (rc != 0) {
		if (p->next_addr < p->n_addrs)
			peer_leave(p, NEXT_ADDRESS);
		else
			peer_lose(p, strerror(-rc));
		return;
	}
	uv_tcp_nodelay(&p->tcp, 1);
	uv_tcp_keepalive(&p->tcp, 1, 60);
	if (p->sender->how.tls != NULL)
		shake_hands(p);
	else
		connect_up(p);
}

static void connect_tcp(struct peer *p)
{
	const struct sockaddr *addr = (const struct sockaddr *)&p->addrs[p->next_addr++];
	int rc;

	p->state = CONNECTING;
	uv_tcp_init(sat_loop(p->sender->self), &p->tcp);
	p->tcp.data = p->connect.data = p;
	p->open = true;
	peer_alarm(p, p->sender->how.connect_timeout);
	rc = uv_tcp_connect(&p->connect, &p->tcp, addr, connected);
	if (rc == 0)
		return;
	if (p->next_addr < p->n_addrs)
		peer_leave(p, NEXT_ADDRESS);
	else
		peer_lose(p, strerror(-rc));
}

void connect_next(struct peer *p)
{
	p->proved = false;
	if (p->sender->how.udp)
		datagram_open(p);
	else
		connect_tcp(p);
}

static void found(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct lookup *l = (struct lookup *)req;
	struct peer *p = l->peer;

	free(l);
	if (p != NULL) {
		p->lookup = NULL;
		p->n_addrs = p->next_addr = 0;
		for (struct addrinfo *a = list; a != NULL && p->n_addrs < ADDRESSES; a = a->ai_next)
			memcpy(&p->addrs[p->n_addrs++], a->ai_addr, a->ai_addrlen);
		if (p->n_addrs > 0)
			connect_next(p);
		else
			peer_lose(p, status != 0 ? uv_strerror(status) : "has no address");
	}
	uv_freeaddrinfo(list);
}

static void look_up(struct peer *p)
{
	struct addrinfo hints = { .ai_socktype = p->sender->how.udp ? SOCK_DGRAM : SOCK_STREAM };
	struct lookup *l = calloc(1, sizeof(*l));
	char port[8];
	int rc = UV_ENOMEM;

	p->state = RESOLVING;
	peer_alarm(p, p->sender->how.connect_timeout);
	snprintf(port, sizeof(port), "%d", p->port);
	if (l != NULL) {
		l->peer = p;
		rc = uv_getaddrinfo(sat_loop(p->sender->self), &l->req, found, p->host, port, &hints);
	}
	if (rc == 0) {
		p->lookup = l;
		return;
	}
	free(l);
	peer_lose(p, uv_strerror(rc));
}

/* A literal address needs no thread. */
void connect_start(struct peer *p)
{
	if (p->after != RENEW && (p->connections > 0 || p->away))
		sat_count(p->sender->self, COUNT_RECONNECTS, 1);
	p->n_addrs = 1;
	p->next_addr = 0;
	if (uv_ip4_addr(p->host, p->port, (struct sockaddr_in *)&p->addrs[0]) == 0 ||
	    uv_ip6_addr(p->host, p->port, (struct sockaddr_in6 *)&p->addrs[0]) == 0)
		connect_next(p);
	else
		look_up(p);
}
