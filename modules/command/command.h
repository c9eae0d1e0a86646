/* SPDX-License-Identifier: Apache-2.0 */
/* command - what the files of this module share: settings read, output judged, a child run. */
#ifndef COMMAND_H
#define COMMAND_H

#include <sys/types.h>

#include <satellite/module.h>

enum parse { PARSE_EXIT, PARSE_NAGIOS, PARSE_NUMBER, PARSE_JSON };

enum perfdata { PERFDATA_ATTRIBUTES, PERFDATA_EVENTS, PERFDATA_NONE };

struct limit {
	enum { LIMIT_NONE, LIMIT_NUMBER, LIMIT_RANGE } kind;
	double from, to;	/* to: of a range */
	bool inside;		/* what lies in the range is bad */
	const char *text;	/* of a range, without the @; borrowed from the settings */
};

struct manner {			/* how it runs; all but groups borrowed from the settings */
	const char *user;	/* NULL: as we do */
	uid_t uid;
	gid_t gid, *groups;
	int n_groups, nice;
	bool has_nice;
	const char *cgroup;	/* NULL: in ours */
};

struct turns {			/* of all commands of an instance */
	struct command *first, **last;	/* those that wait */
	struct sat_alarm alarm;
	unsigned running, waiting, most;
};

struct command {		/* one entry of `checks` */
	struct sat_probe *probe;
	struct sat_self *self;
	char **argv, **env;
	const char *host;	/* of its events; NULL: this one */
	struct manner manner;
	enum parse parse;
	enum perfdata perfdata;
	struct limit warning, critical;
	bool low;
	struct run *run;	/* NULL: none under way */
	struct turns *turns;
	struct command *next;	/* of those that wait */
	bool waits, has_turn;
};

enum { COUNT_RUNS, COUNT_TIMEOUTS, COUNT_OUTPUT_DROPPED, COUNT_PERFDATA_REFUSED, COUNT_WAITED, COUNT_WAITING };

/* How a child ended. */
struct outcome {
	int64_t status;
	int signal;
	const char *out, *err;	/* NUL-ended; borrowed */
};

/* words.c: a command line in words, and an environment; NULL-ended, one block each, for free(). */
char **words_split(const char *line, const char **why);	/* NULL: refused; why NULL: no memory */
char **words_copy(const char *const *words, size_t n);
/* The default environment with these groups over it, the last one winning; groups may be NULL. */
char **words_env(const struct sat_conf *const *groups, size_t n, int *rc);

/* limit.c: where a number begins to be bad.  NULL, or what is wrong with the setting. */
const char *limit_read(struct limit *l, struct sat_value v);
bool limit_passed(const struct limit *l, bool low, double value);

/* verdict.c: report what a child's end means. */
void verdict_report(struct command *c, const struct outcome *o);

/* manner.c: judge and read it; module may be NULL.  groups is the caller's to free, if it failed, too. */
int manner_read(struct manner *m, const struct sat_conf *entry, const struct sat_conf *module);

/* start.c: a new process, or -errno.  *failures is to be read by start_failed() when it has ended: true, it was
 * not executed, and why. */
pid_t start_child(const struct command *c, int out, int err, int cgroup, int *failures);
bool start_failed(int failures, char *why, size_t size);

/* stray.c: what is not in the group of this session's leader, though of its session or its descendants; the latter,
 * which cannot be found again once their parents have ended, get SIGKILL. */
void stray_signal(pid_t leader, int signum);

/* cgroup.c: the cgroup of a command.  Made, and its cgroup.procs; -errno: why says more. */
int cgroup_open(const struct command *c, char *why, size_t size);
void cgroup_kill(const struct command *c);	/* all that is in it; without one nothing, as below */
void cgroup_remove(const struct command *c);

/* turn.c: who may run. */
void turns_init(struct turns *t, unsigned most);
void turn_take(struct command *c);	/* calls run_begin(), now or later */
void turn_give(struct command *c);	/* to the next; once it is given nothing more happens */
bool turn_forgo(struct command *c);	/* it waited, and is done; false: it did not */

/* run.c: one child at a time. */
void run_begin(struct command *c);	/* ends with sat_probe_done() */
void run_kill(struct command *c);	/* its time is up */

#endif
