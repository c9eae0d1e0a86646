/* SPDX-License-Identifier: Apache-2.0 */
/* test_tasks - records of tasks, whatever allocation or call fails. */
#include "unit/tasks.h"

#include <sqlite3.h>
#include <sys/stat.h>

#define CFG(more) "role = \"master\"; modules = ( \"tasks\" ); tasks = { " more " };" \
	" streams = ( { where = \"service = 'mesos/tasks'\"; do = ( \"keep-task\" ); } );"

static void ended(const char *task, const char *state, int64_t time)
{
	published(task, state, time, false);
}

static void what_is_published_is_kept(void **unused)
{
	(void)unused;
	host_up();
	assert_true(host_run(CFG("")));
	ended("a", "TASK_FAILED", sat_wall());
	ended("a", "TASK_FINISHED", sat_wall() - SAT_SECOND);
	ended("b", "TASK_RUNNING", sat_wall());
	ended("c", "TASK_UNREACHABLE", sat_wall());
	ended(NULL, "TASK_FAILED", sat_wall());
	assert_int_equal(ask("/state.json", "task=a"), 200);
	assert_non_null(strstr(answer, "\"state\":\"TASK_FAILED\""));
	assert_non_null(strstr(answer, "\"message\":\"a \\\"message\\\"\""));
	assert_int_equal(ask("/state.json", "task=b"), 404);
	assert_int_equal(ask("/state.json", "task=c"), 404);
	assert_int_equal(ask("/state.json", "task=a'%20OR%201=1--"), 404);
	assert_int_equal(ask("/state.json", NULL), 400);
	assert_int_equal(ask("/tasks", "since=2days&limit=1"), 200);
	assert_non_null(strstr(answer, "\"more\":false}"));
	host_down();
	forget_file();
}

/* What had ended before we came: what is there already stays as it is, and costs nothing. */
static void the_past_is_kept_once(void **unused)
{
	int64_t now;

	(void)unused;
	host_up();
	assert_true(host_run(CFG("")));
	now = sat_wall();
	published("a", "TASK_FAILED", now - SAT_SECOND, true);
	published("b", "TASK_KILLED", 0, true);
	assert_int_equal(ask("/state.json", "task=a"), 200);
	assert_int_equal(ask("/state.json", "task=b"), 200);
	assert_int_equal(counted(COUNT_KEPT), 2);
	published("a", "TASK_FAILED", now - SAT_SECOND, true);
	published("b", "TASK_KILLED", 0, true);
	published("b", "TASK_FAILED", 0, true);
	assert_int_equal(ask("/state.json", "task=b"), 200);
	assert_non_null(strstr(answer, "\"state\":\"TASK_KILLED\""));
	assert_int_equal(counted(COUNT_KEPT), 2);
	/* It ended once more while nobody looked. */
	published("a", "TASK_LOST", now, true);
	assert_int_equal(ask("/state.json", "task=a"), 200);
	assert_non_null(strstr(answer, "\"state\":\"TASK_LOST\""));
	assert_int_equal(counted(COUNT_KEPT), 3);
	host_down();
	forget_file();
}

/* As an agent's satellite has it: when it ended is an attribute. */
static void from_a_slave(const char *state, long long seconds, const char *more, const char *reason)
{
	char ended[40];
	const struct sat_attr attrs[] = { { "agent", "S1" }, { "ended", ended }, { "framework-id", "f-1" },
		{ "reason", reason }, { "task", "a" } };
	const struct sat_event ev = { .size = sizeof(ev), .host = "h", .service = "mesos/tasks/ended", .state = state,
		.attrs = attrs, .n_attrs = 5 };
	const struct sat_event *const evs[] = { &ev };

	snprintf(ended, sizeof(ended), seconds != 0 ? "%lld%s" : "%.0lld%s", seconds, more);
	sat_publish(&self_host, "mesos/tasks", &(struct sat_item){ .evs = evs, .n = 1 }, false);
}

/* One end that both know of: neither takes away what the other knows, though times differ as they are rounded. */
static void the_same_end_adds_what_it_knows(void **unused)
{
	long long at;
	char text[128];

	(void)unused;
	host_up();
	assert_true(host_run(CFG("")));
	at = sat_wall() / SAT_SECOND - 1000;
	ended("a", "TASK_FAILED", at * SAT_SECOND + 123456);
	from_a_slave("TASK_FAILED", at, ".123460", "");
	assert_int_equal(ask("/state.json", "task=a"), 200);
	snprintf(text, sizeof(text), "\"message\":\"a \\\"message\\\"\",\"timestamp\":%lld.123456}", at);
	assert_non_null(strstr(answer, text));
	assert_int_equal(counted(COUNT_KEPT), 1);
	from_a_slave("TASK_FAILED", at, ".123460", "REASON_X");
	assert_int_equal(ask("/state.json", "task=a"), 200);
	assert_non_null(strstr(answer, "\"slave_id\":\"S1\""));
	assert_non_null(strstr(answer, "\"message\":\"a \\\"message\\\"\",\"reason\":\"REASON_X\""));
	assert_non_null(strstr(answer, "\"name\":\"f\""));
	assert_int_equal(counted(COUNT_KEPT), 2);
	/* An older one is none, a later one is another end, of which it says less. */
	from_a_slave("TASK_KILLED", at - 1, ".5", "REASON_Y");
	from_a_slave("TASK_FAILED", at - 1, ".5", "REASON_Y");
	assert_int_equal(ask("/state.json", "task=a"), 200);
	assert_int_equal(counted(COUNT_KEPT), 2);
	from_a_slave("TASK_FAILED", at + 1, ".5", "");
	assert_int_equal(ask("/state.json", "task=a"), 200);
	assert_null(strstr(answer, "message"));
	assert_null(strstr(answer, "reason"));
	/* What is no time is none. */
	from_a_slave("TASK_LOST", 0, "never", "");
	assert_int_equal(ask("/tasks", "since=1hour"), 200);
	assert_non_null(strstr(answer, "TASK_LOST"));
	host_down();
	forget_file();
}

/* Who names a time far ahead does not keep a record for ever. */
static void what_is_to_end_ended_now(void **unused)
{
	(void)unused;
	host_up();
	assert_true(host_run(CFG("")));
	ended("a", "TASK_FAILED", sat_wall() + 1000 * 86400 * SAT_SECOND);
	assert_int_equal(ask("/tasks", "until=0seconds"), 200);
	assert_non_null(strstr(answer, "\"task\":\"a\""));
	ended("a", "TASK_LOST", sat_wall() + 2);
	assert_int_equal(ask("/state.json", "task=a"), 200);
	assert_non_null(strstr(answer, "\"state\":\"TASK_LOST\""));
	host_down();
	forget_file();
}

static void no_more_wait_than_may(void **unused)
{
	char name[16];

	(void)unused;
	host_up();
	assert_true(host_run(CFG("queue = 10;")));
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		ended(name, "TASK_LOST", sat_wall());
	}
	assert_int_equal(ask("/state.json", "task=t9"), 200);
	assert_int_equal(ask("/state.json", "task=t10"), 404);
	host_down();
	forget_file();
}

/* The file outgrows its bound, and the newest stay. */
static void size_is_bounded(void **unused)
{
	char name[16], path[128];
	struct stat st;

	(void)unused;
	host_up();
	assert_true(host_run(CFG("max-bytes = 1048576;")));
	for (int i = 0; i < 24000; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		ended(name, "TASK_LOST", sat_wall() - 24000 + i);
		if (i % 2000 == 1999)
			assert_int_equal(ask("/state.json", "task=t"), 404);
	}
	assert_int_equal(ask("/state.json", "task=t23999"), 200);
	assert_int_equal(ask("/state.json", "task=t0"), 404);
	host_down();
	snprintf(path, sizeof(path), "%s/tasks.db", host_folder);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 500000, 2500000);
	forget_file();
}

/* ---- Searches of the file ----------------------------------------------- */

static int steps;

static int count_steps(void *arg)
{
	(void)arg;
	steps++;
	return 0;
}

static void put_records(struct db *d, const char *host, const char *framework, const char *state, int n)
{
	static int64_t time;
	struct record *list = NULL;

	for (int i = 0; i < n; i++) {
		char id[32];
		struct record *r;

		snprintf(id, sizeof(id), "t%lld", (long long)++time);
		r = record_copy((const char *const [FIELDS]){ [TASK] = id, [FRAMEWORK_ID] = framework, [FRAMEWORK] = framework,
			[HOST] = host, [AGENT] = "", [NAME] = "", [STATE] = state, [REASON] = "", [SOURCE] = "", [EXIT] = "",
			[MESSAGE] = "" }, time);
		assert_non_null(r);
		r->next = list;
		list = r;
	}
	assert_int_equal(db_write(d, list, NULL, time), 0);
	records_free(list);
}

static struct db search_file(void)
{
	static char path[128];
	struct db d = { .path = path, .keep = INT64_MAX / 4, .max_tasks = 1000000, .max_bytes = 1 << 30 };

	snprintf(path, sizeof(path), "%s/tasks.db", host_folder);
	assert_int_equal(db_open(&d), 0);
	return d;
}

/* What few have is found without a look at what many have: host, framework and state, each and together. */
static void a_search_walks_the_fewest(void **unused)
{
	static const struct { const char *host, *framework, *state; unsigned found; } cases[] = {
		{ NULL, NULL, "TASK_ERROR", 2 }, { NULL, NULL, "TASK_LOST", 0 }, { "h", NULL, "TASK_ERROR", 1 },
		{ NULL, "f", "TASK_ERROR", 1 }, { "few", "f", NULL, 20 }, { "h", "few", NULL, 20 },
		{ "h", "few", "TASK_FINISHED", 20 }, { "few", "f", "TASK_FINISHED", 20 }, { "few", "few", NULL, 1 },
		{ "h", "f", NULL, 100 }, { NULL, NULL, NULL, 100 }, { "nobody", "f", "TASK_FINISHED", 0 },
	};
	struct db d = search_file();

	(void)unused;
	put_records(&d, "few", "f", "TASK_FINISHED", 20);
	put_records(&d, "h", "few", "TASK_FINISHED", 20);
	put_records(&d, "h", "f", "TASK_ERROR", 1);
	put_records(&d, "few", "few", "TASK_ERROR", 1);
	put_records(&d, "h", "f", "TASK_FINISHED", 60000);
	sqlite3_progress_handler(d.h, 1000, count_steps, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ask a = { .form = FORM_LINE, .since = INT64_MIN, .until = INT64_MAX,
			.before = { INT64_MAX, INT64_MAX }, .limit = 100,
			.is = { [HOST] = cases[i].host, [FRAMEWORK] = cases[i].framework, [STATE] = cases[i].state } };

		steps = 0;
		assert_int_equal(db_find(&d, &a), 0);
		assert_int_equal(a.found, cases[i].found);
		assert_in_range(steps, 0, 100);		/* of 60,000 records: over 400 */
		sat_buf_free(&a.out);
	}
	db_close(&d);
	forget_file();
}

/* One that was made before there was an index of states gets it, and answers without, too. */
static void an_older_file_is_searched(void **unused)
{
	struct db d = search_file();
	struct ask a = { .form = FORM_LINE, .since = INT64_MIN, .until = INT64_MAX,
		.before = { INT64_MAX, INT64_MAX }, .limit = 9,
		.is = { [STATE] = "TASK_LOST" } };

	(void)unused;
	put_records(&d, "h", "f", "TASK_LOST", 3);
	assert_int_equal(sqlite3_exec(d.h, "DROP INDEX by_state; PRAGMA user_version=2", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(db_find(&d, &a), 0);
	assert_int_equal(a.found, 3);
	sat_buf_free(&a.out);
	db_close(&d);
	assert_int_equal(db_open(&d), 0);
	assert_int_equal(sqlite3_exec(d.h, "SELECT 1 FROM tasks INDEXED BY by_state WHERE state = 'TASK_LOST'", NULL, NULL,
				      NULL), SQLITE_OK);
	db_close(&d);
	forget_file();
}

/* ---- Failures ----------------------------------------------------------- */

/* Whatever fails once: no answer is wrong, nothing leaks, and the next try works. */
static void run_failing(void (*arm)(int nth))
{
	bool fired = true;

	for (int nth = 1; fired; nth++) {
		int got = 0;

		assert_true(nth < 2000);
		host_up();
		assert_true(host_run(CFG("")));
		arm(nth);
		ended("x", "TASK_FAILED", sat_wall());
		ask("/tasks", "host=h");
		got = ask("/state.json", "task=x");
		assert_true(got == 0 || got == 200 || got == 404 || got == 500 || got == 503);
		fired = fault_fired();
		arm(0);
		ended("y", "TASK_FAILED", sat_wall());
		assert_int_equal(ask("/state.json", "task=y"), 200);
		host_down();
		forget_file();
	}
}

static void each_allocation_fails_once(void **unused)
{
	(void)unused;
	run_failing(fault_arm);
}

static void each_call_fails_once(void **unused)
{
	(void)unused;
	run_failing(fault_arm_call);
}

static void mistakes_are_refused(void **unused)
{
	(void)unused;
	host_up();
	assert_false(host_run(CFG("path = \"\";")));
	assert_false(host_run(CFG("keep-days = 0;")));
	assert_false(host_run(CFG("max-bytes = 1000;")));
	assert_true(host_run(CFG("keep-days = 1.5;")));
	host_down();
	forget_file();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_published_is_kept),
		cmocka_unit_test(the_past_is_kept_once),
		cmocka_unit_test(the_same_end_adds_what_it_knows),
		cmocka_unit_test(what_is_to_end_ended_now),
		cmocka_unit_test(no_more_wait_than_may),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(a_search_walks_the_fewest),
		cmocka_unit_test(an_older_file_is_searched),
		cmocka_unit_test(each_allocation_fails_once),
		cmocka_unit_test(each_call_fails_once),
		cmocka_unit_test(mistakes_are_refused),
	};

	return cmocka_run_group_tests(tests, host_begin, host_end);
}
