/* SPDX-License-Identifier: Apache-2.0 */
/* json_event - events as JSON: Riemann's form, with ISO-8601 time, and replay's. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "buf.h"
#include "json.h"
#include "self.h"

#define DAY INT64_C(86400)

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar, counted
 * in eras of 400 years that begin in March, so that a leap day comes last. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	unsigned of_era = (unsigned)(y - era * 400);

	return era * 146097 + (int64_t)of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned d = (unsigned)(z - era * 146097);
	unsigned y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
	unsigned of_year = d - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*day = of_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = (int64_t)y + era * 400 + (*month <= 2);
}

static void iso_write(struct sat_buf *b, int64_t t)
{
	int64_t ms = t / 1000 - (t % 1000 < 0), s = ms / 1000 - (ms % 1000 < 0), year;
	int64_t days = s / DAY - (s % DAY < 0);
	unsigned of_day = (unsigned)(s - days * DAY), month, day;

	date_of(days, &year, &month, &day);
	sat_buf_printf(b, "\"%04lld-%02u-%02uT%02u:%02u:%02u.%03uZ\"", (long long)year, month, day, of_day / 3600,
		       of_day / 60 % 60, of_day % 60, (unsigned)(ms - s * 1000));
}

/* n digits; false: something else is there. */
static bool digits(const char **s, int n, unsigned *value)
{
	*value = 0;
	for (; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		*value = *value * 10 + (unsigned)(**s - '0');
	}
	return true;
}

/* Z, +hh, +hhmm, +hh:mm, or nothing, which is UTC: seconds east. */
static bool zone(const char **s, int *east)
{
	unsigned hours, minutes = 0;
	int sign = **s == '-' ? -1 : 1;

	*east = 0;
	if (**s == 'Z' || **s == 'z')
		(*s)++;
	if (**s != '+' && **s != '-')
		return true;
	(*s)++;
	if (!digits(s, 2, &hours))
		return false;
	if (**s == ':')
		(*s)++;
	if (**s != '\0' && !digits(s, 2, &minutes))
		return false;
	*east = sign * (int)(hours * 3600 + minutes * 60);
	return hours < 24 && minutes < 60;
}

static unsigned days_in(unsigned year, unsigned month)
{
	if (month == 2)
		return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* hh:mm, hh:mm:ss, and any decimals, of which six count. */
static bool time_of_day(const char **s, int64_t *t)
{
	unsigned hour, minute, second = 0;
	int64_t unit = SAT_SECOND;

	if (!digits(s, 2, &hour) || *(*s)++ != ':' || !digits(s, 2, &minute))
		return false;
	if (**s == ':') {
		(*s)++;
		if (!digits(s, 2, &second))
			return false;
	}
	*t = (int64_t)(hour * 3600 + minute * 60 + second) * SAT_SECOND;
	if (**s == '.' || **s == ',')
		for ((*s)++; **s >= '0' && **s <= '9'; (*s)++)
			*t += (**s - '0') * (unit /= 10);
	return hour < 24 && minute < 60 && second <= 60;
}

static bool iso_read(const char *s, int64_t *t)
{
	unsigned year, month, day;
	int64_t of_day = 0;
	int east = 0;

	if (!digits(&s, 4, &year) || *s++ != '-' || !digits(&s, 2, &month) || *s++ != '-' || !digits(&s, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in(year, month))
		return false;
	if (*s == 'T' || *s == 't' || *s == ' ') {
		s++;
		if (!time_of_day(&s, &of_day) || !zone(&s, &east))
			return false;
	}
	*t = (days_of(year, month, day) * DAY - east) * SAT_SECOND + of_day;
	return *s == '\0';
}

/* A NUL inside would end the string early for everybody who reads it. */
static const char *plain(const struct json *v)
{
	char *s = (char *)(uintptr_t)v->text;	/* our own tree */

	for (size_t i = 0; i < v->len; i++)
		if (s[i] == '\0') {
			s[i] = '?';
			self_add(SELF_NUL_REPLACED, 1);
		}
	return s;
}

struct reading {
	struct arena *arena;
	struct sat_event ev;
	struct sat_attr *attrs;
	bool time_null;
};

static const char *read_text(const struct json *v, const char **to)
{
	if (v->kind != JSON_STRING && v->kind != JSON_NULL)
		return "not a string";
	*to = v->kind == JSON_STRING ? plain(v) : NULL;
	return NULL;
}

/* What an earlier member of the same name said is gone, its value included: nil is 0 to whoever looks. */
static const char *read_metric(const struct json *v, struct sat_event *ev)
{
	ev->has &= ~SAT_HAS_METRIC;
	ev->metric.i = 0;
	if (v->kind == JSON_NULL)
		return NULL;
	if (json_int(v, &ev->metric.i))
		ev->has |= SAT_HAS_INT;
	else if (json_double(v, &ev->metric.d))
		ev->has |= SAT_HAS_DOUBLE;
	else
		return "not a number in range";
	return NULL;
}

static const char *read_time(const struct json *v, struct reading *r)
{
	r->time_null = v->kind == JSON_NULL;
	r->ev.has &= ~(uint32_t)SAT_HAS_TIME;
	r->ev.time = 0;
	if (r->time_null)
		return NULL;
	if (v->kind == JSON_STRING ? !iso_read(v->text, &r->ev.time) : !json_micros(v, &r->ev.time))
		return "neither ISO-8601 nor seconds";
	r->ev.has |= SAT_HAS_TIME;
	return NULL;
}

static const char *read_ttl(const struct json *v, struct sat_event *ev)
{
	ev->has &= ~(uint32_t)SAT_HAS_TTL;
	ev->ttl = 0;
	if (v->kind == JSON_NULL)
		return NULL;
	if (!json_double(v, &ev->ttl))
		return "not a number in range";
	ev->has |= SAT_HAS_TTL;
	return NULL;
}

static const char *read_tags(const struct json *v, struct reading *r)
{
	const char **tags;
	uint32_t n = 0;

	r->ev.has &= ~(uint32_t)SAT_HAS_TAGS;
	r->ev.tags = NULL;
	r->ev.n_tags = 0;
	if (v->kind == JSON_NULL)
		return NULL;
	if (v->kind != JSON_ARRAY)
		return "not a list of strings";
	tags = arena_raw(r->arena, (v->n + 1) * sizeof(*tags));
	if (tags == NULL)
		return "out of memory";
	for (const struct json *m = v->first; m != NULL; m = m->next) {
		if (m->kind != JSON_STRING)
			return "not a list of strings";
		tags[n++] = plain(m);
	}
	r->ev.tags = tags;
	r->ev.n_tags = n;
	r->ev.has |= SAT_HAS_TAGS;
	return NULL;
}

/* null takes away what was given before: attr_sort() sees to it. */
static const char *read_attr(const struct json *v, struct reading *r)
{
	const char *value = v->kind == JSON_TRUE ? "true" : v->kind == JSON_FALSE ? "false" : NULL;

	if (v->kind == JSON_ARRAY || v->kind == JSON_OBJECT)
		return "neither a string nor a number";
	if (v->kind == JSON_STRING || v->kind == JSON_NUMBER)
		value = plain(v);
	r->attrs[r->ev.n_attrs++] = (struct sat_attr){ v->key, value };
	return NULL;
}

static const char *read_member(const struct json *v, struct reading *r)
{
	switch (sat_field(v->key).id) {
	case FIELD_HOST:	return read_text(v, &r->ev.host);
	case FIELD_SERVICE:	return read_text(v, &r->ev.service);
	case FIELD_STATE:	return read_text(v, &r->ev.state);
	case FIELD_DESCRIPTION:	return read_text(v, &r->ev.description);
	case FIELD_METRIC:	return read_metric(v, &r->ev);
	case FIELD_TAGS:	return read_tags(v, r);
	case FIELD_TIME:	return read_time(v, r);
	case FIELD_TTL:		return read_ttl(v, &r->ev);
	default:		return read_attr(v, r);
	}
}

struct event *json_event(struct arena *a, const struct json *object, bool *time_null,
			 char *error, size_t size)
{
	struct reading r = { .arena = a, .ev.size = sizeof(struct sat_event) };
	const char *why;
	struct event *ev;

	if (object == NULL || object->kind != JSON_OBJECT) {
		snprintf(error, size, "not an object");
		return NULL;
	}
	r.attrs = arena_raw(a, (object->n + 1) * sizeof(*r.attrs));
	if (r.attrs == NULL)
		goto fail;
	r.ev.attrs = r.attrs;
	for (const struct json *v = object->first; v != NULL; v = v->next) {
		why = read_member(v, &r);
		if (why != NULL) {
			snprintf(error, size, "%s: %s", v->key, why);
			return NULL;
		}
	}
	ev = attr_sort(a, r.attrs, &r.ev.n_attrs) == 0 ? event_loan(a, &r.ev) : NULL;
	if (ev == NULL)
		goto fail;
	if (time_null != NULL)
		*time_null = r.time_null;
	return ev;
fail:
	snprintf(error, size, "out of memory");
	return NULL;
}

const struct sat_event *sat_event_parse(const char *json, size_t len, char *error, size_t size)
{
	struct arena a = { 0 };
	struct json *doc = json_parse(&a, json, len, error, size);
	struct event *ev = doc != NULL ? json_event(&a, doc, NULL, error, size) : NULL, *copy = NULL;

	if (ev != NULL) {
		copy = event_copy(&ev->pub);
		if (copy == NULL)
			snprintf(error, size, "out of memory");
	}
	arena_free(&a);
	return copy != NULL ? &copy->pub : NULL;
}

/* An object being written: members come one after the other. */
struct members {
	struct sat_buf *b;
	bool any, nulls;		/* nulls: what is nil is written, too */
};

static void name(struct members *m, const char *key)
{
	buf_text(m->b, m->any ? "," : "{");
	m->any = true;
	sat_buf_json(m->b, key);
	buf_text(m->b, ":");
}

static bool present(struct members *m, const char *key, bool there)
{
	if (!there && !m->nulls)
		return false;
	name(m, key);
	if (!there)
		buf_text(m->b, "null");
	return there;
}

static void write_texts(struct members *m, const struct sat_event *ev)
{
	const char *const texts[] = { ev->host, ev->service, ev->state, ev->description };
	static const char *const keys[] = { "host", "service", "state", "description" };

	for (size_t i = 0; i < 4; i++)
		if (present(m, keys[i], texts[i] != NULL))
			sat_buf_json(m->b, texts[i]);
}

static void write_metric(struct members *m, const struct sat_event *ev)
{
	if (!present(m, "metric", (ev->has & SAT_HAS_METRIC) != 0))
		return;
	if (ev->has & SAT_HAS_INT)
		sat_buf_printf(m->b, "%lld", (long long)ev->metric.i);
	else
		sat_buf_double(m->b, ev->metric.d);
}

static void write_tags(struct members *m, const struct sat_event *ev)
{
	if (!present(m, "tags", (ev->has & SAT_HAS_TAGS) != 0))
		return;
	buf_text(m->b, "[");
	for (uint32_t i = 0; i < ev->n_tags; i++) {
		if (i != 0)
			buf_text(m->b, ",");
		sat_buf_json(m->b, ev->tags[i]);
	}
	buf_text(m->b, "]");
}

/* A whole number of seconds is written without a point. */
static void write_ttl(struct members *m, const struct sat_event *ev)
{
	if (!present(m, "ttl", (ev->has & SAT_HAS_TTL) != 0))
		return;
	if (ev->ttl == floor(ev->ttl) && fabs(ev->ttl) < 1e15)
		sat_buf_printf(m->b, "%.0f", ev->ttl);
	else
		sat_buf_double(m->b, ev->ttl);
}

/* A module may have given an attribute the name of a field: that is the field's. */
static void write_attrs(struct members *m, const struct sat_event *ev)
{
	for (uint32_t i = 0; i < ev->n_attrs; i++)
		if (sat_field(ev->attrs[i].key).id == FIELD_ATTR) {
			name(m, ev->attrs[i].key);
			sat_buf_json(m->b, ev->attrs[i].value);
		}
}

static void write_event(struct members *m, const struct sat_event *ev,
			void (*time)(struct sat_buf *b, int64_t t))
{
	write_texts(m, ev);
	write_metric(m, ev);
	write_tags(m, ev);
	if (present(m, "time", (ev->has & SAT_HAS_TIME) != 0))
		time(m->b, ev->time);
	write_ttl(m, ev);
	write_attrs(m, ev);
	buf_text(m->b, m->any ? "}" : "null");
}

void sat_buf_event(struct sat_buf *b, const struct sat_event *ev)
{
	write_event(&(struct members){ .b = b, .nulls = true }, ev, iso_write);
}

void json_replay_event(struct sat_buf *b, const struct sat_event *ev)
{
	write_event(&(struct members){ .b = b }, ev, json_seconds);
}
