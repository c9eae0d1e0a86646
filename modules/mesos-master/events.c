/* SPDX-License-Identifier: Apache-2.0 */
/* events - what this module tells: figures, who leads, agents, frameworks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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
	char service[600];

	snprintf(service, sizeof(service), "mesos/%s", key);
	mesos_say(arg, service, v, "ok", NULL);
}

/* One that cannot be heard does not count as leading, but nobody knows. */
void mesos_say_leader(struct mesos *m, bool heard)
{
	const char *text = m->leads == 1 ? "the Mesos master here leads" : "the Mesos master here does not lead";

	mesos_say(m, "mesos/leader", &(struct sat_value){ .kind = SAT_INT, .i = m->leads == 1 },
		  heard ? "ok" : "unknown", heard ? text : "the Mesos master here does not answer");
}

static void say_resource(struct mesos *m, const char *name, const char *what, double d)
{
	char service[320];

	snprintf(service, sizeof(service), "mesos/frameworks/%s/%s", name, what);
	mesos_say(m, service, &(struct sat_value){ .kind = SAT_DOUBLE, .d = d }, "ok", NULL);
}

/* Memory in GB of 1000 MB, as the JVM Satellite sent it. */
void mesos_say_model(struct mesos *m)
{
	const struct state *s = &m->model;
	size_t i;

	say_count(m, "mesos/agents/registered", s->n_agents);
	say_count(m, "mesos/agents/active", s->active);
	for (i = 0; i < s->n_frameworks; i++) {
		const struct state_framework *f = &s->frameworks[i];

		say_resource(m, f->name, "cpu", f->cpus);
		say_resource(m, f->name, "mem", f->mem / 1000);
		say_resource(m, f->name, "disk", f->disk);
	}
}

/* ---- The topic ---------------------------------------------------------- */

struct listed {
	struct sat_event ev;
	struct sat_attr attrs[3];
};

static const struct sat_event *list_one(struct listed *l, const struct state_agent *a)
{
	struct sat_attr *at = l->attrs;

	*at++ = (struct sat_attr){ "active", a->active ? "true" : "false" };
	if (a->id[0] != '\0')
		*at++ = (struct sat_attr){ "id", a->id };
	if (a->pid[0] != '\0')
		*at++ = (struct sat_attr){ "pid", a->pid };
	l->ev = (struct sat_event){
		.size = sizeof(l->ev), .has = SAT_HAS_TIME, .host = a->host, .service = "mesos/agents",
		.time = sat_wall(), .attrs = l->attrs, .n_attrs = (uint32_t)(at - l->attrs),
	};
	return &l->ev;
}

int mesos_publish_agents(struct mesos *m)
{
	size_t i, n = m->model.n_agents;
	struct listed *list = calloc(n + 1, sizeof(*list));
	const struct sat_event **evs = calloc(n + 1, sizeof(*evs));
	int rc = -ENOMEM;

	if (list != NULL && evs != NULL) {
		for (i = 0; i < n; i++)
			evs[i] = list_one(&list[i], &m->model.agents[i]);
		rc = sat_publish(m->self, "mesos/agents",
				 &(struct sat_item){ .evs = evs, .n = (uint32_t)n, .list = true }, true);
	}
	free(list);
	free(evs);
	return rc;
}
