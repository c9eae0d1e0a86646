/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_inside - what the files that know a spool share.
 *
 * spool.c    what is to be done with the disk, and when
 * settle.c   what came of it
 */
#ifndef SPOOL_INSIDE_H
#define SPOOL_INSIDE_H

#include "job.h"
#include "peer.h"

#define AGAIN		(5 * SAT_SECOND)	/* after a failure */
#define IN_USE		(200 * SAT_MS)	/* the one that has it is stopping, at a reload */
#define PATIENCE	(10 * SAT_SECOND)	/* with him, or with the disk */

struct spool {
	struct peer *peer;
	struct disk *disk;
	struct place place;
	struct queue tail, batch;	/* batch: what the job writes */
	struct job *job;
	struct sat_alarm tick;
	size_t unread;			/* events on the disk that the queue does not have */
	uint64_t told;			/* to the disk: what was passed */
	uint32_t oldest;		/* segment that is there; 0: none */
	int64_t began, wrote, retry;
	bool open, active;		/* active: events go to the tail */
	bool waits;			/* for another to let go of the folder */
	bool closing, last;		/* last: the job that closes it is under way */
	bool overdue;			/* the job is, and may end, or never */
	bool failing;			/* it was said */
	struct sat_log_limit failed, full;
};

/* spool.c */
void spool_next_place(struct spool *s);		/* another has this one: the next may be free */

/* settle.c */
void spool_done(void *arg, int rc);		/* of a job, in time or out of it */
void spool_late(void *arg);			/* of one that was out of time */
void spool_fail(struct spool *s, int rc, const char *what);
void spool_put_back(struct spool *s);		/* the batch is the first of the tail again */
size_t spool_in_memory(const struct spool *s);	/* of the queue, events that the disk does not have */
void spool_end(struct spool *s, size_t kept);

#endif
