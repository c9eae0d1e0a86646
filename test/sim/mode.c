/* SPDX-License-Identifier: Apache-2.0 */
/* mode - how a server misbehaves, as a whole or at one path. */
#include "mode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK = 50 };		/* ms, whether it still hangs */

void path_plain(char *to, size_t size, const char *path)
{
	size_t n;

	if (!strncmp(path, "/master/", 8))
		path += 7;
	n = strlen(path);
	if (n > 5 && !strcmp(path + n - 5, ".json"))
		n -= 5;
	snprintf(to, size, "%.*s", (int)n, path);
}

static int read_file(struct buf *b, const char *path)
{
	char piece[8192];
	size_t n;
	FILE *f = fopen(path, "r");

	if (!f)
		return -errno;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(b, piece, n);
	n = (size_t)ferror(f);
	fclose(f);
	return n ? -EIO : 0;
}

static int parse_file(struct mode *m, const char *rest)
{
	char path[4096];

	m->kind = MODE_FILE;
	m->status = 200;
	if (sscanf(rest, "%4095s %d", path, &m->status) < 1 ||
	    m->status < 100 || m->status > 999)
		return -EINVAL;
	return read_file(&m->body, path);
}

/* Answers without an end: how they begin, and what follows for ever. */
static const struct flood {
	const char *name, *head, *more;
} floods[] = {
	{ "lists", "{\"slaves\":", "[" },
	{ "objects", "", "{\"slaves\":" },
	{ "text", "{\"slaves\":[{\"hostname\":\"", "agent" },
	{ "numbers", "{\"slaves\":[],\"frameworks\":[],\"more\":[0", ",1" },
	{ "slaves", "{\"slaves\":[{}", ",{\"id\":\"s\",\"hostname\":\"h\"}" },
	{ "record", "9223372036854775808\n", "{" },
	{ "large", "1999999999\n{\"type\":\"SUBSCRIBED\",\"subscribed\":{\"get_state\":{}},\"more\":[0", ",1" },
	{ "digits", "1", "0" },
	{ "deep", "1000000000\n", "[" },
	{ "deeper", "1000000000\n", "{\"type\":" },
};

static int parse_flood(struct mode *m, const char *name)
{
	size_t i;

	m->kind = MODE_FLOOD;
	for (i = 0; i < sizeof(floods) / sizeof(floods[0]); i++)
		if (!strcmp(floods[i].name, name))
			m->flood = &floods[i];
	return m->flood ? 0 : -EINVAL;
}

static int parse(struct mode *m, const char *text)
{
	static const struct {
		const char *name;
		enum mode_kind kind;
	} plain[] = {
		{ "ok", MODE_OK }, { "down", MODE_DOWN },
		{ "garbage", MODE_GARBAGE }, { "307loop", MODE_LOOP },
		{ "truncate", MODE_TRUNCATE }, { "hang", MODE_HANG },
		{ "close", MODE_CLOSE }, { "stall", MODE_STALL },
	};
	unsigned long long ms;
	char word[32] = "", what[32] = "";
	size_t i;

	sscanf(text, "%31s %31s", word, what);
	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (!strcmp(word, plain[i].name)) {
			m->kind = plain[i].kind;
			return 0;
		}
	if (sscanf(text, " slow %llu", &ms) == 1) {
		m->kind = MODE_SLOW;
		m->ms = ms;
		return 0;
	}
	if (sscanf(text, " pad %llu", &ms) == 1) {
		m->kind = MODE_PAD;
		m->ms = ms;
		return 0;
	}
	if (!strcmp(word, "flood"))
		return parse_flood(m, what);
	m->packed = !strcmp(word, "gzip");
	if (m->packed || !strcmp(word, "file"))
		return parse_file(m, strstr(text, word) + 4);
	m->kind = MODE_STATUS;
	return sscanf(text, "%d", &m->status) == 1 && m->status >= 200 &&
		m->status <= 599 ? 0 : -EINVAL;
}

static void mode_free(struct mode *m)
{
	free(m->path);
	buf_free(&m->body);
	free(m);
}

static void forget(struct mode **modes, const char *path)
{
	struct mode *m;

	while ((m = *modes) != NULL) {
		if (path ? m->path && !strcmp(m->path, path) : !m->path) {
			*modes = m->next;
			mode_free(m);
		} else {
			modes = &m->next;
		}
	}
}

int mode_set(struct mode **modes, const char *path, const char *text)
{
	struct mode *m = sim_calloc(1, sizeof(*m));
	char plain[1024];
	int rc = parse(m, text);

	if (rc) {
		mode_free(m);
		return rc;
	}
	if (path) {
		path_plain(plain, sizeof(plain), path);
		m->path = sim_strdup(plain);
	}
	forget(modes, m->path);
	if (m->kind == MODE_OK && !path) {
		mode_free(m);
		return 0;
	}
	m->next = *modes;
	*modes = m;
	return 0;
}

const struct mode *mode_at(const struct mode *modes, const char *path)
{
	char plain[1024];

	path_plain(plain, sizeof(plain), path);
	while (modes && (!modes->path || strcmp(modes->path, plain)))
		modes = modes->next;
	return modes;
}

const struct mode *mode_of(const struct mode *modes, const char *path)
{
	const struct mode *here = mode_at(modes, path);

	while (!here && modes && modes->path)
		modes = modes->next;
	return here ? here : modes;
}

uint64_t mode_pad(const struct mode *mode)
{
	return mode && mode->kind == MODE_PAD ? mode->ms : 0;
}

void modes_free(struct mode **modes)
{
	struct mode *m;

	while ((m = *modes) != NULL) {
		*modes = m->next;
		mode_free(m);
	}
}

static void answer_garbage(struct http_request *req)
{
	static const char text[] =
		"{\"version\":\"\xff\xfe\x00\x01 not JSON\", [}} \x7f\x80\n";

	http_reply(req, 200, NULL, "application/json", text, sizeof(text) - 1);
}

struct flooding {
	const struct flood *flood;
	bool begun;
};

static enum http_next more_flood(void *state, struct buf *out)
{
	struct flooding *f = state;

	if (!f->begun)
		buf_str(out, f->flood->head);
	f->begun = true;
	while (out->len < 64 << 10)
		buf_str(out, f->flood->more);
	return HTTP_MORE;
}

static void answer_flood(struct http_request *req, const struct flood *flood)
{
	struct flooding *f = sim_calloc(1, sizeof(*f));

	f->flood = flood;
	http_reply_source(req, 200, "application/json",
			  (struct http_source){ more_flood, free, f });
}

static void answer_loop(struct http_request *req, int port)
{
	char headers[2048];

	snprintf(headers, sizeof(headers),
		 "Location: //127.0.0.1:%d%.1900s\r\n", port, req->target);
	http_reply(req, 307, headers, NULL, NULL, 0);
}

static void answer_status(struct http_request *req, int status)
{
	const char *body = status == 503 ? "No leader elected" : "";

	http_reply(req, status, status == 401 ? "WWW-Authenticate: Basic "
		   "realm=\"mesos-master-readonly\"\r\n" : NULL,
		   "text/plain; charset=utf-8", body, strlen(body));
}

bool mode_answers(const struct mode *mode, struct http_request *req, int port, uint64_t *later)
{
	*later = 0;
	switch (mode ? mode->kind : MODE_OK) {
	case MODE_OK:
	case MODE_PAD:
		return false;
	case MODE_SLOW:
		*later = mode->ms;
		return false;
	case MODE_TRUNCATE:
		http_truncate(req);
		return false;
	case MODE_STALL:
		http_stall(req);
		return false;
	case MODE_FLOOD:
		answer_flood(req, mode->flood);
		return true;
	case MODE_GARBAGE:
		answer_garbage(req);
		return true;
	case MODE_STATUS:
		answer_status(req, mode->status);
		return true;
	case MODE_LOOP:
		answer_loop(req, port);
		return true;
	case MODE_HANG:
		http_again(req, LOOK);
		return true;
	case MODE_FILE:
		http_reply(req, mode->status, mode->packed ? "Content-Encoding: gzip\r\n" : NULL,
			   "application/json", mode->body.at, mode->body.len);
		return true;
	case MODE_DOWN:
	case MODE_CLOSE:
		http_reply_close(req);
		return true;
	}
	return false;
}
