/* SPDX-License-Identifier: Apache-2.0 */
/* test_mesos-master_settle - a state that has ended is gone through a little at a time, and changes come meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../modules/mesos-master/model.h"

#define AGENTS		8u
#define FRAMEWORKS	3u
#define TASKS		120u

static struct model model;
static uint32_t seed;

/* What the model should hold of a task: nothing, or a state, and what was told last. */
static struct { const char *state, *told; unsigned agent, framework; bool listed; } want[TASKS];
static unsigned n_told, n_agents, refuse;

static uint32_t dice(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static int task_told(void *arg, const struct model_task *t)
{
	unsigned i = (unsigned)strtoul(t->id, NULL, 10);

	(void)arg;
	if (refuse > 0 && dice(refuse) == 0)
		return -1;
	want[i].told = model_word(&model, t->state);
	assert_non_null(model_agent(&model, t->agent));	/* where it ran is known, even where that is gone */
	n_told++;
	return 0;
}

static int agent_told(void *arg, const struct model_agent *a, enum model_stand now)
{
	(void)arg;
	(void)a;
	(void)now;
	n_agents++;
	return 0;
}

static const struct model_calls calls = { .task = task_told, .agent = agent_told };

static bool uses(const char *state)
{
	return state != NULL && (strcmp(state, "TASK_RUNNING") == 0 || strcmp(state, "TASK_STAGING") == 0);
}

static const char *any_state(void)
{
	static const char *const all[] = { "TASK_STAGING", "TASK_RUNNING", "TASK_RUNNING", "TASK_FAILED", "TASK_UNREACHABLE" };

	return all[dice(5)];
}

static void put_task(unsigned i, bool update)
{
	static struct model_task_news n;

	memset(&n, 0, sizeof(n));
	snprintf(n.id, sizeof(n.id), "%u", i);
	snprintf(n.framework, sizeof(n.framework), "f%u", want[i].framework);
	snprintf(n.agent, sizeof(n.agent), "a%u", want[i].agent);
	snprintf(n.state, sizeof(n.state), "%s", want[i].state);
	n.resources.cpus = 0.25 * (i % 4 + 1);
	n.update = update;
	assert_int_equal(model_put_task(&model, &n), 0);
}

static double used(unsigned agent, unsigned framework, bool listed)
{
	double sum = 0;

	for (unsigned i = 0; i < TASKS; i++)
		if (uses(want[i].state) && (!listed || want[i].listed) && (agent == AGENTS || want[i].agent == agent) &&
		    (framework == FRAMEWORKS || want[i].framework == framework))
			sum += 0.25 * (i % 4 + 1);
	return sum;
}

static void put_agent(unsigned i)
{
	static struct model_agent_news n;

	memset(&n, 0, sizeof(n));
	snprintf(n.id, sizeof(n.id), "a%u", i);
	snprintf(n.host, sizeof(n.host), "h%u", i);
	n.active = true;
	n.has_used = i % 2 == 0;
	n.used.cpus = n.has_used ? used(i, FRAMEWORKS, true) : 0;
	assert_int_equal(model_put_agent(&model, &n), 0);
}

static void put_framework(unsigned i)
{
	static struct model_framework_news n;

	memset(&n, 0, sizeof(n));
	snprintf(n.id, sizeof(n.id), "f%u", i);
	snprintf(n.name, sizeof(n.name), "f%u", i);
	n.has_used = i % 2 == 0;
	n.used.cpus = n.has_used ? used(AGENTS, i, true) : 0;
	assert_int_equal(model_put_framework(&model, &n), 0);
}

/* Of the tasks some are new, some change, some are no longer there; one agent may be gone. */
static void put_state(unsigned gone)
{
	model_begin(&model);
	for (unsigned i = 0; i < TASKS; i++) {
		want[i].listed = dice(4) != 0;
		if (want[i].listed && (want[i].state == NULL || dice(2) == 0))
			want[i].state = any_state();
		if (want[i].listed && want[i].agent == gone)
			want[i].listed = false;
	}
	for (unsigned i = 0; i < AGENTS; i++)
		if (i != gone)
			put_agent(i);
	for (unsigned i = 0; i < TASKS; i++)
		if (want[i].listed)
			put_task(i, false);
		else
			want[i].state = want[i].told = NULL;
	for (unsigned i = 0; i < FRAMEWORKS; i++)
		put_framework(i);
}

/* Single changes, of those that the state had and of new ones. */
static void change(unsigned gone)
{
	unsigned i = dice(TASKS);

	if (want[i].agent == gone)
		return;
	want[i].state = any_state();
	if (!want[i].listed && want[i].told == NULL)
		put_task(i, false);
	else
		put_task(i, true);
	want[i].listed = true;
}

static void compare(void)
{
	unsigned n = 0, running[FRAMEWORKS] = { 0 };
	char id[20];

	for (unsigned i = 0; i < TASKS; i++) {
		char f[20];
		struct model_task *t;

		snprintf(id, sizeof(id), "%u", i);
		snprintf(f, sizeof(f), "f%u", want[i].framework);
		t = model_task(&model, f, id);
		assert_true((t != NULL) == (want[i].state != NULL));
		if (t == NULL)
			continue;
		assert_string_equal(model_word(&model, t->state), want[i].state);
		n++;
		running[want[i].framework] += uses(want[i].state);
	}
	assert_int_equal(model.tasks.n, n);
	for (unsigned i = 0; i < AGENTS; i++) {
		snprintf(id, sizeof(id), "a%u", i);
		if (model_agent(&model, id) != NULL)
			assert_float_equal(model_agent_used(model_agent(&model, id)).cpus, used(i, FRAMEWORKS, false), 1e-9);
	}
	for (unsigned i = 0; i < FRAMEWORKS; i++) {
		snprintf(id, sizeof(id), "f%u", i);
		assert_float_equal(model_framework_used(model_framework(&model, id)).cpus, used(AGENTS, i, false), 1e-9);
		assert_int_equal(model_framework(&model, id)->tasks, running[i]);
	}
}

static void begin(uint32_t with)
{
	seed = with;
	model_init(&model, &calls, NULL);
	memset(want, 0, sizeof(want));
	for (unsigned i = 0; i < TASKS; i++) {
		want[i].agent = dice(AGENTS);
		want[i].framework = dice(FRAMEWORKS);
	}
	n_told = n_agents = refuse = 0;
}

static void settle(unsigned gone, bool changes)
{
	while (model_settle(&model, 1 + dice(9)))
		if (changes && dice(3) == 0)
			change(gone);
}

static void whatever_comes_meanwhile_sums_and_states_are_right(void **unused)
{
	(void)unused;
	for (uint32_t round = 1; round <= 200; round++) {
		begin(round);
		for (unsigned states = 0; states < 4; states++) {
			unsigned gone = dice(2 * AGENTS);

			put_state(gone);
			model_end(&model, states == 0);
			assert_true(model_busy(&model));
			settle(gone, true);
			assert_false(model_busy(&model));
			compare();
			for (unsigned n = dice(40); n > 0; n--)
				change(gone);
			compare();
		}
		model_free(&model);
		assert_int_equal(model.texts.bytes, 0);
	}
}

/* Nothing of the first state is news, but what comes after its end is. */
static void silence_is_for_the_state_alone(void **unused)
{
	unsigned changed = 0;

	(void)unused;
	begin(3);
	put_state(AGENTS);
	model_end(&model, true);
	for (unsigned i = 0; i < TASKS; i++)
		if (want[i].listed && strcmp(want[i].state, "TASK_RUNNING") == 0 && i % 2 == 0) {
			want[i].state = "TASK_FAILED";
			put_task(i, true);
			changed++;
		}
	assert_int_equal(n_told, changed);
	settle(AGENTS, false);
	assert_int_equal(n_told, changed);
	model_free(&model);
}

/* What nobody had room for is told again, until somebody had. */
static void what_could_not_be_told_is_told_later(void **unused)
{
	(void)unused;
	begin(5);
	put_state(AGENTS);
	model_end(&model, true);
	settle(AGENTS, false);
	refuse = 3;
	put_state(AGENTS);
	model_end(&model, false);
	settle(AGENTS, true);
	for (unsigned n = 0; model.untold; n++) {
		assert_true(n < 1000);
		model_tell(&model);
		settle(AGENTS, false);
	}
	for (struct model_task *t = model_next_task(&model, NULL); t != NULL; t = model_next_task(&model, t))
		assert_int_equal(t->told, t->state);
	compare();
	model_free(&model);
}

/* The agent of a task has not come back to a new leader, which counts it in no sum: nor is it taken from one. */
static void what_waits_is_in_no_sum(void **unused)
{
	static struct model_agent_news a;
	unsigned i = 0;

	(void)unused;
	begin(9);
	want[i].state = "TASK_RUNNING";
	for (unsigned states = 0; states < 2; states++) {
		model_begin(&model);
		memset(&a, 0, sizeof(a));
		snprintf(a.id, sizeof(a.id), "a%u", want[i].agent);
		snprintf(a.host, sizeof(a.host), "h%u", want[i].agent);
		a.has_used = a.active = true;
		a.used.cpus = states == 0 ? 0.25 : 0;
		a.recovered = states == 1;
		assert_int_equal(model_put_agent(&model, &a), 0);
		if (states == 0)
			put_task(i, false);
		put_framework(want[i].framework);
		assert_true(model_is_same(&model) == (states == 1));
		if (states == 0)
			model_end(&model, true);
		else
			model_end_inherited(&model);
		settle(AGENTS, false);
	}
	assert_int_equal(model.tasks.n, 1);
	assert_int_equal(n_told, 0);
	assert_float_equal(model_agent_used(model_agent(&model, a.id)).cpus, 0, 0);
	want[i].state = "TASK_FAILED";
	put_task(i, true);
	assert_int_equal(n_told, 1);
	assert_float_equal(model_agent_used(model_agent(&model, a.id)).cpus, 0, 0);
	model_free(&model);
}

/* One that comes back while the first state of a new leader is gone through, which does not speak of it. */
static void who_comes_back_meanwhile_is_no_news(void **unused)
{
	static struct model_agent_news a;

	(void)unused;
	begin(11);
	strcpy(a.id, "a0");
	strcpy(a.host, "h0");
	a.active = true;
	model_begin(&model);
	assert_int_equal(model_put_agent(&model, &a), 0);
	model_end(&model, true);
	settle(AGENTS, false);
	model_begin(&model);
	model_end_inherited(&model);
	assert_int_equal(model_add_agent(&model, &a), 0);
	settle(AGENTS, false);
	assert_int_equal(n_agents, 0);
	assert_int_equal(model.gone.n, 0);
	assert_int_equal(model.n_recovered, 0);
	assert_int_equal(model_agent(&model, "a0")->stand, MODEL_ACTIVE);
	model_free(&model);
}

/* One that is no longer wanted is freed in parts, wherever it stood. */
static void it_is_freed_in_parts(void **unused)
{
	unsigned parts = 0;

	(void)unused;
	begin(7);
	put_state(AGENTS);
	model_end(&model, true);
	model_settle(&model, 50);
	for (; model_free_some(&model, 10); parts++)
		continue;
	assert_true(parts > 30);
	assert_int_equal(model.tasks.n, 0);
	assert_false(model_busy(&model));
	put_state(AGENTS);		/* and where the rest of it has no time */
	model_end(&model, true);
	model_settle(&model, 50);
	for (parts = 0; parts < 15; parts++)
		assert_true(model_free_some(&model, 10));
	model_free(&model);
	assert_int_equal(model.texts.bytes, 0);
	put_state(AGENTS);
	model_end(&model, true);
	settle(AGENTS, false);
	model_free(&model);
}

/* ---- Too many that have ended ------------------------------------------- */

static void end_task(uint32_t i, int64_t time)
{
	static struct model_task_news n = { .framework = "f", .agent = "a", .state = "TASK_FINISHED" };

	snprintf(n.id, sizeof(n.id), "%u", i);
	n.time = time;
	assert_int_equal(model_put_task(&model, &n), 0);
}

static bool has_ended(uint32_t i)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", i);
	return model_task(&model, "f", id) != NULL;
}

/* Each has a time of its own, in no order. */
static int64_t time_of(uint32_t i)
{
	return 1 + (int64_t)((uint64_t)i * 7919 % MODEL_ENDED_MAX);
}

/* As many again come as a tenth of them is, and twice that: each lets few go at a time, of the oldest. */
static void of_too_many_about_the_oldest_go(void **unused)
{
	const uint32_t more = MODEL_ENDED_MAX / 5;
	uint32_t most = 0, i;

	(void)unused;
	model_init(&model, NULL, NULL);
	for (i = 0; i < MODEL_ENDED_MAX; i++)
		end_task(i, time_of(i));
	assert_int_equal(model.dropped, 0);
	for (; i < MODEL_ENDED_MAX + more; i++) {
		uint64_t before = model.dropped;

		end_task(i, MODEL_ENDED_MAX + (int64_t)i);
		most = model.dropped - before > most ? (uint32_t)(model.dropped - before) : most;
		assert_in_range(model.n_ended, MODEL_ENDED_MAX - 256, MODEL_ENDED_MAX + 256);
	}
	assert_in_range(most, 1, 256);
	assert_in_range(model.dropped, more - 256, more + 256);
	for (i = 0; i < MODEL_ENDED_MAX + more; i++)
		assert_true(has_ended(i) || time_of(i) < MODEL_ENDED_MAX / 3);
	model_free(&model);
}

static void of_one_age_no_more_go_than_must(void **unused)
{
	(void)unused;
	model_init(&model, NULL, NULL);
	for (uint32_t i = 0; i < MODEL_ENDED_MAX + 1000; i++)
		end_task(i, 0);
	assert_int_equal(model.n_ended, MODEL_ENDED_MAX);
	assert_int_equal(model.dropped, 1000);
	model_free(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_comes_meanwhile_sums_and_states_are_right),
		cmocka_unit_test(silence_is_for_the_state_alone),
		cmocka_unit_test(what_could_not_be_told_is_told_later),
		cmocka_unit_test(what_waits_is_in_no_sum),
		cmocka_unit_test(who_comes_back_meanwhile_is_no_news),
		cmocka_unit_test(it_is_freed_in_parts),
		cmocka_unit_test(of_too_many_about_the_oldest_go),
		cmocka_unit_test(of_one_age_no_more_go_than_must),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
