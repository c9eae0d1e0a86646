/* SPDX-License-Identifier: Apache-2.0 */
/*
 * riemann - the door for Riemann's clients: TCP and TLS here, UDP in udp.c.
 *
 * All connections read into one buffer, in which whole frames are decoded and
 * run where they lie; a connection has memory of its own only while a frame is
 * not whole or answers wait to be taken.  One that does not take its answers is
 * not read from.  TLS lies between: what comes is decrypted into that buffer, and
 * answers are encrypted before they go.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "door.h"

#define READ_SIZE	((size_t)256 * 1024)
#define ANSWERS_ENOUGH	((size_t)1024 * 1024)	/* then they must be taken first */
#define ANSWERS_MAX	((size_t)1024 * 1024 * 1024)
#define UNTAKEN_MAX	((size_t)512 * 1024 * 1024)	/* of all connections' answers */
#define ACCEPT_MOST	64			/* a loop turn */
#define ACCEPT_TLS	8			/* a handshake is a millisecond of work */
#define STOP_AFTER	2000			/* ms that answers have at the end */
#define LINES		5			/* of a log, in LINES_PER ms */
#define LINES_PER	10000

static const struct sat_counter *const counters[] = {
	[CONNECTIONS] = SAT_COUNTER("connections", .gauge = true, .help = "clients that are connected"),
	[ACCEPTED] = SAT_COUNTER("accepted", .help = "connections accepted"),
	[MESSAGES] = SAT_COUNTER("messages", .help = "messages over TCP, run and answered"),
	[BYTES] = SAT_COUNTER("bytes", .help = "bytes read"),
	[MALFORMED] = SAT_COUNTER("malformed",
		.help = "messages that are not Riemann's; a connection is closed"),
	[TOO_LARGE] = SAT_COUNTER("too-large",
		.help = "frames over frame-limit, and the connection is closed, or datagrams over theirs"),
	[REFUSED] = SAT_COUNTER("refused",
		.help = "connections closed at once: too many, or out of files or memory"),
	[TIMED_OUT] = SAT_COUNTER("timed-out", .help = "connections closed for silence or for not reading"),
	[DATAGRAMS] = SAT_COUNTER("datagrams", .help = "datagrams read"),
	[UDP_DROPPED] = SAT_COUNTER("datagrams-dropped", .help = "datagrams that the kernel dropped: its buffer was full"),
	[TLS_ACCEPTED] = SAT_COUNTER("tls-accepted", .help = "TLS handshakes done"),
	[TLS_FAILED] = SAT_COUNTER("tls-failed", .help = "TLS handshakes refused, broken off, or not done in time"),
	NULL
};

static const struct sat_option *const options[] = {
	SAT_OPTION("host", SAT_STRING, .fallback = "127.0.0.1", .help = "address to listen on"),
	SAT_OPTION("port", SAT_INTEGER, .fallback = "5555", .min = 1, .max = 65535, .help = "TCP port"),
	SAT_OPTION("udp", SAT_ANY, .help = "UDP port, or false: none; by default, or true: that of TCP"),
	SAT_OPTION("tls", SAT_GROUP, .inner = tls_options, .help = "where clients that speak TLS are heard, too"),
	SAT_OPTION("so-rcvbuf", SAT_INTEGER, .fallback = "4194304", .min = 4096, .max = 1 << 30,
		   .help = "bytes of datagrams that the kernel holds until they are read, as far as it lets"),
	SAT_OPTION("datagram-limit", SAT_INTEGER, .fallback = "16384", .min = 64, .max = 65535,
		   .help = "bytes that a datagram may have"),
	SAT_OPTION("frame-limit", SAT_INTEGER, .fallback = "16777216", .min = 64, .max = 1 << 30,
		   .help = "bytes that a message may have"),
	SAT_OPTION("answer-limit", SAT_INTEGER, .fallback = "67108864", .min = 64, .max = 1 << 28,
		   .help = "bytes that the answer to a query may have"),
	SAT_OPTION("idle-timeout", SAT_SECONDS, .fallback = "0", .min = 0, .max = 1e9,
		   .help = "close a connection after so long a silence; 0: never"),
	SAT_OPTION("stall-timeout", SAT_SECONDS, .fallback = "60", .min = 1, .max = 1e9,
		   .help = "close one that stops amid a message, or does not read its answers"),
	SAT_OPTION("max-connections", SAT_INTEGER, .fallback = "100000", .min = 1, .max = 1e7,
		   .help = "connections at a time; more are closed at once"),
	SAT_OPTION("backlog", SAT_INTEGER, .fallback = "4096", .min = 1, .max = 65535,
		   .help = "connections that the kernel holds until they are accepted"),
	NULL
};

struct conn;
struct list { struct conn *first, *last; };	/* the one that was silent longest is first */

struct listener {
	struct door *door;
	uv_poll_t *poll;		/* on its own, since it may outlive a start that failed */
	const char *host;
	int port, fd;
	bool tls, paused;
};

struct door {
	struct sat_self *self;
	struct listener listeners[2];	/* TCP, then, maybe, TLS */
	unsigned n_listeners;
	int backlog;
	int64_t max_connections, n;
	uint32_t limit, answer_limit;
	size_t untaken;			/* bytes of answers that wait to be taken */
	uint64_t idle_ms, stall_ms;
	uv_timer_t timer;
	unsigned handles;		/* open ones: listeners, this one, connections, and UDP's */
	bool started, stopping;
	struct list idle, busy;		/* busy: amid a frame, or answers wait */
	struct list shaking;		/* hands: not secure yet, the oldest first */
	struct list asking;		/* they wait for us */
	struct sat_buf out;		/* answers to what is being read */
	struct lines lines;
	struct udp *udp;		/* NULL: none */
	struct tls *tls;		/* NULL: none */
	char in[READ_SIZE + 1];		/* a byte more, since a message's end is written to */
};

struct conn {
	uv_tcp_t tcp;			/* first: a handle's data is the door */
	struct conn *next, *prev;
	struct list *list;
	uint64_t active;		/* uv_now() of the last progress */
	char *part;			/* what was read of a frame, or waits to be run */
	uint32_t len, size;
	struct sat_asked *asked;	/* its query, while that is looked up */
	bool running;			/* its message is */
	uint8_t writing;		/* answers that wait to be taken: two where one came later */
	bool ending, closing;		/* ending: closed once its answers are out */
	struct sat_tls_conn *tls;	/* NULL: plain */
};

struct answers {
	uv_write_t req;			/* first */
	struct conn *conn;
	char *p;
	size_t len;
};

void lines_log(struct sat_self *self, struct lines *l, const char *fmt, ...)
{
	uint64_t now = uv_now(sat_loop(self));
	va_list ap;

	if (now - l->since > LINES_PER) {
		if (l->held != 0)
			sat_log(self, LOG_WARNING, "%u lines like these were held back", l->held);
		*l = (struct lines){ .since = now };
	}
	if (l->n == LINES) {
		l->held++;
		return;
	}
	l->n++;
	va_start(ap, fmt);
	sat_vlog(self, LOG_WARNING, fmt, ap);
	va_end(ap);
}
#define log_some(d, ...) lines_log((d)->self, &(d)->lines, __VA_ARGS__)

static const char *peer(const struct conn *c, char *to, size_t size)
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
#define PEER(c) peer(c, (char[INET6_ADDRSTRLEN + 16]){ 0 }, INET6_ADDRSTRLEN + 16)

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

/* It has just made progress: to the end of its list. */
static void settle(struct conn *c)
{
	struct door *d = c->tcp.data;

	if (c->asked != NULL)
		line_up(c, &d->asking);
	else
		line_up(c, c->part != NULL || c->writing ? &d->busy : &d->idle);
}

/* ---- An end ------------------------------------------------------------- */

static void let_go(struct door *d)
{
	if (--d->handles == 0)
		sat_stopped(d->self);
}

static void conn_closed(uv_handle_t *h)
{
	struct conn *c = (struct conn *)h;
	struct door *d = h->data;

	free(c->part);
	free(c);
	let_go(d);
}

static void give_up(uv_timer_t *timer);

/* Tell the other side, if that is possible at once. */
static void end_tls(struct conn *c)
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

static void conn_close(struct conn *c)
{
	struct door *d = c->tcp.data;

	if (c->closing)
		return;
	c->closing = true;
	sat_message_stop(c->asked);
	leave(c);
	if (c->tls != NULL)
		end_tls(c);
	sat_gauge(d->self, CONNECTIONS, --d->n);
	uv_close((uv_handle_t *)&c->tcp, conn_closed);
	if (d->stopping && d->n == 0)
		uv_timer_start(&d->timer, give_up, 0, 0);
}

/* No more is read; what has been answered goes out first. */
static void conn_end(struct conn *c)
{
	c->ending = true;
	uv_read_stop((uv_stream_t *)&c->tcp);
	if (!c->writing && c->asked == NULL)
		conn_close(c);
}

/* ---- Answers ------------------------------------------------------------ */

static void take(struct conn *c, char *p, size_t n);
static int read_on(struct conn *c);

/* What had to wait is over: on with the frames that came meanwhile. */
static void go_on(struct conn *c)
{
	char *part = c->part;
	uint32_t len = c->len;

	if (c->list != &((struct door *)c->tcp.data)->shaking)
		settle(c);
	if (part != NULL) {
		c->part = NULL;
		c->len = c->size = 0;
		take(c, part, len);
		free(part);
	}
	if (c->writing || c->closing || c->asked != NULL)
		return;
	if (c->ending)
		conn_close(c);
	else
		read_on(c);
}

/* Answers become what goes to the socket, behind what TLS has to say by itself. */
static bool seal(struct conn *c)
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
		go_on(c);
}

/* What the socket does not take at once it gets from a buffer of its own. */
static void flush(struct conn *c)
{
	struct door *d = c->tcp.data;
	uv_stream_t *s = (uv_stream_t *)&c->tcp;
	bool sealed = c->tls == NULL || seal(c);
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

/* Msg { ok: false, error }; the words are ours, and short. */
static void answer_error(struct door *d, const char *fmt, ...) SAT_PRINTF(2);
static void answer_error(struct door *d, const char *fmt, ...)
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

static void answer(void *arg, const void *p, size_t n)
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
	flush(c);
	if (c->closing)
		return;
	if (c->writing)
		settle(c);	/* now it is we who wait */
	else
		go_on(c);
}

/* ---- Frames ------------------------------------------------------------- */

static uint32_t frame_length(const char *p)
{
	uint32_t n;

	memcpy(&n, p, 4);
	return ntohl(n);
}

/* false: no more of this connection. */
static bool run(struct conn *c, char *msg, uint32_t n)
{
	struct door *d = c->tcp.data;
	int rc;

	c->running = true;
	rc = sat_message(d->self, msg, n, d->answer_limit, answer, c, &c->asked);
	c->running = false;

	if (rc == -EBADMSG) {
		sat_count(d->self, MALFORMED, 1);
		log_some(d, "%s: malformed message of %u bytes", PEER(c), n);
		answer_error(d, "malformed message");
		return false;
	}
	if (rc != 0) {
		log_some(d, "%s: message of %u bytes: %s", PEER(c), n, strerror(-rc));
		answer_error(d, "%s", strerror(-rc));
	}
	return !d->out.full;
}

static bool too_large(struct conn *c, uint32_t n)
{
	struct door *d = c->tcp.data;

	if (n <= d->limit)
		return false;
	sat_count(d->self, TOO_LARGE, 1);
	log_some(d, "%s: frame of %u bytes, over frame-limit = %u", PEER(c), n, d->limit);
	answer_error(d, "frame of %u bytes is over the limit of %u", n, d->limit);
	return true;
}

/* Keep what is not run yet.  A frame's room grows as it comes, not as it was announced. */
static void keep(struct conn *c, const char *p, size_t n)
{
	if (n == 0)
		return;
	c->part = malloc(n + 1);
	if (c->part == NULL) {
		conn_end(c);
		return;
	}
	memcpy(c->part, p, n);
	c->len = c->size = (uint32_t)n;
}

/* Run whole frames until the answers are enough: how many bytes they had. */
static size_t run_frames(struct conn *c, char *p, size_t n, bool *more)
{
	struct door *d = c->tcp.data;
	int64_t messages = 0;
	size_t used = 0;
	uint32_t len;

	while (*more && c->asked == NULL && n - used >= 4 && d->out.len < ANSWERS_ENOUGH) {
		len = frame_length(p + used);
		if (too_large(c, len))
			*more = false;
		else if (len > n - used - 4)
			break;
		else
			*more = run(c, p + used + 4, len);
		messages += *more;
		used += 4 + (size_t)len;
	}
	if (messages != 0)
		sat_count(d->self, MESSAGES, messages);
	return used;
}

/* Run the whole frames of these n bytes (p[n] may be written to), and keep the rest. */
static void take(struct conn *c, char *p, size_t n)
{
	bool more = true;
	size_t used;

	do {
		used = run_frames(c, p, n, &more);
		flush(c);
		p += used;
		n -= more ? used : n;
	} while (used != 0 && more && !c->writing && !c->closing && c->asked == NULL);
	if (c->closing)
		return;
	if (c->asked != NULL)
		uv_read_stop((uv_stream_t *)&c->tcp);
	if (more)
		keep(c, p, n);
	else
		conn_end(c);
	if (!c->closing)
		settle(c);
}

/* How many bytes the frame that has begun has in all, as far as is known. */
static size_t wanted(const struct conn *c)
{
	return c->len < 4 ? 4 : 4 + (size_t)frame_length(c->part);
}

static void allocate(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct conn *c = (struct conn *)h;
	struct door *d = h->data;
	size_t want, size;
	char *p;

	(void)hint;
	*buf = uv_buf_init(d->in, READ_SIZE);
	if (c->part == NULL)
		return;
	want = wanted(c);
	if (c->size == c->len) {
		size = c->size < 2048 ? 4096 : 2 * (size_t)c->size;
		size = size < want ? size : want;
		p = realloc(c->part, size + 1);
		if (p == NULL) {
			*buf = uv_buf_init(NULL, 0);	/* heard() gets UV_ENOBUFS */
			return;
		}
		c->part = p;
		c->size = (uint32_t)size;
	}
	*buf = uv_buf_init(c->part + c->len, (unsigned)((c->size < want ? c->size : want) - c->len));
}

/* More of a frame that lies in the connection's own memory. */
static void add(struct conn *c, size_t n)
{
	struct door *d = c->tcp.data;
	char *part = c->part;
	uint32_t len = c->len += (uint32_t)n;

	if (len < wanted(c) && wanted(c) <= 4 + (size_t)d->limit) {
		settle(c);
		return;
	}
	c->part = NULL;
	c->len = c->size = 0;
	take(c, part, len);
	free(part);
}

static void heard(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
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
		take(c, d->in, (size_t)n);
	else
		add(c, (size_t)n);
}

/* ---- TLS ---------------------------------------------------------------- */

/* Decrypted bytes: the rest of the frame that has begun, and others. */
static void feed(struct conn *c, char *p, size_t n)
{
	uv_buf_t room;

	while (n > 0 && c->part != NULL && !c->ending && !c->closing) {
		allocate((uv_handle_t *)&c->tcp, 0, &room);
		if (room.len == 0) {
			conn_end(c);
			return;
		}
		room.len = room.len < n ? room.len : n;
		memcpy(room.base, p, room.len);
		p += room.len;
		n -= room.len;
		add(c, room.len);
	}
	if (n == 0 || c->ending || c->closing)
		return;
	if (!c->writing && c->asked == NULL) {
		take(c, p, n);
		return;
	}
	keep(c, p, n);
	if (!c->closing)
		settle(c);
}

/* It goes no further; a port scanner that says nothing is not worth a line. */
static void tls_failed(struct conn *c, const char *why)
{
	struct door *d = c->tcp.data;
	bool shaking = c->list == &d->shaking;

	if (shaking)
		sat_count(d->self, TLS_FAILED, 1);
	if (why != NULL)
		log_some(d, "%s: %s: %s", PEER(c), shaking ? "TLS handshake" : "TLS", why);
}

/* n bytes of the socket lie in the buffer of TLS. */
static void decrypt(struct conn *c, size_t n)
{
	struct door *d = c->tcp.data;
	size_t got;
	int rc = sat_tls_decrypt(c->tls, d->tls->in, n, d->in, &got, &d->tls->out);

	if (rc != 0 && rc != -EPIPE)
		tls_failed(c, sat_tls_why(c->tls));
	if (c->list == &d->shaking && sat_tls_ready(c->tls)) {
		sat_count(d->self, TLS_ACCEPTED, 1);
		settle(c);
	}
	feed(c, d->in, got);
	if (!c->closing && !c->writing)
		flush(c);
	if (rc != 0 && !c->closing)
		conn_end(c);
	d->tls->out.len = 0;
}

static void allocate_tls(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct door *d = h->data;

	(void)hint;
	*buf = uv_buf_init(d->tls->in, TLS_READ);
}

static void heard_tls(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = (struct conn *)s;
	struct door *d = s->data;

	if (n < 0 && c->list == &d->shaking)
		tls_failed(c, NULL);
	if (n <= 0) {
		heard(s, n, buf);
		return;
	}
	sat_count(d->self, BYTES, n);
	decrypt(c, (size_t)n);
}

static void close_shaking(struct door *d)
{
	uint64_t now = uv_now(sat_loop(d->self));

	while (d->shaking.first != NULL && now - d->shaking.first->active >= d->tls->handshake_ms) {
		tls_failed(d->shaking.first, "not done within handshake-timeout");
		conn_close(d->shaking.first);
	}
}

/* ---- Connections -------------------------------------------------------- */

static int read_on(struct conn *c)
{
	return uv_read_start((uv_stream_t *)&c->tcp, c->tls != NULL ? allocate_tls : allocate,
			     c->tls != NULL ? heard_tls : heard);
}

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

static void conn_open(struct door *d, int fd, bool tls)
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
		settle(c);
	sat_count(d->self, ACCEPTED, 1);
	sat_gauge(d->self, CONNECTIONS, d->n);
	if (read_on(c) != 0)
		conn_close(c);
}

/* Out of files, the kernel would report the waiting connection for ever. */
static void knock(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;
	struct door *d = l->door;
	int fd, most = l->tls ? ACCEPT_TLS : ACCEPT_MOST;

	(void)status;
	(void)events;
	for (int i = 0; i < most; i++) {
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			conn_open(d, fd, l->tls);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_some(d, "no connection accepted for a second: %s", strerror(errno));
			sat_count(d->self, REFUSED, 1);
			uv_poll_stop(poll);
			l->paused = true;
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

static void close_silent(struct door *d, struct list *l, uint64_t ms)
{
	uint64_t now = uv_now(sat_loop(d->self));

	while (l->first != NULL && now - l->first->active >= ms) {
		sat_count(d->self, TIMED_OUT, 1);
		conn_close(l->first);
	}
}

static void tick(uv_timer_t *timer)
{
	struct door *d = timer->data;

	for (unsigned i = 0; i < d->n_listeners; i++)
		if (d->listeners[i].paused)
			d->listeners[i].paused = uv_poll_start(d->listeners[i].poll, UV_READABLE, knock) != 0;
	if (d->idle_ms != 0)
		close_silent(d, &d->idle, d->idle_ms);
	close_silent(d, &d->busy, d->stall_ms);
	close_shaking(d);
	udp_tick(d->udp);
}

/* ---- Life --------------------------------------------------------------- */

static void destroy(void *state)
{
	struct door *d = state;

	for (unsigned i = 0; i < d->n_listeners; i++)
		if (d->listeners[i].fd >= 0)
			close(d->listeners[i].fd);
	udp_free(d->udp);
	tls_free(d->tls);
	sat_buf_free(&d->out);
	free(d);
}

static void listen_at(struct door *d, const char *host, int port, bool tls)
{
	d->listeners[d->n_listeners++] = (struct listener){
		.door = d, .host = host, .port = port, .fd = -1, .tls = tls,
	};
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct door *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return -ENOMEM;
	rc = udp_create(self, conf, &d->lines, &d->udp);
	if (rc == 0)
		rc = tls_create(self, conf, &d->tls);
	if (rc != 0) {
		destroy(d);
		return rc;
	}
	d->self = self;
	listen_at(d, sat_conf_string(conf, "host"), (int)sat_conf_integer(conf, "port"), false);
	if (d->tls != NULL) {
		listen_at(d, d->tls->host, d->tls->port, true);
		d->tls->out.max = ANSWERS_MAX;		/* it takes turns with d->out */
	}
	d->limit = (uint32_t)sat_conf_integer(conf, "frame-limit");
	d->answer_limit = (uint32_t)sat_conf_integer(conf, "answer-limit");
	d->backlog = (int)sat_conf_integer(conf, "backlog");
	d->max_connections = sat_conf_integer(conf, "max-connections");
	d->idle_ms = (uint64_t)(sat_conf_time(conf, "idle-timeout") / SAT_MS);
	d->stall_ms = (uint64_t)(sat_conf_time(conf, "stall-timeout") / SAT_MS);
	d->out.max = ANSWERS_MAX;
	*state = d;
	return 0;
}

static int open_door(void *state)
{
	struct door *d = state;
	int rc = 0;

	for (unsigned i = 0; i < d->n_listeners && rc == 0; i++)
		rc = sat_listen(d->self, d->listeners[i].host, d->listeners[i].port, SOCK_STREAM,
				&d->listeners[i].fd);
	return rc == 0 ? udp_open(d->udp) : rc;
}

static void closed(uv_handle_t *h)
{
	let_go(h->data);
}

static void poll_closed(uv_handle_t *h)
{
	free(h);
}

static void listener_closed(uv_handle_t *h)
{
	struct listener *l = h->data;

	free(h);
	close(l->fd);
	l->fd = -1;
	let_go(l->door);
}

static int listener_start(struct listener *l)
{
	struct door *d = l->door;
	int rc;

	l->poll = malloc(sizeof(*l->poll));
	rc = l->poll != NULL ? uv_poll_init(sat_loop(d->self), l->poll, l->fd) : -ENOMEM;
	if (rc != 0) {
		free(l->poll);
		return rc;
	}
	l->poll->data = l;
	listen(l->fd, d->backlog);
	uv_poll_start(l->poll, UV_READABLE, knock);
	sat_log(d->self, LOG_INFO, "listening on %s port %d%s", l->host, l->port, !l->tls ? "" :
		d->tls->verify ? " (TLS, clients need a certificate)" : " (TLS)");
	return 0;
}

static int start(void *state)
{
	struct door *d = state;
	int rc = udp_start(d->udp);
	unsigned n = 0;

	if (rc != 0)
		return rc;
	while (n < d->n_listeners && (rc = listener_start(&d->listeners[n])) == 0)
		n++;
	if (n < d->n_listeners) {
		while (n > 0)
			uv_close((uv_handle_t *)d->listeners[--n].poll, poll_closed);
		udp_unstart(d->udp);
		return rc;
	}
	uv_timer_init(sat_loop(d->self), &d->timer);
	uv_timer_start(&d->timer, tick, 1000, 1000);
	d->timer.data = d;
	d->handles = n + 2;
	d->started = true;
	return 0;
}

static void udp_stopped(void *arg)
{
	let_go(arg);
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
	(c->tls != NULL ? allocate_tls : allocate)((uv_handle_t *)&c->tcp, 0, &buf);
	n = buf.len != 0 ? recv(fd, buf.base, buf.len, MSG_DONTWAIT) : 0;
	if (n > 0 && c->tls != NULL)
		decrypt(c, (size_t)n);
	else if (n > 0 && buf.base == d->in)
		take(c, d->in, (size_t)n);
	else if (n > 0)
		add(c, (size_t)n);
}

static void end_list(struct list *l)
{
	for (struct conn *c = l->first, *next; c != NULL; c = next) {
		next = c->next;
		if (!c->closing)
			conn_end(c);
	}
}

static void give_up(uv_timer_t *timer)
{
	struct door *d = timer->data;

	d->stopping = false;
	while (d->shaking.first != NULL)
		conn_close(d->shaking.first);
	while (d->busy.first != NULL)
		conn_close(d->busy.first);
	while (d->asking.first != NULL)
		conn_close(d->asking.first);
	uv_close((uv_handle_t *)timer, closed);
}

static void stop(void *state)
{
	struct door *d = state;
	struct conn *last[2] = { d->idle.last, d->busy.last };
	struct list *lists[2] = { &d->idle, &d->busy };

	if (!d->started) {
		sat_stopped(d->self);
		return;
	}
	d->stopping = true;
	for (unsigned i = 0; i < d->n_listeners; i++)
		uv_close((uv_handle_t *)d->listeners[i].poll, listener_closed);
	udp_stop(d->udp, udp_stopped, d);
	for (int i = 0; i < 2; i++)
		for (struct conn *c = lists[i]->first, *next; c != NULL; c = next) {
			next = c != last[i] ? c->next : NULL;
			last_read(c);
		}
	end_list(&d->shaking);
	end_list(&d->idle);
	end_list(&d->busy);
	end_list(&d->asking);
	uv_timer_start(&d->timer, give_up, d->n != 0 ? STOP_AFTER : 0, 0);
}

SAT_MODULE(riemann,
	.name = "riemann", .version = SAT_VERSION,
	.summary = "takes in events and queries of Riemann's clients, over TCP, TLS and UDP",
	.options = options, .create = create, .open = open_door, .start = start, .stop = stop,
	.destroy = destroy, .counters = counters);
