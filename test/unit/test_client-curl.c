/* SPDX-License-Identifier: Apache-2.0 */
/* test_client-curl - sat_fetch() against a server of a few lines on the same loop. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <cmocka.h>

#include "client.h"
#include "conf.h"
#include "instance.h"
#include "log.h"
#include "unit/fault.h"
#include "work.h"

extern const struct sat_module sat_module_client_curl;

static uv_loop_t loop;
static struct instance instance;
static struct conf *file;
static char name[] = "client-curl", user_name[] = "user";
static struct sat_self user = { .name = user_name };

/* ---- The server: one request a connection, the path says what comes ----- */

struct conn { uv_tcp_t tcp; char in[4096], *out; size_t n, n_out; };	/* n_out: 0: to its NUL */
static uv_tcp_t listeners[2];
static int ports[2], n_conns;
static char seen[4096];			/* the last request */

static void conn_closed(uv_handle_t *h)
{
	struct conn *c = h->data;

	n_conns--;
	free(c->out);
	free(c);
}

static void hang_up(uv_write_t *w, int status)
{
	(void)status;
	if (!uv_is_closing((uv_handle_t *)w->handle))
		uv_close((uv_handle_t *)w->handle, conn_closed);
	free(w);
}

static void written(uv_write_t *w, int status)
{
	(void)status;
	free(w);
}

static void say(struct conn *c, uv_write_cb done)
{
	uv_buf_t buf = uv_buf_init(c->out, (unsigned)(c->n_out > 0 ? c->n_out : strlen(c->out)));
	uv_write_t *w = malloc(sizeof(*w));

	uv_write(w, (uv_stream_t *)&c->tcp, &buf, 1, done);
}

#define HEAD "HTTP/1.1 %s\r\nConnection: close\r\n"

/* "hello", by gzip. */
static const char packed[] = "\037\213\010\000\000\000\000\000\002\003\313\110\315\311\311\007\000\206\246\020\066\005"
	"\000\000";

static void respond(struct conn *c, const char *path)
{
	uv_write_cb done = hang_up;
	size_t n = 4 << 20;
	int len = 0;

	c->out = calloc(1, n);
	if (strcmp(path, "/ok") == 0)
		len = snprintf(c->out, n, HEAD "Content-Type: text/x\r\nX-Mark: a/b+c==\r\n"
			       "Content-Length: 5\r\n\r\nhello", "200 OK");
	else if (strcmp(path, "/missing") == 0)
		len = snprintf(c->out, n, HEAD "Content-Length: 2\r\n\r\nno", "404 Not Found");
	else if (strcmp(path, "/away") == 0)	/* as Mesos does: no scheme */
		len = snprintf(c->out, n, HEAD "Location: //127.0.0.1:%d/ok\r\nX-Way: 1\r\nContent-Length: 5\r\n\r\nmoved",
			       "307 Temporary Redirect", ports[1]);
	else if (strcmp(path, "/here") == 0)
		len = snprintf(c->out, n, HEAD "Location: /ok\r\nContent-Length: 0\r\n\r\n", "307 Temporary Redirect");
	else if (strcmp(path, "/round") == 0)
		len = snprintf(c->out, n, HEAD "Location: /round\r\nContent-Length: 0\r\n\r\n", "302 Found");
	else if (strcmp(path, "/file") == 0)
		len = snprintf(c->out, n, HEAD "Location: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", "302 Found");
	else if (strcmp(path, "/cut") == 0)
		len = snprintf(c->out, n, HEAD "Content-Length: 50\r\n\r\nshort", "200 OK");
	else if (strcmp(path, "/garbage") == 0)
		len = snprintf(c->out, n, "\x16\x03\x01 this is not HTTP\r\n\r\n");
	else if (strcmp(path, "/large") == 0)
		len = snprintf(c->out, n, HEAD "Content-Length: 3000000\r\n\r\n", "200 OK");
	else if (strcmp(path, "/packed") == 0 || strcmp(path, "/packed-badly") == 0)
		len = snprintf(c->out, n, HEAD "Content-Encoding: gzip\r\n\r\n", "200 OK");
	else if (strcmp(path, "/drip") == 0)
		len = snprintf(c->out, n, HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n", "200 OK");
	if (strcmp(path, "/large") == 0)
		memset(c->out + len, 'x', 3000000);
	if (strncmp(path, "/packed", 7) == 0) {
		c->n_out = (size_t)len + sizeof(packed);
		memcpy(c->out + len, packed, sizeof(packed));
		c->out[len + 14] += path[7] == '-';
	}
	if (strcmp(path, "/drip") == 0)
		done = written;
	if (*c->out != '\0')	/* else: /silent */
		say(c, done);
}

static void give_room(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct conn *c = h->data;

	(void)hint;
	*buf = uv_buf_init(c->in + c->n, (unsigned)(sizeof(c->in) - c->n - 1));
}

static void have_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = s->data;
	char path[100];

	(void)buf;
	if (n < 0) {
		if (!uv_is_closing((uv_handle_t *)s))
			uv_close((uv_handle_t *)s, conn_closed);
		return;
	}
	c->n += (size_t)n;
	if (c->out != NULL || strstr(c->in, "\r\n\r\n") == NULL)
		return;
	strcpy(seen, c->in);
	assert_int_equal(sscanf(c->in, "%*s %99s", path), 1);
	respond(c, path);
}

static void have_connection(uv_stream_t *s, int status)
{
	struct conn *c = calloc(1, sizeof(*c));

	assert_int_equal(status, 0);
	n_conns++;
	uv_tcp_init(&loop, &c->tcp);
	c->tcp.data = c;
	uv_accept(s, (uv_stream_t *)&c->tcp);
	uv_read_start((uv_stream_t *)&c->tcp, give_room, have_read);
}

static void serve(int i)
{
	struct sockaddr_in at;
	int len = sizeof(at);

	uv_ip4_addr("127.0.0.1", 0, &at);
	uv_tcp_init(&loop, &listeners[i]);
	assert_int_equal(uv_tcp_bind(&listeners[i], (struct sockaddr *)&at, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&listeners[i], 64, have_connection), 0);
	uv_tcp_getsockname(&listeners[i], (struct sockaddr *)&at, &len);
	ports[i] = ntohs(at.sin_port);
}

/* ---- The asking side ---------------------------------------------------- */

struct got {
	int done, rc, status, data;
	size_t len, received;
	char body[100], url[200], error[200], type[50], kept[50];
	int abort;
};

static void done(void *arg, const struct sat_answer *a)
{
	struct got *g = arg;

	g->done++;
	g->rc = a->rc;
	g->status = a->status;
	g->len = a->len;
	g->received = (size_t)a->received;
	snprintf(g->body, sizeof(g->body), "%s", a->body);
	snprintf(g->url, sizeof(g->url), "%s", a->url);
	snprintf(g->type, sizeof(g->type), "%s", a->type != NULL ? a->type : "");
	snprintf(g->kept, sizeof(g->kept), "%s", a->kept != NULL ? a->kept : "none");
	snprintf(g->error, sizeof(g->error), "%s", a->error != NULL ? a->error : "");
}

static int data(void *arg, int status, const void *p, size_t n)
{
	struct got *g = arg;

	(void)p;
	assert_int_equal(status, 200);
	g->data += (int)n;
	return g->abort;
}

static void turn_until(const int *count, int n)
{
	uint64_t until = uv_hrtime() + UINT64_C(20000000000);

	while (*count < n) {
		assert_true(uv_hrtime() < until);
		uv_run(&loop, UV_RUN_ONCE);
	}
}

static struct sat_call *ask(struct got *g, const char *path, struct sat_fetch what)
{
	char url[200];
	struct sat_call *call;

	memset(g, 0, sizeof(*g));
	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", ports[0], path);
	what.size = sizeof(what);
	what.url = what.url != NULL ? what.url : url;
	what.done = done;
	call = sat_fetch(&user, &what, g);
	assert_int_equal(g->done, 0);	/* never from inside */
	return call;
}

static void fetch(struct got *g, const char *path, struct sat_fetch what)
{
	assert_non_null(ask(g, path, what));
	turn_until(&g->done, 1);
	assert_int_equal(g->done, 1);
}

static bool has_stopped;

static void stopped(struct instance *i)
{
	(void)i;
	has_stopped = true;
}

static int begin(void **unused)
{
	const struct sat_conf *group;

	(void)unused;
	log_open("/dev/null", LOG_DEBUG);
	assert_int_equal(uv_loop_init(&loop), 0);
	self_process.loop = &loop;
	assert_int_equal(work_init(&loop), 0);
	file = conf_text("client-curl = { };", "test");
	group = conf_find(conf_root(file), "client-curl");
	assert_int_equal(conf_judge(group, sat_module_client_curl.options, NULL), 0);
	memset(&instance, 0, sizeof(instance));
	instance.self.name = name;
	instance.self.module = &sat_module_client_curl;
	instance.self.instance = &instance;
	assert_int_equal(sat_module_client_curl.create(&instance.self, group, &instance.self.state), 0);
	assert_int_equal(sat_module_client_curl.start(instance.self.state), 0);
	instance.stage = INSTANCE_RUNNING;
	client_use(&instance.self);
	serve(0);
	serve(1);
	return 0;
}

static void stop(void)
{
	has_stopped = false;
	instance_stop(&instance, stopped);
	while (!has_stopped)
		uv_run(&loop, UV_RUN_ONCE);
	sat_module_client_curl.destroy(instance.self.state);
	client_forget(&instance.self);
	assert_null(client_instance());
}

static void close_all(uv_handle_t *h, void *unused)
{
	(void)unused;
	if (!uv_is_closing(h) && h->type == UV_TCP)
		uv_close(h, h == (uv_handle_t *)&listeners[0] || h == (uv_handle_t *)&listeners[1] ? NULL : conn_closed);
}

static int end(void **unused)
{
	(void)unused;
	fault_arm(0);
	if (client_instance() != NULL)
		stop();
	uv_walk(&loop, close_all, NULL);
	work_forget(&instance.self);
	work_end();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(n_conns, 0);
	conf_unref(file);
	log_close();
	return 0;
}

/* ---- Tests -------------------------------------------------------------- */

static void an_answer_is_kept(void **unused)
{
	const char *const headers[] = { "X-One: 1", "Accept: application/json", NULL };
	struct got g;

	(void)unused;
	fetch(&g, "/ok", (struct sat_fetch){ .headers = headers, .user = "me", .password = "pw" });
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.status, 200);
	assert_string_equal(g.body, "hello");
	assert_string_equal(g.type, "text/x");
	assert_int_equal(g.received, 5);
	assert_non_null(strstr(seen, "GET /ok HTTP/1.1\r\n"));
	assert_non_null(strstr(seen, "X-One: 1\r\n"));
	assert_non_null(strstr(seen, "Authorization: Basic bWU6cHc=\r\n"));
	fetch(&g, "/missing", (struct sat_fetch){ 0 });
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.status, 404);
	assert_string_equal(g.body, "no");
}

static int turns, turns_between;

static void count_turn(uv_prepare_t *p)
{
	(void)p;
	turns++;
}

/* Each piece takes a while. */
static int slow_data(void *arg, int status, const void *p, size_t n)
{
	static int turn;
	uint64_t until = uv_hrtime() + 2000000;

	turns_between += turns != turn;
	turn = turns;
	while (uv_hrtime() < until)
		continue;
	return data(arg, status, p, n);
}

static void much_that_comes_leaves_turns_to_others(void **unused)
{
	static uv_prepare_t each;
	struct got g, other;

	(void)unused;
	uv_prepare_init(&loop, &each);
	uv_prepare_start(&each, count_turn);
	uv_unref((uv_handle_t *)&each);
	turns_between = 0;
	assert_non_null(ask(&g, "/large", (struct sat_fetch){ .data = slow_data }));
	fetch(&other, "/ok", (struct sat_fetch){ 0 });
	assert_int_equal(g.done, 0);
	turn_until(&g.done, 1);
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.data, 3000000);
	assert_int_equal(g.received, 3000000);
	assert_true(turns_between > 20);	/* of 184 pieces, 2 ms each */
	/* One that is ended while it waits for its turn. */
	ask(&g, "/large", (struct sat_fetch){ .data = slow_data });
	while (g.data < 300000)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&each, NULL);
	stop();
	assert_int_equal(g.done, 1);
	assert_int_equal(g.rc, -ECANCELED);
}

static void methods_and_bodies(void **unused)
{
	struct got g;

	(void)unused;
	fetch(&g, "/ok", (struct sat_fetch){ .body = "{}", .body_len = 2 });
	assert_non_null(strstr(seen, "POST /ok "));
	assert_non_null(strstr(seen, "Content-Length: 2\r\n"));
	fetch(&g, "/ok", (struct sat_fetch){ .method = "PUT", .body = "{}", .body_len = 2 });
	assert_non_null(strstr(seen, "PUT /ok "));
	fetch(&g, "/ok", (struct sat_fetch){ .method = "POST" });
	assert_non_null(strstr(seen, "Content-Length: 0\r\n"));
	fetch(&g, "/ok", (struct sat_fetch){ .method = "DELETE" });
	assert_non_null(strstr(seen, "DELETE /ok "));
	fetch(&g, "/ok", (struct sat_fetch){ .method = "HEAD" });
	assert_int_equal(g.status, 200);
	assert_int_equal(g.len, 0);
}

/* One header of the last answer, whoever answered before. */
static void a_header_is_kept(void **unused)
{
	struct got g;

	(void)unused;
	fetch(&g, "/ok", (struct sat_fetch){ .keep = "x-mark" });
	assert_string_equal(g.kept, "a/b+c==");
	fetch(&g, "/away", (struct sat_fetch){ .keep = "X-Mark" });
	assert_string_equal(g.kept, "a/b+c==");
	fetch(&g, "/away", (struct sat_fetch){ .keep = "X-Way" });
	assert_string_equal(g.kept, "none");
	fetch(&g, "/ok", (struct sat_fetch){ 0 });
	assert_string_equal(g.kept, "none");
}

static void a_token_goes_in_place_of_a_password(void **unused)
{
	struct got g;

	(void)unused;
	fetch(&g, "/ok", (struct sat_fetch){ .token = "abc.d/e+f=" });
	assert_non_null(strstr(seen, "Authorization: Bearer abc.d/e+f=\r\n"));
	fetch(&g, "/away", (struct sat_fetch){ .token = "abc" });
	assert_int_equal(g.status, 200);
	assert_null(strstr(seen, "Authorization"));
	fetch(&g, "/here", (struct sat_fetch){ .token = "abc" });
	assert_non_null(strstr(seen, "Authorization: Bearer abc\r\n"));
}

/* Mesos sends to the leader without a scheme; a password stays with the host it is for. */
static void redirects_are_followed_without_credentials(void **unused)
{
	char url[100];
	struct got g;

	(void)unused;
	fetch(&g, "/away", (struct sat_fetch){ .user = "me", .password = "pw" });
	assert_int_equal(g.status, 200);
	assert_string_equal(g.body, "hello");
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/ok", ports[1]);
	assert_string_equal(g.url, url);
	assert_null(strstr(seen, "Authorization"));
	fetch(&g, "/here", (struct sat_fetch){ .user = "me", .password = "pw" });
	assert_int_equal(g.status, 200);
	assert_non_null(strstr(seen, "Authorization"));
	fetch(&g, "/away", (struct sat_fetch){ .no_redirect = true });
	assert_int_equal(g.status, 307);
	fetch(&g, "/away", (struct sat_fetch){ .data = data });
	assert_int_equal(g.data, 5);	/* not the redirect's own */
	fetch(&g, "/round", (struct sat_fetch){ 0 });
	assert_int_equal(g.rc, -ELOOP);
	fetch(&g, "/file", (struct sat_fetch){ 0 });
	assert_int_equal(g.rc, -EINVAL);
	assert_null(strstr(g.body, "root"));
}

static void what_goes_wrong_has_a_number_and_words(void **unused)
{
	char url[100];
	int port = ports[1];
	struct got g;

	(void)unused;
	fetch(&g, "/cut", (struct sat_fetch){ 0 });
	assert_int_equal(g.rc, -EBADMSG);
	assert_string_equal(g.error, "the answer broke off before its end");
	fetch(&g, "/garbage", (struct sat_fetch){ 0 });
	assert_true(g.rc < 0);
	fetch(&g, "/silent", (struct sat_fetch){ .timeout = 200 * SAT_MS });
	assert_int_equal(g.rc, -ETIMEDOUT);
	uv_close((uv_handle_t *)&listeners[1], NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/ok", port);
	fetch(&g, "", (struct sat_fetch){ .url = url });
	assert_int_equal(g.rc, -ECONNREFUSED);
	assert_null(ask(&g, "", (struct sat_fetch){ .url = "file:///etc/passwd" }));
	assert_null(ask(&g, "", (struct sat_fetch){ .url = "not a url" }));
	assert_null(ask(&g, "", (struct sat_fetch){ .url = "gopher://127.0.0.1/" }));
}

/* It is not asked for, but a proxy may do so. */
static void what_comes_compressed_is_understood(void **unused)
{
	struct got g;

	(void)unused;
	fetch(&g, "/packed", (struct sat_fetch){ 0 });
	assert_int_equal(g.rc, 0);
	assert_string_equal(g.body, "hello");
	assert_non_null(strstr(seen, "Accept-Encoding: identity\r\n"));
	fetch(&g, "/packed", (struct sat_fetch){ .data = data });
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.data, 5);
	fetch(&g, "/packed-badly", (struct sat_fetch){ 0 });
	assert_int_equal(g.rc, -EBADMSG);
	assert_true(*g.error != '\0');
}

static void a_body_has_a_limit(void **unused)
{
	struct got g;

	(void)unused;
	fetch(&g, "/large", (struct sat_fetch){ 0 });
	assert_int_equal(g.rc, -EMSGSIZE);
	fetch(&g, "/large", (struct sat_fetch){ .max = 3000000 });
	assert_int_equal(g.rc, 0);
	assert_int_equal(g.len, 3000000);
	fetch(&g, "/large", (struct sat_fetch){ .data = data });
	assert_int_equal(g.data, 3000000);
	assert_int_equal(g.len, 0);
	memset(&g, 0, sizeof(g));
}

static int refuse(void *arg, int status, const void *p, size_t n)
{
	(void)arg;
	(void)status;
	(void)p;
	(void)n;
	return 1;
}

static void a_reader_may_abort_and_cancel(void **unused)
{
	struct sat_call *call;
	struct got g;

	(void)unused;
	fetch(&g, "/large", (struct sat_fetch){ .data = refuse });
	assert_int_equal(g.rc, -ECANCELED);
	call = ask(&g, "/silent", (struct sat_fetch){ 0 });
	sat_fetch_cancel(call);
	sat_fetch_cancel(call);
	assert_int_equal(g.done, 0);
	turn_until(&g.done, 1);
	assert_int_equal(g.rc, -ECANCELED);
}

static void a_stream_ends_when_it_is_silent(void **unused)
{
	struct got g;

	(void)unused;
	fetch(&g, "/drip", (struct sat_fetch){ .endless = true, .timeout = 300 * SAT_MS, .data = data });
	assert_int_equal(g.rc, -ETIMEDOUT);
	assert_int_equal(g.data, 3);
}

static void the_end_cancels_all(void **unused)
{
	struct got a, b;

	(void)unused;
	assert_non_null(ask(&a, "/silent", (struct sat_fetch){ 0 }));
	assert_non_null(ask(&b, "/silent", (struct sat_fetch){ .endless = true }));
	uv_run(&loop, UV_RUN_NOWAIT);
	stop();
	assert_int_equal(a.done, 1);
	assert_int_equal(a.rc, -ECANCELED);
	assert_int_equal(b.rc, -ECANCELED);
	assert_null(ask(&a, "/ok", (struct sat_fetch){ 0 }));
}

static void who_is_gone_hears_nothing(void **unused)
{
	struct got g;

	(void)unused;
	assert_non_null(ask(&g, "/silent", (struct sat_fetch){ 0 }));
	client_forget(&user);
	stop();
	assert_int_equal(g.done, 0);
}

static void there_is_a_limit(void **unused)
{
	static struct got g[1025];
	int n = 0;

	(void)unused;
	for (int i = 0; i < 1025; i++)
		n += ask(&g[i], "/silent", (struct sat_fetch){ 0 }) != NULL;
	assert_int_equal(n, 1024);
	stop();
	for (int i = 0; i < 1024; i++)
		assert_int_equal(g[i].done, 1);
}

static void every_failure_is_survived(void **unused)
{
	const char *const headers[] = { "X-One: 1", NULL };
	int nth = 0, fired;
	struct got g;

	(void)unused;
	do {
		struct sat_call *call;

		fault_arm(++nth);
		call = ask(&g, "/ok", (struct sat_fetch){ .headers = headers, .body = "x", .body_len = 1 });
		fired = fault_fired();
		if (call == NULL)
			assert_true(fired);
		fault_arm(0);
		if (call != NULL)
			turn_until(&g.done, 1);
	} while (fired);
	assert_true(nth > 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_is_kept),
		TEST(a_header_is_kept),
		TEST(a_token_goes_in_place_of_a_password),
		TEST(much_that_comes_leaves_turns_to_others),
		TEST(methods_and_bodies),
		TEST(redirects_are_followed_without_credentials),
		TEST(what_goes_wrong_has_a_number_and_words),
		TEST(what_comes_compressed_is_understood),
		TEST(a_body_has_a_limit),
		TEST(a_reader_may_abort_and_cancel),
		TEST(a_stream_ends_when_it_is_silent),
		TEST(the_end_cancels_all),
		TEST(who_is_gone_hears_nothing),
		TEST(there_is_a_limit),
		TEST(every_failure_is_survived),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
