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

#include "reader.h"
#include "snapshot.h"

#define KEY_MAX	512

struct reading {
	struct snapshot *s;
	void (*figure)(void *arg, const char *key, const struct sat_value *v);
	void *arg;
};

static int open_part(void *arg, unsigned level, const char *key, bool list)
{
	struct reading *r = arg;

	(void)key;
	if (level == 0)
		return list ? -EPROTO : READER_ENTER;
	r->s->odd++;
	return READER_SKIP;
}

static int close_part(void *arg, unsigned level)
{
	(void)arg;
	(void)level;
	return 0;
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

static int value(void *arg, unsigned level, const char *key, const struct reader_value *v)
{
	struct reading *r = arg;
	struct sat_value n;

	if (level == 0)
		return -EPROTO;
	if (v->kind == READER_NULL)
		return 0;
	if (v->kind != READER_NUMBER || key[0] == '\0' || strlen(key) >= KEY_MAX ||
	    !reader_legal(key, strlen(key)) || !reader_number(v->text, v->len, &n)) {
		r->s->odd++;
		return 0;
	}
	r->s->figures++;
	/* `elected` is how the oldest, with /stats.json, say it. */
	if (strcmp(key, "master/elected") == 0 || (r->s->elected < 0 && strcmp(key, "elected") == 0))
		r->s->elected = n.kind == SAT_INT && n.i == 1;
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
	static const struct reader_calls calls = { open_part, value, close_part };
	struct reading reading = { s, figure, arg };
	struct reader *r;
	int rc;

	*s = (struct snapshot){ .elected = -1 };
	r = reader_new(&calls, &reading);
	if (r == NULL) {
		snprintf(why, size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	rc = reader_feed(r, text, len);
	if (rc == 0)
		rc = reader_end(r);
	if (rc == 0 && s->figures == 0)
		rc = -EPROTO;
	if (rc == -EPROTO)
		snprintf(why, size, "JSON, but no object of figures");
	else if (rc != 0)
		snprintf(why, size, "not JSON, or cut short, at byte %llu",
			 (unsigned long long)reader_position(r));
	reader_free(r);
	return rc;
}
