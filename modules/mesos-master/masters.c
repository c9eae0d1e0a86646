/* SPDX-License-Identifier: Apache-2.0 */
/* masters - the settings of where the Mesos masters are: url and masters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mesos.h"

#define MASTERS_MAX	16

static int judge_url(char *url, const struct sat_conf *conf, const char *name)
{
	const char *host = strstr(url, "://");
	size_t n = strlen(url);

	if (strncmp(url, "zk://", 5) == 0)
		return sat_conf_error(conf, name, "names a ZooKeeper: that stands in \"masters\", alone");
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return sat_conf_error(conf, name, "is not http://HOST:PORT or https://HOST:PORT");
	host += 3;
	if (memchr(host, '@', strcspn(host, "/")) != NULL)
		return sat_conf_error(conf, name, "names a user: that is for `user` and `password`");
	if (strpbrk(url, "?# ") != NULL || n > 1024)
		return sat_conf_error(conf, name, "is more than scheme, host, port and path");
	while (n > 0 && url[n - 1] == '/')
		url[--n] = '\0';
	if (host[0] == '\0' || host[0] == '/' || host[0] == ':')
		return sat_conf_error(conf, name, "names no host");
	return 0;
}

/* What it says is judged by the module that reads it. */
static int judge_zookeeper(struct mesos *m, const struct sat_conf *conf)
{
	if (strcmp(sat_name(m->self), "mesos-master") != 0)
		return sat_conf_error(conf, "masters", "may name a ZooKeeper in the group mesos-master alone");
	return sat_need(m->self, conf, "leader-zookeeper");
}

int masters_judge(struct mesos *m, const struct sat_conf *conf)
{
	bool listed = sat_conf_has(conf, "masters") && m->named == NULL;
	int rc = m->named != NULL ? judge_zookeeper(m, conf) : 0, one;
	size_t i;

	for (i = 0; i < m->n_masters; i++) {
		one = judge_url(m->masters[i], conf, listed ? "masters" : "url");
		rc = one != 0 ? one : rc;
	}
	if (listed && m->local != NULL && judge_url(m->local, conf, "url") != 0)
		rc = -EINVAL;
	if (m->n_masters > MASTERS_MAX)
		rc = sat_conf_error(conf, "masters", "has more than %d", MASTERS_MAX);
	return rc;
}

static int copy(char **to, const char *text)
{
	if (text == NULL)
		return 0;
	*to = strdup(text);
	return *to != NULL ? 0 : -ENOMEM;
}

/* Those of `masters`, else the one of `url`. */
int masters_copy(struct mesos *m, const struct sat_conf *conf)
{
	const char *const *list = sat_conf_strings(conf, "masters", &m->n_masters);
	const char *given = sat_conf_string(conf, "url"), *url = given != NULL ? given : "http://localhost:5050";
	bool named = m->n_masters == 1 && strncmp(list[0], "zk://", 5) == 0;
	size_t i;
	int rc;

	if (list == NULL || m->n_masters == 0 || named) {
		list = &url;
		m->n_masters = 1;
	}
	m->masters = calloc(m->n_masters, sizeof(*m->masters));
	rc = m->masters != NULL ? 0 : -ENOMEM;
	for (i = 0; rc == 0 && i < m->n_masters; i++)
		rc = copy(&m->masters[i], list[i]);
	if (rc == 0 && (named || m->n_masters > 1))
		rc = copy(&m->local, given);
	if (rc != 0)
		return rc;
	m->url = m->masters[0];
	return named ? named_init(m) : 0;
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

