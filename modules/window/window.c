/* SPDX-License-Identifier: Apache-2.0 */
/* window - operators that pass on lists of events. */
#include "window.h"

static const struct sat_op *const ops[] = {
	&window_moving_event, &window_fixed_event, &window_moving_time, &window_fixed_time, &window_fixed_offset,
	&window_batch, &window_rollup, &window_coalesce, &window_coalesce_with_event, &window_project, NULL
};

static const struct sat_counter *const counters[] = {
	[COALESCE_DROPPED] = SAT_COUNTER("coalesce-dropped",
		.help = "events of hosts and services beyond coalesce's max"),
	[WINDOW_DROPPED] = SAT_COUNTER("dropped", .help = "the oldest events of windows beyond their max"),
	[GAPS_CUT] = SAT_COUNTER("gaps-cut", .help = "gaps of too many empty time windows, cut short"),
	NULL
};

SAT_MODULE(window,
	.name = "window", .version = SAT_VERSION, .summary = "operators that pass on lists of events",
	.ops = ops, .counters = counters);
