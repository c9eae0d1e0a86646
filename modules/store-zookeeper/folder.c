/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder - a mirror of the keys of one folder.
 *
 * What a watch says is only that a node is worth reading: what the mirror is
 * told comes from reads, and from our own commits.  Sessions may be with different
 * servers, of which one lags behind another: so a node that another session
 * told us of, or that seems gone, is read after a sync, and what is older than what
 * was told already is ignored.
 */
#include "zk.h"

static void node_read(struct request *r);
static void list(struct folder *f);

bool zk_path(const struct zk *zk, const char *key, char *buf)
{
	int n = snprintf(buf, PATH_BYTES, "%s/%s", strcmp(zk->root, "/") == 0 ? "" : zk->root, key);

	return n > 0 && n < PATH_BYTES;
}

/* The folder itself, without the "/" at the end. */
static bool folder_path(const struct folder *f, char *buf)
{
	if (!zk_path(f->zk, f->prefix, buf))
		return false;
	buf[strlen(buf) - 1] = '\0';
	return true;
}

/* ---- The nodes of a folder ---------------------------------------------- */

static size_t hash(const char *name)
{
	return (size_t)sat_hash(0, name);
}

static struct node *node_find(const struct folder *f, const char *name)
{
	struct node *n = f->n_buckets > 0 ? f->buckets[hash(name) & (f->n_buckets - 1)] : NULL;

	while (n != NULL && strcmp(n->name, name) != 0)
		n = n->bucket;
	return n;
}

static int grow(struct folder *f)
{
	size_t n = f->n_buckets > 0 ? 2 * f->n_buckets : 16;
	struct node **buckets = calloc(n, sizeof(struct node *));

	if (buckets == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < f->n_buckets; i++) {
		struct node *next;

		for (struct node *node = f->buckets[i]; node != NULL; node = next) {
			struct node **to = &buckets[hash(node->name) & (n - 1)];

			next = node->bucket;
			node->bucket = *to;
			*to = node;
		}
	}
	free(f->buckets);
	f->buckets = buckets;
	f->n_buckets = n;
	return 0;
}

static size_t watch_bytes(const struct folder *f, const char *name)
{
	return strlen(f->zk->root) + strlen(f->prefix) + strlen(name) + PATH_EXTRA;
}

/* The first session, from the folder's own, that has room for another watch. */
static struct session *session_for(struct folder *f, size_t bytes)
{
	struct zk *zk = f->zk;
	struct session *s = f->home;
	unsigned i = SESSION_HOME;

	while (s != NULL && s->watch_bytes + bytes > WATCH_BYTES)
		s = ++i < zk->n_sessions ? zk->sessions[i] : NULL;
	if (s != NULL)
		return s;
	s = session_new(zk);
	if (s != NULL)
		session_open(s);
	return s;
}

static struct node *node_add(struct folder *f, const char *name)
{
	size_t bytes = watch_bytes(f, name);
	struct session *s = session_for(f, bytes);
	struct node *n = s != NULL ? calloc(1, sizeof(*n) + strlen(name) + 1) : NULL;

	if (n == NULL || (f->n_nodes >= f->n_buckets && grow(f) != 0)) {
		if (!f->zk->full)
			sat_log(f->zk->self, LOG_ERR, "%s%s: %s; not mirrored", f->prefix, name,
				f->zk->n_sessions >= SESSIONS_MAX ? "too many nodes to watch" : strerror(ENOMEM));
		f->zk->full = true;
		if (f->zk->n_sessions < SESSIONS_MAX)
			f->listed = false;	/* folder_look() tries again */
		free(n);
		return NULL;
	}
	strcpy(n->name, name);
	n->folder = f;
	n->session = s;
	s->watch_bytes += bytes;
	n->bucket = f->buckets[hash(name) & (f->n_buckets - 1)];
	f->buckets[hash(name) & (f->n_buckets - 1)] = n;
	f->n_nodes++;
	f->list_bytes += strlen(name) + NAME_EXTRA;
	sat_gauge(f->zk->self, COUNT_NODES, (int64_t)f->n_nodes);
	return n;
}

static void node_free_unused(struct node *n)
{
	if (n->gone && !n->queued && !n->reading)
		free(n);
}

/* Out of the folder; freed once nothing points to it any more. */
static void node_remove(struct node *n)
{
	struct folder *f = n->folder;
	struct node **at = &f->buckets[hash(n->name) & (f->n_buckets - 1)];

	while (*at != n)
		at = &(*at)->bucket;
	*at = n->bucket;
	f->n_nodes--;
	f->list_bytes -= strlen(n->name) + NAME_EXTRA;
	f->unread -= n->queued || n->reading;
	node_unpark(n);
	n->session->watch_bytes -= watch_bytes(f, n->name);
	n->gone = true;
	sat_gauge(f->zk->self, COUNT_NODES, (int64_t)f->n_nodes);
	node_free_unused(n);
}

/* ---- What the mirror is told -------------------------------------------- */

static void tell_put(struct node *n, const void *value, size_t len, const struct Stat *stat)
{
	struct folder *f = n->folder;
	char key[PATH_BYTES];

	snprintf(key, sizeof(key), "%s%s", f->prefix, n->name);
	if (n->told && n->czxid != stat->czxid && n->czxid != 0)
		f->cb->gone(f->arg, key);	/* and made again: its versions began anew */
	n->told = f->told = true;
	n->czxid = stat->czxid;
	n->mzxid = stat->mzxid;
	n->version = stat->version;
	if (f == f->zk->news)
		news_read(f->zk, value, len, stat->mzxid);
	else
		f->cb->put(f->arg, key, value, len, stat->version);
}

static void tell_gone(struct node *n)
{
	struct folder *f = n->folder;
	char key[PATH_BYTES];

	snprintf(key, sizeof(key), "%s%s", f->prefix, n->name);
	if (n->told)
		f->cb->gone(f->arg, key);
	node_remove(n);
}

static void tell_if_synced(struct folder *f)
{
	if (f->synced || f->dropped || !f->listed || f->listing || f->unread > 0 ||
	    f->home->state != SESSION_CONNECTED)
		return;
	f->synced = f->told = true;
	f->cb->synced(f->arg);
}

/* ---- Reading ------------------------------------------------------------ */

struct reading { struct request r; struct node *node; bool synced; };

static void queue(struct node *n)
{
	struct session *s = n->session;

	n->queued = true;
	n->next_stale = NULL;
	if (n->folder == s->zk->news && s->stale != NULL) {	/* may save us others */
		n->next_stale = s->stale;
		s->stale = n;
		return;
	}
	*s->last_stale = n;
	s->last_stale = &n->next_stale;
}

static struct node *unqueue(struct session *s)
{
	struct node *n = s->stale;

	s->stale = n->next_stale;
	if (s->stale == NULL)
		s->last_stale = &s->stale;
	n->queued = false;
	return n;
}

static int read_one(struct session *s, struct node *n)
{
	struct reading *rd = calloc(1, sizeof(*rd));
	char key[PATH_BYTES], path[PATH_BYTES];
	int rc = rd != NULL ? 0 : -ENOMEM;

	snprintf(key, sizeof(key), "%s%s", n->folder->prefix, n->name);
	if (rc == 0 && !zk_path(s->zk, key, path))
		rc = -ENAMETOOLONG;
	if (rc == 0) {
		rd->r.done = node_read;
		rd->node = n;
		rd->synced = n->doubt;
		rc = session_get(s, path, &rd->r);
	}
	if (rc != 0) {
		free(rd);
		return rc;
	}
	n->reading = true;
	n->doubt = n->again = false;
	n->folder->asked++;
	s->reads++;
	sat_count(s->zk->self, COUNT_READS, 1);
	return 0;
}

/* Read what is stale, as much at once as is allowed. */
static void pump(struct session *s)
{
	bool synced = false;

	while (s->state == SESSION_CONNECTED && s->stale != NULL && s->reads < READS_MAX) {
		struct node *n = unqueue(s);

		if (n->gone) {
			node_free_unused(n);
			continue;
		}
		synced = synced || (n->doubt && session_sync(s) == 0);
		if ((synced || !n->doubt) && read_one(s, n) == 0)
			continue;
		queue(n);	/* out of memory, or of touch: at the next answer or connection */
		return;
	}
}

void node_stale(struct node *n, bool doubt)
{
	node_unpark(n);
	n->doubt = n->doubt || doubt;
	if (n->reading) {
		n->again = true;
	} else if (!n->queued) {
		n->folder->unread++;
		queue(n);
	}
}

static void take_value(struct node *n, const struct reading *rd)
{
	const struct Stat *stat = &rd->r.stat;
	struct folder *f = n->folder;

	/* While the mirror is out of touch it is told everything anew; and news do not say when a node was made. */
	if (stat->mzxid > n->mzxid ||
	    (stat->mzxid == n->mzxid && (!n->told || !f->synced || stat->czxid != n->czxid)))
		tell_put(n, rd->r.bytes, rd->r.len, stat);
	n->armed = true;
	n->known = stat->mzxid < n->mzxid;
}

/* Once, until it goes well; it is tried again every second. */
static void complain(struct folder *f, const char *done, int rc)
{
	if (!f->failed && zk_errno(rc) != -EINPROGRESS)
		sat_log(f->zk->self, LOG_ERR, "%s/%s cannot be %s: %s", strcmp(f->zk->root, "/") == 0 ? "" : f->zk->root,
			f->prefix, done, rc == ZNOAUTH ? "no permission; see \"auth\" and \"acl\"" : zerror(rc));
	f->failed = f->failed || zk_errno(rc) != -EINPROGRESS;
}

static void node_answered(struct node *n, const struct reading *rd)
{
	struct folder *f = n->folder;
	int rc = rd->r.rc;

	f->unread--;
	if (rc == ZNONODE && rd->synced && !n->again) {
		tell_gone(n);
		return;
	}
	if (rc == ZOK && !f->dropped)
		take_value(n, rd);
	else if (rc == ZNOAUTH)
		complain(f, "read whole", rc);
	if (n->again || (rc != ZOK && rc != ZNOAUTH))
		node_stale(n, n->doubt || rc == ZNONODE);
}

static void folder_free_unused(struct folder *f);

static void node_read(struct request *r)
{
	struct reading *rd = SAT_OWNER(r, struct reading, r);
	struct node *n = rd->node;
	struct folder *f = n->folder;
	struct session *s = r->session;

	s->reads--;
	n->reading = false;
	f->asked--;
	if (n->gone)
		node_free_unused(n);
	else
		node_answered(n, rd);
	free(rd);
	pump(s);
	if (f == s->zk->news)
		news_came(s->zk);
	tell_if_synced(f);
	folder_free_unused(f);
}

/* ---- Listing ------------------------------------------------------------ */

struct asking { struct request r; struct folder *folder; };

/* Ask something of the folder itself; `listing` until it is answered. */
static void ask(struct folder *f, int (*what)(struct session *s, const char *path, struct request *r),
		void (*done)(struct request *r))
{
	struct asking *a = calloc(1, sizeof(*a));
	char path[PATH_BYTES];

	f->listing = f->again = false;
	if (a != NULL && folder_path(f, path)) {
		a->r.done = done;
		a->folder = f;
		f->listing = what(f->home, path, &a->r) == 0;
	}
	f->asked += f->listing;
	if (f->listing)
		return;
	f->listed = false;	/* the watch has been used up: folder_look() lists it */
	free(a);
}

static struct folder *asked_of(struct request *r)
{
	struct asking *a = SAT_OWNER(r, struct asking, r);
	struct folder *f = a->folder;

	free(a);
	f->asked--;
	f->listing = false;
	return f;
}

static void compare(struct folder *f, const char *names, size_t len)
{
	for (size_t i = 0; i < f->n_buckets; i++)
		for (struct node *n = f->buckets[i]; n != NULL; n = n->bucket)
			n->listed = false;
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		struct node *n = node_find(f, name);

		if (n == NULL) {
			n = node_add(f, name);
			if (n == NULL)
				continue;
			node_stale(n, true);
		}
		n->listed = true;
	}
	for (size_t i = 0; i < f->n_buckets; i++)
		for (struct node *n = f->buckets[i]; n != NULL; n = n->bucket)
			if (!n->listed)
				node_stale(n, true);
}

void folder_pump(struct zk *zk)
{
	for (unsigned i = 0; i < zk->n_sessions; i++)
		pump(zk->sessions[i]);
}

static void appeared(struct request *r)
{
	int rc = r->rc;
	struct folder *f = asked_of(r);

	if (rc == ZOK)
		list(f);
	else
		tell_if_synced(f);
	folder_free_unused(f);
}

static void made(struct request *r)
{
	int rc = r->rc;
	struct folder *f = asked_of(r);

	if (rc == ZOK || rc == ZNODEEXISTS)
		list(f);
	else
		complain(f, "made", rc);
	folder_free_unused(f);
}

/* There is no such folder: an empty one, which in a dry run somebody else may make. */
static void no_folder(struct folder *f)
{
	if (!sat_dry_run()) {
		ask(f, session_make_path, made);
		return;
	}
	f->listed = true;
	compare(f, NULL, 0);
	ask(f, session_exists, appeared);
}

/* We read it still, and so does every client in C or Python: said, and no host is refused for it. */
static void judge_size(struct folder *f)
{
	struct sat_self *self = f->zk->self;
	char text[300];

	if (f->large == (f->list_bytes > LIST_MAX))
		return;
	f->large = !f->large;
	snprintf(text, sizeof(text), f->large ? "%s: the list of its %zu nodes is over 1 MiB: programs on the JVM cannot "
		 "read it, an older Satellite among them, unless -Djute.maxbuffer of theirs says more" :
		 "%s: the list of its %zu nodes is under 1 MiB again", f->prefix, f->n_nodes);
	sat_log(self, f->large ? LOG_WARNING : LOG_NOTICE, "%s", text);
	sat_emit(self, .service = "satellite/store-zookeeper/list", .state = f->large ? "warning" : "ok",
		 .description = text, .has = SAT_HAS_INT, .metric = { .i = (int64_t)f->list_bytes });
}

static void listed(struct request *r)
{
	const char *names = r->bytes;
	size_t len = r->len;
	int rc = r->rc;
	struct folder *f = asked_of(r);

	if (f->dropped) {
		folder_free_unused(f);
		return;
	}
	f->listed = rc == ZOK && !f->again;
	if (rc == ZOK) {
		f->failed = false;
		compare(f, names, len);
		judge_size(f);
	} else if (rc == ZNONODE) {
		no_folder(f);
	} else {
		complain(f, "read", rc);
	}
	folder_pump(f->zk);
	if (f->again && !f->listing)
		list(f);
	tell_if_synced(f);
}

static void list(struct folder *f)
{
	if (f->dropped)
		return;
	if (f->listing) {
		f->again = true;
		return;
	}
	if (f->listed || session_sync(f->home) == 0)
		ask(f, session_list, listed);
}

/* ---- What sessions say -------------------------------------------------- */

static bool uses(const struct folder *f, const struct session *s)
{
	if (f->home == s)
		return true;
	for (size_t i = 0; i < f->n_buckets; i++)
		for (const struct node *n = f->buckets[i]; n != NULL; n = n->bucket)
			if (n->session == s)
				return true;
	return false;
}

void folder_connected(struct session *s)
{
	for (struct folder *f = s->zk->folders; f != NULL; f = f->next) {
		if (f->home == s || (uses(f, s) && f->home->state == SESSION_CONNECTED))
			list(f);
	}
	pump(s);
}

void folder_look(struct session *s)
{
	for (struct folder *f = s->zk->folders; f != NULL; f = f->next)
		if (f->home == s && !f->listed && !f->listing && s->state == SESSION_CONNECTED)
			list(f);
	pump(s);
}

void folder_disconnected(struct session *s, int rc)
{
	for (struct folder *f = s->zk->folders; f != NULL; f = f->next) {
		if (f->dropped || !uses(f, s))
			continue;
		f->listed = f->synced = false;
		for (size_t i = 0; i < f->n_buckets; i++)
			for (struct node *n = f->buckets[i]; n != NULL; n = n->bucket) {
				n->armed = n->known = false;
				node_stale(n, true);
			}
		if (f->told && f->cb->lost != NULL)
			f->cb->lost(f->arg, rc);
		f->told = false;
	}
}

/* The folder that a path lies in, and the name in it, or the folder itself: then *name is NULL. */
static struct folder *find(struct folder *f, const char *path, const char **name)
{
	char at[PATH_BYTES];

	for (; f != NULL; f = f->next) {
		size_t len;

		if (f->dropped || !folder_path(f, at))
			continue;
		len = strlen(at);
		if (strncmp(path, at, len) != 0 || (path[len] != '\0' && path[len] != '/'))
			continue;
		*name = path[len] == '/' ? path + len + 1 : NULL;
		return f;
	}
	return NULL;
}

void folder_notice(struct session *s, const struct notice *notice)
{
	const char *name;

	for (struct folder *f = find(s->zk->folders, notice->path, &name); f != NULL;
	     f = find(f->next, notice->path, &name)) {
		struct node *n = name != NULL ? node_find(f, name) : NULL;

		if (n != NULL && n->session == s && notice->type == ZOO_CHANGED_EVENT)
			news_fired(n);
		else if (n != NULL && n->session == s)
			node_stale(n, true);
		else if (name == NULL && f->home == s)
			list(f);
	}
	pump(s);
}

/* ---- Our own commits ---------------------------------------------------- */

static void own(struct folder *f, const char *name, const struct sat_change *c, const struct Stat *stat)
{
	struct node *n = node_find(f, name);

	if (c->what == SAT_DELETE) {
		if (n != NULL)
			tell_gone(n);
	} else if (n == NULL) {
		n = node_add(f, name);
		if (n == NULL)
			return;
		node_stale(n, true);		/* to watch it, and to learn when it was made */
		tell_put(n, c->value, c->len, stat);
	} else if (stat->mzxid > n->mzxid) {
		tell_put(n, c->value, c->len, stat);
		news_told(n);
	} else if (stat->mzxid == 0) {	/* made anew, while what went is not seen yet */
		node_stale(n, true);
	}
}

static bool in_folder(const struct folder *f, const char *key)
{
	size_t len = strlen(f->prefix);

	return !f->dropped && strncmp(key, f->prefix, len) == 0 && strchr(key + len, '/') == NULL;
}

void folder_committed(struct zk *zk, const struct sat_change *c, const struct Stat *stat)
{
	for (struct folder *f = zk->folders; f != NULL; f = f->next)
		if (in_folder(f, c->key))
			own(f, c->key + strlen(f->prefix), c, stat);
	folder_pump(zk);
}

/* A version that is not above the one told is of a node that went and came again: its own watch will say so. */
void folder_news(struct zk *zk, const char *key, const void *value, size_t len, int64_t zxid, int version)
{
	for (struct folder *f = zk->folders; f != NULL; f = f->next) {
		struct node *n = f->synced && in_folder(f, key) ? node_find(f, key + strlen(f->prefix)) : NULL;
		struct Stat stat = { .mzxid = zxid, .version = version };

		if (n == NULL || f == zk->news || !n->told || zxid <= n->mzxid || version <= n->version)
			continue;
		stat.czxid = n->czxid;
		tell_put(n, value, len, &stat);
		news_told(n);
	}
}

/* ---- For the store ------------------------------------------------------ */

static void folder_free(struct folder *f)
{
	free(f->buckets);
	free(f);
}

/* A folder that was dropped lives as long as something asked of it may be answered. */
static void folder_free_unused(struct folder *f)
{
	struct folder **at = &f->zk->folders;

	if (!f->dropped || f->asked > 0)
		return;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	folder_free(f);
}

int folder_mirror(void *state, const char *prefix, const struct sat_mirror *cb, void *arg)
{
	struct zk *zk = state;
	size_t len = strlen(prefix);
	struct folder *f, **at = &zk->folders;

	if (len < 2 || prefix[len - 1] != '/')
		return -EINVAL;
	f = calloc(1, sizeof(*f) + len + 1);
	if (f == NULL)
		return -ENOMEM;
	strcpy(f->prefix, prefix);
	f->zk = zk;
	f->home = zk->sessions[strncmp(prefix, "leader/", 7) == 0 ? SESSION_LEADER : SESSION_HOME];
	f->cb = cb;
	f->arg = arg;
	while (*at != NULL)
		at = &(*at)->next;
	*at = f;
	if (f->home->state == SESSION_CONNECTED)
		list(f);
	return 0;
}

static void empty(struct folder *f)
{
	for (size_t i = 0; i < f->n_buckets; i++)
		while (f->buckets[i] != NULL)
			node_remove(f->buckets[i]);
}

void folder_unmirror(void *state, void *arg)
{
	struct zk *zk = state;
	struct folder *next;

	for (struct folder *f = zk->folders; f != NULL; f = next) {
		next = f->next;
		if (f->arg != arg || f->dropped)
			continue;
		f->dropped = true;
		empty(f);
		folder_free_unused(f);
	}
}

void folders_free(struct zk *zk)
{
	struct folder *f;

	for (unsigned i = 0; i < zk->n_sessions; i++)
		while (zk->sessions[i]->stale != NULL)
			node_free_unused(unqueue(zk->sessions[i]));
	while ((f = zk->folders) != NULL) {
		zk->folders = f->next;
		empty(f);
		folder_free(f);
	}
}
