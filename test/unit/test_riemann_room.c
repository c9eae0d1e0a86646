/* SPDX-License-Identifier: Apache-2.0 */
/* test_riemann_room - who waits for room for its message, in which line, and since when. */
#include "unit/host.h"

#include <netinet/tcp.h>
#include <signal.h>

#include "account.h"
#include "../../modules/riemann/door.h"

#define SMALL	60000		/* bytes of a frame that waits among the small ones */
#define LARGE	100000
#define PATIENCE 2000		/* frame-timeout, in ms */

static char text[200];
static int port;
static size_t taken;

static struct sat_self *door(void)
{
	return &setup_find(life_setup(), "riemann")->self;
}

/* ---- Clients ------------------------------------------------------------ */

static int dial(void)
{
	int fd = host_connect(port, SOCK_STREAM), on = 1;

	assert_true(fd >= 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* A message of n bytes that has nothing but a description of no event's. */
static char *frame(char *to, uint32_t n)
{
	const uint32_t length = htonl(n);

	memcpy(to, &length, 4);
	memset(to + 4, 0, n);
	memcpy(to + 4, "\xa2\x1f", 2);		/* field 500: bytes, whose length has three here */
	n -= 5;
	to[6] = (char)((n & 127) | 128);
	to[7] = (char)((n >> 7 & 127) | 128);
	to[8] = (char)(n >> 14);
	return to;
}

static void say(int fd, const char *p, size_t n)
{
	assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
}

static int64_t wanted;

static bool so_many_wait(void)
{
	return sat_counted(door(), WAITING) == wanted;
}

static bool so_many_ran(void)
{
	return sat_counted(door(), MESSAGES) == wanted;
}

static void expect(bool (*is)(void), int64_t n)
{
	wanted = n;
	assert_true(host_until(is, 10000));
}

static bool never(void)
{
	return false;
}

/* ---- Room --------------------------------------------------------------- */

static void take_all_room(void)
{
	for (size_t n = 1 << 20; n > 0; n /= 2)
		while (sat_reserve(&self_host, SAT_BUFFERS, n) == 0)
			taken += n;
}

static void give_room(void)
{
	sat_release(&self_host, SAT_BUFFERS, taken);
	taken = 0;
}

/*
 * One waits for room for a small message, whose rest comes before it is late, and with it
 * the beginning of another: that has its own time, and waits in the line for its size.
 */
static void waits_anew(uint32_t next)
{
	static char large[LARGE + 4], first[SMALL + LARGE + 8];
	int before = dial(), fd = dial();
	uint64_t began;

	take_all_room();
	say(before, frame(large, LARGE), 1000);
	expect(so_many_wait, 1);
	frame(first, SMALL);
	frame(first + 4 + SMALL, next);
	began = uv_now(&host_loop);
	say(fd, first, SMALL / 2);
	expect(so_many_wait, 2);
	host_until(never, PATIENCE / 2);
	say(fd, first + SMALL / 2, 4 + SMALL - SMALL / 2 + 1000);
	expect(so_many_ran, 1);
	expect(so_many_wait, 2);
	assert_true(uv_now(&host_loop) - began < PATIENCE);
	host_until(never, (unsigned)(PATIENCE + 300 - (uv_now(&host_loop) - began)));
	assert_int_equal(sat_counted(door(), TIMED_OUT), 0);
	give_room();
	expect(so_many_wait, 0);
	say(fd, first + 4 + SMALL + 1000, 4 + next - 1000);
	say(before, large + 1000, 4 + LARGE - 1000);
	expect(so_many_ran, 3);
	assert_int_equal(sat_counted(door(), TIMED_OUT) + sat_counted(door(), MALFORMED), 0);
	close(fd);
	close(before);
}

static void a_small_message_waits_anew(void **unused)
{
	(void)unused;
	waits_anew(SMALL);
}

static void a_large_message_waits_with_the_large(void **unused)
{
	(void)unused;
	waits_anew(LARGE);
}

static void who_waits_too_long_is_late(void **unused)
{
	static char large[LARGE + 4], small[SMALL + 4];
	int before = dial(), fd = dial();
	uint64_t began;

	(void)unused;
	take_all_room();
	say(before, frame(large, LARGE), 1000);
	expect(so_many_wait, 1);
	began = uv_now(&host_loop);
	say(fd, frame(small, SMALL), 1000);
	expect(so_many_wait, 2);
	expect(so_many_wait, 1);
	assert_true(uv_now(&host_loop) - began >= PATIENCE);
	assert_int_equal(sat_counted(door(), TIMED_OUT), 1);
	give_room();
	close(fd);
	close(before);
}

static int begin(void **unused)
{
	(void)unused;
	host_up();
	account_limit(16 << 20);	/* 2 MiB for buffers */
	return host_run(text) ? 0 : -1;
}

static int end(void **unused)
{
	(void)unused;
	host_down();
	account_limit(INT64_MAX);
	return 0;
}

static int begin_all(void **state)
{
	port = host_port();
	snprintf(text, sizeof(text), "modules = ( \"riemann\" ); riemann = { port = %d; frame-timeout = %d; };", port,
		 PATIENCE / 1000);
	return host_begin(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_small_message_waits_anew, begin, end),
		cmocka_unit_test_setup_teardown(a_large_message_waits_with_the_large, begin, end),
		cmocka_unit_test_setup_teardown(who_waits_too_long_is_late, begin, end),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, begin_all, host_end);
}
