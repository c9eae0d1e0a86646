/* SPDX-License-Identifier: Apache-2.0 */
/* index_find - what a query may match: by the shortest list that has all of it, at once or in pieces. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "index_entry.h"
#include "query.h"

/* The shortest list that has every match: a host's, a service's, or (NULL) all; *none: nothing can match. */
static struct name *shortest(const struct sat_query *q, int *which, bool *none)
{
	const char *want[2] = { q != NULL ? query_host(q) : NULL, q != NULL ? query_service(q) : NULL };
	struct name *best = NULL;

	*none = false;
	for (int i = 0; i < 2; i++) {
		struct name *n = want[i] != NULL ? names_find(i, want[i]) : NULL;

		if (want[i] != NULL && n == NULL)
			*none = true;
		if (n != NULL && (best == NULL || n->n < best->n)) {
			best = n;
			*which = i;
		}
	}
	return best;
}

/* ---- In pieces ---------------------------------------------------------- */

static int gather(struct index_walk *w, const struct name *list, int which)
{
	w->few = malloc(list->n * sizeof(*w->few));
	if (w->few == NULL)
		return -ENOMEM;
	for (uint32_t at = list->first; at != 0; at = entry_at(at)->with[which].next)
		w->few[w->end++] = at;
	return 0;
}

/* By number, since an entry keeps its own; number 0 is none. */
int index_walk_begin(struct index_walk *w, const struct sat_query *q, enum index_which which)
{
	int kind = 0, rc = 0;
	bool none;
	const struct name *list = shortest(q, &kind, &none);

	*w = (struct index_walk){ .q = q, .which = which };
	if (!none && list != NULL && list->n <= INDEX_FEW)
		rc = gather(w, list, kind);
	else if (!none && entry_n_chunks != 0)
		*w = (struct index_walk){ .q = q, .which = which, .at = 1, .end = (uint32_t)entry_n_chunks * CHUNK };
	w->moment = entry_moment;
	if (rc == 0 && which != INDEX_ANY)
		entry_moment++;
	return rc;
}

void index_walk_end(struct index_walk *w)
{
	free(w->few);
	w->few = NULL;
}

/* An entry's number may be another's by now: that one came later. */
static bool is_wanted(const struct index_walk *w, const struct event *ev)
{
	uint32_t then = w->which == INDEX_OLD ? ev->born : ev->changed;

	return w->which == INDEX_ANY || (int32_t)(then - w->moment) <= 0;
}

bool index_walk(struct index_walk *w, uint32_t most, int (*met)(void *arg, const struct sat_event *ev),
		void *arg, int *rc)
{
	*rc = 0;
	for (; most > 0 && w->at < w->end; most--, w->at++) {
		const struct event *ev = entry_at(w->few != NULL ? w->few[w->at] : w->at)->ev;

		if (ev == NULL || !is_wanted(w, ev))
			continue;
		*rc = met(arg, &ev->pub);
		if (*rc != 0)
			return false;
	}
	return w->at < w->end;
}

/* ---- At once ------------------------------------------------------------ */

struct hits { const struct sat_query *q; const struct sat_event **evs; size_t n, room; };

static int hit(void *arg, const struct sat_event *ev)
{
	struct hits *h = arg;
	const struct sat_event **p;

	if (h->q != NULL && !sat_query_match(h->q, ev))
		return 0;
	if (h->n == h->room) {
		p = realloc(h->evs, (h->room != 0 ? 2 * h->room : 64) * sizeof(struct sat_event *));
		if (p == NULL)
			return -ENOMEM;
		h->evs = p;
		h->room = h->room != 0 ? 2 * h->room : 64;
	}
	h->evs[h->n++] = sat_keep(ev);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return event_by_name(*(const struct sat_event *const *)a, *(const struct sat_event *const *)b);
}

/* The hits are kept and put in order first: found() may change the index, and
 * the order of a seeded hash must not be seen. */
int index_search(const struct sat_query *q, int (*found)(void *arg, const struct sat_event *ev), void *arg)
{
	struct hits h = { .q = q };
	struct index_walk w;
	int rc = index_walk_begin(&w, q, INDEX_ANY);

	if (rc == 0)
		index_walk(&w, UINT32_MAX, hit, &h, &rc);
	index_walk_end(&w);

	if (h.n > 1)
		qsort(h.evs, h.n, sizeof(struct sat_event *), by_name);
	for (size_t i = 0; i < h.n; i++) {
		if (rc == 0)
			rc = found(arg, h.evs[i]);
		sat_drop(h.evs[i]);
	}
	free(h.evs);
	return rc;
}

int sat_index_search(const struct sat_query *q, int (*found)(void *arg, const struct sat_event *ev), void *arg)
{
	return index_search(q, found, arg);
}
