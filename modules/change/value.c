/* SPDX-License-Identifier: Apache-2.0 */
/* value - a field's value that outlives its event. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

enum { TEXTS = 1000 };		/* of a saved one */

void value_free(struct sat_value *v)
{
	if (v->kind == SAT_TEXT)
		free((char *)(uintptr_t)v->text);
	if (v->kind == SAT_TEXTS) {
		for (uint32_t i = 0; i < v->n; i++)
			free((char *)(uintptr_t)v->texts[i]);
		free((void *)(uintptr_t)v->texts);
	}
	*v = (struct sat_value){ .kind = SAT_NIL };
}

static int copy_texts(struct sat_value *to, const struct sat_value *from)
{
	const char **texts = calloc((size_t)from->n + 1, sizeof(*texts));

	*to = (struct sat_value){ .kind = SAT_TEXTS, .n = 0, .texts = texts };
	if (texts == NULL) {
		to->kind = SAT_NIL;
		return -ENOMEM;
	}
	for (; to->n < from->n; to->n++) {
		texts[to->n] = strdup(from->texts[to->n]);
		if (texts[to->n] == NULL) {
			value_free(to);
			return -ENOMEM;
		}
	}
	return 0;
}

int value_copy(struct sat_value *to, const struct sat_value *from)
{
	if (from->kind == SAT_TEXTS)
		return copy_texts(to, from);
	*to = *from;
	if (from->kind == SAT_TEXT && (to->text = strdup(from->text)) == NULL) {
		to->kind = SAT_NIL;
		return -ENOMEM;
	}
	return 0;
}

int value_save(const struct sat_value *v, struct sat_writer *out)
{
	sat_write_int(out, v->kind);
	switch (v->kind) {
	case SAT_NIL:
		return 0;
	case SAT_BOOL:
		return sat_write_int(out, v->b);
	case SAT_INT:
		return sat_write_int(out, v->i);
	case SAT_DOUBLE:
		return sat_write_double(out, v->d);
	case SAT_TEXT:
		return sat_write_text(out, v->text);
	case SAT_TEXTS:
		break;
	}
	sat_write_int(out, v->n);
	for (uint32_t i = 0; i < v->n; i++)
		sat_write_text(out, v->texts[i]);
	return 0;
}

static int load_texts(struct sat_value *to, struct sat_reader *in)
{
	const char *texts[TEXTS];
	struct sat_value v = { .kind = SAT_TEXTS, .texts = texts };
	int64_t n;
	int rc = sat_read_int(in, &n);

	if (rc != 0 || n < 0 || n > TEXTS)
		return -EBADMSG;
	for (v.n = 0; v.n < n; v.n++)
		if (sat_read_text(in, &texts[v.n]) != 0 || texts[v.n] == NULL)
			return -EBADMSG;
	return copy_texts(to, &v);
}

int value_load(struct sat_value *to, struct sat_reader *in)
{
	struct sat_value v = { .kind = SAT_NIL };
	int64_t kind, n = 0;
	int rc;

	value_free(to);
	if (sat_read_int(in, &kind) != 0 || kind < SAT_NIL || kind > SAT_TEXTS)
		return -EBADMSG;
	v.kind = (enum sat_kind)kind;
	switch (v.kind) {
	case SAT_NIL:
		return 0;
	case SAT_BOOL:
		rc = sat_read_int(in, &n);
		v.b = n != 0;
		break;
	case SAT_INT:
		rc = sat_read_int(in, &v.i);
		break;
	case SAT_DOUBLE:
		rc = sat_read_double(in, &v.d);
		break;
	case SAT_TEXT:
		rc = sat_read_text(in, &v.text);
		break;
	default:
		return load_texts(to, in);
	}
	if (rc != 0 || (v.kind == SAT_TEXT && v.text == NULL))
		return -EBADMSG;
	return value_copy(to, &v);
}
