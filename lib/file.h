/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file - files replaced whole, so that who reads one never sees a part; and read whole.
 *
 * sat_file_replace() in steps, for one that is written piece by piece; each blocks.
 */
#ifndef FILE_H
#define FILE_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

struct file_new { int fd; mode_t mode; char path[PATH_MAX], temp[PATH_MAX]; };

/* suffix: of the temporary name, by which those who write at once keep apart.  Failing, any leaves nothing behind. */
int file_begin(struct file_new *f, const char *path, const char *suffix, mode_t mode);
int file_add(struct file_new *f, const void *p, size_t n);
int file_settle(struct file_new *f);	/* all of it is on the disk */
int file_put(struct file_new *f);	/* and now stands in the old one's place */
void file_drop(struct file_new *f);	/* not begun, or failed: fine */

#endif
