/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics - GET /metrics: all figures of this process, and of Mesos what its modules know,
 * as OpenMetrics or as Prometheus' text, whichever the client likes better.
 *
 * Nothing is asked of anybody for it: what is not known is not there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "accept.h"
#include "exporter.h"
#include "metrics.h"

const char *const metrics_types[] = {
	[FORM_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
	[FORM_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/* ---- Collecting --------------------------------------------------------- */

struct collecting {
	struct families *families;
	struct exporter *exporter;
};

/* Our own counters end in `_total`; those that mesos_exporter had are called as it did. */
static void take(void *arg, const char *name, bool gauge, const char *help, const struct sat_attr *labels,
		 uint32_t n, double value)
{
	struct collecting *c = arg;
	char full[256];
	bool ours = strncmp(name, "satellite_", 10) == 0 || strncmp(name, "process_", 8) == 0;

	if (exporter_take(c->exporter, name, labels, n, value))
		return;
	if (!gauge && ours) {
		snprintf(full, sizeof(full), "%s_total", name);
		name = full;
	}
	families_add(c->families, name, gauge ? FAMILY_GAUGE : FAMILY_COUNTER, help, labels, n, value);
}

static int64_t nanoseconds(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void account(struct metrics *m, struct families *f)
{
	if (families_left_out(f) > 0)
		sat_count(m->self, COUNT_LEFT_OUT, (int64_t)families_left_out(f));
	if (families_doubled(f) > 0)
		sat_count(m->self, COUNT_DOUBLED, (int64_t)families_doubled(f));
	sat_gauge(m->self, GAUGE_SERIES, (int64_t)families_series(f));
}

static void collect(struct metrics *m, enum families_form form, struct sat_buf *text)
{
	struct collecting c = { .families = families_new(m->max) };

	c.exporter = c.families != NULL ? exporter_new(c.families) : NULL;
	if (c.exporter != NULL) {
		sat_figures_each(take, &c);
		exporter_end(c.exporter);
		account(m, c.families);
		families_write(c.families, form, text);
	} else {
		text->full = true;
	}
	exporter_free(c.exporter);
	families_free(c.families);
}

/* ---- The route ---------------------------------------------------------- */

static int get_metrics(void *state, struct sat_request *req)
{
	static const char *const vary[] = { "Vary: Accept, Accept-Encoding", NULL };
	struct metrics *m = state;
	enum families_form form = accept_openmetrics(sat_request_header(req, "Accept")) ? FORM_OPENMETRICS : FORM_TEXT;
	struct sat_buf text = { 0 };
	int64_t began = nanoseconds();

	sat_count(m->self, COUNT_SCRAPES, 1);
	collect(m, form, &text);
	sat_gauge(m->self, GAUGE_TIME, (nanoseconds() - began) / 1000);
	sat_gauge(m->self, GAUGE_BYTES, (int64_t)text.len);
	if (text.full) {
		sat_buf_free(&text);
		return -ENOMEM;
	}
	if (accept_gzip(sat_request_header(req, "Accept-Encoding")) && gzip_answer(m, req, form, &text))
		return 0;
	sat_reply(req, 200, metrics_types[form], text.p, text.len, vary);
	sat_buf_free(&text);
	return 0;
}

static const struct sat_route *const routes[] = {
	SAT_ROUTE("GET", "/metrics", SAT_READ, get_metrics),
	NULL,
};

/* ---- Life --------------------------------------------------------------- */

static const struct sat_option *const options[] = {
	SAT_OPTION("max-series", SAT_INTEGER, .fallback = "400000", .min = 100, .max = 1e7,
		   .help = "series of an answer at most"),
	NULL,
};

static const struct sat_counter *const counters[] = {
	[COUNT_SCRAPES] = SAT_COUNTER("scrapes", .help = "answers begun"),
	[COUNT_LEFT_OUT] = SAT_COUNTER("left-out", .help = "series left out of answers: over max-series, or no memory"),
	[COUNT_DOUBLED] = SAT_COUNTER("doubled", .help = "series left out, since one of the same labels was there"),
	[COUNT_PLAIN] = SAT_COUNTER("plain", .help = "answers not compressed for lack of memory"),
	[GAUGE_SERIES] = SAT_COUNTER("series", .gauge = true, .help = "series of the last answer"),
	[GAUGE_BYTES] = SAT_COUNTER("answer", .gauge = true, .help = "bytes of the last answer, not compressed"),
	[GAUGE_TIME] = SAT_COUNTER("answer-time", .gauge = true, .help = "microseconds that the last answer took"),
	NULL,
};

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	m->self = self;
	m->max = (size_t)sat_conf_integer(conf, "max-series");
	exporter_init();
	*state = m;
	return 0;
}

static int start(void *state)
{
	((struct metrics *)state)->stopping = false;
	return 0;
}

static void stop(void *state)
{
	struct metrics *m = state;

	m->stopping = true;
	if (m->packing == 0)
		sat_stopped(m->self);
}

SAT_MODULE(metrics,
	.name = "metrics", .version = SAT_VERSION, .summary = "figures for Prometheus: GET /metrics",
	.options = options, .routes = routes, .counters = counters,
	.create = create, .start = start, .stop = stop, .destroy = free);
