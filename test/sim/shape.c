/* SPDX-License-Identifier: Apache-2.0 */
/* shape - JSON answers as tables of fields, written a piece at a time. */
#include "shape.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_DEPTH = 12,
	PIECE = 64 << 10,
	COUNT_AT_ONCE = 8 << 20,	/* bytes measured between two turns */
};

/* ---- Values ------------------------------------------------------------- */

void out_text(struct out *o, const char *s)
{
	struct buf *b = o->b;

	buf_char(b, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_char(b, '\\');
		else if (*s == '/' && o->v->version < 107)
			buf_char(b, '\\');
		if ((unsigned char)*s < 0x20)
			buf_fmt(b, "\\u%04x", *s);
		else
			buf_char(b, *s);
	}
	buf_char(b, '"');
}

void out_fmt(struct out *o, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	out_text(o, text);
}

/* Until 0.24 whole numbers had no point. */
void out_number(struct out *o, double x)
{
	char text[40];

	snprintf(text, sizeof(text), "%.15g", x);
	buf_str(o->b, text);
	if (o->v->version >= 25 && !strpbrk(text, ".en"))
		buf_str(o->b, ".0");
}

void out_time(struct out *o, double t)
{
	if (t <= 0)
		out_number(o, 0);
	else if (o->v->version < 27)
		buf_fmt(o->b, "%.5f", t);
	else
		buf_fmt(o->b, "%.6f", t);
}

void out_bool(struct out *o, bool x)
{
	buf_str(o->b, x ? "true" : "false");
}

void out_raw(struct out *o, const char *json)
{
	buf_str(o->b, json);
}

/* ---- Shapes ------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct field *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Before 0.27 an object's keys came sorted. */
void shape_prepare(struct shape *shape, int version)
{
	size_t i;

	if (shape->ready)
		return;
	shape->ready = true;
	assert(shape->n <= MAX_FIELDS);
	for (i = 0; i < shape->n; i++) {
		const struct field *f = &shape->fields[i];

		if (version < f->since || (f->until && version > f->until))
			continue;
		shape->live[shape->n_live++] = f;
		if (f->of)
			shape_prepare(f->of, version);
	}
	if (version < 27)
		qsort(shape->live, shape->n_live, sizeof(shape->live[0]),
		      by_name);
}

struct frame {
	struct shape *shape;
	const void *about;
	size_t k, i;			/* next field; next item of list */
	const struct field *list;	/* being written, or NULL */
	bool any;
};

struct walk {
	struct frame at[MAX_DEPTH];
	int depth;			/* 0: done */
};

static void enter(struct walk *w, struct buf *b, struct shape *shape, const void *about)
{
	assert(shape->ready && w->depth < MAX_DEPTH);
	w->at[w->depth++] = (struct frame){ .shape = shape, .about = about };
	buf_char(b, '{');
}

static void walk_list(struct walk *w, struct out *o, struct frame *f)
{
	const void *item = f->list->item(o->v, f->about, f->i);
	struct shape *of = f->list->of;

	if (!item) {
		buf_char(o->b, ']');
		f->list = NULL;
		return;
	}
	if (f->i++)
		buf_char(o->b, ',');
	enter(w, o->b, of, item);
}

static bool shown(const struct view *v, const struct field *d, const void *about)
{
	if (d->has && !d->has(v, about))
		return false;
	return !d->sparse || d->item(v, about, 0);
}

static void walk_field(struct walk *w, struct out *o, struct frame *f)
{
	const struct field *d = f->shape->live[f->k++];

	if (!shown(o->v, d, f->about))
		return;
	if (f->any)
		buf_char(o->b, ',');
	f->any = true;
	buf_char(o->b, '"');
	buf_str(o->b, d->name);
	buf_str(o->b, "\":");
	if (d->leaf) {
		d->leaf(o, f->about);
	} else if (d->item) {
		buf_char(o->b, '[');
		f->list = d;
		f->i = 0;
	} else {
		enter(w, o->b, d->of, f->about);
	}
}

/* Go on until about `size` bytes are there or all is written. */
static void walk_on(struct walk *w, struct out *o, size_t size)
{
	while (w->depth && o->b->len < size) {
		struct frame *f = &w->at[w->depth - 1];

		if (f->list) {
			walk_list(w, o, f);
		} else if (f->k < f->shape->n_live) {
			walk_field(w, o, f);
		} else {
			buf_char(o->b, '}');
			w->depth--;
		}
	}
}

void shape_put(struct out *o, struct shape *shape, const void *about)
{
	struct walk w = { .depth = 0 };

	enter(&w, o->b, shape, about);
	walk_on(&w, o, SIZE_MAX);
}

/* ---- Sources ------------------------------------------------------------ */

/* What nobody reads, but has to be looked through: a member of the outermost object. */
static const char pad_begin[] = "\"padding\":[", pad_end[] = "null],";
static const char pad_item[] = "{\"id\":\"ct:1795358342123:0:job:\",\"name\":\"ct:job\",\"framework_id\":\"0c0d-0001\","
	"\"executor_id\":\"\",\"slave_id\":\"0c0d-S17\",\"state\":\"TASK_FINISHED\",\"resources\":{\"cpus\":0.25,"
	"\"disk\":64.0,\"mem\":256.5,\"ports\":\"[31000-31000]\"},\"statuses\":[{\"state\":\"TASK_RUNNING\","
	"\"timestamp\":1795358342.12345},{\"state\":\"TASK_FINISHED\",\"timestamp\":1795358399.5}]},";

struct body {
	struct view v;
	struct walk w;
	struct shape *shape;
	const void *about;
	bool counting;
	uint64_t size;			/* of the record, while counting */
	uint64_t pad, pads;		/* bytes; items that are still to come */
	struct http_source then;
};

static void body_begin(struct body *y, struct buf *b)
{
	y->w.depth = 0;
	enter(&y->w, b, y->shape, y->about);
}

static uint64_t pad_items(const struct body *y)
{
	return y->pad / (sizeof(pad_item) - 1);
}

static void body_pad(struct body *y, struct buf *b)
{
	y->pads = pad_items(y);
	if (y->pads)
		buf_str(b, pad_begin);
}

static void pad_on(struct body *y, struct buf *b)
{
	while (y->pads && b->len < PIECE) {
		buf_add(b, pad_item, sizeof(pad_item) - 1);
		if (--y->pads == 0)
			buf_str(b, pad_end);
	}
}

/* A record's length stands before it, so it is made twice. */
static enum http_next body_count(struct body *y, struct buf *out)
{
	struct buf b = { 0 };
	struct out o = { &b, &y->v };
	size_t sum = 0;

	if (y->size == 0 && y->w.depth == 0)
		body_begin(y, &b);
	while (y->w.depth && sum < COUNT_AT_ONCE) {
		walk_on(&y->w, &o, PIECE);
		sum += b.len;
		b.len = 0;
	}
	buf_free(&b);
	y->size += sum;
	if (y->w.depth)
		return HTTP_MORE;
	y->counting = false;
	if (pad_items(y))
		y->size += pad_items(y) * (sizeof(pad_item) - 1) + sizeof(pad_begin) + sizeof(pad_end) - 2;
	buf_fmt(out, "%llu\n", (unsigned long long)y->size);
	body_begin(y, out);
	body_pad(y, out);
	return HTTP_MORE;
}

static enum http_next body_next(void *state, struct buf *out)
{
	struct body *y = state;
	struct out o = { out, &y->v };

	if (y->counting)
		return body_count(y, out);
	if (y->pads) {
		pad_on(y, out);
		return HTTP_MORE;
	}
	if (y->w.depth == 0 && y->then.next)
		return y->then.next(y->then.state, out);
	walk_on(&y->w, &o, PIECE);
	return y->w.depth || y->then.next ? HTTP_MORE : HTTP_END;
}

static void body_free(void *state)
{
	struct body *y = state;

	if (y->then.free)
		y->then.free(y->then.state);
	snapshot_put((struct snapshot *)(uintptr_t)y->v.s);
	free(y);
}

/* The opening brace waits in the walk's first piece. */
static enum http_next body_first(void *state, struct buf *out)
{
	struct body *y = state;

	if (!y->counting && y->size == 0 && y->w.depth == 0) {
		y->size = 1;
		body_begin(y, out);
		body_pad(y, out);
	}
	return body_next(state, out);
}

struct http_source shape_source(const struct view *v, struct shape *shape, const void *about, bool record,
				struct http_source then, uint64_t pad)
{
	struct body *y = sim_calloc(1, sizeof(*y));

	y->v = *v;
	y->shape = shape;
	y->about = about;
	y->counting = record;
	y->then = then;
	y->pad = pad;
	return (struct http_source){ body_first, body_free, y };
}
