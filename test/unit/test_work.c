/* SPDX-License-Identifier: Apache-2.0 */
/* test_work - jobs on other threads: their order, their deadlines, and the end of it all. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#include "log.h"
#include "unit/fault.h"
#include "work.h"

#define OVERDUE	(400 * SAT_MS)	/* enough for a thread to begin first, or its job is refused */

static uv_loop_t loop;
static char name_a[] = "a", name_b[] = "b";
static struct sat_self a, b;

struct job {
	sem_t gate;		/* what blocks waits for it */
	int answer, rc, done, late;
	struct job *after;	/* must be done when this one begins */
	int order_kept;
};

static int quick(void *arg)
{
	struct job *j = arg;

	j->order_kept = j->after == NULL || j->after->done == 1;
	return j->answer;
}

static int stuck(void *arg)
{
	struct job *j = arg;

	while (sem_wait(&j->gate) != 0)
		continue;
	return j->answer;
}

static void done(void *arg, int rc)
{
	struct job *j = arg;

	j->rc = rc;
	j->done++;
}

static void late(void *arg)
{
	struct job *j = arg;

	j->late++;
}

static int give(struct sat_self *self, struct job *j, int (*work)(void *), int64_t deadline)
{
	return sat_work(self, &(struct sat_job){ .size = sizeof(struct sat_job), .work = work, .done = done,
		.late = late, .deadline = deadline, .arg = j });
}

static void turn_until(const int *count, int n)
{
	uint64_t end = uv_hrtime() + UINT64_C(10000000000);

	while (*count < n) {
		assert_true(uv_hrtime() < end);
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(500);
	}
}

static int begin(void **unused)
{
	(void)unused;
	a = (struct sat_self){ .name = name_a };
	b = (struct sat_self){ .name = name_b };
	return uv_loop_init(&loop) != 0 || work_init(&loop) != 0;
}

/* The loop can be closed, whatever the test left behind. */
static int end(void **unused)
{
	(void)unused;
	work_forget(&a);
	work_forget(&b);
	work_end();
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void jobs_of_one_instance_run_in_order(void **unused)
{
	struct job jobs[20] = { 0 };

	(void)unused;
	for (int i = 0; i < 20; i++) {
		jobs[i].answer = i;
		jobs[i].after = i > 0 ? &jobs[i - 1] : NULL;
		assert_int_equal(give(&a, &jobs[i], quick, 0), 0);
		assert_int_equal(jobs[i].done, 0);
	}
	turn_until(&jobs[19].done, 1);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(jobs[i].done, 1);
		assert_int_equal(jobs[i].rc, i);
		assert_true(jobs[i].order_kept);
	}
}

static void a_blocked_instance_does_not_hold_another(void **unused)
{
	struct job slow = { .answer = 5 }, fast = { 0 };

	(void)unused;
	sem_init(&slow.gate, 0, 0);
	assert_int_equal(give(&a, &slow, stuck, 0), 0);
	assert_int_equal(give(&b, &fast, quick, 0), 0);
	turn_until(&fast.done, 1);
	assert_int_equal(slow.done, 0);
	sem_post(&slow.gate);
	turn_until(&slow.done, 1);
	assert_int_equal(slow.rc, 5);
}

static int give_in(const void *lane, struct job *j, int (*work)(void *), int64_t deadline)
{
	return sat_work(&a, &(struct sat_job){ .size = sizeof(struct sat_job), .work = work, .done = done,
		.late = late, .deadline = deadline, .arg = j, .lane = lane });
}

static void set(void *arg)
{
	*(int *)arg = 1;
}

/* Lanes of one instance are held up by what is in them, overdue or not; draining minds them all. */
static void a_blocked_lane_does_not_hold_another(void **unused)
{
	static struct job slow;
	struct job fast = { 0 }, same = { 0 }, own = { 0 }, again = { 0 };
	int drained = 0;

	(void)unused;
	sem_init(&slow.gate, 0, 0);
	assert_int_equal(give_in(&slow, &slow, stuck, OVERDUE), 0);
	assert_int_equal(give_in(&slow, &same, quick, 0), 0);
	assert_int_equal(give_in(&fast, &fast, quick, 0), 0);
	assert_int_equal(give(&a, &own, quick, 0), 0);
	turn_until(&fast.done, 1);
	turn_until(&own.done, 1);
	assert_int_equal(slow.done, 0);
	work_drain(&a, set, &drained);
	assert_int_equal(drained, 0);
	turn_until(&slow.done, 1);
	assert_int_equal(same.rc, -EBUSY);
	turn_until(&drained, 1);
	assert_int_equal(give_in(&slow, &again, quick, 0), -EBUSY);
	assert_int_equal(give_in(&fast, &again, quick, 0), 0);
	sem_post(&slow.gate);
	turn_until(&slow.late, 1);
	turn_until(&again.done, 1);
	assert_int_equal(give_in(&slow, &same, quick, 0), 0);
	turn_until(&same.done, 2);
}

static void an_overdue_job_is_given_up(void **unused)
{
	struct job slow = { 0 }, waits = { 0 }, refused = { 0 }, next = { .answer = 3 };

	(void)unused;
	sem_init(&slow.gate, 0, 0);
	assert_int_equal(give(&a, &slow, stuck, OVERDUE), 0);
	assert_int_equal(give(&a, &waits, quick, 0), 0);
	turn_until(&slow.done, 1);
	assert_int_equal(slow.rc, -ETIMEDOUT);
	assert_int_equal(waits.done, 1);
	assert_int_equal(waits.rc, -EBUSY);
	assert_int_equal(work_written_off(), 1);
	assert_int_equal(give(&a, &refused, quick, 0), -EBUSY);
	assert_int_equal(give(&b, &next, quick, 0), 0);	/* its thread was replaced */
	turn_until(&next.done, 1);
	assert_int_equal(slow.late, 0);
	sem_post(&slow.gate);
	turn_until(&slow.late, 1);
	assert_int_equal(slow.done, 1);
	assert_int_equal(work_written_off(), 0);
	assert_int_equal(give(&a, &next, quick, 0), 0);
	turn_until(&next.done, 2);
}

static void a_ninth_instance_waits_its_turn(void **unused)
{
	struct sat_self many[9];
	struct job jobs[9] = { 0 };

	(void)unused;
	for (int i = 0; i < 9; i++) {
		many[i] = (struct sat_self){ .name = name_a };
		sem_init(&jobs[i].gate, 0, 0);
		assert_int_equal(give(&many[i], &jobs[i], i < 8 ? stuck : quick, 0), 0);
	}
	for (int i = 0; i < 20; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(jobs[8].done, 0);
	sem_post(&jobs[3].gate);
	turn_until(&jobs[8].done, 1);
	for (int i = 0; i < 8; i++) {
		sem_post(&jobs[i].gate);
		turn_until(&jobs[i].done, 1);
	}
	for (int i = 0; i < 9; i++)
		work_forget(&many[i]);
}

static void eight_overdue_jobs_leave_room_for_more(void **unused)
{
	struct sat_self many[8];
	struct job jobs[8] = { 0 }, next = { 0 };

	(void)unused;
	for (int i = 0; i < 8; i++) {
		many[i] = (struct sat_self){ .name = name_a };
		sem_init(&jobs[i].gate, 0, 0);
		assert_int_equal(give(&many[i], &jobs[i], stuck, OVERDUE), 0);
	}
	assert_int_equal(give(&b, &next, quick, 0), 0);
	turn_until(&next.done, 1);
	for (int i = 0; i < 8; i++) {
		turn_until(&jobs[i].done, 1);
		work_forget(&many[i]);		/* destroyed, while its job still runs */
		sem_post(&jobs[i].gate);
	}
	for (int i = 0; i < 8; i++)
		turn_until(&jobs[i].late, 1);
}

static void count(void *arg)
{
	++*(int *)arg;
}

static void draining_waits_for_what_is_in_time(void **unused)
{
	struct job slow = { 0 }, second = { 0 };
	int drained = 0;

	(void)unused;
	work_drain(&a, count, &drained);
	assert_int_equal(drained, 1);
	sem_init(&slow.gate, 0, 0);
	assert_int_equal(give(&a, &slow, stuck, 0), 0);
	assert_int_equal(give(&a, &second, quick, 0), 0);
	work_drain(&a, count, &drained);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(drained, 1);
	sem_post(&slow.gate);
	turn_until(&drained, 2);
	assert_int_equal(second.done, 1);
}

static void draining_does_not_wait_for_what_is_overdue(void **unused)
{
	static struct job slow;		/* it outlives this test */
	int drained = 0;

	(void)unused;
	sem_init(&slow.gate, 0, 0);
	assert_int_equal(give(&a, &slow, stuck, OVERDUE), 0);
	work_drain(&a, count, &drained);
	turn_until(&drained, 1);
	assert_int_equal(slow.rc, -ETIMEDOUT);
	assert_int_equal(slow.late, 0);
	work_forget(&a);
	sem_post(&slow.gate);
	turn_until(&slow.late, 1);
}

static void what_is_stuck_at_the_end_is_left_behind(void **unused)
{
	static struct job slow, overdue;

	(void)unused;
	sem_init(&slow.gate, 0, 0);
	sem_init(&overdue.gate, 0, 0);
	assert_int_equal(give(&a, &slow, stuck, 0), 0);
	assert_int_equal(give(&b, &overdue, stuck, OVERDUE), 0);
	turn_until(&overdue.done, 1);
	assert_int_equal(end(NULL), 0);
	assert_int_equal(sat_post(&a, count, NULL), -ECANCELED);
	sem_post(&slow.gate);		/* they end when nothing is left of the loop */
	sem_post(&overdue.gate);
	assert_int_equal(begin(NULL), 0);
	turn_until(&overdue.late, 1);
	turn_until(&slow.late, 1);
	assert_int_equal(slow.done, 0);
}

static int order[3][1000], n_posted;
static void note(void *arg)
{
	int v = (int)(intptr_t)arg;

	order[v / 1000][v % 1000] = n_posted++;
}

static void *poster(void *arg)
{
	for (int i = 0; i < 1000; i++)
		assert_int_equal(sat_post(&a, note, (void *)((intptr_t)arg * 1000 + i)), 0);
	return NULL;
}

static void posts_come_in_order(void **unused)
{
	pthread_t threads[3];

	(void)unused;
	n_posted = 0;
	for (intptr_t i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, poster, (void *)i);
	turn_until(&n_posted, 3000);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		for (int k = 1; k < 1000; k++)
			assert_true(order[i][k] > order[i][k - 1]);
	}
}

static void posts_of_who_is_gone_are_dropped(void **unused)
{
	int of_a = 0, of_b = 0;

	(void)unused;
	assert_int_equal(sat_post(&a, count, &of_a), 0);
	assert_int_equal(sat_post(&b, count, &of_b), 0);
	work_forget(&a);
	turn_until(&of_b, 1);
	assert_int_equal(of_a, 0);
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0, rc, posted = 0, expected = 0;
	struct job j = { 0 };
	int given = 0;

	(void)unused;
	do {
		assert_int_equal(end(NULL), 0);		/* threads and all are made anew */
		assert_int_equal(begin(NULL), 0);
		fault_arm(++nth);
		rc = give(&a, &j, quick, 0);
		if (rc == 0)
			given++;
		else
			assert_true(fault_fired());
		if (sat_post(&a, count, &posted) == 0)
			expected++;
		turn_until(&j.done, given);
		turn_until(&posted, expected);
	} while (fault_fired());
	fault_arm(0);
	assert_true(nth > 4);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(jobs_of_one_instance_run_in_order, begin, end),
		cmocka_unit_test_setup_teardown(a_blocked_instance_does_not_hold_another, begin, end),
		cmocka_unit_test_setup_teardown(a_blocked_lane_does_not_hold_another, begin, end),
		cmocka_unit_test_setup_teardown(an_overdue_job_is_given_up, begin, end),
		cmocka_unit_test_setup_teardown(a_ninth_instance_waits_its_turn, begin, end),
		cmocka_unit_test_setup_teardown(eight_overdue_jobs_leave_room_for_more, begin, end),
		cmocka_unit_test_setup_teardown(draining_waits_for_what_is_in_time, begin, end),
		cmocka_unit_test_setup_teardown(draining_does_not_wait_for_what_is_overdue, begin, end),
		cmocka_unit_test_setup_teardown(what_is_stuck_at_the_end_is_left_behind, begin, end),
		cmocka_unit_test_setup_teardown(posts_come_in_order, begin, end),
		cmocka_unit_test_setup_teardown(posts_of_who_is_gone_are_dropped, begin, end),
		cmocka_unit_test_setup_teardown(every_failure_is_survived, begin, end),
	};

	log_open("/dev/null", LOG_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
