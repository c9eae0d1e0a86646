/* SPDX-License-Identifier: Apache-2.0 */
/* figures - a Mesos agent's counts of tasks, out of its metrics/snapshot. */
#ifndef FIGURES_H
#define FIGURES_H

#include <stddef.h>

enum { FAILED, FINISHED, KILLED, LOST, RUNNING, STAGING, STARTING, FIGURES };
#define FIGURES_ALL	((1u << FIGURES) - 1)

extern const char *const figures_keys[FIGURES];

struct figures {
	double value[FIGURES];
	unsigned known;		/* a bit each */
};

/* 0, -EBADMSG (not JSON of an agent) or -ENOMEM. */
int figures_read(struct figures *f, const char *text, size_t len);

#endif
