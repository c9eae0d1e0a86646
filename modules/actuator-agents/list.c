/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list - the registered agents, out of Mesos' answer to GET_AGENTS as it streams in.
 *
 * Of each agent's kilobyte only its id, its host and who has it deactivated are
 * kept.  A list without agents has no member of that name: Mesos leaves it out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

enum { AGENTS_MAX = 250000, TEXT_MAX = 64 << 20, NAME_LEN = 253 };

static bool legal(const struct sat_json_value *v)
{
	if (v->kind != SAT_JSON_TEXT || v->len == 0 || v->len > NAME_LEN)
		return false;
	for (size_t i = 0; i < v->len; i++)
		if ((unsigned char)v->text[i] <= ' ' || v->text[i] == 0x7f || v->text[i] == '/')
			return false;
	return true;
}

static int keep(struct list *l, uint32_t *where, bool *has, const struct sat_json_value *v)
{
	*has = legal(v);
	if (!*has)
		return 0;
	*where = (uint32_t)l->text.len;
	sat_buf_add(&l->text, v->text, v->len);
	sat_buf_add(&l->text, "", 1);
	return l->text.full ? -ENOMEM : 0;
}

/* Where an array of n is full, it doubles: at powers of two. */
static int add(struct list *l)
{
	struct listed *grown = l->agents;

	if (!l->named || !l->has_id || l->n >= AGENTS_MAX) {
		l->odd++;
		return 0;
	}
	if ((l->n & (l->n - 1)) == 0) {
		grown = realloc(l->agents, (l->n == 0 ? 1 : 2 * l->n) * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		l->agents = grown;
	}
	grown[l->n++] = l->agent;
	return 0;
}

/* {"get_agents":{"agents":[{"agent_info":{"id":{"value":…},"hostname":…},"deactivated":…}]}} */
static int open_part(void *arg, unsigned level, const char *key, bool list)
{
	static const char *const path[] = { NULL, "get_agents", "agents", NULL, "agent_info", "id" };
	struct list *l = arg;

	if (level == 1 && !list && strcmp(key, "get_agents") == 0)
		l->found = true;
	if (level == 4 && strcmp(key, "drain_info") == 0)
		l->agent.draining = true;
	if (level >= sizeof(path) / sizeof(*path) || list != (level == 2) ||
	    (path[level] != NULL && strcmp(key, path[level]) != 0))
		return SAT_JSON_SKIP;
	if (level == 3) {
		l->agent = (struct listed){ 0 };
		l->named = l->has_id = false;
	}
	return SAT_JSON_ENTER;
}

static int value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	struct list *l = arg;

	if (level == 4 && strcmp(key, "deactivated") == 0 && v->kind == SAT_JSON_BOOL) {
		l->agent.deactivated = v->truth;
		l->tells = true;
	} else if (level == 5 && strcmp(key, "hostname") == 0) {
		return keep(l, &l->agent.host, &l->named, v);
	} else if (level == 6 && strcmp(key, "value") == 0) {
		return keep(l, &l->agent.id, &l->has_id, v);
	}
	return 0;
}

static int close_part(void *arg, unsigned level)
{
	return level == 3 ? add(arg) : 0;
}

int list_begin(struct list *l)
{
	static const struct sat_json_calls calls = {
		.size = sizeof(calls), .lax = true, .open = open_part, .value = value, .close = close_part,
	};

	*l = (struct list){ .text = { .max = TEXT_MAX } };
	l->json = sat_json_new(&calls, l, 0);
	return l->json != NULL ? 0 : -ENOMEM;
}

int list_feed(struct list *l, const void *p, size_t n)
{
	return sat_json_feed(l->json, p, n);
}

static int by_id(const void *a, const void *b, void *arg)
{
	return strcmp(list_id(arg, a), list_id(arg, b));
}

int list_end(struct list *l)
{
	int rc = sat_json_end(l->json);

	if (rc == 0 && !l->found)
		rc = -EPROTO;
	if (rc == 0 && l->n > 0)
		qsort_r(l->agents, l->n, sizeof(*l->agents), by_id, l);
	sat_json_free(l->json);
	l->json = NULL;
	return rc;
}

void list_free(struct list *l)
{
	sat_json_free(l->json);
	free(l->agents);
	sat_buf_free(&l->text);
	*l = (struct list){ 0 };
}
