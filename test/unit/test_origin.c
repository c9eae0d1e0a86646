/* SPDX-License-Identifier: Apache-2.0 */
/* test_origin - pages of our own, pages that are named, and others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "origin.h"

static void own_pages_and_no_pages_are_allowed(void **unused)
{
	(void)unused;
	origin_allow(NULL);
	assert_true(origin_allowed(NULL, "sat:5001"));
	assert_true(origin_allowed(NULL, NULL));
	assert_true(origin_allowed("http://sat:5001", "sat:5001"));
	assert_true(origin_allowed("https://Sat", "sat"));
	assert_false(origin_allowed("http://sat:5002", "sat:5001"));
	assert_false(origin_allowed("http://sat", "sat:5001"));
	assert_false(origin_allowed("http://sat:5001.evil.example", "sat:5001"));
	assert_false(origin_allowed("http://evil.example/sat:5001", "sat:5001"));
	assert_false(origin_allowed("http://sat:5001", NULL));
	assert_false(origin_allowed("null", "sat:5001"));
	assert_false(origin_allowed("null", "null"));
	assert_false(origin_allowed("", ""));
}

static void named_pages_are_allowed(void **unused)
{
	static const char *const some[] = { "http://dash:4567", "null", NULL }, *const all[] = { "*", NULL };

	(void)unused;
	origin_allow(some);
	assert_true(origin_allowed("http://dash:4567", "sat:5001"));
	assert_true(origin_allowed("null", "sat:5001"));
	assert_false(origin_allowed("https://dash:4567", "sat:5001"));
	assert_false(origin_allowed("http://dash", "sat:5001"));
	origin_allow(all);
	assert_true(origin_allowed("http://dash", "sat:5001"));
	origin_allow(NULL);
	assert_false(origin_allowed("http://dash", "sat:5001"));
}

static void what_is_no_origin_is_told(void **unused)
{
	static const char *const good[] = { "*", "null", "http://a", "https://a.b:1", "chrome-extension://abc" };
	static const char *const bad[] = { "", "a", "a:80", "://a", "http://", "http://a/", "http://a/b", "http://a b" };

	(void)unused;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(origin_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(origin_valid(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_pages_and_no_pages_are_allowed),
		cmocka_unit_test(named_pages_are_allowed),
		cmocka_unit_test(what_is_no_origin_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
