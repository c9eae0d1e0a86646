/* SPDX-License-Identifier: Apache-2.0 */
/* count - operators that sum and average what passes: counter, sum-over-time, mean-over-time, ewma, ewma-timeless. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "number.h"
#include "ops.h"

/* init: what it begins with; r, rest: what the new and the old count for. */
struct count { struct number init, r, rest; };
struct sum { struct number value; int64_t n, time; bool timed, fractional; };

/* Its one event; *a is its metric, if it has one.  Nil has none. */
static int take(const struct sat_at *at, const struct sat_item *item, struct number *a, bool *any)
{
	*any = false;
	if (item->list)
		return sat_fail(at, -EINVAL, "it takes events, not lists");
	if (item->n != 0)
		*any = number_metric(item->evs[0], a);
	return 0;
}

/* The same where a list, which has no metric either, passes as it is: so in Riemann. */
static bool take_any(const struct sat_item *item, struct number *a)
{
	return !item->list && item->n != 0 && number_metric(item->evs[0], a);
}

static int pass_metric(const struct sat_at *at, const struct sat_event *ev, const struct number *a)
{
	struct sat_event *edited = sat_edit(at, ev);

	if (edited == NULL)
		return -ENOMEM;
	number_put(edited, a);
	sat_pass_event(at, 0, edited);
	return 0;
}

/* ---- What all of them share ---- */

static int open_fork(const struct sat_at *at, const void *def, void *state)
{
	(void)at;
	((struct sum *)state)->value = ((const struct count *)def)->init;
	return 0;
}

static bool idle(const void *def, const void *state)
{
	const struct count *c = def;
	const struct sum *s = state;

	return s->n == 0 && !s->timed && !s->fractional && s->value.real == c->init.real &&
	       number_compare(&s->value, &c->init) == 0;
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct sum *s = state;

	(void)def;
	number_write(out, &s->value);
	sat_write_int(out, s->n);
	sat_write_int(out, s->time);
	sat_write_int(out, s->timed);
	return sat_write_int(out, s->fractional);
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	struct sum *s = state;
	int64_t timed, fractional;

	(void)at;
	(void)def;
	if (version != 1 || number_read(in, &s->value) != 0 || sat_read_int(in, &s->n) != 0 ||
	    sat_read_int(in, &s->time) != 0 || sat_read_int(in, &timed) != 0 ||
	    sat_read_int(in, &fractional) != 0)
		return -EBADMSG;
	s->timed = timed != 0;
	s->fractional = fractional != 0;
	return 0;
}

static struct count *make(void **def)
{
	struct count *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->init = c->r = c->rest = number_int(0);
	*def = c;
	return c;
}

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	(void)conf;
	return make(def) != NULL ? 0 : -ENOMEM;
}

#define COUNT_OP(variable, op_name, op_options, op_define, op_item, op_summary) \
	const struct sat_op variable = { \
		.size = sizeof(variable), .state_version = 1, .name = (op_name), .summary = (op_summary), \
		.options = (op_options), .state_size = sizeof(struct sum), .define = (op_define), \
		.undefine = free, .open = open_fork, .item = (op_item), .idle = idle, .save = save, .load = load, \
	}

/* ---- counter, sum-over-time, mean-over-time ---- */

static const struct sat_option *const counter_options[] = {
	SAT_OPTION("init", SAT_ANY, .help = "what it begins with; 0"), NULL
};

static int counter_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct count *c = make(def);
	int rc = 0;

	(void)node;
	(void)module;
	if (c == NULL)
		return -ENOMEM;
	if (sat_conf_has(conf, "init"))
		rc = number_conf(conf, "init", &c->init);
	if (rc != 0)
		free(c);
	return rc;
}

static int counter_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct sum *s = state;
	struct number a;

	(void)def;
	if (!take_any(item, &a)) {
		sat_pass(at, 0, item);
		return 0;
	}
	s->value = sat_tagged(item->evs[0], "reset") ? a : number_add(&s->value, &a);
	return pass_metric(at, item->evs[0], &s->value);
}

static int sum_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct sum *s = state;
	struct number a;
	bool any;
	int rc = take(at, item, &a, &any);

	(void)def;
	if (rc != 0)
		return rc;
	if (!any) {
		sat_pass(at, 0, item);
		return 0;
	}
	s->value = number_add(&s->value, &a);
	return pass_metric(at, item->evs[0], &s->value);
}

static int mean_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct number a, n, mean;
	struct sum *s = state;
	bool any;
	int rc = take(at, item, &a, &any);

	(void)def;
	if (rc != 0)
		return rc;
	if (!any) {
		sat_pass(at, 0, item);
		return 0;
	}
	s->value = number_add(&s->value, &a);
	n = number_int(++s->n);
	number_div(&s->value, &n, &mean);
	return pass_metric(at, item->evs[0], &mean);
}

COUNT_OP(counter_op, "counter", counter_options, counter_define, counter_item,
	 "pass on events with the sum of all metrics so far; tag \"reset\" sets it");
COUNT_OP(sum_over_time_op, "sum-over-time", NULL, define, sum_item,
	 "pass on events with the sum of all metrics so far");
COUNT_OP(mean_over_time_op, "mean-over-time", NULL, define, mean_item,
	 "pass on events with the mean of all metrics so far");

/* ---- ewma-timeless, ewma ---- */

static const struct sat_option *const timeless_options[] = {
	SAT_OPTION("ewma-timeless", SAT_ANY, .required = true, .help = "what a new metric counts for, 0 to 1"), NULL
};
static const struct sat_option *const ewma_options[] = {
	SAT_OPTION("ewma", SAT_NUMBER, .required = true, .min = 1e-9, .max = 1e15,
		   .help = "seconds after which a metric counts for half"),
	NULL
};

static int timeless_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	const struct number one = number_int(1);
	struct count *c = make(def);
	int rc;

	(void)node;
	(void)module;
	if (c == NULL)
		return -ENOMEM;
	rc = number_conf(conf, "ewma-timeless", &c->r);
	if (rc != 0)
		free(c);
	else
		c->rest = number_sub(&one, &c->r);
	return rc;
}

static int ewma_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct count *c = make(def);
	double rest = pow(exp(1), log(0.5) / sat_conf_number(conf, "ewma"));

	(void)node;
	(void)module;
	if (c == NULL)
		return -ENOMEM;
	c->rest = number_double(rest);
	c->r = number_double(1 - rest);
	return 0;
}

static int timeless_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct count *c = def;
	struct sum *s = state;
	struct number a, old;
	bool any;
	int rc = take(at, item, &a, &any);

	if (rc != 0)
		return rc;
	if (!any) {
		sat_pass(at, 0, item);
		return 0;
	}
	a = number_mul(&c->r, &a);
	old = number_mul(&c->rest, &s->value);
	s->value = number_add(&a, &old);
	return pass_metric(at, item->evs[0], &s->value);
}

/* Of what is late the new metric counts for less, and the time stays the latest. */
static int ewma_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct count *c = def;
	struct sat_event *ev;
	struct sum *s = state;
	double old = number_real(&s->value), new, gone;
	struct number a;
	int64_t time;

	if (!take_any(item, &a)) {
		sat_pass(at, 0, item);
		return 0;
	}
	ev = sat_edit(at, item->evs[0]);
	if (ev == NULL)
		return -ENOMEM;
	time = ev->has & SAT_HAS_TIME ? ev->time : 0;
	gone = s->timed ? ((double)time - (double)s->time) / 1e6 : 0;
	new = c->r.x * number_real(&a);
	if (gone > 0)
		old *= pow(c->rest.x, gone);
	else if (gone < 0)
		new *= pow(c->rest.x, -gone);
	s->value = number_double(old + new);
	s->time = s->timed && s->time > time ? s->time : time;
	s->timed = true;
	ev->has |= SAT_HAS_TIME;
	ev->time = s->time;
	number_put(ev, &s->value);
	sat_pass_event(at, 0, ev);
	return 0;
}

COUNT_OP(ewma_timeless_op, "ewma-timeless", timeless_options, timeless_define, timeless_item,
	 "pass on events with the moving average of the metrics");
COUNT_OP(ewma_op, "ewma", ewma_options, ewma_define, ewma_item,
	 "pass on events with the moving average of the metrics, by their times");
