/* SPDX-License-Identifier: Apache-2.0 */
/* test_whitelist_file - what stands in the file that Mesos reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "../../modules/whitelist/whitelist.h"
#include "unit/fault.h"

static void lines_are_sorted_as_bytes(void **unused)
{
	char text[] = "b\nB\n\xc3\xa9\n10\n9\na\n";
	char same[] = "b\na\n";

	(void)unused;
	lines_sort(text, strlen(text));
	assert_string_equal(text, "10\n9\nB\na\nb\n\xc3\xa9\n");
	for (int nth = 1; nth <= 2; nth++) {
		fault_arm(nth);
		lines_sort(same, strlen(same));
		assert_true(fault_fired());
		assert_string_equal(same, "b\na\n");
	}
	fault_arm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_sorted_as_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
