/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leader - which of several Mesos masters is observed: the one that leads.
 *
 * Its figures are read each leader-interval anyway, and say that it still does.
 * Where they say that it does not, or do not come in time, all the others are
 * asked for theirs; so a change is seen within two intervals.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mesos.h"

#define PROBE_MAX	((size_t)8 << 20)

void leader_take(struct mesos *m, const char *url)
{
	if (strcmp(m->url, url) == 0)
		return;
	sat_log(m->self, LOG_NOTICE, "%s leads; until now %s was observed", url, m->url);
	m->url = url;
	source_drop(&m->snapshot);
	source_drop(&m->state);
	source_drop(&m->maintenance);
	mesos_begin_anew(m);
}

/* It leads by its own word.  Two who both do: the one that is observed stays. */
static void probe_done(struct mesos *m, const struct sat_answer *a)
{
	const char *base = m->answered->base;
	struct snapshot figures;
	char why[160];

	if (snapshot_read(&figures, a->body, a->len, NULL, NULL, why, sizeof(why)) == 0 && figures.elected == 1 &&
	    leader_is_sought(m))
		leader_take(m, base);
}

/* The one that is observed says what is wrong with it; these are many. */
static void probe_failed(struct mesos *m, const struct sat_answer *a)
{
	(void)a;
	if (m->stopping)
		mesos_stopped_yet(m);
}

bool leader_is_sought(const struct mesos *m)
{
	if (m->n_probes == 0)
		return false;
	return m->elected != 1 || m->snapshot.trouble != 0 ||
	       (m->snapshot.call != NULL && sat_clock() - m->snapshot.asked >= m->leader_interval);
}

void leader_turn(struct mesos *m, int64_t now)
{
	size_t i;

	if (now < m->next_probe || !leader_is_sought(m) || m->stopping)
		return;
	m->next_probe = now + m->leader_interval;
	for (i = 0; i < m->n_probes; i++)
		if (m->probes[i].call == NULL && strcmp(m->probes[i].base, m->url) != 0)
			source_ask(&m->probes[i]);
}

bool leader_idle(const struct mesos *m)
{
	size_t i;

	for (i = 0; i < m->n_probes; i++)
		if (m->probes[i].call != NULL)
			return false;
	return true;
}

void leader_stop(struct mesos *m)
{
	size_t i;

	for (i = 0; i < m->n_probes; i++)
		if (m->probes[i].call != NULL)
			sat_fetch_cancel(m->probes[i].call);
}

/* Of one URL alone nothing is sought. */
int leader_init(struct mesos *m)
{
	static const char *const paths[] = { "/metrics/snapshot", "/stats.json", NULL };
	size_t i;

	if (m->n_masters < 2)
		return 0;
	m->probes = calloc(m->n_masters, sizeof(*m->probes));
	if (m->probes == NULL)
		return -ENOMEM;
	m->n_probes = m->n_masters;
	for (i = 0; i < m->n_probes; i++)
		m->probes[i] = (struct source){
			.m = m, .name = "probe", .base = m->masters[i], .paths = paths,
			.timeout = m->snapshot.timeout, .max = PROBE_MAX,
			.done = probe_done, .failed = probe_failed,
		};
	return 0;
}

/* Whether the master at that URL is this host's. */
bool leader_is_local(const struct mesos *m, const char *url)
{
	const char *host = strstr(url, "://") + 3, *us = sat_host();
	size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");

	if (m->named != NULL)
		return named_is_local(m);
	if (m->local != NULL)
		return strcmp(m->local, url) == 0;
	if (m->n_masters < 2)
		return true;
	return (n == strlen(us) && strncasecmp(host, us, n) == 0) ||
	       (n == 9 && (memcmp(host, "localhost", 9) == 0 || memcmp(host, "127.0.0.1", 9) == 0));
}
