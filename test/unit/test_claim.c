/* SPDX-License-Identifier: Apache-2.0 */
/* test_claim - leadership in a shared store: who has it, who loses it, and when; on a store that answers when told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#include "claim.h"
#include "clock.h"
#include "lead.h"
#include "log.h"
#include "store.h"
#include "unit/fault.h"

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

enum { EPOCH, BEAT, N_KEYS, CALLS_MAX = 16 };
static const char *const keys[N_KEYS] = { "leader/epoch", "leader/beat" };

struct call {
	struct sat_change changes[2];
	char values[2][4200];
	size_t n;
	sat_committed *done;
	void *arg;
};

static struct fake {
	struct { bool there; char value[4200]; size_t len; int64_t version; } at[N_KEYS];
	const struct sat_mirror *cb;
	void *arg;
	struct call calls[CALLS_MAX];
	size_t n;			/* commits not answered yet */
	int refuse, refuse_mirror, mirrors;
} fake;

static int fake_commit(void *state, const struct sat_change *changes, size_t n, sat_committed *done, void *arg)
{
	struct call *c = &fake.calls[fake.n];

	(void)state;
	if (fake.refuse != 0)
		return fake.refuse;
	assert_true(fake.n < CALLS_MAX && n == 2);
	*c = (struct call){ .n = n, .done = done, .arg = arg };
	for (size_t i = 0; i < n; i++) {
		assert_true(changes[i].len < sizeof(c->values[i]));
		c->changes[i] = changes[i];
		if (changes[i].len > 0)
			memcpy(c->values[i], changes[i].value, changes[i].len);
	}
	fake.n++;
	return 0;
}

static int fake_mirror(void *state, const char *prefix, const struct sat_mirror *cb, void *arg)
{
	(void)state;
	assert_string_equal(prefix, "leader/");
	if (fake.refuse_mirror != 0)
		return fake.refuse_mirror;
	fake.mirrors++;
	fake.cb = cb;
	fake.arg = arg;
	return 0;
}

static void fake_unmirror(void *state, void *arg)
{
	(void)state;
	assert_ptr_equal(arg, fake.arg);
	fake.cb = NULL;
}

static const struct sat_module module = {
	.abi = SAT_ABI, .size = sizeof(module), .name = "store-fake",
	.store = &(const struct sat_store){ .size = sizeof(struct sat_store), .name = "fake",
		.commit = fake_commit, .mirror = fake_mirror, .unmirror = fake_unmirror, .flags = SAT_STORE_SHARED },
};

static void say(int key)
{
	if (fake.cb != NULL)
		fake.cb->put(fake.arg, keys[key], fake.at[key].value, fake.at[key].len, fake.at[key].version);
}

static void sync_it(void)
{
	for (int key = 0; key < N_KEYS; key++)
		if (fake.at[key].there)
			say(key);
	fake.cb->synced(fake.arg);
}

static void set(int key, const char *value, size_t len)
{
	fake.at[key].version = fake.at[key].there ? fake.at[key].version + 1 : 0;
	fake.at[key].there = true;
	memcpy(fake.at[key].value, value, len);
	fake.at[key].value[len] = '\0';
	fake.at[key].len = len;
}

/* Somebody else writes it. */
static void other(int key, const char *value)
{
	set(key, value, strlen(value));
	say(key);
}

static int fits(const struct sat_change *c, int key)
{
	if (c->what == SAT_CREATE)
		return fake.at[key].there ? -EEXIST : 0;
	if (!fake.at[key].there)
		return c->version == SAT_ANY_VERSION && c->what == SAT_PUT ? 0 : -ENOENT;
	return c->version == SAT_ANY_VERSION || c->version == fake.at[key].version ? 0 : -ESTALE;
}

static int key_of(const struct sat_change *c)
{
	return strcmp(c->key, keys[EPOCH]) == 0 ? EPOCH : BEAT;
}

/* Carry the oldest commit out as a store does; told: its mirror hears of it. */
static int carry_out(const struct call *c, size_t *culprit, bool told)
{
	int rc = 0;

	for (*culprit = 0; *culprit < c->n; ++*culprit) {
		rc = fits(&c->changes[*culprit], key_of(&c->changes[*culprit]));
		if (rc != 0)
			return rc;
	}
	for (size_t i = 0; i < c->n; i++) {
		int key = key_of(&c->changes[i]);

		if (c->changes[i].what == SAT_CHECK)
			continue;
		set(key, c->values[i], c->changes[i].len);
		if (told)
			say(key);
	}
	*culprit = 0;
	return 0;
}

static void answer(int rc, size_t culprit)
{
	static const int64_t versions[2];
	struct call c = fake.calls[0];

	assert_true(fake.n > 0);
	memmove(&fake.calls[0], &fake.calls[1], --fake.n * sizeof(fake.calls[0]));
	c.done(c.arg, rc, culprit, versions);
}

static int serve(void)
{
	size_t culprit;
	int rc;

	assert_true(fake.n > 0);
	rc = carry_out(&fake.calls[0], &culprit, true);
	answer(rc, culprit);
	return rc;
}

/* ---- The bed -------------------------------------------------------------- */

static uv_loop_t loop;
static uv_idle_t idle;		/* a loop without anything that counts does not turn */
static char store_name[] = "store-fake", here[] = "here", other_name[] = "another";
static struct sat_self store = { .name = store_name, .module = &module, .state = &fake };
static struct sat_self another = { .name = other_name, .module = &module, .state = &fake };

static void nothing(uv_idle_t *handle)
{
	(void)handle;
}

static int begin(void **unused)
{
	(void)unused;
	memset(&fake, 0, sizeof(fake));
	log_open("/dev/null", LOG_ERR);
	uv_loop_init(&loop);
	uv_idle_init(&loop, &idle);
	uv_idle_start(&idle, nothing);
	self_process.loop = &loop;
	self_process.host = here;
	return lead_init(LEAD_STORE);
}

static int end(void **unused)
{
	(void)unused;
	lead_end();
	while (fake.n > 0)
		answer(-ENOTCONN, 0);
	uv_close((uv_handle_t *)&idle, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	self_process.host = NULL;
	log_close();
	return 0;
}

/* Time passes, and timers ring. */
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
	assert_non_null(fake.cb);
	assert_true(claim_used());
	assert_true(claim_lies_in(&store));
	assert_false(claim_lies_in(&another));
	assert_false(sat_acting());
}

/* Ours, and beating. */
static void rule(enum lead_mode mode)
{
	use(mode);
	if (mode == LEAD_MESOS)
		sat_mesos_leads(&store, true);
	sync_it();
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
}

static const char others[] = "{\"epoch\":41,\"by\":\"there\",\"mark\":\"m\",\"since\":1}";

/* ---- Taking over ---------------------------------------------------------- */

static void an_empty_store_is_free(void **unused)
{
	(void)unused;
	use(LEAD_STORE);
	assert_int_equal(fake.n, 0);	/* nothing is known before it is synced */
	pass(5000);
	assert_int_equal(fake.n, 0);
	sync_it();
	assert_int_equal(fake.calls[0].changes[0].what, SAT_CREATE);
	assert_int_equal(fake.calls[0].changes[1].what, SAT_CREATE);
	assert_false(sat_acting());
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
	assert_int_equal(sat_epoch(), 1);
	assert_string_equal(claim_holder(), "here");
	/* Then it beats, twice a second, behind the fence. */
	pass(500);
	assert_int_equal(fake.n, 1);
	assert_int_equal(fake.calls[0].changes[0].what, SAT_CHECK);
	assert_int_equal(serve(), 0);
	assert_string_equal(fake.at[BEAT].value, "{\"by\":\"here\",\"epoch\":1}");
	for (int i = 0; i < 20; i++) {
		pass(500);
		assert_int_equal(serve(), 0);
		assert_true(sat_acting());
	}
	assert_int_equal(sat_epoch(), 1);
}

static void who_beats_is_left_alone(void **unused)
{
	(void)unused;
	set(EPOCH, others, sizeof(others) - 1);
	set(BEAT, "x", 1);
	use(LEAD_STORE);
	sync_it();
	assert_string_equal(claim_holder(), "there");
	for (int i = 0; i < 10; i++) {
		pass(2500);
		assert_int_equal(fake.n, 0);
		other(BEAT, "x");
	}
	pass(3500);	/* silent */
	assert_int_equal(fake.n, 1);
	assert_int_equal(fake.calls[0].changes[0].what, SAT_PUT);
	assert_int_equal(fake.calls[0].changes[1].version, fake.at[BEAT].version);
	assert_int_equal(serve(), 0);
	assert_int_equal(sat_epoch(), 42);
}

static void an_epoch_without_a_beat_falls_silent_too(void **unused)
{
	(void)unused;
	set(EPOCH, others, sizeof(others) - 1);
	use(LEAD_STORE);
	sync_it();
	assert_int_equal(fake.n, 0);
	pass(3500);
	assert_int_equal(fake.calls[0].changes[1].what, SAT_CREATE);
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
}

static void a_beat_without_an_epoch_is_free(void **unused)
{
	(void)unused;
	set(BEAT, "x", 1);
	use(LEAD_STORE);
	sync_it();
	assert_int_equal(fake.calls[0].changes[0].what, SAT_CREATE);
	assert_int_equal(fake.calls[0].changes[1].what, SAT_PUT);
	assert_int_equal(serve(), 0);
	assert_int_equal(sat_epoch(), 1);
}

static void whom_mesos_elects_does_not_wait(void **unused)
{
	(void)unused;
	set(EPOCH, others, sizeof(others) - 1);
	set(BEAT, "x", 1);
	use(LEAD_MESOS);
	sync_it();
	assert_int_equal(fake.n, 0);	/* nobody elected us */
	sat_mesos_leads(&store, true);
	assert_int_equal(fake.n, 1);
	assert_false(sat_acting());
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
	assert_int_equal(sat_epoch(), 42);
	sat_mesos_leads(&store, false);
	assert_false(sat_acting());
	assert_int_equal(serve(), 0);
	assert_int_equal(fake.at[BEAT].len, 0);	/* resigned */
}

/* Deposed by the next, and elected again at once: two whom Mesos names at the same time take turns
 * of three seconds, but one whom it names anew does not wait. */
static void whom_mesos_elects_again_does_not_wait(void **unused)
{
	(void)unused;
	rule(LEAD_MESOS);
	other(EPOCH, others);
	assert_false(sat_acting());
	sat_mesos_leads(&store, true);
	pass(500);
	assert_int_equal(fake.n, 0);
	sat_mesos_leads(&store, false);
	sat_mesos_leads(&store, true);
	assert_int_equal(fake.n, 1);
}

static void a_race_is_lost(void **unused)
{
	static const char third[] = "{\"epoch\":42,\"by\":\"third\",\"mark\":\"t\"}";

	(void)unused;
	set(EPOCH, others, sizeof(others) - 1);
	set(BEAT, "", 0);
	use(LEAD_STORE);
	sync_it();	/* resigned: free at once */
	assert_int_equal(fake.n, 1);
	set(EPOCH, third, sizeof(third) - 1);
	set(BEAT, "y", 1);
	assert_int_equal(serve(), -ESTALE);
	assert_false(sat_acting());
	say(EPOCH);
	say(BEAT);
	while (fake.n > 0)	/* made when it knew but half of it */
		assert_int_equal(serve(), -ESTALE);
	pass(2000);
	assert_int_equal(fake.n, 0);
	assert_string_equal(claim_holder(), "third");
	assert_false(sat_acting());
}

/* ---- Losing it ------------------------------------------------------------ */

static void another_epoch_deposes(void **unused)
{
	(void)unused;
	rule(LEAD_MESOS);
	other(EPOCH, others);
	assert_false(sat_acting());
	assert_string_equal(claim_holder(), "there");
	/* Patience: two that both believe Mesos do not take turns twice a second. */
	for (int i = 0; i < 5; i++) {
		pass(500);
		sat_mesos_leads(&store, true);
		assert_int_equal(fake.n, 0);
	}
	pass(1000);
	sat_mesos_leads(&store, true);
	pass(500);
	assert_int_equal(fake.n, 1);
	assert_int_equal(serve(), 0);
	sat_mesos_leads(&store, true);
	assert_int_equal(sat_epoch(), 42);
}

static void a_beat_that_is_refused_ends_it(void **unused)
{
	(void)unused;
	rule(LEAD_STORE);
	pass(500);
	set(EPOCH, others, sizeof(others) - 1);	/* of which the mirror does not know yet */
	assert_int_equal(serve(), -ESTALE);
	assert_false(sat_acting());
	say(EPOCH);
	assert_false(sat_acting());
	assert_string_equal(claim_holder(), "there");
}

static void an_epoch_that_is_deleted_ends_it(void **unused)
{
	(void)unused;
	rule(LEAD_STORE);
	fake.at[EPOCH].there = false;
	fake.cb->gone(fake.arg, keys[EPOCH]);
	assert_false(sat_acting());
	assert_null(claim_holder());
	pass(500);
	assert_int_equal(fake.calls[0].changes[0].what, SAT_CREATE);
	assert_int_equal(serve(), 0);
	assert_int_equal(sat_epoch(), 2);
	fake.at[BEAT].there = false;
	fake.cb->gone(fake.arg, keys[BEAT]);
	assert_true(sat_acting());
	pass(500);
	assert_int_equal(serve(), 0);
	assert_true(fake.at[BEAT].there);
}

static void a_lease_runs_out_while_the_store_is_away(void **unused)
{
	(void)unused;
	rule(LEAD_STORE);
	fake.cb->lost(fake.arg, -ENOTCONN);
	pass(1750);
	assert_true(sat_acting());
	assert_int_equal(fake.n, 0);
	pass(500);
	assert_false(sat_acting());
	/* Still ours when it is back: one beat more, and it goes on under the same epoch. */
	sync_it();
	assert_false(sat_acting());
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
	assert_int_equal(sat_epoch(), 1);
}

/* A beat counts from when it was sent, so that others, who count from when they saw it, come later. */
static void an_answer_that_comes_late_is_worth_less(void **unused)
{
	(void)unused;
	rule(LEAD_STORE);
	pass(500);
	assert_int_equal(fake.n, 1);
	pass(1750);
	assert_false(sat_acting());
	assert_int_equal(fake.n, 1);	/* one at a time */
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
	pass(500);
	assert_false(sat_acting());
}

static void the_process_slept(void **unused)
{
	(void)unused;
	rule(LEAD_STORE);
	skipped += 2 * SAT_SECOND;	/* no timer has rung */
	assert_false(sat_acting());
	assert_int_equal(sat_epoch(), 0);
}

/* ---- Outcomes that nobody knows -------------------------------------------- */

static void a_take_over_of_which_nobody_knows_is_settled_by_the_mirror(void **unused)
{
	size_t culprit;

	(void)unused;
	use(LEAD_STORE);
	sync_it();
	assert_int_equal(carry_out(&fake.calls[0], &culprit, false), 0);
	fake.cb->lost(fake.arg, -ENOTCONN);
	answer(-EINPROGRESS, 0);
	pass(1000);
	assert_int_equal(fake.n, 0);
	assert_false(sat_acting());
	sync_it();
	assert_false(sat_acting());	/* ours, but since when */
	assert_int_equal(fake.n, 1);
	assert_int_equal(fake.calls[0].changes[0].what, SAT_CHECK);
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
	assert_int_equal(sat_epoch(), 1);
}

static void a_take_over_that_was_not_made_is_made_again(void **unused)
{
	(void)unused;
	use(LEAD_STORE);
	sync_it();
	fake.cb->lost(fake.arg, -ENOTCONN);
	answer(-EINPROGRESS, 0);
	sync_it();
	assert_int_equal(fake.calls[0].changes[0].what, SAT_CREATE);
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
}

static void a_beat_of_which_nobody_knows_changes_nothing(void **unused)
{
	(void)unused;
	rule(LEAD_STORE);
	pass(500);
	answer(-EINPROGRESS, 0);
	assert_true(sat_acting());
	pass(500);
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
}

static void a_store_that_takes_nothing_is_asked_again(void **unused)
{
	(void)unused;
	fake.refuse = -ENOTCONN;
	use(LEAD_STORE);
	sync_it();
	pass(2000);
	assert_int_equal(fake.n, 0);
	assert_false(sat_acting());
	fake.refuse = 0;
	pass(500);
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
}

/* ---- Giving it up ----------------------------------------------------------- */

static void one_that_is_not_elected_any_more_resigns(void **unused)
{
	(void)unused;
	rule(LEAD_MESOS);
	pass(500);	/* with a beat under way */
	sat_mesos_leads(&store, false);
	assert_int_equal(claim_until(), 0);
	assert_int_equal(fake.n, 2);
	assert_int_equal(serve(), 0);
	assert_int_equal(serve(), 0);
	assert_int_equal(fake.at[BEAT].len, 0);
	assert_false(sat_acting());
	pass(5000);
	assert_int_equal(fake.n, 0);
	sat_mesos_leads(&store, true);
	assert_int_equal(serve(), 0);
	assert_int_equal(sat_epoch(), 2);
}

static void a_take_over_under_way_is_given_up(void **unused)
{
	(void)unused;
	use(LEAD_MESOS);
	sync_it();
	sat_mesos_leads(&store, true);
	sat_mesos_leads(&store, false);
	assert_int_equal(serve(), 0);
	assert_false(sat_acting());
	assert_int_equal(claim_until(), 0);
	pass(1000);
	assert_int_equal(fake.n, 0);
	sat_mesos_leads(&store, true);
	assert_false(sat_acting());
	assert_int_equal(serve(), 0);
	assert_int_equal(sat_epoch(), 2);
}

static void a_store_that_goes_is_resigned_in(void **unused)
{
	(void)unused;
	rule(LEAD_STORE);
	lead_mode(LEAD_STORE, NULL);
	assert_null(fake.cb);
	assert_false(sat_acting());
	assert_false(claim_used());
	assert_null(claim_holder());
	assert_int_equal(serve(), 0);
	assert_int_equal(fake.at[BEAT].len, 0);
}

/* Its timer is still closing. */
static void a_store_that_is_back_within_a_turn_is_beaten_for(void **unused)
{
	(void)unused;
	rule(LEAD_STORE);
	lead_mode(LEAD_STORE, NULL);
	assert_int_equal(serve(), 0);
	lead_mode(LEAD_STORE, &store);
	sync_it();
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
	for (int i = 0; i < 10; i++) {
		pass(500);
		if (fake.n > 0)
			assert_int_equal(serve(), 0);
	}
	assert_true(sat_acting());
}

static void another_store_is_another_claim(void **unused)
{
	(void)unused;
	rule(LEAD_STORE);
	pass(500);	/* its answer is not for the next */
	lead_mode(LEAD_STORE, &another);
	assert_false(sat_acting());
	assert_true(claim_lies_in(&another));
	assert_int_equal(fake.mirrors, 2);
	assert_int_equal(serve(), 0);
	assert_int_equal(serve(), 0);
	assert_false(sat_acting());
	sync_it();
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
}

/* ---- What others write ------------------------------------------------------ */

static void what_cannot_be_read_is_somebodys(void **unused)
{
	static char large[4100];
	const char *const values[] = { "", "epoch", "{", "{\"epoch\":1}{", "[1]", large, "{\"epoch\":-1}",
				       "{\"epoch\":\"9\"}", "{\"epoch\":99999999999999999999999}" };

	(void)unused;
	memset(large, ' ', sizeof(large) - 1);
	rule(LEAD_STORE);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		uint64_t before = claim_epoch();

		assert_true(sat_acting());
		other(EPOCH, values[i]);
		assert_false(sat_acting());
		assert_string_equal(claim_holder(), "");
		other(BEAT, "z");
		pass(3500);
		while (fake.n > 0)
			serve();
		assert_true(sat_acting());
		assert_true(sat_epoch() > 0 && claim_epoch() > 0);
		assert_true(claim_epoch() > before);
	}
}

static void a_host_of_any_name_can_claim(void **unused)
{
	static char odd[] = "a\"b\\c\n\x01", longest[1024];

	(void)unused;
	self_process.host = odd;
	rule(LEAD_STORE);
	assert_string_equal(claim_holder(), odd);
	lead_mode(LEAD_STORE, NULL);
	serve();
	pass(250);
	memset(longest, '"', sizeof(longest) - 1);
	self_process.host = longest;
	rule(LEAD_STORE);
	assert_int_equal(strlen(claim_holder()), 255);
}

/* ---- Without memory ------------------------------------------------------------ */

static bool live(int nth)
{
	bool fired;

	fault_arm(nth);
	lead_mode(LEAD_STORE, &store);
	assert_true(claim_used());	/* else it would act as one that shares nothing */
	assert_true(claim_lies_in(&store));
	for (int i = 0; i < 40 && !sat_acting(); i++) {
		if (fake.cb != NULL && i % 4 == 0)
			sync_it();
		while (fake.n > 0)
			serve();
		pass(500);
	}
	assert_true(sat_acting());
	for (int i = 0; i < 6; i++) {
		pass(500);
		while (fake.n > 0)
			serve();
		assert_true(sat_acting());
	}
	lead_mode(LEAD_STORE, NULL);
	while (fake.n > 0)
		serve();
	pass(250);
	fired = fault_fired();
	fault_arm(0);
	return fired;
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0;

	(void)unused;
	while (live(++nth))
		memset(&fake, 0, sizeof(fake));
	assert_true(nth > 10);
}

static void a_mirror_that_is_refused_is_asked_for_again(void **unused)
{
	(void)unused;
	fake.refuse_mirror = -ENOTCONN;
	lead_mode(LEAD_MESOS, &store);
	sat_mesos_leads(&store, true);
	assert_false(sat_acting());
	pass(1000);
	assert_false(sat_acting());
	fake.refuse_mirror = 0;
	pass(500);
	assert_int_equal(fake.mirrors, 1);
	sat_mesos_leads(&store, true);
	sync_it();
	assert_int_equal(serve(), 0);
	assert_true(sat_acting());
}

/* ---- What people are told ------------------------------------------------- */

static void told(enum lead_seen want, const char *words)
{
	char text[512];

	assert_int_equal(lead_seen(text, sizeof(text)), want);
	assert_string_equal(text, words);
}

static void who_acts_is_said(void **unused)
{
	(void)unused;
	use(LEAD_MESOS);
	told(LEAD_ANOTHER, "nobody acts yet");
	set(EPOCH, others, sizeof(others) - 1);
	set(BEAT, "x", 1);
	sync_it();
	sat_mesos_leads(&store, false);
	told(LEAD_ANOTHER, "there acts (epoch 41)");
	pass(5000);
	told(LEAD_NOBODY, "nobody acts: there did last, and was not heard of for 5 s; nothing is heard of the local "
	     "Mesos master: one has to lead, and a satellite to run beside it");
	sat_mesos_leads(&store, false);
	told(LEAD_NOBODY, "nobody acts: there did last, and was not heard of for 5 s; "
	     "a Mesos master has to lead, and a satellite to run beside it");
	fake.cb->lost(fake.arg, -ENOTCONN);
	told(LEAD_NOBODY, "nobody acts: the store that masters share is out of reach");
	sync_it();
	sat_mesos_leads(&store, true);
	assert_int_equal(serve(), 0);
	told(LEAD_SELF, "acts (epoch 42)");
}

static void who_gave_up_does_not_act(void **unused)
{
	(void)unused;
	use(LEAD_MESOS);
	set(EPOCH, others, sizeof(others) - 1);
	set(BEAT, "", 0);
	sync_it();
	sat_mesos_leads(&store, false);
	told(LEAD_ANOTHER, "nobody acts right now: there did last");
	pass(6000);
	sat_mesos_leads(&store, false);
	told(LEAD_NOBODY, "nobody acts: there did last, and gave it up 6 s ago; "
	     "a Mesos master has to lead, and a satellite to run beside it");
	/* Nor do we, once we are told so. */
	sat_mesos_leads(&store, true);
	assert_int_equal(serve(), 0);
	told(LEAD_SELF, "acts (epoch 42)");
	pass(2500);
	sat_mesos_leads(&store, false);
	told(LEAD_ANOTHER, "nobody acts right now: here did last");
}

static void what_the_store_does_not_take_is_said(void **unused)
{
	(void)unused;
	use(LEAD_MESOS);
	set(EPOCH, others, sizeof(others) - 1);
	set(BEAT, "x", 1);
	sync_it();
	pass(5000);
	sat_mesos_leads(&store, true);
	told(LEAD_NOBODY, "nobody acts: there did last, and was not heard of for 5 s; "
	     "the store does not take what this one writes");
}

static void a_nameless_holder_is_somebody(void **unused)
{
	(void)unused;
	set(EPOCH, "?", 1);
	set(BEAT, "x", 1);
	use(LEAD_MESOS);
	sync_it();
	told(LEAD_ANOTHER, "somebody acts (epoch 0)");
}

static void without_a_store_mesos_is_said(void **unused)
{
	(void)unused;
	lead_mode(LEAD_MESOS, NULL);
	told(LEAD_NOBODY, "does not act: nothing was heard of the local Mesos master");
	sat_mesos_leads(&store, false);
	told(LEAD_ANOTHER, "does not act: the local Mesos master does not lead");
	sat_mesos_leads(&store, true);
	told(LEAD_SELF, "acts: the local Mesos master leads");
	lead_mode(LEAD_ALWAYS, NULL);
	told(LEAD_SELF, "");
}

/* Mesos names another, who is dead: what he would have sent goes out from all others, after a while. */
static void alerts_of_the_dead_are_sent(void **unused)
{
	(void)unused;
	set(EPOCH, others, sizeof(others) - 1);
	set(BEAT, "x", 1);
	use(LEAD_MESOS);
	sync_it();
	for (int i = 0; i < 29; i++) {
		sat_mesos_leads(&store, false);
		assert_int_equal(lead_alerts(), LEAD_KEEP);
		pass(1000);
	}
	pass(1000);
	sat_mesos_leads(&store, false);
	assert_int_equal(lead_alerts(), LEAD_SEND);
	fake.cb->lost(fake.arg, -ENOTCONN);	/* now he may be there, and send himself */
	assert_int_equal(lead_alerts(), LEAD_KEEP);
	sync_it();
	assert_int_equal(lead_alerts(), LEAD_KEEP);
	other(BEAT, "y");
	assert_int_equal(lead_alerts(), LEAD_KEEP);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_store_is_free),
		TEST(who_beats_is_left_alone),
		TEST(an_epoch_without_a_beat_falls_silent_too),
		TEST(a_beat_without_an_epoch_is_free),
		TEST(whom_mesos_elects_does_not_wait),
		TEST(whom_mesos_elects_again_does_not_wait),
		TEST(a_race_is_lost),
		TEST(another_epoch_deposes),
		TEST(a_beat_that_is_refused_ends_it),
		TEST(an_epoch_that_is_deleted_ends_it),
		TEST(a_lease_runs_out_while_the_store_is_away),
		TEST(an_answer_that_comes_late_is_worth_less),
		TEST(the_process_slept),
		TEST(a_take_over_of_which_nobody_knows_is_settled_by_the_mirror),
		TEST(a_take_over_that_was_not_made_is_made_again),
		TEST(a_beat_of_which_nobody_knows_changes_nothing),
		TEST(a_store_that_takes_nothing_is_asked_again),
		TEST(one_that_is_not_elected_any_more_resigns),
		TEST(a_take_over_under_way_is_given_up),
		TEST(a_store_that_goes_is_resigned_in),
		TEST(a_store_that_is_back_within_a_turn_is_beaten_for),
		TEST(another_store_is_another_claim),
		TEST(what_cannot_be_read_is_somebodys),
		TEST(a_host_of_any_name_can_claim),
		TEST(every_failure_is_survived),
		TEST(a_mirror_that_is_refused_is_asked_for_again),
		TEST(who_acts_is_said),
		TEST(who_gave_up_does_not_act),
		TEST(what_the_store_does_not_take_is_said),
		TEST(a_nameless_holder_is_somebody),
		TEST(without_a_store_mesos_is_said),
		TEST(alerts_of_the_dead_are_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
