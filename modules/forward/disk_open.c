/* SPDX-License-Identifier: Apache-2.0 */
/* disk_open - take a master's spool, and see what another process left there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk_inside.h"

static int make_folders(struct disk *d)
{
	int rc;

	snprintf(d->what, sizeof(d->what), "%s", d->folder);
	for (char *p = strchr(d->what + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		rc = mkdir(d->what, 0700) == 0 || errno == EEXIST ? 0 : -errno;
		*p = '/';
		if (rc != 0 && access(d->folder, F_OK) != 0)
			return rc;
	}
	return mkdir(d->folder, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

static int take_lock(struct disk *d)
{
	int rc = 0;

	d->lock = open(disk_path(d, "lock"), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock < 0)
		return -errno;
	if (flock(d->lock, LOCK_EX | LOCK_NB) != 0) {
		rc = -errno;
		close(d->lock);
		d->lock = -1;
	}
	return rc;
}

static void read_boot(struct disk *d)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	memset(d->boot, 0, sizeof(d->boot));
	if (fd < 0)
		return;
	if (read(fd, d->boot, sizeof(d->boot)) <= 0)
		d->boot[0] = '\0';
	close(fd);
}

static uint32_t start_of(const struct cursor *c, uint32_t number)
{
	for (unsigned i = 0; i < sizeof(c->places) / sizeof(*c->places); i++)
		if (c->places[i] >> 32 == number)
			return (uint32_t)c->places[i];
	return sizeof(struct header);
}

/* A segment that another process left, as far as it is good. */
static int look_at(struct disk *d, uint32_t number, const struct cursor *cursor)
{
	struct segment s = { .number = number, .bytes = sizeof(struct header) };
	struct head h;
	char *text;
	size_t len, n;
	int rc = sat_file_read(disk_segment_path(d, number), UINT32_MAX, &text, &len);

	if (rc != 0)
		return rc;
	if (len < sizeof(struct header) || memcmp(text, MAGIC, sizeof(((struct header *)0)->magic)) != 0) {
		d->damaged += len;
		len = 0;
	}
	s.start = start_of(cursor, number);
	s.same_boot = len > 0 && *d->boot != '\0' &&
		memcmp(text + offsetof(struct header, boot), d->boot, sizeof(d->boot)) == 0;
	while (len > s.bytes && (n = disk_record_at(text + s.bytes, len - s.bytes, &h)) > 0) {
		s.unread += s.bytes >= s.start;
		s.bytes += (uint32_t)n;
	}
	d->damaged += len > s.bytes ? len - s.bytes : 0;
	free(text);
	d->list[d->n++] = s;
	if (s.unread == 0)
		disk_drop(d, d->n - 1);
	return 0;
}

static struct cursor read_cursor(struct disk *d)
{
	struct cursor c = { 0 };
	char *text;
	size_t len;

	if (sat_file_read(disk_path(d, CURSOR), sizeof(c), &text, &len) != 0)
		return c;
	if (len == sizeof(c))
		memcpy(&c, text, sizeof(c));
	free(text);
	return c.sum == disk_checksum(0, c.places, sizeof(c.places)) ? c : (struct cursor){ 0 };
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The numbers of the segments that are there, sorted: as many as there is room for. */
static int list_segments(struct disk *d, uint32_t *numbers, unsigned *n)
{
	DIR *dir = opendir(disk_path(d, "."));
	const struct dirent *e;

	*n = 0;
	if (dir == NULL)
		return -errno;
	while ((e = readdir(dir)) != NULL && *n < SEGMENTS * 2) {
		char *end;
		unsigned long number = strtoul(e->d_name, &end, 10);

		if (end == e->d_name + 10 && strcmp(end, ".spool") == 0 && number > 0 && number < UINT32_MAX)
			numbers[(*n)++] = (uint32_t)number;
	}
	closedir(dir);
	qsort(numbers, *n, sizeof(*numbers), by_number);
	return 0;
}

static int look_around(struct disk *d, size_t *records)
{
	uint32_t numbers[SEGMENTS * 2];
	struct cursor cursor = read_cursor(d);
	unsigned n;
	int rc = list_segments(d, numbers, &n);

	*records = 0;
	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = look_at(d, numbers[i], &cursor);
	for (unsigned i = 0; i < d->n; i++)
		*records += d->list[i].unread;
	return rc;
}

int disk_open(struct disk *d, size_t *records)
{
	int rc = make_folders(d);

	d->n = 0;
	d->damaged = 0;
	d->read_at = d->forgotten = 0;
	rc = rc == 0 ? take_lock(d) : rc;
	if (rc != 0)
		return rc;
	read_boot(d);
	rc = look_around(d, records);
	if (rc != 0)
		disk_close(d);
	return rc;
}
