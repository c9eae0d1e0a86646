/* SPDX-License-Identifier: Apache-2.0 */
/* websocket - a WebSocket's life: a worker reads its frames, and a thread of its own writes them. */
#include <stdlib.h>
#include <string.h>

#include "conn.h"

/* Of a WebSocket: nobody else writes to it. */
static void *writer(void *arg)
{
	struct conn *c = arg;
	bool whole = write_stream(c);
	char code[2];

	pthread_mutex_lock(&c->lock);
	c->state = CONN_BROKEN;
	code[0] = (char)(c->code >> 8);
	code[1] = (char)(c->code & 0xff);
	pthread_mutex_unlock(&c->lock);
	if (whole)
		mg_websocket_write(c->mg, MG_WEBSOCKET_OPCODE_CONNECTION_CLOSE, code, c->code != 0 ? 2 : 0);
	gate_hang_up(c->pool->gate, c->pass);	/* so the worker reads an end */
	return NULL;
}

/* Called before the handshake: 0 lets it happen. */
int websocket_connect(const struct mg_connection *mg, void *unused)
{
	struct conn *c = malloc(sizeof(*c));
	const struct sat_buf none = { 0 };
	int rc;

	(void)unused;
	if (c == NULL)
		return 1;
	rc = conn_init(c, (struct mg_connection *)(uintptr_t)mg, true);
	if (rc != 0) {
		free(c);
		return 1;
	}
	rc = serve_ask(c, &none);
	if (rc > CONN_ANSWERED) {
		mg_set_user_connection_data(c->mg, c);
		return 0;
	}
	if (rc == CONN_ANSWERED)
		write_answer(c);
	else
		write_error(c->mg, 503, "too much at once");
	conn_free(c);
	free(c);
	return 1;
}

void websocket_ready(struct mg_connection *mg, void *unused)
{
	struct conn *c = mg_get_user_connection_data(mg);

	(void)unused;
	c->has_writer = pthread_create(&c->writer, NULL, writer, c) == 0;
	if (!c->has_writer)
		gate_hang_up(c->pool->gate, c->pass);
}

static void pong(struct conn *c)
{
	pthread_mutex_lock(&c->lock);
	conn_add_frame(c, MG_WEBSOCKET_OPCODE_PONG, c->frames.p, c->frames.len);	/* no room: it does not read */
	pthread_mutex_unlock(&c->lock);
}

/* The client's last frame. */
static void last_frame(struct conn *c, enum frames_what what)
{
	if (what == FRAMES_WRONG) {
		sat_count(c->pool->self, WRONG, 1);
		if (sat_log_allowed(c->pool->self, &c->pool->wrong, 5, 60 * SAT_SECOND))
			sat_log(c->pool->self, LOG_INFO, "%s: WebSocket closed: %s",
				c->peer, c->frames.p);
	}
	pthread_mutex_lock(&c->lock);
	conn_end_stream(c, c->frames.code);
	pthread_mutex_unlock(&c->lock);
}

int websocket_data(struct mg_connection *mg, int bits, char *data, size_t len, void *unused)
{
	struct conn *c = mg_get_user_connection_data(mg);
	enum frames_what what = frames_take(&c->frames, (unsigned)bits, data, len);

	(void)unused;
	pthread_mutex_lock(&c->lock);
	c->pings = 0;
	pthread_mutex_unlock(&c->lock);
	if (what == FRAMES_MESSAGE)
		sat_http_message(c->req, c->frames.p, c->frames.len);
	else if (what == FRAMES_PING)
		pong(c);
	else if (what != FRAMES_NOTHING)
		last_frame(c, what);
	return what != FRAMES_CLOSE && what != FRAMES_WRONG;
}

/* One that went without a word is not to be waited for. */
static void ws_end(struct conn *c)
{
	mg_set_user_connection_data(c->mg, NULL);
	pthread_mutex_lock(&c->lock);
	if (c->state == CONN_STREAMS)
		conn_set_state(c, CONN_BROKEN);
	pthread_mutex_unlock(&c->lock);
	if (c->has_writer)
		pthread_join(c->writer, NULL);
	sat_http_closed(c->req);
	conn_free(c);
	free(c);
}

void websocket_close(const struct mg_connection *mg, void *unused)
{
	struct conn *c = mg_get_user_connection_data(mg);

	(void)unused;
	if (c != NULL)
		ws_end(c);
}

/* Where the handshake came to nothing, websocket_close() was not called, and no writer made. */
void websocket_gone(const struct mg_connection *mg)
{
	struct conn *c = mg_get_user_connection_data(mg);

	if (c != NULL)
		ws_end(c);
}
