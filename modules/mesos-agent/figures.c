/* SPDX-License-Identifier: Apache-2.0 */
/* figures - a Mesos agent's counts of tasks, out of its metrics/snapshot. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

#include "figures.h"

const char *const figures_keys[FIGURES] = {
	"slave/tasks_failed", "slave/tasks_finished", "slave/tasks_killed", "slave/tasks_lost",
	"slave/tasks_running", "slave/tasks_staging", "slave/tasks_starting",
};

/* The outermost thing is an object, or it is no answer of an agent. */
static int open_part(void *arg, unsigned level, const char *key, bool list)
{
	(void)arg;
	(void)key;
	if (level != 0)
		return SAT_JSON_SKIP;
	return list ? -EBADMSG : SAT_JSON_ENTER;
}

static int figure_of(const char *key)
{
	for (int i = 0; i < FIGURES; i++)
		if (strcmp(figures_keys[i], key) == 0)
			return i;
	return -1;
}

static int value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	struct figures *f = arg;
	int which = figure_of(key);
	char copy[64];
	double d;

	if (level == 0)
		return -EBADMSG;
	if (which < 0 || v->kind != SAT_JSON_NUMBER || v->len >= sizeof(copy))
		return 0;
	memcpy(copy, v->text, v->len);
	copy[v->len] = '\0';
	d = strtod(copy, NULL);
	if (isfinite(d)) {
		f->value[which] = d;
		f->known |= 1u << which;
	}
	return 0;
}

int figures_read(struct figures *f, const char *text, size_t len)
{
	static const struct sat_json_calls calls = {
		.size = sizeof(calls), .lax = true, .open = open_part, .value = value,
	};
	char error[100];
	int rc;

	*f = (struct figures){ 0 };
	rc = sat_json_read(text, len, &calls, f, error, sizeof(error));
	return rc == 0 || rc == -ENOMEM ? rc : -EBADMSG;
}
