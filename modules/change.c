/* SPDX-License-Identifier: Apache-2.0 */
/* change - operators that pass on what differs from before: changed, changed-state. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

struct changed {
	struct sat_field field;
	struct sat_value init;
	char *name;
};

/* What the field was last; its texts are ours. */
struct last { struct sat_value value; };

static void release(struct sat_value *v)
{
	if (v->kind == SAT_TEXT)
		free((char *)(uintptr_t)v->text);
	if (v->kind == SAT_TEXTS) {
		for (uint32_t i = 0; i < v->n; i++)
			free((char *)(uintptr_t)v->texts[i]);
		free((void *)(uintptr_t)v->texts);
	}
	*v = (struct sat_value){ .kind = SAT_NIL };
}

static int copy_texts(struct sat_value *to, const struct sat_value *from)
{
	const char **texts = calloc((size_t)from->n + 1, sizeof(*texts));

	*to = (struct sat_value){ .kind = SAT_TEXTS, .n = 0, .texts = texts };
	if (texts == NULL) {
		to->kind = SAT_NIL;
		return -ENOMEM;
	}
	for (; to->n < from->n; to->n++) {
		texts[to->n] = strdup(from->texts[to->n]);
		if (texts[to->n] == NULL) {
			release(to);
			return -ENOMEM;
		}
	}
	return 0;
}

static int copy(struct sat_value *to, const struct sat_value *from)
{
	if (from->kind == SAT_TEXTS)
		return copy_texts(to, from);
	*to = *from;
	if (from->kind == SAT_TEXT && (to->text = strdup(from->text)) == NULL) {
		to->kind = SAT_NIL;
		return -ENOMEM;
	}
	return 0;
}

/* ---- The node ----------------------------------------------------------- */

static const struct sat_option *const changed_options[] = {
	SAT_OPTION("changed", SAT_STRING, .required = true, .help = "the field that is watched"),
	SAT_OPTION("init", SAT_ANY, .help = "what it counts as before the first event; nil"),
	NULL
};
static const struct sat_option *const state_options[] = {
	SAT_OPTION("init", SAT_ANY, .help = "what the state counts as before the first event; nil"),
	NULL
};

static void undefine(void *def)
{
	struct changed *c = def;

	release(&c->init);
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
	if (init != NULL && (sat_conf_is_list(init) || sat_conf_is_group(init))) {
		rc = sat_conf_error(init, NULL, "a string, a number or a boolean is wanted");
		goto fail;
	}
	if (init != NULL)
		v = sat_conf_value(init);
	if (copy(&c->init, &v) != 0)
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
	return copy(&l->value, &c->init);
}

static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct changed *c = def;
	struct sat_value v = { .kind = SAT_NIL }, ours;
	struct last *l = state;

	if (!item->list && item->n == 1)
		v = sat_get(item->evs[0], &c->field);
	if (sat_same(&v, &l->value))
		return 0;
	if (copy(&ours, &v) != 0)
		return -ENOMEM;
	release(&l->value);
	l->value = ours;
	sat_pass(at, 0, item);
	return 0;
}

static bool idle(const void *def, const void *state)
{
	return sat_same(&((const struct last *)state)->value, &((const struct changed *)def)->init);
}

static void close_fork(const void *def, void *state)
{
	(void)def;
	release(&((struct last *)state)->value);
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct sat_value *v = &((const struct last *)state)->value;

	(void)def;
	sat_write_int(out, v->kind);
	switch (v->kind) {
	case SAT_NIL:
		return 0;
	case SAT_BOOL:
		return sat_write_int(out, v->b);
	case SAT_INT:
		return sat_write_int(out, v->i);
	case SAT_DOUBLE:
		return sat_write_double(out, v->d);
	case SAT_TEXT:
		return sat_write_text(out, v->text);
	case SAT_TEXTS:
		break;
	}
	sat_write_int(out, v->n);
	for (uint32_t i = 0; i < v->n; i++)
		sat_write_text(out, v->texts[i]);
	return 0;
}

static int load_texts(struct sat_value *to, struct sat_reader *in)
{
	const char *texts[1000];
	struct sat_value v = { .kind = SAT_TEXTS, .texts = texts };
	int64_t n;
	int rc = sat_read_int(in, &n);

	if (rc != 0 || n < 0 || n > 1000)
		return -EBADMSG;
	for (v.n = 0; v.n < n; v.n++)
		if (sat_read_text(in, &texts[v.n]) != 0 || texts[v.n] == NULL)
			return -EBADMSG;
	return copy_texts(to, &v);
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	struct sat_value v = { .kind = SAT_NIL };
	struct last *l = state;
	int64_t kind, n = 0;
	int rc;

	(void)at;
	(void)def;
	if (version != 1 || sat_read_int(in, &kind) != 0 || kind < SAT_NIL || kind > SAT_TEXTS)
		return -EBADMSG;
	release(&l->value);
	v.kind = (enum sat_kind)kind;
	switch (v.kind) {
	case SAT_NIL:
		return 0;
	case SAT_BOOL:
		rc = sat_read_int(in, &n);
		v.b = n != 0;
		break;
	case SAT_INT:
		rc = sat_read_int(in, &v.i);
		break;
	case SAT_DOUBLE:
		rc = sat_read_double(in, &v.d);
		break;
	case SAT_TEXT:
		rc = sat_read_text(in, &v.text);
		break;
	default:
		return load_texts(&l->value, in);
	}
	if (rc != 0 || (v.kind == SAT_TEXT && v.text == NULL))
		return -EBADMSG;
	return copy(&l->value, &v);
}

static const struct sat_op changed = {
	.size = sizeof(changed), .state_version = 1, .name = "changed",
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
static const struct sat_op changed_state = {
	.size = sizeof(changed_state), .name = "changed-state",
	.summary = "pass on an event whose state differs from its host's and service's one before",
	.options = state_options, .flags = SAT_FORKS, .define = state_define, .undefine = undefine,
	.item = state_item, .within = &within,
};

SAT_MODULE(change,
	.name = "change", .version = SAT_VERSION, .summary = "operators that pass on changes",
	.ops = (const struct sat_op *const[]){ &changed, &changed_state, NULL });
