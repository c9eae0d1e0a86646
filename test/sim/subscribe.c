/* SPDX-License-Identifier: Apache-2.0 */
/* subscribe - those who follow the v1 stream. */
#include <stdlib.h>

#include "sim.h"

enum { MAX_PENDING = 64 << 20 };	/* a slower reader is dropped */

struct subscriber {
	struct subscriber *next, **prev;
	struct master *master;
	struct http_request *req;
	struct buf pending;
};

static enum http_next subscriber_next(void *state, struct buf *out)
{
	struct subscriber *s = state;

	*out = s->pending;
	s->pending = (struct buf){ 0 };
	return HTTP_WAIT;
}

static void subscriber_free(void *state)
{
	struct subscriber *s = state;

	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
	buf_free(&s->pending);
	free(s);
}

struct http_source subscribe(struct master *m, struct http_request *req)
{
	struct subscriber *s = sim_calloc(1, sizeof(*s));

	s->master = m;
	s->req = req;
	s->next = m->subscribers;
	s->prev = &m->subscribers;
	if (s->next)
		s->next->prev = &s->next;
	m->subscribers = s;
	return (struct http_source){ subscriber_next, subscriber_free, s };
}

/* While the API hangs, events pile up unseen. */
static bool silent(const struct master *m)
{
	const struct mode *mode = mode_of(m->modes, "/api/v1");

	return mode && mode->kind == MODE_HANG;
}

static void tell_all(struct master *m, const struct buf *event)
{
	struct subscriber *s, *next;

	for (s = m->subscribers; s; s = next) {
		next = s->next;
		if (s->pending.len + event->len > MAX_PENDING) {
			http_reply_close(s->req);
			continue;
		}
		buf_fmt(&s->pending, "%zu\n", event->len);
		buf_add(&s->pending, event->at, event->len);
		if (!silent(m))
			http_wake(s->req);
	}
}

void subscribers_tell(struct master *m, enum cluster_event ev, const void *about)
{
	struct buf b = { 0 };
	struct view v = { &m->sim->cluster, m->sim->empty, &m->info, &m->info,
		m->sim->cluster.version };
	struct out o = { &b, &v };

	if (!m->subscribers)
		return;
	answer_event(&o, ev, about);
	tell_all(m, &b);
	buf_free(&b);
}

void subscribers_heartbeat(struct master *m)
{
	struct buf b = { 0 };

	if (silent(m))
		return;
	buf_str(&b, "{\"type\":\"HEARTBEAT\"}");
	tell_all(m, &b);
	buf_free(&b);
}

void subscribers_drop(struct master *m)
{
	while (m->subscribers)
		http_reply_close(m->subscribers->req);
}
