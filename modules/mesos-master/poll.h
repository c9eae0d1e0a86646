/* SPDX-License-Identifier: Apache-2.0 */
/* poll - when the Mesos master is asked for what, and what follows from its answers. */
#ifndef POLL_H
#define POLL_H

#include "mesos.h"

void poll_init(struct mesos *m, int64_t timeout);
int poll_start(struct mesos *m);
void poll_stop(struct mesos *m);	/* sat_stopped() follows */

#endif
