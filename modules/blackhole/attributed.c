/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attributed - a host is judged by how the tasks of the same frameworks end on other hosts.
 *
 * Were it like the others, as many of its tasks would fail as of theirs, framework by
 * framework: so many are expected of it, with the spread of a sum of independent
 * trials.  It is suspected where far more did.  A framework whose tasks fail everywhere
 * raises what is expected, and so makes nobody suspect; it is told of by itself.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blackhole.h"
#include "tally.h"

#define PEER_TASKS	10.0	/* of others, or a framework tells nothing of a host */
#define PEER_HOSTS	2u
#define EXCESS		0.25	/* of its tasks, over what is expected: very many make any difference significant */
#define AGAIN		10	/* parts of the window: what is as it was is told so often */
#define NAMED		3u	/* frameworks that are named in a description */
#define LEAVE_MAX	1024	/* tasks that leave the window in one go: after a pause there may be very many */

/* ---- Tasks that ended --------------------------------------------------- */

enum end { NOT_ENDED, WELL, FAILED_HERE };

/* A task that was killed, or is lost with its agent or at the master, says nothing of the host's
 * health; nor does one that Mesos refused as malformed. */
static enum end end_of(const struct sat_event *ev)
{
	const char *state = ev->state != NULL ? ev->state : "";
	const char *source = sat_attr(ev, "source");

	if (strcmp(state, "TASK_FINISHED") == 0)
		return WELL;
	if (strcmp(state, "TASK_FAILED") == 0)
		return FAILED_HERE;
	if (strcmp(state, "TASK_LOST") != 0 && strcmp(state, "TASK_DROPPED") != 0)
		return NOT_ENDED;
	return source != NULL && strcmp(source, "SOURCE_MASTER") == 0 ? NOT_ENDED : FAILED_HERE;
}

/* ---- Judging ------------------------------------------------------------ */

struct judgement {
	uint32_t tasks, failed;		/* of frameworks that others run, too */
	uint32_t frameworks, all;	/* all: tasks of any framework */
	double expected, deviations;
};

static struct judgement judge(const struct party *host)
{
	struct judgement j = { 0 };
	double spread = 0;

	for (uint32_t i = 0; i < host->n_cells; i++) {
		const struct cell *c = &host->cells[i];
		double tasks, failed, p;
		uint32_t hosts;

		j.all += c->tasks;
		tally_peers(c, &tasks, &failed, &hosts);
		if (hosts < PEER_HOSTS || tasks < PEER_TASKS)
			continue;
		p = (failed + 0.5) / (tasks + 1);
		j.tasks += c->tasks;
		j.failed += c->failed;
		j.frameworks++;
		j.expected += c->tasks * p;
		spread += c->tasks * p * (1 - p);
	}
	j.deviations = spread > 0 ? (j.failed - j.expected - 0.5) / sqrt(spread) : 0;
	return j;
}

static bool enough(const struct rule *r, const struct judgement *j)
{
	return j->tasks >= r->min_tasks && j->frameworks >= r->min_frameworks;
}

/* Who is suspected stays so until it is half as conspicuous. */
static bool suspect(const struct rule *r, const struct judgement *j, bool already)
{
	double part = already ? 0.5 : 1;

	return enough(r, j) && j->failed >= part * r->rate * j->tasks &&
	       j->failed - j->expected >= part * EXCESS * j->tasks && j->deviations >= part * r->deviations;
}

static const char *name_of(const struct party *framework)
{
	return strcmp(framework->name, TALLY_REST) != 0 ? framework->name : "others";
}

/* "spark 12 of 13, …": those that failed most. */
static const char *name_frameworks(const struct sat_at *at, const struct party *host)
{
	uint32_t below = UINT32_MAX;
	const char *text = "";
	unsigned n = 0;

	while (n < NAMED) {
		uint32_t most = 0;

		for (uint32_t i = 0; i < host->n_cells; i++)
			if (host->cells[i].failed < below && host->cells[i].failed > most)
				most = host->cells[i].failed;
		if (most == 0)
			break;
		for (uint32_t i = 0; i < host->n_cells && n < NAMED && text != NULL; i++)
			if (host->cells[i].failed == most)
				text = sat_scratchf(at, "%s%s%.100s %u of %u", text, n++ == 0 ? "" : ", ",
						    name_of(host->cells[i].framework), most, host->cells[i].tasks);
		below = most;
		if (text == NULL)
			break;
	}
	return text;
}

static const char *explain(const struct sat_at *at, const struct rule *r, const struct party *host,
			   const struct judgement *j)
{
	double seconds = (double)r->window / SAT_SECOND;
	const char *named = name_frameworks(at, host);

	if (!enough(r, j))
		return sat_scratchf(at, "%u tasks ended in %g s, %u of them of frameworks that other hosts run, too: "
				    "too few to judge it", j->all, seconds, j->tasks);
	return sat_scratchf(at, "%u of %u tasks failed in %g s, where %.3g are to be expected from the same frameworks "
			    "on other hosts%s%s%s", j->failed, j->tasks, seconds, j->expected,
			    named != NULL && *named != '\0' ? " (" : "", named != NULL ? named : "",
			    named != NULL && *named != '\0' ? ")" : "");
}

static int tell_host(const struct sat_at *at, const struct rule *r, const struct party *host,
		     const struct judgement *j)
{
	struct sat_event *ev = verdict_event(at, sat_scratchf(at, "%s", host->name), host->critical, NULL);
	struct sat_value key = { .kind = SAT_TEXT };
	const struct sat_event *one = ev;
	int rc;

	if (ev == NULL || ev->host == NULL)
		return -ENOMEM;
	ev->description = explain(at, r, host, j);
	ev->ttl = (double)r->window / SAT_SECOND;
	ev->metric.d = j->tasks > 0 ? (double)j->failed / j->tasks : 0;
	ev->has |= SAT_HAS_TTL | SAT_HAS_DOUBLE;
	rc = verdict_put(at, ev, "failed", sat_scratchf(at, "%u", j->failed));
	if (rc == 0)
		rc = verdict_put(at, ev, "tasks", sat_scratchf(at, "%u", j->tasks));
	if (rc == 0)
		rc = verdict_put(at, ev, "expected", sat_scratchf(at, "%.3g", j->expected));
	key.text = ev->host;
	if (rc == 0)
		sat_pass_fork(at, 0, &(struct sat_item){ .evs = &one, .n = 1 }, &key, 1);
	return rc;
}

static int look_at_host(const struct sat_at *at, const struct rule *r, struct party *host)
{
	struct judgement j = judge(host);
	bool bad = suspect(r, &j, host->critical), other = bad != host->critical;
	int64_t now = sat_clock();

	if (!other && !enough(r, &j))
		return 0;
	if (!other && host->told != 0 && now - host->told < r->window / AGAIN)
		return 0;
	tally_suspect(host, bad);
	host->told = now;
	return tell_host(at, r, host, &j);
}

static int tell_framework(const struct sat_at *at, const struct rule *r, const struct party *f, double rate,
			  uint32_t hosts)
{
	const struct sat_value key = { .kind = SAT_NIL };
	const struct sat_event *one;
	struct sat_event *ev;
	int rc;

	ev = verdict_event(at, NULL, f->critical, NULL);
	if (ev == NULL)
		return -ENOMEM;
	ev->service = sat_scratchf(at, "tasks of framework %s fail", f->name);
	ev->description = sat_scratchf(at, "%.0f %% of the tasks that ended in %g s failed, on %u hosts, where none "
				       "counts for more than %u, nor one that is suspected itself", 100 * rate,
				       (double)r->window / SAT_SECOND, hosts, TALLY_SHARE);
	ev->ttl = (double)r->window / SAT_SECOND;
	ev->metric.d = rate;
	ev->has |= SAT_HAS_TTL | SAT_HAS_DOUBLE;
	rc = verdict_put(at, ev, "framework", sat_scratchf(at, "%s", f->name));
	one = ev;
	if (rc == 0 && ev->service != NULL)
		sat_pass_fork(at, 0, &(struct sat_item){ .evs = &one, .n = 1 }, &key, 1);
	return rc;
}

/*
 * Its tasks fail on most hosts: that is no host's fault.  What fails ends sooner than what does not, and
 * on bad hosts first: so it is looked at for half of the window before that is said.
 */
static int look_at_framework(const struct sat_at *at, const struct rule *r, struct party *f)
{
	double part = f->critical ? 0.5 : 1;
	uint64_t tasks = f->all.tasks - f->suspected.tasks, failed = f->all.failed - f->suspected.failed;
	uint32_t hosts = f->all.hosts - f->suspected.hosts;
	double rate = tasks > 0 ? (double)failed / TALLY_PARTS / (double)tasks : 0;
	bool seen = f->critical || sat_clock() - f->since >= r->window / 2;
	bool bad = seen && tasks >= r->min_tasks && hosts > PEER_HOSTS && rate >= part * r->rate;

	if (strcmp(f->name, TALLY_REST) == 0 || (!bad && !f->critical) ||
	    (bad == f->critical && sat_clock() - f->told < r->window / AGAIN))
		return 0;
	f->critical = bad;
	f->told = sat_clock();
	return tell_framework(at, r, f, rate, hosts);
}

/* ---- The window moves --------------------------------------------------- */

/* Whom a task that left made suspect is looked at again; the last error, if any. */
static int drop_first(const struct sat_at *at, const struct rule *r, struct tally *t)
{
	struct party *host, *framework;
	int rc = 0, more = 0;

	tally_pop(t, &host, &framework);
	if (host->critical)
		rc = look_at_host(at, r, host);
	if (framework->critical)
		more = look_at_framework(at, r, framework);
	tally_let_go(t, host, framework);
	return rc != 0 ? rc : more;
}

static int move(const struct sat_at *at, const struct rule *r, struct attributed *a)
{
	const struct ended *e;
	int rc = 0, n = 0;

	while ((e = tally_at(a->tally, 0)) != NULL && e->until <= sat_clock() && n++ < LEAVE_MAX) {
		int one = drop_first(at, r, a->tally);

		rc = rc != 0 ? rc : one;
	}
	if (e != NULL)
		sat_timer_set(at, &a->timer, e->until);
	else
		sat_timer_stop(&a->timer);
	return rc;
}

/* Each framework has its own "1"; one may use an id again, on another agent at the soonest. */
static uint64_t task_of(const struct sat_event *ev)
{
	const char *framework = sat_attr(ev, "framework-id"), *agent = sat_attr(ev, "agent");
	const char *task = sat_attr(ev, "task");
	uint64_t h;

	if (task == NULL)
		return 0;
	if (framework == NULL)
		framework = sat_attr(ev, "framework");
	h = tally_hash(0, framework != NULL ? framework : "");
	return tally_hash(tally_hash(h, agent != NULL ? agent : ""), task);
}

static int count(const struct sat_at *at, const struct rule *r, struct attributed *a, const struct sat_event *ev,
		 bool failed)
{
	const char *framework = sat_attr(ev, "framework");
	struct party *h, *f;
	int rc = 0, more;

	if (tally_full(a->tally))
		rc = drop_first(at, r, a->tally);
	more = tally_add(a->tally, ev->host, framework != NULL ? framework : TALLY_REST, task_of(ev), failed,
			 sat_clock() + r->window, &h, &f);
	if (more < 0)
		return more;
	if (more > 0 && f->samples == 1)
		f->since = sat_clock();
	if (!sat_timer_armed(&a->timer))
		sat_timer_set(at, &a->timer, sat_clock() + r->window);
	if (more == 0)
		return rc;
	more = look_at_host(at, r, h);
	rc = rc != 0 ? rc : more;
	more = look_at_framework(at, r, f);
	return rc != 0 ? rc : more;
}

int attributed_item(const struct sat_at *at, const struct rule *r, struct attributed *a, const struct sat_item *item)
{
	const struct sat_event *ev = item->n != 0 ? item->evs[0] : NULL;
	enum end end = ev != NULL && !item->list && ev->host != NULL ? end_of(ev) : NOT_ENDED;
	int rc, more;

	if (end == NOT_ENDED)
		return 0;
	/* What was known long after the fact says nothing of now. */
	if ((ev->has & SAT_HAS_TIME) && ev->time < sat_wall() - r->window)
		return 0;
	if (a->tally == NULL && (a->tally = tally_new()) == NULL)
		return -ENOMEM;
	rc = move(at, r, a);
	more = count(at, r, a, ev, end == FAILED_HERE);
	return rc != 0 ? rc : more;
}

void attributed_timer(const struct sat_at *at, void *def, void *state, struct sat_timer *timer)
{
	struct attributed *a = state;

	(void)timer;
	if (a->tally != NULL)
		move(at, def, a);
}

bool attributed_idle(const void *def, const void *state)
{
	const struct attributed *a = state;

	(void)def;
	return a->tally == NULL || tally_at(a->tally, 0) == NULL;
}

void attributed_close(const void *def, void *state)
{
	struct attributed *a = state;

	(void)def;
	tally_free(a->tally);
	a->tally = NULL;
}

/* ---- Saved -------------------------------------------------------------- */

/* Each task, and of its parties whether they are suspected: what was told is told once more. */
int attributed_save(const void *def, const void *state, struct sat_writer *out)
{
	const struct attributed *a = state;
	size_t n = a->tally != NULL ? a->tally->n : 0;
	int rc = sat_write_int(out, (int64_t)n);

	(void)def;
	for (size_t i = 0; i < n; i++) {
		const struct ended *e = tally_at(a->tally, i);

		sat_write_int(out, e->until - sat_clock());
		sat_write_text(out, e->host->name);
		sat_write_text(out, e->framework->name);
		sat_write_int(out, (int64_t)e->task);
		rc = sat_write_int(out, (e->failed ? 1 : 0) | (e->host->critical ? 2 : 0) |
				   (e->framework->critical ? 4 : 0));
	}
	return rc;
}

static int load_one(const struct rule *r, struct tally *t, struct sat_reader *in)
{
	const char *host, *framework;
	int64_t left, task, flags;
	struct party *h, *f;
	int rc;

	sat_read_int(in, &left);
	sat_read_text(in, &host);
	sat_read_text(in, &framework);
	sat_read_int(in, &task);
	rc = sat_read_int(in, &flags);
	if (rc != 0 || host == NULL || framework == NULL)
		return -EBADMSG;
	left = left < 0 ? 0 : left < r->window ? left : r->window;	/* it may be shorter now */
	rc = tally_add(t, host, framework, (uint64_t)task, flags & 1, sat_clock() + left, &h, &f);
	if (rc < 0)
		return rc;
	if (rc > 0 && f->samples == 1)
		f->since = sat_clock() + left - r->window;
	if (rc > 0) {
		tally_suspect(h, (flags & 2) != 0);
		f->critical = (flags & 4) != 0;
	}
	return 0;
}

int attributed_load(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	struct attributed *a = state;
	int64_t n = 0;
	int rc = version == 1 ? sat_read_int(in, &n) : -EBADMSG;

	if (rc != 0 || n < 0 || n > TALLY_MAX)
		return -EBADMSG;
	if (n > 0 && (a->tally = tally_new()) == NULL)
		return -ENOMEM;
	for (; n > 0 && rc == 0; n--)
		rc = load_one(def, a->tally, in);
	if (rc == 0 && a->tally != NULL && tally_at(a->tally, 0) != NULL)
		sat_timer_set(at, &a->timer, tally_at(a->tally, 0)->until);
	return rc;
}
