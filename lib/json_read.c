/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_read - a JSON document as it comes, in pieces or whole: sat_json_*() of module.h, over yajl.
 *
 * yajl does not look at what its allocator returns, so it gets one that cannot
 * fail: a block taken beforehand, of which only the touched pages cost.  It is
 * never given back piece by piece, since yajl keeps its few buffers anyway.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yajl/yajl_parse.h>

#include <satellite/module.h>

#define DEPTH_MAX	64
#define SLICE		((size_t)16 << 10)
/*
 * A buffer of yajl's doubles, so one that holds a string of n bytes has used up
 * at most 4n, its former selves included.  Two buffers may hold the same string.
 * Of a whole text no string is longer than all of it; of pieces, no slice is
 * begun past USED_MAX.  So neither block is ever used up.
 */
#define OWN		((size_t)16 << 10)	/* what yajl has besides */
#define USED_MAX	((size_t)1 << 20)
#define BLOCK		((size_t)8 << 20)

struct sat_json {
	struct sat_json_calls calls;
	void *arg;
	yajl_handle yajl;
	unsigned depth, skipped;	/* containers entered; those inside a skipped one */
	int rc;
	bool inside;			/* yajl_parse() runs */
	size_t len;			/* of the whole text; 0: not known */
	uint64_t taken;			/* bytes of the pieces before */
	bool list[DEPTH_MAX];		/* of the containers entered */
	char *key;
	size_t key_size;
	size_t size, used, last;	/* of block; where its newest piece begins */
	_Alignas(16) char block[];
};

/* ---- yajl's memory ------------------------------------------------------ */

static void *take(void *ctx, size_t n)
{
	struct sat_json *j = ctx;
	size_t at = (j->used + 15) & ~(size_t)15;

	assert(n <= j->size && at <= j->size - n);
	j->last = at;
	j->used = at + n;
	return j->block + at;
}

static void *retake(void *ctx, void *p, size_t n)
{
	struct sat_json *j = ctx;
	size_t had;
	void *fresh;

	if (p == NULL)
		return take(ctx, n);
	if (p == j->block + j->last) {
		assert(n <= j->size - j->last);
		j->used = j->last + n;
		return p;
	}
	had = j->used - (size_t)((char *)p - j->block);	/* at least its size; it grows, so n bounds it */
	fresh = take(ctx, n);
	return memcpy(fresh, p, had < n ? had : n);
}

static void give(void *ctx, void *p)
{
	(void)ctx;
	(void)p;
}

/* ---- What yajl finds ---------------------------------------------------- */

/* yajl wants 0 for "stop". */
static int go_on(struct sat_json *j, int rc)
{
	if (rc < 0)
		j->rc = rc;
	return rc >= 0;
}

static const char *key_of(const struct sat_json *j)
{
	return j->depth == 0 || j->list[j->depth - 1] ? "" : j->key;
}

static int value(struct sat_json *j, const struct sat_json_value *v)
{
	return j->skipped != 0 || go_on(j, j->calls.value(j->arg, j->depth, key_of(j), v));
}

static int on_null(void *ctx)
{
	return value(ctx, &(struct sat_json_value){ .kind = SAT_JSON_NULL });
}

static int on_bool(void *ctx, int truth)
{
	return value(ctx, &(struct sat_json_value){ .kind = SAT_JSON_BOOL, .truth = truth != 0 });
}

static int on_number(void *ctx, const char *text, size_t len)
{
	return value(ctx, &(struct sat_json_value){ .kind = SAT_JSON_NUMBER, .text = text, .len = len });
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
	return value(ctx, &(struct sat_json_value){ .kind = SAT_JSON_TEXT, .text = (const char *)text, .len = len });
}

static int on_key(void *ctx, const unsigned char *key, size_t len)
{
	struct sat_json *j = ctx;
	char *more;

	if (j->skipped != 0)
		return 1;
	if (memchr(key, '\0', len) != NULL) {
		if (!j->calls.lax)
			return go_on(j, -EBADMSG);
		len = 0;
	}
	if (len >= j->key_size) {
		more = realloc(j->key, len + 64);
		if (more == NULL)
			return go_on(j, -ENOMEM);
		j->key = more;
		j->key_size = len + 64;
	}
	memcpy(j->key, key, len);
	j->key[len] = '\0';
	return 1;
}

static int open_one(struct sat_json *j, bool list)
{
	int rc;

	if (j->depth + j->skipped >= DEPTH_MAX)
		return go_on(j, -E2BIG);
	if (j->skipped != 0) {
		j->skipped++;
		return 1;
	}
	rc = j->calls.open(j->arg, j->depth, key_of(j), list);
	if (rc == SAT_JSON_SKIP)
		j->skipped = 1;
	else if (rc == SAT_JSON_ENTER)
		j->list[j->depth++] = list;
	return go_on(j, rc);
}

static int close_one(void *ctx)
{
	struct sat_json *j = ctx;

	if (j->skipped != 0) {
		j->skipped--;
		return 1;
	}
	j->depth--;
	return go_on(j, j->calls.close != NULL ? j->calls.close(j->arg, j->depth) : 0);
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
	.yajl_null = on_null, .yajl_boolean = on_bool, .yajl_number = on_number, .yajl_string = on_string,
	.yajl_start_map = on_map, .yajl_map_key = on_key, .yajl_end_map = close_one,
	.yajl_start_array = on_array, .yajl_end_array = close_one,
};

/* ---- Reading ------------------------------------------------------------ */

struct sat_json *sat_json_new(const struct sat_json_calls *calls, void *arg, size_t len)
{
	size_t size = len == 0 ? BLOCK : OWN + 8 * len;
	struct sat_json *j = len <= SIZE_MAX / 16 ? malloc(sizeof(*j) + size) : NULL;

	if (j == NULL)
		return NULL;
	memset(j, 0, sizeof(*j));
	memcpy(&j->calls, calls, calls->size < sizeof(j->calls) ? calls->size : sizeof(j->calls));
	j->arg = arg;
	j->len = len;
	j->size = size;
	j->yajl = yajl_alloc(&callbacks, &(yajl_alloc_funcs){ take, retake, give, j }, j);
	yajl_config(j->yajl, yajl_dont_validate_strings, (int)j->calls.lax);
	return j;
}

static int outcome(struct sat_json *j, yajl_status status)
{
	if (j->rc == 0 && status != yajl_status_ok)
		j->rc = -EBADMSG;
	return j->rc;
}

static void feed_slice(struct sat_json *j, const unsigned char *p, size_t n)
{
	yajl_status status;

	j->inside = true;
	status = yajl_parse(j->yajl, p, n);
	j->inside = false;
	j->taken += outcome(j, status) == 0 ? n : yajl_get_bytes_consumed(j->yajl);
}

int sat_json_feed(struct sat_json *j, const void *p, size_t n)
{
	const unsigned char *text = p;

	if (j->calls.lax && j->taken == 0 && n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		j->taken += 3;
		text += 3;
		n -= 3;
	}
	for (size_t slice; n > 0 && j->rc == 0; text += slice, n -= slice) {
		slice = n < SLICE || j->len != 0 ? n : SLICE;
		if (j->len != 0 ? j->taken + n > j->len : j->used > USED_MAX)
			return j->rc = -E2BIG;
		feed_slice(j, text, slice);
	}
	return j->rc;
}

int sat_json_end(struct sat_json *j)
{
	return j->rc != 0 ? j->rc : outcome(j, yajl_complete_parse(j->yajl));
}

uint64_t sat_json_position(const struct sat_json *j)
{
	return j->taken + (j->inside ? yajl_get_bytes_consumed(j->yajl) : 0);
}

void sat_json_free(struct sat_json *j)
{
	if (j == NULL)
		return;
	yajl_free(j->yajl);
	free(j->key);
	free(j);
}

/* yajl's words end with a newline; ours add where. */
static void explain(struct sat_json *j, char *error, size_t size)
{
	char *words = j->rc == -EBADMSG ? (char *)yajl_get_error(j->yajl, 0, NULL, 0) : NULL;

	if (j->rc == -ENOMEM)
		snprintf(error, size, "out of memory");
	else
		snprintf(error, size, "at byte %llu: %.*s", (unsigned long long)j->taken,
			 words != NULL ? (int)strcspn(words, "\n") : 200,
			 words != NULL ? words : j->rc == -E2BIG ? "nested too deep" : strerror(-j->rc));
}

/* Letters that are no number, but what some programs write for one: NaN, inf, -Infinity. */
static size_t no_number(const char *s, size_t n)
{
	size_t sign = n > 0 && *s == '-', len = sign;

	while (len < n && (s[len] | 32) >= 'a' && (s[len] | 32) <= 'z')
		len++;
	if ((len - sign == 3 && (strncasecmp(s + sign, "nan", 3) == 0 || strncasecmp(s + sign, "inf", 3) == 0)) ||
	    (len - sign == 8 && strncasecmp(s + sign, "infinity", 8) == 0))
		return len;
	return 0;
}

/* The next of them outside of strings, and its length; len: there is none. */
static size_t find_no_number(const char *s, size_t len, size_t at, size_t *n)
{
	bool inside = false;

	for (; at < len; at++) {
		if (s[at] == '"')
			inside = !inside;
		else if (inside && s[at] == '\\')
			at++;
		else if (!inside && (s[at] == '-' || (s[at] | 32) == 'n' || (s[at] | 32) == 'i') &&
			 (*n = no_number(s + at, len - at)) > 0)
			return at;
	}
	return len;
}

/* A copy with "" in their places, where there are any: one such must not cost all the others. */
static const void *without_no_numbers(const void *text, size_t len, char **copy)
{
	size_t n, at = find_no_number(text, len, 0, &n);

	if (at == len || (*copy = malloc(len)) == NULL)
		return text;
	memcpy(*copy, text, len);
	for (; at < len; at = find_no_number(*copy, len, at, &n)) {
		memset(*copy + at, ' ', n);
		memset(*copy + at, '"', 2);
		at += n;
	}
	return *copy;
}

int sat_json_read(const void *text, size_t len, const struct sat_json_calls *calls, void *arg,
		  char *error, size_t size)
{
	struct sat_json *j = sat_json_new(calls, arg, len);
	char *copy = NULL;
	int rc;

	if (j == NULL) {
		snprintf(error, size, "out of memory");
		return -ENOMEM;
	}
	if (j->calls.lax)
		text = without_no_numbers(text, len, &copy);
	rc = sat_json_feed(j, text, len);
	if (rc == 0)
		rc = sat_json_end(j);
	if (rc != 0)
		explain(j, error, size);
	sat_json_free(j);
	free(copy);
	return rc;
}
