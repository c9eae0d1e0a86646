/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record - what the store keeps of one host, in the JSON of the JVM Satellite.
 *
 * Text that another program wrote stays byte for byte: events, and the members
 * of the record that are not known here.
 */
#ifndef RECORD_H
#define RECORD_H

#include <satellite/module.h>

enum { RECORD_MAX = 64 << 10, RECORD_EVENTS = 64, RECORD_MANAGED = 48, RECORD_DECISIONS = 4 };

enum flag { FLAG_NONE, FLAG_ON, FLAG_OFF };

struct rec_event {
	struct rec_event *next;
	int64_t time, until;		/* wall; until 0: it stays */
	char *name, *key;		/* decoded; as written, with its quotes */
	char *state;			/* "" if it has none */
	char *text;			/* the event's JSON */
};

/* One reason to hold a host on or off; the streams' shared one is named "". */
struct hold {
	struct hold *next;
	bool off;
	int64_t since, until;		/* wall; until 0: it stays */
	char *cause;
	char name[];
};

struct record {
	struct rec_event *managed, *manual;	/* in order of writing */
	enum flag managed_flag, manual_flag;
	/* ours, below "satellite" */
	enum flag flag;			/* the managed one as we last wrote it */
	int64_t since;			/* of it, import included */
	int64_t flipped, off;		/* when automation last flipped it, and to off; 0: never */
	int64_t freed;			/* when the end of a person's word last made the state another; 0: never */
	uint64_t seq, epoch;		/* which write this is, and of which leader */
	char *by, *cause;
	char *verdict;			/* why the guard holds the wish back; NULL: it does not */
	struct hold *holds;
	char *decisions[RECORD_DECISIONS];	/* the last ones, newest first */
	char *others;			/* members not known here: ,"key":value… */
};

const char *flag_name(enum flag flag);		/* "on", "off", or NULL */

/* A new record; json NULL: an empty one.  -EBADMSG: it is not a record. */
int record_parse(struct record **rec, const char *json, size_t len);
int record_copy(struct record **rec, const struct record *from);
void record_print(const struct record *rec, struct sat_buf *out);
void record_free(struct record *rec);

/* A host's state is its manual flag, else its managed flag, else off. */
enum flag record_state(const struct record *rec);
unsigned record_events(const struct rec_event *list);
const struct rec_event *record_event(const struct rec_event *list, const char *name);
/* Put an event in the place of one of the same name, at the end of the list. */
int record_put(struct rec_event **list, const char *name, const char *json, size_t len);
bool record_drop(struct rec_event **list, const char *name);
/* Drop manual events whose time is over; whether there was one. */
bool record_expire(struct record *rec, int64_t now);
const struct rec_event *record_word(const struct record *rec);	/* the latest manual event, or NULL */
/* Derive the manual flag from the latest manual event. */
void record_manual(struct record *rec);
/* The same after one that ended or was taken back: from now on the state may be another. */
void record_unsaid(struct record *rec, int64_t now);
/* The earliest end of a manual event or a hold; 0: none ends. */
int64_t record_until(const struct record *rec);
/* Set the managed flag, with when and why; by automation: kept as a decision. */
int record_flip(struct record *rec, enum flag flag, int64_t now, const char *cause, bool automation);

/* 1: it is another now; 0: as it was; -ENOMEM. */
int record_judge(struct record *rec, const char *verdict);

struct hold *hold_find(struct hold *list, const char *name);
/* Make, or change, one; -ENOMEM leaves it as it was. */
int hold_set(struct hold **list, const char *name, bool off, int64_t since, int64_t until, const char *cause);
void holds_free(struct hold **list);
bool holds_same(const struct hold *a, const struct hold *b);

/* An event of a stream, as a record keeps it. */
void event_print(const struct sat_event *ev, struct sat_buf *out);
/* Seconds with 6 decimals. */
void micros_print(struct sat_buf *out, int64_t t);

#endif
