/* SPDX-License-Identifier: Apache-2.0 */
/* test_store - links to a store: what passes, what the fence stops, who hears answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <cmocka.h>

#include "http.h"
#include "lead.h"
#include "log.h"
#include "store.h"
#include "unit/fault.h"
#include "work.h"

/* A store that answers when it is told to. */
static struct fake {
	sat_committed *done;
	void *arg;
	size_t n;
	const char *key;
	const struct sat_mirror *cb;
	void *mirror_arg;
	int rc, unmirrored;
} fake;

static int fake_commit(void *state, const struct sat_change *changes, size_t n, sat_committed *done, void *arg)
{
	struct fake *f = state;

	if (f->rc != 0)
		return f->rc;
	f->done = done;
	f->arg = arg;
	f->n = n;
	f->key = changes[0].key;
	return 0;
}

static int fake_mirror(void *state, const char *prefix, const struct sat_mirror *cb, void *arg)
{
	struct fake *f = state;

	(void)prefix;
	f->cb = cb;
	f->mirror_arg = arg;
	return f->rc;
}

static void fake_unmirror(void *state, void *arg)
{
	struct fake *f = state;

	assert_ptr_equal(arg, f->mirror_arg);
	f->unmirrored++;
}

static const struct sat_module module = {
	.abi = SAT_ABI, .size = sizeof(module), .name = "store-fake",
	.store = &(const struct sat_store){ .size = sizeof(struct sat_store), .name = "fake",
		.commit = fake_commit, .mirror = fake_mirror, .unmirror = fake_unmirror },
};

static uv_loop_t loop;
static char user_name[] = "user", store_name[] = "store-fake";
static struct sat_self user, store;
static struct sat_link *the_link;
static struct { int times, rc; size_t culprit; int64_t versions[3]; } answer;

static void committed(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	size_t n = *(const size_t *)arg;

	answer.times++;
	answer.rc = rc;
	answer.culprit = culprit;
	for (size_t i = 0; rc == 0 && i < n; i++)
		answer.versions[i] = versions[i];
}

static int begin(void **unused)
{
	(void)unused;
	memset(&fake, 0, sizeof(fake));
	memset(&answer, 0, sizeof(answer));
	user = (struct sat_self){ .name = user_name };
	store = (struct sat_self){ .name = store_name, .module = &module, .state = &fake };
	log_open("/dev/null", LOG_ERR);
	uv_loop_init(&loop);
	self_process.loop = &loop;
	assert_int_equal(work_init(&loop), 0);
	assert_int_equal(lead_init(LEAD_ALWAYS), 0);
	the_link = store_link(&user, &store);
	assert_ptr_equal(store_of(the_link), &store);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	store_drop(the_link);
	the_link = NULL;
	lead_end();
	work_end();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	log_close();
	return 0;
}

static const struct sat_change two[] = {
	{ .what = SAT_PUT, .key = "whitelist/a", .value = "x", .len = 1, .version = 3 },
	{ .what = SAT_CREATE, .key = "whitelist/b", .value = "y", .len = 1 },
};

static void turn_until_answered(void)
{
	for (int i = 0; i < 1000 && answer.times == 0; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(answer.times, 1);
}

static void a_commit_passes_through(void **unused)
{
	const int64_t versions[] = { 4, 0 };
	size_t n = 2;

	(void)unused;
	assert_int_equal(sat_store_commit(the_link, two, 2, committed, &n), 0);
	assert_int_equal(fake.n, 2);
	assert_string_equal(fake.key, "whitelist/a");
	assert_int_equal(answer.times, 0);
	fake.done(fake.arg, 0, 0, versions);
	assert_int_equal(answer.times, 1);
	assert_int_equal(answer.versions[0], 4);
}

static void what_is_malformed_never_gets_there(void **unused)
{
	static const char *const keys[] = { "", "/a", "a/", "a//b" };
	struct sat_change bad = { .what = SAT_PUT };
	size_t n = 1;

	(void)unused;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		bad.key = keys[i];
		assert_int_equal(sat_store_commit(the_link, &bad, 1, committed, &n), -EINVAL);
	}
	assert_int_equal(sat_store_commit(the_link, two, 0, committed, &n), -EINVAL);
	assert_int_equal(sat_store_commit(the_link, two, 100000, committed, &n), -E2BIG);
	assert_null(fake.done);
}

static void the_fence_lets_the_leader_pass(void **unused)
{
	const int64_t versions[] = { 7, 8 };
	struct sat_change changes[3];
	size_t n = 3;

	(void)unused;
	assert_true(sat_fence(the_link, &changes[0]));
	memcpy(changes + 1, two, sizeof(two));
	assert_int_equal(sat_store_commit(the_link, changes, 3, committed, &n), 0);
	assert_int_equal(fake.n, 2);
	fake.done(fake.arg, 0, 0, versions);
	assert_int_equal(answer.rc, 0);
	assert_int_equal(answer.versions[1], 7);
	assert_int_equal(answer.versions[2], 8);
	/* A culprit is counted as the user does. */
	memset(&answer, 0, sizeof(answer));
	assert_int_equal(sat_store_commit(the_link, changes, 3, committed, &n), 0);
	fake.done(fake.arg, -ESTALE, 1, NULL);
	assert_int_equal(answer.rc, -ESTALE);
	assert_int_equal(answer.culprit, 2);
}

static void the_fence_stops_a_deposed_leader(void **unused)
{
	struct sat_change changes[3], again;
	size_t n = 3;

	(void)unused;
	assert_true(sat_fence(the_link, &changes[0]));
	memcpy(changes + 1, two, sizeof(two));
	lead_mode(LEAD_MESOS, NULL);
	assert_false(sat_fence(the_link, &again));
	assert_int_equal(sat_store_commit(the_link, changes, 3, committed, &n), 0);
	assert_null(fake.done);
	assert_int_equal(answer.times, 0);
	turn_until_answered();
	assert_int_equal(answer.rc, -ESTALE);
	assert_int_equal(answer.culprit, 0);
	/* It leads again, under another epoch: the old fence still stops. */
	memset(&answer, 0, sizeof(answer));
	lead_mode(LEAD_ALWAYS, NULL);
	assert_int_equal(sat_store_commit(the_link, changes, 3, committed, &n), 0);
	turn_until_answered();
	assert_int_equal(answer.rc, -ESTALE);
}

static void who_has_gone_hears_nothing(void **unused)
{
	size_t n = 2;

	(void)unused;
	assert_int_equal(sat_store_commit(the_link, two, 2, committed, &n), 0);
	store_drop(the_link);
	the_link = NULL;
	fake.done(fake.arg, -ENOTCONN, 0, NULL);
	assert_int_equal(answer.times, 0);
}

static int puts_heard;
static void put(void *arg, const char *key, const void *value, size_t len, int64_t version)
{
	(void)arg, (void)key, (void)value, (void)len, (void)version;
	puts_heard++;
}
static void gone(void *arg, const char *key) { (void)arg, (void)key; }
static void synced(void *arg) { (void)arg; }

static void a_mirror_ends_with_its_link(void **unused)
{
	const struct sat_mirror cb = { .size = sizeof(cb), .put = put, .gone = gone, .synced = synced };
	const struct sat_mirror none = { .size = sizeof(none) };

	(void)unused;
	assert_int_equal(sat_store_mirror(the_link, "whitelist", &none, NULL), -EINVAL);
	assert_int_equal(sat_store_mirror(the_link, "whitelist", &cb, &fake), 0);
	fake.cb->put(fake.mirror_arg, "whitelist/a", "x", 1, 0);
	fake.cb->lost(fake.mirror_arg, -ENOTCONN);	/* of which this user does not want to hear */
	assert_int_equal(puts_heard, 1);
	store_drop(the_link);
	the_link = NULL;
	assert_int_equal(fake.unmirrored, 1);
}

static void failures_of_the_store_leave_nothing_behind(void **unused)
{
	const struct sat_mirror cb = { .size = sizeof(cb), .put = put, .gone = gone, .synced = synced };
	size_t n = 2;

	(void)unused;
	fake.rc = -ENOTCONN;
	assert_int_equal(sat_store_commit(the_link, two, 2, committed, &n), -ENOTCONN);
	assert_int_equal(sat_store_mirror(the_link, "whitelist", &cb, NULL), -ENOTCONN);
	fake.rc = 0;
	fault_arm(1);
	assert_int_equal(sat_store_commit(the_link, two, 2, committed, &n), -ENOMEM);
	fault_arm(1);
	assert_int_equal(sat_store_mirror(the_link, "whitelist", &cb, NULL), -ENOMEM);
	fault_arm(1);
	assert_null(store_link(&user, &store));
	fault_arm(0);
	assert_int_equal(fake.unmirrored, 0);
}

static void note_reason(void *arg, const char *part, const char *reason)
{
	assert_string_equal(part, store_name);
	snprintf(arg, 64, "%s", reason);
}

static void a_store_out_of_touch_is_not_ready(void **unused)
{
	const struct sat_mirror cb = { .size = sizeof(cb), .put = put, .gone = gone, .synced = synced };
	char why[64] = "";

	(void)unused;
	assert_int_equal(sat_store_mirror(the_link, "whitelist/", &cb, &fake), 0);
	assert_int_equal(http_each_unready(note_reason, why), 1);
	assert_string_equal(why, "not read yet");
	fake.cb->synced(fake.mirror_arg);
	assert_int_equal(http_each_unready(NULL, NULL), 0);
	fake.cb->lost(fake.mirror_arg, -ENOSPC);
	assert_int_equal(http_each_unready(note_reason, why), 1);
	assert_string_equal(why, "out of touch: No space left on device");
	sat_store_unmirror(the_link, &fake);
	assert_int_equal(http_each_unready(NULL, NULL), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_commit_passes_through),
		TEST(what_is_malformed_never_gets_there),
		TEST(the_fence_lets_the_leader_pass),
		TEST(the_fence_stops_a_deposed_leader),
		TEST(who_has_gone_hears_nothing),
		TEST(a_mirror_ends_with_its_link),
		TEST(a_store_out_of_touch_is_not_ready),
		TEST(failures_of_the_store_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
