/* SPDX-License-Identifier: Apache-2.0 */
/* test_metrics - what a client is answered, how families are written, and each allocation that fails. */
#include <math.h>
#include <zlib.h>

#include "../../modules/metrics/accept.h"
#include "../../modules/metrics/exporter.h"
#include "unit/host.h"

static const char text[] = "modules = ( \"metrics\" );";

/* ---- What the client likes ---------------------------------------------- */

static void a_client_is_answered_as_it_likes(void **unused)
{
	static const char prometheus[] = "application/openmetrics-text;version=1.0.0,"
		"application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
	static const char *const open[] = {
		prometheus, "application/openmetrics-text", "text/plain;q=0.5, application/openmetrics-text; version=\"1.0.0\"",
		"APPLICATION/OPENMETRICS-TEXT;Version=1.0.0 ; q=0.2", "text/plain;q=0, application/openmetrics-text;q=0.1, */*",
		"application/*", "text/plain;q=0, */*;q=0.5",
	};
	static const char *const plain[] = {
		NULL, "", "*/*", "text/plain", "application/openmetrics-text;version=0.0.1, text/plain;q=0.1",
		"application/openmetrics-text;q=0.4,text/*;q=0.5", "application/openmetrics-text;q=0", ",;,q=;=", "text/html",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++)
		assert_true(accept_openmetrics(open[i]));
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		assert_false(accept_openmetrics(plain[i]));
	assert_true(accept_gzip("gzip") && accept_gzip("deflate, gzip;q=0.5") && accept_gzip("*"));
	assert_false(accept_gzip(NULL) || accept_gzip("identity") || accept_gzip("gzip;q=0") || accept_gzip("gzip;q=0, *"));
}

/* ---- Families ----------------------------------------------------------- */

static void check_text(struct families *f, enum families_form form, const char *wanted)
{
	struct sat_buf b = { 0 };

	families_write(f, form, &b);
	assert_false(b.full);
	assert_string_equal(b.p, wanted);
	sat_buf_free(&b);
}

static void families_are_written_in_both_forms(void **unused)
{
	struct families *f = families_new(100);
	const struct sat_attr a[] = { { "a.b", "x\"y\\z\n" }, { "a-b", "the same name" } }, b[] = { { "1", "\xff\xc3\xa9\xc0\xaf" } };

	(void)unused;
	families_add(f, "one_total", FAMILY_COUNTER, "a \"b\"\\\n", NULL, 0, 12345678901234.0);
	families_add(f, "two", FAMILY_GAUGE, "g", a, 2, 0.1);
	families_add(f, "inherited", FAMILY_COUNTER, "c", NULL, 0, -2);
	families_add(f, "two", FAMILY_GAUGE, "g", b, 1, INFINITY);
	families_add(f, "9 three", FAMILY_UNKNOWN, "u", NULL, 0, NAN);
	families_add(f, "below_total", FAMILY_COUNTER, "n", NULL, 0, -1);	/* which mesos_exporter has */
	check_text(f, FORM_TEXT,
		   "# HELP one_total a \"b\"\\\\\\n\n# TYPE one_total counter\none_total 12345678901234\n"
		   "# HELP two g\n# TYPE two gauge\ntwo{a_b=\"x\\\"y\\\\z\\n\"} 0.1\n"
		   "two{_1=\"\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\"} +Inf\n"
		   "# HELP inherited c\n# TYPE inherited counter\ninherited -2\n"
		   "# HELP _9_three u\n# TYPE _9_three untyped\n_9_three NaN\n"
		   "# HELP below_total n\n# TYPE below_total counter\nbelow_total -1\n");
	check_text(f, FORM_OPENMETRICS,
		   "# HELP one a \\\"b\\\"\\\\\\n\n# TYPE one counter\none_total 12345678901234\n"
		   "# HELP two g\n# TYPE two gauge\ntwo{a_b=\"x\\\"y\\\\z\\n\"} 0.1\n"
		   "two{_1=\"\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\"} +Inf\n"
		   "# HELP inherited c\n# TYPE inherited unknown\ninherited -2\n"
		   "# HELP _9_three u\n# TYPE _9_three unknown\n_9_three NaN\n"
		   "# HELP below_total n\n# TYPE below_total unknown\nbelow_total -1\n# EOF\n");
	families_free(f);
}

static void series_are_there_once_and_not_too_many(void **unused)
{
	struct families *f = families_new(2000);
	char value[16];
	struct sat_attr label = { "i", value };

	(void)unused;
	for (int i = 0; i < 3000; i++) {
		snprintf(value, sizeof(value), "%d", i);
		families_add(f, "s", FAMILY_GAUGE, "h", &label, 1, i);
		families_add(f, "s", FAMILY_GAUGE, "h", &label, 1, i + 1);
	}
	assert_int_equal(families_series(f), 2000);
	assert_int_equal(families_doubled(f), 1999);	/* the last one's double was one too many */
	assert_int_equal(families_left_out(f), 2001);
	families_free(f);
}

/* Two that are the same once they are written would make a reader refuse the whole answer. */
static void what_is_written_is_there_once(void **unused)
{
	struct families *f = families_new(100);
	char longest[2][1100];
	const struct sat_attr odd[] = { { "l", "\xff" }, { "l", "\xfe" }, { "l", longest[0] }, { "l", longest[1] } };

	(void)unused;
	for (int i = 0; i < 2; i++) {
		memset(longest[i], 'x', sizeof(longest[i]));
		snprintf(longest[i] + 1090, 10, "%d", i);
	}
	for (int i = 0; i < 4; i++)
		families_add(f, "s", FAMILY_GAUGE, "h", &odd[i], 1, i);
	assert_int_equal(families_series(f), 2);
	assert_int_equal(families_doubled(f), 2);
	families_free(f);
}

/* ---- mesos_exporter's names ---------------------------------------------- */

static void feed(struct exporter *e, const char *key, double value)
{
	const struct sat_attr labels[] = { { "from", "master" }, { "key", key } };

	assert_true(exporter_take(e, "satellite_mesos_snapshot", labels, 2, value));
}

static void two_of_mesos_are_told_apart(void **unused)
{
	static const struct { const char *name, *key; double value; } all[] = {
		{ NULL, "slave/cpus_total", 4 }, { NULL, "slave/cpus_used", 1 }, { NULL, "slave/registered", 1 },
		{ "b", "slave/cpus_total", 8 }, { "b", "slave/registered", 0 }, { "c", "slave/cpus_used", 2 },
	};
	struct families *f = families_new(100);
	struct exporter *e;

	(void)unused;
	exporter_init();
	e = exporter_new(f);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		const struct sat_attr labels[] = { { "key", all[i].key }, { "name", all[i].name } };

		assert_true(exporter_take(e, "satellite_mesos_snapshot", labels, 1 + (all[i].name != NULL), all[i].value));
	}
	exporter_end(e);
	exporter_free(e);
	assert_int_equal(families_doubled(f), 0);
	check_text(f, FORM_TEXT,
		   "# HELP mesos_slave_cpus how many; percent: a fraction of 1\n# TYPE mesos_slave_cpus gauge\n"
		   "mesos_slave_cpus{type=\"total\"} 4\nmesos_slave_cpus{type=\"used\"} 1\n"
		   "mesos_slave_cpus{type=\"free\"} 3\nmesos_slave_cpus{type=\"total\",name=\"b\"} 8\n"
		   "mesos_slave_cpus{type=\"used\",name=\"c\"} 2\n"
		   "# HELP mesos_slave_registered 1: the agent is registered\n# TYPE mesos_slave_registered gauge\n"
		   "mesos_slave_registered 1\nmesos_slave_registered{name=\"b\"} 0\n");
	families_free(f);
}

static void keys_go_under_the_names_of_mesos_exporter(void **unused)
{
	struct families *f = families_new(100);
	struct exporter *e;
	char longest[1100];

	(void)unused;
	exporter_init();
	e = exporter_new(f);
	assert_false(exporter_take(e, "other", NULL, 0, 1));
	memset(longest, 'k', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_false(exporter_take(e, "satellite_mesos_snapshot", &(struct sat_attr){ "key", longest }, 1, 1));
	feed(e, "master/cpus_used", 1.5);
	feed(e, "master/mem_used", 7);		/* its total is not known */
	feed(e, "master/cpus_total", 4);
	feed(e, "allocator/mesos/allocation_runs", 9);
	feed(e, "allocator/mesos/roles/eng/web/shares/dominant", 0.25);
	feed(e, "master/task_lost/source_master/reason_slave_removed", 3);
	feed(e, "system/load_1min", 0.5);
	feed(e, "master/slave_removals", 5);
	feed(e, "master/slave_shutdowns_completed", 6);
	exporter_end(e);
	exporter_free(e);
	check_text(f, FORM_OPENMETRICS,
		   "# HELP mesos_master_cpus how many; percent: a fraction of 1\n# TYPE mesos_master_cpus gauge\n"
		   "mesos_master_cpus{type=\"used\"} 1.5\nmesos_master_cpus{type=\"total\"} 4\n"
		   "mesos_master_cpus{type=\"free\"} 2.5\n"
		   "# HELP mesos_master_mem MB, as Mesos counts them; percent: a fraction of 1\n"
		   "# TYPE mesos_master_mem gauge\nmesos_master_mem{type=\"used\"} 7\n"
		   "# HELP mesos_master_allocation_run_ms_count allocations made; those of mesos_master_allocation_run_ms: "
		   "satellite_mesos_allocation_run_samples\n"
		   "# TYPE mesos_master_allocation_run_ms_count gauge\nmesos_master_allocation_run_ms_count 9\n"
		   "# HELP mesos_master_allocation_runs allocations made\n# TYPE mesos_master_allocation_runs unknown\n"
		   "mesos_master_allocation_runs{event=\"allocation\"} 9\n"
		   "# HELP mesos_master_allocator_role_shares_dominant a role's dominant share\n"
		   "# TYPE mesos_master_allocator_role_shares_dominant gauge\n"
		   "mesos_master_allocator_role_shares_dominant{role=\"eng/web\"} 0.25\n"
		   "# HELP mesos_master_task_state_counts_by_source_reason tasks by how they ended\n"
		   "# TYPE mesos_master_task_state_counts_by_source_reason unknown\n"
		   "mesos_master_task_state_counts_by_source_reason{state=\"lost\",source=\"master\",reason=\"slave_removed\"} 3\n"
		   "# HELP satellite_mesos_snapshot a figure of metrics/snapshot that has no name of its own here\n"
		   "# TYPE satellite_mesos_snapshot unknown\n"
		   "satellite_mesos_snapshot{from=\"master\",key=\"system/load_1min\"} 0.5\n"
		   "# HELP satellite_mesos_slave_removals agents that a Mesos master removed\n"
		   "# TYPE satellite_mesos_slave_removals counter\nsatellite_mesos_slave_removals_total 5\n"
		   "# HELP mesos_master_slave_removal_events_total steps of removing agents; "
		   "died: removals without completed shutdowns\n"
		   "# TYPE mesos_master_slave_removal_events_total unknown\n"
		   "mesos_master_slave_removal_events_total{event=\"completed\"} 6\n"
		   "mesos_master_slave_removal_events_total{event=\"died\"} -1\n# EOF\n");
	families_free(f);
}

/* ---- The whole of it ---------------------------------------------------- */

struct client {
	int answers, status;
	bool packed;
	size_t len;
	char got[65536];
};

static void door_reply(void *conn, int status, const char *type, const void *body, size_t len,
		       const char *const *extra)
{
	struct client *c = conn;

	(void)type;
	c->answers++;
	c->status = status;
	c->packed = extra != NULL && extra[0] != NULL && strcmp(extra[0], "Content-Encoding: gzip") == 0;
	c->len = len < sizeof(c->got) ? len : 0;
	memcpy(c->got, body != NULL ? body : "", c->len);
	c->got[c->len] = '\0';
}

static const struct sat_http_server door = { .size = sizeof(door), .reply = door_reply };
static struct client client;

static bool answered(void)
{
	return client.answers > 0;
}

static bool ask(const char *encoding)
{
	const struct sat_attr headers[] = { { "Accept", "application/openmetrics-text" }, { "Accept-Encoding", encoding } };
	const struct sat_http_head head = {
		.size = sizeof(head), .method = "GET", .path = "/metrics", .headers = headers, .n_headers = 2, .peer = "uid:me",
	};
	void *req;

	memset(&client, 0, sizeof(client));
	return http_request(&door, &client, &head, &req) == 0 && host_until(answered, 5000);
}

static void unpack(void)
{
	static char plain[65536];
	z_stream z = { .next_in = (unsigned char *)client.got, .avail_in = (unsigned)client.len,
		       .next_out = (unsigned char *)plain, .avail_out = sizeof(plain) - 1 };

	assert_true(client.packed);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	plain[z.total_out] = '\0';
	inflateEnd(&z);
	strcpy(client.got, plain);
}

static void it_answers_and_counts(void **unused)
{
	(void)unused;
	host_up();
	assert_true(host_run(text));
	assert_true(ask("identity"));
	assert_int_equal(client.status, 200);
	assert_false(client.packed);
	assert_non_null(strstr(client.got, "\nsatellite_metrics_scrapes_total 1\n"));
	assert_non_null(strstr(client.got, "\n# EOF\n"));
	assert_true(ask("gzip"));
	unpack();
	assert_non_null(strstr(client.got, "\nsatellite_metrics_scrapes_total 2\n"));
	assert_non_null(strstr(client.got, "\n# HELP satellite_process_longest_turn_seconds seconds that the loop's"));
	assert_non_null(strstr(client.got, "\nsatellite_process_memory_max_bytes "));
	assert_non_null(strstr(client.got, "\nprocess_cpu_seconds_total "));
	/* It may go while a thread is at work. */
	assert_true(host_run("modules = ( \"other\" ); other = { module = \"metrics\"; max-series = 100; };"));
	assert_true(ask("identity"));
	assert_non_null(strstr(client.got, "\nsatellite_metrics_scrapes_total{name=\"other\"} 1\n"));
	host_down();
}

static bool live(int nth)
{
	host_up();
	fault_arm(nth);
	if (!host_run(text)) {
		assert_true(fault_fired());
		return host_down();
	}
	for (int i = 0; i < 2; i++)
		if (ask(i == 0 ? "identity" : "gzip"))
			assert_true(client.status == 200 || client.status >= 500);
		else
			assert_true(fault_fired());
	return host_down();
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0;

	(void)unused;
	while (live(++nth))
		;
	printf("%d allocations\n", nth);
	assert_true(nth > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_is_answered_as_it_likes),
		cmocka_unit_test(families_are_written_in_both_forms),
		cmocka_unit_test(series_are_there_once_and_not_too_many),
		cmocka_unit_test(what_is_written_is_there_once),
		cmocka_unit_test(two_of_mesos_are_told_apart),
		cmocka_unit_test(keys_go_under_the_names_of_mesos_exporter),
		cmocka_unit_test(it_answers_and_counts),
		cmocka_unit_test(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, host_begin, host_end);
}
