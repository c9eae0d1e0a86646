/* SPDX-License-Identifier: Apache-2.0 */
/* test_index - one entry a host and service, found by either, expired in time, whatever comes in. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "account.h"
#include "clock.h"
#include "hash.h"
#include "index.h"
#include "query.h"
#include "unit/fault.h"

#define S SAT_SECOND

static struct index_conf conf = { .ttl = 60, .reap = 10 * S, .max = 5000 };
static struct arena arena;
static char seen[4096];
static int expired_n;

static int begin(void **unused)
{
	(void)unused;
	clock_virtual(1000 * S);
	index_init(&conf);
	seen[0] = '\0';
	expired_n = 0;
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	fault_arm(0);
	index_free();
	events_settle();
	arena_free(&arena);
	clock_live();
	account_limit(INT64_MAX);
	assert_int_equal(self_get(SELF_MEMORY_EVENTS), 0);
	return 0;
}

static int put(const char *host, const char *service, const char *state, double ttl)
{
	const struct sat_event ev = { .size = sizeof(ev), .host = host, .service = service, .state = state,
				      .time = clock_wall(), .ttl = ttl,
				      .has = SAT_HAS_TIME | (ttl != 0 ? SAT_HAS_TTL : 0) };

	return index_put(&ev);
}

static void expired(void *arg, struct event *ev, const struct sat_event *was)
{
	(void)arg;
	(void)was;
	expired_n++;
	if (strlen(seen) < sizeof(seen) - 100)
		sprintf(seen + strlen(seen), "%s/%s/%s/%u ", ev->pub.host != NULL ? ev->pub.host : "-",
			ev->pub.service != NULL ? ev->pub.service : "-", ev->pub.state, ev->pub.n_attrs);
	assert_int_equal(ev->pub.time, clock_wall());
}

static bool reap(double seconds, uint32_t most)
{
	bool more;

	clock_set((int64_t)(seconds * 1e6));
	more = index_reap(clock_steady(), most, &arena, expired, NULL);
	arena_reset(&arena);
	return more;
}

static int found(void *arg, const struct sat_event *ev)
{
	(void)arg;
	sprintf(seen + strlen(seen), "%s/%s ", ev->host != NULL ? ev->host : "-", ev->service != NULL ? ev->service : "-");
	return 0;
}

static void search(const char *text, const char *wanted)
{
	char error[200];
	struct sat_query *q = sat_query_parse(text, error, sizeof(error));

	assert_non_null(q);
	seen[0] = '\0';
	assert_int_equal(index_search(q, found, NULL), 0);
	assert_string_equal(seen, wanted);
	seen[0] = '\0';
	sat_query_free(q);
}

static void the_latest_of_each_is_there(void **unused)
{
	(void)unused;
	assert_int_equal(put("a", "s", "ok", 0), 0);
	assert_int_equal(put("a", "s", "a longer state than before", 0), 0);
	assert_int_equal(put(NULL, "s", "ok", 0), 0);
	assert_int_equal(put("", "s", "ok", 0), 0);
	assert_int_equal(put("a", NULL, "ok", 0), 0);
	assert_int_equal(index_size(), 4);
	assert_string_equal(index_get("a", "s")->state, "a longer state than before");
	assert_null(index_get("a", "t"));
	search("true", "-/s /s a/- a/s ");
	search("host = \"a\"", "a/- a/s ");
	search("service = \"s\" and host = \"a\"", "a/s ");
	search("host = \"x\"", "");
	search("host = nil", "-/s ");
	assert_int_equal(put("a", "s", "expired", 0), 0);
	assert_int_equal(put("never", "s", "expired", 0), 0);
	assert_int_equal(index_delete("a", NULL), 0);
	assert_int_equal(index_delete("a", NULL), -ENOENT);
	search("true", "-/s /s ");
}

static void it_has_a_maximum_and_wants_a_time(void **unused)
{
	const struct sat_event timeless = { .size = sizeof(timeless), .host = "a", .service = "s" };
	char host[16];

	(void)unused;
	assert_int_equal(index_put(&timeless), -EINVAL);
	for (int i = 0; i < 5000; i++) {
		sprintf(host, "h%d", i);
		assert_int_equal(put(host, "s", "ok", 1 + i % 2000), 0);
	}
	assert_int_equal(put("one more", "s", "ok", 0), -ENOBUFS);
	assert_int_equal(put("h7", "s", "ok", 100), 0);
	assert_int_equal(index_size(), 5000);
}

static void each_expires_in_its_time(void **unused)
{
	char host[16];

	(void)unused;
	for (int i = 0; i < 3000; i++) {
		sprintf(host, "h%d", i);
		assert_int_equal(put(host, "s", "ok", i + 0.5), 0);
	}
	/* More seconds than the ring has buckets, in turns of any length. */
	for (double t = 1000; t < 4100; t += t < 2000 ? 1 : t < 3000 ? 7 : 10) {
		int due = (int)(t - 1000) + (t - 1000 - (int)(t - 1000) > .5);

		assert_false(reap(t, UINT32_MAX));
		assert_int_equal(expired_n, due > 3000 ? 3000 : due);
	}
	assert_int_equal(index_size(), 0);
}

/* The first turn goes round the whole ring, whatever bucket it begins in. */
static void the_first_turn_takes_each_once(void **unused)
{
	(void)unused;
	put("c", "s", "ok", 3);
	put("a", "s", "ok", 1.2);
	put("b", "s", "ok", 2.5);
	put("d", "s", "ok", 1023.5);
	put("e", "s", "ok", 1024.5);
	put("f", "s", "ok", 1025.5);
	assert_false(reap(1000 + 1026, UINT32_MAX));
	assert_string_equal(seen, "a/s/expired/0 b/s/expired/0 c/s/expired/0 d/s/expired/0 e/s/expired/0 f/s/expired/0 ");
	assert_int_equal(index_size(), 0);
}

static void an_update_puts_it_off_and_may_bring_it_forward(void **unused)
{
	(void)unused;
	put("a", "s", "ok", 10);
	put("b", "s", "ok", 1000);
	put("c", "s", "ok", 10);
	clock_set(1005 * S);
	put("a", "s", "ok", 10);
	put("b", "s", "ok", 1);
	reap(1006, UINT32_MAX);
	assert_string_equal(seen, "");
	reap(1010, UINT32_MAX);
	assert_string_equal(seen, "b/s/expired/0 ");
	reap(1011, UINT32_MAX);
	assert_string_equal(seen, "b/s/expired/0 c/s/expired/0 ");
	reap(1015, UINT32_MAX);
	assert_int_equal(expired_n, 2);
	reap(1015.000001, UINT32_MAX);
	assert_int_equal(expired_n, 3);
}

static void no_more_than_asked_for_at_once(void **unused)
{
	char host[16];
	int turns = 1;

	(void)unused;
	for (int i = 0; i < 100; i++) {
		sprintf(host, "h%d", i);
		put(host, "s", "ok", 1 + i % 5);
	}
	for (; reap(1100, 9); turns++)
		assert_int_equal(expired_n, 9 * turns);
	assert_int_equal(expired_n, 100);
	assert_int_equal(index_size(), 0);
}

static void what_an_expired_event_keeps(void **unused)
{
	static const struct sat_attr attrs[] = { { "rack", "1" }, { "zone", "2" } };
	static const char *const keys[] = { "host", "zone", NULL };
	struct index_conf c = conf;
	struct sat_event ev = { .size = sizeof(ev), .host = "a", .service = "s", .time = 1000 * S, .attrs = attrs,
				.n_attrs = 2, .has = SAT_HAS_TIME };

	(void)unused;
	index_put(&ev);
	reap(1061, UINT32_MAX);
	assert_string_equal(seen, "a/s/expired/0 ");
	c.keep = keys;
	index_init(&c);
	index_put(&ev);
	reap(1062, UINT32_MAX);
	assert_string_equal(seen, "a/s/expired/0 a/-/expired/1 ");
	c.keep_all = true;
	index_init(&c);
	index_put(&ev);
	reap(1063, UINT32_MAX);
	assert_string_equal(seen, "a/s/expired/0 a/-/expired/1 a/s/expired/2 ");
}

static void what_is_left_is_set_again(void **unused)
{
	(void)unused;
	put("a", "s", "ok", 10);
	clock_set(1004 * S);
	assert_int_equal(index_left(index_get("a", "s")), 6 * S);
	index_set_left(index_get("a", "s"), 100 * S);
	reap(1103, UINT32_MAX);
	assert_int_equal(expired_n, 0);
	index_set_left(index_get("a", "s"), INT64_MAX);
	assert_int_equal(index_left(index_get("a", "s")), INT64_MAX);
	index_set_left(index_get("a", "s"), -5 * S);
	reap(1103, UINT32_MAX);
	assert_int_equal(expired_n, 1);
}

/* The table nearly full, so that probes are long, end at its end and go on at its beginning. */
static void none_is_lost_among_many(void **unused)
{
	enum { KEYS = 890 };
	static bool there[KEYS];
	unsigned random = 1, n = 0;
	char host[16];

	(void)unused;
	for (int i = 0; i < 40000; i++) {
		unsigned k = (random = random * 1103515245 + 12345) / 65536 % KEYS;

		sprintf(host, "h%u", k);
		assert_int_equal(index_get(host, "s") != NULL, there[k]);
		if (random / 4096 % 8 == 0)
			assert_int_equal(index_delete(host, "s"), there[k] ? 0 : -ENOENT);
		else
			assert_int_equal(put(host, "s", "ok", 10), 0);
		n += (random / 4096 % 8 != 0) - there[k];
		there[k] = random / 4096 % 8 != 0;
		assert_int_equal(index_size(), n);
	}
	for (unsigned k = 0; k < KEYS; k++) {
		sprintf(host, "h%u", k);
		assert_int_equal(index_get(host, "s") != NULL, there[k]);
	}
}

/* A message's event: what the decoder knows of it. */
static struct event loan(const char *host, const char *state)
{
	return (struct event){ .pub = { .size = sizeof(struct sat_event), .host = host, .service = "s",
					.state = state, .time = clock_wall(), .has = SAT_HAS_TIME | SAT_HAS_INT },
			       .hash = hash_pair(host, "s"), .host_len = (uint32_t)strlen(host), .service_len = 1,
			       .state_len = (uint32_t)strlen(state) };
}

static void what_is_expected_may_come_otherwise(void **unused)
{
	struct event evs[] = { loan("a", "ok"), loan("b", "ok"), loan("c", "ok"), loan("a", "warning"),
			       loan("d", "ok"), loan("d", "expired"), loan("b", "ok") };
	const uint32_t n = sizeof(evs) / sizeof(evs[0]);
	const struct sat_event *kept;

	(void)unused;
	index_expect(evs, n);
	index_free();
	for (int round = 0; round < 2; round++) {
		put("a", "s", "bad", 0);
		put("c", "s", "expire", 0);
		index_expect(evs, n);
		/* Where c was, x is; b, which was not there, stands in two places. */
		index_delete("c", "s");
		put("x", "s", "ok", 0);
		kept = sat_keep(index_get("a", "s"));
		for (uint32_t i = 0; i < n; i++) {
			evs[i].pub.metric.i = i;
			assert_int_equal(index_put(&evs[i].pub), 0);
		}
		index_expect(NULL, 0);
		search("true", "a/s b/s c/s x/s ");
		assert_string_equal(kept->state, "bad");
		sat_drop(kept);
		assert_string_equal(index_get("a", "s")->state, "warning");
		assert_int_equal(index_get("a", "s")->metric.i, 3);
		assert_int_equal(index_get("b", "s")->metric.i, 6);
		assert_int_equal(index_get("c", "s")->metric.i, 2);
		index_delete("b", "s");
	}
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0, fired;

	(void)unused;
	do {
		size_t had;
		int rc = 0;

		fault_arm(++nth);
		for (int i = 0; i < 3; i++) {
			had = index_size();
			rc = put(i < 2 ? "a" : "b", i == 1 ? "t" : "s", i == 2 ? "a rather longer state" : "ok", 10);
			assert_int_equal(index_size(), had + (rc == 0));
		}
		index_search(NULL, found, NULL);
		fired = fault_fired();
		fault_arm(0);
		reap(1000 + nth * 100, UINT32_MAX);
		assert_int_equal(index_size(), 0);
		index_free();
		seen[0] = '\0';
	} while (fired);
	assert_true(nth > 8);
}

static void a_full_share_takes_no_new_name_in(void **unused)
{
	int64_t refused = self_get(SELF_MEMORY_REFUSED);
	char host[16];
	int n = 0;

	(void)unused;
	account_limit(1 << 20);
	do
		sprintf(host, "h%d", n);
	while (put(host, "s", "ok", 5) == 0 && ++n < 5000);
	assert_in_range(n, 500, 4999);
	assert_int_equal(self_get(SELF_MEMORY_REFUSED), refused + 1);
	assert_in_range(self_get(SELF_MEMORY_EVENTS), 7 << 16, (7 << 16) + 1000);
	assert_int_equal(put(host, "s", "ok", 5), -ENOBUFS);
	/* One that is known is put, though it is longer now. */
	assert_int_equal(put("h0", "s", "a longer state than it had before", 600), 0);
	assert_string_equal(index_get("h0", "s")->state, "a longer state than it had before");
	reap(1020, 10000);
	assert_int_equal(index_size(), 1);
	assert_int_equal(put(host, "s", "ok", 5), 0);
	assert_int_equal(put("h0", "s", "expired", 0), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(the_latest_of_each_is_there),
		TEST(it_has_a_maximum_and_wants_a_time),
		TEST(each_expires_in_its_time),
		TEST(the_first_turn_takes_each_once),
		TEST(an_update_puts_it_off_and_may_bring_it_forward),
		TEST(no_more_than_asked_for_at_once),
		TEST(what_an_expired_event_keeps),
		TEST(what_is_left_is_set_again),
		TEST(none_is_lost_among_many),
		TEST(what_is_expected_may_come_otherwise),
		TEST(a_full_share_takes_no_new_name_in),
		TEST(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
