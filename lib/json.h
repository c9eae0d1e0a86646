/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - a JSON document as a tree, with numbers as text, so that 64-bit
 * integers and 7.0 stay what they are.  sat_buf_event() and
 * sat_event_parse() of module.h live here.
 */
#ifndef JSON_H
#define JSON_H

#include "arena.h"
#include "event.h"

enum json_kind { JSON_NULL, JSON_TRUE, JSON_FALSE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
struct json {
	enum json_kind kind;
	const char *key;		/* in an object; else NULL */
	const char *text;		/* string, or a number as written; NUL-ended */
	size_t len;			/* of text, which may hold NULs */
	struct json *first, *next;	/* members, in order */
	uint32_t n;
};

/* One document; NULL: refused, error says why and where.  Depth is limited to 64. */
struct json *json_parse(struct arena *a, const char *text, size_t len, char *error, size_t size);
const struct json *json_get(const struct json *object, const char *key);	/* NULL: not there */
const char *json_text(const struct json *object, const char *key);	/* a string's or number's; "": not there */
bool json_int(const struct json *v, int64_t *i);		/* an integer as written, in range */
bool json_double(const struct json *v, double *d);
bool json_micros(const struct json *v, int64_t *t);	/* seconds with decimals, exactly to the microsecond */
void json_write(struct sat_buf *b, const struct json *v);	/* the same document again */

/* An event out of an object; time as ISO-8601 or seconds.  *time_null (may be
 * NULL): "time": null was given.  NULL: refused.  On loan, in the arena. */
struct event *json_event(struct arena *a, const struct json *object, bool *time_null,
			 char *error, size_t size);
/* As replay prints it: time in seconds with up to 6 decimals, absent fields
 * left out, a double with point or exponent; null where all are. */
void json_replay_event(struct sat_buf *b, const struct sat_event *ev);
void json_seconds(struct sat_buf *b, int64_t micros);	/* 1.5, 12, 0.000001 */

#endif
