/* SPDX-License-Identifier: Apache-2.0 */
/* cli - the operator's commands: they talk to a living satellite; no engine here. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "cli_http.h"
#include "cli_status.h"
#include "control.h"
#include "json.h"
#include "uri.h"

enum { EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, EXIT_NOBODY };

struct cli {
	char *socket;
	const char *url;
	struct cli_answer answer;
	struct sat_buf text;	/* of the answer, where it is not printed as it comes */
	bool prints, ended;	/* ended: the text is over, a stream's exit status follows */
	bool gets;		/* JSON, and no command's text */
	int unwritten;		/* why standard output takes no more */
};

/* ---- Asking ------------------------------------------------------------- */

static int keep_text(void *arg, const void *p, size_t n)
{
	struct cli *c = arg;

	sat_buf_add(&c->text, p, n);
	return c->text.full ? -EMSGSIZE : 0;
}

static const char *where(const struct cli *c)
{
	return c->url != NULL ? c->url : c->socket;
}

/* Some other server's: a satellite has none that is asked for here. */
static bool is_page(const struct cli *c)
{
	const char *type = c->answer.type;

	return strncasecmp(type, "text/html", 9) == 0 || (c->gets && strncasecmp(type, "application/json", 16) != 0);
}

/* The text of {"error": "…"}; NULL: it says something else. */
static const char *error_of(const struct cli *c, struct arena *a)
{
	char why[128];
	const struct json *doc = json_parse(a, c->text.p != NULL ? c->text.p : "", c->text.len, why, sizeof(why));
	const struct json *error = doc != NULL && doc->kind == JSON_OBJECT ? json_get(doc, "error") : NULL;

	return error != NULL && error->kind == JSON_STRING ? error->text : NULL;
}

static bool is_ours(const struct cli *c)
{
	struct arena a = { 0 };
	bool ours = !is_page(c) && (c->answer.status == 200 || error_of(c, &a) != NULL);

	arena_free(&a);
	return ours;
}

/* A stream's text ends at a NUL; then comes the exit status, where it is not 0. */
static int print_text(void *arg, const void *p, size_t n)
{
	struct cli *c = arg;
	const char *end = c->ended ? p : memchr(p, '\0', n);
	size_t shown = end != NULL ? (size_t)(end - (const char *)p) : n;

	if (c->answer.status != 200 || c->answer.exit_status != 0 || is_page(c))
		return keep_text(arg, p, n);
	if (end != NULL && !c->ended) {
		c->ended = true;
		end++;
	}
	if (end != NULL)
		keep_text(arg, end, n - (size_t)(end - (const char *)p));
	if (shown > 0 && (fwrite(p, 1, shown, stdout) != shown || fflush(stdout) != 0))
		c->unwritten = errno;
	return c->unwritten != 0 ? -EIO : 0;
}

static int is_unwritten(int why)
{
	fprintf(stderr, "satellite: standard output: %s\n", strerror(why));
	return EXIT_REFUSED;
}

/* The exit status, as far as a command did not say it in its text. */
static int ask(struct cli *c, const char *method, const char *path, const char *body)
{
	const struct cli_ask what = {
		.url = c->url, .socket = c->socket,
		.method = method, .path = path, .body = body, .patient = body != NULL,
		.text = c->prints ? print_text : keep_text, .arg = c,
	};
	int rc;

	sat_buf_free(&c->text);
	c->text = (struct sat_buf){ 0 };
	c->gets = body == NULL;
	rc = cli_http(&what, &c->answer);
	sat_buf_add(&c->text, "", 0);
	if (c->unwritten != 0)
		return is_unwritten(c->unwritten);
	if (rc == 0 && is_ours(c))
		return c->answer.status == 200 ? EXIT_DONE : EXIT_REFUSED;
	if (rc == 0)
		snprintf(c->answer.error, sizeof(c->answer.error), "%.150s: no satellite answers there, but something "
			 "else, with status %d", where(c), c->answer.status);
	fprintf(stderr, "satellite: %s\n", c->answer.error);
	return rc == -EINVAL || rc == -EPROTONOSUPPORT ? EXIT_USAGE : EXIT_NOBODY;
}

static void print_error(const struct cli *c)
{
	struct arena a = { 0 };
	const char *error = error_of(c, &a);

	if (error != NULL)
		fprintf(stderr, "satellite: %s\n", error);
	else
		fprintf(stderr, "satellite: %s: the answer makes no sense\n", where(c));
	arena_free(&a);
}

/* ---- status ------------------------------------------------------------- */

static int status(struct cli *c, bool as_json)
{
	struct arena a = { 0 };
	char why[128];
	int rc = ask(c, "GET", "/status", NULL);

	if (rc == EXIT_DONE && !as_json) {
		const struct json *doc = json_parse(&a, c->text.p, c->text.len, why, sizeof(why));

		if (doc != NULL && doc->kind == JSON_OBJECT)
			cli_status(doc);
		else
			rc = EXIT_REFUSED;
	} else if (rc == EXIT_DONE) {
		fwrite(c->text.p, 1, c->text.len, stdout);
	}
	if (rc == EXIT_REFUSED && c->unwritten == 0)
		print_error(c);
	arena_free(&a);
	return rc;
}

/* ---- Others ------------------------------------------------------------- */

/* Print what a path answers, as it is. */
static int get(struct cli *c, const char *path)
{
	int rc;

	c->prints = true;
	rc = ask(c, "GET", path, NULL);
	if (rc == EXIT_REFUSED && c->unwritten == 0)
		print_error(c);
	return rc;
}

static int query(struct cli *c, const char *text)
{
	static const char path[] = "/index?query=";
	char *full = malloc(sizeof(path) + 3 * strlen(text));
	int rc;

	if (full == NULL)
		return EXIT_REFUSED;
	strcpy(full, path);
	uri_encode(text, full + strlen(path));
	rc = get(c, full);
	free(full);
	return rc;
}

static void list_commands(struct cli *c)
{
	struct arena a = { 0 };
	char why[128];
	const struct json *doc, *v;

	c->prints = false;
	if (ask(c, "GET", "/command", NULL) != EXIT_DONE)
		return;
	doc = json_parse(&a, c->text.p, c->text.len, why, sizeof(why));
	fprintf(stderr, "commands:\n  %-46s %s\n  %-46s %s\n  %-46s %s\n",
		"status [--json]", "what runs, and its counters",
		"query QUERY", "the latest events that match",
		"healthz", "whether it turns");
	for (v = doc != NULL ? doc->first : NULL; v != NULL; v = v->next)
		fprintf(stderr, "  %-46s %s\n", *json_text(v, "usage") != '\0' ? json_text(v, "usage") : json_text(v, "name"),
			json_text(v, "summary"));
	arena_free(&a);
}

static int command_status(struct cli *c)
{
	if (c->answer.exit_status > 0) {
		fputs(c->text.p != NULL ? c->text.p : "", stderr);
		return c->answer.exit_status;
	}
	return c->ended ? atoi(c->text.p) : EXIT_DONE;
}

static int command(struct cli *c, int argc, char **argv)
{
	static const char path[] = "/command/";
	char *full = malloc(sizeof(path) + 3 * strlen(argv[0]));
	struct sat_buf body = { 0 };
	int rc = EXIT_REFUSED;

	sat_buf_printf(&body, "{\"args\": [");
	for (int i = 1; i < argc; i++) {
		sat_buf_printf(&body, i > 1 ? ", " : "");
		sat_buf_json(&body, argv[i]);
	}
	sat_buf_printf(&body, "]}");
	if (full != NULL && !body.full) {
		strcpy(full, path);
		uri_encode(argv[0], full + strlen(path));
		c->prints = true;
		rc = ask(c, "POST", full, body.p);
		if (rc == EXIT_DONE)
			rc = command_status(c);
		else if (rc == EXIT_REFUSED && c->unwritten == 0)
			print_error(c);
		if (rc == EXIT_REFUSED && c->answer.status == 404) {
			list_commands(c);
			rc = EXIT_USAGE;
		}
	}
	free(full);
	sat_buf_free(&body);
	return rc;
}

static int usage(const char *line)
{
	fprintf(stderr, "usage: satellite %s\n", line);
	return EXIT_USAGE;
}

static int run(struct cli *c, int argc, char **argv)
{
	bool as_json = argc == 2 && strcmp(argv[1], "--json") == 0;

	if (strcmp(argv[0], "status") == 0)
		return argc == 1 || as_json ? status(c, as_json) : usage("status [--json]");
	if (strcmp(argv[0], "query") == 0)
		return argc == 2 ? query(c, argv[1]) : usage("query QUERY");
	if (strcmp(argv[0], "healthz") == 0)
		return argc == 1 ? get(c, "/healthz") : usage("healthz");
	return command(c, argc, argv);
}

int cli_main(int argc, char **argv, const char *state_dir, const char *url)
{
	struct cli c = { .url = url, .text = { .max = (size_t)16 << 20 } };
	int rc;

	if (argc < 1)
		return usage("COMMAND [ARGUMENT…]");
	if (url == NULL && asprintf(&c.socket, "%s/" CONTROL_NAME, state_dir) < 0)
		return EXIT_REFUSED;
	rc = run(&c, argc, argv);
	if (fflush(stdout) != 0 && rc == EXIT_DONE)
		rc = is_unwritten(errno);
	sat_buf_free(&c.text);
	free(c.socket);
	return rc;
}
