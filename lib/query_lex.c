/* SPDX-License-Identifier: Apache-2.0 */
/* query_lex - the words of a query: names, numbers, strings, operators. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "query_lex.h"

static const struct { const char *word; enum token token; struct sat_value value; } words[] = {
	{ "and", TOKEN_AND, { 0 } }, { "or", TOKEN_OR, { 0 } }, { "not", TOKEN_NOT, { 0 } },
	{ "tagged", TOKEN_TAGGED, { 0 } },
	{ "true", TOKEN_LITERAL, { .kind = SAT_BOOL, .b = true } },
	{ "false", TOKEN_LITERAL, { .kind = SAT_BOOL } },
	{ "nil", TOKEN_LITERAL, { .kind = SAT_NIL } },
	{ "null", TOKEN_LITERAL, { .kind = SAT_NIL } },
	{ "Infinity", TOKEN_LITERAL, { .kind = SAT_DOUBLE, .d = INFINITY } },
	{ "-Infinity", TOKEN_LITERAL, { .kind = SAT_DOUBLE, .d = -INFINITY } },
	{ "NaN", TOKEN_LITERAL, { .kind = SAT_DOUBLE, .d = NAN } },
};

static const struct { const char *sign; enum token token; } signs[] = {	/* the longer ones first */
	{ "=~", TOKEN_LIKE }, { "~=", TOKEN_REGEX }, { "!=", TOKEN_UNEQUAL }, { "<=", TOKEN_NOT_ABOVE },
	{ ">=", TOKEN_NOT_BELOW }, { "=", TOKEN_EQUAL }, { "<", TOKEN_BELOW }, { ">", TOKEN_ABOVE },
	{ "(", TOKEN_OPEN }, { ")", TOKEN_CLOSE },
};

static void wrong(struct lexer *l, const char *why)
{
	l->token = TOKEN_WRONG;
	l->why = why;
}

static bool in_name(const char *s)
{
	unsigned char c = (unsigned char)*s;

	if (c == '!')
		return s[1] != '=';
	return c > ' ' && c != 0x7f && strchr(",;\"'`()[]{}^\\=<>~", c) == NULL;
}

static const char *digits(const char *s)
{
	while (*s >= '0' && *s <= '9')
		s++;
	return s;
}

static char *copy(struct lexer *l, const char *end)
{
	size_t n = (size_t)(end - l->begin);
	char *s = memcpy(l->strings, l->begin, n);

	s[n] = '\0';
	l->strings += n + 1;
	return s;
}

static void integer(struct lexer *l, const char *s, bool big)
{
	errno = 0;
	l->value = (struct sat_value){ .kind = SAT_INT, .i = strtoll(s, NULL, 10) };
	if (errno != ERANGE)
		return;
	if (big)
		l->value = (struct sat_value){ .kind = SAT_DOUBLE, .d = strtod(s, NULL) };
	else
		wrong(l, "an integer of more than 64 bits");
}

/* 12, 12N, 12., 1.2e-3; a name may not follow at once. */
static void number(struct lexer *l)
{
	const char *whole = digits(l->at + (*l->at == '-')), *end = whole;
	bool big = *end == 'n' || *end == 'N';

	if (big)
		end++;
	else if (*end == '.')
		end = digits(end + 1);
	if (!big && (*end == 'e' || *end == 'E')) {
		const char *power = end + 1 + (end[1] == '-' || end[1] == '+');

		end = digits(power);
		if (end == power)
			end = power - 1;	/* no digits there: not a number */
	}
	l->token = TOKEN_LITERAL;
	if (in_name(end))
		wrong(l, "neither a number nor a name");
	else if (end == whole || big)
		integer(l, copy(l, whole), big);
	else
		l->value = (struct sat_value){ .kind = SAT_DOUBLE, .d = strtod(copy(l, end), NULL) };
	l->at = end;
}

static void name(struct lexer *l)
{
	const char *end = l->at;
	const char *s;

	while (in_name(end))
		end++;
	s = copy(l, end);
	l->at = end;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(s, words[i].word) == 0) {
			l->token = words[i].token;
			l->value = words[i].value;
			return;
		}
	l->token = TOKEN_NAME;
	l->value = (struct sat_value){ .kind = SAT_TEXT, .text = s };
}

static unsigned hex(char c)
{
	return c >= '0' && c <= '9' ? (unsigned)(c - '0') : (c | 32) >= 'a' && (c | 32) <= 'f' ?
		(unsigned)((c | 32) - 'a' + 10) : 16;
}

/* Four hexadecimal digits at s; over 0xffff: they are not. */
static unsigned unit(const char *s)
{
	unsigned u = 0;

	for (int i = 0; i < 4; i++) {
		unsigned h = hex(s[i]);

		if (h > 15)
			return 0x10000;
		u = u << 4 | h;
	}
	return u;
}

static char *utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 63));
		*to++ = (char)(0x80 | (c & 63));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 63));
		*to++ = (char)(0x80 | (c >> 6 & 63));
		*to++ = (char)(0x80 | (c & 63));
	}
	return to;
}

/* \uXXXX, or two of them that make one character.  NULL: neither. */
static const char *unicode(const char *s, char **to)
{
	unsigned c = unit(s), low;

	if (c == 0 || c > 0xffff)
		return NULL;
	s += 4;
	if (c >= 0xd800 && c < 0xdc00 && s[0] == '\\' && s[1] == 'u') {
		low = unit(s + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			s += 6;
		}
	}
	if (c >= 0xd800 && c < 0xe000)
		return NULL;
	*to = utf8(*to, c);
	return s;
}

/* The escapes of Riemann's strings; any other, such as \d in a regular
 * expression, stands for itself with its backslash. */
static const char *escape(const char *s, char **to)
{
	static const char from[] = "\"'\\ntrbf", into[] = "\"'\\\n\t\r\b\f";
	const char *at = *s != '\0' ? strchr(from, *s) : NULL;

	if (*s == 'u')
		return unicode(s + 1, to);
	if (at != NULL) {
		*(*to)++ = into[at - from];
		return s + 1;
	}
	*(*to)++ = '\\';
	return s;
}

static void string(struct lexer *l)
{
	char quote = *l->at, *to = l->strings;
	const char *s = l->at + 1;

	while (*s != quote) {
		if (*s == '\0') {
			wrong(l, "a string without its end");
			return;
		}
		if (*s != '\\') {
			*to++ = *s++;
			continue;
		}
		l->begin = s;
		s = escape(s + 1, &to);
		if (s == NULL) {
			wrong(l, "an escape that is no character");
			return;
		}
	}
	*to++ = '\0';
	l->token = TOKEN_STRING;
	l->value = (struct sat_value){ .kind = SAT_TEXT, .text = l->strings };
	l->strings = to;
	l->at = s + 1;
}

void lex_next(struct lexer *l)
{
	const char *s = l->at;

	while (*s == ' ' || (*s >= '\t' && *s <= '\r') || *s == ',')
		s++;
	l->at = l->begin = s;
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		size_t n = strlen(signs[i].sign);

		if (strncmp(s, signs[i].sign, n) == 0) {
			l->token = signs[i].token;
			l->at = s + n;
			return;
		}
	}
	if (*s == '\0')
		l->token = TOKEN_END;
	else if (*s == '"' || *s == '\'')
		string(l);
	else if ((s[0] >= '0' && s[0] <= '9') || (s[0] == '-' && s[1] >= '0' && s[1] <= '9'))
		number(l);
	else if (in_name(s))
		name(l);
	else
		wrong(l, "a sign that means nothing here");
}
