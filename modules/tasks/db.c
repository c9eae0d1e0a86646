/* SPDX-License-Identifier: Apache-2.0 */
/* db - records of tasks in an SQLite file, as many as age and size allow.  On a host's thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tasks.h"

enum { REMOVE_AT_ONCE = 1000, REMOVE_ROUNDS = 16, VERSION = 3, FEW = 5000 };
#define ANSWER_MAX ((size_t)8 << 20)	/* no record is begun beyond it */

#define COLUMNS "id, framework_id, framework, host, agent, name, state, reason, source, exit, message, time"
static const char *const columns[FIELDS] = {
	"id", "framework_id", "framework", "host", "agent", "name", "state", "reason", "source", "exit", "message"
};

/*
 * A later end takes the place of the one that is kept.  The same end once more, from a
 * master's state, its stream or an agent, adds what it knows, and takes nothing away that
 * it does not say; states round their times to 10 us.
 */
#define SAME	"(state = ?7 AND abs(time - ?12) < 1000)"
#define OR_OLD(column, n) #column " = CASE WHEN " n " = '' AND " SAME " THEN " #column " ELSE " n " END, "
#define UPDATE	"UPDATE tasks SET " OR_OLD(framework, "?3") OR_OLD(host, "?4") OR_OLD(agent, "?5") OR_OLD(name, "?6") \
	OR_OLD(reason, "?8") OR_OLD(source, "?9") OR_OLD(exit, "?10") OR_OLD(message, "?11") \
	"state = ?7, time = ?12, unsent = ?13 WHERE id = ?1 AND framework_id = ?2 AND CASE WHEN " SAME \
	" THEN (?8 <> '' AND reason IS NOT ?8) OR (?11 <> '' AND message IS NOT ?11)" \
	" ELSE time < ?12 OR (time = ?12 AND state IS NOT ?7) END"

static int note(struct db *d, const char *what)
{
	int code = d->h == NULL ? SQLITE_NOMEM : sqlite3_errcode(d->h);

	snprintf(d->error, sizeof(d->error), "%s: %s", what, d->h == NULL ? "out of memory" : sqlite3_errmsg(d->h));
	return code == SQLITE_FULL ? -ENOSPC : code == SQLITE_BUSY ? -EBUSY : code == SQLITE_NOMEM ? -ENOMEM :
	       code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? -EBADMSG : -EIO;
}

static int exec(struct db *d, const char *sql)
{
	return sqlite3_exec(d->h, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : note(d, sql);
}

static int prepare(struct db *d, sqlite3_stmt **stmt, const char *sql)
{
	return sqlite3_prepare_v2(d->h, sql, -1, stmt, NULL) == SQLITE_OK ? 0 : note(d, "prepare");
}

static int64_t number(struct db *d, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t n = 0;

	if (sqlite3_prepare_v2(d->h, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

void db_close(struct db *d)
{
	sqlite3_finalize(d->update);
	sqlite3_finalize(d->insert);
	sqlite3_close(d->h);
	d->update = d->insert = NULL;
	d->h = NULL;
}

static int setup_unsent(struct db *d)
{
	int rc = 0;

	/* A file from before there was another store. */
	if (number(d, "SELECT count(*) FROM pragma_table_info('tasks') WHERE name = 'unsent'") == 0)
		rc = exec(d, "ALTER TABLE tasks ADD COLUMN unsent INTEGER NOT NULL DEFAULT 0");
	return rc != 0 ? rc : exec(d, "CREATE INDEX IF NOT EXISTS by_unsent ON tasks (unsent) WHERE unsent > 0");
}

static int run(struct db *d, const char *const *sql)
{
	int rc = 0;

	for (; rc == 0 && *sql != NULL; sql++)
		rc = exec(d, *sql);
	return rc;
}

/* One that is as it should be is not written: its disk may be full. */
static int setup(struct db *d)
{
	static const char *const modes[] = {
		"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA journal_size_limit=4194304", NULL
	};
	static const char *const tables[] = {
		("CREATE TABLE IF NOT EXISTS tasks (id TEXT NOT NULL, framework_id TEXT NOT NULL, framework TEXT,"
		 " host TEXT, agent TEXT, name TEXT, state TEXT, reason TEXT, source TEXT, exit TEXT, message TEXT,"
		 " time INTEGER NOT NULL, PRIMARY KEY (id, framework_id))"),
		"CREATE INDEX IF NOT EXISTS by_time ON tasks (time)",
		"CREATE INDEX IF NOT EXISTS by_host ON tasks (host, time)",
		"CREATE INDEX IF NOT EXISTS by_framework ON tasks (framework, time)",
		"CREATE INDEX IF NOT EXISTS by_state ON tasks (state, time)",
		NULL
	};
	int rc = run(d, modes);

	if (rc != 0 || number(d, "PRAGMA user_version") == VERSION)
		return rc;
	rc = run(d, tables);
	if (rc == 0)
		rc = setup_unsent(d);
	return rc != 0 ? rc : exec(d, "PRAGMA user_version=3");
}

static int open_once(struct db *d)
{
	bool dry = sat_dry_run(), there = access(d->path, F_OK) == 0;
	int flags = dry && there ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, rc = 0;

	if (sqlite3_open_v2(dry && !there ? ":memory:" : d->path, &d->h, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		rc = note(d, "open");
	if (rc == 0)
		sqlite3_busy_timeout(d->h, 5000);
	if (rc == 0 && !(dry && there))
		rc = setup(d);
	if (rc == 0 && !dry)
		rc = prepare(d, &d->update, UPDATE);
	if (rc == 0 && !dry)
		rc = prepare(d, &d->insert, "INSERT OR IGNORE INTO tasks (" COLUMNS ", unsent)"
			     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)");
	if (rc != 0)
		db_close(d);
	return rc;
}

/* What cannot be read keeps nobody from keeping what is to come. */
void db_put_aside(struct db *d)
{
	static const char *const tails[] = { "", "-wal", "-shm" };
	char from[4096], to[4096];

	db_close(d);
	if (sat_dry_run())
		return;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		snprintf(from, sizeof(from), "%s%s", d->path, tails[i]);
		snprintf(to, sizeof(to), "%s.damaged%s", d->path, tails[i]);
		if (rename(from, to) != 0)
			unlink(to);
	}
	d->damaged = true;
}

int db_open(struct db *d)
{
	int rc;

	if (d->h != NULL && !sat_dry_run() && access(d->path, F_OK) != 0)
		db_close(d);	/* it was removed under us */
	if (d->h != NULL)
		return 0;
	rc = open_once(d);
	if (rc == -EBADMSG && !sat_dry_run()) {
		db_put_aside(d);
		rc = open_once(d);
	}
	if (rc == 0)
		d->tasks = number(d, "SELECT count(*) FROM tasks");
	return rc;
}

/* ---- Writing ------------------------------------------------------------ */

static int step(struct db *d, sqlite3_stmt *stmt, const struct record *r)
{
	int rc;

	for (int i = 0; i < FIELDS; i++)
		sqlite3_bind_text(stmt, i + 1, r->f[i], -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, FIELDS + 1, r->time);
	sqlite3_bind_int64(stmt, FIELDS + 2, d->mark);
	rc = sqlite3_step(stmt) == SQLITE_DONE ? 0 : note(d, "write");
	sqlite3_reset(stmt);
	return rc;
}

/* An older state than the one that is kept changes nothing, nor does the same once more. */
static int put(struct db *d, const struct record *r)
{
	int64_t changes = sqlite3_total_changes(d->h);
	int rc = r->fills ? 0 : step(d, d->update, r);

	if (rc == 0 && sqlite3_total_changes(d->h) == changes) {
		rc = step(d, d->insert, r);
		d->tasks += sqlite3_total_changes(d->h) - changes;
	}
	d->kept += sqlite3_total_changes(d->h) - changes;
	return rc;
}

/* The oldest n of those that ended before then. */
static int take_out(struct db *d, int64_t before, int64_t n)
{
	char sql[256];
	int rc;

	snprintf(sql, sizeof(sql), "DELETE FROM tasks WHERE rowid IN (SELECT rowid FROM tasks WHERE time < %lld"
		 " ORDER BY time LIMIT %lld)", (long long)before, (long long)n);
	rc = exec(d, sql);
	if (rc == 0) {
		d->tasks -= sqlite3_changes(d->h);
		d->removed += sqlite3_changes(d->h);
	}
	return rc;
}

static void measure(struct db *d)
{
	d->bytes = (number(d, "PRAGMA page_count") - number(d, "PRAGMA freelist_count")) * number(d, "PRAGMA page_size");
}

/* So much a job; what is still too much goes with the next. */
static int prune(struct db *d, int64_t now)
{
	int rc = 0;

	for (int i = 0; i < REMOVE_ROUNDS && rc == 0; i++) {
		int64_t before = d->removed, over = d->tasks - d->max_tasks;

		rc = take_out(d, now - d->keep, REMOVE_AT_ONCE);
		if (rc == 0 && over > 0)
			rc = take_out(d, INT64_MAX, over < REMOVE_AT_ONCE ? over : REMOVE_AT_ONCE);
		measure(d);
		if (rc == 0 && d->bytes > d->max_bytes)
			rc = take_out(d, INT64_MAX, REMOVE_AT_ONCE);
		if (d->removed == before)
			break;
	}
	measure(d);
	return rc;
}

/* ---- What another store lacks ------------------------------------------- */

/* One that changed since has another mark, and stays. */
static int unmark(struct db *d, const struct record *list)
{
	sqlite3_stmt *stmt = NULL;
	int rc = prepare(d, &stmt, "UPDATE tasks SET unsent = 0 WHERE id = ?1 AND framework_id = ?2 AND unsent = ?3");

	for (const struct record *r = list; r != NULL && rc == 0; r = r->next) {
		sqlite3_bind_text(stmt, 1, r->f[TASK], -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 2, r->f[FRAMEWORK_ID], -1, SQLITE_STATIC);
		sqlite3_bind_int64(stmt, 3, r->unsent);
		rc = sqlite3_step(stmt) == SQLITE_DONE ? 0 : note(d, "mark");
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* Those that wait longest are let go. */
static int limit_unsent(struct db *d)
{
	int64_t over = d->unsent - d->max_unsent;
	char sql[256];
	int rc;

	if (over <= 0)
		return 0;
	snprintf(sql, sizeof(sql), "UPDATE tasks SET unsent = 0 WHERE rowid IN (SELECT rowid FROM tasks WHERE unsent > 0"
		 " ORDER BY unsent, rowid LIMIT %lld)", (long long)over);
	rc = exec(d, sql);
	if (rc == 0) {
		d->skipped = over;
		d->unsent -= over;
	}
	return rc;
}

static int write_unsent(struct db *d, const struct record *sent)
{
	int rc = sent != NULL ? unmark(d, sent) : 0;

	if (rc != 0)
		return rc;
	d->unsent = number(d, "SELECT count(*) FROM tasks WHERE unsent > 0");
	return limit_unsent(d);
}

/* ---- A job -------------------------------------------------------------- */

int db_write(struct db *d, const struct record *list, const struct record *sent, int64_t now)
{
	int64_t tasks = d->tasks, unsent = d->unsent;
	int rc = exec(d, "BEGIN IMMEDIATE");

	for (const struct record *r = list; r != NULL && rc == 0; r = r->next)
		rc = put(d, r);
	if (rc == 0)
		rc = prune(d, now);
	if (rc == 0 && d->max_unsent > 0)
		rc = write_unsent(d, sent);
	if (rc == 0)
		rc = exec(d, "COMMIT");
	if (rc == 0)
		return 0;
	d->tasks = tasks;
	d->unsent = unsent;
	d->kept = d->removed = d->skipped = 0;
	sqlite3_exec(d->h, "ROLLBACK", NULL, NULL, NULL);
	if (rc == -EBADMSG)
		db_put_aside(d);
	return rc;
}

static void read_fields(sqlite3_stmt *stmt, const char **f)
{
	for (int i = 0; i < FIELDS; i++) {
		const char *s = (const char *)sqlite3_column_text(stmt, i);

		f[i] = s != NULL ? s : "";
	}
}

static struct record *read_row(sqlite3_stmt *stmt)
{
	const char *f[FIELDS];
	struct record *r;

	read_fields(stmt, f);
	r = record_copy(f, sqlite3_column_int64(stmt, FIELDS));
	if (r != NULL)
		r->unsent = sqlite3_column_int64(stmt, FIELDS + 1);
	return r;
}

/* Fewer than there are: the rest comes with the next. */
int db_unsent(struct db *d, unsigned n, struct record **list)
{
	struct record **end = list;
	sqlite3_stmt *stmt = NULL;
	int rc = prepare(d, &stmt, "SELECT " COLUMNS ", unsent FROM tasks WHERE unsent > 0"
			 " ORDER BY unsent, rowid LIMIT ?1"), got = SQLITE_DONE;

	*list = NULL;
	if (rc == 0)
		sqlite3_bind_int64(stmt, 1, n);
	while (rc == 0 && (got = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct record *r = read_row(stmt);

		if (r == NULL)
			break;
		*end = r;
		end = &r->next;
	}
	if (rc == 0 && got != SQLITE_DONE && got != SQLITE_ROW)
		rc = note(d, "read");
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- Finding ------------------------------------------------------------ */

/* How many have this, up to FEW; -1: there is no such index. */
static int64_t count_few(struct db *d, const struct ask *a, enum field field)
{
	sqlite3_stmt *stmt = NULL;
	char sql[256];
	int64_t n = -1;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY by_%s WHERE %s = ?1"
		 " AND time >= ?2 AND time <= ?3 LIMIT %d)", columns[field], columns[field], FEW);
	if (sqlite3_prepare_v2(d->h, sql, -1, &stmt, NULL) == SQLITE_OK) {
		sqlite3_bind_text(stmt, 1, a->is[field], -1, SQLITE_STATIC);
		sqlite3_bind_int64(stmt, 2, a->since);
		sqlite3_bind_int64(stmt, 3, a->until < a->before.time ? a->until : a->before.time);
		if (sqlite3_step(stmt) == SQLITE_ROW)
			n = sqlite3_column_int64(stmt, 0);
	}
	sqlite3_finalize(stmt);
	return n;
}

/* The index to walk: that of what fewest have, which SQLite does not know.  "": SQLite chooses. */
static void write_index(struct db *d, const struct ask *a, char *to, size_t size)
{
	static const enum field indexed[] = { HOST, FRAMEWORK, STATE };
	int64_t least = INT64_MAX;

	to[0] = '\0';
	for (size_t i = 0; i < sizeof(indexed) / sizeof(indexed[0]) && a->is[TASK] == NULL && least > 0; i++) {
		int64_t n = a->is[indexed[i]] != NULL ? count_few(d, a, indexed[i]) : -1;

		if (n < 0 || n >= least)
			continue;
		least = n;
		snprintf(to, size, " INDEXED BY by_%s", columns[indexed[i]]);
	}
}

static void write_sql(struct db *d, const struct ask *a, char *sql, size_t size)
{
	char index[40];
	int n;

	write_index(d, a, index, sizeof(index));
	n = snprintf(sql, size, "SELECT " COLUMNS ", rowid FROM tasks%s WHERE time >= ?%d AND time <= ?%d"
		     " AND (time < ?%d OR (time = ?%d AND rowid < ?%d))", index, FIELDS + 1, FIELDS + 2, FIELDS + 3,
		     FIELDS + 3, FIELDS + 4);
	for (int i = 0; i < FIELDS; i++)
		if (a->is[i] != NULL)
			n += snprintf(sql + n, size - (size_t)n, " AND %s = ?%d", columns[i], i + 1);
	snprintf(sql + n, size - (size_t)n, " ORDER BY time DESC, rowid DESC LIMIT %u", a->limit + 1);
}

static void found(struct ask *a, sqlite3_stmt *stmt)
{
	const char *f[FIELDS];

	read_fields(stmt, f);
	if (a->form == FORM_JSON && !a->single && a->found > 0)
		sat_buf_printf(&a->out, ",\n");
	a->last = (struct place){ sqlite3_column_int64(stmt, FIELDS), sqlite3_column_int64(stmt, FIELDS + 1) };
	record_print(&a->out, a->form, f, a->last.time);
	a->found++;
}

int db_find(struct db *d, struct ask *a)
{
	char sql[1024];
	sqlite3_stmt *stmt = NULL;
	int rc, got = SQLITE_DONE;

	write_sql(d, a, sql, sizeof(sql));
	rc = prepare(d, &stmt, sql);
	if (rc != 0)
		return rc;
	for (int i = 0; i < FIELDS; i++)
		if (a->is[i] != NULL)
			sqlite3_bind_text(stmt, i + 1, a->is[i], -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, FIELDS + 1, a->since);
	sqlite3_bind_int64(stmt, FIELDS + 2, a->until < a->before.time ? a->until : a->before.time);
	sqlite3_bind_int64(stmt, FIELDS + 3, a->before.time);
	sqlite3_bind_int64(stmt, FIELDS + 4, a->before.row);
	while (!a->more && (got = sqlite3_step(stmt)) == SQLITE_ROW) {
		a->more = a->found == a->limit || a->out.len > ANSWER_MAX;
		if (!a->more)
			found(a, stmt);
	}
	if (!a->more && got != SQLITE_DONE)
		rc = note(d, "read");
	sqlite3_finalize(stmt);
	return rc != 0 ? rc : a->out.full ? -ENOMEM : 0;
}
