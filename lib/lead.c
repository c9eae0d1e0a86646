/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lead - whether this process acts: a lease on what was last said of the local
 * Mesos master, and on the claim in the store that masters share.
 *
 * sat_acting() reads CLOCK_BOOTTIME each time, so that a process which slept
 * finds out before it acts; the timer is only there to tell those who listen.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "claim.h"
#include "clock.h"
#include "lead.h"
#include "log.h"

#define LEASE	(2 * SAT_SECOND)
#define DESERTED (30 * SAT_SECOND)	/* longer than Mesos takes to elect another leader */

struct listener {
	struct listener *next;
	struct sat_self *self;
	void (*changed)(void *state, bool acting);
};

static struct {
	enum lead_mode mode;
	bool acts;			/* as it was last told to listeners */
	int64_t confirmed;		/* clock_boot(); 0: never, or denied since */
	int64_t told;			/* when that was last said, either way */
	uint64_t epoch;
	struct listener *listeners;
	uv_timer_t timer;
	bool has_timer;
} lead;

/* Until when it may act, clock_boot(); INT64_MAX: for good. */
static int64_t leased_until(void)
{
	int64_t mesos = lead.mode != LEAD_MESOS ? INT64_MAX : lead.confirmed != 0 ? lead.confirmed + LEASE : 0;
	int64_t claimed = claim_used() ? claim_until() : lead.mode == LEAD_STORE ? 0 : INT64_MAX;

	return mesos < claimed ? mesos : claimed;
}

static bool leased(void)
{
	int64_t until = leased_until();

	return until == INT64_MAX || clock_boot() < until;
}

static bool named(void)
{
	return lead.mode != LEAD_MESOS || (lead.confirmed != 0 && clock_boot() < lead.confirmed + LEASE);
}

/* Whether somebody knows who leads. */
static bool told(void)
{
	return lead.told != 0 && clock_boot() < lead.told + LEASE;
}

/* Without a store that says so: wall seconds, so that the epochs of one process after another grow. */
static void begin_epoch(void)
{
	uint64_t now = claim_used() ? claim_epoch() : (uint64_t)time(NULL);

	lead.epoch = now > lead.epoch || claim_used() ? now : lead.epoch + 1;
}

static void tell(bool acts)
{
	struct listener *next;

	if (acts == lead.acts)
		return;
	lead.acts = acts;
	if (acts)
		begin_epoch();
	if (acts && claim_used())
		log_line(LOG_NOTICE, NULL, "acts, epoch %llu%s", (unsigned long long)lead.epoch,
			 lead.mode == LEAD_MESOS ? ": the local Mesos master leads" : "");
	else if (lead.mode != LEAD_ALWAYS || claim_used())
		log_line(LOG_NOTICE, NULL, acts ? "acts: the local Mesos master leads" : "does not act any more");
	for (struct listener *l = lead.listeners; l != NULL; l = next) {
		next = l->next;
		l->changed(l->self->state, acts);
	}
}

static void look(uv_timer_t *timer);

/* A claim of another epoch is another acting. */
static void judge(void)
{
	int64_t until;

	claim_want(!named() ? CLAIM_NOT : lead.mode == LEAD_STORE ? CLAIM_FREE : CLAIM_NOW);
	if (lead.acts && claim_used() && lead.epoch != claim_epoch())
		tell(false);
	tell(leased());
	until = leased_until();
	if (lead.has_timer && lead.acts && until != INT64_MAX) {
		int64_t left = until - clock_boot();

		uv_timer_start(&lead.timer, look, left > 0 ? (uint64_t)(left / SAT_MS + 1) : 1, 0);
	}
}

static void look(uv_timer_t *timer)
{
	(void)timer;
	judge();
}

int lead_init(enum lead_mode mode)
{
	int rc = 0;

	if (self_process.loop != NULL && !lead.has_timer) {
		rc = uv_timer_init(self_process.loop, &lead.timer);
		lead.has_timer = rc == 0;
		if (rc == 0)
			uv_unref((uv_handle_t *)&lead.timer);
	}
	claim_init(judge);
	if (rc == 0)
		lead_mode(mode, NULL);
	return rc;
}

void lead_mode(enum lead_mode mode, struct sat_self *store)
{
	lead.mode = mode;
	claim_use(store);
	judge();
}

void sat_mesos_leads(struct sat_self *self, bool leads)
{
	(void)self;
	/* A lease that ran out unseen has ended first. */
	tell(lead.acts && leased());
	lead.told = clock_boot();
	lead.confirmed = leads ? lead.told : 0;
	judge();
}

bool sat_acting(void)
{
	return lead.acts && leased();
}

uint64_t sat_epoch(void)
{
	return sat_acting() ? lead.epoch : 0;
}

/* While the store is away nobody can act, but somebody should be heard: whom Mesos names, or else
 * all.  Where the store is there and he whom Mesos names is not, all, too, if only after a while. */
enum lead_alerts lead_alerts(void)
{
	if (!claim_used())
		return sat_acting() ? LEAD_SEND : LEAD_KEEP;
	if (sat_acting())
		return LEAD_LOG;
	if (named() || !told())
		return claim_silence() >= CLAIM_QUIET ? LEAD_SEND : LEAD_KEEP;
	return claim_synced() && claim_silence() >= DESERTED ? LEAD_SEND : LEAD_KEEP;
}

/* ---- For people --------------------------------------------------------- */

static enum lead_seen seen_alone(char *words, size_t size)
{
	if (lead.mode == LEAD_ALWAYS || sat_acting()) {
		snprintf(words, size, "%s", lead.mode == LEAD_ALWAYS ? "" : "acts: the local Mesos master leads");
		return LEAD_SELF;
	}
	snprintf(words, size, "%s", told() ? "does not act: the local Mesos master does not lead" :
		 "does not act: nothing was heard of the local Mesos master");
	return told() ? LEAD_ANOTHER : LEAD_NOBODY;
}

/* Who holds the claim, or did last; NULL: nobody has. */
static const char *holder(void)
{
	const char *name = claim_holder();

	return name != NULL && *name == '\0' ? "somebody" : name;
}

/* What stands in the way, where the store is there. */
static const char *hindrance(void)
{
	if (named())
		return "; the store does not take what this one writes";
	return told() ? "; a Mesos master has to lead, and a satellite to run beside it" :
	       "; nothing is heard of the local Mesos master: one has to lead, and a satellite to run beside it";
}

static void say_nobody(char *words, size_t size)
{
	int n = snprintf(words, size, "nobody acts: ");
	long long seconds = (long long)(claim_silence() / SAT_SECOND);

	if (!claim_synced())
		snprintf(words + n, size - (size_t)n, "the store that masters share is out of reach");
	else if (holder() == NULL)
		snprintf(words + n, size - (size_t)n, "nobody has since the store is in use%s", hindrance());
	else
		snprintf(words + n, size - (size_t)n, "%.200s did last, and %s %lld s%s%s", holder(), claim_resigned() ?
			 "gave it up" : "was not heard of for", seconds, claim_resigned() ? " ago" : "", hindrance());
}

/* The last who acted does not any more, and it is too early to complain of that. */
static bool is_between(void)
{
	return claim_resigned() || strcmp(holder(), sat_host()) == 0;
}

enum lead_seen lead_seen(char *words, size_t size)
{
	if (!claim_used())
		return seen_alone(words, size);
	if (sat_acting()) {
		snprintf(words, size, "acts (epoch %" PRIu64 ")", lead.epoch);
		return LEAD_SELF;
	}
	if (claim_silence() >= CLAIM_QUIET) {
		say_nobody(words, size);
		return LEAD_NOBODY;
	}
	if (holder() == NULL)
		snprintf(words, size, "nobody acts yet");
	else if (is_between())
		snprintf(words, size, "nobody acts right now: %.200s did last", holder());
	else
		snprintf(words, size, "%.200s acts (epoch %" PRIu64 ")", holder(), claim_epoch());
	return LEAD_ANOTHER;
}

int sat_on_acting(struct sat_self *self, void (*changed)(void *state, bool acting))
{
	struct listener *l = malloc(sizeof(*l)), **end = &lead.listeners;

	if (l == NULL)
		return -ENOMEM;
	*l = (struct listener){ .self = self, .changed = changed };
	while (*end != NULL)
		end = &(*end)->next;
	*end = l;
	return 0;
}

void lead_forget(struct sat_self *self)
{
	struct listener **at = &lead.listeners;

	while (*at != NULL) {
		struct listener *l = *at;

		if (l->self != self) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		free(l);
	}
}

void lead_end(void)
{
	claim_use(NULL);
	claim_want(CLAIM_NOT);
	if (lead.has_timer)
		uv_close((uv_handle_t *)&lead.timer, NULL);
	lead.has_timer = false;
	lead.acts = false;
	lead.confirmed = lead.told = 0;
	lead.mode = LEAD_MESOS;
}
