/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stored - a record out of the state that a store has of it: ours, or one that the JVM Satellite stored.
 *
 * The task may stand below an executor or right below its framework, and what it
 * belongs to may be named before it or behind.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tasks.h"

enum kind { NOTHING, WHOLE, FRAMEWORKS, A_FRAMEWORK, EXECUTORS, EXECUTOR, TASKS, A_TASK, STATUSES, STATUS };
enum { DEEPEST = 9 };

struct reading {
	enum kind in[DEEPEST];		/* what is open, by level */
	const char *id;			/* of whom it is to be */
	struct stored *to;		/* what was found */
	bool found, mine;		/* mine: in this framework */
	struct stored framework, task, status;	/* what is read */
};

static bool ends_with(const char *key, const char *tail)
{
	size_t n = strlen(key), m = strlen(tail);

	return n >= m && strcmp(key + n - m, tail) == 0;
}

static enum kind kind_of(enum kind in, const char *key)
{
	switch (in) {
	case NOTHING:
		return WHOLE;
	case WHOLE:
		return ends_with(key, "frameworks") ? FRAMEWORKS : NOTHING;
	case FRAMEWORKS:
		return A_FRAMEWORK;
	case A_FRAMEWORK:
		return ends_with(key, "executors") ? EXECUTORS : ends_with(key, "tasks") ? TASKS : NOTHING;
	case EXECUTORS:
		return EXECUTOR;
	case EXECUTOR:
		return ends_with(key, "tasks") ? TASKS : NOTHING;
	case TASKS:
		return A_TASK;
	case A_TASK:
		return strcmp(key, "statuses") == 0 ? STATUSES : NOTHING;
	case STATUSES:
		return STATUS;
	case STATUS:
		break;
	}
	return NOTHING;
}

static bool is_list(enum kind kind)
{
	return kind == FRAMEWORKS || kind == EXECUTORS || kind == TASKS || kind == STATUSES;
}

/* What belongs to a thing of this kind; NULL: to the whole. */
static struct stored *part(struct reading *r, enum kind kind)
{
	return kind == A_FRAMEWORK ? &r->framework : kind == A_TASK ? &r->task : kind == STATUS ? &r->status : NULL;
}

static int open_part(void *arg, unsigned level, const char *key, bool list)
{
	struct reading *r = arg;
	enum kind kind = level < DEEPEST ? kind_of(level > 0 ? r->in[level - 1] : NOTHING, key) : NOTHING;
	struct stored *s = part(r, kind);

	if (kind == NOTHING || list != is_list(kind))
		return SAT_JSON_SKIP;
	r->in[level] = kind;
	for (int i = 0; s != NULL && i < FIELDS; i++)
		s->text[i][0] = '\0';
	if (s != NULL)
		s->time = 0;
	return SAT_JSON_ENTER;
}

static void keep(char *to, const struct sat_json_value *v)
{
	size_t n = v->kind == SAT_JSON_TEXT ? v->len : 0;

	if (n > STORED_MAX)
		for (n = STORED_MAX; n > 0 && ((unsigned char)v->text[n] & 0xc0) == 0x80; n--)
			;
	if (n > 0)
		memcpy(to, v->text, n);
	to[n] = '\0';
}

static int64_t seconds(const struct sat_json_value *v)
{
	char text[64];
	double d;

	if (v->kind != SAT_JSON_NUMBER || v->len >= sizeof(text))
		return 0;
	memcpy(text, v->text, v->len);
	text[v->len] = '\0';
	d = strtod(text, NULL);
	return d > 0 && d < 9e12 ? llround(d * SAT_SECOND) : 0;
}

static int value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	static const struct { enum kind in; const char *key; enum field field; } members[] = {
		{ WHOLE, "id", AGENT }, { WHOLE, "hostname", HOST }, { A_FRAMEWORK, "id", FRAMEWORK_ID },
		{ A_FRAMEWORK, "name", FRAMEWORK }, { A_TASK, "id", TASK }, { A_TASK, "name", NAME },
		{ A_TASK, "state", STATE }, { STATUS, "message", MESSAGE }, { STATUS, "reason", REASON },
		{ STATUS, "source", SOURCE },
	};
	struct reading *r = arg;
	enum kind in = level > 0 ? r->in[level - 1] : NOTHING;
	struct stored *s = part(r, in);

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (members[i].in == in && strcmp(members[i].key, key) == 0)
			keep((s != NULL ? s : r->to)->text[members[i].field], v);
	if (in == STATUS && strcmp(key, "timestamp") == 0)
		r->status.time = seconds(v);
	return 0;
}

static void take(struct stored *to, const struct stored *from, const enum field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strcpy(to->text[fields[i]], from->text[fields[i]]);
}
#define TAKE(to, from, ...) take(to, from, (const enum field[]){ __VA_ARGS__ }, \
	sizeof((const enum field[]){ __VA_ARGS__ }) / sizeof(enum field))

/* The last counts: of its statuses, and of the tasks that have this id. */
static int close_part(void *arg, unsigned level)
{
	struct reading *r = arg;
	enum kind kind = r->in[level];

	if (kind == STATUS && r->status.time >= r->task.time) {
		TAKE(&r->task, &r->status, MESSAGE, REASON, SOURCE);
		r->task.time = r->status.time;
	} else if (kind == A_TASK && strcmp(r->task.text[TASK], r->id) == 0 && r->task.time >= r->to->time) {
		TAKE(r->to, &r->task, TASK, NAME, STATE, MESSAGE, REASON, SOURCE);
		r->to->time = r->task.time;
		r->found = r->mine = true;
	} else if (kind == A_FRAMEWORK && r->mine) {
		TAKE(r->to, &r->framework, FRAMEWORK_ID, FRAMEWORK);
		r->mine = false;
	}
	return 0;
}

int stored_read(const char *text, size_t len, const char *id, struct stored **to)
{
	static const struct sat_json_calls calls = {
		.size = sizeof(calls), .lax = true, .open = open_part, .value = value, .close = close_part,
	};
	struct reading *r = calloc(1, sizeof(*r));
	struct stored *s = calloc(1, sizeof(*s));
	char error[128];
	int rc = -ENOMEM;

	if (r != NULL && s != NULL) {
		r->id = id;
		r->to = s;
		rc = sat_json_read(text, len, &calls, r, error, sizeof(error));
		if (rc == 0 && !r->found)
			rc = -ENOENT;
	}
	for (int i = 0; rc == 0 && i < FIELDS; i++)
		s->f[i] = s->text[i];
	free(r);
	if (rc == 0)
		*to = s;
	else
		free(s);
	return rc;
}
