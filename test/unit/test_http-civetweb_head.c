/* SPDX-License-Identifier: Apache-2.0 */
/* test_http-civetweb_head - where a request ends, however it comes, and what has two ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../modules/http-civetweb/head.h"

static struct head h;

static int rc_of(const char *text)
{
	return head_read(text, strlen(text), &h);
}

static void a_head_ends_with_an_empty_line(void **unused)
{
	static const char text[] = "POST /a HTTP/1.1\r\nHost: x\r\ncontent-LENGTH:  12 \r\n\r\nbody\r\n\r\n";
	size_t len = strlen(text) - strlen("body\r\n\r\n");

	(void)unused;
	for (size_t n = 0; n < len; n++) {
		assert_int_equal(head_read(text, n, &h), 0);
		assert_int_equal(h.len, 0);
	}
	assert_int_equal(rc_of(text), 0);
	assert_int_equal(h.len, len);
	assert_int_equal(h.body, 12);
	assert_false(h.chunked || h.upgrade || h.expects);
	assert_int_equal(rc_of("GET / HTTP/1.0\n\n\r\n\r\n"), 0);
	assert_int_equal(h.len, 16);
	assert_int_equal(rc_of("GET / HTTP/1.1\r\nupgrade: websocket\r\nEXPECT: 100-Continue\r\n\r\n"), 0);
	assert_true(h.upgrade && h.expects);
	assert_int_equal(rc_of("PUT / HTTP/1.1\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\n"), 0);
	assert_false(h.upgrade);	/* an offer that nobody has to take */
	assert_int_equal(rc_of("GET / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n"), 0);
	assert_true(h.chunked);
}

static void empty_lines_before_it_are_skipped(void **unused)
{
	static const struct { const char *text, *left; } some[] = {
		{ "G", "G" }, { "\r\nG", "G" }, { "\nG\n", "G\n" }, { "\r\n\r\n\n\r\nGET", "GET" }, { "\r", "\r" },
		{ "\r\n\r", "\r" }, { "\rG", "\rG" }, { "\r\r\n", "\r\r\n" }, { " \r\n", " \r\n" }, { "\r\n", "" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++) {
		struct sat_buf b = { 0 };

		sat_buf_add(&b, some[i].text, strlen(some[i].text));
		head_skip(&b);
		assert_int_equal(b.len, strlen(some[i].left));
		assert_memory_equal(b.p, some[i].left, b.len);
		sat_buf_free(&b);
	}
}

/* Two readers could take another end for the end. */
static void what_may_be_read_in_two_ways_is_refused(void **unused)
{
	static const char *const bad[] = {
		"Content-Length: 1\r\nContent-Length: 1", "Content-Length: 1\r\nTransfer-Encoding: chunked",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked",
		"Content-Length: +1", "Content-Length: 1 1", "Content-Length:", "Content-Length: 0x1",
		"Content-Length : 1", "X: y\r\n Content-Length: 1", "no colon", ": none",
		"Transfer-Encoding: chunked\r\nUpgrade: websocket", "X: \x01", "X: \x7f",
		"X y: z", "X\xc3\xa4: y\r\nContent-Length: 1",
		"Content-Length: 1\r\nUpgrade: websocket", "Upgrade: WebSocket \r\nUpgrade: h2c\r\nContent-Length: 1",
	};
	char text[200];

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s\r\n\r\n", bad[i]);
		if (rc_of(text) != 400)
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(rc_of("\x16\x03\x01"), 400);		/* TLS, before there is a line */
	assert_int_equal(rc_of("GET / HTTP/1.1\r\nContent-Length: 9999999999999999\r\n\r\n"), 413);
}

static void a_head_has_a_limit(void **unused)
{
	static char text[HEAD_MAX + 10];

	(void)unused;
	memset(text, 'a', sizeof(text));
	assert_int_equal(head_read(text, HEAD_MAX - 1, &h), 0);
	assert_int_equal(head_read(text, HEAD_MAX, &h), 431);
	memcpy(text, "GET / HTTP/1.1\r\nX:", 18);
	memcpy(text + HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(head_read(text, HEAD_MAX, &h), 0);
	assert_int_equal(h.len, HEAD_MAX);
}

/* civetweb would not see those that come after. */
static void headers_have_a_limit(void **unused)
{
	char text[1000] = "GET / HTTP/1.1\r\n";

	(void)unused;
	for (int i = 0; i < 64; i++)
		strcat(text, "X: y\r\n");
	strcat(text, "\r\n");
	assert_int_equal(rc_of(text), 0);
	strcpy(text + strlen(text) - 2, "X: y\r\n\r\n");
	assert_int_equal(rc_of(text), 431);
}

/* What becomes of it, with what follows. */
static void path_is(const char *from, const char *to)
{
	struct sat_buf b = { 0 };

	sat_buf_add(&b, from, strlen(from));
	assert_int_equal(rc_of(from), 0);
	assert_int_equal(head_path(&b, &h), 0);
	assert_int_equal(b.len, strlen(to));
	assert_memory_equal(b.p, to, b.len);
	assert_int_equal(h.len, b.len - strlen("body"));
	sat_buf_free(&b);
}

static void a_whole_url_is_cut_to_its_path(void **unused)
{
	(void)unused;
	path_is("GET http://a:1/b?c HTTP/1.1\r\n\r\nbody", "GET /b?c HTTP/1.1\r\n\r\nbody");
	path_is("GET HTTP://a HTTP/1.1\r\n\r\nbody", "GET / HTTP/1.1\r\n\r\nbody");
	path_is("GET http://a?b HTTP/1.1\r\n\r\nbody", "GET /?b HTTP/1.1\r\n\r\nbody");
	path_is("GET http://\r\n\r\nbody", "GET /\r\n\r\nbody");
	path_is("GET /http://a HTTP/1.1\r\n\r\nbody", "GET /http://a HTTP/1.1\r\n\r\nbody");
	path_is("OPTIONS * HTTP/1.1\r\nX: y\r\n\r\nbody", "OPTIONS /* HTTP/1.1\r\nX: y\r\n\r\nbody");
}

static void what_is_no_path_is_refused(void **unused)
{
	static const char *const bad[] = {
		"GET", "\r\n\r\n", "GET ", "GET * HTTP/1.1", "OPTIONS *", "OPTIONS ** HTTP/1.1", " GET / HTTP/1.1",
		"GET https://a/b HTTP/1.1", "GET a HTTP/1.1", "CONNECT a:80 HTTP/1.1", "GET http: HTTP/1.1",
		"GET http://", "OPTIONS * ",
	};
	char text[100];

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct sat_buf b = { 0 };

		snprintf(text, sizeof(text), "%s\nHost: http://a/b\n\n", bad[i]);
		sat_buf_add(&b, text, strlen(text));
		assert_int_equal(rc_of(text), 0);
		if (head_path(&b, &h) != 400)
			fail_msg("taken: %s", bad[i]);
		sat_buf_free(&b);
	}
}

/* In pieces of every size. */
static int chunked(const char *text, bool whole)
{
	size_t n = strlen(text);
	int rc = 0;

	for (size_t piece = n; piece > 0; piece--) {
		struct chunks c = { 0 };

		rc = 0;
		for (size_t at = 0; at < n && rc == 0; at += piece)
			rc = chunks_read(&c, text + at, piece < n - at ? piece : n - at);
		assert_int_equal(rc == 0 && c.at == CHUNK_DONE, whole);
	}
	return rc;
}

static void chunks_come_in_pieces(void **unused)
{
	(void)unused;
	assert_int_equal(chunked("3\r\nabc\r\n0\r\n\r\n", true), 0);
	assert_int_equal(chunked("0\r\n\r\n", true), 0);
	assert_int_equal(chunked("0\r\nA: b\r\nC: d\r\n\r\nmore", true), 0);
	assert_int_equal(chunked("00A\r\n0123456789\r\n1\r\n\n\r\n0\r\n\r\n", true), 0);
	assert_int_equal(chunked("3\r\nabc\r\n0\r\n", false), 0);
	assert_int_equal(chunked("3\r\nab", false), 0);
}

static void chunks_that_are_none_are_refused(void **unused)
{
	char text[2000] = "0\r\n";
	struct chunks c = { 0 };

	(void)unused;
	assert_int_equal(chunked("\r\n", false), 400);
	assert_int_equal(chunked("g\r\n", false), 400);
	assert_int_equal(chunked("-1\r\n", false), 400);
	assert_int_equal(chunked("1;ext\r\n", false), 400);
	assert_int_equal(chunked("1\nab", false), 400);
	assert_int_equal(chunked("1\r\nabc", false), 400);
	assert_int_equal(chunked("1\r\na\rb", false), 400);
	assert_int_equal(chunked("100001\r\n", false), 413);
	assert_int_equal(chunked("fffffffff\r\n", false), 413);
	memset(text + 3, 'x', sizeof(text) - 4);
	assert_int_equal(chunks_read(&c, text, strlen(text)), 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_ends_with_an_empty_line),
		cmocka_unit_test(empty_lines_before_it_are_skipped),
		cmocka_unit_test(what_may_be_read_in_two_ways_is_refused),
		cmocka_unit_test(a_head_has_a_limit),
		cmocka_unit_test(headers_have_a_limit),
		cmocka_unit_test(a_whole_url_is_cut_to_its_path),
		cmocka_unit_test(what_is_no_path_is_refused),
		cmocka_unit_test(chunks_come_in_pieces),
		cmocka_unit_test(chunks_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
