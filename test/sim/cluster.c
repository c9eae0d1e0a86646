/* SPDX-License-Identifier: Apache-2.0 */
/* cluster - the model: agents, frameworks, tasks and what is counted. */
#include "cluster.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"

static const char *const state_names[TASK_STATES] = {
	"TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING",
	"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST",
	"TASK_ERROR",
};

const char *task_state_name(enum task_state state)
{
	return state_names[state];
}

enum task_state task_state_of(const char *name)
{
	int i;

	for (i = 0; i < TASK_STATES; i++)
		if (!strcmp(state_names[i], name))
			break;
	return (enum task_state)i;
}

const char *task_source(enum task_cause cause)
{
	static const char *const names[TASK_CAUSES] = {
		"executor", "executor", "slave", "master",
	};

	return names[cause];
}

const char *task_reason(enum task_cause cause)
{
	static const char *const names[TASK_CAUSES] = {
		NULL, "command_executor_failed", "container_launch_failed",
		"slave_removed",
	};

	return names[cause];
}

bool task_state_ended(enum task_state state)
{
	return state >= TASK_FINISHED;
}

uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = (a ^ 0x9e3779b97f4a7c15u) + b * 0xbf58476d1ce4e5b9u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

struct resources task_resources(const struct task *t)
{
	static const uint32_t cpus[] = { 100, 250, 500, 1000 };
	static const uint32_t mem[] = { 128, 256, 512, 2048 };
	uint64_t h = mix(t->serial, 3);

	return (struct resources){ cpus[h & 3], mem[h >> 2 & 3],
		(h >> 4 & 3) == 3 ? 1024 : 0 };
}

const char *task_app(const struct task *t)
{
	static const char *const apps[] = {
		"web-frontend", "api-gateway", "billing", "search-indexer",
		"etl-nightly", "thumbnailer", "auth", "report-builder",
	};

	return apps[mix(t->serial, 5) % (sizeof(apps) / sizeof(apps[0]))];
}

double now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)(ts.tv_nsec / 1000) * 1e-6;
}

uint64_t cluster_random(struct cluster *c)
{
	return mix(c->seed, ++c->random);
}

void cluster_tell(struct cluster *c, enum cluster_event ev, const void *about)
{
	c->change++;
	if (c->event)
		c->event(c->event_arg, ev, about);
}

void cluster_init(struct cluster *c, size_t frameworks)
{
	static const char *const names[] = {
		"marathon", "metronome", "chronos", "spark", "kafka",
		"cassandra", "aurora", "jenkins",
	};
	const size_t n = sizeof(names) / sizeof(names[0]);
	char name[64];
	size_t i;

	for (i = 0; i < frameworks; i++) {
		if (i < n)
			snprintf(name, sizeof(name), "%s", names[i]);
		else
			snprintf(name, sizeof(name), "%s-%zu", names[i % n], i);
		cluster_add_framework(c, name);
	}
}

void cluster_free(struct cluster *c)
{
	size_t i;

	for (i = 0; i < c->n_agents; i++) {
		free(c->agents[i].host);
		cJSON_Delete(c->agents[i].overlay);
	}
	for (i = 0; i < c->n_frameworks; i++) {
		free(c->frameworks[i].tasks);
		free(c->frameworks[i].done);
	}
	free(c->agents);
	free(c->frameworks);
	if (c->latest)
		snapshot_put(c->latest);
}

/* ---- Agents ------------------------------------------------------------- */

struct agent *cluster_add_agent(struct cluster *c, const char *host)
{
	struct agent *a;

	if ((c->n_agents & (c->n_agents - 1)) == 0)
		c->agents = sim_realloc(c->agents, sizeof(*a) *
					(c->n_agents ? c->n_agents * 2 : 1));
	a = &c->agents[c->n_agents];
	memset(a, 0, sizeof(*a));
	a->host = sim_strdup(host);
	a->index = (uint32_t)c->n_agents++;
	a->port = 5051;
	return a;
}

struct agent *cluster_find_agent(const struct cluster *c, const char *host)
{
	size_t i;

	for (i = 0; i < c->n_agents; i++)
		if (!strcmp(c->agents[i].host, host))
			return &c->agents[i];
	return NULL;
}

void cluster_register(struct cluster *c, struct agent *a)
{
	if (a->registered) {
		cluster_set_connected(c, a, true);
		return;
	}
	a->registered = a->connected = true;
	if (a->unreachable) {		/* the same one comes back */
		a->unreachable = false;
		a->reregistered_time = now_seconds();
		c->count.reregistered++;
		cluster_tell(c, EV_AGENT_ADDED, a);
		return;
	}
	a->id = c->next_agent_id++;
	a->deactivated = a->draining = false;
	a->registered_time = now_seconds();
	a->reregistered_time = 0;
	memset(a->ended, 0, sizeof(a->ended));
	c->count.registered++;
	cluster_tell(c, EV_AGENT_ADDED, a);
}

static void lose_tasks(struct cluster *c, const struct agent *a)
{
	size_t f, i;

	for (f = 0; f < c->n_frameworks; f++)
		for (i = c->frameworks[f].n_tasks; i-- > 0;)
			if (c->frameworks[f].tasks[i].agent == a->index)
				task_change(c, &c->frameworks[f].tasks[i],
					    TASK_LOST, CAUSE_AGENT);
}

void cluster_remove(struct cluster *c, struct agent *a)
{
	if (!a->registered)
		return;
	lose_tasks(c, a);
	a->registered = a->connected = false;
	c->count.removed++;
	c->count.unregistered++;
	cluster_tell(c, EV_AGENT_REMOVED, a);
}

/* Until 1.1 it was removed, for good. */
void cluster_mark_unreachable(struct cluster *c, struct agent *a)
{
	if (!a->registered)
		return;
	lose_tasks(c, a);
	a->registered = a->connected = false;
	a->unreachable = c->version >= 101;
	c->count.removed++;
	c->count.unhealthy++;
	c->change++;
}

void cluster_mark_gone(struct cluster *c, struct agent *a)
{
	lose_tasks(c, a);
	a->registered = a->connected = a->unreachable = false;
	c->change++;
}

bool agent_active(const struct agent *a)
{
	return a->registered && a->connected && !a->deactivated;
}

size_t cluster_unreachable(const struct agent *agents, size_t n)
{
	size_t i, sum = 0;

	for (i = 0; i < n; i++)
		sum += agents[i].unreachable;
	return sum;
}

void cluster_set_connected(struct cluster *c, struct agent *a, bool connected)
{
	if (!a->registered || a->connected == connected)
		return;
	a->connected = connected;
	if (connected) {
		a->reregistered_time = now_seconds();
		c->count.reregistered++;
	}
	c->change++;
}

/* ---- Frameworks --------------------------------------------------------- */

struct framework *cluster_add_framework(struct cluster *c, const char *name)
{
	struct framework *f;

	if (c->n_frameworks >= MAX_FRAMEWORKS)
		return NULL;
	if (!c->frameworks)
		c->frameworks = sim_calloc(MAX_FRAMEWORKS, sizeof(*f));
	f = &c->frameworks[c->n_frameworks];
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->index = (uint16_t)c->n_frameworks++;
	f->max_done = c->max_done;
	f->multi_role = f->index % 4 == 3;
	f->registered = true;
	f->registered_time = now_seconds();
	cluster_tell(c, EV_FRAMEWORK_ADDED, f);
	return f;
}

void cluster_remove_framework(struct cluster *c, struct framework *f)
{
	while (f->n_tasks)
		task_change(c, &f->tasks[f->n_tasks - 1], TASK_KILLED,
			    CAUSE_NONE);
	f->registered = false;
	cluster_tell(c, EV_FRAMEWORK_REMOVED, f);
}

void cluster_forget(struct cluster *c)
{
	size_t i;

	for (i = 0; i < c->n_frameworks; i++)
		c->frameworks[i].n_done = c->frameworks[i].done_at = 0;
	c->change++;
}

void cluster_failover(struct cluster *c)
{
	double now = now_seconds();
	size_t i;

	memset(&c->count, 0, sizeof(c->count));
	for (i = 0; i < c->n_agents; i++) {
		if (!c->agents[i].connected)
			continue;
		c->agents[i].reregistered_time = now;
		c->count.reregistered++;
	}
	c->change++;
}

/* ---- Tasks -------------------------------------------------------------- */

/* Take the resources of t from its agent (sign 1), or give them back (-1). */
static void account(struct cluster *c, struct agent *a, const struct task *t, int sign)
{
	const struct resources r = task_resources(t);
	const int64_t s = sign;

	a->cpus_used += (uint32_t)(s * r.cpus);
	a->mem_used += (uint64_t)(s * r.mem);
	a->disk_used += (uint64_t)(s * r.disk);
	c->cpus_used += (uint64_t)(s * r.cpus);
	c->mem_used += (uint64_t)(s * r.mem);
	c->disk_used += (uint64_t)(s * r.disk);
	a->tasks += (uint32_t)sign;
	c->n_tasks += (size_t)s;
	if (t->port)
		a->ports[(t->port - FIRST_PORT) / 64] ^=
			UINT64_C(1) << (t->port - FIRST_PORT) % 64;
}

static void count_state(struct cluster *c, const struct task *t, int sign)
{
	c->agents[t->agent].in_state[t->state] += (uint32_t)sign;
	c->in_state[t->state] += (uint64_t)(int64_t)sign;
}

static uint16_t free_port(const struct agent *a)
{
	int i;

	for (i = 0; i < PORTS / 64; i++)
		if (~a->ports[i])
			return (uint16_t)(FIRST_PORT + 64 * i +
					  __builtin_ctzll(~a->ports[i]));
	return 0;
}

bool agent_fits(const struct cluster *c, const struct agent *a, const struct task *t)
{
	return a->cpus_used + task_resources(t).cpus <= c->agent_cpus * 1000;
}

struct task *task_launch(struct cluster *c, struct framework *f, struct agent *a)
{
	struct task *t;

	if (f->n_tasks == f->room) {
		f->room = f->room ? f->room * 2 : 64;
		f->tasks = sim_realloc(f->tasks, f->room * sizeof(*t));
	}
	t = &f->tasks[f->n_tasks++];
	memset(t, 0, sizeof(*t));
	t->serial = ++c->next_serial;
	t->agent = a->index;
	t->framework = f->index;
	t->port = mix(t->serial, 4) & 1 ? free_port(a) : 0;
	t->staged = now_seconds();
	account(c, a, t, 1);
	count_state(c, t, 1);
	a->launched++;
	c->count.launched++;
	cluster_tell(c, EV_TASK_ADDED, t);
	return t;
}

/* From the end, where the young ones are. */
struct task *framework_task_find(const struct framework *f, uint64_t serial)
{
	size_t i;

	for (i = f->n_tasks; i-- > 0;)
		if (f->tasks[i].serial == serial)
			return &f->tasks[i];
	return NULL;
}

struct task *task_find(const struct cluster *c, uint64_t serial)
{
	struct task *t = NULL;
	size_t f;

	for (f = 0; f < c->n_frameworks && !t; f++)
		t = framework_task_find(&c->frameworks[f], serial);
	return t;
}

struct task *task_at(const struct cluster *c, size_t i)
{
	size_t f;

	for (f = 0; f < c->n_frameworks; f++) {
		if (i < c->frameworks[f].n_tasks)
			return &c->frameworks[f].tasks[i];
		i -= c->frameworks[f].n_tasks;
	}
	return NULL;
}

/* Among the ended, in place of the oldest where there are too many. */
static void keep_done(struct framework *f, const struct task *t)
{
	if (!f->done)
		f->done = sim_calloc(f->max_done, sizeof(*t));
	if (f->n_done < f->max_done) {
		f->done[(f->done_at + f->n_done++) % f->max_done] = *t;
	} else {
		f->done[f->done_at] = *t;
		f->done_at = (f->done_at + 1) % f->max_done;
	}
}

static void finish(struct cluster *c, struct task *t)
{
	struct framework *f = &c->frameworks[t->framework];
	struct agent *a = &c->agents[t->agent];

	account(c, a, t, -1);
	a->ended[t->state]++;
	c->count.ended[t->state]++;
	c->count.by_cause[t->state][t->cause]++;
	keep_done(f, t);
	*t = f->tasks[--f->n_tasks];
}

void task_change(struct cluster *c, struct task *t, enum task_state state, enum task_cause cause)
{
	double now = now_seconds();

	count_state(c, t, -1);
	t->state = (uint8_t)state;
	t->cause = (uint8_t)cause;
	if (state == TASK_STARTING)
		t->started = now;
	else if (state == TASK_RUNNING)
		t->running = now;
	else if (task_state_ended(state))
		t->ended = now;
	c->count.updates++;
	cluster_tell(c, EV_TASK_UPDATED, t);
	if (task_state_ended(state))
		finish(c, t);
	else
		count_state(c, t, 1);
}

/* ---- Snapshots ---------------------------------------------------------- */

const struct task *framework_done(const struct framework *f, size_t i)
{
	return i < f->n_done ? &f->done[(f->done_at + i) % f->max_done] :
		NULL;
}

static void *copy(const void *at, size_t n, size_t size)
{
	void *to = sim_calloc(n, size);

	if (n)
		memcpy(to, at, n * size);
	return to;
}

static struct snapshot *snapshot_take(const struct cluster *c)
{
	struct snapshot *s = sim_calloc(1, sizeof(*s));
	size_t i;

	s->change = c->change;
	s->count = c->count;
	s->agents = copy(c->agents, c->n_agents, sizeof(*c->agents));
	s->n_agents = c->n_agents;
	s->registered = sim_calloc(c->n_agents, sizeof(*s->registered));
	for (i = 0; i < c->n_agents; i++)
		if (c->agents[i].registered)
			s->registered[s->n_registered++] = (uint32_t)i;
	s->frameworks = copy(c->frameworks, c->n_frameworks,
			     sizeof(*c->frameworks));
	s->n_frameworks = c->n_frameworks;
	for (i = 0; i < s->n_frameworks; i++) {
		struct framework *f = &s->frameworks[i];

		f->tasks = copy(f->tasks, f->n_tasks, sizeof(*f->tasks));
		if (f->done)
			f->done = copy(f->done, f->max_done, sizeof(*f->done));
	}
	return s;
}

struct snapshot *snapshot_get(struct cluster *c)
{
	if (c->latest && c->latest->change != c->change) {
		snapshot_put(c->latest);
		c->latest = NULL;
	}
	if (!c->latest) {
		c->latest = snapshot_take(c);
		c->latest->refs = 1;
	}
	c->latest->refs++;
	return c->latest;
}

struct snapshot *snapshot_empty(void)
{
	struct snapshot *s = sim_calloc(1, sizeof(*s));

	s->refs = 1;
	return s;
}

void snapshot_put(struct snapshot *s)
{
	size_t i;

	if (--s->refs > 0)
		return;
	for (i = 0; i < s->n_frameworks; i++) {
		free(s->frameworks[i].tasks);
		free(s->frameworks[i].done);
	}
	free(s->agents);
	free(s->registered);
	free(s->frameworks);
	free(s->agent_states);
	free(s->framework_states);
	free(s->agent_frameworks);
	free(s);
}

static void summarise_task(struct snapshot *s, const struct task *t)
{
	s->agent_states[t->agent][t->state]++;
	s->framework_states[t->framework][t->state]++;
	s->agent_frameworks[t->agent] |= UINT64_C(1) << t->framework;
}

void snapshot_summarise(struct snapshot *s)
{
	size_t f, i;

	if (s->agent_states)
		return;
	s->agent_states = sim_calloc(s->n_agents, sizeof(*s->agent_states));
	s->framework_states = sim_calloc(s->n_frameworks,
					 sizeof(*s->framework_states));
	s->agent_frameworks = sim_calloc(s->n_agents,
					 sizeof(*s->agent_frameworks));
	for (f = 0; f < s->n_frameworks; f++) {
		const struct framework *fw = &s->frameworks[f];

		for (i = 0; i < fw->n_tasks; i++)
			summarise_task(s, &fw->tasks[i]);
		for (i = 0; i < fw->n_done; i++)
			summarise_task(s, framework_done(fw, i));
	}
}
