/* SPDX-License-Identifier: Apache-2.0 */
/* model_agent - the agents of a model: what is heard of them, and what of that is told. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_inner.h"

void model_tell_agent(struct model *m, struct model_agent *a)
{
	enum model_stand was = a->told;

	if (m->reading || was == a->stand)
		return;
	/* One that comes back to another Mesos master is no new one. */
	if (m->calls == NULL || (was == MODEL_NEW && a->stand == MODEL_RECOVERED) ||
	    (was == MODEL_RECOVERED && a->stand == MODEL_ACTIVE)) {
		a->told = a->stand;
		return;
	}
	if (a->stand == MODEL_RECOVERED)
		return;
	if (was == MODEL_NEW) {
		if (m->calls->agent(m->arg, a, MODEL_NEW) != 0) {
			m->untold = true;
			return;
		}
		a->told = MODEL_ACTIVE;
	}
	if (a->told == a->stand)
		return;
	if (m->calls->agent(m->arg, a, a->stand) == 0)
		a->told = a->stand;
	else
		m->untold = true;
}

void model_agent_free(struct model *m, struct model_agent *a)
{
	intern_drop(&m->texts, a->id);
	intern_drop(&m->texts, a->host);
	intern_drop(&m->texts, a->pid);
	intern_drop(&m->texts, a->version);
	intern_drop(&m->texts, a->attributes);
	free(a);
}

static void count_agent(struct model *m, const struct model_agent *a, uint32_t more)
{
	m->n_recovered += a->stand == MODEL_RECOVERED ? more : 0;
	m->n_active += a->active ? more : 0;
	m->n_draining += a->stand == MODEL_DRAINING ? more : 0;
}

static enum model_stand stand_of(const struct model_agent_news *n)
{
	if (n->recovered)
		return MODEL_RECOVERED;
	if (strcmp(n->drain, "DRAINING") == 0)
		return MODEL_DRAINING;
	if (strcmp(n->drain, "DRAINED") == 0)
		return MODEL_DRAINED;
	if (n->deactivated)
		return MODEL_DEACTIVATED;
	return n->active ? MODEL_ACTIVE : MODEL_INACTIVE;
}

static int set_agent(struct model *m, struct model_agent *a, const struct model_agent_news *n)
{
	bool changed = a->host == NULL, active = n->active && !n->recovered;

	if (!model_set(m, &a->id, n->id[0] != '\0' ? n->id : n->host, &changed) ||
	    !model_set(m, &a->host, n->host, &changed) || !model_set(m, &a->pid, n->pid, &changed) ||
	    !model_set(m, &a->version, n->version, NULL) ||
	    !model_set(m, &a->attributes, n->attributes, NULL))
		return -ENOMEM;
	if (changed || a->active != active || n->recovered != (a->stand == MODEL_RECOVERED))
		m->listing++;
	if (n->has_total || m->reading)
		a->total = n->total;
	if (n->has_total || m->reading) {
		a->unreserved = n->unreserved;
		a->has_total = n->has_total;
		a->has_unreserved = n->has_unreserved;
	}
	if (n->has_used || m->reading) {
		a->used = n->used;
		a->has_used = n->has_used;
		a->moved = (struct model_sum){ 0 };
	}
	a->registered = n->registered;
	a->settled = !m->reading;
	a->parked = false;
	a->link.mark = m->agents_turn;
	m->deactivates |= n->deactivates;
	return 0;
}

static int new_agent(struct model *m, const struct model_agent_news *n, struct model_agent **made)
{
	struct model_agent *a;

	if (m->agents.n >= MODEL_AGENTS_MAX) {
		model_leave_out(m, LEFT_AGENT_FULL, n->host);
		return 0;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	if (set_agent(m, a, n) != 0 || table_add(&m->agents, &a->link, intern_hash(a->id)) != 0) {
		model_agent_free(m, a);
		return -ENOMEM;
	}
	model_came_back(m, a);
	*made = a;
	return 0;
}

int model_put_agent(struct model *m, const struct model_agent_news *n)
{
	struct model_agent *a;
	int rc;

	if (n->host[0] == '\0') {
		model_leave_out(m, LEFT_AGENT, n->id[0] != '\0' ? n->id : n->part);
		return 0;
	}
	if (n->id[0] == '\0' && n->part[0] != '\0')
		model_leave_out(m, LEFT_AGENT_ID, n->part);
	a = model_agent(m, n->id[0] != '\0' ? n->id : n->host);
	if (a == NULL) {
		rc = new_agent(m, n, &a);
		if (rc != 0 || a == NULL)
			return rc;
	} else {
		rc = set_agent(m, a, n);
		if (rc != 0)
			return rc;
		count_agent(m, a, UINT32_MAX);
	}
	a->stand = (uint8_t)stand_of(n);
	a->active = n->active && !n->recovered;
	a->lost = a->lost && a->stand != MODEL_ACTIVE;
	count_agent(m, a, 1);
	model_tell_agent(m, a);
	return 0;
}

/* Mesos says so of none that it has: one that we know, not of another leader alone, was out of reach meanwhile. */
int model_add_agent(struct model *m, const struct model_agent_news *n)
{
	struct model_agent *a = model_agent(m, n->id[0] != '\0' ? n->id : n->host);
	bool waits = a != NULL && (a->stand == MODEL_RECOVERED ||
				   (m->settle.inherits && a->link.mark != m->agents_turn));

	if (a != NULL && !waits && n->host[0] != '\0')
		model_agent_gone(m, a);
	return model_put_agent(m, n);
}

void model_agent_park(struct model *m, struct model_agent *a)
{
	count_agent(m, a, UINT32_MAX);
	a->stand = MODEL_RECOVERED;
	a->active = false;
	a->parked = true;
	count_agent(m, a, 1);
	m->listing++;
}

void model_agent_gone(struct model *m, struct model_agent *a)
{
	count_agent(m, a, UINT32_MAX);
	table_take(&m->agents, &a->link);
	m->listing++;
	if (m->calls == NULL || a->told == MODEL_NEW)
		model_agent_free(m, a);
	else
		model_keep_gone(m, a);
}

void model_remove_agent(struct model *m, const char *id)
{
	struct model_agent *a = model_agent(m, id);

	if (a == NULL)
		return;
	a->said = true;
	model_agent_gone(m, a);
}
