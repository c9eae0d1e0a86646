/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query - a predicate as a flat program of tests.
 *
 * Each test names where to go when it is true and when it is false, so that
 * `and`, `or` and `not` cost nothing at a match and need no tree: the parser
 * only patches these targets as it goes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "query.h"
#include "query_parse.h"
#include "self.h"

/* How an int stands to a double: exactly, since (double)i may round. */
static int order_int(int64_t i, double d)
{
	int64_t whole;

	if (d >= 0x1p63)
		return -1;
	if (d < -0x1p63)
		return 1;
	whole = (int64_t)d;
	if (i != whole)
		return i < whole ? -1 : 1;
	return (double)whole < d ? -1 : (double)whole > d;
}

static bool is_nan(const struct sat_value *v)
{
	return v->kind == SAT_DOUBLE && v->d != v->d;
}

static bool is_number(const struct sat_value *v)
{
	return (v->kind == SAT_INT || v->kind == SAT_DOUBLE) && !is_nan(v);
}

/* Of two numbers, neither NaN. */
static int order(const struct sat_value *a, const struct sat_value *b)
{
	if (a->kind == SAT_INT)
		return b->kind == SAT_INT ? (a->i > b->i) - (a->i < b->i) : order_int(a->i, b->d);
	return b->kind == SAT_INT ? -order_int(b->i, a->d) : (a->d > b->d) - (a->d < b->d);
}

static bool equal(const struct sat_value *a, const struct sat_value *b)
{
	return is_number(a) && is_number(b) ? order(a, b) == 0 : sat_same(a, b);
}

/* The first piece from the start, the last at the end, the others where they come first. */
static bool like(const struct query_like *l, const char *s)
{
	size_t head = l->pieces[0].len, tail = l->pieces[l->n - 1].len, len;
	const char *end;

	len = strlen(s);
	if (l->n == 1)
		return len == head && memcmp(s, l->pieces[0].text, len) == 0;
	end = s + len - tail;
	if (len < head + tail || memcmp(s, l->pieces[0].text, head) != 0 ||
	    memcmp(end, l->pieces[l->n - 1].text, tail) != 0)
		return false;
	s += head;
	for (uint32_t i = 1; i + 1 < l->n; i++) {
		s = memmem(s, (size_t)(end - s), l->pieces[i].text, l->pieces[i].len);
		if (s == NULL)
			return false;
		s += l->pieces[i].len;
	}
	return true;
}

static struct sat_value value_of(const struct query_operand *o, const struct sat_event *ev)
{
	return o->is_field ? sat_get(ev, &o->field) : o->value;
}

static __attribute__((noinline)) bool any(const struct query_test *t, const struct sat_event *ev)
{
	struct sat_value v = value_of(&t->left, ev), w;

	switch (t->what) {
	case QUERY_SAME_TEXT:
	case QUERY_PREFIX:
		break;
	case QUERY_VALUE:
		return v.kind != SAT_NIL && (v.kind != SAT_BOOL || v.b);
	case QUERY_EXPIRED:
		return sat_expired(ev);
	case QUERY_TAGGED:
		return sat_tagged(ev, t->left.value.text);
	case QUERY_EQUAL:
		w = value_of(&t->right, ev);
		return equal(&v, &w);
	case QUERY_BELOW:
		return is_number(&v) && is_number(&t->right.value) && order(&v, &t->right.value) < 0;
	case QUERY_ABOVE:
		return is_number(&v) && is_number(&t->right.value) && order(&v, &t->right.value) > 0;
	case QUERY_NOT_ABOVE:
		return is_number(&v) && is_number(&t->right.value) && order(&v, &t->right.value) <= 0;
	case QUERY_NOT_BELOW:
		return is_number(&v) && is_number(&t->right.value) && order(&v, &t->right.value) >= 0;
	case QUERY_LIKE:
		return v.kind == SAT_TEXT && like(t->like, v.text);
	case QUERY_REGEX:
		return v.kind == SAT_TEXT && regex_match(t->regex, v.text);
	}
	return false;
}

/* Words are short, and services differ soon: both are known before strcmp() would have begun. */
static inline bool same_text(const char *a, const char *b)
{
	for (int i = 0; i < 8; i++, a++, b++) {
		if (*a != *b)
			return false;
		if (*a == '\0')
			return true;
	}
	return strcmp(a, b) == 0;
}

/* Most tests are of these two kinds. */
static inline bool test(const struct query_test *t, const struct sat_event *ev)
{
	const char *s;

	if (t->what > QUERY_PREFIX)
		return any(t, ev);
	s = *(const char *const *)((const char *)ev + t->offset);
	if (s == NULL || *s != *t->text)
		return false;
	return t->what == QUERY_SAME_TEXT ? same_text(s, t->text) : strncmp(s, t->text, t->len) == 0;
}

/* Targets lie behind the test that names them, so this ends. */
static bool match_from(const struct sat_query *q, uint32_t at, const struct sat_event *ev)
{
	while (at < q->n)
		at = test(&q->tests[at], ev) ? q->tests[at].yes : q->tests[at].no;
	return at == QUERY_MATCH;
}

bool sat_query_match(const struct sat_query *q, const struct sat_event *ev)
{
	return match_from(q, 0, ev);
}

/* As far as texts are measured, nothing is called. */
bool query_match(const struct sat_query *q, const struct event *ev)
{
	const char *base = (const char *)ev, *s;
	const struct query_test *t;
	uint32_t at = 0, n = q->n, len;

	if (ev->refs != 0 || ev->hash == 0)
		return match_from(q, 0, &ev->pub);
	while (at < n) {
		t = &q->tests[at];
		if (t->measured == 0)
			return match_from(q, at, &ev->pub);
		s = *(const char *const *)(base + t->offset);
		len = *(const uint32_t *)(base + t->measured);
		if ((t->what == QUERY_SAME_TEXT ? len == t->len : len >= t->len) && s != NULL &&
		    same_bytes(s, t->text, t->len))
			at = t->yes;
		else
			at = t->no;
	}
	return at == QUERY_MATCH;
}

void sat_query_free(struct sat_query *q)
{
	if (q == NULL)
		return;
	for (uint32_t i = 0; i < q->n; i++) {
		regex_free(q->tests[i].regex);
		free(q->tests[i].like);
	}
	free(q->tests);
	free(q->text);
	free(q->strings);
	free(q);
}

const char *query_host(const struct sat_query *q)
{
	return q->host;
}

const char *query_service(const struct sat_query *q)
{
	return q->service;
}

const char *query_text(const struct sat_query *q)
{
	return q->text;
}

/* Clients ask the same few things again and again; the one asked longest ago goes. */
#define CACHED 64
static struct { struct sat_query *query; uint64_t used; } cache[CACHED];
static uint64_t uses;

const struct sat_query *query_cached(const char *text, char *error, size_t size)
{
	struct sat_query *q;
	size_t oldest = 0;

	for (size_t i = 0; i < CACHED; i++) {
		if (cache[i].query != NULL && strcmp(cache[i].query->text, text) == 0) {
			cache[i].used = ++uses;
			return cache[i].query;
		}
		if (cache[i].used < cache[oldest].used)
			oldest = i;
	}
	q = sat_query_parse(text, error, size);
	if (q == NULL)
		return NULL;
	sat_query_free(cache[oldest].query);
	cache[oldest].query = q;
	cache[oldest].used = ++uses;
	return q;
}

void query_free_cache(void)
{
	for (size_t i = 0; i < CACHED; i++) {
		sat_query_free(cache[i].query);
		cache[i].query = NULL;
		cache[i].used = 0;
	}
}
