/* SPDX-License-Identifier: Apache-2.0 */
/* churn - tasks come, run and end, as an allocator would place them. */
#include "churn.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "whitelist.h"

enum {
	MAX_DEBT = 2,		/* seconds of changes that may pile up */
	TRIES = 8,		/* agents looked at for a task */
};

void churn_init(struct churn *ch, struct cluster *c)
{
	memset(ch, 0, sizeof(*ch));
	ch->c = c;
	ch->seen_agents = ch->seen_list = UINT64_MAX;
}

void churn_free(struct churn *ch)
{
	free(ch->eligible);
	free(ch->holes);
	free(ch->young);
}

bool churn_offers(const struct whitelist *w, const struct agent *a)
{
	return agent_active(a) && whitelist_has(w, a->host);
}

/* A sum that moves when an agent comes, goes or is switched. */
static uint64_t agents_sum(const struct cluster *c)
{
	uint64_t sum = c->n_agents;
	size_t i;

	for (i = 0; i < c->n_agents; i++) {
		const struct agent *a = &c->agents[i];

		sum = sum * 31 + (uint64_t)(a->registered * 8 +
			a->connected * 4 + a->deactivated * 2 + a->blackhole);
	}
	return sum;
}

static void find_eligible(struct churn *ch, const struct whitelist *w)
{
	const struct cluster *c = ch->c;
	uint64_t sum = agents_sum(c), list = w ? w->change : 0;
	size_t i;

	if (sum == ch->seen_agents && list == ch->seen_list && w == ch->seen)
		return;
	ch->seen = w;
	ch->seen_agents = sum;
	ch->seen_list = list;
	ch->eligible = sim_realloc(ch->eligible,
				   c->n_agents * sizeof(*ch->eligible));
	ch->holes = sim_realloc(ch->holes, c->n_agents * sizeof(*ch->holes));
	ch->n_eligible = ch->n_holes = 0;
	for (i = 0; i < c->n_agents; i++) {
		if (!churn_offers(w, &c->agents[i]))
			continue;
		ch->eligible[ch->n_eligible++] = (uint32_t)i;
		if (c->agents[i].blackhole)
			ch->holes[ch->n_holes++] = (uint32_t)i;
	}
}

/* A black hole is empty, so it is offered often: a quarter of the tasks. */
static struct agent *eligible_black_hole(const struct churn *ch)
{
	if (ch->n_holes == 0 || cluster_random(ch->c) % 4)
		return NULL;
	return &ch->c->agents[ch->holes[cluster_random(ch->c) % ch->n_holes]];
}

/* The emptiest of a few. */
static struct agent *choose_agent(const struct churn *ch, const struct task *next)
{
	struct agent *best = NULL, *a;
	int i;

	if (ch->n_eligible == 0)
		return NULL;
	best = eligible_black_hole(ch);
	if (best)
		return best;
	for (i = 0; i < TRIES && (i < 3 || !best); i++) {
		size_t k = cluster_random(ch->c) % ch->n_eligible;

		a = &ch->c->agents[ch->eligible[k]];
		if (agent_fits(ch->c, a, next) &&
		    (!best || a->tasks < best->tasks))
			best = a;
	}
	return best;
}

static struct framework *choose_framework(const struct churn *ch)
{
	size_t i, k = cluster_random(ch->c) % ch->c->n_frameworks;

	for (i = 0; i < ch->c->n_frameworks; i++) {
		struct framework *f = &ch->c->frameworks[(k + i) %
			ch->c->n_frameworks];

		if (f->registered)
			return f;
	}
	return NULL;
}

static void remember_young(struct churn *ch, const struct task *t)
{
	if (ch->n_young == ch->room) {
		ch->room = ch->room ? ch->room * 2 : 64;
		ch->young = sim_realloc(ch->young,
					ch->room * sizeof(*ch->young));
	}
	ch->young[ch->n_young++] = (struct young){ t->serial, t->framework };
}

static struct task *launch(struct churn *ch)
{
	struct task next = { .serial = ch->c->next_serial + 1 };
	struct framework *f = choose_framework(ch);
	struct agent *a = f ? choose_agent(ch, &next) : NULL;

	return a ? task_launch(ch->c, f, a) : NULL;
}

/* How a running task ends. */
static void end_task(struct churn *ch, struct task *t)
{
	const struct cluster *c = ch->c;
	double x = (double)(cluster_random(ch->c) >> 11) * 0x1p-53;

	if (x < c->failed_share)
		task_change(ch->c, t, TASK_FAILED, CAUSE_COMMAND);
	else if (x < c->failed_share + c->killed_share)
		task_change(ch->c, t, TASK_KILLED, CAUSE_NONE);
	else if (x < c->failed_share + c->killed_share + c->lost_share)
		task_change(ch->c, t, TASK_LOST, CAUSE_AGENT);
	else
		task_change(ch->c, t, TASK_FINISHED, CAUSE_NONE);
}

static struct task *young_task(const struct churn *ch, size_t i)
{
	const struct young *y = &ch->young[i];

	return framework_task_find(&ch->c->frameworks[y->framework],
				   y->serial);
}

/* Tasks on black holes fail at once; those elsewhere take a step. */
static void step_young(struct churn *ch, size_t i)
{
	struct task *t = young_task(ch, i);
	bool gone = true;

	if (t && ch->c->agents[t->agent].blackhole) {
		task_change(ch->c, t, TASK_FAILED, CAUSE_LAUNCH);
	} else if (t && t->state == TASK_STAGING) {
		task_change(ch->c, t, TASK_STARTING, CAUSE_NONE);
		gone = false;
	} else if (t && t->state == TASK_STARTING) {
		task_change(ch->c, t, TASK_RUNNING, CAUSE_NONE);
	}
	if (gone)
		ch->young[i] = ch->young[--ch->n_young];
}

static void fail_in_black_holes(struct churn *ch)
{
	size_t i;

	for (i = ch->n_young; i-- > 0;) {
		struct task *t = young_task(ch, i);

		if (t && !ch->c->agents[t->agent].blackhole)
			continue;
		if (t)
			ch->budget--;
		step_young(ch, i);
	}
}

static void drain(struct churn *ch)
{
	struct cluster *c = ch->c;
	size_t i, f;

	for (i = 0; i < c->n_agents; i++)
		if (c->agents[i].draining && c->agents[i].tasks)
			break;
	if (i == c->n_agents)
		return;
	for (f = 0; f < c->n_frameworks; f++)
		for (i = c->frameworks[f].n_tasks; i-- > 0;) {
			struct task *t = &c->frameworks[f].tasks[i];

			if (c->agents[t->agent].draining)
				task_change(c, t, TASK_KILLED, CAUSE_NONE);
		}
}

/* One change: a launch where one is due, else a step on the way. */
static bool one_change(struct churn *ch)
{
	struct task *t;

	if (ch->c->n_tasks < ch->want) {
		t = launch(ch);
		if (t) {
			remember_young(ch, t);
			return true;
		}
	}
	if (ch->n_young && cluster_random(ch->c) % 4) {
		step_young(ch, cluster_random(ch->c) % ch->n_young);
		return true;
	}
	if (ch->c->n_tasks == 0)
		return false;
	t = task_at(ch->c, cluster_random(ch->c) % ch->c->n_tasks);
	if (t && t->state == TASK_RUNNING &&
	    ch->c->agents[t->agent].connected)
		end_task(ch, t);
	return true;
}

void churn_step(struct churn *ch, const struct whitelist *w, double seconds)
{
	drain(ch);
	if (ch->rate <= 0)
		return;
	find_eligible(ch, w);
	ch->budget += ch->rate * seconds;
	if (ch->budget > ch->rate * MAX_DEBT + 1)
		ch->budget = ch->rate * MAX_DEBT + 1;
	fail_in_black_holes(ch);
	for (; ch->budget >= 1; ch->budget--)
		if (!one_change(ch))
			break;
}

/* A task that began some time ago. */
static struct task *launch_running(struct churn *ch)
{
	struct task *t = launch(ch);

	if (!t)
		return NULL;
	task_change(ch->c, t, TASK_RUNNING, CAUSE_NONE);
	t->staged -= (double)(mix(t->serial, 9) % 86400);
	t->started = t->staged + 0.1;
	t->running = t->staged + 0.6;
	return t;
}

/* What runs before the beginning does not run there; till the next look. */
static void leave_out_black_holes(struct churn *ch)
{
	size_t i, n = 0;

	for (i = 0; i < ch->n_eligible; i++)
		if (!ch->c->agents[ch->eligible[i]].blackhole)
			ch->eligible[n++] = ch->eligible[i];
	ch->n_eligible = n;
	ch->n_holes = 0;
	ch->seen_agents = UINT64_MAX;
}

void churn_fill(struct churn *ch, const struct whitelist *w, size_t tasks, size_t completed)
{
	struct task *t;
	size_t i;

	ch->want = tasks;
	find_eligible(ch, w);
	leave_out_black_holes(ch);
	for (i = 0; i < completed && (t = launch_running(ch)); i++)
		end_task(ch, t);
	for (i = 0; i < tasks && launch_running(ch); i++)
		;
}
