/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer - one master: its queue, its connection, its answers.
 *
 * A message stays in the queue until it is answered, and is sent again on the
 * next connection if this one breaks first: at least once.  With TLS a message is
 * encrypted as it is written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "forward.h"

#define ADDRESSES	4u			/* tried of a name */
#define SOONEST		SAT_SECOND		/* the first back-off, before jitter */
#define LATEST		(30 * SAT_SECOND)
#define ANSWER_MAX	65536u
#define READ_SIZE	4096u
#define ROOM		((size_t)ANSWER_MAX + 4 + SAT_TLS_ROOM(READ_SIZE))	/* and one read more */
#define BATCH_MAX	1000u
#define QUEUE_BYTES	((size_t)16 << 20)

enum state { IDLE, WAITING, RESOLVING, CONNECTING, SHAKING, UP, CLOSING, STOPPED };
enum after { RETRY, NEXT_ADDRESS, STOP };	/* what follows a close */

struct lookup {
	uv_getaddrinfo_t req;
	struct peer *peer;		/* NULL: nobody waits for it any more */
};

struct message {
	uv_write_t req;
	struct sat_buf buf;
};

struct peer {
	struct sender *sender;
	char host[256], name[272];
	int port;
	struct queue queue;
	size_t counted;			/* of queue.n, in the instance's gauge */
	enum state state;
	enum after after;
	struct lookup *lookup;
	struct sockaddr_storage addrs[ADDRESSES];
	unsigned n_addrs, next_addr;
	uv_tcp_t tcp;
	uv_connect_t connect;
	bool open;			/* tcp is a handle, maybe closing */
	struct sat_tls_conn *tls;	/* NULL: plain, or not connected */
	struct sat_alarm alarm;		/* by state: try again, or enough waited */
	struct sat_alarm flush;
	struct sat_buf in;
	int64_t backoff, refused_at;
	int64_t acknowledged, dropped, connections;
	bool due;			/* what waits is to be sent without waiting for more */
	bool answers, away;		/* what was said of it last: neither, or one */
	bool full, stuck, draining, last_try;
};

static void attempt(struct peer *p);
static void connect_next(struct peer *p);
static void send_due(struct peer *p);
static void decrypt(struct peer *p, const char *bytes, size_t n);

/* ---- Timing ------------------------------------------------------------- */

/* No memory for an alarm: the next event tries again. */
static void set_alarm(struct peer *p, int64_t after)
{
	p->stuck = sat_alarm_set(p->sender->self, &p->alarm, sat_clock() + after) != 0;
}

static int64_t jitter(int64_t about)
{
	uint64_t r = 0;

	uv_random(NULL, NULL, &r, sizeof(r), 0, NULL);
	return about / 2 + (int64_t)(r % (uint64_t)about);
}

static void back_off(struct peer *p)
{
	p->state = WAITING;
	set_alarm(p, jitter(p->backoff));
	p->backoff = p->backoff * 2 < LATEST ? p->backoff * 2 : LATEST;
}

/* ---- The end of a connection -------------------------------------------- */

static void count_queue(struct peer *p)
{
	sat_count(p->sender->self, COUNT_QUEUED, (int64_t)p->queue.n - (int64_t)p->counted);
	p->counted = p->queue.n;
}

static void drop(struct peer *p, size_t n)
{
	sat_count(p->sender->self, COUNT_DROPPED, (int64_t)n);
	p->dropped += (int64_t)n;
}

static void stopped(struct peer *p)
{
	struct sender *s = p->sender;

	if (p->queue.n > 0) {
		sat_log(s->self, LOG_WARNING, "%s: %zu events not delivered", p->name, p->queue.n);
		drop(p, p->queue.n);
	}
	p->state = STOPPED;
	queue_free(&p->queue);
	count_queue(p);
	sender_peer_stopped(s);
}

static void go_on(struct peer *p)
{
	if (p->after == NEXT_ADDRESS) {
		connect_next(p);
	} else if (p->after == STOP || (p->draining && p->last_try)) {
		stopped(p);
	} else if (p->draining) {
		p->last_try = true;
		attempt(p);
	} else {
		back_off(p);
	}
}

static void closed(uv_handle_t *handle)
{
	struct peer *p = handle->data;

	p->open = false;
	go_on(p);
}

/* Tell the other side, if that is possible at once. */
static void end_tls(struct peer *p)
{
	struct sat_buf out = { 0 };
	uv_buf_t buf;

	if (p->tls == NULL)
		return;
	sat_tls_close(p->tls, &out);
	p->tls = NULL;
	buf = uv_buf_init(out.p, (unsigned)out.len);
	if (out.len > 0 && p->open && !uv_is_closing((uv_handle_t *)&p->tcp))
		uv_try_write((uv_stream_t *)&p->tcp, &buf, 1);
	sat_buf_free(&out);
}

static void leave(struct peer *p, enum after after)
{
	end_tls(p);
	sat_alarm_stop(&p->alarm);
	sat_alarm_stop(&p->flush);
	if (p->lookup != NULL) {
		p->lookup->peer = NULL;
		uv_cancel((uv_req_t *)&p->lookup->req);
		p->lookup = NULL;
	}
	queue_lost(&p->queue);
	p->in.len = 0;
	p->state = CLOSING;
	p->after = after;
	if (!p->open)
		go_on(p);
	else if (!uv_is_closing((uv_handle_t *)&p->tcp))
		uv_close((uv_handle_t *)&p->tcp, closed);
}

/* Said once, until it answers again. */
static void lose(struct peer *p, const char *why)
{
	if (!p->away)
		sat_log(p->sender->self, LOG_WARNING, "%s: %s; %zu events wait", p->name, why, p->queue.n);
	p->away = true;
	p->answers = false;
	leave(p, RETRY);
}

/* ---- Answers ------------------------------------------------------------ */

static void refused(struct peer *p, size_t n, const char *error)
{
	sat_count(p->sender->self, COUNT_REFUSED, (int64_t)n);
	if (p->refused_at != 0 && sat_clock() - p->refused_at < 60 * SAT_SECOND)
		return;
	p->refused_at = sat_clock();
	sat_log(p->sender->self, LOG_WARNING, "%s: refused %zu events: %s", p->name, n, error);
}

static void acknowledged(struct peer *p, size_t n)
{
	sat_count(p->sender->self, COUNT_ACKNOWLEDGED, (int64_t)n);
	p->acknowledged += (int64_t)n;
	if (!p->answers)
		sat_log(p->sender->self, LOG_NOTICE, "%s: takes events; %zu wait", p->name, p->queue.n);
	p->answers = true;
	p->away = p->full = false;
	p->backoff = SOONEST;
}

/* false: the connection is being left. */
static bool take_answer(struct peer *p, const char *msg, size_t len)
{
	char error[256] = "";
	int rc = sat_answer_parse(msg, len, error, sizeof(error));
	size_t n;

	if (p->queue.n_batches == 0 || rc == -EBADMSG) {
		lose(p, "answers what is no answer");
		return false;
	}
	n = queue_ack(&p->queue);
	if (rc == -EREMOTEIO)
		refused(p, n, error);
	else
		acknowledged(p, n);
	count_queue(p);
	if (p->queue.n_batches > 0)
		set_alarm(p, p->sender->how.ack_timeout);
	else
		sat_alarm_stop(&p->alarm);
	return true;
}

/* The whole answers that are in. */
static void take_answers(struct peer *p)
{
	size_t at = 0;

	while (p->in.len - at >= 4) {
		const unsigned char *u = (const unsigned char *)p->in.p + at;
		size_t len = (size_t)u[0] << 24 | (size_t)u[1] << 16 | (size_t)u[2] << 8 | u[3];

		if (len > ANSWER_MAX) {
			lose(p, "answers what is no answer");
			return;
		}
		if (p->in.len - at - 4 < len)
			break;
		if (!take_answer(p, p->in.p + at + 4, len))
			return;
		at += 4 + len;
	}
	if (at > 0)
		memmove(p->in.p, p->in.p + at, p->in.len - at);
	p->in.len -= at;
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	static char room[READ_SIZE];

	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(room, sizeof(room));
}

static void take_bytes(struct peer *p, const char *bytes, size_t n)
{
	sat_buf_add(&p->in, bytes, n);
	if (p->in.full) {
		sat_buf_free(&p->in);
		p->in = (struct sat_buf){ .max = ROOM };
		lose(p, "out of memory");
		return;
	}
	take_answers(p);
	send_due(p);
}

static void came(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct peer *p = stream->data;

	if (p->state != UP && p->state != SHAKING)
		return;
	if (n < 0)
		lose(p, n == UV_EOF ? "closed the connection" : strerror((int)-n));
	else if (p->tls != NULL)
		decrypt(p, buf->base, (size_t)n);
	else
		take_bytes(p, buf->base, (size_t)n);
}

/* ---- Sending ------------------------------------------------------------ */

static void written(uv_write_t *req, int status)
{
	struct message *m = (struct message *)req;
	struct peer *p = req->data;

	sat_buf_free(&m->buf);
	free(m);
	if (status < 0 && (p->state == UP || p->state == SHAKING))
		lose(p, strerror(-status));
}

/* Takes m. */
static int write_message(struct peer *p, struct message *m)
{
	uv_buf_t buf = uv_buf_init(m->buf.p, (unsigned)m->buf.len);
	int rc;

	m->req.data = p;
	rc = uv_write(&m->req, (uv_stream_t *)&p->tcp, &buf, 1, written);
	if (rc != 0) {
		sat_buf_free(&m->buf);
		free(m);
	}
	return rc;
}

/* The next message out of the queue; *n events; NULL: no memory. */
static struct message *compose(struct peer *p, size_t *n)
{
	const struct sat_event *evs[BATCH_MAX];
	struct message *m;
	size_t expired;

	*n = queue_take(&p->queue, evs, p->sender->how.batch, sat_clock(), &expired);
	sat_count(p->sender->self, COUNT_EXPIRED, (int64_t)expired);
	if (*n == 0)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (m != NULL) {
		m->buf.max = 2 * QUEUE_BYTES;
		sat_buf_message(&m->buf, evs, *n);
		if (!m->buf.full)
			return m;
		sat_buf_free(&m->buf);
		free(m);
	}
	queue_untake(&p->queue);
	return NULL;
}

/* Frees m where that fails. */
static int encrypt(struct peer *p, struct message *m)
{
	struct sat_buf out = { .max = 3 * QUEUE_BYTES };
	int rc = sat_tls_encrypt(p->tls, m->buf.p, m->buf.len, &out);

	sat_buf_free(&m->buf);
	m->buf = out;
	if (rc != 0) {
		sat_buf_free(&m->buf);
		free(m);
	}
	return rc;
}

static void set_flush(struct peer *p, int64_t after)
{
	if (sat_alarm_set(p->sender->self, &p->flush, sat_clock() + after) != 0)
		p->due = true;		/* with the next one, then */
}

/* false: no more for now. */
static bool send_one(struct peer *p)
{
	size_t n;
	struct message *m = compose(p, &n);
	int rc;

	if (m == NULL) {
		if (n > 0)
			set_flush(p, SAT_SECOND);
		return n == 0;
	}
	rc = p->tls != NULL ? encrypt(p, m) : 0;
	rc = rc == 0 ? write_message(p, m) : rc;
	if (rc != 0) {
		lose(p, strerror(-rc));
		return false;
	}
	sat_count(p->sender->self, COUNT_SENT, (int64_t)n);
	if (p->queue.n_batches == 1)
		set_alarm(p, p->sender->how.ack_timeout);
	return true;
}

static void send_due(struct peer *p)
{
	size_t enough = p->sender->how.batch;

	while (p->state == UP && p->queue.n_batches < DEPTH && queue_waiting(&p->queue) > 0 &&
	       (p->due || queue_waiting(&p->queue) >= enough))
		if (!send_one(p))
			break;
	if (queue_waiting(&p->queue) == 0)
		p->due = false;
	count_queue(p);
	if (p->state == UP && p->draining && p->queue.n == 0)
		leave(p, STOP);
}

static void flush_now(struct sat_alarm *alarm)
{
	struct peer *p = SAT_OWNER(alarm, struct peer, flush);

	p->due = true;
	send_due(p);
}

void peer_put(struct peer *p, const struct sat_event *ev, int64_t until)
{
	size_t gone;

	if (p->state == STOPPED) {
		sat_drop(ev);
		drop(p, 1);
		return;
	}
	gone = queue_put(&p->queue, ev, until);
	if (gone > 0) {
		drop(p, gone);
		if (!p->full)
			sat_log(p->sender->self, LOG_WARNING, "%s: its queue is full; the oldest events go", p->name);
		p->full = true;
	}
	count_queue(p);
	if (p->stuck) {
		p->stuck = false;
		lose(p, "out of memory");
	} else if (p->state == UP && p->draining) {
		p->due = true;
	} else if (p->state == UP && !p->due && queue_waiting(&p->queue) == 1) {
		set_flush(p, p->sender->how.flush);
	}
	send_due(p);
}

/* ---- Connecting --------------------------------------------------------- */

static void be_up(struct peer *p)
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
	return write_message(p, m);
}

static void decrypt(struct peer *p, const char *bytes, size_t n)
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
		be_up(p);
	if (p->state == UP && got > 0)
		take_bytes(p, plain, got);
	if (p->state != UP && p->state != SHAKING)
		return;
	if (rc != 0 || sent != 0)
		lose(p, rc != 0 ? why : strerror(-sent));
}

/* The alarm of the connection goes on. */
static void shake_hands(struct peer *p)
{
	p->tls = sat_tls_open(p->sender->how.tls, p->host);
	p->state = SHAKING;
	if (p->tls != NULL)
		decrypt(p, "", 0);
	else
		lose(p, "out of memory");
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
			leave(p, NEXT_ADDRESS);
		else
			lose(p, strerror(-rc));
		return;
	}
	uv_tcp_nodelay(&p->tcp, 1);
	uv_tcp_keepalive(&p->tcp, 1, 60);
	if (p->sender->how.tls != NULL)
		shake_hands(p);
	else
		be_up(p);
}

static void connect_next(struct peer *p)
{
	const struct sockaddr *addr = (const struct sockaddr *)&p->addrs[p->next_addr++];
	int rc;

	p->state = CONNECTING;
	uv_tcp_init(sat_loop(p->sender->self), &p->tcp);
	p->tcp.data = p->connect.data = p;
	p->open = true;
	set_alarm(p, p->sender->how.connect_timeout);
	rc = uv_tcp_connect(&p->connect, &p->tcp, addr, connected);
	if (rc == 0)
		return;
	if (p->next_addr < p->n_addrs)
		leave(p, NEXT_ADDRESS);
	else
		lose(p, strerror(-rc));
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
			lose(p, status != 0 ? uv_strerror(status) : "has no address");
	}
	uv_freeaddrinfo(list);
}

static void look_up(struct peer *p)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct lookup *l = calloc(1, sizeof(*l));
	char port[8];
	int rc = UV_ENOMEM;

	p->state = RESOLVING;
	set_alarm(p, p->sender->how.connect_timeout);
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
	lose(p, uv_strerror(rc));
}

/* A literal address needs no thread. */
static void attempt(struct peer *p)
{
	if (p->connections > 0 || p->away)
		sat_count(p->sender->self, COUNT_RECONNECTS, 1);
	p->n_addrs = 1;
	p->next_addr = 0;
	if (uv_ip4_addr(p->host, p->port, (struct sockaddr_in *)&p->addrs[0]) == 0 ||
	    uv_ip6_addr(p->host, p->port, (struct sockaddr_in6 *)&p->addrs[0]) == 0)
		connect_next(p);
	else
		look_up(p);
}

static void rang(struct sat_alarm *alarm)
{
	struct peer *p = SAT_OWNER(alarm, struct peer, alarm);

	switch (p->state) {
	case WAITING:
		attempt(p);
		break;
	case RESOLVING:
		lose(p, "its name is not resolved in time");
		break;
	case CONNECTING:
		if (p->next_addr < p->n_addrs)
			leave(p, NEXT_ADDRESS);
		else
			lose(p, strerror(ETIMEDOUT));
		break;
	case SHAKING:
		lose(p, "TLS: the handshake takes too long");
		break;
	case UP:
		lose(p, "does not answer");
		break;
	default:
		break;
	}
}

/* ---- Its life ----------------------------------------------------------- */

struct peer *peer_new(struct sender *s, const char *name, const char **why)
{
	struct peer *p = calloc(1, sizeof(*p));

	*why = NULL;
	if (p == NULL)
		return NULL;
	p->port = s->how.tls != NULL ? TLS_PORT : TCP_PORT;
	*why = address_split(name, p->host, sizeof(p->host), &p->port);
	if (*why != NULL) {
		free(p);
		return NULL;
	}
	snprintf(p->name, sizeof(p->name), strchr(p->host, ':') != NULL ? "[%s]:%d" : "%s:%d", p->host, p->port);
	p->sender = s;
	p->alarm.fire = rang;
	p->flush.fire = flush_now;
	p->in.max = ROOM;
	p->queue.max = s->how.queue;
	p->queue.max_bytes = QUEUE_BYTES;
	p->queue.self = s->self;
	p->backoff = SOONEST;
	return p;
}

const char *peer_name(const struct peer *p)
{
	return p->name;
}

void peer_start(struct peer *p)
{
	attempt(p);
}

void peer_drain(struct peer *p)
{
	p->draining = true;
	if (p->queue.n == 0) {
		leave(p, STOP);
	} else if (p->state == UP) {
		p->due = true;
		send_due(p);
	} else {
		p->last_try = p->state != CLOSING;
		if (p->state == WAITING)
			attempt(p);
	}
}

void peer_give_up(struct peer *p)
{
	if (p->state != STOPPED && (p->state != CLOSING || p->after != STOP))
		leave(p, STOP);
}

void peer_free(struct peer *p)
{
	if (p == NULL)
		return;
	queue_free(&p->queue);
	count_queue(p);
	sat_tls_close(p->tls, NULL);
	sat_buf_free(&p->in);
	free(p);
}

void peer_figures(const struct peer *p, struct sat_figures *out)
{
	const struct sat_attr label = { "master", p->name };

	sat_figure(out, "satellite_forward_master_up", true, "whether it takes events", &label, 1, p->answers);
	sat_figure(out, "satellite_forward_master_queued", true, "events that wait for it", &label, 1,
		   (double)p->queue.n);
	sat_figure(out, "satellite_forward_master_acknowledged", false, "events that it took", &label, 1,
		   (double)p->acknowledged);
	sat_figure(out, "satellite_forward_master_dropped", false, "events it never got", &label, 1,
		   (double)p->dropped);
}
