/* SPDX-License-Identifier: Apache-2.0 */
/* metrics - what metrics/snapshot says, of a master and of an agent. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "answers.h"

struct list {
	struct out *o;
	bool pairs, any;		/* pairs: v1's name and value */
	const cJSON *overlay;		/* shown in place of ours, or NULL */
};

static void metric(struct list *l, const char *name, double value)
{
	struct out *o = l->o;

	if (l->overlay && cJSON_GetObjectItemCaseSensitive(l->overlay, name))
		return;
	if (l->any)
		buf_char(o->b, ',');
	l->any = true;
	if (l->pairs)
		out_raw(o, "{\"name\":");
	out_text(o, name);
	out_raw(o, l->pairs ? ",\"value\":" : ":");
	out_number(o, value);
	if (l->pairs)
		buf_char(o->b, '}');
}

/* TOTAL, used and percent of one resource. */
static void usage(struct list *l, const char *prefix, const char *name, double used, double total)
{
	char key[64];

	snprintf(key, sizeof(key), "%s%s_percent", prefix, name);
	metric(l, key, total > 0 ? used / total : 0);
	snprintf(key, sizeof(key), "%s%s_total", prefix, name);
	metric(l, key, total);
	snprintf(key, sizeof(key), "%s%s_used", prefix, name);
	metric(l, key, used);
}

struct sums {
	double active, inactive, connected, disconnected, unreachable;
	struct resources total;
	double cpus, mem, disk, gpus;
	double frameworks;
};

static struct sums sum_up(const struct view *v, bool leads)
{
	struct sums s = { 0 };
	size_t i;

	if (!leads)
		return s;
	for (i = 0; i < v->c->n_agents; i++) {
		const struct agent *a = &v->c->agents[i];
		struct resources r = agent_total(v, a);

		if (!a->registered)
			continue;
		s.active += agent_active(a);
		s.inactive += !agent_active(a);
		s.connected += a->connected;
		s.disconnected += !a->connected;
		s.cpus += r.cpus / 1000.0;
		s.mem += r.mem;
		s.disk += r.disk;
		s.gpus += agent_has_gpus(a) ? 8 : 0;
	}
	s.unreachable = (double)cluster_unreachable(v->c->agents, v->c->n_agents);
	for (i = 0; i < v->c->n_frameworks; i++)
		s.frameworks += v->c->frameworks[i].registered;
	return s;
}

static void put_resources(struct list *l, const struct sums *s, bool leads)
{
	const struct cluster *c = l->o->v->c;

	usage(l, "master/", "cpus", leads ? (double)c->cpus_used / 1000 : 0,
	      s->cpus);
	usage(l, "master/", "disk", leads ? (double)c->disk_used : 0, s->disk);
	if (c->version >= 100)
		usage(l, "master/", "gpus", 0, s->gpus);
	usage(l, "master/", "mem", leads ? (double)c->mem_used : 0, s->mem);
	if (c->version >= 24) {
		usage(l, "master/", "cpus_revocable", 0, 0);
		usage(l, "master/", "disk_revocable", 0, 0);
		usage(l, "master/", "mem_revocable", 0, 0);
	}
}

/* Who is marked gone is in none of them. */
static void put_removals(struct list *l, const struct counters *n)
{
	bool shuts = l->o->v->version < 101;

	metric(l, "master/slave_registrations", (double)n->registered);
	metric(l, "master/slave_removals", (double)n->removed);
	metric(l, "master/slave_reregistrations", (double)n->reregistered);
	metric(l, "master/slave_shutdowns_canceled", 0);
	metric(l, "master/slave_shutdowns_scheduled", shuts ? (double)n->unhealthy : 0);
	if (l->o->v->version < 24)
		return;
	metric(l, "master/slave_removals/reason_registered", 0);
	metric(l, "master/slave_removals/reason_unhealthy", (double)n->unhealthy);
	metric(l, "master/slave_removals/reason_unregistered", (double)n->unregistered);
	metric(l, "master/slave_shutdowns_completed", shuts ? (double)n->unhealthy : 0);
	if (shuts)
		return;
	metric(l, "master/slave_unreachable_canceled", 0);
	metric(l, "master/slave_unreachable_completed", (double)n->unhealthy);
	metric(l, "master/slave_unreachable_scheduled", (double)n->unhealthy);
}

static void put_members(struct list *l, const struct sums *s, const struct counters *n)
{
	metric(l, "master/frameworks_active", s->frameworks);
	metric(l, "master/frameworks_connected", s->frameworks);
	metric(l, "master/frameworks_disconnected", 0);
	metric(l, "master/frameworks_inactive", 0);
	metric(l, "master/slaves_active", s->active);
	metric(l, "master/slaves_connected", s->connected);
	metric(l, "master/slaves_disconnected", s->disconnected);
	metric(l, "master/slaves_inactive", s->inactive);
	if (l->o->v->version >= 102)
		metric(l, "master/slaves_unreachable", s->unreachable);
	put_removals(l, n);
}

/* master/task_failed/source_slave/reason_container_launch_failed and such. */
static void put_causes(struct list *l, const struct counters *n)
{
	char key[128], state[24];
	int i, k;

	for (i = TASK_FINISHED; i < TASK_STATES; i++) {
		const char *s = task_state_name(i) + strlen("TASK_");
		size_t c;

		for (c = 0; s[c]; c++)
			state[c] = (char)(s[c] | 0x20);
		state[c] = '\0';
		for (k = 0; k < TASK_CAUSES; k++) {
			if (n->by_cause[i][k] == 0 || !task_reason(k))
				continue;
			snprintf(key, sizeof(key),
				 "master/task_%s/source_%s/reason_%s", state,
				 task_source(k), task_reason(k));
			metric(l, key, (double)n->by_cause[i][k]);
		}
	}
}

static void put_tasks(struct list *l, const struct counters *n, bool leads)
{
	const uint64_t *now = l->o->v->c->in_state;

	put_causes(l, n);
	metric(l, "master/tasks_error", (double)n->ended[TASK_ERROR]);
	metric(l, "master/tasks_failed", (double)n->ended[TASK_FAILED]);
	metric(l, "master/tasks_finished", (double)n->ended[TASK_FINISHED]);
	metric(l, "master/tasks_killed", (double)n->ended[TASK_KILLED]);
	if (l->o->v->version >= 100)
		metric(l, "master/tasks_killing",
		       leads ? (double)now[TASK_KILLING] : 0);
	metric(l, "master/tasks_lost", (double)n->ended[TASK_LOST]);
	metric(l, "master/tasks_running", leads ? (double)now[TASK_RUNNING] : 0);
	metric(l, "master/tasks_staging", leads ? (double)now[TASK_STAGING] : 0);
	metric(l, "master/tasks_starting",
	       leads ? (double)now[TASK_STARTING] : 0);
	if (l->o->v->version >= 102)
		metric(l, "master/tasks_unreachable", 0);
}

static void put_messages(struct list *l, const struct counters *n)
{
	static const char *const quiet[] = {
		"authenticate", "deactivate_framework", "exited_executor",
		"framework_to_executor", "kill_task", "reconcile_tasks",
		"register_framework", "reregister_framework",
		"resource_request", "revive_offers", "unregister_framework",
	};
	char key[64];
	size_t i;

	for (i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++) {
		snprintf(key, sizeof(key), "master/messages_%s", quiet[i]);
		metric(l, key, 0);
	}
	metric(l, "master/messages_decline_offers", (double)n->declined);
	metric(l, "master/messages_launch_tasks", (double)n->launched);
	metric(l, "master/messages_register_slave", (double)n->registered);
	metric(l, "master/messages_reregister_slave", (double)n->reregistered);
	metric(l, "master/messages_unregister_slave", (double)n->unregistered);
	metric(l, "master/messages_status_update", (double)n->updates);
	metric(l, "master/messages_status_update_acknowledgement",
	       (double)n->updates);
	metric(l, "master/valid_status_updates", (double)n->updates);
	metric(l, "master/valid_status_update_acknowledgements",
	       (double)n->updates);
	metric(l, "master/invalid_status_updates", 0);
	metric(l, "master/dropped_messages", 0);
	metric(l, "master/outstanding_offers", 0);
}

static void put_system(struct list *l)
{
	metric(l, "system/cpus_total", 4);
	metric(l, "system/load_15min", 0.35);
	metric(l, "system/load_1min", 0.5);
	metric(l, "system/load_5min", 0.45);
	metric(l, "system/mem_free_bytes", 2320146432.0);
	metric(l, "system/mem_total_bytes", 8057147392.0);
}

static void put_inside(struct list *l, const struct view *v)
{
	metric(l, "master/elected", v->me == v->leader);
	metric(l, "master/event_queue_dispatches", 0);
	metric(l, "master/event_queue_http_requests", 0);
	metric(l, "master/event_queue_messages", 0);
	metric(l, "master/uptime_secs", now_seconds() - v->me->start_time);
	metric(l, v->version < 100 ? "allocator/event_queue_dispatches" :
	       "allocator/mesos/event_queue_dispatches", 0);
	metric(l, "registrar/queued_operations", 0);
	metric(l, "registrar/registry_size_bytes",
	       24.0 + 230.0 * (double)v->c->n_agents);
	metric(l, "registrar/state_fetch_ms", 9.39904);
	metric(l, "registrar/state_store_ms", 6.155008);
	metric(l, "registrar/state_store_ms/count", 2);
	metric(l, "registrar/state_store_ms/p50", 6.948608);
	metric(l, "registrar/state_store_ms/p99", 7.726336);
}

/* What stats.json had beside the metrics, until 0.22. */
static void put_legacy(struct list *l, const struct sums *s, const struct counters *n)
{
	metric(l, "activated_slaves", s->active);
	metric(l, "active_schedulers", s->frameworks);
	metric(l, "deactivated_slaves", s->inactive);
	metric(l, "elected", l->o->v->me == l->o->v->leader);
	metric(l, "failed_tasks", (double)n->ended[TASK_FAILED]);
	metric(l, "finished_tasks", (double)n->ended[TASK_FINISHED]);
	metric(l, "killed_tasks", (double)n->ended[TASK_KILLED]);
	metric(l, "lost_tasks", (double)n->ended[TASK_LOST]);
	metric(l, "staged_tasks", (double)n->launched);
	metric(l, "started_tasks", 0);
	metric(l, "total_schedulers", s->frameworks);
	metric(l, "uptime", now_seconds() - l->o->v->me->start_time);
}

static void put_master(struct list *l, bool legacy)
{
	static const struct counters none;
	const struct view *v = l->o->v;
	bool leads = v->me == v->leader;
	const struct counters *n = leads ? &v->c->count : &none;
	struct sums s = sum_up(v, leads);

	put_inside(l, v);
	put_resources(l, &s, leads);
	put_members(l, &s, n);
	put_messages(l, n);
	put_tasks(l, n, leads);
	put_system(l);
	if (legacy)
		put_legacy(l, &s, n);
}

void answer_metrics(struct out *o, bool legacy)
{
	struct list l = { .o = o };

	buf_char(o->b, '{');
	put_master(&l, legacy);
	buf_char(o->b, '}');
}

void answer_call_metrics(struct out *o)
{
	struct list l = { .o = o, .pairs = true };

	out_raw(o, "{\"type\":\"GET_METRICS\",\"get_metrics\":{\"metrics\":[");
	put_master(&l, false);
	out_raw(o, "]}}");
}

/* What a test laid over the agent's figures. */
static void put_overlay(struct list *l)
{
	const cJSON *overlay = l->overlay, *item;
	char *text;

	l->overlay = NULL;
	cJSON_ArrayForEach(item, overlay) {
		if (cJSON_IsNull(item))		/* null: leave it out */
			continue;
		if (cJSON_IsNumber(item)) {
			metric(l, item->string, item->valuedouble);
			continue;
		}
		text = cJSON_PrintUnformatted(item);
		if (l->any)
			buf_char(l->o->b, ',');
		l->any = true;
		out_text(l->o, item->string);
		buf_char(l->o->b, ':');
		out_raw(l->o, text ? text : "null");
		cJSON_free(text);
	}
}

static void put_agent(struct list *l, const struct agent *a)
{
	struct resources r = agent_total(l->o->v, a);

	usage(l, "slave/", "cpus", a->cpus_used / 1000.0, r.cpus / 1000.0);
	usage(l, "slave/", "disk", (double)a->disk_used, r.disk);
	usage(l, "slave/", "mem", (double)a->mem_used, r.mem);
	metric(l, "slave/container_launch_errors", 0);
	metric(l, "slave/executors_registering", 0);
	metric(l, "slave/executors_running", a->tasks);
	metric(l, "slave/executors_terminated", 0);
	metric(l, "slave/executors_terminating", 0);
	metric(l, "slave/frameworks_active", a->tasks > 0);
	metric(l, "slave/invalid_framework_messages", 0);
	metric(l, "slave/invalid_status_updates", 0);
	metric(l, "slave/recovery_errors", 0);
	metric(l, "slave/registered", a->registered && a->connected);
	metric(l, "slave/tasks_failed", a->ended[TASK_FAILED]);
	metric(l, "slave/tasks_finished", a->ended[TASK_FINISHED]);
	metric(l, "slave/tasks_killed", a->ended[TASK_KILLED]);
	metric(l, "slave/tasks_lost", a->ended[TASK_LOST]);
	metric(l, "slave/tasks_running", a->in_state[TASK_RUNNING]);
	metric(l, "slave/tasks_staging", a->in_state[TASK_STAGING]);
	metric(l, "slave/tasks_starting", a->in_state[TASK_STARTING]);
	metric(l, "slave/uptime_secs", now_seconds() - a->registered_time);
	metric(l, "slave/valid_framework_messages", 0);
	metric(l, "slave/valid_status_updates", a->launched);
	put_system(l);
	put_overlay(l);
}

void agent_metrics(struct out *o, const struct agent *a)
{
	struct list l = { .o = o, .overlay = a->overlay };

	buf_char(o->b, '{');
	put_agent(&l, a);
	buf_char(o->b, '}');
}
