/* SPDX-License-Identifier: Apache-2.0 */
/* test_conf - settings: what is a mistake, where it is said to be, and what falls back. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "conf.h"
#include "log.h"
#include "unit/fault.h"

static char dir[] = "/tmp/satellite-conf-XXXXXX";
static char log_path[64], said[1 << 17];

static const char *in_dir(const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return path;
}

static const char *write_file(const char *file, const char *text)
{
	FILE *f = fopen(in_dir(file), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return in_dir(file);
}

/* All that was logged since the last time. */
static const char *logged(void)
{
	FILE *f = fopen(log_path, "r");
	size_t n = fread(said, 1, sizeof(said) - 1, f);

	fclose(f);
	said[n] = '\0';
	assert_int_equal(truncate(log_path, 0), 0);
	return said;
}

static void assert_said(const char *what)
{
	if (strstr(said, what) == NULL)
		fail_msg("\"%s\" is not in: %s", what, said);
}

static const struct sat_option *const guard[] = {
	SAT_OPTION("max-off", SAT_NUMBER, .fallback = "0.10", .min = 0, .max = 1),
	SAT_OPTION("min-on", SAT_INTEGER, .fallback = "2"),
	NULL
};

static const struct sat_option *const table[] = {
	SAT_OPTION("path", SAT_STRING, .required = true),
	SAT_OPTION("name", SAT_STRING, .fallback = "a name"),
	SAT_OPTION("count", SAT_INTEGER, .fallback = "7", .min = 1, .max = 9),
	SAT_OPTION("least", SAT_INTEGER, .min = 1),
	SAT_OPTION("share", SAT_NUMBER, .fallback = "0.5"),
	SAT_OPTION("enabled", SAT_BOOLEAN, .fallback = "true"),
	SAT_OPTION("interval", SAT_SECONDS, .fallback = "1.5"),
	SAT_OPTION("masters", SAT_STRINGS, .fallback = "m1:5555  m2:5555"),
	SAT_OPTION("only", SAT_QUERY),
	SAT_OPTION("guard", SAT_GROUP, .fallback = "{}", .inner = guard),
	SAT_OPTION("extra", SAT_GROUP),
	SAT_OPTION("streams", SAT_NODES),
	SAT_OPTION("any", SAT_ANY),
	SAT_OPTION("clauses", SAT_CLAUSES),
	NULL
};

static const struct sat_option *const more[] = {
	SAT_OPTION("module", SAT_STRING),
	NULL
};

static int judge(const char *text, struct conf **c)
{
	conf_forgive();
	*c = conf_text(text, "t.cfg");
	return *c != NULL ? conf_judge(conf_root(*c), table, more) : -EBADMSG;
}

static void what_is_given_is_read(void **unused)
{
	const struct sat_conf *r;
	struct sat_query *q;
	struct conf *c;
	size_t n;

	(void)unused;
	assert_int_equal(judge("path = \"/x\"; count = 9; share = 2; enabled = false; interval = 60;\n"
			       "masters = ( \"a\", \"b\", \"c\" ); only = \"state = 'ok'\"; module = \"m\";\n"
			       "guard = { max-off = 0.25; }; extra = { k = [ 1, 2 ]; };", &c), 0);
	r = conf_root(c);
	assert_string_equal(sat_conf_string(r, "path"), "/x");
	assert_int_equal(sat_conf_integer(r, "count"), 9);
	assert_float_equal(sat_conf_number(r, "share"), 2.0, 0);
	assert_false(sat_conf_boolean(r, "enabled"));
	assert_int_equal(sat_conf_time(r, "interval"), 60 * SAT_SECOND);
	assert_string_equal(sat_conf_strings(r, "masters", &n)[2], "c");
	assert_int_equal(n, 3);
	assert_string_equal(sat_conf_string(r, "module"), "m");
	q = sat_conf_query(r, "only");
	assert_non_null(q);
	sat_query_free(q);
	assert_float_equal(sat_conf_number(sat_conf_get(r, "guard"), "max-off"), 0.25, 0);
	assert_int_equal(sat_conf_integer(sat_conf_get(r, "guard"), "min-on"), 2);
	assert_int_equal(sat_conf_value(sat_conf_at(sat_conf_at(sat_conf_get(r, "extra"), 0), 1)).i, 2);
	/* As it stands there, whatever falls back and whatever the table has. */
	assert_int_equal(sat_conf_value(sat_conf_find(r, "count")).i, 9);
	assert_null(sat_conf_find(r, "name"));
	assert_null(sat_conf_find(r, "nothing"));
	assert_null(sat_conf_find(sat_conf_find(r, "count"), "count"));
	assert_null(sat_conf_find(NULL, "count"));
	conf_unref(c);
}

static void fields_are_named_in_one_string_or_several(void **unused)
{
	struct sat_field fields[3];
	struct conf *c;
	char *text;

	(void)unused;
	assert_int_equal(judge("path = \"x\"; masters = ( \" host\\tstate\", \"rack\" );", &c), 0);
	assert_int_equal(sat_conf_fields(conf_root(c), "masters", fields, 3, &text), 3);
	assert_string_equal(fields[0].name, "host");
	assert_string_equal(fields[1].name, "state");
	assert_string_equal(fields[2].name, "rack");
	free(text);
	assert_int_equal(sat_conf_fields(conf_root(c), "masters", fields, 2, &text), -EINVAL);
	assert_null(text);
	conf_unref(c);
	assert_int_equal(judge("path = \"x\"; masters = \"  \";", &c), 0);
	assert_int_equal(sat_conf_fields(conf_root(c), "masters", fields, 3, &text), -EINVAL);
	assert_null(text);
	conf_unref(c);
}

static void what_is_not_given_falls_back(void **unused)
{
	const struct sat_conf *r;
	struct conf *c;
	size_t n;

	(void)unused;
	assert_int_equal(judge("path = \"\"; masters = \"one\";", &c), 0);
	r = conf_root(c);
	assert_string_equal(sat_conf_string(r, "name"), "a name");
	assert_int_equal(sat_conf_integer(r, "count"), 7);
	assert_float_equal(sat_conf_number(r, "share"), 0.5, 0);
	assert_true(sat_conf_boolean(r, "enabled"));
	assert_int_equal(sat_conf_time(r, "interval"), 1500 * SAT_MS);
	assert_string_equal(sat_conf_strings(r, "masters", &n)[0], "one");
	assert_int_equal(n, 1);
	assert_false(sat_conf_has(r, "least"));
	assert_true(sat_conf_has(r, "count"));
	assert_null(sat_conf_query(r, "only"));
	assert_null(sat_conf_get(r, "extra"));
	assert_int_equal(sat_conf_integer(sat_conf_get(r, "guard"), "min-on"), 2);
	conf_unref(c);
	assert_int_equal(judge("path = \"x\";", &c), 0);
	assert_string_equal(sat_conf_strings(conf_root(c), "masters", &n)[1], "m2:5555");
	assert_int_equal(n, 2);
	conf_unref(c);
}

static void every_mistake_is_said_in_one_run(void **unused)
{
	struct conf *c;

	(void)unused;
	logged();
	assert_int_equal(judge("name = 5;\ncount = 10;\nleast = 0;\nshare = \"x\";\nenabled = 1;\ninterval = -1;\n"
			       "masters = ( \"a\", 5 );\nonly = \"state =\";\nguard = {\n  max-of = 0.2;\n"
			       "  min-on = 1.5; };\nextra = 5;\nstreams = 1.5;\nzebra = 1;\n", &c), -EINVAL);
	logged();
	assert_said("t.cfg:1: name: must be a string");
	assert_said("t.cfg:2: count: must be from 1 to 9");
	assert_said("t.cfg:3: least: must be at least 1");
	assert_said("t.cfg:4: share: must be a number");
	assert_said("t.cfg:5: enabled: must be true or false");
	assert_said("t.cfg:6: interval: must be a number of seconds, 0 or more");
	assert_said("t.cfg:7: masters[1]: must be a string");
	assert_said("t.cfg:8: only: ");
	assert_said("t.cfg:10: guard.max-of: is unknown; did you mean \"max-off\"?");
	assert_said("t.cfg:11: guard.min-on: must be an integer");
	assert_said("t.cfg:12: extra: must be a group");
	assert_said("t.cfg:13: streams: must be a stream");
	assert_said("t.cfg:14: zebra: is unknown\n");
	assert_said("t.cfg: path: is missing");
	assert_int_equal(conf_mistakes(), 14);
	conf_unref(c);
}

/* What is wrong falls back, or stands as something of its type, and is complained of once. */
static void what_is_wrong_is_replaced(void **unused)
{
	const struct sat_conf *r;
	struct sat_query *q;
	struct conf *c;
	size_t n;

	(void)unused;
	assert_int_equal(judge("name = 5;\ncount = 10;\nleast = 0;\nmasters = ( \"a\", 5 );\nonly = 5;\nextra = 5;\n", &c),
			 -EINVAL);
	r = conf_root(c);
	assert_true(conf_usable(r));
	assert_string_equal(sat_conf_string(r, "name"), "a name");
	assert_int_equal(sat_conf_integer(r, "count"), 7);
	assert_int_equal(sat_conf_integer(r, "least"), 1);
	assert_string_equal(sat_conf_strings(r, "masters", &n)[0], "a");
	assert_int_equal(n, 2);
	assert_string_equal(sat_conf_string(r, "path"), "");
	assert_false(sat_conf_has(r, "extra"));
	q = sat_conf_query(r, "only");
	assert_null(q);
	assert_int_equal(conf_mistakes(), 7);
	sat_conf_error(r, "name", "is told again");
	sat_conf_error(r, "path", "is told again");
	sat_conf_error(sat_conf_at(sat_conf_get(r, "masters"), 1), NULL, "is told again");
	assert_int_equal(conf_mistakes(), 7);
	sat_conf_error(sat_conf_at(sat_conf_get(r, "masters"), 0), NULL, "is told");
	assert_int_equal(conf_mistakes(), 8);
	conf_unref(c);
}

static const struct sat_option *const wants_streams[] = {
	SAT_OPTION("streams", SAT_NODES, .required = true),
	NULL
};

static void nothing_stands_for_streams(void **unused)
{
	struct conf *c = conf_text("a = { }; b = { streams = 5; }; c = { streams = ( ); };", "t.cfg");

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		conf_judge(sat_conf_at(conf_root(c), i), wants_streams, NULL);
		assert_int_equal(conf_usable(sat_conf_at(conf_root(c), i)), i == 2);
	}
	conf_unref(c);
}

static void mistakes_are_told_in_the_order_of_the_lines(void **unused)
{
	struct conf *c = conf_text("a = 1;\nb = 2;\nc = 3;\n", "t.cfg");
	const struct sat_conf *r = conf_root(c);

	(void)unused;
	logged();
	conf_collect();
	sat_conf_error(r, "c", "third");
	sat_conf_error(r, "a", "first");
	sat_conf_error(r, "b", "second");
	sat_conf_error(r, "a", "first, too");
	sat_conf_error(r, "b", "second");
	sat_conf_error(r, NULL, "all");
	assert_string_equal(logged(), "");
	conf_tell();
	logged();
	for (const char *p = said, *words[] = { "t.cfg: all\n", "1: a: first\n", "1: a: first, too\n", "2: b: second\n",
						 "3: c: third\n", NULL }, **w = words; ; w++) {
		if (*w == NULL) {
			assert_string_equal(p, "");
			break;
		}
		p = strstr(p, *w);
		assert_non_null(p);
		p += strlen(*w);
	}
	conf_collect();
	for (unsigned i = 0; i < 1007; i++)
		sat_conf_error(r, "a", "wrong in way %u", i);
	conf_tell();
	logged();
	assert_said("wrong in way 999\n");
	assert_said("and 7 more");
	conf_collect();
	fault_arm(1);
	sat_conf_error(r, "a", "lost");
	fault_arm(0);
	assert_int_equal(conf_mistakes(), 1);
	conf_tell();
	logged();
	assert_said("and 1 more");
	conf_unref(c);
}

static void a_group_is_judged_once(void **unused)
{
	struct conf *c;

	(void)unused;
	assert_int_equal(judge("count = 0;", &c), -EINVAL);
	assert_int_equal(conf_mistakes(), 2);
	assert_int_equal(conf_judge(conf_root(c), table, more), -EINVAL);
	assert_int_equal(conf_mistakes(), 2);
	conf_unref(c);
}

static void a_module_reports_at_its_setting(void **unused)
{
	const struct sat_conf *stream;
	struct conf *c;
	char where[32];

	(void)unused;
	assert_int_equal(judge("path = \"x\";\nstreams = (\n\"index\", {\n where = 1; do = (\n\"nothing\" ); } );", &c), 0);
	logged();
	stream = sat_conf_at(sat_conf_get(conf_root(c), "streams"), 1);
	assert_true(conf_of(stream) == c);
	assert_int_equal(sat_conf_error(stream, "where", "is %s", "odd"), -EINVAL);
	assert_int_equal(sat_conf_error(sat_conf_at(conf_find(stream, "do"), 0), NULL, "no such"), -EINVAL);
	assert_int_equal(sat_conf_error(stream, "else", "is missed"), -EINVAL);
	logged();
	assert_said("t.cfg:4: streams[1].where: is odd");
	assert_said("t.cfg:5: streams[1].do[0]: no such");
	assert_said("t.cfg:3: streams[1].else: is missed");
	assert_string_equal(conf_where(stream, where, sizeof(where)), "t.cfg:3");
	conf_unref(c);
}

static void integers_that_wrap_are_refused(void **unused)
{
	static const struct { const char *text; bool fine; } cases[] = {
		{ "a = 2147483647;", true }, { "a = 2147483648;", false }, { "a = -2147483648;", true },
		{ "a = -2147483649;", false }, { "a = 2147483648L;", true }, { "a = 9223372036854775807L;", true },
		{ "a = 9223372036854775808L;", false }, { "a = -9223372036854775808L;", true },
		{ "a = 0x7fffffff;", true }, { "a = 0xffffffff;", false }, { "a = 0xffffffffL;", true },
		{ "a = 99999999999999999999;", false }, { "a = 4e9;", true }, { "a = 4000000000.5;", true },
		{ "a = ( 1, 3000000000 );", false }, { "# 3000000000\na = 1;", true },
		{ "// 3000000000\na = 1;", true }, { "/* 3000000000\n */ a = 1;", true },
		{ "a = \"3000000000 \\\" 3000000000\";", true }, { "b3000000000 = 1;", true },
		{ "a-3000000000 = 1;", true }, { "a = 1e999;", false },
	};
	struct conf *c;

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		conf_forgive();
		c = conf_text(cases[i].text, "t.cfg");
		if ((conf_mistakes() == 0) != cases[i].fine)
			fail_msg("%s", cases[i].text);
		conf_unref(c);
	}
	logged();
	c = conf_text("\n\na = 3000000000;", "t.cfg");
	conf_unref(c);
	logged();
	assert_said("t.cfg:3: 3000000000 is over 2147483647: write 3000000000L");
}

static void sixty_four_bits_are_exact(void **unused)
{
	struct conf *c = conf_text("a = 4611686018427387905L;", "t.cfg");

	(void)unused;
	assert_non_null(c);
	assert_true(sat_conf_value(conf_find(conf_root(c), "a")).i == INT64_C(4611686018427387905));
	conf_unref(c);
}

static void a_syntax_error_stands_alone(void **unused)
{
	(void)unused;
	logged();
	conf_forgive();
	assert_null(conf_text("a = 1;\nb = ;\nc = ;\n", "t.cfg"));
	logged();
	assert_said("t.cfg:2: syntax error");
	assert_int_equal(conf_mistakes(), 1);
	assert_null(conf_text("a = 1;\na = 2;\n", "t.cfg"));
	logged();
	assert_said("t.cfg:2: duplicate");
}

static void includes_are_relative_to_their_file(void **unused)
{
	char where[256];
	struct conf *c;

	(void)unused;
	assert_int_equal(mkdir(in_dir("sub"), 0700), 0);
	write_file("main.cfg", "a = 1;\n  @include \"sub/one.cfg\"\nb = 2;\n# @include \"none\"\nz = \"\n@include \\\"none\\\"\";");
	write_file("sub/one.cfg", "c = 3;\n@include \"two.cfg\"\nd = 4;");
	write_file("sub/two.cfg", "\ne = 5;\n");
	c = conf_read(in_dir("main.cfg"));
	assert_non_null(c);
	assert_int_equal(sat_conf_count(conf_root(c)), 6);
	assert_non_null(strstr(conf_where(conf_find(conf_root(c), "a"), where, sizeof(where)), "/main.cfg:1"));
	assert_non_null(strstr(conf_where(conf_find(conf_root(c), "b"), where, sizeof(where)), "/main.cfg:3"));
	assert_non_null(strstr(conf_where(conf_find(conf_root(c), "c"), where, sizeof(where)), "/sub/one.cfg:1"));
	assert_non_null(strstr(conf_where(conf_find(conf_root(c), "d"), where, sizeof(where)), "/sub/one.cfg:3"));
	assert_non_null(strstr(conf_where(conf_find(conf_root(c), "e"), where, sizeof(where)), "/sub/two.cfg:2"));
	conf_unref(c);
}

static void mistakes_in_includes_name_their_file(void **unused)
{
	(void)unused;
	write_file("main.cfg", "a = 1;\n@include \"broken.cfg\"\n");
	write_file("broken.cfg", "\n\nb = 3000000000;\n");
	logged();
	conf_unref(conf_read(in_dir("main.cfg")));
	logged();
	assert_said("/broken.cfg:3: 3000000000 is over");
	write_file("broken.cfg", "\nb = ;\n");
	assert_null(conf_read(in_dir("main.cfg")));
	logged();
	assert_said("/broken.cfg:2: syntax error");
	write_file("main.cfg", "a = 1;\n@include \"none.cfg\"\n@include \"broken.cfg\n");
	assert_null(conf_read(in_dir("main.cfg")));
	logged();
	assert_said("/main.cfg:2: @include \"none.cfg\": No such file or directory");
	assert_said("/main.cfg:3: @include needs a file name");
	write_file("main.cfg", "@include \"main.cfg\"\n");
	assert_null(conf_read(in_dir("main.cfg")));
	logged();
	assert_said("Too many levels");
}

static void files_that_are_none_are_refused(void **unused)
{
	FILE *f;

	(void)unused;
	logged();
	assert_null(conf_read(in_dir("nowhere.cfg")));
	logged();
	assert_said("/nowhere.cfg: No such file or directory");
	assert_null(conf_read(dir));
	logged();
	assert_said("Is a directory");
	f = fopen(in_dir("nul.cfg"), "w");
	fwrite("a = 1;\0b = 2;", 1, 13, f);
	fclose(f);
	assert_null(conf_read(in_dir("nul.cfg")));
	logged();
	assert_said("holds a NUL byte");
}

static char *canonical(const char *text)
{
	static const char *const skip[] = { "name", NULL };
	struct sat_buf b = { 0 };
	struct conf *c;

	assert_int_equal(judge(text, &c), 0);
	conf_canonical(conf_root(c), skip, &b);
	conf_unref(c);
	sat_buf_add(&b, "", 1);
	assert_false(b.full);
	return b.p;
}

static void equal_settings_give_equal_text(void **unused)
{
	char *a = canonical("path = \"x\"; count = 7; interval = 2; masters = \"m\"; extra = { a = 1; b = 2.0; }; name = \"p\";");
	char *b = canonical("extra = { b = 2.0; a = 1; };\n masters = [ \"m\" ]; interval = 2.0; path = \"x\"; share = 0.5;");
	char *d = canonical("extra = { b = 2; a = 1; };\n masters = [ \"m\" ]; interval = 2.0; path = \"x\"; share = 0.5;");

	(void)unused;
	assert_string_equal(a, b);
	assert_string_not_equal(a, d);
	free(a);
	free(b);
	free(d);
}

static void streams_are_no_part_of_a_clause(void **unused)
{
	char *a = canonical("path = \"x\"; clauses = ( \"<\", ( 1, \"index\" ), ( ( \"log\", \"index\" ) ) );");
	char *b = canonical("path = \"x\"; clauses = ( \"<\", ( 1, ( ( { log = \"error\"; } ) ) ), ( ) );");
	char *d = canonical("path = \"x\"; clauses = ( \"<\", ( 2, \"index\" ), ( ( \"log\", \"index\" ) ) );");

	(void)unused;
	assert_string_equal(a, b);
	assert_string_not_equal(a, d);
	free(a);
	free(b);
	free(d);
}

/* As a whole, but for one name; NULL: no memory. */
static char *write_all(const char *text, const char *without)
{
	struct sat_buf b = { 0 };
	struct conf *c = conf_text(text, "t.cfg");

	if (c == NULL)
		return NULL;
	for (size_t i = 0; i < sat_conf_count(conf_root(c)); i++)
		conf_write(sat_conf_at(conf_root(c), i), without, &b);
	conf_unref(c);
	sat_buf_add(&b, "", 1);
	if (b.full)
		sat_buf_free(&b);
	return b.p;
}

#define ODD "s = \"a\\\"b\\\\c\\n\\t\\x01\\x7f\xc3\xa9\"; i = -2147483648; l = 2147483648L;\n" \
	"least = -9223372036854775808L; h = 0x10; d = 1.0; e = 1e300; f = -2.5e-300; t = true; n = ( ); g = { };\n" \
	"list = ( 1, \"two\", ( 3.5, [ 4, 5 ] ), { six = 6; } ); deep = { er = { file = \"x\"; }; file = \"y\"; };"

static void what_is_written_reads_the_same(void **unused)
{
	char *once = write_all(ODD, NULL), *twice = write_all(once, NULL), *less = write_all(ODD, "file");

	(void)unused;
	assert_string_equal(once, twice);
	assert_non_null(strstr(once, "s = \"a\\\"b\\\\c\\x0a\\x09\\x01\\x7f\xc3\xa9\";\n"));
	assert_non_null(strstr(once, "i = -2147483648;\nl = 2147483648L;\nleast = -9223372036854775808L;\nh = 16;\n"));
	assert_non_null(strstr(once, "d = 1.0;\n"));
	assert_non_null(strstr(once, "list = ( 1, \"two\", ( 3.5, ( 4, 5 ) ), { six = 6;\n} );\n"));
	assert_non_null(strstr(less, "deep = { er = { file = \"x\";\n};\n};\n"));
	free(once);
	free(twice);
	free(less);
}

static void an_empty_group_can_be_judged(void **unused)
{
	struct conf *c = conf_text("", "t.cfg");
	const struct sat_conf *g;

	(void)unused;
	assert_non_null(c);
	g = conf_empty(c, "whitelist", NULL);
	assert_int_equal(conf_judge(g, guard, NULL), 0);
	assert_int_equal(sat_conf_integer(g, "min-on"), 2);
	assert_string_equal(sat_conf_name(g), "whitelist");
	logged();
	sat_conf_error(g, "min-on", "is odd");
	logged();
	assert_said("t.cfg: whitelist.min-on: is odd");
	conf_unref(conf_ref(c));
	assert_int_equal(sat_conf_integer(g, "min-on"), 2);
	conf_unref(c);
}

static void what_is_nested_too_deeply_is_refused(void **unused)
{
	char text[400] = "a = ";

	(void)unused;
	for (int i = 0; i < 100; i++)
		strcat(text, "(");
	for (int i = 0; i < 100; i++)
		strcat(text, ")");
	strcat(text, ";");
	logged();
	assert_null(conf_text(text, "t.cfg"));
	logged();
	assert_said("is nested more than 64 deep");
}

/* Fail the 1st allocation, then the 2nd, and so on until none is left. */
static void every_failure_is_survived(void **unused)
{
	int nth = 0, rc;
	struct conf *c;

	(void)unused;
	write_file("main.cfg", "path = \"p\"; masters = ( \"a\" ); only = \"state = 'x'\"; guard = { max-off = 1; };\n"
		   "@include \"in.cfg\"\n");
	write_file("in.cfg", "extra = { a = \"b\"; };\n");
	do {
		conf_forgive();
		fault_arm(++nth);
		c = conf_read(in_dir("main.cfg"));
		rc = c != NULL ? conf_judge(conf_root(c), table, more) : -ENOMEM;
		if (c != NULL)
			conf_empty(c, "x", NULL);
		if (rc != 0)
			assert_true(fault_fired());
		assert_int_equal(rc != 0, conf_mistakes() > 0);
		conf_unref(c);
	} while (fault_fired());
	fault_arm(0);
	assert_true(nth > 30);
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
	char command[64];

	(void)unused;
	log_close();
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_is_read),
		cmocka_unit_test(fields_are_named_in_one_string_or_several),
		cmocka_unit_test(what_is_not_given_falls_back),
		cmocka_unit_test(every_mistake_is_said_in_one_run),
		cmocka_unit_test(what_is_wrong_is_replaced),
		cmocka_unit_test(nothing_stands_for_streams),
		cmocka_unit_test(mistakes_are_told_in_the_order_of_the_lines),
		cmocka_unit_test(a_group_is_judged_once),
		cmocka_unit_test(a_module_reports_at_its_setting),
		cmocka_unit_test(integers_that_wrap_are_refused),
		cmocka_unit_test(sixty_four_bits_are_exact),
		cmocka_unit_test(a_syntax_error_stands_alone),
		cmocka_unit_test(includes_are_relative_to_their_file),
		cmocka_unit_test(mistakes_in_includes_name_their_file),
		cmocka_unit_test(files_that_are_none_are_refused),
		cmocka_unit_test(equal_settings_give_equal_text),
		cmocka_unit_test(streams_are_no_part_of_a_clause),
		cmocka_unit_test(what_is_written_reads_the_same),
		cmocka_unit_test(an_empty_group_can_be_judged),
		cmocka_unit_test(what_is_nested_too_deeply_is_refused),
		cmocka_unit_test(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
