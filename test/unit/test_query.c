/* SPDX-License-Identifier: Apache-2.0 */
/* test_query - what queries match, and what is said of wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "clock.h"
#include "event.h"
#include "query.h"
#include "unit/fault.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static char error[200];
static const char *const tags[] = { "prod", "eu" };
static const struct sat_attr attrs[] = { { "custom", "v" }, { "ns/k", "w" }, { "number", "5" } };
static const struct sat_event web = {
	.size = sizeof(web), .has = SAT_HAS_TIME | SAT_HAS_TTL | SAT_HAS_DOUBLE | SAT_HAS_TAGS,
	.host = "web-1", .service = "cpu load", .state = "ok", .description = "fine \"x\"",
	.time = 10 * SAT_SECOND, .ttl = 60, .metric.d = 2.5, .tags = tags, .n_tags = 2, .attrs = attrs, .n_attrs = 3,
};
static const struct sat_event bare = { .size = sizeof(bare) };
static const struct sat_event large = {
	.size = sizeof(large), .has = SAT_HAS_INT, .metric.i = INT64_C(9007199254740993), .state = "expired",
};

static bool matches(const char *text, const struct sat_event *ev)
{
	struct sat_query *q = sat_query_parse(text, error, sizeof(error));
	bool yes;

	if (q == NULL)
		fail_msg("%s: %s", text, error);
	yes = sat_query_match(q, ev);
	sat_query_free(q);
	return yes;
}

static void queries_match(void **unused)
{
	static const struct { const char *text; bool yes; } queries[] = {
		{ "true", true }, { "false", false }, { "null", false }, { "nil", false }, { "state", true },
		{ "metric", true }, { "nosuch", false }, { "5", true }, { "\"x\"", true },
		{ "host = \"web-1\"", true }, { "host = 'web-1'", true }, { "HOST = \"web-1\"", false },
		{ "host = nil", false }, { "nosuch = nil", true }, { "nosuch != \"x\"", true }, { "host != nil", true },
		{ "metric = 2.5", true }, { "metric = 2.5e0", true }, { "metric = 25e-1", true },
		{ "metric != 2.5", false }, { "metric = 5N", false }, { "metric = \"2.5\"", false },
		{ "metric > 2", true }, { "metric >= 2.5", true }, { "metric < 2", false }, { "metric <= 2.5", true },
		{ "metric > -1", true }, { "metric_f = 2.5", true }, { "metric < Infinity", true },
		{ "metric > -Infinity", true }, { "metric < NaN", false }, { "metric = NaN", false },
		{ "metric < 99999999999999999999N", true },
		{ "ttl = 60", true }, { "ttl = 60.0", true }, { "1 = 1.0", true }, { "time > 9.5", true },
		{ "time = 10", true }, { "5 = metric", false }, { "2.5 = metric", true }, { "metric = metric", true },
		{ "\"a\" = \"a\"", true }, { "host = service", false }, { "state = ok", false }, { "tags", true },
		{ "state != \"ok\"", false }, { "state < 5", false }, { "number > 4", false },
		{ "nosuch < 5", false }, { "nosuch > 5", false }, { "nosuch <= 5", false },
		{ "host =~ \"web%\"", true }, { "host =~ \"%-1\"", true }, { "host =~ \"eb%\"", false },
		{ "host =~ \"WEB%\"", false }, { "host =~ '%e%-%'", true }, { "host =~ '%'", true }, { "host =~ ''", false },
		{ "host =~ 'web-1'", true }, { "host =~ 'web-1%1'", false }, { "host =~ '%%'", true },
		{ "host =~ 'w%1%1'", false }, { "host =~ 'w%b%1'", true },
		{ "service =~ \"cpu load\"", true }, { "service =~ \"cpu.load\"", false }, { "nosuch =~ '%'", false },
		{ "metric =~ '%'", false }, { "custom =~ \"%\"", true },
		{ "host ~= \"eb-\"", true }, { "host ~= \"^w.*1$\"", true }, { "host ~= \"^eb\"", false },
		{ "host ~= '-\\d$'", true }, { "nosuch ~= \"x\"", false }, { "metric ~= \"2\"", false },
		{ "tagged \"prod\"", true }, { "tagged \"pro\"", false }, { "not tagged \"prod\"", false },
		{ "tagged 'eu'and tagged'prod'", true },
		{ "state = \"ok\" and host = \"x\" or metric > 1", true },
		{ "metric > 1 or state = \"ok\" and host = \"x\"", true },
		{ "(metric > 1 or state = \"ok\") and host = \"x\"", false },
		{ "not state = \"ok\" or true", true }, { "not (state = \"ok\" or true)", false },
		{ "not state = 'ok' and true", false }, { "not not true", true }, { "true and not false", true },
		{ "not (false or not (true and false))", false }, { "false or false or false or true", true },
		{ "true and true and false or true and not false", true }, { "(((true)))", true },
		{ "custom = \"v\"", true }, { "ns/k = 'w'", true },
		{ "description = \"fine \\\"x\\\"\"", true }, { "state = \"\\u006fk\"", true },
		{ "description = 'fine \"x\"'", true }, { "host=~\"web%\"", true }, { "host=\"web-1\"and metric>1", true },
		{ "metric>-1 and metric<3", true }, { "metric!=3", true }, { ",state,=,'ok',", true }, { "expired", false },
		{ "not expired", true }, { "expired = nil", true },
	};

	(void)unused;
	for (size_t i = 0; i < LEN(queries); i++)
		if (matches(queries[i].text, &web) != queries[i].yes)
			fail_msg("%s", queries[i].text);
}

/* Whether or not its texts are measured. */
static bool matches_both(const char *text, const struct sat_event *ev)
{
	struct event own = { .pub = *ev, .hash = 1, .host_len = 0, .state_len = 0 };
	bool yes = matches(text, ev);
	struct sat_query *q = sat_query_parse(text, (char[100]){ 0 }, 100);

	own.service_len = ev->service != NULL ? (uint32_t)strlen(ev->service) : 0;
	assert_non_null(q);
	assert_int_equal(query_match(q, &own), yes);
	own.hash = 0;
	assert_int_equal(query_match(q, &own), yes);
	sat_query_free(q);
	return yes;
}

static void texts_of_any_length(void **unused)
{
	static const char *const texts[] = {
		"", "a", "abcdefg", "abcdefgh", "abcdefghi", "abcdefghijklmnopq", "abcdefghij%", "b",
	};
	struct sat_event ev = { .size = sizeof(ev) };
	char query[64];

	(void)unused;
	assert_false(matches_both("service = '' or service =~ 'a%' or host = ''", &ev));
	for (size_t i = 0; i < LEN(texts); i++)
		for (size_t j = 0; j < LEN(texts); j++) {
			ev.service = texts[j];
			snprintf(query, sizeof(query), "service = '%s'", texts[i]);
			assert_int_equal(matches_both(query, &ev), i == j);
			snprintf(query, sizeof(query), "'%s' != service", texts[i]);
			assert_int_equal(matches_both(query, &ev), i != j);
			snprintf(query, sizeof(query), "service = 'zz' or not metric and service = '%s'", texts[i]);
			assert_int_equal(matches_both(query, &ev), i == j);
			snprintf(query, sizeof(query), "service =~ '%.*s%%'", (int)strcspn(texts[i], "%"), texts[i]);
			assert_int_equal(matches_both(query, &ev), strncmp(texts[j], texts[i], strcspn(texts[i], "%")) == 0);
		}
}

static void nil_and_integers(void **unused)
{
	(void)unused;
	assert_false(matches("metric < 5 or metric > 5 or metric = 5", &bare));
	assert_true(matches("not metric and host = nil and tags = nil", &bare));
	assert_false(matches("host =~ '%' or host ~= '' or tagged ''", &bare));
	assert_true(matches("expired", &large));
	/* 2^53 + 1 is no double: an int is compared as what it is. */
	assert_true(matches("metric = 9007199254740993", &large));
	assert_false(matches("metric = 9007199254740992.0", &large));
	assert_true(matches("metric > 9007199254740992.0 and metric < 9007199254740994.0", &large));
	assert_true(matches("metric < 9.3e18 and metric > -1e300", &large));
}

static void age_over_ttl_is_expired(void **unused)
{
	(void)unused;
	clock_virtual(0);
	clock_set(70 * SAT_SECOND);
	assert_false(matches("expired", &web));
	clock_set(70 * SAT_SECOND + 1);
	assert_true(matches("expired", &web));
}

static void wrong_queries_say_where(void **unused)
{
	static const struct { const char *text, *why; } wrong[] = {
		{ "", "at character 1: expected a field or a value, not the end" },
		{ "host = \"web-1\" and", "at character 19: expected a field or a value, not the end" },
		{ "tagged prod", "at character 8: expected a string, not prod" },
		{ "metric > \"1\"", "at character 10: expected a number, not \"1\"" },
		{ "metric > metric", "at character 10: expected a number" },
		{ "state = \"ok\", metric > 1", "at character 15: expected and, or, or the end, not metric" },
		{ "a b", "at character 3" }, { "(a", "at character 3: expected a closing parenthesis, not the end" },
		{ "a)", "at character 2: no parenthesis is open" }, { "()", "at character 2" }, { "not", "at character 4" },
		{ "host ~= '('", "at character 9: regular expression" }, { "host ~= 5", "at character 9: expected a string" },
		{ "metric = 99999999999999999999", "at character 10: an integer of more than 64 bits" },
		{ "metric = 5x", "at character 10: neither a number nor a name" }, { "metric = 1e", "at character 10" },
		{ "host = 'x", "at character 8: a string without its end" }, { "\xc3\xbc = ;", "at character 5: a sign" },
		{ "host = \"\\u0000\"", "at character 9: an escape" }, { "host = \"\\ud800\"", "at character 9: an escape" },
		{ "5 < 6 < 7", "at character 7" }, { "= 5", "at character 1" }, { "a ! b", "at character 3" },
	};

	(void)unused;
	for (size_t i = 0; i < LEN(wrong); i++) {
		assert_null(sat_query_parse(wrong[i].text, error, sizeof(error)));
		if (strstr(error, wrong[i].why) != error)
			fail_msg("%s: %s", wrong[i].text, error);
	}
}

static char *repeat(const char *s, size_t n, const char *end)
{
	size_t len = strlen(s);
	char *text = malloc(n * len + strlen(end) + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, s, len);
	strcpy(text + n * len, end);
	return text;
}

static void nesting_and_length_are_limited(void **unused)
{
	static const char *const deep[] = { "not ", "(", "not (", "true or (" };
	char *text;

	(void)unused;
	for (size_t i = 0; i < LEN(deep); i++) {
		text = repeat(deep[i], 3000, "true");
		assert_null(sat_query_parse(text, error, sizeof(error)));
		assert_non_null(strstr(error, "nested too deep"));
		free(text);
	}
	text = repeat("not ", 10000, "true");
	assert_null(sat_query_parse(text, error, sizeof(error)));
	free(text);
	text = repeat("not ", 400, "true");
	assert_true(matches(text, &web));
	free(text);
	text = repeat("false or ", 3000, "true");
	assert_true(matches(text, &web));
	free(text);
	text = repeat("true and ", 3000, "false");
	assert_false(matches(text, &web));
	free(text);
}

static void a_regular_expression_has_limits(void **unused)
{
	char *text = repeat("a", 40, "");
	struct sat_event ev = { .size = sizeof(ev), .host = text };

	(void)unused;
	assert_false(matches("host ~= '^(a+)+$b'", &ev));
	assert_false(matches("host ~= '(a|aa)+c'", &ev));
	ev.host = "gr\xc3\xbc\xc3\x9f\xff";
	assert_true(matches("host ~= '^gr.\xc3\x9f'", &ev));
	free(text);
}

static void exact_demands_are_known(void **unused)
{
	static const struct { const char *text, *host, *service; } queries[] = {
		{ "host = 'a'", "a", NULL }, { "'a' = host and 'b' = service", "a", "b" },
		{ "(state = 'x' or metric > 1) and (service = 's' and host = 'h')", "h", "s" },
		{ "host = 'a' or host = 'b'", NULL, NULL }, { "not host = 'a'", NULL, NULL }, { "host != 'a'", NULL, NULL },
		{ "host = 'a' and (service = 'b' or true)", "a", NULL }, { "host =~ 'a'", NULL, NULL },
		{ "host = service", NULL, NULL }, { "host = nil", NULL, NULL },
	};

	(void)unused;
	for (size_t i = 0; i < LEN(queries); i++) {
		struct sat_query *q = sat_query_parse(queries[i].text, error, sizeof(error));

		assert_non_null(q);
		assert_int_equal(query_host(q) != NULL, queries[i].host != NULL);
		assert_int_equal(query_service(q) != NULL, queries[i].service != NULL);
		if (queries[i].host != NULL)
			assert_string_equal(query_host(q), queries[i].host);
		if (queries[i].service != NULL)
			assert_string_equal(query_service(q), queries[i].service);
		assert_string_equal(query_text(q), queries[i].text);
		sat_query_free(q);
	}
}

static void queries_are_cached(void **unused)
{
	const struct sat_query *first = query_cached("host = 'a'", error, sizeof(error));
	char text[32];

	(void)unused;
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "metric = %d", i);
		assert_string_equal(query_text(query_cached(text, error, sizeof(error))), text);
		assert_ptr_equal(query_cached("host = 'a'", error, sizeof(error)), first);
	}
	assert_null(query_cached("host =", error, sizeof(error)));
	query_free_cache();
}

static void every_failure_is_survived(void **unused)
{
	struct sat_query *q;
	int nth = 0, fired;

	(void)unused;
	do {
		fault_arm(++nth);
		q = sat_query_parse("a =~ 'x%' and b ~= 'y' or c and d and e and f", error, sizeof(error));
		fired = fault_fired();
		fault_arm(0);
		assert_int_equal(q == NULL, fired);
		sat_query_free(q);
	} while (fired);
	assert_true(nth > 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_match),
		cmocka_unit_test(texts_of_any_length),
		cmocka_unit_test(nil_and_integers),
		cmocka_unit_test(wrong_queries_say_where),
		cmocka_unit_test(nesting_and_length_are_limited),
		cmocka_unit_test(a_regular_expression_has_limits),
		cmocka_unit_test(exact_demands_are_known),
		cmocka_unit_test(queries_are_cached),
		cmocka_unit_test(every_failure_is_survived),
		cmocka_unit_test(age_over_ttl_is_expired),
	};

	clock_virtual(20 * SAT_SECOND);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
