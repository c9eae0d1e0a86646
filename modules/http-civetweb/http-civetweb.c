/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http-civetweb - the HTTP server, on civetweb's threads.
 *
 * A worker reads a request, hands a copy to the host and sleeps until the loop
 * answers; then it writes.  So nothing here waits on the loop thread but for
 * locks that are held for a copy.  A stream has a ring of bounded size between
 * the loop, which fills it, and a thread that writes: the worker itself, or for
 * a WebSocket, whose worker reads, one more.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"

#define THREADS		72			/* 8 to serve, and one for each stream */
#define TEXT(n)		TEXT_(n)
#define TEXT_(n)	#n
#define LAST_MS		500			/* for answers under way when it stops */

static const struct sat_counter *const counters[] = {
	[STREAMING] = SAT_COUNTER("streams", .gauge = true, .help = "answers that go on: SSE, WebSockets, long texts"),
	[STALLED] = SAT_COUNTER("stalled", .help = "clients cut off, since they did not read, or answer a ping"),
	[WRONG] = SAT_COUNTER("wrong-frames", .help = "WebSockets closed, since what came was none of their protocol"),
	NULL
};

struct server {
	struct pool pool;
	struct mg_context *ctx;
	char address[64];		/* host:port, as civetweb wants it */
	int reserved;			/* the port, held until civetweb takes it; -1: not */
	_Atomic bool runs;
	pthread_t stopper;		/* runs mg_stop(), which takes its time */
	sem_t stop;
	struct sockaddr_in at;		/* where it listens */
	_Atomic bool ended;		/* mg_stop() has returned */
	char error[256];		/* what civetweb said while it started */
};

static struct server *serving;		/* who has its port now; the loop's */

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

/* The predecessor's, which gives it back before this one starts. */
static bool is_ours(in_port_t port)
{
	return serving != NULL && serving->at.sin_port == port;
}

/* Bound now, so that a port in use is known before anything starts. */
static int server_listen(void *state, const char *host, int port)
{
	const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct server *s = state;
	struct addrinfo *a = NULL;
	struct sockaddr_in in;
	int fd, rc = 0, yes = 1;

	if (strchr(host, ':') != NULL)		/* Debian's civetweb has no IPv6 */
		return -EAFNOSUPPORT;
	if (getaddrinfo(host, NULL, &hints, &a) != 0)
		return -EADDRNOTAVAIL;
	memcpy(&in, a->ai_addr, sizeof(in));
	freeaddrinfo(a);
	in.sin_port = htons((uint16_t)port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) != 0 || listen(fd, 1) != 0)
		rc = -errno;
	if (rc != 0) {
		close(fd);
		fd = -1;
	}
	if (rc != 0 && !(rc == -EADDRINUSE && is_ours(in.sin_port)))
		return rc;
	s->reserved = fd;
	s->at = in;
	getnameinfo((struct sockaddr *)&in, sizeof(in), s->address, sizeof(s->address), NULL, 0, NI_NUMERICHOST);
	snprintf(s->address + strlen(s->address), 8, ":%d", port);
	return 0;
}

static void stopped(void *arg)
{
	struct server *s = arg;

	pthread_join(s->stopper, NULL);
	sem_destroy(&s->stop);
	serving = NULL;
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
			connect(fd, (struct sockaddr *)&s->at, sizeof(s->at));
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
 * mg_stop() waits for workers that wait for the loop, so it runs here.  It cuts
 * off what is being written, so answers that were just given get a moment.
 */
static void *stopper(void *arg)
{
	struct server *s = arg;
	const struct timespec pause = { .tv_nsec = 10000000 };
	int rc;

	while (sem_wait(&s->stop) != 0)
		;
	if (s->ctx == NULL)
		return NULL;
	for (int i = 0; i < LAST_MS / 10 && atomic_load(&s->pool.busy) > 0; i++)
		nanosleep(&pause, NULL);
	stop_civetweb(s);
	while ((rc = sat_post(s->pool.self, stopped, s)) == -ENOMEM || rc == -ENOBUFS)
		nanosleep(&pause, NULL);
	return NULL;
}

static int start_civetweb(struct server *s)
{
	const char *options[] = {
		"listening_ports", s->address,
		"num_threads", TEXT(THREADS),
		"request_timeout_ms", TEXT(TIMEOUT_MS),
		"websocket_timeout_ms", TEXT(TIMEOUT_MS),
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

	atomic_store(&s->runs, false);
	s->ctx = mg_start(&callbacks, &s->pool, options);
	if (s->ctx == NULL)
		return -EIO;
	atomic_store(&s->runs, true);
	mg_set_websocket_handler(s->ctx, "**", websocket_connect, websocket_ready, websocket_data,
				 websocket_close, NULL);
	return 0;
}

static int start(void *state)
{
	struct server *s = state;
	int rc;

	if (s->reserved >= 0)
		close(s->reserved);
	s->reserved = -1;
	sem_init(&s->stop, 0, 0);
	rc = -pthread_create(&s->stopper, NULL, stopper, s);
	if (rc == 0)
		rc = start_civetweb(s);
	if (rc == 0) {
		serving = s;
		sat_log(s->pool.self, LOG_INFO, "http://%s/", s->address);
		return 0;
	}
	sat_log(s->pool.self, LOG_ERR, "%s: %s", s->address, *s->error != '\0' ? s->error : strerror(-rc));
	if (rc == -EIO) {
		sem_post(&s->stop);
		pthread_join(s->stopper, NULL);
	}
	sem_destroy(&s->stop);
	return rc;
}

static void stop(void *state)
{
	struct server *s = state;

	atomic_store(&s->pool.stopping, true);
	sem_post(&s->stop);
}

static void destroy(void *state)
{
	struct server *s = state;

	if (s->reserved >= 0)
		close(s->reserved);
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
	s->reserved = -1;
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
