/* SPDX-License-Identifier: Apache-2.0 */
/* conn - a connection: how it begins and ends, whom it waits for, and for how long. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"

const char *conn_peer(const struct conn *c, char *to, size_t size)
{
	struct sockaddr_storage addr;
	int len = sizeof(addr), port;
	char name[INET6_ADDRSTRLEN];

	if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&addr, &len) != 0 ||
	    uv_ip_name((struct sockaddr *)&addr, name, sizeof(name)) != 0)
		return "a client";
	port = addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port :
		((struct sockaddr_in *)&addr)->sin_port;
	snprintf(to, size, "%s port %u", name, (unsigned)ntohs((uint16_t)port));
	return to;
}

static void leave(struct conn *c)
{
	struct list *l = c->list;

	if (l == NULL)
		return;
	*(c->prev != NULL ? &c->prev->next : &l->first) = c->next;
	*(c->next != NULL ? &c->next->prev : &l->last) = c->prev;
	c->list = NULL;
}

static void line_up(struct conn *c, struct list *l)
{
	leave(c);
	c->active = uv_now(c->tcp.loop);
	c->list = l;
	c->prev = l->last;
	c->next = NULL;
	*(l->last != NULL ? &l->last->next : &l->first) = c;
	l->last = c;
}

void conn_settle(struct conn *c)
{
	struct door *d = c->tcp.data;

	if (c->asked != NULL)
		line_up(c, &d->asking);
	else
		line_up(c, c->part != NULL || c->writing ? &d->busy : &d->idle);
}

/* ---- An end ------------------------------------------------------------- */

static void closed(uv_handle_t *h)
{
	struct conn *c = (struct conn *)h;
	struct door *d = h->data;

	free(c->part);
	free(c);
	door_let_go(d);
}

void conn_close(struct conn *c)
{
	struct door *d = c->tcp.data;

	if (c->closing)
		return;
	c->closing = true;
	sat_message_stop(c->asked);
	leave(c);
	if (c->tls != NULL)
		tls_end(c);
	sat_gauge(d->self, CONNECTIONS, --d->n);
	uv_close((uv_handle_t *)&c->tcp, closed);
	if (d->n == 0)
		door_empty(d);
}

void conn_end(struct conn *c)
{
	c->ending = true;
	uv_read_stop((uv_stream_t *)&c->tcp);
	if (!c->writing && c->asked == NULL)
		conn_close(c);
}

/* ---- Reading ------------------------------------------------------------ */

static int read_on(struct conn *c)
{
	return uv_read_start((uv_stream_t *)&c->tcp, c->tls != NULL ? tls_room : frames_room,
			     c->tls != NULL ? tls_heard : conn_heard);
}

void conn_go_on(struct conn *c)
{
	char *part = c->part;
	uint32_t len = c->len;

	if (c->list != &((struct door *)c->tcp.data)->shaking)
		conn_settle(c);
	if (part != NULL) {
		c->part = NULL;
		c->len = c->size = 0;
		frames_take(c, part, len);
		free(part);
	}
	if (c->writing || c->closing || c->asked != NULL)
		return;
	if (c->ending)
		conn_close(c);
	else
		read_on(c);
}

void conn_heard(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = (struct conn *)s;
	struct door *d = s->data;

	if (n == 0)
		return;
	if (n < 0) {	/* the other side may still be reading: what was answered goes out */
		if (n == UV_ENOBUFS)
			log_some(d, "%s: out of memory", PEER(c));
		free(c->part);
		c->part = NULL;
		conn_end(c);
		return;
	}
	sat_count(d->self, BYTES, n);
	if (buf->base == d->in)
		frames_take(c, d->in, (size_t)n);
	else
		frames_add(c, (size_t)n);
}

/* What the kernel has of it by now is run and answered, too. */
static void last_read(struct conn *c)
{
	struct door *d = c->tcp.data;
	uv_buf_t buf;
	uv_os_fd_t fd;
	ssize_t n;

	if (c->writing || c->asked != NULL || c->ending || uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0)
		return;
	(c->tls != NULL ? tls_room : frames_room)((uv_handle_t *)&c->tcp, 0, &buf);
	n = buf.len != 0 ? recv(fd, buf.base, buf.len, MSG_DONTWAIT) : 0;
	if (n > 0 && c->tls != NULL)
		tls_decrypt(c, (size_t)n);
	else if (n > 0 && buf.base == d->in)
		frames_take(c, d->in, (size_t)n);
	else if (n > 0)
		frames_add(c, (size_t)n);
}

/* ---- A beginning -------------------------------------------------------- */

static void conn_free(struct conn *c)
{
	if (c != NULL)
		sat_tls_close(c->tls, NULL);
	free(c);
}

/* NULL: too many, or out of memory. */
static struct conn *conn_new(struct door *d, bool tls)
{
	struct conn *c = d->n < d->max_connections ? calloc(1, sizeof(*c)) : NULL;

	if (c != NULL && tls)
		c->tls = sat_tls_open(d->tls->keys, NULL);
	if (c != NULL && (!tls || c->tls != NULL) && uv_tcp_init(sat_loop(d->self), &c->tcp) == 0)
		return c;
	conn_free(c);
	return NULL;
}

void conn_open(struct door *d, int fd, bool tls)
{
	struct conn *c = conn_new(d, tls);

	if (c == NULL) {
		sat_count(d->self, REFUSED, 1);
		log_some(d, d->n < d->max_connections ? "connection refused: out of memory" :
			 "connection refused: max-connections are open");
		close(fd);
		return;
	}
	c->tcp.data = d;
	d->handles++;
	d->n++;
	if (uv_tcp_open(&c->tcp, fd) != 0) {
		close(fd);
		conn_close(c);
		return;
	}
	uv_tcp_nodelay(&c->tcp, 1);
	uv_tcp_keepalive(&c->tcp, 1, 60);	/* a host that vanished is found in some minutes */
	if (tls)
		line_up(c, &d->shaking);
	else
		conn_settle(c);
	sat_count(d->self, ACCEPTED, 1);
	sat_gauge(d->self, CONNECTIONS, d->n);
	if (read_on(c) != 0)
		conn_close(c);
}

/* ---- All of them -------------------------------------------------------- */

static void close_silent(struct door *d, struct list *l, uint64_t ms)
{
	uint64_t now = uv_now(sat_loop(d->self));

	while (l->first != NULL && now - l->first->active >= ms) {
		sat_count(d->self, TIMED_OUT, 1);
		conn_close(l->first);
	}
}

void conns_tick(struct door *d)
{
	if (d->idle_ms != 0)
		close_silent(d, &d->idle, d->idle_ms);
	close_silent(d, &d->busy, d->stall_ms);
}

static void end_list(struct list *l)
{
	for (struct conn *c = l->first, *next; c != NULL; c = next) {
		next = c->next;
		if (!c->closing)
			conn_end(c);
	}
}

void conns_end(struct door *d)
{
	struct conn *last[2] = { d->idle.last, d->busy.last };
	struct list *lists[2] = { &d->idle, &d->busy };

	for (int i = 0; i < 2; i++)
		for (struct conn *c = lists[i]->first, *next; c != NULL; c = next) {
			next = c != last[i] ? c->next : NULL;
			last_read(c);
		}
	end_list(&d->shaking);
	end_list(&d->idle);
	end_list(&d->busy);
	end_list(&d->asking);
}

void conns_close(struct door *d)
{
	while (d->shaking.first != NULL)
		conn_close(d->shaking.first);
	while (d->busy.first != NULL)
		conn_close(d->busy.first);
	while (d->asking.first != NULL)
		conn_close(d->asking.first);
}
