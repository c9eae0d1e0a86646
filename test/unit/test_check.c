/* SPDX-License-Identifier: Apache-2.0 */
/* test_check - when checks run, what their events look like, what a reload does. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "check.h"
#include "clock.h"
#include "engine.h"
#include "log.h"
#include "self.h"
#include "unit/fault.h"

#define START	(INT64_C(1000000000) * SAT_SECOND)

static const struct sat_module module = { .abi = SAT_ABI, .size = sizeof(module), .name = "fake" };
static struct sat_self fake_self = { .name = (char *)"fake", .module = &module };

/* ---- A check that does as it is told, and a stream that remembers ------- */

static struct fake {
	int runs, timeouts, defined;
	bool holds, silent;		/* stay running; end without a report */
	struct sat_probe *held;
} fake;

static int define(struct sat_probe *probe, void *state, const struct sat_conf *conf, void **def)
{
	int rc = 0;

	(void)state;
	if (sat_conf_has(conf, "name"))
		rc = sat_probe_service(probe, "%s", sat_conf_string(conf, "name"));
	if (rc == 0)
		fake.defined++;
	*def = probe;
	return rc;
}

static void undefine(void *def)
{
	(void)def;
	fake.defined--;
}

static void run(void *def)
{
	fake.runs++;
	fake.held = def;
	if (fake.holds)
		return;
	if (!fake.silent)
		sat_report(def, .has = SAT_HAS_INT, .metric.i = 7, .state = "ok");
	sat_probe_done(def);
}

static void timeout(void *def)
{
	fake.timeouts++;
	sat_report(def, .state = "critical", .description = "timeout");
	sat_probe_done(def);
}

static const struct sat_option *const options[] = {
	SAT_OPTION("name", SAT_STRING, .help = "service"), SAT_OPTION("level", SAT_INTEGER, .help = "any"), NULL
};
static const struct sat_option *const own_options[] = {
	SAT_OPTION("own", SAT_STRING, .required = true, .help = "any"), NULL
};
static const struct sat_check plain = { .size = sizeof(plain), .name = "plain", .options = options,
	.define = define, .run = run, .undefine = undefine };
static const struct sat_check timed = { .size = sizeof(timed), .name = "timed", .options = options,
	.define = define, .run = run, .timeout = timeout, .undefine = undefine };

static int define_own(struct sat_probe *probe, void *state, const struct sat_conf *conf, void **def)
{
	(void)state;
	(void)conf;
	*def = probe;
	fake.defined++;
	return 0;
}
static const struct sat_check own = { .size = sizeof(own), .name = "own", .options = own_options,
	.own_key = true, .define = define_own, .run = run, .undefine = undefine };

static const struct sat_check *find(void *arg, const char *name, bool own_key, const struct sat_conf *where,
				    struct sat_self **self)
{
	(void)arg;
	*self = &fake_self;
	if (own_key && strcmp(name, "own") == 0)
		return &own;
	if (!own_key && strcmp(name, "plain") == 0)
		return &plain;
	if (!own_key && strcmp(name, "timed") == 0)
		return &timed;
	sat_conf_error(where, NULL, "no check \"%s\"", name);
	return NULL;
}
static const struct check_finder finder = { .find = find };

static struct { int n; const struct sat_event *last; int64_t at; } seen;

static int remember(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)at;
	(void)def;
	(void)state;
	seen.n++;
	sat_drop(seen.last);
	seen.last = sat_keep(item->evs[0]);
	seen.at = sat_clock();
	return 0;
}
static const struct sat_op memory = { .size = sizeof(memory), .name = "memory", .item = remember };

static const struct sat_op *find_op(void *arg, const char *name, const struct sat_conf *where,
				    struct sat_self **self)
{
	(void)arg;
	(void)name;
	(void)where;
	*self = &fake_self;
	return &memory;
}

static struct conf *streams_conf;
static int64_t now;

static int up(void **unused)
{
	const struct stream_finder ops = { .find = find_op };

	(void)unused;
	self_process.host = (char *)"here";
	log_open("/dev/null", LOG_DEBUG);
	clock_virtual(now = START);
	assert_int_equal(engine_init(NULL), 0);
	streams_conf = conf_text("", "streams");
	engine_swap(streams_build(streams_conf, NULL, NULL, "memory", &ops));
	memset(&fake, 0, sizeof(fake));
	memset(&seen, 0, sizeof(seen));
	return 0;
}

static void nothing(void *arg)
{
	++*(int *)arg;
}

static int down(void **unused)
{
	struct streams *s = engine_streams();
	int done = 0;

	(void)unused;
	streams_stop(s, nothing, &done);
	engine_stop();
	streams_free(s);
	conf_unref(streams_conf);
	sat_drop(seen.last);
	conf_forgive();
	log_close();
	return 0;
}

static struct checks *build(const char *text)
{
	struct conf *file = conf_text(text, "test");
	struct checks *c;

	assert_non_null(file);
	c = checks_build(file, conf_find(conf_root(file), "checks"), "p/", &finder);
	conf_unref(file);
	return c;
}

static void pass(double seconds)
{
	engine_move(now += (int64_t)(seconds * SAT_SECOND));
	engine_run();
}

static void end(struct checks *c, bool retire)
{
	int done = 0;

	checks_stop(c, retire, nothing, &done);
	engine_run();
	assert_int_equal(done, 1);
	checks_free(c);
	assert_int_equal(fake.defined, 0);
}

/* ---- When they run ------------------------------------------------------ */

static void first_run_comes_soon_and_later_ones_each_interval(void **unused)
{
	struct checks *c = build("checks = ( { check = \"plain\"; name = \"a\"; } );");
	int64_t first;

	(void)unused;
	assert_non_null(c);
	assert_int_equal(checks_count(c), 1);
	checks_adopt(c, NULL);
	pass(5);
	assert_int_equal(fake.runs, 1);
	pass(91);
	assert_in_range(fake.runs, 2, 2);
	first = seen.at;
	for (int i = 0; i < 10; i++)
		pass(60);
	assert_int_equal(fake.runs, 12);
	assert_int_equal((seen.at - first) % (60 * SAT_SECOND), 0);
	end(c, false);
}

/* 100 checks of one host: no two seconds of the minute get more than a fair share by far. */
static void runs_are_spread_over_the_interval(void **unused)
{
	struct sat_buf b = { 0 };
	int most = 0;
	struct checks *c;

	(void)unused;
	sat_buf_printf(&b, "checks = ( ");
	for (int i = 0; i < 100; i++)
		sat_buf_printf(&b, "%s{ check = \"plain\"; name = \"s%d\"; }", i > 0 ? ", " : "", i);
	sat_buf_add(&b, " );", 4);
	c = build(b.p);
	sat_buf_free(&b);
	assert_non_null(c);
	checks_adopt(c, NULL);
	pass(5);
	assert_int_equal(fake.runs, 100);
	pass(115);
	for (int i = 0; i < 60; i++) {
		int before = fake.runs;

		pass(1);
		if (fake.runs - before > most)
			most = fake.runs - before;
	}
	assert_in_range(most, 1, 10);
	end(c, false);
}

static int64_t raw;

static int64_t read_raw(void)
{
	return raw;
}

static void live_turn(int64_t after)
{
	raw += after;
	clock_turn();
	engine_run();
	clock_expect(clock_steady());
}

/* The clock goes on by a second a turn then, and turns are quick. */
static void after_a_stall_of_seconds_each_runs_once(void **unused)
{
	static const struct clock_source source = { read_raw, read_raw };
	struct checks *c = build("checks = ( { check = \"plain\"; name = \"a\"; interval = 1; } );");
	int runs;

	(void)unused;
	assert_non_null(c);
	raw = START;
	clock_live();
	clock_source(&source);
	checks_adopt(c, NULL);
	for (int i = 0; i < 60; i++)
		live_turn(SAT_SECOND / 20);
	runs = fake.runs;
	assert_in_range(runs, 2, 4);
	live_turn(3 * SAT_SECOND);
	for (int i = 0; i < 5; i++)
		live_turn(0);
	assert_int_equal(fake.runs, runs + 1);
	for (int i = 0; i < 60; i++)
		live_turn(SAT_SECOND / 20);
	assert_in_range(fake.runs, runs + 3, runs + 4);
	end(c, false);
	clock_source(NULL);
}

static void one_that_runs_is_not_started_again(void **unused)
{
	struct checks *c = build("checks = ( { check = \"plain\"; name = \"a\"; interval = 10; timeout = 15; } );");
	int64_t skipped = self_get(SELF_CHECKS_SKIPPED);

	(void)unused;
	fake.holds = true;
	checks_adopt(c, NULL);
	pass(100);
	assert_int_equal(fake.runs, 1);
	assert_true(self_get(SELF_CHECKS_SKIPPED) - skipped >= 8);
	assert_string_equal(seen.last->state, "critical");
	assert_string_equal(seen.last->service, "p/a");
	assert_non_null(strstr(seen.last->description, "still running after"));
	fake.holds = false;
	sat_probe_done(fake.held);
	pass(10);
	assert_int_equal(fake.runs, 2);
	assert_string_equal(seen.last->state, "ok");
	end(c, false);
}

static void who_waits_for_a_turn_is_not_timed(void **unused)
{
	struct checks *c = build("checks = ( { check = \"timed\"; name = \"a\"; timeout = 15; } );");

	(void)unused;
	fake.holds = true;
	checks_adopt(c, NULL);
	while (fake.runs == 0)
		pass(1);
	assert_int_equal(sat_probe_waits(fake.held, true), 0);
	pass(100);
	assert_int_equal(fake.timeouts, 0);
	assert_string_equal(seen.last->state, "critical");
	assert_non_null(strstr(seen.last->description, "not run: waits its turn for "));
	assert_int_equal(sat_probe_waits(fake.held, false), 0);
	pass(14);
	assert_int_equal(fake.timeouts, 0);
	pass(2);
	assert_int_equal(fake.timeouts, 1);
	assert_string_equal(seen.last->description, "timeout");
	while (fake.runs == 1)
		pass(1);
	sat_probe_waits(fake.held, true);
	pass(20);
	end(c, false);
	assert_int_equal(fake.timeouts, 2);
}

static void timeout_is_told_to_the_check(void **unused)
{
	struct checks *c = build("checks = ( { check = \"timed\"; name = \"a\"; timeout = 3; } );");

	(void)unused;
	fake.holds = true;
	checks_adopt(c, NULL);
	pass(9);
	assert_int_equal(fake.timeouts, 1);
	assert_string_equal(seen.last->description, "timeout");
	assert_float_equal(seen.last->ttl, 300, 0);
	end(c, false);
}

/* ---- Events ------------------------------------------------------------- */

static void events_bear_the_entrys_labels(void **unused)
{
	struct checks *c = build("checks = ( { check = \"plain\"; service = \"x\"; name = \"a\"; "
				 "host = \"h\"; ttl = 9.5; tags = ( \"t\", \"u\" ); attributes = { rack = \"r1\"; aisle = \"2\"; }; } );");

	(void)unused;
	checks_adopt(c, NULL);
	pass(5);
	assert_string_equal(seen.last->service, "p/x");
	assert_string_equal(seen.last->host, "h");
	assert_int_equal(seen.last->metric.i, 7);
	assert_float_equal(seen.last->ttl, 9.5, 0);
	assert_true(seen.last->has & SAT_HAS_TIME);
	assert_int_equal(seen.last->n_tags, 2);
	assert_string_equal(sat_attr(seen.last, "rack"), "r1");
	assert_string_equal(seen.last->attrs[0].key, "aisle");
	end(c, false);
}

static void an_event_keeps_its_own_fields(void **unused)
{
	static const struct sat_attr attrs[] = { { "b", "mine" }, { "c", "mine" } };
	static const char *const tags[] = { "mine" };
	struct checks *c = build("checks = ( { check = \"plain\"; name = \"a\"; tags = \"t\"; "
				 "attributes = { a = \"1\"; b = \"2\"; d = \"4\"; }; } );");

	(void)unused;
	fake.silent = true;
	checks_adopt(c, NULL);
	pass(5);
	sat_report(fake.held, .has = SAT_HAS_TTL | SAT_HAS_TAGS, .service = "other", .host = "elsewhere", .ttl = 3,
		   .tags = tags, .n_tags = 1, .attrs = attrs, .n_attrs = 2);
	engine_run();
	assert_string_equal(seen.last->service, "p/other");
	assert_string_equal(seen.last->host, "elsewhere");
	assert_float_equal(seen.last->ttl, 3, 0);
	assert_string_equal(seen.last->tags[0], "mine");
	assert_int_equal(seen.last->n_attrs, 4);
	assert_string_equal(sat_attr(seen.last, "b"), "mine");
	assert_string_equal(sat_attr(seen.last, "d"), "4");
	end(c, false);
}

/* ---- Reload and stop ---------------------------------------------------- */

static void what_each_said_last_is_shown(void **unused)
{
	struct checks *c = build("checks = ( { check = \"plain\"; name = \"a\"; }, { check = \"plain\"; name = \"b\"; } );");
	struct sat_buf out = { 0 };

	(void)unused;
	checks_adopt(c, NULL);
	checks_print(c, &out);
	assert_non_null(strstr(out.p, "{\"service\": \"p/a\", \"interval\": 60, \"took\": 0, \"running\": false, \"next\": "));
	assert_null(strstr(out.p, "last"));
	sat_buf_free(&out);
	pass(6);
	checks_print(c, &out);
	assert_non_null(strstr(out.p, "\"last\": {\"host\":null,\"service\":\"p/a\",\"state\":\"ok\""));
	assert_non_null(strstr(out.p, "\"last\": {\"host\":null,\"service\":\"p/b\",\"state\":\"ok\""));
	sat_buf_free(&out);
	end(c, true);
}

static void stop_takes_back_what_was_reported(void **unused)
{
	struct checks *c = build("checks = ( { check = \"plain\"; name = \"a\"; tags = \"t\"; } );");
	int n;

	(void)unused;
	checks_adopt(c, NULL);
	pass(5);
	n = seen.n;
	end(c, true);
	assert_int_equal(seen.n, n + 1);
	assert_string_equal(seen.last->state, "expired");
	assert_string_equal(seen.last->service, "p/a");
	assert_true(sat_tagged(seen.last, "retired"));
	assert_true(sat_tagged(seen.last, "t"));
}

static void reload_keeps_the_schedule_of_equal_entries(void **unused)
{
	const char *text = "checks = ( { check = \"plain\"; name = \"a\"; }, "
			   "{ check = \"plain\"; name = \"b\"; } );";
	struct checks *a = build(text), *b, *with;
	int64_t due;
	int runs, n;

	(void)unused;
	checks_adopt(a, NULL);
	pass(200);
	runs = fake.runs;
	due = seen.at;
	b = build(text);
	checks_adopt(b, a);
	n = 0;
	checks_stop(a, false, nothing, &n);
	checks_free(a);
	assert_int_equal(n, 1);
	pass(0);
	assert_int_equal(fake.runs, runs);
	pass(60);
	assert_int_equal(fake.runs, runs + 2);
	assert_int_equal((seen.at - due) % (60 * SAT_SECOND), 0);

	n = seen.n;	/* now b goes */
	with = build("checks = ( { name = \"a\"; check = \"plain\"; interval = 60; } );");
	checks_adopt(with, b);
	engine_run();
	assert_int_equal(seen.n, n + 1);
	assert_string_equal(seen.last->service, "p/b");
	assert_true(sat_tagged(seen.last, "retired"));
	checks_stop(b, false, nothing, &n);
	checks_free(b);
	end(with, false);
}

/* Another threshold is another entry, but the service goes on. */
static void changed_entry_does_not_retire_its_service(void **unused)
{
	struct checks *a = build("checks = ( { check = \"plain\"; name = \"a\"; level = 1; } );"), *b;
	int n = 0;

	(void)unused;
	checks_adopt(a, NULL);
	pass(5);
	b = build("checks = ( { check = \"plain\"; name = \"a\"; level = 2; } );");
	n = seen.n;
	checks_adopt(b, a);
	engine_run();
	assert_int_equal(seen.n, n);
	checks_stop(a, false, nothing, &n);
	checks_free(a);
	end(b, true);
	assert_true(sat_tagged(seen.last, "retired"));
}

static void one_that_runs_goes_on_over_a_reload(void **unused)
{
	const char *text = "checks = ( { check = \"timed\"; name = \"a\"; } );";
	struct checks *a = build(text), *b;
	int done = 0;

	(void)unused;
	fake.holds = true;
	checks_adopt(a, NULL);
	pass(5);
	b = build(text);
	checks_adopt(b, a);
	checks_stop(a, false, nothing, &done);
	assert_int_equal(done, 1);
	checks_free(a);
	sat_report(fake.held, .state = "ok");
	sat_probe_done(fake.held);
	engine_run();
	assert_int_equal(seen.n, 1);
	end(b, false);
}

/* ---- Mistakes ----------------------------------------------------------- */

static void mistakes_are_reported_all_at_once(void **unused)
{
	static const struct { const char *text; unsigned mistakes; } cases[] = {
		{ "checks = ( { check = \"plain\"; name = \"a\"; }, { check = \"plain\"; name = \"a\"; } );", 1 },
		{ "checks = ( { check = \"plain\"; service = \"a\"; }, { own = \"x\"; service = \"a\"; } );", 1 },
		{ "checks = ( { own = \"x\"; } );", 1 },
		{ "checks = ( { check = \"none\"; }, { check = \"plain\"; }, { bogus = 1; }, 7 );", 4 },
		{ "checks = ( { check = 5; }, { interval = 60; } );", 2 },
		{ "checks = ( { check = \"satellite-slave.recipes/none\"; }, { check = \"other.recipes/plain\"; }, "
		  "{ check = \"satellite-slave.mesos.recipes/cache-state\"; } );", 3 },
		{ "checks = ( { check = \"plain\"; name = \"a\"; interval = -1; } );", 1 },
		{ "checks = ( { check = \"plain\"; name = \"a\"; attributes = { host = \"x\"; y = 1; }; } );", 2 },
		{ "checks = { check = \"plain\"; name = \"a\"; };", 1 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		conf_forgive();
		assert_null(build(cases[i].text));
		assert_int_equal(conf_mistakes(), cases[i].mistakes);
	}
	assert_int_equal(fake.defined, 0);
}

static void a_name_of_the_old_satellite_is_taken(void **unused)
{
	struct checks *c = build("checks = ( { check = \"satellite-slave.recipes/plain\"; name = \"a\"; }, "
				 "{ check = \"satellite-slave.mesos.recipes/plain\"; name = \"b\"; } );");

	(void)unused;
	assert_non_null(c);
	assert_int_equal(checks_count(c), 2);
	checks_free(c);
}

static void same_service_on_another_host_is_fine(void **unused)
{
	struct checks *c = build("checks = ( { check = \"plain\"; name = \"a\"; }, { interval = 9; own = \"x\"; "
				 "service = \"a\"; host = \"other\"; } );");

	(void)unused;
	assert_non_null(c);
	end(c, false);
}

static void no_checks_are_fine(void **unused)
{
	struct conf *file = conf_text("", "test");
	struct checks *c = checks_build(file, NULL, "p/", &finder);

	(void)unused;
	assert_int_equal(checks_count(c), 0);
	conf_unref(file);
	checks_adopt(c, NULL);
	end(c, true);
}

/* Build, run and stop, with the nth allocation failing. */
static void every_failure_is_survived(void **unused)
{
	const char *text = "checks = ( { check = \"plain\"; name = \"a\"; tags = \"t\"; "
			   "attributes = { a = \"1\"; }; } );";
	int nth = 0, fired;

	(void)unused;
	do {
		struct conf *file = conf_text(text, "test");
		struct checks *c;

		fault_arm(++nth);
		c = checks_build(file, conf_find(conf_root(file), "checks"), "p/", &finder);
		if (c != NULL) {
			checks_adopt(c, NULL);
			pass(70);
		}
		fired = fault_fired();
		fault_arm(0);
		conf_unref(file);
		assert_true(c != NULL || fired);
		if (c != NULL)
			end(c, true);
		assert_int_equal(fake.defined, 0);
	} while (fired);
	assert_true(nth > 8);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_run_comes_soon_and_later_ones_each_interval),
		TEST(runs_are_spread_over_the_interval),
		TEST(after_a_stall_of_seconds_each_runs_once),
		TEST(one_that_runs_is_not_started_again),
		TEST(who_waits_for_a_turn_is_not_timed),
		TEST(timeout_is_told_to_the_check),
		TEST(events_bear_the_entrys_labels),
		TEST(an_event_keeps_its_own_fields),
		TEST(what_each_said_last_is_shown),
		TEST(stop_takes_back_what_was_reported),
		TEST(reload_keeps_the_schedule_of_equal_entries),
		TEST(changed_entry_does_not_retire_its_service),
		TEST(one_that_runs_goes_on_over_a_reload),
		TEST(mistakes_are_reported_all_at_once),
		TEST(a_name_of_the_old_satellite_is_taken),
		TEST(same_service_on_another_host_is_fine),
		TEST(no_checks_are_fine),
		TEST(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
