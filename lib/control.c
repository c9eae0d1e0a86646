/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - HTTP/1.1 on a unix socket: the door for `satellite status` and the
 * like.  One request a connection; the peer's credentials say who asks.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "control.h"
#include "control_parse.h"
#include "http.h"
#include "log.h"

#define CONNS_MAX	64
#define READ_MS		10000		/* for a whole request */
#define WRITE_MS	10000		/* for the last of an answer */
#define LAST_MS		500		/* the same, once the socket is closed */
#define QUEUE_MAX	((size_t)256 << 10)	/* of a stream, unwritten */

enum conn_state { CONN_READS, CONN_WAITS, CONN_STREAMS, CONN_ENDS, CONN_CLOSES };

struct conn {
	struct conn *next, **link;
	enum conn_state state;
	uv_pipe_t pipe;
	uv_timer_t timer;
	int handles;		/* still open */
	char *in;
	size_t len, size;	/* of in */
	size_t head_len;	/* 0: the head is not whole yet */
	struct control_head head;
	bool streams, wants_room;
	void *req;
	char peer[64];
};

struct out {			/* bytes on their way */
	uv_write_t write;
	struct conn *conn;
	char text[];
};

static uv_pipe_t listener;
static bool listening;
static char *socket_path;
static struct conn *conns;
static size_t n_conns;

/* ---- A connection's end ------------------------------------------------- */

static void handle_closed(uv_handle_t *h)
{
	struct conn *c = h->data;

	if (--c->handles > 0)
		return;
	if (c->streams)
		sat_http_closed(c->req);
	if (c->next != NULL)
		c->next->link = c->link;
	*c->link = c->next;
	n_conns--;
	free(c->in);
	free(c);
}

static void conn_close(struct conn *c)
{
	if (c->state == CONN_CLOSES)
		return;
	c->state = CONN_CLOSES;
	uv_close((uv_handle_t *)&c->pipe, handle_closed);
	uv_close((uv_handle_t *)&c->timer, handle_closed);
}

static void timed_out(uv_timer_t *t)
{
	conn_close(t->data);
}

/* Nothing more comes.  That may be all that the client had to say; an answer is still due. */
static void input_ended(struct conn *c)
{
	if (c->state == CONN_WAITS || c->state == CONN_ENDS)
		uv_read_stop((uv_stream_t *)&c->pipe);
	else
		conn_close(c);
}

/* ---- Answers ------------------------------------------------------------ */

static void written(uv_write_t *w, int status)
{
	struct out *o = w->data;
	struct conn *c = o->conn;
	size_t queued = uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe);

	free(o);
	if (status != 0 && c->state != CONN_WAITS) {	/* else the host is to find it yet */
		conn_close(c);
	} else if (c->state == CONN_ENDS && queued == 0) {
		conn_close(c);
	} else if (c->state == CONN_STREAMS && c->wants_room && queued <= QUEUE_MAX / 2) {
		c->wants_room = false;
		sat_http_room(c->req);
	}
}

static int conn_write(struct conn *c, const char *head, size_t head_len, const void *p, size_t n,
		      const char *tail)
{
	size_t tail_len = strlen(tail);
	struct out *o = malloc(sizeof(*o) + head_len + n + tail_len);
	uv_buf_t buf;
	int rc;

	if (o == NULL)
		return -ENOMEM;
	o->conn = c;
	o->write.data = o;
	memcpy(o->text, head, head_len);
	if (n > 0)
		memcpy(o->text + head_len, p, n);
	memcpy(o->text + head_len + n, tail, tail_len);
	buf = uv_buf_init(o->text, (unsigned)(head_len + n + tail_len));
	rc = uv_write(&o->write, (uv_stream_t *)&c->pipe, &buf, 1, written);
	if (rc != 0)
		free(o);
	return rc;
}

/* What is written is the last; rc not 0: not even that, so close soon, not from in here. */
static void conn_end(struct conn *c, int rc)
{
	c->state = CONN_ENDS;
	uv_timer_start(&c->timer, timed_out, rc != 0 ? 0 : listening ? WRITE_MS : LAST_MS, 0);
}

static const char *phrase(int status)
{
	static const struct { int status; const char *phrase; } phrases[] = {
		{ 200, "OK" }, { 201, "Created" }, { 204, "No Content" }, { 400, "Bad Request" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" }, { 409, "Conflict" },
		{ 411, "Length Required" }, { 413, "Content Too Large" },
		{ 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" },
		{ 503, "Service Unavailable" }, { 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Answer";
}

static void write_head(struct sat_buf *b, int status, const char *type, const char *const *extra)
{
	sat_buf_printf(b, "HTTP/1.1 %d %s\r\nConnection: close\r\n", status, phrase(status));
	if (type != NULL)
		sat_buf_printf(b, "Content-Type: %s\r\n", type);
	for (; extra != NULL && *extra != NULL; extra++)
		sat_buf_printf(b, "%s\r\n", *extra);
}

static void control_reply(void *conn, int status, const char *type, const void *body, size_t len,
			  const char *const *extra)
{
	struct conn *c = conn;
	struct sat_buf b = { 0 };

	write_head(&b, status, type, extra);
	if (status != 204)
		sat_buf_printf(&b, "Content-Length: %zu\r\n", len);
	sat_buf_printf(&b, "\r\n");
	conn_end(c, b.full ? -ENOMEM : conn_write(c, b.p, b.len, body, body != NULL ? len : 0, ""));
	sat_buf_free(&b);
}

/* Where its length is known chunks say as well where it ends. */
static int control_begin(void *conn, int status, const char *type, const char *const *extra, uint64_t length)
{
	struct conn *c = conn;
	struct sat_buf b = { 0 };
	int rc = -ENOMEM;

	(void)length;
	write_head(&b, status, type, extra);
	sat_buf_printf(&b, c->head.old ? "\r\n" : "Transfer-Encoding: chunked\r\n\r\n");
	if (!b.full)
		rc = conn_write(c, b.p, b.len, NULL, 0, "");
	sat_buf_free(&b);
	if (rc != 0)
		return rc;
	c->state = CONN_STREAMS;
	c->streams = true;
	return 0;
}

static int control_send(void *conn, const void *p, size_t len)
{
	struct conn *c = conn;
	char size[24];

	if (c->state != CONN_STREAMS)
		return -EPIPE;
	if (len > SAT_BODY_MAX)
		return -EMSGSIZE;
	if (len == 0)
		return 0;
	if (uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) > QUEUE_MAX) {
		c->wants_room = true;
		return -EAGAIN;
	}
	if (c->head.old)
		return conn_write(c, "", 0, p, len, "") != 0 ? -EPIPE : 0;
	snprintf(size, sizeof(size), "%zx\r\n", len);
	return conn_write(c, size, strlen(size), p, len, "\r\n") != 0 ? -EPIPE : 0;
}

/* One byte more where there are no chunks would be the text's: an empty write tells when all is out. */
static void control_end(void *conn)
{
	struct conn *c = conn;

	if (c->state == CONN_STREAMS)
		conn_end(c, conn_write(c, "", 0, NULL, 0, c->head.old ? "" : "0\r\n\r\n"));
}

static const struct sat_http_server door = {
	.size = sizeof(door),
	.reply = control_reply,
	.begin = control_begin,
	.send = control_send,
	.end = control_end,
};

static void refuse(struct conn *c, int status)
{
	char text[80];
	int n = snprintf(text, sizeof(text), "{\"error\": \"%s\"}\n", phrase(status));

	control_reply(c, status, "application/json", text, (size_t)n, NULL);
}

/* ---- Requests ----------------------------------------------------------- */

static void hand_over(struct conn *c)
{
	bool too_long = c->head.body_len > SAT_BODY_MAX;
	const struct sat_http_head head = {
		.size = sizeof(head),
		.method = c->head.method, .path = c->head.path, .query = c->head.query,
		.peer = c->peer,
		.headers = c->head.headers, .n_headers = c->head.n_headers,
		.body = too_long ? NULL : c->in + c->head_len, .body_len = c->head.body_len,
	};

	uv_timer_stop(&c->timer);
	c->state = CONN_WAITS;
	if (http_request(&door, c, &head, &c->req) != 0)
		refuse(c, 503);
}

/* More room in `in`: to `size` bytes and a NUL. */
static int reserve(struct conn *c, size_t size)
{
	char *in = size <= c->size ? c->in : realloc(c->in, size + 1);

	if (in == NULL)
		return -ENOMEM;
	c->in = in;
	c->size = size > c->size ? size : c->size;
	return 0;
}

/* The head is whole: make room for the body now, so that nothing of it moves later. */
static void take_head(struct conn *c, size_t head_len)
{
	struct control_head look;
	char *copy = malloc(head_len);
	int status = 503;

	if (copy != NULL)
		status = control_parse(memcpy(copy, c->in, head_len), head_len, &look);
	if (status == 0 && look.body_len <= SAT_BODY_MAX && reserve(c, head_len + look.body_len) != 0)
		status = 503;
	free(copy);
	if (status == 0)
		status = control_parse(c->in, head_len, &c->head);
	if (status != 0) {
		refuse(c, status);
		return;
	}
	c->head_len = head_len;
	if (c->head.expects && !c->head.old && c->head.body_len <= SAT_BODY_MAX)
		conn_write(c, "HTTP/1.1 100 Continue\r\n\r\n", 25, NULL, 0, "");
}

static void take_input(struct conn *c)
{
	const char *end;

	if (c->head_len == 0) {
		end = memmem(c->in, c->len, "\r\n\r\n", 4);
		if (end != NULL)
			take_head(c, (size_t)(end - c->in) + 4);
		else if (c->len >= CONTROL_HEAD_MAX)
			refuse(c, 431);
	}
	if (c->state != CONN_READS || c->head_len == 0)
		return;
	if (c->head.body_len > SAT_BODY_MAX || c->len - c->head_len >= c->head.body_len)
		hand_over(c);
}

static void give_room(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct conn *c = h->data;
	static char rest[4096];

	(void)hint;
	if (c->state != CONN_READS || (c->len == c->size && reserve(c, c->size + 2048) != 0))
		*buf = uv_buf_init(rest, sizeof(rest));		/* of no interest */
	else
		*buf = uv_buf_init(c->in + c->len, (unsigned)(c->size - c->len));
}

static void have_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = s->data;

	if (n < 0) {
		input_ended(c);
		return;
	}
	if (c->state != CONN_READS || n == 0)
		return;
	if (buf->base != c->in + c->len) {
		refuse(c, 503);		/* there was no memory for it */
		return;
	}
	c->len += (size_t)n;
	take_input(c);
}

/* ---- Connections -------------------------------------------------------- */

/* Out of the local file only: other sources of names may be slow. */
static void name_peer(struct conn *c)
{
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(cred);
	struct passwd *p;
	uv_os_fd_t fd;
	FILE *f;

	if (uv_fileno((uv_handle_t *)&c->pipe, &fd) == 0)
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	snprintf(c->peer, sizeof(c->peer), "uid:%ld", (long)(int)cred.uid);
	f = fopen("/etc/passwd", "re");
	while (f != NULL && (p = fgetpwent(f)) != NULL) {
		if (p->pw_uid == cred.uid) {
			snprintf(c->peer, sizeof(c->peer), "uid:%s", p->pw_name);
			break;
		}
	}
	if (f != NULL)
		fclose(f);
}

static struct conn *conn_new(uv_loop_t *loop)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	uv_pipe_init(loop, &c->pipe, 0);
	uv_timer_init(loop, &c->timer);
	c->pipe.data = c->timer.data = c;
	c->handles = 2;
	c->next = conns;
	c->link = &conns;
	if (conns != NULL)
		conns->link = &c->next;
	conns = c;
	n_conns++;
	return c;
}

static void dropped(uv_handle_t *h)
{
	free(h);
}

/* One that cannot be served must be accepted all the same, or the loop would spin. */
static void drop_connection(uv_stream_t *s)
{
	uv_pipe_t *p = malloc(sizeof(*p));

	if (p == NULL)
		return;
	uv_pipe_init(s->loop, p, 0);
	uv_accept(s, (uv_stream_t *)p);
	uv_close((uv_handle_t *)p, dropped);
}

static void have_connection(uv_stream_t *s, int status)
{
	static struct sat_log_limit limit;
	struct conn *c = status == 0 && n_conns < CONNS_MAX ? conn_new(s->loop) : NULL;

	if (c == NULL) {
		if (sat_log_allowed(NULL, &limit, 1, 60 * SAT_SECOND))
			log_line(LOG_WARNING, "control", "a connection is dropped: there are %zu", n_conns);
		if (status == 0)
			drop_connection(s);
		return;
	}
	if (uv_accept(s, (uv_stream_t *)&c->pipe) != 0) {
		conn_close(c);
		return;
	}
	name_peer(c);
	uv_timer_start(&c->timer, timed_out, READ_MS, 0);
	if (uv_read_start((uv_stream_t *)&c->pipe, give_room, have_read) != 0)
		conn_close(c);
}

/* ---- The socket --------------------------------------------------------- */

static int address(const char *path, struct sockaddr_un *to)
{
	memset(to, 0, sizeof(*to));
	to->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(to->sun_path))
		return -ENAMETOOLONG;
	strcpy(to->sun_path, path);
	return 0;
}

/* Whether somebody answers there. */
static bool lives(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes = fd >= 0 && (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return yes;
}

static int bind_socket(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (lstat(at->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && !lives(at))
		unlink(at->sun_path);
	fchmod(fd, 0660);	/* before anybody can see it */
	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 && chmod(at->sun_path, 0660) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int control_open(struct uv_loop_s *loop, const char *path)
{
	struct sockaddr_un at;
	int rc = address(path, &at), fd;
	char *copy;

	if (rc != 0)
		return rc;
	copy = strdup(path);
	fd = copy != NULL ? bind_socket(&at) : -ENOMEM;
	if (fd < 0) {
		free(copy);
		return fd;
	}
	socket_path = copy;
	uv_pipe_init(loop, &listener, 0);
	listening = true;
	rc = uv_pipe_open(&listener, fd);
	if (rc != 0)
		close(fd);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&listener, 64, have_connection);
	if (rc != 0)
		control_close();
	return rc;
}

void control_close(void)
{
	struct conn *next;

	if (!listening)
		return;
	listening = false;
	unlink(socket_path);
	free(socket_path);
	socket_path = NULL;
	uv_close((uv_handle_t *)&listener, NULL);
	for (struct conn *c = conns; c != NULL; c = next) {
		next = c->next;
		if (c->state == CONN_READS)
			conn_close(c);
		else if (c->state == CONN_ENDS)
			uv_timer_start(&c->timer, timed_out, LAST_MS, 0);
	}
}
