/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load - sends events as fast as they are acknowledged, or as fast as told.
 *
 * load PORT CONNECTIONS DEPTH EVENTS KEYS SECONDS [TAGS]
 * load PORT,PORT… 1 1 EVENTS KEYS SECONDS [TAGS]
 *
 * DEPTH messages of EVENTS events each are under way on every connection, over
 * KEYS pairs of host and service in turn.  Prints, in one line: events/s, errors
 * answered, and the median and 99th percentile of the time to an answer in
 * microseconds (DEPTH 1 only, else 0).  Of several ports each gets a message in
 * turn, so that what else the machine does slows all of them alike: a line for each.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES	1000000
#define MOST	1024
#define PORTS	8

struct conn {
	int fd;
	unsigned port;			/* which of those given */
	unsigned under_way;
	size_t at;			/* in the messages, of the next byte to send */
	size_t next;			/* which message comes next */
	unsigned char head[4];
	unsigned head_len;
	uint32_t left;
	uint8_t ok[2];
	unsigned body;
	int64_t sent;			/* when */
};

static unsigned n_conns, depth, per_message, seconds, tags;
static size_t keys, n_messages;
static unsigned char *messages;
static size_t *starts;			/* of each message; one more for the end */
static uint64_t answered, errors;
static struct { uint64_t n; uint32_t *v; } samples[PORTS];

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static unsigned char *put_varint(unsigned char *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (unsigned char)(v | 0x80);
	*p++ = (unsigned char)v;
	return p;
}

static unsigned char *put_text(unsigned char *p, unsigned field, const char *s)
{
	size_t n = strlen(s);

	*p++ = (unsigned char)(field << 3 | 2);
	p = put_varint(p, n);
	return (unsigned char *)memcpy(p, s, n) + n;
}

static unsigned char *put_event(unsigned char *p, size_t key)
{
	unsigned char body[400], *e = body;
	double metric = (double)key * 0.25;
	float ttl = 60;
	char text[64];

	*e++ = 1 << 3;
	e = put_varint(e, (uint64_t)time(NULL));
	e = put_text(e, 2, "ok");
	snprintf(text, sizeof(text), "mesos/slave/check %zu", key % 10);
	e = put_text(e, 3, text);
	snprintf(text, sizeof(text), "agent%zu.example.com", key / 10);
	e = put_text(e, 4, text);
	for (unsigned i = 0; i < tags; i++) {
		snprintf(text, sizeof(text), "tag-%u", i);
		e = put_text(e, 7, text);
	}
	*e++ = 8 << 3 | 5;
	e = (unsigned char *)memcpy(e, &ttl, 4) + 4;
	*e++ = 14 << 3 | 1;
	e = (unsigned char *)memcpy(e, &metric, 8) + 8;
	*p++ = 6 << 3 | 2;
	p = put_varint(p, (uint64_t)(e - body));
	return (unsigned char *)memcpy(p, body, (size_t)(e - body)) + (e - body);
}

static int build(void)
{
	unsigned char *p;
	size_t key = 0;

	n_messages = (keys + per_message - 1) / per_message;
	n_messages = n_messages < depth ? depth : n_messages;
	messages = malloc(n_messages * (per_message * (120 + 10 * (size_t)tags) + 4));
	starts = malloc((n_messages + 1) * sizeof(*starts));
	if (messages == NULL || starts == NULL)
		return -1;
	p = messages;
	for (size_t i = 0; i < n_messages; i++) {
		unsigned char *head = p;
		uint32_t n;

		starts[i] = (size_t)(p - messages);
		p += 4;
		for (unsigned e = 0; e < per_message; e++)
			p = put_event(p, key++ % keys);
		n = htonl((uint32_t)(p - head - 4));
		memcpy(head, &n, 4);
	}
	starts[n_messages] = (size_t)(p - messages);
	return 0;
}

/* Send as many as may be under way, in as few calls as can be; a message begun is ended. */
static int push(struct conn *c)
{
	while (c->under_way < depth || c->at != starts[c->next]) {
		size_t last = c->next + (depth - c->under_way), end;
		ssize_t n;

		last = last > n_messages ? n_messages : last;
		end = starts[c->at != starts[c->next] && last == c->next ? last + 1 : last];
		n = send(c->fd, messages + c->at, end - c->at, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		c->at += (size_t)n;
		while (c->next < n_messages && c->at >= starts[c->next + 1]) {
			c->next++;
			c->under_way++;
		}
		if (c->next == n_messages)
			c->at = c->next = 0;
	}
	return 0;
}

static void frame_done(struct conn *c)
{
	if (c->body < 2 || c->ok[0] != 0x10 || c->ok[1] != 1)
		errors++;
	answered++;
	c->under_way--;
	c->head_len = c->body = 0;
	if (depth == 1 && samples[c->port].n < SAMPLES)
		samples[c->port].v[samples[c->port].n++] = (uint32_t)(now() - c->sent);
}

static void take(struct conn *c, const unsigned char *p, size_t n)
{
	while (n > 0) {
		if (c->head_len < 4) {
			c->head[c->head_len++] = *p++;
			n--;
			if (c->head_len == 4) {
				memcpy(&c->left, c->head, 4);
				c->left = ntohl(c->left);
			}
			if (c->head_len < 4 || c->left > 0)
				continue;
		} else {
			if (c->body < 2)
				c->ok[c->body] = *p;
			c->body++;
			c->left--;
			p++;
			n--;
		}
		if (c->left == 0)
			frame_done(c);
	}
}

/* Edge-triggered: to the end. */
static int pull(struct conn *c)
{
	static unsigned char in[64 * 1024];
	ssize_t n;

	while ((n = recv(c->fd, in, sizeof(in), MSG_DONTWAIT)) > 0) {
		take(c, in, (size_t)n);
		if ((size_t)n < sizeof(in))
			return 0;
	}
	return n == 0 || errno != EAGAIN ? -1 : 0;
}

static int open_conn(struct conn *c, int port, unsigned i)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int on = 1;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) != 0)
		return -1;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	c->next = n_messages * i / n_conns;
	c->at = starts[c->next];
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double percentile(unsigned port, double p)
{
	return samples[port].n == 0 ? 0 : samples[port].v[(size_t)((double)(samples[port].n - 1) * p)] / 1e3;
}

static void print(unsigned port, uint64_t n, int64_t took)
{
	qsort(samples[port].v, samples[port].n, sizeof(uint32_t), compare);
	printf("%.0f %llu %.1f %.1f\n", (double)n * per_message * 1e9 / (double)took,
	       (unsigned long long)errors, percentile(port, 0.5), percentile(port, 0.99));
}

static int run(struct conn *conns, int ep)
{
	int64_t begin = now(), end = begin + seconds * INT64_C(1000000000), t = begin;
	struct epoll_event ready[MOST];

	for (unsigned i = 0; i < n_conns; i++) {
		conns[i].sent = now();
		if (push(&conns[i]) != 0)
			return -1;
	}
	for (; t < end; t = now()) {
		int n = epoll_wait(ep, ready, MOST, 1000);

		for (int i = 0; i < n; i++) {
			struct conn *c = ready[i].data.ptr;

			if (pull(c) != 0)
				return -1;
			c->sent = depth == 1 ? now() : 0;
			if (push(c) != 0)
				return -1;
		}
	}
	print(0, answered, t - begin);
	return 0;
}

/* One message on one connection at a time. */
static int take_turns(struct conn *conns)
{
	int64_t begin = now(), end = begin + seconds * INT64_C(1000000000);

	while (now() < end)
		for (unsigned i = 0; i < n_conns; i++) {
			struct conn *c = &conns[i];

			c->sent = now();
			if (push(c) != 0)
				return -1;
			while (c->under_way != 0)
				if (poll(&(struct pollfd){ .fd = c->fd, .events = POLLIN }, 1, 1000) < 0 || pull(c) != 0)
					return -1;
		}
	for (unsigned i = 0; i < n_conns; i++)
		print(i, samples[i].n, now() - begin);
	return 0;
}

int main(int argc, char **argv)
{
	struct conn *conns;
	int ep = epoll_create1(EPOLL_CLOEXEC), ports[PORTS];
	unsigned n_ports = 0;

	if (argc < 7) {
		fprintf(stderr, "usage: load PORT[,PORT...] CONNECTIONS DEPTH EVENTS KEYS SECONDS [TAGS]\n");
		return 2;
	}
	for (char *p = strtok(argv[1], ","); p != NULL && n_ports < PORTS; p = strtok(NULL, ","))
		ports[n_ports++] = atoi(p);
	depth = (unsigned)atoi(argv[3]);
	n_conns = n_ports > 1 && depth == 1 ? n_ports : (unsigned)atoi(argv[2]);
	per_message = (unsigned)atoi(argv[4]);
	keys = (size_t)atoll(argv[5]);
	seconds = (unsigned)atoi(argv[6]);
	tags = argc > 7 ? (unsigned)atoi(argv[7]) % 10 : 0;
	if (n_ports < 1 || n_conns < 1 || depth < 1 || per_message < 1 || keys < 1)
		return 2;
	conns = calloc(n_conns, sizeof(*conns));
	for (unsigned i = 0; i < n_ports; i++)
		if ((samples[i].v = malloc(SAMPLES * sizeof(uint32_t))) == NULL)
			return 2;
	if (conns == NULL || build() != 0)
		return 2;
	for (unsigned i = 0; i < n_conns; i++) {
		struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &conns[i] };

		conns[i].port = i % n_ports;
		if (open_conn(&conns[i], ports[i % n_ports], i) != 0 ||
		    epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &e) != 0) {
			perror("load");
			return 1;
		}
	}
	if ((n_ports > 1 ? take_turns(conns) : run(conns, ep)) != 0) {
		perror("load");
		return 1;
	}
	free(conns);
	return 0;
}
