/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit - hosts on their way to the store: clean, dirty, in flight.
 *
 * The queue holds hosts, not events, so it is bounded by them.  A batch carries
 * up to 32 hosts.  What a person asks for goes by itself, one order a host at a
 * time; what automation wants goes behind the leader's fence.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whitelist.h"

enum { LOOKS_MAX = 512, KEY_BYTES = NAME_BYTES + 16 };

/* One host in a batch: at most its record and its tombstone change. */
struct entry {
	struct host *host;
	struct order *order;		/* a person's, or NULL: automation's */
	struct record *rec;		/* as it will be; NULL: deleted */
	struct sat_buf text;
	char key[KEY_BYTES], tomb[KEY_BYTES];
	size_t first;			/* its place among the changes */
};

struct batch {
	struct whitelist *wl;
	enum who who;
	size_t n, n_changes, bytes;
	struct sat_change changes[2 * BATCH_HOSTS + 1];
	struct entry entries[BATCH_HOSTS];
};

static void queue_put(struct whitelist *wl, enum who who, struct host *h)
{
	/* What automation wants is compared anew, all of it, when this process begins to act. */
	if (h->queued[who] || (who == AUTOMATION && !sat_acting()))
		return;
	h->queued[who] = true;
	h->queue[who] = NULL;
	*wl->dirty[who].end = h;
	wl->dirty[who].end = &h->queue[who];
	wl->dirty[who].n++;
}

static void queue_cut(struct whitelist *wl, enum who who, struct host **at)
{
	struct host *h = *at;

	*at = h->queue[who];
	if (*at == NULL)
		wl->dirty[who].end = at;
	h->queued[who] = false;
	wl->dirty[who].n--;
}

static void wake(struct whitelist *wl, int64_t due)
{
	if (!wl->stopping)
		sat_alarm_set(wl->self, &wl->flush, due);
}

void commit_dirty(struct whitelist *wl, struct host *h)
{
	if (h->flying) {
		h->again = true;
		return;
	}
	queue_put(wl, AUTOMATION, h);
	wake(wl, sat_clock());
}

void commit_all(struct whitelist *wl)
{
	for (struct host *h = wl->first; h != NULL; h = h->after)
		commit_dirty(wl, h);
}

static void enqueue(struct whitelist *wl, struct host *h, struct order *o)
{
	struct order **at = &h->orders;

	while (*at != NULL)
		at = &(*at)->next;
	o->next = NULL;
	*at = o;
	wl->n_orders++;
	if (!h->flying)
		queue_put(wl, PERSON, h);
	wake(wl, sat_clock());
}

void commit_order(struct whitelist *wl, struct order *o)
{
	struct host *h;

	sat_count(wl->self, COUNT_ORDERS, 1);
	if (sat_dry_run()) {
		order_refuse(o, 503, "this is a dry run");
	} else if (!wl->synced || wl->stopping) {
		order_refuse(o, 503, "the store cannot be reached");
	} else if (wl->mark == MARK_NONE) {
		order_refuse(o, 503, "there is no inventory yet: it begins with the whitelist file, or "
			     "with the agents of a Mesos master that answers");
	} else if (wl->n_orders >= ORDERS_MAX) {
		order_refuse(o, 503, "too many requests wait for the store");
	} else if ((h = hosts_get(wl, o->host)) == NULL) {
		order_refuse(o, 503, "no room in the inventory");
	} else {
		enqueue(wl, h, o);
	}
}

static struct order *take_order(struct whitelist *wl, struct host *h)
{
	struct order *o = h->orders;

	h->orders = o->next;
	o->next = NULL;
	wl->n_orders--;
	return o;
}

static void give_back(struct whitelist *wl, struct host *h, struct order *o)
{
	o->next = h->orders;
	h->orders = o;
	wl->n_orders++;
}

void commit_lost(struct whitelist *wl)
{
	for (struct host *h = wl->first; h != NULL; h = h->after)
		while (h->orders != NULL)
			order_refuse(take_order(wl, h), 503, "the store cannot be reached");
}

/* ---- What a host's record is to be -------------------------------------- */

static int stamp(struct whitelist *wl, struct record *rec, bool person)
{
	char *by = strdup(sat_host());

	if (by == NULL)
		return -ENOMEM;
	free(rec->by);
	rec->by = by;
	rec->seq = ++wl->seq;
	rec->epoch = person ? 0 : sat_epoch();
	return 0;
}

/* 1: e->rec is what to write (NULL: delete it); 0: nothing to do. */
static int plan_order(struct whitelist *wl, struct entry *e)
{
	struct host *h = e->host;
	int status, rc = record_copy(&e->rec, h->rec);

	if (rc == 0)
		rc = stamp(wl, e->rec, true);
	if (rc != 0)
		return rc;
	status = order_apply(e->order, e->rec, h->rec != NULL);
	if (status >= 300) {
		order_done(e->order, status, e->rec);
		e->order = NULL;
		return 0;
	}
	if (e->order->what == ORDER_FORGET) {
		e->order->was = record_state(h->rec);
		record_free(e->rec);
		e->rec = NULL;
	}
	return 1;
}

/* Carry out what is wished, as far as the guard lets it, and say why not. */
static int plan_flag(struct whitelist *wl, struct host *h, struct record *rec)
{
	enum flag wish = wishes_flag(h);
	bool differs = wish != FLAG_NONE && wish != rec->managed_flag;
	int rc;

	if (wl->guard.mode == GUARD_OBSERVE)
		return 0;
	if (differs && decide_passes(wl, h)) {
		rc = record_flip(rec, wish, sat_wall(), wishes_cause(h), true);
		return rc == 0 && record_judge(rec, NULL) >= 0 ? 1 : -ENOMEM;
	}
	return wl->guard.mode == GUARD_ENFORCE && h->judged ? record_judge(rec, decide_held(h)) : 0;
}

static int plan_automation(struct whitelist *wl, struct entry *e)
{
	struct host *h = e->host;
	int64_t now = sat_wall();
	int rc, changed = 0;

	if (h->rec == NULL && h->create == FLAG_NONE)
		return 0;
	rc = record_copy(&e->rec, h->rec);
	if (rc != 0)
		return rc;
	if (h->create != FLAG_NONE && e->rec->managed_flag == FLAG_NONE) {
		rc = record_flip(e->rec, h->create, now, h->create_cause, false);
		changed = 1;
	}
	if (rc == 0 && record_expire(e->rec, now)) {
		record_unsaid(e->rec, now);
		changed = 1;
	}
	if (rc == 0)
		rc = wishes_apply(wl, h, e->rec);
	changed |= rc == 1;
	if (rc >= 0)
		rc = plan_flag(wl, h, e->rec);
	changed |= rc == 1;
	if (rc < 0 || !changed)
		return rc < 0 ? rc : 0;
	rc = stamp(wl, e->rec, false);
	return rc == 0 ? 1 : rc;
}

/* ---- A batch ------------------------------------------------------------ */

static void entry_end(struct whitelist *wl, struct entry *e)
{
	struct host *h = e->host;

	record_free(e->rec);
	sat_buf_free(&e->text);
	h->flying = false;
	if (h->orders != NULL)
		queue_put(wl, PERSON, h);
	if (h->again)
		queue_put(wl, AUTOMATION, h);
	if (h->again || h->orders != NULL)
		wake(wl, sat_clock());
	h->again = false;
	hosts_tidy(wl, h);
}

/* A batch asks for what it saw: a version of the record that is there. */
static void change_add(struct batch *b, struct entry *e)
{
	struct host *h = e->host;
	struct sat_change *c = &b->changes[b->n_changes];

	snprintf(e->key, sizeof(e->key), "whitelist/%s", h->name);
	snprintf(e->tomb, sizeof(e->tomb), "deleted/%s", h->name);
	e->first = b->n_changes++;
	b->bytes += e->text.len;
	*c = (struct sat_change){ .key = e->key, .value = e->text.p, .len = e->text.len, .version = h->version };
	c->what = e->rec == NULL ? SAT_DELETE : h->rec == NULL ? SAT_CREATE : SAT_PUT;
	if (e->rec == NULL || (h->rec == NULL && h->deleted != NULL)) {
		c[1] = (struct sat_change){ .what = e->rec == NULL ? SAT_PUT : SAT_DELETE, .key = e->tomb,
			.value = e->text.p, .len = e->text.len, .version = SAT_ANY_VERSION };
		b->n_changes++;
	}
}

/* Fill in what the host's change says.  0: nothing; -errno: not now. */
static int entry_plan(struct batch *b, struct entry *e)
{
	struct whitelist *wl = b->wl;
	int rc = e->order != NULL ? plan_order(wl, e) : plan_automation(wl, e);

	if (rc != 1)
		return rc;
	e->text.max = 16 * RECORD_MAX;
	if (e->rec == NULL)
		import_agent_ids(wl, e->host->name, &e->text);
	else
		record_print(e->rec, &e->text);
	if (e->text.full)
		return -ENOMEM;
	if (e->rec == NULL || e->text.len <= RECORD_MAX)
		return 1;
	if (e->order != NULL) {
		order_refuse(e->order, 413, "the host's record would be over %d bytes", RECORD_MAX);
		e->order = NULL;
	} else {
		sat_log(wl->self, LOG_ERR, "%s: its record would be over %d bytes", e->host->name, RECORD_MAX);
	}
	return 0;
}

static void take(struct batch *b, struct host *h)
{
	struct entry *e = &b->entries[b->n];
	int rc;

	*e = (struct entry){ .host = h, .order = b->who == PERSON ? take_order(b->wl, h) : NULL };
	h->flying = true;
	rc = entry_plan(b, e);
	if (rc == 1) {
		change_add(b, e);
		b->n++;
		return;
	}
	if (rc < 0) {
		if (e->order != NULL)
			order_refuse(e->order, 503, "%s", strerror(-rc));
		h->retry = sat_clock() + SAT_SECOND;
		h->again = true;
	}
	entry_end(b->wl, e);
}

/* Collect dirty hosts; *later: when to look again, if at all. */
static void gather(struct batch *b, int64_t *later)
{
	struct whitelist *wl = b->wl;
	struct host **at = &wl->dirty[b->who].first, *h;
	int64_t now = sat_clock();
	bool alone = false;

	for (int looks = 0; (h = *at) != NULL && b->n < BATCH_HOSTS && b->bytes < BATCH_BYTES && !alone; looks++) {
		if (looks >= LOOKS_MAX) {
			*later = now + SAT_MS;
			return;
		}
		if (h->retry > now && h->retry < *later)
			*later = h->retry;
		if (h->retry > now || h->flying || (h->alone && b->n > 0)) {
			at = &h->queue[b->who];
			continue;
		}
		queue_cut(wl, b->who, at);
		alone = h->alone;
		if (b->who == AUTOMATION || h->orders != NULL)
			take(b, h);
	}
}

/* ---- The answer --------------------------------------------------------- */

static void entry_done(struct whitelist *wl, struct entry *e, int64_t version)
{
	struct host *h = e->host;

	h->alone = false;
	h->tries = 0;
	if (e->order != NULL)
		order_done(e->order, e->order->what == ORDER_POST ? 201 : 200, e->rec);
	/* The mirror may have said it already, and more. */
	if (e->rec == NULL) {
		if (h->rec != NULL)
			hosts_gone(wl, h);
	} else if (h->rec == NULL || h->version < version) {
		struct record *rec = e->rec;

		e->rec = NULL;
		hosts_take(wl, h, rec, version);
	}
}

/* The store did not take it, and says so: try again, the one at fault alone. */
static void entry_conflict(struct whitelist *wl, struct entry *e, bool culprit)
{
	struct host *h = e->host;

	if (culprit) {
		h->alone = true;
		h->retry = sat_clock() + (10 * SAT_MS << (h->tries < 6 ? h->tries : 6));
		h->tries++;
		sat_count(wl->self, COUNT_CONFLICTS, 1);
	}
	if (e->order != NULL && h->tries >= ORDER_TRIES)
		order_refuse(e->order, 503, "others change this host at the same time");
	else if (e->order != NULL)
		give_back(wl, h, e->order);
	h->again = true;
}

static void entry_failed(struct entry *e, int rc)
{
	struct host *h = e->host;

	if (e->order != NULL && rc == -EINPROGRESS)
		order_unknown(e->order);
	else if (e->order != NULL)
		order_refuse(e->order, 503, "the store cannot be reached");
	h->again = true;
	h->retry = sat_clock() + SAT_SECOND;
}

static void committed(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	struct batch *b = arg;
	struct whitelist *wl = b->wl;
	bool conflict = rc == -ESTALE || rc == -EEXIST || rc == -ENOENT;

	wl->n_batches--;
	sat_count(wl->self, rc == 0 ? COUNT_COMMITS : COUNT_STORE_ERRORS, rc == 0 || !conflict);
	for (size_t i = 0; i < b->n; i++) {
		struct entry *e = &b->entries[i];
		size_t end = i + 1 < b->n ? b->entries[i + 1].first : b->n_changes;

		e->host->retry = 0;
		if (rc == 0)
			entry_done(wl, e, versions[e->first]);
		else if (conflict)
			entry_conflict(wl, e, culprit >= e->first && culprit < end);
		else
			entry_failed(e, rc);
		if (conflict && culprit < b->entries[0].first)
			e->host->retry = sat_clock() + 200 * SAT_MS;	/* the fence: another leads */
		entry_end(wl, e);
	}
	free(b);
	import_consider(wl);
	whitelist_idle(wl);
	wake(wl, sat_clock());
}

/* One batch.  false: there was nothing to send. */
static bool send(struct whitelist *wl, enum who who, int64_t *later)
{
	struct batch *b = calloc(1, sizeof(*b));
	int rc;

	if (b == NULL) {
		*later = sat_clock() + SAT_SECOND;
		return false;
	}
	b->wl = wl;
	b->who = who;
	if (who == PERSON || sat_fence(wl->link, &b->changes[b->n_changes++]))
		gather(b, later);
	if (b->n == 0) {
		free(b);
		return false;
	}
	wl->n_batches++;
	rc = sat_store_commit(wl->link, b->changes, b->n_changes, committed, b);
	if (rc != 0)
		committed(b, -ENOTCONN, 0, NULL);
	return true;
}

static void flush(struct sat_alarm *alarm)
{
	struct whitelist *wl = SAT_OWNER(alarm, struct whitelist, flush);
	int64_t later = INT64_MAX;

	if (!wl->synced || wl->stopping || sat_dry_run())
		return;
	for (enum who who = PERSON; who < WHO_N; who++)
		while (wl->n_batches < BATCHES_MAX && wl->dirty[who].first != NULL && send(wl, who, &later))
			;
	sat_gauge(wl->self, COUNT_HOSTS_DIRTY, (int64_t)(wl->dirty[PERSON].n + wl->dirty[AUTOMATION].n));
	if (later != INT64_MAX)
		wake(wl, later);
}

void commit_start(struct whitelist *wl)
{
	wl->flush.fire = flush;
	wl->seq = (uint64_t)sat_wall();
	for (enum who who = PERSON; who < WHO_N; who++)
		wl->dirty[who].end = &wl->dirty[who].first;
}

void commit_soon(struct whitelist *wl)
{
	wake(wl, sat_clock());
}
