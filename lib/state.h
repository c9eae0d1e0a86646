/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state - the state file, replaced whole, and the values that lie in its records.
 *
 * A file is a header, then records of (kind, length, CRC-32, bytes).  A damaged
 * record costs itself; what follows it is found again only if its length is right.
 */
#ifndef STATE_H
#define STATE_H

#include <satellite/module.h>

enum state_kind { STATE_FORK = 1, STATE_EVENT, STATE_CLOCK };

/* Records in memory, for state_put(). */
void state_record(struct sat_buf *file, uint32_t kind, const void *p, size_t n);
/* The same in two steps, for a file in pieces. */
void state_begin(struct sat_buf *file);
void state_record_more(struct sat_buf *file, uint32_t kind, const void *p, size_t n);
/* [any thread] As sat_file_replace(). */
int state_put(const char *path, const struct sat_buf *file);
/* Each whole record of such bytes; damaged ones are counted in *bad.  -EBADMSG: they are no such file. */
int state_parse(const void *p, size_t n, void (*record)(void *arg, uint32_t kind, const void *p, size_t n),
		void *arg, unsigned *bad);
/* The same of a file.  -ENOENT: there is none. */
int state_read(const char *path, void (*record)(void *arg, uint32_t kind, const void *p, size_t n),
	       void *arg, unsigned *bad);

struct sat_writer { struct sat_buf b; };
struct sat_reader { const unsigned char *p, *end; int rc; };

#endif
