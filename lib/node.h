/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node - the graph as stream.c, fork.c, push.c and adopt.c see it.
 *
 * A node is one place in the config, a scope all nodes whose states lie in one
 * block, a fork one such block: the root has one, and each operator that forks
 * has one for every key, in every fork that the operator itself is in.
 */
#ifndef NODE_H
#define NODE_H

#include "log.h"
#include "self.h"
#include "state.h"
#include "stream.h"
#include "timer.h"

struct fork;

struct nodes { struct node **v; uint32_t n, room; };

/* What an operator knows of its node; moves with def when a reload keeps it. */
struct sat_node {
	struct node *node;
	struct sat_self *self;
	char *path;
};

/* The options that every node has, and one named like the operator if it has none. */
struct host_options { struct sat_option own; const struct sat_option *table[5]; };

struct node {
	struct sat_node *handle;
	struct host_options *options;
	const struct sat_op *op;
	void *def;
	struct scope *scope;		/* where its state lies */
	struct scope *inner;		/* of a SAT_FORKS operator: its children's */
	struct node *within;		/* the node of op->within */
	struct node *guard;		/* catches what fails below its timers; NULL: nobody */
	struct streams *set;
	struct nodes *branches;
	uint32_t n_branches;
	uint32_t index, offset;		/* in its scope: number, and bytes into a fork's block */
	uint64_t key[2], settings[2];	/* settings: a hash of its own parameters */
	struct conf *file;		/* where its settings are; def may point into it */
	struct outbox *outbox;		/* of a SAT_ALERTS operator that has alerted; alert.c's */
	bool defined, started;
	bool piped;			/* its last stage passes to what `do` was when it was built */
	int64_t errors;
	struct sat_log_limit limit;
};

struct scope {
	struct streams *set;
	struct scope *parent;		/* NULL: the root */
	struct node *owner;
	struct nodes nodes;
	uint32_t bytes;			/* of a fork's block */
	uint32_t max;			/* forks of one table */
	int64_t keep;
};

/* The forks of one SAT_FORKS node in one fork; a pointer to it lies in front
 * of the node's state. */
struct forks {
	struct fork **slots;
	size_t size, n;
	struct fork *oldest, *newest;	/* by last event */
};

struct fork {
	struct scope *scope;
	struct fork *parent;
	struct forks *table;		/* NULL: the root */
	struct fork *chain, *older, *newer;
	struct fork *prev, *next;	/* all of the set, as made */
	struct fork *moved;		/* during a reload: the one in its place */
	int64_t last, until;		/* last event; when its ttl has passed (steady) */
	struct sat_timer *timers;	/* those that are set */
	uint32_t inner;			/* forks below */
	uint16_t busy;			/* passes that are under way in it */
	uint16_t saved;			/* in which round: see keep.c */
	uint32_t hash, key_len;
	const unsigned char *key;
	const char *text;		/* in the key, which is this one text; NULL: it is something else */
	_Alignas(16) unsigned char block[];
};

struct streams {
	struct conf *file;
	const struct stream_finder *finder;	/* while it is built */
	struct nodes top;
	struct nodes all;
	struct scope **scopes;
	uint32_t n_scopes;
	struct define *defines;
	struct fork *root;
	struct fork *first, *last, *cursor;
	struct fork *unsaved;		/* up to which the round has come, from there on */
	size_t n_forks;
	uint32_t stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

struct sat_at {
	struct node *node;
	struct fork *fork;
	const struct sat_at *up;	/* who passed to it; NULL: a top-level node, or a timer */
	int branch;			/* of up, by which it came */
	bool timer;
};

/* keep.c: while states are saved in slices, one that has its turn yet is saved before it changes. */
extern bool keep_saving;
extern uint16_t keep_round;
void keep_before(struct fork *f);

/* fork.c */
struct fork *fork_make(struct scope *scope, struct fork *parent, const void *key, uint32_t len);
int fork_open_state(struct fork *f, struct node *n);
uint32_t fork_key(unsigned char *to, size_t room, const struct sat_value *v);	/* its bytes; 0: no room */
struct fork *fork_get(struct node *owner, struct fork *in, const void *key, uint32_t len);
/* The one of a text of len bytes; NULL: none yet. */
struct fork *fork_of_text(const struct node *owner, struct fork *in, const char *text, size_t len);
void fork_touch(struct fork *f, const struct sat_event *ev);
void fork_free(struct fork *f);		/* with all below it; closes their states */
void fork_renew(struct fork *f, struct node *n);	/* what it knew was refused: as if just opened */
void fork_insert(struct forks *t, struct fork *f);
/* By 1, for as long as something runs in it: neither it nor what is around it is freed to make
 * room; by -1 after that. */
void fork_hold(struct fork *f, int by);
int fork_table(struct node *owner, struct fork *in, struct forks **table);
static inline void *fork_state(struct fork *f, const struct node *n)
{
	return f->block + n->offset;
}
static inline struct forks **fork_slot(struct fork *f, const struct node *owner)
{
	return (struct forks **)(f->block + owner->offset - sizeof(struct forks *));
}

static inline void fork_timer_add(struct fork *f, struct sat_timer *t)
{
	t->fork = f;
	t->prev = NULL;
	t->next = f->timers;
	if (t->next != NULL)
		t->next->prev = t;
	f->timers = t;
}
static inline void fork_timer_remove(struct fork *f, struct sat_timer *t)
{
	*(t->prev != NULL ? &t->prev->next : &f->timers) = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	t->prev = t->next = NULL;
}

#endif
