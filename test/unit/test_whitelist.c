/* SPDX-License-Identifier: Apache-2.0 */
/* test_whitelist - wishes are levels, bounded, and never half kept; orders say what is wrong with them. */
#include "instance.h"
#include "unit/bed.h"

#include "../../modules/whitelist/whitelist.h"

extern const struct sat_module sat_module_whitelist;

static struct whitelist *wl;
static _Atomic int64_t counters[32];
static const struct cause cause = { "streams[0]", &(const struct sat_event){ .size = sizeof(struct sat_event),
	.host = "h", .service = "s", .state = "critical" } };

static int up(void **unused)
{
	(void)unused;
	bed_up(&sat_module_whitelist);
	bed.self.counters = counters;
	bed.self.n_counters = 32;
	wl = calloc(1, sizeof(*wl));
	wl->self = &bed.self;
	wl->guard.mode = GUARD_OFF;
	commit_start(wl);
	wishes_start(wl);
	return 0;
}

static int down(void **unused)
{
	(void)unused;
	wl->stopping = true;
	sat_alarm_stop(&wl->flush);
	sat_alarm_stop(&wl->until);
	sat_alarm_stop(&wl->decide);
	hosts_free(wl);
	free(wl);
	bed_down();
	return 0;
}

/* An event of the host, as streams have it. */
static int keep_event(const char *service, const char *state, const char *more)
{
	char json[200], error[100];
	const struct sat_event *ev;
	int rc;

	snprintf(json, sizeof(json), "{\"host\":\"h\",\"service\":\"%s\",\"state\":\"%s\"%s}", service, state, more);
	ev = sat_event_parse(json, strlen(json), error, sizeof(error));
	if (ev == NULL)
		return -ENOMEM;
	rc = wishes_event(wl, hosts_find(wl, "h"), ev, true);
	sat_drop(ev);
	return rc;
}

static void the_last_word_counts_and_any_hold_holds(void **unused)
{
	struct host *h;

	(void)unused;
	assert_int_equal(wishes_hold(wl, "h", "", false, 0, &cause), 0);
	h = hosts_find(wl, "h");
	assert_int_equal(wishes_flag(h), FLAG_ON);
	assert_int_equal(wishes_hold(wl, "h", "", true, 0, &cause), 0);
	assert_int_equal(wishes_flag(h), FLAG_OFF);
	assert_int_equal(wishes_hold(wl, "h", "blackhole", true, 60 * SAT_SECOND, &cause), 0);
	assert_int_equal(wishes_hold(wl, "h", "", false, 0, &cause), 0);
	assert_int_equal(wishes_flag(h), FLAG_OFF);
	assert_non_null(strstr(wishes_cause(h), "hold blackhole"));
	assert_int_equal(wishes_end(wl, h, sat_wall() + 59 * SAT_SECOND), 0);
	assert_int_equal(wishes_end(wl, h, sat_wall() + 61 * SAT_SECOND), 1);
	assert_int_equal(wishes_flag(h), FLAG_ON);
	/* a name that holds nothing says nothing */
	assert_int_equal(wishes_hold(wl, "g", "blackhole", false, 0, &cause), 0);
	assert_int_equal(wishes_flag(hosts_find(wl, "g")), FLAG_NONE);
}

static void events_are_written_once_and_figures_wait(void **unused)
{
	const struct sat_event gone = { .size = sizeof(gone), .host = "h", .service = "s" };
	struct record *rec = NULL;
	struct host *h;

	(void)unused;
	assert_int_equal(record_parse(&rec, NULL, 0), 0);
	assert_int_equal(keep_event("s", "critical", ""), 0);
	h = hosts_find(wl, "h");
	assert_string_equal(wishes_failing(h), "s");
	assert_int_equal(wishes_apply(wl, h, rec), 1);
	assert_int_equal(wishes_apply(wl, h, rec), 0);
	assert_int_equal(keep_event("s", "critical", ",\"metric\":7"), 0);
	assert_int_equal(wishes_apply(wl, h, rec), 0);	/* a figure waits a minute */
	assert_true(h->soft);
	assert_int_equal(keep_event("s", "expired", ",\"metric\":7"), 0);
	assert_int_equal(wishes_apply(wl, h, rec), 1);	/* a state does not */
	assert_non_null(strstr(rec->managed->text, "\"metric\":7"));
	h->rec = rec;
	h->soft = h->queued[AUTOMATION] = false;
	assert_int_equal(keep_event("s", "expired", ",\"metric\":8"), 0);
	assert_true(h->soft);				/* nobody needs to look at it now */
	assert_false(h->queued[AUTOMATION]);
	assert_int_equal(wishes_event(wl, h, &gone, false), 0);
	assert_null(wishes_failing(h));
	assert_int_equal(wishes_apply(wl, h, rec), 1);
	assert_null(rec->managed);
	wishes_settle(wl, h);
	assert_null(h->wishes);		/* the tombstone has done its work */
}

static void nothing_grows_without_end(void **unused)
{
	struct record *rec = NULL;
	struct host *h;
	char service[16];

	(void)unused;
	for (int i = 0; i < 200; i++) {
		snprintf(service, sizeof(service), "s%d", i);
		assert_int_equal(keep_event(service, "critical", ""), 0);
	}
	h = hosts_find(wl, "h");
	assert_int_equal(record_parse(&rec, NULL, 0), 0);
	assert_int_equal(wishes_apply(wl, h, rec), 1);
	assert_int_equal(record_events(rec->managed), RECORD_MANAGED);
	assert_int_equal(counters[COUNT_WISHES_DROPPED], 200 - RECORD_EVENTS + RECORD_EVENTS - RECORD_MANAGED);
	record_free(rec);
}

static int live(void)
{
	struct record *rec = NULL;
	struct host *h;
	int rc = keep_event("s", "critical", "");

	if (rc == 0)
		rc = wishes_hold(wl, "h", "", true, 0, &cause);
	h = hosts_find(wl, "h");
	if (rc == 0 && h == NULL)
		return -ENOMEM;
	if (rc == 0)
		rc = record_parse(&rec, NULL, 0);
	if (rc == 0) {
		rc = wishes_apply(wl, h, rec);
		rc = rc < 0 ? rc : 0;
	}
	record_free(rec);
	if (h != NULL)
		wishes_free(h);
	return rc;
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0, rc;

	(void)unused;
	do {
		fault_arm(++nth);
		rc = live();
		assert_true(rc == 0 || (rc == -ENOMEM && fault_fired()));
	} while (fault_fired());
	fault_arm(0);
	assert_true(nth > 5);
}

static int order(const char *body, char *error)
{
	struct order *o = order_new(NULL, NULL, ORDER_POST, "h", "e");
	int rc = o == NULL ? -ENOMEM : order_body(o, body, strlen(body), 5 * SAT_SECOND, error, 256);

	if (rc == 0)
		assert_string_equal(o->text, "{\"state\":\"ok\",\"x\":\"\\u00e9\",\"ttl\":60,\"time\":5.000000}");
	order_free(o);
	return rc;
}

static void an_order_is_kept_as_it_was_written(void **unused)
{
	static const char good[] = "{\"state\":\"ok\", \"ttl\":\"1minute\", \"x\" : \"\\u00e9\", \"description\":null}";
	char error[256];
	int nth = 0, rc;

	(void)unused;
	assert_int_equal(order(good, error), 0);
	assert_int_equal(order("{\"state\":\"ok\",\"metric\":\"1\"}", error), -EINVAL);
	assert_string_equal(error, "metric: is not a number");
	assert_int_equal(order("{\"ttl\":\"1day\"}", error), -EINVAL);
	assert_string_equal(error, "state: is missing");
	do {
		fault_arm(++nth);
		rc = order(good, error);
		assert_true(rc == 0 || (rc == -ENOMEM && fault_fired()));
	} while (fault_fired());
	fault_arm(0);
	assert_true(nth > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_last_word_counts_and_any_hold_holds, up, down),
		cmocka_unit_test_setup_teardown(events_are_written_once_and_figures_wait, up, down),
		cmocka_unit_test_setup_teardown(nothing_grows_without_end, up, down),
		cmocka_unit_test_setup_teardown(every_failure_is_survived, up, down),
		cmocka_unit_test(an_order_is_kept_as_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
