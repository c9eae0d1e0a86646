/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool - what waits for a master that is away goes to the disk, and comes back.
 *
 * Events are in order: the peer's queue, then what is on the disk and was not
 * read back, then the tail, which is still to be written.  What the queue has
 * read back stays on the disk until it is answered.  All that touches the disk
 * is one job at a time, on another thread: where that fails or hangs, the tail
 * is a queue as any.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spool_inside.h"

#define EACH		SAT_SECOND	/* what came meanwhile is written */
#define CHUNK		((size_t)128 << 10)	/* or so many bytes, or half of the tail */
#define CLOSING		(3 * SAT_SECOND / 2)

/* ---- Which folder ------------------------------------------------------- */

static struct disk *disk_at(const struct spool *s)
{
	const struct settings *how = &s->peer->sender->how;
	unsigned nth = s->place.first + s->place.at;
	struct sat_buf folder = { 0 };
	struct disk *d;

	sat_buf_printf(&folder, "%s/%s", how->spool, s->peer->name);
	if (nth > 0)
		sat_buf_printf(&folder, ".%u", nth + 1);
	d = folder.full ? NULL : disk_new(folder.p, how->spool_max);
	sat_buf_free(&folder);
	return d;
}

/* Another has this one: the next may be free.  Without memory it stays. */
void spool_next_place(struct spool *s)
{
	struct disk *d;

	s->place.at = (s->place.at + 1) % s->place.n;
	d = s->place.n > 1 ? disk_at(s) : NULL;
	if (d == NULL)
		return;
	disk_free(s->disk);
	s->disk = d;
}

/* ---- What is to be done ------------------------------------------------- */

static int64_t wall_of(int64_t until)
{
	return until == INT64_MAX ? INT64_MAX : sat_wall() + (until - sat_clock());
}

static size_t record(struct sat_buf *b, const struct queue *q, size_t n)
{
	size_t records = 0;

	b->max = 2 * (QUEUE_BYTES + q->bytes);
	for (size_t i = 0; i < n; i++) {
		const struct entry *e = queue_at(q, i);

		if (e->parcel == NULL)
			continue;
		disk_record(b, e->parcel, e->until, wall_of(e->until));
		records++;
	}
	return b->full ? 0 : records;
}

static void fill_batch(struct spool *s, struct job *j)
{
	const struct most most = { SIZE_MAX, CHUNK };
	int64_t now = sat_clock();
	size_t gone;

	if (!s->open || s->tail.n == 0 || now < s->retry ||
	    (!s->closing && s->tail.bytes < CHUNK && s->tail.n < s->tail.max / 2 && now - s->wrote < EACH))
		return;
	s->batch = (struct queue){ .max = SIZE_MAX, .max_bytes = SIZE_MAX, .self = s->tail.self };
	gone = queue_move(&s->tail, &s->batch, &most);
	if (gone > 0)
		peer_drop(s->peer, gone);
	j->n_back = record(&j->back, &s->batch, s->batch.n);
	if (j->n_back == 0)
		spool_put_back(s);
	s->wrote = now;
}

static size_t wanted(const struct spool *s)
{
	const struct peer *p = s->peer;
	size_t room = p->queue.n < p->queue.max ? p->queue.max - p->queue.n : 0;

	if (s->unread == 0 || sat_clock() < s->retry || p->state != UP || p->draining)
		return 0;
	if (queue_waiting(&p->queue) >= p->sender->how.batch)
		return 0;
	return room < JOB_AHEAD ? room : JOB_AHEAD;
}

/* After the last of the tail, or when the time is over. */
static bool is_last(const struct spool *s)
{
	return s->closing && (s->tail.n == 0 || !s->open || s->retry > sat_clock() || sat_clock() >= s->began + CLOSING);
}

static bool fill(struct spool *s, struct job *j)
{
	j->spool = s;
	j->disk = s->disk;
	j->passed = s->peer->queue.passed;
	if (is_last(s)) {
		s->last = j->close = true;
		if (s->open)
			j->n_front = record(&j->front, &s->peer->queue, queue_in_memory(&s->peer->queue, s->oldest));
		return s->open;
	}
	fill_batch(s, j);
	j->want = wanted(s);
	return (!s->open && sat_clock() >= s->retry) || j->n_back > 0 || j->want > 0 ||
		(s->open && j->passed != s->told && s->tick.slot == 0);
}

/* All that was on the disk is in the queue: the rest goes there, too.  A disk that does not
 * answer is not waited for. */
static void be_done(struct spool *s)
{
	const struct most all = { SIZE_MAX, SIZE_MAX };
	struct queue *q = &s->peer->queue;
	size_t gone;

	if (!s->active || s->closing || s->peer->state != UP || (!s->overdue && (s->unread > 0 || s->job != NULL)) ||
	    q->n + s->tail.n > q->max / 2 || q->bytes + s->tail.bytes > q->max_bytes / 4)
		return;
	s->active = false;
	if (s->tail.n == 0)
		return;
	gone = queue_move(&s->tail, q, &all);
	if (gone > 0)
		peer_drop(s->peer, gone);
	send_later(s->peer, 0);
}

static void ticks(struct sat_alarm *alarm)
{
	struct spool *s = SAT_OWNER(alarm, struct spool, tick);

	spool_turn(s);
	peer_count(s->peer);
}

static bool submit(struct spool *s, struct job *j)
{
	struct sat_job job = { .size = sizeof(job), .work = job_work, .done = spool_done, .late = spool_late, .arg = j, .lane = s,
			       .deadline = s->closing ? CLOSING : PATIENCE };
	int rc;

	s->job = j;
	rc = sat_work(s->peer->sender->self, &job);
	if (rc == 0) {
		s->told = j->passed;
		return true;
	}
	s->job = NULL;
	if (s->batch.n > 0)
		spool_put_back(s);
	spool_fail(s, rc, "no thread");
	job_free(j);
	return false;
}

void spool_turn(struct spool *s)
{
	struct job *j = NULL;
	bool busy = s->job != NULL;

	be_done(s);
	if (!busy)
		j = calloc(1, sizeof(*j));
	if (j != NULL && fill(s, j)) {
		busy = submit(s, j);
		j = NULL;
	}
	free(j);
	if (!busy && s->closing)
		spool_end(s, 0);
	else if (!s->closing && s->tick.slot == 0 && (!s->open || s->active || s->told != s->peer->queue.passed))
		sat_alarm_set(s->peer->sender->self, &s->tick, sat_clock() + (s->open ? EACH : IN_USE));
}

/* ---- Its life ----------------------------------------------------------- */

struct spool *spool_new(struct peer *p, struct place place)
{
	const struct settings *how = &p->sender->how;
	struct spool *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->peer = p;
	s->place = place;
	s->disk = disk_at(s);
	s->tick.fire = ticks;
	s->tail = (struct queue){ .max = how->queue, .max_bytes = QUEUE_BYTES, .self = p->sender->self };
	if (s->disk != NULL)
		return s;
	free(s);
	return NULL;
}

void spool_make_room(struct spool *s)
{
	s->place.n++;
}

void spool_start(struct spool *s)
{
	s->began = sat_clock();
	spool_turn(s);
	if (s->job == NULL)
		peer_connect(s->peer);
}

bool spool_wants(struct spool *s, const struct parcel *next)
{
	const struct peer *p = s->peer;
	bool full = p->queue.n >= p->queue.max || p->queue.bytes + next->len > p->queue.max_bytes / 2;

	if (!s->active && s->open && !s->overdue && (full || (p->away && p->state != UP)))
		spool_begin(s);
	return s->active;
}

size_t spool_put(struct spool *s, struct parcel *parcel, int64_t until)
{
	return queue_put(&s->tail, parcel, until);
}

void spool_begin(struct spool *s)
{
	size_t gone;

	if (!s->open || s->active || s->closing || s->overdue)
		return;
	s->active = true;
	gone = queue_split(&s->peer->queue, &s->tail);
	if (gone > 0)
		peer_drop(s->peer, gone);
	spool_turn(s);
}

size_t spool_held(const struct spool *s)
{
	return s->tail.held + s->batch.held + s->unread;
}

size_t spool_on_disk(const struct spool *s)
{
	return s->unread + s->peer->queue.held - spool_in_memory(s);
}

/* What the queue has beyond what was read back goes in front of the tail. */
void spool_stop(struct spool *s)
{
	s->closing = true;
	s->began = sat_clock();
	s->retry = 0;
	sat_alarm_stop(&s->tick);
	if (s->overdue) {
		spool_end(s, 0);
		return;
	}
	if (s->open && s->unread == 0 && s->batch.n == 0) {
		s->batch = (struct queue){ .max = SIZE_MAX, .max_bytes = SIZE_MAX, .self = s->tail.self };
		queue_split(&s->peer->queue, &s->batch);
		spool_put_back(s);
	}
	spool_turn(s);
}

void spool_free(struct spool *s)
{
	if (s == NULL)
		return;
	sat_alarm_stop(&s->tick);
	if (s->job != NULL)
		s->job->spool = NULL;
	else
		disk_free(s->disk);
	queue_free(&s->tail);
	queue_free(&s->batch);
	free(s);
}
