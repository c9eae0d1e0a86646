/* SPDX-License-Identifier: Apache-2.0 */
/* blackhole - finds hosts that fail tasks fast, and so attract ever more: the operator, and its two rules. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blackhole.h"

static const struct sat_option *const options[] = {
	SAT_OPTION("blackhole", SAT_STRING, .fallback = "classic", .help = "the rule: classic, attributed"),
	SAT_OPTION("window", SAT_SECONDS, .fallback = "300", .min = 1, .max = 1e9,
		   .help = "seconds of the sliding window that is looked at"),
	SAT_OPTION("longer", SAT_SECONDS, .min = 0, .max = 1e9,
		   .help = "classic: judge what was seen for longer than so many of them; half of the window"),
	SAT_OPTION("fails-to-starts", SAT_NUMBER, .fallback = "0.75", .min = 0, .max = 1e9,
		   .help = "classic: critical over so many failed tasks for each that was started, and"),
	SAT_OPTION("fails-to-finishes", SAT_NUMBER, .fallback = "3", .min = 0, .max = 1e9,
		   .help = "classic: over so many for each that finished"),
	SAT_OPTION("min-tasks", SAT_INTEGER, .fallback = "20", .min = 1, .max = 1e6,
		   .help = "attributed: tasks that ended in the window, before a host is judged"),
	SAT_OPTION("min-frameworks", SAT_INTEGER, .fallback = "1", .min = 1, .max = 100,
		   .help = "attributed: frameworks that these are of"),
	SAT_OPTION("rate", SAT_NUMBER, .fallback = "0.5", .min = 0.01, .max = 1,
		   .help = "attributed: critical from this fraction of failed tasks on, if that is"),
	SAT_OPTION("deviations", SAT_NUMBER, .fallback = "4", .min = 1, .max = 100,
		   .help = "attributed: so many standard deviations over what their frameworks fail elsewhere"),
	NULL
};

/* A setting of the other rule would do nothing. */
static int refuse_others(const struct sat_conf *conf, bool attributed)
{
	static const char *const of[2][5] = {
		{ "longer", "fails-to-starts", "fails-to-finishes" },
		{ "min-tasks", "min-frameworks", "rate", "deviations" },
	};
	int rc = 0;

	for (const char *const *name = of[!attributed]; *name != NULL; name++)
		if (sat_conf_find(conf, *name) != NULL)
			rc = sat_conf_error(conf, *name, "is of the rule \"%s\"",
					    attributed ? "classic" : "attributed");
	return rc;
}

static int judge(struct rule *r, const struct sat_conf *conf)
{
	const char *name = sat_conf_string(conf, "blackhole");

	r->attributed = strcmp(name, "attributed") == 0;
	if (!r->attributed && strcmp(name, "classic") != 0)
		return sat_conf_error(conf, "blackhole", "is neither \"classic\" nor \"attributed\"");
	r->window = sat_conf_time(conf, "window");
	r->longer = sat_conf_has(conf, "longer") ? sat_conf_time(conf, "longer") : r->window / 2;
	r->per_start = sat_conf_number(conf, "fails-to-starts");
	r->per_finish = sat_conf_number(conf, "fails-to-finishes");
	r->min_tasks = (unsigned)sat_conf_integer(conf, "min-tasks");
	r->min_frameworks = (unsigned)sat_conf_integer(conf, "min-frameworks");
	r->rate = sat_conf_number(conf, "rate");
	r->deviations = sat_conf_number(conf, "deviations");
	/* It could never fire. */
	if (!r->attributed && r->longer >= r->window)
		return sat_conf_error(conf, "longer", "nothing is seen for longer than the window");
	return refuse_others(conf, r->attributed);
}

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct rule *r = calloc(1, sizeof(*r));
	int rc;

	(void)node;
	(void)module;
	if (r == NULL)
		return -ENOMEM;
	rc = judge(r, conf);
	if (rc != 0)
		free(r);
	else
		*def = r;
	return rc;
}

/* ---- The verdict -------------------------------------------------------- */

struct sat_event *verdict_event(const struct sat_at *at, const char *host, bool bad, const struct sat_event *of)
{
	struct sat_event *ev = sat_edit(at, NULL);

	if (ev == NULL)
		return NULL;
	ev->host = host;
	ev->service = "task blackhole detected";
	ev->state = bad ? "critical" : "ok";
	ev->description = "Whether the host represents a black hole for tasks.";
	ev->time = (sat_wall() + SAT_SECOND / 2) / SAT_SECOND * SAT_SECOND;
	ev->has = SAT_HAS_TIME | SAT_HAS_STAMP;
	if (of != NULL && (of->has & SAT_HAS_TTL)) {
		ev->ttl = of->ttl;
		ev->has |= SAT_HAS_TTL;
	}
	return ev;
}

int verdict_put(const struct sat_at *at, struct sat_event *ev, const char *name, const char *text)
{
	const struct sat_field field = sat_field(name);
	const struct sat_value v = { .kind = SAT_TEXT, .text = text };

	return text != NULL ? sat_set(at, ev, &field, &v) : -ENOMEM;
}

/* ---- Which rule, and whose fork ----------------------------------------- */

static int item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_field host = sat_field("host");
	struct sat_value key = { .kind = SAT_NIL };
	const struct rule *r = def;

	if (r->attributed)
		return attributed_item(at, r, state, item);
	if (!item->list && (item->n == 0 || !classic_is_total(item->evs[0]->service)))
		return 0;
	if (item->n != 0)
		key = sat_get(item->evs[0], &host);
	sat_pass_fork(at, 0, item, &key, 1);
	return 0;
}

/* What attributed passes on was judged before. */
static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct rule *r = def;

	if (!r->attributed)
		return classic_item(at, def, state, item);
	sat_pass(at, 0, item);
	return 0;
}

static const struct sat_op within = {
	.size = sizeof(within), .state_version = 1, .name = "blackhole", .options = options,
	.state_size = sizeof(struct classic), .item = item_fork, .idle = classic_idle, .close = classic_close,
	.save = classic_save, .load = classic_load,
};
static const struct sat_op blackhole = {
	.size = sizeof(blackhole), .state_version = 1, .name = "blackhole",
	.summary = "say of each host whether it fails tasks faster than it does them", .options = options,
	.flags = SAT_FORKS, .state_size = sizeof(struct attributed), .define = define, .undefine = free,
	.item = item, .timer = attributed_timer, .idle = attributed_idle, .close = attributed_close,
	.save = attributed_save, .load = attributed_load, .within = &within,
};

SAT_MODULE(blackhole,
	.name = "blackhole", .version = SAT_VERSION, .summary = "finds hosts that fail tasks fast",
	.ops = (const struct sat_op *const[]){ &blackhole, NULL });
