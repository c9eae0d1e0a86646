/* SPDX-License-Identifier: Apache-2.0 */
/* window - what the files of this module share: events that are kept, and their counters. */
#ifndef WINDOW_H
#define WINDOW_H

#include <satellite/module.h>

enum { COALESCE_DROPPED, WINDOW_DROPPED, GAPS_CUT };	/* counters */

#define WINDOW_MAX	"100000"	/* events of a window, unless its max says another */
#define WINDOW_MOST	1000000
#define OPTION_MAX(help_text) \
	SAT_OPTION("max", SAT_INTEGER, .fallback = WINDOW_MAX, .min = 1, .max = WINDOW_MOST, .help = help_text)

/* kept.c: events in the order in which they came; all zero is an empty one. */
struct kept {
	const struct sat_event **evs;	/* of room, those from head on are there */
	uint32_t head, n, room;
};
int kept_add(struct kept *k, const struct sat_event *ev);
void kept_shift(struct kept *k, uint32_t n);	/* the n oldest go */
void kept_trim(struct kept *k, uint32_t max, struct sat_self *self);	/* over max: the oldest go, counted */
void kept_remove_until(struct kept *k, int64_t time);	/* wherever they stand; all have a time */
void kept_clear(struct kept *k);
void kept_free(struct kept *k);
int kept_save(const struct kept *k, struct sat_writer *out);
int kept_load(struct kept *k, struct sat_reader *in);
/* For a child: good until the list changes. */
static inline struct sat_item kept_item(const struct kept *k)
{
	return (struct sat_item){ k->n != 0 ? k->evs + k->head : NULL, k->n, true };
}
/* The event that an item is; nil is one of which all is nil.  A list is refused. */
int kept_event(const struct sat_at *at, const struct sat_item *item, const struct sat_event **ev);

extern const struct sat_op window_coalesce, window_coalesce_with_event;		/* coalesce.c */
extern const struct sat_op window_moving_event, window_fixed_event;		/* count.c */
extern const struct sat_op window_moving_time, window_fixed_time, window_fixed_offset;	/* time.c */
extern const struct sat_op window_batch, window_rollup;				/* batch.c */
extern const struct sat_op window_project;					/* project.c */

#endif
