/* SPDX-License-Identifier: Apache-2.0 */
/* test_self - counters of an instance and of this process, and what holds before anything is set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "self.h"

static void an_instance_counts(void **unused)
{
	_Atomic int64_t counters[2] = { 0 };
	char name[] = "riemann";
	struct sat_self self = { .name = name, .counters = counters, .n_counters = 2 };

	(void)unused;
	sat_count(&self, 0, 3);
	sat_count(&self, 0, -1);
	sat_gauge(&self, 1, 7);
	sat_gauge(&self, 1, 5);
	sat_count(&self, 2, 1);		/* it has no such counter */
	assert_int_equal(sat_counted(&self, 0), 2);
	assert_int_equal(sat_counted(&self, 1), 5);
	assert_int_equal(sat_counted(&self, 2), 0);
	assert_string_equal(sat_name(&self), "riemann");
}

static void the_host_counts(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < SELF_N; i++) {
		const struct sat_counter *c = self_describe((enum self_count)i);

		assert_int_equal(c->size, sizeof(*c));
		assert_true(strlen(c->name) > 0 && strlen(c->help) > 0);
		self_add((enum self_count)i, i + 1);
		assert_int_equal(self_get((enum self_count)i), i + 1);
		assert_int_equal(sat_counted(&self_host, i), i + 1);
	}
}

static void a_figure_is_a_modules_own_or_not(void **unused)
{
	static const struct sat_module module = { .name = "mesos-agent" };
	const struct sat_self self = { .module = &module };

	(void)unused;
	assert_string_equal(self_figure(&self, "satellite_mesos_agent_up"), "up");
	assert_null(self_figure(&self, "satellite_mesos_agent_"));
	assert_null(self_figure(&self, "satellite_mesos_agent"));
	assert_null(self_figure(&self, "satellite_mesos_snapshot"));
	assert_null(self_figure(&self, "mesos_agent_processes"));
}

static void a_time_that_was_not_measured_says_nothing(void **unused)
{
	static const struct { const char *help; bool gauge; int64_t value; bool known; } cases[] = {
		{ "microseconds it took", true, 0, false }, { "microseconds it took", true, 1, true },
		{ "nanoseconds it took", true, 0, false }, { "time of the last", true, 0, false },
		{ "microseconds in all", false, 0, true }, { "bytes that wait", true, 0, true }, { "time, and more", true, 0, true },
		{ "", true, 0, true }, { NULL, true, 0, true },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(self_known(&(struct sat_counter){ .help = cases[i].help, .gauge = cases[i].gauge }, cases[i].value),
				 cases[i].known);
	assert_false(self_known(self_describe(SELF_STORE_TIME), 0));
	assert_false(self_known(self_describe(SELF_STREAM_TIME), 0));
}

static void something_is_said_before_anything_is_set(void **unused)
{
	static char host[] = "h1", state[] = "/var/lib/satellite";

	(void)unused;
	assert_string_equal(sat_host(), "localhost");
	assert_string_equal(sat_state_dir(), ".");
	assert_false(sat_dry_run());
	self_process = (struct self_process){ .host = host, .state_dir = state, .replay = true };
	assert_string_equal(sat_host(), "h1");
	assert_string_equal(sat_state_dir(), "/var/lib/satellite");
	assert_true(sat_dry_run());
	self_process = (struct self_process){ 0 };
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instance_counts),
		cmocka_unit_test(the_host_counts),
		cmocka_unit_test(a_figure_is_a_modules_own_or_not),
		cmocka_unit_test(a_time_that_was_not_measured_says_nothing),
		cmocka_unit_test(something_is_said_before_anything_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
