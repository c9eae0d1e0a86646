/* SPDX-License-Identifier: Apache-2.0 */
/*
 * callers - clients that come from many addresses of 127/8, and are up to nothing good.
 *
 * callers PORT leave N	N connections in turn, each abandoned in another way
 * callers PORT stay N	N connections that are answered once, and then are silent;
 *			prints how many there are, and holds them until its input ends
 * callers PORT begin N	N connections that each announce 16 MiB, and send all but a
 *			part of it; prints how many there are, and goes on until its
 *			input ends
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int port;

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* The nth caller: every address has a hundred of them before the next one's turn. */
static int call(unsigned long n)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	from.sin_addr.s_addr = htonl(0x7f010001u + (uint32_t)(n / 100));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)port);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void reset_at_close(int fd)
{
	const struct linger now_or_never = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now_or_never, sizeof(now_or_never));
}

static void say(int fd, const char *p, size_t n)
{
	if (send(fd, p, n, MSG_NOSIGNAL) != (ssize_t)n)
		perror("send");
}
#define SAY(fd, text) say(fd, text, sizeof(text) - 1)

static void abandon(int fd, unsigned long n)
{
	switch (n % 6) {
	case 1:
		reset_at_close(fd);
		break;
	case 2:				/* amid the length */
		SAY(fd, "\0\0");
		break;
	case 3:				/* amid a frame */
		SAY(fd, "\0\0\1\0\x32\x80\1");
		reset_at_close(fd);
		break;
	case 4:				/* an answer is to come */
		SAY(fd, "\0\0\0\x0a\x32\x08\x22\1h\x1a\1s\x08\5");
		break;
	case 5:				/* and that finds nobody */
		SAY(fd, "\0\0\0\0\0\0\0\x08\x2a\6\x0a\4true");
		shutdown(fd, SHUT_RD);
		reset_at_close(fd);
		break;
	}
	close(fd);
}

static int leave(unsigned long most)
{
	int64_t began = now();

	for (unsigned long n = 0; n < most; n++) {
		int fd = call(n);

		if (fd < 0) {
			perror("callers");
			return 1;
		}
		abandon(fd, n);
	}
	printf("%lu in %.1f s\n", most, (double)(now() - began) / 1e3);
	return 0;
}

static int stay(unsigned long most)
{
	unsigned long n = 0;
	char answer[6];
	int fd = 0;

	while (n < most && (fd = call(n)) >= 0) {
		SAY(fd, "\0\0\0\0");
		if (recv(fd, answer, sizeof(answer), MSG_WAITALL) != sizeof(answer))
			break;
		n++;
	}
	if (n < most)
		perror("callers");
	printf("%lu\n", n);
	fflush(stdout);
	while (n == most && read(0, answer, 1) > 0)
		;
	return n == most ? 0 : 1;
}

#define ANNOUNCED	(16u << 20)
#define SENT		15900000u

/* Some bytes more: how many there are; SENT, too, where the connection is closed. */
static size_t go_on(int fd, size_t sent)
{
	static const char zeros[1 << 16];
	const uint32_t length = htonl(ANNOUNCED);
	ssize_t n = sent == 0 ? send(fd, &length, 4, MSG_NOSIGNAL) :
		send(fd, zeros, sizeof(zeros) < SENT - sent ? sizeof(zeros) : SENT - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		return SENT;
	return n > 0 ? sent + (size_t)n : sent;
}

static int begin(unsigned long most)
{
	struct pollfd *fds = calloc(most + 1, sizeof(*fds));
	size_t *sent = calloc(most, sizeof(*sent));
	unsigned long n = 0;

	if (fds == NULL || sent == NULL)
		return 1;
	while (n < most && (fds[n + 1].fd = call(n)) >= 0)
		fds[++n].events = POLLOUT;
	printf("%lu\n", n);
	fflush(stdout);
	fds[0].events = POLLIN;
	while (n == most && poll(fds, n + 1, -1) > 0 && fds[0].revents == 0)
		for (unsigned long i = 0; i < n; i++) {
			if (fds[i + 1].revents == 0)
				continue;
			sent[i] = go_on(fds[i + 1].fd, sent[i]);
			if (sent[i] >= SENT)
				fds[i + 1] = (struct pollfd){ .fd = ~fds[i + 1].fd };	/* negative: as it is */
		}
	for (unsigned long i = 1; i <= n; i++)
		close(fds[i].fd < 0 ? ~fds[i].fd : fds[i].fd);
	free(fds);
	free(sent);
	return n == most ? 0 : 1;
}

int main(int argc, char **argv)
{
	unsigned long n = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	struct rlimit files;

	if (n == 0) {
		fputs("usage: callers PORT leave|stay|begin N\n", stderr);
		return 2;
	}
	port = atoi(argv[1]);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (strcmp(argv[2], "begin") == 0)
		return begin(n);
	return strcmp(argv[2], "stay") == 0 ? stay(n) : leave(n);
}
