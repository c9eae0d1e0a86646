/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_alert - alerts go out at least once, and under one id: on a store that answers when told,
 * in which another master writes, too.
 */
#include <inttypes.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "alert.h"
#include "claim.h"
#include "delivery.h"
#include "lead.h"
#include "unit/flow.h"

/* Time, as this process and its libraries read it, can be moved on. */
static int64_t skipped;

SAT_API int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);
	int64_t ns = t->tv_nsec + skipped * 1000;

	t->tv_sec += ns / 1000000000;
	t->tv_nsec = ns % 1000000000;
	return rc;
}

/* ---- A store that does, and answers, what it is told to ------------------ */

enum { KEYS = 32, CALLS_MAX = 16, VALUE = 17000, MIRRORS = 4 };

struct call {
	size_t n;
	struct sat_change changes[2];
	char keys[2][32], values[2][VALUE];
	sat_committed *done;
	void *arg;
};

static struct fake {
	struct { char key[32], value[VALUE]; size_t len; int64_t version; } at[KEYS];
	struct { char prefix[16]; const struct sat_mirror *cb; void *arg; } mirrors[MIRRORS];
	struct call calls[CALLS_MAX];
	size_t n_keys, n;
	bool refuses_mirror;		/* of alerts/ */
	int refuses;
} fake;

static int fake_commit(void *state, const struct sat_change *changes, size_t n, sat_committed *done, void *arg)
{
	struct call *c = &fake.calls[fake.n];

	(void)state;
	if (fake.refuses != 0)
		return fake.refuses;
	assert_true(fake.n < CALLS_MAX && n == 2);
	c->n = n;
	c->done = done;
	c->arg = arg;
	for (size_t i = 0; i < n; i++) {
		c->changes[i] = changes[i];
		snprintf(c->keys[i], sizeof(c->keys[i]), "%s", changes[i].key);
		assert_true(changes[i].len < VALUE);
		if (changes[i].len > 0)
			memcpy(c->values[i], changes[i].value, changes[i].len);
	}
	fake.n++;
	return 0;
}

static int fake_mirror(void *state, const char *prefix, const struct sat_mirror *cb, void *arg)
{
	(void)state;
	if (fake.refuses_mirror && strcmp(prefix, "alerts/") == 0)
		return -ENOTCONN;
	for (size_t i = 0; i < MIRRORS; i++)
		if (fake.mirrors[i].cb == NULL) {
			snprintf(fake.mirrors[i].prefix, sizeof(fake.mirrors[i].prefix), "%s", prefix);
			fake.mirrors[i].cb = cb;
			fake.mirrors[i].arg = arg;
			return 0;
		}
	return -ENOMEM;
}

static void fake_unmirror(void *state, void *arg)
{
	(void)state;
	for (size_t i = 0; i < MIRRORS; i++)
		if (fake.mirrors[i].arg == arg)
			fake.mirrors[i].cb = NULL;
}

static const struct sat_module module = {
	.abi = SAT_ABI, .size = sizeof(module), .name = "store-fake",
	.store = &(const struct sat_store){ .size = sizeof(struct sat_store), .name = "fake",
		.commit = fake_commit, .mirror = fake_mirror, .unmirror = fake_unmirror, .flags = SAT_STORE_SHARED },
};

static size_t slot_of(const char *key)
{
	for (size_t i = 0; i < fake.n_keys; i++)
		if (strcmp(fake.at[i].key, key) == 0)
			return i;
	return fake.n_keys;
}

static void say(size_t at)
{
	for (size_t i = 0; i < MIRRORS; i++)
		if (fake.mirrors[i].cb != NULL &&
		    strncmp(fake.at[at].key, fake.mirrors[i].prefix, strlen(fake.mirrors[i].prefix)) == 0)
			fake.mirrors[i].cb->put(fake.mirrors[i].arg, fake.at[at].key, fake.at[at].value,
						fake.at[at].len, fake.at[at].version);
}

/* Somebody writes it, and all hear of it. */
static void set(const char *key, const char *value, size_t len)
{
	size_t at = slot_of(key);

	if (at == fake.n_keys) {
		assert_true(fake.n_keys++ < KEYS);
		fake.at[at].version = -1;
		snprintf(fake.at[at].key, sizeof(fake.at[at].key), "%s", key);
	}
	assert_true(len < VALUE);
	memcpy(fake.at[at].value, value, len);
	fake.at[at].value[len] = '\0';
	fake.at[at].len = len;
	fake.at[at].version++;
	say(at);
}

static const char *value_of(const char *key)
{
	size_t at = slot_of(key);

	return at < fake.n_keys ? fake.at[at].value : "";
}

static void each_mirror(const char *prefix, bool up)
{
	for (size_t i = 0; i < MIRRORS; i++) {
		const struct sat_mirror *cb = fake.mirrors[i].cb;

		if (cb == NULL || strcmp(fake.mirrors[i].prefix, prefix) != 0)
			continue;
		if (!up) {
			cb->lost(fake.mirrors[i].arg, -ENOTCONN);
			continue;
		}
		for (size_t k = 0; k < fake.n_keys; k++)
			if (strncmp(fake.at[k].key, prefix, strlen(prefix)) == 0)
				cb->put(fake.mirrors[i].arg, fake.at[k].key, fake.at[k].value, fake.at[k].len,
					fake.at[k].version);
		cb->synced(fake.mirrors[i].arg);
	}
}

static void sync_all(void)
{
	each_mirror("alerts/", true);
	each_mirror("leader/", true);
}

static void lose_all(void)
{
	each_mirror("alerts/", false);
	each_mirror("leader/", false);
}

static int fits(const struct sat_change *c, const char *key)
{
	size_t at = slot_of(key);

	if (c->what == SAT_CREATE)
		return at < fake.n_keys ? -EEXIST : 0;
	if (c->version == SAT_ANY_VERSION)
		return 0;
	return at == fake.n_keys ? -ENOENT : c->version == fake.at[at].version ? 0 : -ESTALE;
}

/* Answer the oldest commit, rc 0: as a store does. */
static int answer(int rc)
{
	static const int64_t versions[2];
	static struct call c;

	assert_true(fake.n > 0);
	c = fake.calls[0];
	memmove(&fake.calls[0], &fake.calls[1], --fake.n * sizeof(fake.calls[0]));
	for (size_t i = 0; i < c.n && rc == 0; i++)
		rc = fits(&c.changes[i], c.keys[i]);
	for (size_t i = 0; i < c.n && rc == 0; i++)
		if (c.changes[i].what != SAT_CHECK)
			set(c.keys[i], c.values[i], c.changes[i].len);
	c.done(c.arg, rc, 0, versions);
	return rc;
}

static void serve(void)
{
	while (fake.n > 0)
		answer(0);
}

/* ---- The bed -------------------------------------------------------------- */

static uv_loop_t loop;
static uv_idle_t idle;		/* a loop without anything that counts does not turn */
static char store_name[] = "store-fake", here[] = "here";
static struct sat_self store = { .name = store_name, .module = &module, .state = &fake };
static char ids[64][33];	/* of what was sent, in order */
static size_t sent;
static int send_rc;
static struct sat_delivery *open_delivery;

static const struct sat_option *const alert_options[] = { SAT_OPTION("alert", SAT_STRING, .help = "a key"), NULL };

static int alert_define(struct sat_node *node, void *mod, const struct sat_conf *conf, void **def)
{
	const char *key = sat_conf_string(conf, "alert");

	(void)node, (void)mod;
	*def = key != NULL ? strdup(key) : NULL;
	return key != NULL && *def == NULL ? -ENOMEM : 0;
}

static int alert_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	return sat_alert(at, item, def);
}

static int alert_send(void *def, const struct sat_alert *alert)
{
	(void)def;
	assert_int_equal(strlen(alert->id), 32);
	assert_non_null(strstr(alert->path, "["));
	memcpy(ids[sent++ % 64], alert->id, 33);
	for (uint32_t i = 0; i < alert->item->n; i++)
		flow_say("%s ", alert->item->evs[i]->host);
	open_delivery = alert->delivery;
	return send_rc;
}

static const struct sat_op alert_op = {
	.size = sizeof(alert_op), .name = "alert", .options = alert_options, .flags = SAT_ALERTS,
	.define = alert_define, .undefine = free, .item = alert_item, .send = alert_send,
}, bare_op = {
	.size = sizeof(bare_op), .name = "bare", .options = alert_options, .define = alert_define, .undefine = free,
	.item = alert_item,
};

static const struct sat_op *find(void *arg, const char *name, const struct sat_conf *where, struct sat_self **self)
{
	*self = &flow_self[FLOW_MODULES];
	if (strcmp(name, "alert") == 0 || strcmp(name, "bare") == 0)
		return name[0] == 'a' ? &alert_op : &bare_op;
	return flow_find(arg, name, where, self);
}

static void swap(const char *text)
{
	static const struct stream_finder finder = { find, NULL };
	struct conf *c = conf_text(text, "test.cfg");
	struct streams *s;

	assert_non_null(c);
	s = streams_build(c, conf_find(conf_root(c), "streams"), NULL, "index", &finder);
	conf_unref(c);
	assert_non_null(s);
	flow_end(engine_swap(s));
}

static void nothing(uv_idle_t *handle)
{
	(void)handle;
}

static int begin(void **unused)
{
	(void)unused;
	memset(&fake, 0, sizeof(fake));
	sent = 0;
	send_rc = 0;
	log_open("/dev/null", LOG_ERR);
	uv_loop_init(&loop);
	uv_idle_init(&loop, &idle);
	uv_idle_start(&idle, nothing);
	self_process.loop = &loop;
	self_process.host = here;
	for (unsigned i = SELF_ALERTS_SENT; i <= SELF_ALERTS_KEPT; i++)
		self_set(i, 0);
	flow_begin(6000000);
	assert_int_equal(lead_init(LEAD_MESOS), 0);
	assert_int_equal(alerts_init(), 0);
	swap("streams = ( \"alert\" );");
	return 0;
}

static void forget_calls(void)
{
	while (fake.n > 0)
		answer(-ENOTCONN);
}

static int end(void **unused)
{
	(void)unused;
	flow_over();
	alerts_end();
	lead_end();
	forget_calls();
	uv_close((uv_handle_t *)&idle, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(self_get(SELF_ALERTS_KEPT), 0);
	self_process.loop = NULL;
	self_process.host = NULL;
	log_close();
	return 0;
}

/* Time passes, and timers ring; the store answers, where it is there. */
static void pass(int64_t ms)
{
	for (; ms > 0; ms -= 250) {
		skipped += (ms < 250 ? ms : 250) * SAT_MS;
		uv_run(&loop, UV_RUN_NOWAIT);
	}
}

static void use(enum lead_mode mode)
{
	lead_mode(mode, &store);
	delivery_use(&store);
}

static void rule(void)
{
	use(LEAD_STORE);
	sync_all();
	serve();
	assert_true(sat_acting());
}

/* Another holds the epoch, and beats. */
static void follow(void)
{
	static const char other[] = "{\"by\":\"there\",\"epoch\":7,\"mark\":\"other\"}";

	set("leader/epoch", other, sizeof(other) - 1);
	set("leader/beat", "{}", 2);
	use(LEAD_STORE);
	sync_all();
	assert_false(sat_acting());
}

/* He is silent, and we come to act. */
static void take_over(void)
{
	pass(3250);
	serve();
	assert_true(sat_acting());
	serve();
}

static void beat(int64_t ms)
{
	for (; ms > 0; ms -= 500) {
		set("leader/beat", "{}", 2);
		pass(ms < 500 ? ms : 500);
	}
}

/* What the one who acts in epoch 7 writes. */
static void other_writes(unsigned slot, const char *claimed, const char *said)
{
	char key[16], value[512];

	snprintf(key, sizeof(key), "alerts/%u", slot);
	snprintf(value, sizeof(value), "{\"epoch\":7,\"turn\":%u,\"claimed\":[%s%s%s],\"sent\":[%s%s%s]}", slot,
		 claimed ? "\"" : "", claimed ? claimed : "", claimed ? "\"" : "", said ? "\"" : "",
		 said ? said : "", said ? "\"" : "");
	set(key, value, strlen(value));
}

static int push_at(const char *host, int64_t micros, uint32_t more)
{
	struct event ev = flow_event(host, "s", "critical", 0);

	ev.pub.time += micros;
	ev.pub.has |= more;
	return engine_input(&ev);
}

static int push(const char *host)
{
	return push_at(host, 0, 0);
}

/* The id that an event has: learnt by sending it, where nobody is asked. */
static const char *id_of(const char *host, int64_t micros, uint32_t more)
{
	static char id[4][33];
	static unsigned n;
	size_t before = sent;

	lead_mode(LEAD_ALWAYS, NULL);
	assert_int_equal(push_at(host, micros, more), 0);
	assert_int_equal(sent, before + 1);
	lead_mode(LEAD_MESOS, NULL);
	flow_seen[0] = '\0';
	self_set(SELF_ALERTS_SENT, 0);
	n = (n + 1) % 4;
	memcpy(id[n], ids[before % 64], 33);
	return id[n];
}

static const char *last_id(void)
{
	return ids[(sent - 1) % 64];
}

#define counted(what, n) assert_int_equal(self_get(SELF_ALERTS_##what), n)

/* ---- Without a store that masters share ----------------------------------- */

static void who_always_acts_sends_at_once(void **unused)
{
	(void)unused;
	lead_mode(LEAD_ALWAYS, NULL);
	assert_int_equal(push("a"), 0);
	flow_was("a ");
	counted(SENT, 1);
	counted(KEPT, 0);
	assert_false(delivery_turn());
}

static void an_id_is_of_the_node_the_fork_and_the_event(void **unused)
{
	char all[12][33];
	const char *const texts[] = { "streams = ( \"alert\" );", "streams = ( { alert = \"k\"; } );",
				      "streams = ( { by = \"host\"; do = ( { alert = \"k\"; id = \"one\"; } ); } );",
				      "streams = ( { where = \"true\"; do = ( { alert = \"k\"; id = \"one\"; } ); } );" };
	int n = 0;

	(void)unused;
	lead_mode(LEAD_ALWAYS, NULL);
	for (int i = 0; i < 4; i++) {
		swap(texts[i]);
		for (int k = 0; k < 3; k++) {
			push_at(k == 1 ? "b" : "a", k == 2 ? 1 : 0, 0);
			memcpy(all[n++], last_id(), 33);
			push_at(k == 1 ? "b" : "a", k == 2 ? 1 : 0, 0);
			assert_string_equal(last_id(), all[n - 1]);
		}
	}
	for (int i = 0; i < 12; i++)
		for (int k = 0; k < i; k++) {
			/* Its own key is all that counts beside the node and the fork. */
			bool same = (i / 3 == k / 3 && (i / 3 == 1 || i / 3 == 3)) ||
				    (i / 3 == 2 && k / 3 == 2 && i % 3 == 2 && k % 3 == 0);

			assert_int_equal(strcmp(all[i], all[k]) == 0, same);
		}
}

/* Ids are written down elsewhere, and must be the same in each version. */
static void an_id_is_the_same_for_ever(void **unused)
{
	(void)unused;
	assert_string_equal(id_of("a", 0, 0), "f45d0061f9efdadb8dd2acfec8f0a7fb");
	assert_string_equal(id_of("a", 0, SAT_HAS_STAMP), "62513759a1d108088dbd631b11714488");
}

static void who_does_not_act_keeps_them_until_he_does(void **unused)
{
	(void)unused;
	assert_int_equal(push("a"), 0);
	assert_int_equal(push("b"), 0);
	flow_was("");
	counted(KEPT, 2);
	sat_mesos_leads(&store, true);
	flow_was("a b ");
	assert_int_equal(push("c"), 0);
	flow_was("c ");
	counted(SENT, 3);
}

static void what_is_kept_is_bounded_by_number_and_by_age(void **unused)
{
	(void)unused;
	for (int i = 0; i < 1003; i++)
		push_at(i < 3 ? "old" : "new", i, 0);
	counted(KEPT, 1000);
	counted(DROPPED, 3);
	pass(90000);
	counted(KEPT, 1000);
	pass(31000);
	counted(KEPT, 0);
	sat_mesos_leads(&store, true);
	flow_was("");
	counted(SENT, 0);
}

static void who_does_not_say_that_he_alerts_may_not(void **unused)
{
	(void)unused;
	swap("streams = ( \"bare\" );");
	assert_int_equal(push("a"), -EINVAL);
}

/* ---- Outcomes ------------------------------------------------------------- */

static void a_failure_is_an_error_of_the_stream(void **unused)
{
	(void)unused;
	lead_mode(LEAD_ALWAYS, NULL);
	send_rc = -ENOBUFS;
	assert_int_equal(push("a"), -ENOBUFS);
	counted(FAILED, 1);
	counted(SENT, 0);
}

static void an_outcome_may_come_later(void **unused)
{
	(void)unused;
	rule();
	send_rc = -EINPROGRESS;
	push("a");
	serve();
	flow_was("a ");
	counted(SENT, 0);
	assert_non_null(strstr(value_of("alerts/0"), "\"claimed\":[\""));
	assert_non_null(strstr(value_of("alerts/0"), "\"sent\":[]"));
	swap("streams = ( \"index\" );");	/* its node has gone */
	sat_alert_done(open_delivery, 0);
	serve();
	counted(SENT, 1);
	assert_non_null(strstr(value_of("alerts/0"), "\"claimed\":[]"));
	assert_non_null(strstr(value_of("alerts/0"), "\"sent\":[\""));
}

static void what_was_given_up_stays_claimed(void **unused)
{
	(void)unused;
	rule();
	send_rc = -EIO;
	push("a");
	serve();
	counted(FAILED, 1);
	assert_non_null(strstr(value_of("alerts/0"), "\"claimed\":[\""));
}

/* ---- Who acts, with a log -------------------------------------------------- */

static void it_is_claimed_before_it_is_sent(void **unused)
{
	(void)unused;
	rule();
	assert_int_equal(push("a"), 0);
	assert_int_equal(fake.n, 1);
	flow_was("");
	assert_int_equal(push("b"), 0);
	assert_int_equal(push("c"), 0);
	assert_int_equal(fake.n, 1);	/* they go with the next write */
	assert_int_equal(answer(0), 0);
	flow_was("a ");
	assert_int_equal(fake.n, 1);
	assert_int_equal(answer(0), 0);
	flow_was("b c ");
	serve();
	counted(SENT, 3);
	counted(KEPT, 0);
	counted(UNLOGGED, 0);
	assert_non_null(strstr(value_of("alerts/0"), "{\"epoch\":1,\"turn\":0,\"claimed\":[],\"sent\":[\""));
}

/* Nobody else may be there to do it. */
static void who_ends_waits_no_more(void **unused)
{
	(void)unused;
	rule();
	push("a");
	push("b");
	flow_was("");
	alerts_hurry();
	flow_was("a b ");
	counted(KEPT, 0);
	lead_mode(LEAD_MESOS, NULL);
	push("c");
	alerts_hurry();
	flow_was("");
	counted(KEPT, 1);
}

static void own_streams_may_repeat_themselves(void **unused)
{
	(void)unused;
	rule();
	for (int i = 0; i < 3; i++) {
		push("a");
		serve();
		flow_was("a ");
	}
	counted(KNOWN, 0);
	assert_string_equal(ids[0], ids[2]);
}

static void who_was_deposed_sends_nothing_more(void **unused)
{
	static const char other[] = "{\"by\":\"there\",\"epoch\":7,\"mark\":\"other\"}";
	const char *id = id_of("a", 0, 0);

	(void)unused;
	rule();
	push("a");
	set("leader/epoch", other, sizeof(other) - 1);
	assert_int_equal(answer(0), -ESTALE);
	pass(1000);
	flow_was("");
	counted(KEPT, 1);
	counted(SENT, 0);
	other_writes(1, NULL, id);
	counted(KEPT, 0);
	counted(KNOWN, 1);
}

static void a_claim_that_was_made_as_we_fell_asleep_is_not_acted_on(void **unused)
{
	(void)unused;
	rule();
	push("a");
	skipped += 10 * SAT_SECOND;
	assert_int_equal(answer(0), 0);
	flow_was("");
	counted(KEPT, 1);
	serve();
	pass(500);	/* still ours, as the next beat tells */
	serve();
	serve();
	flow_was("a ");
}

static void nobody_knows_so_it_is_written_again(void **unused)
{
	(void)unused;
	rule();
	push("a");
	answer(-EINPROGRESS);
	flow_was("");
	pass(250);
	serve();
	flow_was("a ");
	counted(UNLOGGED, 0);
}

static void a_log_that_is_not_to_be_had_is_done_without(void **unused)
{
	(void)unused;
	fake.refuses_mirror = true;
	use(LEAD_STORE);
	each_mirror("leader/", true);
	serve();
	assert_true(sat_acting());
	push("a");
	for (int i = 0; i < 6; i++) {
		pass(500);
		serve();
	}
	flow_was("");
	for (int i = 0; i < 6; i++) {
		pass(500);
		serve();
	}
	flow_was("a ");
	counted(UNLOGGED, 1);
	fake.refuses_mirror = false;
	pass(250);
	sync_all();
	push("b");
	serve();
	flow_was("b ");
	assert_non_null(strstr(value_of("alerts/0"), ids[0]));	/* and caught up on */
}

/* ---- Who does not ----------------------------------------------------------- */

static void what_another_sent_is_forgotten(void **unused)
{
	const char *id = id_of("a", 0, 0);

	(void)unused;
	follow();
	push("a");
	push("b");
	counted(KEPT, 2);
	other_writes(0, id, NULL);
	counted(KEPT, 2);
	other_writes(0, NULL, id);
	counted(KEPT, 1);
	counted(KNOWN, 1);
	push("a");	/* and what comes later than his */
	counted(KEPT, 1);
	counted(KNOWN, 2);
	flow_was("");
}

static void the_next_sends_what_was_not_sent_under_the_same_id(void **unused)
{
	const char *a = id_of("a", 0, 0), *b = id_of("b", 0, 0), *c = id_of("c", 0, 0);

	(void)unused;
	follow();
	push("a");
	push("b");
	push("c");
	other_writes(0, b, a);
	take_over();
	serve();
	flow_was("b c ");
	assert_string_equal(ids[(sent - 2) % 64], b);
	assert_string_equal(ids[(sent - 1) % 64], c);
	serve();
	for (int i = 0; i < 3; i++)
		assert_non_null(strstr(value_of("alerts/0"), i == 0 ? a : i == 1 ? b : c));
	assert_non_null(strstr(value_of("alerts/0"), "\"claimed\":[]"));
}

static void a_time_made_up_here_counts_by_the_minute(void **unused)
{
	const char *then = id_of("a", 0, SAT_HAS_STAMP);
	const char *before = id_of("b", -60 * SAT_SECOND, SAT_HAS_STAMP);
	const char *after = id_of("c", 60 * SAT_SECOND, SAT_HAS_STAMP);

	(void)unused;
	assert_string_equal(id_of("a", 1, SAT_HAS_STAMP), then);
	follow();
	push_at("a", 2000000, SAT_HAS_STAMP);
	push_at("b", 0, SAT_HAS_STAMP);
	push_at("c", 0, SAT_HAS_STAMP);
	other_writes(0, before, then);
	other_writes(1, after, NULL);
	counted(KEPT, 2);
	take_over();
	serve();
	flow_was("b c ");
	assert_string_equal(ids[(sent - 2) % 64], before);
	assert_string_equal(ids[(sent - 1) % 64], after);
}

/* A master that was killed and is back at once has forgotten what it had not sent. */
static void what_who_acts_cannot_have_goes_out_from_those_who_have_it(void **unused)
{
	static const char young[] = "{\"by\":\"there\",\"epoch\":8,\"mark\":\"young\",\"since\":1,\"up\":3}";
	static const char old[] = "{\"by\":\"there\",\"epoch\":9,\"mark\":\"old\",\"since\":1,\"up\":3000}";
	const char *id = id_of("b", 0, 0);

	(void)unused;
	follow();
	push("a");
	push("b");
	beat(5000);
	set("leader/epoch", young, sizeof(young) - 1);
	beat(4000);
	push("c");	/* which he hears of, too */
	other_writes(0, NULL, id);
	beat(2000);
	flow_was("");
	sync_all();	/* it is still the same epoch */
	beat(6000);
	flow_was("a ");
	counted(KEPT, 1);
	set("leader/epoch", old, sizeof(old) - 1);
	beat(30000);
	flow_was("");
}

static void what_nobody_sent_is_counted(void **unused)
{
	(void)unused;
	follow();
	push("a");
	beat(121000);
	counted(KEPT, 0);
	counted(EXPIRED, 1);
}

/* ---- While the store is away -------------------------------------------------- */

static void without_the_store_all_send(void **unused)
{
	const char *id = id_of("a", 0, 0);

	(void)unused;
	follow();
	push("a");
	lose_all();
	pass(3000);
	flow_was("");
	pass(3000);
	flow_was("a ");
	assert_string_equal(last_id(), id);
	push("b");
	flow_was("b ");
	/* It is there again: what we sent is said by whoever of us acts. */
	sync_all();
	push("c");
	flow_was("");
	take_over();
	flow_was("c ");
	serve();
	assert_non_null(strstr(value_of("alerts/0"), id));
}

/* It was not the store that was silent. */
static void who_was_stopped_is_not_without_the_store(void **unused)
{
	(void)unused;
	follow();
	skipped += 100 * SAT_SECOND;
	push("a");
	flow_was("");
	pass(250);
	flow_was("");
	counted(KEPT, 1);
}

static void without_the_store_whom_mesos_names_sends(void **unused)
{
	(void)unused;
	use(LEAD_MESOS);
	push("a");
	for (int i = 0; i < 12; i++) {
		sat_mesos_leads(&store, false);
		pass(500);
	}
	flow_was("");
	sat_mesos_leads(&store, true);
	pass(250);
	flow_was("a ");
	sat_mesos_leads(&store, false);
	push("b");
	pass(500);
	flow_was("");
	counted(KEPT, 1);
	pass(2000);	/* nobody says any more whom it names */
	flow_was("b ");
}

/* ---- The log -------------------------------------------------------------------- */

static void it_goes_round_and_is_bounded(void **unused)
{
	char key[16];

	(void)unused;
	rule();
	for (int i = 0; i < 17 * 256; i++) {
		if (i % 16 == 0)	/* it still beats, however slow this machine is */
			pass(250);
		push_at("a", i, 0);
		uv_run(&loop, UV_RUN_NOWAIT);	/* it beats, however long this takes */
		serve();
		flow_seen[0] = '\0';
	}
	counted(SENT, 17 * 256);
	assert_int_equal(fake.n_keys, 2 + 16);
	for (unsigned i = 0; i < 16; i++) {
		snprintf(key, sizeof(key), "alerts/%u", i);
		assert_true(strlen(value_of(key)) > 256 * 35 && strlen(value_of(key)) < 256 * 35 + 100);
	}
	assert_non_null(strstr(value_of("alerts/0"), "{\"epoch\":1,\"turn\":16,"));
	counted(UNLOGGED, 256);	/* written over before their time */
}

static void entries_are_forgotten_in_time(void **unused)
{
	const char *id = id_of("a", 0, 0);

	(void)unused;
	follow();
	other_writes(0, NULL, id);
	beat(200000);
	push("a");
	counted(KNOWN, 1);
	beat(41000);
	push("a");
	counted(KNOWN, 1);
	counted(KEPT, 1);
	take_over();
	serve();
	flow_was("a ");
	assert_null(strstr(value_of("alerts/0"), "\"epoch\":7"));
}

static void what_cannot_be_read_says_nothing(void **unused)
{
	static const char *const values[] = {
		"", "x", "[]", "{}", "[[[", "{\"sent\":3}",
		"{\"epoch\":7,\"turn\":0,\"sent\":[1,null,\"short\",[\"x\"],{}]}",
		"{\"epoch\":7,\"turn\":0,\"sent\":[\"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\"]}",
		"{\"epoch\":7,\"turn\":5,\"sent\":[]}", "{\"epoch\":7,\"turn\":18446744073709551600,\"sent\":[]}",
	};
	static char large[16500];

	(void)unused;
	follow();
	push("a");
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		set("alerts/0", values[i], strlen(values[i]));
		set("alerts/99", values[i], strlen(values[i]));
		set("alerts/x", values[i], strlen(values[i]));
	}
	memset(large, ' ', sizeof(large) - 1);
	set("alerts/1", large, sizeof(large) - 1);
	counted(KEPT, 1);
	fake.n_keys = 2;
	take_over();
	serve();
	flow_was("a ");
}

/* ---- Reloads and memory ------------------------------------------------------------ */

static void a_reload_keeps_what_waits(void **unused)
{
	(void)unused;
	follow();
	push("a");
	swap("streams = ( \"index\", \"alert\" );");
	counted(KEPT, 1);
	counted(DROPPED, 0);
	take_over();
	serve();
	flow_was("a ");
	swap("streams = ( \"alert\", { where = \"true\"; do = \"alert\"; } );");
	push("b");
	serve();
	flow_was("b b ");
	push("c");
	swap("streams = ( \"index\" );");
	counted(DROPPED, 2);
	counted(KEPT, 0);
}

/* Each alert is refused, and the stream said so, or it is sent. */
static bool live(int nth)
{
	int taken = 0;
	bool fired;

	begin(NULL);
	rule();
	fault_arm(nth);
	for (int i = 0; i < 4; i++) {
		taken += push_at("a", i, 0) == 0;
		serve();
	}
	fired = fault_fired();
	fault_arm(0);
	for (int i = 0; i < 14; i++) {
		pass(500);
		serve();
	}
	assert_int_equal(self_get(SELF_ALERTS_SENT), taken);
	assert_true(taken >= 3);
	end(NULL);
	return fired;
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0;

	(void)unused;
	while (live(++nth))
		;
	assert_true(nth > 10);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_always_acts_sends_at_once),
		TEST(an_id_is_of_the_node_the_fork_and_the_event),
		TEST(an_id_is_the_same_for_ever),
		TEST(who_does_not_act_keeps_them_until_he_does),
		TEST(what_is_kept_is_bounded_by_number_and_by_age),
		TEST(who_does_not_say_that_he_alerts_may_not),
		TEST(a_failure_is_an_error_of_the_stream),
		TEST(an_outcome_may_come_later),
		TEST(what_was_given_up_stays_claimed),
		TEST(it_is_claimed_before_it_is_sent),
		TEST(who_ends_waits_no_more),
		TEST(own_streams_may_repeat_themselves),
		TEST(who_was_deposed_sends_nothing_more),
		TEST(a_claim_that_was_made_as_we_fell_asleep_is_not_acted_on),
		TEST(nobody_knows_so_it_is_written_again),
		TEST(a_log_that_is_not_to_be_had_is_done_without),
		TEST(what_another_sent_is_forgotten),
		TEST(the_next_sends_what_was_not_sent_under_the_same_id),
		TEST(a_time_made_up_here_counts_by_the_minute),
		TEST(what_who_acts_cannot_have_goes_out_from_those_who_have_it),
		TEST(what_nobody_sent_is_counted),
		TEST(without_the_store_all_send),
		TEST(who_was_stopped_is_not_without_the_store),
		TEST(without_the_store_whom_mesos_names_sends),
		TEST(it_goes_round_and_is_bounded),
		TEST(entries_are_forgotten_in_time),
		TEST(what_cannot_be_read_says_nothing),
		TEST(a_reload_keeps_what_waits),
		cmocka_unit_test(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
