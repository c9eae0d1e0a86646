/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks - the last state of every task that ended, kept past Mesos' own memory.
 *
 *   record  what is kept of a task, and how it is shown
 *   db      the file: only a job touches it
 *   keep    what waits for the file: records to write, questions to answer
 *   ask     questions: routes and commands
 */
#ifndef TASKS_H
#define TASKS_H

#include <satellite/module.h>

/* ---- record ------------------------------------------------------------- */

enum field {
	TASK, FRAMEWORK_ID, FRAMEWORK, HOST, AGENT, NAME, STATE, REASON, SOURCE, EXIT, MESSAGE, FIELDS
};
extern const char *const field_names[FIELDS];

struct record {
	struct record *next;
	int64_t time;
	size_t size;			/* of all of it */
	bool fills;			/* nobody knows when it ended: where there is one, that stays */
	const char *f[FIELDS];		/* "": not known */
	char text[];
};

/* -ENOENT: it is no task that ended; -EINVAL: it does not say which; -ENOMEM. */
int record_new(const struct sat_event *ev, struct record **to);
void records_free(struct record *r);

enum form {
	FORM_LINE,		/* one of a table */
	FORM_TEXT,		/* all of it, for people */
	FORM_JSON,		/* one of a list */
	FORM_STATE,		/* as an agent's state that has this task alone */
};
void record_print(struct sat_buf *b, enum form form, const char *const *f, int64_t time);

/* ---- db ----------------------------------------------------------------- */

/* A question: the latest records that have all of these. */
struct ask {
	struct ask *next;
	struct sat_request *req;
	bool command, single;		/* single: of one task, and not there is 404 */
	enum form form;
	const char *is[FIELDS];		/* NULL: any; in text */
	int64_t since;
	unsigned limit, found;
	bool more;			/* there are, which are not shown */
	struct sat_buf out;
	char text[];
};

struct sqlite3;
struct sqlite3_stmt;
struct db {
	char *path;
	int64_t keep;			/* microseconds */
	int64_t max_bytes, max_tasks;
	struct sqlite3 *h;
	struct sqlite3_stmt *update, *insert;
	int64_t tasks, bytes;		/* that it has */
	int64_t kept;			/* in this job, */
	int64_t removed;		/* and gone by age or size */
	bool damaged;			/* it was, and was put aside in this job */
	char error[256];
};
int db_open(struct db *d);		/* fine when it is open */
int db_write(struct db *d, const struct record *list, int64_t now);
int db_find(struct db *d, struct ask *a);
void db_close(struct db *d);

/* ---- keep --------------------------------------------------------------- */

enum count { COUNT_KEPT, COUNT_DROPPED, COUNT_REFUSED, COUNT_REMOVED, COUNT_ERRORS, COUNT_WAITING, COUNT_TASKS, COUNT_BYTES };

struct tasks {
	struct sat_self *self;
	struct db db;
	struct record *waiting, **waiting_end;
	struct record *writing;			/* by the job */
	struct ask *asks, *asking;
	unsigned n_waiting, n_asks, max_waiting;
	bool running, overdue, lost, stopping, stopped;
	struct sat_alarm gather, tidy;
	int64_t backoff;
	struct sat_log_limit full;
	bool last;				/* the job is to close the file */
	int64_t now;				/* wall, when it began: the clock is the loop's */
	int rc;					/* of its writing */
};

void keep_begin(struct tasks *t);
void keep_end(struct tasks *t);			/* sat_stopped() follows */
int keep_event(struct tasks *t, const struct sat_event *ev);
void keep_ask(struct tasks *t, struct ask *a);	/* takes it; it is answered */

/* ---- ask ---------------------------------------------------------------- */

extern const struct sat_route *const ask_routes[];
extern const struct sat_command *const ask_commands[];
/* Answer, and be done with it; rc: 0, or why it could not be looked up. */
void ask_done(struct ask *a, int rc, const char *why);

#endif
