/* SPDX-License-Identifier: Apache-2.0 */
/* processes - how many wait for a disk, and how many of a name there are. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"

#define NAME_MAX_KERNEL	15	/* the kernel keeps no more of a name */

/* ---- /proc -------------------------------------------------------------- */

static ssize_t read_part(int proc, const char *pid, const char *file, char *text, size_t size)
{
	char path[300];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pid, file);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;	/* it has just ended */
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

/* "7 (name) S 1 …": the state follows the name, which stands in parentheses and may hold any. */
static char state_of(int proc, const char *pid, char *name, size_t size)
{
	char text[512], *open, *close;

	if (read_part(proc, pid, "stat", text, sizeof(text)) <= 0)
		return '\0';
	open = strchr(text, '(');
	close = strrchr(text, ')');
	if (open == NULL || close == NULL || close < open || close[1] != ' ')
		return '\0';
	*close = '\0';
	snprintf(name, size, "%s", open + 1);
	return close[2];
}

/* Of the processes in a folder like /proc those that it is true of, or -errno. */
static int64_t count(const char *folder, bool (*is)(int proc, const char *pid, void *arg), void *arg)
{
	DIR *proc = opendir(folder);
	struct dirent *d;
	int64_t n = 0;

	if (proc == NULL)
		return -errno;
	while ((d = readdir(proc)) != NULL)
		n += isdigit((unsigned char)d->d_name[0]) && is(dirfd(proc), d->d_name, arg);
	closedir(proc);
	return n;
}

/* ---- Those that wait for a disk ----------------------------------------- */

static bool is_uninterruptable(int proc, const char *pid, void *unused)
{
	char name[64];

	(void)unused;
	return state_of(proc, pid, name, sizeof(name)) == 'D';
}

static void run_uninterruptable(void *def)
{
	struct check *c = def;
	int64_t n = count(c->path, is_uninterruptable, NULL);

	if (n < 0)
		report_failure(c, c->path, (int)n);
	else
		report_int(c, n, "%lld processes in uninterruptible sleep", (long long)n);
}

static int define_uninterruptable(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return proc_define(probe, conf, "number of processes in uninterruptible sleep", false, def);
}

/* ---- Those of a name ---------------------------------------------------- */

struct present {
	struct check check;
	const char *name, *pattern;	/* one of them is NULL */
	int64_t least, most;
};

/* A command line is the process's own memory, which may be locked while it hangs: so on a thread. */
struct census {
	struct job job;
	regex_t pattern;
	bool is_pattern;
	int64_t n;
	char name[NAME_MAX_KERNEL + 1];
	char path[256], text[512];
};

/* What ps and pgrep show: the words with blanks between them. */
static bool has_words(const struct census *s, int proc, const char *pid)
{
	char words[4096];
	ssize_t n = read_part(proc, pid, "cmdline", words, sizeof(words));

	while (n > 0 && words[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (words[i] == '\0')
			words[i] = ' ';
	return n > 0 && regexec(&s->pattern, words, 0, NULL, 0) == 0;
}

/* One that has ended, and whose parent has not looked yet, is not present. */
static bool is_meant(int proc, const char *pid, void *arg)
{
	const struct census *s = arg;
	char name[64];
	char state = state_of(proc, pid, name, sizeof(name));

	if (state == '\0' || state == 'Z' || state == 'X')
		return false;
	return s->is_pattern ? has_words(s, proc, pid) : strcmp(name, s->name) == 0;
}

static void take_census(struct job *j)
{
	struct census *s = SAT_OWNER(j, struct census, job);

	if (s->is_pattern && regcomp(&s->pattern, s->text, REG_EXTENDED | REG_NOSUB) != 0) {
		s->job.rc = -ENOMEM;	/* it was judged before */
		return;
	}
	s->n = count(s->path, is_meant, s);
	s->job.rc = s->n < 0 ? (int)s->n : 0;
	if (s->is_pattern)
		regfree(&s->pattern);
}

static void report_present(struct check *c, const struct job *j)
{
	const struct present *p = SAT_OWNER(c, const struct present, check);
	int64_t n = SAT_OWNER(j, const struct census, job)->n;
	char text[300];
	int len;

	if (j->rc != 0) {
		report_failure(c, c->path, j->rc);
		return;
	}
	len = snprintf(text, sizeof(text), "%lld processes, at least %lld", (long long)n, (long long)p->least);
	if (p->most < INT64_MAX)
		snprintf(text + len, sizeof(text) - (size_t)len, ", at most %lld", (long long)p->most);
	report_as(c, n >= p->least && n <= p->most ? "ok" : "critical", n, text);
}

static void run_present(void *def)
{
	struct present *p = def;
	struct census *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->job.work = take_census;
		s->is_pattern = p->pattern != NULL;
		snprintf(s->path, sizeof(s->path), "%s", p->check.path);
		snprintf(s->name, sizeof(s->name), "%s", p->name != NULL ? p->name : "");
		snprintf(s->text, sizeof(s->text), "%s", p->pattern != NULL ? p->pattern : "");
	}
	ask_begin(&p->check, s != NULL ? &s->job : NULL, report_present);
}

static int judge_pattern(const struct sat_conf *conf, const char *pattern)
{
	char why[200];
	regex_t r;
	int rc;

	if (strlen(pattern) >= sizeof(((struct census *)NULL)->text))
		return sat_conf_error(conf, "pattern", "is too long");
	rc = regcomp(&r, pattern, REG_EXTENDED | REG_NOSUB);
	if (rc == 0) {
		regfree(&r);
		return 0;
	}
	if (rc == REG_ESPACE)
		return -ENOMEM;
	regerror(rc, &r, why, sizeof(why));
	return sat_conf_error(conf, "pattern", "\"%s\": %s", pattern, why);
}

static int judge_present(struct present *p, const struct sat_conf *conf)
{
	int rc = 0;

	p->check.path = sat_conf_string(conf, "file");
	p->name = sat_conf_string(conf, "name");
	p->pattern = sat_conf_string(conf, "pattern");
	p->least = sat_conf_integer(conf, "min");
	p->most = sat_conf_has(conf, "max") ? sat_conf_integer(conf, "max") : INT64_MAX;
	if ((p->name != NULL) == (p->pattern != NULL))
		rc = sat_conf_error(conf, NULL, "wants either name or pattern");
	if (p->most < p->least)
		rc = sat_conf_error(conf, "max", "%lld is below min", (long long)p->most);
	if (strlen(p->check.path) >= sizeof(((struct census *)NULL)->path))
		rc = sat_conf_error(conf, "file", "is too long");
	return rc == 0 && p->pattern != NULL ? judge_pattern(conf, p->pattern) : rc;
}

static int define_present(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	struct present *p = calloc(1, sizeof(*p));
	int rc;

	(void)module;
	if (p == NULL)
		return -ENOMEM;
	p->check.probe = probe;
	rc = judge_present(p, conf);
	if (rc == 0)
		rc = sat_probe_service(probe, "number of processes %s", p->name != NULL ? p->name : p->pattern);
	if (rc != 0) {
		free(p);
		return rc;
	}
	*def = p;
	return 0;
}

#define PROC	SAT_OPTION("file", SAT_STRING, .fallback = "/proc", .help = "the folder to read")
TABLE(uninterruptable, LIMITS("10", "when not fewer"), PROC);
TABLE(present, SAT_OPTION("name", SAT_STRING, .help = "of the processes, as ps -e has it"),
      SAT_OPTION("pattern", SAT_STRING, .help = "or an extended regular expression for the command line"),
      SAT_OPTION("min", SAT_INTEGER, .fallback = "1", .min = 0, .max = 1e7, .help = "critical when fewer"),
      SAT_OPTION("max", SAT_INTEGER, .min = 0, .max = 1e7, .help = "critical when more"), PROC);

CHECK(uninterruptable, "num-uninterruptable-processes", "processes that wait for a disk", uninterruptable,
      .define = define_uninterruptable, .run = run_uninterruptable, .undefine = free);
CHECK(process_present, "process-present", "how many processes of a name there are", present,
      .define = define_present, .run = run_present, .timeout = ask_give_up, .undefine = ask_undefine);
