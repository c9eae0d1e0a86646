/* SPDX-License-Identifier: Apache-2.0 */
/* test_whitelist_guard - what the guard lets through, on clusters of any size. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../modules/whitelist/whitelist.h"

#define NOW (INT64_C(1000000) * SAT_SECOND)

static struct guard_conf conf;
static struct guard_facts facts;
static struct guard_host hosts[400];
static enum verdict verdicts[400];
static struct guard_latch latch;

static int up(void **unused)
{
	(void)unused;
	guard_judge(&conf, NULL);
	facts = (struct guard_facts){ .now = NOW, .fresh = 1 };
	latch = (struct guard_latch){ 0 };
	for (size_t i = 0; i < 400; i++)
		hosts[i] = (struct guard_host){ .name = "h", .on = true };
	return 0;
}

static void wish_off(size_t n)
{
	for (size_t i = 0; i < n; i++)
		hosts[i].wish = -1;
}

static size_t decide(size_t n)
{
	size_t passed = 0;

	guard_decide(&conf, &facts, &latch, hosts, n, verdicts);
	for (size_t i = 0; i < n; i++)
		passed += verdicts[i] == GUARD_PASS;
	return passed;
}

static void a_small_cluster_loses_one_host_at_most(void **unused)
{
	(void)unused;
	wish_off(1);
	assert_int_equal(decide(3), 1);
	wish_off(2);
	assert_int_equal(decide(3), 1);
	assert_int_equal(verdicts[1], GUARD_MIN_ON);
	assert_int_equal(decide(2), 0);
}

static void off_is_limited_by_rate_and_share(void **unused)
{
	(void)unused;
	wish_off(40);
	assert_int_equal(decide(400), 4);
	assert_int_equal(verdicts[4], GUARD_RATE);
	conf.rate = 1;
	conf.max_off = 0.05;
	assert_int_equal(decide(400), 20);
	assert_int_equal(verdicts[20], GUARD_MAX_OFF);
}

static void many_at_once_latch_the_breaker_until_a_person_comes(void **unused)
{
	(void)unused;
	wish_off(81);
	assert_int_equal(decide(400), 0);
	assert_true(latch.set);
	wish_off(400);
	for (size_t i = 1; i < 400; i++)
		hosts[i].wish = 0;
	assert_int_equal(decide(400), 0);
	assert_int_equal(verdicts[0], GUARD_LATCHED);
	latch.set = false;
	assert_int_equal(decide(400), 1);
}

static void it_freezes_where_it_hears_too_few(void **unused)
{
	(void)unused;
	wish_off(1);
	facts.fresh = 0.89;
	assert_int_equal(decide(400), 0);
	assert_int_equal(verdicts[0], GUARD_FROZEN);
	hosts[0] = (struct guard_host){ .name = "h", .managed_off = true, .wish = 1 };
	assert_int_equal(decide(400), 1);	/* on endangers nothing */
}

static void a_host_is_not_flipped_to_and_fro(void **unused)
{
	(void)unused;
	wish_off(1);
	hosts[0].flipped = NOW - 299 * SAT_SECOND;
	assert_int_equal(decide(400), 0);
	assert_int_equal(verdicts[0], GUARD_DWELL);
	hosts[0].flipped = NOW - 300 * SAT_SECOND;
	assert_int_equal(decide(400), 1);
	hosts[0] = (struct guard_host){ .name = "h", .managed_off = true, .wish = 1, .flipped = NOW - 599 * SAT_SECOND };
	assert_int_equal(decide(400), 0);
	hosts[0].flipped = NOW - 600 * SAT_SECOND;
	assert_int_equal(decide(400), 1);
}

static void protected_hosts_stay(void **unused)
{
	char *patterns[] = { (char *)"db-%", NULL };

	(void)unused;
	conf.protected = patterns;
	wish_off(2);
	hosts[0].name = "db-1";
	assert_int_equal(decide(400), 1);
	assert_int_equal(verdicts[0], GUARD_PROTECTED);
}

static void off_lets_all_through(void **unused)
{
	(void)unused;
	conf.mode = GUARD_OFF;
	facts.fresh = 0;
	wish_off(400);
	assert_int_equal(decide(400), 400);
	assert_false(latch.set);
}

/* Whatever is wished, the promises hold. */
static void promises_hold(void **unused)
{
	unsigned seed = 1;

	(void)unused;
	for (int round = 0; round < 2000; round++) {
		size_t n = 1 + (size_t)rand_r(&seed) % 400, on = 0, off = 0, passed = 0, recent = 0, max;

		conf.max_off = rand_r(&seed) % 100 / 100.0;
		conf.rate = rand_r(&seed) % 100 / 100.0;
		conf.min_on = rand_r(&seed) % 20;
		latch = (struct guard_latch){ 0 };
		for (size_t i = 0; i < n; i++) {
			bool is_off = rand_r(&seed) % 4 == 0;

			hosts[i] = (struct guard_host){ .name = "h", .on = !is_off, .managed_off = is_off,
				.wish = rand_r(&seed) % 3 - 1,
				.off = rand_r(&seed) % 5 == 0 ? NOW - rand_r(&seed) % 1000 * SAT_SECOND : 0 };
			on += !is_off;
			off += is_off;
			recent += hosts[i].off != 0 && NOW - hosts[i].off < conf.rate_per;
		}
		decide(n);
		for (size_t i = 0; i < n; i++)
			passed += verdicts[i] == GUARD_PASS && hosts[i].wish < 0;
		max = (size_t)(conf.max_off * (double)n + 1e-9);
		assert_true(passed == 0 || on - passed >= (size_t)conf.min_on);
		assert_true(passed == 0 || off + passed <= (max < 1 ? 1 : max));
		max = (size_t)(conf.rate * (double)n + 1e-9);
		assert_true(passed == 0 || recent + passed <= (max < 1 ? 1 : max));
		assert_true(!latch.set || passed == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_small_cluster_loses_one_host_at_most, up),
		cmocka_unit_test_setup(off_is_limited_by_rate_and_share, up),
		cmocka_unit_test_setup(many_at_once_latch_the_breaker_until_a_person_comes, up),
		cmocka_unit_test_setup(it_freezes_where_it_hears_too_few, up),
		cmocka_unit_test_setup(a_host_is_not_flipped_to_and_fro, up),
		cmocka_unit_test_setup(protected_hosts_stay, up),
		cmocka_unit_test_setup(off_lets_all_through, up),
		cmocka_unit_test_setup(promises_hold, up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
