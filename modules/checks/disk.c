/* SPDX-License-Identifier: Apache-2.0 */
/* disk - how full a file system is. */
#include <stdio.h>

#include "checks.h"

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
	ask_run(def, true, report_used);
}

static int define_used(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	int rc = ask_define(probe, conf, "percentage used of %s", def);

	(void)module;
	if (rc == 0)
		((struct check *)*def)->threshold = sat_conf_number(conf, "threshold");
	return rc;
}

TABLE(used, SAT_OPTION("path", SAT_STRING, .required = true, .help = "a folder of the file system"),
      SAT_OPTION("threshold", SAT_NUMBER, .fallback = "90", .min = 0, .max = 1000,
		 .help = "critical when not less is used, in percent"));

CHECK(percentage_used, "percentage-used", "how full a file system is, as df says", used,
      .define = define_used, .run = run_used, .timeout = ask_give_up, .undefine = ask_undefine);
