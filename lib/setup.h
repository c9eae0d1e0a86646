/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup - one judged configuration with all it made: instances of modules,
 * streams, checks; built as a whole, swapped in at once, or refused.
 */
#ifndef SETUP_H
#define SETUP_H

#include "conf.h"
#include "self.h"
#include "top.h"

struct setup;

/* What a role is, beyond its name: what the file need not say. */
struct setup_role {
	const char *name;
	const char *const *modules;	/* NULL-ended */
	const char *stream;		/* the only stream, where there is no `streams` */
	bool http;			/* served where the file has no `http` */
};

/* Takes top.  NULL: mistakes were reported.  Touches nothing outside. */
struct setup *setup_build(struct top *top, const struct setup_role *role);
/* Take ports and what else a reload must know to be free; -errno: reported, given back. */
int setup_open(struct setup *s);
/* Put s in the place of the one that runs (if any), adopt, start, stop the rest. */
void setup_swap(struct setup *s);
/* For replay: its streams and index alone, nothing started. */
void setup_streams(struct setup *s);
void setup_free(struct setup *s);		/* one that never ran; NULL is fine */
/* Stop the one that runs; done() once everything has. */
void setup_stop(void (*done)(void *arg), void *arg);
/* Log the name of everything that has not stopped yet. */
void setup_overdue(void);

struct setup *setup_running(void);
const struct top *setup_top(const struct setup *s);
struct sat_self *setup_instance(const char *name);	/* of the running one, or NULL */
/* Each instance of the running one, in the order of starting. */
void setup_each(void (*fn)(void *arg, struct sat_self *self), void *arg);

#endif
