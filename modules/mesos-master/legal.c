/* SPDX-License-Identifier: Apache-2.0 */
/* legal - numbers and texts of a Mesos master that are fit for an event. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "legal.h"

bool legal_number(const char *text, size_t len, struct sat_value *v)
{
	char copy[64], *end;
	double d;

	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	errno = 0;
	*v = (struct sat_value){ .kind = SAT_INT, .i = strtoll(copy, &end, 10) };
	if (*end == '\0' && errno == 0)
		return true;
	d = strtod(copy, &end);
	if (*end != '\0' || !isfinite(d))
		return false;
	/* Up to 2^53 a double tells neighbouring integers apart. */
	if (d == floor(d) && fabs(d) <= 9007199254740992.0)
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
