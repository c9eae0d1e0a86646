/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-sqlite - the store of a single master: a mirrored map in one SQLite file.
 *
 * All of SQLite happens in jobs, one at a time: what is committed while one
 * runs goes into the next one's transaction, each commit in a savepoint of its
 * own.  An answer is given after the transaction is on the disk.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <satellite/module.h>
#include <sqlite3.h>

enum { GROUP_MAX = 256, WAITING_MAX = 4096 };
#define BACKOFF_MIN	(500 * SAT_MS)
#define BACKOFF_MAX	(30 * SAT_SECOND)

enum count { COUNT_TRANSACTIONS, COUNT_COMMITS, COUNT_REFUSED, COUNT_ERRORS };

struct commit {
	struct commit *next;
	sat_committed *done;
	void *arg;
	int rc;
	size_t n, culprit;
	struct sat_change *changes;	/* all that follows lies in the same block */
	int64_t *versions;
};

struct row {
	struct row *next;
	int64_t version;
	size_t len;
	char *value, key[];
};

struct mirror {
	struct mirror *next;
	const struct sat_mirror *cb;
	void *arg;
	bool live;			/* it has been told all there is */
	bool gone;			/* unmirrored while it was told something */
	char prefix[];
};

/* What a job does; only it touches these while it runs. */
struct job {
	sqlite3 *db;
	sqlite3_stmt *get, *put, *del;
	struct commit *commits;
	struct row *rows;		/* all there is, if asked */
	bool read, close;
	bool foreign;			/* another program wrote to the file */
	bool outcome;			/* the transaction may have been committed */
	char error[256];
	int64_t data_version;		/* of the file, as other programs change it */
	struct stat file;		/* the one that is open, or was */
};

struct store {
	struct sat_self *self;
	char *path;
	struct job job;
	bool running, overdue, lost, resting, stopping, stopped;
	struct commit *waiting, **waiting_end;
	unsigned n_waiting;
	struct mirror *mirrors;
	unsigned telling;
	struct sat_alarm retry;
	int64_t backoff;
};

static void turn(struct store *s);

/* ---- On a host's thread ------------------------------------------------- */

/* What the system said, where it did. */
static int cause(struct sqlite3 *db)
{
	int code = db == NULL ? SQLITE_NOMEM : sqlite3_errcode(db), os = db == NULL ? 0 : sqlite3_system_errno(db);

	if (code == SQLITE_FULL)
		return -ENOSPC;
	if (code == SQLITE_NOMEM)
		return -ENOMEM;
	return code == SQLITE_IOERR && (os == ENOSPC || os == EDQUOT || os == EFBIG || os == EROFS) ? -os : -EIO;
}

static int note(struct job *j, const char *what)
{
	snprintf(j->error, sizeof(j->error), "%s: %s", what,
		 j->db == NULL ? "out of memory" : sqlite3_errmsg(j->db));
	return cause(j->db);
}

/* Whether it is only that a change does not fit; else the file is ill. */
static bool conflicts(int rc)
{
	return rc == -ESTALE || rc == -EEXIST || rc == -ENOENT;
}

static int exec(struct job *j, const char *sql)
{
	return sqlite3_exec(j->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : note(j, sql);
}

static void db_close(struct job *j)
{
	sqlite3_finalize(j->get);
	sqlite3_finalize(j->put);
	sqlite3_finalize(j->del);
	sqlite3_close(j->db);
	j->get = j->put = j->del = NULL;
	j->db = NULL;
}

static int prepare(struct job *j, sqlite3_stmt **stmt, const char *sql)
{
	return sqlite3_prepare_v3(j->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) == SQLITE_OK ?
	       0 : note(j, sql);
}

static int64_t pragma_number(struct job *j, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t n = 0;

	if (sqlite3_prepare_v2(j->db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

/*
 * FULL: what is acknowledged survives a loss of power, not only of the process.
 * The version is written each time, to find out whether the file can be.
 */
static int db_setup(struct job *j)
{
	static const char *const setup[] = {
		"PRAGMA journal_mode=WAL",
		"PRAGMA synchronous=FULL",
		("CREATE TABLE IF NOT EXISTS map (key TEXT PRIMARY KEY, version INTEGER NOT NULL,"
		 " value BLOB NOT NULL) WITHOUT ROWID"),
		"PRAGMA user_version=1",
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(setup) / sizeof(setup[0]); i++)
		rc = exec(j, setup[i]);
	return rc;
}

/* A dry run reads what is there, and makes no file. */
static int db_open(struct job *j, const char *path)
{
	bool dry = sat_dry_run(), there = access(path, F_OK) == 0;
	int flags = dry && there ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, rc = 0;

	if (sqlite3_open_v2(dry && !there ? ":memory:" : path, &j->db, flags | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		rc = note(j, "open");
	if (rc == 0)
		sqlite3_busy_timeout(j->db, 5000);
	if (rc == 0 && !(dry && there))
		rc = db_setup(j);
	if (rc == 0)
		rc = prepare(j, &j->get, "SELECT version FROM map WHERE key = ?1");
	if (rc == 0)
		rc = prepare(j, &j->put, "INSERT INTO map VALUES (?1, ?2, ?3) ON CONFLICT (key)"
			     " DO UPDATE SET version = ?2, value = ?3");
	if (rc == 0)
		rc = prepare(j, &j->del, "DELETE FROM map WHERE key = ?1");
	if (rc != 0)
		db_close(j);
	return rc;
}

/* 1: there, 0: not there. */
static int get(struct job *j, const char *key, int64_t *version)
{
	int rc;

	sqlite3_bind_text(j->get, 1, key, -1, SQLITE_STATIC);
	rc = sqlite3_step(j->get);
	*version = rc == SQLITE_ROW ? sqlite3_column_int64(j->get, 0) : -1;
	rc = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : note(j, "read");
	sqlite3_reset(j->get);
	return rc;
}

static int step(struct job *j, sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt) == SQLITE_DONE ? 0 : note(j, "write");

	sqlite3_reset(stmt);
	return rc;
}

/* Whether a change fits what is there; *version: of what it makes. */
static int fits(const struct sat_change *c, bool there, int64_t *version)
{
	bool any = c->version == SAT_ANY_VERSION && (c->what == SAT_PUT || c->what == SAT_DELETE);

	if (c->what == SAT_CREATE && there)
		return -EEXIST;
	if (c->what != SAT_CREATE && !there && !any)
		return -ENOENT;
	if (c->what != SAT_CREATE && there && !any && *version != c->version)
		return -ESTALE;
	*version = !there ? 0 : c->what == SAT_PUT ? *version + 1 : *version;
	return 0;
}

static int apply(struct job *j, const struct sat_change *c, int64_t *version)
{
	int there = get(j, c->key, version), rc;

	if (there < 0)
		return there;
	rc = fits(c, there, version);
	if (rc != 0 || c->what == SAT_CHECK)
		return rc;
	if (c->what == SAT_DELETE) {
		sqlite3_bind_text(j->del, 1, c->key, -1, SQLITE_STATIC);
		return step(j, j->del);
	}
	sqlite3_bind_text(j->put, 1, c->key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(j->put, 2, *version);
	sqlite3_bind_blob64(j->put, 3, c->len == 0 ? "" : c->value, c->len, SQLITE_STATIC);
	return step(j, j->put);
}

/* Not 0: the file is ill, and the whole transaction with it. */
static int apply_all(struct job *j, struct commit *c)
{
	int rc = exec(j, "SAVEPOINT one");

	if (rc != 0)
		return rc;
	for (c->culprit = 0; c->culprit < c->n && rc == 0; c->culprit++)
		rc = apply(j, &c->changes[c->culprit], &c->versions[c->culprit]);
	if (rc != 0 && !conflicts(rc))
		return rc;
	c->rc = rc;
	if (rc != 0) {
		c->culprit--;
		rc = exec(j, "ROLLBACK TO one");
		if (rc != 0)
			return rc;
	}
	return exec(j, "RELEASE one");
}

static int transaction(struct job *j)
{
	int rc = exec(j, "BEGIN IMMEDIATE");

	for (struct commit *c = j->commits; c != NULL && rc == 0; c = c->next)
		rc = apply_all(j, c);
	if (rc == 0) {
		j->outcome = true;
		rc = exec(j, "COMMIT");
	}
	return rc;
}

static void rows_free(struct row *row)
{
	while (row != NULL) {
		struct row *next = row->next;

		free(row);
		row = next;
	}
}

static int row_add(struct row ***end, sqlite3_stmt *stmt)
{
	const void *value = sqlite3_column_blob(stmt, 2);
	const char *key = (const char *)sqlite3_column_text(stmt, 0);
	size_t len = (size_t)sqlite3_column_bytes(stmt, 2), size = (key == NULL ? 0 : strlen(key)) + 1;
	struct row *row = malloc(sizeof(*row) + size + len);

	if (row == NULL)
		return -ENOMEM;
	*row = (struct row){ .version = sqlite3_column_int64(stmt, 1), .len = len, .value = row->key + size };
	memcpy(row->key, key == NULL ? "" : key, size);
	if (len > 0)
		memcpy(row->value, value, len);
	**end = row;
	*end = &row->next;
	return 0;
}

static int read_all(struct job *j)
{
	sqlite3_stmt *stmt = NULL;
	struct row **end = &j->rows;
	int rc = prepare(j, &stmt, "SELECT key, version, value FROM map ORDER BY key"), got = SQLITE_DONE;

	while (rc == 0 && (got = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = row_add(&end, stmt);
	if (rc == 0 && got != SQLITE_DONE)
		rc = note(j, "read");
	else if (rc == -ENOMEM)
		snprintf(j->error, sizeof(j->error), "out of memory");
	sqlite3_finalize(stmt);
	if (rc != 0) {
		rows_free(j->rows);
		j->rows = NULL;
	}
	return rc;
}

/* Nobody else is meant to write; where somebody does, read all of it again. */
static void look_around(struct job *j)
{
	int64_t version = pragma_number(j, "PRAGMA data_version");

	j->foreign = j->data_version != 0 && version != j->data_version;
	j->read = j->read || j->foreign;
	j->data_version = version;
}

/*
 * SQLite goes on to write to a file that somebody removed, and all of it is gone
 * with the process; opened anew, the store would be empty.  Only a restart
 * begins anew: then the whitelist takes in the hosts that its own file has.
 */
static int find_file(struct job *j, const char *path)
{
	struct stat now;

	if (j->file.st_ino == 0 || sat_dry_run())
		return 0;
	if (stat(path, &now) != 0) {
		snprintf(j->error, sizeof(j->error), "was removed under us: put it back, or restart to begin anew");
		return -ENOENT;
	}
	if (j->db != NULL && (now.st_ino != j->file.st_ino || now.st_dev != j->file.st_dev)) {
		snprintf(j->error, sizeof(j->error), "another file is there now");
		return -ESTALE;
	}
	return 0;
}

static int work(void *arg)
{
	struct store *s = arg;
	struct job *j = &s->job;
	int rc = 0;

	if (j->close) {
		db_close(j);
		return 0;
	}
	rc = find_file(j, s->path);
	if (rc == 0 && j->db == NULL) {
		rc = db_open(j, s->path);
		j->data_version = 0;
		if (rc == 0 && stat(s->path, &j->file) != 0)
			j->file.st_ino = 0;
	}
	if (rc == 0)
		look_around(j);
	if (rc == 0 && j->commits != NULL)
		rc = transaction(j);
	if (rc == 0 && j->read)
		rc = read_all(j);
	if (rc != 0)
		db_close(j);
	return rc;
}

/* ---- What the mirrors are told ------------------------------------------ */

static bool concerns(const struct mirror *m, const char *key)
{
	return !m->gone && strncmp(key, m->prefix, strlen(m->prefix)) == 0;
}

static void sweep(struct store *s)
{
	struct mirror **at = &s->mirrors;

	while (s->telling == 0 && *at != NULL) {
		struct mirror *m = *at;

		if (!m->gone) {
			at = &m->next;
			continue;
		}
		*at = m->next;
		free(m);
	}
}

static void tell_change(struct store *s, const struct sat_change *c, int64_t version)
{
	for (struct mirror *m = s->mirrors; m != NULL && c->what != SAT_CHECK; m = m->next) {
		if (!m->live || !concerns(m, c->key))
			continue;
		if (c->what == SAT_DELETE)
			m->cb->gone(m->arg, c->key);
		else
			m->cb->put(m->arg, c->key, c->value, c->len, version);
	}
}

static void tell_rows(struct store *s, const struct row *rows, bool all)
{
	for (struct mirror *m = s->mirrors; m != NULL; m = m->next) {
		if (m->gone || (m->live && !all))
			continue;
		if (m->live && m->cb->lost != NULL)
			m->cb->lost(m->arg, -ESTALE);
		for (const struct row *row = rows; row != NULL; row = row->next)
			if (concerns(m, row->key))
				m->cb->put(m->arg, row->key, row->value, row->len, row->version);
		m->live = true;
		if (!m->gone)
			m->cb->synced(m->arg);
	}
}

static void tell_lost(struct store *s, int rc)
{
	for (struct mirror *m = s->mirrors; m != NULL; m = m->next) {
		if (m->live && !m->gone && m->cb->lost != NULL)
			m->cb->lost(m->arg, rc);
		m->live = false;
	}
}

/* ---- On the loop -------------------------------------------------------- */

static void answer(struct commit *c, int rc)
{
	c->done(c->arg, rc, c->culprit, c->versions);
	free(c);
}

static void answer_all(struct commit *list, int rc)
{
	while (list != NULL) {
		struct commit *next = list->next;

		answer(list, rc);
		list = next;
	}
}

static struct commit *take_waiting(struct store *s, unsigned max)
{
	struct commit *list = s->waiting, **at = &list;

	while (*at != NULL && max-- > 0) {
		at = &(*at)->next;
		s->n_waiting--;
	}
	s->waiting = *at;
	*at = NULL;
	if (s->waiting == NULL)
		s->waiting_end = &s->waiting;
	return list;
}

static void succeeded(struct store *s, struct commit *list, struct row *rows)
{
	s->backoff = 0;
	if (s->lost)
		sat_log(s->self, LOG_NOTICE, "%s: open again", s->path);
	s->lost = false;
	s->telling++;
	for (struct commit *c = list; c != NULL; c = c->next) {
		sat_count(s->self, c->rc == 0 ? COUNT_COMMITS : COUNT_REFUSED, 1);
		for (size_t i = 0; c->rc == 0 && i < c->n; i++)
			tell_change(s, &c->changes[i], c->versions[i]);
	}
	if (s->job.read)
		tell_rows(s, rows, s->job.foreign);
	s->telling--;
	while (list != NULL) {
		struct commit *next = list->next;

		answer(list, list->rc);
		list = next;
	}
}

static void rest(struct store *s, int64_t wait)
{
	if (!s->stopping)
		s->resting = sat_alarm_set(s->self, &s->retry, sat_clock() + wait) == 0;
}

static void failed(struct store *s, struct commit *list, int rc, bool outcome)
{
	if (!s->lost)
		sat_log(s->self, LOG_ERR, "%s: %s", s->path, rc == -ETIMEDOUT ? "no answer in time" : s->job.error);
	s->lost = true;
	sat_count(s->self, COUNT_ERRORS, 1);
	s->telling++;
	tell_lost(s, rc);
	s->telling--;
	answer_all(list, outcome ? -EINPROGRESS : -ENOTCONN);
	answer_all(take_waiting(s, WAITING_MAX + 1), -ENOTCONN);
	s->backoff = s->backoff == 0 ? BACKOFF_MIN : s->backoff < BACKOFF_MAX / 2 ? 2 * s->backoff : BACKOFF_MAX;
	if (rc != -ETIMEDOUT)
		rest(s, s->backoff);
}

static void idle(struct store *s)
{
	if (!s->stopping || s->running || s->overdue || s->stopped)
		return;
	if (s->job.db != NULL) {
		turn(s);
		return;
	}
	s->stopped = true;
	sat_stopped(s->self);
}

static void done(void *arg, int rc)
{
	struct store *s = arg;
	struct commit *list = s->job.commits;
	struct row *rows = s->job.rows;

	s->overdue = rc == -ETIMEDOUT;
	if (s->overdue) {	/* the thread still uses the commits: late() frees them */
		for (; list != NULL; list = list->next)
			list->done(list->arg, -EINPROGRESS, 0, list->versions);
		s->running = false;
		failed(s, NULL, rc, true);
		return;
	}
	s->job.commits = NULL;
	s->job.rows = NULL;
	if (rc == 0)
		succeeded(s, list, rows);
	else
		failed(s, list, rc, s->job.outcome);
	rows_free(rows);
	sweep(s);
	s->running = false;
	turn(s);
	idle(s);
}

static void late(void *arg)
{
	struct store *s = arg;

	while (s->job.commits != NULL) {
		struct commit *c = s->job.commits;

		s->job.commits = c->next;
		free(c);
	}
	rows_free(s->job.rows);
	s->job.rows = NULL;
	s->overdue = false;
	rest(s, BACKOFF_MIN);
	idle(s);
}

static bool mirror_waits(const struct store *s)
{
	for (const struct mirror *m = s->mirrors; m != NULL; m = m->next)
		if (!m->live && !m->gone)
			return true;
	return false;
}

/* Start a job if there is something to do, and none runs. */
static void turn(struct store *s)
{
	struct sat_job job = { .size = sizeof(job), .work = work, .done = done, .late = late, .arg = s };
	bool read = mirror_waits(s);
	int rc;

	if (s->running || s->overdue || s->stopped || (s->resting && !s->stopping))
		return;
	if (!s->stopping && s->waiting == NULL && !read && !s->lost)
		return;
	s->job.close = s->stopping && s->waiting == NULL;
	if (s->job.close && s->job.db == NULL)
		return;
	s->job.read = read && !s->job.close;
	s->job.outcome = s->job.foreign = false;
	s->job.commits = take_waiting(s, GROUP_MAX);
	s->running = true;
	sat_count(s->self, COUNT_TRANSACTIONS, s->job.commits != NULL);
	rc = sat_work(s->self, &job);
	if (rc == 0)
		return;
	s->running = false;
	snprintf(s->job.error, sizeof(s->job.error), "%s", strerror(-rc));
	failed(s, s->job.commits, rc, false);
	s->job.commits = NULL;
	if (!s->stopping)
		return;
	s->stopped = true;	/* destroy() closes the file */
	sat_stopped(s->self);
}

static void retry(struct sat_alarm *alarm)
{
	struct store *s = SAT_OWNER(alarm, struct store, retry);

	s->resting = false;
	turn(s);
}

/* One block: the changes, their versions, then keys and values. */
static struct commit *commit_copy(const struct sat_change *changes, size_t n)
{
	size_t size = sizeof(struct commit) + n * (sizeof(*changes) + sizeof(int64_t));
	struct commit *c;
	char *p;

	for (size_t i = 0; i < n; i++)
		size += strlen(changes[i].key) + 1 + changes[i].len;
	c = calloc(1, size);
	if (c == NULL)
		return NULL;
	c->n = n;
	c->changes = (struct sat_change *)(c + 1);
	c->versions = (int64_t *)(c->changes + n);
	p = (char *)(c->versions + n);
	for (size_t i = 0; i < n; i++) {
		c->changes[i] = changes[i];
		c->changes[i].key = p;
		p = stpcpy(p, changes[i].key) + 1;
		c->changes[i].value = p;
		if (changes[i].len > 0)
			p = mempcpy(p, changes[i].value, changes[i].len);
	}
	return c;
}

static int commit(void *state, const struct sat_change *changes, size_t n, sat_committed *answered, void *arg)
{
	struct store *s = state;
	struct commit *c;

	if (s->lost || s->overdue || s->stopping || sat_dry_run())
		return -ENOTCONN;
	if (s->n_waiting >= WAITING_MAX)
		return -ENOBUFS;
	c = commit_copy(changes, n);
	if (c == NULL)
		return -ENOMEM;
	c->done = answered;
	c->arg = arg;
	*s->waiting_end = c;
	s->waiting_end = &c->next;
	s->n_waiting++;
	turn(s);
	return 0;
}

static int mirror(void *state, const char *prefix, const struct sat_mirror *cb, void *arg)
{
	struct store *s = state;
	struct mirror *m = calloc(1, sizeof(*m) + strlen(prefix) + 1), **at = &s->mirrors;

	if (m == NULL)
		return -ENOMEM;
	*m = (struct mirror){ .cb = cb, .arg = arg };
	strcpy(m->prefix, prefix);
	while (*at != NULL)
		at = &(*at)->next;
	*at = m;
	turn(s);
	return 0;
}

static void unmirror(void *state, void *arg)
{
	struct store *s = state;

	for (struct mirror *m = s->mirrors; m != NULL; m = m->next)
		m->gone = m->gone || m->arg == arg;
	sweep(s);
}

/* ---- The module --------------------------------------------------------- */

static const struct sat_option *const options[] = {
	SAT_OPTION("path", SAT_STRING, .fallback = "store.db", .help = "the file, under state-dir unless it begins with /"),
	NULL
};

static const struct sat_counter *const counters[] = {
	[COUNT_TRANSACTIONS] = SAT_COUNTER("transactions", .help = "groups of commits that went to the file"),
	[COUNT_COMMITS] = SAT_COUNTER("commits", .help = "commits made"),
	[COUNT_REFUSED] = SAT_COUNTER("refused", .help = "commits that did not fit what was there"),
	[COUNT_ERRORS] = SAT_COUNTER("errors", .help = "times the file was ill"),
	NULL
};

static void destroy(void *state)
{
	struct store *s = state;

	db_close(&s->job);
	while (s->mirrors != NULL) {
		struct mirror *m = s->mirrors;

		s->mirrors = m->next;
		free(m);
	}
	free(s->path);
	free(s);
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct store *s = calloc(1, sizeof(*s));
	const char *path = sat_conf_string(conf, "path");

	if (s == NULL)
		return -ENOMEM;
	s->self = self;
	s->waiting_end = &s->waiting;
	s->retry.fire = retry;
	if (asprintf(&s->path, "%s%s%s", *path == '/' ? "" : sat_state_dir(), *path == '/' ? "" : "/", path) < 0) {
		free(s);
		return -ENOMEM;
	}
	*state = s;
	return 0;
}

static int start(void *state)
{
	turn(state);
	return 0;
}

static void stop(void *state)
{
	struct store *s = state;

	s->stopping = true;
	sat_alarm_stop(&s->retry);
	idle(s);
}

SAT_MODULE(store_sqlite, .name = "store-sqlite", .version = SAT_VERSION,
	   .summary = "the store of a single master, in one SQLite file", .options = options,
	   .create = create, .start = start, .stop = stop, .destroy = destroy, .counters = counters,
	   .store = &(const struct sat_store){ .size = sizeof(struct sat_store), .name = "sqlite",
		   .commit = commit, .mirror = mirror, .unmirror = unmirror });
