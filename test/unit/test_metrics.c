/* SPDX-License-Identifier: Apache-2.0 */
/* test_metrics - what a client is answered, how families are written, and each allocation that fails. */
#include <math.h>
#include <zlib.h>

#include "../../modules/metrics/accept.h"
#include "../../modules/metrics/exporter.h"
#include "account.h"
#include "tour.h"
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

/* Ends and frees it. */
static void check_text(struct families *f, enum families_form form, const char *wanted)
{
	struct blocks all = { 0 };
	struct sat_buf b = { 0 };

	assert_true(families_close(f, form, &all));
	families_free(f);
	for (; all.first != NULL; blocks_drop(&all))
		sat_buf_add(&b, all.first->text, all.first->len);
	assert_int_equal(all.len, 0);
	assert_int_equal(all.held, 0);
	assert_false(b.full);
	assert_string_equal(b.p, wanted);
	sat_buf_free(&b);
}

static struct families *several(void)
{
	struct families *f = families_new(100);
	const struct sat_attr a[] = { { "a.b", "x\"y\\z\n" }, { "a-b", "the same name" } }, b[] = { { "1", "\xff\xc3\xa9\xc0\xaf" } };

	families_add(f, "one_total", FAMILY_COUNTER, "a \"b\"\\\n", NULL, 0, 12345678901234.0);
	families_add(f, "two", FAMILY_GAUGE, "g", a, 2, 0.1);
	families_add(f, "inherited", FAMILY_COUNTER, "c", NULL, 0, -2);
	families_add(f, "two", FAMILY_GAUGE, "g", b, 1, INFINITY);
	families_add(f, "9 three", FAMILY_UNKNOWN, "u", NULL, 0, NAN);
	families_add(f, "below_total", FAMILY_COUNTER, "n", NULL, 0, -1);	/* which mesos_exporter has */
	return f;
}

static void families_are_written_in_both_forms(void **unused)
{
	(void)unused;
	check_text(several(), FORM_TEXT,
		   "# HELP one_total a \"b\"\\\\\\n\n# TYPE one_total counter\none_total 12345678901234\n"
		   "# HELP two g\n# TYPE two gauge\ntwo{a_b=\"x\\\"y\\\\z\\n\"} 0.1\n"
		   "two{_1=\"\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\"} +Inf\n"
		   "# HELP inherited c\n# TYPE inherited counter\ninherited -2\n"
		   "# HELP _9_three u\n# TYPE _9_three untyped\n_9_three NaN\n"
		   "# HELP below_total n\n# TYPE below_total counter\nbelow_total -1\n");
	check_text(several(), FORM_OPENMETRICS,
		   "# HELP one a \\\"b\\\"\\\\\\n\n# TYPE one counter\none_total 12345678901234\n"
		   "# HELP two g\n# TYPE two gauge\ntwo{a_b=\"x\\\"y\\\\z\\n\"} 0.1\n"
		   "two{_1=\"\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\"} +Inf\n"
		   "# HELP inherited c\n# TYPE inherited unknown\ninherited -2\n"
		   "# HELP _9_three u\n# TYPE _9_three unknown\n_9_three NaN\n"
		   "# HELP below_total n\n# TYPE below_total unknown\nbelow_total -1\n# EOF\n");
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
}

/* ---- The whole of it ---------------------------------------------------- */

struct client {
	int answers, status;
	bool packed, stream, ended;
	size_t len, announced, room;
	void *req;
	char got[1 << 20];
};

static void note_answer(struct client *c, int status, size_t len, const char *const *extra)
{
	c->answers++;
	c->status = status;
	c->packed = extra != NULL && extra[0] != NULL && strcmp(extra[0], "Content-Encoding: gzip") == 0;
	c->announced = len;
}

static void hear(struct client *c, const void *p, size_t n)
{
	assert_true(c->len + n < sizeof(c->got));
	memcpy(c->got + c->len, p, n);
	c->len += n;
	c->got[c->len] = '\0';
}

static void door_reply(void *conn, int status, const char *type, const void *body, size_t len,
		       const char *const *extra)
{
	(void)type;
	note_answer(conn, status, len, extra);
	if (body != NULL)
		hear(conn, body, len);
}

static int door_begin(void *conn, int status, const char *type, const char *const *extra, uint64_t length)
{
	struct client *c = conn;

	(void)type;
	note_answer(c, status, length, extra);
	c->stream = true;
	return 0;
}

static int door_send(void *conn, const void *p, size_t len)
{
	struct client *c = conn;

	if (len > c->room)
		return -EAGAIN;
	c->room -= len;
	hear(c, p, len);
	return 0;
}

static void door_end(void *conn)
{
	((struct client *)conn)->ended = true;
}

static const struct sat_http_server door = {
	.size = sizeof(door), .reply = door_reply, .begin = door_begin, .send = door_send, .end = door_end,
};
static struct client client, second;

static bool answered(void)
{
	return client.answers > 0;
}

static bool both_answered(void)
{
	return client.answers > 0 && second.answers > 0;
}

/* An answer comes as a turn ends, and nothing wakes the loop behind it. */
static bool until(bool (*is)(void))
{
	int64_t end = clock_boot() + 5 * SAT_SECOND;

	while (!is() && clock_boot() < end)
		host_turn();
	return is();
}

/* room: of a long answer so much is taken. */
static int begin_asking(struct client *c, const char *method, const char *encoding, size_t room)
{
	const struct sat_attr headers[] = { { "Accept", "application/openmetrics-text" }, { "Accept-Encoding", encoding } };
	const struct sat_http_head head = {
		.size = sizeof(head), .method = method, .path = "/metrics", .headers = headers, .n_headers = 2, .peer = "uid:me",
	};

	memset(c, 0, sizeof(*c));
	c->room = room;
	return http_request(&door, c, &head, &c->req);
}

/* The connection is no more. */
static void hang_up(struct client *c)
{
	sat_http_closed(c->req);
	for (int i = 0; i < 5; i++)
		host_turn();
}

static bool ask(const char *encoding)
{
	bool there = begin_asking(&client, "GET", encoding, SIZE_MAX) == 0 && until(answered);

	if (there && client.stream) {
		assert_true(client.ended || fault_fired());
		hang_up(&client);
	}
	return there;
}

static void unpack(void)
{
	static char plain[sizeof(client.got)];
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

/* ---- In slices ---------------------------------------------------------- */

enum { ROWS = 8000, ROWS_AT_ONCE = 100 };

static unsigned parts;		/* of many's series, told */
static uint32_t rows;		/* that it has */

static bool many_series(void *state, struct sat_figures *out, uint64_t *at)
{
	char value[16];
	const struct sat_attr label = { "row", value };

	(void)state;
	parts++;
	for (int i = 0; i < ROWS_AT_ONCE && *at < rows; i++) {
		snprintf(value, sizeof(value), "%u", (unsigned)(*at)++);
		sat_figure(out, "many_one", true, "first", &label, 1, 1);
		sat_figure(out, "many_two", false, "second", &label, 1, 2);
	}
	return *at < rows;
}

static const struct sat_module many_module = {
	.abi = SAT_ABI, .size = sizeof(struct sat_module), .name = "many", .series = many_series,
};
static char many_name[] = "many", late_name[] = "late";
static struct sat_self many = { .name = many_name, .module = &many_module };
static struct sat_self newcomer = { .name = late_name, .module = &many_module };

static void many_up(uint32_t n)
{
	host_up();
	assert_true(host_run(text));
	tour_budget(0);
	parts = 0;
	rows = n;
	assert_int_equal(http_add(&many), 0);
}

static void many_down(void)
{
	http_remove(&many);
	tour_budget(3 * SAT_MS);
	host_down();
	assert_int_equal(self_get(SELF_MEMORY_BUFFERS), 0);
}

static unsigned lines_with(const char *all, const char *beginning)
{
	unsigned n = strncmp(all, beginning, strlen(beginning)) == 0;
	char at[64];

	snprintf(at, sizeof(at), "\n%s", beginning);
	for (const char *p = all; (p = strstr(p, at)) != NULL; p++)
		n++;
	return n;
}

/* Whole, each family in one piece, and the end at the end. */
static void check_whole(const struct client *c, unsigned n)
{
	const char *one = strstr(c->got, "\nmany_one{"), *two = strstr(c->got, "\nmany_two{");

	assert_int_equal(c->status, 200);
	assert_int_equal(c->len, c->announced);
	assert_int_equal(lines_with(c->got, "many_one{row="), n);
	assert_int_equal(lines_with(c->got, "many_two{row="), n);
	assert_int_equal(lines_with(c->got, "# TYPE many_one gauge"), n > 0);
	assert_true(n == 0 || (one < two && strstr(two, "\nmany_one{") == NULL));
	assert_string_equal(c->got + c->len - 7, "\n# EOF\n");
}

static bool some_parts(void)
{
	return parts >= 3;
}

static void two_at_once_have_each_their_whole(void **unused)
{
	(void)unused;
	many_up(ROWS);
	assert_int_equal(begin_asking(&client, "GET", "identity", SIZE_MAX), 0);
	assert_true(until(some_parts));
	assert_int_equal(client.answers, 0);
	assert_int_equal(begin_asking(&second, "GET", "gzip", SIZE_MAX), 0);
	assert_true(until(both_answered));
	assert_int_equal(parts, 2 * ROWS / ROWS_AT_ONCE);
	assert_true(client.stream && client.ended);
	check_whole(&client, ROWS);
	hang_up(&client);
	client = second;
	unpack();
	assert_int_equal(lines_with(client.got, "many_two{row="), ROWS);
	many_down();
}

/* One that goes tells no more, and one that comes nothing. */
static void instances_come_and_go_meanwhile(void **unused)
{
	unsigned told;

	(void)unused;
	many_up(ROWS);
	assert_int_equal(begin_asking(&client, "GET", "identity", SIZE_MAX), 0);
	assert_true(until(some_parts));
	told = parts;
	http_remove(&many);
	assert_int_equal(http_add(&newcomer), 0);
	assert_true(until(answered));
	check_whole(&client, told * ROWS_AT_ONCE);
	assert_int_equal(parts, told);
	assert_true(ask("identity"));
	assert_int_equal(lines_with(client.got, "many_one{name=\"late\",row="), ROWS);
	http_remove(&newcomer);
	many_down();
}

static void who_hangs_up_leaves_nothing(void **unused)
{
	(void)unused;
	many_up(ROWS);
	assert_int_equal(begin_asking(&client, "GET", "identity", 100000), 0);
	assert_true(until(answered));
	assert_true(client.len > 0 && client.len <= 100000 && !client.ended);
	assert_true(self_get(SELF_MEMORY_BUFFERS) > 0);
	hang_up(&client);
	assert_int_equal(self_get(SELF_MEMORY_BUFFERS), 0);
	many_down();
}

/* It gets what there is room for; after five minutes the rest is given up, and is seen to be missing. */
static void who_takes_nothing_is_let_go(void **unused)
{
	(void)unused;
	many_up(ROWS);
	assert_int_equal(begin_asking(&client, "GET", "identity", 100000), 0);
	assert_true(until(answered));
	client.room = 65536;
	sat_http_room(client.req);
	host_turn();
	host_turn();
	assert_true(client.len > 100000 && client.len < client.announced && !client.ended);
	host_skip(301);
	assert_true(client.ended);
	assert_true(client.len < client.announced);
	hang_up(&client);
	many_down();
}

static void a_head_has_the_length(void **unused)
{
	(void)unused;
	many_up(ROWS);
	assert_int_equal(begin_asking(&client, "HEAD", "identity", SIZE_MAX), 0);
	assert_true(until(answered));
	assert_true(client.announced > (size_t)40 * ROWS && client.len == 0 && !client.stream);
	many_down();
}

/* A reload without it: who waits is told, and who is sent to sees that it ends early. */
static void it_may_go_meanwhile(void **unused)
{
	(void)unused;
	many_up(ROWS);
	assert_int_equal(begin_asking(&second, "GET", "identity", 100000), 0);
	while (second.answers == 0)
		host_turn();
	parts = 0;
	assert_int_equal(begin_asking(&client, "GET", "identity", SIZE_MAX), 0);
	assert_true(until(some_parts));
	assert_true(host_run("modules = ( \"other\" ); other = { module = \"metrics\"; };"));
	assert_int_equal(client.answers, 1);
	assert_int_equal(client.status, 503);
	assert_true(second.ended && second.len < second.announced);
	hang_up(&second);
	host_skip(2);
	assert_true(ask("identity"));
	check_whole(&client, ROWS);
	many_down();
}

static void memory_is_bounded(void **unused)
{
	const int64_t before = atomic_load(&account_shares[ACCOUNT_BUFFERS]);

	(void)unused;
	many_up(ROWS);
	atomic_store(&account_shares[ACCOUNT_BUFFERS], 512 << 10);
	assert_true(ask("identity"));
	assert_int_equal(client.status, 503);
	rows = 100;
	assert_true(ask("identity"));
	check_whole(&client, 100);
	atomic_store(&account_shares[ACCOUNT_BUFFERS], before);
	many_down();
}

static bool live(int nth)
{
	host_up();
	rows = 2000;
	fault_arm(nth);
	if (!host_run(text) || http_add(&many) != 0) {
		assert_true(fault_fired());
		return host_down();
	}
	for (int i = 0; i < 2; i++)
		if (ask(i == 0 ? "identity" : "gzip"))
			assert_true((client.status == 200 && client.len == client.announced) || client.status >= 500);
		else
			assert_true(fault_fired());
	http_remove(&many);
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
		cmocka_unit_test(two_at_once_have_each_their_whole),
		cmocka_unit_test(instances_come_and_go_meanwhile),
		cmocka_unit_test(who_hangs_up_leaves_nothing),
		cmocka_unit_test(who_takes_nothing_is_let_go),
		cmocka_unit_test(a_head_has_the_length),
		cmocka_unit_test(it_may_go_meanwhile),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, host_begin, host_end);
}
