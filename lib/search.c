/* SPDX-License-Identifier: Apache-2.0 */
/* search - queries that are answered in slices, so that none of them holds up the loop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "event.h"
#include "index.h"
#include "query.h"
#include "search.h"

enum {
	RUN = 1024,		/* hits that are sorted at once */
	STEP = 128,		/* entries or hits between two looks at the time */
};
#define BUDGET	(5 * SAT_MS)

struct search {
	struct search *next;
	struct search **later;		/* whoever asked finds NULL there at the end */
	struct sat_query *query;
	struct search_calls calls;
	void *arg;
	struct index_walk walk;
	const struct sat_event **hits;
	size_t n, room, sorted;		/* sorted: so many of them, in runs */
	size_t *heads, n_heads;		/* a heap of the first hits of runs that are left */
	const struct sat_event *last;	/* handed out */
	bool few, walked;
	int rc;
};

static struct list { struct search *first, **end; } lists[2] = { { 0 }, { 0 } };	/* few, many */
static size_t waiting;
static int64_t budget = BUDGET;		/* of a turn, and as much again as its messages come */
static int64_t left = BUDGET;		/* of the latter, until the next turn */

static struct list *list_of(const struct search *s)
{
	return &lists[!s->few];
}

static void join(struct search *s)
{
	struct list *l = list_of(s);

	if (l->first == NULL)
		l->end = &l->first;
	*l->end = s;
	l->end = &s->next;
	waiting++;
}

static void leave(struct search *s)
{
	struct list *l = list_of(s);
	struct search **at = &l->first;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (l->end == &s->next)
		l->end = at;
	waiting--;
}

static void destroy(struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->hits[i] != NULL)
			sat_drop(s->hits[i]);
	sat_drop(s->last);
	free(s->hits);
	free(s->heads);
	index_walk_end(&s->walk);
	sat_query_free(s->query);
	free(s);
}

static void finish(struct search *s)
{
	struct search_calls calls = s->calls;
	void *arg = s->arg;
	int rc = s->rc;

	leave(s);
	if (s->later != NULL)
		*s->later = NULL;
	destroy(s);
	calls.done(arg, rc);
}

/* ---- Finding ------------------------------------------------------------ */

static int hit(void *arg, const struct sat_event *ev)
{
	struct search *s = arg;
	size_t more = s->room != 0 ? 2 * s->room : 64;
	const struct sat_event **p;

	if (!sat_query_match(s->query, ev))
		return 0;
	if (s->n == s->room) {
		p = realloc(s->hits, more * sizeof(*p));
		if (p == NULL)
			return -ENOMEM;
		s->hits = p;
		s->room = more;
	}
	ev = sat_keep(ev);
	if (ev == NULL)
		return -ENOMEM;
	s->hits[s->n++] = ev;
	return 0;
}

static int by_name_of(const void *a, const void *b)
{
	return event_by_name(*(const struct sat_event *const *)a, *(const struct sat_event *const *)b);
}

/* ---- Handing out: the runs are merged ----------------------------------- */

static bool before(const struct search *s, size_t a, size_t b)
{
	return event_by_name(s->hits[s->heads[a]], s->hits[s->heads[b]]) < 0;
}

static void down(struct search *s, size_t i)
{
	size_t c, head;

	while ((c = 2 * i + 1) < s->n_heads) {
		if (c + 1 < s->n_heads && before(s, c + 1, c))
			c++;
		if (!before(s, c, i))
			return;
		head = s->heads[i];
		s->heads[i] = s->heads[c];
		s->heads[c] = head;
		i = c;
	}
}

static int make_heap(struct search *s)
{
	s->heads = malloc((s->n / RUN + 1) * sizeof(*s->heads));
	if (s->heads == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i += RUN)
		s->heads[s->n_heads++] = i;
	for (size_t i = s->n_heads / 2; i-- > 0;)
		down(s, i);
	return 0;
}

/* An entry that went and came again may have been met twice. */
static int hand_out(struct search *s)
{
	size_t head = s->heads[0];
	const struct sat_event *ev = s->hits[head];
	bool again = s->last != NULL && event_by_name(s->last, ev) == 0;

	s->hits[head++] = NULL;
	if (head % RUN == 0 || head == s->n)
		s->heads[0] = s->heads[--s->n_heads];
	else
		s->heads[0] = head;
	down(s, 0);
	sat_drop(s->last);
	s->last = ev;
	return again ? 0 : s->calls.found(s->arg, ev);
}

/* ---- Slices ------------------------------------------------------------- */

static void sort_run(struct search *s)
{
	size_t n = s->n - s->sorted < RUN ? s->n - s->sorted : RUN;

	qsort(s->hits + s->sorted, n, sizeof(*s->hits), by_name_of);
	s->sorted += n;
}

/* A little of it; false: it is over. */
static bool step(struct search *s)
{
	if (s->rc == 0 && !s->walked) {
		s->walked = !index_walk(&s->walk, STEP, hit, s, &s->rc);
		if (s->n - s->sorted >= RUN)
			sort_run(s);
	} else if (s->rc == 0 && s->sorted < s->n) {
		sort_run(s);
	} else if (s->rc == 0 && s->heads == NULL) {
		s->rc = make_heap(s);
	} else {
		for (int i = 0; i < STEP && s->rc == 0 && s->n_heads != 0; i++)
			s->rc = hand_out(s);
		return s->rc == 0 && s->n_heads != 0;
	}
	return s->rc == 0;
}

/* Until it is over, or the time is up; false: there is more to do. */
static bool go_on(struct search *s, int64_t until)
{
	while (step(s))
		if (until != INT64_MAX && clock_boot() >= until)
			return false;
	finish(s);
	return true;
}

bool search_turn(void)
{
	int64_t until = clock_boot() + budget;

	left = budget;
	if (waiting == 0)
		return false;
	for (int i = 0; i < 2; i++)
		while (lists[i].first != NULL)
			if (!go_on(lists[i].first, until) || clock_boot() >= until)
				return waiting != 0;
	return false;
}

int search_start(struct sat_query *q, const struct search_calls *calls, void *arg, struct search **later)
{
	struct search *s = q != NULL ? calloc(1, sizeof(*s)) : NULL;
	int64_t begun;

	if (later != NULL)
		*later = NULL;
	if (s == NULL) {
		sat_query_free(q);
		return -ENOMEM;
	}
	*s = (struct search){ .query = q, .calls = *calls, .arg = arg };
	if (index_walk_begin(&s->walk, q, INDEX_ANY) != 0) {
		destroy(s);
		return -ENOMEM;
	}
	s->few = s->walk.end <= INDEX_FEW;
	join(s);
	if (later == NULL) {
		go_on(s, INT64_MAX);
		return 0;
	}
	*later = s;
	s->later = later;
	if (list_of(s)->first != s || left <= 0)
		return 0;
	begun = clock_boot();
	go_on(s, begun + left);
	left -= clock_boot() - begun + 1;
	return 0;
}

void search_stop(struct search *s)
{
	if (s == NULL)
		return;
	leave(s);
	if (s->later != NULL)
		*s->later = NULL;
	destroy(s);
}

size_t search_waiting(void)
{
	return waiting;
}

void search_free(void)
{
	for (int i = 0; i < 2; i++)
		while (lists[i].first != NULL)
			search_stop(lists[i].first);
}

void search_budget(int64_t each)
{
	budget = left = each;
}
