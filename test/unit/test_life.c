/* SPDX-License-Identifier: Apache-2.0 */
/* test_life - a satellite starts, reloads and ends; a reload that fails leaves what ran. */
#include "unit/host.h"

static char first[1024], second[1024];
static int port;

static int begin(void **state)
{
	static const char text[] = "modules = ( \"riemann\", \"checks\" ); riemann = { port = %d; idle-timeout = %d; };"
		"streams = ( { where = \"service = 's'\"; do = ( \"index\" ); } );"
		"checks = ( { check = \"load-average\"; interval = %d; } ); index = { max = 1000; };";

	port = host_port();
	snprintf(first, sizeof(first), text, port, 1, 3600);
	snprintf(second, sizeof(second), text, port, 2, 1800);
	return host_begin(state);
}

/* Events still reach the streams. */
static void works(void)
{
	index_delete("h", "s");
	assert_int_equal(sat_emit(&self_host, .host = "h", .service = "s", .state = "ok"), 0);
	engine_run();
	assert_non_null(index_get("h", "s"));
}

static bool reachable(void)
{
	int fd = host_connect(port, SOCK_STREAM);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void it_starts_reloads_and_ends(void **unused)
{
	struct setup *before;

	(void)unused;
	host_up();
	assert_true(host_run(first));
	works();
	assert_true(reachable());
	before = life_setup();
	assert_false(host_run("streams = ( \"no-such\" );"));
	assert_ptr_equal(life_setup(), before);
	assert_true(host_run(second));
	works();
	assert_true(reachable());
	host_down();
	assert_false(reachable());
}

enum { BUILDS = 200 };

/* One that lies where another has lain, if memory comes back at all. */
static struct setup *build_at(const char *text, const struct setup *place)
{
	struct setup *others[BUILDS], *s = NULL;
	size_t n = 0;

	while (n < BUILDS && (s = host_build(text)) != place) {
		assert_non_null(s);
		others[n++] = s;
	}
	if (n == BUILDS)
		s = others[--n];
	while (n > 0)
		setup_free(others[--n]);
	return s;
}

/* The setup that a life ended with means nothing to the next. */
static void it_lives_again(void **unused)
{
	static const char text[] = "streams = ( \"index\" );";
	struct setup *s;

	(void)unused;
	host_up();
	assert_true(host_run(text));
	s = life_setup();
	host_down();
	host_up();
	s = build_at(text, s);
	assert_int_equal(setup_open(s), 0);
	life_swap(s);
	assert_true(host_run(text));
	for (int i = 0; i < 3; i++)
		host_turn();
	assert_true(sat_acting());
	works();
	host_down();
}

/* One life, in which the nth of something fails; false: there are not so many. */
static bool live(void (*arm)(int nth), int nth, int *refused)
{
	struct setup *before;
	bool started, reloaded;

	host_up();
	arm(nth);
	started = host_run(first);
	if (!started)
		assert_true(fault_fired() && !reachable());
	before = life_setup();
	reloaded = started && host_run(second);
	if (started && !reloaded) {
		assert_true(fault_fired());
		assert_ptr_equal(life_setup(), before);
		for (size_t k = 0; k < before->n; k++)
			assert_int_equal(before->list[k]->stage, INSTANCE_RUNNING);
		works();
		assert_true(reachable());
		assert_true(host_run(second));	/* the next one may succeed */
		++*refused;
	}
	for (int i = 0; i < 3; i++)
		host_turn();
	return host_down();
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0, refused = 0;

	(void)unused;
	while (live(fault_arm, ++nth, &refused))
		;
	printf("%d allocations, %d reloads refused\n", nth, refused);
	assert_true(nth > 200 && refused > 100);
}

static void every_call_that_fails_is_survived(void **unused)
{
	int nth = 0, refused = 0;

	(void)unused;
	while (live(fault_arm_call, ++nth, &refused))
		;
	printf("%d calls, %d reloads refused\n", nth, refused);
	assert_true(nth > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_starts_reloads_and_ends),
		cmocka_unit_test(it_lives_again),
		cmocka_unit_test(every_failure_is_survived),
		cmocka_unit_test(every_call_that_fails_is_survived),
	};

	return cmocka_run_group_tests(tests, begin, host_end);
}
