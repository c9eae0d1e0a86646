/* SPDX-License-Identifier: Apache-2.0 */
/* test_mesos-master_leader - of several Mesos masters the one that leads is observed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/mesos.h"

#define LEADS	"{\"master/elected\":1,\"master/slaves_active\":1}"
#define FOLLOWS	"{\"master/elected\":0,\"master/slaves_active\":0}"
#define STATE(host) "{\"elected_time\":1,\"slaves\":[{\"hostname\":\"" host "\"}],\"frameworks\":[]}"

static int begin_three(void **unused)
{
	n_masters = 3;
	begin(unused);
	mesos->local = strdup("http://n:5050");
	return 0;
}

static struct call *asked_of(char master, const char *path)
{
	size_t i;

	for (i = 0; i < 8; i++)
		if (calls[i].used && calls[i].url[7] == master && strcmp(calls[i].url + 13, path) == 0)
			return &calls[i];
	return NULL;
}

/* NULL: it refuses the connection. */
static bool answers(char master, const char *figures)
{
	struct call *c = asked_of(master, "/metrics/snapshot");
	struct sat_answer a = { .status = 200, .body = figures, .len = figures != NULL ? strlen(figures) : 0 };

	if (c == NULL)
		return false;
	if (c->canceled)
		a = (struct sat_answer){ .rc = -ECANCELED };
	else if (figures == NULL)
		a = (struct sat_answer){ .rc = -ECONNREFUSED };
	finish(c, a);
	return true;
}

/* Each master says what it says, for so long; "": it says nothing. */
static void pass(double seconds, const char *m, const char *n, const char *o)
{
	const char *all[] = { m, n, o };

	for (; seconds > 0; seconds -= 0.1) {
		for (int i = 0; i < 3; i++)
			while (all[i] == NULL || all[i][0] != '\0' ? answers((char)('m' + i), all[i]) : false)
				continue;
		for (size_t i = 0; i < 8; i++)
			if (calls[i].used && calls[i].canceled)
				finish(&calls[i], (struct sat_answer){ .rc = -ECANCELED });
		move(0.1);
	}
}

static void the_one_that_leads_is_found(void **unused)
{
	(void)unused;
	pass(1, FOLLOWS, FOLLOWS, LEADS);
	assert_string_equal(mesos->url, "http://o:5050");
	assert_false(sat_acting());	/* ours is another */
	assert_float_equal(metric("mesos/leader"), 0, 0);
	assert_non_null(strstr(event("mesos/leader")->description, "http://o:5050 does"));
	pass(2, FOLLOWS, LEADS, FOLLOWS);
	assert_string_equal(mesos->url, "http://n:5050");
	assert_true(sat_acting());
	assert_float_equal(metric("mesos/leader"), 1, 0);
}

static void a_change_is_seen_within_two_seconds(void **unused)
{
	static const char *const gone[] = { FOLLOWS, NULL, "" };	/* deposed, fallen, hanging */
	size_t i;

	(void)unused;
	for (i = 0; i < 3; i++) {
		pass(12, LEADS, FOLLOWS, FOLLOWS);
		assert_string_equal(mesos->url, "http://m:5050");
		assert_false(sat_acting());
		pass(2, gone[i], LEADS, FOLLOWS);
		assert_string_equal(mesos->url, "http://n:5050");
		assert_true(sat_acting());
		assert_string_equal(state_of("mesos/endpoint/snapshot"), "ok");
	}
}

/* Its answers come late: they are not the new one's. */
static void what_the_old_one_still_says_counts_no_more(void **unused)
{
	struct call *late;

	(void)unused;
	pass(1, LEADS, FOLLOWS, FOLLOWS);
	late = asked_of('m', "/state");
	assert_non_null(late);
	late->what.data(late->arg, 200, "{\"elected_time\":1,\"slaves\":[{\"hostname\":\"old\"}", 46);
	pass(1.5, FOLLOWS, LEADS, FOLLOWS);
	assert_true(!late->used || late->canceled);
	pass(1, FOLLOWS, LEADS, FOLLOWS);
	assert_non_null(asked_of('n', "/state"));
	answer("/state", 200, STATE("new"));
	assert_int_equal(listed, 1);
	assert_non_null(model_agent(&mesos->model, "new"));
	assert_null(model_agent(&mesos->model, "old"));
	assert_null(event("mesos/agent"));
}

static void others_are_not_asked_while_it_leads(void **unused)
{
	int i, others = 0;

	(void)unused;
	pass(2, LEADS, FOLLOWS, FOLLOWS);
	for (i = 0; i < 100; i++) {
		others += asked_of('n', "/metrics/snapshot") != NULL || asked_of('o', "/metrics/snapshot") != NULL;
		pass(0.1, LEADS, FOLLOWS, FOLLOWS);
	}
	assert_int_equal(others, 0);
}

static void nobody_leads(void **unused)
{
	(void)unused;
	pass(3, LEADS, FOLLOWS, FOLLOWS);
	pass(3, FOLLOWS, FOLLOWS, FOLLOWS);
	assert_false(sat_acting());
	assert_float_equal(metric("mesos/leader"), 0, 0);
	pass(3, NULL, NULL, NULL);
	assert_string_equal(state_of("mesos/endpoint/snapshot"), "critical");
	pass(3, NULL, NULL, LEADS);
	assert_string_equal(mesos->url, "http://o:5050");
	assert_string_equal(state_of("mesos/endpoint/snapshot"), "ok");
}

/* ---- Whom ZooKeeper names ------------------------------------------------- */

/* The one at m is here; who leads is told as leader-zookeeper does. */
static int begin_named(void **unused)
{
	n_masters = 1;
	begin(unused);
	mesos->local = strdup("http://m:5050");
	return named_init(mesos) != 0 || named_start(mesos) != 0;
}

static void names(const char *state, const char *host, const char *ip, const char *why)
{
	struct sat_attr attrs[] = { { "ip", ip }, { "port", "5050" } };
	struct sat_event ev = { .size = sizeof(ev), .service = "mesos/elected", .state = state, .host = host,
				.description = why, .attrs = attrs, .n_attrs = 2 };
	const struct sat_event *evs[] = { &ev };

	assert_int_equal(sat_publish(&self_host, "mesos/elected", &(struct sat_item){ .evs = evs, .n = 1 }, false), 0);
	engine_run();
}

/* Each second it says so. */
static void named_for(int seconds, const char *host, const char *m, const char *n, const char *o)
{
	for (; seconds > 0; seconds--) {
		names(host != NULL ? "leads" : "nobody", host, "", host != NULL ? host : "nobody stands");
		pass(1, m, n, o);
	}
}

static void whom_zookeeper_names_is_observed_at_once(void **unused)
{
	(void)unused;
	named_for(2, "m", LEADS, "", "");
	assert_true(sat_acting());
	says("zookeeper", "m");
	names("leads", "n", "", "n leads");
	assert_string_equal(mesos->url, "http://n:5050");
	assert_false(sat_acting());
	assert_float_equal(metric("mesos/leader"), 0, 0);
	assert_non_null(strstr(event("mesos/leader")->description, "http://n:5050 does"));
	says("zookeeper", "n leads");
	/* The old one, which has not noticed, is asked no more; the new one has not either. */
	named_for(3, "n", LEADS, FOLLOWS, "");
	assert_string_equal(mesos->url, "http://n:5050");
	assert_null(asked_of('n', "/state"));
	named_for(2, "n", LEADS, LEADS, "");
	assert_false(sat_acting());
	names("leads", "m", "", "m leads");
	assert_true(sat_acting());
	named_for(2, "m", LEADS, "", "");
	assert_float_equal(metric("mesos/leader"), 1, 0);
}

static void its_word_outweighs_the_figures(void **unused)
{
	(void)unused;
	named_for(3, "m", FOLLOWS, "", "");
	assert_true(sat_acting());
	assert_null(asked_of('m', "/state"));	/* a follower would answer as one */
	named_for(2, "m", LEADS, "", "");
	assert_non_null(asked_of('m', "/state"));
	named_for(20, "m", "", "", "");		/* silent, and yet elected */
	assert_true(sat_acting());
	named_for(3, NULL, LEADS, "", "");	/* it thinks so still, and is not */
	assert_false(sat_acting());
	assert_string_equal(state_of("mesos/endpoint/zookeeper"), "critical");
	named_for(3, "m", NULL, "", "");	/* its process has ended, its node not yet */
	named_for(3, "m", NULL, "", "");
	assert_false(sat_acting());
	named_for(2, "m", LEADS, "", "");
	assert_true(sat_acting());
}

static void without_its_word_the_figures_count(void **unused)
{
	(void)unused;
	named_for(2, "m", LEADS, "", "");
	names("unknown", NULL, "", "no server answers");
	assert_string_equal(state_of("mesos/endpoint/zookeeper"), "critical");
	pass(5, LEADS, "", "");
	assert_true(sat_acting());
	pass(2, FOLLOWS, "", "");
	assert_false(sat_acting());
	named_for(2, "m", LEADS, "", "");
	assert_true(sat_acting());
	pass(2, FOLLOWS, "", "");	/* it says nothing at all: what it said holds for three seconds */
	assert_true(sat_acting());
	pass(3, FOLLOWS, "", "");
	assert_false(sat_acting());
}

static void which_one_is_here(void **unused)
{
	struct { const char *url, *host, *ip, *taken; bool here; } cases[] = {
		{ "http://m:5050", "M", "10.9.9.9", "http://10.9.9.9:5050", true },
		{ "http://10.9.9.9:5050", "", "10.9.9.9", "http://10.9.9.9:5050", true },
		{ "http://localhost:5050", "x", "127.0.0.1", "http://127.0.0.1:5050", true },
		{ "http://localhost:5050", "x", "::1", "http://[::1]:5050", true },
		{ "http://localhost:5051", "x", "127.0.0.1", "http://127.0.0.1:5050", false },
		{ "http://localhost", "x", "127.0.0.1", "http://127.0.0.1:5050", false },
		{ "http://m:5050", "x", "10.9.9.9", "http://10.9.9.9:5050", false },
		{ NULL, "x", "127.0.0.1", "http://127.0.0.1:5050", true },
		{ NULL, "x", "10.9.9.9", "http://10.9.9.9:5050", false },
		{ NULL, "x", "", "http://x:5050", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin_named(unused);
		free(mesos->local);
		mesos->local = cases[i].url != NULL ? strdup(cases[i].url) : NULL;
		names("leads", "away", "10.8.8.8", "");
		names("leads", cases[i].host, cases[i].ip, "");
		assert_string_equal(mesos->url, cases[i].taken);
		assert_int_equal(leader_is_local(mesos, mesos->url), cases[i].here);
		end(unused);
	}
	begin_named(unused);
	free(mesos->local);
	mesos->local = strdup("https://m:5050");
	named_free(mesos);
	assert_int_equal(named_init(mesos), 0);
	names("leads", "m2", "10.9.9.9", "");
	assert_string_equal(mesos->url, "https://m2:5050");
	end(unused);
}

#define NAMED(test) cmocka_unit_test_setup_teardown(test, begin_named, end)
#define OF_THREE(test) cmocka_unit_test_setup_teardown(test, begin_three, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF_THREE(the_one_that_leads_is_found),
		OF_THREE(a_change_is_seen_within_two_seconds),
		OF_THREE(what_the_old_one_still_says_counts_no_more),
		OF_THREE(others_are_not_asked_while_it_leads),
		OF_THREE(nobody_leads),
		NAMED(whom_zookeeper_names_is_observed_at_once),
		NAMED(its_word_outweighs_the_figures),
		NAMED(without_its_word_the_figures_count),
		cmocka_unit_test(which_one_is_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
