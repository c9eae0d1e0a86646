/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checks - a host's memory, swap, disks, load and files, read without a shell.
 *
 * Files of /proc are read on the loop, since the kernel answers them at once.
 * What may lie on a disk or an NFS server that hangs is asked on a thread.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <satellite/module.h>

struct check {			/* one entry of `checks` */
	struct sat_probe *probe;
	double threshold;
	const char *path;	/* borrowed from the settings, as long as the entry lives */
	struct job *job;	/* under way, or hanging since an earlier run */
	bool waiting;		/* this run is not done yet */
};

static int new_check(struct sat_probe *probe, void **def)
{
	struct check *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->probe = probe;
	*def = c;
	return 0;
}

/* A failing measurement is critical: nobody can say that the host is well. */
static void report_failure(struct check *c, const char *path, int rc)
{
	char text[512];

	snprintf(text, sizeof(text), "%s: %s", path, strerror(-rc));
	sat_report(c->probe, .state = "critical", .description = text);
	sat_probe_done(c->probe);
}

static void report_int(struct check *c, bool ok, int64_t metric, const char *text)
{
	sat_report(c->probe, .has = SAT_HAS_INT, .metric.i = metric,
		   .state = ok ? "ok" : "critical", .description = text);
	sat_probe_done(c->probe);
}

/* ---- Files of /proc ----------------------------------------------------- */

static int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (n > 0 && len < size - 1) {
		n = read(fd, text + len, size - 1 - len);
		if (n > 0)
			len += (size_t)n;
	}
	n = n < 0 ? -errno : 0;
	close(fd);
	text[len] = '\0';
	return (int)n;
}

/* A line "Name:   123 kB" of meminfo, in MiB. */
static int meminfo(const char *text, const char *name, int64_t *mib)
{
	size_t len = strlen(name);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		char *end;
		long long kib;

		line += *line == '\n';
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		errno = 0;
		kib = strtoll(line + len + 1, &end, 10);
		if (end == line + len + 1 || errno != 0 || kib < 0)
			return -EBADMSG;
		*mib = kib / 1024;
		return 0;
	}
	return -EBADMSG;
}

static int define_proc(struct sat_probe *probe, const struct sat_conf *conf, const char *service, void **def)
{
	struct check *c;
	int rc = new_check(probe, def);

	if (rc != 0)
		return rc;
	c = *def;
	c->threshold = sat_conf_number(conf, "threshold");
	c->path = sat_conf_string(conf, "file");
	rc = sat_probe_service(probe, "%s", service);
	if (rc != 0)
		free(c);
	return rc;
}

static void undefine_proc(void *def)
{
	free(def);
}

static void run_memory(void *def)
{
	struct check *c = def;
	char file[8192], text[128];
	int64_t mib = 0;
	int rc = read_file(c->path, file, sizeof(file));

	if (rc == 0)
		rc = meminfo(file, "MemFree", &mib);
	if (rc != 0) {
		report_failure(c, c->path, rc);
		return;
	}
	snprintf(text, sizeof(text), "%lld MiB free, threshold %g", (long long)mib, c->threshold);
	report_int(c, (double)mib > c->threshold, mib, text);
}

static void report_swap(struct check *c, bool iff)
{
	char file[8192], text[128];
	int64_t mib = 0, total = 0;
	int rc = read_file(c->path, file, sizeof(file));

	if (rc == 0)
		rc = meminfo(file, "SwapFree", &mib);
	if (rc == 0)
		rc = meminfo(file, "SwapTotal", &total);
	if (rc != 0) {
		report_failure(c, c->path, rc);
		return;
	}
	if (total == 0)
		snprintf(text, sizeof(text), "this host has no swap");
	else
		snprintf(text, sizeof(text), "%lld of %lld MiB of swap free, threshold %g", (long long)mib,
			 (long long)total, c->threshold);
	report_int(c, (iff && total == 0) || (double)mib > c->threshold, mib, text);
}

static void run_swap(void *def)
{
	report_swap(def, false);
}

static void run_swap_iff_swap(void *def)
{
	report_swap(def, true);
}

static void run_load(void *def)
{
	struct check *c = def;
	char file[256], text[128], *at = file, *end = file;
	double load = 0;
	int rc = read_file(c->path, file, sizeof(file));

	for (int i = 0; rc == 0 && i < 3; i++) {
		load = strtod(at, &end);
		if (end == at)
			rc = -EBADMSG;
		at = end;
	}
	if (rc != 0) {
		report_failure(c, c->path, rc);
		return;
	}
	snprintf(text, sizeof(text), "load %.2f over 15 minutes, threshold %g", load, c->threshold);
	sat_report(c->probe, .has = SAT_HAS_DOUBLE, .metric.d = load, .description = text,
		   .state = load < c->threshold ? "ok" : "critical");
	sat_probe_done(c->probe);
}

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

/* ---- What may hang ------------------------------------------------------ */

struct job {
	struct check *check;	/* NULL: its entry is gone */
	void (*report)(struct check *c, const struct job *j);
	bool disk;		/* statvfs(), not stat() */
	int rc;
	struct statvfs fs;
	char path[];
};

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

static void run_job(struct check *c, bool disk, void (*report)(struct check *c, const struct job *j))
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

/* df's Use%: of what is used and what users may still have, rounded up. */
static void report_used(struct check *c, const struct job *j)
{
	uint64_t used = j->fs.f_blocks - j->fs.f_bfree, all = used + j->fs.f_bavail;
	char text[512];
	int64_t percent;

	if (j->rc != 0) {
		report_failure(c, c->path, j->rc);
		return;
	}
	if (all == 0) {
		snprintf(text, sizeof(text), "%s has no blocks: it is no disk", c->path);
		sat_report(c->probe, .state = "unknown", .description = text);
		sat_probe_done(c->probe);
		return;
	}
	percent = (int64_t)(((__uint128_t)used * 100 + all - 1) / all);
	snprintf(text, sizeof(text), "%lld%% of %s used, threshold %g", (long long)percent, c->path, c->threshold);
	report_int(c, (double)percent < c->threshold, percent, text);
}

static void run_used(void *def)
{
	run_job(def, true, report_used);
}

static void report_exists(struct check *c, const struct job *j)
{
	char text[512];

	if (j->rc == 0)
		snprintf(text, sizeof(text), "%s is there", c->path);
	else if (j->rc == -ENOENT || j->rc == -ENOTDIR)
		snprintf(text, sizeof(text), "%s is missing", c->path);
	else
		snprintf(text, sizeof(text), "%s: %s", c->path, strerror(-j->rc));
	report_int(c, j->rc == 0, j->rc != 0, text);
}

static void run_exists(void *def)
{
	run_job(def, false, report_exists);
}

static void give_up(void *def)
{
	struct check *c = def;

	if (c->waiting)
		report_hanging(c);
}

static void undefine_path(void *def)
{
	struct check *c = def;

	if (c->job != NULL)
		c->job->check = NULL;
	free(c);
}

static int define_path(struct sat_probe *probe, const struct sat_conf *conf, const char *service, void **def)
{
	const char *path = sat_conf_string(conf, "path");
	struct check *c;
	int rc = 0;

	if (path[0] != '/')
		return sat_conf_error(conf, "path", "\"%s\" is not absolute", path);
	rc = new_check(probe, def);
	if (rc != 0)
		return rc;
	c = *def;
	c->path = path;
	rc = sat_probe_service(probe, service, path);
	if (rc != 0)
		free(c);
	return rc;
}

/* ---- The table ---------------------------------------------------------- */

#define PROC(id, text) \
	static int define_##id(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def) \
	{ \
		(void)module; \
		return define_proc(probe, conf, text, def); \
	}
PROC(memory, "free memory in MB")
PROC(swap, "free swap in MB")
PROC(swap_iff_swap, "free swap iff swap in MB")
PROC(load, "load average over past 15 minutes")
PROC(uninterruptable, "number of processes in uninterruptible sleep")

static int define_used(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	int rc = define_path(probe, conf, "percentage used of %s", def);

	(void)module;
	if (rc == 0)
		((struct check *)*def)->threshold = sat_conf_number(conf, "threshold");
	return rc;
}

static int define_exists(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return define_path(probe, conf, "%s exists", def);
}

#define TABLE(id, ...) static const struct sat_option *const options_##id[] = { __VA_ARGS__, NULL }
#define MEMINFO	SAT_OPTION("file", SAT_STRING, .fallback = "/proc/meminfo", .help = "what to read")

TABLE(memory, SAT_OPTION("threshold", SAT_NUMBER, .fallback = "50", .min = 0, .max = 1e12,
			 .help = "critical when not more MiB are free"), MEMINFO);
TABLE(used, SAT_OPTION("path", SAT_STRING, .required = true, .help = "a folder of the file system"),
      SAT_OPTION("threshold", SAT_NUMBER, .fallback = "90", .min = 0, .max = 1000,
		 .help = "critical when not less is used, in percent"));
TABLE(load, SAT_OPTION("threshold", SAT_NUMBER, .fallback = "30", .min = 0, .max = 1e6,
		       .help = "critical when not below it"),
      SAT_OPTION("file", SAT_STRING, .fallback = "/proc/loadavg", .help = "what to read"));
TABLE(uninterruptable, SAT_OPTION("threshold", SAT_NUMBER, .fallback = "10", .min = 0, .max = 1e7,
				  .help = "critical when not fewer"),
      SAT_OPTION("file", SAT_STRING, .fallback = "/proc", .help = "the folder to read"));
TABLE(exists, SAT_OPTION("path", SAT_STRING, .required = true, .help = "critical when it does not exist"));

#define CHECK(text, about, id, table, end, ...) &(const struct sat_check){ .size = sizeof(struct sat_check), \
	.name = (text), .summary = (about), .options = options_##table, .define = define_##id, \
	.run = run_##id, .undefine = undefine_##end, __VA_ARGS__ }

static const struct sat_check *const checks[] = {
	CHECK("free-memory", "MiB of memory that nothing uses", memory, memory, proc),
	CHECK("free-swap", "MiB of swap that nothing uses", swap, memory, proc),
	CHECK("free-swap-iff-swap", "the same; a host without swap is well", swap_iff_swap, memory, proc),
	CHECK("percentage-used", "how full a file system is, as df says", used, used, path, .timeout = give_up),
	CHECK("num-uninterruptable-processes", "processes that wait for a disk", uninterruptable,
	      uninterruptable, proc),
	CHECK("load-average", "load over 15 minutes", load, load, proc),
	CHECK("file-exists", "whether a file is there", exists, exists, path, .timeout = give_up),
	NULL
};

SAT_MODULE(checks, .name = "checks", .version = SAT_VERSION,
	   .summary = "memory, swap, disks, load and files of a host", .checks = checks);
