/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader - a Mesos master's state, and what it says of changes, into a model as it streams in.
 *
 * Of an answer that may have hundreds of megabytes only what the model wants is
 * kept.  Its forms differ by version (0.19 to 1.11): `active` came with 0.22,
 * `used_resources` of a framework with 0.21 (before, `resources` was what it
 * used), `leader` is absent while none is known, `elected_time` is the leader's
 * alone.  The v1 API has the same under other names: what /state calls slaves
 * are agents, ids are {"value": …}, times {"nanoseconds": …}, resources lists, and
 * much of an agent or framework stands in its agent_info or framework_info.
 * Both are read by one table of what stands where.  Keys may come in any order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader_inner.h"

enum form { OBJECT = 1, LIST = 2 };

struct step { const char *key; uint8_t form, to; uint16_t target; };

#define AT(member) .target = (uint16_t)offsetof(struct reader, member)
#define OBJ(name, what, ...) { .key = (name), .form = OBJECT, .to = (what), __VA_ARGS__ }
#define LST(name, what, ...) { .key = (name), .form = LIST, .to = (what), __VA_ARGS__ }
#define STEPS(...) (const struct step[]){ __VA_ARGS__, { .key = NULL } }

static const struct step *const steps[WHERES] = {
	[ROOT] = STEPS(OBJ("", TOP)),
	[TOP] = STEPS(
		LST("slaves", AGENTS), LST("recovered_slaves", RECOVERED), LST("frameworks", FRAMEWORKS),
		LST("completed_frameworks", COMPLETED), LST("orphan_tasks", TASKS),
		OBJ("subscribed", SUBSCRIBED), OBJ("get_state", GET_STATE),
		OBJ("task_updated", TASK_UPDATED), OBJ("task_added", TASK_ADDED),
		OBJ("agent_added", AGENT_ADDED), OBJ("agent_removed", AGENT_REMOVED),
		OBJ("framework_added", FRAMEWORK_EVENT), OBJ("framework_updated", FRAMEWORK_EVENT),
		OBJ("framework_removed", FRAMEWORK_REMOVED)),
	[SUBSCRIBED] = STEPS(OBJ("get_state", GET_STATE)),
	[GET_STATE] = STEPS(OBJ("get_tasks", GET_TASKS), OBJ("get_agents", GET_AGENTS),
		OBJ("get_frameworks", GET_FRAMEWORKS)),
	[GET_TASKS] = STEPS(LST("tasks", TASKS), LST("completed_tasks", TASKS),
		LST("unreachable_tasks", TASKS), LST("orphan_tasks", TASKS), LST("launched_tasks", TASKS)),
	[GET_AGENTS] = STEPS(LST("agents", AGENTS), LST("recovered_agents", RECOVERED)),
	[GET_FRAMEWORKS] = STEPS(LST("frameworks", FRAMEWORKS), LST("completed_frameworks", COMPLETED)),
	[TASK_ADDED] = STEPS(OBJ("task", TASK)),
	[TASK_UPDATED] = STEPS(OBJ("status", STATUS), OBJ("task_id", ID, AT(task.id)),
		OBJ("framework_id", ID, AT(task.framework)), OBJ("agent_id", ID, AT(task.agent))),
	[AGENT_ADDED] = STEPS(OBJ("agent", AGENT)),
	[AGENT_REMOVED] = STEPS(OBJ("agent_id", ID, AT(gone))),
	[FRAMEWORK_EVENT] = STEPS(OBJ("framework", FRAMEWORK)),
	[FRAMEWORK_REMOVED] = STEPS(OBJ("framework_info", FRAMEWORK_INFO)),

	[AGENTS] = STEPS(OBJ("", AGENT)),
	[RECOVERED] = STEPS(OBJ("", AGENT)),
	[AGENT] = STEPS(
		OBJ("agent_info", AGENT_INFO), OBJ("id", ID, AT(agent.id)),
		OBJ("resources", AMOUNTS, AT(agent.total)), OBJ("used_resources", AMOUNTS, AT(agent.used)),
		OBJ("unreserved_resources", AMOUNTS, AT(agent.unreserved)),
		LST("total_resources", RESOURCES, AT(agent.total)),
		LST("allocated_resources", RESOURCES, AT(agent.used)),
		OBJ("attributes", ATTRIBUTES), LST("attributes", ATTRIBUTE_LIST),
		OBJ("drain_info", DRAIN), OBJ("registered_time", TIME, AT(agent.registered))),
	[AGENT_INFO] = STEPS(OBJ("id", ID, AT(agent.id)), LST("attributes", ATTRIBUTE_LIST)),

	[FRAMEWORKS] = STEPS(OBJ("", FRAMEWORK)),
	[COMPLETED] = STEPS(OBJ("", FRAMEWORK)),
	[FRAMEWORK] = STEPS(
		OBJ("framework_info", FRAMEWORK_INFO), OBJ("id", ID, AT(framework.id)),
		LST("tasks", TASKS), LST("completed_tasks", TASKS), LST("unreachable_tasks", TASKS),
		OBJ("resources", AMOUNTS), OBJ("used_resources", AMOUNTS, AT(framework.used)),
		LST("allocated_resources", RESOURCES, AT(framework.used)), LST("roles", ROLES),
		LST("used_resources", RESOURCES, AT(framework.used)),
		OBJ("registered_time", TIME, AT(framework.registered))),
	[FRAMEWORK_INFO] = STEPS(OBJ("id", ID, AT(framework.id)), LST("roles", ROLES)),

	[TASKS] = STEPS(OBJ("", TASK)),
	[TASK] = STEPS(
		LST("statuses", STATUSES), OBJ("resources", AMOUNTS, AT(task.resources)),
		LST("resources", RESOURCES, AT(task.resources)), OBJ("task_id", ID, AT(task.id)),
		OBJ("framework_id", ID, AT(task.framework)), OBJ("agent_id", ID, AT(task.agent))),
	[STATUSES] = STEPS(OBJ("", STATUS)),
	[STATUS] = STEPS(OBJ("task_id", ID, AT(status.id)), OBJ("agent_id", ID, AT(status.agent))),

	[RESOURCES] = STEPS(OBJ("", RESOURCE)),
	[RESOURCE] = STEPS(OBJ("scalar", SCALAR), OBJ("ranges", RANGES), LST("reservations", RESERVED),
		OBJ("reservation", RESERVED), OBJ("revocable", REVOCABLE)),
	[RESERVED] = STEPS(OBJ("", RESERVED)),
	[RANGES] = STEPS(LST("range", RANGE_LIST)),
	[RANGE_LIST] = STEPS(OBJ("", RANGE)),
	[ATTRIBUTE_LIST] = STEPS(OBJ("", ATTRIBUTE)),
	[ATTRIBUTE] = STEPS(OBJ("text", ATTRIBUTE_VALUE), OBJ("scalar", ATTRIBUTE_VALUE)),
};

/* ---- Where things stand ------------------------------------------------- */

static void begin_agent(struct reader *r, bool recovered)
{
	struct model_agent_news *a = &r->agent;

	a->id[0] = a->host[0] = a->pid[0] = a->version[0] = a->attributes[0] = a->drain[0] = a->part[0] = '\0';
	a->total = a->unreserved = a->used = (struct model_resources){ 0 };
	a->has_used = a->has_total = a->has_unreserved = a->deactivated = a->deactivates = false;
	a->registered = 0;
	a->active = true;
	a->recovered = recovered;
}

static void begin_framework(struct reader *r, bool completed)
{
	struct model_framework_news *f = &r->framework;

	f->id[0] = f->name[0] = f->role[0] = f->user[0] = f->principal[0] = f->host[0] = f->part[0] = '\0';
	f->used = (struct model_resources){ 0 };
	f->has_used = false;
	f->active = f->connected = !completed;
	f->completed = completed;
	f->registered = 0;
}

static void begin_task(struct model_task_news *t)
{
	t->id[0] = t->name[0] = t->framework[0] = t->agent[0] = t->message[0] = '\0';
	t->state[0] = t->source[0] = t->reason[0] = t->part[0] = '\0';
	t->resources = (struct model_resources){ 0 };
	t->update = false;
	t->time = 0;
}

static int begin_amounts(struct reader *r, unsigned parent, const char *key, uint16_t target)
{
	struct model_framework_news *f = &r->framework;

	/* Before 0.21 what a framework used was its `resources`. */
	if (parent == FRAMEWORK && target == 0) {
		if (f->has_used)
			return SAT_JSON_SKIP;
		r->sum = &f->used;
		r->has_resources = true;
	} else {
		r->sum = (struct model_resources *)(void *)((char *)r + target);
	}
	*r->sum = (struct model_resources){ 0 };
	r->unreserved = reader_is(key, "total_resources") ? &r->agent.unreserved : NULL;
	f->has_used |= parent == FRAMEWORK && target != 0;
	r->agent.has_used |= r->sum == &r->agent.used;
	r->agent.has_total |= r->sum == &r->agent.total;
	r->agent.has_unreserved |= r->sum == &r->agent.unreserved || r->unreserved != NULL;
	return SAT_JSON_ENTER;
}

static int begin(struct reader *r, const struct step *s, unsigned parent, const char *key)
{
	switch (s->to) {
	case AGENTS:
		r->top.slaves |= parent == TOP;
		break;
	case SUBSCRIBED:
		r->top.subscribed = true;
		break;
	case AGENT:
		begin_agent(r, parent == RECOVERED);
		break;
	case FRAMEWORK:
		begin_framework(r, parent == COMPLETED);
		r->has_resources = false;
		break;
	case FRAMEWORK_REMOVED:
		begin_framework(r, true);
		break;
	case ROLES:
		r->framework.role[0] = '\0';
		break;
	case TASK:
	case TASK_UPDATED:
		begin_task(&r->task);
		begin_task(&r->status);
		r->task.update = s->to == TASK_UPDATED;
		if (parent == TASK_ADDED)	/* Mesos' own example does not say it */
			strcpy(r->task.state, "TASK_STAGING");
		break;
	case STATUS:
		begin_task(&r->status);
		break;
	case AGENT_REMOVED:
		r->gone[0] = '\0';
		break;
	case ID:
		r->text_to = (char *)r + s->target;
		break;
	case TIME:
		r->time_to = (int64_t *)(void *)((char *)r + s->target);
		break;
	case AMOUNTS:
	case RESOURCES:
		return begin_amounts(r, parent, key, s->target);
	case RESOURCE:
		r->resource[0] = '\0';
		r->scalar = 0;
		r->range = 0;
		r->reserved = r->revocable = false;
		break;
	case RANGE:
		r->begin = r->end = -1;
		break;
	case REVOCABLE:
		r->revocable = true;
		break;
	case RESERVED:
		r->reserved |= parent == RESERVED || reader_is(key, "reservation");
		break;
	case ATTRIBUTE:
		r->attribute[0] = '\0';
		break;
	default:
		break;
	}
	return SAT_JSON_ENTER;
}

static int open_part(void *arg, unsigned level, const char *key, bool list)
{
	struct reader *r = arg;
	unsigned parent = level == 0 ? ROOT : r->where[level];
	const struct step *s = steps[parent];

	if (s == NULL || level > READER_DEPTH)
		return SAT_JSON_SKIP;
	while (s->key != NULL && (s->form != (list ? LIST : OBJECT) || !reader_is(key, s->key)))
		s++;
	if (s->key == NULL)
		return SAT_JSON_SKIP;
	r->where[level + 1] = s->to;
	return begin(r, s, parent, key);
}

/* The last status is the task's, where it is of its state. */
static void end_status(struct reader *r)
{
	struct model_task_news *t = &r->task;
	const struct model_task_news *s = &r->status;

	if (s->time < t->time)
		return;
	t->time = s->time;
	memcpy(t->source, s->source, sizeof(t->source));
	memcpy(t->reason, s->reason, sizeof(t->reason));
	memcpy(t->message, s->message, sizeof(t->message));
	if (t->update) {
		if (s->id[0] != '\0')
			memcpy(t->id, s->id, sizeof(t->id));
		if (s->agent[0] != '\0')
			memcpy(t->agent, s->agent, sizeof(t->agent));
	}
}

static int end_task(struct reader *r)
{
	struct model_task_news *t = &r->task;
	int rc;

	/* An update says which state it brings, and the newest that is known of, which comes of its own. */
	if (r->status.state[0] != '\0' && (t->update || t->state[0] == '\0'))
		memcpy(t->state, r->status.state, sizeof(t->state));
	if (t->framework[0] == '\0' && !t->update)
		memcpy(t->framework, r->framework.id, sizeof(t->framework));
	rc = model_put_task(r->model, t);
	if (rc != -ENOENT)
		return rc;
	r->gap = true;
	return 0;
}

static int end_agent(struct reader *r, bool added)
{
	if (r->known_only && model_agent(r->model, r->agent.id) == NULL)
		return 0;
	return added ? model_add_agent(r->model, &r->agent) : model_put_agent(r->model, &r->agent);
}

static void end_range(struct reader *r)
{
	if (r->begin >= 0 && r->end >= r->begin)
		r->range += (uint32_t)(r->end - r->begin + 1);
}

/* /state counts what may be taken back at any time under names of its own. */
static void end_resource(struct reader *r)
{
	if (r->revocable)
		return;
	reader_add(r->sum, r->resource, r->scalar, r->range);
	if (r->unreserved != NULL && !r->reserved)
		reader_add(r->unreserved, r->resource, r->scalar, r->range);
}

static int close_part(void *arg, unsigned level)
{
	struct reader *r = arg;
	unsigned what = r->where[level + 1];

	r->put |= what == AGENT || what == FRAMEWORK || what == TASK;
	switch (what) {
	case AGENT:
		return end_agent(r, r->where[level] == AGENT_ADDED);
	case FRAMEWORK:
		r->framework.has_used |= r->has_resources;
		return model_put_framework(r->model, &r->framework);
	case FRAMEWORK_REMOVED:
		model_remove_framework(r->model, r->framework.id);
		return 0;
	case AGENT_REMOVED:
		model_remove_agent(r->model, r->gone);
		return 0;
	case TASK:
	case TASK_UPDATED:
		return end_task(r);
	case STATUS:
		end_status(r);
		return 0;
	case RANGE:
		end_range(r);
		return 0;
	case RESOURCE:
		end_resource(r);
		return 0;
	default:
		return 0;
	}
}

/* ---- From outside ------------------------------------------------------- */

static const struct sat_json_calls calls = {
	.size = sizeof(calls), .lax = true, .open = open_part, .value = reader_value, .close = close_part,
};

int reader_expect(struct reader *r, struct model *model)
{
	memset(r, 0, sizeof(*r));
	r->model = model;
	r->json = sat_json_new(&calls, r, 0);
	return r->json != NULL ? 0 : -ENOMEM;
}

int reader_feed(struct reader *r, const void *p, size_t n)
{
	r->rc = sat_json_feed(r->json, p, n);
	return r->rc;
}

int reader_record(struct reader *r, struct model *model, const char *text, size_t n, char *why, size_t size)
{
	memset(r, 0, sizeof(*r));
	r->model = model;
	r->rc = sat_json_read(text, n, &calls, r, why, size);
	return r->rc;
}

enum reader_rank reader_rank(const struct reader *r)
{
	if (r->top.elected)
		return READER_LEADS;
	if (r->top.pid[0] == '\0')
		return READER_UNKNOWN;
	if (r->top.leader[0] == '\0')
		return READER_ALONE;
	return strcmp(r->top.pid, r->top.leader) == 0 ? READER_LEADS : READER_FOLLOWS;
}

void reader_explain(const struct reader *r, int rc, char *why, size_t size)
{
	unsigned long long at = sat_json_position(r->json);

	if (rc == -EBADMSG)
		snprintf(why, size, "not JSON, or cut short, at byte %llu", at);
	else if (rc == -E2BIG)
		snprintf(why, size, "nested too deep, or a text too long, before byte %llu", at);
	else if (rc == -EPROTO)
		snprintf(why, size, "JSON, but not a Mesos master's state: no list of slaves");
	else
		snprintf(why, size, "%s", strerror(-rc));
}

int reader_end(struct reader *r, char *why, size_t size)
{
	int rc = sat_json_end(r->json);

	if (rc != 0)
		reader_explain(r, rc, why, size);
	return rc;
}

int reader_end_state(struct reader *r, char *why, size_t size)
{
	int rc = reader_end(r, why, size);

	if (rc == 0 && !r->top.slaves) {
		rc = -EPROTO;
		reader_explain(r, rc, why, size);
	}
	return rc;
}

void reader_free(struct reader *r)
{
	sat_json_free(r->json);
	r->json = NULL;
}
