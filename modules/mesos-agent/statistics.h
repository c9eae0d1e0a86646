/* SPDX-License-Identifier: Apache-2.0 */
/* statistics - what a Mesos agent's containers use, out of its monitor/statistics. */
#ifndef STATISTICS_H
#define STATISTICS_H

#include <satellite/module.h>

struct statistic {
	const char *field;	/* as Mesos calls it */
	const char *name;	/* as mesos_exporter does */
	bool gauge;
	const char *help;
};
#define STATISTICS	30
extern const struct statistic statistics_all[STATISTICS];

struct container {
	char id[512];			/* of its executor; of none, its own.  All are cut, if they are longer */
	char framework[256], source[512];
	struct sat_value value[STATISTICS];
	uint32_t known;			/* a bit each */
};

/* Each container goes to found(); those without statistics do not, nor those that have no id, or one with a
 * NUL, which are counted (NULL is fine).  0, -EBADMSG or -ENOMEM. */
int statistics_read(const char *text, size_t len, void (*found)(void *arg, const struct container *c), void *arg,
		    unsigned *left_out);

#endif
