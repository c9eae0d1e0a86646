/* SPDX-License-Identifier: Apache-2.0 */
/* left - what of a state is left out, in one line for each cause until a state is without it. */
#include <stdio.h>

#include "mesos.h"

static const struct { const char *what, *then; } words[LEFTS] = {
	[LEFT_AGENT] = { "agents without a hostname, or with one that is over 255 bytes or no text, are left out",
			 "nothing tells of them; give them one with mesos-agent --hostname" },
	[LEFT_FRAMEWORK] = { "frameworks with neither an id nor a name of at most 255 bytes of text are left out",
			     "nothing tells of them; their schedulers have to name them so" },
	[LEFT_TASK] = { "tasks without an id, or with one that is over 255 bytes or no text, are left out",
			"nothing tells of them; their frameworks have to name them so" },
	[LEFT_AGENT_FULL] = { "agents are left out, which are past the most that are kept", "nothing tells of them" },
	[LEFT_FRAMEWORK_FULL] = { "frameworks are left out, which are past the most that are kept",
				  "nothing tells of them; a completed one goes when Mesos forgets it: "
				  "mesos-master --max_completed_frameworks" },
	[LEFT_TASK_FULL] = { "tasks are left out, which are past the most that are kept",
			     "nothing tells of them; an ended one goes when Mesos forgets it: "
			     "mesos-master --max_completed_tasks_per_framework" },
	[LEFT_AGENT_ID] = { "agents have an id that is over 255 bytes or no text, and are known by their hosts",
			    "their tasks are not told of with them" },
};

static void say(struct mesos *m, enum model_left i)
{
	const char *first = m->model.left[i].first;

	sat_log(m->self, LOG_WARNING, "%s: %s (%u): %s%s%s%s", m->url, words[i].what, m->model.left[i].n, words[i].then,
		first[0] != '\0' ? "; the first is \"" : "", first, first[0] != '\0' ? "\"" : "");
}

void left_say(struct mesos *m, bool whole)
{
	uint64_t left_out = m->model.odd + m->model.over;

	sat_count(m->self, COUNT_LEFT_OUT, (int64_t)(left_out - m->left_out));
	m->left_out = left_out;
	for (int i = 0; i < LEFTS; i++) {
		if (m->model.left[i].n > 0 && !m->left_said[i])
			say(m, i);
		m->left_said[i] = m->model.left[i].n > 0 || (m->left_said[i] && !whole);
	}
}
