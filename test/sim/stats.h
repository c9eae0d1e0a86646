/* SPDX-License-Identifier: Apache-2.0 */
/* stats - how often each path was asked, and what it cost. */
#ifndef SIM_STATS_H
#define SIM_STATS_H

#include <stdint.h>

#include "buf.h"

struct stat_entry {
	struct stat_entry *next;
	uint64_t count, bytes;
	char path[];
};

/* Count one request; where its bytes are to be counted. */
uint64_t *stats_count(struct stat_entry **all, const char *path);
void stats_reset(struct stat_entry *all);
void stats_free(struct stat_entry **all);
/* "requests":N,"bytes":N,"paths":{…} */
void stats_put(struct buf *b, const struct stat_entry *all);

#endif
