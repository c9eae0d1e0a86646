/* SPDX-License-Identifier: Apache-2.0 */
/* guard - what stands between every stream and every host. */
#ifndef GUARD_H
#define GUARD_H

#include <satellite/module.h>

enum guard_mode { GUARD_OFF, GUARD_OBSERVE, GUARD_ENFORCE };

struct guard_conf {
	enum guard_mode mode;
	double max_off, rate, breaker, min_fresh;
	int64_t min_on, rate_per, min_on_time, min_off_time;
	char **protected;	/* NULL-ended patterns */
};

struct guard_facts {
	int64_t now;		/* wall */
	double fresh;		/* of the hosts ever heard from, those heard from lately */
	bool mesos_away;	/* what we know of Mesos is old */
	bool late;		/* this process stood still a short time ago */
};

/* The breaker.  accepted: as many wishes as a person has seen and let go on. */
struct guard_latch { bool set; size_t accepted; };

/* One host of the inventory. */
struct guard_host {
	const char *name;
	bool on;		/* as people and automation have it now */
	bool managed_off;	/* as automation has it, or import, or new-agents */
	bool held;		/* off, and automation turned it so */
	int wish;		/* -1: off; 1: on; 0: none */
	int64_t wished;		/* since when */
	int64_t flipped, off;	/* last flip by automation; last one to off; 0: none */
};

enum verdict {
	GUARD_NOTHING,		/* the wish is as things are, or there is none */
	GUARD_PASS,
	GUARD_PROTECTED, GUARD_LATCHED, GUARD_FROZEN, GUARD_MESOS_AWAY, GUARD_LATE, GUARD_DWELL, GUARD_MIN_ON, GUARD_MAX_OFF, GUARD_RATE,
};

/* Judge the settings of the group; NULL: all as they fall back. */
int guard_judge(struct guard_conf *conf, const struct sat_conf *group);
void guard_free(struct guard_conf *conf);
extern const struct sat_option *const guard_options[];

/*
 * Which wishes may be carried out now: verdicts[i] for hosts[i].  A pure
 * function: no clock, no I/O, nothing global.  Earlier hosts are served first,
 * so the caller puts the oldest wishes in front.  The latch stays set once it is;
 * after a person's reset it is set again by more wishes than he accepted, or by
 * as many once they have gone and come back.
 */
void guard_decide(const struct guard_conf *conf, const struct guard_facts *facts, struct guard_latch *latch,
		  const struct guard_host *hosts, size_t n, enum verdict *verdicts);
size_t guard_wished(const struct guard_host *hosts, size_t n);	/* off */
const char *guard_words(enum verdict v);

#endif
