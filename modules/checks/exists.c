/* SPDX-License-Identifier: Apache-2.0 */
/* exists - whether a file is there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"

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
	ask_run(def, false, report_exists);
}

static int define_exists(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return ask_define(probe, conf, "%s exists", def);
}

TABLE(exists, SAT_OPTION("path", SAT_STRING, .required = true, .help = "critical when it does not exist"));

CHECK(file_exists, "file-exists", "whether a file is there", exists,
      .define = define_exists, .run = run_exists, .timeout = ask_give_up, .undefine = ask_undefine);
