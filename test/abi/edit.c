/* SPDX-License-Identifier: Apache-2.0 */
/* edit - an operator built for ABI 1.0: it edits events, and knows nothing of their newest member. */
#include <errno.h>
#include <satellite/module.h>

static int item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	for (uint32_t i = 0; i < item->n; i++) {
		struct sat_event *ev = sat_edit(at, item->evs[i]);

		if (ev == NULL)
			return -ENOMEM;
		ev->state = "edited";
		sat_pass_event(at, 0, ev);
	}
	return 0;
}

static const struct sat_op edit = {
	.size = sizeof(struct sat_op), .name = "test-edit", .summary = "set the state", .item = item,
};

SAT_MODULE(edit,
	.name = "test-edit", .version = "1.0", .summary = "a module of ABI 1.0",
	.ops = (const struct sat_op *const[]){ &edit, NULL });
