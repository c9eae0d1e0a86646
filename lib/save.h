/* SPDX-License-Identifier: Apache-2.0 */
/*
 * save - what a restart is to know: the index, and what streams know, as the state file.
 *
 * A file is of one moment.  The states of an operator and of those behind it belong together:
 * had one seen an event that the other has not, a restart would lose an alert or an expiry.
 * So in slices, too, all is as it was when the save began: what changes before its turn comes
 * is written down first, with the clock as it was.  One state is one piece; the whole file then
 * takes the old one's place, so that a process which is killed meanwhile leaves that one.
 */
#ifndef SAVE_H
#define SAVE_H

#include <satellite/module.h>

int save_now(const char *path);		/* in one go; one that is under way is given up */
/* In slices of the loop's turns, written by sat_work(); how it ends is logged.  -EALREADY: one is under way. */
int save_later(const char *path);
bool save_turn(void);			/* a turn's share; true: there is more to do */
bool save_busy(void);
void save_forks(void);			/* before streams are swapped: what is left of these, in one go */
void save_stop(void);			/* give up one that is under way; the old file stays */
int save_load(const char *path);	/* -ENOENT: there is none */
/* Replay: the same records in memory, and back. */
int save_dump(struct sat_buf *file);
int save_restore(const struct sat_buf *file);
void save_budget(int64_t each);		/* for tests: microseconds of a turn; 0: the least that is a step */

#endif
