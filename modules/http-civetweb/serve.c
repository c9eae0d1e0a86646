/* SPDX-License-Identifier: Apache-2.0 */
/* serve - a request as a worker reads it and hands it to the host, for whose answer it sleeps. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "conn.h"

#define PIECE		((size_t)16 << 10)

/* All of it is here already: the gate has seen to that. */
static int read_body(struct mg_connection *mg, struct sat_buf *b)
{
	const struct mg_request_info *ri = mg_get_request_info(mg);
	char piece[PIECE];
	int n;

	while ((n = mg_read(mg, piece, sizeof(piece))) > 0)
		sat_buf_add(b, piece, (size_t)n);
	if (b->full)
		return -ENOMEM;
	return n < 0 || (long long)b->len < ri->content_length ? -EBADMSG : 0;
}

/* As the client said it: see head_path(). */
static const char *path_of(const struct mg_request_info *ri)
{
	bool all = strcmp(ri->request_method, "OPTIONS") == 0 && strcmp(ri->local_uri_raw, HEAD_ALL) == 0;

	return all ? "*" : ri->local_uri_raw;
}

int serve_ask(struct conn *c, const struct sat_buf *body)
{
	const struct mg_request_info *ri = mg_get_request_info(c->mg);
	struct sat_attr headers[MG_MAX_HEADERS];
	struct sat_http_head head = {
		.size = sizeof(head),
		.method = ri->request_method, .path = path_of(ri), .query = ri->query_string,
		.peer = c->peer, .headers = headers, .n_headers = (uint32_t)ri->num_headers,
		.body = body->p, .body_len = body->len,
		.websocket = c->websocket,
	};
	int rc;

	for (int i = 0; i < ri->num_headers; i++)
		headers[i] = (struct sat_attr){ ri->http_headers[i].name, ri->http_headers[i].value };
	rc = sat_http_request(c->pool->self, c, &head, &c->req);
	if (rc != 0)
		return rc;
	pthread_mutex_lock(&c->lock);
	while (c->state == CONN_WAITS)
		pthread_cond_wait(&c->changed, &c->lock);
	rc = (int)c->state;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

static void serve(struct conn *c, const struct sat_buf *body)
{
	int rc = serve_ask(c, body);

	if (rc < 0) {
		write_error(c->mg, 503, "too much at once");
	} else if (rc == CONN_ANSWERED) {
		write_answer(c);
	} else {
		write_whole_stream(c);
		sat_http_closed(c->req);
	}
}

static bool asks_websocket(struct mg_connection *mg)
{
	const char *upgrade = mg_get_header(mg, "Upgrade"), *connection = mg_get_header(mg, "Connection");

	return upgrade != NULL && strcasecmp(upgrade, "websocket") == 0 &&
	       connection != NULL && strcasestr(connection, "upgrade") != NULL;
}

int serve_request(struct mg_connection *mg)
{
	struct sat_buf body = { .max = SAT_BODY_MAX };
	struct conn c;
	int rc;

	if (mg_get_request_info(mg)->local_uri_raw == NULL) {
		write_error(mg, 400, "the path is not well encoded");
		return 400;
	}
	if (asks_websocket(mg))
		return 0;
	rc = conn_init(&c, mg, false);
	if (rc != 0) {
		write_error(mg, 403, "this is not the way in");
		return 403;
	}
	rc = read_body(mg, &body);
	if (rc == 0)
		serve(&c, &body);
	else
		write_error(mg, rc == -ENOMEM ? 503 : 400, rc == -ENOMEM ? "out of memory" : "the body is malformed");
	conn_free(&c);
	sat_buf_free(&body);
	return rc == 0 ? 200 : 400;
}
