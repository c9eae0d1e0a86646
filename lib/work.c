/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work - jobs that may block, on threads of the host's own: serial per instance
 * and lane, with deadlines.
 *
 * The loop decides which job runs; the threads only take what lies in `todo`
 * and put it into `finished`.  So all but what `lock` guards belongs to the
 * loop thread.  A job that is overdue keeps its thread, which ends with it; a
 * new thread is made where one is missed.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "log.h"
#include "post.h"
#include "work.h"

#define THREADS		8
#define JOBS_MAX	65536		/* that wait, of one instance */
#define DEADLINE	(60 * SAT_SECOND)

#if defined(__has_feature)	/* clang's way to say it */
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(SANITIZED) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK		(1024 * 1024)
#else
#define STACK		(64 * 1024)
#endif

enum task_state { TASK_WAITS, TASK_TODO, TASK_RUNS, TASK_FINISHED };

struct worker;

struct task {
	struct task *next;		/* in its queue, in todo, in finished */
	struct task *next_flight;	/* given to the threads, on time or not */
	struct sat_job job;
	struct work *work;		/* NULL: the instance is gone */
	int64_t due;
	int rc;
	bool overdue;			/* the loop gave up on it; guarded by lock */
	enum task_state state;		/* guarded by lock once it is in todo */
	struct worker *worker;		/* who runs it; guarded by lock */
};

struct queue { struct task *first, **last; unsigned n; };

/*
 * The jobs of one lane.  An instance has one without a name, from which its
 * other lanes hang while they have jobs.
 */
struct work {
	const void *lane;	/* NULL: the instance's own */
	struct work *main;	/* that one */
	struct work *next;	/* of the main one: its lanes */
	struct queue waits;
	struct task *now;	/* the one that is with the threads, overdue or not */
	bool overdue;		/* it is */
	bool ready;		/* in the list of those that could go on */
	struct work *next_ready;
	char *name;
	void (*drained)(void *arg);	/* of the main one, for all lanes */
	void *drained_arg;
};

struct worker {
	struct worker *next;
	pthread_t thread;
};

/* Between threads. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static struct queue todo, finished;
static bool is_open, ending;
static uv_async_t async;

/* The loop's. */
static uv_timer_t timer;
static struct task *flight;
static struct worker *workers;
static struct work *ready, **last_ready = &ready;
static unsigned n_flight, n_workers, n_written_off;

static void queue_add(struct queue *q, struct task *t)
{
	if (q->first == NULL)
		q->last = &q->first;
	t->next = NULL;
	*q->last = t;
	q->last = &t->next;
	q->n++;
}

static struct task *queue_take(struct queue *q)
{
	struct task *t = q->first;

	if (t != NULL) {
		q->first = t->next;
		if (q->first == NULL)
			q->last = &q->first;
		q->n--;
	}
	return t;
}

static void queue_remove(struct queue *q, struct task *gone)
{
	struct queue left = { 0 };
	struct task *t;

	while ((t = queue_take(q)) != NULL) {
		if (t != gone)
			queue_add(&left, t);
	}
	while ((t = queue_take(&left)) != NULL)
		queue_add(q, t);
}

static int64_t now_us(void)
{
	return (int64_t)(uv_hrtime() / 1000);
}

/* ---- The threads -------------------------------------------------------- */

/* Under the lock: run one, giving the lock back meanwhile.  false: the loop gave up on it. */
static bool run_task(struct worker *me, struct task *t)
{
	t->state = TASK_RUNS;
	t->worker = me;
	pthread_mutex_unlock(&lock);
	t->rc = t->job.work(t->job.arg);
	pthread_mutex_lock(&lock);
	t->state = TASK_FINISHED;
	queue_add(&finished, t);
	if (is_open)
		uv_async_send(&async);
	return !t->overdue;
}

static void *work_thread(void *arg)
{
	struct worker *me = arg;
	struct task *t;
	bool mine = true;

	pthread_mutex_lock(&lock);
	while (mine && !ending) {
		t = queue_take(&todo);
		if (t != NULL) {
			mine = run_task(me, t);
			continue;
		}
		pthread_cond_wait(&wake, &lock);
	}
	pthread_mutex_unlock(&lock);
	if (!mine)	/* written off: nobody else knows this thread any more */
		free(me);
	return NULL;
}

static size_t stack_size(void)
{
	long least = sysconf(_SC_THREAD_STACK_MIN);
	size_t size = STACK;

	if (least > 0)
		size += (size_t)least;	/* it holds the libraries' thread variables */
	return size;
}

static int start_thread(void)
{
	struct worker *w = calloc(1, sizeof(*w));
	pthread_attr_t attr;
	sigset_t all, old;
	int rc;

	if (w == NULL)
		return -ENOMEM;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack_size());
	sigfillset(&all);	/* signals are the loop's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, &attr, work_thread, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		free(w);
		return -rc;
	}
	w->next = workers;
	workers = w;
	n_workers++;
	return 0;
}

static void forget_worker(struct worker *gone)
{
	struct worker **w = &workers;

	while (*w != gone)
		w = &(*w)->next;
	*w = gone->next;
	n_workers--;
}

/* ---- The loop's side ---------------------------------------------------- */

static void check_deadlines(uv_timer_t *t);

static void set_timer(void)
{
	int64_t first = INT64_MAX, left;

	for (struct task *t = flight; t != NULL; t = t->next_flight) {
		if (!t->overdue && t->due < first)
			first = t->due;
	}
	if (first == INT64_MAX) {
		uv_timer_stop(&timer);
		return;
	}
	left = first - now_us();
	uv_update_time(timer.loop);
	uv_timer_start(&timer, check_deadlines, left > 0 ? (uint64_t)(left / 1000 + 1) : 0, 0);
}

static void make_ready(struct work *w)
{
	if (w->ready || w->now != NULL || w->waits.first == NULL)
		return;
	w->ready = true;
	w->next_ready = NULL;
	*last_ready = w;
	last_ready = &w->next_ready;
}

static struct work *take_ready(void)
{
	struct work *w = ready;

	if (w != NULL) {
		ready = w->next_ready;
		if (ready == NULL)
			last_ready = &ready;
		w->ready = false;
	}
	return w;
}

static void launch(struct work *w)
{
	struct task *t = queue_take(&w->waits);

	w->now = t;
	t->due = now_us() + (t->job.deadline > 0 ? t->job.deadline : DEADLINE);
	t->next_flight = flight;
	flight = t;
	n_flight++;
	pthread_mutex_lock(&lock);
	t->state = TASK_TODO;
	queue_add(&todo, t);
	pthread_cond_signal(&wake);
	pthread_mutex_unlock(&lock);
	/* Should it fail, another thread takes the job, or its deadline passes. */
	if (n_workers < n_flight)
		start_thread();
}

static void dispatch(void)
{
	while (n_flight < THREADS && ready != NULL)
		launch(take_ready());
	set_timer();
}

static void land(struct task *t)
{
	struct task **f = &flight;

	while (*f != t)
		f = &(*f)->next_flight;
	*f = t->next_flight;
}

static void tell_drained(struct work *first)
{
	void (*drained)(void *arg) = first->drained;

	for (const struct work *w = first; w != NULL; w = w->next)
		if (w->waits.first != NULL || (w->now != NULL && !w->overdue))
			return;
	first->drained = NULL;
	if (drained != NULL)
		drained(first->drained_arg);
}

static void free_work(struct work *w)
{
	free(w->name);
	free(w);
}

/* A lane has become free: its next job may go, or it goes itself. */
static void go_on(struct work *w)
{
	struct work *first = w->main, **at = &first->next;

	make_ready(w);
	if (w != first && w->waits.first == NULL) {
		while (*at != w)
			at = &(*at)->next;
		*at = w->next;
		free_work(w);
	}
	tell_drained(first);
}

/* A job is over, on time. */
static void finish(struct task *t)
{
	struct work *w;

	land(t);
	n_flight--;
	t->job.done(t->job.arg, t->rc);
	w = t->work;		/* done() may have forgotten it */
	free(t);
	if (w == NULL)
		return;
	w->now = NULL;
	go_on(w);
}

/* An overdue job has ended after all. */
static void finish_late(struct task *t)
{
	land(t);
	n_written_off--;
	if (t->work != NULL) {
		log_line(LOG_NOTICE, t->work->name, "a job that was overdue has ended");
		t->work->now = NULL;
		t->work->overdue = false;
		go_on(t->work);
	}
	if (t->job.late != NULL)
		t->job.late(t->job.arg);
	free(t);
}

static void refuse_waiting(struct work *w)
{
	struct queue refused = w->waits;
	struct task *t;

	w->waits = (struct queue){ 0 };
	while ((t = queue_take(&refused)) != NULL) {
		t->job.done(t->job.arg, -EBUSY);
		free(t);
	}
}

/* Part with a task that is overdue: what it was at that moment. */
static enum task_state write_off(struct task *t)
{
	enum task_state was;

	pthread_mutex_lock(&lock);
	was = t->state;
	if (was == TASK_TODO)
		queue_remove(&todo, t);
	if (was == TASK_RUNS) {
		t->overdue = true;
		pthread_detach(t->worker->thread);
		forget_worker(t->worker);
	}
	pthread_mutex_unlock(&lock);
	return was;
}

static void give_up(struct task *t)
{
	struct work *w = t->work;

	n_flight--;
	n_written_off++;
	if (w != NULL) {
		log_line(LOG_ERR, w->name, "a job is overdue; its thread is left to it");
		w->overdue = true;
		refuse_waiting(w);
	}
	t->job.done(t->job.arg, -ETIMEDOUT);
	if (t->work != NULL)
		tell_drained(t->work->main);
}

static void take_finished(void)
{
	struct task *t;
	bool late;

	for (;;) {
		pthread_mutex_lock(&lock);
		t = queue_take(&finished);
		late = t != NULL && t->overdue;
		pthread_mutex_unlock(&lock);
		if (t == NULL)
			return;
		if (late)
			finish_late(t);
		else
			finish(t);
	}
}

static struct task *first_overdue(int64_t now)
{
	for (struct task *t = flight; t != NULL; t = t->next_flight) {
		if (!t->overdue && t->due <= now)
			return t;
	}
	return NULL;
}

static void check_deadlines(uv_timer_t *unused)
{
	int64_t now = now_us();
	struct task *t;

	(void)unused;
	take_finished();
	while ((t = first_overdue(now)) != NULL) {
		enum task_state was = write_off(t);

		if (was == TASK_FINISHED)	/* just now: in time, then */
			take_finished();
		if (was == TASK_RUNS)
			give_up(t);
		if (was == TASK_TODO) {		/* no thread was to be had for all that time */
			t->rc = -EAGAIN;
			finish(t);
		}
	}
	dispatch();
}

static void woken(uv_async_t *unused)
{
	(void)unused;
	take_finished();
	post_take();
	dispatch();
}

/* ---- For modules -------------------------------------------------------- */

static struct work *new_work(struct sat_self *self, const void *lane)
{
	struct work *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->name = strdup(self->name);
	if (w->name == NULL) {
		free(w);
		return NULL;
	}
	w->lane = lane;
	return w;
}

static struct work *work_of(struct sat_self *self, const void *lane)
{
	struct work *first = self->work, *w;

	if (first == NULL) {
		first = new_work(self, NULL);
		if (first == NULL)
			return NULL;
		first->main = first;
		self->work = first;
	}
	for (w = first; w != NULL; w = w->next)
		if (w->lane == lane)
			return w;
	w = new_work(self, lane);
	if (w == NULL)
		return NULL;
	w->main = first;
	w->next = first->next;
	first->next = w;
	return w;
}

int sat_work(struct sat_self *self, const struct sat_job *job)
{
	struct task *t = calloc(1, sizeof(*t));
	struct work *w = NULL;
	int rc = t == NULL ? -ENOMEM : is_open ? 0 : -ECANCELED;

	if (rc == 0 && n_workers == 0)	/* without any, nobody would take it */
		rc = start_thread();
	if (rc == 0) {
		memcpy(&t->job, job, job->size < sizeof(t->job) ? job->size : sizeof(t->job));
		w = work_of(self, t->job.lane);
		rc = w == NULL ? -ENOMEM : w->overdue ? -EBUSY : w->waits.n >= JOBS_MAX ? -ENOBUFS : 0;
	}
	if (rc != 0) {
		free(t);
		return rc;
	}
	t->work = w;
	queue_add(&w->waits, t);
	make_ready(w);
	dispatch();
	return 0;
}

/* ---- For the host ------------------------------------------------------- */

void work_drain(struct sat_self *self, void (*done)(void *arg), void *arg)
{
	struct work *w = self->work;

	if (w == NULL) {
		done(arg);
		return;
	}
	w->drained = done;
	w->drained_arg = arg;
	tell_drained(w);
}

static void forget_ready(struct work *gone)
{
	struct work **r = &ready;

	while (*r != NULL && *r != gone)
		r = &(*r)->next_ready;
	if (*r == NULL)
		return;
	*r = gone->next_ready;
	if (*r == NULL)
		last_ready = r;
}

static void forget(struct work *w)
{
	struct task *t;

	forget_ready(w);
	while ((t = queue_take(&w->waits)) != NULL)
		free(t);
	if (w->now != NULL)
		w->now->work = NULL;
	free_work(w);
}

void work_forget(struct sat_self *self)
{
	struct work *w = self->work, *next;

	post_forget(self);
	self->work = NULL;
	for (; w != NULL; w = next) {
		next = w->next;
		forget(w);
	}
}

unsigned work_written_off(void)
{
	return n_written_off;
}

int work_init(struct uv_loop_s *loop)
{
	int rc = uv_async_init(loop, &async, woken);

	if (rc != 0)
		return rc;
	uv_timer_init(loop, &timer);
	post_init(&async);
	pthread_mutex_lock(&lock);
	ending = false;
	is_open = true;
	uv_async_send(&async);		/* what was left behind may have ended meanwhile */
	pthread_mutex_unlock(&lock);
	return 0;
}

/* Idle threads end at once; one that still runs a job is left behind, and frees itself. */
static void end_threads(void)
{
	struct worker *w, *idle = NULL;

	pthread_mutex_lock(&lock);
	ending = true;
	is_open = false;
	pthread_cond_broadcast(&wake);
	for (struct task *t = flight; t != NULL; t = t->next_flight) {
		if (t->state == TASK_RUNS && !t->overdue) {
			t->overdue = true;
			n_written_off++;
			pthread_detach(t->worker->thread);
			forget_worker(t->worker);
		}
	}
	idle = workers;
	workers = NULL;
	n_workers = 0;
	pthread_mutex_unlock(&lock);
	while ((w = idle) != NULL) {
		idle = w->next;
		pthread_join(w->thread, NULL);
		free(w);
	}
}

void work_end(void)
{
	struct task *t, **f = &flight;

	post_end();
	end_threads();
	uv_close((uv_handle_t *)&async, NULL);
	uv_close((uv_handle_t *)&timer, NULL);
	pthread_mutex_lock(&lock);
	while ((t = *f) != NULL) {	/* what still runs stays in the list, and known */
		if (t->state == TASK_RUNS) {
			f = &t->next_flight;
			continue;
		}
		*f = t->next_flight;
		free(t);
	}
	todo = finished = (struct queue){ 0 };
	n_flight = 0;
	pthread_mutex_unlock(&lock);
}
