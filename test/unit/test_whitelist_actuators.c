/* SPDX-License-Identifier: Apache-2.0 */
/* test_whitelist_actuators - what other ways than the file are told of hosts, and what they say is shown. */
#include "self.h"
#include "topic.h"
#include "unit/bed.h"

#include "../../modules/whitelist/whitelist.h"

extern const struct sat_module sat_module_whitelist;

static struct whitelist *wl;
static _Atomic int64_t counters[32];
static char told[256];		/* "store a=on b=off " */
static unsigned times;

static void hear(void *state, const char *topic, const struct sat_item *item)
{
	size_t n = 0;

	(void)state, (void)topic;
	assert_true(item->list);
	times++;
	for (uint32_t i = 0; i < item->n; i++) {
		const struct sat_event *ev = item->evs[i];

		n += (size_t)snprintf(told + n, sizeof(told) - n, "%s%s%s ", ev->host == NULL ? "" : ev->host,
				      ev->host == NULL ? "" : "=", ev->host == NULL ? sat_attr(ev, "store") : ev->state);
	}
}

static void host(const char *name, const char *json)
{
	struct record *rec = NULL;

	assert_int_equal(record_parse(&rec, json, strlen(json)), 0);
	hosts_take(wl, hosts_get(wl, name), rec, 1);
}

static int up(void **unused)
{
	(void)unused;
	bed_up(&sat_module_whitelist);
	bed.self.counters = counters;
	bed.self.n_counters = 32;
	wl = calloc(1, sizeof(*wl));
	wl->self = &bed.self;
	wl->settled = wl->synced = true;
	wl->mark = MARK_COMPLETE;
	wl->store = strdup("sqlite");
	wl->actuators[0].name = strdup("agents");
	wl->n_actuators = 1;
	guard_judge(&wl->guard, NULL);
	commit_start(wl);
	wishes_start(wl);
	bed.self.state = wl;
	assert_int_equal(actuators_start(wl), 0);
	bed.self.state = NULL;		/* the bed is not to free it */
	times = 0;
	told[0] = '\0';
	sat_subscribe(&self_host, "whitelist/hosts", hear);
	host("b", "{\"managed-flag\":\"on\",\"manual-flag\":\"off\"}");
	host("a", "{\"managed-flag\":\"on\"}");
	hosts_get(wl, "c")->deleted = strdup("id");
	return 0;
}

static int down(void **unused)
{
	(void)unused;
	wl->stopping = true;
	sat_alarm_stop(&wl->actuate);
	sat_alarm_stop(&wl->numbers);
	sat_alarm_stop(&wl->flush);
	hosts_free(wl);
	actuators_free(wl);
	free(wl);
	topic_forget(&self_host);
	topic_forget(&bed.self);
	topic_free();
	bed_down();
	return 0;
}

/* The alarm goes off, if it is set. */
static void ring(void)
{
	if (!wl->actuate_due)
		return;
	sat_alarm_stop(&wl->actuate);
	wl->actuate.fire(&wl->actuate);
}

static void the_inventory_is_told_as_the_file_has_it(void **unused)
{
	(void)unused;
	ring();
	assert_string_equal(told, "sqlite b=off a=on ");
	assert_int_equal(times, 1);
	ring();
	assert_int_equal(times, 1);
	host("a", "{\"managed-flag\":\"off\"}");
	host("b", "{\"managed-flag\":\"on\"}");
	ring();
	assert_string_equal(told, "sqlite b=on a=off ");
	assert_int_equal(times, 2);		/* together */
	hosts_gone(wl, hosts_find(wl, "b"));
	ring();
	assert_string_equal(told, "sqlite a=off ");
}

static void nothing_is_told_before_it_is_known(void **unused)
{
	(void)unused;
	ring();
	wl->synced = false;
	actuators_changed(wl);
	ring();
	wl->synced = true;
	wl->mark = MARK_IMPORTING;
	actuators_changed(wl);
	ring();
	assert_int_equal(times, 1);
	assert_true(wl->actuate_wanted);
	wl->mark = MARK_IMPORTED;
	actuators_changed(wl);
	wl->n_hosts = 0;		/* somebody emptied the store */
	ring();
	assert_int_equal(times, 1);
	wl->n_hosts = 2;
	actuators_changed(wl);
	ring();
	assert_int_equal(times, 2);
	assert_false(wl->actuate_wanted);
}

static void without_memory_it_is_told_later(void **unused)
{
	bool fired;
	int n = 0;

	(void)unused;
	do {
		actuators_changed(wl);
		times = 0;
		fault_arm(++n);
		ring();
		fired = fault_fired();
		fault_arm(0);
		assert_int_equal(times, !fired);
		assert_int_equal(wl->actuate_wanted, fired);
		assert_int_equal(wl->actuate_due, fired);
	} while (fired);
	assert_true(n > 4);
}

static void say(const char *trouble, const char *of_a)
{
	const struct sat_event list[] = {
		{ .size = sizeof(list[0]), .state = trouble != NULL ? "critical" : "ok", .description = trouble },
		{ .size = sizeof(list[0]), .host = "a", .description = of_a },
		{ .size = sizeof(list[0]), .host = "z", .description = "z is not as decided" },
	};
	const struct sat_event *evs[] = { &list[0], of_a != NULL ? &list[1] : &list[2], &list[2] };

	bed.self.state = wl;
	sat_publish(&self_host, "actuator/agents",
		    &(struct sat_item){ .evs = evs, .n = of_a != NULL ? 3 : 2, .list = true }, true);
	bed.self.state = NULL;
}

static const char *why(bool json)
{
	static char text[4096];
	struct sat_buf out = { 0 };

	assert_int_equal(why_tell(wl, "a", json, &out), 200);
	sat_buf_add(&out, "", 1);
	snprintf(text, sizeof(text), "%s", out.p);
	sat_buf_free(&out);
	return text;
}

static void what_they_say_is_shown(void **unused)
{
	struct sat_buf out = { 0 };

	(void)unused;
	assert_null(strstr(why(false), "agents "));
	assert_non_null(strstr(why(true), ",\"actuators\":{\"agents\":null}"));
	say(NULL, "agent 1 is\nactive");
	assert_non_null(strstr(why(false), "\nagents    agent 1 is active\n"));
	assert_non_null(strstr(why(true), ",\"actuators\":{\"agents\":\"agent 1 is active\"}"));
	say("Mesos is away", "agent 1 is \"active\"");
	assert_non_null(strstr(why(false), "agents    agent 1 is \"active\"; Mesos is away\n"));
	assert_non_null(strstr(why(true), "\"agent 1 is \\\"active\\\"; Mesos is away\""));
	say("Mesos is away", NULL);
	assert_null(strstr(why(false), "agents "));
	/* of a host that is not in the inventory, too */
	assert_int_equal(why_tell(wl, "z", false, &out), 404);
	assert_non_null(strstr(out.p, "not in the inventory; Mesos has named no agents here; agents: z is not as decided; "
			       "Mesos is away"));
	sat_buf_free(&out);
	for (int n = 1, fired = 1; fired; n++) {
		fault_arm(n);
		say(NULL, "agent 1 is active");
		fired = fault_fired();
		fault_arm(0);
		why(false);
	}
	assert_non_null(strstr(why(false), "agents    agent 1 is active\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_inventory_is_told_as_the_file_has_it, up, down),
		cmocka_unit_test_setup_teardown(nothing_is_told_before_it_is_known, up, down),
		cmocka_unit_test_setup_teardown(without_memory_it_is_told_later, up, down),
		cmocka_unit_test_setup_teardown(what_they_say_is_shown, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
