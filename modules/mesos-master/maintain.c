/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maintain - the machines for which maintenance is scheduled, or which are down, as Mesos has it.
 *
 * /maintenance/status (since 0.25) is small, and is asked for once an interval
 * of a master that leads.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "legal.h"
#include "mesos.h"

#define STATUS_MAX	((size_t)8 << 20)
#define AGAIN		(600 * SAT_SECOND)	/* where it has none */
#define MACHINES_MAX	100000u

struct machine {
	struct table_link link;		/* its mark: the turn in which it was listed */
	bool down;
	const char *host;
};

static void say(struct mesos *m, const char *host, const char *state)
{
	struct sat_event ev = {
		.size = sizeof(ev), .has = SAT_HAS_TTL, .host = host, .service = "mesos/maintenance",
		.state = state, .ttl = m->ttl,
	};

	sat_emit_event(m->self, &ev);
}

/* ---- Reading ------------------------------------------------------------ */

struct reading {
	struct mesos *m;
	bool down, machine;		/* of down_machines; something was named */
	char host[MODEL_NAME_MAX + 1], ip[MODEL_NAME_MAX + 1];
};

static int keep(struct mesos *m, const char *host, bool down)
{
	const char *text = intern(&m->texts, host);
	struct table_link *l;
	uint32_t at;
	struct machine *one;

	if (text == NULL)
		return -ENOMEM;
	l = table_find(&m->machines, intern_hash(text), &at);
	while (l != NULL && ((struct machine *)l)->host != text)
		l = table_same(&m->machines, intern_hash(text), &at);
	one = (struct machine *)l;
	if (one != NULL || m->machines.n >= MACHINES_MAX) {
		intern_drop(&m->texts, text);
	} else {
		one = calloc(1, sizeof(*one));
		if (one == NULL || table_add(&m->machines, &one->link, intern_hash(text)) != 0) {
			free(one);
			intern_drop(&m->texts, text);
			return -ENOMEM;
		}
		one->host = text;
	}
	if (one == NULL)
		return 0;
	one->link.mark = m->machines_turn;
	one->down = down;
	say(m, one->host, down ? "down" : "draining");
	return 0;
}

/* {"draining_machines":[{"id":{"hostname":…,"ip":…}}],"down_machines":[{"hostname":…}]} */
static int open_part(void *arg, unsigned level, const char *key, bool list)
{
	struct reading *r = arg;

	if (level == 0)
		return list ? -EPROTO : SAT_JSON_ENTER;
	if (level == 1) {
		r->down = strcmp(key, "down_machines") == 0;
		return list && (r->down || strcmp(key, "draining_machines") == 0) ? SAT_JSON_ENTER : SAT_JSON_SKIP;
	}
	if (level == 2)
		r->host[0] = r->ip[0] = '\0';
	return !list && (level == 2 || (level == 3 && strcmp(key, "id") == 0)) ? SAT_JSON_ENTER : SAT_JSON_SKIP;
}

static int value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	struct reading *r = arg;
	char *to = strcmp(key, "hostname") == 0 ? r->host : strcmp(key, "ip") == 0 ? r->ip : NULL;

	if (level == 0)
		return -EPROTO;
	if (level < 3 || to == NULL || v->kind != SAT_JSON_TEXT || v->len > MODEL_NAME_MAX ||
	    !legal_text(v->text, v->len))
		return 0;
	memcpy(to, v->text, v->len);
	to[v->len] = '\0';
	return 0;
}

static int close_part(void *arg, unsigned level)
{
	struct reading *r = arg;
	const char *name = r->host[0] != '\0' ? r->host : r->ip;

	return level == 2 && name[0] != '\0' ? keep(r->m, name, r->down) : 0;
}

/* ---- What follows ------------------------------------------------------- */

static void forget(struct mesos *m, bool all)
{
	struct table_link *l, *next;

	for (l = table_next(&m->machines, NULL); l != NULL; l = next) {
		struct machine *one = (struct machine *)l;

		next = table_next(&m->machines, l);
		if (!all && l->mark == m->machines_turn)
			continue;
		if (!all)
			say(m, one->host, "up");
		table_take(&m->machines, l);
		intern_drop(&m->texts, one->host);
		free(one);
	}
}

static void status_done(struct mesos *m, const struct sat_answer *a)
{
	static const struct sat_json_calls calls = {
		.size = sizeof(calls), .lax = true, .open = open_part, .value = value, .close = close_part,
	};
	struct reading r = { .m = m };
	char why[160];
	int rc;

	m->machines_turn++;
	rc = sat_json_read(a->body, a->len, &calls, &r, why, sizeof(why));
	if (rc == -EPROTO)
		snprintf(why, sizeof(why), "JSON, but no maintenance status");
	if (rc != 0) {
		source_trouble(&m->maintenance, rc, "%s", why);
		return;
	}
	source_well(&m->maintenance);
	forget(m, false);
}

static void status_failed(struct mesos *m, const struct sat_answer *a)
{
	if (m->stopping)
		mesos_stopped_yet(m);
	else if (a->rc == 0 && a->status == 404)
		m->next_maintenance = sat_clock() + AGAIN;
	else
		source_failed(&m->maintenance, a);
}

void maintain_turn(struct mesos *m, int64_t now)
{
	if (!mesos_observes(m) || m->stopping || m->maintenance.call != NULL || now < m->next_maintenance ||
	    !m->has_model)
		return;
	m->next_maintenance = now + m->interval;
	source_ask(&m->maintenance);
}

void maintain_init(struct mesos *m)
{
	static const char *const paths[] = { "/maintenance/status", "/master/maintenance/status", NULL };

	m->maintenance = (struct source){
		.m = m, .name = "maintenance", .paths = paths, .timeout = m->state.timeout, .max = STATUS_MAX,
		.gauge = GAUGE_MAINTENANCE_SUCCESS, .done = status_done, .failed = status_failed,
	};
}

void maintain_free(struct mesos *m)
{
	forget(m, true);
	table_free(&m->machines);
	intern_free(&m->texts);
}
