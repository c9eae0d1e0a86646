/* SPDX-License-Identifier: Apache-2.0 */
/* test_file - a file is replaced whole, or stays as it is. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <satellite/module.h>
#include "unit/fault.h"

static char folder[] = "/tmp/satellite-file-XXXXXX", path[64], temp[80];

static int up(void **unused)
{
	(void)unused;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/list", folder);
	snprintf(temp, sizeof(temp), "%s.new", path);
	return 0;
}

static int down(void **unused)
{
	char command[128];

	(void)unused;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static void holds(const char *want)
{
	char *text = NULL;
	size_t len;

	assert_int_equal(sat_file_read(path, 1 << 20, &text, &len), 0);
	assert_int_equal(len, strlen(want));
	assert_string_equal(text, want);
	assert_int_equal(access(temp, F_OK), -1);
	free(text);
}

static void it_is_made_and_replaced(void **unused)
{
	struct stat st;

	(void)unused;
	assert_int_equal(sat_file_replace(path, "a\n", 2, 0644), 0);
	holds("a\n");
	assert_int_equal(chmod(path, 0604), 0);
	assert_int_equal(sat_file_replace(path, "", 0, 0644), 0);
	holds("");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0604);
}

static void what_a_killed_process_left_is_no_obstacle(void **unused)
{
	(void)unused;
	assert_int_equal(sat_file_replace(temp, "half", 4, 0644), 0);
	assert_int_equal(sat_file_replace(path, "a\n", 2, 0644), 0);
	holds("a\n");
	assert_int_equal(symlink("/etc/passwd", temp), 0);
	assert_int_equal(sat_file_replace(path, "b\n", 2, 0644), 0);
	holds("b\n");
}

static void a_write_that_fails_leaves_the_old_one(void **unused)
{
	static char big[100000];
	struct rlimit old, small = { 4096, 4096 };

	(void)unused;
	assert_int_equal(sat_file_replace(path, "old\n", 4, 0644), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	memset(big, 'x', sizeof(big));
	assert_int_equal(sat_file_replace(path, big, sizeof(big), 0644), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	holds("old\n");
}

static void no_descriptor_left(void **unused)
{
	struct rlimit old, none = { 0, 0 };
	char *text;
	size_t len;

	(void)unused;
	assert_int_equal(sat_file_replace(path, "old\n", 4, 0644), 0);
	getrlimit(RLIMIT_NOFILE, &old);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(sat_file_replace(path, "new\n", 4, 0644), -EMFILE);
	assert_int_equal(sat_file_read(path, 1 << 20, &text, &len), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
	holds("old\n");
}

static void what_is_no_file_is_refused(void **unused)
{
	char inside[96], *text;
	size_t len;

	(void)unused;
	assert_int_equal(sat_file_replace(folder, "x", 1, 0644), -EISDIR);
	assert_int_equal(sat_file_read(folder, 1 << 20, &text, &len), -EISDIR);
	assert_int_equal(sat_file_replace("/dev/null", "x", 1, 0644), -EINVAL);
	snprintf(inside, sizeof(inside), "%s/none/list", folder);
	assert_int_equal(sat_file_replace(inside, "x", 1, 0644), -ENOENT);
	assert_int_equal(sat_file_read(inside, 1 << 20, &text, &len), -ENOENT);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(sat_file_read(path, 1 << 20, &text, &len), -EINVAL);
	assert_int_equal(sat_file_replace(path, "x", 1, 0644), -EINVAL);
}

static void reading_without_memory(void **unused)
{
	char *text;
	size_t len;

	(void)unused;
	assert_int_equal(sat_file_replace(path, "a\n", 2, 0644), 0);
	fault_arm(1);
	assert_int_equal(sat_file_read(path, 1 << 20, &text, &len), -ENOMEM);
	fault_arm(0);
}

/* Every call fails once: the old file or the new one is there, whole, and nothing beside it. */
static void every_call_that_fails_is_survived(void **unused)
{
	bool fired, replaced = false;
	int nth = 0, rc;

	(void)unused;
	do {
		assert_int_equal(sat_file_replace(path, "old\n", 4, 0644), 0);
		fault_arm_call(++nth);
		rc = sat_file_replace(path, "new\n", 4, 0644);
		fired = fault_fired();
		fault_arm(0);
		assert_int_equal(rc != 0, fired);
		replaced = replaced || (fired && nth > 5);	/* the folder's open and fsync come after rename */
		holds(fired && nth <= 5 ? "old\n" : "new\n");
	} while (fired);
	assert_true(replaced && nth == 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_made_and_replaced, up, down),
		cmocka_unit_test_setup_teardown(what_a_killed_process_left_is_no_obstacle, up, down),
		cmocka_unit_test_setup_teardown(a_write_that_fails_leaves_the_old_one, up, down),
		cmocka_unit_test_setup_teardown(no_descriptor_left, up, down),
		cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, up, down),
		cmocka_unit_test_setup_teardown(reading_without_memory, up, down),
		cmocka_unit_test_setup_teardown(every_call_that_fails_is_survived, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
