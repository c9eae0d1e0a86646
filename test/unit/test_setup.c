/* SPDX-License-Identifier: Apache-2.0 */
/* test_setup - a configuration is built as a whole, from what is named, or refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#include "clock.h"
#include "engine.h"
#include "http.h"
#include "life.h"
#include "loader.h"
#include "log.h"
#include "query.h"
#include "work.h"
#include "unit/fault.h"

static uv_loop_t loop;
static char host[] = "h", state_dir[] = "/nonexistent";
static const char *const no_modules[] = { NULL };
static const struct setup_role role = { .name = "test", .modules = no_modules, .stream = "index" };

static int begin(void **unused)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	const char *const folders[] = { path, NULL };

	(void)unused;
	assert_true(n > 0);
	path[n] = '\0';
	strcpy(strstr(path, "/test/unit/"), "/modules");
	assert_int_equal(log_open("/dev/null", LOG_ERR), 0);
	uv_loop_init(&loop);
	self_process = (struct self_process){ .host = host, .state_dir = state_dir, .loop = &loop };
	clock_live();
	assert_int_equal(engine_init(&loop), 0);
	assert_int_equal(work_init(&loop), 0);
	assert_int_equal(http_init(), 0);
	assert_int_equal(lead_init(LEAD_ALWAYS), 0);
	return loader_folders(folders);
}

static int end(void **unused)
{
	(void)unused;
	http_end();
	engine_stop();
	lead_end();
	work_end();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	query_free_cache();
	loader_close();
	log_close();
	return 0;
}

static struct setup *build(const char *text, const struct setup *running)
{
	struct conf *file;
	struct top *top;

	conf_forgive();
	file = conf_text(text, "text");
	top = file != NULL ? top_judge(file) : NULL;
	return top != NULL ? setup_build(top, &role, running) : NULL;
}

static void what_is_named_is_found(void **unused)
{
	struct setup *s = build("streams = ( { where = \"true\"; do = ( \"index\" ); } );"
				"checks = ( { check = \"free-memory\"; } );", NULL);

	(void)unused;
	assert_non_null(s);
	assert_non_null(setup_find(s, "flow"));
	assert_non_null(setup_find(s, "index"));
	assert_non_null(setup_find(s, "checks"));
	assert_null(setup_find(s, "riemann"));
	assert_null(s->http);
	setup_free(s);
}

static void a_store_starts_before_its_user(void **unused)
{
	struct setup *s = build("modules = ( \"whitelist\", \"store-sqlite\" );", NULL);
	size_t store = 0, user = 0;

	(void)unused;
	assert_non_null(s);
	for (size_t k = 0; k < s->n; k++) {
		if (strcmp(s->list[k]->self.name, "store-sqlite") == 0)
			store = k;
		if (strcmp(s->list[k]->self.name, "whitelist") == 0)
			user = k;
	}
	assert_true(store < user);
	setup_free(s);
}

static void a_group_names_its_module(void **unused)
{
	struct setup *s = build("modules = ( \"door\" ); door = { module = \"riemann\"; port = 1; };", NULL);

	(void)unused;
	assert_non_null(s);
	assert_string_equal(setup_find(s, "door")->self.module->name, "riemann");
	assert_int_equal(sat_conf_integer(setup_find(s, "door")->self.conf, "port"), 1);
	setup_free(s);
}

/* What each of these has in it, and how many mistakes are reported. */
static void mistakes_are_all_reported(void **unused)
{
	static const struct { const char *text; unsigned n; } bad[] = {
		{ "frob = 1;", 1 },
		{ "frob = { x = 1; };", 1 },
		{ "riemann = { prot = 1; };", 1 },		/* judged, though it starts nothing */
		{ "modules = ( \"no-such\", \"nor-this\" ); leader = \"me\";", 3 },
		{ "modules = ( \"riemann\" ); riemann = 5;", 1 },	/* no group */
		{ "modules = ( \"door\" ); door = { module = 5; };", 1 },
		{ "http = 5;", 1 },
		{ "http = { port = 0; };", 1 },
		{ "log = { level = \"loud\"; };", 1 },
		{ "log = \"loud\";", 1 },
		{ "role = \"boss\"; host = \"\"; state-dir = \"\";", 3 },
		{ "checks = ( { check = \"no-such\"; } ); streams = ( \"no-such\" );", 2 },
		{ "whitelist = { store = \"no-such\"; }; modules = ( \"whitelist\" );", 1 },
		{ "modules = ( \"riemann\" ); riemann = { port = 0; frob = 1; }; streams = ( { where = \"(\"; } );", 3 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_null(build(bad[i].text, NULL));
		if (conf_mistakes() != bad[i].n)
			fail_msg("%s: %u mistakes, not %u", bad[i].text, conf_mistakes(), bad[i].n);
	}
}

static void equal_settings_go_on(void **unused)
{
	static const char text[] = "modules = ( \"riemann\", \"whitelist\" ); riemann = { port = 1; };";
	struct setup *a = build(text, NULL), *b, *c;

	(void)unused;
	assert_non_null(a);
	b = build("riemann = { host = \"127.0.0.1\"; port = 1; }; modules = ( \"whitelist\", \"riemann\" );", a);
	assert_non_null(b);
	assert_ptr_equal(setup_find(a, "riemann"), setup_find(b, "riemann"));
	assert_ptr_equal(setup_find(a, "whitelist"), setup_find(b, "whitelist"));
	assert_ptr_equal(setup_find(a, "store-sqlite"), setup_find(b, "store-sqlite"));
	setup_free(b);
	/* A store that changes takes its user with it; another module does not. */
	c = build("modules = ( \"riemann\", \"whitelist\" ); riemann = { port = 1; };"
		  "store-sqlite = { path = \"/nonexistent/x\"; };", a);
	assert_non_null(c);
	assert_ptr_equal(setup_find(a, "riemann"), setup_find(c, "riemann"));
	assert_ptr_not_equal(setup_find(a, "store-sqlite"), setup_find(c, "store-sqlite"));
	assert_ptr_not_equal(setup_find(a, "whitelist"), setup_find(c, "whitelist"));
	setup_free(c);
	/* So does what a module reads at the top. */
	c = build("modules = ( \"riemann\", \"whitelist\" ); riemann = { port = 2; }; service-prefix = \"x/\";", a);
	assert_non_null(c);
	assert_ptr_not_equal(setup_find(a, "riemann"), setup_find(c, "riemann"));
	setup_free(c);
	setup_free(a);
}

static void every_failure_is_survived(void **unused)
{
	static const char text[] =
		"modules = ( \"riemann\", \"whitelist\" ); http = { port = 1; };"
		"streams = ( { where = \"state = 'ok'\"; do = ( \"index\" ); }, { by = \"host\"; do = ( \"off-host\" ); } );"
		"checks = ( { check = \"load-average\"; }, { command = \"true\"; service = \"t\"; } );";
	struct setup *s;
	int nth = 0;

	(void)unused;
	do {
		fault_arm(++nth);
		s = build(text, NULL);
		if (s == NULL)
			assert_true(fault_fired());
		setup_free(s);
	} while (fault_fired());
	fault_arm(0);
	assert_true(nth > 50);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_named_is_found),
		TEST(a_store_starts_before_its_user),
		TEST(a_group_names_its_module),
		TEST(mistakes_are_all_reported),
		TEST(equal_settings_go_on),
		TEST(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
