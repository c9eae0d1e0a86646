/* SPDX-License-Identifier: Apache-2.0 */
/* head - where a request ends: its empty line, its length, or its last chunk. */
#include <string.h>
#include <strings.h>

#include "head.h"

#define HEADERS		64		/* civetweb's MG_MAX_HEADERS: it sees no more */
#define LINE_LENGTH	((size_t)1024)	/* of what is no data in a chunked body */

/* ---- The head ----------------------------------------------------------- */

/* As civetweb looks for it. */
static size_t find_end(const char *p, size_t n)
{
	const char *crlf = memmem(p, n, "\r\n\r\n", 4), *lf = memmem(p, n, "\n\n", 2);

	if (crlf != NULL && (lf == NULL || crlf < lf))
		return (size_t)(crlf - p) + 4;
	return lf != NULL ? (size_t)(lf - p) + 2 : 0;
}

struct header { const char *name, *value; size_t name_len, value_len; };

static bool is(const struct header *h, const char *name)
{
	return strlen(name) == h->name_len && strncasecmp(h->name, name, h->name_len) == 0;
}

static bool says(const struct header *h, const char *value)
{
	return strlen(value) == h->value_len && strncasecmp(h->value, value, h->value_len) == 0;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A line without its end; false: none that two readers would read alike. */
static bool split(const char *p, size_t n, struct header *h)
{
	const char *colon = memchr(p, ':', n), *end = p + n;

	if (colon == NULL || colon == p)
		return false;
	h->name = p;
	h->name_len = (size_t)(colon - p);
	for (; p < colon; p++)
		if (*p <= ' ' || *p > '~')	/* of a char with a sign, too: civetweb ends the head there */
			return false;
	for (p = colon + 1; p < end && blank(*p); p++)
		;
	for (; end > p && blank(end[-1]); end--)
		;
	h->value = p;
	h->value_len = (size_t)(end - p);
	return true;
}

static int read_length(const struct header *h, struct head *out)
{
	if (h->value_len == 0 || h->value_len > 15)
		return h->value_len == 0 ? 400 : 413;
	for (size_t i = 0; i < h->value_len; i++) {
		if (h->value[i] < '0' || h->value[i] > '9')
			return 400;
		out->body = out->body * 10 + (uint64_t)(h->value[i] - '0');
	}
	return 0;
}

static int take_header(const struct header *h, struct head *out, unsigned *lengths)
{
	if (is(h, "Content-Length") || is(h, "Transfer-Encoding")) {
		if ((*lengths)++ > 0)
			return 400;
		out->chunked = is(h, "Transfer-Encoding");
		if (!out->chunked)
			return read_length(h, out);
		return says(h, "chunked") ? 0 : 400;
	}
	if (is(h, "Upgrade") && says(h, "websocket"))
		out->upgrade = true;
	if (is(h, "Expect"))
		out->expects = says(h, "100-continue");
	return 0;
}

/* Other bytes than these civetweb takes for no request. */
static bool printable(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)p[i] < 0x20 && p[i] != '\r' && p[i] != '\n' && p[i] != '\t') || p[i] == 0x7f)
			return false;
	return true;
}

void head_skip(struct sat_buf *in)
{
	const char *p = in->p;
	size_t n = 0;

	while (n < in->len && (p[n] == '\n' || (p[n] == '\r' && n + 1 < in->len && p[n + 1] == '\n')))
		n += p[n] == '\n' ? 1 : 2;
	in->len -= n;
	if (n > 0)
		memmove(in->p, p + n, in->len);
}

int head_read(const char *p, size_t n, struct head *out)
{
	size_t len = find_end(p, n), line = 0, size;
	unsigned lengths = 0, headers = 0;
	const char *end;
	struct header h;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (!printable(p, len > 0 ? len : n))
		return 400;
	if (len > HEAD_MAX || (len == 0 && n >= HEAD_MAX))
		return 431;
	while (line < len && rc == 0) {
		end = memchr(p + line, '\n', len - line);
		size = (size_t)(end - p) - line;
		if (size > 0 && end[-1] == '\r')
			size--;
		if (line > 0 && size > 0)	/* the first is for civetweb */
			rc = ++headers > HEADERS ? 431 : !split(p + line, size, &h) ? 400 :
				take_header(&h, out, &lengths);
		line = (size_t)(end - p) + 1;
	}
	if (rc == 0 && out->upgrade && (out->chunked || out->body > 0))
		rc = 400;		/* civetweb would take the body for frames, which nobody looked at */
	out->len = len;
	return rc;
}

static int cut(struct sat_buf *in, struct head *head, char *from, size_t n)
{
	memmove(from, from + n, in->len - n - (size_t)(from - in->p));
	in->len -= n;
	head->len -= n;
	return 0;
}

static int insert(struct sat_buf *in, struct head *head, size_t at, char byte)
{
	sat_buf_add(in, &byte, 1);
	if (in->full)
		return 503;
	memmove(in->p + at + 1, in->p + at, in->len - at - 1);
	in->p[at] = byte;
	head->len++;
	return 0;
}

int head_path(struct sat_buf *in, struct head *head)
{
	static const char scheme[] = "http://", all[] = "OPTIONS * ";
	size_t line = (size_t)((char *)memchr(in->p, '\n', head->len) - in->p);
	char *target = memchr(in->p, ' ', line), *end = in->p + line, *path;

	if (target == NULL || *++target == '/')
		return target == NULL ? 400 : 0;
	if (line >= sizeof(all) && memcmp(in->p, all, sizeof(all) - 1) == 0)
		return insert(in, head, sizeof("OPTIONS ") - 1, '/');
	if ((size_t)(end - target) < sizeof(scheme) || strncasecmp(target, scheme, sizeof(scheme) - 1) != 0)
		return 400;
	path = target + sizeof(scheme) - 1;
	while (path < end && strchr("/? \r", *path) == NULL)
		path++;
	if (*path != '/')
		*--path = '/';
	return cut(in, head, target, (size_t)(path - target));
}

/* ---- A chunked body ----------------------------------------------------- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_size(struct chunks *c, char byte)
{
	int d = digit(byte);

	if (byte == '\r' && c->digits > 0) {
		c->total += c->left;
		c->at = CHUNK_SIZE_LF;
		return c->total > SAT_BODY_MAX ? 413 : 0;
	}
	if (d < 0)
		return 400;		/* extensions are not civetweb's */
	c->left = c->left * 16 + (unsigned)d;
	return ++c->digits > 8 ? 413 : 0;
}

/* Lines up to the empty one: trailers, of which nobody here knows any. */
static int take_trailer(struct chunks *c, char byte)
{
	if (byte == '\n' && c->line == 0)
		c->at = CHUNK_DONE;
	else if (byte == '\n')
		c->line = 0;
	else if (byte != '\r')
		c->line++;
	return c->line > LINE_LENGTH ? 400 : 0;
}

static int take_byte(struct chunks *c, char byte)
{
	switch (c->at) {
	case CHUNK_SIZE:
		return take_size(c, byte);
	case CHUNK_SIZE_LF:
		c->at = c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
		return byte == '\n' ? 0 : 400;
	case CHUNK_CR:
		c->at = CHUNK_LF;
		return byte == '\r' ? 0 : 400;
	case CHUNK_LF:
		c->at = CHUNK_SIZE;
		c->digits = 0;
		return byte == '\n' ? 0 : 400;
	default:
		return take_trailer(c, byte);
	}
}

int chunks_read(struct chunks *c, const char *p, size_t n)
{
	const char *end = p + n;
	int rc = 0;

	while (p < end && rc == 0 && c->at != CHUNK_DONE) {
		size_t part = (size_t)(end - p) < c->left ? (size_t)(end - p) : c->left;

		if (c->at != CHUNK_DATA) {
			rc = take_byte(c, *p++);
			continue;
		}
		p += part;
		c->left -= part;
		if (c->left == 0)
			c->at = CHUNK_CR;
	}
	return rc;
}
