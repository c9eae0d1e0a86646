/* SPDX-License-Identifier: Apache-2.0 */
/* test_recorder - what goes in is written as whole lines, or counted as not written. */
#include "recorder.h"
#include "unit/bed.h"

#include <sys/stat.h>
#include <unistd.h>

static const struct sat_module module = { .abi = SAT_ABI, .size = sizeof(module), .name = "recorder" };
static char folder[] = "/tmp/satellite-recorder-XXXXXX", path[64], old[80];

static int up(void **unused)
{
	(void)unused;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/events.json", folder);
	snprintf(old, sizeof(old), "%s.1", path);
	bed_up(&module);
	return 0;
}

static int down(void **unused)
{
	char command[128];

	(void)unused;
	fault_arm(0);
	fault_arm_call(0);
	recorder_use(NULL, 0);
	bed_run_for(50);
	recorder_end();
	bed_down();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static int enter(void *arg, unsigned level, const char *key, bool list)
{
	(void)arg, (void)level, (void)key, (void)list;
	return SAT_JSON_ENTER;
}

static int member(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	(void)arg, (void)level, (void)key, (void)v;
	return 0;
}

/* Lines of the file, each of which must be one that replay reads. */
static int lines_of(const char *name)
{
	FILE *f = fopen(name, "r");
	char line[4096], error[128];
	int n = 0;

	for (; f != NULL && fgets(line, sizeof(line), f) != NULL; n++) {
		static const struct sat_json_calls any = { .size = sizeof(any), .open = enter, .value = member };

		assert_int_equal(line[strlen(line) - 1], '\n');
		assert_int_equal(strncmp(line, "{\"at\": ", 7), 0);
		assert_int_equal(sat_json_read(line, strlen(line) - 1, &any, NULL, error, sizeof(error)), 0);
	}
	if (f != NULL)
		fclose(f);
	return n;
}

static void say(int n)
{
	while (n-- > 0)
		sat_emit(&bed.self, .host = "h", .service = "s", .state = "ok", .description = "a \"text\"");
	engine_run();
}

static void events_and_expiries_become_lines(void **unused)
{
	(void)unused;
	assert_int_equal(recorder_use(path, 1 << 20), 0);
	say(3);
	recorder_expire();
	recorder_flush();
	bed_run_for(100);
	assert_int_equal(lines_of(path), 4);
	assert_int_equal(self_get(SELF_RECORD_DROPPED), 0);
}

static void a_full_file_makes_room(void **unused)
{
	(void)unused;
	assert_int_equal(recorder_use(path, 500), 0);
	for (int i = 0; i < 6; i++) {
		say(3);
		recorder_flush();
		bed_run_for(50);
	}
	assert_in_range(lines_of(path), 3, 6);
	assert_in_range(lines_of(old), 3, 6);
}

static void what_waits_at_the_end_is_written(void **unused)
{
	(void)unused;
	assert_int_equal(recorder_use(path, 1 << 20), 0);
	say(5);
	recorder_end();
	assert_int_equal(lines_of(path), 5);
}

/* The job has the file; what came since then is lost, and counted. */
static void what_a_job_keeps_from_being_written_is_counted(void **unused)
{
	int64_t before = self_get(SELF_RECORD_DROPPED);

	(void)unused;
	assert_int_equal(recorder_use(path, 1 << 20), 0);
	say(3);
	recorder_flush();
	say(2);
	recorder_end();
	assert_int_equal(self_get(SELF_RECORD_DROPPED), before + 2);
	bed_run_for(50);
	assert_int_equal(lines_of(path), 3);
}

static void tell(void)
{
	if (recorder_use(path, 300) != 0)
		return;
	say(2);
	recorder_flush();
	bed_run_for(5);
	say(2);
	recorder_flush();
	bed_run_for(5);
}

/* What was written is whole lines, and the next are written again. */
static void every_failure_is_survived(void (*arm)(int nth))
{
	bool fired = true;

	for (int n = 1; fired; n++) {
		assert_true(n < 500);
		arm(n);
		tell();
		fired = fault_fired();
		arm(0);
		lines_of(path);
		lines_of(old);
		recorder_use(NULL, 0);
		bed_run_for(5);
		unlink(path);
		unlink(old);
		assert_int_equal(recorder_use(path, 1 << 20), 0);
		say(1);
		recorder_flush();
		bed_run_for(30);
		assert_int_equal(lines_of(path), 1);
		recorder_use(NULL, 0);
		bed_run_for(5);
		unlink(path);
	}
}

static void every_allocation_that_fails_is_survived(void **unused)
{
	(void)unused;
	every_failure_is_survived(fault_arm);
}

static void every_call_that_fails_is_survived(void **unused)
{
	(void)unused;
	every_failure_is_survived(fault_arm_call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(events_and_expiries_become_lines, up, down),
		cmocka_unit_test_setup_teardown(a_full_file_makes_room, up, down),
		cmocka_unit_test_setup_teardown(what_waits_at_the_end_is_written, up, down),
		cmocka_unit_test_setup_teardown(what_a_job_keeps_from_being_written_is_counted, up, down),
		cmocka_unit_test_setup_teardown(every_allocation_that_fails_is_survived, up, down),
		cmocka_unit_test_setup_teardown(every_call_that_fails_is_survived, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
