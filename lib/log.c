/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - lines to stderr or to a file that logrotate may move.
 *
 * Each line is one write, so that lines of threads and of other programs never
 * mix.  A reader that does not read must not stop the loop: lines are lost, and
 * counted, when stderr takes none for a while.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "self.h"

#define LINE_MAX_BYTES	4096
#define PATIENCE_MS	100	/* for a stderr that takes nothing */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int fd = STDERR_FILENO;
static char *file;		/* NULL: stderr */
static int least = LOG_INFO;
static bool journal;
static unsigned lost;

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SAT_SECOND + t.tv_nsec / 1000;
}

static int open_file(const char *path)
{
	int to = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	return to < 0 ? -errno : to;
}

/* Under the lock. */
static void close_file(void)
{
	if (fd != STDERR_FILENO)
		close(fd);
	fd = STDERR_FILENO;
	free(file);
	file = NULL;
}

int log_open(const char *path, int level)
{
	char *copy = NULL;
	int to = STDERR_FILENO;

	if (path != NULL) {
		copy = strdup(path);
		if (copy == NULL)
			return -ENOMEM;
		to = open_file(path);
		if (to < 0) {
			free(copy);
			return to;
		}
	}
	pthread_mutex_lock(&lock);
	close_file();
	fd = to;
	file = copy;
	least = level;
	journal = path == NULL && (self_process.isolated != NULL || getenv("JOURNAL_STREAM") != NULL);
	pthread_mutex_unlock(&lock);
	return 0;
}

void log_reopen(void)
{
	int to = 0;

	pthread_mutex_lock(&lock);
	if (file != NULL) {
		to = open_file(file);
		if (to >= 0) {
			close(fd);
			fd = to;
		}
	}
	pthread_mutex_unlock(&lock);
	if (to < 0)
		log_line(LOG_ERR, NULL, "the log file cannot be opened again, the old one goes on: %s",
			 strerror(-to));
}

void log_close(void)
{
	pthread_mutex_lock(&lock);
	close_file();
	pthread_mutex_unlock(&lock);
}

static const char *level_name(int level)
{
	static const char *const names[] = { "emergency", "alert", "critical", "error", "warning",
					     "notice", "info", "debug" };

	return names[level & LOG_PRIMASK];
}

/* What stands before the text: for a file when and how urgent, for the journal its prefix. */
static size_t begin_line(char *line, size_t size, int level)
{
	struct timespec t;
	struct tm tm;
	size_t n;

	if (journal)
		return (size_t)snprintf(line, size, "<%d>", level & LOG_PRIMASK);
	if (file == NULL)
		return 0;
	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	n = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
	return n + (size_t)snprintf(line + n, size - n, ".%03ldZ %s: ", t.tv_nsec / 1000000, level_name(level));
}

static bool takes_lines(void)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return file != NULL || poll(&p, 1, lost > 0 ? 0 : PATIENCE_MS) != 0;
}

/* Under the lock. */
static void put_line(const char *line, size_t n)
{
	ssize_t put;

	if (!takes_lines()) {
		lost++;
		return;
	}
	if (lost > 0) {
		dprintf(fd, "%u lines of this log were lost, since nobody read them\n", lost);
		lost = 0;
	}
	do
		put = write(fd, line, n);
	while (put < 0 && errno == EINTR);
	if (put < 0 && errno == EAGAIN)
		lost++;
}

void log_vline(int level, const char *name, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	size_t start, n;
	int saved = errno, rc;

	pthread_mutex_lock(&lock);
	if ((level & LOG_PRIMASK) > least)
		goto unlock;
	n = start = begin_line(line, sizeof(line), level);
	if (name != NULL)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%.255s: ", name);
	rc = vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	if (rc < 0)
		goto unlock;
	n += (size_t)rc;
	if (n > sizeof(line) - 1) {
		n = sizeof(line) - 1;
		memcpy(line + n - 3, "...", 3);
	}
	/* What others sent must not look like a line of ours. */
	for (size_t i = start; i < n; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = ' ';
	}
	line[n++] = '\n';
	put_line(line, n);
unlock:
	pthread_mutex_unlock(&lock);
	errno = saved;
}

void log_line(int level, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(level, name, fmt, ap);
	va_end(ap);
}

bool sat_log_allowed(struct sat_self *self, struct sat_log_limit *l, uint32_t burst, int64_t per)
{
	int64_t now = now_us();
	uint32_t held = 0;
	bool allowed;

	pthread_mutex_lock(&lock);
	if (l->since == 0 || now - l->since >= per) {
		l->since = now;
		l->n = 0;
		held = l->held;
		l->held = 0;
	}
	allowed = l->n < burst;
	if (allowed)
		l->n++;
	else
		l->held++;
	pthread_mutex_unlock(&lock);
	if (held > 0)
		sat_log(self, LOG_NOTICE, "%u lines like the next one were held back", held);
	return allowed;
}

void sat_vlog(struct sat_self *self, int level, const char *fmt, va_list ap)
{
	log_vline(level, self != NULL ? self->name : NULL, fmt, ap);
}

void sat_log(struct sat_self *self, int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sat_vlog(self, level, fmt, ap);
	va_end(ap);
}
