/* SPDX-License-Identifier: Apache-2.0 */
/* sim - the simulated Mesos: its masters, agents and their doors. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <uv.h>

#include "answers.h"
#include "churn.h"
#include "cluster.h"
#include "http.h"
#include "mode.h"
#include "stats.h"
#include "whitelist.h"

struct subscriber;

struct master {
	struct sim *sim;
	size_t index;
	struct master_info info;
	struct http_server *server;
	struct mode *modes;
	struct stat_entry *stats;
	struct whitelist whitelist;
	struct subscriber *subscribers;
};

/* One agent's own port. */
struct agent_door {
	struct sim *sim;
	size_t agent;
	struct http_server *server;
	struct mode *modes;
	struct stat_entry *stats;
};

struct sim {
	uv_loop_t loop;
	struct cluster cluster;
	struct churn churn;
	struct snapshot *empty;
	struct master *masters;
	size_t n_masters;
	struct master *leader;		/* or NULL */
	struct agent_door *doors;
	size_t n_doors;
	struct agent_door all;		/* every agent, by path */
	struct http_server *control;
	char *authorization;		/* "Basic …", or NULL */
	uv_timer_t tick, heartbeat, whitelist;
	uv_signal_t term, interrupt;
	uint64_t ticked;
	bool stopping;
};

/* master.c: a master's HTTP endpoints. */
int master_start(struct master *m, int port);
void master_view(const struct master *m, struct view *v);
/* NULL: nobody.  The old leader starts anew, as Mesos does. */
void sim_elect(struct sim *sim, struct master *m);

/* agentd.c: the agents' own endpoints, one by its port or all by path. */
int agentd_start(struct agent_door *d, int port);
int agentd_start_all(struct sim *sim, int port);

/* subscribe.c: those who follow the v1 stream. */
struct http_source subscribe(struct master *m, struct http_request *req);
void subscribers_tell(struct master *m, enum cluster_event ev,
		      const void *about);
void subscribers_heartbeat(struct master *m);
void subscribers_drop(struct master *m);

/* control.c: what tests ask for. */
int control_start(struct sim *sim, int port);

/* Short answers; reply_buf() frees b, which is JSON. */
void reply_text(struct http_request *req, int status, const char *text);
void reply_buf(struct http_request *req, int status, struct buf *b);

#endif
