/* SPDX-License-Identifier: Apache-2.0 */
/* tell - what changed in the cluster, as events: a task's state, an agent's stand, a framework's presence. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mesos.h"

#define OLD	(60 * SAT_SECOND)	/* a change found so late counts from when it was found */

struct attrs {
	struct sat_attr all[8];
	uint32_t n;
};

/* By key, as an event wants them; what is not known is left out. */
static void attr(struct attrs *a, const char *key, const char *value)
{
	if (value[0] != '\0')
		a->all[a->n++] = (struct sat_attr){ key, value };
}

/* "Command exited with status 3", "… terminated with signal Killed". */
static void find_exit(const char *message, char *to, size_t size)
{
	const char *at = strstr(message, "exited with status ");

	to[0] = '\0';
	if (at != NULL)
		snprintf(to, size, "%ld", strtol(at + strlen("exited with status "), NULL, 10));
	else if ((at = strstr(message, "terminated with signal ")) != NULL)
		snprintf(to, size, "%s", at + strlen("terminated with "));
}

static bool is_recent(int64_t time)
{
	return time > sat_wall() - OLD && time <= sat_wall();
}

/* One of a task, and what its texts are in. */
struct task_event {
	struct sat_event ev;
	struct attrs attrs;
	char exit[64];
};

static void make_event(const struct mesos *m, const struct model_task *t, struct task_event *e)
{
	const struct model_agent *agent = model_agent(&m->model, t->agent);
	const struct model_framework *f = model_framework(&m->model, t->framework);
	struct attrs *a = &e->attrs;

	e->ev = (struct sat_event){
		.size = sizeof(e->ev), .has = SAT_HAS_TTL, .service = "mesos/tasks", .ttl = m->ttl,
		.state = model_word(&m->model, t->state),
		.description = t->message[0] != '\0' ? t->message : NULL,
		.host = agent != NULL ? agent->host : t->agent[0] != '\0' ? t->agent : "unknown",
	};
	find_exit(t->message, e->exit, sizeof(e->exit));
	a->n = 0;
	attr(a, "agent", t->agent);
	attr(a, "exit", e->exit);
	attr(a, "framework", f != NULL && f->name[0] != '\0' ? f->name : t->framework);
	attr(a, "framework-id", t->framework);
	attr(a, "name", t->name);
	attr(a, "reason", model_word(&m->model, t->reason));
	attr(a, "source", model_word(&m->model, t->source));
	attr(a, "task", t->id);
	e->ev.attrs = a->all;
	e->ev.n_attrs = a->n;
}

/* For who keeps records: with the time it has, however long ago. */
static void publish_task(struct mesos *m, const struct sat_event *ev, int64_t time)
{
	struct sat_event one = *ev;
	const struct sat_event *const evs[] = { &one };

	one.has |= time != 0 ? SAT_HAS_TIME : 0;
	one.time = time;
	sat_publish(m->self, "mesos/tasks", &(struct sat_item){ .evs = evs, .n = 1 }, false);
}

/* Where Mesos has no time of it, there is none. */
void tell_past(struct mesos *m, const struct model_task *t)
{
	struct task_event e;

	make_event(m, t, &e);
	e.ev.has |= SAT_HAS_TAGS;
	e.ev.tags = (const char *const[]){ "past" };
	e.ev.n_tags = 1;
	publish_task(m, &e.ev, t->time > 0 ? t->time : 0);
}

/*
 * An agent that came back to a new leader brought what was so before anybody watched; or what was told long
 * ago, and is not in the model, since agents remember more of what ended than a Mesos master does.
 */
static bool is_past(const struct mesos *m, const struct model_task *t)
{
	const struct model_agent *a = model_agent(&m->model, t->agent);

	if (t->told != 0 || t->time <= 0)
		return false;
	return (t->time < m->since && (a == NULL || !a->based)) || (t->time < m->before && model_ended(&m->model, t));
}

int tell_task(void *arg, const struct model_task *t)
{
	struct mesos *m = arg;
	struct task_event e;

	if (is_past(m, t)) {
		if (model_ended(&m->model, t))
			tell_past(m, t);
		return 0;
	}
	make_event(m, t, &e);
	publish_task(m, &e.ev, t->time > 0 ? t->time : sat_wall());
	if (is_recent(t->time)) {
		e.ev.has |= SAT_HAS_TIME;
		e.ev.time = t->time;
	}
	return sat_emit_event(m->self, &e.ev);
}

/* What an event that an agent went does not know for certain. */
static const char *doubt_of(const struct model_agent *a, enum model_stand now)
{
	if (now != a->verdict || a->doubt == DOUBT_NONE)
		return NULL;
	if (a->doubt == DOUBT_WHICH)
		return "it went with others: by its figures Mesos lost some of them and not the rest, and does not say "
		       "which: taken for what it is likeliest";
	return now == MODEL_UNREACHABLE ? "it went, and Mesos did not say why: it was inactive before"
					: "it went, and Mesos did not say why: it was active before";
}

int tell_agent(void *arg, const struct model_agent *agent, enum model_stand now)
{
	struct mesos *m = arg;
	struct attrs a = { .n = 0 };
	struct sat_event ev = {
		.size = sizeof(ev), .has = SAT_HAS_TTL, .host = agent->host, .service = "mesos/agent",
		.state = model_stand_name(now), .ttl = m->ttl, .description = doubt_of(agent, now),
	};

	attr(&a, "agent", agent->id);
	attr(&a, "pid", agent->pid);
	attr(&a, "version", agent->version);
	ev.attrs = a.all;
	ev.n_attrs = a.n;
	return sat_emit_event(m->self, &ev);
}

/* The host is the Mesos master's: schedulers of many frameworks may share one. */
int tell_framework(void *arg, const struct model_framework *f, enum model_presence now)
{
	struct mesos *m = arg;
	struct attrs a = { .n = 0 };
	struct sat_event ev = {
		.size = sizeof(ev), .has = SAT_HAS_TTL, .host = m->host, .service = "mesos/framework",
		.state = model_presence_name(now), .ttl = m->ttl,
	};

	attr(&a, "framework", f->name[0] != '\0' ? f->name : f->id);
	attr(&a, "framework-id", f->id);
	attr(&a, "principal", f->principal);
	attr(&a, "role", f->role);
	attr(&a, "scheduler", f->host);
	attr(&a, "user", f->user);
	ev.attrs = a.all;
	ev.n_attrs = a.n;
	return sat_emit_event(m->self, &ev);
}
