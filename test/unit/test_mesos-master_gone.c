/* SPDX-License-Identifier: Apache-2.0 */
/* test_mesos-master_gone - agents that went: which were removed and which are out of reach, and when that is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "unit/mesos.h"

/* ---- The verdict -------------------------------------------------------- */

static struct model model;
static char told[16384];
static unsigned refusals;

/* "host=state", with ? where it is guessed, and * where it may be another of them. */
static int agent_told(void *arg, const struct model_agent *a, enum model_stand now)
{
	static const char *const marks[] = { "", "?", "*" };

	(void)arg;
	if (refusals > 0) {
		refusals--;
		return -ENOBUFS;
	}
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s=%s%s ", a->host, model_stand_name(now),
		 now == a->verdict ? marks[a->doubt] : "");
	return 0;
}

static int task_told(void *arg, const struct model_task *t)
{
	(void)arg;
	(void)t;
	return 0;
}

static const struct model_calls calls_told = { .task = task_told, .agent = agent_told };

static void put_agent(const char *id, const char *host, bool active, bool recovered)
{
	struct model_agent_news n = { .active = active, .recovered = recovered };

	snprintf(n.id, sizeof(n.id), "%s", id);
	snprintf(n.host, sizeof(n.host), "%s", host);
	assert_int_equal(model_put_agent(&model, &n), 0);
}

static void add_agent(const char *id, const char *host)
{
	struct model_agent_news n = { .active = true };

	snprintf(n.id, sizeof(n.id), "%s", id);
	snprintf(n.host, sizeof(n.host), "%s", host);
	assert_int_equal(model_add_agent(&model, &n), 0);
}

static void put_task(const char *agent, const char *state)
{
	struct model_task_news t = { .framework = "f" };

	snprintf(t.id, sizeof(t.id), "t-%s-%s", agent, state);
	snprintf(t.agent, sizeof(t.agent), "%s", agent);
	snprintf(t.state, sizeof(t.state), "%s", state);
	assert_int_equal(model_put_task(&model, &t), 0);
}

static int begin_model(void **unused)
{
	(void)unused;
	model_init(&model, &calls_told, NULL);
	told[0] = '\0';
	refusals = 0;
	return 0;
}

static int end_model(void **unused)
{
	(void)unused;
	model_free(&model);
	assert_int_equal(model.texts.bytes, 0);
	return 0;
}

static void tells(const char *want)
{
	assert_string_equal(told, want);
	told[0] = '\0';
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In no order. */
static void tells_all(const char *want)
{
	char *words[64], sorted[sizeof(told)] = "";
	size_t n = 0;

	for (char *w = strtok(told, " "); w != NULL && n < 64; w = strtok(NULL, " "))
		words[n++] = w;
	qsort(words, n, sizeof(*words), by_text);
	for (size_t i = 0; i < n; i++)
		snprintf(sorted + strlen(sorted), sizeof(sorted) - strlen(sorted), "%s%s", i > 0 ? " " : "", words[i]);
	assert_string_equal(sorted, want);
	told[0] = '\0';
}

/*
 * One agent a letter goes at once: of l the tasks are unreachable, of x gone by an
 * operator; of s Mesos says that it removed it; i was inactive, r was not back yet; a
 * had nothing.  Mesos counts so many lost and removed; lost < 0: it does not say.
 */
static void judged(const char *agents, int64_t lost, int64_t removed, const char *want)
{
	struct model_toll more = { lost, removed };
	char id[32];

	for (size_t i = 0; agents[i] != '\0'; i++) {
		snprintf(id, sizeof(id), "%c%zu", agents[i], i);
		put_agent(id, id, agents[i] != 'i' && agents[i] != 'l', agents[i] == 'r');
		if (agents[i] == 'l')
			put_task(id, "TASK_UNREACHABLE");
		if (agents[i] == 'x')
			put_task(id, "TASK_GONE_BY_OPERATOR");
		if (agents[i] == 's')
			model_remove_agent(&model, id);
	}
	model_begin_list(&model);
	model_end_list(&model);
	while (model_settle(&model, 2))
		continue;
	told[0] = '\0';
	assert_int_equal(model.agents.n, 0);
	model_ask_why(&model);
	model_judge(&model, lost >= 0 ? &more : NULL);
	assert_int_equal(model.n_open, 0);
	model_tell_gone(&model, UINT32_MAX);
	assert_int_equal(model.gone.n, 0);
	tells_all(want);
}

static void the_figures_tell_why_they_went(void **unused)
{
	(void)unused;
	judged("a", 0, 1, "a0=removed");
	judged("a", 1, 0, "a0=unreachable");
	judged("a", 0, 0, "a0=removed");	/* marked gone: nothing counts it */
	judged("i", 0, 1, "i0=removed");	/* another took its place */
	judged("aaa", 3, 0, "a0=unreachable a1=unreachable a2=unreachable");
	judged("aia", 5, 0, "a0=unreachable a2=unreachable i1=unreachable");
	judged("aia", 0, 2, "a0=removed a2=removed i1=removed");
	judged("r", 1, 0, "r0=unreachable");
}

static void what_is_known_of_each_comes_first(void **unused)
{
	(void)unused;
	judged("la", 1, 1, "a1=removed l0=unreachable");
	judged("la", 1, 0, "a1=removed l0=unreachable");	/* a is marked gone */
	judged("la", 2, 0, "a1=unreachable l0=unreachable");
	judged("sa", 1, 1, "a1=unreachable s0=removed");
	judged("sa", 0, 1, "a1=removed s0=removed");
	judged("ssi", 1, 2, "i2=unreachable s0=removed s1=removed");
	judged("xa", 1, 0, "a1=unreachable x0=removed");
	judged("s", 1, 0, "s0=unreachable");		/* no Mesos that we know says so of one it lost */
	judged("l", 0, 1, "l0=removed");		/* tasks of long ago */
}

static void what_the_figures_do_not_tell_is_said(void **unused)
{
	(void)unused;
	judged("ia", 1, 1, "a1=removed* i0=unreachable*");
	judged("aa", 1, 1, "a0=unreachable* a1=unreachable*");
	judged("aaa", 1, 2, "a0=removed* a1=removed* a2=removed*");
	judged("iiia", 1, 3, "a3=removed* i0=removed* i1=removed* i2=removed*");
	judged("iia", 3, 1, "a2=unreachable* i0=unreachable* i1=unreachable*");
	judged("aa", 1, 0, "a0=unreachable* a1=unreachable*");	/* one is marked gone */
}

static void without_figures_it_is_guessed(void **unused)
{
	(void)unused;
	judged("a", -1, 0, "a0=removed?");
	judged("i", -1, 0, "i0=unreachable?");
	judged("r", -1, 0, "r0=unreachable?");
	judged("l", -1, 0, "l0=unreachable");
	judged("x", -1, 0, "x0=removed");
	judged("s", -1, 0, "s0=removed");
}

/* Figures that were asked for before it went say nothing of it. */
static void only_later_figures_judge(void **unused)
{
	const struct model_toll none = { 0, 0 }, one = { 1, 0 };

	(void)unused;
	put_agent("a", "a", true, false);
	told[0] = '\0';
	model_ask_why(&model);
	model_remove_agent(&model, "a");
	model_judge(&model, &none);
	model_tell_gone(&model, 10);
	tells("");
	assert_int_equal(model.agents.n, 0);
	model_ask_why(&model);
	model_judge(&model, &one);
	model_tell_gone(&model, 10);
	tells("a=unreachable ");
}

static void a_list_takes_away_what_it_is_without(void **unused)
{
	(void)unused;
	put_agent("a", "a", true, false);
	put_agent("b", "b", true, false);
	put_task("a", "TASK_RUNNING");
	tells("a=added b=added ");
	model_begin_list(&model);
	put_agent("a", "a", true, false);
	put_agent("c", "c", true, false);	/* the stream tells of it meanwhile */
	model_end_list(&model);
	put_task("c", "TASK_RUNNING");
	while (model_settle(&model, 1))
		continue;
	assert_int_equal(model.agents.n, 2);
	assert_int_equal(model.tasks.n, 2);
	model_begin_list(&model);	/* and one whose end never comes does not */
	put_agent("c", "c", true, false);
	model_begin_list(&model);
	put_agent("a", "a", true, false);
	put_agent("c", "c", true, false);
	model_end_list(&model);
	while (model_settle(&model, 100))
		continue;
	assert_int_equal(model.agents.n, 2);
	model_judge(&model, NULL);
	model_tell_gone(&model, 10);
	tells("c=added b=removed? ");
}

/* The last word of a host is of the agent that is there. */
static void who_comes_after_has_the_last_word(void **unused)
{
	(void)unused;
	put_agent("a1", "a", true, false);
	put_agent("b1", "b", true, false);
	put_agent("c1", "c", true, false);
	told[0] = '\0';
	model_remove_agent(&model, "a1");
	put_agent("a2", "a", true, false);		/* anew: under another id */
	tells("a=removed a=added ");
	put_agent("b2", "b", false, false);
	tells("b=added b=inactive ");
	model_begin_list(&model);
	put_agent("a2", "a", true, false);
	put_agent("b2", "b", false, false);
	model_end_list(&model);
	while (model_settle(&model, 100))
		continue;
	put_agent("c1", "c", true, false);		/* back under its id: it was out of reach */
	tells("c=unreachable c=added ");
	add_agent("c1", "c");
	tells("c=unreachable c=added ");
	put_agent("r", "r", true, true);
	add_agent("r", "r");				/* to another Mesos master */
	add_agent("new", "new");
	tells("new=added ");
	model_judge(&model, NULL);
	refusals = 1;
	model_tell_gone(&model, 10);
	tells("");
	model_tell_gone(&model, 10);
	tells("b=removed? b=inactive ");
	assert_int_equal(model.judged.lost, 2);
	assert_int_equal(model.judged.removed, 2);
}

/* Agents of 200 hosts give way to others there. */
static void replace(char was, char is)
{
	char id[16];

	for (unsigned round = 0; round < 2; round++) {
		if (round == 1)
			model_begin_list(&model);
		for (unsigned i = 0; i < 200; i++) {
			snprintf(id, sizeof(id), "%c%03u", round == 0 ? was : is, i);
			put_agent(id, id + 1, true, false);
		}
	}
	model_end_list(&model);
	while (model_settle(&model, 7))
		continue;
	told[0] = '\0';
	model_judge(&model, NULL);
}

static void last_word_is_active(void)
{
	char gone[32], active[32];
	const char *at = told;
	unsigned n = 0;

	refusals = 0;
	model_tell(&model);
	while (model_settle(&model, 100))
		continue;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(gone, sizeof(gone), "%03u=removed? ", i);
		snprintf(active, sizeof(active), "%03u=active ", i);
		assert_non_null(strstr(told, gone));
		assert_non_null(strstr(strstr(told, gone), active));
	}
	while ((at = strstr(at, "=removed")) != NULL) {
		at++;
		n++;
	}
	assert_int_equal(n, 200);
}

/* A master that names all agents alike holds nobody up. */
static void of_one_host_a_few_wait(void **unused)
{
	char id[16];

	(void)unused;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "%u", i);
		put_agent(id, "h", true, false);
	}
	told[0] = '\0';
	model_begin_list(&model);
	model_end_list(&model);
	while (model_settle(&model, 10))
		continue;
	assert_int_equal(model.agents.n, 0);
	assert_int_equal(model.n_open, 64);
	assert_int_equal(strlen(told), 36 * strlen("h=removed? "));
	model_ask_why(&model);
	model_judge(&model, &(struct model_toll){ 64, 0 });
	model_tell_gone(&model, 100);
	assert_int_equal(model.gone.n, 0);
	assert_int_equal(strlen(told), 36 * strlen("h=removed? ") + 64 * strlen("h=unreachable "));
}

static void many_are_told_in_turn_and_who_came_after_them(void **unused)
{
	(void)unused;
	replace('o', 'n');
	for (unsigned i = 0; model.gone.n > 0; i++) {
		assert_true(i < 1000);
		refusals = i % 5 == 0;
		model_tell_gone(&model, 1 + i % 3);
	}
	last_word_is_active();
	replace('n', 'm');
	while (model.gone.n > 0)
		model_tell_gone(&model, 1000);
	last_word_is_active();
}

/* While others come, and all agents stand in other slots. */
static void a_table_that_grows_is_gone_through_again(void **unused)
{
	char id[16];
	bool grown = false;

	(void)unused;
	replace('o', 'n');
	while (model.gone.n > 0) {
		model_tell_gone(&model, 3);
		if (grown || model.again.slot < model.agents.size / 2)
			continue;
		for (unsigned k = 0; k < 1000; k++) {
			snprintf(id, sizeof(id), "r%u", k);
			put_agent(id, id, true, true);
		}
		put_agent("z", "001", true, false);	/* of a host that is told of */
		grown = true;
	}
	assert_true(grown);
	last_word_is_active();
}

static void what_could_not_be_told_is_told_later(void **unused)
{
	(void)unused;
	put_agent("a", "a", false, false);
	tells("a=added a=inactive ");
	refusals = 1;
	put_agent("a", "a", true, false);
	tells("");
	model_tell(&model);
	while (model_settle(&model, 100))
		continue;
	tells("a=active ");
}

static void many_go_at_once_without_memory(void **unused)
{
	char id[16];

	(void)unused;
	for (unsigned i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "%03u", i);
		put_agent(id, id, i % 2 == 0, false);
	}
	told[0] = '\0';
	for (unsigned i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "%03u", i);
		fault_arm(i % 7 == 0);
		model_remove_agent(&model, id);
		fault_arm(0);
	}
	model_judge(&model, NULL);
	for (unsigned i = 0; i < 300 && model.gone.n > 0; i++)
		model_tell_gone(&model, 3);
	assert_int_equal(model.agents.n + model.gone.n, 0);
	assert_int_equal(strlen(told), 300 * strlen("000=removed "));
}

/* ---- Asked of a Mesos master -------------------------------------------- */

#define ID(text) "{\"value\":\"" text "\"}"

static const struct sat_event *of(const char *host)
{
	return sat_index_get(host, "mesos/agent");
}

static const char *stand(const char *host)
{
	return of(host) != NULL ? of(host)->state : "none";
}

static struct { int active, inactive; long long removals, unhealthy; } counts;

static const char *figures(void)
{
	static char text[300];

	snprintf(text, sizeof(text), "{\"master/elected\":1,\"master/slaves_active\":%d,\"master/slaves_inactive\":%d,"
		 "\"master/slave_removals\":%lld,\"master/slave_removals/reason_unhealthy\":%lld}",
		 counts.active, counts.inactive, counts.removals, counts.unhealthy);
	return text;
}

static void pass(double seconds)
{
	for (; seconds > 0; seconds -= 1) {
		if (asked("/metrics/snapshot") != NULL)
			answer("/metrics/snapshot", 200, figures());
		if (asked("/maintenance/status") != NULL)
			answer("/maintenance/status", 404, "");
		if (asked("/master/maintenance/status") != NULL)
			answer("/master/maintenance/status", 404, "");
		move(1);
	}
}

/* An agent a letter, with that for its host; capitals are inactive. */
static const char *slaves(const char *letters)
{
	static char text[4096];

	strcpy(text, "{\"pid\":\"m@1\",\"leader\":\"m@1\",\"frameworks\":[],\"slaves\":[");
	for (const char *c = letters; *c != '\0'; c++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%s{\"id\":\"%c\",\"hostname\":\"%c\",\"deactivated\":false,\"active\":%s}", c > letters ? "," : "",
			 *c | 0x20, *c | 0x20, *c >= 'a' ? "true" : "false");
	strcat(text, "]}");
	return text;
}

static int begin_polling(void **unused)
{
	begin(unused);
	counts.active = 6;
	counts.inactive = counts.removals = counts.unhealthy = 0;
	pass(1);
	answer("/state", 200, slaves("abcdef"));
	pass(2);
	return 0;
}

/* The next state has these. */
static void state_is(const char *letters)
{
	for (unsigned i = 0; asked("/state") == NULL; i++) {
		assert_true(i < 700);
		pass(1);
	}
	answer("/state", 200, slaves(letters));
}

static void polled_states_and_figures_tell_it(void **unused)
{
	(void)unused;
	counts.active--, counts.removals++, counts.unhealthy++;
	state_is("abcde");
	assert_string_equal(stand("f"), "none");
	assert_int_equal(listed, 5);			/* who wants the list has it at once */
	pass(2);
	assert_string_equal(stand("f"), "unreachable");
	assert_null(of("f")->description);
	counts.active--, counts.removals++;
	state_is("abcd");
	pass(2);
	assert_string_equal(stand("e"), "removed");
	assert_null(of("e")->description);
	counts.active -= 2, counts.inactive++, counts.removals += 2, counts.unhealthy++;
	state_is("aB");					/* c and d went */
	pass(2);
	assert_string_equal(stand("b"), "inactive");
	assert_string_equal(stand("c"), "unreachable");
	assert_non_null(strstr(of("c")->description, "does not say which"));
	counts.inactive--;				/* marked gone */
	state_is("a");
	pass(2);
	assert_string_equal(stand("b"), "removed");
	assert_null(of("b")->description);
}

/* One that was lost between the figures and the state is not counted twice. */
static void each_is_counted_once(void **unused)
{
	(void)unused;
	counts.active--;
	for (unsigned i = 0; asked("/state") == NULL; i++)
		pass(1);
	counts.removals++, counts.unhealthy++;
	answer("/state", 200, slaves("abcde"));
	pass(2);
	assert_string_equal(stand("f"), "unreachable");
	counts.active--, counts.removals++;
	state_is("abcd");
	pass(2);
	assert_string_equal(stand("e"), "removed");
	assert_null(of("e")->description);
}

/* Nor is it reckoned with what no Mesos counts. */
static void figures_of_nonsense_tell_nothing(void **unused)
{
	(void)unused;
	counts.removals = INT64_MAX;
	counts.unhealthy = INT64_MAX - 1;
	counts.active--;
	state_is("abcde");
	pass(8);
	assert_string_equal(stand("f"), "removed");
	assert_non_null(strstr(of("f")->description, "did not say why"));
}

static void figures_that_do_not_come_are_waited_for_in_vain(void **unused)
{
	(void)unused;
	counts.active--, counts.removals++, counts.unhealthy++;
	state_is("abcde");
	move(4);
	assert_string_equal(stand("f"), "none");
	move(2.5);
	assert_string_equal(stand("f"), "removed");	/* taken for that */
	assert_non_null(strstr(of("f")->description, "did not say why"));
	pass(2);
	counts.active--, counts.removals++;
	state_is("abcd");
	pass(2);
	assert_string_equal(stand("e"), "removed");
	assert_null(of("e")->description);
}

static void another_leader_counts_anew(void **unused)
{
	(void)unused;
	counts.active--, counts.removals++, counts.unhealthy++;
	state_is("abcde");
	answer("/metrics/snapshot", 200, "{\"master/elected\":0}");
	assert_string_equal(stand("f"), "removed");	/* before what is of another time */
	assert_non_null(of("f")->description);
	move(1);
	counts.removals = counts.unhealthy = 0;
	state_is("abcde");
	assert_string_equal(stand("f"), "removed");
	counts.active--, counts.removals++, counts.unhealthy++;
	state_is("abcd");
	pass(2);
	assert_string_equal(stand("e"), "unreachable");
	assert_null(of("e")->description);
}

static void the_oldest_are_guessed(void **unused)
{
	(void)unused;
	answer("/metrics/snapshot", 200, "{\"master/elected\":1,\"master/slaves_active\":6}");
	move(61);
	answer("/metrics/snapshot", 200, "{\"master/elected\":1,\"master/slaves_active\":5}");
	answer("/state", 200, slaves("abcde"));
	move(1);
	answer("/metrics/snapshot", 200, "{\"master/elected\":1,\"master/slaves_active\":5}");
	assert_string_equal(stand("f"), "removed");
	assert_non_null(of("f")->description);
}

static void agents_alone_are_looked_at_where_states_are_polled(void **unused)
{
	unsigned i;

	(void)unused;
	for (i = 0; asked("/slaves") == NULL; i++) {
		assert_null(asked("/state"));
		assert_true(i < 700);
		pass(1);
	}
	assert_true(i > 500);
	answer("/slaves", 200, "{\"slaves\":[{\"id\":\"a\",\"hostname\":\"a\",\"active\":false,\"deactivated\":true,"
	       "\"drain_info\":{\"state\":\"DRAINING\"}}]}");
	assert_string_equal(stand("a"), "draining");
	assert_int_equal(mesos->model.agents.n, 1);
	for (i = 0; asked("/slaves") == NULL; i++)
		pass(1);
	assert_in_range(i, 50, 70);			/* each interval, while one drains */
	counts.active--;
	state_is("bcdef");				/* a state comes meanwhile: that one counts */
	assert_true(asked("/slaves") == NULL || asked("/slaves")->canceled);
	assert_int_equal(mesos->model.agents.n, 5);
	if (asked("/slaves") != NULL)
		finish(asked("/slaves"), (struct sat_answer){ .rc = -ECANCELED });
	assert_int_equal(mesos->model.agents.n, 5);
}

/* ---- The stream --------------------------------------------------------- */

static int push(const char *json)
{
	struct call *c = asked("/api/v1");
	char record[4096];
	int rc, n = snprintf(record, sizeof(record), "%zu\n%s", strlen(json), json);

	assert_non_null(c);
	rc = c->what.data(c->arg, 200, record, (size_t)n);
	engine_run();
	return rc;
}

static void subscribed(const char *letters)
{
	static char text[4096];

	strcpy(text, "{\"type\":\"SUBSCRIBED\",\"subscribed\":{\"get_state\":{\"get_agents\":{\"agents\":[");
	for (const char *c = letters; *c != '\0'; c++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s{\"agent_info\":{\"hostname\":\"%c\",\"id\":"
			 "{\"value\":\"%c\"}},\"active\":true}", c > letters ? "," : "", *c, *c);
	strcat(text, "]}},\"heartbeat_interval_seconds\":3000}}");
	assert_int_equal(push(text), 0);
}

static int begin_following(void **unused)
{
	begin(unused);
	mesos->subscribe = true;
	counts.active = 4;
	counts.inactive = counts.removals = counts.unhealthy = 0;
	pass(1);
	subscribed("abcd");
	return 0;
}

#define REMOVED(id) "{\"type\":\"AGENT_REMOVED\",\"agent_removed\":{\"agent_id\":" ID(id) "}}"

static void the_stream_tells_who_was_removed_and_lists_who_is_lost(void **unused)
{
	(void)unused;
	pass(5);
	counts.active--, counts.removals++;
	push(REMOVED("d"));
	assert_string_equal(stand("d"), "none");
	pass(2);
	assert_string_equal(stand("d"), "removed");
	counts.active--, counts.removals++, counts.unhealthy++;
	for (unsigned i = 0; asked("/slaves") == NULL; i++) {
		assert_true(i < 70);
		pass(1);
	}
	answer("/slaves", 200, slaves("ab"));
	pass(2);
	assert_string_equal(stand("c"), "unreachable");
	assert_null(of("c")->description);
	assert_int_equal(listed, 2);
	counts.removals++;
	push(REMOVED("b"));
	push("{\"type\":\"AGENT_ADDED\",\"agent_added\":{\"agent\":{\"agent_info\":{\"hostname\":\"b\",\"id\":" ID("b2") "}}}}");
	assert_string_equal(stand("b"), "added");	/* after removed */
	assert_string_equal(sat_attr(of("b"), "agent"), "b2");
}

/* Between two lists: the stream tells that it came, and so it was away. */
static void who_comes_that_was_there_was_away(void **unused)
{
	static const char added[] = "{\"type\":\"AGENT_ADDED\",\"agent_added\":{\"agent\":{\"agent_info\":"
				    "{\"hostname\":\"c\",\"id\":" ID("c") "},\"active\":true}}}";

	(void)unused;
	pass(5);
	counts.removals++, counts.unhealthy++;
	push(added);
	assert_string_equal(stand("c"), "added");
	assert_int_equal(mesos->model.agents.n, 4);
	assert_int_equal(mesos->model.gone.n, 0);
	counts.active--, counts.removals++;
	push(REMOVED("d"));
	pass(2);
	assert_string_equal(stand("d"), "removed");	/* c is no longer counted */
	assert_null(of("d")->description);
}

/* Sent on to another master the list says nothing of ours. */
static void the_list_of_another_takes_nothing_away(void **unused)
{
	struct call *c;
	const char *text = slaves("");

	(void)unused;
	counts.active = 2;
	for (unsigned i = 0; asked("/slaves") == NULL; i++)
		pass(1);
	c = asked("/slaves");
	c->what.data(c->arg, 200, text, strlen(text));
	finish(c, (struct sat_answer){ .status = 200, .url = "http://other:5050/slaves" });
	pass(7);
	assert_int_equal(mesos->model.agents.n, 4);
}

/* Agents that no list has are looked for once, not each interval. */
static void figures_that_never_fit_are_looked_into_rarely(void **unused)
{
	unsigned looks = 0;

	(void)unused;
	counts.active = 5;
	for (unsigned i = 0; i < 500; i++) {
		if (asked("/slaves") != NULL) {
			answer("/slaves", 200, slaves("abcd"));
			looks++;
		}
		pass(1);
	}
	assert_int_equal(looks, 1);
	counts.active--, counts.inactive++;
	for (unsigned i = 0; asked("/slaves") == NULL; i++) {
		assert_true(i < 70);
		pass(1);
	}
	answer("/slaves", 200, slaves("abcD"));
	assert_string_equal(stand("d"), "inactive");
}

static void a_stream_that_begins_anew_keeps_what_waits(void **unused)
{
	(void)unused;
	pass(5);
	counts.active -= 2, counts.removals += 2, counts.unhealthy++;
	push(REMOVED("d"));
	break_off("/api/v1", -ECONNRESET);
	assert_string_equal(stand("d"), "none");
	while (asked("/api/v1") == NULL)
		move(0.5);
	subscribed("ab");				/* c is lost */
	assert_string_equal(stand("c"), "none");
	pass(2);
	assert_string_equal(stand("c"), "unreachable");
	assert_string_equal(stand("d"), "removed");
	assert_null(of("c")->description);
	assert_null(of("d")->description);
}

/* A rack of them, half a second a few thousand. */
static void a_rack_goes_at_once(void **unused)
{
	const unsigned rack = 5000;
	char text[300], host[16];
	unsigned n = 0;

	(void)unused;
	mesos->max_state = 10000000;
	for (unsigned i = 0; i < rack; i++) {
		snprintf(text, sizeof(text), "{\"type\":\"AGENT_ADDED\",\"agent_added\":{\"agent\":{\"agent_info\":"
			 "{\"hostname\":\"h%u\",\"id\":{\"value\":\"h%u\"}},\"active\":true}}}", i, i);
		assert_int_equal(push(text), 0);
	}
	counts.active += rack;
	pass(61);
	counts.active -= rack, counts.removals += rack, counts.unhealthy += rack;
	pass(3);
	answer("/slaves", 200, slaves("abcd"));
	move(0.2);
	assert_int_equal(mesos->model.agents.n, 4);
	pass(3);
	for (unsigned i = 0; i < rack; i++) {
		snprintf(host, sizeof(host), "h%u", i);
		n += strcmp(stand(host), "unreachable") == 0;
	}
	assert_int_equal(n, rack);
	assert_int_equal(mesos->model.gone.n, 0);
}

static void looking_survives_every_failure(void **unused)
{
	int nth = 0;
	bool fired;

	(void)unused;
	pass(5);
	do {
		counts.active = nth % 2 ? 4 : 3;	/* another each time */
		fault_arm(++nth);
		pass(64);
		if (asked("/slaves") != NULL)
			answer("/slaves", 200, slaves("abcd"));
		fired = fault_fired();
		fault_arm(0);
	} while (fired && nth < 200);
	assert_true(nth > 3);
	assert_int_equal(mesos->model.agents.n, 4);
}

#define MODEL(test) cmocka_unit_test_setup_teardown(test, begin_model, end_model)
#define POLLING(test) cmocka_unit_test_setup_teardown(test, begin_polling, end)
#define FOLLOWING(test) cmocka_unit_test_setup_teardown(test, begin_following, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL(the_figures_tell_why_they_went),
		MODEL(what_is_known_of_each_comes_first),
		MODEL(what_the_figures_do_not_tell_is_said),
		MODEL(without_figures_it_is_guessed),
		MODEL(only_later_figures_judge),
		MODEL(a_list_takes_away_what_it_is_without),
		MODEL(who_comes_after_has_the_last_word),
		MODEL(of_one_host_a_few_wait),
		MODEL(many_are_told_in_turn_and_who_came_after_them),
		MODEL(a_table_that_grows_is_gone_through_again),
		MODEL(what_could_not_be_told_is_told_later),
		MODEL(many_go_at_once_without_memory),
		POLLING(polled_states_and_figures_tell_it),
		POLLING(each_is_counted_once),
		POLLING(figures_of_nonsense_tell_nothing),
		POLLING(figures_that_do_not_come_are_waited_for_in_vain),
		POLLING(another_leader_counts_anew),
		POLLING(the_oldest_are_guessed),
		POLLING(agents_alone_are_looked_at_where_states_are_polled),
		FOLLOWING(the_stream_tells_who_was_removed_and_lists_who_is_lost),
		FOLLOWING(who_comes_that_was_there_was_away),
		FOLLOWING(the_list_of_another_takes_nothing_away),
		FOLLOWING(figures_that_never_fit_are_looked_into_rarely),
		FOLLOWING(a_stream_that_begins_anew_keeps_what_waits),
		FOLLOWING(a_rack_goes_at_once),
		FOLLOWING(looking_survives_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
