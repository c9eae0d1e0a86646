/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader - one JSON document, read in pieces as they arrive, in fixed memory.
 *
 * `level` is the depth of the container a thing stands in: 0 for the document
 * itself, 1 for a member of the outermost object, and so on.
 */
#ifndef READER_H
#define READER_H

#include <satellite/module.h>

enum reader_kind { READER_NULL, READER_BOOL, READER_NUMBER, READER_TEXT };

struct reader_value {
	enum reader_kind kind;
	bool truth;			/* of a bool */
	const char *text;		/* of a text, or a number as written; not NUL-ended */
	size_t len;
};

enum { READER_ENTER, READER_SKIP };

/* key is "" in a list.  A negative result ends the reading, and is its result. */
struct reader_calls {
	int (*open)(void *arg, unsigned level, const char *key, bool list);	/* READER_ENTER or _SKIP */
	int (*value)(void *arg, unsigned level, const char *key, const struct reader_value *v);
	int (*close)(void *arg, unsigned level);	/* of what was entered */
};

struct reader;

struct reader *reader_new(const struct reader_calls *calls, void *arg);	/* NULL: out of memory */
/* 0, -EBADMSG (not JSON), -E2BIG (too deep, or a string too long), or what a
 * call gave; from then on always the same. */
int reader_feed(struct reader *r, const void *p, size_t n);
int reader_result(const struct reader *r);
int reader_end(struct reader *r);		/* nothing more comes: was it whole? */
uint64_t reader_position(const struct reader *r);	/* bytes taken in; after an error, where it is */
void reader_free(struct reader *r);

/* A number as Mesos means it: an integer, even where it is written 3.0; else a
 * double.  false: neither is able to hold it. */
bool reader_number(const char *text, size_t len, struct sat_value *v);
/* UTF-8 without control characters: fit for an event and a file. */
bool reader_legal(const char *text, size_t len);

#endif
