/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_judge - settings against tables of options: types, ranges, what is
 * unknown or missing; what is not given falls back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf_node.h"

#define SECONDS_MAX	3155760000.0	/* a hundred years: times stay far from overflow */

/* ---- Judging ------------------------------------------------------------ */

/* Edits it takes to make b of a (Levenshtein); at most 31 characters of each count. */
static unsigned distance(const char *a, const char *b)
{
	size_t n = strnlen(a, 31), m = strnlen(b, 31);
	unsigned row[32], corner, up;

	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		corner = row[0]++;
		for (size_t j = 1; j <= m; j++) {
			up = row[j];
			corner += a[i - 1] != b[j - 1];
			if (up + 1 < corner)
				corner = up + 1;
			if (row[j - 1] + 1 < corner)
				corner = row[j - 1] + 1;
			row[j] = corner;
			corner = up;
		}
	}
	return row[m];
}

static void nearest(const struct sat_option *const *table, const char *name, unsigned *best, const char **found)
{
	for (; table != NULL && *table != NULL; table++) {
		unsigned d = distance((*table)->name, name);

		if (d < *best) {
			*best = d;
			*found = (*table)->name;
		}
	}
}

static int judge_unknown(const struct sat_conf *group, const struct sat_conf *kid)
{
	unsigned best = 1 + (strlen(kid->name) + 2) / 3;
	const char *found = NULL;

	nearest(group->table, kid->name, &best, &found);
	nearest(group->more, kid->name, &best, &found);
	if (found != NULL)
		return sat_conf_error(kid, NULL, "is unknown; did you mean \"%s\"?", found);
	return sat_conf_error(kid, NULL, "is unknown");
}

static int judge_range(const struct sat_conf *s, const struct sat_option *o)
{
	double v = conf_double(s);

	if (o->type == SAT_SECONDS && v < 0)
		return sat_conf_error(s, NULL, "must be a number of seconds, 0 or more");
	if (o->type == SAT_SECONDS && v > SECONDS_MAX)
		return sat_conf_error(s, NULL, "must be at most %.0f seconds", SECONDS_MAX);
	if (o->min == 0 && o->max == 0)
		return 0;
	if (v < o->min && o->max < o->min)
		return sat_conf_error(s, NULL, "must be at least %.10g", o->min);
	if (v < o->min || (v > o->max && o->max >= o->min))
		return sat_conf_error(s, NULL, "must be from %.10g to %.10g", o->min, o->max);
	return 0;
}

static int judge_number(const struct sat_conf *s, const struct sat_option *o)
{
	if (!conf_is_number(s))
		return sat_conf_error(s, NULL, o->type == SAT_SECONDS ? "must be a number of seconds"
				      : o->type == SAT_INTEGER ? "must be an integer" : "must be a number");
	if (o->type == SAT_INTEGER && s->value.kind != SAT_INT)
		return sat_conf_error(s, NULL, "must be an integer");
	return judge_range(s, o);
}

static int judge_strings(struct sat_conf *s)
{
	unsigned n = s->shape == LIST ? s->n : 1;

	if (s->shape == GROUP || (s->shape == SCALAR && !conf_is_text(s)))
		return sat_conf_error(s, NULL, "must be a string or a list of strings");
	for (unsigned i = 0; i < s->n; i++) {
		if (!conf_is_text(&s->kids[i]))
			return sat_conf_error(&s->kids[i], NULL, "must be a string");
	}
	if (s->strings != NULL)
		return 0;
	s->strings = conf_alloc(s->conf, (n + 1) * sizeof(*s->strings));
	if (s->strings == NULL)
		return sat_conf_error(s, NULL, "%s", strerror(ENOMEM));
	for (unsigned i = 0; i < n; i++)
		s->strings[i] = s->shape == LIST ? s->kids[i].value.text : s->value.text;
	return 0;
}

static int judge_query(const struct sat_conf *s)
{
	struct sat_query *q;
	char error[256];

	if (!conf_is_text(s))
		return sat_conf_error(s, NULL, "must be a query, as a string");
	q = sat_query_parse(s->value.text, error, sizeof(error));
	if (q == NULL)
		return sat_conf_error(s, NULL, "%s", error);
	sat_query_free(q);
	return 0;
}

static int judge_one(struct sat_conf *s, const struct sat_option *o)
{
	switch (o->type) {
	case SAT_STRING:
		return conf_is_text(s) ? 0 : sat_conf_error(s, NULL, "must be a string");
	case SAT_INTEGER:
	case SAT_NUMBER:
	case SAT_SECONDS:
		return judge_number(s, o);
	case SAT_BOOLEAN:
		return s->shape == SCALAR && s->value.kind == SAT_BOOL ? 0 :
			sat_conf_error(s, NULL, "must be true or false");
	case SAT_STRINGS:
		return judge_strings(s);
	case SAT_QUERY:
		return judge_query(s);
	case SAT_GROUP:
		if (s->shape != GROUP)
			return sat_conf_error(s, NULL, "must be a group, { … }");
		return o->inner != NULL ? conf_judge(s, o->inner, NULL) : 0;
	case SAT_NODES:
		return s->shape != SCALAR || conf_is_text(s) ? 0 :
			sat_conf_error(s, NULL, "must be a stream: a string, a group or a list of them");
	case SAT_CLAUSES:
		return s->shape == LIST ? 0 : sat_conf_error(s, NULL, "must be a list of clauses");
	case SAT_ANY:
		return 0;
	}
	return sat_conf_error(s, NULL, "is of a type that this satellite does not know");
}

/* ---- What is not given, but falls back ---------------------------------- */

static int split_fallback(struct sat_conf *s, const char *text)
{
	static const char blanks[] = " \t";
	size_t words = 0;
	char *copy = conf_strdup(s->conf, text), *rest = NULL;

	s->shape = LIST;
	for (const char *p = text; *(p += strspn(p, blanks)) != '\0'; p += strcspn(p, blanks))
		words++;
	if (words > 0)
		s->kids = conf_alloc(s->conf, words * sizeof(*s->kids));
	if (copy == NULL || (words > 0 && s->kids == NULL))
		return -ENOMEM;
	for (char *w = strtok_r(copy, blanks, &rest); w != NULL; w = strtok_r(NULL, blanks, &rest)) {
		s->kids[s->n] = (struct sat_conf){ .conf = s->conf, .parent = s, .file = s->file,
			.value = { .kind = SAT_TEXT, .text = w } };
		s->n++;
	}
	return 0;
}

/* A word as it stands in the file: a number, true, false; anything else is a string. */
static int scan_fallback(struct sat_conf *s, const char *text)
{
	char *end = NULL;

	s->value = (struct sat_value){ .kind = SAT_INT, .i = strtoll(text, &end, 0) };
	if (end != text && *end == '\0')
		return 0;
	s->value = (struct sat_value){ .kind = SAT_DOUBLE, .d = strtod(text, &end) };
	if (end != text && *end == '\0')
		return 0;
	s->value = (struct sat_value){ .kind = SAT_BOOL, .b = strcmp(text, "true") == 0 };
	if (s->value.b || strcmp(text, "false") == 0)
		return 0;
	return conf_set_text(s, text);
}

static int add_fallback(struct sat_conf *group, const struct sat_option *o)
{
	struct sat_conf *s = conf_alloc(group->conf, sizeof(*s));
	int rc;

	if (s == NULL)
		return -ENOMEM;
	s->conf = group->conf;
	s->parent = group;
	s->name = o->name;
	s->file = group->file;
	s->line = group->line;
	switch (o->type) {
	case SAT_INTEGER:
	case SAT_NUMBER:
	case SAT_SECONDS:
	case SAT_BOOLEAN:
	case SAT_ANY:
		rc = scan_fallback(s, o->fallback);
		break;
	case SAT_STRINGS:
		rc = split_fallback(s, o->fallback);
		break;
	case SAT_GROUP:		/* "{}": one in which all falls back */
		s->shape = GROUP;
		rc = 0;
		break;
	default:
		rc = conf_set_text(s, o->fallback);
	}
	if (rc == 0)
		rc = judge_one(s, o);
	s->next = group->defaults;
	group->defaults = s;
	return rc;
}

static int judge_missing(struct sat_conf *group, const struct sat_option *const *table)
{
	int rc = 0;

	for (; table != NULL && *table != NULL; table++) {
		const struct sat_option *o = *table;
		int bad = 0;

		if (conf_find(group, o->name) != NULL || conf_default(group, o->name) != NULL)
			continue;
		if (o->required)
			bad = sat_conf_error(group, o->name, "is missing");
		else if (o->fallback != NULL)
			bad = add_fallback(group, o);
		if (bad == -ENOMEM)
			sat_conf_error(group, o->name, "%s", strerror(ENOMEM));
		if (bad != 0)
			rc = -EINVAL;
	}
	return rc;
}

int conf_judge(const struct sat_conf *judged, const struct sat_option *const *table,
	       const struct sat_option *const *more)
{
	/* Nodes are ours; const is for those who only read settings. */
	struct sat_conf *group = (struct sat_conf *)(uintptr_t)judged;
	int rc = 0;

	if (group->shape != GROUP)
		return sat_conf_error(group, NULL, "must be a group, { … }");
	if (group->judged && group->table == table && group->more == more)
		return group->verdict;
	group->table = table;
	group->more = more;
	for (unsigned i = 0; i < group->n; i++) {
		struct sat_conf *kid = &group->kids[i];
		const struct sat_option *o = conf_option(group, kid->name);

		if ((o != NULL ? judge_one(kid, o) : judge_unknown(group, kid)) != 0)
			rc = -EINVAL;
	}
	if (judge_missing(group, table) != 0)
		rc = -EINVAL;
	if (judge_missing(group, more) != 0)
		rc = -EINVAL;
	group->judged = true;
	group->verdict = rc;
	return rc;
}
