/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tour - sat_figures_tour(): every figure of this process, in slices.
 *
 * An instance is known by its number, so that one which goes between two slices is missed, not met again.
 */
#include <stdlib.h>

#include "clock.h"
#include "engine.h"
#include "figures.h"
#include "tour.h"

#define BUDGET	(3 * SAT_MS)

struct sat_tour {
	struct sat_tour *next;
	const struct sat_tour_calls *calls;
	void *arg;
	enum { TOUR_FILES, TOUR_HOST, TOUR_INSTANCE, TOUR_SERIES } at;
	struct figures_files files;
	uint64_t instance, last;	/* the one it is at; of those that there were when it began */
	uint64_t series;		/* where the instance is to go on */
};

static struct sat_tour *tours;		/* have their turn one after the other */
static int64_t budget = BUDGET;

static void join(struct sat_tour *t)
{
	struct sat_tour **at = &tours;

	while (*at != NULL)
		at = &(*at)->next;
	t->next = NULL;
	*at = t;
}

static void leave(const struct sat_tour *t)
{
	struct sat_tour **at = &tours;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
}

/* The instance that it is at; NULL: it went, or is the host's. */
static struct sat_self *who(const struct sat_tour *t)
{
	struct sat_self *self = http_at(t->instance);

	return self != NULL && self->module != NULL ? self : NULL;
}

/* To the next instance; false: that was the last. */
static bool go_on(struct sat_tour *t)
{
	t->instance = http_after(t->instance);
	t->at = TOUR_INSTANCE;
	t->series = 0;
	return t->instance != 0 && t->instance <= t->last;
}

/* A little of it; false: that was all. */
static bool tell(struct sat_tour *t)
{
	struct sat_figures to = { .figure = t->calls->figure, .arg = t->arg };
	struct sat_self *self;

	switch (t->at) {
	case TOUR_FILES:
		if (!figures_files(&to, &t->files))
			t->at = TOUR_HOST;
		return true;
	case TOUR_HOST:
		figures_host(&to);
		return go_on(t);
	case TOUR_INSTANCE:
		self = who(t);
		if (self == NULL)
			return go_on(t);
		figures_instance(&to, self);
		t->at = TOUR_SERIES;
		return true;
	case TOUR_SERIES:
		self = who(t);
		return (self != NULL && figures_series(&to, self, &t->series)) || go_on(t);
	}
	return false;
}

/* A little of the first, which then stands last. */
static void step(struct sat_tour *t)
{
	const struct sat_tour_calls *calls = t->calls;
	void *arg = t->arg;

	leave(t);
	join(t);
	if (tell(t))
		return;
	sat_tour_stop(t);
	calls->done(arg);
}

static bool turn(void)
{
	int64_t until;

	if (tours == NULL)
		return false;
	until = clock_boot() + budget;
	do
		step(tours);
	while (tours != NULL && clock_boot() < until);
	return tours != NULL;
}

struct sat_tour *sat_figures_tour(const struct sat_tour_calls *calls, void *arg)
{
	struct sat_tour *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->calls = calls;
	t->arg = arg;
	t->last = http_last();
	join(t);
	engine_slices(turn);
	return t;
}

void sat_tour_stop(struct sat_tour *t)
{
	if (t == NULL)
		return;
	leave(t);
	figures_files_end(&t->files);
	free(t);
}

void tour_budget(int64_t each)
{
	budget = each;
}
