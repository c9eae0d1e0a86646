/* SPDX-License-Identifier: Apache-2.0 */
/* agentd - the agents' own endpoints, one by its port or all by path. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

static void reply_agent(struct sim *sim, struct http_request *req, struct snapshot *s, const struct agent *a,
			void (*put)(struct out *o, const struct agent *a))
{
	struct buf b = { 0 };
	const struct master *m = sim->leader ? sim->leader : &sim->masters[0];
	struct view v = { &sim->cluster, s, &m->info, &m->info,
		sim->cluster.version };
	struct out o = { &b, &v };

	put(&o, a);
	reply_buf(req, 200, &b);
}

/* What lists the agent's tasks needs a snapshot. */
static void reply_tasks(struct sim *sim, struct http_request *req, const struct agent *a,
			void (*put)(struct out *o, const struct agent *a))
{
	struct snapshot *s = snapshot_get(&sim->cluster);

	reply_agent(sim, req, s, &s->agents[a->index], put);
	snapshot_put(s);
}

static void answer_agent(struct sim *sim, struct http_request *req, const struct agent *a, const char *path)
{
	char plain[256];

	if (!strncmp(path, "/slave(1)/", 10))
		path += 9;
	path_plain(plain, sizeof(plain), path);
	if (!a->registered || !a->connected)
		http_reply_close(req);
	else if (!strcmp(plain, "/metrics/snapshot") ||
		 (!strcmp(plain, "/stats") && sim->cluster.version < 23))
		reply_agent(sim, req, sim->empty, a, agent_metrics);
	else if (!strcmp(plain, "/state"))
		reply_tasks(sim, req, a, agent_state);
	else if (!strcmp(plain, "/monitor/statistics") ||
		 (!strcmp(plain, "/containers") && sim->cluster.version >= 25))
		reply_tasks(sim, req, a, agent_statistics);
	else if (!strcmp(plain, "/health"))
		http_reply(req, 200, NULL, NULL, NULL, 0);
	else
		http_reply(req, 404, NULL, NULL, NULL, 0);
}

/* "/agent/NAME/path": the agent, and the path that is left. */
static const struct agent *agent_by_path(const struct sim *sim, const char **path)
{
	char name[300];
	const char *end;

	if (strncmp(*path, "/agent/", 7))
		return NULL;
	end = strchr(*path + 7, '/');
	if (!end || (size_t)(end - (*path + 7)) >= sizeof(name))
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)(end - (*path + 7)),
		 *path + 7);
	*path = end;
	return cluster_find_agent(&sim->cluster, name);
}

static void answer_now(struct http_request *req)
{
	struct agent_door *d = req->data;
	const struct agent *a = &d->sim->cluster.agents[d->agent];
	const char *path = req->path;

	if (d == &d->sim->all)
		a = agent_by_path(d->sim, &path);
	if (a)
		answer_agent(d->sim, req, a, path);
	else
		http_reply(req, 404, NULL, NULL, NULL, 0);
}

static void on_request(struct http_request *req)
{
	struct agent_door *d = req->data;
	uint64_t later;

	if (!req->again)
		req->bytes = stats_count(&d->stats, req->path);
	if (mode_answers(mode_of(d->modes, req->path), req,
			 http_port(d->server), &later))
		return;
	if (later)
		http_later(req, later, answer_now);
	else
		answer_now(req);
}

int agentd_start(struct agent_door *d, int port)
{
	int rc = http_listen(&d->server, &d->sim->loop, port, on_request, d);

	if (rc == 0)
		d->sim->cluster.agents[d->agent].port = http_port(d->server);
	return rc;
}

int agentd_start_all(struct sim *sim, int port)
{
	sim->all.sim = sim;
	return http_listen(&sim->all.server, &sim->loop, port, on_request,
			   &sim->all);
}
