/* SPDX-License-Identifier: Apache-2.0 */
/* disk - a master's spool as files: writing them, reading them back, forgetting them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk_inside.h"

#define SEGMENT_MAX	(1u << 20)	/* bytes, but for one with a single long record */
#define FIRST		(1u << 30)	/* number of the first segment: others may come before */
#define READ_MAX	((size_t)128 << 10)

/* ---- Files -------------------------------------------------------------- */

const char *disk_path(struct disk *d, const char *name)
{
	snprintf(d->what, sizeof(d->what), "%s/%s", d->folder, name);
	return d->what;
}

const char *disk_segment_path(struct disk *d, uint32_t number)
{
	char name[32];

	snprintf(name, sizeof(name), "%010" PRIu32 ".spool", number);
	return disk_path(d, name);
}

static int write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

static void close_last(struct disk *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

size_t disk_drop(struct disk *d, unsigned i)
{
	struct segment gone = d->list[i];

	if (i == d->n - 1)
		close_last(d);
	unlink(disk_segment_path(d, gone.number));
	memmove(d->list + i, d->list + i + 1, (d->n - i - 1) * sizeof(*d->list));
	d->n--;
	return gone.unread;
}

size_t disk_bytes(const struct disk *d)
{
	size_t sum = 0;

	for (unsigned i = 0; i < d->n; i++)
		sum += d->list[i].bytes;
	return sum;
}

/* ---- Writing ------------------------------------------------------------ */

static int write_header(struct disk *d, int fd)
{
	struct header h;

	memcpy(h.magic, MAGIC, sizeof(h.magic));
	memcpy(h.boot, d->boot, sizeof(h.boot));
	return write_all(fd, &h, sizeof(h));
}

/* A new file; *fd: to write on. */
static int begin_segment(struct disk *d, uint32_t number, int *fd)
{
	int rc;

	*fd = open(disk_segment_path(d, number), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		return -errno;
	rc = write_header(d, *fd);
	if (rc != 0) {
		close(*fd);
		unlink(d->what);
	}
	return rc;
}

/* All of b, or nothing of it. */
static int write_records(int fd, struct segment *s, const struct sat_buf *b, size_t records)
{
	int rc = write_all(fd, b->p, b->len);

	if (rc == 0 && fsync(fd) != 0)
		rc = -errno;
	if (rc != 0)
		return ftruncate(fd, s->bytes) == 0 ? rc : -EIO;
	s->bytes += (uint32_t)b->len;
	s->unread += (uint32_t)records;
	return 0;
}

static size_t make_room(struct disk *d, size_t more)
{
	size_t dropped = 0;

	while (d->n > 0 && (disk_bytes(d) + more > d->max || d->n >= SEGMENTS * 4 - 1))
		dropped += disk_drop(d, 0);
	return dropped;
}

/* The last segment, with room for so much more. */
static int last_segment(struct disk *d, size_t more)
{
	uint32_t number = d->n > 0 ? d->list[d->n - 1].number + 1 : FIRST;
	int rc;

	if (d->fd >= 0 && d->list[d->n - 1].bytes + more <= d->segment_max) {
		disk_segment_path(d, number - 1);
		return 0;
	}
	close_last(d);
	if (d->n == 0 && d->read_at >> 32 >= number)
		number = (uint32_t)(d->read_at >> 32) + 1;	/* places never come again */
	rc = begin_segment(d, number, &d->fd);
	if (rc != 0) {
		d->fd = -1;
		return rc;
	}
	d->list[d->n++] = (struct segment){ .number = number, .bytes = sizeof(struct header),
					    .start = sizeof(struct header), .same_boot = *d->boot != '\0' };
	return 0;
}

int disk_append(struct disk *d, const struct sat_buf *b, size_t records, size_t *dropped)
{
	int rc;

	*dropped = 0;
	if (b->len + sizeof(struct header) > d->max)
		return -EFBIG;
	*dropped = make_room(d, b->len + sizeof(struct header));
	rc = last_segment(d, b->len);
	rc = rc == 0 ? write_records(d->fd, &d->list[d->n - 1], b, records) : rc;
	if (rc == -EIO && d->fd >= 0) {		/* another one, the next time */
		close_last(d);
		if (d->list[d->n - 1].bytes == sizeof(struct header))
			disk_drop(d, d->n - 1);
	}
	return rc;
}

int disk_prepend(struct disk *d, const struct sat_buf *b, size_t records)
{
	uint32_t number = (d->n > 0 ? d->list[0].number : FIRST) - 1;
	struct segment s = { .number = number, .bytes = sizeof(struct header) };
	int fd, rc;

	if (disk_bytes(d) + b->len + sizeof(struct header) > d->max)
		return -ENOSPC;
	rc = begin_segment(d, number, &fd);
	if (rc != 0)
		return rc;
	rc = write_records(fd, &s, b, records);
	close(fd);
	if (rc != 0)
		unlink(disk_segment_path(d, number));
	return rc;
}

/* ---- Reading ------------------------------------------------------------ */

/* The segment that has what is to be read next, and where in it. */
static struct segment *next_to_read(struct disk *d, uint32_t *offset)
{
	for (unsigned i = 0; i < d->n; i++) {
		struct segment *s = &d->list[i];
		bool here = s->number == d->read_at >> 32;

		if (s->number < d->read_at >> 32 || s->unread == 0)
			continue;
		*offset = here && (uint32_t)d->read_at > s->start ? (uint32_t)d->read_at : s->start;
		return s;
	}
	return NULL;
}

/* From the offset on; a record that is longer than usual whole. */
static int load(struct disk *d, const struct segment *s, uint32_t offset, char **text, size_t *len)
{
	size_t want = s->bytes - offset < READ_MAX ? s->bytes - offset : READ_MAX;
	struct head h = { 0 };
	ssize_t n = -1;
	int fd = open(disk_segment_path(d, s->number), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (pread(fd, &h, sizeof(h), offset) == (ssize_t)sizeof(h) && h.len <= s->bytes - offset &&
	    h.len + sizeof(h) > want)
		want = h.len + sizeof(h);
	*text = malloc(want);
	if (*text != NULL)
		n = pread(fd, *text, want, offset);
	close(fd);
	*len = n > 0 ? (size_t)n : 0;
	if (*text == NULL)
		return -ENOMEM;
	return n >= 0 ? 0 : -EIO;
}

static int take_records(struct disk *d, struct segment *s, uint32_t offset, struct record *out, size_t most, size_t *n)
{
	char *text = NULL;
	size_t len = 0, size;
	struct head h;
	int rc = load(d, s, offset, &text, &len);
	const char *at = text;

	while (rc == 0 && *n < most && s->unread > 0 && (size = disk_record_at(at, len, &h)) > 0) {
		struct record r = { .parcel = parcel_new(at + sizeof(h), h.len), .wall = h.wall,
				    .until = s->same_boot ? h.until : INT64_MIN };

		if (r.parcel == NULL) {
			rc = -ENOMEM;
			break;
		}
		at += size;
		len -= size;
		offset += (uint32_t)size;
		r.end = d->read_at = disk_place(s->number, offset);
		out[(*n)++] = r;
		s->unread--;
	}
	free(text);
	return rc;
}

int disk_read(struct disk *d, struct record *out, size_t most, size_t *n, size_t *lost)
{
	struct segment *s;
	uint32_t offset;
	int rc;

	*n = *lost = 0;
	while (most > 0 && (s = next_to_read(d, &offset)) != NULL) {
		rc = take_records(d, s, offset, out, most, n);
		if (*n > 0 || (rc != 0 && rc != -EIO && rc != -ENOENT))
			return rc;
		*lost += s->unread;		/* the rest of it is not what was written */
		s->unread = 0;
		rc = 0;
	}
	return 0;
}

/* ---- Forgetting --------------------------------------------------------- */

static int write_cursor(struct disk *d)
{
	struct cursor c = { 0 };
	unsigned n = 0;
	int fd = open(disk_path(d, CURSOR), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), rc;

	if (fd < 0)
		return -errno;
	for (unsigned i = 0; i < d->n && n < sizeof(c.places) / sizeof(*c.places); i++)
		if (d->list[i].start > sizeof(struct header))
			c.places[n++] = disk_place(d->list[i].number, d->list[i].start);
	c.sum = disk_checksum(0, c.places, sizeof(c.places));
	rc = write_all(fd, &c, sizeof(c));
	close(fd);
	return rc;
}

int disk_forget(struct disk *d, uint64_t at)
{
	const struct segment *last = d->n > 0 ? &d->list[d->n - 1] : NULL;

	if (at == d->forgotten || last == NULL)
		return 0;
	if (at == disk_place(last->number, last->bytes)) {
		unlink(disk_path(d, CURSOR));	/* before what it is of: a number may come again */
		while (d->n > 0)
			disk_drop(d, 0);
		d->forgotten = at;
		return 0;
	}
	while (d->n > 0 && d->list[0].number < at >> 32)
		disk_drop(d, 0);
	d->forgotten = at;
	if (d->n == 0 || d->list[0].number != at >> 32)
		return 0;
	d->list[0].start = (uint32_t)at;
	return write_cursor(d);
}

/* ---- Its life ----------------------------------------------------------- */

struct disk *disk_new(const char *folder, size_t max)
{
	struct disk *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->folder = strdup(folder);
	d->max = max;
	d->segment_max = max / SEGMENTS < SEGMENT_MAX ? max / SEGMENTS : SEGMENT_MAX;
	d->lock = d->fd = -1;
	if (d->folder != NULL)
		return d;
	free(d);
	return NULL;
}

bool disk_is_open(const struct disk *d)
{
	return d->lock >= 0;
}

void disk_close(struct disk *d)
{
	close_last(d);
	if (d->lock >= 0)
		close(d->lock);
	d->lock = -1;
}

void disk_free(struct disk *d)
{
	if (d == NULL)
		return;
	disk_close(d);
	free(d->folder);
	free(d);
}

const char *disk_folder(const struct disk *d)
{
	return d->folder;
}

const char *disk_what(const struct disk *d)
{
	return d->what;
}

uint32_t disk_first(const struct disk *d)
{
	return d->n > 0 ? d->list[0].number : 0;
}

size_t disk_damaged(const struct disk *d)
{
	return d->damaged;
}
