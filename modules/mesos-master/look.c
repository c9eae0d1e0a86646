/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look - the list of agents alone, which costs a Mesos master little.
 *
 * The stream says nothing of agents that are deactivated, drain, lose their connection,
 * or are marked unreachable or gone; and not all of that moves a figure: an agent that
 * is out already may be deactivated, or drained.  Where the figures count other agents
 * than the model does, or while one drains, the agents are asked for, at most once an
 * interval; else every tenth.  Where states are polled one is asked for when figures
 * move, and the agents every tenth interval, or while one drains, of a Mesos that
 * deactivates agents.
 */
#include <errno.h>
#include <stdio.h>

#include "mesos.h"

#define RARELY	9			/* intervals between two looks at agents that fit */

/* What the figures count beyond the model. */
static int64_t more_active(const struct mesos *m)
{
	return m->figures.agents_active < 0 ? 0 : m->figures.agents_active - m->model.n_active;
}

static int64_t more_inactive(const struct mesos *m)
{
	int64_t registered = (int64_t)m->model.agents.n - m->model.n_recovered;

	return m->figures.agents_inactive < 0 ? 0 : m->figures.agents_inactive - (registered - m->model.n_active);
}

static int look_data(struct mesos *m, const void *p, size_t n)
{
	struct look *l = &m->look;

	l->received += n;
	return l->received > m->max_state ? -EFBIG : reader_feed(&l->reader, p, n);
}

/* Another master's list may be of another time, or another cluster. */
static void look_done(struct mesos *m, const struct sat_answer *a)
{
	struct look *l = &m->look;
	char why[160];
	int rc = reader_end_state(&l->reader, why, sizeof(why));

	(void)a;
	reader_free(&l->reader);
	if (rc != 0) {
		source_trouble(&l->source, rc, "%s", why);
		return;
	}
	source_well(&l->source);
	if (l->source.via[0] == '\0')
		settle_list(m);
}

void look_settled(struct mesos *m)
{
	m->look.more_active = more_active(m);
	m->look.more_inactive = more_inactive(m);
}

static void look_failed(struct mesos *m, const struct sat_answer *a)
{
	struct look *l = &m->look;
	int rc = l->reader.rc;
	char why[160] = "";

	if (rc != 0)
		reader_explain(&l->reader, rc, why, sizeof(why));
	reader_free(&l->reader);
	if (m->stopping)
		mesos_stopped_yet(m);
	else if (rc != 0 && !l->source.dropped)
		source_trouble(&l->source, rc, "%s", why);
	else
		source_failed(&l->source, a);
}

/* Some that the last look did not find either, such as those without a name, are no reason for the next. */
static bool counts_fit(const struct mesos *m)
{
	int64_t active = more_active(m), inactive = more_inactive(m);

	return (active == 0 || active == m->look.more_active) &&
	       (inactive == 0 || inactive == m->look.more_inactive);
}

static bool is_due(struct mesos *m, int64_t now)
{
	struct look *l = &m->look;

	if (m->model.n_draining > 0 || now >= l->next + RARELY * m->interval)
		return true;
	if (!m->follow.live || counts_fit(m))
		l->misfits = 0;
	else
		l->misfits++;
	return l->misfits >= 2;		/* not at once: the next change may be under way */
}

static bool is_possible(const struct mesos *m)
{
	if (m->stopping || m->look.source.call != NULL || !mesos_observes(m) || model_busy(&m->model))
		return false;
	if (m->follow.source.call != NULL || m->state.call != NULL)
		return m->follow.live;
	return m->has_model && m->model.deactivates && m->figures.watched;
}

void look_figures(struct mesos *m)
{
	struct look *l = &m->look;
	int64_t now = sat_clock();

	if (!is_possible(m) || now < l->next || !is_due(m, now))
		return;
	l->misfits = 0;
	look_later(m);
	l->received = 0;
	if (reader_expect(&l->reader, &m->model) != 0)
		return;
	l->reader.known_only = true;
	gone_ask_list(m);
	model_begin_list(&m->model);
	if (!source_ask(&l->source))
		reader_free(&l->reader);
}

void look_later(struct mesos *m)
{
	m->look.next = sat_clock() + m->interval;
}

/* All is read anew, or nothing of it is wanted. */
void look_drop(struct mesos *m)
{
	source_drop(&m->look.source);
	m->look.more_active = m->look.more_inactive = 0;
}

void look_init(struct mesos *m)
{
	static const char *const paths[] = { "/slaves", "/master/slaves", NULL };

	m->look = (struct look){
		.source = {
			.m = m, .name = "agents", .paths = paths, .timeout = m->state.timeout,
			.gauge = GAUGE_AGENTS_SUCCESS,
			.data = look_data, .done = look_done, .failed = look_failed,
		},
	};
}
