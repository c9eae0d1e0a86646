/* SPDX-License-Identifier: Apache-2.0 */
/* test_riemann - clients of Riemann's over TCP, TLS and UDP, while each allocation and each call fails once. */
#include "unit/host.h"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "wire.h"

#define EVENTS	24		/* of 2 KiB: the answer is more than the socket takes at once */

static char text[400], long_text[2048];
static int port, tls_port;
static bool secure;		/* clients speak TLS */
static bool openssl_too;	/* its allocations are among those that fail */

static const char query[] = "\0\0\0\x13\x2a\x11\x0a\x0f" "service =~ \"q%\"";

/* ---- A client ----------------------------------------------------------- */

static SSL_CTX *trusting;

static struct client {
	int fd;
	SSL *ssl;
	bool gone;
	size_t len;
	uint8_t got[128 * 1024];
} client;

/* Whether it is worth another try, in a turn. */
static bool later(int rc)
{
	int error = SSL_get_error(client.ssl, rc);

	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		return false;
	host_turn();
	return true;
}

static void shake_hands(void)
{
	uint64_t over = uv_hrtime() + 5000000000u;
	int rc = -1, on = 1;

	client.ssl = SSL_new(trusting);
	ioctl(client.fd, FIONBIO, &on);		/* fcntl() may be what fails */
	if (client.ssl != NULL && SSL_set_fd(client.ssl, client.fd) == 1)
		while ((rc = SSL_connect(client.ssl)) != 1 && later(rc))
			if (uv_hrtime() > over)
				fail_msg("no handshake, and no end");
	client.gone = rc != 1;
}

static void client_open(void)
{
	int on = 1;

	client.len = 0;
	for (int i = 0; i < 2; i++)	/* the fault may be ours */
		if ((client.fd = host_connect(secure ? tls_port : port, SOCK_STREAM)) >= 0)
			break;
	assert_true(client.fd >= 0);
	client.gone = false;
	setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (secure)
		shake_hands();
	host_turn();
}

static void client_close(void)
{
	SSL_free(client.ssl);
	client.ssl = NULL;
	if (client.fd >= 0)
		close(client.fd);
	client.fd = -1;
	for (int i = 0; i < 5; i++)
		host_turn();
}

static void say(const void *p, size_t n)
{
	int rc;

	if (secure)
		while (!client.gone && (rc = SSL_write(client.ssl, p, (int)n)) <= 0)
			client.gone = !later(rc);
	else if (client.fd >= 0)
		send(client.fd, p, n, MSG_NOSIGNAL);
	for (int i = 0; i < 3; i++)
		host_turn();
}

/* What came; false: no more will. */
static bool hear(void)
{
	void *to = client.got + client.len;
	size_t room = sizeof(client.got) - client.len;
	ssize_t n = secure ? SSL_read(client.ssl, to, (int)room) : recv(client.fd, to, room, MSG_DONTWAIT);

	client.len += n > 0 ? (size_t)n : 0;
	if (n > 0)
		return true;
	return secure ? later((int)n) : n < 0 && errno == EAGAIN;
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
		client.gone = !hear();
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

/* Who does not speak TLS, and who begins to and goes. */
static void no_handshake(void)
{
	int fd = host_connect(tls_port, SOCK_STREAM), on = 1;
	SSL *ssl = SSL_new(trusting);

	send(fd, "\0\0\0\0", 4, MSG_NOSIGNAL);
	host_turn();
	host_turn();
	close(fd);
	fd = host_connect(tls_port, SOCK_STREAM);
	ioctl(fd, FIONBIO, &on);
	if (ssl != NULL && SSL_set_fd(ssl, fd) == 1)
		SSL_connect(ssl);
	host_turn();
	host_turn();
	SSL_free(ssl);
	close(fd);
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
	SSL_free(client.ssl);
	client.ssl = NULL;
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
	if (secure)
		no_handshake();
	over_udp();
	all = known(WHOLE) && known(PARTS) && known(BEHIND) && known(DATAGRAM);
	assert_true(all || fault_fired());
	works();
	assert_int_equal(sat_counted(&door()->self, 0), 0);	/* connections */
	return host_down();
}

static int repeat(bool (*life)(void (*arm)(int nth), int nth), void (*arm)(int nth))
{
	int nth = 0;

	while (life(arm, ++nth))
		;
	return nth;
}

static void clients_come_and_go(void **unused)
{
	(void)unused;
	assert_false(live(fault_arm, 0));
	assert_false(serve(fault_arm, 0));
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

/* Some thousand, of which the later ones are left out more and more. */
static void any_failure_of_openssl_is_survived(void **unused)
{
	int n = 1, served = 1;

	(void)unused;
	openssl_too = true;
	for (; live(fault_arm, n); n += 1 + n / 10)
		;
	for (; serve(fault_arm, served); served += 1 + served / 10)
		;
	openssl_too = false;
	printf("some %d allocations to begin and end, %d to serve\n", n, served);
	assert_true(n > 1000 && served > 1000);
}

/* ---- All of it ---------------------------------------------------------- */

/* fault.c does not know reallocarray(). */
static void *get_more(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return openssl_too ? realloc(p, n) : reallocarray(p, 1, n);
}

static void *get(size_t n, const char *file, int line)
{
	return get_more(NULL, n, file, line);
}

static void give_back(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static int use_tls(void **unused)
{
	(void)unused;
	secure = true;
	return 0;
}

static int use_tcp(void **unused)
{
	(void)unused;
	secure = false;
	return 0;
}

static void shell(const char *command)
{
	char line[200];

	snprintf(line, sizeof(line), command, host_folder);
	assert_int_equal(system(line), 0);
}

static int begin(void **state)
{
	port = host_port();
	tls_port = host_port();
	memset(long_text, 'x', sizeof(long_text) - 1);
	for (int i = 0; i < MESSAGES; i++)
		make_message(&messages[i], services[i]);
	trusting = SSL_CTX_new(TLS_client_method());
	if (trusting == NULL || host_begin(state) != 0)
		return -1;
	shell("test/certs.sh %s/certs");
	snprintf(text, sizeof(text), "modules = ( \"riemann\" ); riemann = { port = %d; tls = { port = %d; verify = false; "
		 "cert = \"%s/certs/server.crt\"; key = \"%s/certs/server.key\"; }; };", port, tls_port, host_folder,
		 host_folder);
	return 0;
}

static int end(void **state)
{
	for (int i = 0; i < MESSAGES; i++)
		sat_buf_free(&messages[i]);
	SSL_CTX_free(trusting);
	return host_end(state);
}

#define SECURE(test) cmocka_unit_test_setup_teardown(test, use_tls, use_tcp)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_come_and_go),
		cmocka_unit_test(every_failure_is_survived),
		cmocka_unit_test(every_call_that_fails_is_survived),
		SECURE(clients_come_and_go),
		SECURE(every_failure_is_survived),
		SECURE(every_call_that_fails_is_survived),
		SECURE(any_failure_of_openssl_is_survived),
	};

	signal(SIGPIPE, SIG_IGN);
	if (CRYPTO_set_mem_functions(get, get_more, give_back) != 1)
		return 1;
	return cmocka_run_group_tests(tests, begin, end);
}
