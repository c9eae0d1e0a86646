/* SPDX-License-Identifier: Apache-2.0 */
/* test_checks - what the built-in checks measure, and how they judge it. */
#include <sys/stat.h>
#include <sys/timex.h>
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

#define MEMINFO "MemTotal: 16000 kB\nMemFree:       51200 kB\nMemAvailable: 102400 kB\nSwapCached: 1 kB\n" \
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
	expect(look_at("free-swap", NO_SWAP, 0), "free swap in MB", "critical", 0);
	expect(look_at("free-swap", NO_SWAP, -1), "free swap in MB", "ok", 0);
	expect(look_at("free-swap-iff-swap", NO_SWAP, 10), "free swap iff swap in MB", "ok", 0);
	expect(look_at("free-swap-iff-swap", MEMINFO, 10), "free swap iff swap in MB", "critical", 10);
}

static void available_memory_must_be_above_the_threshold(void **unused)
{
	(void)unused;
	expect(look_at("available-memory", MEMINFO, 99), "available memory in MB", "ok", 100);
	expect(look_at("available-memory", MEMINFO, 100), "available memory in MB", "critical", 100);
	assert_string_equal(look_at("available-memory", NO_SWAP, 1)->state, "critical");
	assert_non_null(strstr(bed.seen[0]->description, "tells no MemAvailable"));
}

/* Between the two limits it is a warning; one that could never be seen is a mistake. */
static void a_warning_comes_before_the_threshold(void **unused)
{
	char entry[256];

	(void)unused;
	put(MEMINFO);
	snprintf(entry, sizeof(entry), "check = \"free-memory\"; file = \"%s\"; threshold = 20; warning = 50;", path);
	expect(look(entry), "free memory in MB", "warning", 50);
	assert_string_equal(bed.seen[0]->description, "50 MiB free, warning 50, threshold 20");
	snprintf(entry, sizeof(entry), "check = \"free-memory\"; file = \"%s\"; threshold = 20; warning = 49;", path);
	expect(look(entry), "free memory in MB", "ok", 50);
	snprintf(entry, sizeof(entry), "check = \"free-memory\"; file = \"%s\"; threshold = 1048577; warning = 4000000.5;", path);
	assert_string_equal(look(entry)->description, "50 MiB free, warning 4000000.5, threshold 1048577");
	put("0 0 7.5");
	snprintf(entry, sizeof(entry), "check = \"load-average\"; file = \"%s\"; threshold = 8; warning = 7.5;", path);
	assert_string_equal(look(entry)->state, "warning");
	bed_end_checks();
	assert_null(bed_build("", "{ check = \"free-memory\"; threshold = 50; warning = 50; }, "
				  "{ check = \"load-average\"; threshold = 8; warning = 9; }"));
	assert_int_equal(conf_mistakes(), 2);
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
		snprintf(entry, sizeof(entry), "check = \"%s\"; threshold = 1e12;", names[i]);
		assert_string_equal(look(entry)->state, i < 2 ? "critical" : "ok");
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

#define PRESSURE "some avg10=1.50 avg60=12.34 avg300=2.00 total=7\nfull avg10=0.00 avg60=3.00 avg300=1.00 total=3\n"

static const struct sat_event *look_at_pressure(const char *settings)
{
	char dir[] = "/tmp/test_checks.XXXXXX", name[64], entry[256];
	const struct sat_event *ev;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(name, sizeof(name), "%s/memory", dir);
	f = fopen(name, "w");
	assert_non_null(f);
	fputs(PRESSURE, f);
	fclose(f);
	snprintf(entry, sizeof(entry), "check = \"pressure\"; file = \"%s\"; %s", dir, settings);
	ev = look(entry);
	unlink(name);
	rmdir(dir);
	return ev;
}

static void pressure_is_that_of_a_line_and_a_window(void **unused)
{
	const struct sat_event *ev = look_at_pressure("resource = \"memory\"; threshold = 20; warning = 12;");

	(void)unused;
	assert_string_equal(ev->service, "memory pressure some over past 60 seconds");
	assert_string_equal(ev->state, "warning");
	assert_float_equal(ev->metric.d, 12.34, 1e-9);
	ev = look_at_pressure("resource = \"memory\"; stall = \"full\"; over = 300; threshold = 1;");
	assert_string_equal(ev->service, "memory pressure full over past 300 seconds");
	assert_string_equal(ev->state, "critical");
	assert_float_equal(ev->metric.d, 1, 0);
	assert_string_equal(ev->description, "all tasks stalled on memory for 1.00% of the last 300 s, threshold 1");
	ev = look_at_pressure("resource = \"io\";");
	assert_string_equal(ev->state, "critical");
	assert_non_null(strstr(ev->description, "/io: No such file or directory"));
}

/* The C library's, as far as the check is concerned. */
static struct { struct timex t; int result; } kernel_clock;

int adjtimex(struct timex *t)
{
	assert_int_equal(t->modes, 0);
	*t = kernel_clock.t;
	errno = EPERM;
	return kernel_clock.result;
}

static const struct sat_event *look_at_clock(int result, int status, long offset, const char *more)
{
	char entry[128];

	kernel_clock.result = result;
	kernel_clock.t = (struct timex){ .status = status, .offset = offset, .maxerror = 2500 };
	snprintf(entry, sizeof(entry), "check = \"clock-offset\"; threshold = 5; %s", more);
	return look(entry);
}

static void a_clock_is_off_or_not_synchronised(void **unused)
{
	const struct sat_event *ev = look_at_clock(TIME_OK, STA_PLL | STA_NANO, -1500000, "");

	(void)unused;
	assert_string_equal(ev->service, "clock offset in ms");
	assert_string_equal(ev->state, "ok");
	assert_float_equal(ev->metric.d, -1.5, 1e-9);
	assert_string_equal(ev->description, "synchronised, -1.5 ms off, within 2.5 ms, threshold 5");
	assert_string_equal(look_at_clock(TIME_OK, STA_PLL, -5000, "")->state, "critical");	/* microseconds */
	assert_string_equal(look_at_clock(TIME_OK, STA_PLL, 1500, "warning = 1.5;")->state, "warning");
	ev = look_at_clock(TIME_ERROR, STA_UNSYNC, 0, "");
	assert_string_equal(ev->state, "critical");
	assert_non_null(strstr(ev->description, "not synchronised"));
	assert_string_equal(look_at_clock(TIME_ERROR, STA_UNSYNC, 0, "unsynchronised = \"warning\";")->state, "warning");
	ev = look_at_clock(-1, 0, 0, "unsynchronised = \"ok\";");
	assert_string_equal(ev->state, "critical");
	assert_string_equal(ev->description, "adjtimex: Operation not permitted");
}

/* A process of a folder like /proc. */
static void put_process(const char *dir, int pid, const char *stat, const char *words, size_t len)
{
	const char *const names[] = { "stat", "cmdline" };
	const char *const texts[] = { stat, words };
	const size_t lens[] = { strlen(stat), len };
	char name[96];
	FILE *f;

	snprintf(name, sizeof(name), "%s/%d", dir, pid);
	mkdir(name, 0700);
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s/%d/%s", dir, pid, names[i]);
		f = fopen(name, "w");
		assert_non_null(f);
		fwrite(texts[i], 1, lens[i], f);
		fclose(f);
	}
}

static const char *procs;

static const struct sat_event *look_for(const char *settings)
{
	char entry[256];

	snprintf(entry, sizeof(entry), "check = \"process-present\"; file = \"%s\"; %s", procs, settings);
	return look(entry);
}

static void processes_are_found_by_name_and_by_command_line(void **unused)
{
	char dir[] = "/tmp/test_checks.XXXXXX", command[64];

	(void)unused;
	procs = mkdtemp(dir);
	assert_non_null(procs);
	put_process(dir, 1, "1 (init) S 0", "/sbin/init\0splash", 17);
	put_process(dir, 2, "2 (worker (x)) S 1", "java\0-jar\0work.jar\0", 19);
	put_process(dir, 3, "3 (worker (x)) R 1", "java\0-jar\0other.jar\0", 20);
	put_process(dir, 4, "4 (worker (x)) Z 1", "", 0);
	put_process(dir, 5, "5 (a-name-of-fifte) S 1", "a-name-of-fifteen\0", 18);
	expect(look_for("name = \"init\";"), "number of processes init", "ok", 1);
	expect(look_for("name = \"worker (x)\"; max = 1;"), "number of processes worker (x)", "critical", 2);
	assert_string_equal(bed.seen[0]->description, "2 processes, at least 1, at most 1");
	expect(look_for("name = \"worker (x)\"; min = 3;"), "number of processes worker (x)", "critical", 2);
	expect(look_for("name = \"nobody\";"), "number of processes nobody", "critical", 0);
	expect(look_for("name = \"nobody\"; min = 0; max = 0;"), "number of processes nobody", "ok", 0);
	expect(look_for("name = \"a-name-of-fifteen\";"), "number of processes a-name-of-fifteen", "ok", 1);
	expect(look_for("pattern = \"^java -jar [a-z]+.jar$\"; min = 2;"), "number of processes ^java -jar [a-z]+.jar$",
	       "ok", 2);
	expect(look_for("pattern = \"init splas.$\";"), "number of processes init splas.$", "ok", 1);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	assert_string_equal(look_for("name = \"init\";")->state, "critical");
	assert_non_null(strstr(bed.seen[0]->description, "No such file or directory"));
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

static void inodes_are_what_df_says(void **unused)
{
	const struct sat_event *ev = look("check = \"inodes-used\"; path = \"/tmp\"; threshold = 101;");
	FILE *df = popen("df --output=ipcent /tmp | tail -1 | tr -d ' %'", "r");
	char said[32] = "";

	(void)unused;
	assert_non_null(df);
	assert_non_null(fgets(said, sizeof(said), df));
	pclose(df);
	assert_string_equal(ev->service, "percentage of inodes used of /tmp");
	assert_string_equal(ev->state, "ok");
	assert_in_range(ev->metric.i + 1, strtol(said, NULL, 10), strtol(said, NULL, 10) + 2);
	assert_string_equal(look("check = \"inodes-used\"; path = \"/nonexistent\";")->state, "critical");
	expect(look("check = \"inodes-used\"; path = \"/proc\";"), "percentage of inodes used of /proc", "ok", 0);
	assert_non_null(strstr(bed.seen[0]->description, "does not count inodes"));
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
				  "{ check = \"free-memory\"; threshold = \"much\"; }, "
				  "{ check = \"pressure\"; resource = \"disk\"; stall = \"half\"; over = 20; }, "
				  "{ check = \"clock-offset\"; unsynchronised = \"bad\"; }, "
				  "{ check = \"process-present\"; }, "
				  "{ check = \"process-present\"; name = \"a\"; pattern = \"b\"; }, "
				  "{ check = \"process-present\"; pattern = \"(\"; }, "
				  "{ check = \"process-present\"; name = \"a\"; min = 2; max = 1; }"));
	assert_int_equal(conf_mistakes(), 11);
}

static void every_failure_is_survived(void **unused)
{
	(void)unused;
	bed_survives("{ check = \"file-exists\"; path = \"/etc/passwd\"; interval = 0.1; }", 4);
	bed_survives("{ check = \"process-present\"; name = \"init\"; interval = 0.1; }", 4);
}

/* The same while an entry is built: it is refused, or is whole. */
static void every_failure_to_build_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		bed_end_checks();
		conf_forgive();
		bed.arm = ++nth;
		bed_build("", "{ check = \"pressure\"; resource = \"cpu\"; }, { check = \"clock-offset\"; }, "
			      "{ check = \"process-present\"; name = \"x\"; }, { check = \"inodes-used\"; path = \"/\"; }");
		fired = fault_fired();
		fault_arm(0);
	} while (fired && nth < 400);
	assert_non_null(bed.checks);
	assert_true(nth > 20);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(memory_must_be_above_the_threshold),
		TEST(available_memory_must_be_above_the_threshold),
		TEST(a_warning_comes_before_the_threshold),
		TEST(swap_must_be_above_the_threshold),
		TEST(load_is_the_third_field),
		TEST(what_cannot_be_read_is_critical),
		TEST(this_host_can_be_read),
		TEST(processes_in_state_d_are_counted),
		TEST(pressure_is_that_of_a_line_and_a_window),
		TEST(a_clock_is_off_or_not_synchronised),
		TEST(processes_are_found_by_name_and_by_command_line),
		TEST(inodes_are_what_df_says),
		TEST(used_is_what_df_says),
		TEST(files_are_there_or_not),
		TEST(mistakes_are_refused),
		TEST(every_failure_is_survived),
		TEST(every_failure_to_build_is_survived),
	};
	int rc;

	close(mkstemp(path));
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}
