/* SPDX-License-Identifier: Apache-2.0 */
/* test_push - watchers and sources of events, each of whose allocations fails once. */
#include "account.h"
#include "unit/host.h"

static const char text[] = "modules = ( \"push\" ); push = { max-watchers = 4; queue = 4096; };";

static const char message[] = "{\"host\":\"w\",\"service\":\"t\"}";

/* ---- A door that writes down what it is told ---------------------------- */

struct client {
	int answers, status, begun, ended;
	size_t room, len;
	char got[8192];
	void *req;
};

static void door_reply(void *conn, int status, const char *type, const void *body, size_t len,
		       const char *const *extra)
{
	struct client *c = conn;

	(void)type, (void)extra;
	c->answers++;
	c->status = status;
	c->len = body != NULL && len < sizeof(c->got) ? len : 0;
	memcpy(c->got, body != NULL ? body : "", c->len);
	c->got[c->len] = '\0';
}

static int door_begin(void *conn, int status, const char *type, const char *const *extra, uint64_t length)
{
	struct client *c = conn;

	(void)type, (void)extra, (void)length;
	c->begun++;
	c->status = status;
	return 0;
}

static int door_send(void *conn, const void *p, size_t len)
{
	struct client *c = conn;

	if (len > c->room)
		return -EAGAIN;
	c->room -= len;
	if (c->len + len < sizeof(c->got))
		memcpy(c->got + c->len, p, len);
	c->len += len;
	return 0;
}

static void door_end(void *conn)
{
	((struct client *)conn)->ended++;
}

static const struct sat_http_server door = {
	.size = sizeof(door), .reply = door_reply, .begin = door_begin, .send = door_send, .end = door_end,
};

static void turns(void)
{
	for (int i = 0; i < 5; i++)
		host_turn();
}

static int ask(struct client *c, const char *method, const char *path, const char *query, const char *body,
	       bool websocket)
{
	const struct sat_attr headers[] = { { "Accept", "text/event-stream" } };
	const struct sat_http_head head = {
		.size = sizeof(head), .method = method, .path = path, .query = query, .headers = headers, .n_headers = 1, .peer = "uid:me",
		.body = body, .body_len = body != NULL ? strlen(body) : 0, .websocket = websocket,
	};
	int rc;

	memset(c, 0, sizeof(*c));
	c->room = sizeof(c->got);
	rc = http_request(&door, c, &head, &c->req);
	turns();
	return rc;
}

/* As the door does when the client is gone. */
static void leave(struct client *c)
{
	if (c->begun > 0)
		sat_http_closed(c->req);
	turns();
}

static void emit(const char *state)
{
	sat_emit(&self_host, .host = "h", .service = "s", .state = state, .description = "d");
	engine_run();
	turns();
}

static void events_come_and_go(void **unused)
{
	struct client watcher, source, lines;

	(void)unused;
	host_up();
	assert_true(host_run(text));
	assert_int_equal(ask(&lines, "POST", "/events", NULL, "{\"service\":\"a\",\"time\":1}\n\n{bad\n", false), 0);
	assert_int_equal(lines.status, 200);
	assert_non_null(strstr(lines.got, "{}\n{\"error\": "));
	assert_int_equal(ask(&watcher, "GET", "/index", "query=true", NULL, false), 0);
	assert_int_equal(watcher.begun, 1);
	emit("ok");
	assert_non_null(strstr(watcher.got, "\"s\""));
	assert_int_equal(ask(&source, "GET", "/events", NULL, NULL, true), 0);
	sat_http_message(source.req, message, sizeof(message) - 1);
	turns();
	assert_string_equal(source.got, "{}");
	watcher.room = 0;
	for (int i = 0; i < 200; i++)
		emit("critical");
	assert_int_equal(watcher.ended, 1);	/* it did not read */
	leave(&watcher);
	/* Its share of memory-max is smaller than what another may have waiting. */
	assert_int_equal(ask(&watcher, "GET", "/index", "query=true", NULL, false), 0);
	assert_int_equal(self_get(SELF_MEMORY_RINGS), 0);
	account_limit(16 * 1024);
	watcher.room = 0;
	for (int i = 0; i < 3; i++)
		emit("critical");
	assert_in_range(self_get(SELF_MEMORY_RINGS), 100, 1024);
	for (int i = 0; i < 20; i++)
		emit("critical");
	assert_int_equal(watcher.ended, 1);
	assert_int_equal(self_get(SELF_MEMORY_RINGS), 0);
	leave(&watcher);
	account_limit(INT64_MAX);
	leave(&source);
	host_down();
}

static bool live(int nth)
{
	struct client watcher, sockets[2], source, lines, command;
	bool asked[3], sourced;

	host_up();
	fault_arm(nth);
	if (!host_run(text)) {
		assert_true(fault_fired());
		return host_down();
	}
	emit("ok");
	asked[0] = ask(&watcher, "GET", "/index", "query=true", NULL, false) == 0;
	asked[1] = ask(&sockets[0], "GET", "/index", "query=host%3D%22h%22&subscribe=true", NULL, true) == 0;
	asked[2] = ask(&sockets[1], "GET", "/index", "query=(", NULL, true) == 0;
	sourced = ask(&source, "GET", "/events", NULL, NULL, true) == 0;
	if (source.begun > 0)
		sat_http_message(source.req, message, sizeof(message) - 1);
	watcher.room = 0;
	for (int i = 0; i < 4; i++)
		emit("critical");
	watcher.room = sizeof(watcher.got);
	if (watcher.begun > 0)
		sat_http_room(watcher.req);
	turns();
	ask(&lines, "POST", "/events", NULL, "{\"service\":\"a\"}\n{\"service\":\"b\"}\n", false);
	ask(&command, "POST", "/command/send", NULL, "{\"args\":[\"--service\",\"c\",\"--tag\",\"t\"]}", false);
	host_skip(16);		/* a beat */
	assert_true((!asked[0] || watcher.begun + watcher.answers > 0) &&
		    (!asked[1] || sockets[0].begun + sockets[0].answers > 0) &&
		    (!asked[2] || sockets[1].answers == 1) && (!sourced || source.begun + source.answers > 0));
	if (!fault_fired())
		assert_non_null(strstr(watcher.got, "critical"));
	leave(&watcher);
	leave(&sockets[0]);
	leave(&source);
	assert_int_equal(self_get(SELF_MEMORY_RINGS), 0);
	return host_down();
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0;

	(void)unused;
	while (live(++nth))
		;
	printf("%d allocations\n", nth);
	assert_true(nth > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_and_go),
		cmocka_unit_test(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, host_begin, host_end);
}
