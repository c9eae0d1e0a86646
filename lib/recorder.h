/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder - the inputs of a live engine, as the JSON lines that replay reads.
 *
 * Lines gather in memory and are written by sat_work(), so that a slow disk holds
 * nothing up: what it does not take in time is dropped, and counted.  A file that
 * is full becomes FILE.1, and a new one begins.
 */
#ifndef RECORDER_H
#define RECORDER_H

#include <satellite/module.h>

/* From now on to path, at most max bytes a file; NULL: nowhere.  -ENOMEM. */
int recorder_use(const char *path, size_t max);
extern bool record_on;		/* whether it makes sense to call those below */
void recorder_event(const struct sat_event *ev);		/* goes through the streams now, or next */
void recorder_expire(void);	/* a turn of the reaper took something */
void recorder_flush(void);	/* hand over what there is */
void recorder_end(void);		/* no job runs any more: write the rest, here and now */

#endif
