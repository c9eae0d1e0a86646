/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figures - the last answer of metrics/snapshot, and the model, for /metrics.
 *
 * The answer is kept as it came, and read again when somebody asks: that is rare, and
 * answers come every second.  When one fails nothing is known, so nothing is there.
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

void figures_tell(void *state, struct sat_figures *out)
{
	struct mesos *m = state;
	struct snapshot read;
	char why[160];

	if (m->kept != NULL)
		snapshot_read(&read, m->kept, m->n_kept, tell, out, why, sizeof(why));
	if (m->has_model && (!m->doubted || m->follow.live))
		resources_tell(m, out);
}
