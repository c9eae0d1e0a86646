/* SPDX-License-Identifier: Apache-2.0 */
/* fold - Riemann's folds, by name: one event, or a few, out of a list of events. */
#ifndef NUMBERS_FOLD_H
#define NUMBERS_FOLD_H

#include "number.h"

/* A point of a sample, 0 (the smallest metric) to 1, and how a service is to show it. */
struct point { double at; char *name; };
struct points { uint32_t n; struct point *v; };

int points_conf(const struct sat_conf *conf, const char *name, struct points *out);	/* a list of numbers */
void points_free(struct points *p);

struct fold;

#define FOLD_BY_OPTION SAT_OPTION("by", SAT_STRING, .help = "the function of fold, fold*, fold-all or extremum")

/* The fold that a setting names, and `by` the function of one that has several.  NULL: reported. */
const struct fold *fold_conf(const struct sat_conf *conf, const char *name);
bool fold_samples(const struct fold *f);	/* it wants points */
bool fold_lists(const struct fold *f);		/* it gives several events */
bool fold_counts(const struct fold *f);		/* it asks for no metrics */
/* What comes out, good until the push ends: nil, an event or a list.  Of events, NULL is nil.
 * Failing, it is said. */
int fold_events(const struct sat_at *at, const struct fold *f, const struct points *points,
		const struct sat_event *const *evs, uint32_t n, struct sat_item *out);
int fold_sorted_sample(const struct sat_at *at, const struct points *points, const struct sat_event *const *evs,
		       uint32_t n, struct sat_item *out);
/* Of bare numbers; false in *any: nil comes out. */
int fold_numbers(const struct sat_at *at, const struct fold *f, const struct number *v, uint32_t n,
		 bool *any, struct number *out);

#endif
