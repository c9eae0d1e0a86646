/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - links between instances and the stores they use.
 *
 * A link counts what it has under way, so that an answer which comes after its
 * user has gone is dropped here.  Where leadership is not claimed in the store
 * itself it also stands for the fence: the change that sat_fence() gives is judged
 * here, before the store sees the rest.  And it knows whether its user has seen
 * all that it asked for: else the store is a part that is not ready.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claim.h"
#include "clock.h"
#include "http.h"
#include "lead.h"
#include "store.h"

#define MAX_CHANGES 1024
#define MAX_KEY 1024

static const char fence_key[] = "leader/epoch";

struct mirror {
	struct mirror *next;
	struct sat_link *link;
	struct sat_mirror cb;
	void *arg;
	bool synced;
};

struct sat_link {
	struct sat_self *user, *store;
	struct mirror *mirrors;
	unsigned busy;			/* commits under way */
	bool dropped;			/* nobody hears their answers */
};

struct commit {
	struct sat_link *link;
	sat_committed *done;
	void *arg;
	int rc;				/* of one that the store never saw */
	bool fenced;			/* the first change was not the store's */
	size_t n;			/* changes that it was given */
	int64_t begun;			/* of CLOCK_BOOTTIME */
	int64_t versions[];		/* where fenced: with one for the fence */
};

struct sat_link *store_link(struct sat_self *user, struct sat_self *store)
{
	struct sat_link *link = calloc(1, sizeof(*link));

	if (link != NULL)
		*link = (struct sat_link){ .user = user, .store = store };
	return link;
}

struct sat_self *store_of(const struct sat_link *link)
{
	return link->store;
}

static const struct sat_store *vtable(const struct sat_link *link)
{
	return link->store->module->store;
}

static void free_unused(struct sat_link *link)
{
	if (link->dropped && link->busy == 0)
		free(link);
}

void store_drop(struct sat_link *link)
{
	if (link == NULL)
		return;
	while (link->mirrors != NULL)
		sat_store_unmirror(link, link->mirrors->arg);
	link->dropped = true;
	free_unused(link);
}

static void answer(struct commit *c, int rc, size_t culprit, const int64_t *versions)
{
	struct sat_link *link = c->link;

	if (!link->dropped)
		c->done(c->arg, rc, culprit, versions);
	link->busy--;
	free(c);
	free_unused(link);
}

/* How long stores take, and whether they do it. */
static void note(const struct commit *c, int rc)
{
	static int64_t mean;

	mean += (clock_boot() - c->begun - mean) / 8;
	self_set(SELF_STORE_TIME, mean);
	self_add(rc == -ENOTCONN || rc == -EINPROGRESS ? SELF_STORE_FAILED : SELF_STORE_COMMITS, (int64_t)c->n);
}

/* The store has answered for what it was given. */
static void committed(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	struct commit *c = arg;

	note(c, rc);
	if (!c->fenced) {
		answer(c, rc, culprit, versions);
		return;
	}
	if (rc == 0 && versions != NULL)
		memcpy(c->versions + 1, versions, c->n * sizeof(*versions));
	answer(c, rc, culprit + 1, c->versions);
}

/* For what the store was not asked; never from inside sat_store_commit(). */
static void decided(void *arg)
{
	struct commit *c = arg;

	answer(c, c->rc, 0, c->versions);
}

static bool legal_key(const char *key)
{
	size_t n = key != NULL ? strlen(key) : 0;

	return n > 0 && n <= MAX_KEY && key[0] != '/' && key[n - 1] != '/' && strstr(key, "//") == NULL;
}

static int judge(const struct sat_change *changes, size_t n)
{
	if (n == 0)
		return -EINVAL;
	if (n > MAX_CHANGES)
		return -E2BIG;
	for (size_t i = 0; i < n; i++)
		if (!legal_key(changes[i].key) || changes[i].what > SAT_DELETE)
			return -EINVAL;
	return 0;
}

int sat_store_commit(struct sat_link *link, const struct sat_change *changes, size_t n,
		     sat_committed *done, void *arg)
{
	bool fenced = n > 0 && changes[0].key == fence_key && !claim_lies_in(link->store);
	struct commit *c;
	int rc = judge(changes, n);

	if (rc != 0)
		return rc;
	c = calloc(1, sizeof(*c) + n * sizeof(*c->versions));
	if (c == NULL)
		return -ENOMEM;
	*c = (struct commit){ .link = link, .done = done, .arg = arg, .fenced = fenced, .n = n - fenced,
			      .begun = clock_boot() };
	link->busy++;
	if (fenced && (sat_epoch() == 0 || sat_epoch() != (uint64_t)changes[0].version)) {
		c->rc = -ESTALE;
		rc = sat_post(link->store, decided, c);
	} else if (c->n == 0) {
		rc = sat_post(link->store, decided, c);
	} else {
		rc = vtable(link)->commit(link->store->state, changes + fenced, c->n, committed, c);
	}
	if (rc != 0) {
		link->busy--;
		free(c);
	}
	return rc;
}

static void put(void *arg, const char *key, const void *value, size_t len, int64_t version)
{
	struct mirror *m = arg;

	m->cb.put(m->arg, key, value, len, version);
}

static void gone(void *arg, const char *key)
{
	struct mirror *m = arg;

	m->cb.gone(m->arg, key);
}

/* Of leadership the host speaks elsewhere. */
static void say_ready(const struct sat_link *link, const char *why)
{
	if (link->user != &self_host)
		http_ready(link->store->name, why);
}

static void all_synced(struct sat_link *link)
{
	for (const struct mirror *m = link->mirrors; m != NULL; m = m->next)
		if (!m->synced)
			return;
	say_ready(link, NULL);
}

static void synced(void *arg)
{
	struct mirror *m = arg;

	m->synced = true;
	all_synced(m->link);
	m->cb.synced(m->arg);
}

static void lost(void *arg, int rc)
{
	struct mirror *m = arg;
	char why[128];

	m->synced = false;
	snprintf(why, sizeof(why), "out of touch: %s", strerror(-rc));
	say_ready(m->link, why);
	if (m->cb.lost != NULL)
		m->cb.lost(m->arg, rc);
}

int sat_store_mirror(struct sat_link *link, const char *prefix, const struct sat_mirror *cb, void *arg)
{
	static const struct sat_mirror ours = {
		.size = sizeof(ours), .put = put, .gone = gone, .synced = synced, .lost = lost,
	};
	struct mirror *m;
	int rc;

	if (cb->put == NULL || cb->gone == NULL || cb->synced == NULL)
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	*m = (struct mirror){ .next = link->mirrors, .link = link, .arg = arg };
	memcpy(&m->cb, cb, cb->size < sizeof(m->cb) ? cb->size : sizeof(m->cb));
	link->mirrors = m;
	say_ready(link, "not read yet");
	rc = vtable(link)->mirror(link->store->state, prefix, &ours, m);
	if (rc != 0) {
		link->mirrors = m->next;
		free(m);
		all_synced(link);
	}
	return rc;
}

void sat_store_unmirror(struct sat_link *link, void *arg)
{
	struct mirror **at = &link->mirrors;

	while (*at != NULL) {
		struct mirror *m = *at;

		if (m->arg != arg) {
			at = &m->next;
			continue;
		}
		*at = m->next;
		vtable(link)->unmirror(link->store->state, m);
		free(m);
		all_synced(link);
	}
}

bool sat_fence(struct sat_link *link, struct sat_change *check)
{
	uint64_t epoch = sat_epoch();

	if (claim_lies_in(link->store))
		claim_fence(check);
	else
		*check = (struct sat_change){ .what = SAT_CHECK, .key = fence_key, .version = (int64_t)epoch };
	return epoch != 0;
}
