/* SPDX-License-Identifier: Apache-2.0 */
/* http - an HTTP/1.1 server that can also misbehave. */
#include "http.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	MAX_HEAD = 16 << 10,
	MAX_BODY = 1 << 20,
	MAX_IN = MAX_HEAD + MAX_BODY + 4096,
};

struct http_conn {
	struct http_request req;	/* first: a request is its connection */
	struct http_server *server;
	struct http_conn *next, **prev;
	uv_tcp_t tcp;
	uv_timer_t timer;
	int open;			/* handles not yet closed */
	bool closing, busy, writing, reading, keep, truncate, stall, chunked, ended;
	struct buf in;
	size_t used;			/* bytes of `in` the request takes */
	char *strings, *body;		/* what req points into */
	struct http_source source;
	http_handler *later;
};

struct http_server {
	uv_loop_t *loop;
	uv_tcp_t *listener;		/* NULL while down */
	int port;
	http_handler *handler;
	void *data;
	struct http_conn *conns;
	bool closing;
};

struct out {
	uv_write_t req;
	struct http_conn *conn;
	struct buf b;
};

static void take_requests(struct http_conn *conn);
static void pump(struct http_conn *conn);

static struct http_conn *conn_of(struct http_request *req)
{
	return (struct http_conn *)(void *)req;
}

/* ---- Ending ------------------------------------------------------------- */

static void server_release(struct http_server *server)
{
	if (server->closing && !server->conns && !server->listener)
		free(server);
}

static void forget_request(struct http_conn *conn)
{
	free(conn->strings);
	free(conn->body);
	conn->strings = conn->body = NULL;
}

static void source_end(struct http_conn *conn)
{
	if (conn->source.free)
		conn->source.free(conn->source.state);
	memset(&conn->source, 0, sizeof(conn->source));
}

static void on_conn_closed(uv_handle_t *handle)
{
	struct http_conn *conn = handle->data;
	struct http_server *server = conn->server;

	if (--conn->open > 0)
		return;
	*conn->prev = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	buf_free(&conn->in);
	forget_request(conn);
	free(conn);
	server_release(server);
}

static void hang_up(struct http_conn *conn)
{
	if (conn->closing)
		return;
	conn->closing = true;
	source_end(conn);
	uv_close((uv_handle_t *)&conn->tcp, on_conn_closed);
	uv_close((uv_handle_t *)&conn->timer, on_conn_closed);
}

/* The answer is out: close, or look at what came meanwhile. */
static void request_end(struct http_conn *conn)
{
	source_end(conn);
	if (!conn->keep || conn->truncate) {
		hang_up(conn);
		return;
	}
	forget_request(conn);
	buf_eat(&conn->in, conn->used);
	conn->busy = false;
	take_requests(conn);
}

/* ---- Sending ------------------------------------------------------------ */

static void on_written(uv_write_t *req, int status)
{
	struct out *out = req->data;
	struct http_conn *conn = out->conn;

	buf_free(&out->b);
	free(out);
	conn->writing = false;
	if (conn->closing)
		return;
	if (status < 0)
		hang_up(conn);
	else if (conn->stall)
		return;			/* until the other side has had enough */
	else if (conn->ended)
		request_end(conn);
	else
		pump(conn);
}

/* Send b and take it over; on_written() goes on. */
static void send_buf(struct http_conn *conn, struct buf *b)
{
	struct out *out = sim_calloc(1, sizeof(*out));
	uv_buf_t vec = uv_buf_init(b->at, (unsigned int)b->len);
	int rc;

	out->conn = conn;
	out->req.data = out;
	out->b = *b;
	conn->writing = true;
	if (conn->req.bytes)
		*conn->req.bytes += b->len;
	rc = uv_write(&out->req, (uv_stream_t *)&conn->tcp, &vec, 1,
		      on_written);
	if (rc == 0)
		return;
	buf_free(&out->b);
	free(out);
	conn->writing = false;
	hang_up(conn);
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} known[] = {
		{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
		{ 307, "Temporary Redirect" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 403, "Forbidden" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" }, { 409, "Conflict" },
		{ 411, "Length Required" }, { 413, "Payload Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].status == status)
			return known[i].reason;
	return "Unknown";
}

static void put_head(struct http_conn *conn, struct buf *b, int status, const char *headers, const char *type)
{
	char date[64];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	buf_fmt(b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, reason_of(status),
		date);
	if (type)
		buf_fmt(b, "Content-Type: %s\r\n", type);
	if (headers)
		buf_str(b, headers);
	if (!conn->keep)
		buf_str(b, "Connection: close\r\n");
}

void http_reply(struct http_request *req, int status, const char *headers, const char *type, const void *body,
		size_t len)
{
	struct http_conn *conn = conn_of(req);
	struct buf b = { 0 };

	put_head(conn, &b, status, headers, type);
	buf_fmt(&b, "Content-Length: %zu\r\n\r\n", len);
	if (strcmp(req->method, "HEAD"))
		buf_add(&b, body, conn->truncate ? len / 2 : len);
	conn->ended = true;
	send_buf(conn, &b);
}

void http_reply_source(struct http_request *req, int status, const char *type, struct http_source source)
{
	struct http_conn *conn = conn_of(req);
	struct buf b = { 0 };

	conn->source = source;
	put_head(conn, &b, status, conn->chunked ?
		 "Transfer-Encoding: chunked\r\n" : NULL, type);
	buf_str(&b, "\r\n");
	conn->ended = !strcmp(req->method, "HEAD");
	send_buf(conn, &b);
}

/* Send one piece as a chunk; the last one brings the end with it. */
static void send_piece(struct http_conn *conn, struct buf *piece, bool last)
{
	struct buf b = { 0 };

	if (conn->truncate) {
		piece->len /= 2;
		last = false;
		conn->ended = true;
	}
	if (conn->chunked && piece->len) {
		buf_fmt(&b, "%zx\r\n", conn->truncate ? piece->len * 2 :
			piece->len);
		buf_add(&b, piece->at, piece->len);
		if (!conn->truncate)
			buf_str(&b, "\r\n");
		buf_free(piece);
	} else {
		b = *piece;
	}
	if (last) {
		conn->ended = true;
		if (conn->chunked)
			buf_str(&b, "0\r\n\r\n");
	}
	if (b.len) {
		send_buf(conn, &b);
		return;
	}
	buf_free(&b);
	if (conn->ended)
		request_end(conn);
}

static void on_again(uv_timer_t *timer)
{
	struct http_conn *conn = timer->data;

	if (!conn->writing && conn->source.next)
		pump(conn);
}

/* Ask the source for the next piece; nothing is asked while one is under way,
 * so a reader that does not read costs one piece. */
static void pump(struct http_conn *conn)
{
	struct buf piece = { 0 };
	enum http_next next;

	if (!conn->source.next)
		return;
	next = conn->source.next(conn->source.state, &piece);
	if (piece.len || next == HTTP_END) {
		send_piece(conn, &piece, next == HTTP_END);
		return;
	}
	buf_free(&piece);
	if (next == HTTP_MORE)
		uv_timer_start(&conn->timer, on_again, 0, 0);
}

void http_wake(struct http_request *req)
{
	struct http_conn *conn = conn_of(req);

	if (!conn->closing && !conn->stall && conn->source.next)
		uv_timer_start(&conn->timer, on_again, 0, 0);
}

void http_reply_close(struct http_request *req)
{
	hang_up(conn_of(req));
}

void http_truncate(struct http_request *req)
{
	conn_of(req)->truncate = true;
}

void http_stall(struct http_request *req)
{
	conn_of(req)->truncate = conn_of(req)->stall = true;
}

static void on_later(uv_timer_t *timer)
{
	struct http_conn *conn = timer->data;

	conn->later(&conn->req);
}

void http_later(struct http_request *req, uint64_t ms, http_handler *handler)
{
	struct http_conn *conn = conn_of(req);

	conn->later = handler;
	uv_timer_start(&conn->timer, on_later, ms, 0);
}

static void to_handler(struct http_request *req)
{
	req->again = true;
	conn_of(req)->server->handler(req);
}

void http_again(struct http_request *req, uint64_t ms)
{
	http_later(req, ms, to_handler);
}

/* ---- Receiving ---------------------------------------------------------- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void percent_decode(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		*to = *s;
		if (*s != '%' || hex(s[1]) < 0 || hex(s[2]) < 0)
			continue;
		*to = (char)(hex(s[1]) << 4 | hex(s[2]));
		s += 2;
	}
	*to = '\0';
}

static void refuse(struct http_conn *conn, int status)
{
	conn->busy = true;
	conn->keep = conn->truncate = conn->stall = false;
	conn->req.method = "";
	http_reply(&conn->req, status, NULL, "text/plain", NULL, 0);
}

/* One header line, NUL-terminated, into the request. */
static void take_header(struct http_conn *conn, char *line, long *length)
{
	struct http_request *req = &conn->req;
	char *value = strchr(line, ':');

	if (!value)
		return;
	*value++ = '\0';
	value += strspn(value, " \t");
	if (!strcasecmp(line, "authorization"))
		req->authorization = value;
	else if (!strcasecmp(line, "accept"))
		req->accept = value;
	else if (!strcasecmp(line, "content-type"))
		req->content_type = value;
	else if (!strcasecmp(line, "content-length"))
		*length = strtol(value, NULL, 10);
	else if (!strcasecmp(line, "transfer-encoding"))
		*length = -1;
	else if (!strcasecmp(line, "connection"))
		conn->keep = !strcasecmp(value, "keep-alive") ? true :
			!strcasecmp(value, "close") ? false : conn->keep;
}

/* "METHOD TARGET VERSION", NUL-terminated, into the request; 0 or -EINVAL.
 * The decoded path lies in the room after the head. */
static int take_first_line(struct http_conn *conn, char *line, char *path)
{
	struct http_request *req = &conn->req;
	char *target = strchr(line, ' '), *version, *query;

	version = target ? strchr(target + 1, ' ') : NULL;
	if (!version || strncmp(version + 1, "HTTP/1.", 7))
		return -EINVAL;
	*target++ = '\0';
	*version++ = '\0';
	req->method = line;
	req->target = target;
	conn->chunked = strcmp(version, "HTTP/1.0") != 0;
	conn->keep = conn->chunked;
	query = strchr(target, '?');
	req->query = query ? query + 1 : "";
	memcpy(path, target, strcspn(target, "?"));
	path[strcspn(target, "?")] = '\0';
	percent_decode(path);
	req->path = path;
	return 0;
}

/* The head of n bytes; the body's length, or -HTTP status. */
static long take_head(struct http_conn *conn, size_t n)
{
	long length = 0;
	char *line, *end;

	conn->strings = sim_calloc(2, n + 1);
	memcpy(conn->strings, conn->in.at, n);
	conn->req.authorization = conn->req.accept = "";
	conn->req.content_type = conn->req.body = "";
	conn->req.body_len = 0;
	conn->req.bytes = NULL;
	conn->req.again = conn->req.called = false;
	for (line = conn->strings; *line; line = end + 2) {
		end = strstr(line, "\r\n");
		if (!end)
			break;
		*end = '\0';
		if (line != conn->strings)
			take_header(conn, line, &length);
		else if (take_first_line(conn, line, conn->strings + n + 1))
			return -400;
	}
	if (!conn->req.method)
		return -400;
	return length < 0 ? -411 : length > MAX_BODY ? -413 : length;
}

static void take_body(struct http_conn *conn, size_t head, size_t n)
{
	if (n == 0)
		return;
	conn->body = sim_calloc(1, n + 1);
	memcpy(conn->body, conn->in.at + head, n);
	conn->req.body = conn->body;
	conn->req.body_len = n;
}

/* Answer the requests that are complete, one at a time. */
static void take_requests(struct http_conn *conn)
{
	const char *end;
	size_t head;
	long length;

	if (conn->busy || conn->closing || conn->in.len == 0)
		return;
	end = memmem(conn->in.at, conn->in.len, "\r\n\r\n", 4);
	if (!end) {
		if (conn->in.len > MAX_HEAD)
			refuse(conn, 431);
		return;
	}
	head = (size_t)(end - conn->in.at) + 4;
	conn->req.method = NULL;
	length = take_head(conn, head);
	if (length >= 0 && conn->in.len < head + (size_t)length) {
		forget_request(conn);
		return;
	}
	conn->busy = true;
	conn->ended = conn->truncate = conn->stall = false;
	if (length < 0) {
		refuse(conn, (int)-length);
		return;
	}
	take_body(conn, head, (size_t)length);
	conn->used = head + (size_t)length;
	conn->server->handler(&conn->req);
}

/* ---- Listening ---------------------------------------------------------- */

static void on_room(uv_handle_t *handle, size_t want, uv_buf_t *room)
{
	(void)handle;
	(void)want;
	room->base = sim_realloc(NULL, 16 << 10);
	room->len = 16 << 10;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *room)
{
	struct http_conn *conn = stream->data;

	if (n > 0)
		buf_add(&conn->in, room->base, (size_t)n);
	free(room->base);
	if (n < 0 || conn->in.len > MAX_IN)
		hang_up(conn);
	else if (n > 0)
		take_requests(conn);
}

static struct http_conn *conn_new(struct http_server *server)
{
	struct http_conn *conn = sim_calloc(1, sizeof(*conn));

	conn->server = server;
	conn->req.data = server->data;
	conn->tcp.data = conn->timer.data = conn;
	conn->next = server->conns;
	conn->prev = &server->conns;
	if (conn->next)
		conn->next->prev = &conn->next;
	server->conns = conn;
	conn->open = 2;
	uv_tcp_init(server->loop, &conn->tcp);
	uv_timer_init(server->loop, &conn->timer);
	return conn;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct http_conn *conn;

	if (status < 0)
		return;
	conn = conn_new(listener->data);
	if (uv_accept(listener, (uv_stream_t *)&conn->tcp) ||
	    uv_read_start((uv_stream_t *)&conn->tcp, on_room, on_read))
		hang_up(conn);
	else
		uv_tcp_nodelay(&conn->tcp, 1);
}

static void on_listener_closed(uv_handle_t *handle)
{
	free(handle);
}

static void on_last_listener_closed(uv_handle_t *handle)
{
	struct http_server *server = handle->data;

	server->listener = NULL;
	free(handle);
	server_release(server);
}

int http_up(struct http_server *server)
{
	struct sockaddr_in at;
	int rc, len = sizeof(at);
	uv_tcp_t *tcp;

	if (server->listener)
		return 0;
	tcp = sim_calloc(1, sizeof(*tcp));
	tcp->data = server;
	uv_tcp_init(server->loop, tcp);
	uv_ip4_addr("127.0.0.1", server->port, &at);
	rc = uv_tcp_bind(tcp, (struct sockaddr *)&at, 0);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)tcp, 511, on_connection);
	if (rc == 0)
		rc = uv_tcp_getsockname(tcp, (struct sockaddr *)&at, &len);
	if (rc) {
		uv_close((uv_handle_t *)tcp, on_listener_closed);
		return rc;
	}
	server->port = ntohs(at.sin_port);
	server->listener = tcp;
	return 0;
}

static void drop_conns(struct http_server *server)
{
	struct http_conn *conn, *next;

	for (conn = server->conns; conn; conn = next) {
		next = conn->next;
		hang_up(conn);
	}
}

void http_down(struct http_server *server)
{
	if (server->listener)
		uv_close((uv_handle_t *)server->listener, on_listener_closed);
	server->listener = NULL;
	drop_conns(server);
}

void http_close(struct http_server *server)
{
	if (!server || server->closing)
		return;
	drop_conns(server);
	server->closing = true;
	if (server->listener)
		uv_close((uv_handle_t *)server->listener,
			 on_last_listener_closed);
	else
		server_release(server);
}

int http_listen(struct http_server **server, uv_loop_t *loop, int port, http_handler *handler, void *data)
{
	int rc;

	*server = sim_calloc(1, sizeof(**server));
	(*server)->loop = loop;
	(*server)->port = port;
	(*server)->handler = handler;
	(*server)->data = data;
	rc = http_up(*server);
	if (rc == 0)
		return 0;
	free(*server);
	*server = NULL;
	return rc;
}

int http_port(const struct http_server *server)
{
	return server->port;
}
