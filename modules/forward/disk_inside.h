/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_inside - what the files that know segments share.
 *
 * disk.c       writing, reading, forgetting
 * disk_open.c  what another process left
 * record.c     one event
 */
#ifndef DISK_INSIDE_H
#define DISK_INSIDE_H

#include <limits.h>

#include "disk.h"

#define SEGMENTS	16u		/* the spool is so many when it is full */
#define MAGIC		"satellite spool 1\n\0\0\0\0\0"	/* and the NUL at its end: 24 bytes */
#define CURSOR		"acknowledged"

/* What stands on the disk, as this machine has it in memory. */
struct header { char magic[24]; char boot[40]; };
struct head {
	uint32_t len, sum;		/* of the event; of all that follows */
	int64_t until, wall;		/* the steady clock's, and the wall's: after another boot only that counts */
};
struct cursor { uint64_t places[4]; uint32_t sum, unused; };	/* one for a segment; 0: none */

struct segment {
	uint32_t number, bytes;		/* bytes: of header and good records */
	uint32_t start;			/* those before it are forgotten */
	uint32_t unread;		/* records */
	bool same_boot;
};

struct disk {
	char *folder;
	size_t max, segment_max;
	struct segment list[SEGMENTS * 4];	/* in order */
	unsigned n;
	uint64_t read_at;		/* 0: at the first */
	uint64_t forgotten;
	int lock, fd;			/* fd: of the last segment, while it is written */
	char boot[40];
	size_t damaged;
	char what[PATH_MAX];
};

static inline uint64_t disk_place(uint32_t number, uint32_t offset)
{
	return (uint64_t)number << 32 | offset;
}

/* Where what is wrong is: d->what is that file. */
const char *disk_path(struct disk *d, const char *name);
const char *disk_segment_path(struct disk *d, uint32_t number);
size_t disk_drop(struct disk *d, unsigned i);	/* a segment and its file; how much of it was not read */

uint32_t disk_checksum(uint32_t sum, const void *p, size_t n);	/* CRC-32, as Ethernet and zip have it */
/* The length of the good record that stands here; 0: there is none in these n bytes. */
size_t disk_record_at(const char *p, size_t n, struct head *h);

#endif
