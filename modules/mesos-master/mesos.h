/* SPDX-License-Identifier: Apache-2.0 */
/* mesos - one observed Mesos master, as the files of this module share it. */
#ifndef MESOS_H
#define MESOS_H

#include <satellite/module.h>

#include "model.h"
#include "reader.h"
#include "records.h"
#include "snapshot.h"

#define MESOS_ATTRIBUTES 16
#define BUCKETS		12
#define BUCKET		(5 * SAT_SECOND)	/* together: a minute */

enum {
	COUNT_REQUESTS, COUNT_FAILURES, COUNT_BYTES, COUNT_STATES, COUNT_LEFT_OUT, COUNT_STREAMS,
	GAUGE_BYTES_PER_MINUTE, GAUGE_AGENTS, GAUGE_TASKS, GAUGE_TEXT, GAUGE_LEADS,
	GAUGE_SNAPSHOT_SUCCESS, GAUGE_STATE_SUCCESS, GAUGE_REQUESTS_PER_MINUTE, GAUGE_LONGEST,
	GAUGE_STREAM_SUCCESS, GAUGE_AGENTS_SUCCESS, GAUGE_MAINTENANCE_SUCCESS,
};

/* One thing that is asked for, under the first of its paths that is there. */
struct source {
	struct mesos *m;
	const char *name;		/* "snapshot": the event is mesos/endpoint/snapshot */
	const char *const *paths;	/* NULL-ended */
	int64_t timeout;
	size_t max;			/* of a body that is kept */
	const char *body;		/* to POST; NULL: GET */
	bool endless;			/* a stream */
	const char *base;		/* URL of the master; NULL: of the one that is observed */
	bool dropped;			/* nobody wants to know how it ends */
	unsigned gauge;			/* of the last success */
	int (*data)(struct mesos *m, const void *p, size_t n);	/* of a 200; NULL: the body is kept */
	void (*done)(struct mesos *m, const struct sat_answer *answer);	/* of a 200 */
	void (*failed)(struct mesos *m, const struct sat_answer *answer);	/* any other end */

	struct sat_call *call;		/* under way */
	uint64_t counted;		/* bytes of it that were */
	unsigned path, first;		/* in use; where this search for it began */
	int64_t asked, asked_boot, heard;	/* heard: when the last of it came; 0: nothing yet */
	char words[96];			/* the beginning of a refusal */
	size_t n_words;
	bool known;			/* there was an answer, or none */
	int trouble;			/* 0: all is well; an HTTP status, or -errno */
	double took;			/* seconds */
	char via[256];			/* where it was sent on to, or "" */
	bool sent_on;			/* and is asked for, by itself */
	char why[512];
};

/* The stream of changes. */
struct follow {
	struct source source;
	struct records records;
	struct reader reader;
	int64_t heard, heartbeat, pause;
	int64_t next;			/* try, */
	int64_t next_gap;		/* after a gap */
	int64_t down_since;		/* 0: it is not */
	unsigned silences;		/* tries in a row of which nothing came */
	int rc;				/* of what came */
	bool live;			/* its SUBSCRIBED is in the model */
	bool refused;			/* states are polled */
	bool gap;			/* something was missed */
	bool silent, unwanted;		/* why we hung up */
	char why[160];
};

/* The list of agents alone. */
struct look {
	struct source source;
	struct reader reader;
	uint64_t received;
	int64_t next;
	unsigned misfits;		/* figures in a row that count other agents */
	int64_t more_active, more_inactive;	/* than the model has, after the last one */
};

/* Agents that went, and how many of them Mesos counts. */
struct gone {
	struct model_toll base, asked;	/* those that are judged; what was counted when the last list was asked for */
	int64_t since;			/* none waited */
	bool listed;			/* that list is in the model */
};

/* The ended tasks of the first state, which are told in turn. */
struct past {
	struct sat_alarm alarm;
	uint32_t next, renewed;		/* slot of the model's table, and which of its forms that is */
};

struct mesos {
	struct sat_self *self;
	const char *url;		/* of the master that is observed: one of these, or named */
	char **masters;
	size_t n_masters;
	char *local;			/* URL of this host's; NULL: by its name */
	struct named *named;		/* by Mesos' ZooKeeper; NULL: it is not asked */
	struct sat_fetch how;		/* it is asked: credentials and certificates */
	char *host;
	bool subscribe;
	int64_t interval, leader_interval;
	double ttl;
	uint64_t max_state;
	const char *const *attributes;	/* of agents, for /metrics; NULL-ended */

	struct sat_alarm beat;
	struct source snapshot, state, maintenance;
	struct source *probes;		/* of all masters, where there are several */
	size_t n_probes;
	int64_t next_probe;
	const struct source *answered;	/* whose done() or failed() runs */
	struct follow follow;
	struct look look;
	struct gone gone;
	struct past past;
	int64_t next_poll, next_report, next_state;
	bool stopping;
	bool report;			/* the next snapshot goes out as events */

	int elected;			/* 1, 0, or -1: not known */
	int64_t elected_until;		/* then it is no longer believed, */
	int64_t elected_for, elected_boot;	/* nor so long after, whatever stood still */
	bool no_word;			/* the figures do not say who leads: the state must */
	int64_t heard;			/* the last answer to what was asked for its figures */
	int64_t wrote;			/* how long the last state took; 0: there was none */
	int leads;			/* as told to the host; -1: nothing yet */
	bool doubted;			/* it leads no more for want of a word alone */

	struct snapshot figures;	/* the last */
	char *kept;			/* the answer that they are of, while it is good */
	size_t n_kept;
	struct model model;
	struct sat_alarm settle;	/* goes on with what a state changed */
	bool taking;			/* a whole one, which is then to be told of, */
	bool listing_agents;		/* or a list of agents */
	struct model grave;		/* of another time, freed a little at a time */
	struct sat_alarm dig;
	bool ending;			/* then it has stopped */
	struct reader reader;		/* of the state under way, */
	uint64_t received;		/* and its bytes */
	uint64_t asked_print;		/* the figures' when it was asked for, */
	uint64_t model_print;		/* and those of the model */
	bool has_model;			/* it is as of now; where not, it may still tell what changed, */
	bool has_base;			/* if it is of this cluster, */
	bool inherited;			/* which the first state of another leader has to show */
	bool watched;			/* what changed was told of, from then until now */
	int64_t since;			/* wall: the first state that it is of */
	int64_t known;			/* wall: what had ended by then was heard of; */
	int64_t before;			/* of an earlier leader, as far as that is certain; 0: there was none */
	int64_t began;			/* CLOCK_BOOTTIME: the process that leads; 0: not known */
	bool listed;			/* agents were published, ever: */
	uint64_t listing;		/* those of model.listing */
	uint64_t left_out;		/* of the model, as counted, */
	bool left_said[LEFTS];		/* and as logged */

	struct table machines;		/* under maintenance */
	struct intern texts;		/* their names */
	uint32_t machines_turn;
	int64_t next_maintenance;

	uint64_t bytes[BUCKETS];
	unsigned requests[BUCKETS];
	double longest[BUCKETS];	/* seconds that an answer took */
	unsigned bucket;
	int64_t bucket_end;
};

/* source.c: asking, and how it went. */
bool source_ask(struct source *s);
/* CLOCK_BOOTTIME: the engine's clock stands still while the process does, Mesos does not. */
int64_t source_boot(void);
void source_failed(struct source *s, const struct sat_answer *answer);	/* says why */
/* Bad news: an event and a log line when it is other news than before. */
void source_trouble(struct source *s, int code, const char *fmt, ...) SAT_PRINTF(3);
void source_well(struct source *s);
void source_say(const struct source *s);		/* its event */
uint64_t mesos_bytes_per_minute(const struct mesos *m);
unsigned mesos_requests_per_minute(const struct mesos *m);
double mesos_longest(const struct mesos *m);		/* in the last minute, seconds */
void mesos_turn_bytes(struct mesos *m, int64_t now);

/* resources.c: what each agent has, for /metrics: of some in slots from *slot on.  false: no more. */
bool resources_tell(const struct mesos *m, struct sat_figures *out, uint32_t *slot);

/* figures.c: the last snapshot, and the model, for /metrics. */
void figures_keep(struct mesos *m, const char *text, size_t len);
void figures_drop(struct mesos *m);
bool figures_tell(void *m, struct sat_figures *out, uint64_t *at);	/* some, as series() */

/* events.c: what is told. */
void mesos_say_figure(void *m, const char *key, const struct sat_value *v);
void mesos_say_leader(struct mesos *m, bool heard);
void mesos_say_model(struct mesos *m);
int mesos_publish_agents(struct mesos *m);
void mesos_say(struct mesos *m, const char *service, const struct sat_value *v, const char *state,
	       const char *description);

void source_drop(struct source *s);			/* cancel it, and say nothing of it */

/* leader.c: which of several masters is observed. */
int leader_init(struct mesos *m);
void leader_take(struct mesos *m, const char *url);	/* it leads; borrows url */
void leader_turn(struct mesos *m, int64_t now);
bool leader_is_sought(const struct mesos *m);
bool leader_is_local(const struct mesos *m, const char *url);
bool leader_idle(const struct mesos *m);
void leader_stop(struct mesos *m);

/* masters.c: the settings of where they are. */
int masters_settings(struct mesos *m, const struct sat_conf *conf);
void masters_free(struct mesos *m);

/* named.c: whom Mesos' ZooKeeper names. */
int named_init(struct mesos *m);			/* where `masters` is zk://… */
int named_start(struct mesos *m);
void named_free(struct mesos *m);
void named_turn(struct mesos *m);			/* a report is due: say how it stands */
bool named_rules(const struct mesos *m);		/* ZooKeeper says who leads, or that nobody does */
bool named_is_local(const struct mesos *m);		/* the one that is observed is this host's */

/* belief.c: for how long a Mesos master counts as leading that says nothing. */
int64_t belief_patience(const struct mesos *m);
bool belief_holds(const struct mesos *m, int64_t now);	/* that it leads as it said last */

/* poll.c */
void mesos_hear(struct mesos *m, bool elected);		/* the one that is observed leads, or nobody */
bool mesos_is_ready(const struct mesos *m);		/* to be asked for its state, or for the stream */
bool mesos_observes(const struct mesos *m);		/* and tells: this host's leads, or we act */
void mesos_begin_anew(struct mesos *m);			/* another master is observed */
void mesos_took_model(struct mesos *m);		/* a whole state is in it, and to be told of */
void mesos_stopped_yet(struct mesos *m);

/* settle.c: what a state brought is gone through, and one of another time freed, a little in each turn. */
void settle_init(struct mesos *m);
void settle_begin(struct mesos *m);		/* the state that was read has ended; mesos_took_model() follows */
void settle_list(struct mesos *m);		/* the same of a list of agents, of which nobody is told */
void settle_go_on(struct mesos *m);
void settle_bury(struct mesos *m);		/* the model: an empty one takes its place */
void settle_stop(struct mesos *m);		/* what a state brought is gone through no further */
void settle_end(struct mesos *m);		/* nothing is under way: once the model is freed, it has stopped */

/* follow.c: the v1 SUBSCRIBE stream of a Mesos master, where it has one. */
void follow_init(struct mesos *m);
void follow_turn(struct mesos *m, int64_t now);		/* at each beat: begin, watch, end */
/* The stream serves, or is about to, so that no state need be asked for. */
bool follow_serves(const struct mesos *m, int64_t now);
void follow_forget(struct mesos *m);			/* another leads: begin anew */
void follow_stop(struct mesos *m);

/* look.c: the agents alone. */
void look_init(struct mesos *m);
void look_figures(struct mesos *m);			/* new ones came: ask, if need be */
void look_later(struct mesos *m);			/* all agents are known as of now */
void look_drop(struct mesos *m);
void look_settled(struct mesos *m);			/* what it brought is gone through */

/* gone.c: whether agents that went were removed, or are out of reach. */
void gone_ask_list(struct mesos *m);			/* all agents are asked for */
void gone_have_list(struct mesos *m);			/* and what came is gone through */
void gone_ask_figures(struct mesos *m);
void gone_have_figures(struct mesos *m);
void gone_turn(struct mesos *m, int64_t now);
void gone_forget(struct mesos *m);			/* what is in the model is told, before it goes */

/* left.c: what the model has no place for.  whole: all of it is of one state. */
void left_say(struct mesos *m, bool whole);

/* maintain.c: mesos/maintenance. */
void maintain_init(struct mesos *m);
void maintain_turn(struct mesos *m, int64_t now);
void maintain_free(struct mesos *m);

/* tell.c: for the model. */
int tell_task(void *m, const struct model_task *t);
int tell_agent(void *m, const struct model_agent *a, enum model_stand now);
int tell_framework(void *m, const struct model_framework *f, enum model_presence now);
void tell_past(struct mesos *m, const struct model_task *t);	/* to who keeps records alone */

/* past.c: the tasks that had ended before the first state. */
int past_start(struct mesos *m);
void past_begin(struct mesos *m);
void past_stop(struct mesos *m);

#endif
