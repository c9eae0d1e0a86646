/* SPDX-License-Identifier: Apache-2.0 */
/* topic - lists of events between modules. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "topic.h"

enum { TOPICS = 64, AHEAD = 8 };	/* topics; events */

struct hearer {
	struct hearer *next;
	struct sat_self *self;		/* NULL: gone, freed when nobody is being told */
	void (*heard)(void *state, const char *topic, const struct sat_item *item);
};

/* A list of lasting events. */
struct list {
	struct list *next;		/* let go while somebody was being told */
	uint32_t n;
	bool list;
	const struct sat_event *evs[];
};

struct topic {
	struct topic *next;
	struct hearer *hearers;
	struct list *retained;		/* NULL: none */
	char name[];
};

static struct topic *topics;
static struct list *old;
static bool gone;			/* some hearer is */
static unsigned telling, count;

struct topic *topic_get(const char *name)
{
	size_t len = strlen(name) + 1;
	struct topic *t;

	for (t = topics; t != NULL; t = t->next)
		if (strcmp(t->name, name) == 0)
			return t;
	if (count >= TOPICS)
		return NULL;
	t = calloc(1, sizeof(*t) + len);
	if (t == NULL)
		return NULL;
	memcpy(t->name, name, len);
	t->next = topics;
	topics = t;
	count++;
	return t;
}

static void list_free(struct list *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		sat_drop(l->evs[i]);
	free(l);
}

/* Texts of a long list are all over the memory: those that come next are on their way meanwhile. */
static void expect(const struct sat_item *item, uint32_t i)
{
	const struct sat_event *ev = i < item->n ? item->evs[i] : NULL;

	if (ev == NULL)
		return;
	__builtin_prefetch(ev->host);
	for (uint32_t k = 0; k < ev->n_attrs; k++)
		__builtin_prefetch(ev->attrs[k].value);
}

/* A module's own events are not the host's: always a copy. */
static struct list *list_copy(const struct sat_item *item)
{
	struct list *l = calloc(1, sizeof(*l) + item->n * sizeof(l->evs[0]));

	if (l == NULL)
		return NULL;
	l->list = item->list;
	for (; l->n < item->n; l->n++) {
		struct event *ev;

		expect(item, l->n + AHEAD);
		ev = event_copy(item->evs[l->n]);
		if (ev == NULL) {
			list_free(l);
			return NULL;
		}
		l->evs[l->n] = &ev->pub;
	}
	return l;
}

/* Those who are being told may still look at it. */
static void let_go(struct list *l)
{
	if (l == NULL)
		return;
	l->next = old;
	old = l;
}

static void clean(struct topic *t)
{
	struct hearer **at = &t->hearers, *h;

	while ((h = *at) != NULL) {
		if (h->self != NULL) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		free(h);
	}
}

static void tidy(void)
{
	struct list *l;

	for (struct topic *t = topics; t != NULL && gone; t = t->next)
		clean(t);
	gone = false;
	while ((l = old) != NULL) {
		old = l->next;
		list_free(l);
	}
}

static inline void told(void)
{
	if (--telling == 0 && (gone || old != NULL))
		tidy();
}

/* Those who subscribe meanwhile have heard it, if it is retained. */
void topic_tell(struct topic *t, const struct sat_item *item)
{
	struct hearer *h = t->hearers, *last = h;

	while (last != NULL && last->next != NULL)
		last = last->next;
	telling++;
	for (; h != NULL; h = h != last ? h->next : NULL)
		if (h->self != NULL)
			h->heard(h->self->state, t->name, item);
	told();
}

int sat_publish(struct sat_self *self, const char *name, const struct sat_item *item, bool retain)
{
	struct topic *t = topic_get(name);
	struct list *l;

	if (t == NULL)
		return -ENOMEM;
	/* What the host publishes are its own events, which hearers may keep. */
	if (!retain && (self == &self_host || t->hearers == NULL)) {
		topic_tell(t, item);
		return 0;
	}
	l = list_copy(item);
	if (l == NULL)
		return -ENOMEM;
	if (retain) {
		let_go(t->retained);
		t->retained = l;
	} else {
		let_go(l);
	}
	topic_tell(t, &(struct sat_item){ l->evs, l->n, l->list });
	return 0;
}

int sat_subscribe(struct sat_self *self, const char *name,
		  void (*heard)(void *state, const char *topic, const struct sat_item *item))
{
	struct topic *t = topic_get(name);
	struct hearer **at;

	if (t == NULL)
		return -ENOMEM;
	for (at = &t->hearers; *at != NULL; at = &(*at)->next)
		if ((*at)->self == self && (*at)->heard == heard)
			break;
	if (*at == NULL) {
		*at = calloc(1, sizeof(**at));
		if (*at == NULL)
			return -ENOMEM;
		(*at)->self = self;
		(*at)->heard = heard;
	}
	if (t->retained == NULL)
		return 0;
	telling++;
	heard(self->state, t->name, &(struct sat_item){ t->retained->evs, t->retained->n, t->retained->list });
	told();
	return 0;
}

void topic_forget(struct sat_self *self)
{
	for (struct topic *t = topics; t != NULL; t = t->next)
		for (struct hearer *h = t->hearers; h != NULL; h = h->next)
			if (h->self == self)
				h->self = NULL;
	gone = true;
	if (telling == 0)
		tidy();
}

void topic_free(void)
{
	struct topic *t;

	while ((t = topics) != NULL) {
		topics = t->next;
		for (struct hearer *h = t->hearers; h != NULL; h = h->next)
			h->self = NULL;
		clean(t);
		if (t->retained != NULL)
			list_free(t->retained);
		free(t);
	}
	count = 0;
}
