/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls-openssl - both ends of TLS in one process, with certificates good and bad, and without memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "conf.h"
#include "log.h"
#include "tls.h"
#include "unit/fault.h"

extern const struct sat_module sat_module_tls_openssl;

static char dir[] = "/tmp/test_tls.XXXXXX";
static char user_name[] = "door";
static struct sat_self user = { .name = user_name };
static struct conf *files[16];
static unsigned n_files;

static const struct sat_option *const options[] = {
	SAT_OPTION("ca", SAT_STRING, .help = ""), SAT_OPTION("cert", SAT_STRING, .help = ""),
	SAT_OPTION("key", SAT_STRING, .help = ""), SAT_OPTION("verify", SAT_BOOLEAN, .fallback = "true", .help = ""),
	NULL
};

/* ---- Settings ----------------------------------------------------------- */

static char *path(const char *name)
{
	static char to[8][100];
	static unsigned i;

	i = (i + 1) % 8;
	snprintf(to[i], sizeof(to[i]), "%s/%s", dir, name);
	return to[i];
}

static void shell(const char *fmt, ...) SAT_PRINTF(1);
static void shell(const char *fmt, ...)
{
	char command[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	assert_int_equal(system(command), 0);
}

static void forget_log(void)
{
	assert_int_equal(truncate(path("log"), 0), 0);
}

static bool logged(const char *text)
{
	char *log;
	size_t len;
	bool has;

	assert_int_equal(sat_file_read(path("log"), 1 << 20, &log, &len), 0);
	has = strstr(log, text) != NULL;
	if (!has)
		print_message("log: %s\n", log);
	free(log);
	return has;
}

static const char *setting(char *to, size_t size, const char *name, const char *file)
{
	*to = '\0';
	if (file != NULL)
		snprintf(to, size, "%s = \"%s/%s\"; ", name, dir, file);
	return to;
}

/* One side, by files of the folder; cert names its key, too, unless key does. */
static struct sat_tls *side(bool server, const char *ca, const char *cert, const char *key, bool verify)
{
	char text[600], a[150], b[150], c[150], own[100];
	struct sat_tls *t;
	const struct sat_conf *group;

	snprintf(own, sizeof(own), "%.*s.key", cert != NULL ? (int)strcspn(cert, ".") : 0, cert != NULL ? cert : "");
	if (key == NULL && cert != NULL)
		key = own;
	snprintf(text, sizeof(text), "tls = { %s%s%sverify = %s; };", setting(a, sizeof(a), "ca", ca),
		 setting(b, sizeof(b), "cert", cert), setting(c, sizeof(c), "key", key), verify ? "true" : "false");
	assert_in_range(n_files, 0, 15);
	files[n_files] = conf_text(text, "test");
	assert_non_null(files[n_files]);
	group = conf_find(conf_root(files[n_files++]), "tls");
	assert_int_equal(conf_judge(group, options, NULL), 0);
	t = tls_new(&user, sat_module_tls_openssl.tls, group, server);
	return t;
}

static int forget_files(void **unused)
{
	(void)unused;
	while (n_files > 0)
		conf_unref(files[--n_files]);
	conf_forgive();
	forget_log();
	return 0;
}

/* ---- Two ends ----------------------------------------------------------- */

struct end {
	struct sat_tls_conn *conn;
	struct sat_buf out, plain;	/* for the other, from the other */
	int rc;				/* the last one */
	char why[320];
};

static bool end_up(struct end *e, struct sat_tls *tls, const char *name)
{
	memset(e, 0, sizeof(*e));
	e->conn = sat_tls_open(tls, name);
	return e->conn != NULL;
}

static void end_down(struct end *e)
{
	sat_tls_close(e->conn, NULL);
	sat_buf_free(&e->out);
	sat_buf_free(&e->plain);
}

static void hear(struct end *e, const char *p, size_t n)
{
	char *room = malloc(SAT_TLS_ROOM(n));	/* exact, for who looks at bounds */
	size_t got = 0;

	if (room == NULL) {
		e->rc = -ENOMEM;
		return;
	}
	e->rc = sat_tls_decrypt(e->conn, p, n, room, &got, &e->out);
	sat_buf_add(&e->plain, room, got);
	free(room);
	if (e->rc != 0)
		snprintf(e->why, sizeof(e->why), "%s", sat_tls_why(e->conn));
}

/* What one end has to say goes to the other, `piece` bytes at a time; false: it had nothing. */
static bool carry(struct end *from, struct end *to, size_t piece)
{
	struct sat_buf b = from->out;
	bool any = b.len > 0;

	from->out = (struct sat_buf){ 0 };
	for (size_t at = 0; at < b.len && to->rc == 0; at += piece)
		hear(to, b.p + at, b.len - at < piece ? b.len - at : piece);
	sat_buf_free(&b);
	return any;
}

static void carry_all(struct end *a, struct end *b, size_t piece)
{
	while (carry(a, b, piece) || carry(b, a, piece))
		;
}

/* A handshake, as far as it goes. */
static void meet(struct end *server, struct end *client, size_t piece)
{
	hear(client, "", 0);
	carry_all(client, server, piece);
}

static bool met(const struct end *server, const struct end *client)
{
	return server->rc == 0 && client->rc == 0 && sat_tls_ready(server->conn) && sat_tls_ready(client->conn);
}

static void pass_on(struct end *from, struct end *to, const char *p, size_t n, size_t piece)
{
	assert_int_equal(sat_tls_encrypt(from->conn, p, n, &from->out), 0);
	carry_all(from, to, piece);
	assert_int_equal(to->rc, 0);
	assert_int_equal(to->plain.len, n);
	assert_memory_equal(to->plain.p, p, n);
	to->plain.len = 0;
}

static void bytes_go_both_ways(void **unused)
{
	static const size_t pieces[] = { 1, 5, 1000, 16384, 65536, 1 << 20 };
	struct sat_tls *s = side(true, "ca.crt", "server.crt", NULL, true);
	struct sat_tls *c = side(false, "ca.crt", "client.crt", NULL, true);
	char *large = malloc(300000);
	struct end server, client;

	(void)unused;
	assert_non_null(s);
	assert_non_null(c);
	for (size_t i = 0; i < 300000; i++)
		large[i] = (char)(i * 7 + i / 256);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		assert_true(end_up(&server, s, NULL));
		assert_true(end_up(&client, c, i % 2 == 0 ? "localhost" : "127.0.0.1"));
		assert_int_equal(sat_tls_encrypt(client.conn, "early", 5, &client.out), -EPROTO);
		meet(&server, &client, pieces[i]);
		assert_true(met(&server, &client));
		pass_on(&client, &server, "hello", 5, pieces[i]);
		pass_on(&server, &client, large, 300000, pieces[i]);
		pass_on(&client, &server, large, 300000, pieces[i]);
		pass_on(&server, &client, "", 0, pieces[i]);
		sat_tls_close(client.conn, &client.out);
		client.conn = NULL;
		carry(&client, &server, pieces[i]);
		assert_int_equal(server.rc, -EPIPE);
		end_down(&server);
		end_down(&client);
	}
	free(large);
	sat_tls_free(s);
	sat_tls_free(c);
}

/* ---- Who is refused ----------------------------------------------------- */

struct refusal {
	const char *server_ca, *server_cert; bool server_verify;
	const char *client_ca, *client_cert; bool client_verify;
	const char *name;
	const char *server_says, *client_says;	/* NULL: nothing, it is content */
};

static void check_refusal(const struct refusal *r)
{
	struct sat_tls *s = side(true, r->server_ca, r->server_cert, NULL, r->server_verify);
	struct sat_tls *c = side(false, r->client_ca, r->client_cert, NULL, r->client_verify);
	struct end server, client;

	assert_non_null(s);
	assert_non_null(c);
	assert_true(end_up(&server, s, NULL));
	assert_true(end_up(&client, c, r->name));
	meet(&server, &client, 4096);
	print_message("server: %s; client: %s\n", server.why, client.why);
	if (r->server_says == NULL && r->client_says == NULL)
		assert_true(met(&server, &client));
	if (r->server_says != NULL) {
		assert_int_equal(server.rc, -EPROTO);
		assert_non_null(strstr(server.why, r->server_says));
		hear(&server, "more", 4);
		assert_int_equal(server.rc, -EPROTO);
		assert_int_equal(server.plain.len, 0);
	}
	if (r->client_says != NULL) {
		assert_int_equal(client.rc, -EPROTO);
		assert_non_null(strstr(client.why, r->client_says));
	}
	end_down(&server);
	end_down(&client);
	sat_tls_free(s);
	sat_tls_free(c);
	forget_files(NULL);
}

static void only_the_right_ones_meet(void **unused)
{
	static const struct refusal cases[] = {
		{ "ca.crt", "server.crt", true, "ca.crt", "client.crt", true, "localhost", NULL, NULL },
		{ NULL, "server.crt", false, "ca.crt", NULL, true, "::1", NULL, NULL },
		{ "ca.crt", "server.crt", false, "ca.crt", "stranger.crt", true, "localhost", NULL, NULL },
		{ NULL, "elsewhere.crt", false, NULL, NULL, false, "localhost", NULL, NULL },
		{ "ca.crt", "server.crt", true, "ca.crt", NULL, true, "localhost",
		  "has no certificate", "certificate required" },
		{ "ca.crt", "server.crt", true, "ca.crt", "stranger.crt", true, "localhost",
		  "is refused: CN=stranger: unable to get local issuer certificate", "unknown ca" },
		{ "ca.crt", "server.crt", true, "ca.crt", "expired.crt", true, "localhost",
		  "is refused: CN=expired: certificate has expired", "certificate expired" },
		{ NULL, "server.crt", false, "other.crt", NULL, true, "localhost",
		  "unknown ca", "CN=server: unable to get local issuer certificate" },
		{ NULL, "elsewhere.crt", false, "ca.crt", NULL, true, "localhost",
		  "bad certificate", "CN=elsewhere: hostname mismatch" },
		{ NULL, "elsewhere.crt", false, "ca.crt", NULL, true, "127.0.0.1",
		  "bad certificate", "IP address mismatch" },
		{ NULL, "expired.crt", false, "ca.crt", NULL, true, "localhost",
		  "certificate expired", "CN=expired: certificate has expired" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_refusal(&cases[i]);
}

/* ---- Bytes that are not TLS, or not quite ------------------------------- */

static void try_bytes(struct sat_tls *s, const char *p, size_t n)
{
	struct end server;

	assert_true(end_up(&server, s, NULL));
	hear(&server, p, n);
	assert_false(sat_tls_ready(server.conn));
	assert_int_equal(server.plain.len, 0);
	end_down(&server);
}

static void garbage_is_refused(void **unused)
{
	static const char *const texts[] = {
		"GET / HTTP/1.0\r\n\r\n", "\x32\x08\x22\x01h\x1a\x01s\x08\x05", "\xff\xff\xff\xff\xff\xff\xff\xff",
		"CONNECT localhost:5554 HTTP/1.0\r\n\r\n",
	};
	struct sat_tls *s = side(true, "ca.crt", "server.crt", NULL, true);
	struct sat_tls *c = side(false, "ca.crt", "client.crt", NULL, true);
	struct end server, client;
	char copy[4096];
	size_t n;

	(void)unused;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_true(end_up(&server, s, NULL));
		hear(&server, texts[i], strlen(texts[i]));
		assert_int_equal(server.rc, -EPROTO);
		assert_string_equal(server.why, "what it says is not TLS");
		end_down(&server);
	}
	assert_true(end_up(&client, c, "localhost"));
	hear(&client, "", 0);
	n = client.out.len;
	assert_in_range(n, 100, sizeof(copy));
	srand(7);
	for (int i = 0; i < 3000; i++) {
		memcpy(copy, client.out.p, n);
		for (int k = rand() % 4; k >= 0; k--)
			copy[(size_t)rand() % n] = (char)rand();
		try_bytes(s, copy, i % 3 == 0 ? (size_t)rand() % n : n);
	}
	end_down(&client);
	sat_tls_free(s);
	sat_tls_free(c);
}

/* A byte changed under way, anywhere: nothing false is believed. */
static void what_was_changed_is_refused(void **unused)
{
	struct sat_tls *s = side(true, "ca.crt", "server.crt", NULL, true);
	struct sat_tls *c = side(false, "ca.crt", "client.crt", NULL, true);
	struct end server, client;

	(void)unused;
	for (size_t at = 0; at < 27; at++) {
		assert_true(end_up(&server, s, NULL));
		assert_true(end_up(&client, c, "localhost"));
		meet(&server, &client, 4096);
		assert_int_equal(sat_tls_encrypt(client.conn, "hello", 5, &client.out), 0);
		assert_in_range(at, 0, client.out.len - 1);
		client.out.p[at] ^= 1;
		carry(&client, &server, 4096);
		assert_int_equal(server.plain.len, 0);
		assert_true(server.rc == -EPROTO || at == 3 || at == 4);	/* a longer one is waited for */
		end_down(&server);
		end_down(&client);
	}
	sat_tls_free(s);
	sat_tls_free(c);
}

/* ---- Files -------------------------------------------------------------- */

static void refuse(struct sat_tls *t, const char *words)
{
	assert_null(t);
	assert_true(logged(words));
	assert_int_not_equal(conf_mistakes(), 0);
	forget_files(NULL);
}

static void what_cannot_be_used_is_named(void **unused)
{
	(void)unused;
	refuse(side(true, "ca.crt", "none.crt", NULL, true), "none.crt: No such file or directory");
	refuse(side(true, "ca.crt", NULL, NULL, true), "cert: is needed, and its key");
	refuse(side(true, NULL, "server.crt", NULL, true), "ca: is needed: who signs");
	refuse(side(false, NULL, NULL, "client.key", true), "cert: is needed beside key");
	refuse(side(true, "ca.crt", "server.crt", "client.key", true), "client.key: is not the key of ");
	refuse(side(true, "ca.crt", "server.crt", "open.key", true), "open.key: everyone may read or write it; chmod o= ");
	refuse(side(true, "ca.crt", "server.crt", "locked.key", true), "locked.key: asks for a passphrase");
	refuse(side(true, "ca.crt", "server.crt", "server.crt", true), "server.crt: no private key in PEM");
	refuse(side(true, "ca.crt", "server.key", NULL, true), "server.key: no certificate in PEM");
	refuse(side(true, "server.key", "server.crt", NULL, true), "server.key: no certificate in PEM");
	refuse(side(true, "/signed", "server.crt", NULL, true), "signed: Is a directory");
	shell("printf 'not PEM' >%s; head -c 200 %s >%s; mkfifo %s", path("text.crt"), path("server.crt"),
	      path("cut.crt"), path("pipe.crt"));
	refuse(side(true, "ca.crt", "text.crt", "server.key", true), "text.crt: no certificate in PEM");
	refuse(side(true, "ca.crt", "cut.crt", "server.key", true), "cut.crt: no certificate in PEM");
	refuse(side(true, "cut.crt", "server.crt", NULL, true), "cut.crt: no certificate in PEM");
	refuse(side(true, "ca.crt", "pipe.crt", "server.key", true), "pipe.crt: is no file");
}

static void an_end_that_is_near_is_said(void **unused)
{
	struct sat_tls *t = side(true, "ca.crt", "soon.crt", NULL, true);

	(void)unused;
	assert_non_null(t);
	assert_true(logged("soon.crt: expires on "));
	sat_tls_free(t);
	forget_log();
	t = side(true, "ca.crt", "expired.crt", NULL, true);
	assert_non_null(t);
	assert_true(logged("expired.crt: expired on "));
	sat_tls_free(t);
	forget_log();
	t = side(true, "ca.crt", "server.crt", NULL, true);
	sat_tls_free(t);
	assert_false(logged("expire"));
}

static void files_that_changed_are_read_again(void **unused)
{
	struct sat_tls *s, *c = side(false, "ca.crt", NULL, NULL, true);
	struct end server, client, old_server, old_client;

	(void)unused;
	shell("cd %s; cp server.crt now.crt; cp server.key now.key", dir);
	s = side(true, NULL, "now.crt", NULL, false);
	assert_true(end_up(&old_server, s, NULL));
	assert_true(end_up(&old_client, c, "localhost"));
	meet(&old_server, &old_client, 4096);
	assert_true(met(&old_server, &old_client));
	tls_reload();
	assert_false(logged("new certificates"));
	/* One that cannot be used, at first. */
	shell("cd %s; cp elsewhere.crt now.crt", dir);
	tls_reload();
	assert_true(logged("now.key: is not the key of "));
	assert_true(logged("what was read before goes on"));
	assert_true(end_up(&server, s, NULL));
	assert_true(end_up(&client, c, "localhost"));
	meet(&server, &client, 4096);
	assert_true(met(&server, &client));
	end_down(&server);
	end_down(&client);
	shell("cd %s; cp elsewhere.key now.key", dir);
	tls_reload();
	assert_true(logged("new certificates are in use"));
	assert_true(end_up(&server, s, NULL));
	assert_true(end_up(&client, c, "elsewhere.example"));
	meet(&server, &client, 4096);
	assert_true(met(&server, &client));
	end_down(&server);
	end_down(&client);
	/* Those that stand go on, even when their certificates are gone. */
	sat_tls_free(s);
	sat_tls_free(c);
	pass_on(&old_client, &old_server, "hello", 5, 100);
	pass_on(&old_server, &old_client, "hello", 5, 100);
	end_down(&old_server);
	end_down(&old_client);
}

/* ---- Memory ------------------------------------------------------------- */

static int64_t held;	/* pieces of memory that OpenSSL has */

static void *get(size_t n, const char *file, int line)
{
	void *p;

	(void)file;
	(void)line;
	p = malloc(n);
	held += p != NULL;
	return p;
}

static void *get_more(void *p, size_t n, const char *file, int line)
{
	void *q;

	(void)file;
	(void)line;
	q = realloc(p, n);
	held += p == NULL && q != NULL;
	return q;
}

static void give_back(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	held -= p != NULL;
	free(p);
}

static void abandoned_handshakes_leave_nothing(void **unused)
{
	struct sat_tls *s = side(true, "ca.crt", "server.crt", NULL, true);
	struct sat_tls *c = side(false, "ca.crt", "client.crt", NULL, true);
	struct end server, client;
	int64_t before = 0;

	(void)unused;
	for (int i = 0; i < 1100; i++) {
		if (i == 100)
			before = held;
		assert_true(end_up(&server, s, NULL));
		assert_true(end_up(&client, c, "localhost"));
		hear(&client, "", 0);
		if (i % 3 > 0)
			carry(&client, &server, 100);
		if (i % 3 > 1)
			carry(&server, &client, 4096);
		end_down(&server);
		end_down(&client);
	}
	assert_int_equal(held, before);
	sat_tls_free(s);
	sat_tls_free(c);
}

/* All that both ends do, while the nth allocation fails, OpenSSL's among them. */
static bool live_through(int nth, bool *fired)
{
	struct sat_tls *s, *c = NULL;
	struct end server = { 0 }, client = { 0 };
	bool all = false;

	fault_arm(nth);
	s = tls_new(&user, sat_module_tls_openssl.tls, conf_find(conf_root(files[0]), "tls"), true);
	if (s != NULL)
		c = tls_new(&user, sat_module_tls_openssl.tls, conf_find(conf_root(files[1]), "tls"), false);
	if (c != NULL && end_up(&server, s, NULL) && end_up(&client, c, "localhost")) {
		meet(&server, &client, 4096);
		if (met(&server, &client) && sat_tls_encrypt(client.conn, "hello", 5, &client.out) == 0)
			carry_all(&client, &server, 4096);
		all = server.plain.len == 5;
	}
	end_down(&server);
	end_down(&client);
	sat_tls_free(s);
	sat_tls_free(c);
	*fired = fault_fired();
	fault_arm(0);
	return all;
}

static void any_allocation_may_fail(void **unused)
{
	bool fired;
	int n;

	(void)unused;
	sat_tls_free(side(true, "ca.crt", "server.crt", NULL, true));
	sat_tls_free(side(false, "ca.crt", "client.crt", NULL, true));
	assert_true(live_through(0, &fired));
	for (n = 1, fired = true; fired; n += 1 + n / 30)	/* there are 23,000 */
		live_through(n, &fired);
	assert_true(n > 1000);
	assert_true(live_through(0, &fired));
}

/* ---- All of it ---------------------------------------------------------- */

static int begin(void **unused)
{
	char command[100];

	(void)unused;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(command, sizeof(command), "test/certs.sh %s", dir);
	return system(command) != 0 || log_open(path("log"), LOG_INFO) != 0;
}

static int end(void **unused)
{
	char command[100];

	(void)unused;
	log_close();
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

#define TEST(name) cmocka_unit_test_teardown(name, forget_files)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_go_both_ways), TEST(only_the_right_ones_meet), TEST(garbage_is_refused),
		TEST(what_was_changed_is_refused), TEST(what_cannot_be_used_is_named),
		TEST(an_end_that_is_near_is_said), TEST(files_that_changed_are_read_again),
		TEST(abandoned_handshakes_leave_nothing), TEST(any_allocation_may_fail),
	};

	if (CRYPTO_set_mem_functions(get, get_more, give_back) != 1)
		return 1;
	return cmocka_run_group_tests(tests, begin, end);
}
