/* SPDX-License-Identifier: Apache-2.0 */
/* self - one configured instance of a module, and this process. */
#ifndef SELF_H
#define SELF_H

#include <stdatomic.h>
#include <satellite/module.h>

enum { SELF_ACCOUNTS = SAT_RINGS + 1 };	/* those of modules */

struct work;			/* work.h: its serial queue of jobs; NULL: none yet */

struct self_isolated {		/* it runs in a process of its own */
	int64_t pid;		/* 0: that is being started again */
	int64_t restarts;
};

struct sat_self {
	char *name;				/* its group's, "host" for the host itself */
	const struct sat_module *module;	/* NULL for the host's own */
	void *state;				/* what create() made */
	const struct sat_conf *conf;		/* its group; may be an empty one */
	_Atomic int64_t *counters;		/* as many as module->counters has */
	unsigned n_counters;
	int64_t *told;				/* of each, what vitals.c told last */
	_Atomic int64_t held[SELF_ACCOUNTS];	/* bytes, of each of enum sat_account */
	struct work *work;
	void *instance;				/* instance.c's side of it */
	struct self_isolated *isolated;		/* NULL: it runs here */
	bool failed;				/* create() did, and said why: there is no state */
};

/* This process, set once at start by main(), before any module is created. */
struct self_process {
	char *host;			/* sat_host() */
	char *state_dir;		/* sat_state_dir() */
	bool dry_run, replay;
	const char *isolated;		/* the group of which this process is the whole; NULL: it is no such */
	struct uv_loop_s *loop;
};
extern struct self_process self_process;
extern struct sat_self self_host;	/* the host's own instance, for its logs and events */

/* The host's own counters, named for /metrics and status. */
enum self_count {
	SELF_EVENTS, SELF_EMIT_DROPPED, SELF_HOPS_DROPPED, SELF_ERRORS, SELF_NUL_REPLACED,
	SELF_MALFORMED, SELF_NO_MEMORY, SELF_FORKS_DROPPED, SELF_FORKS_AGED, SELF_STATE_REFUSED,
	SELF_RELOADS, SELF_RELOADS_REFUSED, SELF_EXPIRED, SELF_STALLS, SELF_SLOW, SELF_LONGEST_TURN, SELF_BUSY, SELF_STREAM_TIME,
	SELF_STORE_COMMITS, SELF_STORE_FAILED, SELF_STORE_TIME, SELF_RECORDED, SELF_RECORD_DROPPED,
	SELF_CHECKS_SKIPPED, SELF_ISOLATED_RESTARTS, SELF_MEMORY_REFUSED, SELF_MEMORY_MAX,
	SELF_MEMORY_BUFFERS, SELF_MEMORY_QUEUES, SELF_MEMORY_RINGS, SELF_MEMORY_EVENTS, SELF_MEMORY_FORKS,
	SELF_ALERTS_SENT, SELF_ALERTS_FAILED, SELF_ALERTS_KNOWN, SELF_ALERTS_DROPPED,
	SELF_ALERTS_EXPIRED, SELF_ALERTS_UNLOGGED, SELF_ALERTS_KEPT, SELF_N
};
/* self_add(SELF_ERRORS, 1) [any thread] */
void self_add(enum self_count which, int64_t more);
void self_set(enum self_count which, int64_t value);
int64_t self_get(enum self_count which);
const struct sat_counter *self_describe(enum self_count which);
/* Whether it says something: a gauge of a time that is 0 was never measured, or is not now. */
bool self_known(const struct sat_counter *c, int64_t value);
/* Of a figure's name what is behind satellite_MODULE_; NULL: it is for /metrics alone. */
const char *self_figure(const struct sat_self *self, const char *name);

#endif
