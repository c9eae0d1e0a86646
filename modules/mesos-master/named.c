/* SPDX-License-Identifier: Apache-2.0 */
/*
 * named - whom Mesos' ZooKeeper names: the master that leads, and is observed.
 *
 * leader-zookeeper tells it each second.  That word outweighs `master/elected`:
 * it is the election itself, and the masters learn of it no sooner than we do.
 * When it is out, the figures of the one that is observed say whether it leads.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mesos.h"

#define FRESH	(3 * SAT_SECOND)

enum { URL_BYTES = 320 };

struct named {
	bool rules, known, ok;
	bool local;			/* the one that is observed is this host's */
	int64_t until, heard;
	char urls[2][URL_BYTES];	/* in turn: the old one is still looked at while another is taken */
	unsigned at;
	char why[512];
};

bool named_rules(const struct mesos *m)
{
	return m->named != NULL && m->named->rules && sat_clock() < m->named->until;
}

bool named_is_local(const struct mesos *m)
{
	return m->named->local;
}

static void say(struct mesos *m)
{
	struct named *n = m->named;
	struct sat_value age = { .kind = SAT_DOUBLE, .d = (double)(sat_clock() - n->heard) / SAT_SECOND };

	if (n->known)
		mesos_say(m, "mesos/endpoint/zookeeper", &age, n->ok ? "ok" : "critical", n->why);
}

void named_turn(struct mesos *m)
{
	if (m->named != NULL)
		say(m);
}

/* ---- Which one is here -------------------------------------------------- */

static bool has_address(const struct sockaddr *sa, const char *ip)
{
	char text[INET6_ADDRSTRLEN];
	const void *at = sa == NULL ? NULL :
			 sa->sa_family == AF_INET ? (const void *)&((const struct sockaddr_in *)sa)->sin_addr :
			 sa->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)sa)->sin6_addr : NULL;

	return at != NULL && inet_ntop(sa->sa_family, at, text, sizeof(text)) != NULL && strcmp(text, ip) == 0;
}

static bool is_ours(const char *ip)
{
	struct ifaddrs *all, *a;
	bool found = false;

	if (ip[0] == '\0' || getifaddrs(&all) != 0)
		return false;
	for (a = all; a != NULL; a = a->ifa_next)
		found |= has_address(a->ifa_addr, ip);
	freeifaddrs(all);
	return found;
}

static int port_of(const char *url)
{
	const char *host = strstr(url, "://") + 3, *colon;

	host += host[0] == '[' ? strcspn(host, "]") : 0;
	colon = strchr(host, ':');
	return colon != NULL ? atoi(colon + 1) : strncmp(url, "https", 5) == 0 ? 443 : 80;
}

/* As the settings have it of the one that is here, or hint at. */
static bool is_https(const struct mesos *m)
{
	return m->local != NULL ? strncmp(m->local, "https:", 6) == 0 : m->how.ca != NULL || m->how.cert != NULL;
}

static void write_url(char *url, const struct mesos *m, const char *host, const char *port)
{
	bool six = strchr(host, ':') != NULL;

	snprintf(url, URL_BYTES, "%s://%s%s%s:%s", is_https(m) ? "https" : "http", six ? "[" : "", host,
		 six ? "]" : "", port);
}

/* Its URL is that of `url`, by name or address; or it is on this machine, on the port of `url`. */
static bool is_here(const struct mesos *m, const char *name, const char *ip, const char *port)
{
	char url[URL_BYTES];

	if (m->local != NULL) {
		write_url(url, m, name, port);
		if (name[0] != '\0' && strcasecmp(url, m->local) == 0)
			return true;
		write_url(url, m, ip, port);
		if (strcmp(url, m->local) == 0)
			return true;
		if (port_of(m->local) != atoi(port))
			return false;
	}
	return strcasecmp(name, sat_host()) == 0 || is_ours(ip);
}

/* ---- Whom it names ------------------------------------------------------ */

/* A certificate is for a name; without one an address needs no resolver. */
static void take(struct mesos *m, const struct sat_event *ev)
{
	struct named *n = m->named;
	const char *name = ev->host != NULL ? ev->host : "", *ip = sat_attr(ev, "ip"), *port = sat_attr(ev, "port");
	char *url = n->urls[n->at ^ 1];

	if (ip == NULL || port == NULL)
		return;
	write_url(url, m, (is_https(m) || ip[0] == '\0') && name[0] != '\0' ? name : ip, port);
	if (strcmp(url, m->url) == 0) {
		if (m->snapshot.trouble != -ECONNREFUSED)	/* nobody is there to lead, whose node goes soon */
			mesos_hear(m, true);
		return;
	}
	n->at ^= 1;
	n->local = is_here(m, name, ip, port);
	leader_take(m, url);
}

static void hear(void *state, const char *topic, const struct sat_item *item)
{
	struct mesos *m = state;
	struct named *n = m->named;
	const struct sat_event *ev = item->n == 1 ? item->evs[0] : NULL;
	bool leads, news;

	(void)topic;
	if (ev == NULL || ev->state == NULL || ev->description == NULL || m->stopping)
		return;
	leads = strcmp(ev->state, "leads") == 0;
	news = !n->known || strcmp(n->why, ev->description) != 0;
	n->known = true;
	n->ok = leads;
	n->rules = leads || strcmp(ev->state, "nobody") == 0;
	snprintf(n->why, sizeof(n->why), "%s", ev->description);
	if (n->rules) {
		n->heard = sat_clock();
		n->until = n->heard + FRESH;
	}
	if (leads)
		take(m, ev);
	else if (n->rules)
		mesos_hear(m, false);
	if (news)
		say(m);
}

/* ---- Life --------------------------------------------------------------- */

/* Until it has named another, the master of `url` is observed, which is the one here. */
int named_init(struct mesos *m)
{
	m->named = calloc(1, sizeof(*m->named));
	if (m->named == NULL)
		return -ENOMEM;
	m->named->local = true;
	return 0;
}

int named_start(struct mesos *m)
{
	if (m->named == NULL)
		return 0;
	m->named->heard = sat_clock();
	return sat_subscribe(m->self, "mesos/elected", hear);
}

void named_free(struct mesos *m)
{
	free(m->named);
}
