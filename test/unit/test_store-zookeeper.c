/* SPDX-License-Identifier: Apache-2.0 */
/* test_store-zookeeper - the mirror and its commits on a ZooKeeper that lags, loses connections and ends sessions. */
#include "../../modules/store-zookeeper/zk.h"
#include "instance.h"
#include "unit/bed.h"

extern const struct sat_module sat_module_store_zookeeper;

/* ---- A ZooKeeper ------------------------------------------------------------ */

enum { RECS_MAX = 4096, WATCHES_MAX = 512, ASKED_MAX = 1024, SERVED_MAX = 8 };
enum what { GET, LIST, EXISTS, SYNC, CREATE, MULTI };

/* What became of a node in one transaction; a session sees those up to its view. */
struct rec { int64_t zxid, czxid; char path[64], value[256]; int len, version; bool there; };

struct asked {
	enum what what;
	char path[64];
	int n;
	const zoo_op_t *ops;
	zoo_op_result_t *results;
	data_completion_t data;
	strings_completion_t strings;
	stat_completion_t stat;
	string_completion_t string;
	void_completion_t nothing;
	const void *arg;
};

struct _zhandle {
	watcher_fn fn;
	void *context;
	int64_t view;
	int state;
	struct { enum what what; char path[64]; } watches[WATCHES_MAX];
	int n_watches;
	struct asked asked[ASKED_MAX];
	int n_asked;
};

static struct rec recs[RECS_MAX];
static int n_recs, n_handles;
static int64_t zxid;
static struct _zhandle *handles[SERVED_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* of handles */
static int refuse;				/* what requests are refused with */

static const struct rec *find_rec(const char *path, int64_t view)
{
	const struct rec *found = NULL;

	for (int i = 0; i < n_recs; i++)
		if (recs[i].zxid <= view && strcmp(recs[i].path, path) == 0)
			found = &recs[i];
	return found != NULL && found->there ? found : NULL;
}

static void record(const char *path, bool there, const char *value, int len)
{
	const struct rec *old = find_rec(path, zxid);
	struct rec *r = &recs[n_recs];

	assert_true(n_recs < RECS_MAX && len < (int)sizeof(r->value));
	*r = (struct rec){ .zxid = zxid, .there = there, .len = len, .czxid = old != NULL ? old->czxid : zxid,
			   .version = old != NULL ? old->version + 1 : 0 };
	snprintf(r->path, sizeof(r->path), "%s", path);
	if (len > 0)
		memcpy(r->value, value, (size_t)len);
	n_recs++;
}

static void parent_of(const char *path, char *buf)
{
	snprintf(buf, 64, "%s", path);
	*strrchr(buf, '/') = '\0';
}

static void fire(zhandle_t *zh, enum what what, const char *path, int type)
{
	for (int i = 0; i < zh->n_watches; i++) {
		char at[64];

		if (zh->watches[i].what != what || strcmp(zh->watches[i].path, path) != 0)
			continue;
		strcpy(at, path);
		zh->watches[i--] = zh->watches[--zh->n_watches];
		zh->fn(zh, type, ZOO_CONNECTED_STATE, at, zh->context);
	}
}

static void watch(zhandle_t *zh, enum what what, const char *path)
{
	for (int i = 0; i < zh->n_watches; i++)
		if (zh->watches[i].what == what && strcmp(zh->watches[i].path, path) == 0)
			return;
	assert_true(zh->n_watches < WATCHES_MAX);
	zh->watches[zh->n_watches].what = what;
	strcpy(zh->watches[zh->n_watches++].path, path);
}

/* Its server has seen all up to there. */
static void advance(zhandle_t *zh, int64_t to)
{
	for (int i = 0; i < n_recs; i++) {
		struct rec *r = &recs[i];
		bool was;
		char parent[64];

		if (r->zxid <= zh->view || r->zxid > to)
			continue;
		was = find_rec(r->path, r->zxid - 1) != NULL;
		parent_of(r->path, parent);
		fire(zh, GET, r->path, !r->there ? ZOO_DELETED_EVENT : ZOO_CHANGED_EVENT);
		if (!was)
			fire(zh, EXISTS, r->path, ZOO_CREATED_EVENT);
		if (was != r->there)
			fire(zh, LIST, parent, ZOO_CHILD_EVENT);
	}
	zh->view = to > zh->view ? to : zh->view;
}

/* Others' changes; value NULL: deleted. */
static void others(const char *path, const char *value)
{
	zxid++;
	record(path, value != NULL, value, value != NULL ? (int)strlen(value) : 0);
}

static int try_op(const zoo_op_t *op)
{
	const char *path = op->create_op.path;	/* in each the first */
	const struct rec *r = find_rec(path, zxid);
	char parent[64];

	parent_of(path, parent);
	switch (op->type) {
	case ZOO_CREATE_OP:
		if (r != NULL)
			return ZNODEEXISTS;
		if (parent[0] != '\0' && find_rec(parent, zxid) == NULL)
			return ZNONODE;
		record(path, true, op->create_op.data, op->create_op.datalen);
		return ZOK;
	case ZOO_SETDATA_OP:
		if (r == NULL || (op->set_op.version != -1 && op->set_op.version != r->version))
			return r == NULL ? ZNONODE : ZBADVERSION;
		record(path, true, op->set_op.data, op->set_op.datalen);
		*op->set_op.stat = (struct Stat){ .version = recs[n_recs - 1].version, .mzxid = zxid,
						  .czxid = recs[n_recs - 1].czxid };
		return ZOK;
	case ZOO_DELETE_OP:
		if (r == NULL || (op->delete_op.version != -1 && op->delete_op.version != r->version))
			return r == NULL ? ZNONODE : ZBADVERSION;
		record(path, false, NULL, 0);
		return ZOK;
	default:
		return r == NULL ? ZNONODE : op->check_op.version != r->version ? ZBADVERSION : ZOK;
	}
}

static int try_multi(const struct asked *a)
{
	int before = n_recs, rc = ZOK;

	zxid++;
	for (int i = 0; i < a->n; i++) {
		int err = rc == ZOK ? try_op(&a->ops[i]) : ZRUNTIMEINCONSISTENCY;

		a->results[i].err = err;
		rc = rc == ZOK ? err : rc;
	}
	if (rc != ZOK)
		n_recs = before;
	return rc;
}

static void answer_list(zhandle_t *zh, const struct asked *a)
{
	char *names[256];
	struct String_vector v = { .data = names };
	size_t len = strlen(a->path);

	for (int i = 0; i < n_recs; i++) {
		const char *p = recs[i].path;
		bool known = strncmp(p, a->path, len) != 0 || p[len] != '/' || strchr(p + len + 1, '/') != NULL;

		for (int j = 0; j < v.count; j++)
			known = known || strcmp(names[j], p + len + 1) == 0;
		if (!known && find_rec(p, zh->view) != NULL)
			names[v.count++] = recs[i].path + len + 1;
	}
	if (find_rec(a->path, zh->view) != NULL)
		watch(zh, LIST, a->path);
	a->strings(find_rec(a->path, zh->view) != NULL ? ZOK : ZNONODE, &v, a->arg);
}

/* rc: ZOK, or what befalls it. */
static void answer_one(zhandle_t *zh, int rc)
{
	struct asked a = zh->asked[0];
	const struct rec *r;
	struct Stat stat = { 0 };

	memmove(&zh->asked[0], &zh->asked[1], (size_t)--zh->n_asked * sizeof(a));
	if (rc == ZOK && (a.what == SYNC || a.what == CREATE || a.what == MULTI)) {
		if (a.what == MULTI)
			rc = try_multi(&a);
		if (a.what == CREATE) {
			zoo_op_t op = { .type = ZOO_CREATE_OP, .create_op = { .path = a.path, .datalen = -1 } };

			zxid++;
			rc = try_op(&op);
		}
		advance(zh, zxid);
	}
	r = find_rec(a.path, zh->view);
	if (r != NULL)
		stat = (struct Stat){ .version = r->version, .czxid = r->czxid, .mzxid = r->zxid };
	if (rc == ZOK && r == NULL && (a.what == GET || a.what == EXISTS))
		rc = ZNONODE;
	if (a.what == GET && rc == ZOK)
		watch(zh, GET, a.path);
	if (a.what == EXISTS && (rc == ZOK || rc == ZNONODE))
		watch(zh, rc == ZOK ? GET : EXISTS, a.path);
	if (a.what == GET)
		a.data(rc, r != NULL ? r->value : NULL, r != NULL ? r->len : -1, &stat, a.arg);
	else if (a.what == LIST && rc == ZOK)
		answer_list(zh, &a);
	else if (a.what == LIST)
		a.strings(rc, NULL, a.arg);
	else if (a.what == EXISTS)
		a.stat(rc, &stat, a.arg);
	else if (a.what == MULTI)
		a.nothing(rc, a.arg);
	else
		a.string(rc, a.path, a.arg);
}

static void say_state(zhandle_t *zh, int state)
{
	zh->state = state;
	zh->fn(zh, ZOO_SESSION_EVENT, state, "", zh->context);
}

/* The connection breaks; of the first `made` requests nobody knows that they were done. */
static void lose(zhandle_t *zh, int made, int state)
{
	for (; zh->n_asked > 0; made--) {
		if (made > 0 && zh->asked[0].what == MULTI)
			try_multi(&zh->asked[0]);
		answer_one(zh, ZCONNECTIONLOSS);
	}
	if (state == ZOO_EXPIRED_SESSION_STATE)
		zh->n_watches = 0;
	say_state(zh, state);
}

/* ---- Its client library -------------------------------------------------------- */

zhandle_t *zookeeper_init2(const char *host, watcher_fn fn, int timeout, const clientid_t *id, void *context,
			   int flags, log_callback_fn log)
{
	static struct _zhandle all[64];
	struct _zhandle *zh = NULL;

	(void)host, (void)timeout, (void)id, (void)flags, (void)log;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < SERVED_MAX && zh == NULL; i++) {
		if (handles[i] != NULL)
			continue;
		zh = handles[i] = &all[n_handles++ % 64];
		memset(zh, 0, sizeof(*zh));
		zh->fn = fn;
		zh->context = context;
		zh->state = ZOO_CONNECTING_STATE;
	}
	pthread_mutex_unlock(&lock);
	return zh;
}

int zookeeper_close(zhandle_t *zh)
{
	pthread_mutex_lock(&lock);
	while (zh->n_asked > 0)
		answer_one(zh, ZCLOSING);
	for (int i = 0; i < SERVED_MAX; i++)
		if (handles[i] == zh)
			handles[i] = NULL;
	pthread_mutex_unlock(&lock);
	return ZOK;
}

static int ask_it(zhandle_t *zh, struct asked a, const char *path)
{
	int rc = refuse;

	pthread_mutex_lock(&lock);
	if (rc == ZOK && (zh->state == ZOO_EXPIRED_SESSION_STATE || zh->n_asked == ASKED_MAX))
		rc = ZINVALIDSTATE;
	if (rc == ZOK) {
		snprintf(a.path, sizeof(a.path), "%s", path);
		zh->asked[zh->n_asked++] = a;
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

int zoo_aget(zhandle_t *zh, const char *path, int w, data_completion_t done, const void *arg)
{
	(void)w;
	return ask_it(zh, (struct asked){ .what = GET, .data = done, .arg = arg }, path);
}

int zoo_aget_children(zhandle_t *zh, const char *path, int w, strings_completion_t done, const void *arg)
{
	(void)w;
	return ask_it(zh, (struct asked){ .what = LIST, .strings = done, .arg = arg }, path);
}

int zoo_aexists(zhandle_t *zh, const char *path, int w, stat_completion_t done, const void *arg)
{
	(void)w;
	return ask_it(zh, (struct asked){ .what = EXISTS, .stat = done, .arg = arg }, path);
}

int zoo_async(zhandle_t *zh, const char *path, string_completion_t done, const void *arg)
{
	return ask_it(zh, (struct asked){ .what = SYNC, .string = done, .arg = arg }, path);
}

int zoo_acreate(zhandle_t *zh, const char *path, const char *value, int len, const struct ACL_vector *acl, int mode,
		string_completion_t done, const void *arg)
{
	(void)value, (void)len, (void)acl, (void)mode;
	return ask_it(zh, (struct asked){ .what = CREATE, .string = done, .arg = arg }, path);
}

int zoo_amulti(zhandle_t *zh, int n, const zoo_op_t *ops, zoo_op_result_t *results, void_completion_t done,
	       const void *arg)
{
	return ask_it(zh, (struct asked){ .what = MULTI, .n = n, .ops = ops, .results = results, .nothing = done,
					  .arg = arg }, "");
}

int zoo_add_auth(zhandle_t *zh, const char *scheme, const char *cert, int len, void_completion_t done, const void *arg)
{
	(void)zh, (void)scheme, (void)cert, (void)len, (void)done, (void)arg;
	return ZOK;
}

void zoo_create_op_init(zoo_op_t *op, const char *path, const char *value, int len, const struct ACL_vector *acl,
			int mode, char *buf, int buflen)
{
	(void)acl, (void)mode, (void)buf, (void)buflen;
	*op = (zoo_op_t){ .type = ZOO_CREATE_OP, .create_op = { .path = path, .data = value, .datalen = len } };
}

void zoo_delete_op_init(zoo_op_t *op, const char *path, int version)
{
	*op = (zoo_op_t){ .type = ZOO_DELETE_OP, .delete_op = { .path = path, .version = version } };
}

void zoo_set_op_init(zoo_op_t *op, const char *path, const char *value, int len, int version, struct Stat *stat)
{
	*op = (zoo_op_t){ .type = ZOO_SETDATA_OP, .set_op = { .path = path, .data = value, .datalen = len,
			  .version = version, .stat = stat } };
}

void zoo_check_op_init(zoo_op_t *op, const char *path, int version)
{
	*op = (zoo_op_t){ .type = ZOO_CHECK_OP, .check_op = { .path = path, .version = version } };
}

int is_unrecoverable(zhandle_t *zh) { return zh->state == ZOO_EXPIRED_SESSION_STATE ? ZINVALIDSTATE : ZOK; }
int zoo_state(zhandle_t *zh) { return zh->state; }
const char *zoo_get_current_server(zhandle_t *zh) { (void)zh; return "fake"; }
void zoo_set_debug_level(ZooLogLevel level) { (void)level; }
const char *zerror(int rc) { (void)rc; return "error"; }

/* ---- The bed ----------------------------------------------------------------------- */

static struct instance instance;
static struct zk *zk;
static int64_t skipped;

static int64_t steady(void) { return clock_boot() + skipped; }
static int64_t wall(void) { return INT64_C(1800000000) * SAT_SECOND + steady(); }
static const struct clock_source source = { steady, wall };

struct seen { char log[2048], now[8][64]; int synced, lost; };

static void note(struct seen *s, const char *fmt, ...) SAT_PRINTF(2);
static void note(struct seen *s, const char *fmt, ...)
{
	size_t at = strlen(s->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->log + at, sizeof(s->log) - at, fmt, ap);
	va_end(ap);
}

/* Keys are w/a to w/h: what the mirror has of each. */
static void put(void *arg, const char *key, const void *value, size_t len, int64_t version)
{
	struct seen *s = arg;

	(void)version;
	note(s, "%s=%.*s/%d ", key, (int)len, (const char *)value, (int)version);
	snprintf(s->now[(key[2] - 'a') & 7], sizeof(s->now[0]), "%.*s", (int)len, (const char *)value);
}

static void gone(void *arg, const char *key)
{
	struct seen *s = arg;

	note(s, "-%s ", key);
	s->now[(key[2] - 'a') & 7][0] = '\0';
}

static void synced(void *arg) { struct seen *s = arg; note(s, "synced "); s->synced++; }
static void lost(void *arg, int rc) { struct seen *s = arg; (void)rc; note(s, "lost "); s->lost++; }

static const struct sat_mirror calls = { .size = sizeof(calls), .put = put, .gone = gone, .synced = synced, .lost = lost };

static int up(void **unused)
{
	struct conf *file;
	void *state;

	(void)unused;
	n_recs = refuse = 0;
	zxid = 1;
	bed_up(&sat_module_store_zookeeper);
	clock_source(&source);
	bed.self.instance = &instance;
	file = conf_text("own = { hosts = \"zk\"; root = \"/s\"; };", "test");
	bed.self.conf = conf_find(conf_root(file), "own");
	assert_int_equal(conf_judge(bed.self.conf, sat_module_store_zookeeper.options, NULL), 0);
	assert_int_equal(sat_module_store_zookeeper.create(&bed.self, bed.self.conf, &state), 0);
	bed.self.state = zk = state;
	conf_unref(bed.file);
	bed.file = file;
	return sat_module_store_zookeeper.start(state);
}

static int down(void **unused)
{
	(void)unused;
	fault_arm(0);
	sat_module_store_zookeeper.stop(zk);
	for (int i = 0; i < 5000 && !zk->stopped; i++)
		bed_run_for(1);
	assert_true(zk->stopped);
	bed_down();
	clock_source(NULL);
	for (int i = 0; i < SERVED_MAX; i++)
		assert_null(handles[i]);
	return 0;
}

/* The loop, until it has nothing more to say; opening is on other threads. */
static void settle(void)
{
	for (int i = 0; i < 6; i++)
		uv_run(&bed.loop, UV_RUN_NOWAIT);
}

static void pass(int ms)
{
	skipped += ms * SAT_MS;
	settle();
}

static bool opening(void)
{
	for (unsigned i = 0; i < zk->n_sessions; i++)
		if (zk->sessions[i]->state == SESSION_OPENING || zk->sessions[i]->state == SESSION_CLOSING)
			return true;
	return false;
}

static void connect_all(void)
{
	for (int i = 0; i < 2000 && opening(); i++)
		bed_run_for(1);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < SERVED_MAX; i++)
		if (handles[i] != NULL && handles[i]->state == ZOO_CONNECTING_STATE)
			say_state(handles[i], ZOO_CONNECTED_STATE);
	pthread_mutex_unlock(&lock);
	settle();
}

static zhandle_t *home(void) { return zk->sessions[SESSION_HOME]->zh; }

/* Answer all that is asked, and what is asked then; keep up: servers see all. */
static void serve(bool keep_up)
{
	for (int idle = 0; idle < 2; idle++) {	/* a watch that fires is asked about in the next round */
		pthread_mutex_lock(&lock);
		for (int i = 0; i < SERVED_MAX; i++) {
			if (handles[i] == NULL || handles[i]->state != ZOO_CONNECTED_STATE)
				continue;
			if (keep_up)
				advance(handles[i], zxid);
			for (; handles[i]->n_asked > 0; idle = 0)
				answer_one(handles[i], ZOK);
		}
		pthread_mutex_unlock(&lock);
		settle();
	}
}

static void begin_with(struct seen *s)
{
	memset(s, 0, sizeof(*s));
	others("/s", "");
	others("/s/w", "");
	others("/s/w/a", "one");
	connect_all();
	assert_int_equal(folder_mirror(zk, "w/", &calls, s), 0);
	serve(true);
	assert_string_equal(s->log, "w/a=one/0 synced ");
	s->log[0] = '\0';
}

struct got { int times, rc; size_t culprit; int64_t versions[4]; size_t n; };

static void committed(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	struct got *g = arg;

	g->times++;
	g->rc = rc;
	g->culprit = culprit;
	for (size_t i = 0; rc == 0 && i < g->n; i++)
		g->versions[i] = versions[i];
}

static struct got commit(const struct sat_change *changes, size_t n)
{
	struct got g = { .n = n };

	assert_int_equal(commit_make(zk, changes, n, committed, &g), 0);
	assert_int_equal(g.times, 0);
	serve(false);
	assert_int_equal(g.times, 1);
	return g;
}

/* ---- Mirrors ------------------------------------------------------------------------- */

static void changes_of_others_are_told(void **unused)
{
	struct seen s;

	(void)unused;
	begin_with(&s);
	others("/s/w/a", "two");
	others("/s/w/b", "x");
	serve(true);
	others("/s/w/b", NULL);
	serve(true);
	assert_string_equal(s.log, "w/a=two/1 w/b=x/0 -w/b ");
	s.log[0] = '\0';
	others("/s/w/a", NULL);
	others("/s/w/a", "anew");
	serve(true);
	assert_string_equal(s.log, "-w/a w/a=anew/0 ");
	folder_unmirror(zk, &s);
}

static void a_lost_connection_is_told_and_read_anew(void **unused)
{
	struct seen s;

	(void)unused;
	begin_with(&s);
	lose(home(), 0, ZOO_CONNECTING_STATE);
	settle();
	assert_string_equal(s.log, "lost ");
	others("/s/w/b", "y");
	connect_all();
	serve(true);
	assert_int_equal(s.synced, 2);
	assert_string_equal(s.now[0], "one");
	assert_string_equal(s.now[1], "y");
	lose(home(), 0, ZOO_EXPIRED_SESSION_STATE);
	settle();
	others("/s/w/a", NULL);
	for (int i = 0; i < 50 && s.synced < 3; i++) {
		pass(500);
		connect_all();
		serve(true);
	}
	assert_int_equal(s.lost, 2);
	assert_int_equal(s.synced, 3);
	assert_string_equal(s.now[0], "");
	folder_unmirror(zk, &s);
}

static void a_server_that_lags_brings_nothing_old_back(void **unused)
{
	struct sat_change c = { .what = SAT_PUT, .key = "w/a", .value = "three", .len = 5, .version = SAT_ANY_VERSION };
	struct seen s;

	(void)unused;
	begin_with(&s);
	others("/s/w/a", "two");
	others("/s/w/b", "x");
	serve(false);	/* ours has not heard of it */
	assert_string_equal(s.log, "");
	assert_int_equal(commit(&c, 1).rc, 0);
	serve(true);
	assert_string_equal(s.now[0], "three");
	assert_null(strstr(s.log, "w/a=two"));
	/* A new session is with a server that knows of nothing, until it syncs. */
	lose(home(), 0, ZOO_EXPIRED_SESSION_STATE);
	settle();
	s.log[0] = '\0';
	for (int i = 0; i < 50 && s.synced < 2; i++) {
		pass(500);
		connect_all();
		serve(false);
	}
	assert_null(strstr(s.log, "-w/"));
	assert_null(strstr(s.log, "one"));
	assert_string_equal(s.now[0], "three");
	assert_string_equal(s.now[1], "x");
	folder_unmirror(zk, &s);
}

static void a_folder_that_is_not_there_is_made(void **unused)
{
	struct seen s = { 0 };

	(void)unused;
	connect_all();
	folder_mirror(zk, "w/", &calls, &s);
	serve(true);
	assert_string_equal(s.log, "synced ");
	assert_non_null(find_rec("/s/w", zxid));
	folder_unmirror(zk, &s);
}

static void a_dry_run_waits_for_the_folder(void **unused)
{
	struct seen s = { 0 };

	(void)unused;
	self_process.dry_run = true;
	connect_all();
	folder_mirror(zk, "w/", &calls, &s);
	serve(true);
	assert_string_equal(s.log, "synced ");
	others("/s", "");
	others("/s/w", "");
	others("/s/w/a", "one");
	serve(true);
	self_process.dry_run = false;
	assert_string_equal(s.log, "synced w/a=one/0 ");
	folder_unmirror(zk, &s);
}

/* ---- Commits ---------------------------------------------------------------------------- */

static void all_kinds_are_made_and_told_first(void **unused)
{
	const struct sat_change first[] = {
		{ .what = SAT_CHECK, .key = "w/a", .version = 0 },
		{ .what = SAT_CREATE, .key = "w/b", .value = "b", .len = 1 },
		{ .what = SAT_PUT, .key = "w/c", .value = "c", .len = 1, .version = SAT_ANY_VERSION },
		{ .what = SAT_DELETE, .key = "w/d", .version = SAT_ANY_VERSION },
	};
	const struct sat_change next[] = {
		{ .what = SAT_PUT, .key = "w/a", .value = "two", .len = 3, .version = 0 },
		{ .what = SAT_DELETE, .key = "w/b", .version = 0 },
		{ .what = SAT_CREATE, .key = "new/x", .value = "", .len = 0 },
	};
	struct seen s;
	struct got g;

	(void)unused;
	begin_with(&s);
	g = commit(first, 4);
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.versions[2], 0);
	g = commit(next, 3);
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.versions[0], 1);
	serve(true);
	assert_string_equal(s.now[0], "two");
	assert_string_equal(s.now[1], "");
	assert_string_equal(s.now[2], "c");
	assert_non_null(find_rec("/s/new/x", zxid));
	folder_unmirror(zk, &s);
}

static void the_culprit_is_named_and_nothing_is_made(void **unused)
{
	struct sat_change c[] = {
		{ .what = SAT_DELETE, .key = "w/none", .version = SAT_ANY_VERSION },
		{ .what = SAT_CREATE, .key = "w/b", .value = "b", .len = 1 },
		{ .what = SAT_PUT, .key = "w/a", .value = "z", .len = 1, .version = 7 },
	};
	struct seen s;
	struct got g;

	(void)unused;
	begin_with(&s);
	g = commit(c, 3);
	assert_int_equal(g.rc, -ESTALE);
	assert_int_equal(g.culprit, 2);
	c[2] = (struct sat_change){ .what = SAT_CREATE, .key = "w/a" };
	g = commit(c, 3);
	assert_int_equal(g.rc, -EEXIST);
	assert_int_equal(g.culprit, 2);
	c[2] = (struct sat_change){ .what = SAT_DELETE, .key = "w/q", .version = 2 };
	g = commit(c, 3);
	assert_int_equal(g.rc, -ENOENT);
	assert_int_equal(g.culprit, 2);
	assert_null(find_rec("/s/w/b", zxid));
	assert_string_equal(s.log, "");
	folder_unmirror(zk, &s);
}

static void what_is_too_large_or_cannot_be_sent_is_refused(void **unused)
{
	static char large[COMMIT_BYTES + 1];
	struct sat_change c = { .what = SAT_CREATE, .key = "w/b", .value = large, .len = sizeof(large) };
	struct seen s;
	struct got g = { 0 };

	(void)unused;
	assert_int_equal(commit_make(zk, &c, 1, committed, &g), -ENOTCONN);
	begin_with(&s);
	assert_int_equal(commit_make(zk, &c, 1, committed, &g), -E2BIG);
	c.len = 1;
	refuse = ZINVALIDSTATE;
	assert_int_equal(commit_make(zk, &c, 1, committed, &g), -ENOTCONN);
	refuse = ZMARSHALLINGERROR;
	assert_int_equal(commit_make(zk, &c, 1, committed, &g), -ENOMEM);
	refuse = ZOK;
	assert_int_equal(g.times, 0);
	assert_int_equal(zk->n_commits, 0);
	folder_unmirror(zk, &s);
}

static void an_outcome_that_nobody_knows_is_settled_by_reading(void **unused)
{
	struct sat_change c = { .what = SAT_PUT, .key = "w/a", .value = "two", .len = 3, .version = 0 };
	struct seen s;

	(void)unused;
	others("/s/news", "");
	others("/s/news/00", "");	/* else the first of all commits is made in two steps */
	others("/s/news/01", "");
	for (int made = 0; made < 2; made++) {
		struct got g = { .n = 1 };

		if (made == 0)
			begin_with(&s);
		assert_int_equal(commit_make(zk, &c, 1, committed, &g), 0);
		lose(home(), made, ZOO_CONNECTING_STATE);
		settle();
		assert_int_equal(g.rc, -EINPROGRESS);
		assert_int_equal(g.times, 1);
		connect_all();
		serve(true);
		assert_string_equal(s.now[0], made ? "two" : "one");
	}
	folder_unmirror(zk, &s);
}

static void it_ends_with_requests_under_way(void **unused)
{
	static struct got g;
	static struct seen s, t;
	struct sat_change c = { .what = SAT_PUT, .key = "w/a", .value = "two", .len = 3, .version = 0 };

	(void)unused;
	begin_with(&s);
	folder_mirror(zk, "w/", &calls, &t);
	folder_unmirror(zk, &t);
	others("/s/w/b", "b");
	pthread_mutex_lock(&lock);
	advance(home(), zxid);
	pthread_mutex_unlock(&lock);
	settle();
	assert_int_equal(commit_make(zk, &c, 1, committed, &g), 0);
	assert_true(home()->n_asked > 1);
	assert_string_equal(t.log, "");
	sat_module_store_zookeeper.stop(zk);
	for (int i = 0; i < 5000 && !zk->stopped; i++)
		bed_run_for(1);
	assert_int_equal(g.times, 1);
	assert_int_equal(g.rc, -EINPROGRESS);
}

/* ---- News ----------------------------------------------------------------------------------- */

/* Another master sets this node, and says so in a slot. */
static void with_news(const char *key, const char *value, const char *slot)
{
	char path[64], text[128];
	int version;

	snprintf(path, sizeof(path), "/s/%s", key);
	version = find_rec(path, zxid)->version + 1;
	snprintf(text, sizeof(text), "%s %d %zu\n%s\n", key, version, strlen(value), value);
	others(slot, text);
	record(path, true, value, (int)strlen(value));
}

static int64_t reads(void) { return sat_counted(&bed.self, COUNT_READS); }

static void news_spare_reads_and_what_comes_without_them_is_read(void **unused)
{
	struct seen s;
	int64_t before;

	(void)unused;
	others("/s/news", "");
	others("/s/news/07", "");
	begin_with(&s);
	before = reads();
	with_news("w/a", "two", "/s/news/07");
	serve(true);
	assert_string_equal(s.log, "w/a=two/1 ");
	assert_int_equal(reads() - before, 1);		/* of the slot */
	with_news("w/a", "three", "/s/news/07");
	serve(true);
	assert_string_equal(s.now[0], "three");
	assert_int_equal(reads() - before, 2);
	others("/s/w/a", "four");			/* nobody watches it now, */
	serve(true);
	pass(250);					/* but soon */
	serve(true);
	assert_string_equal(s.now[0], "four");
	others("/s/w/a", "five");
	serve(true);
	assert_string_equal(s.now[0], "five");
	others("/s/news/07", "w/a 9 99999999\nx");	/* nonsense tells nothing */
	others("/s/news/07", "w/a\n\n 1 1 1");
	serve(true);
	assert_string_equal(s.now[0], "five");
	folder_unmirror(zk, &s);
}

/* All that was asked before; notices come first. */
static void answer_last_round(void)
{
	pthread_mutex_lock(&lock);
	advance(home(), zxid);
	while (home()->n_asked > 0)
		answer_one(home(), ZOK);
	pthread_mutex_unlock(&lock);
	settle();
}

/* Under load there may always be a slot that is not read yet. */
static void news_that_never_end_delay_others_for_seconds_only(void **unused)
{
	struct seen s;

	(void)unused;
	others("/s/news", "");
	others("/s/news/07", "");
	others("/s/news/08", "");
	begin_with(&s);
	others("/s/w/b", "one");
	serve(true);
	with_news("w/b", "two", "/s/news/07");
	answer_last_round();
	others("/s/w/a", "alone");
	for (int i = 0; i < 100; i++) {
		with_news("w/b", i % 2 ? "three" : "four", i % 2 ? "/s/news/07" : "/s/news/08");
		answer_last_round();
		pass(100);
	}
	assert_string_equal(s.now[0], "alone");
	serve(true);
	folder_unmirror(zk, &s);
}

static void partly(unsigned *rng)
{
	pthread_mutex_lock(&lock);
	for (int i = 0; i < SERVED_MAX; i++) {
		if (handles[i] == NULL || handles[i]->state != ZOO_CONNECTED_STATE)
			continue;
		if (handles[i]->view < zxid && rand_r(rng) % 2 == 0)
			advance(handles[i], handles[i]->view + 1 + rand_r(rng) % (zxid - handles[i]->view));
		for (int n = rand_r(rng) % 3; n > 0 && handles[i]->n_asked > 0; n--)
			answer_one(handles[i], ZOK);
	}
	pthread_mutex_unlock(&lock);
	settle();
}

static void something_happens(unsigned *rng)
{
	static struct got got[16];
	static unsigned n_got;
	char path[16] = "/s/w/a", value[16];
	const struct rec *r;

	path[5] = (char)('a' + rand_r(rng) % 8);
	snprintf(value, sizeof(value), "v%d", rand_r(rng) % 10000);
	r = find_rec(path, zxid);
	switch (rand_r(rng) % 8) {
	case 0: case 1: case 2:
		if (r != NULL)
			with_news(path + 3, value, rand_r(rng) % 2 ? "/s/news/07" : "/s/news/08");
		break;
	case 3:
		others(path, value);
		break;
	case 4:
		if (r != NULL)
			others(path, NULL);
		break;
	case 5: case 6:
		if (r != NULL) {
			struct sat_change c = { .what = SAT_PUT, .key = path + 3, .value = value, .len = strlen(value),
						.version = r->version };

			commit_make(zk, &c, 1, committed, &got[n_got++ % 16]);
		}
		break;
	default:
		if (rand_r(rng) % 16 == 0) {
			pthread_mutex_lock(&lock);
			lose(home(), rand_r(rng) % 3, ZOO_CONNECTING_STATE);
			pthread_mutex_unlock(&lock);
			connect_all();
		}
	}
}

static void in_any_order_the_mirror_ends_as_the_store_is(void **unused)
{
	static struct seen s;
	unsigned rng = (unsigned)(getenv("SEED") != NULL ? atoi(getenv("SEED")) : 1);

	(void)unused;
	for (int history = 0; history < 300; history++) {
		n_recs = 0;
		if (history == 0) {
			others("/s/news", "");
			others("/s/news/07", "");
			others("/s/news/08", "");
			begin_with(&s);
		} else {
			others("/s", "");
			others("/s/w", "");
			others("/s/news", "");
			others("/s/news/07", "");
			others("/s/news/08", "");
			memset(&s, 0, sizeof(s));
			folder_mirror(zk, "w/", &calls, &s);
		}
		for (int i = 0; i < 60; i++) {
			something_happens(&rng);
			s.log[0] = '\0';
			for (int n = rand_r(&rng) % 3; n > 0; n--)
				partly(&rng);
			if (rand_r(&rng) % 20 == 0)
				pass(260);
		}
		connect_all();
		for (int i = 0; i < 4; i++) {
			serve(true);
			pass(1100);
		}
		serve(true);
		for (int i = 0; i < 8; i++) {
			char path[16] = "/s/w/a";
			const struct rec *r;

			path[5] = (char)('a' + i);
			r = find_rec(path, zxid);
			if (strncmp(s.now[i], r != NULL ? r->value : "", r != NULL ? (size_t)r->len : 1) != 0 ||
			    strlen(s.now[i]) != (r != NULL ? (size_t)r->len : 0))
				fail_msg("history %d: %s is \"%s\", not \"%.*s\"", history, path, s.now[i],
					 r != NULL ? r->len : 0, r != NULL ? r->value : "");
		}
		folder_unmirror(zk, &s);
		serve(true);
	}
}

/* ---- Without memory ------------------------------------------------------------------------ */

static bool live(struct seen *s, int nth)
{
	char want[16];
	bool fired;

	memset(s, 0, sizeof(*s));
	snprintf(want, sizeof(want), "v%d", nth);
	assert_int_equal(folder_mirror(zk, "w/", &calls, s), 0);
	serve(true);
	fault_arm(nth);
	others("/s/w/a", want);
	others(nth % 2 != 0 ? "/s/w/b" : "/s/w/c", want);
	others(nth % 2 != 0 ? "/s/w/c" : "/s/w/b", NULL);
	serve(true);
	pthread_mutex_lock(&lock);
	lose(home(), 0, nth % 3 == 0 ? ZOO_EXPIRED_SESSION_STATE : ZOO_CONNECTING_STATE);
	pthread_mutex_unlock(&lock);
	settle();
	for (int i = 0; i < 60; i++) {
		struct sat_change c = { .what = SAT_PUT, .key = "w/d", .value = want, .len = strlen(want),
					.version = SAT_ANY_VERSION };
		struct got g = { .n = 1 };

		pass(600);
		connect_all();
		serve(true);
		if (commit_make(zk, &c, 1, committed, &g) != 0)
			continue;
		serve(true);
		assert_int_equal(g.times, 1);
		if (g.rc == 0)
			break;
	}
	fired = fault_fired();
	fault_arm(0);
	for (int i = 0; i < 3; i++) {
		pass(1100);
		connect_all();
		serve(true);
	}
	if (s->synced < 2)
		fail_msg("allocation %d: %s", nth, s->log);
	assert_string_equal(s->now[0], want);
	assert_string_equal(s->now[1], nth % 2 != 0 ? want : "");
	assert_string_equal(s->now[2], nth % 2 != 0 ? "" : want);
	assert_string_equal(s->now[3], want);
	folder_unmirror(zk, s);
	serve(true);
	return fired;
}

static void every_failure_is_survived(void **unused)
{
	static struct seen s;
	int nth = 0;

	(void)unused;
	begin_with(&s);
	folder_unmirror(zk, &s);
	while (live(&s, ++nth))
		;
	printf("%d allocations\n", nth);
	assert_true(nth > 20);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(changes_of_others_are_told),
		TEST(a_lost_connection_is_told_and_read_anew),
		TEST(a_server_that_lags_brings_nothing_old_back),
		TEST(a_folder_that_is_not_there_is_made),
		TEST(a_dry_run_waits_for_the_folder),
		TEST(all_kinds_are_made_and_told_first),
		TEST(the_culprit_is_named_and_nothing_is_made),
		TEST(what_is_too_large_or_cannot_be_sent_is_refused),
		TEST(an_outcome_that_nobody_knows_is_settled_by_reading),
		TEST(it_ends_with_requests_under_way),
		TEST(news_spare_reads_and_what_comes_without_them_is_read),
		TEST(news_that_never_end_delay_others_for_seconds_only),
		TEST(in_any_order_the_mirror_ends_as_the_store_is),
		TEST(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
