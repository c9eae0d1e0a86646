/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admit - what a new host must show before a person may add it: a legal name that matches
 * the operator's pattern, an address, and, if so configured, an answer at one of its addresses.
 *
 * A refused connection is an answer: it says that the host is there, and no more is asked.
 */
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "whitelist.h"

enum { ADMITS_MAX = 64, ATTEMPTS_MAX = 8 };
#define LOOKUP_TIME	(5 * SAT_SECOND)

struct attempt {			/* to connect to one port of one address */
	struct admit *admit;
	uv_tcp_t tcp;
	uv_connect_t connect;
	char where[INET6_ADDRSTRLEN + IF_NAMESIZE + 16];
	int rc;
	bool waiting;
};

struct admit {
	struct admit *next;
	struct whitelist *wl;
	struct order *order;		/* NULL: answered already */
	struct sat_alarm alarm;
	uv_getaddrinfo_t lookup;
	bool looking;
	unsigned n, n_waiting, n_open;
	struct attempt attempts[ATTEMPTS_MAX];
};

static void admit_free(struct admit *a)
{
	struct admit **at = &a->wl->admits;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	a->wl->n_admits--;
	sat_alarm_stop(&a->alarm);
	whitelist_idle(a->wl);
	free(a);
}

/* ---- Its end ------------------------------------------------------------ */

static void closed(uv_handle_t *handle)
{
	struct admit *a = ((struct attempt *)handle->data)->admit;

	if (--a->n_open == 0)
		admit_free(a);
}

/* Take the order, to be answered; what is still under way ends, then frees it. */
static struct order *finish(struct admit *a)
{
	struct order *o = a->order;

	a->order = NULL;
	sat_alarm_stop(&a->alarm);
	if (a->looking)
		uv_cancel((uv_req_t *)&a->lookup);
	for (unsigned i = 0; i < a->n_open; i++)
		uv_close((uv_handle_t *)&a->attempts[i].tcp, closed);
	return o;
}

static bool our_own_fault(int rc)
{
	return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM || rc == -ENOBUFS;
}

static void refuse(struct admit *a)
{
	char text[1024] = "it has no address";
	size_t n = 0;
	int status = 400;
	struct order *o;

	for (unsigned i = 0; i < a->n; i++) {
		const struct attempt *t = &a->attempts[i];

		if (our_own_fault(t->rc))
			status = 503;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s: %s", i == 0 ? "" : "; ", t->where,
				      t->waiting ? "no answer in time" : strerror(-t->rc));
		n = n < sizeof(text) ? n : sizeof(text) - 1;
	}
	o = finish(a);
	order_refuse(o, status, "not reachable: %s", text);
}

static void too_late(struct sat_alarm *alarm)
{
	struct admit *a = SAT_OWNER(alarm, struct admit, alarm);

	if (a->looking)
		order_refuse(finish(a), 503, "no answer from the name service");
	else
		refuse(a);
}

/* ---- Reaching ----------------------------------------------------------- */

static void connected(uv_connect_t *req, int status)
{
	struct attempt *t = req->data;
	struct admit *a = t->admit;
	struct whitelist *wl = a->wl;

	if (a->order == NULL)
		return;
	t->waiting = false;
	t->rc = status;
	a->n_waiting--;
	if (status == 0 || status == -ECONNREFUSED)
		commit_order(wl, finish(a));
	else if (a->n_waiting == 0)
		refuse(a);
}

static void where_print(struct attempt *t, const struct sockaddr *addr, int port)
{
	char name[INET6_ADDRSTRLEN + IF_NAMESIZE] = "?";

	uv_ip_name(addr, name, sizeof(name));
	snprintf(t->where, sizeof(t->where), "%s port %d", name, port);
}

static void attempt(struct admit *a, const struct addrinfo *to, int port)
{
	struct attempt *t = &a->attempts[a->n];
	struct sockaddr_storage addr = { 0 };

	if (to->ai_addrlen > sizeof(addr) || (to->ai_family != AF_INET && to->ai_family != AF_INET6))
		return;
	memcpy(&addr, to->ai_addr, to->ai_addrlen);
	if (to->ai_family == AF_INET)
		((struct sockaddr_in *)&addr)->sin_port = htons((uint16_t)port);
	else
		((struct sockaddr_in6 *)&addr)->sin6_port = htons((uint16_t)port);
	where_print(t, (struct sockaddr *)&addr, port);
	t->admit = a;
	uv_tcp_init(sat_loop(a->wl->self), &t->tcp);
	t->tcp.data = t->connect.data = t;
	a->n++;
	a->n_open++;
	t->rc = uv_tcp_connect(&t->connect, &t->tcp, (struct sockaddr *)&addr, connected);
	t->waiting = t->rc == 0;
	a->n_waiting += t->waiting;
}

/* All at once, since one that does not answer must not use up the time of the next. */
static void reach(struct admit *a, const struct addrinfo *list)
{
	struct whitelist *wl = a->wl;

	for (; list != NULL; list = list->ai_next)
		for (unsigned i = 0; i < wl->n_ports && a->n < ATTEMPTS_MAX; i++)
			attempt(a, list, wl->ports[i]);
	if (a->n_waiting == 0)
		refuse(a);
	else if (sat_alarm_set(wl->self, &a->alarm, sat_clock() + wl->reach_time) != 0)
		order_refuse(finish(a), 503, "%s", strerror(ENOMEM));
}

/* ---- Looking up --------------------------------------------------------- */

static void found(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct admit *a = req->data;

	a->looking = false;
	if (a->order != NULL && status != 0)
		order_refuse(finish(a), 400, "no address: %s", uv_strerror(status));
	else if (a->order != NULL && a->wl->n_ports > 0)
		reach(a, list);
	else if (a->order != NULL)
		commit_order(a->wl, finish(a));
	uv_freeaddrinfo(list);
	if (a->n_open == 0)
		admit_free(a);
}

/* Not through sat_work(): an instance's jobs queue up behind one another, and
 * the file must not wait for a name service. */
static void look_up(struct whitelist *wl, struct order *o)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct admit *a = wl->n_admits < ADMITS_MAX ? calloc(1, sizeof(*a)) : NULL;
	int rc;

	if (a == NULL) {
		order_refuse(o, 503, "too many new hosts are being looked up");
		return;
	}
	*a = (struct admit){ .next = wl->admits, .wl = wl, .order = o, .alarm.fire = too_late, .lookup.data = a };
	wl->admits = a;
	wl->n_admits++;
	rc = sat_alarm_set(wl->self, &a->alarm, sat_clock() + LOOKUP_TIME);
	if (rc == 0)
		rc = uv_getaddrinfo(sat_loop(wl->self), &a->lookup, found, o->host, NULL, &hints);
	a->looking = rc == 0;
	if (rc == 0)
		return;
	order_refuse(finish(a), rc == -ENOMEM ? 503 : 400, "no address: %s", strerror(-rc));
	admit_free(a);
}

void admit(struct whitelist *wl, struct order *o)
{
	if (!name_legal(o->host))
		order_refuse(o, 400, "not a legal name for a host");
	else if (wl->host_pattern != NULL && !name_like(wl->host_pattern, o->host))
		order_refuse(o, 400, "does not match \"%s\"", wl->host_pattern);
	else if (wl->resolve || wl->n_ports > 0)
		look_up(wl, o);
	else
		commit_order(wl, o);
}

void admit_stop(struct whitelist *wl)
{
	for (struct admit *a = wl->admits; a != NULL; a = a->next)
		if (a->order != NULL)
			order_refuse(finish(a), 503, "the whitelist stops");
}

/* ---- Settings ----------------------------------------------------------- */

static int port_judge(struct whitelist *wl, const struct sat_conf *conf)
{
	struct sat_value v = sat_conf_value(conf);

	if (v.kind != SAT_INT || v.i < 1 || v.i > 65535)
		return sat_conf_error(conf, NULL, "is not a port from 1 to 65535");
	if (wl->n_ports == PORTS_MAX)
		return sat_conf_error(conf, NULL, "is one port too many: up to %d", PORTS_MAX);
	wl->ports[wl->n_ports++] = (int)v.i;
	return 0;
}

int admit_judge(struct whitelist *wl, const struct sat_conf *conf)
{
	const struct sat_conf *ports = sat_conf_get(conf, "reachable");
	int rc = 0;

	wl->resolve = sat_conf_boolean(conf, "resolve");
	wl->reach_time = sat_conf_time(conf, "reach-timeout");
	if (ports != NULL && !sat_conf_is_list(ports))
		return port_judge(wl, ports);
	for (size_t i = 0; ports != NULL && i < sat_conf_count(ports); i++) {
		int one = port_judge(wl, sat_conf_at(ports, i));

		rc = rc != 0 ? rc : one;
	}
	return rc;
}
