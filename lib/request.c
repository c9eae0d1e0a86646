/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request - one HTTP request from its arrival to its answer.
 *
 * A door speaks from its own threads; what it says is left here as mail, which
 * the loop collects.  All else of a request belongs to the loop thread.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "request.h"

#define REQUESTS_MAX	512u
#define BYTES_MAX	((size_t)64 << 20)	/* of all requests together */
#define MESSAGES_MAX	64u			/* of a WebSocket, that wait */
#define PATH_LENGTH	8192u
#define QUERY_LENGTH	16384u

enum { MAIL_NEW = 1, MAIL_MESSAGE = 2, MAIL_ROOM = 4, MAIL_CLOSED = 8 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sat_request *mail, **last_mail = &mail;
static bool posted;
static size_t count, bytes;

static struct sat_request *all;		/* the loop's */
static void (*dispatch)(struct sat_request *req);

/* ---- Copies ------------------------------------------------------------- */

static char *copy(char **room, const char *s)
{
	size_t n = s != NULL ? strlen(s) + 1 : 1;
	char *to = *room;

	memcpy(to, s != NULL ? s : "", n);
	*room += n;
	return to;
}

static size_t text_size(const struct sat_http_head *head)
{
	size_t n = strlen(head->method) + 1 + 2 * (strlen(head->path) + 1) + 1;

	n += head->peer != NULL ? strlen(head->peer) + 1 : 1;
	if (head->query != NULL)
		n += strlen(head->query) + uri_params(head->query) + 1;
	for (uint32_t i = 0; i < head->n_headers; i++)
		n += strlen(head->headers[i].key) + strlen(head->headers[i].value) + 2;
	return n;
}

static const char *judge(const struct sat_http_head *head)
{
	if (strlen(head->path) > PATH_LENGTH)
		return "the path is too long";
	if (head->query != NULL && strlen(head->query) > QUERY_LENGTH)
		return "the query is too long";
	return NULL;
}

static void take_apart(struct sat_request *req, const struct sat_http_head *head, char *room)
{
	req->bad = judge(head);
	if (req->bad != NULL)
		return;
	req->n_segments = uri_path(req->path, room, req->segments);
	if (req->n_segments < 0)
		req->bad = "the path is not well encoded";
	if (head->query == NULL || req->bad != NULL)
		return;
	req->n_params = uri_query(head->query, room + strlen(req->path) + 1, req->params);
	if (req->n_params < 0)
		req->bad = "the query is not well encoded";
}

/* One allocation: the struct, headers, parameters, body, and every text. */
static struct sat_request *request_copy(const struct sat_http_head *head)
{
	size_t n_params = head->query != NULL ? uri_params(head->query) : 0;
	size_t body = head->body != NULL ? head->body_len + 1 : 0;
	struct sat_request *req;
	size_t size;
	char *room;

	if (n_params > URI_PARAMS)
		n_params = URI_PARAMS;
	size = sizeof(*req) + head->n_headers * sizeof(*req->headers) +
	       n_params * sizeof(*req->params) + body + text_size(head);
	req = calloc(1, size);
	if (req == NULL)
		return NULL;
	req->bytes = size;
	req->headers = (struct sat_attr *)(req + 1);
	req->params = (struct uri_param *)(req->headers + head->n_headers);
	room = (char *)(req->params + n_params);
	req->body_len = head->body_len;
	if (head->body != NULL) {
		req->body = memcpy(room, head->body, head->body_len);
		room += body;
	}
	req->method = copy(&room, head->method);
	req->path = copy(&room, head->path);
	req->peer = copy(&room, head->peer);
	for (uint32_t i = 0; i < head->n_headers; i++) {
		req->headers[i].key = copy(&room, head->headers[i].key);
		req->headers[i].value = copy(&room, head->headers[i].value);
	}
	req->n_headers = head->n_headers;
	req->websocket = head->websocket;
	req->head_only = strcmp(req->method, "HEAD") == 0;
	take_apart(req, head, room);
	return req;
}

/* ---- Mail --------------------------------------------------------------- */

static void collect(void *unused);

/* Under the lock.  Should the post fail, the next mail posts for this one, too. */
static int post(void)
{
	int rc = posted ? 0 : sat_post(&self_host, collect, NULL);

	if (rc == 0)
		posted = true;
	return rc;
}

static int send_mail(struct sat_request *req, unsigned what)
{
	if (req->mail == 0) {
		req->next_mail = NULL;
		*last_mail = req;
		last_mail = &req->next_mail;
	}
	req->mail |= what;
	if (what == MAIL_CLOSED)
		req->gone = true;
	return post();
}

static void unsend_last(struct sat_request *req)
{
	struct sat_request **r = &mail;

	while (*r != req)
		r = &(*r)->next_mail;
	*r = NULL;
	last_mail = r;
}

int request_post(struct sat_self *server, const struct sat_http_server *door, void *conn,
		 const struct sat_http_head *head, struct sat_request **out)
{
	struct sat_request *req = request_copy(head);
	int rc = 0;

	if (req == NULL)
		return -ENOMEM;
	req->server = server;
	req->door = door;
	req->conn = conn;
	req->last_message = &req->messages;
	*out = req;
	pthread_mutex_lock(&lock);
	if (count >= REQUESTS_MAX || bytes + req->bytes > BYTES_MAX)
		rc = -EBUSY;
	if (rc == 0) {
		rc = send_mail(req, MAIL_NEW);
		if (rc != 0)
			unsend_last(req);
	}
	if (rc == 0) {
		count++;
		bytes += req->bytes;
	}
	pthread_mutex_unlock(&lock);
	if (rc != 0)
		free(req);
	return rc;
}

int sat_http_request(struct sat_self *self, void *conn, const struct sat_http_head *head, void **req)
{
	struct sat_http_head known = { 0 };
	struct sat_request *r;
	int rc;

	memcpy(&known, head, head->size < sizeof(known) ? head->size : sizeof(known));
	rc = request_post(self, self->module->http_server, conn, &known, &r);
	if (rc == 0)
		*req = r;
	return rc;
}

void sat_http_message(void *handle, const void *p, size_t len)
{
	static struct log_limit limit;
	struct request_message *m = len <= SAT_BODY_MAX ? malloc(sizeof(*m) + len + 1) : NULL;
	struct sat_request *req = handle;
	bool dropped = m == NULL;

	if (m != NULL) {
		m->next = NULL;
		m->len = len;
		memcpy(m->text, p, len);
		m->text[len] = '\0';
	}
	pthread_mutex_lock(&lock);
	if (m != NULL && req->n_messages < MESSAGES_MAX) {
		*req->last_message = m;
		req->last_message = &m->next;
		req->n_messages++;
		send_mail(req, MAIL_MESSAGE);
		m = NULL;
	}
	dropped = dropped || m != NULL;
	pthread_mutex_unlock(&lock);
	free(m);
	if (dropped && log_allowed(&limit, 1, 60 * SAT_SECOND))
		log_line(LOG_WARNING, "http", "%s: a message is dropped: too many or too long", req->peer);
}

void sat_http_room(void *handle)
{
	pthread_mutex_lock(&lock);
	send_mail(handle, MAIL_ROOM);
	pthread_mutex_unlock(&lock);
}

void sat_http_closed(void *handle)
{
	pthread_mutex_lock(&lock);
	send_mail(handle, MAIL_CLOSED);
	pthread_mutex_unlock(&lock);
}

/* ---- Life on the loop --------------------------------------------------- */

static void free_messages(struct request_message *m)
{
	while (m != NULL) {
		struct request_message *next = m->next;

		free(m);
		m = next;
	}
}

static void link_in(struct sat_request *req)
{
	req->next = all;
	req->link = &all;
	if (all != NULL)
		all->link = &req->next;
	all = req;
}

/* Free it once nobody holds it: not its route, not the mail. */
void request_release(struct sat_request *req)
{
	bool held;

	pthread_mutex_lock(&lock);
	held = req->busy || req->mail != 0 || req->state != REQUEST_DONE;
	if (!held) {
		count--;
		bytes -= req->bytes;
	}
	pthread_mutex_unlock(&lock);
	if (held)
		return;
	if (req->next != NULL)
		req->next->link = req->link;
	*req->link = req->next;
	free_messages(req->messages);
	sat_buf_free(&req->tail);
	free(req);
}

static void finish(struct sat_request *req)
{
	req->state = REQUEST_DONE;
	request_release(req);
}

/* The stream's owner hears no more of it. */
static void tell_closed(struct sat_request *req)
{
	const struct sat_stream *cb = req->cb;

	req->cb = NULL;
	if (cb != NULL && cb->closed != NULL)
		cb->closed(req->arg);
}

static void end_stream(struct sat_request *req)
{
	pthread_mutex_lock(&lock);
	if (!req->gone)
		req->door->end(req->conn);
	pthread_mutex_unlock(&lock);
	req->state = REQUEST_ENDS;
}

static void hand_messages(struct sat_request *req, struct request_message *list)
{
	for (struct request_message *m = list; m != NULL; m = m->next) {
		if (req->state == REQUEST_STREAMS && req->cb != NULL && req->cb->message != NULL)
			req->cb->message(req->arg, m->text, m->len);
	}
	free_messages(list);
}

static void room(struct sat_request *req)
{
	if (req->state != REQUEST_STREAMS)
		return;
	if (req->tail.len == 0) {
		if (req->cb->room != NULL)
			req->cb->room(req->arg);
		return;
	}
	if (sat_stream_send(req, req->tail.p, req->tail.len) != -EAGAIN)
		end_stream(req);
}

static void deliver(struct sat_request *req)
{
	struct request_message *messages;
	unsigned what;

	pthread_mutex_lock(&lock);
	what = req->mail;
	req->mail = 0;
	messages = req->messages;
	req->messages = NULL;
	req->last_message = &req->messages;
	req->n_messages = 0;
	pthread_mutex_unlock(&lock);
	if (what & MAIL_NEW) {
		link_in(req);
		req->busy = true;
		dispatch(req);
		req->busy = false;
		request_release(req);
		return;
	}
	hand_messages(req, messages);
	if (what & MAIL_ROOM)
		room(req);
	if (what & MAIL_CLOSED) {
		tell_closed(req);
		req->state = REQUEST_DONE;
	}
	request_release(req);
}

static void collect(void *unused)
{
	struct sat_request *list, *next;

	(void)unused;
	pthread_mutex_lock(&lock);
	list = mail;
	mail = NULL;
	last_mail = &mail;
	posted = false;
	pthread_mutex_unlock(&lock);
	for (; list != NULL; list = next) {
		next = list->next_mail;
		deliver(list);
	}
}

static void abandon(struct sat_request *req)
{
	if (req->state == REQUEST_WAITS) {
		sat_reply_error(req, 503, "it stops");
		return;
	}
	if (req->state == REQUEST_STREAMS)
		end_stream(req);
	tell_closed(req);
}

static bool concerns(const struct sat_request *req, const struct sat_self *going)
{
	if (going != NULL && req->owner != going && req->server != going)
		return false;
	return req->state == REQUEST_WAITS || req->cb != NULL;
}

/* From the start each time: whoever is told may answer others. */
void request_abandon(const struct sat_self *going)
{
	struct sat_request *req;

	if (going == NULL)
		collect(NULL);		/* nobody else may do it any more */
	req = all;
	while (req != NULL) {
		if (!concerns(req, going)) {
			req = req->next;
			continue;
		}
		abandon(req);
		req = all;
	}
}

void request_init(void (*fn)(struct sat_request *req))
{
	dispatch = fn;
}

size_t request_count(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = count;
	pthread_mutex_unlock(&lock);
	return n;
}

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

void sat_reply(struct sat_request *req, int status, const char *type,
		       const void *body, size_t len, const char *const *extra)
{
	const char *lines[17] = { NULL };
	size_t n = 0;

	if (req->state != REQUEST_WAITS) {
		log_line(LOG_ERR, "http", "%s: answered twice", req->path);
		return;
	}
	for (; extra != NULL && *extra != NULL && n < 16; extra++)
		if (one_line(*extra))
			lines[n++] = *extra;
	req->door->reply(req->conn, status, type, req->head_only ? NULL : body, len, lines);
	finish(req);
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
	static const char *const none[] = { NULL };
	int rc = 0;

	if (req->state != REQUEST_WAITS || (status == 101) != req->websocket)
		return -EINVAL;
	if (req->head_only)
		req->door->reply(req->conn, status, type, NULL, 0, none);
	else
		rc = req->door->begin(req->conn, status, type);
	if (rc != 0)
		return rc;
	memcpy(&req->cb_copy, cb, cb->size < sizeof(req->cb_copy) ? cb->size : sizeof(req->cb_copy));
	req->cb = &req->cb_copy;
	req->arg = arg;
	req->state = req->head_only ? REQUEST_ENDS : REQUEST_STREAMS;
	if (req->head_only)
		sat_http_closed(req);
	return 0;
}

int sat_stream_send(struct sat_request *req, const void *p, size_t len)
{
	int rc = -EPIPE;

	pthread_mutex_lock(&lock);
	if (req->state == REQUEST_STREAMS && !req->gone)
		rc = req->door->send(req->conn, p, len);
	pthread_mutex_unlock(&lock);
	return rc;
}

void sat_stream_end(struct sat_request *req)
{
	if (req->state == REQUEST_STREAMS)
		end_stream(req);
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
		end_stream(req);
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
	} else if (req->state == REQUEST_WAITS && text->full) {
		sat_reply_error(req, 500, "the answer is too large");
	} else if (req->state == REQUEST_WAITS) {
		snprintf(line, sizeof(line), "X-Exit-Status: %d", status);
		sat_reply(req, 200, "text/plain; charset=utf-8", text->p != NULL ? text->p : "", text->len, extra);
	}
	sat_buf_free(text);
}

