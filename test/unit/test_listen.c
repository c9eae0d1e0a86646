/* SPDX-License-Identifier: Apache-2.0 */
/* test_listen - sockets outlive the instance that asked for them, but not the last. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "listen.h"
#include "log.h"
#include "unit/fault.h"

static char name_old[] = "old", name_new[] = "new";
static struct sat_self old = { .name = name_old }, new = { .name = name_new };

/* A port that was free a moment ago. */
static int free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	return ntohs(in.sin_port);
}

static int reach(int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int rc = connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0 ? 0 : -errno;

	close(fd);
	return rc;
}

static int begin(void **unused)
{
	(void)unused;
	return log_open("/dev/null", LOG_ERR);
}

static int end(void **unused)
{
	(void)unused;
	listen_release(&old);
	listen_release(&new);
	assert_int_equal(listen_count(), 0);
	log_close();
	return 0;
}

static void the_next_one_gets_the_same_socket(void **unused)
{
	int port = free_port(), a, b, yes = 0;
	socklen_t len = sizeof(yes);

	(void)unused;
	assert_int_equal(sat_listen(&old, "127.0.0.1", port, SOCK_STREAM, &a), 0);
	assert_int_equal(getsockopt(a, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len), 0);
	assert_true(yes);
	assert_int_equal(sat_listen(&new, "127.0.0.1", port, SOCK_STREAM, &b), 0);
	assert_int_equal(listen_count(), 1);
	close(a);
	listen_release(&old);
	assert_int_equal(reach(port), 0);
	close(b);
	listen_release(&new);
	assert_int_equal(listen_count(), 0);
	assert_int_equal(reach(port), -ECONNREFUSED);
}

static void kinds_and_addresses_are_apart(void **unused)
{
	int port = free_port(), a, b, c;

	(void)unused;
	assert_int_equal(sat_listen(&old, "127.0.0.1", port, SOCK_STREAM, &a), 0);
	assert_int_equal(sat_listen(&old, "127.0.0.1", port, SOCK_DGRAM, &b), 0);
	assert_int_equal(sat_listen(&old, "127.0.0.2", port, SOCK_STREAM, &c), 0);
	assert_int_equal(listen_count(), 3);
	close(a);
	close(b);
	close(c);
}

static void a_taken_port_is_said(void **unused)
{
	int port = free_port(), a, b = -1;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };

	(void)unused;
	a = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(a, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(a, 1), 0);
	assert_int_equal(sat_listen(&old, "127.0.0.1", port, SOCK_STREAM, &b), -EADDRINUSE);
	assert_int_equal(listen_count(), 0);
	close(a);
	a = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(a, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(sat_listen(&old, "127.0.0.1", port, SOCK_DGRAM, &b), -EADDRINUSE);
	close(a);
}

/* A door moves between one address and all: both sockets stand, and others are still kept out. */
static void a_port_moves_between_addresses(void **unused)
{
	int port = free_port(), a, b, c, other;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY),
		.sin_port = htons((uint16_t)port) };

	(void)unused;
	assert_int_equal(sat_listen(&old, "127.0.0.1", port, SOCK_STREAM, &a), 0);
	assert_int_equal(sat_listen(&new, "0.0.0.0", port, SOCK_STREAM, &b), 0);
	listen_release(&old);
	close(a);
	assert_int_equal(reach(port), 0);
	assert_int_equal(sat_listen(&old, "127.0.0.1", port, SOCK_STREAM, &c), 0);
	other = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), 0);
	assert_int_equal(bind(other, (struct sockaddr *)&in, sizeof(in)), -1);
	assert_int_equal(errno, EADDRINUSE);
	close(other);
	close(b);
	close(c);
}

static bool all_stay(void *arg, const struct sat_self *self)
{
	(void)arg;
	(void)self;
	return true;
}

static bool new_stays(void *arg, const struct sat_self *self)
{
	(void)arg;
	return self == &new;
}

static void no_two_that_stay_have_one_socket(void **unused)
{
	int port = free_port(), a, b;

	(void)unused;
	assert_int_equal(sat_listen(&old, "127.0.0.1", port, SOCK_STREAM, &a), 0);
	assert_int_equal(listen_check(all_stay, NULL), 0);
	assert_int_equal(sat_listen(&new, "127.0.0.1", port, SOCK_STREAM, &b), 0);
	assert_int_equal(listen_check(new_stays, NULL), 0);
	assert_int_equal(listen_check(all_stay, NULL), -EADDRINUSE);
	close(a);
	close(b);
}

static void nonsense_is_refused(void **unused)
{
	int fd;

	(void)unused;
	assert_int_equal(sat_listen(&old, "no such host.invalid", 1, SOCK_STREAM, &fd), -EADDRNOTAVAIL);
	assert_int_equal(sat_listen(&old, "203.0.113.1", 1, SOCK_STREAM, &fd), -EADDRNOTAVAIL);
}

static void every_failure_is_survived(void **unused)
{
	int port = free_port(), nth = 0, rc, fd = -1;

	(void)unused;
	do {
		fault_arm(++nth);
		rc = sat_listen(&old, "127.0.0.1", port, SOCK_STREAM, &fd);
		assert_int_equal(rc == 0, listen_count() == 1);
		if (rc == 0)
			close(fd);
		listen_release(&old);
	} while (fault_fired());
	fault_arm(0);
	assert_int_equal(rc, 0);
	assert_true(nth > 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_next_one_gets_the_same_socket),
		TEST(kinds_and_addresses_are_apart),
		TEST(a_taken_port_is_said),
		TEST(a_port_moves_between_addresses),
		TEST(no_two_that_stay_have_one_socket),
		TEST(nonsense_is_refused),
		TEST(every_failure_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
