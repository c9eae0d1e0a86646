/* SPDX-License-Identifier: Apache-2.0 */
/* test_forward - the queue, the addresses, and a sender beside masters that misbehave. */
#include <signal.h>
#include <unistd.h>

#include "account.h"
#include "tls.h"
#include "unit/masters.h"

/* ---- TLS of a kind: each says "hi", then every byte is another ---------- */

struct veil { struct sat_tls_conn base; unsigned heard; };

static int veil_load(struct sat_self *self, const struct sat_tls_files *files, void **context, char *why, size_t n)
{
	(void)self;
	(void)files;
	(void)why;
	(void)n;
	*context = NULL;
	return 0;
}

static void veil_unload(void *context)
{
	(void)context;
}

static const struct sat_tls_library veiled;

static struct sat_tls_conn *veil_open(void *context, const char *name)
{
	struct veil *v = calloc(1, sizeof(*v));

	(void)context;
	assert_string_equal(name, "127.0.0.1");
	if (v == NULL)
		return NULL;
	v->base.library = &veiled;
	return &v->base;
}

static int veil_encrypt(struct sat_tls_conn *c, const void *p, size_t n, struct sat_buf *out)
{
	(void)c;
	for (size_t i = 0; i < n; i++)
		sat_buf_add(out, &(char){ ((const char *)p)[i] ^ 0x55 }, 1);
	return out->full ? -ENOMEM : 0;
}

static int veil_decrypt(struct sat_tls_conn *c, const void *p, size_t n, void *to, size_t *got, struct sat_buf *out)
{
	struct veil *v = (struct veil *)c;
	const char *in = p;

	*got = 0;
	if (n == 0)
		sat_buf_add(out, "hi", 2);
	for (size_t i = 0; i < n; i++)
		if (v->heard >= 2)
			((char *)to)[(*got)++] = in[i] ^ 0x55;
		else if (in[i] == "hi"[v->heard])
			v->heard++;
		else
			return -EPROTO;
	return out->full ? -ENOMEM : 0;
}

static bool veil_ready(const struct sat_tls_conn *c)
{
	return ((const struct veil *)c)->heard == 2;
}

static const char *veil_why(const struct sat_tls_conn *c)
{
	(void)c;
	return "it does not say hi";
}

static void veil_close(struct sat_tls_conn *c, struct sat_buf *out)
{
	if (out != NULL)
		sat_buf_add(out, "bye", 3);
	free(c);
}

static const struct sat_tls_library veiled = {
	.size = sizeof(struct sat_tls_library), .load = veil_load, .unload = veil_unload, .open = veil_open,
	.decrypt = veil_decrypt, .encrypt = veil_encrypt, .ready = veil_ready, .why = veil_why, .close = veil_close,
};

static const struct sat_option *const veil_options[] = {
	SAT_OPTION("ca", SAT_STRING, .help = ""), SAT_OPTION("cert", SAT_STRING, .help = ""),
	SAT_OPTION("key", SAT_STRING, .help = ""), SAT_OPTION("verify", SAT_BOOLEAN, .fallback = "true", .help = ""),
	NULL
};

/* From here on masters[0] and the senders speak that kind of TLS. */
static void veil(void)
{
	struct conf *file = conf_text("tls = { };", "test");
	const struct sat_conf *group = conf_find(conf_root(file), "tls");

	assert_int_equal(conf_judge(group, veil_options, NULL), 0);
	how.tls = tls_new(&bed.self, &veiled, group, false);
	assert_non_null(how.tls);
	conf_unref(file);
}

static void unveil(void)
{
	sat_tls_free(how.tls);
	how.tls = NULL;
}

static void every_master_gets_every_event_in_batches(void **unused)
{
	(void)unused;
	master_up(&masters[0], ACKS);
	master_up(&masters[1], ACKS);
	sender_up(masters[0].port, masters[1].port);
	put(25, 60);
	wait_for(&masters[0].events, 25);
	wait_for(&masters[1].events, 25);
	assert_int_equal(masters[0].messages, 3);
	put(1, 60);
	wait_for(&masters[0].events, 26);
	sender_down();
	assert_int_equal(counted(COUNT_ACKNOWLEDGED), 52);
	assert_int_equal(counted(COUNT_QUEUED), 0);
	assert_int_equal(counted(COUNT_DROPPED), 0);
	master_down(&masters[0]);
	master_down(&masters[1]);
}

/* One that is silent, then one that is not there at all. */
static void a_bad_master_delays_no_other(void **unused)
{
	int port;

	(void)unused;
	master_up(&masters[0], SILENT);
	master_up(&masters[1], ACKS);
	sender_up(masters[0].port, masters[1].port);
	for (size_t i = 1; i <= 20; i++) {
		put(10, 60);
		wait_for(&masters[1].events, 10 * i);
	}
	assert_int_equal(masters[0].events, 10 * DEPTH);	/* and no more */
	masters[0].manner = ACKS;
	hang_up(&masters[0]);
	wait_for(&masters[0].events, 10 * DEPTH + 200);		/* those not answered come again */
	wait_till_empty();
	assert_int_equal(counted(COUNT_ACKNOWLEDGED), 400);
	port = masters[0].port;
	sender_down();
	master_down(&masters[0]);
	sender_up(port, masters[1].port);
	put(10, 60);
	wait_for(&masters[1].events, 210);
	sender_down();
	assert_int_equal(counted(COUNT_DROPPED), 10);
	master_down(&masters[1]);
}

static void unanswered_messages_are_sent_again(void **unused)
{
	(void)unused;
	master_up(&masters[0], HANGS_UP);
	sender_up(masters[0].port, 0);
	put(5, 60);
	wait_for(&masters[0].events, 5);
	masters[0].manner = ACKS;
	wait_for(&masters[0].events, 10);
	sender_down();
	assert_int_equal(counted(COUNT_SENT), 10);
	assert_int_equal(counted(COUNT_ACKNOWLEDGED), 5);
	assert_true(counted(COUNT_RECONNECTS) >= 1);
	master_down(&masters[0]);
}

static void a_master_that_does_not_answer_is_left(void **unused)
{
	(void)unused;
	master_up(&masters[0], SILENT);
	sender_up(masters[0].port, 0);
	put(5, 60);
	wait_for(&masters[0].events, 5);
	masters[0].manner = ACKS;
	wait_for(&masters[0].events, 10);
	assert_int_equal(masters[0].connections, 2);
	masters[0].manner = BABBLES;
	put(1, 60);
	wait_for(&masters[0].events, 11);
	masters[0].manner = ACKS;
	wait_for(&masters[0].events, 12);
	sender_down();
	master_down(&masters[0]);
}

static void refused_events_are_not_sent_again(void **unused)
{
	(void)unused;
	master_up(&masters[0], REFUSES);
	sender_up(masters[0].port, 0);
	put(5, 60);
	wait_for(&masters[0].events, 5);
	sender_down();
	assert_int_equal(counted(COUNT_REFUSED), 5);
	assert_int_equal(counted(COUNT_ACKNOWLEDGED), 0);
	assert_int_equal(masters[0].events, 5);
	master_down(&masters[0]);
}

static void late_events_are_dropped_unless_wanted(void **unused)
{
	(void)unused;
	for (int late = 0; late < 2; late++) {
		size_t before = (size_t)counted(COUNT_EXPIRED);

		how.late = late;
		master_up(&masters[0], SILENT);
		sender_up(masters[0].port, 0);
		put(10 * DEPTH + 20, 0.2);
		wait_for(&masters[0].events, 10 * DEPTH);
		bed_run_for(300);
		put_one("expired", 0.01);
		put(1, 60);
		masters[0].manner = ACKS;
		hang_up(&masters[0]);
		masters[0].events = 0;
		wait_for(&masters[0].events, late ? 10 * DEPTH + 22 : 2);
		sender_down();
		assert_int_equal(counted(COUNT_EXPIRED) - before, late ? 0 : 10 * DEPTH + 20);
		master_down(&masters[0]);
	}
	how.late = false;
}

/* What expires between messages has its place behind one until that is answered, and is counted once. */
static void counts_add_up_when_ttls_pass_under_way(void **unused)
{
	(void)unused;
	how.ack_timeout = 60 * SAT_SECOND;
	master_up(&masters[0], ACKS);
	sender_up(masters[0].port, 0);
	put(10, 60);
	wait_for(&masters[0].events, 10);
	wait_till_empty();
	masters[0].manner = SILENT;
	put(10, 60);
	wait_for(&masters[0].events, 20);
	put(5, -1);
	bed_run_for(50);
	assert_int_equal(counted(COUNT_EXPIRED), 5);
	assert_int_equal(counted(COUNT_QUEUED), 10);
	counts_add_up();
	sender_down();
	assert_int_equal(counted(COUNT_DROPPED), 10);
	how.ack_timeout = SAT_SECOND;
	master_down(&masters[0]);
}

static void stop_sends_what_waits(void **unused)
{
	bool done = false;

	(void)unused;
	how.flush = 60 * SAT_SECOND;
	master_up(&masters[0], ACKS);
	sender_up(masters[0].port, 0);
	bed_run_for(50);
	put(7, 60);
	sender_stop(sender, bed_done, &done);
	bed_run(&done);
	sender_free(sender);
	assert_int_equal(masters[0].events, 7);
	how.flush = 10 * SAT_MS;
	master_down(&masters[0]);
}

static void stop_does_not_wait_for_ever(void **unused)
{
	uint64_t began = uv_hrtime();

	(void)unused;
	how.ack_timeout = 60 * SAT_SECOND;
	master_up(&masters[0], SILENT);
	sender_up(masters[0].port, 0);
	put(7, 60);
	wait_for(&masters[0].events, 7);
	sender_down();
	assert_in_range((uv_hrtime() - began) / 1000000, 2000, 4500);
	assert_int_equal(counted(COUNT_DROPPED), 7);
	how.ack_timeout = SAT_SECOND;
	master_down(&masters[0]);
}

static void events_go_over_tls(void **unused)
{
	(void)unused;
	veil();
	master_up(&masters[0], ACKS);
	masters[0].secure = true;
	sender_up(masters[0].port, 0);
	put(25, 60);
	wait_for(&masters[0].events, 25);
	wait_till_empty();
	assert_int_equal(counted(COUNT_ACKNOWLEDGED), 25);
	hang_up(&masters[0]);		/* and again, over another connection */
	bed_run_for(20);
	put(5, 60);
	wait_for(&masters[0].events, 30);
	assert_int_equal(masters[0].connections, 2);
	sender_down();
	master_down(&masters[0]);
	unveil();
}

/* One that is silent amid the handshake, then one that says something else. */
static void tls_that_fails_is_tried_again(void **unused)
{
	(void)unused;
	veil();
	how.connect_timeout = 100 * SAT_MS;
	master_up(&masters[0], SILENT);
	masters[0].secure = true;
	sender_up(masters[0].port, 0);
	put(3, 60);
	bed_run_for(300);
	assert_int_equal(counted(COUNT_SENT), 0);
	masters[0].manner = BABBLES;
	for (int i = 0; i < 500 && masters[0].connections < 2; i++)
		bed_run_for(10);
	bed_run_for(50);
	assert_int_equal(counted(COUNT_SENT), 0);
	masters[0].manner = ACKS;
	wait_for(&masters[0].events, 3);
	how.connect_timeout = SAT_SECOND;
	sender_down();
	master_down(&masters[0]);
	unveil();
}

static void masters_may_have_an_ipv6_address(void **unused)
{
	(void)unused;
	v6 = true;
	every_master_gets_every_event_in_batches(NULL);
	v6 = false;
}

/* ---- UDP ---------------------------------------------------------------- */

static struct ear { uv_udp_t udp; int port, datagrams; size_t events, longest; } ear;

static void heard(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
	struct arena arena = { 0 };
	struct wire_msg out = { 0 };
	int rc;

	(void)udp;
	(void)flags;
	if (from == NULL)
		return;
	rc = wire_decode((uint8_t *)buf->base, (size_t)n, &arena, &out);
	assert_true(rc == 0 || rc == -ENOMEM);	/* that is ours to suffer, too */
	ear.datagrams += out.n > 0;
	ear.events += out.n;
	ear.longest = (size_t)n > ear.longest ? (size_t)n : ear.longest;
	arena_free(&arena);
}

/* On this port; 0: any. */
static void ear_open(int port)
{
	struct sockaddr_storage addr;
	int len = sizeof(addr);

	memset(&ear, 0, sizeof(ear));
	uv_udp_init(&bed.loop, &ear.udp);
	loopback(&addr, port);
	assert_int_equal(uv_udp_bind(&ear.udp, (struct sockaddr *)&addr, 0), 0);
	assert_int_equal(uv_udp_recv_start(&ear.udp, give_room, heard), 0);
	uv_udp_getsockname(&ear.udp, (struct sockaddr *)&addr, &len);
	ear.port = port_of(&addr);
}

static void ear_close(void)
{
	uv_close((uv_handle_t *)&ear.udp, NULL);
	bed_run_for(1);
}

static void datagrams_are_short_and_not_answered(void **unused)
{
	static char text[20000];

	(void)unused;
	how.udp = true;
	for (int i = 0; i < 2; i++) {
		v6 = i == 1;
		ear_open(0);
		sender_up(ear.port, 0);
		memset(text, 'x', sizeof(text));
		words = text;
		text[190] = '\0';
		put(25, 60);
		wait_for(&ear.events, 25);
		assert_in_range(ear.datagrams, 5, 7);
		assert_in_range(ear.longest, 1000, 1400);
		text[190] = 'x';
		text[5000] = '\0';
		put(2, 60);
		wait_for(&ear.events, 27);
		text[5000] = 'x';
		text[19000] = '\0';
		put(1, 60);
		words = NULL;
		put(1, 60);
		wait_for(&ear.events, 28);
		sender_down();
		ear_close();
	}
	how.udp = v6 = false;
	assert_int_equal(counted(COUNT_UNANSWERED), 56);
	assert_int_equal(counted(COUNT_DROPPED), 2);
	assert_int_equal(counted(COUNT_ACKNOWLEDGED), 0);
}

/* Its kernel says so; when it comes it gets what waited, and once. */
static void nothing_is_sent_where_nobody_hears_datagrams(void **unused)
{
	int port;

	(void)unused;
	how.udp = true;
	ear_open(0);
	port = ear.port;
	ear_close();
	sender_up(port, 0);
	put(5, 60);
	bed_run_for(1000);
	assert_int_equal(counted(COUNT_SENT), 0);
	ear_open(port);
	put(3, 60);
	wait_for(&ear.events, 8);
	ear_close();		/* what is under way is lost, no more */
	put(1, 60);
	bed_run_for(50);
	put(4, 60);
	bed_run_for(50);
	assert_int_equal(counted(COUNT_UNANSWERED), 9);
	assert_int_equal(counted(COUNT_QUEUED), 4);
	ear_open(port);
	wait_for(&ear.events, 4);
	sender_down();
	how.udp = false;
	assert_int_equal(counted(COUNT_SENT), 13);
	assert_int_equal(counted(COUNT_DROPPED), 0);
	ear_close();
}

static void survive_every_failure(bool secure)
{
	int nth = 0, fired;

	do {
		char name[32];
		const char *list[] = { name, NULL };
		int rc;

		master_up(&masters[0], ACKS);
		masters[0].secure = secure;
		snprintf(name, sizeof(name), "127.0.0.1:%d", masters[0].port);
		fault_arm(++nth);
		sender = sender_new(&bed.self, &how, list, NULL, NULL, &rc);
		if (sender != NULL) {
			sender_start(sender);
			put(3, 60);
			bed_run_for(30);
		}
		fired = fault_fired();
		fault_arm(0);
		assert_true(sender != NULL || (fired && rc == -ENOMEM));
		if (sender != NULL)
			sender_down();
		master_down(&masters[0]);
	} while (fired && nth < 60);
	assert_true(nth > 5);
}

static void every_failure_is_survived(void **unused)
{
	(void)unused;
	survive_every_failure(false);
	veil();
	survive_every_failure(true);
	unveil();
}

/* An allocation, or a call: socket(), and what others do meanwhile. */
static void datagrams_survive_every_failure(void **unused)
{
	(void)unused;
	how.udp = true;
	for (int kind = 0; kind < 2; kind++) {
		int nth = 0, fired;

		do {
			size_t dropped = (size_t)counted(COUNT_DROPPED), before = (size_t)counted(COUNT_UNANSWERED);
			char name[32];
			const char *list[] = { name, NULL };
			int rc;

			ear_open(0);
			snprintf(name, sizeof(name), "127.0.0.1:%d", ear.port);
			(kind == 0 ? fault_arm : fault_arm_call)(++nth);
			sender = sender_new(&bed.self, &how, list, NULL, NULL, &rc);
			if (sender != NULL) {
				sender_start(sender);
				put(3, 60);
				bed_run_for(250);
			}
			fired = fault_fired();
			fault_arm(0);
			fault_arm_call(0);
			assert_true(sender != NULL || (fired && rc == -ENOMEM));
			if (sender != NULL) {
				sender_down();
				assert_in_range(counted(COUNT_UNANSWERED) - before + counted(COUNT_DROPPED) - dropped, 1, 3);
			}
			ear_close();
		} while (fired && nth < 30);
		assert_in_range(nth, 2, 29);
	}
	how.udp = false;
}

/* ---- The queue and the addresses ---------------------------------------- */

static struct parcel *parcel(int i)
{
	char text[32];
	struct parcel *p = parcel_new(text, (size_t)snprintf(text, sizeof(text), "this is event no. %d", i) + 1);

	assert_non_null(p);
	return p;
}

static int number(const struct parcel *p)
{
	assert_in_range(p->len, 20, 25);
	return (int)strtol(p->bytes + 18, NULL, 10);
}

/* With no limit to the bytes of a message. */
static size_t take_from(struct queue *q, struct parcel **out, size_t most, int64_t now, size_t *expired)
{
	return queue_take(q, out, &(struct most){ most, SIZE_MAX }, now, expired);
}

static void queue_drops_the_oldest(void **unused)
{
	struct queue q = { .max = 20, .max_bytes = 1 << 20 };
	struct parcel *evs[20];
	size_t gone = 0, expired;

	(void)unused;
	for (int i = 0; i < 50; i++)
		gone += queue_put(&q, parcel(i), INT64_MAX);
	assert_int_equal(gone, 30);
	assert_int_equal(take_from(&q, evs, 5, 0, &expired), 5);
	assert_int_equal(number(evs[0]), 30);
	assert_int_equal(take_from(&q, evs, 5, 0, &expired), 5);
	assert_int_equal(queue_waiting(&q), 10);
	for (int i = 50; i < 57; i++)
		queue_put(&q, parcel(i), INT64_MAX);	/* 5 of the first message go, 2 of the second */
	assert_int_equal(queue_waiting(&q), 17);
	assert_int_equal(queue_ack(&q), 0);
	assert_int_equal(queue_ack(&q), 3);
	assert_int_equal(take_from(&q, evs, 20, 0, &expired), 17);
	assert_int_equal(number(evs[0]), 40);
	queue_untake(&q);
	assert_int_equal(queue_waiting(&q), 17);
	queue_free(&q);
}

static void queue_is_bounded_in_bytes(void **unused)
{
	struct queue q = { .max = 1000, .max_bytes = 1500 };
	size_t gone = 0;

	(void)unused;
	for (int i = 0; i < 50; i++)
		gone += queue_put(&q, parcel(i), INT64_MAX);
	assert_int_equal(gone + q.n, 50);
	assert_in_range(q.n, 5, 20);
	assert_true(q.bytes <= 1500);
	q.max_bytes = 10;
	assert_int_equal(queue_put(&q, parcel(99), INT64_MAX), 1);
	queue_free(&q);
	assert_int_equal(q.bytes, 0);
}

static void a_queue_has_some_of_its_own_and_shares_the_rest(void **unused)
{
	static char name[] = "forward";
	struct sat_self self = { .name = name };
	struct queue a = { .max = 1000000, .max_bytes = 1 << 30, .self = &self }, b = a;
	size_t gone = 0;

	(void)unused;
	account_limit(1 << 20);		/* 64 KiB of it are queues' */
	for (int i = 0; i < 5000; i++)
		gone += queue_put(&a, parcel(i), INT64_MAX);
	assert_int_equal(gone + a.n, 5000);
	assert_in_range(a.bytes, 2 * QUEUE_OWN - 200, 2 * QUEUE_OWN);
	assert_in_range(self_get(SELF_MEMORY_QUEUES), QUEUE_OWN - 200, QUEUE_OWN);
	for (int i = 0; i < 5000; i++)
		gone += queue_put(&b, parcel(i), INT64_MAX);
	assert_in_range(b.bytes, QUEUE_OWN - 200, QUEUE_OWN + 200);
	queue_free(&a);
	queue_free(&b);
	assert_int_equal(self_get(SELF_MEMORY_QUEUES), 0);
	account_limit(INT64_MAX);
}

static void queue_forgets_what_is_late(void **unused)
{
	struct queue q = { .max = 100, .max_bytes = 1 << 20 };
	struct parcel *evs[20];
	size_t expired;

	(void)unused;
	for (int i = 0; i < 10; i++)
		queue_put(&q, parcel(i), i % 2 == 0 ? 5 : 50);
	assert_int_equal(take_from(&q, evs, 3, 10, &expired), 3);
	assert_int_equal(expired, 3);
	assert_int_equal(number(evs[2]), 5);
	assert_int_equal(take_from(&q, evs, 20, 100, &expired), 0);
	assert_int_equal(expired, 4);
	assert_int_equal(queue_waiting(&q), 0);
	assert_int_equal(q.held, 3);
	assert_int_equal(queue_ack(&q), 3);
	assert_int_equal(q.n, 0);
	queue_put(&q, parcel(1), 5);
	assert_int_equal(take_from(&q, evs, 20, 100, &expired), 0);
	assert_int_equal(q.n, 0);
	queue_free(&q);
}

static void a_message_is_bounded_in_bytes(void **unused)
{
	struct queue q = { .max = 100, .max_bytes = 1 << 20 };
	struct parcel *evs[20];
	size_t expired;

	(void)unused;
	for (int i = 10; i < 20; i++)
		queue_put(&q, parcel(i), INT64_MAX);
	assert_int_equal(queue_take(&q, evs, &(struct most){ 20, 65 }, 0, &expired), 3);
	assert_int_equal(queue_take(&q, evs, &(struct most){ 20, 5 }, 0, &expired), 1);	/* one there is always */
	assert_int_equal(number(evs[0]), 13);
	queue_ack(&q);
	queue_ack(&q);
	assert_int_equal(q.n, 6);
	queue_free(&q);
}

static void addresses_have_names_and_ports(void **unused)
{
	static const struct { const char *text, *host; int port; } good[] = {
		{ "m1", "m1", 5555 }, { "m1:1", "m1", 1 }, { "10.0.0.1:65535", "10.0.0.1", 65535 },
		{ "[::1]:7", "::1", 7 }, { "[::1]", "::1", 5555 }, { "::1", "::1", 5555 },
	};
	static const char *const bad[] = { "", ":1", "m1:", "m1:0", "m1:65536", "m1:x", "m1:+1", "[::1", "[::1]x", "[]:1",
					   "a b", "m1:1x", "http://m1" };
	char host[64];
	int port;

	(void)unused;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		port = 5555;
		assert_null(address_split(good[i].text, host, sizeof(host), &port));
		assert_string_equal(host, good[i].host);
		assert_int_equal(port, good[i].port);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_non_null(address_split(bad[i], host, sizeof(host), &port));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(queue_drops_the_oldest),
		TEST(queue_is_bounded_in_bytes),
		TEST(a_queue_has_some_of_its_own_and_shares_the_rest),
		TEST(queue_forgets_what_is_late),
		TEST(a_message_is_bounded_in_bytes),
		cmocka_unit_test(addresses_have_names_and_ports),
		TEST(every_master_gets_every_event_in_batches),
		TEST(a_bad_master_delays_no_other),
		TEST(unanswered_messages_are_sent_again),
		TEST(a_master_that_does_not_answer_is_left),
		TEST(refused_events_are_not_sent_again),
		TEST(late_events_are_dropped_unless_wanted),
		TEST(counts_add_up_when_ttls_pass_under_way),
		TEST(stop_sends_what_waits),
		TEST(stop_does_not_wait_for_ever),
		TEST(events_go_over_tls),
		TEST(tls_that_fails_is_tried_again),
		TEST(masters_may_have_an_ipv6_address),
		TEST(datagrams_are_short_and_not_answered),
		TEST(nothing_is_sent_where_nobody_hears_datagrams),
		TEST(every_failure_is_survived),
		TEST(datagrams_survive_every_failure),
	};

	signal(SIGPIPE, SIG_IGN);	/* as the program does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
