/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance - the life of one configured module: found, judged, created, opened,
 * started, stopped, destroyed.  Reloads share an instance whose settings stay.
 */
#ifndef INSTANCE_H
#define INSTANCE_H

#include "conf.h"
#include "self.h"

#define INSTANCE_RETRY_MS 10000		/* after a start, or what else it needs, that failed */

enum instance_stage {
	INSTANCE_CREATING,
	INSTANCE_CREATED,
	INSTANCE_OPEN,		/* it may be started */
	INSTANCE_RUNNING,
	INSTANCE_STOPPING,
	INSTANCE_STOPPED,	/* it may be destroyed */
};

/*
 * What create() asked for beyond its own group.  With the group's text it makes
 * out whether an instance may go on under another file.
 */
struct instance_tie {
	struct instance_tie *next;
	enum { TIE_STORE, TIE_SERVICE, TIE_STRING, TIE_GROUP } kind;
	char *name;		/* "sqlite", "http-client", "service-prefix", "mesos-agent" */
	struct sat_link *link;	/* of a store */
	char *text;		/* of a top-level string or group as it was read; NULL: not given */
	const struct sat_option *const *options;	/* by which the group was judged */
};

struct instance {
	struct sat_self self;		/* first: self.instance points here */
	enum instance_stage stage;
	unsigned users;			/* setups that hold it: the running, the next */
	struct conf *file;		/* where its settings live */
	char *text;			/* its settings, canonically */
	struct instance_tie *ties;
	bool served;			/* its routes and commands are in the table */
	uint64_t retry;			/* uv_now() of the next start() */
	struct self_isolated isolated;	/* self.isolated points here, where it is */
	void (*halt)(struct instance *i);	/* ends its process, then says sat_stopped(); NULL: it has none */
	void *process;			/* isolate.c's */
	void (*stopped)(struct instance *i);
};

/* One that is not created yet, of a judged group.  Takes text.  NULL: no memory. */
struct instance *instance_new(const char *name, const struct sat_module *m,
			      const struct sat_conf *group, char *text);
/* Judge the group of an instance of m; 0 or -EINVAL, reported. */
int instance_judge(const struct sat_module *m, const struct sat_conf *group);
/* Whether a judged group wants, in this process, one of its own. */
bool instance_isolated(const struct sat_conf *group);
/* The text of a judged group; NULL: no memory. */
char *instance_text(const struct sat_conf *group);
struct instance_tie *instance_tie(struct instance *i, int kind, const char *name);

int instance_create(struct instance *i);	/* -errno: something was reported */
int instance_open(struct instance *i);
int instance_start(struct instance *i);
int instance_serve(struct instance *i, bool on);	/* its routes and commands; -errno: reported */
/* stopped() comes from inside, or later. */
void instance_stop(struct instance *i, void (*stopped)(struct instance *i));
/* Undo everything; not while it runs or stops.  NULL is fine. */
void instance_free(struct instance *i);

static inline struct instance *instance_of(const struct sat_self *self) { return self->instance; }
struct instance *instance_creating(void);	/* whose create() runs; NULL: none */

#endif
