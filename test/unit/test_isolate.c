/* SPDX-License-Identifier: Apache-2.0 */
/* test_isolate - whatever the process of an isolated group does or sends, and whatever fails here, its parent goes on. */
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "unit/host.h"
#include "unit/unruly.h"
#include "isolate_node.h"
#include "probe.h"

static const char config[] = "modules = ( \"mine\" ); mine = { module = \"command\"; isolate = true; };"
	"streams = ( \"index\" ); checks = ( { command = \"true\"; service = \"t\"; interval = 3600; } );";
static char word[32];
static const char *awaited;	/* by described() */

static int begin(void **state)
{
	static char behave[] = "--behave";
	static const char *const words[] = { behave, word, NULL };

	signal(SIGPIPE, SIG_IGN);	/* as the program does */
	isolate_begin(words);
	return host_begin(state);
}

static void up(const char *what)
{
	snprintf(word, sizeof(word), "%s", what);
	host_up();
	assert_true(host_run(config));
}

static struct instance *mine(void)
{
	return setup_find(life_setup(), "mine");
}

static int64_t restarts(void)
{
	return mine()->isolated.restarts;
}

/* Down, and with the process gone. */
static void down(void)
{
	host_down();
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static bool described(void)
{
	const struct sat_event *ev = index_get("here", "satellite/isolated/mine");

	return ev != NULL && ev->description != NULL && strncmp(ev->description, awaited, strlen(awaited)) == 0;
}

static void await(const char *description)
{
	awaited = description;
	if (!host_until(described, 20000))
		fail_msg("no event says that it %s", description);
}

static bool is_done(void) { return index_get("here", "done") != NULL; }
static bool was_restarted(void) { return restarts() >= 2; }

/* What is wrong with the bytes ends the process, says why, and costs nothing else. */
static void what_is_no_message_ends_it(void **unused)
{
	static const char *const words[] = { "longest", "too-long", "garbage", "beyond", "a-million" };

	(void)unused;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		up(words[i]);
		await("sent what is no message, so it was killed; started again in 1 s");
		down();
	}
}

static void what_it_does_is_said(void **unused)
{
	static const struct { const char *word, *why; } ends[] = {
		{ "deaf", "closed its connection, so it was killed" }, { "ends", "ended with status 7" }, { "half", "ended with status 3" },
		{ "unknown", "sent what is no message" }, { "deaf", "closed its connection, so it was killed" },
		{ "empty", "sent more at once than there is memory for, so it was killed" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		up(ends[i].word);
		await(ends[i].why);
		assert_null(index_get("here", "lost"));
		assert_int_equal(is_done(), strcmp(ends[i].word, "half") == 0 || strcmp(ends[i].word, "unknown") == 0);
		down();
	}
}

/* Counters of two lives are added up, but not beyond what a counter can be. */
static void figures_are_bounded(void **unused)
{
	int64_t runs;

	(void)unused;
	up("figures");
	assert_true(host_until(was_restarted, 30000));
	assert_true(host_until(is_done, 10000));
	runs = sat_counted(&mine()->self, 0);
	assert_true(runs >= 0);
	assert_true(self_get(SELF_EMIT_DROPPED) >= 0);
	assert_true(checks_entry(life_setup()->checks, &mine()->self, 1)->took >= 0);
	down();
	self_set(SELF_EMIT_DROPPED, 0);
}

static long resident(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;	/* KiB, at most */
}

/* What is much, but right, is taken whole, in bounded memory. */
static void much_is_taken(void **unused)
{
	static const char *const words[] = { "pour", "print", "many", "mute" };

	(void)unused;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		long before = resident();

		up(words[i]);
		if (!host_until(is_done, 120000))
			fail_msg("%s: not all came", words[i]);
		await("runs");
		assert_int_equal(restarts(), 0);
		printf("%s: %ld KiB more\n", words[i], resident() - before);
		assert_true(SANITIZED || resident() - before < 64 << 10);
		down();
	}
}

/* Killed, it stays (here since another is meant): the end does not wait for it. */
static void who_cannot_be_killed_is_left_behind(void **unused)
{
	struct isolate *p;
	int64_t begun;
	int pid;

	(void)unused;
	up("stays");
	p = mine()->process;
	pid = p->process.pid;
	assert_true(pid > 0);
	p->process.pid = INT_MAX;
	begun = clock_boot();
	host_down();
	assert_true(clock_boot() - begun < 4500000);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* It runs, or will be started again. */
static bool has_settled(void)
{
	const struct isolate *p = mine()->process;

	return p == NULL || p->well || p->phase == ISOLATE_WAITS;
}

/* One life in which the nth of something fails; false: there are not so many. */
static bool live(void (*arm)(int nth), int nth, int *ran)
{
	struct setup *s;
	bool fired;

	snprintf(word, sizeof(word), "behaves");
	host_up();
	s = host_build(config);
	assert_non_null(s);
	assert_int_equal(setup_open(s), 0);
	arm(nth);
	life_swap(s);
	assert_true(host_until(has_settled, 20000));
	*ran += mine()->process != NULL && ((struct isolate *)mine()->process)->well;
	fired = host_down();
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return fired;
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0, ran = 0;

	(void)unused;
	while (live(fault_arm, ++nth, &ran))
		;
	printf("%d allocations, it ran %d times\n", nth, ran);
	assert_true(nth > 10 && ran > 5 && ran < nth);
}

static void every_call_that_fails_is_survived(void **unused)
{
	int nth = 0, ran = 0;

	(void)unused;
	while (live(fault_arm_call, ++nth, &ran))
		;
	printf("%d calls, it ran %d times\n", nth, ran);
	assert_true(nth > 5 && ran > 1 && ran < nth);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_message_ends_it),
		cmocka_unit_test(what_it_does_is_said),
		cmocka_unit_test(figures_are_bounded),
		cmocka_unit_test(much_is_taken),
		cmocka_unit_test(who_cannot_be_killed_is_left_behind),
		cmocka_unit_test(every_failure_is_survived),
		cmocka_unit_test(every_call_that_fails_is_survived),
	};

	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--behave") == 0)
			child(argv[i + 1]);
	return cmocka_run_group_tests(tests, begin, host_end);
}
