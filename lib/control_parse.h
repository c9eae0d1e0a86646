/* SPDX-License-Identifier: Apache-2.0 */
/* control_parse - the head of an HTTP/1.x request, taken apart in place. */
#ifndef CONTROL_PARSE_H
#define CONTROL_PARSE_H

#include <satellite/module.h>

#define CONTROL_HEADERS 64
#define CONTROL_HEAD_MAX ((size_t)16 << 10)

struct control_head {
	const char *method, *path, *query;	/* query NULL: none */
	struct sat_attr headers[CONTROL_HEADERS];
	uint32_t n_headers;
	size_t body_len;
	bool old;		/* HTTP/1.0 */
	bool expects;		/* 100-continue */
};

/* text[0..len) ends with the empty line.  0, or the status to refuse it with. */
int control_parse(char *text, size_t len, struct control_head *out);

#endif
