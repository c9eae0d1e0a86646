/* SPDX-License-Identifier: Apache-2.0 */
/* checks - what the files of this module share: an entry, what it reports, what it reads. */
#ifndef CHECKS_H
#define CHECKS_H

#include <sys/statvfs.h>

#include <satellite/module.h>

struct check {			/* one entry of `checks` */
	struct sat_probe *probe;
	double threshold;
	const char *path;	/* borrowed from the settings, as long as the entry lives */
	struct job *job;	/* ask.c: under way, or hanging since an earlier run */
	bool waiting;		/* this run is not done yet */
};

/* entry.c: what all kinds do.  Each report is the end of its run. */
int entry_new(struct sat_probe *probe, void **def);
/* A failing measurement is critical: nobody can say that the host is well. */
void report_failure(struct check *c, const char *path, int rc);
void report_int(struct check *c, bool ok, int64_t metric, const char *text);

/* proc.c: files of /proc, which are read on the loop, since the kernel answers at once. */
int proc_read(const char *path, char *text, size_t size);
int proc_define(struct sat_probe *probe, const struct sat_conf *conf, const char *service, void **def);
void proc_undefine(void *def);

/* ask.c: what may lie on a disk or an NFS server that hangs is asked on a thread. */
struct job {
	struct check *check;	/* NULL: its entry is gone */
	void (*report)(struct check *c, const struct job *j);
	bool disk;		/* statvfs(), not stat() */
	int rc;
	struct statvfs fs;
	char path[];
};
int ask_define(struct sat_probe *probe, const struct sat_conf *conf, const char *service, void **def);
void ask_run(struct check *c, bool disk, void (*report)(struct check *c, const struct job *j));
void ask_give_up(void *def);
void ask_undefine(void *def);

/* Options of a check, and its entry in the table. */
#define TABLE(id, ...) static const struct sat_option *const options_##id[] = { __VA_ARGS__, NULL }
#define CHECK(id, text, about, table, ...) const struct sat_check check_##id = { \
	.size = sizeof(struct sat_check), .name = (text), .summary = (about), .options = options_##table, __VA_ARGS__ }

extern const struct sat_check check_free_memory, check_free_swap, check_free_swap_iff_swap, check_percentage_used,
	check_uninterruptable, check_load_average, check_file_exists;

#endif
