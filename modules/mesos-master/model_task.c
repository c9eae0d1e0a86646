/* SPDX-License-Identifier: Apache-2.0 */
/* model_task - the tasks of a model: what is heard of them, and how many of the ended are kept. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "model_inner.h"

#define GPUS_MAX 0x7fffu

enum {
	DROP_SLOTS = 256,		/* looked at for each task that is one too many */
	SAMPLE = 512, SAMPLE_SLOTS = 16384,	/* tasks that tell how old the oldest are; slots to find so many in */
};

static int64_t thousandths(double d)
{
	return d > 0 && d < 9e15 ? llround(d * 1000) : 0;
}

void model_tell_task(struct model *m, struct model_task *t)
{
	if (m->reading || t->told == t->state)
		return;
	if (m->calls == NULL || m->calls->task(m->arg, t) == 0)
		t->told = t->state;
	else
		m->untold = true;
}

static void task_free(struct model *m, struct model_task *t)
{
	intern_drop(&m->texts, t->id);
	intern_drop(&m->texts, t->name);
	intern_drop(&m->texts, t->framework);
	intern_drop(&m->texts, t->agent);
	intern_drop(&m->texts, t->message);
	free(t);
}

void model_task_gone(struct model *m, struct model_task *t)
{
	model_account(m, t, -1);
	m->n_ended -= model_ended(m, t);
	table_take(&m->tasks, &t->link);
	task_free(m, t);
}

/* Of what its agent uses, as the new leader knows it, it is no part. */
void model_task_park(struct model_task *t)
{
	t->cpus = t->mem = t->disk = 0;
	t->gpus = t->ports = 0;
	t->counted = false;
}

/* ---- Too many that have ended ------------------------------------------- */

static struct model_task *at_slot(const struct table *t, uint32_t slot)
{
	return (struct model_task *)table_at(t, slot & (t->size - 1));
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* About how old the oldest tenth is: the table knows no order, so tasks that lie together are of any age. */
static int64_t learn_limit(const struct model *m)
{
	int64_t times[SAMPLE];
	size_t n = 0;

	for (uint32_t i = 0; i < SAMPLE_SLOTS && n < SAMPLE; i++) {
		const struct model_task *t = at_slot(&m->tasks, m->drop.slot + i);

		if (t != NULL && model_ended(m, t))
			times[n++] = t->time;
	}
	if (n == 0)
		return INT64_MIN;
	qsort(times, n, sizeof(*times), by_time);
	return times[n / 10];
}

/* One of the oldest tenth goes for each that is one too many: the table is gone through again and again, a little
 * each time, since all of it takes many times what a turn may. */
static void drop_oldest(struct model *m)
{
	for (unsigned n = 0; n < DROP_SLOTS && m->n_ended > MODEL_ENDED_MAX; n++) {
		struct model_task *t;

		if (m->drop.left == 0) {
			m->drop.limit = learn_limit(m);
			m->drop.left = m->tasks.size;
		}
		m->drop.left--;
		t = at_slot(&m->tasks, m->drop.slot++);
		if (t == NULL || !model_ended(m, t) || t->time > m->drop.limit)
			continue;
		model_task_gone(m, t);
		m->dropped++;
	}
}

/* ---- What is heard of one ----------------------------------------------- */

/*
 * Later news of it that is older than what we know, and would call it alive
 * again.  Some frameworks use an id again: of those that one state lists, the
 * one that runs counts, else the last.
 */
static bool is_late(const struct model *m, const struct model_task *t, const struct model_task_news *n, uint8_t state)
{
	bool ends = (m->word_flags[state] & WORD_ENDS) != 0;

	if (m->reading)
		return t->link.mark == m->turn && ends && (!model_ended(m, t) || n->time < t->time);
	return model_ended(m, t) && !ends && n->time != 0 && n->time <= t->time;
}

static void set_amounts(struct model_task *t, const struct model_resources *r)
{
	t->cpus = thousandths(r->cpus);
	t->mem = thousandths(r->mem);
	t->disk = thousandths(r->disk);
	t->gpus = (uint16_t)(r->gpus > 0 && r->gpus < GPUS_MAX ? r->gpus : 0) & GPUS_MAX;
	t->ports = (uint16_t)(r->ports < UINT16_MAX ? r->ports : UINT16_MAX);
}

static int set_task(struct model *m, struct model_task *t, const struct model_task_news *n)
{
	const char *agent = n->agent[0] != '\0' || t->agent == NULL ? n->agent : t->agent;

	if (!model_set(m, &t->id, n->id, NULL) || !model_set(m, &t->framework, n->framework, NULL) ||
	    !model_set(m, &t->agent, agent, NULL) || !model_set(m, &t->message, n->message, NULL))
		return -ENOMEM;
	if (n->update && t->name != NULL)
		return 0;
	if (!model_set(m, &t->name, n->name, NULL))
		return -ENOMEM;
	set_amounts(t, &n->resources);
	return 0;
}

static void set_state(struct model *m, struct model_task *t, const struct model_task_news *n, uint8_t state)
{
	uint8_t flags = m->word_flags[state] & (WORD_LOST | WORD_EXPELS);
	struct model_agent *a;

	m->n_ended -= model_ended(m, t);
	t->state = state;
	m->n_ended += model_ended(m, t);
	t->source = m->last_source = model_word_of(m, n->source, m->last_source);
	t->reason = m->last_reason = model_word_of(m, n->reason, m->last_reason);
	t->time = n->time != 0 || t->time == 0 ? n->time : t->time;
	t->link.mark = m->turn;
	if (flags == 0)
		return;
	a = model_agent_of(m, t->agent);
	if (a == NULL)
		return;
	a->lost |= (flags & WORD_LOST) != 0;
	a->expelled |= (flags & WORD_EXPELS) != 0;
}

static int new_task(struct model *m, const struct model_task_news *n, struct model_task **made)
{
	struct model_task *t;

	if (m->tasks.n >= MODEL_TASKS_MAX) {
		model_leave_out(m, LEFT_TASK_FULL, n->id);
		return 0;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	if (set_task(m, t, n) != 0 || table_add(&m->tasks, &t->link, model_task_hash(t->framework, t->id)) != 0) {
		task_free(m, t);
		return -ENOMEM;
	}
	*made = t;
	return 0;
}

int model_put_task(struct model *m, const struct model_task_news *n)
{
	uint8_t state = model_word_of(m, n->state, m->last_state);
	struct model_task *t;
	int rc;

	if (n->id[0] == '\0' || n->state[0] == '\0') {
		model_leave_out(m, LEFT_TASK, n->id[0] != '\0' ? n->id : n->part);
		return 0;
	}
	if (state == 0)
		return -ENOMEM;
	m->last_state = state;
	t = model_task(m, n->framework, n->id);
	if (t == NULL) {
		if (n->update)
			return -ENOENT;
		rc = new_task(m, n, &t);
		if (rc != 0 || t == NULL)
			return rc;
	} else {
		if (is_late(m, t, n, state))
			return 0;
		model_account(m, t, -1);
		rc = set_task(m, t, n);
		if (rc != 0) {
			model_account(m, t, 1);
			return rc;
		}
	}
	set_state(m, t, n, state);
	t->counted = !m->reading;
	model_account(m, t, 1);
	model_tell_task(m, t);
	if (!m->reading && m->n_ended > MODEL_ENDED_MAX)
		drop_oldest(m);
	return 0;
}
