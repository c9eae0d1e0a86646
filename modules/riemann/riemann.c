/* SPDX-License-Identifier: Apache-2.0 */
/* riemann - the door for Riemann's clients, over TCP, TLS and UDP: its settings, and its life. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "door.h"

#define STOP_AFTER	2000			/* ms that answers have at the end */

static const struct sat_counter *const counters[] = {
	[CONNECTIONS] = SAT_COUNTER("connections", .gauge = true, .help = "clients that are connected"),
	[ACCEPTED] = SAT_COUNTER("accepted", .help = "connections accepted"),
	[MESSAGES] = SAT_COUNTER("messages", .help = "messages over TCP, run and answered"),
	[BYTES] = SAT_COUNTER("bytes", .help = "bytes read"),
	[MALFORMED] = SAT_COUNTER("malformed",
		.help = "messages that are not Riemann's; a connection is closed"),
	[TOO_LARGE] = SAT_COUNTER("too-large",
		.help = "frames over frame-limit, and the connection is closed, or datagrams over theirs"),
	[REFUSED] = SAT_COUNTER("refused",
		.help = "connections closed at once: too many, or out of files or memory"),
	[TIMED_OUT] = SAT_COUNTER("timed-out", .help = "connections closed for silence, slow messages or not reading"),
	[DATAGRAMS] = SAT_COUNTER("datagrams", .help = "datagrams read"),
	[UDP_DROPPED] = SAT_COUNTER("datagrams-dropped", .help = "datagrams that the kernel dropped: its buffer was full"),
	[TLS_ACCEPTED] = SAT_COUNTER("tls-accepted", .help = "TLS handshakes done"),
	[TLS_FAILED] = SAT_COUNTER("tls-failed", .help = "TLS handshakes refused, broken off, or not done in time"),
	[WAITING] = SAT_COUNTER("waiting", .gauge = true, .help = "clients not read from until there is room for their message"),
	[PAUSED] = SAT_COUNTER("paused", .help = "messages that had to wait for room"),
	[UNTAKEN] = SAT_COUNTER("untaken",
		.help = "connections closed since there was no room for answers that they did not read"),
	NULL
};

static const struct sat_option *const options[] = {
	SAT_OPTION("host", SAT_STRING, .fallback = "127.0.0.1", .help = "address to listen on"),
	SAT_OPTION("port", SAT_INTEGER, .fallback = "5555", .min = 1, .max = 65535, .help = "TCP port"),
	SAT_OPTION("udp", SAT_ANY, .help = "UDP port, or false: none; by default, or true: that of TCP"),
	SAT_OPTION("tls", SAT_GROUP, .inner = tls_options, .help = "where clients that speak TLS are heard, too"),
	SAT_OPTION("so-rcvbuf", SAT_INTEGER, .fallback = "4194304", .min = 4096, .max = 1 << 30,
		   .help = "bytes of datagrams that the kernel holds until they are read, as far as it lets"),
	SAT_OPTION("datagram-limit", SAT_INTEGER, .fallback = "16384", .min = 64, .max = 65535,
		   .help = "bytes that a datagram may have"),
	SAT_OPTION("frame-limit", SAT_INTEGER, .fallback = "16777216", .min = 64, .max = 1 << 30,
		   .help = "bytes that a message may have"),
	SAT_OPTION("answer-limit", SAT_INTEGER, .fallback = "67108864", .min = 64, .max = 1 << 28,
		   .help = "bytes that the answer to a query may have"),
	SAT_OPTION("idle-timeout", SAT_SECONDS, .fallback = "0", .min = 0, .max = 1e9,
		   .help = "close a connection after so long a silence; 0: never"),
	SAT_OPTION("stall-timeout", SAT_SECONDS, .fallback = "60", .min = 1, .max = 1e9,
		   .help = "close one that stops amid a message, or does not read its answers"),
	SAT_OPTION("frame-timeout", SAT_SECONDS, .fallback = "30", .min = 1, .max = 1e9,
		   .help = "close one whose message is not whole so long after it began"),
	SAT_OPTION("max-connections", SAT_INTEGER, .fallback = "100000", .min = 1, .max = 1e7,
		   .help = "connections at a time; more are closed at once"),
	SAT_OPTION("backlog", SAT_INTEGER, .fallback = "4096", .min = 1, .max = 65535,
		   .help = "connections that the kernel holds until they are accepted"),
	NULL
};

void door_let_go(struct door *d)
{
	if (--d->handles == 0)
		sat_stopped(d->self);
}

static void tick(uv_timer_t *timer)
{
	struct door *d = timer->data;

	for (unsigned i = 0; i < d->n_listeners; i++)
		listener_tick(&d->listeners[i]);
	conns_tick(d);
	tls_tick(d);
	udp_tick(d->udp);
}

/* ---- Life --------------------------------------------------------------- */

static void destroy(void *state)
{
	struct door *d = state;

	for (unsigned i = 0; i < d->n_listeners; i++)
		if (d->listeners[i].fd >= 0)
			close(d->listeners[i].fd);
	udp_free(d->udp);
	tls_free(d->tls);
	sat_buf_free(&d->out);
	free(d);
}

static void listen_at(struct door *d, const char *host, int port, bool tls)
{
	d->listeners[d->n_listeners++] = (struct listener){
		.door = d, .host = host, .port = port, .fd = -1, .tls = tls,
	};
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct door *d = calloc(1, sizeof(*d));
	int rc, more;

	if (d == NULL)
		return -ENOMEM;
	rc = udp_create(self, conf, &d->said, &d->udp);
	more = tls_create(self, conf, &d->tls);
	rc = rc != 0 ? rc : more;
	if (rc != 0) {
		destroy(d);
		return rc;
	}
	d->self = self;
	listen_at(d, sat_conf_string(conf, "host"), (int)sat_conf_integer(conf, "port"), false);
	if (d->tls != NULL) {
		listen_at(d, d->tls->host, d->tls->port, true);
		d->tls->out.max = ANSWERS_MAX;		/* it takes turns with d->out */
	}
	d->limit = (uint32_t)sat_conf_integer(conf, "frame-limit");
	d->answer_limit = (uint32_t)sat_conf_integer(conf, "answer-limit");
	d->backlog = (int)sat_conf_integer(conf, "backlog");
	d->max_connections = sat_conf_integer(conf, "max-connections");
	d->idle_ms = (uint64_t)(sat_conf_time(conf, "idle-timeout") / SAT_MS);
	d->stall_ms = (uint64_t)(sat_conf_time(conf, "stall-timeout") / SAT_MS);
	d->frame_ms = (uint64_t)(sat_conf_time(conf, "frame-timeout") / SAT_MS);
	d->out.max = ANSWERS_MAX;
	*state = d;
	return 0;
}

static int open_door(void *state)
{
	struct door *d = state;
	int rc = 0;

	for (unsigned i = 0; i < d->n_listeners && rc == 0; i++)
		rc = sat_listen(d->self, d->listeners[i].host, d->listeners[i].port, SOCK_STREAM,
				&d->listeners[i].fd);
	return rc == 0 ? udp_open(d->udp) : rc;
}

static void closed(uv_handle_t *h)
{
	door_let_go(h->data);
}

static int start(void *state)
{
	struct door *d = state;
	int rc = udp_start(d->udp);
	unsigned n = 0;

	if (rc != 0)
		return rc;
	while (n < d->n_listeners && (rc = listener_start(&d->listeners[n])) == 0)
		n++;
	if (n < d->n_listeners) {
		while (n > 0)
			listener_unstart(&d->listeners[--n]);
		udp_unstart(d->udp);
		return rc;
	}
	uv_timer_init(sat_loop(d->self), &d->timer);
	uv_timer_start(&d->timer, tick, 1000, 1000);
	uv_timer_init(sat_loop(d->self), &d->again);
	uv_timer_init(sat_loop(d->self), &d->leave);
	d->timer.data = d->again.data = d->leave.data = d;
	d->handles = n + 4;
	d->started = true;
	return 0;
}

static void udp_stopped(void *arg)
{
	door_let_go(arg);
}

static void give_up(uv_timer_t *timer)
{
	struct door *d = timer->data;

	d->stopping = false;
	conns_close(d);
	uv_close((uv_handle_t *)timer, closed);
	uv_close((uv_handle_t *)&d->again, closed);
	uv_close((uv_handle_t *)&d->leave, closed);
}

void door_empty(struct door *d)
{
	if (d->stopping)
		uv_timer_start(&d->timer, give_up, 0, 0);
}

static void stop(void *state)
{
	struct door *d = state;

	if (!d->started) {
		sat_stopped(d->self);
		return;
	}
	d->stopping = true;
	for (unsigned i = 0; i < d->n_listeners; i++)
		listener_stop(&d->listeners[i]);
	udp_stop(d->udp, udp_stopped, d);
	conns_end(d);
	uv_timer_start(&d->timer, give_up, d->n != 0 ? STOP_AFTER : 0, 0);
}

SAT_MODULE(riemann,
	.name = "riemann", .version = SAT_VERSION,
	.summary = "takes in events and queries of Riemann's clients, over TCP, TLS and UDP",
	.options = options, .create = create, .open = open_door, .start = start, .stop = stop,
	.destroy = destroy, .counters = counters);
