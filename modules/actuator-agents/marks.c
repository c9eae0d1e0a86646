/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks - the agents that are ours to reactivate, one key each in the store.
 *
 * A mark is made before Mesos is asked to deactivate, and goes after it was asked
 * to reactivate, so that whoever acts next, after a crash, too, knows what was done
 * by Satellite.  What another deactivated has none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents.h"

#define PREFIX	"deactivated/"

/* Where its mark is, or would be. */
static size_t place(const struct actuator *a, const char *id)
{
	size_t from = 0, to = a->n_marks;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (strcmp(a->marks[mid]->id, id) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

struct mark *mark_find(const struct actuator *a, const char *id)
{
	size_t i = place(a, id);

	return i < a->n_marks && strcmp(a->marks[i]->id, id) == 0 ? a->marks[i] : NULL;
}

const struct mark *mark_unlisted(const struct actuator *a, int64_t since)
{
	for (size_t i = 0; i < a->n_marks; i++)
		if (a->marks[i]->listed < since)
			return a->marks[i];
	return NULL;
}

void marks_renew(struct actuator *a)
{
	for (size_t i = 0; i < a->n_marks; i++)
		a->marks[i]->listed = sat_clock();
}

/* NULL: no memory, or too many. */
static struct mark *take(struct actuator *a, const char *id)
{
	struct mark *m = mark_find(a, id), **grown;
	size_t i = place(a, id), room = a->marks_room == 0 ? 16 : 2 * a->marks_room;

	if (m != NULL || a->n_marks >= MARKS_MAX)
		return m;
	if (a->n_marks == a->marks_room) {
		grown = realloc(a->marks, room * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		a->marks = grown;
		a->marks_room = room;
	}
	m = calloc(1, sizeof(*m) + strlen(id) + 1);
	if (m == NULL)
		return NULL;
	strcpy(m->id, id);
	m->listed = sat_clock();
	memmove(a->marks + i + 1, a->marks + i, (a->n_marks - i) * sizeof(m));
	a->marks[i] = m;
	sat_gauge(a->self, GAUGE_MARKS, (int64_t)++a->n_marks);
	return m;
}

static void lose(struct actuator *a, const char *id)
{
	size_t i = place(a, id);

	if (mark_find(a, id) == NULL)
		return;
	free(a->marks[i]);
	sat_gauge(a->self, GAUGE_MARKS, (int64_t)--a->n_marks);
	memmove(a->marks + i, a->marks + i + 1, (a->n_marks - i) * sizeof(*a->marks));
}

/* ---- The mirror --------------------------------------------------------- */

static void put(void *arg, const char *key, const void *value, size_t len, int64_t version)
{
	struct actuator *a = arg;
	struct mark *m = take(a, key + strlen(PREFIX));

	(void)value, (void)len, (void)version;
	if (m != NULL)
		m->seen = true;
	else
		a->starved = true;
	a->plan_due = true;
}

static void gone(void *arg, const char *key)
{
	struct actuator *a = arg;

	lose(a, key + strlen(PREFIX));
	a->plan_due = true;
}

/* What the store did not name since it was lost has gone meanwhile. */
static void synced(void *arg)
{
	struct actuator *a = arg;

	for (size_t i = a->n_marks; i > 0; i--)
		if (!a->marks[i - 1]->seen)
			lose(a, a->marks[i - 1]->id);
	a->synced = !a->starved;
	a->plan_due = true;
}

static void lost(void *arg, int rc)
{
	struct actuator *a = arg;

	(void)rc;
	a->synced = false;
	for (size_t i = 0; i < a->n_marks; i++)
		a->marks[i]->seen = false;
}

int marks_start(struct actuator *a)
{
	static const struct sat_mirror calls = {
		.size = sizeof(calls), .put = put, .gone = gone, .synced = synced, .lost = lost,
	};
	int rc;

	a->starved = false;
	for (size_t i = 0; i < a->n_marks; i++)
		a->marks[i]->seen = false;
	rc = sat_store_mirror(a->link, PREFIX, &calls, a);
	a->mirrors = rc == 0;
	return rc;
}

void marks_stop(struct actuator *a)
{
	if (a->mirrors)
		sat_store_unmirror(a->link, a);
	a->mirrors = a->synced = false;
}

void marks_free(struct actuator *a)
{
	for (size_t i = 0; i < a->n_marks; i++)
		free(a->marks[i]);
	free(a->marks);
	a->marks = NULL;
	a->n_marks = a->marks_room = 0;
}

/* ---- Writing ------------------------------------------------------------ */

static void end(struct job *j, int rc)
{
	struct actuator *a = j->a;

	a->n_commits--;
	if (rc != 0 && !a->stopping && sat_log_allowed(a->self, &a->limit, 5, 60 * SAT_SECOND))
		sat_log(a->self, LOG_WARNING, "%s: the store did not take its mark: %s", j->id, strerror(-rc));
	a->plan_due = true;
	j->marked(j, rc);
	actuator_idle(a);
}

static void put_done(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	struct job *j = arg;
	struct mark *m;

	(void)culprit, (void)versions;
	if (rc == -EEXIST)	/* the mirror has not said so yet */
		rc = 0;
	m = rc == 0 ? take(j->a, j->id) : NULL;
	if (rc == 0 && m == NULL)
		rc = -ENOMEM;
	if (m != NULL)
		m->seen = m->fresh = true;
	end(j, rc);
}

static void drop_done(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	struct job *j = arg;

	(void)culprit, (void)versions;
	if (rc == -ENOENT)
		rc = 0;
	if (rc == 0)
		lose(j->a, j->id);
	end(j, rc);
}

static int commit(struct job *j, const struct sat_change *change, sat_committed *done)
{
	struct actuator *a = j->a;
	char key[sizeof(PREFIX) + NAME_BYTES];
	struct sat_change changes[2];
	int rc;

	snprintf(key, sizeof(key), PREFIX "%s", j->id);
	changes[1] = *change;
	changes[1].key = key;
	if (!a->synced || !sat_fence(a->link, &changes[0]))
		return -ENOTCONN;
	rc = sat_store_commit(a->link, changes, 2, done, j);
	if (rc == 0)
		a->n_commits++;
	return rc;
}

int mark_put(struct job *j, void (*marked)(struct job *j, int rc))
{
	struct sat_buf text = { .max = 4096 };
	int64_t now = sat_wall();
	int rc = -ENOMEM;

	j->marked = marked;
	sat_buf_printf(&text, "{\"host\":");
	sat_buf_json(&text, j->host);
	sat_buf_printf(&text, ",\"by\":");
	sat_buf_json(&text, sat_host());
	sat_buf_printf(&text, ",\"time\":%lld.%06lld}", (long long)(now / SAT_SECOND), (long long)(now % SAT_SECOND));
	if (!text.full)
		rc = commit(j, &(struct sat_change){ .what = SAT_CREATE, .value = text.p, .len = text.len }, put_done);
	sat_buf_free(&text);
	return rc;
}

int mark_drop(struct job *j, void (*marked)(struct job *j, int rc))
{
	j->marked = marked;
	return commit(j, &(struct sat_change){ .what = SAT_DELETE, .version = SAT_ANY_VERSION }, drop_done);
}
