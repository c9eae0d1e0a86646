/* SPDX-License-Identifier: Apache-2.0 */
/* test_blackhole - the classic rule at its edges: hosts apart, resets, missing, late and repeated totals, saved states. */
#include "unit/flow.h"

#define STREAMS \
	"streams = ( { blackhole = \"classic\"; window = 600; longer = 200; id = \"b\"; do = {" \
	" where = \"state = 'critical'\"; do = { tap = \"bad\"; }; else = { tap = \"good\"; }; }; } );"
#define BAD(host)	"bad:" host "/task blackhole detected/critical "
#define GOOD(host)	"good:" host "/task blackhole detected/ok "

static int begin(void **unused)
{
	(void)unused;
	flow_begin(1000);
	flow_swap(STREAMS);
	return 0;
}

static void total_at(const char *host, const char *name, int64_t n, double at)
{
	char service[100];
	struct event ev;

	snprintf(service, sizeof(service), "mesos/slave/total-tasks-%s", name);
	ev = flow_event(host, service, "ok", 300);
	ev.pub.time = (int64_t)(at * 1e6);
	ev.pub.metric.i = n;
	ev.pub.has |= SAT_HAS_INT;
	engine_input(&ev);
}

static void totals(const char *host, double at, int64_t failed, int64_t started, int64_t finished)
{
	flow_at(at);
	total_at(host, "failed", failed, at);
	total_at(host, "started", started, at);
	total_at(host, "finished", finished, at);
}

static void a_host_is_judged_once_a_round_and_by_itself(void **unused)
{
	(void)unused;
	for (int i = 0; i < 4; i++) {
		totals("bad", 1000 + 100 * i, 9 * i, 10 * i, i);
		totals("good", 1000 + 100 * i, 0, 10 * i, 10 * i);
	}
	flow_was(BAD("bad") GOOD("good"));
	/* The same again, and what is late, say nothing new. */
	totals("bad", 1300, 27, 30, 3);
	total_at("bad", "failed", 0, 1250);
	flow_was("");
}

static void limits_are_passed_not_met(void **unused)
{
	(void)unused;
	totals("a", 1000, 0, 0, 0);
	totals("a", 1201, 75, 100, 10);		/* 0.75 */
	flow_was(GOOD("a"));
	totals("a", 1202, 30, 31, 10);		/* began anew: 105 of 131, for 20 */
	flow_was(BAD("a"));
	totals("b", 1202, 0, 0, 0);
	totals("b", 1403, 9, 10, 3);		/* 3.0 */
	flow_was(GOOD("b"));
	totals("c", 1403, 5, 5, 5);
	totals("c", 1604, 6, 6, 5);		/* nothing finished at all */
	flow_was(BAD("c"));
	totals("d", 1604, 5, 5, 5);
	totals("d", 1805, 5, 5, 5);
	flow_was(GOOD("d"));
}

static void a_total_that_begins_anew_is_counted_on(void **unused)
{
	(void)unused;
	totals("a", 1000, 100, 1000, 900);
	totals("a", 1100, 100, 1010, 910);
	totals("a", 1150, 0, 0, 0);
	totals("a", 1201, 1, 2, 1);		/* 1 of 12 */
	flow_was(GOOD("a"));
}

static void without_all_totals_there_is_no_verdict(void **unused)
{
	(void)unused;
	for (int i = 0; i < 5; i++) {
		flow_at(1000 + 100 * i);
		total_at("a", "failed", 9 * i, 1000 + 100 * i);
		total_at("a", "started", 10 * i, 1000 + 100 * i);
		flow_push("a", "mesos/slave/total-tasks-finished", "ok", 300);	/* without a metric */
		flow_push("a", "mesos/slave/load", "ok", 300);
		flow_push("a", "total-tasks-other", "ok", 300);
	}
	flow_was("");
	/* One that falls silent, and comes back, is seen from there on. */
	totals("b", 1500, 0, 0, 0);
	flow_push("b", "mesos/slave/total-tasks-failed", "expired", 0);
	totals("b", 1701, 90, 100, 10);
	flow_was("");
	totals("b", 1902, 180, 200, 20);
	flow_was(BAD("b"));
	/* A clock that is an hour ahead does not empty the window. */
	total_at("b", "failed", 190, 9000);
	totals("b", 1903, 181, 201, 20);
	flow_was(BAD("b"));
}

static void the_window_slides(void **unused)
{
	(void)unused;
	totals("a", 1000, 0, 0, 0);
	totals("a", 1300, 300, 300, 0);
	flow_was(BAD("a"));
	totals("a", 1599, 300, 600, 300);
	flow_was(GOOD("a"));
	totals("a", 1901, 300, 900, 600);	/* of 1599 and 1901 alone */
	flow_was(GOOD("a"));
	/* Many samples are thinned out, and lose nothing of the sum. */
	for (int i = 1; i <= 5000; i++)
		totals("a", 1901 + i / 10.0, 300 + i, 900 + i, 600);
	flow_seen[0] = '\0';
	totals("a", 2402, 5301, 5901, 600);
	flow_was(BAD("a"));
}

static void lists_are_judged_as_they_are(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { project = ( \"service = 'f'\", \"service = 's'\", \"service = 'e'\" ); do = { blackhole = \"classic\";"
		  " fails-to-starts = 0.5; do = { where = \"failed = '6' and started = '10.5'\"; do = { tap = \"both\"; }; else = { tap = \"part\"; }; }; }; } );");
	for (int i = 0; i < 3; i++) {
		struct event ev = flow_event("a", i == 0 ? "f" : i == 1 ? "s" : "e", "ok", 300);

		ev.pub.has |= i == 1 ? SAT_HAS_DOUBLE : SAT_HAS_INT;
		ev.pub.metric.i = i == 0 ? 6 : 1;
		if (i == 1)
			ev.pub.metric.d = 10.5;
		engine_input(&ev);
	}
	flow_was("part:a/task blackhole detected/ok both:a/task blackhole detected/ok both:a/task blackhole detected/critical ");
}

static void what_could_never_fire_is_refused(void **unused)
{
	(void)unused;
	assert_null(flow_build("streams = ( { blackhole = \"classic\"; window = 300; longer = 600; } );"));
	assert_null(flow_build("streams = ( { blackhole = \"modern\"; } );"));
	assert_null(flow_build("streams = ( { blackhole = \"classic\"; min-tasks = 5; } );"));
	assert_null(flow_build("streams = ( { blackhole = \"attributed\"; longer = 5; } );"));
	flow_swap("streams = ( \"blackhole\" );");
	flow_swap(STREAMS);
}

/* ---- Forks, saved states, faults ---------------------------------------- */


static void forks_end_with_their_windows(void **unused)
{
	(void)unused;
	totals("a", 1000, 0, 0, 0);
	assert_int_equal(streams_forks(engine_streams()), 2);
	flow_at(1400);
	streams_sweep(engine_streams());
	assert_int_equal(streams_forks(engine_streams()), 2);
	flow_at(1700);
	for (int i = 0; i < 10; i++)
		streams_sweep(engine_streams());
	assert_int_equal(streams_forks(engine_streams()), 1);
}

static void windows_come_back(void **unused)
{
	(void)unused;
	totals("a", 1000, 0, 0, 0);
	totals("a", 1100, 90, 100, 10);
	flow_forget(0);
	assert_int_equal(streams_save(engine_streams(), flow_keep, NULL), 0);
	assert_int_equal(flow_saved.n, 2);		/* the operator's own, which is empty, and the fork's */
	flow_over();
	for (size_t cut = 1; cut < flow_saved.len[1]; cut += 5) {
		flow_begin(1200);
		flow_swap(STREAMS);
		assert_int_not_equal(streams_load(engine_streams(), flow_saved.text[1], flow_saved.len[1] - cut), 0);
		flow_over();
	}
	flow_begin(1200);
	flow_swap(STREAMS);
	for (int i = 0; i < 2; i++)
		assert_int_equal(streams_load(engine_streams(), flow_saved.text[i], flow_saved.len[i]), 0);
	totals("a", 1201, 90, 100, 10);
	flow_was(BAD("a"));
}

static void every_failing_call_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		fault_arm(++nth);
		flow_end(engine_swap(flow_build(STREAMS)));
		for (int i = 0; i < 30; i++)
			totals("a", 10000.0 * nth + 10 * i, 9 * i, 10 * i, i);
		flow_forget(0);
		if (engine_streams() != NULL)
			streams_save(engine_streams(), flow_keep, NULL);
		fired = fault_fired();
		fault_arm(0);
		flow_seen[0] = '\0';
		flow_swap("streams = ( );");
	} while (fired);
	assert_true(nth > 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, flow_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_host_is_judged_once_a_round_and_by_itself),
		TEST(limits_are_passed_not_met),
		TEST(a_total_that_begins_anew_is_counted_on),
		TEST(without_all_totals_there_is_no_verdict),
		TEST(the_window_slides),
		TEST(lists_are_judged_as_they_are),
		TEST(what_could_never_fire_is_refused),
		TEST(forks_end_with_their_windows),
		TEST(windows_come_back),
		TEST(every_failing_call_is_survived),
	};

	log_open("/dev/null", LOG_DEBUG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
