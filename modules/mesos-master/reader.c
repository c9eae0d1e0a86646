/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader - one JSON document, read in pieces as they arrive, in fixed memory.
 *
 * yajl does not look at what its allocator returns, so it gets one that cannot
 * fail: a block taken beforehand, of which only the touched pages cost.  It is
 * never given back piece by piece, since yajl keeps its few buffers anyway.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "reader.h"

#define DEPTH_MAX	64
#define KEY_MAX		1024
#define SLICE		(16 << 10)
/*
 * A buffer of yajl's doubles, so one that holds a string of n bytes has used up
 * at most 4n, its former selves included.  Two buffers may hold the same string.
 * With no slice begun past USED_MAX, BLOCK is never used up.
 */
#define USED_MAX	(1 << 20)
#define BLOCK		(8 << 20)

struct reader {
	const struct reader_calls *calls;
	void *arg;
	yajl_handle yajl;
	unsigned depth, skipped;	/* containers entered; those inside a skipped one */
	int rc;
	uint64_t position;
	bool list[DEPTH_MAX];		/* of the containers entered */
	char key[KEY_MAX];
	size_t used, last;		/* of block; where its newest piece begins */
	_Alignas(16) char block[BLOCK];
};

static void *take(void *ctx, size_t n)
{
	struct reader *r = ctx;
	size_t at = (r->used + 15) & ~(size_t)15;

	assert(n <= BLOCK && at <= BLOCK - n);
	r->last = at;
	r->used = at + n;
	return r->block + at;
}

static void *retake(void *ctx, void *p, size_t n)
{
	struct reader *r = ctx;
	size_t had;
	void *fresh;

	if (p == NULL)
		return take(ctx, n);
	if (p == r->block + r->last) {
		assert(n <= BLOCK - r->last);
		r->used = r->last + n;
		return p;
	}
	had = r->used - (size_t)((char *)p - r->block);	/* at least its size; it grows, so n bounds it */
	fresh = take(ctx, n);
	return memcpy(fresh, p, had < n ? had : n);
}

static void give(void *ctx, void *p)
{
	(void)ctx;
	(void)p;
}

/* yajl wants 0 for "stop". */
static int go_on(struct reader *r, int rc)
{
	if (rc < 0)
		r->rc = rc;
	return rc >= 0;
}

static const char *key_of(struct reader *r)
{
	return r->depth == 0 || r->list[r->depth - 1] ? "" : r->key;
}

static int value(struct reader *r, const struct reader_value *v)
{
	return r->skipped || go_on(r, r->calls->value(r->arg, r->depth, key_of(r), v));
}

static int on_null(void *ctx)
{
	return value(ctx, &(struct reader_value){ .kind = READER_NULL });
}

static int on_bool(void *ctx, int truth)
{
	return value(ctx, &(struct reader_value){ .kind = READER_BOOL, .truth = truth });
}

static int on_number(void *ctx, const char *text, size_t len)
{
	return value(ctx, &(struct reader_value){ .kind = READER_NUMBER, .text = text, .len = len });
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
	struct reader_value v = { .kind = READER_TEXT, .text = (const char *)text, .len = len };

	return value(ctx, &v);
}

/* A key that does not fit, or holds a NUL, is nobody's. */
static int on_key(void *ctx, const unsigned char *key, size_t len)
{
	struct reader *r = ctx;

	if (r->skipped)
		return 1;
	if (len >= KEY_MAX || memchr(key, 0, len) != NULL)
		len = 0;
	memcpy(r->key, key, len);
	r->key[len] = '\0';
	return 1;
}

static int open_one(struct reader *r, bool list)
{
	int rc;

	if (r->depth + r->skipped >= DEPTH_MAX)
		return go_on(r, -E2BIG);
	if (r->skipped) {
		r->skipped++;
		return 1;
	}
	rc = r->calls->open(r->arg, r->depth, key_of(r), list);
	if (rc == READER_SKIP)
		r->skipped = 1;
	else if (rc == READER_ENTER)
		r->list[r->depth++] = list;
	return go_on(r, rc);
}

static int close_one(void *ctx)
{
	struct reader *r = ctx;

	if (r->skipped) {
		r->skipped--;
		return 1;
	}
	r->depth--;
	return go_on(r, r->calls->close(r->arg, r->depth));
}

static int on_map(void *ctx)
{
	return open_one(ctx, false);
}

static int on_array(void *ctx)
{
	return open_one(ctx, true);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_map,
	.yajl_map_key = on_key,
	.yajl_end_map = close_one,
	.yajl_start_array = on_array,
	.yajl_end_array = close_one,
};

struct reader *reader_new(const struct reader_calls *calls, void *arg)
{
	struct reader *r = malloc(sizeof(*r));

	if (r == NULL)
		return NULL;
	memset(r, 0, offsetof(struct reader, block));
	r->calls = calls;
	r->arg = arg;
	r->yajl = yajl_alloc(&callbacks, &(yajl_alloc_funcs){ take, retake, give, r }, r);
	/* An old Mesos passes a framework's bytes on as they are; what we keep is judged there. */
	yajl_config(r->yajl, yajl_dont_validate_strings, 1);
	yajl_config(r->yajl, yajl_allow_partial_values, 0);
	return r;
}

static int outcome(struct reader *r, yajl_status status)
{
	if (r->rc == 0 && status != yajl_status_ok)
		r->rc = -EBADMSG;
	return r->rc;
}

int reader_feed(struct reader *r, const void *p, size_t n)
{
	const unsigned char *text = p;

	while (n > 0 && r->rc == 0) {
		size_t slice = n < SLICE ? n : SLICE;

		if (r->used > USED_MAX)
			return r->rc = -E2BIG;
		if (outcome(r, yajl_parse(r->yajl, text, slice)) == 0)
			r->position += slice;
		else
			r->position += yajl_get_bytes_consumed(r->yajl);
		text += slice;
		n -= slice;
	}
	return r->rc;
}

int reader_end(struct reader *r)
{
	return r->rc != 0 ? r->rc : outcome(r, yajl_complete_parse(r->yajl));
}

int reader_result(const struct reader *r)
{
	return r->rc;
}

uint64_t reader_position(const struct reader *r)
{
	return r->position;
}

void reader_free(struct reader *r)
{
	if (r != NULL)
		yajl_free(r->yajl);
	free(r);
}

bool reader_number(const char *text, size_t len, struct sat_value *v)
{
	char copy[64], *end;
	double d;

	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	errno = 0;
	*v = (struct sat_value){ .kind = SAT_INT, .i = strtoll(copy, &end, 10) };
	if (*end == '\0' && errno == 0)
		return true;
	d = strtod(copy, &end);
	if (*end != '\0' || !isfinite(d))
		return false;
	/* Up to 2^53 a double tells neighbouring integers apart. */
	if (d == floor(d) && fabs(d) <= 9007199254740992.0)
		*v = (struct sat_value){ .kind = SAT_INT, .i = (int64_t)d };
	else
		*v = (struct sat_value){ .kind = SAT_DOUBLE, .d = d };
	return true;
}

bool reader_legal(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;

	while (n > 0) {
		unsigned more = *p < 0x80 ? 0 : *p >= 0xf0 && *p < 0xf5 ? 3 : *p >= 0xe0 ? 2 : 1;

		if (*p < 0x20 || *p == 0x7f || (*p >= 0x80 && *p < 0xc2) || *p >= 0xf5 || n <= more)
			return false;
		if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
		    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
			return false;
		for (p++, n--; more > 0; more--, p++, n--)
			if ((*p & 0xc0) != 0x80)
				return false;
	}
	return true;
}
