/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow - the v1 SUBSCRIBE stream of a Mesos master, where it has one.
 *
 * One whole state, then each change as it happens: that costs the master least.
 * A heartbeat says that the stream lives; when two are missing, or a task is
 * spoken of that nobody added, something was lost, and the next SUBSCRIBED heals
 * it.  Any answer but 200 means that states are polled, and the stream is tried
 * again after ten minutes.  What it says nothing of is look.c's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mesos.h"

#define HEARTBEAT	(15 * SAT_SECOND)	/* until it says another */
#define AGAIN		(600 * SAT_SECOND)	/* after a refusal */
#define PAUSE		(1 * SAT_SECOND)	/* before the next try, doubled with each that fails */
#define LONG		(60 * SAT_SECOND)	/* a stream of such a life begins anew with PAUSE */
#define SILENCES	3u			/* tries of which nothing came, in a row: a refusal */
#define PAUSE_MAX	(30 * SAT_SECOND)

static struct follow *of(struct mesos *m)
{
	return &m->follow;
}

/* ---- What comes --------------------------------------------------------- */

static int taken(struct mesos *m)
{
	struct follow *f = of(m);

	if (!f->reader.top.subscribed) {
		snprintf(f->why, sizeof(f->why), "the first record is none of a SUBSCRIBED");
		return -EPROTO;
	}
	f->live = true;
	m->wrote = sat_clock() - f->source.asked;
	f->down_since = 0;
	f->silences = 0;
	if (f->reader.top.heartbeat > 0 && f->reader.top.heartbeat < 3600)
		f->heartbeat = (int64_t)(f->reader.top.heartbeat * SAT_SECOND);
	look_later(m);
	source_well(&f->source);
	settle_begin(m);
	return 0;
}

static int judge(struct mesos *m, int rc)
{
	struct follow *f = of(m);

	if (rc != 0)
		return rc;
	if (!f->live)
		return taken(m);
	f->gap |= f->reader.gap;
	if (!f->reader.top.subscribed)
		return 0;
	snprintf(f->why, sizeof(f->why), "a second SUBSCRIBED");
	return -EPROTO;
}

static int whole(void *arg, const char *text, size_t n)
{
	struct mesos *m = arg;
	struct follow *f = of(m);

	return judge(m, reader_record(&f->reader, &m->model, text, n, f->why, sizeof(f->why)));
}

static int begin(void *arg, uint64_t len)
{
	struct mesos *m = arg;
	struct follow *f = of(m);

	(void)len;
	return reader_expect(&f->reader, &m->model);
}

static int piece(void *arg, const void *p, size_t n)
{
	struct mesos *m = arg;
	struct follow *f = of(m);
	int rc = reader_feed(&f->reader, p, n);

	if (rc != 0)
		reader_explain(&f->reader, rc, f->why, sizeof(f->why));
	return rc;
}

static int end(void *arg)
{
	struct mesos *m = arg;
	struct follow *f = of(m);
	int rc = reader_end(&f->reader, f->why, sizeof(f->why));

	reader_free(&f->reader);
	return judge(m, rc);
}

static int stream_data(struct mesos *m, const void *p, size_t n)
{
	struct follow *f = of(m);

	f->heard = sat_clock();
	f->rc = records_feed(&f->records, p, n);
	if (f->rc == 0 && f->live)
		sat_gauge(m->self, f->source.gauge, sat_wall() / SAT_SECOND);
	if (f->rc == -EFBIG)
		snprintf(f->why, sizeof(f->why), "a record of more than max-state = %llu bytes",
			 (unsigned long long)m->max_state);
	else if (f->rc != 0 && f->why[0] == '\0')
		snprintf(f->why, sizeof(f->why), "%s", f->rc == -EBADMSG ? "no record's length stands where one should"
			 : strerror(-f->rc));
	return f->rc;
}

/* ---- The end of a stream ------------------------------------------------ */

static void over(struct mesos *m)
{
	struct follow *f = of(m);

	reader_free(&f->reader);
	records_free(&f->records);
	if (!f->live)
		model_abort(&m->model);
	if (!f->live && f->reader.put)
		m->has_model = false;	/* half of it is of then, half of now */
	if (f->live || f->down_since == 0)
		f->down_since = sat_clock();
	if (f->live)
		m->next_poll = sat_clock();	/* perhaps it leads no more */
	f->live = false;
}

/* A state costs the master much: one stream after the other that breaks off is no cheap way. */
static void try_again(struct mesos *m)
{
	struct follow *f = of(m);

	if (sat_clock() - f->source.asked > LONG)
		f->pause = PAUSE;
	f->next = sat_clock() + f->pause;
	f->pause = f->pause * 2 < PAUSE_MAX ? f->pause * 2 : PAUSE_MAX;
}

/* Mesos ends it when it leads no more, or falls. */
static void stream_done(struct mesos *m, const struct sat_answer *a)
{
	(void)a;
	over(m);
	source_trouble(&m->follow.source, -EPIPE, "the stream has ended; it is asked for again");
	try_again(m);
}

static void refuse(struct mesos *m)
{
	m->follow.refused = true;
	m->follow.next = sat_clock() + AGAIN;
}

static void stream_failed(struct mesos *m, const struct sat_answer *a)
{
	struct follow *f = of(m);

	over(m);
	if (m->stopping) {
		mesos_stopped_yet(m);
		return;
	}
	if (f->unwanted) {
		f->next = sat_clock();
	} else if (f->rc != 0) {
		source_trouble(&f->source, f->rc, "%s", f->why);
		refuse(m);
	} else if (f->silent) {
		source_trouble(&f->source, -ETIMEDOUT, "%s", f->why);
		try_again(m);
		if (++f->silences >= SILENCES)
			refuse(m);
	} else if (a->rc == 0) {
		if (a->status == 404 || a->status == 405)
			sat_log(m->self, LOG_INFO, "%s: has no v1 API: its state is polled", m->url);
		else
			source_failed(&f->source, a);
		refuse(m);
	} else {
		source_failed(&f->source, a);
		try_again(m);
	}
}

/* ---- Its life ----------------------------------------------------------- */

static bool is_wanted(const struct mesos *m)
{
	return m->subscribe && !m->stopping && mesos_observes(m) && mesos_is_ready(m);
}

static void subscribe(struct mesos *m, int64_t now)
{
	struct follow *f = of(m);

	static const struct records_calls calls = { whole, begin, piece, end };

	f->rc = 0;
	f->why[0] = '\0';
	f->reader.put = f->gap = f->silent = f->unwanted = f->refused = false;
	f->heartbeat = HEARTBEAT;
	f->heard = now;
	if (f->down_since == 0)
		f->down_since = now;
	f->next = now + f->pause;
	records_init(&f->records, m->max_state, &calls, m);
	look_drop(m);
	gone_ask_list(m);
	model_begin(&m->model);
	sat_count(m->self, COUNT_STREAMS, 1);
	if (!source_ask(&f->source))
		over(m);
}

static void hang_up(struct follow *f, bool unwanted)
{
	f->unwanted = unwanted;
	f->silent = !unwanted;
	sat_fetch_cancel(f->source.call);
}

static void watch(struct mesos *m, int64_t now)
{
	struct follow *f = of(m);
	int64_t patience = f->live ? 2 * f->heartbeat + SAT_SECOND : m->state.timeout;

	if (f->silent || f->unwanted)
		return;
	if (!is_wanted(m) && m->leads >= 0 && m->snapshot.trouble >= 0) {
		hang_up(f, true);
	} else if (now - f->heard > patience && !sat_late()) {
		snprintf(f->why, sizeof(f->why), f->live ? "two heartbeats are missing: it is asked for anew"
			 : "nothing came within %.3g s (setting: timeout)", (double)patience / SAT_SECOND);
		hang_up(f, false);
	} else if (f->gap && now >= f->next_gap) {
		f->next_gap = now + m->interval;
		snprintf(f->why, sizeof(f->why), "it spoke of a task that it had not told of: it is asked for anew");
		hang_up(f, false);
	}
}

void follow_turn(struct mesos *m, int64_t now)
{
	struct follow *f = of(m);

	if (f->source.call != NULL)
		watch(m, now);
	else if (is_wanted(m) && now >= f->next && m->state.call == NULL && !model_busy(&m->model))
		subscribe(m, now);
}

bool follow_serves(const struct mesos *m, int64_t now)
{
	const struct follow *f = &m->follow;

	if (f->source.call != NULL)
		return true;
	return is_wanted(m) && !f->refused && (f->down_since == 0 || now - f->down_since < m->interval);
}

void follow_forget(struct mesos *m)
{
	struct follow *f = of(m);

	if (f->source.call != NULL && !f->silent && !f->unwanted)
		hang_up(f, true);
	look_drop(m);
	f->refused = false;
	f->silences = 0;
	f->down_since = f->next = 0;
	f->pause = PAUSE;
}

void follow_stop(struct mesos *m)
{
	struct follow *f = of(m);

	if (f->source.call != NULL)
		sat_fetch_cancel(f->source.call);
}

void follow_init(struct mesos *m)
{
	static const char *const stream_paths[] = { "/api/v1", "/master/api/v1", NULL };

	m->follow = (struct follow){
		.pause = PAUSE,
		.source = {
			.m = m, .name = "stream", .paths = stream_paths, .timeout = m->state.timeout,
			.body = "{\"type\":\"SUBSCRIBE\"}", .endless = true, .gauge = GAUGE_STREAM_SUCCESS,
			.data = stream_data, .done = stream_done, .failed = stream_failed,
		},
	};
}
