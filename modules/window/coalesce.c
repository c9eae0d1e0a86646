/* SPDX-License-Identifier: Apache-2.0 */
/* coalesce - the latest event of each key, in one list: coalesce, coalesce-with-event. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "window.h"

enum { FIELDS = 8 };

struct coalesce {
	int64_t dt;
	uint32_t max;
	struct sat_self *self;
	uint32_t n;			/* of fields; 0: the key is host and service */
	struct sat_field fields[FIELDS];
	char *text;			/* the fields' names */
};

/* The latest event of each key, in the order in which they first came. */
struct member {
	struct member *chain, *prev, *next;
	const struct sat_event *ev;
	int64_t expires;		/* on the engine's clock */
	uint32_t hash;
};

struct members {
	struct sat_timer tick;
	int64_t until;			/* when the last received event expires; INT64_MAX: never */
	struct member **slots, *first, *last;
	struct member *recent;		/* the one that was put last, or NULL */
	uint32_t size, n;
};

static const struct sat_option *const coalesce_options[] = {
	SAT_OPTION("coalesce", SAT_SECONDS, .fallback = "1", .min = 1e-3, .max = 1e9, .help = "seconds between lists"),
	OPTION_MAX("hosts and services at most; further ones are dropped and counted"),
	NULL
};

static const struct sat_option *const with_event_options[] = {
	SAT_OPTION("coalesce-with-event", SAT_STRINGS, .required = true,
		   .help = "fields that make a key: \"host service\", or a list"),
	OPTION_MAX("keys at most; events of further ones are dropped and counted"),
	NULL
};

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct coalesce *c = calloc(1, sizeof(*c));

	(void)module;
	if (c == NULL)
		return -ENOMEM;
	c->dt = sat_conf_time(conf, "coalesce");
	c->max = (uint32_t)sat_conf_integer(conf, "max");
	c->self = sat_node_self(node);
	*def = c;
	return 0;
}

static void undefine(void *def)
{
	struct coalesce *c = def;

	free(c->text);
	free(c);
}

static uint64_t hash_value(uint64_t h, const struct sat_value *v)
{
	char text[32];

	switch (v->kind) {
	case SAT_TEXT:
		return sat_hash(h, v->text);
	case SAT_TEXTS:
		for (uint32_t i = 0; i < v->n; i++)
			h = sat_hash(h, v->texts[i]);
		return h;
	case SAT_INT:
		snprintf(text, sizeof(text), "%lld", (long long)v->i);
		return sat_hash(h, text);
	case SAT_DOUBLE:
		snprintf(text, sizeof(text), "%.17g", v->d);
		return sat_hash(h, text);
	default:
		return sat_hash(h, NULL);
	}
}

static uint32_t hash_of(const struct coalesce *c, const struct sat_event *ev)
{
	uint64_t h = 0;

	if (c->n == 0)
		return sat_names_hash(ev);
	for (uint32_t i = 0; i < c->n; i++) {
		struct sat_value v = sat_get(ev, &c->fields[i]);

		h = hash_value(h, &v);
	}
	return (uint32_t)h;
}

static bool same_key(const struct coalesce *c, const struct sat_event *a, const struct sat_event *b)
{
	if (c->n == 0)
		return sat_same_names(a, b);
	for (uint32_t i = 0; i < c->n; i++) {
		struct sat_value u = sat_get(a, &c->fields[i]), v = sat_get(b, &c->fields[i]);

		if (!sat_same(&u, &v))
			return false;
	}
	return true;
}

static int room(struct members *m)
{
	uint32_t more = m->size != 0 ? 2 * m->size : 8;
	struct member **slots;

	if (m->n < m->size)
		return 0;
	slots = calloc(more, sizeof(struct member *));
	if (slots == NULL)
		return -ENOMEM;
	for (struct member *e = m->first; e != NULL; e = e->next) {
		e->chain = slots[e->hash & (more - 1)];
		slots[e->hash & (more - 1)] = e;
	}
	free(m->slots);
	m->slots = slots;
	m->size = more;
	return 0;
}

static struct member *find(const struct coalesce *c, const struct members *m, const struct sat_event *ev,
			   uint32_t hash)
{
	struct member *e = m->size != 0 ? m->slots[hash & (m->size - 1)] : NULL;

	while (e != NULL && !(e->hash == hash && same_key(c, e->ev, ev)))
		e = e->chain;
	return e;
}

/* Checks come in the same order time and again: the next one's key is mostly the next member's. */
static struct member *guess(const struct coalesce *c, const struct members *m, const struct sat_event *ev)
{
	struct member *e = m->recent != NULL && m->recent->next != NULL ? m->recent->next : m->first;

	return e != NULL && same_key(c, e->ev, ev) ? e : NULL;
}

static int replace(struct members *m, struct member *e, const struct sat_event *ev, int64_t expires)
{
	const struct sat_event *kept = sat_keep_over(e->ev, ev);

	if (kept == NULL)
		return -ENOMEM;
	e->ev = kept;
	e->expires = expires;
	m->recent = e;
	return 0;
}

static int add(struct members *m, const struct sat_event *ev, int64_t expires, uint32_t hash)
{
	struct member *e = room(m) == 0 ? calloc(1, sizeof(*e)) : NULL;

	if (e == NULL || (e->ev = sat_keep(ev)) == NULL) {
		free(e);
		return -ENOMEM;
	}
	e->expires = expires;
	e->hash = hash;
	e->chain = m->slots[hash & (m->size - 1)];
	m->slots[hash & (m->size - 1)] = e;
	e->prev = m->last;
	*(m->last != NULL ? &m->last->next : &m->first) = e;
	m->last = m->recent = e;
	m->n++;
	return 0;
}

static int put(const struct coalesce *c, struct members *m, const struct sat_event *ev, int64_t expires)
{
	struct member *e = guess(c, m, ev);
	uint32_t hash = 0;

	if (e == NULL) {
		hash = hash_of(c, ev);
		e = find(c, m, ev, hash);
	}
	if (e != NULL)
		return replace(m, e, ev, expires);
	if (m->n < c->max)
		return add(m, ev, expires, hash);
	sat_count(c->self, COALESCE_DROPPED, 1);
	return 0;
}

static void take(struct members *m, struct member *e)
{
	struct member **at = &m->slots[e->hash & (m->size - 1)];

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	*(e->prev != NULL ? &e->prev->next : &m->first) = e->next;
	*(e->next != NULL ? &e->next->prev : &m->last) = e->prev;
	m->n--;
	if (m->recent == e)
		m->recent = NULL;
	sat_drop(e->ev);
	free(e);
}

/* Riemann's ticker: it runs while the last received event lives, of whatever key. */
static void tend(const struct sat_at *at, struct members *m, const struct sat_event *ev, int64_t expires)
{
	/* In its last microsecond only the wall says whether it is. */
	if (expires <= sat_clock() && sat_expired(ev)) {
		sat_timer_stop(&m->tick);
		return;
	}
	m->until = ev->has & SAT_HAS_TTL ? expires : INT64_MAX;
	if (!sat_timer_armed(&m->tick))
		sat_timer_set(at, &m->tick, sat_clock());
}

/* What says that it is expired is so at once. */
static int64_t expiry(const struct sat_event *ev)
{
	const char *s = ev->state;

	return s != NULL && *s == 'e' && strcmp(s, "expired") == 0 ? INT64_MIN : sat_expires(ev);
}

static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	int rc = 0;

	for (uint32_t i = 0; i < item->n && rc == 0; i++) {
		int64_t expires = expiry(item->evs[i]);

		rc = put(def, state, item->evs[i], expires);
		if (rc == 0)
			tend(at, state, item->evs[i], expires);
	}
	return rc;
}

/* All members, the expired ones for the last time. */
static void tick(const struct sat_at *at, void *def, void *state, struct sat_timer *timer)
{
	const struct coalesce *c = def;
	struct members *m = state;
	const struct sat_event **evs;
	struct member *e, *next;
	uint32_t n = 0;

	if (sat_clock() > m->until)
		return;
	sat_timer_set(at, timer, timer->due + c->dt);
	evs = sat_scratch(at, (m->n + 1) * sizeof(*evs));
	if (evs == NULL)
		return;
	for (e = m->first; e != NULL; e = e->next)
		evs[n++] = sat_keep(e->ev);
	for (e = m->first; e != NULL; e = next) {
		next = e->next;
		if (sat_clock() > e->expires)
			take(m, e);
	}
	sat_pass(at, 0, &(struct sat_item){ evs, n, true });
	while (n-- > 0)
		sat_drop(evs[n]);
}

static bool idle(const void *def, const void *state)
{
	const struct members *m = state;

	(void)def;
	return m->n == 0;
}

static void close_fork(const void *def, void *state)
{
	struct members *m = state;

	(void)def;
	while (m->first != NULL)
		take(m, m->first);
	free(m->slots);
	m->slots = NULL;
	m->recent = NULL;
	m->size = 0;
}

/* What is left until then: time away does not count. */
static void write_deadline(struct sat_writer *out, int64_t t)
{
	sat_write_int(out, t == INT64_MAX || t == INT64_MIN ? t : t - sat_clock());
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct members *m = state;
	int rc = 0;

	(void)def;
	sat_write_timer(out, &m->tick);
	write_deadline(out, m->until);
	sat_write_int(out, m->n);
	for (const struct member *e = m->first; e != NULL && rc == 0; e = e->next) {
		write_deadline(out, e->expires);
		rc = sat_write_event(out, e->ev);
	}
	return rc;
}

static int read_deadline(struct sat_reader *in, int64_t *t)
{
	int rc = sat_read_int(in, t);

	if (*t != INT64_MAX && *t != INT64_MIN)
		*t += sat_clock();
	return rc;
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	struct members *m = state;
	const struct sat_event *ev;
	int64_t n, expires;
	int rc;

	if (version != 1)
		return -EBADMSG;
	sat_read_timer(at, in, &m->tick);
	read_deadline(in, &m->until);
	rc = sat_read_int(in, &n);
	while (rc == 0 && n-- > 0) {
		read_deadline(in, &expires);
		rc = sat_read_event(in, &ev);
		if (rc == 0)
			rc = put(def, m, ev, expires);
		sat_drop(ev);
	}
	return rc;
}

const struct sat_op window_coalesce = {
	.size = sizeof(window_coalesce), .state_version = 1, .name = "coalesce",
	.summary = "pass on, time and again, a list of the latest event of each host and service",
	.options = coalesce_options, .state_size = sizeof(struct members), .define = define, .undefine = undefine,
	.item = item_fork, .timer = tick, .idle = idle, .close = close_fork, .save = save, .load = load,
};

/* ---- coalesce-with-event ------------------------------------------------ */

static int with_event_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct coalesce *c = calloc(1, sizeof(*c));
	int n;

	(void)module;
	if (c == NULL)
		return -ENOMEM;
	n = sat_conf_fields(conf, "coalesce-with-event", c->fields, FIELDS, &c->text);
	if (n < 0) {
		undefine(c);
		return n;
	}
	c->n = (uint32_t)n;
	c->max = (uint32_t)sat_conf_integer(conf, "max");
	c->self = sat_node_self(node);
	*def = c;
	return 0;
}

/* The event itself, then those that are expired, for the last time, then the others. */
static int with_event_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct coalesce *c = def;
	struct members *m = state;
	const struct sat_event *ev, **evs;
	struct member *e, *next;
	uint32_t n = 1;
	int rc = kept_event(at, item, &ev);

	if (rc != 0)
		return rc;
	rc = put(c, m, ev, expiry(ev));
	evs = rc == 0 ? sat_scratch(at, (m->n + 1) * sizeof(*evs)) : NULL;
	if (evs == NULL)
		return -ENOMEM;
	evs[0] = ev;
	for (e = m->first; e != NULL; e = e->next)
		if (sat_clock() > e->expires && !same_key(c, e->ev, ev))
			evs[n++] = sat_keep(e->ev);
	for (e = m->first; e != NULL; e = next) {
		next = e->next;
		if (sat_clock() > e->expires)
			take(m, e);
		else if (!same_key(c, e->ev, ev))
			evs[n++] = sat_keep(e->ev);
	}
	sat_pass(at, 0, &(struct sat_item){ evs, n, true });
	while (--n > 0)
		sat_drop(evs[n]);
	return 0;
}

const struct sat_op window_coalesce_with_event = {
	.size = sizeof(window_coalesce_with_event), .state_version = 1, .name = "coalesce-with-event",
	.summary = "pass on, with each event, the latest event of every key behind it",
	.options = with_event_options, .state_size = sizeof(struct members), .define = with_event_define,
	.undefine = undefine, .item = with_event_item, .idle = idle, .close = close_fork, .save = save, .load = load,
};
