/* SPDX-License-Identifier: Apache-2.0 */
/* tail - operators built for ABI 1.1: one sets the event's newest member, one shows it. */
#include <errno.h>
#include <satellite/module.h>

static const struct sat_option *const options[] = {
	SAT_OPTION("test-tail", SAT_STRING, .help = "what to set"),
	NULL
};

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	*def = (void *)(uintptr_t)sat_conf_string(conf, "test-tail");
	return 0;
}

static int set(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct sat_event *ev = sat_edit(at, item->evs[0]);

	(void)state;
	if (ev == NULL)
		return -ENOMEM;
	ev->test_tail = def;
	sat_pass_event(at, 0, ev);
	return 0;
}

static int show(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *kept = sat_keep(item->evs[0]);

	(void)def;
	(void)state;
	if (kept == NULL)
		return -ENOMEM;
	sat_log(NULL, LOG_WARNING, "state %s, tail %s, kept %s", item->evs[0]->state,
		item->evs[0]->test_tail, kept->test_tail != NULL ? kept->test_tail : "nothing");
	sat_drop(kept);
	sat_pass(at, 0, item);
	return 0;
}

static const struct sat_op tail = {
	.size = sizeof(struct sat_op), .name = "test-tail", .summary = "set it", .options = options,
	.define = define, .item = set,
};
static const struct sat_op show_tail = {
	.size = sizeof(struct sat_op), .name = "test-show-tail", .summary = "show it", .item = show,
};

SAT_MODULE(tail,
	.name = "test-tail", .version = "1.1", .summary = "a module of ABI 1.1",
	.ops = (const struct sat_op *const[]){ &tail, &show_tail, NULL });
