/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch - those who follow the index.
 *
 * A watcher walks through the index as fast as its client takes what it finds,
 * and what changes from the walk's beginning on it hears, so it sees each once.
 * Updates go first: they wait as text, and one for whom too much waits is let go.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "push.h"

#define BEAT	(15 * SAT_SECOND)
#define SLICE	500u	/* events for a watcher in one turn of the loop */

struct watch {
	struct watch *next, **link;
	struct push *push;
	struct sat_request *req;
	struct sat_query *query;
	enum push_form form;
	bool follow;
	bool blocked;			/* until there is room */
	bool over;			/* nothing more is sent; closed() is to come */
	struct sat_walk *walk;		/* through what was there when it came; NULL: it is over */
	struct sat_buf wait;		/* updates, each with its length in front, from `first` on */
	size_t first, reserved;		/* reserved: bytes of memory-max for what waits */
};

/* ---- One event as text ---- */

static const struct sat_buf *form(struct push *p, enum push_form form, const struct sat_event *ev)
{
	struct sat_buf *b = &p->text[form];

	if (p->formed[form])
		return b;
	if (b->full)
		sat_buf_free(b);
	*b = (struct sat_buf){ .p = b->p, .size = b->size };
	if (form == FORM_SSE)
		sat_buf_printf(b, "data: ");
	sat_buf_event(b, ev);
	if (form != FORM_WEBSOCKET)
		sat_buf_printf(b, form == FORM_SSE ? "\n\n" : "\n");
	p->formed[form] = true;
	return b;
}

static void forget_formed(struct push *p)
{
	memset(p->formed, 0, sizeof(p->formed));
}

/* ---- To a watcher ---- */

/* false: not now, or never. */
static bool hand(struct watch *w, const char *text, size_t n)
{
	int rc = sat_stream_send(w->req, text, n);

	if (rc == -EAGAIN) {
		w->blocked = true;
		return false;
	}
	if (rc == -EMSGSIZE) {
		sat_count(w->push->self, TOO_LONG, 1);
		return true;
	}
	w->over = w->over || rc != 0;
	if (rc == 0)
		sat_count(w->push->self, SENT, 1);
	return rc == 0;
}

static void drop_waiting(struct watch *w)
{
	sat_release(w->push->self, SAT_RINGS, w->reserved);
	sat_buf_free(&w->wait);
	w->first = w->reserved = 0;
}

static void end(struct watch *w)
{
	w->over = true;
	sat_walk_stop(w->walk);
	w->walk = NULL;
	drop_waiting(w);
	sat_stream_end(w->req);
}

static bool give_waiting(struct watch *w)
{
	size_t n;

	memcpy(&n, w->wait.p + w->first, sizeof(n));
	if (!hand(w, w->wait.p + w->first + sizeof(n), n))
		return false;
	w->first += sizeof(n) + n;
	sat_release(w->push->self, SAT_RINGS, sizeof(n) + n);
	w->reserved -= sizeof(n) + n;
	if (w->first == w->wait.len)
		w->first = w->wait.len = 0;
	return true;
}

static bool has_waiting(const struct watch *w)
{
	return w->first < w->wait.len;
}

/* As much as it takes, or a slice of it; true: there is more that it would take. */
static bool give(struct watch *w)
{
	for (unsigned i = 0; i < SLICE && !w->over && !w->blocked && has_waiting(w); i++)
		if (!give_waiting(w))
			break;
	if (!w->over && !w->blocked && !has_waiting(w) && w->walk != NULL)
		sat_walk_go_on(w->walk);
	return !w->over && !w->blocked && has_waiting(w);
}

static void turn(void *arg);

static void go_on(struct push *p)
{
	if (!p->posted && !p->stopping)
		p->posted = sat_post(p->self, turn, p) == 0;
}

static void turn(void *arg)
{
	struct push *p = arg;
	bool more = false;

	p->posted = false;
	if (p->stopping) {
		sat_stopped(p->self);
		return;
	}
	for (struct watch *w = p->watches; w != NULL; w = w->next)
		more = give(w) || more;
	if (more)
		go_on(p);
}

/* ---- What comes ---- */

/* Move what waits to the front, once most of the room is behind it. */
static void close_up(struct watch *w)
{
	if (w->first == 0 || w->first < w->wait.len / 2)
		return;
	w->wait.len -= w->first;
	memmove(w->wait.p, w->wait.p + w->first, w->wait.len);
	w->first = 0;
}

static void let_wait(struct watch *w, const struct sat_buf *text)
{
	struct push *p = w->push;
	size_t n = sizeof(text->len) + text->len;

	if (w->wait.len - w->first + n <= p->queue_max && sat_reserve(p->self, SAT_RINGS, n) == 0) {
		w->reserved += n;
		close_up(w);
		sat_buf_add(&w->wait, &text->len, sizeof(text->len));
		sat_buf_add(&w->wait, text->p, text->len);
		if (!w->wait.full)
			return;
	}
	sat_count(p->self, SLOW, 1);
	sat_log(p->self, LOG_WARNING, "%s is too slow a reader of %s, and is let go", sat_request_who(w->req),
		sat_request_path(w->req));
	end(w);
}

static void tell(struct watch *w, const struct sat_event *ev)
{
	const struct sat_buf *text;

	if (!w->follow || w->over || !sat_query_match(w->query, ev))
		return;
	text = form(w->push, w->form, ev);
	if (text->full)
		sat_count(w->push->self, TOO_LONG, 1);
	else if (w->blocked || has_waiting(w) || (!hand(w, text->p, text->len) && !w->over))
		let_wait(w, text);
}

void watch_heard(void *state, const char *topic, const struct sat_item *item)
{
	struct push *p = state;

	(void)topic;
	for (uint32_t i = 0; i < item->n && p->watches != NULL; i++) {
		forget_formed(p);
		for (struct watch *w = p->watches; w != NULL; w = w->next)
			tell(w, item->evs[i]);
	}
}

/* ---- Begin and end ---- */

/* Only who writes to a client finds that it is gone.  A comment is SSE's, and
 * WebSockets have pings. */
static void beat(struct sat_alarm *alarm)
{
	struct push *p = SAT_OWNER(alarm, struct push, beat);

	for (struct watch *w = p->watches; w != NULL; w = w->next)
		if (w->form == FORM_SSE && !w->over && !w->blocked && !has_waiting(w))
			sat_stream_send(w->req, ":\n\n", 3);
	watch_beat(p);
}

int watch_beat(struct push *p)
{
	p->beat.fire = beat;
	return sat_alarm_set(p->self, &p->beat, sat_clock() + BEAT);
}

/* Of what was there; -EAGAIN: not now, what waits goes first. */
static int found(void *arg, const struct sat_event *ev)
{
	struct watch *w = arg;
	const struct sat_buf *text;

	if (w->blocked || has_waiting(w))
		return -EAGAIN;
	forget_formed(w->push);
	text = form(w->push, w->form, ev);
	if (text->full)
		sat_count(w->push->self, TOO_LONG, 1);
	else if (!hand(w, text->p, text->len))
		return w->over ? -EPIPE : -EAGAIN;
	return 0;
}

static void found_all(void *arg, int rc)
{
	struct watch *w = arg;

	w->walk = NULL;
	if (!w->over && (rc != 0 || !w->follow))
		end(w);
}

static void watch_free(struct watch *w)
{
	sat_walk_stop(w->walk);
	drop_waiting(w);
	sat_query_free(w->query);
	free(w);
}

static void room(void *arg)
{
	struct watch *w = arg;

	w->blocked = false;
	if (give(w))
		go_on(w->push);
}

static void closed(void *arg)
{
	struct watch *w = arg;
	struct push *p = w->push;

	if (w->next != NULL)
		w->next->link = w->link;
	*w->link = w->next;
	sat_gauge(p->self, WATCHERS, --p->n);
	watch_free(w);
}

static const char *const types[FORMS] = {
	[FORM_SSE] = "text/event-stream", [FORM_LINES] = "application/x-ndjson",
};

static void link_in(struct push *p, struct watch *w)
{
	w->next = p->watches;
	w->link = &p->watches;
	if (w->next != NULL)
		w->next->link = &w->next;
	p->watches = w;
	sat_gauge(p->self, WATCHERS, ++p->n);
}

int watch_begin(struct push *p, struct sat_request *req, enum push_form how,
		struct sat_query *query, bool follow)
{
	static const struct sat_stream stream = { .size = sizeof(stream), .room = room, .closed = closed };
	static const struct sat_walk_calls calls = { .size = sizeof(calls), .found = found, .done = found_all };
	struct watch *w = p->n < p->max ? calloc(1, sizeof(*w)) : NULL;
	int rc;

	if (w == NULL) {
		sat_query_free(query);
		return p->n < p->max ? -ENOMEM : -EBUSY;
	}
	*w = (struct watch){ .push = p, .req = req, .query = query, .form = how, .follow = follow };
	w->wait.max = 2 * p->queue_max;
	w->walk = sat_index_walk(query, follow, &calls, w);
	rc = w->walk != NULL ? 0 : -ENOMEM;
	if (rc == 0)
		rc = sat_stream_begin(req, how == FORM_WEBSOCKET ? 101 : 200, types[how], &stream, w);
	if (rc != 0) {
		watch_free(w);
		return rc;
	}
	link_in(p, w);
	return 0;
}

void watch_end_all(struct push *p)
{
	for (struct watch *w = p->watches; w != NULL; w = w->next)
		if (!w->over)
			end(w);
}
