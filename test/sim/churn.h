/* SPDX-License-Identifier: Apache-2.0 */
/* churn - tasks come, run and end, as an allocator would place them. */
#ifndef SIM_CHURN_H
#define SIM_CHURN_H

#include "cluster.h"

struct whitelist;

struct young {
	uint64_t serial;
	uint16_t framework;
};

struct churn {
	struct cluster *c;
	double rate;			/* changes a second */
	double budget;			/* changes due */
	size_t want;			/* tasks that should exist */
	/* Hosts that get offers now, by index; made anew where they changed. */
	uint32_t *eligible, *holes;	/* holes: of these, the black ones */
	size_t n_eligible, n_holes;
	uint64_t seen_agents, seen_list;
	const struct whitelist *seen;
	struct young *young;		/* tasks on their way to running */
	size_t n_young, room;
};

void churn_init(struct churn *ch, struct cluster *c);
void churn_free(struct churn *ch);
/* Place all tasks that are wanted, running, and end some before. */
void churn_fill(struct churn *ch, const struct whitelist *w, size_t tasks,
		size_t completed);
/* So many seconds have passed; there is a leader, who reads w (or NULL). */
void churn_step(struct churn *ch, const struct whitelist *w, double seconds);
bool churn_offers(const struct whitelist *w, const struct agent *a);

#endif
