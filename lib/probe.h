/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe - one entry of `checks`: its names, the events it reports, and which
 * services it has to take back.  sat_probe_service() to sat_report_event() live here.
 */
#ifndef PROBE_H
#define PROBE_H

#include "conf.h"

struct checks;
struct reported;
struct event;

struct sat_probe {
	struct checks *set;
	struct sat_self *self;
	const struct sat_check *check;
	void *def;
	struct conf *file;		/* a reference: def may borrow from it */
	const struct sat_conf *conf;
	char *canonical;		/* its settings, to compare */
	const char *prefix;		/* a copy, behind this struct */
	char *service;			/* prefix included; NULL until it is known */
	const char *host;		/* NULL: this one */
	int64_t interval, timeout;
	double ttl;
	const char *const *tags;
	uint32_t n_tags, n_attrs;
	struct sat_attr *attrs;		/* sorted by key */
	struct reported *reported;	/* what stands at the masters */
	uint32_t n_reported;
	struct event *last;		/* what was last reported of its own service; NULL: nothing yet */
	unsigned entry;			/* which of its instance's it is, from 1 on */

	struct sat_alarm due, limit;
	int64_t began, begun, took;	/* begun: of CLOCK_BOOTTIME; took: the last run; 0: none yet */
	bool defined, started, running, waits, overdue, stopping, unscheduled;
};

struct sat_probe *probe_new(struct checks *set, struct conf *file, const struct sat_conf *entry,
			    const char *prefix, const struct sat_check *check, struct sat_self *self);
/* Judge service, host, tags and attributes. */
int probe_labels(struct sat_probe *p, const struct sat_conf *entry);
/* NULL is fine; one that runs is left behind, since its run still points to it. */
void probe_free(struct sat_probe *p);
const char *probe_host(const struct sat_probe *p);
bool probe_same_place(const struct sat_probe *a, const struct sat_probe *b);	/* host and service */
bool probe_same_settings(const struct sat_probe *a, const struct sat_probe *b);
void probe_inherit(struct sat_probe *p, struct sat_probe *was);	/* what `was` reported is p's to retire */
/* Where reports go instead of sat_emit_event(); see engine_relay(). */
void probes_relay(int (*relay)(const struct sat_event *ev, unsigned entry));
/* What another process reports for it, all filled in. */
int probe_relayed(struct sat_probe *p, const struct sat_event *ev);
/* One event {state "expired", tag "retired"} for each service it reported. */
void probe_retire(struct sat_probe *p);

#endif
