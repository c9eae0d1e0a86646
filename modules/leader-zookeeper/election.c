/* SPDX-License-Identifier: Apache-2.0 */
/*
 * election - whom the nodes of Mesos' masters name.
 *
 * Each master that stands for election has an ephemeral node, json.info_NUMBER
 * or, before 0.24, info_NUMBER; the lowest number leads, whatever it is called,
 * since both kinds stand side by side while Mesos is upgraded.  The nodes are
 * watched, and asked for each second besides: a watch alone would not say that
 * the servers still answer.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "leader.h"

#define EACH		SAT_SECOND
#define LATE		(2 * SAT_SECOND)	/* an answer of then says nothing of now */
#define SILENCE		(2 * SAT_SECOND)	/* of the servers: then it is not known who leads */

int64_t leader_boot(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * SAT_SECOND + ts.tv_nsec / 1000;
}

/* ---- What is told ------------------------------------------------------- */

/* Not retained: who hears it is to act on it, and a second is soon enough. */
static void publish(struct leader *l)
{
	static const char *const words[] = { "unknown", "nobody", "leads" };
	char port[16];
	struct sat_attr attrs[] = { { "ip", l->info.ip }, { "port", port } };
	struct sat_event ev = {
		.size = sizeof(ev), .service = "mesos/elected", .state = words[l->stand], .description = l->why,
	};
	const struct sat_event *evs[] = { &ev };

	if (l->stand == STAND_LEADS) {
		snprintf(port, sizeof(port), "%d", l->info.port);
		ev.host = l->info.hostname;
		ev.attrs = attrs;
		ev.n_attrs = 2;
	}
	if (!l->stopping)
		sat_publish(l->self, ev.service, &(struct sat_item){ .evs = evs, .n = 1 }, false);
}

static void tell(struct leader *l, enum stand stand, const char *fmt, ...) SAT_PRINTF(3);
static void tell(struct leader *l, enum stand stand, const char *fmt, ...)
{
	char why[sizeof(l->why)];
	va_list ap;
	bool news;
	int n = snprintf(why, sizeof(why), "%s%s: ", l->hosts, l->path);

	va_start(ap, fmt);
	if (n > 0 && (size_t)n < sizeof(why))
		vsnprintf(why + n, sizeof(why) - (size_t)n, fmt, ap);
	va_end(ap);
	news = !l->told || strcmp(why, l->why) != 0;
	memcpy(l->why, why, sizeof(why));
	l->stand = stand;
	l->told = true;
	if (stand != STAND_UNKNOWN) {
		l->heard = leader_boot();
		sat_gauge(l->self, GAUGE_SUCCESS, sat_wall() / SAT_SECOND);
	}
	if (news) {
		sat_log(l->self, stand == STAND_LEADS ? LOG_NOTICE : LOG_WARNING, "%s", l->why);
		sat_count(l->self, COUNT_CHANGES, 1);
	}
	publish(l);
}

/* ---- The nodes ---------------------------------------------------------- */

/* Whether it is the node of a master, and which number it bears: ZooKeeper's begin anew below zero. */
static bool number_of(const char *name, long *number)
{
	const char *p = strncmp(name, "json.info_", 10) == 0 ? name + 10 :
			strncmp(name, "info_", 5) == 0 ? name + 5 : NULL;
	char *end;

	if (p == NULL || (p[0] != '-' && (p[0] < '0' || p[0] > '9')) || strlen(p) > 11)
		return false;
	*number = strtol(p, &end, 10);
	return *end == '\0';
}

static const char *lowest(const char *bytes, size_t len)
{
	const char *name, *found = NULL;
	long number, least = 0;

	for (name = bytes; name < bytes + len; name += strlen(name) + 1) {
		if (!number_of(name, &number) || (found != NULL && number >= least))
			continue;
		found = name;
		least = number;
	}
	return found;
}

static void fail(struct leader *l, int rc, const char *what)
{
	if (rc == -EACCES)
		tell(l, STAND_UNKNOWN, "%s may not be read: it wants another user and password", what);
	else if (rc == -ENOMEM)
		tell(l, STAND_UNKNOWN, "%s", strerror(ENOMEM));
	/* Else the connection was lost: that is told when it lasts. */
}

static void came_names(struct leader *l, int rc, const char *bytes, size_t len)
{
	const char *name = rc == 0 ? lowest(bytes, len) : NULL;

	if (rc == -ENOENT) {
		tell(l, STAND_NOBODY, "there is no such node: no Mesos master has ever stood for election there");
	} else if (rc != 0) {
		fail(l, rc, l->path);
	} else if (name == NULL) {
		tell(l, STAND_NOBODY, "no Mesos master stands for election");
	} else {
		snprintf(l->node, sizeof(l->node), "%s", name);
		if (session_node(l, l->node) == 0)
			l->asked = ASKED_NODE;
	}
}

static void came_node(struct leader *l, int rc, const char *bytes, size_t len)
{
	struct info info = { .port = 0 };
	bool json = l->node[0] == 'j';

	if (rc == -ENOENT) {	/* gone since */
		l->again = true;
		return;
	}
	if (rc != 0) {
		fail(l, rc, l->node);
		return;
	}
	rc = json ? info_json(&info, bytes, len) : info_protobuf(&info, bytes, len);
	if (rc != 0) {
		tell(l, STAND_UNKNOWN, "the node %s leads, and does not say where: %s", l->node,
		     rc == -ENOMEM ? strerror(ENOMEM) : json ? "it is no JSON with a host and a port" :
		     "it is no MasterInfo with a host and a port");
		return;
	}
	l->info = info;
	tell(l, STAND_LEADS, "%s leads: %s, %s port %d", l->node,
	     info.hostname[0] != '\0' ? info.hostname : "without a name", info.ip, info.port);
}

/* ---- Asking ------------------------------------------------------------- */

static void ask(struct leader *l)
{
	if (l->asked != ASKED_NOTHING || l->stopping || session_names(l) != 0)
		return;
	l->asked = ASKED_NAMES;
	l->asked_at = leader_boot();
	l->again = false;
}

void election_came(struct leader *l, int rc, const char *bytes, size_t len)
{
	enum asked asked = l->asked;

	l->asked = ASKED_NOTHING;
	if (l->stopping)
		return;
	if (leader_boot() - l->asked_at > LATE)	/* it lay here, or this process did */
		l->again = true;
	else if (asked == ASKED_NAMES)
		came_names(l, rc, bytes, len);
	else
		came_node(l, rc, bytes, len);
	if (l->again)
		ask(l);
}

void election_changed(struct leader *l)
{
	l->again = true;
	ask(l);
}

void election_look(struct leader *l)
{
	if (leader_boot() - l->heard > SILENCE && !(l->told && l->stand == STAND_UNKNOWN && l->in_touch))
		tell(l, STAND_UNKNOWN, "no server answers");
	ask(l);
}
