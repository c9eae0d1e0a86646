/* SPDX-License-Identifier: Apache-2.0 */
/* ways - what would change the state of a host. */
#include <inttypes.h>
#include <string.h>

#include "why.h"

static void check_ways(const struct why *w, struct sat_buf *out)
{
	unsigned n = 0;

	for (const struct rec_event *e = w->rec->managed; e != NULL; e = e->next) {
		if (!check_fails(e) || ++n > SHOWN_MAX)
			continue;
		sat_buf_printf(out, "the check \"");
		text_print(e->name, out);
		sat_buf_printf(out, "\" must be %sok again\n", strcmp(e->state, "expired") == 0 ? "heard of and " : "");
	}
	if (n > SHOWN_MAX)
		sat_buf_printf(out, "and so must %u more\n", n - SHOWN_MAX);
	if (n > 0)
		return;
	sat_buf_printf(out, "the streams must wish it on again, once what they found is over\n");
}

static void hold_ways(const struct why *w, struct sat_buf *out)
{
	bool shared = false;

	for (const struct hold *hold = w->h->holds; hold != NULL; hold = hold->next) {
		if (hold->off && *hold->name == '\0')
			shared = true;
		if (!hold->off || *hold->name == '\0')
			continue;
		sat_buf_printf(out, "the hold \"");
		text_print(hold->name, out);
		sat_buf_printf(out, hold->until != 0 ? "\" must end: it does at " : "\" must be ended by a stream\n");
		if (hold->until == 0)
			continue;
		when_print(hold->until, out);
		sat_buf_printf(out, "\n");
	}
	if (shared)
		check_ways(w, out);
}

static void person_ways(const struct why *w, struct sat_buf *out)
{
	const struct rec_event *e = record_word(w->rec);

	if (e == NULL)
		return;
	if (e->until != 0) {
		sat_buf_printf(out, "that word ends at ");
		when_print(e->until, out);
		sat_buf_printf(out, "; ");
	} else {
		sat_buf_printf(out, "that word stays; ");
	}
	sat_buf_printf(out, "DELETE /whitelist/host/%s/event/", w->h->name);
	text_print(e->name, out);
	sat_buf_printf(out, " takes it back; without it the host is %s\n",
		       w->rec->managed_flag == FLAG_ON ? "on" : "off");
}

/* When the first of those that went lately is no longer counted. */
static int64_t rate_until(const struct whitelist *wl)
{
	int64_t now = sat_wall(), first = 0;

	for (const struct host *h = wl->first; h != NULL; h = h->after)
		if (h->rec != NULL && h->rec->off != 0 && now - h->rec->off < wl->guard.rate_per &&
		    (first == 0 || h->rec->off < first))
			first = h->rec->off;
	return first == 0 ? now : first + wl->guard.rate_per;
}

static void guard_when(const char *what, int64_t t, struct sat_buf *out)
{
	sat_buf_printf(out, "guard %s at ", what);
	when_print(t, out);
	sat_buf_printf(out, "\n");
}

static void guard_ways(const struct why *w, struct sat_buf *out)
{
	const struct guard_conf *g = &w->wl->guard;
	bool off = w->wish == FLAG_OFF;

	if (w->verdict == GUARD_PROTECTED)
		sat_buf_printf(out, "no stream ever turns it off: it is protected\n");
	else if (w->verdict == GUARD_LATCHED)
		sat_buf_printf(out, "satellite guard reset lets the streams go on\n");
	else if (w->verdict == GUARD_FROZEN)
		sat_buf_printf(out, "guard min-fresh: %.0f %% of the hosts are heard from, %.0f %% must be\n",
			       100 * silence_fresh(w->wl), 100 * g->min_fresh);
	else if (w->verdict == GUARD_MESOS_AWAY)
		sat_buf_printf(out, "the Mesos master must answer again\n");
	else if (w->verdict == GUARD_LATE)
		sat_buf_printf(out, "a minute must pass without a stall\n");
	else if (w->verdict == GUARD_DWELL)
		guard_when(off ? "min-on-time passes" : "min-off-time passes",
			   w->rec->flipped + (off ? g->min_on_time : g->min_off_time), out);
	else if (w->verdict == GUARD_MIN_ON)
		sat_buf_printf(out, "guard min-on: more than %" PRId64 " hosts must be on\n", g->min_on);
	else if (w->verdict == GUARD_MAX_OFF)
		sat_buf_printf(out, "guard max-off: a host that streams hold off must come back first\n");
	else if (w->verdict == GUARD_RATE)
		guard_when("rate lets the next one go", rate_until(w->wl), out);
}

void why_ways(const struct why *w, struct sat_buf *out)
{
	guard_ways(w, out);
	if (w->source == A_PERSON)
		person_ways(w, out);
	else if (!w->on)
		hold_ways(w, out);
	sat_buf_printf(out, "satellite %s %s%s\n", w->on ? "off" : "on", w->h->name,
		       w->source == A_PERSON ? "" : ": whatever the streams say");
}
