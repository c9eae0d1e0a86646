/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reap - events of checks that are no more, and hosts that Mesos knows no more.
 *
 * An event leaves its record when its host goes on speaking of other things, and
 * nothing was heard of this check for long: a host that is silent keeps all it has.
 */
#include <string.h>

#include "whitelist.h"

static const struct wish *wish_of(const struct host *h, const char *service)
{
	const struct wish *w = h->wishes;

	while (w != NULL && strcmp(w->service, service) != 0)
		w = w->next;
	return w;
}

/* Streams may keep only what changes, so the record's time alone says little; but the time of an
 * expiry, after which nothing came, says all. */
static bool is_over(const struct whitelist *wl, const struct host *h, const struct rec_event *e)
{
	const struct wish *w = wish_of(h, e->name);
	int64_t end = e->until != 0 ? e->until : e->time;

	if (e->time == 0 || sat_wall() - end < wl->reap || sat_index_get(h->name, e->name) != NULL)
		return false;
	if (w == NULL || strcmp(e->state, "expired") == 0)
		return w == NULL || w->ev != NULL;
	return w->ev != NULL && sat_expires(w->ev) < sat_clock() - wl->reap;
}

static void drop(struct whitelist *wl, struct host *h, const char *service)
{
	const struct sat_event ev = { .size = sizeof(ev), .host = h->name, .service = service };

	if (wishes_event(wl, h, &ev, false) != 0 || wish_of(h, service) == NULL)
		return;		/* no memory, or no room: another time */
	sat_count(wl->self, COUNT_REAPED, 1);
	sat_log(wl->self, LOG_NOTICE, "%s: %s: nothing was heard of it for long, so its event is dropped", h->name,
		service);
}

/* What this process may have missed does not count: it must have listened that long. */
void reap_events(struct whitelist *wl, struct host *h)
{
	int64_t now = sat_clock();

	if (!wl->synced || !sat_acting() || now - wl->started < wl->reap ||
	    !h->heard_ever || now - h->heard > wl->silent)
		return;
	for (const struct rec_event *e = h->rec->managed; e != NULL; e = e->next)
		if (is_over(wl, h, e))
			drop(wl, h, e->name);
}

void reap_agent(struct whitelist *wl, struct host *h)
{
	if (wl->n_agents == 0 || import_agent(wl, h->name) != NULL)
		h->unlisted = 0;
	else if (h->unlisted == 0)
		h->unlisted = sat_clock();
}
