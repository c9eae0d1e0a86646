/* SPDX-License-Identifier: Apache-2.0 */
/* model_framework - the frameworks of a model, and what is heard of them. */
#include <errno.h>
#include <stdlib.h>

#include "model_inner.h"

static void framework_free(struct model *m, struct model_framework *f)
{
	intern_drop(&m->texts, f->id);
	intern_drop(&m->texts, f->name);
	intern_drop(&m->texts, f->role);
	intern_drop(&m->texts, f->user);
	intern_drop(&m->texts, f->principal);
	intern_drop(&m->texts, f->host);
	free(f);
}

/* One that a scheduler left, or lost its connection to, is kept until its failover timeout is over. */
static enum model_presence presence_of(const struct model_framework *f)
{
	if (f->completed)
		return PRESENCE_REMOVED;
	if (!f->connected)
		return PRESENCE_DISCONNECTED;
	return f->active ? PRESENCE_ACTIVE : PRESENCE_INACTIVE;
}

void model_framework_silent(struct model_framework *f)
{
	f->told = (uint8_t)presence_of(f);
}

static bool tell(struct model *m, struct model_framework *f, enum model_presence now)
{
	if (m->calls->framework(m->arg, f, now) == 0)
		return true;
	m->untold = true;
	return false;
}

void model_tell_framework(struct model *m, struct model_framework *f)
{
	enum model_presence was = f->told, now = presence_of(f);

	if (m->reading || was == now)
		return;
	if (m->calls == NULL || m->calls->framework == NULL) {
		f->told = (uint8_t)now;
		return;
	}
	if (was == PRESENCE_NEW) {
		if (!tell(m, f, PRESENCE_NEW))
			return;
		f->told = PRESENCE_ACTIVE;
		if (now == PRESENCE_ACTIVE)
			return;
	}
	if (tell(m, f, now))
		f->told = (uint8_t)now;
}

static int set_framework(struct model *m, struct model_framework *f, const struct model_framework_news *n)
{
	if (!model_set(m, &f->id, n->id[0] != '\0' ? n->id : n->name, NULL) || !model_set(m, &f->name, n->name, NULL) ||
	    !model_set(m, &f->role, n->role, NULL) || !model_set(m, &f->user, n->user, NULL) ||
	    !model_set(m, &f->principal, n->principal, NULL) || !model_set(m, &f->host, n->host, NULL))
		return -ENOMEM;
	if (n->has_used || m->reading) {
		f->used = n->used;
		f->has_used = n->has_used;
		f->moved = (struct model_sum){ 0 };
	}
	if (m->reading)
		f->tasks = 0;
	f->active = n->active;
	f->connected = n->connected;
	f->completed = n->completed;
	f->registered = n->registered;
	f->settled = !m->reading;
	f->link.mark = m->turn;
	return 0;
}

int model_put_framework(struct model *m, const struct model_framework_news *n)
{
	struct model_framework *f;
	int rc;

	if (n->name[0] == '\0' && n->id[0] == '\0') {
		model_leave_out(m, LEFT_FRAMEWORK, n->part);
		return 0;
	}
	f = model_framework(m, n->id[0] != '\0' ? n->id : n->name);
	if (f != NULL) {
		rc = set_framework(m, f, n);
		if (rc == 0)
			model_tell_framework(m, f);
		return rc;
	}
	if (m->frameworks.n >= MODEL_FRAMEWORKS_MAX) {
		model_leave_out(m, LEFT_FRAMEWORK_FULL, n->id);
		return 0;
	}
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return -ENOMEM;
	if (set_framework(m, f, n) != 0 || table_add(&m->frameworks, &f->link, intern_hash(f->id)) != 0) {
		framework_free(m, f);
		return -ENOMEM;
	}
	model_tell_framework(m, f);
	return 0;
}

/* Its tasks are still told of as they end. */
void model_remove_framework(struct model *m, const char *id)
{
	struct model_framework *f = model_framework(m, id);

	if (f == NULL)
		return;
	f->active = f->connected = false;
	f->completed = true;
	model_tell_framework(m, f);
}

void model_framework_gone(struct model *m, struct model_framework *f)
{
	f->completed = true;
	if (f->told != PRESENCE_NEW)
		model_tell_framework(m, f);
	table_take(&m->frameworks, &f->link);
	framework_free(m, f);
}
