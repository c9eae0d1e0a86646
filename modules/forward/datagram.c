/* SPDX-License-Identifier: Apache-2.0 */
/*
 * datagram - events to a master that hears UDP, and says nothing.
 *
 * What has been sent is gone: at most once.  Where the kernel of the other side
 * says that nobody listens, events wait; and since it says so only once
 * something was sent, a message without events goes first.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "peer.h"

#define USUAL	1400u			/* bytes of a datagram, so that none is cut on its way */
#define MOST	16384u			/* of one with a single event: what Riemanns take */
#define IN_ONE	256u			/* events */
#define REFUSAL	(200 * SAT_MS)		/* for it to come back */
#define SETTLED	(5 * SAT_SECOND)	/* of silence: it seems to listen */
#define STALE	(60 * SAT_SECOND)	/* then its name is looked up again */
#define BUSY	(10 * SAT_MS)		/* the kernel's buffer is full: not before this */

void datagram_open(struct peer *p)
{
	const struct sockaddr *addr = (const struct sockaddr *)&p->addrs[p->next_addr++];
	bool v6 = addr->sa_family == AF_INET6;
	socklen_t len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	p->fd = socket(addr->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	p->state = SHAKING;
	if (p->fd >= 0 && connect(p->fd, addr, len) == 0 && send(p->fd, "\x10\x01", 2, MSG_NOSIGNAL) == 2)
		peer_alarm(p, REFUSAL);
	else if (p->next_addr < p->n_addrs)
		peer_leave(p, NEXT_ADDRESS);
	else
		peer_lose(p, strerror(errno));
}

void datagram_shaken(struct peer *p)
{
	socklen_t len = sizeof(int);
	int rc = 0;

	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &rc, &len) != 0)
		rc = errno;
	if (rc == 0) {
		p->up_since = sat_clock();
		connect_up(p);
		if (p->state == UP)
			peer_alarm(p, STALE);
	} else if (p->next_addr < p->n_addrs) {
		peer_leave(p, NEXT_ADDRESS);
	} else {
		peer_lose(p, strerror(rc));
	}
}

void datagram_close(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

static void too_long(struct peer *p, const struct parcel *parcel)
{
	if (sat_log_allowed(p->sender->self, &p->too_long, 1, 60 * SAT_SECOND))
		sat_log(p->sender->self, LOG_WARNING, "%s: an event of %u bytes fits no datagram, %u at most", p->name,
			parcel->len, MOST);
	peer_drop(p, queue_ack(&p->queue));
}

static void sent(struct peer *p, size_t n)
{
	sat_count(p->sender->self, COUNT_SENT, (int64_t)n);
	sat_count(p->sender->self, COUNT_UNANSWERED, (int64_t)queue_ack(&p->queue));
	if (!p->answers && sat_clock() - p->up_since >= SETTLED)
		peer_took(p);
}

static ssize_t write_all(int fd, struct parcel *const *parcels, size_t n)
{
	struct iovec parts[IN_ONE];
	struct msghdr head = { .msg_iov = parts, .msg_iovlen = n };

	for (size_t i = 0; i < n; i++)
		parts[i] = (struct iovec){ parcels[i]->bytes, parcels[i]->len };
	return sendmsg(fd, &head, MSG_NOSIGNAL);
}

bool datagram_send(struct peer *p)
{
	size_t batch = p->sender->how.batch, n, expired;
	const struct most most = { batch < IN_ONE ? batch : IN_ONE, USUAL };
	struct parcel *parcels[IN_ONE];

	n = queue_take(&p->queue, parcels, &most, sat_clock(), &expired);
	sat_count(p->sender->self, COUNT_EXPIRED, (int64_t)expired);
	if (n == 0)
		return true;
	if (parcels[0]->len > MOST) {
		too_long(p, parcels[0]);
		return true;
	}
	if (write_all(p->fd, parcels, n) >= 0) {
		sent(p, n);
		return true;
	}
	queue_untake(&p->queue);
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM || errno == EINTR)
		send_later(p, BUSY);
	else
		peer_lose(p, strerror(errno));
	return false;
}
