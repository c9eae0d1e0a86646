/* SPDX-License-Identifier: Apache-2.0 */
/* test_mesos-agent_poll - figures, containers and tasks of an agent: read, told, forgotten, with every failure. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../modules/mesos-agent/agent.h"
#include "../../modules/mesos-agent/statistics.h"
#include "client.h"
#include "clock.h"
#include "conf.h"
#include "engine.h"
#include "http.h"
#include "instance.h"
#include "unit/fault.h"

extern const struct sat_module sat_module_mesos_agent;

#define SNAPSHOT_TEXT	"{\"slave/registered\":1.0,\"system/load_1min\":0.25,\"odd\":\"text\",\"far\":1e999,\"\":3}"
#define STATISTICS_TEXT	"[{\"executor_id\":\"e\",\"statistics\":{\"threads\":3,\"new\":4,\"mem_rss_bytes\":4096}," \
			"\"framework_id\":\"f\",\"source\":\"s\"},{\"executor_id\":\"none\"}," \
			"{\"statistics\":{\"threads\":1}},7,[],{\"executor_id\":7,\"statistics\":{\"threads\":1}}]"
/* As 0.28 had it: the ids come after what they are of. */
#define STATE_TEXT	"{\"attributes\":{\"rack\":\"a/1\",\"zone\":\"no such thing\",\"n\":2},\"completed_frameworks\":[{}]," \
			"\"frameworks\":[{\"executors\":[{\"tasks\":[{\"name\":\"n\",\"labels\":[{\"value\":\"v\",\"key\":\"a.b\"}," \
			"{\"key\":\"other\",\"value\":\"x\"}],\"id\":\"t1\"},{\"id\":\"t2\",\"name\":7}],\"queued_tasks\":[{}]," \
			"\"id\":\"e\",\"source\":\"s\"}],\"id\":\"f\"}]}"

static const char *const labels[] = { "a-b", "t\xc3\xa9\xe2\x82\xacm", NULL }, *const attributes[] = { "rack", "zone", "n", "gone", NULL };
static const struct tasks_wanted wanted = { labels, attributes, 2, 4 };

/* ---- Readers ------------------------------------------------------------ */

static char seen[4096];

static void note_task(void *arg, const struct tasks_one *one)
{
	size_t n = strlen(seen);

	(void)arg;
	snprintf(seen + n, sizeof(seen) - n, "%s %s %s %s %s [%s|%s];", one->framework, one->executor, one->source,
		 one->id, one->name, one->labels[0], one->labels[1]);
}

/* In pieces of n bytes; NULL: it failed. */
static struct tasks *read_state(const char *text, size_t len, size_t n)
{
	struct tasks *t = tasks_new(&wanted);
	int rc = t != NULL ? 0 : -ENOMEM;

	for (size_t at = 0; at < len && rc == 0; at += n)
		rc = tasks_feed(t, text + at, len - at < n ? len - at : n);
	if (rc == 0)
		rc = tasks_end(t);
	if (rc == 0)
		return t;
	tasks_free(t);
	return NULL;
}

static void tasks_are_read_in_any_order_and_pieces(void **unused)
{
	struct tasks *t;

	(void)unused;
	for (size_t n = 1; n < sizeof(STATE_TEXT); n++) {
		t = read_state(STATE_TEXT, sizeof(STATE_TEXT) - 1, n);
		assert_non_null(t);
		seen[0] = '\0';
		tasks_each(t, note_task, NULL);
		assert_string_equal(seen, "f e s t1 n [v|];f e s t2 7 [|];");
		assert_string_equal(tasks_attribute(t, 0), "a/1");
		assert_string_equal(tasks_attribute(t, 1), "");
		assert_string_equal(tasks_attribute(t, 2), "2");
		assert_string_equal(tasks_attribute(t, 3), "");
		assert_int_equal(tasks_left_out(t), 0);
		tasks_free(t);
	}
	for (size_t len = 0; len < sizeof(STATE_TEXT) - 1; len++)
		assert_null(read_state(STATE_TEXT, len, 64));
	assert_null(read_state("[]", 2, 2));
	assert_null(read_state("1", 1, 1));
}

static void a_state_may_be_large(void **unused)
{
	static const char head[] = "{\"frameworks\":[{\"executors\":[{\"tasks\":[", one[] = "{\"id\":\"0123456789\"},";
	struct tasks *t = tasks_new(&wanted);

	(void)unused;
	assert_int_equal(tasks_feed(t, head, sizeof(head) - 1), 0);
	for (int i = 0; i < 12000; i++)
		assert_int_equal(tasks_feed(t, one, sizeof(one) - 1), 0);
	assert_int_equal(tasks_feed(t, "{}]}]}]}", 8), 0);
	assert_int_equal(tasks_end(t), 0);
	assert_int_equal(tasks_left_out(t), 2001);
	tasks_free(t);
}

static void note_container(void *arg, const struct container *c)
{
	++*(int *)arg;
	assert_string_equal(c->id, "e");
	assert_string_equal(c->framework, "f");
	assert_string_equal(c->source, "s");
	assert_int_equal(c->known, 1u << 1 | 1u << 10);
	assert_int_equal(c->value[1].kind, SAT_INT);
	assert_true(c->value[1].i == 3 && c->value[10].i == 4096);
}

static void containers_are_read(void **unused)
{
	int n = 0;

	(void)unused;
	assert_int_equal(statistics_read(STATISTICS_TEXT, sizeof(STATISTICS_TEXT) - 1, note_container, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(statistics_read("{}", 2, note_container, &n, NULL), -EBADMSG);
	assert_int_equal(statistics_read("", 0, note_container, &n, NULL), -EBADMSG);
	for (size_t len = 0; len < sizeof(STATISTICS_TEXT) - 1; len++)
		assert_int_equal(statistics_read(STATISTICS_TEXT, len, note_container, &n, NULL), -EBADMSG);
}

static void note_id(void *arg, const struct container *c)
{
	strcat(arg, c->id);
	strcat(arg, " ");
}

/* One that nobody but an operator launched; mesos_exporter answered 500 where there were two. */
static void a_container_of_no_executor_has_its_own_id(void **unused)
{
	static const char text[] = "[{\"executor_id\":\"\",\"container_id\":\"c1\",\"statistics\":{\"threads\":1}},"
		"{\"container_id\":\"c2\",\"statistics\":{\"threads\":1}},"
		"{\"container_id\":\"c3\",\"statistics\":{\"threads\":1},\"executor_id\":\"e\"},"
		"{\"container_id\":\"c4\"},{\"statistics\":{\"threads\":1}},{\"executor_id\":\"a\\u0000b\",\"statistics\":{\"threads\":1}}]";
	char ids[64] = "";
	unsigned left_out;

	(void)unused;
	assert_int_equal(statistics_read(text, sizeof(text) - 1, note_id, ids, &left_out), 0);
	assert_string_equal(ids, "c1 c2 e ");
	assert_int_equal(left_out, 2);
}

/* ---- What has ended ------------------------------------------------------ */

#define ENDED(id, fid, state, time, more) "{\"id\":\"" id "\",\"name\":\"n\"," fid "\"slave_id\":\"S1\",\"state\":\"" state "\"," \
	"\"statuses\":[{\"state\":\"TASK_RUNNING\",\"timestamp\":1.5,\"message\":\"runs\"},{\"state\":\"" state "\",\"timestamp\":" \
	time more "}]}"
#define COMPLETED(tasks) "{\"completed_frameworks\":[{\"completed_executors\":[{\"id\":\"e\",\"completed_tasks\":[" tasks "]," \
	"\"tasks\":[{\"id\":\"runs\",\"state\":\"TASK_RUNNING\"}]}],\"id\":\"f\",\"name\":\"marathon\"}],\"frameworks\":[{\"id\":\"g\"," \
	"\"executors\":[{\"queued_tasks\":[{\"id\":\"q\"}],\"completed_tasks\":[]}]}]}"
#define ONE	ENDED("a", "", "TASK_FAILED", "1457377200.25909", ",\"message\":\"m\",\"reason\":\"R\",\"source\":\"S\"")
#define TWO	ENDED("b", "\"framework_id\":\"h\",", "TASK_KILLED", "1457377300", "")

static const char *read_ended(struct ended *e, const char *text, size_t piece, unsigned most)
{
	struct ended_one one;
	size_t len = strlen(text);

	seen[0] = '\0';
	ended_begin(e);
	for (size_t at = 0; at < len; at += piece)
		ended_feed(e, text + at, len - at < piece ? len - at : piece);
	ended_end(e, true);
	for (; most > 0 && ended_next(e, &one); most--) {
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s %s %s %s %s %s [%s|%s|%s] %lld;", one.id, one.name,
			 one.state, one.framework, one.framework_id, one.agent, one.message, one.reason, one.source,
			 (long long)one.time);
		ended_told(e);
	}
	return seen;
}

#define ONE_SEEN "a n TASK_FAILED marathon f S1 [m|R|S] 1457377200259090;"
#define TWO_SEEN "b n TASK_KILLED marathon h S1 [||] 1457377300000000;"

static void what_ended_is_told_once(void **unused)
{
	struct ended *e = ended_new();

	(void)unused;
	assert_string_equal(read_ended(e, COMPLETED(ONE), 1, 9), ONE_SEEN);
	assert_string_equal(read_ended(e, COMPLETED(ONE), 7, 9), "");
	assert_string_equal(read_ended(e, COMPLETED(ONE "," TWO), 99, 9), TWO_SEEN);
	/* One that is no longer listed is forgotten, and one that ended once more is news. */
	assert_string_equal(read_ended(e, COMPLETED(TWO), 99, 9), "");
	assert_string_equal(read_ended(e, COMPLETED(TWO "," ONE), 99, 9), ONE_SEEN);
	assert_string_equal(read_ended(e, COMPLETED(ENDED("a", "", "TASK_LOST", "1457377201", "")), 99, 9),
			    "a n TASK_LOST marathon f S1 [||] 1457377201000000;");
	/* What cannot be read changes nothing; nor does what comes while there is more to tell. */
	assert_string_equal(read_ended(e, "{\"completed_frameworks\":[7 7", 99, 9), "");
	assert_string_equal(read_ended(e, COMPLETED(ONE "," TWO), 99, 1), ONE_SEEN);
	assert_string_equal(read_ended(e, "{}", 99, 0), "");
	assert_string_equal(read_ended(e, COMPLETED(TWO), 99, 9), TWO_SEEN);
	assert_string_equal(read_ended(e, COMPLETED(ONE "," TWO), 99, 9), "");
	assert_int_equal(ended_left_out(e), 0);
	ended_free(e);
}

/* Without an id or a state it is none; without a time it is not told; what is too long is cut, or none. */
static void what_ended_may_be_odd(void **unused)
{
	static const char text[] = COMPLETED("7,[],{},{\"id\":\"a\",\"state\":\"TASK_LOST\"},{\"id\":\"a\\u0000b\",\"state\":\"S\","
		"\"statuses\":[{\"timestamp\":1}]},{\"id\":\"c\",\"state\":7,\"statuses\":[{\"timestamp\":1}]},"
		"{\"id\":\"d\",\"state\":\"S\",\"statuses\":[{\"timestamp\":\"1\"},{\"timestamp\":-1},{\"timestamp\":1e99}]},"
		"{\"id\":\"e\",\"state\":\"S\",\"statuses\":{\"timestamp\":1}},{\"id\":\"f\",\"state\":\"S\",\"statuses\":[{\"timestamp\":2}]}");
	static char large[6000];
	struct ended *e = ended_new();
	struct ended_one one;

	(void)unused;
	assert_string_equal(read_ended(e, text, 5, 9), "f  S marathon f  [||] 2000000;");
	assert_int_equal(ended_left_out(e), 2);
	for (int n = 1024; n <= 1025; n++) {
		snprintf(large, sizeof(large), COMPLETED("{\"id\":\"%0*d\",\"state\":\"S\",\"statuses\":[{\"timestamp\":2,"
			 "\"message\":\"\xc3\xbc%01022dx\xc3\xbc\"}]}"), n, 0, 0);
		assert_true(ended_begin(e));
		ended_feed(e, large, strlen(large));
		ended_end(e, true);
		assert_int_equal(ended_next(e, &one), n == 1024);
		if (n == 1024) {
			assert_int_equal(strlen(one.id), 1024);
			assert_int_equal(strlen(one.message), 1024);
			ended_told(e);
		}
	}
	assert_int_equal(ended_left_out(e), 1);
	ended_free(e);
}

/* An agent that lists more than there is room for is told of in turns, and none is told twice. */
static void what_ended_may_be_much(void **unused)
{
	struct ended *e = ended_new();
	struct ended_one one;
	unsigned told[3] = { 0 };
	char task[200];

	(void)unused;
	for (int turn = 0; turn < 3; turn++) {
		static const char head[] = "{\"frameworks\":[{\"executors\":[{\"completed_tasks\":[";

		assert_true(ended_begin(e));
		ended_feed(e, head, sizeof(head) - 1);
		for (int i = 0; i < 15000; i++) {
			snprintf(task, sizeof(task), "%s" ENDED("t%d", "", "S", "%d", ""), i > 0 ? "," : "", i, 1000 + i);
			ended_feed(e, task, strlen(task));
		}
		ended_feed(e, "]}]}]}", 6);
		ended_end(e, true);
		for (; ended_next(e, &one); ended_told(e))
			told[turn]++;
	}
	assert_int_equal(told[0], 10000);
	assert_int_equal(told[1], 5000);
	assert_int_equal(told[2], 0);
	assert_int_equal(ended_left_out(e), 5000);
	ended_free(e);
}

/* ---- A client with as many calls as there are ---------------------------- */

/* ---- What was told of ---------------------------------------------------- */

static int refuse(void *arg, const char *service)
{
	(void)arg, (void)service;
	return -ENOBUFS;
}

static int collect(void *arg, const char *service)
{
	strcat(strcat(arg, service), " ");
	return 0;
}

static void what_is_told_no_more_is_retired_once(void **unused)
{
	struct told t = { .n = 0 };
	char gone[64] = "";

	(void)unused;
	told_begin(&t, 0);
	told_begin(&t, 1);
	assert_int_equal(told_note(&t, 0, "a"), 0);
	assert_int_equal(told_note(&t, 0, "b"), 0);
	assert_int_equal(told_note(&t, 1, "b"), 0);
	told_end(&t, 0, collect, gone);
	assert_string_equal(gone, "");
	told_begin(&t, 0);
	assert_int_equal(told_note(&t, 0, "a"), 0);
	fault_arm(1);
	assert_int_equal(told_note(&t, 0, "c"), -ENOMEM);
	fault_arm(0);
	told_end(&t, 0, refuse, NULL);		/* no room for the event: */
	assert_int_equal(t.n, 3);
	told_begin(&t, 0);
	assert_int_equal(told_note(&t, 0, "a"), 0);
	told_end(&t, 0, collect, gone);		/* with the next answer */
	told_end(&t, 0, collect, gone);
	assert_string_equal(gone, "b ");
	told_begin(&t, 1);
	told_end(&t, 1, collect, gone);
	assert_string_equal(gone, "b b ");
	assert_int_equal(t.n, 1);
	told_free(&t);
}

static void note_service(void *arg, unsigned of, const char *service)
{
	snprintf((char *)arg + strlen(arg), 20, "%u:%s ", of, service);
}

static void a_list_of_what_was_told_is_read(void **unused)
{
	static const char text[] = "1 p/b\nno\n\n2 p/c\n0 other/d\n0 p/a e";
	char name[] = "/tmp/told.XXXXXX", all[64] = "";
	struct agent a = { .prefix = (char *)"p/", .told_path = name };
	int fd = mkstemp(name), nth = 0;

	(void)unused;
	assert_true(write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
	close(fd);
	do {
		fault_arm(++nth);
		remember_load(&a);
	} while (fault_fired());
	fault_arm(0);
	assert_true(nth > 2);
	told_each(&a.told, note_service, all);
	assert_int_equal(a.told.n, 2);
	assert_non_null(strstr(all, "1:p/b "));
	assert_non_null(strstr(all, "0:p/a e "));
	assert_false(a.told.changed);
	unlink(name);
	remember_load(&a);
	assert_int_equal(a.told.n, 2);
	told_free(&a.told);
}

static struct call { bool used; char url[128]; struct sat_fetch what; void *arg; } calls[8];

static int fetch(void *state, const struct sat_fetch *what, void *arg, void **inner)
{
	struct call *c = calls;

	(void)state;
	while (c->used)
		c++;
	assert_true(c < calls + 8);
	c->used = true;
	c->what = *what;
	c->arg = arg;
	snprintf(c->url, sizeof(c->url), "%s", what->url);
	*inner = c;
	return 0;
}

static void cancel(void *state, void *inner)
{
	(void)state;
	assert_true(((struct call *)inner)->used);
}

static const struct sat_module client_module = {
	.abi = SAT_ABI, .size = sizeof(struct sat_module), .name = "client",
	.http_client = &(const struct sat_http_client){ sizeof(struct sat_http_client), fetch, cancel },
};
static struct sat_self client = { .name = (char *)"client", .module = &client_module };

static void finish(struct call *c, int rc, int status, const char *body)
{
	struct sat_answer a = {
		.size = sizeof(a), .rc = rc, .status = status, .error = "it broke", .url = c->url,
		.body = body, .len = strlen(body),
	};

	if (rc == 0 && c->what.data != NULL) {
		if (c->what.data(c->arg, status, body, a.len) != 0)
			a.rc = -ECANCELED;
		a.body = "";
		a.len = 0;
	}
	c->used = false;
	c->what.done(c->arg, &a);
}

/* Whoever asks at such a path is answered so; how many did. */
static int answer(const char *path, int rc, int status, const char *body)
{
	int n = 0;

	for (struct call *c = calls; c < calls + 8; c++)
		if (c->used && strcmp(c->url + strlen("http://a:5051"), path) == 0) {
			finish(c, rc, status, body);
			n++;
		}
	return n;
}

/* ---- The module --------------------------------------------------------- */

static _Atomic int64_t counters[8];
static struct instance instance;
static struct agent *agent;

static void up(void)
{
	clock_virtual(INT64_C(1700000000) * SAT_SECOND);
	engine_init(NULL);
	client_use(&client);
	memset(calls, 0, sizeof(calls));
	agent = calloc(1, sizeof(*agent));
	instance = (struct instance){ .stage = INSTANCE_RUNNING, .self = {
		.name = (char *)"mesos-agent", .module = &sat_module_mesos_agent, .state = agent, .instance = &instance,
		.counters = counters, .n_counters = 7 } };
	agent->self = &instance.self;
	agent->url = strdup("http://a:5051");
	agent->prefix = strdup("mesos/slave/");
	agent->how.timeout = 5 * SAT_SECOND;
	agent->interval = 10 * SAT_SECOND;
	agent->events = true;
	agent->wanted = wanted;
	poll_init(agent);
}

static void down(void)
{
	instance_stop(&instance, NULL);
	for (struct call *c = calls; c < calls + 8; c++)
		if (c->used)
			finish(c, -ECANCELED, 0, "");
	assert_int_equal(instance.stage, INSTANCE_STOPPED);
	sat_module_mesos_agent.destroy(agent);
	client_forget(&client);
	engine_stop();
}

static void move(int seconds)
{
	for (int i = 0; i < seconds; i++) {
		engine_move(clock_steady() + SAT_SECOND);
		engine_run();
	}
}

static void note_figure(void *arg, const char *name, bool gauge, const char *help, const struct sat_attr *l,
			uint32_t n, double value)
{
	size_t len = strlen(seen);

	(void)arg, (void)help;
	len += (size_t)snprintf(seen + len, sizeof(seen) - len, "%s%s", gauge ? "" : "+", name);
	for (uint32_t i = 0; i < n; i++)
		len += (size_t)snprintf(seen + len, sizeof(seen) - len, " %s=%s", l[i].key, l[i].value);
	snprintf(seen + len, sizeof(seen) - len, " %g\n", value);
}

static const char *figures(void)
{
	struct sat_figures out = { .figure = note_figure };

	seen[0] = '\0';
	for (uint64_t at = 0; sat_module_mesos_agent.series(agent, &out, &at);)
		continue;
	return seen;
}

static void an_agent_is_told_and_forgotten(void **unused)
{
	(void)unused;
	up();
	assert_int_equal(sat_module_mesos_agent.start(agent), 0);
	move(1);
	assert_string_equal(figures(), "");
	assert_int_equal(answer("/metrics/snapshot", 0, 200, SNAPSHOT_TEXT), 1);
	assert_int_equal(answer("/monitor/statistics", 0, 200, STATISTICS_TEXT), 1);
	assert_int_equal(answer("/state", 0, 404, "no"), 1);
	assert_int_equal(answer("/slave(1)/state", 0, 200, STATE_TEXT), 1);
	assert_string_equal(figures(),
		"satellite_mesos_snapshot from=agent key=slave/registered 1\n"
		"satellite_mesos_snapshot from=agent key=system/load_1min 0.25\n"
		"mesos_agent_threads id=e framework_id=f source=s 3\n"
		"mesos_agent_mem_rss_bytes id=e framework_id=f source=s 4096\n"
		"+mesos_slave_task_labels source=s framework_id=f executor_id=e task_id=t1 task_name=n a_b=v t__m= 1\n"
		"+mesos_slave_task_labels source=s framework_id=f executor_id=e task_id=t2 task_name=7 a_b= t__m= 1\n"
		"+mesos_slave_attributes rack=a/1 zone= n=2 gone= 1\n");
	assert_int_equal(sat_counted(&instance.self, SUCCESS_SNAPSHOT), sat_wall() / SAT_SECOND);
	move(10);	/* where it was found it is asked for again */
	assert_int_equal(answer("/slave(1)/state", 0, 200, "{\"frameworks\":7 7"), 1);
	assert_int_equal(answer("/metrics/snapshot", 0, 500, SNAPSHOT_TEXT), 1);
	assert_int_equal(answer("/monitor/statistics", -ETIMEDOUT, 0, ""), 1);
	assert_string_equal(figures(), "");
	move(10);
	assert_int_equal(answer("/metrics/snapshot", 0, 404, ""), 1);
	assert_int_equal(answer("/stats.json", 0, 404, ""), 1);
	assert_int_equal(answer("/metrics/snapshot", 0, 404, ""), 0);
	assert_int_equal(answer("/monitor/statistics", 0, 200, "<html>"), 1);
	assert_string_equal(figures(), "");
	down();
}

static void of_too_many_services_no_more_are_told_but_counted(void **unused)
{
	int64_t before;

	(void)unused;
	up();
	before = sat_counted(&instance.self, COUNT_LEFT_OUT);
	assert_int_equal(sat_module_mesos_agent.start(agent), 0);
	move(1);
	agent->told.n = TOLD_MAX - 1;
	assert_int_equal(answer("/metrics/snapshot", 0, 200, SNAPSHOT_TEXT), 1);	/* two figures */
	assert_int_equal(agent->told.n, TOLD_MAX);
	assert_int_equal(sat_counted(&instance.self, COUNT_LEFT_OUT) - before, 1);
	assert_int_equal(answer("/monitor/statistics", 0, 404, ""), 1);
	assert_int_equal(answer("/state", 0, 404, ""), 1);
	down();
}

/* Twenty a second, and each once. */
static void what_ended_becomes_events_in_turn(void **unused)
{
	char text[16000] = "{\"frameworks\":[{\"id\":\"f\",\"name\":\"marathon\",\"executors\":[{\"completed_tasks\":[";

	(void)unused;
	for (int i = 0; i < 50; i++)
		sprintf(text + strlen(text), "%s" ENDED("t%d", "", "TASK_FAILED", "%d.25", ""), i > 0 ? "," : "", i, 1600000000 + i);
	strcat(text, "]}]}]}");
	up();
	agent->ended = ended_new();
	assert_int_equal(sat_module_mesos_agent.start(agent), 0);
	move(1);
	assert_int_equal(answer("/state", 0, 200, text), 1);
	assert_int_equal(sat_counted(&instance.self, COUNT_ENDED), 20);
	move(1);
	assert_int_equal(sat_counted(&instance.self, COUNT_ENDED), 40);
	move(5);
	assert_int_equal(sat_counted(&instance.self, COUNT_ENDED), 50);
	move(5);
	assert_int_equal(answer("/state", 0, 200, text), 1);
	move(5);
	assert_int_equal(sat_counted(&instance.self, COUNT_ENDED), 50);
	down();
}

static bool live(int nth)
{
	int64_t told = sat_counted(&instance.self, COUNT_ENDED);
	bool fired, started;

	up();
	agent->ended = ended_new();
	fault_arm(nth);
	started = sat_module_mesos_agent.start(agent) == 0;
	move(1);
	answer("/metrics/snapshot", 0, 200, SNAPSHOT_TEXT);
	answer("/monitor/statistics", 0, 200, STATISTICS_TEXT);
	answer("/state", 0, 200, STATE_TEXT);
	move(9);
	answer("/state", 0, 200, COMPLETED(ONE "," TWO));
	answer("/metrics/snapshot", 0, 200, SNAPSHOT_TEXT);
	move(10);
	answer("/state", 0, 200, STATE_TEXT);
	figures();
	fired = fault_fired();
	fault_arm(0);
	if (!fired)
		assert_non_null(strstr(seen, "mesos_slave_attributes"));
	/* What ended is told in the end, if not for the first time it was listed. */
	move(11);
	assert_int_equal(answer("/state", 0, 200, COMPLETED(ONE "," TWO)), started);
	move(2);
	assert_true(!started || sat_counted(&instance.self, COUNT_ENDED) >= told + 2);
	down();
	return fired;
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0;

	(void)unused;
	while (live(++nth))
		;
	printf("%d allocations\n", nth);
	assert_true(nth > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_are_read_in_any_order_and_pieces),
		cmocka_unit_test(a_state_may_be_large),
		cmocka_unit_test(containers_are_read),
		cmocka_unit_test(a_container_of_no_executor_has_its_own_id),
		cmocka_unit_test(what_ended_is_told_once),
		cmocka_unit_test(what_ended_may_be_odd),
		cmocka_unit_test(what_ended_may_be_much),
		cmocka_unit_test(what_is_told_no_more_is_retired_once),
		cmocka_unit_test(a_list_of_what_was_told_is_read),
		cmocka_unit_test(an_agent_is_told_and_forgotten),
		cmocka_unit_test(of_too_many_services_no_more_are_told_but_counted),
		cmocka_unit_test(what_ended_becomes_events_in_turn),
		cmocka_unit_test(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
