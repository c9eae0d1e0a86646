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

double figures_double(const struct sat_value *n)
{
	return n->kind == SAT_INT ? (double)n->i : n->d;
}

bool figures_number(const struct sat_json_value *v, struct sat_value *n)
{
	char copy[64], *end;
	double d;

	if (v->kind != SAT_JSON_NUMBER || v->len >= sizeof(copy))
		return false;
	memcpy(copy, v->text, v->len);
	copy[v->len] = '\0';
	errno = 0;
	*n = (struct sat_value){ .kind = SAT_INT, .i = strtoll(copy, &end, 10) };
	if (*end == '\0' && errno == 0)
		return true;
	d = strtod(copy, NULL);
	if (d == floor(d) && fabs(d) < 9e15)
		*n = (struct sat_value){ .kind = SAT_INT, .i = (int64_t)d };
	else
		*n = (struct sat_value){ .kind = SAT_DOUBLE, .d = d };
	return isfinite(d);
}

struct reading {
	void (*found)(void *arg, const char *key, const struct sat_value *n);
	void *arg;
};

static int value(void *arg, unsigned level, const char *key, const struct sat_json_value *v)
{
	const struct reading *r = arg;
	struct sat_value n;

	if (level == 0)
		return -EBADMSG;
	if (key[0] != '\0' && figures_number(v, &n))
		r->found(r->arg, key, &n);
	return 0;
}

static void take(void *arg, const char *key, const struct sat_value *n)
{
	struct figures *f = arg;
	int which = figure_of(key);

	if (which < 0 || (f->known & 1u << which) != 0)	/* of two the first counts, as in /metrics */
		return;
	f->value[which] = figures_double(n);
	f->known |= 1u << which;
}

int figures_all(const char *text, size_t len, void (*found)(void *arg, const char *key, const struct sat_value *n),
		void *arg)
{
	static const struct sat_json_calls calls = {
		.size = sizeof(calls), .lax = true, .open = open_part, .value = value,
	};
	struct reading r = { .found = found, .arg = arg };
	char error[100];
	int rc = sat_json_read(text, len, &calls, &r, error, sizeof(error));

	return rc == 0 || rc == -ENOMEM ? rc : -EBADMSG;
}

int figures_read(struct figures *f, const char *text, size_t len)
{
	*f = (struct figures){ 0 };
	return figures_all(text, len, take, f);
}
