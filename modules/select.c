/* SPDX-License-Identifier: Apache-2.0 */
/* select - operators that pass on what fits: split, splitp, match, tagged-any, tagged-all, within, without. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

enum { CLAUSES = 1000 };

/* The event that is looked at: of a list, as in Riemann, one without fields. */
static const struct sat_event *judged(const struct sat_at *at, const struct sat_item *item)
{
	return !item->list && item->n == 1 ? item->evs[0] : sat_edit(at, NULL);
}

/* ---- split, splitp: the first clause that fits -------------------------- */

struct clause { struct sat_query *query; int branch; };		/* without a query: all the rest */
struct split {
	bool strict;			/* it is a mistake of the event to fit no clause, */
	bool ordered;			/* or, where clauses ask for more or less, to have no number */
	struct sat_field field;		/* that splitp looks at; its name is borrowed from the settings */
	uint32_t n;
	struct clause v[];
};

static const struct sat_option *const split_options[] = {
	SAT_OPTION("split", SAT_CLAUSES, .required = true,
		   .help = "( ( predicate, streams ), ..., ( streams ) ); the first that holds"),
	NULL
};
static const struct sat_option *const splitp_options[] = {
	SAT_OPTION("splitp", SAT_CLAUSES, .required = true,
		   .help = "( \"<\", field, ( value, streams ), ..., ( streams ) ); value < field"),
	NULL
};

static void split_undefine(void *def)
{
	struct split *s = def;

	for (uint32_t i = 0; i < s->n; i++)
		sat_query_free(s->v[i].query);
	free(s);
}

static int parse(const struct sat_conf *where, const char *text, struct sat_query **query)
{
	char error[200];

	*query = sat_query_parse(text, error, sizeof(error));
	return *query != NULL ? 0 : sat_conf_error(where, NULL, "%s", error);
}

static int predicate(const struct sat_conf *test, struct sat_query **query)
{
	struct sat_value v = sat_conf_value(test);

	if (v.kind != SAT_TEXT)
		return sat_conf_error(test, NULL, "a predicate is wanted");
	return parse(test, v.text, query);
}

/* What splitp compares with: Riemann has the field on the right, a query on the left. */
struct comparison { const char *sign, *field; };

static int comparison(const struct comparison *c, const struct sat_conf *test, struct sat_query **query)
{
	struct sat_value v = sat_conf_value(test);
	struct sat_buf b = { .max = 65536 };
	int rc = -ENOMEM;

	sat_buf_printf(&b, "%s %s ", c->field, c->sign);
	if (v.kind == SAT_TEXT)
		sat_buf_json(&b, v.text);
	else if (v.kind == SAT_INT)
		sat_buf_printf(&b, "%lld", (long long)v.i);
	else if (v.kind == SAT_DOUBLE)
		sat_buf_printf(&b, "%.17g", v.d);
	else
		rc = sat_conf_error(test, NULL, "a number or a string is wanted");
	if (rc == -ENOMEM && !b.full)
		rc = parse(test, b.p, query);
	sat_buf_free(&b);
	return rc;
}

static int clause(struct split *s, struct sat_node *node, const struct sat_conf *conf, bool last,
		  const struct comparison *how)
{
	struct clause *c = &s->v[s->n];
	size_t n = sat_conf_is_list(conf) ? sat_conf_count(conf) : 0;
	int rc = 0;

	if (n != 2 && !(n == 1 && last))
		return sat_conf_error(conf, NULL, "a clause is ( %s, streams ), the last may be ( streams )",
				      how != NULL ? "value" : "predicate");
	s->n++;
	if (n == 2)
		rc = how != NULL ? comparison(how, sat_conf_at(conf, 0), &c->query) :
				   predicate(sat_conf_at(conf, 0), &c->query);
	c->branch = sat_branch(node, sat_conf_at(conf, n - 1));
	return rc != 0 ? rc : c->branch < 0 ? c->branch : 0;
}

/* The clauses are the elements of the list from the one numbered `first` on. */
static int clauses(struct sat_node *node, const struct sat_conf *list, size_t first,
		   const struct comparison *how, void **def)
{
	size_t n = sat_conf_count(list);
	struct split *s;
	int rc = 0, more;

	if (n <= first || n - first > CLAUSES)
		return sat_conf_error(list, NULL, "1 to %d clauses are wanted", CLAUSES);
	s = calloc(1, sizeof(*s) + (n - first) * sizeof(s->v[0]));
	if (s == NULL)
		return -ENOMEM;
	s->strict = how != NULL;
	s->ordered = how != NULL && strchr("<>", *how->sign) != NULL;
	if (how != NULL)
		s->field = sat_field(how->field);
	for (size_t i = first; i < n; i++) {
		more = clause(s, node, sat_conf_at(list, i), i == n - 1, how);
		rc = rc != 0 ? rc : more;
	}
	if (rc != 0)
		split_undefine(s);
	else
		*def = s;
	return rc;
}

static int split_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	const struct sat_conf *list = sat_conf_get(conf, "split");

	(void)module;
	return clauses(node, list, 0, NULL, def);
}

static const char *sign_of(const char *name)
{
	static const char *const signs[][2] = {
		{ "<", ">" }, { ">", "<" }, { "<=", ">=" }, { ">=", "<=" }, { "=", "=" }, { "not=", "!=" },
		{ "re-find", "~=" },
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (strcmp(signs[i][0], name) == 0)
			return signs[i][1];
	return NULL;
}

static int splitp_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	const struct sat_conf *list = sat_conf_get(conf, "splitp");
	struct comparison how = { 0 };
	struct sat_value name, field;
	int rc = 0;

	(void)module;
	if (sat_conf_count(list) < 3)
		return sat_conf_error(list, NULL, "( comparison, field, clauses ... ) is wanted");
	name = sat_conf_value(sat_conf_at(list, 0));
	field = sat_conf_value(sat_conf_at(list, 1));
	if (name.kind == SAT_TEXT)
		how.sign = sign_of(name.text);
	if (how.sign == NULL)
		rc = sat_conf_error(sat_conf_at(list, 0), NULL, "<, >, <=, >=, =, not= or re-find is wanted");
	if (field.kind != SAT_TEXT || *field.text == '\0' || strpbrk(field.text, " \t\n()\"'") != NULL)
		rc = sat_conf_error(sat_conf_at(list, 1), NULL, "a field is wanted");
	how.field = field.text;
	return rc != 0 ? rc : clauses(node, list, 2, &how, def);
}

static bool comparable(const struct split *s, const struct sat_event *ev)
{
	enum sat_kind kind = s->ordered ? sat_get(ev, &s->field).kind : SAT_INT;

	return kind == SAT_INT || kind == SAT_DOUBLE;
}

static int split_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = judged(at, item);
	const struct split *s = def;

	(void)state;
	if (ev == NULL)
		return -ENOMEM;
	if (!comparable(s, ev))
		return sat_fail(at, -EINVAL, "%s is no number", s->field.name);
	for (uint32_t i = 0; i < s->n; i++)
		if (s->v[i].query == NULL || sat_query_match(s->v[i].query, ev)) {
			sat_pass(at, s->v[i].branch, item);
			return 0;
		}
	return s->strict ? sat_fail(at, -EINVAL, "no clause fits") : 0;
}

static const struct sat_op split = {
	.size = sizeof(split), .name = "split", .summary = "pass on to the first clause that holds",
	.options = split_options, .define = split_define, .undefine = split_undefine, .item = split_item,
};
static const struct sat_op splitp = {
	.size = sizeof(splitp), .name = "splitp", .summary = "pass on to the first clause whose value compares so",
	.options = splitp_options, .define = splitp_define, .undefine = split_undefine, .item = split_item,
};

/* ---- match -------------------------------------------------------------- */

/* All of it is borrowed from the settings, which live as long as the node. */
struct match {
	struct sat_field field;
	struct sat_query *regex;
	const char **tags;		/* of tags a list is the value, not values to choose from */
	uint32_t n;
	struct sat_value v[];
};

static const struct sat_option *const match_options[] = {
	SAT_OPTION("match", SAT_STRING, .required = true, .help = "the field that is compared"),
	SAT_OPTION("value", SAT_ANY, .help = "what it is, or a list of what it may be; nil"),
	SAT_OPTION("regex", SAT_STRING, .help = "a regular expression found in it, in place of a value"),
	NULL
};

static void match_undefine(void *def)
{
	struct match *m = def;

	sat_query_free(m->regex);
	free(m->tags);
	free(m);
}

static int match_regex(struct match *m, const struct sat_conf *regex)
{
	const struct comparison how = { "~=", m->field.name };

	if (strpbrk(m->field.name, " \t\n()\"'") != NULL)
		return sat_conf_error(regex, NULL, "no field of that name can be looked into");
	return comparison(&how, regex, &m->regex);
}

static int match_tags(struct match *m)
{
	m->tags = calloc(m->n + 1, sizeof(*m->tags));
	if (m->tags == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n; i++)
		m->tags[i] = m->v[i].text;
	m->v[0] = (struct sat_value){ .kind = SAT_TEXTS, .n = m->n, .texts = m->tags };
	m->n = 1;
	return 0;
}

static int match_values(struct match *m, const struct sat_conf *value)
{
	bool tags = strcmp(m->field.name, "tags") == 0;

	if (value == NULL) {
		m->n = 1;		/* nil */
		return 0;
	}
	if (!sat_conf_is_list(value)) {
		m->v[m->n++] = sat_conf_value(value);
		return m->v[0].kind != SAT_NIL ? 0 : sat_conf_error(value, NULL, "no group can be compared");
	}
	for (size_t i = 0; i < sat_conf_count(value); i++) {
		struct sat_value v = sat_conf_value(sat_conf_at(value, i));

		if (v.kind == SAT_NIL || (tags && v.kind != SAT_TEXT))
			return sat_conf_error(sat_conf_at(value, i), NULL, "%s is wanted",
					      tags ? "a string" : "a string, a number or a boolean");
		m->v[m->n++] = v;
	}
	return tags ? match_tags(m) : 0;
}

static int match_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	const struct sat_conf *value = sat_conf_get(conf, "value"), *regex = sat_conf_get(conf, "regex");
	size_t n = value != NULL && sat_conf_is_list(value) ? sat_conf_count(value) : 0;
	struct match *m = calloc(1, sizeof(*m) + (n + 1) * sizeof(m->v[0]));
	int rc;

	(void)node;
	(void)module;
	if (m == NULL)
		return -ENOMEM;
	m->field = sat_field(sat_conf_string(conf, "match"));
	if (regex != NULL && value != NULL)
		rc = sat_conf_error(regex, NULL, "either a value or a regex, not both");
	else
		rc = regex != NULL ? match_regex(m, regex) : match_values(m, value);
	if (rc != 0)
		match_undefine(m);
	else
		*def = m;
	return rc;
}

/* As Clojure has it, 5 is not 5.0; but time and ttl are of no type of number here. */
static bool fits(const struct match *m, const struct sat_value *is, const struct sat_value *wanted)
{
	if (is->kind == SAT_DOUBLE && wanted->kind == SAT_INT && strcmp(m->field.name, "metric") != 0)
		return is->d == (double)wanted->i;
	return sat_same(is, wanted);
}

static bool matches(const struct match *m, const struct sat_event *ev)
{
	struct sat_value is = sat_get(ev, &m->field);

	if (m->regex != NULL)
		return sat_query_match(m->regex, ev);
	for (uint32_t i = 0; i < m->n; i++)
		if (fits(m, &is, &m->v[i]))
			return true;
	return false;
}

static int match_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = judged(at, item);

	(void)state;
	if (ev == NULL)
		return -ENOMEM;
	if (matches(def, ev))
		sat_pass(at, 0, item);
	return 0;
}

static const struct sat_op match = {
	.size = sizeof(match), .name = "match", .summary = "pass on what has a value in a field",
	.options = match_options, .define = match_define, .undefine = match_undefine, .item = match_item,
};

/* ---- tagged, tagged-all, tagged-any ------------------------------------- */

static const struct sat_option *const tagged_options[] = {
	SAT_OPTION("tagged", SAT_STRINGS, .required = true, .help = "tags, all of which are there"), NULL
};
static const struct sat_option *const all_options[] = {
	SAT_OPTION("tagged-all", SAT_STRINGS, .required = true, .help = "tags, all of which are there"), NULL
};
static const struct sat_option *const any_options[] = {
	SAT_OPTION("tagged-any", SAT_STRINGS, .required = true, .help = "tags, one of which is there"), NULL
};

/* Borrowed from the settings. */
static int tagged_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	*def = (void *)(uintptr_t)sat_conf_strings(conf, "tagged", NULL);
	return *def != NULL ? 0 : -ENOMEM;
}

static int all_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	*def = (void *)(uintptr_t)sat_conf_strings(conf, "tagged-all", NULL);
	return *def != NULL ? 0 : -ENOMEM;
}

static int any_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	*def = (void *)(uintptr_t)sat_conf_strings(conf, "tagged-any", NULL);
	return *def != NULL ? 0 : -ENOMEM;
}

static int all_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = judged(at, item);

	(void)state;
	if (ev == NULL)
		return -ENOMEM;
	for (const char *const *tag = def; *tag != NULL; tag++)
		if (!sat_tagged(ev, *tag))
			return 0;
	sat_pass(at, 0, item);
	return 0;
}

static int any_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = judged(at, item);
	const char *const *tag = def;

	(void)state;
	if (ev == NULL)
		return -ENOMEM;
	while (*tag != NULL && !sat_tagged(ev, *tag))
		tag++;
	if (*tag != NULL)
		sat_pass(at, 0, item);
	return 0;
}

static const struct sat_op tagged = {
	.size = sizeof(tagged), .name = "tagged", .summary = "pass on what has all of these tags",
	.options = tagged_options, .define = tagged_define, .item = all_item,
};
static const struct sat_op tagged_all = {
	.size = sizeof(tagged_all), .name = "tagged-all", .summary = "pass on what has all of these tags",
	.options = all_options, .define = all_define, .item = all_item,
};
static const struct sat_op tagged_any = {
	.size = sizeof(tagged_any), .name = "tagged-any", .summary = "pass on what has one of these tags",
	.options = any_options, .define = any_define, .item = any_item,
};

/* ---- within, without ---------------------------------------------------- */

struct range { struct sat_value low, high; };

static const struct sat_option *const within_options[] = {
	SAT_OPTION("within", SAT_ANY, .required = true, .help = "( low, high ): the metric passed on lies there"), NULL
};
static const struct sat_option *const without_options[] = {
	SAT_OPTION("without", SAT_ANY, .required = true, .help = "( low, high ): the metric passed on lies outside"),
	NULL
};

static bool number(const struct sat_conf *conf, struct sat_value *v)
{
	*v = sat_conf_value(conf);
	return v->kind == SAT_INT || v->kind == SAT_DOUBLE;
}

/* Two integers are compared as such: doubles do not hold all of them. */
static bool no_more(const struct sat_value *a, const struct sat_value *b)
{
	if (a->kind == SAT_INT && b->kind == SAT_INT)
		return a->i <= b->i;
	return (a->kind == SAT_INT ? (double)a->i : a->d) <= (b->kind == SAT_INT ? (double)b->i : b->d);
}

static int range_define(const struct sat_conf *list, void **def)
{
	struct range r, *copy;

	if (!sat_conf_is_list(list) || sat_conf_count(list) != 2 || !number(sat_conf_at(list, 0), &r.low) ||
	    !number(sat_conf_at(list, 1), &r.high))
		return sat_conf_error(list, NULL, "a list of two numbers is wanted");
	copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	*copy = r;
	*def = copy;
	return 0;
}

static int within_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return range_define(sat_conf_get(conf, "within"), def);
}

static int without_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return range_define(sat_conf_get(conf, "without"), def);
}

static bool has_metric(const struct sat_item *item)
{
	return !item->list && item->n == 1 && (item->evs[0]->has & SAT_HAS_METRIC);
}

static bool inside(const struct range *r, const struct sat_item *item)
{
	const struct sat_field metric = sat_field("metric");
	const struct sat_value m = sat_get(item->evs[0], &metric);

	return no_more(&r->low, &m) && no_more(&m, &r->high);
}

static int within_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	if (has_metric(item) && inside(def, item))
		sat_pass(at, 0, item);
	return 0;
}

static int without_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	if (has_metric(item) && !inside(def, item))
		sat_pass(at, 0, item);
	return 0;
}

static const struct sat_op within = {
	.size = sizeof(within), .name = "within", .summary = "pass on metrics in a range",
	.options = within_options, .define = within_define, .undefine = free, .item = within_item,
};
static const struct sat_op without = {
	.size = sizeof(without), .name = "without", .summary = "pass on metrics outside of a range",
	.options = without_options, .define = without_define, .undefine = free, .item = without_item,
};

SAT_MODULE(select,
	.name = "select", .version = SAT_VERSION, .summary = "operators that pass on what fits",
	.ops = (const struct sat_op *const[]){ &split, &splitp, &match, &tagged, &tagged_all, &tagged_any, &within,
					       &without, NULL });
