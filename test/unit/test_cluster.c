/* SPDX-License-Identifier: Apache-2.0 */
/* test_cluster - alerts on the share of hosts that get work, and what a counter grew by. */
#include "unit/flow.h"

static void push(const char *service, double metric)
{
	struct event ev = flow_event("a", service, "ok", 0);

	ev.pub.metric.d = metric;
	ev.pub.has |= SAT_HAS_DOUBLE;
	engine_input(&ev);
}

#define ALERTS \
	"streams = ( { cluster-alert = \"metric > 0.7\"; do = { tap = \"ok\"; }; else = { tap = \"bad\"; }; }," \
	" { forward-cluster-alert = \"metric < 0.7\"; do = ( { tagged = \"alert\"; do = { tap = \"alert\"; }; }," \
	" { tagged = \"resolve\"; do = { tap = \"resolve\"; }; } ); } );"

static void only_the_share_of_hosts_is_alerted_of(void **unused)
{
	(void)unused;
	flow_swap(ALERTS);
	push("mesos/prop-available-hosts", 0.5);
	flow_was("bad:a/mesos/prop-available-hosts/critical alert:a/mesos/prop-available-hosts/ok ");
	push("mesos/prop-available-hosts", 0.75);
	flow_was("ok:a/mesos/prop-available-hosts/ok resolve:a/mesos/prop-available-hosts/ok ");
	push("mesos/other", 0.5);
	flow_was("");
}

static void a_counter_is_counted_from_where_it_began_anew(void **unused)
{
	(void)unused;
	flow_swap("streams = ( { coalesce = 1000; do = { difference-since-beginning = { where = \"metric = 6 and event-count = '2'"
		  " and interval = '10'\"; do = { tap = \"six\"; }; else = { tap = \"other\"; }; }; longer = 5; }; } );");
	push("early", 3);
	flow_at(1010);
	push("late", 9);
	flow_was("");
	flow_at(2001);
	flow_was("six:a/late/ok ");
	flow_swap("streams = ( { exception-stream = ( { difference-since-beginning = ( ); } ); else = { tap = \"ex\"; }; } );");
	flow_push("a", "s", "ok", 0);
	flow_was("ex:a/satellite exception/error ");
}

static void every_failing_call_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		fault_arm(++nth);
		flow_end(engine_swap(flow_build(ALERTS)));
		push("mesos/prop-available-hosts", 0.5);
		fired = fault_fired();
		fault_arm(0);
		flow_seen[0] = '\0';
		flow_swap("streams = ( );");
	} while (fired);
	assert_true(nth > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW_TEST(only_the_share_of_hosts_is_alerted_of),
		FLOW_TEST(a_counter_is_counted_from_where_it_began_anew),
		FLOW_TEST(every_failing_call_is_survived),
	};

	log_open("/dev/null", LOG_DEBUG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
