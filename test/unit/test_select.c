/* SPDX-License-Identifier: Apache-2.0 */
/* test_select - which way events take through split, splitp, match and the like, and what is refused. */
#include "unit/flow.h"

#define ALL \
	"streams = ( { split = ( ( \"state = 'a'\", { tap = \"a\"; } ), ( \"state = 'b'\", { tap = \"b\"; } ), ( { tap = \"rest\"; } ) ); }," \
	" { splitp = ( \"=\", \"state\", ( \"a\", { tap = \"pa\"; } ), ( { tap = \"prest\"; } ) ); }," \
	" { match = \"state\"; value = ( \"a\", \"c\" ); do = { tap = \"ac\"; }; }, { match = \"state\"; do = { tap = \"nil\"; }; }," \
	" { match = \"state\"; regex = \"^[ab]$\"; do = { tap = \"re\"; }; }, { match = \"tags\"; value = ( \"x\" ); do = \"bit-bucket\"; }," \
	" { tagged = ( \"x\", \"y\" ); }, { within = ( 1, 2.5 ); }, { without = ( 1, 2 ); }, { publish = \"here\"; } );"

static void the_first_clause_that_fits_is_taken(void **unused)
{
	(void)unused;
	flow_swap(ALL);
	flow_push("h", "s", "a", 0);
	flow_was("a:h/s/a pa:h/s/a ac:h/s/a re:h/s/a ");
	flow_push("h", "s", "b", 0);
	flow_was("b:h/s/b prest:h/s/b re:h/s/b ");
	flow_push("h", "s", NULL, 0);
	flow_was("rest:h/s/- prest:h/s/- nil:h/s/- ");
}

/* 2^53 + 1 is no double, so comparing as doubles would find it equal to 2^53. */
static void integers_are_compared_to_the_last_digit(void **unused)
{
	struct event ev;

	(void)unused;
	flow_swap("streams = ( { over = 9007199254740992L; do = { tap = \"over\"; }; }, { under = 9007199254740994L; do = { tap = \"under\"; }; },"
		  " { within = ( 9007199254740993L, 9007199254740993L ); do = { tap = \"within\"; }; }, { over = 9007199254740993L; do = { tap = \"no\"; }; },"
		  " { without = ( 9007199254740992L, 9007199254740992L ); do = { tap = \"without\"; }; }, { over = 0.5; do = { tap = \"real\"; }; } );");
	ev = flow_event("h", "s", "a", 0);
	ev.pub.has |= SAT_HAS_INT;
	ev.pub.metric.i = 9007199254740993;
	engine_input(&ev);
	flow_was("over:h/s/a under:h/s/a within:h/s/a without:h/s/a real:h/s/a ");
}

static void what_fails_below_comes_out_at_else(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { exception-stream = ( \"fails\", { tap = \"next\"; } ); else = { tap = \"ex\"; }; },"
		  " { exception-stream = { splitp = ( \"<\", \"metric\", ( 1, \"bit-bucket\" ) ); }; else = { tap = \"ex\"; }; } );");
	flow_push("h", "s", "a", 0);
	flow_was("ex:h/satellite exception/error next:h/s/a ex:h/satellite exception/error ");
}

static void refused(const char *text)
{
	if (flow_build(text) != NULL)
		fail_msg("taken: %s", text);
}

static void mistakes_are_refused(void **unused)
{
	(void)unused;
	refused("streams = ( { split = \"state\"; } );");
	refused("streams = ( { split = ( ); } );");
	refused("streams = ( { split = ( ( \"state = \", \"tap\" ) ); } );");
	refused("streams = ( { split = ( ( \"tap\" ), ( \"state\", \"tap\" ) ); } );");
	refused("streams = ( { split = ( ( 5, \"tap\" ) ); } );");
	refused("streams = ( { split = ( ( \"state\", \"nothing\" ) ); } );");
	refused("streams = ( { splitp = ( \"like\", \"state\", ( 5, \"tap\" ) ); } );");
	refused("streams = ( { splitp = ( \"<\", \"a or b\", ( 5, \"tap\" ) ); } );");
	refused("streams = ( { splitp = ( \"<\", \"metric\", ( \"x\", \"tap\" ) ); } );");
	refused("streams = ( { splitp = ( \"<\", \"metric\" ); } );");
	refused("streams = ( { match = \"state\"; value = \"x\"; regex = \"y\"; } );");
	refused("streams = ( { match = \"state\"; regex = \"(\"; } );");
	refused("streams = ( { match = \"tags\"; value = ( 5 ); } );");
	refused("streams = ( { match = \"state\"; value = { }; } );");
	refused("streams = ( { within = ( 1 ); } );");
	refused("streams = ( { without = ( 1, \"x\" ); } );");
	refused("streams = ( { publish = \"mesos/agents\"; } );");
}

static void every_failure_of_a_build_is_survived(void **unused)
{
	(void)unused;
	flow_build_survives(ALL, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW_TEST(the_first_clause_that_fits_is_taken),
		FLOW_TEST(integers_are_compared_to_the_last_digit),
		FLOW_TEST(what_fails_below_comes_out_at_else),
		FLOW_TEST(mistakes_are_refused),
		FLOW_TEST(every_failure_of_a_build_is_survived),
	};

	log_open("/dev/null", LOG_DEBUG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
