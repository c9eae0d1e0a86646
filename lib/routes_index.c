/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes_index - GET /index: the latest events that match, written as they are read.
 *
 * A batch of them is held at a time, by name; the next is looked for once the client has
 * taken this one.  So a slow client costs no more than that, until the time is up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "routes.h"
#include "self.h"

#define BATCH		500u		/* events */
#define TEXT		((size_t)64 << 10)
#define SEND_MAX	((size_t)64 << 10)
#define TIME		(300 * SAT_SECOND)	/* for all of it */

struct listing {
	struct sat_request *req;
	struct sat_query *query;
	struct sat_walk *walk;		/* NULL: it is over */
	struct sat_alarm late;
	bool begun;			/* the answer is a stream: it did not fit in one batch */
	bool any;			/* an event has been written */
	bool last;			/* so has the end */
	const struct sat_event *evs[BATCH];
	size_t n, next;
	struct sat_buf text;
	size_t sent;			/* of text */
};

static void listing_free(struct listing *l)
{
	sat_alarm_stop(&l->late);
	sat_walk_stop(l->walk);
	for (size_t i = l->next; i < l->n; i++)
		sat_drop(l->evs[i]);
	sat_buf_free(&l->text);
	sat_query_free(l->query);
	free(l);
}

/* ---- Writing ------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	return event_by_name(*(const struct sat_event *const *)a, *(const struct sat_event *const *)b);
}

/* A line an event: of the batch, and the end if that is all there is. */
static void write_text(struct listing *l)
{
	while (l->next < l->n && l->text.len < TEXT) {
		sat_buf_printf(&l->text, l->any ? ",\n" : "[\n");
		sat_buf_event(&l->text, l->evs[l->next]);
		sat_drop(l->evs[l->next++]);
		l->any = true;
	}
	if (l->next == l->n && l->walk == NULL && !l->last) {
		sat_buf_printf(&l->text, l->any ? "\n]\n" : "[]\n");
		l->last = true;
	}
}

static int send_text(struct listing *l)
{
	while (l->sent < l->text.len) {
		size_t n = l->text.len - l->sent;
		int rc = sat_stream_send(l->req, l->text.p + l->sent, n < SEND_MAX ? n : SEND_MAX);

		if (rc != 0)
			return rc;
		l->sent += n < SEND_MAX ? n : SEND_MAX;
	}
	l->text.len = l->sent = 0;
	return 0;
}

/* As much of the batch as there is room for.  -EAGAIN: not all.  Ended early the answer is no
 * whole array, so nobody takes it for one. */
static int give(struct listing *l)
{
	int rc;

	do {
		rc = send_text(l);
		if (rc == 0)
			write_text(l);
		if (l->text.full)
			rc = -ENOMEM;
	} while (rc == 0 && l->text.len != 0);
	if (rc == 0 ? l->walk == NULL : rc != -EAGAIN)
		sat_stream_end(l->req);
	return rc;
}

static void room(void *arg)
{
	struct listing *l = arg;

	if (give(l) == 0 && l->walk != NULL)
		sat_walk_go_on(l->walk);
}

static void closed(void *arg)
{
	listing_free(arg);
}

/* ---- Finding ------------------------------------------------------------ */

static int begin(struct listing *l)
{
	static const struct sat_stream stream = { .size = sizeof(stream), .room = room, .closed = closed };
	int rc = l->begun ? 0 : sat_stream_begin(l->req, 200, "application/json", &stream, l);

	l->begun = l->begun || rc == 0;
	return rc;
}

static void sort(struct listing *l)
{
	qsort(l->evs, l->n, sizeof(l->evs[0]), by_name);
}

static int found(void *arg, const struct sat_event *ev)
{
	struct listing *l = arg;
	int rc;

	if (l->n == BATCH) {
		rc = begin(l);
		if (l->next == 0)
			sort(l);
		if (rc == 0)
			rc = give(l);
		if (rc != 0)
			return rc;
		l->n = l->next = 0;
	}
	l->evs[l->n] = sat_keep(ev);
	if (l->evs[l->n] == NULL)
		return -ENOMEM;
	l->n++;
	return 0;
}

static void answer(struct listing *l, int rc)
{
	if (rc == 0) {
		sat_reply_buf(l->req, 200, "application/json", &l->text);
	} else {
		sat_reply_error(l->req, 503, "%s", strerror(-rc));
	}
	listing_free(l);
}

static void found_all(void *arg, int rc)
{
	struct listing *l = arg;

	l->walk = NULL;
	if (rc == 0 && l->next == 0)
		sort(l);
	if (rc == 0 && !l->begun) {
		write_text(l);
		rc = l->last ? 0 : begin(l);
	}
	if (!l->begun)
		answer(l, rc);
	else if (rc == 0)
		give(l);
	else
		sat_stream_end(l->req);
}

/* Others wait for the place that it holds. */
static void late(struct sat_alarm *alarm)
{
	struct listing *l = SAT_OWNER(alarm, struct listing, late);

	sat_walk_stop(l->walk);
	l->walk = NULL;
	if (l->begun)
		sat_stream_end(l->req);
	else
		answer(l, -ETIMEDOUT);
}

int routes_get_index(void *state, struct sat_request *req)
{
	static const struct sat_walk_calls calls = { .size = sizeof(calls), .found = found, .done = found_all };
	const char *text = sat_request_query(req, "query");
	char error[256] = "";
	struct sat_query *q = sat_query_parse(text != NULL ? text : "true", error, sizeof(error));
	struct listing *l;

	(void)state;
	if (q == NULL) {
		sat_reply_error(req, 400, "query: %s", error);
		return 0;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		sat_query_free(q);
		return -ENOMEM;
	}
	*l = (struct listing){ .req = req, .query = q, .late.fire = late };
	l->walk = sat_index_walk(q, false, &calls, l);
	if (l->walk != NULL && sat_alarm_set(&self_host, &l->late, sat_clock() + TIME) == 0)
		return 0;
	listing_free(l);
	return -ENOMEM;
}
