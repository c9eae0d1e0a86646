/* SPDX-License-Identifier: Apache-2.0 */
/* buf - growing buffers of text, each with a maximum. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

#define MAX_DEFAULT ((size_t)16 << 20)

/* One byte is always left for a NUL, so that p can be read as a string. */
static bool grow(struct sat_buf *b, size_t n)
{
	size_t max = b->max != 0 ? b->max : MAX_DEFAULT, size = b->size != 0 ? b->size : 256;
	char *p;

	if (b->full || n > max - b->len)
		goto full;
	while (size - b->len <= n)
		size *= 2;
	if (size > max)
		size = max + 1;
	p = realloc(b->p, size);
	if (p == NULL)
		goto full;
	b->p = p;
	b->size = size;
	return true;
full:
	b->full = true;
	return false;
}

char *buf_room(struct sat_buf *b, size_t n)
{
	if (b->full || (b->size - b->len <= n && !grow(b, n)))
		return NULL;
	return b->p + b->len;
}

void sat_buf_add(struct sat_buf *b, const void *p, size_t n)
{
	char *to = buf_room(b, n);

	if (to == NULL)
		return;
	if (n != 0)
		memcpy(to, p, n);
	b->len += n;
	b->p[b->len] = '\0';
}

void sat_buf_printf(struct sat_buf *b, const char *fmt, ...)
{
	char small[256], *to;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n < sizeof(small)) {
		sat_buf_add(b, small, (size_t)n);
		return;
	}
	to = buf_room(b, (size_t)n);
	if (to == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

/* How many bytes the UTF-8 character at s has; 0: it is not one. */
static size_t character(const unsigned char *s, size_t n)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what lies past U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

void buf_mend(char *s, size_t n)
{
	unsigned char *p = (unsigned char *)s, *end = p + n;
	uint64_t word;

	while (p < end) {
		size_t len;

		if (end - p >= 8 && (memcpy(&word, p, 8), word & 0x8080808080808080u) == 0) {
			p += 8;		/* ASCII, as nearly all of it is */
			continue;
		}
		len = character(p, (size_t)(end - p));
		if (len == 0 && end - p >= 3 && p[0] == 0xed && p[1] > 0x9f && (p[2] & 0xc0) == 0x80)
			memcpy(p, "\xef\xbf\xbd", len = 3);
		else if (len == 0)
			*p = '?', len = 1;
		p += len;
	}
}

static void escape(struct sat_buf *b, unsigned char c)
{
	static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
	const char *at = c != 0 ? strchr(from, c) : NULL;

	if (at != NULL)
		sat_buf_add(b, (char[]){ '\\', to[at - from] }, 2);
	else
		sat_buf_printf(b, "\\u%04x", c);
}

/* What is not UTF-8 becomes U+FFFD, since JSON has no other text. */
void buf_quote(struct sat_buf *b, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + n, *plain = p;

	sat_buf_add(b, "\"", 1);
	while (p < end) {
		size_t len = character(p, (size_t)(end - p));

		if (len > 1 || (len == 1 && *p >= ' ' && *p != '"' && *p != '\\')) {
			p += len;
			continue;
		}
		sat_buf_add(b, plain, (size_t)(p - plain));
		if (len == 0)
			sat_buf_add(b, "\xef\xbf\xbd", 3);
		else
			escape(b, *p);
		plain = ++p;
	}
	sat_buf_add(b, plain, (size_t)(p - plain));
	sat_buf_add(b, "\"", 1);
}

void sat_buf_json(struct sat_buf *b, const char *s)
{
	if (s == NULL)
		sat_buf_add(b, "null", 4);
	else
		buf_quote(b, s, strlen(s));
}

void sat_buf_double(struct sat_buf *b, double d)
{
	char s[32];
	int n = 0;

	if (!isfinite(d)) {	/* JSON has no word for it */
		buf_text(b, "null");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(s, sizeof(s), "%.*g", digits, d);
		if (strtod(s, NULL) == d)
			break;
	}
	sat_buf_add(b, s, (size_t)n);
	if (strpbrk(s, ".e") == NULL)
		buf_text(b, ".0");
}

void sat_buf_free(struct sat_buf *b)
{
	free(b->p);
	*b = (struct sat_buf){ .max = b->max };
}
