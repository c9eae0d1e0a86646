/* SPDX-License-Identifier: Apache-2.0 */
/* test_reach-http - its check against an HTTP client that answers as the test says. */
#include "client.h"
#include "unit/bed.h"

extern const struct sat_module sat_module_reach_http;

/* ---- The client: one call at a time ------------------------------------- */

static struct {
	bool used, canceled;
	struct sat_fetch what;
	char url[256], user[32], password[32], ca[64];
	void *arg;
} call;
static unsigned calls;

static void keep(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text != NULL ? text : "");
}

static int fetch(void *state, const struct sat_fetch *what, void *arg, void **inner)
{
	(void)state;
	assert_false(call.used);
	memset(&call, 0, sizeof(call));
	call.used = true;
	call.what = *what;
	call.arg = arg;
	keep(call.url, sizeof(call.url), what->url);
	keep(call.user, sizeof(call.user), what->user);
	keep(call.password, sizeof(call.password), what->password);
	keep(call.ca, sizeof(call.ca), what->ca);
	*inner = &call;
	calls++;
	return 0;
}

static void finish(int rc, int status)
{
	struct sat_answer a = { .size = sizeof(a), .rc = rc, .status = status, .error = "it broke", .body = "" };

	assert_true(call.used);
	call.used = false;
	call.what.done(call.arg, &a);
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

/* ---- The host around it ------------------------------------------------- */

static struct sat_module module;	/* without create(), which wants a whole host for sat_need() */

static int up(void **unused)
{
	(void)unused;
	module = sat_module_reach_http;
	module.create = NULL;
	bed_up(&module);
	client_use(&client);
	memset(&call, 0, sizeof(call));
	calls = 0;
	return 0;
}

static void end_checks(void)
{
	if (bed.checks == NULL)
		return;
	if (call.used) {
		bool done = false;

		checks_stop(bed.checks, false, bed_done, &done);
		assert_true(call.canceled);
		finish(-ECANCELED, 0);
		assert_true(done);
		checks_free(bed.checks);
		bed.checks = NULL;
		bed_forget();
	}
	bed_end_checks();
}

static int down(void **unused)
{
	(void)unused;
	end_checks();
	client_forget(&client);
	bed_down();
	return 0;
}

/* Until the client is asked. */
static void ask(const char *settings)
{
	char list[512];

	end_checks();
	snprintf(list, sizeof(list), "{ check = \"http-reachable\"; url = \"http://a:80/x?token=1\"; interval = 0.5; %s }",
		 settings);
	assert_non_null(bed_build("", list));
	checks_adopt(bed.checks, NULL);
	while (!call.used)
		bed_turn();
}

/* How the client's taker finds a body that comes in parts; NULL ends them. */
static void body(int status, const char *const *parts)
{
	for (; *parts != NULL; parts++)
		if (call.what.data(call.arg, status, *parts, strlen(*parts)) != 0) {
			finish(-ECANCELED, status);
			return;
		}
	finish(0, status);
}

static const struct sat_event *answered_now(void)
{
	while (bed.n < 1)
		bed_turn();
	return bed.seen[0];
}

static const struct sat_event *answered(int status, const char *text)
{
	const char *const parts[] = { text, NULL };

	body(status, parts);
	return answered_now();
}

static void expect(const struct sat_event *ev, const char *state, const char *words)
{
	assert_string_equal(ev->state, state);
	assert_non_null(strstr(ev->description, words));
}

static void an_answer_of_200_is_ok(void **unused)
{
	const struct sat_event *ev;

	(void)unused;
	ask("");
	assert_string_equal(call.url, "http://a:80/x?token=1");
	ev = answered(200, "long");
	assert_string_equal(ev->service, "http://a:80/x reachable in ms");
	expect(ev, "ok", "http://a:80/x answers 200 in ");
	assert_null(strstr(ev->description, "token"));
	assert_true(ev->has & SAT_HAS_DOUBLE);
	assert_true(ev->metric.d >= 0 && ev->metric.d < 1000);
	ask("");
	finish(0, 204);	/* without a body */
	expect(answered_now(), "ok", "answers 204");
}

static void another_status_is_critical_unless_it_is_the_one(void **unused)
{
	(void)unused;
	ask("");
	expect(answered(503, "x"), "critical", "answers 503");
	assert_true(bed.seen[0]->has & SAT_HAS_DOUBLE);
	ask("status = 401;");
	expect(answered(401, "x"), "ok", "answers 401");
	ask("status = 302;");
	assert_true(call.what.no_redirect);
	expect(answered(200, "x"), "critical", "answers 200");
}

/* Wherever the borders of what comes lie. */
static void a_text_is_found_over_borders(void **unused)
{
	static const char *const good[][8] = {
		{ "xx needle xx" }, { "xx nee", "dle" }, { "n", "e", "e", "d", "l", "e" }, { "need", "needle" },
		{ "xxxxxxxxxxxxneedl", "e" }, { "nneedl", "e" }, { "ne", "e", "dlexxxxxxxxx" },
	};
	static const char *const bad[][8] = { { "need", "xle" }, { "needl" }, { "" }, { "needl", "neele" }, { "eedle", "n" } };

	(void)unused;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ask("contains = \"needle\";");
		body(200, good[i]);
		expect(answered_now(), "ok", "answers 200");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ask("contains = \"needle\";");
		body(200, bad[i]);
		expect(answered_now(), "critical", ", without \"needle\"");
	}
}

static void a_body_without_end_is_not_read_for_ever(void **unused)
{
	static char much[64 * 1024 + 1];
	int n = 0;

	(void)unused;
	memset(much, 'x', sizeof(much) - 1);
	ask("contains = \"needle\";");
	while (call.what.data(call.arg, 200, much, sizeof(much) - 1) == 0)
		n++;
	assert_int_equal(n, 15);
	finish(-ECANCELED, 200);
	expect(answered_now(), "critical", "without");
}

static void a_slow_answer_is_a_warning_or_critical(void **unused)
{
	(void)unused;
	ask("warning = 20;");
	bed_run_for(25);
	expect(answered(200, "x"), "warning", "answers 200");
	ask("warning = 10; threshold = 20;");
	bed_run_for(25);
	expect(answered(200, "x"), "critical", ", threshold 20 ms");
}

static void no_answer_is_critical(void **unused)
{
	(void)unused;
	ask("");
	finish(-ECONNREFUSED, 0);
	expect(answered_now(), "critical", "http://a:80/x: it broke");
	assert_false(bed.seen[0]->has & SAT_HAS_METRIC);
	ask("timeout = 0.3;");
	while (!call.canceled)
		bed_turn();
	finish(-ECANCELED, 0);
	expect(answered_now(), "critical", "http://a:80/x: no answer in 0.3 s");
}

static void credentials_and_certificates_are_handed_on(void **unused)
{
	(void)unused;
	ask("user = \"u\"; password = \"p\"; ca = \"/ca.pem\";");
	assert_string_equal(call.user, "u");
	assert_string_equal(call.password, "p");
	assert_string_equal(call.ca, "/ca.pem");
	assert_null(strstr(answered(200, "x")->description, "p\""));
}

static void mistakes_are_refused(void **unused)
{
	(void)unused;
	assert_null(bed_build("", "{ check = \"http-reachable\"; url = \"ftp://a\"; }, "
				  "{ check = \"http-reachable\"; url = \"http://u:p@a/\"; }, "
				  "{ check = \"http-reachable\"; url = \"http://a/b c\"; }, "
				  "{ check = \"http-reachable\"; url = \"http://a\"; user = \"u\"; }, "
				  "{ check = \"http-reachable\"; url = \"http://b\"; key = \"k\"; }, "
				  "{ check = \"http-reachable\"; url = \"http://c\"; contains = \"\"; }, "
				  "{ check = \"http-reachable\"; url = \"http://d\"; threshold = 5; warning = 5; }, "
				  "{ check = \"http-reachable\"; url = \"http://e\"; status = 99; }"));
	assert_int_equal(conf_mistakes(), 8);
	conf_forgive();
	assert_non_null(bed_build("", "{ check = \"http-reachable\"; url = \"http://a/@b\"; }"));
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		end_checks();
		assert_non_null(bed_build("", "{ check = \"http-reachable\"; url = \"http://a\"; interval = 0.1; }"));
		fault_arm(++nth);
		checks_adopt(bed.checks, NULL);
		bed_run_for(110);
		if (call.used)
			finish(0, 200);
		fired = fault_fired();
		fault_arm(0);
	} while (fired && nth < 100);
	assert_true(nth > 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_of_200_is_ok),
		TEST(another_status_is_critical_unless_it_is_the_one),
		TEST(a_text_is_found_over_borders),
		TEST(a_body_without_end_is_not_read_for_ever),
		TEST(a_slow_answer_is_a_warning_or_critical),
		TEST(no_answer_is_critical),
		TEST(credentials_and_certificates_are_handed_on),
		TEST(mistakes_are_refused),
		TEST(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
