/* SPDX-License-Identifier: Apache-2.0 */
/* reply - sat_request_*(), sat_reply*() and sat_stream_*(): what a route sees of a request, and its answer. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "request.h"

enum { EXTRA_MAX = 16 };	/* headers of an answer's own */

/* ---- What was asked ----------------------------------------------------- */

const char *sat_request_method(const struct sat_request *req)
{
	return req->method;
}

const char *sat_request_path(const struct sat_request *req)
{
	return req->path;
}

const char *sat_request_part(const struct sat_request *req, const char *name)
{
	int i = req->pattern != NULL ? uri_name(req->pattern, name) : -1;

	return i < 0 ? NULL : req->parts[i];
}

const char *sat_request_query(const struct sat_request *req, const char *name)
{
	for (int i = 0; i < req->n_params; i++)
		if (strcmp(req->params[i].name, name) == 0)
			return req->params[i].value;
	return NULL;
}

const char *sat_request_header(const struct sat_request *req, const char *name)
{
	for (uint32_t i = 0; i < req->n_headers; i++)
		if (strcasecmp(req->headers[i].key, name) == 0)
			return req->headers[i].value;
	return NULL;
}

const void *sat_request_body(const struct sat_request *req, size_t *len)
{
	if (len != NULL)
		*len = req->body != NULL ? req->body_len : 0;
	return req->body != NULL ? req->body : "";
}

const char *sat_request_who(const struct sat_request *req)
{
	return req->peer;
}

bool sat_request_websocket(const struct sat_request *req)
{
	return req->websocket;
}

/* ---- Answers ------------------------------------------------------------ */

/* A header's line may not end early. */
static bool one_line(const char *s)
{
	for (; *s != '\0'; s++)
		if (iscntrl((unsigned char)*s) && *s != '\t')
			return false;
	return true;
}

/* Of these headers those that may be said; lines has room for so many and a NULL. */
static void pick_lines(const char *const *extra, const char **lines, size_t max)
{
	size_t n = 0;

	for (; extra != NULL && *extra != NULL && n < max; extra++)
		if (one_line(*extra))
			lines[n++] = *extra;
	lines[n] = NULL;
}

void sat_reply(struct sat_request *req, int status, const char *type,
	       const void *body, size_t len, const char *const *extra)
{
	const char *lines[EXTRA_MAX + 1];

	if (req->state == REQUEST_LEFT) {
		request_finish(req);
		return;
	}
	if (req->state != REQUEST_WAITS) {
		log_line(LOG_ERR, "http", "%s: answered twice", req->path);
		return;
	}
	pick_lines(extra, lines, EXTRA_MAX);
	req->door->reply(req->conn, status, type, req->head_only ? NULL : body, len, lines);
	request_finish(req);
}

void sat_reply_buf(struct sat_request *req, int status, const char *type, struct sat_buf *b)
{
	if (b->full)
		sat_reply_error(req, 500, "the answer is too large");
	else
		sat_reply(req, status, type, b->p != NULL ? b->p : "", b->len, NULL);
	sat_buf_free(b);
}

void sat_reply_error(struct sat_request *req, int status, const char *fmt, ...)
{
	static const char sorry[] = "{\"error\": \"out of memory\"}\n";
	struct sat_buf b = { 0 };
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sat_buf_printf(&b, "{\"error\": ");
	sat_buf_json(&b, text);
	sat_buf_printf(&b, "}\n");
	if (b.full)
		sat_reply(req, status, "application/json", sorry, sizeof(sorry) - 1, NULL);
	else
		sat_reply(req, status, "application/json", b.p, b.len, NULL);
	sat_buf_free(&b);
}

int sat_stream_begin(struct sat_request *req, int status, const char *type,
		     const struct sat_stream *cb, void *arg)
{
	const char *lines[EXTRA_MAX + 1];
	struct sat_stream copy = { 0 };
	int rc = 0;

	if (req->state == REQUEST_LEFT)
		return -EPIPE;
	if (req->state != REQUEST_WAITS || (status == 101) != req->websocket)
		return -EINVAL;
	memcpy(&copy, cb, cb->size < sizeof(copy) ? cb->size : sizeof(copy));
	pick_lines(copy.extra, lines, EXTRA_MAX);
	if (req->head_only)
		req->door->reply(req->conn, status, type, NULL, copy.length, lines);
	else
		rc = req->door->begin(req->conn, status, type, lines, copy.length);
	if (rc != 0)
		return rc;
	copy.extra = NULL;
	req->cb_copy = copy;
	req->cb = &req->cb_copy;
	req->arg = arg;
	req->state = req->head_only ? REQUEST_ENDS : REQUEST_STREAMS;
	if (req->head_only)
		sat_http_closed(req);
	return 0;
}

int sat_stream_send(struct sat_request *req, const void *p, size_t len)
{
	return request_send(req, p, len);
}

void sat_stream_end(struct sat_request *req)
{
	if (req->state == REQUEST_STREAMS)
		request_end_stream(req);
}

/*
 * A status cannot be a header once the stream has begun: one over 0 then follows
 * the text behind a NUL, which text itself never has.
 */
static void end_command_stream(struct sat_request *req, int status, struct sat_buf *text)
{
	if (status > 0) {
		sat_buf_add(text, "", 1);
		sat_buf_printf(text, "%d", status);
	}
	if (text->len == 0 || text->full || sat_stream_send(req, text->p, text->len) != -EAGAIN) {
		request_end_stream(req);
		return;
	}
	req->tail = *text;	/* once there is room */
	*text = (struct sat_buf){ 0 };
}

void sat_command_done(struct sat_request *req, int status, struct sat_buf *text)
{
	char line[40];
	const char *const extra[] = { line, NULL };

	if (req->state == REQUEST_STREAMS) {
		end_command_stream(req, status, text);
	} else if (text->full && req->state <= REQUEST_LEFT) {
		sat_reply_error(req, 500, "the answer is too large");
	} else if (req->state <= REQUEST_LEFT) {
		snprintf(line, sizeof(line), "X-Exit-Status: %d", status);
		sat_reply(req, 200, "text/plain; charset=utf-8", text->p != NULL ? text->p : "", text->len, extra);
	}
	sat_buf_free(text);
}
