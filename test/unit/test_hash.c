/* SPDX-License-Identifier: Apache-2.0 */
/* test_hash - texts that differ have hashes that differ, also where somebody chose how they do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "hash.h"

static void every_byte_of_every_length_counts(void **unused)
{
	char text[72];

	(void)unused;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		uint64_t before;

		memset(text, 'a', n);
		text[n] = '\0';
		before = sat_hash(0, text);
		assert_true(before == sat_hash(0, text));
		assert_true(hash_bytes(text, n) != hash_bytes(text, n + 1));
		for (size_t i = 0; i < n; i++) {
			text[i] = 'b';
			assert_true(sat_hash(0, text) != before);
			text[i] = 'a';
		}
	}
}

/* Between words of 8 bytes, differences of upper bits are what a plain multiplication lets through. */
static void no_difference_is_undone_by_another(void **unused)
{
	static const unsigned char flips[] = { 0x80, 0xc0, 0x01, 0x81 };
	char text[33];

	(void)unused;
	memset(text, 'a', sizeof(text));
	text[32] = '\0';
	for (size_t f = 0; f < sizeof(flips); f++)
		for (size_t i = 0; i < 8; i++)
			for (size_t j = 8; j < 32; j++)
				for (size_t k = 8; k < 32; k++) {
					char other[33];

					memcpy(other, text, sizeof(other));
					other[i] = (char)(other[i] ^ flips[f]);
					other[j] = (char)(other[j] ^ flips[f]);
					other[k] = (char)(other[k] ^ flips[f]);
					if (sat_hash(0, other) == sat_hash(0, text))
						fail_msg("bytes %zu, %zu and %zu", i, j, k);
				}
}

static void a_pair_is_no_other_pair(void **unused)
{
	(void)unused;
	assert_int_equal(hash_pair("ab", "c"), hash_texts("ab", 2, "c", 1));
	assert_int_not_equal(hash_pair("ab", "c"), hash_pair("a", "bc"));
	assert_int_not_equal(hash_pair("a", "b"), hash_pair("b", "a"));
	assert_int_not_equal(hash_pair(NULL, ""), hash_pair("", NULL));
	assert_int_not_equal(hash_pair(NULL, ""), hash_pair("", ""));
	assert_int_not_equal(hash_pair(NULL, NULL), hash_pair("", ""));
}

static void names_of_one_kind_are_spread(void **unused)
{
	static unsigned slots[4096];
	unsigned most = 0;
	char text[64];

	(void)unused;
	for (unsigned i = 0; i < 4096; i++) {
		snprintf(text, sizeof(text), "agent%u.example.com", i);
		most = ++slots[hash_pair(text, "load") & 4095] > most ? slots[hash_pair(text, "load") & 4095] : most;
	}
	assert_in_range(most, 3, 16);	/* by chance 6 or 7 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_of_every_length_counts),
		cmocka_unit_test(no_difference_is_undone_by_another),
		cmocka_unit_test(a_pair_is_no_other_pair),
		cmocka_unit_test(names_of_one_kind_are_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
