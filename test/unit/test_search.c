/* SPDX-License-Identifier: Apache-2.0 */
/* test_search - what is searched in slices: once each, in order, whatever the index does meanwhile. */
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
#include "query.h"
#include "search.h"
#include "unit/fault.h"

static struct index_conf conf = { .ttl = 60, .reap = 10 * SAT_SECOND, .max = 100000 };

struct answer { unsigned n, steady, ended; int rc, stop_at; char last[64]; struct search *later; };

static int begin(void **unused)
{
	(void)unused;
	clock_virtual(1000 * SAT_SECOND);
	index_init(&conf);
	search_budget(0);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	fault_arm(0);
	search_free();
	search_budget(5 * SAT_MS);
	index_free();
	events_settle();
	clock_live();
	return 0;
}

static int put(const char *kind, unsigned i, const char *state)
{
	char host[64];
	struct sat_event ev = { .size = sizeof(ev), .host = host, .service = "s", .state = state,
				.time = clock_wall(), .has = SAT_HAS_TIME };

	snprintf(host, sizeof(host), "%s%06u", kind, i);
	return index_put(&ev);
}

static void fill(const char *kind, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(put(kind, i, "ok"), 0);
}

static int found(void *arg, const struct sat_event *ev)
{
	struct answer *a = arg;

	assert_true(strcmp(ev->host, a->last) > 0);
	snprintf(a->last, sizeof(a->last), "%s", ev->host);
	a->steady += ev->host[0] == 'h';
	a->n++;
	return a->stop_at != 0 && a->n == (unsigned)a->stop_at ? -EMSGSIZE : 0;
}

static void done(void *arg, int rc)
{
	struct answer *a = arg;

	assert_null(a->later);
	a->ended++;
	a->rc = rc;
}

static const struct search_calls calls = { found, done };

static int ask(struct answer *a, const char *text)
{
	char error[100];
	struct sat_query *q = sat_query_parse(text, error, sizeof(error));

	return q != NULL ? search_start(q, &calls, a, &a->later) : -ENOMEM;
}

static void an_answer_takes_many_turns_and_is_whole(void **unused)
{
	struct answer a = { 0 };
	unsigned turns = 0;

	(void)unused;
	fill("h", 5000);
	assert_int_equal(ask(&a, "true"), 0);
	assert_non_null(a.later);
	while (search_turn())
		turns++;
	assert_true(turns > 50);
	assert_int_equal(a.n, 5000);
	assert_int_equal(a.ended, 1);
	assert_int_equal(a.rc, 0);
}

/* Entries come, go and change, and the table grows: what stays is found once. */
static void what_stays_is_found_once(void **unused)
{
	struct answer a = { 0 };
	unsigned n = 0;

	(void)unused;
	fill("h", 3000);
	fill("gone", 3000);
	assert_int_equal(ask(&a, "state = 'ok'"), 0);
	while (search_turn()) {
		for (unsigned i = 0; i < 200; i++, n++) {
			assert_int_equal(put("new", n, "ok"), 0);
			assert_int_equal(put("h", n % 3000, "ok"), 0);
			if (n < 3000)
				assert_int_equal(put("gone", n, "expired"), 0);
		}
	}
	assert_true(n > 10000);
	assert_int_equal(a.steady, 3000);
	assert_int_equal(a.ended, 1);
}

static void few_do_not_wait_behind_many(void **unused)
{
	struct answer all = { 0 }, one = { 0 }, none = { 0 };

	(void)unused;
	fill("h", 5000);
	assert_int_equal(ask(&all, "true"), 0);
	assert_int_equal(ask(&one, "host = 'h000017'"), 0);
	assert_int_equal(ask(&none, "host = 'nobody'"), 0);
	for (int i = 0; i < 10; i++)
		search_turn();
	assert_int_equal(one.ended, 1);
	assert_int_equal(one.n, 1);
	assert_int_equal(none.ended, 1);
	assert_int_equal(all.ended, 0);
	assert_int_equal(search_waiting(), 1);
	search_stop(all.later);
	assert_null(all.later);
	assert_false(search_turn());
	assert_int_equal(all.ended, 0);
}

static void what_is_enough_ends_it(void **unused)
{
	struct answer a = { .stop_at = 10 };

	(void)unused;
	fill("h", 2000);
	assert_int_equal(ask(&a, "true"), 0);
	while (search_turn())
		;
	assert_int_equal(a.n, 10);
	assert_int_equal(a.rc, -EMSGSIZE);
}

static void every_failure_is_said(void **unused)
{
	int rc = 0, n = 1;

	(void)unused;
	fill("h", 2000);
	do {
		struct answer a = { 0 };

		fault_arm(n++);
		rc = ask(&a, "true");
		while (rc == 0 && search_turn())
			;
		fault_arm(0);
		if (rc == 0) {
			assert_int_equal(a.ended, 1);
			rc = a.rc;
		}
		assert_int_equal(search_waiting(), 0);
		assert_true(rc == -ENOMEM || (rc == 0 && a.n == 2000));
	} while (rc != 0);
	assert_true(n > 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(an_answer_takes_many_turns_and_is_whole),
		TEST(what_stays_is_found_once),
		TEST(few_do_not_wait_behind_many),
		TEST(what_is_enough_ends_it),
		TEST(every_failure_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
