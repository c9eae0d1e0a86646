/* SPDX-License-Identifier: Apache-2.0 */
/* change - operators that look at how a field goes on: changed, changed-state, runs, stable, hysteresis. */
#include "value.h"

static const struct sat_counter *const counters[] = {
	[CHANGE_STABLE_DROPPED] = SAT_COUNTER("stable-dropped", .help = "events beyond stable's max"),
	NULL
};

SAT_MODULE(change,
	.name = "change", .version = SAT_VERSION, .summary = "operators that look at how a field goes on",
	.ops = (const struct sat_op *const[]){ &change_changed, &change_changed_state, &change_runs, &change_stable,
					       &change_hysteresis, NULL },
	.counters = counters);
