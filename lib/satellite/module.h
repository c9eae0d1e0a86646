/* SPDX-License-Identifier: Apache-2.0 */
/*
 * satellite/module.h - the whole contract between satellite and a module.
 *
 * A module is one .so that exports one object, sat_module; everything else in
 * it is static.  Our own modules include this header and library headers only.
 *
 * Rules that hold everywhere, unless a comment says otherwise:
 *   threads    The host makes every call on the loop thread, never two at once.
 *              Functions marked [any thread] may be called from elsewhere.
 *   results    0 or a negative errno.
 *   ownership  Pointers given to a callback are borrowed until it returns.  A
 *              function that takes something says "takes", and takes it on
 *              failure too.  Freeing NULL is fine.
 *   times      int64_t, microseconds.  Wall times count from 1970-01-01 UTC.
 *   growth     Tables are NULL-ended arrays of pointers to structs that begin
 *              with their size.  Structs grow at the tail only; the host reads
 *              no more than size bytes, and takes the rest as zero.
 */
#ifndef SATELLITE_MODULE_H
#define SATELLITE_MODULE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

/*
 * A module built for 1.0 runs under any host 1.x.  A host refuses a module of
 * another major, or of a newer minor.  Changes:
 *   1.0  the first
 */
#define SAT_ABI_MAJOR	1u	/* something changed meaning or went away */
#ifndef SAT_ABI_MINOR		/* a test builds a host of the next minor */
#define SAT_ABI_MINOR	0u	/* something was added, at a tail */
#endif
#define SAT_ABI		(SAT_ABI_MAJOR << 16 | SAT_ABI_MINOR)

#define SAT_API		__attribute__((visibility("default")))
#define SAT_PRINTF(n)	__attribute__((format(printf, n, n + 1)))

#define SAT_MS		INT64_C(1000)
#define SAT_SECOND	INT64_C(1000000)

struct sat_self;	/* one configured instance of a module: the host's side */
struct sat_conf;	/* a setting: a scalar, a list or a group, already checked */
struct sat_node;	/* one place in the streams, while it is being defined */
struct sat_at;		/* node + fork + push; valid during the call it came with */
struct sat_query;	/* a compiled predicate */
struct sat_request;	/* one HTTP request or command, alive until answered */
struct sat_probe;	/* one entry of `checks` */
struct sat_link;	/* one instance's use of a store */
struct sat_asked;	/* a query of a message, not answered yet */
struct sat_delivery;	/* an alert on its way, from send() to sat_alert_done() */
struct sat_alert;
struct sat_writer;	/* where save() puts an operator's state */
struct sat_reader;	/* where load() gets it from */
struct uv_loop_s;

/* ---- Events ------------------------------------------------------------- */

struct sat_attr { const char *key, *value; };

enum sat_has {			/* which members mean something; others are nil */
	SAT_HAS_TIME	= 1,
	SAT_HAS_TTL	= 2,
	SAT_HAS_INT	= 4,	/* metric.i; never together with SAT_HAS_DOUBLE */
	SAT_HAS_DOUBLE	= 8,	/* metric.d */
	SAT_HAS_TAGS	= 16,	/* set with no tags: an empty list, not nil */
	SAT_HAS_STAMP	= 32,	/* its time was made up here, and is another on another master */
};
#define SAT_HAS_METRIC	((uint32_t)(SAT_HAS_INT | SAT_HAS_DOUBLE))

/*
 * Riemann's event.  Immutable once emitted.  A module never copies one whole
 * (it may be smaller than the host's): sat_edit() and sat_keep() do that.
 */
struct sat_event {
	uint32_t size;		/* of this struct, where it was filled in */
	uint32_t has;		/* enum sat_has */
	const char *host, *service, *state, *description;	/* NULL: nil */
	int64_t time;		/* wall, microseconds */
	double ttl;		/* seconds */
	union { int64_t i; double d; } metric;
	const char *const *tags;
	const struct sat_attr *attrs;	/* sorted by key, each key once */
	uint32_t n_tags, n_attrs;
#if SAT_ABI_MINOR >= 1u		/* exists only in the test of that rule */
	const char *test_tail;
#endif
};

/* What moves in streams: an event (n 1), a list (list, any n), nil (n 0).  A nil
 * that stands in a list is an event of which all is nil. */
struct sat_item {
	const struct sat_event *const *evs;
	uint32_t n;
	bool list;
};

/* A value of an event's field. */
enum sat_kind { SAT_NIL, SAT_BOOL, SAT_INT, SAT_DOUBLE, SAT_TEXT, SAT_TEXTS };
struct sat_value {
	enum sat_kind kind;
	uint32_t n;			/* of texts */
	union {
		bool b;
		int64_t i;
		double d;
		const char *text;
		const char *const *texts;
	};
};

/* A field, looked up once: host, service, state, description, metric, tags,
 * time, ttl (seconds), or any other name: the attribute of that name. */
struct sat_field { uint32_t id; const char *name; };
SAT_API struct sat_field sat_field(const char *name);	/* borrows name */
SAT_API struct sat_value sat_get(const struct sat_event *ev, const struct sat_field *field);
/* Whether two values are the same: an int never equals a double here. */
SAT_API bool sat_same(const struct sat_value *a, const struct sat_value *b);

SAT_API double sat_metric(const struct sat_event *ev);	/* as a double; 0 if nil */
SAT_API bool sat_tagged(const struct sat_event *ev, const char *tag);
SAT_API const char *sat_attr(const struct sat_event *ev, const char *key);	/* or NULL */
/* State "expired", or older than its ttl (60 s where it has none). */
SAT_API bool sat_expired(const struct sat_event *ev);
/* When it will be older than its ttl, on the engine's clock (`sat_clock() > this`):
 * what is kept holds this, since no step of the wall moves it.  INT64_MAX: it has
 * no time, or a ttl without end. */
SAT_API int64_t sat_expires(const struct sat_event *ev);

/* A hash of a text (of NULL, too) for a table's slots or to compare by, good in this
 * process only: its seed is another in each, so that nobody outside can choose what
 * collides.  h: 0, or the hash of what goes before. */
SAT_API uint64_t sat_hash(uint64_t h, const char *text);

/* Of what an event of the host's is called, its host and service: whether two have the same
 * (a: one that was kept, b: one that came, if it is to be quick), and a hash as above. */
SAT_API bool sat_same_names(const struct sat_event *a, const struct sat_event *b);
SAT_API uint32_t sat_names_hash(const struct sat_event *ev);
/* Whether a text of such an event, its host or another, is this name of len bytes. */
SAT_API bool sat_text_is(const struct sat_event *ev, const char *text, const char *name, size_t len);

/* Keep an event past the call that brought it: another reference to the one
 * lasting copy.  NULL: out of memory, or of the events' share of it, counted. */
SAT_API const struct sat_event *sat_keep(const struct sat_event *ev);
/* The same, in place of `old`, which was kept before (NULL is fine): lets go of it, unless
 * it fails.  Where nobody else holds it, its memory serves again. */
SAT_API const struct sat_event *sat_keep_over(const struct sat_event *old, const struct sat_event *ev);
SAT_API void sat_drop(const struct sat_event *ev);

/*
 * Put an event in the queue of inputs; it goes through the streams after the
 * push that is running, if one is.  The host copies it, gives it the time if
 * it has none, and its own name if host is NULL.  -ENOBUFS: the queue is full;
 * -ELOOP: the 8th event in a row that came of one another.  Both are counted.
 */
SAT_API int sat_emit_event(struct sat_self *self, const struct sat_event *ev);
#define sat_emit(self, ...) sat_emit_event(self, &(struct sat_event){ \
	.size = sizeof(struct sat_event), __VA_ARGS__ })

/* ---- Time --------------------------------------------------------------- */

/* The engine's steady clock, in which deadlines live, and its wall reading,
 * for stamps.  Sampled once a loop turn; in replay both follow the events. */
SAT_API int64_t sat_clock(void);
SAT_API int64_t sat_wall(void);
/* This process stood still, up to 60 s ago: who was silent meanwhile is not known. */
SAT_API bool sat_late(void);

/* An alarm on the engine's clock, embedded in a module's state; zero it first.
 * Its memory must stay where it is while it is set. */
struct sat_alarm {
	void (*fire)(struct sat_alarm *);	/* set by the module */
	int64_t due;				/* the rest is the host's */
	uint64_t order;
	struct sat_self *self;
	uint32_t slot, flags;
};
SAT_API int sat_alarm_set(struct sat_self *self, struct sat_alarm *alarm, int64_t due);
SAT_API void sat_alarm_stop(struct sat_alarm *alarm);	/* fine when not set */
/* What it is a member of: struct peer *p = SAT_OWNER(alarm, struct peer, flush); */
#define SAT_OWNER(p, type, member) ((type *)(void *)((char *)(p) - offsetof(type, member)))

/* ---- Settings ----------------------------------------------------------- */

enum sat_type {
	SAT_STRING = 1,
	SAT_INTEGER,		/* 64 bits */
	SAT_NUMBER,		/* integer or float */
	SAT_BOOLEAN,
	SAT_SECONDS,		/* a number; sat_conf_time() gives microseconds */
	SAT_STRINGS,		/* a string, or a list of them */
	SAT_QUERY,		/* a predicate, compiled by the host when judged */
	SAT_GROUP,		/* a group, judged by .inner where that is given */
	SAT_NODES,		/* streams, for sat_branch() */
	SAT_ANY,		/* the module judges */
	SAT_CLAUSES,		/* a list; a list in it is a clause, and ends with streams, for sat_branch() */
};

struct sat_option {
	uint32_t size;
	const char *name;
	enum sat_type type;
	const char *fallback;	/* written as in the file; NULL: unset */
	bool required;
	double min, max;	/* of a number; both zero: any */
	const char *help;	/* one line; `satellite module` prints it */
	const struct sat_option *const *inner;	/* of a group; NULL: any keys */
};
#define SAT_OPTION(n, t, ...) &(const struct sat_option){ \
	.size = sizeof(struct sat_option), .name = (n), .type = (t), __VA_ARGS__ }

/* An option of the table it was judged by, or its fallback: these cannot fail,
 * and abort on a name that the table lacks.  Good as long as conf is. */
SAT_API bool sat_conf_has(const struct sat_conf *conf, const char *name);	/* given, or falls back */
SAT_API const char *sat_conf_string(const struct sat_conf *conf, const char *name);	/* or NULL */
SAT_API int64_t sat_conf_integer(const struct sat_conf *conf, const char *name);
SAT_API double sat_conf_number(const struct sat_conf *conf, const char *name);
SAT_API bool sat_conf_boolean(const struct sat_conf *conf, const char *name);
SAT_API int64_t sat_conf_time(const struct sat_conf *conf, const char *name);	/* microseconds */
/* The strings of a SAT_STRINGS option; NULL-ended; *n may be NULL. */
SAT_API const char *const *sat_conf_strings(const struct sat_conf *conf, const char *name, size_t *n);
/* The fields that a SAT_STRINGS option names, in one string or several, with blanks between: 1 to max
 * of them, which *text holds, the caller's to free; else -errno: reported, and *text is NULL. */
SAT_API int sat_conf_fields(const struct sat_conf *conf, const char *name, struct sat_field *fields, uint32_t max,
			    char **text);
/* A new query, the caller's to free with sat_query_free(); NULL: not given. */
SAT_API struct sat_query *sat_conf_query(const struct sat_conf *conf, const char *name);
/* The setting itself (SAT_GROUP, SAT_NODES, SAT_ANY), or NULL: not given. */
SAT_API const struct sat_conf *sat_conf_get(const struct sat_conf *conf, const char *name);

/* Raw settings: any element, judged or not. */
SAT_API const char *sat_conf_name(const struct sat_conf *conf);	/* NULL: in a list */
SAT_API bool sat_conf_is_list(const struct sat_conf *conf);
SAT_API bool sat_conf_is_group(const struct sat_conf *conf);
SAT_API size_t sat_conf_count(const struct sat_conf *conf);	/* of a list or group */
SAT_API const struct sat_conf *sat_conf_at(const struct sat_conf *conf, size_t i);	/* a scalar's first is itself */
SAT_API const struct sat_conf *sat_conf_find(const struct sat_conf *group, const char *name);	/* or NULL */
SAT_API struct sat_value sat_conf_value(const struct sat_conf *conf);	/* SAT_NIL: list or group */

/* Report "file:line: setting: reason"; name NULL: conf itself.  Returns
 * -EINVAL.  Several in one go are welcome. */
SAT_API int sat_conf_error(const struct sat_conf *conf, const char *name,
			   const char *fmt, ...) SAT_PRINTF(3);

/* ---- Streams ------------------------------------------------------------ */

/*
 * A timer in a fork's state, zero at first.  It fires through the operator's
 * timer() on the engine's clock, in the order (due, armed).  The host finds
 * and moves it when a reload moves the state.
 */
struct sat_timer {
	int64_t due;				/* all of it is the host's */
	uint64_t order;
	void *fork;
	struct sat_timer *prev, *next;		/* others of the fork that are set */
	uint32_t node, slot;
};

enum sat_op_flags {
	SAT_ACTS	= 1,	/* its items reach item() on the acting master only */
	SAT_ALERTS	= 2,	/* what it alerts of by sat_alert() goes out by send(), from one master */
	SAT_FORKS	= 4,	/* its children live in forks: sat_pass_fork() */
	SAT_CATCHES	= 8,	/* errors below branch 0 come as events on branch 1 */
	SAT_JUDGES	= 16,	/* its def is a sat_query: an event that matches goes to branch 0, others to 1, as
				 * the host sees itself; item() gets lists and nil only */
};

/*
 * An operator.  A node is one place in the config: it is defined once, and has
 * a state in each fork of its scope, the nearest enclosing operator that
 * SAT_FORKS, or the root.  A state never points into itself, at def or at a
 * node, since a reload moves it; close() takes one that is all zero, too.
 *
 * Its options: the one named like the operator is its own key; where there is
 * none the operator takes no argument, and its children stand there.  `do`,
 * `else` and `id` are the host's.
 */
struct sat_op {
	uint32_t size;
	uint32_t state_version;
	const char *name, *summary;
	const struct sat_option *const *options;	/* NULL: none */
	uint32_t flags;
	uint32_t state_size;	/* bytes a fork, zeroed by the host; 0: stateless */
	/* The node: judge conf, call sat_branch() for clauses, touch nothing
	 * outside.  `module` is the instance's state, NULL if it has no create(). */
	int (*define)(struct sat_node *node, void *module, const struct sat_conf *conf, void **def);
	int (*start)(void *def);	/* NULL: nothing to take */
	void (*stop)(void *def);	/* call sat_node_stopped() when given back */
	void (*undefine)(void *def);
	/* The fork. */
	int (*open)(const struct sat_at *at, const void *def, void *state);	/* NULL: zeroes do */
	int (*item)(const struct sat_at *at, void *def, void *state, const struct sat_item *item);
	void (*timer)(const struct sat_at *at, void *def, void *state, struct sat_timer *timer);
	bool (*idle)(const void *def, const void *state);	/* as good as new?  NULL: see state_size */
	void (*close)(const void *def, void *state);
	int (*save)(const void *def, const void *state, struct sat_writer *out);
	int (*load)(const struct sat_at *at, const void *def, void *state,
		    uint32_t version, struct sat_reader *in);
	/* Of a SAT_FORKS operator: stands between it and its children, with the
	 * same def and a state in each fork.  It has no define() of its own. */
	const struct sat_op *within;
	/* Of a SAT_ALERTS operator: 0, it is sent; -EINPROGRESS, sat_alert_done() is to say;
	 * else it failed. */
	int (*send)(void *def, const struct sat_alert *alert);
};

/* In define(): build the streams of a clause.  The number of the branch (2 and
 * up: `do` is 0, `else` is 1), or -errno.  What is wrong in it is reported, and
 * fails the node whatever define() says: go on with the next clause. */
SAT_API int sat_branch(struct sat_node *node, const struct sat_conf *nodes);
/*
 * In define(): a branch of `stages`, each of which passes to the next where it
 * names `marker`, or, naming it nowhere, by its first branch; the last passes
 * to `do`.  Every place that names the marker reaches the same node.
 */
SAT_API int sat_branch_pipe(struct sat_node *node, const struct sat_conf *stages, const char *marker);
/* In define() of a SAT_FORKS operator: at most max forks, and what memory-max has for
 * forks; the oldest goes first, counted; one without events for keep microseconds goes too. */
SAT_API void sat_fork_limits(struct sat_node *node, uint32_t max, int64_t keep);
SAT_API struct sat_self *sat_node_self(struct sat_node *node);	/* for sat_log() and the like */
SAT_API const char *sat_node_path(struct sat_node *node);	/* streams[0].do[1], for people */
SAT_API void sat_node_stopped(struct sat_node *node);

/* From item() and timer(): hand an item to the streams of a branch. */
SAT_API void sat_pass(const struct sat_at *at, int branch, const struct sat_item *item);
SAT_API void sat_pass_event(const struct sat_at *at, int branch, const struct sat_event *ev);
/* The same, in the fork that these n values name (nil is one); n 1 to 8. */
SAT_API void sat_pass_fork(const struct sat_at *at, int branch, const struct sat_item *item,
			   const struct sat_value *keys, uint32_t n);

/* A copy of ev to change (NULL: a new one, all nil).  It lives until this push
 * ends, and so must what is put into it.  NULL: out of memory, counted. */
SAT_API struct sat_event *sat_edit(const struct sat_at *at, const struct sat_event *ev);
/* Memory until this push ends, zeroed.  NULL: out of memory. */
SAT_API void *sat_scratch(const struct sat_at *at, size_t size);
SAT_API const char *sat_scratchf(const struct sat_at *at, const char *fmt, ...) SAT_PRINTF(2);
/* Set one field of an edited event; -EINVAL: the value does not fit the field. */
SAT_API int sat_set(const struct sat_at *at, struct sat_event *edited,
		    const struct sat_field *field, const struct sat_value *value);

/* Append to the inputs, from the top of the streams: never inside this push. */
SAT_API int sat_reinject(const struct sat_at *at, const struct sat_event *ev);

/* Say why and return rc, for item(): return sat_fail(at, -EINVAL, "…").  The
 * host counts it, and gives it to the nearest exception-stream, or logs it. */
SAT_API int sat_fail(const struct sat_at *at, int rc, const char *fmt, ...) SAT_PRINTF(3);

/*
 * For operators that reach outside (outputs, actions): true in replay and dry
 * run, where the host prints {"does": does, "tap": tap, …} instead, and nothing
 * else should be done.  tap may be NULL.
 */
SAT_API bool sat_shown(const struct sat_at *at, const char *does, const char *tap,
		       const struct sat_item *item);
SAT_API const char *sat_at_path(const struct sat_at *at);	/* as sat_node_path() */

/*
 * Alerts go out at least once: from the master that acts, and where it may not have
 * sent one, once more from the next, under the same id.  Streams run on all masters; so
 * item() hands over what is to be sent, and the host calls send(), at once or later: on
 * the acting master when the log in the store that masters share says that it sends, on
 * another if it has come to act, and the log does not say that it was sent.  Where no
 * store is shared, or it is away, without a log: from who acts, or would if he could.
 *
 * What one master's alert has in common with another's is the node, the fork, and a key.
 * NULL: the host, service, state and time of its events.  The sender gives all masters
 * the same time, to the microsecond.  A time that was made up here (SAT_HAS_STAMP: it
 * expired, or came without one) differs between them, and counts by the minute, give or
 * take one.  An operator that knows better says a key of its own: of what happened, not
 * of what one master saw of it (no metric of a window, no count).
 * Own streams may send one key as often as they like.
 */
struct sat_alert {
	uint32_t size;
	const char *id;			/* 32 hexadecimal digits, the same on each master and each time */
	const char *path;		/* of the node, for people */
	const struct sat_item *item;	/* until it is sent */
	struct sat_delivery *delivery;	/* for sat_alert_done() */
};
/* From item().  -errno: it will not be sent; return that. */
SAT_API int sat_alert(const struct sat_at *at, const struct sat_item *item, const char *key);
/* After -EINPROGRESS of send(), exactly once, before sat_node_stopped(): 0, it is sent; -errno, it
 * was given up after what tries the output makes: the next master to act tries, too. */
SAT_API void sat_alert_done(struct sat_delivery *delivery, int rc);

SAT_API void sat_timer_set(const struct sat_at *at, struct sat_timer *timer, int64_t due);
SAT_API void sat_timer_stop(struct sat_timer *timer);
static inline bool sat_timer_armed(const struct sat_timer *timer) { return timer->slot != 0; }

/* An operator's saved state: values in order.  Reading past the end or another
 * type than was written gives -EBADMSG from then on, and zeroes. */
SAT_API int sat_write_int(struct sat_writer *out, int64_t v);
SAT_API int sat_write_double(struct sat_writer *out, double v);
SAT_API int sat_write_text(struct sat_writer *out, const char *s);	/* NULL is kept */
SAT_API int sat_write_event(struct sat_writer *out, const struct sat_event *ev);
SAT_API int sat_write_timer(struct sat_writer *out, const struct sat_timer *timer);
SAT_API int sat_read_int(struct sat_reader *in, int64_t *v);
SAT_API int sat_read_double(struct sat_reader *in, double *v);
SAT_API int sat_read_text(struct sat_reader *in, const char **s);	/* borrowed until load() returns */
SAT_API int sat_read_event(struct sat_reader *in, const struct sat_event **ev);	/* the caller's to drop */
/* Arms it again, if it was: as much later as the program was away. */
SAT_API int sat_read_timer(const struct sat_at *at, struct sat_reader *in, struct sat_timer *timer);

/* ---- Queries and the index ---------------------------------------------- */

/* NULL: refused, and error says why, with the position.  Takes nothing. */
SAT_API struct sat_query *sat_query_parse(const char *text, char *error, size_t size);
SAT_API bool sat_query_match(const struct sat_query *q, const struct sat_event *ev);
SAT_API void sat_query_free(struct sat_query *q);

/* The latest event of (host, service); NULL is nil.  Borrowed until an event
 * goes on, that may take its place; sat_keep() it to have it longer.  NULL: none. */
SAT_API const struct sat_event *sat_index_get(const char *host, const char *service);
SAT_API size_t sat_index_size(void);
/* Each match in turn, by name; found() may stop with anything but 0, which is returned.  All
 * in one go: where there may be many, walk. */
SAT_API int sat_index_search(const struct sat_query *q,
			     int (*found)(void *arg, const struct sat_event *ev), void *arg);
/*
 * The same in no order, a slice of each loop turn, and only as fast as it is taken: after
 * -EAGAIN found() gets the same match again once sat_walk_go_on() is called; what else is not 0 ends
 * it.  done() is the last call, with what ended it; none comes from inside of these three, nor
 * after sat_walk_stop(), which is not for found() to call.  q and calls are borrowed until the end.
 *
 * What is there from the beginning to the end is met once, as it is when its turn comes;
 * what comes meanwhile is not met, what goes maybe.  With `heard`, what changes is not met either:
 * who subscribes to "index" heard it there, and so sees each once.
 */
struct sat_walk;
struct sat_walk_calls {
	uint32_t size;
	int (*found)(void *arg, const struct sat_event *ev);
	void (*done)(void *arg, int rc);
};
SAT_API struct sat_walk *sat_index_walk(const struct sat_query *q, bool heard,
					const struct sat_walk_calls *calls, void *arg);	/* NULL: out of memory */
SAT_API void sat_walk_go_on(struct sat_walk *walk);	/* fine when it does not wait */
SAT_API void sat_walk_stop(struct sat_walk *walk);	/* NULL is fine */
/* What the operators `index` and `delete-from-index` do. */
SAT_API int sat_index_put(const struct sat_at *at, const struct sat_event *ev);
SAT_API int sat_index_delete(const struct sat_at *at, const struct sat_event *ev);

/*
 * Topics: lists of events between modules.  "index" carries what is indexed and
 * what expires.  A retained list is given at once to who subscribes later, or anew.
 * "mesos/agents" (retained): the registered agents, as event's host; its
 * attributes are id, pid, active ("true"|"false").  "mesos/health" (retained): one
 * event, whose state is "ok" while the Mesos master answers.  "mesos/elected": one event,
 * each second, of whom Mesos' masters have elected: its state is "leads" (its host and the
 * attributes ip and port say where; host or ip may be empty), "nobody", or "unknown".
 * "mesos/tasks": each event of that service, with the time that Mesos has for it, before it
 * goes through the streams; also, tagged "past", the tasks that had ended before the first
 * state, of which no event goes, and once more all that have ended after "mesos/tasks/wanted",
 * an empty list from who comes later.
 *
 * Between the whitelist and its actuators, which are modules "actuator-NAME" that it names
 * in its setting: "whitelist/hosts" (retained): the inventory, as events' host and state,
 * "on"|"off"; in front of it one without host, whose attribute is store, the whitelist's.
 * "actuator/NAME" (retained): first an event without host: how NAME stands; then those
 * hosts for which not all is as decided, with a description of why, sorted by host.
 */
SAT_API int sat_publish(struct sat_self *self, const char *topic, const struct sat_item *item, bool retain);
SAT_API int sat_subscribe(struct sat_self *self, const char *topic,
			  void (*heard)(void *state, const char *topic, const struct sat_item *item));

/* ---- Text: growing buffers, JSON, the Riemann protocol ------------------ */

/* A buffer born with a maximum; zero but for max (0: 16 MiB).  Appending past
 * it, or without memory, sets `full` and appends nothing from then on. */
struct sat_buf { char *p; size_t len, size, max; bool full; };
SAT_API void sat_buf_add(struct sat_buf *b, const void *p, size_t n);
SAT_API void sat_buf_printf(struct sat_buf *b, const char *fmt, ...) SAT_PRINTF(2);
SAT_API void sat_buf_json(struct sat_buf *b, const char *s);	/* quoted, or null */
/* The shortest text that reads back as the same double, and as a double: 7.0; or null. */
SAT_API void sat_buf_double(struct sat_buf *b, double d);
SAT_API void sat_buf_free(struct sat_buf *b);

/* As Riemann's JSON: ISO-8601 time in milliseconds; attributes beside fields. */
SAT_API void sat_buf_event(struct sat_buf *b, const struct sat_event *ev);
/* One event out of JSON text, the caller's to drop.  NULL: refused, error says why. */
SAT_API const struct sat_event *sat_event_parse(const char *json, size_t len, char *error, size_t size);
/*
 * JSON as it is read, whole or in pieces as they arrive, in memory that does not grow
 * with it.  `level` is how many containers a thing stands in, and key its name there,
 * "" in a list.  A negative result ends the reading, and is its result.
 */
enum sat_json_kind { SAT_JSON_NULL, SAT_JSON_BOOL, SAT_JSON_NUMBER, SAT_JSON_TEXT };
struct sat_json_value {
	enum sat_json_kind kind;
	bool truth;			/* of a bool */
	const char *text;		/* a text, decoded, or a number as written; not NUL-ended */
	size_t len;
};
enum { SAT_JSON_ENTER, SAT_JSON_SKIP };
struct sat_json_calls {
	uint32_t size;
	/* Strings need not be UTF-8; a key with a NUL counts as "", and so does, of a whole text, a
	 * value that is NaN or infinite; a byte order mark may come first. */
	bool lax;
	int (*open)(void *arg, unsigned level, const char *key, bool list);	/* enter or skip it */
	int (*value)(void *arg, unsigned level, const char *key, const struct sat_json_value *v);
	int (*close)(void *arg, unsigned level);	/* of what was entered; NULL is fine */
};
struct sat_json;
/* len: of a text that is fed whole, in which a string may have any length; 0: it comes in
 * pieces, of any number.  NULL: out of memory. */
SAT_API struct sat_json *sat_json_new(const struct sat_json_calls *calls, void *arg, size_t len);
/* 0, -EBADMSG (not JSON), -E2BIG (over 64 levels, or in pieces a string over 100 KB), -ENOMEM,
 * or what a call gave; from then on always the same. */
SAT_API int sat_json_feed(struct sat_json *j, const void *p, size_t n);
SAT_API int sat_json_end(struct sat_json *j);		/* nothing more comes: was it whole? */
/* Bytes taken in: in a call, up to the end of what it is about; after an error, where it is. */
SAT_API uint64_t sat_json_position(const struct sat_json *j);
SAT_API void sat_json_free(struct sat_json *j);
/* All of that, of a whole text.  Not 0: error says why, and where. */
SAT_API int sat_json_read(const void *text, size_t len, const struct sat_json_calls *calls, void *arg,
			  char *error, size_t size);

/* A Riemann message that carries these events, with its 4-byte length in front. */
SAT_API void sat_buf_message(struct sat_buf *b, const struct sat_event *const *evs, size_t n);
/* What a master answered: 0 (ok), -EREMOTEIO (not ok: error has its words),
 * -EBADMSG.  msg is without the length. */
SAT_API int sat_answer_parse(const void *msg, size_t len, char *error, size_t size);

/*
 * For a door: one whole Riemann message without its length, decoded in place,
 * so msg[len] must be writable.  The events go through the streams before this
 * returns; answer() gets the bytes to send, length included, and no more than
 * max (0: 64 MiB): an answer over it says so instead.  -EBADMSG: malformed,
 * close the connection.  Not to be called from inside a push.
 *
 * A query may take longer than a loop turn has: then *later is set, and answer()
 * follows some turn, once.  Until then hand over nothing more of that connection,
 * whose answers come in order; when it goes, call sat_message_stop().  later NULL:
 * answered before this returns, whatever that takes.  answer NULL: nobody waits
 * for one, and what the message asks is not looked up.
 */
SAT_API int sat_message(struct sat_self *self, void *msg, size_t len, size_t max,
			void (*answer)(void *arg, const void *p, size_t n), void *arg,
			struct sat_asked **later);
SAT_API void sat_message_stop(struct sat_asked *asked);	/* no answer comes any more.  NULL is fine */

/*
 * For a door that has no such message: one event, through the streams before this
 * returns.  As it is, but for the time where it has none.  -errno: the first
 * top-level stream that failed, error says why.  Not to be called from inside a push.
 */
SAT_API int sat_push(struct sat_self *self, const struct sat_event *ev, char *error, size_t size);

/* Say that this instance is not ready, as /readyz and `satellite status` then do;
 * NULL: it is.  While it does not start, the host says so. */
SAT_API void sat_ready(struct sat_self *self, const char *reason);

/* ---- Leadership --------------------------------------------------------- */

/* Whether this process may act now: a lease, so ask each time. */
SAT_API bool sat_acting(void);
/* The epoch of its acting, for records; 0 when it does not act. */
SAT_API uint64_t sat_epoch(void);
/* acting() is called when that changes. */
SAT_API int sat_on_acting(struct sat_self *self, void (*changed)(void *state, bool acting));
/* Said by who watches Mesos: whether the local master leads; repeat it at
 * least every second, and say nothing while that is not known.  Counts where leader = "mesos". */
SAT_API void sat_mesos_leads(struct sat_self *self, bool leads);

/* ---- The store: a mirrored map ------------------------------------------ */

enum sat_change_kind { SAT_CHECK, SAT_CREATE, SAT_PUT, SAT_DELETE };
#define SAT_ANY_VERSION	INT64_C(-1)	/* of PUT: whatever is there, if it is; DELETE: likewise */
struct sat_change {
	enum sat_change_kind what;
	const char *key;		/* segments of a path, "/" between, none in front */
	const void *value; size_t len;
	int64_t version;		/* as mirrored; of CREATE: ignored */
};

/* What a mirror says of the keys right below a prefix, which ends in "/".  First every
 * key there is, then synced, then changes; from lost on the same again. */
struct sat_mirror {
	uint32_t size;
	void (*put)(void *arg, const char *key, const void *value, size_t len, int64_t version);
	void (*gone)(void *arg, const char *key);
	void (*synced)(void *arg);
	void (*lost)(void *arg, int rc);	/* out of touch: what is known may be old; synced follows */
};

/* done() is called exactly once, never from inside.  rc: 0, versions has n of
 * them; -ESTALE, -EEXIST or -ENOENT, the change `culprit` did not fit and none was
 * made; -EINPROGRESS, nobody knows: read again; else not done: -ENOTCONN, -EACCES. */
typedef void sat_committed(void *arg, int rc, size_t culprit, const int64_t *versions);

/* A store, as a module offers it.  SHARED: several masters see the same map, and claim
 * leadership in it. */
#define SAT_STORE_SHARED	1u
struct sat_store {
	uint32_t size;
	const char *name;		/* as settings name it: "sqlite" */
	int (*commit)(void *state, const struct sat_change *changes, size_t n,
		      sat_committed *done, void *arg);
	int (*mirror)(void *state, const char *prefix, const struct sat_mirror *cb, void *arg);
	void (*unmirror)(void *state, void *arg);	/* no callback after it */
	uint32_t flags;
};

/* From create(): use the store that conf's setting names; it is loaded, and
 * started before this instance.  NULL: no module has it; reported there. */
SAT_API struct sat_link *sat_store_use(struct sat_self *self, const struct sat_conf *conf, const char *setting);
SAT_API int sat_store_commit(struct sat_link *link, const struct sat_change *changes, size_t n,
			     sat_committed *done, void *arg);
SAT_API int sat_store_mirror(struct sat_link *link, const char *prefix,
			     const struct sat_mirror *cb, void *arg);
SAT_API void sat_store_unmirror(struct sat_link *link, void *arg);
/* The change to put before automated ones, so that a deposed leader's are
 * refused.  false: this process does not act, do not commit. */
SAT_API bool sat_fence(struct sat_link *link, struct sat_change *check);

/* ---- Services: HTTP server, HTTP client, TLS ---------------------------- */

/* From create(): say that "http-server", "http-client" or "tls" is needed, or a module by
 * its own name.  Loads and starts the module that has it, or reports at conf and fails. */
SAT_API int sat_need(struct sat_self *self, const struct sat_conf *conf, const char *service);

enum sat_role { SAT_ANYONE, SAT_READ, SAT_OPERATE };

/* A route, served over HTTP and over the control socket. */
struct sat_route {
	uint32_t size;
	const char *method;	/* GET (HEAD too), POST, PUT, DELETE */
	const char *path;	/* "/whitelist/host/{host}/event/{event}" */
	enum sat_role role;
	uint32_t flags;		/* goes before another of its path where the client asks for one of these */
	/* Answer now, or later with the request kept.  -errno: the host answers 500. */
	int (*request)(void *state, struct sat_request *req);
};
#define SAT_WEBSOCKET	1u
#define SAT_SSE		2u	/* it accepts text/event-stream */
#define SAT_ROUTE(m, p, r, fn, ...) &(const struct sat_route){ .size = sizeof(struct sat_route), \
	.method = (m), .path = (p), .role = (r), .request = (fn), __VA_ARGS__ }

SAT_API const char *sat_request_method(const struct sat_request *req);
SAT_API const char *sat_request_path(const struct sat_request *req);	/* raw, without the query */
SAT_API const char *sat_request_part(const struct sat_request *req, const char *name);	/* {name}, decoded */
SAT_API const char *sat_request_query(const struct sat_request *req, const char *name);	/* decoded, or NULL */
SAT_API const char *sat_request_header(const struct sat_request *req, const char *name);	/* or NULL */
SAT_API const void *sat_request_body(const struct sat_request *req, size_t *len);
SAT_API const char *sat_request_who(const struct sat_request *req);	/* for audit: "user@address" */
SAT_API bool sat_request_websocket(const struct sat_request *req);	/* it asked to upgrade */

/* Answer, and be done with req.  extra: "Name: value" lines, NULL-ended, or NULL. */
SAT_API void sat_reply(struct sat_request *req, int status, const char *type,
		       const void *body, size_t len, const char *const *extra);
SAT_API void sat_reply_buf(struct sat_request *req, int status, const char *type, struct sat_buf *b);	/* frees b */
/* {"error": "…"} */
SAT_API void sat_reply_error(struct sat_request *req, int status, const char *fmt, ...) SAT_PRINTF(3);

/* An answer that goes on: SSE, a long text, or a WebSocket. */
struct sat_stream {
	uint32_t size;
	void (*room)(void *arg);	/* after -EAGAIN: there is room again.  NULL is fine */
	void (*message)(void *arg, const void *p, size_t len);	/* from a WebSocket.  NULL is fine */
	void (*closed)(void *arg);	/* last call; req is gone */
	const char *const *extra;	/* headers, as with sat_reply(); NULL: none.  No more than the begin looks at it */
	uint64_t length;		/* of all that will be sent, so that a client sees where it ends early; 0: not known */
};
/* Begin one.  A WebSocket's status is 101, its type NULL. */
SAT_API int sat_stream_begin(struct sat_request *req, int status, const char *type,
			     const struct sat_stream *cb, void *arg);
/* A chunk, or one text frame.  -EAGAIN: no room, nothing was taken; -EMSGSIZE: nor
 * will there be; -EPIPE: it closes. */
SAT_API int sat_stream_send(struct sat_request *req, const void *p, size_t len);
SAT_API void sat_stream_end(struct sat_request *req);	/* closed() follows */

struct sat_answer;
/* What a request of ours asks for.  All is copied but arg. */
struct sat_fetch {
	uint32_t size;
	const char *method;		/* NULL: GET, or POST with a body */
	const char *url;		/* http:// or https:// */
	const char *const *headers;	/* "Name: value", NULL-ended; NULL: none */
	const void *body; size_t body_len;
	const char *user, *password;	/* Basic; NULL: none.  Not sent to another host on redirect */
	const char *token;		/* Bearer, in place of both; likewise */
	const char *ca, *cert, *key;	/* PEM files; NULL: the system's, none */
	const char *keep;		/* the header of the answer that is kept; NULL: none */
	int64_t timeout;		/* for all of it; 0: 30 s.  With `endless`: for each silence */
	size_t max;			/* of a body that is kept; 0: 1 MiB */
	bool endless;			/* a stream: no limit to the whole */
	bool no_redirect;
	/* Bytes as they come, instead of keeping them; not 0 aborts.  NULL: keep */
	int (*data)(void *arg, int status, const void *p, size_t n);
	void (*done)(void *arg, const struct sat_answer *answer);	/* exactly once, never from inside */
};
struct sat_answer {
	uint32_t size;
	int rc;				/* 0: there is a status; -ECANCELED, -ETIMEDOUT, -ECONNREFUSED, … */
	int status;
	const char *error;		/* in words, where rc is not 0 */
	const char *url;		/* the last one, after redirects */
	const char *type;		/* Content-Type, or NULL */
	const char *kept;		/* what `keep` named, or NULL */
	const char *body; size_t len;	/* NUL-ended */
	uint64_t received;		/* bytes of body that came over the wire */
};
struct sat_call;
/* Needs "http-client".  NULL: refused (out of memory, a bad URL), reported. */
SAT_API struct sat_call *sat_fetch(struct sat_self *self, const struct sat_fetch *what, void *arg);
SAT_API void sat_fetch_cancel(struct sat_call *call);	/* done() comes with -ECANCELED */

/* Options of who is asked, for a module's table; whose: "the master's". */
#define SAT_FETCH_OPTIONS(whose) \
	SAT_OPTION("user", SAT_STRING, .help = "for Basic authentication"), \
	SAT_OPTION("password", SAT_STRING, .help = "for Basic authentication"), \
	SAT_OPTION("token", SAT_STRING, .help = "sent as a bearer token, in place of both"), \
	SAT_OPTION("ca", SAT_STRING, .help = "PEM file: who may sign " whose " certificate"), \
	SAT_OPTION("cert", SAT_STRING, .help = "PEM file: our certificate"), \
	SAT_OPTION("key", SAT_STRING, .help = "PEM file: its key")
/* By a group that has these: into what, whose texts are the settings' then.  Mistakes are reported. */
SAT_API int sat_fetch_settings(const struct sat_conf *conf, struct sat_fetch *what);
/* A setting (as of sat_conf_error()) whose value is the URL that paths are put behind: http:// or
 * https://, a host, and no more than port and path; *to is a copy without slashes at its end, for free(). */
SAT_API int sat_fetch_base(const struct sat_conf *conf, const char *name, const char *url, char **to);
/* The same of each of a SAT_STRINGS setting; to has room for max, and its *n first are the caller's to
 * free whatever is returned: one that is a mistake is NULL, as it has to be before. */
SAT_API int sat_fetch_bases(const struct sat_conf *conf, const char *name, char **to, unsigned max, unsigned *n);

/* What a module that is the HTTP client offers; only the host calls it. */
struct sat_http_client {
	uint32_t size;
	int (*fetch)(void *state, const struct sat_fetch *what, void *arg, void **call);
	void (*cancel)(void *state, void *call);
};

/*
 * What a module that is the HTTP server offers.  It hands each request to the
 * host with sat_http_request() from any thread, then does what the host says
 * through these, on the loop thread.
 */
struct sat_http_server {
	uint32_t size;
	int (*listen)(void *state, const char *host, int port);	/* as open(), after it: sat_listen() */
	void (*reply)(void *conn, int status, const char *type, const void *body, size_t len,
		      const char *const *extra);
	int (*begin)(void *conn, int status, const char *type, const char *const *extra, uint64_t length);
	int (*send)(void *conn, const void *p, size_t len);	/* as sat_stream_send() */
	void (*end)(void *conn);		/* sat_http_closed() is to follow */
};
struct sat_http_head {
	uint32_t size;
	const char *method, *path, *query;	/* raw; query NULL: none */
	const char *peer;			/* address, for audit */
	const struct sat_attr *headers; uint32_t n_headers;
	const void *body; size_t body_len;	/* NULL with a length: too long to be read */
	bool websocket;
};
#define SAT_BODY_MAX ((size_t)1 << 20)		/* read no more of a body */
/*
 * [any thread] Takes nothing: all is copied.  0: conn is answered exactly once, by
 * reply() or begin(); -errno: it is not, say 503.  reply() with body NULL and a
 * length answers HEAD.  What a stream's client says, and its end, are for those
 * below: only after begin(), and the host uses conn no more once sat_http_closed()
 * is called.  None of them from inside of begin(), send() or end().
 */
SAT_API int sat_http_request(struct sat_self *self, void *conn, const struct sat_http_head *head, void **req);
SAT_API void sat_http_message(void *req, const void *p, size_t len);	/* [any thread] */
SAT_API void sat_http_room(void *req);		/* [any thread] */
SAT_API void sat_http_closed(void *req);	/* [any thread] last */

/* ---- TLS ---------------------------------------------------------------- */

/*
 * TLS over bytes in memory: whoever has the socket gives what came from it to
 * sat_tls_decrypt(), and sends what these calls append to `out`.
 */
struct sat_tls;			/* one side's certificates: of a listener, or of all connections out */
struct sat_tls_conn {		/* a connection; the library's own struct begins with this */
	const struct sat_tls_library *library;
};

/* From create(): by a group that has the options ca, cert, key (strings: PEM files) and verify
 * (boolean).  Loads the module that has TLS.  NULL: reported there.  At a reload files that
 * changed are read again, for connections to come. */
SAT_API struct sat_tls *sat_tls_new(struct sat_self *self, const struct sat_conf *group, bool server);
SAT_API void sat_tls_free(struct sat_tls *tls);		/* connections of it live on */

/* name: of the server, for which its certificate must be good; NULL: we are the server.
 * NULL: out of memory. */
SAT_API struct sat_tls_conn *sat_tls_open(struct sat_tls *tls, const char *name);
/*
 * All n bytes that came; n 0: a client's first step.  *got bytes of plain text are put to
 * `to`, which has room for SAT_TLS_ROOM(n).  -EPIPE: the other side has ended it; -EPROTO:
 * it cannot go on, and sat_tls_why() says why; -ENOMEM.  What was got is good even so.
 */
SAT_API int sat_tls_decrypt(struct sat_tls_conn *c, const void *p, size_t n, void *to, size_t *got,
			    struct sat_buf *out);
#define SAT_TLS_ROOM(n) ((n) + (size_t)20480)	/* a record may have waited for its end */
SAT_API int sat_tls_encrypt(struct sat_tls_conn *c, const void *p, size_t n, struct sat_buf *out);
SAT_API bool sat_tls_ready(const struct sat_tls_conn *c);	/* the handshake is done */
SAT_API const char *sat_tls_why(const struct sat_tls_conn *c);	/* until the next call of any of these */
/* Free it; out gets what tells the other side that this was all.  Either may be NULL. */
SAT_API void sat_tls_close(struct sat_tls_conn *c, struct sat_buf *out);

/* What a module that has TLS offers; only the host calls it. */
struct sat_tls_files {
	uint32_t size;
	const char *ca, *cert, *key;	/* NULL: the system's, none */
	bool server, verify;
};
struct sat_tls_library {
	uint32_t size;
	/* why: in words, with the name of the file. */
	int (*load)(struct sat_self *user, const struct sat_tls_files *files, void **context,
		    char *why, size_t room);
	void (*unload)(void *context);
	struct sat_tls_conn *(*open)(void *context, const char *name);
	int (*decrypt)(struct sat_tls_conn *c, const void *p, size_t n, void *to, size_t *got,
		       struct sat_buf *out);
	int (*encrypt)(struct sat_tls_conn *c, const void *p, size_t n, struct sat_buf *out);
	bool (*ready)(const struct sat_tls_conn *c);
	const char *(*why)(const struct sat_tls_conn *c);
	void (*close)(struct sat_tls_conn *c, struct sat_buf *out);
};

/* ---- Sockets, blocking work, other threads ------------------------------ */

/* From open(): a listening TCP socket (SOCK_STREAM) or a bound UDP one.  The
 * host owns it, keyed by address, and hands it over at reload; use fd with
 * uv_tcp_open(), which closes the instance's own duplicate. */
SAT_API int sat_listen(struct sat_self *self, const char *host, int port, int socktype, int *fd);

SAT_API struct uv_loop_s *sat_loop(struct sat_self *self);

/* Run work(arg) on one of the host's threads, then done(arg, rc) on the loop;
 * rc is work's, or -ETIMEDOUT after `deadline` microseconds (0: 60 s): then work
 * is still running, and arg must not be freed before it ends: `late(arg)`, if
 * given, is called on the loop when it does, even after destroy(), so it may
 * touch nothing but arg.  Jobs of one instance and lane run one after the other;
 * those that wait behind an overdue one are done with -EBUSY, and were not run.
 * -EBUSY: the lane's last job is overdue; -ENOMEM. */
struct sat_job {
	uint32_t size;
	int (*work)(void *arg);			/* on another thread */
	void (*done)(void *arg, int rc);
	void (*late)(void *arg);
	int64_t deadline;
	void *arg;
	const void *lane;	/* what it waits in line with; NULL: the instance's other jobs */
};
SAT_API int sat_work(struct sat_self *self, const struct sat_job *job);
/* [any thread] Replace a file whole: a temporary one beside it, fsync, rename, fsync of the
 * folder.  A link stays a link, and an old file's mode its; mode: of a new one.  Blocks. */
SAT_API int sat_file_replace(const char *path, const void *p, size_t len, unsigned mode);
/* [any thread] A whole file as a new NUL-ended text, for free().  -EFBIG: over max; -EINVAL: a
 * pipe or the like.  Blocks. */
SAT_API int sat_file_read(const char *path, size_t max, char **text, size_t *len);
/* [any thread] Run fn(arg) on the loop, soon, in the order posted. */
SAT_API int sat_post(struct sat_self *self, void (*fn)(void *arg), void *arg);

/*
 * Memory for what others send, or are slow to take, is reserved before it is allocated, so
 * that all of it together stays within the setting `memory-max`.  Each account has a share.
 */
enum sat_account {
	SAT_BUFFERS,	/* of connections: what came, and is not whole yet; answers nobody took; an eighth */
	SAT_QUEUES,	/* of outputs: what waits to go out; a sixteenth */
	SAT_RINGS,	/* of readers to whom events are pushed; a sixteenth */
};
/* [any thread] 0; -ENOBUFS: its share is full, so wait (no call says that there is room: look again
 * after a while) or drop; -EMSGSIZE: more than the whole share.  Both are counted. */
SAT_API int sat_reserve(struct sat_self *self, enum sat_account account, size_t bytes);
/* [any thread] Give some back.  What is left after destroy() is given back then. */
SAT_API void sat_release(struct sat_self *self, enum sat_account account, size_t bytes);

/* [any thread] Level as in syslog(3): LOG_ERR and LOG_WARNING ask for action. */
SAT_API void sat_log(struct sat_self *self, int level, const char *fmt, ...) SAT_PRINTF(3);
SAT_API void sat_vlog(struct sat_self *self, int level, const char *fmt, va_list ap);
/* [any thread] Whether one more line of a kind may be said: at most `burst` in `per`
 * microseconds.  Embed one, zeroed; what was held back is said before the next that may. */
struct sat_log_limit { int64_t since; uint32_t n, held; };
SAT_API bool sat_log_allowed(struct sat_self *self, struct sat_log_limit *limit, uint32_t burst, int64_t per);

/* ---- About this process ------------------------------------------------- */

SAT_API const char *sat_name(const struct sat_self *self);	/* the instance's: its group's name */
SAT_API const char *sat_host(void);		/* this host, as Mesos knows it */
SAT_API const char *sat_state_dir(void);	/* absolute, without a slash at the end */
SAT_API bool sat_dry_run(void);			/* replay too: touch nothing outside */
SAT_API const char *sat_top_string(const char *name);	/* a top-level setting: "service-prefix"; or NULL */
/* Another group of the file, for modules that share one ("mesos-agent"): judged by
 * options, or, with NULL, as it is given, for what has to agree with another module's (then
 * only sat_conf_count(), _at(), _find(), _name() and _value() read it); NULL and *rc 0: no such group;
 * NULL and *rc: reported. */
SAT_API const struct sat_conf *sat_top_group(struct sat_self *self, const char *name,
					     const struct sat_option *const *options, int *rc);

/* ---- Metrics and commands ----------------------------------------------- */

/* One figure of a module; kept by the host, one for each instance. */
struct sat_counter {
	uint32_t size;
	const char *name;	/* "dropped"; shown as satellite_<module>_<name>, `-` as `_` */
	bool gauge;		/* goes down, too */
	const char *help;	/* begins with its unit, where it has one: bytes, seconds, microseconds,
				 * nanoseconds, or "time of" for one in seconds since 1970; a gauge in one of
				 * these last three is not shown while it is 0 */
};
#define SAT_COUNTER(n, ...) &(const struct sat_counter){ \
	.size = sizeof(struct sat_counter), .name = (n), __VA_ARGS__ }
SAT_API void sat_count(struct sat_self *self, unsigned which, int64_t more);	/* [any thread] index in the table */
SAT_API void sat_gauge(struct sat_self *self, unsigned which, int64_t value);	/* [any thread] */
SAT_API int64_t sat_counted(struct sat_self *self, unsigned which);		/* [any thread] */

/* Figures with labels, when somebody asks: call sat_figure() for each.  One whose name does not
 * begin with satellite_<module>_ is for /metrics alone, and no event: see series(), too. */
struct sat_figures;
SAT_API void sat_figure(struct sat_figures *out, const char *name, bool gauge, const char *help,
			const struct sat_attr *labels, uint32_t n, double value);
/*
 * Every figure of this process, its own, each instance's counters, and what figures() and series() say: in
 * seconds and bytes, with the unit in the name, but without `_total`.  All is borrowed.  A slice of each loop
 * turn, so they are not of one instant: an instance that goes meanwhile tells no more, and one that
 * comes nothing.  done() is the last call; none comes from inside of these two, nor after
 * sat_tour_stop(), which is not for figure() to call.
 */
struct sat_tour;
struct sat_tour_calls {
	uint32_t size;
	void (*figure)(void *arg, const char *name, bool gauge, const char *help, const struct sat_attr *labels,
		       uint32_t n, double value);
	void (*done)(void *arg);
};
SAT_API struct sat_tour *sat_figures_tour(const struct sat_tour_calls *calls, void *arg);	/* NULL: out of memory */
SAT_API void sat_tour_stop(struct sat_tour *tour);	/* NULL is fine */

/* `satellite NAME ARGS…`, run in the living process over the control socket. */
struct sat_command {
	uint32_t size;
	const char *name, *usage, *summary;	/* usage: "off HOST [--ttl 7day]" */
	enum sat_role role;
	/* Answer with sat_command_done(), now or later; before that, sat_stream_*
	 * may be used for output that goes on. */
	int (*run)(void *state, struct sat_request *req, int argc, const char *const *argv);
};
/* text for stdout (frees it), and the exit status; over 0: text is for stderr. */
SAT_API void sat_command_done(struct sat_request *req, int status, struct sat_buf *text);

/* ---- Checks (the slave's collectors) ------------------------------------ */

/*
 * What an entry of `checks` may name: `{ check = "free-memory"; … }`, or, where
 * own_key is set, `{ command = "…"; … }`.  The host schedules it, gives its
 * events their service, host, ttl, tags and attributes, never starts it while
 * it runs, and sends the retired event when it goes.  Its options are judged by
 * `options` together with the host's: interval, service, ttl, tags, attributes,
 * host, timeout.
 */
struct sat_check {
	uint32_t size;
	const char *name, *summary;
	const struct sat_option *const *options;
	bool own_key;
	/* Judge conf, name the service; touch nothing outside. */
	int (*define)(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def);
	/* Begin one run: sat_report() any number of times, then sat_probe_done()
	 * exactly once, now or later. */
	void (*run)(void *def);
	/* The timeout has passed: make an end, then sat_probe_done().  NULL: the
	 * host reports it, and waits. */
	void (*timeout)(void *def);
	void (*undefine)(void *def);	/* not while it runs */
};
SAT_API struct sat_self *sat_probe_self(struct sat_probe *probe);
/* In define(): the service, unless the setting says another; the prefix goes
 * in front. */
SAT_API int sat_probe_service(struct sat_probe *probe, const char *fmt, ...) SAT_PRINTF(2);
SAT_API const char *sat_probe_name(struct sat_probe *probe);	/* the whole service */
SAT_API double sat_probe_ttl(struct sat_probe *probe);		/* seconds */
SAT_API int64_t sat_probe_timeout(struct sat_probe *probe);	/* microseconds */
/* One result.  What it leaves nil the host fills in; a service it has is put
 * behind the prefix. */
SAT_API int sat_report_event(struct sat_probe *probe, const struct sat_event *ev);
#define sat_report(probe, ...) sat_report_event(probe, &(struct sat_event){ \
	.size = sizeof(struct sat_event), __VA_ARGS__ })
/* From run() until it is done: it waits for its turn, which is none of its time (true; where that
 * takes longer than its interval the host says so); then its time begins (false; -ENOMEM: it may
 * not).  One that waits is told timeout() only when it is to stop. */
SAT_API int sat_probe_waits(struct sat_probe *probe, bool waits);
SAT_API void sat_probe_done(struct sat_probe *probe);

/* ---- The module --------------------------------------------------------- */

struct sat_module {
	uint32_t abi;		/* first: nothing below is read until it fits */
	uint32_t size;		/* of this struct, as the module was compiled */
	const char *name, *version, *summary;
	const struct sat_option *const *options;	/* of its group; NULL: none */
	/*
	 * create  allocate and judge conf; touch nothing outside.  Failing, leave
	 *         nothing behind.  NULL: no state.  Settings that the options forbid
	 *         were reported, and are as if not given (a required one is of its
	 *         type): so all mistakes show in one run, and it never comes to open.
	 * open    take what a reload must know to be free: sat_listen().
	 * start   go.  Failing, give back what it took, but for what it subscribed
	 *         to; it is called again every 10 s, with a log line.
	 * stop    after a start that succeeded: begin to give back, and call
	 *         sat_stopped() once the last handle is closed and the last job is
	 *         in.  NULL: nothing to wait for.
	 * destroy undo create, and open where start() never came.
	 */
	int (*create)(struct sat_self *self, const struct sat_conf *conf, void **state);
	int (*open)(void *state);
	int (*start)(void *state);
	void (*stop)(void *state);
	void (*destroy)(void *state);

	const struct sat_op *const *ops;		/* what it has; NULL: none */
	const struct sat_check *const *checks;
	const struct sat_store *store;
	const struct sat_route *const *routes;
	const struct sat_command *const *commands;
	const struct sat_counter *const *counters;
	void (*figures)(void *state, struct sat_figures *out);	/* few: for whoever asks */
	/* For /metrics alone, where there are too many for one turn: tell some, of a millisecond at most.  *at
	 * is 0 at first, then what it was left as.  false: no more.  Anything may change between two calls. */
	bool (*series)(void *state, struct sat_figures *out, uint64_t *at);
	const struct sat_http_client *http_client;
	const struct sat_http_server *http_server;
	const struct sat_tls_library *tls;
};
SAT_API void sat_stopped(struct sat_self *self);

#ifdef SAT_BUILTIN	/* linked into a test: names must differ */
#define SAT_SYMBOL(id) sat_module_##id
#else
#define SAT_SYMBOL(id) sat_module
#endif
#define SAT_MODULE(id, ...) \
	SAT_API extern const struct sat_module SAT_SYMBOL(id); \
	const struct sat_module SAT_SYMBOL(id) = { .abi = SAT_ABI, \
		.size = sizeof(struct sat_module), __VA_ARGS__ }

#endif
