/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ended - which tasks have ended on a Mesos agent, each once, out of its state as it streams in.
 *
 * A state lists what ended long ago as well, as long as the agent knows of it.  Of what
 * was told a hash is kept while it is listed; the texts are kept of what is new.  One of
 * which it is not said when it ended is not told: it may be known better already.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ended.h"
#include "figures.h"

enum text { ID, NAME, STATE, FRAMEWORK_ID, AGENT, MESSAGE, REASON, SOURCE, TEXTS };
enum { A_FRAMEWORK = 2, A_TASK = 6, STATUS = 8 };	/* levels */
enum { LONGEST = 1024, NEW_MAX = 10000, KEYS_MAX = 200000 };
#define TEXT_MAX	((size_t)4 << 20)

/* Places in the text; 0 is "". */
struct framework { uint32_t id, name; };
struct task { uint64_t key; int64_t time; uint32_t framework, text[TEXTS]; };

struct part { char text[TEXTS][LONGEST + 1]; int64_t time; };

struct ended {
	struct sat_json *json;		/* NULL: none is read */
	struct sat_buf told, keep;	/* keys: of the last state, sorted; of this one, and told */
	struct sat_buf text, frameworks, tasks;	/* of the structs above: what is new */
	size_t next, left_out;		/* next: of tasks, to be told */
	struct framework framework;
	struct part task, status;
};

static size_t count(const struct sat_buf *b, size_t size)
{
	return b->len / size;
}

static void reset(struct ended *e)
{
	e->keep.len = e->text.len = e->frameworks.len = e->tasks.len = 0;
	e->keep.full = e->text.full = e->frameworks.full = e->tasks.full = false;
	e->next = 0;
	sat_buf_add(&e->text, "", 1);
}

/* ---- What was told ------------------------------------------------------ */

static uint64_t key_of(const struct part *t)
{
	uint64_t h = sat_hash(sat_hash(sat_hash(0, t->text[FRAMEWORK_ID]), t->text[ID]), t->text[STATE]);

	return h ^ (uint64_t)t->time * UINT64_C(0x9e3779b97f4a7c15);
}

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool was_told(const struct ended *e, uint64_t key)
{
	return e->told.len > 0 && bsearch(&key, e->told.p, count(&e->told, sizeof(key)), sizeof(key), by_key) != NULL;
}

/* All of this state was told. */
static void take_over(struct ended *e)
{
	struct sat_buf old = e->told;

	if (e->keep.len > 0)
		qsort(e->keep.p, count(&e->keep, sizeof(uint64_t)), sizeof(uint64_t), by_key);
	e->told = e->keep;
	e->keep = old;
	reset(e);
}

/* ---- Where things stand ------------------------------------------------- */

/* [completed_]frameworks[].[completed_]executors[].completed_tasks[].statuses[]: lists and objects in turn. */
static bool is_on_the_way(unsigned level, const char *key, bool list)
{
	static const char *const tails[] = { "", "frameworks", "", "executors", "", "completed_tasks", "", "statuses", "" };
	size_t n = strlen(key), m;

	if (level >= sizeof(tails) / sizeof(tails[0]) || list != (level % 2 == 1))
		return false;
	m = strlen(tails[level]);
	return n >= m && strcmp(key + n - m, tails[level]) == 0;
}

static void clear(struct part *p)
{
	for (int i = 0; i < TEXTS; i++)
		p->text[i][0] = '\0';
	p->time = 0;
}

static int open_part(void *arg, unsigned level, const char *key, bool list)
{
	struct ended *e = arg;

	if (!is_on_the_way(level, key, list))
		return SAT_JSON_SKIP;
	if (level == A_FRAMEWORK)
		e->framework = (struct framework){ 0 };
	if (level == A_TASK)
		clear(&e->task);
	if (level == STATUS)
		clear(&e->status);
	return SAT_JSON_ENTER;
}

/* ---- What it says ------------------------------------------------------- */

/* Its place; 0: "", as of one that there is no room for. */
static uint32_t store(struct ended *e, const char *text, size_t n)
{
	uint32_t at = (uint32_t)e->text.len;

	if (n == 0 || n > LONGEST || memchr(text, '\0', n) != NULL || e->text.len + n >= TEXT_MAX)
		return 0;
	sat_buf_add(&e->text, text, n);
	sat_buf_add(&e->text, "", 1);
	return e->text.full ? 0 : at;
}

/* A name that is too long is none, a message is cut where a character begins. */
static void keep_text(char *to, enum text which, const struct sat_json_value *v)
{
	size_t n = v->kind == SAT_JSON_TEXT && memchr(v->text, '\0', v->len) == NULL ? v->len : 0;

	if (n > LONGEST)
		for (n = which == MESSAGE ? LONGEST : 0; n > 0 && ((unsigned char)v->text[n] & 0xc0) == 0x80; n--)
			;
	memcpy(to, v->text, n);
	to[n] = '\0';
}

static int64_t seconds(const struct sat_json_value *v)
{
	struct sat_value n;
	double d;

	if (!figures_number(v, &n))
		return 0;
	d = n.kind == SAT_INT ? (double)n.i : n.d;
	return d > 0 && d < 9e12 ? llround(d * SAT_SECOND) : 0;
}

static int value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	static const struct { unsigned of; const char *key; enum text text; } members[] = {
		{ A_TASK, "id", ID }, { A_TASK, "name", NAME }, { A_TASK, "state", STATE }, { A_TASK, "slave_id", AGENT },
		{ A_TASK, "framework_id", FRAMEWORK_ID }, { STATUS, "message", MESSAGE }, { STATUS, "reason", REASON },
		{ STATUS, "source", SOURCE },
	};
	struct ended *e = arg;
	unsigned of = level - 1;	/* what it is a member of */

	if (of == A_FRAMEWORK && v->kind == SAT_JSON_TEXT && strcmp(key, "id") == 0)
		e->framework.id = store(e, v->text, v->len);
	if (of == A_FRAMEWORK && v->kind == SAT_JSON_TEXT && strcmp(key, "name") == 0)
		e->framework.name = store(e, v->text, v->len);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (members[i].of == of && strcmp(members[i].key, key) == 0)
			keep_text((of == A_TASK ? &e->task : &e->status)->text[members[i].text], members[i].text, v);
	if (of == STATUS && strcmp(key, "timestamp") == 0)
		e->status.time = seconds(v);
	return 0;
}

/* The last counts. */
static void take_status(struct ended *e)
{
	if (e->status.time < e->task.time)
		return;
	for (int i = MESSAGE; i <= SOURCE; i++)
		strcpy(e->task.text[i], e->status.text[i]);
	e->task.time = e->status.time;
}

static int take_task(struct ended *e)
{
	struct task t = { .key = key_of(&e->task), .time = e->task.time,
		.framework = (uint32_t)count(&e->frameworks, sizeof(struct framework)) };

	if (t.time == 0)
		return 0;
	if (e->task.text[ID][0] == '\0' || e->task.text[STATE][0] == '\0') {
		e->left_out++;
		return 0;
	}
	if (was_told(e, t.key)) {
		sat_buf_add(&e->keep, &t.key, sizeof(t.key));
		return e->keep.full ? -ENOMEM : 0;
	}
	if (count(&e->tasks, sizeof(t)) >= NEW_MAX ||
	    count(&e->keep, sizeof(t.key)) + count(&e->tasks, sizeof(t)) >= KEYS_MAX || e->text.len > TEXT_MAX / 2) {
		e->left_out++;
		return 0;
	}
	for (int i = 0; i < TEXTS; i++)
		t.text[i] = store(e, e->task.text[i], strlen(e->task.text[i]));
	sat_buf_add(&e->tasks, &t, sizeof(t));
	return e->tasks.full || e->text.full ? -ENOMEM : 0;
}

static int close_part(void *arg, unsigned level)
{
	struct ended *e = arg;

	if (level == STATUS)
		take_status(e);
	else if (level == A_TASK)
		return take_task(e);
	else if (level == A_FRAMEWORK)
		sat_buf_add(&e->frameworks, &e->framework, sizeof(e->framework));
	return e->frameworks.full ? -ENOMEM : 0;
}

/* ---- A state ------------------------------------------------------------ */

struct ended *ended_new(void)
{
	struct ended *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	reset(e);
	if (!e->text.full)
		return e;
	ended_free(e);
	return NULL;
}

void ended_free(struct ended *e)
{
	if (e == NULL)
		return;
	sat_json_free(e->json);
	sat_buf_free(&e->told);
	sat_buf_free(&e->keep);
	sat_buf_free(&e->text);
	sat_buf_free(&e->frameworks);
	sat_buf_free(&e->tasks);
	free(e);
}

/* One that cannot be read, or that there is no memory for, is as if it had not come. */
static void give_up(struct ended *e)
{
	sat_json_free(e->json);
	e->json = NULL;
	reset(e);
}

bool ended_begin(struct ended *e)
{
	static const struct sat_json_calls calls = {
		.size = sizeof(calls), .lax = true, .open = open_part, .value = value, .close = close_part,
	};

	if (e->json != NULL)
		give_up(e);
	if (e->tasks.len > 0)
		return false;
	reset(e);
	e->json = e->text.full ? NULL : sat_json_new(&calls, e, 0);
	return e->json != NULL;
}

void ended_feed(struct ended *e, const void *p, size_t n)
{
	if (e->json != NULL && sat_json_feed(e->json, p, n) != 0)
		give_up(e);
}

void ended_end(struct ended *e, bool good)
{
	if (e->json == NULL)
		return;
	if (!good || sat_json_end(e->json) != 0) {
		give_up(e);
		return;
	}
	sat_json_free(e->json);
	e->json = NULL;
	if (e->tasks.len == 0)
		take_over(e);
}

/* ---- What is new -------------------------------------------------------- */

bool ended_next(struct ended *e, struct ended_one *one)
{
	const struct task *t = (const struct task *)(const void *)e->tasks.p + e->next;
	const struct framework *f;
	const char *text = e->text.p;

	if (e->json != NULL || e->next >= count(&e->tasks, sizeof(*t)))
		return false;
	f = (const struct framework *)(const void *)e->frameworks.p + t->framework;
	*one = (struct ended_one){
		.id = text + t->text[ID], .name = text + t->text[NAME], .state = text + t->text[STATE],
		.framework = text + f->name, .agent = text + t->text[AGENT], .message = text + t->text[MESSAGE],
		.framework_id = text + (t->text[FRAMEWORK_ID] != 0 ? t->text[FRAMEWORK_ID] : f->id),
		.reason = text + t->text[REASON], .source = text + t->text[SOURCE], .time = t->time,
	};
	return true;
}

void ended_told(struct ended *e)
{
	const struct task *t = (const struct task *)(const void *)e->tasks.p + e->next;

	sat_buf_add(&e->keep, &t->key, sizeof(t->key));	/* without memory it is told once more */
	if (++e->next == count(&e->tasks, sizeof(*t)))
		take_over(e);
}

size_t ended_left_out(struct ended *e)
{
	size_t n = e->left_out;

	e->left_out = 0;
	return n;
}
