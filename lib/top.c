/* SPDX-License-Identifier: Apache-2.0 */
/* top - the settings at the top of the file, and what modules may read of them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "account.h"
#include "instance.h"
#include "origin.h"
#include "top.h"

#define DEFAULT_STATE_DIR "/var/lib/satellite"

static const struct sat_option *const http_options[] = {
	SAT_OPTION("host", SAT_STRING, .fallback = "127.0.0.1", .help = "address to listen on"),
	SAT_OPTION("port", SAT_INTEGER, .fallback = "5001", .min = 1, .max = 65535, .help = "TCP port"),
	SAT_OPTION("origins", SAT_STRINGS, .help = "web pages of other origins that may change something"),
	NULL
};

static const struct sat_option *const index_options[] = {
	SAT_OPTION("ttl", SAT_NUMBER, .fallback = "60", .min = 1, .max = 1e9,
		   .help = "seconds that an event without ttl is good for"),
	SAT_OPTION("reap", SAT_SECONDS, .fallback = "10", .min = 0.1, .max = 86400,
		   .help = "seconds between two looks for what expired"),
	SAT_OPTION("keep-keys", SAT_STRINGS, .fallback = "host service",
		   .help = "fields that an expired event keeps, or all"),
	SAT_OPTION("max", SAT_INTEGER, .fallback = "4000000", .min = 1, .max = 1e9, .help = "entries at most"),
	NULL
};

static const struct sat_option *const log_options[] = {
	SAT_OPTION("file", SAT_STRING, .help = "file to append to; default: stderr"),
	SAT_OPTION("level", SAT_STRING, .fallback = "info", .help = "error, warning, notice, info or debug"),
	NULL
};

static const struct sat_option *const self_options[] = {
	SAT_OPTION("interval", SAT_SECONDS, .min = 0, .max = 86400,
		   .help = "seconds between two events of each kind about itself; 0: none"),
	NULL
};

static const struct sat_option *const top_options[] = {
	SAT_OPTION("role", SAT_STRING, .help = "master or slave"),
	SAT_OPTION("state-dir", SAT_STRING, .help = "folder for what must survive a restart"),
	SAT_OPTION("host", SAT_STRING, .help = "this host, as Mesos knows it; default: its host name"),
	SAT_OPTION("service-prefix", SAT_STRING, .fallback = "mesos/slave/",
		   .help = "before the service of every check"),
	SAT_OPTION("http", SAT_GROUP, .inner = http_options, .help = "where HTTP is served"),
	SAT_OPTION("modules", SAT_STRINGS, .help = "what is to run"),
	SAT_OPTION("streams", SAT_NODES, .help = "where events go"),
	SAT_OPTION("define", SAT_GROUP, .help = "streams with a name"),
	SAT_OPTION("checks", SAT_ANY, .help = "what a slave looks at"),
	SAT_OPTION("index", SAT_GROUP, .inner = index_options, .help = "the latest events"),
	SAT_OPTION("memory-max", SAT_INTEGER, .min = (double)ACCOUNT_LEAST, .max = 1e15,
		   .help = "bytes that may be held; default: a quarter of the memory there is"),
	SAT_OPTION("leader", SAT_STRING, .help = "who acts: mesos, zookeeper, always"),
	SAT_OPTION("record", SAT_STRING, .help = "file for the events that come in, as replay reads them"),
	SAT_OPTION("record-max", SAT_INTEGER, .fallback = "268435456", .min = 65536, .max = 1e12,
		   .help = "bytes of that file; the one before is kept as FILE.1"),
	SAT_OPTION("save", SAT_SECONDS, .fallback = "300", .min = 1, .max = 86400,
		   .help = "how often what a restart is to know is saved"),
	SAT_OPTION("self", SAT_GROUP, .inner = self_options, .help = "what it tells of itself"),
	SAT_OPTION("log", SAT_GROUP, .inner = log_options, .help = "where the log goes"),
	NULL
};

#define N_OPTIONS (sizeof(top_options) / sizeof(*top_options) - 1)

struct top {
	struct conf *file;
	const struct sat_conf *root;
	const struct sat_conf **known;		/* groups asked for by name */
	size_t n_known;
	size_t n_groups;			/* options for groups that are a module's */
	struct sat_option *groups;
	const struct sat_option **options;	/* ours and these, NULL-ended */
};

static struct top *in_use;

bool top_own(const char *name)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (strcmp(top_options[i]->name, name) == 0)
			return true;
	return false;
}

/* Whether `modules` names it, so that what is wrong is that it is no group. */
static bool listed(const struct sat_conf *root, const char *name)
{
	const struct sat_conf *list = conf_find(root, "modules");

	for (size_t i = 0; list != NULL && i < sat_conf_count(list); i++) {
		struct sat_value v = sat_conf_value(sat_conf_at(list, i));

		if (v.kind == SAT_TEXT && strcmp(v.text, name) == 0)
			return true;
	}
	return false;
}

/* Any group may be a module's: setup will see. */
static int allow_groups(struct top *t)
{
	size_t n = sat_conf_count(t->root);

	t->groups = calloc(n + 1, sizeof(*t->groups));
	t->known = calloc(n + 1, sizeof(*t->known));
	t->options = calloc(N_OPTIONS + n + 1, sizeof(*t->options));
	if (t->groups == NULL || t->known == NULL || t->options == NULL)
		return -ENOMEM;
	memcpy(t->options, top_options, N_OPTIONS * sizeof(*t->options));
	for (size_t i = 0; i < n; i++) {
		const struct sat_conf *s = sat_conf_at(t->root, i);
		struct sat_option *o = &t->groups[t->n_groups];

		if (top_own(sat_conf_name(s)) || !(sat_conf_is_group(s) || listed(t->root, sat_conf_name(s))))
			continue;
		*o = (struct sat_option){ .size = sizeof(*o), .name = sat_conf_name(s), .type = SAT_ANY };
		t->options[N_OPTIONS + t->n_groups++] = o;
	}
	return 0;
}

static int level_of(const char *name)
{
	static const struct { const char *name; int level; } levels[] = {
		{ "error", LOG_ERR }, { "warning", LOG_WARNING }, { "notice", LOG_NOTICE },
		{ "info", LOG_INFO }, { "debug", LOG_DEBUG },
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
		if (strcmp(levels[i].name, name) == 0)
			return levels[i].level;
	return -EINVAL;
}

static void one_of(const struct top *t, const char *name, const char *a, const char *b, const char *c)
{
	const char *s = sat_conf_string(t->root, name);

	if (s != NULL && strcmp(s, a) != 0 && strcmp(s, b) != 0 && strcmp(s, c) != 0)
		sat_conf_error(t->root, name, "\"%s\" is none of %s, %s, %s", s, a, b, c);
}

static void judge_origins(const struct top *t)
{
	const struct sat_conf *http = sat_conf_get(t->root, "http");
	const char *const *list = NULL;

	if (http != NULL && sat_conf_is_group(http))
		list = sat_conf_strings(http, "origins", NULL);
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		if (!origin_valid(list[i]))
			sat_conf_error(sat_conf_at(sat_conf_get(http, "origins"), i), NULL,
				       "\"%s\" is not like \"http://HOST:PORT\"", list[i]);
}

static void judge_values(const struct top *t)
{
	const char *host = sat_conf_string(t->root, "host");
	const char *dir = sat_conf_string(t->root, "state-dir");
	const char *record = sat_conf_string(t->root, "record");
	const struct sat_conf *log = sat_conf_get(t->root, "log");

	one_of(t, "role", "master", "slave", "agent");
	one_of(t, "leader", "mesos", "always", "zookeeper");
	judge_origins(t);
	if (host != NULL && (*host == '\0' || strlen(host) > 253))
		sat_conf_error(t->root, "host", "is not a host name");
	if (dir != NULL && *dir == '\0')
		sat_conf_error(t->root, "state-dir", "is empty");
	if (record != NULL && *record == '\0')
		sat_conf_error(t->root, "record", "is empty: it is the file to write to");
	if (log != NULL && sat_conf_is_group(log) && sat_conf_string(log, "level") != NULL &&
	    level_of(sat_conf_string(log, "level")) < 0)
		sat_conf_error(log, "level", "\"%s\" is not error, warning, notice, info or debug",
			       sat_conf_string(log, "level"));
}

struct top *top_judge(struct conf *file)
{
	struct top *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		conf_unref(file);
		return NULL;
	}
	t->file = file;
	t->root = conf_root(file);
	if (allow_groups(t) != 0) {
		top_free(t);
		return NULL;
	}
	conf_judge(t->root, t->options, NULL);
	judge_values(t);
	return t;
}

void top_free(struct top *t)
{
	if (t == NULL)
		return;
	if (in_use == t)
		in_use = NULL;
	conf_unref(t->file);
	free(t->groups);
	free(t->known);
	free(t->options);
	free(t);
}

struct conf *top_file(const struct top *t)
{
	return t->file;
}

void top_use(struct top *t)
{
	in_use = t;
}

const struct sat_conf *top_get(const struct top *t, const char *name)
{
	return conf_find(t->root, name);
}

bool top_known(const struct top *t, const struct sat_conf *group)
{
	for (size_t i = 0; i < t->n_known; i++)
		if (t->known[i] == group)
			return true;
	return false;
}

const char *top_role(const struct top *t)
{
	const char *role = sat_conf_string(t->root, "role");

	return role != NULL && strcmp(role, "agent") == 0 ? "slave" : role;
}

char *top_host(const struct top *t)
{
	const char *host = sat_conf_string(t->root, "host");
	char name[256];

	if (host != NULL)
		return strdup(host);
	if (gethostname(name, sizeof(name)) != 0)
		return strdup("localhost");
	name[sizeof(name) - 1] = '\0';
	return strdup(name);
}

char *top_absolute(const char *path)
{
	char cwd[PATH_MAX], *full = NULL;
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	if (*path == '/')
		return strndup(path, n);
	if (getcwd(cwd, sizeof(cwd)) == NULL || asprintf(&full, "%s/%.*s", cwd, (int)n, path) < 0)
		return NULL;
	return full;
}

/*
 * Not told where: the system's folder, if it is ours to use, else the user's
 * own, as the XDG base directory specification has it.
 */
char *top_state_dir(const struct top *t)
{
	const char *dir = sat_conf_string(t->root, "state-dir");
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int n = 0;

	if (dir != NULL)
		return top_absolute(dir);
	if (geteuid() == 0 || access(DEFAULT_STATE_DIR, W_OK | X_OK) == 0)
		return strdup(DEFAULT_STATE_DIR);
	if (state != NULL && *state == '/')
		n = asprintf(&path, "%s/satellite", state);
	else if (home != NULL && *home == '/')
		n = asprintf(&path, "%s/.local/state/satellite", home);
	else
		return strdup(DEFAULT_STATE_DIR);
	return n < 0 ? NULL : path;
}

const char *top_log_file(const struct top *t)
{
	const struct sat_conf *log = sat_conf_get(t->root, "log");

	return log != NULL ? sat_conf_string(log, "file") : NULL;
}

int top_log_level(const struct top *t)
{
	const struct sat_conf *log = sat_conf_get(t->root, "log");

	return log != NULL ? level_of(sat_conf_string(log, "level")) : LOG_INFO;
}

/* The group's own, or an empty one that has all the defaults. */
static const struct sat_conf *group_or_empty(const struct top *t, const char *name,
					     const struct sat_option *const *options)
{
	const struct sat_conf *group = sat_conf_get(t->root, name);

	if (group == NULL) {
		group = conf_empty(t->file, name, NULL);
		if (group != NULL && conf_judge(group, options, NULL) != 0)
			group = NULL;
	}
	return group;
}

bool top_http(const struct top *t, bool otherwise, const char **host, int *port)
{
	const struct sat_conf *http = sat_conf_get(t->root, "http");

	if (http == NULL ? !otherwise : !sat_conf_is_group(http))
		return false;
	http = group_or_empty(t, "http", http_options);
	*host = http != NULL ? sat_conf_string(http, "host") : "127.0.0.1";
	*port = http != NULL ? (int)sat_conf_integer(http, "port") : 5001;
	return true;
}

const char *const *top_origins(const struct top *t)
{
	const struct sat_conf *http = sat_conf_get(t->root, "http");

	return http != NULL && sat_conf_is_group(http) ? sat_conf_strings(http, "origins", NULL) : NULL;
}

void top_index(const struct top *t, struct index_conf *c)
{
	const struct sat_conf *index = group_or_empty(t, "index", index_options);

	*c = *index_settings();
	if (index == NULL)
		return;
	c->ttl = sat_conf_number(index, "ttl");
	c->reap = sat_conf_time(index, "reap");
	c->max = (size_t)sat_conf_integer(index, "max");
	c->keep = sat_conf_strings(index, "keep-keys", NULL);
	c->keep_all = c->keep[0] != NULL && c->keep[1] == NULL && strcmp(c->keep[0], "all") == 0;
}

int64_t top_save(const struct top *t)
{
	return sat_conf_time(t->root, "save");
}

char *top_record(const struct top *t, size_t *max)
{
	const char *path = sat_conf_string(t->root, "record");
	char *full = NULL;

	*max = (size_t)sat_conf_integer(t->root, "record-max");
	if (path == NULL)
		return NULL;
	if (*path == '/')
		return strdup(path);
	return asprintf(&full, "%s/%s", sat_state_dir(), path) < 0 ? NULL : full;
}

int64_t top_memory(const struct top *t)
{
	return sat_conf_has(t->root, "memory-max") ? sat_conf_integer(t->root, "memory-max") : account_default("");
}

int64_t top_self(const struct top *t, int64_t otherwise)
{
	const struct sat_conf *self = group_or_empty(t, "self", self_options);

	if (self == NULL || !sat_conf_has(self, "interval"))
		return otherwise;
	return sat_conf_time(self, "interval");
}

enum lead_mode top_leader(const struct top *t, bool watches_mesos, bool shares)
{
	const char *leader = sat_conf_string(t->root, "leader");

	if (leader == NULL)
		return watches_mesos ? LEAD_MESOS : shares ? LEAD_STORE : LEAD_ALWAYS;
	if (strcmp(leader, "zookeeper") == 0 && !shares)
		sat_conf_error(t->root, "leader", "needs a store that masters share: store-zookeeper");
	return strcmp(leader, "mesos") == 0 ? LEAD_MESOS : strcmp(leader, "zookeeper") == 0 ? LEAD_STORE : LEAD_ALWAYS;
}

const char *const *top_modules(const struct top *t)
{
	return sat_conf_strings(t->root, "modules", NULL);
}

/* What an instance reads here must be the same for it to outlive a reload. */
static void note(struct instance *i, int kind, const char *name, const char *text,
		 const struct sat_option *const *options)
{
	struct instance_tie *tie = i != NULL ? instance_tie(i, kind, name) : NULL;

	if (tie == NULL)
		return;
	tie->text = text != NULL ? strdup(text) : NULL;
	tie->options = options;
}

/* One of another type has been complained of: the rest is judged as without it. */
static const char *top_string(const char *name)
{
	const struct sat_conf *s = in_use != NULL ? conf_find(in_use->root, name) : NULL;

	if (s != NULL && sat_conf_value(s).kind == SAT_TEXT)
		return sat_conf_value(s).text;
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (strcmp(top_options[i]->name, name) == 0 && top_options[i]->type == SAT_STRING)
			return top_options[i]->fallback;
	return NULL;
}

const char *sat_top_string(const char *name)
{
	const char *text = top_string(name);

	note(instance_creating(), TIE_STRING, name, text, NULL);
	return text;
}

/* Judged; NULL and *rc as of sat_top_group(). */
static const struct sat_conf *top_group(const char *name, const struct sat_option *const *options, int *rc)
{
	const struct sat_conf *group = in_use != NULL ? conf_find(in_use->root, name) : NULL;

	*rc = 0;
	if (group == NULL)
		return NULL;
	if (options == NULL)
		return sat_conf_is_group(group) ? group : NULL;
	if (!sat_conf_is_group(group)) {
		*rc = sat_conf_error(group, NULL, "is not a group");
		return NULL;
	}
	if (!top_known(in_use, group))
		in_use->known[in_use->n_known++] = group;
	*rc = conf_judge(group, options, NULL);
	return conf_usable(group) ? group : NULL;
}

const struct sat_conf *sat_top_group(struct sat_self *self, const char *name,
				     const struct sat_option *const *options, int *rc)
{
	const struct sat_conf *group = top_group(name, options, rc);
	char *text;

	if (group != NULL && *rc != 0)
		*rc = 0;	/* reported; whoever reads it looks for more */
	if (*rc != 0 || instance_creating() != instance_of(self))
		return group;
	text = group != NULL ? instance_text(group) : NULL;
	note(instance_of(self), TIE_GROUP, name, text, options);
	free(text);
	return group;
}

bool top_same(const struct instance_tie *tie)
{
	const struct sat_conf *group;
	const char *now;
	char *text = NULL;
	bool same;
	int rc = 0;

	if (tie->kind == TIE_STRING) {
		now = top_string(tie->name);
	} else {
		group = top_group(tie->name, tie->options, &rc);
		now = text = group != NULL ? instance_text(group) : NULL;
	}
	same = rc == 0 && (now == NULL || tie->text == NULL ? now == tie->text : strcmp(now, tie->text) == 0);
	free(text);
	return same;
}
