/* SPDX-License-Identifier: Apache-2.0 */
/* ask - what may lie on a disk or an NFS server that hangs is asked on a thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "checks.h"

static int ask(void *arg)
{
	struct job *j = arg;
	struct stat st;

	j->rc = (j->disk ? statvfs(j->path, &j->fs) : stat(j->path, &st)) == 0 ? 0 : -errno;
	return 0;
}

static void free_job(struct job *j)
{
	if (j->check != NULL)
		j->check->job = NULL;
	free(j);
}

/* A job that was given up on came back at last. */
static void came_late(void *arg)
{
	free_job(arg);
}

static void report_hanging(struct check *c)
{
	char text[512];

	c->waiting = false;
	snprintf(text, sizeof(text), "%s: no answer from its file system in %g s", c->path,
		 (double)sat_probe_timeout(c->probe) / SAT_SECOND);
	sat_report(c->probe, .state = "critical", .description = text);
	sat_probe_done(c->probe);
}

static void asked(void *arg, int rc)
{
	struct job *j = arg;
	struct check *c = j->check;

	if (c != NULL && c->waiting) {
		c->waiting = false;
		if (rc == -ETIMEDOUT)
			report_hanging(c);
		else if (rc != 0)
			report_failure(c, c->path, rc);
		else
			j->report(c, j);
	}
	if (rc != -ETIMEDOUT)
		free_job(j);
}

void ask_run(struct check *c, bool disk, void (*report)(struct check *c, const struct job *j))
{
	size_t len = strlen(c->path) + 1;
	struct job *j;
	int rc;

	if (c->job != NULL) {	/* still: do not ask again, it would take another thread */
		report_hanging(c);
		return;
	}
	j = calloc(1, sizeof(*j) + len);
	if (j == NULL) {
		report_failure(c, c->path, -ENOMEM);
		return;
	}
	memcpy(j->path, c->path, len);
	j->disk = disk;
	j->report = report;
	j->check = c;
	c->job = j;
	c->waiting = true;
	rc = sat_work(sat_probe_self(c->probe), &(struct sat_job){ .size = sizeof(struct sat_job), .work = ask,
		      .done = asked, .late = came_late, .deadline = sat_probe_timeout(c->probe), .arg = j,
		      .lane = j });	/* one that hangs holds up no other */
	if (rc != 0) {
		c->waiting = false;
		free_job(j);
		report_failure(c, c->path, rc);
	}
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

	if (c->job != NULL)
		c->job->check = NULL;
	free(c);
}

int ask_define(struct sat_probe *probe, const struct sat_conf *conf, const char *service, void **def)
{
	const char *path = sat_conf_string(conf, "path");
	struct check *c;
	int rc = 0;

	if (path[0] != '/')
		return sat_conf_error(conf, "path", "\"%s\" is not absolute", path);
	rc = entry_new(probe, def);
	if (rc != 0)
		return rc;
	c = *def;
	c->path = path;
	rc = sat_probe_service(probe, service, path);
	if (rc != 0)
		free(c);
	return rc;
}
