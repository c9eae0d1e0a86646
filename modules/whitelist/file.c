/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file - the file that the Mesos master reads: replaced whole, and only when
 * it changed; never before the store was read, nor while it is out of touch.
 * What others do to it is noticed and undone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whitelist.h"

#define SETTLE		(20 * SAT_MS)	/* what changes together is written together */
#define STORM_SETTLE	(250 * SAT_MS)	/* where more do than STORM, which is no time to sort them all again and again */
#define BACKOFF_MAX	(15 * SAT_SECOND)
#define LOOK_TIME	(2 * SAT_SECOND)	/* after which another's change is seen */

enum { STORM = 64 };

/* ---- On a host's thread ------------------------------------------------- */

static int by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every line ends with a newline.  Without memory it stays in the order of the
 * inventory: a whitelist means the same in any order. */
void lines_sort(char *text, size_t len)
{
	char **lines, *copy = malloc(len + 1), *to = text;
	size_t n = 0, i = 0;

	for (size_t at = 0; at < len; at++)
		n += text[at] == '\n';
	lines = calloc(n + 1, sizeof(*lines));
	if (copy != NULL && lines != NULL) {
		memcpy(copy, text, len);
		copy[len] = '\0';
		for (char *save = NULL, *line = strtok_r(copy, "\n", &save); line != NULL && i < n;
		     line = strtok_r(NULL, "\n", &save))
			lines[i++] = line;
		qsort(lines, i, sizeof(*lines), by_line);
		for (size_t at = 0; at < i; at++) {
			to = stpcpy(to, lines[at]);
			*to++ = '\n';
		}
	}
	free(lines);
	free(copy);
}

/* Whether it is as we left it; as nobody left it, too. */
static bool untouched(const struct file_job *job)
{
	const struct stat *was = &job->seen;
	struct stat now;

	if (was->st_ino == 0)
		return true;
	return stat(job->path, &now) == 0 && now.st_dev == was->st_dev && now.st_ino == was->st_ino &&
	       now.st_size == was->st_size && now.st_mtim.tv_sec == was->st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

static bool says_so(const struct file_job *job)
{
	char *old = NULL;
	size_t len = 0;
	bool same = sat_file_read(job->path, FILE_MAX, &old, &len) == 0 && len == job->len &&
		    memcmp(old, job->text, len) == 0;

	free(old);
	return same;
}

/* -EALREADY: the file says so already. */
static int replace_job(void *arg)
{
	struct file_job *job = arg;
	int rc = -EALREADY;

	if (!job->listed)
		return sat_file_replace(job->path, job->text, job->len, 0644);
	lines_sort(job->text, job->len);
	job->foreign = false;
	if (!says_so(job)) {
		job->foreign = !untouched(job);
		rc = sat_file_replace(job->path, job->text, job->len, 0644);
	}
	if (rc != 0 && rc != -EALREADY)
		return rc;
	/* What is not as long as it was written is another's already: not as we left it. */
	if (stat(job->path, &job->seen) != 0 || (size_t)job->seen.st_size != job->len)
		job->seen.st_size = -1;
	return rc;
}

/* -ESTALE: another was there. */
static int look_job(void *arg)
{
	return untouched(arg) ? 0 : -ESTALE;
}

/* ---- On the loop -------------------------------------------------------- */

static bool write_soon(struct whitelist *wl, int64_t wait)
{
	return !wl->stopping && sat_alarm_set(wl->self, &wl->file_alarm, sat_clock() + wait) == 0;
}

static void replace_late(void *arg)
{
	struct file_job *job = arg;

	job->busy = false;
	free(job->text);
	job->text = NULL;
	if (job->listed && job->wl->file_changed)
		write_soon(job->wl, SETTLE);
	whitelist_idle(job->wl);
}

int file_job_start(struct file_job *job, char *path, char *text, size_t len, void (*done)(void *arg, int rc))
{
	struct sat_job work = { .size = sizeof(work), .work = replace_job, .done = done, .late = replace_late,
		.deadline = 30 * SAT_SECOND, .arg = job };
	int rc;

	job->path = path;
	job->text = text;
	job->len = len;
	job->busy = true;
	rc = sat_work(job->wl->self, &work);
	if (rc != 0)
		replace_late(job);
	return rc;
}

/* What to do about it. */
static const char *advice(int rc)
{
	switch (rc) {
	case -ENOSPC:
	case -EDQUOT:
		return "; make room there";
	case -EFBIG:
		return "; raise this process' limit of a file's size";
	case -EROFS:
		return "; mount it writable";
	case -EACCES:
	case -EPERM:
		return "; this user must be able to make files in that folder";
	default:
		return "";
	}
}

static void told(struct whitelist *wl, int rc)
{
	char why[512];

	if (rc == wl->file_error)
		return;
	wl->file_error = rc;
	snprintf(why, sizeof(why), "%s: %s%s", wl->path, strerror(-rc), advice(rc));
	sat_ready(wl->self, rc != 0 ? why : NULL);
	if (rc != 0)
		sat_log(wl->self, LOG_ERR, "%s; what was there stays, and it is tried again", why);
	else
		sat_log(wl->self, LOG_NOTICE, "%s: written again", wl->path);
	sat_emit(wl->self, .service = "satellite/whitelist/file", .state = rc == 0 ? "ok" : "critical",
		 .description = rc == 0 ? wl->path : strerror(-rc));
}

static void repaired(struct whitelist *wl)
{
	sat_count(wl->self, COUNT_FILE_REPAIRS, 1);
	if (sat_log_allowed(wl->self, &wl->file_limit, 3, 60 * SAT_SECOND))
		sat_log(wl->self, LOG_WARNING, "%s: another had changed or removed it; it is put back as the records"
			" have it: turn hosts on and off with `satellite on` and `off`, or over REST", wl->path);
}

static void written(void *arg, int rc)
{
	struct file_job *job = arg;
	struct whitelist *wl = job->wl;

	if (rc == 0)
		sat_count(wl->self, COUNT_FILE_WRITES, 1);
	if (rc == 0 && job->foreign)
		repaired(wl);
	if (rc == -EALREADY)
		rc = 0;
	told(wl, rc);
	if (rc == 0) {
		wl->file_backoff = 0;
	} else {
		sat_count(wl->self, COUNT_FILE_ERRORS, 1);
		wl->file_backoff = wl->file_backoff == 0 ? SAT_SECOND / 2 : 2 * wl->file_backoff;
		if (wl->file_backoff > BACKOFF_MAX)
			wl->file_backoff = BACKOFF_MAX;
		wl->file_changed = true;
	}
	if (rc != -ETIMEDOUT)
		replace_late(job);
	if (wl->file_changed)
		write_soon(wl, wl->file_backoff > SETTLE ? wl->file_backoff : SETTLE);
}

/* The hosts that are on; NULL: no memory. */
static char *hosts_on(struct whitelist *wl, size_t *len)
{
	struct sat_buf text = { .max = FILE_MAX };

	sat_buf_add(&text, "", 0);
	for (const struct host *h = wl->first; h != NULL; h = h->after)
		if (h->told == FLAG_ON) {
			sat_buf_add(&text, h->name, strlen(h->name));
			sat_buf_add(&text, "\n", 1);
		}
	*len = text.len;
	sat_buf_add(&text, "", 1);
	if (!text.full)
		return text.p;
	sat_buf_free(&text);
	return NULL;
}

/* An inventory without hosts is no reason to take all work away: it says that
 * somebody emptied the store, or that nothing is imported yet. */
static bool may_write(const struct whitelist *wl)
{
	return wl->to_file && wl->synced && wl->mark >= MARK_IMPORTED && wl->n_hosts > 0 && !sat_dry_run() && !wl->stopping;
}

/* Better a little later, and then for all of them. */
static bool in_storm(struct whitelist *wl)
{
	int64_t left = wl->file_first + STORM_SETTLE - sat_clock();

	return wl->file_changes > STORM && left > 0 && write_soon(wl, left);
}

static void write_now(struct sat_alarm *alarm)
{
	struct whitelist *wl = SAT_OWNER(alarm, struct whitelist, file_alarm);
	size_t len;
	char *text;

	wl->file_deferred = false;
	if (!wl->file_changed || wl->file_job.busy || !may_write(wl))
		return;
	wl->file_deferred = in_storm(wl);
	if (wl->file_deferred)
		return;
	text = hosts_on(wl, &len);
	if (text == NULL) {
		written(&wl->file_job, -ENOMEM);
		return;
	}
	wl->file_changed = false;
	wl->file_changes = 0;
	if (file_job_start(&wl->file_job, wl->path, text, len, written) != 0) {
		wl->file_changed = true;
		write_soon(wl, SAT_SECOND);
	}
}

void file_changed(struct whitelist *wl)
{
	wl->file_alarm.fire = write_now;
	wl->file_changed = true;
	if (wl->file_changes++ == 0)
		wl->file_first = sat_clock();
	if (wl->file_job.busy || wl->file_deferred || !may_write(wl))
		return;
	wl->file_deferred = write_soon(wl, wl->file_backoff > SETTLE ? wl->file_backoff : SETTLE);
}

/* ---- What others do to it ----------------------------------------------- */

static void looked(void *arg, int rc)
{
	struct file_job *job = arg;
	struct whitelist *wl = job->wl;

	if (rc == -ETIMEDOUT)
		return;			/* its late() ends it */
	replace_late(job);
	if (rc == -ESTALE)
		wl->file_changed = true;
	if (wl->file_changed)
		file_changed(wl);
}

static void look(struct sat_alarm *alarm)
{
	struct whitelist *wl = SAT_OWNER(alarm, struct whitelist, file_look);
	struct sat_job work = { .size = sizeof(work), .work = look_job, .done = looked, .late = replace_late,
		.deadline = 30 * SAT_SECOND, .arg = &wl->file_job };

	sat_alarm_set(wl->self, alarm, sat_clock() + LOOK_TIME);
	if (wl->file_job.busy || wl->file_changed || wl->file_job.seen.st_ino == 0 || !may_write(wl))
		return;
	wl->file_job.busy = sat_work(wl->self, &work) == 0;
}

int file_start(struct whitelist *wl)
{
	wl->file_look.fire = look;
	return sat_alarm_set(wl->self, &wl->file_look, sat_clock() + LOOK_TIME);
}
