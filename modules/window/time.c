/* SPDX-License-Identifier: Apache-2.0 */
/* time - windows of events' own time: moving-time-window, fixed-time-window, fixed-offset-time-window. */
#include <errno.h>
#include <stdlib.h>

#include "window.h"

enum { GAPS = 10000 };		/* empty windows at once: a time far ahead must not hold up all else */

struct window { int64_t span; uint32_t max; bool aligned; struct sat_self *self; };

static const struct sat_option *const moving_options[] = {
	SAT_OPTION("moving-time-window", SAT_SECONDS, .required = true, .min = 1e-6, .max = 1e9,
		   .help = "seconds before the latest event"),
	OPTION_MAX("events at most; then the oldest go, and are counted"),
	NULL
};
static const struct sat_option *const fixed_options[] = {
	SAT_OPTION("fixed-time-window", SAT_SECONDS, .required = true, .min = 1e-6, .max = 1e9,
		   .help = "seconds that a window lasts; the first begins with the first event"),
	OPTION_MAX("events at most; then the oldest go, and are counted"),
	NULL
};
static const struct sat_option *const offset_options[] = {
	SAT_OPTION("fixed-offset-time-window", SAT_SECONDS, .required = true, .min = 1e-6, .max = 1e9,
		   .help = "seconds that a window lasts; they begin at multiples of it"),
	OPTION_MAX("events at most; then the oldest go, and are counted"),
	NULL
};

static int define(struct sat_node *node, const struct sat_conf *conf, const char *name, bool aligned, void **def)
{
	struct window *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return -ENOMEM;
	w->span = sat_conf_time(conf, name);
	w->max = (uint32_t)sat_conf_integer(conf, "max");
	w->aligned = aligned;
	w->self = sat_node_self(node);
	*def = w;
	return 0;
}

static int moving_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return define(node, conf, "moving-time-window", false, def);
}

static int fixed_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return define(node, conf, "fixed-time-window", false, def);
}

static int offset_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return define(node, conf, "fixed-offset-time-window", true, def);
}

/* A time may be any that the wire can carry. */
static int64_t before(int64_t time, int64_t span)
{
	int64_t t;

	return __builtin_sub_overflow(time, span, &t) ? INT64_MIN : t;
}

/* ---- moving-time-window ------------------------------------------------- */

/*
 * What is in the window has a time over 0, as in Riemann, whose first cutoff is 0.
 * Events that came in the order of their times leave at the front.  One that came
 * late stands behind younger ones: `late` is the least time of such, 0 for none,
 * and all are looked at only once that has passed.
 */
struct moving { struct kept kept; int64_t cutoff, newest, late; };

static void find_late(struct moving *m)
{
	const struct sat_item list = kept_item(&m->kept);
	int64_t newest = 0;

	m->late = 0;
	for (uint32_t i = 0; i < list.n; i++) {
		int64_t t = list.evs[i]->time;

		if (t < newest && (m->late == 0 || t < m->late))
			m->late = t;
		if (t > newest)
			newest = t;
	}
	m->newest = newest;
}

static void prune(struct moving *m)
{
	while (m->kept.n != 0 && m->kept.evs[m->kept.head]->time <= m->cutoff)
		kept_shift(&m->kept, 1);
	if (m->late == 0 || m->late > m->cutoff)
		return;
	kept_remove_until(&m->kept, m->cutoff);
	find_late(m);
}

static int moving_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct window *w = def;
	struct moving *m = state;
	const struct sat_event *ev;
	struct sat_item list;
	int64_t cutoff;
	int rc = kept_event(at, item, &ev);

	if (rc == 0 && !(ev->has & SAT_HAS_TIME))
		rc = sat_fail(at, -EINVAL, "an event without time");
	if (rc != 0)
		return rc;
	cutoff = before(ev->time, w->span);
	if (cutoff > m->cutoff)
		m->cutoff = cutoff;
	if (ev->time <= m->cutoff)
		return 0;
	rc = kept_add(&m->kept, ev);
	if (rc != 0)
		return rc;
	if (ev->time < m->newest && (m->late == 0 || ev->time < m->late))
		m->late = ev->time;
	if (ev->time > m->newest)
		m->newest = ev->time;
	prune(m);
	kept_trim(&m->kept, w->max, w->self);
	list = kept_item(&m->kept);
	sat_pass(at, 0, &list);
	return 0;
}

/* An event of now would be alone in it. */
static bool moving_idle(const void *def, const void *state)
{
	const struct window *w = def;
	const struct moving *m = state;

	return m->kept.n == 0 || m->newest <= before(sat_wall(), w->span);
}

static void moving_close(const void *def, void *state)
{
	(void)def;
	kept_free(&((struct moving *)state)->kept);
}

static int moving_save(const void *def, const void *state, struct sat_writer *out)
{
	const struct moving *m = state;

	(void)def;
	sat_write_int(out, m->cutoff);
	return kept_save(&m->kept, out);
}

/* The words of a file are not taken on trust: what has no place in a window makes it void. */
static int check_times(const struct kept *k)
{
	const struct sat_item list = kept_item(k);

	for (uint32_t i = 0; i < list.n; i++)
		if (!(list.evs[i]->has & SAT_HAS_TIME) || list.evs[i]->time <= 0)
			return -EBADMSG;
	return 0;
}

static int moving_load(const struct sat_at *at, const void *def, void *state, uint32_t version,
		       struct sat_reader *in)
{
	struct moving *m = state;
	int rc;

	(void)at;
	(void)def;
	if (version != 1 || sat_read_int(in, &m->cutoff) != 0 || m->cutoff < 0)
		return -EBADMSG;
	rc = kept_load(&m->kept, in);
	if (rc == 0)
		rc = check_times(&m->kept);
	if (rc == 0)
		find_late(m);
	return rc;
}

const struct sat_op window_moving_time = {
	.size = sizeof(window_moving_time), .state_version = 1, .name = "moving-time-window",
	.summary = "pass on, with each event, a list of those of the last so many seconds",
	.options = moving_options, .state_size = sizeof(struct moving), .define = moving_define, .undefine = free,
	.item = moving_item, .idle = moving_idle, .close = moving_close, .save = moving_save, .load = moving_load,
};

/* ---- fixed-time-window, fixed-offset-time-window ------------------------ */

struct fixed { struct kept kept; int64_t start; bool started; };

static int64_t first_start(const struct window *w, int64_t time)
{
	int64_t into = time % w->span;

	if (!w->aligned)
		return time;
	return before(time, into < 0 ? into + w->span : into);
}

/* The window that stands, then an empty one for each that nothing came in. */
static void close_window(const struct sat_at *at, const struct window *w, struct fixed *f, uint64_t windows)
{
	const struct sat_item none = { NULL, 0, true };
	struct sat_item list = kept_item(&f->kept);

	sat_pass(at, 0, &list);
	kept_clear(&f->kept);
	if (windows - 1 > GAPS) {
		sat_count(w->self, GAPS_CUT, 1);
		windows = 1 + GAPS;
	}
	while (--windows > 0)
		sat_pass(at, 0, &none);
}

/* Whether the event belongs in the window that stands then. */
static bool advance(const struct sat_at *at, const struct window *w, struct fixed *f, int64_t time)
{
	uint64_t gone;

	if (!f->started) {		/* as in Riemann, what had no time before is forgotten */
		kept_clear(&f->kept);
		f->start = first_start(w, time);
		f->started = true;
	}
	if (time < f->start)
		return false;
	gone = (uint64_t)time - (uint64_t)f->start;
	if (gone < (uint64_t)w->span)
		return true;
	f->start = (int64_t)((uint64_t)time - gone % (uint64_t)w->span);
	close_window(at, w, f, gone / (uint64_t)w->span);
	return true;
}

static int fixed_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct window *w = def;
	struct fixed *f = state;
	const struct sat_event *ev;
	int rc = kept_event(at, item, &ev);

	if (rc != 0 || ((ev->has & SAT_HAS_TIME) && !advance(at, w, f, ev->time)))
		return rc;
	rc = kept_add(&f->kept, ev);
	kept_trim(&f->kept, w->max, w->self);
	return rc;
}

static bool fixed_idle(const void *def, const void *state)
{
	const struct fixed *f = state;

	(void)def;
	return !f->started && f->kept.n == 0;
}

static void fixed_close(const void *def, void *state)
{
	(void)def;
	kept_free(&((struct fixed *)state)->kept);
}

static int fixed_save(const void *def, const void *state, struct sat_writer *out)
{
	const struct fixed *f = state;

	(void)def;
	sat_write_int(out, f->started);
	sat_write_int(out, f->start);
	return kept_save(&f->kept, out);
}

static int fixed_load(const struct sat_at *at, const void *def, void *state, uint32_t version,
		      struct sat_reader *in)
{
	struct fixed *f = state;
	int64_t started;

	(void)at;
	(void)def;
	if (version != 1 || sat_read_int(in, &started) != 0 || sat_read_int(in, &f->start) != 0)
		return -EBADMSG;
	f->started = started != 0;
	return kept_load(&f->kept, in);
}

const struct sat_op window_fixed_time = {
	.size = sizeof(window_fixed_time), .state_version = 1, .name = "fixed-time-window",
	.summary = "pass on a list of the events of each so many seconds, from the first event on",
	.options = fixed_options, .state_size = sizeof(struct fixed), .define = fixed_define, .undefine = free,
	.item = fixed_item, .idle = fixed_idle, .close = fixed_close, .save = fixed_save, .load = fixed_load,
};
const struct sat_op window_fixed_offset = {
	.size = sizeof(window_fixed_offset), .state_version = 1, .name = "fixed-offset-time-window",
	.summary = "pass on a list of the events of each so many seconds, by the clock",
	.options = offset_options, .state_size = sizeof(struct fixed), .define = offset_define, .undefine = free,
	.item = fixed_item, .idle = fixed_idle, .close = fixed_close, .save = fixed_save, .load = fixed_load,
};
