/* SPDX-License-Identifier: Apache-2.0 */
/* test_command - words, environments, what an end means, and that nothing of a child is left. */
#include <dirent.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/bed.h"
#include "../../modules/command/command.h"

extern const struct sat_module sat_module_command;

static int up(void **unused)
{
	(void)unused;
	bed_up(&sat_module_command);
	return 0;
}

static int down(void **unused)
{
	(void)unused;
	bed_down();
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);	/* no zombie, no child */
	assert_int_equal(errno, ECHILD);
	return 0;
}

/* Run one entry; its first event. */
static const struct sat_event *run_with(const char *group, const char *entry)
{
	char list[1024];

	bed_end_checks();
	snprintf(list, sizeof(list), "{ %s service = \"s\"; interval = 0.1; ttl = 77; %s }", entry,
		 strstr(entry, "timeout") == NULL ? "timeout = 20;" : "");
	assert_non_null(bed_build(group, list));
	bed_wait(1);
	return bed.seen[0];
}

static const struct sat_event *run(const char *entry)
{
	return run_with("", entry);
}

static void expect(const struct sat_event *ev, const char *state, const char *description)
{
	assert_string_equal(ev->service, "s");
	assert_string_equal(ev->state, state);
	assert_string_equal(ev->description, description);
	assert_float_equal(ev->ttl, 77, 0);
}

/* ---- Words -------------------------------------------------------------- */

static void lines_are_split_as_sh_does(void **unused)
{
	static const struct { const char *line; const char *words[5]; } cases[] = {
		{ "a", { "a" } },
		{ "  a\tb  c\n", { "a", "b", "c" } },
		{ "a 'b c' d", { "a", "b c", "d" } },
		{ "a \"b c\"d'e f'", { "a", "b cde f" } },
		{ "a '' \"\" b", { "a", "", "", "b" } },
		{ "a\\ b c\\\\d", { "a b", "c\\d" } },
		{ "a '\\' \"\\\"\\$\\n\"", { "a", "\\", "\"$\\n" } },
		{ "a b\\'c", { "a", "b'c" } },
		{ "a|b > c;d", { "a|b", ">", "c;d" } },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *why;
		char **words = words_split(cases[i].line, &why);
		size_t n = 0;

		assert_non_null(words);
		for (; cases[i].words[n] != NULL; n++)
			assert_string_equal(words[n], cases[i].words[n]);
		assert_null(words[n]);
		free(words);
	}
}

static void broken_lines_are_refused(void **unused)
{
	static const char *const lines[] = { "", "   ", "a 'b", "a \"b", "a \"b\\\"", "a b\\", "'' b" };
	const char *why;

	(void)unused;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		assert_null(words_split(lines[i], &why));
		assert_non_null(why);
	}
}

static void mistakes_are_refused(void **unused)
{
	(void)unused;
	assert_null(bed_build("", "{ command = \"a\"; }, { command = \"a 'b\"; service = \"x\"; }, "
				  "{ command = ( \"a\", 1 ); service = \"y\"; }, "
				  "{ command = ( \"a\" ); shell = true; service = \"z\"; }, "
				  "{ command = \"a\"; parse = \"guess\"; service = \"w\"; }, "
				  "{ command = \"a\"; critical = 1; service = \"v\"; }, "
				  "{ command = \"a\"; parse = \"number\"; warning = 5; critical = 1; service = \"u\"; }, "
				  "{ command = \"a\"; parse = \"number\"; warning = \"5:1\"; service = \"t\"; }, "
				  "{ command = \"a\"; parse = \"number\"; low = true; critical = \"5\"; service = \"r\"; }, "
				  "{ command = \"a\"; parse = \"number\"; critical = ( 5 ); warning = true; service = \"q\"; }"));
	assert_int_equal(conf_mistakes(), 11);
}

/* ---- What an end means -------------------------------------------------- */

static void exit_status_is_ok_or_critical(void **unused)
{
	(void)unused;
	expect(run("command = \"/bin/echo all 'is  well'\";"), "ok", "all is  well");
	expect(run("command = \"echo bad; exit 3\"; shell = true;"), "critical", "bad");
	assert_int_equal(bed.seen[0]->metric.i, 3);
	expect(run("command = \"echo oh >&2; exit 1\"; shell = true;"), "critical", "oh");
	expect(run("command = \"false\";"), "critical", "exit status 1");
	expect(run("command = ( \"sh\", \"-c\", \"kill -9 $$\" );"), "critical", "ended by signal 9 (Killed)");
	assert_int_equal(bed.seen[0]->metric.i, 137);
}

static void plugins_have_four_states(void **unused)
{
	(void)unused;
	expect(run("command = \"echo 'DISK OK - fine|/=5%;80;90'\"; shell = true; parse = \"nagios\";"), "ok",
	       "DISK OK - fine");
	expect(run("command = \"echo w; exit 1\"; shell = true; parse = \"nagios\";"), "warning", "w");
	expect(run("command = \"echo c; exit 2\"; shell = true; parse = \"nagios\";"), "critical", "c");
	expect(run("command = \"echo u; exit 3\"; shell = true; parse = \"nagios\";"), "unknown", "u");
	expect(run("command = \"exit 77\"; shell = true; parse = \"nagios\";"), "unknown", "exit status 77");
}

static void numbers_meet_their_thresholds(void **unused)
{
	(void)unused;
	expect(run("command = \"echo 41\"; parse = \"number\"; warning = 42; critical = 50;"), "ok", "41");
	assert_true(bed.seen[0]->has & SAT_HAS_INT);
	expect(run("command = \"echo 42\"; parse = \"number\"; warning = 42; critical = 50;"), "warning",
	       "42, warning at 42");
	expect(run("command = \"echo 50.5 apples\"; parse = \"number\"; warning = 42; critical = 50;"), "critical",
	       "50.5 apples, critical at 50");
	assert_float_equal(bed.seen[0]->metric.d, 50.5, 0);
	expect(run("command = \"echo 3\"; parse = \"number\"; low = true; warning = 9; critical = 3;"), "critical",
	       "3, critical at 3");
	expect(run("command = \"echo 1234567\"; parse = \"number\"; critical = 1234567;"), "critical",
	       "1234567, critical at 1234567");
	expect(run("command = \"echo 4611686018427387905\"; parse = \"number\";"), "ok", "4611686018427387905");
	assert_int_equal(bed.seen[0]->metric.i, INT64_C(4611686018427387905));
	expect(run("command = \"echo many\"; parse = \"number\";"), "critical", "is not a number: many");
	expect(run("command = \"true\"; parse = \"number\";"), "critical", "is not a number: no output");
	expect(run("command = \"echo 5; exit 1\"; shell = true; parse = \"number\";"), "critical", "5");
}

static void numbers_meet_their_ranges(void **unused)
{
	static const struct { const char *range; double good[3], bad[2]; } cases[] = {
		{ "10", { 0, 5, 10 }, { -0.1, 10.1 } },
		{ "10:", { 10, 11, 1e300 }, { 9.9, -20 } },
		{ "~:10", { 10, 0, -1e300 }, { 10.1, 1e300 } },
		{ "10:20", { 10, 15, 20 }, { 9.9, 20.1 } },
		{ ":10", { 0, 5, 10 }, { -0.1, 10.1 } },
		{ "-1.5:-.5", { -1.5, -1, -0.5 }, { -2, 0 } },
		{ "@10:20", { 9.9, 20.1, -1 }, { 10, 20 } },
		{ "@~:0", { 0.1, 1, 2 }, { 0, -1e300 } },
		{ "@5", { -1, 5.1, 6 }, { 0, 5 } },
	};
	static const char *const broken[] = { "", "@", "~", "~10", "a", "10:a", "10:20:", "20:10", "-5", "10 ", "10:~",
					      "inf", "@@1", "1e999", ":nan" };

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct limit l = { 0 };

		assert_null(limit_read(&l, (struct sat_value){ .kind = SAT_TEXT, .text = cases[i].range }));
		for (size_t k = 0; k < 3; k++)
			assert_false(limit_passed(&l, false, cases[i].good[k]));
		for (size_t k = 0; k < 2; k++)
			assert_true(limit_passed(&l, false, cases[i].bad[k]));
	}
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		struct limit l = { 0 };

		assert_non_null(limit_read(&l, (struct sat_value){ .kind = SAT_TEXT, .text = broken[i] }));
	}
	expect(run("command = \"echo 41\"; parse = \"number\"; warning = \"10:40\"; critical = \"~:50\";"), "warning",
	       "41, warning outside 10:40");
	expect(run("command = \"echo 41\"; parse = \"number\"; warning = 10; critical = \"@40:50\";"), "critical",
	       "41, critical within 40:50");
	expect(run("command = \"echo 41\"; parse = \"number\"; warning = \"45\"; critical = 50;"), "ok", "41");
}

static void lines_of_json_are_events(void **unused)
{
	(void)unused;
	assert_string_equal(run("command = \"cat\"; shell = true; parse = \"json\";")->description, "0 events");
	run("command = \"printf '%s\\\\n' '{\\\"service\\\": \\\"a\\\", \\\"metric\\\": 5}' '' nonsense\"; "
	    "shell = true; parse = \"json\";");
	bed_wait(2);
	assert_string_equal(bed.seen[0]->service, "a");
	assert_int_equal(bed.seen[0]->metric.i, 5);
	assert_float_equal(bed.seen[0]->ttl, 77, 0);
	assert_string_equal(bed.seen[1]->service, "s");
	assert_string_equal(bed.seen[1]->state, "critical");
	assert_non_null(strstr(bed.seen[1]->description, "line 3"));
}

#define PRINTS(lines) "command = ( \"printf\", \"" lines "\" ); parse = \"json\"; "

/* That all went well does not replace what the command itself has to say under this name. */
static void a_line_may_be_the_check_s_own_event(void **unused)
{
	static const char *const entries[] = {
		PRINTS("{\\\"state\\\": \\\"warning\\\"}\\n{\\\"service\\\": \\\"a\\\"}\\n"),
		PRINTS("{\\\"state\\\": \\\"warning\\\", \\\"service\\\": \\\"s\\\"}\\n"),
		PRINTS("{\\\"state\\\": \\\"warning\\\", \\\"host\\\": \\\"there\\\"}\\n") "host = \"there\";",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		assert_string_equal(run(entries[i])->state, "warning");
		bed_run_for(20);
		for (int k = 1; k < bed.n; k++)
			assert_true(bed.seen[k]->state == NULL || strcmp(bed.seen[k]->state, "warning") == 0);
	}
	run(PRINTS("{\\\"state\\\": \\\"ok\\\"}\\nnonsense\\n"));
	bed_wait(2);
	assert_string_equal(bed.seen[1]->state, "critical");
	run(PRINTS("{\\\"state\\\": \\\"warning\\\", \\\"host\\\": \\\"there\\\"}\\n"));
	bed_wait(2);
	assert_string_equal(bed.seen[1]->description, "1 events");
}

static void what_cannot_start_is_critical(void **unused)
{
	(void)unused;
	expect(run("command = \"/nonexistent x\";"), "critical",
	       "/nonexistent: not started: No such file or directory");
	expect(run("command = \"/etc/passwd\";"), "critical", "/etc/passwd: not started: Permission denied");
}

/* ---- Children ----------------------------------------------------------- */

static void environment_is_the_configured_one(void **unused)
{
	(void)unused;
	setenv("SECRET", "xyzzy", 1);
	expect(run("command = \"echo $(env | sort | grep -v ^PWD | grep -v ^_ | grep -v ^SHLVL | tr '\\\\n' ' ')\"; "
		   "shell = true;"),
	       "ok", "LANG=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	expect(run_with("env = { LANG = \"de\"; A = \"1\"; B = \"1\"; };",
			"command = \"echo $LANG $A $B $C\"; shell = true; env = { B = \"2\"; C = \"3\"; };"),
	       "ok", "de 1 2 3");
}

/* Only stdin, stdout, stderr, and the folder that ls reads. */
static void no_other_file_reaches_a_child(void **unused)
{
	(void)unused;
	expect(run("command = \"echo $(ls /proc/self/fd)\"; shell = true;"), "ok", "0 1 2 3");
	expect(run("command = \"echo x > /dev/stdout\"; shell = true;"), "ok", "x");
}

/* Dead, or a zombie that its new parent has yet to reap. */
static bool is_dead(long pid)
{
	char path[64], state = 'X';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	f = fopen(path, "r");
	if (f == NULL)
		return true;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'X';
	fclose(f);
	return state == 'Z' || state == 'X';
}

/* Run it until it is killed; then both whose numbers it wrote to $F are dead. */
static void expect_killed(const char *entry)
{
	char folder[] = "/tmp/test_command.XXXXXX", file[64], group[128];
	bool done = false;
	long a = 0, b = 0;
	FILE *f;

	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/pids", folder);
	snprintf(group, sizeof(group), "env = { F = \"%s\"; };", file);
	expect(run_with(group, entry), "critical", "killed: not done after 0.3 s");
	checks_stop(bed.checks, false, bed_done, &done);
	bed_run(&done);
	f = fopen(file, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &a, &b), 2);
	fclose(f);
	unlink(file);
	rmdir(folder);
	for (int i = 0; i < 100 && !is_dead(b); i++)
		bed_run_for(10);
	assert_true(is_dead(a));
	assert_true(is_dead(b));
	checks_free(bed.checks);
	bed.checks = NULL;
}

/* It ignores SIGTERM; or it does not, but what it started does, and holds the pipes. */
static void timeout_kills_the_whole_group(void **unused)
{
	(void)unused;
	expect_killed("command = \"trap '' TERM; sleep 1000 & echo $$ $! > $F; sleep 1000\"; "
		      "shell = true; timeout = 0.3;");
	expect_killed("command = \"sh -c 'trap \\\"\\\" TERM; sleep 1000; sleep 1000' & "
		      "echo $$ $! > $F; exec sleep 1000\"; shell = true; timeout = 0.3;");
}

/* timeout(1) begins a group of its own, setsid(1) a session. */
static void timeout_kills_what_has_left_the_group(void **unused)
{
	(void)unused;
	expect_killed("command = \"timeout 1000 sleep 1000 & echo $$ $! > $F; wait\"; shell = true; timeout = 0.3;");
	expect_killed("command = \"trap '' TERM; timeout 1000 sleep 1000 & echo $$ $! > $F; wait; sleep 1000\"; "
		      "shell = true; timeout = 0.3;");
	expect_killed("command = \"setsid sh -c 'trap \\\"\\\" TERM; sleep 1000; sleep 1000' & echo $$ $! > $F; wait\"; "
		      "shell = true; timeout = 0.3;");
}

/* What it leaves behind holds the pipes, not the check; and ends with it. */
static void what_is_left_behind_does_not_hold_a_check(void **unused)
{
	uint64_t began = uv_hrtime();

	(void)unused;
	expect(run("command = \"echo started; sleep 6 & exit 0\"; shell = true; timeout = 5;"), "ok", "started");
	assert_in_range((uv_hrtime() - began) / 1000000, 900, 4000);
}

/* The process whose number an entry's event has as its metric. */
static long started(const char *group, const char *entry)
{
	run_with(group, entry);
	assert_string_equal(bed.seen[0]->state, "ok");
	assert_true(bed.seen[0]->has & SAT_HAS_INT);
	return (long)bed.seen[0]->metric.i;
}

#define DAEMON "command = \"setsid sh -c 'echo $$; exec sleep 9 > /dev/null 2>&1' & sleep 0.1\"; shell = true; " \
	"parse = \"number\"; timeout = 5;"

static void only_daemons_outlive_their_command(void **unused)
{
	long pid = started("", "command = \"sleep 1000 > /dev/null 2>&1 & echo $!\"; shell = true; parse = \"number\";");

	(void)unused;
	for (int i = 0; i < 100 && !is_dead(pid); i++)
		bed_run_for(10);
	assert_true(is_dead(pid));
	pid = started("", DAEMON);
	bed_run_for(50);
	assert_false(is_dead(pid));
	kill((pid_t)pid, SIGKILL);
}

/* ---- As whom, how, where ------------------------------------------------ */

static void niceness_is_the_nearest(void **unused)
{
	(void)unused;
	expect(run("command = \"nice\"; nice = 7;"), "ok", "7");
	expect(run_with("nice = 5;", "command = \"nice\";"), "ok", "5");
	expect(run_with("nice = 5;", "command = \"nice\"; nice = 6;"), "ok", "6");
}

static void users_come_with_their_groups(void **unused)
{
	const gid_t ours = 12345;
	char groups[256];
	FILE *f;

	(void)unused;
	assert_null(bed_build("", "{ command = \"a\"; user = \"no such one\"; service = \"a\"; }"));
	bed_end_checks();
	if (geteuid() != 0) {
		assert_null(bed_build("", "{ command = \"a\"; user = \"nobody\"; service = \"a\"; }"));
		skip();
	}
	setgroups(1, &ours);		/* which should not be its */
	f = popen("echo nobody $(id -G nobody)", "r");
	assert_non_null(fgets(groups, sizeof(groups), f));
	pclose(f);
	groups[strcspn(groups, "\n")] = '\0';
	expect(run("command = \"echo $(id -un) $(id -G)\"; shell = true; user = \"nobody\";"), "ok", groups);
	expect(run_with("user = \"nobody\";", "command = \"id -un\"; user = \"root\";"), "ok", "root");
	expect(run("command = ( \"grep\", \"-c\", \"^Cap\\\\(Prm\\\\|Eff\\\\|Inh\\\\):.0*$\", \"/proc/self/status\" ); "
		   "user = \"nobody\";"), "ok", "3");
	expect(run_with("user = \"nobody\";", "command = \"nice\"; nice = -5;"), "ok", "-5");
}

/* Where there is a cgroup v2 that is ours to change, a new folder in it; else "". */
static void make_cgroup(char *path, size_t size)
{
	static const char *const roots[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };
	char file[256];

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, size, "%s/test_command.%ld", roots[i], (long)getpid());
		snprintf(file, sizeof(file), "%s/cgroup.kill", path);
		if (mkdir(path, 0755) == 0 && access(file, W_OK) == 0)
			return;
		rmdir(path);
	}
	path[0] = '\0';
}

static void what_a_cgroup_lacks_is_said(void **unused)
{
	(void)unused;
	assert_null(bed_build("", "{ command = \"a\"; cgroup = \"a/b\"; service = \"a\"; }"));
	bed_end_checks();
	expect(run("command = \"true\"; cgroup = \"/nonexistent\";"), "critical",
	       "true: not started: cgroup /nonexistent: there is no such folder: make it first");
	expect(run("command = \"true\"; cgroup = \"/tmp\";"), "critical",
	       "true: not started: cgroup /tmp: lies in no cgroup v2 file system");
}

static void all_in_a_cgroup_ends_with_it(void **unused)
{
	char path[128], group[192], kept[256];
	long pid;

	(void)unused;
	make_cgroup(path, sizeof(path));
	if (path[0] == '\0')
		skip();
	snprintf(group, sizeof(group), "cgroup = \"%s\";", path);
	expect(run_with(group, "command = \"grep -c ^0::.*/test_command[.][0-9]*/s-[0-9a-f]*$ /proc/self/cgroup\";"), "ok", "1");
	pid = started(group, DAEMON);
	for (int i = 0; i < 100 && !is_dead(pid); i++)
		bed_run_for(10);
	assert_true(is_dead(pid));
	expect(run_with(group, "command = \"setsid sh -c 'trap \\\"\\\" TERM; while :; do sleep 1; done' & echo $!; wait\"; "
			       "shell = true; timeout = 0.2;"), "critical", "killed: not done after 0.2 s");
	bed_end_checks();
	snprintf(kept, sizeof(kept), "grep -q . %s/s-*/cgroup.procs 2> /dev/null", path);
	for (int i = 0; i < 100 && system(kept) == 0; i++)
		bed_run_for(10);
	snprintf(kept, sizeof(kept), "rmdir %s/s-* 2> /dev/null", path);
	(void)!system(kept);
	assert_int_equal(rmdir(path), 0);
}

static void long_output_is_bounded(void **unused)
{
	(void)unused;
	run("command = \"head -c 1000000 /dev/zero | tr '\\\\0' x\"; shell = true;");
	assert_string_equal(bed.seen[0]->state, "ok");
	assert_int_equal(strlen(bed.seen[0]->description), 1023);
	assert_int_equal(sat_counted(&bed.self, COUNT_OUTPUT_DROPPED), 1000000 - 65536);
}

static void endless_output_is_read_slowly(void **unused)
{
	(void)unused;
	expect(run_with("", "command = \"yes\"; timeout = 0.5;"), "critical", "killed: not done after 0.5 s");
	assert_true(sat_counted(&bed.self, COUNT_OUTPUT_DROPPED) > 256 << 10);
	assert_true(sat_counted(&bed.self, COUNT_OUTPUT_DROPPED) < 32 << 20);
	bed_end_checks();
}

static void every_failure_is_survived(void **unused)
{
	(void)unused;
	bed_survives("{ command = \"echo x\"; service = \"s\"; interval = 0.1; }", 6);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_split_as_sh_does),
		cmocka_unit_test(broken_lines_are_refused),
		TEST(mistakes_are_refused),
		TEST(exit_status_is_ok_or_critical),
		TEST(plugins_have_four_states),
		TEST(numbers_meet_their_thresholds),
		TEST(numbers_meet_their_ranges),
		TEST(lines_of_json_are_events),
		TEST(a_line_may_be_the_check_s_own_event),
		TEST(what_cannot_start_is_critical),
		TEST(environment_is_the_configured_one),
		TEST(no_other_file_reaches_a_child),
		TEST(timeout_kills_the_whole_group),
		TEST(timeout_kills_what_has_left_the_group),
		TEST(what_is_left_behind_does_not_hold_a_check),
		TEST(only_daemons_outlive_their_command),
		TEST(niceness_is_the_nearest),
		TEST(users_come_with_their_groups),
		TEST(what_a_cgroup_lacks_is_said),
		TEST(all_in_a_cgroup_ends_with_it),
		TEST(long_output_is_bounded),
		TEST(endless_output_is_read_slowly),
		TEST(every_failure_is_survived),
	};

	close_range(3, ~0U, 0);		/* what we inherited is not ours to judge */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
