/* SPDX-License-Identifier: Apache-2.0 */
/* test_process - the state folder is made, and is one satellite's. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "log.h"
#include "process.h"
#include "unit/fault.h"

static char folder[] = "/tmp/satellite-process-XXXXXX", deep[80], lock[100];

static int up(void **unused)
{
	(void)unused;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(deep, sizeof(deep), "%s/lib/satellite", folder);
	snprintf(lock, sizeof(lock), "%s/lock", deep);
	return log_open("/dev/null", LOG_ERR);
}

static int down(void **unused)
{
	char command[128];

	(void)unused;
	fault_arm_call(0);
	process_unlock();
	log_close();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static bool is_locked(void)
{
	int fd = open(lock, O_RDWR | O_CLOEXEC);
	bool locked;

	assert_true(fd >= 0);
	locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
	close(fd);
	return locked;
}

static void the_folder_is_made_and_locked(void **unused)
{
	struct stat st;

	(void)unused;
	assert_int_equal(process_lock(deep), 0);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_true(is_locked());
	process_unlock();
	assert_false(is_locked());
}

static void another_s_folder_is_refused(void **unused)
{
	int fd;

	(void)unused;
	assert_int_equal(process_lock(deep), 0);
	process_unlock();
	fd = open(lock, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(process_lock(deep), -EWOULDBLOCK);
	close(fd);
	assert_int_equal(process_lock(deep), 0);
}

static void a_folder_that_cannot_be_is_said(void **unused)
{
	char file[100], under[120], *long_name;

	(void)unused;
	snprintf(file, sizeof(file), "%s/file", folder);
	fclose(fopen(file, "w"));
	snprintf(under, sizeof(under), "%s/state", file);
	assert_int_equal(process_lock(under), -ENOTDIR);
	long_name = malloc(5001);
	memset(long_name, 'x', 5000);
	long_name[0] = '/';
	long_name[5000] = '\0';
	assert_int_equal(process_lock(long_name), -ENAMETOOLONG);
	free(long_name);
}

/* Whatever fails, it is locked and says so, or it is not. */
static void every_call_that_fails_is_survived(void **unused)
{
	bool fired = true;

	(void)unused;
	for (int n = 1; fired; n++) {
		int rc;

		assert_true(n < 50);
		fault_arm_call(n);
		rc = process_lock(deep);
		fired = fault_fired();
		fault_arm_call(0);
		assert_true(rc < 0 || is_locked());
		process_unlock();
		assert_int_equal(process_lock(deep), 0);
		process_unlock();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_folder_is_made_and_locked, up, down),
		cmocka_unit_test_setup_teardown(another_s_folder_is_refused, up, down),
		cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_is_said, up, down),
		cmocka_unit_test_setup_teardown(every_call_that_fails_is_survived, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
