/* SPDX-License-Identifier: Apache-2.0 */
/* buf - growing buffers of text: sat_buf_*() of module.h, and what only the host needs. */
#ifndef BUF_H
#define BUF_H

#include <satellite/module.h>

/* Room for n bytes more, to be filled in and added to b->len; NULL: full. */
char *buf_room(struct sat_buf *b, size_t n);
void buf_quote(struct sat_buf *b, const char *s, size_t n);	/* as a JSON string; s may hold NULs */

/*
 * Make the n bytes at s UTF-8 where they are: half a surrogate pair becomes
 * U+FFFD, any other byte that is part of no character '?'.  Any thread.
 */
void buf_mend(char *s, size_t n);

static inline void buf_text(struct sat_buf *b, const char *s) { sat_buf_add(b, s, __builtin_strlen(s)); }

#endif
