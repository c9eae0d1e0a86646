/* SPDX-License-Identifier: Apache-2.0 */
/*
 * families - an answer of /metrics as it is collected: each family's samples in one piece.
 *
 * Samples come in any order, over as many turns of the loop as it takes, and are written at once.
 * A series that is there already, or is one too many, is left out and counted.
 */
#ifndef FAMILIES_H
#define FAMILIES_H

#include <satellite/module.h>

#include "blocks.h"

enum family_type { FAMILY_COUNTER, FAMILY_GAUGE, FAMILY_UNKNOWN };
enum families_form { FORM_TEXT, FORM_OPENMETRICS };

struct families;
struct families *families_new(size_t max);	/* series at most.  NULL: out of memory */
void families_free(struct families *f);
/* name: of the sample, so of a counter of ours with `_total`. */
void families_add(struct families *f, const char *name, enum family_type type, const char *help,
		  const struct sat_attr *labels, uint32_t n, double value);
size_t families_series(const struct families *f);
size_t families_left_out(const struct families *f);	/* one too many, or for lack of memory */
size_t families_doubled(const struct families *f);
size_t families_held(const struct families *f);	/* bytes of memory */
/* The whole answer, and the end: only families_free() is left.  false: out of memory. */
bool families_close(struct families *f, enum families_form form, struct blocks *out);

#endif
