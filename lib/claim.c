/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claim - leadership among those who share a store: an epoch and a beat in it.
 *
 * A commit whose outcome nobody knows is settled by the mirror: the epoch bears
 * the mark of who made it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "claim.h"
#include "clock.h"
#include "log.h"
#include "store.h"

#define BEAT_MS		500
#define SILENCE		(3 * SAT_SECOND)	/* without a beat: free */
#define VALUE_MAX	4096
#define YOUNG		3600			/* seconds: what he may have missed is long over */
#define SETTLED		(10 * SAT_SECOND)	/* by then he has done what there was to do */

static const char epoch_key[] = "leader/epoch", beat_key[] = "leader/beat";

/* Who holds it: the value of leader/epoch. */
struct epoch {
	bool there;
	int64_t version;
	uint64_t number;
	int64_t up;			/* seconds that he ran before it; 0: not said */
	int64_t seen;			/* clock_boot(), when we first heard of it */
	char mark[64], by[256];
};

static struct {
	void (*changed)(void);
	struct sat_self *store;
	struct sat_link *link;
	uv_timer_t timer;
	bool ticks, closing, mirrored, complained, synced, busy;
	enum claim_want want;
	struct epoch epoch;
	struct { bool there, resigned; int64_t version, seen; } beat;	/* seen: clock_boot() */
	char mark[64];			/* of our last take-over; "": given up */
	unsigned marks;
	int64_t sent, confirmed;	/* clock_boot() of the commit under way; of the last that was made */
	int64_t started;		/* clock_boot() */
	int64_t patience;		/* clock_boot(): no take-over before, after we were deposed */
	unsigned quiet;			/* ticks since anybody's beat was seen: a process that was stopped had none */
} claim;

static bool mine(void)
{
	return claim.epoch.there && claim.mark[0] != '\0' && strcmp(claim.mark, claim.epoch.mark) == 0;
}

int64_t claim_until(void)
{
	return mine() && claim.confirmed != 0 ? claim.confirmed + CLAIM_LEASE : 0;
}

uint64_t claim_epoch(void)
{
	return claim.epoch.number;
}

bool claim_used(void)
{
	return claim.store != NULL;
}

int64_t claim_silence(void)
{
	return claim.store != NULL ? (int64_t)claim.quiet * BEAT_MS * SAT_MS : 0;
}

bool claim_synced(void)
{
	return claim.store != NULL && claim.synced;
}

bool claim_resigned(void)
{
	return claim.beat.there && claim.beat.resigned;
}

bool claim_came_before(int64_t when)
{
	const struct epoch *e = &claim.epoch;

	if (!claim.synced || !e->there || mine() || e->up <= 0 || e->up > YOUNG || clock_boot() - e->seen <= SETTLED)
		return false;
	return when < e->seen - (e->up - 5) * SAT_SECOND;
}

bool claim_lies_in(const struct sat_self *store)
{
	return claim.store != NULL && claim.store == store;
}

const char *claim_holder(void)
{
	return claim.epoch.there ? claim.epoch.by : NULL;
}

void claim_fence(struct sat_change *check)
{
	*check = (struct sat_change){ .what = SAT_CHECK, .key = epoch_key, .version = claim.epoch.version };
}

/* ---- What is in the store ----------------------------------------------- */

static int enter(void *arg, unsigned level, const char *key, bool list)
{
	(void)arg, (void)level, (void)key, (void)list;
	return SAT_JSON_ENTER;
}

static int member(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	struct epoch *e = arg;

	if (level != 1)
		return 0;
	if (strcmp(key, "epoch") == 0 && v->kind == SAT_JSON_NUMBER)
		e->number = strtoull(v->text, NULL, 10);
	else if (strcmp(key, "up") == 0 && v->kind == SAT_JSON_NUMBER)
		e->up = strtoll(v->text, NULL, 10);
	else if (strcmp(key, "mark") == 0 && v->kind == SAT_JSON_TEXT)
		snprintf(e->mark, sizeof(e->mark), "%.*s", (int)v->len, v->text);
	else if (strcmp(key, "by") == 0 && v->kind == SAT_JSON_TEXT)
		snprintf(e->by, sizeof(e->by), "%.*s", (int)v->len, v->text);
	return 0;
}

static void read_epoch(const void *value, size_t len, int64_t version)
{
	static const struct sat_json_calls calls = { .size = sizeof(calls), .open = enter, .value = member };
	struct epoch e = { .there = true, .version = version };
	bool was_mine = mine();
	char error[128];

	/* What cannot be read is held by somebody whom we do not know. */
	if (len > VALUE_MAX || sat_json_read(value, len, &calls, &e, error, sizeof(error)) != 0 ||
	    e.number == 0 || e.number > INT64_MAX)
		e = (struct epoch){ .there = true, .version = version, .number = claim.epoch.number };
	e.seen = claim.epoch.there && strcmp(claim.epoch.mark, e.mark) == 0 ? claim.epoch.seen : clock_boot();
	claim.epoch = e;
	if (!was_mine || mine())
		return;
	log_line(LOG_WARNING, NULL, "%s has taken over, epoch %" PRIu64, e.by[0] != '\0' ? e.by : "somebody",
		 e.number);
	claim.patience = clock_boot() + SILENCE;
}

static void turn(void);

static void put(void *arg, const char *key, const void *value, size_t len, int64_t version)
{
	(void)arg;
	if (strcmp(key, epoch_key) == 0) {
		read_epoch(value, len, version);
		claim.changed();
	} else if (strcmp(key, beat_key) == 0) {
		claim.beat.there = true;
		claim.beat.resigned = len == 0;
		claim.beat.version = version;
		claim.beat.seen = clock_boot();
		claim.quiet = 0;
	}
	if (claim.synced && !mine())
		turn();
}

static void gone(void *arg, const char *key)
{
	(void)arg;
	if (strcmp(key, epoch_key) == 0) {
		claim.epoch.there = false;
		claim.changed();
	} else if (strcmp(key, beat_key) == 0) {
		claim.beat.there = false;
	}
}

static void synced(void *arg)
{
	(void)arg;
	claim.synced = true;
	claim.quiet = 0;
	claim.beat.seen = clock_boot();
	turn();
}

static void lost(void *arg, int rc)
{
	(void)arg, (void)rc;
	claim.synced = false;	/* the lease goes on as far as it goes */
}

/* ---- Taking over, and beating ------------------------------------------- */

/* What is put under way is judged by when it was sent. */
static void commit(const struct sat_change *changes, size_t n, sat_committed *done)
{
	claim.sent = clock_boot();
	claim.busy = sat_store_commit(claim.link, changes, n, done, NULL) == 0;
}

static void beaten(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	(void)arg, (void)culprit, (void)versions;
	claim.busy = false;
	if (rc == 0)
		claim.confirmed = claim.sent;
	else if (rc == -ESTALE || rc == -ENOENT)	/* another's, which the mirror has yet to say */
		claim.confirmed = 0;
	claim.changed();
}

/* {"by":…,"epoch":…: the rest is the caller's. */
static void print_holder(struct sat_buf *out, uint64_t number)
{
	sat_buf_printf(out, "{\"by\":");
	sat_buf_json(out, sat_host());
	sat_buf_printf(out, ",\"epoch\":%" PRIu64, number);
}

static struct sat_change put_change(const char *key, const struct sat_buf *value)
{
	return (struct sat_change){ .what = SAT_PUT, .key = key, .value = value->p, .len = value->len,
				    .version = SAT_ANY_VERSION };
}

static void beat(void)
{
	struct sat_buf value = { .max = VALUE_MAX };
	struct sat_change changes[2];

	print_holder(&value, claim.epoch.number);
	sat_buf_printf(&value, "}");
	claim_fence(&changes[0]);
	changes[1] = put_change(beat_key, &value);
	if (!value.full)
		commit(changes, 2, beaten);
	sat_buf_free(&value);
}

static void taken(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	(void)arg, (void)culprit, (void)versions;
	claim.busy = false;
	if (rc == 0)	/* the mirror has said so before */
		claim.confirmed = claim.sent;
	claim.changed();
}

/* Two that find it free see the same beat, which only one of them can replace. */
static void take_over(void)
{
	struct sat_buf value = { .max = VALUE_MAX }, first = { .max = VALUE_MAX };
	uint64_t number = claim.epoch.number + 1;
	struct sat_change changes[2];

	snprintf(claim.mark, sizeof(claim.mark), "%d-%" PRId64 "-%u", (int)getpid(), clock_wall(), ++claim.marks);
	print_holder(&value, number);
	sat_buf_printf(&value, ",\"mark\":\"%s\",\"since\":%" PRId64 ",\"up\":%" PRId64 "}", claim.mark,
		       clock_wall() / SAT_SECOND, (clock_boot() - claim.started) / SAT_SECOND + 1);
	print_holder(&first, number);
	sat_buf_printf(&first, "}");
	changes[0] = put_change(epoch_key, &value);
	changes[0].what = claim.epoch.there ? SAT_PUT : SAT_CREATE;
	changes[0].version = claim.epoch.version;
	changes[1] = put_change(beat_key, &first);
	changes[1].what = claim.beat.there ? SAT_PUT : SAT_CREATE;
	changes[1].version = claim.beat.version;
	claim.confirmed = 0;
	if (!value.full && !first.full)
		commit(changes, 2, taken);
	sat_buf_free(&value);
	sat_buf_free(&first);
}

static bool free_to_take(int64_t now)
{
	if (now < claim.patience)
		return false;
	return claim.want == CLAIM_NOW || !claim.epoch.there || claim.beat.resigned ||
	       now - claim.beat.seen >= SILENCE;
}

static void turn(void)
{
	if (claim.link == NULL || !claim.synced || claim.busy || claim.want == CLAIM_NOT)
		return;
	if (mine())
		beat();
	else if (free_to_take(clock_boot()))
		take_over();
}

/* What could not be had at first is tried at each beat: without it nobody acts here. */
static void attach(void)
{
	static const struct sat_mirror calls = {
		.size = sizeof(calls), .put = put, .gone = gone, .synced = synced, .lost = lost,
	};
	int rc = -ENOMEM;

	if (claim.link == NULL)
		claim.link = store_link(&self_host, claim.store);
	if (claim.link != NULL)
		rc = sat_store_mirror(claim.link, "leader/", &calls, NULL);
	claim.mirrored = rc == 0;
	if (rc != 0 && !claim.complained)
		log_line(LOG_ERR, NULL, "%s: leadership cannot be read there: %s", claim.store->name, strerror(-rc));
	claim.complained = rc != 0;
}

static void tick(uv_timer_t *timer)
{
	(void)timer;
	claim.quiet++;
	if (!claim.mirrored)
		attach();
	turn();
}

static void tick_begin(void)
{
	if (claim.ticks || claim.closing || uv_timer_init(self_process.loop, &claim.timer) != 0)
		return;
	uv_timer_start(&claim.timer, tick, BEAT_MS, BEAT_MS);
	uv_unref((uv_handle_t *)&claim.timer);
	claim.ticks = true;
}

/* A store may have come in the meantime. */
static void tick_closed(uv_handle_t *timer)
{
	(void)timer;
	claim.closing = false;
	if (claim.store != NULL)
		tick_begin();
}

static void tick_end(void)
{
	if (!claim.ticks)
		return;
	claim.ticks = false;
	claim.closing = true;
	uv_close((uv_handle_t *)&claim.timer, tick_closed);
}

static void resigned(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	(void)arg, (void)rc, (void)culprit, (void)versions;
}

/* Give up what is ours, so that the next need not wait for our silence. */
static void resign(void)
{
	struct sat_change changes[2] = { [1] = { .what = SAT_PUT, .key = beat_key, .value = "",
						 .version = SAT_ANY_VERSION } };

	if (mine() && claim.synced) {
		claim_fence(&changes[0]);
		sat_store_commit(claim.link, changes, 2, resigned, NULL);
	}
	claim.mark[0] = '\0';
	claim.confirmed = 0;
}

void claim_want(enum claim_want want)
{
	if (want == claim.want)
		return;
	claim.want = want;
	if (want == CLAIM_NOT)		/* who is named anew need not wait */
		claim.patience = 0;
	if (claim.link == NULL)
		return;
	if (want == CLAIM_NOT)
		resign();
	else
		turn();
}

void claim_init(void (*changed)(void))
{
	claim.changed = changed;
	claim.started = clock_boot();
}

void claim_use(struct sat_self *store)
{
	if (store == claim.store)
		return;
	if (claim.link != NULL) {
		resign();
		store_drop(claim.link);
	}
	claim.link = NULL;
	claim.store = store;
	claim.epoch = (struct epoch){ 0 };
	memset(&claim.beat, 0, sizeof(claim.beat));
	claim.mirrored = claim.complained = claim.synced = claim.busy = false;
	claim.patience = 0;
	claim.quiet = 0;
	if (store != NULL)
		attach();
	if (store != NULL)
		tick_begin();
	else
		tick_end();
}
