/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen - listening sockets, owned by the host and keyed by address, so that a
 * reload hands them over instead of closing them.  sat_listen() lives here.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include "self.h"

/* An instance goes: sockets that nobody else has claimed are closed. */
void listen_release(struct sat_self *self);
/* Of those that are to run together, no two may have the same socket: -EADDRINUSE, reported. */
int listen_check(bool (*stays)(void *arg, const struct sat_self *self), void *arg);
unsigned listen_count(void);

#endif
