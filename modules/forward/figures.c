/* SPDX-License-Identifier: Apache-2.0 */
/* figures - what is told of each master: all ways to it are one. */
#include <string.h>

#include "forward.h"

/* One that comes earlier in the list bears the same name. */
static bool told(const struct sender *first, const struct sender *s, size_t i)
{
	const char *name = peer_name(s->peers[i]);

	for (const struct sender *t = first; t != NULL; t = t->next)
		for (size_t k = 0; k < t->n && t->started; k++) {
			if (t == s && k == i)
				return false;
			if (strcmp(peer_name(t->peers[k]), name) == 0)
				return true;
		}
	return false;
}

static struct master_figures sum(const struct sender *first, const char *name)
{
	struct master_figures f = { .up = true };

	for (; first != NULL; first = first->next)
		for (size_t i = 0; i < first->n && first->started; i++)
			if (strcmp(peer_name(first->peers[i]), name) == 0)
				peer_figures(first->peers[i], &f);
	return f;
}

static void tell(const char *name, const struct master_figures *f, struct sat_figures *out)
{
	const struct sat_attr label = { "master", name };

	sat_figure(out, "satellite_forward_master_up", true, "whether it takes events", &label, 1, f->up);
	sat_figure(out, "satellite_forward_master_queued", true, "events that wait for it", &label, 1, f->queued);
	sat_figure(out, "satellite_forward_master_spooled", true, "of them, those on the disk", &label, 1, f->spooled);
	sat_figure(out, "satellite_forward_master_acknowledged", false, "events that it took", &label, 1,
		   f->acknowledged);
	sat_figure(out, "satellite_forward_master_dropped", false, "events it never got", &label, 1, f->dropped);
}

void sender_figures(const struct sender *first, struct sat_figures *out)
{
	for (const struct sender *s = first; s != NULL; s = s->next)
		for (size_t i = 0; i < s->n && s->started; i++)
			if (!told(first, s, i)) {
				struct master_figures f = sum(first, peer_name(s->peers[i]));

				tell(peer_name(s->peers[i]), &f, out);
			}
}
