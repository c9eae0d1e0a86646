/* SPDX-License-Identifier: Apache-2.0 */
/* test_http-civetweb - the server on its own threads, the loop on this one, and clients that do not block. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#include "http.h"
#include "instance.h"
#include "listen.h"
#include "log.h"
#include "request.h"
#include "unit/fault.h"
#include "work.h"

extern const struct sat_module sat_module_http_civetweb;
static const struct sat_http_server *server;

static uv_loop_t loop;
static char server_name[] = "http-civetweb", name[] = "test";
static struct instance instance;
static int port;
static bool has_stopped, runs;

/* ---- A module ----------------------------------------------------------- */

static struct sat_request *kept;
static int left, closed, heard;

static int echo(void *state, struct sat_request *req)
{
	struct sat_buf b = { 0 };
	size_t len;
	const char *q = sat_request_query(req, "q");

	(void)state;
	sat_request_body(req, &len);
	sat_buf_printf(&b, "who=%s path=%s x=%s q=%s len=%zu", sat_request_who(req), sat_request_path(req),
		       sat_request_part(req, "x"), q != NULL ? q : "-", len);
	sat_reply_buf(req, 200, "text/plain", &b);
	return 0;
}

static int keep(void *state, struct sat_request *req)
{
	(void)state;
	kept = req;
	return 0;
}

static void go_on(void *arg)
{
	static char line[8192];

	memset(line, 'x', sizeof(line));
	while (left > 0 && sat_stream_send(arg, line, sizeof(line)) == 0)
		left--;
	if (left == 0)
		sat_stream_end(arg);
}

static void on_closed(void *arg)
{
	(void)arg;
	closed++;
}

static void on_message(void *arg, const void *p, size_t len)
{
	char text[200];

	heard++;
	if (len == 3 && memcmp(p, "end", 3) == 0) {
		sat_stream_end(arg);
		return;
	}
	snprintf(text, sizeof(text), "heard %.*s", (int)len, (const char *)p);
	assert_int_equal(sat_stream_send(arg, text, strlen(text)), 0);
}

static int large(void *state, struct sat_request *req)
{
	static const struct sat_stream stream = { .size = sizeof(stream), .room = go_on, .closed = on_closed };
	int rc = sat_stream_begin(req, 200, "text/plain", &stream, req);

	(void)state;
	left = 1000;
	if (rc == 0)
		go_on(req);
	return rc;
}

/* Said to be of 8 MB; /sized/N is so many lines of 8192 bytes. */
static int sized(void *state, struct sat_request *req)
{
	static const char *const extra[] = { "X-Sized: 1", NULL };
	static const struct sat_stream stream = {
		.size = sizeof(stream), .room = go_on, .closed = on_closed, .extra = extra, .length = 8192000,
	};
	int rc = sat_stream_begin(req, 200, "text/plain", &stream, req);

	(void)state;
	left = atoi(sat_request_part(req, "n"));
	if (rc == 0)
		go_on(req);
	return rc;
}

/* A plain answer of n KiB. */
static int long_one(void *state, struct sat_request *req)
{
	struct sat_buf b = { 0 };

	(void)state;
	for (int n = atoi(sat_request_part(req, "n")); n > 0; n--)
		sat_buf_printf(&b, "%1024s", "y");
	sat_reply_buf(req, 200, "text/plain", &b);
	return 0;
}

static int talk(void *state, struct sat_request *req)
{
	static const struct sat_stream stream = { .size = sizeof(stream), .message = on_message, .closed = on_closed };

	(void)state;
	if (sat_request_query(req, "refuse") != NULL) {
		sat_reply_error(req, 403, "not you");
		return 0;
	}
	kept = req;
	if (sat_request_query(req, "brief") != NULL) {
		int rc = sat_stream_begin(req, 101, NULL, &stream, req);

		if (rc == 0)
			sat_stream_end(req);
		return rc;
	}
	return sat_stream_begin(req, sat_request_websocket(req) ? 101 : 200, "text/event-stream", &stream, req);
}

#define ROUTE(m, p, fn, ...) &(const struct sat_route){ .size = sizeof(struct sat_route), \
	.method = (m), .path = (p), .request = (fn), __VA_ARGS__ }

static const struct sat_route *const routes[] = {
	ROUTE("GET", "/echo/{x}", echo),
	ROUTE("POST", "/echo/{x}", echo),
	ROUTE("GET", "/keep", keep),
	ROUTE("GET", "/large", large),
	ROUTE("GET", "/long/{n}", long_one),
	ROUTE("GET", "/sized/{n}", sized),
	ROUTE("GET", "/talk", talk, .flags = SAT_WEBSOCKET),
	NULL
};
static const struct sat_module module = { .abi = SAT_ABI, .size = sizeof(module), .name = "test", .routes = routes };
static struct sat_self self = { .name = name, .module = &module };

/* ---- A client ----------------------------------------------------------- */

static int dial(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static int say(const char *text)
{
	int fd = dial();

	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	return fd;
}

/* Turn the loop until `until` is there, or the other side closes. */
static size_t hear(int fd, char *text, size_t size, const char *until)
{
	uint64_t end = uv_hrtime() + UINT64_C(30000000000);
	size_t n = 0;

	for (;;) {
		ssize_t got;

		assert_true(uv_hrtime() < end && n < size - 1);
		uv_run(&loop, UV_RUN_NOWAIT);
		got = recv(fd, text + n, size - n - 1, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
		if (got < 0)
			usleep(200);
		n += got > 0 ? (size_t)got : 0;
		text[n] = '\0';
		if (until != NULL && strstr(text, until) != NULL)
			return n;
	}
	text[n] = '\0';
	return n;
}

static void expect(const char *request, const char *first, const char *part)
{
	int fd = say(request);
	char text[8192];

	hear(fd, text, sizeof(text), NULL);
	close(fd);
	if (strncmp(text, first, strlen(first)) != 0 || strstr(text, part) == NULL)
		fail_msg("%.200s\nwas answered\n%s", request, text);
}

static void turn_until(const int *count, int n)
{
	uint64_t end = uv_hrtime() + UINT64_C(30000000000);

	while (*count < n) {
		assert_true(uv_hrtime() < end);
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(200);
	}
}

static void stopped(struct instance *i)
{
	(void)i;
	has_stopped = true;
}

/* As life.c does it. */
static void stop(void)
{
	uint64_t end = uv_hrtime() + UINT64_C(10000000000);

	http_remove(&instance.self);
	has_stopped = runs = false;
	instance_stop(&instance, stopped);
	while (!has_stopped) {
		assert_true(uv_hrtime() < end);
		uv_run(&loop, UV_RUN_ONCE);
	}
	sat_module_http_civetweb.destroy(instance.self.state);
}

static int free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	close(fd);
	return ntohs(at.sin_port);
}

static int begin(void **unused)
{
	(void)unused;
	log_open("/dev/null", LOG_DEBUG);
	assert_int_equal(uv_loop_init(&loop), 0);
	self_process.loop = &loop;
	assert_int_equal(work_init(&loop), 0);
	assert_int_equal(http_init(), 0);
	assert_int_equal(http_add(&self), 0);
	memset(&instance, 0, sizeof(instance));
	instance.self.name = server_name;
	instance.self.module = &sat_module_http_civetweb;
	instance.self.instance = &instance;
	server = sat_module_http_civetweb.http_server;
	assert_int_equal(sat_module_http_civetweb.create(&instance.self, NULL, &instance.self.state), 0);
	port = free_port();
	assert_int_equal(server->listen(instance.self.state, "127.0.0.1", port), 0);
	assert_int_equal(sat_module_http_civetweb.start(instance.self.state), 0);
	instance.stage = INSTANCE_RUNNING;
	assert_int_equal(http_add(&instance.self), 0);
	kept = NULL;
	closed = heard = 0;
	runs = true;
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	if (runs)
		stop();
	http_end();
	request_forget(&self);		/* as where it is destroyed */
	for (int i = 0; i < 20; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(request_count(), 0);
	listen_release(&instance.self);
	work_forget(&instance.self);
	work_end();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	log_close();
	return 0;
}

/* ---- Requests ----------------------------------------------------------- */

static void requests_are_answered(void **unused)
{
	(void)unused;
	expect("GET /echo/a%20b?q=%26+c HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n",
	       "\r\n\r\nwho=127.0.0.1 path=/echo/a%20b x=a b q=& c len=0");
	expect("POST /echo/y HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\n", "len=3");
	expect("POST /echo/y HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	       "HTTP/1.1 200 OK\r\n", "len=3");
	expect("HEAD /echo/y HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "Content-Length: ");
	expect("DELETE /echo/y HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 ", "Allow: GET, HEAD, POST, OPTIONS\r\n");
	expect("OPTIONS /echo/y HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 204 ", "Allow: ");
	expect("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 204 ", "Allow: ");
	expect("GET * HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 ", "error");
	expect("GET https://x/echo/y HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 ", "error");
	expect("\r\n\r\nPOST /echo/y HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\n",
	       "len=3");
}

static void paths_are_not_touched(void **unused)
{
	(void)unused;
	expect("GET /echo/a%2fb HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 ", "error");
	expect("GET /echo/a%00b HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 ", "error");
	expect("GET /echo/a%0d%0ab HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 ", "error");
	expect("GET /echo/../echo/a HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 ", "error");
	expect("GET /echo//a HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 ", "error");
	expect("GET /echo/%c3%a4%5c.. HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "x=\xc3\xa4\\..");
}

static void what_is_no_request_is_refused(void **unused)
{
	int fd = say("POST /echo/y HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n");
	char text[1000];

	(void)unused;
	hear(fd, text, sizeof(text), "}\n");	/* for the rest it waits 5 s, lest the answer be lost */
	assert_int_equal(strncmp(text, "HTTP/1.1 413 ", 13), 0);
	close(fd);
	expect("GET /\r\n\r\n", "HTTP/1.1 400 ", "{\"error\": \"Bad Request\"}\n");
	expect("\x16\x03\x01\r\n\r\n", "HTTP/1.1 400 ", "error");
}

static void an_answer_may_come_later(void **unused)
{
	int fd = say("GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
	char text[1000];

	(void)unused;
	while (kept == NULL)
		uv_run(&loop, UV_RUN_ONCE);
	sat_reply(kept, 201, "text/plain", "late", 4, (const char *const[]){ "X-More: yes", NULL });
	hear(fd, text, sizeof(text), NULL);
	assert_non_null(strstr(text, "HTTP/1.1 201 Created"));
	assert_non_null(strstr(text, "X-More: yes\r\n"));
	assert_non_null(strstr(text, "\r\n\r\nlate"));
	close(fd);
}

/* ---- Streams ------------------------------------------------------------ */

static void a_stream_waits_for_room(void **unused)
{
	int fd = say("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
	size_t size = 16 << 20, n;
	char *text = malloc(size);

	(void)unused;
	n = hear(fd, text, size, NULL);
	assert_true(n > 8192000 && n < 8192000 + 30000);
	assert_string_equal(text + n - 5, "0\r\n\r\n");
	turn_until(&closed, 1);
	free(text);
	close(fd);
}

/* A client sees whether it has the whole. */
static void a_stream_may_say_how_long_it_is(void **unused)
{
	static const struct { const char *path; size_t n; } all[] = { { "/sized/1000", 8192000 }, { "/sized/10", 81920 } };
	size_t size = 16 << 20;
	char *text = malloc(size), request[100];

	(void)unused;
	for (size_t i = 0; i < 2; i++) {
		int fd, before = closed;
		const char *body;
		size_t n;

		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", all[i].path);
		fd = say(request);
		n = hear(fd, text, size, NULL);
		text[n] = '\0';
		assert_non_null(strstr(text, "\r\nContent-Length: 8192000\r\n"));
		assert_non_null(strstr(text, "\r\nX-Sized: 1\r\n"));
		assert_null(strstr(text, "chunked"));
		body = strstr(text, "\r\n\r\n") + 4;
		assert_int_equal(n - (size_t)(body - text), all[i].n);
		turn_until(&closed, before + 1);
		close(fd);
	}
	free(text);
}

static void a_client_that_goes_is_noticed(void **unused)
{
	int fd = say("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
	char text[1000];

	(void)unused;
	hear(fd, text, 500, "\r\n");
	close(fd);
	turn_until(&closed, 1);
}

/* 64 streams and no more, while other requests are served. */
static void streams_have_their_places(void **unused)
{
	static int fds[80];
	char text[1000];
	int streams = 0, refused = 0;

	(void)unused;
	for (int i = 0; i < 66; i++) {
		fds[i] = say("GET /talk HTTP/1.1\r\nHost: x\r\n\r\n");
		hear(fds[i], text, sizeof(text), "\r\n\r\n");
		streams += strncmp(text, "HTTP/1.1 200 ", 13) == 0;
		refused += strncmp(text, "HTTP/1.1 503 ", 13) == 0;
	}
	assert_int_equal(streams, 64);
	assert_int_equal(refused, 2);
	expect("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "{\"ok\": true}\n");
	stop();
	assert_int_equal(closed, 64);
	for (int i = 0; i < 66; i++)
		close(fds[i]);
}

static void who_waits_is_answered_at_the_end(void **unused)
{
	int fd = say("GET /keep HTTP/1.1\r\nHost: x\r\n\r\n"), half = say("GET /keep HT");
	char text[1000];

	(void)unused;
	while (kept == NULL)
		uv_run(&loop, UV_RUN_ONCE);
	stop();
	hear(fd, text, sizeof(text), NULL);
	assert_int_equal(strncmp(text, "HTTP/1.1 503 ", 13), 0);
	close(fd);
	close(half);
}

/* ---- Those that mean no good -------------------------------------------- */

#define CROWD 200
#define FILES 1024		/* that the server thinks it may have: a quarter of them are clients */
static int crowd[CROWD];

static void gather(const char *first, int n)
{
	for (int i = 0; i < n; i++) {
		crowd[i] = say(first);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	for (int i = 0; i < 20; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static void disperse(int n)
{
	for (int i = 0; i < n; i++)
		close(crowd[i]);
}

static void health_is_answered(void)
{
	expect("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "{\"ok\": true}\n");
}

/* Sooner than any of them is given up: none has a worker.  A machine that was busy may try again. */
static void holds_up_nobody(const char *first, int n)
{
	bool soon = false;

	for (int tries = 0; tries < 5 && !soon; tries++) {
		uint64_t began;

		gather(first, n);
		began = uv_hrtime();
		health_is_answered();
		soon = uv_hrtime() - began < UINT64_C(4000000000);
		disperse(n);
	}
	assert_true(soon);
}

static void half_requests_hold_up_nobody(void **unused)
{
	static const char *const halves[] = {
		"G", "GET /echo/x HTTP/1.1\r\nHost: x\r\n", "POST /echo/x HTTP/1.1\r\nContent-Length: 100\r\n\r\na",
		"POST /echo/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na",
		"GET /talk HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\n",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(halves) / sizeof(*halves); i++)
		holds_up_nobody(halves[i], CROWD);
	holds_up_nobody("", CROWD);
}

static void who_does_not_read_holds_up_nobody(void **unused)
{
	(void)unused;
	holds_up_nobody("GET /long/200 HTTP/1.1\r\nHost: x\r\n\r\n", CROWD);
	holds_up_nobody("GET /long/2000 HTTP/1.1\r\nHost: x\r\n\r\n", 80);
}

/* Where there are too many, the oldest goes that has asked nothing. */
static void the_newest_gets_in(void **unused)
{
	enum { n = FILES / 4 + 10 };
	static int fds[n];
	char text[10];

	(void)unused;
	for (int i = 0; i < n; i++) {
		fds[i] = say("GET");
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	health_is_answered();
	for (int i = 0; i < 10; i++)
		assert_int_equal(hear(fds[i], text, sizeof(text), NULL), 0);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(recv(fds[n - 1], text, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	for (int i = 0; i < n; i++)
		close(fds[i]);
}

static void a_request_may_drip_in(void **unused)
{
	static const char text[] = "\r\n\nPOST /echo/y HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		"Transfer-Encoding: chunked\r\n\r\n";
	static const char rest[] = "3\r\nabc\r\n0\r\n\r\n";
	char heard_text[1000];
	int fd = dial();

	(void)unused;
	for (const char *p = text; *p != '\0'; p++) {
		assert_int_equal(send(fd, p, 1, MSG_NOSIGNAL), 1);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	hear(fd, heard_text, sizeof(heard_text), "\r\n\r\n");
	assert_string_equal(heard_text, "HTTP/1.1 100 Continue\r\n\r\n");
	for (const char *p = rest; *p != '\0'; p++) {
		assert_int_equal(send(fd, p, 1, MSG_NOSIGNAL), 1);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	hear(fd, heard_text, sizeof(heard_text), NULL);
	assert_non_null(strstr(heard_text, "len=3"));
	close(fd);
	expect("GET http://elsewhere:1/echo/y?q=a HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "q=a");
	expect("POST /echo/y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n", "HTTP/1.1 413 ", "1048576");
}

/* ---- WebSockets --------------------------------------------------------- */

#define UPGRADE "Host: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static int upgrade(void)
{
	int fd = say("GET /talk HTTP/1.1\r\n" UPGRADE);
	char text[1000];

	hear(fd, text, sizeof(text), "\r\n\r\n");
	assert_int_equal(strncmp(text, "HTTP/1.1 101 ", 13), 0);
	assert_non_null(strstr(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));	/* RFC 6455, 1.3 */
	return fd;
}

static void piece(int fd, int head, const char *text)
{
	char out[200] = { (char)head, (char)(0x80 | strlen(text)), 1, 2, 3, 4 };
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		out[6 + i] = (char)(text[i] ^ (1 + i % 4));
	assert_int_equal(send(fd, out, 6 + n, MSG_NOSIGNAL), 6 + n);
}

static void frame(int fd, int opcode, const char *text)
{
	piece(fd, 0x80 | opcode, text);
}

static void a_websocket_talks(void **unused)
{
	int fd = upgrade();
	char text[1000];

	(void)unused;
	frame(fd, 1, "one");
	hear(fd, text, sizeof(text), "one");
	assert_string_equal(text, "\x81\x09heard one");
	frame(fd, 9, "ping");
	hear(fd, text, sizeof(text), "ping");
	assert_string_equal(text, "\x8a\x04ping");
	frame(fd, 1, "end");
	assert_int_equal(hear(fd, text, 5, "\xe8"), 4);
	assert_memory_equal(text, "\x88\x02\x03\xe8", 4);
	frame(fd, 8, "\x03\xe8");
	turn_until(&closed, 1);
	close(fd);
}

static void a_websocket_may_end_from_both_sides(void **unused)
{
	int fd = upgrade(), other;
	char text[1000];

	(void)unused;
	frame(fd, 8, "\x03\xe8");
	turn_until(&closed, 1);
	close(fd);
	fd = upgrade();
	close(fd);
	turn_until(&closed, 2);
	fd = upgrade();
	other = upgrade();
	frame(other, 1, "here");
	hear(other, text, sizeof(text), "here");
	stop();
	assert_int_equal(closed, 4);
	close(fd);
	close(other);
}

/* Its writer may be done before its worker has begun to read. */
static void a_websocket_may_end_at_once(void **unused)
{
	char text[1000];

	(void)unused;
	for (int i = 1; i <= 100; i++) {
		int fd = say("GET /talk?brief HTTP/1.1\r\n" UPGRADE);

		hear(fd, text, sizeof(text), "\x88");
		assert_int_equal(strncmp(text, "HTTP/1.1 101 ", 13), 0);
		turn_until(&closed, i);
		close(fd);
	}
}

static void a_message_may_come_in_pieces(void **unused)
{
	int fd = upgrade();
	char text[1000];

	(void)unused;
	piece(fd, 1, "o");
	frame(fd, 9, "ping");
	hear(fd, text, sizeof(text), "ping");
	assert_string_equal(text, "\x8a\x04ping");
	frame(fd, 10, "");
	piece(fd, 0, "n");
	assert_int_equal(heard, 0);
	piece(fd, 0x80, "e");
	hear(fd, text, sizeof(text), "one");
	assert_string_equal(text, "\x81\x09heard one");
	close(fd);
	turn_until(&closed, 1);
}

/* What it closes with: its code, or what else came, for the message to show. */
static int closes_with(int fd)
{
	char text[1000];
	size_t n = hear(fd, text, sizeof(text), NULL);

	close(fd);
	if (n == 4 && memcmp(text, "\x88\x02", 2) == 0)
		return (unsigned char)text[2] << 8 | (unsigned char)text[3];
	return n == 2 && memcmp(text, "\x88\x00", 2) == 0 ? 0 : -1;
}

static void what_is_wrong_is_closed_with_its_code(void **unused)
{
	static const struct { int head; const char *text; int code; } wrong[] = {
		{ 0x80, "out of turn", 1002 }, { 0x83, "", 1002 }, { 0xc1, "compressed?", 1002 },
		{ 0x81, "\xff", 1007 }, { 0x88, "\x03", 1002 }, { 0x88, "\x03\xee", 1002 },
		{ 0x88, "\x03\xe8", 1000 }, { 0x88, "\x0f\xa0 own", 4000 }, { 0x88, "", 0 },
	};
	static char most[SAT_BODY_MAX + 14];
	int fd;

	(void)unused;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		fd = upgrade();
		piece(fd, wrong[i].head, wrong[i].text);
		assert_int_equal(closes_with(fd), wrong[i].code);
		turn_until(&closed, (int)i + 1);
	}
	fd = upgrade();
	memset(most, 'x', sizeof(most));
	memcpy(most, "\x81\xff\0\0\0\0\x00\x10\x00\x00\0\0\0\0", 14);
	assert_int_equal(send(fd, most, sizeof(most), MSG_NOSIGNAL), sizeof(most));
	turn_until(&heard, 1);
	close(fd);
	fd = upgrade();
	memcpy(most, "\x81\xff\0\0\0\0\x00\x10\x00\x01\0\0\0\0", 14);
	assert_int_equal(send(fd, most, sizeof(most), MSG_NOSIGNAL), sizeof(most));
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(closes_with(fd), 1009);
}

/* Before any of its bytes come, and in the middle of a message. */
static void a_frame_is_refused_when_it_is_announced(void **unused)
{
	int fd = upgrade();

	(void)unused;
	assert_int_equal(send(fd, "\x81\xff\0\0\0\0\x7f\xfe\0\0\0\0\0\0", 14, MSG_NOSIGNAL), 14);
	assert_int_equal(closes_with(fd), 1009);
	fd = upgrade();
	piece(fd, 1, "o");
	assert_int_equal(send(fd, "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14, MSG_NOSIGNAL), 14);
	assert_int_equal(closes_with(fd), 1009);
	turn_until(&closed, 2);
	assert_int_equal(heard, 0);
}

/* It does not wait for the handshake. */
static void a_first_frame_may_come_early(void **unused)
{
	int fd = say("GET /talk HTTP/1.1\r\n" UPGRADE "\x81\x82\x01\x02\x03\x04ik");
	char text[1000];

	(void)unused;
	hear(fd, text, sizeof(text), "heard hi");
	close(fd);
	turn_until(&closed, 1);
}

static void a_websocket_may_be_refused(void **unused)
{
	(void)unused;
	expect("GET /talk?refuse=1 HTTP/1.1\r\n" UPGRADE, "HTTP/1.1 403 ", "not you");
	expect("GET /echo/x HTTP/1.1\r\n" UPGRADE, "HTTP/1.1 200 ", "x=x");
	expect("GET /nope HTTP/1.1\r\n" UPGRADE, "HTTP/1.1 404 ", "error");
	expect("GET /talk HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	       "Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", "", "");
	assert_int_equal(closed, 0);
}

/* ---- Faults ------------------------------------------------------------- */

#ifndef __SANITIZE_THREAD__	/* fault.c counts without a lock */

/* Whether it was answered, and not just closed. */
static bool ask(const char *request)
{
	int fd = say(request);
	char text[1000];
	size_t n = hear(fd, text, sizeof(text), NULL);

	close(fd);
	assert_true(n == 0 || strncmp(text, "HTTP/1.1 ", 9) == 0);
	return n > 0;
}

/* Most of what fails, on whichever thread, is answered all the same; the next request is served. */
static void every_failure_is_survived(void **unused)
{
	static const char *const asks[] = {
		"POST /echo/y?q=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
		"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n",
	};

	(void)unused;
	for (size_t i = 0; i < 2; i++) {
		int nth = 0, answered = 0, fired;

		do {
			fault_arm(++nth);
			answered += ask(asks[i]);
			fired = fault_fired();
			fault_arm(0);
			expect("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "true");
		} while (fired);
		assert_true(nth > 3 && answered > nth / 2);
	}
}

/* A stream begins, or is refused. */
static void every_failure_of_a_stream_is_survived(void **unused)
{
	int nth = 0, fired, begun = 0;
	char text[1000];

	(void)unused;
	do {
		int fd;

		fault_arm(++nth);
		fd = say(nth % 2 ? "GET /talk HTTP/1.1\r\n" UPGRADE : "GET /talk HTTP/1.1\r\nHost: x\r\n\r\n");
		hear(fd, text, sizeof(text), "\r\n\r\n");
		fired = fault_fired();
		fault_arm(0);
		begun += strstr(text, " 101 ") != NULL || strstr(text, " 200 ") != NULL;
		close(fd);
	} while (fired || nth < 20);
	assert_true(begun > 0);
	stop();
	assert_int_equal(closed, begun);
}

static void a_server_without_memory(void **unused)
{
	void *state;

	(void)unused;
	fault_arm(1);
	assert_int_equal(sat_module_http_civetweb.create(&instance.self, NULL, &state), -ENOMEM);
	fault_arm(0);
}

#endif

/* ---- The port ----------------------------------------------------------- */

static void a_port_in_use_is_known_at_once(void **unused)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	void *state;

	(void)unused;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)) + listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	assert_int_equal(sat_module_http_civetweb.create(&instance.self, NULL, &state), 0);
	assert_int_equal(server->listen(state, "127.0.0.1", ntohs(at.sin_port)), -EADDRINUSE);
	close(fd);
	assert_int_equal(server->listen(state, "127.0.0.1", port), 0);		/* the predecessor gives it back */
	assert_int_equal(server->listen(state, "::1", free_port()), 0);
	assert_int_equal(server->listen(state, "192.0.2.1", port), -EADDRNOTAVAIL);
	assert_int_equal(server->listen(state, "127.0.0.1", free_port()), 0);	/* held, and given back */
	sat_module_http_civetweb.destroy(state);
}

static void it_may_run_again_at_once(void **unused)
{
	(void)unused;
	stop();
	assert_int_equal(sat_module_http_civetweb.create(&instance.self, NULL, &instance.self.state), 0);
	assert_int_equal(server->listen(instance.self.state, "127.0.0.1", port), 0);
	assert_int_equal(sat_module_http_civetweb.start(instance.self.state), 0);
	instance.stage = INSTANCE_RUNNING;
	runs = true;
	assert_int_equal(http_add(&instance.self), 0);
	expect("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "true");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_are_answered),
		TEST(paths_are_not_touched),
		TEST(what_is_no_request_is_refused),
		TEST(an_answer_may_come_later),
		TEST(a_stream_waits_for_room),
		TEST(a_stream_may_say_how_long_it_is),
		TEST(a_client_that_goes_is_noticed),
		TEST(streams_have_their_places),
		TEST(who_waits_is_answered_at_the_end),
		TEST(half_requests_hold_up_nobody),
		TEST(who_does_not_read_holds_up_nobody),
		TEST(the_newest_gets_in),
		TEST(a_request_may_drip_in),
		TEST(a_websocket_talks),
		TEST(a_websocket_may_end_from_both_sides),
		TEST(a_websocket_may_end_at_once),
		TEST(a_message_may_come_in_pieces),
		TEST(what_is_wrong_is_closed_with_its_code),
		TEST(a_frame_is_refused_when_it_is_announced),
		TEST(a_first_frame_may_come_early),
		TEST(a_websocket_may_be_refused),
#ifndef __SANITIZE_THREAD__
		TEST(every_failure_is_survived),
		TEST(every_failure_of_a_stream_is_survived),
		TEST(a_server_without_memory),
#endif
		TEST(a_port_in_use_is_known_at_once),
		TEST(it_may_run_again_at_once),
	};

	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ FILES, FILES });
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
