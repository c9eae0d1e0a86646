/* SPDX-License-Identifier: Apache-2.0 */
/* parts - values and lists that several answers show. */
#include "parts.h"

#define GIT_SHA "6ba3b7e2a0c0e5f0a5c7c3f4cbf4bd1d3a2f6c11"
#define BUILD_DATE "2020-11-18 07:24:37"
#define BUILD_TIME 1605684277

/* ---- What is alike everywhere ------------------------------------------- */

void put_true(struct out *o, const void *x)
{
	(void)x;
	out_bool(o, true);
}

void put_false(struct out *o, const void *x)
{
	(void)x;
	out_bool(o, false);
}

void put_zero(struct out *o, const void *x)
{
	(void)x;
	out_number(o, 0);
}

void put_empty(struct out *o, const void *x)
{
	(void)x;
	out_raw(o, "\"\"");
}

void put_list(struct out *o, const void *x)
{
	(void)x;
	out_raw(o, "[]");
}

void put_object(struct out *o, const void *x)
{
	(void)x;
	out_raw(o, "{}");
}

void put_user(struct out *o, const void *x)
{
	(void)x;
	out_raw(o, "\"root\"");
}

/* ---- The process -------------------------------------------------------- */

void put_version(struct out *o, const void *about)
{
	(void)about;
	out_text(o, o->v->c->version_text);
}

void put_git_sha(struct out *o, const void *x)
{
	(void)x;
	out_text(o, GIT_SHA);
}

void put_build_date(struct out *o, const void *x)
{
	(void)x;
	out_text(o, BUILD_DATE);
}

void put_build_time(struct out *o, const void *x)
{
	(void)x;
	out_number(o, BUILD_TIME);
}

void put_cluster(struct out *o, const void *x)
{
	(void)x;
	out_text(o, "simulated");
}

void put_log_dir(struct out *o, const void *x)
{
	(void)x;
	out_text(o, "/var/log/mesos");
}

void put_hostname(struct out *o, const void *about)
{
	(void)about;
	out_text(o, o->v->me->host);
}

/* ---- Agents ------------------------------------------------------------- */

void put_agent_pid(struct out *o, const void *about)
{
	char pid[64];

	agent_pid(pid, about);
	out_text(o, pid);
}

void put_agent_active(struct out *o, const void *about)
{
	out_bool(o, agent_active(about));
}

void put_agent_deactivated(struct out *o, const void *about)
{
	out_bool(o, ((const struct agent *)about)->deactivated);
}

bool agent_was_reregistered(const struct view *v, const void *about)
{
	(void)v;
	return ((const struct agent *)about)->reregistered_time > 0;
}

bool agent_drains(const struct view *v, const void *about)
{
	(void)v;
	return ((const struct agent *)about)->draining;
}

void put_drain_info(struct out *o, const void *about)
{
	buf_fmt(o->b, "{\"state\":\"%s\",\"config\":{\"max_grace_period\":"
		"{\"nanoseconds\":600000000000},\"mark_gone\":false}}",
		((const struct agent *)about)->tasks ? "DRAINING" : "DRAINED");
}

/* ---- Which there are ---------------------------------------------------- */

const void *each_agent(const struct view *v, const void *about, size_t i)
{
	(void)about;
	return i < v->s->n_registered ?
		&v->s->agents[v->s->registered[i]] : NULL;
}

static const void *framework_that(const struct view *v, size_t i, bool registered)
{
	size_t k;

	for (k = 0; k < v->s->n_frameworks; k++)
		if (v->s->frameworks[k].registered == registered && i-- == 0)
			return &v->s->frameworks[k];
	return NULL;
}

const void *each_framework(const struct view *v, const void *about, size_t i)
{
	(void)about;
	return framework_that(v, i, true);
}

const void *each_completed_framework(const struct view *v, const void *about, size_t i)
{
	(void)about;
	return framework_that(v, i, false);
}
