/* SPDX-License-Identifier: Apache-2.0 */
/* test_state - the state file is whole or the old one; values come back, damaged ones are refused. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "event.h"
#include "state.h"
#include "unit/fault.h"

static char dir[] = "/tmp/satellite-state-XXXXXX";
static char path[64];
static char seen[256];

static void record(void *arg, uint32_t kind, const void *p, size_t n)
{
	(void)arg;
	sprintf(seen + strlen(seen), "%u:%.*s ", kind, (int)n, (const char *)p);
}

static unsigned read_back(int wanted)
{
	unsigned bad;

	seen[0] = '\0';
	assert_int_equal(state_read(path, record, NULL, &bad), wanted);
	return bad;
}

static void three_records(struct sat_buf *b)
{
	state_record(b, STATE_FORK, "one", 3);
	state_record(b, STATE_EVENT, "", 0);
	state_record(b, STATE_EVENT, "three", 5);
}

static void records_come_back(void **unused)
{
	struct sat_buf b = { 0 }, none = { 0 };

	(void)unused;
	read_back(-ENOENT);
	three_records(&b);
	assert_int_equal(state_put(path, &b), 0);
	assert_int_equal(read_back(0), 0);
	assert_string_equal(seen, "1:one 2: 2:three ");
	assert_int_equal(state_put(path, &none), 0);
	assert_int_equal(read_back(0), 0);
	assert_string_equal(seen, "");
	sat_buf_free(&b);
}

static void a_damaged_record_costs_itself_a_cut_file_its_end(void **unused)
{
	struct sat_buf b = { 0 };
	size_t whole;

	(void)unused;
	three_records(&b);
	whole = b.len;
	b.p[16 + 12] ^= 1;
	assert_int_equal(state_put(path, &b), 0);
	assert_int_equal(read_back(0), 1);
	assert_string_equal(seen, "2: 2:three ");
	b.p[16 + 12] ^= 1;
	for (b.len = whole - 1; b.len > 16; b.len--) {
		assert_int_equal(state_put(path, &b), 0);
		assert_int_equal(read_back(0), b.len != 16 + 15 && b.len != 16 + 15 + 12);
	}
	b.len = 7;
	assert_int_equal(state_put(path, &b), 0);
	read_back(-EBADMSG);
	sat_buf_free(&b);
}

static void what_cannot_be_written_leaves_the_old_file(void **unused)
{
	struct sat_buf b = { 0 };
	char nowhere[5000];

	(void)unused;
	three_records(&b);
	assert_int_equal(state_put(path, &b), 0);
	assert_int_equal(state_put("/no/such/folder/state", &b), -ENOENT);
	memset(nowhere, 'x', sizeof(nowhere) - 1);
	nowhere[sizeof(nowhere) - 1] = '\0';
	assert_int_equal(state_put(nowhere, &b), -ENAMETOOLONG);
	assert_int_equal(read_back(0), 0);
	fault_arm(1);
	read_back(-ENOMEM);
	fault_arm(0);
	sat_buf_free(&b);
}

static const char *const tags[] = { "x", "" };
static const struct sat_attr attrs[] = { { "k", "v" } };
static const struct sat_event event = { .size = sizeof(event), .host = "h", .service = "", .description = "d",
	.time = -5, .ttl = 0.25, .metric.i = INT64_MIN, .tags = tags, .n_tags = 2, .attrs = attrs, .n_attrs = 1,
	.has = SAT_HAS_TIME | SAT_HAS_TTL | SAT_HAS_INT | SAT_HAS_TAGS };

static void write_values(struct sat_writer *w)
{
	sat_write_int(w, INT64_MAX);
	sat_write_double(w, -0.0);
	sat_write_text(w, NULL);
	sat_write_text(w, "text");
	sat_write_event(w, &event);
}

/* 0: all of them came back, and are right. */
static int read_values(const void *p, size_t n)
{
	struct sat_reader in = { p, (const unsigned char *)p + n, 0 };
	const struct sat_event *ev = NULL;
	const char *none, *text;
	int64_t i;
	double d;
	int rc;

	sat_read_int(&in, &i);
	sat_read_double(&in, &d);
	sat_read_text(&in, &none);
	sat_read_text(&in, &text);
	rc = sat_read_event(&in, &ev);
	if (rc != 0) {
		assert_null(ev);
		return rc;
	}
	assert_true(i == INT64_MAX && d == 0 && none == NULL);
	assert_string_equal(text, "text");
	assert_string_equal(ev->service, "");
	assert_null(ev->state);
	assert_int_equal(ev->has, event.has);
	assert_int_equal(ev->metric.i, INT64_MIN);
	assert_true(ev->ttl == 0.25 && ev->time == -5);
	assert_string_equal(ev->tags[0], "x");
	assert_string_equal(sat_attr(ev, "k"), "v");
	sat_drop(ev);
	return 0;
}

static void values_come_back_or_are_refused(void **unused)
{
	struct sat_writer w = { .b = { 0 } };
	const char *text;
	struct sat_reader in;
	int nth = 0, fired;

	(void)unused;
	write_values(&w);
	assert_int_equal(read_values(w.b.p, w.b.len), 0);
	for (size_t n = 0; n < w.b.len; n++) {
		char *cut = malloc(n + 1);	/* so that the sanitizer sees a byte too far */

		memcpy(cut, w.b.p, n);
		assert_int_equal(read_values(cut, n), -EBADMSG);
		free(cut);
	}
	for (size_t n = 0; n < w.b.len; n++) {	/* any byte wrong: no crash */
		w.b.p[n] ^= 0x81;
		in = (struct sat_reader){ (unsigned char *)w.b.p, (unsigned char *)w.b.p + w.b.len, 0 };
		for (int i = 0; i < 4; i++) {
			const struct sat_event *ev = NULL;
			double d;
			int64_t v;

			if (i == 0)
				sat_read_int(&in, &v);
			if (i == 1)
				sat_read_double(&in, &d);
			if (i == 2 && sat_read_text(&in, &text) == 0)
				sat_read_text(&in, &text);
			if (i == 3 && sat_read_event(&in, &ev) == 0)
				sat_drop(ev);
		}
		w.b.p[n] ^= 0x81;
	}
	do {
		bool failed;

		fault_arm(++nth);
		failed = read_values(w.b.p, w.b.len) != 0;
		fired = fault_fired();
		assert_int_equal(failed, fired);
	} while (fired);
	fault_arm(0);
	sat_buf_free(&w.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_back),
		cmocka_unit_test(a_damaged_record_costs_itself_a_cut_file_its_end),
		cmocka_unit_test(what_cannot_be_written_leaves_the_old_file),
		cmocka_unit_test(values_come_back_or_are_refused),
	};
	int failed;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/state", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return failed;
}
