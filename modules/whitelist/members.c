/* SPDX-License-Identifier: Apache-2.0 */
/* members - the members of one JSON object or list, as decoded names and untouched text. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

#include "members.h"

struct reader {
	struct sat_json *json;
	const char *text;
	size_t end;			/* of the last member, or of the bracket in front of all */
	bool list;
	struct member open;		/* an object or list that is a member, while it is read */
	char *key;			/* its name */
	int (*found)(void *arg, const struct member *m);
	void *arg;
};

/* Of a string as it is written, with its quotes. */
static size_t string_length(const char *s)
{
	size_t n = 1;

	while (s[n] != '"')
		n += s[n] == '\\' ? 2 : 1;
	return n + 1;
}

/* One that has just begun: behind blanks and separators its name, then itself. */
static struct member begin(const struct reader *r, enum member_kind kind, const char *key)
{
	struct member m = { .kind = kind };

	m.raw = r->text + r->end;
	m.raw += strspn(m.raw, " \t\r\n,");
	if (r->list)
		return m;
	m.key = key;
	m.raw_key = m.raw;
	m.raw_key_len = string_length(m.raw);
	m.raw += m.raw_key_len;
	m.raw += strspn(m.raw, " \t\r\n:");
	return m;
}

static int tell(struct reader *r, struct member *m)
{
	r->end = sat_json_position(r->json);
	m->raw_len = r->end - (size_t)(m->raw - r->text);
	return r->found(r->arg, m);
}

static int on_value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	static const enum member_kind kinds[] = {
		[SAT_JSON_NULL] = M_NULL, [SAT_JSON_BOOL] = M_BOOL, [SAT_JSON_NUMBER] = M_NUMBER,
		[SAT_JSON_TEXT] = M_STRING,
	};
	struct reader *r = arg;
	struct member m;

	if (level != 1)
		return level == 0 ? -EBADMSG : 0;
	m = begin(r, kinds[v->kind], key);
	if (m.kind == M_STRING) {
		m.text = v->text;
		m.len = v->len;
	}
	return tell(r, &m);
}

static int on_open(void *arg, unsigned level, const char *key, bool list)
{
	struct reader *r = arg;

	if (level > 1)
		return SAT_JSON_SKIP;
	if (level == 0) {
		r->list = list;
		r->end = sat_json_position(r->json);
		return SAT_JSON_ENTER;
	}
	r->key = strdup(key);
	r->open = begin(r, list ? M_LIST : M_MAP, r->key);
	return r->key != NULL ? SAT_JSON_ENTER : -ENOMEM;
}

static int on_close(void *arg, unsigned level)
{
	struct reader *r = arg;
	int rc = level == 1 ? tell(r, &r->open) : 0;

	free(r->key);
	r->key = NULL;
	return rc;
}

int members_read(const char *json, size_t len,
		 int (*found)(void *arg, const struct member *m), void *arg)
{
	static const struct sat_json_calls calls = {
		.size = sizeof(calls), .open = on_open, .value = on_value, .close = on_close,
	};
	struct reader r = { .text = json, .found = found, .arg = arg };
	int rc;

	r.json = sat_json_new(&calls, &r, len);
	if (r.json == NULL)
		return -ENOMEM;
	rc = sat_json_feed(r.json, json, len);
	if (rc == 0)
		rc = sat_json_end(r.json);
	sat_json_free(r.json);
	free(r.key);
	return rc == -E2BIG ? -EBADMSG : rc;
}

char *member_text(const struct member *m)
{
	return m->kind == M_STRING && memchr(m->text, '\0', m->len) == NULL ? strndup(m->text, m->len) : NULL;
}

double member_number(const struct member *m)
{
	char digits[64];

	if (m->kind != M_NUMBER || m->raw_len >= sizeof(digits))
		return 0;
	memcpy(digits, m->raw, m->raw_len);
	digits[m->raw_len] = '\0';
	return strtod(digits, NULL);
}

int64_t member_micros(const struct member *m)
{
	double seconds = member_number(m);

	return fabs(seconds) < 9e12 ? llround(seconds * 1e6) : 0;
}
