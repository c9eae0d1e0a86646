/* SPDX-License-Identifier: Apache-2.0 */
/* interval - operators that fold what came in an interval: fold-interval, fold-interval-metric, percentiles. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fold.h"
#include "held.h"
#include "ops.h"

struct interval {
	struct sat_self *self;
	int64_t length;
	uint32_t max;
	struct sat_field field;
	char *name;
	const struct fold *fold;
	struct points points;
};

struct bin { struct ticker ticker; struct held events; bool begun; };

#define SECONDS_OPTION(name) SAT_OPTION(name, SAT_SECONDS, .required = true, .min = 1e-3, .max = 1e9, \
					.help = "seconds from one to the next")
#define MAX_OPTION SAT_OPTION("max", SAT_INTEGER, .fallback = "100000", .min = 1, .max = 1000000, \
			      .help = "events of one interval at most; further ones are dropped and counted")
static const struct sat_option *const fold_options[] = {
	SECONDS_OPTION("fold-interval"),
	SAT_OPTION("event-key", SAT_STRING, .required = true, .help = "the field whose values are folded"),
	SAT_OPTION("folder", SAT_STRING, .required = true, .help = "the fold"),
	FOLD_BY_OPTION,
	MAX_OPTION, NULL
};
static const struct sat_option *const metric_options[] = {
	SECONDS_OPTION("fold-interval-metric"),
	SAT_OPTION("folder", SAT_STRING, .required = true, .help = "the fold"),
	FOLD_BY_OPTION,
	MAX_OPTION, NULL
};
static const struct sat_option *const percentiles_options[] = {
	SECONDS_OPTION("percentiles"),
	SAT_OPTION("points", SAT_ANY, .required = true, .help = "numbers from 0, the smallest metric, to 1"),
	MAX_OPTION, NULL
};

/* ---- The node ---- */

static void undefine(void *def)
{
	struct interval *i = def;

	points_free(&i->points);
	free(i->name);
	free(i);
}

static struct interval *make(struct sat_node *node, const struct sat_conf *conf, const char *op)
{
	struct interval *i = calloc(1, sizeof(*i));

	if (i == NULL)
		return NULL;
	i->self = sat_node_self(node);
	i->length = sat_conf_time(conf, op);
	i->max = (uint32_t)sat_conf_integer(conf, "max");
	return i;
}

static bool is_number(const char *field)
{
	return strcmp(field, "metric") == 0 || strcmp(field, "metric_f") == 0 || strcmp(field, "time") == 0 ||
	       strcmp(field, "ttl") == 0;
}

static int fold_define(struct sat_node *node, const struct sat_conf *conf, const char *op, const char *field,
		       void **def)
{
	struct interval *i = make(node, conf, op);
	int rc = -EINVAL;

	if (i == NULL)
		return -ENOMEM;
	i->name = strdup(field);
	i->fold = fold_conf(conf, "folder");
	if (i->fold == NULL)
		goto fail;
	if (fold_lists(i->fold)) {
		sat_conf_error(conf, "folder", "a fold that gives one number is wanted");
		goto fail;
	}
	if (!is_number(field) && !fold_counts(i->fold)) {
		sat_conf_error(conf, "event-key", "%s is no number: it can only be counted", field);
		goto fail;
	}
	rc = -ENOMEM;
	if (i->name == NULL)
		goto fail;
	i->field = sat_field(i->name);
	*def = i;
	return 0;
fail:
	undefine(i);
	return rc;
}

static int interval_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return fold_define(node, conf, "fold-interval", sat_conf_string(conf, "event-key"), def);
}

static int metric_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return fold_define(node, conf, "fold-interval-metric", "metric", def);
}

static int percentiles_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct interval *i = make(node, conf, "percentiles");
	int rc;

	(void)module;
	if (i == NULL)
		return -ENOMEM;
	i->field = sat_field("metric");
	rc = points_conf(conf, "points", &i->points);
	if (rc != 0)
		undefine(i);
	else
		*def = i;
	return rc;
}

/* ---- The fork ---- */

/* What expires ends the interval, and what was in it is gone: so in Riemann. */
static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct interval *i = def;
	struct bin *b = state;

	if (item->list || item->n != 1)
		return sat_fail(at, -EINVAL, "it takes events, not lists");
	ticker_feed(at, &b->ticker, item->evs[0], i->length);
	b->begun = !sat_expired(item->evs[0]);
	if (!b->begun) {
		held_free(&b->events);
		return 0;
	}
	if (sat_get(item->evs[0], &i->field).kind == SAT_NIL)
		return 0;
	if (b->events.n < i->max)
		return held_add(&b->events, item->evs[0]);
	sat_count(i->self, HELD_DROPPED, 1);
	return 0;
}

/* The events of the interval that ends, for the caller to free. */
static bool switch_bin(const struct sat_at *at, const struct interval *i, struct bin *b, struct held *events)
{
	if (!ticker_ticks(at, &b->ticker, i->length) || !b->begun)
		return false;
	*events = b->events;
	b->events = (struct held){ NULL, 0, 0 };
	return true;
}

/* What is counted need not be a number. */
static int folded(const struct sat_at *at, const struct interval *i, const struct held *events, bool *any,
		  struct number *out)
{
	struct number *v = sat_scratch(at, (events->n + 1) * sizeof(*v));
	struct sat_value value;

	if (v == NULL)
		return -ENOMEM;
	for (uint32_t e = 0; e < events->n; e++) {
		value = sat_get(events->v[e], &i->field);
		if (!number_value(&value, &v[e]))
			v[e] = number_int(0);
	}
	return fold_numbers(at, i->fold, v, events->n, any, out);
}

static int put(const struct sat_at *at, const struct interval *i, struct sat_event *ev, bool any,
	       const struct number *a)
{
	struct sat_value v = { .kind = SAT_NIL };

	if (any && !a->real && a->d == 1)
		v = (struct sat_value){ .kind = SAT_INT, .i = (int64_t)a->n };
	else if (any)
		v = (struct sat_value){ .kind = SAT_DOUBLE, .d = number_real(a) };
	return sat_set(at, ev, &i->field, &v);
}

static void fold_tick(const struct sat_at *at, void *def, void *state, struct sat_timer *timer)
{
	const struct interval *i = def;
	struct sat_event *ev;
	struct held events;
	struct number a;
	bool any;

	(void)timer;
	if (!switch_bin(at, i, state, &events))
		return;
	if (folded(at, i, &events, &any, &a) == 0) {
		ev = sat_edit(at, events.n != 0 ? events.v[events.n - 1] : NULL);
		if (ev != NULL && put(at, i, ev, any, &a) == 0)
			sat_pass_event(at, 0, ev);
	}
	held_free(&events);
}

static void percentiles_tick(const struct sat_at *at, void *def, void *state, struct sat_timer *timer)
{
	const struct interval *i = def;
	struct held events;
	struct sat_item out;

	(void)timer;
	if (!switch_bin(at, i, state, &events))
		return;
	if (fold_sorted_sample(at, &i->points, events.v, events.n, &out) == 0)
		for (uint32_t e = 0; e < out.n; e++)
			sat_pass_event(at, 0, out.evs[e]);
	held_free(&events);
}

static bool idle(const void *def, const void *state)
{
	const struct bin *b = state;

	(void)def;
	return !b->begun && !sat_timer_armed(&b->ticker.timer);
}

static void close_fork(const void *def, void *state)
{
	(void)def;
	held_free(&((struct bin *)state)->events);
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct bin *b = state;

	(void)def;
	ticker_save(&b->ticker, out);
	sat_write_int(out, b->begun);
	return held_save(&b->events, out);
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	const struct interval *i = def;
	struct bin *b = state;
	int64_t begun;

	if (version != 1 || ticker_load(at, &b->ticker, in) != 0 || sat_read_int(in, &begun) != 0)
		return -EBADMSG;
	b->begun = begun != 0;
	return held_load(&b->events, i->max, in);
}

#define INTERVAL_OP(variable, op_name, op_options, op_define, op_tick, op_summary) \
	const struct sat_op variable = { \
		.size = sizeof(variable), .state_version = 1, .name = (op_name), .summary = (op_summary), \
		.options = (op_options), .state_size = sizeof(struct bin), .define = (op_define), \
		.undefine = undefine, .item = item_fork, .timer = (op_tick), .idle = idle, .close = close_fork, \
		.save = save, .load = load, \
	}

INTERVAL_OP(fold_interval_op, "fold-interval", fold_options, interval_define, fold_tick,
	    "pass on, time and again, the fold of the values of a field");
INTERVAL_OP(fold_interval_metric_op, "fold-interval-metric", metric_options, metric_define, fold_tick,
	    "pass on, time and again, the fold of the metrics");
INTERVAL_OP(percentiles_op, "percentiles", percentiles_options, percentiles_define, percentiles_tick,
	    "pass on, time and again, the events whose metrics are at points of their order");
