/* SPDX-License-Identifier: Apache-2.0 */
/* test_control - the control socket, with the loop on a thread and clients that block. */
#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#include "control.h"
#include "control_parse.h"
#include "http.h"
#include "log.h"
#include "request.h"
#include "unit/fault.h"
#include "work.h"

static uv_loop_t loop;
static char dir[] = "/tmp/satellite-test-XXXXXX", path[64];

/* ---- A module ----------------------------------------------------------- */

static struct sat_request *kept;
static int left;		/* of a stream: lines to send */

static int who(void *state, struct sat_request *req)
{
	struct sat_buf b = { 0 };
	size_t len;

	(void)state;
	sat_request_body(req, &len);
	sat_buf_printf(&b, "%s %zu", sat_request_who(req), len);
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
	kept = NULL;
}

static const struct sat_stream stream = { .size = sizeof(stream), .room = go_on, .closed = on_closed };

static int begin_stream(void *state, struct sat_request *req)
{
	int rc = sat_stream_begin(req, 200, "text/plain", &stream, req);

	(void)state;
	kept = req;
	left = 1000;
	if (rc == 0)
		go_on(req);
	return rc;
}

static const struct sat_route *const routes[] = {
	&(const struct sat_route){ sizeof(struct sat_route), "GET", "/who", SAT_READ, 0, who },
	&(const struct sat_route){ sizeof(struct sat_route), "POST", "/who", SAT_READ, 0, who },
	&(const struct sat_route){ sizeof(struct sat_route), "GET", "/keep", SAT_READ, 0, keep },
	&(const struct sat_route){ sizeof(struct sat_route), "GET", "/stream", SAT_READ, 0, begin_stream },
	NULL
};
static const struct sat_module module = { .abi = SAT_ABI, .size = sizeof(module), .name = "test", .routes = routes };
static char name[] = "test";
static struct sat_self self = { .name = name, .module = &module };

/* ---- A client ----------------------------------------------------------- */

static int dial(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(at.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* Turn the loop until the other side closes; what it said, the caller's to free. */
static char *hear(int fd, size_t *len)
{
	uint64_t end = uv_hrtime() + UINT64_C(15000000000);
	size_t n = 0, size = 16 << 20;
	char *text = malloc(size);

	for (;;) {
		ssize_t got;

		uv_run(&loop, UV_RUN_NOWAIT);
		got = recv(fd, text + n, size - n - 1, 0);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
		n += got > 0 ? (size_t)got : 0;
		assert_true(uv_hrtime() < end);
	}
	close(fd);
	text[n] = '\0';
	if (len != NULL)
		*len = n;
	return text;
}

static void expect(const char *request, const char *first, const char *part)
{
	int fd = dial();
	char *text;

	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	text = hear(fd, NULL);
	if (strncmp(text, first, strlen(first)) != 0 || strstr(text, part) == NULL)
		fail_msg("%s\nwas answered\n%s", request, text);
	free(text);
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
	assert_int_equal(control_open(&loop, path), 0);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	fault_arm(0);
	control_close();
	http_end();
	request_forget(&self);
	for (int i = 0; i < 100; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	work_end();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(request_count(), 0);
	assert_int_equal(access(path, F_OK), -1);
	log_close();
	return 0;
}

/* ---- Tests -------------------------------------------------------------- */

static void who_asks_is_known(void **unused)
{
	struct passwd *p = getpwuid(getuid());
	char peer[100];

	(void)unused;
	snprintf(peer, sizeof(peer), "\r\n\r\nuid:%s 0", p->pw_name);
	expect("GET /who HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", peer);
	expect("GET /who HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", peer);
	expect("HEAD /who HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "Content-Length: ");
}

static void bodies_are_read(void **unused)
{
	(void)unused;
	expect("POST /who HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345", "HTTP/1.1 200", " 5");
	expect("POST /who HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n12",
	       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", " 2");
	expect("POST /who HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n12", "HTTP/1.1 413 ", "error");
	expect("POST /who HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 411 ", "error");
}

static void what_is_no_request_is_refused(void **unused)
{
	static const char *const bad[] = {
		"GET /who\r\n\r\n", "GET  /who HTTP/1.1\r\n\r\n", "\r\n\r\n", "GET who HTTP/1.1\r\n\r\n",
		"GET /who HTTP/1.2\r\n\r\n", "G@T /who HTTP/1.1\r\n\r\n", "GET /who HTTP/1.1\r\nno colon\r\n\r\n",
		"GET /who HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "GET /who HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
		"GET /who HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"GET /who HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"GET /who HTTP/1.1\r\nX: \x01\r\n\r\n", "GET /who HTTP/1.1\r\n folded: x\r\n\r\n",
		"GET /who\x7f HTTP/1.1\r\n\r\n",
	};
	char text[300];

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect(bad[i], "HTTP/1.1 400 Bad Request\r\n", "{\"error\": \"Bad Request\"}\n");
	expect("GET * HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "error");
	expect("OPTIONS ** HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "error");
	expect("GET /who HTTP/2.0\r\n\r\n", "HTTP/1.1 505 ", "error");
	expect("GET /nope HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", "error");
	memset(text, 'x', sizeof(text));
	memcpy(text, "GET /\0", 6);
	memcpy(text + 6, " HTTP/1.1\r\n\r\n", 13);
	assert_int_equal(control_parse(text, 19, &(struct control_head){ 0 }), 400);
}

static void a_head_has_a_limit(void **unused)
{
	size_t n = 17000;
	char *text = malloc(n + 1);
	char many[1000] = "GET /who HTTP/1.1\r\n";

	(void)unused;
	memset(text, 'a', n);
	text[n] = '\0';
	memcpy(text, "GET /", 5);
	expect(text, "HTTP/1.1 431 ", "error");
	free(text);
	for (int i = 0; i < 65; i++)
		strcat(many, "a: b\r\n");
	strcat(many, "\r\n");
	expect(many, "HTTP/1.1 431 ", "error");
}

/* 8 MB, to a client that reads it all. */
static void a_stream_waits_for_room(void **unused)
{
	int fd = dial();
	size_t len;
	char *text;

	(void)unused;
	assert_true(send(fd, "GET /stream HTTP/1.1\r\n\r\n", 24, 0) == 24);
	text = hear(fd, &len);
	assert_true(len > 8192000 && len < 8192000 + 30000);
	assert_non_null(strstr(text, "Transfer-Encoding: chunked\r\n\r\n2000\r\nxxx"));
	assert_string_equal(text + len - 7, "\r\n0\r\n\r\n");
	assert_null(kept);
	free(text);
}

static void an_old_client_gets_it_without_chunks(void **unused)
{
	int fd = dial();
	size_t len;
	char *text;

	(void)unused;
	assert_true(send(fd, "GET /stream HTTP/1.0\r\n\r\n", 24, 0) == 24);
	text = hear(fd, &len);
	assert_true(strlen(strstr(text, "\r\n\r\n") + 4) == 8192000);
	free(text);
}

static void turn_until_kept(bool wanted)
{
	uint64_t until = uv_hrtime() + UINT64_C(10000000000);

	while ((kept != NULL) != wanted) {
		assert_true(uv_hrtime() < until);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
}

static void a_client_that_goes_is_noticed(void **unused)
{
	int fd = dial();

	(void)unused;
	kept = NULL;
	assert_true(send(fd, "GET /stream HTTP/1.1\r\n\r\n", 24, 0) == 24);
	turn_until_kept(true);
	close(fd);
	turn_until_kept(false);
	fd = dial();
	assert_true(send(fd, "GET /keep HTTP/1.1\r\n\r\n", 22, 0) == 22);
	turn_until_kept(true);
	close(fd);
	for (int i = 0; i < 10; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	sat_reply(kept, 200, "text/plain", "x", 1, NULL);	/* to nobody */
	kept = NULL;
}

static void half_a_close_is_no_end(void **unused)
{
	int fd = dial();
	char *text;

	(void)unused;
	assert_true(send(fd, "GET /who HTTP/1.1\r\n\r\n", 21, 0) == 21);
	shutdown(fd, SHUT_WR);
	text = hear(fd, NULL);
	assert_non_null(strstr(text, "uid:"));
	free(text);
}

static void the_end_answers_who_waits(void **unused)
{
	int fd = dial();
	char *text;

	(void)unused;
	kept = NULL;
	assert_true(send(fd, "GET /keep HTTP/1.1\r\n\r\n", 22, 0) == 22);
	turn_until_kept(true);
	control_close();
	http_end();
	text = hear(fd, NULL);
	assert_non_null(strstr(text, "HTTP/1.1 503 "));
	free(text);
	kept = NULL;
}

static void only_so_many_are_served(void **unused)
{
	int fds[70];
	char c;
	int n = 0;

	(void)unused;
	for (int i = 0; i < 70; i++) {
		fds[i] = dial();
		for (int k = 0; k < 3; k++)
			uv_run(&loop, UV_RUN_NOWAIT);
	}
	for (int i = 0; i < 70; i++) {
		n += recv(fds[i], &c, 1, 0) == 0;
		close(fds[i]);
	}
	assert_int_equal(n, 6);
}

static void a_socket_is_one_satellite_s(void **unused)
{
	struct stat st;
	uv_loop_t other;
	char long_path[200];

	(void)unused;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(control_open(&loop, path), -EADDRINUSE);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	uv_loop_init(&other);
	assert_int_equal(control_open(&other, long_path), -ENAMETOOLONG);
	assert_int_equal(uv_loop_close(&other), 0);
	expect("GET /who HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "uid:");
}

/* A socket that nobody listens on is replaced; a file is not. */
static void a_stale_socket_is_replaced(void **unused)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	FILE *f;

	(void)unused;
	control_close();
	f = fopen(path, "w");
	fclose(f);
	assert_int_equal(control_open(&loop, path), -EADDRINUSE);
	unlink(path);
	uv_run(&loop, UV_RUN_NOWAIT);
	strcpy(at.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	assert_int_equal(control_open(&loop, path), 0);
	expect("GET /who HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "uid:");
}

static void every_failure_is_survived(void **unused)
{
	static const char request[] = "POST /who HTTP/1.1\r\nContent-Length: 3000\r\n\r\n";
	char body[3000];
	int nth = 0, fired;

	(void)unused;
	memset(body, 'x', sizeof(body));
	do {
		int fd = dial();
		char *text;

		send(fd, request, strlen(request), MSG_NOSIGNAL);
		send(fd, body, sizeof(body), MSG_NOSIGNAL);
		fault_arm(++nth + 1);	/* the first is hear()'s own */
		text = hear(fd, NULL);
		fired = fault_fired();
		fault_arm(0);
		if (!fired)
			assert_int_equal(strncmp(text, "HTTP/1.1 200", 12), 0);
		free(text);
		for (int i = 0; i < 10; i++)
			uv_run(&loop, UV_RUN_NOWAIT);
		assert_int_equal(request_count(), 0);
	} while (fired);
	assert_true(nth > 5);
}

static int make_dir(void **unused)
{
	(void)unused;
	signal(SIGPIPE, SIG_IGN);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control", dir);
	return 0;
}

static int remove_dir(void **unused)
{
	(void)unused;
	return rmdir(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_asks_is_known),
		TEST(bodies_are_read),
		TEST(what_is_no_request_is_refused),
		TEST(a_head_has_a_limit),
		TEST(a_stream_waits_for_room),
		TEST(an_old_client_gets_it_without_chunks),
		TEST(a_client_that_goes_is_noticed),
		TEST(half_a_close_is_no_end),
		TEST(the_end_answers_who_waits),
		TEST(only_so_many_are_served),
		TEST(a_socket_is_one_satellite_s),
		TEST(a_stale_socket_is_replaced),
		TEST(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
