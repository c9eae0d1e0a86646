/* SPDX-License-Identifier: Apache-2.0 */
/*
 * told - the services that were told of, so that each is retired once it is told of no more.
 *
 * Else it would expire at the masters, which is how a host that has died looks.
 */
#ifndef TOLD_H
#define TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOLD_MAX = 50000 };

struct told_one;
struct told {			/* zero at first */
	struct told_one *slots[512];
	size_t n;
	uint32_t turns[2];	/* of each answer */
	bool changed;		/* since somebody looked */
};

void told_begin(struct told *t, unsigned of);	/* a new answer: 0 or 1 */
/* It is of this answer.  -ENOMEM, or TOLD_MAX are told of: it is not to be told, since it could not be retired. */
int told_note(struct told *t, unsigned of, const char *service);
/* Those that the answer before had, and this has not; retire() not 0: it comes again next time. */
void told_end(struct told *t, unsigned of, int (*retire)(void *arg, const char *service), void *arg);
void told_each(const struct told *t, void (*found)(void *arg, unsigned of, const char *service), void *arg);
void told_free(struct told *t);

#endif
