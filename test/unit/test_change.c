/* SPDX-License-Identifier: Apache-2.0 */
/* test_change - operators that remember events: their states come back, and every failing call is survived. */
#include "unit/flow.h"

static const char streams[] =
	"streams = ( { by = \"host\"; do = ( { changed = \"state\"; pairs = true; init = \"ok\"; do = { tap = \"p\"; }; },"
	" { runs = 3; do = { tap = \"r\"; }; }, { stable = 50; do = { tap = \"s\"; }; },"
	" { hysteresis = \"state = 'bad'\"; hold = \"state = 'so'\"; do = { tap = \"h\"; }; else = { tap = \"l\"; }; } ); },"
	" { fill-in = 40; default-event = { host = \"f\"; tags = ( \"x\" ); }; do = { tap = \"f\"; }; },"
	" { fill-in-last = 30; update = { state = \"again\"; }; do = { tap = \"fl\"; }; },"
	" { top = 1; field = \"service\"; do = { tap = \"t\"; }; else = { tap = \"b\"; }; },"
	" { dual = \"state = 'bad'\"; do = { tap = \"y\"; }; else = { tap = \"n\"; }; } );";


static void fill(void)
{
	flow_swap(streams);
	flow_push("a", "s", "bad", 600);
	flow_push("a", "s", "bad", 600);
	flow_at(1010);
	flow_forget(0);
	assert_int_equal(streams_save(engine_streams(), flow_keep, NULL), 0);
	flow_seen[0] = '\0';
	flow_over();
	flow_begin(5000);
	flow_swap(streams);
}

static void load(void)
{
	for (size_t i = 0; i < flow_saved.n; i++)
		streams_load(engine_streams(), flow_saved.text[i], flow_saved.len[i]);
}

static void states_come_back(void **unused)
{
	(void)unused;
	fill();
	load();
	assert_int_equal(timer_count(), 3);
	flow_push("a", "t", "so", 600);
	flow_was("p:[a/s/bad,a/t/so] h:a/t/so f:a/t/so fl:a/t/so t:a/s/expired b:a/s/bad b:a/t/expired t:a/t/so "
		 "y:a/t/expired n:a/t/so ");
	flow_at(5051);
	flow_was("fl:a/t/again f:f/-/- s:a/t/so ");
}

static void what_is_stable_goes_on_once_and_what_is_not_never(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { stable = 5; max = 2; do = { tap = \"s\"; }; } );");
	flow_push("a", "1", "bad", 0);
	flow_at(1003);
	flow_push("a", "2", "ok", 0);
	flow_at(1006);
	flow_push("a", "3", "ok", 0);
	flow_push("a", "4", "ok", 0);
	flow_was("");
	flow_at(1008);
	flow_was("s:a/2/ok s:a/3/ok ");
	assert_int_equal(timer_count(), 0);
	flow_push("a", "5", "ok", 0);
	flow_was("s:a/5/ok ");
}

static void every_failing_call_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		fill();
		fault_arm(++nth);
		load();
		flow_push("a", "s", "so", 60);
		flow_push("b", "t", "ok", 60);
		flow_at(5060);
		flow_forget(0);
		streams_save(engine_streams(), flow_keep, NULL);
		fired = fault_fired();
		fault_arm(0);
		flow_push("a", "s", "bad", 60);
		flow_at(5200);
		flow_over();
		flow_begin(1000);
	} while (fired);
	assert_true(nth > 20);
}

static void every_failure_of_a_build_is_survived(void **unused)
{
	(void)unused;
	flow_build_survives(streams, 50);
}

static void a_state_cut_short_is_refused(void **unused)
{
	(void)unused;
	fill();
	for (size_t i = 0; i < flow_saved.n; i++)
		assert_int_not_equal(streams_load(engine_streams(), flow_saved.text[i], flow_saved.len[i] - 1), 0);
	flow_push("a", "s", "bad", 600);
	flow_at(5200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW_TEST(states_come_back),
		FLOW_TEST(what_is_stable_goes_on_once_and_what_is_not_never),
		FLOW_TEST(every_failing_call_is_survived),
		FLOW_TEST(every_failure_of_a_build_is_survived),
		FLOW_TEST(a_state_cut_short_is_refused),
	};

	log_open("/dev/null", LOG_DEBUG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
