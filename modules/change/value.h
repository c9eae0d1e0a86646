/* SPDX-License-Identifier: Apache-2.0 */
/* value - a field's value that outlives its event; and the operators of this module. */
#ifndef CHANGE_VALUE_H
#define CHANGE_VALUE_H

#include <satellite/module.h>

/* *to is not looked at before; it owns its texts from then on, or is nil. */
int value_copy(struct sat_value *to, const struct sat_value *from);
void value_free(struct sat_value *v);		/* and nil it is */
int value_save(const struct sat_value *v, struct sat_writer *out);
int value_load(struct sat_value *v, struct sat_reader *in);	/* frees what it was */

extern const struct sat_op change_changed, change_changed_state, change_runs, change_stable, change_hysteresis;

/* In the module's table of counters. */
enum { CHANGE_STABLE_DROPPED };

#endif
