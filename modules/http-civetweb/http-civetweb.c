/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http-civetweb - the HTTP server, on civetweb's threads.
 *
 * A worker reads a request, hands a copy to the host and sleeps until the loop
 * answers; then it writes.  So nothing here waits on the loop thread but for
 * locks that are held for a copy.  A stream has a ring of bounded size between
 * the loop, which fills it, and a thread that writes: the worker itself, or for
 * a WebSocket, whose worker reads, one more.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <civetweb.h>

#include "frames.h"

#define THREADS		72			/* 8 to serve, and one for each stream */
#define STREAMS		64
#define TEXT(n)		TEXT_(n)
#define TEXT_(n)	#n
#define TIMEOUT_MS	5000			/* for a head, and for each piece of writing */
#define BODY_S		10			/* for a whole body */
#define LAST_MS		500			/* for answers under way when it stops */
#define PING_S		15			/* between two pings of a WebSocket that is quiet */
#define UNANSWERED	3			/* pings, and it is taken for gone */
#define RING_SIZE	((size_t)256 << 10)
#define PIECE		((size_t)16 << 10)

enum http_count { STREAMING, STALLED, WRONG };

static const struct sat_counter *const counters[] = {
	[STREAMING] = SAT_COUNTER("streams", .gauge = true, .help = "answers that go on: SSE, WebSockets, long texts"),
	[STALLED] = SAT_COUNTER("stalled", .help = "clients cut off, since they did not read, or answer a ping"),
	[WRONG] = SAT_COUNTER("wrong-frames", .help = "WebSockets closed, since what came was none of their protocol"),
	NULL
};

struct server {
	struct sat_self *self;
	struct mg_context *ctx;
	char address[64];		/* host:port, as civetweb wants it */
	int reserved;			/* the port, held until civetweb takes it; -1: not */
	_Atomic int streams, busy;	/* busy: requests between head and the end of their answer */
	_Atomic bool runs, stopping;
	pthread_t stopper;		/* runs mg_stop(), which takes its time */
	sem_t stop;
	struct sockaddr_in at;		/* where it listens */
	_Atomic bool ended;		/* mg_stop() has returned */
	struct sat_log_limit wrong;
	char error[256];		/* what civetweb said while it started */
};

static struct server *serving;		/* who has its port now; the loop's */

enum conn_state {
	CONN_WAITS,		/* for the loop's answer */
	CONN_ANSWERED,
	CONN_STREAMS,
	CONN_ENDS,		/* the host ended it: write what is left */
	CONN_BROKEN,		/* the client is gone */
};

/* One request; guarded by lock as soon as the host knows it. */
struct conn {
	struct server *server;
	struct mg_connection *mg;
	void *req;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum conn_state state;
	bool websocket, wants_room;
	int status;
	char *type;
	char *text;		/* the whole answer, head and body, or a stream's head */
	size_t len;
	char *ring;
	size_t first, used;	/* of the ring */
	pthread_t writer;	/* of a WebSocket */
	bool has_writer;
	struct frames frames;	/* the reading worker's */
	unsigned pings;		/* that nothing came after */
	unsigned code;		/* to close with; 0: without one */
};

/* ---- The loop's side ---------------------------------------------------- */

static void set_state(struct conn *c, enum conn_state state)
{
	c->state = state;
	pthread_cond_broadcast(&c->changed);
}

static void write_head(struct sat_buf *b, struct conn *c, int status, const char *type)
{
	sat_buf_printf(b, "HTTP/1.1 %d %s\r\nConnection: close\r\nCache-Control: no-store\r\n", status,
		       mg_get_response_code_text(c->mg, status));
	if (type != NULL)
		sat_buf_printf(b, "Content-Type: %s\r\n", type);
}

static void server_reply(void *conn, int status, const char *type, const void *body, size_t len,
			 const char *const *extra)
{
	struct conn *c = conn;
	struct sat_buf b = { .max = len + 65536 };

	write_head(&b, c, status, type);
	for (; extra != NULL && *extra != NULL; extra++)
		sat_buf_printf(&b, "%s\r\n", *extra);
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
	set_state(c, CONN_ANSWERED);
	pthread_mutex_unlock(&c->lock);
}

/* A stream holds its worker, so there is a place for only so many. */
static bool take_place(struct server *s)
{
	if (atomic_load(&s->stopping))
		return false;
	if (atomic_fetch_add(&s->streams, 1) < STREAMS) {
		sat_count(s->self, STREAMING, 1);
		return true;
	}
	atomic_fetch_sub(&s->streams, 1);
	return false;
}

static int server_begin(void *conn, int status, const char *type)
{
	struct conn *c = conn;
	struct sat_buf b = { 0 };
	char *ring = malloc(RING_SIZE);

	if (status != 101) {
		write_head(&b, c, status, type);
		sat_buf_printf(&b, "Transfer-Encoding: chunked\r\nX-Accel-Buffering: no\r\n\r\n");
	}
	if (ring == NULL || b.full || !take_place(c->server)) {
		free(ring);
		sat_buf_free(&b);
		return -EBUSY;
	}
	pthread_mutex_lock(&c->lock);
	c->status = status;
	c->text = b.p;
	c->len = b.len;
	c->ring = ring;
	set_state(c, CONN_STREAMS);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static void ring_add(struct conn *c, const void *p, size_t n)
{
	size_t at = (c->first + c->used) % RING_SIZE;
	size_t part = n < RING_SIZE - at ? n : RING_SIZE - at;

	memcpy(c->ring + at, p, part);
	memcpy(c->ring, (const char *)p + part, n - part);
	c->used += n;
}

static void ring_take(struct conn *c, void *p, size_t n)
{
	size_t part = n < RING_SIZE - c->first ? n : RING_SIZE - c->first;

	memcpy(p, c->ring + c->first, part);
	memcpy((char *)p + part, c->ring, n - part);
	c->first = (c->first + n) % RING_SIZE;
	c->used -= n;
}

/* Under the lock.  A WebSocket's frame, whole or not at all, so that others fit between. */
static bool ring_frame(struct conn *c, unsigned opcode, const void *p, size_t n)
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
		return ring_frame(c, MG_WEBSOCKET_OPCODE_TEXT, p, n);
	if (n > RING_SIZE - c->used)
		return false;
	ring_add(c, p, n);
	pthread_cond_broadcast(&c->changed);
	return true;
}

static int server_send(void *conn, const void *p, size_t len)
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

/* Under the lock: what is in the ring still goes. */
static void end_stream(struct conn *c, unsigned code)
{
	if (c->state != CONN_STREAMS)
		return;
	c->code = code;
	set_state(c, CONN_ENDS);
}

static void server_end(void *conn)
{
	struct conn *c = conn;

	pthread_mutex_lock(&c->lock);
	end_stream(c, atomic_load(&c->server->stopping) ? 1001 : 1000);
	pthread_mutex_unlock(&c->lock);
}

/* ---- A worker's side: writing ------------------------------------------- */

static int64_t seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

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
	const struct timespec until = { .tv_sec = seconds() + PING_S };
	bool room = false;
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	while (c->state == CONN_STREAMS && c->used == 0 && rc == 0)
		rc = -pthread_cond_timedwait(&c->changed, &c->lock, &until);
	if (c->state == CONN_BROKEN)
		rc = -EPIPE;
	else if (rc == 0 || c->used > 0)
		rc = c->used > 0;
	if (rc == 1) {
		*n = c->used < max ? c->used : max;
		ring_take(c, piece, *n);
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
		ring_frame(c, MG_WEBSOCKET_OPCODE_PING, "", 0);
	pthread_mutex_unlock(&c->lock);
	if (silent)
		sat_count(c->server->self, STALLED, 1);
	return !silent;
}

static bool write_piece(struct conn *c, const char *piece, size_t n)
{
	int64_t began = seconds();
	bool written = c->websocket ? write_all(c, piece, n) : mg_send_chunk(c->mg, piece, (unsigned)n) > 0;

	if (!written && seconds() - began >= TIMEOUT_MS / 2000)	/* or it was reset */
		sat_count(c->server->self, STALLED, 1);
	return written;
}

/* Until its end; false: the client is gone, or might as well be. */
static bool write_stream(struct conn *c)
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

static void write_chunks(struct conn *c)
{
	if (write_stream(c))
		mg_send_chunk(c->mg, "", 0);
}

/* Of a WebSocket: nobody else writes to it. */
static void *writer(void *arg)
{
	struct conn *c = arg;
	bool whole = write_stream(c);
	char code[2];

	pthread_mutex_lock(&c->lock);
	c->state = CONN_BROKEN;
	code[0] = (char)(c->code >> 8);
	code[1] = (char)(c->code & 0xff);
	pthread_mutex_unlock(&c->lock);
	if (whole)
		mg_websocket_write(c->mg, MG_WEBSOCKET_OPCODE_CONNECTION_CLOSE, code, c->code != 0 ? 2 : 0);
	mg_close_connection(c->mg);	/* tells the reading worker, no more */
	return NULL;
}

static void write_error(struct mg_connection *mg, int status, const char *why)
{
	char body[200];
	int n = snprintf(body, sizeof(body), "{\"error\": \"%s\"}\n", why);

	mg_printf(mg, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
		  "Content-Length: %d\r\n\r\n%s", status, mg_get_response_code_text(mg, status), n, body);
}

/* ---- A worker's side: requests ------------------------------------------ */

/* Up to one byte more than is allowed.  -errno: it did not come. */
static int read_body(struct mg_connection *mg, struct sat_buf *b)
{
	const struct mg_request_info *ri = mg_get_request_info(mg);
	const char *expect = mg_get_header(mg, "Expect");
	int64_t end = seconds() + BODY_S;
	char piece[PIECE];
	int n = 0;

	if (ri->content_length > (long long)SAT_BODY_MAX)
		return 0;
	if (expect != NULL && strcasecmp(expect, "100-continue") == 0)
		mg_printf(mg, "HTTP/1.1 100 Continue\r\n\r\n");
	while (b->len <= SAT_BODY_MAX && seconds() < end && (n = mg_read(mg, piece, sizeof(piece))) > 0)
		sat_buf_add(b, piece, (size_t)n);
	if (b->full)
		return -ENOMEM;
	if (n < 0 || seconds() >= end || (ri->content_length > 0 && (long long)b->len < ri->content_length))
		return -ETIMEDOUT;
	return 0;
}

static void conn_init(struct conn *c, struct mg_connection *mg, bool websocket)
{
	pthread_condattr_t steady;

	memset(c, 0, sizeof(*c));
	c->server = mg_get_user_data(mg_get_context(mg));
	c->mg = mg;
	c->websocket = websocket;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &steady);
	pthread_condattr_destroy(&steady);
}

static void conn_free(struct conn *c)
{
	if (c->ring != NULL) {
		sat_count(c->server->self, STREAMING, -1);
		atomic_fetch_sub(&c->server->streams, 1);
	}
	frames_free(&c->frames);
	free(c->ring);
	free(c->text);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->changed);
}

/* Hand it to the host and wait; what it became, or -errno: the host took nothing. */
static int ask_host(struct conn *c, const struct sat_buf *body)
{
	const struct mg_request_info *ri = mg_get_request_info(c->mg);
	bool unread = ri->content_length > (long long)SAT_BODY_MAX, too_long = unread || body->len > SAT_BODY_MAX;
	struct sat_attr headers[MG_MAX_HEADERS];
	struct sat_http_head head = {
		.size = sizeof(head),
		.method = ri->request_method, .path = ri->local_uri_raw, .query = ri->query_string,
		.peer = ri->remote_addr, .headers = headers, .n_headers = (uint32_t)ri->num_headers,
		.body = too_long ? NULL : body->p, .body_len = unread ? SAT_BODY_MAX + 1 : body->len,
		.websocket = c->websocket,
	};
	int rc;

	for (int i = 0; i < ri->num_headers; i++)
		headers[i] = (struct sat_attr){ ri->http_headers[i].name, ri->http_headers[i].value };
	rc = sat_http_request(c->server->self, c, &head, &c->req);
	if (rc != 0)
		return rc;
	pthread_mutex_lock(&c->lock);
	while (c->state == CONN_WAITS)
		pthread_cond_wait(&c->changed, &c->lock);
	rc = (int)c->state;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

static void write_answer(struct conn *c)
{
	if (c->text != NULL)
		write_all(c, c->text, c->len);
	else
		write_error(c->mg, 503, "out of memory");
}

static void serve(struct conn *c, const struct sat_buf *body)
{
	int rc = ask_host(c, body);

	if (rc < 0) {
		write_error(c->mg, 503, "too much at once");
	} else if (rc == CONN_ANSWERED) {
		write_answer(c);
	} else {
		if (write_all(c, c->text, c->len))
			write_chunks(c);
		sat_http_closed(c->req);
	}
}

static bool asks_websocket(struct mg_connection *mg)
{
	const char *upgrade = mg_get_header(mg, "Upgrade"), *connection = mg_get_header(mg, "Connection");

	return upgrade != NULL && strcasecmp(upgrade, "websocket") == 0 &&
	       connection != NULL && strcasestr(connection, "upgrade") != NULL;
}

/* Every request.  0: go on to the WebSocket's handlers. */
static int begin_request(struct mg_connection *mg)
{
	struct sat_buf body = { .max = SAT_BODY_MAX + 2 * PIECE };
	struct conn c;
	int rc;

	if (mg_get_request_info(mg)->local_uri_raw == NULL) {
		write_error(mg, 400, "the path is not well encoded");
		return 400;
	}
	if (asks_websocket(mg))
		return 0;
	rc = read_body(mg, &body);
	if (rc != 0) {
		write_error(mg, rc == -ENOMEM ? 503 : 408, rc == -ENOMEM ? "out of memory" : "the body did not come");
		sat_buf_free(&body);
		return 408;
	}
	conn_init(&c, mg, false);
	atomic_fetch_add(&c.server->busy, 1);
	serve(&c, &body);
	atomic_fetch_sub(&c.server->busy, 1);
	conn_free(&c);
	sat_buf_free(&body);
	return 200;
}

/* ---- WebSockets --------------------------------------------------------- */

/* Called before the handshake: 0 lets it happen. */
static int ws_connect(const struct mg_connection *mg, void *unused)
{
	struct conn *c = malloc(sizeof(*c));
	const struct sat_buf none = { 0 };
	int rc;

	(void)unused;
	if (c == NULL)
		return 1;
	conn_init(c, (struct mg_connection *)(uintptr_t)mg, true);
	rc = ask_host(c, &none);
	if (rc > CONN_ANSWERED) {
		mg_set_user_connection_data(c->mg, c);
		return 0;
	}
	if (rc == CONN_ANSWERED)
		write_answer(c);
	else
		write_error(c->mg, 503, "too much at once");
	conn_free(c);
	free(c);
	return 1;
}

static void ws_ready(struct mg_connection *mg, void *unused)
{
	struct conn *c = mg_get_user_connection_data(mg);

	(void)unused;
	c->has_writer = pthread_create(&c->writer, NULL, writer, c) == 0;
	if (!c->has_writer)
		mg_close_connection(mg);
}

static void pong(struct conn *c)
{
	pthread_mutex_lock(&c->lock);
	ring_frame(c, MG_WEBSOCKET_OPCODE_PONG, c->frames.p, c->frames.len);	/* no room: it does not read */
	pthread_mutex_unlock(&c->lock);
}

/* The client's last frame. */
static void last_frame(struct conn *c, enum frames_what what)
{
	if (what == FRAMES_WRONG) {
		sat_count(c->server->self, WRONG, 1);
		if (sat_log_allowed(c->server->self, &c->server->wrong, 5, 60 * SAT_SECOND))
			sat_log(c->server->self, LOG_INFO, "%s: WebSocket closed: %s",
				mg_get_request_info(c->mg)->remote_addr, c->frames.p);
	}
	pthread_mutex_lock(&c->lock);
	end_stream(c, c->frames.code);
	pthread_mutex_unlock(&c->lock);
}

static int ws_data(struct mg_connection *mg, int bits, char *data, size_t len, void *unused)
{
	struct conn *c = mg_get_user_connection_data(mg);
	enum frames_what what = frames_take(&c->frames, (unsigned)bits, data, len);

	(void)unused;
	pthread_mutex_lock(&c->lock);
	c->pings = 0;
	pthread_mutex_unlock(&c->lock);
	if (what == FRAMES_MESSAGE)
		sat_http_message(c->req, c->frames.p, c->frames.len);
	else if (what == FRAMES_PING)
		pong(c);
	else if (what != FRAMES_NOTHING)
		last_frame(c, what);
	return what != FRAMES_CLOSE && what != FRAMES_WRONG;
}

/* One that went without a word is not to be waited for. */
static void ws_end(struct conn *c)
{
	mg_set_user_connection_data(c->mg, NULL);
	pthread_mutex_lock(&c->lock);
	if (c->state == CONN_STREAMS)
		set_state(c, CONN_BROKEN);
	pthread_mutex_unlock(&c->lock);
	if (c->has_writer)
		pthread_join(c->writer, NULL);
	sat_http_closed(c->req);
	conn_free(c);
	free(c);
}

static void ws_close(const struct mg_connection *mg, void *unused)
{
	struct conn *c = mg_get_user_connection_data(mg);

	(void)unused;
	if (c != NULL)
		ws_end(c);
}

/* Where the handshake came to nothing, ws_close() was not called, and no writer made. */
static void connection_close(const struct mg_connection *mg)
{
	struct conn *c = mg_get_user_connection_data(mg);

	if (c != NULL)
		ws_end(c);
}

/* ---- The server --------------------------------------------------------- */

static int log_message(const struct mg_connection *mg, const char *message)
{
	struct server *s = mg_get_user_data(mg_get_context(mg));

	if (s != NULL && !atomic_load(&s->runs))	/* it starts: the last word is for the log */
		snprintf(s->error, sizeof(s->error), "%s", message);
	return 1;
}

static int http_error(struct mg_connection *mg, int status, const char *message)
{
	(void)message;
	write_error(mg, status, mg_get_response_code_text(mg, status));
	return 0;
}

/* The predecessor's, which gives it back before this one starts. */
static bool is_ours(in_port_t port)
{
	return serving != NULL && serving->at.sin_port == port;
}

/* Bound now, so that a port in use is known before anything starts. */
static int server_listen(void *state, const char *host, int port)
{
	const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct server *s = state;
	struct addrinfo *a = NULL;
	struct sockaddr_in in;
	int fd, rc = 0, yes = 1;

	if (strchr(host, ':') != NULL)		/* Debian's civetweb has no IPv6 */
		return -EAFNOSUPPORT;
	if (getaddrinfo(host, NULL, &hints, &a) != 0)
		return -EADDRNOTAVAIL;
	memcpy(&in, a->ai_addr, sizeof(in));
	freeaddrinfo(a);
	in.sin_port = htons((uint16_t)port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) != 0 || listen(fd, 1) != 0)
		rc = -errno;
	if (rc != 0) {
		close(fd);
		fd = -1;
	}
	if (rc != 0 && !(rc == -EADDRINUSE && is_ours(in.sin_port)))
		return rc;
	s->reserved = fd;
	s->at = in;
	getnameinfo((struct sockaddr *)&in, sizeof(in), s->address, sizeof(s->address), NULL, 0, NI_NUMERICHOST);
	snprintf(s->address + strlen(s->address), 8, ":%d", port);
	return 0;
}

static void stopped(void *arg)
{
	struct server *s = arg;

	pthread_join(s->stopper, NULL);
	sem_destroy(&s->stop);
	serving = NULL;
	sat_stopped(s->self);
}

/*
 * civetweb looks for the end only between two waits of 2 s for a connection, so
 * it gets some.
 */
static void *waker(void *arg)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	struct server *s = arg;

	while (!atomic_load(&s->ended)) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd >= 0) {
			connect(fd, (struct sockaddr *)&s->at, sizeof(s->at));
			close(fd);
		}
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void stop_civetweb(struct server *s)
{
	pthread_t thread;
	bool wakes;

	atomic_store(&s->ended, false);
	wakes = pthread_create(&thread, NULL, waker, s) == 0;
	mg_stop(s->ctx);
	atomic_store(&s->ended, true);
	if (wakes)
		pthread_join(thread, NULL);
}

/*
 * mg_stop() waits for workers that wait for the loop, so it runs here.  It cuts
 * off what is being written, so answers that were just given get a moment.
 */
static void *stopper(void *arg)
{
	struct server *s = arg;
	const struct timespec pause = { .tv_nsec = 10000000 };
	int rc;

	while (sem_wait(&s->stop) != 0)
		;
	if (s->ctx == NULL)
		return NULL;
	for (int i = 0; i < LAST_MS / 10 && atomic_load(&s->busy) > 0; i++)
		nanosleep(&pause, NULL);
	stop_civetweb(s);
	while ((rc = sat_post(s->self, stopped, s)) == -ENOMEM || rc == -ENOBUFS)
		nanosleep(&pause, NULL);
	return NULL;
}

static int start_civetweb(struct server *s)
{
	const char *options[] = {
		"listening_ports", s->address,
		"num_threads", TEXT(THREADS),
		"request_timeout_ms", TEXT(TIMEOUT_MS),
		"websocket_timeout_ms", TEXT(TIMEOUT_MS),
		"enable_websocket_ping_pong", "no",
		"enable_keep_alive", "no",	/* or an idle client would hold a worker */
		"decode_url", "no",
		"enable_auth_domain_check", "no",
		"tcp_nodelay", "1",
		NULL
	};
	const struct mg_callbacks callbacks = {
		.begin_request = begin_request,
		.connection_close = connection_close,
		.log_message = log_message,
		.http_error = http_error,
	};

	atomic_store(&s->runs, false);
	s->ctx = mg_start(&callbacks, s, options);
	if (s->ctx == NULL)
		return -EIO;
	atomic_store(&s->runs, true);
	mg_set_websocket_handler(s->ctx, "**", ws_connect, ws_ready, ws_data, ws_close, s);
	return 0;
}

static int start(void *state)
{
	struct server *s = state;
	int rc;

	if (s->reserved >= 0)
		close(s->reserved);
	s->reserved = -1;
	sem_init(&s->stop, 0, 0);
	rc = -pthread_create(&s->stopper, NULL, stopper, s);
	if (rc == 0)
		rc = start_civetweb(s);
	if (rc == 0) {
		serving = s;
		sat_log(s->self, LOG_INFO, "http://%s/", s->address);
		return 0;
	}
	sat_log(s->self, LOG_ERR, "%s: %s", s->address, *s->error != '\0' ? s->error : strerror(-rc));
	if (rc == -EIO) {
		sem_post(&s->stop);
		pthread_join(s->stopper, NULL);
	}
	sem_destroy(&s->stop);
	return rc;
}

static void stop(void *state)
{
	struct server *s = state;

	atomic_store(&s->stopping, true);
	sem_post(&s->stop);
}

static void destroy(void *state)
{
	struct server *s = state;

	if (s->reserved >= 0)
		close(s->reserved);
	mg_exit_library();
	free(s);
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct server *s = calloc(1, sizeof(*s));

	(void)conf;
	if (s == NULL)
		return -ENOMEM;
	s->self = self;
	s->reserved = -1;
	mg_init_library(MG_FEATURES_WEBSOCKET);	/* counted; without TLS */
	*state = s;
	return 0;
}

SAT_MODULE(http_civetweb,
	.name = "http-civetweb", .version = SAT_VERSION, .summary = "HTTP server",
	.create = create, .start = start, .stop = stop, .destroy = destroy, .counters = counters,
	.http_server = &(const struct sat_http_server){
		.size = sizeof(struct sat_http_server),
		.listen = server_listen,
		.reply = server_reply,
		.begin = server_begin,
		.send = server_send,
		.end = server_end,
	});
