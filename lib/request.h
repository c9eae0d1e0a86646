/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request - one HTTP request from its arrival, on any thread, to its answer on
 * the loop: a copy of what was asked, and whom to answer.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "self.h"
#include "uri.h"

enum request_state {
	REQUEST_WAITS,		/* for its one answer */
	REQUEST_LEFT,		/* answered in its owner's place, who may not know and still holds it */
	REQUEST_STREAMS,
	REQUEST_ENDS,		/* a stream that was ended; the door's last word is to come */
	REQUEST_DONE,
};

struct request_message { struct request_message *next; size_t len; char text[]; };

struct sat_request {
	struct sat_request *next, **link;	/* all there are */
	enum request_state state;
	bool busy;			/* in its route: not to be freed */
	bool is_command;
	bool leaving;			/* it is being answered in its owner's place */
	const struct sat_http_server *door;
	void *conn;
	struct sat_self *server;	/* through whom it came */
	struct sat_self *owner;		/* who is to answer; NULL: the host */
	const struct sat_stream *cb;
	struct sat_stream cb_copy;
	void *arg;
	struct sat_buf tail;		/* the last of a stream that has no room */

	/* What was asked. */
	const char *method, *path, *peer;
	const char *bad;		/* why it makes no sense; NULL: it does */
	bool whole;			/* OPTIONS of "*": all paths at once */
	struct sat_attr *headers;
	uint32_t n_headers;
	const char *segments[URI_SEGMENTS];
	int n_segments;
	struct uri_param *params;
	int n_params;
	const char *pattern, *parts[URI_SEGMENTS];	/* of its route */
	char *body;
	size_t body_len, bytes;
	bool websocket, head_only;

	/* What other threads said; guarded by request.c's lock. */
	struct sat_request *next_mail;
	unsigned mail;
	bool gone;			/* the door's last word is said: conn is no more */
	struct request_message *messages, **last_message;
	size_t n_messages;
};

/* dispatch: what to do with a new one, on the loop. */
void request_init(void (*dispatch)(struct sat_request *req));
/* [any thread] Copy, and post to the loop; *out is the handle for the door. */
int request_post(struct sat_self *server, const struct sat_http_server *door, void *conn,
		 const struct sat_http_head *head, struct sat_request **out);
/* Answer 503, or end the stream and tell its owner now: `going` goes.  NULL: everyone does. */
void request_abandon(const struct sat_self *going);
void request_forget(const struct sat_self *owner);	/* which is gone: free what was left with it */
void request_finish(struct sat_request *req);	/* it is answered */
int request_send(struct sat_request *req, const void *p, size_t len);	/* as sat_stream_send() */
void request_end_stream(struct sat_request *req);
void request_release(struct sat_request *req);	/* out of its route: free it if it is done */
size_t request_count(void);			/* [any thread] */

#endif
