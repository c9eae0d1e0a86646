/* SPDX-License-Identifier: Apache-2.0 */
/* ask - questions about tasks that ended: GET /state.json and /tasks, satellite task and tasks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tasks.h"

#define NO_TIME "%s: \"%.60s\" is no time, such as 2hours, 2026-11-28T04:00:00Z or seconds since 1970"
enum { LIMIT = 100, LIMIT_MAX = 10000 };

static const int filters[] = { HOST, FRAMEWORK, STATE };
enum { FILTERS = sizeof(filters) / sizeof(filters[0]) };

struct given { const char *is[FILTERS], *since, *until, *before, *limit, *task; bool json; };

/* ---- What is asked ------------------------------------------------------ */

/* "2hours" (ago), seconds since 1970, or 2026-11-28T04:00:00Z, of which the end may be missing. */
static int read_time(const char *s, int64_t *to)
{
	static const struct { const char *name; int64_t seconds; } units[] = {
		{ "second", 1 }, { "minute", 60 }, { "hour", 3600 }, { "day", 86400 }, { "week", 604800 },
	};
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
	char *end;
	double n = strtod(s, &end);

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = { 0 };
		const char *rest = strptime(s, forms[i], &tm);

		if (rest == NULL || *rest != '\0')
			continue;
		*to = (int64_t)timegm(&tm) * SAT_SECOND;
		return 0;
	}
	if (end == s || !(n >= 0 && n < 1e11))
		return -EINVAL;
	if (*end == '\0') {
		*to = (int64_t)(n * SAT_SECOND);
		return 0;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(end, units[i].name, len) != 0 || strcmp(end + len + (end[len] == 's'), "") != 0)
			continue;
		*to = sat_wall() - (int64_t)(n * (double)(units[i].seconds * SAT_SECOND));
		return 0;
	}
	return -EINVAL;
}

/* As `next` has it. */
static int read_place(const char *s, struct place *to)
{
	char *end;
	long long time = strtoll(s, &end, 10), row;

	if (end == s || *end != '.')
		return -EINVAL;
	s = end + 1;
	row = strtoll(s, &end, 10);
	if (end == s || *end != '\0')
		return -EINVAL;
	*to = (struct place){ time, row };
	return 0;
}

static int read_limit(const char *s, unsigned *to)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*s < '0' || *s > '9' || *end != '\0' || n == 0 || n > LIMIT_MAX)
		return -EINVAL;
	*to = (unsigned)n;
	return 0;
}

/* Its texts are copied behind it. */
static struct ask *ask_new(const char *const *is)
{
	size_t size = sizeof(struct ask);
	struct ask *a;
	char *p;

	for (int i = 0; i < FIELDS; i++)
		size += is[i] != NULL ? strlen(is[i]) + 1 : 0;
	a = calloc(1, size);
	if (a == NULL)
		return NULL;
	p = a->text;
	for (int i = 0; i < FIELDS; i++) {
		if (is[i] == NULL)
			continue;
		a->is[i] = p;
		p = stpcpy(p, is[i]) + 1;
	}
	a->limit = 1;
	a->out.max = (size_t)16 << 20;
	return a;
}

/* NULL: it makes no sense, and error says why; or there is no memory: error is "". */
static struct ask *make(const struct given *g, char *error, size_t size)
{
	const char *is[FIELDS] = { [TASK] = g->task };
	unsigned limit = LIMIT;
	int64_t since = INT64_MIN, until = INT64_MAX;
	struct place before = { INT64_MAX, INT64_MAX };
	struct ask *a;

	error[0] = '\0';
	for (size_t i = 0; i < FILTERS; i++)
		is[filters[i]] = g->is[i];
	if (g->since != NULL && read_time(g->since, &since) != 0)
		snprintf(error, size, NO_TIME, "since", g->since);
	else if (g->until != NULL && read_time(g->until, &until) != 0)
		snprintf(error, size, NO_TIME, "until", g->until);
	else if (g->before != NULL && read_place(g->before, &before) != 0)
		snprintf(error, size, "before: \"%.60s\" is no place: what an answer has as next", g->before);
	else if (g->limit != NULL && read_limit(g->limit, &limit) != 0)
		snprintf(error, size, "limit: \"%.60s\" is no number from 1 to %d", g->limit, LIMIT_MAX);
	if (error[0] != '\0')
		return NULL;
	a = ask_new(is);
	if (a == NULL)
		return NULL;
	a->single = g->task != NULL;
	a->since = since;
	a->until = until;
	a->before = before;
	a->limit = a->single ? 1 : limit;
	return a;
}

/* ---- The answer --------------------------------------------------------- */

static void close_list(struct ask *a)
{
	if (a->single || a->form != FORM_JSON)
		return;
	sat_buf_printf(&a->out, "],\"more\":%s", a->more ? "true" : "false");
	if (a->more)
		sat_buf_printf(&a->out, ",\"next\":\"%lld.%lld\"", (long long)a->last.time, (long long)a->last.row);
	sat_buf_printf(&a->out, "}");
}

static void answer_command(struct ask *a, int rc, const char *why)
{
	struct sat_buf text = { .max = 4096 };

	if (rc == 0 && (a->found > 0 || !a->single)) {
		if (a->form == FORM_JSON)
			sat_buf_printf(&a->out, "\n");
		else if (a->more && !a->single)
			sat_buf_printf(&a->out, "(there are more: --limit, --since, or --before %lld.%lld)\n",
				       (long long)a->last.time, (long long)a->last.row);
		sat_command_done(a->req, 0, &a->out);
		return;
	}
	sat_buf_free(&a->out);
	if (rc == 0)
		sat_buf_printf(&text, "%.1024s: no such task has ended, as far as is kept\n", a->is[TASK]);
	else
		sat_buf_printf(&text, "records of tasks cannot be read now: %s\n", why);
	sat_command_done(a->req, 1, &text);
}

void ask_done(struct ask *a, int rc, const char *why)
{
	if (rc == 0)
		close_list(a);
	if (rc == 0 && a->out.full)
		rc = -ENOMEM;
	if (a->command) {
		answer_command(a, rc, why);
	} else if (rc == 0 && (a->found > 0 || !a->single)) {
		sat_reply_buf(a->req, 200, "application/json", &a->out);
	} else {
		sat_buf_free(&a->out);
		if (rc == 0)
			sat_reply_error(a->req, 404, "no such task has ended, as far as is kept");
		else
			sat_reply_error(a->req, 503, "records of tasks cannot be read now: %s", why);
	}
	free(a);
}

/* ---- Routes ------------------------------------------------------------- */

static int get_state(void *state, struct sat_request *req)
{
	struct given g = { .task = sat_request_query(req, "task") };
	char error[256];
	struct ask *a;

	if (g.task == NULL || *g.task == '\0') {
		sat_reply_error(req, 400, "the query parameter task is missing: /state.json?task=ID");
		return 0;
	}
	a = make(&g, error, sizeof(error));
	if (a == NULL)
		return -ENOMEM;
	a->req = req;
	a->form = FORM_STATE;
	keep_ask(state, a);
	return 0;
}

static int get_tasks(void *state, struct sat_request *req)
{
	struct given g = { .since = sat_request_query(req, "since"), .until = sat_request_query(req, "until"),
		.before = sat_request_query(req, "before"), .limit = sat_request_query(req, "limit") };
	char error[256];
	struct ask *a;

	for (size_t i = 0; i < FILTERS; i++)
		g.is[i] = sat_request_query(req, field_names[filters[i]]);
	a = make(&g, error, sizeof(error));
	if (a == NULL && error[0] == '\0')
		return -ENOMEM;
	if (a == NULL) {
		sat_reply_error(req, 400, "%s", error);
		return 0;
	}
	a->req = req;
	a->form = FORM_JSON;
	sat_buf_printf(&a->out, "{\"tasks\":[");
	keep_ask(state, a);
	return 0;
}

const struct sat_route *const ask_routes[] = {
	SAT_ROUTE("GET", "/state.json", SAT_READ, get_state),
	SAT_ROUTE("GET", "/tasks", SAT_READ, get_tasks),
	NULL
};

/* ---- Commands ----------------------------------------------------------- */

#define ONE	"task ID [--json]"
#define MANY	"tasks [--host HOST] [--framework NAME] [--state TASK_STATE] [--since TIME] [--until TIME]" \
	" [--before NEXT] [--limit N] [--json]"

static int refuse(struct sat_request *req, int status, const char *text, const char *more)
{
	struct sat_buf out = { .max = 4096 };

	sat_buf_printf(&out, "%s%s\n", text, more);
	sat_command_done(req, status, &out);
	return 0;
}

/* --name VALUE or --name=VALUE: how many arguments that is; 0: it is not that. */
static int option(const char *name, const char **to, int left, const char *const *argv)
{
	size_t n = strlen(name);

	if (strncmp(argv[0], "--", 2) != 0 || strncmp(argv[0] + 2, name, n) != 0)
		return 0;
	if (argv[0][n + 2] == '=')
		*to = argv[0] + n + 3;
	else if (argv[0][n + 2] == '\0' && left > 1)
		*to = argv[1];
	else
		return 0;
	return argv[0][n + 2] == '=' ? 1 : 2;
}

static int read_given(struct given *g, int argc, const char *const *argv)
{
	for (int i = 1, n; i < argc; i += n) {
		n = option("since", &g->since, argc - i, argv + i);
		if (n == 0)
			n = option("until", &g->until, argc - i, argv + i);
		if (n == 0)
			n = option("before", &g->before, argc - i, argv + i);
		if (n == 0)
			n = option("limit", &g->limit, argc - i, argv + i);
		for (size_t k = 0; k < FILTERS && n == 0; k++)
			n = option(field_names[filters[k]], &g->is[k], argc - i, argv + i);
		if (n == 0 && strcmp(argv[i], "--json") != 0)
			return -EINVAL;
		g->json = g->json || n == 0;
		n = n == 0 ? 1 : n;
	}
	return 0;
}

static int submit(struct tasks *t, struct sat_request *req, const struct given *g)
{
	char error[256];
	struct ask *a = make(g, error, sizeof(error));

	if (a == NULL)
		return refuse(req, 2, error[0] != '\0' ? error : "out of memory", "");
	a->req = req;
	a->command = true;
	a->form = g->json ? FORM_JSON : a->single ? FORM_TEXT : FORM_LINE;
	if (!a->single && g->json)
		sat_buf_printf(&a->out, "{\"tasks\":[");
	else if (!a->single)
		sat_buf_printf(&a->out, "%-20s  %-14s  %s\n", "ENDED", "STATE", "HOST  FRAMEWORK  TASK");
	keep_ask(t, a);
	return 0;
}

static int run_task(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	struct given g = { 0 };
	bool good = argc == 2 || argc == 3;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			g.json = true;
		else if (g.task == NULL && argv[i][0] != '\0')
			g.task = argv[i];
		else
			good = false;
	}
	return good && g.task != NULL ? submit(state, req, &g) : refuse(req, 2, "usage: satellite ", ONE);
}

static int run_tasks(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	struct given g = { 0 };

	return read_given(&g, argc, argv) == 0 ? submit(state, req, &g) : refuse(req, 2, "usage: satellite ", MANY);
}

#define COMMAND(n, u, s, f) &(const struct sat_command){ .size = sizeof(struct sat_command), \
	.name = (n), .usage = (u), .summary = (s), .role = SAT_READ, .run = (f) }

const struct sat_command *const ask_commands[] = {
	COMMAND("task", ONE, "how a task ended", run_task),
	COMMAND("tasks", MANY, "the tasks that ended last", run_tasks),
	NULL
};
