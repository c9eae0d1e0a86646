/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start - fork and exec of a command, as the user, niceness and cgroup it is to have.
 *
 * Not uv_spawn(): that knows no niceness, no cgroup and no supplementary groups,
 * and waits for the exec, which hangs where the program lies on a dead NFS
 * server.  Here nobody waits: what a child could not do it writes into a pipe,
 * and that is looked at when it has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include "command.h"

enum step { STEP_EXEC, STEP_FILES, STEP_CGROUP, STEP_NICE, STEP_GROUPS, STEP_USER };

struct failure { enum step step; int error; };

/* ---- The child, which may do only what is safe after a fork ------------- */

static int nullfile(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : dup2(fd, STDIN_FILENO);
}

static void plain_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* We have raised ours; a program that uses select(2) breaks beyond 1024. */
static void plain_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > FD_SETSIZE) {
		files.rlim_cur = FD_SETSIZE;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int be(const struct manner *m)
{
	if (m->has_nice && setpriority(PRIO_PROCESS, 0, m->nice) != 0)
		return STEP_NICE;
	if (m->user == NULL)
		return 0;
	if (setgroups((size_t)m->n_groups, m->groups) != 0 || setresgid(m->gid, m->gid, m->gid) != 0)
		return STEP_GROUPS;
	return setresuid(m->uid, m->uid, m->uid) != 0 ? STEP_USER : 0;
}

/* Nobody would end it when its time is up.  Only now, since a change of the user forgets it. */
static void end_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
}

static _Noreturn void child(const struct command *c, int out, int err, int cgroup, int failures, pid_t parent)
{
	struct failure f = { .step = STEP_FILES };

	plain_signals();
	plain_limits();
	setsid();
	if (nullfile() >= 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0 && chdir("/") == 0) {
		f.step = cgroup >= 0 && write(cgroup, "0", 1) != 1 ? STEP_CGROUP : be(&c->manner);
		if (f.step == 0) {
			end_with(parent);
			close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
			environ = c->env;
			execvp(c->argv[0], c->argv);
		}
	}
	f.error = errno;
	_exit(write(failures, &f, sizeof(f)) == sizeof(f) ? 127 : 126);
}

/* ---- The parent --------------------------------------------------------- */

pid_t start_child(const struct command *c, int out, int err, int cgroup, int *failures)
{
	sigset_t all, before;
	pid_t parent = getpid(), pid;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return -errno;
	/* A signal that the child got would run our handler, and write to our pipes. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		child(c, out, err, cgroup, fds[1], parent);
	if (pid < 0)
		pid = -errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(fds[1]);
	*failures = fds[0];
	if (pid < 0) {
		close(fds[0]);
		*failures = -1;
	}
	return pid;
}

bool start_failed(int failures, char *why, size_t size)
{
	static const char *const steps[] = {
		[STEP_EXEC] = "", [STEP_FILES] = "its files: ", [STEP_CGROUP] = "into its cgroup: ",
		[STEP_NICE] = "its niceness: ", [STEP_GROUPS] = "the groups of its user: ", [STEP_USER] = "its user: ",
	};
	struct failure f;

	if (failures < 0 || read(failures, &f, sizeof(f)) != sizeof(f))
		return false;
	snprintf(why, size, "%s%s", steps[f.step], strerror(f.error));
	return true;
}
