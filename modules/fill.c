/* SPDX-License-Identifier: Apache-2.0 */
/* fill - operators that fill the gaps between events: fill-in, fill-in-last. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

struct part { struct sat_field field; struct sat_value value; };

/* Names and texts of the parts are borrowed from the settings, which live as long as the node. */
struct fill {
	int64_t interval;
	bool last;			/* the last event is changed, instead of a new one made */
	uint32_t n;
	struct part v[];
};

/* The timer stands while no event has said that it is expired. */
struct gap { struct sat_timer next; const struct sat_event *ev; };

static const struct sat_option *const in_options[] = {
	SAT_OPTION("fill-in", SAT_SECONDS, .required = true, .min = 1e-3, .max = 1e9,
		   .help = "seconds without an event, after which one is put in"),
	SAT_OPTION("default-event", SAT_GROUP, .required = true, .help = "its fields; its time is the current one"),
	NULL
};
static const struct sat_option *const last_options[] = {
	SAT_OPTION("fill-in-last", SAT_SECONDS, .required = true, .min = 1e-3, .max = 1e9,
		   .help = "seconds without an event, after which the last is passed on again"),
	SAT_OPTION("update", SAT_GROUP, .fallback = "{}", .help = "fields to set in it; its time is the current one"),
	NULL
};

/* ---- The node ----------------------------------------------------------- */

static void undefine(void *def)
{
	struct fill *f = def;

	for (uint32_t i = 0; i < f->n; i++)
		if (f->v[i].value.kind == SAT_TEXTS)
			free((void *)(uintptr_t)f->v[i].value.texts);
	free(f);
}

static int texts_of(const struct sat_conf *list, struct sat_value *out)
{
	const char **texts = calloc(sat_conf_count(list) + 1, sizeof(*texts));
	int rc = 0;

	if (texts == NULL)
		return -ENOMEM;
	*out = (struct sat_value){ .kind = SAT_TEXTS, .texts = texts };
	for (; out->n < sat_conf_count(list); out->n++) {
		struct sat_value v = sat_conf_value(sat_conf_at(list, out->n));

		if (v.kind != SAT_TEXT)
			rc = sat_conf_error(sat_conf_at(list, out->n), NULL, "a string is wanted");
		texts[out->n] = v.text;
	}
	return rc;
}

/* Whether a field can have such a value; says what it wants. */
static const char *wants(const char *field, enum sat_kind kind)
{
	bool number = kind == SAT_INT || kind == SAT_DOUBLE;

	if (strcmp(field, "metric") == 0 || strcmp(field, "time") == 0 || strcmp(field, "ttl") == 0)
		return number ? NULL : "a number";
	if (strcmp(field, "tags") == 0)
		return kind == SAT_TEXTS ? NULL : "a list of strings";
	return kind == SAT_TEXT ? NULL : "a string";
}

static int part_of(const struct sat_conf *conf, struct part *p)
{
	const char *want;

	p->field = sat_field(sat_conf_name(conf));
	if (sat_conf_is_list(conf)) {
		int rc = texts_of(conf, &p->value);

		if (rc != 0)
			return rc;
	} else {
		p->value = sat_conf_value(conf);
	}
	want = wants(p->field.name, p->value.kind);
	return want != NULL ? sat_conf_error(conf, NULL, "%s is %s", p->field.name, want) : 0;
}

static int define(const struct sat_conf *conf, const char *interval, const char *fields, bool last, void **def)
{
	const struct sat_conf *group = sat_conf_get(conf, fields);
	size_t n = sat_conf_count(group);
	struct fill *f = calloc(1, sizeof(*f) + n * sizeof(f->v[0]));
	int rc = 0, more;

	if (f == NULL)
		return -ENOMEM;
	f->interval = sat_conf_time(conf, interval);
	f->last = last;
	for (; f->n < n; f->n++) {
		more = part_of(sat_conf_at(group, f->n), &f->v[f->n]);
		rc = rc != 0 ? rc : more;
	}
	if (rc != 0)
		undefine(f);
	else
		*def = f;
	return rc;
}

static int in_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return define(conf, "fill-in", "default-event", false, def);
}

static int last_define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	(void)node;
	(void)module;
	return define(conf, "fill-in-last", "update", true, def);
}

/* ---- The fork ----------------------------------------------------------- */

/* fill-in begins when the stream is made, fill-in-last with an event. */
static int open_fork(const struct sat_at *at, const void *def, void *state)
{
	const struct fill *f = def;
	struct gap *g = state;

	if (!f->last)
		sat_timer_set(at, &g->next, sat_clock() + f->interval);
	return 0;
}

static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct fill *f = def;
	const struct sat_event *kept;
	struct gap *g = state;

	if (item->list || item->n != 1)
		return sat_fail(at, -EINVAL, "it takes events, not lists");
	if (f->last) {
		kept = sat_keep(item->evs[0]);
		if (kept == NULL)
			return -ENOMEM;
		sat_drop(g->ev);
		g->ev = kept;
	}
	if (sat_expired(item->evs[0]))
		sat_timer_stop(&g->next);
	else
		sat_timer_set(at, &g->next, sat_clock() + f->interval);
	sat_pass(at, 0, item);
	return 0;
}

static void timer(const struct sat_at *at, void *def, void *state, struct sat_timer *next)
{
	const struct fill *f = def;
	struct gap *g = state;
	struct sat_event *ev;

	sat_timer_set(at, next, next->due + f->interval);
	ev = sat_edit(at, g->ev);
	if (ev == NULL)
		return;
	for (uint32_t i = 0; i < f->n; i++)
		sat_set(at, ev, &f->v[i].field, &f->v[i].value);
	ev->time = sat_wall();
	ev->has |= SAT_HAS_TIME | SAT_HAS_STAMP;
	sat_pass_event(at, 0, ev);
}

static bool idle(const void *def, const void *state)
{
	(void)def;
	return !sat_timer_armed(&((const struct gap *)state)->next);
}

static void close_fork(const void *def, void *state)
{
	struct gap *g = state;

	(void)def;
	sat_drop(g->ev);
	g->ev = NULL;
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct gap *g = state;
	int rc;

	(void)def;
	sat_write_timer(out, &g->next);
	rc = sat_write_int(out, g->ev != NULL);
	return g->ev != NULL ? sat_write_event(out, g->ev) : rc;
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	struct gap *g = state;
	int64_t there;
	int rc;

	(void)def;
	if (version != 1)
		return -EBADMSG;
	sat_timer_stop(&g->next);
	sat_read_timer(at, in, &g->next);
	rc = sat_read_int(in, &there);
	return rc == 0 && there != 0 ? sat_read_event(in, &g->ev) : rc;
}

static const struct sat_op fill_in = {
	.size = sizeof(fill_in), .state_version = 1, .name = "fill-in",
	.summary = "put an event in where none comes for a time", .options = in_options,
	.state_size = sizeof(struct gap), .define = in_define, .undefine = undefine, .open = open_fork,
	.item = item_fork, .timer = timer, .idle = idle, .close = close_fork, .save = save, .load = load,
};
static const struct sat_op fill_in_last = {
	.size = sizeof(fill_in_last), .state_version = 1, .name = "fill-in-last",
	.summary = "pass on the last event again where none comes for a time", .options = last_options,
	.state_size = sizeof(struct gap), .define = last_define, .undefine = undefine, .open = open_fork,
	.item = item_fork, .timer = timer, .idle = idle, .close = close_fork, .save = save, .load = load,
};

SAT_MODULE(fill,
	.name = "fill", .version = SAT_VERSION, .summary = "operators that fill the gaps between events",
	.ops = (const struct sat_op *const[]){ &fill_in, &fill_in_last, NULL });
