/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_gone - the agents that went: why each did, and what is told of that.
 *
 * A list lacks an agent that was removed and one that is out of reach alike.  Its
 * tasks may tell, Mesos' figures count, and which agents these count is plain where all
 * went for one reason.  Where it is not, the event says so.
 */
#include "model_inner.h"

#define LOOKS	8		/* at slots of a table, in the time that it takes to tell of one */
#define HOST_MAX 64u		/* that wait, of one host */

/* What is known of one, beside the figures. */
enum hint {
	HINT_LOST,		/* its tasks are unreachable */
	HINT_EXPELLED,		/* its tasks are gone by an operator: no figure counts it */
	HINT_SAID,		/* Mesos said that it removed it */
	HINT_AWAY,		/* Mesos had no word of it before */
	HINT_NONE,
	HINTS,
};

struct verdict { uint8_t stand, doubt; };

static enum hint hint_of(const struct model_agent *a)
{
	if (a->lost)
		return HINT_LOST;
	if (a->expelled)
		return HINT_EXPELLED;
	if (a->said)
		return HINT_SAID;
	return a->stand == MODEL_INACTIVE || a->stand == MODEL_RECOVERED ? HINT_AWAY : HINT_NONE;
}

/* ---- The verdict -------------------------------------------------------- */

/* Some of these are out of reach, and some are not: those it had no word of first, then what most are. */
static void weigh(const uint32_t n[HINTS], int64_t lost, struct verdict of[HINTS])
{
	int64_t left = lost - n[HINT_AWAY];

	of[HINT_AWAY].stand = 2 * lost >= n[HINT_AWAY] ? MODEL_UNREACHABLE : MODEL_REMOVED;
	of[HINT_NONE].stand = left > 0 && 2 * left >= n[HINT_NONE] ? MODEL_UNREACHABLE : MODEL_REMOVED;
	of[HINT_AWAY].doubt = of[HINT_NONE].doubt = DOUBT_WHICH;
}

/* AGENT_REMOVED is for those that were removed alone; should it ever be for others, the figures tell. */
static bool is_believed(uint32_t said, const struct model_toll *more, int64_t lost)
{
	return more->removed > 0 || lost < said;
}

static void judge(const uint32_t n[HINTS], const struct model_toll *more, struct verdict of[HINTS])
{
	int64_t lost, removed;

	for (int i = 0; i < HINTS; i++)
		of[i] = (struct verdict){ MODEL_REMOVED, DOUBT_NONE };
	of[HINT_LOST].stand = MODEL_UNREACHABLE;
	if (more == NULL) {
		of[HINT_AWAY].stand = MODEL_UNREACHABLE;
		of[HINT_AWAY].doubt = of[HINT_NONE].doubt = DOUBT_GUESSED;
		return;
	}
	if (more->lost <= 0) {
		of[HINT_LOST].stand = MODEL_REMOVED;
		return;
	}
	lost = more->lost - n[HINT_LOST];
	removed = more->removed - n[HINT_SAID];
	if (!is_believed(n[HINT_SAID], more, lost)) {
		of[HINT_SAID].stand = MODEL_UNREACHABLE;
		lost -= n[HINT_SAID];
		removed = more->removed;
	}
	if (lost <= 0)
		return;
	if (removed <= 0 && lost >= (int64_t)n[HINT_AWAY] + n[HINT_NONE])
		of[HINT_AWAY].stand = of[HINT_NONE].stand = MODEL_UNREACHABLE;
	else
		weigh(n, lost, of);
}

static bool is_open(const struct model *m, const struct model_agent *a, bool all)
{
	return a->verdict == MODEL_NEW && (all || a->link.mark != m->open_turn);
}

static struct model_agent *next_gone(const struct model *m, const struct model_agent *a)
{
	return (struct model_agent *)table_next(&m->gone, a != NULL ? &a->link : NULL);
}

static void pass(struct model *m, struct model_agent *a, struct verdict v)
{
	a->verdict = v.stand;
	a->doubt = v.doubt;
	m->n_open--;
	if (v.stand == MODEL_UNREACHABLE)
		m->judged.lost++;
	else if (hint_of(a) != HINT_EXPELLED)
		m->judged.removed++;
}

void model_judge(struct model *m, const struct model_toll *more)
{
	struct verdict of[HINTS];
	uint32_t n[HINTS] = { 0 };
	struct model_agent *a;

	if (m->n_open == 0)
		return;
	for (a = next_gone(m, NULL); a != NULL; a = next_gone(m, a))
		n[hint_of(a)] += is_open(m, a, more == NULL);
	judge(n, more, of);
	for (a = next_gone(m, NULL); a != NULL; a = next_gone(m, a))
		if (is_open(m, a, more == NULL))
			pass(m, a, of[hint_of(a)]);
}

void model_ask_why(struct model *m)
{
	m->open_turn++;
}

/* ---- What is told ------------------------------------------------------- */

/* Those of this agent's host, in turn. */
static struct model_agent *gone_of(const struct model *m, const struct model_agent *host, bool first, uint32_t *at)
{
	uint32_t hash = intern_hash(host->host);
	struct table_link *l = first ? table_find(&m->gone, hash, at) : table_same(&m->gone, hash, at);

	while (l != NULL && ((struct model_agent *)l)->host != host->host)
		l = table_same(&m->gone, hash, at);
	return (struct model_agent *)l;
}

static bool is_told(const struct model_agent *a)
{
	return a->verdict != MODEL_NEW && a->told == a->verdict;
}

static bool tell(struct model *m, struct model_agent *a)
{
	if (m->calls->agent(m->arg, a, a->verdict) != 0)
		return false;
	a->told = a->verdict;
	return true;
}

static void forget(struct model *m, struct model_agent *a)
{
	table_take(&m->gone, &a->link);
	model_agent_free(m, a);
}

/* false: some remain. */
static bool tell_some(struct model *m, uint32_t n)
{
	struct model_agent *a;

	for (a = next_gone(m, NULL); a != NULL; a = next_gone(m, a)) {
		if (a->verdict == MODEL_NEW || is_told(a))
			continue;
		if (n-- == 0 || !tell(m, a))
			return false;
		m->gone_told++;
	}
	return true;
}

/* Of a host where another agent is by now, the last word is that one's. */
static void say_again(struct model *m, struct model_agent *a)
{
	struct model_agent *g;
	uint32_t at;

	for (g = gone_of(m, a, true, &at); g != NULL && !is_told(g); g = gone_of(m, a, false, &at))
		continue;
	if (g == NULL || a->told == MODEL_NEW)
		return;
	a->told = g->verdict;
	model_tell_agent(m, a);
}

/* Where a table grew all of it is in other slots.  false: some remain. */
static bool say_some_again(struct model *m, uint64_t n)
{
	const struct table *t = &m->agents;

	if (m->again.renewed != t->renewed)
		m->again.slot = 0;
	m->again.renewed = t->renewed;
	for (; m->again.slot < t->size && n > 0; n--) {
		struct table_link *l = table_at(t, m->again.slot++);

		if (l != NULL)
			say_again(m, (struct model_agent *)l);
	}
	return m->again.slot >= t->size;
}

static void forget_told(struct model *m)
{
	struct model_agent *a, *next;

	for (a = next_gone(m, NULL); a != NULL; a = next) {
		next = next_gone(m, a);
		if (is_told(a))
			forget(m, a);
	}
	m->gone_told = 0;
	m->again.on = false;
}

void model_tell_gone(struct model *m, uint32_t n)
{
	if (m->gone.n == m->n_open)
		return;
	if (!m->again.on) {
		if (!tell_some(m, n) || m->gone_told == 0)
			return;
		m->again.on = true;
		m->again.slot = 0;
	}
	if (say_some_again(m, (uint64_t)n * LOOKS))
		forget_told(m);
}

/* Where all claim one host each is looked for among all the others: that takes 1,000 times as long. */
static bool are_many(const struct model *m, const struct model_agent *a)
{
	uint32_t n = 0, at;

	for (const struct model_agent *g = gone_of(m, a, true, &at); g != NULL && n < HOST_MAX; n++)
		g = gone_of(m, a, false, &at);
	return n >= HOST_MAX;
}

/* One that there is no room for is guessed at once. */
void model_keep_gone(struct model *m, struct model_agent *a)
{
	struct verdict of[HINTS];

	a->verdict = MODEL_NEW;
	a->told = MODEL_ACTIVE;
	if (!are_many(m, a) && table_add(&m->gone, &a->link, intern_hash(a->host)) == 0) {
		a->link.mark = m->open_turn;
		m->n_open++;
		return;
	}
	m->n_open++;
	judge((const uint32_t[HINTS]){ 0 }, NULL, of);
	pass(m, a, of[hint_of(a)]);
	tell(m, a);
	model_agent_free(m, a);
}

/* Who is removed never comes back under its id.  What is known of who went is told before who comes to its host. */
void model_came_back(struct model *m, const struct model_agent *back)
{
	struct model_agent *a;
	uint32_t at;

	for (a = gone_of(m, back, true, &at); a != NULL; a = gone_of(m, back, false, &at)) {
		if (is_told(a) || (a->verdict == MODEL_NEW && !a->said && a->id != back->id))
			continue;
		if (a->verdict == MODEL_NEW)
			pass(m, a, (struct verdict){ a->said ? MODEL_REMOVED : MODEL_UNREACHABLE, DOUBT_NONE });
		if (tell(m, a))
			forget(m, a);
	}
}
