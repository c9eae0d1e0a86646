/* SPDX-License-Identifier: Apache-2.0 */
/* report - what one run has found, as an event; then the run is done. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"

#define TEXT	512

void report_failure(struct check *c, const char *path, int rc)
{
	report_state(c, "critical", "%s: %s", path, strerror(-rc));
}

void report_state(struct check *c, const char *state, const char *fmt, ...)
{
	char text[TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sat_report(c->probe, .state = state, .description = text);
	sat_probe_done(c->probe);
}

static void add_limit(char *text, const char *name, double limit)
{
	size_t n = strlen(text);

	if (!isnan(limit))
		snprintf(text + n, TEXT - n, ", %s %.15g", name, limit);
}

static void describe(char *text, const struct limits *l, const char *fmt, va_list ap)
{
	vsnprintf(text, TEXT, fmt, ap);
	add_limit(text, "warning", l->warning);
	add_limit(text, "threshold", l->critical);
}

void report_int(struct check *c, int64_t metric, const char *fmt, ...)
{
	char text[TEXT];
	va_list ap;

	va_start(ap, fmt);
	describe(text, &c->limits, fmt, ap);
	va_end(ap);
	report_as(c, limits_state(&c->limits, (double)metric), metric, text);
}

void report_double(struct check *c, double metric, const char *fmt, ...)
{
	char text[TEXT];
	va_list ap;

	va_start(ap, fmt);
	describe(text, &c->limits, fmt, ap);
	va_end(ap);
	sat_report(c->probe, .has = SAT_HAS_DOUBLE, .metric.d = metric, .description = text,
		   .state = limits_state(&c->limits, metric));
	sat_probe_done(c->probe);
}

void report_as(struct check *c, const char *state, int64_t metric, const char *text)
{
	sat_report(c->probe, .has = SAT_HAS_INT, .metric.i = metric, .state = state, .description = text);
	sat_probe_done(c->probe);
}
