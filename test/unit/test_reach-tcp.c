/* SPDX-License-Identifier: Apache-2.0 */
/* test_reach-tcp - ports that take connections, refuse them, or do neither; names that are found, or not. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/bed.h"

extern const struct sat_module sat_module_reach_tcp;

/* ---- getaddrinfo(), as far as the check is concerned --------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static bool held;		/* who looks up "hang" hangs */
static int lookups, inside;

void *__real_calloc(size_t n, size_t size);	/* the one that no fault reaches */

static struct addrinfo *answer(const char *address, const char *port)
{
	struct addrinfo *a = __real_calloc(1, sizeof(*a) + sizeof(struct sockaddr_in));
	struct sockaddr_in *in = (struct sockaddr_in *)(a + 1);

	*in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	inet_pton(AF_INET, address, &in->sin_addr);
	a->ai_addr = (struct sockaddr *)in;
	a->ai_addrlen = sizeof(*in);
	return a;
}

/* "two" has an address that refuses, then one that does not. */
int getaddrinfo(const char *restrict host, const char *restrict port, const struct addrinfo *restrict hints,
		struct addrinfo **restrict list)
{
	struct in_addr in;

	if (inet_pton(AF_INET, host, &in) == 1) {
		*list = answer(host, port);
		return 0;
	}
	if (hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	pthread_mutex_lock(&lock);
	lookups++;
	inside++;
	while (held && strcmp(host, "hang") == 0)
		pthread_cond_wait(&released, &lock);
	inside--;
	pthread_mutex_unlock(&lock);
	if (strcmp(host, "none") == 0)
		return EAI_NONAME;
	*list = answer(strcmp(host, "two") == 0 ? "127.0.0.9" : "127.0.0.1", port);
	if (strcmp(host, "two") == 0)
		(*list)->ai_next = answer("127.0.0.1", port);
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	for (struct addrinfo *next; list != NULL; list = next) {
		next = list->ai_next;
		free(list);
	}
}

static void hold(bool how)
{
	pthread_mutex_lock(&lock);
	held = how;
	pthread_cond_broadcast(&released);
	pthread_mutex_unlock(&lock);
}

static int now(const int *which)
{
	int n;

	pthread_mutex_lock(&lock);
	n = *which;
	pthread_mutex_unlock(&lock);
	return n;
}

/* ---- A port -------------------------------------------------------------- */

static int port, listener;
static struct sockaddr_in at;

static int up(void **unused)
{
	socklen_t len = sizeof(at);

	(void)unused;
	at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1000), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	port = ntohs(at.sin_port);
	lookups = 0;
	bed_up(&sat_module_reach_tcp);
	return 0;
}

static int down(void **unused)
{
	(void)unused;
	hold(false);
	do	/* what came late is freed on the loop */
		bed_run_for(50);
	while (now(&inside) > 0);
	bed_down();
	close(listener);
	return 0;
}

static const struct sat_event *look(const char *host, const char *settings)
{
	char list[512];

	bed_end_checks();
	snprintf(list, sizeof(list), "{ check = \"tcp-reachable\"; address = \"%s:%d\"; interval = 0.3; %s }", host, port,
		 settings);
	assert_non_null(bed_build("", list));
	bed_wait(1);
	return bed.seen[0];
}

static void one_that_takes_connections_is_ok(void **unused)
{
	const struct sat_event *ev = look("127.0.0.1", "");
	char service[64];

	(void)unused;
	snprintf(service, sizeof(service), "127.0.0.1:%d reachable in ms", port);
	assert_string_equal(ev->service, service);
	assert_string_equal(ev->state, "ok");
	assert_true(ev->has & SAT_HAS_DOUBLE);
	assert_true(ev->metric.d > 0 && ev->metric.d < 300);
	assert_non_null(strstr(ev->description, "takes connections, in "));
	assert_int_equal(lookups, 0);
	assert_string_equal(look("127.0.0.1", "warning = 0.000001;")->state, "warning");
	assert_string_equal(look("127.0.0.1", "threshold = 0.000001;")->state, "critical");
	assert_true(bed.seen[0]->has & SAT_HAS_DOUBLE);
}

static void one_that_refuses_is_critical(void **unused)
{
	const struct sat_event *ev;

	(void)unused;
	close(listener);
	ev = look("127.0.0.1", "");
	assert_string_equal(ev->state, "critical");
	assert_non_null(strstr(ev->description, ": Connection refused"));
	assert_false(ev->has & SAT_HAS_METRIC);
	listener = -1;
}

static void a_name_is_looked_up_and_each_address_tried(void **unused)
{
	const struct sat_event *ev = look("two", "");

	(void)unused;
	assert_string_equal(ev->state, "ok");
	assert_true(lookups > 0);
	ev = look("none", "");
	assert_string_equal(ev->state, "critical");
	assert_non_null(strstr(ev->description, "Name or service not known"));
}

/* Its queue is full, so the kernel answers nobody. */
static void one_that_does_not_answer_is_critical_in_time(void **unused)
{
	const struct sat_event *ev;
	int fds[8];

	(void)unused;
	assert_int_equal(listen(listener, 1), 0);
	for (int i = 0; i < 8; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fds[i], (struct sockaddr *)&at, sizeof(at));
	}
	ev = look("127.0.0.1", "timeout = 0.2;");
	assert_string_equal(ev->state, "critical");
	assert_non_null(strstr(ev->description, ": no answer in 0.2 s"));
	for (int i = 0; i < 8; i++)
		close(fds[i]);
}

static void a_name_that_hangs_is_not_looked_up_again(void **unused)
{
	(void)unused;
	hold(true);
	assert_string_equal(look("hang", "timeout = 0.2;")->state, "critical");
	assert_non_null(strstr(bed.seen[0]->description, ": its name was not found in 0.2 s"));
	while (bed.n < 3)
		bed_turn();
	assert_int_equal(now(&lookups), 1);
	hold(false);
	while (strcmp(bed.seen[bed.n - 1]->state, "ok") != 0)
		bed_turn();
}

static void mistakes_are_refused(void **unused)
{
	static const char *const bad[] = { "", "host", "host:", "host:0", "host:65536", ":80", "a b:80", "::1:80", "[::1:80",
					   "host:80x", "host:+8" };
	char list[256];

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		conf_forgive();
		snprintf(list, sizeof(list), "{ check = \"tcp-reachable\"; address = \"%s\"; }", bad[i]);
		assert_null(bed_build("", list));
		assert_int_equal(conf_mistakes(), 1);
	}
	conf_forgive();
	assert_null(bed_build("", "{ check = \"tcp-reachable\"; address = \"[::1]:80\"; threshold = 5; warning = 5; }"));
	assert_int_equal(conf_mistakes(), 1);
	assert_non_null(bed_build("", "{ check = \"tcp-reachable\"; address = \"[::1]:80\"; threshold = 5; warning = 4; }"));
}

static void survive(const char *host)
{
	char entry[256];

	snprintf(entry, sizeof(entry), "{ check = \"tcp-reachable\"; address = \"%s:%d\"; interval = 0.1; }", host,
		 port);
	bed_survives(entry, 2);
}

static void every_failure_is_survived(void **unused)
{
	(void)unused;
	survive("127.0.0.1");
	survive("two");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_that_takes_connections_is_ok),
		TEST(one_that_refuses_is_critical),
		TEST(a_name_is_looked_up_and_each_address_tried),
		TEST(one_that_does_not_answer_is_critical_in_time),
		TEST(a_name_that_hangs_is_not_looked_up_again),
		TEST(mistakes_are_refused),
		TEST(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
