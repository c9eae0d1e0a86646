/* SPDX-License-Identifier: Apache-2.0 */
/* records - RecordIO as it comes: "LENGTH\n" and so many bytes, again and again. */
#ifndef RECORDS_H
#define RECORDS_H

#include <satellite/module.h>

#define RECORDS_WHOLE	((size_t)64 << 10)	/* one so long is given whole, a longer one in pieces */

struct records_calls {		/* not 0 ends the reading, and is its result */
	int (*whole)(void *arg, const char *text, size_t n);
	int (*begin)(void *arg, uint64_t len);
	int (*piece)(void *arg, const void *p, size_t n);
	int (*end)(void *arg);
};

struct records {
	const struct records_calls *calls;
	void *arg;
	uint64_t max;			/* of a record */
	uint64_t len, left;		/* of the one that comes */
	unsigned digits;		/* of its length, so far */
	bool inside;
	struct sat_buf buf;		/* the beginning of one that is to be whole */
};

void records_init(struct records *r, uint64_t max, const struct records_calls *calls, void *arg);
/* 0; -EBADMSG: no length; -EFBIG: one is too long; -ENOMEM; or what a call gave. */
int records_feed(struct records *r, const void *p, size_t n);
void records_free(struct records *r);

#endif
