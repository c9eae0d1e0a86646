/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit - where a number begins to be bad: from a number on, or by a range as plugins take it.
 *
 * "10" is 0 to 10, "10:" from 10 on, "~:10" up to 10, "10:20" between both: what
 * lies outside is bad, and the ends do not; with an @ in front, what lies within.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

static bool number(const char **s, double *d)
{
	char *end;

	if (**s == '\0' || strchr("+-.0123456789", **s) == NULL)
		return false;
	*d = strtod(*s, &end);
	if (end == *s || !isfinite(*d))
		return false;
	*s = end;
	return true;
}

static bool range(struct limit *l, const char *s)
{
	bool colon;

	l->inside = *s == '@';
	s += l->inside;
	l->from = 0;
	l->to = INFINITY;
	if (*s == '~') {
		l->from = -INFINITY;
		if (*++s != ':')
			return false;
	} else if (*s != ':' && !number(&s, &l->from)) {
		return false;
	}
	colon = *s == ':';
	if (!colon) {
		l->to = l->from;
		l->from = 0;
	} else if (*++s != '\0' && !number(&s, &l->to)) {
		return false;
	}
	return *s == '\0';
}

const char *limit_read(struct limit *l, struct sat_value v)
{
	switch (v.kind) {
	case SAT_INT:
	case SAT_DOUBLE:
		l->kind = LIMIT_NUMBER;
		l->from = v.kind == SAT_INT ? (double)v.i : v.d;
		return NULL;
	case SAT_TEXT:
		l->kind = LIMIT_RANGE;
		l->text = v.text + (v.text[0] == '@');
		if (!range(l, v.text))
			return "is no range such as \"10\", \"10:\", \"~:10\", \"10:20\" or \"@10:20\"";
		return l->from <= l->to ? NULL : "is a range that ends before it begins";
	default:
		return "is neither a number nor a range";
	}
}

bool limit_passed(const struct limit *l, bool low, double value)
{
	switch (l->kind) {
	case LIMIT_NUMBER:
		return low ? value <= l->from : value >= l->from;
	case LIMIT_RANGE:
		return (value >= l->from && value <= l->to) == l->inside;
	default:
		return false;
	}
}
