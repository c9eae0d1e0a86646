/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http-head - for libFuzzer: a request as a stranger sends it to the gate of http-civetweb.
 *
 * Its head is looked for, and its target made a path, of which another reader would have to find the
 * same end; a chunked body that follows must end at the same byte however it is cut.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/http-civetweb/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In pieces of that size: the status, and what it is at then. */
static int read_chunks(struct chunks *c, const char *p, size_t n, size_t piece)
{
	int rc = 0;

	*c = (struct chunks){ 0 };
	for (size_t at = 0; at < n && rc == 0; at += piece) {
		size_t len = piece < n - at ? piece : n - at;
		char *copy = malloc(len);	/* lest one more is read */

		rc = chunks_read(c, memcpy(copy, p + at, len), len);
		free(copy);
	}
	return rc;
}

static void body(const char *p, size_t n)
{
	struct chunks whole, pieces;
	int rc = n > 0 ? read_chunks(&whole, p, n, n) : 0;

	if (n == 0)
		return;
	for (size_t piece = 1; piece <= 8; piece *= 2) {
		assert(read_chunks(&pieces, p, n, piece) == rc);
		assert(pieces.at == whole.at && pieces.left == whole.left && pieces.total == whole.total);
	}
	assert(rc != 0 || whole.total <= SAT_BODY_MAX);
}

/* What civetweb gets has the same end, and a path. */
static void path(struct sat_buf *in, const struct head *as_it_came)
{
	struct head h = *as_it_came, again;
	size_t rest = in->len - h.len;

	if (head_path(in, &h) != 0)
		return;
	assert(in->len - h.len == rest);
	assert(*((char *)memchr(in->p, ' ', h.len) + 1) == '/');
	if (h.len > HEAD_MAX)
		return;
	assert(head_read(in->p, in->len, &again) == 0);
	assert(again.len == h.len && again.body == h.body);
	assert(again.chunked == h.chunked && again.upgrade == h.upgrade && again.expects == h.expects);
}

/* It is no other one when it comes byte by byte: not whole, or refused already. */
static void drips(const char *p, size_t n)
{
	struct head h;

	for (size_t i = 0; i < n; i++) {
		char *copy = malloc(i + 1);
		int rc = head_read(memcpy(copy, p, i), i, &h);

		free(copy);
		assert(rc == 0 && h.len == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sat_buf in = { 0 };
	struct head h;

	sat_buf_add(&in, data, size);
	head_skip(&in);
	assert(in.len == 0 || *in.p != '\n');
	if (in.len > 0 && head_read(in.p, in.len, &h) == 0 && h.len > 0) {
		assert(h.len <= in.len && !(h.upgrade && (h.chunked || h.body > 0)));
		drips(in.p, h.len < 300 ? h.len : 300);
		if (h.chunked)
			body(in.p + h.len, in.len - h.len);
		path(&in, &h);
	}
	body((const char *)data, size);
	sat_buf_free(&in);
	return 0;
}
