/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http - the route table, and a request from whatever door it came: a module's
 * HTTP server on its own threads, or the control socket on the loop.
 */
#ifndef HTTP_H
#define HTTP_H

#include "self.h"

/* All routes and commands of an instance come and go together. */
int http_add(struct sat_self *self);
void http_remove(struct sat_self *self);	/* requests under way are answered 503 */
/* The host's own: /healthz, /readyz, /index, and what commands need. */
int http_init(void);
void http_end(void);		/* answers all that wait with 503 */

/* [loop] A request of a door on the loop: as sat_http_request(), with the door's vtable. */
int http_request(const struct sat_http_server *door, void *conn, const struct sat_http_head *head, void **req);

/* What /readyz says: each part that is not ready gives a reason; NULL: it is. */
void http_ready(const char *part, const char *reason);

#endif
