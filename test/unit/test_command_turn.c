/* SPDX-License-Identifier: Apache-2.0 */
/* test_command_turn - how many commands run at once, and that one that cannot be killed is in nobody's way. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/bed.h"
#include "../../modules/command/command.h"

extern const struct sat_module sat_module_command;

static char folder[] = "/tmp/test_command_turn.XXXXXX";

static int up(void **unused)
{
	(void)unused;
	strcpy(strrchr(folder, '.'), ".XXXXXX");
	assert_non_null(mkdtemp(folder));
	bed_up(&sat_module_command);
	return 0;
}

static int down(void **unused)
{
	char line[64];

	(void)unused;
	bed_down();
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	snprintf(line, sizeof(line), "rm -r %s", folder);
	return system(line);
}

static void begin(int parallel, const char *list)
{
	char group[128];

	snprintf(group, sizeof(group), "parallel = %d; env = { F = \"%s\"; };", parallel, folder);
	assert_non_null(bed_build(group, list));
	checks_adopt(bed.checks, NULL);
}

static int times(const char *service, const char *state, const char *begins)
{
	int n = 0;

	for (int i = 0; i < bed.n; i++)
		n += strcmp(bed.seen[i]->service, service) == 0 && strcmp(bed.seen[i]->state, state) == 0 &&
		     strncmp(bed.seen[i]->description, begins, strlen(begins)) == 0;
	return n;
}

/* Each says how many there are, itself among them.  To wait for a turn takes nothing off their time: the last
 * begins after 4 times 0.3 seconds, and may take one. */
static void only_so_many_run_at_once(void **unused)
{
	char list[4096] = "";

	(void)unused;
	for (int i = 0; i < 10; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s{ command = \"mkdir $F/$$; ls $F | wc -l; "
			 "sleep 0.3; rmdir $F/$$\"; shell = true; parse = \"number\"; service = \"s%d\"; interval = 5; "
			 "timeout = 1; }", i == 0 ? "" : ", ", i);
	begin(2, list);
	while (bed.n < 10)
		bed_run_for(20);
	for (int i = 0; i < 10; i++) {
		assert_string_equal(bed.seen[i]->state, "ok");
		assert_in_range(bed.seen[i]->metric.i, 1, 2);
	}
	assert_int_equal(sat_counted(&bed.self, COUNT_TIMEOUTS), 0);
	assert_int_equal(sat_counted(&bed.self, COUNT_WAITING), 0);
}

/* All in one go, so that 8 of 10 wait; the last one's wait is longer than its time. */
static void waiting_takes_nothing_off_their_time(void **unused)
{
	char list[4096] = "";

	(void)unused;
	for (int i = 0; i < 10; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s{ command = \"sleep 0.3; echo $$\"; "
			 "shell = true; service = \"s%d\"; interval = 0.1; timeout = 1; }", i == 0 ? "" : ", ", i);
	begin(2, list);
	while (sat_counted(&bed.self, COUNT_RUNS) < 20) {
		bed_run_for(20);
		if (bed.n > BED_SEEN / 2)
			bed_forget();
	}
	assert_int_equal(sat_counted(&bed.self, COUNT_TIMEOUTS), 0);
	assert_true(sat_counted(&bed.self, COUNT_WAITED) >= 8);
	assert_true(sat_counted(&bed.self, COUNT_WAITING) >= 6);
}

static void a_long_wait_is_said(void **unused)
{
	int64_t skipped = self_get(SELF_CHECKS_SKIPPED);

	(void)unused;
	begin(1, "{ command = \"sleep 1.5\"; service = \"a\"; interval = 0.1; timeout = 5; }, "
		 "{ command = \"sleep 1.5\"; service = \"b\"; interval = 0.1; timeout = 5; }");
	while (times("a", "critical", "not run: waits its turn for ") + times("b", "critical", "not run: waits its turn for ") < 3)
		bed_run_for(20);
	assert_int_equal(sat_counted(&bed.self, COUNT_RUNS), 1);
	assert_int_equal(sat_counted(&bed.self, COUNT_WAITED), 1);
	assert_int_equal(sat_counted(&bed.self, COUNT_WAITING), 1);
	assert_true(self_get(SELF_CHECKS_SKIPPED) - skipped >= 3);
}

static void who_waits_does_not_begin_at_the_end(void **unused)
{
	(void)unused;
	begin(1, "{ command = \"sleep 30\"; service = \"a\"; interval = 0.1; timeout = 60; }, "
		 "{ command = \"sleep 30\"; service = \"b\"; interval = 0.1; timeout = 60; }, "
		 "{ command = \"sleep 30\"; service = \"c\"; interval = 0.1; timeout = 60; }");
	while (sat_counted(&bed.self, COUNT_WAITING) < 2)
		bed_run_for(10);
	bed_forget();
	bed_end_checks();
	assert_int_equal(sat_counted(&bed.self, COUNT_RUNS), 1);
	assert_int_equal(sat_counted(&bed.self, COUNT_WAITING), 0);
}

/* Stands for a process in uninterruptible sleep: SIGKILL does not end it as seen from its parent, since
 * another traces it, and does not look: one that is no descendant of its, or it would be killed, too. */
static int unkillable(const char *ms)
{
	pid_t self = getpid(), child;
	int fds[2];
	char c;

	if (pipe(fds) != 0)
		return 1;
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	child = fork();
	if (child == 0) {
		if (fork() != 0)
			_exit(0);
		setsid();
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
		if (ptrace(PTRACE_SEIZE, self, NULL, NULL) == 0 && write(fds[1], "x", 1) == 1)
			usleep((useconds_t)atoi(ms) * 1000);
		_exit(0);
	}
	close(fds[1]);
	waitpid(child, NULL, 0);
	if (read(fds[0], &c, 1) != 1)
		return 1;
	puts("traced");
	fflush(stdout);
	for (;;)
		pause();
}

static int lines_of(const char *name)
{
	char path[128];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "r");
	while (f != NULL && fgets(path, sizeof(path), f) != NULL)
		n++;
	if (f != NULL)
		fclose(f);
	return n;
}

static void what_cannot_be_killed_is_in_nobodys_way(void **unused)
{
	uint64_t began;
	int64_t runs;

	(void)unused;
	begin(1, "{ command = \"echo x >> $F/hung; exec /proc/$PPID/exe --unkillable 5000\"; shell = true; service = \"hung\"; "
		 "interval = 0.5; timeout = 0.4; }, "
		 "{ command = \"echo fine\"; service = \"fine\"; interval = 0.2; timeout = 20; }");
	while (times("hung", "critical", "killed: ") == 0)
		bed_run_for(20);
	bed_forget();
	began = uv_hrtime();
	runs = sat_counted(&bed.self, COUNT_RUNS);
	/* It has 2 seconds from SIGTERM to SIGKILL, which nobody waits longer for. */
	while (times("fine", "ok", "fine") < 3)
		bed_run_for(20);
	assert_in_range((uv_hrtime() - began) / 1000000, 1500, 4500);
	assert_in_range(sat_counted(&bed.self, COUNT_RUNS), runs + 3, runs + 4);
	assert_true(times("hung", "critical", "still running after ") >= 1);
	assert_int_equal(lines_of("hung"), 1);
	/* Once it is gone it is run again. */
	while (lines_of("hung") < 2) {
		bed_run_for(20);
		if (bed.n > BED_SEEN / 2)
			bed_forget();
	}
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		bed_end_checks();
		assert_non_null(bed_build("parallel = 1;", "{ command = \"echo a\"; service = \"a\"; interval = 0.1; }, "
					  "{ command = \"echo b\"; service = \"b\"; interval = 0.1; }, "
					  "{ command = \"echo c\"; service = \"c\"; interval = 0.1; }"));
		fault_arm(++nth);
		checks_adopt(bed.checks, NULL);
		bed_run_for(150);
		fired = fault_fired();
		fault_arm(0);
	} while (fired && nth < 80);
	assert_true(nth > 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(only_so_many_run_at_once),
		TEST(waiting_takes_nothing_off_their_time),
		TEST(a_long_wait_is_said),
		TEST(who_waits_does_not_begin_at_the_end),
		TEST(what_cannot_be_killed_is_in_nobodys_way),
		TEST(every_failure_is_survived),
	};

	if (argc == 3 && strcmp(argv[1], "--unkillable") == 0)
		return unkillable(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
