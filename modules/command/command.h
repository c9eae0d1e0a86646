/* SPDX-License-Identifier: Apache-2.0 */
/* command - what the files of this module share: settings read, output judged, a child run. */
#ifndef COMMAND_H
#define COMMAND_H

#include <satellite/module.h>

enum parse { PARSE_EXIT, PARSE_NAGIOS, PARSE_NUMBER, PARSE_JSON };

enum perfdata { PERFDATA_ATTRIBUTES, PERFDATA_EVENTS, PERFDATA_NONE };

struct limit {
	enum { LIMIT_NONE, LIMIT_NUMBER, LIMIT_RANGE } kind;
	double from, to;	/* to: of a range */
	bool inside;		/* what lies in the range is bad */
	const char *text;	/* of a range, without the @; borrowed from the settings */
};

struct command {		/* one entry of `checks` */
	struct sat_probe *probe;
	struct sat_self *self;
	char **argv, **env;
	enum parse parse;
	enum perfdata perfdata;
	struct limit warning, critical;
	bool low;
	struct run *run;	/* NULL: none under way */
};

enum { COUNT_RUNS, COUNT_TIMEOUTS, COUNT_OUTPUT_DROPPED, COUNT_PERFDATA_REFUSED };

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

/* run.c: one child at a time. */
void run_begin(struct command *c);	/* ends with sat_probe_done() */
void run_kill(struct command *c);	/* its time is up */

#endif
