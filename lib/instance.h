/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance - the life of a configured process: instances of modules, streams,
 * checks; built and judged as a whole, swapped in at once, or refused.
 */
#ifndef INSTANCE_H
#define INSTANCE_H

#include "conf.h"
#include "self.h"

struct setup;	/* one judged configuration with everything it made */

/* role: "master" or "slave".  NULL: mistakes were reported.  Touches nothing. */
struct setup *setup_build(struct conf *file, const char *role);
/* Take ports and what else a reload must know to be free; -errno: reported, given back. */
int setup_open(struct setup *s);
/* Put s in the place of the one that runs (if any), adopt, start, stop the rest. */
void setup_swap(struct setup *s);
void setup_free(struct setup *s);		/* one that never ran */
/* Stop the one that runs; done() once everything has. */
void setup_stop(void (*done)(void *arg), void *arg);
struct setup *setup_running(void);
struct sat_self *setup_instance(const char *name);	/* of the running one, or NULL */

#endif
