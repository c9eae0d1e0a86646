/* SPDX-License-Identifier: Apache-2.0 */
/* head - where a request ends, and no more of what it says: that is civetweb's to read. */
#ifndef HEAD_H
#define HEAD_H

#include <satellite/module.h>

#define HEAD_MAX ((size_t)16 << 10)

struct head {
	size_t len;		/* 0: not whole yet */
	uint64_t body;		/* bytes that follow, where it is not chunked */
	bool chunked, upgrade, expects;	/* upgrade: to a WebSocket; expects: 100-continue */
};

/* 0, or the status to refuse it with.  Stricter than civetweb, so that both see the same end. */
int head_read(const char *p, size_t n, struct head *out);

/* Cut "http://host" off the request line of p[0..n), whose head was read: civetweb has another port than
 * the one that is meant there.  The new n. */
size_t head_shorten(char *p, size_t n, struct head *head);

/* A chunked body (RFC 9112, 7.1), as it comes; zero at first. */
struct chunks {
	enum { CHUNK_SIZE, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_CR, CHUNK_LF, CHUNK_TRAILER, CHUNK_DONE } at;
	unsigned digits;
	size_t left, total;	/* of this chunk; of all */
	size_t line;		/* bytes of a trailer */
};

/* Whole when at is CHUNK_DONE.  0, or the status to refuse it with. */
int chunks_read(struct chunks *c, const char *p, size_t n);

#endif
