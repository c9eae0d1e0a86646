/* SPDX-License-Identifier: Apache-2.0 */
/* query_lex - the words of a query. */
#ifndef QUERY_LEX_H
#define QUERY_LEX_H

#include <satellite/module.h>

enum token {
	TOKEN_END, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_AND, TOKEN_OR, TOKEN_NOT, TOKEN_TAGGED,
	TOKEN_LITERAL, TOKEN_STRING, TOKEN_NAME,
	TOKEN_EQUAL, TOKEN_UNEQUAL, TOKEN_BELOW, TOKEN_ABOVE, TOKEN_NOT_ABOVE, TOKEN_NOT_BELOW,
	TOKEN_LIKE, TOKEN_REGEX,
	TOKEN_WRONG,			/* why says what is wrong */
};

struct lexer {
	const char *text, *at;		/* all of it, and where to read on */
	char *strings;			/* where names and strings go; twice the text, and two bytes, do */
	enum token token;		/* the one that lex_next() has read: */
	const char *begin;		/* where it stands */
	struct sat_value value;		/* of a literal or string, and a name's text */
	const char *why;
};

void lex_next(struct lexer *l);

#endif
