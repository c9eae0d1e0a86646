/* SPDX-License-Identifier: Apache-2.0 */
/* instance - one configured module: judged, created, opened, started, stopped, destroyed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "account.h"
#include "client.h"
#include "http.h"
#include "instance.h"
#include "lead.h"
#include "listen.h"
#include "log.h"
#include "request.h"
#include "store.h"
#include "timer.h"
#include "topic.h"
#include "work.h"

/* What a group may hold beside the module's own options. */
static const struct sat_option *const host_options[] = {
	SAT_OPTION("module", SAT_STRING, .help = "the module, where the group is not named after it"),
	SAT_OPTION("isolate", SAT_BOOLEAN, .fallback = "false",
		   .help = "run its checks, or the source that it is, in a process of their own"),
	SAT_OPTION("isolate-memory", SAT_INTEGER, .fallback = "134217728", .min = 16 << 20, .max = 1e15,
		   .help = "bytes of memory that this process may hold"),
	NULL
};

static const struct sat_option *const no_options[] = { NULL };

static struct instance *creating;

bool instance_isolated(const struct sat_conf *group)
{
	return self_process.isolated == NULL && sat_conf_has(group, "isolate") && sat_conf_boolean(group, "isolate");
}

/* Why a process of its own would not do; NULL: it would. */
static const char *unfit(const struct sat_module *m)
{
	if (m->store != NULL || m->http_server != NULL || m->http_client != NULL || m->tls != NULL)
		return "serves other modules, which it can in this process only";
	if (m->routes != NULL || m->commands != NULL)
		return "has HTTP routes or commands, which this process answers";
	if (m->ops != NULL && (m->open != NULL || m->start != NULL))
		return "is handed events by streams, which run in this process, and would lose its queue with another";
	if (m->open != NULL && m->checks == NULL)
		return "is a door: what comes in is answered once the streams have run, and they run in this process";
	if (m->ops != NULL && m->checks == NULL)
		return "has operators only, and streams run in this process";
	if (m->checks == NULL && m->start == NULL)
		return "does nothing by itself";
	return NULL;
}

int instance_judge(const struct sat_module *m, const struct sat_conf *group)
{
	int rc = conf_judge(group, m->options != NULL ? m->options : no_options, host_options);
	const char *why = conf_usable(group) && instance_isolated(group) ? unfit(m) : NULL;

	if (why == NULL)
		return rc;
	return sat_conf_error(group, "isolate", "%s %s: only what has checks, or is a source of events, can be "
			      "isolated", m->name, why);
}

char *instance_text(const struct sat_conf *group)
{
	struct sat_buf b = { 0 };

	conf_canonical(group, NULL, &b);
	sat_buf_add(&b, "", 1);
	if (b.full)
		sat_buf_free(&b);
	return b.p;
}

struct instance *instance_new(const char *name, const struct sat_module *m,
			      const struct sat_conf *group, char *text)
{
	struct instance *i = calloc(1, sizeof(*i));

	if (i == NULL) {
		free(text);
		return NULL;
	}
	i->text = text;
	i->self.instance = i;
	i->self.module = m;
	i->self.conf = group;
	i->file = conf_ref(conf_of(group));
	if (conf_usable(group) && instance_isolated(group))
		i->self.isolated = &i->isolated;
	while (m->counters != NULL && m->counters[i->self.n_counters] != NULL)
		i->self.n_counters++;
	i->self.name = strdup(name);
	i->self.counters = calloc(i->self.n_counters + 1, sizeof(*i->self.counters));
	i->self.told = calloc(i->self.n_counters + 1, sizeof(*i->self.told));
	if (i->self.name != NULL && i->self.counters != NULL && i->text != NULL)
		return i;
	instance_free(i);
	return NULL;
}

struct instance_tie *instance_tie(struct instance *i, int kind, const char *name)
{
	struct instance_tie *tie = calloc(1, sizeof(*tie));

	if (tie == NULL)
		return NULL;
	tie->kind = kind;
	tie->name = strdup(name);
	if (tie->name == NULL) {
		free(tie);
		return NULL;
	}
	tie->next = i->ties;
	i->ties = tie;
	return tie;
}

int instance_create(struct instance *i)
{
	const struct sat_module *m = i->self.module;
	struct instance *outer = creating;
	unsigned before = conf_mistakes();
	int rc = 0;

	creating = i;
	if (m->create != NULL)
		rc = m->create(&i->self, i->self.conf, &i->self.state);
	creating = outer;
	/* Beside other mistakes it may be what follows of one. */
	if (rc != 0 && conf_mistakes() == before && (before == 0 || rc != -EINVAL))
		sat_conf_error(i->self.conf, NULL, "%s", strerror(-rc));
	i->stage = rc == 0 ? INSTANCE_CREATED : INSTANCE_CREATING;
	i->self.failed = rc != 0;
	return rc;
}

struct instance *instance_creating(void)
{
	return creating;
}

int instance_open(struct instance *i)
{
	bool here = i->self.isolated == NULL && i->self.module->open != NULL;
	int rc = here ? i->self.module->open(i->self.state) : 0;

	if (rc == 0)
		i->stage = INSTANCE_OPEN;
	return rc;
}

int instance_start(struct instance *i)
{
	int rc = i->self.module->start != NULL ? i->self.module->start(i->self.state) : 0;

	if (rc == 0) {
		i->stage = INSTANCE_RUNNING;
		http_ready(i->self.name, NULL);
		return 0;
	}
	log_line(LOG_ERR, i->self.name, "does not start: %s; next try in %d s", strerror(-rc),
		 INSTANCE_RETRY_MS / 1000);
	http_ready(i->self.name, "does not start");
	topic_forget(&i->self);		/* the next try says anew what it listens to */
	lead_forget(&i->self);
	i->retry = uv_now(self_process.loop) + INSTANCE_RETRY_MS;
	return rc;
}

int instance_serve(struct instance *i, bool on)
{
	int rc = 0;

	if (on == i->served)
		return 0;
	if (on)
		rc = http_add(&i->self);
	else
		http_remove(&i->self);
	i->served = on && rc == 0;
	if (rc != 0)
		log_line(LOG_ERR, i->self.name, "HTTP routes and commands: %s; next try in %d s", strerror(-rc),
			 INSTANCE_RETRY_MS / 1000);
	return rc;
}

/* Its last job may still be in work. */
static void drained(void *arg)
{
	struct instance *i = arg;

	i->stage = INSTANCE_STOPPED;
	if (i->stopped != NULL)
		i->stopped(i);
}

void sat_stopped(struct sat_self *self)
{
	struct instance *i = instance_of(self);

	if (i->stage == INSTANCE_STOPPING)
		work_drain(self, drained, i);
}

void instance_stop(struct instance *i, void (*stopped)(struct instance *i))
{
	bool runs = i->stage == INSTANCE_RUNNING;

	i->stopped = stopped;
	i->stage = INSTANCE_STOPPING;
	http_ready(i->self.name, NULL);
	instance_serve(i, false);
	if (i->halt != NULL)
		i->halt(i);
	else if (runs && i->self.isolated == NULL && i->self.module->stop != NULL)
		i->self.module->stop(i->self.state);
	else
		sat_stopped(&i->self);
}

static void free_ties(struct instance *i)
{
	for (struct instance_tie *tie = i->ties; tie != NULL; tie = i->ties) {
		i->ties = tie->next;
		store_drop(tie->link);
		free(tie->name);
		free(tie->text);
		free(tie);
	}
}

void instance_free(struct instance *i)
{
	if (i == NULL)
		return;
	timer_forget(&i->self);		/* what a module leaves set would fire in memory that is freed */
	if (i->stage != INSTANCE_CREATING && i->self.module->destroy != NULL)
		i->self.module->destroy(i->self.state);
	free_ties(i);
	account_forget(&i->self);
	client_forget(&i->self);
	request_forget(&i->self);
	lead_forget(&i->self);
	listen_release(&i->self);
	topic_forget(&i->self);
	work_forget(&i->self);
	conf_unref(i->file);
	free(i->self.name);
	free(i->self.counters);
	free(i->self.told);
	free(i->text);
	free(i);
}
