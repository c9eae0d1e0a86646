/* SPDX-License-Identifier: Apache-2.0 */
/* test_whitelist_admit - a new host is looked up and reached for; nothing waits longer than it may. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "request.h"
#include "unit/bed.h"

#include "../../modules/whitelist/whitelist.h"

extern const struct sat_module sat_module_whitelist;

static struct whitelist *wl;
static _Atomic int64_t counters[32];

/* ---- A request, and its answer ------------------------------------------ */

struct answer {
	struct sat_request *head;
	int status;
	char text[2048];
};

static void door_reply(void *conn, int status, const char *type, const void *body, size_t len,
		       const char *const *extra)
{
	struct answer *a = conn;

	(void)type;
	(void)extra;
	assert_int_equal(a->status, 0);
	a->status = status;
	snprintf(a->text, sizeof(a->text), "%.*s", (int)len, (const char *)body);
}

static const struct sat_http_server door = { .size = sizeof(door), .reply = door_reply };

/* Its request is freed when it is answered, so it is one that lives outside. */
static struct order *ask(struct answer *a, const char *host)
{
	struct sat_request *req = calloc(1, sizeof(*req));
	struct order *o;

	memset(a, 0, sizeof(*a));
	if (req == NULL)
		return NULL;
	*req = (struct sat_request){ .link = &a->head, .door = &door, .conn = a, .method = "POST", .path = "/",
				     .peer = "me" };
	o = order_new(wl, req, ORDER_POST, host, "e");
	if (o == NULL)
		free(req);
	return o;
}

static void wait_for(struct answer *a)
{
	while (a->status == 0)
		bed_turn();
}

static void post(struct answer *a, const char *host)
{
	struct order *o = ask(a, host);

	assert_non_null(o);
	admit(wl, o);
	while (a->status == 0 && hosts_find(wl, host) == NULL)
		bed_turn();
}

/* It waits for the store, which is not there; answered by the way. */
static bool admitted(const char *host)
{
	struct host *h = hosts_find(wl, host);
	bool is = h != NULL && h->orders != NULL;

	commit_lost(wl);
	return is;
}

/* ---- Ports -------------------------------------------------------------- */

static int bound(int family, int *port)
{
	struct sockaddr_storage addr = { .ss_family = (sa_family_t)family };
	socklen_t len = sizeof(addr);
	int fd = socket(family, SOCK_STREAM, 0);

	if (family == AF_INET)
		((struct sockaddr_in *)&addr)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)&addr)->sin6_addr = in6addr_loopback;
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*port = ntohs(family == AF_INET ? ((struct sockaddr_in *)&addr)->sin_port :
		      ((struct sockaddr_in6 *)&addr)->sin6_port);
	return fd;
}

static int listening(int family, int *port)
{
	int fd = bound(family, port);

	if (fd >= 0)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* One whose queue is full, so that it drops what comes. */
static int silent(int *port, int *clients, int n)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = bound(AF_INET, port);

	assert_int_equal(listen(fd, 0), 0);
	to.sin_port = htons((uint16_t)*port);
	for (int i = 0; i < n; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(clients[i], (struct sockaddr *)&to, sizeof(to));
	}
	return fd;
}

static void close_all(int *fds, int n)
{
	while (n > 0)
		close(fds[--n]);
}

/* ---- Life --------------------------------------------------------------- */

static int up(void **unused)
{
	(void)unused;
	bed_up(&sat_module_whitelist);
	bed.self.counters = counters;
	bed.self.n_counters = 32;
	wl = calloc(1, sizeof(*wl));
	wl->self = &bed.self;
	wl->resolve = wl->synced = wl->settled = true;
	wl->mark = MARK_COMPLETE;
	wl->n_batches = BATCHES_MAX;	/* so that nothing is sent */
	wl->reach_time = 200 * SAT_MS;
	commit_start(wl);
	wishes_start(wl);
	return 0;
}

static int down(void **unused)
{
	(void)unused;
	admit_stop(wl);
	while (wl->admits != NULL)
		bed_turn();
	sat_alarm_stop(&wl->flush);
	commit_lost(wl);
	hosts_free(wl);
	free(wl);
	bed_down();
	return 0;
}

static void an_open_port_is_an_answer_and_so_is_a_closed_one(void **unused)
{
	int port, fd = listening(AF_INET, &port);
	struct answer a;

	(void)unused;
	wl->ports[0] = port;
	wl->n_ports = 1;
	post(&a, "127.0.0.1");
	assert_true(admitted("127.0.0.1"));
	close(fd);
	fd = bound(AF_INET, &port);	/* held, but nobody listens */
	wl->ports[0] = port;
	post(&a, "127.0.0.2");
	assert_true(admitted("127.0.0.2"));
	close(fd);
}

static void ipv6_is_reached_as_well(void **unused)
{
	int port, fd = listening(AF_INET6, &port);
	struct answer a;

	(void)unused;
	if (fd < 0)
		skip();
	wl->ports[0] = port;
	wl->n_ports = 1;
	post(&a, "::1");
	assert_true(admitted("::1"));
	close(fd);
}

static void who_does_not_answer_is_refused_in_time(void **unused)
{
	int port, open, clients[4], fd = silent(&port, clients, 4), other = listening(AF_INET, &open);
	int64_t began = sat_clock();
	struct answer a;
	char text[128];

	(void)unused;
	wl->ports[0] = port;
	wl->n_ports = 1;
	post(&a, "127.0.0.1");
	assert_int_equal(a.status, 400);
	snprintf(text, sizeof(text), "{\"error\": \"not reachable: 127.0.0.1 port %d: no answer in time\"}\n", port);
	assert_string_equal(a.text, text);
	assert_in_range(sat_clock() - began, 150 * SAT_MS, 5 * SAT_SECOND);
	/* one of several ports is enough, and does not wait for the others */
	wl->ports[1] = open;
	wl->n_ports = 2;
	wl->reach_time = 60 * SAT_SECOND;
	post(&a, "127.0.0.1");
	assert_true(admitted("127.0.0.1"));
	/* no route at all */
	wl->ports[0] = open;
	wl->n_ports = 1;
	post(&a, "255.255.255.255");
	assert_int_equal(a.status, 400);
	assert_non_null(strstr(a.text, "not reachable: 255.255.255.255 port "));
	close_all(clients, 4);
	close(fd);
	close(other);
}

static void no_name_no_reaching(void **unused)
{
	struct answer a;

	(void)unused;
	wl->ports[0] = 9;
	wl->n_ports = 1;
	post(&a, "no-such-host.invalid");
	assert_int_equal(a.status, 400);
	assert_non_null(strstr(a.text, "\"no address: "));
	post(&a, "-x");
	assert_int_equal(a.status, 400);
	assert_string_equal(a.text, "{\"error\": \"not a legal name for a host\"}\n");
	wl->host_pattern = (char *)"10.%";
	post(&a, "127.0.0.1");
	assert_int_equal(a.status, 400);
	assert_string_equal(a.text, "{\"error\": \"does not match \\\"10.%\\\"\"}\n");
}

static void no_more_than_a_few_at_once(void **unused)
{
	static struct answer many[70];
	int port, clients[4], fd = silent(&port, clients, 4), refused = 0;

	(void)unused;
	wl->ports[0] = port;
	wl->n_ports = 1;
	for (int i = 0; i < 70; i++) {
		admit(wl, ask(&many[i], "127.0.0.1"));
		refused += many[i].status == 503;
	}
	assert_int_equal(refused, 6);
	for (int i = 0; i < 64; i++) {
		wait_for(&many[i]);
		assert_int_equal(many[i].status, 400);
	}
	while (wl->n_admits > 0)
		bed_turn();
	close_all(clients, 4);
	close(fd);
}

static void a_stop_ends_all_of_it(void **unused)
{
	int port, clients[4], fd = silent(&port, clients, 4);
	struct answer early, reaching;

	(void)unused;
	wl->ports[0] = port;
	wl->n_ports = 1;
	wl->reach_time = 60 * SAT_SECOND;
	admit(wl, ask(&reaching, "127.0.0.1"));
	bed_run_for(100);
	assert_int_equal(reaching.status, 0);
	admit(wl, ask(&early, "127.0.0.1"));	/* still looked up */
	admit_stop(wl);
	assert_int_equal(early.status, 503);
	assert_int_equal(reaching.status, 503);
	while (wl->n_admits > 0)
		bed_turn();
	close_all(clients, 4);
	close(fd);
}

static void every_failure_is_survived(void **unused)
{
	int port, fd = listening(AF_INET, &port), nth = 0;
	struct answer a;
	struct order *o;
	bool in;

	(void)unused;
	wl->ports[0] = port;
	wl->n_ports = 1;
	do {
		fault_arm(++nth);
		o = ask(&a, "127.0.0.1");
		if (o == NULL) {
			assert_true(fault_fired());
			continue;
		}
		admit(wl, o);
		while (a.status == 0 && hosts_find(wl, "127.0.0.1") == NULL)
			bed_turn();
		in = admitted("127.0.0.1");
		assert_true(in || (a.status == 503 && fault_fired()));
		if (hosts_find(wl, "127.0.0.1") != NULL) {
			struct host *h = hosts_find(wl, "127.0.0.1");

			h->queued[PERSON] = false;
			wl->dirty[PERSON].first = NULL;
			wl->dirty[PERSON].end = &wl->dirty[PERSON].first;
			hosts_tidy(wl, h);
		}
		while (wl->n_admits > 0)
			bed_turn();
	} while (fault_fired());
	fault_arm(0);
	assert_true(nth > 5);
	close(fd);
}

static int judge(const char *setting)
{
	char text[100];
	struct conf *file;
	const struct sat_conf *group;
	int rc;

	snprintf(text, sizeof(text), "whitelist = { %s };", setting);
	file = conf_text(text, "test");
	assert_non_null(file);
	group = conf_find(conf_root(file), "whitelist");
	wl->n_ports = 0;
	rc = conf_judge(group, sat_module_whitelist.options, NULL);
	if (rc == 0)
		rc = admit_judge(wl, group);
	conf_unref(file);
	return rc;
}

static void ports_are_judged(void **unused)
{
	(void)unused;
	assert_int_equal(judge("reachable = 5051;"), 0);
	assert_int_equal(wl->n_ports, 1);
	assert_int_equal(judge("reachable = ( 5051, 22 ); reach-timeout = 0.5;"), 0);
	assert_int_equal(wl->n_ports, 2);
	assert_int_equal(wl->ports[1], 22);
	assert_int_equal(wl->reach_time, SAT_SECOND / 2);
	assert_int_equal(judge(""), 0);
	assert_int_equal(wl->n_ports, 0);
	assert_int_equal(judge("reachable = 0;"), -EINVAL);
	assert_int_equal(judge("reachable = 65536;"), -EINVAL);
	assert_int_equal(judge("reachable = \"ssh\";"), -EINVAL);
	assert_int_equal(judge("reachable = ( 1, 2, 3, 4, 5 );"), -EINVAL);
	assert_int_equal(judge("reachable = { port = 1; };"), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_open_port_is_an_answer_and_so_is_a_closed_one),
		TEST(ipv6_is_reached_as_well),
		TEST(who_does_not_answer_is_refused_in_time),
		TEST(no_name_no_reaching),
		TEST(no_more_than_a_few_at_once),
		TEST(a_stop_ends_all_of_it),
		TEST(every_failure_is_survived),
		TEST(ports_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
