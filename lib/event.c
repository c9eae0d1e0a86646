/* SPDX-License-Identifier: Apache-2.0 */
/* event - loans, lasting copies, fields. */
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "clock.h"
#include "event.h"
#include "hash.h"
#include "self.h"

static const double default_ttl = 60;	/* seconds; Riemann's */

static struct event *loans;	/* those of this push that were kept */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* As much of a module's event as it has, into one of the host's size. */
static void widen(struct sat_event *to, const struct sat_event *from)
{
	if (from->size >= sizeof(*to)) {
		*to = *from;
	} else {
		memset(to, 0, sizeof(*to));
		memcpy(to, from, from->size);
	}
	to->size = sizeof(*to);
}

struct event *event_loan(struct arena *a, const struct sat_event *from)
{
	struct event *ev = arena_get(a, sizeof(*ev));

	if (ev == NULL)
		return NULL;
	if (from != NULL)
		widen(&ev->pub, from);
	else
		ev->pub.size = sizeof(ev->pub);
	return ev;
}

static size_t text_bytes(const char *s)
{
	return s != NULL ? strlen(s) + 1 : 0;
}

/* What the four texts have, each with its NUL; 0: nil. */
struct sizes { size_t host, service, state, description; };

static size_t bytes_behind(const struct sat_event *ev, struct sizes *s)
{
	size_t n;

	*s = (struct sizes){ text_bytes(ev->host), text_bytes(ev->service), text_bytes(ev->state),
			     text_bytes(ev->description) };
	n = s->host + s->service + s->state + s->description;
	for (uint32_t i = 0; i < ev->n_tags; i++)
		n += sizeof(char *) + text_bytes(ev->tags[i]);
	for (uint32_t i = 0; i < ev->n_attrs; i++)
		n += sizeof(struct sat_attr) + text_bytes(ev->attrs[i].key) + text_bytes(ev->attrs[i].value);
#if SAT_ABI_MINOR >= 1u
	n += text_bytes(ev->test_tail);
#endif
	return n;
}

static inline const char *lay_text(char **at, const char *s, size_t n)
{
	char *p = *at;

	if (s == NULL)
		return NULL;
	memcpy(p, s, n);
	*at = p + n;
	return p;
}

/* Arrays first, for their alignment, then the strings. */
static void lay(struct event *to, const struct sat_event *from, const struct sizes *s)
{
	const char **tags = (const char **)((char *)to + EVENT_LASTING);
	struct sat_attr *attrs = (struct sat_attr *)(tags + from->n_tags);
	char *at = (char *)(attrs + from->n_attrs);
	struct sat_event *ev = &to->pub;

	*ev = *from;
	ev->host = lay_text(&at, from->host, s->host);
	ev->service = lay_text(&at, from->service, s->service);
	ev->state = lay_text(&at, from->state, s->state);
	ev->description = lay_text(&at, from->description, s->description);
	for (uint32_t i = 0; i < from->n_tags; i++)
		tags[i] = lay_text(&at, from->tags[i], text_bytes(from->tags[i]));
	for (uint32_t i = 0; i < from->n_attrs; i++) {
		attrs[i].key = lay_text(&at, from->attrs[i].key, text_bytes(from->attrs[i].key));
		attrs[i].value = lay_text(&at, from->attrs[i].value, text_bytes(from->attrs[i].value));
	}
	ev->tags = from->n_tags != 0 ? tags : NULL;
	ev->attrs = from->n_attrs != 0 ? attrs : NULL;
#if SAT_ABI_MINOR >= 1u
	ev->test_tail = lay_text(&at, from->test_tail, text_bytes(from->test_tail));
#endif
}

static inline int64_t weight(size_t room)
{
	return (int64_t)(EVENT_LASTING + room + ACCOUNT_CHUNK);
}

struct event *event_copy(const struct sat_event *from)
{
	struct sat_event wide;
	struct sizes sizes;
	struct event *ev;
	size_t room;

	if (from->size != sizeof(wide)) {
		widen(&wide, from);
		from = &wide;
	}
	room = bytes_behind(from, &sizes);
	ev = malloc(EVENT_LASTING + room);
	if (ev == NULL) {
		self_add(SELF_NO_MEMORY, 1);
		return NULL;
	}
	ev->refs = 1;
	ev->hops = 0;
	ev->room = (uint32_t)room;
	lay(ev, from, &sizes);
	account_add(ACCOUNT_EVENTS, weight(room));
	return ev;
}

/* An edit of the event itself borrows its strings. */
static bool borrows(const struct sat_event *from, const struct event *into)
{
	const void *const parts[] = { from->host, from->service, from->state, from->description, from->tags,
				      from->attrs };
	const char *begin = (const char *)into, *end = begin + EVENT_LASTING + into->room;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if ((const char *)parts[i] >= begin && (const char *)parts[i] < end)
			return true;
	for (uint32_t i = 0; i < from->n_tags; i++)
		if (from->tags[i] >= begin && from->tags[i] < end)
			return true;
	for (uint32_t i = 0; i < from->n_attrs; i++)
		if ((from->attrs[i].key >= begin && from->attrs[i].key < end) ||
		    (from->attrs[i].value >= begin && from->attrs[i].value < end))
			return true;
	return false;
}

/* What lies behind an event but for its four texts. */
static bool same_rest(const struct sat_event *a, const struct sat_event *b)
{
	if (a->n_tags != b->n_tags || a->n_attrs != b->n_attrs)
		return false;
	for (uint32_t i = 0; i < a->n_tags; i++)
		if (!same_text(a->tags[i], b->tags[i]))
			return false;
	for (uint32_t i = 0; i < a->n_attrs; i++)
		if (!same_text(a->attrs[i].key, b->attrs[i].key) || !same_text(a->attrs[i].value, b->attrs[i].value))
			return false;
#if SAT_ABI_MINOR >= 1u
	if (!same_text(a->test_tail, b->test_tail))
		return false;
#endif
	return true;
}

static void renew(struct sat_event *to, const struct sat_event *from)
{
	to->has = from->has;
	to->time = from->time;
	to->ttl = from->ttl;
	to->metric = from->metric;
}

/* Mostly nothing but numbers has changed. */
bool event_refill(struct event *into, const struct sat_event *from)
{
	const struct sat_event *was = &into->pub;
	struct sizes sizes;

	if (into->refs != 1 || from->size != sizeof(*from))
		return false;
	if (same_text(was->service, from->service) && same_text(was->host, from->host) &&
	    same_text(was->state, from->state) && same_text(was->description, from->description) &&
	    same_rest(was, from)) {
		renew(&into->pub, from);
		return true;
	}
	if (bytes_behind(from, &sizes) > into->room || borrows(from, into))
		return false;
	lay(into, from, &sizes);
	return true;
}

/* Without strlen() and strcmp(): 50 instructions. */
bool event_renew(struct event *into, const struct event *from)
{
	const struct sat_event *was = &into->pub, *ev = &from->pub;

	if (into->refs != 1 || !event_has(into, was->state, ev->state, from->state_len) ||
	    !event_has(into, was->description, ev->description, from->description_len) || !same_rest(was, ev))
		return event_refill(into, ev);
	renew(&into->pub, ev);
	return true;
}

/* One more is over the share by no more than itself, and need not be weighed first. */
static inline bool has_room(void)
{
	if (account_has_room(ACCOUNT_EVENTS, 0, 16))
		return true;
	self_add(SELF_MEMORY_REFUSED, 1);
	return false;
}

struct event *event_copy_within(const struct sat_event *from)
{
	return has_room() ? event_copy(from) : NULL;
}

/* Whoever else keeps it in this push shares that copy. */
static void lend(struct event *loan, struct event *kept)
{
	loan->kept = kept;
	loan->next = loans;
	loans = loan;
}

const struct sat_event *event_keep(const struct sat_event *pub)
{
	struct event *ev = event_of(pub), *kept;

	if (ev->refs == 0) {
		if (ev->kept == NULL) {
			kept = event_copy(pub);
			if (kept == NULL)
				return NULL;
			lend(ev, kept);
		}
		ev = ev->kept;
	}
	ev->refs++;
	return &ev->pub;
}

const struct sat_event *sat_keep(const struct sat_event *pub)
{
	const struct event *ev = event_of(pub);

	return ev->refs != 0 || ev->kept != NULL || has_room() ? event_keep(pub) : NULL;
}

static inline bool has_names(const struct event *lasting, const struct event *of_message)
{
	return event_has(lasting, lasting->pub.service, of_message->pub.service, of_message->service_len) &&
	       event_has(lasting, lasting->pub.host, of_message->pub.host, of_message->host_len);
}

bool sat_same_names(const struct sat_event *a, const struct sat_event *b)
{
	if (event_of(a)->refs != 0 && event_of(b)->refs == 0 && event_of(b)->hash != 0)
		return has_names(event_of(a), event_of(b));
	return same_text(a->service, b->service) && same_text(a->host, b->host);
}

bool sat_text_is(const struct sat_event *ev, const char *text, const char *name, size_t len)
{
	return event_text_len(ev, text) == len && same_bytes(text, name, len);
}

uint32_t sat_names_hash(const struct sat_event *ev)
{
	const struct event *loan = event_of(ev);

	return loan->refs == 0 && loan->hash != 0 ? loan->hash : hash_pair(ev->host, ev->service);
}

static int compare(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

int event_by_name(const struct sat_event *a, const struct sat_event *b)
{
	int c = compare(a->host, b->host);

	return c != 0 ? c : compare(a->service, b->service);
}

const struct sat_event *sat_keep_over(const struct sat_event *old, const struct sat_event *pub)
{
	struct event *ev = event_of(pub), *was = event_of(old);
	const struct sat_event *kept;

	if (was != NULL && ev->refs == 0 && ev->kept == NULL &&
	    (ev->hash != 0 && has_names(was, ev) ? event_renew(was, ev) : event_refill(was, pub))) {
		lend(ev, was);
		was->refs++;
		return old;
	}
	kept = sat_keep(pub);
	if (kept != NULL)
		sat_drop(old);
	return kept;
}

void sat_drop(const struct sat_event *pub)
{
	struct event *ev = event_of(pub);

	if (ev != NULL && ev->refs != 0 && --ev->refs == 0) {
		account_add(ACCOUNT_EVENTS, -weight(ev->room));
		free(ev);
	}
}

void events_settle(void)
{
	struct event *ev;

	while ((ev = loans) != NULL) {
		loans = ev->next;
		sat_drop(&ev->kept->pub);
		ev->kept = ev->next = NULL;
	}
}

/* ---- Fields ------------------------------------------------------------- */

static const struct { const char *name; uint32_t id; } names[] = {
	{ "host", FIELD_HOST }, { "service", FIELD_SERVICE }, { "state", FIELD_STATE },
	{ "description", FIELD_DESCRIPTION }, { "metric", FIELD_METRIC }, { "metric_f", FIELD_METRIC },
	{ "tags", FIELD_TAGS }, { "time", FIELD_TIME }, { "ttl", FIELD_TTL },
};

struct sat_field sat_field(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, name) == 0)
			return (struct sat_field){ names[i].id, name };
	return (struct sat_field){ FIELD_ATTR, name };
}

const char *sat_attr(const struct sat_event *ev, const char *key)
{
	for (uint32_t i = 0; i < ev->n_attrs; i++) {
		int c = strcmp(ev->attrs[i].key, key);

		if (c == 0)
			return ev->attrs[i].value;
		if (c > 0)
			break;
	}
	return NULL;
}

static struct sat_value text_value(const char *s)
{
	return s != NULL ? (struct sat_value){ .kind = SAT_TEXT, .text = s } :
			   (struct sat_value){ .kind = SAT_NIL };
}

/* A wall time as seconds: whole ones are integers, as Riemann's clients send them. */
static struct sat_value time_value(int64_t t)
{
	if (t % SAT_SECOND == 0)
		return (struct sat_value){ .kind = SAT_INT, .i = t / SAT_SECOND };
	return (struct sat_value){ .kind = SAT_DOUBLE, .d = (double)t / 1e6 };
}

struct sat_value sat_get(const struct sat_event *ev, const struct sat_field *field)
{
	switch (field->id) {
	case FIELD_HOST:
		return text_value(ev->host);
	case FIELD_SERVICE:
		return text_value(ev->service);
	case FIELD_STATE:
		return text_value(ev->state);
	case FIELD_DESCRIPTION:
		return text_value(ev->description);
	case FIELD_METRIC:
		if (ev->has & SAT_HAS_INT)
			return (struct sat_value){ .kind = SAT_INT, .i = ev->metric.i };
		if (ev->has & SAT_HAS_DOUBLE)
			return (struct sat_value){ .kind = SAT_DOUBLE, .d = ev->metric.d };
		break;
	case FIELD_TAGS:
		if (ev->has & SAT_HAS_TAGS)
			return (struct sat_value){ .kind = SAT_TEXTS, .n = ev->n_tags, .texts = ev->tags };
		break;
	case FIELD_TIME:
		if (ev->has & SAT_HAS_TIME)
			return time_value(ev->time);
		break;
	case FIELD_TTL:
		if (ev->has & SAT_HAS_TTL)
			return (struct sat_value){ .kind = SAT_DOUBLE, .d = ev->ttl };
		break;
	default:
		return text_value(sat_attr(ev, field->name));
	}
	return (struct sat_value){ .kind = SAT_NIL };
}

bool sat_same(const struct sat_value *a, const struct sat_value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case SAT_NIL:
		return true;
	case SAT_BOOL:
		return a->b == b->b;
	case SAT_INT:
		return a->i == b->i;
	case SAT_DOUBLE:
		return a->d == b->d;
	case SAT_TEXT:
		return same_text(a->text, b->text);
	case SAT_TEXTS:
		if (a->n != b->n)
			return false;
		for (uint32_t i = 0; i < a->n; i++)
			if (!same_text(a->texts[i], b->texts[i]))
				return false;
		return true;
	}
	return false;
}

double sat_metric(const struct sat_event *ev)
{
	return ev->has & SAT_HAS_INT ? (double)ev->metric.i : ev->has & SAT_HAS_DOUBLE ? ev->metric.d : 0;
}

bool sat_tagged(const struct sat_event *ev, const char *tag)
{
	for (uint32_t i = 0; i < ev->n_tags; i++)
		if (strcmp(ev->tags[i], tag) == 0)
			return true;
	return false;
}

bool sat_expired(const struct sat_event *ev)
{
	double ttl = ev->has & SAT_HAS_TTL ? ev->ttl : default_ttl;

	if (ev->state != NULL && strcmp(ev->state, "expired") == 0)
		return true;
	return (ev->has & SAT_HAS_TIME) && (double)clock_wall() - (double)ev->time > ttl * 1e6;
}

/* A hundred years either way is enough, and keeps sums in range. */
int64_t event_deadline(const struct sat_event *ev, double ttl)
{
	const double most = 3.2e15;
	double left = (double)ev->time - (double)clock_wall() + ttl * 1e6;

	if (!(left < most))
		return INT64_MAX;
	return clock_steady() + (int64_t)(left > -most ? left : -most);
}

int64_t sat_expires(const struct sat_event *ev)
{
	if (!(ev->has & SAT_HAS_TIME))
		return INT64_MAX;
	return event_deadline(ev, ev->has & SAT_HAS_TTL ? ev->ttl : default_ttl);
}
