/* SPDX-License-Identifier: Apache-2.0 */
/* query_parse - a query's text made a program: what query.c runs. */
#ifndef QUERY_PARSE_H
#define QUERY_PARSE_H

#include <satellite/module.h>

#define QUERY_MATCH	(UINT32_MAX - 1)	/* targets beyond every test */
#define QUERY_NO_MATCH	UINT32_MAX

enum query_what {
	QUERY_SAME_TEXT,	/* a text of the event itself, and a text */
	QUERY_PREFIX,		/* the same, and how it begins */
	QUERY_VALUE, QUERY_EXPIRED, QUERY_TAGGED, QUERY_EQUAL,
	QUERY_BELOW, QUERY_ABOVE, QUERY_NOT_ABOVE, QUERY_NOT_BELOW, QUERY_LIKE, QUERY_REGEX,
};

struct query_operand {
	bool is_field;
	struct sat_field field;
	struct sat_value value;
};

/* What stands between the % of a pattern; n is one more than there are of them. */
struct query_like {
	uint32_t n;
	struct { const char *text; size_t len; } pieces[];
};

/* What the two quick ones need stands in front, in one line of the cache. */
struct query_test {
	enum query_what what;
	uint32_t yes, no;		/* where to go on */
	uint16_t offset;		/* of the event's text in struct event */
	uint16_t measured;		/* where its length is; 0: nowhere, or it is another test */
	uint32_t len;			/* of this one */
	const char *text;
	struct query_operand left, right;
	struct query_like *like;
	struct regex *regex;
};

struct sat_query {
	struct query_test *tests;
	uint32_t n, room;
	char *text;			/* as it was written */
	char *strings;			/* names and literals lie here */
	const char *host, *service;	/* what every match has, or NULL */
};

/* A regular expression, matched anywhere in a text, within bounds. */
struct regex *regex_parse(const char *pattern, char *error, size_t size);	/* NULL: refused */
bool regex_match(const struct regex *r, const char *text);
void regex_free(struct regex *r);

#endif
