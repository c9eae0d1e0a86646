/* SPDX-License-Identifier: Apache-2.0 */
/* process - what a daemon asks of the system: signals, limits, its folder and lock. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "log.h"
#include "process.h"

static int lock = -1;

/* A file opened later must not become somebody's stdout. */
static void fill_standard_files(void)
{
	int fd = open("/dev/null", O_RDWR);

	while (fd >= 0 && fd < STDERR_FILENO)
		fd = dup(fd);
	if (fd > STDERR_FILENO)
		close(fd);
}

void process_begin(void)
{
	fill_standard_files();
	/* What a careless parent left open is not for commands that we start. */
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* a file that may not grow is an error like others */
	umask(022);
	setlocale(LC_ALL, "C");
	tzset();
}

/* Reap all that has ended; the status of that child, once it has, or -1. */
static int reap(pid_t daemon)
{
	int status, result = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == daemon)
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return result;
}

/* Orphans are process 1's children.  The daemon waits for its own only, so it is not that one. */
int process_init(void)
{
	sigset_t all, before;
	int number, status = -1;
	pid_t daemon;

	if (getpid() != 1)
		return 0;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	daemon = fork();
	if (daemon <= 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		return daemon == 0 ? 0 : -errno;
	}
	while (status < 0) {
		if (sigwait(&all, &number) != 0)
			continue;
		if (number == SIGCHLD)
			status = reap(daemon);
		else if (number == SIGTERM || number == SIGINT || number == SIGHUP)
			kill(daemon, number);
	}
	_exit(status);
}

void process_raise_files(void)
{
	struct rlimit r;
	rlim_t was;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	was = r.rlim_cur;
	r.rlim_cur = r.rlim_max;
	if (was < r.rlim_max && setrlimit(RLIMIT_NOFILE, &r) != 0)
		r.rlim_cur = was;
	log_line(LOG_INFO, NULL, "up to %ju open files (%ju before)", (uintmax_t)r.rlim_cur, (uintmax_t)was);
}

/* As mkdir -p: the last one is ours alone. */
static int make_folder(const char *path)
{
	char part[PATH_MAX];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, n + 1);
	for (char *p = strchr(part + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(part, 0750) != 0 && errno != EEXIST ? -errno : 0;
}

static void write_pid(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	/* For people; nothing reads it but the line below. */
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, n, 0) != n)
		log_line(LOG_NOTICE, NULL, "lock: pid not written: %s", strerror(errno));
}

static void log_owner(const char *path, int fd)
{
	char pid[32] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
	log_line(LOG_ERR, NULL, "%s: another satellite uses this state-dir (pid %s)", path, *pid ? pid : "unknown");
}

int process_lock(const char *state_dir)
{
	char path[PATH_MAX];
	int rc = make_folder(state_dir);

	if (rc != 0) {
		log_line(LOG_ERR, NULL, "state-dir %s: %s", state_dir, strerror(-rc));
		return rc;
	}
	snprintf(path, sizeof(path), "%s/lock", state_dir);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	rc = lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0 ? -errno : 0;
	if (rc == 0) {
		write_pid(lock);
		return 0;
	}
	if (rc == -EWOULDBLOCK)
		log_owner(path, lock);
	else
		log_line(LOG_ERR, NULL, "%s: %s", path, strerror(-rc));
	process_unlock();
	return rc;
}

void process_unlock(void)
{
	if (lock >= 0)
		close(lock);
	lock = -1;
}

static void log_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		log_line(LOG_ERR, NULL, "left open at the end: a %s handle", uv_handle_type_name(handle->type));
}

int process_close_loop(uv_loop_t *loop)
{
	int rc = uv_loop_close(loop);

	if (rc != 0)
		uv_walk(loop, log_handle, NULL);
	return rc;
}
