/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check - the entries of `checks`: when each runs, what its events are called,
 * and that it is never run twice at once.  sat_probe_*() and sat_report() live here.
 */
#ifndef CHECK_H
#define CHECK_H

#include "conf.h"

struct checks;

struct check_finder {	/* as stream_finder, for checks; own_key: { command = … } */
	const struct sat_check *(*find)(void *arg, const char *name, bool own_key,
					const struct sat_conf *where, struct sat_self **self);
	void *arg;
};

/* NULL: mistakes were reported.  prefix stands before every service. */
struct checks *checks_build(struct conf *file, const struct sat_conf *list, const char *prefix,
			    const struct check_finder *finder);
/* Take prev's place: entries with equal settings keep their schedule; one that is gone sends
 * {state "expired", tag "retired"} for each service it last reported. */
void checks_adopt(struct checks *next, struct checks *prev);
void checks_stop(struct checks *c, bool retire, void (*done)(void *arg), void *arg);
void checks_free(struct checks *c);
/* How long the last run of each took, in microseconds; not of those that have not run. */
void checks_each(const struct checks *c, void (*fn)(void *arg, const char *service, int64_t took), void *arg);
void checks_each_running(const struct checks *c, void (*fn)(void *arg, const char *service), void *arg);
/* A JSON array of them: service, interval, took, running, next (seconds), last (an event) and ago. */
void checks_print(const struct checks *c, struct sat_buf *out);
struct sat_probe;
/* The entry-th of an instance, from 1 on; NULL: it has no more. */
struct sat_probe *checks_entry(const struct checks *c, const struct sat_self *self, unsigned entry);
size_t checks_count(const struct checks *c);

#endif
