/* SPDX-License-Identifier: Apache-2.0 */
/* master - a master's HTTP endpoints. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum {
	OPEN = 1,		/* needs no credentials */
	LED = 2,		/* only the leader knows */
	POST = 4,
};

typedef void answer(struct master *m, struct http_request *req);

void reply_text(struct http_request *req, int status, const char *text)
{
	http_reply(req, status, NULL, "text/plain; charset=utf-8", text,
		   strlen(text));
}

void reply_buf(struct http_request *req, int status, struct buf *b)
{
	http_reply(req, status, NULL, "application/json", b->at, b->len);
	buf_free(b);
}

/* The view holds a snapshot: to be given up, or given to a source. */
void master_view(const struct master *m, struct view *v)
{
	struct sim *sim = m->sim;

	*v = (struct view){ &sim->cluster, sim->empty, &m->info,
		sim->leader ? &sim->leader->info : NULL, sim->cluster.version };
	if (m == sim->leader)
		v->s = snapshot_get(&sim->cluster);
	else
		sim->empty->refs++;
}

static uint64_t pad_of(const struct master *m, const struct http_request *req)
{
	return mode_pad(mode_of(m->modes, req->path));
}

static void reply_shape(struct master *m, struct http_request *req, struct shape *shape)
{
	struct http_source none = { NULL, NULL, NULL };
	struct view v;

	master_view(m, &v);
	http_reply_source(req, 200, "application/json",
			  shape_source(&v, shape, NULL, false, none, pad_of(m, req)));
}

static void reply_small(struct master *m, struct http_request *req, void (*put)(struct out *o))
{
	struct buf b = { 0 };
	struct view v = { &m->sim->cluster, m->sim->empty, &m->info,
		m->sim->leader ? &m->sim->leader->info : NULL,
		m->sim->cluster.version };
	struct out o = { &b, &v };

	put(&o);
	reply_buf(req, 200, &b);
}

/* ---- Endpoints ---------------------------------------------------------- */

static void get_state(struct master *m, struct http_request *req)
{
	reply_shape(m, req, answer_state);
}

static void get_slaves(struct master *m, struct http_request *req)
{
	reply_shape(m, req, answer_slaves);
}

static void get_frameworks(struct master *m, struct http_request *req)
{
	reply_shape(m, req, answer_frameworks);
}

static void get_summary(struct master *m, struct http_request *req)
{
	struct view v;
	struct http_source none = { NULL, NULL, NULL };

	master_view(m, &v);
	snapshot_summarise((struct snapshot *)(uintptr_t)v.s);
	http_reply_source(req, 200, "application/json",
			  shape_source(&v, answer_summary, NULL, false, none, pad_of(m, req)));
}

static void put_metrics(struct out *o)
{
	answer_metrics(o, false);
}

static void put_stats(struct out *o)
{
	answer_metrics(o, true);
}

static void get_metrics(struct master *m, struct http_request *req)
{
	reply_small(m, req, put_metrics);
}

static void get_stats(struct master *m, struct http_request *req)
{
	reply_small(m, req, put_stats);
}

static void get_version(struct master *m, struct http_request *req)
{
	reply_small(m, req, answer_version);
}

static void get_flags(struct master *m, struct http_request *req)
{
	reply_small(m, req, answer_flags);
}

static void get_health(struct master *m, struct http_request *req)
{
	(void)m;
	http_reply(req, 200, NULL, NULL, NULL, 0);
}

/* "//HOST:PORT/path"; before 0.23 with a scheme. */
static void redirect(struct master *m, struct http_request *req, bool with_path)
{
	const struct master *to = m->sim->leader;
	char headers[2048];

	if (!to && m->sim->cluster.version < 100)
		to = m;
	if (!to) {
		reply_text(req, 503, "No leader elected");
		return;
	}
	snprintf(headers, sizeof(headers), "Location: %s//%s:%d%.1800s\r\n",
		 m->sim->cluster.version < 23 ? "http:" : "", to->info.host,
		 to->info.port, with_path ? req->target : "");
	http_reply(req, 307, headers, NULL, NULL, 0);
}

static void get_redirect(struct master *m, struct http_request *req)
{
	redirect(m, req, false);
}

/* ---- V1 API ------------------------------------------------------------- */

static struct agent *agent_of_id(struct sim *sim, const cJSON *call)
{
	const cJSON *id = cJSON_GetObjectItem(
		cJSON_GetObjectItem(call, "agent_id"), "value");
	const char *text = cJSON_GetStringValue(id);
	const char *tail = text ? strstr(text, "-S") : NULL;
	size_t i;

	if (!tail)
		return NULL;
	for (i = 0; i < sim->cluster.n_agents; i++)
		if (sim->cluster.agents[i].registered &&
		    sim->cluster.agents[i].id == strtoul(tail + 2, NULL, 10))
			return &sim->cluster.agents[i];
	return NULL;
}

/* DEACTIVATE_AGENT, REACTIVATE_AGENT, DRAIN_AGENT: {"x":{"agent_id":…}} */
static bool switch_agent(struct master *m, struct http_request *req, const char *type, const cJSON *body)
{
	bool drain = !strcmp(type, "DRAIN_AGENT");
	bool off = drain || !strcmp(type, "DEACTIVATE_AGENT");
	struct agent *a;

	if (m->sim->cluster.version < 109 ||
	    (!off && strcmp(type, "REACTIVATE_AGENT")))
		return false;
	a = agent_of_id(m->sim, cJSON_GetObjectItem(body, type));
	if (!a) {
		reply_text(req, 400, "Failed to find agent");
		return true;
	}
	a->deactivated = off;
	a->draining = drain;
	a->drain_time = now_seconds();
	m->sim->cluster.change++;
	http_reply(req, 200, NULL, NULL, NULL, 0);
	return true;
}

static void call_subscribe(struct master *m, struct http_request *req)
{
	struct view v;
	struct http_source then = subscribe(m, req);

	master_view(m, &v);
	http_reply_source(req, 200, "application/json",
			  shape_source(&v, answer_call("SUBSCRIBED"), NULL,
				       true, then, pad_of(m, req)));
}

static void call(struct master *m, struct http_request *req, const char *type, const cJSON *body)
{
	char name[96], path[96];
	struct shape *shape;
	uint64_t later;

	snprintf(name, sizeof(name), "/api/v1 %s", type);
	snprintf(path, sizeof(path), "/api/v1/%s", type);
	if (!req->called)
		req->bytes = stats_count(&m->stats, name);
	req->called = true;
	if (mode_answers(mode_at(m->modes, path), req, m->info.port, &later))
		return;
	shape = strcmp(type, "SUBSCRIBED") ? answer_call(type) : NULL;
	if (shape)
		reply_shape(m, req, shape);
	else if (!strcmp(type, "GET_METRICS"))
		reply_small(m, req, answer_call_metrics);
	else if (!strcmp(type, "SUBSCRIBE"))
		call_subscribe(m, req);
	else if (!switch_agent(m, req, type, body))
		reply_text(req, 501, "Not implemented by the simulator");
}

static void post_api(struct master *m, struct http_request *req)
{
	cJSON *body;
	const char *type;

	if (strcmp(req->method, "POST")) {
		http_reply(req, 405, "Allow: POST\r\n", NULL, NULL, 0);
		return;
	}
	if (strncmp(req->content_type, "application/json", 16)) {
		reply_text(req, 415, "Expecting 'Content-Type' of "
			   "application/json");
		return;
	}
	if (*req->accept && !strstr(req->accept, "json") &&
	    !strstr(req->accept, "*/*")) {
		reply_text(req, 406, "Expecting 'Accept' to allow "
			   "application/json");
		return;
	}
	body = cJSON_ParseWithLength(req->body, req->body_len);
	type = cJSON_GetStringValue(cJSON_GetObjectItem(body, "type"));
	if (type)
		call(m, req, type, body);
	else
		reply_text(req, 400, "Failed to parse body into JSON");
	cJSON_Delete(body);
}

/* ---- Routing ------------------------------------------------------------ */

static const struct route {
	const char *path;		/* plain */
	answer *answer;
	int flags, since, until;
} routes[] = {
	{ "/metrics/snapshot", get_metrics, 0, 0, 0 },
	{ "/stats", get_stats, 0, 0, 22 },
	{ "/state", get_state, LED, 0, 0 },
	{ "/state-summary", get_summary, LED, 23, 0 },
	{ "/slaves", get_slaves, LED, 0, 0 },
	{ "/frameworks", get_frameworks, LED, 0, 0 },
	{ "/redirect", get_redirect, OPEN, 0, 0 },
	{ "/health", get_health, OPEN, 0, 0 },
	{ "/version", get_version, 0, 23, 0 },
	{ "/flags", get_flags, 0, 25, 0 },
	{ "/api/v1", post_api, LED, 100, 0 },
};

/* Until 0.24 the state is at state.json only. */
static bool named_right(int version, const struct route *r, const char *path)
{
	bool json = strstr(path, ".json") != NULL;

	if (!strcmp(r->path, "/stats"))
		return json;
	return version >= 25 || strcmp(r->path, "/state") || json;
}

static const struct route *find_route(int version, const char *path)
{
	char plain[256];
	size_t i;

	path_plain(plain, sizeof(plain), path);
	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const struct route *r = &routes[i];

		if (!strcmp(r->path, plain) && version >= r->since &&
		    (!r->until || version <= r->until) &&
		    named_right(version, r, path))
			return r;
	}
	return NULL;
}

static void challenge(struct http_request *req, const struct route *r)
{
	char headers[128];

	snprintf(headers, sizeof(headers),
		 "WWW-Authenticate: Basic realm=\"mesos-master-%s\"\r\n",
		 r->answer == post_api ? "readwrite" : "readonly");
	http_reply(req, 401, headers, NULL, NULL, 0);
}

static void answer_now(struct http_request *req)
{
	struct master *m = req->data;
	int version = m->sim->cluster.version;
	const struct route *r = find_route(version, req->path);

	if (!r)
		http_reply(req, 404, NULL, NULL, NULL, 0);
	else if (m->sim->authorization && !(r->flags & OPEN) &&
		 strcmp(req->authorization, m->sim->authorization))
		challenge(req, r);
	else if (version >= 100 && (r->flags & LED) && m != m->sim->leader)
		redirect(m, req, true);
	else
		r->answer(m, req);
}

static void on_request(struct http_request *req)
{
	struct master *m = req->data;
	const struct mode *mode = mode_of(m->modes, req->path);
	uint64_t later;

	if (!req->again)
		req->bytes = stats_count(&m->stats, req->path);
	if (mode_answers(mode, req, m->info.port, &later))
		return;
	if (later)
		http_later(req, later, answer_now);
	else
		answer_now(req);
}

int master_start(struct master *m, int port)
{
	int rc = http_listen(&m->server, &m->sim->loop, port, on_request, m);

	if (rc)
		return rc;
	m->info.port = http_port(m->server);
	m->info.start_time = now_seconds();
	uuid_text(m->info.id, mix(m->sim->cluster.seed, 11 + m->index),
		  mix(m->sim->cluster.seed, 12));
	return 0;
}

void sim_elect(struct sim *sim, struct master *m)
{
	struct master *old = sim->leader;

	if (old == m)
		return;
	sim->leader = m;
	if (old) {
		subscribers_drop(old);
		old->info.start_time = now_seconds();
		old->info.elected_time = 0;
		cluster_forget(&sim->cluster);
	}
	if (!m)
		return;
	m->info.elected_time = now_seconds();
	cluster_failover(&sim->cluster);
}
