/* SPDX-License-Identifier: Apache-2.0 */
/* test_topic - who hears what, also when hearers publish, subscribe or go from inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "event.h"
#include "topic.h"
#include "unit/fault.h"

struct hearer { struct sat_self self; const char *name; const struct sat_event *kept; };

static struct hearer one = { .name = "1" }, two = { .name = "2" };
static char seen[512];
static enum { LISTEN, GO, PUBLISH, SUBSCRIBE } does;

static int publish(const char *host, bool retain)
{
	const struct sat_event ev = { .size = sizeof(ev), .host = host }, *evs[] = { &ev };
	char was[8];
	int rc;

	snprintf(was, sizeof(was), "%s", host);
	rc = sat_publish(&one.self, "t", &(struct sat_item){ evs, 1, true }, retain);
	assert_string_equal(ev.host, was);
	return rc;
}

static void heard(void *state, const char *topic, const struct sat_item *item)
{
	struct hearer *h = state;
	int now = does;

	assert_string_equal(topic, "t");
	sprintf(seen + strlen(seen), "%s:%s ", h->name, item->evs[0]->host);
	does = LISTEN;
	if (now == GO)
		topic_forget(&two.self);
	if (now == PUBLISH)
		publish("inner", true);
	if (now == SUBSCRIBE)
		sat_subscribe(&two.self, "t", heard);
	/* Whatever happened, what came is still there, and may be kept. */
	sat_drop(h->kept);
	h->kept = sat_keep(item->evs[0]);
}

static int begin(void **unused)
{
	(void)unused;
	one.self.state = &one;
	two.self.state = &two;
	seen[0] = '\0';
	does = LISTEN;
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	sat_drop(one.kept);
	sat_drop(two.kept);
	one.kept = two.kept = NULL;
	topic_free();
	return 0;
}

static void a_retained_list_is_given_to_who_comes_later(void **unused)
{
	(void)unused;
	assert_int_equal(publish("a", true), 0);
	assert_int_equal(publish("b", false), 0);
	assert_int_equal(sat_subscribe(&one.self, "t", heard), 0);
	assert_int_equal(publish("c", false), 0);
	assert_int_equal(publish("d", true), 0);
	assert_int_equal(sat_subscribe(&two.self, "t", heard), 0);
	assert_string_equal(seen, "1:a 1:c 1:d 2:d ");
	topic_forget(&one.self);
	topic_forget(&two.self);
	assert_int_equal(publish("e", false), 0);
	assert_string_equal(one.kept->host, "d");
}

static void a_hearer_may_go_from_inside(void **unused)
{
	(void)unused;
	sat_subscribe(&one.self, "t", heard);
	sat_subscribe(&two.self, "t", heard);
	does = GO;
	publish("a", false);
	publish("b", false);
	assert_string_equal(seen, "1:a 1:b ");
}

static void a_hearer_may_publish_from_inside(void **unused)
{
	(void)unused;
	sat_subscribe(&one.self, "t", heard);
	sat_subscribe(&two.self, "t", heard);
	does = PUBLISH;
	publish("a", true);
	assert_string_equal(seen, "1:a 1:inner 2:inner 2:a ");
	seen[0] = '\0';
	topic_forget(&two.self);
	does = PUBLISH;			/* while it is given the retained list */
	sat_subscribe(&two.self, "t", heard);
	assert_string_equal(seen, "2:inner 1:inner 2:inner ");
}

static void one_who_subscribes_from_inside_hears_it_once(void **unused)
{
	(void)unused;
	sat_subscribe(&one.self, "t", heard);
	does = SUBSCRIBE;
	publish("a", true);
	assert_string_equal(seen, "1:a 2:a ");
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		fault_arm(++nth);
		sat_subscribe(&one.self, "t", heard);
		publish("a", true);
		publish("b", false);
		sat_subscribe(&two.self, "t", heard);
		fired = fault_fired();
		fault_arm(0);
		end(NULL);
		seen[0] = '\0';
	} while (fired);
	assert_true(nth > 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_retained_list_is_given_to_who_comes_later),
		TEST(a_hearer_may_go_from_inside),
		TEST(a_hearer_may_publish_from_inside),
		TEST(one_who_subscribes_from_inside_hears_it_once),
		TEST(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
