/* SPDX-License-Identifier: Apache-2.0 */
/* test_actuator-agents - what it asks of a Mesos and a store that live in this test, and of which agents never. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../modules/actuator-agents/agents.h"
#include "client.h"
#include "clock.h"
#include "conf.h"
#include "engine.h"
#include "http.h"
#include "instance.h"
#include "lead.h"
#include "log.h"
#include "store.h"
#include "topic.h"
#include "unit/fault.h"

extern const struct sat_module sat_module_actuator_agents;

/* ---- Mesos -------------------------------------------------------------- */

enum { AGENTS = 6, CALLS = 8, COMMITS = 16 };

static struct { bool deactivated, by_hand, draining; unsigned id; } mesos[AGENTS];	/* of the host hI */
static struct {
	int status, list_status, rc;	/* what it answers; status 0: as it should */
	bool old, lies;			/* old: does not say who is deactivated; lies: does it, and answers 500 */
	unsigned lists, calls;
} does;

static struct asked { bool used, canceled; struct sat_fetch what; char body[256]; void *arg; } asked[CALLS];

static int fetch(void *state, const struct sat_fetch *what, void *arg, void **call)
{
	size_t i = 0;

	(void)state;
	while (i < CALLS && asked[i].used)
		i++;
	assert_true(i < CALLS);
	asked[i] = (struct asked){ .used = true, .what = *what, .arg = arg };
	assert_string_equal(what->url, "http://m:5050/api/v1");
	memcpy(asked[i].body, what->body, what->body_len);
	*call = &asked[i];
	return 0;
}

static void cancel(void *state, void *call)
{
	(void)state;
	((struct asked *)call)->canceled = true;
}

static const struct sat_module client_module = {
	.abi = SAT_ABI, .size = sizeof(struct sat_module), .name = "client",
	.http_client = &(const struct sat_http_client){ sizeof(struct sat_http_client), fetch, cancel },
};
static struct sat_self client = { .name = (char *)"client", .module = &client_module };

static size_t list_text(char *to, size_t room)
{
	size_t n = (size_t)snprintf(to, room, "{\"type\":\"GET_AGENTS\",\"get_agents\":{\"agents\":[");

	for (int i = 0; i < AGENTS; i++) {
		n += (size_t)snprintf(to + n, room - n, "%s{\"agent_info\":{\"hostname\":\"h%d\",\"resources\":[{\"value\":1}],"
			"\"id\":{\"value\":\"m-S%u\"}},\"active\":true", i == 0 ? "" : ",", i, mesos[i].id);
		if (!does.old)
			n += (size_t)snprintf(to + n, room - n, ",\"deactivated\":%s%s",
				mesos[i].deactivated ? "true" : "false", mesos[i].draining ?
				",\"drain_info\":{\"state\":\"DRAINING\",\"config\":{\"mark_gone\":false}}" : "");
		n += (size_t)snprintf(to + n, room - n, "}");
	}
	return n + (size_t)snprintf(to + n, room - n, "]}}");
}

static void give(struct asked *c, int status, const char *body, size_t len)
{
	struct asked copy = *c;
	struct sat_answer a = { .size = sizeof(a), .rc = does.rc, .status = status, .url = "http://m:5050/api/v1",
		.body = body, .len = len, .received = len };
	int rc = 0;

	c->used = false;
	for (size_t at = 0; copy.what.data != NULL && at < len && rc == 0 && a.rc == 0; at += 50)
		rc = copy.what.data(copy.arg, status, body + at, len - at < 50 ? len - at : 50);
	if (rc != 0)
		a.rc = -ECANCELED;
	if (copy.canceled)
		a.rc = -ECANCELED;
	if (a.rc != 0)
		a.error = "it broke";
	copy.what.done(copy.arg, &a);
}

static void answer_list(struct asked *c)
{
	char text[4096];

	does.lists++;
	if (does.list_status == 200)
		give(c, 200, "<html>", 6);
	else if (does.list_status != 0)
		give(c, does.list_status, "no\n", 3);
	else
		give(c, 200, text, list_text(text, sizeof(text)));
}

/* What by hand was done is never to be undone. */
static void answer_call(struct asked *c)
{
	bool off = strstr(c->body, "\"DEACTIVATE_AGENT\"") != NULL;
	const char *id = strstr(c->body, "m-S");
	int i = 0;

	assert_non_null(id);
	assert_non_null(strstr(c->body, off ? "\"deactivate_agent\":{\"agent_id\":{\"value\":\"m-S" :
			       "\"reactivate_agent\":{\"agent_id\":{\"value\":\"m-S"));
	does.calls++;
	while (i < AGENTS && mesos[i].id != strtoul(id + 3, NULL, 10))
		i++;
	if (i == AGENTS) {
		give(c, 404, "no such agent", 13);
		return;
	}
	if (!off)
		assert_false(mesos[i].by_hand || mesos[i].draining);
	if ((does.status == 0 && does.rc == 0) || does.lies)
		mesos[i].deactivated = off;
	give(c, does.lies ? 500 : does.status != 0 ? does.status : 200, "words of Mesos", 14);
}

/* ---- The store ---------------------------------------------------------- */

static char kept[32][32];
static struct { bool used; struct sat_change change; char key[64]; sat_committed *done; void *arg; } commits[COMMITS];
static const struct sat_mirror *mirror;
static void *mirror_arg;
static int store_rc;

static char *find_kept(const char *key)
{
	for (size_t i = 0; i < 32; i++)
		if (strcmp(kept[i], key) == 0)
			return kept[i];
	return NULL;
}

static unsigned n_kept(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < 32; i++)
		n += kept[i][0] != '\0';
	return n;
}

static int store_commit(void *state, const struct sat_change *changes, size_t n, sat_committed *done, void *arg)
{
	size_t i = 0;

	(void)state;
	assert_int_equal(n, 1);
	while (i < COMMITS && commits[i].used)
		i++;
	assert_true(i < COMMITS);
	commits[i].used = true;
	commits[i].change = changes[0];
	snprintf(commits[i].key, sizeof(commits[i].key), "%s", changes[0].key);
	commits[i].done = done;
	commits[i].arg = arg;
	return 0;
}

static int store_mirror(void *state, const char *prefix, const struct sat_mirror *cb, void *arg)
{
	(void)state;
	assert_string_equal(prefix, "deactivated/");
	mirror = cb;
	mirror_arg = arg;
	return 0;
}

static void store_unmirror(void *state, void *arg)
{
	(void)state, (void)arg;
	mirror = NULL;
}

static const struct sat_module store_module = {
	.abi = SAT_ABI, .size = sizeof(store_module), .name = "store-fake",
	.store = &(const struct sat_store){ .size = sizeof(struct sat_store), .name = "fake",
		.commit = store_commit, .mirror = store_mirror, .unmirror = store_unmirror },
};
static struct sat_self store = { .name = (char *)"store-fake", .module = &store_module };

static void store_say(void)
{
	for (size_t i = 0; i < 32; i++)
		if (kept[i][0] != '\0')
			mirror->put(mirror_arg, kept[i], "{}", 2, 1);
	mirror->synced(mirror_arg);
}

static void store_answer(size_t i)
{
	bool make = commits[i].change.what == SAT_CREATE;
	char *there = find_kept(commits[i].key);
	int rc = store_rc != 0 ? store_rc : make && there != NULL ? -EEXIST : !make && there == NULL ? -ENOENT : 0;
	const int64_t versions[] = { 1, 1 };

	commits[i].used = false;
	if (rc == 0)
		snprintf(make ? find_kept("") : there, 32, "%s", make ? commits[i].key : "");
	commits[i].done(commits[i].arg, rc, 0, rc == 0 ? versions : NULL);
	if (rc == 0 && mirror != NULL && make)
		mirror->put(mirror_arg, commits[i].key, "{}", 2, 1);
	else if (rc == 0 && mirror != NULL)
		mirror->gone(mirror_arg, commits[i].key);
}

/* ---- The satellite ------------------------------------------------------ */

static struct conf *settings;
static struct instance instance;
static _Atomic int64_t counters[16];
static struct actuator *act;
static enum flag decided[AGENTS];
static char said[AGENTS][512], standing[16];	/* of the topic */

static int put(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)def, (void)state;
	return item->n == 1 ? sat_index_put(at, item->evs[0]) : 0;
}

static const struct sat_op index_op = { .size = sizeof(index_op), .name = "index", .item = put };

static const struct sat_op *find_op(void *arg, const char *name, const struct sat_conf *where,
				    struct sat_self **self)
{
	(void)arg, (void)name, (void)where;
	*self = &self_host;
	return &index_op;
}

static const struct stream_finder finder = { find_op, NULL };

static void hear(void *state, const char *topic, const struct sat_item *item)
{
	(void)state, (void)topic;
	memset(said, 0, sizeof(said));
	assert_null(item->evs[0]->host);
	snprintf(standing, sizeof(standing), "%s", item->evs[0]->state);
	for (uint32_t i = 1; i < item->n; i++)
		snprintf(said[item->evs[i]->host[1] - '0'], sizeof(said[0]), "%s", item->evs[i]->description);
}

static void answer_all(void)
{
	for (size_t i = 0; i < CALLS; i++)
		if (asked[i].used && strstr(asked[i].body, "GET_AGENTS") != NULL)
			answer_list(&asked[i]);
		else if (asked[i].used)
			answer_call(&asked[i]);
	for (size_t i = 0; i < COMMITS; i++)
		if (commits[i].used)
			store_answer(i);
}

static void move(double seconds)
{
	int64_t end = clock_steady() + (int64_t)(seconds * 1e6);

	while (clock_steady() < end) {
		engine_move(clock_steady() + 100 * SAT_MS);
		engine_run();
		answer_all();
		engine_run();
		if (mirror != NULL && !act->synced)
			store_say();
	}
}

static void decide(void)
{
	struct sat_attr attr = { "store", "fake" };
	struct sat_event list[AGENTS + 1] = { { .size = sizeof(list[0]), .attrs = &attr, .n_attrs = 1 } };
	const struct sat_event *evs[AGENTS + 1] = { list };
	char names[AGENTS][8];
	uint32_t n = 1;

	for (int i = AGENTS - 1; i >= 0; i--) {
		snprintf(names[i], sizeof(names[i]), "h%d", i);
		if (decided[i] == FLAG_NONE)
			continue;
		evs[n] = &list[n];
		list[n++] = (struct sat_event){ .size = sizeof(list[0]), .host = names[i],
			.state = decided[i] == FLAG_ON ? "on" : "off" };
	}
	while (sat_publish(&self_host, "whitelist/hosts", &(struct sat_item){ .evs = evs, .n = n, .list = true }, true) != 0)
		;
}

static void set(int i, enum flag flag)
{
	decided[i] = flag;
	decide();
}

/* By hand; and so long ago that the list is no longer young. */
static void hand(int i, bool off)
{
	mesos[i].deactivated = mesos[i].by_hand = off;
	act->received -= 3600 * SAT_SECOND;
}

static void run_up(void)
{
	act = calloc(1, sizeof(*act));
	assert_non_null(act);
	instance = (struct instance){ .stage = INSTANCE_RUNNING, .self = {
		.name = (char *)"actuator-agents", .module = &sat_module_actuator_agents, .state = act,
		.counters = counters, .n_counters = 12, .instance = &instance } };
	act->self = &instance.self;
	act->link = store_link(&instance.self, &store);
	act->urls[0] = strdup("http://m:5050");
	act->n_urls = 1;
	act->store = strdup("fake");
	act->interval = 60 * SAT_SECOND;
	act->timeout = 20 * SAT_SECOND;
	act->rate = 10;
	while (sat_module_actuator_agents.start(act) != 0)
		;
}

static void run_down(void)
{
	fault_arm(0);
	instance_stop(&instance, NULL);
	for (int i = 0; i < 10 && instance.stage != INSTANCE_STOPPED; i++)
		answer_all();
	assert_int_equal(instance.stage, INSTANCE_STOPPED);
	store_drop(act->link);
	topic_forget(&instance.self);
	sat_module_actuator_agents.destroy(act);
}

static int begin(void **unused)
{
	struct streams *streams;

	(void)unused;
	log_open("/dev/null", LOG_DEBUG);
	clock_virtual(INT64_C(1700000000) * SAT_SECOND);
	engine_init(NULL);
	lead_init(LEAD_ALWAYS);
	settings = conf_text("streams = ( \"index\" );", "test");
	streams = streams_build(settings, conf_find(conf_root(settings), "streams"), NULL, "index", &finder);
	assert_non_null(streams);
	engine_swap(streams);
	client_use(&client);
	memset(asked, 0, sizeof(asked));
	memset(commits, 0, sizeof(commits));
	memset(kept, 0, sizeof(kept));
	memset(&does, 0, sizeof(does));
	store_rc = 0;
	for (unsigned i = 0; i < AGENTS; i++) {
		memset(&mesos[i], 0, sizeof(mesos[i]));
		mesos[i].id = i;
		decided[i] = FLAG_ON;
	}
	sat_subscribe(&self_host, "actuator/agents", hear);
	run_up();
	decide();
	move(1);
	return 0;
}

static int end(void **unused)
{
	struct streams *streams;

	(void)unused;
	run_down();
	streams = engine_swap(NULL);
	streams_stop(streams, NULL, NULL);
	streams_free(streams);
	conf_unref(settings);
	client_forget(&client);
	topic_forget(&self_host);
	topic_free();
	http_ready("actuator-agents", NULL);
	http_ready("store-fake", NULL);
	lead_end();
	engine_stop();
	log_close();
	return 0;
}

static const char *told(const char *host)
{
	const struct sat_event *ev = sat_index_get(host, "satellite/host/agents");

	return ev != NULL ? ev->state : "none";
}

static bool ours(int i)
{
	char key[32];

	snprintf(key, sizeof(key), "deactivated/m-S%u", mesos[i].id);
	return find_kept(key) != NULL;
}

/* ---- Tests -------------------------------------------------------------- */

static void what_is_to_be_done(void **unused)
{
	static const struct {
		enum flag wanted; bool marked, fresh, deactivated, draining; enum step step; enum amiss amiss;
	} all[] = {
		{ FLAG_NONE, false, false, false, false, STEP_NONE, AMISS_NOTHING },
		{ FLAG_NONE, false, false, true, false, STEP_NONE, AMISS_NOTHING },
		{ FLAG_NONE, false, false, true, true, STEP_NONE, AMISS_NOTHING },
		{ FLAG_NONE, true, false, true, false, STEP_NONE, AMISS_LEFT },
		{ FLAG_NONE, true, false, true, true, STEP_UNMARK, AMISS_NOTHING },
		{ FLAG_NONE, true, false, false, false, STEP_UNMARK, AMISS_NOTHING },
		{ FLAG_ON, false, false, false, false, STEP_NONE, AMISS_NOTHING },
		{ FLAG_ON, true, false, false, false, STEP_UNMARK, AMISS_NOTHING },
		{ FLAG_ON, true, false, true, false, STEP_REACTIVATE, AMISS_PENDING },
		{ FLAG_ON, false, false, true, false, STEP_NONE, AMISS_FOREIGN },
		{ FLAG_ON, true, false, true, true, STEP_UNMARK, AMISS_DRAINED },
		{ FLAG_ON, false, false, true, true, STEP_NONE, AMISS_DRAINED },
		{ FLAG_OFF, false, false, false, false, STEP_DEACTIVATE, AMISS_PENDING },
		{ FLAG_OFF, true, true, false, false, STEP_DEACTIVATE, AMISS_PENDING },
		{ FLAG_OFF, true, false, false, false, STEP_DEACTIVATE, AMISS_UNDONE },
		{ FLAG_OFF, false, false, true, false, STEP_NONE, AMISS_NOTHING },
		{ FLAG_OFF, true, false, true, false, STEP_NONE, AMISS_NOTHING },
		{ FLAG_OFF, true, false, true, true, STEP_UNMARK, AMISS_NOTHING },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		const struct mark mark = { .fresh = all[i].fresh };
		const struct listed agent = { .deactivated = all[i].deactivated, .draining = all[i].draining };
		enum amiss amiss;

		assert_int_equal(plan_step(all[i].wanted, all[i].marked ? &mark : NULL, &agent, &amiss), all[i].step);
		assert_int_equal(amiss, all[i].amiss);
	}
}

static int read_list(struct list *l, const char *text, size_t len, size_t piece)
{
	int rc = list_begin(l);

	for (size_t at = 0; at < len && rc == 0; at += piece)
		rc = list_feed(l, text + at, len - at < piece ? len - at : piece);
	return rc == 0 ? list_end(l) : rc;
}

static void a_list_is_read_in_pieces_of_any_size(void **unused)
{
	static const char text[] = "{\"type\":\"GET_AGENTS\",\"get_agents\":{\"recovered_agents\":[{\"hostname\":\"r\"}],"
		"\"agents\":[{\"deactivated\":true,\"agent_info\":{\"attributes\":[{\"id\":{\"value\":\"no\"}}],"
		"\"id\":{\"value\":\"b-S2\"},\"hostname\":\"fe80::1\"},\"drain_info\":{\"deactivated\":false}},"
		"{\"agent_info\":{\"hostname\":\"A\",\"id\":{\"value\":\"a-S1\"}},\"deactivated\":false},"
		"{\"agent_info\":{\"hostname\":\"x y\",\"id\":{\"value\":\"c\"}}},"
		"{\"agent_info\":{\"hostname\":\"d\",\"id\":{\"value\":\"../d\"}}},{}]}}";
	struct list l;

	(void)unused;
	for (size_t n = 1; n <= sizeof(text); n++) {
		assert_int_equal(read_list(&l, text, sizeof(text) - 1, n), 0);
		assert_int_equal(l.n, 2);
		assert_int_equal(l.odd, 3);
		assert_true(l.tells);
		assert_string_equal(list_id(&l, &l.agents[0]), "a-S1");
		assert_string_equal(list_host(&l, &l.agents[0]), "A");
		assert_false(l.agents[0].deactivated);
		assert_string_equal(list_host(&l, &l.agents[1]), "fe80::1");
		assert_true(l.agents[1].deactivated && l.agents[1].draining);
		list_free(&l);
	}
	for (int n = 1;; n++) {
		int rc;

		fault_arm(n);
		rc = read_list(&l, text, sizeof(text) - 1, sizeof(text));
		assert_int_equal(rc, fault_fired() ? -ENOMEM : 0);
		list_free(&l);
		if (rc == 0)
			break;
	}
	fault_arm(0);
}

static void what_is_no_list_is_refused(void **unused)
{
	static const char *const texts[] = { "", "[]", "{}", "{\"get_agents\":[]}", "{\"get_agents\":{\"agents\":[{", "<" };
	struct list l;

	(void)unused;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_true(read_list(&l, texts[i], strlen(texts[i]), 7) < 0);
		list_free(&l);
	}
	assert_int_equal(read_list(&l, "{\"get_agents\":{}}", 17, 17), 0);	/* as Mesos says: none */
	assert_int_equal(l.n, 0);
	list_free(&l);
}

static void off_and_on_with_a_mark_between(void **unused)
{
	(void)unused;
	assert_int_equal(does.calls, 0);
	set(2, FLAG_OFF);
	move(3);
	assert_true(mesos[2].deactivated);
	assert_non_null(find_kept("deactivated/m-S2"));
	assert_int_equal(n_kept(), 1);
	assert_string_equal(told("h2"), "ok");
	move(300);
	assert_int_equal(does.calls, 1);
	set(2, FLAG_ON);
	move(3);
	assert_false(mesos[2].deactivated);
	assert_int_equal(n_kept(), 0);
	assert_int_equal(does.calls, 2);
	assert_string_equal(said[2], "");
}

static void a_host_out_of_the_inventory_is_left_alone(void **unused)
{
	(void)unused;
	set(2, FLAG_OFF);
	move(3);
	set(2, FLAG_NONE);
	set(3, FLAG_NONE);
	hand(3, true);
	move(130);
	assert_true(mesos[2].deactivated);
	assert_int_equal(n_kept(), 1);
	assert_string_equal(said[2], "agent m-S2 is still deactivated, by satellite: \"satellite on h2\" reactivates it");
	assert_string_equal(told("h2"), "ok");
	assert_int_equal(counters[GAUGE_DRIFT], 0);
	assert_string_equal(said[3], "");
	set(2, FLAG_ON);	/* still ours */
	move(3);
	assert_false(mesos[2].deactivated);
	assert_string_equal(said[2], "");
}

/* What is deactivated later is the hand's that did it. */
static void what_a_hand_reactivates_of_a_forgotten_host_is_no_longer_ours(void **unused)
{
	(void)unused;
	set(2, FLAG_OFF);
	move(3);
	set(2, FLAG_NONE);
	move(3);
	hand(2, false);
	move(130);
	assert_int_equal(n_kept(), 0);
	assert_string_equal(said[2], "");
	hand(2, true);
	move(130);
	set(2, FLAG_ON);
	move(130);
	assert_true(mesos[2].deactivated);
	assert_int_equal(does.calls, 1);
}

static void what_others_do_is_told_once(void **unused)
{
	(void)unused;
	hand(1, true);
	move(130);
	assert_non_null(strstr(said[1], "not by satellite"));
	assert_string_equal(told("h1"), "warning");
	assert_int_equal(counters[GAUGE_DRIFT], 1);
	assert_string_equal(standing, "ok");
	set(1, FLAG_OFF);	/* as it is already: not ours for that */
	move(130);
	assert_string_equal(said[1], "");
	assert_string_equal(told("h1"), "ok");
	set(1, FLAG_ON);
	move(130);
	assert_true(mesos[1].deactivated);
	assert_int_equal(does.calls, 0);
	/* ours, and undone */
	set(4, FLAG_OFF);
	move(3);
	hand(4, false);
	move(130);
	assert_true(mesos[4].deactivated);
	assert_int_equal(counters[COUNT_UNDONE], 1);
	assert_string_equal(told("h4"), "ok");
}

static void the_mark_of_an_agent_that_is_no_more_goes(void **unused)
{
	(void)unused;
	set(3, FLAG_OFF);
	move(3);
	mesos[3].id += AGENTS;
	mesos[3].deactivated = false;
	move(130);
	assert_int_equal(n_kept(), 2);
	mark_find(act, "m-S3")->listed -= 6 * 86400 * SAT_SECOND;
	move(130);
	assert_int_equal(n_kept(), 2);
	mark_find(act, "m-S3")->listed -= 86400 * SAT_SECOND;
	move(130);
	assert_int_equal(n_kept(), 1);
	assert_true(ours(3));
}

/* A Mesos master that begins to lead lists only the agents that came back so far. */
static void who_comes_to_act_drops_no_mark_before_a_week_of_its_own(void **unused)
{
	(void)unused;
	set(3, FLAG_OFF);
	move(3);
	lead_mode(LEAD_MESOS, NULL);
	move(3);
	mark_find(act, "m-S3")->listed -= 30 * 86400 * SAT_SECOND;
	mesos[3].id += AGENTS;
	lead_mode(LEAD_ALWAYS, NULL);
	move(130);
	assert_non_null(mark_find(act, "m-S3"));
}

/* What is to be done names agents by their place in the list. */
static void a_plan_is_never_of_another_list(void **unused)
{
	for (int n = 1, fired = 1; fired; n++) {
		act->no_call_before = INT64_MAX;
		set(1, FLAG_OFF);
		move(3);
		assert_int_equal(act->n_todo, 1);
		mesos[0].id = 9;	/* now it is the last one */
		act->next_list = act->no_list_before = sat_clock();
		engine_move(clock_steady() + SAT_SECOND);
		engine_run();
		fault_arm(n);
		answer_all();
		fired = fault_fired();
		fault_arm(0);
		for (size_t i = 0; i < act->n_todo; i++)
			assert_string_equal(list_host(&act->list, &act->list.agents[act->todo[i].agent]), "h1");
		act->no_call_before = 0;
		move(130);
		assert_true(mesos[1].deactivated);
		assert_int_equal(does.calls, 1);
		end(unused);
		begin(unused);
	}
}

static void failures_pause_and_are_told_once(void **unused)
{
	static const int statuses[] = { 401, 403, 503, 500, 307 };

	(void)unused;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		unsigned before = does.calls;

		does.status = statuses[i];
		set(0, FLAG_OFF);
		set(1, FLAG_OFF);
		move(120);
		assert_in_range(does.calls - before, 4, 12);
		assert_string_equal(standing, "critical");
		assert_non_null(strstr(said[0], "is not deactivated yet"));
		/* what did certainly not happen has no mark */
		assert_true(statuses[i] == 500 || n_kept() == 0);
		does.status = 0;
		move(70);
		assert_true(mesos[0].deactivated && mesos[1].deactivated);
		assert_string_equal(standing, "ok");
		set(0, FLAG_ON);
		set(1, FLAG_ON);
		move(10);
		assert_false(mesos[0].deactivated || mesos[1].deactivated);
		assert_int_equal(n_kept(), 0);
	}
}

static void an_answer_that_was_lost_may_have_been_yes(void **unused)
{
	(void)unused;
	does.lies = true;
	set(0, FLAG_OFF);
	move(3);
	assert_true(mesos[0].deactivated);
	assert_int_equal(n_kept(), 1);
	does.lies = false;
	set(0, FLAG_ON);
	move(70);
	assert_false(mesos[0].deactivated);
}

static void an_old_mesos_is_asked_seldom(void **unused)
{
	(void)unused;
	run_down();
	does.old = true;
	does.status = 400;
	run_up();
	set(0, FLAG_OFF);
	set(1, FLAG_OFF);
	move(500);
	assert_true(does.calls <= 2);
	assert_string_equal(standing, "critical");
	assert_int_equal(n_kept(), 0);
	does.old = false;
	does.status = 0;
	move(700);
	assert_true(mesos[0].deactivated && mesos[1].deactivated);
	does.list_status = 404;	/* before 1.0 */
	does.lists = 0;
	move(500);
	assert_true(does.lists <= 2);
}

static void an_agent_that_is_refused_waits_for_the_next_list(void **unused)
{
	(void)unused;
	does.status = 409;
	set(0, FLAG_OFF);
	move(30);
	assert_int_equal(does.calls, 1);
	assert_non_null(strstr(said[0], "Mesos refuses"));
	assert_string_equal(told("h0"), "warning");
	assert_string_equal(standing, "ok");
	does.status = 0;
	move(70);
	assert_true(mesos[0].deactivated);
	assert_string_equal(told("h0"), "ok");
}

static void lists_that_fail_do_not_matter_for_long(void **unused)
{
	static const int statuses[] = { 200, 401, 403, 503 };

	(void)unused;
	set(0, FLAG_OFF);
	move(3);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		does.list_status = statuses[i];
		does.lists = 0;
		move(200);
		assert_in_range(does.lists, 3, 12);
		assert_string_equal(standing, "critical");
		does.list_status = 0;
		move(70);
		assert_string_equal(standing, "ok");
	}
	assert_int_equal(does.calls, 1);
}

static void the_rate_is_kept(void **unused)
{
	(void)unused;
	act->rate = 0.1;
	act->tokens = 0;
	for (int i = 0; i < AGENTS; i++)
		decided[i] = FLAG_OFF;
	decide();
	move(35);
	assert_in_range(does.calls, 3, 4);
	assert_in_range(does.lists, 1, 8);
}

static void who_does_not_act_asks_nothing_and_a_store_away_stops_it(void **unused)
{
	(void)unused;
	hand(5, true);
	move(130);
	lead_mode(LEAD_MESOS, NULL);
	does.lists = 0;
	set(0, FLAG_OFF);
	move(130);
	assert_int_equal(does.lists + does.calls, 0);
	assert_string_equal(said[5], "");
	lead_mode(LEAD_ALWAYS, NULL);
	store_rc = -ENOTCONN;
	move(30);
	assert_int_equal(does.calls, 0);
	store_rc = 0;
	move(10);
	assert_int_equal(does.calls, 1);
	mirror->lost(mirror_arg, -ENOTCONN);
	assert_false(act->synced);
	memset(kept, 0, sizeof(kept));	/* another cleared it meanwhile */
	move(5);
	assert_null(mark_find(act, "m-S0"));
}

static void another_store_than_the_whitelists_is_refused(void **unused)
{
	(void)unused;
	free(act->store);
	act->store = strdup("sqlite");
	set(0, FLAG_OFF);
	move(130);
	assert_int_equal(does.calls, 0);
	assert_true(act->other_store);
}

/* Hands, decisions, failures, restarts and failing allocations in any order; what Mesos is asked is judged
 * in answer_call(), and once all is calm everything is as decided. */
static void a_random_act(unsigned r)
{
	int i = (int)(r / 16 % AGENTS);

	switch (r % 16) {
	case 0: case 1: case 2: case 3:
		set(i, r / 128 % 8 == 0 ? FLAG_NONE : r / 128 % 2 ? FLAG_ON : FLAG_OFF);
		break;
	case 4: case 5:
		/* What is ours, and to be switched again, nobody can tell from what a hand does meanwhile. */
		if (!calls_busy(act) && (mesos[i].deactivated || !ours(i)))
			hand(i, !mesos[i].deactivated);
		break;
	case 6:
		does.status = r / 128 % 2 ? 0 : 503;
		break;
	case 7:
		does.rc = r / 128 % 2 ? 0 : -ECONNREFUSED;
		break;
	case 8:
		store_rc = r / 128 % 2 ? 0 : -EINPROGRESS;
		break;
	case 9:
		run_down();
		run_up();
		break;
	case 10:
		mesos[i].id += AGENTS;	/* registered anew */
		mesos[i].deactivated = mesos[i].by_hand = false;
		act->received = 0;
		break;
	case 11:
		fault_arm((int)(r / 128 % 60) + 1);
		break;
	default:
		break;
	}
	move((double)(r / 128 % 40) / 4);
	fault_arm(0);
}

static void calm(void)
{
	does.status = does.rc = store_rc = 0;
	move(200);
	for (int i = 0; i < AGENTS; i++) {
		if (decided[i] == FLAG_NONE) {
			assert_true(!ours(i) || mesos[i].deactivated);
			assert_int_equal(strstr(said[i], "still deactivated") != NULL, ours(i));
		}
		if (decided[i] == FLAG_OFF)
			assert_true(mesos[i].deactivated);
		if (decided[i] == FLAG_ON) {
			assert_int_equal(mesos[i].deactivated, mesos[i].by_hand);
			assert_false(ours(i));
			assert_int_equal(strstr(said[i], "not by satellite") != NULL, mesos[i].by_hand);
		}
	}
}

static void any_history_ends_as_decided(void **unused)
{
	unsigned seed = 1;

	for (int run = 0; run < 40; run++) {
		for (int n = 0; n < 40; n++) {
			seed = seed * 1103515245 + 12345;
			a_random_act(seed >> 8);
		}
		calm();
		end(unused);
		begin(unused);
	}
}

static void every_allocation_may_fail(void **unused)
{
	for (int n = 1, fired = 1; fired; n++) {
		fault_arm(n);
		decided[0] = decided[1] = FLAG_OFF;
		decide();
		hand(2, true);
		move(5);
		fired = fault_fired();
		fault_arm(0);
		move(130);
		assert_true(mesos[0].deactivated && mesos[1].deactivated);
		assert_non_null(strstr(said[2], "not by satellite"));
		end(unused);
		begin(unused);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_to_be_done),
		cmocka_unit_test(a_list_is_read_in_pieces_of_any_size),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test_setup_teardown(off_and_on_with_a_mark_between, begin, end),
		cmocka_unit_test_setup_teardown(a_host_out_of_the_inventory_is_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(what_a_hand_reactivates_of_a_forgotten_host_is_no_longer_ours, begin, end),
		cmocka_unit_test_setup_teardown(what_others_do_is_told_once, begin, end),
		cmocka_unit_test_setup_teardown(the_mark_of_an_agent_that_is_no_more_goes, begin, end),
		cmocka_unit_test_setup_teardown(who_comes_to_act_drops_no_mark_before_a_week_of_its_own, begin, end),
		cmocka_unit_test_setup_teardown(a_plan_is_never_of_another_list, begin, end),
		cmocka_unit_test_setup_teardown(failures_pause_and_are_told_once, begin, end),
		cmocka_unit_test_setup_teardown(an_answer_that_was_lost_may_have_been_yes, begin, end),
		cmocka_unit_test_setup_teardown(an_old_mesos_is_asked_seldom, begin, end),
		cmocka_unit_test_setup_teardown(an_agent_that_is_refused_waits_for_the_next_list, begin, end),
		cmocka_unit_test_setup_teardown(lists_that_fail_do_not_matter_for_long, begin, end),
		cmocka_unit_test_setup_teardown(the_rate_is_kept, begin, end),
		cmocka_unit_test_setup_teardown(who_does_not_act_asks_nothing_and_a_store_away_stops_it, begin, end),
		cmocka_unit_test_setup_teardown(another_store_than_the_whitelists_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(any_history_ends_as_decided, begin, end),
		cmocka_unit_test_setup_teardown(every_allocation_may_fail, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
