/* SPDX-License-Identifier: Apache-2.0 */
/* conn - a connection: how it begins and ends, whom it waits for, and for how long. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"

#define CONN(link) SAT_OWNER(link, struct conn, at)
#define LEAVE_MS	1000
#define LEAVE_BYTES	((uint32_t)32 << 20)	/* a message over the limit may still come to its end */

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

void link_leave(struct link *l)
{
	struct list *list = l->list;

	if (list == NULL)
		return;
	*(l->prev != NULL ? &l->prev->next : &list->first) = l->next;
	*(l->next != NULL ? &l->next->prev : &list->last) = l->prev;
	l->list = NULL;
}

void link_up(struct link *l, struct list *list, uint64_t now)
{
	link_leave(l);
	*l = (struct link){ .list = list, .since = now, .prev = list->last };
	*(list->last != NULL ? &list->last->next : &list->first) = l;
	list->last = l;
}

void conn_settle(struct conn *c)
{
	struct door *d = c->tcp.data;
	uint64_t now = uv_now(c->tcp.loop);
	bool waits = room_waits(c);

	if (c->at.list == &d->leaving)
		return;
	if (c->asked != NULL || (waits && !c->writing))
		link_up(&c->at, &d->asking, now);
	else
		link_up(&c->at, c->part != NULL || c->writing ? &d->busy : &d->idle, now);
	if (c->part == NULL || c->asked != NULL || c->writing) {
		if (!waits)
			link_leave(&c->frame);
	} else if (c->frame.list == NULL) {
		link_up(&c->frame, &d->begun, now);
	}
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
	link_leave(&c->at);
	room_give(c);
	if (c->tls != NULL)
		tls_end(c);
	sat_gauge(d->self, CONNECTIONS, --d->n);
	uv_close((uv_handle_t *)&c->tcp, closed);
	if (d->n == 0)
		door_empty(d);
}

void conn_late(struct conn *c)
{
	struct door *d = c->tcp.data;

	sat_count(d->self, TIMED_OUT, 1);
	log_some(d, "%s: a message was not whole within frame-timeout", PEER(c));
	conn_close(c);
}

static void leave_room(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct door *d = h->data;

	(void)hint;
	*buf = uv_buf_init(d->in, READ_SIZE);
}

static void left(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = (struct conn *)s;

	(void)buf;
	if (n < 0 || n >= (ssize_t)c->need)
		conn_close(c);
	else
		c->need -= (uint32_t)n;
}

static void leave_late(uv_timer_t *timer)
{
	struct door *d = timer->data;
	uint64_t now = uv_now(timer->loop);

	while (d->leaving.first != NULL && now - d->leaving.first->since >= LEAVE_MS)
		conn_close(CONN(d->leaving.first));
	if (d->leaving.first != NULL)
		uv_timer_start(timer, leave_late, d->leaving.first->since + LEAVE_MS - now, 0);
}

/* Closed while bytes come, a connection is reset, and what its client has not read yet is lost. */
static void leave(struct conn *c)
{
	struct door *d = c->tcp.data;
	uv_os_fd_t fd;

	free(frames_detach(c));
	if (c->tls != NULL)
		tls_end(c);
	if (uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0 || shutdown(fd, SHUT_WR) != 0 ||
	    uv_read_start((uv_stream_t *)&c->tcp, leave_room, left) != 0) {
		conn_close(c);
		return;
	}
	c->need = LEAVE_BYTES;
	if (d->leaving.first == NULL)
		uv_timer_start(&d->leave, leave_late, LEAVE_MS, 0);
	link_up(&c->at, &d->leaving, uv_now(c->tcp.loop));
}

/* It is ending: it goes, once all its answers are out. */
static void may_go(struct conn *c)
{
	struct door *d = c->tcp.data;

	if (c->writing || c->asked != NULL || c->closing || c->at.list == &d->leaving)
		return;
	if (c->wrong && !d->stopping)
		leave(c);
	else
		conn_close(c);
}

void conn_end(struct conn *c)
{
	if (c->at.list == &((struct door *)c->tcp.data)->leaving)
		return;
	c->ending = true;
	uv_read_stop((uv_stream_t *)&c->tcp);
	may_go(c);
}

void conn_refuse(struct conn *c)
{
	c->wrong = true;
	conn_end(c);
}

/* ---- Reading ------------------------------------------------------------ */

void conn_read_on(struct conn *c)
{
	int rc;

	if (c->writing || c->closing || c->ending || c->asked != NULL || room_waits(c))
		return;
	rc = uv_read_start((uv_stream_t *)&c->tcp, c->tls != NULL ? tls_room : frames_room,
			   c->tls != NULL ? tls_heard : conn_heard);
	if (rc != 0 && rc != UV_EALREADY)
		conn_close(c);
}

void conn_go_on(struct conn *c)
{
	uint32_t len = c->len;
	char *part;

	if (c->at.list != &((struct door *)c->tcp.data)->shaking)
		conn_settle(c);
	if (c->part != NULL) {
		part = frames_detach(c);
		frames_take(c, part, len);
		free(part);
	}
	if (c->ending)
		may_go(c);
	conn_read_on(c);
}

void conn_heard(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = (struct conn *)s;
	struct door *d = s->data;

	if (n == 0)
		return;
	if (n == UV_ENOBUFS && c->part == NULL) {
		frames_look(c);
		return;
	}
	if (n < 0) {	/* the other side may still be reading: what was answered goes out */
		if (n == UV_ENOBUFS)
			log_some(d, "%s: out of memory", PEER(c));
		free(frames_detach(c));
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

	if (c->writing || c->asked != NULL || c->ending || room_waits(c) ||
	    uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0)
		return;
	(c->tls != NULL ? tls_room : frames_room)((uv_handle_t *)&c->tcp, 0, &buf);
	n = buf.len != 0 ? recv(fd, buf.base, buf.len, MSG_DONTWAIT) : 0;
	if (buf.len == 0 && c->part == NULL)
		frames_look(c);
	else if (n > 0 && c->tls != NULL)
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
		link_up(&c->at, &d->shaking, uv_now(c->tcp.loop));
	else
		conn_settle(c);
	sat_count(d->self, ACCEPTED, 1);
	sat_gauge(d->self, CONNECTIONS, d->n);
	conn_read_on(c);
}

/* ---- All of them -------------------------------------------------------- */

static void close_silent(struct door *d, struct list *l, uint64_t ms)
{
	uint64_t now = uv_now(sat_loop(d->self));

	while (l->first != NULL && now - l->first->since >= ms) {
		sat_count(d->self, TIMED_OUT, 1);
		conn_close(CONN(l->first));
	}
}

void conns_tick(struct door *d)
{
	uint64_t now = uv_now(sat_loop(d->self));

	if (d->idle_ms != 0)
		close_silent(d, &d->idle, d->idle_ms);
	close_silent(d, &d->busy, d->stall_ms);
	while (d->begun.first != NULL && now - d->begun.first->since >= d->frame_ms)
		conn_late(SAT_OWNER(d->begun.first, struct conn, frame));
}

static void end_list(struct list *list)
{
	for (struct link *l = list->first, *next; l != NULL; l = next) {
		next = l->next;
		conn_end(CONN(l));
	}
}

void conns_end(struct door *d)
{
	struct link *last[2] = { d->idle.last, d->busy.last };
	struct list *lists[2] = { &d->idle, &d->busy };

	for (int i = 0; i < 2; i++)
		for (struct link *l = lists[i]->first, *next; l != NULL; l = next) {
			next = l != last[i] ? l->next : NULL;
			last_read(CONN(l));
		}
	end_list(&d->shaking);
	end_list(&d->idle);
	end_list(&d->busy);
	end_list(&d->asking);
	while (d->leaving.first != NULL)
		conn_close(CONN(d->leaving.first));
}

void conns_close(struct door *d)
{
	while (d->shaking.first != NULL)
		conn_close(CONN(d->shaking.first));
	while (d->busy.first != NULL)
		conn_close(CONN(d->busy.first));
	while (d->asking.first != NULL)
		conn_close(CONN(d->asking.first));
}
