/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate - instances that run in a process of their own: started, listened to,
 * watched, ended, started again.
 *
 * The process is this executable with one group and its entries of `checks`.  It
 * is told of them over a socket, on which it sends Riemann's messages from then on.
 * isolated.h is its side.
 */
#ifndef ISOLATE_H
#define ISOLATE_H

#include "setup.h"

/* More words for its command line, NULL-ended; they stay. */
void isolate_begin(const char *const *more);
/* Start the process of an instance of s; instance_stop() ends it.  0 or -ENOMEM. */
int isolate_start(struct instance *i, const struct setup *s);
/* What the process of an instance of s is told, as a file would say it. */
void isolate_text(const struct instance *i, const struct setup *s, struct sat_buf *out);

/* Words on both sides: the query of the answer to a beat, and the states of its events. */
#define ISOLATE_BEAT	"beat"
#define ISOLATE_COUNTER	"counter"	/* service: its name */
#define ISOLATE_TOOK	"took"		/* service: the number of the entry; metric: microseconds */
#define ISOLATE_DROPPED	"dropped"	/* events for which there was no room, since it began */
#define ISOLATE_FD	3
#define ISOLATE_MESSAGE	(1u << 20)	/* bytes of a message at most */

#endif
