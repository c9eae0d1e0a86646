/* SPDX-License-Identifier: Apache-2.0 */
/* serve - a request as a worker reads it and hands it to the host, for whose answer it sleeps. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "conn.h"

#define BODY_S		10			/* for a whole body */
#define PIECE		((size_t)16 << 10)

static int64_t seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Up to one byte more than is allowed.  -errno: it did not come. */
static int read_body(struct mg_connection *mg, struct sat_buf *b)
{
	const struct mg_request_info *ri = mg_get_request_info(mg);
	const char *expect = mg_get_header(mg, "Expect");
	int64_t end = seconds() + BODY_S;
	char piece[PIECE];
	int n = 0;

	if (ri->content_length > (long long)SAT_BODY_MAX)
		return 0;
	if (expect != NULL && strcasecmp(expect, "100-continue") == 0)
		mg_printf(mg, "HTTP/1.1 100 Continue\r\n\r\n");
	while (b->len <= SAT_BODY_MAX && seconds() < end && (n = mg_read(mg, piece, sizeof(piece))) > 0)
		sat_buf_add(b, piece, (size_t)n);
	if (b->full)
		return -ENOMEM;
	if (n < 0 || seconds() >= end || (ri->content_length > 0 && (long long)b->len < ri->content_length))
		return -ETIMEDOUT;
	return 0;
}

int serve_ask(struct conn *c, const struct sat_buf *body)
{
	const struct mg_request_info *ri = mg_get_request_info(c->mg);
	bool unread = ri->content_length > (long long)SAT_BODY_MAX, too_long = unread || body->len > SAT_BODY_MAX;
	struct sat_attr headers[MG_MAX_HEADERS];
	struct sat_http_head head = {
		.size = sizeof(head),
		.method = ri->request_method, .path = ri->local_uri_raw, .query = ri->query_string,
		.peer = ri->remote_addr, .headers = headers, .n_headers = (uint32_t)ri->num_headers,
		.body = too_long ? NULL : body->p, .body_len = unread ? SAT_BODY_MAX + 1 : body->len,
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
		write_chunks(c);
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
	struct sat_buf body = { .max = SAT_BODY_MAX + 2 * PIECE };
	struct conn c;
	int rc;

	if (mg_get_request_info(mg)->local_uri_raw == NULL) {
		write_error(mg, 400, "the path is not well encoded");
		return 400;
	}
	if (asks_websocket(mg))
		return 0;
	rc = read_body(mg, &body);
	if (rc != 0) {
		write_error(mg, rc == -ENOMEM ? 503 : 408, rc == -ENOMEM ? "out of memory" : "the body did not come");
		sat_buf_free(&body);
		return 408;
	}
	conn_init(&c, mg_get_user_data(mg_get_context(mg)), mg, false);
	atomic_fetch_add(&c.pool->busy, 1);
	serve(&c, &body);
	atomic_fetch_sub(&c.pool->busy, 1);
	conn_free(&c);
	sat_buf_free(&body);
	return 200;
}
