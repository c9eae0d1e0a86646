/* SPDX-License-Identifier: Apache-2.0 */
/* adjust - operators that calculate with one field: adjust, scale. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "ops.h"

enum how { PLUS, MINUS, TIMES, OVER, PREFIX, SUFFIX };

struct adjust {
	struct sat_field field;
	enum how how;
	struct number number;
	char *text, *name;
};

static const struct sat_option *const adjust_options[] = {
	SAT_OPTION("adjust", SAT_STRING, .required = true, .help = "the field"),
	SAT_OPTION("by", SAT_STRING, .required = true, .help = "+, -, *, / (of a number), prefix or suffix (of a text)"),
	SAT_OPTION("value", SAT_ANY, .required = true, .help = "by what"),
	NULL
};
static const struct sat_option *const scale_options[] = {
	SAT_OPTION("scale", SAT_ANY, .required = true, .help = "what the metric is multiplied by"), NULL
};

static void undefine(void *def)
{
	struct adjust *a = def;

	free(a->name);
	free(a->text);
	free(a);
}

static bool is_number(const char *field)
{
	return strcmp(field, "metric") == 0 || strcmp(field, "metric_f") == 0 || strcmp(field, "time") == 0 ||
	       strcmp(field, "ttl") == 0;
}

static int how_of(const struct sat_conf *conf, struct adjust *a)
{
	static const char *const names[] = { "+", "-", "*", "/", "prefix", "suffix" };
	const char *by = sat_conf_string(conf, "by");
	size_t i = 0;

	while (i < sizeof(names) / sizeof(names[0]) && strcmp(names[i], by) != 0)
		i++;
	if (i == sizeof(names) / sizeof(names[0]))
		return sat_conf_error(conf, "by", "must be +, -, *, /, prefix or suffix");
	a->how = (enum how)i;
	if (strcmp(a->name, "tags") == 0 || is_number(a->name) != (a->how < PREFIX))
		return sat_conf_error(conf, "by", "%s does not fit the field %s", by, a->name);
	return 0;
}

static int value_of(const struct sat_conf *conf, struct adjust *a)
{
	const struct sat_conf *s = sat_conf_get(conf, "value");
	struct sat_value v = { .kind = SAT_NIL };
	int rc;

	if (a->how < PREFIX) {
		rc = number_conf(conf, "value", &a->number);
		if (rc == 0 && a->how == OVER && number_zero(&a->number))
			rc = sat_conf_error(conf, "value", "nothing is divided by zero");
		return rc;
	}
	if (s != NULL && !sat_conf_is_list(s) && !sat_conf_is_group(s))
		v = sat_conf_value(s);
	if (v.kind != SAT_TEXT)
		return sat_conf_error(conf, "value", "must be a string");
	a->text = strdup(v.text);
	return a->text != NULL ? 0 : -ENOMEM;
}

static int adjust_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct adjust *a = calloc(1, sizeof(*a));
	int rc = -ENOMEM;

	(void)node;
	(void)module;
	if (a == NULL)
		return rc;
	a->name = strdup(sat_conf_string(conf, "adjust"));
	if (a->name != NULL) {
		a->field = sat_field(a->name);
		rc = how_of(conf, a);
	}
	if (rc == 0)
		rc = value_of(conf, a);
	if (rc != 0)
		undefine(a);
	else
		*def = a;
	return rc;
}

static int scale_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct adjust *a = calloc(1, sizeof(*a));
	int rc;

	(void)node;
	(void)module;
	if (a == NULL)
		return -ENOMEM;
	a->field = sat_field("metric");
	a->how = TIMES;
	rc = number_conf(conf, "scale", &a->number);
	if (rc != 0)
		undefine(a);
	else
		*def = a;
	return rc;
}

static int calculate(const struct adjust *a, const struct number *old, struct sat_value *v)
{
	struct number new = *old;

	switch (a->how) {
	case PLUS:
		new = number_add(old, &a->number);
		break;
	case MINUS:
		new = number_sub(old, &a->number);
		break;
	case TIMES:
		new = number_mul(old, &a->number);
		break;
	default:
		number_div(old, &a->number, &new);
		break;
	}
	if (!new.real && new.d == 1)
		*v = (struct sat_value){ .kind = SAT_INT, .i = (int64_t)new.n };
	else
		*v = (struct sat_value){ .kind = SAT_DOUBLE, .d = number_real(&new) };
	return 0;
}

static int adjusted(const struct sat_at *at, const struct adjust *a, struct sat_value *v)
{
	const char *text = v->kind == SAT_TEXT ? v->text : "";
	struct number old;

	if (a->how < PREFIX)
		return number_value(v, &old) ? calculate(a, &old, v) : sat_fail(at, -EINVAL, "%s is nil", a->field.name);
	text = a->how == PREFIX ? sat_scratchf(at, "%s%s", a->text, text) : sat_scratchf(at, "%s%s", text, a->text);
	*v = (struct sat_value){ .kind = SAT_TEXT, .text = text };
	return text != NULL ? 0 : -ENOMEM;
}

static int adjust_event(const struct sat_at *at, const struct adjust *a, const struct sat_event *from)
{
	struct sat_value v = sat_get(from, &a->field);
	struct sat_event *ev;
	int rc = adjusted(at, a, &v);

	if (rc != 0)
		return rc;
	ev = sat_edit(at, from);
	rc = ev != NULL ? sat_set(at, ev, &a->field, &v) : -ENOMEM;
	if (rc == 0)
		sat_pass_event(at, 0, ev);
	return rc;
}

/* Nil is an event of which all is nil, as it is for Clojure's assoc.  NULL: failed, and said. */
static const struct sat_event *event_of(const struct sat_at *at, const struct sat_item *item)
{
	const struct sat_event *ev = NULL;

	if (item->list)
		sat_fail(at, -EINVAL, "it takes events, not lists");
	else
		ev = item->n != 0 ? item->evs[0] : sat_edit(at, NULL);
	return ev;
}

static int adjust_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = event_of(at, item);

	(void)state;
	return ev != NULL ? adjust_event(at, def, ev) : -EINVAL;
}

/* An event without a metric has none to scale. */
static int scale_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = event_of(at, item);

	(void)state;
	if (ev == NULL)
		return -EINVAL;
	if (ev->has & SAT_HAS_METRIC)
		return adjust_event(at, def, ev);
	sat_pass_event(at, 0, ev);
	return 0;
}

const struct sat_op adjust_op = {
	.size = sizeof(adjust_op), .name = "adjust", .summary = "calculate with a field", .options = adjust_options,
	.define = adjust_define, .undefine = undefine, .item = adjust_item,
};
const struct sat_op scale_op = {
	.size = sizeof(scale_op), .name = "scale", .summary = "multiply the metric", .options = scale_options,
	.define = scale_define, .undefine = undefine, .item = scale_item,
};
