/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide - asking the guard, and what follows.
 *
 * Only who acts asks.  What it lets through holds for a second, in which commit
 * carries it out; what it defers is asked again every few seconds.  The breaker's
 * latch lies in the store, so that the next to act finds it as it was.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "whitelist.h"

#define SOON		(50 * SAT_MS)
#define AGAIN		(5 * SAT_SECOND)	/* while something is deferred */
#define HOLDS_GOOD	SAT_SECOND
#define KEY		"guard/latch"

enum { TOLD_MAX = 100 };	/* hosts that are spoken of one by one, of one decision */

bool decide_passes(struct whitelist *wl, struct host *h)
{
	if (wl->guard.mode == GUARD_OFF)
		return true;
	if (h->judged && h->verdict == GUARD_PASS && h->judged_off == (wishes_flag(h) == FLAG_OFF) &&
	    sat_clock() - h->judged_at < HOLDS_GOOD)
		return true;
	decide_soon(wl);
	return false;
}

const char *decide_held(const struct host *h)
{
	return h->judged && h->verdict > GUARD_PASS ? guard_words(h->verdict) : NULL;
}

/* ---- The latch ---------------------------------------------------------- */

static void latch_print(const struct guard_latch *latch, const char *by, struct sat_buf *out)
{
	sat_buf_printf(out, "{\"latched\":%s,\"accepted\":%zu,\"by\":", latch->set ? "true" : "false", latch->accepted);
	sat_buf_json(out, by);
	sat_buf_printf(out, ",\"time\":");
	micros_print(out, sat_wall());
	sat_buf_printf(out, "}");
}

static int latch_member(void *arg, const struct member *m)
{
	struct guard_latch *latch = arg;

	if (m->key == NULL)
		return -EBADMSG;
	if (strcmp(m->key, "latched") == 0 && m->kind == M_BOOL)
		latch->set = m->raw[0] == 't';
	else if (strcmp(m->key, "accepted") == 0 && member_number(m) > 0 && member_number(m) <= HOSTS_MAX)
		latch->accepted = (size_t)member_number(m);
	return 0;
}

/* What cannot be read is taken for set: the safe side. */
void decide_latch(struct whitelist *wl, const char *value, size_t len)
{
	struct guard_latch latch = { 0 };

	if (value != NULL && members_read(value, len, latch_member, &latch) != 0)
		latch = (struct guard_latch){ .set = true };
	if (wl->latch.set != latch.set && wl->settled)
		sat_log(wl->self, latch.set ? LOG_ERR : LOG_NOTICE, "guard: %s", latch.set ?
			"latched: no stream turns a host off until a person resets it" : "reset by a person");
	wl->latch = latch;
	wl->latch_stored = true;
	sat_gauge(wl->self, COUNT_LATCHED, latch.set);
	decide_soon(wl);
}

static void stored(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	struct whitelist *wl = arg;

	(void)culprit, (void)versions;
	wl->latch_busy = false;
	wl->latch_stored = rc == 0;	/* else at the next decision */
	whitelist_idle(wl);
}

static void store(struct whitelist *wl)
{
	struct sat_buf text = { .max = 1024 };
	struct sat_change changes[2] = { [1] = { .what = SAT_PUT, .key = KEY, .version = SAT_ANY_VERSION } };

	if (wl->latch_stored || wl->latch_busy || !wl->synced || !sat_fence(wl->link, &changes[0]))
		return;
	latch_print(&wl->latch, sat_host(), &text);
	changes[1].value = text.p;
	changes[1].len = text.len;
	wl->latch_busy = !text.full && sat_store_commit(wl->link, changes, 2, stored, wl) == 0;
	sat_buf_free(&text);
}

/* At the latest then; every minute somebody asks anyway. */
static void decide_in(struct whitelist *wl, int64_t wait)
{
	int64_t due = sat_clock() + wait;

	if (wl->decide_due != 0 && wl->decide_due <= due)
		return;
	if (sat_alarm_set(wl->self, &wl->decide, due) == 0)
		wl->decide_due = due;
}

/* ---- Deciding ----------------------------------------------------------- */

static int by_wish(const void *a, const void *b)
{
	const struct guard_host *x = a, *y = b;

	return x->wished != y->wished ? (x->wished < y->wished ? -1 : 1) : strcmp(x->name, y->name);
}

/* Off since automation turned it off; one that came in as off is not held. */
static bool held_off(const struct record *rec)
{
	return rec->managed_flag == FLAG_OFF && rec->off != 0 && rec->flipped == rec->off;
}

static size_t collect(struct whitelist *wl, struct guard_host *hosts)
{
	size_t n = 0;

	for (struct host *h = wl->first; h != NULL && n < wl->n_hosts; h = h->after) {
		const struct hold *hold = wishes_deciding(h);

		if (h->rec == NULL)
			continue;
		hosts[n++] = (struct guard_host){
			.name = h->name, .on = h->told == FLAG_ON, .managed_off = h->rec->managed_flag != FLAG_ON,
			.wish = hold == NULL ? 0 : hold->off ? -1 : 1, .wished = hold == NULL ? 0 : hold->since,
			.flipped = h->rec->flipped, .off = h->rec->off, .held = held_off(h->rec),
		};
	}
	qsort(hosts, n, sizeof(*hosts), by_wish);
	return n;
}

/* Once for each change of the guard's mind. */
static void tell(struct whitelist *wl, struct host *h, bool off)
{
	bool observes = wl->guard.mode == GUARD_OBSERVE;
	char text[256];

	snprintf(text, sizeof(text), "wished %s, %s%s", off ? "off" : "on", observes ? "only observed: " : "",
		 guard_words(h->verdict));
	if (observes || h->verdict != GUARD_PASS)
		sat_log(wl->self, LOG_NOTICE, "%s: %s (%s)", h->name, text, wishes_cause(h));
	sat_emit(wl->self, .host = h->name, .service = "satellite/host/guard",
		 .state = h->verdict == GUARD_PASS ? "ok" : "warning", .description = text);
}

/* Whether it is held back. */
static bool follow(struct whitelist *wl, const struct guard_host *g, enum verdict verdict, unsigned *told)
{
	struct host *h = hosts_find(wl, g->name);
	bool changed = h != NULL && (!h->judged || h->verdict != verdict);

	if (h == NULL)
		return false;
	h->verdict = verdict;
	h->judged = true;
	h->judged_off = g->wish < 0;
	h->judged_at = sat_clock();
	if (changed && verdict != GUARD_NOTHING && ++*told <= TOLD_MAX)
		tell(wl, h, g->wish < 0);
	if (wl->guard.mode == GUARD_ENFORCE && (verdict == GUARD_PASS || changed))
		commit_dirty(wl, h);
	return verdict > GUARD_PASS;
}

static void judge(struct whitelist *wl, struct guard_host *hosts, enum verdict *verdicts)
{
	struct guard_facts facts = { .now = sat_wall(), .fresh = silence_fresh(wl),
				     .mesos_away = wl->mesos_away, .late = sat_late() };
	size_t n = collect(wl, hosts), held = 0;
	bool was = wl->latch.set;
	size_t accepted = wl->latch.accepted;
	unsigned told = 0;

	guard_decide(&wl->guard, &facts, &wl->latch, hosts, n, verdicts);
	if (wl->latch.set && !was) {
		sat_log(wl->self, LOG_ERR, "guard: %zu of %zu hosts are wished off together: nothing more is turned off "
			"until a person says \"satellite guard reset\"", guard_wished(hosts, n), n);
		sat_emit(wl->self, .service = "satellite/guard", .state = "critical", .description =
			 "the breaker is latched: too many hosts are wished off together");
	}
	if (wl->latch.set != was || wl->latch.accepted != accepted)
		wl->latch_stored = false;
	sat_gauge(wl->self, COUNT_LATCHED, wl->latch.set);
	for (size_t i = 0; i < n; i++)
		held += follow(wl, &hosts[i], verdicts[i], &told);
	if (told > TOLD_MAX)
		sat_log(wl->self, LOG_NOTICE, "guard: and %u hosts more", told - TOLD_MAX);
	sat_gauge(wl->self, COUNT_HOSTS_HELD, (int64_t)held);
	if (wl->guard.mode == GUARD_ENFORCE)
		store(wl);
	if (held > 0)
		decide_in(wl, AGAIN);
}

static void decide(struct sat_alarm *alarm)
{
	struct whitelist *wl = SAT_OWNER(alarm, struct whitelist, decide);
	struct guard_host *hosts;
	enum verdict *verdicts;

	wl->decide_due = 0;
	if (wl->stopping || !wl->synced || !(sat_acting() || sat_dry_run()))
		return;
	hosts = calloc(wl->n_hosts + 1, sizeof(*hosts));
	verdicts = calloc(wl->n_hosts + 1, sizeof(*verdicts));
	if (hosts != NULL && verdicts != NULL)
		judge(wl, hosts, verdicts);
	free(hosts);
	free(verdicts);
}

void decide_soon(struct whitelist *wl)
{
	if (wl->guard.mode != GUARD_OFF && !wl->stopping && wl->synced)
		decide_in(wl, SOON);
}

void decide_anew(struct whitelist *wl)
{
	for (struct host *h = wl->first; h != NULL; h = h->after)
		h->judged = false;
	decide_soon(wl);
}

/* ---- People ------------------------------------------------------------- */

static const char *mode_name(enum guard_mode mode)
{
	return mode == GUARD_OFF ? "off" : mode == GUARD_OBSERVE ? "observe" : "enforce";
}

struct figures { size_t wished, held, off, by[GUARD_RATE + 1]; };

static struct figures count(const struct whitelist *wl)
{
	struct figures f = { 0 };

	for (const struct host *h = wl->first; h != NULL; h = h->after) {
		if (h->rec == NULL)
			continue;
		f.wished += wishes_flag(h) == FLAG_OFF;
		f.off += held_off(h->rec);
		f.held += h->judged && h->verdict > GUARD_PASS;
		f.by[h->judged ? h->verdict : GUARD_NOTHING]++;
	}
	return f;
}

static void print_text(const struct whitelist *wl, const struct figures *f, struct sat_buf *out)
{
	sat_buf_printf(out, "mode     %s\nbreaker  %s\n", mode_name(wl->guard.mode), wl->latch.set ?
		       "latched: nothing more is turned off until \"satellite guard reset\"" : "closed");
	sat_buf_printf(out, "hosts    %zu in the inventory, %zu held off by automation, %zu wished off\n", wl->n_hosts,
		       f->off, f->wished);
	sat_buf_printf(out, "held     %zu\n", f->held);
	for (int v = GUARD_PASS + 1; v <= GUARD_RATE; v++)
		if (f->by[v] > 0)
			sat_buf_printf(out, "         %zu %s\n", f->by[v], guard_words(v));
	if (!sat_acting())
		sat_buf_printf(out, "         (this master does not act: the one that does knows what is held)\n");
}

static void print_json(const struct whitelist *wl, const struct figures *f, struct sat_buf *out)
{
	sat_buf_printf(out, "{\"mode\":\"%s\",\"acting\":%s,\"latched\":%s,\"hosts\":%zu,\"off\":%zu,\"wished\":%zu,"
		       "\"held\":%zu}", mode_name(wl->guard.mode), sat_acting() ? "true" : "false",
		       wl->latch.set ? "true" : "false", wl->n_hosts, f->off, f->wished, f->held);
}

void decide_guard(struct whitelist *wl, struct sat_request *req, enum form form)
{
	struct figures f = count(wl);
	struct sat_buf out = { .max = 64 << 10 };

	if (form == AS_TEXT)
		print_text(wl, &f, &out);
	else
		print_json(wl, &f, &out);
	sat_buf_printf(&out, form == AS_JSON ? "\n" : "");
	if (form == OVER_REST)
		sat_reply_buf(req, 200, "application/json", &out);
	else
		sat_command_done(req, 0, &out);
}

struct reset { struct whitelist *wl; struct sat_request *req; enum form form; };

static void answer(const struct reset *r, int status, const char *words)
{
	static const char json[] = "{\"latched\":false}";
	struct sat_buf out = { .max = 4096 };

	sat_log(r->wl->self, status == 200 ? LOG_NOTICE : LOG_WARNING, "%s: guard reset: %s",
		sat_request_who(r->req), words);
	if (r->form == OVER_REST && status != 200) {
		sat_reply_error(r->req, status, "%s", words);
	} else if (r->form == OVER_REST) {
		sat_reply(r->req, 200, "application/json", json, sizeof(json) - 1, NULL);
	} else {
		sat_buf_printf(&out, "%s\n", status == 200 && r->form == AS_JSON ? json : words);
		sat_command_done(r->req, status == 200 ? 0 : 1, &out);
	}
}

static void reset_done(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	struct reset *r = arg;

	(void)culprit, (void)versions;
	r->wl->n_resets--;
	answer(r, rc == 0 ? 200 : 503, rc == 0 ? "the breaker is closed" : rc == -EINPROGRESS ?
	       "the outcome is not known; it is harmless to repeat it" : "the store cannot be reached");
	whitelist_idle(r->wl);
	free(r);
}

/* Of a person, so it needs no fence. */
void decide_reset(struct whitelist *wl, struct sat_request *req, enum form form)
{
	struct guard_latch latch = { .accepted = count(wl).wished };
	struct sat_buf text = { .max = 4096 };
	struct sat_change change = { .what = SAT_PUT, .key = KEY, .version = SAT_ANY_VERSION };
	struct reset *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	latch_print(&latch, sat_request_who(req), &text);
	if (r != NULL && !text.full) {
		*r = (struct reset){ .wl = wl, .req = req, .form = form };
		change.value = text.p;
		change.len = text.len;
		rc = wl->synced ? sat_store_commit(wl->link, &change, 1, reset_done, r) : -ENOTCONN;
	}
	sat_buf_free(&text);
	if (rc == 0) {
		wl->n_resets++;
		return;
	}
	answer(&(struct reset){ .wl = wl, .req = req, .form = form }, 503,
	       rc == -ENOMEM ? "out of memory" : "the store cannot be reached");
	free(r);
}

/* How the Mesos master answers. */
static void heard(void *state, const char *topic, const struct sat_item *item)
{
	struct whitelist *wl = state;

	(void)topic;
	wl->mesos_away = item->n > 0 && item->evs[0]->state != NULL && strcmp(item->evs[0]->state, "ok") != 0;
	decide_soon(wl);
}

int decide_start(struct whitelist *wl)
{
	wl->decide.fire = decide;
	return sat_subscribe(wl->self, "mesos/health", heard);
}
