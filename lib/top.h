/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top - the settings at the top of the file: what this process is, where it
 * lives, what it runs.  sat_top_string() and sat_top_group() live here.
 */
#ifndef TOP_H
#define TOP_H

#include "conf.h"
#include "index.h"
#include "lead.h"

struct top;		/* one file with its top judged */

/* Judges the settings that are the host's own; groups of modules are left to
 * setup.  Takes file.  NULL: no memory.  Mistakes are reported and counted. */
struct top *top_judge(struct conf *file);
void top_free(struct top *t);			/* NULL is fine */
struct conf *top_file(const struct top *t);
const struct sat_conf *top_get(const struct top *t, const char *name);	/* NULL: not given */

/* What sat_top_string() and sat_top_group() answer from, borrowed; NULL: nothing. */
void top_use(struct top *t);
bool top_own(const char *name);			/* whether a setting of that name is the host's */
/* Whether a module has asked for this group, which is not its own. */
bool top_known(const struct top *t, const struct sat_conf *group);
struct instance_tie;
/* Whether what an instance once read here is the same in the file in use. */
bool top_same(const struct instance_tie *tie);

const char *top_role(const struct top *t);	/* "master", "slave"; NULL: not said */
char *top_host(const struct top *t);		/* the caller's to free; NULL: no memory */
char *top_absolute(const char *path);		/* the caller's to free; NULL: no memory */
char *top_state_dir(const struct top *t);	/* absolute; the caller's to free */
const char *top_log_file(const struct top *t);	/* or NULL: stderr */
int top_log_level(const struct top *t);		/* as in syslog(3) */
const char *const *top_modules(const struct top *t);	/* NULL-ended; none where not said */
bool top_http(const struct top *t, bool otherwise, const char **host, int *port);
const char *const *top_origins(const struct top *t);	/* NULL-ended, live as long as t; NULL: none */
void top_index(const struct top *t, struct index_conf *c);	/* its strings live as long as t */
char *top_record(const struct top *t, size_t *max);	/* the caller's to free; NULL: not given */
int64_t top_save(const struct top *t);	/* microseconds between two saves of the state */
int64_t top_memory(const struct top *t);	/* bytes: `memory-max` */
int64_t top_self(const struct top *t, int64_t otherwise);	/* microseconds between its own events */
enum lead_mode top_leader(const struct top *t, bool watches_mesos, bool shares);

#endif
