/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door - what the files of the door for Riemann's clients share.
 *
 * All connections read into one buffer, in which whole frames are decoded and run
 * where they lie; a connection has memory of its own, reserved before, only while a
 * frame is not whole or answers wait to be taken.  One that does not take its answers
 * is not read from, nor one for whose frame there is no room.  One that made a mistake
 * is told of it, and for a moment what it still writes is read and dropped.  TLS lies
 * between: what comes is decrypted into that buffer, and answers are encrypted before
 * they go.
 */
#ifndef DOOR_H
#define DOOR_H

#include <uv.h>

#include <satellite/module.h>

#define READ_SIZE	((size_t)256 * 1024)
#define ANSWERS_ENOUGH	((size_t)1024 * 1024)	/* then they must be taken first */
#define ANSWERS_MAX	((size_t)1024 * 1024 * 1024)

enum count {
	CONNECTIONS, ACCEPTED, MESSAGES, BYTES, MALFORMED, TOO_LARGE, REFUSED, TIMED_OUT,
	DATAGRAMS, UDP_DROPPED, TLS_ACCEPTED, TLS_FAILED, WAITING, PAUSED, UNTAKEN,
};

/* What may be said of those outside: some lines, then how many more there were. */
#define log_limited(self, limit, ...) do { \
	if (sat_log_allowed(self, limit, 5, 10 * SAT_SECOND)) \
		sat_log(self, LOG_WARNING, __VA_ARGS__); \
} while (0)
#define log_some(d, ...) log_limited((d)->self, &(d)->said, __VA_ARGS__)

struct list { struct link *first, *last; };
struct link {			/* zeroed: in no list */
	struct link *next, *prev;
	struct list *list;
	uint64_t since;		/* uv_now() */
};
void link_up(struct link *l, struct list *list, uint64_t now);	/* at its end, and nowhere else */
void link_leave(struct link *l);				/* fine where it is in none */

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
	uint64_t idle_ms, stall_ms, frame_ms;
	uv_timer_t timer, again, leave;	/* again: there may be room; leave: of the first that is leaving */
	unsigned handles;		/* open ones: listeners, these three, connections, and UDP's */
	bool started, stopping;
	/* By `at`, the one that was silent longest first. */
	struct list idle, busy;		/* busy: amid a frame, or answers wait */
	struct list shaking;		/* hands: not secure yet, the oldest first */
	struct list asking;		/* they wait for us */
	struct list leaving;		/* they have been told of their mistake, the oldest first */
	/* By `frame`, which has begun to come. */
	struct list begun;		/* and has room, the oldest first */
	struct list small, large;	/* wait for room */
	int64_t n_waiting;
	struct sat_buf out;		/* answers to what is being read */
	struct sat_log_limit said;
	struct udp *udp;		/* NULL: none */
	struct tls *tls;		/* NULL: none */
	char in[READ_SIZE + 1];		/* a byte more, since a message's end is written to */
};

void door_let_go(struct door *d);		/* of a handle; the last one's end is the door's */
void door_empty(struct door *d);		/* its last connection is gone */

/* ---- Listeners ---------------------------------------------------------- */

int listener_start(struct listener *l);
void listener_unstart(struct listener *l);	/* what was started with it failed */
void listener_tick(struct listener *l);		/* once a second */
void listener_stop(struct listener *l);

/* ---- Connections -------------------------------------------------------- */

struct conn {
	uv_tcp_t tcp;			/* first: a handle's data is the door */
	struct link at;			/* since: the last progress */
	struct link frame;
	char *part;			/* what was read of a frame, or waits to be run */
	uint32_t len, size;
	uint32_t held, need;		/* bytes reserved, or asked for, for all of it; that may come while it leaves */
	struct sat_asked *asked;	/* its query, while that is looked up */
	bool running;			/* its message is */
	uint8_t writing;		/* answers that wait to be taken: two where one came later */
	bool ending, closing;		/* ending: closed once its answers are out */
	bool wrong;			/* and once its client could read the last one, which told of a mistake */
	struct sat_tls_conn *tls;	/* NULL: plain */
};

void conn_open(struct door *d, int fd, bool tls);	/* takes fd */
void conn_close(struct conn *c);
/* No more is read; what has been answered goes out first. */
void conn_end(struct conn *c);
/* The same after a mistake of the client's, which may still be writing and should read of it. */
void conn_refuse(struct conn *c);
/* It has just made progress: to the end of its list. */
void conn_settle(struct conn *c);
/* What had to wait is over: on with the frames that came meanwhile. */
void conn_go_on(struct conn *c);
void conn_read_on(struct conn *c);		/* unless something still waits */
void conn_late(struct conn *c);			/* its frame is; close it */
void conn_heard(uv_stream_t *s, ssize_t n, const uv_buf_t *buf);

void conns_tick(struct door *d);		/* once a second */
void conns_end(struct door *d);			/* what they have said is run and answered first */
void conns_close(struct door *d);		/* at once */

const char *conn_peer(const struct conn *c, char *to, size_t size);
#define PEER(c) conn_peer(c, (char[INET6_ADDRSTRLEN + 16]){ 0 }, INET6_ADDRSTRLEN + 16)

/* ---- Frames ------------------------------------------------------------- */

/* Where what comes is to be put; nowhere: out of memory, or it is to be looked at. */
void frames_room(uv_handle_t *h, size_t hint, uv_buf_t *buf);
/* More of a frame that lies in the connection's own memory. */
void frames_add(struct conn *c, size_t n);
/* Run the whole frames of these n bytes (p[n] may be written to), and keep the rest. */
void frames_take(struct conn *c, char *p, size_t n);
/* Keep what is not run yet. */
void frames_keep(struct conn *c, const char *p, size_t n);

/* Look at what the kernel has: whole frames are run, and of others none is taken that has no room. */
void frames_look(struct conn *c);
/* What was kept: the caller's to free. */
char *frames_detach(struct conn *c);

/* ---- Room --------------------------------------------------------------- */

int room_reserve(struct door *d, size_t n);	/* as sat_reserve() */
void room_release(struct door *d, size_t n);
/* The frame or frames at hand need n bytes.  -ENOBUFS: it waits now, and is not read from;
 * -EMSGSIZE: so much there never is. */
int room_ask(struct conn *c, size_t n);
void room_leave(struct conn *c);		/* wait no more */
void room_give(struct conn *c);			/* and give back what it has */
bool room_waits(const struct conn *c);

/* ---- Answers ------------------------------------------------------------ */

/* An answer of the host's: now, or later. */
void answer(void *arg, const void *p, size_t n);
/* Msg { ok: false, error }; the words are ours, and short. */
void answer_error(struct door *d, const char *fmt, ...) SAT_PRINTF(2);
/* Those that lie in the door's buffer go to this connection. */
void answers_flush(struct conn *c);

/* ---- TLS: between a connection and its socket --------------------------- */

#define TLS_READ ((size_t)128 * 1024)

struct tls {
	struct sat_tls *keys;
	const char *host;
	int port;
	bool verify;
	uint64_t handshake_ms;
	struct sat_buf out;	/* for the socket of the connection at hand */
	char in[TLS_READ];	/* from it */
};
extern const struct sat_option *const tls_options[];
/* *out stays NULL where there is no such group. */
int tls_create(struct sat_self *self, const struct sat_conf *conf, struct tls **out);
void tls_free(struct tls *t);	/* NULL is fine */
void tls_room(uv_handle_t *h, size_t hint, uv_buf_t *buf);
void tls_heard(uv_stream_t *s, ssize_t n, const uv_buf_t *buf);
/* n bytes of the socket lie in the buffer of TLS. */
void tls_decrypt(struct conn *c, size_t n);
/* Answers become what goes to the socket, behind what TLS has to say by itself. */
bool tls_seal(struct conn *c);
/* Tell the other side that this is the end, if that is possible at once. */
void tls_end(struct conn *c);
void tls_tick(struct door *d);	/* close those whose handshake takes too long */

/* ---- UDP: a message a datagram, and no answer --------------------------- */

struct udp;
/* *out stays NULL where the setting is false. */
int udp_create(struct sat_self *self, const struct sat_conf *conf, struct sat_log_limit *said,
	       struct udp **out);
/* These take NULL, too. */
int udp_open(struct udp *u);
int udp_start(struct udp *u);
void udp_unstart(struct udp *u);	/* what was started with it failed */
void udp_tick(struct udp *u);		/* once a second */
void udp_stop(struct udp *u, void (*stopped)(void *arg), void *arg);	/* after a start */
void udp_free(struct udp *u);

#endif
