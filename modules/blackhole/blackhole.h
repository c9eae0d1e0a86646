/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blackhole - what the two rules share.
 *
 *   classic     by the totals of each host's own agent, in a fork for each host
 *   attributed  by how the tasks of the same frameworks end elsewhere, in one state
 *   tally       the tasks that ended in the window, by host and framework
 */
#ifndef BLACKHOLE_H
#define BLACKHOLE_H

#include <satellite/module.h>

struct rule {
	bool attributed;
	int64_t window;
	/* classic */
	int64_t longer;
	double per_start, per_finish;
	/* attributed */
	unsigned min_tasks, min_frameworks;
	double rate, deviations;
};

/* Found by its service and state; NULL: no memory.  As Riemann makes events: the time is that
 * of now, in whole seconds.  of: what it comes of, or NULL. */
struct sat_event *verdict_event(const struct sat_at *at, const char *host, bool bad, const struct sat_event *of);
int verdict_put(const struct sat_at *at, struct sat_event *ev, const char *name, const char *text);

/* classic: the fork's. */
enum { FAILED, STARTED, FINISHED, CLASSIC_TOTALS };
/* `grown` is since the first sample, whatever began anew meanwhile. */
struct sample { int64_t time; double grown; };
struct series {
	struct sample *v;
	uint32_t n, size;
	double last;			/* the total itself, at the last sample */
	bool fresh;			/* it came since the last verdict */
};
struct classic {
	struct series of[CLASSIC_TOTALS];
	int64_t newest;
	int64_t until;			/* on the engine's clock: then all of it is out of the window */
};
bool classic_is_total(const char *service);
int classic_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item);
bool classic_idle(const void *def, const void *state);
void classic_close(const void *def, void *state);
int classic_save(const void *def, const void *state, struct sat_writer *out);
int classic_load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in);

/* attributed: the operator's own. */
struct attributed { struct tally *tally; struct sat_timer timer; };
int attributed_item(const struct sat_at *at, const struct rule *r, struct attributed *a, const struct sat_item *item);
void attributed_timer(const struct sat_at *at, void *def, void *state, struct sat_timer *timer);
bool attributed_idle(const void *def, const void *state);
void attributed_close(const void *def, void *state);
int attributed_save(const void *def, const void *state, struct sat_writer *out);
int attributed_load(const struct sat_at *at, const void *def, void *state, uint32_t version,
		    struct sat_reader *in);

#endif
