/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unruly - what the process of an isolated group may do to its parent: this
 * program, started again with a word that says what.
 */
#ifndef UNRULY_H
#define UNRULY_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "buf.h"
#include "isolate.h"
#include "wire.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1, MUCH = 64 << 20 };
#else
enum { SANITIZED = 0, MUCH = 1 << 30 };		/* bytes */
#endif

enum { LARGE = 60000, MANY = 150000 };	/* bytes of a text; attributes of an event that still fits */

/* All of it; whoever does not take it has ended us. */
static inline void put(const void *p, size_t n)
{
	for (const char *at = p; n > 0;) {
		ssize_t put = write(ISOLATE_FD, at, n);

		if (put < 0 && errno != EINTR)
			_exit(0);
		at += put > 0 ? put : 0;
		n -= (size_t)(put > 0 ? put : 0);
	}
}

static inline void put_buf(struct sat_buf *b)
{
	put(b->p, b->len);
	sat_buf_free(b);
}

static inline void get(void *p, size_t n)
{
	for (char *at = p; n > 0;) {
		ssize_t got = read(ISOLATE_FD, at, n);

		if (got == 0 || (got < 0 && errno != EINTR))
			_exit(0);
		at += got > 0 ? got : 0;
		n -= (size_t)(got > 0 ? got : 0);
	}
}

static inline void add_word(struct sat_buf *b, const char *service, const char *state, int64_t value)
{
	wire_add(b, &(struct sat_event){ .size = sizeof(struct sat_event), .has = SAT_HAS_INT, .service = service,
					 .state = state, .metric.i = value });
}

static inline void say(const char *query, const char *service, const char *state, int64_t value)
{
	struct sat_buf b = { 0 };
	size_t from = query != NULL ? wire_begin_query(&b, query) : wire_begin(&b);

	add_word(&b, service, state, value);
	wire_end(&b, from);
	put_buf(&b);
}

static inline void done(void) { say(NULL, "done", "ok", 0); }

/* ---- What it does ------------------------------------------------------- */

static inline void longest(void) { put("\377\377\377\377", 4); }
static inline void too_long(void) { put("\0\20\0\1", 4); }
static inline void garbage(void) { put("\0\0\0\4\377\377\377\377", 8); }

/* An event whose length ends behind its message. */
static inline void beyond(void) { put("\0\0\0\2\62\177", 6); }

/* Each byte by itself, and the last message is half of one. */
static inline void half(void)
{
	struct sat_buf b = { 0 };

	for (int i = 0; i < 3; i++) {
		size_t from = wire_begin(&b);

		add_word(&b, i == 1 ? "done" : "s", "ok", i);
		wire_end(&b, from);
	}
	for (size_t i = 0; i < b.len - 5; i++)
		put(b.p + i, 1);
	_exit(3);
}

static inline void unknown(void)
{
	static const char fields[] = "\0\0\0\10" "\372\7\3abc" "\230\1";	/* 127: bytes, 19: a number, cut */
	static const char whole[] = "\0\0\0\11" "\372\7\3abc" "\230\1\7";

	put(whole, sizeof(whole) - 1);
	say("frob", "lost", "ok", 1);
	say("2", "lost", "ok", 1);
	say("-1", "lost", "ok", 1);
	say("", "lost", "ok", 1);
	done();
	put(fields, sizeof(fields) - 1);
}

/* Figures as large as they get, once in each of its lives. */
static inline void figures(void)
{
	static const int64_t values[] = { INT64_MAX, INT64_MIN, -1, INT64_MAX };

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		say(ISOLATE_BEAT, "runs", ISOLATE_COUNTER, values[i]);
		say(ISOLATE_BEAT, "no-such", ISOLATE_COUNTER, values[i]);
		say(ISOLATE_BEAT, "1", ISOLATE_TOOK, values[i]);
		say(ISOLATE_BEAT, "99999999999999999999", ISOLATE_TOOK, values[i]);
		say(ISOLATE_BEAT, "", ISOLATE_DROPPED, values[i]);
		say(ISOLATE_BEAT, "x", "frob", values[i]);
	}
	done();
	_exit(0);
}

/* n attributes of the name "a" to "p", so that few are left. */
static inline void attributes(uint32_t n)
{
	static const char one[] = { 9 << 3 | 2, 3, 1 << 3 | 2, 1, 'a' };
	struct sat_buf b = { .max = 64 << 20 };
	size_t from = wire_begin(&b), len = n * sizeof(one);
	char head[] = { 6 << 3 | 2, (char)(0x80 | (len & 0x7f)), (char)(0x80 | (len >> 7 & 0x7f)),
			(char)(0x80 | (len >> 14 & 0x7f)), (char)(len >> 21) };

	sat_buf_add(&b, head, sizeof(head));
	for (uint32_t i = 0; i < n; i++) {
		sat_buf_add(&b, one, sizeof(one));
		b.p[b.len - 1] += (char)(i % 16);
	}
	wire_end(&b, from);
	put_buf(&b);
	done();
}

static inline void many(void) { attributes(MANY); }
static inline void a_million(void) { attributes(1000000); }

/* As many events as a message can have: of each nothing but its tag and its length. */
static inline void empty(void)
{
	struct sat_buf b = { .max = 64 << 20 };
	size_t from = wire_begin(&b);

	while (b.len - from + 4 < ISOLATE_MESSAGE)
		sat_buf_add(&b, "\62\0", 2);
	wire_end(&b, from);
	put_buf(&b);
	done();
}

static inline void pour(void)
{
	static char text[LARGE + 1];
	struct sat_buf b = { 0 };
	size_t from = wire_begin(&b);

	memset(text, 'x', LARGE);
	wire_add(&b, &(struct sat_event){ .size = sizeof(struct sat_event), .service = "pour", .description = text });
	wire_end(&b, from);
	for (size_t n = 0; n < MUCH; n += b.len)
		put(b.p, b.len);
	sat_buf_free(&b);
	done();
}

static inline void print(void)
{
	static char text[LARGE];

	memset(text, 0, sizeof(text));
	memset(text, '\n', sizeof(text) / 2);
	for (size_t n = 0; n < MUCH; n += sizeof(text))
		if (write(STDERR_FILENO, text, sizeof(text)) < 0)
			_exit(0);
	done();
}

static inline void deaf(void) { close(ISOLATE_FD); pause(); }
static inline void mute(void) { close(STDERR_FILENO); done(); }
static inline void ends(void) { _exit(7); }
static inline void stays(void) { for (;;) pause(); }
static inline void behaves(void) { }

static const struct { const char *name; void (*does)(void); } behaviours[] = {
	{ "behaves", behaves }, { "longest", longest }, { "too-long", too_long }, { "garbage", garbage },
	{ "beyond", beyond }, { "half", half }, { "unknown", unknown }, { "figures", figures }, { "many", many },
	{ "a-million", a_million }, { "empty", empty }, { "pour", pour }, { "print", print }, { "deaf", deaf },
	{ "mute", mute }, { "ends", ends }, { "stays", stays },
};

/* The process itself: hear what there is to do, do the word's, then answer beats. */
static inline _Noreturn void child(const char *word)
{
	unsigned char head[4];
	char beat[6], text[1 << 16];
	size_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	get(head, sizeof(head));
	n = (size_t)head[2] << 8 | head[3];
	get(text, n);
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(*behaviours); i++)
		if (strcmp(behaviours[i].name, word) == 0)
			behaviours[i].does();
	for (;;) {
		get(beat, sizeof(beat));
		say(ISOLATE_BEAT, "", ISOLATE_DROPPED, 0);
	}
}

#endif
