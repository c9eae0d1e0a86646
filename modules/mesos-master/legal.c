/* SPDX-License-Identifier: Apache-2.0 */
/* legal - numbers and texts of a Mesos master that are fit for an event. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "legal.h"

/* Up to 2^53 a double tells neighbouring integers apart. */
#define EXACT 9007199254740992

/*
 * Most numbers are plain: "16", "0.25", "1795358342.123457".  Digits that make an exact
 * double over a power of ten that is one: their quotient is the double nearest to what
 * was written, as strtod() would find it in five times the time.
 */
static bool plain(const char *text, size_t len, struct sat_value *v)
{
	static const double powers[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
	size_t i, point = len;
	int64_t n = 0;
	double d;

	for (i = 0; i < len; i++) {
		if (text[i] == '.' && point == len && i > 0 && i + 1 < len)
			point = i + 1;
		else if (text[i] >= '0' && text[i] <= '9' && n < EXACT / 10)
			n = n * 10 + (text[i] - '0');
		else
			return false;
	}
	if (len - point >= sizeof(powers) / sizeof(*powers))
		return false;
	d = (double)n / powers[len - point];
	if (d == (double)(int64_t)d)
		*v = (struct sat_value){ .kind = SAT_INT, .i = (int64_t)d };
	else
		*v = (struct sat_value){ .kind = SAT_DOUBLE, .d = d };
	return true;
}

bool legal_number(const char *text, size_t len, struct sat_value *v)
{
	char copy[64], *end;
	double d;

	if (len == 0 || len >= sizeof(copy))
		return false;
	if (plain(text, len, v))
		return true;
	memcpy(copy, text, len);
	copy[len] = '\0';
	errno = 0;
	*v = (struct sat_value){ .kind = SAT_INT, .i = strtoll(copy, &end, 10) };
	if (*end == '\0' && errno == 0)
		return true;
	d = strtod(copy, &end);
	if (*end != '\0' || !isfinite(d))
		return false;
	if (d == floor(d) && fabs(d) <= EXACT)
		*v = (struct sat_value){ .kind = SAT_INT, .i = (int64_t)d };
	else
		*v = (struct sat_value){ .kind = SAT_DOUBLE, .d = d };
	return true;
}

bool legal_text(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;

	while (n > 0) {
		unsigned more = *p < 0x80 ? 0 : *p >= 0xf0 && *p < 0xf5 ? 3 : *p >= 0xe0 ? 2 : 1;

		if (*p < 0x20 || *p == 0x7f || (*p >= 0x80 && *p < 0xc2) || *p >= 0xf5 || n <= more)
			return false;
		if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
		    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
			return false;
		for (p++, n--; more > 0; more--, p++, n--)
			if ((*p & 0xc0) != 0x80)
				return false;
	}
	return true;
}
