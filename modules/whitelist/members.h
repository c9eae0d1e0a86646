/* SPDX-License-Identifier: Apache-2.0 */
/* members - the members of one JSON object or list, as decoded names and untouched text. */
#ifndef MEMBERS_H
#define MEMBERS_H

#include <stddef.h>
#include <stdint.h>

enum member_kind { M_NULL, M_BOOL, M_NUMBER, M_STRING, M_MAP, M_LIST };

struct member {
	enum member_kind kind;
	const char *key;		/* decoded, NUL-ended; NULL in a list */
	const char *raw_key, *raw;	/* as written; a key with its quotes */
	size_t raw_key_len, raw_len;
	const char *text;		/* a string, decoded, not NUL-ended */
	size_t len;
};

/* Call found() for each in turn; it may stop with anything but 0, which is
 * returned.  -EBADMSG: not one object or list, or a name with a NUL in it. */
int members_read(const char *json, size_t len,
		 int (*found)(void *arg, const struct member *m), void *arg);

/* A string member as a new NUL-ended text; NULL: no memory, or a NUL inside. */
char *member_text(const struct member *m);
double member_number(const struct member *m);	/* 0 if it is none */
int64_t member_micros(const struct member *m);	/* seconds, as microseconds */

#endif
