/* SPDX-License-Identifier: Apache-2.0 */
/* changed - operators that pass on what differs from the event before: changed, changed-state. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

struct changed {
	struct sat_field field;
	struct sat_value init;
	char *name;
	bool pairs;
};

/* What the field was last, and, for pairs, the event that had it. */
struct last { struct sat_value value; const struct sat_event *ev; };

/* ---- The node ----------------------------------------------------------- */

static const struct sat_option *const changed_options[] = {
	SAT_OPTION("changed", SAT_STRING, .required = true, .help = "the field that is watched"),
	SAT_OPTION("init", SAT_ANY, .help = "what it counts as before the first event; nil"),
	SAT_OPTION("pairs", SAT_BOOLEAN, .fallback = "false", .help = "pass on a list: the event before, and this one"),
	NULL
};
static const struct sat_option *const state_options[] = {
	SAT_OPTION("init", SAT_ANY, .help = "what the state counts as before the first event; nil"),
	SAT_OPTION("pairs", SAT_BOOLEAN, .fallback = "false", .help = "pass on a list: the event before, and this one"),
	NULL
};

static void undefine(void *def)
{
	struct changed *c = def;

	value_free(&c->init);
	free(c->name);
	free(c);
}

static int define(const struct sat_conf *conf, const char *field, void **def)
{
	const struct sat_conf *init = sat_conf_get(conf, "init");
	struct changed *c = calloc(1, sizeof(*c));
	struct sat_value v = { .kind = SAT_NIL };
	int rc = -ENOMEM;

	if (c == NULL || (c->name = strdup(field)) == NULL)
		goto fail;
	c->field = sat_field(c->name);
	c->pairs = sat_conf_boolean(conf, "pairs");
	if (init != NULL && (sat_conf_is_list(init) || sat_conf_is_group(init))) {
		rc = sat_conf_error(init, NULL, "a string, a number or a boolean is wanted");
		goto fail;
	}
	if (init != NULL)
		v = sat_conf_value(init);
	if (value_copy(&c->init, &v) != 0)
		goto fail;
	*def = c;
	return 0;
fail:
	if (c != NULL)
		undefine(c);
	return rc;
}

static int changed_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return define(conf, sat_conf_string(conf, "changed"), def);
}

static int state_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return define(conf, "state", def);
}

/* ---- The fork ----------------------------------------------------------- */

static int open_fork(const struct sat_at *at, const void *def, void *state)
{
	const struct changed *c = def;
	struct last *l = state;

	(void)at;
	return value_copy(&l->value, &c->init);
}

/* What stands for the event before the first. */
static const struct sat_event *first(const struct sat_at *at, const struct changed *c)
{
	struct sat_event *ev = sat_edit(at, NULL);

	if (ev != NULL && c->init.kind != SAT_NIL)
		sat_set(at, ev, &c->field, &c->init);
	return ev;
}

static int pass_pair(const struct sat_at *at, const struct changed *c, const struct sat_event *before,
		     const struct sat_event *ev)
{
	const struct sat_event *evs[2] = { before != NULL ? before : first(at, c), ev };

	if (evs[0] == NULL)
		return -ENOMEM;
	sat_pass(at, 0, &(struct sat_item){ evs, 2, true });
	return 0;
}

static int pairs_item(const struct sat_at *at, const struct changed *c, struct last *l, const struct sat_item *item,
		      bool differs)
{
	const struct sat_event *before = l->ev, *kept;
	int rc = 0;

	if (item->list || item->n != 1)
		return sat_fail(at, -EINVAL, "it makes pairs of events, not of lists");
	kept = sat_keep(item->evs[0]);
	if (kept == NULL)
		return -ENOMEM;
	l->ev = kept;
	if (differs)
		rc = pass_pair(at, c, before, item->evs[0]);
	sat_drop(before);
	return rc;
}

static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct changed *c = def;
	struct sat_value v = { .kind = SAT_NIL }, ours;
	struct last *l = state;
	bool differs;

	if (!item->list && item->n == 1)
		v = sat_get(item->evs[0], &c->field);
	differs = !sat_same(&v, &l->value);
	if (differs) {
		if (value_copy(&ours, &v) != 0)
			return -ENOMEM;
		value_free(&l->value);
		l->value = ours;
	}
	if (c->pairs)
		return pairs_item(at, c, l, item, differs);
	if (differs)
		sat_pass(at, 0, item);
	return 0;
}

static bool idle(const void *def, const void *state)
{
	const struct last *l = state;

	return l->ev == NULL && sat_same(&l->value, &((const struct changed *)def)->init);
}

static void close_fork(const void *def, void *state)
{
	struct last *l = state;

	(void)def;
	value_free(&l->value);
	sat_drop(l->ev);
	l->ev = NULL;
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct last *l = state;
	int rc = value_save(&l->value, out);

	if (!((const struct changed *)def)->pairs)
		return rc;
	rc = sat_write_int(out, l->ev != NULL);
	return l->ev != NULL ? sat_write_event(out, l->ev) : rc;
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	struct last *l = state;
	int64_t there;
	int rc = version == 1 ? value_load(&l->value, in) : -EBADMSG;

	(void)at;
	if (rc != 0 || !((const struct changed *)def)->pairs)
		return rc;
	rc = sat_read_int(in, &there);
	return rc == 0 && there != 0 ? sat_read_event(in, &l->ev) : rc;
}

const struct sat_op change_changed = {
	.size = sizeof(change_changed), .state_version = 1, .name = "changed",
	.summary = "pass on an event whose field differs from the one before",
	.options = changed_options, .state_size = sizeof(struct last), .define = changed_define,
	.undefine = undefine, .open = open_fork, .item = item_fork, .idle = idle, .close = close_fork,
	.save = save, .load = load,
};

/* ---- changed-state: by host and service, changed state ------------------ */

static int state_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct sat_event *ev = !item->list && item->n == 1 ? item->evs[0] : sat_edit(at, NULL);
	const struct sat_field host = sat_field("host"), service = sat_field("service");
	struct sat_value keys[2];

	(void)def;
	(void)state;
	if (ev == NULL)
		return -ENOMEM;
	keys[0] = sat_get(ev, &host);
	keys[1] = sat_get(ev, &service);
	sat_pass_fork(at, 0, item, keys, 2);
	return 0;
}

static const struct sat_op within = {
	.size = sizeof(within), .state_version = 1, .name = "changed-state", .options = state_options,
	.state_size = sizeof(struct last), .open = open_fork, .item = item_fork, .idle = idle,
	.close = close_fork, .save = save, .load = load,
};
const struct sat_op change_changed_state = {
	.size = sizeof(change_changed_state), .name = "changed-state",
	.summary = "pass on an event whose state differs from its host's and service's one before",
	.options = state_options, .flags = SAT_FORKS, .define = state_define, .undefine = undefine,
	.item = state_item, .within = &within,
};
