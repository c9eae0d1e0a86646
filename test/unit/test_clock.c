/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock - what a wall step, a stall, a long sleep and catching up do to the steady reading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "self.h"

#define S SAT_SECOND

static int64_t raw_steady, raw_wall;

static int64_t steady(void) { return raw_steady; }
static int64_t wall(void) { return raw_wall; }
static const struct clock_source source = { steady, wall };

static int begin(void **unused)
{
	(void)unused;
	raw_steady = 1000 * S;
	raw_wall = 1700000000 * S;
	clock_live();
	clock_source(&source);
	assert_int_equal(clock_steady(), 1000 * S);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	clock_source(NULL);
	clock_live();
	return 0;
}

/* The loop sleeps until `next` and wakes after `slept`. */
static void turn(int64_t next, int64_t slept)
{
	clock_expect(next);
	clock_turn();
	raw_steady += slept;
	raw_wall += slept;
	clock_steady();
}

static void a_reading_holds_for_a_turn(void **unused)
{
	(void)unused;
	raw_steady += 3;
	assert_int_equal(clock_steady(), 1000 * S);
	clock_turn();
	assert_int_equal(clock_steady(), 1000 * S + 3);
}

static void a_wall_step_moves_the_wall_alone(void **unused)
{
	(void)unused;
	for (int64_t step = -3600; step <= 3600; step += 7200) {
		int64_t before = clock_steady();

		raw_wall += step * S;
		turn(before + S, S);
		assert_int_equal(clock_steady(), before + S);
		assert_int_equal(clock_wall(), raw_wall);
		assert_false(clock_late());
	}
}

static void a_stop_of_five_minutes_is_cut_out_and_makes_late(void **unused)
{
	int64_t stalls = self_get(SELF_STALLS), before = clock_steady();

	(void)unused;
	turn(before + S, 300 * S);
	assert_int_equal(self_get(SELF_STALLS), stalls + 1);
	assert_int_equal(clock_steady(), before + 2 * S);
	assert_true(clock_late());
	for (int i = 0; i < 59; i++)
		turn(clock_steady() + S, S);
	assert_true(clock_late());
	turn(clock_steady() + S, S);
	assert_false(clock_late());
	assert_int_equal(clock_steady(), before + 62 * S);
	assert_int_equal(clock_wall(), raw_wall);
}

static void a_stall_of_seconds_is_caught_up_with_a_second_a_turn(void **unused)
{
	int64_t before = clock_steady();

	(void)unused;
	turn(before, 4 * S);
	assert_int_equal(clock_steady(), before + S);
	assert_true(clock_behind());
	for (int i = 2; i <= 4; i++) {
		turn(clock_steady(), 0);
		assert_int_equal(clock_steady(), before + i * S);
	}
	assert_false(clock_behind());
	assert_false(clock_late());
}

static void a_sleep_that_was_meant_is_no_stall(void **unused)
{
	int64_t stalls = self_get(SELF_STALLS), before = clock_steady();

	(void)unused;
	turn(before + 600 * S, 600 * S);
	assert_int_equal(clock_steady(), before + 600 * S);
	turn(INT64_MAX, 86400 * S);
	assert_int_equal(clock_steady(), before + 87000 * S);
	turn(INT64_MAX - 1, S);
	assert_int_equal(clock_steady(), before + 87001 * S);
	assert_int_equal(self_get(SELF_STALLS), stalls);
	assert_false(clock_late());
}

static void steady_never_goes_back(void **unused)
{
	int64_t before = clock_steady();

	(void)unused;
	turn(before, -50 * S);
	assert_int_equal(clock_steady(), before);
}

static void a_virtual_clock_is_what_it_is_told(void **unused)
{
	(void)unused;
	clock_virtual(5 * S);
	clock_set(7 * S);
	clock_set(6 * S);
	assert_int_equal(clock_steady(), 7 * S);
	assert_int_equal(sat_clock(), 7 * S);
	assert_int_equal(sat_wall(), 7 * S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_reading_holds_for_a_turn, begin, end),
		cmocka_unit_test_setup_teardown(a_wall_step_moves_the_wall_alone, begin, end),
		cmocka_unit_test_setup_teardown(a_stop_of_five_minutes_is_cut_out_and_makes_late, begin, end),
		cmocka_unit_test_setup_teardown(a_stall_of_seconds_is_caught_up_with_a_second_a_turn, begin, end),
		cmocka_unit_test_setup_teardown(a_sleep_that_was_meant_is_no_stall, begin, end),
		cmocka_unit_test_setup_teardown(steady_never_goes_back, begin, end),
		cmocka_unit_test_setup_teardown(a_virtual_clock_is_what_it_is_told, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
