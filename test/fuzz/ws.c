/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws - a WebSocket's life: the path and the query it asks for, then its frames.
 *
 * The first line is the request's target, as in "/index?query=true"; what follows
 * are frames as a client sends them, whose messages are events.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "query.h"
#include "uri.h"
#include "../../modules/http-civetweb/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const char *text)
{
	char error[100] = "";
	struct sat_query *q = sat_query_parse(text, error, sizeof(error));

	assert((q == NULL) == (error[0] != '\0'));
	sat_query_free(q);
}

static void open_path(char *target)
{
	char *query = strchr(target, '?'), *room;
	const char *segments[URI_SEGMENTS], *values[URI_SEGMENTS];
	struct uri_param params[URI_PARAMS];
	int n;

	if (query != NULL)
		*query++ = '\0';
	room = malloc(strlen(target) + 1);
	n = uri_path(target, room, segments);
	if (n >= 0) {
		uri_match("/index", segments, n, values);
		uri_match("/events", segments, n, values);
	}
	free(room);
	if (query == NULL)
		return;
	room = malloc(strlen(query) + uri_params(query) + 1);
	n = uri_query(query, room, params);
	for (int i = 0; i < n; i++)
		if (strcmp(params[i].name, "query") == 0)
			ask(params[i].value);
	free(room);
}

static void message(const char *p, size_t n)
{
	char error[100] = "";
	const struct sat_event *ev = sat_event_parse(p, n, error, sizeof(error));

	assert((ev == NULL) == (error[0] != '\0'));
	sat_drop(ev);
}

/* Our own heads say what theirs do. */
static void answer(unsigned opcode, size_t len)
{
	char head[FRAMES_HEAD];
	size_t n = frames_head(head, opcode, len), said = (size_t)head[1];

	if (said >= 126) {
		said = 0;
		for (size_t i = 2; i < n; i++)
			said = said << 8 | (unsigned char)head[i];
	}
	assert(n >= 2 && n <= FRAMES_HEAD && said == len && (head[0] & 15) == (char)opcode);
}

/* A frame's bytes, unmasked, in memory of their own, lest one more is read. */
static bool frame(struct frames *f, unsigned head, const uint8_t *p, size_t n, const uint8_t *mask)
{
	char *copy = malloc(n);
	enum frames_what what;

	for (size_t i = 0; i < n; i++)
		copy[i] = (char)(p[i] ^ mask[i % 4]);
	what = frames_take(f, head, copy, n);
	if (what == FRAMES_MESSAGE)
		message(f->p, f->len);
	else if (what == FRAMES_PING)
		answer(10, f->len);
	assert(what != FRAMES_WRONG || (f->code >= 1000 && f->len == strlen(f->p)));
	free(copy);
	return what != FRAMES_CLOSE && what != FRAMES_WRONG;
}

static void frames(const uint8_t *p, size_t n)
{
	static const uint8_t none[4];
	struct frames f = { 0 };
	bool goes = true;

	while (goes && n >= 2) {
		unsigned head = p[0], bytes = (p[1] & 127) == 126 ? 2 : (p[1] & 127) == 127 ? 8 : 0;
		unsigned skip = 2 + bytes + (p[1] & 128 ? 4 : 0);
		uint64_t len = bytes == 0 ? p[1] & 127 : 0;

		if (n < skip)
			break;
		for (unsigned i = 0; i < bytes; i++)
			len = len << 8 | p[2 + i];
		len = len < n - skip ? len : n - skip;
		goes = frame(&f, head, p + skip, len, p[1] & 128 ? p + 2 + bytes : none);
		p += skip + len;
		n -= skip + len;
	}
	frames_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t n = end != NULL ? (size_t)(end - data) : size;
	char *target = malloc(n + 1);

	clock_virtual(0);
	memcpy(target, data, n);
	target[n] = '\0';
	open_path(target);
	free(target);
	if (end != NULL)
		frames(end + 1, size - n - 1);
	return 0;
}
