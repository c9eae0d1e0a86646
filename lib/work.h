/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work - jobs that may block, on threads of the host's own: serial per instance,
 * with deadlines.
 */
#ifndef WORK_H
#define WORK_H

#include "self.h"

int work_init(struct uv_loop_s *loop);
void work_end(void);			/* closes its handles; written-off threads are left behind */
/* done() once no job of this instance is queued or running in time. */
void work_drain(struct sat_self *self, void (*done)(void *arg), void *arg);
void work_forget(struct sat_self *self);	/* before self is freed */
unsigned work_written_off(void);

#endif
