/* SPDX-License-Identifier: Apache-2.0 */
/* metrics - GET /metrics, as the files of this module share it. */
#ifndef METRICS_H
#define METRICS_H

#include <satellite/module.h>

#include "exporter.h"
#include "families.h"

enum { COUNT_SCRAPES, COUNT_LEFT_OUT, COUNT_DOUBLED, COUNT_PLAIN, GAUGE_SERIES, GAUGE_BYTES, GAUGE_TIME };

struct metrics {
	struct sat_self *self;
	size_t max;		/* series of an answer */
	struct scrape *scrapes;	/* under way */
	unsigned packing;	/* of them, those that a thread has */
	bool stopping;
};

/* One, from its request to the end of its answer. */
struct scrape {
	struct scrape *next, **link;
	struct metrics *m;
	struct sat_request *req;
	enum families_form form;
	bool gzip;		/* wanted; then: it is */
	int64_t began;		/* nanoseconds */
	struct families *families;
	struct exporter *exporter;
	struct sat_tour *tour;	/* NULL: all is collected */
	int refused;		/* -errno: there is no memory for it */
	struct blocks text;	/* the answer, less what was sent */
	size_t sent;		/* of its first block */
	size_t reserved;
	struct sat_alarm late;
};

/* scrape.c */
int scrape_begin(struct metrics *m, struct sat_request *req);
void scrape_answer(struct scrape *s);	/* its text is the whole answer */
void scrape_fail(struct scrape *s, const char *why);	/* answered 503, and freed */
void scrape_stop(struct metrics *m);	/* those that collect end */
void scrape_free(struct scrape *s);

/* gzip.c: compress its text on a thread, and answer.  false: it was not taken. */
bool gzip_answer(struct scrape *s);

#endif
