/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - one connection to the servers.
 *
 * The client library answers on threads of its own: an answer is put into the
 * request that was made on the loop, so that none can be lost for want of
 * memory, and the loop is told.  zookeeper_init() looks up names and
 * zookeeper_close() waits: both are jobs.
 */
#include "zk.h"

#define BACKOFF_MIN	(250 * SAT_MS)
#define BACKOFF_MAX	(10 * SAT_SECOND)
#define LOOK		SAT_SECOND

/* ---- On the client's threads -------------------------------------------- */

static void look_inside(void *arg);

/* Under the lock.  Should it fail, the alarm looks once a second. */
static void post(struct session *s)
{
	if (!s->inbox.posted && !s->inbox.shut)
		s->inbox.posted = sat_post(s->zk->self, look_inside, s) == 0;
}

static void finished(struct request *r, int rc)
{
	struct inbox *in = &r->session->inbox;

	r->rc = rc;
	r->next = NULL;
	pthread_mutex_lock(&in->lock);
	*in->last_request = r;
	in->last_request = &r->next;
	post(r->session);
	pthread_mutex_unlock(&in->lock);
}

static void got_nothing(int rc, const void *data)
{
	finished((struct request *)(uintptr_t)data, rc);
}

static void got_path(int rc, const char *path, const void *data)
{
	(void)path;
	got_nothing(rc, data);
}

static void got_stat(int rc, const struct Stat *stat, const void *data)
{
	struct request *r = (struct request *)(uintptr_t)data;

	if (rc == ZOK)
		r->stat = *stat;
	finished(r, rc);
}

static void got_value(int rc, const char *value, int len, const struct Stat *stat, const void *data)
{
	struct request *r = (struct request *)(uintptr_t)data;

	if (rc == ZOK) {
		r->stat = *stat;
		r->len = len > 0 ? (size_t)len : 0;	/* -1: a node without data */
		r->bytes = malloc(r->len + 1);
		if (r->bytes == NULL)
			rc = ZSYSTEMERROR;
		else if (r->len > 0)
			memcpy(r->bytes, value, r->len);
	}
	finished(r, rc);
}

static void got_names(int rc, const struct String_vector *names, const void *data)
{
	struct request *r = (struct request *)(uintptr_t)data;
	char *p;

	for (int i = 0; rc == ZOK && i < names->count; i++)
		r->len += strlen(names->data[i]) + 1;
	r->bytes = p = malloc(r->len + 1);
	if (p == NULL)
		rc = ZSYSTEMERROR;
	for (int i = 0; rc == ZOK && i < names->count; i++)
		p = stpcpy(p, names->data[i]) + 1;
	finished(r, rc);
}

/* Called for the session as a whole, and for each watch of it. */
static void noticed(zhandle_t *zh, int type, int state, const char *path, void *context)
{
	struct session *s = context;
	struct inbox *in = &s->inbox;
	size_t len = path != NULL ? strlen(path) : 0;
	struct notice *n = malloc(sizeof(*n) + len + 1);

	(void)zh;
	pthread_mutex_lock(&in->lock);
	if (n != NULL) {
		*n = (struct notice){ .type = type, .state = state };
		memcpy(n->path, path != NULL ? path : "", len + 1);
		*in->last_notice = n;
		in->last_notice = &n->next;
	} else {
		in->missed = true;
	}
	post(s);
	pthread_mutex_unlock(&in->lock);
}

static void say_nothing(const char *message)
{
	(void)message;	/* what matters of it we say ourselves */
}

/* ---- Jobs --------------------------------------------------------------- */

struct opening {
	struct session *session;
	char *hosts;
	int timeout;
	zhandle_t *zh;
	int error;
};

static void opening_free(struct opening *o)
{
	free(o->hosts);
	free(o);
}

static int open_work(void *arg)
{
	struct opening *o = arg;

	errno = 0;
	o->zh = zookeeper_init2(o->hosts, noticed, o->timeout, NULL, o->session, 0, say_nothing);
	o->error = o->zh == NULL ? errno : 0;
	return 0;
}

static int close_work(void *arg)
{
	struct session *s = arg;

	if (s->zh != NULL)
		zookeeper_close(s->zh);
	return 0;
}

/* ---- On the loop: requests ---------------------------------------------- */

int zk_errno(int rc)
{
	switch (rc) {
	case ZOK:
		return 0;
	case ZBADVERSION:
		return -ESTALE;
	case ZNODEEXISTS:
		return -EEXIST;
	case ZNONODE:
		return -ENOENT;
	case ZNOAUTH:
	case ZAUTHFAILED:
		return -EACCES;
	case ZINVALIDSTATE:
		return -ENOTCONN;
	case ZNOTEMPTY:
		return -ENOTEMPTY;
	case ZBADARGUMENTS:
	case ZINVALIDACL:
		return -EINVAL;
	case ZMARSHALLINGERROR:
	case ZSYSTEMERROR:
		return -ENOMEM;
	default:	/* a connection lost under way, a session that expired, the unexpected */
		return -EINPROGRESS;
	}
}

/* The client has taken the request, or says why not. */
static int asked(struct session *s, int rc)
{
	if (rc != ZOK)
		return rc == ZBADARGUMENTS ? -EINVAL : rc == ZMARSHALLINGERROR ? -ENOMEM : -ENOTCONN;
	s->asked++;
	return 0;
}

/*
 * The library's own state may be ahead of what its thread has told us; and its
 * zoo_amulti() frees what it never set where it finds the session expired.
 */
static bool ready(struct session *s, struct request *r)
{
	r->session = s;
	return s->state == SESSION_CONNECTED && is_unrecoverable(s->zh) == ZOK;
}

int session_get(struct session *s, const char *path, struct request *r)
{
	return ready(s, r) ? asked(s, zoo_aget(s->zh, path, 1, got_value, r)) : -ENOTCONN;
}

int session_list(struct session *s, const char *path, struct request *r)
{
	return ready(s, r) ? asked(s, zoo_aget_children(s->zh, path, 1, got_names, r)) : -ENOTCONN;
}

int session_exists(struct session *s, const char *path, struct request *r)
{
	return ready(s, r) ? asked(s, zoo_aexists(s->zh, path, 1, got_stat, r)) : -ENOTCONN;
}

int session_multi(struct session *s, const zoo_op_t *ops, int n, zoo_op_result_t *results, struct request *r)
{
	return ready(s, r) ? asked(s, zoo_amulti(s->zh, n, ops, results, got_nothing, r)) : -ENOTCONN;
}

static void nothing(struct request *r)
{
	free(r);
}

/* Requests of a session are answered in order, so nobody need wait for this one. */
int session_sync(struct session *s)
{
	struct request *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return -ENOMEM;
	r->done = nothing;
	rc = ready(s, r) ? asked(s, zoo_async(s->zh, s->zk->root, got_path, r)) : -ENOTCONN;
	if (rc != 0)
		free(r);
	return rc;
}

static int make(struct session *s, const char *path, struct request *r)
{
	r->session = s;
	return asked(s, zoo_acreate(s->zh, path, NULL, -1, &s->zk->acl, 0, got_path, r));
}

/* All at once: each is answered before the next is begun, and one that is there already does no harm. */
int session_make_path(struct session *s, const char *path, struct request *r)
{
	char part[PATH_BYTES];
	struct request *above;

	if (s->state != SESSION_CONNECTED)
		return -ENOTCONN;
	for (const char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		above = calloc(1, sizeof(*above));
		if (above == NULL)
			return -ENOMEM;
		above->done = nothing;
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		if (make(s, part, above) != 0) {
			free(above);
			return -ENOTCONN;
		}
	}
	return make(s, path, r);
}

/* ---- On the loop: a session's life -------------------------------------- */

static void set_alarm(struct session *s)
{
	int64_t now = sat_clock(), at = now + LOOK;

	if (s->reopen != 0 && s->reopen < at)
		at = s->reopen;
	sat_alarm_set(s->zk->self, &s->alarm, at > now ? at : now);
}

static void reopen_later(struct session *s)
{
	s->state = SESSION_CLOSED;
	if (s->zk->stopping)
		return;
	s->reopen = sat_clock() + s->backoff;
	s->backoff = s->backoff < BACKOFF_MAX / 2 ? 2 * s->backoff : BACKOFF_MAX;
	set_alarm(s);
}

static void closed(void *arg, int rc)
{
	struct session *s = arg;

	s->overdue = rc == -ETIMEDOUT;
	if (s->overdue)		/* it closes still: closed_late() goes on */
		return;
	s->zh = NULL;
	look_inside(s);
	reopen_later(s);
	zk_idle(s->zk);
}

/* Perhaps after the instance has gone, which has left us the session then. */
static void closed_late(void *arg)
{
	struct session *s = arg;

	s->overdue = false;
	if (!s->inbox.shut)
		closed(s, 0);
}

/* Its handle is of no more use: close it, and, unless the instance stops, begin anew. */
static void shut(struct session *s)
{
	struct sat_job job = { .size = sizeof(job), .work = close_work, .done = closed, .late = closed_late,
			       .arg = s, .lane = s };

	s->state = sat_work(s->zk->self, &job) == 0 ? SESSION_CLOSING : SESSION_SHUT;
	if (s->state == SESSION_SHUT)	/* no thread is to be had */
		set_alarm(s);
}

static void opened_late(void *arg)
{
	struct opening *o = arg;

	if (o->zh != NULL)
		zookeeper_close(o->zh);
	o->session->overdue = false;
	opening_free(o);
}

static void opened(void *arg, int rc)
{
	struct opening *o = arg;
	struct session *s = o->session;

	if (rc != 0 || o->zh == NULL) {
		if (s->backoff == BACKOFF_MIN)
			sat_log(s->zk->self, LOG_ERR, "%s: %s", s->zk->hosts, rc == -ETIMEDOUT ?
				"names are not looked up in time" : rc != 0 ? strerror(-rc) :
				o->error == ENOENT || o->error == EINVAL ? "no address is found for these names" :
				strerror(o->error));
		s->overdue = rc == -ETIMEDOUT;
		if (!s->overdue)
			opening_free(o);
		reopen_later(s);
		zk_idle(s->zk);
		return;
	}
	s->zh = o->zh;
	s->state = SESSION_CONNECTING;
	opening_free(o);
	if (s->zk->auth != NULL)
		zoo_add_auth(s->zh, s->zk->auth_scheme, s->zk->auth, (int)strlen(s->zk->auth), NULL, NULL);
	if (s->zk->stopping)
		shut(s);
	else
		look_inside(s);
}

void session_open(struct session *s)
{
	struct sat_job job = { .size = sizeof(job), .work = open_work, .done = opened, .late = opened_late,
			       .lane = s };
	struct opening *o = calloc(1, sizeof(*o));
	int rc = -ENOMEM;

	s->reopen = 0;
	if (o != NULL)
		o->hosts = strdup(s->zk->hosts);
	if (o != NULL && o->hosts != NULL) {
		o->session = s;
		o->timeout = s->zk->timeout;
		job.arg = o;
		s->state = SESSION_OPENING;
		rc = sat_work(s->zk->self, &job);
	}
	if (rc == 0) {
		set_alarm(s);
		return;
	}
	if (o != NULL)
		opening_free(o);
	reopen_later(s);
}

static void look(struct sat_alarm *alarm)
{
	struct session *s = SAT_OWNER(alarm, struct session, alarm);

	if (s->reopen != 0 && s->reopen <= sat_clock())
		session_open(s);
	else if (s->state == SESSION_SHUT)
		shut(s);
	look_inside(s);
	folder_look(s);
	if (!s->zk->stopping || s->state == SESSION_SHUT)
		set_alarm(s);
}

static void connected(struct session *s)
{
	if (s->state != SESSION_CONNECTING)
		return;
	s->state = SESSION_CONNECTED;
	s->backoff = BACKOFF_MIN;
	if (s->index == SESSION_HOME)
		sat_log(s->zk->self, LOG_NOTICE, "connected to %s", zoo_get_current_server(s->zh));
	folder_connected(s);
}

static void disconnected(struct session *s, int rc)
{
	if (s->state != SESSION_CONNECTED)
		return;
	s->state = SESSION_CONNECTING;
	sat_count(s->zk->self, COUNT_DISCONNECTS, 1);
	if (s->index == SESSION_HOME)
		sat_log(s->zk->self, LOG_WARNING, "%s: out of touch", s->zk->hosts);
	folder_disconnected(s, rc);
}

static void changed(struct session *s, int state)
{
	if (state == ZOO_CONNECTED_STATE) {
		connected(s);
	} else if (state == ZOO_EXPIRED_SESSION_STATE || state == ZOO_AUTH_FAILED_STATE) {
		disconnected(s, state == ZOO_AUTH_FAILED_STATE ? -EACCES : -ENOTCONN);
		if (state == ZOO_AUTH_FAILED_STATE && !s->auth_refused)
			sat_log(s->zk->self, LOG_ERR, "the servers refuse what \"auth\" says");
		s->auth_refused = state == ZOO_AUTH_FAILED_STATE;
		sat_count(s->zk->self, COUNT_EXPIRED, 1);
		if (s->state == SESSION_CONNECTING)
			shut(s);
	} else {
		disconnected(s, -ENOTCONN);
	}
}

static void take_notice(struct session *s, const struct notice *n)
{
	if (s->state != SESSION_CONNECTING && s->state != SESSION_CONNECTED)
		return;
	if (n->type == ZOO_SESSION_EVENT) {
		changed(s, n->state);
		return;
	}
	sat_count(s->zk->self, COUNT_EVENTS, 1);
	folder_notice(s, n);
}

/* Nobody knows what was lost: as after a broken connection, or what has become of it. */
static void catch_up(struct session *s)
{
	int state;

	if (s->state != SESSION_CONNECTING && s->state != SESSION_CONNECTED)
		return;
	state = zoo_state(s->zh);
	if (s->state == SESSION_CONNECTED && state == ZOO_CONNECTED_STATE) {
		folder_disconnected(s, -ENOMEM);
		folder_connected(s);
	} else {
		changed(s, state);
	}
}

/* Notices, then answers: each in its own order, and neither relies on the other's. */
static void look_inside(void *arg)
{
	struct session *s = arg;
	struct request *r;
	struct notice *n;
	bool missed;

	if (s->state == SESSION_OPENING)	/* opened() looks again, when there is a handle */
		return;
	pthread_mutex_lock(&s->inbox.lock);
	r = s->inbox.requests;
	n = s->inbox.notices;
	missed = s->inbox.missed;
	s->inbox.requests = NULL;
	s->inbox.last_request = &s->inbox.requests;
	s->inbox.notices = NULL;
	s->inbox.last_notice = &s->inbox.notices;
	s->inbox.posted = s->inbox.missed = false;
	pthread_mutex_unlock(&s->inbox.lock);
	while (n != NULL) {
		struct notice *next = n->next;

		take_notice(s, n);
		free(n);
		n = next;
	}
	while (r != NULL) {
		struct request *next = r->next;
		char *bytes = r->bytes;

		s->asked--;
		r->done(r);
		free(bytes);
		r = next;
	}
	if (missed)
		catch_up(s);
}

struct session *session_new(struct zk *zk)
{
	struct session *s = zk->n_sessions < SESSIONS_MAX ? calloc(1, sizeof(*s)) : NULL;

	if (s == NULL)
		return NULL;
	s->zk = zk;
	s->index = zk->n_sessions;
	s->backoff = BACKOFF_MIN;
	s->alarm.fire = look;
	s->last_stale = &s->stale;
	pthread_mutex_init(&s->inbox.lock, NULL);
	s->inbox.last_request = &s->inbox.requests;
	s->inbox.last_notice = &s->inbox.notices;
	zk->sessions[zk->n_sessions++] = s;
	sat_gauge(zk->self, COUNT_SESSIONS, zk->n_sessions);
	return s;
}

void session_close(struct session *s)
{
	sat_alarm_stop(&s->alarm);
	if (s->state == SESSION_CONNECTED)
		folder_disconnected(s, -ENOTCONN);
	if (s->state == SESSION_CONNECTED || s->state == SESSION_CONNECTING)
		shut(s);
}

bool session_end(struct session *s)
{
	struct request *r;

	if (s->overdue) {	/* better lost than used after it was freed */
		pthread_mutex_lock(&s->inbox.lock);
		s->inbox.shut = true;
		pthread_mutex_unlock(&s->inbox.lock);
		return false;
	}
	if (s->zh != NULL)
		zookeeper_close(s->zh);
	s->zh = NULL;
	s->state = SESSION_CLOSED;
	while ((r = s->inbox.requests) != NULL) {
		char *bytes = r->bytes;

		s->inbox.requests = r->next;
		r->done(r);
		free(bytes);
	}
	return true;
}

void session_free(struct session *s)
{
	struct notice *n;

	while ((n = s->inbox.notices) != NULL) {
		s->inbox.notices = n->next;
		free(n);
	}
	pthread_mutex_destroy(&s->inbox.lock);
	free(s);
}
