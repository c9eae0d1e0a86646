/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alert - what SAT_ALERTS operators hand over: kept until it is sent, here or by another master.
 *
 * A delivery is in its node's outbox until send() has it; from then on it belongs to
 * nobody but the output, which may outlive the node.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "alert.h"
#include "claim.h"
#include "clock.h"
#include "delivery.h"
#include "hash.h"
#include "lead.h"

#define KEPT_FOR	(120 * SAT_SECOND)
#define PATIENCE	(5 * SAT_SECOND)	/* for the log, of who acts */
#define MINUTE		(60 * SAT_SECOND)

enum { KEPT_MAX = 1000, TICK_MS = 250 };

struct sat_delivery {
	struct sat_delivery *next;
	struct delivery_id base, id;	/* id: with the minute, where it has one */
	int64_t minute;			/* INT64_MIN: it is known by a time of its sender's */
	int64_t since, acting;		/* clock_boot(): when it came; since when we act, 0: we do not */
	uint64_t claim;			/* the number of the write that claims it; 0: none yet */
	bool list;
	uint32_t n;
	const struct sat_event *evs[];
};

struct outbox {
	struct outbox *next, **at;
	struct node *node;
	struct sat_delivery *first, **last;
	uint32_t n;
	struct sat_log_limit limit;
};

static struct {
	struct outbox *outboxes;
	uv_timer_t timer;
	bool has_timer, ticks;
} alerts;

/* ---- Ids ---------------------------------------------------------------- */

static void mix_text(struct delivery_id *id, const char *s)
{
	hash_lasting(id->v, s != NULL ? "t" : "n", 1);
	if (s != NULL)
		hash_lasting(id->v, s, strlen(s) + 1);
}

static void mix_event(struct sat_delivery *d, const struct sat_event *ev)
{
	mix_text(&d->base, ev->host);
	mix_text(&d->base, ev->service);
	mix_text(&d->base, ev->state);
	if (ev->has & SAT_HAS_STAMP)
		d->minute = ev->time / MINUTE;
	else if (ev->has & SAT_HAS_TIME)
		hash_lasting(d->base.v, &ev->time, sizeof(ev->time));
}

static struct delivery_id id_of(const struct sat_delivery *d, int64_t later)
{
	struct delivery_id id = d->base;
	int64_t minute = d->minute + later;

	if (d->minute != INT64_MIN)
		hash_lasting(id.v, &minute, sizeof(minute));
	return id;
}

/* All that two masters' alerts have in common. */
static void identify(struct sat_delivery *d, const struct sat_at *at, const char *key)
{
	memcpy(d->base.v, hash_basis, sizeof(hash_basis));
	hash_lasting(d->base.v, at->node->key, sizeof(at->node->key));
	for (const struct fork *f = at->fork; f != NULL; f = f->parent) {
		hash_lasting(d->base.v, &f->key_len, sizeof(f->key_len));
		hash_lasting(d->base.v, f->key, f->key_len);
	}
	d->minute = INT64_MIN;
	mix_text(&d->base, key);
	for (uint32_t i = 0; key == NULL && i < d->n; i++)
		mix_event(d, d->evs[i]);
	d->id = id_of(d, 0);
}

/* What another has written of it; where that is in the minute next to ours, it is known by his id. */
static enum delivery_mark marked(struct sat_delivery *d)
{
	static const int64_t later[] = { 0, -1, 1 };

	for (size_t i = 0; i < (d->minute != INT64_MIN ? 3 : 1); i++) {
		struct delivery_id id = id_of(d, later[i]);
		bool ours;
		enum delivery_mark mark = delivery_look(&id, &ours);

		if (mark == DELIVERY_NONE || ours)
			continue;
		d->id = id;
		return mark;
	}
	return DELIVERY_NONE;
}

/* ---- Deliveries --------------------------------------------------------- */

static void free_delivery(struct sat_delivery *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		sat_drop(d->evs[i]);
	free(d);
}

static struct sat_delivery *make(const struct sat_at *at, const struct sat_item *item, const char *key)
{
	struct sat_delivery *d = calloc(1, sizeof(*d) + item->n * sizeof(*d->evs));

	if (d == NULL)
		return NULL;
	d->since = clock_boot();
	d->list = item->list;
	for (; d->n < item->n; d->n++) {
		d->evs[d->n] = event_keep(item->evs[d->n]);
		if (d->evs[d->n] == NULL) {
			free_delivery(d);
			return NULL;
		}
	}
	identify(d, at, key);
	return d;
}

void sat_alert_done(struct sat_delivery *d, int rc)
{
	self_add(rc == 0 ? SELF_ALERTS_SENT : SELF_ALERTS_FAILED, 1);
	if (rc == 0 && claim_used())
		delivery_write(&d->id, DELIVERY_SENT);
	free_delivery(d);
	if (rc == 0)
		delivery_turn();
}

static int send_it(struct outbox *o, struct sat_delivery *d)
{
	const struct sat_item item = { d->evs, d->n, d->list };
	char id[33];
	struct sat_alert alert = { .size = sizeof(alert), .id = id, .path = o->node->handle->path, .item = &item,
				   .delivery = d };
	int rc;

	snprintf(id, sizeof(id), "%016" PRIx64 "%016" PRIx64, d->id.v[0], d->id.v[1]);
	rc = o->node->op->send(o->node->def, &alert);
	if (rc != -EINPROGRESS)
		sat_alert_done(d, rc);
	return rc != -EINPROGRESS ? rc : 0;
}

/* ---- Outboxes ----------------------------------------------------------- */

static struct outbox *outbox_of(struct node *n)
{
	struct outbox *o = n->outbox;

	if (o != NULL)
		return o;
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return NULL;
	*o = (struct outbox){ .node = n, .last = &o->first, .next = alerts.outboxes, .at = &alerts.outboxes };
	if (o->next != NULL)
		o->next->at = &o->next;
	alerts.outboxes = o;
	n->outbox = o;
	return o;
}

static void append(struct outbox *o, struct sat_delivery *d)
{
	*o->last = d;
	o->last = &d->next;
	o->n++;
	self_add(SELF_ALERTS_KEPT, 1);
}

static struct sat_delivery *take_first(struct outbox *o)
{
	struct sat_delivery *d = o->first;

	o->first = d->next;
	if (o->first == NULL)
		o->last = &o->first;
	d->next = NULL;
	o->n--;
	self_add(SELF_ALERTS_KEPT, -1);
	return d;
}

enum fate { FATE_WAITS, FATE_GOES, FATE_FORGOTTEN };

/* Who acts sends what he has claimed, or could not claim for long. */
static enum fate claim(struct sat_delivery *d, int64_t now)
{
	if (d->acting == 0)
		d->acting = now;
	if (d->claim != 0 && d->claim <= delivery_written())
		return FATE_GOES;
	if (now - d->acting > PATIENCE) {
		self_add(SELF_ALERTS_UNLOGGED, 1);
		return FATE_GOES;
	}
	if (d->claim == 0 && delivery_known())
		d->claim = delivery_write(&d->id, DELIVERY_CLAIMED);
	return FATE_WAITS;
}

static enum fate judge(struct sat_delivery *d, enum lead_alerts way)
{
	int64_t now = clock_boot();

	if (marked(d) == DELIVERY_SENT) {
		self_add(SELF_ALERTS_KNOWN, 1);
		return FATE_FORGOTTEN;
	}
	if (way == LEAD_LOG)
		return claim(d, now);
	d->acting = 0;
	d->claim = 0;
	/* Who acts now was not there yet, so cannot have it: it goes out from here. */
	if (way == LEAD_SEND || (delivery_known() && claim_came_before(d->since)))
		return FATE_GOES;
	if (now - d->since <= KEPT_FOR)
		return FATE_WAITS;
	self_add(SELF_ALERTS_EXPIRED, claim_used());
	return FATE_FORGOTTEN;
}

/* It goes, is kept, or is forgotten. */
static int settle(struct outbox *o, struct sat_delivery *d)
{
	switch (judge(d, lead_alerts())) {
	case FATE_WAITS:
		append(o, d);
		return 0;
	case FATE_GOES:
		return send_it(o, d);
	default:
		free_delivery(d);
		return 0;
	}
}

/* Once for each that was there; the last error of those that went. */
static int turn(struct outbox *o)
{
	int failed = 0, rc;

	for (uint32_t left = o->n; left > 0 && o->first != NULL; left--) {
		rc = settle(o, take_first(o));
		failed = rc != 0 ? rc : failed;
	}
	return failed;
}

static void tick(uv_timer_t *timer)
{
	(void)timer;
	alerts_turn();
}

/* As long as there is something to wait for. */
static void tick_if(bool more)
{
	if (!alerts.has_timer || more == alerts.ticks)
		return;
	alerts.ticks = more;
	if (more)
		uv_timer_start(&alerts.timer, tick, TICK_MS, TICK_MS);
	else
		uv_timer_stop(&alerts.timer);
}

void alerts_turn(void)
{
	bool more = delivery_turn();

	for (struct outbox *o = alerts.outboxes; o != NULL; o = o->next) {
		int rc = turn(o);

		if (rc != 0 && sat_log_allowed(NULL, &o->limit, 1, 10 * SAT_SECOND))
			log_line(LOG_WARNING, o->node->handle->path, "%s: %s", o->node->op->name, strerror(-rc));
		more = more || o->n != 0;
	}
	more = delivery_turn() || more;
	tick_if(more);
}

void alerts_hurry(void)
{
	alerts_turn();
	for (struct outbox *o = alerts.outboxes; o != NULL; o = o->next)
		for (uint32_t left = o->n; left > 0 && o->first != NULL; left--) {
			struct sat_delivery *d = take_first(o);

			if (d->acting != 0)
				send_it(o, d);
			else
				append(o, d);
		}
}

/* ---- From item() -------------------------------------------------------- */

/* The oldest goes first. */
static void make_room(struct outbox *o)
{
	if (o->n < KEPT_MAX)
		return;
	free_delivery(take_first(o));
	self_add(SELF_ALERTS_DROPPED, 1);
}

static bool sends(const struct sat_op *op)
{
	return (op->flags & SAT_ALERTS) && op->size >= sizeof(*op) && op->send != NULL;
}

int sat_alert(const struct sat_at *at, const struct sat_item *item, const char *key)
{
	struct sat_delivery *d;
	struct outbox *o;
	int rc;

	if (!sends(at->node->op))
		return sat_fail(at, -EINVAL, "it does not say that it alerts");
	if (item->n == 0 || sat_shown(at, at->node->op->name, NULL, item))
		return 0;
	o = outbox_of(at->node);
	d = o != NULL ? make(at, item, key) : NULL;
	if (d == NULL)
		return sat_fail(at, -ENOMEM, "no memory for an alert");
	if (lead_alerts() == LEAD_SEND)	/* those before it first */
		turn(o);
	make_room(o);
	rc = settle(o, d);
	tick_if(delivery_turn() || o->n != 0 || alerts.ticks);
	return rc;
}

/* ---- The life of it ----------------------------------------------------- */

void alerts_adopt(struct node *next, struct node *prev)
{
	if (prev->outbox == NULL)
		return;
	next->outbox = prev->outbox;
	next->outbox->node = next;
	prev->outbox = NULL;
}

void alerts_forget(struct node *n)
{
	struct outbox *o = n->outbox;

	if (o == NULL)
		return;
	while (o->first != NULL) {
		free_delivery(take_first(o));
		self_add(SELF_ALERTS_DROPPED, 1);
	}
	*o->at = o->next;
	if (o->next != NULL)
		o->next->at = o->at;
	free(o);
	n->outbox = NULL;
}

static void acting(void *state, bool acts)
{
	(void)state, (void)acts;
	alerts_turn();
}

int alerts_init(void)
{
	int rc = 0;

	delivery_init(alerts_turn);
	if (self_process.loop != NULL && !alerts.has_timer) {
		rc = uv_timer_init(self_process.loop, &alerts.timer);
		alerts.has_timer = rc == 0;
		if (rc == 0)
			uv_unref((uv_handle_t *)&alerts.timer);
	}
	return rc == 0 ? sat_on_acting(&self_host, acting) : rc;
}

void alerts_end(void)
{
	lead_forget(&self_host);
	delivery_use(NULL);
	if (alerts.has_timer)
		uv_close((uv_handle_t *)&alerts.timer, NULL);
	alerts.has_timer = alerts.ticks = false;
}
