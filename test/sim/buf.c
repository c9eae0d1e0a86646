/* SPDX-License-Identifier: Apache-2.0 */
/* buf - text that grows. */
#include "buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *at)
{
	if (!at) {
		fputs("satellite-sim: out of memory\n", stderr);
		abort();
	}
	return at;
}

void *sim_calloc(size_t n, size_t size)
{
	return checked(calloc(n ? n : 1, size ? size : 1));
}

void *sim_realloc(void *at, size_t size)
{
	return checked(realloc(at, size ? size : 1));
}

char *sim_strdup(const char *s)
{
	return checked(strdup(s));
}

static void make_room(struct buf *b, size_t n)
{
	size_t room = b->room ? b->room : 256;

	if (b->room - b->len >= n)
		return;
	while (room - b->len < n)
		room *= 2;
	b->at = sim_realloc(b->at, room);
	b->room = room;
}

void buf_add(struct buf *b, const void *at, size_t n)
{
	if (n == 0)
		return;
	make_room(b, n);
	memcpy(b->at + b->len, at, n);
	b->len += n;
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
	make_room(b, 1);
	b->at[b->len++] = c;
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	make_room(b, 128);
	va_start(ap, fmt);
	n = vsnprintf(b->at + b->len, b->room - b->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= b->room - b->len) {
		make_room(b, (size_t)n + 1);
		va_start(ap, fmt);
		vsnprintf(b->at + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

void buf_eat(struct buf *b, size_t n)
{
	b->len -= n;
	if (b->len)
		memmove(b->at, b->at + n, b->len);
}

void buf_free(struct buf *b)
{
	free(b->at);
	memset(b, 0, sizeof(*b));
}
