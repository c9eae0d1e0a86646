/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - the connection to the servers.
 *
 * The client library answers on threads of its own.  One request is under way
 * at a time, so each thing it may tell has its place in the inbox, and the loop
 * is told to look there.  zookeeper_init() looks up names and zookeeper_close()
 * waits: both are jobs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zookeeper/zookeeper.h>

#include "leader.h"

#define BACKOFF_MIN	(250 * SAT_MS)
#define BACKOFF_MAX	(5 * SAT_SECOND)
#define PATIENCE	(30 * SAT_SECOND)	/* then the names may have other addresses */

/* ---- On the client's threads -------------------------------------------- */

static void look_inside(void *arg);

/* Under the lock.  Should it fail, the alarm looks once a second. */
static void post(struct leader *l)
{
	if (!l->inbox.posted && !l->inbox.gone)
		l->inbox.posted = sat_post(l->self, look_inside, l) == 0;
}

static int errno_of(int rc)
{
	return rc == ZOK ? 0 : rc == ZNONODE ? -ENOENT : rc == ZNOAUTH || rc == ZAUTHFAILED ? -EACCES :
	       rc == ZSYSTEMERROR ? -ENOMEM : -ENOTCONN;
}

static void answered(struct leader *l, int rc, char *bytes, size_t len)
{
	pthread_mutex_lock(&l->inbox.lock);
	free(l->inbox.bytes);
	l->inbox.answered = true;
	l->inbox.rc = errno_of(rc);
	l->inbox.bytes = bytes;
	l->inbox.len = len;
	post(l);
	pthread_mutex_unlock(&l->inbox.lock);
}

static void got_names(int rc, const struct String_vector *names, const void *data)
{
	char *bytes = NULL, *p;
	size_t len = 0;
	int i;

	for (i = 0; rc == ZOK && i < names->count; i++)
		len += strlen(names->data[i]) + 1;
	if (rc == ZOK) {
		bytes = p = malloc(len + 1);
		rc = bytes != NULL ? ZOK : ZSYSTEMERROR;
		for (i = 0; bytes != NULL && i < names->count; i++)
			p = stpcpy(p, names->data[i]) + 1;
	}
	answered((struct leader *)(uintptr_t)data, rc, bytes, len);
}

static void got_node(int rc, const char *value, int n, const struct Stat *stat, const void *data)
{
	size_t len = rc == ZOK && n > 0 ? (size_t)n : 0;	/* -1: a node without data */
	char *bytes = malloc(len + 1);

	(void)stat;
	if (bytes != NULL && len > 0)
		memcpy(bytes, value, len);
	answered((struct leader *)(uintptr_t)data, bytes == NULL && rc == ZOK ? ZSYSTEMERROR : rc, bytes, len);
}

static bool is_final(int state)
{
	return state == ZOO_EXPIRED_SESSION_STATE || state == ZOO_AUTH_FAILED_STATE;
}

/* Called for the session as a whole, and for each watch of it. */
static void noticed(zhandle_t *zh, int type, int state, const char *path, void *context)
{
	struct leader *l = context;

	(void)zh;
	(void)path;
	pthread_mutex_lock(&l->inbox.lock);
	if (type != ZOO_SESSION_EVENT)
		l->inbox.changed = true;
	else if (!is_final(l->inbox.state))
		l->inbox.state = state;
	post(l);
	pthread_mutex_unlock(&l->inbox.lock);
}

static void say_nothing(const char *message)
{
	(void)message;	/* what matters of it we say ourselves */
}

/* ---- Jobs --------------------------------------------------------------- */

struct opening {
	struct leader *leader;
	zhandle_t *zh;
	int timeout, error;
	char hosts[];
};

static int open_work(void *arg)
{
	struct opening *o = arg;

	errno = 0;
	o->zh = zookeeper_init2(o->hosts, noticed, o->timeout, NULL, o->leader, 0, say_nothing);
	o->error = o->zh == NULL ? errno : 0;
	return 0;
}

static int close_work(void *arg)
{
	struct leader *l = arg;

	if (l->zh != NULL)
		zookeeper_close(l->zh);
	return 0;
}

/* ---- On the loop: requests ---------------------------------------------- */

/* The library's own state may be ahead of what its thread has told us. */
static bool ready(const struct leader *l)
{
	return l->in_touch && l->stage == STAGE_OPEN && is_unrecoverable(l->zh) == ZOK;
}

int session_names(struct leader *l)
{
	return ready(l) && zoo_aget_children(l->zh, l->path, 1, got_names, l) == ZOK ? 0 : -ENOTCONN;
}

int session_node(struct leader *l, const char *name)
{
	char path[2048];

	snprintf(path, sizeof(path), "%s/%s", l->path, name);
	return ready(l) && zoo_aget(l->zh, path, 0, got_node, l) == ZOK ? 0 : -ENOTCONN;
}

/* ---- On the loop: its life ---------------------------------------------- */

static void reopen_later(struct leader *l)
{
	l->stage = STAGE_CLOSED;
	l->reopen = sat_clock() + l->backoff;
	l->backoff = l->backoff < BACKOFF_MAX / 2 ? 2 * l->backoff : BACKOFF_MAX;
	if (!l->stopping)
		sat_alarm_set(l->self, &l->alarm, l->reopen);
	leader_idle(l);
}

static void closed(void *arg, int rc)
{
	struct leader *l = arg;

	l->overdue = rc == -ETIMEDOUT;
	if (l->overdue)		/* it closes still: closed_late() goes on */
		return;
	l->zh = NULL;
	look_inside(l);
	l->inbox.state = 0;	/* of the old one: its threads have ended */
	reopen_later(l);
}

/* Perhaps after the instance has gone, which has left us its state then. */
static void closed_late(void *arg)
{
	struct leader *l = arg;

	if (!l->inbox.gone)
		closed(l, 0);
}

/* Its handle is of no more use: close it, and, unless the instance stops, begin anew. */
static void shut(struct leader *l)
{
	struct sat_job job = { .size = sizeof(job), .work = close_work, .done = closed, .late = closed_late,
			       .arg = l, .lane = l };

	l->in_touch = false;
	l->stage = sat_work(l->self, &job) == 0 ? STAGE_CLOSING : STAGE_SHUT;
}

static void opened_late(void *arg)
{
	struct opening *o = arg;

	if (o->zh != NULL)
		zookeeper_close(o->zh);
	o->leader->overdue = false;
	if (!o->leader->inbox.gone)
		leader_idle(o->leader);
	free(o);
}

static void not_opened(struct leader *l, int rc, int error)
{
	if (!l->unopened)
		sat_log(l->self, LOG_ERR, "%s: %s", l->hosts, rc == -ETIMEDOUT ? "names are not looked up in time" :
			rc != 0 ? strerror(-rc) : error == ENOENT || error == EINVAL ?
			"no address is found for these names" : strerror(error));
	l->unopened = true;
	reopen_later(l);
}

static void opened(void *arg, int rc)
{
	struct opening *o = arg;
	struct leader *l = o->leader;
	int error = o->error;

	l->overdue = rc == -ETIMEDOUT;
	if (l->overdue) {
		not_opened(l, rc, 0);
		return;
	}
	l->zh = rc == 0 ? o->zh : NULL;
	free(o);
	if (l->zh == NULL) {
		not_opened(l, rc, error);
		return;
	}
	l->unopened = false;
	l->stage = STAGE_OPEN;
	l->lost = sat_clock();
	if (l->auth != NULL)
		zoo_add_auth(l->zh, "digest", l->auth, (int)strlen(l->auth), NULL, NULL);
	if (l->stopping)
		shut(l);
	else
		look_inside(l);
}

/* The library takes the last colon for the port's, and brackets for a part of the name. */
static void copy_hosts(char *to, const char *hosts)
{
	for (; *hosts != '\0'; hosts++)
		if (*hosts != '[' && *hosts != ']')
			*to++ = *hosts;
	*to = '\0';
}

void session_open(struct leader *l)
{
	struct opening *o = calloc(1, sizeof(*o) + strlen(l->hosts) + 1);
	struct sat_job job = { .size = sizeof(job), .work = open_work, .done = opened, .late = opened_late,
			       .arg = o, .lane = l };

	if (l->backoff == 0)
		l->backoff = BACKOFF_MIN;
	l->reopen = 0;
	zoo_set_debug_level((ZooLogLevel)0);
	if (o != NULL) {
		o->leader = l;
		o->timeout = l->timeout;
		copy_hosts(o->hosts, l->hosts);
		l->stage = STAGE_OPENING;
		if (sat_work(l->self, &job) == 0)
			return;
		free(o);
	}
	reopen_later(l);
}

static void changed(struct leader *l, int state)
{
	bool was = l->in_touch;

	l->in_touch = state == ZOO_CONNECTED_STATE;
	if (l->in_touch) {
		l->backoff = BACKOFF_MIN;
		l->refused = false;
		election_changed(l);
		return;
	}
	if (was) {
		l->lost = sat_clock();
		sat_count(l->self, COUNT_DISCONNECTS, 1);
	}
	if (!is_final(state))
		return;
	sat_count(l->self, COUNT_EXPIRED, 1);
	if (state == ZOO_AUTH_FAILED_STATE && !l->refused)
		sat_log(l->self, LOG_ERR, "%s: the servers refuse user and password", l->hosts);
	l->refused = state == ZOO_AUTH_FAILED_STATE;
	shut(l);
}

static void look_inside(void *arg)
{
	struct leader *l = arg;
	struct inbox *in = &l->inbox;
	bool came, moved;
	char *bytes;
	int state;

	if (l->stage == STAGE_OPENING)	/* opened() looks again, when there is a handle */
		return;
	pthread_mutex_lock(&in->lock);
	came = in->answered;
	bytes = in->bytes;
	state = in->state;
	moved = in->changed;
	in->posted = in->changed = in->answered = false;
	in->bytes = NULL;
	if (!is_final(state))
		in->state = 0;
	pthread_mutex_unlock(&in->lock);
	if (came)	/* the next is asked for from here on, and not before */
		election_came(l, in->rc, bytes, in->len);
	free(bytes);
	if (state != 0 && l->stage == STAGE_OPEN)
		changed(l, state);
	if (moved)
		election_changed(l);
}

void session_look(struct leader *l)
{
	if (l->stage == STAGE_CLOSED && !l->overdue && l->reopen <= sat_clock() && !l->stopping)
		session_open(l);
	else if (l->stage == STAGE_SHUT ||	/* no thread was to be had */
		 (l->stage == STAGE_OPEN && !l->in_touch && sat_clock() - l->lost > PATIENCE))
		shut(l);
	look_inside(l);
}

void session_close(struct leader *l)
{
	if (l->stage == STAGE_OPEN)
		shut(l);
}
