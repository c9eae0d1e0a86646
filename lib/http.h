/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http - the route table, and a request from whatever door it came: a module's
 * HTTP server on its own threads, or the control socket on the loop.
 */
#ifndef HTTP_H
#define HTTP_H

#include "self.h"

/* All routes and commands of an instance come and go together.  A later one
 * goes before an earlier one of the same module, so that a reload can add first. */
int http_add(struct sat_self *self);
int http_add_tables(struct sat_self *self, const struct sat_route *const *routes,
		    const struct sat_command *const *commands);
void http_remove(struct sat_self *self);	/* requests under way are answered 503 */
int http_init(void);		/* with the host's own routes: routes.h */
void http_end(void);		/* answers all that wait with 503 */

/* [loop] A request of a door on the loop: as sat_http_request(), with the door's vtable. */
int http_request(const struct sat_http_server *door, void *conn, const struct sat_http_head *head,
		 void **req);

/* Every instance that was added, the host's own first. */
void http_each(void (*fn)(void *arg, struct sat_self *self), void *arg);
/* The same for who looks now and then: instances have numbers, in the order they came, that none has again. */
uint64_t http_last(void);			/* that was given */
uint64_t http_after(uint64_t number);		/* the next there is; 0: none */
struct sat_self *http_at(uint64_t number);	/* NULL: it went */
/* Every command there is. */
void http_each_command(void (*fn)(void *arg, const struct sat_command *c), void *arg);
/* Hand req over to the command of this name; -ENOENT: there is none. */
int http_run(struct sat_request *req, const char *name, int argc, const char *const *argv);

/* What /readyz says: each part that is not ready gives a reason; NULL: it is. */
void http_ready(const char *part, const char *reason);
/* Each part that is not ready; how many there are.  fn NULL is fine. */
size_t http_each_unready(void (*fn)(void *arg, const char *part, const char *reason), void *arg);

/* Who takes sat_figure(): handed to a module's figures(). */
struct sat_figures {
	void (*figure)(void *arg, const char *name, bool gauge, const char *help,
		       const struct sat_attr *labels, uint32_t n, double value);
	void *arg;
};

#endif
