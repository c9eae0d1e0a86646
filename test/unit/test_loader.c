/* SPDX-License-Identifier: Apache-2.0 */
/* test_loader - which .so is taken, which refused and in which words, and who has a name. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "loader.h"
#include "log.h"
#include "unit/fault.h"

static char dir[] = "/tmp/satellite-loader-XXXXXX";
static char log_path[64], said[16384];
static const char *folders[] = { dir, NULL };

static void run(const char *fmt, ...) SAT_PRINTF(1);
static void run(const char *fmt, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("%s", command);
}

/* Build DIR/name.so out of a module's source. */
static const char *build(const char *name, const char *flags, const char *source)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.c", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "#include <satellite/module.h>\n%s\n", source);
	fclose(f);
	run("${CC:-cc} -Ilib -std=gnu11 -fPIC -fvisibility=hidden -shared -Wl,-z,lazy %s -o %s/%s.so %s", flags, dir, name, path);
	snprintf(path, sizeof(path), "%s/%s.so", dir, name);
	return path;
}

#define OP(n) "static int item(const struct sat_at *at, void *def, void *state, const struct sat_item *it)\n" \
	"{ (void)def; (void)state; sat_pass(at, 0, it); return 0; }\n" \
	"static const struct sat_op op = { .size = sizeof(op), .name = \"" n "\", .item = item };\n"
#define WITH_OP(m, n) OP(n) "SAT_MODULE(x, .name = \"" m "\", .version = \"1\", .summary = \"a test\",\n" \
	".ops = (const struct sat_op *const[]){ &op, NULL });"

static const char *logged(void)
{
	FILE *f = fopen(log_path, "r");
	size_t n = fread(said, 1, sizeof(said) - 1, f);

	fclose(f);
	said[n] = '\0';
	assert_int_equal(truncate(log_path, 0), 0);
	return said;
}

static void assert_in(const char *what, const char *text)
{
	if (strstr(text, what) == NULL)
		fail_msg("\"%s\" is not in: %s", what, text);
}

static void a_module_is_taken(void **unused)
{
	const char *path = build("one", "", WITH_OP("one", "first")), *why;
	const struct sat_module *m = NULL, *again = NULL;
	struct sat_buf names = { 0 };

	(void)unused;
	assert_int_equal(loader_open(path, &m, &why), 0);
	assert_string_equal(m->name, "one");
	assert_null(m->tls);
	assert_non_null(loader_op(m, "first"));
	assert_null(loader_op(m, "second"));
	assert_null(loader_check(m, "first"));
	assert_int_equal(loader_open(path, &again, &why), 0);
	assert_ptr_equal(m, again);
	loader_names(m, &names);
	sat_buf_add(&names, "", 1);
	assert_string_equal(names.p, "module one\noperator first\n");
	sat_buf_free(&names);
}

static int refused(const char *path, const char *because)
{
	const struct sat_module *m = NULL;
	const char *why;
	int rc = loader_open(path, &m, &why);

	assert_true(rc < 0);
	assert_null(m);
	assert_in(because, why);
	assert_in(path, why);
	return rc;
}

static void a_newer_minor_is_refused_with_both_numbers(void **unused)
{
	(void)unused;
	refused(build("newer", "-DSAT_ABI_MINOR=9u", WITH_OP("newer", "n")), "is built for ABI 1.9, this satellite has 1.0");
}

static void another_major_is_refused_before_it_is_read(void **unused)
{
	/* Only the number is there: reading on would be reading past the object. */
	(void)unused;
	refused(build("major", "", "SAT_API extern const uint32_t sat_module; const uint32_t sat_module = 2u << 16;"),
		"is built for ABI 2.0, this satellite has 1.0");
	refused(build("zero", "", "SAT_API extern const uint32_t sat_module; const uint32_t sat_module = 7;"),
		"is built for ABI 0.7, this satellite has 1.0");
}

static void what_is_no_module_is_refused(void **unused)
{
	(void)unused;
	refused(build("none", "", "int x;"), "exports no sat_module");
	refused(build("typo", "", "void sat_no_such_thing(void);\n"
		      "static void f(void *s) { (void)s; sat_no_such_thing(); }\n"
		      "SAT_MODULE(typo, .name = \"typo\", .destroy = f);"), "sat_no_such_thing");
	refused(build("short", "", "struct two { uint32_t abi, size; }; SAT_API extern const struct two sat_module;\n"
		      "const struct two sat_module = { SAT_ABI, 8 };"), "says that it has 8 bytes");
	refused(build("nameless", "", "SAT_MODULE(nameless, .version = \"1\");"), "lacks a proper name");
	refused(build("blank", "", WITH_OP("blank", "two words")), "lacks a proper name");
	run("echo text > %s/text.so", dir);
	refused(strcat(strcpy(said, dir), "/text.so"), "file too short");
	refused("/nowhere/x.so", "No such file or directory");
}

static void what_an_older_module_lacks_is_zero(void **unused)
{
	const char *path = build("older", "",
		"struct small { uint32_t size; const char *name; enum sat_type type; const char *fallback; };\n"
		"static const struct small small = { sizeof(small), \"old-option\", SAT_STRING, \"x\" }, after = { 77, \"poison\", 9, \"poison\" };\n"
		"const void *keep_it(void); const void *keep_it(void) { return &after; }\n"
		"struct old { uint32_t abi, size; const char *name, *version, *summary; const void *const *options; const char *poison[20]; };\n"
		"SAT_API extern const struct old sat_module;\n"
		"const struct old sat_module = { SAT_ABI, 40, \"older\", \"1\", \"s\", (const void *const[]){ &small, NULL },\n"
		"{ \"poison\", \"poison\", \"poison\", \"poison\", \"poison\", \"poison\", \"poison\", \"poison\" } };");
	const struct sat_module *m = NULL;
	const char *why;

	(void)unused;
	if (loader_open(path, &m, &why) != 0)
		fail_msg("%s", why);
	assert_string_equal(m->options[0]->name, "old-option");
	assert_string_equal(m->options[0]->fallback, "x");
	assert_false(m->options[0]->required);
	assert_null(m->options[0]->help);
	assert_null(m->options[0]->inner);
	assert_null(m->options[1]);
	assert_null(m->create);
	assert_null(m->destroy);
	assert_null(m->ops);
	assert_null(m->commands);
}

static const struct sat_module *find(enum loader_kind kind, const char *name, const char *because)
{
	const char *why;
	const struct sat_module *m = loader_find(kind, name, &why);

	if (m == NULL)
		assert_in(because, why);
	return m;
}

static void a_name_finds_its_module(void **unused)
{
	(void)unused;
	run("rm -f %s/*", dir);
	build("named", "", WITH_OP("named", "lift"));
	run("printf 'module named\\noperator lift\\n' > %s/named.names", dir);
	build("bare", "", WITH_OP("bare", "drop"));
	build("broken", "-DSAT_ABI_MINOR=9u", WITH_OP("broken", "crash"));
	run("touch %s/log; chmod 755 %s", dir, dir);
	assert_int_equal(log_open(log_path, LOG_INFO), 0);
	assert_int_equal(loader_folders(folders), 0);
	logged();
	assert_in("bare.so: has no .names file", said);
	assert_null(strstr(said, "/named.so"));
	assert_in("broken.so: is built for ABI 1.9", said);
	assert_string_equal(find(LOADER_OP, "lift", "")->name, "named");
	assert_string_equal(find(LOADER_MODULE, "bare", "")->name, "bare");
	assert_null(find(LOADER_OP, "crash", ""));
	assert_null(find(LOADER_MODULE, "broken", "is built for ABI 1.9"));
	assert_null(find(LOADER_CHECK, "lift", ""));
}

static void what_two_modules_have_is_an_error(void **unused)
{
	(void)unused;
	build("twin", "", WITH_OP("twin", "lift"));
	assert_int_equal(loader_folders(folders), 0);
	assert_null(find(LOADER_OP, "lift", "both have the operator \"lift\""));
	assert_string_equal(find(LOADER_MODULE, "twin", "")->name, "twin");
	run("rm %s/twin.so", dir);
	assert_int_equal(loader_folders(folders), 0);
	assert_string_equal(find(LOADER_OP, "lift", "")->name, "named");
}

static void names_that_are_wrong_are_found_out(void **unused)
{
	(void)unused;
	build("liar", "", WITH_OP("liar", "truth"));
	run("printf 'module liar\\noperator lie\\n' > %s/liar.names", dir);
	build("garbled", "", WITH_OP("garbled", "clear"));
	run("echo garbage > %s/garbled.names", dir);
	build("stale", "", WITH_OP("stale", "fresh"));
	run("printf 'module stale\\noperator old\\n' > %s/stale.names; touch -d '1 hour ago' %s/stale.names", dir, dir);
	assert_int_equal(loader_folders(folders), 0);
	assert_null(find(LOADER_OP, "lie", "says that it has the operator \"lie\", but it has not"));
	assert_non_null(find(LOADER_OP, "clear", ""));
	assert_non_null(find(LOADER_OP, "fresh", ""));
	assert_null(find(LOADER_OP, "old", ""));
}

static void a_module_that_changed_needs_a_restart(void **unused)
{
	(void)unused;
	assert_string_equal(find(LOADER_OP, "lift", "")->name, "named");
	run("touch -d '1 hour ago' %s/named.so", dir);
	logged();
	assert_int_equal(loader_folders(folders), 0);
	logged();
	assert_in("named.so: has changed; a restart is needed", said);
	assert_string_equal(find(LOADER_OP, "lift", "")->name, "named");
}

static void what_everyone_may_write_is_not_used(void **unused)
{
	(void)unused;
	build("open", "", WITH_OP("open", "door"));
	run("chmod 757 %s/open.so", dir);
	logged();
	assert_int_equal(loader_folders(folders), 0);
	logged();
	assert_in("open.so: everyone may write to it", said);
	assert_null(find(LOADER_OP, "door", ""));
	run("chmod 777 %s", dir);
	assert_int_equal(loader_folders(folders), -EPERM);
	assert_null(find(LOADER_OP, "lift", ""));
	run("chmod 755 %s; rm %s/open.so", dir, dir);
}

static void every_failure_is_survived(void **unused)
{
	const char *why;
	int nth = 0;

	(void)unused;
	do {
		loader_close();
		fault_arm(++nth);
		loader_folders(folders);
		loader_find(LOADER_OP, "clear", &why);
	} while (fault_fired());
	fault_arm(0);
	assert_true(nth > 10);
	assert_non_null(find(LOADER_OP, "clear", ""));
}

static int begin(void **unused)
{
	(void)unused;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	return log_open(log_path, LOG_INFO);
}

static int end(void **unused)
{
	(void)unused;
	loader_close();
	log_close();
	run("rm -r %s", dir);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_is_taken),
		cmocka_unit_test(a_newer_minor_is_refused_with_both_numbers),
		cmocka_unit_test(another_major_is_refused_before_it_is_read),
		cmocka_unit_test(what_is_no_module_is_refused),
		cmocka_unit_test(what_an_older_module_lacks_is_zero),
		cmocka_unit_test(a_name_finds_its_module),
		cmocka_unit_test(what_two_modules_have_is_an_error),
		cmocka_unit_test(names_that_are_wrong_are_found_out),
		cmocka_unit_test(a_module_that_changed_needs_a_restart),
		cmocka_unit_test(what_everyone_may_write_is_not_used),
		cmocka_unit_test(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
