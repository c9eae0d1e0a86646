/* SPDX-License-Identifier: Apache-2.0 */
/* ended - which tasks have ended on a Mesos agent, each once, out of its state as it streams in. */
#ifndef ENDED_H
#define ENDED_H

#include <satellite/module.h>

struct ended_one {
	const char *id, *name, *state, *framework, *framework_id, *agent, *message, *reason, *source;	/* "": not known */
	int64_t time;			/* of its end */
};

struct ended;
struct ended *ended_new(void);			/* NULL: out of memory */
void ended_free(struct ended *e);
/* A state begins; false: what the last one brought is not told yet, or there is no memory: it is not read. */
bool ended_begin(struct ended *e);
void ended_feed(struct ended *e, const void *p, size_t n);
void ended_end(struct ended *e, bool good);	/* good: it was whole */
/* The next that was not told before, until ended_told(): false: there is none. */
bool ended_next(struct ended *e, struct ended_one *one);
void ended_told(struct ended *e);
size_t ended_left_out(struct ended *e);		/* since it was last asked; too many, or too long names */

#endif
