/* SPDX-License-Identifier: Apache-2.0 */
/* test_mesos-master_change - the leader changes amid a state, a stream or what follows of one: events stay right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/mesos.h"

enum { AGENTS = 1500, TASKS = 10000 };		/* more than one turn goes through */

/* The cluster as it is, since when, and what was told of each task: how often, and which of these. */
static const char *is[TASKS];
static unsigned when[TASKS];
static struct { unsigned n; char last[20]; } told[TASKS];
static unsigned n_told, n_agents, n_frameworks, twice, past;
/* Agents that have come back to the leader; where its ids begin; whether it lists others, too; no scheduler has. */
static unsigned back, cluster;
static bool lists_others, away;
static bool forgets;			/* the leader, each tenth task, from 0 on */

static void hear_task(void *state, const char *topic, const struct sat_item *item)
{
	unsigned i = (unsigned)strtoul(sat_attr(item->evs[0], "task"), NULL, 10);

	(void)state;
	(void)topic;
	past += sat_tagged(item->evs[0], "past");
	if (sat_tagged(item->evs[0], "past"))
		return;
	twice += strcmp(told[i].last, item->evs[0]->state) == 0;
	told[i].n++;
	n_told++;
	snprintf(told[i].last, sizeof(told[i].last), "%s", item->evs[0]->state);
}

static void see(const struct sat_event *ev)
{
	n_agents += strcmp(ev->service, "mesos/agent") == 0;
	n_frameworks += strcmp(ev->service, "mesos/framework") == 0;
}

/* One satellite beside all of the masters, which acts whoever leads. */
static int begin_change(void **unused)
{
	n_masters = 1;
	begin(unused);
	watcher = see;
	lead_end();
	lead_init(LEAD_ALWAYS);
	mesos->local = strdup("http://m:5050");
	mesos->max_state = 100000000;
	sat_subscribe(&self_host, "mesos/tasks", hear_task);
	for (unsigned i = 0; i < TASKS; i++) {
		is[i] = "TASK_RUNNING";
		when[i] = 1600000000;
	}
	memset(told, 0, sizeof(told));
	n_told = n_agents = n_frameworks = twice = past = cluster = 0;
	back = AGENTS;
	lists_others = true;
	away = forgets = false;
	return named_init(mesos) != 0 || named_start(mesos) != 0;
}

static int end_change(void **unused)
{
	watcher = NULL;
	return end(unused);
}

static void names(const char *host)
{
	struct sat_attr attrs[] = { { "ip", "" }, { "port", "5050" } };
	struct sat_event ev = { .size = sizeof(ev), .service = "mesos/elected", .state = "leads", .host = host,
				.description = host, .attrs = attrs, .n_attrs = 2 };
	const struct sat_event *evs[] = { &ev };

	assert_int_equal(sat_publish(&self_host, "mesos/elected", &(struct sat_item){ .evs = evs, .n = 1 }, false), 0);
	engine_run();
}

/* Whom is asked, with every figure another: so a state is asked for. */
static void figures(void)
{
	static unsigned n;
	char text[100];

	snprintf(text, sizeof(text), "{\"master/elected\":1,\"master/tasks_running\":%u}", ++n);
	answer("/metrics/snapshot", 200, text);
}

/* ---- What a master says, as /state or as a record of the stream ---------- */

static void put_id(FILE *f, bool v1, const char *key, char kind, unsigned n)
{
	fprintf(f, v1 ? "\"%s\":{\"value\":\"%c%u\"}" : "\"%s\":\"%c%u\"", key, kind, cluster + n);
}

static void put_agents(FILE *f, bool v1)
{
	for (unsigned i = 0; i < AGENTS && (i < back || lists_others); i++) {
		if (i == back)
			fprintf(f, v1 ? "],\"recovered_agents\":[" : "],\"recovered_slaves\":[");
		else if (i > 0)
			fprintf(f, ",");
		fprintf(f, v1 ? "{\"active\":true,\"agent_info\":{" : "{");
		put_id(f, v1, "id", 'a', i);
		fprintf(f, v1 ? ",\"hostname\":\"h%u\"}}" : ",\"hostname\":\"h%u\"}", i);
	}
}

/* An old Mesos has one that has not come back no more, but perhaps another. */
static void begin_framework(FILE *f, bool v1)
{
	fprintf(f, v1 ? "{\"framework_info\":{\"name\":\"f\"," : "{\"name\":\"f\",");
	put_id(f, v1, "id", away && !lists_others ? 'g' : 'f', 0);
	fprintf(f, v1 ? "}," : ",");
	fprintf(f, away ? "\"active\":false,\"connected\":false" : "\"active\":true,\"connected\":true");
}

static void put_task(FILE *f, bool v1, unsigned i)
{
	fprintf(f, v1 ? "{\"task_id\":{\"value\":\"%u\"}," : "{\"id\":\"%u\",", i);
	fprintf(f, "\"state\":\"%s\",\"statuses\":[{\"state\":\"%s\",\"timestamp\":%u}],", is[i], is[i], when[i]);
	put_id(f, v1, "framework_id", 'f', 0);
	fprintf(f, ",");
	put_id(f, v1, v1 ? "agent_id" : "slave_id", 'a', i % AGENTS);
	fprintf(f, "}");
}

static char *state(bool v1)
{
	const char *comma = "";
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	fprintf(f, v1 ? "{\"type\":\"SUBSCRIBED\",\"subscribed\":{\"get_state\":{\"get_agents\":{\"agents\":["
		      : "{\"elected_time\":1,\"slaves\":[");
	put_agents(f, v1);
	fprintf(f, v1 ? "]},\"get_frameworks\":{\"frameworks\":[" : "],\"frameworks\":[");
	begin_framework(f, v1);
	fprintf(f, v1 ? "}]},\"get_tasks\":{\"tasks\":[" : ",\"tasks\":[");
	for (unsigned i = 0; i < TASKS; i++) {
		if (i % AGENTS >= back || (forgets && i % 10 == 0))
			continue;
		fprintf(f, "%s", comma);
		put_task(f, v1, i);
		comma = ",";
	}
	fprintf(f, v1 ? "]}}}}" : "]}]}");
	assert_int_equal(fclose(f), 0);
	return text;
}

/* So many tenths of it; with ten it has ended. */
static void give(unsigned tenths)
{
	bool v1 = mesos->subscribe;
	const char *path = v1 ? "/api/v1" : "/state";
	char *text = state(v1), head[32];
	struct call *c = asked(path);
	size_t n = strlen(text) * tenths / 10;

	assert_non_null(c);
	if (v1) {
		snprintf(head, sizeof(head), "%zu\n", strlen(text));
		c->what.data(c->arg, 200, head, strlen(head));
	}
	for (size_t at = 0, part; at < n; at += part) {
		part = n - at < 16384 ? n - at : 16384;
		assert_int_equal(c->what.data(c->arg, 200, text + at, part), 0);
	}
	if (tenths == 10 && !v1)
		finish(c, (struct sat_answer){ .status = 200, .url = c->url });
	free(text);
}

/* What was canceled ends, and so does what goes on for a while. */
static void settle(void)
{
	for (int i = 0; i < 30; i++) {
		for (size_t k = 0; k < 8; k++)
			if (calls[k].used && calls[k].canceled)
				finish(&calls[k], (struct sat_answer){ .rc = -ECANCELED });
		move(0.1);
	}
}

static void whole(void)
{
	settle();
	figures();
	settle();
	give(10);
	settle();
}

static void change(unsigned from, const char *to)
{
	for (unsigned i = from; i < TASKS; i += 10) {
		is[i] = to;
		when[i] = (unsigned)(sat_wall() / SAT_SECOND);
	}
}

static void states_are_right(void)
{
	char id[20];

	assert_true(mesos->has_model);
	assert_int_equal(mesos->model.agents.n, AGENTS);
	assert_int_equal(mesos->model.tasks.n, TASKS);
	for (unsigned i = 0; i < TASKS; i++) {
		struct model_task *t;

		snprintf(id, sizeof(id), "%u", i);
		t = model_task(&mesos->model, "f0", id);
		assert_non_null(t);
		assert_string_equal(model_word(&mesos->model, t->state), is[i]);
		assert_int_equal(t->told, t->state);
	}
}

/* Of the old leader's next state so many tenths come, and then its end's turns are cut short, or not. */
static void leader_changes_amid(unsigned tenths, bool subscribe, bool inherits)
{
	unsigned before;

	mesos->subscribe = subscribe;
	names("m");
	whole();
	assert_int_equal(n_told, 0);
	states_are_right();
	change(0, "TASK_FAILED");
	if (subscribe) {
		break_off("/api/v1", -ECONNRESET);
		settle();
	}
	mesos->next_state = sat_clock();
	figures();
	if (subscribe)
		settle();
	give(tenths);
	assert_true(tenths < 10 || model_busy(&mesos->model));
	mesos->watched &= inherits;
	names("n");
	change(1, "TASK_FINISHED");
	whole();
	states_are_right();
	assert_true(!inherits || n_told == 2 * TASKS / 10);	/* also what ended in between */
	before = n_told;
	change(2, "TASK_LOST");
	mesos->next_state = sat_clock();
	if (subscribe)
		break_off("/api/v1", -ECONNRESET);
	whole();
	states_are_right();
	assert_int_equal(n_told - before, TASKS / 10);
	assert_int_equal(twice, 0);
	for (unsigned i = 0; i < TASKS; i++)
		assert_true(told[i].n <= 1);
	assert_int_equal(n_agents, 0);
}

static void amid_a_state(void **unused)
{
	static const unsigned tenths[] = { 0, 1, 5, 9, 10 };

	for (size_t i = 0; i < 4 * sizeof(tenths) / sizeof(*tenths); i++) {
		begin_change(unused);
		leader_changes_amid(tenths[i / 4], i % 2, i / 2 % 2);
		end_change(unused);
	}
}

/* Two changes at once: the one between says nothing. */
static void twice_in_a_row(void **unused)
{
	(void)unused;
	names("m");
	whole();
	change(0, "TASK_FAILED");
	mesos->next_state = sat_clock();
	figures();
	give(5);
	names("n");
	settle();
	figures();
	settle();
	give(3);
	names("o");
	whole();
	states_are_right();
	assert_int_equal(n_told, TASKS / 10);
	assert_int_equal(twice, 0);
	assert_int_equal(n_agents, 0);
}

/* ---- Agents that come back later ------------------------------------------ */

static void comes_back(bool subscribe, bool in_registry)
{
	mesos->subscribe = subscribe;
	names("m");
	whole();
	names("n");
	change(0, "TASK_FAILED");
	lists_others = in_registry;
	away = true;
	for (back = in_registry ? 0 : AGENTS / 3; back < AGENTS; back += AGENTS / 3) {
		mesos->next_state = sat_clock();
		whole();
		assert_int_equal(mesos->model.agents.n - mesos->model.n_recovered, back);
		assert_true(!away || n_frameworks == 0);
		away = false;
		if (!in_registry)	/* Mesos before 1.2: whom the second state has not either is forgotten */
			back += AGENTS / 3;
		if (subscribe)
			break_off("/api/v1", -ECONNRESET);
	}
	mesos->next_state = sat_clock();
	whole();
	states_are_right();
	assert_int_equal(n_told, TASKS / 10);
	assert_int_equal(twice, 0);
	assert_int_equal(past, 0);
	assert_int_equal(n_agents, 0);
	assert_int_equal(n_frameworks, in_registry ? 0 : 2);	/* one that was away, and another */
}

static void agents_that_come_back_bring_no_news(void **unused)
{
	for (unsigned i = 0; i < 4; i++) {
		begin_change(unused);
		comes_back(i % 2, i / 2);
		end_change(unused);
	}
}

/* Nobody here watched before: what they bring is as old as what the first state has, or news. */
static void nor_to_who_has_just_begun(void **unused)
{
	(void)unused;
	change(3, "TASK_FAILED");
	for (unsigned i = 3; i < TASKS; i += 10)
		when[i] = 1600000000;
	back = 0;
	names("m");
	whole();
	change(0, "TASK_FAILED");
	back = AGENTS;
	mesos->next_state = sat_clock();
	whole();
	states_are_right();
	assert_int_equal(n_told, TASKS / 10);
	assert_int_equal(past, TASKS / 10);	/* for who keeps records */
	assert_int_equal(n_agents, 0);
}

static void who_never_comes_back_is_gone(void **unused)
{
	(void)unused;
	names("m");
	whole();
	names("n");
	back = AGENTS - 1;
	whole();
	assert_int_equal(n_agents, 0);
	assert_int_equal(mesos->model.tasks.n, TASKS);
	lists_others = false;
	mesos->next_state = sat_clock();
	whole();
	move(10);
	assert_int_equal(n_agents, 1);		/* it was in the registry, and is no more */
	assert_int_equal(mesos->model.agents.n, AGENTS - 1);
	assert_int_equal(mesos->model.tasks.n, TASKS - TASKS / AGENTS);
}

/* Of whom the new leader says nothing nobody knows more than that. */
static void nor_is_who_is_not_spoken_of(void **unused)
{
	(void)unused;
	names("m");
	whole();
	names("n");
	back = AGENTS - 1;
	lists_others = false;
	for (int i = 0; i < 2; i++) {
		mesos->next_state = sat_clock();
		whole();
	}
	move(10);
	assert_int_equal(n_agents, 0);
	assert_int_equal(mesos->model.agents.n, AGENTS - 1);
	assert_int_equal(mesos->model.tasks.n, TASKS - TASKS / AGENTS);
}

/* Agents remember more of what ended than a Mesos master does, and bring it to the next. */
static void told_long_ago(bool subscribe, bool late)
{
	mesos->subscribe = subscribe;
	names("m");
	whole();
	for (unsigned i = 0; i < 2; i++, forgets = true) {
		change(i, "TASK_FAILED");
		mesos->next_state = sat_clock();
		if (subscribe)
			break_off("/api/v1", -ECONNRESET);
		whole();
	}
	assert_int_equal(mesos->model.tasks.n, TASKS - TASKS / 10);
	for (unsigned i = 0; i < TASKS; i += 10)
		when[i] -= 3600;
	forgets = late;
	names("n");
	change(2, "TASK_FAILED");
	whole();
	forgets = false;
	mesos->next_state = sat_clock();
	if (subscribe)
		break_off("/api/v1", -ECONNRESET);
	whole();
	states_are_right();
	assert_int_equal(n_told, 3 * TASKS / 10);
	assert_int_equal(twice, 0);
	assert_int_equal(past, TASKS / 10);
}

static void what_was_told_long_ago_is_no_news(void **unused)
{
	for (unsigned i = 0; i < 4; i++) {
		begin_change(unused);
		told_long_ago(i % 2, i / 2);
		end_change(unused);
	}
}

/* ---- What is none of this cluster's -------------------------------------- */

static void another_cluster_is_no_news(void **unused)
{
	(void)unused;
	names("m");
	whole();
	names("n");
	change(0, "TASK_FAILED");
	cluster = 5000;
	whole();
	assert_int_equal(mesos->model.agents.n, AGENTS);
	assert_int_equal(mesos->model.tasks.n, TASKS);
	assert_int_equal(n_told, 0);
	assert_int_equal(n_agents, 0);
	change(1, "TASK_FAILED");
	mesos->next_state = sat_clock();
	whole();
	assert_int_equal(n_told, TASKS / 10);
}

/* Another satellite acts meanwhile, and told of it. */
static void what_another_watched_is_no_news(void **unused)
{
	(void)unused;
	lead_end();
	lead_init(LEAD_MESOS);
	names("m");
	assert_true(sat_acting());
	whole();
	names("n");
	assert_false(sat_acting());
	settle();
	assert_false(mesos->inherited);
	assert_int_equal(mesos->model.tasks.n, 0);
	change(0, "TASK_FAILED");
	names("m");
	whole();
	states_are_right();
	assert_int_equal(n_told, 0);
}

/* What was known of the old leader's is freed a little at a time, and the end does not wait for that. */
static void amid_the_end(void **unused)
{
	(void)unused;
	names("m");
	whole();
	mesos->watched = false;
	names("n");
	assert_int_not_equal(mesos->grave.tasks.n + mesos->grave.texts.table.n, 0);
	assert_int_equal(mesos->model.tasks.n, 0);
}

/* Nor is anything of it left to do where what is known by now is little. */
static void amid_the_end_of_little(void **unused)
{
	static const struct model_agent_news one = { .id = "a", .host = "h" };

	amid_the_end(unused);
	assert_int_equal(model_put_agent(&mesos->model, &one), 0);
}

#define CHANGE(test) cmocka_unit_test_setup_teardown(test, begin_change, end_change)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(amid_a_state),
		CHANGE(twice_in_a_row),
		cmocka_unit_test(agents_that_come_back_bring_no_news),
		CHANGE(nor_to_who_has_just_begun),
		CHANGE(who_never_comes_back_is_gone),
		CHANGE(nor_is_who_is_not_spoken_of),
		cmocka_unit_test(what_was_told_long_ago_is_no_news),
		CHANGE(another_cluster_is_no_news),
		CHANGE(what_another_watched_is_no_news),
		CHANGE(amid_the_end),
		CHANGE(amid_the_end_of_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
