/* SPDX-License-Identifier: Apache-2.0 */
/* list - the registered agents, out of Mesos' answer to GET_AGENTS as it streams in. */
#ifndef LIST_H
#define LIST_H

#include <satellite/module.h>

struct listed {
	uint32_t id, host;		/* where in the text */
	bool deactivated, draining;
};

struct list {
	struct listed *agents;		/* sorted by id, once it ended well */
	size_t n, odd;			/* odd: left out, since it has no legal id or host */
	bool tells;			/* it says who is deactivated: Mesos 1.9 or newer */
	struct sat_buf text;
	/* The reading. */
	struct sat_json *json;
	struct listed agent;
	bool named, has_id, found;
};

int list_begin(struct list *l);		/* zeroes l first */
int list_feed(struct list *l, const void *p, size_t n);
int list_end(struct list *l);		/* -EPROTO: JSON, but no answer to GET_AGENTS */
void list_free(struct list *l);

static inline const char *list_id(const struct list *l, const struct listed *a)
{
	return l->text.p + a->id;
}

static inline const char *list_host(const struct list *l, const struct listed *a)
{
	return l->text.p + a->host;
}

#endif
