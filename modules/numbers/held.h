/* SPDX-License-Identifier: Apache-2.0 */
/* held - what operators over time have in common: events that are kept, and Riemann's ticker. */
#ifndef NUMBERS_HELD_H
#define NUMBERS_HELD_H

#include <satellite/module.h>

struct held { const struct sat_event **v; uint32_t n, size; };

int held_add(struct held *k, const struct sat_event *ev);
void held_shift(struct held *k);		/* the oldest goes */
void held_free(struct held *k);			/* empty, from then on */
int held_save(const struct held *k, struct sat_writer *out);
int held_load(struct held *k, uint32_t max, struct sat_reader *in);

/* It runs, once begun, while the last received event lives, of whatever key. */
struct ticker {
	struct sat_timer timer;
	int64_t until;				/* INT64_MAX: for ever */
};

void ticker_feed(const struct sat_at *at, struct ticker *t, const struct sat_event *ev, int64_t delay);
/* In timer(): whether this is a tick; then the next one is set. */
bool ticker_ticks(const struct sat_at *at, struct ticker *t, int64_t interval);
int ticker_save(const struct ticker *t, struct sat_writer *out);
int ticker_load(const struct sat_at *at, struct ticker *t, struct sat_reader *in);

#endif
