/* SPDX-License-Identifier: Apache-2.0 */
/* numbers - operators that calculate: folds, sums, means, rates, percentiles and predictions. */
#include "ops.h"

static const struct sat_counter *const counters[] = {
	[HELD_DROPPED] = SAT_COUNTER("dropped", .help = "events beyond the max of an operator that keeps them"),
	NULL
};

static const struct sat_op *const ops[] = {
	&smap_op, &smap_star_op, &smapcat_op, &sflatten_op, &sreduce_op,
	&fold_interval_op, &fold_interval_metric_op, &percentiles_op,
	&counter_op, &sum_over_time_op, &mean_over_time_op, &ewma_op, &ewma_timeless_op,
	&rate_op, &ddt_op, &ddt_real_op, &interpolate_constant_op, &apdex_op,
	&predict_linear_op, &clock_skew_op, &adjust_op, &scale_op,
	NULL
};

SAT_MODULE(numbers,
	.name = "numbers", .version = SAT_VERSION, .summary = "operators that calculate",
	.ops = ops, .counters = counters);
