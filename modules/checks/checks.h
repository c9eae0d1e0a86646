/* SPDX-License-Identifier: Apache-2.0 */
/* checks - what the files of this module share: an entry, what it reports, what it reads. */
#ifndef CHECKS_H
#define CHECKS_H

#include <sys/statvfs.h>

#include <satellite/module.h>

struct limits {			/* of a figure; the one that stands at a limit is bad already */
	double warning, critical;	/* NAN: none */
	bool low;			/* low figures are the bad ones */
};

struct check {			/* what an entry of `checks` begins with */
	struct sat_probe *probe;
	struct limits limits;
	const char *path;	/* borrowed from the settings, as long as the entry lives */
	struct job *job;	/* ask.c: under way, or hanging since an earlier run */
	void (*answer)(struct check *c, const struct job *j);
	bool waiting;		/* this run is not done yet */
};

/* limits.c: the options threshold and warning, judged, and what they say of a figure. */
int limits_read(struct limits *l, const struct sat_conf *conf, bool low);
const char *limits_state(const struct limits *l, double figure);

/* report.c: each report is the end of its run. */
/* A failing measurement is critical: nobody can say that the host is well. */
void report_failure(struct check *c, const char *path, int rc);
void report_state(struct check *c, const char *state, const char *fmt, ...) SAT_PRINTF(3);	/* without a figure */
/* A figure as its limits judge it; they are said behind the words. */
void report_int(struct check *c, int64_t metric, const char *fmt, ...) SAT_PRINTF(3);
void report_double(struct check *c, double metric, const char *fmt, ...) SAT_PRINTF(3);
/* A figure whose state is known already. */
void report_as(struct check *c, const char *state, int64_t metric, const char *text);

/* proc.c: files of /proc, which are read on the loop, since the kernel answers at once. */
int proc_read(const char *path, char *text, size_t size);
/* A check that reads the setting `file`, with limits. */
int proc_define(struct sat_probe *probe, const struct sat_conf *conf, const char *service, bool low, void **def);

/*
 * ask.c: what may lie on a disk or an NFS server that hangs is asked on a thread, each question in a
 * lane of its own.  A job is a struct that begins with this, and touches nothing but itself on its thread.
 */
struct job {
	void (*work)(struct job *j);	/* on the thread */
	void (*back)(void *arg, struct job *j, int rc);	/* 0, -ETIMEDOUT (it hangs), or it was not asked */
	void *arg;
	struct job **held;		/* its asker's; NULL: that is gone, and nobody is told */
	int rc;				/* what work() found */
};
/* Takes j.  *held is j until it has come back, be it late; back() is called once, unless this fails. */
int job_ask(struct sat_self *self, struct job *j, struct job **held, int64_t deadline);
void job_forget(struct job **held);

struct disk_job {		/* statvfs() of a path */
	struct job job;
	struct statvfs fs;
	char path[];
};
struct job *job_of_path(const char *path, void (*work)(struct job *j));	/* a disk_job; NULL: no memory */
void job_statvfs(struct job *j);

/* An entry that asks one question a run. */
void ask_begin(struct check *c, struct job *j, void (*answer)(struct check *c, const struct job *j));	/* takes j */
void ask_give_up(void *def);
void ask_undefine(void *def);
int ask_define(struct sat_probe *probe, const struct sat_conf *conf, const char *service, void **def);

/* mounts.c: what is mounted where, as the kernel tells it. */
struct mount {
	unsigned id, parent;
	const char *device, *path, *options, *type, *source, *super;
	bool covered, hidden;	/* other mounts lie over it: itself; it and all below it */
};
struct mounts { char *text; struct mount *list; size_t n; };
int mounts_read(struct mounts *m, const char *file);	/* 0, or nothing to free */
void mounts_free(struct mounts *m);
bool mount_is_pseudo(const struct mount *m);		/* the kernel's own: no disk, no server */

/* Options of a check, and its place in the table. */
#define TABLE(id, ...) static const struct sat_option *const options_##id[] = { __VA_ARGS__, NULL }
/* Any number may be a limit: one that no figure reaches makes a check that only measures. */
#define LIMITS(normal, words) \
	SAT_OPTION("threshold", SAT_NUMBER, .fallback = (normal), .min = -1e15, .max = 1e15, .help = "critical " words), \
	SAT_OPTION("warning", SAT_NUMBER, .min = -1e15, .max = 1e15, .help = "warning " words)
#define CHECK(id, text, about, table, ...) const struct sat_check check_##id = { \
	.size = sizeof(struct sat_check), .name = (text), .summary = (about), .options = options_##table, __VA_ARGS__ }

extern const struct sat_check check_free_memory, check_available_memory, check_free_swap, check_free_swap_iff_swap,
	check_percentage_used, check_inodes_used, check_df_returns, check_read_only_mounts, check_uninterruptable,
	check_process_present, check_load_average, check_pressure, check_clock_offset, check_file_exists;

#endif
