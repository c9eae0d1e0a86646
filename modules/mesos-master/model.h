/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model - the agents, frameworks and tasks of a Mesos cluster, as last heard.
 *
 * Fed by whole states (model_begin(), model_put_…(), model_end()) and, between
 * them, by single changes.  What is in it stays where it is until it goes; its
 * texts are interned: never NULL, "" where not given, and the same text is the
 * same pointer.
 */
#ifndef MODEL_H
#define MODEL_H

#include <satellite/module.h>

#include "intern.h"

#define MODEL_AGENTS_MAX	250000u
#define MODEL_FRAMEWORKS_MAX	100000u
#define MODEL_TASKS_MAX		1000000u
#define MODEL_ENDED_MAX		250000u		/* tasks: of these about the oldest go first */
#define MODEL_NAME_MAX		255		/* bytes of an id, a name */
#define MODEL_PART		64		/* bytes of one that is no name, for people */
#define MODEL_TEXT_MAX		((size_t)1 << 30)	/* of all texts together */

struct model_resources {
	double cpus, mem, disk, gpus;	/* mem and disk in MB, as Mesos has them */
	uint32_t ports;			/* how many */
};

struct model_sum {			/* the same, exact: in thousandths */
	int64_t cpus, mem, disk, gpus, ports;
};

enum model_stand {			/* of an agent */
	MODEL_NEW,			/* said to nobody yet */
	MODEL_ACTIVE, MODEL_INACTIVE, MODEL_DEACTIVATED, MODEL_DRAINING, MODEL_DRAINED,
	MODEL_RECOVERED,		/* in the registry; has not come back to this Mesos master yet */
	MODEL_REMOVED, MODEL_UNREACHABLE,
};

enum model_presence {			/* of a framework */
	PRESENCE_NEW,			/* said to nobody yet */
	PRESENCE_ACTIVE, PRESENCE_INACTIVE, PRESENCE_DISCONNECTED, PRESENCE_REMOVED,
};

enum model_doubt {
	DOUBT_NONE,
	DOUBT_GUESSED,			/* Mesos does not say why it went */
	DOUBT_WHICH,			/* it says why some went, but not which */
};

struct model_agent {
	struct table_link link;
	const char *id, *host, *pid, *version;
	const char *attributes;		/* for model_attribute() */
	struct model_resources total, unreserved;
	struct model_resources used;	/* in the last state; model_agent_used() is now */
	struct model_sum moved;		/* by tasks, since then */
	int64_t registered;		/* wall; 0: not known */
	uint8_t stand, told;		/* enum model_stand */
	uint8_t verdict;		/* of one that went: MODEL_REMOVED or MODEL_UNREACHABLE; 0: not judged yet */
	uint8_t doubt;			/* enum model_doubt: of that */
	bool active;			/* as Mesos says it: it is connected, and offered */
	bool has_used, has_total, has_unreserved;	/* Mesos says so */
	bool lost, expelled;		/* tasks of it were unreachable, or an operator gave it up */
	bool said;			/* that it was removed */
	bool settled;			/* whether it is news is known */
	bool based;			/* the first state had it, registered */
	bool parked;			/* an earlier leader's, of which this one has said nothing */
};

struct model_framework {
	struct table_link link;
	const char *id, *name, *role, *user, *principal, *host;
	struct model_resources used;
	struct model_sum moved;
	int64_t registered;
	uint32_t tasks;			/* that have not ended */
	bool active, connected, completed, has_used;
	bool settled;			/* whether it is news is known */
	uint8_t told;			/* enum model_presence */
};

struct model_task {
	struct table_link link;
	const char *id, *name, *framework, *agent;	/* framework and agent: ids */
	const char *message;		/* of the last status */
	int64_t time;			/* of it, wall; 0: not known */
	int64_t cpus, mem, disk;	/* thousandths */
	uint16_t gpus : 15;
	uint16_t counted : 1;		/* in the sums of its agent and framework, as one that came or went since */
	uint16_t ports;
	uint8_t state, source, reason;	/* for model_word() */
	uint8_t told;			/* the state that was, last; 0: none */
};

enum model_left {			/* out: for want of a name, or of room */
	LEFT_AGENT, LEFT_FRAMEWORK, LEFT_TASK, LEFT_AGENT_FULL, LEFT_FRAMEWORK_FULL, LEFT_TASK_FULL,
	LEFT_AGENT_ID,			/* not that: its id is no name, and it is known by its host */
	LEFTS,
};

struct model_toll {			/* agents that went */
	int64_t lost, removed;		/* lost < 0: not known */
};

struct model_calls {			/* not 0: it will be told again */
	int (*task)(void *arg, const struct model_task *t);
	int (*agent)(void *arg, const struct model_agent *a, enum model_stand now);
	int (*framework)(void *arg, const struct model_framework *f, enum model_presence now);
};

struct model {
	struct table agents, frameworks, tasks;
	struct intern texts;
	const char *words[256];		/* TASK_, SOURCE_, REASON_; the first is "" */
	uint8_t word_flags[256];
	unsigned n_words;
	uint8_t last_state, last_source, last_reason;	/* words of the last task */
	const struct model_calls *calls;
	void *arg;
	struct table gone;		/* agents that went and are not told of yet, by host */
	uint32_t n_open, open_turn;	/* those that are not judged; which of them came since model_ask_why() */
	struct model_toll judged;	/* and those that Mesos counts, so far */
	uint32_t gone_told;		/* of which the last word may be another's: */
	struct {			/* of those that are there now, as said again */
		uint32_t slot, renewed;
		bool on;
	} again;
	uint32_t turn;			/* what the last state had bears it, */
	uint32_t agents_turn;		/* and agents, those of the last list of agents */
	bool reading;			/* a state is */
	bool untold;			/* somebody has to be told again */
	struct {			/* going through all of them, a few at a time */
		enum { SETTLE_NOTHING, SETTLE_AGENTS, SETTLE_TASKS, SETTLE_FRAMEWORKS, SETTLE_GONE } at;
		uint32_t slot, renewed;
		bool state;		/* one that was read; else what is untold, */
		bool list;		/* or a list of agents */
		bool silent;
		bool inherits;		/* of another leader than what the model had before */
	} settle;
	struct {			/* going round the table for the oldest, where too many have ended */
		uint32_t slot, left;	/* left: slots of this round */
		int64_t limit;		/* those of this time, and before, go */
	} drop;
	uint32_t n_ended;		/* tasks */
	uint32_t n_recovered, n_active, n_draining;	/* agents */
	bool deactivates;		/* Mesos says whether agents are deactivated: since 1.9 */
	uint64_t listing;		/* another when an agent, its names or whether it is active did change */
	uint64_t odd, over;		/* left out: without legal names; past the limits */
	struct {
		uint32_t n;		/* since the last state began */
		char first[MODEL_PART + 1];
	} left[LEFTS];
	uint64_t dropped;		/* ended tasks, for newer ones */
};

/* What is said of one; texts are "" where nothing is. */
struct model_agent_news {
	char id[MODEL_NAME_MAX + 1], host[MODEL_NAME_MAX + 1], pid[MODEL_NAME_MAX + 1], version[64];
	char attributes[INTERN_MAX + 1];
	struct model_resources total, unreserved, used;
	bool has_used, has_total, has_unreserved;
	int64_t registered;
	bool active, deactivated, recovered, deactivates;
	char drain[32];			/* "DRAINING", "DRAINED" */
	char part[MODEL_PART + 1];	/* of an id or host that is no name */
};
struct model_framework_news {
	char id[MODEL_NAME_MAX + 1], name[MODEL_NAME_MAX + 1], role[MODEL_NAME_MAX + 1], user[64],
	     principal[MODEL_NAME_MAX + 1], host[MODEL_NAME_MAX + 1];
	struct model_resources used;
	bool has_used, active, connected, completed;
	int64_t registered;
	char part[MODEL_PART + 1];	/* of an id or name that is none */
};
struct model_task_news {
	char id[MODEL_NAME_MAX + 1], name[MODEL_NAME_MAX + 1], framework[MODEL_NAME_MAX + 1],
	     agent[MODEL_NAME_MAX + 1], message[MODEL_NAME_MAX + 1];
	char state[64], source[64], reason[64];
	struct model_resources resources;
	char part[MODEL_PART + 1];	/* of an id that is no name */
	bool update;			/* a status: it says nothing of name and resources */
	int64_t time;
};

void model_init(struct model *m, const struct model_calls *calls, void *arg);
void model_free(struct model *m);
/* So many things of it; false: it is empty.  One that is gone over so is used no more until then. */
bool model_free_some(struct model *m, uint32_t n);

/* A state begins: what is not put until model_end() is gone.  An end that never comes, since
 * the answer broke off, takes nothing away. */
void model_begin(struct model *m);
/* Its end: changes may come again, and what it changed is told as model_settle() goes on.
 * silent: it is the first that is known, and so nothing in it is news. */
void model_end(struct model *m, bool silent);
/*
 * The same, where what the model has is of an earlier leader: frameworks are no news, and
 * agents that the state does not have, and tasks of agents that have not come back, wait.
 */
void model_end_inherited(struct model *m);
/* Of the agents that the state which is read has, at least half were known. */
bool model_is_same(const struct model *m);
/* About so many things more; false: it is done. */
bool model_settle(struct model *m, uint32_t n);
void model_abort(struct model *m);	/* no end comes */
/* A list of agents alone, to which others do not come; changes may, meanwhile.  Those that are
 * not put until its end are gone; an end that never comes takes nothing away. */
void model_begin_list(struct model *m);
void model_end_list(struct model *m);
bool model_settles(const struct model *m);
bool model_busy(const struct model *m);		/* no other state may begin */

/* 0, also where it was left out, counted; -ENOMEM. */
int model_put_agent(struct model *m, const struct model_agent_news *n);
int model_add_agent(struct model *m, const struct model_agent_news *n);	/* Mesos says that it came */
int model_put_framework(struct model *m, const struct model_framework_news *n);
int model_put_task(struct model *m, const struct model_task_news *n);	/* -ENOENT: an update of none we know */
void model_remove_agent(struct model *m, const char *id);	/* Mesos says that it removed it */
/*
 * Whether an agent that went was removed, or is out of reach.  Mesos counts that:  who
 * asks for its figures calls model_ask_why(), and with the answer judges those that
 * had gone by then.  more: what it counts beyond those that were judged before; NULL:
 * that is not known, and all are guessed.
 */
void model_ask_why(struct model *m);
void model_judge(struct model *m, const struct model_toll *more);
void model_tell_gone(struct model *m, uint32_t n);	/* about so many of those that are judged */
void model_remove_framework(struct model *m, const char *id);
/* Tell what could not be told, as model_settle() goes on. */
void model_tell(struct model *m);

struct model_agent *model_agent(const struct model *m, const char *id);
struct model_framework *model_framework(const struct model *m, const char *id);
struct model_task *model_task(const struct model *m, const char *framework, const char *id);
/* Each in turn, in no order: NULL gives the first. */
struct model_agent *model_next_agent(const struct model *m, const struct model_agent *a);
struct model_framework *model_next_framework(const struct model *m, const struct model_framework *f);
struct model_task *model_next_task(const struct model *m, const struct model_task *t);

struct model_resources model_agent_used(const struct model_agent *a);		/* now */
struct model_resources model_framework_used(const struct model_framework *f);
const char *model_word(const struct model *m, uint8_t word);		/* "TASK_RUNNING", "" */
bool model_ended(const struct model *m, const struct model_task *t);
const char *model_stand_name(enum model_stand stand);			/* "active" */
const char *model_presence_name(enum model_presence presence);
/* Attributes of an agent, in turn: *at begins as a->attributes.  key and value have room for
 * INTERN_MAX + 1 bytes.  false: no more. */
bool model_attribute(const char **at, char *key, char *value);

#endif
