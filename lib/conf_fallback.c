/* SPDX-License-Identifier: Apache-2.0 */
/* conf_fallback - what stands for a setting that is not given, or that is wrong. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_node.h"

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

static struct sat_conf *add(struct sat_conf *group, const struct sat_option *o)
{
	struct sat_conf *s = conf_alloc(group->conf, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->conf = group->conf;
	s->parent = group;
	s->name = o->name;
	s->file = group->file;
	s->line = group->line;
	s->at = group->at;
	s->next = group->defaults;
	group->defaults = s;
	return s;
}

static int fall_back(struct sat_conf *group, const struct sat_option *o)
{
	struct sat_conf *s = add(group, o);
	int rc;

	if (s == NULL)
		return -ENOMEM;
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
	return rc == 0 ? conf_judge_one(s, o) : rc;
}

int conf_fall_back(struct sat_conf *group, const struct sat_option *o)
{
	int rc = fall_back(group, o);

	if (rc != 0)
		group->unusable = true;
	return rc;
}

/* ---- What is wrong ------------------------------------------------------ */

/* The nearest number that may stand there. */
static double within(const struct sat_option *o, double v)
{
	if (o->min == 0 && o->max == 0)
		return o->type == SAT_SECONDS && v < 0 ? 0 : v;
	if (v < o->min)
		return o->min;
	return v > o->max && o->max >= o->min ? o->max : v;
}

static int scalar_text(struct sat_conf *to, const struct sat_conf *given)
{
	char text[64] = "";

	if (given == NULL || given->shape != SCALAR)
		return conf_set_text(to, "");
	if (given->value.kind == SAT_BOOL)
		return conf_set_text(to, given->value.b ? "true" : "false");
	if (conf_is_number(given))
		snprintf(text, sizeof(text), "%.17g", conf_double(given));
	return conf_set_text(to, text);
}

/* 0; -EINVAL: nothing can stand for it. */
static int substitute(struct sat_conf *s, const struct sat_option *o, const struct sat_conf *given)
{
	switch (o->type) {
	case SAT_STRING:
		return scalar_text(s, given);
	case SAT_QUERY:
		return conf_set_text(s, "true");
	case SAT_INTEGER:
	case SAT_NUMBER:
	case SAT_SECONDS:
		s->value = (struct sat_value){ .kind = SAT_DOUBLE };
		s->value.d = within(o, given != NULL && conf_is_number(given) ? conf_double(given) : 1);
		return 0;
	case SAT_BOOLEAN:
		s->value = (struct sat_value){ .kind = SAT_BOOL };
		return 0;
	case SAT_STRINGS:
		s->shape = LIST;
		return 0;
	default:
		return -EINVAL;
	}
}

/* What is optional, and of another kind altogether, is as if it were not given. */
static bool dispensable(const struct sat_option *o, const struct sat_conf *given)
{
	bool number = o->type == SAT_INTEGER || o->type == SAT_NUMBER || o->type == SAT_SECONDS;

	return !o->required && o->type != SAT_STRING && !(number && conf_is_number(given));
}

void conf_stand_in(struct sat_conf *group, const struct sat_option *o, const struct sat_conf *given)
{
	struct sat_conf *s;

	if (given != NULL && given->strings != NULL)	/* a list of which some elements are good */
		return;
	if (o->fallback != NULL) {
		conf_fall_back(group, o);
		return;
	}
	if (given != NULL && dispensable(o, given))
		return;
	s = add(group, o);
	if (s != NULL)
		s->bad = true;
	if (s == NULL || substitute(s, o, given) != 0)
		group->unusable = true;
}
