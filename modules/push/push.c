/* SPDX-License-Identifier: Apache-2.0 */
/* push - events over HTTP as they come: WebSocket and SSE, as Riemann's dashboard wants them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "push.h"

static const struct sat_counter *const counters[] = {
	[WATCHERS] = SAT_COUNTER("watchers", .gauge = true, .help = "clients that follow the index"),
	[SENT] = SAT_COUNTER("sent", .help = "events sent to them"),
	[SLOW] = SAT_COUNTER("slow", .help = "clients that were let go, since too much waited for them"),
	[TOO_LONG] = SAT_COUNTER("too-long", .help = "events not sent, since one alone is too long"),
	[RECEIVED] = SAT_COUNTER("received", .help = "events taken from /events and satellite send"),
	[REFUSED] = SAT_COUNTER("refused", .help = "events not taken: malformed, or a stream failed"),
	NULL
};

static const struct sat_option *const options[] = {
	SAT_OPTION("max-watchers", SAT_INTEGER, .fallback = "256", .min = 1, .max = 100000,
		   .help = "clients that may follow the index"),
	SAT_OPTION("queue", SAT_INTEGER, .fallback = "8388608", .min = 4096, .max = 1 << 30,
		   .help = "bytes that may wait for one of them; it is let go beyond"),
	NULL
};

static int get_index(void *state, struct sat_request *req)
{
	const char *text = sat_request_query(req, "query"), *subscribe = sat_request_query(req, "subscribe");
	bool socket = sat_request_websocket(req);
	char error[256] = "";
	struct sat_query *q = sat_query_parse(text != NULL ? text : "true", error, sizeof(error));

	if (q == NULL) {
		sat_reply_error(req, 400, "query: %s", error);
		return 0;
	}
	return watch_begin(state, req, socket ? FORM_WEBSOCKET : FORM_SSE, q,
			   !socket || (subscribe != NULL && strcmp(subscribe, "true") == 0));
}

static const struct sat_route *const routes[] = {
	SAT_ROUTE("GET", "/index", SAT_READ, get_index, .flags = SAT_WEBSOCKET | SAT_SSE),
	SAT_ROUTE("GET", "/events", SAT_OPERATE, events_socket, .flags = SAT_WEBSOCKET),
	SAT_ROUTE("PUT", "/events", SAT_OPERATE, events_lines),
	SAT_ROUTE("POST", "/events", SAT_OPERATE, events_lines),
	NULL
};

static const struct sat_command *const commands[] = {
	&(const struct sat_command){ .size = sizeof(struct sat_command), .name = "send",
		.usage = "send --service S [--FIELD V]... | JSON", .summary = "put an event into the streams",
		.role = SAT_OPERATE, .run = command_send },
	&(const struct sat_command){ .size = sizeof(struct sat_command), .name = "watch",
		.usage = "watch QUERY", .summary = "the latest events that match, and each update as it comes",
		.role = SAT_READ, .run = command_watch },
	NULL
};

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct push *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->self = self;
	p->max = sat_conf_integer(conf, "max-watchers");
	p->queue_max = (size_t)sat_conf_integer(conf, "queue");
	*state = p;
	return 0;
}

static int start(void *state)
{
	struct push *p = state;
	int rc = watch_beat(p);

	if (rc == 0)
		rc = sat_subscribe(p->self, "index", watch_heard);
	if (rc != 0)
		sat_alarm_stop(&p->beat);
	return rc;
}

static void stop(void *state)
{
	struct push *p = state;

	p->stopping = true;
	sat_alarm_stop(&p->beat);
	watch_end_all(p);
	if (!p->posted)
		sat_stopped(p->self);
}

static void destroy(void *state)
{
	struct push *p = state;

	for (int i = 0; i < FORMS; i++)
		sat_buf_free(&p->text[i]);
	free(p);
}

SAT_MODULE(push,
	.name = "push", .version = SAT_VERSION, .summary = "events over HTTP as they come, out and in",
	.options = options, .create = create, .start = start, .stop = stop, .destroy = destroy,
	.routes = routes, .commands = commands, .counters = counters);
