/* SPDX-License-Identifier: Apache-2.0 */
/* test_http-civetweb_frames - messages in pieces, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../modules/http-civetweb/frames.h"
#include "unit/fault.h"

#define LAST 0x80u
enum { MORE, TEXT, BINARY, CLOSE = 8, PING, PONG };

static struct frames f;

static int begin(void **unused)
{
	(void)unused;
	memset(&f, 0, sizeof(f));
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	frames_free(&f);
	return 0;
}

static enum frames_what take(unsigned head, const char *text)
{
	return frames_take(&f, head, text, strlen(text));
}

static void is_message(enum frames_what what, const char *text)
{
	assert_int_equal(what, FRAMES_MESSAGE);
	assert_int_equal(f.len, strlen(text));
	assert_memory_equal(f.p, text, f.len);
}

static void is_wrong(enum frames_what what, unsigned code)
{
	assert_int_equal(what, FRAMES_WRONG);
	assert_int_equal(f.code, code);
	assert_true(f.len > 0);
	frames_free(&f);
	memset(&f, 0, sizeof(f));
}

static void pieces_are_put_together(void **unused)
{
	(void)unused;
	is_message(take(LAST | TEXT, "one"), "one");
	is_message(take(LAST | BINARY, "\xff"), "\xff");
	is_message(take(LAST | TEXT, ""), "");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(take(TEXT, "th"), FRAMES_NOTHING);
		assert_int_equal(take(LAST | PONG, ""), FRAMES_NOTHING);
		assert_int_equal(take(MORE, "re"), FRAMES_NOTHING);
		assert_int_equal(take(LAST | PING, "there?"), FRAMES_PING);
		assert_memory_equal(f.p, "there?", 6);
		is_message(take(LAST | MORE, "e"), "three");
	}
	assert_int_equal(take(TEXT, ""), FRAMES_NOTHING);
	is_message(take(LAST | MORE, ""), "");
	is_message(take(LAST | TEXT, "two"), "two");
	/* A character may be cut in two. */
	assert_int_equal(take(TEXT, "\xc3"), FRAMES_NOTHING);
	is_message(take(LAST | MORE, "\xa4"), "\xc3\xa4");
}

static void what_is_out_of_turn_is_wrong(void **unused)
{
	(void)unused;
	is_wrong(take(MORE, "a"), 1002);
	is_wrong(take(LAST | MORE, "a"), 1002);
	assert_int_equal(take(TEXT, "a"), FRAMES_NOTHING);
	is_wrong(take(LAST | TEXT, "b"), 1002);
	assert_int_equal(take(BINARY, "a"), FRAMES_NOTHING);
	is_wrong(take(BINARY, "b"), 1002);
	for (unsigned opcode = 3; opcode < 16; opcode++)
		if (opcode < 8 || opcode > 10)
			is_wrong(take(LAST | opcode, ""), 1002);
	for (unsigned bit = 0x10; bit < LAST; bit <<= 1) {
		is_wrong(take(LAST | bit | TEXT, "a"), 1002);
		is_wrong(take(LAST | bit | PING, ""), 1002);
	}
	is_wrong(take(PING, ""), 1002);
	is_wrong(take(CLOSE, ""), 1002);
}

static void messages_have_a_limit(void **unused)
{
	static char most[SAT_BODY_MAX + 1];

	(void)unused;
	memset(most, 'x', sizeof(most));
	assert_int_equal(frames_take(&f, LAST | TEXT, most, SAT_BODY_MAX), FRAMES_MESSAGE);
	is_wrong(frames_take(&f, LAST | TEXT, most, SAT_BODY_MAX + 1), 1009);
	is_wrong(frames_take(&f, TEXT, most, SAT_BODY_MAX + 1), 1009);
	for (size_t n = 0; n < SAT_BODY_MAX; n += SAT_BODY_MAX / 8)
		assert_int_equal(frames_take(&f, n == 0 ? TEXT : MORE, most, SAT_BODY_MAX / 8), FRAMES_NOTHING);
	assert_int_equal(frames_take(&f, LAST | MORE, "", 0), FRAMES_MESSAGE);
	assert_int_equal(f.len, SAT_BODY_MAX);
	assert_int_equal(frames_take(&f, TEXT, most, SAT_BODY_MAX), FRAMES_NOTHING);
	is_wrong(take(MORE, "x"), 1009);
	assert_int_equal(frames_take(&f, LAST | PING, most, 125), FRAMES_PING);
	is_wrong(frames_take(&f, LAST | PING, most, 126), 1002);
}

static void text_is_utf8(void **unused)
{
	static const char *const good[] = {
		"\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
		"\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xe2\x82\xac!",
	};
	static const char *const bad[] = {
		"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3" "a", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82", "\xe2\x82" "a",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x90\x80", "a\xff",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		is_message(take(LAST | TEXT, good[i]), good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		is_wrong(take(LAST | TEXT, bad[i]), 1007);
	assert_int_equal(take(TEXT, "\xc3"), FRAMES_NOTHING);
	is_wrong(take(LAST | MORE, "a"), 1007);
}

static void a_close_has_a_code_or_none(void **unused)
{
	static const unsigned good[] = { 1000, 1001, 1002, 1003, 1007, 1014, 3000, 4999 };
	static const unsigned bad[] = { 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535 };
	char text[3] = "";

	(void)unused;
	assert_int_equal(take(LAST | CLOSE, ""), FRAMES_CLOSE);
	assert_int_equal(f.code, 0);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		text[0] = (char)(good[i] >> 8);
		text[1] = (char)(good[i] & 0xff);
		assert_int_equal(frames_take(&f, LAST | CLOSE, text, 2), FRAMES_CLOSE);
		assert_int_equal(f.code, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		text[0] = (char)(bad[i] >> 8);
		text[1] = (char)(bad[i] & 0xff);
		is_wrong(frames_take(&f, LAST | CLOSE, text, 2), 1002);
	}
	is_wrong(take(LAST | CLOSE, "\x03"), 1002);
	assert_int_equal(take(LAST | CLOSE, "\x03\xe8" "bye"), FRAMES_CLOSE);
	is_wrong(take(LAST | CLOSE, "\x03\xe8\xff"), 1007);
}

static void ours_say_how_long_they_are(void **unused)
{
	char head[FRAMES_HEAD];

	(void)unused;
	assert_int_equal(frames_head(head, TEXT, 125), 2);
	assert_memory_equal(head, "\x81\x7d", 2);
	assert_int_equal(frames_head(head, TEXT, 126), 4);
	assert_memory_equal(head, "\x81\x7e\x00\x7e", 4);
	assert_int_equal(frames_head(head, BINARY, 65535), 4);
	assert_memory_equal(head, "\x82\x7e\xff\xff", 4);
	assert_int_equal(frames_head(head, TEXT, 0x12345678), 10);
	assert_memory_equal(head, "\x81\x7f\0\0\0\0\x12\x34\x56\x78", 10);
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		enum frames_what what;

		fault_arm(++nth);
		what = take(TEXT, "one");
		if (what == FRAMES_NOTHING)
			what = take(LAST | MORE, " and two");
		fired = fault_fired();
		fault_arm(0);
		if (fired)
			is_wrong(what, 1011);
		else
			is_message(what, "one and two");
	} while (fired);
	assert_true(nth > 1);
}

/* In pieces of `piece` bytes. */
static bool pass(const char *p, size_t n, size_t piece, struct sat_buf *out)
{
	struct frames_way w = { 0 };
	bool goes = true;

	for (size_t at = 0; at < n && goes; at += piece)
		goes = frames_pass(&w, p + at, piece < n - at ? piece : n - at, out);
	return goes;
}

static void frames_pass_as_they_are_up_to_the_limit(void **unused)
{
	static char text[400] = "\x81\x83mask123\x89\x00\x01\x02no\x81\xfe\x00\x80mask";
	static const char *const over[] = {
		"\x81\xff\0\0\0\0\0\x10\0\x01mask", "\x81\xff\0\0\0\0\x7f\xff\0\0mask",
		"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xffmask", "\x81\x7f\0\0\0\0\0\x10\0\x01more",
	};
	static const char most[] = "\x81\xff\0\0\0\0\0\x10\0\0mask";
	size_t n = 23 + 128;

	(void)unused;
	for (size_t piece = 1; piece <= n; piece++) {
		struct sat_buf out = { 0 };

		assert_true(pass(text, n, piece, &out));
		assert_int_equal(out.len, n);
		assert_memory_equal(out.p, text, n);
		sat_buf_free(&out);
	}
	for (size_t i = 0; i < 4; i++)
		for (size_t piece = 1; piece <= 14; piece++) {
			struct sat_buf out = { 0 };

			assert_false(pass(over[i], 14, piece, &out));
			assert_int_equal(out.len, 8);
			assert_memory_equal(out.p, "\x88\x82\0\0\0\0\x03\xf1", 8);
			sat_buf_free(&out);
		}
	for (size_t piece = 1; piece <= 14; piece++) {
		struct sat_buf out = { 0 };

		assert_true(pass(most, 14, piece, &out));
		assert_int_equal(out.len, 14);
		sat_buf_free(&out);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pieces_are_put_together),
		TEST(what_is_out_of_turn_is_wrong),
		TEST(messages_have_a_limit),
		TEST(text_is_utf8),
		TEST(a_close_has_a_code_or_none),
		TEST(ours_say_how_long_they_are),
		TEST(frames_pass_as_they_are_up_to_the_limit),
		TEST(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
