/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life - the setup that runs, and those that end.
 *
 * A setup ends in phases, each of which waits for the one before: checks, doors,
 * outputs, then the other instances that no running setup holds.  What happens
 * next is looked at on a timer, never from inside an instance's callback.
 */
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "account.h"
#include "alert.h"
#include "check.h"
#include "client.h"
#include "delivery.h"
#include "engine.h"
#include "isolate.h"
#include "life.h"
#include "log.h"
#include "origin.h"
#include "routes.h"
#include "store.h"

#define END_MS		5000
#define CHECKS_MS	2500	/* for checks, where all ends: what follows needs time, too */

enum phase { PHASE_CHECKS, PHASE_DOORS, PHASE_STREAMS, PHASE_INSTANCES };

static struct {
	struct setup *running, *ending;
	void (*quiet)(void);
	void (*done)(void);
	uv_timer_t timer;
	bool left;		/* checks, which may still use what they had */
} life;

static void turn(uv_timer_t *timer);

static void wake(void)
{
	uv_timer_start(&life.timer, turn, 0, 0);
}

static void print_checks(struct sat_buf *out)
{
	if (life.running != NULL)
		checks_print(life.running->checks, out);
	else
		sat_buf_printf(out, "[]");
}

int life_init(void)
{
	routes_status("checks", print_checks);
	return uv_timer_init(self_process.loop, &life.timer);
}

void life_end(void)
{
	uv_close((uv_handle_t *)&life.timer, NULL);
}

struct setup *life_setup(void)
{
	return life.running;
}

/* ---- Starting ----------------------------------------------------------- */

/* One of the same name must be gone first, if it goes in time. */
static bool waits(const struct instance *i)
{
	for (const struct setup *s = life.ending; s != NULL; s = s->next) {
		const struct instance *before = setup_find(s, i->self.name);

		if (before != NULL && before != i && before->stage != INSTANCE_STOPPED && s->deadline != UINT64_MAX)
			return true;
	}
	for (const struct instance_tie *tie = i->ties; tie != NULL; tie = tie->next)
		if (tie->link != NULL && waits(instance_of(store_of(tie->link))))
			return true;
	return false;
}

/* Serve all, and start what may start; when to try again. */
static uint64_t start(struct setup *s)
{
	uint64_t now = uv_now(self_process.loop), next = UINT64_MAX;

	for (size_t k = 0; k < s->n; k++) {
		struct instance *i = s->list[k];

		if (instance_serve(i, true) != 0)
			next = now + INSTANCE_RETRY_MS < next ? now + INSTANCE_RETRY_MS : next;
		if (i->stage != INSTANCE_OPEN || waits(i))
			continue;
		if (i->retry > now || (i->self.isolated != NULL ? isolate_start(i, s) : instance_start(i)) != 0)
			next = i->retry < next ? i->retry : next;
	}
	return next;
}

/* ---- Ending ------------------------------------------------------------- */

static void ended(void *arg)
{
	struct setup *s = arg;

	s->pending--;
	wake();
}

static void instance_ended(struct instance *i)
{
	(void)i;
	wake();
}

static void checks_ended(void *arg)
{
	struct setup *s = arg;

	if (s->phase == PHASE_CHECKS)
		ended(s);
}

/* Whether another that still lives uses this one. */
static bool wanted(const struct setup *s, const struct instance *i)
{
	for (size_t k = 0; k < s->n; k++) {
		const struct instance *user = s->list[k];

		if (user == i || user->stage == INSTANCE_STOPPED)
			continue;
		for (const struct instance_tie *tie = user->ties; tie != NULL; tie = tie->next) {
			if (tie->link != NULL && store_of(tie->link) == &i->self)
				return true;
			if (tie->kind == TIE_SERVICE && i->self.module->http_client != NULL &&
			    strcmp(tie->name, "http-client") == 0)
				return true;
		}
	}
	return false;
}

/* It only brings events in: nothing else would miss it. */
static bool door(const struct instance *i)
{
	const struct sat_module *m = i->self.module;

	/* What is isolated takes in nothing here, and operators have no part in its process. */
	return (m->ops == NULL || i->self.isolated != NULL) && m->store == NULL && m->http_client == NULL && m->tls == NULL;
}

/* Begin to stop those that may; true: all have stopped. */
static bool stop(struct setup *s, bool only_doors)
{
	bool all = true;

	for (size_t k = s->n; k-- > 0;) {
		struct instance *i = s->list[k];

		if (only_doors && !door(i))
			continue;
		if (i->stage < INSTANCE_STOPPING && !wanted(s, i))
			instance_stop(i, instance_ended);
		all = all && i->stage == INSTANCE_STOPPED;
	}
	return all;
}

static void enter(struct setup *s, enum phase phase)
{
	s->phase = phase;
	if (phase == PHASE_CHECKS) {
		s->pending = 1;
		/* Those of an isolated process its parent takes back. */
		checks_stop(s->checks, s->last && self_process.isolated == NULL, checks_ended, s);
	}
	if (phase == PHASE_STREAMS) {
		if (s->last) {
			life.quiet();
			alerts_hurry();
			lead_mode(LEAD_STORE, NULL);
			delivery_use(NULL);
			origin_allow(NULL);
			engine_swap(NULL);
		}
		s->pending = 1;
		streams_stop(s->streams, ended, s);
	}
}

/* As far as it gets; true: all of it has ended. */
static bool end(struct setup *s)
{
	if (s->phase == PHASE_CHECKS && s->pending == 0)
		enter(s, PHASE_DOORS);
	if (s->phase == PHASE_DOORS && stop(s, true))
		enter(s, PHASE_STREAMS);
	if (s->phase == PHASE_STREAMS && s->pending == 0)
		enter(s, PHASE_INSTANCES);
	return s->phase == PHASE_INSTANCES && stop(s, false);
}

static void log_check(void *arg, const char *service)
{
	(void)arg;
	log_line(LOG_ERR, NULL, "check %s: still running", service);
}

static void log_overdue(const struct setup *s)
{
	if (s->phase == PHASE_CHECKS)
		checks_each_running(s->checks, log_check, NULL);
	if (s->phase == PHASE_STREAMS)
		log_line(LOG_ERR, NULL, "streams: outputs have not stopped");
	for (size_t k = 0; k < s->n; k++)
		if (s->list[k]->stage == INSTANCE_STOPPING)
			log_line(LOG_ERR, s->list[k]->self.name, "has not stopped");
}

bool life_overdue(void)
{
	bool lost = false;

	for (struct setup *s = life.ending; s != NULL; s = s->next) {
		log_overdue(s);
		lost = lost || (s->last && s->phase < PHASE_INSTANCES);
	}
	return lost;
}

static uint64_t due(const struct setup *s)
{
	return s->deadline - (s->last && s->phase == PHASE_CHECKS ? END_MS - CHECKS_MS : 0);
}

/* A check that hangs keeps nothing else from its end: outputs send what they have, all is saved. */
static void leave_checks(struct setup *s)
{
	log_overdue(s);
	life.left = true;
	enter(s, PHASE_DOORS);
}

bool life_left(void)
{
	return life.left;
}

/* Free what has ended; what is overdue stays, since it may still be in use. */
static uint64_t end_all(void)
{
	uint64_t now = uv_now(self_process.loop), next = UINT64_MAX;

	for (struct setup **at = &life.ending, *s; (s = *at) != NULL;) {
		if (s->last && s->phase == PHASE_CHECKS && due(s) <= now)
			leave_checks(s);
		if (end(s)) {
			*at = s->next;
			if (!s->last || !life.left)
				setup_free(s);
			continue;
		}
		if (s->deadline <= now) {
			log_overdue(s);
			s->deadline = UINT64_MAX;
		}
		next = due(s) < next ? due(s) : next;
		at = &s->next;
	}
	return next;
}

static void turn(uv_timer_t *timer)
{
	uint64_t next = end_all(), again = life.running != NULL ? start(life.running) : UINT64_MAX;
	uint64_t now = uv_now(self_process.loop);
	void (*done)(void) = life.done;

	if (again < next)
		next = again;
	if (done != NULL && life.ending == NULL) {
		life.done = NULL;
		uv_close((uv_handle_t *)timer, NULL);
		done();
	} else if (next != UINT64_MAX && !uv_is_active((uv_handle_t *)timer)) {
		uv_timer_start(timer, turn, next > now ? next - now : 0, 0);
	}
}

/* ---- Swapping ----------------------------------------------------------- */

/* The first that offers this service to others. */
static struct sat_self *http_client(const struct setup *s)
{
	for (size_t k = 0; k < s->n; k++)
		if (s->list[k]->self.module->http_client != NULL)
			return &s->list[k]->self;
	return NULL;
}

/* Those that the next one holds, too, are no longer ours. */
static void keep_own(struct setup *s)
{
	size_t n = 0;

	for (size_t k = 0; k < s->n; k++) {
		if (s->list[k]->users > 1) {
			s->list[k]->users--;
			continue;
		}
		instance_serve(s->list[k], false);
		s->list[n++] = s->list[k];
	}
	s->n = n;
}

/* From here on it counts as ending; enter() begins. */
static void retire(struct setup *s)
{
	s->deadline = uv_now(self_process.loop) + END_MS;
	s->next = life.ending;
	life.ending = s;
}

static void run_streams(struct setup *s)
{
	struct index_conf index;

	top_use(s->top);
	origin_allow(top_origins(s->top));
	top_index(s->top, &index);
	index_init(&index);
	account_limit(top_memory(s->top));
	engine_swap(s->streams);
}

void life_swap(struct setup *s)
{
	struct setup *old = life.running;

	life.running = s;
	if (old != NULL) {
		keep_own(old);
		retire(old);
	}
	client_use(http_client(s));
	start(s);
	run_streams(s);
	lead_mode(s->leader, setup_shared_store(s));
	delivery_use(setup_shared_store(s));
	checks_adopt(s->checks, old != NULL ? old->checks : NULL);
	if (old != NULL)
		enter(old, PHASE_CHECKS);
	/* Now, so that old doors take nobody in that they would turn out at once. */
	turn(&life.timer);
}

void life_stop(void (*quiet)(void), void (*done)(void))
{
	struct setup *s = life.running;

	life.running = NULL;
	life.quiet = quiet;
	life.done = done;
	if (s != NULL) {
		s->last = true;
		retire(s);
		enter(s, PHASE_CHECKS);
	}
	wake();
}
