/* SPDX-License-Identifier: Apache-2.0 */
/* test_blackhole_attributed - a bad host is told from a bad framework; minimum samples, repeats, the window, saved states. */
#include "unit/flow.h"

#define STREAMS	"streams = ( { blackhole = \"attributed\"; window = 300; min-tasks = 10; id = \"b\"; do = { tap = \"t\"; }; } );"
#define HOST(h, state)	"t:" h "/task blackhole detected/" state " "
#define FRAMEWORK(f, state)	"t:-/tasks of framework " f " fail/" state " "

static unsigned serial;
static double now;

static int begin(void **unused)
{
	(void)unused;
	serial = 0;
	flow_begin(1000);
	now = 1000;
	flow_swap(STREAMS);
	return 0;
}

static void pass(double seconds)
{
	flow_at(now += seconds);
}

static void ended_as(const char *host, const char *framework, const char *state, const char *task, const char *source)
{
	struct sat_attr attrs[] = { { "framework", framework }, { "source", source }, { "task", task } };
	struct event ev = flow_event(host, "mesos/tasks", state, 60);

	ev.pub.attrs = attrs;
	ev.pub.n_attrs = 3;
	engine_input(&ev);
}

static void ended(const char *host, const char *framework, const char *state)
{
	char task[32];

	snprintf(task, sizeof(task), "task-%u", ++serial);
	ended_as(host, framework, state, task, "SOURCE_EXECUTOR");
}

static void some(const char *host, const char *framework, int failed, int well)
{
	for (int i = 0; i < failed; i++)
		ended(host, framework, "TASK_FAILED");
	for (int i = 0; i < well; i++)
		ended(host, framework, "TASK_FINISHED");
}

/* Three that are well. */
static void others(const char *framework)
{
	some("a", framework, 1, 9);
	some("b", framework, 0, 9);
	some("c", framework, 0, 9);
	flow_seen[0] = '\0';
}

static void a_bad_host_is_found_and_says_why(void **unused)
{
	const struct sat_event *ev;

	(void)unused;
	flow_swap("streams = ( { blackhole = \"attributed\"; min-tasks = 10; do = ( \"index\", { tap = \"t\"; } ); } );");
	others("spark");
	others("marathon");
	some("bad", "spark", 5, 0);
	some("bad", "marathon", 4, 0);
	flow_was("");
	some("bad", "marathon", 1, 0);
	flow_was(HOST("bad", "critical"));
	ev = sat_index_get("bad", "task blackhole detected");
	assert_string_equal(ev->description, "10 of 10 tasks failed in 300 s, where 0.517 are to be expected from the same "
			    "frameworks on other hosts (spark 5 of 5, marathon 5 of 5)");
	assert_string_equal(sat_attr(ev, "failed"), "10");
	assert_string_equal(sat_attr(ev, "tasks"), "10");
	assert_string_equal(sat_attr(ev, "expected"), "0.517");
	assert_true(ev->ttl == 300);
	/* The others are as they were. */
	some("a", "spark", 0, 5);
	assert_null(strstr(flow_seen, "critical"));
}

static void a_bad_framework_makes_no_host_suspect(void **unused)
{
	static const char *const hosts[] = { "a", "b", "c", "d", "e" };

	(void)unused;
	others("fine");
	for (int i = 0; i < 20; i++)
		some(hosts[i % 5], "broken", 1, 0);
	assert_null(strstr(flow_seen, "tasks of"));	/* what fails ends first */
	pass(150);
	/* e runs nothing else, and all of it fails. */
	some("e", "broken", 100, 0);
	assert_null(strstr(flow_seen, "blackhole detected/critical"));
	assert_non_null(strstr(flow_seen, FRAMEWORK("broken", "critical")));
	flow_seen[0] = '\0';
	/* Before what was told of it expires, it is told again, but not each time. */
	some("a", "broken", 5, 0);
	assert_null(strstr(flow_seen, "tasks of"));
	pass(30);
	some("a", "broken", 1, 0);
	assert_non_null(strstr(flow_seen, FRAMEWORK("broken", "critical")));
	flow_seen[0] = '\0';
	/* Once its tasks end well, that is told, too. */
	for (int i = 0; i < 400; i++)
		some(hosts[i % 5], "broken", 0, 1);
	assert_non_null(strstr(flow_seen, FRAMEWORK("broken", "ok")));
}

static void bad_hosts_make_no_framework_suspect(void **unused)
{
	static const char *const bad[] = { "x", "y", "z" };

	(void)unused;
	/* Of them alone tasks have ended yet. */
	for (int i = 0; i < 3; i++)
		some(bad[i], "fine", 12, 0);
	pass(100);
	for (int i = 0; i < 3; i++) {
		some("a", "fine", 0, 4);
		some("b", "fine", 0, 4);
		some("c", "fine", 0, 4);
	}
	pass(60);
	for (int i = 0; i < 3; i++)
		some(bad[i], "fine", 12, 0);
	assert_non_null(strstr(flow_seen, HOST("x", "critical")));
	assert_non_null(strstr(flow_seen, HOST("y", "critical")));
	assert_non_null(strstr(flow_seen, HOST("z", "critical")));
	/* They are known: what else fails there says nothing of it. */
	for (int i = 0; i < 3; i++)
		some(bad[i], "new", 10, 0);
	pass(155);
	some("a", "new", 0, 3);
	for (int i = 0; i < 3; i++)
		some(bad[i], "new", 10, 0);
	assert_null(strstr(flow_seen, "tasks of"));
	/* But when it fails everywhere. */
	some("a", "new", 9, 0);
	some("b", "new", 9, 0);
	some("c", "new", 9, 0);
	assert_non_null(strstr(flow_seen, FRAMEWORK("new", "critical")));
}

/* A black hole takes very many tasks; they do not make it the measure of others. */
static void two_bad_hosts_are_both_found(void **unused)
{
	(void)unused;
	others("f");
	for (int i = 0; i < 400; i++) {
		some("bad1", "f", 1, 0);
		some("bad2", "f", 1, 0);
	}
	assert_non_null(strstr(flow_seen, HOST("bad1", "critical")));
	assert_non_null(strstr(flow_seen, HOST("bad2", "critical")));
}

static void without_others_nobody_can_tell(void **unused)
{
	(void)unused;
	some("a", "alone", 200, 0);
	flow_was("");
	some("b", "alone", 0, 50);	/* one other is no crowd */
	flow_was("");
}

static void a_task_counts_once(void **unused)
{
	(void)unused;
	others("f");
	for (int i = 0; i < 50; i++)
		ended_as("bad", "f", "TASK_FAILED", "the same", "SOURCE_EXECUTOR");
	flow_was("");
	some("bad", "f", 9, 0);
	flow_was(HOST("bad", "critical"));
	/* Without a name each is another. */
	others("g");
	for (int i = 0; i < 10; i++) {
		struct sat_attr attr = { "framework", "g" };
		struct event ev = flow_event("nameless", "mesos/tasks", "TASK_FAILED", 60);

		ev.pub.attrs = &attr;
		ev.pub.n_attrs = 1;
		engine_input(&ev);
	}
	flow_was(HOST("nameless", "critical"));
}

static void the_same_id(const char *framework_id, const char *agent)
{
	struct sat_attr attrs[] = {
		{ "agent", agent }, { "framework", "f" }, { "framework-id", framework_id }, { "task", "1" },
	};
	struct event ev = flow_event("bad", "mesos/tasks", "TASK_FAILED", 60);

	ev.pub.attrs = attrs;
	ev.pub.n_attrs = 4;
	engine_input(&ev);
}

static void ids_are_a_framework_s_own(void **unused)
{
	char id[16];

	(void)unused;
	others("f");
	for (int i = 0; i < 9; i++) {
		snprintf(id, sizeof(id), "f-%d", i);
		the_same_id(id, "A1");
		the_same_id(id, "A1");
	}
	flow_was("");
	the_same_id("f-1", "A2");
	flow_was(HOST("bad", "critical"));
}

static void frameworks_beyond_number_count_together(void **unused)
{
	static const char *const hosts[] = { "a", "b", "c", "bad" };
	const struct sat_event *ev;
	char name[16];

	(void)unused;
	flow_swap("streams = ( { blackhole = \"attributed\"; min-tasks = 10; do = ( \"index\", { tap = \"t\"; } ); } );");
	for (int i = 0; i < 4 * 1024; i++) {
		snprintf(name, sizeof(name), "f%d", i / 4);
		some(hosts[i % 4], name, 0, 1);
	}
	others("late");
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "late-%d", i);
		some("bad", name, 1, 0);
	}
	flow_was(HOST("bad", "critical"));
	ev = sat_index_get("bad", "task blackhole detected");
	assert_non_null(strstr(ev->description, "on other hosts (others 10 of 10)"));
	/* As many leave it in one go as there are. */
	pass(301);
	assert_non_null(strstr(flow_seen, HOST("bad", "ok")));
	assert_int_equal(timer_count(), 0);
}

static void a_name_is_cut(void **unused)
{
	char name[1000] = { 0 };

	(void)unused;
	memset(name, 'f', sizeof(name) - 1);
	others(name);
	some("bad", name, 5, 0);
	name[300] = '\0';
	some("bad", name, 5, 0);
	flow_was(HOST("bad", "critical"));
}

static void what_says_nothing_of_a_host_is_not_counted(void **unused)
{
	struct event late;

	(void)unused;
	others("f");
	for (int i = 0; i < 30; i++) {
		char task[32];

		snprintf(task, sizeof(task), "lost-%d", i);
		ended_as("x", "f", "TASK_LOST", task, "SOURCE_MASTER");
		ended("x", "f", "TASK_KILLED");
		ended("x", "f", "TASK_ERROR");
		ended("x", "f", "TASK_RUNNING");
		late = flow_event("x", "mesos/tasks", "TASK_FAILED", 60);
		late.pub.time -= 301 * SAT_SECOND;
		engine_input(&late);
		flow_push(NULL, "mesos/tasks", "TASK_FAILED", 60);
		flow_push("x", "mesos/tasks", NULL, 60);
	}
	flow_was("");
	for (int i = 0; i < 10; i++) {
		char task[32];

		snprintf(task, sizeof(task), "dropped-%d", i);
		ended_as("x", "f", "TASK_LOST", task, "SOURCE_AGENT");
	}
	flow_was(HOST("x", "critical"));
}

static void it_ends_with_the_window(void **unused)
{
	(void)unused;
	others("f");
	pass(100);
	some("bad", "f", 10, 0);
	flow_was(HOST("bad", "critical"));
	pass(10);
	some("bad", "f", 1, 0);
	flow_was("");			/* as it was, and told not long ago */
	pass(30);
	some("bad", "f", 1, 0);
	flow_was(HOST("bad", "critical"));
	/* The others' leave, so that nobody can be compared, and then its own. */
	pass(261);
	flow_was(HOST("bad", "ok"));
	pass(1000);
	flow_was("");
	assert_int_equal(timer_count(), 0);
}

static void few_frameworks_are_asked_for(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { blackhole = \"attributed\"; min-tasks = 10; min-frameworks = 2; do = { tap = \"t\"; }; } );");
	others("f");
	others("g");
	some("bad", "f", 40, 0);
	flow_was("");
	some("bad", "g", 1, 0);
	flow_was(HOST("bad", "critical"));
}

/* Slightly worse than others is no black hole, however sure that is. */
static void many_tasks_do_not_make_a_small_difference_large(void **unused)
{
	(void)unused;
	for (int i = 0; i < 300; i++) {
		some(i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c", "f", i % 5 < 2, i % 5 >= 2);
		some("x", "f", i % 2, !(i % 2));
	}
	for (int i = 0; i < 3000; i++)
		some("x", "f", i % 2, !(i % 2));
	assert_null(strstr(flow_seen, "detected/critical"));
}

static void more_than_it_holds_leaves_early(void **unused)
{
	(void)unused;
	some("bad", "f", 20, 0);
	for (int i = 0; i < (1 << 18) + 100; i++)
		some(i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c", "f", 0, 1);
	flow_seen[0] = '\0';
	some("bad", "f", 9, 0);
	flow_was("");
	some("bad", "f", 1, 0);
	flow_was(HOST("bad", "critical"));
}

/* ---- Saved states, faults ----------------------------------------------- */


static void it_comes_back(void **unused)
{
	(void)unused;
	others("f");
	some("bad", "f", 10, 0);
	some("new", "f", 9, 0);
	flow_forget(0);
	assert_int_equal(streams_save(engine_streams(), flow_keep, NULL), 0);
	flow_over();
	for (size_t cut = 1; cut < flow_saved.len[0]; cut += 37) {
		flow_begin(5000);
		flow_swap(STREAMS);
		assert_int_not_equal(streams_load(engine_streams(), flow_saved.text[0], flow_saved.len[0] - cut), 0);
		flow_over();
	}
	flow_begin(5000);
	now = 5000;
	flow_swap(STREAMS);
	assert_int_equal(streams_load(engine_streams(), flow_saved.text[0], flow_saved.len[0]), 0);
	some("new", "f", 1, 0);
	flow_was(HOST("new", "critical"));
	/* What was told of before the restart ends after it. */
	pass(301);
	assert_non_null(strstr(flow_seen, HOST("bad", "ok")));
	assert_non_null(strstr(flow_seen, HOST("new", "ok")));
}

/* Whatever a file says, it is loaded or refused, can be saved again, and is gone after a window. */
static void what_was_saved_may_be_anything(void **unused)
{
	static char record[65536];

	(void)unused;
	others("f");
	flow_forget(0);
	assert_int_equal(streams_save(engine_streams(), flow_keep, NULL), 0);
	for (size_t i = 0; i < flow_saved.len[0]; i++) {
		flow_over();
		flow_begin(5000);
		now = 5000;
		flow_swap(STREAMS);
		memcpy(record, flow_saved.text[0], flow_saved.len[0]);
		record[i] = (char)(i % 2 ? 0xff : 0x80);
		streams_load(engine_streams(), record, flow_saved.len[0]);
		flow_forget(1);
		assert_int_equal(streams_save(engine_streams(), flow_keep, NULL), 0);
		pass(301);
		assert_int_equal(timer_count(), 0);
	}
}

static void every_failing_call_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		fault_arm(++nth);
		flow_end(engine_swap(flow_build(STREAMS)));
		others("f");
		some("bad", "f", 12, 0);
		pass(301);
		some("a", "g", 70, 0);
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
		TEST(a_bad_host_is_found_and_says_why),
		TEST(a_bad_framework_makes_no_host_suspect),
		TEST(bad_hosts_make_no_framework_suspect),
		TEST(two_bad_hosts_are_both_found),
		TEST(without_others_nobody_can_tell),
		TEST(a_task_counts_once),
		TEST(ids_are_a_framework_s_own),
		TEST(frameworks_beyond_number_count_together),
		TEST(a_name_is_cut),
		TEST(what_says_nothing_of_a_host_is_not_counted),
		TEST(it_ends_with_the_window),
		TEST(few_frameworks_are_asked_for),
		TEST(many_tasks_do_not_make_a_small_difference_large),
		TEST(more_than_it_holds_leaves_early),
		TEST(it_comes_back),
		TEST(what_was_saved_may_be_anything),
		TEST(every_failing_call_is_survived),
	};

	log_open("/dev/null", LOG_DEBUG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
