/* SPDX-License-Identifier: Apache-2.0 */
/* record - what the store keeps of one host, in the JSON of the JVM Satellite. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "record.h"

/* A hold that is set again and again moves its end; the record follows as often. */
#define HOLD_SLACK	(60 * SAT_SECOND)

const char *flag_name(enum flag flag)
{
	return flag == FLAG_ON ? "on" : flag == FLAG_OFF ? "off" : NULL;
}

static enum flag flag_read(const struct member *m)
{
	if (m->kind != M_STRING)
		return FLAG_NONE;
	if (m->len == 2 && memcmp(m->text, "on", 2) == 0)
		return FLAG_ON;
	return m->len == 3 && memcmp(m->text, "off", 3) == 0 ? FLAG_OFF : FLAG_NONE;
}

static int text_read(char **to, const struct member *m)
{
	if (m->kind != M_STRING || *to != NULL)
		return 0;
	*to = member_text(m);
	return *to == NULL ? -ENOMEM : 0;
}

/* ---- Events ------------------------------------------------------------- */

static void event_free(struct rec_event *e)
{
	if (e == NULL)
		return;
	free(e->name);
	free(e->key);
	free(e->state);
	free(e->text);
	free(e);
}

static void events_free(struct rec_event *list)
{
	while (list != NULL) {
		struct rec_event *next = list->next;

		event_free(list);
		list = next;
	}
}

struct event_reading { struct rec_event *e; int64_t ttl; };

static int event_member(void *arg, const struct member *m)
{
	struct event_reading *r = arg;

	if (m->key == NULL)
		return -EBADMSG;
	if (strcmp(m->key, "state") == 0)
		return text_read(&r->e->state, m);
	if (strcmp(m->key, "time") == 0)
		r->e->time = member_micros(m);
	if (strcmp(m->key, "ttl") == 0)
		r->ttl = member_micros(m);
	return 0;
}

static int event_new(struct rec_event **out, const char *name, const char *key, size_t key_len,
		     const char *json, size_t len)
{
	struct rec_event *e = calloc(1, sizeof(*e));
	struct event_reading r = { .e = e };
	int rc = -ENOMEM;

	if (e == NULL)
		return rc;
	e->name = strdup(name);
	e->key = malloc(key_len + 1);
	e->text = malloc(len + 1);
	if (e->name == NULL || e->key == NULL || e->text == NULL)
		goto fail;
	*(char *)mempcpy(e->key, key, key_len) = '\0';
	*(char *)mempcpy(e->text, json, len) = '\0';
	rc = members_read(json, len, event_member, &r);
	if (rc == 0 && e->state == NULL && (e->state = strdup("")) == NULL)
		rc = -ENOMEM;
	if (rc != 0)
		goto fail;
	e->until = r.ttl > 0 ? e->time + r.ttl : 0;
	*out = e;
	return 0;
fail:
	event_free(e);
	return rc;
}

static void append(struct rec_event **list, struct rec_event *e)
{
	while (*list != NULL)
		list = &(*list)->next;
	*list = e;
}

unsigned record_events(const struct rec_event *list)
{
	unsigned n = 0;

	for (; list != NULL; list = list->next)
		n++;
	return n;
}

const struct rec_event *record_event(const struct rec_event *list, const char *name)
{
	while (list != NULL && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

int record_put(struct rec_event **list, const char *name, const char *json, size_t len)
{
	struct sat_buf key = { .max = RECORD_MAX };
	struct rec_event *e = NULL;
	int rc = -ENOMEM;

	sat_buf_json(&key, name);
	if (!key.full)
		rc = event_new(&e, name, key.p, key.len, json, len);
	sat_buf_free(&key);
	if (rc != 0)
		return rc;
	record_drop(list, name);
	append(list, e);
	return 0;
}

bool record_drop(struct rec_event **list, const char *name)
{
	struct rec_event *e;

	while (*list != NULL && strcmp((*list)->name, name) != 0)
		list = &(*list)->next;
	e = *list;
	if (e == NULL)
		return false;
	*list = e->next;
	event_free(e);
	return true;
}

bool record_expire(struct record *rec, int64_t now)
{
	struct rec_event **list = &rec->manual;
	bool any = false;

	while (*list != NULL) {
		struct rec_event *e = *list;

		if (e->until == 0 || e->until > now) {
			list = &e->next;
			continue;
		}
		*list = e->next;
		event_free(e);
		any = true;
	}
	return any;
}

const struct rec_event *record_word(const struct record *rec)
{
	const struct rec_event *latest = NULL;

	for (const struct rec_event *e = rec->manual; e != NULL; e = e->next)
		if (latest == NULL || e->time >= latest->time)
			latest = e;
	return latest;
}

void record_manual(struct record *rec)
{
	const struct rec_event *latest = record_word(rec);

	rec->manual_flag = latest == NULL ? FLAG_NONE :
			   strcmp(latest->state, "critical") == 0 ? FLAG_OFF :
			   strcmp(latest->state, "ok") == 0 ? FLAG_ON : FLAG_NONE;
}

void record_unsaid(struct record *rec, int64_t now)
{
	enum flag was = record_state(rec);

	record_manual(rec);
	if (record_state(rec) != was)
		rec->freed = now;
}

enum flag record_state(const struct record *rec)
{
	if (rec->manual_flag != FLAG_NONE)
		return rec->manual_flag;
	return rec->managed_flag == FLAG_ON ? FLAG_ON : FLAG_OFF;
}

int64_t record_until(const struct record *rec)
{
	int64_t first = 0;

	for (const struct rec_event *e = rec->manual; e != NULL; e = e->next)
		if (e->until != 0 && (first == 0 || e->until < first))
			first = e->until;
	for (const struct hold *h = rec->holds; h != NULL; h = h->next)
		if (h->until != 0 && (first == 0 || h->until < first))
			first = h->until;
	return first;
}

/* ---- Holds -------------------------------------------------------------- */

struct hold *hold_find(struct hold *list, const char *name)
{
	while (list != NULL && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

int hold_set(struct hold **list, const char *name, bool off, int64_t since, int64_t until, const char *cause)
{
	struct hold *h = hold_find(*list, name);
	char *copy = strdup(cause);

	if (copy == NULL)
		return -ENOMEM;
	if (h == NULL) {
		h = calloc(1, sizeof(*h) + strlen(name) + 1);
		if (h == NULL) {
			free(copy);
			return -ENOMEM;
		}
		strcpy(h->name, name);
		while (*list != NULL)
			list = &(*list)->next;
		*list = h;
	}
	free(h->cause);
	h->cause = copy;
	h->off = off;
	h->since = since;
	h->until = until;
	return 0;
}

void holds_free(struct hold **list)
{
	while (*list != NULL) {
		struct hold *h = *list;

		*list = h->next;
		free(h->cause);
		free(h);
	}
}

static bool holds_within(const struct hold *a, const struct hold *b)
{
	for (; a != NULL; a = a->next) {
		const struct hold *other = hold_find((struct hold *)b, a->name);

		if (other == NULL || other->off != a->off || (other->until == 0) != (a->until == 0) ||
		    llabs(other->until - a->until) >= HOLD_SLACK)
			return false;
	}
	return true;
}

bool holds_same(const struct hold *a, const struct hold *b)
{
	return holds_within(a, b) && holds_within(b, a);
}

/* ---- Reading ------------------------------------------------------------ */

static int managed_member(void *arg, const struct member *m)
{
	struct rec_event *e = NULL;
	int rc;

	if (m->key == NULL || m->kind != M_MAP)
		return -EBADMSG;
	rc = event_new(&e, m->key, m->raw_key, m->raw_key_len, m->raw, m->raw_len);
	if (rc == 0) {
		record_drop(arg, m->key);
		append(arg, e);
	}
	return rc;
}

struct hold_reading { bool off; int64_t since, until; char *cause; };

static int hold_member(void *arg, const struct member *m)
{
	struct hold_reading *h = arg;

	if (m->key == NULL)
		return -EBADMSG;
	if (strcmp(m->key, "flag") == 0)
		h->off = flag_read(m) == FLAG_OFF;
	else if (strcmp(m->key, "since") == 0)
		h->since = member_micros(m);
	else if (strcmp(m->key, "until") == 0)
		h->until = member_micros(m);
	else if (strcmp(m->key, "cause") == 0)
		return text_read(&h->cause, m);
	return 0;
}

static int holds_member(void *arg, const struct member *m)
{
	struct hold_reading h = { 0 };
	int rc;

	if (m->key == NULL || m->kind != M_MAP)
		return -EBADMSG;
	rc = members_read(m->raw, m->raw_len, hold_member, &h);
	if (rc == 0)
		rc = hold_set(arg, m->key, h.off, h.since, h.until, h.cause == NULL ? "" : h.cause);
	free(h.cause);
	return rc;
}

static int decision_member(void *arg, const struct member *m)
{
	struct record *rec = arg;

	for (unsigned i = 0; i < RECORD_DECISIONS; i++) {
		if (rec->decisions[i] != NULL)
			continue;
		rec->decisions[i] = strndup(m->raw, m->raw_len);
		return rec->decisions[i] == NULL ? -ENOMEM : 0;
	}
	return 0;
}

static int ours_member(void *arg, const struct member *m)
{
	struct record *rec = arg;

	if (m->key == NULL)
		return -EBADMSG;
	if (strcmp(m->key, "flag") == 0)
		rec->flag = flag_read(m);
	else if (strcmp(m->key, "since") == 0)
		rec->since = member_micros(m);
	else if (strcmp(m->key, "flipped") == 0)
		rec->flipped = member_micros(m);
	else if (strcmp(m->key, "off") == 0)
		rec->off = member_micros(m);
	else if (strcmp(m->key, "freed") == 0)
		rec->freed = member_micros(m);
	else if (strcmp(m->key, "seq") == 0 && m->kind == M_NUMBER)
		rec->seq = strtoull(m->raw, NULL, 10);
	else if (strcmp(m->key, "epoch") == 0 && m->kind == M_NUMBER)
		rec->epoch = strtoull(m->raw, NULL, 10);
	else if (strcmp(m->key, "by") == 0)
		return text_read(&rec->by, m);
	else if (strcmp(m->key, "cause") == 0)
		return text_read(&rec->cause, m);
	else if (strcmp(m->key, "verdict") == 0)
		return text_read(&rec->verdict, m);
	else if (strcmp(m->key, "holds") == 0 && m->kind == M_MAP)
		return members_read(m->raw, m->raw_len, holds_member, &rec->holds);
	else if (strcmp(m->key, "decisions") == 0 && m->kind == M_LIST)
		return members_read(m->raw, m->raw_len, decision_member, rec);
	return 0;
}

static int other_member(struct record *rec, const struct member *m)
{
	size_t had = rec->others == NULL ? 0 : strlen(rec->others);
	char *more = realloc(rec->others, had + m->raw_key_len + m->raw_len + 3), *p;

	if (more == NULL)
		return -ENOMEM;
	rec->others = more;
	p = more + had;
	*p++ = ',';
	p = mempcpy(p, m->raw_key, m->raw_key_len);
	*p++ = ':';
	*(char *)mempcpy(p, m->raw, m->raw_len) = '\0';
	return 0;
}

static int record_member(void *arg, const struct member *m)
{
	struct record *rec = arg;
	bool map = m->kind == M_MAP, nil = m->kind == M_NULL;

	if (m->key == NULL)
		return -EBADMSG;
	if (strcmp(m->key, "managed-flag") == 0)
		rec->managed_flag = flag_read(m);
	else if (strcmp(m->key, "manual-flag") == 0)
		rec->manual_flag = flag_read(m);
	else if (strcmp(m->key, "managed-events") == 0)
		return map ? members_read(m->raw, m->raw_len, managed_member, &rec->managed) : nil ? 0 : -EBADMSG;
	else if (strcmp(m->key, "manual-events") == 0)
		return map ? members_read(m->raw, m->raw_len, managed_member, &rec->manual) : nil ? 0 : -EBADMSG;
	else if (strcmp(m->key, "satellite") == 0 && map)
		return members_read(m->raw, m->raw_len, ours_member, rec);
	else
		return other_member(rec, m);
	return 0;
}

int record_parse(struct record **out, const char *json, size_t len)
{
	struct record *rec = calloc(1, sizeof(*rec));
	int rc;

	if (rec == NULL)
		return -ENOMEM;
	rc = json == NULL ? 0 : members_read(json, len, record_member, rec);
	if (rc == 0)
		*out = rec;
	else
		record_free(rec);
	return rc;
}

int record_copy(struct record **out, const struct record *from)
{
	struct sat_buf text = { .max = 16 * RECORD_MAX };
	int rc = -ENOMEM;

	if (from == NULL)
		return record_parse(out, NULL, 0);
	record_print(from, &text);
	if (!text.full)
		rc = record_parse(out, text.p, text.len);
	sat_buf_free(&text);
	return rc;
}

void record_free(struct record *rec)
{
	if (rec == NULL)
		return;
	events_free(rec->managed);
	events_free(rec->manual);
	free(rec->by);
	free(rec->cause);
	free(rec->verdict);
	holds_free(&rec->holds);
	for (unsigned i = 0; i < RECORD_DECISIONS; i++)
		free(rec->decisions[i]);
	free(rec->others);
	free(rec);
}

/* ---- Writing ------------------------------------------------------------ */

void micros_print(struct sat_buf *out, int64_t t)
{
	bool minus = t < 0;
	uint64_t us = minus ? -(uint64_t)t : (uint64_t)t;

	sat_buf_printf(out, "%s%" PRIu64 ".%06" PRIu64, minus ? "-" : "", us / 1000000, us % 1000000);
}

static void time_print(struct sat_buf *out, const char *key, int64_t t)
{
	if (t == 0)
		return;
	sat_buf_printf(out, ",\"%s\":", key);
	micros_print(out, t);
}

static void events_print(const struct rec_event *list, struct sat_buf *out)
{
	for (const struct rec_event *e = list; e != NULL; e = e->next)
		sat_buf_printf(out, "%s%s:%s", e == list ? "" : ",", e->key, e->text);
}

static void holds_print(const struct hold *list, struct sat_buf *out)
{
	for (const struct hold *h = list; h != NULL; h = h->next) {
		sat_buf_printf(out, "%s", h == list ? "" : ",");
		sat_buf_json(out, h->name);
		sat_buf_printf(out, ":{\"flag\":\"%s\",\"since\":", h->off ? "off" : "on");
		micros_print(out, h->since);
		time_print(out, "until", h->until);
		sat_buf_printf(out, ",\"cause\":");
		sat_buf_json(out, h->cause);
		sat_buf_printf(out, "}");
	}
}

static void ours_print(const struct record *rec, struct sat_buf *out)
{
	sat_buf_printf(out, ",\"satellite\":{\"flag\":");
	sat_buf_json(out, flag_name(rec->flag));
	sat_buf_printf(out, ",\"since\":");
	micros_print(out, rec->since);
	time_print(out, "flipped", rec->flipped);
	time_print(out, "off", rec->off);
	time_print(out, "freed", rec->freed);
	sat_buf_printf(out, ",\"by\":");
	sat_buf_json(out, rec->by);
	sat_buf_printf(out, ",\"seq\":%" PRIu64 ",\"epoch\":%" PRIu64 ",\"cause\":", rec->seq, rec->epoch);
	sat_buf_json(out, rec->cause);
	if (rec->verdict != NULL) {
		sat_buf_printf(out, ",\"verdict\":");
		sat_buf_json(out, rec->verdict);
	}
	sat_buf_printf(out, ",\"holds\":{");
	holds_print(rec->holds, out);
	sat_buf_printf(out, "},\"decisions\":[");
	for (unsigned i = 0; i < RECORD_DECISIONS && rec->decisions[i] != NULL; i++)
		sat_buf_printf(out, "%s%s", i == 0 ? "" : ",", rec->decisions[i]);
	sat_buf_printf(out, "]}");
}

void record_print(const struct record *rec, struct sat_buf *out)
{
	sat_buf_printf(out, "{\"managed-events\":{");
	events_print(rec->managed, out);
	sat_buf_printf(out, "},\"manual-events\":{");
	events_print(rec->manual, out);
	sat_buf_printf(out, "},\"managed-flag\":");
	sat_buf_json(out, flag_name(rec->managed_flag));
	sat_buf_printf(out, ",\"manual-flag\":");
	sat_buf_json(out, flag_name(rec->manual_flag));
	if (rec->others != NULL)
		sat_buf_add(out, rec->others, strlen(rec->others));
	if (rec->by != NULL)
		ours_print(rec, out);
	sat_buf_printf(out, "}");
}

/* A decision is kept with its NUL, so that it is a string too. */
static char *decision_text(enum flag flag, int64_t now, const char *cause)
{
	struct sat_buf told = { .max = RECORD_MAX };

	sat_buf_printf(&told, "{\"flag\":\"%s\",\"time\":", flag_name(flag));
	micros_print(&told, now);
	sat_buf_printf(&told, ",\"cause\":");
	sat_buf_json(&told, cause);
	sat_buf_add(&told, "}", 2);
	if (!told.full)
		return told.p;
	sat_buf_free(&told);
	return NULL;
}

int record_flip(struct record *rec, enum flag flag, int64_t now, const char *cause, bool automation)
{
	char *copy = strdup(cause), *told = automation ? decision_text(flag, now, cause) : NULL;

	if (copy == NULL || (automation && told == NULL)) {
		free(copy);
		free(told);
		return -ENOMEM;
	}
	free(rec->cause);
	rec->cause = copy;
	rec->managed_flag = rec->flag = flag;
	rec->since = now;
	if (!automation)
		return 0;
	free(rec->decisions[RECORD_DECISIONS - 1]);
	memmove(rec->decisions + 1, rec->decisions, (RECORD_DECISIONS - 1) * sizeof(char *));
	rec->decisions[0] = told;
	rec->flipped = now;
	if (flag == FLAG_OFF)
		rec->off = now;
	return 0;
}

/* ---- An event of a stream ----------------------------------------------- */

static void member_print(struct sat_buf *out, const char *key, const char *value)
{
	sat_buf_printf(out, ",");
	sat_buf_json(out, key);
	sat_buf_printf(out, ":");
	sat_buf_json(out, value);
}

/* Attributes stand beside the fields, as the JVM Satellite has them, so one
 * that is named like a field is left out. */
static bool is_field(const char *key)
{
	static const char *const fields[] = {
		"host", "service", "state", "description", "metric", "tags", "time", "ttl",
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(key, fields[i]) == 0)
			return true;
	return false;
}

void event_print(const struct sat_event *ev, struct sat_buf *out)
{
	sat_buf_printf(out, "{\"host\":");
	sat_buf_json(out, ev->host);
	member_print(out, "service", ev->service);
	member_print(out, "state", ev->state);
	member_print(out, "description", ev->description);
	sat_buf_printf(out, ",\"metric\":");
	if (ev->has & SAT_HAS_INT)
		sat_buf_printf(out, "%" PRId64, ev->metric.i);
	else
		sat_buf_double(out, ev->has & SAT_HAS_DOUBLE ? ev->metric.d : NAN);
	sat_buf_printf(out, ",\"tags\":%s", ev->has & SAT_HAS_TAGS ? "[" : "null");
	for (uint32_t i = 0; ev->has & SAT_HAS_TAGS && i < ev->n_tags; i++) {
		sat_buf_printf(out, "%s", i == 0 ? "" : ",");
		sat_buf_json(out, ev->tags[i]);
	}
	sat_buf_printf(out, "%s,\"time\":", ev->has & SAT_HAS_TAGS ? "]" : "");
	micros_print(out, ev->has & SAT_HAS_TIME ? ev->time : 0);
	sat_buf_printf(out, ",\"ttl\":");
	sat_buf_double(out, ev->has & SAT_HAS_TTL ? ev->ttl : NAN);
	for (uint32_t i = 0; i < ev->n_attrs; i++)
		if (!is_field(ev->attrs[i].key))
			member_print(out, ev->attrs[i].key, ev->attrs[i].value);
	sat_buf_printf(out, "}");
}

int record_judge(struct record *rec, const char *verdict)
{
	char *copy = NULL;

	if (verdict == NULL ? rec->verdict == NULL : rec->verdict != NULL && strcmp(rec->verdict, verdict) == 0)
		return 0;
	if (verdict != NULL && (copy = strdup(verdict)) == NULL)
		return -ENOMEM;
	free(rec->verdict);
	rec->verdict = copy;
	return 1;
}
