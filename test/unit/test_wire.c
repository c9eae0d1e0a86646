/* SPDX-License-Identifier: Apache-2.0 */
/* test_wire - Riemann's messages, well-formed and not, in and out. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "self.h"
#include "unit/fault.h"
#include "wire.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct arena arena;
static uint8_t buf[100000];
static struct wire_msg msg;

/* Decode these bytes with 0xee behind them. */
static int decode(const void *p, size_t n)
{
	arena_reset(&arena);
	memcpy(buf, p, n);
	buf[n] = 0xee;
	return wire_decode(buf, n, &arena, &msg);
}
#define DECODE(s) decode(s, sizeof(s) - 1)

/* One event whose fields these bytes are. */
static int decode_event(const void *p, size_t n)
{
	uint8_t whole[300] = { 6 << 3 | 2, (uint8_t)n };

	assert_true(n < 128);
	memcpy(whole + 2, p, n);
	return decode(whole, n + 2);
}
#define EVENT(s) (assert_int_equal(decode_event(s, sizeof(s) - 1), 0), &msg.events[0].pub)

static void empty_messages_and_unknown_fields(void **unused)
{
	(void)unused;
	assert_int_equal(decode("", 0), 0);
	assert_true(msg.n == 0 && msg.query == NULL);
	/* ok, a deprecated State, fields 500 and 501, all wire types but groups. */
	assert_int_equal(DECODE("\x10\x01\x22\x02\x12\x00\xa0\x1f\x05\xaa\x1f\x02hi\x0d" "1234\x09" "12345678"), 0);
	assert_int_equal(msg.n, 0);
	assert_int_equal(DECODE("\x32\x00\x32\x00"), 0);
	assert_int_equal(msg.n, 2);
	assert_int_equal(msg.events[1].pub.has, 0);
	assert_int_equal(msg.events[1].pub.size, sizeof(struct sat_event));
	/* Fields of another wire type than theirs are unknown fields. */
	assert_null(EVENT("\x18\x05\x20\x01")->service);
}

static void malformed_messages_are_refused(void **unused)
{
	static const struct { const char *p; size_t n; } wrong[] = {
#define M(s) { s, sizeof(s) - 1 }
		M("\x32"), M("\x32\x05"), M("\x32\x80"), M("\x32\x02\x1a\x05"), M("\x32\x04\x1a\x05xy"),
		M("\x00"), M("\x00\x00"), M("\x33"), M("\x34"), M("\x36\x00"), M("\x37\x00"), M("\xff\xff"),
		M("\x32\x02\x08\xff"), M("\x32\x03\x45\x00\x00"), M("\x32\x05\x71\x00\x00\x00\x00"),
		M("\x32\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), M("\x32\x03\x4a\x05\x0a"),
		M("\x32\x02\x4a\x00"), M("\x32\x05\x4a\x03\x12\x01x"),	/* an attribute without its key */
		M("\x32\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), M("\x32\xff\xff\xff\xff\x0f"), M("\x2a\x02\x0a\x05"),
		M("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"), M("\x32\x02\x3a\x09"),
	};

	(void)unused;
	for (size_t i = 0; i < LEN(wrong); i++)
		if (decode(wrong[i].p, wrong[i].n) != -EBADMSG)
			fail_msg("message %zu", i);
}

static void strings_end_where_the_next_field_begins(void **unused)
{
	const struct sat_event *ev;

	(void)unused;
	/* Two events; every string but the tags' is followed by a field that matters. */
	assert_int_equal(DECODE("\x32\x18\x1a\x02s1\x22\x02h1\x12\x02ok\x3a\x01" "a\x3a\x02" "bc\x2a\x01" "d"
				"\x32\x08\x22\x02h2\x1a\x02s2\x12\x00\x2a\x00" + 0), -EBADMSG);
	assert_int_equal(DECODE("\x32\x16\x1a\x02s1\x22\x02h1\x12\x02ok\x3a\x01" "a\x3a\x02" "bc\x2a\x01" "d"
				"\x32\x0c\x22\x02h2\x1a\x02s2\x12\x00\x2a\x00"
				"\xa2\x1f\x01x\x32\x04\x22\x02h3"), 0);
	assert_int_equal(msg.n, 3);
	ev = &msg.events[0].pub;
	assert_string_equal(ev->service, "s1");
	assert_string_equal(ev->host, "h1");
	assert_string_equal(ev->state, "ok");
	assert_string_equal(ev->description, "d");
	assert_int_equal(ev->n_tags, 2);
	assert_string_equal(ev->tags[0], "a");
	assert_string_equal(ev->tags[1], "bc");
	assert_int_equal(ev->has, SAT_HAS_TAGS);
	ev = &msg.events[1].pub;
	assert_string_equal(ev->host, "h2");
	assert_string_equal(ev->service, "s2");
	assert_string_equal(ev->state, "");
	assert_string_equal(ev->description, "");
	assert_int_equal(ev->has, 0);
	assert_string_equal(msg.events[2].pub.host, "h3");
	assert_int_equal(buf[0], 0x32);
}

/* A time of 1 to 10 bytes, with and without bytes behind it that could be read together with it. */
static void numbers_of_any_length_are_read(void **unused)
{
	(void)unused;
	for (unsigned bits = 0; bits < 64; bits++)
		for (unsigned behind = 0; behind < 2; behind++)
			for (unsigned padded = 0; padded < 2; padded++) {
				uint64_t v = (UINT64_C(1) << bits) - (bits % 2), rest = v;
				uint8_t field[32] = { 10 << 3 };
				size_t n = 1;

				for (; rest >= 0x80; rest >>= 7)
					field[n++] = (uint8_t)(rest | 0x80);
				field[n++] = (uint8_t)rest;
				if (padded && n < 10) {		/* longer than it need be */
					field[n - 1] |= 0x80;
					field[n++] = 0;
				}
				for (unsigned i = 0; behind && i < 5; i++) {
					field[n++] = 0x18;	/* a field of another type than service's */
					field[n++] = 1;
				}
				assert_int_equal(decode_event(field, n), 0);
				if ((int64_t)v < 0)
					v = (uint64_t)-(INT64_C(1) << 62);
				else if (v > UINT64_C(1) << 62)
					v = UINT64_C(1) << 62;
				assert_int_equal(msg.events[0].pub.time, (int64_t)v);
			}
}

static void numbers_have_their_precedence(void **unused)
{
	const struct sat_event *ev;

	(void)unused;
	/* metric_f 1.5, metric_d 2.5, sint64 -3; time 7, micros 9. */
	ev = EVENT("\x7d\x00\x00\xc0\x3f\x71\x00\x00\x00\x00\x00\x00\x04\x40\x68\x05\x50\x09\x08\x07");
	assert_int_equal(ev->has, SAT_HAS_INT | SAT_HAS_TIME);
	assert_int_equal(ev->metric.i, -3);
	assert_int_equal(ev->time, 9);
	ev = EVENT("\x71\x00\x00\x00\x00\x00\x00\x04\x40\x7d\x00\x00\xc0\x3f\x08\x07");
	assert_int_equal(ev->has, SAT_HAS_DOUBLE | SAT_HAS_TIME);
	assert_true(ev->metric.d == 2.5);
	assert_int_equal(ev->time, 7 * SAT_SECOND);
	ev = EVENT("\x7d\xcd\xcc\xcc\x3d\x45\xcd\xcc\xcc\x3d");
	assert_true(ev->metric.d == (double)0.1f && ev->ttl == (double)0.1f);
	assert_int_equal(ev->has, SAT_HAS_DOUBLE | SAT_HAS_TTL);
	ev = EVENT("\x68\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	assert_int_equal(ev->metric.i, INT64_MIN);
	ev = EVENT("\x68\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	assert_int_equal(ev->metric.i, INT64_MAX);
	/* A time far off stays far off, within what can be reckoned with; a ttl of NaN is none. */
	ev = EVENT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x45\x00\x00\xc0\x7f");
	assert_true(ev->time > INT64_C(1) << 61 && ev->time < INT64_MAX / 2 + 2);
	assert_int_equal(ev->has, SAT_HAS_TIME);
	ev = EVENT("\x50\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
	assert_int_equal(ev->time, -(INT64_C(1) << 62));
}

static void attributes_are_sorted_and_may_override(void **unused)
{
	const struct sat_event *ev;

	(void)unused;
	ev = EVENT("\x4a\x06\x0a\x01x\x12\x01" "1\x4a\x06\x0a\x04tags\x4a\x0d\x0a\x05state\x12\x04" "evil\x4a\x03\x0a\x01" "b"
		   "\x12\x02ok\x4a\x08\x0a\x04time\x12\x00\x4a\x06\x0a\x01x\x12\x01" "2\x22\x01h");
	assert_string_equal(ev->state, "evil");
	assert_string_equal(ev->host, "h");
	assert_int_equal(ev->n_attrs, 2);
	assert_string_equal(ev->attrs[0].key, "b");
	assert_string_equal(ev->attrs[0].value, "");
	assert_string_equal(ev->attrs[1].key, "x");
	assert_string_equal(ev->attrs[1].value, "2");
	ev = EVENT("\x4a\x06\x0a\x04host\x22\x01h\x4a\x0c\x12\x01s\x0a\x07service\x4a\x0d\x0a\x0b" "description");
	assert_string_equal(ev->host, "");
	assert_string_equal(ev->service, "s");
	assert_string_equal(ev->description, "");
	assert_int_equal(ev->n_attrs, 0);
}

static void many_attributes_are_sorted(void **unused)
{
	uint8_t *p = buf, copy[60000];
	const struct sat_event *ev;
	size_t n;

	(void)unused;
	for (int i = 0; i < 4000; i++) {	/* keys of 4 digits, downwards; each value the running number */
		p += sprintf((char *)p, "\x4a\x0c\x0a\x04%04d\x12\x04%04d", (4000 - i) / 2, i);
	}
	n = (size_t)(p - buf);
	copy[0] = 0x32;
	copy[1] = (uint8_t)(n | 0x80);
	copy[2] = (uint8_t)(n >> 7 | 0x80);
	copy[3] = (uint8_t)(n >> 14);
	memcpy(copy + 4, buf, n);
	assert_int_equal(decode(copy, n + 4), 0);
	ev = &msg.events[0].pub;
	assert_int_equal(ev->n_attrs, 2001);
	for (uint32_t i = 1; i < ev->n_attrs; i++)
		assert_true(strcmp(ev->attrs[i - 1].key, ev->attrs[i].key) < 0);
	assert_string_equal(ev->attrs[2000].value, "0000");
	assert_string_equal(ev->attrs[1000].key, "1000");
	assert_string_equal(ev->attrs[1000].value, "2000");	/* of 1999 and 2000 the last */
}

static void nuls_inside_become_question_marks(void **unused)
{
	int64_t before = self_get(SELF_NUL_REPLACED);
	const struct sat_event *ev = EVENT("\x22\x02\0h\x1a\x05" "a\0b\0c\x12\x0e" "123456789012\0" "4\x3a\x01\0\x2a\x09" "12345678\0");

	(void)unused;
	assert_string_equal(ev->host, "?h");
	assert_string_equal(ev->service, "a?b?c");
	assert_string_equal(ev->state, "123456789012?4");
	assert_string_equal(ev->tags[0], "?");
	assert_string_equal(ev->description, "12345678?");
	assert_int_equal(self_get(SELF_NUL_REPLACED) - before, 6);
	/* Wherever it stands, in a string of any length. */
	for (size_t n = 1; n < 40; n++)
		for (size_t at = 0; at < n; at++) {
			uint8_t bytes[50] = { 0x22, (uint8_t)n };

			memset(bytes + 2, 0x80, n);
			bytes[2 + at] = 0;
			assert_int_equal(decode_event(bytes, n + 2), 0);
			assert_int_equal(strlen(msg.events[0].pub.host), n);
			assert_int_equal(msg.events[0].pub.host[at], '?');
		}
}

static void queries_stand_beside_events(void **unused)
{
	(void)unused;
	assert_int_equal(DECODE("\x2a\x06\x0a\x04true\x32\x03\x22\x01h"), 0);
	assert_string_equal(msg.query, "true");
	assert_string_equal(msg.events[0].pub.host, "h");
	assert_int_equal(DECODE("\x32\x03\x22\x01h\x2a\x06\x0a\x04true"), 0);
	assert_string_equal(msg.query, "true");
	assert_string_equal(msg.events[0].pub.host, "h");
	assert_int_equal(DECODE("\x2a\x00"), 0);
	assert_string_equal(msg.query, "");
	assert_int_equal(DECODE("\x2a\x02\x0a\x00\x2a\x04\x0a\x02no"), 0);
	assert_string_equal(msg.query, "no");
}

static void same_text(const char *a, const char *b)
{
	assert_int_equal(a != NULL, b != NULL);
	if (a != NULL)
		assert_string_equal(a, b);
}

/* What is written reads back as the same event. */
static void round_trip(const struct sat_event *ev)
{
	const struct sat_event *const evs[] = { ev, ev };
	const struct sat_event *back;
	struct sat_buf b = { 0 };

	sat_buf_message(&b, evs, 2);
	assert_int_equal((uint8_t)b.p[0] << 24 | (uint8_t)b.p[1] << 16 | (uint8_t)b.p[2] << 8 | (uint8_t)b.p[3], b.len - 4);
	assert_int_equal(decode(b.p + 4, b.len - 4), 0);
	sat_buf_free(&b);
	assert_int_equal(msg.n, 2);
	back = &msg.events[1].pub;
	assert_int_equal(back->has, ev->n_tags != 0 ? ev->has : ev->has & ~(uint32_t)SAT_HAS_TAGS);
	same_text(back->host, ev->host);
	same_text(back->service, ev->service);
	same_text(back->state, ev->state);
	same_text(back->description, ev->description);
	assert_int_equal(back->metric.i, ev->metric.i);		/* a double's bits, too */
	assert_int_equal(back->time, ev->time);
	assert_true(back->ttl == ev->ttl);
	assert_int_equal(back->n_tags, ev->n_tags);
	for (uint32_t i = 0; i < ev->n_tags; i++)
		assert_string_equal(back->tags[i], ev->tags[i]);
	assert_int_equal(back->n_attrs, ev->n_attrs);
	for (uint32_t i = 0; i < ev->n_attrs; i++) {
		assert_string_equal(back->attrs[i].key, ev->attrs[i].key);
		assert_string_equal(back->attrs[i].value, ev->attrs[i].value);
	}
}
#define ROUND(...) round_trip(&(struct sat_event){ .size = sizeof(struct sat_event), __VA_ARGS__ })

static void what_is_written_reads_back(void **unused)
{
	static const char *const tags[] = { "a", "", "long enough to be no short string" };
	static const struct sat_attr attrs[] = { { "k", "v" }, { "key", "" } };
	static const double doubles[] = { 0, -0.0, 0.1, 1e300, -1e-300, INFINITY };
	static const int64_t ints[] = { 0, 1, -1, 63, 64, INT64_MAX, INT64_MIN, INT64_C(4611686018427387905) };
	char *text = malloc(70000);

	(void)unused;
	ROUND(.host = NULL);
	ROUND(.host = "h", .service = "", .state = "ok", .description = "d", .tags = tags, .n_tags = 3,
	      .attrs = attrs, .n_attrs = 2, .ttl = 60, .has = SAT_HAS_TTL | SAT_HAS_TAGS);
	ROUND(.has = SAT_HAS_TIME, .time = INT64_C(1795358342862528));
	ROUND(.has = SAT_HAS_TIME, .time = -1);
	ROUND(.has = SAT_HAS_TAGS);
	for (size_t i = 0; i < LEN(doubles); i++)
		ROUND(.has = SAT_HAS_DOUBLE, .metric.d = doubles[i]);
	for (size_t i = 0; i < LEN(ints); i++)
		ROUND(.has = SAT_HAS_INT, .metric.i = ints[i]);
	for (size_t n = 0; n < 40000; n = n * 2 + 1) {
		memset(text, 'x', n);
		text[n] = '\0';
		ROUND(.host = text);
	}
	free(text);
}

/* A strict reader refuses the whole message for one such text. */
static void what_is_no_utf8_is_mended_when_written(void **unused)
{
	static const char *const tags[] = { "\xc3\xa9", "\xc3" };
	static const struct sat_attr attrs[] = { { "k\xff", "\x80v" } };
	const struct sat_event ev = { .size = sizeof(ev), .has = SAT_HAS_TAGS, .service = "caf\xc3\xa9",
				      .description = "a\xff\xfe long one, whose end is cut \xe2\x82", .tags = tags, .n_tags = 2,
				      .attrs = attrs, .n_attrs = 1 };
	const struct sat_event *evs[] = { &ev }, *back;
	struct sat_buf b = { 0 };

	(void)unused;
	sat_buf_message(&b, evs, 1);
	assert_int_equal(decode(b.p + 4, b.len - 4), 0);
	sat_buf_free(&b);
	back = &msg.events[0].pub;
	assert_string_equal(back->service, ev.service);
	assert_string_equal(back->description, "a?? long one, whose end is cut ??");
	assert_string_equal(back->tags[0], tags[0]);
	assert_string_equal(back->tags[1], "?");
	assert_string_equal(back->attrs[0].key, "k?");
	assert_string_equal(back->attrs[0].value, "?v");
}

static void answers(void **unused)
{
	const struct sat_event ev = { .size = sizeof(ev), .host = "h" };
	struct sat_buf b = { 0 };
	char error[100] = "?";
	size_t from;

	(void)unused;
	wire_ok(&b);
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.p, "\0\0\0\2\x10\1", 6);
	assert_int_equal(sat_answer_parse(b.p + 4, 2, error, sizeof(error)), 0);
	b.len = 0;
	wire_error(&b, "no luck");
	assert_memory_equal(b.p, "\0\0\0\x0b\x10\0\x1a\7no luck", 15);
	assert_int_equal(sat_answer_parse(b.p + 4, b.len - 4, error, sizeof(error)), -EREMOTEIO);
	assert_string_equal(error, "no luck");
	b.len = 0;
	wire_error(&b, NULL);
	assert_memory_equal(b.p, "\0\0\0\2\x10\0", 6);
	assert_int_equal(sat_answer_parse(b.p + 4, 2, error, sizeof(error)), -EREMOTEIO);
	assert_string_equal(error, "");
	b.len = 0;
	from = wire_begin(&b);
	wire_add(&b, &ev);
	wire_end(&b, from);
	assert_memory_equal(b.p, "\0\0\0\7\x10\1\x32\3\x22\1h", 11);
	assert_int_equal(sat_answer_parse(b.p + 4, b.len - 4, error, sizeof(error)), 0);
	assert_int_equal(sat_answer_parse("\x10", 1, error, sizeof(error)), -EBADMSG);
	sat_buf_free(&b);
}

static void a_query_is_written_before_events(void **unused)
{
	const struct sat_event ev = { .size = sizeof(ev), .host = "h" };
	char query[300] = "beat";
	struct sat_buf b = { 0 };
	size_t from;

	(void)unused;
	for (int i = 0; i < 3; i++) {
		b.len = 0;
		from = wire_begin_query(&b, query);
		wire_add(&b, &ev);
		wire_end(&b, from);
		assert_int_equal((unsigned char)b.p[3] | (unsigned char)b.p[2] << 8, b.len - 4);
		assert_int_equal(decode(b.p + 4, b.len - 4), 0);
		assert_string_equal(msg.query, query);
		assert_int_equal(msg.n, 1);
		assert_string_equal(msg.events[0].pub.host, "h");
		memset(query, 'q', i == 0 ? 127 : 299);	/* lengths of two bytes, and of one around one of two */
	}
	b.max = b.len = 8;
	b.full = true;
	wire_begin_query(&b, query);
	assert_int_equal(b.len, 8);
	sat_buf_free(&b);
}

static void every_failure_is_survived(void **unused)
{
	uint8_t bytes[4000], *p = bytes;
	int nth = 0, rc, fired;

	(void)unused;
	for (int i = 0; i < 400; i++)
		p += sprintf((char *)p, "\x32\x05\x3a\x03tag");
	do {
		arena_free(&arena);
		fault_arm(++nth);
		rc = decode(bytes, (size_t)(p - bytes));
		fired = fault_fired();
		fault_arm(0);
		assert_int_equal(rc, fired ? -ENOMEM : 0);
	} while (fired);
	assert_true(nth > 1);
	arena_free(&arena);
	arena.max = 64 * 1024;		/* 400 events do, 4000 do not */
	assert_int_equal(decode(bytes, 196), 0);
	memset(bytes, 0, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i += 2)
		bytes[i] = 0x32;
	assert_int_equal(decode(bytes, sizeof(bytes)), -ENOMEM);
	arena.max = 0;
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_messages_and_unknown_fields),
		cmocka_unit_test(malformed_messages_are_refused),
		cmocka_unit_test(strings_end_where_the_next_field_begins),
		cmocka_unit_test(numbers_of_any_length_are_read),
		cmocka_unit_test(numbers_have_their_precedence),
		cmocka_unit_test(attributes_are_sorted_and_may_override),
		cmocka_unit_test(many_attributes_are_sorted),
		cmocka_unit_test(nuls_inside_become_question_marks),
		cmocka_unit_test(queries_stand_beside_events),
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(what_is_no_utf8_is_mended_when_written),
		cmocka_unit_test(answers),
		cmocka_unit_test(a_query_is_written_before_events),
		cmocka_unit_test(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
