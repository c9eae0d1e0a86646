/* SPDX-License-Identifier: Apache-2.0 */
/* test_whitelist_record - records of the JVM Satellite survive byte for byte, and so does what we add. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../modules/whitelist/whitelist.h"
#include "unit/fault.h"

static const char *const jvm[] = {
	"{\"managed-events\":{\"mesos\\/slave\\/free memory in MB\":{\"description\":\"low \\\"mem\\\" \\u00e9\","
	"\"tags\":[\"a\",\"b\"],\"service\":\"mesos\\/slave\\/free memory in MB\",\"time\":1.795359711086538E9,"
	"\"state\":\"critical\",\"host\":\"127.0.0.7\",\"ttl\":300.0,\"rack\":\"r1\",\"metric\":12}},"
	"\"manual-events\":{\"disk\":{\"state\":\"critical\",\"description\":\"bad \\\"disk\\\" \\u00e9\\/x\","
	"\"ttl\":86400,\"time\":1795359711}},\"managed-flag\":\"off\",\"manual-flag\":\"off\"}",
	"{\"managed-events\":{\"mesos\\/slave\\/load\":{\"host\":\"127.0.0.8\",\"service\":\"mesos\\/slave\\/load\","
	"\"state\":\"critical\",\"description\":null,\"metric\":99.5,\"tags\":null,\"time\":1.795359712086538E9,"
	"\"ttl\":300.0}},\"manual-events\":{},\"managed-flag\":\"off\",\"manual-flag\":null}",
	"{\"managed-events\":{},\"manual-events\":{\"e\":{\"state\":\"ok\",\"time\":1795359714}},"
	"\"managed-flag\":null,\"manual-flag\":\"on\"}",
};

static struct record *parse(const char *json)
{
	struct record *rec = NULL;

	assert_int_equal(record_parse(&rec, json, strlen(json)), 0);
	return rec;
}

static void prints(const struct record *rec, const char *json)
{
	struct sat_buf out = { 0 };

	record_print(rec, &out);
	sat_buf_add(&out, "", 1);
	assert_false(out.full);
	assert_string_equal(out.p, json);
	sat_buf_free(&out);
}

static void the_old_system_finds_its_records_again(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		struct record *rec = parse(jvm[i]), *copy = NULL;

		prints(rec, jvm[i]);
		assert_int_equal(record_copy(&copy, rec), 0);
		prints(copy, jvm[i]);
		record_free(rec);
		record_free(copy);
	}
}

static void times_states_and_names_are_read(void **unused)
{
	struct record *rec = parse(jvm[0]);

	(void)unused;
	assert_string_equal(rec->managed->name, "mesos/slave/free memory in MB");
	assert_string_equal(rec->managed->state, "critical");
	assert_int_equal(rec->managed->time, INT64_C(1795359711086538));
	assert_int_equal(rec->managed->until, INT64_C(1795360011086538));
	assert_int_equal(rec->manual->time, INT64_C(1795359711000000));
	assert_int_equal(record_until(rec), INT64_C(1795446111000000));
	assert_int_equal(record_state(rec), FLAG_OFF);
	record_free(rec);
}

static void what_is_not_ours_survives(void **unused)
{
	static const char json[] = "{\"rack\" : [1.0, 4611686018427387905,{\"a\":1E2}],\"managed-events\":{},"
		"\"manual-events\":{},\"managed-flag\":\"on\",\"manual-flag\":null,\"\\u00e9\":1.50}";
	struct record *rec = parse(json);

	(void)unused;
	assert_int_equal(record_put(&rec->manual, "a\"b", "{\"state\":\"critical\",\"time\":7}", 29), 0);
	record_manual(rec);
	prints(rec, "{\"managed-events\":{},\"manual-events\":{\"a\\\"b\":{\"state\":\"critical\",\"time\":7}},"
	       "\"managed-flag\":\"on\",\"manual-flag\":\"off\","
	       "\"rack\":[1.0, 4611686018427387905,{\"a\":1E2}],\"\\u00e9\":1.50}");
	record_free(rec);
}

static void what_is_no_record_is_refused(void **unused)
{
	static const char *const bad[] = {
		"", "x", "[]x", "{", "{\"managed-events\":1}", "{\"manual-events\":{\"e\":1}}", "{} {}",
		"{\"manual-events\":{\"e\\u0000\":{}}}", "{\"a\":\"\xff\"}", "[1]",
	};
	struct record *rec;

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(record_parse(&rec, bad[i], strlen(bad[i])), -EBADMSG);
}

static void the_latest_manual_event_counts(void **unused)
{
	struct record *rec = parse("{\"manual-events\":{\"a\":{\"state\":\"ok\",\"time\":5},"
				   "\"b\":{\"state\":\"critical\",\"time\":9,\"ttl\":10},\"c\":{\"state\":\"ok\",\"time\":9}}}");

	(void)unused;
	record_manual(rec);
	assert_int_equal(rec->manual_flag, FLAG_ON);	/* of two at once the later word */
	assert_true(record_drop(&rec->manual, "c"));
	assert_false(record_drop(&rec->manual, "c"));
	record_manual(rec);
	assert_int_equal(rec->manual_flag, FLAG_OFF);
	assert_false(record_expire(rec, 19 * SAT_SECOND - 1));
	assert_true(record_expire(rec, 19 * SAT_SECOND));
	record_manual(rec);
	assert_int_equal(rec->manual_flag, FLAG_ON);
	record_drop(&rec->manual, "a");
	record_manual(rec);
	assert_int_equal(record_state(rec), FLAG_OFF);
	record_free(rec);
}

static void a_word_that_ends_leaves_when_the_state_changed(void **unused)
{
	struct record *rec = parse("{\"managed-flag\":\"on\",\"manual-events\":{\"a\":{\"state\":\"ok\",\"time\":1,\"ttl\":2},"
				   "\"b\":{\"state\":\"critical\",\"time\":2,\"ttl\":3},\"c\":{\"state\":\"critical\",\"time\":4}}}"), *copy;

	(void)unused;
	record_manual(rec);
	assert_int_equal(rec->freed, 0);
	assert_true(record_expire(rec, 4 * SAT_SECOND) && record_expire(rec, 6 * SAT_SECOND));
	record_unsaid(rec, 6 * SAT_SECOND);
	assert_int_equal(rec->freed, 0);	/* another word holds it off */
	assert_true(record_drop(&rec->manual, "c"));
	record_unsaid(rec, 7 * SAT_SECOND);
	assert_int_equal(record_state(rec), FLAG_ON);
	assert_int_equal(rec->freed, 7 * SAT_SECOND);
	rec->by = strdup("m");
	assert_int_equal(record_copy(&copy, rec), 0);
	assert_int_equal(copy->freed, 7 * SAT_SECOND);
	record_free(copy);
	record_free(rec);
}

static int fill(struct record *rec)
{
	const struct sat_event ev = { .size = sizeof(ev), .has = SAT_HAS_INT | SAT_HAS_TIME | SAT_HAS_TAGS,
		.host = "h", .service = "s", .state = "critical", .metric = { .i = INT64_C(4611686018427387905) },
		.time = 1500000, .n_tags = 1, .tags = (const char *const[]){ "t" }, .n_attrs = 2,
		.attrs = (const struct sat_attr[]){ { "rack", "r" }, { "ttl", "no" } } };
	struct sat_buf text = { 0 };
	int rc;

	event_print(&ev, &text);
	rc = text.full ? -ENOMEM : record_put(&rec->managed, "s", text.p, text.len);
	sat_buf_free(&text);
	for (int i = 1; i <= 6 && rc == 0; i++)
		rc = record_flip(rec, i % 2 ? FLAG_OFF : FLAG_ON, i * SAT_SECOND, "why", true);
	if (rc == 0)
		rc = hold_set(&rec->holds, "", true, 1, 0, "c");
	if (rc == 0)
		rc = hold_set(&rec->holds, "black hole", true, 2, 3 * SAT_SECOND, "d");
	if (rc == 0 && rec->by == NULL && (rec->by = strdup("m1")) == NULL)
		rc = -ENOMEM;
	return rc;
}

static void our_part_comes_back(void **unused)
{
	struct record *rec = parse("{}"), *copy = NULL;

	(void)unused;
	assert_int_equal(fill(rec), 0);
	rec->seq = UINT64_C(18446744073709551615);
	rec->epoch = 7;
	assert_int_equal(record_copy(&copy, rec), 0);
	assert_true(copy->seq == rec->seq && copy->epoch == 7);
	assert_int_equal(copy->flipped, 6 * SAT_SECOND);
	assert_int_equal(copy->off, 5 * SAT_SECOND);
	assert_int_equal(copy->managed_flag, FLAG_ON);
	assert_true(holds_same(copy->holds, rec->holds));
	assert_int_equal(hold_find(copy->holds, "black hole")->until, 3 * SAT_SECOND);
	assert_non_null(strstr(copy->decisions[0], "\"time\":6.000000"));
	assert_non_null(strstr(copy->decisions[3], "\"time\":3.000000"));
	assert_string_equal(copy->managed->text, "{\"host\":\"h\",\"service\":\"s\",\"state\":\"critical\","
		"\"description\":null,\"metric\":4611686018427387905,\"tags\":[\"t\"],\"time\":1.500000,"
		"\"ttl\":null,\"rack\":\"r\"}");
	record_free(rec);
	record_free(copy);
}

static int live(void)
{
	struct record *rec = NULL, *copy = NULL;
	int rc = record_parse(&rec, jvm[0], strlen(jvm[0]));

	if (rc == 0)
		rc = fill(rec);
	if (rc == 0)
		rc = record_copy(&copy, rec);
	record_free(copy);
	record_free(rec);
	return rc;
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0, rc;

	(void)unused;
	do {
		fault_arm(++nth);
		rc = live();
		assert_true(rc == 0 ? !fault_fired() : rc == -ENOMEM);
	} while (fault_fired());
	fault_arm(0);
	assert_true(nth > 20);
}

static void doubles_stay_doubles(void **unused)
{
	static const struct { double d; const char *text; } cases[] = {
		{ 7, "\"metric\":7.0," }, { 0.1, "\"metric\":0.1," }, { 1e300, "\"metric\":1e+300," },
		{ 1.0 / 3, "\"metric\":0.3333333333333333," }, { -0.0, "\"metric\":-0.0," },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sat_event ev = { .size = sizeof(ev), .has = SAT_HAS_DOUBLE, .metric.d = cases[i].d };
		struct sat_buf out = { 0 };

		event_print(&ev, &out);
		sat_buf_add(&out, "", 1);
		assert_non_null(strstr(out.p, cases[i].text));
		sat_buf_free(&out);
	}
}

static void ttls_have_their_grammar(void **unused)
{
	static const char *const bad[] = { "", "7", "day", "0day", "7 day", "7Day", "-1day", "1.5day", "7dayss", "7s" };
	int64_t ttl;

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(order_ttl(bad[i], strlen(bad[i]), &ttl), -EINVAL);
	assert_int_equal(order_ttl("7day", 4, &ttl), 0);
	assert_int_equal(ttl, 7 * 86400 * SAT_SECOND);
	assert_int_equal(order_ttl("10minutes", 9, &ttl), 0);
	assert_int_equal(ttl, 600 * SAT_SECOND);
	assert_int_equal(order_ttl("1000000weeks", 12, &ttl), -ERANGE);
}

static void names_are_legal_or_not(void **unused)
{
	char name[260];

	(void)unused;
	memset(name, 'a', sizeof(name));
	name[253] = '\0';
	assert_true(name_legal(name) && name_legal("A.b") && name_legal("fe80::1") && name_legal("\xc3\xa9"));
	name[253] = 'a';
	name[254] = '\0';
	assert_false(name_legal(name) || name_legal("") || name_legal("-a") || name_legal("a b") ||
		     name_legal("a/b") || name_legal("a\r") || name_legal("a\x7f"));
	assert_true(name_like("db-%", "db-1") && name_like("%", "") && name_like("a_c%e", "abcdde"));
	assert_false(name_like("db-%", "web-1") || name_like("a", "ab") || name_like("_", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_old_system_finds_its_records_again),
		cmocka_unit_test(times_states_and_names_are_read),
		cmocka_unit_test(what_is_not_ours_survives),
		cmocka_unit_test(what_is_no_record_is_refused),
		cmocka_unit_test(the_latest_manual_event_counts),
		cmocka_unit_test(a_word_that_ends_leaves_when_the_state_changed),
		cmocka_unit_test(our_part_comes_back),
		cmocka_unit_test(every_failure_is_survived),
		cmocka_unit_test(doubles_stay_doubles),
		cmocka_unit_test(ttls_have_their_grammar),
		cmocka_unit_test(names_are_legal_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
