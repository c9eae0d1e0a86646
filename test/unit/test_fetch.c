/* SPDX-License-Identifier: Apache-2.0 */
/* test_fetch - the settings of who is asked over HTTP: what is a mistake, and what is made of the rest. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf.h"
#include "log.h"
#include "unit/fault.h"

static const struct sat_option *const table[] = {
	SAT_OPTION("url", SAT_STRINGS, .fallback = "http://localhost:5050"),
	SAT_FETCH_OPTIONS("its"),
	NULL
};

static struct conf *read_conf(const char *text)
{
	struct conf *c = conf_text(text, "t.cfg");

	assert_non_null(c);
	assert_int_equal(conf_judge(conf_root(c), table, NULL), 0);
	return c;
}

static void credentials_are_read(void **unused)
{
	struct conf *c = read_conf("user = \"u\"; password = \"\"; ca = \"/ca\"; cert = \"/cert\"; key = \"/key\";");
	struct sat_fetch what = { .size = sizeof(what), .timeout = 7 };

	(void)unused;
	assert_int_equal(sat_fetch_settings(conf_root(c), &what), 0);
	assert_string_equal(what.user, "u");
	assert_string_equal(what.password, "");
	assert_null(what.token);
	assert_string_equal(what.ca, "/ca");
	assert_string_equal(what.cert, "/cert");
	assert_string_equal(what.key, "/key");
	assert_int_equal(what.timeout, 7);
	conf_unref(c);
	c = read_conf("token = \"abc.d-e_f~g+h/i==\";");
	assert_int_equal(sat_fetch_settings(conf_root(c), &what), 0);
	assert_null(what.user);
	assert_string_equal(what.token, "abc.d-e_f~g+h/i==");
	conf_unref(c);
}

static void what_does_not_go_together_is_a_mistake(void **unused)
{
	static const char *const all[] = {
		"user = \"u\";", "password = \"p\";", "cert = \"c\";", "key = \"k\";", "token = \"\";", "token = \"a b\";",
		"token = \"a\\r\\nX: y\";", "token = \"\xc3\xbc\";", "token = \"t\"; user = \"u\"; password = \"p\";",
	};
	struct sat_fetch what = { .size = sizeof(what) };
	char text[5000];
	struct conf *c;

	(void)unused;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		c = read_conf(all[i]);
		assert_int_equal(sat_fetch_settings(conf_root(c), &what), -EINVAL);
		conf_unref(c);
	}
	for (int n = 4096; n <= 4097; n++) {
		sprintf(text, "token = \"%0*d\";", n, 0);
		c = read_conf(text);
		assert_int_equal(sat_fetch_settings(conf_root(c), &what), n == 4096 ? 0 : -EINVAL);
		conf_unref(c);
	}
}

static int base(const char *url, char **to)
{
	struct conf *c = read_conf("");
	int rc = sat_fetch_base(conf_root(c), "url", url, to);

	conf_unref(c);
	return rc;
}

static void a_url_is_what_paths_are_put_behind(void **unused)
{
	static const struct { const char *url, *base; } good[] = {
		{ "http://a", "http://a" }, { "https://a:1//", "https://a:1" }, { "http://[::1]:5050/x/", "http://[::1]:5050/x" },
		{ "http://a/b@c", "http://a/b@c" },
	};
	static const char *const bad[] = {
		"", "http", "http:/", "http://", "http:///x", "http://:80", "ftp://a", "HTTP://a", "zk://a", "http://u:p@a",
		"http://a/?x", "http://a#b", "http://a b",
	};
	char *to, text[1100];

	(void)unused;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(base(good[i].url, &to), 0);
		assert_string_equal(to, good[i].base);
		free(to);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(base(bad[i], &to), -EINVAL);
	sprintf(text, "http://%01017d", 0);
	assert_int_equal(base(text, &to), 0);
	free(to);
	sprintf(text, "http://%01018d", 0);
	assert_int_equal(base(text, &to), -EINVAL);
}

static int bases(const char *text, char **to, unsigned *n)
{
	struct conf *c = read_conf(text);
	int rc = sat_fetch_bases(conf_root(c), "url", to, 3, n);

	conf_unref(c);
	return rc;
}

static void each_url_of_a_list_is_judged(void **unused)
{
	char *to[3] = { NULL };
	unsigned n;

	(void)unused;
	assert_int_equal(bases("", to, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(to[0], "http://localhost:5050");
	free(to[0]);
	assert_int_equal(bases("url = ( \"http://a/\", \"b\", \"http://c\" );", to, &n), -EINVAL);
	assert_int_equal(n, 3);
	assert_string_equal(to[2], "http://c");
	free(to[0]);
	free(to[2]);
	assert_int_equal(bases("url = ();", to, &n), -EINVAL);
	assert_int_equal(n, 0);
	assert_int_equal(bases("url = ( \"http://a\", \"http://b\", \"http://c\", \"http://d\" );", to, &n), -EINVAL);
	assert_int_equal(n, 0);
}

static void no_memory_is_no_mistake(void **unused)
{
	struct conf *c = read_conf("url = ( \"http://a\", \"http://b\" );");
	int nth = 0, rc;

	(void)unused;
	do {
		char *to[3] = { NULL };
		unsigned n;

		fault_arm(++nth);
		rc = sat_fetch_bases(conf_root(c), "url", to, 3, &n);
		assert_int_equal(rc, fault_fired() ? -ENOMEM : 0);
		for (unsigned i = 0; i < n; i++)
			free(to[i]);
	} while (fault_fired());
	fault_arm(0);
	assert_int_equal(nth, 3);
	conf_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credentials_are_read),
		cmocka_unit_test(what_does_not_go_together_is_a_mistake),
		cmocka_unit_test(a_url_is_what_paths_are_put_behind),
		cmocka_unit_test(each_url_of_a_list_is_judged),
		cmocka_unit_test(no_memory_is_no_mistake),
	};

	log_open("/dev/null", LOG_DEBUG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
