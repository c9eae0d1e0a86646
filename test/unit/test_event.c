/* SPDX-License-Identifier: Apache-2.0 */
/* test_event - loans and lasting copies, fields, sameness, age. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "account.h"
#include "clock.h"
#include "event.h"
#include "hash.h"
#include "unit/fault.h"

#define S SAT_SECOND

static struct arena arena;

static int begin(void **unused)
{
	(void)unused;
	clock_virtual(1000 * S);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	fault_arm(0);
	events_settle();
	arena_free(&arena);
	clock_live();
	account_limit(INT64_MAX);
	assert_int_equal(self_get(SELF_MEMORY_EVENTS), 0);
	return 0;
}

static const char *const tags[] = { "x", "y" };
static const struct sat_attr attrs[] = { { "a", "1" }, { "b", "2" } };

static struct sat_event sample(void)
{
	return (struct sat_event){ .size = sizeof(struct sat_event), .host = "h", .service = "s", .state = "ok",
		.description = "d", .time = 1000 * S, .ttl = 5, .metric.d = 2.5, .tags = tags, .attrs = attrs,
		.n_tags = 2, .n_attrs = 2,
		.has = SAT_HAS_TIME | SAT_HAS_TTL | SAT_HAS_DOUBLE | SAT_HAS_TAGS };
}

static void same_as_sample(const struct sat_event *ev)
{
	assert_string_equal(ev->host, "h");
	assert_string_equal(ev->description, "d");
	assert_string_equal(ev->tags[1], "y");
	assert_string_equal(sat_attr(ev, "b"), "2");
	assert_null(sat_attr(ev, "c"));
	assert_true(sat_tagged(ev, "x"));
	assert_true(sat_metric(ev) == 2.5);
}

static void a_loan_is_copied_once_and_the_copy_lasts(void **unused)
{
	struct sat_event from = sample();
	struct event *loan = event_loan(&arena, &from);
	const struct sat_event *one, *two;

	(void)unused;
	one = sat_keep(&loan->pub);
	two = sat_keep(&loan->pub);
	assert_ptr_equal(one, two);
	assert_ptr_not_equal(one, &loan->pub);
	assert_ptr_equal(sat_keep(one), one);
	sat_drop(one);
	events_settle();
	memset(loan, 0xff, sizeof(*loan));
	same_as_sample(one);
	sat_drop(one);
	sat_drop(two);
	sat_drop(NULL);
}

static void the_next_is_kept_in_the_memory_of_the_old_one(void **unused)
{
	struct sat_event from = sample();
	struct event *first = event_loan(&arena, &from), *next = event_loan(&arena, &from);
	const struct sat_event *kept = sat_keep_over(NULL, &first->pub), *other;

	(void)unused;
	events_settle();
	next->pub.host = "g";
	assert_ptr_equal(sat_keep_over(kept, &next->pub), kept);
	other = sat_keep(&next->pub);
	assert_ptr_equal(other, kept);
	events_settle();
	assert_string_equal(kept->host, "g");
	/* Who else holds the old one goes on seeing it. */
	kept = sat_keep_over(kept, &first->pub);
	assert_ptr_not_equal(kept, other);
	assert_string_equal(other->host, "g");
	same_as_sample(kept);
	sat_drop(other);
	/* What was copied already in this push is shared. */
	other = sat_keep_over(NULL, &first->pub);
	assert_ptr_equal(other, kept);
	events_settle();
	sat_drop(other);
	fault_arm(1);
	next->pub.description = "longer than the old one has room for";
	assert_null(sat_keep_over(kept, &next->pub));
	same_as_sample(kept);
	sat_drop(kept);
}

/* As a message's event is made. */
static void of_message(struct event *ev, const char *host, const char *service, const char *state)
{
	ev->pub.host = host;
	ev->pub.service = service;
	ev->pub.state = state;
	ev->pub.description = NULL;
	ev->pub.n_tags = ev->pub.n_attrs = 0;
	ev->host_len = host != NULL ? (uint32_t)strlen(host) : 0;
	ev->service_len = service != NULL ? (uint32_t)strlen(service) : 0;
	ev->state_len = state != NULL ? (uint32_t)strlen(state) : 0;
	ev->hash = hash_pair(host, service);
}

static void names_are_the_same_whoever_has_measured_them(void **unused)
{
	static const char *const texts[] = { NULL, "", "a", "ab", "abcdefghij", "abcdefghik" };
	enum { N = sizeof(texts) / sizeof(texts[0]) };
	struct sat_event from = sample();
	struct event *loan = event_loan(&arena, &from), *edit = event_loan(&arena, &from);

	(void)unused;
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < N * N; j++) {
			bool same = j / N == i && j % N == i;
			const struct sat_event *kept;

			of_message(loan, texts[i], texts[i], "ok");
			kept = sat_keep(&loan->pub);
			events_settle();
			of_message(loan, texts[j / N], texts[j % N], "bad");
			edit->pub.host = texts[j / N];
			edit->pub.service = texts[j % N];
			assert_int_equal(sat_same_names(kept, &loan->pub), same);
			assert_int_equal(sat_same_names(kept, &edit->pub), same);
			assert_int_equal(sat_names_hash(&edit->pub), sat_names_hash(&loan->pub));
			if (texts[i] != NULL && texts[j % N] != NULL) {
				size_t len = strlen(texts[i]);

				assert_int_equal(sat_text_is(&loan->pub, texts[j % N], texts[i], len), j % N == i);
				assert_int_equal(sat_text_is(&edit->pub, texts[j % N], texts[i], len), j % N == i);
			}
			kept = sat_keep_over(kept, &loan->pub);
			assert_true(sat_same_names(kept, &edit->pub));
			assert_string_equal(kept->state, "bad");
			events_settle();
			sat_drop(kept);
		}
}

static void an_older_modules_event_is_widened(void **unused)
{
	static unsigned char bytes[sizeof(struct sat_event)];
	struct sat_event from = sample(), *small = (struct sat_event *)bytes;
	struct event *loan, *copy;

	(void)unused;
	memset(bytes, 0xff, sizeof(bytes));	/* what lies behind is not its own */
	memcpy(small, &from, offsetof(struct sat_event, tags));
	small->size = offsetof(struct sat_event, tags);
	loan = event_loan(&arena, small);
	copy = event_copy(small);
	assert_string_equal(loan->pub.host, "h");
	assert_int_equal(loan->pub.n_tags, 0);
	assert_int_equal(copy->pub.size, sizeof(struct sat_event));
	assert_int_equal(copy->pub.n_attrs, 0);
	sat_drop(&copy->pub);
}

static void a_refill_takes_the_same_memory_where_it_may(void **unused)
{
	struct sat_event from = sample();
	struct event *ev = event_copy(&from), *edit;

	(void)unused;
	from.host = "g";
	assert_true(event_refill(ev, &from));
	assert_string_equal(ev->pub.host, "g");
	from.description = "much longer than it was before, so that there is no room";
	assert_false(event_refill(ev, &from));
	/* Its own strings, in another order, would overwrite one another. */
	edit = event_loan(&arena, &ev->pub);
	edit->pub.host = ev->pub.service;
	edit->pub.service = ev->pub.host;
	assert_false(event_refill(ev, &edit->pub));
	sat_keep(&ev->pub);
	from.description = "d";
	assert_false(event_refill(ev, &from));
	sat_drop(&ev->pub);
	sat_drop(&ev->pub);
}

/* Nothing, or one text, is another one; numbers are new each time. */
static void what_is_the_same_is_not_laid_anew(void **unused)
{
	static const char *const other_tags[] = { "x", "z" };
	static const struct sat_attr other_key[] = { { "a", "1" }, { "c", "2" } };
	static const struct sat_attr other_value[] = { { "a", "1" }, { "b", "3" } };

	(void)unused;
	for (int change = 0; change < 16; change++) {
		struct sat_event from = sample(), now = sample();
		struct event *ev = event_copy(&from), *loan;
		const char *state = ev->pub.state;
		bool renew = change >= 8;

		now.state = change % 8 == 1 ? "no" : now.state;
		now.description = change % 8 == 2 ? "e" : change % 8 == 3 ? NULL : now.description;
		now.tags = change % 8 == 4 ? other_tags : now.tags;
		now.attrs = change % 8 == 5 ? other_key : change % 8 == 6 ? other_value : now.attrs;
		now.host = change == 7 ? "g" : now.host;	/* a renewed one has the same names */
		now.n_tags -= change == 15;
		now.has = SAT_HAS_INT;
		now.metric.i = change;
		loan = event_loan(&arena, &now);
		loan->state_len = 2;
		loan->description_len = now.description != NULL ? 1 : 0;
		assert_true(renew ? event_renew(ev, loan) : event_refill(ev, &now));
		assert_int_equal(ev->pub.has, SAT_HAS_INT);
		assert_int_equal(ev->pub.metric.i, change);
		assert_string_equal(ev->pub.host, now.host);
		assert_string_equal(ev->pub.state, now.state);
		assert_true((ev->pub.description == NULL) == (now.description == NULL));
		assert_int_equal(ev->pub.n_tags, now.n_tags);
		assert_string_equal(ev->pub.tags[now.n_tags - 1], now.tags[now.n_tags - 1]);
		assert_string_equal(ev->pub.attrs[1].key, now.attrs[1].key);
		assert_string_equal(ev->pub.attrs[1].value, now.attrs[1].value);
		if (change % 8 == 0)
			assert_ptr_equal(ev->pub.state, state);
		sat_drop(&ev->pub);
	}
}

static void fields_are_found_by_name(void **unused)
{
	static const struct { const char *name; enum sat_kind kind; } all[] = {
		{ "host", SAT_TEXT }, { "service", SAT_TEXT }, { "state", SAT_TEXT }, { "description", SAT_TEXT },
		{ "metric", SAT_DOUBLE }, { "metric_f", SAT_DOUBLE }, { "tags", SAT_TEXTS }, { "time", SAT_INT },
		{ "ttl", SAT_DOUBLE }, { "a", SAT_TEXT }, { "none", SAT_NIL }, { "", SAT_NIL },
	};
	struct sat_event ev = sample(), nil = { .size = sizeof(nil) };

	(void)unused;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct sat_field f = sat_field(all[i].name);
		struct sat_value v = sat_get(&ev, &f), again = sat_get(&ev, &f), none = sat_get(&nil, &f);

		assert_int_equal(v.kind, all[i].kind);
		assert_true(sat_same(&v, &again));
		assert_int_equal(none.kind, SAT_NIL);
		assert_true(sat_same(&v, &none) == (v.kind == SAT_NIL));
	}
}

static void an_int_is_no_double_and_nan_nothing(void **unused)
{
	struct sat_value i = { .kind = SAT_INT, .i = 1 }, d = { .kind = SAT_DOUBLE, .d = 1 },
			 n = { .kind = SAT_DOUBLE, .d = NAN };

	(void)unused;
	assert_false(sat_same(&i, &d));
	assert_false(sat_same(&n, &n));
}

static void age_is_past_the_ttl_strictly(void **unused)
{
	struct sat_event ev = sample();

	(void)unused;
	ev.time = 995 * S;
	assert_false(sat_expired(&ev));
	assert_int_equal(sat_expires(&ev), 1000 * S);
	ev.time--;
	assert_true(sat_expired(&ev));
	ev.has &= ~(uint32_t)SAT_HAS_TTL;
	ev.time = 940 * S;
	assert_false(sat_expired(&ev));
	assert_int_equal(sat_expires(&ev), 1000 * S);
	ev.has &= ~(uint32_t)SAT_HAS_TIME;
	assert_false(sat_expired(&ev));
	assert_int_equal(sat_expires(&ev), INT64_MAX);
	ev.state = "expired";
	assert_true(sat_expired(&ev));
}

static void times_and_ttls_of_any_kind_are_borne(void **unused)
{
	static const int64_t times[] = { INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX };
	static const double ttls[] = { NAN, INFINITY, -INFINITY, 1e300, -1e300, DBL_MIN, 0, -1 };

	(void)unused;
	for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++)
		for (size_t k = 0; k < sizeof(ttls) / sizeof(ttls[0]); k++) {
			struct sat_event ev = sample();

			ev.time = times[t];
			ev.ttl = ttls[k];
			if (!isnan(ttls[k]))
				assert_int_equal(sat_expired(&ev), clock_steady() > sat_expires(&ev));
			else
				assert_false(sat_expired(&ev));
		}
}

static void no_memory_is_null(void **unused)
{
	struct sat_event from = sample();
	struct event *loan = event_loan(&arena, &from);

	(void)unused;
	fault_arm(1);
	assert_null(sat_keep(&loan->pub));
	fault_arm(1);
	assert_null(event_copy(&from));
	fault_arm(0);
	sat_drop(sat_keep(&loan->pub));
}

static void a_full_share_keeps_nothing_more(void **unused)
{
	const struct sat_event from = sample();
	const struct sat_event *kept[100] = { 0 }, *again;
	int64_t refused = self_get(SELF_MEMORY_REFUSED);
	struct event *loan = NULL;
	int n = 0;

	(void)unused;
	account_limit(8192);	/* half of it events' */
	do {
		loan = event_loan(&arena, &from);
		kept[n] = sat_keep(&loan->pub);
	} while (kept[n] != NULL && ++n < 100);
	assert_in_range(n, 10, 40);
	assert_in_range(self_get(SELF_MEMORY_EVENTS), 4097, 4096 + 400);
	assert_int_equal(self_get(SELF_MEMORY_REFUSED), refused + 1);
	/* What must not be lost is kept all the same. */
	again = event_keep(&event_loan(&arena, &from)->pub);
	assert_non_null(again);
	sat_drop(again);
	/* What is kept may be kept again, and be filled anew. */
	again = sat_keep(kept[0]);
	assert_ptr_equal(again, kept[0]);
	sat_drop(again);
	events_settle();
	assert_ptr_equal(sat_keep_over(kept[1], &loan->pub), kept[1]);
	events_settle();
	while (n > 0)
		sat_drop(kept[--n]);
	assert_int_equal(self_get(SELF_MEMORY_EVENTS), 0);
	again = sat_keep(&loan->pub);
	assert_non_null(again);
	sat_drop(again);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_loan_is_copied_once_and_the_copy_lasts),
		TEST(the_next_is_kept_in_the_memory_of_the_old_one),
		TEST(names_are_the_same_whoever_has_measured_them),
		TEST(an_older_modules_event_is_widened),
		TEST(a_refill_takes_the_same_memory_where_it_may),
		TEST(what_is_the_same_is_not_laid_anew),
		TEST(fields_are_found_by_name),
		TEST(an_int_is_no_double_and_nan_nothing),
		TEST(age_is_past_the_ttl_strictly),
		TEST(times_and_ttls_of_any_kind_are_borne),
		TEST(no_memory_is_null),
		TEST(a_full_share_keeps_nothing_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
