/* SPDX-License-Identifier: Apache-2.0 */
/* events - events that come in over HTTP: in a WebSocket's messages, or a line each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "push.h"

#define REPLIES_MAX	((size_t)16 << 20)

int events_take(struct push *p, const char *json, size_t len, char *error, size_t size)
{
	const struct sat_event *ev = sat_event_parse(json, len, error, size);
	int rc = ev != NULL ? sat_push(p->self, ev, error, size) : -EINVAL;

	if (ev != NULL)
		sat_drop(ev);
	sat_count(p->self, rc == 0 ? RECEIVED : REFUSED, 1);
	return rc;
}

/* {}, or {"error": "…"}. */
static void answer(struct push *p, struct sat_buf *to, const char *json, size_t len)
{
	char error[256] = "";

	if (events_take(p, json, len, error, sizeof(error)) == 0) {
		sat_buf_add(to, "{}", 2);
		return;
	}
	sat_buf_printf(to, "{\"error\": ");
	sat_buf_json(to, error);
	sat_buf_add(to, "}", 1);
}

/* ---- Lines -------------------------------------------------------------- */

static bool blank(const char *s, size_t n)
{
	while (n > 0 && strchr(" \t\r", s[n - 1]) != NULL && s[n - 1] != '\0')
		n--;
	return n == 0;
}

int events_lines(void *state, struct sat_request *req)
{
	struct sat_buf b = { .max = REPLIES_MAX };
	size_t left;
	const char *line = sat_request_body(req, &left);

	while (left > 0 && !b.full) {
		const char *end = memchr(line, '\n', left);
		size_t n = end != NULL ? (size_t)(end - line) : left;

		if (!blank(line, n)) {
			answer(state, &b, line, n);
			sat_buf_add(&b, "\n", 1);
		}
		n += end != NULL;
		line += n;
		left -= n;
	}
	sat_reply_buf(req, 200, "application/x-ndjson", &b);
	return 0;
}

/* ---- A WebSocket -------------------------------------------------------- */

struct source { struct push *push; struct sat_request *req; };

/* One that does not read what it is answered cannot know what was taken. */
static void message(void *arg, const void *p, size_t n)
{
	struct source *s = arg;
	struct sat_buf b = { .max = 4096 };

	answer(s->push, &b, p, n);
	if (b.full || sat_stream_send(s->req, b.p, b.len) == -EAGAIN) {
		sat_count(s->push->self, SLOW, 1);
		sat_stream_end(s->req);
	}
	sat_buf_free(&b);
}

int events_socket(void *state, struct sat_request *req)
{
	static const struct sat_stream stream = { .size = sizeof(stream), .message = message, .closed = free };
	struct source *s;
	int rc;

	if (!sat_request_websocket(req)) {
		sat_reply_error(req, 400, "GET is for WebSockets; PUT or POST events, one a line");
		return 0;
	}
	s = malloc(sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	*s = (struct source){ state, req };
	rc = sat_stream_begin(req, 101, NULL, &stream, s);
	if (rc != 0)
		free(s);
	return rc;
}
