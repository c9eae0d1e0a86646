/* SPDX-License-Identifier: Apache-2.0 */
/* buf - text that grows; a simulator without memory ends. */
#ifndef SIM_BUF_H
#define SIM_BUF_H

#include <stddef.h>

struct buf {
	char *at;	/* not NUL-terminated; NULL while empty */
	size_t len, room;
};

/* Like calloc() and realloc(), but never NULL. */
void *sim_calloc(size_t n, size_t size);
void *sim_realloc(void *at, size_t size);
char *sim_strdup(const char *s);

void buf_add(struct buf *b, const void *at, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Drop the first n bytes. */
void buf_eat(struct buf *b, size_t n);
void buf_free(struct buf *b);

#endif
