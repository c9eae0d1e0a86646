/* SPDX-License-Identifier: Apache-2.0 */
/* json - any text as an event: refused with a reason, or written and read again. */
#include <stdlib.h>
#include <string.h>

#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sat_event *again(void (*write)(struct sat_buf *b, const struct sat_event *ev),
				     const struct sat_event *ev)
{
	const struct sat_event *back;
	struct sat_buf b = { 0 };
	char error[100];

	write(&b, ev);
	back = sat_event_parse(b.p, b.len, error, sizeof(error));
	if (back == NULL || back->n_attrs != ev->n_attrs || back->n_tags != ev->n_tags || back->has != ev->has)
		abort();
	sat_buf_free(&b);
	return back;
}

static bool all_nil(const struct sat_event *ev)
{
	return ev->host == NULL && ev->service == NULL && ev->state == NULL && ev->description == NULL &&
	       ev->has == 0 && ev->n_attrs == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[50] = "";
	const struct sat_event *ev = sat_event_parse((const char *)data, size, error, sizeof(error)), *back;

	if (ev == NULL) {
		if (error[0] == '\0')
			abort();
		return 0;
	}
	if (all_nil(ev)) {		/* replay's word for it is null, which is no event */
		sat_drop(ev);
		return 0;
	}
	back = again(json_replay_event, ev);
	if (back->metric.i != ev->metric.i || ((ev->has & SAT_HAS_TIME) && back->time != ev->time))
		abort();
	sat_drop(back);
	if (!(ev->has & SAT_HAS_TIME) || (ev->time > 0 && ev->time < INT64_C(253402300800) * SAT_SECOND))
		sat_drop(again(sat_buf_event, ev));
	sat_drop(ev);
	return 0;
}
