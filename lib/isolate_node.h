/* SPDX-License-Identifier: Apache-2.0 */
/* isolate_node - the process of one isolated instance, for isolate.c and isolate_read.c. */
#ifndef ISOLATE_NODE_H
#define ISOLATE_NODE_H

#include <uv.h>

#include "isolate.h"

struct isolate {
	struct instance *instance;
	enum { ISOLATE_WAITS, ISOLATE_RUNS, ISOLATE_ENDS, ISOLATE_GONE } phase;
	struct sat_buf text;		/* what it is told, with its length in front */
	uv_timer_t timer;		/* of the phase: when to start, to look, to kill */
	unsigned delay;			/* seconds before it is started again */
	int64_t begun, told;		/* of CLOCK_BOOTTIME: this run; when its state was told */
	char why[160];			/* it ended */
	bool ran, well;			/* once at least; it runs, and an event says so */
	int64_t *base;			/* of each counter, what earlier runs counted */
	int64_t dropped;		/* of this run, what was told */

	/* This run's. */
	uv_process_t process;
	uv_pipe_t link, err;
	uv_write_t say, ask;
	uv_shutdown_t end;
	unsigned handles;		/* not closed yet */
	unsigned missed;		/* beats without an answer */
	bool asking, answered, exited, killed;
	bool link_over, err_over;	/* all that it sent was read */
	bool paused;			/* not read, until the streams have caught up */
	struct sat_alarm pause;
	struct sat_buf in;		/* a message, as far as it has come */
	char line[1024];		/* of its stderr, the same */
	size_t line_len;
	struct sat_log_limit lines;
};

/* End a run that goes wrong; it is started again later. */
void isolate_kill(struct isolate *p, const char *fmt, ...) SAT_PRINTF(2);
void isolate_answered(struct isolate *p);	/* a beat */
void isolate_drained(struct isolate *p);	/* one of its pipes has ended */
void isolate_listen(struct isolate *p);		/* read what it sends and what it says */
void isolate_deaf(struct isolate *p);		/* and no more */

#endif
