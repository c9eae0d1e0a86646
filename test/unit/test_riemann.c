/* SPDX-License-Identifier: Apache-2.0 */
/* test_riemann - clients of Riemann's over TCP and UDP, while each allocation and each call fails once. */
#include "unit/host.h"

#include <netinet/tcp.h>

#include "wire.h"

#define EVENTS	24		/* of 2 KiB: the answer is more than the socket takes at once */

static char text[160], long_text[2048];
static int port;

static const char query[] = "\0\0\0\x13\x2a\x11\x0a\x0f" "service =~ \"q%\"";

/* ---- A client ----------------------------------------------------------- */

static struct client {
	int fd;
	bool gone;
	size_t len;
	uint8_t got[128 * 1024];
} client;

static void client_open(void)
{
	int on = 1;

	client.len = 0;
	for (int i = 0; i < 2; i++)	/* the fault may be ours */
		if ((client.fd = host_connect(port, SOCK_STREAM)) >= 0)
			break;
	assert_true(client.fd >= 0);
	client.gone = false;
	setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	host_turn();
}

static void client_close(void)
{
	if (client.fd >= 0)
		close(client.fd);
	client.fd = -1;
	for (int i = 0; i < 5; i++)
		host_turn();
}

static void say(const void *p, size_t n)
{
	if (client.fd >= 0)
		send(client.fd, p, n, MSG_NOSIGNAL);
	for (int i = 0; i < 3; i++)
		host_turn();
}

/* Whole messages that came. */
static unsigned answers(void)
{
	unsigned n = 0;
	uint32_t len;

	for (size_t at = 0; at + 4 <= client.len; at += 4 + ntohl(len)) {
		memcpy(&len, client.got + at, 4);
		n += at + 4 + ntohl(len) <= client.len;
	}
	return n;
}

/* Every message has an answer, or the connection ends.  Whether so many came. */
static bool answered(unsigned wanted)
{
	uint64_t over = uv_hrtime() + 5000000000u;

	while (!client.gone && answers() < wanted) {
		ssize_t n = recv(client.fd, client.got + client.len, sizeof(client.got) - client.len, MSG_DONTWAIT);

		client.gone = n == 0 || (n < 0 && errno != EAGAIN);
		client.len += n > 0 ? (size_t)n : 0;
		if (uv_hrtime() > over)
			fail_msg("%u answers of %u, and no end", answers(), wanted);
		host_turn();
	}
	return answers() >= wanted;
}

/* ---- Messages ----------------------------------------------------------- */

static const char *const services[] = { "whole", "parts", "behind", "datagram", "last" };
enum { WHOLE, PARTS, BEHIND, DATAGRAM, LAST, MESSAGES };
static struct sat_buf messages[MESSAGES];

static void make_message(struct sat_buf *b, const char *service)
{
	const struct sat_event ev = { .size = sizeof(ev), .has = SAT_HAS_INT | SAT_HAS_TTL, .metric.i = 3, .ttl = 60,
		.host = "h", .service = service, .state = "ok" };
	size_t from;

	b->max = 1024;
	from = wire_begin(b);
	wire_add(b, &ev);
	wire_end(b, from);
}

static void say_message(int which, size_t step)
{
	const struct sat_buf *b = &messages[which];

	for (size_t i = 0; i < b->len; i += step)
		say(b->p + i, b->len - i < step ? b->len - i : step);
}

static bool known(int which)
{
	return index_get("h", services[which]) != NULL;
}

static void datagram(const void *p, size_t n)
{
	int fd = host_connect(port, SOCK_DGRAM);

	if (fd < 0)
		fd = host_connect(port, SOCK_DGRAM);
	assert_true(fd >= 0);
	send(fd, p, n, 0);
	close(fd);
	host_turn();
}

/* ---- Life --------------------------------------------------------------- */

static struct instance *door(void)
{
	return setup_find(life_setup(), "riemann");
}

/* What is accepted takes little at once, as that does which listens. */
static void narrow(void)
{
	int small = 4096, segment = 1000, is = 0;
	socklen_t len = sizeof(is);

	for (int fd = 3; fd < 64; fd++)
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is, &len) == 0 && is) {
			setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
			setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
		}
}

/* false: refused, or it does not start. */
static bool run(void)
{
	if (!host_run(text) || door()->stage != INSTANCE_RUNNING)
		return false;
	narrow();
	return true;
}

static void fill(void)
{
	char service[8];

	for (int i = 0; i < EVENTS; i++) {
		snprintf(service, sizeof(service), "q%d", i);
		sat_emit(&self_host, .host = "h", .service = service, .state = "ok", .description = long_text);
	}
	engine_run();
}

/* Who comes afterwards is served. */
static void works(void)
{
	index_delete("h", services[LAST]);
	for (int i = 0; i < 3 && !known(LAST); i++) {
		client_open();
		say_message(LAST, 4096);
		answered(1);
		client_close();
	}
	assert_true(known(LAST));
}

static void over_tcp(void)
{
	client_open();
	say_message(WHOLE, 4096);
	assert_true(answered(1) || fault_fired());
	say_message(PARTS, 10);
	assert_true(answered(2) || fault_fired());
	say(query, sizeof(query) - 1);
	say_message(BEHIND, 4096);	/* while the answer waits to be taken */
	assert_true(answered(4) || fault_fired());
	assert_true(client.len > EVENTS * sizeof(long_text) || fault_fired());
	say("\0\0\0\1\xff", 5);
	assert_false(answered(6));
	client_close();
}

static void over_udp(void)
{
	datagram(messages[DATAGRAM].p + 4, messages[DATAGRAM].len - 4);
	datagram("\xff", 1);
}

/* The door opens and closes; false: there are not so many faults. */
static bool live(void (*arm)(int nth), int nth)
{
	bool fired;

	host_up();
	arm(nth);
	if (!run()) {
		assert_true(fault_fired());
		return host_down();
	}
	works();
	client_open();
	say("\0\0\1", 3);	/* amid a message at the end */
	fired = host_down();
	close(client.fd);
	return fired;
}

/* The same of what clients ask for. */
static bool serve(void (*arm)(int nth), int nth)
{
	bool all;

	host_up();
	assert_true(run());
	fill();
	arm(nth);
	over_tcp();
	over_udp();
	all = known(WHOLE) && known(PARTS) && known(BEHIND) && known(DATAGRAM);
	assert_true(all || fault_fired());
	works();
	assert_int_equal(sat_counted(&door()->self, 0), 0);	/* connections */
	return host_down();
}

static void clients_come_and_go(void **unused)
{
	(void)unused;
	assert_false(live(fault_arm, 0));
	assert_false(serve(fault_arm, 0));
}

static int repeat(bool (*life)(void (*arm)(int nth), int nth), void (*arm)(int nth))
{
	int nth = 0;

	while (life(arm, ++nth))
		;
	return nth;
}

static void every_failure_is_survived(void **unused)
{
	int begun = repeat(live, fault_arm), served = repeat(serve, fault_arm);

	(void)unused;
	printf("%d allocations to begin and end, %d to serve\n", begun, served);
	assert_true(begun > 100 && served > 10);
}

static void every_call_that_fails_is_survived(void **unused)
{
	int begun = repeat(live, fault_arm_call), served = repeat(serve, fault_arm_call);

	(void)unused;
	printf("%d calls to begin and end, %d to serve\n", begun, served);
	assert_true(begun > 10 && served > 5);
}

static int begin(void **state)
{
	port = host_port();
	memset(long_text, 'x', sizeof(long_text) - 1);
	snprintf(text, sizeof(text), "modules = ( \"riemann\" ); riemann = { port = %d; };", port);
	for (int i = 0; i < MESSAGES; i++)
		make_message(&messages[i], services[i]);
	return host_begin(state);
}

static int end(void **state)
{
	for (int i = 0; i < MESSAGES; i++)
		sat_buf_free(&messages[i]);
	return host_end(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_come_and_go),
		cmocka_unit_test(every_failure_is_survived),
		cmocka_unit_test(every_call_that_fails_is_survived),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
