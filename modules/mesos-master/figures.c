/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figures - the last answer of metrics/snapshot, and the model, for /metrics.
 *
 * The answer is kept as it came, and read again when somebody asks: that is rare, and
 * answers come every second.  When one fails nothing is known, so nothing is there.
 * The agents' follow, a few at a time: where their table is renewed meanwhile, which moves
 * them all, they begin anew, and who asks knows which it had.
 */
#include <stdlib.h>
#include <string.h>

#include "mesos.h"

void figures_keep(struct mesos *m, const char *text, size_t len)
{
	char *p = realloc(m->kept, len + 1);

	if (p == NULL) {
		figures_drop(m);
		return;
	}
	memcpy(p, text, len);
	p[len] = '\0';
	m->kept = p;
	m->n_kept = len;
}

void figures_drop(struct mesos *m)
{
	free(m->kept);
	m->kept = NULL;
	m->n_kept = 0;
}

static void tell(void *arg, const char *key, const struct sat_value *v)
{
	const struct sat_attr labels[] = { { "from", "master" }, { "key", key } };

	sat_figure(arg, "satellite_mesos_snapshot", true, "a figure of metrics/snapshot", labels, 2,
		   v->kind == SAT_INT ? (double)v->i : v->d);
}

/* *at is the next slot, from 1 on, and which form of the table that is of. */
bool figures_tell(void *state, struct sat_figures *out, uint64_t *at)
{
	struct mesos *m = state;
	uint32_t slot = (uint32_t)*at - 1, renewed = m->model.agents.renewed;
	struct snapshot read;
	char why[160];
	bool more = true;

	if (*at == 0 && m->kept != NULL)
		snapshot_read(&read, m->kept, m->n_kept, tell, out, why, sizeof(why));
	if (!m->has_model || (m->doubted && !m->follow.live))
		return false;
	if (*at == 0 || *at >> 32 != renewed)
		slot = 0;
	else
		more = resources_tell(m, out, &slot);
	*at = (uint64_t)renewed << 32 | (slot + 1);
	return more;
}
