/* SPDX-License-Identifier: Apache-2.0 */
/* http - an HTTP/1.1 server that can also misbehave. */
#ifndef SIM_HTTP_H
#define SIM_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "buf.h"

struct http_server;

/* One request; alive until it has been answered or its connection is gone. */
struct http_request {
	const char *method, *target, *path, *query;	/* path: decoded */
	const char *authorization, *accept, *content_type;	/* or "" */
	const char *body;		/* NUL-terminated */
	size_t body_len;
	void *data;			/* what http_listen() was given */
	uint64_t *bytes;		/* counts what is sent, if not NULL */
	bool again;			/* it was given to the handler before, */
	bool called;			/* and is known to be a call of the v1 API */
};

/* A body that is made while it is sent.  next() adds some of it to out. */
enum http_next {
	HTTP_MORE,	/* call again once this is sent */
	HTTP_WAIT,	/* call again after http_wake() */
	HTTP_END,
};

struct http_source {
	enum http_next (*next)(void *state, struct buf *out);
	void (*free)(void *state);	/* always called, once */
	void *state;
};

typedef void http_handler(struct http_request *req);

/* Listen on 127.0.0.1; port 0 picks one.  0 or -errno. */
int http_listen(struct http_server **server, uv_loop_t *loop, int port,
		http_handler *handler, void *data);
int http_port(const struct http_server *server);
/* Refuse connections and drop those there are; take them again. */
void http_down(struct http_server *server);
int http_up(struct http_server *server);
/* Close all and free the server once its handles are closed. */
void http_close(struct http_server *server);

/* Each request is answered by exactly one of these.  `headers` are whole
 * lines with \r\n, or NULL. */
void http_reply(struct http_request *req, int status, const char *headers,
		const char *type, const void *body, size_t len);
void http_reply_source(struct http_request *req, int status, const char *type,
		       struct http_source source);
void http_reply_close(struct http_request *req);	/* hang up */

/* Before answering: send only half of the answer, then hang up. */
void http_truncate(struct http_request *req);
/* The same, but then say nothing more. */
void http_stall(struct http_request *req);
/* Call handler(req) after so long. */
void http_later(struct http_request *req, uint64_t ms, http_handler *handler);
/* Give it to the server's handler again, after so long. */
void http_again(struct http_request *req, uint64_t ms);
/* The source of this request has something new. */
void http_wake(struct http_request *req);

#endif
