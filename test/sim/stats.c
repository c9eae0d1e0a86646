/* SPDX-License-Identifier: Apache-2.0 */
/* stats - how often each path was asked, and what it cost. */
#include "stats.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PATHS = 256 };

uint64_t *stats_count(struct stat_entry **all, const char *path)
{
	struct stat_entry *e;
	size_t n = 0;

	for (e = *all; e; e = e->next, n++)
		if (!strcmp(e->path, path))
			break;
	if (!e && n >= MAX_PATHS - 1 && strcmp(path, "other"))
		return stats_count(all, "other");
	if (!e) {
		e = sim_calloc(1, sizeof(*e) + strlen(path) + 1);
		strcpy(e->path, path);
		e->next = *all;
		*all = e;
	}
	e->count++;
	return &e->bytes;
}

void stats_reset(struct stat_entry *all)
{
	for (; all; all = all->next)
		all->count = all->bytes = 0;
}

void stats_free(struct stat_entry **all)
{
	struct stat_entry *next;

	for (; *all; *all = next) {
		next = (*all)->next;
		free(*all);
	}
}

static void put_quoted(struct buf *b, const char *s)
{
	buf_char(b, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_char(b, '\\');
		if ((unsigned char)*s >= 0x20)
			buf_char(b, *s);
	}
	buf_char(b, '"');
}

void stats_put(struct buf *b, const struct stat_entry *all)
{
	const struct stat_entry *e;
	unsigned long long count = 0, bytes = 0;

	for (e = all; e; e = e->next) {
		count += e->count;
		bytes += e->bytes;
	}
	buf_fmt(b, "\"requests\":%llu,\"bytes\":%llu,\"paths\":{", count,
		bytes);
	for (e = all; e; e = e->next) {
		put_quoted(b, e->path);
		buf_fmt(b, ":{\"count\":%llu,\"bytes\":%llu}%s",
			(unsigned long long)e->count,
			(unsigned long long)e->bytes, e->next ? "," : "");
	}
	buf_char(b, '}');
}
