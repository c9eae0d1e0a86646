/* SPDX-License-Identifier: Apache-2.0 */
/* hysteresis - true from where one condition holds to where another does no longer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "value.h"

struct hysteresis { struct sat_query *trigger, *hold; };
struct level { bool on; };

static const struct sat_option *const options[] = {
	SAT_OPTION("hysteresis", SAT_ANY, .required = true,
		   .help = "what turns it on: a predicate, or a number that the metric is above"),
	SAT_OPTION("hold", SAT_ANY, .required = true, .help = "what keeps it on, as the first"),
	NULL
};

static void undefine(void *def)
{
	struct hysteresis *h = def;

	sat_query_free(h->trigger);
	sat_query_free(h->hold);
	free(h);
}

static int condition(const struct sat_conf *conf, struct sat_query **query)
{
	struct sat_value v = sat_conf_value(conf);
	char error[200], number[64];

	if (v.kind == SAT_INT)
		snprintf(number, sizeof(number), "metric > %lld", (long long)v.i);
	else if (v.kind == SAT_DOUBLE)
		snprintf(number, sizeof(number), "metric > %.17g", v.d);
	else if (v.kind != SAT_TEXT)
		return sat_conf_error(conf, NULL, "a predicate or a number is wanted");
	*query = sat_query_parse(v.kind == SAT_TEXT ? v.text : number, error, sizeof(error));
	return *query != NULL ? 0 : sat_conf_error(conf, NULL, "%s", error);
}

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct hysteresis *h = calloc(1, sizeof(*h));
	int rc, more;

	(void)node;
	(void)module;
	if (h == NULL)
		return -ENOMEM;
	rc = condition(sat_conf_get(conf, "hysteresis"), &h->trigger);
	more = condition(sat_conf_get(conf, "hold"), &h->hold);
	rc = rc != 0 ? rc : more;
	if (rc != 0)
		undefine(h);
	else
		*def = h;
	return rc;
}

/* What is expired says nothing about the level, and goes where it stands. */
static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = !item->list && item->n == 1 ? item->evs[0] : sat_edit(at, NULL);
	const struct hysteresis *h = def;
	struct level *l = state;

	if (ev == NULL)
		return -ENOMEM;
	if (!sat_expired(ev))
		l->on = sat_query_match(h->trigger, ev) || (l->on && sat_query_match(h->hold, ev));
	sat_pass(at, l->on ? 0 : 1, item);
	return 0;
}

static bool idle(const void *def, const void *state)
{
	(void)def;
	return !((const struct level *)state)->on;
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	(void)def;
	return sat_write_int(out, ((const struct level *)state)->on);
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	int64_t on;

	(void)at;
	(void)def;
	if (version != 1 || sat_read_int(in, &on) != 0)
		return -EBADMSG;
	((struct level *)state)->on = on != 0;
	return 0;
}

const struct sat_op change_hysteresis = {
	.size = sizeof(change_hysteresis), .state_version = 1, .name = "hysteresis",
	.summary = "do from one condition until another holds no longer, else otherwise", .options = options,
	.state_size = sizeof(struct level), .define = define, .undefine = undefine, .item = item_fork, .idle = idle,
	.save = save, .load = load,
};
