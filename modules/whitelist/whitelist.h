/* SPDX-License-Identifier: Apache-2.0 */
/*
 * whitelist - which hosts get work: what the files of this module share.
 *
 *   record   what the store keeps of one host        members  JSON, member by member
 *   hosts    the inventory, as the store mirrors it   commit   and as it is written back
 *   wishes   what the streams want, as levels         guard    what of that is let through
 *   decide   asking the guard, and what follows
 *   ops      the operators that say so                silence  who was last heard when
 *   reap     checks and agents that are no more       ways, words  of which why is made
 *   file     the file that Mesos reads                import   where the inventory comes from
 *   actuators  other ways to put it into effect
 *   order    what a person asks for                   rest, commands   and how
 *   admit    which new hosts a person may add         why      what put a host in its state
 */
#ifndef WHITELIST_H
#define WHITELIST_H

#include <sys/stat.h>

#include "guard.h"
#include "record.h"

enum {
	NAME_BYTES = 253, HOSTS_MAX = 200000, STRANGERS_MAX = 1024, STRANGERS_SLOTS = 2048,
	BATCH_HOSTS = 32, BATCH_BYTES = 256 << 10, BATCHES_MAX = 4, ORDERS_MAX = 4096, ORDER_TRIES = 8, FILE_MAX = 64 << 20,
	PORTS_MAX = 4, ACTUATORS_MAX = 4,
};

enum count {
	COUNT_COMMITS, COUNT_CONFLICTS, COUNT_STORE_ERRORS, COUNT_STRANGERS, COUNT_WISHES_DROPPED,
	COUNT_TURNED_ON, COUNT_TURNED_OFF, COUNT_FILE_WRITES, COUNT_FILE_ERRORS, COUNT_FILE_REPAIRS,
	COUNT_ORDERS,
	COUNT_HOSTS, COUNT_HOSTS_ON, COUNT_HOSTS_DIRTY, COUNT_HOSTS_HELD, COUNT_LATCHED,
	COUNT_REAPED,
};

/* What the streams last said of one service of a host; ev NULL: a tombstone. */
struct wish {
	struct wish *next;
	const struct sat_event *ev;
	uint64_t sig, written_sig;	/* of what may not wait; as last written */
	int64_t written;		/* clock */
	char service[];
};

struct order;
enum form { OVER_REST, AS_TEXT, AS_JSON };	/* how to answer; the others are a command's */
enum who { PERSON, AUTOMATION, WHO_N };	/* on whose behalf a host is written */

struct host {
	struct host *bucket;		/* the next of its hash */
	struct host *before, *after;	/* all hosts, in order of appearance */
	struct record *rec;		/* NULL: not in the inventory */
	int64_t version;
	enum flag told;			/* its state, as counted, in the file, and told */
	bool seen;			/* since the store was last out of touch */
	char *deleted;			/* its tombstone: ids of the agent that was deleted */
	/* commit */
	struct host *queue[WHO_N];	/* the next that is dirty */
	struct order *orders;
	int64_t retry;			/* clock; not before */
	unsigned tries;
	bool queued[WHO_N], flying, again, alone;
	enum flag create;		/* make it, with this managed flag, for this reason */
	const char *create_cause;
	/* wishes */
	struct hold *holds;
	struct wish *wishes;
	bool soft;			/* something differs that may wait a minute */
	enum verdict verdict;		/* what the guard said of its wish, */
	bool judged, judged_off;	/* since this process acts; a wish for off */
	int64_t judged_at;		/* clock */
	/* silence */
	bool heard_ever;
	int64_t heard;			/* clock */
	int64_t unlisted;		/* clock; not among Mesos' agents since; 0: it is */
	size_t name_len;
	char name[];
};

enum mark { MARK_NONE, MARK_IMPORTING, MARK_IMPORTED, MARK_COMPLETE };
enum mirrored { OF_HOSTS, OF_DELETED, OF_MARK, OF_GUARD, OF_N };
struct agent { char *host, *id; };

/* A module that puts into effect what is decided, and what it says of that. */
struct actuator { char *name; const struct sat_event **said; size_t n; };

/* A text file that is replaced by a job. */
struct file_job {
	struct whitelist *wl;
	char *path, *text;
	size_t len;
	bool busy;
	bool listed;			/* lines to sort, of a file that is ours alone: */
	struct stat seen;		/* as we left it; no inode: never */
	bool foreign;			/* another changed or removed it meanwhile */
};

struct whitelist {
	struct sat_self *self;
	struct sat_link *link;
	/* settings */
	char *path;
	struct guard_conf guard;
	int64_t silent, reap;
	char *host_pattern;
	bool resolve, import;
	enum { NEW_ON, NEW_OFF, NEW_TESTS } new_agents;
	/* hosts */
	struct host **buckets, *first, *last;
	struct host *recent;		/* the one that an event was of last, or NULL */
	size_t n_buckets, n_all, n_hosts, n_on;
	struct mirror { struct whitelist *wl; enum mirrored of; bool on, synced; } mirrors[OF_N];
	bool synced, settled;		/* now; ever */
	bool starved;			/* what the store said found no memory: to be asked again */
	bool stopping, stopped;
	uint32_t strangers[STRANGERS_SLOTS];	/* hashes of their names; 0: free */
	unsigned n_strangers;
	/* commit */
	struct { struct host *first, **end; size_t n; } dirty[WHO_N];
	unsigned n_batches, n_orders;
	uint64_t seq;
	struct sat_alarm flush;
	/* what ends by itself; the guard; numbers; silence */
	struct sat_alarm until, decide, numbers, silence, minute;
	int64_t until_due;		/* clock; 0: not set */
	/* decide */
	int64_t decide_due;		/* clock; 0: not set */
	struct guard_latch latch;
	bool latch_stored, latch_busy, mesos_away;
	unsigned n_resets;
	bool numbers_due;
	struct host *silence_next;
	int64_t started;
	char *heard_path;
	struct file_job heard_job;
	/* file */
	struct sat_alarm file_alarm, file_look;
	struct sat_log_limit file_limit;
	struct file_job file_job;
	bool file_changed, file_deferred;
	size_t file_changes;		/* hosts that did since it was last written, */
	int64_t file_first;		/* clock; the first of them */
	int64_t file_backoff;
	int file_error;
	/* import */
	enum mark mark, mark_wanted;
	int64_t mark_version;
	struct sat_alarm import_alarm;
	bool mark_busy;
	struct import_job { struct whitelist *wl; char *text; size_t len; bool busy; } import_job;
	char *import_text;		/* the file as it was at first start; "" if there was none */
	int import_error;
	size_t creating;		/* hosts on their way into the inventory */
	struct agent *agents;		/* sorted by host */
	size_t n_agents;
	char *from_file;
	/* order */
	struct sat_log_limit audit_done, audit_refused;
	/* actuators */
	bool to_file;			/* the file is one of them, */
	struct actuator actuators[ACTUATORS_MAX];	/* and these are the others */
	unsigned n_actuators;
	char *store;
	struct sat_alarm actuate;
	bool actuate_due, actuate_wanted;
	/* admit */
	int ports[PORTS_MAX];		/* where a new host must answer; none: it need not */
	unsigned n_ports;
	int64_t reach_time;
	struct admit *admits;		/* hosts that are looked up or reached for */
	unsigned n_admits;
};

/* hosts */
bool name_legal(const char *name);
bool name_like(const char *pattern, const char *name);	/* % is any run, _ any byte */
struct host *hosts_find(struct whitelist *wl, const char *name);
struct host *hosts_of(struct whitelist *wl, const struct sat_event *ev);	/* an event of the host's, with a host */
struct host *hosts_get(struct whitelist *wl, const char *name);	/* made if need be; NULL: no memory, or too many */
void hosts_take(struct whitelist *wl, struct host *h, struct record *rec, int64_t version);	/* takes rec */
void hosts_gone(struct whitelist *wl, struct host *h);
void hosts_tidy(struct whitelist *wl, struct host *h);	/* frees one that nobody needs; h may be gone */
int hosts_start(struct whitelist *wl);
void hosts_stop(struct whitelist *wl);
void hosts_starved(struct whitelist *wl);	/* no memory for what the store said */
void hosts_again(struct whitelist *wl);		/* so read it again */
void hosts_free(struct whitelist *wl);

/* commit */
void commit_dirty(struct whitelist *wl, struct host *h);
void commit_all(struct whitelist *wl);			/* compare every host with its record */
void commit_order(struct whitelist *wl, struct order *o);	/* takes o */
void commit_lost(struct whitelist *wl);			/* answer those who wait */
void commit_soon(struct whitelist *wl);
void commit_start(struct whitelist *wl);

/* wishes */
struct cause { const char *node; const struct sat_event *ev; };
enum flag wishes_flag(const struct host *h);
const char *wishes_cause(const struct host *h);		/* of that flag; "" if none */
const struct hold *wishes_deciding(const struct host *h);	/* the hold that it follows from; NULL: none */
int wishes_hold(struct whitelist *wl, const char *host, const char *name, bool off, int64_t ttl,
		const struct cause *cause);
/* Keep ev in the record of its host, or drop what is kept of its service; h: of its name, or NULL. */
int wishes_event(struct whitelist *wl, struct host *h, const struct sat_event *ev, bool keep);
/* Bring a copy of the host's record to what is wished.  1: it changed; 0; -errno. */
int wishes_apply(struct whitelist *wl, struct host *h, struct record *rec);
void wishes_settle(struct whitelist *wl, struct host *h);	/* h's record is new: adopt, prune */
int wishes_end(struct whitelist *wl, struct host *h, int64_t now);	/* holds whose time is over */
/* A service whose managed event is critical or expired; NULL: none is. */
const char *wishes_failing(struct host *h);
void wishes_until(struct whitelist *wl, const struct host *h);	/* wake up for its next end */
void wishes_look(struct whitelist *wl);		/* does something end, and nobody would notice? */
void wishes_start(struct whitelist *wl);
void wishes_strangers(struct whitelist *wl);	/* the inventory is known: forget other hosts */
void wishes_free(struct host *h);

/* decide: asking the guard, and what follows */
void decide_soon(struct whitelist *wl);
void decide_anew(struct whitelist *wl);		/* what was decided before counts no more */
bool decide_passes(struct whitelist *wl, struct host *h);	/* its wish may be carried out now */
const char *decide_held(const struct host *h);	/* why it may not; NULL: nothing holds it */
void decide_latch(struct whitelist *wl, const char *value, size_t len);	/* as the store has it; NULL: none */
void decide_guard(struct whitelist *wl, struct sat_request *req, enum form form);	/* how it stands */
void decide_reset(struct whitelist *wl, struct sat_request *req, enum form form);	/* by a person */
int decide_start(struct whitelist *wl);

/* why, words: what put a host in its state, and what would change it */
void text_print(const char *text, struct sat_buf *out);	/* in one line, whatever it holds */
void word_print(const struct record *rec, struct sat_buf *out);	/* what a person said of it */
/* 200: out is the answer; else it is an error, in words.  Without memory out is full, or says less. */
int why_tell(struct whitelist *wl, const char *host, bool json, struct sat_buf *out);
void why_brief(struct whitelist *wl, const struct host *h, struct sat_buf *out);	/* JSON, of one in the inventory */
int why_get(struct whitelist *wl, struct sat_request *req);
void why_run(struct whitelist *wl, struct sat_request *req, const char *host, bool json);

/* silence */
void silence_heard(struct host *h, const struct sat_event *ev);	/* h: of its name, or NULL */
int silence_start(struct whitelist *wl);
void silence_stop(struct whitelist *wl);
void silence_save(struct whitelist *wl);
double silence_fresh(struct whitelist *wl);	/* of the hosts ever heard, who was lately; 1: of none */

/* reap: now and then, of a host of the inventory */
void reap_events(struct whitelist *wl, struct host *h);	/* of checks that are no more */
void reap_agent(struct whitelist *wl, struct host *h);	/* does Mesos know it? */

/* file */
void file_changed(struct whitelist *wl);
int file_start(struct whitelist *wl);
void lines_sort(char *text, size_t len);
int file_job_start(struct file_job *job, char *path, char *text, size_t len, void (*done)(void *arg, int rc));

/* actuators */
int actuators_judge(struct whitelist *wl, const struct sat_conf *conf);
int actuators_start(struct whitelist *wl);
void actuators_changed(struct whitelist *wl);	/* a host is on or off now, or the store is back */
bool actuator_print(const struct actuator *a, const char *host, struct sat_buf *out);	/* whether it says anything */
void actuators_free(struct whitelist *wl);

/* import */
int import_start(struct whitelist *wl);
void import_consider(struct whitelist *wl);
void import_stop(struct whitelist *wl);
void import_free(struct whitelist *wl);
const char *import_agent(struct whitelist *wl, const char *host);	/* its id; NULL: not registered */
const char *import_agent_ids(struct whitelist *wl, const char *host, struct sat_buf *out);
void import_mark(struct whitelist *wl, const char *value, size_t len, int64_t version);	/* NULL: none */

/* order: something a person wants of one host */
struct order {
	struct order *next;
	enum { ORDER_POST, ORDER_DROP, ORDER_FORGET } what;
	struct whitelist *wl;
	struct sat_request *req;
	enum form form;
	const char *state;		/* of a POST, once its body was judged */
	int64_t ttl;			/* microseconds; 0: none */
	enum flag was;			/* of a FORGET: the state of the host */
	char *host, *event, *text;
};
struct order *order_new(struct whitelist *wl, struct sat_request *req, int what, const char *host,
			const char *event);
void order_free(struct order *o);
/* Answer, log who wanted what and what came of it, and free: a status of REST with the record or
 * an error, which does not name the host again. */
void order_done(struct order *o, int status, const struct record *rec);
void order_refuse(struct order *o, int status, const char *fmt, ...) SAT_PRINTF(3);
void order_unknown(struct order *o);
/* What the body of a POST becomes; -EINVAL: error says why. */
int order_body(struct order *o, const void *body, size_t len, int64_t now, char *error, size_t size);
int order_ttl(const char *text, size_t len, int64_t *ttl);	/* "7day"; microseconds */
/* Carry it out on rec: the HTTP status; 2xx: rec changed. */
int order_apply(const struct order *o, struct record *rec, bool known);

/* admit */
int admit_judge(struct whitelist *wl, const struct sat_conf *conf);
void admit(struct whitelist *wl, struct order *o);	/* takes o: commit it, if its new host may come in */
void admit_stop(struct whitelist *wl);

/* rest */
void rest_submit(struct whitelist *wl, struct order *o);	/* takes o */
extern const struct sat_route *const whitelist_routes[];
extern const struct sat_command *const whitelist_commands[];
extern const struct sat_op *const whitelist_ops[];

/* whitelist */
void numbers_changed(struct whitelist *wl);	/* soon: tell how many hosts there are */
void whitelist_idle(struct whitelist *wl);	/* while stopping: is it over? */

#endif
