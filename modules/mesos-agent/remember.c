/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remember - the services that were told of, in a file, over a death of this process.
 *
 * The next one retires those that the agent says no more.  A service a line, behind the number of
 * its answer; written once an interval where it is another list, by a job, since that blocks.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

#define FILE_MAX	((size_t)16 << 20)

struct saving {
	struct agent *agent;
	struct sat_buf text;
	char path[];
};

/* A dry run told nobody. */
int remember_where(struct agent *a)
{
	const char *dir = sat_state_dir(), *name = sat_name(a->self);
	size_t n = strlen(dir) + strlen(name) + sizeof("/.told");

	if (a->interval == 0 || sat_dry_run())
		return 0;
	a->told_path = malloc(n);
	if (a->told_path == NULL)
		return -ENOMEM;
	snprintf(a->told_path, n, "%s/%s.told", dir, name);
	return 0;
}

static void add(void *arg, unsigned of, const char *service)
{
	if (strchr(service, '\n') == NULL)
		sat_buf_printf(arg, "%u %s\n", of, service);
}

static void discard(void *arg)
{
	struct saving *s = arg;

	sat_buf_free(&s->text);
	free(s);
}

static int save(void *arg)
{
	struct saving *s = arg;

	return sat_file_replace(s->path, s->text.p != NULL ? s->text.p : "", s->text.len, 0644);
}

static void saved(void *arg, int rc)
{
	struct saving *s = arg;
	struct agent *a = s->agent;

	a->saving = false;
	if (rc != 0)
		a->told.changed = true;
	if (rc != 0 && rc != a->save_trouble)
		sat_log(a->self, LOG_WARNING, "%s: %s: what ends while this process does not run may expire at the masters",
			a->told_path, strerror(-rc));
	a->save_trouble = rc;
	if (rc != -ETIMEDOUT)	/* then the thread still reads it */
		discard(s);
	poll_stopped_yet(a);
}

void remember_save(struct agent *a)
{
	struct sat_job job = { .size = sizeof(job), .work = save, .done = saved, .late = discard };
	size_t n = a->told_path != NULL ? strlen(a->told_path) + 1 : 0;
	struct saving *s;

	if (n == 0 || !a->told.changed || a->saving || a->stopping)
		return;
	s = calloc(1, sizeof(*s) + n);
	if (s == NULL)
		return;
	s->agent = a;
	s->text.max = FILE_MAX;
	memcpy(s->path, a->told_path, n);
	told_each(&a->told, add, &s->text);
	job.arg = s;
	if (s->text.full || sat_work(a->self, &job) != 0) {
		discard(s);
		return;
	}
	a->saving = true;
	a->told.changed = false;
}

/* What is nonsense in it is passed over. */
void remember_load(struct agent *a)
{
	char *text, *next;
	size_t len;

	if (a->told_path == NULL || sat_file_read(a->told_path, FILE_MAX, &text, &len) != 0)
		return;
	for (char *line = text; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		if ((line[0] == '0' || line[0] == '1') && line[1] == ' ' && strncmp(line + 2, a->prefix, strlen(a->prefix)) == 0)
			told_note(&a->told, (unsigned)(line[0] - '0'), line + 2);
	}
	a->told.changed = false;
	free(text);
}
