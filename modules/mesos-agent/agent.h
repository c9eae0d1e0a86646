/* SPDX-License-Identifier: Apache-2.0 */
/* agent - the Mesos agent of this host, and the checks that wait for its answer. */
#ifndef AGENT_H
#define AGENT_H

#include <satellite/module.h>

#include "figures.h"

struct agent {
	struct sat_self *self;
	char *url, *user, *password, *ca, *cert, *key;
	int64_t timeout;
	struct sat_call *call;
	struct total *waiting;
	unsigned path;
	bool retried, stopping;
	int64_t fresh_until;
	struct figures figures;
	int trouble;		/* 0, an HTTP status, or -errno */
};

struct total {			/* a check: the sum of some figures */
	struct agent *agent;
	struct sat_probe *probe;
	unsigned wants;		/* which, a bit each */
	struct total *next;	/* that waits */
	bool waits;
};

#endif
