/* SPDX-License-Identifier: Apache-2.0 */
/* json - a JSON document as a tree, built by yajl's callbacks. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "buf.h"
#include "json.h"

#define DEPTH 64

struct parser {
	struct arena *arena;
	struct json root;		/* an array that holds the document */
	struct json *open[DEPTH + 1], *last[DEPTH + 1];
	unsigned depth;
	const char *key;
	const char *why;		/* refused by us, not by yajl */
};

static struct json *add(struct parser *p, enum json_kind kind)
{
	struct json *v = arena_get(p->arena, sizeof(*v)), *in = p->open[p->depth];

	if (v == NULL) {
		p->why = "out of memory";
		return NULL;
	}
	v->kind = kind;
	v->key = p->key;
	p->key = NULL;
	if (p->last[p->depth] == NULL)
		in->first = v;
	else
		p->last[p->depth]->next = v;
	p->last[p->depth] = v;
	in->n++;
	return v;
}

static int on_null(void *ctx)
{
	return add(ctx, JSON_NULL) != NULL;
}

static int on_boolean(void *ctx, int yes)
{
	return add(ctx, yes ? JSON_TRUE : JSON_FALSE) != NULL;
}

static int text(struct parser *p, enum json_kind kind, const char *s, size_t n)
{
	struct json *v = add(p, kind);

	if (v == NULL)
		return 0;
	v->text = arena_text(p->arena, s, n);
	v->len = n;
	if (v->text == NULL)
		p->why = "out of memory";
	return v->text != NULL;
}

static int on_number(void *ctx, const char *s, size_t n)
{
	return text(ctx, JSON_NUMBER, s, n);
}

static int on_string(void *ctx, const unsigned char *s, size_t n)
{
	return text(ctx, JSON_STRING, (const char *)s, n);
}

static int on_key(void *ctx, const unsigned char *s, size_t n)
{
	struct parser *p = ctx;

	p->key = arena_text(p->arena, (const char *)s, n);
	if (p->key == NULL)
		p->why = "out of memory";
	return p->key != NULL;
}

static int begin(struct parser *p, enum json_kind kind)
{
	struct json *v;

	if (p->depth == DEPTH) {
		p->why = "nested too deep";
		return 0;
	}
	v = add(p, kind);
	if (v == NULL)
		return 0;
	p->open[++p->depth] = v;
	p->last[p->depth] = NULL;
	return 1;
}

static int on_map(void *ctx)
{
	return begin(ctx, JSON_OBJECT);
}

static int on_array(void *ctx)
{
	return begin(ctx, JSON_ARRAY);
}

static int on_end(void *ctx)
{
	((struct parser *)ctx)->depth--;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null, .yajl_boolean = on_boolean, .yajl_number = on_number, .yajl_string = on_string,
	.yajl_start_map = on_map, .yajl_map_key = on_key, .yajl_end_map = on_end,
	.yajl_start_array = on_array, .yajl_end_array = on_end,
};

/* yajl's words end with a newline; ours add where. */
static void explain(yajl_handle h, const struct parser *p, size_t at, char *error, size_t size)
{
	unsigned char *words;

	if (p->why != NULL) {
		snprintf(error, size, "at byte %zu: %s", at, p->why);
		return;
	}
	words = yajl_get_error(h, 0, NULL, 0);
	snprintf(error, size, "at byte %zu: %.*s", at, words != NULL ? (int)strcspn((char *)words, "\n") : 0,
		 words != NULL ? (char *)words : "");
	if (words != NULL)
		yajl_free_error(h, words);
}

struct json *json_parse(struct arena *a, const char *s, size_t len, char *error, size_t size)
{
	struct parser p = { .arena = a, .root = { .kind = JSON_ARRAY } };
	yajl_handle h = yajl_alloc(&callbacks, NULL, &p);
	size_t at = len;
	yajl_status rc;

	if (h == NULL) {
		snprintf(error, size, "out of memory");
		return NULL;
	}
	p.open[0] = &p.root;
	rc = yajl_parse(h, (const unsigned char *)s, len);
	if (rc == yajl_status_ok)
		rc = yajl_complete_parse(h);
	else
		at = yajl_get_bytes_consumed(h);
	if (rc != yajl_status_ok)
		explain(h, &p, at, error, size);
	yajl_free(h);
	return rc == yajl_status_ok ? p.root.first : NULL;
}

/* Of a key given twice, the last. */
const struct json *json_get(const struct json *object, const char *key)
{
	const struct json *found = NULL;

	if (object == NULL || object->kind != JSON_OBJECT)
		return NULL;
	for (const struct json *v = object->first; v != NULL; v = v->next)
		if (strcmp(v->key, key) == 0)
			found = v;
	return found;
}

bool json_int(const struct json *v, int64_t *i)
{
	char *end;
	long long n;

	if (v == NULL || v->kind != JSON_NUMBER)
		return false;
	errno = 0;
	n = strtoll(v->text, &end, 10);
	if (errno != 0 || *end != '\0')
		return false;
	*i = n;
	return true;
}

bool json_double(const struct json *v, double *d)
{
	double x;

	if (v == NULL || v->kind != JSON_NUMBER)
		return false;
	x = strtod(v->text, NULL);
	if (!isfinite(x))
		return false;
	*d = x;
	return true;
}

#define SECONDS_MAX INT64_C(4000000000000)	/* far from where microseconds overflow */

/* By its digits, since 1795358342.123457 as a double is off by some 100 ns; only an exponent
 * goes by way of a double. */
bool json_micros(const struct json *v, int64_t *t)
{
	int64_t whole, part = 0, unit = SAT_SECOND;
	const char *s;
	char *end;
	double d;

	if (v == NULL || v->kind != JSON_NUMBER)
		return false;
	if (strpbrk(v->text, "eE") != NULL) {
		if (!json_double(v, &d) || !(fabs(d) < (double)SECONDS_MAX))
			return false;
		*t = (int64_t)floor(d * 1e6 + 0.5);
		return true;
	}
	errno = 0;
	whole = strtoll(v->text, &end, 10);
	if (errno != 0 || whole > SECONDS_MAX || whole < -SECONDS_MAX)
		return false;
	for (s = *end == '.' ? end + 1 : end; *s != '\0' && unit > 1; s++)
		part += (*s - '0') * (unit /= 10);
	*t = whole * SAT_SECOND + (v->text[0] == '-' ? -part : part);
	return true;
}

static void write_plain(struct sat_buf *b, const struct json *v)
{
	switch (v->kind) {
	case JSON_TRUE:		buf_text(b, "true"); break;
	case JSON_FALSE:	buf_text(b, "false"); break;
	case JSON_NUMBER:	sat_buf_add(b, v->text, v->len); break;
	case JSON_STRING:	buf_quote(b, v->text, v->len); break;
	default:		buf_text(b, "null"); break;
	}
}

/* Recursion goes no deeper than json_parse() lets a document be. */
void json_write(struct sat_buf *b, const struct json *v)
{
	bool object = v->kind == JSON_OBJECT;

	if (!object && v->kind != JSON_ARRAY) {
		write_plain(b, v);
		return;
	}
	sat_buf_add(b, object ? "{" : "[", 1);
	for (const struct json *m = v->first; m != NULL; m = m->next) {
		if (m != v->first)
			sat_buf_add(b, ",", 1);
		if (object) {
			sat_buf_json(b, m->key);
			sat_buf_add(b, ":", 1);
		}
		json_write(b, m);
	}
	sat_buf_add(b, object ? "}" : "]", 1);
}

void json_seconds(struct sat_buf *b, int64_t micros)
{
	uint64_t u = micros < 0 ? -(uint64_t)micros : (uint64_t)micros;
	unsigned part = (unsigned)(u % SAT_SECOND);
	int digits = 6;

	sat_buf_printf(b, "%s%llu", micros < 0 ? "-" : "", (unsigned long long)(u / SAT_SECOND));
	if (part == 0)
		return;
	for (; part % 10 == 0; digits--)
		part /= 10;
	sat_buf_printf(b, ".%0*u", digits, part);
}

void json_number(struct sat_buf *b, double d)
{
	char s[32];
	int n = 0;

	if (!isfinite(d)) {	/* JSON has no word for it */
		buf_text(b, "null");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(s, sizeof(s), "%.*g", digits, d);
		if (strtod(s, NULL) == d)
			break;
	}
	sat_buf_add(b, s, (size_t)n);
	if (strpbrk(s, ".e") == NULL)
		buf_text(b, ".0");
}
