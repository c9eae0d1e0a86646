/* SPDX-License-Identifier: Apache-2.0 */
/* conf_write - settings as they were given, written so that conf_text() reads the same. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "conf_node.h"

/* libconfig knows no other escapes than these. */
static void write_text(const char *s, struct sat_buf *out)
{
	sat_buf_printf(out, "\"");
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			sat_buf_printf(out, "\\%c", c);
		else if (c < ' ' || c == 127)
			sat_buf_printf(out, "\\x%02x", c);
		else
			sat_buf_add(out, s, 1);
	}
	sat_buf_printf(out, "\"");
}

/* A real number is one by its point. */
static void write_double(double d, struct sat_buf *out)
{
	char text[40];
	int n = snprintf(text, sizeof(text), "%.17g", d);
	size_t whole = strcspn(text, ".e");

	if (text[whole] == '.')
		sat_buf_add(out, text, (size_t)n);
	else
		sat_buf_printf(out, "%.*s.0%s", (int)whole, text, text + whole);
}

static void write_scalar(const struct sat_value *v, struct sat_buf *out)
{
	if (v->kind == SAT_TEXT)
		write_text(v->text, out);
	else if (v->kind == SAT_BOOL)
		sat_buf_printf(out, "%s", v->b ? "true" : "false");
	else if (v->kind == SAT_INT)
		sat_buf_printf(out, "%lld%s", (long long)v->i, v->i < INT_MIN || v->i > INT_MAX ? "L" : "");
	else
		write_double(v->d, out);
}

static void write_value(const struct sat_conf *s, const char *without, struct sat_buf *out)
{
	const char *comma = "";

	if (s->shape == SCALAR) {
		write_scalar(&s->value, out);
		return;
	}
	sat_buf_printf(out, s->shape == GROUP ? "{ " : "( ");
	for (unsigned i = 0; i < s->n; i++) {
		if (s->shape == GROUP && without != NULL && strcmp(s->kids[i].name, without) == 0)
			continue;
		if (s->shape == GROUP) {
			conf_write(&s->kids[i], NULL, out);
		} else {
			sat_buf_printf(out, "%s", comma);
			write_value(&s->kids[i], NULL, out);
			comma = ", ";
		}
	}
	sat_buf_printf(out, s->shape == GROUP ? "}" : " )");
}

void conf_write(const struct sat_conf *s, const char *without, struct sat_buf *out)
{
	if (s->name != NULL)
		sat_buf_printf(out, "%s = ", s->name);
	write_value(s, without, out);
	if (s->name != NULL)
		sat_buf_printf(out, ";\n");
}
