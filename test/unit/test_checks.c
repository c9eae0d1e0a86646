/* SPDX-License-Identifier: Apache-2.0 */
/* test_checks - what the built-in checks measure, and how they judge it. */
#include <sys/stat.h>
#include <unistd.h>

#include "unit/bed.h"

extern const struct sat_module sat_module_checks;

static int up(void **unused)
{
	(void)unused;
	bed_up(&sat_module_checks);
	return 0;
}

static int down(void **unused)
{
	(void)unused;
	bed_down();
	return 0;
}

static char path[] = "/tmp/test_checks.XXXXXX";

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Run one check once; its event. */
static const struct sat_event *look(const char *entry)
{
	char list[512];

	bed_end_checks();
	snprintf(list, sizeof(list), "{ interval = 0.1; ttl = 60; %s }", entry);
	assert_non_null(bed_build("", list));
	bed_wait(1);
	return bed.seen[0];
}

static const struct sat_event *look_at(const char *check, const char *text, double threshold)
{
	char entry[256];

	put(text);
	snprintf(entry, sizeof(entry), "check = \"%s\"; file = \"%s\"; threshold = %g;", check, path, threshold);
	return look(entry);
}

#define MEMINFO "MemTotal: 16000 kB\nMemFree:       51200 kB\nSwapCached: 1 kB\n" \
	"SwapTotal: 20480 kB\nSwapFree: 10240 kB\n"
#define NO_SWAP "MemFree: 51200 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"

static void expect(const struct sat_event *ev, const char *service, const char *state, int64_t metric)
{
	assert_string_equal(ev->service, service);
	assert_string_equal(ev->state, state);
	assert_true(ev->has & SAT_HAS_INT);
	assert_int_equal(ev->metric.i, metric);
	assert_float_equal(ev->ttl, 60, 0);
}

static void memory_must_be_above_the_threshold(void **unused)
{
	(void)unused;
	expect(look_at("free-memory", MEMINFO, 49), "free memory in MB", "ok", 50);
	expect(look_at("free-memory", MEMINFO, 50), "free memory in MB", "critical", 50);
	assert_string_equal(bed.seen[0]->description, "50 MiB free, threshold 50");
}

static void swap_must_be_above_the_threshold(void **unused)
{
	(void)unused;
	expect(look_at("free-swap", MEMINFO, 9), "free swap in MB", "ok", 10);
	expect(look_at("free-swap", MEMINFO, 10), "free swap in MB", "critical", 10);
	expect(look_at("free-swap", NO_SWAP, 10), "free swap in MB", "critical", 0);
	expect(look_at("free-swap-iff-swap", NO_SWAP, 10), "free swap iff swap in MB", "ok", 0);
	expect(look_at("free-swap-iff-swap", MEMINFO, 10), "free swap iff swap in MB", "critical", 10);
}

static void load_is_the_third_field(void **unused)
{
	const struct sat_event *ev = look_at("load-average", "0.50 1.25 29.99 1/234 5678\n", 30);

	(void)unused;
	assert_string_equal(ev->service, "load average over past 15 minutes");
	assert_string_equal(ev->state, "ok");
	assert_float_equal(ev->metric.d, 29.99, 1e-9);
	ev = look_at("load-average", "0.50 1.25 30.00 1/234 5678\n", 30);
	assert_string_equal(ev->state, "critical");
}

static void what_cannot_be_read_is_critical(void **unused)
{
	(void)unused;
	assert_string_equal(look_at("free-memory", "MemFree: lots\n", 1)->state, "critical");
	assert_string_equal(look_at("free-memory", "", 1)->state, "critical");
	assert_string_equal(look_at("load-average", "1.0 2.0", 1)->state, "critical");
	assert_string_equal(look("check = \"free-memory\"; file = \"/nonexistent\";")->state, "critical");
	assert_string_equal(bed.seen[0]->description, "/nonexistent: No such file or directory");
	assert_false(bed.seen[0]->has & SAT_HAS_METRIC);
}

static void this_host_can_be_read(void **unused)
{
	static const char *const names[] = { "free-memory", "free-swap", "free-swap-iff-swap", "load-average",
					     "num-uninterruptable-processes" };
	char entry[128];

	(void)unused;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(entry, sizeof(entry), "check = \"%s\"; threshold = 0;", names[i]);
		assert_true(look(entry)->has & SAT_HAS_METRIC);
	}
}

static void processes_in_state_d_are_counted(void **unused)
{
	char dir[] = "/tmp/test_checks.XXXXXX", name[64], entry[128];
	const char *const stats[] = { "1 (a) D 0", "22 (b) ) R) S 1", "333 (x) D) R 1", "4 (y) D D 1" };
	FILE *f;

	(void)unused;
	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s/%d", dir, i);
		mkdir(name, 0700);
		snprintf(name, sizeof(name), "%s/%d/stat", dir, i);
		f = fopen(name, "w");
		assert_non_null(f);
		fputs(stats[i], f);
		fclose(f);
	}
	snprintf(entry, sizeof(entry), "check = \"num-uninterruptable-processes\"; file = \"%s\"; threshold = 2;",
		 dir);
	expect(look(entry), "number of processes in uninterruptible sleep", "critical", 2);
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s/%d/stat", dir, i);
		unlink(name);
		snprintf(name, sizeof(name), "%s/%d", dir, i);
		rmdir(name);
	}
	rmdir(dir);
}

/* As df says, to the percent. */
static void used_is_what_df_says(void **unused)
{
	const struct sat_event *ev = look("check = \"percentage-used\"; path = \"/tmp\"; threshold = 101;");
	FILE *df = popen("df --output=pcent /tmp | tail -1", "r");
	long percent = -1;

	(void)unused;
	assert_non_null(df);
	assert_int_equal(fscanf(df, "%ld", &percent), 1);
	pclose(df);
	assert_string_equal(ev->service, "percentage used of /tmp");
	assert_string_equal(ev->state, "ok");
	assert_in_range(ev->metric.i + 1, percent, percent + 2);
	assert_string_equal(look("check = \"percentage-used\"; path = \"/tmp\"; threshold = 0;")->state, "critical");
	assert_string_equal(look("check = \"percentage-used\"; path = \"/nonexistent\";")->state, "critical");
	assert_string_equal(look("check = \"percentage-used\"; path = \"/proc\";")->state, "unknown");
}

static void files_are_there_or_not(void **unused)
{
	(void)unused;
	expect(look("check = \"file-exists\"; path = \"/etc/passwd\";"), "/etc/passwd exists", "ok", 0);
	expect(look("check = \"file-exists\"; path = \"/nonexistent\";"), "/nonexistent exists", "critical", 1);
	assert_string_equal(bed.seen[0]->description, "/nonexistent is missing");
}

static void mistakes_are_refused(void **unused)
{
	(void)unused;
	assert_null(bed_build("", "{ check = \"percentage-used\"; }, { check = \"file-exists\"; path = \"x\"; }, "
				  "{ check = \"free-memory\"; threshold = \"much\"; }"));
	assert_int_equal(conf_mistakes(), 3);
}

/* A check runs with the nth allocation failing: it reports something, or says nothing, and lives. */
static void every_failure_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		bed_end_checks();
		assert_non_null(bed_build("", "{ check = \"file-exists\"; path = \"/etc/passwd\"; interval = 0.1; }"));
		fault_arm(++nth);
		checks_adopt(bed.checks, NULL);
		bed_run_for(110);
		fired = fault_fired();
		fault_arm(0);
	} while (fired && nth < 100);
	assert_true(nth > 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(memory_must_be_above_the_threshold),
		TEST(swap_must_be_above_the_threshold),
		TEST(load_is_the_third_field),
		TEST(what_cannot_be_read_is_critical),
		TEST(this_host_can_be_read),
		TEST(processes_in_state_d_are_counted),
		TEST(used_is_what_df_says),
		TEST(files_are_there_or_not),
		TEST(mistakes_are_refused),
		TEST(every_failure_is_survived),
	};
	int rc;

	close(mkstemp(path));
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}
