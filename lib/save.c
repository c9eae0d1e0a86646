/* SPDX-License-Identifier: Apache-2.0 */
/* save - what a restart is to know: the index, and what streams know, as the state file. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "engine.h"
#include "file.h"
#include "save.h"
#include "self.h"
#include "state.h"
#include "work.h"

enum {
	ENTRIES = 128, FORKS = 32,	/* between two looks at the time */
	PIECE = 1 << 20,		/* bytes that are written at once */
	WAITING = 64 << 20,		/* bytes that may wait for the disk */
};
#define BUDGET	(2 * SAT_MS)

/* One in slices.  Jobs may outlive it: then the last of them frees it. */
struct saving {
	pthread_mutex_t lock;		/* of given_up, over the moment in which the file is replaced */
	bool given_up;
	char *path;
	struct file_new file;
	bool begun, last;		/* the file has; this is the last piece of it */
	bool writes;			/* a job has `out` */
	struct sat_buf out, wait;
	struct index_walk entries;
	int64_t moment;
	bool all_entries, all_forks;
};

static struct saving *saving;
static struct sat_writer event;		/* one of the index's, as a record */
static int64_t budget = BUDGET;

/* ---- Records ------------------------------------------------------------ */

static int write_event(const struct sat_event *ev)
{
	event.b.len = 0;
	event.b.max = (size_t)32 << 20;
	sat_write_int(&event, index_left(ev));
	return sat_write_event(&event, ev);
}

static int dump_fork(void *arg, const void *p, size_t n)
{
	state_record(arg, STATE_FORK, p, n);
	return ((struct sat_buf *)arg)->full ? -ENOMEM : 0;
}

static int dump_event(void *arg, const struct sat_event *ev)
{
	struct sat_buf *file = arg;

	if (write_event(ev) != 0)
		return -ENOMEM;
	state_record(file, STATE_EVENT, event.b.p, event.b.len);
	return file->full ? -ENOMEM : 0;
}

int save_dump(struct sat_buf *file)
{
	int rc = index_search(NULL, dump_event, file);

	if (rc == 0 && engine_streams() != NULL)
		rc = streams_save(engine_streams(), dump_fork, file);
	sat_buf_free(&event.b);
	return rc == 0 && file->full ? -ENOMEM : rc;
}

int save_now(const char *path)
{
	struct sat_buf file = { .max = (size_t)2 << 30 };
	int rc;

	save_stop();
	rc = save_dump(&file);
	if (rc == 0)
		rc = state_put(path, &file);
	sat_buf_free(&file);
	return rc;
}

/* ---- In slices: the file, on another thread ----------------------------- */

static void saving_free(struct saving *s)
{
	if (s->begun)
		file_drop(&s->file);
	pthread_mutex_destroy(&s->lock);
	index_walk_end(&s->entries);
	sat_buf_free(&s->out);
	sat_buf_free(&s->wait);
	free(s->path);
	free(s);
}

/* A newer one may be in its place already. */
static int replace(struct saving *s)
{
	int rc = -ECANCELED;

	pthread_mutex_lock(&s->lock);
	if (!s->given_up)
		rc = file_put(&s->file);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int write_work(void *arg)
{
	struct saving *s = arg;
	int rc = 0;

	if (!s->begun)
		rc = file_begin(&s->file, s->path, ".part", 0600);
	s->begun = true;
	if (rc == 0)
		rc = file_add(&s->file, s->out.p, s->out.len);
	if (rc == 0 && s->last)
		rc = file_settle(&s->file);
	return rc == 0 && s->last ? replace(s) : rc;
}

/* It gets nothing more; a job of it may still run. */
static void let_go(struct saving *s)
{
	if (!s->all_forks)
		streams_save_stop();
	index_walk_guard(NULL, NULL);
	sat_buf_free(&event.b);
	saving = NULL;
}

static void fail(struct saving *s, int rc)
{
	sat_log(&self_host, LOG_WARNING, "%s: %s: a restart would forget what streams know", s->path,
		strerror(-rc));
	save_stop();
}

static void written(void *arg, int rc)
{
	struct saving *s = arg;
	bool running = rc == -ETIMEDOUT;

	s->writes = running;
	if (saving != s) {
		if (!running)
			saving_free(s);
	} else if (rc != 0) {
		fail(s, rc);
	} else if (s->last) {
		let_go(s);
		saving_free(s);
	}
}

static void written_late(void *arg)
{
	saving_free(arg);
}

void save_stop(void)
{
	struct saving *s = saving;

	if (s == NULL)
		return;
	let_go(s);
	pthread_mutex_lock(&s->lock);
	s->given_up = true;
	pthread_mutex_unlock(&s->lock);
	if (!s->writes)
		saving_free(s);
}

static void write_piece(struct saving *s)
{
	struct sat_job job = { .size = sizeof(job), .work = write_work, .done = written, .late = written_late,
			       .arg = s, .lane = &saving };
	struct sat_buf empty = { .p = s->out.p, .size = s->out.size, .max = s->out.max };
	int rc;

	s->last = s->all_entries && s->all_forks;
	s->out = s->wait;
	s->wait = empty;
	s->writes = true;
	rc = sat_work(&self_host, &job);
	if (rc == 0)
		return;
	s->writes = false;
	fail(s, rc);
}

/* ---- In slices: what is written ----------------------------------------- */

static int record_fork(void *arg, const void *p, size_t n)
{
	state_record_more(&((struct saving *)arg)->wait, STATE_FORK, p, n);
	return 0;
}

/* An event too large, or no memory for it, is the file's end. */
static void record_event(const struct sat_event *ev)
{
	int64_t now = clock_pretend(saving->moment);

	if (write_event(ev) == 0)
		state_record_more(&saving->wait, STATE_EVENT, event.b.p, event.b.len);
	else
		saving->wait.full = true;
	clock_pretend(now);
}

static int met(void *arg, const struct sat_event *ev)
{
	(void)arg;
	record_event(ev);
	return 0;
}

int save_later(const char *path)
{
	struct saving *s;
	int rc;

	if (saving != NULL)
		return -EALREADY;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->out.max = s->wait.max = WAITING;
	s->path = strdup(path);
	rc = s->path != NULL ? index_walk_begin(&s->entries, NULL, INDEX_UNCHANGED) : -ENOMEM;
	if (rc != 0) {
		saving_free(s);
		return rc;
	}
	saving = s;
	s->moment = clock_steady();
	state_begin(&s->wait);
	index_walk_guard(&s->entries, record_event);
	s->all_forks = engine_streams() == NULL;
	if (!s->all_forks)
		streams_save_begin(engine_streams(), record_fork, s);
	return 0;
}

bool save_busy(void)
{
	return saving != NULL;
}

void save_forks(void)
{
	if (saving == NULL || saving->all_forks)
		return;
	streams_save_turn(engine_streams(), UINT32_MAX);
	saving->all_forks = true;
}

static void step(struct saving *s)
{
	int rc;

	if (!s->all_forks)
		s->all_forks = !streams_save_turn(engine_streams(), FORKS);
	else if (!index_walk(&s->entries, ENTRIES, met, NULL, &rc))
		s->all_entries = true;
}

/* Forks first: there an event costs more for each that is still to be saved. */
bool save_turn(void)
{
	struct saving *s = saving;
	int64_t until;

	if (s == NULL)
		return false;
	until = clock_boot() + budget;
	do {
		if (s->wait.full) {
			fail(s, -ENOBUFS);
			return false;
		}
		if (!s->writes && (s->wait.len >= PIECE || (s->all_entries && s->all_forks))) {
			write_piece(s);
			return saving != NULL && !s->last;
		}
		if (s->wait.len >= PIECE || s->last || s->all_entries)
			return false;	/* the job's end wakes the loop */
		step(s);
	} while (clock_boot() < until);
	return true;
}

void save_budget(int64_t each)
{
	budget = each;
}

/* ---- Back again --------------------------------------------------------- */

static void load_event(const void *p, size_t n)
{
	struct sat_reader in = { p, (const unsigned char *)p + n, 0 };
	const struct sat_event *ev;
	int64_t left;

	if (sat_read_int(&in, &left) != 0 || sat_read_event(&in, &ev) != 0) {
		self_add(SELF_STATE_REFUSED, 1);
		return;
	}
	if (index_put(ev) == 0)
		index_set_left(ev, left);
	sat_drop(ev);
}

static void load_record(void *arg, uint32_t kind, const void *p, size_t n)
{
	unsigned *refused = arg;

	if (kind == STATE_EVENT)
		load_event(p, n);
	else if (kind == STATE_FORK && engine_streams() != NULL && streams_load(engine_streams(), p, n) == -EBADMSG) {
		self_add(SELF_STATE_REFUSED, 1);
		++*refused;
	}
}

int save_load(const char *path)
{
	unsigned refused = 0, bad;
	int rc = state_read(path, load_record, &refused, &bad);

	if (rc == 0 && refused + bad != 0)
		sat_log(&self_host, LOG_WARNING, "%s: %u records refused, %u damaged: those begin anew", path,
			refused, bad);
	return rc;
}

int save_restore(const struct sat_buf *file)
{
	unsigned refused = 0, bad = 0;
	int rc = file->len != 0 ? state_parse(file->p, file->len, load_record, &refused, &bad) : 0;

	return rc == 0 && refused + bad != 0 ? -EBADMSG : rc;
}
