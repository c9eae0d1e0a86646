/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stray - processes of a command that are not in its group any more.
 *
 * timeout(1), shells with job control and others put what they start into groups
 * of their own, which a signal to the command's group does not reach.  Its session
 * still holds them; and what has begun a session of its own is a child of one of
 * them, as long as that lives.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "command.h"

struct process { int pid, parent, group, session; bool stray; };

/* "7 (name) S PARENT GROUP SESSION …": the name may hold any character. */
static bool look_at(int proc, const char *name, struct process *p)
{
	char path[300], text[512], *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/stat", name);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;	/* it has just ended */
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	*p = (struct process){ .pid = atoi(name) };
	return end != NULL && sscanf(end + 1, " %*c %d %d %d", &p->parent, &p->group, &p->session) == 3;
}

static int by_pid(const void *a, const void *b)
{
	const struct process *p = a, *q = b;

	return (p->pid > q->pid) - (p->pid < q->pid);
}

/* All there are, in order; false: they cannot be read. */
static bool read_all(int proc, struct sat_buf *all)
{
	DIR *dir = fdopendir(fcntl(proc, F_DUPFD_CLOEXEC, 0));
	struct process p;
	struct dirent *d;

	if (dir == NULL)
		return false;
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && look_at(proc, d->d_name, &p))
			sat_buf_add(all, &p, sizeof(p));
	closedir(dir);
	if (!all->full && all->len > 0)
		qsort(all->p, all->len / sizeof(p), sizeof(p), by_pid);
	return !all->full;
}

/* Those of the session, and the children of those, until no more are found. */
static void mark(struct process *list, size_t n, pid_t leader)
{
	bool more = true;

	for (size_t i = 0; i < n; i++)
		list[i].stray = list[i].session == leader;
	while (more) {
		more = false;
		for (size_t i = 0; i < n; i++) {
			const struct process parent = { .pid = list[i].parent };
			const struct process *p = list[i].stray ? NULL : bsearch(&parent, list, n, sizeof(*list), by_pid);

			if (p != NULL && p->stray)
				more = list[i].stray = true;
		}
	}
}

/* Unless the number is another's by now. */
static void send_to(int proc, const struct process *p, int signum)
{
	int fd = pidfd_open(p->pid, 0);
	struct process now;
	char name[16];

	if (fd < 0)
		return;
	snprintf(name, sizeof(name), "%d", p->pid);
	if (look_at(proc, name, &now) && now.session == p->session)
		pidfd_send_signal(fd, signum, NULL, 0);
	close(fd);
}

void stray_signal(pid_t leader, int signum)
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sat_buf all = { 0 };

	if (proc < 0)
		return;
	if (read_all(proc, &all)) {
		struct process *list = (void *)all.p;
		size_t n = all.len / sizeof(*list);

		mark(list, n, leader);
		for (size_t i = 0; i < n; i++)
			if (list[i].stray && list[i].group != leader)
				send_to(proc, &list[i], list[i].session == leader ? signum : SIGKILL);
	}
	sat_buf_free(&all);
	close(proc);
}
