/* SPDX-License-Identifier: Apache-2.0 */
/* test_arena - what is got is aligned, zeroed and apart; the maximum holds; chunks are used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "unit/fault.h"

static void pieces_are_aligned_zeroed_and_apart(void **unused)
{
	struct arena a = { 0 };
	unsigned char *p[100];

	(void)unused;
	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < 100; i++) {
			p[i] = arena_get(&a, (size_t)i * 77);
			assert_non_null(p[i]);
			assert_int_equal((uintptr_t)p[i] % 16, 0);
			for (int k = 0; k < i * 77; k++)
				assert_int_equal(p[i][k], 0);
			memset(p[i], i + 1, (size_t)i * 77);
		}
		for (int i = 0; i < 100; i++)
			for (int k = 0; k < i * 77; k++)
				assert_int_equal(p[i][k], i + 1);
		arena_reset(&a);
	}
	arena_free(&a);
}

static void the_maximum_holds_and_huge_sizes_are_refused(void **unused)
{
	struct arena a = { .max = 1 << 20 };

	(void)unused;
	assert_non_null(arena_raw(&a, 900 * 1024));
	assert_null(arena_raw(&a, 900 * 1024));
	assert_null(arena_raw(&a, SIZE_MAX));
	assert_null(arena_raw(&a, SIZE_MAX - 7));
	assert_null(arena_text(&a, "x", SIZE_MAX));
	assert_null(arena_get(&a, SIZE_MAX / 2));
	assert_string_equal(arena_text(&a, "abc", 2), "ab");
	arena_free(&a);
}

static void a_reset_keeps_a_megabyte_at_most(void **unused)
{
	struct arena a = { 0 };

	(void)unused;
	for (int i = 0; i < 40; i++)
		assert_non_null(arena_raw(&a, 100 * 1024));
	arena_reset(&a);
	assert_true(a.total <= 1024 * 1024);
	assert_non_null(arena_raw(&a, 5 << 20));
	arena_reset(&a);
	assert_true(a.total <= 1024 * 1024);
	arena_free(&a);
	assert_int_equal(a.total, 0);
}

static void no_memory_is_null_and_nothing_lost(void **unused)
{
	struct arena a = { 0 };

	(void)unused;
	fault_arm(1);
	assert_null(arena_get(&a, 10));
	assert_non_null(arena_get(&a, 10));
	fault_arm(1);
	assert_null(arena_get(&a, 100000));
	fault_arm(0);
	assert_non_null(arena_get(&a, 100000));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
		cmocka_unit_test(the_maximum_holds_and_huge_sizes_are_refused),
		cmocka_unit_test(a_reset_keeps_a_megabyte_at_most),
		cmocka_unit_test(no_memory_is_null_and_nothing_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
