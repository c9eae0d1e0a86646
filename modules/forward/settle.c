/* SPDX-License-Identifier: Apache-2.0 */
/* settle - what came of a job that the spool gave to the disk, or that it did not end in time. */
#include <errno.h>
#include <string.h>

#include "spool_inside.h"

void spool_fail(struct spool *s, int rc, const char *what)
{
	struct sat_self *self = s->peer->sender->self;

	sat_count(self, COUNT_SPOOL_ERRORS, 1);
	s->retry = sat_clock() + AGAIN;
	if (!sat_log_allowed(self, &s->failed, 1, 60 * SAT_SECOND))
		return;
	s->failing = true;
	sat_log(self, LOG_ERR, "%s: spool: %s: %s; events wait in memory", s->peer->name, what,
		rc == -ETIMEDOUT ? "the disk does not answer" : strerror(-rc));
}

/* The other side of that, if it was said. */
static void works_again(struct spool *s)
{
	if (s->failing)
		sat_log(s->peer->sender->self, LOG_NOTICE, "%s: spool: the disk works again", s->peer->name);
	s->failing = false;
}

static void opened(struct spool *s, const struct job *j)
{
	struct peer *p = s->peer;
	bool busy = j->opened == -EWOULDBLOCK;
	size_t gone;

	s->waits = busy && sat_clock() - s->began < PATIENCE;
	if (busy)
		spool_next_place(s);
	if (s->waits) {
		s->retry = sat_clock() + IN_USE;
		return;
	}
	if (busy)
		spool_fail(s, -EBUSY, j->what);
	else if (j->opened != 0)
		spool_fail(s, j->opened, j->what);
	s->open = j->opened == 0;
	if (j->damaged > 0)
		sat_log(p->sender->self, LOG_WARNING, "%s: spool: %zu bytes at the end of files were no whole events",
			p->name, j->damaged);
	if (j->found > 0)
		sat_log(p->sender->self, LOG_NOTICE, "%s: spool: %zu events wait since before", p->name, j->found);
	sat_count(p->sender->self, COUNT_RESTORED, (int64_t)j->found);
	s->unread = j->found;
	if (!s->open || s->closing || (s->unread == 0 && !p->away))
		return;
	s->active = true;		/* what came meanwhile comes behind */
	gone = queue_split(&p->queue, &s->tail);
	if (gone > 0)
		peer_drop(p, gone);
}

static void lose_oldest(struct spool *s, size_t n)
{
	struct peer *p = s->peer;

	if (n == 0)
		return;
	s->unread -= n;
	peer_drop(p, n);
	if (sat_log_allowed(p->sender->self, &s->full, 1, 60 * SAT_SECOND))
		sat_log(p->sender->self, LOG_WARNING, "%s: its spool is full; the oldest events go", p->name);
}

/* What was not written is the first of the tail again. */
void spool_put_back(struct spool *s)
{
	const struct most all = { SIZE_MAX, SIZE_MAX };
	size_t gone;

	s->batch.max = s->tail.max;
	s->batch.max_bytes = s->tail.max_bytes;
	gone = queue_move(&s->tail, &s->batch, &all);
	if (gone > 0)
		peer_drop(s->peer, gone);
	queue_free(&s->tail);
	s->tail = s->batch;
	s->batch = (struct queue){ 0 };
}

static void written(struct spool *s, const struct job *j)
{
	if (j->n_back == 0)
		return;
	if (j->written == 0) {
		s->unread += j->n_back;
		if (s->overdue)		/* it is in memory, too, by now */
			sat_count(s->peer->sender->self, COUNT_RESTORED, (int64_t)j->n_back);
		queue_free(&s->batch);
	} else if (s->overdue) {
		return;
	} else if (j->written == -EFBIG) {
		peer_drop(s->peer, s->batch.held);
		queue_free(&s->batch);
	} else {
		spool_put_back(s);
	}
}

/* Until when a record is good, on the clock as it is now. */
static int64_t good_until(const struct record *r)
{
	if (r->until != INT64_MIN)
		return r->until;
	return r->wall == INT64_MAX ? INT64_MAX : sat_clock() + (r->wall - sat_wall());
}

static void read_back(struct spool *s, struct job *j)
{
	struct peer *p = s->peer;
	size_t gone = 0;

	s->unread -= j->n + j->lost;
	for (size_t i = 0; i < j->n; i++) {
		gone += queue_put_placed(&p->queue, j->records[i].parcel, good_until(&j->records[i]), j->records[i].end);
		j->records[i].parcel = NULL;
	}
	if (gone + j->lost > 0)
		peer_drop(p, gone + j->lost);
	if (j->lost > 0)
		sat_log(p->sender->self, LOG_ERR, "%s: spool: %zu events cannot be read back", p->name, j->lost);
	if (j->n > 0)
		p->due = true;
}

void spool_end(struct spool *s, size_t kept)
{
	sat_alarm_stop(&s->tick);
	peer_end(s->peer, kept);
}

size_t spool_in_memory(const struct spool *s)
{
	const struct queue *q = &s->peer->queue;
	size_t n = queue_in_memory(q, s->oldest), held = 0;

	for (size_t i = 0; i < n; i++)
		held += queue_at(q, i)->parcel != NULL;
	return held;
}

/* Whatever of the queue was read back is on the disk still. */
static size_t kept_of(const struct spool *s, const struct job *j)
{
	return s->unread + s->peer->queue.held - spool_in_memory(s) + (j->fronted == 0 ? j->n_front : 0);
}

static void go_on(struct spool *s)
{
	if (s->closing) {
		spool_turn(s);
		return;
	}
	if (!s->waits)
		peer_connect(s->peer);
	send_due(s->peer);
}

static void settle(struct job *j)
{
	struct spool *s = j->spool;
	bool first = s != NULL && !s->open;
	size_t kept;

	if (s == NULL) {
		disk_free(j->disk);
		job_free(j);
		return;
	}
	s->job = NULL;
	if (j->rc != 0 && j->opened == 0)
		spool_fail(s, j->rc, j->what);
	if (first)
		opened(s, j);
	lose_oldest(s, j->dropped);
	written(s, j);
	read_back(s, j);
	if (s->last) {
		kept = kept_of(s, j);
		job_free(j);
		spool_end(s, kept);
		return;
	}
	if (j->rc == 0 && s->open)
		works_again(s);
	s->active = s->active || s->unread > 0;
	s->overdue = false;
	s->oldest = j->oldest;
	job_free(j);
	go_on(s);
}

void spool_late(void *arg)
{
	settle(arg);
}

void spool_done(void *arg, int rc)
{
	struct job *j = arg;
	struct spool *s = j->spool;

	if (rc != -ETIMEDOUT) {
		if (rc != 0) {		/* it was not run */
			j->rc = rc;
			j->written = j->fronted = rc;
			j->opened = s != NULL && !s->open ? rc : 0;
		}
		settle(j);
		return;
	}
	if (s == NULL)
		return;			/* spool_late() is to come */
	spool_fail(s, rc, disk_folder(s->disk));
	s->overdue = true;
	if (s->closing) {
		spool_end(s, 0);
		return;
	}
	if (s->batch.n > 0)
		spool_put_back(s);
	go_on(s);
}
