/* SPDX-License-Identifier: Apache-2.0 */
/* test_tasks_riak - another store of records: what is sent and looked up, whatever fails, and what is read of it. */
#include "unit/tasks.h"

#include "../../modules/tasks/riak.h"
#include "client.h"

#define CFG(more) "role = \"master\"; modules = ( \"tasks\" );" \
	" tasks = { riak = { url = \"http://r:8098\"; bucket = \"b/c\"; " more " }; };"
#define PREFIX "http://r:8098/buckets/b%2Fc/keys/"

/* ---- A store, in this test ---------------------------------------------- */

enum { KEYS = 16 };

static struct { char key[64], body[8192]; } has[KEYS];
static struct { int status, rc; const char *body; unsigned puts, gets; bool holds, held; } does;	/* status 0: as it should */
struct call { struct sat_fetch what; void *arg; bool canceled; char url[4096], body[8192], headers[256]; };

static int find(const char *key)
{
	int i = 0;

	while (i < KEYS && strcmp(has[i].key, key) != 0)
		i++;
	return i < KEYS ? i : -1;
}

static void put_in(const char *key, const char *body)
{
	int i = find(key) >= 0 ? find(key) : find("");

	assert_true(i >= 0);
	snprintf(has[i].key, sizeof(has[i].key), "%s", key);
	snprintf(has[i].body, sizeof(has[i].body), "%s", body);
}

static struct sat_answer answer_put(const struct call *c, const char *key)
{
	does.puts++;
	if (find(key) >= 0 && strstr(c->headers, "If-None-Match: *") != NULL)
		return (struct sat_answer){ .status = 412, .body = "" };
	/* What takes the place of another has seen it. */
	assert_true((find(key) >= 0) == (strstr(c->headers, "X-Riak-Vclock: a85h+/==\n") != NULL));
	put_in(key, c->body);
	return (struct sat_answer){ .status = 204, .body = "" };
}

static struct sat_answer answer_get(const char *key)
{
	int i = find(key);

	does.gets++;
	return i < 0 ? (struct sat_answer){ .status = 404, .body = "not found\n" } :
	       (struct sat_answer){ .status = strncmp(has[i].body, "Siblings:", 9) == 0 ? 300 : 200, .body = has[i].body,
				    .kept = strstr(key, "?vtag=") == NULL ? "a85h+/==" : "another" };
}

static void respond(void *arg)
{
	struct call *c = arg;
	struct sat_answer a = { .rc = does.rc, .status = does.status, .body = does.body != NULL ? does.body : "" };

	does.held = does.holds && !c->canceled;
	if (does.held && sat_post(&self_host, respond, c) == 0)
		return;
	assert_memory_equal(c->url, PREFIX, strlen(PREFIX));
	if (c->canceled)
		a.rc = -ECANCELED;
	else if (does.rc == 0 && does.status == 0)
		a = c->what.method != NULL ? answer_put(c, c->url + strlen(PREFIX)) : answer_get(c->url + strlen(PREFIX));
	a.size = sizeof(a);
	a.len = strlen(a.body);
	c->what.done(c->arg, &a);
	free(c);
}

static int fetch(void *state, const struct sat_fetch *what, void *arg, void **call)
{
	struct call *c = calloc(1, sizeof(*c));

	(void)state;
	if (c == NULL)
		return -ENOMEM;
	c->what = *what;
	c->arg = arg;
	snprintf(c->url, sizeof(c->url), "%s", what->url);
	memcpy(c->body, what->body_len > 0 ? what->body : "", what->body_len);
	for (int i = 0; what->headers != NULL && what->headers[i] != NULL; i++)
		strcat(strcat(c->headers, what->headers[i]), "\n");
	if (sat_post(&self_host, respond, c) != 0) {
		free(c);
		return -ENOMEM;
	}
	*call = c;
	return 0;
}

static void cancel(void *state, void *call)
{
	(void)state;
	((struct call *)call)->canceled = true;
}

static const struct sat_module client_module = {
	.abi = SAT_ABI, .size = sizeof(struct sat_module), .name = "client",
	.http_client = &(const struct sat_http_client){ sizeof(struct sat_http_client), fetch, cancel },
};
static struct sat_self client = { .name = (char *)"client", .module = &client_module };

/* ---- A satellite -------------------------------------------------------- */

static void ended(const char *task, const char *state)
{
	published(task, state, sat_wall(), false);
}

static void up(const char *cfg)
{
	host_up();
	assert_true(host_run(cfg));
	client_use(&client);
}

static void forget(bool store)
{
	forget_file();
	if (!store)
		return;
	memset(has, 0, sizeof(has));
	memset(&does, 0, sizeof(does));
}

static void down(bool store)
{
	host_down();
	client_use(NULL);
	forget(store);
}

/* Time flies until this many records were sent. */
static bool sends(int64_t n)
{
	for (int i = 0; i < 3000 && counted(COUNT_SENT) < n; i++) {
		host_skip(1);
		usleep(300);
	}
	return counted(COUNT_SENT) >= n;
}

static bool all_sent(void)
{
	for (int i = 0; i < 3000 && (counted(COUNT_WAITING) > 0 || counted(COUNT_UNSENT) > 0); i++) {
		host_skip(1);
		usleep(300);
	}
	return counted(COUNT_UNSENT) == 0;
}

static void is_sent_and_found(void **unused)
{
	(void)unused;
	up(CFG(""));
	ended("a", "TASK_FAILED");
	ended("odd/ %\"\xc3\xbc", "TASK_LOST");
	ended("..", "TASK_LOST");
	assert_true(sends(2));
	assert_true(find("odd%2F%20%25%22%C3%BC") >= 0);
	assert_true(all_sent());
	assert_int_equal(counted(COUNT_NOT_TAKEN), 1);
	assert_int_equal(does.puts, 2);
	assert_int_equal(does.gets, 0);
	down(false);
	up(CFG(""));
	assert_int_equal(ask("/state.json", "task=a"), 200);
	assert_non_null(strstr(answer, "\"state\":\"TASK_FAILED\""));
	assert_int_equal(ask("/state.json", "task=odd/%20%25%22%C3%BC"), 200);
	assert_int_equal(ask("/state.json", "task=none"), 404);
	assert_int_equal(ask("/state.json", "task=.."), 404);
	does.rc = -ECONNREFUSED;
	assert_int_equal(ask("/state.json", "task=a"), 503);
	does.rc = 0;
	does.status = 200;
	does.body = "<html>";
	assert_int_equal(ask("/state.json", "task=a"), 503);
	down(true);
}

#define STATE(state, time) "{\"frameworks\":[{\"completed_tasks\":[{\"id\":\"a\",\"state\":\"" state "\",\"statuses\":" \
	"[{\"timestamp\":" time "}]}]}]}"

/* The last of siblings, of no more than 16, and of tags that are tags. */
static void siblings_are_looked_through(void **unused)
{
	char text[1024] = "Siblings:\n../x?y\n\r\n";

	(void)unused;
	put_in("a?vtag=t1", STATE("TASK_LOST", "1.5"));
	put_in("a?vtag=t3", STATE("TASK_FAILED", "3.5"));
	put_in("a?vtag=t4", "[1]");
	put_in("a?vtag=t5", STATE("TASK_KILLED", "2.5"));
	put_in("a?vtag=t21", STATE("TASK_ERROR", "9.5"));
	for (int i = 1; i <= 30; i++)
		sprintf(text + strlen(text), "t%d\n", i);
	put_in("a", text);
	put_in("b", "Siblings:\nt1\n");
	put_in("b?vtag=t1", "Siblings:\nt1\n");
	put_in("c", "Siblings:\n");
	up(CFG(""));
	assert_int_equal(ask("/state.json", "task=a"), 200);
	assert_non_null(strstr(answer, "TASK_FAILED"));
	assert_int_equal(does.gets, 17);
	assert_int_equal(ask("/state.json", "task=b"), 503);
	assert_int_equal(ask("/state.json", "task=c"), 404);
	down(true);
}

/* Whoever put it there. */
static void the_later_record_stays(void **unused)
{
	(void)unused;
	put_in("a", STATE("TASK_KILLED", "4000000000"));
	put_in("b", STATE("TASK_KILLED", "1400000000"));
	put_in("c", "no JSON");
	up(CFG(""));
	ended("a", "TASK_FAILED");
	ended("b", "TASK_FAILED");
	ended("c", "TASK_FAILED");
	assert_true(sends(2));
	assert_true(all_sent());
	assert_non_null(strstr(has[find("a")].body, "TASK_KILLED"));
	assert_non_null(strstr(has[find("b")].body, "TASK_FAILED"));
	assert_non_null(strstr(has[find("c")].body, "TASK_FAILED"));
	down(true);
}

static bool is_held(void)
{
	return does.held;
}

static bool is_kept_twice(void)
{
	return counted(COUNT_KEPT) == 2;
}

static void what_changes_on_its_way_is_sent_again(void **unused)
{
	(void)unused;
	up(CFG(""));
	does.holds = true;
	ended("a", "TASK_FAILED");
	assert_true(host_until(is_held, 10000));
	ended("a", "TASK_LOST");
	assert_true(host_until(is_kept_twice, 10000));
	does.holds = false;
	assert_true(sends(2));
	assert_true(all_sent());
	assert_non_null(strstr(has[find("a")].body, "TASK_LOST"));
	does.holds = true;		/* and one that is on its way at the end is canceled */
	ended("b", "TASK_LOST");
	assert_true(host_until(is_held, 10000));
	down(true);
}

/* It answers, from there too, but sends nothing until it acts. */
static void who_does_not_act_sends_nothing(void **unused)
{
	(void)unused;
	put_in("z", STATE("TASK_LOST", "1.5"));
	up(CFG(""));
	lead_mode(LEAD_MESOS, NULL);
	sat_mesos_leads(&self_host, false);
	host_turn();
	assert_false(sat_acting());
	ended("a", "TASK_FAILED");
	for (int i = 0; i < 100; i++) {
		host_skip(1);
		usleep(1000);
	}
	assert_int_equal(counted(COUNT_UNSENT), 1);
	assert_int_equal(ask("/state.json", "task=a"), 200);
	assert_int_equal(does.puts, 0);
	assert_int_equal(ask("/state.json", "task=z"), 200);
	lead_mode(LEAD_ALWAYS, NULL);
	assert_true(sends(1));
	assert_true(find("a") >= 0);
	down(true);
}

/* Until it is back everything waits, with ever fewer tries; then it goes on. */
static void a_store_that_is_away_is_tried_again(void **unused)
{
	(void)unused;
	up(CFG("queue = 2;"));
	does.status = 503;
	ended("a", "TASK_FAILED");
	ended("b", "TASK_FAILED");
	host_skip(1);
	for (int i = 0; i < 600; i++) {
		host_skip(1);
		usleep(100);
	}
	assert_in_range(counted(COUNT_RIAK_ERRORS), 8, 40);
	assert_int_equal(counted(COUNT_UNSENT), 2);
	assert_int_equal(ask("/state.json", "task=none"), 503);
	ended("c", "TASK_FAILED");
	for (int i = 0; i < 3000 && counted(COUNT_SKIPPED) == 0; i++) {
		host_skip(1);
		usleep(300);
	}
	assert_int_equal(counted(COUNT_SKIPPED), 1);
	does.status = 0;
	assert_true(all_sent());
	assert_true(find("c") >= 0);
	down(true);
}

/* More than a batch, each once. */
static void a_thousand_go_one_by_one(void **unused)
{
	char name[16];

	(void)unused;
	up(CFG(""));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		ended(name, "TASK_LOST");
	}
	does.status = 201;
	assert_true(sends(1000));
	assert_true(all_sent());
	assert_int_equal(counted(COUNT_SENT), 1000);
	down(true);
}

/* ---- Whatever fails ----------------------------------------------------- */

static void each_allocation_fails_once(void **unused)
{
	bool fired = true;

	(void)unused;
	for (int nth = 1; fired; nth++) {
		int got;

		assert_true(nth < 3000);
		put_in("y", STATE("TASK_LOST", "1.5"));
		put_in("a", "Siblings:\nt1\nt2\n");
		put_in("a?vtag=t1", STATE("TASK_LOST", "1.5"));
		up(CFG(""));
		fault_arm(nth);
		ended("x", "TASK_FAILED");
		ended("y", "TASK_FAILED");
		got = ask("/state.json", "task=a");
		assert_true(got == 0 || got == 200 || got == 404 || got == 500 || got == 503);
		sends(1);
		fired = fault_fired();
		fault_arm(0);
		ended("z", "TASK_FAILED");
		assert_true(all_sent());
		assert_true(find("z") >= 0);
		assert_true(find("x") >= 0 || counted(COUNT_DROPPED) > 0);
		assert_int_equal(ask("/state.json", "task=a"), 200);
		down(true);
	}
}

/* ---- What is read ------------------------------------------------------- */

static const char jvm[] =
	"{\"id\":\"S7\",\"attributes\":{\"id\":\"no\"},\"frameworks\":[{\"id\":\"f-0\",\"name\":\"other\",\"executors\":[]}],"
	"\"hostname\":\"h7\",\"completed_frameworks\":[{\"completed_executors\":[{\"id\":\"e\",\"queued_tasks\":[],"
	"\"completed_tasks\":[{\"id\":\"other\",\"state\":\"TASK_LOST\"},{\"statuses\":[{\"message\":\"late\",\"timestamp\":9.25},"
	"{\"message\":\"early\",\"timestamp\":5}],\"name\":\"n\\u00fc\",\"labels\":[{\"id\":\"no\"}],\"id\":\"a\","
	"\"resources\":{\"id\":\"no\"},\"state\":\"TASK_KILLED\"}]}],\"name\":\"chronos\",\"id\":\"f-7\"}]}";

static void a_record_is_read_out_of_a_state(void **unused)
{
	struct stored *s = NULL;

	(void)unused;
	assert_int_equal(stored_read(jvm, strlen(jvm), "a", &s), 0);
	assert_string_equal(s->f[TASK], "a");
	assert_string_equal(s->f[NAME], "n\xc3\xbc");
	assert_string_equal(s->f[STATE], "TASK_KILLED");
	assert_string_equal(s->f[MESSAGE], "late");
	assert_string_equal(s->f[HOST], "h7");
	assert_string_equal(s->f[AGENT], "S7");
	assert_string_equal(s->f[FRAMEWORK], "chronos");
	assert_string_equal(s->f[FRAMEWORK_ID], "f-7");
	assert_string_equal(s->f[EXIT], "");
	assert_int_equal(s->time, 9250000);
	free(s);
	assert_int_equal(stored_read(jvm, strlen(jvm), "nobody", &s), -ENOENT);
	for (size_t n = 0; n < strlen(jvm); n++)
		assert_true(stored_read(jvm, n, "a", &s) < 0);
	for (int nth = 1, rc = -1; rc != 0; nth++) {
		fault_arm(nth);
		rc = stored_read(jvm, strlen(jvm), "a", &s);
		fault_arm(0);
		assert_true(rc == 0 || rc == -ENOMEM);
	}
	free(s);
}

static void what_is_odd_is_no_record(void **unused)
{
	static const char *const all[] = {
		"[]", "{}", "1", "\"a\"", "{\"frameworks\":{}}", "{\"frameworks\":[[]]}", "{\"frameworks\":[{\"tasks\":{\"id\":\"a\"}}]}",
		"{\"frameworks\":[{\"tasks\":[\"a\"]}]}", "{\"frameworks\":[{\"tasks\":[{\"id\":7}]}]}",
		"{\"frameworks\":[{\"executors\":[{\"executors\":[{\"tasks\":[{\"id\":\"a\"}]}]}]}]}",
	};
	static const char times[] = "{\"frameworks\":[{\"tasks\":[{\"id\":\"a\",\"statuses\":[{\"timestamp\":\"x\"},"
		"{\"timestamp\":1e300},[],{\"timestamp\":-5}]}]}]}";
	struct stored *s = NULL;

	(void)unused;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(stored_read(all[i], strlen(all[i]), "a", &s), -ENOENT);
	assert_int_equal(stored_read(times, strlen(times), "a", &s), 0);
	assert_int_equal(s->time, 0);
	free(s);
}

/* Cut where a character begins. */
static void a_long_text_is_cut(void **unused)
{
	struct sat_buf b = { 0 };
	struct stored *s = NULL;

	(void)unused;
	sat_buf_printf(&b, "{\"frameworks\":[{\"tasks\":[{\"id\":\"a\",\"name\":\"x");
	for (int i = 0; i < 200000; i++)
		sat_buf_printf(&b, "\xc3\xbc");
	sat_buf_printf(&b, "\"}]}]}");
	assert_int_equal(stored_read(b.p, b.len, "a", &s), 0);
	assert_int_equal(strlen(s->f[NAME]), STORED_MAX - 1);
	free(s);
	sat_buf_free(&b);
}

static void mistakes_are_refused(void **unused)
{
	(void)unused;
	host_up();
	assert_false(host_run(CFG("style = \"solr\";")));
	assert_false(host_run(CFG("user = \"u\";")));
	assert_false(host_run(CFG("cert = \"c\";")));
	assert_false(host_run(CFG("queue = 0;")));
	assert_false(host_run("role = \"master\"; modules = ( \"tasks\" ); tasks = { riak = { bucket = \"b\"; }; };"));
	assert_false(host_run("role = \"master\"; modules = ( \"tasks\" ); tasks = { riak = { url = \"http://r\"; }; };"));
	for (int i = 0; i < 6; i++) {
		static const char *const urls[] = { "r:8098", "http://", "http://u:p@r", "http://r/?x", "ftp://r", "http://:1" };
		char text[256];

		snprintf(text, sizeof(text), "role = \"master\"; modules = ( \"tasks\" ); tasks = { riak = { bucket = \"b\";"
			 " url = ( \"http://r\", \"%s\" ); }; };", urls[i]);
		assert_false(host_run(text));
	}
	assert_false(host_run("role = \"master\"; modules = ( \"tasks\" ); tasks = { riak = { url = \"http://r\"; bucket = \"..\"; }; };"));
	host_down();
	forget(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_sent_and_found),
		cmocka_unit_test(siblings_are_looked_through),
		cmocka_unit_test(the_later_record_stays),
		cmocka_unit_test(what_changes_on_its_way_is_sent_again),
		cmocka_unit_test(who_does_not_act_sends_nothing),
		cmocka_unit_test(a_store_that_is_away_is_tried_again),
		cmocka_unit_test(a_thousand_go_one_by_one),
		cmocka_unit_test(each_allocation_fails_once),
		cmocka_unit_test(a_record_is_read_out_of_a_state),
		cmocka_unit_test(what_is_odd_is_no_record),
		cmocka_unit_test(a_long_text_is_cut),
		cmocka_unit_test(mistakes_are_refused),
	};

	return cmocka_run_group_tests(tests, host_begin, host_end);
}
