/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot - a Mesos master's figures: the flat object that metrics/snapshot answers.
 *
 * Missing keys are normal: they differ by version, percentiles appear with the
 * first sample, and a gauge that did not answer in time is left out.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "legal.h"
#include "snapshot.h"

#define KEY_MAX	1024	/* an encoded name of a framework in it may be long */

struct reading {
	struct snapshot *s;
	void (*figure)(void *arg, const char *key, const struct sat_value *v);
	void *arg;
	bool said;			/* who leads */
};

static int open_part(void *arg, unsigned level, const char *key, bool list)
{
	struct reading *r = arg;

	(void)key;
	if (level == 0)
		return list ? -EPROTO : SAT_JSON_ENTER;
	r->s->odd++;
	return SAT_JSON_SKIP;
}

/* Figures that stand still as long as a new state would tell nothing new. */
static bool is_watched(const char *key)
{
	static const char *const prefixes[] = {
		"slave", "tasks_", "frameworks_", "cpus_", "mem_", "disk_", "gpus_", "recovery_slave",
	};
	size_t i, n = strlen(key);

	if (strncmp(key, "master/", 7) != 0 || (n > 8 && strcmp(key + n - 8, "_percent") == 0))
		return false;
	for (i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (strncmp(key + 7, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static uint64_t print(const char *key, const struct sat_value *v)
{
	return sat_hash((uint64_t)v->i, key);	/* v->d lies in the same place */
}

/* What its state has, but for agents. */
static double *part_of_state(struct snapshot *s, const char *key)
{
	static const struct { const char *key; size_t at; } all[] = {
#define AT(member) offsetof(struct snapshot, member)
		{ "tasks_running", AT(tasks) }, { "tasks_staging", AT(tasks) }, { "tasks_starting", AT(tasks) },
		{ "tasks_killing", AT(tasks) }, { "tasks_unreachable", AT(tasks) },
		{ "tasks_finished", AT(ended) }, { "tasks_failed", AT(ended) }, { "tasks_killed", AT(ended) },
		{ "tasks_lost", AT(ended) }, { "tasks_error", AT(ended) },
		{ "frameworks_active", AT(frameworks) }, { "frameworks_inactive", AT(frameworks) },
	};

	for (size_t i = 0; strncmp(key, "master/", 7) == 0 && i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(key + 7, all[i].key) == 0)
			return (double *)(void *)((char *)s + all[i].at);
	return NULL;
}

/* Of agents; the counters begin at 0 with each process, and never fall. */
static void count(struct snapshot *s, const char *key, int64_t n)
{
	if (strcmp(key, "s_active") == 0)
		s->agents_active = n;
	else if (strcmp(key, "s_inactive") == 0)
		s->agents_inactive = n;
	else if (strcmp(key, "_removals") == 0)
		s->removals = n;
	else if (strcmp(key, "_removals/reason_unhealthy") == 0)
		s->unhealthy = n;
}

/* `elected` is how the oldest, with /stats.json, say it.  Of two the first counts, as in /metrics. */
static void take_elected(struct reading *r, const char *key, const struct sat_value *n)
{
	bool old = strcmp(key, "elected") == 0;

	if (r->said || !(old ? r->s->elected < 0 : strcmp(key, "master/elected") == 0))
		return;
	r->s->elected = n->kind == SAT_INT && n->i == 1;
	r->said = !old;
}

static int value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	struct reading *r = arg;
	struct sat_value n;
	double d, *part;

	if (level == 0)
		return -EPROTO;
	if (v->kind == SAT_JSON_NULL)
		return 0;
	if (v->kind != SAT_JSON_NUMBER || key[0] == '\0' || strlen(key) >= KEY_MAX ||
	    !legal_text(key, strlen(key)) || !legal_number(v->text, v->len, &n)) {
		r->s->odd++;
		return 0;
	}
	r->s->figures++;
	d = n.kind == SAT_INT ? (double)n.i : n.d;
	take_elected(r, key, &n);
	if (n.kind == SAT_INT && strncmp(key, "master/slave", 12) == 0)
		count(r->s, key + 12, n.i);
	if (strcmp(key, "master/uptime_secs") == 0 && r->s->uptime < 0)
		r->s->uptime = d;
	part = part_of_state(r->s, key);
	if (part != NULL && d > 0)
		*part += d;
	if (is_watched(key)) {
		r->s->watched = true;
		r->s->print += print(key, &n);
	}
	if (r->figure != NULL)
		r->figure(r->arg, key, &n);
	return 0;
}

int snapshot_read(struct snapshot *s, const char *text, size_t len,
		  void (*figure)(void *arg, const char *key, const struct sat_value *v), void *arg,
		  char *why, size_t size)
{
	static const struct sat_json_calls calls = {
		.size = sizeof(calls), .lax = true, .open = open_part, .value = value,
	};
	struct reading reading = { s, figure, arg, false };
	char error[100];
	int rc;

	*s = (struct snapshot)SNAPSHOT_NONE;
	rc = sat_json_read(text, len, &calls, &reading, error, sizeof(error));
	if (rc == 0 && s->figures == 0)
		rc = -EPROTO;
	if (rc == -EPROTO)
		snprintf(why, size, "JSON, but no object of figures");
	else if (rc != 0)
		snprintf(why, size, "%s%s", rc == -ENOMEM ? "" : "not JSON, or cut short, ", error);
	return rc;
}
