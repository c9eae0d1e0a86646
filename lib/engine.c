/* SPDX-License-Identifier: Apache-2.0 */
/* engine - the queue of inputs, pushes, timers, the reaper: what turns. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "clock.h"
#include "engine.h"
#include "json.h"
#include "probe.h"
#include "recorder.h"
#include "save.h"
#include "search.h"
#include "self.h"
#include "slow.h"
#include "timer.h"
#include "topic.h"
#include "walk.h"
#include "wire.h"

enum {
	ANSWER = 64 << 20,	/* bytes of an answer, where nothing else is said */
	REPLY_KEPT = 65536,	/* bytes of memory for replies that stay */
	QUEUE = 1 << 20,	/* inputs that may wait */
	HOPS = 8,		/* emits in a row that came of one another */
	LONGEST_FOR = 10 * SAT_SECOND,	/* that the longest turn is shown at least */
	SLICE = 4096,		/* inputs or expiries of one turn, then sockets again */
};

static struct streams *streams;
static struct { struct event **v; size_t first, n, size; } queue;	/* a ring, size a power of 2 */
static struct arena message;	/* of the message, or the reaper's turn, under way */
static struct sat_buf reply = { .max = 1 << 20 };	/* to the message; its memory stays for the next */
static int64_t swept;
static struct topic *indexed;		/* "index" */
static int (*relay)(const struct sat_event *ev, unsigned entry);
static bool (*slices)(void);

static bool live;
static uv_prepare_t prepare;
static uv_check_t check;
static uv_timer_t waker;
static struct { uint64_t at, idle, since, longest[2]; } turns;	/* longest: of this while, and the one before */

/* ---- Inputs ------------------------------------------------------------- */

static int queue_room(void)
{
	size_t more = queue.size != 0 ? 2 * queue.size : 256;
	struct event **v;

	if (queue.n < queue.size)
		return 0;
	if (queue.n >= QUEUE)
		return -ENOBUFS;
	v = malloc(more * sizeof(struct event *));
	if (v == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < queue.n; i++)
		v[i] = queue.v[(queue.first + i) & (queue.size - 1)];
	free(queue.v);
	queue.v = v;
	queue.first = 0;
	queue.size = more;
	return 0;
}

static int append(struct event *ev)
{
	int rc = queue_room();

	if (rc != 0) {
		self_add(SELF_EMIT_DROPPED, 1);
		sat_drop(&ev->pub);
		return rc;
	}
	queue.v[(queue.first + queue.n++) & (queue.size - 1)] = ev;
	return 0;
}

int engine_emit(const struct sat_event *ev, uint32_t hops, const char *host)
{
	struct event *copy;

	if (hops > HOPS) {
		self_add(SELF_HOPS_DROPPED, 1);
		return -ELOOP;
	}
	if (host != NULL && ev->host == NULL) {
		struct sat_event with = { 0 };

		memcpy(&with, ev, ev->size < sizeof(with) ? ev->size : sizeof(with));
		with.size = sizeof(with);
		with.host = host;
		copy = event_copy(&with);
	} else {
		copy = event_copy(ev);
	}
	if (copy == NULL)
		return -ENOMEM;
	copy->hops = hops;
	if (!(copy->pub.has & SAT_HAS_TIME) && host != NULL) {
		copy->pub.time = clock_wall();
		copy->pub.has |= SAT_HAS_TIME | SAT_HAS_STAMP;
	}
	return append(copy);
}

void engine_relay(int (*to)(const struct sat_event *ev, unsigned entry))
{
	relay = to;
	probes_relay(to);
}

int sat_emit_event(struct sat_self *self, const struct sat_event *ev)
{
	int rc;

	(void)self;
	if (relay != NULL)
		return relay(ev, 0);
	rc = engine_emit(ev, streams_pushing() ? streams_hops() + 1 : 0, sat_host());
	if (record_on && rc == 0 && !streams_pushing())
		recorder_event(&queue.v[(queue.first + queue.n - 1) & (queue.size - 1)]->pub);
	return rc;
}

size_t engine_waiting(void)
{
	return queue.n;
}

static int push(struct event *ev)
{
	if (__builtin_expect(relay != NULL, 0))
		return relay(&ev->pub, 0);
	return streams != NULL ? streams_push(streams, ev) : 0;
}

static void push_first(void)
{
	struct event *ev = queue.v[queue.first & (queue.size - 1)];

	queue.first++;
	queue.n--;
	self_add(SELF_EVENTS, 1);
	push(ev);
	sat_drop(&ev->pub);
}

/* ---- Turning ------------------------------------------------------------ */

static bool fire_one(int64_t now)
{
	struct sat_timer *t;
	struct sat_alarm *a;

	if (save_busy())
		streams_save_timer(timer_due(now));
	if (!timer_pop(now, &t, &a))
		return false;
	if (t != NULL)
		streams_fire(t);
	else
		a->fire(a);
	return true;
}

static void expired(void *arg, struct event *ev, const struct sat_event *was)
{
	const struct sat_event *one = &ev->pub;
	struct event *copy = event_copy(&ev->pub);

	(void)arg;
	(void)was;
	sat_publish(&self_host, "index", &(struct sat_item){ &one, 1, false }, false);
	if (copy != NULL)
		append(copy);
}

static bool reap(void)
{
	int64_t before = self_get(SELF_EXPIRED);
	bool more = index_reap(clock_steady(), live ? SLICE : UINT32_MAX, &message, expired, NULL);

	events_settle();
	arena_reset(&message);
	if (record_on && self_get(SELF_EXPIRED) != before)
		recorder_expire();
	return more;
}

void engine_reap(void)
{
	reap();
}

static void sweep(void)
{
	if (streams == NULL || clock_steady() - swept < SAT_SECOND)
		return;
	swept = clock_steady();
	streams_sweep(streams);
}

void engine_run(void)
{
	size_t left = live ? SLICE : SIZE_MAX;

	do {
		while (left > 0 && fire_one(clock_steady()))
			left--;
		while (left > 0 && queue.n > 0 && timer_next() > clock_steady()) {
			push_first();
			left--;
		}
	} while (left > 0 && (queue.n > 0 || timer_next() <= clock_steady()));
	sweep();
}

void engine_move(int64_t t)
{
	if (t <= clock_steady())
		return;
	while (timer_next() <= t) {
		clock_set(timer_next());
		engine_run();
	}
	clock_set(t);
	engine_run();
}

/* Lines of one time are one turn, as the events of a message are: what they
 * arm for now fires when the clock goes on. */
int engine_input(struct event *ev)
{
	int rc;

	self_add(SELF_EVENTS, 1);
	rc = push(ev);
	while (queue.n > 0)
		push_first();
	return rc;
}

/* ---- The loop ----------------------------------------------------------- */

/* How long turns take, less the sleep: others wait as long. */
static void measure(struct uv_loop_s *loop)
{
	uint64_t now = uv_hrtime() / 1000, idle = uv_metrics_idle_time(loop) / 1000;
	uint64_t took = turns.at != 0 ? now - turns.at - (idle - turns.idle) : 0;

	self_add(SELF_BUSY, (int64_t)took);
	if (took > turns.longest[0])
		turns.longest[0] = took;
	if (now - turns.since > LONGEST_FOR) {
		turns.since = now;
		turns.longest[1] = turns.longest[0];
		turns.longest[0] = 0;
	}
	took = turns.longest[turns.longest[0] < turns.longest[1]];
	if (took != (uint64_t)self_get(SELF_LONGEST_TURN))
		self_set(SELF_LONGEST_TURN, (int64_t)took);
	turns.at = now;
	turns.idle = idle;
}

void engine_slices(bool (*slice)(void))
{
	slices = slice;
}

static void wake(uv_timer_t *t)
{
	(void)t;
}

/* Before the loop sleeps: do what is due, and say when to wake. */
static void turn(uv_prepare_t *p)
{
	int64_t next, now;
	bool more = false;

	engine_run();
	if (!clock_late() && index_next() <= clock_steady()) {
		more = reap();
		engine_run();
	}
	more = search_turn() || more;
	more = walk_turn() || more;
	more = (slices != NULL && slices()) || more;
	more = save_turn() || more;
	now = clock_steady();
	next = timer_next();
	if (!clock_late() && index_next() < next)
		next = index_next();
	if (clock_late() && next > now + SAT_SECOND)
		next = now + SAT_SECOND;
	if (streams != NULL && streams_forks(streams) > 1 && next > swept + 10 * SAT_SECOND)
		next = swept + 10 * SAT_SECOND;
	if (more || queue.n > 0 || clock_behind() || next < now)
		next = now;
	clock_expect(next);
	if (next == INT64_MAX)
		uv_timer_stop(&waker);
	else
		uv_timer_start(&waker, wake, (uint64_t)(next - now + 999) / 1000, 0);
	clock_turn();
	measure(p->loop);
}

/* After the sockets: what they took may have been long. */
static void after(uv_check_t *c)
{
	(void)c;
	clock_turn();
}

int engine_init(struct uv_loop_s *loop)
{
	live = loop != NULL;
	streams_reinject(engine_emit);
	if (!live)
		return 0;
	uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
	memset(&turns, 0, sizeof(turns));
	uv_prepare_init(loop, &prepare);
	uv_check_init(loop, &check);
	uv_timer_init(loop, &waker);
	uv_prepare_start(&prepare, turn);
	uv_check_start(&check, after);
	uv_unref((uv_handle_t *)&prepare);
	uv_unref((uv_handle_t *)&check);
	uv_unref((uv_handle_t *)&waker);
	return 0;
}

struct streams *engine_swap(struct streams *next)
{
	struct streams *prev = streams;

	slow_settle();		/* what is adopted gets another name */
	save_forks();
	if (next != NULL)
		streams_adopt(next, prev);
	else if (prev != NULL)
		streams_forget(prev);
	streams = next;
	return prev;
}

struct streams *engine_streams(void)
{
	return streams;
}

/* The set itself is the owner's, who has it from engine_swap(). */
void engine_stop(void)
{
	save_stop();
	streams = NULL;
	while (queue.n > 0) {
		sat_drop(&queue.v[queue.first & (queue.size - 1)]->pub);
		queue.first++;
		queue.n--;
	}
	free(queue.v);
	memset(&queue, 0, sizeof(queue));
	events_settle();
	search_free();
	walk_free();
	index_free();
	timer_free();
	topic_free();
	indexed = NULL;
	arena_free(&message);
	sat_buf_free(&reply);
	streams_free_scratch();
	if (live) {
		uv_close((uv_handle_t *)&prepare, NULL);
		uv_close((uv_handle_t *)&check, NULL);
		uv_close((uv_handle_t *)&waker, NULL);
	}
	live = false;
}

/* ---- What a door has --------------------------------------------------- */

/* A query on its way to its answer. */
struct sat_asked {
	struct search *search;
	struct sat_asked **later;
	void (*answer)(void *arg, const void *p, size_t n);
	void *arg;
	struct sat_buf reply;
	size_t max, from;
};

static int found(void *arg, const struct sat_event *ev)
{
	struct sat_asked *a = arg;

	wire_add(&a->reply, ev);
	if (a->reply.full)
		return -ENOMEM;
	return a->reply.len > a->max ? -EMSGSIZE : 0;
}

static void found_all(void *arg, int rc)
{
	struct sat_asked *a = arg;
	char error[160];

	if (rc == 0) {
		wire_end(&a->reply, a->from);
	} else {
		snprintf(error, sizeof(error), rc == -EMSGSIZE ? "the answer is over the limit of %zu bytes: "
			 "ask for less" : "out of memory", a->max);
		sat_buf_free(&a->reply);
		wire_error(&a->reply, error);
	}
	if (a->later != NULL)
		*a->later = NULL;
	a->answer(a->arg, a->reply.p, a->reply.len);
	sat_buf_free(&a->reply);
	free(a);
}

void sat_message_stop(struct sat_asked *a)
{
	if (a == NULL)
		return;
	search_stop(a->search);
	if (a->later != NULL)
		*a->later = NULL;
	sat_buf_free(&a->reply);
	free(a);
}

/* -errno: not answered, nor will it be; else it is, or *later is set. */
static int ask(const char *text, const struct sat_asked *how)
{
	static const struct search_calls calls = { found, found_all };
	char error[256];
	struct sat_query *q = sat_query_parse(text, error, sizeof(error));
	struct sat_asked *a;
	bool now = how->later == NULL;

	if (q == NULL) {
		wire_error(&reply, error);
		return 0;
	}
	a = malloc(sizeof(*a));
	if (a == NULL) {
		sat_query_free(q);
		return -ENOMEM;
	}
	*a = *how;
	a->reply.max = 2 * a->max + 4096;	/* it grows by doubling */
	a->from = wire_begin(&a->reply);
	if (!now)
		*a->later = a;
	if (search_start(q, &calls, a, now ? NULL : &a->search) == 0)
		return 0;
	sat_message_stop(a);
	return -ENOMEM;
}

/* Every event through the streams; the first top-level error ends it, as in Riemann. */
static int push_all(struct wire_msg *m)
{
	int64_t now = clock_wall();
	uint32_t i;
	int rc = 0;

	for (i = 0; i < m->n && rc == 0; i++) {
		struct event *ev = &m->events[i];

		if (i % INDEX_AHEAD == 0)
			index_expect(ev, m->n - i < INDEX_AHEAD ? m->n - i : INDEX_AHEAD);
		if (!(ev->pub.has & SAT_HAS_TIME)) {
			ev->pub.time = now;
			ev->pub.has |= SAT_HAS_TIME | SAT_HAS_STAMP;
		}
		if (record_on)
			recorder_event(&ev->pub);
		rc = push(ev);
	}
	index_expect(NULL, 0);
	self_add(SELF_EVENTS, i);
	return rc;
}

/* One message in 64 is timed. */
static int push_timed(struct wire_msg *m)
{
	static unsigned n;
	static int64_t mean;
	uint64_t begun;
	int rc;

	if (n++ % 64 != 0 || m->n == 0)
		return push_all(m);
	begun = uv_hrtime();
	rc = push_all(m);
	mean += ((int64_t)((uv_hrtime() - begun) / m->n) - mean) / 8;
	self_set(SELF_STREAM_TIME, mean);
	return rc;
}

/* What fires now or waits came before it. */
static void run_before(void)
{
	if (timer_next() <= clock_steady() || queue.n > 0)
		engine_run();
}

int sat_push(struct sat_self *self, const struct sat_event *from, char *error, size_t size)
{
	struct event *ev;
	int rc = -ENOMEM;

	(void)self;
	if (streams_pushing())
		return -EDEADLK;
	run_before();
	ev = event_loan(&message, from);
	if (ev != NULL) {
		if (!(ev->pub.has & SAT_HAS_TIME)) {
			ev->pub.time = clock_wall();
			ev->pub.has |= SAT_HAS_TIME | SAT_HAS_STAMP;
		}
		self_add(SELF_EVENTS, 1);
		if (record_on)
			recorder_event(&ev->pub);
		rc = push(ev);
	}
	if (rc != 0)
		snprintf(error, size, "%s", ev != NULL ? streams_error() : "out of memory");
	arena_reset(&message);
	return rc;
}

/* What was decoded; nothing of it is in use any more. */
static void message_end(unsigned char *end, unsigned char behind)
{
	*end = behind;
	arena_reset(&message);
}

int sat_message(struct sat_self *self, void *msg, size_t len, size_t max,
		void (*answer)(void *arg, const void *p, size_t n), void *arg, struct sat_asked **later)
{
	const struct sat_asked how = {
		.later = later, .answer = answer, .arg = arg, .max = max != 0 ? max : ANSWER,
	};
	unsigned char *end = (unsigned char *)msg + len, behind = *end;
	struct wire_msg m;
	int rc;

	(void)self;
	if (later != NULL)
		*later = NULL;
	if (streams_pushing())
		return -EDEADLK;
	run_before();
	rc = wire_decode(msg, len, &message, &m);
	reply.len = 0;
	if (rc != 0)
		self_add(SELF_MALFORMED, 1);
	else if (push_timed(&m) != 0)
		wire_error(&reply, streams_error());
	else if (m.query != NULL && answer != NULL)
		rc = ask(m.query, &how);
	else
		wire_ok(&reply);
	if (rc == 0 && reply.full)
		rc = -ENOMEM;
	message_end(end, behind);
	if (rc == 0 && reply.len != 0 && answer != NULL)
		answer(arg, reply.p, reply.len);
	if (reply.full || reply.size > REPLY_KEPT)
		sat_buf_free(&reply);
	return rc;
}

int sat_index_put(const struct sat_at *at, const struct sat_event *ev)
{
	int rc = index_put(ev);

	if (rc == -EINVAL)
		return sat_fail(at, rc, "cannot index an event without time");
	if (rc == -ENOBUFS)
		return sat_fail(at, rc, "the index is full: %zu events (%s)", index_size(),
				index_size() < index_settings()->max ? "memory-max" : "index.max");
	if (rc == 0 && (indexed != NULL || (indexed = topic_get("index")) != NULL))
		topic_tell(indexed, &(struct sat_item){ &ev, 1, false });
	return rc;
}

int sat_index_delete(const struct sat_at *at, const struct sat_event *ev)
{
	(void)at;
	index_delete(ev->host, ev->service);
	return 0;
}

int engine_restart(struct streams *next, const struct index_conf *index, const struct sat_buf *file)
{
	engine_swap(NULL);
	index_free();
	index_init(index);
	engine_swap(next);
	return save_restore(file);
}
