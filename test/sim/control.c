/* SPDX-License-Identifier: Apache-2.0 */
/* control - what tests ask for, under /sim. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum { MAX_PARTS = 6 };

/* "/sim/agent/NAME/add" in parts, after "/sim". */
struct parts {
	char *copy, *at[MAX_PARTS];
	size_t n;
};

static void split_path(struct parts *p, const char *path)
{
	char *save = NULL, *part;

	memset(p, 0, sizeof(*p));
	p->copy = sim_strdup(path);
	for (part = strtok_r(p->copy, "/", &save);
	     part && p->n < MAX_PARTS; part = strtok_r(NULL, "/", &save))
		p->at[p->n++] = part;
}

static void reply_ok(struct http_request *req)
{
	reply_text(req, 200, "ok\n");
}

static void reply_error(struct http_request *req, int status, const char *why)
{
	struct buf b = { 0 };

	buf_fmt(&b, "{\"error\":\"%s\"}\n", why);
	reply_buf(req, status, &b);
}

static void reply_json(struct http_request *req, cJSON *json)
{
	char *text = cJSON_Print(json);
	struct buf b = { 0 };

	buf_str(&b, text ? text : "null");
	buf_char(&b, '\n');
	cJSON_free(text);
	cJSON_Delete(json);
	reply_buf(req, 200, &b);
}

/* The value of key in the query, percent-encoding left; false if not there. */
static bool query_value(const struct http_request *req, const char *key, char *to, size_t size)
{
	size_t n = strlen(key);
	const char *at = req->query;

	while (*at) {
		size_t len = strcspn(at, "&");

		if (len > n && !strncmp(at, key, n) && at[n] == '=') {
			snprintf(to, size, "%.*s", (int)(len - n - 1),
				 at + n + 1);
			return true;
		}
		at += len + (at[len] == '&');
	}
	return false;
}

static struct master *master_of(struct sim *sim, const char *text)
{
	char *end;
	unsigned long i = strtoul(text, &end, 10);

	return *end || end == text || i >= sim->n_masters ? NULL :
		&sim->masters[i];
}

/* ---- Masters ------------------------------------------------------------ */

static void post_leader(struct sim *sim, struct http_request *req, struct parts *p)
{
	struct master *m = master_of(sim, p->at[2]);

	if (!m && strcmp(p->at[2], "none")) {
		reply_error(req, 404, "no such master");
		return;
	}
	sim_elect(sim, m);
	reply_ok(req);
}

/* As a body: "slow 200"; for one path with ?path=/state. */
static void set_mode(struct http_request *req, struct mode **modes, struct http_server *server)
{
	char path[1024];
	bool one = query_value(req, "path", path, sizeof(path));
	const struct mode *now;
	int rc = mode_set(modes, one ? path : NULL, req->body);

	if (rc) {
		reply_error(req, 400, strerror(-rc));
		return;
	}
	if (!one) {
		now = mode_of(*modes, "");
		if (now && now->kind == MODE_DOWN)
			http_down(server);
		else
			rc = http_up(server);
	}
	if (rc)
		reply_error(req, 500, strerror(-rc));
	else
		reply_ok(req);
}

static void post_master(struct sim *sim, struct http_request *req, struct parts *p)
{
	struct master *m = master_of(sim, p->at[2]);

	if (!m || p->n != 4 || strcmp(p->at[3], "mode"))
		reply_error(req, 404, "no such master");
	else
		set_mode(req, &m->modes, m->server);
}

/* ---- Agents ------------------------------------------------------------- */

static void merge_metrics(struct http_request *req, struct agent *a)
{
	cJSON *body = cJSON_ParseWithLength(req->body, req->body_len), *item;

	if (!cJSON_IsObject(body)) {
		cJSON_Delete(body);
		reply_error(req, 400, "not a JSON object");
		return;
	}
	if (!a->overlay)
		a->overlay = cJSON_CreateObject();
	while ((item = body->child) != NULL) {
		cJSON_DetachItemViaPointer(body, item);
		cJSON_DeleteItemFromObjectCaseSensitive(a->overlay,
							item->string);
		cJSON_AddItemToArray(a->overlay, item);
	}
	cJSON_Delete(body);
	reply_ok(req);
}

static struct agent_door *door_of(struct sim *sim, const struct agent *a)
{
	size_t i;

	for (i = 0; i < sim->n_doors; i++)
		if (sim->doors[i].agent == a->index)
			return &sim->doors[i];
	return NULL;
}

static void agent_mode(struct sim *sim, struct http_request *req, const struct agent *a)
{
	struct agent_door *d = door_of(sim, a);

	if (d)
		set_mode(req, &d->modes, d->server);
	else
		reply_error(req, 404, "the agent has no port of its own");
}

static void do_agent(struct sim *sim, struct http_request *req, struct agent *a, const char *what)
{
	struct cluster *c = &sim->cluster;

	if (!strcmp(what, "add"))
		cluster_register(c, a);
	else if (!strcmp(what, "remove"))
		cluster_remove(c, a);
	else if (!strcmp(what, "unreachable"))
		cluster_mark_unreachable(c, a);
	else if (!strcmp(what, "gone"))
		cluster_mark_gone(c, a);
	else if (!strcmp(what, "fail"))
		cluster_set_connected(c, a, false);
	else if (!strcmp(what, "blackhole"))
		a->blackhole = true;
	else if (!strcmp(what, "heal"))
		a->blackhole = false;
	else if (!strcmp(what, "deactivate") || !strcmp(what, "reactivate"))
		a->deactivated = *what == 'd';
	else {
		reply_error(req, 404, "no such action");
		return;
	}
	c->change++;
	reply_ok(req);
}

static void post_agent(struct sim *sim, struct http_request *req, struct parts *p)
{
	struct agent *a = cluster_find_agent(&sim->cluster, p->at[2]);

	if (p->n != 4) {
		reply_error(req, 404, "no action");
		return;
	}
	if (!a && !strcmp(p->at[3], "add"))
		a = cluster_add_agent(&sim->cluster, p->at[2]);
	if (!a)
		reply_error(req, 404, "no such agent");
	else if (!strcmp(p->at[3], "metrics"))
		merge_metrics(req, a);
	else if (!strcmp(p->at[3], "mode"))
		agent_mode(sim, req, a);
	else
		do_agent(sim, req, a, p->at[3]);
}

static const struct whitelist *leaders_list(const struct sim *sim)
{
	return sim->leader ? &sim->leader->whitelist : NULL;
}

static cJSON *states_json(const uint32_t *now, const uint32_t *ended)
{
	cJSON *json = cJSON_CreateObject();
	int i;

	for (i = 0; i < TASK_STATES; i++)
		cJSON_AddNumberToObject(json, task_state_name(i),
					i < TASK_FINISHED ? now[i] : ended[i]);
	return json;
}

static void get_agent(struct sim *sim, struct http_request *req, struct parts *p)
{
	const struct agent *a = cluster_find_agent(&sim->cluster, p->at[2]);
	cJSON *json;

	if (!a) {
		reply_error(req, 404, "no such agent");
		return;
	}
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "host", a->host);
	cJSON_AddBoolToObject(json, "registered", a->registered);
	cJSON_AddBoolToObject(json, "connected", a->connected);
	cJSON_AddBoolToObject(json, "deactivated", a->deactivated);
	cJSON_AddBoolToObject(json, "unreachable", a->unreachable);
	cJSON_AddBoolToObject(json, "blackhole", a->blackhole);
	cJSON_AddBoolToObject(json, "offers",
			      churn_offers(leaders_list(sim), a));
	cJSON_AddNumberToObject(json, "port", a->port);
	cJSON_AddNumberToObject(json, "launched", a->launched);
	cJSON_AddItemToObject(json, "tasks",
			      states_json(a->in_state, a->ended));
	reply_json(req, json);
}

/* ---- Tasks -------------------------------------------------------------- */

/* POST /sim/task/add?host=H&framework=N */
static void add_task(struct sim *sim, struct http_request *req)
{
	struct cluster *c = &sim->cluster;
	char host[300] = "", number[16] = "0", id[128];
	struct agent *a;
	struct task *t;
	unsigned long f;
	struct buf b = { 0 };

	query_value(req, "host", host, sizeof(host));
	query_value(req, "framework", number, sizeof(number));
	a = cluster_find_agent(c, host);
	f = strtoul(number, NULL, 10);
	if (!a || !a->registered || f >= c->n_frameworks) {
		reply_error(req, 404, "no such agent or framework");
		return;
	}
	t = task_launch(c, &c->frameworks[f], a);
	task_id_text(t, id);
	if (a->blackhole)
		task_change(c, t, TASK_FAILED, CAUSE_LAUNCH);
	sim->churn.want = c->n_tasks > sim->churn.want ? c->n_tasks :
		sim->churn.want;
	buf_fmt(&b, "{\"id\":\"%s\"}\n", id);
	reply_buf(req, 200, &b);
}

/* POST /sim/task/add, or /sim/task/ID/TASK_FAILED. */
static void post_task(struct sim *sim, struct http_request *req, struct parts *p)
{
	enum task_state state;
	struct task *t;

	if (p->n == 3 && !strcmp(p->at[2], "add")) {
		add_task(sim, req);
		return;
	}
	t = task_find(&sim->cluster, task_id_serial(p->at[2]));
	state = p->n == 4 ? task_state_of(p->at[3]) : TASK_STATES;
	if (!t || state == TASK_STATES) {
		reply_error(req, 404, "no such task or state");
		return;
	}
	task_change(&sim->cluster, t, state, state == TASK_FAILED ?
		    CAUSE_COMMAND : state == TASK_LOST ? CAUSE_AGENT :
		    CAUSE_NONE);
	reply_ok(req);
}

/* POST /sim/framework/NAME/add, remove or update. */
static void post_framework(struct sim *sim, struct http_request *req, struct parts *p)
{
	struct cluster *c = &sim->cluster;
	struct framework *f = NULL;
	size_t i;

	for (i = 0; i < c->n_frameworks; i++)
		if (c->frameworks[i].registered &&
		    !strcmp(c->frameworks[i].name, p->at[2]))
			f = &c->frameworks[i];
	if (p->n == 4 && !strcmp(p->at[3], "add"))
		f = cluster_add_framework(c, p->at[2]);
	else if (f && p->n == 4 && !strcmp(p->at[3], "remove"))
		cluster_remove_framework(c, f);
	else if (f && p->n == 4 && !strcmp(p->at[3], "update"))
		cluster_tell(c, EV_FRAMEWORK_UPDATED, f);
	else
		f = NULL;
	if (f)
		reply_ok(req);
	else
		reply_error(req, 404, "no such framework, or too many");
}

/* The body is the rate, in changes a second. */
static void post_churn(struct sim *sim, struct http_request *req, struct parts *p)
{
	char *end;
	double rate = strtod(req->body, &end);

	(void)p;
	if (end == req->body || !(rate >= 0) || rate > 1e6) {
		reply_error(req, 400, "not a rate");
		return;
	}
	sim->churn.rate = rate;
	sim->churn.budget = 0;
	reply_ok(req);
}

/* ---- Looks -------------------------------------------------------------- */

static void get_requests(struct sim *sim, struct http_request *req, struct parts *p)
{
	struct buf b = { 0 };
	size_t i;

	(void)p;
	buf_str(&b, "{\"masters\":[");
	for (i = 0; i < sim->n_masters; i++) {
		buf_fmt(&b, "%s{\"port\":%d,", i ? "," : "",
			sim->masters[i].info.port);
		stats_put(&b, sim->masters[i].stats);
		buf_char(&b, '}');
	}
	buf_str(&b, "],\"agents\":[");
	for (i = 0; i < sim->n_doors; i++) {
		buf_fmt(&b, "%s{\"host\":\"%s\",", i ? "," : "",
			sim->cluster.agents[sim->doors[i].agent].host);
		stats_put(&b, sim->doors[i].stats);
		buf_char(&b, '}');
	}
	buf_str(&b, "],\"agents_by_path\":{");
	stats_put(&b, sim->all.stats);
	buf_str(&b, "}}\n");
	reply_buf(req, 200, &b);
}

static void reset_requests(struct sim *sim, struct http_request *req, struct parts *p)
{
	size_t i;

	(void)p;
	for (i = 0; i < sim->n_masters; i++)
		stats_reset(sim->masters[i].stats);
	for (i = 0; i < sim->n_doors; i++)
		stats_reset(sim->doors[i].stats);
	stats_reset(sim->all.stats);
	reply_ok(req);
}

static cJSON *list_json(const struct master *m)
{
	const struct whitelist *w = &m->whitelist;
	cJSON *json = cJSON_CreateObject();

	cJSON_AddNumberToObject(json, "master", (double)m->index);
	cJSON_AddBoolToObject(json, "leader", m == m->sim->leader);
	if (w->path)
		cJSON_AddStringToObject(json, "path", w->path);
	else
		cJSON_AddNullToObject(json, "path");
	cJSON_AddNumberToObject(json, "reads", (double)w->reads);
	cJSON_AddBoolToObject(json, "readable", w->readable);
	if (w->known)
		cJSON_AddItemToObject(json, "hosts", cJSON_CreateStringArray(
			(const char *const *)w->names, (int)w->n));
	else
		cJSON_AddNullToObject(json, "hosts");
	return json;
}

static void get_whitelist(struct sim *sim, struct http_request *req, struct parts *p)
{
	cJSON *json = cJSON_CreateArray();
	size_t i;

	(void)p;
	for (i = 0; i < sim->n_masters; i++)
		cJSON_AddItemToArray(json, list_json(&sim->masters[i]));
	reply_json(req, json);
}

static void get_cluster(struct sim *sim, struct http_request *req, struct parts *p)
{
	const struct cluster *c = &sim->cluster;
	cJSON *json = cJSON_CreateObject(), *tasks;
	size_t i, registered = 0, offered = 0;

	(void)p;
	for (i = 0; i < c->n_agents; i++) {
		registered += c->agents[i].registered;
		offered += churn_offers(leaders_list(sim), &c->agents[i]);
	}
	cJSON_AddNumberToObject(json, "leader", sim->leader ?
				(double)sim->leader->index : -1);
	cJSON_AddStringToObject(json, "version", c->version_text);
	cJSON_AddNumberToObject(json, "agents", (double)registered);
	cJSON_AddNumberToObject(json, "offered", (double)offered);
	cJSON_AddNumberToObject(json, "wanted", (double)sim->churn.want);
	cJSON_AddNumberToObject(json, "launched", (double)c->count.launched);
	tasks = cJSON_AddObjectToObject(json, "tasks");
	for (i = 0; i < TASK_STATES; i++)
		cJSON_AddNumberToObject(tasks, task_state_name(i),
					(double)(i < TASK_FINISHED ?
					c->in_state[i] : c->count.ended[i]));
	reply_json(req, json);
}

/* ---- Routing ------------------------------------------------------------ */

static const struct {
	const char *method, *name;
	size_t parts;			/* at least, with "sim" */
	void (*answer)(struct sim *sim, struct http_request *req,
		       struct parts *p);
} routes[] = {
	{ "POST", "leader", 3, post_leader },
	{ "POST", "master", 3, post_master },
	{ "POST", "agent", 3, post_agent },
	{ "GET", "agent", 3, get_agent },
	{ "POST", "task", 3, post_task },
	{ "POST", "framework", 3, post_framework },
	{ "POST", "churn", 2, post_churn },
	{ "GET", "requests", 2, get_requests },
	{ "DELETE", "requests", 2, reset_requests },
	{ "GET", "whitelist", 2, get_whitelist },
	{ "GET", "cluster", 2, get_cluster },
};

static void on_request(struct http_request *req)
{
	struct sim *sim = req->data;
	struct parts p;
	size_t i;

	split_path(&p, req->path);
	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (p.n >= routes[i].parts && !strcmp(p.at[0], "sim") &&
		    !strcmp(p.at[1], routes[i].name) &&
		    !strcmp(req->method, routes[i].method))
			break;
	if (i < sizeof(routes) / sizeof(routes[0]))
		routes[i].answer(sim, req, &p);
	else
		reply_error(req, 404, "no such control");
	free(p.copy);
}

int control_start(struct sim *sim, int port)
{
	return http_listen(&sim->control, &sim->loop, port, on_request, sim);
}
