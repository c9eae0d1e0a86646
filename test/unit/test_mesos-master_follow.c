/* SPDX-License-Identifier: Apache-2.0 */
/* test_mesos-master_follow - the v1 stream: its records, its life, what it leaves out; and maintenance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/mesos.h"

/* ---- Records ------------------------------------------------------------ */

static struct { unsigned whole, begun, ended; size_t bytes; char last[16]; } got;

static int got_whole(void *arg, const char *text, size_t n)
{
	(void)arg;
	got.whole++;
	snprintf(got.last, sizeof(got.last), "%.*s", (int)n, text);
	return n == 4 && memcmp(text, "stop", 4) == 0 ? -ECANCELED : 0;
}

static int got_begin(void *arg, uint64_t len)
{
	(void)arg;
	(void)len;
	got.begun++;
	return 0;
}

static int got_piece(void *arg, const void *p, size_t n)
{
	(void)arg;
	(void)p;
	got.bytes += n;
	return 0;
}

static int got_end(void *arg)
{
	(void)arg;
	got.ended++;
	return 0;
}

static const struct records_calls record_calls = { got_whole, got_begin, got_piece, got_end };

static int feed(const char *text, size_t len, size_t n)
{
	struct records r;
	size_t at;
	int rc = 0;

	memset(&got, 0, sizeof(got));
	records_init(&r, 100000, &record_calls, NULL);
	for (at = 0; at < len && rc == 0; at += n)
		rc = records_feed(&r, text + at, len - at < n ? len - at : n);
	records_free(&r);
	return rc;
}

static void records_come_whole_or_in_pieces(void **unused)
{
	size_t n, len = 70000 + 22;
	char *text = malloc(len + 1);

	(void)unused;
	assert_non_null(text);
	memcpy(text, "3\none0\n70000\n", 13);
	memset(text + 13, 'x', 70000);
	memcpy(text + 13 + 70000, "5\nthree8\n", 10);
	for (n = 1; n <= len; n = n * 3 + 1) {
		assert_int_equal(feed(text, len, n), 0);
		assert_int_equal(got.whole, 2);
		assert_int_equal(got.begun, 1);
		assert_int_equal(got.ended, 1);
		assert_int_equal(got.bytes, 70000);
		assert_string_equal(got.last, "three");
	}
	free(text);
}

static void what_is_no_record_is_refused(void **unused)
{
	static const struct { const char *text; int rc; } all[] = {
		{ "\n", -EBADMSG }, { "x\n", -EBADMSG }, { "-1\n", -EBADMSG }, { "{\"a\":1}", -EBADMSG },
		{ "3\none4", 0 }, { "100001\n", -EFBIG }, { "99999999999999999999\n", -EBADMSG },
		{ "9999999999999999999\n", -EFBIG }, { "4\nstop3\none", -ECANCELED },
	};
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		assert_int_equal(feed(all[i].text, strlen(all[i].text), 1), all[i].rc);
		assert_int_equal(feed(all[i].text, strlen(all[i].text), 100), all[i].rc);
	}
	fault_arm(1);
	assert_int_equal(feed("3\none", 5, 1), -ENOMEM);
	fault_arm(0);
}

/* ---- The stream --------------------------------------------------------- */

#define LEADS	"{\"master/elected\":1,\"master/slaves_active\":1,\"master/slaves_inactive\":0}"
#define FOLLOWS	"{\"master/elected\":0,\"master/slaves_active\":0}"
#define ID(text) "{\"value\":\"" text "\"}"
#define AGENT	"{\"agent_info\":{\"hostname\":\"h\",\"id\":" ID("s") "},\"active\":true,\"pid\":\"slave(1)@h:5051\"}"
#define TASK(state) "{\"name\":\"n\",\"task_id\":" ID("t") ",\"framework_id\":" ID("f") ",\"agent_id\":" ID("s") "," \
		"\"state\":\"" state "\",\"resources\":[{\"name\":\"cpus\",\"scalar\":{\"value\":2}}]}"
#define SUBSCRIBED(state) "{\"type\":\"SUBSCRIBED\",\"subscribed\":{\"get_state\":{\"get_tasks\":{\"tasks\":[" \
		TASK(state) "]},\"get_frameworks\":{\"frameworks\":[{\"framework_info\":{\"name\":\"marathon\"," \
		"\"id\":" ID("f") "},\"active\":true}]},\"get_agents\":{\"agents\":[" AGENT "]}}," \
		"\"heartbeat_interval_seconds\":5.0}}"
#define UPDATED(task, state, more) "{\"type\":\"TASK_UPDATED\",\"task_updated\":{\"framework_id\":" ID("f") "," \
		"\"status\":{\"task_id\":" ID(task) ",\"agent_id\":" ID("s") ",\"state\":\"" state "\"" more "}," \
		"\"state\":\"" state "\"}}"

static int begin_following(void **unused)
{
	begin(unused);
	mesos->subscribe = true;
	return 0;
}

static int push_bytes(const char *text, size_t len)
{
	struct call *c = asked("/api/v1");
	int rc;

	assert_non_null(c);
	rc = c->what.data(c->arg, 200, text, len);
	engine_run();
	return rc;
}

static int push(const char *json)
{
	char head[32];

	snprintf(head, sizeof(head), "%zu\n", strlen(json));
	push_bytes(head, strlen(head));
	return push_bytes(json, strlen(json));
}

static bool maintained;		/* the test itself answers for that */

/* Figures as they are, whenever they are asked for. */
static void pass(double seconds, const char *figures)
{
	for (; seconds > 0; seconds -= 1) {
		if (asked("/metrics/snapshot") != NULL)
			answer("/metrics/snapshot", 200, figures);
		if (!maintained && asked("/maintenance/status") != NULL)
			answer("/maintenance/status", 404, "");
		if (asked("/master/maintenance/status") != NULL)
			answer("/master/maintenance/status", 404, "");
		move(1);
	}
}

static const struct sat_event *of_host(const char *service)
{
	return sat_index_get("h", service);
}

static void a_stream_takes_the_place_of_states(void **unused)
{
	(void)unused;
	pass(1, LEADS);
	assert_string_equal(asked("/api/v1")->body, "{\"type\":\"SUBSCRIBE\"}");
	assert_non_null(strstr(asked("/api/v1")->headers, "Content-Type: application/json"));
	assert_true(asked("/api/v1")->what.endless);
	assert_int_equal(push(SUBSCRIBED("TASK_STAGING")), 0);
	assert_int_equal(listed, 1);
	assert_null(of_host("mesos/tasks"));
	assert_float_equal(metric("mesos/frameworks/marathon/cpu"), 2, 0);
	assert_int_equal(push(UPDATED("t", "TASK_RUNNING", ",\"source\":\"SOURCE_EXECUTOR\"")), 0);
	assert_string_equal(of_host("mesos/tasks")->state, "TASK_RUNNING");
	assert_string_equal(sat_attr(of_host("mesos/tasks"), "framework"), "marathon");
	assert_string_equal(sat_attr(of_host("mesos/tasks"), "source"), "SOURCE_EXECUTOR");
	assert_string_equal(sat_attr(of_host("mesos/tasks"), "agent"), "s");
	assert_int_equal(push(UPDATED("t", "TASK_FAILED", ",\"message\":\"Command exited with status 3\"")), 0);
	assert_string_equal(of_host("mesos/tasks")->state, "TASK_FAILED");
	assert_string_equal(sat_attr(of_host("mesos/tasks"), "exit"), "3");
	for (int i = 0; i < 40; i++) {
		pass(4, LEADS);
		push("{\"type\":\"HEARTBEAT\"}");
		assert_null(asked("/state"));
		assert_null(asked("/slaves"));
		assert_int_equal(counters[GAUGE_STREAM_SUCCESS], sat_wall() / SAT_SECOND);
	}
	assert_int_equal(counters[GAUGE_AGENTS_SUCCESS], 0);
	for (int i = 0; i < 120; i++) {
		pass(4, LEADS);
		push("{\"type\":\"HEARTBEAT\"}");
	}
	assert_null(asked("/state"));
	answer("/slaves", 200, "{\"slaves\":[{\"id\":\"s\",\"hostname\":\"h\",\"active\":true}]}");	/* rarely */
	assert_int_equal(counters[GAUGE_AGENTS_SUCCESS], sat_wall() / SAT_SECOND);
	assert_int_equal(counters[GAUGE_STATE_SUCCESS], 0);	/* there was none */
	assert_float_equal(metric("mesos/frameworks/marathon/cpu"), 0, 0);
	assert_true(metric("mesos/bytes-per-minute") > 60 * 40);
	assert_true(metric("mesos/requests-per-minute") >= 55);
	push("{\"type\":\"AGENT_REMOVED\",\"agent_removed\":{\"agent_id\":" ID("s") "}}");
	move(1);
	assert_string_equal(of_host("mesos/agent")->state, "removed");
	assert_int_equal(listed, 0);
}

/* ---- Tasks that had ended before ---------------------------------------- */

static struct { unsigned past, news; char last[16]; } tasks;

static void hear_task(void *state, const char *topic, const struct sat_item *item)
{
	(void)state;
	(void)topic;
	assert_int_equal(item->n, 1);
	tasks.past += sat_tagged(item->evs[0], "past");
	tasks.news += !sat_tagged(item->evs[0], "past");
	snprintf(tasks.last, sizeof(tasks.last), "%s", item->evs[0]->state);
}

/* A state with so many tasks that ended, and one that runs. */
static char *with_ended(unsigned n)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	fprintf(f, "{\"type\":\"SUBSCRIBED\",\"subscribed\":{\"get_state\":{\"get_tasks\":{\"tasks\":[%s],"
		"\"completed_tasks\":[", TASK("TASK_RUNNING"));
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s{\"name\":\"n\",\"task_id\":{\"value\":\"e%u\"},\"framework_id\":" ID("f") ",\"agent_id\":" ID("s")
			",\"state\":\"TASK_FAILED\",\"statuses\":[{\"state\":\"TASK_FAILED\",\"timestamp\":%u.5}]}",
			i > 0 ? "," : "", i, 1600000000 + i);
	fprintf(f, "]},\"get_frameworks\":{\"frameworks\":[{\"framework_info\":{\"name\":\"marathon\",\"id\":" ID("f")
		"},\"active\":true}]},\"get_agents\":{\"agents\":[%s]}},\"heartbeat_interval_seconds\":5.0}}", AGENT);
	assert_int_equal(fclose(f), 0);
	return text;
}

static int push_ended(unsigned n)
{
	char *text = with_ended(n);
	int rc = push(text);

	free(text);
	return rc;
}

static void what_ended_before_is_told_in_turn_to_who_keeps_it(void **unused)
{
	(void)unused;
	memset(&tasks, 0, sizeof(tasks));
	mesos->max_state = 10000000;
	sat_subscribe(&self_host, "mesos/tasks", hear_task);
	pass(1, LEADS);
	assert_int_equal(push_ended(2000), 0);
	assert_int_equal(tasks.past, 0);
	move(0.1);
	assert_in_range(tasks.past, 1, 600);	/* no turn tells all of them */
	move(2);
	assert_int_equal(tasks.past, 2000);
	assert_int_equal(tasks.news, 0);
	assert_string_equal(tasks.last, "TASK_FAILED");
	assert_null(of_host("mesos/tasks"));
	/* A state that heals a gap is none that is the first. */
	break_off("/api/v1", -ECONNRESET);
	pass(2, LEADS);
	assert_int_equal(push_ended(2001), 0);
	move(2);
	assert_int_equal(tasks.past, 2000);
	assert_int_equal(tasks.news, 1);
}

/* Who comes later asks for it: then all that have ended are told, but not before there is a state. */
static void what_ended_before_is_told_anew_to_who_wants_it(void **unused)
{
	static const struct sat_item wanted = { .list = true };

	(void)unused;
	memset(&tasks, 0, sizeof(tasks));
	mesos->max_state = 10000000;
	assert_int_equal(past_start(mesos), 0);
	sat_subscribe(&self_host, "mesos/tasks", hear_task);
	assert_int_equal(sat_publish(&self_host, "mesos/tasks/wanted", &wanted, false), 0);
	pass(1, LEADS);
	assert_int_equal(tasks.past, 0);
	assert_int_equal(push_ended(400), 0);
	move(2);
	assert_int_equal(tasks.past, 400);
	push("{\"type\":\"TASK_UPDATED\",\"task_updated\":{\"framework_id\":" ID("f") ",\"state\":\"TASK_LOST\",\"status\":"
	     "{\"task_id\":{\"value\":\"t\"},\"state\":\"TASK_LOST\",\"timestamp\":1700000001.5}}}");
	assert_int_equal(tasks.news, 1);
	assert_int_equal(sat_publish(&self_host, "mesos/tasks/wanted", &wanted, false), 0);
	assert_int_equal(tasks.past, 400);
	move(2);
	assert_int_equal(tasks.past, 801);
	assert_int_equal(tasks.news, 1);
}

static void who_stops_tells_no_more_of_what_had_ended(void **unused)
{
	(void)unused;
	memset(&tasks, 0, sizeof(tasks));
	mesos->max_state = 10000000;
	assert_int_equal(past_start(mesos), 0);
	sat_subscribe(&self_host, "mesos/tasks", hear_task);
	pass(1, LEADS);
	assert_int_equal(push_ended(2000), 0);
	move(0.1);
	poll_stop(mesos);
	assert_int_equal(sat_publish(&self_host, "mesos/tasks/wanted", &(struct sat_item){ .list = true }, false), 0);
	move(2);
	assert_in_range(tasks.past, 1, 600);
}

static void without_a_stream_states_are_polled(void **unused)
{
	unsigned i;

	(void)unused;
	pass(1, LEADS);
	answer("/api/v1", 404, "");
	answer("/master/api/v1", 404, "");
	pass(2, LEADS);
	answer("/state", 200, "{\"elected_time\":1,\"slaves\":[{\"hostname\":\"h\"}]}");
	assert_int_equal(listed, 1);
	for (i = 0; i < 590; i++) {
		pass(1, LEADS);
		assert_null(asked("/master/api/v1"));
		assert_null(asked("/api/v1"));
	}
	pass(15, LEADS);
	answer("/api/v1", 403, "no");
	assert_non_null(strstr(event("mesos/endpoint/stream")->description, "ACLs"));
}

static void missing_heartbeats_end_a_stream_and_the_next_heals_the_gap(void **unused)
{
	(void)unused;
	pass(1, LEADS);
	push(SUBSCRIBED("TASK_STAGING"));
	pass(10, LEADS);
	assert_false(asked("/api/v1")->canceled);
	pass(3, LEADS);
	assert_true(asked("/api/v1")->canceled);
	break_off("/api/v1", -ECANCELED);
	assert_non_null(strstr(event("mesos/endpoint/stream")->description, "heartbeats"));
	pass(2, LEADS);
	assert_int_equal(push(SUBSCRIBED("TASK_LOST")), 0);
	assert_string_equal(of_host("mesos/tasks")->state, "TASK_LOST");
	assert_string_equal(event("mesos/endpoint/stream")->state, "ok");
	assert_null(asked("/state"));
}

static void half_a_record_is_nothing(void **unused)
{
	const char *whole = SUBSCRIBED("TASK_RUNNING");
	char head[32];

	(void)unused;
	pass(1, LEADS);
	push(SUBSCRIBED("TASK_STAGING"));
	snprintf(head, sizeof(head), "%zu\n", strlen(whole));
	push_bytes(head, strlen(head));
	push_bytes(whole, 300);
	finish(asked("/api/v1"), (struct sat_answer){ .status = 200 });	/* well, as far as HTTP knows */
	assert_null(of_host("mesos/tasks"));
	pass(2, LEADS);
	push_bytes(head, strlen(head));
	push_bytes(whole, 300);
	break_off("/api/v1", -ECONNRESET);
	assert_null(of_host("mesos/tasks"));
	assert_int_equal(mesos->model.tasks.n, 1);
	pass(3, LEADS);
	assert_int_equal(push(whole), 0);
	assert_string_equal(of_host("mesos/tasks")->state, "TASK_RUNNING");
}

/* Of a large one half is in the model then: its sums are neither of then nor of now, so nobody hears them. */
static void half_a_large_record_is_no_figure(void **unused)
{
	char *text = with_ended(2000), head[32];
	size_t len = strlen(text), at = (size_t)(strstr(text, "\"get_agents\"") - text);

	(void)unused;
	mesos->max_state = 10000000;
	pass(1, LEADS);
	assert_int_equal(push(SUBSCRIBED("TASK_RUNNING")), 0);
	assert_float_equal(metric("mesos/frameworks/marathon/cpu"), 2, 0);
	break_off("/api/v1", -ECONNRESET);
	pass(3, LEADS);
	snprintf(head, sizeof(head), "%zu\n", len);
	push_bytes(head, strlen(head));
	push_bytes(text, at);
	break_off("/api/v1", -ECONNRESET);
	assert_float_equal(model_framework_used(model_framework(&mesos->model, "f")).cpus, 0, 0);
	mesos->next_report = sat_clock();
	pass(3, LEADS);
	assert_float_equal(metric("mesos/frameworks/marathon/cpu"), 2, 0);	/* the last that was true */
	pass(3, LEADS);
	assert_int_equal(push(text), 0);
	assert_float_equal(metric("mesos/frameworks/marathon/cpu"), 2, 0);
	assert_null(of_host("mesos/agent"));
	free(text);
}

static void what_it_did_not_tell_of_is_asked_for_anew(void **unused)
{
	(void)unused;
	pass(1, LEADS);
	push(SUBSCRIBED("TASK_STAGING"));
	push(UPDATED("unknown", "TASK_RUNNING", ""));
	pass(2, LEADS);
	assert_true(asked("/api/v1")->canceled);
	break_off("/api/v1", -ECANCELED);
	pass(2, LEADS);
	push(SUBSCRIBED("TASK_STAGING"));
	push(UPDATED("unknown", "TASK_RUNNING", ""));
	pass(3, LEADS);
	assert_false(asked("/api/v1")->canceled);	/* at most once an interval */
}

static void nonsense_means_polling(void **unused)
{
	static const char *const all[] = {
		"<html>", "3\n{a}", "19\n{\"type\":\"HEARTBEAT\"", "100001\n",
	};
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		pass(2, LEADS);
		assert_true(push_bytes(all[i], strlen(all[i])) < 0);
		break_off("/api/v1", -ECANCELED);
		assert_string_equal(event("mesos/endpoint/stream")->state, "critical");
		pass(2, LEADS);
		if (i == 0)	/* and nothing moves */
			answer("/state", 200, "{\"elected_time\":1,\"slaves\":[{\"hostname\":\"h\"}]}");
		assert_int_equal(mesos->model.agents.n, 1);
		pass(601, LEADS);
	}
}

static void a_leader_deposed_is_followed_no_more(void **unused)
{
	(void)unused;
	pass(1, LEADS);
	push(SUBSCRIBED("TASK_STAGING"));
	pass(1.5, FOLLOWS);
	assert_true(asked("/api/v1")->canceled);
	assert_true(push(UPDATED("t", "TASK_RUNNING", "")) <= 0);
	break_off("/api/v1", -ECANCELED);
	assert_null(of_host("mesos/tasks"));
	pass(70, FOLLOWS);
	assert_null(asked("/api/v1"));
}

/* A follower has none; and one that is deposed ends it, and is asked at once. */
static void what_the_stream_says_is_a_word_of_who_leads(void **unused)
{
	(void)unused;
	pass(1, LEADS);
	push(SUBSCRIBED("TASK_STAGING"));
	move(5);
	assert_false(sat_acting());	/* silent, as far as anybody knows */
	for (int i = 0; i < 10; i++) {
		push("{\"type\":\"HEARTBEAT\"}");
		move(0.5);
		assert_true(sat_acting());
		move(6);		/* its figures alone do not come */
		assert_true(sat_acting());
	}
	move(5.5);
	assert_false(sat_acting());
	assert_true(asked("/api/v1")->canceled);
	break_off("/api/v1", -ECANCELED);
	pass(3, LEADS);
	push(SUBSCRIBED("TASK_STAGING"));
	assert_true(sat_acting());
	move(9);
	assert_false(sat_acting());
	push("{\"type\":\"HEARTBEAT\"}");
	move(0.5);
	assert_true(sat_acting());
	assert_false(asked("/api/v1")->canceled);
	pass(2, LEADS);
	while (asked("/metrics/snapshot") != NULL)
		answer("/metrics/snapshot", 200, LEADS);
	mesos->next_poll = sat_clock() + 3600 * SAT_SECOND;
	break_off("/api/v1", -EPIPE);
	move(0.5);
	answer("/metrics/snapshot", 200, FOLLOWS);
	assert_false(sat_acting());
}

/* Where figures are refused, heartbeats are the word; and a refusal says that it lives. */
static void where_figures_are_refused_the_stream_says_who_leads(void **unused)
{
	(void)unused;
	answer("/metrics/snapshot", 403, "no");
	answer("/state", 200, "{\"elected_time\":1,\"slaves\":[{\"hostname\":\"h\"}]}");
	assert_true(sat_acting());
	move(1);
	push(SUBSCRIBED("TASK_STAGING"));
	for (int i = 0; i < 200; i++) {
		move(2.5);
		if (asked("/metrics/snapshot") != NULL)
			answer("/metrics/snapshot", 403, "no");
		push("{\"type\":\"HEARTBEAT\"}");
		assert_true(sat_acting());
		assert_null(asked("/state"));
	}
	move(20);
	assert_false(sat_acting());
}

static void three_silences_are_a_refusal(void **unused)
{
	unsigned i;

	(void)unused;
	for (i = 0; i < 3; i++) {
		pass(1 + (1u << i), LEADS);
		pass(21, LEADS);
		assert_true(asked("/api/v1")->canceled);
		break_off("/api/v1", -ECANCELED);
		assert_non_null(strstr(event("mesos/endpoint/stream")->description, "nothing came"));
	}
	pass(2, LEADS);
	answer("/state", 200, "{\"elected_time\":1,\"slaves\":[{\"hostname\":\"h\"}]}");
	for (i = 0; i < 590; i++) {
		pass(1, LEADS);
		assert_null(asked("/api/v1"));
	}
	pass(15, LEADS);
	assert_non_null(asked("/api/v1"));
}

/* A state costs much: streams that break off come ever more rarely. */
static void streams_that_break_off_are_not_asked_for_at_once(void **unused)
{
	unsigned i, streams = 0;

	(void)unused;
	for (i = 0; i < 300; i++) {
		pass(1, LEADS);
		if (asked("/api/v1") == NULL)
			continue;
		push(SUBSCRIBED("TASK_STAGING"));
		break_off("/api/v1", -ECONNRESET);
		streams++;
	}
	assert_in_range(streams, 10, 16);
}

/* ---- What it leaves out ------------------------------------------------- */

#define INACTIVE "{\"master/elected\":1,\"master/slaves_active\":0,\"master/slaves_inactive\":1}"

static void agents_are_asked_for_when_the_figures_count_others(void **unused)
{
	unsigned i;

	(void)unused;
	pass(1, LEADS);
	push(SUBSCRIBED("TASK_STAGING"));
	for (i = 0; i < 20; i++) {
		pass(4, INACTIVE);
		push("{\"type\":\"HEARTBEAT\"}");
	}
	answer("/slaves", 200, "{\"slaves\":[{\"id\":\"s\",\"hostname\":\"h\",\"active\":false,\"deactivated\":true,"
	       "\"drain_info\":{\"state\":\"DRAINING\"}},{\"id\":\"new\",\"hostname\":\"x\"}]}");
	assert_string_equal(of_host("mesos/agent")->state, "draining");
	assert_int_equal(mesos->model.agents.n, 1);	/* of a new one the stream tells */
	for (i = 0; i < 20; i++) {
		pass(4, INACTIVE);
		push("{\"type\":\"HEARTBEAT\"}");
	}
	answer("/slaves", 200, "{\"slaves\":[{\"id\":\"s\",\"hostname\":\"h\",\"active\":false,\"deactivated\":true,"
	       "\"drain_info\":{\"state\":\"DRAINED\"}}]}");
	assert_string_equal(of_host("mesos/agent")->state, "drained");
	for (i = 0; i < 20; i++) {
		pass(4, INACTIVE);
		push("{\"type\":\"HEARTBEAT\"}");
		assert_null(asked("/slaves"));
	}
}

static void maintenance_is_told_of(void **unused)
{
	(void)unused;
	maintained = true;
	mesos->subscribe = false;
	pass(1, LEADS);
	answer("/state", 200, "{\"elected_time\":1,\"slaves\":[{\"hostname\":\"h\"}]}");
	pass(1, LEADS);
	answer("/maintenance/status", 200, "{\"draining_machines\":[{\"id\":{\"hostname\":\"h\",\"ip\":\"10.0.0.1\"},"
	       "\"statuses\":[{\"id\":{\"hostname\":\"no\"}}]},{\"id\":{\"ip\":\"10.0.0.2\"}}]}");
	assert_int_equal(counters[GAUGE_MAINTENANCE_SUCCESS], sat_wall() / SAT_SECOND);
	assert_string_equal(of_host("mesos/maintenance")->state, "draining");
	assert_string_equal(sat_index_get("10.0.0.2", "mesos/maintenance")->state, "draining");
	pass(61, LEADS);
	answer("/maintenance/status", 200, "{\"down_machines\":[{\"hostname\":\"h\",\"ip\":\"10.0.0.1\"}]}");
	assert_string_equal(of_host("mesos/maintenance")->state, "down");
	assert_string_equal(sat_index_get("10.0.0.2", "mesos/maintenance")->state, "up");
	pass(61, LEADS);
	answer("/maintenance/status", 200, "<html>");
	assert_string_equal(of_host("mesos/maintenance")->state, "down");
	assert_string_equal(event("mesos/endpoint/maintenance")->state, "critical");
	pass(61, LEADS);
	answer("/maintenance/status", 200, "{}");
	assert_string_equal(of_host("mesos/maintenance")->state, "up");
	maintained = false;
}

static void a_token_is_sent(void **unused)
{
	(void)unused;
	mesos->how.token = "abc.def";
	pass(1.5, LEADS);
	assert_string_equal(asked("/api/v1")->what.token, "abc.def");
	answer("/api/v1", 401, "");
	assert_non_null(strstr(event("mesos/endpoint/stream")->description, "token"));
}

static void following_survives_every_failure(void **unused)
{
	int nth = 0;
	bool fired;

	(void)unused;
	do {
		fault_arm(++nth);
		pass(3, LEADS);
		if (asked("/api/v1") != NULL && !asked("/api/v1")->canceled) {
			int rc = push(SUBSCRIBED("TASK_STAGING"));

			rc = rc != 0 ? rc : push(UPDATED("t", "TASK_RUNNING", ",\"message\":\"m\""));
			rc = rc != 0 ? rc : push("{\"agent_removed\":{\"agent_id\":" ID("s") "}}");
			break_off("/api/v1", rc != 0 ? -ECANCELED : -ECONNRESET);
		}
		fired = fault_fired();
		fault_arm(0);
		if (asked("/state") != NULL)
			answer("/state", 503, "");
		pass(601, LEADS);
		if (asked("/state") != NULL)
			answer("/state", 503, "");
	} while (fired);
	assert_true(nth > 10);
	pass(2, LEADS);
	assert_int_equal(push(SUBSCRIBED("TASK_STAGING")), 0);
	assert_int_equal(mesos->model.tasks.n, 1);
	assert_int_equal(mesos->model.agents.n, 1);
}

#define FOLLOWING(test) cmocka_unit_test_setup_teardown(test, begin_following, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_whole_or_in_pieces),
		cmocka_unit_test(what_is_no_record_is_refused),
		FOLLOWING(a_stream_takes_the_place_of_states),
		FOLLOWING(what_ended_before_is_told_in_turn_to_who_keeps_it),
		FOLLOWING(what_ended_before_is_told_anew_to_who_wants_it),
		FOLLOWING(who_stops_tells_no_more_of_what_had_ended),
		FOLLOWING(without_a_stream_states_are_polled),
		FOLLOWING(missing_heartbeats_end_a_stream_and_the_next_heals_the_gap),
		FOLLOWING(half_a_record_is_nothing),
		FOLLOWING(half_a_large_record_is_no_figure),
		FOLLOWING(what_it_did_not_tell_of_is_asked_for_anew),
		FOLLOWING(nonsense_means_polling),
		FOLLOWING(a_leader_deposed_is_followed_no_more),
		FOLLOWING(what_the_stream_says_is_a_word_of_who_leads),
		FOLLOWING(where_figures_are_refused_the_stream_says_who_leads),
		FOLLOWING(three_silences_are_a_refusal),
		FOLLOWING(streams_that_break_off_are_not_asked_for_at_once),
		FOLLOWING(agents_are_asked_for_when_the_figures_count_others),
		FOLLOWING(maintenance_is_told_of),
		FOLLOWING(a_token_is_sent),
		FOLLOWING(following_survives_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
