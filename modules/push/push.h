/* SPDX-License-Identifier: Apache-2.0 */
/* push - events over HTTP as they come: the parts of the module. */
#ifndef PUSH_H
#define PUSH_H

#include <satellite/module.h>

enum push_count { WATCHERS, SENT, SLOW, TOO_LONG, RECEIVED, REFUSED };

/* How a watcher gets events. */
enum push_form { FORM_WEBSOCKET, FORM_SSE, FORM_LINES, FORMS };

struct watch;
struct push {
	struct sat_self *self;
	size_t queue_max;		/* bytes that may wait for a watcher */
	int64_t max;			/* watchers */
	struct watch *watches;
	int64_t n;
	struct sat_buf text[FORMS];	/* the event under way */
	bool formed[FORMS];
	struct sat_alarm beat;
	bool posted, stopping;		/* posted: a turn is to come */
};

/* Take a watcher in: what the index has by now, then, with follow, what comes.
 * Takes query.  -errno: not begun, req waits for its answer. */
int watch_begin(struct push *p, struct sat_request *req, enum push_form form,
		struct sat_query *query, bool follow);
void watch_heard(void *state, const char *topic, const struct sat_item *item);
int watch_beat(struct push *p);		/* from now on, so that those who went away are found */
void watch_end_all(struct push *p);

/* One event in JSON through the streams.  -errno: error says why. */
int events_take(struct push *p, const char *json, size_t len, char *error, size_t size);
int events_socket(void *state, struct sat_request *req);
int events_lines(void *state, struct sat_request *req);

int command_send(void *state, struct sat_request *req, int argc, const char *const *argv);
int command_watch(void *state, struct sat_request *req, int argc, const char *const *argv);

#endif
