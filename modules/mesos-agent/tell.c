/* SPDX-License-Identifier: Apache-2.0 */
/* tell - what a Mesos agent answered, as events and for /metrics. */
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "figures.h"
#include "statistics.h"

#define LASTING	86400.0	/* seconds that it may wait for a master that is away */
enum { ENDED_AT_ONCE = 20 };

/* ---- Events ------------------------------------------------------------- */

static void emit(struct agent *a, unsigned of, const char *service, const struct sat_value *v,
		 const struct sat_attr *attrs, uint32_t n)
{
	struct sat_event ev = {
		.size = sizeof(ev), .has = SAT_HAS_TTL, .service = service, .state = "ok", .ttl = a->ttl,
		.attrs = attrs, .n_attrs = n,
	};

	if (v->kind == SAT_INT) {
		ev.has |= SAT_HAS_INT;
		ev.metric.i = v->i;
	} else {
		ev.has |= SAT_HAS_DOUBLE;
		ev.metric.d = v->d;
	}
	if (told_note(&a->told, of, service) != 0)
		sat_count(a->self, COUNT_LEFT_OUT, 1);
	else
		sat_emit_event(a->self, &ev);	/* a full queue is counted by the host */
}

/* Late or not, a master that heard the others is to hear this. */
static int retire(void *arg, const char *service)
{
	const struct agent *a = arg;

	return sat_emit(a->self, .has = SAT_HAS_TIME | SAT_HAS_TTL | SAT_HAS_TAGS, .service = service,
			.state = "expired", .description = "the Mesos agent no longer says it", .time = sat_wall(),
			.ttl = a->ttl > LASTING ? a->ttl : LASTING, .tags = (const char *const[]){ "retired" }, .n_tags = 1);
}

void tell_no_more(struct agent *a, unsigned of)
{
	told_begin(&a->told, of);
	told_end(&a->told, of, retire, a);
}

static void say_figure(void *arg, const char *key, const struct sat_value *v)
{
	const struct agent *a = arg;
	char service[1536];

	snprintf(service, sizeof(service), "%s%s", a->prefix, strncmp(key, "slave/", 6) == 0 ? key + 6 : key);
	emit(arg, SNAPSHOT, service, v, NULL, 0);
}

void tell_snapshot(struct agent *a)
{
	told_begin(&a->told, SNAPSHOT);
	figures_all(a->snapshot.p, a->snapshot.len, say_figure, a);
	told_end(&a->told, SNAPSHOT, retire, a);
}

/* Two frameworks may call their executors the same: of tasks without one of their own these are the tasks' ids. */
static void say_container(void *arg, const struct container *c)
{
	const struct sat_attr attrs[] = {
		{ "executor", c->id }, { "framework", c->framework }, { "source", c->source },
	};
	const struct agent *a = arg;
	char service[1536];

	for (unsigned i = 0; i < STATISTICS; i++) {
		if ((c->known & 1u << i) == 0)
			continue;
		snprintf(service, sizeof(service), "%scontainers/%s%s%s/%s", a->prefix, c->framework,
			 c->framework[0] != '\0' ? "/" : "", c->id, statistics_all[i].field);
		emit(arg, STATISTICS_SOURCE, service, &c->value[i], attrs, 3);
	}
}

void tell_statistics(struct agent *a)
{
	told_begin(&a->told, STATISTICS_SOURCE);
	statistics_read(a->statistics.p, a->statistics.len, say_container, a, NULL);
	told_end(&a->told, STATISTICS_SOURCE, retire, a);
}

/* In the order of keys; what is not known is left out. */
static void attr(struct sat_event *ev, struct sat_attr *attrs, const char *key, const char *value)
{
	if (value[0] != '\0')
		attrs[ev->n_attrs++] = (struct sat_attr){ key, value };
}

/* Its time is now: one of when it ended would have expired on the way. */
static int say_ended(struct agent *a, const struct ended_one *one)
{
	struct sat_attr attrs[8];
	struct sat_event ev = {
		.size = sizeof(ev), .has = SAT_HAS_TTL, .service = "mesos/tasks/ended", .ttl = LASTING, .state = one->state,
		.description = one->message[0] != '\0' ? one->message : NULL, .attrs = attrs,
	};
	char when[40];

	snprintf(when, sizeof(when), "%lld.%06lld", (long long)(one->time / SAT_SECOND), (long long)(one->time % SAT_SECOND));
	attr(&ev, attrs, "agent", one->agent);
	attr(&ev, attrs, "ended", when);
	attr(&ev, attrs, "framework", one->framework[0] != '\0' ? one->framework : one->framework_id);
	attr(&ev, attrs, "framework-id", one->framework_id);
	attr(&ev, attrs, "name", one->name);
	attr(&ev, attrs, "reason", one->reason);
	attr(&ev, attrs, "source", one->source);
	attr(&ev, attrs, "task", one->id);
	return sat_emit_event(a->self, &ev);
}

bool tell_ended(struct agent *a)
{
	struct ended_one one;
	int n = 0;

	for (; n < ENDED_AT_ONCE && ended_next(a->ended, &one) && say_ended(a, &one) == 0; n++)
		ended_told(a->ended);
	sat_count(a->self, COUNT_ENDED, n);
	return ended_next(a->ended, &one);
}

/* ---- Figures ------------------------------------------------------------ */

struct telling {
	const struct agent *agent;
	struct sat_figures *out;
};

static void give_figure(void *arg, const char *key, const struct sat_value *v)
{
	const struct telling *t = arg;
	const struct sat_attr labels[] = { { "from", "agent" }, { "key", key } };

	sat_figure(t->out, "satellite_mesos_snapshot", true, "a figure of metrics/snapshot", labels, 2,
		   figures_double(v));
}

static void give_container(void *arg, const struct container *c)
{
	const struct telling *t = arg;
	const struct sat_attr labels[] = {
		{ "id", c->id }, { "framework_id", c->framework }, { "source", c->source },
	};

	for (unsigned i = 0; i < STATISTICS; i++) {
		const struct statistic *s = &statistics_all[i];

		if (c->known & 1u << i)
			sat_figure(t->out, s->name, s->gauge, s->help, labels, 3, figures_double(&c->value[i]));
	}
}

static uint32_t add_label(struct sat_attr *labels, uint32_t n, char (*names)[256], const char *name, const char *value)
{
	tasks_label_name(names[n], name, strnlen(name, 255));
	labels[n] = (struct sat_attr){ names[n], value };
	return n + 1;
}

static void give_task(void *arg, const struct tasks_one *one)
{
	const struct telling *t = arg;
	const struct tasks_wanted *w = &t->agent->wanted;
	char names[5 + TASKS_WANTED][256];
	struct sat_attr labels[5 + TASKS_WANTED] = {
		{ "source", one->source }, { "framework_id", one->framework }, { "executor_id", one->executor },
		{ "task_id", one->id }, { "task_name", one->name },
	};
	uint32_t n = 5;

	for (uint32_t i = 0; i < w->n_labels; i++)
		n = add_label(labels, n, names, w->labels[i], one->labels[i]);
	sat_figure(t->out, "mesos_slave_task_labels", false, "1; a task that runs, and its labels", labels, n, 1);
}

static void give_attributes(const struct telling *t)
{
	const struct tasks_wanted *w = &t->agent->wanted;
	char names[TASKS_WANTED][256];
	struct sat_attr labels[TASKS_WANTED];
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n_attributes; i++)
		n = add_label(labels, n, names, w->attributes[i], tasks_attribute(t->agent->tasks, i));
	if (n > 0)
		sat_figure(t->out, "mesos_slave_attributes", false, "1; attributes of the agent", labels, n, 1);
}

bool tell_series(void *state, struct sat_figures *out, uint64_t *at)
{
	struct telling t = { .agent = state, .out = out };
	const struct agent *a = state;
	uint64_t part = (*at)++;

	if (part == 0 && a->snapshot.len > 0)
		figures_all(a->snapshot.p, a->snapshot.len, give_figure, &t);
	if (part == 1 && a->statistics.len > 0)
		statistics_read(a->statistics.p, a->statistics.len, give_container, &t, NULL);
	if (part == 2 && a->tasks != NULL) {
		tasks_each(a->tasks, give_task, &t);
		give_attributes(&t);
	}
	return part < 2;
}
