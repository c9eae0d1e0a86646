/* SPDX-License-Identifier: Apache-2.0 */
/* index - operators over the index and the inputs: index, delete-from-index, reinject. */
#include <satellite/module.h>

static int each(const struct sat_at *at, const struct sat_item *item,
		int (*one)(const struct sat_at *at, const struct sat_event *ev))
{
	int rc = 0, more;

	for (uint32_t i = 0; i < item->n; i++) {
		more = one(at, item->evs[i]);
		rc = rc != 0 ? rc : more;
	}
	return rc;
}

static int index_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	return each(at, item, sat_index_put);
}

static int delete_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	return each(at, item, sat_index_delete);
}

static int reinject_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	return each(at, item, sat_reinject);
}

static const struct sat_op put = {
	.size = sizeof(put), .name = "index", .summary = "keep the latest event of each host and service",
	.item = index_item,
};
static const struct sat_op take = {
	.size = sizeof(take), .name = "delete-from-index", .summary = "take events out of the index",
	.item = delete_item,
};
static const struct sat_op again = {
	.size = sizeof(again), .name = "reinject", .summary = "send events through all streams again",
	.item = reinject_item,
};

SAT_MODULE(index,
	.name = "index", .version = SAT_VERSION, .summary = "operators over the index and the inputs",
	.ops = (const struct sat_op *const[]){ &put, &take, &again, NULL });
