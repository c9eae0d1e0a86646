/* SPDX-License-Identifier: Apache-2.0 */
/* skew - by how much the clocks of hosts differ: clock-skew. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "ops.h"

struct skew { uint32_t max; struct sat_self *self; };

/* The latest event of a host; heard and expires are of the engine's clock. */
struct host { const struct sat_event *ev; int64_t heard, expires; };
struct hosts { struct host *v; uint32_t n, size; bool fractional; };

static const struct sat_option *const options[] = {
	SAT_OPTION("max", SAT_INTEGER, .fallback = "10000", .min = 1, .max = 100000,
		   .help = "hosts at most; events of further ones are dropped and counted"),
	NULL
};

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct skew *s = calloc(1, sizeof(*s));

	(void)module;
	if (s == NULL)
		return -ENOMEM;
	s->max = (uint32_t)sat_conf_integer(conf, "max");
	s->self = sat_node_self(node);
	*def = s;
	return 0;
}

static struct host *find(const struct hosts *h, const char *name)
{
	for (uint32_t i = 0; i < h->n; i++) {
		const char *host = h->v[i].ev->host;

		if (host == name || (host != NULL && name != NULL && strcmp(host, name) == 0))
			return &h->v[i];
	}
	return NULL;
}

static int put(struct hosts *h, const struct sat_event *ev, int64_t heard, int64_t expires)
{
	struct host *found = find(h, ev->host);
	const struct sat_event *kept;

	if (found == NULL && h->n == h->size) {
		uint32_t more = h->size != 0 ? 2 * h->size : 8;
		struct host *v = realloc(h->v, more * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		h->v = v;
		h->size = more;
	}
	kept = sat_keep(ev);
	if (kept == NULL)
		return -ENOMEM;
	if (found != NULL)
		sat_drop(found->ev);
	else
		found = &h->v[h->n++];
	*found = (struct host){ kept, heard, expires };
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* What the clock in the middle shows by now; of those that expired, for the last time. */
static int middle(const struct sat_at *at, struct hosts *h, bool *any, int64_t *out)
{
	int64_t *v = sat_scratch(at, (h->n + 1) * sizeof(*v));
	uint32_t n = 0, left = 0;

	if (v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < h->n; i++) {
		const struct host *host = &h->v[i];

		if (host->ev->has & SAT_HAS_TIME)
			v[n++] = host->ev->time + (sat_clock() - host->heard);
		if (sat_clock() > host->expires)
			sat_drop(host->ev);
		else
			h->v[left++] = *host;
	}
	h->n = left;
	qsort(v, n, sizeof(*v), by_time);
	*any = n != 0;
	*out = v[n / 2];
	return 0;
}

static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct skew *s = def;
	const struct sat_event *ev;
	struct sat_event *edited;
	struct hosts *h = state;
	struct number delta;
	int64_t clock;
	bool any;
	int rc;

	if (item->list || item->n != 1)
		return sat_fail(at, -EINVAL, "it takes events, not lists");
	ev = item->evs[0];
	if (h->n >= s->max && find(h, ev->host) == NULL) {
		sat_count(s->self, HELD_DROPPED, 1);
		return 0;
	}
	rc = put(h, ev, sat_clock(), sat_expired(ev) ? INT64_MIN : sat_expires(ev));
	if (rc == 0)
		rc = middle(at, h, &any, &clock);
	if (rc != 0)
		return rc;
	if (sat_expired(ev)) {
		sat_pass(at, 0, item);
		return 0;
	}
	if (any && !(ev->has & SAT_HAS_TIME))
		return sat_fail(at, -EINVAL, "the event has no time");
	if (ev->has & SAT_HAS_TIME)
		number_time(ev->time, &h->fractional);
	delta = any ? number_time(ev->time - clock, &h->fractional) : number_int(0);
	edited = sat_edit(at, ev);
	if (edited == NULL)
		return -ENOMEM;
	number_put(edited, &delta);
	sat_pass_event(at, 0, edited);
	return 0;
}

static bool idle(const void *def, const void *state)
{
	(void)def;
	return ((const struct hosts *)state)->n == 0;
}

static void close_fork(const void *def, void *state)
{
	struct hosts *h = state;

	(void)def;
	while (h->n > 0)
		sat_drop(h->v[--h->n].ev);
	free(h->v);
	h->v = NULL;
	h->size = 0;
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct hosts *h = state;
	int rc;

	(void)def;
	sat_write_int(out, h->fractional);
	rc = sat_write_int(out, h->n);
	for (uint32_t i = 0; i < h->n && rc == 0; i++) {
		const struct host *host = &h->v[i];

		sat_write_int(out, sat_clock() - host->heard);
		sat_write_int(out, host->expires == INT64_MAX ? INT64_MAX : host->expires - sat_clock());
		rc = sat_write_event(out, host->ev);
	}
	return rc;
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	const struct skew *s = def;
	const struct sat_event *ev;
	struct hosts *h = state;
	int64_t fractional, n, heard, expires;
	int rc;

	(void)at;
	if (version != 1 || sat_read_int(in, &fractional) != 0 || sat_read_int(in, &n) != 0 || n > s->max)
		return -EBADMSG;
	h->fractional = fractional != 0;
	for (rc = 0; rc == 0 && n > 0; n--) {
		sat_read_int(in, &heard);
		sat_read_int(in, &expires);
		rc = sat_read_event(in, &ev);
		if (rc == 0)
			rc = put(h, ev, sat_clock() - heard, expires == INT64_MAX ? expires : sat_clock() + expires);
		sat_drop(ev);
	}
	return rc;
}

const struct sat_op clock_skew_op = {
	.size = sizeof(clock_skew_op), .state_version = 1, .name = "clock-skew",
	.summary = "pass on events with how far their time is from the hosts' median clock", .options = options,
	.state_size = sizeof(struct hosts), .define = define, .undefine = free, .item = item_fork, .idle = idle,
	.close = close_fork, .save = save, .load = load,
};
