/* SPDX-License-Identifier: Apache-2.0 */
/* walk - sat_index_walk(): the index in slices, as fast as whoever asked takes it. */
#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "index.h"
#include "walk.h"

enum { STEP = 128 };			/* entries between two looks at the time */
#define BUDGET	(5 * SAT_MS)

struct sat_walk {
	struct sat_walk *prev, *next;
	const struct sat_walk_calls *calls;
	void *arg;
	struct index_walk at;
	bool waits;			/* for sat_walk_go_on() */
};

/* Those that go on have their turn one after the other; those that wait stand apart. */
static struct list { struct sat_walk *first, *last; } lists[2];
static int64_t budget = BUDGET;

static void join(struct sat_walk *w, bool waits)
{
	struct list *l = &lists[waits];

	w->waits = waits;
	w->prev = l->last;
	w->next = NULL;
	*(l->last != NULL ? &l->last->next : &l->first) = w;
	l->last = w;
}

static void leave(struct sat_walk *w)
{
	struct list *l = &lists[w->waits];

	*(w->prev != NULL ? &w->prev->next : &l->first) = w->next;
	*(w->next != NULL ? &w->next->prev : &l->last) = w->prev;
}

struct sat_walk *sat_index_walk(const struct sat_query *q, bool heard, const struct sat_walk_calls *calls,
				void *arg)
{
	struct sat_walk *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	if (index_walk_begin(&w->at, q, heard ? INDEX_UNCHANGED : INDEX_OLD) != 0) {
		free(w);
		return NULL;
	}
	w->calls = calls;
	w->arg = arg;
	join(w, false);
	return w;
}

void sat_walk_go_on(struct sat_walk *w)
{
	if (!w->waits)
		return;
	leave(w);
	join(w, false);
}

void sat_walk_stop(struct sat_walk *w)
{
	if (w == NULL)
		return;
	leave(w);
	index_walk_end(&w->at);
	free(w);
}

static void end(struct sat_walk *w, int rc)
{
	const struct sat_walk_calls *calls = w->calls;
	void *arg = w->arg;

	sat_walk_stop(w);
	calls->done(arg, rc);
}

static int met(void *arg, const struct sat_event *ev)
{
	const struct sat_walk *w = arg;

	return sat_query_match(w->at.q, ev) ? w->calls->found(w->arg, ev) : 0;
}

/* A little of the first, which then stands last. */
static void step(struct sat_walk *w)
{
	int rc;
	bool more = index_walk(&w->at, STEP, met, w, &rc);

	if (!more && rc != -EAGAIN) {
		end(w, rc);
		return;
	}
	leave(w);
	join(w, rc == -EAGAIN);
}

bool walk_turn(void)
{
	int64_t until;

	if (lists[false].first == NULL)
		return false;
	until = clock_boot() + budget;
	do
		step(lists[false].first);
	while (lists[false].first != NULL && clock_boot() < until);
	return lists[false].first != NULL;
}

void walk_free(void)
{
	for (int i = 0; i < 2; i++)
		while (lists[i].first != NULL)
			end(lists[i].first, -ECANCELED);
}

void walk_budget(int64_t each)
{
	budget = each;
}
