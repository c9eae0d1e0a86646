/* SPDX-License-Identifier: Apache-2.0 */
/* disk - how full a file system is, in blocks and in inodes, as df says. */
#include <stdlib.h>

#include "checks.h"

/* df rounds up. */
static int64_t percent_of(uint64_t used, uint64_t all)
{
	return (int64_t)(((__uint128_t)used * 100 + all - 1) / all);
}

/* df's Use%: of what is used and what users may still have. */
static void report_used(struct check *c, const struct job *j)
{
	const struct statvfs *fs = &SAT_OWNER(j, const struct disk_job, job)->fs;
	uint64_t used = fs->f_blocks - fs->f_bfree, all = used + fs->f_bavail;
	long long percent;

	if (j->rc != 0) {
		report_failure(c, c->path, j->rc);
		return;
	}
	if (all == 0) {
		report_state(c, "unknown", "%s has no blocks: it is no disk", c->path);
		return;
	}
	percent = percent_of(used, all);
	report_int(c, percent, "%lld%% of %s used", percent, c->path);
}

/* df -i's IUse%.  Some file systems make inodes as they need them, and say that they have none. */
static void report_inodes(struct check *c, const struct job *j)
{
	const struct statvfs *fs = &SAT_OWNER(j, const struct disk_job, job)->fs;
	uint64_t used = fs->f_files - fs->f_ffree;
	long long percent;

	if (j->rc != 0) {
		report_failure(c, c->path, j->rc);
		return;
	}
	if (fs->f_files == 0) {
		report_as(c, "ok", 0, "it does not count inodes, so it has always one more");
		return;
	}
	percent = percent_of(used, fs->f_files);
	report_int(c, percent, "%lld%% of the inodes of %s used", percent, c->path);
}

static void run_used(void *def)
{
	struct check *c = def;

	ask_begin(c, job_of_path(c->path, job_statvfs), report_used);
}

static void run_inodes(void *def)
{
	struct check *c = def;

	ask_begin(c, job_of_path(c->path, job_statvfs), report_inodes);
}

static int define(struct sat_probe *probe, const struct sat_conf *conf, const char *service, void **def)
{
	struct limits l;
	int bad = limits_read(&l, conf, false), rc = ask_define(probe, conf, service, def);

	if (rc == 0 && bad != 0) {
		ask_undefine(*def);
		return bad;
	}
	if (rc == 0)
		((struct check *)*def)->limits = l;
	return rc;
}

static int define_used(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return define(probe, conf, "percentage used of %s", def);
}

static int define_inodes(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return define(probe, conf, "percentage of inodes used of %s", def);
}

TABLE(used, SAT_OPTION("path", SAT_STRING, .required = true, .help = "a folder of the file system"),
      LIMITS("90", "when not less is used, in percent"));

CHECK(percentage_used, "percentage-used", "how full a file system is, as df says", used,
      .define = define_used, .run = run_used, .timeout = ask_give_up, .undefine = ask_undefine);
CHECK(inodes_used, "inodes-used", "how many of its inodes are used, as df -i says", used,
      .define = define_inodes, .run = run_inodes, .timeout = ask_give_up, .undefine = ask_undefine);
