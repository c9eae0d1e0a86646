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

#include "job.h"
#include "peer.h"

#define EACH		SAT_SECOND	/* what came meanwhile is written */
#define CHUNK		((size_t)128 << 10)	/* or so many bytes, or half of the tail */
#define AGAIN		(5 * SAT_SECOND)	/* after a failure */
#define IN_USE		(200 * SAT_MS)	/* the one that has it is stopping, at a reload */
#define PATIENCE	(10 * SAT_SECOND)	/* with him, or with the disk */
#define CLOSING		(3 * SAT_SECOND / 2)

struct spool {
	struct peer *peer;
	struct disk *disk;
	struct place place;
	struct queue tail, batch;	/* batch: what the job writes */
	struct job *job;
	struct sat_alarm tick;
	size_t unread;			/* events on the disk that the queue does not have */
	uint64_t told;			/* to the disk: what was passed */
	uint32_t oldest;		/* segment that is there; 0: none */
	int64_t began, wrote, retry;
	bool open, active;		/* active: events go to the tail */
	bool waits;			/* for another to let go of the folder */
	bool closing, last;		/* last: the job that closes it is under way */
	bool overdue;			/* the job is, and may end, or never */
	struct sat_log_limit failed, full;
};

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
static void next_place(struct spool *s)
{
	struct disk *d;

	s->place.at = (s->place.at + 1) % s->place.n;
	d = s->place.n > 1 ? disk_at(s) : NULL;
	if (d == NULL)
		return;
	disk_free(s->disk);
	s->disk = d;
}

/* ---- What came of it ---------------------------------------------------- */

static void fail(struct spool *s, int rc, const char *what)
{
	struct sat_self *self = s->peer->sender->self;

	sat_count(self, COUNT_SPOOL_ERRORS, 1);
	s->retry = sat_clock() + AGAIN;
	if (sat_log_allowed(self, &s->failed, 1, 60 * SAT_SECOND))
		sat_log(self, LOG_ERR, "%s: spool: %s: %s; events wait in memory", s->peer->name, what, strerror(-rc));
}

static void opened(struct spool *s, const struct job *j)
{
	struct peer *p = s->peer;
	bool busy = j->opened == -EWOULDBLOCK;
	size_t gone;

	s->waits = busy && sat_clock() - s->began < PATIENCE;
	if (busy)
		next_place(s);
	if (s->waits) {
		s->retry = sat_clock() + IN_USE;
		return;
	}
	if (busy)
		fail(s, -EBUSY, j->what);
	else if (j->opened != 0)
		fail(s, j->opened, j->what);
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
static void put_back(struct spool *s)
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
		put_back(s);
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

static void end(struct spool *s, size_t kept)
{
	sat_alarm_stop(&s->tick);
	peer_end(s->peer, kept);
}

static size_t held_in_memory(const struct spool *s)
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
	return s->unread + s->peer->queue.held - held_in_memory(s) + (j->fronted == 0 ? j->n_front : 0);
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
		fail(s, j->rc, j->what);
	if (first)
		opened(s, j);
	lose_oldest(s, j->dropped);
	written(s, j);
	read_back(s, j);
	if (s->last) {
		kept = kept_of(s, j);
		job_free(j);
		end(s, kept);
		return;
	}
	s->active = s->active || s->unread > 0;
	s->overdue = false;
	s->oldest = j->oldest;
	job_free(j);
	go_on(s);
}

static void late(void *arg)
{
	settle(arg);
}

static void done(void *arg, int rc)
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
		return;			/* late() is to come */
	fail(s, rc, "the disk");
	s->overdue = true;
	if (s->closing) {
		end(s, 0);
		return;
	}
	if (s->batch.n > 0)
		put_back(s);
	go_on(s);
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
		put_back(s);
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
	struct sat_job job = { .size = sizeof(job), .work = job_work, .done = done, .late = late, .arg = j, .lane = s,
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
		put_back(s);
	fail(s, rc, "no thread");
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
		end(s, 0);
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
	return s->unread + s->peer->queue.held - held_in_memory(s);
}

/* What the queue has beyond what was read back goes in front of the tail. */
void spool_stop(struct spool *s)
{
	s->closing = true;
	s->began = sat_clock();
	s->retry = 0;
	sat_alarm_stop(&s->tick);
	if (s->overdue) {
		end(s, 0);
		return;
	}
	if (s->open && s->unread == 0 && s->batch.n == 0) {
		s->batch = (struct queue){ .max = SIZE_MAX, .max_bytes = SIZE_MAX, .self = s->tail.self };
		queue_split(&s->peer->queue, &s->batch);
		put_back(s);
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
