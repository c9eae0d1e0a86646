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

/* loop NULL: replay, turned by engine_move() and engine_run(). */
int engine_init(struct uv_loop_s *loop);
/* Swap in a set of streams between two inputs; it adopts what the old one knew.
 * The old one is handed back for streams_stop(); NULL: there was, or is, none. */
struct streams *engine_swap(struct streams *next);
struct streams *engine_streams(void);

/* Append an input, as sat_emit_event() says.  Takes nothing, copies. */
int engine_emit(const struct sat_event *ev, uint32_t hops, const char *host);
/* Where events go instead of the streams, in a process that has none of its own.  entry: of
 * `checks`, from 1 on, which has it to say; 0: none of them. */
void engine_relay(int (*relay)(const struct sat_event *ev, unsigned entry));
size_t engine_waiting(void);	/* inputs that wait */
/* Timers due at or before the clock, then the inputs that wait: all of them in
 * replay, a slice of them live. */
void engine_run(void);
/* Replay: move the clock to t, firing timers in order on the way, those that are
 * due at t, too; at the end engine_run() fires what is left for now. */
void engine_move(int64_t t);
/* Replay: this event now, then what it caused.  0 or a top-level stream's error. */
int engine_input(struct event *ev);
/* What else has its share of each turn; true: there is more to do. */
void engine_slices(bool (*slice)(void));
/* One turn of the reaper now. */
void engine_reap(void);

/* Replay: what a restart does, but for the file: an empty index and these streams (takes neither)
 * take back what save_dump() gave. */
int engine_restart(struct streams *next, const struct index_conf *index, const struct sat_buf *file);
/* Stop turning: closes the loop's handles, frees everything but streams. */
void engine_stop(void);

#endif
