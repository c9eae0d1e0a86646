/* SPDX-License-Identifier: Apache-2.0 */
/* processes - how many wait for a disk. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"

/* The state follows the command's name, which stands in parentheses and may hold any. */
static bool is_uninterruptable(int proc, const char *pid)
{
	char path[300], text[512];
	const char *paren;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/stat", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;	/* it has just ended */
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	paren = strrchr(text, ')');
	return paren != NULL && strncmp(paren, ") D", 3) == 0;
}

static void run_uninterruptable(void *def)
{
	struct check *c = def;
	DIR *proc = opendir(c->path);
	struct dirent *d;
	int64_t n = 0;
	char text[128];

	if (proc == NULL) {
		report_failure(c, c->path, -errno);
		return;
	}
	while ((d = readdir(proc)) != NULL)
		n += isdigit((unsigned char)d->d_name[0]) && is_uninterruptable(dirfd(proc), d->d_name);
	closedir(proc);
	snprintf(text, sizeof(text), "%lld processes in uninterruptible sleep, threshold %g", (long long)n,
		 c->threshold);
	report_int(c, (double)n < c->threshold, n, text);
}

static int define_uninterruptable(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return proc_define(probe, conf, "number of processes in uninterruptible sleep", def);
}

TABLE(uninterruptable, SAT_OPTION("threshold", SAT_NUMBER, .fallback = "10", .min = 0, .max = 1e7,
				  .help = "critical when not fewer"),
      SAT_OPTION("file", SAT_STRING, .fallback = "/proc", .help = "the folder to read"));

CHECK(uninterruptable, "num-uninterruptable-processes", "processes that wait for a disk", uninterruptable,
      .define = define_uninterruptable, .run = run_uninterruptable, .undefine = proc_undefine);
