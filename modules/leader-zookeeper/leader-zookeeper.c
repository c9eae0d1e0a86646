/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leader-zookeeper - whom Mesos' masters have elected, as their ZooKeeper has
 * it: for mesos-master, whose `masters` names that ZooKeeper.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "leader.h"

#define LOOK	SAT_SECOND

static const struct sat_option *const options[] = {
	SAT_OPTION("timeout", SAT_SECONDS, .fallback = "4", .min = 1, .max = 60,
		   .help = "without word from a server, try the next; the servers may allow only more"),
	NULL
};

static const struct sat_counter *const counters[] = {
	[COUNT_CHANGES] = SAT_COUNTER("changes", .help = "times that something else was known of who leads"),
	[COUNT_DISCONNECTS] = SAT_COUNTER("disconnects", .help = "connections lost"),
	[COUNT_EXPIRED] = SAT_COUNTER("sessions-expired", .help = "sessions that the servers ended"),
	[GAUGE_SUCCESS] = SAT_COUNTER("last-success", .gauge = true,
		.help = "time when it was last known who leads, or that nobody does, in seconds since 1970"),
	NULL
};

/* `masters` of mesos-master, whose group it is; NULL: it names no ZooKeeper. */
static const struct sat_conf *find_url(struct leader *l)
{
	int reported;
	const struct sat_conf *masters = sat_conf_find(sat_top_group(l->self, "mesos-master", NULL, &reported), "masters");

	return masters != NULL ? sat_conf_at(masters, 0) : NULL;
}

static int settings(struct leader *l, const struct sat_conf *conf)
{
	const struct sat_conf *url = find_url(l);
	const char *wrong;

	l->timeout = (int)(sat_conf_time(conf, "timeout") / SAT_MS);
	if (url == NULL || sat_conf_value(url).kind != SAT_TEXT)
		return sat_conf_error(conf, NULL, "is for mesos-master, whose \"masters\" names a ZooKeeper");
	wrong = url_parse(sat_conf_value(url).text, &l->hosts, &l->path, &l->auth);
	if (wrong != NULL)
		return sat_conf_error(url, NULL, "%s", wrong);
	return l->hosts == NULL || l->path == NULL ||
	       (l->auth == NULL && strchr(sat_conf_value(url).text, '@') != NULL) ? -ENOMEM : 0;
}

static void destroy(void *state)
{
	struct leader *l = state;

	if (l->overdue) {	/* better lost than used after it was freed */
		pthread_mutex_lock(&l->inbox.lock);
		l->inbox.gone = true;
		pthread_mutex_unlock(&l->inbox.lock);
		return;
	}
	free(l->inbox.bytes);
	pthread_mutex_destroy(&l->inbox.lock);
	free(l->hosts);
	free(l->path);
	free(l->auth);
	free(l);
}

static void look(struct sat_alarm *alarm)
{
	struct leader *l = SAT_OWNER(alarm, struct leader, alarm);

	if (!l->stopping || l->stage == STAGE_SHUT)
		sat_alarm_set(l->self, alarm, sat_clock() + LOOK);
	session_look(l);
	if (!l->stopping)
		election_look(l);
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct leader *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return -ENOMEM;
	l->self = self;
	l->alarm.fire = look;
	pthread_mutex_init(&l->inbox.lock, NULL);
	rc = settings(l, conf);
	if (rc == 0)
		*state = l;
	else
		destroy(l);
	return rc;
}

static int start(void *state)
{
	struct leader *l = state;
	int rc = sat_alarm_set(l->self, &l->alarm, sat_clock() + LOOK);

	if (rc != 0)
		return rc;
	l->heard = leader_boot();
	session_open(l);
	return 0;
}

void leader_idle(struct leader *l)
{
	if (!l->stopping || l->stopped || l->stage != STAGE_CLOSED || l->overdue)
		return;
	l->stopped = true;
	sat_alarm_stop(&l->alarm);
	sat_stopped(l->self);
}

static void stop(void *state)
{
	struct leader *l = state;

	l->stopping = true;
	session_close(l);
	leader_idle(l);
}

SAT_MODULE(leader_zookeeper, .name = "leader-zookeeper", .version = SAT_VERSION,
	   .summary = "whom Mesos' masters have elected, from their ZooKeeper", .options = options,
	   .counters = counters, .create = create, .start = start, .stop = stop, .destroy = destroy);
