/* SPDX-License-Identifier: Apache-2.0 */
/* test_timer - deadlines come in the order (due, armed), whatever is set, moved and stopped meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "instance.h"
#include "timer.h"
#include "unit/fault.h"

enum { MANY = 2000 };

static struct sat_timer timers[MANY];
static struct sat_alarm alarms[MANY];

static int end(void **unused)
{
	struct sat_timer *t;
	struct sat_alarm *a;

	(void)unused;
	while (timer_pop(INT64_MAX, &t, &a))
		;
	timer_free();
	return 0;
}

static void they_come_in_order_of_due_and_armed(void **unused)
{
	struct sat_timer *t;
	struct sat_alarm *a;
	int64_t due = INT64_MIN;
	uint64_t order = 0;
	int n = 0;

	(void)unused;
	srand(7);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(timer_set(&timers[i], rand() % 50), 0);
		assert_int_equal(sat_alarm_set(NULL, &alarms[i], rand() % 50), 0);
	}
	for (int i = 0; i < MANY; i += 3) {
		timer_stop(&timers[i]);
		timer_stop(&timers[i]);
		sat_alarm_stop(&alarms[i]);
	}
	for (int i = 0; i < MANY; i += 7)
		assert_int_equal(timer_set(&timers[i], rand() % 50), 0);
	while (timer_pop(49, &t, &a)) {
		int64_t d = t != NULL ? t->due : a->due;
		uint64_t o = t != NULL ? t->order : a->order;

		assert_true((t != NULL) != (a != NULL));
		assert_int_equal(t != NULL ? t->slot : a->slot, 0);
		assert_true(d > due || (d == due && o > order));
		due = d;
		order = o;
		n++;
	}
	assert_int_equal(timer_count(), 0);
	assert_int_equal(timer_next(), INT64_MAX);
	assert_true(n > MANY);
}

static void what_is_due_later_stays(void **unused)
{
	struct sat_timer *t;
	struct sat_alarm *a;

	(void)unused;
	assert_int_equal(timer_set(&timers[0], 10), 0);
	assert_int_equal(timer_set(&timers[1], INT64_MIN), 0);
	assert_int_equal(timer_next(), INT64_MIN);
	assert_true(timer_pop(9, &t, &a));
	assert_ptr_equal(t, &timers[1]);
	assert_false(timer_pop(9, &t, &a));
	assert_true(timer_pop(10, &t, &a));
}

static void one_that_moved_is_found_in_its_new_place(void **unused)
{
	struct sat_timer moved, *t;
	struct sat_alarm *a;

	(void)unused;
	assert_int_equal(timer_set(&timers[0], 5), 0);
	assert_int_equal(timer_set(&timers[1], 3), 0);
	moved = timers[0];
	timer_moved(&moved);
	timers[0].slot = 0;
	assert_true(timer_pop(5, &t, &a));
	assert_ptr_equal(t, &timers[1]);
	assert_true(timer_pop(5, &t, &a));
	assert_ptr_equal(t, &moved);
}

/* Wherever they stand among those of others, which come in their order yet. */
static void alarms_of_an_instance_go_with_it(void **unused)
{
	static const struct sat_module module = { .name = "m" };
	struct instance *i = calloc(1, sizeof(*i));
	struct sat_timer *t;
	struct sat_alarm *a;
	int64_t due = INT64_MIN;
	int n = 0;

	(void)unused;
	assert_non_null(i);
	i->self.module = &module;
	i->self.instance = i;
	srand(7);
	for (int k = 0; k < MANY; k++) {
		assert_int_equal(timer_set(&timers[k], rand() % 50), 0);
		assert_int_equal(sat_alarm_set(k % 3 != 0 ? &i->self : NULL, &alarms[k], rand() % 50), 0);
	}
	instance_free(i);
	for (int k = 0; k < MANY; k++)
		assert_true((alarms[k].slot == 0) == (k % 3 != 0));
	for (; timer_pop(49, &t, &a); n++) {
		assert_true(a == NULL || (a - alarms) % 3 == 0);
		assert_true((t != NULL ? t->due : a->due) >= due);
		due = t != NULL ? t->due : a->due;
	}
	assert_int_equal(n, MANY + (MANY + 2) / 3);
}

static void no_memory_leaves_it_unset(void **unused)
{
	(void)unused;
	timer_free();
	fault_arm(1);
	assert_int_not_equal(timer_set(&timers[0], 5), 0);
	assert_int_equal(timers[0].slot, 0);
	fault_arm(1);
	assert_int_not_equal(sat_alarm_set(NULL, &alarms[0], 5), 0);
	fault_arm(0);
	assert_int_equal(alarms[0].slot, 0);
	assert_int_equal(timer_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(they_come_in_order_of_due_and_armed, end),
		cmocka_unit_test_teardown(what_is_due_later_stays, end),
		cmocka_unit_test_teardown(one_that_moved_is_found_in_its_new_place, end),
		cmocka_unit_test_teardown(alarms_of_an_instance_go_with_it, end),
		cmocka_unit_test_teardown(no_memory_leaves_it_unset, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
