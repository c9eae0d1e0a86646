/* SPDX-License-Identifier: Apache-2.0 */
/* cluster - the model: agents, frameworks, tasks and what is counted. */
#ifndef SIM_CLUSTER_H
#define SIM_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

enum task_state {
	TASK_STAGING, TASK_STARTING, TASK_RUNNING, TASK_KILLING,
	TASK_FINISHED, TASK_FAILED, TASK_KILLED, TASK_LOST, TASK_ERROR,
	TASK_STATES,
};

/* Why a task ended: who says so, and the reason. */
enum task_cause {
	CAUSE_NONE,		/* the executor, without a reason */
	CAUSE_COMMAND,		/* the executor: the command failed */
	CAUSE_LAUNCH,		/* the agent: the container did not start */
	CAUSE_AGENT,		/* the master: the agent is gone */
	TASK_CAUSES,
};

enum {
	FIRST_PORT = 31000,
	PORTS = 1024,
	MAX_FRAMEWORKS = 64,
};

struct task {
	uint64_t serial;		/* all that is random follows from it */
	uint32_t agent;
	uint16_t framework, port;	/* port 0: has none */
	uint8_t state, cause;
	double staged, started, running, ended;		/* 0: not yet */
};

struct agent {
	char *host;
	uint32_t index, id;		/* id: the N of "…-SN" */
	bool registered, connected, deactivated, draining, blackhole;
	bool unreachable;		/* not registered, and known to the registry */
	int port;
	double registered_time, reregistered_time, drain_time;
	uint32_t tasks, in_state[TASK_STATES];	/* not ended */
	uint32_t ended[TASK_STATES];		/* counters since its start */
	uint32_t launched;
	uint32_t cpus_used;			/* thousandths */
	uint64_t mem_used, disk_used;		/* MB */
	uint64_t ports[PORTS / 64];
	struct cJSON *overlay;			/* merged over its metrics */
};

struct framework {
	char name[64];
	uint16_t index;
	bool registered, multi_role;
	double registered_time;
	struct task *tasks;
	size_t n_tasks, room;
	struct task *done;			/* a ring, oldest at done_at */
	size_t n_done, done_at, max_done;
};

struct counters {
	uint64_t launched, ended[TASK_STATES];
	uint64_t by_cause[TASK_STATES][TASK_CAUSES];
	uint64_t updates, registered, reregistered, removed, declined;
	uint64_t unhealthy, unregistered;	/* of those that were removed */
};

enum cluster_event {
	EV_TASK_ADDED, EV_TASK_UPDATED, EV_AGENT_ADDED, EV_AGENT_REMOVED,
	EV_FRAMEWORK_ADDED, EV_FRAMEWORK_UPDATED, EV_FRAMEWORK_REMOVED,
};

struct cluster {
	int version;			/* 100 * major + minor */
	const char *version_text;
	uint64_t seed, random, next_serial;
	uint32_t next_agent_id, agent_cpus;
	double failed_share, killed_share, lost_share;
	double heartbeat;		/* seconds between two */
	size_t max_done;		/* ended tasks kept of each framework */
	struct agent *agents;
	size_t n_agents;
	struct framework *frameworks;
	size_t n_frameworks;
	uint64_t cpus_used, mem_used, disk_used;	/* of all agents */
	uint64_t in_state[TASK_STATES];
	size_t n_tasks;
	struct counters count;		/* of the leading master */
	uint64_t change;		/* moves whenever anything does */
	void (*event)(void *arg, enum cluster_event ev, const void *about);
	void *event_arg;
	struct snapshot *latest;	/* cached, or NULL */
};

/* The cluster at one moment, shared by the answers that are being sent. */
struct snapshot {
	unsigned int refs;
	uint64_t change;
	struct agent *agents;
	size_t n_agents;
	uint32_t *registered;		/* indices into agents */
	size_t n_registered;
	struct framework *frameworks;
	size_t n_frameworks;
	struct counters count;
	/* Made on demand by snapshot_summarise(). */
	uint32_t (*agent_states)[TASK_STATES];
	uint32_t (*framework_states)[TASK_STATES];
	uint64_t *agent_frameworks;	/* bit sets */
};

struct resources {
	uint32_t cpus;			/* thousandths */
	uint32_t mem, disk;		/* MB */
};

const char *task_state_name(enum task_state state);
/* TASK_STATES if there is none of that name. */
enum task_state task_state_of(const char *name);
const char *task_source(enum task_cause cause);
const char *task_reason(enum task_cause cause);	/* NULL: none */
bool task_state_ended(enum task_state state);
struct resources task_resources(const struct task *t);
const char *task_app(const struct task *t);

uint64_t mix(uint64_t a, uint64_t b);
double now_seconds(void);

void cluster_init(struct cluster *c, size_t frameworks);
void cluster_free(struct cluster *c);
/* Agents that never registered must be registered to count. */
struct agent *cluster_add_agent(struct cluster *c, const char *host);
struct agent *cluster_find_agent(const struct cluster *c, const char *host);
void cluster_register(struct cluster *c, struct agent *a);
/* The agent unregisters; its tasks are lost. */
void cluster_remove(struct cluster *c, struct agent *a);
/* It answers no more; its tasks are lost.  No event tells of it. */
void cluster_mark_unreachable(struct cluster *c, struct agent *a);
/* An operator gives it up; its tasks are lost.  No event tells of it, and no counter. */
void cluster_mark_gone(struct cluster *c, struct agent *a);
bool agent_active(const struct agent *a);	/* registered, and offered but for the whitelist */
size_t cluster_unreachable(const struct agent *agents, size_t n);
void cluster_set_connected(struct cluster *c, struct agent *a, bool connected);
struct framework *cluster_add_framework(struct cluster *c, const char *name);
void cluster_remove_framework(struct cluster *c, struct framework *f);
/* A new leader knows the agents and tasks, not what was counted or ended. */
void cluster_failover(struct cluster *c);
void cluster_forget(struct cluster *c);		/* what has ended */
uint64_t cluster_random(struct cluster *c);
void cluster_tell(struct cluster *c, enum cluster_event ev, const void *about);

/* Has it room for this task?  Put it there, staging; told as TASK_ADDED. */
bool agent_fits(const struct cluster *c, const struct agent *a,
		const struct task *t);
struct task *task_launch(struct cluster *c, struct framework *f,
			 struct agent *a);
/* NULL if it has ended or never was. */
struct task *task_find(const struct cluster *c, uint64_t serial);
struct task *framework_task_find(const struct framework *f, uint64_t serial);
/* Moves it among the ended where it ends: t is then no longer valid. */
void task_change(struct cluster *c, struct task *t, enum task_state state,
		 enum task_cause cause);
/* Task i of all that have not ended. */
struct task *task_at(const struct cluster *c, size_t i);

struct snapshot *snapshot_get(struct cluster *c);
/* One of a master that knows nothing. */
struct snapshot *snapshot_empty(void);
void snapshot_put(struct snapshot *s);
void snapshot_summarise(struct snapshot *s);
/* Ended task i of a framework, oldest first. */
const struct task *framework_done(const struct framework *f, size_t i);

#endif
