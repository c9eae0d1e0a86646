/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - how far the clock is off, as the kernel knows it from ntpd or chronyd.
 *
 * Both tell the kernel: ntpd what is left to correct, chronyd, which corrects by
 * itself, that it is synchronised, and how far off it may be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

#include "checks.h"

struct clock {
	struct check check;
	const char *unsynchronised;	/* the state of a clock that nobody corrects */
};

static void run(void *def)
{
	struct clock *k = def;
	struct check *c = &k->check;
	struct timex t = { .modes = 0 };
	int state = adjtimex(&t);
	double ms;

	if (state < 0) {
		report_failure(c, "adjtimex", -errno);
		return;
	}
	ms = (double)t.offset / (t.status & STA_NANO ? 1e6 : 1e3);
	if (state != TIME_ERROR && !(t.status & STA_UNSYNC)) {
		report_double(c, ms, "synchronised, %g ms off, within %g ms", ms, (double)t.maxerror / 1e3);
		return;
	}
	sat_report(c->probe, .has = SAT_HAS_DOUBLE, .metric.d = ms, .state = k->unsynchronised,
		   .description = "not synchronised: does ntpd or chronyd (with rtcsync) run, and reach a server?");
	sat_probe_done(c->probe);
}

static int judge_state(const struct sat_conf *conf, const char *state)
{
	if (strcmp(state, "critical") == 0 || strcmp(state, "warning") == 0 || strcmp(state, "ok") == 0)
		return 0;
	return sat_conf_error(conf, "unsynchronised", "\"%s\" is none of ok, warning and critical", state);
}

static int define(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	struct clock *k = calloc(1, sizeof(*k));
	int rc, more;

	(void)module;
	if (k == NULL)
		return -ENOMEM;
	k->check.probe = probe;
	k->unsynchronised = sat_conf_string(conf, "unsynchronised");
	rc = judge_state(conf, k->unsynchronised);
	more = limits_read(&k->check.limits, conf, false);
	rc = rc != 0 ? rc : more != 0 ? more : sat_probe_service(probe, "clock offset in ms");
	if (rc != 0) {
		free(k);
		return rc;
	}
	*def = k;
	return 0;
}

TABLE(clock, LIMITS("100", "when not less off, in milliseconds"),
      SAT_OPTION("unsynchronised", SAT_STRING, .fallback = "critical",
		 .help = "the state of a clock that nobody corrects: ok, warning or critical"));

CHECK(clock_offset, "clock-offset", "how far the clock is off, and whether it is synchronised", clock,
      .define = define, .run = run, .undefine = free);
