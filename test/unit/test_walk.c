/* SPDX-License-Identifier: Apache-2.0 */
/* test_walk - the index walked in slices while it changes: each entry once, at the pace of whoever asked. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "clock.h"
#include "index.h"
#include "walk.h"
#include "unit/fault.h"

enum { MOST = 8000 };

static struct index_conf conf = { .ttl = 60, .reap = 10 * SAT_SECOND, .max = 100000 };
static unsigned random_state;

/* Whoever follows the index: what it saw of each host, by walking or by hearing. */
struct reader {
	struct sat_walk *walk;
	struct sat_query *query;
	unsigned n, ended, refuse;	/* refuse: every so many matches, once; 0: never */
	int rc;
	bool waits;
	int64_t seen[MOST];		/* the latest metric; 0: none */
	unsigned met[MOST];		/* times that the walk met it */
};

static struct reader one, two;
static int64_t now[MOST];		/* the metric that each has; 0: it is not there */

static int begin(void **unused)
{
	(void)unused;
	clock_virtual(1000 * SAT_SECOND);
	index_init(&conf);
	walk_budget(0);
	random_state = 1;
	memset(now, 0, sizeof(now));
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	fault_arm(0);
	walk_free();
	walk_budget(5 * SAT_MS);
	for (int i = 0; i < 2; i++)
		sat_query_free((i == 0 ? &one : &two)->query);
	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	index_free();
	events_settle();
	clock_live();
	return 0;
}

static unsigned any(unsigned n)
{
	random_state = random_state * 1103515245 + 12345;
	return random_state / 65536 % n;
}

static unsigned number_of(const struct sat_event *ev)
{
	return (unsigned)atoi(ev->host + 1);
}

static int found(void *arg, const struct sat_event *ev)
{
	struct reader *r = arg;
	unsigned i = number_of(ev);

	if (r->refuse != 0 && r->n % r->refuse == 0 && !r->waits) {
		r->waits = true;
		return -EAGAIN;
	}
	r->waits = false;
	r->n++;
	r->met[i]++;
	assert_true(r->seen[i] < ev->metric.i);		/* never again, never back */
	r->seen[i] = ev->metric.i;
	return 0;
}

static void done(void *arg, int rc)
{
	struct reader *r = arg;

	r->walk = NULL;
	r->ended++;
	r->rc = rc;
}

static const struct sat_walk_calls calls = { .size = sizeof(calls), .found = found, .done = done };

static void start(struct reader *r, const char *text, bool heard)
{
	char error[100];

	r->query = sat_query_parse(text, error, sizeof(error));
	assert_non_null(r->query);
	r->walk = sat_index_walk(r->query, heard, &calls, r);
	assert_non_null(r->walk);
}

static void hear(struct reader *r, unsigned i)
{
	if (r->query == NULL)
		return;
	assert_true(r->seen[i] < now[i]);
	r->seen[i] = now[i];
}

static void put(unsigned i)
{
	static int64_t metric;
	char host[16];
	struct sat_event ev = { .size = sizeof(ev), .host = host, .service = "s", .state = "ok",
				.time = clock_wall(), .has = SAT_HAS_TIME | SAT_HAS_INT };

	snprintf(host, sizeof(host), "h%u", i);
	ev.metric.i = now[i] = ++metric;
	assert_int_equal(index_put(&ev), 0);
}

static void take_away(unsigned i)
{
	char host[16];

	snprintf(host, sizeof(host), "h%u", i);
	index_delete(host, "s");
	now[i] = 0;
}

static void fill(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		put(i);
}

static void it_takes_turns_and_meets_each_once(void **unused)
{
	unsigned turns = 0;

	(void)unused;
	fill(5000);
	start(&one, "true", false);
	start(&two, "metric > 4000", true);
	assert_int_equal(one.n, 0);		/* nothing from inside */
	while (walk_turn())
		turns++;
	assert_true(turns > 70);
	assert_int_equal(one.n, 5000);
	assert_int_equal(two.n, 1000);
	assert_true(one.ended == 1 && one.rc == 0 && two.ended == 1);
}

/* Who also hears what changes sees each state of each entry once, whatever happens, and how slow he is. */
static void who_hears_too_sees_each_once(void **unused)
{
	(void)unused;
	fill(6000);
	one.refuse = 100;
	start(&one, "true", true);
	for (unsigned turn = 0; one.walk != NULL; turn++) {
		walk_turn();
		if (turn == 3)
			start(&two, "true", true);
		for (unsigned k = 0; k < 100; k++) {
			unsigned i = any(MOST);

			if (any(4) == 0) {
				take_away(i);
				continue;
			}
			put(i);
			hear(&one, i);
			hear(&two, i);
		}
		if (one.waits && any(3) == 0)
			sat_walk_go_on(one.walk);
	}
	while (walk_turn())
		;
	assert_true(one.ended == 1 && one.rc == 0 && two.ended == 1 && two.rc == 0);
	assert_true(one.n > 100 && two.n > 100);
	for (unsigned i = 0; i < MOST; i++) {
		assert_true(one.met[i] <= 1 && two.met[i] <= 1);
		if (now[i] != 0)
			assert_true(one.seen[i] == now[i] && two.seen[i] == now[i]);
	}
}

/* Who does not hear meets what stays once, as it is; what goes and comes again not twice. */
static void what_stays_is_met_once(void **unused)
{
	(void)unused;
	fill(6000);
	start(&one, "true", false);
	do {
		for (unsigned k = 0; k < 100; k++) {
			unsigned i = any(MOST);

			if (i % 2 == 0 && any(2) == 0)
				take_away(i);
			else
				put(i);
		}
	} while (walk_turn());
	assert_int_equal(one.ended, 1);
	for (unsigned i = 0; i < MOST; i++)
		assert_true(i % 2 == 1 && i < 6000 ? one.met[i] == 1 : one.met[i] <= 1);
	assert_int_equal(one.met[6001], 0);
}

static void few_are_gathered_at_the_beginning(void **unused)
{
	(void)unused;
	fill(5000);
	start(&one, "host = 'h7'", true);
	start(&two, "host = 'nobody'", false);
	assert_false(walk_turn() && walk_turn() && walk_turn());
	assert_true(one.n == 1 && one.ended == 1 && two.n == 0 && two.ended == 1);
	sat_query_free(one.query);
	one = (struct reader){ 0 };
	/* Its number is another's when its turn comes. */
	start(&one, "host = 'h8'", true);
	take_away(8);
	put(5001);
	walk_turn();
	assert_true(one.n == 0 && one.ended == 1);
}

static void one_that_waits_holds_up_nobody(void **unused)
{
	(void)unused;
	fill(3000);
	one.refuse = 1;
	start(&one, "true", false);
	start(&two, "true", false);
	while (walk_turn())
		;
	assert_true(one.waits && one.n == 0 && two.n == 3000);
	sat_walk_go_on(one.walk);
	while (walk_turn())
		;
	assert_true(one.waits && one.n == 1);
	sat_walk_stop(one.walk);
	assert_false(walk_turn());
	assert_int_equal(one.ended, 0);
	one.walk = sat_index_walk(one.query, false, &calls, &one);
	walk_free();
	assert_true(one.ended == 1 && one.rc == -ECANCELED);
}

static void every_failure_is_said(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	fill(3000);
	start(&one, "host = 'h1'", true);
	sat_walk_stop(one.walk);
	do {
		fault_arm(++nth);
		one.walk = sat_index_walk(one.query, true, &calls, &one);
		fired = fault_fired();
		fault_arm(0);
		assert_int_equal(one.walk == NULL, fired);
		sat_walk_stop(one.walk);
	} while (fired);
	assert_int_equal(nth, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(it_takes_turns_and_meets_each_once),
		TEST(who_hears_too_sees_each_once),
		TEST(what_stays_is_met_once),
		TEST(few_are_gathered_at_the_beginning),
		TEST(one_that_waits_holds_up_nobody),
		TEST(every_failure_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
