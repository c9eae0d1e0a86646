/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep - what waits for the file: records to be written, questions to be answered.
 *
 * One job at a time takes all that waits, in one transaction; what comes meanwhile
 * waits for the next.  So a question sees every record that came before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tasks.h"

enum { ASKS_MAX = 64 };
#define GATHER		(200 * SAT_MS)		/* records that come within it are one transaction */
#define TIDY		(60 * SAT_SECOND)	/* age is looked at so often, if nothing is written */
#define BACKOFF_MIN	(1 * SAT_SECOND)
#define BACKOFF_MAX	(60 * SAT_SECOND)

/* ---- On a host's thread ------------------------------------------------- */

/* A file that is locked, or has no room, can be read. */
static bool is_broken(int rc)
{
	return rc != 0 && rc != -ENOSPC && rc != -EBUSY;
}

static int work(void *arg)
{
	struct tasks *t = arg;
	int rc = db_open(&t->db);

	t->rc = rc;
	if (rc == 0 && !t->only && !sat_dry_run())
		t->rc = db_write(&t->db, t->writing, t->db.sent, t->now);
	if (t->rc == 0 && !t->only && t->db.want > 0)
		t->rc = db_unsent(&t->db, t->db.want, &t->db.batch);
	if (t->db.h == NULL)
		rc = t->rc;
	for (struct ask *a = t->asking; a != NULL && rc == 0; a = a->next)
		rc = db_find(&t->db, a);
	if (rc == -EBADMSG)
		db_put_aside(&t->db);
	if (is_broken(t->rc) || is_broken(rc) || t->last)
		db_close(&t->db);
	return rc;
}

/* ---- Records ------------------------------------------------------------ */

static void let_go(struct tasks *t, struct record *list)
{
	for (const struct record *r = list; r != NULL; r = r->next) {
		sat_release(t->self, SAT_QUEUES, r->size);
		t->n_waiting--;
	}
	sat_gauge(t->self, COUNT_WAITING, t->n_waiting);
	records_free(list);
}

static unsigned length(const struct record *r)
{
	unsigned n = 0;

	for (; r != NULL; r = r->next)
		n++;
	return n;
}

static void drop_all(struct tasks *t, struct record *list)
{
	if (list != NULL)
		sat_count(t->self, COUNT_DROPPED, length(list));
	let_go(t, list);
}

static int full(struct tasks *t, size_t size)
{
	sat_count(t->self, COUNT_DROPPED, 1);
	if (sat_log_allowed(t->self, &t->full, 1, 60 * SAT_SECOND))
		sat_log(t->self, LOG_WARNING, "%s: a record of %zu bytes is dropped, since %u wait to be written"
			" (setting: queue)", t->db.path, size, t->n_waiting);
	return -ENOBUFS;
}

int keep_event(struct tasks *t, const struct sat_event *ev)
{
	struct record *r;
	int rc = record_new(ev, &r);

	if (rc == -EINVAL || rc == -ENOMEM)
		sat_count(t->self, rc == -EINVAL ? COUNT_REFUSED : COUNT_DROPPED, 1);
	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	if (t->stopping || sat_dry_run()) {
		records_free(r);
		return 0;
	}
	if (t->n_waiting >= t->max_waiting || sat_reserve(t->self, SAT_QUEUES, r->size) != 0) {
		rc = full(t, r->size);
		records_free(r);
		return rc;
	}
	*t->waiting_end = r;
	t->waiting_end = &r->next;
	sat_gauge(t->self, COUNT_WAITING, ++t->n_waiting);
	if (t->n_waiting == 1 && !t->lost)
		sat_alarm_set(t->self, &t->gather, sat_clock() + GATHER);
	return 0;
}

/* ---- How it stands ------------------------------------------------------ */

static void tell(struct tasks *t, const char *state, const char *why)
{
	sat_emit(t->self, .has = SAT_HAS_TTL, .ttl = 300, .service = "satellite/tasks", .state = state,
		 .description = why);
}

static void well(struct tasks *t)
{
	t->backoff = 0;
	if (t->lost) {
		sat_log(t->self, LOG_NOTICE, "%s: records are written again", t->db.path);
		tell(t, "ok", "records are written");
	}
	t->lost = false;
}

static void ill(struct tasks *t, const char *why)
{
	sat_count(t->self, COUNT_ERRORS, 1);
	if (!t->lost)
		sat_log(t->self, LOG_ERR, "%s: %s; records wait, up to %u of them", t->db.path, why, t->max_waiting);
	t->lost = true;
	tell(t, "critical", why);
	t->backoff = t->backoff == 0 ? BACKOFF_MIN : t->backoff < BACKOFF_MAX / 2 ? 2 * t->backoff : BACKOFF_MAX;
	t->retry = sat_clock() + t->backoff;
	if (!t->stopping)
		sat_alarm_set(t->self, &t->gather, t->retry);
}

static void written(struct tasks *t)
{
	sat_count(t->self, COUNT_KEPT, t->db.kept);
	sat_count(t->self, COUNT_REMOVED, t->db.removed);
	sat_gauge(t->self, COUNT_TASKS, t->db.tasks);
	sat_gauge(t->self, COUNT_BYTES, t->db.bytes);
	let_go(t, t->writing);
	well(t);
}

/* They go first the next time. */
static void put_back(struct tasks *t)
{
	struct record **end = &t->writing;

	while (*end != NULL)
		end = &(*end)->next;
	*end = t->waiting;
	if (t->waiting == NULL)
		t->waiting_end = end;
	t->waiting = t->writing;
	if (t->waiting == NULL)
		t->waiting_end = &t->waiting;
}

/* What cannot be written is known all the same. */
static bool find_waiting(const struct tasks *t, struct ask *a)
{
	const struct record *found = NULL;

	for (const struct record *r = t->lost && a->single && a->found == 0 ? t->waiting : NULL; r != NULL; r = r->next)
		if (strcmp(r->f[TASK], a->is[TASK]) == 0 && (found == NULL || r->time >= found->time))
			found = r;
	if (found == NULL)
		return false;
	record_print(&a->out, a->form, found->f, found->time);
	a->found = 1;
	return true;
}

static void answer(struct tasks *t, struct ask **list, int rc, const char *why)
{
	while (*list != NULL) {
		struct ask *a = *list;

		*list = a->next;
		t->n_asks--;
		if (find_waiting(t, a))
			ask_done(a, 0, NULL);
		else if (t->stopping || a->found > 0 || !riak_seek(t->riak, a, rc))
			ask_done(a, rc, why);
	}
}

/* ---- The job ------------------------------------------------------------ */

void keep_idle(struct tasks *t)
{
	if (!t->stopping || t->running || t->overdue || t->stopped || !riak_idle(t->riak))
		return;
	drop_all(t, t->waiting);
	t->waiting = NULL;
	t->stopped = true;
	sat_stopped(t->self);
}

static void end_writing(struct tasks *t)
{
	if (t->rc == 0)
		written(t);
	else
		put_back(t);
	t->writing = NULL;
	riak_after(t->riak, &t->db, t->rc);
	if (t->rc != 0)
		ill(t, t->db.error);
}

static void finish(struct tasks *t, int rc)
{
	if (t->db.damaged)
		sat_log(t->self, LOG_ERR, "%s: was damaged, and lies beside as %s.damaged; what was kept before is not"
			" found any more", t->db.path, t->db.path);
	if (!t->only)
		end_writing(t);
	answer(t, &t->asking, rc, t->db.error);
}

static void go_on(struct tasks *t)
{
	if (t->stopping ? t->rc == 0 && t->db.h != NULL : t->asks != NULL || (!t->lost && riak_wants(t->riak)))
		keep_turn(t);
	else if (t->waiting != NULL && !t->stopping && !t->lost)
		sat_alarm_set(t->self, &t->gather, sat_clock() + GATHER);
	keep_idle(t);
}

static void done(void *arg, int rc)
{
	struct tasks *t = arg;

	t->running = false;
	if (rc == -ETIMEDOUT) {		/* the thread still has all of it: late() */
		t->overdue = true;
		ill(t, "the disk does not answer in time");
		return;
	}
	finish(t, rc);
	go_on(t);
}

static void late(void *arg)
{
	struct tasks *t = arg;

	t->overdue = false;
	finish(t, t->rc);
	go_on(t);
}

static void begin_writing(struct tasks *t)
{
	t->writing = t->waiting;
	t->waiting = NULL;
	t->waiting_end = &t->waiting;
	t->db.kept = t->db.removed = 0;
	riak_before(t->riak, &t->db);
}

/* While writing fails, questions do not have to wait for another try, nor bring it about. */
void keep_turn(struct tasks *t)
{
	struct sat_job job = { .size = sizeof(job), .work = work, .done = done, .late = late, .arg = t };
	int rc;

	if (t->running || t->overdue)
		return;
	t->only = t->lost && !t->stopping && sat_clock() < t->retry;
	if (!t->only)
		begin_writing(t);
	t->asking = t->asks;
	t->asks = NULL;
	t->db.damaged = false;
	t->last = t->stopping;
	t->now = sat_wall();
	t->db.mark = t->riak != NULL ? t->now : 0;
	t->running = true;
	rc = sat_work(t->self, &job);
	if (rc == 0)
		return;
	t->running = false;
	t->rc = rc;
	strncpy(t->db.error, strerror(-rc), sizeof(t->db.error) - 1);
	finish(t, rc);
}

void keep_ask(struct tasks *t, struct ask *a)
{
	struct ask **end = &t->asks;

	if (t->stopping || t->overdue || t->n_asks >= ASKS_MAX) {
		ask_done(a, -EBUSY, t->stopping ? "it ends" : t->overdue ? "the disk does not answer" :
			 "too many ask at once");
		return;
	}
	while (*end != NULL)
		end = &(*end)->next;
	*end = a;
	t->n_asks++;
	keep_turn(t);
}

static void gathered(struct sat_alarm *alarm)
{
	keep_turn(SAT_OWNER(alarm, struct tasks, gather));
}

static void tidy(struct sat_alarm *alarm)
{
	struct tasks *t = SAT_OWNER(alarm, struct tasks, tidy);

	if (!t->lost)
		keep_turn(t);
	sat_alarm_set(t->self, &t->tidy, sat_clock() + TIDY);
}

void keep_begin(struct tasks *t)
{
	t->gather.fire = gathered;
	t->tidy.fire = tidy;
	riak_start(t->riak);
	sat_alarm_set(t->self, &t->tidy, sat_clock() + TIDY);
	keep_turn(t);
}

void keep_end(struct tasks *t)
{
	t->stopping = true;
	sat_alarm_stop(&t->gather);
	sat_alarm_stop(&t->tidy);
	riak_stop(t->riak);
	answer(t, &t->asks, -EBUSY, "it ends");
	keep_turn(t);
	keep_idle(t);
}
