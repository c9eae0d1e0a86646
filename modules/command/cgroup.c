/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup - a folder of its own for each command in the cgroup v2 that is set.
 *
 * Its name is the same each time, so that what an ended satellite left in it is
 * found and killed by the next.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "command.h"

static uint32_t hash(uint32_t h, const char *s)
{
	for (; *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * UINT32_C(16777619);
	return h;
}

/* For people the service, as far as a folder may be called so; and what tells it from all others. */
static void path_of(const struct command *c, char path[PATH_MAX])
{
	const char *service = sat_probe_name(c->probe);
	uint32_t h = hash(hash(UINT32_C(2166136261), sat_state_dir()), service);
	char name[64];
	size_t n = 0;

	for (; service[n] != '\0' && n < sizeof(name) - 1; n++)
		name[n] = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", service[n]) != NULL ?
			  service[n] : '_';
	name[n] = '\0';
	snprintf(path, PATH_MAX, "%s/%s-%08x", c->manner.cgroup, name, h);
}

static int open_in(const char *folder, const char *file)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int kill_in(const char *folder)
{
	int fd = open_in(folder, "cgroup.kill"), rc;

	if (fd < 0)
		return fd;
	rc = write(fd, "1", 1) == 1 ? 0 : -errno;
	close(fd);
	return rc;
}

/* The folder that is set, which others make; NULL, or what is wrong with it. */
static const char *judge(const char *cgroup)
{
	struct statfs fs;

	if (statfs(cgroup, &fs) != 0)
		return errno == ENOENT ? "there is no such folder: make it first" : strerror(errno);
	return fs.f_type != CGROUP2_SUPER_MAGIC ? "lies in no cgroup v2 file system" : NULL;
}

int cgroup_open(const struct command *c, char *why, size_t size)
{
	const char *wrong = judge(c->manner.cgroup);
	char path[PATH_MAX];
	int rc;

	if (wrong != NULL) {
		snprintf(why, size, "cgroup %s: %s", c->manner.cgroup, wrong);
		return -EINVAL;
	}
	path_of(c, path);
	rc = mkdir(path, 0755) != 0 && errno != EEXIST ? -errno : 0;
	wrong = "not made";
	if (rc == 0) {
		rc = kill_in(path);
		wrong = "cgroup.kill";	/* since Linux 5.14 */
	}
	if (rc == 0) {
		rc = open_in(path, "cgroup.procs");
		wrong = "cgroup.procs";
	}
	if (rc < 0) {
		snprintf(why, size, "cgroup %s: %s: %s", path, wrong, strerror(-rc));
		rmdir(path);
	}
	return rc;
}

void cgroup_kill(const struct command *c)
{
	char path[PATH_MAX];

	if (c->manner.cgroup == NULL)
		return;
	path_of(c, path);
	kill_in(path);
}

void cgroup_remove(const struct command *c)
{
	char path[PATH_MAX];

	if (c->manner.cgroup == NULL)
		return;
	path_of(c, path);
	rmdir(path);	/* in use as long as what was killed is not dead: then the next run has it */
}
