/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask - what may lie on a disk or an NFS server that hangs is asked on a thread.
 *
 * A question that hangs keeps its thread and its job, and its asker sees that it
 * still does: so it is not asked again, which would take another thread each time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "checks.h"

static int work(void *arg)
{
	struct job *j = arg;

	j->work(j);
	return 0;
}

static void end(struct job *j)
{
	if (j->held != NULL)
		*j->held = NULL;
	free(j);
}

/* A job that was given up on came back at last. */
static void came_late(void *arg)
{
	end(arg);
}

static void came(void *arg, int rc)
{
	struct job *j = arg;

	if (j->held != NULL)
		j->back(j->arg, j, rc);
	if (rc != -ETIMEDOUT)
		end(j);
}

int job_ask(struct sat_self *self, struct job *j, struct job **held, int64_t deadline)
{
	int rc;

	j->held = held;
	*held = j;
	rc = sat_work(self, &(struct sat_job){ .size = sizeof(struct sat_job), .work = work, .done = came,
		      .late = came_late, .deadline = deadline, .arg = j, .lane = j });
	if (rc != 0)
		end(j);
	return rc;
}

void job_forget(struct job **held)
{
	if (*held != NULL)
		(*held)->held = NULL;
	*held = NULL;
}

struct job *job_of_path(const char *path, void (*what)(struct job *j))
{
	size_t len = strlen(path) + 1;
	struct disk_job *d = calloc(1, sizeof(*d) + len);

	if (d == NULL)
		return NULL;
	memcpy(d->path, path, len);
	d->job.work = what;
	return &d->job;
}

void job_statvfs(struct job *j)
{
	struct disk_job *d = SAT_OWNER(j, struct disk_job, job);

	j->rc = statvfs(d->path, &d->fs) == 0 ? 0 : -errno;
}

/* ---- An entry that asks one question a run ------------------------------ */

static void report_hanging(struct check *c)
{
	c->waiting = false;
	report_state(c, "critical", "%s: no answer from its file system in %g s", c->path,
		      (double)sat_probe_timeout(c->probe) / SAT_SECOND);
}

static void answered(void *arg, struct job *j, int rc)
{
	struct check *c = arg;

	if (!c->waiting)
		return;
	c->waiting = false;
	if (rc == -ETIMEDOUT)
		report_hanging(c);
	else if (rc != 0)
		report_failure(c, c->path, rc);
	else
		c->answer(c, j);
}

void ask_begin(struct check *c, struct job *j, void (*answer)(struct check *c, const struct job *j))
{
	int rc = -ENOMEM;

	if (c->job != NULL) {
		free(j);
		report_hanging(c);
		return;
	}
	c->answer = answer;
	c->waiting = true;
	if (j != NULL) {
		j->back = answered;
		j->arg = c;
		rc = job_ask(sat_probe_self(c->probe), j, &c->job, sat_probe_timeout(c->probe));
	}
	if (rc == 0)
		return;
	c->waiting = false;
	report_failure(c, c->path, rc);
}

void ask_give_up(void *def)
{
	struct check *c = def;

	if (c->waiting)
		report_hanging(c);
}

void ask_undefine(void *def)
{
	struct check *c = def;

	job_forget(&c->job);
	free(c);
}

int ask_define(struct sat_probe *probe, const struct sat_conf *conf, const char *service, void **def)
{
	const char *path = sat_conf_string(conf, "path");
	struct check *c;
	int rc;

	if (path[0] != '/')
		return sat_conf_error(conf, "path", "\"%s\" is not absolute", path);
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->probe = probe;
	c->path = path;
	rc = sat_probe_service(probe, service, path);
	if (rc != 0) {
		free(c);
		return rc;
	}
	*def = c;
	return 0;
}
