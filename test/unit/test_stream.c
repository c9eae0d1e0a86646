/* SPDX-License-Identifier: Apache-2.0 */
/* test_stream - what is refused in `streams`, shared nodes, forks and their end, errors, reloads, saved states. */
#include <unistd.h>

#include "account.h"
#include "unit/flow.h"

static char log_path[] = "/tmp/satellite-stream-XXXXXX";

static int end(void **unused)
{
	(void)unused;
	flow_teardown(NULL);
	account_limit(INT64_MAX);
	assert_int_equal(self_get(SELF_MEMORY_FORKS), 0);
	return 0;
}

/* ---- What is refused ---------------------------------------------------- */

static const char *logged(void)
{
	static char text[20000];
	FILE *f = fopen(log_path, "r");
	size_t n = fread(text, 1, sizeof(text) - 1, f);

	text[n] = '\0';
	fclose(f);
	return text;
}

static void refused(const char *text, const char *why)
{
	struct streams *s;

	assert_int_equal(truncate(log_path, 0), 0);
	s = flow_build(text);
	if (s != NULL || strstr(logged(), why) == NULL)
		fail_msg("%s\nwanted: %s\nlogged: %s", text, why, logged());
}

static void mistakes_are_said_with_their_line(void **unused)
{
	(void)unused;
	refused("streams = (\n\"tap\",\n\"nothing\" );", "test.cfg:3: ");
	refused("streams = ( { nothing = 1; } );", "no operator \"nothing\"");
	refused("streams = ( { } );", "an empty group names no operator");
	refused("streams = ( 5 );", "a stream is a name or a group");
	refused("streams = ( \"where\" );", "where needs an argument");
	refused("streams = ( { by = \"\"; do = \"tap\"; } );", "names no field");
	refused("streams = ( { by = \"a b c d e f g h i\"; do = \"tap\"; } );", "over 8 fields");
	refused("streams = ( { tap = \"x\"; nonsense = 1; } );", "nonsense");
	refused("streams = ( { sdo = ( \"tap\" ); do = ( \"tap\" ); } );", "as its own value already");
	refused("streams = ( { pipe = ( ); } );", "a list of stages is wanted");
	refused("streams = ( { by = \"host\"; keep = -1; do = \"tap\"; } );", "keep");
	refused("define = { a = ( \"b\" ); b = ( \"a\" ); }; streams = ( \"a\" );", "would run into itself");
	refused("define = { a = ( \"tap\" ); }; streams = ( { a = 1; } );", "is named by a string");
	refused("define = { a = ( \"tap\" ); }; streams = ( { pipe = ( \"a\", \"tap\" ); } );",
		"a defined stream cannot be a stage");
	refused("streams = ( { pipe = ( { pipe = ( \"held\", \"held\" ); }, \"tap\" ); } );", "a pipe as a stage");
	refused("streams = (\n{ throttle = 1; id = \"x\"; },\n{ throttle = 2; id = \"x\"; } );",
		"test.cfg:3: ");
	refused("streams = ( { changed-state = \"tap\"; id = \"x\"; }, { changed-state = \"tap\"; id = \"x\"; } );",
		"another node has the id \"x\"");
}

static void several_mistakes_are_said_in_one_go(void **unused)
{
	(void)unused;
	refused("streams = (\n\"one\",\n{ sdo = (\n\"two\" ); } );", "test.cfg:2: ");
	assert_non_null(strstr(logged(), "test.cfg:4: "));
}

static void nesting_has_an_end(void **unused)
{
	char text[8000] = "streams = ( ";
	char *p;

	(void)unused;
	for (int i = 0; i < 80; i++)
		strcat(text, "{ sdo = ");
	strcat(text, "\"tap\"");
	for (int i = 0; i < 80; i++)
		strcat(text, "; }");
	strcat(text, " );");
	refused(text, " deep");
	p = text + sprintf(text, "define = { ");
	for (int i = 0; i < 100; i++)
		p += sprintf(p, "d%d = ( \"d%d\" ); ", i, i + 1);
	sprintf(p, "d100 = ( \"tap\" ); }; streams = ( \"d0\" );");
	refused(text, "streams nest over 64 deep");
}

static void every_failure_of_a_build_is_survived(void **unused)
{
	static const char text[] =
		"define = { d = ( { tap = \"d\"; } ); };\n"
		"streams = ( { by = ( \"host\", \"service\" ); do = ( { changed = \"state\"; init = \"ok\"; do = \"d\"; }, \"held\" ); },\n"
		" { pipe = ( { with = { state = \"x\"; tags = ( \"a\", \"b\" ); }; do = \"-\"; }, { throttle = 2; } ); do = \"d\"; },\n"
		" { changed-state = ( { tap = \"c\"; } ); id = \"k\"; }, { tag = ( \"x\", \"y\" ); do = { untag = \"x\"; }; },\n"
		" { default = { ttl = 5; }; do = { unset = \"host\"; do = { coalesce = 5; do = \"d\"; }; }; },\n"
		" { output = \"o\"; }, { over = 5; do = { under = 6; }; } );";

	(void)unused;
	flow_build_survives(text, 100);
}

/* ---- Ways --------------------------------------------------------------- */

static void a_defined_stream_is_one_node_wherever_it_is_named(void **unused)
{
	(void)unused;
	flow_swap("define = { once = ( { throttle = 1; dt = 100; do = { tap = \"t\"; }; } ); };\n"
		  "streams = ( \"once\", { by = \"host\"; do = \"once\"; }, \"once\" );");
	flow_push("a", "s", "ok", 0);
	flow_push("b", "s", "ok", 0);
	flow_was("t:a/s/ok ");
}

static void a_pipe_under_by_has_one_throttle_a_fork(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { by = \"host\"; do = ( { pipe = ( { where = \"state = 'ok'\"; do = \"-\"; else = \"-\"; },\n"
		  "{ throttle = 2; dt = 100; } ); do = { tap = \"t\"; }; } ); } );");
	flow_push("a", "s", "ok", 0);
	flow_push("a", "s", "bad", 0);
	flow_push("a", "s", "ok", 0);
	flow_push("a", "s", "bad", 0);
	flow_push("b", "s", "bad", 0);
	flow_was("t:a/s/ok t:a/s/bad t:b/s/bad ");
}

static void a_pipe_within_a_pipe_says_where_it_passes(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { pipe = ( { pipe = ( { with = { state = \"1\"; }; do = \"+\"; }, { tag = \"x\"; do = \"-\"; } ); marker = \"+\"; },\n"
		  "{ tap = \"t\"; } ); } );");
	flow_push("a", "s", "ok", 0);
	flow_was("t:a/s/1 ");
}

static void keys_of_any_kind_are_told_apart(void **unused)
{
	struct event ev;
	char *long_name = malloc(9000);
	static const char *const tags[3][2] = { { "a", "b" }, { "ab", "" }, { "a", "b" } };

	(void)unused;
	flow_swap("streams = ( { by = ( \"host\", \"service\", \"metric\", \"tags\", \"x\" ); do = { throttle = 1; dt = 100; do = { tap = \"t\"; }; }; } );");
	flow_push(NULL, "s", "1", 0);
	flow_push("", "s", "2", 0);
	flow_push("", "s", "3", 0);
	flow_push("s", NULL, "4", 0);
	for (int i = 0; i < 3; i++) {
		ev = flow_event("h", "s", "5", 0);
		ev.pub.has |= SAT_HAS_INT | SAT_HAS_TAGS;
		ev.pub.metric.i = 1;
		ev.pub.tags = tags[i];
		ev.pub.n_tags = 2;
		engine_input(&ev);
	}
	ev.pub.has = (ev.pub.has & ~(uint32_t)SAT_HAS_INT) | SAT_HAS_DOUBLE;
	engine_input(&ev);
	flow_was("t:-/s/1 t:/s/2 t:s/-/4 t:h/s/5 t:h/s/5 t:h/s/5 ");
	memset(long_name, 'x', 8999);
	long_name[8999] = '\0';
	assert_int_equal(flow_push(long_name, "s", "6", 0), -E2BIG);
	assert_non_null(strstr(streams_error(), "a key over"));
	free(long_name);
}

static void a_text_is_found_again_among_others_and_is_no_list_of_itself(void **unused)
{
	static const char *const names[] = { "a", NULL, "", "ab", "a", "b", "ab", NULL, "" };
	static const char *const one[] = { "a" };
	struct event ev;

	(void)unused;
	flow_swap("streams = ( { by = \"host\"; do = { throttle = 1; dt = 100; do = { tap = \"t\"; }; }; } );");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		flow_push(names[i], "s", "1", 0);
	assert_int_equal(streams_forks(engine_streams()), 1 + 5);
	flow_was("t:a/s/1 t:-/s/1 t:/s/1 t:ab/s/1 t:b/s/1 ");
	flow_swap("streams = ( { by = \"tags\"; do = { by = \"host\"; do = { throttle = 1; dt = 100; do = { tap = \"t\"; }; }; }; } );");
	for (int i = 0; i < 2; i++) {
		ev = flow_event("a", "s", i == 0 ? "1" : "2", 0);
		ev.pub.has |= SAT_HAS_TAGS;
		ev.pub.tags = one;
		ev.pub.n_tags = 1;
		engine_input(&ev);
		flow_push("a", "s", i == 0 ? "3" : "4", 0);
	}
	flow_was("t:a/s/1 t:a/s/3 ");
}

/* ---- Errors ------------------------------------------------------------- */

static void an_error_goes_to_the_nearest_catcher_else_up(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { catch = ( \"fails\", { tap = \"on\"; } ); else = { tap = \"caught\"; }; } );");
	assert_int_equal(flow_push("a", "s", "ok", 0), 0);
	flow_was("caught:a/satellite exception/error on:a/s/ok ");
	flow_swap("streams = ( \"fails\", { tap = \"next\"; } );");
	assert_int_equal(flow_push("a", "s", "ok", 0), -EIO);
	assert_string_equal(streams_error(), "it fails");
	flow_was("next:a/s/ok ");
}

static void what_fails_in_a_catcher_goes_to_the_next_one_out(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { catch = ( { catch = \"fails\"; else = ( \"fails\" ); } ); else = { tap = \"outer\"; }; } );");
	assert_int_equal(flow_push("a", "s", "ok", 0), 0);
	flow_was("outer:a/satellite exception/error ");
	flow_swap("streams = ( { catch = \"fails\"; else = \"fails\"; } );");
	assert_int_equal(flow_push("a", "s", "ok", 0), 0);
	flow_was("");
}

static void what_fails_below_a_timer_is_caught_where_the_timer_stands(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { exception-stream = ( { by = \"host\"; do = { exception-stream = { coalesce = 10; do = ( \"fails\", { tap = \"on\"; } ); };"
		  " else = ( { tap = \"inner\"; }, { batch = 2; dt = 5; do = \"fails\"; } ); }; } ); else = { tap = \"outer\"; }; } );");
	flow_push("a", "s", "ok", 0);
	flow_at(1001);
	flow_was("inner:a/satellite exception/error on:[a/s/ok] ");
	flow_at(1006);
	flow_was("outer:a/satellite exception/error ");
	/* A timer outside is caught by nothing, and one in a catcher's streams is for the next one out. */
	flow_swap("streams = ( { coalesce = 1; do = \"fails\"; }, { exception-stream = ( \"fails\", { tap = \"on\"; } ); else = { coalesce = 1; do = \"fails\"; }; } );");
	flow_push("a", "s", "ok", 0);
	flow_at(1008);
	flow_was("on:a/s/ok ");
}

static void a_fork_that_a_pass_is_in_is_not_freed_for_room(void **unused)
{
	(void)unused;
	flow_swap("define = { d = ( { by = \"service\"; max = 1; do = ( \"held\", \"fails\", { tap = \"t\"; } ); } ); };\n"
		  "streams = ( { catch = \"d\"; else = \"d\"; } );");
	flow_push("a", "s", "ok", 0);
	flow_was("t:a/satellite exception/error t:a/s/ok ");
	flow_push("a", "s", "ok", 0);
	flow_push("a", "x", "ok", 0);
}

/* ---- Forks -------------------------------------------------------------- */

static void forks_end_when_as_good_as_new(void **unused)
{
	struct streams *s;

	(void)unused;
	flow_swap("streams = ( { by = \"host\"; do = ( { changed = \"state\"; init = \"ok\"; do = { tap = \"t\"; }; }, \"held\" ); } );");
	s = engine_streams();
	flow_push("a", "s", "ok", 10);
	flow_push("b", "s", "bad", 10);
	flow_was("t:b/s/bad ");
	assert_int_equal(streams_forks(s), 3);
	flow_at(1010);
	flow_at(1012);
	assert_int_equal(streams_forks(s), 2);
	/* b's last state is not what a new fork's would be: it stays, and stays right. */
	flow_push("b", "s", "bad", 10);
	flow_was("");
	flow_push("b", "s", "ok", 10);
	flow_was("t:b/s/ok ");
	flow_at(1030);
	assert_int_equal(streams_forks(s), 1);
	flow_push("b", "s", "ok", 10);
	flow_was("");
	flow_push("b", "s", "bad", 10);
	flow_was("t:b/s/bad ");
}

static void forks_have_a_maximum_and_an_age(void **unused)
{
	char host[16];
	int64_t dropped = self_get(SELF_FORKS_DROPPED), aged = self_get(SELF_FORKS_AGED);

	(void)unused;
	flow_swap("streams = ( { by = \"host\"; max = 10; keep = 100; do = ( \"held\", { by = \"service\"; do = { coalesce = 500; do = \"held\"; }; } ); } );");
	for (int i = 0; i < 30; i++) {
		sprintf(host, "h%d", i);
		flow_push(host, "s", "ok", 0);
		flow_push(host, "t", "ok", 0);
	}
	assert_int_equal(streams_forks(engine_streams()), 1 + 10 * 3);
	assert_int_equal(self_get(SELF_FORKS_DROPPED), dropped + 20);
	assert_int_equal(timer_count(), 20);
	flow_at(1099);
	assert_int_equal(streams_forks(engine_streams()), 31);
	flow_push("h29", "s", "ok", 0);
	flow_at(1102);
	assert_int_equal(streams_forks(engine_streams()), 4);
	assert_int_equal(self_get(SELF_FORKS_AGED), aged + 9);
	assert_int_equal(timer_count(), 2);
}

#define SHARE(limit) ((int64_t)(limit) / 16 * 4)

static void hosts(int from, int to)
{
	char host[16];

	for (int i = from; i < to; i++) {
		sprintf(host, "h%d", i);
		flow_push(host, "s", "ok", 0);
	}
}

static void beyond_their_share_the_oldest_forks_go(void **unused)
{
	struct streams *s;
	int64_t dropped = self_get(SELF_FORKS_DROPPED);
	size_t n;

	(void)unused;
	account_limit(1 << 17);
	flow_swap("streams = ( { by = \"host\"; do = ( \"held\", { by = \"service\"; do = ( \"held\", { coalesce = 500; do = { tap = \"t\"; }; } ); } ); },\n"
		  " { where = \"state = 'late'\"; do = { by = \"service\"; do = \"held\"; }; } );");
	s = engine_streams();
	hosts(0, 500);
	n = streams_forks(s);
	assert_in_range(n, 20, 500);
	assert_true(self_get(SELF_FORKS_DROPPED) > dropped);
	assert_in_range(self_get(SELF_MEMORY_FORKS), SHARE(1 << 17) / 2, SHARE(1 << 17) + 2000);
	/* The last came last: they are there yet.  A table of its own has no older ones, and takes another's. */
	flow_push("h499", "s", "late", 0);
	assert_in_range(streams_forks(s), n - 2, n + 1);
	assert_in_range(self_get(SELF_MEMORY_FORKS), SHARE(1 << 17) / 2, SHARE(1 << 17) + 2000);
}

static void less_memory_is_made_of_forks_by_and_by(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { by = \"host\"; do = ( { changed = \"state\"; do = \"held\"; } ); } );");
	hosts(0, 5000);
	assert_int_equal(streams_forks(engine_streams()), 5001);
	account_limit(1 << 17);
	flow_at(2001);
	assert_in_range(streams_forks(engine_streams()), 3300, 3400);
	flow_push("one", "s", "ok", 0);
	assert_in_range(streams_forks(engine_streams()), 3300, 3385);	/* and that makes room for more than itself */
	flow_at(2002);
	flow_at(2003);
	flow_at(2004);
	assert_in_range(self_get(SELF_MEMORY_FORKS), SHARE(1 << 17) - 500, SHARE(1 << 17));
	hosts(0, 500);
	assert_in_range(self_get(SELF_MEMORY_FORKS), SHARE(1 << 17) - 500, SHARE(1 << 17));
	account_limit(0);
	flow_at(2005);
	assert_int_equal(streams_forks(engine_streams()), 1);
	hosts(0, 1);
	assert_int_equal(streams_forks(engine_streams()), 1);
}

/* ---- Reload ------------------------------------------------------------- */

#define WINDOWS \
	"{ by = \"host\"; do = ( { changed-state = ( { tap = \"c\"; } ); init = \"ok\"; }," \
	" { coalesce = 10; do = { tap = \"l\"; }; }, { throttle = 1; dt = 1000; do = { tap = \"t\"; }; }, \"held\" ); }," \
	" { pipe = ( { where = \"state = 'ok'\"; do = \"-\"; else = \"-\"; }, { throttle = 1; dt = 1000; } ); do = { tap = \"p\"; }; }"

static void a_stream_on_top_keeps_all_windows(void **unused)
{
	(void)unused;
	flow_swap("streams = ( " WINDOWS " );");
	flow_push("a", "s", "bad", 60);
	flow_was("c:a/s/bad t:a/s/bad p:a/s/bad ");
	flow_at(1001);
	flow_was("l:[a/s/bad] ");
	flow_swap("streams = ( { where = \"true\"; do = { throttle = 1; dt = 1000; do = { tap = \"new\"; }; }; }, \"held\", " WINDOWS " );");
	flow_push("a", "t", "bad", 60);
	flow_was("new:a/t/bad c:a/t/bad ");
	flow_push("a", "s", "bad", 60);
	flow_was("");
	flow_at(1010);
	flow_was("l:[a/s/bad,a/t/bad] ");
	flow_at(1020);
	flow_was("l:[a/s/bad,a/t/bad] ");
	assert_int_equal(streams_forks(engine_streams()), 1 + 1 + 2);
}

static void what_is_gone_is_closed_and_its_timers_stopped(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { by = \"host\"; do = ( { coalesce = 10; do = { tap = \"l\"; }; }, \"held\" ); }, \"held\" );");
	flow_push("a", "s", "ok", 0);
	flow_push("b", "s", "ok", 0);
	flow_was("");
	assert_int_equal(timer_count(), 2);
	assert_int_equal(flow_opened, 3);
	/* The set that is replaced still stops its outputs: nothing may fire in it. */
	{
		struct streams *prev = engine_swap(flow_build("streams = ( \"held\" );"));

		assert_int_equal(timer_count(), 0);
		assert_int_equal(flow_opened - flow_closed, 1);
		flow_at(1100);
		flow_was("");
		flow_end(prev);
	}
	flow_swap("streams = ( \"held\", \"held\" );");
	assert_int_equal(flow_opened - flow_closed, 2);
}

static void what_changes_below_one_clause_leaves_the_other_clauses_alone(void **unused)
{
	static const char ONE[] = "{ throttle = 1; dt = 1000; do = { tap = \"1\"; }; }", TWO[] = "{ throttle = 1; dt = 1000; do = { tap = \"2\"; }; }";
	char text[1000];

	(void)unused;
	snprintf(text, sizeof(text), "streams = ( { split = ( ( \"host = 'a'\", \"bit-bucket\" ), ( %s ) ); },\n"
		 "{ splitp = ( \"=\", \"host\", ( \"a\", \"bit-bucket\" ), ( %s ) ); } );", ONE, TWO);
	flow_swap(text);
	flow_push("b", "s", "ok", 0);
	flow_was("1:b/s/ok 2:b/s/ok ");
	snprintf(text, sizeof(text), "streams = ( { split = ( ( \"host = 'a'\", { tap = \"new\"; } ), ( %s ) ); },\n"
		 "{ splitp = ( \"=\", \"host\", ( \"a\", ( \"bit-bucket\", { tap = \"newer\"; } ) ), ( %s ) ); } );", ONE, TWO);
	flow_swap(text);
	flow_push("a", "s", "ok", 0);
	flow_was("new:a/s/ok newer:a/s/ok ");
	flow_push("b", "s", "ok", 0);
	flow_was("");
	/* Another predicate is another split. */
	snprintf(text, sizeof(text), "streams = ( { split = ( ( \"host = 'c'\", \"bit-bucket\" ), ( %s ) ); },\n"
		 "{ splitp = ( \"=\", \"host\", ( \"c\", \"bit-bucket\" ), ( %s ) ); } );", ONE, TWO);
	flow_swap(text);
	flow_push("b", "s", "ok", 0);
	flow_was("1:b/s/ok 2:b/s/ok ");
}

static void equal_siblings_keep_theirs_and_an_id_outlives_its_parameters(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { throttle = 1; dt = 1000; do = { tap = \"1\"; }; }, { throttle = 1; dt = 1000; do = { tap = \"2\"; }; },\n"
		  "{ throttle = 1; dt = 1000; id = \"x\"; do = { tap = \"3\"; }; } );");
	flow_push("a", "s", "ok", 0);
	flow_was("1:a/s/ok 2:a/s/ok 3:a/s/ok ");
	flow_swap("streams = ( { throttle = 2; dt = 1000; id = \"x\"; do = { tap = \"3\"; }; }, { throttle = 1; dt = 1000; do = { tap = \"1\"; }; } );");
	flow_push("a", "s", "ok", 0);
	flow_was("3:a/s/ok ");
	flow_push("a", "s", "ok", 0);
	flow_was("");
	flow_swap("streams = ( { throttle = 2; dt = 1001; do = { tap = \"1\"; }; } );");
	flow_push("a", "s", "ok", 0);
	flow_was("1:a/s/ok ");
}

static void outputs_go_on_only_with_equal_settings(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { output = \"one\"; }, { output = \"two\"; id = \"x\"; } );");
	assert_int_equal(flow_started, 2);
	flow_swap("streams = ( \"held\", { output = \"one\"; }, { output = \"changed\"; id = \"x\"; } );");
	assert_int_equal(flow_started, 3);
	assert_int_equal(flow_stopped, 1);
	flow_push("a", "s", "ok", 0);
	flow_was("one@streams[1] changed@streams[2] ");
	flow_swap("streams = ( { output = \"one\"; } );");
	flow_push("a", "s", "ok", 0);
	flow_was("one@streams[0] ");
	assert_int_equal(flow_started, 3);
	assert_int_equal(flow_stopped, 2);
}

static void every_failure_of_a_reload_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		struct streams *next;

		flow_swap("streams = ( { by = \"x\"; do = \"tap\"; }, " WINDOWS " );");
		flow_push("a", "s", "bad", 60);
		flow_push("b", "s", "bad", 60);
		next = flow_build("streams = ( \"held\", " WINDOWS " );");
		assert_non_null(next);
		fault_arm(nth + 3);		/* the first two are the root's, without which nothing goes on */
		nth++;
		next = engine_swap(next);
		fired = fault_fired();
		fault_arm(0);
		flow_end(next);
		flow_push("a", "s", "bad", 60);
		flow_push("c", "s", "bad", 60);
		flow_at(1000 + nth * 20);
		flow_seen[0] = '\0';
	} while (fired);
	assert_true(nth > 5);
}

static void every_failure_of_a_push_is_survived(void **unused)
{
	static const char text[] =
		"streams = ( \"index\", " WINDOWS ", { with = { foo = \"bar\"; }; do = { tag = \"x\"; do = ( \"index\", { by = \"foo\"; do = { throttle = 1; do = \"reinject\"; }; } ); }; } );";
	int nth = 0, fired;

	(void)unused;
	do {
		flow_swap(text);
		fault_arm(++nth);
		flow_push("a", "s", "bad", 60);
		flow_push("b", "s", "bad", 60);
		flow_at(1000 + nth * 20);
		engine_reap();
		fired = fault_fired();
		fault_arm(0);
		flow_push("a", "s", "bad", 60);
		flow_at(1010 + nth * 20);
		flow_swap("streams = ( );");
		flow_seen[0] = '\0';
	} while (fired);
	assert_true(nth > 20);
}

/* ---- Saved states ------------------------------------------------------- */


static const char nested[] =
	"streams = ( { by = \"service\"; do = ( { by = \"host\"; do = ( { changed = \"state\"; init = \"ok\"; do = { tap = \"c\"; }; },\n"
	" { coalesce = 10; do = { tap = \"l\"; }; }, { throttle = 2; dt = 100; do = { tap = \"t\"; }; } ); } ); },\n"
	" { changed-state = { tap = \"s\"; }; }, { changed = \"tags\"; do = { tap = \"tags\"; }; }, { changed = \"metric\"; do = { tap = \"m\"; }; } );";

static void fill(void)
{
	static const char *const tags[] = { "x", "y" };
	struct event ev;

	flow_swap(nested);
	flow_push("a", "s", "bad", 60);
	flow_push("b", "s", "bad", 60);
	flow_push("a", "t", "bad", 0);
	ev = flow_event("a", "s", "bad", 60);
	ev.pub.tags = tags;
	ev.pub.n_tags = 2;
	ev.pub.metric.d = 2.5;
	ev.pub.has |= SAT_HAS_TAGS | SAT_HAS_DOUBLE;
	engine_input(&ev);
	flow_at(1003);
	flow_forget(0);
	assert_int_equal(streams_save(engine_streams(), flow_keep, NULL), 0);
	flow_seen[0] = '\0';
}

static void states_come_back_under_nested_forks(void **unused)
{
	(void)unused;
	fill();
	assert_int_equal(flow_saved.n, 3 * 3 + 3 + 2);
	flow_over();
	flow_begin(5000);		/* away for an hour and more */
	flow_swap(nested);
	for (size_t i = 0; i < flow_saved.n; i++)
		assert_int_equal(streams_load(engine_streams(), flow_saved.text[i], flow_saved.len[i]), 0);
	assert_int_equal(timer_count(), 3 + 3);	/* of coalesce and of throttle */
	flow_at(5006.9);
	flow_was("");
	flow_at(5007);			/* 7 s were left */
	assert_non_null(strstr(flow_seen, "l:[a/s/bad] "));
	assert_non_null(strstr(flow_seen, "l:[b/s/bad] "));
	assert_non_null(strstr(flow_seen, "l:[a/t/bad] "));
	flow_seen[0] = '\0';
	flow_push("a", "s", "bad", 60);	/* no c, no s, and its throttle had passed two */
	flow_was("tags:a/s/bad m:a/s/bad ");
	flow_push("b", "s", "ok", 60);
	flow_was("c:b/s/ok t:b/s/ok s:b/s/ok ");
}

static void what_is_refused_begins_anew(void **unused)
{
	(void)unused;
	fill();
	flow_over();
	for (size_t cut = 1; cut < 120; cut += 7) {
		flow_begin(5000);
		flow_swap(nested);
		for (size_t i = 0; i < flow_saved.n; i++)
			assert_int_not_equal(streams_load(engine_streams(), flow_saved.text[i],
							  flow_saved.len[i] > cut ? flow_saved.len[i] - cut : 0), 0);
		flow_push("a", "s", "bad", 60);
		flow_at(5200);
		flow_over();
	}
	flow_begin(5000);
	flow_swap("streams = ( \"held\" );");
	assert_int_equal(streams_load(engine_streams(), flow_saved.text[0], flow_saved.len[0]), -ENOENT);
}

static void every_failure_of_saving_and_loading_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		fill();
		flow_over();
		flow_begin(5000);
		flow_swap(nested);
		fault_arm(++nth);
		for (size_t i = 0; i < flow_saved.n; i++)
			streams_load(engine_streams(), flow_saved.text[i], flow_saved.len[i]);
		flow_forget(0);
		streams_save(engine_streams(), flow_keep, NULL);
		fired = fault_fired();
		fault_arm(0);
		flow_push("a", "s", "bad", 60);
		flow_at(5200);
		flow_over();
		flow_begin(1000);
	} while (fired);
	assert_true(nth > 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, flow_setup, end)
	const struct CMUnitTest tests[] = {
		TEST(mistakes_are_said_with_their_line),
		TEST(several_mistakes_are_said_in_one_go),
		TEST(nesting_has_an_end),
		TEST(every_failure_of_a_build_is_survived),
		TEST(a_defined_stream_is_one_node_wherever_it_is_named),
		TEST(a_pipe_under_by_has_one_throttle_a_fork),
		TEST(a_pipe_within_a_pipe_says_where_it_passes),
		TEST(keys_of_any_kind_are_told_apart),
		TEST(a_text_is_found_again_among_others_and_is_no_list_of_itself),
		TEST(an_error_goes_to_the_nearest_catcher_else_up),
		TEST(what_fails_in_a_catcher_goes_to_the_next_one_out),
		TEST(what_fails_below_a_timer_is_caught_where_the_timer_stands),
		TEST(a_fork_that_a_pass_is_in_is_not_freed_for_room),
		TEST(forks_end_when_as_good_as_new),
		TEST(forks_have_a_maximum_and_an_age),
		TEST(beyond_their_share_the_oldest_forks_go),
		TEST(less_memory_is_made_of_forks_by_and_by),
		TEST(a_stream_on_top_keeps_all_windows),
		TEST(what_is_gone_is_closed_and_its_timers_stopped),
		TEST(what_changes_below_one_clause_leaves_the_other_clauses_alone),
		TEST(equal_siblings_keep_theirs_and_an_id_outlives_its_parameters),
		TEST(outputs_go_on_only_with_equal_settings),
		TEST(every_failure_of_a_reload_is_survived),
		TEST(every_failure_of_a_push_is_survived),
		TEST(states_come_back_under_nested_forks),
		TEST(what_is_refused_begins_anew),
		TEST(every_failure_of_saving_and_loading_is_survived),
	};
	int failed, fd = mkstemp(log_path);

	if (fd < 0)
		return 1;
	close(fd);
	log_open(log_path, LOG_INFO);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	log_close();
	unlink(log_path);
	return failed;
}
