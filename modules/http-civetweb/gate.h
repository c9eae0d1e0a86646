/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate - the HTTP port: connections wait here, without a thread, until their request
 * has come whole; then its bytes go to civetweb, and those of the answer back.
 *
 * civetweb listens on 127.0.0.1 for us alone, at a port of its own.
 */
#ifndef GATE_H
#define GATE_H

#include <netinet/in.h>
#include <pthread.h>
#include <uv.h>

#include "frames.h"
#include "head.h"

#define GATE_PASSES	72u			/* requests with civetweb at a time: so many workers */
#define GATE_PEER	((size_t)INET6_ADDRSTRLEN)
#define GATE_READ	((size_t)64 << 10)
#define GATE_OUT	((size_t)256 << 10)	/* of an answer, that its client has not taken */

/* The module's counters, from any of its files. */
enum http_count { STREAMING, STALLED, WRONG, CONNECTIONS, DROPPED, LATE };

enum client_stage {
	CLIENT_ASKS,		/* the request comes */
	CLIENT_WAITS,		/* it is whole; all workers are busy */
	CLIENT_PASSES,		/* civetweb has it */
	CLIENT_LEAVES,		/* the answer is out, or all but */
	CLIENT_CLOSES,
};

/* A connection. */
struct client {
	struct client *next, *prev;	/* the oldest first */
	struct gate *gate;
	enum client_stage stage;
	uv_tcp_t tcp, up;		/* up: to civetweb */
	uv_connect_t connect;
	uv_shutdown_t shut, up_shut;
	bool has_up, up_paused, paused, ended;	/* paused: it is not read; ended: it says no more */
	unsigned handles;		/* open ones */
	int64_t since, active;		/* ms: of its beginning, or of its last word; of what it last took */
	struct sat_buf in;		/* the request */
	struct head head;
	struct chunks chunks;
	size_t out, up_out, held;	/* bytes not taken by it; by civetweb; counted by the gate */
	int pass;			/* of the gate's passes; -1: none */
	char first[12];			/* of the answer */
	unsigned n_first;
	bool websocket, silenced;	/* silenced: what it says is not passed on any more */
	struct frames_way way;
	char peer[GATE_PEER];
};

struct gate {
	struct sat_self *self;
	int fd;				/* listening; -1: not */
	uv_poll_t *poll;		/* on its own, since it may outlive a start that failed */
	uv_timer_t timer;
	struct sockaddr_in inner, source;	/* civetweb's, and where we come from */
	struct client *first, *last;
	size_t n, max, held;		/* connections; bytes of requests and answers */
	unsigned handles;
	bool paused, stopping;
	int64_t stop_at;		/* ms */
	void (*stopped)(void *arg);
	void *arg;
	struct sat_log_limit lines;
	pthread_mutex_t lock;
	/* Guarded by lock.  A pass has another number each time it is taken, while a port comes again. */
	struct { bool taken, over; int port; uint64_t number; char peer[GATE_PEER]; } passes[GATE_PASSES];
	uint64_t number;		/* the last one */
	char in[GATE_READ];
};

/* NULL: out of memory. */
struct gate *gate_new(struct sat_self *self);
void gate_free(struct gate *g);
int gate_listen(struct gate *g, const char *host, int port);
/* inner: civetweb's port, which takes connections from gate_source() alone. */
int gate_start(struct gate *g, int inner);
void gate_source(const struct gate *g, char text[GATE_PEER]);
/* Requests under way have a moment; then stopped() is called. */
void gate_stop(struct gate *g, void (*stopped)(void *arg), void *arg);
/* [any thread] The number of the pass whose connection reaches civetweb from that port, and whose it is;
 * 0: it is none of ours. */
uint64_t gate_knows(struct gate *g, int port, char peer[GATE_PEER]);

/*
 * [any thread] Who has the pass of that number, if it is still taken, has all that it gets: civetweb
 * finds an end there.  (mg_close_connection() from another thread than the worker's closes under
 * its hands, if it does not read yet.)
 */
void gate_hang_up(struct gate *g, uint64_t number);

/* What a connection needs of its gate. */
int64_t gate_now(const struct gate *g);		/* ms */
/* It holds other bytes than before: who holds the most may have to go.  false: it was this one. */
bool gate_hold(struct client *c);
void gate_dropped(struct gate *g);		/* count one, and say so */
bool gate_enter(struct client *c);		/* it gets a pass, or all are taken */
void gate_enters_from(struct client *c, int port);
void gate_leave(struct client *c);		/* gives it back: to the next */
void gate_closed(struct client *c);		/* frees it */

/* client.c; client_pass() and client_hang_up(): pass.c */
int client_new(struct gate *g, int fd);		/* takes fd */
void client_pass(struct client *c);		/* its request, to civetweb, if there is a pass */
void client_close(struct client *c);
void client_refuse(struct client *c, int status, const char *why);
void client_hang_up(struct client *c);		/* civetweb gets no more of it */
void client_look(struct client *c, int64_t now);	/* is it late? */

#endif
