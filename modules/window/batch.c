/* SPDX-License-Identifier: Apache-2.0 */
/* batch - lists by number and time, whichever comes first: batch, rollup. */
#include <errno.h>
#include <stdlib.h>

#include "window.h"

struct batch { int64_t n, dt; uint32_t max; struct sat_self *self; };

/*
 * Windows follow one another from when the stream was made, as in Riemann; one in
 * which nothing comes does not count, so what rollup carries over weighs on the
 * next window that has events.
 */
struct held {
	struct sat_timer tick;		/* the end of this window; set once it has an event */
	struct kept kept;
	int64_t anchor;
	int64_t sent;			/* of rollup, in this window */
};

static const struct sat_option *const batch_options[] = {
	SAT_OPTION("batch", SAT_INTEGER, .required = true, .min = 1, .max = WINDOW_MOST,
		   .help = "events that a list has at most"),
	SAT_OPTION("dt", SAT_SECONDS, .fallback = "1", .min = 1e-6, .max = 1e9,
		   .help = "seconds that an event waits at most"),
	NULL
};
static const struct sat_option *const rollup_options[] = {
	SAT_OPTION("rollup", SAT_INTEGER, .required = true, .min = 0, .max = 1e15, .help = "lists at most"),
	SAT_OPTION("dt", SAT_SECONDS, .fallback = "1", .min = 1e-6, .max = 1e9, .help = "in so many seconds"),
	OPTION_MAX("events that wait at most; then the oldest go, and are counted"),
	NULL
};

static int batch_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct batch *b = calloc(1, sizeof(*b));

	(void)module;
	if (b == NULL)
		return -ENOMEM;
	b->n = sat_conf_integer(conf, "batch");
	b->dt = sat_conf_time(conf, "dt");
	b->self = sat_node_self(node);
	*def = b;
	return 0;
}

static int rollup_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct batch *b = calloc(1, sizeof(*b));

	(void)module;
	if (b == NULL)
		return -ENOMEM;
	b->n = sat_conf_integer(conf, "rollup");
	b->dt = sat_conf_time(conf, "dt");
	b->max = (uint32_t)sat_conf_integer(conf, "max");
	b->self = sat_node_self(node);
	*def = b;
	return 0;
}

static int open_fork(const struct sat_at *at, const void *def, void *state)
{
	(void)at;
	(void)def;
	((struct held *)state)->anchor = sat_clock();
	return 0;
}

static void tend(const struct sat_at *at, const struct batch *b, struct held *h)
{
	int64_t now = sat_clock();

	if (!sat_timer_armed(&h->tick))
		sat_timer_set(at, &h->tick, now - (now - h->anchor) % b->dt + b->dt);
}

static void flush(const struct sat_at *at, struct held *h)
{
	struct sat_item list = kept_item(&h->kept);

	if (list.n == 0)
		return;
	sat_pass(at, 0, &list);
	kept_clear(&h->kept);
}

static int batch_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct batch *b = def;
	struct held *h = state;
	const struct sat_event *ev;
	int rc = kept_event(at, item, &ev);

	if (rc == 0)
		rc = kept_add(&h->kept, ev);
	if (rc != 0)
		return rc;
	tend(at, b, h);
	if (h->kept.n >= b->n)
		flush(at, h);
	return 0;
}

static int rollup_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct batch *b = def;
	struct held *h = state;
	const struct sat_event *ev;
	int rc = kept_event(at, item, &ev);

	if (rc == 0 && h->sent >= b->n)
		rc = kept_add(&h->kept, ev);
	if (rc != 0)
		return rc;
	tend(at, b, h);
	if (h->sent < b->n) {
		h->sent++;
		sat_pass(at, 0, &(struct sat_item){ &ev, 1, true });
	}
	kept_trim(&h->kept, b->max, b->self);
	return 0;
}

static void batch_tick(const struct sat_at *at, void *def, void *state, struct sat_timer *timer)
{
	(void)def;
	(void)timer;
	flush(at, state);
}

/* What is carried over is the first list of the next window. */
static void rollup_tick(const struct sat_at *at, void *def, void *state, struct sat_timer *timer)
{
	struct held *h = state;

	(void)def;
	(void)timer;
	h->sent = h->kept.n != 0;
	flush(at, h);
}

static bool idle(const void *def, const void *state)
{
	const struct held *h = state;

	(void)def;
	return h->kept.n == 0 && h->sent == 0;
}

static void close_fork(const void *def, void *state)
{
	(void)def;
	kept_free(&((struct held *)state)->kept);
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct held *h = state;

	(void)def;
	sat_write_timer(out, &h->tick);
	sat_write_int(out, sat_clock() - h->anchor);
	sat_write_int(out, h->sent);
	return kept_save(&h->kept, out);
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	struct held *h = state;
	int64_t gone;

	(void)def;
	if (version != 1)
		return -EBADMSG;
	sat_read_timer(at, in, &h->tick);
	sat_read_int(in, &gone);
	if (sat_read_int(in, &h->sent) != 0 || gone < 0 || h->sent < 0)
		return -EBADMSG;
	h->anchor = sat_clock() - gone;
	return kept_load(&h->kept, in);
}

const struct sat_op window_batch = {
	.size = sizeof(window_batch), .state_version = 1, .name = "batch",
	.summary = "pass on events in lists of so many, or of so many seconds", .options = batch_options,
	.state_size = sizeof(struct held), .define = batch_define, .undefine = free, .open = open_fork,
	.item = batch_item, .timer = batch_tick, .idle = idle, .close = close_fork, .save = save, .load = load,
};
const struct sat_op window_rollup = {
	.size = sizeof(window_rollup), .state_version = 1, .name = "rollup",
	.summary = "pass on so many lists at most in a time; the rest together after it", .options = rollup_options,
	.state_size = sizeof(struct held), .define = rollup_define, .undefine = free, .open = open_fork,
	.item = rollup_item, .timer = rollup_tick, .idle = idle, .close = close_fork, .save = save, .load = load,
};
