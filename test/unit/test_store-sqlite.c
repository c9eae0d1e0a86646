/* SPDX-License-Identifier: Apache-2.0 */
/* test_store-sqlite - a mirrored map that takes all of a commit or nothing, and tells the truth about it. */
#include "instance.h"
#include "unit/bed.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct sat_module sat_module_store_sqlite;

static const struct sat_store *vt;
static char folder[] = "/tmp/satellite-store-XXXXXX", path[80];
static void *state;
static struct instance instance;	/* which never stops, so the test says when all is over */

struct seen { char log[4096]; };	/* "put a=x/0 synced gone a lost " */

static void say(struct seen *s, const char *fmt, ...) SAT_PRINTF(2);
static void say(struct seen *s, const char *fmt, ...)
{
	size_t at = strlen(s->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->log + at, sizeof(s->log) - at, fmt, ap);
	va_end(ap);
}

static void put(void *arg, const char *key, const void *value, size_t len, int64_t version)
{
	say(arg, "%s=%.*s/%d ", key, (int)len, (const char *)value, (int)version);
}

static void gone(void *arg, const char *key)
{
	say(arg, "-%s ", key);
}

static void synced(void *arg)
{
	say(arg, "synced ");
}

static void lost(void *arg, int rc)
{
	(void)rc;
	say(arg, "lost ");
}

static const struct sat_mirror calls = { .size = sizeof(calls), .put = put, .gone = gone, .synced = synced, .lost = lost };

struct answer { int times, rc; size_t culprit; int64_t versions[4]; size_t n; };

static void answered(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	struct answer *a = arg;

	a->times++;
	a->rc = rc;
	a->culprit = culprit;
	for (size_t i = 0; rc == 0 && i < a->n; i++)
		a->versions[i] = versions[i];
}

static int open_store(void)
{
	char text[160];
	struct conf *file;
	const struct sat_conf *own;
	int rc;

	bed_up(&sat_module_store_sqlite);
	bed.self.instance = &instance;
	vt = sat_module_store_sqlite.store;
	self_process.state_dir = folder;
	snprintf(text, sizeof(text), "own = { path = \"%s\"; };", path);
	file = conf_text(text, "test");
	own = conf_find(conf_root(file), "own");
	assert_int_equal(conf_judge(own, sat_module_store_sqlite.options, NULL), 0);
	rc = sat_module_store_sqlite.create(&bed.self, own, &state);
	bed.self.state = rc == 0 ? state : NULL;
	conf_unref(bed.file);
	bed.file = file;
	return rc == 0 ? sat_module_store_sqlite.start(state) : rc;
}

/* However long its last job takes: it has the store until then. */
static void close_store(void)
{
	bool done = false;

	sat_module_store_sqlite.stop(state);
	work_drain(&bed.self, bed_done, &done);
	bed_run(&done);
	bed_down();
}

static int up(void **unused)
{
	(void)unused;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/store.db", folder);
	return open_store();
}

static int down(void **unused)
{
	char command[128];

	(void)unused;
	close_store();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static void wait_for(const struct seen *s, const char *text)
{
	for (int i = 0; i < 100 && strstr(s->log, text) == NULL; i++)
		bed_run_for(50);
	if (strstr(s->log, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, s->log);
}

static struct answer commit(const struct sat_change *changes, size_t n)
{
	struct answer a = { .n = n };

	a.rc = vt->commit(state, changes, n, answered, &a);
	if (a.rc != 0)
		return a;
	assert_int_equal(a.times, 0);	/* never from inside */
	for (int i = 0; i < 100 && a.times == 0; i++)
		bed_run_for(10);
	assert_int_equal(a.times, 1);
	return a;
}

static struct answer one(enum sat_change_kind what, const char *key, const char *value, int64_t version)
{
	struct sat_change c = { .what = what, .key = key, .value = value, .len = strlen(value), .version = version };

	return commit(&c, 1);
}

static void versions_begin_at_0_and_grow(void **unused)
{
	struct seen a = { 0 }, b = { 0 };

	(void)unused;
	vt->mirror(state, "a/", &calls, &a);
	wait_for(&a, "synced ");
	assert_int_equal(one(SAT_CREATE, "a/x", "1", 0).rc, 0);
	assert_int_equal(one(SAT_CREATE, "a/x", "1", 0).rc, -EEXIST);
	assert_int_equal(one(SAT_PUT, "a/x", "2", 0).versions[0], 1);
	assert_int_equal(one(SAT_PUT, "a/x", "3", 0).rc, -ESTALE);
	assert_int_equal(one(SAT_PUT, "a/x", "3", SAT_ANY_VERSION).versions[0], 2);
	assert_int_equal(one(SAT_PUT, "a/y", "", SAT_ANY_VERSION).versions[0], 0);
	assert_int_equal(one(SAT_PUT, "a/z", "", 0).rc, -ENOENT);
	assert_int_equal(one(SAT_CHECK, "a/x", "", 2).rc, 0);
	assert_int_equal(one(SAT_CHECK, "a/x", "", 1).rc, -ESTALE);
	assert_int_equal(one(SAT_DELETE, "a/x", "", 1).rc, -ESTALE);
	assert_int_equal(one(SAT_DELETE, "a/x", "", 2).rc, 0);
	assert_int_equal(one(SAT_DELETE, "a/x", "", 2).rc, -ENOENT);
	assert_int_equal(one(SAT_DELETE, "a/x", "", SAT_ANY_VERSION).rc, 0);
	assert_int_equal(one(SAT_CREATE, "b/x", "other", 0).rc, 0);
	assert_string_equal(a.log, "synced a/x=1/0 a/x=2/1 a/x=3/2 a/y=/0 -a/x -a/x ");
	/* one that comes later is told all there is */
	vt->mirror(state, "", &calls, &b);
	wait_for(&b, "synced ");
	assert_string_equal(b.log, "a/y=/0 b/x=other/0 synced ");
	vt->unmirror(state, &a);
	assert_int_equal(one(SAT_PUT, "a/y", "9", 0).rc, 0);
	assert_null(strstr(a.log, "a/y=9/1"));
	assert_non_null(strstr(b.log, "a/y=9/1"));
	vt->unmirror(state, &b);
}

static void all_of_a_commit_or_nothing(void **unused)
{
	const struct sat_change three[] = {
		{ .what = SAT_PUT, .key = "a", .value = "2", .len = 1, .version = 0 },
		{ .what = SAT_CREATE, .key = "b", .value = "1", .len = 1 },
		{ .what = SAT_CHECK, .key = "c", .version = 5 },
	};
	struct seen a = { 0 };
	struct answer r;

	(void)unused;
	one(SAT_CREATE, "a", "1", 0);
	vt->mirror(state, "", &calls, &a);
	wait_for(&a, "synced ");
	r = commit(three, 3);
	assert_int_equal(r.rc, -ENOENT);
	assert_int_equal(r.culprit, 2);
	assert_string_equal(a.log, "a=1/0 synced ");
	r = commit(three, 2);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.versions[0], 1);
	assert_string_equal(a.log, "a=1/0 synced a=2/1 b=1/0 ");
	vt->unmirror(state, &a);
}

static void a_group_shares_a_transaction_and_not_a_fate(void **unused)
{
	struct answer answers[50] = { 0 };
	int64_t before = sat_counted(&bed.self, 0);

	(void)unused;
	for (int i = 0; i < 50; i++) {
		char key[16];
		struct sat_change c = { .what = i % 10 == 9 ? SAT_PUT : SAT_CREATE, .key = key, .value = "v", .len = 1 };

		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(vt->commit(state, &c, 1, answered, &answers[i]), 0);
	}
	bed_run_for(200);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(answers[i].times, 1);
		assert_int_equal(answers[i].rc, i % 10 == 9 ? -ENOENT : 0);
	}
	assert_true(sat_counted(&bed.self, 0) - before <= 3);
}

static void what_was_acknowledged_is_there_again(void **unused)
{
	struct seen a = { 0 };

	(void)unused;
	one(SAT_CREATE, "a", "1", 0);
	one(SAT_PUT, "a", "2", 0);
	close_store();
	assert_int_equal(open_store(), 0);
	vt->mirror(state, "", &calls, &a);
	wait_for(&a, "synced ");
	assert_string_equal(a.log, "a=2/1 synced ");
	vt->unmirror(state, &a);
}

/* Another program writes: it is noticed with the next commit, and never overwritten. */
static void others_are_noticed(void **unused)
{
	struct seen a = { 0 };
	sqlite3 *db;

	(void)unused;
	one(SAT_CREATE, "a", "1", 0);
	vt->mirror(state, "", &calls, &a);
	wait_for(&a, "synced ");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE map SET version = 7, value = 'x'", 0, 0, 0), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(one(SAT_PUT, "a", "2", 0).rc, -ESTALE);
	wait_for(&a, "lost a=x/7 synced ");
	assert_int_equal(one(SAT_PUT, "a", "2", 7).versions[0], 8);
	vt->unmirror(state, &a);
}

/* A page in the middle turns into garbage while the store runs. */
static void an_ill_file_is_lost_and_found(void **unused)
{
	static const char junk[65536] = "junk";
	char good[96], command[400];
	struct seen a = { 0 };
	int fd;

	(void)unused;
	one(SAT_CREATE, "a", "1", 0);
	close_store();
	snprintf(good, sizeof(good), "%s.good", path);
	snprintf(command, sizeof(command), "cp %s %s", path, good);
	assert_int_equal(system(command), 0);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	assert_int_equal(open_store(), 0);
	vt->mirror(state, "", &calls, &a);
	bed_run_for(100);
	assert_string_equal(a.log, "");
	assert_int_equal(one(SAT_PUT, "a", "2", 0).rc, -ENOTCONN);
	assert_int_equal(rename(good, path), 0);
	wait_for(&a, "synced ");
	assert_string_equal(a.log, "a=1/0 synced ");
	assert_int_equal(one(SAT_PUT, "a", "2", 0).rc, 0);
	vt->unmirror(state, &a);
}

/* What is written to a file without a name is lost with the process; a new one would be empty. */
static void a_file_that_is_taken_away_is_noticed(void **unused)
{
	char aside[96];
	struct seen a = { 0 };

	(void)unused;
	one(SAT_CREATE, "a", "1", 0);
	vt->mirror(state, "", &calls, &a);
	wait_for(&a, "synced ");
	snprintf(aside, sizeof(aside), "%s.aside", path);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(one(SAT_PUT, "a", "2", 0).rc, -ENOTCONN);
	assert_string_equal(a.log, "a=1/0 synced lost ");
	bed_run_for(700);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(rename(aside, path), 0);
	wait_for(&a, "lost a=1/0 synced ");
	assert_int_equal(one(SAT_PUT, "a", "2", 0).rc, 0);
	vt->unmirror(state, &a);
}

static int live(void)
{
	struct sat_change c = { .what = SAT_CREATE, .key = "k", .value = "v", .len = 1 };
	struct seen a = { 0 };
	struct answer r = { .n = 1 };
	int rc = vt->mirror(state, "", &calls, &a);

	if (rc != 0)
		return rc;
	rc = vt->commit(state, &c, 1, answered, &r);
	if (rc == 0) {
		for (int i = 0; i < 200 && r.times == 0; i++)
			bed_run_for(5);
		assert_int_equal(r.times, 1);
		rc = r.rc;
	}
	vt->unmirror(state, &a);
	return rc;
}

static void every_failure_is_survived(void **unused)
{
	int nth = 0, rc;
	bool fired;

	(void)unused;
	do {
		fault_arm(++nth);
		rc = live();
		fired = fault_fired();
		fault_arm(0);
		if (rc == 0)
			assert_int_equal(one(SAT_DELETE, "k", "", SAT_ANY_VERSION).rc, 0);
		else
			assert_true(fired && (rc == -ENOMEM || rc == -ENOTCONN));
		bed_run_for(600);	/* it opens again */
	} while (fired && nth < 40);
	assert_true(nth > 3 && nth < 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(versions_begin_at_0_and_grow, up, down),
		cmocka_unit_test_setup_teardown(all_of_a_commit_or_nothing, up, down),
		cmocka_unit_test_setup_teardown(a_group_shares_a_transaction_and_not_a_fate, up, down),
		cmocka_unit_test_setup_teardown(what_was_acknowledged_is_there_again, up, down),
		cmocka_unit_test_setup_teardown(others_are_noticed, up, down),
		cmocka_unit_test_setup_teardown(an_ill_file_is_lost_and_found, up, down),
		cmocka_unit_test_setup_teardown(a_file_that_is_taken_away_is_noticed, up, down),
		cmocka_unit_test_setup_teardown(every_failure_is_survived, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
