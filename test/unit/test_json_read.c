/* SPDX-License-Identifier: Apache-2.0 */
/* test_json_read - documents in pieces and whole, and what they cannot do to us. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <satellite/module.h>
#include "unit/fault.h"

static int enter(void *arg, unsigned level, const char *key, bool list)
{
	snprintf((char *)arg + strlen(arg), 64, "%u%s%c ", level, key, list ? '[' : '{');
	return strcmp(key, "skip") == 0 ? SAT_JSON_SKIP : SAT_JSON_ENTER;
}

static int note(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	snprintf((char *)arg + strlen(arg), 64, "%u%s=%d%.*s ", level, key, (int)v->kind + 10 * v->truth,
		 (int)v->len, v->text != NULL ? v->text : "");
	return level == 1 && strcmp(key, "stop") == 0 ? -ESTALE : 0;
}

static int leave(void *arg, unsigned level)
{
	snprintf((char *)arg + strlen(arg), 64, "%u} ", level);
	return 0;
}

static const struct sat_json_calls notes = {
	.size = sizeof(notes), .lax = true, .open = enter, .value = note, .close = leave,
};

/* In pieces of n bytes; what was heard goes to out. */
static int read_in(const char *text, size_t n, char *out)
{
	struct sat_json *j;
	size_t len = strlen(text), at;
	int rc = 0;

	out[0] = '\0';
	j = sat_json_new(&notes, out, 0);
	if (j == NULL)
		return -ENOMEM;
	for (at = 0; at < len && rc == 0; at += n)
		rc = sat_json_feed(j, text + at, len - at < n ? len - at : n);
	if (rc == 0)
		rc = sat_json_end(j);
	sat_json_free(j);
	return rc;
}

static void a_document_reads_the_same_in_any_pieces(void **unused)
{
	static const char text[] = "{\"a\\/b\": [1, -2.50e3, true, null, \"\\u00e9\"], "
				   "\"skip\": {\"x\": [{}, 1]}, \"z\": false}";
	char out[1024];
	size_t n;

	(void)unused;
	for (n = 1; n < sizeof(text) + 1; n++) {
		assert_int_equal(read_in(text, n, out), 0);
		assert_string_equal(out, "0{ 1a/b[ 2=21 2=2-2.50e3 2=11 2=0 2=3\xc3\xa9 1} 1skip{ 1z=1 0} ");
	}
}

/* Whole; what was heard goes to out. */
static int read_whole(const char *text, bool lax, char *out)
{
	struct sat_json_calls calls = notes;
	char error[100];

	calls.lax = lax;
	out[0] = '\0';
	return sat_json_read(text, strlen(text), &calls, out, error, sizeof(error));
}

static void a_number_that_is_none_costs_itself_alone(void **unused)
{
	static const char text[] = "{\"a\":NaN,\"NaN\\\",nan\":-inf,\"b\":[Infinity,-nan, -1,null],\"c\":1}";
	static const char *const worse[] = { "{\"a\":nano}", "{\"a\":--inf}", "nan 1", "{NaN:1", "{\"a\":infinit}" };
	char out[1024];

	(void)unused;
	assert_int_equal(read_whole(text, true, out), 0);
	assert_string_equal(out, "0{ 1a=3 1NaN\",nan=3 1b[ 2=3 2=3 2=2-1 2=0 1} 1c=21 0} ");
	assert_int_equal(read_whole(text, false, out), -EBADMSG);
	for (size_t i = 0; i < sizeof(worse) / sizeof(*worse); i++)
		assert_int_equal(read_whole(worse[i], true, out), -EBADMSG);
	assert_int_equal(read_whole("\xef\xbb\xbf{}", true, out), 0);
	assert_int_equal(read_whole("\xef\xbb\xbf", true, out), -EBADMSG);
	assert_int_equal(read_whole("{}\xef\xbb\xbf", true, out), -EBADMSG);
	fault_arm(2);		/* the copy */
	assert_int_equal(read_whole(text, true, out), -EBADMSG);
	assert_true(fault_fired());
	fault_arm(0);
}

static void what_is_no_document_is_refused(void **unused)
{
	static const char *const texts[] = {
		"", " ", "{", "{\"a\":1", "{}x", "[1,]", "{\"a\" 1}", "nul", "\"a", "{\"a\":1}{", "\xff",
	};
	char out[1024], deep[200];
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(read_in(texts[i], 3, out), -EBADMSG);
	assert_int_equal(read_in("{\"stop\":1,\"more\":2}", 100, out), -ESTALE);
	assert_null(strstr(out, "more"));
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(read_in(deep, 7, out), -E2BIG);
	memcpy(deep, "{\"skip\":", 8);
	assert_int_equal(read_in(deep, 7, out), -E2BIG);
}

static int deaf(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	(void)level;
	(void)key;
	*(size_t *)arg = v->len;
	return 0;
}

/* Half a megabyte in one string is fine, escaped too; one without end is not kept. */
static void a_long_string_stays_in_bounds(void **unused)
{
	static const struct sat_json_calls calls = { .size = sizeof(calls), .open = enter, .value = deaf };
	static char a[5000];
	struct sat_json *j;
	size_t got = 0;
	int i, rc = 0;

	(void)unused;
	for (i = 0; i < 2500; i++)
		memcpy(a + 2 * i, "\\n", 2);
	j = sat_json_new(&calls, &got, 0);
	assert_int_equal(sat_json_feed(j, "\"", 1), 0);
	for (i = 0; i < 50; i++)
		assert_int_equal(sat_json_feed(j, a, sizeof(a)), 0);
	assert_int_equal(sat_json_feed(j, "\"", 1), 0);
	assert_int_equal(sat_json_end(j), 0);
	assert_int_equal(got, 50 * 2500);
	sat_json_free(j);
	j = sat_json_new(&calls, &got, 0);
	rc = sat_json_feed(j, "\"", 1);
	for (i = 0; i < 10000 && rc == 0; i++)
		rc = sat_json_feed(j, a, sizeof(a));
	assert_int_equal(rc, -E2BIG);
	assert_int_equal(sat_json_feed(j, a, 1), -E2BIG);
	sat_json_free(j);
}

/* Of a whole text a string may have any length, and all of it in escapes. */
static void a_whole_text_has_no_longest_string(void **unused)
{
	static const struct sat_json_calls calls = { .size = sizeof(calls), .open = enter, .value = deaf };
	size_t n = 4 << 20, got = 0;
	char *text = malloc(n), error[200];

	(void)unused;
	assert_non_null(text);
	for (size_t i = 0; i < n; i += 2)
		memcpy(text + i, "\\n", 2);
	text[0] = text[1] = ' ';
	text[1] = text[n - 1] = '"';
	text[n - 2] = 'n';
	assert_int_equal(sat_json_read(text, n, &calls, &got, error, sizeof(error)), 0);
	assert_int_equal(got, (n - 4) / 2 + 1);
	assert_int_equal(sat_json_read(text, n - 1, &calls, &got, error, sizeof(error)), -EBADMSG);
	free(text);
}

static void strict_texts_are_utf8_and_keys_without_nul(void **unused)
{
	static const struct sat_json_calls calls = { .size = sizeof(calls), .open = enter, .value = note };
	char out[1024] = "", error[200];

	(void)unused;
	assert_int_equal(sat_json_read("[\"\xff\"]", 5, &calls, out, error, sizeof(error)), -EBADMSG);
	assert_non_null(strstr(error, "at byte"));
	assert_int_equal(sat_json_read("{\"a\\u0000\":1}", 13, &calls, out, error, sizeof(error)), -EBADMSG);
	assert_int_equal(read_in("{\"a\\u0000\":1}", 100, out), 0);
	assert_string_equal(out, "0{ 1=21 0} ");
}

static int where(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	struct sat_json **j = arg;

	(void)level;
	(void)v;
	assert_int_equal(sat_json_position(*j), strcmp(key, "a") == 0 ? 10 : 18);
	return 0;
}

static int go_in(void *arg, unsigned level, const char *key, bool list)
{
	(void)arg;
	(void)level;
	(void)key;
	(void)list;
	return SAT_JSON_ENTER;
}

static void a_call_may_ask_where_it_is(void **unused)
{
	static const struct sat_json_calls calls = { .size = sizeof(calls), .open = go_in, .value = where };
	static const char text[] = "{\"a\": true, \"b\":\"\"}";
	struct sat_json *j;

	(void)unused;
	j = sat_json_new(&calls, &j, 0);
	assert_int_equal(sat_json_feed(j, text, 5), 0);
	assert_int_equal(sat_json_feed(j, text + 5, sizeof(text) - 6), 0);
	assert_int_equal(sat_json_position(j), sizeof(text) - 1);
	sat_json_free(j);
}

static void every_failure_is_survived(void **unused)
{
	static const char text[] = "{\"a\": [1, {\"some longer key, for which there is to be more room than there was: "
				   "and more, and more\": \"\\u00e9\"}]}";
	char out[1024], error[200];
	int nth = 0, rc;

	(void)unused;
	do {
		out[0] = '\0';
		fault_arm(++nth);
		rc = sat_json_read(text, sizeof(text) - 1, &notes, out, error, sizeof(error));
		assert_int_equal(rc, fault_fired() ? -ENOMEM : 0);
	} while (fault_fired());
	assert_true(nth > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_reads_the_same_in_any_pieces),
		cmocka_unit_test(a_number_that_is_none_costs_itself_alone),
		cmocka_unit_test(what_is_no_document_is_refused),
		cmocka_unit_test(a_long_string_stays_in_bounds),
		cmocka_unit_test(a_whole_text_has_no_longest_string),
		cmocka_unit_test(strict_texts_are_utf8_and_keys_without_nul),
		cmocka_unit_test(a_call_may_ask_where_it_is),
		cmocka_unit_test(every_failure_is_survived),
	};

	return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
