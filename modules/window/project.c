/* SPDX-License-Identifier: Apache-2.0 */
/* project - the latest event of each of some predicates, side by side: project. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "window.h"

struct project { uint32_t n; struct sat_query *queries[]; };

/* The latest that a predicate held for; NULL: none, or it is expired and was passed on so. */
struct place { const struct sat_event *ev; int64_t expires; };
struct places { struct place *v; };		/* NULL until the first event */

static const struct sat_option *const project_options[] = {
	SAT_OPTION("project", SAT_STRINGS, .required = true, .help = "predicates, one for each place of the list"),
	NULL
};

static void undefine(void *def)
{
	struct project *p = def;

	for (uint32_t i = 0; i < p->n; i++)
		sat_query_free(p->queries[i]);
	free(p);
}

static int define(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	const struct sat_conf *list = sat_conf_get(conf, "project");
	size_t n;
	const char *const *texts = sat_conf_strings(conf, "project", &n);
	struct project *p = calloc(1, sizeof(*p) + n * sizeof(p->queries[0]));
	char error[256] = "";
	int rc = 0;

	(void)node;
	(void)module;
	if (p == NULL)
		return -ENOMEM;
	if (n == 0)
		rc = sat_conf_error(conf, "project", "names no predicate");
	for (; p->n < n; p->n++) {
		p->queries[p->n] = sat_query_parse(texts[p->n], error, sizeof(error));
		if (p->queries[p->n] == NULL)
			rc = sat_conf_error(sat_conf_at(list, p->n), NULL, "%s", error);
	}
	if (rc != 0)
		undefine(p);
	else
		*def = p;
	return rc;
}

static int put(struct place *place, const struct sat_event *ev)
{
	const struct sat_event *kept = ev != NULL ? sat_keep(ev) : NULL;

	if (ev != NULL && kept == NULL)
		return -ENOMEM;
	sat_drop(place->ev);
	place->ev = kept;
	place->expires = INT64_MAX;
	if (ev != NULL)
		place->expires = sat_expired(ev) ? INT64_MIN : sat_expires(ev);
	return 0;
}

/* As Riemann's index says it of an entry. */
static const struct sat_event *expire(const struct sat_at *at, const struct sat_event *ev)
{
	struct sat_event *gone = sat_edit(at, NULL);

	if (gone == NULL)
		return NULL;
	gone->host = ev->host;
	gone->service = ev->service;
	gone->state = "expired";
	gone->time = sat_wall();
	gone->has = SAT_HAS_TIME | SAT_HAS_STAMP;
	return gone;
}

/* The list as it is now; what is expired is in it once more, and keeps its place no longer. */
static int pass(const struct sat_at *at, const struct project *p, struct places *s)
{
	const struct sat_event **evs = sat_scratch(at, 2 * p->n * sizeof(*evs)), **gone = evs + p->n;
	const struct sat_event *nil = sat_edit(at, NULL);
	uint32_t n_gone = 0;
	int rc = evs == NULL || nil == NULL ? -ENOMEM : 0;

	for (uint32_t i = 0; i < p->n && rc == 0; i++) {
		struct place *place = &s->v[i];

		evs[i] = place->ev != NULL ? place->ev : nil;
		if (place->ev == NULL || sat_clock() <= place->expires)
			continue;
		evs[i] = expire(at, place->ev);
		rc = evs[i] != NULL ? 0 : -ENOMEM;
		gone[n_gone++] = place->ev;
		place->ev = NULL;
	}
	if (rc == 0)
		sat_pass(at, 0, &(struct sat_item){ evs, p->n, true });
	while (n_gone > 0)
		sat_drop(gone[--n_gone]);
	return rc;
}

static int item_fork(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const bool event = !item->list && item->n == 1;
	const struct sat_event *ev = event ? item->evs[0] : sat_edit(at, NULL);
	const struct project *p = def;
	struct places *s = state;
	bool held = false;
	int rc = ev != NULL ? 0 : -ENOMEM;

	if (rc == 0 && s->v == NULL && (s->v = calloc(p->n, sizeof(*s->v))) == NULL)
		rc = -ENOMEM;
	for (uint32_t i = 0; i < p->n && rc == 0; i++) {
		if (!sat_query_match(p->queries[i], ev))
			continue;
		held = true;
		rc = item->list ? sat_fail(at, -EINVAL, "it takes events, not lists") :
				  put(&s->v[i], event ? ev : NULL);
	}
	return rc == 0 && held ? pass(at, p, s) : rc;
}

static bool idle(const void *def, const void *state)
{
	const struct project *p = def;
	const struct places *s = state;

	for (uint32_t i = 0; s->v != NULL && i < p->n; i++)
		if (s->v[i].ev != NULL)
			return false;
	return true;
}

static void close_fork(const void *def, void *state)
{
	const struct project *p = def;
	struct places *s = state;

	for (uint32_t i = 0; s->v != NULL && i < p->n; i++)
		sat_drop(s->v[i].ev);
	free(s->v);
	s->v = NULL;
}

/* What is left until then: time away does not count. */
static int save(const void *def, const void *state, struct sat_writer *out)
{
	const struct project *p = def;
	const struct places *s = state;
	int rc = sat_write_int(out, s->v != NULL ? p->n : 0);

	for (uint32_t i = 0; s->v != NULL && i < p->n && rc == 0; i++) {
		const struct place *place = &s->v[i];
		bool set = place->expires == INT64_MAX || place->expires == INT64_MIN;

		sat_write_int(out, place->ev != NULL);
		if (place->ev == NULL)
			continue;
		sat_write_int(out, set ? place->expires : place->expires - sat_clock());
		rc = sat_write_event(out, place->ev);
	}
	return rc;
}

static int load_place(struct place *place, struct sat_reader *in)
{
	int64_t there;
	int rc = sat_read_int(in, &there);

	if (rc != 0 || there == 0)
		return rc;
	sat_read_int(in, &place->expires);
	if (place->expires != INT64_MAX && place->expires != INT64_MIN &&
	    __builtin_add_overflow(place->expires, sat_clock(), &place->expires))
		return -EBADMSG;
	return sat_read_event(in, &place->ev);
}

static int load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	const struct project *p = def;
	struct places *s = state;
	int64_t n;

	(void)at;
	if (version != 1 || sat_read_int(in, &n) != 0 || (n != 0 && n != p->n))
		return -EBADMSG;
	s->v = n != 0 ? calloc(p->n, sizeof(*s->v)) : NULL;
	if (n != 0 && s->v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		int rc = load_place(&s->v[i], in);

		if (rc != 0)
			return rc;
	}
	return 0;
}

const struct sat_op window_project = {
	.size = sizeof(window_project), .state_version = 1, .name = "project",
	.summary = "pass on, side by side, the latest event of each of some predicates", .options = project_options,
	.state_size = sizeof(struct places), .define = define, .undefine = undefine, .item = item_fork,
	.idle = idle, .close = close_fork, .save = save, .load = load,
};
