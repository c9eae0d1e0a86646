/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http-civetweb - the HTTP server: our own port, and civetweb's threads behind it.
 *
 * The gate has the port, and all that may be slow: it lets a request through once it is
 * whole, and takes the answer off its worker.  A worker reads the request, hands a copy
 * to the host and sleeps until the loop answers; then it writes.  So nothing here waits
 * on the loop thread but for locks that are held for a copy.  A stream has a ring of
 * bounded size between the loop, which fills it, and a thread that writes: the worker
 * itself, or for a WebSocket, whose worker reads, one more.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"

#define THREADS		72			/* GATE_PASSES: 8 to serve, and one for each stream */
#define TEXT(n)		TEXT_(n)
#define TEXT_(n)	#n
#define READY_MAX	32768			/* bytes that a worker reads at first: any head fits */
#define SLOW_MS		30000			/* the gate cuts off who is slow, long before */
#define TURN_MS		5000			/* how long a WebSocket's worker waits at a time */

_Static_assert(THREADS == GATE_PASSES, "whoever has a pass has a worker");

static const struct sat_counter *const counters[] = {
	[STREAMING] = SAT_COUNTER("streams", .gauge = true, .help = "answers that go on: SSE, WebSockets, long texts"),
	[STALLED] = SAT_COUNTER("stalled", .help = "clients cut off, since they did not read, or answer a ping"),
	[WRONG] = SAT_COUNTER("wrong-frames", .help = "WebSockets closed, since what came was none of their protocol"),
	[CONNECTIONS] = SAT_COUNTER("connections", .gauge = true, .help = "clients that are connected"),
	[DROPPED] = SAT_COUNTER("dropped",
		.help = "connections closed since there were too many, or too many bytes of them, or no worker for long"),
	[LATE] = SAT_COUNTER("late", .help = "connections on which no whole request came in time"),
	NULL
};

struct server {
	struct pool pool;
	struct mg_context *ctx;
	char address[80];		/* where it listens, for the log */
	_Atomic bool runs;
	pthread_t stopper;		/* runs mg_stop(), which takes its time */
	sem_t stop;
	struct sockaddr_in inner;	/* where civetweb listens */
	_Atomic bool ended;		/* mg_stop() has returned */
	char error[256];		/* what civetweb said while it started */
};

/* ---- civetweb ----------------------------------------------------------- */

static int log_message(const struct mg_connection *mg, const char *message)
{
	struct pool *p = mg_get_user_data(mg_get_context(mg));
	struct server *s = p != NULL ? SAT_OWNER(p, struct server, pool) : NULL;

	if (s != NULL && !atomic_load(&s->runs))	/* it starts: the last word is for the log */
		snprintf(s->error, sizeof(s->error), "%s", message);
	return 1;
}

static int http_error(struct mg_connection *mg, int status, const char *message)
{
	(void)message;
	write_error(mg, status, mg_get_response_code_text(mg, status));
	return 0;
}

static void stopped(void *arg)
{
	struct server *s = arg;

	pthread_join(s->stopper, NULL);
	sem_destroy(&s->stop);
	sat_stopped(s->pool.self);
}

/*
 * civetweb looks for the end only between two waits of 2 s for a connection, so
 * it gets some.
 */
static void *waker(void *arg)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	struct server *s = arg;

	while (!atomic_load(&s->ended)) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd >= 0) {
			connect(fd, (struct sockaddr *)&s->inner, sizeof(s->inner));
			close(fd);
		}
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void stop_civetweb(struct server *s)
{
	pthread_t thread;
	bool wakes;

	atomic_store(&s->ended, false);
	wakes = pthread_create(&thread, NULL, waker, s) == 0;
	mg_stop(s->ctx);
	atomic_store(&s->ended, true);
	if (wakes)
		pthread_join(thread, NULL);
}

/*
 * mg_stop() waits for workers that wait for the loop, so it runs here, once the gate
 * has closed: it cuts off what is being written.
 */
static void *stopper(void *arg)
{
	struct server *s = arg;
	const struct timespec pause = { .tv_nsec = 10000000 };
	int rc;

	while (sem_wait(&s->stop) != 0)
		;
	if (s->ctx != NULL)
		stop_civetweb(s);
	if (!atomic_load(&s->runs))
		return NULL;
	while ((rc = sat_post(s->pool.self, stopped, s)) == -ENOMEM || rc == -ENOBUFS)
		nanosleep(&pause, NULL);
	return NULL;
}

/* On a port of its own choice, for the gate alone. */
static int start_civetweb(struct server *s)
{
	char access[GATE_PEER + 1] = "+";
	const char *options[] = {
		"listening_ports", "127.0.0.1:0",
		"access_control_list", access,
		"num_threads", TEXT(THREADS),
		"max_request_size", TEXT(READY_MAX),
		"request_timeout_ms", TEXT(SLOW_MS),
		"websocket_timeout_ms", TEXT(TURN_MS),
		"enable_websocket_ping_pong", "no",
		"enable_keep_alive", "no",	/* or an idle client would hold a worker */
		"decode_url", "no",
		"enable_auth_domain_check", "no",
		"tcp_nodelay", "1",
		NULL
	};
	const struct mg_callbacks callbacks = {
		.begin_request = serve_request,
		.connection_close = websocket_gone,
		.log_message = log_message,
		.http_error = http_error,
	};
	struct mg_server_port port;

	gate_source(s->pool.gate, access + 1);
	s->ctx = mg_start(&callbacks, &s->pool, options);
	if (s->ctx == NULL || mg_get_server_ports(s->ctx, 1, &port) != 1)
		return -EIO;
	s->inner.sin_port = htons((uint16_t)port.port);
	mg_set_websocket_handler(s->ctx, "**", websocket_connect, websocket_ready, websocket_data,
				 websocket_close, NULL);
	return gate_start(s->pool.gate, port.port);
}

/* ---- Life --------------------------------------------------------------- */

/* Bound now, so that a port in use is known before anything starts. */
static int server_listen(void *state, const char *host, int port)
{
	struct server *s = state;

	snprintf(s->address, sizeof(s->address), strchr(host, ':') != NULL ? "[%.60s]:%d" : "%.60s:%d", host, port);
	return gate_listen(s->pool.gate, host, port);
}

static int start(void *state)
{
	struct server *s = state;
	int rc;

	atomic_store(&s->runs, false);
	sem_init(&s->stop, 0, 0);
	rc = -pthread_create(&s->stopper, NULL, stopper, s);
	if (rc != 0) {
		sem_destroy(&s->stop);
		return rc;
	}
	rc = start_civetweb(s);
	if (rc == 0) {
		atomic_store(&s->runs, true);
		sat_log(s->pool.self, LOG_INFO, "http://%s/", s->address);
		return 0;
	}
	sat_log(s->pool.self, LOG_ERR, "%s: %s", s->address, *s->error != '\0' ? s->error : strerror(-rc));
	sem_post(&s->stop);
	pthread_join(s->stopper, NULL);
	sem_destroy(&s->stop);
	s->ctx = NULL;
	return rc;
}

static void gate_is_closed(void *arg)
{
	struct server *s = arg;

	sem_post(&s->stop);
}

static void stop(void *state)
{
	struct server *s = state;

	atomic_store(&s->pool.stopping, true);
	gate_stop(s->pool.gate, gate_is_closed, s);
}

static void destroy(void *state)
{
	struct server *s = state;

	gate_free(s->pool.gate);
	mg_exit_library();
	free(s);
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct server *s = calloc(1, sizeof(*s));

	(void)conf;
	if (s == NULL)
		return -ENOMEM;
	s->pool.self = self;
	s->pool.gate = gate_new(self);
	if (s->pool.gate == NULL) {
		free(s);
		return -ENOMEM;
	}
	s->inner.sin_family = AF_INET;
	s->inner.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	mg_init_library(MG_FEATURES_WEBSOCKET);	/* counted; without TLS */
	*state = s;
	return 0;
}

SAT_MODULE(http_civetweb,
	.name = "http-civetweb", .version = SAT_VERSION, .summary = "HTTP server",
	.create = create, .start = start, .stop = stop, .destroy = destroy, .counters = counters,
	.http_server = &(const struct sat_http_server){
		.size = sizeof(struct sat_http_server),
		.listen = server_listen,
		.reply = conn_reply,
		.begin = conn_begin,
		.send = conn_send,
		.end = conn_end,
	});
