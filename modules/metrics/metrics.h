/* SPDX-License-Identifier: Apache-2.0 */
/* metrics - GET /metrics, as the files of this module share it. */
#ifndef METRICS_H
#define METRICS_H

#include <satellite/module.h>

#include "families.h"

enum { COUNT_SCRAPES, COUNT_LEFT_OUT, COUNT_DOUBLED, COUNT_PLAIN, GAUGE_SERIES, GAUGE_BYTES, GAUGE_TIME };

struct metrics {
	struct sat_self *self;
	size_t max;		/* series of an answer */
	unsigned packing;	/* answers with a thread */
	bool stopping;
};

extern const char *const metrics_types[];	/* by enum families_form */

/* gzip.c: answer req with this text, compressed on a thread.  Takes text.  false: it was not taken,
 * answer it as it is. */
bool gzip_answer(struct metrics *m, struct sat_request *req, enum families_form form, struct sat_buf *text);

#endif
