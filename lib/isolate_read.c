/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_read - what an isolated process sends: events, its figures, lines for the log.
 *
 * It may send anything: a length beyond the bound or a message that cannot be read
 * ends it.  While many inputs wait it is not read, so that it waits, too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "engine.h"
#include "isolate_node.h"
#include "life.h"
#include "log.h"
#include "probe.h"
#include "wire.h"

enum {
	ROOM = 16 * 1024,	/* bytes of one read */
	CROWD = 4096,		/* inputs that wait: it is not read */
	PAUSE = 10000,		/* microseconds, then it is looked at again */
	LINES = 100,		/* of the log, every LINES_PER */
};
#define LINES_PER (10 * SAT_SECOND)

static char room[ROOM];
/* Of one message.  An event that fits into it needs less, so many small ones do not fit. */
static struct arena arena = { .max = 24 << 20 };

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(room, sizeof(room));
}

/* ---- Messages ----------------------------------------------------------- */

/* As far as it goes: a figure may be anything. */
static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	return !__builtin_add_overflow(a, b, &sum) ? sum : a < 0 ? INT64_MIN : INT64_MAX;
}

static void take_counter(struct isolate *p, const char *name, int64_t value)
{
	struct sat_self *self = &p->instance->self;

	for (unsigned k = 0; k < self->n_counters; k++)
		if (strcmp(self->module->counters[k]->name, name) == 0)
			sat_gauge(self, k, add(p->base[k], value));
}

static struct sat_probe *entry_of(const struct isolate *p, const char *number)
{
	const struct setup *s = life_setup();

	return s != NULL ? checks_entry(s->checks, &p->instance->self, (unsigned)strtoul(number, NULL, 10)) : NULL;
}

static void take_figure(struct isolate *p, const struct sat_event *ev)
{
	struct sat_probe *entry;

	if (ev->state == NULL || ev->service == NULL || !(ev->has & SAT_HAS_INT))
		return;
	if (strcmp(ev->state, ISOLATE_COUNTER) == 0) {
		take_counter(p, ev->service, ev->metric.i);
	} else if (strcmp(ev->state, ISOLATE_TOOK) == 0) {
		entry = entry_of(p, ev->service);
		if (entry != NULL && ev->metric.i > 0)
			entry->took = ev->metric.i;
	} else if (strcmp(ev->state, ISOLATE_DROPPED) == 0 && ev->metric.i > p->dropped) {
		self_set(SELF_EMIT_DROPPED, add(self_get(SELF_EMIT_DROPPED), ev->metric.i - p->dropped));
		p->dropped = ev->metric.i;
	}
}

/* Those of an entry that is gone are dropped: it has been taken back. */
static void take_event(struct isolate *p, const char *entry, const struct sat_event *ev)
{
	struct sat_probe *probe = entry != NULL && p->phase != ISOLATE_ENDS ? entry_of(p, entry) : NULL;

	if (probe != NULL)
		probe_relayed(probe, ev);
	else if (entry == NULL)
		sat_emit_event(&p->instance->self, ev);
}

static int take_message(struct isolate *p, uint8_t *at, size_t len)
{
	uint8_t behind = at[len];
	struct wire_msg m;
	int rc = wire_decode(at, len, &arena, &m);
	bool beat = rc == 0 && m.query != NULL && strcmp(m.query, ISOLATE_BEAT) == 0;

	if (beat)
		isolate_answered(p);
	for (uint32_t k = 0; rc == 0 && k < m.n; k++) {
		if (beat)
			take_figure(p, &m.events[k].pub);
		else
			take_event(p, m.query, &m.events[k].pub);
	}
	at[len] = behind;
	arena_reset(&arena);
	return rc;
}

static size_t length_of(const uint8_t *head)
{
	return (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
}

static void refuse(struct isolate *p, int rc)
{
	if (rc == -ENOMEM)
		isolate_kill(p, "sent more at once than there is memory for, so it was killed");
	else
		isolate_kill(p, "sent what is no message, so it was killed");
	p->in.len = 0;
}

static void take_all(struct isolate *p)
{
	uint8_t *at = (uint8_t *)p->in.p, *end = at + p->in.len;

	while (end - at >= 4) {
		size_t len = length_of(at), has = (size_t)(end - at) - 4;
		int rc = len > ISOLATE_MESSAGE ? -EBADMSG : len <= has ? take_message(p, at + 4, len) : 0;

		if (rc != 0) {
			refuse(p, rc);
			return;
		}
		if (len > has)
			break;
		at += 4 + len;
	}
	p->in.len = (size_t)(end - at);
	memmove(p->in.p, at, p->in.len);
}

static void came(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void hear(struct isolate *p, uv_pipe_t *pipe, uv_read_cb call)
{
	int rc = uv_read_start((uv_stream_t *)pipe, give_room, call);

	if (rc != 0)
		isolate_kill(p, "cannot be listened to, so it was killed: %s", strerror(-rc));
}

static void resume(struct sat_alarm *alarm)
{
	struct isolate *p = SAT_OWNER(alarm, struct isolate, pause);

	p->paused = false;
	if (!p->link_over)
		hear(p, &p->link, came);
}

static void pause_reading(struct isolate *p)
{
	p->pause.fire = resume;
	if (p->paused || sat_alarm_set(&self_host, &p->pause, sat_clock() + PAUSE) != 0)
		return;
	p->paused = true;
	uv_read_stop((uv_stream_t *)&p->link);
}

static void came(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct isolate *p = stream->data;

	if (n < 0) {
		p->link_over = true;
		uv_read_stop(stream);
		isolate_drained(p);
		/* Its end mostly is that of all of it; if not, it answers no more. */
		return;
	}
	if (p->killed)
		return;
	sat_buf_add(&p->in, buf->base, (size_t)n);
	if (p->in.full) {
		isolate_kill(p, "could not be read: out of memory, so it was killed");
		return;
	}
	take_all(p);
	if (engine_waiting() > CROWD)
		pause_reading(p);
}

/* ---- Lines for the log -------------------------------------------------- */

/* Its own log has <N> in front and the name; what a library prints has neither. */
static void log_it(struct isolate *p)
{
	struct sat_self *self = &p->instance->self;
	const char *line = p->line;
	bool own = line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>';

	p->line[p->line_len] = '\0';
	p->line_len = 0;
	if (line[0] == '\0' || !sat_log_allowed(self, &p->lines, LINES, LINES_PER))
		return;
	if (own)
		log_line(line[1] - '0', NULL, "%s", line + 3);
	else
		log_line(LOG_WARNING, self->name, "%s", line);
}

static void said(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct isolate *p = stream->data;

	if (n < 0) {
		p->err_over = true;
		uv_read_stop(stream);
		if (p->line_len > 0)
			log_it(p);
		isolate_drained(p);
		return;
	}
	for (ssize_t k = 0; k < n; k++) {
		if (buf->base[k] == '\n' || p->line_len == sizeof(p->line) - 1)
			log_it(p);
		if (buf->base[k] != '\n')
			p->line[p->line_len++] = buf->base[k] != '\0' ? buf->base[k] : '?';
	}
}

void isolate_listen(struct isolate *p)
{
	p->in.max = 2 * ISOLATE_MESSAGE;
	p->line_len = 0;
	hear(p, &p->link, came);
	hear(p, &p->err, said);
}

void isolate_deaf(struct isolate *p)
{
	sat_alarm_stop(&p->pause);
	sat_buf_free(&p->in);
	arena_free(&arena);
}
