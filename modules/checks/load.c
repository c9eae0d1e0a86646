/* SPDX-License-Identifier: Apache-2.0 */
/* load - the load average over 15 minutes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "checks.h"

static void run_load(void *def)
{
	struct check *c = def;
	char file[256], text[128], *at = file, *end = file;
	double load = 0;
	int rc = proc_read(c->path, file, sizeof(file));

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

static int define_load(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return proc_define(probe, conf, "load average over past 15 minutes", def);
}

TABLE(load, SAT_OPTION("threshold", SAT_NUMBER, .fallback = "30", .min = 0, .max = 1e6,
		       .help = "critical when not below it"),
      SAT_OPTION("file", SAT_STRING, .fallback = "/proc/loadavg", .help = "what to read"));

CHECK(load_average, "load-average", "load over 15 minutes", load,
      .define = define_load, .run = run_load, .undefine = proc_undefine);
