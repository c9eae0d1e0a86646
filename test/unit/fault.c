/* SPDX-License-Identifier: Apache-2.0 */
/* fault - make the nth allocation or the nth system call from now fail (linked with ld --wrap). */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <uv.h>

#include "unit/fault.h"

static atomic_int allocations, calls, fired;

static void arm(atomic_int *left, int nth)
{
	allocations = calls = fired = 0;
	*left = nth;
}

void fault_arm(int nth)
{
	arm(&allocations, nth);
}

void fault_arm_call(int nth)
{
	arm(&calls, nth);
}

int fault_fired(void)
{
	return fired;
}

static int strike(atomic_int *left, int error)
{
	if (*left <= 0 || atomic_fetch_sub(left, 1) != 1)
		return 0;
	fired = 1;
	errno = error;
	return 1;
}

#define WRAP(type, name, params, args, left, error, failed) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		return strike(&left, error) ? failed : __real_##name args; \
	}
#define WRAP_MEMORY(type, name, params, args) WRAP(type, name, params, args, allocations, ENOMEM, NULL)
#define WRAP_CALL(type, name, params, args, error) WRAP(type, name, params, args, calls, error, -1)

WRAP_MEMORY(void *, malloc, (size_t n), (n))
WRAP_MEMORY(void *, calloc, (size_t n, size_t m), (n, m))
WRAP_MEMORY(void *, realloc, (void *p, size_t n), (p, n))
WRAP_MEMORY(void *, aligned_alloc, (size_t align, size_t n), (align, n))
WRAP_MEMORY(char *, strdup, (const char *s), (s))

WRAP_CALL(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), ENOSPC)
WRAP_CALL(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n), EIO)
WRAP_CALL(int, fsync, (int fd), (fd), EIO)
WRAP_CALL(int, fchmod, (int fd, mode_t mode), (fd, mode), EPERM)
WRAP_CALL(int, rename, (const char *from, const char *to), (from, to), EIO)
WRAP_CALL(int, socket, (int domain, int type, int protocol), (domain, type, protocol), EMFILE)
WRAP_CALL(int, bind, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len), EADDRINUSE)
WRAP_CALL(int, listen, (int fd, int backlog), (fd, backlog), EADDRINUSE)
WRAP(int, pthread_create, (pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg),
     (t, attr, run, arg), calls, EAGAIN, EAGAIN)

WRAP_CALL(int, accept4, (int fd, struct sockaddr *addr, socklen_t *len, int flags), (fd, addr, len, flags),
	  EMFILE)
WRAP_CALL(int, recvmmsg, (int fd, struct mmsghdr *to, unsigned n, int flags, struct timespec *wait),
	  (fd, to, n, flags, wait), ENOMEM)
#define WRAP_UV(name, params, args, error) WRAP(int, name, params, args, calls, 0, error)
WRAP_UV(uv_poll_init, (uv_loop_t *loop, uv_poll_t *poll, int fd), (loop, poll, fd), UV_ENOSPC)
WRAP_UV(uv_tcp_open, (uv_tcp_t *tcp, uv_os_sock_t fd), (tcp, fd), UV_EMFILE)
WRAP_UV(uv_pipe_open, (uv_pipe_t *pipe, uv_file fd), (pipe, fd), UV_EMFILE)
WRAP_UV(uv_read_start, (uv_stream_t *s, uv_alloc_cb room, uv_read_cb came), (s, room, came), UV_EINVAL)
WRAP_UV(uv_write, (uv_write_t *req, uv_stream_t *s, const uv_buf_t bufs[], unsigned n, uv_write_cb done),
	(req, s, bufs, n, done), UV_ENOMEM)

/* Failing, it leaves a handle that wants to be closed: so it fails for real. */
int __real_uv_spawn(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *how);
int __wrap_uv_spawn(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *how);
int __wrap_uv_spawn(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *how)
{
	uv_process_options_t gone = *how;

	gone.file = "/nonexistent/program";
	return __real_uv_spawn(loop, process, strike(&calls, 0) ? &gone : how);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return strike(&calls, EMFILE) ? -1 : __real_open(path, flags, mode);
}

int __real_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...)
{
	va_list ap;
	long arg;

	va_start(ap, what);
	arg = va_arg(ap, long);
	va_end(ap);
	return strike(&calls, EMFILE) ? -1 : __real_fcntl(fd, what, arg);
}
