/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room - memory of connections: reserved before it grows, and who waits for it.
 *
 * A frame that is not whole yet has all of its bytes reserved before its connection
 * gets more than those at hand, so that one that has begun can be finished.  Who gets
 * none is not read from: what it sends stays with the kernel, and small frames are
 * looked for there, since what is whole runs without memory of its own.  Large frames
 * leave some room to small ones, and wait in line.
 */
#include <errno.h>

#include "door.h"

#define SMALL		((size_t)64 * 1024)
#define FOR_SMALL	((size_t)1024 * 1024)	/* of the share, not for others */
#define LOOKS		64			/* at those who wait, each AGAIN ms */
#define AGAIN		100

int room_reserve(struct door *d, size_t n)
{
	size_t left = n > SMALL ? FOR_SMALL : 0;
	int rc = sat_reserve(d->self, SAT_BUFFERS, n + left);

	if (rc == 0)
		sat_release(d->self, SAT_BUFFERS, left);
	return rc;
}

static void again(uv_timer_t *timer);

void room_release(struct door *d, size_t n)
{
	sat_release(d->self, SAT_BUFFERS, n);
	if (d->n_waiting != 0)
		uv_timer_start(&d->again, again, 1, AGAIN);
}

bool room_waits(const struct conn *c)
{
	const struct door *d = c->tcp.data;

	return c->frame.list == &d->small || c->frame.list == &d->large;
}

void room_leave(struct conn *c)
{
	struct door *d = c->tcp.data;

	if (room_waits(c))
		sat_gauge(d->self, WAITING, --d->n_waiting);
	link_leave(&c->frame);
}

static void wait(struct conn *c, struct list *line)
{
	struct door *d = c->tcp.data;

	uv_read_stop((uv_stream_t *)&c->tcp);
	if (c->frame.list == line)
		return;
	room_leave(c);
	link_up(&c->frame, line, uv_now(c->tcp.loop));
	sat_count(d->self, PAUSED, 1);
	sat_gauge(d->self, WAITING, ++d->n_waiting);
	if (!uv_is_active((uv_handle_t *)&d->again))
		uv_timer_start(&d->again, again, AGAIN, AGAIN);
}

int room_ask(struct conn *c, size_t n)
{
	struct door *d = c->tcp.data;
	struct list *line = n > SMALL ? &d->large : &d->small;
	bool first = n <= SMALL || line->first == NULL || line->first == &c->frame;
	int rc = first ? room_reserve(d, n) : -ENOBUFS;

	c->need = (uint32_t)n;
	if (rc == 0) {
		room_leave(c);
		c->held = (uint32_t)n;
	} else if (rc == -ENOBUFS) {
		wait(c, line);
	}
	return rc;
}

void room_give(struct conn *c)
{
	room_leave(c);
	if (c->held != 0)
		room_release(c->tcp.data, c->held);
	c->held = 0;
}

/* Whether it waits no more. */
static bool look(struct conn *c)
{
	if (c->part == NULL) {
		frames_look(c);
	} else if (room_ask(c, c->need) == 0) {
		conn_settle(c);
		conn_read_on(c);
	}
	return !room_waits(c);
}

/* Nobody's room stands in the way of a small frame for long: it comes, or it was not meant to. */
static void look_small(struct door *d)
{
	uint64_t now = uv_now(sat_loop(d->self)), since;
	struct conn *c;

	for (int i = 0; i < LOOKS && d->small.first != NULL; i++) {
		c = SAT_OWNER(d->small.first, struct conn, frame);
		if (look(c) || c->frame.list != &d->small)
			continue;		/* or its next frame waits in the other line */
		since = c->frame.since;		/* of that frame, if others came whole */
		if (now - since >= d->frame_ms) {
			conn_late(c);
			continue;
		}
		link_leave(&c->frame);		/* others are looked at before it is again */
		link_up(&c->frame, &d->small, since);
	}
}

static void again(uv_timer_t *timer)
{
	struct door *d = timer->data;

	look_small(d);
	for (int i = 0; i < LOOKS && d->large.first != NULL; i++)
		if (!look(SAT_OWNER(d->large.first, struct conn, frame)))
			break;
	if (d->n_waiting == 0)
		uv_timer_stop(timer);
}
