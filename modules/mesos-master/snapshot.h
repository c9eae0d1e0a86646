/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot - a Mesos master's figures: the flat object that metrics/snapshot answers. */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <satellite/module.h>

struct snapshot {
	size_t figures;		/* numbers, under a name that an event can bear */
	size_t odd;		/* members that are neither that nor null */
	int elected;		/* 1, 0, or -1: not said */
	int64_t agents_active, agents_inactive;	/* registered agents; -1: not said */
	double tasks, ended, frameworks;	/* ended: tasks, since the master began; 0: none, or not said */
	int64_t removals, unhealthy;	/* of agents, and of these the ones that answered no more; -1: not said */
	double uptime;		/* of the master, seconds; less than 0: not said */
	bool watched;		/* it has figures that move when agents, frameworks or tasks do, */
	uint64_t print;		/* and these, whatever their order */
};

#define SNAPSHOT_NONE	{ .elected = -1, .agents_active = -1, .agents_inactive = -1, .removals = -1, .unhealthy = -1, \
			  .uptime = -1 }

/* Each figure goes to figure(), if given.  0, or why it is none, in words. */
int snapshot_read(struct snapshot *s, const char *text, size_t len,
		  void (*figure)(void *arg, const char *key, const struct sat_value *v), void *arg,
		  char *why, size_t size);

#endif
