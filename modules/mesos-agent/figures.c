/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figures - a Mesos agent's counts of tasks, out of its metrics/snapshot.
 *
 * yajl trusts its allocator, so it gets memory taken beforehand: of a text that
 * comes in one piece it copies no more than one string, in buffers that double.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "figures.h"

#define DEPTH_MAX	64

const char *const figures_keys[FIGURES] = {
	"slave/tasks_failed", "slave/tasks_finished", "slave/tasks_killed", "slave/tasks_lost",
	"slave/tasks_running", "slave/tasks_staging", "slave/tasks_starting",
};

struct reading {
	struct figures *figures;
	unsigned depth;
	int key;		/* the figure that comes next, or -1 */
	size_t used, size;
	_Alignas(16) char block[];
};

static void *take(void *ctx, size_t n)
{
	struct reading *r = ctx;
	size_t at = (r->used + 15) & ~(size_t)15;

	assert(n <= r->size && at <= r->size - n);
	r->used = at + n;
	return r->block + at;
}

static void *retake(void *ctx, void *p, size_t n)
{
	struct reading *r = ctx;
	size_t had = p != NULL ? r->used - (size_t)((char *)p - r->block) : 0;
	void *fresh = take(ctx, n);

	return had > 0 ? memcpy(fresh, p, had < n ? had : n) : fresh;
}

static void give(void *ctx, void *p)
{
	(void)ctx;
	(void)p;
}

static int on_open(void *ctx)
{
	struct reading *r = ctx;

	r->key = -1;
	return ++r->depth <= DEPTH_MAX;
}

/* The outermost thing is an object, or it is no answer of an agent. */
static int on_list(void *ctx)
{
	return ((struct reading *)ctx)->depth > 0 && on_open(ctx);
}

static int on_close(void *ctx)
{
	((struct reading *)ctx)->depth--;
	return 1;
}

static int on_key(void *ctx, const unsigned char *key, size_t len)
{
	struct reading *r = ctx;
	int i;

	r->key = -1;
	for (i = 0; r->depth == 1 && i < FIGURES; i++)
		if (strlen(figures_keys[i]) == len && memcmp(figures_keys[i], key, len) == 0)
			r->key = i;
	return 1;
}

static int on_number(void *ctx, const char *text, size_t len)
{
	struct reading *r = ctx;
	char copy[64];
	double d;

	if (r->depth == 0)
		return 0;
	if (r->depth != 1 || r->key < 0 || len >= sizeof(copy))
		return 1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	d = strtod(copy, NULL);
	if (isfinite(d)) {
		r->figures->value[r->key] = d;
		r->figures->known |= 1u << r->key;
	}
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_number = on_number,
	.yajl_start_map = on_open,
	.yajl_map_key = on_key,
	.yajl_end_map = on_close,
	.yajl_start_array = on_list,
	.yajl_end_array = on_close,
};

int figures_read(struct figures *f, const char *text, size_t len)
{
	size_t size = 16384 + 8 * len;
	struct reading *r = malloc(sizeof(*r) + size);
	yajl_handle yajl;
	int rc = 0;

	*f = (struct figures){ 0 };
	if (r == NULL)
		return -ENOMEM;
	*r = (struct reading){ .figures = f, .key = -1, .size = size };
	yajl = yajl_alloc(&callbacks, &(yajl_alloc_funcs){ take, retake, give, r }, r);
	if (yajl_parse(yajl, (const unsigned char *)text, len) != yajl_status_ok ||
	    yajl_complete_parse(yajl) != yajl_status_ok)
		rc = -EBADMSG;
	yajl_free(yajl);
	free(r);
	return rc;
}
