/* SPDX-License-Identifier: Apache-2.0 */
/* predict - where a metric is going: predict-linear. */
#include <errno.h>
#include <stdlib.h>

#include "held.h"
#include "number.h"
#include "ops.h"

struct predict { uint32_t n; struct number ahead; int64_t rebuild; };
struct line { struct held window; struct number slope, intercept; int64_t built; bool any, fractional; };

static const struct sat_option *const options[] = {
	SAT_OPTION("predict-linear", SAT_INTEGER, .required = true, .min = 2, .max = 100000,
		   .help = "how many events the line is fitted to"),
	SAT_OPTION("s", SAT_ANY, .required = true, .help = "for so many seconds ahead"),
	SAT_OPTION("r", SAT_SECONDS, .fallback = "0", .max = 1e9, .help = "seconds for which a line serves; 0: one event"),
	NULL
};

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct predict *p = calloc(1, sizeof(*p));
	int rc;

	(void)node;
	(void)module;
	if (p == NULL)
		return -ENOMEM;
	p->n = (uint32_t)sat_conf_integer(conf, "predict-linear");
	p->rebuild = sat_conf_time(conf, "r");
	rc = number_conf(conf, "s", &p->ahead);
	if (rc != 0)
		free(p);
	else
		*def = p;
	return rc;
}

struct point { struct number x, y; };

static int points_of(const struct sat_at *at, struct line *l, struct point **out)
{
	struct point *v = sat_scratch(at, l->window.n * sizeof(*v));

	*out = v;
	if (v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->window.n; i++)
		if (l->window.v[i]->has & SAT_HAS_TIME)
			number_time(l->window.v[i]->time, &l->fractional);
	for (uint32_t i = 0; i < l->window.n; i++) {
		const struct sat_event *ev = l->window.v[i];

		if (!(ev->has & SAT_HAS_TIME) || !number_metric(ev, &v[i].y))
			return sat_fail(at, -EINVAL, "an event has no time or no metric");
		v[i].x = number_time(ev->time, &l->fractional);
	}
	return 0;
}

/* Ordinary least squares, in the order of Riemann's sums. */
static int fit(const struct sat_at *at, struct line *l)
{
	struct number x, y, n = number_int(l->window.n), xy = number_int(0), xx = number_int(0), a;
	struct point *v;
	int rc = points_of(at, l, &v);

	if (rc != 0)
		return rc;
	x = v[0].x;
	y = v[0].y;
	for (uint32_t i = 1; i < l->window.n; i++) {
		x = number_add(&x, &v[i].x);
		y = number_add(&y, &v[i].y);
	}
	number_div(&x, &n, &x);
	number_div(&y, &n, &y);
	for (uint32_t i = 0; i < l->window.n; i++) {
		struct number dx = number_sub(&v[i].x, &x), dy = number_sub(&v[i].y, &y);

		a = number_mul(&dx, &dy);
		xy = i == 0 ? a : number_add(&xy, &a);
		a = number_mul(&dx, &dx);
		xx = i == 0 ? a : number_add(&xx, &a);
	}
	if (number_div(&xy, &xx, &a) != 0)
		return sat_fail(at, -EDOM, "all events have the same time");
	l->slope = a;
	a = number_mul(&a, &x);
	l->intercept = number_sub(&y, &a);
	l->built = sat_clock();
	l->any = true;
	return 0;
}

static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct predict *p = def;
	const struct sat_event *last;
	struct line *l = state;
	struct sat_event *ev;
	struct number a;
	int rc;

	if (item->list || item->n != 1)
		return sat_fail(at, -EINVAL, "it takes events, not lists");
	last = item->evs[0];
	if (l->window.n == p->n)
		held_shift(&l->window);
	rc = held_add(&l->window, last);
	if (rc != 0 || l->window.n < 2)
		return rc;
	if (p->rebuild == 0 || !l->any || sat_clock() - l->built > p->rebuild)
		rc = fit(at, l);
	if (rc != 0)
		return rc;
	if (!(last->has & SAT_HAS_TIME))
		return sat_fail(at, -EINVAL, "an event has no time");
	a = number_time(last->time, &l->fractional);
	a = number_add(&a, &p->ahead);
	a = number_mul(&a, &l->slope);
	a = number_add(&l->intercept, &a);
	ev = sat_edit(at, last);
	if (ev == NULL)
		return -ENOMEM;
	number_put(ev, &a);
	sat_pass_event(at, 0, ev);
	return 0;
}

static bool idle(const void *def, const void *state)
{
	(void)def;
	return ((const struct line *)state)->window.n == 0;
}

static void close_fork(const void *def, void *state)
{
	(void)def;
	held_free(&((struct line *)state)->window);
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct line *l = state;

	(void)def;
	sat_write_int(out, l->fractional);
	sat_write_int(out, l->any);
	if (l->any) {
		number_write(out, &l->slope);
		number_write(out, &l->intercept);
		sat_write_int(out, sat_clock() - l->built);
	}
	return held_save(&l->window, out);
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	const struct predict *p = def;
	struct line *l = state;
	int64_t fractional, any, age;

	(void)at;
	if (version != 1 || sat_read_int(in, &fractional) != 0 || sat_read_int(in, &any) != 0)
		return -EBADMSG;
	l->fractional = fractional != 0;
	l->any = any != 0;
	if (l->any) {
		if (number_read(in, &l->slope) != 0 || number_read(in, &l->intercept) != 0 ||
		    sat_read_int(in, &age) != 0)
			return -EBADMSG;
		l->built = sat_clock() - age;
	}
	return held_load(&l->window, p->n, in);
}

const struct sat_op predict_linear_op = {
	.size = sizeof(predict_linear_op), .state_version = 1, .name = "predict-linear",
	.summary = "pass on events with the metric that a line through the last ones will have", .options = options,
	.state_size = sizeof(struct line), .define = define, .undefine = free, .item = item_fork, .idle = idle,
	.close = close_fork, .save = save, .load = load,
};
