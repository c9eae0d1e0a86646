/* SPDX-License-Identifier: Apache-2.0 */
/* members - the members of one JSON object or list, as decoded names and untouched text. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "members.h"

struct reader {
	yajl_handle yajl;
	const char *json;
	size_t end;			/* of the last token */
	unsigned depth;
	enum member_kind kind;		/* of the container that is open at depth 2 */
	size_t raw, raw_key, raw_key_len;
	char *key;
	int (*found)(void *arg, const struct member *m);
	void *arg;
	int rc;
};

/* Where the token that ended just now began: behind blanks and separators. */
static size_t begin(const struct reader *r)
{
	size_t at = r->end;

	while (strchr(" \t\r\n,:", r->json[at]) != NULL)
		at++;
	return at;
}

static size_t token(struct reader *r)
{
	size_t at = begin(r);

	r->end = yajl_get_bytes_consumed(r->yajl);
	return at;
}

static int tell(struct reader *r, enum member_kind kind, size_t raw, const char *text, size_t len)
{
	struct member m = {
		.kind = kind, .key = r->key, .raw_key = r->json + r->raw_key, .raw_key_len = r->raw_key_len,
		.raw = r->json + raw, .raw_len = r->end - raw, .text = text, .len = len,
	};

	r->rc = r->found(r->arg, &m);
	free(r->key);
	r->key = NULL;
	return r->rc == 0;
}

static int scalar(struct reader *r, enum member_kind kind, const char *text, size_t len)
{
	size_t at = token(r);

	if (r->depth == 0)
		return 0;
	return r->depth > 1 ? 1 : tell(r, kind, at, text, len);
}

static int on_null(void *arg)
{
	return scalar(arg, M_NULL, NULL, 0);
}

static int on_bool(void *arg, int value)
{
	(void)value;
	return scalar(arg, M_BOOL, NULL, 0);
}

static int on_number(void *arg, const char *text, size_t len)
{
	(void)text, (void)len;
	return scalar(arg, M_NUMBER, NULL, 0);
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
	return scalar(arg, M_STRING, (const char *)text, len);
}

static int on_key(void *arg, const unsigned char *text, size_t len)
{
	struct reader *r = arg;
	size_t at = token(r);

	if (r->depth != 1)
		return 1;
	r->raw_key = at;
	r->raw_key_len = r->end - at;
	r->rc = memchr(text, '\0', len) != NULL ? -EBADMSG : -ENOMEM;
	r->key = r->rc == -ENOMEM ? malloc(len + 1) : NULL;
	if (r->key == NULL)
		return 0;
	memcpy(r->key, text, len);
	r->key[len] = '\0';
	r->rc = 0;
	return 1;
}

static int enter(struct reader *r, enum member_kind kind)
{
	size_t at = token(r);

	if (r->depth++ == 1) {
		r->kind = kind;
		r->raw = at;
	}
	return 1;
}

static int leave(struct reader *r)
{
	token(r);
	return --r->depth == 1 ? tell(r, r->kind, r->raw, NULL, 0) : 1;
}

static int on_map(void *arg)
{
	return enter(arg, M_MAP);
}

static int on_list(void *arg)
{
	return enter(arg, M_LIST);
}

static int on_end(void *arg)
{
	return leave(arg);
}

int members_read(const char *json, size_t len,
		 int (*found)(void *arg, const struct member *m), void *arg)
{
	static const yajl_callbacks calls = {
		.yajl_null = on_null, .yajl_boolean = on_bool, .yajl_number = on_number,
		.yajl_string = on_string, .yajl_map_key = on_key,
		.yajl_start_map = on_map, .yajl_end_map = on_end,
		.yajl_start_array = on_list, .yajl_end_array = on_end,
	};
	struct reader r = { .json = json, .found = found, .arg = arg };
	yajl_status status;

	r.yajl = yajl_alloc(&calls, NULL, &r);
	if (r.yajl == NULL)
		return -ENOMEM;
	status = yajl_parse(r.yajl, (const unsigned char *)json, len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(r.yajl);
	if (r.rc == 0 && status != yajl_status_ok)
		r.rc = -EBADMSG;
	free(r.key);
	yajl_free(r.yajl);
	return r.rc;
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
