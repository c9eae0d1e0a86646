/* SPDX-License-Identifier: Apache-2.0 */
/* flow - operators that choose the way: where, expired, over, under, by, pipe, sdo, exception-stream. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

enum { FIELDS = 8 };

/* The event that a predicate sees: of a list, as in Riemann, one without fields. */
static const struct sat_event *judged(const struct sat_at *at, const struct sat_item *item)
{
	return !item->list && item->n == 1 ? item->evs[0] : sat_edit(at, NULL);
}

/* ---- where -------------------------------------------------------------- */

static const struct sat_option *const where_options[] = {
	SAT_OPTION("where", SAT_QUERY, .required = true, .help = "predicate; true: do, else: else"),
	NULL
};

static int where_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	*def = sat_conf_query(conf, "where");
	return *def != NULL ? 0 : -ENOMEM;
}

static void where_undefine(void *def)
{
	sat_query_free(def);
}

static int where_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = judged(at, item);

	(void)state;
	if (ev == NULL)
		return -ENOMEM;
	sat_pass(at, sat_query_match(def, ev) ? 0 : 1, item);
	return 0;
}

static const struct sat_op where = {
	.size = sizeof(where), .name = "where", .summary = "pass on what a predicate holds for",
	.options = where_options, .flags = SAT_JUDGES, .define = where_define, .undefine = where_undefine, .item = where_item,
};

/* ---- expired, not-expired, sdo, exception-stream, bit-bucket ------------ */

static int expired_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = judged(at, item);

	(void)def;
	(void)state;
	if (ev == NULL)
		return -ENOMEM;
	if (sat_expired(ev))
		sat_pass(at, 0, item);
	return 0;
}

static int not_expired_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = judged(at, item);

	(void)def;
	(void)state;
	if (ev == NULL)
		return -ENOMEM;
	if (!sat_expired(ev))
		sat_pass(at, 0, item);
	return 0;
}

static int sdo_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	sat_pass(at, 0, item);
	return 0;
}

static int drop_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)at;
	(void)def;
	(void)state;
	(void)item;
	return 0;
}

static const struct sat_op expired = {
	.size = sizeof(expired), .name = "expired", .summary = "pass on what is expired", .item = expired_item,
};
static const struct sat_op not_expired = {
	.size = sizeof(not_expired), .name = "not-expired", .summary = "pass on what is not expired",
	.item = not_expired_item,
};
static const struct sat_op sdo = {
	.size = sizeof(sdo), .name = "sdo", .summary = "several streams as one", .item = sdo_item,
};

static const struct sat_op exception_stream = {
	.size = sizeof(exception_stream), .name = "exception-stream",
	.summary = "pass on, and what fails below as an event to else", .flags = SAT_CATCHES, .item = sdo_item,
};
static const struct sat_op bit_bucket = {
	.size = sizeof(bit_bucket), .name = "bit-bucket", .summary = "pass on nothing", .item = drop_item,
};

/* ---- over, under -------------------------------------------------------- */

static const struct sat_option *const over_options[] = {
	SAT_OPTION("over", SAT_NUMBER, .required = true, .help = "the metric passed on is greater than this"),
	NULL
};
static const struct sat_option *const under_options[] = {
	SAT_OPTION("under", SAT_NUMBER, .required = true, .help = "the metric passed on is less than this"),
	NULL
};

static int limit_define(const struct sat_conf *conf, const char *name, void **def)
{
	struct sat_value *limit = malloc(sizeof(*limit));

	if (limit == NULL)
		return -ENOMEM;
	*limit = sat_conf_value(sat_conf_get(conf, name));
	*def = limit;
	return 0;
}

/* Two integers are compared as such: doubles do not hold all of them. */
static int compare(const struct sat_event *ev, const struct sat_value *limit)
{
	double m = sat_metric(ev), x = limit->kind == SAT_INT ? (double)limit->i : limit->d;

	if ((ev->has & SAT_HAS_INT) && limit->kind == SAT_INT)
		return (ev->metric.i > limit->i) - (ev->metric.i < limit->i);
	return (m > x) - (m < x);
}

static int over_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return limit_define(conf, "over", def);
}

static int under_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return limit_define(conf, "under", def);
}

static bool has_metric(const struct sat_item *item)
{
	return !item->list && item->n == 1 && (item->evs[0]->has & SAT_HAS_METRIC);
}

static int over_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	if (has_metric(item) && compare(item->evs[0], def) > 0)
		sat_pass(at, 0, item);
	return 0;
}

static int under_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	if (has_metric(item) && compare(item->evs[0], def) < 0)
		sat_pass(at, 0, item);
	return 0;
}

static const struct sat_op over = {
	.size = sizeof(over), .name = "over", .summary = "pass on metrics above a number",
	.options = over_options, .define = over_define, .undefine = free, .item = over_item,
};
static const struct sat_op under = {
	.size = sizeof(under), .name = "under", .summary = "pass on metrics below a number",
	.options = under_options, .define = under_define, .undefine = free, .item = under_item,
};

/* ---- by ----------------------------------------------------------------- */

static const struct sat_option *const by_options[] = {
	SAT_OPTION("by", SAT_STRINGS, .required = true, .help = "fields: \"host service\", or a list"),
	SAT_OPTION("max", SAT_INTEGER, .fallback = "1000000", .min = 1, .max = 100000000,
		   .help = "forks at most; the one longest without events goes first"),
	SAT_OPTION("keep", SAT_SECONDS, .fallback = "86400", .min = 1, .max = 1e9,
		   .help = "seconds without events that a fork lasts"),
	NULL
};

struct by { uint32_t n; struct sat_field fields[FIELDS]; char *text; };

static void by_undefine(void *def)
{
	struct by *b = def;

	free(b->text);
	free(b);
}

static int by_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct by *b = calloc(1, sizeof(*b));
	int n;

	(void)module;
	if (b == NULL)
		return -ENOMEM;
	n = sat_conf_fields(conf, "by", b->fields, FIELDS, &b->text);
	if (n < 0) {
		by_undefine(b);
		return n;
	}
	b->n = (uint32_t)n;
	sat_fork_limits(node, (uint32_t)sat_conf_integer(conf, "max"), sat_conf_time(conf, "keep"));
	*def = b;
	return 0;
}

static int by_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = judged(at, item);
	struct sat_value keys[FIELDS];
	const struct by *b = def;

	(void)state;
	if (ev == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->n; i++)
		keys[i] = sat_get(ev, &b->fields[i]);
	sat_pass_fork(at, 0, item, keys, b->n);
	return 0;
}

static const struct sat_op by = {
	.size = sizeof(by), .name = "by", .summary = "a copy of its streams for each value of fields",
	.options = by_options, .flags = SAT_FORKS, .define = by_define, .undefine = by_undefine, .item = by_item,
};

/* ---- pipe --------------------------------------------------------------- */

static const struct sat_option *const pipe_options[] = {
	SAT_OPTION("pipe", SAT_NODES, .required = true, .help = "stages, each passing to the next"),
	SAT_OPTION("marker", SAT_STRING, .fallback = "-", .help = "the name by which a stage says the next"),
	NULL
};

static int pipe_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	int branch = sat_branch_pipe(node, sat_conf_get(conf, "pipe"), sat_conf_string(conf, "marker"));

	(void)module;
	if (branch < 0)
		return branch;
	*def = (void *)(intptr_t)branch;
	return 0;
}

static int pipe_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	sat_pass(at, (int)(intptr_t)def, item);
	return 0;
}

static const struct sat_op pipe_op = {
	.size = sizeof(pipe_op), .name = "pipe", .summary = "stages in a row, each passing to the next",
	.options = pipe_options, .define = pipe_define, .item = pipe_item,
};

SAT_MODULE(flow,
	.name = "flow", .version = SAT_VERSION, .summary = "operators that choose the way of events",
	.ops = (const struct sat_op *const[]){ &where, &expired, &not_expired, &sdo, &exception_stream, &bit_bucket,
					       &over, &under, &by, &pipe_op, NULL });
