/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send - records that another store lacks go there, from the master that acts.
 *
 * They come out of the file, some hundred at a time, and are marked there once they
 * are taken: so they outlive a restart.  A record is put where there is none; where
 * there is one it is looked at, and the one of which the task ended last stays.  What
 * takes the place of others bears their clock, so that a Riak that keeps siblings
 * (allow_mult) makes one of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riak.h"

static int begin(struct put *p);

static struct put *idle_put(struct riak *r)
{
	int most = r->ill ? 1 : PARALLEL;

	for (int i = 0; i < most; i++)
		if (r->puts[i].record == NULL)
			return &r->puts[i];
	return NULL;
}

static bool may_send(const struct riak *r)
{
	return !r->stopping && sat_acting() && sat_clock() >= r->not_before;
}

void send_let_go(struct riak *r, struct record *list)
{
	for (const struct record *x = list; x != NULL; x = x->next)
		sat_release(r->self, SAT_QUEUES, x->size);
	records_free(list);
}

static void end(struct put *p, bool done)
{
	struct riak *r = p->r;
	struct record **to = done ? &r->sent : &r->todo;

	p->record->next = *to;
	*to = p->record;
	p->record = NULL;
	look_free(&p->look);
	free(p->clock);
	p->clock = NULL;
	r->n_puts--;
}

void send_pump(struct riak *r)
{
	struct put *p;

	while (r->todo != NULL && may_send(r) && (p = idle_put(r)) != NULL) {
		*p = (struct put){ .r = r, .record = r->todo, .url = r->url };
		r->todo = r->todo->next;
		p->record->next = NULL;
		r->n_puts++;
		if (begin(p) == 0)
			continue;
		end(p, false);
		riak_trouble(r, r->url, "PUT", &(struct sat_answer){ .size = sizeof(struct sat_answer), .rc = -ENOMEM });
	}
	if (r->todo != NULL && (r->stopping || !sat_acting())) {
		send_let_go(r, r->todo);	/* they are in the file */
		r->todo = NULL;
	}
}

/* ---- One record --------------------------------------------------------- */

static void go_on(struct riak *r)
{
	send_pump(r);
	if (r->stopping)
		keep_idle(r->t);
	else if (riak_wants(r) && !r->t->lost)
		keep_turn(r->t);
}

static void taken(struct put *p)
{
	struct riak *r = p->r;

	sat_count(r->self, COUNT_SENT, 1);
	end(p, true);
	riak_well(r);
}

/* This one alone, it seems. */
static void refused(struct put *p, const char *why)
{
	struct riak *r = p->r;

	sat_count(r->self, COUNT_NOT_TAKEN, 1);
	if (sat_log_allowed(r->self, &r->refusals, 5, 60 * SAT_SECOND))
		sat_log(r->self, LOG_WARNING, "%s: the record of task %.200s is not taken, and is kept here alone: %s",
			r->urls[p->url], p->record->f[TASK], why);
	end(p, true);
}

static void failed(struct put *p, const char *what, const struct sat_answer *answer)
{
	struct riak *r = p->r;

	end(p, false);
	if (!r->stopping)
		riak_trouble(r, p->url, what, answer);
}

static void again_over(struct put *p)
{
	p->over = true;
	p->clock = p->look.clock;
	p->look.clock = NULL;
	look_free(&p->look);
	if (begin(p) != 0)
		failed(p, "PUT", &(struct sat_answer){ .size = sizeof(struct sat_answer), .rc = -ENOMEM });
}

/* What was there: may it stay? */
static void looked(struct look *l, int rc, const char *why)
{
	struct put *p = SAT_OWNER(l, struct put, look);
	struct riak *r = p->r;
	bool lacks = rc == -ENOENT || rc == -EBADMSG || (rc == 0 && l->stored == NULL);

	if (rc == 0 && l->stored != NULL && l->stored->time >= p->record->time) {
		end(p, true);
		riak_well(r);
	} else if (r->stopping) {
		end(p, false);
	} else if (rc == 0 || lacks) {
		again_over(p);
	} else {
		failed(p, "GET", &(struct sat_answer){ .size = sizeof(struct sat_answer), .rc = rc, .error = why });
	}
	go_on(r);
}

static void look(struct put *p)
{
	p->look = (struct look){ .r = p->r, .url = p->url, .id = p->record->f[TASK], .done = looked };
	if (look_begin(&p->look) != 0)
		failed(p, "GET", &(struct sat_answer){ .size = sizeof(struct sat_answer), .rc = -ENOMEM });
}

static void heard(void *arg, const struct sat_answer *answer)
{
	struct put *p = arg;
	struct riak *r = p->r;
	int status = answer->rc == 0 ? answer->status : 0;
	char why[32];

	p->call = NULL;
	snprintf(why, sizeof(why), "it answers %d", status);
	if (status == 200 || status == 201 || status == 204 || status == 300)
		taken(p);
	else if (status == 412 && !p->over && !r->stopping)
		look(p);
	else if (status == 400 || status == 413 || status == 414)
		refused(p, why);
	else
		failed(p, "PUT", answer);
	go_on(r);
}

/* Where there is none; or over what is there. */
static struct sat_call *put(struct put *p, const struct sat_buf *body)
{
	struct sat_fetch what = p->r->how;

	what.method = "PUT";
	what.headers = (const char *const []){ "Content-Type: application/json", p->over ? p->clock : "If-None-Match: *",
		NULL };
	what.body = body->p;
	what.body_len = body->len;
	what.done = heard;
	return riak_ask(p->r, p->url, &what, p->record->f[TASK], "", p);
}

static int begin(struct put *p)
{
	struct sat_buf body = { .max = (size_t)1 << 20 };

	if (!riak_legal(p->record->f[TASK])) {
		refused(p, "such an id can be no key");
		return 0;
	}
	record_print(&body, FORM_STATE, p->record->f, p->record->time);
	p->call = body.full ? NULL : put(p, &body);
	sat_buf_free(&body);
	return p->call != NULL ? 0 : -ENOMEM;
}

void send_stop(struct riak *r)
{
	for (int i = 0; i < PARALLEL; i++) {
		sat_fetch_cancel(r->puts[i].call);
		sat_fetch_cancel(r->puts[i].look.call);
	}
	send_pump(r);
}

/* ---- With the file ------------------------------------------------------ */

static bool is_idle(const struct riak *r)
{
	return r->todo == NULL && r->n_puts == 0;
}

bool riak_wants(const struct riak *r)
{
	return r != NULL && !r->stopping && is_idle(r) && (r->sent != NULL ||
	       (r->unsent > 0 && may_send(r)));
}

void riak_before(struct riak *r, struct db *d)
{
	d->sent = d->batch = NULL;
	d->want = 0;
	d->skipped = 0;
	if (r == NULL)
		return;
	d->sent = r->sent;
	r->sent = NULL;
	d->want = is_idle(r) && may_send(r) && !sat_dry_run() ? BATCH : 0;
}

/* What there is no room for comes with a later one. */
static void take_batch(struct riak *r, struct record *list)
{
	struct record **end = &r->todo;

	while (*end != NULL)
		end = &(*end)->next;
	while (list != NULL && sat_reserve(r->self, SAT_QUEUES, list->size) == 0) {
		*end = list;
		list = list->next;
		end = &(*end)->next;
		*end = NULL;
	}
	if (list != NULL && is_idle(r)) {
		r->not_before = sat_clock() + SAT_SECOND;
		sat_alarm_set(r->self, &r->again, r->not_before);
	}
	records_free(list);
}

void riak_after(struct riak *r, struct db *d, int rc)
{
	struct record **end = &d->sent;

	if (r == NULL)
		return;
	while (rc != 0 && *end != NULL)
		end = &(*end)->next;
	if (rc != 0) {
		*end = r->sent;
		r->sent = d->sent;
	} else {
		send_let_go(r, d->sent);
		sat_count(r->self, COUNT_SKIPPED, d->skipped);
		r->unsent = d->unsent;
		sat_gauge(r->self, COUNT_UNSENT, r->unsent);
	}
	d->sent = NULL;
	take_batch(r, d->batch);
	d->batch = NULL;
	send_pump(r);
}
