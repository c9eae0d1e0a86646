/* SPDX-License-Identifier: Apache-2.0 */
/* checks - a host's memory, disks, load, processes and clock, read without a shell. */
#include "checks.h"

static const struct sat_check *const checks[] = {
	&check_free_memory, &check_available_memory, &check_free_swap, &check_free_swap_iff_swap,
	&check_percentage_used, &check_inodes_used, &check_df_returns, &check_read_only_mounts,
	&check_uninterruptable, &check_process_present, &check_load_average, &check_pressure,
	&check_clock_offset, &check_file_exists,
	NULL
};

SAT_MODULE(checks, .name = "checks", .version = SAT_VERSION,
	   .summary = "memory, disks, load, processes and clock of a host", .checks = checks);
