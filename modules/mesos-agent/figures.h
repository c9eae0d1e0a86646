/* SPDX-License-Identifier: Apache-2.0 */
/* figures - a Mesos agent's counts of tasks, out of its metrics/snapshot. */
#ifndef FIGURES_H
#define FIGURES_H

#include <satellite/module.h>

enum { FAILED, FINISHED, KILLED, LOST, RUNNING, STAGING, STARTING, FIGURES };
#define FIGURES_ALL	((1u << FIGURES) - 1)

extern const char *const figures_keys[FIGURES];

struct figures {
	double value[FIGURES];
	unsigned known;		/* a bit each */
};

/* false: it is none, or too large.  Whole numbers are integers. */
bool figures_number(const struct sat_json_value *v, struct sat_value *n);
double figures_double(const struct sat_value *n);
/* 0, -EBADMSG (not JSON of an agent) or -ENOMEM. */
int figures_read(struct figures *f, const char *text, size_t len);
/* Each number goes to found(). */
int figures_all(const char *text, size_t len, void (*found)(void *arg, const char *key, const struct sat_value *n),
		void *arg);

#endif
