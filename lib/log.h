/* SPDX-License-Identifier: Apache-2.0 */
/* log - lines to stderr or to a file that logrotate may move.  [any thread] */
#ifndef LOG_H
#define LOG_H

#include <satellite/module.h>

/* Begin: path NULL is stderr (with <N> priority prefixes when JOURNAL_STREAM is
 * set, and for the parent of an isolated process).  level: the least urgent that is written, LOG_INFO by default. */
int log_open(const char *path, int level);
void log_reopen(void);			/* after SIGHUP: the file may have moved */
void log_close(void);

/* "name: text"; name NULL: none. */
void log_line(int level, const char *name, const char *fmt, ...) SAT_PRINTF(3);
void log_vline(int level, const char *name, const char *fmt, va_list ap);

#endif
