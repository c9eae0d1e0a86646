/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup - one judged configuration: built as a whole, or refused.
 *
 * An instance whose settings are those of the running one is not built again:
 * both setups hold it until the old one has gone, and nothing has to move.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "listen.h"
#include "loader.h"
#include "log.h"
#include "setup.h"
#include "store.h"
#include "tls.h"

static struct setup *building;
static const struct setup *predecessor;	/* of the one being built; NULL: none */

struct instance *setup_find(const struct setup *s, const char *name)
{
	for (size_t k = 0; k < s->n; k++)
		if (strcmp(s->list[k]->self.name, name) == 0)
			return s->list[k];
	return NULL;
}

static int append(struct setup *s, struct instance *i)
{
	struct instance **list = realloc(s->list, (s->n + 1) * sizeof(*list));

	if (list == NULL)
		return -ENOMEM;
	s->list = list;
	s->list[s->n++] = i;
	i->users++;
	return 0;
}

/* What it needed has been put behind it: that starts first. */
static void move_to_end(struct setup *s, struct instance *i)
{
	size_t k = 0;

	while (s->list[k] != i)
		k++;
	memmove(s->list + k, s->list + k + 1, (s->n - k - 1) * sizeof(*s->list));
	s->list[s->n - 1] = i;
}

static void no_memory(struct setup *s)
{
	if (!s->no_memory)
		log_line(LOG_ERR, NULL, "configuration: out of memory");
	s->no_memory = true;
}

/* NULL: reported; else there is one, which may have failed. */
static struct instance *ensure(struct setup *s, const char *name, const struct sat_module *m,
			       const struct sat_conf *where);

/* The instance of this module: the first, or one named after it. */
static struct instance *ensure_module(struct setup *s, const struct sat_module *m,
				      const struct sat_conf *where)
{
	for (size_t k = 0; k < s->n; k++)
		if (strcmp(s->list[k]->self.module->name, m->name) == 0)
			return ensure(s, s->list[k]->self.name, m, where);
	return ensure(s, m->name, m, where);
}

/* What sat_need() names: a service, or else a module. */
static enum loader_kind kind_of_need(const char *name)
{
	static const char *const services[] = { "http-server", "http-client", "tls" };

	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++)
		if (strcmp(name, services[i]) == 0)
			return LOADER_SERVICE;
	return LOADER_MODULE;
}

/* Whether all that it took from outside its group is still there, the same. */
static bool same_ties(struct setup *s, const struct instance *i, const struct sat_conf *group)
{
	const struct instance_tie *tie;

	for (tie = i->ties; tie != NULL; tie = tie->next) {
		enum loader_kind kind = tie->kind == TIE_STORE ? LOADER_STORE : kind_of_need(tie->name);
		const struct sat_module *m;
		struct instance *of;
		const char *why;

		if (tie->kind == TIE_STRING || tie->kind == TIE_GROUP) {
			if (!top_same(tie))
				return false;
			continue;
		}
		m = loader_find(kind, tie->name, &why);
		of = m != NULL ? ensure_module(s, m, group) : NULL;
		if (of == NULL || of->self.failed || (tie->link != NULL && store_of(tie->link) != &of->self))
			return false;
	}
	return true;
}

/* The running one of that name, if it can go on as it is. */
static struct instance *take_over(struct setup *s, const char *name, const struct sat_module *m,
				  const struct sat_conf *group, const char *text)
{
	struct instance *i = predecessor != NULL ? setup_find(predecessor, name) : NULL;

	if (i == NULL || i->self.module != m || strcmp(i->text, text) != 0 || !same_ties(s, i, group))
		return NULL;
	return i;
}

/* Whether an entry of `checks` is of this module, by any of its keys. */
static bool entry_of(const struct sat_module *m, const struct sat_conf *entry)
{
	const struct sat_conf *s = conf_find(entry, "check");

	if (s != NULL)
		return sat_conf_value(s).kind == SAT_TEXT && loader_check(m, sat_conf_value(s).text) != NULL;
	for (size_t i = 0; i < sat_conf_count(entry); i++)
		if (sat_conf_is_group(entry) && loader_check(m, sat_conf_name(sat_conf_at(entry, i))) != NULL)
			return true;
	return false;
}

/* What a process of its own is told of beyond its group is among its settings. */
static void add_checks(struct setup *s, const struct sat_module *m, struct sat_buf *b)
{
	const struct sat_conf *list = top_get(s->top, "checks"), *prefix = top_get(s->top, "service-prefix");

	if (prefix != NULL)
		conf_write(prefix, NULL, b);
	for (size_t i = 0; list != NULL && sat_conf_is_list(list) && i < sat_conf_count(list); i++)
		if (entry_of(m, sat_conf_at(list, i)))
			conf_write(sat_conf_at(list, i), NULL, b);
}

/* Where the HTTP server listens is one of its settings, too. */
static char *settings_text(struct setup *s, const struct sat_module *m, const struct sat_conf *group)
{
	struct sat_buf b = { 0 };
	char *text = instance_text(group);
	bool serves = m->http_server != NULL && s->http_host != NULL, isolated = instance_isolated(group);

	if (text == NULL || !(serves || isolated))
		return text;
	sat_buf_printf(&b, "%s ", text);
	if (serves)
		sat_buf_printf(&b, "%s:%d", s->http_host, s->http_port);
	if (isolated)
		add_checks(s, m, &b);
	sat_buf_add(&b, "", 1);
	if (b.full)
		sat_buf_free(&b);
	free(text);
	return b.p;
}

static struct instance *make(struct setup *s, const char *name, const struct sat_module *m,
			     const struct sat_conf *group)
{
	bool judged = instance_judge(m, group) == 0;
	char *text = judged ? settings_text(s, m, group) : strdup("");
	struct instance *i = judged && text != NULL ? take_over(s, name, m, group, text) : NULL;
	bool taken = i != NULL;

	if (taken || text == NULL)
		free(text);
	else
		i = instance_new(name, m, group, text);
	if (i == NULL || append(s, i) != 0) {
		if (!taken)
			instance_free(i);
		no_memory(s);
		return NULL;
	}
	/* What is wrong in its group is as if not given: what create() finds is told in the same run. */
	i->self.failed = !judged && !conf_usable(group);
	if (!taken && !i->self.failed)
		instance_create(i);
	move_to_end(s, i);
	return i;
}

static struct instance *ensure(struct setup *s, const char *name, const struct sat_module *m,
			       const struct sat_conf *where)
{
	struct instance *i = setup_find(s, name);
	const struct sat_conf *group = top_get(s->top, name);

	if (i != NULL && i->stage == INSTANCE_CREATING && !i->self.failed) {
		sat_conf_error(where, NULL, "%s needs itself", name);
		return NULL;
	}
	if (i != NULL)
		return i;
	/* `checks` is a list at the top, and a module without options. */
	if (group == NULL || top_own(name))
		group = conf_empty(top_file(s->top), name, where);
	if (group == NULL) {
		no_memory(s);
		return NULL;
	}
	return make(s, name, m, group);
}

/* The module that has a name; NULL: reported. */
static const struct sat_module *locate(enum loader_kind kind, const char *what, const char *name,
				       const struct sat_conf *where, const char *setting)
{
	const char *why = "";
	const struct sat_module *m = loader_find(kind, name, &why);

	if (m == NULL && why != NULL && *why != '\0')
		sat_conf_error(where, setting, "%s %s: %s", what, name, why);
	else if (m == NULL)
		sat_conf_error(where, setting, "no module has the %s \"%s\"", what, name);
	return m;
}

/* ---- What names a module by itself -------------------------------------- */

static const struct sat_op *find_op(void *arg, const char *name, const struct sat_conf *where,
				    struct sat_self **self)
{
	struct setup *s = arg;
	const struct sat_module *m = locate(LOADER_OP, "operator", name, where, NULL);
	struct instance *i = m != NULL ? ensure_module(s, m, where) : NULL;

	if (i == NULL)
		return NULL;
	*self = &i->self;
	return loader_op(m, name);
}

static const struct sat_check *find_check(void *arg, const char *name, bool own_key,
					  const struct sat_conf *where, struct sat_self **self)
{
	struct setup *s = arg;
	const struct sat_module *m = locate(LOADER_CHECK, "check", name, where, NULL);
	const struct sat_check *check = m != NULL ? loader_check(m, name) : NULL;
	struct instance *i;

	if (check == NULL)
		return NULL;
	if (check->own_key != own_key) {
		sat_conf_error(where, NULL, own_key ? "is written { check = \"%s\"; … }" : "is written { %s = …; }",
			       name);
		return NULL;
	}
	i = ensure_module(s, m, where);
	if (i == NULL)
		return NULL;
	*self = &i->self;
	return check;
}

struct sat_link *sat_store_use(struct sat_self *self, const struct sat_conf *conf, const char *setting)
{
	const char *wanted = sat_conf_string(conf, setting);
	const struct sat_module *m;
	struct instance_tie *tie;
	struct instance *store;

	if (wanted == NULL || building == NULL || instance_creating() != instance_of(self))
		return NULL;
	m = locate(LOADER_STORE, "store", wanted, conf, setting);
	store = m != NULL ? ensure_module(building, m, conf_find(conf, setting) != NULL ? conf_find(conf, setting) : conf)
			  : NULL;
	if (store == NULL || store->self.failed)
		return NULL;
	tie = instance_tie(instance_of(self), TIE_STORE, wanted);
	if (tie != NULL)
		tie->link = store_link(self, &store->self);
	if (tie == NULL || tie->link == NULL) {
		no_memory(building);
		return NULL;
	}
	return tie->link;
}

int sat_need(struct sat_self *self, const struct sat_conf *conf, const char *service)
{
	enum loader_kind kind = kind_of_need(service);
	const struct sat_module *m;
	struct instance *i;

	if (building == NULL || instance_creating() != instance_of(self))
		return -EINVAL;
	m = locate(kind, kind == LOADER_SERVICE ? "service" : "name", service, conf, NULL);
	i = m != NULL ? ensure_module(building, m, conf) : NULL;
	if (i == NULL || i->self.failed)
		return -EINVAL;
	if (instance_tie(instance_of(self), TIE_SERVICE, service) != NULL)
		return 0;
	no_memory(building);
	return -ENOMEM;
}

struct sat_tls *sat_tls_new(struct sat_self *self, const struct sat_conf *group, bool server)
{
	const struct sat_module *m;

	if (sat_need(self, group, "tls") != 0)
		return NULL;
	m = locate(LOADER_SERVICE, "service", "tls", group, NULL);
	return m != NULL ? tls_new(self, m->tls, group, server) : NULL;
}

/* ---- Building ----------------------------------------------------------- */

/* A group may say which module it is for; else it is the one of its name. */
static const struct sat_module *module_of(const struct setup *s, const char *name,
					  const struct sat_conf *where)
{
	const struct sat_conf *group = top_get(s->top, name), *module = NULL;

	if (group != NULL && sat_conf_is_group(group))
		module = conf_find(group, "module");
	if (module == NULL)
		return locate(LOADER_MODULE, "name", name, where, NULL);
	if (sat_conf_value(module).kind == SAT_TEXT)
		return locate(LOADER_MODULE, "name", sat_conf_value(module).text, module, NULL);
	sat_conf_error(module, NULL, "is not a string");
	return NULL;
}

static void build_module(struct setup *s, const char *name, const struct sat_conf *where)
{
	const struct sat_module *m = module_of(s, name, where);

	if (m != NULL)
		ensure(s, name, m, where);
}

static void build_modules(struct setup *s, const struct setup_role *role)
{
	const struct sat_conf *list = top_get(s->top, "modules");
	const char *const *names = top_modules(s->top);

	for (size_t k = 0; list == NULL && role->modules[k] != NULL; k++)
		build_module(s, role->modules[k], conf_root(top_file(s->top)));
	for (size_t k = 0; names[k] != NULL; k++)
		build_module(s, names[k], sat_conf_at(list, k));
}

/* The server, and events over it as they come, and /metrics, where there are modules for these. */
static void build_http(struct setup *s, const struct setup_role *role)
{
	static const char *const also[] = { "push", "metrics" };
	const struct sat_conf *root = conf_root(top_file(s->top));
	const char *why;
	const struct sat_module *m;

	if (!top_http(s->top, role->http, &s->http_host, &s->http_port))
		return;
	m = locate(LOADER_SERVICE, "service", "http-server", root, NULL);
	if (m != NULL)
		s->http = ensure_module(s, m, root);
	for (size_t i = 0; i < sizeof(also) / sizeof(*also); i++) {
		m = loader_find(LOADER_MODULE, also[i], &why);
		if (m != NULL)
			ensure_module(s, m, root);
	}
}

static void build_streams(struct setup *s, const struct setup_role *role)
{
	const struct stream_finder ops = { .find = find_op, .arg = s };
	const struct check_finder checks = { .find = find_check, .arg = s };

	s->streams = streams_build(top_file(s->top), top_get(s->top, "streams"), top_get(s->top, "define"),
				   role->stream, &ops);
	s->checks = checks_build(top_file(s->top), top_get(s->top, "checks"), sat_top_string("service-prefix"),
				 &checks);
	if (s->streams == NULL || s->checks == NULL)
		s->refused = true;
}

/* What is listed was looked at already, whatever came of it. */
static bool listed(const struct setup *s, const char *name)
{
	for (const char *const *names = top_modules(s->top); *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* A group that nothing uses starts nothing, but must be right. */
static void judge_rest(struct setup *s)
{
	const struct sat_conf *root = conf_root(top_file(s->top));

	for (size_t k = 0; k < sat_conf_count(root); k++) {
		const struct sat_conf *group = sat_conf_at(root, k);
		const char *name = sat_conf_name(group);
		const struct sat_module *m;

		if (!sat_conf_is_group(group) || top_own(name) || top_known(s->top, group) ||
		    setup_find(s, name) != NULL || listed(s, name))
			continue;
		m = module_of(s, name, group);
		if (m != NULL)
			instance_judge(m, group);
	}
}

static bool watches_mesos(const struct setup *s)
{
	for (size_t k = 0; k < s->n; k++)
		if (strcmp(s->list[k]->self.module->name, "mesos-master") == 0)
			return true;
	return false;
}

struct sat_self *setup_shared_store(const struct setup *s)
{
	for (size_t k = 0; k < s->n; k++) {
		const struct sat_store *store = s->list[k]->self.module->store;

		if (store != NULL && store->size >= sizeof(*store) && (store->flags & SAT_STORE_SHARED))
			return &s->list[k]->self;
	}
	return NULL;
}

struct setup *setup_build(struct top *top, const struct setup_role *role, const struct setup *running)
{
	struct setup *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		top_free(top);
		return NULL;
	}
	s->top = top;
	building = s;
	predecessor = running;
	top_use(top);
	build_http(s, role);
	build_modules(s, role);
	build_streams(s, role);
	if (self_process.isolated == NULL)
		judge_rest(s);
	s->tells = top_self(top, role->tells);
	s->leader = self_process.isolated != NULL ? LEAD_MESOS		/* and nobody says who acts */
		  : top_leader(top, watches_mesos(s), setup_shared_store(s) != NULL);
	building = NULL;
	predecessor = NULL;
	top_use(running != NULL ? running->top : NULL);
	if (conf_mistakes() == 0 && !s->no_memory && !s->refused)
		return s;
	setup_free(s);
	return NULL;
}

void setup_free(struct setup *s)
{
	if (s == NULL)
		return;
	checks_free(s->checks);
	streams_free(s->streams);
	while (s->n > 0) {
		struct instance *i = s->list[--s->n];

		if (--i->users == 0)
			instance_free(i);
	}
	free(s->list);
	top_free(s->top);
	free(s);
}

static bool stays(void *arg, const struct sat_self *self)
{
	const struct setup *s = arg;

	for (size_t k = 0; k < s->n; k++)
		if (&s->list[k]->self == self)
			return true;
	return false;
}

int setup_open(struct setup *s)
{
	for (size_t k = 0; k < s->n; k++) {
		struct instance *i = s->list[k];
		int rc = i->stage == INSTANCE_CREATED ? instance_open(i) : 0;

		if (rc == 0 && i == s->http && i->stage == INSTANCE_OPEN && i->users == 1)
			rc = i->self.module->http_server->listen(i->self.state, s->http_host, s->http_port);
		if (rc == -EADDRINUSE && sat_dry_run()) {
			log_line(LOG_NOTICE, i->self.name, "a dry run goes on without it");
			i->stage = INSTANCE_CREATED;	/* and it is not started */
			rc = 0;
		}
		if (rc != 0)
			return rc;
	}
	return listen_check(stays, s);
}
