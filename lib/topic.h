/* SPDX-License-Identifier: Apache-2.0 */
/* topic - lists of events between modules: sat_publish(), sat_subscribe(). */
#ifndef TOPIC_H
#define TOPIC_H

#include "self.h"

void topic_forget(struct sat_self *self);	/* an instance goes: it hears nothing more */
void topic_free(void);

/* For the host's own, which it tells of at every event: the topic, found once (NULL: out
 * of memory, or too many), good until topic_free(); what is told are the host's events. */
struct topic;
struct topic *topic_get(const char *name);
void topic_tell(struct topic *t, const struct sat_item *item);

#endif
