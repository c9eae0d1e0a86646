/* SPDX-License-Identifier: Apache-2.0 */
/* client - one connection of the gate: a request that comes whole, passes to civetweb, and its answer back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gate.h"

#define HEAD_MS		5000			/* for a whole head */
#define ASK_MS		10000			/* for a whole request */
#define WAIT_MS		10000			/* for a worker */
#define STALL_MS	5000			/* for a piece of an answer */
#define LEAVE_MS	2000			/* for the client to close, too: else it may miss the last bytes */
#define IN_MAX		(2 * SAT_BODY_MAX + HEAD_MAX)	/* small chunks take as much again */

struct out {			/* bytes on their way */
	uv_write_t write;	/* first */
	struct client *client;
	size_t len;
	char p[];
};

static void read_on(struct client *c);

/* ---- An end ------------------------------------------------------------- */

static void handle_closed(uv_handle_t *h)
{
	struct client *c = h->data;

	if (--c->handles > 0)
		return;
	gate_closed(c);
}

static void up_closed(uv_handle_t *h)
{
	struct client *c = h->data;

	gate_leave(c);
	handle_closed(h);
}

static void close_up(struct client *c)
{
	if (c->has_up)
		uv_close((uv_handle_t *)&c->up, up_closed);
	c->has_up = false;
}

void client_close(struct client *c)
{
	if (c->stage == CLIENT_CLOSES)
		return;
	c->stage = CLIENT_CLOSES;
	close_up(c);
	uv_close((uv_handle_t *)&c->tcp, handle_closed);
	sat_buf_free(&c->in);
	c->out = 0;
	gate_hold(c);
}

static void shut(uv_shutdown_t *s, int status)
{
	(void)s;
	(void)status;
}

/* All is said, and taken.  A client that still talks would lose it if its connection were closed now. */
static void say_end(struct client *c)
{
	c->since = gate_now(c->gate);
	if (c->ended || uv_shutdown(&c->shut, (uv_stream_t *)&c->tcp, shut) != 0)
		client_close(c);
	else
		read_on(c);
}

static void leave(struct client *c)
{
	c->stage = CLIENT_LEAVES;
	close_up(c);
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

static int write_copy(uv_stream_t *to, struct client *c, const char *p, size_t n, uv_write_cb done)
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

static void answer_more(struct client *c);

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
		answer_more(c);
}

static void tell(struct client *c, const char *p, size_t n)
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
	if ((did < 0 && did != UV_EAGAIN) || write_copy((uv_stream_t *)&c->tcp, c, p, n, written) != 0) {
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

	tell(c, text, (size_t)n);
	if (c->stage != CLIENT_CLOSES)
		leave(c);
}

/* ---- The answer --------------------------------------------------------- */

static void passed_on(uv_write_t *w, int status)
{
	struct out *o = (struct out *)w;
	struct client *c = o->client;

	c->up_out -= o->len;
	free(o);
	if (c->stage != CLIENT_PASSES)
		return;
	if (status == 0 && c->paused && c->websocket && c->up_out == 0)
		read_on(c);
}

/* false: that was it. */
static bool pass_on(struct client *c, const char *p, size_t n)
{
	if (n > 0 && write_copy((uv_stream_t *)&c->up, c, p, n, passed_on) != 0) {
		client_close(c);
		return false;
	}
	c->up_out += n;
	return true;
}

static void pass_frames(struct client *c, const char *p, size_t n)
{
	struct sat_buf b = { 0 };

	if (c->silenced)
		return;
	c->silenced = !frames_pass(&c->way, p, n, &b);
	if (c->silenced) {
		sat_count(c->gate->self, WRONG, 1);
		if (sat_log_allowed(c->gate->self, &c->gate->lines, 5, 60 * SAT_SECOND))
			sat_log(c->gate->self, LOG_INFO, "%s: WebSocket closed: a frame that is too long", c->peer);
	}
	if (b.full)
		client_close(c);
	else if (pass_on(c, b.p, b.len) && c->up_out > GATE_OUT) {
		uv_read_stop((uv_stream_t *)&c->tcp);
		c->paused = true;
	}
	sat_buf_free(&b);
}

/* The first bytes say whether it became a WebSocket; what the client said before that is still here. */
static void look_at(struct client *c, const char *p, size_t n)
{
	static const char switched[] = "HTTP/1.1 101";

	if (c->n_first == sizeof(c->first))
		return;
	while (n-- > 0 && c->n_first < sizeof(c->first))
		c->first[c->n_first++] = *p++;
	if (c->n_first < sizeof(c->first) || memcmp(c->first, switched, sizeof(c->first)) != 0 || !c->head.upgrade)
		return;
	c->websocket = true;
	pass_frames(c, c->in.p != NULL ? c->in.p : "", c->in.len);
	sat_buf_free(&c->in);
	if (c->stage == CLIENT_PASSES && gate_hold(c))
		read_on(c);
}

static void give_room(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct client *c = h->data;

	(void)hint;
	*buf = uv_buf_init(c->gate->in, sizeof(c->gate->in));
}

static void have_answer(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct client *c = s->data;

	if (n == 0 || c->stage != CLIENT_PASSES)
		return;
	if (n < 0) {
		leave(c);
		return;
	}
	tell(c, buf->base, (size_t)n);
	if (c->stage != CLIENT_PASSES)
		return;
	look_at(c, buf->base, (size_t)n);
	if (c->stage == CLIENT_PASSES && c->out > GATE_OUT) {
		uv_read_stop(s);
		c->up_paused = true;
	}
}

static void answer_more(struct client *c)
{
	c->up_paused = false;
	if (c->stage == CLIENT_PASSES && uv_read_start((uv_stream_t *)&c->up, give_room, have_answer) != 0)
		client_close(c);
}

/* ---- The request -------------------------------------------------------- */

/* What follows a request is not passed on. */
static size_t request_size(const struct client *c)
{
	return c->head.chunked ? c->in.len : c->head.len + (size_t)c->head.body;
}

/* No more than was asked goes on, and its end: so no worker ever waits for bytes.  But a WebSocket's
 * first frames may be here, too. */
static void connected(uv_connect_t *r, int status)
{
	struct client *c = r->data;
	size_t n = request_size(c);

	if (c->stage != CLIENT_PASSES)
		return;
	if (status != 0 || uv_read_start((uv_stream_t *)&c->up, give_room, have_answer) != 0) {
		client_refuse(c, 503, "too much at once");
		return;
	}
	if (!pass_on(c, c->in.p, n))
		return;
	if (c->head.upgrade) {
		memmove(c->in.p, c->in.p + n, c->in.len - n);
		c->in.len -= n;
		return;
	}
	sat_buf_free(&c->in);
	gate_hold(c);
	uv_shutdown(&c->up_shut, (uv_stream_t *)&c->up, shut);
}

static int dial(struct client *c)
{
	struct sockaddr_in at = { 0 };
	int len = sizeof(at), room = GATE_OUT, rc = uv_tcp_init(c->tcp.loop, &c->up);

	if (rc != 0)
		return rc;
	c->up.data = c->connect.data = c;
	c->has_up = true;
	c->handles++;
	rc = uv_tcp_bind(&c->up, (const struct sockaddr *)&c->gate->source, 0);
	if (rc == 0)
		rc = uv_tcp_getsockname(&c->up, (struct sockaddr *)&at, &len);
	if (rc != 0)
		return rc;
	gate_enters_from(c, ntohs(at.sin_port));
	uv_recv_buffer_size((uv_handle_t *)&c->up, &room);
	uv_tcp_nodelay(&c->up, 1);
	return uv_tcp_connect(&c->connect, &c->up, (const struct sockaddr *)&c->gate->inner, connected);
}

void client_pass(struct client *c)
{
	int rc;

	c->stage = CLIENT_WAITS;
	if (!gate_enter(c))
		return;
	c->stage = CLIENT_PASSES;
	rc = dial(c);
	if (rc == 0)
		return;
	if (!c->has_up)
		gate_leave(c);
	client_refuse(c, 503, "too much at once");
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
		tell(c, go_on, sizeof(go_on) - 1);	/* it may be gone by now */
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
	return c->head.chunked ? c->chunks.at == CHUNK_DONE : c->in.len >= request_size(c);
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

void client_hang_up(struct client *c)
{
	if (c->has_up && uv_is_writable((uv_stream_t *)&c->up))
		uv_shutdown(&c->up_shut, (uv_stream_t *)&c->up, shut);
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

static void read_on(struct client *c)
{
	c->paused = false;
	if (!c->ended && uv_read_start((uv_stream_t *)&c->tcp, give_room, have_read) != 0)
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
	read_on(c);
	return 0;
}
