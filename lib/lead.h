/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lead - whether this process acts, and under which epoch: a lease of 2 s of
 * CLOCK_BOOTTIME.  leader = "always"; "mesos": while sat_mesos_leads() says so; "store":
 * who claims it.  Where masters share a store, it is claimed there as well (claim.h).
 */
#ifndef LEAD_H
#define LEAD_H

#include "self.h"

enum lead_mode { LEAD_ALWAYS, LEAD_MESOS, LEAD_STORE };
int lead_init(enum lead_mode mode);
/* After a reload, and at the end, then with NULL: store: the one that masters share, or NULL. */
void lead_mode(enum lead_mode mode, struct sat_self *store);
/* What is to become of alerts: kept until another has sent them or is gone, sent once the
 * log in the store says that we do, or sent. */
enum lead_alerts { LEAD_KEEP, LEAD_LOG, LEAD_SEND };
enum lead_alerts lead_alerts(void);
/* Who acts, as far as is known here; words: for people, "" where there is no question of it. */
enum lead_seen { LEAD_SELF, LEAD_ANOTHER, LEAD_NOBODY };
enum lead_seen lead_seen(char *words, size_t size);
void lead_forget(struct sat_self *self);	/* an instance goes: no more calls */
void lead_end(void);

#endif
