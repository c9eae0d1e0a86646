/* SPDX-License-Identifier: Apache-2.0 */
/* test_window - what the vectors do not show of windows: maxima, late events, hostile times, saved states. */
#include "stream.h"
#include "unit/flow.h"

static int64_t dropped(void) { return flow_counters[3][1]; }
static int64_t gaps_cut(void) { return flow_counters[3][2]; }

/* An event of this time, in microseconds; its state says which. */
static void push_at(const char *state, int64_t time)
{
	struct event ev = flow_event("h", "s", state, 60);

	ev.pub.time = time;
	engine_input(&ev);
}

static void push_timeless(const char *state)
{
	struct event ev = flow_event("h", "s", state, 0);

	ev.pub.has = 0;
	streams_push(engine_streams(), &ev);
}

/* ---- Time --------------------------------------------------------------- */

static void a_moving_window_is_what_a_filter_of_all_would_leave(void **unused)
{
	static int64_t times[2000];
	char want[65536], name[16], *p;
	int64_t cutoff = 0, newest = 1000;
	int n = 0;

	(void)unused;
	srand(7);
	flow_swap("streams = ( { moving-time-window = 10; do = { tap = \"w\"; }; } );");
	for (int i = 0; i < 2000; i++) {
		newest += rand() % 4 == 0 ? rand() % 5 : 0;
		times[i] = newest - (rand() % 3 == 0 ? rand() % 13 : 0);
		sprintf(name, "%d", i);
		push_at(name, times[i] * SAT_SECOND);
		if (times[i] - 10 > cutoff)
			cutoff = times[i] - 10;
		p = want + sprintf(want, "w:[");
		n = 0;
		for (int k = 0; times[i] > cutoff && k <= i; k++) {
			if (times[k] > cutoff)
				p += sprintf(p, "%sh/s/%d", n++ != 0 ? "," : "", k);
		}
		sprintf(p, "] ");
		flow_was(times[i] > cutoff ? want : "");
		if (times[i] <= cutoff)
			times[i] = -1;		/* it was dropped when it came */
	}
}

static void a_long_window_costs_an_event_no_more_than_a_short_one(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { moving-time-window = 1000; max = 1000000; do = \"held\"; },"
		  " { moving-event-window = 100000; do = \"held\"; } );");
	for (int i = 1; i <= 300000; i++)	/* looking at all of it each time would take minutes */
		push_at("x", i * INT64_C(10000) + 1000 * SAT_SECOND);
	assert_int_equal(dropped(), 0);
}

static void windows_have_a_maximum(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { moving-time-window = 1000; max = 2; do = { tap = \"m\"; }; },"
		  " { fixed-time-window = 10; max = 2; do = { tap = \"f\"; }; },"
		  " { rollup = 0; dt = 7; max = 2; do = { tap = \"r\"; }; } );");
	push_at("1", 1000 * SAT_SECOND);
	push_at("2", 1001 * SAT_SECOND);
	push_at("3", 1002 * SAT_SECOND);
	flow_was("m:[h/s/1] m:[h/s/1,h/s/2] m:[h/s/2,h/s/3] ");
	push_at("4", 1010 * SAT_SECOND);
	flow_was("m:[h/s/3,h/s/4] f:[h/s/2,h/s/3] ");
	flow_at(1007);
	flow_was("r:[h/s/3,h/s/4] ");
	assert_int_equal(dropped(), 2 + 1 + 2);
}

static void windows_of_a_clock_begin_at_its_multiples(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { fixed-offset-time-window = 60; do = { tap = \"o\"; }; } );");
	push_timeless("lost");		/* before there is a window, as in Riemann */
	push_at("1", -61 * SAT_SECOND);
	push_at("2", -60 * SAT_SECOND - 1);
	push_at("late", -121 * SAT_SECOND);
	push_timeless("3");
	push_at("4", -60 * SAT_SECOND);
	flow_was("o:[h/s/1,h/s/2,h/s/3] ");
	push_at("5", 119 * SAT_SECOND);
	flow_was("o:[h/s/4] o:[] ");
	push_at("6", 120 * SAT_SECOND);
	flow_was("o:[h/s/5] ");
}

static void a_time_far_ahead_does_not_hold_up_all_else(void **unused)
{
	static const char *const ops[] = { "moving-time-window", "fixed-time-window", "fixed-offset-time-window" };
	static const int64_t times[] = { 0, INT64_MIN, INT64_MAX, INT64_MIN, 1, INT64_MAX, INT64_MIN + 1 };
	char text[128];

	(void)unused;
	for (int k = 0; k < 3; k++) {
		sprintf(text, "streams = ( { %s = 0.000001; do = \"held\"; } );", ops[k]);
		flow_swap(text);
		for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
			push_at("x", times[i]);
	}
	assert_int_equal(gaps_cut(), 2);
	flow_swap("streams = ( { fixed-time-window = 1; do = { tap = \"f\"; }; } );");
	push_at("1", 0);
	flow_counters[3][2] = 0;
	push_at("2", 10002 * SAT_SECOND);
	assert_int_equal(strlen(flow_seen), strlen("f:[h/s/1] ") + 10000 * strlen("f:[] "));
	assert_int_equal(gaps_cut(), 1);
	flow_seen[0] = '\0';
}

/* ---- Keys and predicates ------------------------------------------------ */

static void a_list_stands_in_no_list(void **unused)
{
	static const char *const ops[] = {
		"moving-event-window = 2", "fixed-event-window = 2", "moving-time-window = 2", "batch = 2",
		"fixed-time-window = 2", "fixed-offset-time-window = 2", "rollup = 2",
		"coalesce-with-event = \"host\"", "project = ( \"host = nil\" )",
	};
	char text[256];

	(void)unused;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		sprintf(text, "streams = ( { catch = ( { fixed-event-window = 1; do = { %s; do = { tap = \"t\"; }; }; } );"
			" else = { tap = \"e\"; }; } );", ops[i]);
		flow_swap(text);
		flow_push("h", "s", "ok", 60);
		flow_was("e:h/satellite exception/error ");
	}
}

static void coalesce_with_event_has_the_event_in_front(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { coalesce-with-event = \"host metric\"; max = 3; do = { tap = \"c\"; }; } );");
	flow_push("a", "s", "1", 5);
	flow_push("b", "s", "2", 60);
	flow_push("a", "t", "3", 60);
	flow_was("c:[a/s/1] c:[b/s/2,a/s/1] c:[a/t/3,b/s/2] ");
	flow_push("c", "s", "4", 1);
	flow_push("d", "s", "5", 60);
	flow_was("c:[c/s/4,a/t/3,b/s/2] c:[d/s/5,a/t/3,b/s/2,c/s/4] ");	/* d is not remembered */
	assert_int_equal(flow_counters[3][0], 1);
	flow_at(1010);
	flow_push("b", "s", "expired", 60);
	flow_was("c:[b/s/expired,c/s/4,a/t/3] ");
	flow_push("a", "s", "6", 60);
	flow_was("c:[a/s/6] ");
}

static void a_place_says_once_that_it_is_expired(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { project = ( \"service = 'a'\", \"service = 'b'\", \"host = 'h'\" );"
		  " do = { tap = \"p\"; }; } );");
	flow_push("h", "a", "1", 5);
	flow_was("p:[h/a/1,-/-/-,h/a/1] ");
	flow_push("i", "c", "2", 5);
	flow_was("");
	flow_at(1006);
	flow_push("i", "b", "3", 5);
	flow_was("p:[h/a/expired,i/b/3,h/a/expired] ");
	flow_push("i", "b", "expired", 5);
	flow_was("p:[-/-/-,i/b/expired,-/-/-] ");
	flow_push("h", "c", "4", 5);
	flow_was("p:[-/-/-,-/-/-,h/c/4] ");
}

static void mistakes_are_refused(void **unused)
{
	static const char *const texts[] = {
		"{ project = ( \"host = \" ); do = \"held\"; }", "{ project = ( ); do = \"held\"; }",
		"{ coalesce-with-event = \" \"; do = \"held\"; }",
		"{ coalesce-with-event = \"a b c d e f g h i\"; do = \"held\"; }",
		"{ batch = 0; do = \"held\"; }", "{ moving-event-window = 1000001; do = \"held\"; }",
		"{ moving-time-window = 0; do = \"held\"; }", "{ fixed-time-window = 5; max = 0; do = \"held\"; }",
	};
	char text[256];

	(void)unused;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		sprintf(text, "streams = ( %s );", texts[i]);
		assert_null(flow_build(text));
	}
}

/* ---- Forks, faults, saved states ---------------------------------------- */

#define ALL \
	"{ moving-event-window = 3; do = { tap = \"me\"; }; }, { fixed-event-window = 3; do = { tap = \"fe\"; }; }," \
	"{ moving-time-window = 5; do = { tap = \"mt\"; }; }, { fixed-time-window = 5; do = { tap = \"ft\"; }; }," \
	"{ fixed-offset-time-window = 5; do = { tap = \"fo\"; }; }, { batch = 3; dt = 10; do = { tap = \"b\"; }; }," \
	"{ rollup = 1; dt = 10; do = { tap = \"r\"; }; }, { coalesce-with-event = \"host\"; do = { tap = \"c\"; }; }," \
	"{ project = ( \"state = '1'\", \"state = '2'\" ); do = { tap = \"p\"; }; }"

static void forks_end_where_nothing_is_waited_for(void **unused)
{
	static const char *const ops[] = {
		"fixed-event-window = 1", "moving-time-window = 5", "batch = 9; dt = 5", "rollup = 1; dt = 5",
	};
	char text[256];

	(void)unused;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		sprintf(text, "streams = ( { by = \"host\"; do = { %s; do = \"tap\"; }; } );", ops[i]);
		flow_swap(text);
		flow_push("a", "s", "ok", 10);
		flow_at(1009 + 1000 * (double)i);
		streams_sweep(engine_streams());
		assert_int_equal(streams_forks(engine_streams()), 2);
		flow_at(1100 + 1000 * (double)i);
		streams_sweep(engine_streams());
		assert_int_equal(streams_forks(engine_streams()), 1);
		flow_at(2000 + 1000 * (double)i);
	}
	flow_seen[0] = '\0';
}

/* As in Riemann: so a copy that coalesces is as good as new only while it holds none. */
static void what_expired_last_is_told_with_the_next_however_late(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { by = \"service\"; do = { coalesce = 1; do = { tap = \"l\"; }; }; } );");
	flow_push("a", "s", "ok", 10);
	flow_at(2100);
	streams_sweep(engine_streams());
	assert_int_equal(streams_forks(engine_streams()), 2);
	flow_seen[0] = '\0';
	flow_push("b", "s", "ok", 10);
	flow_at(2100.5);
	flow_was("l:[a/s/ok,b/s/ok] ");
}

static void every_failure_of_a_push_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		struct streams *s;

		flow_swap("streams = ( { by = \"service\"; do = ( " ALL " ); } );");
		fault_arm(++nth);
		for (int i = 0; i < 6; i++) {
			push_at(i % 2 == 0 ? "1" : "2", (1000 + i * 3) * SAT_SECOND);
			flow_at(1000 + nth * 30 + i * 3);
		}
		s = flow_build("streams = ( " ALL " );");
		fired = fault_fired();
		fault_arm(0);
		flow_push("h", "s", "1", 60);
		flow_at(1000 + nth * 30 + 29);
		flow_end(s);
		flow_seen[0] = '\0';
	} while (fired);
	assert_true(nth > 50);
}


static void fill(void)
{
	flow_swap("streams = ( " ALL " );");
	push_at("1", 1000 * SAT_SECOND);
	push_at("2", 1004 * SAT_SECOND);
	flow_at(1004);
	flow_forget(0);
	assert_int_equal(streams_save(engine_streams(), flow_keep, NULL), 0);
	flow_seen[0] = '\0';
	flow_over();
	flow_begin(5000);
	flow_swap("streams = ( " ALL " );");
}

static void states_come_back(void **unused)
{
	(void)unused;
	fill();
	assert_int_equal(flow_saved.n, 9);
	for (size_t i = 0; i < flow_saved.n; i++)
		assert_int_equal(streams_load(engine_streams(), flow_saved.text[i], flow_saved.len[i]), 0);
	push_at("3", 1006 * SAT_SECOND);
	flow_was("me:[h/s/1,h/s/2,h/s/3] fe:[h/s/1,h/s/2,h/s/3] mt:[h/s/2,h/s/3] ft:[h/s/1,h/s/2] fo:[h/s/1,h/s/2] "
		 "b:[h/s/1,h/s/2,h/s/3] c:[h/s/3] ");
	flow_at(5005.9);
	flow_was("");
	flow_at(5006);			/* 6 s of the window were left */
	flow_was("r:[h/s/2,h/s/3] ");
	push_at("2", 5006 * SAT_SECOND);
	assert_non_null(strstr(flow_seen, "p:[h/s/1,h/s/2] "));
	flow_seen[0] = '\0';
}

static void what_is_refused_begins_anew(void **unused)
{
	(void)unused;
	for (size_t cut = 1; cut < 140; cut++) {
		fill();
		for (size_t i = 0; i < flow_saved.n; i++)
			assert_int_not_equal(streams_load(engine_streams(), flow_saved.text[i],
							  flow_saved.len[i] > cut ? flow_saved.len[i] - cut : 0), 0);
		push_at("1", 1000 * SAT_SECOND);
		assert_non_null(strstr(flow_seen, "me:[h/s/1] mt:[h/s/1] r:[h/s/1] c:[h/s/1] "));
		flow_over();
		flow_begin(1000);
	}
}

static void every_failure_of_saving_and_loading_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		fill();
		fault_arm(++nth);
		for (size_t i = 0; i < flow_saved.n; i++)
			streams_load(engine_streams(), flow_saved.text[i], flow_saved.len[i]);
		flow_forget(0);
		streams_save(engine_streams(), flow_keep, NULL);
		fired = fault_fired();
		fault_arm(0);
		flow_push("h", "s", "1", 60);
		flow_over();
		flow_begin(1000);
	} while (fired);
	assert_true(nth > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW_TEST(a_moving_window_is_what_a_filter_of_all_would_leave),
		FLOW_TEST(a_long_window_costs_an_event_no_more_than_a_short_one),
		FLOW_TEST(windows_have_a_maximum),
		FLOW_TEST(windows_of_a_clock_begin_at_its_multiples),
		FLOW_TEST(a_time_far_ahead_does_not_hold_up_all_else),
		FLOW_TEST(a_list_stands_in_no_list),
		FLOW_TEST(coalesce_with_event_has_the_event_in_front),
		FLOW_TEST(a_place_says_once_that_it_is_expired),
		FLOW_TEST(mistakes_are_refused),
		FLOW_TEST(forks_end_where_nothing_is_waited_for),
		FLOW_TEST(what_expired_last_is_told_with_the_next_however_late),
		FLOW_TEST(every_failure_of_a_push_is_survived),
		FLOW_TEST(states_come_back),
		FLOW_TEST(what_is_refused_begins_anew),
		FLOW_TEST(every_failure_of_saving_and_loading_is_survived),
	};
	int failed;

	log_open("/dev/null", LOG_DEBUG);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	log_close();
	return failed;
}
