/* SPDX-License-Identifier: Apache-2.0 */
/* http - the route table: which instance is to answer a request, or why nobody does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "log.h"
#include "origin.h"
#include "request.h"
#include "routes.h"

#define UNREADY_MAX 64

struct served {			/* an instance, with what it serves */
	struct served *next;
	uint64_t number;		/* in the order they came, from 1 on */
	struct sat_self *self;
	const struct sat_route *const *routes;
	const struct sat_command *const *commands;
};

struct unready {
	struct unready *next;
	char *reason;
	char part[];
};

static struct served *table;		/* the latest first */
static uint64_t last_number;
static struct unready *unready;
static bool ending;

/* ---- Routes ------------------------------------------------------------- */

static bool has_method(const struct sat_route *r, const char *method)
{
	return strcmp(r->method, method) == 0 ||
	       (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0);
}

struct match {
	const struct sat_route *route;
	struct sat_self *self;
	int cost;		/* the less, the better it fits */
	char allow[64];		/* what other methods the path has */
};

static void allow(struct match *m, const char *method)
{
	size_t n = strlen(m->allow);

	if (strstr(m->allow, method) != NULL)
		return;
	if (strcmp(method, "GET") == 0)
		snprintf(m->allow + n, sizeof(m->allow) - n, "%sGET, HEAD", n > 0 ? ", " : "");
	else
		snprintf(m->allow + n, sizeof(m->allow) - n, "%s%s", n > 0 ? ", " : "", method);
}

/* In what way the client wants its answer. */
static bool asks_for(const struct sat_request *req, uint32_t flags)
{
	const char *accept = sat_request_header(req, "Accept");

	return ((flags & SAT_WEBSOCKET) && req->websocket) ||
	       ((flags & SAT_SSE) && accept != NULL && strcasestr(accept, "text/event-stream") != NULL);
}

/* {names} in its path count most, then whether it is made for such a request. */
static int cost_of(const struct sat_request *req, const struct sat_route *r, int names)
{
	return 3 * names + (r->flags == 0 ? 1 : asks_for(req, r->flags) ? 0 : 2);
}

static void match_route(const struct sat_request *req, const struct served *s, const struct sat_route *r,
			struct match *m)
{
	const char *values[URI_SEGMENTS];
	int names = uri_match(r->path, req->segments, req->n_segments, values), cost;

	if (names >= 0 || req->whole)
		allow(m, r->method);
	if (names < 0)
		return;
	cost = cost_of(req, r, names);
	if (!has_method(r, req->method) || (m->route != NULL && m->cost <= cost))
		return;
	m->route = r;
	m->self = s->self;
	m->cost = cost;
}

static void find(const struct sat_request *req, struct match *m)
{
	memset(m, 0, sizeof(*m));
	for (const struct served *s = table; s != NULL; s = s->next)
		for (size_t i = 0; s->routes != NULL && s->routes[i] != NULL; i++)
			match_route(req, s, s->routes[i], m);
}

/* OPTIONS, or a method that the path does not have. */
static void answer_allow(struct sat_request *req, const char *methods)
{
	char line[100];
	const char *const extra[] = { line, NULL };
	struct sat_buf b = { 0 };

	snprintf(line, sizeof(line), "Allow: %s, OPTIONS", methods);
	if (strcmp(req->method, "OPTIONS") == 0) {
		sat_reply(req, 204, NULL, NULL, 0, extra);
		return;
	}
	sat_buf_printf(&b, "{\"error\": \"%s is allowed here\"}\n", methods);
	sat_reply(req, 405, "application/json", b.full ? "" : b.p, b.len, extra);
	sat_buf_free(&b);
}

static void answer_failure(struct sat_request *req, struct sat_self *self, int rc)
{
	bool busy = rc == -EBUSY || rc == -EAGAIN || rc == -ENOMEM || rc == -ENOBUFS || rc == -ESHUTDOWN;

	log_line(LOG_WARNING, self->name, "%s %s: %s", req->method, req->path, strerror(-rc));
	if (req->state == REQUEST_WAITS)
		sat_reply_error(req, busy ? 503 : 500, "%s", strerror(-rc));
}

static void run_route(struct sat_request *req, const struct match *m)
{
	int rc;

	req->pattern = m->route->path;
	uri_match(req->pattern, req->segments, req->n_segments, req->parts);
	req->owner = m->self;
	if (!(m->route->flags & SAT_WEBSOCKET))
		req->websocket = false;
	rc = m->route->request(m->self->state, req);
	if (rc != 0)
		answer_failure(req, m->self, rc);
}

/* What is only read any page may read: riemann-dash has an origin of its own. */
static bool may_act(const struct sat_request *req, const struct sat_route *r)
{
	return r->role < SAT_OPERATE ||
	       origin_allowed(sat_request_header(req, "Origin"), sat_request_header(req, "Host"));
}

static void dispatch(struct sat_request *req)
{
	struct match m;

	if (ending) {
		sat_reply_error(req, 503, "it stops");
		return;
	}
	if (req->bad != NULL) {
		sat_reply_error(req, 400, "%s", req->bad);
		return;
	}
	find(req, &m);
	if (m.route == NULL && *m.allow != '\0')
		answer_allow(req, m.allow);
	else if (m.route == NULL)
		sat_reply_error(req, 404, "there is no such path");
	else if (req->body_len > SAT_BODY_MAX)
		sat_reply_error(req, 413, "the body is longer than %zu bytes", SAT_BODY_MAX);
	else if (!may_act(req, m.route))
		sat_reply_error(req, 403, "pages of another origin may not do this: see http.origins");
	else
		run_route(req, &m);
}

int http_request(const struct sat_http_server *door, void *conn, const struct sat_http_head *head,
		 void **req)
{
	struct sat_request *r;
	int rc = request_post(&self_host, door, conn, head, &r);

	if (rc == 0)
		*req = r;
	return rc;
}

/* ---- The table ---------------------------------------------------------- */

static bool same_routes(const struct sat_route *const *a, const struct sat_route *const *b)
{
	for (size_t i = 0; a != NULL && a[i] != NULL; i++)
		for (size_t k = 0; b != NULL && b[k] != NULL; k++)
			if (strcmp(a[i]->method, b[k]->method) == 0 && strcmp(a[i]->path, b[k]->path) == 0 &&
			    a[i]->flags == b[k]->flags)
				return true;
	return false;
}

static bool same_commands(const struct sat_command *const *a, const struct sat_command *const *b)
{
	for (size_t i = 0; a != NULL && a[i] != NULL; i++)
		for (size_t k = 0; b != NULL && b[k] != NULL; k++)
			if (strcmp(a[i]->name, b[k]->name) == 0)
				return true;
	return false;
}

int http_add_tables(struct sat_self *self, const struct sat_route *const *routes,
		    const struct sat_command *const *commands)
{
	struct served *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	for (struct served *o = table; o != NULL; o = o->next) {
		if (o->self->module != self->module &&
		    (same_routes(o->routes, routes) || same_commands(o->commands, commands)))
			log_line(LOG_WARNING, self->name, "has a route or a command of \"%s\", and goes before it",
				 o->self->name);
	}
	s->number = ++last_number;
	s->self = self;
	s->routes = routes;
	s->commands = commands;
	s->next = table;
	table = s;
	return 0;
}

int http_add(struct sat_self *self)
{
	return http_add_tables(self, self->module->routes, self->module->commands);
}

void http_remove(struct sat_self *self)
{
	struct served **s = &table, *gone;

	while (*s != NULL && (*s)->self != self)
		s = &(*s)->next;
	gone = *s;
	if (gone != NULL) {
		*s = gone->next;
		free(gone);
	}
	request_abandon(self);
}

int http_init(void)
{
	ending = false;
	request_init(dispatch);
	return routes_init();
}

void http_end(void)
{
	struct served *s;
	struct unready *u;

	ending = true;
	request_abandon(NULL);
	while ((s = table) != NULL) {
		table = s->next;
		free(s);
	}
	while ((u = unready) != NULL) {
		unready = u->next;
		free(u->reason);
		free(u);
	}
}

static void each(struct served *s, void (*fn)(void *arg, struct sat_self *self), void *arg)
{
	if (s == NULL)
		return;
	each(s->next, fn, arg);		/* in the order they came */
	fn(arg, s->self);
}

void http_each(void (*fn)(void *arg, struct sat_self *self), void *arg)
{
	each(table, fn, arg);
}

struct sat_self *http_at(uint64_t number)
{
	const struct served *s = table;

	while (s != NULL && s->number > number)
		s = s->next;
	return s != NULL && s->number == number ? s->self : NULL;
}

uint64_t http_after(uint64_t number)
{
	uint64_t next = 0;

	for (const struct served *s = table; s != NULL && s->number > number; s = s->next)
		next = s->number;
	return next;
}

uint64_t http_last(void)
{
	return last_number;
}

/* ---- Commands ----------------------------------------------------------- */

void http_each_command(void (*fn)(void *arg, const struct sat_command *c), void *arg)
{
	for (const struct served *s = table; s != NULL; s = s->next)
		for (size_t i = 0; s->commands != NULL && s->commands[i] != NULL; i++)
			fn(arg, s->commands[i]);
}

static const struct sat_command *find_command(const char *name, struct sat_self **self)
{
	for (const struct served *s = table; s != NULL; s = s->next)
		for (size_t i = 0; s->commands != NULL && s->commands[i] != NULL; i++)
			if (strcmp(s->commands[i]->name, name) == 0) {
				*self = s->self;
				return s->commands[i];
			}
	return NULL;
}

int http_run(struct sat_request *req, const char *name, int argc, const char *const *argv)
{
	struct sat_self *self = NULL;
	const struct sat_command *c = find_command(name, &self);
	int rc;

	if (c == NULL)
		return -ENOENT;
	req->owner = self;
	rc = c->run(self->state, req, argc, argv);
	if (rc != 0)
		answer_failure(req, self, rc);
	return 0;
}

/* ---- Readiness and figures ---------------------------------------------- */

static struct unready **find_unready(const char *part)
{
	struct unready **u = &unready;

	while (*u != NULL && strcmp((*u)->part, part) != 0)
		u = &(*u)->next;
	return u;
}

static void forget_unready(struct unready **u)
{
	struct unready *gone = *u;

	*u = gone->next;
	free(gone->reason);
	free(gone);
}

void http_ready(const char *part, const char *reason)
{
	struct unready **u = find_unready(part), *made;
	size_t n = 0;

	if (*u != NULL)
		forget_unready(u);
	if (reason == NULL)
		return;
	for (u = &unready; *u != NULL; u = &(*u)->next)
		n++;
	made = n < UNREADY_MAX ? malloc(sizeof(*made) + strlen(part) + 1) : NULL;
	if (made == NULL)
		return;
	made->next = NULL;
	made->reason = strdup(reason);
	strcpy(made->part, part);
	*u = made;
}

void sat_ready(struct sat_self *self, const char *reason)
{
	http_ready(self->name, reason);
}

size_t http_each_unready(void (*fn)(void *arg, const char *part, const char *reason), void *arg)
{
	size_t n = 0;

	for (const struct unready *u = unready; u != NULL; u = u->next, n++)
		if (fn != NULL)
			fn(arg, u->part, u->reason != NULL ? u->reason : "not ready");
	return n;
}

void sat_figure(struct sat_figures *out, const char *name, bool gauge, const char *help,
		const struct sat_attr *labels, uint32_t n, double value)
{
	out->figure(out->arg, name, gauge, help, labels, n, value);
}
