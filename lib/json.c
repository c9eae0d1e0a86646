/* SPDX-License-Identifier: Apache-2.0 */
/* json - a JSON document as a tree. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"

#define DEPTH 64		/* as deep as sat_json_read() goes */

struct parser {
	struct arena *arena;
	struct json root;		/* an array that holds the document */
	struct json *open[DEPTH + 1], *last[DEPTH + 1];
};

/* yajl lets pass what is no UTF-8: overlong forms, half a surrogate pair. */
static const char *copied(struct parser *p, const char *s, size_t len)
{
	char *text = arena_text(p->arena, s, len);

	if (text != NULL)
		buf_mend(text, len);
	return text;
}

static struct json *add(struct parser *p, unsigned level, enum json_kind kind, const char *key)
{
	struct json *v = arena_get(p->arena, sizeof(*v)), *in = p->open[level];

	if (v == NULL)
		return NULL;
	v->kind = kind;
	if (in->kind == JSON_OBJECT) {
		v->key = copied(p, key, strlen(key));
		if (v->key == NULL)
			return NULL;
	}
	*(p->last[level] == NULL ? &in->first : &p->last[level]->next) = v;
	p->last[level] = v;
	in->n++;
	return v;
}

static int open_one(void *arg, unsigned level, const char *key, bool list)
{
	struct parser *p = arg;
	struct json *v = add(p, level, list ? JSON_ARRAY : JSON_OBJECT, key);

	if (v == NULL)
		return -ENOMEM;
	p->open[level + 1] = v;
	p->last[level + 1] = NULL;
	return SAT_JSON_ENTER;
}

static int value(void *arg, unsigned level, const char *key, const struct sat_json_value *found)
{
	static const enum json_kind kinds[] = {
		[SAT_JSON_NULL] = JSON_NULL, [SAT_JSON_BOOL] = JSON_FALSE, [SAT_JSON_NUMBER] = JSON_NUMBER,
		[SAT_JSON_TEXT] = JSON_STRING,
	};
	struct parser *p = arg;
	struct json *v = add(p, level, found->truth ? JSON_TRUE : kinds[found->kind], key);

	if (v != NULL && found->text != NULL) {
		v->text = copied(p, found->text, found->len);
		v->len = found->len;
	}
	return v == NULL || (found->text != NULL && v->text == NULL) ? -ENOMEM : 0;
}

struct json *json_parse(struct arena *a, const char *s, size_t len, char *error, size_t size)
{
	static const struct sat_json_calls calls = { .size = sizeof(calls), .open = open_one, .value = value };
	struct parser p = { .arena = a, .root = { .kind = JSON_ARRAY } };

	p.open[0] = &p.root;
	return sat_json_read(s, len, &calls, &p, error, size) == 0 ? p.root.first : NULL;
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

const char *json_text(const struct json *object, const char *key)
{
	const struct json *v = object != NULL ? json_get(object, key) : NULL;

	return v != NULL && v->text != NULL ? v->text : "";
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
