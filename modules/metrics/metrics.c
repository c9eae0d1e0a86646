/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics - GET /metrics: all figures of this process, and of Mesos what its modules know,
 * as OpenMetrics or as Prometheus' text, whichever the client likes better.
 *
 * Nothing is asked of anybody for it: what is not known is not there.
 */
#include <errno.h>
#include <stdlib.h>

#include "metrics.h"

static int get_metrics(void *state, struct sat_request *req)
{
	struct metrics *m = state;

	sat_count(m->self, COUNT_SCRAPES, 1);
	return scrape_begin(m, req);
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
	[GAUGE_TIME] = SAT_COUNTER("answer-time", .gauge = true, .help = "microseconds until the last answer was collected"),
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
	scrape_stop(m);
	if (m->packing == 0)
		sat_stopped(m->self);
}

SAT_MODULE(metrics,
	.name = "metrics", .version = SAT_VERSION, .summary = "figures for Prometheus: GET /metrics",
	.options = options, .routes = routes, .counters = counters,
	.create = create, .start = start, .stop = stop, .destroy = free);
