/* SPDX-License-Identifier: Apache-2.0 */
/* manner - as whom, how nicely and in which cgroup a command runs: settings of the module, an entry's over them. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

#define MOST_GROUPS 65536	/* NGROUPS_MAX */

static int read_groups(struct manner *m)
{
	int n = 32;

	do {
		gid_t *more = realloc(m->groups, (size_t)n * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		m->groups = more;
		m->n_groups = n;
		if (getgrouplist(m->user, m->gid, m->groups, &m->n_groups) >= 0)
			return 0;
		n = m->n_groups > n ? m->n_groups : 2 * n;
	} while (n <= MOST_GROUPS);
	return -E2BIG;
}

/* The user and all its groups, as a log-in would give them. */
static int read_user(struct manner *m, const struct sat_conf *conf)
{
	struct passwd *pw;
	int rc;

	m->user = sat_conf_string(conf, "user");
	errno = 0;
	pw = getpwnam(m->user);
	if (pw == NULL)
		return sat_conf_error(conf, "user", "\"%s\": %s", m->user,
				      errno == 0 || errno == ENOENT ? "no such user" : strerror(errno));
	m->uid = pw->pw_uid;
	m->gid = pw->pw_gid;
	if (geteuid() != 0)
		return sat_conf_error(conf, "user", "\"%s\": only root may run commands as others", m->user);
	rc = read_groups(m);
	return rc == -E2BIG ? sat_conf_error(conf, "user", "\"%s\" is in more than %d groups", m->user, MOST_GROUPS) : rc;
}

static int read_cgroup(struct manner *m, const struct sat_conf *conf)
{
	m->cgroup = sat_conf_string(conf, "cgroup");
	if (m->cgroup[0] != '/')
		return sat_conf_error(conf, "cgroup", "\"%s\" is no absolute path, such as /sys/fs/cgroup/checks",
				      m->cgroup);
	if (strlen(m->cgroup) > PATH_MAX / 2)
		return sat_conf_error(conf, "cgroup", "is longer than a path may be");
	return 0;
}

static const struct sat_conf *nearest(const struct sat_conf *entry, const struct sat_conf *module, const char *name)
{
	return sat_conf_has(entry, name) ? entry : module != NULL && sat_conf_has(module, name) ? module : NULL;
}

int manner_read(struct manner *m, const struct sat_conf *entry, const struct sat_conf *module)
{
	const struct sat_conf *at = nearest(entry, module, "nice");
	int rc = 0, more = 0;

	if (at != NULL) {
		m->has_nice = true;
		m->nice = (int)sat_conf_integer(at, "nice");
	}
	at = nearest(entry, module, "user");
	if (at != NULL)
		rc = read_user(m, at);
	at = nearest(entry, module, "cgroup");
	if (at != NULL)
		more = read_cgroup(m, at);
	return rc != 0 ? rc : more;
}
