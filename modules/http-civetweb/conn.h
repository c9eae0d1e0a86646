/* SPDX-License-Identifier: Apache-2.0 */
/* conn - one HTTP request, between the loop, which answers it, and the worker that has its connection. */
#ifndef CONN_H
#define CONN_H

#include <stdatomic.h>

#include <civetweb.h>

#include "gate.h"

#define RING_SIZE	((size_t)256 << 10)

/* What all requests of a server share. */
struct pool {
	struct sat_self *self;
	struct gate *gate;
	_Atomic int streams;
	_Atomic size_t bytes;		/* of long answers */
	_Atomic bool stopping;
	struct sat_log_limit wrong;
};

enum conn_state {
	CONN_WAITS,		/* for the loop's answer */
	CONN_ANSWERED,
	CONN_STREAMS,
	CONN_ENDS,		/* the host ended it: write what is left */
	CONN_BROKEN,		/* the client is gone */
};

/* One request; guarded by lock as soon as the host knows it. */
struct conn {
	struct pool *pool;
	struct mg_connection *mg;
	void *req;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum conn_state state;
	bool websocket, wants_room;
	bool chunked;		/* a stream whose length nobody knows */
	bool placed;		/* it counts as one of the streams */
	size_t counted;		/* among the pool's bytes */
	char peer[GATE_PEER];	/* who asks */
	uint64_t pass;		/* by which the gate knows it */
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

/* conn.c */
/* -EACCES: this connection did not come through the gate. */
int conn_init(struct conn *c, struct mg_connection *mg, bool websocket);
void conn_free(struct conn *c);
/* Under the lock. */
void conn_set_state(struct conn *c, enum conn_state state);
void conn_end_stream(struct conn *c, unsigned code);	/* what is in the ring still goes */
void conn_take(struct conn *c, void *p, size_t n);	/* out of the ring */
/* A WebSocket's frame, whole or not at all, so that others fit between. */
bool conn_add_frame(struct conn *c, unsigned opcode, const void *p, size_t n);

/* The loop's side, as struct sat_http_server has it. */
void conn_reply(void *conn, int status, const char *type, const void *body, size_t len,
		const char *const *extra);
int conn_begin(void *conn, int status, const char *type, const char *const *extra, uint64_t length);
int conn_send(void *conn, const void *p, size_t len);
void conn_end(void *conn);

/* write.c: a worker's side. */
void write_answer(struct conn *c);
void write_error(struct mg_connection *mg, int status, const char *why);
void write_whole_stream(struct conn *c);	/* its head, and all of it until its end */
bool write_stream(struct conn *c);	/* false: the client is gone, or might as well be */

/* serve.c, called by a worker. */
int serve_request(struct mg_connection *mg);	/* 0: it is for the WebSocket's handlers */
/* Hand it to the host and wait; what it became, or -errno: the host took nothing. */
int serve_ask(struct conn *c, const struct sat_buf *body);

/* websocket.c, likewise. */
int websocket_connect(const struct mg_connection *mg, void *unused);
void websocket_ready(struct mg_connection *mg, void *unused);
int websocket_data(struct mg_connection *mg, int bits, char *data, size_t len, void *unused);
void websocket_close(const struct mg_connection *mg, void *unused);
void websocket_gone(const struct mg_connection *mg);	/* after any connection */

#endif
