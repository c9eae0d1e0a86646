/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wishes - what the streams want of each host, as levels.
 *
 * Kept on every master: (host, hold) is on or off, (host, service) an event or
 * a tombstone.  The acting one brings the records to them.  Absence from
 * memory is no wish.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whitelist.h"

#define SOFT_TIME	(60 * SAT_SECOND)	/* what differs only in its figures is written as often */

/* Of all but time, metric, ttl and description. */
static uint64_t signature(const struct sat_event *ev)
{
	uint64_t sig = sat_hash(0, ev->state);

	for (uint32_t i = 0; i < ev->n_tags; i++)
		sig = sat_hash(sig, ev->tags[i]);
	for (uint32_t i = 0; i < ev->n_attrs; i++)
		sig = sat_hash(sat_hash(sig, ev->attrs[i].key), ev->attrs[i].value);
	return sig;
}

/* ---- Whose wish counts -------------------------------------------------- */

/* Log a name once; a full table logs no more. */
static void stranger(struct whitelist *wl, const char *name)
{
	uint32_t id, at;

	sat_count(wl->self, COUNT_STRANGERS, 1);
	if (wl->n_hosts == 0 || wl->n_strangers == STRANGERS_MAX)
		return;		/* nothing is imported yet, or too many to tell of */
	id = (uint32_t)sat_hash(0, name) | 1;
	for (at = id / 2 % STRANGERS_SLOTS; wl->strangers[at] != 0; at = (at + 1) % STRANGERS_SLOTS)
		if (wl->strangers[at] == id)
			return;
	wl->strangers[at] = id;
	wl->n_strangers++;
	sat_log(wl->self, LOG_WARNING, "%s: not in the inventory, so streams do not act on it", name);
}

/* The host that a stream speaks of, if it is one of ours; h: the one of that name, or NULL.
 * Before the store was read, and in replay, nobody knows the inventory. */
static struct host *subject(struct whitelist *wl, struct host *h, const char *name)
{
	if (h != NULL && (h->rec != NULL || h->create != FLAG_NONE))
		return h;
	if (h == NULL && !wl->settled && name_legal(name)) {
		h = hosts_get(wl, name);
		if (h == NULL)
			sat_count(wl->self, COUNT_WISHES_DROPPED, 1);
		return h;
	}
	if (wl->settled && !sat_dry_run()) {
		stranger(wl, name);
		return NULL;
	}
	return h == NULL && sat_dry_run() && name_legal(name) ? hosts_get(wl, name) : h;
}

/* ---- Holds -------------------------------------------------------------- */

enum flag wishes_flag(const struct host *h)
{
	enum flag flag = FLAG_NONE;

	for (const struct hold *hold = h->holds; hold != NULL; hold = hold->next)
		if (hold->off)
			return FLAG_OFF;
		else
			flag = FLAG_ON;
	return flag;
}

const struct hold *wishes_deciding(const struct host *h)
{
	bool off = wishes_flag(h) == FLAG_OFF;
	const struct hold *found = NULL;

	for (const struct hold *hold = h->holds; hold != NULL; hold = hold->next)
		if (hold->off == off && (found == NULL || hold->since > found->since))
			found = hold;
	return found;
}

const char *wishes_cause(const struct host *h)
{
	const struct hold *hold = wishes_deciding(h);

	return hold == NULL ? "" : hold->cause;
}

/* What a person at night wants to know of the event, and no more: the record has to hold it. */
static char *cause_text(const char *hold, const struct cause *cause)
{
	const struct sat_event *ev = cause->ev;
	struct sat_buf text = { .max = 4096 };

	sat_buf_printf(&text, "%.500s: %.500s is %.100s", cause->node, ev->service == NULL ? "nil" : ev->service,
		       ev->state == NULL ? "nil" : ev->state);
	if (ev->has & SAT_HAS_METRIC)
		sat_buf_printf(&text, ", metric %.10g", sat_metric(ev));
	if (*hold != '\0')
		sat_buf_printf(&text, ", hold %.300s", hold);
	if (ev->description != NULL && *ev->description != '\0')
		sat_buf_printf(&text, ": %.300s", ev->description);
	sat_buf_add(&text, "", 1);
	if (!text.full)
		return text.p;
	sat_buf_free(&text);
	return NULL;
}

int wishes_hold(struct whitelist *wl, const char *host, const char *name, bool off, int64_t ttl,
		const struct cause *cause)
{
	struct host *h = subject(wl, hosts_find(wl, host), host);
	struct hold *hold = h == NULL ? NULL : hold_find(h->holds, name);
	int64_t until = ttl == 0 || !off ? 0 : sat_wall() + ttl;
	char *text;
	int rc;

	if (h == NULL)
		return 0;
	if (hold != NULL && hold->off == off) {
		hold->until = until;
		if (until != 0)
			commit_dirty(wl, h);
		return 0;
	}
	if (hold == NULL && !off && *name != '\0')
		return 0;	/* ends a hold that is not there */
	text = cause_text(name, cause);
	rc = text == NULL ? -ENOMEM : hold_set(&h->holds, name, off, sat_wall(), until, text);
	free(text);
	if (rc == 0) {
		commit_dirty(wl, h);
		wishes_until(wl, h);
		decide_soon(wl);
	} else {
		sat_count(wl->self, COUNT_WISHES_DROPPED, 1);
	}
	return rc;
}

int wishes_end(struct whitelist *wl, struct host *h, int64_t now)
{
	int ended = 0;

	for (struct hold *hold = h->holds; hold != NULL; hold = hold->next) {
		if (hold->until == 0 || hold->until > now)
			continue;
		if (hold_set(&h->holds, hold->name, false, now, 0, "the time of a hold is over") != 0)
			hold->until = now + SAT_SECOND;
		else
			ended++;
	}
	if (ended > 0)
		decide_soon(wl);
	return ended;
}

/* ---- Events ------------------------------------------------------------- */

static struct wish **wish_at(struct host *h, const char *service)
{
	struct wish **at = &h->wishes;

	while (*at != NULL && strcmp((*at)->service, service) != 0)
		at = &(*at)->next;
	return at;
}

static void wish_free(struct wish **at)
{
	struct wish *w = *at;

	*at = w->next;
	sat_drop(w->ev);
	free(w);
}

void wishes_free(struct host *h)
{
	holds_free(&h->holds);
	while (h->wishes != NULL)
		wish_free(&h->wishes);
}

static int wish_new(struct whitelist *wl, struct host *h, struct wish **at, const char *service)
{
	unsigned n = 0;

	for (const struct wish *w = h->wishes; w != NULL; w = w->next)
		n++;
	if (n < RECORD_EVENTS)
		*at = calloc(1, sizeof(**at) + strlen(service) + 1);
	if (*at == NULL) {
		sat_count(wl->self, COUNT_WISHES_DROPPED, 1);
		return n < RECORD_EVENTS ? -ENOMEM : -ENOSPC;
	}
	strcpy((*at)->service, service);
	return 0;
}

/* Whether a tombstone would say what the record says already. */
static bool agrees(const struct host *h, const char *service)
{
	return h->rec == NULL || record_event(h->rec->managed, service) == NULL;
}

/* Whether all that is new of it are figures, and those in the record are not a minute old. */
static bool may_wait(const struct wish *w, const struct rec_event *e)
{
	return e != NULL && w->written != 0 && sat_clock() - w->written < SOFT_TIME &&
	       (w->written_sig == 0 || w->written_sig == w->sig) &&
	       strcmp(e->state, w->ev->state == NULL ? "" : w->ev->state) == 0;
}

static int keep_event(struct whitelist *wl, struct host *h, struct wish **at, const struct sat_event *ev)
{
	const struct sat_event *kept = sat_keep_over(*at == NULL ? NULL : (*at)->ev, ev);
	int rc;

	if (kept == NULL)
		return -ENOMEM;
	if (*at == NULL && (rc = wish_new(wl, h, at, ev->service)) != 0) {
		sat_drop(kept);
		return rc == -ENOSPC ? 0 : rc;
	}
	(*at)->ev = kept;
	(*at)->sig = signature(kept);
	if (h->rec != NULL && !h->flying && may_wait(*at, record_event(h->rec->managed, ev->service)))
		h->soft = true;
	else
		commit_dirty(wl, h);
	return 0;
}

static int drop_event(struct whitelist *wl, struct host *h, struct wish **at, const char *service)
{
	bool agreed = agrees(h, service);
	int rc;

	if (*at == NULL && agreed)
		return 0;
	if (*at == NULL && (rc = wish_new(wl, h, at, service)) != 0)
		return rc == -ENOSPC ? 0 : rc;
	sat_drop((*at)->ev);
	(*at)->ev = NULL;
	(*at)->sig = 0;
	if (agreed && !h->flying)
		wish_free(at);
	commit_dirty(wl, h);
	return 0;
}

int wishes_event(struct whitelist *wl, struct host *h, const struct sat_event *ev, bool keep)
{
	struct wish **at;

	h = subject(wl, h, ev->host);
	if (h == NULL)
		return 0;
	at = wish_at(h, ev->service);
	return keep ? keep_event(wl, h, at, ev) : drop_event(wl, h, at, ev->service);
}

static bool failing(const char *state)
{
	return state != NULL && (strcmp(state, "critical") == 0 || strcmp(state, "expired") == 0);
}

const char *wishes_failing(struct host *h)
{
	for (const struct wish *w = h->wishes; w != NULL; w = w->next)
		if (w->ev != NULL && failing(w->ev->state))
			return w->service;
	for (const struct rec_event *e = h->rec == NULL ? NULL : h->rec->managed; e != NULL; e = e->next)
		if (failing(e->state) && *wish_at(h, e->name) == NULL)
			return e->name;
	return NULL;
}

/* ---- Into the record ---------------------------------------------------- */

static int write_event(struct wish *w, const struct rec_event *e, struct record *rec)
{
	struct sat_buf text = { .max = RECORD_MAX };
	int rc = 0;

	event_print(w->ev, &text);
	if (text.full)
		rc = -ENOMEM;
	else if (e == NULL || strlen(e->text) != text.len || memcmp(e->text, text.p, text.len) != 0)
		rc = record_put(&rec->managed, w->service, text.p, text.len) == 0 ? 1 : -ENOMEM;
	sat_buf_free(&text);
	if (rc >= 0) {
		w->written_sig = w->sig;
		w->written = sat_clock();
	}
	return rc;
}

/* 1: changed; 0: as it is, or it may wait. */
static int apply_event(struct whitelist *wl, struct host *h, struct wish *w, struct record *rec)
{
	const struct rec_event *e = record_event(rec->managed, w->service);

	if (may_wait(w, e)) {
		h->soft = true;
		return 0;
	}
	if (e == NULL && record_events(rec->managed) >= RECORD_MANAGED) {
		sat_count(wl->self, COUNT_WISHES_DROPPED, 1);
		return 0;
	}
	return write_event(w, e, rec);
}

static int apply_holds(struct host *h, struct record *rec)
{
	struct hold *list = NULL;
	int rc = 0;

	for (const struct hold *hold = h->holds; hold != NULL && rc == 0; hold = hold->next)
		if (hold->off)
			rc = hold_set(&list, hold->name, true, hold->since, hold->until, hold->cause);
	if (rc != 0 || holds_same(list, rec->holds)) {
		holds_free(&list);
		return rc;
	}
	holds_free(&rec->holds);
	rec->holds = list;
	return 1;
}

int wishes_apply(struct whitelist *wl, struct host *h, struct record *rec)
{
	int rc = 0, changed = 0;

	h->soft = false;
	for (struct wish *w = h->wishes; w != NULL && rc >= 0; w = w->next) {
		if (w->ev != NULL)
			rc = apply_event(wl, h, w, rec);
		else
			rc = record_drop(&rec->managed, w->service);
		changed |= rc == 1;
	}
	if (rc >= 0 && wl->guard.mode != GUARD_OBSERVE) {
		rc = apply_holds(h, rec);
		changed |= rc == 1;
	}
	return rc < 0 ? rc : changed;
}

/* Holds that this process has not heard of go on; tombstones that the record
 * agrees with have done their work. */
void wishes_settle(struct whitelist *wl, struct host *h)
{
	struct wish **at = &h->wishes;

	for (const struct hold *hold = h->rec->holds; hold != NULL; hold = hold->next)
		if (hold_find(h->holds, hold->name) == NULL &&
		    hold_set(&h->holds, hold->name, hold->off, hold->since, hold->until, hold->cause) != 0)
			hosts_starved(wl);
	while (*at != NULL)
		if ((*at)->ev == NULL && agrees(h, (*at)->service))
			wish_free(at);
		else
			at = &(*at)->next;
}

/* ---- When something ends by itself -------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static int64_t until_of(const struct host *h)
{
	int64_t first = h->rec == NULL ? 0 : record_until(h->rec);

	for (const struct hold *hold = h->holds; hold != NULL; hold = hold->next)
		first = earlier(first, hold->until);
	return first;
}

/* Wall time may step, so look at least once a minute. */
static void wake(struct whitelist *wl, int64_t until)
{
	int64_t wait = until - sat_wall(), due;

	if (until == 0 || wl->stopping)
		return;
	wait = wait < 10 * SAT_MS ? 10 * SAT_MS : wait > 60 * SAT_SECOND ? 60 * SAT_SECOND : wait;
	due = sat_clock() + wait;
	if (wl->until_due == 0 || due < wl->until_due)
		wl->until_due = sat_alarm_set(wl->self, &wl->until, due) == 0 ? due : 0;
}

void wishes_until(struct whitelist *wl, const struct host *h)
{
	wake(wl, until_of(h));
}

static void ends(struct sat_alarm *alarm)
{
	struct whitelist *wl = SAT_OWNER(alarm, struct whitelist, until);
	int64_t now = sat_wall(), first = 0;

	wl->until_due = 0;
	for (struct host *h = wl->first; h != NULL; h = h->after) {
		int64_t until = until_of(h);

		if (until != 0 && until <= now) {
			wishes_end(wl, h, now);
			commit_dirty(wl, h);
			/* The record says so until it is written; do not spin meanwhile. */
			until = now + SAT_SECOND;
		}
		first = earlier(first, until);
	}
	wake(wl, first);
}

void wishes_look(struct whitelist *wl)
{
	if (wl->until_due == 0)
		ends(&wl->until);
}

void wishes_strangers(struct whitelist *wl)
{
	struct host *next;

	for (struct host *h = wl->first; h != NULL && !sat_dry_run(); h = next) {
		next = h->after;
		if (h->rec != NULL)
			continue;
		wishes_free(h);
		h->heard_ever = false;
		hosts_tidy(wl, h);
	}
}

void wishes_start(struct whitelist *wl)
{
	wl->until.fire = ends;
}
