/* SPDX-License-Identifier: Apache-2.0 */
/* ops - the operators of this module, and its counters. */
#ifndef NUMBERS_OPS_H
#define NUMBERS_OPS_H

#include <satellite/module.h>

enum { HELD_DROPPED };		/* the module's counters */

extern const struct sat_op smap_op, smap_star_op, smapcat_op, sflatten_op, sreduce_op;
extern const struct sat_op fold_interval_op, fold_interval_metric_op, percentiles_op;
extern const struct sat_op counter_op, sum_over_time_op, mean_over_time_op, ewma_op, ewma_timeless_op;
extern const struct sat_op rate_op, ddt_op, ddt_real_op, interpolate_constant_op, apdex_op;
extern const struct sat_op predict_linear_op, clock_skew_op, adjust_op, scale_op;

#endif
