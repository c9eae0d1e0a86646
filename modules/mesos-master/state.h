/* SPDX-License-Identifier: Apache-2.0 */
/* state - agents and frameworks, out of a Mesos master's state as it streams in. */
#ifndef STATE_H
#define STATE_H

#include <satellite/module.h>

/* Whether the master that gave this state leads. */
enum state_rank {
	STATE_UNKNOWN,		/* it does not say */
	STATE_FOLLOWS,		/* what it holds is its own empty memory */
	STATE_LEADS,
};

struct state_agent {
	const char *host;
	const char *id, *pid;	/* "" where not given */
	bool active;
};

struct state_framework {
	const char *name;
	double cpus, mem, disk;	/* in use; mem and disk in MB, as Mesos has them */
};

struct state {
	enum state_rank rank;
	struct state_agent *agents;
	size_t n_agents, active;
	struct state_framework *frameworks;	/* one a name, sorted, once it ended well */
	size_t n_frameworks;
	uint64_t print;		/* of the agents, whatever their order */
	size_t odd;		/* agents and frameworks left out: no name, or no legal text */
	size_t over;		/* and those past the limits */
	/* The reading. */
	struct sat_json *json;
	int rc;			/* of the last piece */
	struct piece *pieces;
	size_t text;
	struct {
		char pid[128], leader[128];
		bool elected, slaves;
	} top;
	struct state_agent agent;
	struct state_framework framework, total;
	bool in_agents, in_used, has_used;
};

int state_expect(struct state *s);		/* zeroes s first */
int state_feed(struct state *s, const void *p, size_t n);
int state_result(const struct state *s);	/* what state_feed() gave last */
/* The answer has ended: 0, or why it is not a state, in words. */
int state_end(struct state *s, char *why, size_t size);
void state_explain(const struct state *s, int rc, char *why, size_t size);
void state_free(struct state *s);

#endif
