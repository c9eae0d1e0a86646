/* SPDX-License-Identifier: Apache-2.0 */
/* show - operators that let people see events: log, print. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

static const struct { const char *name; int level; } levels[] = {
	{ "debug", LOG_DEBUG }, { "info", LOG_INFO }, { "notice", LOG_NOTICE }, { "warning", LOG_WARNING },
	{ "error", LOG_ERR }, { "critical", LOG_CRIT },
};

/* ---- log ---------------------------------------------------------------- */

static const struct sat_option *const log_options[] = {
	SAT_OPTION("log", SAT_STRING, .fallback = "info",
		   .help = "debug, info, notice, warning, error or critical"),
	SAT_OPTION("alert", SAT_BOOLEAN, .fallback = "false",
		   .help = "not on every master, but as an alert, with its id"),
	NULL
};

struct log { struct sat_self *self; int level; bool alert; };

static int log_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	const char *name = sat_conf_string(conf, "log");
	struct log *l;

	(void)module;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i].name, name) == 0) {
			l = calloc(1, sizeof(*l));
			if (l == NULL)
				return -ENOMEM;
			l->self = sat_node_self(node);
			l->level = levels[i].level;
			l->alert = sat_conf_boolean(conf, "alert");
			*def = l;
			return 0;
		}
	return sat_conf_error(conf, "log", "\"%s\" is none of debug, info, notice, warning, error, critical", name);
}

/* "host service state metric: description", without what is nil. */
static void line(struct sat_buf *b, const struct sat_event *ev)
{
	sat_buf_printf(b, "%s %s", ev->host != NULL ? ev->host : "-", ev->service != NULL ? ev->service : "-");
	if (ev->state != NULL)
		sat_buf_printf(b, " %s", ev->state);
	if (ev->has & SAT_HAS_INT)
		sat_buf_printf(b, " %lld", (long long)ev->metric.i);
	else if (ev->has & SAT_HAS_DOUBLE)
		sat_buf_printf(b, " %.6g", ev->metric.d);
	if (ev->description != NULL)
		sat_buf_printf(b, ": %.500s", ev->description);
}

static void log_event(const struct log *l, const struct sat_event *ev, const char *id)
{
	struct sat_buf b = { .max = 4096 };

	line(&b, ev);
	sat_log(l->self, l->level, "%.*s%s%s%s", (int)b.len, b.p != NULL ? b.p : "", id != NULL ? " [alert " : "",
		id != NULL ? id : "", id != NULL ? "]" : "");
	sat_buf_free(&b);
}

/* Each event of a list is an alert of its own. */
static int log_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct log *l = def;
	int rc = 0;

	(void)state;
	if (sat_shown(at, "log", NULL, item))
		return 0;
	for (uint32_t i = 0; i < item->n; i++) {
		int more = l->alert ? sat_alert(at, &(struct sat_item){ &item->evs[i], 1, false }, NULL) : 0;

		if (!l->alert)
			log_event(l, item->evs[i], NULL);
		rc = rc != 0 ? rc : more;
	}
	return rc;
}

static int log_send(void *def, const struct sat_alert *alert)
{
	log_event(def, alert->item->evs[0], alert->id);
	return 0;
}

static const struct sat_op log_op = {
	.size = sizeof(log_op), .name = "log", .summary = "write events to the log", .options = log_options,
	.flags = SAT_ALERTS, .define = log_define, .undefine = free, .item = log_item, .send = log_send,
};

/* ---- print -------------------------------------------------------------- */

static const struct sat_option *const print_options[] = {
	SAT_OPTION("print", SAT_STRING, .help = "a name that stands in the line"),
	NULL
};

static int print_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	const char *name = sat_conf_string(conf, "print");

	(void)node;
	(void)module;
	*def = name != NULL ? strdup(name) : NULL;
	return name != NULL && *def == NULL ? -ENOMEM : 0;
}

static int print_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	if (sat_shown(at, "print", def, item))
		return 0;
	for (uint32_t i = 0; i < item->n; i++) {
		struct sat_buf b = { .max = 1 << 20 };

		if (def != NULL)
			sat_buf_printf(&b, "%s: ", (const char *)def);
		sat_buf_event(&b, item->evs[i]);
		sat_buf_add(&b, "\n", 1);
		if (!b.full)
			fwrite(b.p, 1, b.len, stdout);
		sat_buf_free(&b);
	}
	fflush(stdout);
	return 0;
}

static const struct sat_op print_op = {
	.size = sizeof(print_op), .name = "print", .summary = "print events as JSON lines on standard output",
	.options = print_options, .define = print_define, .undefine = free, .item = print_item,
};

SAT_MODULE(show,
	.name = "show", .version = SAT_VERSION, .summary = "operators that let people see events",
	.ops = (const struct sat_op *const[]){ &log_op, &print_op, NULL });
