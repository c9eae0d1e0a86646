/* SPDX-License-Identifier: Apache-2.0 */
/* index_find - what a query may match: by the shortest list that has all of it, at once or in pieces. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "index_entry.h"
#include "query.h"

struct hits { const struct sat_event **evs; size_t n, room; };

static int hit(struct hits *h, const struct sat_query *q, const struct entry *e)
{
	const struct sat_event **p;

	if (q != NULL && !sat_query_match(q, &e->ev->pub))
		return 0;
	if (h->n == h->room) {
		p = realloc(h->evs, (h->room != 0 ? 2 * h->room : 64) * sizeof(struct sat_event *));
		if (p == NULL)
			return -ENOMEM;
		h->evs = p;
		h->room = h->room != 0 ? 2 * h->room : 64;
	}
	h->evs[h->n] = sat_keep(&e->ev->pub);
	h->n++;
	return 0;
}

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

static int collect(struct hits *h, const struct sat_query *q)
{
	int which = 0, rc = 0;
	bool none;
	const struct name *list = shortest(q, &which, &none);

	if (none)
		return 0;
	if (list != NULL) {
		for (uint32_t at = list->first; at != 0 && rc == 0; at = entry_at(at)->with[which].next)
			rc = hit(h, q, entry_at(at));
		return rc;
	}
	for (uint32_t at = 1; at < entry_n_chunks * CHUNK && rc == 0; at++)
		if (entry_at(at)->ev != NULL)
			rc = hit(h, q, entry_at(at));
	return rc;
}

size_t index_walk_begin(struct index_walk *w, const struct sat_query *q)
{
	int which = 0;
	bool none;
	const struct name *list = shortest(q, &which, &none);

	*w = (struct index_walk){ .q = q, .few = none || (list != NULL && list->n <= INDEX_FEW) };
	return none ? 0 : w->few ? list->n : index_size();
}

static int walk_list(const struct index_walk *w, int (*met)(void *arg, const struct sat_event *ev), void *arg)
{
	int which = 0, rc = 0;
	bool none;
	const struct name *list = shortest(w->q, &which, &none);

	for (uint32_t at = none || list == NULL ? 0 : list->first; at != 0 && rc == 0;
	     at = entry_at(at)->with[which].next)
		rc = met(arg, &entry_at(at)->ev->pub);
	return rc;
}

/* By number, since an entry keeps its own. */
bool index_walk(struct index_walk *w, uint32_t most, int (*met)(void *arg, const struct sat_event *ev),
		void *arg, int *rc)
{
	*rc = 0;
	if (w->few) {
		*rc = walk_list(w, met, arg);
		return false;
	}
	if (w->at == 0)
		w->end = (uint32_t)entry_n_chunks * CHUNK;
	for (uint32_t n = 0; n < most && *rc == 0 && ++w->at < w->end; n++)
		if (entry_at(w->at)->ev != NULL)
			*rc = met(arg, &entry_at(w->at)->ev->pub);
	return *rc == 0 && w->at < w->end;
}

/* nil comes before the empty string. */
static int compare(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int by_name(const void *a, const void *b)
{
	const struct sat_event *x = *(const struct sat_event *const *)a;
	const struct sat_event *y = *(const struct sat_event *const *)b;
	int c = compare(x->host, y->host);

	return c != 0 ? c : compare(x->service, y->service);
}

/* The hits are kept and put in order first: found() may change the index, and
 * the order of a seeded hash must not be seen. */
int index_search(const struct sat_query *q, int (*found)(void *arg, const struct sat_event *ev), void *arg)
{
	struct hits h = { 0 };
	int rc = collect(&h, q);

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
