/* SPDX-License-Identifier: Apache-2.0 */
/* limit - operators that pass on no more than so much: throttle. */
#include <errno.h>
#include <stdlib.h>

#include <satellite/module.h>

struct throttle { int64_t n, dt; };
struct window { int64_t began, passed; };	/* began: of the first window, or a whole number of dt later */

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

/* Windows follow one another from when the stream was made, as in Riemann. */
static void advance(const struct throttle *t, struct window *w)
{
	int64_t gone = sat_clock() - w->began;

	if (gone < t->dt)
		return;
	w->began += gone - gone % t->dt;
	w->passed = 0;
}

static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct throttle *t = def;
	struct window *w = state;

	advance(t, w);
	if (w->passed >= t->n)
		return 0;
	w->passed++;
	sat_pass(at, 0, item);
	return 0;
}

static bool idle(const void *def, const void *state)
{
	const struct throttle *t = def;
	const struct window *w = state;

	return w->passed == 0 || sat_clock() - w->began >= t->dt;
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct window *w = state;

	(void)def;
	sat_write_int(out, sat_clock() - w->began);
	return sat_write_int(out, w->passed);
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	struct window *w = state;
	int64_t gone;

	(void)at;
	(void)def;
	if (version != 1 || sat_read_int(in, &gone) != 0 || sat_read_int(in, &w->passed) != 0)
		return -EBADMSG;
	w->began = sat_clock() - gone;
	return 0;
}

static const struct sat_op throttle = {
	.size = sizeof(throttle), .state_version = 1, .name = "throttle",
	.summary = "pass on so many events at most in a time; drop the rest",
	.options = throttle_options, .state_size = sizeof(struct window), .define = define, .undefine = free,
	.open = open_fork, .item = item_fork, .idle = idle, .save = save, .load = load,
};

SAT_MODULE(limit,
	.name = "limit", .version = SAT_VERSION, .summary = "operators that limit how much passes",
	.ops = (const struct sat_op *const[]){ &throttle, NULL });
