/* SPDX-License-Identifier: Apache-2.0 */
/* shape - operators that change events: with, default, unset, tag, untag. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

/* ---- Fields and the values they are to have ----------------------------- */

struct part { struct sat_field field; struct sat_value value; };
struct parts { uint32_t n; struct part v[]; };

static void release(struct sat_value *v)
{
	if (v->kind == SAT_TEXT)
		free((char *)(uintptr_t)v->text);
	for (uint32_t i = 0; v->kind == SAT_TEXTS && i < v->n; i++)
		free((char *)(uintptr_t)v->texts[i]);
	if (v->kind == SAT_TEXTS)
		free((void *)(uintptr_t)v->texts);
}

static void parts_free(void *def)
{
	struct parts *p = def;

	for (uint32_t i = 0; p != NULL && i < p->n; i++) {
		release(&p->v[i].value);
		free((char *)(uintptr_t)p->v[i].field.name);
	}
	free(p);
}

static int texts_of(const struct sat_conf *list, struct sat_value *out)
{
	size_t n = sat_conf_count(list);
	const char **texts = calloc(n + 1, sizeof(*texts));
	int rc = 0;

	*out = (struct sat_value){ .kind = SAT_TEXTS, .n = 0, .texts = texts };
	if (texts == NULL) {
		out->kind = SAT_NIL;
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct sat_value v = sat_conf_value(sat_conf_at(list, i));

		if (v.kind != SAT_TEXT) {
			rc = sat_conf_error(sat_conf_at(list, i), NULL, "a string is wanted");
			continue;
		}
		texts[out->n] = strdup(v.text);
		if (texts[out->n] == NULL)
			return -ENOMEM;
		out->n++;
	}
	return rc;
}

/* Whether a field can have such a value; says what it wants. */
static const char *wants(const struct sat_field *field, enum sat_kind kind)
{
	static const char *const numbers[] = { "metric", "metric_f", "time", "ttl" };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(field->name, numbers[i]) == 0)
			return kind == SAT_INT || kind == SAT_DOUBLE ? NULL : "a number";
	if (strcmp(field->name, "tags") == 0)
		return kind == SAT_TEXTS ? NULL : "a list of strings";
	return kind == SAT_TEXT ? NULL : "a string";
}

static int part_of(const struct sat_conf *conf, struct part *p)
{
	char *name = strdup(sat_conf_name(conf));
	const char *want;
	int rc = 0;

	if (name == NULL)
		return -ENOMEM;
	p->field = sat_field(name);
	if (sat_conf_is_list(conf))
		rc = texts_of(conf, &p->value);
	else
		p->value = sat_conf_value(conf);
	if (p->value.kind == SAT_TEXT && (p->value.text = strdup(p->value.text)) == NULL) {
		p->value.kind = SAT_NIL;
		rc = -ENOMEM;
	}
	want = wants(&p->field, p->value.kind);
	if (rc == 0 && want != NULL)
		rc = sat_conf_error(conf, NULL, "%s is %s", p->field.name, want);
	return rc;
}

static int parts_define(const struct sat_conf *conf, const char *name, void **def)
{
	const struct sat_conf *group = sat_conf_get(conf, name);
	size_t n = sat_conf_count(group);
	struct parts *p = calloc(1, sizeof(*p) + n * sizeof(p->v[0]));
	int rc = 0, more;

	if (p == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		more = part_of(sat_conf_at(group, i), &p->v[p->n]);
		if (p->v[p->n].field.name != NULL)
			p->n++;
		rc = rc != 0 ? rc : more;
	}
	if (rc != 0)
		parts_free(p);
	else
		*def = p;
	return rc;
}

/* These operators change one event; a list has no fields.  Nil is an event of which all
 * is nil, as it is for Clojure's assoc.  NULL: failed, and said. */
static const struct sat_event *event_of(const struct sat_at *at, const struct sat_item *item)
{
	const struct sat_event *ev = NULL;

	if (item->list)
		sat_fail(at, -EINVAL, "it takes events, not lists");
	else
		ev = item->n != 0 ? item->evs[0] : sat_edit(at, NULL);
	return ev;
}

/* ---- with, default, unset ----------------------------------------------- */

static const struct sat_option *const with_options[] = {
	SAT_OPTION("with", SAT_GROUP, .required = true, .help = "fields and their new values"), NULL
};
static const struct sat_option *const default_options[] = {
	SAT_OPTION("default", SAT_GROUP, .required = true, .help = "fields and their values where they are nil"), NULL
};
static const struct sat_option *const unset_options[] = {
	SAT_OPTION("unset", SAT_STRINGS, .required = true, .help = "fields to make nil"), NULL
};

static int with_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return parts_define(conf, "with", def);
}

static int default_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return parts_define(conf, "default", def);
}

static int unset_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	size_t n;
	const char *const *names = sat_conf_strings(conf, "unset", &n);
	struct parts *p = calloc(1, sizeof(*p) + n * sizeof(p->v[0]));

	(void)node;
	(void)module;
	for (size_t i = 0; p != NULL && i < n; i++) {
		char *name = strdup(names[i]);

		if (name == NULL) {
			parts_free(p);
			return -ENOMEM;
		}
		p->v[p->n++].field = sat_field(name);
	}
	*def = p;
	return p != NULL ? 0 : -ENOMEM;
}

static int apply(const struct sat_at *at, const struct parts *p, const struct sat_item *item, bool only_nil)
{
	const struct sat_event *from = event_of(at, item);
	struct sat_event *ev;
	int rc = 0;

	if (from == NULL)
		return -EINVAL;
	ev = sat_edit(at, from);
	if (ev == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n && rc == 0; i++)
		if (!only_nil || sat_get(ev, &p->v[i].field).kind == SAT_NIL)
			rc = sat_set(at, ev, &p->v[i].field, &p->v[i].value);
	if (rc == 0)
		sat_pass_event(at, 0, ev);
	return rc;
}

static int with_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	return apply(at, def, item, false);
}

static int default_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	return apply(at, def, item, true);
}

static const struct sat_op with = {
	.size = sizeof(with), .name = "with", .summary = "set fields", .options = with_options,
	.define = with_define, .undefine = parts_free, .item = with_item,
};
static const struct sat_op default_op = {
	.size = sizeof(default_op), .name = "default", .summary = "set fields that are nil",
	.options = default_options, .define = default_define, .undefine = parts_free, .item = default_item,
};
static const struct sat_op unset = {
	.size = sizeof(unset), .name = "unset", .summary = "make fields nil", .options = unset_options,
	.define = unset_define, .undefine = parts_free, .item = with_item,
};

/* ---- tag, untag --------------------------------------------------------- */

static const struct sat_option *const tag_options[] = {
	SAT_OPTION("tag", SAT_STRINGS, .required = true, .help = "tags to add"), NULL
};
static const struct sat_option *const untag_options[] = {
	SAT_OPTION("untag", SAT_STRINGS, .required = true, .help = "tags to take away"), NULL
};

struct tags { uint32_t n; char *v[]; };

static void tags_free(void *def)
{
	struct tags *t = def;

	for (uint32_t i = 0; t != NULL && i < t->n; i++)
		free(t->v[i]);
	free(t);
}

static int tags_define(const struct sat_conf *conf, const char *name, void **def)
{
	size_t n;
	const char *const *v = sat_conf_strings(conf, name, &n);
	struct tags *t = calloc(1, sizeof(*t) + n * sizeof(char *));

	for (; t != NULL && t->n < n; t->n++) {
		t->v[t->n] = strdup(v[t->n]);
		if (t->v[t->n] == NULL) {
			tags_free(t);
			return -ENOMEM;
		}
	}
	*def = t;
	return t != NULL ? 0 : -ENOMEM;
}

static int tag_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return tags_define(conf, "tag", def);
}

static int untag_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return tags_define(conf, "untag", def);
}

static bool among(const char *s, const char *const *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(v[i], s) == 0)
			return true;
	return false;
}

static int pass_tags(const struct sat_at *at, const struct sat_event *from, const char *const *tags, uint32_t n)
{
	struct sat_event *ev = sat_edit(at, from);

	if (ev == NULL)
		return -ENOMEM;
	ev->tags = tags;
	ev->n_tags = n;
	ev->has |= SAT_HAS_TAGS;
	sat_pass_event(at, 0, ev);
	return 0;
}

/* The new tags first, then the event's own, each once: Riemann's order. */
static int tag_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct tags *t = def;
	const struct sat_event *ev = event_of(at, item);
	const char **tags;
	uint32_t n = 0;

	(void)state;
	if (ev == NULL)
		return -EINVAL;
	tags = sat_scratch(at, (t->n + ev->n_tags + 1) * sizeof(*tags));
	if (tags == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n; i++)
		if (!among(t->v[i], tags, n))
			tags[n++] = t->v[i];
	for (uint32_t i = 0; i < ev->n_tags; i++)
		if (!among(ev->tags[i], tags, n))
			tags[n++] = ev->tags[i];
	return pass_tags(at, ev, tags, n);
}

static int untag_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct tags *t = def;
	const struct sat_event *ev = event_of(at, item);
	const char **tags;
	uint32_t n = 0;

	(void)state;
	if (ev == NULL)
		return -EINVAL;
	tags = sat_scratch(at, (ev->n_tags + 1) * sizeof(*tags));
	if (tags == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < ev->n_tags; i++)
		if (!among(ev->tags[i], (const char *const *)t->v, t->n))
			tags[n++] = ev->tags[i];
	return pass_tags(at, ev, tags, n);
}

static const struct sat_op tag = {
	.size = sizeof(tag), .name = "tag", .summary = "add tags", .options = tag_options,
	.define = tag_define, .undefine = tags_free, .item = tag_item,
};
static const struct sat_op untag = {
	.size = sizeof(untag), .name = "untag", .summary = "take tags away", .options = untag_options,
	.define = untag_define, .undefine = tags_free, .item = untag_item,
};

SAT_MODULE(shape,
	.name = "shape", .version = SAT_VERSION, .summary = "operators that change events",
	.ops = (const struct sat_op *const[]){ &with, &default_op, &unset, &tag, &untag, NULL });
