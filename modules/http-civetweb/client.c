/* SPDX-License-Identifier: Apache-2.0 */
/* client - one connection of the gate: a request that comes whole, and what is said to it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

#define HEAD_MS		5000			/* for a whole head */
#define ASK_MS		10000			/* for a whole request */
#define WAIT_MS		10000			/* for a worker */
#define STALL_MS	5000			/* for a piece of an answer */
#define LEAVE_MS	2000			/* for the client to close, too: else it may miss the last bytes */
#define IN_MAX		(2 * SAT_BODY_MAX + HEAD_MAX)	/* small chunks take as much again */

/* ---- An end ------------------------------------------------------------- */

void client_handle_closed(uv_handle_t *h)
{
	struct client *c = h->data;

	if (--c->handles > 0)
		return;
	gate_closed(c);
}

void client_close(struct client *c)
{
	if (c->stage == CLIENT_CLOSES)
		return;
	c->stage = CLIENT_CLOSES;
	pass_close(c);
	uv_close((uv_handle_t *)&c->tcp, client_handle_closed);
	sat_buf_free(&c->in);
	c->out = 0;
	gate_hold(c);
}

void client_shut(uv_shutdown_t *s, int status)
{
	(void)s;
	(void)status;
}

/* All is said, and taken.  A client that still talks would lose it if its connection were closed now. */
static void say_end(struct client *c)
{
	c->since = gate_now(c->gate);
	if (c->ended || uv_shutdown(&c->shut, (uv_stream_t *)&c->tcp, client_shut) != 0)
		client_close(c);
	else
		client_read_on(c);
}

void client_leave(struct client *c)
{
	c->stage = CLIENT_LEAVES;
	pass_close(c);
	sat_buf_free(&c->in);
	if (gate_hold(c) && c->out == 0)
		say_end(c);
}

/* ---- Writing ------------------------------------------------------------ */

static struct out *copy(struct client *c, const char *p, size_t n)
{
	struct out *o = malloc(sizeof(*o) + n);

	if (o == NULL)
		return NULL;
	o->client = c;
	o->len = n;
	memcpy(o->p, p, n);
	return o;
}

int client_write(uv_stream_t *to, struct client *c, const char *p, size_t n, uv_write_cb done)
{
	struct out *o = copy(c, p, n);
	uv_buf_t buf;
	int rc;

	if (o == NULL)
		return -ENOMEM;
	buf = uv_buf_init(o->p, (unsigned)n);
	rc = uv_write(&o->write, to, &buf, 1, done);
	if (rc != 0)
		free(o);
	return rc;
}

static void written(uv_write_t *w, int status)
{
	struct out *o = (struct out *)w;
	struct client *c = o->client;

	if (c->stage != CLIENT_CLOSES) {
		c->out -= o->len;
		c->active = gate_now(c->gate);
		gate_hold(c);
	}
	free(o);
	if (c->stage == CLIENT_CLOSES)
		return;
	if (status != 0)
		client_close(c);
	else if (c->stage == CLIENT_LEAVES && c->out == 0)
		say_end(c);
	else if (c->up_paused && c->out <= GATE_OUT / 2)
		pass_answer_on(c);
}

void client_tell(struct client *c, const char *p, size_t n)
{
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)p, (unsigned)n);
	int did = c->out == 0 ? uv_try_write((uv_stream_t *)&c->tcp, &buf, 1) : 0;

	if (did == (int)n)
		return;
	if (did > 0) {
		p += did;
		n -= (size_t)did;
	}
	if (c->out == 0)
		c->active = gate_now(c->gate);
	if ((did < 0 && did != UV_EAGAIN) || client_write((uv_stream_t *)&c->tcp, c, p, n, written) != 0) {
		client_close(c);
		return;
	}
	c->out += n;
	gate_hold(c);
}

static const char *phrase(int status)
{
	static const struct { int status; const char *phrase; } phrases[] = {
		{ 400, "Bad Request" }, { 408, "Request Timeout" }, { 413, "Payload Too Large" },
		{ 431, "Request Header Fields Too Large" }, { 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Error";
}

void client_refuse(struct client *c, int status, const char *why)
{
	char body[120], text[400];
	int len = snprintf(body, sizeof(body), "{\"error\": \"%s\"}\n", why != NULL ? why : phrase(status));
	int n = snprintf(text, sizeof(text), "HTTP/1.1 %d %s\r\nConnection: close\r\nCache-Control: no-store\r\n"
			 "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, phrase(status),
			 len, body);

	client_tell(c, text, (size_t)n);
	if (c->stage != CLIENT_CLOSES)
		client_leave(c);
}

/* ---- The request -------------------------------------------------------- */

/* What follows a request is not passed on. */
size_t client_request_size(const struct client *c)
{
	return c->head.chunked ? c->in.len : c->head.len + (size_t)c->head.body;
}

/* The head is whole: whether its body will do. */
static int begin_body(struct client *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const struct head *h = &c->head;
	int rc = h->body > SAT_BODY_MAX ? 413 : 0;

	if (h->chunked)
		rc = chunks_read(&c->chunks, c->in.p + h->len, c->in.len - h->len);
	if (rc == 0 && h->expects && c->in.len == h->len)
		client_tell(c, go_on, sizeof(go_on) - 1);	/* it may be gone by now */
	return rc;
}

/* 0, or the status to refuse it with. */
static int take_request(struct client *c, const char *p, size_t n)
{
	bool begun = c->head.len > 0;
	int rc;

	if (c->in.len + n > IN_MAX)
		return begun ? 413 : 431;
	c->in.max = IN_MAX;
	sat_buf_add(&c->in, p, n);
	if (c->in.full)
		return 503;
	if (begun)
		return c->head.chunked ? chunks_read(&c->chunks, p, n) : 0;
	head_skip(&c->in);
	rc = head_read(c->in.p, c->in.len, &c->head);
	return rc == 0 && c->head.len > 0 ? begin_body(c) : rc;
}

static bool is_whole(const struct client *c)
{
	if (c->head.len == 0)
		return false;
	return c->head.chunked ? c->chunks.at == CHUNK_DONE : c->in.len >= client_request_size(c);
}

/* ---- What it says ------------------------------------------------------- */

/* Nothing more comes.  That may be all that it had to say; an answer is still due. */
static void input_ended(struct client *c, int why)
{
	bool answer_due = c->stage == CLIENT_WAITS || c->stage == CLIENT_PASSES;

	c->ended = true;
	if (why != UV_EOF || !(answer_due || c->out > 0)) {
		client_close(c);
		return;
	}
	uv_read_stop((uv_stream_t *)&c->tcp);
	if (c->websocket)
		client_hang_up(c);
}

static void have_request(struct client *c, const char *p, size_t n)
{
	int rc = take_request(c, p, n);

	if (c->stage == CLIENT_CLOSES || !gate_hold(c))
		return;
	if (rc != 0) {
		client_refuse(c, rc, rc == 413 ? "the body is longer than 1048576 bytes" : NULL);
		return;
	}
	if (!is_whole(c))
		return;
	rc = head_path(&c->in, &c->head);
	if (rc != 0) {
		client_refuse(c, rc, NULL);
		return;
	}
	if (c->head.upgrade) {		/* what follows is kept in the kernel until it is known what it is */
		uv_read_stop((uv_stream_t *)&c->tcp);
		c->paused = true;
	}
	client_pass(c);
}

void client_give_room(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct client *c = h->data;

	(void)hint;
	*buf = uv_buf_init(c->gate->in, sizeof(c->gate->in));
}

static void have_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct client *c = s->data;

	if (n < 0)
		input_ended(c, (int)n);
	else if (n > 0 && c->stage == CLIENT_ASKS)
		have_request(c, buf->base, (size_t)n);
	else if (n > 0 && c->stage == CLIENT_PASSES && c->websocket)
		pass_frames(c, buf->base, (size_t)n);
}

void client_read_on(struct client *c)
{
	c->paused = false;
	if (!c->ended && uv_read_start((uv_stream_t *)&c->tcp, client_give_room, have_read) != 0)
		client_close(c);
}

/* ---- Life --------------------------------------------------------------- */

static void ask_late(struct client *c)
{
	sat_count(c->gate->self, LATE, 1);
	if (c->in.len == 0)
		client_close(c);
	else
		client_refuse(c, 408, c->head.len == 0 ? "the head did not come" : "the body did not come");
}

void client_look(struct client *c, int64_t now)
{
	int64_t age = now - c->since;

	if (c->stage == CLIENT_ASKS && age >= (c->head.len == 0 ? HEAD_MS : ASK_MS)) {
		ask_late(c);
	} else if (c->stage == CLIENT_WAITS && age >= ASK_MS + WAIT_MS) {
		gate_dropped(c->gate);
		client_refuse(c, 503, "too much at once");
	} else if (c->out > 0 && now - c->active >= STALL_MS) {
		sat_count(c->gate->self, STALLED, 1);
		client_close(c);
	} else if (c->stage == CLIENT_LEAVES && c->out == 0 && age >= LEAVE_MS) {
		client_close(c);
	}
}

static void name_peer(struct client *c)
{
	struct sockaddr_storage at;
	int len = sizeof(at);

	if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&at, &len) != 0 ||
	    uv_ip_name((const struct sockaddr *)&at, c->peer, sizeof(c->peer)) != 0)
		strcpy(c->peer, "unknown");
	if (strncmp(c->peer, "::ffff:", 7) == 0 && strchr(c->peer, '.') != NULL)
		memmove(c->peer, c->peer + 7, strlen(c->peer + 7) + 1);
}

int client_new(struct gate *g, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL || uv_tcp_init(sat_loop(g->self), &c->tcp) != 0) {
		free(c);
		close(fd);
		return -ENOMEM;
	}
	c->gate = g;
	c->tcp.data = c;
	c->handles = 1;
	c->pass = -1;
	c->since = c->active = gate_now(g);
	c->prev = g->last;
	*(g->last != NULL ? &g->last->next : &g->first) = c;
	g->last = c;
	g->n++;
	sat_gauge(g->self, CONNECTIONS, (int64_t)g->n);
	if (uv_tcp_open(&c->tcp, fd) != 0) {
		close(fd);
		client_close(c);
		return 0;
	}
	uv_tcp_nodelay(&c->tcp, 1);
	uv_tcp_keepalive(&c->tcp, 1, 60);	/* a host that vanished is found in some minutes */
	name_peer(c);
	client_read_on(c);
	return 0;
}
