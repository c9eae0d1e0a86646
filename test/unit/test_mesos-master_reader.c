/* SPDX-License-Identifier: Apache-2.0 */
/* test_mesos-master_reader - states and streams of every version, captured and hand-made, into a model. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../modules/mesos-master/reader.h"
#include "unit/fault.h"

#define DATA		"test/data/mesos/"
#define CAPTURES	"../shared/mesos-captures/"

/* A whole file, NUL-ended. */
static char *load(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	char *p;

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	*len = (size_t)ftell(f);
	rewind(f);
	p = malloc(*len + 1);
	assert_non_null(p);
	assert_int_equal(fread(p, 1, *len, f), *len);
	p[*len] = '\0';
	fclose(f);
	return p;
}

static void end_state(struct model *m, bool silent)
{
	model_end(m, silent);
	while (model_settle(m, 3))
		continue;
}

/* In pieces of n bytes, as the whole state; the reader's words of the top stay. */
static int read_state(struct reader *r, struct model *m, const char *text, size_t len, size_t n, char *why, size_t size)
{
	size_t at;
	int rc = reader_expect(r, m);

	if (rc != 0)
		return rc;
	model_begin(m);
	for (at = 0; at < len && rc == 0; at += n)
		rc = reader_feed(r, text + at, len - at < n ? len - at : n);
	if (rc == 0)
		rc = reader_end_state(r, why, size);
	else
		reader_explain(r, rc, why, size);
	if (rc == 0)
		end_state(m, false);
	else
		model_abort(m);
	reader_free(r);
	return rc;
}

static struct reader reader;
static struct model model;

static int begin(void **unused)
{
	(void)unused;
	model_init(&model, NULL, NULL);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	fault_arm(0);
	model_free(&model);
	assert_int_equal(model.texts.bytes, 0);
	return 0;
}

static void feed_file(const char *path, size_t piece)
{
	size_t len;
	char *text = load(path, &len), why[160];

	assert_int_equal(read_state(&reader, &model, text, len, piece != 0 ? piece : len, why, sizeof(why)), 0);
	free(text);
}

static void feed_text(const char *text)
{
	char why[160];

	assert_int_equal(read_state(&reader, &model, text, strlen(text), 1000, why, sizeof(why)), 0);
}

/* ---- The state ---------------------------------------------------------- */

static void check_1_11(void)
{
	const struct model_agent *a;
	const struct model_task *t;
	char key[INTERN_MAX + 1], text[INTERN_MAX + 1];
	const char *at;

	assert_int_equal(reader_rank(&reader), READER_LEADS);
	assert_int_equal(model.agents.n, 4);
	assert_int_equal(model.n_recovered, 1);
	assert_int_equal(model.n_active, 2);
	a = model_agent(&model, "m1-S0");
	assert_string_equal(a->host, "a0.example.com");
	assert_string_equal(a->pid, "slave(1)@10.0.1.0:5051");
	assert_int_equal(a->stand, MODEL_ACTIVE);
	assert_true(a->total.disk == 100 && a->total.mem == 1000 && a->total.cpus == 4);
	assert_int_equal(a->total.ports, 1003);
	assert_true(a->used.cpus == 5.5e-17);
	at = a->attributes;
	assert_true(model_attribute(&at, key, text));
	assert_string_equal(key, "rack");
	assert_string_equal(text, "r1");
	assert_true(model_attribute(&at, key, text));
	assert_string_equal(key, "number");
	assert_string_equal(text, "29160");
	assert_false(model_attribute(&at, key, text));
	a = model_agent(&model, "m1-S1");
	assert_string_equal(a->host, "fe80::1");
	assert_int_equal(a->stand, MODEL_DRAINING);
	assert_string_equal(model_agent(&model, "m1-S2")->host, "Na\xc3\xafve.Example.com");
	assert_int_equal(model_agent(&model, "m0-S9")->stand, MODEL_RECOVERED);
	assert_int_equal(model.frameworks.n, 4);
	assert_true(model_framework(&model, "f3")->completed);
	assert_string_equal(model_framework(&model, "f1")->name, "a/b \"c\"");
	assert_true(model_framework(&model, "f0")->used.mem == 1500.5);
	assert_true(model_framework(&model, "f2")->used.cpus == 2);
	assert_int_equal(model.tasks.n, 1);
	t = model_task(&model, "f0", "t");
	assert_string_equal(t->agent, "m1-S0");
	assert_string_equal(model_word(&model, t->state), "TASK_RUNNING");
	assert_int_equal(t->cpus, 1500);
}

static void a_state_gives_agents_frameworks_and_tasks(void **unused)
{
	size_t n;

	(void)unused;
	for (n = 1; n <= 3000; n += n < 90 ? 1 : 977) {
		feed_file(DATA "state-1.11.json", n);
		check_1_11();
	}
	assert_int_equal(model.odd % 3, 0);
	assert_true(model.odd > 0);
}

static void an_old_state_is_understood(void **unused)
{
	struct model_framework *f;

	(void)unused;
	feed_file(DATA "state-0.19.json", 100);
	assert_int_equal(reader_rank(&reader), READER_LEADS);
	assert_int_equal(model.n_active, 2);
	assert_int_equal(model.frameworks.n, 1);
	f = model_next_framework(&model, NULL);
	assert_float_equal(model_framework_used(f).cpus, 0.2, 1e-12);
}

static void who_leads_is_told_from_the_fields(void **unused)
{
	static const struct { const char *fields; enum reader_rank rank; } all[] = {
		{ "\"pid\":\"m@1\",\"leader\":\"m@1\",", READER_LEADS },
		{ "\"pid\":\"m@1\",\"leader\":\"m@2\",", READER_FOLLOWS },
		{ "\"pid\":\"m@1\",", READER_ALONE },
		{ "\"elected_time\":1.5,", READER_LEADS },
		{ "", READER_UNKNOWN },
	};
	char text[128];
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		snprintf(text, sizeof(text), "{%s\"slaves\":[]}", all[i].fields);
		feed_text(text);
		assert_int_equal(reader_rank(&reader), all[i].rank);
	}
}

static void what_is_no_state_says_so(void **unused)
{
	static const struct { const char *text; int rc; } all[] = {
		{ "{}", -EPROTO }, { "[]", -EPROTO }, { "1", -EPROTO }, { "{\"slaves\":{}}", -EPROTO },
		{ "{\"slaves\":null}", -EPROTO }, { "{\"x\":{\"slaves\":[]}}", -EPROTO },
		{ "{\"slaves\":[]", -EBADMSG }, { "HTTP/1.1 200", -EBADMSG }, { "", -EBADMSG },
	};
	char why[160];
	size_t i;
	int rc;

	(void)unused;
	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		why[0] = '\0';
		rc = read_state(&reader, &model, all[i].text, strlen(all[i].text), 5, why, sizeof(why));
		assert_int_equal(rc, all[i].rc);
		assert_true(why[0] != '\0');
	}
}

/* Deeper than any Mesos: refused at the 65th level, whatever follows. */
static void nesting_is_bounded(void **unused)
{
	char text[4096], why[160] = "";

	(void)unused;
	memset(text, '[', sizeof(text));
	memcpy(text, "{\"slaves\":", 10);
	assert_int_equal(read_state(&reader, &model, text, sizeof(text), 100, why, sizeof(why)), -E2BIG);
	assert_non_null(strstr(why, "nested too deep"));
}

/* A list whose order changed is the same list; one agent gone inactive is not. */
static void left(enum model_left what, unsigned n, const char *first)
{
	assert_int_equal(model.left[what].n, n);
	assert_string_equal(model.left[what].first, first);
}

/* A text of n bytes. */
static const char *long_text(size_t n)
{
	static char text[600];

	memset(text, 'x', n);
	text[n] = '\0';
	return text;
}

/* In state and stream: counted, with something to know the first of them by. */
static void what_is_left_out_is_named_as_far_as_it_can_be(void **unused)
{
	char text[8192], part[65], why[160];

	(void)unused;
	snprintf(text, sizeof(text), "{\"slaves\":[{\"id\":\"s1\"},{\"id\":\"s2\",\"hostname\":\"%s\"},{\"id\":\"%s\","
		 "\"hostname\":\"h\"},{\"id\":\"%.255s\",\"hostname\":\"i\"}],\"frameworks\":[{\"id\":\"%s\",\"tasks\":["
		 "{\"id\":\"a\\u0007%.300s\",\"state\":\"TASK_RUNNING\"},{\"id\":\"t\"}]}]}", long_text(256), long_text(300),
		 long_text(255), long_text(256), long_text(300));
	feed_text(text);
	snprintf(part, sizeof(part), "%.64s", long_text(64));
	left(LEFT_AGENT, 2, "s1");
	left(LEFT_AGENT_ID, 1, part);
	left(LEFT_FRAMEWORK, 1, part);
	memcpy(text, part, sizeof(part));
	memcpy(text, "a ", 2);
	left(LEFT_TASK, 2, text);
	assert_int_equal(model.agents.n, 2);
	assert_non_null(model_agent(&model, "h"));
	assert_int_equal(model.odd, 5);
	snprintf(text, sizeof(text), "{\"type\":\"TASK_ADDED\",\"task_added\":{\"task\":{\"task_id\":{\"value\":\"%s\"},"
		 "\"state\":\"TASK_RUNNING\"}}}", long_text(256));
	feed_text("{\"slaves\":[]}");
	left(LEFT_AGENT, 0, "s1");
	assert_int_equal(reader_record(&reader, &model, text, strlen(text), why, sizeof(why)), 0);
	left(LEFT_TASK, 1, part);
}

static void a_listing_is_another_when_an_agent_changed(void **unused)
{
	uint64_t was;

	(void)unused;
	feed_text("{\"slaves\":[{\"hostname\":\"a\"},{\"hostname\":\"b\"}]}");
	was = model.listing;
	feed_text("{\"slaves\":[{\"hostname\":\"b\"},{\"hostname\":\"a\"}]}");
	assert_true(model.listing == was);
	feed_text("{\"slaves\":[{\"hostname\":\"b\",\"active\":false},{\"hostname\":\"a\"}]}");
	assert_true(model.listing != was);
	was = model.listing;
	feed_text("{\"slaves\":[{\"hostname\":\"b\",\"active\":false}]}");
	assert_true(model.listing != was);
}

/* What was read of it stays, and nothing is taken away; the next one is whole again. */
static void a_broken_state_takes_nothing_away(void **unused)
{
	char why[160];
	const char *half = "{\"slaves\":[{\"id\":\"s\",\"hostname\":\"new\"},{\"id\":";

	(void)unused;
	feed_file(DATA "state-1.11.json", 0);
	assert_int_equal(read_state(&reader, &model, half, strlen(half), 7, why, sizeof(why)), -EBADMSG);
	assert_int_equal(model.agents.n, 5);
	feed_file(DATA "state-1.11.json", 0);
	check_1_11();
}

static void a_state_survives_every_failure(void **unused)
{
	size_t len;
	char *text = load(DATA "state-1.11.json", &len), why[160];
	int nth = 0, rc;
	bool fired;

	(void)unused;
	do {	/* a table that cannot grow is no failure */
		fault_arm(++nth);
		rc = read_state(&reader, &model, text, len, 512, why, sizeof(why));
		fired = fault_fired();
		fault_arm(0);
		assert_true(rc == 0 || (fired && rc == -ENOMEM));
		if (fired)
			model_free(&model);
	} while (fired);
	assert_true(nth > 20);
	check_1_11();
	free(text);
}

static void sums_come_from_tasks_where_a_state_has_none(void **unused)
{
	struct model_resources used;

	(void)unused;
	feed_text("{\"slaves\":[{\"id\":\"s\",\"hostname\":\"h\"}],\"frameworks\":[{\"id\":\"f\","
	    "\"name\":\"f\",\"tasks\":["
		  "{\"id\":\"1\",\"slave_id\":\"s\",\"state\":\"TASK_RUNNING\",\"resources\":{\"cpus\":0.1,"
		  "\"mem\":32}},"
		  "{\"id\":\"2\",\"framework_id\":\"f\",\"slave_id\":\"s\",\"state\":\"TASK_STAGING\","
		  "\"resources\":{\"cpus\":0.2,\"ports\":\"[ 2 - 4 ]\"}}],\"completed_tasks\":["
		  "{\"id\":\"3\",\"framework_id\":\"f\",\"slave_id\":\"s\",\"state\":\"TASK_FAILED\","
		  "\"resources\":{\"cpus\":9}}]}]}");
	used = model_agent_used(model_agent(&model, "s"));
	assert_true(used.cpus == 0.3);
	assert_true(used.mem == 32);
	assert_int_equal(used.ports, 3);
	used = model_framework_used(model_framework(&model, "f"));
	assert_true(used.cpus == 0.3 || model.tasks.n == 3);
	assert_int_equal(model.n_ended, 1);
}

/* ---- The v1 API --------------------------------------------------------- */

/* One record of a stream, whole. */
static void record(const char *text, size_t len)
{
	char why[160];

	assert_int_equal(reader_record(&reader, &model, text, len, why, sizeof(why)), 0);
}

static void say(const char *text)
{
	record(text, strlen(text));
}

#define V1_AGENT "{\"agent_info\":{\"hostname\":\"h\",\"id\":{\"value\":\"s\"},\"resources\":[{\"name\":\"cpus\"}]," \
	"\"attributes\":[{\"name\":\"rack\",\"type\":\"TEXT\",\"text\":{\"value\":\"r\"}}," \
	"{\"name\":\"u\",\"type\":\"SCALAR\",\"scalar\":{\"value\":7.5}}]}," \
	"\"active\":true,\"version\":\"1.9.0\",\"pid\":\"slave(1)@h:5051\"," \
	"\"registered_time\":{\"nanoseconds\":1521511522876838912},\"total_resources\":[" \
	"{\"name\":\"cpus\",\"type\":\"SCALAR\",\"scalar\":{\"value\":4.0},\"role\":\"*\"}," \
	"{\"name\":\"cpus\",\"type\":\"SCALAR\",\"scalar\":{\"value\":2.0},\"role\":\"db\"}," \
	"{\"name\":\"cpus\",\"type\":\"SCALAR\",\"scalar\":{\"value\":1.0},\"reservations\":[{\"role\":\"db\"}]}," \
	"{\"name\":\"cpus\",\"type\":\"SCALAR\",\"scalar\":{\"value\":9.0},\"revocable\":{}}," \
	"{\"name\":\"ports\",\"type\":\"RANGES\",\"ranges\":{\"range\":[{\"begin\":1," \
	"\"end\":10},{\"end\":20,\"begin\":20},{\"begin\":7},{\"end\":6}]}}]}"
#define V1_FRAMEWORK "{\"framework_info\":{\"name\":\"m\",\"id\":{\"value\":\"f\"},\"roles\":[\"a\",\"b\"]}," \
	"\"active\":true,\"connected\":true}"
#define V1_TASK(state) "{\"name\":\"n\",\"task_id\":{\"value\":\"t\"},\"framework_id\":{\"value\":\"f\"}," \
	"\"agent_id\":{\"value\":\"s\"},\"state\":\"" state "\",\"resources\":[" \
	"{\"name\":\"cpus\",\"type\":\"SCALAR\",\"scalar\":{\"value\":0.5}}]}"
#define V1_STATUS(state, more) "{\"type\":\"TASK_UPDATED\",\"task_updated\":{\"framework_id\":{\"value\":\"f\"}," \
	"\"status\":{\"task_id\":{\"value\":\"t\"},\"agent_id\":{\"value\":\"s\"},\"state\":\"" state "\"" more "}," \
	"\"state\":\"TASK_FINISHED\"}}"

static void a_stream_is_followed(void **unused)
{
	const struct model_agent *a;
	const struct model_task *t;

	(void)unused;
	model_begin(&model);
	say("{\"type\":\"SUBSCRIBED\","
	    "\"subscribed\":{\"get_state\":{\"get_tasks\":{\"tasks\":[" V1_TASK("TASK_STAGING") "]},"
	    "\"get_executors\":{},\"get_frameworks\":{\"frameworks\":[" V1_FRAMEWORK "]},\"get_agents\":{\"agents\":["
	    V1_AGENT "]}},\"heartbeat_interval_seconds\":15.0}}");
	end_state(&model, true);
	assert_true(reader.top.subscribed);
	assert_float_equal(reader.top.heartbeat, 15, 0);
	a = model_agent(&model, "s");
	assert_string_equal(a->host, "h");
	assert_string_equal(a->version, "1.9.0");
	assert_true(a->total.cpus == 7 && a->unreserved.cpus == 4);
	assert_int_equal(a->total.ports, 11);
	assert_int_equal(a->registered, INT64_C(1521511522876838));
	assert_string_equal(a->attributes, "rack\x1fr\x1eu\x1f""7.5\x1e");
	assert_string_equal(model_framework(&model, "f")->role, "a,b");
	assert_true(model_agent_used(a).cpus == 0.5);
	assert_true(model_framework_used(model_framework(&model, "f")).cpus == 0.5);

	/* The status counts, not the newest state that the agent knows of. */
	say(V1_STATUS("TASK_RUNNING", ",\"source\":\"SOURCE_EXECUTOR\",\"timestamp\":1470820172.5"));
	t = model_task(&model, "f", "t");
	assert_string_equal(model_word(&model, t->state), "TASK_RUNNING");
	assert_string_equal(model_word(&model, t->source), "SOURCE_EXECUTOR");
	assert_int_equal(t->time, INT64_C(1470820172500000));
	assert_string_equal(t->name, "n");
	say(V1_STATUS("TASK_FAILED", ",\"reason\":\"REASON_COMMAND_EXECUTOR_FAILED\","
	    "\"message\":\"exited with\\nstatus 3\","
		      "\"timestamp\":1470820173"));
	assert_string_equal(t->message, "exited with status 3");
	assert_true(model_ended(&model, t));
	assert_true(model_agent_used(a).cpus == 0);
	say(V1_STATUS("TASK_RUNNING", ",\"timestamp\":1470820172.9"));	/* late */
	assert_true(model_ended(&model, t));
	assert_false(reader.gap);

	say("{\"type\":\"TASK_UPDATED\",\"task_updated\":{\"task_id\":{\"value\":\"x\"},"
	    "\"framework_id\":{\"value\":\"f\"},"
	    "\"state\":\"TASK_RUNNING\"}}");
	assert_true(reader.gap);
	say("{\"type\":\"TASK_ADDED\",\"task_added\":{\"task\":" V1_TASK("TASK_STARTING") "}}");
	assert_int_equal(model.tasks.n, 1);
	say("{\"type\":\"TASK_ADDED\",\"task_added\":{\"task\":{\"name\":\"dummy-task\",\"task_id\":{\"value\":\"d\"},"
	    "\"agent_id\":{\"value\":\"s\"}}}}");
	assert_string_equal(model_word(&model, model_task(&model, "", "d")->state), "TASK_STAGING");
	say("{\"type\":\"AGENT_REMOVED\",\"agent_removed\":{\"agent_id\":{\"value\":\"s\"}}}");
	assert_null(model_agent(&model, "s"));
	say("{\"type\":\"AGENT_ADDED\",\"agent_added\":{\"agent\":" V1_AGENT "}}");
	assert_non_null(model_agent(&model, "s"));
	say("{\"type\":\"FRAMEWORK_REMOVED\",\"framework_removed\":{\"framework_info\":{\"id\":{\"value\":\"f\"}}}}");
	assert_true(model_framework(&model, "f")->completed);
	say("{\"type\":\"FRAMEWORK_ADDED\",\"framework_added\":{\"framework\":" V1_FRAMEWORK "}}");
	assert_false(model_framework(&model, "f")->completed);
	say("{\"type\":\"HEARTBEAT\"}");
	assert_string_equal(reader.top.type, "HEARTBEAT");
}

/* ---- What is told ------------------------------------------------------- */

static char told[4096];

static int task_told(void *arg, const struct model_task *t)
{
	(void)arg;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s=%s ", t->id, model_word(&model, t->state));
	return 0;
}

static int agent_told(void *arg, const struct model_agent *a, enum model_stand now)
{
	(void)arg;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s=%s ", a->host, model_stand_name(now));
	return 0;
}

static const struct model_calls calls = { .task = task_told, .agent = agent_told };

static void tells(const char *want)
{
	model_judge(&model, NULL);
	model_tell_gone(&model, UINT32_MAX);
	assert_string_equal(told, want);
	told[0] = '\0';
}

#define STATE(agents, tasks) "{\"slaves\":[" agents "],\"frameworks\":[{\"id\":\"f\",\"name\":\"f\"," \
	"\"tasks\":[" tasks "]}]}"
#define TASK(id, state) "{\"id\":\"" id "\",\"framework_id\":\"f\",\"slave_id\":\"s\",\"state\":\"" state "\"}"
#define AGENT(more) "{\"id\":\"s\",\"hostname\":\"h\"" more "}"

static void each_change_is_told_once(void **unused)
{
	(void)unused;
	model_init(&model, &calls, NULL);
	told[0] = '\0';
	feed_text(STATE("", ""));
	tells("");
	feed_text(STATE(AGENT(""), TASK("1", "TASK_STAGING")));
	tells("h=added 1=TASK_STAGING ");
	feed_text(STATE(AGENT(""), TASK("1", "TASK_RUNNING")));
	tells("1=TASK_RUNNING ");
	feed_text(STATE(AGENT(""), TASK("1", "TASK_RUNNING")));
	tells("");
	feed_text(STATE(AGENT(",\"active\":false"), TASK("1", "TASK_RUNNING")));
	tells("h=inactive ");
	feed_text(STATE(AGENT(""), TASK("1", "TASK_RUNNING")));
	tells("h=active ");
	feed_text(STATE(AGENT(",\"deactivated\":true,"
	    "\"drain_info\":{\"state\":\"DRAINING\"}"), TASK("1", "TASK_KILLING")));
	tells("h=draining 1=TASK_KILLING ");
	feed_text(STATE(AGENT(",\"deactivated\":true,\"drain_info\":{\"state\":\"DRAINED\"}"), ""));
	tells("h=drained ");
	feed_text(STATE(AGENT(",\"deactivated\":true,\"active\":false"), ""));
	tells("h=deactivated ");
	feed_text(STATE("", ""));
	tells("h=removed ");
	feed_text(STATE(AGENT(",\"active\":false"), ""));
	tells("h=added h=inactive ");
	feed_text(STATE("", ""));
	tells("h=unreachable ");
	/* In the registry, and back at the next Mesos master: nothing happened to it. */
	feed_text("{\"slaves\":[],\"recovered_slaves\":[" AGENT("") "]}");
	feed_text("{\"slaves\":[" AGENT("") "]}");
	tells("");
	feed_text("{\"slaves\":[],\"recovered_slaves\":[" AGENT("") "]}");
	feed_text("{\"slaves\":[],\"recovered_slaves\":[]}");
	tells("h=unreachable ");
}

static int framework_refused;

static int framework_told(void *arg, const struct model_framework *f, enum model_presence now)
{
	(void)arg;
	if (framework_refused > 0) {
		framework_refused--;
		return -1;
	}
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s=%s ", f->id, model_presence_name(now));
	return 0;
}

#define FRAMEWORKS(list, completed) "{\"slaves\":[],\"frameworks\":[" list "],\"completed_frameworks\":[" completed "]}"
#define FRAMEWORK(id, more) "{\"id\":\"" id "\",\"name\":\"n\"" more "}"

static void frameworks_come_and_go(void **unused)
{
	static const struct model_calls all = { task_told, agent_told, framework_told };

	(void)unused;
	model_init(&model, &all, NULL);
	told[0] = '\0';
	feed_text(FRAMEWORKS(FRAMEWORK("f", "") "," FRAMEWORK("g", ",\"active\":false,\"connected\":false"), ""));
	assert_non_null(strstr(told, "f=added "));
	assert_non_null(strstr(told, "g=added g=disconnected "));
	told[0] = '\0';
	feed_text(FRAMEWORKS(FRAMEWORK("f", ",\"active\":false") ","
			     FRAMEWORK("g", ",\"active\":false,\"connected\":false"), ""));
	tells("f=inactive ");
	feed_text(FRAMEWORKS(FRAMEWORK("f", ""), FRAMEWORK("g", "")));
	assert_non_null(strstr(told, "f=active "));
	assert_non_null(strstr(told, "g=removed "));
	told[0] = '\0';
	feed_text(FRAMEWORKS(FRAMEWORK("f", ""), FRAMEWORK("g", "")));
	feed_text(FRAMEWORKS(FRAMEWORK("f", ""), ""));	/* few of the completed are kept */
	tells("");
	feed_text(FRAMEWORKS("", FRAMEWORK("h", "")));	/* f without a word; h came and went between two looks */
	assert_non_null(strstr(told, "f=removed "));
	assert_non_null(strstr(told, "h=added h=removed "));
	told[0] = '\0';
	say("{\"type\":\"FRAMEWORK_ADDED\",\"framework_added\":{\"framework\":{\"framework_info\":"
	    "{\"id\":{\"value\":\"i\"},\"name\":\"n\"},\"active\":true,\"connected\":true}}}");
	tells("i=added ");
	framework_refused = 1;
	say("{\"type\":\"FRAMEWORK_UPDATED\",\"framework_updated\":{\"framework\":{\"framework_info\":"
	    "{\"id\":{\"value\":\"i\"},\"name\":\"n\"},\"active\":false,\"connected\":false}}}");
	tells("");
	assert_true(model.untold);
	model_tell(&model);
	while (model_settle(&model, 3))
		continue;
	tells("i=disconnected ");
	say("{\"type\":\"FRAMEWORK_REMOVED\",\"framework_removed\":{\"framework_info\":"
	    "{\"id\":{\"value\":\"i\"},\"name\":\"n\"}}}");
	tells("i=removed ");
}

/* Of two tasks of one id the one that runs counts, wherever it stands. */
static void an_id_may_be_used_again(void **unused)
{
	(void)unused;
	model_init(&model, &calls, NULL);
	told[0] = '\0';
	feed_text(STATE("", TASK("1", "TASK_RUNNING") "," TASK("1", "TASK_FAILED")));
	tells("1=TASK_RUNNING ");
	feed_text(STATE("", TASK("1", "TASK_FAILED") "," TASK("1", "TASK_RUNNING")));
	tells("");
	feed_text(STATE("", TASK("1", "TASK_FAILED")));
	tells("1=TASK_FAILED ");
}

static void what_is_known_first_is_no_news(void **unused)
{
	(void)unused;
	model_init(&model, &calls, NULL);
	told[0] = '\0';
	model_begin(&model);
	say("{\"slaves\":[" AGENT("") "],\"frameworks\":[{\"id\":\"f\",\"name\":\"f\","
	    "\"tasks\":[" TASK("1", "TASK_RUNNING") "]}]}");
	end_state(&model, true);
	tells("");
	feed_text(STATE(AGENT(""), TASK("1", "TASK_LOST")));
	tells("1=TASK_LOST ");
}

/* ---- Captures ----------------------------------------------------------- */

/* Calls each() with every file of a folder of the captures; skips the test where they are not there. */
static void over(const char *folder, void (*each)(const char *name, char *text, size_t len))
{
	char path[512];
	DIR *d;
	const struct dirent *e;
	int n = 0;

	snprintf(path, sizeof(path), CAPTURES "%s", folder);
	d = opendir(path);
	if (d == NULL) {
		print_message("SKIPPED: %s is not there\n", path);
		skip();
	}
	while ((e = readdir(d)) != NULL) {
		size_t len;
		char *text;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CAPTURES "%s/%s", folder, e->d_name);
		text = load(path, &len);
		each(e->d_name, text, len);
		free(text);
		n++;
	}
	closedir(d);
	assert_true(n > 0);
}

static void same_in_pieces(const char *name, char *text, size_t len)
{
	uint32_t agents, frameworks, tasks;
	uint64_t listing;
	char why[160];

	assert_int_equal(read_state(&reader, &model, text, len, len, why, sizeof(why)), 0);
	agents = model.agents.n;
	frameworks = model.frameworks.n;
	tasks = model.tasks.n;
	listing = model.listing;
	assert_int_equal(read_state(&reader, &model, text, len, 7, why, sizeof(why)), 0);
	assert_int_equal(model.agents.n, agents);
	assert_int_equal(model.frameworks.n, frameworks);
	assert_int_equal(model.tasks.n, tasks);
	assert_true(model.listing == listing);
	assert_int_equal(model.odd, 0);
	assert_int_equal(reader_rank(&reader), strncmp(name, "partial", 7) == 0 ? READER_UNKNOWN : READER_LEADS);
	if (strstr(name, "ui-large") != NULL)
		assert_true(tasks > 4000);
}

static void captured_states_are_understood(void **unused)
{
	(void)unused;
	over("master-state", same_in_pieces);
}

static void is_refused(const char *name, char *text, size_t len)
{
	char why[160];

	(void)name;
	assert_true(read_state(&reader, &model, text, len, 16384, why, sizeof(why)) < 0);
}

static void captured_nonsense_is_refused(void **unused)
{
	(void)unused;
	over("malformed", is_refused);
}

static void is_no_masters_state(const char *name, char *text, size_t len)
{
	char why[160];

	(void)name;
	assert_int_equal(read_state(&reader, &model, text, len, 16384, why, sizeof(why)), -EPROTO);
}

static void an_agents_state_is_no_masters(void **unused)
{
	(void)unused;
	over("agent-state", is_no_masters_state);
}

/* Each line is a record.  In the end every task that was added is there, in its last state. */
static void is_a_stream(const char *name, char *text, size_t len)
{
	char *line, *rest = NULL;

	(void)len;
	if (strstr(name, ".jsonl") == NULL)
		return;
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		bool subscribed = strstr(line, "\"SUBSCRIBED\"") != NULL;

		if (subscribed)
			model_begin(&model);
		say(line);
		assert_int_equal(reader.top.subscribed, subscribed);
		assert_false(reader.gap);
		if (subscribed)
			end_state(&model, true);
	}
	assert_true(model.agents.n > 0);
	assert_true(model.tasks.n > 0);
	assert_int_equal(model.odd, 0);
	for (const struct model_task *t = model_next_task(&model, NULL); t != NULL; t = model_next_task(&model, t)) {
		assert_non_null(model_agent(&model, t->agent));
		assert_string_not_equal(model_word(&model, t->state), "");
	}
}

static void has_a_v1_state(const char *name, char *text, size_t len)
{
	if (strstr(name, ".bad") != NULL || strncmp(name, "master-", 7) != 0)
		return;
	model_begin(&model);
	record(text, len);
	end_state(&model, true);
	if (strstr(name, "GET_STATE") == NULL && strstr(name, "SUBSCRIBED") == NULL)
		return;
	assert_true(model.agents.n > 0 && model.frameworks.n > 0 && model.tasks.n > 0);
	assert_int_equal(model.odd, 0);
}

static void captured_streams_are_followed(void **unused)
{
	(void)unused;
	over("v1", is_a_stream);
	over("v1", has_a_v1_state);
	over("v1-docs", has_a_v1_state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_state_gives_agents_frameworks_and_tasks, begin, end),
		cmocka_unit_test_setup_teardown(an_old_state_is_understood, begin, end),
		cmocka_unit_test_setup_teardown(who_leads_is_told_from_the_fields, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_state_says_so, begin, end),
		cmocka_unit_test_setup_teardown(nesting_is_bounded, begin, end),
		cmocka_unit_test_setup_teardown(what_is_left_out_is_named_as_far_as_it_can_be, begin, end),
		cmocka_unit_test_setup_teardown(a_listing_is_another_when_an_agent_changed, begin, end),
		cmocka_unit_test_setup_teardown(a_broken_state_takes_nothing_away, begin, end),
		cmocka_unit_test_setup_teardown(a_state_survives_every_failure, begin, end),
		cmocka_unit_test_setup_teardown(sums_come_from_tasks_where_a_state_has_none, begin, end),
		cmocka_unit_test_setup_teardown(a_stream_is_followed, begin, end),
		cmocka_unit_test_setup_teardown(each_change_is_told_once, begin, end),
		cmocka_unit_test_setup_teardown(frameworks_come_and_go, begin, end),
		cmocka_unit_test_setup_teardown(an_id_may_be_used_again, begin, end),
		cmocka_unit_test_setup_teardown(what_is_known_first_is_no_news, begin, end),
		cmocka_unit_test_setup_teardown(captured_states_are_understood, begin, end),
		cmocka_unit_test_setup_teardown(captured_nonsense_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(an_agents_state_is_no_masters, begin, end),
		cmocka_unit_test_setup_teardown(captured_streams_are_followed, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
