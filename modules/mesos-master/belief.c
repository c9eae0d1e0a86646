/* SPDX-License-Identifier: Apache-2.0 */
/*
 * belief - for how long a Mesos master counts as leading that says nothing.
 *
 * Slowness alone is not held against a leadership at once, but a master that
 * hangs is not believed for long: its session with ZooKeeper, of ten seconds by
 * default, may end 6.7 s after it began to hang, since it is renewed each third
 * of it, and then another leads.  So four seconds; up to eight, which is no 2 s
 * too late, where its answers took long lately; and longer while it writes us a
 * state, which was seen to take 13 s.
 */
#include "mesos.h"

#define BELIEF		(4 * SAT_SECOND)	/* in a master that is silent */
#define BELIEF_SLOW	(8 * SAT_SECOND)	/* in one whose answers took long lately */
#define BELIEF_WRITING	(30 * SAT_SECOND)
#define WRITING		3			/* times that the last state took, before a byte of it comes */
/* Of the first, for each agent and task: twice what those took that made up the 13 s, which were 250,000. */
#define EACH		100			/* microseconds */
#define ENDED_KEPT	1000			/* tasks that Mesos keeps of each framework, */
#define GONE_KEPT	50			/* and frameworks that are gone */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t belief_patience(const struct mesos *m)
{
	int64_t slow = (int64_t)(2 * mesos_longest(m) * SAT_SECOND);

	return most(3 * m->leader_interval, most(BELIEF, least(BELIEF_SLOW, slow)));
}

/* How long a state may take of which none was seen yet, by the figures. */
static int64_t first_state(const struct snapshot *f)
{
	double kept = ENDED_KEPT * (f->frameworks + GONE_KEPT);
	double n = (double)f->agents_active + (double)most(f->agents_inactive, 0) + f->tasks;

	n += f->ended < kept ? f->ended : kept;
	return f->agents_active < 0 || !(n < BELIEF_WRITING / EACH) ? BELIEF_WRITING : (int64_t)(n * EACH);
}

/* While it writes this; 0: it does not.  What comes of it is a word, too. */
static int64_t written_until(const struct mesos *m, const struct source *s)
{
	int64_t takes = m->wrote > 0 ? WRITING * m->wrote : first_state(&m->figures);

	if (s->call == NULL)
		return 0;
	if (s->heard != 0)
		return s->heard + belief_patience(m);
	return s->asked + most(belief_patience(m), least(least(BELIEF_WRITING, s->timeout), takes));
}

/*
 * A follower has no stream, and a leader that is deposed ends it.  Where the
 * figures do not say who leads, or come no more while it goes on, its heartbeats do.
 */
static int64_t followed_until(const struct mesos *m)
{
	const struct follow *f = &m->follow;

	if (f->live && (m->no_word || f->heard - m->heard > belief_patience(m)))
		return f->heard + 2 * f->heartbeat + SAT_SECOND;
	return written_until(m, &f->source);
}

/* Where its figures do not say who leads, they say that it lives. */
static int64_t believed_until(const struct mesos *m)
{
	int64_t until = m->elected_until;

	if (m->elected != 1)
		return until;
	if (m->no_word)
		until = least(until, m->heard + belief_patience(m));
	until = most(until, written_until(m, &m->state));
	until = most(until, written_until(m, &m->look.source));
	return most(until, followed_until(m));
}

/* A process that was stopped wakes up with a leader of long ago. */
bool belief_holds(const struct mesos *m, int64_t now)
{
	int64_t until = believed_until(m);

	return now < until &&
	       source_boot() - m->elected_boot < until - m->elected_until + m->elected_for;
}
