/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolated - this process is one group of another: what it emits goes to its parent.
 *
 * The parent's side is isolate.h.  A module does not see the difference.
 */
#ifndef ISOLATED_H
#define ISOLATED_H

#include "setup.h"

/* Before all else: it ends with its parent. */
void isolated_begin(const char *name);
/* The configuration, as the parent has written it; waits for it.  NULL: reported. */
struct conf *isolated_file(void);
const struct setup_role *isolated_role(void);	/* nothing but the group */
/* From here on events go to the parent.  ended: it wants this process to end. */
int isolated_open(void (*ended)(void));
void isolated_close(void);

#endif
