/* SPDX-License-Identifier: Apache-2.0 */
/* test_whitelist_why - what is said of a host is true of its record, fits a screen, and is JSON where it should be. */
#include "json.h"
#include "unit/bed.h"

#include "../../modules/whitelist/whitelist.h"

extern const struct sat_module sat_module_whitelist;

static struct whitelist *wl;
static _Atomic int64_t counters[32];
static struct sat_buf out;

static int up(void **unused)
{
	(void)unused;
	bed_up(&sat_module_whitelist);
	bed.self.counters = counters;
	bed.self.n_counters = 32;
	wl = calloc(1, sizeof(*wl));
	wl->self = &bed.self;
	wl->settled = true;
	guard_judge(&wl->guard, NULL);
	commit_start(wl);
	wishes_start(wl);
	return 0;
}

static int down(void **unused)
{
	(void)unused;
	wl->stopping = true;
	sat_buf_free(&out);
	hosts_free(wl);
	free(wl);
	bed_down();
	return 0;
}

static struct host *host(const char *json)
{
	struct host *h = hosts_get(wl, "h");

	assert_non_null(h);
	record_free(h->rec);
	h->rec = NULL;
	wishes_free(h);
	assert_int_equal(record_parse(&h->rec, json, strlen(json)), 0);
	wishes_settle(wl, h);
	return h;
}

static const char *tell(bool json)
{
	sat_buf_free(&out);
	out = (struct sat_buf){ 0 };
	assert_int_equal(why_tell(wl, "h", json, &out), 200);
	sat_buf_add(&out, "", 1);
	assert_false(out.full);
	return out.p;
}

static void says(const char *what)
{
	const char *text = tell(false);

	if (strstr(text, what) == NULL)
		fail_msg("\"%s\" is not in\n%s", what, text);
}

#define OURS(rest) ",\"satellite\":{\"by\":\"m\",\"seq\":1,\"epoch\":1" rest "}}"

static void each_verdict_has_a_way_out(void **unused)
{
	static const struct { enum verdict v; const char *way; } ways[] = {
		{ GUARD_PROTECTED, "it is protected" }, { GUARD_LATCHED, "satellite guard reset" },
		{ GUARD_FROZEN, "100 % of the hosts are heard from, 90 % must be" },
		{ GUARD_MESOS_AWAY, "Mesos master must answer" }, { GUARD_LATE, "without a stall" },
		{ GUARD_DWELL, "min-on-time passes at 1970-01-01 00:06:40Z" },
		{ GUARD_MIN_ON, "more than 2 hosts" }, { GUARD_MAX_OFF, "max-off" },
		{ GUARD_RATE, "rate lets the next one go at " },
	};
	char json[600];

	(void)unused;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		snprintf(json, sizeof(json), "{\"managed-flag\":\"on\"" OURS(",\"flag\":\"on\",\"since\":100,"
			 "\"flipped\":100,\"verdict\":\"%s\",\"holds\":{\"\":{\"flag\":\"off\",\"since\":200,\"cause\":\"c\"}}"),
			 guard_words(ways[i].v));
		host(json);
		says("state     on since 1970-01-01 00:01:40Z");
		says("wished    off since 1970-01-01 00:03:20Z: c");
		says("guard     wished off, ");
		says(guard_words(ways[i].v));
		says(ways[i].way);
	}
}

static void each_source_is_named(void **unused)
{
	(void)unused;
	host("{}");
	says("because   nobody turned it on");
	says("state     off\n");
	host("{\"managed-flag\":\"on\"}");
	says("another program set managed-flag to on\n");
	host("{\"managed-flag\":null" OURS(",\"flag\":\"on\""));
	says("another program set managed-flag to null; satellite last wrote on");
	host("{\"managed-flag\":\"on\"" OURS(",\"flag\":\"on\",\"since\":5,\"cause\":\"imported\""));
	says("because   imported");
	host("{\"managed-flag\":\"on\",\"manual-flag\":\"off\",\"manual-events\":{\"e\":{\"state\":\"critical\","
	     "\"time\":1,\"ttl\":60,\"by\":\"eve\\nstate on\",\"description\":\"a\\u001bb\"}}" OURS(",\"flag\":\"on\""));
	says("because   a person said so, eve state on, until 1970-01-01 00:01Z: a b");
	says("event/e takes it back; without it the host is on");
	assert_non_null(strstr(tell(true), "\"source\":\"person\""));
}

static void since_a_word_ended_it_is_so(void **unused)
{
	(void)unused;
	host("{\"managed-flag\":\"on\"" OURS(",\"flag\":\"on\",\"since\":5,\"freed\":100,\"cause\":\"imported\""));
	says("state     on since 1970-01-01 00:01:40Z, ");
	says("because   imported; until then a person had it off\n");
	assert_non_null(strstr(tell(true), "\"since\":100.000000,"));
	/* an earlier word is in force again */
	host("{\"managed-flag\":\"off\",\"manual-flag\":\"on\",\"manual-events\":{\"e\":{\"state\":\"ok\",\"time\":6}}"
	     OURS(",\"flag\":\"off\",\"since\":5,\"freed\":100"));
	says("state     on since 1970-01-01 00:01:40Z, ");
	says("because   a person said so; until then a person had it off\n");
	/* and what came after it counts */
	host("{\"managed-flag\":\"on\"" OURS(",\"flag\":\"on\",\"since\":101,\"freed\":100,\"cause\":\"c\""));
	says("state     on since 1970-01-01 00:01:41Z, ");
	says("because   c\n");
	host("{\"managed-flag\":\"on\"" OURS(",\"flag\":\"off\",\"since\":5,\"freed\":100"));
	says("state     on\n");
}

static const char full[] = "{\"managed-flag\":\"off\",\"managed-events\":{"
	"\"a\":{\"state\":\"critical\",\"metric\":3,\"time\":7,\"description\":\"x\\ny\"},\"b\":{\"state\":\"expired\"},"
	"\"c\":{\"state\":\"critical\"},\"d\":{\"state\":\"ok\"},\"e\":{\"state\":\"critical\"},\"f\":{\"state\":\"critical\"}}"
	OURS(",\"flag\":\"off\",\"since\":9,\"flipped\":9,\"cause\":\"c\",\"holds\":{\"\":{\"flag\":\"off\",\"since\":8,"
	     "\"cause\":\"c\"},\"hole\":{\"flag\":\"off\",\"since\":8,\"until\":4000000000,\"cause\":\"k\"}},"
	     "\"decisions\":[{\"flag\":\"off\",\"time\":9,\"cause\":\"c\"},{\"flag\":\"on\",\"time\":8,\"cause\":\"o\"},"
	     "{\"flag\":\"off\",\"time\":7,\"cause\":\"f\"},{}]");

static void it_fits_a_screen_and_is_json(void **unused)
{
	struct arena a = { 0 };
	char why[128];
	const struct json *doc;
	int lines = 0;

	(void)unused;
	host(full);
	says("failing   a is critical, metric 3, 1970-01-01 00:00:07Z: x y\n");
	says("          and 1 more\n");
	says("the check \"b\" must be heard of and ok again\n");
	says("the hold \"hole\" must end: it does at 2096-10-02 07:06:40Z\n");
	says("before    1970-01-01 00:00:08Z on: o\n");
	for (const char *p = tell(false); *p != '\0'; p++)
		lines += *p == '\n';
	assert_true(lines <= 24);
	tell(true);
	doc = json_parse(&a, out.p, strlen(out.p), why, sizeof(why));
	assert_non_null(doc);
	assert_string_equal(json_get(doc, "state")->text, "off");
	assert_string_equal(json_get(doc, "source")->text, "stream");
	assert_non_null(json_get(json_get(doc, "failing"), "b"));
	assert_null(json_get(json_get(doc, "failing"), "d"));
	arena_free(&a);
}

static void who_is_not_there_is_not_explained(void **unused)
{
	struct agent agents[] = { { (char *)"g", (char *)"id-1" } };
	struct sat_buf text = { 0 };

	(void)unused;
	wl->agents = agents;
	wl->n_agents = 1;
	assert_int_equal(why_tell(wl, "g", false, &text), 404);
	assert_string_equal(text.p, "not in the inventory; Mesos lists it as agent id-1");
	sat_buf_free(&text);
	text = (struct sat_buf){ 0 };
	assert_int_equal(why_tell(wl, "f", false, &text), 404);
	assert_string_equal(text.p, "not in the inventory; Mesos lists no such agent");
	sat_buf_free(&text);
	text = (struct sat_buf){ 0 };
	hosts_get(wl, "g")->deleted = strdup("id-1");
	wl->to_file = true;
	assert_int_equal(why_tell(wl, "g", false, &text), 404);
	assert_string_equal(text.p, "not in the inventory; a person deleted it: it stays away until its agent registers anew, "
			    "or \"satellite on g\"; it gets no work; Mesos lists it as agent id-1");
	sat_buf_free(&text);
	text = (struct sat_buf){ 0 };
	wl->to_file = false;
	assert_int_equal(why_tell(wl, "g", false, &text), 404);
	assert_non_null(strstr(text.p, "\"satellite on g\"; its agent is left as it was then; "));
	sat_buf_free(&text);
	text = (struct sat_buf){ 0 };
	wl->settled = false;
	assert_int_equal(why_tell(wl, "g", false, &text), 503);
	sat_buf_free(&text);
	wl->agents = NULL;
	wl->n_agents = 0;
}

static void without_memory_less_is_said(void **unused)
{
	(void)unused;
	host(full);
	for (int json = 0; json < 2; json++) {
		int nth = 0;

		do {
			struct sat_buf text = { 0 };

			fault_arm(++nth);
			assert_int_equal(why_tell(wl, "h", json, &text), 200);
			fault_arm(0);
			sat_buf_free(&text);
		} while (nth < 60);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_verdict_has_a_way_out, up, down),
		cmocka_unit_test_setup_teardown(each_source_is_named, up, down),
		cmocka_unit_test_setup_teardown(since_a_word_ended_it_is_so, up, down),
		cmocka_unit_test_setup_teardown(it_fits_a_screen_and_is_json, up, down),
		cmocka_unit_test_setup_teardown(who_is_not_there_is_not_explained, up, down),
		cmocka_unit_test_setup_teardown(without_memory_less_is_said, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
