/* SPDX-License-Identifier: Apache-2.0 */
/* test_command_perfdata - the figures of plugins: how they are read, and what becomes of them. */
#include "unit/bed.h"
#include "../../modules/command/command.h"
#include "../../modules/command/perfdata.h"

extern const struct sat_module sat_module_command;

static int up(void **unused)
{
	(void)unused;
	bed_up(&sat_module_command);
	return 0;
}

static int down(void **unused)
{
	(void)unused;
	bed_down();
	return 0;
}

/* ---- Reading ------------------------------------------------------------ */

static struct perf all[PERF_MOST];
static char room[64 * 1024];
static size_t refused;

static size_t read_all(const char *text)
{
	assert_true(strlen(text) < sizeof(room));
	return perfdata_read(text, room, all, &refused);
}

static void expect_figure(size_t i, const char *label, const char *text, const char *unit, double value)
{
	assert_string_equal(all[i].label, label);
	assert_string_equal(all[i].text, text);
	assert_string_equal(all[i].unit, unit);
	assert_true(all[i].known);
	assert_float_equal(all[i].d, value, 1e-12);
}

static void expect_limits(size_t i, const char *warning, const char *critical, const char *min, const char *max)
{
	assert_string_equal(all[i].warning, warning);
	assert_string_equal(all[i].critical, critical);
	assert_string_equal(all[i].min, min);
	assert_string_equal(all[i].max, max);
}

static void figures_are_read(void **unused)
{
	(void)unused;
	assert_int_equal(read_all("LOAD OK - fine|load1=0.830;15.000;~:30;0; load5=7;;;0\n"), 2);
	expect_figure(0, "load1", "0.830", "", 0.83);
	expect_limits(0, "15.000", "~:30", "0", "");
	assert_false(all[0].whole);
	expect_figure(1, "load5", "7", "", 7);
	expect_limits(1, "", "", "0", "");
	assert_true(all[1].whole);
	assert_int_equal(all[1].i, 7);
	assert_int_equal(refused, 0);

	assert_int_equal(read_all("x | a=-1.5e3us b=+.5% c=5c d=4611686018427387905B e=2.E f=12345678901234567890;1;2;3;4;5"),
			 6);
	expect_figure(0, "a", "-1.5e3us", "us", -1500);
	expect_figure(1, "b", "+.5%", "%", 0.5);
	expect_figure(2, "c", "5c", "c", 5);
	assert_int_equal(all[3].i, INT64_C(4611686018427387905));
	expect_figure(4, "e", "2.E", "E", 2);
	assert_false(all[5].whole);
	expect_limits(5, "1", "2", "3", "4");
}

static void labels_may_stand_in_quotes(void **unused)
{
	(void)unused;
	assert_int_equal(read_all("|'a b'=1 'it''s'=2s ''''=3 'x=y'=4 C:\\ %=5 '|'=6"), 6);
	expect_figure(0, "a b", "1", "", 1);
	expect_figure(1, "it's", "2s", "s", 2);
	expect_figure(2, "'", "3", "", 3);
	expect_figure(3, "x=y", "4", "", 4);
	expect_figure(4, "%", "5", "", 5);
	expect_figure(5, "|", "6", "", 6);
	assert_int_equal(refused, 1);
}

static void what_is_not_known_is_so(void **unused)
{
	(void)unused;
	assert_int_equal(read_all("|a=U;1;2 b=U"), 2);
	assert_false(all[0].known);
	assert_string_equal(all[0].text, "U");
	assert_string_equal(all[0].critical, "2");
}

/* As the guidelines' example has it. */
static void further_lines_have_figures_too(void **unused)
{
	(void)unused;
	assert_int_equal(read_all("DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968\r\n"
				  "/ 15272 MB (77%);\n/boot 68 MB (69%);\n/home 69357 MB (27%);\n"
				  "/var/log 819 MB (84%); | /boot=68MB;88;93;0;98\n"
				  "/home=69357MB;253404;253409;0;253414\n/var/log=818MB;970;975;0;980\n"), 4);
	expect_figure(0, "/", "2643MB", "MB", 2643);
	expect_figure(1, "/boot", "68MB", "MB", 68);
	expect_limits(3, "970", "975", "0", "980");
	assert_int_equal(refused, 0);
	assert_int_equal(read_all("none here\nnor here\n|x=1"), 1);
	assert_int_equal(read_all("\n  \nfirst|x=1\nlong"), 1);
	assert_int_equal(read_all("none a=1\n b=2"), 0);
	assert_int_equal(read_all(""), 0);
}

static void broken_figures_are_refused_alone(void **unused)
{
	static const char *const broken[] = {
		"a", "=1", "a=", "a=x", "a=nan", "a=inf", "a=-", "a=.", "a=+-1", "a=1e999", "a=0x10", "a=1;\001", "a\001=1",
		"'a", "'a=1", "'a'1", "''=1", "a=5;U\177", "'a''=1", "a=u", "a=UU",
	};
	char text[4096];

	(void)unused;
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		snprintf(text, sizeof(text), "x|b=1 %s c=2\n", broken[i]);
		assert_int_equal(read_all(text), 2);
		expect_figure(1, "c", "2", "", 2);
		assert_int_equal(refused, 1);
	}
	snprintf(text, sizeof(text), "|%0256d=1 a=%0256d b=1;%0254d c=1 c=2", 1, 2, 3);
	assert_int_equal(read_all(text), 1);
	expect_figure(0, "c", "1", "", 1);
	assert_int_equal(refused, 4);
}

static void there_is_an_end_to_them(void **unused)
{
	struct sat_buf b = { 0 };

	(void)unused;
	sat_buf_printf(&b, "x|");
	for (int i = 0; i < 1000; i++)
		sat_buf_printf(&b, "l%d=%d ", i, i);
	sat_buf_add(&b, "", 1);
	assert_int_equal(read_all(b.p), PERF_MOST);
	assert_int_equal(refused, 1000 - PERF_MOST);
	sat_buf_free(&b);
}

/* ---- What becomes of them ----------------------------------------------- */

/* Run a plugin that prints this; `more` are further settings. */
static const struct sat_event *plugin(const char *output, int status, const char *more, int events)
{
	char list[1024];

	bed_end_checks();
	snprintf(list, sizeof(list), "{ command = ( \"/bin/sh\", \"-c\", \"printf '%%b' \\\"$0\\\"; exit %d\", \"%s\" ); "
		 "parse = \"nagios\"; service = \"s\"; interval = 0.5; ttl = 500; %s }", status, output, more);
	assert_non_null(bed_build("", list));
	checks_adopt(bed.checks, NULL);
	while (bed.n < events)
		bed_run_for(5);
	bed_run_for(20);
	assert_int_equal(bed.n, events);
	return bed.seen[0];
}

static void figures_become_metric_and_attributes(void **unused)
{
	const struct sat_event *ev = plugin("FINE|time=0.5s;1 'it''s'=3% ttl=U", 1, "attributes = { rack = \"r1\"; };", 1);

	(void)unused;
	assert_string_equal(ev->description, "FINE");
	assert_string_equal(ev->state, "warning");
	assert_float_equal(sat_metric(ev), 0.5, 0);
	assert_int_equal(ev->n_attrs, 4);
	assert_string_equal(sat_attr(ev, "perf-time"), "0.5s");
	assert_string_equal(sat_attr(ev, "perf-ttl"), "U");
	assert_string_equal(sat_attr(ev, "it's"), "3%");
	assert_string_equal(sat_attr(ev, "rack"), "r1");

	ev = plugin("x|a=7B perf-time=1 time=2", 0, "", 1);
	assert_true(ev->has & SAT_HAS_INT);
	assert_int_equal(ev->metric.i, 7);
	assert_int_equal(ev->n_attrs, 2);
	ev = plugin("x|a=U b=1", 0, "", 1);
	assert_false(ev->has & SAT_HAS_METRIC);
	ev = plugin("x|none", 2, "", 1);
	assert_int_equal(ev->metric.i, 2);
	assert_int_equal(ev->n_attrs, 0);
	assert_int_equal(sat_counted(&bed.self, COUNT_PERFDATA_REFUSED), 1);
}

static void figures_become_events(void **unused)
{
	const struct sat_event *ev = plugin("x|a=7B;1;2;0;9 'b c'=U", 2, "perfdata = \"events\";", 3);

	(void)unused;
	assert_string_equal(ev->service, "s");
	assert_string_equal(ev->state, "critical");
	assert_int_equal(ev->metric.i, 7);
	assert_int_equal(ev->n_attrs, 0);
	ev = bed.seen[1];
	assert_string_equal(ev->service, "s/a");
	assert_string_equal(ev->state, "ok");
	assert_int_equal(ev->metric.i, 7);
	assert_float_equal(ev->ttl, 500, 0);
	assert_string_equal(sat_attr(ev, "unit"), "B");
	assert_string_equal(sat_attr(ev, "warning"), "1");
	assert_string_equal(sat_attr(ev, "critical"), "2");
	assert_string_equal(sat_attr(ev, "min"), "0");
	assert_string_equal(sat_attr(ev, "max"), "9");
	ev = bed.seen[2];
	assert_string_equal(ev->service, "s/b c");
	assert_false(ev->has & SAT_HAS_METRIC);
	assert_int_equal(ev->n_attrs, 0);
}

static void figures_may_be_unwanted(void **unused)
{
	const struct sat_event *ev = plugin("x|a=7B", 1, "perfdata = \"none\";", 1);

	(void)unused;
	assert_int_equal(ev->metric.i, 1);
	assert_int_equal(ev->n_attrs, 0);
	bed_end_checks();
	assert_null(bed_build("", "{ command = \"a\"; parse = \"nagios\"; perfdata = \"all\"; service = \"x\"; }, "
				  "{ command = \"a\"; perfdata = \"events\"; service = \"y\"; }"));
	assert_int_equal(conf_mistakes(), 2);
}

static void every_failure_is_survived(void **unused)
{
	(void)unused;
	bed_survives("{ command = \"echo 'x|a=1 b=2'\"; service = \"s\"; interval = 0.1; parse = \"nagios\"; "
		     "perfdata = \"events\"; }", 6);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_are_read),
		cmocka_unit_test(labels_may_stand_in_quotes),
		cmocka_unit_test(what_is_not_known_is_so),
		cmocka_unit_test(further_lines_have_figures_too),
		cmocka_unit_test(broken_figures_are_refused_alone),
		cmocka_unit_test(there_is_an_end_to_them),
		TEST(figures_become_metric_and_attributes),
		TEST(figures_become_events),
		TEST(figures_may_be_unwanted),
		TEST(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
