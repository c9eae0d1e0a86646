/* SPDX-License-Identifier: Apache-2.0 */
/* state - the state file: records with CRC, replaced whole; readers and writers. */
#ifndef STATE_H
#define STATE_H

#include <satellite/module.h>

struct sat_writer { struct sat_buf b; };
struct sat_reader { const uint8_t *p, *end; int rc; int64_t away; };	/* away: how long the program was */

/* [any thread] Replace `path` by header, records, trailer: temporary file, fsync, rename, fsync
 * of the folder. */
struct state_file;
int state_begin(const char *path, struct state_file **f);
int state_record(struct state_file *f, uint32_t kind, const void *p, size_t n);
int state_commit(struct state_file *f);		/* frees f, failing too */
void state_abandon(struct state_file *f);
/* Each whole record; a damaged one is skipped and counted in *bad. */
int state_read(const char *path, int (*record)(void *arg, uint32_t kind, const void *p, size_t n),
	       void *arg, unsigned *bad);

enum state_kind { STATE_CLOCK = 1, STATE_FORK, STATE_EVENT };

#endif
