/* SPDX-License-Identifier: Apache-2.0 */
/* test_numbers - what Riemann's vectors do not show of operators that calculate: bounds, saved states, lack of memory. */
#include <math.h>
#include <unistd.h>

#include "../../modules/numbers/number.h"
#include "stream.h"
#include "unit/flow.h"


static const char all[] =
	"streams = ("
	" { counter = { tap = \"counter\"; }; init = \"1/2\"; },"
	" { sum-over-time = { tap = \"sum\"; }; }, { mean-over-time = { tap = \"mean\"; }; },"
	" { ewma = 2; do = { tap = \"ewma\"; }; }, { ewma-timeless = \"1/3\"; do = { tap = \"timeless\"; }; },"
	" { ddt = { tap = \"ddt\"; }; }, { ddt = 5; do = { tap = \"ddt5\"; }; },"
	" { ddt-real = 5; do = { tap = \"real\"; }; }, { rate = 5; do = { tap = \"rate\"; }; },"
	" { interpolate-constant = 5; do = { tap = \"constant\"; }; },"
	" { apdex = 5; satisfied = \"state = 'ok'\"; tolerated = \"state = 'bad'\"; do = { tap = \"apdex\"; }; },"
	" { predict-linear = 3; s = 10; r = 1; do = { tap = \"predict\"; }; },"
	" { clock-skew = { tap = \"skew\"; }; },"
	" { adjust = \"metric\"; by = \"/\"; value = 3; do = { tap = \"adjust\"; }; },"
	" { adjust = \"service\"; by = \"prefix\"; value = \"x\"; do = { tap = \"prefix\"; }; },"
	" { scale = \"1/1024\"; do = { tap = \"scale\"; }; },"
	" { smap = \"modes\"; do = { tap = \"modes\"; }; }, { smap = \"std-dev\"; do = { tap = \"dev\"; }; },"
	" { smapcat = \"sorted-sample\"; points = ( 0, 0.5 ); do = { tap = \"sample\"; }; },"
	" { smap = \"quotient\"; do = ( { sflatten = { tap = \"flat\"; }; } ); },"
	" { sreduce = \"maximum\"; do = { tap = \"max\"; }; }, { sreduce = \"sum\"; init = { metric = 5; state = \"x\"; }; do = { tap = \"from\"; }; },"
	" { smap = \"extremum\"; by = \">\"; do = { tap = \"extreme\"; }; }, { smap = \"fold\"; by = \"max\"; do = { smapcat = \"non-nil-metrics\"; do = { tap = \"fold\"; }; }; },"
	" { sreduce = \"sum\"; init = 5; do = { tap = \"total\"; }; },"
	" { fold-interval = 5; event-key = \"time\"; folder = \"mean\"; do = { tap = \"time\"; }; },"
	" { fold-interval-metric = 5; folder = \"count\"; do = { tap = \"count\"; }; },"
	" { percentiles = 5; points = ( 0.5, 1 ); do = { tap = \"percentile\"; }; } );";

static void push(const char *state, int64_t metric)
{
	struct event ev = flow_event("h", "s", state, 60);

	ev.pub.has |= SAT_HAS_INT;
	ev.pub.metric.i = metric;
	engine_input(&ev);
}

/* ---- Arithmetic --------------------------------------------------------- */

static struct number ratio(int64_t n, int64_t d)
{
	struct number a = number_int(n), b = number_int(d), out;

	assert_int_equal(number_div(&a, &b, &out), 0);
	return out;
}

static void ratios_are_exact_and_leave_by_sixteen_digits(void **unused)
{
	struct number third = ratio(-1, -3), two = ratio(2, 3), sum = number_add(&third, &two), a;

	(void)unused;
	assert_true(!sum.real && sum.n == 1 && sum.d == 1);
	a = ratio(7, 3);
	assert_true(number_real(&a) == 2.333333333333333);
	a = ratio(-2, 3);
	assert_true(number_real(&a) == -0.6666666666666667);
	a = ratio(1, INT64_MAX);
	assert_true(number_real(&a) == 1.084202172485504e-19);
	a = ratio(INT64_MAX, 2);
	assert_true(number_real(&a) == 4.611686018427388e18);
	a = number_sub(&third, &two);
	assert_true(a.n == -1 && a.d == 3);
}

static void what_does_not_fit_becomes_a_double(void **unused)
{
	struct number most = number_int(INT64_MAX), least = number_int(INT64_MIN), one = number_int(1), a, b;

	(void)unused;
	a = number_add(&most, &one);
	assert_true(a.real && a.x == 9223372036854775808.0);
	a = number_sub(&least, &one);
	assert_true(a.real && a.x == -9223372036854775808.0);
	a = number_mul(&most, &least);
	assert_true(a.real && a.x < -8e37);
	a = ratio(1, INT64_MAX);
	for (int i = 0; i < 5; i++) {
		b = ratio(1, INT64_MAX - 1 - i);
		a = number_mul(&a, &b);
	}
	assert_true(a.real && a.x > 0);
	a = ratio(INT64_MIN, -1);
	assert_true(a.real && a.x > 9e18);
}

static void nothing_is_divided_by_zero_and_nan_has_its_place(void **unused)
{
	struct number nan_ = number_double(NAN), zero = number_double(0), none = number_int(0), one = number_int(1), a;

	(void)unused;
	assert_int_equal(number_div(&one, &zero, &a), -EDOM);
	assert_int_equal(number_div(&one, &none, &a), -EDOM);
	assert_int_equal(number_div(&nan_, &none, &a), 0);
	assert_true(isnan(a.x));
	assert_int_equal(number_compare(&nan_, &one), 1);
	assert_int_equal(number_compare(&one, &nan_), -1);
	assert_int_equal(number_compare(&nan_, &nan_), 0);
}

/* ---- Bounds ------------------------------------------------------------- */

static int64_t dropped(void)
{
	int m = 0;

	while (flow_modules[m] != &sat_module_numbers)
		m++;
	return flow_counters[m][0];
}

static void what_is_beyond_max_is_counted(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { percentiles = 5; points = ( 1 ); max = 3; do = { tap = \"p\"; }; },"
		  " { clock-skew = { tap = \"c\"; }; max = 1; } );");
	for (int i = 0; i < 10; i++)
		push("ok", i);
	assert_int_equal(dropped(), 7);
	flow_push("g", "s", "ok", 60);
	assert_int_equal(dropped(), 8);
	flow_seen[0] = '\0';
	flow_at(1005);
	flow_was("p:h/s 1/ok ");
}

static void what_is_wrong_is_refused(void **unused)
{
	static const char *const bad[] = {
		"{ smap = \"nothing\"; }", "{ smap = \"sorted-sample\"; }", "{ percentiles = 5; points = ( 2 ); }",
		"{ percentiles = 5; points = ( ); }", "{ scale = \"1/0\"; }", "{ scale = \"x\"; }", "{ scale = ( 1 ); }",
		"{ adjust = \"metric\"; by = \"prefix\"; value = \"x\"; }", "{ adjust = \"host\"; by = \"+\"; value = 1; }",
		"{ adjust = \"metric\"; by = \"/\"; value = 0; }", "{ adjust = \"tags\"; by = \"suffix\"; value = \"x\"; }",
		"{ adjust = \"host\"; by = \"suffix\"; value = 1; }", "{ ddt = 0; }", "{ ddt = true; }",
		"{ ewma = 0; }", "{ rate = 0; }", "{ predict-linear = 1; s = 5; }", "{ counter = \"print\"; init = \"a\"; }",
		"{ fold-interval = 5; event-key = \"host\"; folder = \"sum\"; }",
		"{ fold-interval-metric = 5; folder = \"sorted-sample\"; }", "{ fold-interval-metric = 5; folder = \"modes\"; }",
		"{ smap = \"fold\"; }", "{ smap = \"fold\"; by = \"<\"; }", "{ smap = \"sum\"; by = \"+\"; }",
		"{ sreduce = \"modes\"; }", "{ sreduce = \"sum\"; init = \"x\"; }", "{ sreduce = \"sum\"; init = ( 1 ); }",
		"{ sreduce = \"sum\"; init = { metric = \"x\"; }; }", "{ sreduce = \"sum\"; init = { host = 1; }; }",
	};
	char text[256];

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "streams = ( %s );", bad[i]);
		assert_null(flow_build(text));
	}
}

/* ---- States ------------------------------------------------------------- */

/* Some of each, up to the middle of intervals; then the rest. */
static void run(void)
{
	flow_swap(all);
	flow_push("h", "s", "ok", 60);
	flow_at(1002.25);
	push("bad", 7);
	push("ok", 3);
	flow_at(1004);
	push("ok", 9);
}

static void run_on(void)
{
	flow_seen[0] = '\0';
	flow_at(1006);
	push("bad", 11);
	flow_at(1011.5);
	assert_non_null(strstr(flow_seen, "percentile:h/s 0.5/bad"));
	assert_non_null(strstr(flow_seen, "predict:"));
}

/* In which order timers were armed is counted by the whole process: all else of a record. */
static void forget_order(char *p, size_t n)
{
	static const char armed[] = { 'T', 1, 0, 0, 0, 0, 0, 0, 0 };

	for (size_t i = 0; i + 25 <= n; i++)
		if (memcmp(p + i, armed, sizeof(armed)) == 0)
			memset(p + i + 17, 0, 8);
}

/* Where one that was away stands, to the byte, where one that was not does. */
static void states_come_back(void **unused)
{
	size_t half, whole;

	(void)unused;
	run();
	assert_int_equal(streams_save(engine_streams(), flow_keep, NULL), 0);
	half = flow_saved.n;
	run_on();
	assert_int_equal(streams_save(engine_streams(), flow_keep, NULL), 0);
	whole = flow_saved.n;
	flow_over();
	flow_begin(1004);
	flow_swap(all);
	for (size_t i = 0; i < half; i++)
		assert_int_equal(streams_load(engine_streams(), flow_saved.text[i], flow_saved.len[i]), 0);
	run_on();
	assert_int_equal(streams_save(engine_streams(), flow_keep, NULL), 0);
	assert_int_equal(flow_saved.n - whole, whole - half);
	for (size_t i = half; i < whole; i++) {
		assert_int_equal(flow_saved.len[i], flow_saved.len[i + whole - half]);
		forget_order(flow_saved.text[i], flow_saved.len[i]);
		forget_order(flow_saved.text[i + whole - half], flow_saved.len[i]);
		assert_memory_equal(flow_saved.text[i], flow_saved.text[i + whole - half], flow_saved.len[i]);
	}
}

static void cut_states_are_refused(void **unused)
{
	(void)unused;
	run();
	assert_int_equal(streams_save(engine_streams(), flow_keep, NULL), 0);
	for (size_t cut = 1; cut < 100; cut += 3) {
		flow_over();
		flow_begin(1004);
		flow_swap(all);
		for (size_t i = 0; i < flow_saved.n; i++)
			assert_int_not_equal(streams_load(engine_streams(), flow_saved.text[i],
							  flow_saved.len[i] > cut ? flow_saved.len[i] - cut : 0), 0);
		push("ok", 1);
		flow_at(1020);
	}
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		struct streams *s;

		fault_arm(++nth);
		s = flow_build(all);
		flow_end(s);
		fired = fault_fired();
		fault_arm(0);
		assert_int_equal(s == NULL, fired);
	} while (fired);
	for (nth = 1; nth < 200; nth++) {
		flow_swap(all);
		fault_arm(nth);
		push("ok", 3);
		push("bad", 4);
		flow_at(1000 + 10 * nth);
		streams_save(engine_streams(), flow_keep, NULL);
		fault_arm(0);
		flow_forget(0);
	}
}

/* As in Riemann: so a copy with a rate is never as good as new, once there was a metric. */
static void a_rate_goes_on_with_what_it_had_however_late(void **unused)
{
	struct event ev;

	(void)unused;
	flow_swap("streams = ( { by = \"host\"; do = { rate = 5; do = { where = \"metric = 3\"; do = { tap = \"r\"; }; }; }; } );");
	ev = flow_event("h", "first", "ok", 2);
	ev.pub.has |= SAT_HAS_INT;
	ev.pub.metric.i = 15;
	engine_input(&ev);
	flow_at(2100);
	streams_sweep(engine_streams());
	assert_int_equal(streams_forks(engine_streams()), 2);
	flow_push("h", "without a metric", "ok", 60);
	flow_at(2106);
	flow_was("r:h/first/ok ");
}

static void a_ticker_ends_with_the_last_event(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { rate = 5; do = { tap = \"r\"; }; }, { ddt = 5; do = { tap = \"d\"; }; },"
		  " { percentiles = 5; points = ( 1 ); do = { tap = \"p\"; }; },"
		  " { interpolate-constant = 5; do = { tap = \"i\"; }; } );");
	push("ok", 3);
	assert_int_equal(timer_count(), 4);
	flow_at(2000);
	assert_int_equal(timer_count(), 0);
	push("ok", 4);
	assert_int_equal(timer_count(), 4);
	flow_push("x", "y", "expired", 60);
	assert_int_equal(timer_count(), 0);
}


int main(void)
{
	static char log_path[] = "/tmp/satellite-test-numbers-XXXXXX";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ratios_are_exact_and_leave_by_sixteen_digits),
		cmocka_unit_test(what_does_not_fit_becomes_a_double),
		cmocka_unit_test(nothing_is_divided_by_zero_and_nan_has_its_place),
		FLOW_TEST(what_is_beyond_max_is_counted),
		FLOW_TEST(what_is_wrong_is_refused),
		FLOW_TEST(states_come_back),
		FLOW_TEST(cut_states_are_refused),
		FLOW_TEST(every_failure_is_survived),
		FLOW_TEST(a_rate_goes_on_with_what_it_had_however_late),
		FLOW_TEST(a_ticker_ends_with_the_last_event),
	};
	int failed, fd = mkstemp(log_path);

	if (fd < 0)
		return 1;
	close(fd);
	log_open(log_path, LOG_INFO);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	log_close();
	unlink(log_path);
	return failed;
}
