/* SPDX-License-Identifier: Apache-2.0 */
/* exists - whether a file is there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "checks.h"

static void look(struct job *j)
{
	struct stat st;

	j->rc = stat(SAT_OWNER(j, struct disk_job, job)->path, &st) == 0 ? 0 : -errno;
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
	report_as(c, j->rc == 0 ? "ok" : "critical", j->rc != 0, text);
}

static void run(void *def)
{
	struct check *c = def;

	ask_begin(c, job_of_path(c->path, look), report_exists);
}

static int define(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return ask_define(probe, conf, "%s exists", def);
}

TABLE(exists, SAT_OPTION("path", SAT_STRING, .required = true, .help = "critical when it does not exist"));

CHECK(file_exists, "file-exists", "whether a file is there", exists,
      .define = define, .run = run, .timeout = ask_give_up, .undefine = ask_undefine);
