/* SPDX-License-Identifier: Apache-2.0 */
/* checks - a host's memory, swap, disks, load and files, read without a shell. */
#include "checks.h"

static const struct sat_check *const checks[] = {
	&check_free_memory, &check_free_swap, &check_free_swap_iff_swap, &check_percentage_used,
	&check_uninterruptable, &check_load_average, &check_file_exists,
	NULL
};

SAT_MODULE(checks, .name = "checks", .version = SAT_VERSION,
	   .summary = "memory, swap, disks, load and files of a host", .checks = checks);
