/* SPDX-License-Identifier: Apache-2.0 */
/* masters - a sender beside masters that answer as they are told. */
#ifndef MASTERS_H
#define MASTERS_H

#include <arpa/inet.h>

#include "wire.h"
#include "unit/bed.h"
#include "../../modules/forward/forward.h"

extern const struct sat_module sat_module_forward;

/* ---- A master that answers as it is told -------------------------------- */

enum manner { ACKS, SILENT, REFUSES, HANGS_UP, BABBLES };

static struct master {
	uv_tcp_t door, conn;
	bool open, knocks;	/* conn is; and the next one waits for its end */
	bool secure;		/* by that kind of TLS */
	unsigned said;		/* of "hi" */
	enum manner manner;
	int port, messages, connections;
	size_t events;
	struct sat_buf in;
} masters[2];

static void (*heard_event)(const struct sat_event *ev);		/* by any of them; NULL is fine */

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	static char room[65536];

	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(room, sizeof(room));
}

static void let_in(struct master *m);

static void conn_closed(uv_handle_t *handle)
{
	struct master *m = handle->data;

	m->open = false;
	if (m->knocks && !uv_is_closing((uv_handle_t *)&m->door))
		let_in(m);
}

static void hang_up(struct master *m)
{
	if (m->open && !uv_is_closing((uv_handle_t *)&m->conn))
		uv_close((uv_handle_t *)&m->conn, conn_closed);
}

static void answer(struct master *m)
{
	struct sat_buf b = { 0 };
	uv_buf_t buf;

	if (m->manner == SILENT)
		return;
	if (m->manner == HANGS_UP) {
		hang_up(m);
		return;
	}
	if (m->manner == REFUSES)
		wire_error(&b, "no");
	else if (m->manner == BABBLES)
		sat_buf_add(&b, "\xff\xff\xff\xff", 4);
	else
		wire_ok(&b);
	for (size_t i = 0; i < b.len; i++)
		b.p[i] = (char)(b.p[i] ^ (m->secure ? 0x55 : 0));
	buf = uv_buf_init(b.p, (unsigned)b.len);
	uv_try_write((uv_stream_t *)&m->conn, &buf, 1);
	sat_buf_free(&b);
}

/* The first two bytes are a greeting; how many of these n. */
static size_t greet(struct master *m, size_t n)
{
	uv_buf_t hi = uv_buf_init((char *)(m->manner == BABBLES ? "ha" : "hi"), 2);
	size_t of_it = n < 2 - m->said ? n : 2 - m->said;

	if (of_it > 0 && (m->said += (unsigned)of_it) == 2 && m->manner != SILENT)
		uv_try_write((uv_stream_t *)&m->conn, &hi, 1);
	return of_it;
}

static void take(struct master *m, char *msg, size_t len)
{
	struct arena arena = { 0 };
	struct wire_msg out;
	char *copy = malloc(len + 1);

	if (copy != NULL)
		memcpy(copy, msg, len);
	if (copy != NULL && wire_decode((uint8_t *)copy, len, &arena, &out) == 0) {
		m->messages++;
		m->events += out.n;
		for (uint32_t i = 0; heard_event != NULL && i < out.n; i++)
			heard_event(&out.events[i].pub);
		answer(m);
	} else {
		hang_up(m);
	}
	arena_free(&arena);
	free(copy);
}

static void came(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct master *m = stream->data;
	char *bytes = buf->base;
	uint32_t len;
	size_t at = 0;

	if (n < 0) {
		hang_up(m);
		return;
	}
	if (m->secure) {
		size_t skip = greet(m, (size_t)n);

		bytes += skip;
		n -= (ssize_t)skip;
		for (ssize_t i = 0; i < n; i++)
			bytes[i] ^= 0x55;
	}
	sat_buf_add(&m->in, bytes, (size_t)n);
	if (m->in.full)
		hang_up(m);
	while (m->in.len - at >= 4) {
		memcpy(&len, m->in.p + at, 4);
		len = ntohl(len);
		if (m->in.len - at - 4 < len)
			break;
		take(m, m->in.p + at + 4, len);
		at += 4 + len;
	}
	m->in.len -= at;
	if (at > 0)
		memmove(m->in.p, m->in.p + at, m->in.len);
}

static void let_in(struct master *m)
{
	m->knocks = false;
	uv_tcp_init(&bed.loop, &m->conn);
	m->conn.data = m;
	m->open = true;
	m->in.len = 0;
	m->said = 0;
	m->connections++;
	assert_int_equal(uv_accept((uv_stream_t *)&m->door, (uv_stream_t *)&m->conn), 0);
	uv_read_start((uv_stream_t *)&m->conn, give_room, came);
}

static void knocked(uv_stream_t *door, int status)
{
	struct master *m = door->data;

	assert_int_equal(status, 0);
	m->knocks = true;
	if (m->open)
		hang_up(m);
	else
		let_in(m);
}

static int next_port;	/* of the next master; 0: any */
static bool v6;		/* masters are at ::1, and senders go there */

static void loopback(struct sockaddr_storage *addr, int port)
{
	if (v6)
		uv_ip6_addr("::1", port, (struct sockaddr_in6 *)addr);
	else
		uv_ip4_addr("127.0.0.1", port, (struct sockaddr_in *)addr);
}

static int port_of(const struct sockaddr_storage *addr)
{
	return ntohs(v6 ? ((const struct sockaddr_in6 *)addr)->sin6_port : ((const struct sockaddr_in *)addr)->sin_port);
}

static void master_up(struct master *m, enum manner manner)
{
	struct sockaddr_storage addr;
	int len = sizeof(addr);

	memset(m, 0, sizeof(*m));
	m->manner = manner;
	uv_tcp_init(&bed.loop, &m->door);
	m->door.data = m;
	loopback(&addr, next_port);
	assert_int_equal(uv_tcp_bind(&m->door, (struct sockaddr *)&addr, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&m->door, 16, knocked), 0);
	uv_tcp_getsockname(&m->door, (struct sockaddr *)&addr, &len);
	m->port = port_of(&addr);
}

static void master_down(struct master *m)
{
	hang_up(m);
	uv_close((uv_handle_t *)&m->door, NULL);
	bed_run_for(1);
	sat_buf_free(&m->in);
}

/* ---- The sender --------------------------------------------------------- */

static struct sender *sender;

static struct settings how = { .queue = 1000, .batch = 10, .flush = 10 * SAT_MS, .connect_timeout = SAT_SECOND,
			       .ack_timeout = SAT_SECOND };

static inline int up(void **unused)
{
	(void)unused;
	bed_up(&sat_module_forward);
	return 0;
}

static inline int down(void **unused)
{
	(void)unused;
	bed_down();
	return 0;
}

static int keep_events(void)
{
	int rc = 0;

	for (size_t i = 0; i < sender->n && how.spool != NULL && rc == 0; i++)
		rc = peer_keep(sender->peers[i], (struct place){ .n = 1 });
	return rc;
}

static void sender_up(int first, int second)
{
	char names[2][32];
	const char *list[3] = { names[0], NULL, NULL };
	int rc;

	snprintf(names[0], sizeof(names[0]), v6 ? "[::1]:%d" : "127.0.0.1:%d", first);
	snprintf(names[1], sizeof(names[1]), v6 ? "[::1]:%d" : "127.0.0.1:%d", second);
	list[1] = second != 0 ? names[1] : NULL;
	sender = sender_new(&bed.self, &how, list, NULL, NULL, &rc);
	assert_non_null(sender);
	assert_int_equal(keep_events(), 0);
	sender_start(sender);
}

static int64_t counted(unsigned which)
{
	return sat_counted(&bed.self, which);
}

/* Whatever happened: each event has come to one end, or still waits. */
static void counts_add_up(void)
{
	assert_int_equal(counted(COUNT_TAKEN) + counted(COUNT_RESTORED), counted(COUNT_ACKNOWLEDGED) + counted(COUNT_REFUSED) +
			 counted(COUNT_UNANSWERED) + counted(COUNT_DROPPED) + counted(COUNT_EXPIRED) +
			 counted(COUNT_QUEUED));
}

static inline void sender_down(void)
{
	bool done = false;

	counts_add_up();
	sender_stop(sender, bed_done, &done);
	bed_run(&done);
	sender_free(sender);
	assert_int_equal(counted(COUNT_QUEUED), 0);
	counts_add_up();
}

static const char *words;	/* of the events that are put */

static inline void put_one(const char *state, double ttl)
{
	struct event *ev = event_copy(&(struct sat_event){ .size = sizeof(struct sat_event), .host = "h",
							   .state = state, .description = words,
							   .has = SAT_HAS_TTL, .ttl = ttl });

	if (ev == NULL)
		return;
	sender_put(sender, &ev->pub);
	sat_drop(&ev->pub);
}

static inline void put(int n, double ttl)
{
	for (int i = 0; i < n; i++)
		put_one("ok", ttl);
}

/* Within a minute: a master that was away for long is tried again late. */
static inline void wait_for(const size_t *what, size_t n)
{
	for (int i = 0; i < 6000 && *what < n; i++)
		bed_run_for(10);
	assert_int_equal(*what, n);
}

/* Until no more than these wait, within 5 seconds. */
static inline void wait_till_empty_of(int64_t n)
{
	for (int i = 0; i < 500 && counted(COUNT_QUEUED) > n; i++)
		bed_run_for(10);
	assert_int_equal(counted(COUNT_QUEUED), n);
}

static inline void wait_till_empty(void)
{
	wait_till_empty_of(0);
}

#endif
