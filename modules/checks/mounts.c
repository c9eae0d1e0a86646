/* SPDX-License-Identifier: Apache-2.0 */
/* mounts - what is mounted where, out of /proc/self/mountinfo: proc(5). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"

#define TEXT_MAX	((size_t)4 << 20)
#define MOUNTS_MAX	4096u

/* Its length is not known before it is read. */
static int read_all(const char *file, char **text)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct sat_buf b = { .max = TEXT_MAX };
	char part[4096];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, part, sizeof(part))) > 0)
		sat_buf_add(&b, part, (size_t)n);
	n = n < 0 ? -errno : 0;
	close(fd);
	sat_buf_add(&b, "", 1);
	if (n == 0 && b.full)
		n = b.len + sizeof(part) > TEXT_MAX ? -EFBIG : -ENOMEM;
	if (n != 0)
		sat_buf_free(&b);
	*text = b.p;
	return (int)n;
}

/* "\040" and the like, in place. */
static const char *unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
		    from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
	return text;
}

/* "36 35 98:0 /root /path rw,noatime shared:1 - ext3 /dev/sda1 rw,errors=continue" */
static bool parse_line(char *line, struct mount *m)
{
	char *field[6], *rest = strstr(line, " - "), *path;

	if (rest == NULL)
		return false;
	*rest = '\0';
	rest += 3;
	for (int i = 0; i < 6; i++)
		if ((field[i] = strsep(&line, " ")) == NULL)
			return false;
	path = field[4];
	m->id = (unsigned)strtoul(field[0], NULL, 10);
	m->parent = (unsigned)strtoul(field[1], NULL, 10);
	m->device = field[2];
	m->path = unescape(path);
	m->options = field[5];
	m->type = strsep(&rest, " ");
	path = strsep(&rest, " ");
	m->super = rest;
	if (path == NULL || rest == NULL)
		return false;
	m->source = unescape(path);
	return *m->path == '/';
}

static bool lies_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return n == 1 || (strncmp(path, folder, n) == 0 && path[n] == '/');
}

/* A mount is covered by one on its own root, and hidden, with all below it, by one on a folder above it. */
static void find_covered(struct mounts *all)
{
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->n; k++) {
			struct mount *m = &all->list[i];
			const struct mount *over = &all->list[k];

			if (over->parent == m->id && over != m && strcmp(over->path, m->path) == 0)
				m->covered = true;
			if (over->parent == m->parent && over != m && strcmp(over->path, m->path) != 0 &&
			    lies_below(m->path, over->path))
				m->hidden = true;
		}
}

/* What hangs on a hidden mount is hidden, too: until nothing changes, since order says nothing. */
static void spread_hidden(struct mounts *all)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < all->n; i++)
			for (size_t k = 0; k < all->n && !all->list[i].hidden; k++)
				if (all->list[k].hidden && all->list[k].id == all->list[i].parent)
					more = all->list[i].hidden = true;
	}
}

int mounts_read(struct mounts *m, const char *file)
{
	char *line, *next;
	size_t lines = 1;
	int rc = read_all(file, &m->text);

	if (rc != 0)
		return rc;
	for (const char *p = m->text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	m->n = 0;
	m->list = lines <= MOUNTS_MAX ? calloc(lines, sizeof(*m->list)) : NULL;
	if (m->list == NULL)
		rc = lines <= MOUNTS_MAX ? -ENOMEM : -EFBIG;
	for (next = m->text; rc == 0 && (line = strsep(&next, "\n")) != NULL && *line != '\0'; m->n++)
		if (!parse_line(line, &m->list[m->n]))
			rc = -EBADMSG;
	if (rc != 0) {
		mounts_free(m);
		return rc;
	}
	find_covered(m);
	spread_hidden(m);
	return 0;
}

void mounts_free(struct mounts *m)
{
	free(m->text);
	free(m->list);
	*m = (struct mounts){ 0 };
}

/* Those of df, and those with blocks of none: to ask autofs would mount something. */
bool mount_is_pseudo(const struct mount *m)
{
	static const char *const kinds[] = {
		"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs",
		"fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc",
		"pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i], m->type) == 0)
			return true;
	return false;
}
