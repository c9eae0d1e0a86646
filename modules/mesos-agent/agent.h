/* SPDX-License-Identifier: Apache-2.0 */
/* agent - the Mesos agent of this host, and the checks that wait for its answer. */
#ifndef AGENT_H
#define AGENT_H

#include <satellite/module.h>

#include "ended.h"
#include "figures.h"
#include "tasks.h"
#include "told.h"

enum { COUNT_REQUESTS, COUNT_FAILURES, COUNT_LEFT_OUT, SUCCESS_SNAPSHOT, SUCCESS_STATISTICS, SUCCESS_STATE,
	COUNT_ENDED };

/* One thing that is asked for by itself, under the first of its paths that is there. */
struct source {
	struct agent *agent;
	const char *const *paths;	/* NULL-ended */
	unsigned path, first, success;	/* in use; where this search for it began; the gauge */
	int (*data)(void *arg, int status, const void *p, size_t n);	/* NULL: the body is kept */
	int (*done)(struct agent *a, const struct sat_answer *ans);	/* of a 200 */
	void (*forget)(struct agent *a);	/* it failed: what is known is old */
	struct sat_call *call;
	int read;			/* -errno: it could not be read as it came */
	int trouble;			/* 0, an HTTP status, or -errno */
};
enum { SNAPSHOT, STATISTICS_SOURCE, STATE, SOURCES };

struct agent {
	struct sat_self *self;
	char *url;
	struct sat_fetch how;	/* it is asked: credentials, certificates, timeout */
	struct sat_call *call;
	struct total *waiting;
	unsigned path;
	bool retried, stopping;
	int64_t fresh_until;
	struct figures figures;
	int trouble;		/* 0, an HTTP status, or -errno */

	/* What is asked for whether a check wants it or not, every interval. */
	int64_t interval;	/* 0: nothing is */
	double ttl;
	bool events;
	char *prefix;		/* of events' services */
	struct tasks_wanted wanted;
	struct sat_alarm beat;
	struct source sources[SOURCES];
	struct sat_buf snapshot, statistics;	/* the last answers, while they are good */
	struct tasks *reading, *tasks;
	struct ended *ended;	/* NULL: nobody is to know of those */
	struct sat_alarm telling;	/* of them */
	struct told told;	/* by events: of SNAPSHOT, and of STATISTICS_SOURCE */
	char *told_path;	/* of their file; NULL: there is none */
	bool saving;
	int save_trouble;
};

/* Why there is no answer, in words; rc: 0, an HTTP status, or -errno. */
void agent_explain(const struct agent *a, const struct sat_answer *ans, const char *path, int rc,
		   char *why, size_t size);

/* poll.c */
void poll_init(struct agent *a);
int poll_start(struct agent *a);
void poll_stop(struct agent *a);
bool poll_idle(const struct agent *a);	/* nothing is under way */
void poll_stopped_yet(struct agent *a);
void poll_free(struct agent *a);

/* remember.c */
int remember_where(struct agent *a);
void remember_save(struct agent *a);	/* where it is another list */
void remember_load(struct agent *a);

/* tell.c: what was answered, as events and for /metrics. */
void tell_snapshot(struct agent *a);
void tell_statistics(struct agent *a);
bool tell_ended(struct agent *a);	/* some of them; there are more */
void tell_no_more(struct agent *a, unsigned of);	/* all that was of this answer */
bool tell_series(void *state, struct sat_figures *out, uint64_t *at);

struct total {			/* a check: the sum of some figures */
	struct agent *agent;
	struct sat_probe *probe;
	unsigned wants;		/* which, a bit each */
	struct total *next;	/* that waits */
	bool waits;
};

#endif
