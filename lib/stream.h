/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - the graph of nodes, its scopes and forks, and a push through it.
 *
 * Built from `streams` and `define`; a whole set is built and judged before it
 * takes another's place, and adopts its states by key.
 */
#ifndef STREAM_H
#define STREAM_H

#include "arena.h"
#include "conf.h"
#include "event.h"

struct streams;

/* Which operator a name is, and the instance that has it (*self: never NULL);
 * NULL: no such operator, reported at `where`. */
struct stream_finder {
	const struct sat_op *(*find)(void *arg, const char *name, const struct sat_conf *where,
				     struct sat_self **self);
	void *arg;
};

/* list: `streams`, or NULL (then `otherwise`, an operator's name such as "index",
 * is the only one); define: a group, or NULL.  NULL: mistakes were reported. */
struct streams *streams_build(struct conf *file, const struct sat_conf *list, const struct sat_conf *define,
			      const char *otherwise, const struct stream_finder *finder);
/* Put next in prev's place (NULL: the first): nodes with equal key, size and
 * version take over their states; outputs with equal settings go on running.
 * Opens and starts what is new.  prev is left with what is to be stopped. */
void streams_adopt(struct streams *next, struct streams *prev);
/* End all its forks and their timers: nothing will come to it any more. */
void streams_forget(struct streams *s);
/* Begin to stop; done() once all outputs have, maybe from inside; then it may be freed. */
void streams_stop(struct streams *s, void (*done)(void *arg), void *arg);
void streams_free(struct streams *s);	/* NULL is fine */

/* One input through streams[0], then streams[1], …  0, or the first error of a
 * top-level node, whose words are in streams_error(). */
int streams_push(struct streams *s, struct event *ev);
const char *streams_error(void);
void streams_describe(const void *node, char *text, size_t size);	/* slow.h's */
bool streams_pushing(void);
/* A fork's timer has fired. */
void streams_fire(struct sat_timer *t);
/* Free forks that are as good as new, or too old: a part of them each call. */
void streams_sweep(struct streams *s);
size_t streams_forks(const struct streams *s);

/* Every state that can be saved, a record each, and back; the record's bytes
 * say what it is.  -ENOENT: nobody has that state now; -EBADMSG: refused. */
int streams_save(struct streams *s, int (*record)(void *arg, const void *p, size_t n), void *arg);
int streams_load(struct streams *s, const void *p, size_t n);
/*
 * The same in slices, as they are at the beginning: a fork that has its turn yet is saved before
 * it changes, with the clock as it was.  streams_save_turn() saves some; false: those were
 * all, and it has ended.
 */
void streams_save_begin(struct streams *s, int (*record)(void *arg, const void *p, size_t n), void *arg);
bool streams_save_turn(struct streams *s, uint32_t most);
void streams_save_stop(void);
void streams_save_timer(struct sat_timer *t);	/* before it is taken out of the heap to fire; NULL is fine */

/* Where sat_shown() goes in replay and dry run; error: a stream failed. */
typedef void stream_show(const char *path, const char *does, const char *tap,
			 const struct sat_item *item, const char *error, bool top);
void streams_show(stream_show *show);

/* Where sat_reinject() goes: the queue of inputs, which is the engine's. */
typedef int stream_reinject(const struct sat_event *ev, uint32_t hops, const char *host);
void streams_reinject(stream_reinject *reinject);
uint32_t streams_hops(void);		/* of the input that is under way */
void streams_free_scratch(void);

#endif
