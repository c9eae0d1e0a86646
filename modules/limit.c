/* SPDX-License-Identifier: Apache-2.0 */
/* limit - operators that pass on no more than so much: throttle. */
#include <errno.h>
#include <stdlib.h>

#include <satellite/module.h>

struct throttle { int64_t n, dt; };
struct window { struct sat_timer end; int64_t began, passed; };	/* began: the first of all windows */

static const struct sat_option *const throttle_options[] = {
	SAT_OPTION("throttle", SAT_INTEGER, .required = true, .min = 0, .max = 1e15, .help = "events at most"),
	SAT_OPTION("dt", SAT_SECONDS, .fallback = "1", .min = 1e-6, .max = 1e9, .help = "in so many seconds"),
	NULL
};

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct throttle *t = calloc(1, sizeof(*t));

	(void)node;
	(void)module;
	if (t == NULL)
		return -ENOMEM;
	t->n = sat_conf_integer(conf, "throttle");
	t->dt = sat_conf_time(conf, "dt");
	*def = t;
	return 0;
}

static int open_fork(const struct sat_at *at, const void *def, void *state)
{
	(void)at;
	(void)def;
	((struct window *)state)->began = sat_clock();
	return 0;
}

/*
 * Windows follow one another from when the stream was made, as in Riemann, and
 * end by a timer: what else is due at that moment has its turn in that order.
 */
static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct throttle *t = def;
	struct window *w = state;

	if (!sat_timer_armed(&w->end))
		sat_timer_set(at, &w->end, sat_clock() + t->dt - (sat_clock() - w->began) % t->dt);
	if (w->passed >= t->n)
		return 0;
	w->passed++;
	sat_pass(at, 0, item);
	return 0;
}

static void end(const struct sat_at *at, void *def, void *state, struct sat_timer *timer)
{
	(void)at;
	(void)def;
	(void)timer;
	((struct window *)state)->passed = 0;
}

static bool idle(const void *def, const void *state)
{
	(void)def;
	return ((const struct window *)state)->passed == 0;
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct window *w = state;

	(void)def;
	sat_write_timer(out, &w->end);
	sat_write_int(out, sat_clock() - w->began);
	return sat_write_int(out, w->passed);
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	struct window *w = state;
	int64_t gone;

	(void)def;
	if (version != 1 || sat_read_timer(at, in, &w->end) != 0 || sat_read_int(in, &gone) != 0 || sat_read_int(in, &w->passed) != 0)
		return -EBADMSG;
	w->began = sat_clock() - gone;
	return 0;
}

static const struct sat_op throttle = {
	.size = sizeof(throttle), .state_version = 1, .name = "throttle",
	.summary = "pass on so many events at most in a time; drop the rest",
	.options = throttle_options, .state_size = sizeof(struct window), .define = define, .undefine = free,
	.open = open_fork, .item = item_fork, .timer = end, .idle = idle, .save = save, .load = load,
};

SAT_MODULE(limit,
	.name = "limit", .version = SAT_VERSION, .summary = "operators that limit how much passes",
	.ops = (const struct sat_op *const[]){ &throttle, NULL });
