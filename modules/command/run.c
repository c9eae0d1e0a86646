/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run - one child process: started, read, killed with its whole group, reaped.
 *
 * A child leads a session of its own, so that what it starts can be ended with
 * it.  Its end is its exit; a daemon that it left behind may hold the pipes open,
 * so these are closed a second later whoever still has them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "command.h"

#define KEPT	(64 * 1024)		/* of what a child prints */
#define LINGER	SAT_SECOND		/* for the rest of the output, after the exit */
#define MERCY	(2 * SAT_SECOND)	/* from SIGTERM to SIGKILL */

struct output {
	uv_pipe_t pipe;
	struct sat_buf kept;
	bool open;
};

struct run {
	struct command *command;
	uv_process_t process;
	struct output out, err;
	struct sat_alarm alarm;
	struct outcome outcome;
	int handles;			/* not closed yet */
	bool spawned, exited, killed, ended;
};

static void end(struct run *r);

/* ---- Output ------------------------------------------------------------- */

static void closed(uv_handle_t *handle)
{
	struct run *r = handle->data;
	struct command *c = r->command;

	if (--r->handles > 0)
		return;
	sat_alarm_stop(&r->alarm);
	sat_buf_free(&r->out.kept);
	sat_buf_free(&r->err.kept);
	c->run = NULL;
	free(r);
	sat_probe_done(c->probe);
}

static void close_output(struct output *o)
{
	if (o->open)
		uv_close((uv_handle_t *)&o->pipe, closed);
	o->open = false;
}

/* All is read into one place: what is worth keeping is copied before the next read. */
static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	static char room[16 * 1024];

	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(room, sizeof(room));
}

static void came(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct run *r = stream->data;
	struct output *o = stream == (uv_stream_t *)&r->out.pipe ? &r->out : &r->err;
	size_t room = KEPT - o->kept.len, take;

	if (n < 0) {
		close_output(o);
		end(r);
		return;
	}
	take = (size_t)n < room ? (size_t)n : room;
	if (take > 0)
		sat_buf_add(&o->kept, buf->base, take);
	if (take < (size_t)n)
		sat_count(r->command->self, COUNT_OUTPUT_DROPPED, n - (ssize_t)take);
}

/* NUL-ended; a NUL that the child printed becomes a blank. */
static const char *text_of(struct output *o)
{
	for (size_t i = 0; i < o->kept.len; i++)
		if (o->kept.p[i] == '\0')
			o->kept.p[i] = ' ';
	sat_buf_add(&o->kept, "", 1);
	return o->kept.full ? "" : o->kept.p;
}

/* ---- The end ------------------------------------------------------------ */

/* Once it has exited and all is read: say what it means, once. */
static void end(struct run *r)
{
	if (!r->exited || r->out.open || r->err.open || r->ended)
		return;
	r->ended = true;
	if (!r->killed) {
		r->outcome.out = text_of(&r->out);
		r->outcome.err = text_of(&r->err);
		verdict_report(r->command, &r->outcome);
	}
	if (r->spawned)
		uv_close((uv_handle_t *)&r->process, closed);
}

static void close_outputs(struct run *r)
{
	close_output(&r->out);
	close_output(&r->err);
	end(r);
}

static void rang(struct sat_alarm *alarm)
{
	struct run *r = SAT_OWNER(alarm, struct run, alarm);

	if (r->exited)
		close_outputs(r);
	else
		kill(-r->process.pid, SIGKILL);
}

static void ring_in(struct run *r, int64_t after)
{
	r->alarm.fire = rang;
	if (sat_alarm_set(r->command->self, &r->alarm, sat_clock() + after) != 0)
		rang(&r->alarm);	/* no memory: do it now */
}

static void has_exited(uv_process_t *process, int64_t status, int signal)
{
	struct run *r = process->data;

	r->exited = true;
	r->outcome.status = status;
	r->outcome.signal = signal;
	sat_alarm_stop(&r->alarm);
	if (r->killed) {
		/* What is left of its group keeps the number from being given to others. */
		kill(-process->pid, SIGKILL);
		close_outputs(r);
	} else if (r->out.open || r->err.open) {
		ring_in(r, LINGER);
	} else {
		end(r);
	}
}

void run_kill(struct command *c)
{
	struct run *r = c->run;
	char text[128];

	if (r == NULL || r->killed || r->ended)
		return;
	if (r->exited) {	/* it has only left others with its pipes */
		sat_alarm_stop(&r->alarm);
		close_outputs(r);
		return;
	}
	r->killed = true;
	sat_count(c->self, COUNT_TIMEOUTS, 1);
	snprintf(text, sizeof(text), "killed: not done after %g s",
		 (double)sat_probe_timeout(c->probe) / SAT_SECOND);
	sat_report(c->probe, .state = "critical", .description = text);
	kill(-r->process.pid, SIGTERM);
	ring_in(r, MERCY);
}

/* ---- The beginning ------------------------------------------------------ */

static void open_output(struct run *r, struct output *o)
{
	o->kept.max = KEPT + 1;
	uv_pipe_init(sat_loop(r->command->self), &o->pipe, 0);
	o->pipe.data = r;
	o->open = true;
	r->handles++;
}

/* A pipe, since libuv's own would be a socket, on which opening /dev/stdout fails. */
static int listen_to(struct output *o, int *theirs)
{
	int fds[2], rc = uv_pipe(fds, UV_NONBLOCK_PIPE, 0);

	if (rc != 0)
		return rc;
	rc = uv_pipe_open(&o->pipe, fds[0]);
	if (rc == 0)
		rc = uv_read_start((uv_stream_t *)&o->pipe, give_room, came);
	else
		close(fds[0]);
	*theirs = fds[1];
	return rc;
}

static int spawn(struct run *r)
{
	struct command *c = r->command;
	int out = -1, err = -1;
	uv_stdio_container_t stdio[3] = { { .flags = UV_IGNORE } };
	uv_process_options_t how = {
		.exit_cb = has_exited, .file = c->argv[0], .args = c->argv, .env = c->env, .cwd = "/",
		.flags = UV_PROCESS_DETACHED, .stdio_count = 3, .stdio = stdio,
	};
	int rc = listen_to(&r->out, &out);

	if (rc == 0)
		rc = listen_to(&r->err, &err);
	if (rc == 0) {
		stdio[1] = (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = out };
		stdio[2] = (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = err };
		r->process.data = r;
		r->spawned = true;
		r->handles++;
		rc = uv_spawn(sat_loop(c->self), &r->process, &how);
	}
	if (out >= 0)
		close(out);
	if (err >= 0)
		close(err);
	return rc;
}

static void not_started(struct command *c, int rc)
{
	char text[512];

	snprintf(text, sizeof(text), "%s: not started: %s", c->argv[0], strerror(-rc));
	sat_report(c->probe, .state = "critical", .description = text);
}

void run_begin(struct command *c)
{
	struct run *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL) {
		not_started(c, -ENOMEM);
		sat_probe_done(c->probe);
		return;
	}
	r->command = c;
	c->run = r;
	sat_count(c->self, COUNT_RUNS, 1);
	open_output(r, &r->out);
	open_output(r, &r->err);
	rc = spawn(r);
	if (rc == 0)
		return;
	not_started(c, rc);
	r->exited = r->killed = true;	/* nothing more to say */
	close_outputs(r);
}
