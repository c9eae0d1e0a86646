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

static void hosts_that_came_in_as_off_are_not_held(void **unused)
{
	(void)unused;
	wish_off(1);
	conf.rate = 1;
	for (size_t i = 360; i < 400; i++) {
		hosts[i].on = false;
		hosts[i].managed_off = true;
	}
	assert_int_equal(decide(400), 1);
	for (size_t i = 360; i < 400; i++)
		hosts[i].held = true;
	assert_int_equal(decide(400), 0);
	assert_int_equal(verdicts[0], GUARD_MAX_OFF);
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

			hosts[i] = (struct guard_host){ .name = "h", .on = !is_off, .managed_off = is_off, .held = is_off,
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

/* ---- Histories: what was promised holds all the time ------------------------ */

static unsigned dice;

static size_t any(size_t n)
{
	return (size_t)rand_r(&dice) % n;
}

static size_t share_of(double fraction, size_t n)
{
	size_t whole = (size_t)(fraction * (double)n + 1e-9);

	return whole < 1 ? 1 : whole;
}

/* Now one by one, now many together. */
static void wishes_come_and_go(size_t n)
{
	size_t many = any(40) == 0 ? any(n) : any(3);

	for (; many > 0; many--) {
		struct guard_host *h = &hosts[any(n)];

		h->wish = any(3) == 0 ? -1 : any(5) == 0 ? 0 : 1;
		h->wished = facts.now;
	}
}

static void check_flip(const struct guard_host *h, bool off)
{
	int64_t dwell = off ? conf.min_on_time : conf.min_off_time;

	assert_true(h->flipped == 0 || facts.now - h->flipped >= dwell);
}

/* Carry out what passed, but for what the store refuses now and then; how many went off. */
static size_t carry_out(size_t n)
{
	size_t went = 0;

	for (size_t i = 0; i < n; i++) {
		struct guard_host *h = &hosts[i];
		bool off = h->wish < 0;

		if (verdicts[i] != GUARD_PASS || any(5) == 0)
			continue;
		assert_true(off != h->managed_off);
		check_flip(h, off);
		h->managed_off = h->held = off;
		h->on = !off;
		h->flipped = facts.now;
		if (off)
			h->off = facts.now;
		went += off;
	}
	return went;
}

static void check_limits(size_t n)
{
	size_t on = 0, off = 0, recent = 0;

	for (size_t i = 0; i < n; i++) {
		on += hosts[i].on;
		off += hosts[i].managed_off;
		recent += hosts[i].off != 0 && facts.now - hosts[i].off < conf.rate_per;
	}
	assert_true(on >= (size_t)conf.min_on);
	assert_true(off <= share_of(conf.max_off, n));
	assert_true(recent <= share_of(conf.rate, n));
}

/* A step of it; whoever leads has nothing but records and the latch. */
static void step(size_t n, bool *broken)
{
	size_t wished, went;

	facts.now += (int64_t)(5 + any(116)) * SAT_SECOND;
	facts.fresh = any(20) == 0 ? 0.5 : 1;
	facts.late = any(20) == 0;
	wished = guard_wished(hosts, n);
	decide(n);
	*broken = *broken || (wished >= 3 && (double)wished > conf.breaker * (double)n && wished > latch.accepted);
	assert_true(!*broken || latch.set);
	went = carry_out(n);
	assert_true(went == 0 || (!latch.set && !facts.late && facts.fresh >= conf.min_fresh));
	if (went > 0)
		check_limits(n);
	if (latch.set && any(50) == 0) {
		latch = (struct guard_latch){ .accepted = wished };
		*broken = false;
	}
}

/* Whatever was before, one that is bad alone is off within the longest of the times. */
static void one_bad_host_goes(size_t n)
{
	int64_t longest = conf.rate_per, began = facts.now;

	longest = conf.min_on_time > longest ? conf.min_on_time : longest;
	longest = conf.min_off_time > longest ? conf.min_off_time : longest;
	for (size_t i = 0; i < n; i++)
		hosts[i].wish = i == 0 ? -1 : 1;
	latch = (struct guard_latch){ 0 };
	facts.fresh = 1;
	facts.late = false;
	while (!hosts[0].managed_off) {
		assert_true(facts.now - began <= longest + 600 * SAT_SECOND);
		facts.now += 30 * SAT_SECOND;
		decide(n);
		carry_out(n);
	}
}

static void histories_hold_every_promise(void **unused)
{
	(void)unused;
	for (unsigned history = 0; history < 1000; history++) {
		bool broken = false;
		size_t n;

		up(NULL);
		dice = history;
		n = 3 + any(100);
		conf.max_off = (double)any(60) / 100;
		conf.rate = (double)any(20) / 100;
		conf.breaker = 0.1 + (double)any(60) / 100;
		conf.min_on = (int64_t)any(n < 20 ? n : 20);
		conf.min_on_time = (int64_t)any(900) * SAT_SECOND;
		conf.min_off_time = (int64_t)any(900) * SAT_SECOND;
		conf.rate_per = (int64_t)(1 + any(3600)) * SAT_SECOND;
		for (int i = 0; i < 200; i++) {
			wishes_come_and_go(n);
			step(n, &broken);
		}
		one_bad_host_goes(n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_small_cluster_loses_one_host_at_most, up),
		cmocka_unit_test_setup(off_is_limited_by_rate_and_share, up),
		cmocka_unit_test_setup(hosts_that_came_in_as_off_are_not_held, up),
		cmocka_unit_test_setup(many_at_once_latch_the_breaker_until_a_person_comes, up),
		cmocka_unit_test_setup(it_freezes_where_it_hears_too_few, up),
		cmocka_unit_test_setup(a_host_is_not_flipped_to_and_fro, up),
		cmocka_unit_test_setup(protected_hosts_stay, up),
		cmocka_unit_test_setup(off_lets_all_through, up),
		cmocka_unit_test_setup(promises_hold, up),
		cmocka_unit_test_setup(histories_hold_every_promise, up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
