/* SPDX-License-Identifier: Apache-2.0 */
/* dual - operators with two streams that see the same hosts and services: dual, top. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

enum { DO, ELSE, MOST = 10000 };

/* The event that is looked at: of a list, as in Riemann, one without fields. */
static const struct sat_event *judged(const struct sat_at *at, const struct sat_item *item)
{
	return !item->list && item->n == 1 ? item->evs[0] : sat_edit(at, NULL);
}

/* Tell a branch that it has this host and service no longer. */
static int expire(const struct sat_at *at, int branch, const struct sat_event *of)
{
	struct sat_event *ev = sat_edit(at, NULL);

	if (ev == NULL)
		return -ENOMEM;
	ev->host = of->host;
	ev->service = of->service;
	ev->state = "expired";
	ev->time = sat_wall();
	ev->has = SAT_HAS_TIME | SAT_HAS_STAMP;
	sat_pass_event(at, branch, ev);
	return 0;
}

static int pass_dual(const struct sat_at *at, const struct sat_item *item, const struct sat_event *ev, bool holds)
{
	int rc = 0;

	if (sat_expired(ev)) {
		sat_pass(at, DO, item);
		sat_pass(at, ELSE, item);
		return 0;
	}
	rc = expire(at, holds ? ELSE : DO, ev);
	sat_pass(at, holds ? DO : ELSE, item);
	return rc;
}

/* ---- dual --------------------------------------------------------------- */

static const struct sat_option *const dual_options[] = {
	SAT_OPTION("dual", SAT_QUERY, .required = true, .help = "predicate; true: do, else: else"), NULL
};

static int dual_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	*def = sat_conf_query(conf, "dual");
	return *def != NULL ? 0 : -ENOMEM;
}

static void dual_undefine(void *def)
{
	sat_query_free(def);
}

static int dual_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = judged(at, item);

	(void)state;
	return ev != NULL ? pass_dual(at, item, ev, sat_query_match(def, ev)) : -ENOMEM;
}

static const struct sat_op dual = {
	.size = sizeof(dual), .name = "dual", .summary = "pass on to one branch, and expire it in the other",
	.options = dual_options, .define = dual_define, .undefine = dual_undefine, .item = dual_item,
};

/* ---- top ---------------------------------------------------------------- */

struct top { struct sat_field field; uint32_t k; bool demote; };	/* its name is borrowed from the settings */

/* As in Riemann the smallest is kept at hand, and looked for anew where it may have changed. */
struct ranks {
	const struct sat_event **evs;	/* room for one more than k, in the order in which they came */
	uint32_t n, smallest;
};

static const struct sat_option *const top_options[] = {
	SAT_OPTION("top", SAT_INTEGER, .required = true, .min = 1, .max = MOST, .help = "how many hosts and services"),
	SAT_OPTION("field", SAT_STRING, .fallback = "metric", .help = "the field by which they are ranked"),
	SAT_OPTION("demote", SAT_BOOLEAN,
		   .help = "tell both branches who falls out; true where there is an else"),
	NULL
};

static int top_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct top *t = calloc(1, sizeof(*t));

	(void)node;
	(void)module;
	if (t == NULL)
		return -ENOMEM;
	t->k = (uint32_t)sat_conf_integer(conf, "top");
	t->field = sat_field(sat_conf_string(conf, "field"));
	t->demote = sat_conf_has(conf, "demote") ? sat_conf_boolean(conf, "demote") : sat_conf_find(conf, "else") != NULL;
	*def = t;
	return 0;
}

static int top_open(const struct sat_at *at, const void *def, void *state)
{
	struct ranks *r = state;

	(void)at;
	r->evs = calloc((size_t)((const struct top *)def)->k + 1, sizeof(*r->evs));
	return r->evs != NULL ? 0 : -ENOMEM;
}

static void top_close(const void *def, void *state)
{
	struct ranks *r = state;

	(void)def;
	while (r->n > 0)
		sat_drop(r->evs[--r->n]);
	free(r->evs);
	r->evs = NULL;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static uint32_t find(const struct ranks *r, const struct sat_event *ev)
{
	uint32_t i = 0;

	while (i < r->n && !(same(r->evs[i]->host, ev->host) && same(r->evs[i]->service, ev->service)))
		i++;
	return i;
}

static bool rankable(const struct sat_value *v)
{
	return v->kind == SAT_INT || v->kind == SAT_DOUBLE || v->kind == SAT_TEXT;
}

/* NaN is neither more nor less than anything; a text is after all numbers. */
static int compare(const struct top *t, const struct sat_event *x, const struct sat_event *y)
{
	struct sat_value a = sat_get(x, &t->field), b = sat_get(y, &t->field);
	long double p, q;

	if (a.kind == SAT_TEXT || b.kind == SAT_TEXT)
		return a.kind != b.kind ? (a.kind == SAT_TEXT ? 1 : -1) : strcmp(a.text, b.text);
	p = a.kind == SAT_INT ? (long double)a.i : (long double)a.d;
	q = b.kind == SAT_INT ? (long double)b.i : (long double)b.d;
	return (p > q) - (p < q);
}

static void scan(const struct top *t, struct ranks *r)
{
	r->smallest = 0;
	for (uint32_t i = 1; i < r->n; i++)
		if (compare(t, r->evs[i], r->evs[r->smallest]) < 0)
			r->smallest = i;
}

/* The event at i is the caller's then. */
static const struct sat_event *take(const struct top *t, struct ranks *r, uint32_t i)
{
	const struct sat_event *ev = r->evs[i];

	memmove(&r->evs[i], &r->evs[i + 1], (--r->n - i) * sizeof(*r->evs));
	if (i < r->smallest)
		r->smallest--;
	else if (i == r->smallest)
		scan(t, r);
	return ev;
}

/* 1: it is among the first k; *out is who fell out for it, the caller's to drop. */
static int rank(const struct top *t, struct ranks *r, const struct sat_event *ev, const struct sat_event **out)
{
	struct sat_value v = sat_get(ev, &t->field);
	uint32_t i = find(r, ev);
	const struct sat_event *kept;

	if (sat_expired(ev) || !rankable(&v)) {
		if (i < r->n)
			sat_drop(take(t, r, i));
		return 0;
	}
	if (i == r->n && r->n >= t->k && compare(t, ev, r->evs[r->smallest]) <= 0)
		return 0;
	kept = sat_keep(ev);
	if (kept == NULL)
		return -ENOMEM;
	if (i < r->n)
		sat_drop(r->evs[i]);
	else
		r->n++;
	r->evs[i] = kept;
	if (r->n > t->k)
		*out = take(t, r, r->smallest);
	else if (compare(t, kept, r->evs[r->smallest]) < 0)
		scan(t, r);
	return 1;
}

static int top_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = judged(at, item), *out = NULL;
	const struct top *t = def;
	int among = ev != NULL ? rank(t, state, ev, &out) : -ENOMEM;

	if (among < 0)
		return among;
	if (out != NULL && t->demote) {
		expire(at, DO, out);
		sat_pass_event(at, ELSE, out);
	}
	sat_drop(out);
	return pass_dual(at, item, ev, among != 0);
}

static bool top_idle(const void *def, const void *state)
{
	(void)def;
	return ((const struct ranks *)state)->n == 0;
}

static int top_save(const void *def, const void *state, struct sat_writer *out)
{
	const struct ranks *r = state;
	int rc;

	(void)def;
	sat_write_int(out, r->smallest);
	rc = sat_write_int(out, r->n);
	for (uint32_t i = 0; i < r->n && rc == 0; i++)
		rc = sat_write_event(out, r->evs[i]);
	return rc;
}

static int top_load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	const struct top *t = def;
	struct ranks *r = state;
	int64_t smallest, n;
	int rc;

	(void)at;
	if (version != 1)
		return -EBADMSG;
	sat_read_int(in, &smallest);
	rc = sat_read_int(in, &n);
	if (rc != 0 || n < 0 || n > t->k || smallest < 0 || smallest > (n != 0 ? n - 1 : 0))
		return -EBADMSG;
	while (r->n < n && rc == 0) {
		rc = sat_read_event(in, &r->evs[r->n]);
		if (rc == 0)
			r->n++;
	}
	r->smallest = rc == 0 ? (uint32_t)smallest : 0;
	return rc;
}

static const struct sat_op top = {
	.size = sizeof(top), .state_version = 1, .name = "top", .summary = "tell the first so many from the rest",
	.options = top_options, .state_size = sizeof(struct ranks), .define = top_define, .undefine = free,
	.open = top_open, .item = top_item, .idle = top_idle, .close = top_close, .save = top_save, .load = top_load,
};

SAT_MODULE(dual,
	.name = "dual", .version = SAT_VERSION, .summary = "operators with two streams that see the same hosts",
	.ops = (const struct sat_op *const[]){ &dual, &top, NULL });
