/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire - take in Riemann's messages.
 *
 * Strings stay where they are and get their NUL in place of the byte behind
 * them, which is the next field's tag; so an event's NULs are written only when
 * all of it has been read, and the byte behind an event is read before that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attr.h"
#include "hash.h"
#include "protobuf.h"
#include "self.h"
#include "wire.h"

#define TIME_MAX	(INT64_C(1) << 62)	/* so that differences never overflow */
#define NULS		64

enum { MSG_OK = 2 << 3 | VARINT, MSG_ERROR = 3 << 3 | BYTES, MSG_QUERY = 5 << 3 | BYTES, MSG_EVENT = 6 << 3 | BYTES };
enum { QUERY_STRING = 1 << 3 | BYTES };
enum {
	EVENT_TIME = 1 << 3 | VARINT, EVENT_STATE = 2 << 3 | BYTES, EVENT_SERVICE = 3 << 3 | BYTES,
	EVENT_HOST = 4 << 3 | BYTES, EVENT_DESCRIPTION = 5 << 3 | BYTES, EVENT_TAG = 7 << 3 | BYTES,
	EVENT_TTL = 8 << 3 | FIXED32, EVENT_ATTR = 9 << 3 | BYTES, EVENT_MICROS = 10 << 3 | VARINT,
	EVENT_SINT64 = 13 << 3 | VARINT, EVENT_D = 14 << 3 | FIXED64, EVENT_F = 15 << 3 | FIXED32,
};
enum { STATE = 2, SERVICE, HOST, DESCRIPTION, TEXTS };	/* by their fields' numbers */
enum { ATTR_KEY = 1 << 3 | BYTES, ATTR_VALUE = 2 << 3 | BYTES };

/* What few events have, while one is read. */
struct rare {
	struct span over[TEXTS];	/* attributes of a text's name: it is theirs */
	const char **tags;
	struct sat_attr *attrs;
	uint32_t n_tags, n_attrs, room_tags, room_attrs;
	uint32_t n_nuls;
};

struct decoder {
	struct arena *arena;
	struct rare rare;
	uint8_t **nuls;			/* where this event's tags and attributes end */
	uint32_t room;
	uint8_t *few[NULS];
};

/* One event while it is read.  Nothing is called with its address, so that it may lie in registers. */
struct raw {
	struct span text[TEXTS];	/* p NULL: nil */
	uint32_t seen;			/* enum seen */
	bool rare;			/* the decoder's rare is this event's */
	int64_t seconds, micros, sint64;
	double d;
	float f, ttl;
};
enum seen { SEEN_SECONDS = 1, SEEN_MICROS = 2, SEEN_SINT64 = 4, SEEN_D = 8, SEEN_F = 16, SEEN_TTL = 32 };

static void replace_nuls(struct span s)
{
	int64_t n = 0;

	for (; s.p < s.end; s.p++)
		if (*s.p == 0) {
			*s.p = '?';
			n++;
		}
	self_add(SELF_NUL_REPLACED, n);
}

static int more_nuls(struct decoder *d)
{
	uint8_t **nuls = arena_raw(d->arena, 2 * d->room * sizeof(*nuls));

	if (nuls == NULL)
		return -ENOMEM;
	memcpy(nuls, d->nuls, d->rare.n_nuls * sizeof(*nuls));
	d->nuls = nuls;
	d->room *= 2;
	return 0;
}

static inline __attribute__((always_inline)) bool text(struct span *s, struct span *to)
{
	struct span inside;

	if (!bytes(s, &inside))
		return false;
	if (__builtin_expect(has_nul(inside.p, (size_t)(inside.end - inside.p)), 0))
		replace_nuls(inside);
	*to = inside;
	return true;
}

static int keep_string(struct decoder *d, struct span s, const char **to)
{
	if (d->rare.n_nuls == d->room && more_nuls(d) != 0)
		return -ENOMEM;
	d->nuls[d->rare.n_nuls++] = s.end;
	*to = (const char *)s.p;
	return 0;
}

/* An array that has n of its room in use: room for one more. */
static int grow(struct arena *a, void *array, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t want = *room != 0 ? *room * 2 : 4;
	void **at = array, *p;

	if (n < *room)
		return 0;
	p = arena_raw(a, want * size);
	if (p == NULL)
		return -ENOMEM;
	if (n != 0)
		memcpy(p, *at, n * size);
	*at = p;
	*room = want;
	return 0;
}

static int tag(struct decoder *d, struct span s)
{
	struct rare *r = &d->rare;

	if (grow(d->arena, &r->tags, r->n_tags, &r->room_tags, sizeof(*r->tags)) != 0)
		return -ENOMEM;
	return keep_string(d, s, &r->tags[r->n_tags++]);
}

static bool is(struct span s, const char *name, size_t n)
{
	return (size_t)(s.end - s.p) == n && memcmp(s.p, name, n) == 0;
}
#define IS(s, name) is(s, name, sizeof(name) - 1)

/* As Riemann has it: an attribute may override a text, never another field. */
static int apply_attr(struct decoder *d, struct span key, struct span value)
{
	struct rare *r = &d->rare;
	int over = IS(key, "host") ? HOST : IS(key, "service") ? SERVICE : IS(key, "state") ? STATE :
		IS(key, "description") ? DESCRIPTION : 0;
	struct sat_attr *attr;

	if (IS(key, "tags") || IS(key, "time") || IS(key, "ttl") || IS(key, "metric"))
		return 0;
	if (value.p == NULL)
		value = (struct span){ key.end, key.end };	/* the empty string */
	if (over != 0) {
		r->over[over] = value;
		return 0;
	}
	if (grow(d->arena, &r->attrs, r->n_attrs, &r->room_attrs, sizeof(*attr)) != 0)
		return -ENOMEM;
	attr = &r->attrs[r->n_attrs++];
	if (keep_string(d, key, &attr->key) != 0)
		return -ENOMEM;
	return keep_string(d, value, &attr->value);
}

static int attribute(struct decoder *d, struct span in)
{
	struct span key = { 0 }, value = { 0 };
	uint64_t what;

	while (in.p < in.end) {
		if (!varint(&in, &what))
			return -EBADMSG;
		if (!(what == ATTR_KEY ? text(&in, &key) : what == ATTR_VALUE ? text(&in, &value) : skip(&in, what)))
			return -EBADMSG;
	}
	return key.p != NULL ? apply_attr(d, key, value) : -EBADMSG;
}

static inline bool number(struct span *s, struct raw *r, uint32_t seen, int64_t *to)
{
	uint64_t v;

	if (!varint(s, &v))
		return false;
	*to = (int64_t)v;
	r->seen |= seen;
	return true;
}

static inline bool real(struct span *s, struct raw *r, uint32_t seen, void *to, size_t size)
{
	r->seen |= seen;
	return fixed(s, to, size);
}

/* By hand, since for this gcc would take a rep stos, which is slower than all the rest. */
static inline void begin_rare(struct rare *r)
{
	r->over[HOST].p = r->over[SERVICE].p = r->over[STATE].p = r->over[DESCRIPTION].p = NULL;
	r->n_tags = r->n_attrs = r->room_tags = r->room_attrs = r->n_nuls = 0;
}

/* A tag, an attribute, or a field that nobody asked for: where it ends. */
static __attribute__((noinline)) uint8_t *read_rare(struct decoder *d, struct span s, uint64_t what, bool first, int *rc)
{
	struct span in;

	if (first)
		begin_rare(&d->rare);
	*rc = -EBADMSG;
	if (what == EVENT_TAG)
		*rc = text(&s, &in) ? tag(d, in) : -EBADMSG;
	else if (what == EVENT_ATTR)
		*rc = bytes(&s, &in) ? attribute(d, in) : -EBADMSG;
	else if (skip(&s, what))
		*rc = 0;
	return s.p;
}

static inline __attribute__((always_inline)) int read_event(struct decoder *d, struct span s, struct raw *r)
{
	struct span in;
	uint64_t what;
	bool good = true;
	int rc;

	while (s.p < s.end) {
		if (!varint(&s, &what))
			return -EBADMSG;
		switch (what) {
		case EVENT_HOST:
		case EVENT_SERVICE:
		case EVENT_STATE:
		case EVENT_DESCRIPTION:
			good = text(&s, &in);
			r->text[what >> 3] = in;
			break;
		case EVENT_TIME:	good = number(&s, r, SEEN_SECONDS, &r->seconds); break;
		case EVENT_MICROS:	good = number(&s, r, SEEN_MICROS, &r->micros); break;
		case EVENT_SINT64:	good = number(&s, r, SEEN_SINT64, &r->sint64); break;
		case EVENT_D:		good = real(&s, r, SEEN_D, &r->d, sizeof(r->d)); break;
		case EVENT_F:		good = real(&s, r, SEEN_F, &r->f, sizeof(r->f)); break;
		case EVENT_TTL:		good = real(&s, r, SEEN_TTL, &r->ttl, sizeof(r->ttl)); break;
		default:
			s.p = read_rare(d, s, what, !r->rare, &rc);
			r->rare = true;
			if (rc != 0)
				return rc;
		}
		if (!good)
			return -EBADMSG;
	}
	return 0;
}

static inline void set_metric(struct sat_event *ev, const struct raw *r)
{
	if (r->seen & SEEN_SINT64) {
		uint64_t v = (uint64_t)r->sint64;

		ev->metric.i = (int64_t)(v >> 1 ^ -(v & 1));
		ev->has |= SAT_HAS_INT;
	} else if (r->seen & (SEEN_D | SEEN_F)) {
		ev->metric.d = r->seen & SEEN_D ? r->d : (double)r->f;
		ev->has |= SAT_HAS_DOUBLE;
	}
}

static inline int64_t clamp(int64_t v, int64_t max)
{
	return v > max ? max : v < -max ? -max : v;
}

static inline void set_time(struct sat_event *ev, const struct raw *r)
{
	if (r->seen & SEEN_MICROS)
		ev->time = clamp(r->micros, TIME_MAX);
	else if (r->seen & SEEN_SECONDS)
		ev->time = clamp(r->seconds, TIME_MAX / SAT_SECOND) * SAT_SECOND;
	else
		return;
	ev->has |= SAT_HAS_TIME;
}

/* A text with its NUL, now that what lay there has been read. */
static inline const char *end_text(struct span s, uint32_t *len)
{
	*len = 0;
	if (s.p == NULL)
		return NULL;
	*len = (uint32_t)(s.end - s.p);
	*s.end = '\0';
	return (const char *)s.p;
}

static int set_rare(struct decoder *d, struct event *to)
{
	struct rare *r = &d->rare;
	struct sat_event *ev = &to->pub;

	for (uint32_t i = 0; i < r->n_nuls; i++)
		*d->nuls[i] = '\0';
	if (r->over[HOST].p != NULL)
		ev->host = end_text(r->over[HOST], &to->host_len);
	if (r->over[SERVICE].p != NULL)
		ev->service = end_text(r->over[SERVICE], &to->service_len);
	if (r->over[STATE].p != NULL)
		ev->state = end_text(r->over[STATE], &to->state_len);
	if (r->over[DESCRIPTION].p != NULL)
		ev->description = end_text(r->over[DESCRIPTION], &to->description_len);
	if (r->n_tags != 0) {
		ev->tags = r->tags;
		ev->n_tags = r->n_tags;
		ev->has |= SAT_HAS_TAGS;
	}
	if (r->n_attrs != 0) {
		if (attr_sort(d->arena, r->attrs, &r->n_attrs) != 0)
			return -ENOMEM;
		ev->attrs = r->attrs;
		ev->n_attrs = r->n_attrs;
	}
	return 0;
}

static int event(struct decoder *d, struct span s, struct event *to)
{
	struct raw r;
	struct sat_event *ev = &to->pub;
	int rc;

	r.text[HOST].p = r.text[SERVICE].p = r.text[STATE].p = r.text[DESCRIPTION].p = NULL;
	r.seen = 0;
	r.rare = false;
	rc = read_event(d, s, &r);
	if (rc != 0)
		return rc;
	*ev = (struct sat_event){ .size = sizeof(*ev) };
	ev->host = end_text(r.text[HOST], &to->host_len);
	ev->service = end_text(r.text[SERVICE], &to->service_len);
	ev->state = end_text(r.text[STATE], &to->state_len);
	ev->description = end_text(r.text[DESCRIPTION], &to->description_len);
	to->refs = to->hops = 0;
	to->kept = to->next = NULL;
	set_metric(ev, &r);
	set_time(ev, &r);
	if (r.seen & SEEN_TTL && r.ttl == r.ttl) {
		ev->ttl = (double)r.ttl;
		ev->has |= SAT_HAS_TTL;
	}
	rc = r.rare ? set_rare(d, to) : 0;
	to->hash = hash_texts(ev->host, to->host_len, ev->service, to->service_len);
	return rc;
}

/* Judge the outermost layer, before anything in the message is changed. */
static int count(struct span s, struct wire_msg *out, struct span *query)
{
	static uint8_t none[1];
	struct span in;
	uint64_t what;

	while (s.p < s.end) {
		if (!varint(&s, &what))
			return -EBADMSG;
		if (what != MSG_EVENT && what != MSG_QUERY) {
			if (!skip(&s, what))
				return -EBADMSG;
			continue;
		}
		if (!bytes(&s, &in))
			return -EBADMSG;
		if (what == MSG_EVENT) {
			out->n++;
			continue;
		}
		if (query->p == NULL)
			*query = (struct span){ none, none };
		while (in.p < in.end)
			if (!varint(&in, &what) || !(what == QUERY_STRING ? bytes(&in, query) : skip(&in, what)))
				return -EBADMSG;
	}
	return 0;
}

/* The tag at s->p, whose first byte may have become a string's NUL since `first` was read. */
static uint64_t tag_again(struct span *s, uint8_t first)
{
	uint64_t what = first & 0x7f, rest = 0;

	s->p++;
	if (first >= 0x80 && varint(s, &rest))
		what |= rest << 7;
	return what;
}

static int events(struct decoder *d, struct span s, struct wire_msg *out)
{
	uint8_t first = s.p < s.end ? *s.p : 0;
	uint32_t n = 0;
	struct span in;
	uint64_t what;
	int rc;

	while (s.p < s.end) {
		what = tag_again(&s, first);
		if (what != MSG_EVENT) {
			if (!skip(&s, what))
				return -EBADMSG;
			first = s.p < s.end ? *s.p : 0;
			continue;
		}
		if (!bytes(&s, &in))
			return -EBADMSG;
		first = s.p < s.end ? *s.p : 0;
		rc = event(d, in, &out->events[n++]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int wire_decode(uint8_t *buf, size_t len, struct arena *a, struct wire_msg *out)
{
	struct span all = { buf, buf + len }, query = { 0 };
	struct decoder d;
	int rc;

	*out = (struct wire_msg){ 0 };
	rc = count(all, out, &query);
	if (rc != 0)
		return rc;
	if (out->n != 0) {
		d.arena = a;
		d.nuls = d.few;
		d.room = NULS;
		out->events = arena_raw(a, out->n * sizeof(*out->events));	/* each is filled in whole */
		if (out->events == NULL)
			return -ENOMEM;
		rc = events(&d, all, out);
		if (rc != 0)
			return rc;
	}
	if (query.p != NULL) {
		if (query.p == query.end) {
			out->query = "";
			return 0;
		}
		replace_nuls(query);
		*query.end = '\0';
		out->query = (const char *)query.p;
	}
	return 0;
}

int sat_answer_parse(const void *msg, size_t len, char *error, size_t size)
{
	uint8_t *p = (uint8_t *)(uintptr_t)msg;		/* only read */
	struct span s = { p, p + len }, words = { 0 };
	uint64_t what, ok = 0;

	while (s.p < s.end)
		if (!varint(&s, &what) || !(what == MSG_OK ? varint(&s, &ok) :
					    what == MSG_ERROR ? bytes(&s, &words) : skip(&s, what)))
			return -EBADMSG;
	if (ok != 0)
		return 0;
	snprintf(error, size, "%.*s", (int)(words.end - words.p), words.p != NULL ? (char *)words.p : "");
	return -EREMOTEIO;
}
