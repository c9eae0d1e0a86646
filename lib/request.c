/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request - one HTTP request from its arrival to its answer.
 *
 * A door speaks from its own threads; what it says is left here as mail, which
 * the loop collects.  All else of a request belongs to the loop thread.
 */
#include <errno.h>
#include <stdio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "request.h"

#define REQUESTS_MAX	512u
#define BYTES_MAX	((size_t)64 << 20)	/* of all requests together */
#define MESSAGES_MAX	64u			/* of a WebSocket, that wait */
#define PATH_LENGTH	8192u
#define QUERY_LENGTH	16384u

#define WAIT_S		5			/* for the loop to take messages */

enum { MAIL_NEW = 1, MAIL_MESSAGE = 2, MAIL_ROOM = 4, MAIL_CLOSED = 8 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sat_request *mail, **last_mail = &mail;
static pthread_cond_t taken = PTHREAD_COND_INITIALIZER;	/* messages of some WebSocket */
static pthread_t loop_thread;
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
	req->whole = strcmp(head->path, "*") == 0 && strcmp(head->method, "OPTIONS") == 0;
	if (req->bad != NULL || req->whole)
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

/* Under the lock: not to read on is what holds back who sends too fast. */
static void wait_for_room(const struct sat_request *req)
{
	struct timespec until;
	int rc = 0;

	if (pthread_equal(pthread_self(), loop_thread))
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	while (req->n_messages >= MESSAGES_MAX && rc == 0)
		rc = pthread_cond_timedwait(&taken, &lock, &until);
}

void sat_http_message(void *handle, const void *p, size_t len)
{
	static struct sat_log_limit limit;
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
	wait_for_room(req);
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
	if (dropped && sat_log_allowed(NULL, &limit, 1, 60 * SAT_SECOND))
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

void request_finish(struct sat_request *req)
{
	req->state = req->leaving ? REQUEST_LEFT : REQUEST_DONE;
	req->leaving = false;
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

void request_end_stream(struct sat_request *req)
{
	pthread_mutex_lock(&lock);
	if (!req->gone)
		req->door->end(req->conn);
	pthread_mutex_unlock(&lock);
	req->state = REQUEST_ENDS;
}

int request_send(struct sat_request *req, const void *p, size_t len)
{
	int rc = -EPIPE;

	pthread_mutex_lock(&lock);
	if (req->state == REQUEST_STREAMS && !req->gone)
		rc = req->door->send(req->conn, p, len);
	pthread_mutex_unlock(&lock);
	return rc;
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
	if (request_send(req, req->tail.p, req->tail.len) != -EAGAIN)
		request_end_stream(req);
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
	if (messages != NULL)
		pthread_cond_broadcast(&taken);
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
		req->leaving = req->owner != NULL;
		sat_reply_error(req, 503, "it stops");
		return;
	}
	if (req->state == REQUEST_STREAMS)
		request_end_stream(req);
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

void request_forget(const struct sat_self *owner)
{
	struct sat_request *next;

	for (struct sat_request *req = all; req != NULL; req = next) {
		next = req->next;
		if (req->owner == owner && req->state == REQUEST_LEFT)
			request_finish(req);
	}
}

void request_init(void (*fn)(struct sat_request *req))
{
	dispatch = fn;
	loop_thread = pthread_self();
}

size_t request_count(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = count;
	pthread_mutex_unlock(&lock);
	return n;
}
