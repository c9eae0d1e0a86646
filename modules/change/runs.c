/* SPDX-License-Identifier: Apache-2.0 */
/* runs - pass on an event that is at least the nth in a row with the same value in a field. */
#include <errno.h>
#include <stdlib.h>

#include "value.h"

struct runs { struct sat_field field; int64_t length; };	/* its name is borrowed from the settings */
struct run { struct sat_value value; int64_t n; };		/* n: so far, no more than is asked for */

static const struct sat_option *const options[] = {
	SAT_OPTION("runs", SAT_INTEGER, .required = true, .min = 1, .max = 1e9, .help = "how many in a row"),
	SAT_OPTION("field", SAT_STRING, .fallback = "state", .help = "the field that stays the same"),
	NULL
};

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct runs *r = calloc(1, sizeof(*r));

	(void)node;
	(void)module;
	if (r == NULL)
		return -ENOMEM;
	r->length = sat_conf_integer(conf, "runs");
	r->field = sat_field(sat_conf_string(conf, "field"));
	*def = r;
	return 0;
}

static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct sat_value v = { .kind = SAT_NIL }, ours;
	const struct runs *r = def;
	struct run *run = state;

	if (!item->list && item->n == 1)
		v = sat_get(item->evs[0], &r->field);
	if (run->n == 0 || !sat_same(&v, &run->value)) {
		if (value_copy(&ours, &v) != 0)
			return -ENOMEM;
		value_free(&run->value);
		run->value = ours;
		run->n = 0;
	}
	if (run->n < r->length)
		run->n++;
	if (run->n == r->length)
		sat_pass(at, 0, item);
	return 0;
}

static bool idle(const void *def, const void *state)
{
	(void)def;
	return ((const struct run *)state)->n == 0;
}

static void close_fork(const void *def, void *state)
{
	(void)def;
	value_free(&((struct run *)state)->value);
}

static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct run *run = state;

	(void)def;
	sat_write_int(out, run->n);
	return value_save(&run->value, out);
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	const struct runs *r = def;
	struct run *run = state;
	int64_t n;

	(void)at;
	if (version != 1 || sat_read_int(in, &n) != 0 || n < 0 || n > r->length)
		return -EBADMSG;
	run->n = n;
	return value_load(&run->value, in);
}

const struct sat_op change_runs = {
	.size = sizeof(change_runs), .state_version = 1, .name = "runs",
	.summary = "pass on an event when so many in a row have the same in a field", .options = options,
	.state_size = sizeof(struct run), .define = define, .undefine = free, .item = item_fork, .idle = idle,
	.close = close_fork, .save = save, .load = load,
};
