/* SPDX-License-Identifier: Apache-2.0 */
/* entry - what all checks do: begin an entry, report what one run has found. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"

int entry_new(struct sat_probe *probe, void **def)
{
	struct check *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->probe = probe;
	*def = c;
	return 0;
}

void report_failure(struct check *c, const char *path, int rc)
{
	char text[512];

	snprintf(text, sizeof(text), "%s: %s", path, strerror(-rc));
	sat_report(c->probe, .state = "critical", .description = text);
	sat_probe_done(c->probe);
}

void report_int(struct check *c, bool ok, int64_t metric, const char *text)
{
	sat_report(c->probe, .has = SAT_HAS_INT, .metric.i = metric,
		   .state = ok ? "ok" : "critical", .description = text);
	sat_probe_done(c->probe);
}
