/* SPDX-License-Identifier: Apache-2.0 */
/* count - windows of so many events: moving-event-window, fixed-event-window. */
#include <errno.h>
#include <stdlib.h>

#include "window.h"

struct count { uint32_t n; };

static const struct sat_option *const moving_options[] = {
	SAT_OPTION("moving-event-window", SAT_INTEGER, .required = true, .min = 1, .max = WINDOW_MOST,
		   .help = "events in each list"),
	NULL
};
static const struct sat_option *const fixed_options[] = {
	SAT_OPTION("fixed-event-window", SAT_INTEGER, .required = true, .min = 1, .max = WINDOW_MOST,
		   .help = "events in each list"),
	NULL
};

static int define(const struct sat_conf *conf, const char *name, void **def)
{
	struct count *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->n = (uint32_t)sat_conf_integer(conf, name);
	*def = c;
	return 0;
}

static int moving_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return define(conf, "moving-event-window", def);
}

static int fixed_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return define(conf, "fixed-event-window", def);
}

static int add(const struct sat_at *at, struct kept *k, const struct sat_item *item)
{
	const struct sat_event *ev;
	int rc = kept_event(at, item, &ev);

	return rc == 0 ? kept_add(k, ev) : rc;
}

static int moving_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct count *c = def;
	struct kept *k = state;
	struct sat_item list;
	int rc = add(at, k, item);

	if (rc != 0)
		return rc;
	if (k->n > c->n)
		kept_shift(k, k->n - c->n);
	list = kept_item(k);
	sat_pass(at, 0, &list);
	return 0;
}

static int fixed_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct count *c = def;
	struct kept *k = state;
	struct sat_item list;
	int rc = add(at, k, item);

	if (rc != 0 || k->n < c->n)
		return rc;
	list = kept_item(k);
	sat_pass(at, 0, &list);
	kept_clear(k);
	return 0;
}

static bool idle(const void *def, const void *state)
{
	(void)def;
	return ((const struct kept *)state)->n == 0;
}

static void close_fork(const void *def, void *state)
{
	(void)def;
	kept_free(state);
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	(void)def;
	return kept_save(state, out);
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	(void)at;
	(void)def;
	return version == 1 ? kept_load(state, in) : -EBADMSG;
}

const struct sat_op window_moving_event = {
	.size = sizeof(window_moving_event), .state_version = 1, .name = "moving-event-window",
	.summary = "pass on, with each event, a list of the last so many", .options = moving_options,
	.state_size = sizeof(struct kept), .define = moving_define, .undefine = free, .item = moving_item,
	.idle = idle, .close = close_fork, .save = save, .load = load,
};
const struct sat_op window_fixed_event = {
	.size = sizeof(window_fixed_event), .state_version = 1, .name = "fixed-event-window",
	.summary = "pass on events in lists of so many", .options = fixed_options,
	.state_size = sizeof(struct kept), .define = fixed_define, .undefine = free, .item = fixed_item,
	.idle = idle, .close = close_fork, .save = save, .load = load,
};
