/* SPDX-License-Identifier: Apache-2.0 */
/* stable - hold back what comes after a change, until the field has stayed the same for a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

#define CENTURY (INT64_C(3200000000) * SAT_SECOND)

struct stable { struct sat_field field; int64_t dt; uint32_t max; struct sat_self *self; };

struct group {
	struct sat_timer settled;
	struct sat_value value;
	bool known;			/* there was an event */
	int64_t since;			/* the time of the first that is held back */
	const struct sat_event **held;
	uint32_t n, room;
};

static const struct sat_option *const options[] = {
	SAT_OPTION("stable", SAT_SECONDS, .required = true, .min = 0, .max = 1e9, .help = "for how many seconds"),
	SAT_OPTION("field", SAT_STRING, .fallback = "state", .help = "the field that stays the same"),
	SAT_OPTION("max", SAT_INTEGER, .fallback = "10000", .min = 1, .max = 1000000,
		   .help = "events held back at most; further ones are dropped and counted"),
	NULL
};

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct stable *s = calloc(1, sizeof(*s));

	(void)module;
	if (s == NULL)
		return -ENOMEM;
	s->dt = sat_conf_time(conf, "stable");
	s->field = sat_field(sat_conf_string(conf, "field"));
	s->max = (uint32_t)sat_conf_integer(conf, "max");
	s->self = sat_node_self(node);
	*def = s;
	return 0;
}

/* ---- What is held back -------------------------------------------------- */

static int hold(const struct stable *s, struct group *g, const struct sat_event *ev)
{
	uint32_t room = g->room != 0 ? 2 * g->room : 4;
	const struct sat_event **held;

	if (g->n >= s->max) {
		sat_count(s->self, CHANGE_STABLE_DROPPED, 1);
		return 0;
	}
	if (g->n == g->room) {
		held = realloc(g->held, room * sizeof(*held));
		if (held == NULL)
			return -ENOMEM;
		g->held = held;
		g->room = room;
	}
	g->held[g->n] = sat_keep(ev);
	if (g->held[g->n] == NULL)
		return -ENOMEM;
	g->n++;
	return 0;
}

static void forget(struct group *g)
{
	while (g->n > 0)
		sat_drop(g->held[--g->n]);
	free(g->held);
	g->held = NULL;
	g->room = 0;
}

static void let_go(const struct sat_at *at, struct group *g)
{
	struct group gone = { .held = g->held, .n = g->n };

	g->held = NULL;
	g->n = g->room = 0;
	sat_timer_stop(&g->settled);
	for (uint32_t i = 0; i < gone.n; i++)
		sat_pass_event(at, 0, gone.held[i]);
	forget(&gone);
}

/* ---- The fork ----------------------------------------------------------- */

/* What has no time counts as of now. */
static int64_t time_of(const struct sat_event *ev)
{
	return ev->has & SAT_HAS_TIME ? ev->time : sat_wall();
}

/* a - b, as far as that goes. */
static int64_t difference(int64_t a, int64_t b)
{
	int64_t d;

	return __builtin_sub_overflow(a, b, &d) ? (a < b ? INT64_MIN / 4 : INT64_MAX / 4) : d;
}

/* An event from long ago or far ahead has its group settle now, or in a hundred years. */
static int64_t settles(const struct stable *s, const struct group *g)
{
	int64_t ahead = difference(g->since, sat_wall());

	if (ahead > CENTURY)
		ahead = CENTURY;
	if (ahead < -s->dt)
		ahead = -s->dt;
	return sat_clock() + ahead + s->dt;
}

static int begin(const struct sat_at *at, const struct stable *s, struct group *g, const struct sat_value *v,
		 const struct sat_event *ev)
{
	struct sat_value ours;

	if (value_copy(&ours, v) != 0)
		return -ENOMEM;
	forget(g);
	value_free(&g->value);
	g->value = ours;
	g->since = time_of(ev);
	g->known = hold(s, g, ev) == 0;
	if (!g->known)
		return -ENOMEM;
	sat_timer_set(at, &g->settled, settles(s, g));
	return 0;
}

static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct stable *s = def;
	struct group *g = state;
	struct sat_value v;
	int rc;

	if (item->list || item->n != 1)
		return sat_fail(at, -EINVAL, "it takes events, not lists");
	v = sat_get(item->evs[0], &s->field);
	if (!g->known || !sat_same(&v, &g->value))
		return begin(at, s, g, &v, item->evs[0]);
	if (g->n == 0) {
		sat_pass(at, 0, item);
		return 0;
	}
	rc = hold(s, g, item->evs[0]);
	if (rc == 0 && difference(time_of(item->evs[0]), g->since) >= s->dt)
		let_go(at, g);
	return rc;
}

static void timer(const struct sat_at *at, void *def, void *state, struct sat_timer *settled)
{
	(void)def;
	(void)settled;
	let_go(at, state);
}

static bool idle(const void *def, const void *state)
{
	(void)def;
	return !((const struct group *)state)->known;
}

static void close_fork(const void *def, void *state)
{
	struct group *g = state;

	(void)def;
	forget(g);
	value_free(&g->value);
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct group *g = state;
	int rc;

	(void)def;
	sat_write_timer(out, &g->settled);
	sat_write_int(out, g->known);
	value_save(&g->value, out);
	sat_write_int(out, g->since);
	rc = sat_write_int(out, g->n);
	for (uint32_t i = 0; i < g->n && rc == 0; i++)
		rc = sat_write_event(out, g->held[i]);
	return rc;
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	const struct sat_event *ev;
	struct group *g = state;
	int64_t known, n;
	int rc;

	if (version != 1)
		return -EBADMSG;
	sat_read_timer(at, in, &g->settled);
	sat_read_int(in, &known);
	g->known = known != 0;
	value_load(&g->value, in);
	sat_read_int(in, &g->since);
	rc = sat_read_int(in, &n);
	while (rc == 0 && n-- > 0) {
		rc = sat_read_event(in, &ev);
		if (rc == 0)
			rc = hold(def, g, ev);
		sat_drop(ev);
	}
	return rc;
}

const struct sat_op change_stable = {
	.size = sizeof(change_stable), .state_version = 1, .name = "stable",
	.summary = "pass on what stays the same for a time", .options = options,
	.state_size = sizeof(struct group), .define = define, .undefine = free, .item = item_fork, .timer = timer,
	.idle = idle, .close = close_fork, .save = save, .load = load,
};
