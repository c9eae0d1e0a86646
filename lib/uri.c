/* SPDX-License-Identifier: Apache-2.0 */
/* uri - paths and queries as they come over the wire. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "uri.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* Decode [p, end) to *out with a NUL.  segment: no control characters, no `/`, and `+` is a plus. */
static int decode(const char *p, const char *end, bool segment, char **out)
{
	for (; p < end; p++) {
		char c = *p;

		if (c == '%') {
			if (end - p < 3 || hex(p[1]) < 0 || hex(p[2]) < 0)
				return -EINVAL;
			c = (char)(hex(p[1]) << 4 | hex(p[2]));
			p += 2;
		} else if (c == '+' && !segment) {
			c = ' ';
		}
		if (c == '\0' || (segment && (c == '/' || control((unsigned char)c))))
			return -EINVAL;
		*(*out)++ = c;
	}
	*(*out)++ = '\0';
	return 0;
}

int uri_path(const char *raw, char *room, const char **segments)
{
	int n = 0;

	if (*raw != '/')
		return -EINVAL;
	while (*raw == '/') {
		const char *end = strchrnul(++raw, '/');

		if (n == URI_SEGMENTS)
			return -EINVAL;
		segments[n++] = room;
		if (decode(raw, end, true, &room) != 0)
			return -EINVAL;
		raw = end;
	}
	return n;
}

size_t uri_params(const char *raw)
{
	size_t n = 1;

	for (; *raw != '\0'; raw++)
		n += *raw == '&';
	return n;
}

int uri_query(const char *raw, char *room, struct uri_param *params)
{
	int n = 0;

	while (*raw != '\0') {
		const char *end = strchrnul(raw, '&'), *equals = memchr(raw, '=', (size_t)(end - raw));
		const char *name_end = equals != NULL ? equals : end;

		if (raw != end) {
			if (n == URI_PARAMS)
				return -EINVAL;
			params[n].name = room;
			if (decode(raw, name_end, false, &room) != 0)
				return -EINVAL;
			params[n++].value = room;
			if (decode(equals != NULL ? equals + 1 : end, end, false, &room) != 0)
				return -EINVAL;
		}
		raw = *end != '\0' ? end + 1 : end;
	}
	return n;
}

int uri_match(const char *pattern, const char *const *segments, int n, const char **values)
{
	int names = 0;

	for (int i = 0; i < n; i++) {
		const char *end;

		if (*pattern != '/')
			return -1;
		end = strchrnul(++pattern, '/');
		if (*pattern == '{') {
			if (*segments[i] == '\0')
				return -1;
			values[names++] = segments[i];
		} else if (strlen(segments[i]) != (size_t)(end - pattern) ||
			   memcmp(segments[i], pattern, (size_t)(end - pattern)) != 0) {
			return -1;
		}
		pattern = end;
	}
	return *pattern == '\0' ? names : -1;
}

int uri_name(const char *pattern, const char *name)
{
	size_t len = strlen(name);
	int i = 0;

	for (; (pattern = strchr(pattern, '{')) != NULL; i++) {
		pattern++;
		if (strncmp(pattern, name, len) == 0 && pattern[len] == '}')
			return i;
	}
	return -1;
}

void uri_encode(const char *s, char *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x80 && (isalnum(c) || strchr("-._~", c) != NULL)) {
			*out++ = (char)c;
			continue;
		}
		*out++ = '%';
		*out++ = digits[c >> 4];
		*out++ = digits[c & 15];
	}
	*out = '\0';
}
