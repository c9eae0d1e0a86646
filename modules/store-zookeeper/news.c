/* SPDX-License-Identifier: Apache-2.0 */
/*
 * news - what a commit set, once more in one node, for the other masters.
 *
 * A commit of 32 hosts costs each master that watches them 32 notices and 32
 * reads, most of what a server and a master do.  So the nodes' new values also lie
 * in one of a ring of nodes, set in the same transaction, whose zxid is theirs: one
 * notice and one read.  It is only a hint: a slot may be written over before it is
 * read, and others write without it; then the nodes themselves are read, as ever.
 *
 * A node whose news came needs its watch again, not at once: while news flow it
 * would only fire again.
 */
#include "zk.h"

#define QUIET		(200 * SAT_MS)	/* without news for so long, what waits is watched again, */
#define LATEST		(5 * SAT_SECOND)	/* and then in any case */

static void look(struct sat_alarm *alarm);

static void put(void *arg, const char *key, const void *value, size_t len, int64_t version)
{
	(void)arg, (void)key, (void)value, (void)len, (void)version;	/* news_read() is told instead */
}

static void gone(void *arg, const char *key)
{
	(void)arg, (void)key;
}

static void synced(void *arg)
{
	(void)arg;
}

int news_start(struct zk *zk)
{
	static const struct sat_mirror calls = { .size = sizeof(calls), .put = put, .gone = gone, .synced = synced };
	int rc = folder_mirror(zk, NEWS, &calls, zk);

	zk->rearm_alarm.fire = look;
	for (struct folder *f = zk->folders; rc == 0 && f != NULL; f = f->next)
		if (f->arg == zk)
			zk->news = f;
	return rc;
}

void news_stop(struct zk *zk)
{
	sat_alarm_stop(&zk->rearm_alarm);
	if (zk->news != NULL)
		folder_unmirror(zk, zk);
	zk->news = NULL;
}

/* ---- Writing and reading ------------------------------------------------ */

/* KEY VERSION LENGTH, a newline, the value, a newline. */
static void write_one(struct sat_buf *out, const struct sat_change *c)
{
	if (c->what != SAT_PUT || c->version < 0 || strpbrk(c->key, " \n") != NULL)
		return;
	sat_buf_printf(out, "%s %lld %zu\n", c->key, (long long)c->version + 1, c->len);
	sat_buf_add(out, c->value, c->len);
	sat_buf_add(out, "\n", 1);
}

bool news_write(struct zk *zk, const struct sat_change *changes, size_t n, char *key, struct sat_buf *out)
{
	*out = (struct sat_buf){ .max = NEWS_BYTES };
	if (zk->news == NULL || !zk->news->synced)
		return false;
	for (size_t i = 0; i < n; i++)
		write_one(out, &changes[i]);
	if (out->full || out->len == 0) {
		sat_buf_free(out);
		return false;
	}
	snprintf(key, NEWS_KEY, NEWS "%02u", zk->next_news++ % NEWS_SLOTS);
	return true;
}

void news_read(struct zk *zk, const char *value, size_t len, int64_t zxid)
{
	const char *end = value + len;
	char head[PATH_BYTES], key[PATH_BYTES];

	while (value < end) {
		const char *line = memchr(value, '\n', (size_t)(end - value));
		size_t n = line != NULL ? (size_t)(line - value) : sizeof(head), size;
		int version;

		if (n >= sizeof(head))
			return;
		*(char *)mempcpy(head, value, n) = '\0';
		value = line + 1;
		if (sscanf(head, "%2047s %d %zu", key, &version, &size) != 3 || size >= (size_t)(end - value))
			return;
		folder_news(zk, key, value, size, zxid, version);
		value += size + 1;
	}
}

/* ---- Nodes that wait ---------------------------------------------------- */

void node_unpark(struct node *n)
{
	if (n->parked_at == NULL)
		return;
	*n->parked_at = n->next_parked;
	if (n->next_parked != NULL)
		n->next_parked->parked_at = n->parked_at;
	n->parked_at = NULL;
}

static void park(struct node *n, struct node **list)
{
	node_unpark(n);
	n->next_parked = *list;
	n->parked_at = list;
	if (n->next_parked != NULL)
		n->next_parked->parked_at = &n->next_parked;
	*list = n;
}

static void all_stale(struct node **list)
{
	while (*list != NULL)
		node_stale(*list, false);
}

static void look(struct sat_alarm *alarm)
{
	struct zk *zk = SAT_OWNER(alarm, struct zk, rearm_alarm);
	int64_t now = sat_clock(), due = zk->last_news + QUIET < zk->rearm_due ? zk->last_news + QUIET : zk->rearm_due;

	if (due > now && sat_alarm_set(zk->self, alarm, due) == 0)
		return;
	all_stale(&zk->rearm);
	if (zk->rearm_due <= now || zk->waiting == NULL || sat_alarm_set(zk->self, alarm, now + QUIET) != 0) {
		zk->rearm_due = 0;
		all_stale(&zk->waiting);	/* there may always be news on their way */
	}
	folder_pump(zk);
}

/* For LATEST at most. */
static void park_for_now(struct node *n, struct node **list)
{
	struct zk *zk = n->folder->zk;
	int64_t now = sat_clock();

	if (zk->rearm_due == 0) {
		if (sat_alarm_set(zk->self, &zk->rearm_alarm, now + QUIET) != 0) {
			node_stale(n, false);
			return;
		}
		zk->rearm_due = now + LATEST;
	}
	park(n, list);
}

/* What it holds is known, but nobody watches it. */
static void rearm(struct node *n)
{
	park_for_now(n, &n->folder->zk->rearm);
}

/*
 * A watch fires once, for the first change after it was set.  Where something newer than the node
 * then was has been told since, that change is no news; and where news are on their way, they may say.
 */
void news_fired(struct node *n)
{
	struct folder *f = n->folder, *news = f->zk->news;
	bool known = n->known;

	n->armed = n->known = false;
	if (n->reading || n->queued || !f->synced || f == news)
		node_stale(n, false);
	else if (known)
		rearm(n);
	else if (news != NULL && f->home == news->home && news->synced && news->unread > 0)
		park_for_now(n, &f->zk->waiting);	/* what is under leader/ is never told */
	else
		node_stale(n, false);
}

/* Something newer was told of it than it held when it was last read. */
void news_told(struct node *n)
{
	n->folder->zk->last_news = sat_clock();
	if (n->armed)
		n->known = true;
	else if (n->parked_at != NULL)
		rearm(n);
}

void news_came(struct zk *zk)
{
	if (zk->waiting == NULL || (zk->news != NULL && zk->news->synced && zk->news->unread > 0))
		return;
	all_stale(&zk->waiting);
	folder_pump(zk);
}
