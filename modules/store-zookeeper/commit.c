/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit - changes, as one multi: all or none.
 *
 * ZooKeeper has no operation for "whatever is there": a PUT of any version is
 * tried as a set, and as a create where there is nothing; a DELETE of any version
 * is left out where there is nothing.
 */
#include "zk.h"

enum form { AS_CHECK, AS_CREATE, AS_SET, AS_DELETE, AS_NOTHING };

struct commit {
	struct request r;
	struct zk *zk;
	struct session *session;
	sat_committed *done;
	void *arg;
	size_t n, all, bytes, tries;	/* all: with the news of them, if there are any */
	bool made_path;
	/* all of each, in the same block; then keys and values, and paths */
	struct sat_change *changes;
	char **paths;
	zoo_op_t *ops;
	zoo_op_result_t *results;
	struct Stat *stats;
	int64_t *versions;
	size_t *change_of;		/* which change an op is */
	enum form *forms;
};

static void answer(struct commit *c, int rc, size_t culprit)
{
	sat_count(c->zk->self, rc == 0 ? COUNT_COMMITS : rc == -ESTALE || rc == -EEXIST || rc == -ENOENT ?
		  COUNT_REFUSED : COUNT_ERRORS, 1);
	c->zk->n_commits--;
	c->zk->commit_bytes -= c->bytes;
	c->done(c->arg, rc, culprit, c->versions);
	free(c);
}

static bool any_version(const struct sat_change *change)
{
	return change->version == SAT_ANY_VERSION && (change->what == SAT_PUT || change->what == SAT_DELETE);
}

static void set_op(struct commit *c, size_t i, zoo_op_t *op)
{
	const struct sat_change *change = &c->changes[i];

	switch (c->forms[i]) {
	case AS_CHECK:
		zoo_check_op_init(op, c->paths[i], (int)change->version);
		break;
	case AS_CREATE:
		zoo_create_op_init(op, c->paths[i], change->value, (int)change->len, &c->zk->acl, 0, NULL, 0);
		break;
	case AS_SET:
		zoo_set_op_init(op, c->paths[i], change->value, (int)change->len, (int)change->version, &c->stats[i]);
		break;
	default:
		zoo_delete_op_init(op, c->paths[i], (int)change->version);
	}
}

static void succeeded(struct commit *c)
{
	struct zk *zk = c->zk;

	for (size_t i = 0; i < c->n; i++) {
		const struct sat_change *change = &c->changes[i];

		c->versions[i] = c->forms[i] == AS_SET ? c->stats[i].version : c->forms[i] == AS_CREATE ? 0 :
				 change->version;
		if (change->what != SAT_CHECK)
			folder_committed(zk, change, &c->stats[i]);
	}
	answer(c, 0, 0);
}

static void answered(struct request *r);

static int add_op(struct commit *c, size_t i, int n)
{
	if (c->forms[i] == AS_NOTHING)
		return n;
	memset(&c->stats[i], 0, sizeof(c->stats[i]));
	c->change_of[n] = i;
	set_op(c, i, &c->ops[n]);
	return n + 1;
}

/* News go first, so that who watches hears of them before it hears of the nodes. */
static int submit(struct commit *c)
{
	int n = 0;

	for (size_t i = c->n; i < c->all; i++)
		n = add_op(c, i, n);
	for (size_t i = 0; i < c->n; i++)
		n = add_op(c, i, n);
	memset(c->results, 0, c->all * sizeof(*c->results));
	c->r.done = answered;
	return n > 0 ? session_multi(c->session, c->ops, n, c->results, &c->r) : -ENODATA;
}

static void send_again(struct commit *c, size_t culprit)
{
	int rc = submit(c);

	if (rc == -ENODATA)
		succeeded(c);
	else if (rc != 0)
		answer(c, -ENOTCONN, culprit);
}

struct making { struct request r; struct commit *commit; size_t culprit; };

static void path_made(struct request *r)
{
	struct making *m = SAT_OWNER(r, struct making, r);
	struct commit *c = m->commit;
	size_t culprit = m->culprit;
	int rc = r->rc;

	free(m);
	if (rc == ZOK || rc == ZNODEEXISTS)
		send_again(c, culprit);
	else
		answer(c, zk_errno(rc) == -EINPROGRESS ? -ENOTCONN : zk_errno(rc), culprit);
}

/* The folder of a key that is to be made is not there: make it, once. */
static bool make_folder(struct commit *c, size_t culprit)
{
	struct making *m = c->made_path ? NULL : calloc(1, sizeof(*m));
	char path[PATH_BYTES];
	int rc;

	if (m == NULL)
		return false;
	*m = (struct making){ .r.done = path_made, .commit = c, .culprit = culprit };
	c->made_path = true;
	snprintf(path, sizeof(path), "%s", c->paths[culprit]);
	*strrchr(path, '/') = '\0';
	rc = path[0] != '\0' ? session_make_path(c->session, path, &m->r) : -EINVAL;
	if (rc != 0)
		free(m);
	return rc == 0;
}

/* Try the culprit in the other form that its change allows. */
static bool turn(struct commit *c, size_t culprit, int rc)
{
	enum form *form = &c->forms[culprit];

	if (!any_version(&c->changes[culprit]) || ++c->tries > 2 * c->n + 4)
		return false;
	if (*form == AS_SET && rc == ZNONODE)
		*form = AS_CREATE;
	else if (*form == AS_CREATE && rc == ZNODEEXISTS)
		*form = AS_SET;
	else if (*form == AS_DELETE && rc == ZNONODE)
		*form = AS_NOTHING;
	else
		return false;
	return true;
}

static void answered(struct request *r)
{
	struct commit *c = SAT_OWNER(r, struct commit, r);
	size_t op = 0, culprit;
	int rc = r->rc;

	if (rc == ZOK) {
		succeeded(c);
		return;
	}
	while (op + 1 < c->all && c->results[op].err == ZOK)
		op++;
	culprit = c->change_of[op];
	if (rc == ZNONODE && c->forms[culprit] == AS_CREATE && make_folder(c, culprit))
		return;
	if (turn(c, culprit, rc)) {
		send_again(c, culprit);
	} else if (culprit >= c->n && zk_errno(rc) != -EINPROGRESS) {	/* then without them */
		c->all = c->n;
		send_again(c, 0);
	} else {
		answer(c, rc == ZINVALIDSTATE ? -ENOTCONN : zk_errno(rc), culprit < c->n ? culprit : 0);
	}
}

static size_t bytes_of(const struct zk *zk, const struct sat_change *changes, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += 2 * strlen(changes[i].key) + strlen(zk->root) + 4 + changes[i].len + 64;
	return bytes;
}

static struct commit *allocate(size_t n, size_t bytes)
{
	struct commit *c = calloc(1, sizeof(*c) + bytes + n * (sizeof(*c->changes) + sizeof(*c->paths) +
				  sizeof(*c->ops) + sizeof(*c->results) + sizeof(*c->stats) + sizeof(*c->versions) +
				  sizeof(*c->change_of) + sizeof(*c->forms)));

	if (c == NULL)
		return NULL;
	c->changes = (struct sat_change *)(c + 1);
	c->paths = (char **)(c->changes + n);
	c->ops = (zoo_op_t *)(c->paths + n);
	c->results = (zoo_op_result_t *)(c->ops + n);
	c->stats = (struct Stat *)(c->results + n);
	c->versions = (int64_t *)(c->stats + n);
	c->change_of = (size_t *)(c->versions + n);
	c->forms = (enum form *)(c->change_of + n);
	return c;
}

/* The next of c's changes, with all it points to at p; behind that. */
static char *copy(struct commit *c, const struct zk *zk, const struct sat_change *change, char *p)
{
	static const enum form first[] = { [SAT_CHECK] = AS_CHECK, [SAT_CREATE] = AS_CREATE,
					   [SAT_PUT] = AS_SET, [SAT_DELETE] = AS_DELETE };
	struct sat_change *to = &c->changes[c->all];

	c->forms[c->all] = first[change->what];
	*to = *change;
	c->paths[c->all++] = p;
	p += sprintf(p, "%s/%s", strcmp(zk->root, "/") == 0 ? "" : zk->root, change->key) + 1;
	to->key = strcpy(p, change->key);
	p += strlen(p) + 1;
	to->value = p;
	return change->len > 0 ? mempcpy(p, change->value, change->len) : p;
}

/* changes, and behind them their news. */
static struct commit *prepare(struct zk *zk, struct session *s, const struct sat_change *changes, size_t n,
			      size_t bytes)
{
	char key[NEWS_KEY] = "", *p;
	struct sat_buf text = { 0 };
	bool told = s == zk->sessions[SESSION_HOME] && news_write(zk, changes, n, key, &text);
	struct sat_change news = { .what = SAT_PUT, .key = key, .value = text.p, .len = text.len,
				   .version = SAT_ANY_VERSION };
	struct commit *c;

	if (told && bytes + bytes_of(zk, &news, 1) > COMMIT_BYTES)
		told = false;
	bytes += told ? bytes_of(zk, &news, 1) : 0;
	c = allocate(n + told, bytes);
	if (c != NULL) {
		p = (char *)(c->forms + n + told);
		for (size_t i = 0; i < n; i++)
			p = copy(c, zk, &changes[i], p);
		if (told)
			copy(c, zk, &news, p);
		c->n = n;
		c->bytes = bytes;
	}
	sat_buf_free(&text);
	return c;
}

static struct session *session_for(struct zk *zk, const struct sat_change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(changes[i].key, "leader/", 7) != 0)
			return zk->sessions[SESSION_HOME];
	return zk->sessions[SESSION_LEADER];
}

int commit_make(void *state, const struct sat_change *changes, size_t n, sat_committed *done, void *arg)
{
	struct zk *zk = state;
	struct session *s = session_for(zk, changes, n);
	size_t bytes = bytes_of(zk, changes, n);
	struct commit *c;
	int rc;

	if (zk->stopping || s->state != SESSION_CONNECTED || sat_dry_run())
		return -ENOTCONN;
	if (bytes > COMMIT_BYTES)
		return -E2BIG;
	if (zk->n_commits >= COMMITS_MAX || zk->commit_bytes + bytes > COMMITS_BYTES)
		return -ENOBUFS;
	c = prepare(zk, s, changes, n, bytes);
	if (c == NULL)
		return -ENOMEM;
	c->zk = zk;
	c->session = s;
	c->done = done;
	c->arg = arg;
	rc = submit(c);
	if (rc != 0) {
		free(c);
		return rc;
	}
	zk->n_commits++;
	zk->commit_bytes += c->bytes;
	return 0;
}
