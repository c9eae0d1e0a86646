/* SPDX-License-Identifier: Apache-2.0 */
/* job - one thing after the other that the spool does with the disk, on another thread. */
#ifndef JOB_H
#define JOB_H

#include "disk.h"

#define JOB_AHEAD	512u		/* events read back at once */

/* What is to be done, and what came of it. */
struct job {
	struct spool *spool;		/* NULL: it has gone, and the disk is this one's */
	struct disk *disk;
	struct sat_buf front, back;
	size_t n_front, n_back;
	uint64_t passed;
	size_t want;
	bool close;
	int opened, fronted, written;	/* results; 0 where it had nothing to do */
	int rc;				/* the first that failed, at `what` */
	char what[256];
	uint32_t oldest;		/* segment */
	size_t found, damaged, dropped, lost, n;
	struct record records[JOB_AHEAD];
};

int job_work(void *arg);		/* arg: a job */
void job_free(struct job *j);

#endif
