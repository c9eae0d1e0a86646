/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query_parse - from words to tests, in one pass and without recursion.
 *
 * Precedence is kept on a stack of operators.  What has been read is a part: a
 * run of tests, with the list of targets to be set once it is known where to go
 * if it is true, and the same if it is false.  A list runs through the very
 * targets that are not set yet.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "query.h"
#include "query_lex.h"
#include "query_parse.h"

#define TEXT_MAX	((size_t)32 * 1024)
#define DEPTH		500
#define NONE		UINT32_MAX

struct list { uint32_t head, tail; };	/* of targets: test * 2, plus 1 for `no` */

struct part {
	uint32_t first;
	struct list yes, no;
	const char *host, *service;	/* what it demands, or NULL */
};

struct parser {
	struct lexer lex;
	struct sat_query *q;
	enum token ops[DEPTH];		/* TOKEN_OPEN, _NOT, _AND, _OR */
	struct part parts[DEPTH + 1];
	unsigned n_ops, n_parts;
	char *error;
	size_t size;
};

static uint32_t *target(struct parser *p, uint32_t ref)
{
	struct query_test *t = &p->q->tests[ref / 2];

	return ref % 2 != 0 ? &t->no : &t->yes;
}

static struct list join(struct parser *p, struct list a, struct list b)
{
	if (a.head == NONE)
		return b;
	if (b.head == NONE)
		return a;
	*target(p, a.tail) = b.head;
	return (struct list){ a.head, b.tail };
}

static void aim(struct parser *p, struct list list, uint32_t at)
{
	for (uint32_t ref = list.head, next; ref != NONE; ref = next) {
		next = *target(p, ref);
		*target(p, ref) = at;
	}
}

/* "at character 12: why", counted as people do, in characters from 1. */
static int refuse_at(struct parser *p, const char *at, const char *why)
{
	size_t n = 1;

	for (const char *s = p->lex.text; s < at; s++)
		n += (*s & 0xc0) != 0x80;
	snprintf(p->error, p->size, "at character %zu: %s", n, why);
	return -EINVAL;
}

static int expected(struct parser *p, const char *what)
{
	const char *at = p->lex.begin;
	int n = (int)(p->lex.at - at);
	char why[160];

	if (p->lex.token == TOKEN_WRONG)
		return refuse_at(p, at, p->lex.why);
	if (p->lex.token == TOKEN_END)
		snprintf(why, sizeof(why), "expected %s, not the end", what);
	else
		snprintf(why, sizeof(why), "expected %s, not %.*s%s", what, n > 40 ? 40 : n, at, n > 40 ? "…" : "");
	return refuse_at(p, at, why);
}

static struct query_test *add_test(struct parser *p)
{
	struct sat_query *q = p->q;
	struct query_test *t;
	uint32_t room;

	if (q->n == q->room) {
		room = q->room != 0 ? q->room * 2 : 4;
		t = realloc(q->tests, room * sizeof(*t));
		if (t == NULL)
			return NULL;
		q->tests = t;
		q->room = room;
	}
	t = memset(&q->tests[q->n++], 0, sizeof(*t));
	t->yes = t->no = NONE;
	return t;
}

static int no_memory(struct parser *p)
{
	snprintf(p->error, p->size, "out of memory");
	return -ENOMEM;
}

static int operand(struct parser *p, struct query_operand *o)
{
	const struct lexer *l = &p->lex;

	if (l->token == TOKEN_NAME)
		*o = (struct query_operand){ .is_field = true, .field = sat_field(l->value.text) };
	else if (l->token == TOKEN_LITERAL || l->token == TOKEN_STRING)
		*o = (struct query_operand){ .value = l->value };
	else
		return expected(p, "a field or a value");
	lex_next(&p->lex);
	return 0;
}

static struct query_like *like_parse(const char *s)
{
	struct query_like *l;
	uint32_t n = 1;

	for (const char *c = s; *c != '\0'; c++)
		n += *c == '%';
	l = calloc(1, sizeof(*l) + n * sizeof(l->pieces[0]));
	if (l == NULL)
		return NULL;
	for (l->n = 0; l->n < n; l->n++) {
		l->pieces[l->n].text = s;
		l->pieces[l->n].len = strcspn(s, "%");
		s += l->pieces[l->n].len + 1;
	}
	return l;
}

/* Whether a test is of a text that stands in the event itself. */
static bool is_quick(struct query_test *t)
{
#define PLACE(field) { offsetof(struct sat_event, field), offsetof(struct event, field##_len) }
	static const struct { size_t text, len; } places[] = {
		[FIELD_HOST] = PLACE(host), [FIELD_SERVICE] = PLACE(service), [FIELD_STATE] = PLACE(state),
		[FIELD_DESCRIPTION] = { offsetof(struct sat_event, description), 0 },
	};
#undef PLACE

	if (!t->left.is_field || t->left.field.id > FIELD_DESCRIPTION)
		return false;
	t->offset = (uint16_t)places[t->left.field.id].text;
	t->measured = (uint16_t)places[t->left.field.id].len;
	return true;
}

/* A text field against "some text%" goes without values. */
static void make_prefix(struct query_test *t)
{
	const struct query_like *l = t->like;

	if (l->n != 2 || l->pieces[0].len == 0 || l->pieces[1].len != 0 || !is_quick(t))
		return;
	t->what = QUERY_PREFIX;
	t->text = l->pieces[0].text;
	t->len = (uint32_t)l->pieces[0].len;
}

static int pattern(struct parser *p, struct query_test *t)
{
	const char *text = p->lex.value.text, *at = p->lex.begin;
	char why[200];

	if (p->lex.token != TOKEN_STRING)
		return expected(p, "a string");
	lex_next(&p->lex);
	if (t->what == QUERY_LIKE) {
		t->like = like_parse(text);
		if (t->like == NULL)
			return no_memory(p);
		make_prefix(t);
		return 0;
	}
	t->regex = regex_parse(text, why, sizeof(why));
	return t->regex != NULL ? 0 : refuse_at(p, at, why);
}

static int bound(struct parser *p, struct query_test *t)
{
	if (p->lex.token != TOKEN_LITERAL ||
	    (p->lex.value.kind != SAT_INT && p->lex.value.kind != SAT_DOUBLE))
		return expected(p, "a number");
	return operand(p, &t->right);
}

static void demand(struct part *part, const struct query_operand *field, const struct query_operand *o)
{
	if (!field->is_field || o->is_field || o->value.kind != SAT_TEXT)
		return;
	if (field->field.id == FIELD_HOST)
		part->host = o->value.text;
	else if (field->field.id == FIELD_SERVICE)
		part->service = o->value.text;
}

/* So does one against a text, as most comparisons are. */
static void make_short(struct query_test *t)
{
	struct query_operand left = t->left;

	if (!t->left.is_field) {
		t->left = t->right;
		t->right = left;
	}
	if (t->right.is_field || t->right.value.kind != SAT_TEXT || !is_quick(t))
		return;
	t->what = QUERY_SAME_TEXT;
	t->text = t->right.value.text;
	t->len = (uint32_t)strlen(t->text);
}

/* FIELD, VALUE, or one of these compared with what follows. */
static int comparison(struct parser *p, struct query_test *t, struct part *part)
{
	static const enum query_what whats[] = {
		[TOKEN_BELOW] = QUERY_BELOW, [TOKEN_ABOVE] = QUERY_ABOVE, [TOKEN_NOT_ABOVE] = QUERY_NOT_ABOVE,
		[TOKEN_NOT_BELOW] = QUERY_NOT_BELOW, [TOKEN_LIKE] = QUERY_LIKE, [TOKEN_REGEX] = QUERY_REGEX,
	};
	enum token sign = p->lex.token;
	int rc;

	if (sign < TOKEN_EQUAL || sign > TOKEN_REGEX)
		return 0;
	lex_next(&p->lex);
	if (sign != TOKEN_EQUAL && sign != TOKEN_UNEQUAL) {
		t->what = whats[sign];
		return t->what == QUERY_LIKE || t->what == QUERY_REGEX ? pattern(p, t) : bound(p, t);
	}
	t->what = QUERY_EQUAL;
	rc = operand(p, &t->right);
	if (rc != 0)
		return rc;
	if (sign == TOKEN_UNEQUAL) {
		struct list yes = part->yes;

		part->yes = part->no;
		part->no = yes;
	}
	make_short(t);
	if (sign == TOKEN_EQUAL)
		demand(part, &t->left, &t->right);
	return 0;
}

/* One test: it is a part by itself. */
static int simple(struct parser *p)
{
	uint32_t at = p->q->n * 2;
	struct part *part = &p->parts[p->n_parts++];
	struct query_test *t = add_test(p);
	int rc;

	if (t == NULL)
		return no_memory(p);
	*part = (struct part){ .first = at / 2, .yes = { at, at }, .no = { at + 1, at + 1 } };
	if (p->lex.token == TOKEN_TAGGED) {
		t->what = QUERY_TAGGED;
		lex_next(&p->lex);
		return p->lex.token == TOKEN_STRING ? operand(p, &t->left) : expected(p, "a string");
	}
	rc = operand(p, &t->left);
	if (rc != 0)
		return rc;
	t->what = QUERY_VALUE;
	rc = comparison(p, t, part);
	if (rc == 0 && t->what == QUERY_VALUE && t->left.is_field && strcmp(t->left.field.name, "expired") == 0)
		t->what = QUERY_EXPIRED;
	return rc;
}

/* Apply the operator on top of the stack to the last one or two parts. */
static void reduce(struct parser *p)
{
	enum token op = p->ops[--p->n_ops];
	struct part *b = &p->parts[p->n_parts - 1], *a = b - 1;

	if (op == TOKEN_NOT) {
		*b = (struct part){ .first = b->first, .yes = b->no, .no = b->yes };
		return;
	}
	p->n_parts--;
	if (op == TOKEN_AND) {
		aim(p, a->yes, b->first);
		a->yes = b->yes;
		a->no = join(p, a->no, b->no);
		a->host = a->host != NULL ? a->host : b->host;
		a->service = a->service != NULL ? a->service : b->service;
	} else {
		aim(p, a->no, b->first);
		a->no = b->no;
		a->yes = join(p, a->yes, b->yes);
		a->host = a->service = NULL;
	}
}

static int rank(enum token op)
{
	return op == TOKEN_NOT ? 3 : op == TOKEN_AND ? 2 : op == TOKEN_OR ? 1 : 0;
}

static int push(struct parser *p, enum token op)
{
	if (p->n_ops == DEPTH)
		return refuse_at(p, p->lex.begin, "nested too deep");
	p->ops[p->n_ops++] = op;
	lex_next(&p->lex);
	return 0;
}

/* What may follow a part.  *more: another part must come. */
static int behind(struct parser *p, bool *more)
{
	enum token op = p->lex.token;

	*more = op == TOKEN_AND || op == TOKEN_OR;
	if (!*more && op != TOKEN_CLOSE && op != TOKEN_END)
		return expected(p, "and, or, or the end");
	while (p->n_ops > 0 && p->ops[p->n_ops - 1] != TOKEN_OPEN && rank(p->ops[p->n_ops - 1]) >= rank(op))
		reduce(p);
	if (*more)
		return push(p, op);
	if (op == TOKEN_CLOSE) {
		if (p->n_ops == 0)
			return refuse_at(p, p->lex.begin, "no parenthesis is open here");
		p->n_ops--;
		lex_next(&p->lex);
		return 0;
	}
	return p->n_ops == 0 ? 0 : expected(p, "a closing parenthesis");
}

static int parse(struct parser *p)
{
	bool more = true, end;
	int rc = 0;

	lex_next(&p->lex);
	do {
		while (rc == 0 && (p->lex.token == TOKEN_NOT || p->lex.token == TOKEN_OPEN))
			rc = push(p, p->lex.token);
		if (rc == 0)
			rc = simple(p);
		do {
			end = p->lex.token == TOKEN_END;
			if (rc == 0)
				rc = behind(p, &more);
		} while (rc == 0 && !more && !end);
	} while (rc == 0 && more);
	if (rc != 0)
		return rc;
	aim(p, p->parts[0].yes, QUERY_MATCH);
	aim(p, p->parts[0].no, QUERY_NO_MATCH);
	p->q->host = p->parts[0].host;
	p->q->service = p->parts[0].service;
	return 0;
}

struct sat_query *sat_query_parse(const char *text, char *error, size_t size)
{
	struct sat_query *q = calloc(1, sizeof(*q));
	struct parser *p = malloc(sizeof(*p));
	size_t len = strlen(text);
	int rc = -ENOMEM;

	if (q != NULL && p != NULL && len <= TEXT_MAX) {
		q->text = strdup(text);
		q->strings = malloc(len * 2 + 2);
	}
	if (len > TEXT_MAX) {
		snprintf(error, size, "at character 1: more than %zu bytes", TEXT_MAX);
	} else if (q == NULL || p == NULL || q->text == NULL || q->strings == NULL) {
		snprintf(error, size, "out of memory");
	} else {
		p->lex = (struct lexer){ .text = q->text, .at = q->text, .strings = q->strings };
		p->q = q;
		p->n_ops = p->n_parts = 0;
		p->error = error;
		p->size = size;
		rc = parse(p);
	}
	free(p);
	if (rc == 0)
		return q;
	sat_query_free(q);
	return NULL;
}
