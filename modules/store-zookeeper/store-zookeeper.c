/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-zookeeper - the store that several masters share, as the JVM Satellite
 * laid it out: a key is a path under root, a value the data of its node.
 */
#include "zk.h"

static const struct sat_option *const options[] = {
	SAT_OPTION("hosts", SAT_STRING, .required = true, .help = "the servers: \"zk1:2181,zk2:2181\""),
	SAT_OPTION("root", SAT_STRING, .fallback = "/satellite", .help = "the node under which all of it lies"),
	SAT_OPTION("timeout", SAT_SECONDS, .fallback = "4", .min = 1, .max = 60,
		   .help = "without word from a server, try the next; the servers may allow only more"),
	SAT_OPTION("auth", SAT_STRING, .help = "who we are: \"digest:USER:PASSWORD\""),
	SAT_OPTION("acl", SAT_STRINGS, .fallback = "world:anyone:cdrwa",
		   .help = "of the nodes we make: \"SCHEME:ID:PERMISSIONS\" each"),
	NULL
};

static const struct sat_counter *const counters[] = {
	[COUNT_COMMITS] = SAT_COUNTER("commits", .help = "commits made"),
	[COUNT_REFUSED] = SAT_COUNTER("refused", .help = "commits that did not fit what was there"),
	[COUNT_ERRORS] = SAT_COUNTER("errors", .help = "commits that failed, or whose outcome is not known"),
	[COUNT_READS] = SAT_COUNTER("reads", .help = "nodes read"),
	[COUNT_EVENTS] = SAT_COUNTER("watch-events", .help = "changes that the servers told"),
	[COUNT_DISCONNECTS] = SAT_COUNTER("disconnects", .help = "connections lost"),
	[COUNT_EXPIRED] = SAT_COUNTER("sessions-expired", .help = "sessions that the servers ended"),
	[COUNT_SESSIONS] = SAT_COUNTER("sessions", .gauge = true, .help = "sessions there are"),
	[COUNT_NODES] = SAT_COUNTER("nodes", .gauge = true, .help = "nodes of the folder that changed last"),
	NULL
};

/* Of "cdrwa", in any order; 0: another letter, or none. */
static int parse_perms(const char *s)
{
	int perms = 0;

	for (; *s != '\0'; s++) {
		int perm = *s == 'c' ? ZOO_PERM_CREATE : *s == 'd' ? ZOO_PERM_DELETE : *s == 'r' ? ZOO_PERM_READ :
			   *s == 'w' ? ZOO_PERM_WRITE : *s == 'a' ? ZOO_PERM_ADMIN : 0;

		if (perm == 0)
			return 0;
		perms |= perm;
	}
	return perms;
}

/* SCHEME:ID:PERMISSIONS, in place; an id may hold ":". */
static int parse_acl(struct ACL *acl, const char *text)
{
	char *scheme = strdup(text), *id, *perms;

	if (scheme == NULL)
		return -ENOMEM;
	acl->id.scheme = scheme;
	id = strchr(scheme, ':');
	perms = strrchr(scheme, ':');
	if (id == NULL || id == scheme || perms == id)
		return -EINVAL;
	*id++ = *perms++ = '\0';
	acl->perms = parse_perms(perms);
	acl->id.id = strdup(id);
	return acl->id.id == NULL ? -ENOMEM : acl->perms == 0 ? -EINVAL : 0;
}

static int read_acl(struct zk *zk, const struct sat_conf *conf)
{
	const struct sat_conf *list = sat_conf_get(conf, "acl");
	size_t n;
	const char *const *texts = sat_conf_strings(conf, "acl", &n);
	int rc = 0;

	if (n == 0)
		return sat_conf_error(conf, "acl", "must not be empty");
	zk->acl.data = calloc(n, sizeof(*zk->acl.data));
	if (zk->acl.data == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int one = parse_acl(&zk->acl.data[zk->acl.count++], texts[i]);

		if (one == -EINVAL)
			sat_conf_error(sat_conf_at(list, i), NULL, "\"%s\" is not SCHEME:ID:PERMISSIONS, "
				       "such as \"auth::cdrwa\" or \"world:anyone:r\"", texts[i]);
		rc = rc != 0 ? rc : one;
	}
	return rc;
}

static int read_auth(struct zk *zk, const struct sat_conf *conf)
{
	const char *text = sat_conf_string(conf, "auth");
	char *colon;

	if (text == NULL)
		return 0;
	zk->auth_scheme = strdup(text);
	if (zk->auth_scheme == NULL)
		return -ENOMEM;
	colon = strchr(zk->auth_scheme, ':');
	if (colon == NULL || colon == zk->auth_scheme || colon[1] == '\0')
		return sat_conf_error(conf, "auth", "must be \"digest:USER:PASSWORD\", or SCHEME:WHAT");
	*colon = '\0';
	zk->auth = colon + 1;
	return 0;
}

static bool legal_root(const char *root)
{
	size_t len = strlen(root);

	return root[0] == '/' && (len == 1 || root[len - 1] != '/') && strstr(root, "//") == NULL &&
	       len < PATH_BYTES / 2 && strstr(root, "/./") == NULL && strstr(root, "/../") == NULL;
}

static int read_settings(struct zk *zk, const struct sat_conf *conf)
{
	int rc = 0, more;

	zk->hosts = strdup(sat_conf_string(conf, "hosts"));
	zk->root = strdup(sat_conf_string(conf, "root"));
	zk->timeout = (int)(sat_conf_time(conf, "timeout") / SAT_MS);
	if (zk->hosts == NULL || zk->root == NULL)
		return -ENOMEM;
	if (zk->hosts[0] == '\0')
		rc = sat_conf_error(conf, "hosts", "must name a server: \"zk1:2181,zk2:2181\"");
	if (!legal_root(zk->root))
		rc = sat_conf_error(conf, "root", "must be the path of a node, such as \"/satellite\"");
	more = read_auth(zk, conf);
	rc = rc != 0 ? rc : more;
	more = read_acl(zk, conf);
	return rc != 0 ? rc : more;
}

static void free_settings(struct zk *zk)
{
	for (int i = 0; i < zk->acl.count; i++) {
		free(zk->acl.data[i].id.scheme);
		free(zk->acl.data[i].id.id);
	}
	free(zk->acl.data);
	free(zk->auth_scheme);
	free(zk->hosts);
	free(zk->root);
}

/* A session whose thread hangs keeps what it points to. */
static void destroy(void *state)
{
	struct zk *zk = state;
	bool all = true;

	for (unsigned i = 0; i < zk->n_sessions; i++)
		all = session_end(zk->sessions[i]) && all;
	if (!all)
		return;
	folders_free(zk);
	for (unsigned i = 0; i < zk->n_sessions; i++)
		session_free(zk->sessions[i]);
	free_settings(zk);
	free(zk);
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct zk *zk = calloc(1, sizeof(*zk));
	int rc;

	if (zk == NULL)
		return -ENOMEM;
	zk->self = self;
	zoo_set_debug_level((ZooLogLevel)0);	/* what matters of it we say ourselves */
	rc = read_settings(zk, conf);
	while (rc == 0 && zk->n_sessions <= SESSION_HOME)
		rc = session_new(zk) != NULL ? 0 : -ENOMEM;
	if (rc != 0) {
		destroy(zk);
		return rc;
	}
	*state = zk;
	return 0;
}

static int start(void *state)
{
	struct zk *zk = state;

	int rc = news_start(zk);

	if (rc != 0)
		return rc;
	for (unsigned i = 0; i < zk->n_sessions; i++)
		session_open(zk->sessions[i]);
	return 0;
}

void zk_idle(struct zk *zk)
{
	if (!zk->stopping || zk->stopped)
		return;
	for (unsigned i = 0; i < zk->n_sessions; i++)
		if (zk->sessions[i]->state != SESSION_CLOSED || zk->sessions[i]->overdue)
			return;
	zk->stopped = true;
	sat_stopped(zk->self);
}

static void stop(void *state)
{
	struct zk *zk = state;

	zk->stopping = true;
	news_stop(zk);
	for (unsigned i = 0; i < zk->n_sessions; i++)
		session_close(zk->sessions[i]);
	zk_idle(zk);
}

SAT_MODULE(store_zookeeper, .name = "store-zookeeper", .version = SAT_VERSION,
	   .summary = "the store that masters share, in ZooKeeper", .options = options,
	   .create = create, .start = start, .stop = stop, .destroy = destroy, .counters = counters,
	   .store = &(const struct sat_store){ .size = sizeof(struct sat_store), .name = "zookeeper",
		   .commit = commit_make, .mirror = folder_mirror, .unmirror = folder_unmirror,
		   .flags = SAT_STORE_SHARED });
