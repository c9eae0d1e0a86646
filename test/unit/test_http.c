/* SPDX-License-Identifier: Apache-2.0 */
/* test_http - requests through a door that only writes down what it is told. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <cmocka.h>

#include "client.h"
#include "engine.h"
#include "http.h"
#include "log.h"
#include "query.h"
#include "request.h"
#include "timer.h"
#include "walk.h"
#include "unit/fault.h"
#include "work.h"

static uv_loop_t loop;

/* ---- The door ----------------------------------------------------------- */

struct door {			/* one connection */
	int answers, status, ends, begins, refuse;
	char type[64], text[4096], extra[256];
	size_t len, room;	/* room: how much a stream takes */
	uint64_t length;	/* as a stream begins: of all of it */
	bool no_body;
	void *req;
};

static void note_extra(struct door *d, const char *const *extra)
{
	for (; extra != NULL && *extra != NULL; extra++) {
		strcat(d->extra, *extra);
		strcat(d->extra, "|");
	}
}

static void door_reply(void *conn, int status, const char *type, const void *body, size_t len,
		       const char *const *extra)
{
	struct door *d = conn;

	d->answers++;
	d->status = status;
	d->len = len;
	d->no_body = body == NULL;
	snprintf(d->type, sizeof(d->type), "%s", type != NULL ? type : "");
	if (body != NULL && len < sizeof(d->text))
		memcpy(d->text, body, len);
	note_extra(d, extra);
}

static int door_begin(void *conn, int status, const char *type, const char *const *extra, uint64_t length)
{
	struct door *d = conn;

	if (d->refuse)
		return -EBUSY;
	d->begins++;
	d->status = status;
	d->length = length;
	note_extra(d, extra);
	snprintf(d->type, sizeof(d->type), "%s", type != NULL ? type : "");
	return 0;
}

static int door_send(void *conn, const void *p, size_t len)
{
	struct door *d = conn;

	if (len > d->room)
		return -EAGAIN;
	d->room -= len;
	if (d->len + len < sizeof(d->text))
		memcpy(d->text + d->len, p, len);
	d->len += len;
	return 0;
}

static void door_end(void *conn)
{
	((struct door *)conn)->ends++;
}

static const struct sat_http_server door = {
	.size = sizeof(door), .reply = door_reply, .begin = door_begin, .send = door_send, .end = door_end,
};

static void turn(void)
{
	for (int i = 0; i < 20; i++) {
		walk_turn();
		uv_run(&loop, UV_RUN_NOWAIT);
	}
}

static int post(struct door *d, const char *method, const char *path, const char *query, const char *body)
{
	const struct sat_attr headers[] = { { "X-Test", "yes" } };
	const struct sat_http_head head = {
		.size = sizeof(head), .method = method, .path = path, .query = query, .peer = "uid:me",
		.headers = headers, .n_headers = 1, .body = body, .body_len = body != NULL ? strlen(body) : 0,
	};

	memset(d, 0, sizeof(*d));
	d->room = sizeof(d->text);
	return http_request(&door, d, &head, &d->req);
}

static void ask(struct door *d, const char *method, const char *path, const char *query, const char *body)
{
	assert_int_equal(post(d, method, path, query, body), 0);
	turn();
}

/* ---- A module ----------------------------------------------------------- */

static struct sat_request *kept;
static int closed, rooms, messages;
static char heard[64];
static int fails;

static int echo(void *state, struct sat_request *req)
{
	struct sat_buf b = { 0 };
	size_t len;
	const char *body = sat_request_body(req, &len), *q = sat_request_query(req, "q");

	(void)state;
	if (fails != 0)
		return fails;
	sat_buf_printf(&b, "%s %s host=%s event=%s q=%s test=%s who=%s body=%.*s", sat_request_method(req),
		       sat_request_path(req), sat_request_part(req, "host"), sat_request_part(req, "event"),
		       q != NULL ? q : "-", sat_request_header(req, "x-test"), sat_request_who(req),
		       (int)len, body);
	sat_reply_buf(req, 200, "text/plain", &b);
	return 0;
}

static int keep(void *state, struct sat_request *req)
{
	(void)state;
	kept = req;
	return 0;
}

static void on_closed(void *arg)
{
	(void)arg;
	closed++;
}

static void on_room(void *arg)
{
	(void)arg;
	rooms++;
}

static void on_message(void *arg, const void *p, size_t len)
{
	(void)arg;
	messages++;
	snprintf(heard, sizeof(heard), "%.*s", (int)len, (const char *)p);
}

static const struct sat_stream stream = {
	.size = sizeof(stream), .closed = on_closed, .room = on_room, .message = on_message,
};

static int begin_stream(void *state, struct sat_request *req)
{
	(void)state;
	kept = req;
	return sat_stream_begin(req, sat_request_websocket(req) ? 101 : 200, "text/event-stream", &stream, NULL);
}

static int sized_stream(void *state, struct sat_request *req)
{
	const char *const extra[] = { "X-Good: 1", "X-Bad: 1\r\nInjected: 1", NULL };
	struct sat_stream sized = stream;

	(void)state;
	sized.extra = extra;
	sized.length = 3;
	kept = req;
	return sat_stream_begin(req, 200, "text/plain", &sized, NULL);
}

static int special(void *state, struct sat_request *req)
{
	const char *const extra[] = { "X-Good: 1", "X-Bad: 1\r\nInjected: 1", NULL };

	(void)state;
	sat_reply(req, 201, "text/plain", "special", 7, extra);
	return 0;
}

static int command(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	struct sat_buf b = { 0 };

	(void)state;
	if (argc == 2 && strcmp(argv[1], "later") == 0) {
		kept = req;
		return 0;
	}
	for (int i = 0; i < argc; i++)
		sat_buf_printf(&b, "[%s]", argv[i]);
	sat_command_done(req, argc > 2 ? 1 : 0, &b);
	return 0;
}

#define ROUTE(m, p, fn, ...) &(const struct sat_route){ .size = sizeof(struct sat_route), \
	.method = (m), .path = (p), .request = (fn), __VA_ARGS__ }

static const struct sat_route *const routes[] = {
	ROUTE("GET", "/a/{host}", echo),
	ROUTE("POST", "/a/{host}/event/{event}", echo),
	ROUTE("DELETE", "/a/{host}/event/{event}", echo),
	ROUTE("GET", "/a/special", special),
	ROUTE("GET", "/keep", keep),
	ROUTE("GET", "/stream", begin_stream, .flags = SAT_WEBSOCKET),
	ROUTE("GET", "/sized", sized_stream),
	NULL
};
static const struct sat_command *const commands[] = {
	&(const struct sat_command){ .size = sizeof(struct sat_command), .name = "say", .usage = "say WORDS",
		.summary = "says \"it\"", .run = command },
	NULL
};
static const struct sat_module module = { .abi = SAT_ABI, .size = sizeof(module), .name = "test",
	.version = "1", .routes = routes, .commands = commands };
static char name[] = "test";
static struct sat_self self = { .name = name, .module = &module };

static int begin(void **unused)
{
	(void)unused;
	log_open("/dev/null", LOG_DEBUG);
	assert_int_equal(uv_loop_init(&loop), 0);
	self_process.loop = &loop;
	assert_int_equal(work_init(&loop), 0);
	assert_int_equal(http_init(), 0);
	assert_int_equal(http_add(&self), 0);
	kept = NULL;
	closed = rooms = messages = fails = 0;
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	fault_arm(0);
	http_end();
	turn();
	request_forget(&self);
	assert_int_equal(request_count(), 0);
	work_end();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(timer_count(), 0);
	timer_free();
	index_free();
	query_free_cache();
	log_close();
	return 0;
}

/* ---- What is asked ------------------------------------------------------ */

static void a_request_is_taken_apart(void **unused)
{
	struct door d;

	(void)unused;
	ask(&d, "POST", "/a/h%2e%31/event/e%20e", "x=&q=a%26b+c&y", "body");
	assert_int_equal(d.status, 200);
	assert_string_equal(d.text, "POST /a/h%2e%31/event/e%20e host=h.1 event=e e q=a&b c test=yes "
			    "who=uid:me body=body");
	ask(&d, "GET", "/a/special", NULL, NULL);	/* fits better than {host} */
	assert_int_equal(d.status, 201);
	assert_string_equal(d.extra, "X-Good: 1|");
}

static void what_is_not_well_encoded_is_refused(void **unused)
{
	static const char *const bad[] = {
		"/a/%", "/a/%2", "/a/%zz", "/a/%00", "/a/x%2fy", "/a/%0a", "/a/%7F", "a", "*", "",
	};
	struct door d;

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ask(&d, "GET", bad[i], NULL, NULL);
		assert_int_equal(d.status, 400);
		assert_string_equal(d.text, "{\"error\": \"the path is not well encoded\"}\n");
	}
	ask(&d, "GET", "/a/x", "q=%00", NULL);
	assert_int_equal(d.status, 400);
	ask(&d, "GET", "/a/x", "q=%0a", NULL);
	assert_int_equal(d.status, 200);
}

static void many_segments_and_parameters_are_refused(void **unused)
{
	char path[9000] = "", query[400] = "";
	struct door d;

	(void)unused;
	for (int i = 0; i < 33; i++)
		strcat(path, "/x");
	ask(&d, "GET", path, NULL, NULL);
	assert_int_equal(d.status, 400);
	for (int i = 0; i < 65; i++)
		strcat(query, "a=b&");
	ask(&d, "GET", "/a/x", query, NULL);
	assert_int_equal(d.status, 400);
	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	ask(&d, "GET", path, NULL, NULL);
	assert_int_equal(d.status, 400);
}

static void paths_that_are_not_there(void **unused)
{
	static const char *const none[] = {
		"/nope", "/a", "/a/", "/a/x/", "//a/x", "/a/x/event", "/healthz/", "/../healthz",
	};
	struct door d;

	(void)unused;
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		ask(&d, "GET", none[i], NULL, NULL);
		assert_int_equal(d.status, 404);
		assert_string_equal(d.type, "application/json");
	}
}

static void methods_are_told(void **unused)
{
	struct door d;

	(void)unused;
	ask(&d, "GET", "/a/x/event/y", NULL, NULL);
	assert_int_equal(d.status, 405);
	assert_string_equal(d.extra, "Allow: POST, DELETE, OPTIONS|");
	ask(&d, "POST", "/healthz", NULL, "x");
	assert_int_equal(d.status, 405);
	assert_string_equal(d.extra, "Allow: GET, HEAD, OPTIONS|");
	ask(&d, "OPTIONS", "/healthz", NULL, NULL);
	assert_int_equal(d.status, 204);
	assert_string_equal(d.extra, "Allow: GET, HEAD, OPTIONS|");
	ask(&d, "OPTIONS", "/nope", NULL, NULL);
	assert_int_equal(d.status, 404);
	ask(&d, "OPTIONS", "*", NULL, NULL);
	assert_int_equal(d.status, 204);
	assert_non_null(strstr(d.extra, "Allow: "));
	assert_non_null(strstr(d.extra, "GET, HEAD"));
	assert_non_null(strstr(d.extra, "DELETE"));
	assert_non_null(strstr(d.extra, ", OPTIONS|"));
	ask(&d, "GET", "*", NULL, NULL);
	assert_int_equal(d.status, 400);
}

static void head_is_get_without_a_body(void **unused)
{
	struct door d;

	(void)unused;
	ask(&d, "HEAD", "/healthz", NULL, NULL);
	assert_int_equal(d.status, 200);
	assert_true(d.no_body);
	assert_int_equal(d.len, strlen("{\"ok\": true}\n"));
	ask(&d, "HEAD", "/stream", NULL, NULL);
	assert_int_equal(d.status, 200);
	assert_int_equal(d.begins, 0);
	assert_int_equal(closed, 1);
}

static void a_long_body_is_refused(void **unused)
{
	const struct sat_http_head head = { .size = sizeof(head), .method = "POST", .path = "/a/x/event/y",
		.body_len = SAT_BODY_MAX + 1 };
	struct door d = { 0 };
	char *body = calloc(1, SAT_BODY_MAX + 1);

	(void)unused;
	assert_int_equal(http_request(&door, &d, &head, &d.req), 0);
	turn();
	assert_int_equal(d.status, 413);
	memset(body, 'x', SAT_BODY_MAX);
	ask(&d, "POST", "/a/x/event/y", NULL, body);
	assert_int_equal(d.status, 200);
	free(body);
}

/* ---- How long it lives -------------------------------------------------- */

static void an_answer_may_come_later(void **unused)
{
	struct door d;

	(void)unused;
	ask(&d, "GET", "/keep", NULL, NULL);
	assert_int_equal(d.answers, 0);
	assert_int_equal(request_count(), 1);
	sat_reply(kept, 200, "text/plain", "late", 4, NULL);
	assert_int_equal(d.answers, 1);
	assert_int_equal(request_count(), 0);
}

static void an_owner_that_goes_may_answer_late(void **unused)
{
	struct sat_buf text = { 0 };
	struct sat_request *first;
	struct door a, b, c;

	(void)unused;
	ask(&a, "GET", "/keep", NULL, NULL);
	first = kept;
	ask(&b, "POST", "/command/say", NULL, "{\"args\":[\"later\"]}");
	http_remove(&self);
	assert_int_equal(a.status, 503);
	assert_int_equal(b.status, 503);
	assert_int_equal(sat_stream_begin(first, 200, "text/plain", &stream, NULL), -EPIPE);
	sat_reply(first, 200, "text/plain", "late", 4, NULL);
	sat_buf_printf(&text, "late");
	sat_command_done(kept, 0, &text);
	assert_int_equal(a.answers + b.answers, 2);
	assert_int_equal(request_count(), 0);
	/* and one that it forgets goes with it */
	assert_int_equal(http_add(&self), 0);
	ask(&c, "GET", "/keep", NULL, NULL);
	http_end();
	assert_int_equal(c.status, 503);
	assert_int_equal(request_count(), 1);
	request_forget(&self);
	assert_int_equal(request_count(), 0);
}

static void who_goes_leaves_nobody_waiting(void **unused)
{
	struct door d, e;

	(void)unused;
	ask(&d, "GET", "/keep", NULL, NULL);
	ask(&e, "GET", "/stream", NULL, NULL);
	http_remove(&self);
	assert_int_equal(d.status, 503);
	assert_int_equal(e.ends, 1);
	assert_int_equal(closed, 1);
	sat_http_closed(e.req);
	turn();
	assert_int_equal(closed, 1);	/* once only */
	ask(&d, "GET", "/keep", NULL, NULL);
	assert_int_equal(d.status, 404);
}

static void the_end_answers_all(void **unused)
{
	struct door d, e, f;

	(void)unused;
	ask(&d, "GET", "/keep", NULL, NULL);
	ask(&e, "GET", "/stream", NULL, NULL);
	assert_int_equal(post(&f, "GET", "/healthz", NULL, NULL), 0);	/* not even seen yet */
	http_end();
	assert_int_equal(d.status, 503);
	assert_int_equal(f.status, 503);
	assert_int_equal(e.ends, 1);
	sat_http_closed(e.req);
	turn();
	request_forget(&self);
	assert_int_equal(request_count(), 0);
}

static void there_is_a_limit(void **unused)
{
	static struct door d[600];
	int n = 0, refused = 0;

	(void)unused;
	for (int i = 0; i < 600; i++) {
		int rc = post(&d[i], "GET", "/keep", NULL, NULL);

		n += rc == 0;
		refused += rc == -EBUSY;
	}
	turn();
	assert_int_equal(n, 512);
	assert_int_equal(refused, 88);
	http_remove(&self);
	for (int i = 0; i < n; i++)
		assert_int_equal(d[i].status, 503);
	request_forget(&self);
	assert_int_equal(request_count(), 0);
}

static void a_route_that_fails_is_500(void **unused)
{
	struct door d;

	(void)unused;
	fails = -EIO;
	ask(&d, "GET", "/a/x", NULL, NULL);
	assert_int_equal(d.status, 500);
	fails = -EBUSY;
	ask(&d, "GET", "/a/x", NULL, NULL);
	assert_int_equal(d.status, 503);
}

/* ---- Streams ------------------------------------------------------------ */

static void a_stream_goes_on_until_it_ends(void **unused)
{
	struct door d;

	(void)unused;
	ask(&d, "GET", "/stream", NULL, NULL);
	assert_int_equal(d.begins, 1);
	assert_int_equal(sat_stream_send(kept, "one", 3), 0);
	d.room = 2;
	assert_int_equal(sat_stream_send(kept, "two", 3), -EAGAIN);
	d.room = 3;
	sat_http_room(d.req);
	turn();
	assert_int_equal(rooms, 1);
	assert_int_equal(sat_stream_send(kept, "two", 3), 0);
	assert_string_equal(d.text, "onetwo");
	sat_stream_end(kept);
	assert_int_equal(d.ends, 1);
	assert_int_equal(sat_stream_send(kept, "x", 1), -EPIPE);
	assert_int_equal(closed, 0);
	sat_http_closed(d.req);
	turn();
	assert_int_equal(closed, 1);
	assert_int_equal(request_count(), 0);
}

static void a_stream_may_say_how_long_it_is(void **unused)
{
	struct door d;

	(void)unused;
	ask(&d, "GET", "/sized", NULL, NULL);
	assert_int_equal(d.begins, 1);
	assert_int_equal(d.length, 3);
	assert_string_equal(d.extra, "X-Good: 1|");
	sat_stream_end(kept);
	sat_http_closed(d.req);
	turn();
	ask(&d, "HEAD", "/sized", NULL, NULL);
	assert_int_equal(d.begins, 0);
	assert_true(d.no_body);
	assert_int_equal(d.len, 3);
	assert_string_equal(d.extra, "X-Good: 1|");
	assert_int_equal(closed, 2);
}

static void the_client_may_go_first(void **unused)
{
	struct door d;

	(void)unused;
	ask(&d, "GET", "/stream", NULL, NULL);
	sat_http_closed(d.req);
	d.room = 0;
	assert_int_equal(sat_stream_send(kept, "x", 1), -EPIPE);	/* the connection is no more */
	sat_stream_end(kept);
	assert_int_equal(d.ends, 0);
	turn();
	assert_int_equal(closed, 1);
}

static void a_door_may_have_no_place(void **unused)
{
	struct door d;

	(void)unused;
	assert_int_equal(post(&d, "GET", "/stream", NULL, NULL), 0);
	d.refuse = 1;
	turn();
	assert_int_equal(d.status, 503);
	assert_int_equal(closed, 0);
}

static void a_websocket_is_heard(void **unused)
{
	const struct sat_http_head head = {
		.size = sizeof(head), .method = "GET", .path = "/stream", .websocket = true,
	};
	struct door d = { 0 };

	(void)unused;
	assert_int_equal(http_request(&door, &d, &head, &d.req), 0);
	turn();
	assert_int_equal(d.status, 101);
	sat_http_message(d.req, "hello", 5);
	sat_http_message(d.req, "you", 3);
	turn();
	assert_int_equal(messages, 2);
	assert_string_equal(heard, "you");
	for (int i = 0; i < 100; i++)
		sat_http_message(d.req, "many", 4);
	sat_http_closed(d.req);
	turn();
	assert_int_equal(messages, 66);
	assert_int_equal(closed, 1);
}

/* ---- The host's own ----------------------------------------------------- */

static void ready_or_not(void **unused)
{
	struct door d;

	(void)unused;
	ask(&d, "GET", "/readyz", NULL, NULL);
	assert_int_equal(d.status, 200);
	http_ready("store", "not \"read\" yet");
	http_ready("mesos", "is away");
	http_ready("mesos", "is still away");
	ask(&d, "GET", "/readyz", NULL, NULL);
	assert_int_equal(d.status, 503);
	assert_string_equal(d.text, "{\"error\": \"not ready\", \"reasons\": [{\"part\": \"store\", \"reason\": "
		"\"not \\\"read\\\" yet\"}, {\"part\": \"mesos\", \"reason\": \"is still away\"}]}\n");
	http_ready("store", NULL);
	http_ready("mesos", NULL);
	http_ready("never", NULL);
	ask(&d, "GET", "/readyz", NULL, NULL);
	assert_int_equal(d.status, 200);
}

static void commands_run(void **unused)
{
	struct door d;
	struct sat_buf b = { 0 };

	(void)unused;
	ask(&d, "POST", "/command/say", NULL, "{\"args\": [\"x\"]}");
	assert_int_equal(d.status, 200);
	assert_string_equal(d.text, "[say][x]");
	assert_string_equal(d.extra, "X-Exit-Status: 0|");
	ask(&d, "POST", "/command/say", NULL, "{\"args\": [\"x\", \"\\u00e4 y\"]}");
	assert_string_equal(d.text, "[say][x][\xc3\xa4 y]");
	assert_string_equal(d.extra, "X-Exit-Status: 1|");
	ask(&d, "POST", "/command/say", NULL, NULL);
	assert_string_equal(d.text, "[say]");
	ask(&d, "POST", "/command/nope", NULL, NULL);
	assert_int_equal(d.status, 404);
	ask(&d, "GET", "/command", NULL, NULL);
	assert_string_equal(d.text, "[\n {\"name\": \"say\", \"usage\": \"say WORDS\", "
			    "\"summary\": \"says \\\"it\\\"\"}\n]\n");
	ask(&d, "POST", "/command/say", NULL, "{\"args\": [\"later\"]}");
	assert_int_equal(d.answers, 0);
	sat_buf_printf(&b, "done");
	sat_command_done(kept, 0, &b);
	assert_string_equal(d.text, "done");
}

static void arguments_that_are_none(void **unused)
{
	static const char *const bad[] = {
		"{", "[]", "{}", "{\"args\": 1}", "{\"args\": [1]}", "{\"args\": [\"a\\u0000b\"]}", "\xff",
	};
	struct door d;

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ask(&d, "POST", "/command/say", NULL, bad[i]);
		assert_int_equal(d.status, 400);
	}
}

/* The exit status follows the text, once there is room for it. */
static void a_command_may_stream(void **unused)
{
	struct door d;
	struct sat_buf b = { 0 };

	(void)unused;
	ask(&d, "POST", "/command/say", NULL, "{\"args\": [\"later\"]}");
	assert_int_equal(sat_stream_begin(kept, 200, "text/plain", &stream, NULL), 0);
	d.room = 3;
	assert_int_equal(sat_stream_send(kept, "one", 3), 0);
	sat_buf_printf(&b, "two");
	sat_command_done(kept, 3, &b);
	assert_int_equal(d.ends, 0);
	d.room = 100;
	sat_http_room(d.req);
	turn();
	assert_int_equal(d.ends, 1);
	assert_memory_equal(d.text, "onetwo\0003", 8);
	sat_http_closed(d.req);
	turn();
	assert_int_equal(closed, 1);
}

static void put(int i)
{
	char service[32];
	struct sat_event ev = { .size = sizeof(ev), .has = SAT_HAS_TIME, .host = "h", .service = service, .time = 1 };

	snprintf(service, sizeof(service), "s%d", i);
	assert_int_equal(index_put(&ev), 0);
}

static void the_index_is_asked(void **unused)
{
	const struct index_conf conf = { .ttl = 60, .reap = 10 * SAT_SECOND, .max = 100000 };
	struct door d;

	(void)unused;
	index_init(&conf);
	ask(&d, "GET", "/index", NULL, NULL);
	assert_string_equal(d.text, "[]\n");
	put(1);
	put(2);
	ask(&d, "GET", "/index", "query=service%3D%22s2%22", NULL);
	assert_non_null(strstr(d.text, "\"s2\""));
	assert_null(strstr(d.text, "\"s1\""));
	ask(&d, "GET", "/index", "query=service%3D", NULL);
	assert_int_equal(d.status, 400);
	assert_non_null(strstr(d.text, "at character"));
}

/* A large answer comes in slices, and waits where the client does. */
static void a_large_answer_is_a_stream(void **unused)
{
	const struct index_conf conf = { .ttl = 60, .reap = 10 * SAT_SECOND, .max = 100000 };
	struct door d;
	int stalls = 0;

	(void)unused;
	index_init(&conf);
	for (int i = 0; i < 5000; i++)
		put(i);
	assert_int_equal(post(&d, "GET", "/index", NULL, NULL), 0);
	d.room = 0;
	while (d.ends == 0 && stalls < 100) {
		turn();
		if (d.ends == 0) {
			stalls++;
			d.room = 100000;
			sat_http_room(d.req);
		}
	}
	assert_int_equal(d.begins, 1);
	assert_int_equal(d.ends, 1);
	assert_true(stalls > 2 && d.len > 5000 * 40);
	sat_http_closed(d.req);
	turn();
	assert_int_equal(post(&d, "GET", "/index", NULL, NULL), 0);
	d.room = 70000;
	turn();
	sat_http_closed(d.req);		/* in the middle of it */
	turn();
	assert_int_equal(request_count(), 0);
}

/* Who never reads is cut off in the end, and what he was given is no whole array. */
static void a_large_answer_has_its_time(void **unused)
{
	const struct index_conf conf = { .ttl = 60, .reap = 10 * SAT_SECOND, .max = 100000 };
	struct sat_timer *t;
	struct sat_alarm *a;
	struct door d;

	(void)unused;
	index_init(&conf);
	for (int i = 0; i < 5000; i++)
		put(i);
	assert_int_equal(post(&d, "GET", "/index", NULL, NULL), 0);
	d.room = 70000;
	turn();
	assert_int_equal(d.begins, 1);
	assert_int_equal(d.ends, 0);
	assert_false(timer_pop(sat_clock() + 299 * SAT_SECOND, &t, &a));
	assert_true(timer_pop(sat_clock() + 301 * SAT_SECOND, &t, &a));
	a->fire(a);
	assert_int_equal(d.ends, 1);
	assert_true(d.len > 0 && d.len < 5000 * 40);
	sat_http_closed(d.req);
	turn();
}

static void the_status_is_json(void **unused)
{
	struct door d;

	(void)unused;
	ask(&d, "GET", "/status", NULL, NULL);
	assert_int_equal(d.status, 200);
	assert_non_null(strstr(d.text, "{\"name\": \"test\", \"module\": \"test\""));
	ask(&d, "GET", "/", NULL, NULL);
	assert_string_equal(d.type, "text/html; charset=utf-8");
}

/* ---- Faults ------------------------------------------------------------- */

/* Whatever fails, each request that was taken is answered once. */
static void every_failure_is_survived(void **unused)
{
	static const struct { const char *method, *path, *body; } asks[] = {
		{ "GET", "/a/x", NULL }, { "GET", "/nope", NULL }, { "PUT", "/healthz", NULL },
		{ "GET", "/readyz", NULL }, { "GET", "/status", NULL }, { "GET", "/index", NULL },
		{ "GET", "/command", NULL }, { "POST", "/command/say", "{\"args\": [\"x\"]}" },
	};
	const struct index_conf conf = { .ttl = 60, .reap = 10 * SAT_SECOND, .max = 100000 };
	struct door d;

	(void)unused;
	index_init(&conf);
	put(1);
	http_ready("part", "is not");
	for (size_t i = 0; i < sizeof(asks) / sizeof(*asks); i++) {
		int nth = 0, fired, rc;

		do {
			fault_arm(++nth);
			rc = post(&d, asks[i].method, asks[i].path, NULL, asks[i].body);
			turn();
			fired = fault_fired();
			fault_arm(0);
			turn();
			assert_int_equal(d.answers, rc == 0);
			assert_int_equal(request_count(), 0);
		} while (fired);
		assert_true(nth > 2);
	}
}

static void a_table_without_memory(void **unused)
{
	struct door d;

	(void)unused;
	fault_arm(1);
	assert_int_equal(http_add(&self), -ENOMEM);
	fault_arm(2);
	http_ready("part", "reason");
	fault_arm(0);
	ask(&d, "GET", "/readyz", NULL, NULL);
	assert_int_equal(d.status, 503);
	http_ready("part", NULL);
}

/* ---- Threads ------------------------------------------------------------ */

static void *many(void *arg)
{
	struct door *d = arg;

	for (int i = 0; i < 100; i++)
		while (post(&d[i], "GET", "/healthz", NULL, NULL) == -EBUSY)
			sched_yield();
	return NULL;
}

static void doors_have_threads(void **unused)
{
	static struct door d[4][100];
	pthread_t threads[4];
	size_t answered = 0;
	uint64_t until = uv_hrtime() + UINT64_C(20000000000);

	(void)unused;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many, d[i]), 0);
	for (int i = 0; i < 4; i++) {
		while (pthread_tryjoin_np(threads[i], NULL) != 0 && uv_hrtime() < until)
			uv_run(&loop, UV_RUN_NOWAIT);
	}
	turn();
	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 100; k++)
			answered += d[i][k].status == 200;
	assert_int_equal(answered, 400);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_taken_apart),
		TEST(what_is_not_well_encoded_is_refused),
		TEST(many_segments_and_parameters_are_refused),
		TEST(paths_that_are_not_there),
		TEST(methods_are_told),
		TEST(head_is_get_without_a_body),
		TEST(a_long_body_is_refused),
		TEST(an_answer_may_come_later),
		TEST(an_owner_that_goes_may_answer_late),
		TEST(who_goes_leaves_nobody_waiting),
		TEST(the_end_answers_all),
		TEST(there_is_a_limit),
		TEST(a_route_that_fails_is_500),
		TEST(a_stream_goes_on_until_it_ends),
		TEST(a_stream_may_say_how_long_it_is),
		TEST(the_client_may_go_first),
		TEST(a_door_may_have_no_place),
		TEST(a_websocket_is_heard),
		TEST(ready_or_not),
		TEST(commands_run),
		TEST(arguments_that_are_none),
		TEST(a_command_may_stream),
		TEST(the_index_is_asked),
		TEST(a_large_answer_is_a_stream),
		TEST(a_large_answer_has_its_time),
		TEST(the_status_is_json),
		TEST(every_failure_is_survived),
		TEST(a_table_without_memory),
		TEST(doors_have_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
