/* SPDX-License-Identifier: Apache-2.0 */
/* rate - operators that say something every so often: rate, interpolate-constant, apdex. */
#include <errno.h>
#include <stdlib.h>

#include "held.h"
#include "number.h"
#include "ops.h"

struct interval {
	int64_t length;
	struct number seconds;
	struct sat_query *satisfied, *tolerated;
};

static int one_event(const struct sat_at *at, const struct sat_item *item)
{
	return !item->list && item->n == 1 ? 0 : sat_fail(at, -EINVAL, "it takes events, not lists");
}

/* Another reference in the place of the one that is kept. */
static int replace(const struct sat_event **kept, const struct sat_event *by)
{
	const struct sat_event *ev = sat_keep(by);

	if (ev == NULL)
		return -ENOMEM;
	sat_drop(*kept);
	*kept = ev;
	return 0;
}

static int write_kept(struct sat_writer *out, const struct sat_event *ev)
{
	int rc = sat_write_int(out, ev != NULL);

	return ev != NULL ? sat_write_event(out, ev) : rc;
}

static int read_kept(struct sat_reader *in, const struct sat_event **ev)
{
	int64_t any;
	int rc = sat_read_int(in, &any);

	return rc == 0 && any != 0 ? sat_read_event(in, ev) : rc;
}

static void undefine(void *def)
{
	struct interval *i = def;

	sat_query_free(i->satisfied);
	sat_query_free(i->tolerated);
	free(i);
}

static int define(const struct sat_conf *conf, const char *name, void **def)
{
	struct interval *i = calloc(1, sizeof(*i));
	bool fractional = false;

	if (i == NULL)
		return -ENOMEM;
	i->length = sat_conf_time(conf, name);
	i->seconds = number_time(i->length, &fractional);
	*def = i;
	return 0;
}

#define SECONDS_OPTION(name) SAT_OPTION(name, SAT_SECONDS, .required = true, .min = 1e-3, .max = 1e9, \
					.help = "seconds from one to the next")

/* ---- rate ---- */

struct rate {
	struct ticker ticker;
	struct number sum;
	const struct sat_event *last;	/* the latest with a metric */
	double ttl;			/* its ttl, which shrinks with every tick */
};

static const struct sat_option *const rate_options[] = { SECONDS_OPTION("rate"), NULL };

static int rate_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return define(conf, "rate", def);
}

static int rate_open(const struct sat_at *at, const void *def, void *state)
{
	(void)at;
	(void)def;
	((struct rate *)state)->sum = number_int(0);
	return 0;
}

static int rate_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct interval *i = def;
	const struct sat_event *ev;
	struct rate *r = state;
	struct number a;
	int rc = one_event(at, item);

	if (rc != 0)
		return rc;
	ev = item->evs[0];
	if (number_metric(ev, &a)) {
		rc = replace(&r->last, ev);
		if (rc != 0)
			return rc;
		r->ttl = ev->ttl + number_real(&i->seconds);
		r->sum = number_add(&r->sum, &a);
	}
	ticker_feed(at, &r->ticker, ev, i->length);
	return 0;
}

static void rate_tick(const struct sat_at *at, void *def, void *state, struct sat_timer *timer)
{
	const struct interval *i = def;
	struct rate *r = state;
	struct sat_event *ev;
	struct number rate;

	(void)timer;
	if (!ticker_ticks(at, &r->ticker, i->length))
		return;
	ev = sat_edit(at, r->last);
	if (ev == NULL)
		return;
	number_div(&r->sum, &i->seconds, &rate);
	r->sum = number_int(0);
	r->ttl -= number_real(&i->seconds);
	number_put(ev, &rate);
	ev->has |= SAT_HAS_TIME | SAT_HAS_STAMP;
	ev->time = sat_wall();
	ev->ttl = r->ttl;
	sat_pass_event(at, 0, ev);
}

static bool rate_idle(const void *def, const void *state)
{
	const struct rate *r = state;

	(void)def;
	return r->last == NULL && !sat_timer_armed(&r->ticker.timer);
}

static void rate_close(const void *def, void *state)
{
	struct rate *r = state;

	(void)def;
	sat_drop(r->last);
	r->last = NULL;
}

static int rate_save(const void *def, const void *state, struct sat_writer *out)
{
	const struct rate *r = state;

	(void)def;
	ticker_save(&r->ticker, out);
	number_write(out, &r->sum);
	sat_write_double(out, r->ttl);
	return write_kept(out, r->last);
}

static int rate_load(const struct sat_at *at, const void *def, void *state, uint32_t version,
		     struct sat_reader *in)
{
	struct rate *r = state;

	(void)def;
	if (version != 1 || ticker_load(at, &r->ticker, in) != 0 || number_read(in, &r->sum) != 0 ||
	    sat_read_double(in, &r->ttl) != 0)
		return -EBADMSG;
	return read_kept(in, &r->last);
}

const struct sat_op rate_op = {
	.size = sizeof(rate_op), .state_version = 1, .name = "rate",
	.summary = "pass on, time and again, the sum of the metrics divided by the seconds",
	.options = rate_options, .state_size = sizeof(struct rate), .define = rate_define, .undefine = undefine,
	.open = rate_open, .item = rate_item, .timer = rate_tick, .idle = rate_idle, .close = rate_close,
	.save = rate_save, .load = rate_load,
};

/* ---- interpolate-constant ---- */

struct constant { struct ticker ticker; const struct sat_event *last; };

static const struct sat_option *const constant_options[] = { SECONDS_OPTION("interpolate-constant"), NULL };

static int constant_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return define(conf, "interpolate-constant", def);
}

static void constant_close(const void *def, void *state)
{
	struct constant *c = state;

	(void)def;
	sat_drop(c->last);
	c->last = NULL;
}

static int constant_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct constant *c = state;
	int rc = one_event(at, item);

	if (rc != 0)
		return rc;
	rc = replace(&c->last, item->evs[0]);
	if (rc != 0)
		return rc;
	ticker_feed(at, &c->ticker, item->evs[0], 0);
	if (sat_expired(item->evs[0])) {
		constant_close(def, c);
		sat_pass(at, 0, item);
	}
	return 0;
}

static void constant_tick(const struct sat_at *at, void *def, void *state, struct sat_timer *timer)
{
	const struct interval *i = def;
	struct constant *c = state;
	struct sat_event *ev;

	(void)timer;
	if (!ticker_ticks(at, &c->ticker, i->length))
		return;
	ev = sat_edit(at, c->last);
	if (ev == NULL)
		return;
	ev->has |= SAT_HAS_TIME | SAT_HAS_STAMP;
	ev->time = sat_wall();
	sat_pass_event(at, 0, ev);
}

/* A ticker that ran out has nothing more to say. */
static bool constant_idle(const void *def, const void *state)
{
	(void)def;
	return !sat_timer_armed(&((const struct constant *)state)->ticker.timer);
}

static int constant_save(const void *def, const void *state, struct sat_writer *out)
{
	const struct constant *c = state;

	(void)def;
	ticker_save(&c->ticker, out);
	return write_kept(out, c->last);
}

static int constant_load(const struct sat_at *at, const void *def, void *state, uint32_t version,
			 struct sat_reader *in)
{
	struct constant *c = state;

	(void)def;
	if (version != 1 || ticker_load(at, &c->ticker, in) != 0)
		return -EBADMSG;
	return read_kept(in, &c->last);
}

const struct sat_op interpolate_constant_op = {
	.size = sizeof(interpolate_constant_op), .state_version = 1, .name = "interpolate-constant",
	.summary = "pass on the last event again and again, until it expires", .options = constant_options,
	.state_size = sizeof(struct constant), .define = constant_define, .undefine = undefine,
	.item = constant_item, .timer = constant_tick, .idle = constant_idle, .close = constant_close,
	.save = constant_save, .load = constant_load,
};

/* ---- apdex ---- */

struct apdex {
	struct sat_timer end;
	int64_t began;			/* windows follow one another from here on */
	int64_t satisfied, tolerated, other;
	const struct sat_event *last;
};

static const struct sat_option *const apdex_options[] = {
	SECONDS_OPTION("apdex"),
	SAT_OPTION("satisfied", SAT_QUERY, .required = true, .help = "what counts as one"),
	SAT_OPTION("tolerated", SAT_QUERY, .required = true, .help = "what counts as a half"),
	NULL
};

static int apdex_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct interval *i;
	int rc = define(conf, "apdex", def);

	(void)node;
	(void)module;
	if (rc != 0)
		return rc;
	i = *def;
	i->satisfied = sat_conf_query(conf, "satisfied");
	i->tolerated = sat_conf_query(conf, "tolerated");
	if (i->satisfied != NULL && i->tolerated != NULL)
		return 0;
	undefine(i);
	return -ENOMEM;
}

static int apdex_open(const struct sat_at *at, const void *def, void *state)
{
	(void)at;
	(void)def;
	((struct apdex *)state)->began = sat_clock();
	return 0;
}

static int apdex_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct interval *i = def;
	const struct sat_event *ev;
	struct apdex *a = state;
	int rc = one_event(at, item);

	if (rc != 0)
		return rc;
	ev = item->evs[0];
	if (!sat_expired(ev)) {
		rc = replace(&a->last, ev);
		if (rc != 0)
			return rc;
		if (sat_query_match(i->satisfied, ev))
			a->satisfied++;
		else if (sat_query_match(i->tolerated, ev))
			a->tolerated++;
		else
			a->other++;
	}
	if (!sat_timer_armed(&a->end))
		sat_timer_set(at, &a->end, sat_clock() + i->length - (sat_clock() - a->began) % i->length);
	return 0;
}

static void apdex_tick(const struct sat_at *at, void *def, void *state, struct sat_timer *timer)
{
	struct apdex *a = state;
	int64_t total = a->satisfied + a->tolerated + a->other;
	struct number sum = number_int(2 * a->satisfied + a->tolerated), of = number_int(2 * total), index;
	const struct sat_event *last = a->last;		/* the edited one borrows from it */
	struct sat_event *ev;

	(void)def;
	(void)timer;
	if (total == 0)
		return;
	ev = sat_edit(at, last);
	a->satisfied = a->tolerated = a->other = 0;
	a->last = NULL;
	if (ev != NULL) {
		number_div(&sum, &of, &index);
		number_put(ev, &index);
		sat_pass_event(at, 0, ev);
	}
	sat_drop(last);
}

static bool apdex_idle(const void *def, const void *state)
{
	(void)def;
	return ((const struct apdex *)state)->last == NULL;
}

static void apdex_close(const void *def, void *state)
{
	struct apdex *a = state;

	(void)def;
	sat_drop(a->last);
	a->last = NULL;
}

static int apdex_save(const void *def, const void *state, struct sat_writer *out)
{
	const struct apdex *a = state;

	(void)def;
	sat_write_timer(out, &a->end);
	sat_write_int(out, sat_clock() - a->began);
	sat_write_int(out, a->satisfied);
	sat_write_int(out, a->tolerated);
	sat_write_int(out, a->other);
	return write_kept(out, a->last);
}

static int apdex_load(const struct sat_at *at, const void *def, void *state, uint32_t version,
		      struct sat_reader *in)
{
	struct apdex *a = state;
	int64_t gone;

	(void)def;
	if (version != 1 || sat_read_timer(at, in, &a->end) != 0 || sat_read_int(in, &gone) != 0 ||
	    sat_read_int(in, &a->satisfied) != 0 || sat_read_int(in, &a->tolerated) != 0 ||
	    sat_read_int(in, &a->other) != 0)
		return -EBADMSG;
	a->began = sat_clock() - gone;
	return read_kept(in, &a->last);
}

const struct sat_op apdex_op = {
	.size = sizeof(apdex_op), .state_version = 1, .name = "apdex",
	.summary = "pass on, time and again, how large a part of events satisfies, as Apdex has it",
	.options = apdex_options, .state_size = sizeof(struct apdex), .define = apdex_define, .undefine = undefine,
	.open = apdex_open, .item = apdex_item, .timer = apdex_tick, .idle = apdex_idle, .close = apdex_close,
	.save = apdex_save, .load = apdex_load,
};
