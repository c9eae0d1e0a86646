/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk - a master's spool as files: a folder of segments, each some records.
 *
 * A segment, NUMBER.spool, is a header and records; none is written to again
 * once another has begun, nor by another process.  Records are read in order,
 * and forgotten in order; the file `acknowledged` says how far into segments
 * that is.  All of this blocks, and is for a worker, one call at a time.
 */
#ifndef DISK_H
#define DISK_H

#include "forward.h"

struct disk;

struct record {
	struct parcel *parcel;
	int64_t until, wall;	/* until INT64_MIN: of another boot, so that only the wall says */
	uint64_t end;		/* the place behind it */
};

/* What is to be written: records, one after the other; until when each is good, by both clocks. */
void disk_record(struct sat_buf *b, const struct parcel *p, int64_t until, int64_t wall);

struct disk *disk_new(const char *folder, size_t max);	/* NULL: no memory.  Touches nothing */
void disk_free(struct disk *d);

/* Take the folder, and see what is in it: records.  -EWOULDBLOCK: somebody else has it. */
int disk_open(struct disk *d, size_t *records);
bool disk_is_open(const struct disk *d);
/* *dropped: how many unread ones had to go, the oldest, to make room.  -EFBIG: it never fits. */
int disk_append(struct disk *d, const struct sat_buf *b, size_t records, size_t *dropped);
/* In front of all that is there; the last call before it is closed. */
int disk_prepend(struct disk *d, const struct sat_buf *b, size_t records);
/* Up to `most` of those not read yet; *lost: how many could not be read, and are gone. */
int disk_read(struct disk *d, struct record *out, size_t most, size_t *n, size_t *lost);
/* What ends up to this place is not needed any more. */
int disk_forget(struct disk *d, uint64_t place);
void disk_close(struct disk *d);

/* For who shows it, after a call. */
size_t disk_bytes(const struct disk *d);
const char *disk_what(const struct disk *d);	/* the file, or folder, that failed */
const char *disk_folder(const struct disk *d);	/* amid a call, too */
uint32_t disk_first(const struct disk *d);		/* the number of the first segment; 0: none */
size_t disk_damaged(const struct disk *d);	/* bytes that were no records, at open */

#endif
