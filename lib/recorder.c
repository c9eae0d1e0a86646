/* SPDX-License-Identifier: Apache-2.0 */
/* recorder - the inputs of a live engine, as the JSON lines that replay reads. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "log.h"
#include "recorder.h"
#include "self.h"

#define ENOUGH	((size_t)256 << 10)	/* bytes that are worth a job */
#define MOST	((size_t)16 << 20)	/* that wait for the disk */

/* While a job runs, fd, size and rc are its own. */
struct file {
	char *path;
	size_t max, size;
	int fd, rc;
	bool busy, closing, failed;
	struct sat_buf out;		/* what the job writes */
};

bool record_on;
static struct file *file;
static struct sat_buf lines = { .max = MOST };
static struct sat_alarm flusher;
static int64_t base;			/* of "at": the wall's reading when the clock's was 0 */

static void free_file(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	sat_buf_free(&f->out);
	free(f->path);
	free(f);
}

/* ---- On another thread -------------------------------------------------- */

/* What stands there goes to FILE.1, which goes. */
static int begin_file(struct file *f)
{
	char old[4096];
	struct stat st;

	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	if (snprintf(old, sizeof(old), "%s.1", f->path) >= (int)sizeof(old))
		return -ENAMETOOLONG;
	if (stat(f->path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && rename(f->path, old) != 0)
		return -errno;
	f->fd = open(f->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	f->size = 0;
	return f->fd >= 0 ? 0 : -errno;
}

/* n bytes of p went out, and no more do: half a line would spoil what replay reads. */
static void cut(struct file *f, const char *p, size_t n)
{
	const char *end = memrchr(p, '\n', n);
	size_t torn = end != NULL ? n - (size_t)(end + 1 - p) : n;

	if (torn != 0 && ftruncate(f->fd, (off_t)(f->size - torn)) == 0)
		f->size -= torn;
}

static int put(struct file *f, const char *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k = write(f->fd, p + done, n - done);
		int rc = k < 0 ? -errno : 0;

		if (rc != 0 && rc != -EINTR) {
			cut(f, p, done);
			return rc;
		}
		if (k > 0) {
			done += (size_t)k;
			f->size += (size_t)k;
		}
	}
	return 0;
}

static int write_out(void *arg)
{
	struct file *f = arg;
	int rc = 0;

	if (f->fd < 0 || f->size + f->out.len > f->max)
		rc = begin_file(f);
	return rc == 0 ? put(f, f->out.p, f->out.len) : rc;
}

/* ---- On the loop -------------------------------------------------------- */

static void hand_over(void);

static void written(void *arg, int rc)
{
	struct file *f = arg;

	if (rc != 0 && !f->failed)
		log_line(LOG_ERR, "record", "%s: %s: what it lacks is counted", f->path, strerror(-rc));
	if (rc != 0)
		self_add(SELF_RECORD_DROPPED, 1);
	f->failed = rc != 0;
	if (rc == -ETIMEDOUT)	/* it is still at it */
		return;
	f->busy = false;
	f->out.len = 0;
	if (f->closing)
		free_file(f);
	else if (lines.len >= ENOUGH)
		hand_over();
}

static void written_late(void *arg)
{
	struct file *f = arg;

	f->busy = false;
	f->out.len = 0;
	if (f->closing)
		free_file(f);
}

static unsigned drop(struct sat_buf *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->p[i] == '\n';
	self_add(SELF_RECORD_DROPPED, n);
	b->len = 0;
	return n;
}

static void hand_over(void)
{
	struct sat_job job = { .size = sizeof(job), .work = write_out, .done = written, .late = written_late,
			       .arg = file, .lane = file };
	struct sat_buf empty = file->out;

	if (file->busy || lines.len == 0)
		return;
	file->out = lines;
	lines = empty;
	lines.max = MOST;
	lines.len = 0;
	file->busy = true;
	if (sat_work(&self_host, &job) != 0) {
		file->busy = false;
		drop(&file->out);
	}
}

static void every_second(struct sat_alarm *a)
{
	hand_over();
	sat_alarm_set(&self_host, a, sat_clock() + SAT_SECOND);
}

int recorder_use(const char *path, size_t max)
{
	struct file *f = NULL;

	if (file != NULL && path != NULL && strcmp(file->path, path) == 0 && file->max == max)
		return 0;
	if (path != NULL) {
		f = calloc(1, sizeof(*f));
		if (f == NULL || (f->path = strdup(path)) == NULL) {
			free(f);
			return -ENOMEM;
		}
		f->fd = -1;
		f->max = max;
	}
	if (file != NULL) {
		hand_over();
		file->closing = true;
		if (!file->busy)
			free_file(file);
	}
	file = f;
	record_on = f != NULL;
	flusher.fire = every_second;
	if (f == NULL) {
		sat_alarm_stop(&flusher);
		return 0;
	}
	base = clock_wall() - clock_steady();
	return sat_alarm_set(&self_host, &flusher, sat_clock() + SAT_SECOND);
}

/* Whole lines, or none. */
static void add(const struct sat_event *ev)
{
	size_t was = lines.len;

	sat_buf_printf(&lines, "{\"at\": ");
	json_seconds(&lines, base + clock_steady());
	sat_buf_printf(&lines, ev != NULL ? ", \"event\": " : ", \"expire\": true");
	if (ev != NULL)
		json_replay_event(&lines, ev);
	sat_buf_printf(&lines, "}\n");
	if (lines.full) {
		lines.full = false;
		lines.len = was;
		self_add(SELF_RECORD_DROPPED, 1);
	} else {
		self_add(SELF_RECORDED, 1);
	}
	if (lines.len >= ENOUGH)
		hand_over();
}

void recorder_event(const struct sat_event *ev)
{
	add(ev);
}

void recorder_expire(void)
{
	add(NULL);
}

void recorder_flush(void)
{
	if (file != NULL)
		hand_over();
}

void recorder_end(void)
{
	struct file *f = file;
	bool busy = f != NULL && f->busy, lost = busy;

	file = NULL;
	record_on = false;
	if (f != NULL && !busy) {
		f->out.len = 0;
		sat_buf_add(&f->out, lines.p, lines.len);
		lost = f->out.len != lines.len || (lines.len != 0 && write_out(f) != 0);
	}
	if (lost && lines.len != 0)	/* or a job hangs, and the file is its own */
		log_line(LOG_ERR, "record", "%s: the last %u lines were not recorded", f->path, drop(&lines));
	if (busy)
		f->closing = true;
	else if (f != NULL)
		free_file(f);
	sat_buf_free(&lines);
	lines.max = MOST;
}
