/* SPDX-License-Identifier: Apache-2.0 */
/* events - what this module tells: figures, who leads, agents, frameworks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mesos.h"

void mesos_say(struct mesos *m, const char *service, const struct sat_value *v, const char *state,
	       const char *description)
{
	struct sat_event ev = {
		.size = sizeof(ev), .has = SAT_HAS_TTL, .host = m->host, .service = service,
		.state = state, .description = description, .ttl = m->ttl,
	};

	if (v->kind == SAT_INT) {
		ev.has |= SAT_HAS_INT;
		ev.metric.i = v->i;
	} else {
		ev.has |= SAT_HAS_DOUBLE;
		ev.metric.d = v->d;
	}
	sat_emit_event(m->self, &ev);	/* a full queue is counted by the host */
}

static void say_count(struct mesos *m, const char *service, size_t n)
{
	mesos_say(m, service, &(struct sat_value){ .kind = SAT_INT, .i = (int64_t)n }, "ok", NULL);
}

void mesos_say_figure(void *arg, const char *key, const struct sat_value *v)
{
	char service[1100];

	snprintf(service, sizeof(service), "mesos/%s", key);
	mesos_say(arg, service, v, "ok", NULL);
}

/* One that cannot be heard does not count as leading, but nobody knows. */
void mesos_say_leader(struct mesos *m, bool heard)
{
	const char *text = m->leads == 1 ? "the Mesos master here leads" : "the Mesos master here does not lead";
	char other[1200];

	if (m->leads != 1 && m->elected == 1 && (m->n_masters > 1 || m->named != NULL)) {
		snprintf(other, sizeof(other), "the Mesos master here does not lead: %s does", m->url);
		text = other;
	}

	mesos_say(m, "mesos/leader", &(struct sat_value){ .kind = SAT_INT, .i = m->leads == 1 },
		  heard ? "ok" : "unknown", heard ? text : "the Mesos master here does not answer");
}

static void say_resource(struct mesos *m, const char *name, const char *what, double d)
{
	char service[320];

	snprintf(service, sizeof(service), "mesos/frameworks/%s/%s", name, what);
	mesos_say(m, service, &(struct sat_value){ .kind = SAT_DOUBLE, .d = d }, "ok", NULL);
}

static int by_name(const void *a, const void *b)
{
	const struct model_framework *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static size_t list_frameworks(const struct model *model, const struct model_framework **list)
{
	const struct model_framework *f;
	size_t n = 0;

	for (f = model_next_framework(model, NULL); f != NULL; f = model_next_framework(model, f))
		if (!f->completed && f->name[0] != '\0')
			list[n++] = f;
	qsort(list, n, sizeof(*list), by_name);
	return n;
}

/* Frameworks of one name are one.  Memory in GB of 1000 MB, as the JVM Satellite sent it. */
static void say_frameworks(struct mesos *m)
{
	const struct model_framework **list = calloc(m->model.frameworks.n + 1, sizeof(const void *));
	size_t i = 0, n;

	if (list == NULL) {
		sat_log(m->self, LOG_ERR, "mesos/frameworks: %s", strerror(ENOMEM));
		return;
	}
	n = list_frameworks(&m->model, list);
	while (i < n) {
		const char *name = list[i]->name;
		struct model_resources sum = { 0 };

		for (; i < n && strcmp(list[i]->name, name) == 0; i++) {
			struct model_resources used = model_framework_used(list[i]);

			sum.cpus += used.cpus;
			sum.mem += used.mem;
			sum.disk += used.disk;
		}
		say_resource(m, name, "cpu", sum.cpus);
		say_resource(m, name, "mem", sum.mem / 1000);
		say_resource(m, name, "disk", sum.disk);
	}
	free(list);
}

void mesos_say_model(struct mesos *m)
{
	say_count(m, "mesos/agents/registered", m->model.agents.n - m->model.n_recovered);
	say_count(m, "mesos/agents/active", m->model.n_active);
	say_frameworks(m);
}

/* ---- The topic ---------------------------------------------------------- */

enum { AHEAD = 8 };		/* slots */

struct listed {
	struct sat_event ev;
	struct sat_attr attrs[3];
};

static const struct model_agent *agent_at(const struct table *t, uint32_t slot)
{
	return slot < t->size ? (const struct model_agent *)table_at(t, slot) : NULL;
}

/* 50,000 agents are all over the memory: those that come next are on their way meanwhile. */
static void expect(const struct table *t, uint32_t slot)
{
	const struct model_agent *far = agent_at(t, slot + 2 * AHEAD), *near = agent_at(t, slot + AHEAD);

	if (far != NULL) {
		__builtin_prefetch(&far->id);
		__builtin_prefetch(&far->stand);
	}
	if (near != NULL)
		__builtin_prefetch(near->pid);
}

static const struct sat_event *list_one(struct listed *l, const struct model_agent *a, int64_t now)
{
	struct sat_attr *at = l->attrs;

	*at++ = (struct sat_attr){ "active", a->active ? "true" : "false" };
	if (a->id != a->host)
		*at++ = (struct sat_attr){ "id", a->id };
	if (a->pid[0] != '\0')
		*at++ = (struct sat_attr){ "pid", a->pid };
	l->ev = (struct sat_event){
		.size = sizeof(l->ev), .has = SAT_HAS_TIME, .host = a->host, .service = "mesos/agents",
		.time = now, .attrs = l->attrs, .n_attrs = (uint32_t)(at - l->attrs),
	};
	return &l->ev;
}

int mesos_publish_agents(struct mesos *m)
{
	const struct table *t = &m->model.agents;
	const struct model_agent *a;
	struct listed *list = calloc(t->n + 1, sizeof(*list));
	const struct sat_event **evs = calloc(t->n + 1, sizeof(*evs));
	int64_t now = sat_wall();
	uint32_t n = 0;
	int rc = -ENOMEM;

	for (uint32_t slot = 0; list != NULL && evs != NULL && slot < t->size; slot++) {
		expect(t, slot);
		a = agent_at(t, slot);
		if (a == NULL || a->stand == MODEL_RECOVERED)
			continue;
		evs[n] = list_one(&list[n], a, now);
		n++;
	}
	if (list != NULL && evs != NULL)
		rc = sat_publish(m->self, "mesos/agents", &(struct sat_item){ .evs = evs, .n = n, .list = true }, true);
	free(list);
	free(evs);
	return rc;
}
