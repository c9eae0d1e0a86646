/* SPDX-License-Identifier: Apache-2.0 */
/* replay - streams over recorded events, on a virtual clock. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "query.h"
#include "replay.h"
#include "self.h"

enum { LINE = 16 << 20 };

static struct arena line_arena;		/* of the line under way */
static struct index_conf settings;	/* as configured: a line may have keys of its own */
static replay_again *again;
static bool reaping;			/* --reap: the reaper runs as it does live */
static int64_t reaped;
static unsigned mistakes;

/* ---- What is printed ---------------------------------------------------- */

static void print_events(struct sat_buf *b, const struct sat_item *item)
{
	sat_buf_printf(b, ", \"events\": [");
	for (uint32_t i = 0; i < item->n; i++) {
		if (i != 0)
			sat_buf_printf(b, ", ");
		json_replay_event(b, item->evs[i]);
	}
	sat_buf_printf(b, "]");
	if (item->list)
		sat_buf_printf(b, ", \"vector\": true");
}

static void begin(struct sat_buf *b, const char *node, const char *does)
{
	sat_buf_printf(b, "{\"clock\": ");
	json_seconds(b, clock_wall());
	if (node != NULL) {
		sat_buf_printf(b, ", \"node\": ");
		sat_buf_json(b, node);
	}
	sat_buf_printf(b, ", \"does\": \"%s\"", does);
}

static void end(struct sat_buf *b)
{
	sat_buf_printf(b, "}\n");
	if (b->full)
		fprintf(stderr, "replay: a line of output over %zu bytes is left out\n", b->max);
	else
		fwrite(b->p, 1, b->len, stdout);
	sat_buf_free(b);
}

void replay_show(const char *path, const char *does, const char *tap, const struct sat_item *item,
		 const char *error, bool top)
{
	struct sat_buf b = { .max = 1 << 30 };

	begin(&b, path, does);
	if (tap != NULL) {
		sat_buf_printf(&b, ", \"tap\": ");
		sat_buf_json(&b, tap);
	}
	if (error != NULL) {
		sat_buf_printf(&b, ", \"error\": ");
		sat_buf_json(&b, error);
		sat_buf_printf(&b, ", \"top\": %s", top ? "true" : "false");
	}
	print_events(&b, item);
	end(&b);
}

static int found(void *arg, const struct sat_event *ev)
{
	struct sat_buf *b = arg;

	if (b->p[b->len - 1] != '[')
		sat_buf_printf(b, ", ");
	json_replay_event(b, ev);
	return 0;
}

static void answer_query(const char *text)
{
	struct sat_buf b = { .max = 1 << 30 };
	char error[256];
	const struct sat_query *q = query_cached(text, error, sizeof(error));

	begin(&b, NULL, "query");
	sat_buf_printf(&b, ", \"query\": ");
	sat_buf_json(&b, text);
	if (q == NULL) {
		sat_buf_printf(&b, ", \"error\": ");
		sat_buf_json(&b, error);
	} else {
		sat_buf_printf(&b, ", \"events\": [");
		index_search(q, found, &b);
		sat_buf_printf(&b, "]");
	}
	end(&b);
}

static void answer_match(const char *text, const struct sat_event *ev)
{
	struct sat_buf b = { 0 };
	char error[256];
	const struct sat_query *q = query_cached(text, error, sizeof(error));

	begin(&b, NULL, "match");
	sat_buf_printf(&b, ", \"query\": ");
	sat_buf_json(&b, text);
	if (q == NULL) {
		sat_buf_printf(&b, ", \"error\": ");
		sat_buf_json(&b, error);
	} else {
		sat_buf_printf(&b, ", \"match\": %s", sat_query_match(q, ev) ? "true" : "false");
	}
	end(&b);
}

/* ---- Lines -------------------------------------------------------------- */

struct line {
	const struct json *root;
	struct event *ev;		/* NULL: none */
	int64_t at;
	bool timed;
	char error[300];
};

static bool is_command(const struct json *root)
{
	static const char *const keys[] = { "start", "query", "expire", "match", "reload", "restart" };

	if (json_get(root, "event") != NULL)
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_get(root, keys[i]) != NULL)
			return true;
	return false;
}

/* The event lies under "event", or is the line itself less "at". */
static const struct json *event_part(const struct json *root, struct json *bare)
{
	const struct json *event = json_get(root, "event");
	struct json **at = &bare->first;

	if (event != NULL && event->kind == JSON_OBJECT)
		return event;
	*bare = *root;
	bare->first = NULL;
	for (const struct json *m = root->first; m != NULL; m = m->next) {
		struct json *copy;

		if (strcmp(m->key, "at") == 0)
			continue;
		copy = arena_get(&line_arena, sizeof(*copy));
		if (copy == NULL)
			return NULL;
		*copy = *m;
		copy->next = NULL;
		*at = copy;
		at = &copy->next;
	}
	return bare->first != NULL ? bare : NULL;
}

static int read_event(struct line *l)
{
	struct json bare;
	const struct json *part = event_part(l->root, &bare);
	bool null_time = false;

	if (part == NULL)
		return l->timed ? 0 : (snprintf(l->error, sizeof(l->error), "neither an event nor \"at\""), -EINVAL);
	l->ev = json_event(&line_arena, part, &null_time, l->error, sizeof(l->error));
	if (l->ev == NULL)
		return -EINVAL;
	if (!(l->ev->pub.has & SAT_HAS_TIME) && !null_time && l->timed) {
		l->ev->pub.time = l->at;
		l->ev->pub.has |= SAT_HAS_TIME;
	} else if (!l->timed && (l->ev->pub.has & SAT_HAS_TIME)) {
		l->at = l->ev->pub.time;
		l->timed = true;
	} else if (!l->timed && !null_time) {
		l->ev->pub.time = clock_wall();
		l->ev->pub.has |= SAT_HAS_TIME;
	}
	return 0;
}

static int read_line(struct line *l, const char *text, size_t len)
{
	const struct json *at;

	memset(l, 0, sizeof(*l));
	l->root = json_parse(&line_arena, text, len, l->error, sizeof(l->error));
	if (l->root == NULL)
		return -EINVAL;
	if (l->root->kind != JSON_OBJECT) {
		snprintf(l->error, sizeof(l->error), "not an object");
		return -EINVAL;
	}
	at = json_get(l->root, "at");
	if (at == NULL)
		at = json_get(l->root, "start");
	if (at != NULL && !json_micros(at, &l->at)) {
		snprintf(l->error, sizeof(l->error), "\"at\" and \"start\" are seconds");
		return -EINVAL;
	}
	l->timed = at != NULL;
	return is_command(l->root) ? 0 : read_event(l);
}

static void reap_with(const struct json *keys)
{
	struct index_conf c = settings;
	const char **names = NULL;

	if (keys != NULL && keys->kind == JSON_ARRAY) {
		uint32_t n = 0;

		names = arena_get(&line_arena, (keys->n + 1) * sizeof(*names));
		for (const struct json *k = keys->first; names != NULL && k != NULL; k = k->next)
			if (k->kind == JSON_STRING)
				names[n++] = k->text;
		c.keep = names;
		c.keep_all = false;
	} else if (keys != NULL && keys->kind == JSON_STRING && strcmp(keys->text, "all") == 0) {
		c.keep_all = true;
	}
	index_init(&c);
	engine_reap();
	index_init(&settings);
	engine_run();
}

static int match_line(struct line *l)
{
	const struct json *q = json_get(l->root, "match"), *with = json_get(l->root, "with");
	struct event *ev;

	if (q->kind != JSON_STRING || with == NULL) {
		snprintf(l->error, sizeof(l->error), "\"match\" wants a query, and an event under \"with\"");
		return -EINVAL;
	}
	ev = json_event(&line_arena, with, NULL, l->error, sizeof(l->error));
	if (ev == NULL)
		return -EINVAL;
	answer_match(q->text, &ev->pub);
	return 0;
}

/* Move there; with --reap the reaper takes its turns on the way. */
static void move_to(int64_t t)
{
	while (reaping && reaped + settings.reap <= t) {
		reaped += settings.reap;
		engine_move(reaped);
		engine_reap();
		engine_run();
	}
	engine_move(t);
}

static bool asked(const struct line *l, const char *what)
{
	const struct json *v = json_get(l->root, what);

	return v != NULL && v->kind == JSON_TRUE;
}

static int build_again(struct line *l, bool restart)
{
	int rc = again(restart);

	settings = *index_settings();
	if (rc != 0)
		snprintf(l->error, sizeof(l->error), "%s", strerror(-rc));
	return rc;
}

static int obey(struct line *l)
{
	const struct json *q = json_get(l->root, "query");

	if (l->timed)
		move_to(l->at);
	if (l->ev != NULL) {
		engine_input(l->ev);
	} else if (json_get(l->root, "match") != NULL) {
		return match_line(l);
	} else if (q != NULL) {
		if (q->kind != JSON_STRING) {
			snprintf(l->error, sizeof(l->error), "\"query\" is a string");
			return -EINVAL;
		}
		answer_query(q->text);
	} else if (asked(l, "expire")) {
		reap_with(json_get(l->root, "keep-keys"));
	} else if (asked(l, "reload") || asked(l, "restart")) {
		return build_again(l, asked(l, "restart"));
	}
	return 0;
}

/* ---- All of it ---------------------------------------------------------- */

static void start(struct streams *streams, const struct line *l)
{
	clock_virtual(l->timed ? l->at : 0);
	reaped = clock_steady();
	engine_swap(streams);
}

static void one_line(struct streams **waiting, const char *path, unsigned long n, const char *text, size_t len)
{
	struct line l;
	int rc;

	if (strspn(text, " \t\r\n") >= len)
		return;
	rc = read_line(&l, text, len);
	if (rc == 0 && *waiting != NULL) {
		start(*waiting, &l);
		*waiting = NULL;
	}
	if (rc == 0)
		rc = obey(&l);
	if (rc != 0) {
		fflush(stdout);
		fprintf(stderr, "%s:%lu: %s\n", path, n, l.error);
		mistakes++;
	}
	arena_reset(&line_arena);
}

int replay_main(struct streams *streams, const char *path, bool reap, replay_again *build)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	struct streams *waiting = streams;
	const struct line none = { 0 };
	unsigned long n = 0;
	char *text = NULL;
	size_t room = 0;
	ssize_t len;

	if (f == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	reaping = reap;
	again = build;
	mistakes = 0;
	line_arena.max = (size_t)4 * LINE;
	streams_show(replay_show);
	settings = *index_settings();
	clock_virtual(0);
	while ((len = getline(&text, &room, f)) >= 0)
		one_line(&waiting, path, ++n, text, (size_t)len);
	if (waiting != NULL)
		start(waiting, &none);
	engine_run();
	if (ferror(f)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		mistakes++;
	}
	free(text);
	if (f != stdin)
		fclose(f);
	arena_free(&line_arena);
	fflush(stdout);
	return mistakes != 0;
}
