/* SPDX-License-Identifier: Apache-2.0 */
/* load - the load average over 15 minutes. */
#include <stdlib.h>

#include "checks.h"

static void run(void *def)
{
	struct check *c = def;
	char file[256], *at = file, *end;
	double load = 0;
	int rc = proc_read(c->path, file, sizeof(file));

	for (int i = 0; rc == 0 && i < 3; i++) {
		load = strtod(at, &end);
		if (end == at) {
			report_state(c, "critical", "%s: has no third figure", c->path);
			return;
		}
		at = end;
	}
	if (rc != 0)
		report_failure(c, c->path, rc);
	else
		report_double(c, load, "load %.2f over 15 minutes", load);
}

static int define(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return proc_define(probe, conf, "load average over past 15 minutes", false, def);
}

TABLE(load, LIMITS("30", "when not below it"),
      SAT_OPTION("file", SAT_STRING, .fallback = "/proc/loadavg", .help = "what to read"));

CHECK(load_average, "load-average", "load over 15 minutes", load,
      .define = define, .run = run, .undefine = free);
