/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agents - what the whitelist decides, put into effect by Mesos itself: the agents
 * of a host that is off are deactivated, and reactivated once it is on.
 *
 *   list    the agents, as Mesos lists them        marks   those that are ours to reactivate
 *   plan    what is to be done, and what is amiss  calls   asking Mesos for it
 *   tell    how it stands: log, events, the topic
 */
#ifndef AGENTS_H
#define AGENTS_H

#include <satellite/module.h>

#include "list.h"

enum { PARALLEL = 4, MARKS_MAX = 200000, URLS_MAX = 16, NAME_BYTES = 253 };

enum {
	COUNT_CALLS, COUNT_FAILURES, COUNT_LISTS, COUNT_BYTES, COUNT_DEACTIVATED, COUNT_REACTIVATED, COUNT_UNDONE,
	GAUGE_AGENTS, GAUGE_MARKS, GAUGE_DRIFT, GAUGE_PENDING, GAUGE_SUCCESS,
};

enum flag { FLAG_NONE, FLAG_ON, FLAG_OFF };	/* none: the host is not in the inventory */
enum step { STEP_NONE, STEP_DEACTIVATE, STEP_REACTIVATE, STEP_UNMARK };

/* What is amiss with an agent; of a host's agents the worst is told. */
enum amiss {
	AMISS_NOTHING,
	AMISS_LEFT,			/* its host was forgotten, and it is deactivated, by us */
	AMISS_PENDING,			/* what is decided is not in effect yet */
	AMISS_REFUSED,			/* and Mesos does not do it */
	AMISS_FOREIGN,			/* another has it deactivated: it stays so */
	AMISS_DRAINED,			/* another drains it, or has */
	AMISS_UNDONE,			/* another reactivated it, or Mesos forgot */
};

struct todo { uint32_t agent; enum step step; };
struct note { char *host, *text; enum amiss amiss; };

/* An agent that we deactivated, or are about to: ours to reactivate. */
struct mark {
	bool seen;			/* since the store was last out of touch */
	bool fresh;			/* made here, and not in effect yet */
	int64_t listed;			/* clock; when Mesos last named the agent, or it was read */
	char id[];
};

/* One agent that something is being done about. */
struct job {
	struct actuator *a;
	bool busy, marks;		/* marks: it made the mark */
	enum step step;
	char id[NAME_BYTES + 1], host[NAME_BYTES + 1];
	void (*marked)(struct job *j, int rc);
	struct sat_call *call;
};

struct actuator {
	struct sat_self *self;
	struct sat_link *link;
	/* settings */
	struct sat_fetch how;		/* it is asked: credentials and certificates */
	char *urls[URLS_MAX], *store;
	unsigned n_urls, url;		/* url: in use */
	int64_t interval, timeout;
	double rate;
	/* what is decided: events of the topic, sorted by host */
	const struct sat_event **wants;
	size_t n_wants;
	bool wants_heard, wants_lost;	/* lost: no memory for them */
	bool other_store;		/* the whitelist keeps its records elsewhere */
	/* marks, sorted by id */
	struct mark **marks;
	size_t n_marks, marks_room;
	bool mirrors, synced, starved;
	unsigned n_commits;
	/* the list */
	struct list list, reading;
	struct sat_call *listing;
	int reading_rc;			/* why it could not be read */
	bool has_list;
	int64_t asked, received;	/* CLOCK_BOOTTIME: when it was */
	int64_t next_list, no_list_before;	/* clock */
	/* the plan */
	bool plan_due;
	struct todo *todo;
	size_t n_todo, next_todo, pending;	/* pending: with those that are under way */
	struct note *notes;		/* sorted by host */
	size_t n_notes;
	bool *refused;			/* agents of the list that Mesos does not switch */
	/* calls */
	struct job jobs[PARALLEL];
	double tokens;
	int64_t filled;			/* clock; when tokens were last counted */
	int64_t no_call_before;		/* clock */
	/* how it stands */
	bool acts, stopping, stopped;
	int trouble;			/* 0: none; an HTTP status, or -errno */
	bool calls_fail;		/* it is with calls, not with lists */
	int64_t backoff;
	char why[512];
	struct sat_log_limit limit;
	struct sat_alarm beat;
};

/* calls */
void list_ask(struct actuator *a);
void calls_pump(struct actuator *a);
void calls_cancel(struct actuator *a);
bool calls_busy(const struct actuator *a);
void calls_reap(struct actuator *a);	/* drop the mark of an agent that is no more */
bool calls_about(const struct actuator *a, const char *id);

/* marks; a job's marked() follows, never from inside */
int marks_start(struct actuator *a);
void marks_stop(struct actuator *a);
void marks_free(struct actuator *a);
struct mark *mark_find(const struct actuator *a, const char *id);
void marks_renew(struct actuator *a);	/* nobody looked here whether Mesos names them */
const struct mark *mark_unlisted(const struct actuator *a, int64_t since);	/* not named since; NULL: none */
int mark_put(struct job *j, void (*marked)(struct job *j, int rc));
int mark_drop(struct job *j, void (*marked)(struct job *j, int rc));

/* plan */
/* What is to be done about one agent: a pure function.  mark NULL: it is not ours. */
enum step plan_step(enum flag wanted, const struct mark *mark, const struct listed *agent, enum amiss *amiss);
void plan(struct actuator *a);
void plan_forget(struct actuator *a);

/* tell */
void tell_trouble(struct actuator *a, int code, bool of_calls, const char *fmt, ...) SAT_PRINTF(4);
void tell_well(struct actuator *a);
void tell_host(struct actuator *a, const char *host, const char *state, const char *text);
void tell_notes(struct actuator *a, const struct note *old, size_t n_old);	/* what changed */
void tell_standing(struct actuator *a);

/* actuator-agents */
void actuator_idle(struct actuator *a);	/* while stopping: is it over? */

#endif
