/* SPDX-License-Identifier: Apache-2.0 */
/* map - operators that pass on what a fold makes of events: smap, smap*, smapcat, sflatten, sreduce. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fold.h"
#include "ops.h"

struct map {
	const struct fold *fold;
	struct points points;
	const struct sat_conf *init;	/* of sreduce; NULL: it begins with the first event */
};

#define POINTS_OPTION SAT_OPTION("points", SAT_ANY, .help = "where sorted-sample takes events: numbers from 0 to 1")
static const struct sat_option *const smap_options[] = {
	SAT_OPTION("smap", SAT_STRING, .required = true, .help = "the fold"), FOLD_BY_OPTION, POINTS_OPTION, NULL
};
static const struct sat_option *const smap_star_options[] = {
	SAT_OPTION("smap*", SAT_STRING, .required = true, .help = "the fold"), FOLD_BY_OPTION, POINTS_OPTION, NULL
};
static const struct sat_option *const smapcat_options[] = {
	SAT_OPTION("smapcat", SAT_STRING, .required = true, .help = "the fold"), FOLD_BY_OPTION, POINTS_OPTION, NULL
};
static const struct sat_option *const sreduce_options[] = {
	SAT_OPTION("sreduce", SAT_STRING, .required = true, .help = "the fold"),
	FOLD_BY_OPTION,
	SAT_OPTION("init", SAT_ANY, .help = "a metric, an event or \"nil\" to begin with; otherwise the first event"),
	NULL
};

static void undefine(void *def)
{
	struct map *m = def;

	points_free(&m->points);
	free(m);
}

static int define(const struct sat_conf *conf, const char *name, void **def)
{
	struct map *m = calloc(1, sizeof(*m));
	int rc = -EINVAL;

	if (m == NULL)
		return -ENOMEM;
	m->fold = fold_conf(conf, name);
	if (m->fold == NULL)
		goto fail;
	if (fold_samples(m->fold)) {
		rc = points_conf(conf, "points", &m->points);
		if (rc != 0)
			goto fail;
	}
	*def = m;
	return 0;
fail:
	undefine(m);
	return rc;
}

static int smap_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return define(conf, "smap", def);
}

static int smap_star_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return define(conf, "smap*", def);
}

static int smapcat_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return define(conf, "smapcat", def);
}

static int map(const struct sat_at *at, const struct map *m, const struct sat_item *item, struct sat_item *out)
{
	return fold_events(at, m->fold, &m->points, item->evs, item->n, out);
}

static int smap_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct sat_item out;
	int rc = map(at, def, item, &out);

	(void)state;
	if (rc == 0 && (out.list || out.n != 0))
		sat_pass(at, 0, &out);
	return rc;
}

static int smap_star_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct sat_item out;
	int rc = map(at, def, item, &out);

	(void)state;
	if (rc == 0)
		sat_pass(at, 0, &out);
	return rc;
}

static void pass_each(const struct sat_at *at, const struct sat_item *item)
{
	const struct sat_item nil = { NULL, 0, false };

	for (uint32_t i = 0; i < item->n; i++)
		if (item->evs[i] != NULL)
			sat_pass_event(at, 0, item->evs[i]);
		else
			sat_pass(at, 0, &nil);
}

static int smapcat_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct sat_item out;
	int rc = map(at, def, item, &out);

	(void)state;
	if (rc == 0)
		pass_each(at, &out);
	return rc;
}

static int sflatten_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	pass_each(at, item);
	return 0;
}

const struct sat_op smap_op = {
	.size = sizeof(smap_op), .name = "smap", .summary = "pass on what a fold makes of a list, unless that is nil",
	.options = smap_options, .define = smap_define, .undefine = undefine, .item = smap_item,
};
const struct sat_op smap_star_op = {
	.size = sizeof(smap_star_op), .name = "smap*", .summary = "pass on what a fold makes of a list",
	.options = smap_star_options, .define = smap_star_define, .undefine = undefine, .item = smap_star_item,
};
const struct sat_op smapcat_op = {
	.size = sizeof(smapcat_op), .name = "smapcat", .summary = "pass on each event that a fold makes of a list",
	.options = smapcat_options, .define = smapcat_define, .undefine = undefine, .item = smapcat_item,
};
const struct sat_op sflatten_op = {
	.size = sizeof(sflatten_op), .name = "sflatten", .summary = "pass on each event of a list",
	.item = sflatten_item,
};

/* ---- sreduce: the fold of what came of it before, and the event ---- */

struct reduction { const struct sat_event *ev; bool begun; };

/* Whether a field can have such a value; says what it wants. */
static const char *wants(const char *field, const struct sat_conf *value)
{
	enum sat_kind kind = sat_conf_value(value).kind;

	if (strcmp(field, "metric") == 0 || strcmp(field, "time") == 0 || strcmp(field, "ttl") == 0)
		return kind == SAT_INT || kind == SAT_DOUBLE ? NULL : "a number";
	if (strcmp(field, "tags") == 0)
		return "nothing to begin with";
	return kind == SAT_TEXT ? NULL : "a string";
}

/* An event, nil, or a number that is its metric. */
static int judge_init(const struct sat_conf *conf, const struct sat_conf *init)
{
	struct sat_value v = sat_conf_value(init);
	struct number a;
	int rc = 0;

	if (v.kind == SAT_TEXT && strcmp(v.text, "nil") == 0)
		return 0;
	if (!sat_conf_is_group(init))
		return number_conf(conf, "init", &a);
	for (size_t i = 0; i < sat_conf_count(init); i++) {
		const struct sat_conf *field = sat_conf_at(init, i);
		const char *want = wants(sat_conf_name(field), field);

		if (want != NULL)
			rc = sat_conf_error(field, NULL, "%s is %s", sat_conf_name(field), want);
	}
	return rc;
}

static int sreduce_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	int rc = define(conf, "sreduce", def);
	struct map *m = *def;

	(void)node;
	(void)module;
	if (rc != 0)
		return rc;
	if (fold_lists(m->fold))
		rc = sat_conf_error(conf, "sreduce", "a fold that gives one event is wanted");
	m->init = sat_conf_get(conf, "init");
	if (rc == 0 && m->init != NULL)
		rc = judge_init(conf, m->init);
	if (rc != 0)
		undefine(m);
	return rc;
}

/* What the first event is folded with: NULL in *out is nil. */
static int begin(const struct sat_at *at, const struct sat_conf *init, const struct sat_event **out)
{
	struct sat_value v = sat_conf_value(init);
	struct sat_event *ev = sat_edit(at, NULL);
	struct number a;
	int rc = 0;

	*out = ev;
	if (ev == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < sat_conf_count(init) && rc == 0; i++) {
		const struct sat_field field = sat_field(sat_conf_name(sat_conf_at(init, i)));

		v = sat_conf_value(sat_conf_at(init, i));
		rc = sat_set(at, ev, &field, &v);
	}
	if (sat_conf_is_group(init))
		return rc;
	if (number_text(&v, &a))
		number_put(ev, &a);
	else
		*out = NULL;
	return 0;
}

static int sreduce_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *pair[2], *before;
	struct reduction *r = state;
	struct map *m = def;
	struct sat_item out;
	int rc;

	if (item->list || item->n != 1)
		return sat_fail(at, -EINVAL, "it takes events, not lists");
	pair[0] = r->ev;
	pair[1] = item->evs[0];
	if (!r->begun && m->init == NULL) {
		r->ev = sat_keep(item->evs[0]);
		r->begun = r->ev != NULL;
		return r->begun ? 0 : -ENOMEM;
	}
	rc = !r->begun ? begin(at, m->init, &pair[0]) : 0;
	if (rc == 0)
		rc = fold_events(at, m->fold, &m->points, pair, 2, &out);
	if (rc != 0)
		return rc;
	pair[0] = out.n != 0 ? sat_keep(out.evs[0]) : NULL;
	if (pair[0] == NULL && out.n != 0)
		return -ENOMEM;
	before = r->ev;
	r->ev = pair[0];
	r->begun = true;
	sat_pass(at, 0, &out);
	sat_drop(before);		/* what came out may borrow from it */
	return 0;
}

static bool sreduce_idle(const void *def, const void *state)
{
	(void)def;
	return !((const struct reduction *)state)->begun;
}

static void sreduce_close(const void *def, void *state)
{
	struct reduction *r = state;

	(void)def;
	sat_drop(r->ev);
	r->ev = NULL;
}

static int sreduce_save(const void *def, const void *state, struct sat_writer *out)
{
	const struct reduction *r = state;
	int rc;

	(void)def;
	sat_write_int(out, r->begun);
	rc = sat_write_int(out, r->ev != NULL);
	return r->ev != NULL ? sat_write_event(out, r->ev) : rc;
}

static int sreduce_load(const struct sat_at *at, const void *def, void *state, uint32_t version,
			struct sat_reader *in)
{
	struct reduction *r = state;
	int64_t begun, any;

	(void)at;
	(void)def;
	if (version != 1 || sat_read_int(in, &begun) != 0 || sat_read_int(in, &any) != 0)
		return -EBADMSG;
	r->begun = begun != 0;
	return any != 0 ? sat_read_event(in, &r->ev) : 0;
}

const struct sat_op sreduce_op = {
	.size = sizeof(sreduce_op), .state_version = 1, .name = "sreduce",
	.summary = "pass on the fold of all events so far, one by one", .options = sreduce_options,
	.state_size = sizeof(struct reduction), .define = sreduce_define, .undefine = undefine,
	.item = sreduce_item, .idle = sreduce_idle, .close = sreduce_close, .save = sreduce_save,
	.load = sreduce_load,
};
