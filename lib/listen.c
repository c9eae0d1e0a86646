/* SPDX-License-Identifier: Apache-2.0 */
/* listen - listening sockets that outlive the instance which uses them. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"
#include "log.h"

#define MAX_SOCKETS 1024

struct claim { struct claim *next; const struct sat_self *by; };

struct listener {
	struct listener *next;
	struct sockaddr_storage addr;	/* as asked for */
	socklen_t len;
	int type, fd;
	struct claim *claims;
};

static struct listener *listeners;
static unsigned n_listeners;

unsigned listen_count(void)
{
	return n_listeners;
}

/* Numbers first: a name may take a while, but is allowed. */
static int resolve(const char *host, int port, int type, struct sockaddr_storage *addr, socklen_t *len)
{
	struct addrinfo hints = { .ai_socktype = type, .ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST };
	struct addrinfo *found = NULL;
	char service[16];
	int rc;

	if (host != NULL && (*host == '\0' || strcmp(host, "*") == 0))
		host = NULL;
	snprintf(service, sizeof(service), "%d", port);
	rc = getaddrinfo(host, service, &hints, &found);
	if (rc == EAI_NONAME) {
		hints.ai_flags &= ~AI_NUMERICHOST;
		rc = getaddrinfo(host, service, &hints, &found);
	}
	if (rc != 0)
		return rc == EAI_MEMORY ? -ENOMEM : rc == EAI_SYSTEM ? -errno : -EADDRNOTAVAIL;
	memset(addr, 0, sizeof(*addr));
	memcpy(addr, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int share(int fd, int on)
{
	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

/*
 * SO_REUSEADDR lets TCP bind over connections in TIME_WAIT.  UDP must go
 * without, or a second program would take the port, too, and half of what comes.
 */
static int bind_new(const struct sockaddr_storage *addr, socklen_t len, int type, bool shared)
{
	int fd = socket(addr->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, rc = 0;

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM)
		rc = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (rc == 0 && shared)
		rc = share(fd, true);
	if (rc == 0)
		rc = bind(fd, (const struct sockaddr *)addr, len);
	if (rc == 0 && type == SOCK_STREAM)
		rc = listen(fd, SOMAXCONN);
	if (rc == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static in_port_t port_of(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)addr)->sin6_port :
		((const struct sockaddr_in *)addr)->sin_port;
}

/* The sockets of this port, at other addresses: how many. */
static unsigned share_port(in_port_t port, int type, int on)
{
	unsigned n = 0;

	for (struct listener *l = listeners; l != NULL; l = l->next)
		if (l->type == type && port_of(&l->addr) == port && share(l->fd, on) == 0)
			n++;
	return n;
}

/*
 * Where a reload moves a door between one address and all of them, its own old socket is
 * in the way until the new one stands.  So for this moment, and for us alone, they share.
 */
static int bind_beside(const struct sockaddr_storage *addr, socklen_t len, int type)
{
	in_port_t port = port_of(addr);
	int fd = bind_new(addr, len, type, false);

	if (fd != -EADDRINUSE || share_port(port, type, true) == 0)
		return fd;
	fd = bind_new(addr, len, type, true);
	share_port(port, type, false);
	if (fd >= 0)
		share(fd, false);
	return fd;
}

static struct listener *find(const struct sockaddr_storage *addr, socklen_t len, int type)
{
	for (struct listener *l = listeners; l != NULL; l = l->next)
		if (l->type == type && l->len == len && memcmp(&l->addr, addr, len) == 0)
			return l;
	return NULL;
}

static void drop(struct listener *l)
{
	struct listener **at = &listeners;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	n_listeners--;
	close(l->fd);
	free(l);
}

static struct listener *create(const struct sockaddr_storage *addr, socklen_t len, int type, int *rc)
{
	struct listener *l = calloc(1, sizeof(*l));

	*rc = l == NULL ? -ENOMEM : n_listeners == MAX_SOCKETS ? -EMFILE : bind_beside(addr, len, type);
	if (*rc < 0) {
		free(l);
		return NULL;
	}
	*l = (struct listener){ .next = listeners, .addr = *addr, .len = len, .type = type, .fd = *rc };
	listeners = l;
	n_listeners++;
	*rc = 0;
	return l;
}

int sat_listen(struct sat_self *self, const char *host, int port, int socktype, int *fd)
{
	struct sockaddr_storage addr;
	struct claim *claim;
	struct listener *l;
	socklen_t len = 0;
	int rc = resolve(host, port, socktype, &addr, &len);

	if (rc != 0)
		goto report;
	claim = malloc(sizeof(*claim));
	l = claim != NULL ? find(&addr, len, socktype) : NULL;
	if (claim == NULL)
		rc = -ENOMEM;
	else if (l == NULL)
		l = create(&addr, len, socktype, &rc);
	if (rc != 0)
		goto fail;
	*fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
	if (*fd < 0) {
		rc = -errno;
		if (l->claims == NULL)
			drop(l);
		goto fail;
	}
	*claim = (struct claim){ .next = l->claims, .by = self };
	l->claims = claim;
	return 0;
fail:
	free(claim);
report:
	log_line(LOG_ERR, self->name, "%s port %d (%s): %s", host != NULL && *host != '\0' ? host : "*", port,
		 socktype == SOCK_STREAM ? "TCP" : "UDP", strerror(-rc));
	return rc;
}

void listen_release(struct sat_self *self)
{
	struct listener *l = listeners, *next;

	for (; l != NULL; l = next) {
		next = l->next;
		for (struct claim **at = &l->claims; *at != NULL;) {
			struct claim *claim = *at;

			if (claim->by != self) {
				at = &claim->next;
				continue;
			}
			*at = claim->next;
			free(claim);
		}
		if (l->claims == NULL)
			drop(l);
	}
}

static const struct claim *next_claim(const struct claim *c, bool (*stays)(void *arg, const struct sat_self *self),
				      void *arg)
{
	while (c != NULL && !stays(arg, c->by))
		c = c->next;
	return c;
}

int listen_check(bool (*stays)(void *arg, const struct sat_self *self), void *arg)
{
	int rc = 0;

	for (const struct listener *l = listeners; l != NULL; l = l->next) {
		const struct claim *a = next_claim(l->claims, stays, arg);
		const struct claim *b = a != NULL ? next_claim(a->next, stays, arg) : NULL;

		if (b == NULL)
			continue;
		log_line(LOG_ERR, a->by->name, "port %d (%s): Address already in use, by %s",
			 ntohs(port_of(&l->addr)), l->type == SOCK_STREAM ? "TCP" : "UDP", b->by->name);
		rc = -EADDRINUSE;
	}
	return rc;
}
