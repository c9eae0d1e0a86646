/* SPDX-License-Identifier: Apache-2.0 */
/* topic - lists of events between modules. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "topic.h"

enum { TOPICS = 64 };

struct hearer {
	struct hearer *next;
	struct sat_self *self;		/* NULL: gone, freed when nobody is being told */
	void (*heard)(void *state, const char *topic, const struct sat_item *item);
};

struct topic {
	struct topic *next;
	struct hearer *hearers;
	const struct sat_event **kept;	/* the retained list */
	uint32_t n;
	bool retained, list;
	char name[];
};

static struct topic *topics;
static unsigned telling, count;

static struct topic *topic_get(const char *name)
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

static void let_go(struct topic *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		sat_drop(t->kept[i]);
	free(t->kept);
	t->kept = NULL;
	t->n = 0;
	t->retained = false;
}

static int retain_list(struct topic *t, const struct sat_item *item)
{
	const struct sat_event **kept = calloc(item->n + 1, sizeof(*kept));

	if (kept == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < item->n; i++) {
		/* A module's own events are not the host's: always a copy. */
		struct event *ev = event_copy(item->evs[i]);

		if (ev == NULL) {
			while (i-- > 0)
				sat_drop(kept[i]);
			free(kept);
			return -ENOMEM;
		}
		kept[i] = &ev->pub;
	}
	let_go(t);
	t->kept = kept;
	t->n = item->n;
	t->list = item->list;
	t->retained = true;
	return 0;
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

int sat_publish(struct sat_self *self, const char *name, const struct sat_item *item, bool retain)
{
	struct topic *t = topic_get(name);
	int rc = t != NULL ? 0 : -ENOMEM;

	(void)self;
	if (rc == 0 && retain)
		rc = retain_list(t, item);
	if (rc != 0)
		return rc;
	telling++;
	for (struct hearer *h = t->hearers; h != NULL; h = h->next)
		if (h->self != NULL)
			h->heard(h->self->state, t->name, item);
	if (--telling == 0)
		clean(t);
	return 0;
}

bool topic_heard(const char *name)
{
	for (const struct topic *t = topics; t != NULL; t = t->next)
		if (strcmp(t->name, name) == 0)
			return t->hearers != NULL;
	return false;
}

int sat_subscribe(struct sat_self *self, const char *name,
		  void (*heard)(void *state, const char *topic, const struct sat_item *item))
{
	struct topic *t = topic_get(name);
	struct hearer *h = calloc(1, sizeof(*h)), **at;

	if (t == NULL || h == NULL) {
		free(h);
		return -ENOMEM;
	}
	h->self = self;
	h->heard = heard;
	for (at = &t->hearers; *at != NULL; at = &(*at)->next)
		;
	*at = h;
	if (t->retained)
		heard(self->state, t->name, &(struct sat_item){ t->kept, t->n, t->list });
	return 0;
}

void topic_forget(struct sat_self *self)
{
	for (struct topic *t = topics; t != NULL; t = t->next) {
		for (struct hearer *h = t->hearers; h != NULL; h = h->next)
			if (h->self == self)
				h->self = NULL;
		if (telling == 0)
			clean(t);
	}
}

void topic_free(void)
{
	struct topic *t;

	while ((t = topics) != NULL) {
		topics = t->next;
		for (struct hearer *h = t->hearers; h != NULL; h = h->next)
			h->self = NULL;
		clean(t);
		let_go(t);
		free(t);
	}
	count = 0;
}
