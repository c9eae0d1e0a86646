/* SPDX-License-Identifier: Apache-2.0 */
/* slow - what holds up the loop for over a second is named while it does. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "self.h"
#include "slow.h"

enum { LOOK = 250000, LONG = 1000000, TTL = 300, STACK = 128 << 10 };	/* microseconds; seconds; bytes */

const void *slow_node;
uint32_t slow_push;
bool slow_asleep;

static const struct slow_call *call;
static void (*describe)(const void *node, char *text, size_t size);

static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int timer = -1;		/* what the thread waits for; -1: it does not run */
static bool ending;

/* What was seen last; under the lock. */
static struct {
	uint32_t push;
	int64_t since, looked;
	bool told;
	char text[400];
} seen;

struct over { int64_t took; char text[400]; };

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SAT_SECOND + t.tv_nsec / 1000;
}

/* ---- What is said ------------------------------------------------------- */

static void tell_over(void *arg)
{
	static const char *const tags[] = { "satellite" };
	struct over *o = arg;
	char words[500];

	snprintf(words, sizeof(words), "%s held up all else for %.1f s", o->text, (double)o->took / SAT_SECOND);
	log_line(LOG_WARNING, NULL, "%s", words);
	sat_emit(&self_host, .has = SAT_HAS_DOUBLE | SAT_HAS_TTL | SAT_HAS_TAGS, .service = "satellite/slow",
		 .state = "warning", .description = words, .metric.d = (double)o->took / SAT_SECOND, .ttl = TTL,
		 .tags = tags, .n_tags = 1);
	free(o);
}

static void over(int64_t now)
{
	struct over *o = seen.told ? malloc(sizeof(*o)) : NULL;

	seen.told = false;
	if (o == NULL)
		return;
	o->took = now - seen.since;
	memcpy(o->text, seen.text, sizeof(o->text));
	if (sat_post(&self_host, tell_over, o) != 0)
		free(o);
}

/* Under the lock, so that what it names is still there. */
static void tell(const struct slow_call *c, const void *node, int64_t now)
{
	if (c != NULL)
		snprintf(seen.text, sizeof(seen.text), "%s: %s %s", c->path, c->what, c->name);
	else
		describe(node, seen.text, sizeof(seen.text));
	seen.told = true;
	self_add(SELF_SLOW, 1);
	log_line(LOG_WARNING, NULL, "%s has run for %.1f s, and all else waits%s", seen.text,
		 (double)(now - seen.since) / SAT_SECOND, c != NULL ? c->hint : "");
}

/* Whether the loop is in any. */
static bool look(void)
{
	int64_t now = now_us();
	const struct slow_call *c = __atomic_load_n(&call, __ATOMIC_ACQUIRE);
	const void *node = __atomic_load_n(&slow_node, __ATOMIC_ACQUIRE);
	uint32_t push = __atomic_load_n(&slow_push, __ATOMIC_RELAXED);
	bool busy = c != NULL || node != NULL, same = busy && push == seen.push;

	/* Who was stopped himself has seen nothing of what was between. */
	if (!same || now - seen.looked > LONG) {
		over(now);
		seen.push = push;
		seen.since = now;
	} else if (!seen.told && now - seen.since >= LONG) {
		tell(c, node, now);
	}
	seen.looked = now;
	return busy;
}

/* ---- The thread --------------------------------------------------------- */

static void look_in(int64_t us)
{
	const struct itimerspec t = { .it_value = { us / SAT_SECOND, us % SAT_SECOND * 1000 } };

	timerfd_settime(timer, 0, &t, NULL);
}

static bool wait_for_next(void)
{
	uint64_t fired;

	while (read(timer, &fired, sizeof(fired)) < 0)
		if (errno != EINTR)
			return false;
	return !__atomic_load_n(&ending, __ATOMIC_ACQUIRE);
}

/* It says that it sleeps one look before it does: what began unaware of that is seen by then. */
static void *watch(void *unused)
{
	bool slept, busy;

	while (wait_for_next()) {
		slept = __atomic_load_n(&slow_asleep, __ATOMIC_SEQ_CST);
		pthread_mutex_lock(&lock);
		busy = look();
		pthread_mutex_unlock(&lock);
		if (!busy && slept)
			continue;	/* slow_rouse() sets the timer */
		__atomic_store_n(&slow_asleep, !busy, __ATOMIC_SEQ_CST);
		look_in(LOOK);
	}
	return unused;
}

static int start(void)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int rc;

	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (timer < 0)
		return errno;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, watch, NULL);
	if (rc == 0)
		pthread_setname_np(thread, "satellite-slow");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		close(timer);
		timer = -1;
		return rc;
	}
	look_in(LOOK);
	return 0;
}

void slow_begin(void (*how)(const void *node, char *text, size_t size))
{
	int rc;

	describe = how;
	ending = slow_asleep = false;
	memset(&seen, 0, sizeof(seen));
	rc = start();
	if (rc != 0)
		log_line(LOG_WARNING, NULL, "what holds up the loop will not be named: %s", strerror(rc));
}

void slow_end(void)
{
	if (timer < 0)
		return;
	__atomic_store_n(&ending, true, __ATOMIC_RELEASE);
	look_in(1);
	pthread_join(thread, NULL);
	slow_asleep = false;
	close(timer);
	timer = -1;
}

/* ---- The loop's side ---------------------------------------------------- */

void slow_enter(const struct slow_call *c)
{
	slow_next();
	__atomic_store_n(&call, c, __ATOMIC_RELEASE);
}

void slow_leave(void)
{
	__atomic_store_n(&call, NULL, __ATOMIC_RELEASE);
	slow_settle();
}

void slow_rouse(void)
{
	__atomic_store_n(&slow_asleep, false, __ATOMIC_SEQ_CST);
	look_in(LOOK);
}

void slow_settle(void)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
}
