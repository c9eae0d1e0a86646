/* SPDX-License-Identifier: Apache-2.0 */
/* routes - the host's own: /healthz, /readyz, /status, /index, /command and a plain front page. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "http.h"
#include "json.h"
#include "lead.h"
#include "routes.h"

#define ARGS_MAX	64

static uint64_t started;

static int reply_text(struct sat_request *req, int status, const char *type, const char *text)
{
	sat_reply(req, status, type, text, strlen(text), NULL);
	return 0;
}

/* ---- Health ------------------------------------------------------------- */

static int get_front(void *state, struct sat_request *req)
{
	static const char page[] =
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Satellite</title></head>\n"
		"<body><h1>Satellite " SAT_VERSION "</h1>\n<ul>\n"
		"<li><a href=\"/healthz\">/healthz</a>: the process turns</li>\n"
		"<li><a href=\"/readyz\">/readyz</a>: all its parts are ready</li>\n"
		"<li><a href=\"/status\">/status</a>: what runs, and its counters</li>\n"
		"<li><a href=\"/index\">/index</a>: the latest events; <code>?query=</code> picks some</li>\n"
		"</ul></body></html>\n";

	(void)state;
	return reply_text(req, 200, "text/html; charset=utf-8", page);
}

static int get_healthz(void *state, struct sat_request *req)
{
	(void)state;
	return reply_text(req, 200, "application/json", "{\"ok\": true}\n");
}

static void write_unready(void *arg, const char *part, const char *reason)
{
	struct sat_buf *b = arg;

	sat_buf_printf(b, b->p[b->len - 1] == '[' ? "" : ", ");
	sat_buf_printf(b, "{\"part\": ");
	sat_buf_json(b, part);
	sat_buf_printf(b, ", \"reason\": ");
	sat_buf_json(b, reason);
	sat_buf_printf(b, "}");
}

static int get_readyz(void *state, struct sat_request *req)
{
	struct sat_buf b = { 0 };

	(void)state;
	if (http_each_unready(NULL, NULL) == 0)
		return reply_text(req, 200, "application/json", "{\"ok\": true}\n");
	sat_buf_printf(&b, "{\"error\": \"not ready\", \"reasons\": [");
	if (!b.full)
		http_each_unready(write_unready, &b);
	sat_buf_printf(&b, "]}\n");
	sat_reply_buf(req, 503, "application/json", &b);
	return 0;
}

/* ---- Status ------------------------------------------------------------- */

static void write_name(struct sat_buf *b, const char *name)
{
	sat_buf_printf(b, b->len > 0 && b->p[b->len - 1] == '{' ? "" : ", ");
	sat_buf_json(b, name);
	sat_buf_printf(b, ": ");
}

struct status {
	struct sat_buf *b;
	const struct sat_self *self;
};

/* A figure's labels stand in its name, as in the exposition format. */
static void write_figure(void *arg, const char *name, bool gauge, const char *help,
			 const struct sat_attr *labels, uint32_t n, double value)
{
	const struct status *s = arg;
	struct sat_buf full = { .max = 4096 };

	(void)gauge;
	(void)help;
	if (self_figure(s->self, name) == NULL)
		return;
	sat_buf_printf(&full, "%s", name);
	for (uint32_t i = 0; i < n; i++)
		sat_buf_printf(&full, "%s%s=%s", i == 0 ? "{" : ",", labels[i].key, labels[i].value);
	sat_buf_printf(&full, "%s", n > 0 ? "}" : "");
	if (!full.full) {
		write_name(s->b, full.p);
		sat_buf_double(s->b, value);
	}
	sat_buf_free(&full);
}

static void write_instance(void *arg, struct sat_self *self)
{
	struct sat_buf *b = arg;
	struct status status = { b, self };
	struct sat_figures figures = { .figure = write_figure, .arg = &status };

	if (self->module == NULL)	/* the host: its counters stand at the top */
		return;
	sat_buf_printf(b, "%s\n  {\"name\": ", b->p != NULL && b->p[b->len - 1] == '[' ? "" : ",");
	sat_buf_json(b, self->name);
	sat_buf_printf(b, ", \"module\": ");
	sat_buf_json(b, self->module->name);
	sat_buf_printf(b, ", \"version\": ");
	sat_buf_json(b, self->module->version);
	sat_buf_printf(b, ", \"counters\": {");
	for (unsigned i = 0; i < self->n_counters; i++) {
		write_name(b, self->module->counters[i]->name);
		sat_buf_printf(b, "%lld", (long long)sat_counted(self, i));
	}
	sat_buf_printf(b, "}, \"figures\": {");
	if (self->module->figures != NULL && self->isolated == NULL)
		self->module->figures(self->state, &figures);
	sat_buf_printf(b, "}");
	if (self->isolated != NULL)
		sat_buf_printf(b, ", \"isolated\": {\"pid\": %lld, \"restarts\": %lld}",
			       (long long)self->isolated->pid, (long long)self->isolated->restarts);
	sat_buf_printf(b, "}");
}

static struct { const char *name; void (*print)(struct sat_buf *out); } more;

void routes_status(const char *name, void (*print)(struct sat_buf *out))
{
	more.name = name;
	more.print = print;
}

static int get_status(void *state, struct sat_request *req)
{
	struct sat_buf b = { 0 };
	char leader[512];

	(void)state;
	lead_seen(leader, sizeof(leader));
	sat_buf_printf(&b, "{\"version\": \"" SAT_VERSION "\", \"host\": ");
	sat_buf_json(&b, sat_host());
	sat_buf_printf(&b, ", \"leader\": ");
	sat_buf_json(&b, leader[0] != '\0' ? leader : NULL);
	sat_buf_printf(&b, ", \"uptime\": %llu, \"acting\": %s, \"ready\": %s, \"index\": %zu,\n \"unready\": [",
		       (unsigned long long)((uv_hrtime() - started) / 1000000000),
		       sat_acting() ? "true" : "false", http_each_unready(NULL, NULL) == 0 ? "true" : "false",
		       sat_index_size());
	if (!b.full)
		http_each_unready(write_unready, &b);
	sat_buf_printf(&b, "],\n \"counters\": {");
	for (unsigned i = 0; i < SELF_N; i++) {
		write_name(&b, self_describe(i)->name);
		sat_buf_printf(&b, "%lld", (long long)self_get(i));
	}
	sat_buf_printf(&b, "},\n \"instances\": [");
	http_each(write_instance, &b);
	sat_buf_printf(&b, "]");
	if (more.print != NULL) {
		sat_buf_printf(&b, ",\n \"%s\": ", more.name);
		more.print(&b);
	}
	sat_buf_printf(&b, "}\n");
	sat_reply_buf(req, 200, "application/json", &b);
	return 0;
}

/* ---- Commands ----------------------------------------------------------- */

static void write_command(void *arg, const struct sat_command *c)
{
	struct sat_buf *b = arg;

	sat_buf_printf(b, "%s\n {\"name\": ", b->len == 1 ? "" : ",");
	sat_buf_json(b, c->name);
	sat_buf_printf(b, ", \"usage\": ");
	sat_buf_json(b, c->usage);
	sat_buf_printf(b, ", \"summary\": ");
	sat_buf_json(b, c->summary);
	sat_buf_printf(b, "}");
}

static int get_commands(void *state, struct sat_request *req)
{
	struct sat_buf b = { 0 };

	(void)state;
	sat_buf_printf(&b, "[");
	http_each_command(write_command, &b);
	sat_buf_printf(&b, "\n]\n");
	sat_reply_buf(req, 200, "application/json", &b);
	return 0;
}

/* {"args": ["…", …]} as an argv; how many, or -EINVAL. */
static int read_args(struct arena *a, const struct sat_request *req, const char **argv,
		     char *error, size_t size)
{
	size_t len;
	const char *body = sat_request_body(req, &len);
	const struct json *doc, *args, *v;
	int n = 1;

	if (len == 0)
		return n;
	doc = json_parse(a, body, len, error, size);
	if (doc == NULL)
		return -EINVAL;
	args = doc->kind == JSON_OBJECT ? json_get(doc, "args") : NULL;
	snprintf(error, size, "\"args\" is not a list of at most %d strings", ARGS_MAX - 1);
	if (args == NULL || args->kind != JSON_ARRAY || args->n >= ARGS_MAX)
		return -EINVAL;
	for (v = args->first; v != NULL; v = v->next) {
		if (v->kind != JSON_STRING || strlen(v->text) != v->len)
			return -EINVAL;
		argv[n++] = v->text;
	}
	return n;
}

static int post_command(void *state, struct sat_request *req)
{
	const char *name = sat_request_part(req, "name"), *argv[ARGS_MAX + 1] = { name };
	struct arena a = { .max = 4 << 20 };
	char error[256] = "";
	int n = read_args(&a, req, argv, error, sizeof(error));

	(void)state;
	if (n < 0)
		sat_reply_error(req, 400, "%s", error);
	else if (http_run(req, name, n, argv) == -ENOENT)
		sat_reply_error(req, 404, "there is no command \"%s\"", name);
	arena_free(&a);
	return 0;
}

static const struct sat_route *const routes[] = {
	SAT_ROUTE("GET", "/", SAT_READ, get_front),
	SAT_ROUTE("GET", "/healthz", SAT_ANYONE, get_healthz),
	SAT_ROUTE("GET", "/readyz", SAT_ANYONE, get_readyz),
	SAT_ROUTE("GET", "/status", SAT_READ, get_status),
	SAT_ROUTE("GET", "/index", SAT_READ, routes_get_index),
	SAT_ROUTE("GET", "/command", SAT_READ, get_commands),
	SAT_ROUTE("POST", "/command/{name}", SAT_OPERATE, post_command),
	NULL
};

int routes_init(void)
{
	started = uv_hrtime();
	return http_add_tables(&self_host, routes, NULL);
}
