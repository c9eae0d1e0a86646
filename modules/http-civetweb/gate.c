/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate - the HTTP port and its limits: so many connections, bytes and requests at a time.
 *
 * Whoever sends half a request, reads no answer or says nothing costs a connection and
 * some bytes, and never a thread.  Where those run short, the one goes that had them
 * longest without a whole request, or that has most of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate.h"

#define CLIENTS_MAX	((size_t)1024)	/* or a quarter of the files there may be: each takes up to three */
#define HELD_MAX	((size_t)64 << 20)	/* bytes of all requests that come and answers that go */
#define ACCEPT_MOST	64			/* a loop turn */
#define TICK_MS		250
#define LAST_MS		500			/* for answers under way when it stops */

int64_t gate_now(const struct gate *g)
{
	return (int64_t)uv_now(sat_loop(g->self));
}

/* ---- Limits ------------------------------------------------------------- */

void gate_dropped(struct gate *g)
{
	sat_count(g->self, DROPPED, 1);
	if (sat_log_allowed(g->self, &g->lines, 5, 60 * SAT_SECOND))
		sat_log(g->self, LOG_WARNING, "a connection is dropped: there are %zu, with %zu bytes", g->n, g->held);
}

static struct client *most_bytes(const struct gate *g)
{
	struct client *most = NULL;

	for (struct client *c = g->first; c != NULL; c = c->next)
		if (c->stage != CLIENT_CLOSES && (most == NULL || c->held > most->held))
			most = c;
	return most;
}

bool gate_hold(struct client *c)
{
	struct gate *g = c->gate;
	size_t holds = c->in.size + c->out;

	g->held += holds - c->held;
	c->held = holds;
	while (g->held > HELD_MAX) {
		gate_dropped(g);
		client_close(most_bytes(g));
	}
	return c->stage != CLIENT_CLOSES;
}

/* Who has least to lose: the oldest that has its answer, that has not asked, that does not read. */
static struct client *least(const struct gate *g)
{
	struct client *found = NULL;

	for (struct client *c = g->first; c != NULL; c = c->next) {
		if (c->stage == CLIENT_LEAVES && c->out == 0)
			return c;
		if (c->stage == CLIENT_ASKS && (found == NULL || found->stage != CLIENT_ASKS))
			found = c;
		else if (c->out > 0 && (found == NULL || (found->stage != CLIENT_ASKS && c->active < found->active)))
			found = c;
	}
	return found;
}

/* ---- Passes ------------------------------------------------------------- */

bool gate_enter(struct client *c)
{
	struct gate *g = c->gate;

	pthread_mutex_lock(&g->lock);
	for (int i = 0; i < (int)GATE_PASSES && c->pass < 0; i++)
		if (!g->passes[i].taken)
			c->pass = i;
	if (c->pass >= 0) {
		g->passes[c->pass].taken = true;
		g->passes[c->pass].number = ++g->number;
		strcpy(g->passes[c->pass].peer, c->peer);
	}
	pthread_mutex_unlock(&g->lock);
	return c->pass >= 0;
}

void gate_enters_from(struct client *c, int port)
{
	pthread_mutex_lock(&c->gate->lock);
	c->gate->passes[c->pass].port = port;
	pthread_mutex_unlock(&c->gate->lock);
}

void gate_leave(struct client *c)
{
	struct gate *g = c->gate;

	pthread_mutex_lock(&g->lock);
	g->passes[c->pass].taken = g->passes[c->pass].over = false;
	g->passes[c->pass].port = 0;
	pthread_mutex_unlock(&g->lock);
	c->pass = -1;
	for (c = g->first; c != NULL; c = c->next)
		if (c->stage == CLIENT_WAITS) {
			client_pass(c);
			return;
		}
}

uint64_t gate_knows(struct gate *g, int port, char peer[GATE_PEER])
{
	uint64_t number = 0;

	pthread_mutex_lock(&g->lock);
	for (unsigned i = 0; i < GATE_PASSES && number == 0; i++)
		if (g->passes[i].taken && g->passes[i].port == port) {
			number = g->passes[i].number;
			memcpy(peer, g->passes[i].peer, GATE_PEER);
		}
	pthread_mutex_unlock(&g->lock);
	return number;
}

static bool is_over(const struct client *c)
{
	struct gate *g = c->gate;
	bool over;

	if (c->pass < 0)
		return false;
	pthread_mutex_lock(&g->lock);
	over = g->passes[c->pass].over;
	g->passes[c->pass].over = false;
	pthread_mutex_unlock(&g->lock);
	return over;
}

static void look_for_ends(void *arg)
{
	struct gate *g = arg;

	for (struct client *c = g->first; c != NULL; c = c->next)
		if (is_over(c))
			client_hang_up(c);
}

void gate_hang_up(struct gate *g, uint64_t number)
{
	pthread_mutex_lock(&g->lock);
	for (unsigned i = 0; i < GATE_PASSES; i++)
		if (g->passes[i].taken && g->passes[i].number == number)
			g->passes[i].over = true;
	pthread_mutex_unlock(&g->lock);
	sat_post(g->self, look_for_ends, g);	/* should it fail, the tick looks */
}

/* ---- The port ----------------------------------------------------------- */

static void let_in(struct gate *g, int fd)
{
	struct client *c = g->n >= g->max ? least(g) : NULL;

	if (g->n >= g->max)
		gate_dropped(g);
	if (c != NULL)
		client_close(c);	/* it is counted until the loop has turned: one over is no harm */
	if (g->n >= g->max && c == NULL)
		close(fd);
	else if (client_new(g, fd) != 0)
		gate_dropped(g);
}

/* Out of files, the kernel would report the waiting connection for ever. */
static void knock(uv_poll_t *poll, int status, int events)
{
	struct gate *g = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPT_MOST; i++) {
		int fd = accept4(g->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct client *c;

		if (fd >= 0) {
			let_in(g, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			gate_dropped(g);
			c = least(g);
			if (c != NULL)
				client_close(c);
			uv_poll_stop(poll);
			g->paused = true;
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

static void let_go(struct gate *g)
{
	if (--g->handles == 0)
		g->stopped(g->arg);
}

static void closed(uv_handle_t *h)
{
	let_go(h->data);
}

static void poll_closed(uv_handle_t *h)
{
	free(h);
}

static void listener_closed(uv_handle_t *h)
{
	struct gate *g = h->data;

	free(h);
	close(g->fd);
	g->fd = -1;
	let_go(g);
}

/* The timer goes last, once no connection is left. */
static void end_timer(struct gate *g)
{
	if (g->stopping && g->n == 0 && !uv_is_closing((uv_handle_t *)&g->timer))
		uv_close((uv_handle_t *)&g->timer, closed);
}

void gate_closed(struct client *c)
{
	struct gate *g = c->gate;

	*(c->prev != NULL ? &c->prev->next : &g->first) = c->next;
	*(c->next != NULL ? &c->next->prev : &g->last) = c->prev;
	sat_gauge(g->self, CONNECTIONS, (int64_t)--g->n);
	free(c);
	end_timer(g);
}

static void tick(uv_timer_t *timer)
{
	struct gate *g = timer->data;
	int64_t now = gate_now(g);
	struct client *next;

	look_for_ends(g);
	if (g->paused && !g->stopping)
		g->paused = uv_poll_start(g->poll, UV_READABLE, knock) != 0;
	for (struct client *c = g->first; c != NULL; c = next) {
		next = c->next;		/* one is freed only when the loop turns */
		if (g->stopping && now >= g->stop_at)
			client_close(c);
		else
			client_look(c, now);
	}
}

/* ---- Life --------------------------------------------------------------- */

static size_t room_for(void)
{
	struct rlimit files;
	size_t max = CLIENTS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 4 < max)
		max = (size_t)files.rlim_cur / 4;
	return max;
}

/* Which of the loopback's addresses we come from is drawn anew each time: civetweb takes no others. */
static uint32_t draw_source(void)
{
	uint32_t drawn = 0;

	if (getrandom(&drawn, sizeof(drawn), 0) != sizeof(drawn))
		drawn = (uint32_t)getpid();
	return (127u << 24) | (1u << 16) | (drawn & 0x00fefffeu) | 2u;
}

struct gate *gate_new(struct sat_self *self)
{
	struct gate *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->self = self;
	g->fd = -1;
	g->max = room_for();
	g->inner.sin_family = g->source.sin_family = AF_INET;
	g->inner.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	g->source.sin_addr.s_addr = htonl(draw_source());
	pthread_mutex_init(&g->lock, NULL);
	return g;
}

void gate_free(struct gate *g)
{
	if (g == NULL)
		return;
	if (g->fd >= 0)
		close(g->fd);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

int gate_listen(struct gate *g, const char *host, int port)
{
	int fd, rc = sat_listen(g->self, host, port, SOCK_STREAM, &fd);

	if (rc != 0)
		return rc;
	if (g->fd >= 0)
		close(g->fd);
	g->fd = fd;
	return 0;
}

void gate_source(const struct gate *g, char text[GATE_PEER])
{
	uv_ip4_name(&g->source, text, GATE_PEER);
}

int gate_start(struct gate *g, int inner)
{
	struct uv_loop_s *loop = sat_loop(g->self);
	int rc;

	g->inner.sin_port = htons((uint16_t)inner);
	g->poll = malloc(sizeof(*g->poll));
	rc = g->poll != NULL ? uv_poll_init(loop, g->poll, g->fd) : -ENOMEM;
	if (rc != 0) {
		free(g->poll);
		return rc;
	}
	g->poll->data = g->timer.data = g;
	rc = uv_poll_start(g->poll, UV_READABLE, knock);
	if (rc != 0) {
		uv_close((uv_handle_t *)g->poll, poll_closed);
		return rc;
	}
	uv_timer_init(loop, &g->timer);
	g->timer.data = g;
	uv_timer_start(&g->timer, tick, TICK_MS, TICK_MS);
	g->handles = 2;
	return 0;
}

void gate_stop(struct gate *g, void (*stopped)(void *arg), void *arg)
{
	struct client *next;

	g->stopped = stopped;
	g->arg = arg;
	g->stopping = true;
	g->stop_at = gate_now(g) + LAST_MS;
	uv_close((uv_handle_t *)g->poll, listener_closed);
	for (struct client *c = g->first; c != NULL; c = next) {
		next = c->next;
		if (c->stage == CLIENT_ASKS || c->stage == CLIENT_WAITS || (c->stage == CLIENT_LEAVES && c->out == 0))
			client_close(c);
	}
	end_timer(g);
}
