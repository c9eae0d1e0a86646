/* SPDX-License-Identifier: Apache-2.0 */
/* reader_value - what the values mean that stand in an agent, a framework, a task, and where. */
#include <stdio.h>

#include "legal.h"
#include "reader_inner.h"

static void copy_text(char *to, size_t size, const struct sat_json_value *v)
{
	if (v->kind == SAT_JSON_TEXT && v->len < size && legal_text(v->text, v->len)) {
		memcpy(to, v->text, v->len);
		to[v->len] = '\0';
	}
}

/* For people: what is no text in it becomes spaces, and it may be cut. */
static void copy_words(char *to, size_t size, const struct sat_json_value *v)
{
	size_t i, n = v->len < size ? v->len : size - 1;

	if (v->kind != SAT_JSON_TEXT)
		return;
	while (n < v->len && n > 0 && (v->text[n] & 0xc0) == 0x80)
		n--;
	memcpy(to, v->text, n);
	to[n] = '\0';
	for (i = 0; i < n; i++)
		if ((unsigned char)to[i] < 0x20 || to[i] == 0x7f)
			to[i] = ' ';
	if (!legal_text(to, n))
		to[0] = '\0';
}

static bool number(const struct sat_json_value *v, double *d)
{
	struct sat_value n;

	if (v->kind != SAT_JSON_NUMBER || !legal_number(v->text, v->len, &n))
		return false;
	*d = n.kind == SAT_INT ? (double)n.i : n.d;
	return true;
}

static void seconds(int64_t *to, const struct sat_json_value *v)
{
	double d;

	if (number(v, &d) && d > 0 && d < 9e12)
		*to = (int64_t)(d * SAT_SECOND);
}

static void nanoseconds(int64_t *to, const struct sat_json_value *v)
{
	struct sat_value n;

	if (v->kind == SAT_JSON_NUMBER && legal_number(v->text, v->len, &n) && n.kind == SAT_INT && n.i > 0)
		*to = n.i / 1000;
}

static bool boolean(bool *to, const struct sat_json_value *v)
{
	if (v->kind == SAT_JSON_BOOL)
		*to = v->truth;
	return v->kind == SAT_JSON_BOOL;
}

#define TEXT(to) copy_text(to, sizeof(to), v)

/* Of one that is none, since it is too long or no text, part remains. */
static void copy_name(char *to, char *part, const struct sat_json_value *v)
{
	copy_text(to, MODEL_NAME_MAX + 1, v);
	if (to[0] == '\0')
		copy_words(part, MODEL_PART + 1, v);
}

/* {"value": …} of the v1 API. */
static void copy_id(struct reader *r, const struct sat_json_value *v)
{
	if (r->text_to == r->agent.id)
		copy_name(r->agent.id, r->agent.part, v);
	else if (r->text_to == r->framework.id)
		copy_name(r->framework.id, r->framework.part, v);
	else if (r->text_to == r->task.id)
		copy_name(r->task.id, r->task.part, v);
	else
		copy_text(r->text_to, MODEL_NAME_MAX + 1, v);
}

/* An id that is looked up at the end of its task: its statuses come first. */
static void expected(struct reader *r, char *to, size_t size, const struct sat_json_value *v)
{
	copy_text(to, size, v);
	intern_expect(&r->model->texts, to);
}

static void top_value(struct reader *r, const char *key, const struct sat_json_value *v)
{
	if (reader_is(key, "pid"))
		TEXT(r->top.pid);
	else if (reader_is(key, "leader"))
		TEXT(r->top.leader);
	else if (reader_is(key, "type"))
		TEXT(r->top.type);
	else if (reader_is(key, "elected_time"))
		r->top.elected = v->kind == SAT_JSON_NUMBER;
}

static void agent_value(struct reader *r, const char *key, const struct sat_json_value *v)
{
	struct model_agent_news *a = &r->agent;

	if (reader_is(key, "hostname"))
		copy_name(a->host, a->part, v);
	else if (reader_is(key, "id"))
		copy_name(a->id, a->part, v);
	else if (reader_is(key, "pid"))
		TEXT(a->pid);
	else if (reader_is(key, "version"))
		TEXT(a->version);
	else if (reader_is(key, "active"))
		boolean(&a->active, v);
	else if (reader_is(key, "deactivated"))
		a->deactivates = boolean(&a->deactivated, v);
	else if (reader_is(key, "registered_time"))
		seconds(&a->registered, v);
}

static void framework_value(struct reader *r, const char *key, const struct sat_json_value *v)
{
	struct model_framework_news *f = &r->framework;

	if (reader_is(key, "name"))
		copy_name(f->name, f->part, v);
	else if (reader_is(key, "id"))
		copy_name(f->id, f->part, v);
	else if (reader_is(key, "role"))
		TEXT(f->role);
	else if (reader_is(key, "user"))
		TEXT(f->user);
	else if (reader_is(key, "principal"))
		TEXT(f->principal);
	else if (reader_is(key, "hostname"))
		TEXT(f->host);
	else if (reader_is(key, "active"))
		boolean(&f->active, v);
	else if (reader_is(key, "connected"))
		boolean(&f->connected, v);
	else if (reader_is(key, "registered_time"))
		seconds(&f->registered, v);
}

static void task_value(struct reader *r, const char *key, const struct sat_json_value *v)
{
	struct model_task_news *t = &r->task;

	if (reader_is(key, "id")) {
		copy_name(t->id, t->part, v);
		intern_expect(&r->model->texts, t->id);
	} else if (reader_is(key, "name"))
		copy_words(t->name, sizeof(t->name), v);
	else if (reader_is(key, "framework_id"))
		TEXT(t->framework);
	else if (reader_is(key, "slave_id"))
		expected(r, t->agent, sizeof(t->agent), v);
	else if (reader_is(key, "state"))
		TEXT(t->state);
}

static void status_value(struct reader *r, const char *key, const struct sat_json_value *v)
{
	struct model_task_news *s = &r->status;

	if (reader_is(key, "state"))
		TEXT(s->state);
	else if (reader_is(key, "source"))
		TEXT(s->source);
	else if (reader_is(key, "reason"))
		TEXT(s->reason);
	else if (reader_is(key, "message"))
		copy_words(s->message, sizeof(s->message), v);
	else if (reader_is(key, "timestamp"))
		seconds(&s->time, v);
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && *p == ' ')
		p++;
	return p;
}

/* "[31000-32000, 33000]" */
static uint32_t count_ports(const struct sat_json_value *v)
{
	const char *p = v->text, *end = p + v->len;
	uint64_t sum = 0, range[2];
	unsigned i;

	while (p < end && sum < UINT32_MAX) {
		for (; p < end && (*p < '0' || *p > '9'); p++)
			continue;
		if (p == end)
			break;
		for (i = 0, range[0] = range[1] = 0; i < 2; i++) {
			for (range[i] = 0; p < end && *p >= '0' && *p <= '9' && range[i] < UINT32_MAX; p++)
				range[i] = range[i] * 10 + (uint64_t)(*p - '0');
			p = skip_blanks(p, end);
			if (i == 0 && (p == end || *p != '-')) {
				range[1] = range[0];
				break;
			}
			p = i == 0 ? skip_blanks(p + 1, end) : p;
		}
		sum += range[1] >= range[0] ? range[1] - range[0] + 1 : 0;
	}
	return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

void reader_add(struct model_resources *to, const char *name, double d, uint32_t ports)
{
	if (reader_is(name, "cpus"))
		to->cpus += d;
	else if (reader_is(name, "mem"))
		to->mem += d;
	else if (reader_is(name, "disk"))
		to->disk += d;
	else if (reader_is(name, "gpus"))
		to->gpus += d;
	else if (reader_is(name, "ports"))
		to->ports += ports;
}

static void amount(struct reader *r, const char *key, const struct sat_json_value *v)
{
	double d = 0;

	if (v->kind == SAT_JSON_TEXT && reader_is(key, "ports"))
		reader_add(r->sum, key, 0, count_ports(v));
	else if (number(v, &d))
		reader_add(r->sum, key, d, 0);
}

static void attribute(struct reader *r, const char *key, const struct sat_json_value *v)
{
	char *to = r->agent.attributes;
	size_t n = strlen(to), len = strlen(key);
	const char *text = v->text;
	size_t text_len = v->len;

	if (v->kind == SAT_JSON_BOOL) {
		text = v->truth ? "true" : "false";
		text_len = strlen(text);
	} else if (v->kind == SAT_JSON_NULL) {
		return;
	}
	if (len == 0 || !legal_text(key, len) || !legal_text(text, text_len) ||
	    n + len + text_len + 3 > sizeof(r->agent.attributes))
		return;
	snprintf(to + n, sizeof(r->agent.attributes) - n, "%s\x1f%.*s\x1e", key, (int)text_len, text);
}

static void range_value(struct reader *r, const char *key, const struct sat_json_value *v)
{
	double d;

	if (!number(v, &d) || d < 0 || d > UINT16_MAX)
		return;
	if (reader_is(key, "begin"))
		r->begin = (int64_t)d;
	else if (reader_is(key, "end"))
		r->end = (int64_t)d;
}

static void resource_value(struct reader *r, const char *key, const struct sat_json_value *v)
{
	if (reader_is(key, "name"))
		TEXT(r->resource);
	else if (reader_is(key, "role") && v->kind == SAT_JSON_TEXT && !(v->len == 1 && v->text[0] == '*'))
		r->reserved = true;
}

static void add_role(struct reader *r, const struct sat_json_value *v)
{
	char *role = r->framework.role;
	size_t n = strlen(role);

	if (v->kind == SAT_JSON_TEXT && legal_text(v->text, v->len) && n + v->len + 2 < sizeof(r->framework.role))
		snprintf(role + n, sizeof(r->framework.role) - n, "%s%.*s", n > 0 ? "," : "", (int)v->len, v->text);
}

int reader_value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	struct reader *r = arg;

	switch (level == 0 ? SKIPPED : r->where[level]) {
	case TOP:
		top_value(r, key, v);
		break;
	case SUBSCRIBED:
		if (reader_is(key, "heartbeat_interval_seconds"))
			number(v, &r->top.heartbeat);
		break;
	case AGENT:
	case AGENT_INFO:
		agent_value(r, key, v);
		break;
	case FRAMEWORK:
	case FRAMEWORK_INFO:
		framework_value(r, key, v);
		break;
	case ROLES:
		add_role(r, v);
		break;
	case TASK:
	case TASK_UPDATED:
		task_value(r, key, v);
		break;
	case STATUS:
		status_value(r, key, v);
		break;
	case DRAIN:
		if (reader_is(key, "state"))
			TEXT(r->agent.drain);
		break;
	case ID:
		if (reader_is(key, "value"))
			copy_id(r, v);
		break;
	case TIME:
		if (reader_is(key, "nanoseconds"))
			nanoseconds(r->time_to, v);
		break;
	case AMOUNTS:
		amount(r, key, v);
		break;
	case RESOURCE:
		resource_value(r, key, v);
		break;
	case SCALAR:
		if (reader_is(key, "value"))
			number(v, &r->scalar);
		break;
	case RANGE:
		range_value(r, key, v);
		break;
	case ATTRIBUTES:
		attribute(r, key, v);
		break;
	case ATTRIBUTE:
		if (reader_is(key, "name"))
			TEXT(r->attribute);
		break;
	case ATTRIBUTE_VALUE:
		if (reader_is(key, "value"))
			attribute(r, r->attribute, v);
		break;
	default:
		break;
	}
	return 0;
}
