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

/* Empty lines before a request are ignored (RFC 9112, 2.2). */
void head_skip(struct sat_buf *in);

/* 0, or the status to refuse it with.  Stricter than civetweb, so that both see the same end. */
int head_read(const char *p, size_t n, struct head *out);

/* civetweb gives an answer only where a path is asked for: "http://host" is cut off it (and names another
 * port than civetweb's), and "*", which OPTIONS may ask for, becomes HEAD_ALL.  The head was read; what follows
 * it in the buffer is kept.  0, or the status to refuse it with. */
#define HEAD_ALL "/*"
int head_path(struct sat_buf *in, struct head *head);

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
