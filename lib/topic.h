/* SPDX-License-Identifier: Apache-2.0 */
/* topic - lists of events between modules: sat_publish(), sat_subscribe(). */
#ifndef TOPIC_H
#define TOPIC_H

#include "self.h"

void topic_forget(struct sat_self *self);	/* an instance goes: it hears nothing more */
bool topic_heard(const char *name);		/* whether anybody listens */
void topic_free(void);

#endif
