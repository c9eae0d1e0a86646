/* SPDX-License-Identifier: Apache-2.0 */
/* record - what is kept of a task that ended, and how it is shown. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tasks.h"

#define AHEAD (86400 * SAT_SECOND)

const char *const field_names[FIELDS] = {
	"task", "framework-id", "framework", "host", "agent", "name", "state", "reason", "source", "exit", "message"
};

/* A task that is unreachable, or that nobody knows, may come back. */
static bool is_end(const char *state)
{
	static const char *const ends[] = {
		"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED",
		"TASK_GONE", "TASK_GONE_BY_OPERATOR",
	};

	for (size_t i = 0; state != NULL && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (strcmp(state, ends[i]) == 0)
			return true;
	return false;
}

static const char *field_of(const struct sat_event *ev, int i)
{
	const char *s = i == HOST ? ev->host : i == STATE ? ev->state : i == MESSAGE ? ev->description :
			sat_attr(ev, field_names[i]);

	return s != NULL ? s : "";
}

/* Cut where a character begins. */
static size_t cut(const char *s, size_t max)
{
	size_t n = strnlen(s, max + 1);

	if (n <= max)
		return n;
	for (n = max; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

/* An event on its way through streams has a time of its own, and this as attribute: seconds.  0: it has none. */
static int64_t said_end(const struct sat_event *ev)
{
	const char *text = sat_attr(ev, "ended");
	double d = text != NULL ? strtod(text, NULL) : 0;

	return d > 0 && d < 9e12 ? llround(d * SAT_SECOND) : 0;
}

/* One from days ahead would never go by age, nor make room for what comes after it. */
static int64_t ended_at(const struct sat_event *ev)
{
	int64_t now = sat_wall(), said = said_end(ev), time = said != 0 ? said : ev->has & SAT_HAS_TIME ? ev->time : now;

	return time < now + AHEAD ? time : now;
}

struct record *record_copy(const char *const *f, int64_t time)
{
	size_t size = sizeof(struct record), n[FIELDS];
	struct record *r;
	char *p;

	for (int i = 0; i < FIELDS; i++) {
		n[i] = cut(f[i], i == MESSAGE ? MESSAGE_MAX : NAME_MAX_BYTES);
		size += n[i] + 1;
	}
	r = calloc(1, size);
	if (r == NULL)
		return NULL;
	r->time = time;
	r->size = size;
	p = r->text;
	for (int i = 0; i < FIELDS; i++) {
		r->f[i] = p;
		p = (char *)mempcpy(p, f[i], n[i]) + 1;
	}
	return r;
}

int record_new(const struct sat_event *ev, struct record **to)
{
	const char *f[FIELDS];
	struct record *r;

	if (!is_end(ev->state))
		return -ENOENT;
	for (int i = 0; i < FIELDS; i++)
		f[i] = field_of(ev, i);
	if (f[TASK][0] == '\0' || strlen(f[TASK]) > NAME_MAX_BYTES)
		return -EINVAL;
	r = record_copy(f, ended_at(ev));
	if (r == NULL)
		return -ENOMEM;
	r->fills = !(ev->has & SAT_HAS_TIME) && sat_tagged(ev, "past");
	*to = r;
	return 0;
}

void records_free(struct record *r)
{
	while (r != NULL) {
		struct record *next = r->next;

		free(r);
		r = next;
	}
}

/* ---- How it is shown ---------------------------------------------------- */

static void stamp(int64_t time, char to[32])
{
	time_t s = (time_t)(time / SAT_SECOND);
	struct tm tm;

	to[0] = '\0';
	if (gmtime_r(&s, &tm) != NULL)
		strftime(to, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* What programs sent may hold anything; a line stays one, and a terminal as it is. */
static void plain(struct sat_buf *b, const char *s)
{
	for (; *s != '\0'; s++)
		sat_buf_add(b, (unsigned char)*s < ' ' || *s == 127 ? "?" : s, 1);
}

static void print_line(struct sat_buf *b, const char *const *f, int64_t time)
{
	char when[32];

	stamp(time, when);
	sat_buf_printf(b, "%-20s  %-14s  ", when, f[STATE]);
	plain(b, f[HOST][0] != '\0' ? f[HOST] : "-");
	sat_buf_printf(b, "  ");
	plain(b, f[FRAMEWORK][0] != '\0' ? f[FRAMEWORK] : "-");
	sat_buf_printf(b, "  ");
	plain(b, f[TASK]);
	sat_buf_printf(b, "\n");
}

static void print_text(struct sat_buf *b, const char *const *f, int64_t time)
{
	char when[32];

	stamp(time, when);
	for (int i = 0; i < FIELDS; i++) {
		if (f[i][0] == '\0')
			continue;
		sat_buf_printf(b, "%-13s ", field_names[i]);
		plain(b, f[i]);
		sat_buf_printf(b, "\n");
	}
	sat_buf_printf(b, "%-13s %s\n", "ended", when);
}

static void member(struct sat_buf *b, const char *key, const char *value)
{
	if (value[0] == '\0')
		return;
	sat_buf_printf(b, "\"%s\":", key);
	sat_buf_json(b, value);
	sat_buf_printf(b, ",");
}

static void print_json(struct sat_buf *b, const char *const *f, int64_t time)
{
	char when[32];

	stamp(time, when);
	sat_buf_printf(b, "{");
	for (int i = 0; i < FIELDS; i++)
		member(b, field_names[i], f[i]);
	sat_buf_printf(b, "\"time\":\"%s\"}", when);
}

/* Mesos' own: TASK_LOST is a state, SOURCE_AGENT a source. */
static void print_task(struct sat_buf *b, const char *const *f, int64_t time)
{
	sat_buf_printf(b, "{");
	member(b, "id", f[TASK]);
	member(b, "name", f[NAME]);
	member(b, "framework_id", f[FRAMEWORK_ID]);
	member(b, "slave_id", f[AGENT]);
	member(b, "state", f[STATE]);
	sat_buf_printf(b, "\"statuses\":[{");
	member(b, "state", f[STATE]);
	member(b, "message", f[MESSAGE]);
	member(b, "reason", f[REASON]);
	member(b, "source", f[SOURCE]);
	sat_buf_printf(b, "\"timestamp\":%lld.%06lld}]}", (long long)(time / SAT_SECOND), (long long)(time % SAT_SECOND));
}

/*
 * The JVM Satellite's slaves stored the agent's state, trimmed to one task, which stands
 * below an executor there.  In a master's state it stands right below its framework: whoever
 * reads one of them finds it.  A command's executor has the task's id.
 */
static void print_state(struct sat_buf *b, const char *const *f, int64_t time)
{
	sat_buf_printf(b, "{");
	member(b, "id", f[AGENT]);
	member(b, "hostname", f[HOST]);
	sat_buf_printf(b, "\"completed_frameworks\":[],\"frameworks\":[{");
	member(b, "id", f[FRAMEWORK_ID]);
	member(b, "name", f[FRAMEWORK]);
	sat_buf_printf(b, "\"executors\":[],\"completed_executors\":[{");
	member(b, "id", f[TASK]);
	sat_buf_printf(b, "\"tasks\":[],\"queued_tasks\":[],\"completed_tasks\":[");
	print_task(b, f, time);
	sat_buf_printf(b, "]}],\"tasks\":[],\"completed_tasks\":[");
	print_task(b, f, time);
	sat_buf_printf(b, "]}]}");
}

void record_print(struct sat_buf *b, enum form form, const char *const *f, int64_t time)
{
	static void (*const print[])(struct sat_buf *b, const char *const *f, int64_t time) = {
		[FORM_LINE] = print_line, [FORM_TEXT] = print_text, [FORM_JSON] = print_json, [FORM_STATE] = print_state,
	};

	print[form](b, f, time);
}
