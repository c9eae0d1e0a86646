/* SPDX-License-Identifier: Apache-2.0 */
/* ddt - how fast the metric changes: ddt, ddt-real. */
#include <errno.h>
#include <stdlib.h>

#include "held.h"
#include "number.h"
#include "ops.h"

struct ddt { int64_t interval; int branch; };	/* interval 0: with every event */

/* The latest event of this interval, the one before that, and the one before that. */
enum { NEW, MIDDLE, OLD, EVENTS };
struct events { struct ticker ticker; const struct sat_event *ev[EVENTS]; bool fractional; };

static const struct sat_option *const ddt_options[] = {
	SAT_OPTION("ddt", SAT_ANY, .help = "seconds from one to the next, or the streams below: with every event"), NULL
};
static const struct sat_option *const real_options[] = {
	SAT_OPTION("ddt-real", SAT_SECONDS, .required = true, .min = 1e-3, .max = 1e9,
		   .help = "seconds from one to the next"),
	NULL
};

static int interval_of(const struct sat_conf *conf, struct ddt *d)
{
	struct sat_value v = sat_conf_value(conf);
	struct number seconds;
	double s;

	if (!number_value(&v, &seconds))
		return sat_conf_error(conf, NULL, "must be a number of seconds, or streams");
	s = number_real(&seconds);
	if (!(s >= 1e-3 && s <= 1e9))
		return sat_conf_error(conf, NULL, "must be from 0.001 to 1000000000");
	d->interval = (int64_t)(s * 1e6 + 0.5);
	return 0;
}

static int ddt_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	const struct sat_conf *own = sat_conf_get(conf, "ddt");
	struct ddt *d = calloc(1, sizeof(*d));
	int rc = 0;

	(void)module;
	if (d == NULL)
		return -ENOMEM;
	if (own != NULL && (sat_conf_is_list(own) || sat_conf_is_group(own) || sat_conf_value(own).kind == SAT_TEXT))
		rc = d->branch = sat_branch(node, own);
	else if (own != NULL)
		rc = interval_of(own, d);
	if (rc < 0)
		free(d);
	else
		*def = d;
	return rc < 0 ? rc : 0;
}

static int real_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct ddt *d = calloc(1, sizeof(*d));

	(void)node;
	(void)module;
	if (d == NULL)
		return -ENOMEM;
	d->interval = sat_conf_time(conf, "ddt-real");
	*def = d;
	return 0;
}

/* By how much the metric rose each second; -EDOM: at the same time. */
static int slope(const struct sat_event *from, const struct sat_event *to, bool *fractional, struct number *out)
{
	struct number a, b, rise, begin, end, run;

	number_metric(from, &a);
	number_metric(to, &b);
	number_time(from->time, fractional);
	end = number_time(to->time, fractional);
	begin = number_time(from->time, fractional);
	rise = number_sub(&b, &a);
	run = number_sub(&end, &begin);
	return number_div(&rise, &run, out);
}

static int pass_slope(const struct sat_at *at, int branch, struct sat_event *ev, const struct number *slope)
{
	if (ev == NULL)
		return -ENOMEM;
	number_put(ev, slope);
	sat_pass_event(at, branch, ev);
	return 0;
}

/* ---- With every event ---- */

static int each(const struct sat_at *at, const struct ddt *d, struct events *e, const struct sat_event *ev)
{
	const struct sat_event *before = e->ev[NEW];
	struct number a;
	bool timed;
	int rc = 0;

	if (!(ev->has & SAT_HAS_METRIC))
		return 0;
	e->ev[NEW] = sat_keep(ev);
	if (e->ev[NEW] == NULL) {
		e->ev[NEW] = before;
		return -ENOMEM;
	}
	if (before == NULL)
		return 0;
	timed = before->has & ev->has & SAT_HAS_TIME;
	if (timed && slope(before, ev, &e->fractional, &a) == 0)
		rc = pass_slope(at, d->branch, sat_edit(at, ev), &a);
	sat_drop(before);
	return timed ? rc : sat_fail(at, -EINVAL, "the event, or that before it, has no time");
}

/* ---- In real time ---- */

static int collect(struct events *e, const struct sat_event *ev)
{
	const struct sat_event *kept = sat_keep(ev);

	if (kept == NULL)
		return -ENOMEM;
	sat_drop(e->ev[NEW]);
	e->ev[NEW] = kept;
	return 0;
}

static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct events *e = state;
	struct ddt *d = def;
	int rc = 0;

	if (d->interval == 0 && (item->list || item->n == 0))
		return 0;		/* which has no metric */
	if (item->list || item->n != 1)
		return sat_fail(at, -EINVAL, "it takes events, not lists");
	if (d->interval == 0)
		return each(at, d, e, item->evs[0]);
	if (item->evs[0]->has & SAT_HAS_METRIC)
		rc = collect(e, item->evs[0]);
	if (rc == 0)
		ticker_feed(at, &e->ticker, item->evs[0], 0);
	return rc;
}

/* Where nothing came in the interval, nothing has changed. */
static void shift(struct events *e)
{
	const struct sat_event *next = e->ev[NEW] != NULL ? e->ev[NEW] : e->ev[MIDDLE];

	sat_drop(e->ev[OLD]);
	e->ev[OLD] = e->ev[MIDDLE];
	e->ev[MIDDLE] = e->ev[NEW];
	e->ev[NEW] = NULL;
	if (e->ev[MIDDLE] == NULL && next != NULL)
		e->ev[MIDDLE] = sat_keep(next);
}

static void tick(const struct sat_at *at, void *def, void *state, struct sat_timer *timer)
{
	const struct sat_event *from, *to;
	struct number a = number_int(0);
	struct events *e = state;
	struct ddt *d = def;
	struct sat_event *ev;

	(void)timer;
	if (!ticker_ticks(at, &e->ticker, d->interval))
		return;
	shift(e);
	from = e->ev[OLD];
	to = e->ev[MIDDLE];
	if (from == NULL || to == NULL || !(from->has & to->has & SAT_HAS_TIME))
		return;
	slope(from, to, &e->fractional, &a);
	ev = sat_edit(at, to);
	if (ev == NULL)
		return;
	ev->time = sat_wall();
	ev->has |= SAT_HAS_STAMP;
	pass_slope(at, d->branch, ev, &a);
}

/* ---- Both ---- */

static bool idle(const void *def, const void *state)
{
	const struct events *e = state;

	(void)def;
	return e->ev[NEW] == NULL && e->ev[MIDDLE] == NULL && e->ev[OLD] == NULL &&
	       !sat_timer_armed(&e->ticker.timer);
}

static void close_fork(const void *def, void *state)
{
	struct events *e = state;

	(void)def;
	for (int i = 0; i < EVENTS; i++) {
		sat_drop(e->ev[i]);
		e->ev[i] = NULL;
	}
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct events *e = state;
	int rc;

	(void)def;
	ticker_save(&e->ticker, out);
	rc = sat_write_int(out, e->fractional);
	for (int i = 0; i < EVENTS; i++) {
		rc = sat_write_int(out, e->ev[i] != NULL);
		if (e->ev[i] != NULL)
			rc = sat_write_event(out, e->ev[i]);
	}
	return rc;
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	struct events *e = state;
	int64_t any;
	int rc;

	(void)def;
	if (version != 1)
		return -EBADMSG;
	ticker_load(at, &e->ticker, in);
	rc = sat_read_int(in, &any);
	e->fractional = any != 0;
	for (int i = 0; i < EVENTS && rc == 0; i++) {
		rc = sat_read_int(in, &any);
		if (rc == 0 && any != 0)
			rc = sat_read_event(in, &e->ev[i]);
	}
	return rc;
}

const struct sat_op ddt_op = {
	.size = sizeof(ddt_op), .state_version = 1, .name = "ddt",
	.summary = "pass on how fast the metric changes, with every event or time and again", .options = ddt_options,
	.state_size = sizeof(struct events), .define = ddt_define, .undefine = free, .item = item_fork,
	.timer = tick, .idle = idle, .close = close_fork, .save = save, .load = load,
};
const struct sat_op ddt_real_op = {
	.size = sizeof(ddt_real_op), .state_version = 1, .name = "ddt-real",
	.summary = "pass on, time and again, how fast the metric changes", .options = real_options,
	.state_size = sizeof(struct events), .define = real_define, .undefine = free, .item = item_fork,
	.timer = tick, .idle = idle, .close = close_fork, .save = save, .load = load,
};
