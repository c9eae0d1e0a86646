/* SPDX-License-Identifier: Apache-2.0 */
/* test_log - what a line looks like, and that nobody can stop it or forge one. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "log.h"
#include "self.h"
#include "unit/fault.h"

static char dir[] = "/tmp/satellite-log-XXXXXX";
static char path[64], moved[64], text[16384];

static const char *content(const char *file)
{
	FILE *f = fopen(file, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void a_line_says_when_how_urgent_and_who(void **unused)
{
	char name[] = "riemann";
	struct sat_self self = { .name = name };
	int year, millis;
	char level[16];

	(void)unused;
	assert_int_equal(log_open(path, LOG_INFO), 0);
	sat_log(&self, LOG_WARNING, "%s:%d: %s", "0.0.0.0", 5555, "Address in use");
	sat_log(NULL, LOG_DEBUG, "not written");
	content(path);
	assert_int_equal(sscanf(text, "%d-%*d-%*dT%*d:%*d:%*d.%dZ %15[a-z]:", &year, &millis, level), 3);
	assert_string_equal(level, "warning");
	assert_non_null(strstr(text, ": riemann: 0.0.0.0:5555: Address in use\n"));
	assert_null(strstr(text, "not written"));
}

static void a_line_cannot_be_forged(void **unused)
{
	(void)unused;
	assert_int_equal(log_open(path, LOG_INFO), 0);
	log_line(LOG_ERR, NULL, "%s", "first\n<3>second\x1b[31m");
	assert_non_null(strstr(content(path), "first <3>second [31m\n"));
}

static void a_long_line_is_cut(void **unused)
{
	static char longer[10000];

	(void)unused;
	memset(longer, 'x', sizeof(longer) - 1);
	unlink(path);
	assert_int_equal(log_open(path, LOG_INFO), 0);
	log_line(LOG_ERR, "name", "%s", longer);
	content(path);
	assert_true(strlen(text) <= 4096);
	assert_non_null(strstr(text, "x...\n"));
}

static void a_file_that_was_moved_is_made_anew(void **unused)
{
	(void)unused;
	assert_int_equal(log_open(path, LOG_INFO), 0);
	log_line(LOG_INFO, NULL, "before");
	assert_int_equal(rename(path, moved), 0);
	log_line(LOG_INFO, NULL, "between");
	log_reopen();
	log_line(LOG_INFO, NULL, "after");
	assert_non_null(strstr(content(moved), "between"));
	assert_null(strstr(text, "after"));
	assert_non_null(strstr(content(path), "after"));
}

static void what_comes_too_often_is_held_back(void **unused)
{
	struct sat_log_limit limit = { 0 };
	int passed = 0;

	(void)unused;
	assert_int_equal(log_open(path, LOG_INFO), 0);
	for (int i = 0; i < 100; i++)
		passed += sat_log_allowed(NULL, &limit, 3, 3600 * SAT_SECOND);
	assert_int_equal(passed, 3);
	limit.since -= 3600 * SAT_SECOND;
	assert_true(sat_log_allowed(NULL, &limit, 3, 3600 * SAT_SECOND));
	assert_non_null(strstr(content(path), "97 lines like the next one were held back"));
}

static void a_reader_that_sleeps_stops_nobody(void **unused)
{
	int ends[2], old = dup(STDERR_FILENO);
	char bytes[4096];
	ssize_t n;

	(void)unused;
	log_close();
	assert_int_equal(pipe(ends), 0);
	unsetenv("JOURNAL_STREAM");
	assert_int_equal(log_open(NULL, LOG_INFO), 0);
	dup2(ends[1], STDERR_FILENO);
	for (int i = 0; i < 3000; i++)		/* a pipe holds 64 KiB */
		log_line(LOG_INFO, "name", "a line of some length, again and again and again");
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while ((n = read(ends[0], bytes, sizeof(bytes))) > 0)
		continue;
	log_line(LOG_INFO, NULL, "awake");
	n = read(ends[0], bytes, sizeof(bytes) - 1);
	dup2(old, STDERR_FILENO);
	assert_true(n > 0);
	bytes[n] = '\0';
	assert_non_null(strstr(bytes, " lines of this log were lost"));
	assert_non_null(strstr(bytes, "\nawake\n"));
	close(old);
	close(ends[0]);
	close(ends[1]);
}

static void the_journal_gets_priorities(void **unused)
{
	int ends[2], old = dup(STDERR_FILENO);
	char bytes[256] = "";

	(void)unused;
	assert_int_equal(pipe(ends), 0);
	setenv("JOURNAL_STREAM", "8:1", 1);
	assert_int_equal(log_open(NULL, LOG_INFO), 0);
	dup2(ends[1], STDERR_FILENO);
	log_line(LOG_WARNING, "name", "text");
	dup2(old, STDERR_FILENO);
	assert_true(read(ends[0], bytes, sizeof(bytes) - 1) > 0);
	assert_string_equal(bytes, "<4>name: text\n");
	unsetenv("JOURNAL_STREAM");
	close(old);
	close(ends[0]);
	close(ends[1]);
}

static void what_cannot_be_opened_is_an_error(void **unused)
{
	(void)unused;
	assert_int_equal(log_open("/nowhere/log", LOG_INFO), -ENOENT);
	fault_arm(1);
	assert_int_equal(log_open(path, LOG_INFO), -ENOMEM);
	fault_arm(0);
}

static int begin(void **unused)
{
	(void)unused;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(moved, sizeof(moved), "%s/log.1", dir);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	log_close();
	unlink(path);
	unlink(moved);
	return rmdir(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_when_how_urgent_and_who),
		cmocka_unit_test(a_line_cannot_be_forged),
		cmocka_unit_test(a_long_line_is_cut),
		cmocka_unit_test(a_file_that_was_moved_is_made_anew),
		cmocka_unit_test(what_comes_too_often_is_held_back),
		cmocka_unit_test(a_reader_that_sleeps_stops_nobody),
		cmocka_unit_test(the_journal_gets_priorities),
		cmocka_unit_test(what_cannot_be_opened_is_an_error),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
