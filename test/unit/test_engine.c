/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine - the order of inputs and timers, hops, the queue's end, messages, the state file, wall steps and stalls. */
#include <unistd.h>
#include <uv.h>

#include "save.h"
#include "unit/flow.h"

#define S SAT_SECOND

/* ---- Inputs ------------------------------------------------------------- */

static void reinject_appends_and_ends_after_eight_hops(void **unused)
{
	int64_t dropped = self_get(SELF_HOPS_DROPPED);

	(void)unused;
	flow_swap("streams = ( \"reinject\", { tap = \"t\"; } );");
	flow_push("a", "s", "ok", 0);
	flow_was("t:a/s/ok t:a/s/ok t:a/s/ok t:a/s/ok t:a/s/ok t:a/s/ok t:a/s/ok t:a/s/ok t:a/s/ok ");
	assert_int_equal(self_get(SELF_HOPS_DROPPED), dropped + 1);
}

static void reinject_from_inside_a_coalesces_flush(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { where = \"tagged 'again'\"; do = { tap = \"t\"; };\n"
		  "else = ( { coalesce = 10; do = { sdo = ( { tap = \"l\"; }, \"reinject\" ); }; }, { tap = \"f\"; } ); } );");
	flow_push("a", "s", "ok", 300);
	flow_push("b", "s", "ok", 300);
	flow_was("f:a/s/ok f:b/s/ok ");
	/* The flush is over before what it put in goes through, and that joins the next. */
	flow_at(1001);
	flow_was("l:[a/s/ok,b/s/ok] f:a/s/ok f:b/s/ok ");
	flow_at(1009);
	flow_was("");
	flow_at(1010);
	flow_was("l:[a/s/ok,b/s/ok] f:a/s/ok f:b/s/ok ");
}

static void the_queue_has_an_end(void **unused)
{
	int64_t dropped = self_get(SELF_EMIT_DROPPED);
	struct event ev = flow_event("a", "s", "ok", 0);
	int n = 0;

	(void)unused;
	flow_swap("streams = ( \"held\" );");
	while (sat_emit_event(&flow_self[0], &ev.pub) == 0)
		n++;
	assert_int_equal(n, 1 << 20);
	assert_int_equal(sat_emit_event(&flow_self[0], &ev.pub), -ENOBUFS);
	assert_int_equal(self_get(SELF_EMIT_DROPPED), dropped + 2);
	engine_run();
	assert_int_equal(sat_emit_event(&flow_self[0], &ev.pub), 0);
}

static void an_emitted_event_gets_what_it_lacks(void **unused)
{
	const struct sat_event *ev;

	(void)unused;
	flow_swap("streams = ( \"index\" );");
	assert_int_equal(sat_emit(&flow_self[0], .service = "s"), 0);
	engine_run();
	ev = sat_index_get(sat_host(), "s");
	assert_non_null(ev);
	assert_int_equal(ev->time, 1000 * S);
}

static void timers_before_inputs_in_order(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { coalesce = 10; do = { tap = \"1\"; }; }, { coalesce = 5; do = { tap = \"2\"; }; }, { tap = \"t\"; } );");
	flow_push("a", "s", "ok", 0);
	flow_at(1010);
	flow_push("b", "s", "ok", 0);
	/* Both are due at 1010: that of 10 was armed at 1000, that of 5 at 1005. */
	flow_was("t:a/s/ok 1:[a/s/ok] 2:[a/s/ok] 2:[a/s/ok] 1:[a/s/ok] 2:[a/s/ok] t:b/s/ok ");
}

static void coalesce_has_a_maximum(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { coalesce = 5; max = 2; do = { tap = \"l\"; }; } );");
	flow_push("a", "s", "1", 0);
	flow_push("b", "s", "1", 0);
	flow_push("c", "s", "1", 0);
	flow_push("a", "s", "2", 0);
	flow_at(1001);
	flow_was("l:[a/s/2,b/s/1] ");
	assert_int_equal(flow_counters[3][0], 1);
}

static void hostile_times_are_borne(void **unused)
{
	static const int64_t times[] = { INT64_MIN, 0, INT64_MAX };
	static const double ttls[] = { 0.0 / 0.0, 1e308 * 10, -1e308 * 10, -1, 1e-9 };
	char host[16];
	int n = 0;

	(void)unused;
	flow_swap("streams = ( \"index\", { by = ( \"time\", \"ttl\" ); do = { coalesce = 1; do = { tap = \"l\"; }; }; }, { expired = \"held\"; } );");
	for (size_t t = 0; t < 3; t++)
		for (size_t k = 0; k < 5; k++) {
			struct event ev = flow_event(host, "s", "ok", 1);

			sprintf(host, "h%d", n++);
			ev.pub.time = times[t];
			ev.pub.ttl = ttls[k];
			assert_int_equal(engine_input(&ev), 0);
		}
	flow_at(1100);
	engine_reap();
	engine_run();
	assert_int_equal(index_size(), 2 + 2 + 4);
}

/* ---- Wall steps and stalls ---------------------------------------------- */

static int64_t raw_steady, raw_wall;
static int64_t read_steady(void) { return raw_steady; }
static int64_t read_wall(void) { return raw_wall; }

static uv_loop_t loop;
static uv_timer_t alive;		/* the engine's own handles do not keep a loop */

static void nothing(uv_timer_t *t)
{
	(void)t;
}

/* `seconds` of loop turns, a second each, and as many as it takes to catch up. */
static void live(int seconds)
{
	while (seconds-- > 0) {
		raw_steady += S;
		raw_wall += S;
		do
			uv_run(&loop, UV_RUN_NOWAIT);
		while (clock_behind());
	}
}

static void nothing_expires_by_a_wall_step_or_a_stop(void **unused)
{
	static const struct clock_source source = { read_steady, read_wall };
	static const int64_t steps[][2] = { { 3600, 0 }, { -3600, 0 }, { 0, 300 }, { -7200, 0 }, { 7200, 300 } };

	(void)unused;
	flow_over();
	raw_steady = 5000 * S;
	raw_wall = 1700000000 * S;
	clock_live();
	clock_source(&source);
	uv_loop_init(&loop);
	uv_timer_init(&loop, &alive);
	uv_timer_start(&alive, nothing, 1000000, 0);
	engine_init(&loop);
	flow_swap("streams = ( { where = \"state = 'expired'\"; do = { tap = \"x\"; }; }, \"index\",\n"
		  "{ by = \"host\"; do = ( { coalesce = 20; do = { tap = \"l\"; }; } ); } );");
	live(1);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct event a = flow_event("a", "s", "ok", 100), b = flow_event("a", "t", "bad", 100);

		engine_input(&a);
		engine_input(&b);
		live(20);
		assert_non_null(strstr(flow_seen, "l:[a/s/ok,a/t/bad]"));
		flow_seen[0] = '\0';
		raw_wall += (steps[i][0] + steps[i][1]) * S;
		raw_steady += steps[i][1] * S;
		live(42);
		assert_null(strstr(flow_seen, "x:"));
		flow_seen[0] = '\0';
		live(21);
		/* Nobody was silent for a ttl: all are there. */
		assert_int_equal(index_size(), 2);
		assert_null(strstr(flow_seen, "x:"));
		assert_non_null(strstr(flow_seen, "l:[a/s/ok,a/t/bad] "));
		flow_seen[0] = '\0';
	}
	/* Silence itself does expire them, once the clock is not late any more. */
	live(200);
	assert_int_equal(index_size(), 0);
	assert_non_null(strstr(flow_seen, "x:a/s/expired "));
	assert_non_null(strstr(flow_seen, "x:a/t/expired "));
	flow_end(engine_swap(NULL));
	engine_stop();
	uv_close((uv_handle_t *)&alive, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	clock_source(NULL);
	flow_begin(1000);
}

/* ---- The state file ----------------------------------------------------- */

static void index_and_streams_come_back_from_the_state_file(void **unused)
{
	static const char text[] = "streams = ( { where = \"state = 'expired'\"; do = { tap = \"x\"; }; }, \"index\",\n"
		"{ by = \"host\"; do = ( { changed = \"state\"; do = { tap = \"c\"; }; }, { coalesce = 10; do = { tap = \"l\"; }; } ); } );";
	char path[] = "/tmp/satellite-engine-XXXXXX";
	int fd = mkstemp(path), nth = 0, fired;

	(void)unused;
	close(fd);
	flow_swap(text);
	flow_push("a", "s", "bad", 60);
	flow_push("b", "s", "ok", 30);
	flow_at(1005);
	flow_seen[0] = '\0';
	do {
		fault_arm(++nth);
		fd = save_now(path);
		fired = fault_fired();
		fault_arm(0);
		if (!fired)
			assert_int_equal(fd, 0);
	} while (fired);
	flow_over();
	for (int i = 1; i <= 40; i++) {		/* every failure of loading, then none */
		flow_begin(9000);
		flow_swap(text);
		fault_arm(i < 40 ? i : 0);
		save_load(path);
		fault_arm(0);
		if (i < 40)
			flow_over();
	}
	assert_int_equal(index_size(), 2);
	flow_push("a", "s", "bad", 60);
	flow_was("");
	flow_at(9005);
	flow_was("l:[a/s/bad] l:[b/s/ok] ");
	flow_at(9024);
	engine_reap();
	assert_int_equal(index_size(), 2);
	flow_seen[0] = '\0';
	flow_at(9026);			/* 25 of its 30 s were left */
	engine_reap();
	engine_run();
	assert_non_null(strstr(flow_seen, "x:b/s/expired "));
	assert_int_equal(index_size(), 1);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW_TEST(reinject_appends_and_ends_after_eight_hops),
		FLOW_TEST(reinject_from_inside_a_coalesces_flush),
		FLOW_TEST(the_queue_has_an_end),
		FLOW_TEST(an_emitted_event_gets_what_it_lacks),
		FLOW_TEST(timers_before_inputs_in_order),
		FLOW_TEST(coalesce_has_a_maximum),
		FLOW_TEST(hostile_times_are_borne),
		FLOW_TEST(nothing_expires_by_a_wall_step_or_a_stop),
		FLOW_TEST(index_and_streams_come_back_from_the_state_file),
	};

	log_open("/dev/null", LOG_INFO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
