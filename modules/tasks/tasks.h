/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks - the last state of every task that ended, kept past Mesos' own memory.
 *
 *   record  what is kept of a task, and how it is shown
 *   db      the file: only a job touches it
 *   keep    what waits for the file: records to write, questions to answer
 *   ask     questions: routes and commands
 *   stored  a record out of what such a store has
 *   riak    that store, a Riak or like one, and how it stands: see riak.h
 */
#ifndef TASKS_H
#define TASKS_H

#include <satellite/module.h>

/* ---- record ------------------------------------------------------------- */

enum { NAME_MAX_BYTES = 1024, MESSAGE_MAX = 4096 };

enum field {
	TASK, FRAMEWORK_ID, FRAMEWORK, HOST, AGENT, NAME, STATE, REASON, SOURCE, EXIT, MESSAGE, FIELDS
};
extern const char *const field_names[FIELDS];

struct record {
	struct record *next;
	int64_t time;
	size_t size;			/* of all of it */
	int64_t unsent;			/* its mark, where it came out of the file */
	bool fills;			/* nobody knows when it ended: where there is one, that stays */
	const char *f[FIELDS];		/* "": not known */
	char text[];
};

/* -ENOENT: it is no task that ended; -EINVAL: it does not say which; -ENOMEM. */
int record_new(const struct sat_event *ev, struct record **to);
struct record *record_copy(const char *const *f, int64_t time);	/* NULL: out of memory */
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
	int64_t since, until;
	struct place { int64_t time, row; } before, last;	/* those behind it; the last that is shown */
	unsigned limit, found;
	bool more;			/* there are, which are not shown */
	struct sat_buf out;
	char text[];
};

struct riak;
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
	int64_t max_unsent;		/* 0: there is no other store */
	int64_t mark;			/* of what is written in this job: when; 0: none */
	int64_t unsent, skipped;	/* records marked so; in this job, too many */
	struct record *sent, *batch;	/* in this job: those that were, those that are to be */
	unsigned want;			/* of the latter, how many */
	bool damaged;			/* it was, and was put aside in this job */
	char error[256];
};
int db_open(struct db *d);		/* fine when it is open */
/* All of them or none; sent: those that another store has. */
int db_write(struct db *d, const struct record *list, const struct record *sent, int64_t now);
int db_find(struct db *d, struct ask *a);
int db_unsent(struct db *d, unsigned n, struct record **list);	/* those that another store lacks */
void db_close(struct db *d);
void db_put_aside(struct db *d);		/* it is damaged; closes it */

/* ---- stored ------------------------------------------------------------- */

enum { STORED_MAX = MESSAGE_MAX };
struct stored {
	int64_t time;			/* 0: not known */
	const char *f[FIELDS];
	char text[FIELDS][STORED_MAX + 1];
};
/* For free().  -ENOENT: it has no such task; -EBADMSG: no JSON; -E2BIG, -ENOMEM. */
int stored_read(const char *text, size_t len, const char *id, struct stored **to);

/* ---- riak --------------------------------------------------------------- */

struct tasks;
extern const struct sat_option *const riak_options[];
int riak_new(struct tasks *t, const struct sat_conf *group, struct riak **to);
void riak_free(struct riak *r);				/* NULL is fine, in all of them */
void riak_start(struct riak *r);
void riak_stop(struct riak *r);				/* keep_idle() follows once riak_idle() */
bool riak_idle(const struct riak *r);
void riak_acting(struct riak *r);			/* whether we act may be another */
void riak_before(struct riak *r, struct db *d);		/* a job */
void riak_after(struct riak *r, struct db *d, int rc);
bool riak_wants(const struct riak *r);			/* another job, at once */
bool riak_seek(struct riak *r, struct ask *a, int rc);	/* takes it, if true; rc: of looking it up here */

/* ---- keep --------------------------------------------------------------- */

enum count {
	COUNT_KEPT, COUNT_DROPPED, COUNT_REFUSED, COUNT_REMOVED, COUNT_ERRORS, COUNT_WAITING, COUNT_TASKS, COUNT_BYTES,
	COUNT_SENT, COUNT_UNSENT, COUNT_SKIPPED, COUNT_NOT_TAKEN, COUNT_RIAK_ERRORS,
};

struct tasks {
	struct sat_self *self;
	struct db db;
	struct riak *riak;			/* NULL: there is none */
	struct record *waiting, **waiting_end;
	struct record *writing;			/* by the job */
	struct ask *asks, *asking;
	unsigned n_waiting, n_asks, max_waiting;
	bool running, overdue, lost, stopping, stopped;
	struct sat_alarm gather, tidy;
	int64_t backoff, retry;
	bool only;				/* the job is for questions alone */
	struct sat_log_limit full;
	bool last;				/* the job is to close the file */
	int64_t now;				/* wall, when it began: the clock is the loop's */
	int rc;					/* of its writing */
};

void keep_begin(struct tasks *t);
void keep_end(struct tasks *t);			/* sat_stopped() follows */
int keep_event(struct tasks *t, const struct sat_event *ev);
void keep_turn(struct tasks *t);		/* a job, if none runs */
void keep_idle(struct tasks *t);
void keep_ask(struct tasks *t, struct ask *a);	/* takes it; it is answered */

/* ---- ask ---------------------------------------------------------------- */

extern const struct sat_route *const ask_routes[];
extern const struct sat_command *const ask_commands[];
/* Answer, and be done with it; rc: 0, or why it could not be looked up. */
void ask_done(struct ask *a, int rc, const char *why);

#endif
