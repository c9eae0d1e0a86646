/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state - agents and frameworks, out of a Mesos master's state as it streams in.
 *
 * Of an answer that may have hundreds of megabytes only names, ids and sums are
 * kept.  Its forms differ by version (0.19 to 1.11): `active` came with 0.22,
 * `used_resources` of a framework with 0.21 (before, `resources` was what it
 * used), `leader` is absent while none is known, `elected_time` is the leader's
 * alone.  Keys may come in any order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "legal.h"
#include "state.h"

#define NAME_MAX_LEN	255
#define AGENTS_MAX	250000
#define FRAMEWORKS_MAX	100000
#define TEXT_MAX	((size_t)64 << 20)
#define PIECE		(64 << 10)

struct piece {			/* names are packed into these */
	struct piece *next;
	size_t used;
	char text[PIECE];
};

/* ---- What is kept ------------------------------------------------------- */

/* A copy of v's text; "" where it is none, or not legal.  NULL: out of memory. */
static const char *keep(struct state *s, const struct sat_json_value *v)
{
	struct piece *p = s->pieces;
	char *copy;

	if (v->kind != SAT_JSON_TEXT || v->len == 0 || v->len > NAME_MAX_LEN || s->text >= TEXT_MAX ||
	    !legal_text(v->text, v->len))
		return "";
	if (p == NULL || p->used + v->len + 1 > PIECE) {
		p = malloc(sizeof(*p));
		if (p == NULL)
			return NULL;
		p->next = s->pieces;
		p->used = 0;
		s->pieces = p;
	}
	copy = p->text + p->used;
	memcpy(copy, v->text, v->len);
	copy[v->len] = '\0';
	p->used += v->len + 1;
	s->text += v->len + 1;
	return copy;
}

static int keep_in(struct state *s, const char **where, const struct sat_json_value *v)
{
	*where = keep(s, v);
	return *where != NULL ? 0 : -ENOMEM;
}

/* Room for one more of `size` bytes in an array of n: it doubles at powers of two. */
static void *room(void *array, size_t n, size_t size)
{
	if (n != 0 && (n < 16 || (n & (n - 1)) != 0))
		return array;
	return realloc(array, (n < 16 ? 16 : n * 2) * size);
}

static int add_agent(struct state *s)
{
	struct state_agent *a = &s->agent, *grown;

	if (s->n_agents >= AGENTS_MAX || s->text >= TEXT_MAX) {
		s->over++;
		return 0;
	}
	if (a->host[0] == '\0') {
		s->odd++;
		return 0;
	}
	grown = room(s->agents, s->n_agents, sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	s->agents = grown;
	s->agents[s->n_agents++] = *a;
	s->active += a->active;
	s->print += sat_hash(sat_hash(sat_hash(a->active, a->host), a->id), a->pid);
	return 0;
}

static int add_framework(struct state *s)
{
	struct state_framework *f = s->has_used ? &s->framework : &s->total, *grown;

	f->name = s->framework.name;
	if (s->n_frameworks >= FRAMEWORKS_MAX || s->text >= TEXT_MAX) {
		s->over++;
		return 0;
	}
	if (f->name[0] == '\0') {
		s->odd++;
		return 0;
	}
	grown = room(s->frameworks, s->n_frameworks, sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	s->frameworks = grown;
	s->frameworks[s->n_frameworks++] = *f;
	return 0;
}

/* ---- Where things stand ------------------------------------------------- */

static int open_part(void *arg, unsigned level, const char *key, bool list)
{
	struct state *s = arg;

	switch (level) {
	case 0:
		return list ? SAT_JSON_SKIP : SAT_JSON_ENTER;
	case 1:
		s->in_agents = strcmp(key, "slaves") == 0;
		s->top.slaves |= s->in_agents && list;
		return list && (s->in_agents || strcmp(key, "frameworks") == 0) ? SAT_JSON_ENTER : SAT_JSON_SKIP;
	case 2:
		if (list)
			return SAT_JSON_SKIP;
		s->agent = (struct state_agent){ .host = "", .id = "", .pid = "", .active = true };
		s->framework = s->total = (struct state_framework){ .name = "" };
		s->has_used = false;
		return SAT_JSON_ENTER;
	default:
		if (list || level > 3 || s->in_agents)
			return SAT_JSON_SKIP;
		s->in_used = strcmp(key, "used_resources") == 0;
		s->has_used |= s->in_used;
		return s->in_used || strcmp(key, "resources") == 0 ? SAT_JSON_ENTER : SAT_JSON_SKIP;
	}
}

static int close_part(void *arg, unsigned level)
{
	struct state *s = arg;

	if (level != 2)
		return 0;
	return s->in_agents ? add_agent(s) : add_framework(s);
}

static void copy_text(char *to, size_t size, const struct sat_json_value *v)
{
	if (v->kind == SAT_JSON_TEXT)
		snprintf(to, size, "%.*s", (int)(v->len < size ? v->len : size), v->text);
}

static void top_value(struct state *s, const char *key, const struct sat_json_value *v)
{
	if (strcmp(key, "pid") == 0)
		copy_text(s->top.pid, sizeof(s->top.pid), v);
	else if (strcmp(key, "leader") == 0)
		copy_text(s->top.leader, sizeof(s->top.leader), v);
	else if (strcmp(key, "elected_time") == 0)
		s->top.elected = v->kind == SAT_JSON_NUMBER;
}

static int agent_value(struct state *s, const char *key, const struct sat_json_value *v)
{
	if (strcmp(key, "hostname") == 0)
		return keep_in(s, &s->agent.host, v);
	if (strcmp(key, "id") == 0)
		return keep_in(s, &s->agent.id, v);
	if (strcmp(key, "pid") == 0)
		return keep_in(s, &s->agent.pid, v);
	if (strcmp(key, "active") == 0 && v->kind == SAT_JSON_BOOL)
		s->agent.active = v->truth;
	return 0;
}

static void resource(struct state_framework *f, const char *key, const struct sat_json_value *v)
{
	struct sat_value n;
	double d;

	if (v->kind != SAT_JSON_NUMBER || !legal_number(v->text, v->len, &n))
		return;
	d = n.kind == SAT_INT ? (double)n.i : n.d;
	if (strcmp(key, "cpus") == 0)
		f->cpus = d;
	else if (strcmp(key, "mem") == 0)
		f->mem = d;
	else if (strcmp(key, "disk") == 0)
		f->disk = d;
}

static int value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	struct state *s = arg;

	if (level == 1)
		top_value(s, key, v);
	else if (level == 3 && s->in_agents)
		return agent_value(s, key, v);
	else if (level == 3 && strcmp(key, "name") == 0)
		return keep_in(s, &s->framework.name, v);
	else if (level == 4)
		resource(s->in_used ? &s->framework : &s->total, key, v);
	return 0;
}

/* ---- From outside ------------------------------------------------------- */

int state_expect(struct state *s)
{
	static const struct sat_json_calls calls = {
		.size = sizeof(calls), .lax = true, .open = open_part, .value = value, .close = close_part,
	};

	*s = (struct state){ 0 };
	s->json = sat_json_new(&calls, s, 0);
	return s->json != NULL ? 0 : -ENOMEM;
}

int state_feed(struct state *s, const void *p, size_t n)
{
	s->rc = sat_json_feed(s->json, p, n);
	return s->rc;
}

int state_result(const struct state *s)
{
	return s->rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct state_framework *)a)->name, ((const struct state_framework *)b)->name);
}

/* Frameworks of one name become one. */
static void merge(struct state *s)
{
	size_t i, n = 0;

	if (s->n_frameworks == 0)
		return;
	qsort(s->frameworks, s->n_frameworks, sizeof(*s->frameworks), by_name);
	for (i = 1; i < s->n_frameworks; i++) {
		struct state_framework *f = &s->frameworks[n], *more = &s->frameworks[i];

		if (strcmp(f->name, more->name) != 0) {
			s->frameworks[++n] = *more;
			continue;
		}
		f->cpus += more->cpus;
		f->mem += more->mem;
		f->disk += more->disk;
	}
	s->n_frameworks = n + 1;
}

static enum state_rank rank(const struct state *s)
{
	if (s->top.elected)
		return STATE_LEADS;
	if (s->top.pid[0] == '\0')
		return STATE_UNKNOWN;
	return strcmp(s->top.pid, s->top.leader) == 0 ? STATE_LEADS : STATE_FOLLOWS;
}

void state_explain(const struct state *s, int rc, char *why, size_t size)
{
	unsigned long long at = sat_json_position(s->json);

	if (rc == -EBADMSG)
		snprintf(why, size, "not JSON, or cut short, at byte %llu", at);
	else if (rc == -E2BIG)
		snprintf(why, size, "nested too deep, or a text too long, before byte %llu", at);
	else if (rc == -EPROTO)
		snprintf(why, size, "JSON, but not a Mesos master's state: no list of slaves");
	else
		snprintf(why, size, "%s", strerror(-rc));
}

int state_end(struct state *s, char *why, size_t size)
{
	int rc = sat_json_end(s->json);

	if (rc == 0 && !s->top.slaves)
		rc = -EPROTO;
	if (rc != 0) {
		state_explain(s, rc, why, size);
		return rc;
	}
	merge(s);
	s->rank = rank(s);
	sat_json_free(s->json);
	s->json = NULL;
	return 0;
}

void state_free(struct state *s)
{
	while (s->pieces != NULL) {
		struct piece *next = s->pieces->next;

		free(s->pieces);
		s->pieces = next;
	}
	free(s->agents);
	free(s->frameworks);
	sat_json_free(s->json);
	*s = (struct state){ 0 };
}
