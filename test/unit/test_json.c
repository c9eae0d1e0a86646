/* SPDX-License-Identifier: Apache-2.0 */
/* test_json - documents, numbers and events as text. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "json.h"
#include "self.h"
#include "unit/fault.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static char error[200];

/* What comes out where `text` goes in: Riemann's form, or replay's. */
static void event_is(const char *text, const char *riemann, const char *replay)
{
	const struct sat_event *ev = sat_event_parse(text, strlen(text), error, sizeof(error));
	struct sat_buf b = { 0 };

	if (ev == NULL)
		fail_msg("%s: %s", text, error);
	sat_buf_event(&b, ev);
	if (riemann != NULL)
		assert_string_equal(b.p, riemann);
	sat_buf_free(&b);
	json_replay_event(&b, ev);
	if (replay != NULL)
		assert_string_equal(b.p, replay);
	sat_buf_free(&b);
	sat_drop(ev);
}

static void events_read_and_written(void **unused)
{
	(void)unused;
	event_is("{}", "{\"host\":null,\"service\":null,\"state\":null,\"description\":null,\"metric\":null,"
		 "\"tags\":null,\"time\":null,\"ttl\":null}", "null");
	event_is("{\"host\":\"a\",\"metric\":7,\"time\":1421893101.003,\"ttl\":60,\"tags\":[\"x\",\"y\"],\"k\":\"v\"}",
		 "{\"host\":\"a\",\"service\":null,\"state\":null,\"description\":null,\"metric\":7,"
		 "\"tags\":[\"x\",\"y\"],\"time\":\"2015-01-22T02:18:21.003Z\",\"ttl\":60,\"k\":\"v\"}",
		 "{\"host\":\"a\",\"metric\":7,\"tags\":[\"x\",\"y\"],\"time\":1421893101.003,\"ttl\":60,\"k\":\"v\"}");
	/* Exact to the last bit and the last microsecond. */
	event_is("{\"metric\":4611686018427387905,\"time\":1795358342.123457}", NULL,
		 "{\"metric\":4611686018427387905,\"time\":1795358342.123457}");
	event_is("{\"metric\":7.0}", NULL, "{\"metric\":7.0}");
	event_is("{\"metric\":0.1,\"ttl\":0.5}", NULL, "{\"metric\":0.1,\"ttl\":0.5}");
	event_is("{\"metric\":1e300}", NULL, "{\"metric\":1e+300}");
	event_is("{\"metric\":99999999999999999999}", NULL, "{\"metric\":1e+20}");
	event_is("{\"tags\":[]}", NULL, "{\"tags\":[]}");
	/* Attributes: sorted, the last of a key, null takes it away. */
	event_is("{\"b\":1.50,\"a\":true,\"c\":\"x\",\"b\":\"y\",\"c\":null}", NULL, "{\"a\":\"true\",\"b\":\"y\"}");
	event_is("{\"host\":\"\\u0041\\n\\\"\",\"x\":\"\\u0000\"}", NULL, "{\"host\":\"A\\n\\\"\",\"x\":\"?\"}");
}

static void a_null_takes_back_what_came_before(void **unused)
{
	static const char text[] = "{\"x\":\"y\",\"metric\":201,\"time\":5,\"ttl\":6,\"tags\":[\"a\"],"
				   "\"metric\":null,\"time\":null,\"ttl\":null,\"tags\":null}";
	const struct sat_event *ev = sat_event_parse(text, strlen(text), (char[100]){ "" }, 100);

	(void)unused;
	assert_non_null(ev);
	assert_int_equal(ev->has, 0);
	assert_int_equal(ev->metric.i, 0);
	assert_int_equal(ev->time, 0);
	assert_true(ev->ttl == 0);
	assert_int_equal(ev->n_tags, 0);
	sat_drop(ev);
}

static void times_in_many_forms(void **unused)
{
	static const struct { const char *given, *seconds; } times[] = {
		{ "\"1970-01-01T00:00:00Z\"", "0" }, { "\"1970-01-01\"", "0" },
		{ "\"2015-01-22T02:18:21.003Z\"", "1421893101.003" },
		{ "\"2015-01-22T02:18:21.0030019Z\"", "1421893101.003001" },
		{ "\"2015-01-22T04:18:21+02:00\"", "1421893101" }, { "\"2015-01-22T00:48:21-0130\"", "1421893101" },
		{ "\"2000-02-29T12:00\"", "951825600" }, { "\"1969-12-31T23:59:59.5Z\"", "-0.5" },
		{ "\"0001-01-01T00:00:00Z\"", "-62135596800" }, { "\"9999-12-31T23:59:59Z\"", "253402300799" },
		{ "0.000001", "0.000001" }, { "-1.25", "-1.25" }, { "-0.5", "-0.5" }, { "1.5e3", "1500" }, { "12", "12" },
		{ "1.23456789", "1.234567" },
	};
	static const char *const wrong[] = {
		"\"\"", "\"now\"", "\"2015-13-01\"", "\"2015-02-29\"", "\"2015-01-22T25:00Z\"", "\"2015-01-22T02:18:21.003Zx\"",
		"\"2015-01-22T02:18:21+2\"", "true", "1e300", "99999999999999999999", "[1]",
	};
	char text[100], out[100];

	(void)unused;
	for (size_t i = 0; i < LEN(times); i++) {
		snprintf(text, sizeof(text), "{\"time\":%s}", times[i].given);
		snprintf(out, sizeof(out), "{\"time\":%s}", times[i].seconds);
		event_is(text, NULL, out);
	}
	for (size_t i = 0; i < LEN(wrong); i++) {
		snprintf(text, sizeof(text), "{\"time\":%s}", wrong[i]);
		assert_null(sat_event_parse(text, strlen(text), error, sizeof(error)));
	}
	event_is("{\"time\":-0.001}", "{\"host\":null,\"service\":null,\"state\":null,\"description\":null,"
		 "\"metric\":null,\"tags\":null,\"time\":\"1969-12-31T23:59:59.999Z\",\"ttl\":null}", NULL);
}

static void wrong_events_are_refused(void **unused)
{
	static const struct { const char *text, *why; } wrong[] = {
		{ "[]", "not an object" }, { "{\"host\":1}", "host: not a string" },
		{ "{\"metric\":\"1\"}", "metric: not a number in range" }, { "{\"metric\":1e999}", "metric: not a number" },
		{ "{\"tags\":[1]}", "tags: not a list of strings" }, { "{\"tags\":\"x\"}", "tags: not a list" },
		{ "{\"ttl\":true}", "ttl: not a number" }, { "{\"x\":{}}", "x: neither a string nor a number" },
		{ "{\"x\":", "at byte 5" }, { "{\"x\":1}}", "at byte" }, { "", "" }, { "{\"x\":\"\xff\"}", "at byte" },
	};

	(void)unused;
	for (size_t i = 0; i < LEN(wrong); i++) {
		assert_null(sat_event_parse(wrong[i].text, strlen(wrong[i].text), error, sizeof(error)));
		if (strstr(error, wrong[i].why) == NULL)
			fail_msg("%s: %s", wrong[i].text, error);
	}
}

static void depth_is_limited(void **unused)
{
	char text[1000];
	struct arena a = { 0 };

	(void)unused;
	memset(text, '[', 500);
	memset(text + 500, ']', 500);
	assert_null(json_parse(&a, text, 1000, error, sizeof(error)));
	assert_non_null(strstr(error, "nested too deep"));
	assert_non_null(json_parse(&a, text + 440, 120, error, sizeof(error)));
	arena_free(&a);
}

static void a_document_comes_out_as_it_went_in(void **unused)
{
	static const char text[] = "{\"a\":[1,2.50,-0,1e5,true,false,null,\"x\\u0000y\"],\"b\":{\"c\":{}},\"b\":[]}";
	struct arena a = { 0 };
	struct json *doc = json_parse(&a, text, strlen(text), error, sizeof(error));
	struct sat_buf b = { 0 };

	(void)unused;
	assert_non_null(doc);
	json_write(&b, doc);
	assert_string_equal(b.p, text);
	assert_int_equal(json_get(doc, "b")->kind, JSON_ARRAY);
	assert_null(json_get(doc, "z"));
	sat_buf_free(&b);
	arena_free(&a);
}

static void numbers_read_back(void **unused)
{
	static const struct { double d; const char *text; } numbers[] = {
		{ 7, "7.0" }, { 0.1, "0.1" }, { -0.0, "-0.0" }, { 1.0 / 3, "0.333333333333333" },
		{ 5e-324, "4.94065645841247e-324" }, { 1e16, "1e+16" }, { 123456789.123456789, "123456789.123457" },
		{ NAN, "null" }, { INFINITY, "null" },
	};
	struct sat_buf b = { 0 };

	(void)unused;
	for (size_t i = 0; i < LEN(numbers); i++) {
		b.len = 0;
		sat_buf_double(&b, numbers[i].d);
		if (isfinite(numbers[i].d))
			assert_true(strtod(b.p, NULL) == numbers[i].d);
		if (strtod(numbers[i].text, NULL) == numbers[i].d)
			assert_string_equal(b.p, numbers[i].text);
	}
	for (double d = 1e-9; d < 1e9; d *= 1.7) {
		b.len = 0;
		sat_buf_double(&b, d);
		assert_true(strtod(b.p, NULL) == d);
	}
	sat_buf_free(&b);
}

static void what_is_not_utf8_is_replaced(void **unused)
{
	struct sat_buf b = { 0 };

	(void)unused;
	sat_buf_json(&b, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8d \xff \xc3 \xed\xa0\x80\x01\x7f");
	assert_string_equal(b.p, "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8d \xef\xbf\xbd \xef\xbf\xbd "
			    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\u0001\x7f\"");
	b.len = 0;
	sat_buf_json(&b, NULL);
	assert_string_equal(b.p, "null");
	sat_buf_free(&b);
}

/* Two names that would be one when they are written are one from the beginning. */
static void what_is_read_is_utf8(void **unused)
{
	static const char text[] = "{\"a\\ude00\":\"x\",\"a\\udd00\":\"y\\udc00!\",\"b\xe0\x80\x80\":\"gr\xc3\xbc\xc3\x9f\"}";
	const struct sat_event *ev = sat_event_parse(text, strlen(text), (char[100]){ "" }, 100);

	(void)unused;
	assert_non_null(ev);
	assert_int_equal(ev->n_attrs, 2);
	assert_string_equal(ev->attrs[0].key, "a\xef\xbf\xbd");
	assert_string_equal(ev->attrs[0].value, "y\xef\xbf\xbd!");
	assert_string_equal(ev->attrs[1].key, "b???");
	assert_string_equal(ev->attrs[1].value, "gr\xc3\xbc\xc3\x9f");
	sat_drop(ev);
}

static void a_buffer_has_a_maximum(void **unused)
{
	struct sat_buf b = { .max = 1000 };
	char text[400];

	(void)unused;
	memset(text, 'x', sizeof(text));
	sat_buf_add(&b, text, 400);
	sat_buf_add(&b, text, 400);
	assert_false(b.full);
	sat_buf_add(&b, text, 400);
	assert_true(b.full);
	assert_int_equal(b.len, 800);
	sat_buf_add(&b, text, 1);
	assert_int_equal(b.len, 800);
	sat_buf_free(&b);
	sat_buf_printf(&b, "%0400d", 7);
	assert_int_equal(b.len, 400);
	assert_int_equal(b.p[399], '7');
	assert_true(b.max == 1000 && !b.full);
	sat_buf_add(&b, text, 400);
	sat_buf_add(&b, text, 200);
	assert_int_equal(b.len, 1000);
	assert_false(b.full);
	sat_buf_free(&b);
}

static void every_failure_is_survived(void **unused)
{
	static const char text[] = "{\"host\":\"a\",\"tags\":[\"x\"],\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}";
	const struct sat_event *ev;
	struct sat_buf b = { 0 };
	int nth = 0, fired;

	(void)unused;
	do {
		fault_arm(++nth);
		ev = sat_event_parse(text, strlen(text), error, sizeof(error));
		if (ev != NULL)
			sat_buf_event(&b, ev);
		fired = fault_fired();
		fault_arm(0);
		assert_int_equal(ev == NULL || b.full, fired);
		sat_drop(ev);
		sat_buf_free(&b);
	} while (fired);
	assert_true(nth > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_read_and_written),
		cmocka_unit_test(a_null_takes_back_what_came_before),
		cmocka_unit_test(times_in_many_forms),
		cmocka_unit_test(wrong_events_are_refused),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(a_document_comes_out_as_it_went_in),
		cmocka_unit_test(numbers_read_back),
		cmocka_unit_test(what_is_not_utf8_is_replaced),
		cmocka_unit_test(what_is_read_is_utf8),
		cmocka_unit_test(a_buffer_has_a_maximum),
		cmocka_unit_test(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
