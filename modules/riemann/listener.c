/* SPDX-License-Identifier: Apache-2.0 */
/* listener - where connections are accepted: some of them a loop turn, and none while there are no files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"

#define ACCEPT_MOST	64			/* a loop turn */
#define ACCEPT_TLS	8			/* a handshake is a millisecond of work */

/* Out of files, the kernel would report the waiting connection for ever. */
static void knock(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;
	struct door *d = l->door;
	int fd, most = l->tls ? ACCEPT_TLS : ACCEPT_MOST;

	(void)status;
	(void)events;
	for (int i = 0; i < most; i++) {
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			conn_open(d, fd, l->tls);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_some(d, "no connection accepted for a second: %s", strerror(errno));
			sat_count(d->self, REFUSED, 1);
			uv_poll_stop(poll);
			l->paused = true;
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

int listener_start(struct listener *l)
{
	struct door *d = l->door;
	int rc;

	l->poll = malloc(sizeof(*l->poll));
	rc = l->poll != NULL ? uv_poll_init(sat_loop(d->self), l->poll, l->fd) : -ENOMEM;
	if (rc != 0) {
		free(l->poll);
		return rc;
	}
	l->poll->data = l;
	listen(l->fd, d->backlog);
	uv_poll_start(l->poll, UV_READABLE, knock);
	sat_log(d->self, LOG_INFO, "listening on %s port %d%s", l->host, l->port, !l->tls ? "" :
		d->tls->verify ? " (TLS, clients need a certificate)" : " (TLS)");
	return 0;
}

static void poll_closed(uv_handle_t *h)
{
	free(h);
}

void listener_unstart(struct listener *l)
{
	uv_close((uv_handle_t *)l->poll, poll_closed);
}

void listener_tick(struct listener *l)
{
	if (l->paused)
		l->paused = uv_poll_start(l->poll, UV_READABLE, knock) != 0;
}

static void listener_closed(uv_handle_t *h)
{
	struct listener *l = h->data;

	free(h);
	close(l->fd);
	l->fd = -1;
	door_let_go(l->door);
}

void listener_stop(struct listener *l)
{
	uv_close((uv_handle_t *)l->poll, listener_closed);
}
