/* SPDX-License-Identifier: Apache-2.0 */
/* masters - the settings of where the Mesos masters are: url and masters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mesos.h"

#define MASTERS_MAX	16

/* What it says is judged by the module that reads it. */
static int judge_zookeeper(struct mesos *m, const struct sat_conf *conf)
{
	if (strcmp(sat_name(m->self), "mesos-master") != 0)
		return sat_conf_error(conf, "masters", "may name a ZooKeeper in the group mesos-master alone");
	return sat_need(m->self, conf, "leader-zookeeper");
}

static int take_url(char **to, const struct sat_conf *conf, const char *name, const char *url)
{
	if (strncmp(url, "zk://", 5) == 0)
		return sat_conf_error(conf, name, "names a ZooKeeper: that stands in \"masters\", alone");
	return sat_fetch_base(conf, name, url, to);
}

static int take_all(struct mesos *m, const struct sat_conf *conf, const char *name, const char *const *list)
{
	int rc = m->n_masters > MASTERS_MAX ? sat_conf_error(conf, name, "has more than %d", MASTERS_MAX) : 0, one = 0;

	m->masters = calloc(m->n_masters, sizeof(*m->masters));
	if (m->masters == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_masters && one != -ENOMEM; i++) {
		one = take_url(&m->masters[i], conf, name, list[i]);
		rc = one != 0 ? one : rc;
	}
	m->url = m->masters[0];
	return rc;
}

/* Those of `masters`, else the one of `url`, which beside several says which is here. */
int masters_settings(struct mesos *m, const struct sat_conf *conf)
{
	const char *const *list = sat_conf_strings(conf, "masters", &m->n_masters);
	const char *given = sat_conf_string(conf, "url"), *url = given != NULL ? given : "http://localhost:5050";
	bool named = m->n_masters == 1 && strncmp(list[0], "zk://", 5) == 0;
	bool listed = m->n_masters > 0 && !named;
	int rc = named ? judge_zookeeper(m, conf) : 0, more;

	if (!listed)
		m->n_masters = 1;
	more = take_all(m, conf, listed ? "masters" : "url", listed ? list : &url);
	rc = more != 0 ? more : rc;
	more = given != NULL && m->n_masters > 1 ? take_url(&m->local, conf, "url", given) : 0;
	rc = more != 0 ? more : rc;
	if (rc != 0 || !named)
		return rc;
	m->local = given != NULL ? strdup(m->url) : NULL;
	return given != NULL && m->local == NULL ? -ENOMEM : named_init(m);
}

void masters_free(struct mesos *m)
{
	size_t i;

	for (i = 0; m->masters != NULL && i < m->n_masters; i++)
		free(m->masters[i]);
	free(m->masters);
	free(m->local);
	named_free(m);
	free(m->probes);
}
