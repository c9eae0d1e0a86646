/* SPDX-License-Identifier: Apache-2.0 */
/* records - RecordIO as it comes: "LENGTH\n" and so many bytes, again and again. */
#include <errno.h>

#include "records.h"

#define DIGITS_MAX	19

void records_init(struct records *r, uint64_t max, const struct records_calls *calls, void *arg)
{
	*r = (struct records){ .calls = calls, .arg = arg, .max = max, .buf = { .max = RECORDS_WHOLE } };
}

void records_free(struct records *r)
{
	sat_buf_free(&r->buf);
}

static int begin(struct records *r)
{
	if (r->digits == 0)
		return -EBADMSG;
	if (r->len > r->max)
		return -EFBIG;
	r->digits = 0;
	r->left = r->len;
	r->inside = r->len > 0;
	r->buf.len = 0;
	return r->len > RECORDS_WHOLE ? r->calls->begin(r->arg, r->len) : 0;
}

static int head(struct records *r, char c)
{
	if (c == '\n')
		return begin(r);
	if (c < '0' || c > '9' || r->digits == DIGITS_MAX)
		return -EBADMSG;
	if (r->digits++ == 0)
		r->len = 0;
	r->len = r->len * 10 + (uint64_t)(c - '0');
	return 0;
}

static int in_pieces(struct records *r, const char *p, size_t n)
{
	int rc = r->calls->piece(r->arg, p, n);

	if (rc != 0 || r->left != 0)
		return rc;
	r->inside = false;
	return r->calls->end(r->arg);
}

static int whole(struct records *r, const char *p, size_t n)
{
	if (n < r->len) {	/* one that comes in one piece is not copied */
		sat_buf_add(&r->buf, p, n);
		if (r->buf.full)
			return -ENOMEM;
		p = r->buf.p;
	}
	if (r->left != 0)
		return 0;
	r->inside = false;
	return r->calls->whole(r->arg, p, r->len);
}

static int body(struct records *r, const char *p, size_t n)
{
	r->left -= n;
	return r->len > RECORDS_WHOLE ? in_pieces(r, p, n) : whole(r, p, n);
}

int records_feed(struct records *r, const void *data, size_t n)
{
	const char *p = data;
	size_t part;
	int rc = 0;

	for (; n > 0 && rc == 0; p += part, n -= part) {
		part = 1;
		if (r->inside)
			part = n < r->left ? n : (size_t)r->left;
		rc = r->inside ? body(r, p, part) : head(r, *p);
	}
	return rc;
}
