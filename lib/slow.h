/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slow - what holds up the loop for over a second is named while it does.
 *
 * The loop thread notes what of a module's it is in, which costs a store; a thread
 * looks at that four times a second, and sleeps while nothing happens.  What the note
 * points to stays until slow_settle().
 */
#ifndef SLOW_H
#define SLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slow_call {		/* on the stack of who calls */
	const char *what, *name;	/* "check", "unruly" */
	const char *path;	/* what the line begins with */
	const char *hint;	/* what to do about it; "": nothing */
};

extern const void *slow_node;	/* of a push; NULL: none */
extern uint32_t slow_push;	/* which */
extern bool slow_asleep;	/* the thread */

/* describe: into "path: what" of a node.  [loop thread, as all but that] */
void slow_begin(void (*describe)(const void *node, char *text, size_t size));
void slow_end(void);
void slow_enter(const struct slow_call *c);
void slow_leave(void);
void slow_rouse(void);
void slow_settle(void);		/* before a node is freed, or gets another name */

static inline void slow_at(const void *node)
{
	__atomic_store_n(&slow_node, node, __ATOMIC_RELEASE);
}

static inline void slow_next(void)
{
	__atomic_store_n(&slow_push, slow_push + 1, __ATOMIC_RELAXED);
	if (__builtin_expect(__atomic_load_n(&slow_asleep, __ATOMIC_RELAXED), false))
		slow_rouse();
}

#endif
