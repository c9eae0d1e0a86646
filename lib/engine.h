/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine - the queue of inputs, pushes, timers, the reaper: what turns.
 *
 * Everything that happens to an event happens here, on the loop thread, one
 * input after the other.  Knows no module and no role.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "event.h"
#include "index.h"
#include "stream.h"

/* loop NULL: replay, turned by engine_run(). */
int engine_init(struct uv_loop_s *loop);
/* Swap in a set of streams between two inputs; the old one is handed back for
 * streams_stop(), NULL: there was none. */
struct streams *engine_swap(struct streams *next);
struct streams *engine_streams(void);
void engine_index(const struct index_conf *c);

/* Append an input; takes nothing, copies. -ENOBUFS, -ELOOP: counted. */
int engine_emit(const struct sat_event *ev, uint32_t hops, const char *host);
/* Run an event at once, ahead of the queue; not inside a push.  0 or the error
 * of a top-level stream (streams_error()). */
int engine_input(struct event *ev);
bool engine_pushing(void);
/* Timers due at or before the clock, then the inputs that wait. */
void engine_run(void);
/* Replay: move the clock to t, firing timers in order on the way. */
void engine_move(int64_t t);
/* One turn of the reaper now; keys NULL: as configured. */
void engine_reap(const char *const *keep, bool keep_all);

/* Save to, and restore from, the state file. */
int engine_save(const char *path);
int engine_load(const char *path);
void engine_stop(void (*done)(void *arg), void *arg);	/* drains, stops the loop's handles */
void engine_free(void);

/* For `satellite replay`: exit status. */
int replay_main(const char *events, bool reap);

#endif
