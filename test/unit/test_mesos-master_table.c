/* SPDX-License-Identifier: Apache-2.0 */
/* test_mesos-master_table - things found by a hash, against a list of them; and plain numbers, against strtod(). */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../modules/mesos-master/legal.h"
#include "../../modules/mesos-master/table.h"
#include "unit/fault.h"

#define THINGS 2000

struct thing {
	struct table_link link;
	uint32_t hash;
	int in;
};

static struct thing things[THINGS];
static uint32_t seed;

static uint32_t dice(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* Those that are in are found, each once; those that are not are not. */
static void compare(const struct table *t)
{
	struct table_link *l;
	uint32_t i, at, n = 0, seen = 0;

	for (i = 0; i < THINGS; i++) {
		for (l = table_find(t, things[i].hash, &at); l != NULL && l != &things[i].link;)
			l = table_same(t, things[i].hash, &at);
		assert_true((l != NULL) == (things[i].in != 0));
		n += things[i].in != 0;
		things[i].link.mark = 0;
	}
	for (l = table_next(t, NULL); l != NULL; l = table_next(t, l), seen++)
		assert_int_equal(l->mark++, 0);
	assert_int_equal(seen, n);
	assert_int_equal(t->n, n);
}

/* Few hashes among them, and those that tags are made of. */
static void play(uint32_t hashes, uint32_t spread, int bias)
{
	struct table t = { 0 };
	int turn;

	memset(things, 0, sizeof(things));
	for (uint32_t i = 0; i < THINGS; i++)
		things[i].hash = dice(hashes) * spread;
	compare(&t);
	for (turn = 0; turn < 60000; turn++) {
		struct thing *one = &things[dice(THINGS)];

		if (one->in)
			table_take(&t, &one->link);
		else if (turn / 10000 % 2 == 0 || dice(10) < (uint32_t)bias)
			assert_int_equal(table_add(&t, &one->link, one->hash), 0);
		else
			continue;
		one->in = !one->in;
		if (turn % 1500 == 0)
			compare(&t);
	}
	compare(&t);
	assert_true(t.size <= 4096);	/* what was taken is no reason to grow */
	table_free(&t);
}

static void what_is_in_is_found_whatever_came_and_went(void **unused)
{
	(void)unused;
	seed = 1;
	play(UINT32_MAX, 1, 5);
	play(3, 1, 5);
	play(50, 64, 2);	/* one slot, at first */
	play(1000, UINT32_C(0x01000000), 9);
}

static void all_can_be_taken_while_they_are_gone_through(void **unused)
{
	struct table t = { 0 };
	struct table_link *l, *next;
	uint32_t n = 0;

	(void)unused;
	for (uint32_t i = 0; i < THINGS; i++)
		assert_int_equal(table_add(&t, &things[i].link, i % 7), 0);
	for (l = table_next(&t, NULL); l != NULL; l = next, n++) {
		next = table_next(&t, l);
		table_take(&t, l);
	}
	assert_int_equal(n, THINGS);
	assert_int_equal(t.n, 0);
	assert_int_equal(t.used, 0);
	table_free(&t);
}

/* One that cannot grow takes what it has room for, and then says so. */
static void without_memory_it_gets_full(void **unused)
{
	struct table t = { 0 };
	uint32_t i = 0, at;

	(void)unused;
	fault_arm(1);
	assert_int_equal(table_add(&t, &things[0].link, 0), -ENOMEM);
	assert_true(fault_fired());
	fault_arm(0);
	assert_int_equal(table_add(&t, &things[0].link, 0), 0);
	for (i = 1; i < THINGS; i++) {
		fault_arm(1);
		if (table_add(&t, &things[i].link, i) != 0)
			break;
	}
	fault_arm(0);
	assert_int_equal(i, t.size - 1);
	assert_null(table_find(&t, THINGS, &at));
	assert_ptr_equal(table_find(&t, i - 1, &at), &things[i - 1].link);
	assert_int_equal(table_add(&t, &things[i].link, i), 0);
	assert_ptr_equal(table_find(&t, i, &at), &things[i].link);
	table_free(&t);
}

static void plain_numbers_are_what_strtod_says(void **unused)
{
	(void)unused;
	seed = 7;
	for (int turn = 0; turn < 300000; turn++) {
		uint32_t n = 1 + dice(20), point = dice(n + 3);
		struct sat_value v = { 0 };
		char text[32];
		size_t len = 0;
		double d;

		for (uint32_t i = 0; i < n; i++) {
			if (i == point && i > 0)
				text[len++] = '.';
			text[len++] = (char)('0' + dice(10));
		}
		text[len] = '\0';
		d = strtod(text, NULL);
		assert_true(legal_number(text, len, &v));
		if (v.kind == SAT_INT)
			assert_true((double)v.i == d);
		else
			assert_true(v.kind == SAT_DOUBLE && v.d == d && !(d == floor(d) && d < 9e15));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_is_found_whatever_came_and_went),
		cmocka_unit_test(all_can_be_taken_while_they_are_gone_through),
		cmocka_unit_test(without_memory_it_gets_full),
		cmocka_unit_test(plain_numbers_are_what_strtod_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
