/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_judge - settings against tables of options: types, ranges, what is
 * unknown or missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf_node.h"

#define SECONDS_MAX	3155760000.0	/* a hundred years: times stay far from overflow */

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

/* An element that is no string stands as an empty one, which nothing more is said of. */
static int judge_strings(struct sat_conf *s)
{
	unsigned n = s->shape == LIST ? s->n : 1;
	int rc = 0;

	if (s->shape == GROUP || (s->shape == SCALAR && !conf_is_text(s)))
		return sat_conf_error(s, NULL, "must be a string or a list of strings");
	for (unsigned i = 0; i < s->n; i++) {
		if (conf_is_text(&s->kids[i]))
			continue;
		rc = sat_conf_error(&s->kids[i], NULL, "must be a string");
		s->kids[i].bad = true;
	}
	if (s->strings != NULL)
		return rc;
	s->strings = conf_alloc(s->conf, (n + 1) * sizeof(*s->strings));
	if (s->strings == NULL)
		return sat_conf_error(s, NULL, "%s", strerror(ENOMEM));
	for (unsigned i = 0; i < n; i++) {
		const struct sat_conf *element = s->shape == LIST ? &s->kids[i] : s;

		s->strings[i] = conf_is_text(element) ? element->value.text : "";
	}
	return rc;
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

int conf_judge_one(struct sat_conf *s, const struct sat_option *o)
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

static int judge_missing(struct sat_conf *group, const struct sat_option *const *table)
{
	int rc = 0;

	for (; table != NULL && *table != NULL; table++) {
		const struct sat_option *o = *table;
		int bad = 0;

		if (conf_find(group, o->name) != NULL || conf_default(group, o->name) != NULL)
			continue;
		if (o->required) {
			bad = sat_conf_error(group, o->name, "is missing");
			conf_stand_in(group, o, NULL);
		} else if (o->fallback != NULL) {
			bad = conf_fall_back(group, o);
		}
		if (bad == -ENOMEM)
			sat_conf_error(group, o->name, "%s", strerror(ENOMEM));
		if (bad != 0)
			rc = -EINVAL;
	}
	return rc;
}

static int judge_given(struct sat_conf *group, struct sat_conf *s)
{
	const struct sat_option *o = conf_option(group, s->name);
	int rc;

	if (o == NULL) {
		rc = judge_unknown(group, s);
		s->bad = true;
		return rc;
	}
	rc = conf_judge_one(s, o);
	if (rc == 0 && !s->bad)
		return 0;
	if (o->type == SAT_GROUP && s->shape == GROUP) {
		group->unusable = group->unusable || s->unusable;
		return rc;
	}
	s->bad = true;
	conf_stand_in(group, o, s);
	return -EINVAL;
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
	for (unsigned i = 0; i < group->n; i++)
		if (judge_given(group, &group->kids[i]) != 0)
			rc = -EINVAL;
	if (judge_missing(group, table) != 0)
		rc = -EINVAL;
	if (judge_missing(group, more) != 0)
		rc = -EINVAL;
	group->judged = true;
	group->verdict = rc;
	return rc;
}

bool conf_usable(const struct sat_conf *group)
{
	return group->judged && !group->unusable;
}
