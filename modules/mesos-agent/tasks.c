/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks - which tasks run on a Mesos agent, and its attributes, out of its state as it streams in.
 *
 * Of a state, most of which is what ended long ago, only the names of what runs are kept.
 * Keys come in any order: a framework's id often after its tasks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tasks.h"

#define TASKS_MAX	10000
#define TEXT_MAX	((size_t)4 << 20)
#define LONGEST		1024		/* bytes of a text */

/* Places in the text; 0 is "". */
struct framework { uint32_t id; };
struct executor { uint32_t framework, id, source; };
struct task { uint32_t executor, id, name, labels[TASKS_WANTED]; };

struct tasks {
	const struct tasks_wanted *wanted;
	struct sat_json *json;
	struct sat_buf text, frameworks, executors, tasks;	/* the last three of the structs above */
	uint32_t attributes[TASKS_WANTED];
	size_t left_out;
	struct framework framework;
	struct executor executor;
	struct task task;
	char key[LONGEST];		/* of the label that is read */
	uint32_t value;
	unsigned inside;		/* 1: attributes, 2: frameworks */
};

static size_t count(const struct sat_buf *b, size_t size)
{
	return b->len / size;
}

/* A copy of a text, or of a number as it is written. */
static uint32_t keep(struct tasks *t, const struct sat_json_value *v)
{
	uint32_t at = (uint32_t)t->text.len;

	if ((v->kind != SAT_JSON_TEXT && v->kind != SAT_JSON_NUMBER) || v->len == 0)
		return 0;
	if (v->len > LONGEST || memchr(v->text, '\0', v->len) != NULL || t->text.len + v->len >= TEXT_MAX) {
		t->left_out++;
		return 0;
	}
	sat_buf_add(&t->text, v->text, v->len);
	sat_buf_add(&t->text, "", 1);
	return t->text.full ? 0 : at;
}

/* Any character that Prometheus has in no name, of however many bytes, is one _. */
void tasks_label_name(char *to, const char *name, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if ((c & 0xc0) == 0x80)
			continue;
		to[n] = letter || (n > 0 && c >= '0' && c <= '9') ? c : '_';
		n++;
	}
	to[n] = '\0';
}

/* Which of these a label is called as. */
static int which(const char *const *names, uint32_t n, const char *key)
{
	char a[LONGEST + 1], b[LONGEST + 1];

	tasks_label_name(a, key, strnlen(key, LONGEST));
	for (uint32_t i = 0; i < n; i++) {
		tasks_label_name(b, names[i], strnlen(names[i], LONGEST));
		if (strcmp(a, b) == 0)
			return (int)i;
	}
	return -1;
}

/* ---- Where things stand ------------------------------------------------- */

static int enter(bool yes)
{
	return yes ? SAT_JSON_ENTER : SAT_JSON_SKIP;
}

/* frameworks[2].executors[4].tasks[6].labels[8] */
static int open_part(void *arg, unsigned level, const char *key, bool list)
{
	struct tasks *t = arg;

	switch (level) {
	case 0:
		return list ? -EBADMSG : SAT_JSON_ENTER;
	case 1:
		t->inside = strcmp(key, list ? "frameworks" : "attributes") != 0 ? 0 : list ? 2 : 1;
		return enter(t->inside != 0);
	case 2:
		t->framework = (struct framework){ 0 };
		return enter(t->inside == 2 && !list);
	case 3:
		return enter(list && strcmp(key, "executors") == 0);
	case 4:
		t->executor = (struct executor){ .framework = (uint32_t)count(&t->frameworks, sizeof(t->framework)) };
		return enter(!list);
	case 5:
		return enter(list && strcmp(key, "tasks") == 0);
	case 6:
		t->task = (struct task){ .executor = (uint32_t)count(&t->executors, sizeof(t->executor)) };
		return enter(!list);
	case 7:
		return enter(list && strcmp(key, "labels") == 0);
	case 8:
		t->key[0] = '\0';
		t->value = 0;
		return enter(!list);
	default:
		return SAT_JSON_SKIP;
	}
}

/* mesos_exporter had "" for other than simple words. */
static bool is_simple(const struct sat_json_value *v)
{
	static const char some[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-/.";

	for (size_t i = 0; i < v->len; i++)
		if (v->text[i] == '\0' || strchr(some, v->text[i]) == NULL)
			return false;
	return true;
}

static void take_attribute(struct tasks *t, const char *key, const struct sat_json_value *v)
{
	int i = which(t->wanted->attributes, t->wanted->n_attributes, key);

	if (i >= 0 && is_simple(v))
		t->attributes[i] = keep(t, v);
}

static void take_label(struct tasks *t, const char *key, const struct sat_json_value *v)
{
	if (strcmp(key, "key") == 0 && v->kind == SAT_JSON_TEXT && v->len < sizeof(t->key)) {
		memcpy(t->key, v->text, v->len);
		t->key[v->len] = '\0';
	} else if (strcmp(key, "value") == 0 && t->wanted->n_labels > 0) {
		t->value = keep(t, v);
	}
}

static int value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	struct tasks *t = arg;
	bool id = strcmp(key, "id") == 0;

	if (level == 0)
		return -EBADMSG;
	if (level == 2 && t->inside == 1)
		take_attribute(t, key, v);
	else if (level == 3 && id)
		t->framework.id = keep(t, v);
	else if (level == 5 && id)
		t->executor.id = keep(t, v);
	else if (level == 5 && strcmp(key, "source") == 0)
		t->executor.source = keep(t, v);
	else if (level == 7 && id)
		t->task.id = keep(t, v);
	else if (level == 7 && strcmp(key, "name") == 0)
		t->task.name = keep(t, v);
	else if (level == 9)
		take_label(t, key, v);
	return t->text.full ? -ENOMEM : 0;
}

static void close_label(struct tasks *t)
{
	int i = which(t->wanted->labels, t->wanted->n_labels, t->key);

	if (i >= 0)
		t->task.labels[i] = t->value;
}

static int close_part(void *arg, unsigned level)
{
	struct tasks *t = arg;

	if (level == 8)
		close_label(t);
	else if (level == 6 && count(&t->tasks, sizeof(t->task)) >= TASKS_MAX)
		t->left_out++;
	else if (level == 6)
		sat_buf_add(&t->tasks, &t->task, sizeof(t->task));
	else if (level == 4)
		sat_buf_add(&t->executors, &t->executor, sizeof(t->executor));
	else if (level == 2 && t->inside == 2)
		sat_buf_add(&t->frameworks, &t->framework, sizeof(t->framework));
	return t->tasks.full || t->executors.full || t->frameworks.full ? -ENOMEM : 0;
}

/* ---- All of it ---------------------------------------------------------- */

struct tasks *tasks_new(const struct tasks_wanted *wanted)
{
	static const struct sat_json_calls calls = {
		.size = sizeof(calls), .lax = true, .open = open_part, .value = value, .close = close_part,
	};
	struct tasks *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->wanted = wanted;
	sat_buf_add(&t->text, "", 1);
	t->json = sat_json_new(&calls, t, 0);
	if (t->json != NULL && !t->text.full)
		return t;
	tasks_free(t);
	return NULL;
}

int tasks_feed(struct tasks *t, const void *p, size_t n)
{
	return sat_json_feed(t->json, p, n);
}

int tasks_end(struct tasks *t)
{
	int rc = sat_json_end(t->json);

	sat_json_free(t->json);
	t->json = NULL;
	return rc;
}

void tasks_free(struct tasks *t)
{
	if (t == NULL)
		return;
	sat_json_free(t->json);
	sat_buf_free(&t->text);
	sat_buf_free(&t->frameworks);
	sat_buf_free(&t->executors);
	sat_buf_free(&t->tasks);
	free(t);
}

size_t tasks_left_out(const struct tasks *t)
{
	return t->left_out;
}

const char *tasks_attribute(const struct tasks *t, uint32_t i)
{
	return t->text.p + t->attributes[i];
}

void tasks_each(const struct tasks *t, void (*found)(void *arg, const struct tasks_one *one), void *arg)
{
	const struct task *task = (const void *)t->tasks.p;
	const struct executor *executors = (const void *)t->executors.p;
	const struct framework *frameworks = (const void *)t->frameworks.p;
	const char *text = t->text.p;

	for (size_t n = count(&t->tasks, sizeof(*task)); n > 0; n--, task++) {
		const struct executor *e = &executors[task->executor];
		struct tasks_one one = {
			.source = text + e->source, .framework = text + frameworks[e->framework].id,
			.executor = text + e->id, .id = text + task->id, .name = text + task->name,
		};

		for (uint32_t i = 0; i < TASKS_WANTED; i++)
			one.labels[i] = text + task->labels[i];
		found(arg, &one);
	}
}
