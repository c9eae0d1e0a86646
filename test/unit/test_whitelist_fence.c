/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_whitelist_fence - a leader that was replaced, has not heard of it, and whose lease goes on: nothing
 * that it writes by itself is taken.  On a real store, whose epoch is replaced behind its back.
 */
#include "unit/host.h"

#include "claim.h"
#include "lead.h"

#include "../../modules/whitelist/whitelist.h"

static char store[96];

static const char text[] = "modules = ( \"whitelist\" ); whitelist = { resolve = false; new-agents = \"off\";"
	" guard = { max-off = 0.5; min-on = 0; }; };"
	"streams = ( { where = \"service = 'off'\"; do = ( \"off-host\" ); } );";

static struct whitelist *wl(void)
{
	struct instance *i = life_setup() != NULL ? setup_find(life_setup(), "whitelist") : NULL;

	return i != NULL ? i->self.state : NULL;
}

/* What another program has of the store; "": nothing. */
static const char *sql(const char *statement)
{
	static char line[4096];
	char command[512];
	size_t n;
	FILE *f;

	snprintf(command, sizeof(command), "sqlite3 -cmd '.timeout 5000' %s \"%s\"", store, statement);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(line, 1, sizeof(line) - 1, f);
	line[n] = '\0';
	assert_int_equal(pclose(f), 0);
	return line;
}

static bool imported(void)
{
	return wl() != NULL && wl()->mark == MARK_COMPLETE && wl()->n_hosts == 3 && !wl()->mark_busy;
}

static bool acting(void)
{
	return sat_acting();
}

static bool quiet(void)
{
	return wl()->n_batches == 0 && !wl()->latch_busy && !wl()->mark_busy;
}

static bool deposed(void)
{
	return !sat_acting();
}

static int begin(void **unused)
{
	static struct sat_self mesos = { .name = (char *)"mesos" };
	const struct sat_event a = { .size = sizeof(a), .host = "a" };
	const struct sat_event *const agents[] = { &a };
	char path[112];
	FILE *f;

	(void)unused;
	snprintf(store, sizeof(store), "%s/store.db", host_folder);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", store, (const char *const[]){ "", "-wal", "-shm" }[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/whitelist", host_folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("a\nb\nc\n", f);
	fclose(f);
	host_up();
	assert_int_equal(sat_publish(&mesos, "mesos/agents", &(struct sat_item){ agents, 1, true }, true), 0);
	assert_true(host_run(text));
	assert_true(host_until(imported, 5000));
	lead_mode(LEAD_STORE, &setup_find(life_setup(), "store-sqlite")->self);
	assert_true(host_until(acting, 8000));
	host_skip(1);
	assert_true(host_until(quiet, 5000));
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	lead_mode(LEAD_ALWAYS, NULL);
	host_down();
	return 0;
}

/* Another takes over.  Until it turns again, this process cannot know. */
static void replace(void)
{
	assert_true(sat_acting());
	sql("update map set version = version + 1, value = '{\\\"epoch\\\":99,\\\"by\\\":\\\"there\\\",\\\"mark\\\":\\\"m\\\"}'"
	    " where key = 'leader/epoch'");
	assert_true(sat_acting());
}

static void wish_off(const char *host)
{
	sat_emit(&self_host, .host = host, .service = "off", .state = "critical");
	engine_run();
}

/* A record, in the words of its streams. */
static bool kept(const char *host)
{
	char statement[128];

	snprintf(statement, sizeof(statement), "select count(*) from map where key = 'whitelist/%s' and"
		 " instr(cast(value as text), 'off is critical')", host);
	return strcmp(sql(statement), "1\n") == 0;
}

static void records_are_behind_it(void **unused)
{
	(void)unused;
	wish_off("a");
	wl()->flush.fire(&wl()->flush);
	assert_int_equal(wl()->n_batches, 1);
	assert_true(host_until(quiet, 5000));
	assert_true(kept("a"));			/* as long as it leads */
	replace();
	wish_off("b");
	wl()->flush.fire(&wl()->flush);
	assert_true(sat_acting());
	assert_in_range(wl()->n_batches, 1, 2);	/* a's record may have changed again meanwhile */
	assert_true(host_until(quiet, 5000));
	assert_false(kept("b"));
	assert_true(host_until(deposed, 5000));
	host_skip(2);
	assert_false(kept("b"));
}

static void the_latch_is_behind_it(void **unused)
{
	(void)unused;
	wish_off("a");
	wish_off("b");
	wish_off("c");
	replace();
	wl()->decide_due = 0;
	wl()->decide.fire(&wl()->decide);
	assert_true(wl()->latch.set && wl()->latch_busy);
	assert_true(host_until(quiet, 5000));
	assert_string_equal(sql("select count(*) from map where key = 'guard/latch' and"
			       " instr(cast(value as text), 'true')"), "0\n");
}

static void the_mark_of_the_import_is_behind_it(void **unused)
{
	char before[64];

	(void)unused;
	strcpy(before, sql("select version from map where key = 'inventory/import'"));
	assert_true(before[0] >= '0' && before[0] <= '9');
	wl()->mark = MARK_IMPORTED;
	replace();
	import_consider(wl());
	assert_true(wl()->mark_busy);
	assert_true(host_until(quiet, 5000));
	assert_string_equal(sql("select version from map where key = 'inventory/import'"), before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_are_behind_it),
		TEST(the_latch_is_behind_it),
		TEST(the_mark_of_the_import_is_behind_it),
	};

	return cmocka_run_group_tests(tests, host_begin, host_end);
}
