/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer - one master: its life, and what follows the end of a connection.
 *
 * A message stays in the queue until it is answered, and is sent again on the
 * next connection if this one breaks first: at least once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define SOONEST		SAT_SECOND		/* the first back-off, before jitter */
#define LATEST		(30 * SAT_SECOND)
#define LOSSES		5u			/* told of in a minute */

/* ---- Timing ------------------------------------------------------------- */

/* No memory for an alarm: the next event tries again. */
void peer_alarm(struct peer *p, int64_t after)
{
	p->stuck = sat_alarm_set(p->sender->self, &p->alarm, sat_clock() + after) != 0;
}

static int64_t jitter(int64_t about)
{
	uint64_t r = 0;

	uv_random(NULL, NULL, &r, sizeof(r), 0, NULL);
	return about / 2 + (int64_t)(r % (uint64_t)about);
}

static void back_off(struct peer *p)
{
	p->state = WAITING;
	peer_alarm(p, jitter(p->backoff));
	p->backoff = p->backoff * 2 < LATEST ? p->backoff * 2 : LATEST;
}

/* ---- The end of a connection -------------------------------------------- */

size_t peer_waiting(const struct peer *p)
{
	return p->kept + p->queue.held + (p->spool != NULL ? spool_held(p->spool) : 0);
}

void peer_count(struct peer *p)
{
	size_t n = peer_waiting(p);

	sat_count(p->sender->self, COUNT_QUEUED, (int64_t)n - (int64_t)p->counted);
	p->counted = n;
}

void peer_drop(struct peer *p, size_t n)
{
	sat_count(p->sender->self, COUNT_DROPPED, (int64_t)n);
	p->dropped += (int64_t)n;
}

void peer_end(struct peer *p, size_t kept)
{
	struct sender *s = p->sender;
	size_t lost = peer_waiting(p) - kept;

	if (kept > 0)
		sat_log(s->self, LOG_NOTICE, "%s: %zu events are kept on disk", p->name, kept);
	if (lost > 0) {
		sat_log(s->self, LOG_WARNING, "%s: %zu events not delivered", p->name, lost);
		peer_drop(p, lost);
	}
	queue_free(&p->queue);
	spool_free(p->spool);
	p->spool = NULL;
	p->kept = kept;
	peer_count(p);
	sender_peer_stopped(s);
}

static void stopped(struct peer *p)
{
	p->state = STOPPED;
	if (p->spool != NULL)
		spool_stop(p->spool);
	else
		peer_end(p, 0);
}

static void go_on(struct peer *p)
{
	if (p->after == NEXT_ADDRESS) {
		connect_next(p);
	} else if (p->after == RENEW && !p->draining) {
		connect_start(p);
	} else if (p->after == STOP || (p->draining && p->last_try)) {
		stopped(p);
	} else if (p->draining) {
		p->last_try = true;
		connect_start(p);
	} else {
		back_off(p);
	}
}

static void closed(uv_handle_t *handle)
{
	struct peer *p = handle->data;

	p->open = false;
	go_on(p);
}

/* Tell the other side, if that is possible at once. */
static void end_tls(struct peer *p)
{
	struct sat_buf out = { 0 };
	uv_buf_t buf;

	if (p->tls == NULL)
		return;
	sat_tls_close(p->tls, &out);
	p->tls = NULL;
	buf = uv_buf_init(out.p, (unsigned)out.len);
	if (out.len > 0 && p->open && !uv_is_closing((uv_handle_t *)&p->tcp))
		uv_try_write((uv_stream_t *)&p->tcp, &buf, 1);
	sat_buf_free(&out);
}

void peer_leave(struct peer *p, enum after after)
{
	end_tls(p);
	datagram_close(p);
	sat_alarm_stop(&p->alarm);
	sat_alarm_stop(&p->flush);
	if (p->lookup != NULL) {
		p->lookup->peer = NULL;
		uv_cancel((uv_req_t *)&p->lookup->req);
		p->lookup = NULL;
	}
	queue_lost(&p->queue);
	p->in.len = 0;
	p->state = CLOSING;
	p->after = after;
	if (!p->open)
		go_on(p);
	else if (!uv_is_closing((uv_handle_t *)&p->tcp))
		uv_close((uv_handle_t *)&p->tcp, closed);
}

/* Said once, until it answers again.  One that closes after each message is not worth two lines each time; where
 * it stays away a later try says so. */
static void tell_away(struct peer *p, const char *why)
{
	if (p->told == AWAY || !sat_log_allowed(p->sender->self, &p->losses, LOSSES, 60 * SAT_SECOND))
		return;
	p->told = AWAY;
	sat_log(p->sender->self, LOG_WARNING, "%s: %s; %zu events wait", p->name, why, peer_waiting(p));
}

/* Of a name's addresses, one that takes connections and no event is as good as one where nobody is. */
void peer_lose(struct peer *p, const char *why)
{
	if (!p->proved && p->next_addr < p->n_addrs && (p->state == SHAKING || p->state == UP)) {
		peer_leave(p, NEXT_ADDRESS);
		return;
	}
	tell_away(p, why);
	p->away = true;
	p->answers = false;
	p->state = CLOSING;
	queue_lost(&p->queue);
	if (p->spool != NULL && p->queue.held > 0)
		spool_begin(p->spool);
	peer_leave(p, RETRY);
}

/* The other side of that, once it answers. */
void peer_took(struct peer *p)
{
	if (p->told != WELL)
		sat_log(p->sender->self, LOG_NOTICE, "%s: %s; %zu wait", p->name,
			p->sender->how.udp ? "gets datagrams, and says nothing" : "takes events", peer_waiting(p));
	p->told = WELL;
	p->answers = p->proved = true;
	p->away = p->full = false;
	p->backoff = SOONEST;
}

/* ---- Its life ----------------------------------------------------------- */

static void rang(struct sat_alarm *alarm)
{
	struct peer *p = SAT_OWNER(alarm, struct peer, alarm);

	switch (p->state) {
	case WAITING:
		connect_start(p);
		break;
	case RESOLVING:
		peer_lose(p, "its name is not resolved in time");
		break;
	case CONNECTING:
		if (p->next_addr < p->n_addrs)
			peer_leave(p, NEXT_ADDRESS);
		else
			peer_lose(p, strerror(ETIMEDOUT));
		break;
	case SHAKING:
		if (p->sender->how.udp)
			datagram_shaken(p);
		else
			peer_lose(p, "TLS: the handshake takes too long");
		break;
	case UP:
		if (p->sender->how.udp)
			peer_leave(p, RENEW);
		else
			peer_lose(p, "does not answer");
		break;
	default:
		break;
	}
}

void peer_put(struct peer *p, struct parcel *parcel, int64_t until)
{
	size_t gone;

	sat_count(p->sender->self, COUNT_TAKEN, 1);
	if (p->state == STOPPED || parcel == NULL) {
		parcel_unref(parcel);
		peer_drop(p, 1);
		return;
	}
	if (p->spool != NULL && spool_wants(p->spool, parcel))
		gone = spool_put(p->spool, parcel, until);
	else
		gone = queue_put(&p->queue, parcel, until);
	if (gone > 0) {
		peer_drop(p, gone);
		if (!p->full)
			sat_log(p->sender->self, LOG_WARNING, "%s: its queue is full; the oldest events go", p->name);
		p->full = true;
	}
	peer_count(p);
	if (p->stuck) {
		p->stuck = false;
		peer_lose(p, "out of memory");
	} else if (p->state == UP && p->draining) {
		p->due = true;
	} else if (p->state == UP && !p->due && queue_waiting(&p->queue) == 1) {
		send_later(p, p->sender->how.flush);
	}
	send_due(p);
}

struct peer *peer_new(struct sender *s, const char *name, const char **why)
{
	struct peer *p = calloc(1, sizeof(*p));

	*why = NULL;
	if (p == NULL)
		return NULL;
	p->port = s->how.tls != NULL ? TLS_PORT : TCP_PORT;
	*why = address_split(name, p->host, sizeof(p->host), &p->port);
	if (*why != NULL) {
		free(p);
		return NULL;
	}
	snprintf(p->name, sizeof(p->name), strchr(p->host, ':') != NULL ? "[%s]:%d" : "%s:%d", p->host, p->port);
	p->sender = s;
	p->fd = -1;
	p->alarm.fire = rang;
	p->flush.fire = send_flush;
	p->in.max = ROOM;
	p->queue.max = s->how.queue;
	p->queue.max_bytes = QUEUE_BYTES;
	p->queue.self = s->self;
	p->backoff = SOONEST;
	return p;
}

int peer_keep(struct peer *p, struct place place)
{
	p->spool = spool_new(p, place);
	return p->spool != NULL ? 0 : -ENOMEM;
}

void peer_make_room(struct peer *p)
{
	spool_make_room(p->spool);
}

const char *peer_name(const struct peer *p)
{
	return p->name;
}

void peer_connect(struct peer *p)
{
	if (p->state == IDLE && !p->draining)
		connect_start(p);
}

void peer_start(struct peer *p)
{
	if (p->spool != NULL)
		spool_start(p->spool);
	else
		connect_start(p);
}

void peer_drain(struct peer *p)
{
	p->draining = true;
	if (p->queue.n == 0) {
		peer_leave(p, STOP);
	} else if (p->state == UP) {
		p->due = true;
		send_due(p);
	} else {
		p->last_try = p->state != CLOSING;
		if (p->state == WAITING || p->state == IDLE)
			connect_start(p);
	}
}

void peer_give_up(struct peer *p)
{
	if (p->state != STOPPED && (p->state != CLOSING || p->after != STOP))
		peer_leave(p, STOP);
}

void peer_free(struct peer *p)
{
	if (p == NULL)
		return;
	queue_free(&p->queue);
	spool_free(p->spool);
	p->spool = NULL;
	peer_count(p);
	datagram_close(p);
	sat_tls_close(p->tls, NULL);
	sat_buf_free(&p->in);
	free(p);
}

void peer_figures(const struct peer *p, struct master_figures *f)
{
	f->up = f->up && (p->answers || p->sender->stopping);
	f->queued += (double)peer_waiting(p);
	f->spooled += p->spool != NULL ? (double)spool_on_disk(p->spool) : 0;
	f->acknowledged += (double)p->acknowledged;
	f->dropped += (double)p->dropped;
}
