/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run - one child process: started, read, killed with its whole group, reaped.
 *
 * A child leads a session of its own, and what is left of its group at its end
 * is killed: only what has begun a group or a session of its own, as daemons do,
 * lives on, and with a cgroup not even that.  Where its time is up these end, too.
 * Its end is its exit; a daemon may hold the pipes open, so these are closed a
 * second later whoever still has them.  It is reaped last: until then its number,
 * by which the group is killed, is no other's.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "command.h"

#define KEPT	(64 * 1024)		/* of what a child prints */
#define SPILL	(256 * 1024)		/* of what is dropped, before a pause: 13 MB a second at most */
#define PAUSE	(20 * SAT_MS)
#define LINGER	SAT_SECOND		/* for the rest of the output, after the exit */
#define MERCY	(2 * SAT_SECOND)	/* from SIGTERM to SIGKILL */

struct output {
	uv_pipe_t pipe;
	struct sat_buf kept;
	struct sat_alarm pause;
	size_t spilt;			/* since the last pause */
	bool open;
};

struct run {
	struct command *command;
	uv_signal_t child;
	struct output out, err;
	struct sat_alarm alarm;
	struct outcome outcome;
	pid_t pid;			/* 0: there is none */
	int failures;			/* says what kept it from being executed; -1: nothing */
	int handles;			/* not closed yet */
	bool exited, killed, ended;
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
	sat_alarm_stop(&r->out.pause);
	sat_alarm_stop(&r->err.pause);
	sat_buf_free(&r->out.kept);
	sat_buf_free(&r->err.kept);
	c->run = NULL;
	free(r);
	turn_give(c);
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

static void came(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void read_on(struct sat_alarm *alarm)
{
	struct output *o = SAT_OWNER(alarm, struct output, pause);

	if (o->open && uv_read_start((uv_stream_t *)&o->pipe, give_room, came) != 0) {
		struct run *r = o->pipe.data;

		close_output(o);
		end(r);
	}
}

/* Who prints without an end waits for its own pipe, and takes no CPU, nor does who reads it. */
static void drop(struct run *r, struct output *o, size_t n)
{
	sat_count(r->command->self, COUNT_OUTPUT_DROPPED, (int64_t)n);
	o->spilt += n;
	if (o->spilt < SPILL)
		return;
	o->spilt = 0;
	o->pause.fire = read_on;
	if (sat_alarm_set(r->command->self, &o->pause, sat_clock() + PAUSE) == 0)
		uv_read_stop((uv_stream_t *)&o->pipe);
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
		drop(r, o, (size_t)n - take);
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

/* Before its session has begun it has no group yet.  To look for strays takes a while: not where all ends well. */
static void signal_all(struct run *r, int signum)
{
	if (r->killed)
		stray_signal(r->pid, signum);
	if (kill(-r->pid, signum) != 0)
		kill(r->pid, signum);
	if (signum == SIGKILL)
		cgroup_kill(r->command);
}

static void not_started(struct command *c, const char *why)
{
	char text[512];

	snprintf(text, sizeof(text), "%s: not started: %s", c->argv[0], why);
	sat_report(c->probe, .state = "critical", .description = text);
}

static void report(struct run *r)
{
	char why[256];

	if (start_failed(r->failures, why, sizeof(why))) {
		not_started(r->command, why);
		return;
	}
	r->outcome.out = text_of(&r->out);
	r->outcome.err = text_of(&r->err);
	verdict_report(r->command, &r->outcome);
}

static void bury(struct run *r)
{
	if (r->pid > 0) {
		signal_all(r, SIGKILL);
		waitpid(r->pid, NULL, WNOHANG);
		cgroup_remove(r->command);
	}
	if (r->failures >= 0)
		close(r->failures);
}

/* Once it has exited and all is read: say what it means, once. */
static void end(struct run *r)
{
	if (!r->exited || r->out.open || r->err.open || r->ended)
		return;
	r->ended = true;
	if (!r->killed)
		report(r);
	bury(r);
	uv_close((uv_handle_t *)&r->child, closed);
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

	if (r->exited) {
		close_outputs(r);
		return;
	}
	signal_all(r, SIGKILL);
	turn_give(r->command);
}

static void ring_in(struct run *r, int64_t after)
{
	r->alarm.fire = rang;
	if (sat_alarm_set(r->command->self, &r->alarm, sat_clock() + after) != 0)
		rang(&r->alarm);	/* no memory: do it now */
}

static void exited(struct run *r, const siginfo_t *info)
{
	r->exited = true;
	r->outcome.status = info->si_code == CLD_EXITED ? info->si_status : 0;
	r->outcome.signal = info->si_code == CLD_EXITED ? 0 : info->si_status;
	sat_alarm_stop(&r->alarm);
	if (r->killed)
		close_outputs(r);
	else if (r->out.open || r->err.open)
		ring_in(r, LINGER);
	else
		end(r);
}

/* Somebody's child has changed: ours? */
static void look(uv_signal_t *handle, int signum)
{
	struct run *r = handle->data;
	siginfo_t info = { 0 };

	(void)signum;
	if (r->pid > 0 && !r->exited && waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid == r->pid)
		exited(r, &info);
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
	signal_all(r, SIGTERM);
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

/* -errno: `why` says more. */
static int spawn(struct run *r, int out, int err, char *why, size_t size)
{
	struct command *c = r->command;
	int cgroup = c->manner.cgroup != NULL ? cgroup_open(c, why, size) : -1;
	pid_t pid;

	if (cgroup < 0 && c->manner.cgroup != NULL)
		return cgroup;
	pid = start_child(c, out, err, cgroup, &r->failures);
	if (cgroup >= 0)
		close(cgroup);
	if (pid < 0) {
		snprintf(why, size, "%s", strerror(-pid));
		return pid;
	}
	r->pid = pid;
	return 0;
}

static int begin(struct run *r, char *why, size_t size)
{
	int out = -1, err = -1, rc = uv_signal_start(&r->child, look, SIGCHLD);

	if (rc == 0)
		rc = listen_to(&r->out, &out);
	if (rc == 0)
		rc = listen_to(&r->err, &err);
	if (rc != 0)
		snprintf(why, size, "%s", strerror(-rc));
	else
		rc = spawn(r, out, err, why, size);
	if (out >= 0)
		close(out);
	if (err >= 0)
		close(err);
	return rc;
}

void run_begin(struct command *c)
{
	struct run *r = calloc(1, sizeof(*r));
	char why[512];

	if (r == NULL || uv_signal_init(sat_loop(c->self), &r->child) != 0) {
		free(r);
		not_started(c, strerror(ENOMEM));
		turn_give(c);
		sat_probe_done(c->probe);
		return;
	}
	r->command = c;
	r->failures = -1;
	r->child.data = r;
	r->handles = 1;
	c->run = r;
	sat_count(c->self, COUNT_RUNS, 1);
	open_output(r, &r->out);
	open_output(r, &r->err);
	if (begin(r, why, sizeof(why)) == 0)
		return;
	not_started(c, why);
	r->exited = r->killed = true;	/* nothing more to say */
	close_outputs(r);
}
