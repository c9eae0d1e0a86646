/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll - when the Mesos master is asked for what, and what follows from its answers.
 *
 * The figures are small and every master, leading or not, answers them itself:
 * they are read each leader-interval, and say who leads.  The state may be
 * hundreds of megabytes and holds the master up while it writes it: it is read
 * where it is needed (the master leads, or this process acts, or no agent has
 * ever been seen, so that a follower is warm), at most once an interval, and
 * only when the figures of agents, frameworks or tasks have moved.  Were
 * followers to read it every time, each would cost the leader the same again,
 * since a follower sends the request on to it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "poll.h"

#define BEAT		(500 * SAT_MS)		/* the host wants to hear who leads every second */
#define SNAPSHOT_TIMEOUT (10 * SAT_SECOND)
#define SOON		(10 * SAT_SECOND)	/* after an answer that cost little */
#define SLOWER		10			/* the rest that an answer earns, in times that it took */
#define SNAPSHOT_MAX	((size_t)8 << 20)
#define SAME		(15 * SAT_SECOND)	/* so far apart two answers may put the beginning of one process */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ---- Who leads ---------------------------------------------------------- */

/*
 * Where this process watches on, the next of several masters leads the same cluster, as far as
 * anybody knows, and what ended between its predecessor's last word and its first is news.
 */
static bool may_inherit(const struct mesos *m)
{
	return (m->n_masters > 1 || m->named != NULL) && m->has_base && m->watched;
}

/* One that is being read stays: it will end as the first that is known. */
static void forget_model(struct mesos *m)
{
	gone_forget(m);
	m->inherited = may_inherit(m);
	if (!m->inherited && !m->model.reading)
		settle_bury(m);
	follow_forget(m);
	m->has_model = m->taking = m->listing_agents = false;
	m->has_base = m->inherited;
}

/* A Mesos master that loses leadership ends: another process that leads after a doubt is another leader. */
static void compare_process(struct mesos *m)
{
	int64_t began = source_boot() - (int64_t)(m->figures.uptime * SAT_SECOND);

	if (m->figures.elected != 1 || m->figures.uptime < 0 || m->figures.uptime > 1e10)
		return;
	if (m->doubted && m->began != 0 && (began - m->began > SAME || m->began - began > SAME))
		forget_model(m);
	m->began = began;
}

static void settle_leader(struct mesos *m, int64_t now)
{
	bool believed = belief_holds(m, now), leads = m->elected == 1 && believed && leader_is_local(m, m->url);
	bool doubt = m->elected == 1 && !believed;	/* nobody says that another does */

	if (believed || m->leads == 1)
		sat_mesos_leads(m->self, leads);
	if (m->doubted && !doubt && !leads) {
		m->doubted = false;
		forget_model(m);
		mesos_say_leader(m, true);
	}
	if (m->leads == leads || (m->leads < 0 && m->elected < 0))
		return;
	if (m->leads >= 0 || leads)
		sat_log(m->self, LOG_NOTICE, "%s: %s", m->url, leads ? "leads" :
			!believed ? "does not answer, and so does not count as leading" :
			m->elected == 1 ? "leads, and not the Mesos master here" : "no longer leads");
	m->leads = leads;
	sat_gauge(m->self, GAUGE_LEADS, leads);
	if (!doubt && !m->doubted)
		forget_model(m);	/* it was of another time */
	m->doubted = doubt;
	mesos_say_leader(m, believed);
}

static void hear_elected(struct mesos *m, int elected, int64_t for_how_long)
{
	m->elected = elected;
	m->elected_until = sat_clock() + for_how_long;
	m->elected_for = for_how_long;
	m->elected_boot = source_boot();
	settle_leader(m, sat_clock());
}

void mesos_hear(struct mesos *m, bool elected)
{
	hear_elected(m, elected, belief_patience(m));
}

/* One who has just been elected does not always know yet, and answers as who follows. */
bool mesos_is_ready(const struct mesos *m)
{
	return m->snapshot.known && m->snapshot.trouble >= 0 && !(named_rules(m) && m->figures.elected == 0);
}

bool mesos_observes(const struct mesos *m)
{
	return m->leads == 1 || m->doubted || sat_acting();
}

/* What is known is of another, who may lead another cluster; this one leads, by its own word. */
void mesos_begin_anew(struct mesos *m)
{
	m->snapshot.known = m->state.known = m->maintenance.known = false;
	m->follow.source.known = m->look.source.known = false;
	figures_drop(m);
	forget_model(m);
	m->next_state = m->next_poll = m->next_maintenance = sat_clock();
	mesos_hear(m, true);
	mesos_say_leader(m, true);
}

/* ---- The state ---------------------------------------------------------- */

static bool wants_state(const struct mesos *m)
{
	if (m->stopping || m->state.call != NULL || sat_clock() < m->next_state || model_busy(&m->model) ||
	    follow_serves(m, sat_clock()))
		return false;
	/* A master that answers, but refuses its figures, may still give its state. */
	if (!mesos_is_ready(m))
		return false;
	if (m->no_word)
		return true;
	if (!mesos_observes(m) && m->listed)
		return false;
	return !m->has_model || !m->figures.watched || m->model_print != m->figures.print;
}

static void end_reading(struct mesos *m)
{
	reader_free(&m->reader);
	model_abort(&m->model);
}

static void ask_state(struct mesos *m)
{
	m->next_state = sat_clock() + m->interval;
	m->asked_print = m->figures.print;
	m->received = 0;
	if (reader_expect(&m->reader, &m->model) != 0) {
		sat_log(m->self, LOG_ERR, "%s: %s", m->url, strerror(ENOMEM));
		return;
	}
	look_drop(m);
	gone_ask_list(m);
	model_begin(&m->model);
	sat_count(m->self, COUNT_STATES, 1);
	if (!source_ask(&m->state))
		end_reading(m);
}

static int state_data(struct mesos *m, const void *p, size_t n)
{
	m->received += n;
	return m->received > m->max_state ? -EFBIG : reader_feed(&m->reader, p, n);
}

static void list_agents(struct mesos *m)
{
	if (m->listed && m->listing == m->model.listing)
		return;
	if (mesos_publish_agents(m) != 0) {
		sat_log(m->self, LOG_ERR, "mesos/agents: %s", strerror(ENOMEM));
		return;
	}
	m->listed = true;
	m->listing = m->model.listing;
}

static void gauge_model(struct mesos *m)
{
	sat_gauge(m->self, GAUGE_AGENTS, (int64_t)m->model.agents.n - m->model.n_recovered);
	sat_gauge(m->self, GAUGE_TASKS, (int64_t)m->model.tasks.n);
	sat_gauge(m->self, GAUGE_TEXT, (int64_t)m->model.texts.bytes);
}

void mesos_took_model(struct mesos *m)
{
	m->has_model = true;
	m->watched = mesos_observes(m);
	look_later(m);
	left_say(m, true);
	gauge_model(m);
	list_agents(m);
	if (mesos_observes(m))
		mesos_say_model(m);
}

/* A master that answers slowly is asked less often. */
static void go_slower(struct mesos *m)
{
	m->next_state = most(m->next_state, sat_clock() + (int64_t)(SLOWER * m->state.took * SAT_SECOND));
}

static void take_model(struct mesos *m)
{
	reader_free(&m->reader);
	m->wrote = (int64_t)(m->state.took * SAT_SECOND);
	m->model_print = m->asked_print;
	go_slower(m);
	settle_begin(m);
}

/*
 * Whether the state is the cluster's.  A follower before Mesos 1.0 answers with
 * its own empty memory, and later ones send on to the leader.  Where the state
 * does not say, the figures do; where these do not, the state.
 */
static void state_done(struct mesos *m, const struct sat_answer *a)
{
	enum reader_rank rank;
	char why[160];
	int rc = reader_end_state(&m->reader, why, sizeof(why));

	(void)a;
	if (rc != 0) {
		source_trouble(&m->state, rc, "%s", why);
		m->has_model = false;
		end_reading(m);
		return;
	}
	rank = reader_rank(&m->reader);
	if (rank == READER_UNKNOWN && m->no_word) {
		source_trouble(&m->state, -ENODATA, "neither it nor the figures say who leads");
		end_reading(m);
		return;
	}
	source_well(&m->state);
	if (m->no_word && !named_rules(m))
		hear_elected(m, rank == READER_LEADS, 2 * m->interval + m->state.timeout);
	if (rank == READER_LEADS || (rank <= READER_ALONE && m->elected == 1)) {
		take_model(m);
		return;
	}
	end_reading(m);
	forget_model(m);
}

void mesos_stopped_yet(struct mesos *m)
{
	if (m->stopping && m->snapshot.call == NULL && m->state.call == NULL && m->maintenance.call == NULL &&
	    m->follow.source.call == NULL && m->look.source.call == NULL && leader_idle(m))
		settle_end(m);
}

static void state_failed(struct mesos *m, const struct sat_answer *a)
{
	char why[160];
	int rc;

	if (m->stopping) {
		end_reading(m);
		mesos_stopped_yet(m);
		return;
	}
	rc = m->reader.rc;
	if (m->received > m->max_state) {
		source_trouble(&m->state, -EFBIG, "more than max-state = %llu bytes",
			       (unsigned long long)m->max_state);
	} else if (rc != 0) {
		reader_explain(&m->reader, rc, why, sizeof(why));
		source_trouble(&m->state, rc, "%s", why);
	} else {
		source_failed(&m->state, a);
	}
	if (a->rc == 0)
		m->next_state = least(m->next_state, sat_clock() + SOON);
	m->has_model = false;
	end_reading(m);
}

/* ---- The figures -------------------------------------------------------- */

static void report(struct mesos *m, const struct sat_answer *a)
{
	struct snapshot again;
	struct sat_value requests = { .kind = SAT_INT, .i = mesos_requests_per_minute(m) };
	struct sat_value longest = { .kind = SAT_DOUBLE, .d = mesos_longest(m) };
	struct sat_value per_minute = { .kind = SAT_INT, .i = (int64_t)mesos_bytes_per_minute(m) };
	char why[160];

	m->report = false;
	snapshot_read(&again, a->body, a->len, mesos_say_figure, m, why, sizeof(why));
	mesos_say(m, "mesos/bytes-per-minute", &per_minute, "ok", NULL);
	mesos_say(m, "mesos/requests-per-minute", &requests, "ok", NULL);
	mesos_say(m, "mesos/longest-request", &longest, "ok", NULL);
	if (m->has_model && mesos_observes(m) && !wants_state(m))
		mesos_say_model(m);
}

static void snapshot_done(struct mesos *m, const struct sat_answer *a)
{
	char why[160];
	int rc = snapshot_read(&m->figures, a->body, a->len, NULL, NULL, why, sizeof(why));

	if (rc != 0) {
		figures_drop(m);
		source_trouble(&m->snapshot, rc, "%s", why);
		return;
	}
	figures_keep(m, a->body, a->len);
	source_well(&m->snapshot);
	m->heard = sat_clock();
	m->no_word = m->figures.elected < 0;
	compare_process(m);
	if (!m->no_word && !named_rules(m))
		mesos_hear(m, m->figures.elected);
	leader_turn(m, sat_clock());
	if (m->report)
		report(m, a);
	gone_have_figures(m);
	if (wants_state(m))
		ask_state(m);
	else
		look_figures(m);
}

static void snapshot_failed(struct mesos *m, const struct sat_answer *a)
{
	if (m->stopping) {
		mesos_stopped_yet(m);
		return;
	}
	figures_drop(m);
	source_failed(&m->snapshot, a);
	if (a->rc == -ECONNREFUSED && !m->snapshot.dropped && m->elected != 0)	/* nobody is there to lead */
		hear_elected(m, 0, 0);
	leader_turn(m, sat_clock());
	if (a->rc == 0) {
		m->heard = sat_clock();
		m->no_word = true;
		m->figures = (struct snapshot)SNAPSHOT_NONE;
		if (wants_state(m))
			ask_state(m);
	}
}

/* What others watch meanwhile is no news. */
static void keep_watch(struct mesos *m)
{
	if (mesos_observes(m))
		return;
	m->watched = false;
	if (m->inherited)
		forget_model(m);
}

/* What a stream changed, and what nobody had room for. */
static void keep_told(struct mesos *m)
{
	if (model_busy(&m->model))
		return;
	if (m->model.untold) {
		model_tell(&m->model);
		settle_go_on(m);
	}
	if (!m->follow.live)
		return;
	m->known = sat_wall() - (sat_clock() - m->follow.heard);
	list_agents(m);
	left_say(m, false);
	gauge_model(m);
}

/* ---- Life --------------------------------------------------------------- */

static void beat(struct sat_alarm *alarm)
{
	struct mesos *m = SAT_OWNER(alarm, struct mesos, beat);
	int64_t now = sat_clock();

	sat_alarm_set(m->self, alarm, now + least(BEAT, m->leader_interval));
	mesos_turn_bytes(m, now);
	settle_leader(m, now);
	keep_watch(m);
	leader_turn(m, now);
	follow_turn(m, now);
	maintain_turn(m, now);
	gone_turn(m, now);
	keep_told(m);
	if (now >= m->next_report) {
		m->next_report = now + m->interval;
		m->report = true;
		source_say(&m->snapshot);
		source_say(&m->state);
		source_say(&m->follow.source);
		source_say(&m->look.source);
		source_say(&m->maintenance);
		named_turn(m);
		if (m->leads >= 0)
			mesos_say_leader(m, belief_holds(m, now));
	}
	if (now >= m->next_poll && m->snapshot.call == NULL) {
		m->next_poll = now + m->leader_interval;
		gone_ask_figures(m);
		source_ask(&m->snapshot);
	}
}

void poll_init(struct mesos *m, int64_t timeout)
{
	static const char *const snapshot_paths[] = { "/metrics/snapshot", "/stats.json", NULL };
	static const char *const state_paths[] = {
		"/state", "/state.json", "/master/state", "/master/state.json", NULL,
	};

	static const struct model_calls calls = {
		.task = tell_task, .agent = tell_agent, .framework = tell_framework,
	};

	m->elected = m->leads = -1;
	model_init(&m->model, &calls, m);
	m->snapshot = (struct source){
		.m = m, .name = "snapshot", .paths = snapshot_paths, .timeout = least(timeout, SNAPSHOT_TIMEOUT),
		.max = SNAPSHOT_MAX, .gauge = GAUGE_SNAPSHOT_SUCCESS,
		.done = snapshot_done, .failed = snapshot_failed,
	};
	m->state = (struct source){
		.m = m, .name = "state", .paths = state_paths, .timeout = timeout,
		.gauge = GAUGE_STATE_SUCCESS,
		.data = state_data, .done = state_done, .failed = state_failed,
	};
	follow_init(m);
	look_init(m);
	gone_forget(m);
	maintain_init(m);
	m->beat.fire = beat;
	settle_init(m);
}

int poll_start(struct mesos *m)
{
	m->stopping = false;
	m->next_poll = m->next_report = m->next_state = sat_clock();
	return sat_alarm_set(m->self, &m->beat, sat_clock());
}

void poll_stop(struct mesos *m)
{
	m->stopping = true;
	sat_alarm_stop(&m->beat);
	past_stop(m);
	gone_forget(m);
	settle_stop(m);
	if (m->snapshot.call != NULL)
		sat_fetch_cancel(m->snapshot.call);
	if (m->state.call != NULL)
		sat_fetch_cancel(m->state.call);
	if (m->maintenance.call != NULL)
		sat_fetch_cancel(m->maintenance.call);
	look_drop(m);
	follow_stop(m);
	leader_stop(m);
	mesos_stopped_yet(m);
}
