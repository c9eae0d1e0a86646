/* SPDX-License-Identifier: Apache-2.0 */
/* test_mesos-agent - its checks against an HTTP client that answers as the test says, on a virtual clock. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../modules/mesos-agent/agent.h"
#include "check.h"
#include "client.h"
#include "clock.h"
#include "conf.h"
#include "engine.h"
#include "instance.h"
#include "unit/fault.h"

extern const struct sat_module sat_module_mesos_agent;

#define BODY	"{\"slave/tasks_failed\":21.0,\"slave/tasks_finished\":9.0,\"slave/tasks_killed\":4.0," \
		"\"slave/tasks_lost\":2.0,\"slave/tasks_running\":8.0,\"slave/tasks_staging\":3.0," \
		"\"slave/tasks_starting\":3.0,\"x\":{\"slave/tasks_failed\":7}}"

static const char settings_text[] =
	"streams = ( \"index\" );\n"
	"mesos-agent = { url = \"http://a:5051/\"; timeout = 5; };\n"
	"checks = ( { check = \"total-tasks-failed\"; interval = 10; timeout = 8; },\n"
	"           { check = \"satellite-slave.mesos.recipes/total-tasks-finished\"; interval = 10; timeout = 8; },\n"
	"           { check = \"total-tasks-started\"; interval = 10; timeout = 8; } );\n";

/* ---- The client: one call at a time ------------------------------------- */

static struct { bool used, canceled; char url[256]; struct sat_fetch what; void *arg; } call;
static unsigned calls;

static int fetch(void *state, const struct sat_fetch *what, void *arg, void **inner)
{
	(void)state;
	assert_false(call.used);
	call.used = true;
	call.canceled = false;
	call.what = *what;
	call.arg = arg;
	snprintf(call.url, sizeof(call.url), "%s", what->url);
	*inner = &call;
	calls++;
	return 0;
}

static void cancel(void *state, void *inner)
{
	(void)state;
	(void)inner;
	call.canceled = true;
}

static const struct sat_module client_module = {
	.abi = SAT_ABI, .size = sizeof(struct sat_module), .name = "client",
	.http_client = &(const struct sat_http_client){ sizeof(struct sat_http_client), fetch, cancel },
};
static struct sat_self client = { .name = (char *)"client", .module = &client_module };

static void finish(int rc, int status, const char *body)
{
	struct sat_answer a = {
		.size = sizeof(a), .rc = rc, .status = status, .error = "it broke", .url = call.url,
		.body = body, .len = strlen(body),
	};

	assert_true(call.used);
	call.used = false;
	call.what.done(call.arg, &a);
	engine_run();
}

/* ---- The host around it ------------------------------------------------- */

static int put(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def;
	(void)state;
	return item->n == 1 ? sat_index_put(at, item->evs[0]) : 0;
}

static const struct sat_op index_op = { .size = sizeof(index_op), .name = "index", .item = put };

static const struct sat_op *find_op(void *arg, const char *name, const struct sat_conf *where,
				    struct sat_self **self)
{
	(void)arg;
	(void)name;
	(void)where;
	*self = &self_host;
	return &index_op;
}

static struct instance instance;

static const struct sat_check *find_check(void *arg, const char *name, bool own_key,
					  const struct sat_conf *where, struct sat_self **self)
{
	const struct sat_check *const *c = sat_module_mesos_agent.checks;

	(void)arg;
	(void)where;
	assert_false(own_key);
	*self = &instance.self;
	while (*c != NULL && strcmp((*c)->name, name) != 0)
		c++;
	return *c;
}

static const struct stream_finder ops = { find_op, NULL };
static const struct check_finder finder = { find_check, NULL };
static struct conf *settings;
static struct checks *checks;
static bool stopped;

/* As create() would, which wants a whole host for sat_need(). */
static int begin(void **unused)
{
	struct streams *streams;
	struct agent *agent = calloc(1, sizeof(*agent));

	(void)unused;
	clock_virtual(INT64_C(1700000000) * SAT_SECOND);
	engine_init(NULL);
	settings = conf_text(settings_text, "test");
	streams = streams_build(settings, conf_find(conf_root(settings), "streams"), NULL, "index", &ops);
	engine_swap(streams);
	client_use(&client);
	call.used = false;
	calls = 0;
	instance = (struct instance){ .stage = INSTANCE_RUNNING, .self = {
		.name = (char *)"mesos-agent", .module = &sat_module_mesos_agent, .state = agent,
		.instance = &instance } };
	agent->self = &instance.self;
	agent->url = strdup("http://a:5051");
	agent->how.timeout = 5 * SAT_SECOND;
	checks = checks_build(settings, conf_find(conf_root(settings), "checks"), "mesos/slave/", &finder);
	assert_non_null(checks);
	checks_adopt(checks, NULL);
	return 0;
}

static void all_stopped(void *arg)
{
	(void)arg;
	stopped = true;
}

static int end(void **unused)
{
	struct streams *streams = engine_swap(NULL);

	(void)unused;
	fault_arm(0);
	stopped = false;
	checks_stop(checks, false, all_stopped, NULL);
	instance_stop(&instance, NULL);
	if (call.used) {
		assert_true(call.canceled);
		finish(-ECANCELED, 0, "");
	}
	assert_true(stopped);
	assert_int_equal(instance.stage, INSTANCE_STOPPED);
	checks_free(checks);
	sat_module_mesos_agent.destroy(instance.self.state);
	streams_stop(streams, NULL, NULL);
	streams_free(streams);
	conf_unref(settings);
	client_forget(&client);
	engine_stop();
	return 0;
}

/* Until a call is under way, or the time is over. */
static void wait_for_call(double seconds)
{
	int64_t limit = clock_steady() + (int64_t)(seconds * 1e6);

	while (!call.used && clock_steady() < limit) {
		engine_move(clock_steady() + 10 * SAT_MS);
		engine_run();
	}
}

static void move(double seconds)
{
	int64_t limit = clock_steady() + (int64_t)(seconds * 1e6);

	while (clock_steady() < limit) {
		engine_move(clock_steady() + 10 * SAT_MS);
		engine_run();
	}
}

static const struct sat_event *event(const char *check)
{
	char service[64];

	snprintf(service, sizeof(service), "mesos/slave/%s", check);
	return sat_index_get("localhost", service);
}

static void is(const char *check, int64_t metric)
{
	assert_non_null(event(check));
	assert_string_equal(event(check)->state, "ok");
	assert_true(event(check)->has & SAT_HAS_INT);
	assert_int_equal(event(check)->metric.i, metric);
}

static void is_unknown(const char *check, const char *words)
{
	assert_non_null(event(check));
	assert_string_equal(event(check)->state, "unknown");
	assert_false(event(check)->has & SAT_HAS_METRIC);
	assert_non_null(strstr(event(check)->description, words));
}

/* Whatever each of the three asks for in a round gets this answer. */
static void round_of(int rc, int status, const char *body)
{
	int64_t limit = clock_steady() + 10 * SAT_SECOND;

	while (clock_steady() < limit) {
		wait_for_call(0.1);
		if (call.used)
			finish(rc, status, body);
	}
}

static void totals_are_reported(void **unused)
{
	(void)unused;
	wait_for_call(10);
	assert_string_equal(call.url, "http://a:5051/metrics/snapshot");
	round_of(0, 200, BODY);
	is("total-tasks-failed", 21);
	is("total-tasks-finished", 9);
	is("total-tasks-started", 50);
}

/* All three wait for the same answer, and one that comes just after it needs no other. */
static void one_answer_serves_all(void **unused)
{
	(void)unused;
	wait_for_call(10);
	move(6);	/* the first starts within 5 s, as do the others */
	assert_int_equal(calls, 1);
	finish(0, 200, BODY);
	assert_int_equal(calls, 1);
	is("total-tasks-failed", 21);
	is("total-tasks-finished", 9);
	is("total-tasks-started", 50);
}

static void a_missing_figure_is_unknown(void **unused)
{
	(void)unused;
	round_of(0, 200, "{\"slave/tasks_failed\":3,\"slave/tasks_finished\":\"4\"}");
	is("total-tasks-failed", 3);
	is_unknown("total-tasks-finished", "lacks slave/tasks_finished");
	is_unknown("total-tasks-started", "lacks");
}

static void an_old_agent_has_another_path(void **unused)
{
	(void)unused;
	wait_for_call(10);
	finish(0, 404, "");
	assert_string_equal(call.url, "http://a:5051/stats.json");
	finish(0, 200, BODY);
	wait_for_call(10);
	assert_string_equal(call.url, "http://a:5051/stats.json");
	finish(0, 404, "");
	finish(0, 404, "");
	move(1);
	assert_false(call.used);
}

static void trouble_is_unknown_never_critical(void **unused)
{
	static const struct { int rc, status; const char *body, *words; } all[] = {
		{ -ECONNREFUSED, 0, "", "does a Mesos agent run there" },
		{ -ETIMEDOUT, 0, "", "no answer in time" }, { -EIO, 0, "", "it broke" },
		{ 0, 401, "", "credentials" }, { 0, 403, "", "403" }, { 0, 404, "", "url" },
		{ 0, 503, "Agent has not finished recovery", "answers 503" },
		{ 0, 200, "<html>", "not JSON" }, { 0, 200, "", "not JSON" },
		{ 0, 200, "{\"a\":", "cut short" }, { 0, 200, "[]", "not JSON" },
		{ 0, 200, "7", "not JSON" }, { 0, 200, "{}", "lacks" },
	};
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		round_of(all[i].rc, all[i].status, all[i].body);
		is_unknown("total-tasks-failed", all[i].words);
		is_unknown("total-tasks-started", all[i].words);
	}
	round_of(0, 200, BODY);
	is("total-tasks-failed", 21);
}

static void a_check_that_waits_too_long_says_so(void **unused)
{
	(void)unused;
	wait_for_call(10);
	move(14);	/* past the timeout of each: 8 s, begun within 5 */
	assert_true(call.used);
	is_unknown("total-tasks-failed", "no answer within");
	is_unknown("total-tasks-finished", "no answer within");
	finish(0, 200, BODY);
	round_of(0, 200, BODY);
	is("total-tasks-finished", 9);
}

static void it_stops_while_checks_wait(void **unused)
{
	(void)unused;
	wait_for_call(10);
	assert_true(call.used);		/* and end() stops it */
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0;

	(void)unused;
	do {
		fault_arm(++nth);
		round_of(0, 200, BODY);
	} while (fault_fired());
	fault_arm(0);
	assert_true(nth > 3);
	round_of(0, 200, BODY);
	is("total-tasks-failed", 21);
}

/* A text that is deep, or one long string, is read in the memory there is. */
static void odd_texts_are_read(void **unused)
{
	static const char huge[] = "{\"slave/tasks_lost\":1e999,\"slave/tasks_failed\":2}";
	static char text[300000];
	struct figures f;
	size_t i;

	(void)unused;
	memset(text, '[', sizeof(text));
	text[0] = '{';
	memcpy(text + 1, "\"a\":", 4);
	assert_int_equal(figures_read(&f, text, sizeof(text)), -EBADMSG);
	for (i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\\n", 2);
	memcpy(text, "{\"", 2);
	memcpy(text + sizeof(text) - 4, "\":1}", 4);
	assert_int_equal(figures_read(&f, text, sizeof(text)), 0);
	assert_int_equal(f.known, 0);
	assert_int_equal(figures_read(&f, text, sizeof(text) - 1), -EBADMSG);
	assert_int_equal(figures_read(&f, huge, strlen(huge)), 0);
	assert_int_equal(f.known, 1u << FAILED);
}

/* Here nobody has the "http-client" that it needs in the end. */
static void creating_survives_every_failure(void **unused)
{
	struct conf *file = conf_text("mesos-agent = { url = \"https://m:5051/\";"
				      " user = \"u\"; password = \"p\";"
				      " ca = \"/ca\"; cert = \"/cert\"; key = \"/key\"; };",
				      "test");
	const struct sat_conf *group = conf_find(conf_root(file), "mesos-agent");
	struct sat_self self = { .name = (char *)"mesos-agent", .conf = group };
	void *state = NULL;
	int nth = 0, rc;

	(void)unused;
	assert_int_equal(instance_judge(&sat_module_mesos_agent, group), 0);
	do {
		fault_arm(++nth);
		rc = sat_module_mesos_agent.create(&self, group, &state);
		assert_int_equal(rc, fault_fired() ? -ENOMEM : -EINVAL);
		assert_null(state);
	} while (fault_fired());
	fault_arm(0);
	assert_int_equal(nth, 4);	/* itself and two texts, then none */
	conf_unref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(totals_are_reported, begin, end),
		cmocka_unit_test_setup_teardown(one_answer_serves_all, begin, end),
		cmocka_unit_test_setup_teardown(a_missing_figure_is_unknown, begin, end),
		cmocka_unit_test_setup_teardown(an_old_agent_has_another_path, begin, end),
		cmocka_unit_test_setup_teardown(trouble_is_unknown_never_critical, begin, end),
		cmocka_unit_test_setup_teardown(a_check_that_waits_too_long_says_so, begin, end),
		cmocka_unit_test_setup_teardown(it_stops_while_checks_wait, begin, end),
		cmocka_unit_test_setup_teardown(every_failure_is_survived, begin, end),
		cmocka_unit_test(odd_texts_are_read),
		cmocka_unit_test(creating_survives_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
