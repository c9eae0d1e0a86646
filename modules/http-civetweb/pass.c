/* SPDX-License-Identifier: Apache-2.0 */
/* pass - a client's request on its way to civetweb, and the answer back. */
#include <stdlib.h>
#include <string.h>

#include "client.h"

/* ---- To civetweb -------------------------------------------------------- */

static void passed_on(uv_write_t *w, int status)
{
	struct out *o = (struct out *)w;
	struct client *c = o->client;

	c->up_out -= o->len;
	free(o);
	if (c->stage != CLIENT_PASSES)
		return;
	if (status == 0 && c->paused && c->websocket && c->up_out == 0)
		client_read_on(c);
}

/* false: that was it. */
static bool pass_on(struct client *c, const char *p, size_t n)
{
	if (n > 0 && client_write((uv_stream_t *)&c->up, c, p, n, passed_on) != 0) {
		client_close(c);
		return false;
	}
	c->up_out += n;
	return true;
}

void pass_frames(struct client *c, const char *p, size_t n)
{
	struct sat_buf b = { 0 };

	if (c->silenced)
		return;
	c->silenced = !frames_pass(&c->way, p, n, &b);
	if (c->silenced) {
		sat_count(c->gate->self, WRONG, 1);
		if (sat_log_allowed(c->gate->self, &c->gate->lines, 5, 60 * SAT_SECOND))
			sat_log(c->gate->self, LOG_INFO, "%s: WebSocket closed: a frame that is too long", c->peer);
	}
	if (b.full)
		client_close(c);
	else if (pass_on(c, b.p, b.len) && c->up_out > GATE_OUT) {
		uv_read_stop((uv_stream_t *)&c->tcp);
		c->paused = true;
	}
	sat_buf_free(&b);
}

void client_hang_up(struct client *c)
{
	if (c->has_up && uv_is_writable((uv_stream_t *)&c->up))
		uv_shutdown(&c->up_shut, (uv_stream_t *)&c->up, client_shut);
}

/* ---- And back ----------------------------------------------------------- */

/* The first bytes say whether it became a WebSocket; what the client said before that is still here. */
static void look_at(struct client *c, const char *p, size_t n)
{
	static const char switched[] = "HTTP/1.1 101";

	if (c->n_first == sizeof(c->first))
		return;
	while (n-- > 0 && c->n_first < sizeof(c->first))
		c->first[c->n_first++] = *p++;
	if (c->n_first < sizeof(c->first) || memcmp(c->first, switched, sizeof(c->first)) != 0 || !c->head.upgrade)
		return;
	c->websocket = true;
	pass_frames(c, c->in.p != NULL ? c->in.p : "", c->in.len);
	sat_buf_free(&c->in);
	if (c->stage == CLIENT_PASSES && gate_hold(c))
		client_read_on(c);
}

static void have_answer(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct client *c = s->data;

	if (n == 0 || c->stage != CLIENT_PASSES)
		return;
	if (n < 0) {
		client_leave(c);
		return;
	}
	client_tell(c, buf->base, (size_t)n);
	if (c->stage != CLIENT_PASSES)
		return;
	look_at(c, buf->base, (size_t)n);
	if (c->stage == CLIENT_PASSES && c->out > GATE_OUT) {
		uv_read_stop(s);
		c->up_paused = true;
	}
}

void pass_answer_on(struct client *c)
{
	c->up_paused = false;
	if (c->stage == CLIENT_PASSES && uv_read_start((uv_stream_t *)&c->up, client_give_room, have_answer) != 0)
		client_close(c);
}

/* ---- The connection ----------------------------------------------------- */

static void up_closed(uv_handle_t *h)
{
	struct client *c = h->data;

	gate_leave(c);
	client_handle_closed(h);
}

void pass_close(struct client *c)
{
	if (c->has_up)
		uv_close((uv_handle_t *)&c->up, up_closed);
	c->has_up = false;
}

/* No more than was asked goes on, and its end: so no worker ever waits for bytes.  But a WebSocket's
 * first frames may be here, too. */
static void connected(uv_connect_t *r, int status)
{
	struct client *c = r->data;
	size_t n = client_request_size(c);

	if (c->stage != CLIENT_PASSES)
		return;
	if (status != 0 || uv_read_start((uv_stream_t *)&c->up, client_give_room, have_answer) != 0) {
		client_refuse(c, 503, "too much at once");
		return;
	}
	if (!pass_on(c, c->in.p, n))
		return;
	if (c->head.upgrade) {
		memmove(c->in.p, c->in.p + n, c->in.len - n);
		c->in.len -= n;
		return;
	}
	sat_buf_free(&c->in);
	gate_hold(c);
	uv_shutdown(&c->up_shut, (uv_stream_t *)&c->up, client_shut);
}

static int dial(struct client *c)
{
	struct sockaddr_in at = { 0 };
	int len = sizeof(at), room = GATE_OUT, rc = uv_tcp_init(c->tcp.loop, &c->up);

	if (rc != 0)
		return rc;
	c->up.data = c->connect.data = c;
	c->has_up = true;
	c->handles++;
	rc = uv_tcp_bind(&c->up, (const struct sockaddr *)&c->gate->source, 0);
	if (rc == 0)
		rc = uv_tcp_getsockname(&c->up, (struct sockaddr *)&at, &len);
	if (rc != 0)
		return rc;
	gate_enters_from(c, ntohs(at.sin_port));
	uv_recv_buffer_size((uv_handle_t *)&c->up, &room);
	uv_tcp_nodelay(&c->up, 1);
	return uv_tcp_connect(&c->connect, &c->up, (const struct sockaddr *)&c->gate->inner, connected);
}

void client_pass(struct client *c)
{
	int rc;

	c->stage = CLIENT_WAITS;
	if (!gate_enter(c))
		return;
	c->stage = CLIENT_PASSES;
	rc = dial(c);
	if (rc == 0)
		return;
	if (!c->has_up)
		gate_leave(c);
	client_refuse(c, 503, "too much at once");
}
