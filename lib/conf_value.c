/* SPDX-License-Identifier: Apache-2.0 */
/* conf_value - settings that were judged, by the type of their option, and as canonical text. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_node.h"

static const struct sat_option *option_in(const struct sat_option *const *table, const char *name)
{
	for (; table != NULL && *table != NULL; table++) {
		if (strcmp((*table)->name, name) == 0)
			return *table;
	}
	return NULL;
}

const struct sat_option *conf_option(const struct sat_conf *group, const char *name)
{
	const struct sat_option *o = option_in(group->table, name);

	return o != NULL ? o : option_in(group->more, name);
}

struct sat_conf *conf_default(const struct sat_conf *group, const char *name)
{
	struct sat_conf *s = group->defaults;

	while (s != NULL && strcmp(s->name, name) != 0)
		s = s->next;
	return s;
}

/* NULL: neither given nor falling back. */
static const struct sat_conf *setting(const struct sat_conf *conf, const char *name)
{
	const struct sat_conf *s;

	if (conf_option(conf, name) == NULL) {
		char path[256];

		conf_path(conf, NULL, path, sizeof(path));
		fprintf(stderr, "satellite: a module asks for \"%s\" of \"%s\", which its table lacks\n", name, path);
		abort();
	}
	s = conf_find(conf, name);
	return s != NULL && (!s->bad || s->strings != NULL) ? s : conf_default(conf, name);
}

bool sat_conf_has(const struct sat_conf *conf, const char *name)
{
	return setting(conf, name) != NULL;
}

const char *sat_conf_string(const struct sat_conf *conf, const char *name)
{
	const struct sat_conf *s = setting(conf, name);

	return s != NULL && conf_is_text(s) ? s->value.text : NULL;
}

int64_t sat_conf_integer(const struct sat_conf *conf, const char *name)
{
	const struct sat_conf *s = setting(conf, name);

	return s == NULL || !conf_is_number(s) ? 0 : s->value.kind == SAT_INT ? s->value.i : (int64_t)s->value.d;
}

double sat_conf_number(const struct sat_conf *conf, const char *name)
{
	const struct sat_conf *s = setting(conf, name);

	return s != NULL && conf_is_number(s) ? conf_double(s) : 0;
}

bool sat_conf_boolean(const struct sat_conf *conf, const char *name)
{
	const struct sat_conf *s = setting(conf, name);

	return s != NULL && s->shape == SCALAR && s->value.kind == SAT_BOOL && s->value.b;
}

int64_t sat_conf_time(const struct sat_conf *conf, const char *name)
{
	return llround(sat_conf_number(conf, name) * (double)SAT_SECOND);
}

const char *const *sat_conf_strings(const struct sat_conf *conf, const char *name, size_t *n)
{
	static const char *const none[] = { NULL };
	const struct sat_conf *s = setting(conf, name);
	const char *const *strings = s != NULL && s->strings != NULL ? s->strings : none;

	if (n != NULL) {
		for (*n = 0; strings[*n] != NULL; )
			++*n;
	}
	return strings;
}

/* The names, from one string or several, with blanks between. */
static char *join(const char *const *names)
{
	size_t n = 1;
	char *text;

	for (const char *const *s = names; *s != NULL; s++)
		n += strlen(*s) + 1;
	text = calloc(1, n);
	for (const char *const *s = names; text != NULL && *s != NULL; s++) {
		strcat(text, *s);
		strcat(text, " ");
	}
	return text;
}

int sat_conf_fields(const struct sat_conf *conf, const char *name, struct sat_field *fields, uint32_t max, char **text)
{
	char *word, *rest;
	uint32_t n = 0;
	int rc = -ENOMEM;

	*text = join(sat_conf_strings(conf, name, NULL));
	if (*text == NULL)
		return rc;
	for (word = strtok_r(*text, " \t\n", &rest); word != NULL; word = strtok_r(NULL, " \t\n", &rest)) {
		if (n == max) {
			rc = sat_conf_error(conf, name, "over %u fields", max);
			goto fail;
		}
		fields[n++] = sat_field(word);
	}
	if (n > 0)
		return (int)n;
	rc = sat_conf_error(conf, name, "names no field");
fail:
	free(*text);
	*text = NULL;
	return rc;
}

struct sat_query *sat_conf_query(const struct sat_conf *conf, const char *name)
{
	const char *text = sat_conf_string(conf, name);
	char error[256];

	return text != NULL ? sat_query_parse(text, error, sizeof(error)) : NULL;
}

const struct sat_conf *sat_conf_get(const struct sat_conf *conf, const char *name)
{
	return setting(conf, name);
}

/* ---- The same settings, the same text ----------------------------------- */

static void write_node(const struct sat_conf *s, const struct sat_option *o, const char *const *skip,
		       struct sat_buf *out);

static int by_name(const void *a, const void *b)
{
	const struct sat_conf *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static bool listed(const char *const *names, const char *name)
{
	for (; names != NULL && *names != NULL; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

static void write_group(const struct sat_conf *s, const char *const *skip, struct sat_buf *out)
{
	const struct sat_conf **all, *d;
	size_t n = s->n;

	for (d = s->defaults; d != NULL; d = d->next)
		n++;
	all = calloc(n + 1, sizeof(const struct sat_conf *));
	if (all == NULL) {
		out->full = true;
		return;
	}
	n = 0;
	for (unsigned i = 0; i < s->n; i++)
		all[n++] = &s->kids[i];
	for (d = s->defaults; d != NULL; d = d->next)
		all[n++] = d;
	qsort(all, n, sizeof(const struct sat_conf *), by_name);
	sat_buf_printf(out, "{");
	for (size_t i = 0; i < n; i++) {
		if (listed(skip, all[i]->name))
			continue;
		sat_buf_printf(out, "%s=", all[i]->name);
		write_node(all[i], conf_option(s, all[i]->name), NULL, out);
		sat_buf_printf(out, ";");
	}
	sat_buf_printf(out, "}");
	free(all);
}

static void write_scalar(const struct sat_conf *s, bool number, struct sat_buf *out)
{
	if (s->value.kind == SAT_TEXT)
		sat_buf_json(out, s->value.text);
	else if (s->value.kind == SAT_BOOL)
		sat_buf_printf(out, s->value.b ? "true" : "false");
	else if (s->value.kind == SAT_INT && !number)
		sat_buf_printf(out, "%lld", (long long)s->value.i);
	else
		sat_buf_printf(out, "%.17g%s", conf_double(s), number ? "" : "f");
}

/* A clause but for its streams, which are not its own. */
static void write_clause(const struct sat_conf *s, struct sat_buf *out)
{
	sat_buf_printf(out, "(");
	for (unsigned i = 0; i + 1 < s->n; i++) {
		write_node(&s->kids[i], NULL, NULL, out);
		sat_buf_printf(out, ",");
	}
	sat_buf_printf(out, ")");
}

static void write_node(const struct sat_conf *s, const struct sat_option *o, const char *const *skip,
		       struct sat_buf *out)
{
	bool clauses = o != NULL && o->type == SAT_CLAUSES;
	bool list = s->shape == LIST || (o != NULL && o->type == SAT_STRINGS);

	if (s->shape == GROUP) {
		write_group(s, skip, out);
		return;
	}
	if (list)
		sat_buf_printf(out, "(");
	if (s->shape == SCALAR)
		write_scalar(s, o != NULL && (o->type == SAT_NUMBER || o->type == SAT_SECONDS), out);
	for (unsigned i = 0; i < s->n; i++) {
		if (i > 0)
			sat_buf_printf(out, ",");
		if (clauses && s->kids[i].shape == LIST)
			write_clause(&s->kids[i], out);
		else
			write_node(&s->kids[i], NULL, NULL, out);
	}
	if (list)
		sat_buf_printf(out, ")");
}

void conf_canonical(const struct sat_conf *s, const char *const *skip, struct sat_buf *out)
{
	write_node(s, NULL, skip, out);
}
