/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrape - one answer of /metrics: collected a slice of each turn, then sent as fast as the client takes it.
 *
 * All of it is in memory before the first byte goes, so that its length is known: a client sees whether
 * it has the whole.  The memory is in the account of buffers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "accept.h"
#include "metrics.h"

#define RESERVED	((size_t)256 << 10)	/* so much at a time */
#define WHOLE_MAX	((size_t)64 << 10)	/* of an answer that goes in one piece */
#define SEND_MAX	((size_t)64 << 10)
#define TIME		(300 * SAT_SECOND)	/* for a client to take it */

static const char *const types[] = {
	[FORM_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
	[FORM_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

static int64_t nanoseconds(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void end_collecting(struct scrape *s)
{
	sat_tour_stop(s->tour);
	exporter_free(s->exporter);
	families_free(s->families);
	s->tour = NULL;
	s->exporter = NULL;
	s->families = NULL;
}

void scrape_free(struct scrape *s)
{
	end_collecting(s);
	sat_alarm_stop(&s->late);
	blocks_free(&s->text);
	sat_release(s->m->self, SAT_BUFFERS, s->reserved);
	if (s->next != NULL)
		s->next->link = s->link;
	*s->link = s->next;
	free(s);
}

void scrape_fail(struct scrape *s, const char *why)
{
	sat_reply_error(s->req, 503, "%s", why);
	scrape_free(s);
}

void scrape_stop(struct metrics *m)
{
	struct scrape *s, *next;

	for (s = m->scrapes; s != NULL; s = next) {
		next = s->next;
		if (s->tour != NULL)
			scrape_fail(s, "it stops");
	}
}

/* ---- Sending ------------------------------------------------------------ */

static int give_block(struct scrape *s)
{
	const struct block *b = s->text.first;

	while (s->sent < b->len) {
		size_t n = b->len - s->sent < SEND_MAX ? b->len - s->sent : SEND_MAX;
		int rc = sat_stream_send(s->req, b->text + s->sent, n);

		if (rc != 0)
			return rc;
		s->sent += n;
	}
	s->sent = 0;
	blocks_drop(&s->text);
	return 0;
}

static void give(void *arg)
{
	struct scrape *s = arg;
	int rc = 0;

	while (rc == 0 && s->text.first != NULL)
		rc = give_block(s);
	if (rc != -EAGAIN)
		sat_stream_end(s->req);
}

static void closed(void *arg)
{
	scrape_free(arg);
}

/* Others wait for the place that it holds. */
static void late(struct sat_alarm *alarm)
{
	sat_stream_end(SAT_OWNER(alarm, struct scrape, late)->req);
}

static void answer_whole(struct scrape *s, const char *const *extra)
{
	struct sat_buf b = { 0 };

	for (const struct block *k = s->text.first; k != NULL; k = k->next)
		sat_buf_add(&b, k->text, k->len);
	if (b.full)
		sat_reply_error(s->req, 503, "%s", strerror(ENOMEM));
	else
		sat_reply(s->req, 200, types[s->form], b.p != NULL ? b.p : "", b.len, extra);
	sat_buf_free(&b);
	scrape_free(s);
}

static void answer_long(struct scrape *s, const char *const *extra)
{
	const struct sat_stream stream = {
		.size = sizeof(stream), .room = give, .closed = closed, .extra = extra, .length = s->text.len,
	};
	int rc = sat_alarm_set(s->m->self, &s->late, sat_clock() + TIME);

	if (rc == 0)
		rc = sat_stream_begin(s->req, 200, types[s->form], &stream, s);
	if (rc == 0)
		give(s);
	else
		scrape_fail(s, strerror(-rc));
}

void scrape_answer(struct scrape *s)
{
	static const char *const extra[] = { "Content-Encoding: gzip", "Vary: Accept, Accept-Encoding", NULL };

	if (s->text.len <= WHOLE_MAX)
		answer_whole(s, extra + !s->gzip);
	else
		answer_long(s, extra + !s->gzip);
}

/* ---- Collecting --------------------------------------------------------- */

static void reserve(struct scrape *s)
{
	while (s->refused == 0 && families_held(s->families) > s->reserved) {
		s->refused = sat_reserve(s->m->self, SAT_BUFFERS, RESERVED);
		s->reserved += s->refused == 0 ? RESERVED : 0;
	}
}

/* Our own counters end in `_total`; those that mesos_exporter had are called as it did. */
static void take(void *arg, const char *name, bool gauge, const char *help, const struct sat_attr *labels,
		 uint32_t n, double value)
{
	struct scrape *s = arg;
	char full[256];
	bool ours = strncmp(name, "satellite_", 10) == 0 || strncmp(name, "process_", 8) == 0;

	if (s->refused != 0)
		return;
	if (!exporter_take(s->exporter, name, labels, n, value)) {
		if (!gauge && ours) {
			snprintf(full, sizeof(full), "%s_total", name);
			name = full;
		}
		families_add(s->families, name, gauge ? FAMILY_GAUGE : FAMILY_COUNTER, help, labels, n, value);
	}
	reserve(s);
}

static void account(struct metrics *m, const struct scrape *s)
{
	size_t left_out = families_left_out(s->families), doubled = families_doubled(s->families);

	if (left_out > 0)
		sat_count(m->self, COUNT_LEFT_OUT, (int64_t)left_out);
	if (doubled > 0)
		sat_count(m->self, COUNT_DOUBLED, (int64_t)doubled);
	sat_gauge(m->self, GAUGE_SERIES, (int64_t)families_series(s->families));
	sat_gauge(m->self, GAUGE_TIME, (nanoseconds() - s->began) / 1000);
}

static void collected(void *arg)
{
	struct scrape *s = arg;

	s->tour = NULL;
	exporter_end(s->exporter);
	reserve(s);
	account(s->m, s);
	if (s->refused == 0 && !families_close(s->families, s->form, &s->text))
		s->refused = -ENOMEM;
	end_collecting(s);
	if (s->refused != 0) {
		scrape_fail(s, strerror(-s->refused));
		return;
	}
	sat_gauge(s->m->self, GAUGE_BYTES, (int64_t)s->text.len);
	if (s->gzip && gzip_answer(s))
		return;
	s->gzip = false;
	scrape_answer(s);
}

int scrape_begin(struct metrics *m, struct sat_request *req)
{
	static const struct sat_tour_calls calls = { .size = sizeof(calls), .figure = take, .done = collected };
	struct scrape *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	*s = (struct scrape){
		.m = m, .req = req, .began = nanoseconds(), .late.fire = late, .next = m->scrapes, .link = &m->scrapes,
		.form = accept_openmetrics(sat_request_header(req, "Accept")) ? FORM_OPENMETRICS : FORM_TEXT,
		.gzip = accept_gzip(sat_request_header(req, "Accept-Encoding")),
	};
	if (s->next != NULL)
		s->next->link = &s->next;
	m->scrapes = s;
	s->families = families_new(m->max);
	s->exporter = s->families != NULL ? exporter_new(s->families) : NULL;
	s->tour = s->exporter != NULL ? sat_figures_tour(&calls, s) : NULL;
	if (s->tour != NULL)
		return 0;
	scrape_free(s);
	return -ENOMEM;
}
