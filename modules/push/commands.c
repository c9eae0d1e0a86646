/* SPDX-License-Identifier: Apache-2.0 */
/* commands - satellite send and watch. */
#include <stdio.h>
#include <string.h>

#include "push.h"

static int done(struct sat_request *req, int status, const char *text)
{
	struct sat_buf out = { .max = 4096 };

	if (*text != '\0')
		sat_buf_printf(&out, "%s\n", text);
	sat_command_done(req, status, &out);
	return 0;
}

/* ---- send --------------------------------------------------------------- */

static void member(struct sat_buf *b, const char *key, size_t len)
{
	char name[128];

	snprintf(name, sizeof(name), "%.*s", (int)len, key);
	sat_buf_printf(b, b->len > 1 ? ", " : "");
	sat_buf_json(b, name);
	sat_buf_printf(b, ": ");
}

/* A number as it is; text in quotes. */
static void value(struct sat_buf *b, const char *key, const char *s)
{
	bool number = strcmp(key, "metric") == 0 || strcmp(key, "ttl") == 0 || strcmp(key, "time") == 0;

	if (number && *s != '\0' && s[strspn(s, "0123456789+-.eE")] == '\0')
		sat_buf_printf(b, "%s", s);
	else
		sat_buf_json(b, s);
}

/* --FIELD VALUE: its place in these, or -1. */
static int field_of(const char *arg)
{
	static const char *const fields[] = {
		"--host", "--service", "--state", "--description", "--metric", "--ttl", "--time", NULL
	};

	for (int i = 0; fields[i] != NULL; i++)
		if (strcmp(arg, fields[i]) == 0)
			return i;
	return -1;
}

static void tags(struct sat_buf *b, int argc, const char *const *argv)
{
	int n = 0;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--tag") != 0)
			continue;
		if (n++ == 0)
			member(b, "tags", 4);
		sat_buf_printf(b, n == 1 ? "[" : ", ");
		sat_buf_json(b, argv[i + 1]);
	}
	if (n > 0)
		sat_buf_printf(b, "]");
}

/* What is given as JSON; false: it makes no sense. */
static bool write_event(struct sat_buf *b, int argc, const char *const *argv)
{
	unsigned given = 0;

	sat_buf_printf(b, "{");
	for (int i = 1; i < argc; i += 2) {
		int field = field_of(argv[i]);
		const char *to = i + 1 < argc ? argv[i + 1] : NULL, *equals = to != NULL ? strchr(to, '=') : NULL;

		if (to == NULL || (field >= 0 && given & 1u << field))
			return false;
		if (field >= 0) {
			given |= 1u << field;
			member(b, argv[i] + 2, strlen(argv[i] + 2));
			value(b, argv[i] + 2, to);
		} else if (strcmp(argv[i], "--attribute") == 0 && equals != NULL && equals - to < 128) {
			member(b, to, (size_t)(equals - to));
			sat_buf_json(b, equals + 1);
		} else if (strcmp(argv[i], "--tag") != 0) {
			return false;
		}
	}
	tags(b, argc, argv);
	if (!(given & 1)) {
		member(b, "host", 4);
		sat_buf_json(b, sat_host());
	}
	sat_buf_printf(b, "}");
	return given & 2;
}

int command_send(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	struct sat_buf b = { .max = 1 << 20 };
	char error[256] = "";
	int rc = 0;

	if (argc == 2 && argv[1][0] == '{')
		rc = events_take(state, argv[1], strlen(argv[1]), error, sizeof(error));
	else if (!write_event(&b, argc, argv))
		snprintf(error, sizeof(error), "usage: satellite send --service SERVICE [--FIELD VALUE]... | JSON");
	else if (b.full)
		snprintf(error, sizeof(error), "the event is too large");
	else
		rc = events_take(state, b.p, b.len, error, sizeof(error));
	sat_buf_free(&b);
	return done(req, rc != 0 ? 1 : *error != '\0' ? 2 : 0, error);
}

/* ---- watch -------------------------------------------------------------- */

int command_watch(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	char error[256] = "", text[300];
	struct sat_query *q;

	if (argc != 2)
		return done(req, 2, "usage: satellite watch QUERY");
	q = sat_query_parse(argv[1], error, sizeof(error));
	if (q != NULL)
		return watch_begin(state, req, FORM_LINES, q, true);
	snprintf(text, sizeof(text), "query: %s", error);
	return done(req, 1, text);
}
