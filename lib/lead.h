/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lead - whether this process acts, and under which epoch: a lease of 2 s of
 * CLOCK_BOOTTIME.  leader = "always", or "mesos": while sat_mesos_leads() says so.
 */
#ifndef LEAD_H
#define LEAD_H

#include "self.h"

enum lead_mode { LEAD_ALWAYS, LEAD_MESOS };
int lead_init(enum lead_mode mode);
void lead_mode(enum lead_mode mode);	/* after a reload */
void lead_forget(struct sat_self *self);	/* an instance goes: no more calls */
void lead_end(void);

#endif
