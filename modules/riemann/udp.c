/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp - a message a datagram, and no answer.
 *
 * Nothing holds back who sends too much, so the kernel drops what we are too
 * slow for: its buffer is made large, and what it drops is counted.
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "door.h"

#define BATCH	32u		/* datagrams of one system call */
#define BATCHES	8u		/* of a loop turn */

struct udp {
	struct sat_self *self;
	struct sat_log_limit *said;
	const char *host;
	int port, fd, rcvbuf;
	size_t limit;
	uv_poll_t *poll;	/* on its own, since it may outlive a start that failed */
	uint32_t dropped;	/* by the kernel, as it said last */
	void (*stopped)(void *arg);
	void *arg;
	struct mmsghdr heads[BATCH];
	struct iovec vecs[BATCH];
	char room[];		/* limit and a byte more of each: a message's end is written to */
};

/* true: the port of TCP; false: off; or a port. */
static int judge(const struct sat_conf *conf, int *port)
{
	const struct sat_conf *udp = sat_conf_get(conf, "udp");
	struct sat_value v = { .kind = SAT_NIL };

	*port = (int)sat_conf_integer(conf, "port");
	if (udp == NULL)
		return 0;
	v = sat_conf_value(udp);
	if (v.kind == SAT_INT && v.i >= 1 && v.i <= 65535)
		*port = (int)v.i;
	else if (v.kind == SAT_BOOL)
		*port = v.b ? *port : 0;
	else
		return sat_conf_error(conf, "udp", "is a port, or true or false");
	return 0;
}

int udp_create(struct sat_self *self, const struct sat_conf *conf, struct sat_log_limit *said,
	       struct udp **out)
{
	size_t limit = (size_t)sat_conf_integer(conf, "datagram-limit");
	struct udp *u;
	int port, rc = judge(conf, &port);

	if (rc != 0 || port == 0)
		return rc;
	u = calloc(1, sizeof(*u) + BATCH * (limit + 1));
	if (u == NULL)
		return -ENOMEM;
	u->self = self;
	u->said = said;
	u->host = sat_conf_string(conf, "host");
	u->port = port;
	u->fd = -1;
	u->rcvbuf = (int)sat_conf_integer(conf, "so-rcvbuf");
	u->limit = limit;
	for (unsigned i = 0; i < BATCH; i++) {
		u->vecs[i] = (struct iovec){ u->room + i * (limit + 1), limit };
		u->heads[i].msg_hdr.msg_iov = &u->vecs[i];
		u->heads[i].msg_hdr.msg_iovlen = 1;
	}
	*out = u;
	return 0;
}

/* What the kernel dropped since the socket was made, by whomever it was read. */
static uint32_t dropped(const struct udp *u)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(u->fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0)
		return u->dropped;	/* before Linux 4.12 it does not say */
	return info[SK_MEMINFO_DROPS];
}

/* The kernel doubles what it is asked for, and keeps half of it for itself. */
static void widen(struct udp *u)
{
	socklen_t len = sizeof(int);
	int got = 0;

	if (setsockopt(u->fd, SOL_SOCKET, SO_RCVBUFFORCE, &u->rcvbuf, sizeof(u->rcvbuf)) != 0)
		setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &u->rcvbuf, sizeof(u->rcvbuf));
	if (getsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &got, &len) == 0 && got / 2 < u->rcvbuf)
		sat_log(u->self, LOG_NOTICE, "UDP buffer of %d bytes, not %d: see sysctl net.core.rmem_max",
			got / 2, u->rcvbuf);
}

int udp_open(struct udp *u)
{
	int rc = u != NULL ? sat_listen(u->self, u->host, u->port, SOCK_DGRAM, &u->fd) : 0;

	if (u == NULL || rc != 0)
		return rc;
	widen(u);
	u->dropped = dropped(u);
	return 0;
}

static void take(struct udp *u, char *msg, size_t n)
{
	int rc;

	sat_count(u->self, BYTES, (int64_t)n);
	if (n > u->limit) {
		sat_count(u->self, TOO_LARGE, 1);
		log_limited(u->self, u->said, "datagram of %zu bytes, over datagram-limit = %zu", n, u->limit);
		return;
	}
	rc = sat_message(u->self, msg, n, 0, NULL, NULL, NULL);
	if (rc == -EBADMSG)
		sat_count(u->self, MALFORMED, 1);
	if (rc != 0)
		log_limited(u->self, u->said, "datagram of %zu bytes: %s", n,
			    rc == -EBADMSG ? "malformed message" : strerror(-rc));
}

static void heard(uv_poll_t *poll, int status, int events)
{
	struct udp *u = poll->data;
	int n = (int)BATCH;

	(void)status;
	(void)events;
	for (unsigned i = 0; i < BATCHES && n == (int)BATCH; i++) {
		n = recvmmsg(u->fd, u->heads, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
		for (int k = 0; k < n; k++)
			take(u, u->vecs[k].iov_base, u->heads[k].msg_len);
		if (n > 0)
			sat_count(u->self, DATAGRAMS, n);
	}
}

int udp_start(struct udp *u)
{
	uv_poll_t *poll = u != NULL ? malloc(sizeof(*poll)) : NULL;
	int rc = poll != NULL ? uv_poll_init(sat_loop(u->self), poll, u->fd) : -ENOMEM;

	if (u == NULL)
		return 0;
	if (rc != 0) {
		free(poll);
		return rc;
	}
	u->poll = poll;
	poll->data = u;
	uv_poll_start(poll, UV_READABLE, heard);
	sat_log(u->self, LOG_INFO, "listening on %s port %d (UDP)", u->host, u->port);
	return 0;
}

static void freed(uv_handle_t *h)
{
	free(h);
}

void udp_unstart(struct udp *u)
{
	if (u == NULL)
		return;
	uv_poll_stop(u->poll);
	uv_close((uv_handle_t *)u->poll, freed);
	u->poll = NULL;
}

void udp_tick(struct udp *u)
{
	uint32_t now, more;

	if (u == NULL)
		return;
	now = dropped(u);
	more = now - u->dropped;
	u->dropped = now;
	if (more == 0)
		return;
	sat_count(u->self, UDP_DROPPED, more);
	log_limited(u->self, u->said, "the kernel dropped %u datagrams: they come faster than they are read", more);
}

static void closed(uv_handle_t *h)
{
	struct udp *u = h->data;

	free(h);
	close(u->fd);
	u->fd = -1;
	u->stopped(u->arg);
}

/* What the kernel has by now is run, too. */
void udp_stop(struct udp *u, void (*stopped)(void *arg), void *arg)
{
	if (u == NULL) {
		stopped(arg);
		return;
	}
	heard(u->poll, 0, UV_READABLE);
	udp_tick(u);
	u->stopped = stopped;
	u->arg = arg;
	uv_close((uv_handle_t *)u->poll, closed);
}

void udp_free(struct udp *u)
{
	if (u != NULL && u->fd >= 0)
		close(u->fd);
	free(u);
}
