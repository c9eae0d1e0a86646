/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan - what is to be done, and what is amiss: the decisions, the marks and
 * Mesos' list, compared.
 *
 * What another deactivated is never reactivated.  What is ours and active again
 * is deactivated anew: who wants the host to work says so to Satellite.  A host
 * that is not in the inventory is nobody's business here: as the file gives it no
 * work, so its agent stays as it is, and why says what we left.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents.h"

enum step plan_step(enum flag wanted, const struct mark *mark, const struct listed *agent, enum amiss *amiss)
{
	*amiss = AMISS_NOTHING;
	if (wanted == FLAG_NONE && mark == NULL)
		return STEP_NONE;
	/* Draining ends deactivated, too; that is not for us to end. */
	if (agent->draining) {
		*amiss = wanted == FLAG_ON ? AMISS_DRAINED : AMISS_NOTHING;
		return mark != NULL ? STEP_UNMARK : STEP_NONE;
	}
	if (wanted == FLAG_OFF) {
		if (!agent->deactivated)
			*amiss = mark != NULL && !mark->fresh ? AMISS_UNDONE : AMISS_PENDING;
		return agent->deactivated ? STEP_NONE : STEP_DEACTIVATE;
	}
	if (!agent->deactivated)
		return mark != NULL ? STEP_UNMARK : STEP_NONE;
	if (wanted == FLAG_NONE) {
		*amiss = AMISS_LEFT;
		return STEP_NONE;
	}
	*amiss = mark != NULL ? AMISS_PENDING : AMISS_FOREIGN;
	return mark != NULL ? STEP_REACTIVATE : STEP_NONE;
}

/* ---- All of them -------------------------------------------------------- */

static enum flag wanted(const struct actuator *a, const char *host)
{
	size_t from = 0, to = a->n_wants;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int order = strcmp(a->wants[mid]->host, host);

		if (order == 0)
			return strcmp(a->wants[mid]->state, "on") == 0 ? FLAG_ON : FLAG_OFF;
		if (order < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return FLAG_NONE;
}

/* What is amiss with one agent, before those of a host are put together. */
struct finding { uint32_t agent; enum step step; enum amiss amiss; };

struct planning {
	struct finding *found;
	size_t n, drift, pending;
	struct todo *todo;
	size_t n_todo;
};

static void look(struct actuator *a, uint32_t i, struct planning *p)
{
	const struct listed *agent = &a->list.agents[i];
	const char *id = list_id(&a->list, agent);
	struct mark *mark = mark_find(a, id);
	struct finding *f = &p->found[p->n];

	if (mark != NULL && agent->deactivated)
		mark->fresh = false;
	if (mark != NULL)
		mark->listed = sat_clock();
	*f = (struct finding){ .agent = i };
	f->step = plan_step(wanted(a, list_host(&a->list, agent)), mark, agent, &f->amiss);
	if (a->refused[i] && f->amiss == AMISS_PENDING)
		f->amiss = AMISS_REFUSED;
	p->n += f->amiss != AMISS_NOTHING;
	p->drift += f->amiss >= AMISS_FOREIGN;
	p->pending += f->step != STEP_NONE && !a->refused[i];
	if (f->step != STEP_NONE && !a->refused[i] && !calls_about(a, id))
		p->todo[p->n_todo++] = (struct todo){ .agent = i, .step = f->step };
}

static int by_host(const void *x, const void *y, void *arg)
{
	const struct list *l = arg;
	const struct finding *a = x, *b = y;
	int order = strcmp(list_host(l, &l->agents[a->agent]), list_host(l, &l->agents[b->agent]));

	return order != 0 ? order : (int)b->amiss - (int)a->amiss;
}

static char *words(const struct actuator *a, const struct finding *f, size_t more)
{
	static const char *const texts[] = {
		[AMISS_FOREIGN] = "is deactivated, and not by satellite, which leaves it so",
		[AMISS_DRAINED] = "is drained, and not by satellite, which leaves it so",
		[AMISS_UNDONE] = "is active again, and not by satellite, which deactivates it anew",
	};
	const struct listed *agent = &a->list.agents[f->agent];
	struct sat_buf text = { .max = 1024 };

	sat_buf_printf(&text, "agent %s ", list_id(&a->list, agent));
	if (f->amiss == AMISS_LEFT)
		sat_buf_printf(&text, "is still deactivated, by satellite: \"satellite on %s\" reactivates it",
			       list_host(&a->list, agent));
	else if (f->amiss <= AMISS_REFUSED)
		sat_buf_printf(&text, f->amiss == AMISS_PENDING ? "is not %sactivated yet" :
			       "is not %sactivated: Mesos refuses", f->step == STEP_DEACTIVATE ? "de" : "re");
	else
		sat_buf_printf(&text, "%s", texts[f->amiss]);
	if (more > 0)
		sat_buf_printf(&text, "; and %zu more of its agents", more);
	sat_buf_add(&text, "", 1);
	if (!text.full)
		return text.p;
	sat_buf_free(&text);
	return NULL;
}

static void notes_free(struct note *notes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(notes[i].host);
		free(notes[i].text);
	}
	free(notes);
}

/* One note a host; NULL: no memory. */
static struct note *notes_make(struct actuator *a, const struct planning *p, size_t *n_notes)
{
	struct note *notes = calloc(p->n + 1, sizeof(*notes));
	size_t n = 0;

	for (size_t i = 0, next; notes != NULL && i < p->n; i = next) {
		const char *host = list_host(&a->list, &a->list.agents[p->found[i].agent]);

		for (next = i + 1; next < p->n; next++)
			if (strcmp(list_host(&a->list, &a->list.agents[p->found[next].agent]), host) != 0)
				break;
		notes[n] = (struct note){ strdup(host), words(a, &p->found[i], next - i - 1), p->found[i].amiss };
		n++;
		if (notes[n - 1].host == NULL || notes[n - 1].text == NULL) {
			notes_free(notes, n);
			return NULL;
		}
	}
	*n_notes = n;
	return notes;
}

static void adopt(struct actuator *a, struct planning *p, struct note *notes, size_t n)
{
	struct note *old = a->notes;
	size_t n_old = a->n_notes;

	free(a->todo);
	a->todo = p->todo;
	a->n_todo = p->n_todo;
	a->next_todo = 0;
	a->notes = notes;
	a->n_notes = n;
	a->plan_due = false;
	sat_gauge(a->self, GAUGE_DRIFT, (int64_t)p->drift);
	a->pending = p->pending;
	sat_gauge(a->self, GAUGE_PENDING, (int64_t)p->pending);
	tell_notes(a, old, n_old);
	notes_free(old, n_old);
}

/* Without memory the last plan stands, and it is tried again. */
void plan(struct actuator *a)
{
	struct planning p = {
		.found = calloc(a->list.n + 1, sizeof(*p.found)), .todo = calloc(a->list.n + 1, sizeof(*p.todo)),
	};
	struct note *notes = NULL;
	size_t n = 0;

	if (p.found != NULL && p.todo != NULL && a->refused != NULL) {
		for (uint32_t i = 0; i < a->list.n; i++)
			look(a, i, &p);
		qsort_r(p.found, p.n, sizeof(*p.found), by_host, &a->list);
		notes = notes_make(a, &p, &n);
	}
	if (notes != NULL)
		adopt(a, &p, notes, n);
	else
		free(p.todo);
	free(p.found);
}

void plan_forget(struct actuator *a)
{
	notes_free(a->notes, a->n_notes);
	free(a->todo);
	free(a->refused);
	list_free(&a->list);
	a->notes = NULL;
	a->todo = NULL;
	a->refused = NULL;
	a->n_notes = a->n_todo = a->next_todo = a->pending = 0;
	a->has_list = false;
	sat_gauge(a->self, GAUGE_DRIFT, 0);
	sat_gauge(a->self, GAUGE_PENDING, 0);
}
