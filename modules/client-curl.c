/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-curl - the HTTP client: libcurl's multi interface on the loop.
 *
 * libcurl says which sockets to watch and when to wake it; what is finished is
 * told from the loop, never from inside of fetch() or cancel().  As long as more
 * is there libcurl reads on, hundreds of megabytes if need be: so whoever has had
 * its time in a turn of the loop is paused until the next.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <curl/curl.h>
#include <satellite/module.h>

#define CALLS_MAX	1024
#define CONNECTIONS	128L
#define PER_HOST	16L
#define REDIRECTS	5L
#define CONNECT_MS	10000
#define TIMEOUT		(30 * SAT_SECOND)
#define MAX_DEFAULT	((size_t)1 << 20)
#define SLICE		UINT64_C(5000000)	/* ns of a turn for what comes */

struct client {
	struct sat_self *self;
	char *proxy;
	CURLM *multi;
	uv_timer_t wake;		/* libcurl's own deadline */
	uv_timer_t tick;		/* silences, cancels */
	uv_idle_t soon;			/* the next turn: the paused, and what is due at once */
	bool due;
	uint64_t until;			/* uv_hrtime() when this turn's time is over */
	struct call *calls;
	size_t n_calls;
	int handles;			/* open: timers and sockets */
	bool stopping;
};

struct call {
	struct call *next, **link;
	struct client *client;
	CURL *easy;
	struct curl_slist *headers;
	char *body_sent, *keep;
	struct sat_fetch what;		/* texts in it are gone; the callbacks and limits hold */
	void *arg;
	struct sat_buf body;
	uint64_t received;
	uint64_t heard;			/* uv_now() of its last sign of life */
	int why;			/* we ended it: -errno; 0: we did not */
	bool paused;
	char error[CURL_ERROR_SIZE];
};

struct watched { uv_poll_t poll; struct client *client; curl_socket_t fd; };

/* ---- The end of a call -------------------------------------------------- */

static void call_free(struct call *c)
{
	if (c == NULL)
		return;
	if (c->link != NULL) {
		if (c->next != NULL)
			c->next->link = c->link;
		*c->link = c->next;
		c->client->n_calls--;
	}
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	sat_buf_free(&c->body);
	free(c->body_sent);
	free(c->keep);
	free(c);
}

static int errno_of(const struct call *c, CURLcode code)
{
	long os = 0;

	if (c->why != 0)
		return c->why;
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &os);
		return os > 0 ? (int)-os : -ECONNREFUSED;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CONNECT_ERROR:
		return -EACCES;
	case CURLE_TOO_MANY_REDIRECTS:
		return -ELOOP;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return -EINVAL;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return -ECONNRESET;
	case CURLE_PARTIAL_FILE:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return -EBADMSG;
	default:
		return -EIO;
	}
}

static const char *words(const struct call *c, CURLcode code)
{
	if (c->why != 0)
		return strerror(-c->why);
	if (code == CURLE_PARTIAL_FILE)
		return "the answer broke off before its end";
	return *c->error != '\0' ? c->error : curl_easy_strerror(code);
}

/* Of the last answer, after redirects. */
static const char *kept(const struct call *c)
{
	struct curl_header *h;

	if (c->keep == NULL || curl_easy_header(c->easy, c->keep, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return NULL;
	return h->value;
}

static void call_end(struct call *c, CURLcode code)
{
	struct sat_answer answer = { .size = sizeof(answer), .rc = errno_of(c, code) };
	long status = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c->easy, CURLINFO_EFFECTIVE_URL, &answer.url);
	curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &answer.type);
	answer.status = (int)status;
	answer.kept = kept(c);
	answer.error = answer.rc != 0 ? words(c, code) : NULL;
	answer.body = c->body.p != NULL ? c->body.p : "";
	answer.len = c->body.len;
	answer.received = c->received;
	curl_multi_remove_handle(c->client->multi, c->easy);
	c->what.done(c->arg, &answer);
	call_free(c);
}

/* Those that libcurl has finished. */
static void end_finished(struct client *cl)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(cl->multi, &left)) != NULL) {
		CURLcode code = m->data.result;
		char *call;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
		call_end((struct call *)call, code);
	}
}

/* ---- libcurl and the loop ----------------------------------------------- */

static void handle_closed(struct client *cl)
{
	if (--cl->handles == 0 && cl->stopping)
		sat_stopped(cl->self);
}

static void watched_closed(uv_handle_t *h)
{
	struct watched *w = h->data;

	handle_closed(w->client);
	free(w);
}

static void socket_ready(uv_poll_t *poll, int status, int events)
{
	struct watched *w = poll->data;
	struct client *cl = w->client;
	int flags = 0, running;

	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	cl->until = uv_hrtime() + SLICE;
	curl_multi_socket_action(cl->multi, w->fd, flags, &running);
	end_finished(cl);
}

static struct watched *watch(struct client *cl, curl_socket_t fd)
{
	struct watched *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	if (uv_poll_init_socket(sat_loop(cl->self), &w->poll, fd) != 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->client = cl;
	w->fd = fd;
	cl->handles++;
	return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct watched *w = socket_arg;
	struct client *cl = arg;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			uv_close((uv_handle_t *)&w->poll, watched_closed);
		curl_multi_assign(cl->multi, fd, NULL);
		return 0;
	}
	if (w == NULL) {
		w = watch(cl, fd);
		if (w == NULL)
			return -1;	/* the multi interface fails its transfers */
		curl_multi_assign(cl->multi, fd, w);
	}
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	uv_poll_start(&w->poll, events, socket_ready);
	return 0;
}

static void woken(uv_timer_t *t)
{
	struct client *cl = t->data;
	int running;

	cl->until = uv_hrtime() + SLICE;
	curl_multi_socket_action(cl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	end_finished(cl);
}

/* A little of each that is paused, which it was told of before; then libcurl wants to be woken. */
static void resume(struct client *cl)
{
	struct call *c;

	cl->until = uv_hrtime() + SLICE;
	for (c = cl->calls; c != NULL; c = c->next) {
		if (!c->paused)
			continue;
		c->paused = false;
		curl_easy_pause(c->easy, CURLPAUSE_CONT);
	}
	end_finished(cl);
}

static void soon(uv_idle_t *idle)
{
	struct client *cl = idle->data;

	uv_idle_stop(idle);
	if (cl->due) {
		cl->due = false;
		woken(&cl->wake);
	}
	resume(cl);
}

/* A timer that its own end sets to now would end again before the loop looks at anything else. */
static int on_timer(CURLM *multi, long ms, void *arg)
{
	struct client *cl = arg;

	(void)multi;
	if (cl->stopping)
		return 0;
	cl->due = ms == 0;
	if (ms > 0)
		uv_timer_start(&cl->wake, woken, (uint64_t)ms, 0);
	else
		uv_timer_stop(&cl->wake);
	if (cl->due)
		uv_idle_start(&cl->soon, soon);
	return 0;
}

/* What we end ourselves: the canceled, and streams that are silent for too long. */
static void ticked(uv_timer_t *t)
{
	struct client *cl = t->data;
	uint64_t now = uv_now(sat_loop(cl->self));
	struct call *c = cl->calls;
	bool endless = false;

	while (c != NULL) {
		if (c->why == 0 && c->what.endless && (int64_t)(now - c->heard) * 1000 > c->what.timeout)
			c->why = -ETIMEDOUT;
		if (c->why != 0) {
			call_end(c, CURLE_ABORTED_BY_CALLBACK);
			c = cl->calls;	/* done() may have changed anything */
			continue;
		}
		endless = endless || c->what.endless;
		c = c->next;
	}
	if (endless && !cl->stopping)
		uv_timer_start(&cl->tick, ticked, 250, 0);
}

static void tick_soon(struct client *cl)
{
	uv_timer_start(&cl->tick, ticked, 0, 0);
}

/* ---- What comes --------------------------------------------------------- */

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct call *c = arg;

	(void)p;
	c->heard = uv_now(sat_loop(c->client->self));
	return size * n;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	long status = 0;

	(void)size;
	c->heard = uv_now(sat_loop(c->client->self));
	if (c->why == 0 && uv_hrtime() > c->client->until) {
		c->paused = true;
		uv_idle_start(&c->client->soon, soon);
		return CURL_WRITEFUNC_PAUSE;
	}
	c->received += n;
	if (c->why != 0)
		return CURL_WRITEFUNC_ERROR;
	if (c->what.data != NULL) {
		curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
		if (c->what.data(c->arg, (int)status, p, n) == 0)
			return n;
		c->why = c->why != 0 ? c->why : -ECANCELED;
		return CURL_WRITEFUNC_ERROR;
	}
	sat_buf_add(&c->body, p, n);
	if (!c->body.full)
		return n;
	c->why = c->body.len + n > c->body.max ? -EMSGSIZE : -ENOMEM;
	return CURL_WRITEFUNC_ERROR;
}

/* ---- A new call --------------------------------------------------------- */

#define SET(option, value) \
	do { if (curl_easy_setopt(e, option, value) != CURLE_OK) return -ENOMEM; } while (0)

static int set_request(struct call *c, const struct sat_fetch *what)
{
	CURL *e = c->easy;
	const char *method = what->method;
	bool sends = method != NULL && (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0);

	if (what->body != NULL || sends) {
		c->body_sent = calloc(1, what->body_len + 1);
		if (c->body_sent == NULL)
			return -ENOMEM;
		if (what->body_len > 0)
			memcpy(c->body_sent, what->body, what->body_len);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)what->body_len);
		SET(CURLOPT_POSTFIELDS, c->body_sent);
	}
	if (method != NULL && strcmp(method, "HEAD") == 0)
		SET(CURLOPT_NOBODY, 1L);
	else if (method != NULL && strcmp(method, c->body_sent != NULL ? "POST" : "GET") != 0)
		SET(CURLOPT_CUSTOMREQUEST, method);
	/* Bodies are small: do not ask first. */
	c->headers = curl_slist_append(NULL, "Expect:");
	if (c->headers == NULL)
		return -ENOMEM;
	for (size_t i = 0; what->headers != NULL && what->headers[i] != NULL; i++)
		if (curl_slist_append(c->headers, what->headers[i]) == NULL)
			return -ENOMEM;
	SET(CURLOPT_HTTPHEADER, c->headers);
	/* To compress costs whoever answers; what a proxy compresses unasked is understood. */
	SET(CURLOPT_ACCEPT_ENCODING, "identity");
	return 0;
}

static int set_trust(struct call *c, const struct sat_fetch *what)
{
	CURL *e = c->easy;

	if (what->token != NULL) {
		SET(CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		SET(CURLOPT_XOAUTH2_BEARER, what->token);
	} else if (what->user != NULL) {
		SET(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		SET(CURLOPT_USERNAME, what->user);
		SET(CURLOPT_PASSWORD, what->password != NULL ? what->password : "");
	}
	if (what->ca != NULL)
		SET(CURLOPT_CAINFO, what->ca);
	if (what->cert != NULL)
		SET(CURLOPT_SSLCERT, what->cert);
	if (what->key != NULL)
		SET(CURLOPT_SSLKEY, what->key);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	if (!what->no_redirect) {
		SET(CURLOPT_FOLLOWLOCATION, 1L);
		SET(CURLOPT_MAXREDIRS, REDIRECTS);
	}
	SET(CURLOPT_PROXY, c->client->proxy != NULL ? c->client->proxy : "");	/* not the environment's */
	return 0;
}

static int set_limits(struct call *c)
{
	CURL *e = c->easy;
	long ms = (long)(c->what.timeout / 1000);

	if (ms < 1)
		ms = 1;
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);	/* do not wait for a resolver's thread */
	SET(CURLOPT_CONNECTTIMEOUT_MS, ms < CONNECT_MS ? ms : (long)CONNECT_MS);
	if (!c->what.endless)
		SET(CURLOPT_TIMEOUT_MS, ms);
	SET(CURLOPT_ERRORBUFFER, c->error);
	SET(CURLOPT_PRIVATE, (char *)c);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, c);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, c);
	return 0;
}

static int call_set(struct call *c, const struct sat_fetch *what)
{
	CURLcode code;
	int rc;

	c->easy = curl_easy_init();
	c->keep = what->keep != NULL ? strdup(what->keep) : NULL;
	if (c->easy == NULL || (what->keep != NULL && c->keep == NULL))
		return -ENOMEM;
	code = curl_easy_setopt(c->easy, CURLOPT_URL, what->url);
	if (code != CURLE_OK)
		return code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
	rc = set_request(c, what);
	if (rc == 0)
		rc = set_trust(c, what);
	return rc == 0 ? set_limits(c) : rc;
}

static bool is_http(const char *url)
{
	CURLU *u = curl_url();
	char *scheme = NULL;
	bool yes = u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
		   curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		   (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	curl_free(scheme);
	curl_url_cleanup(u);
	return yes;
}

static int client_fetch(void *state, const struct sat_fetch *what, void *arg, void **call)
{
	struct client *cl = state;
	struct call *c;
	int rc;

	if (cl->multi == NULL || cl->stopping)
		return -ESHUTDOWN;
	if (cl->n_calls >= CALLS_MAX)
		return -EBUSY;
	if (!is_http(what->url))
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->client = cl;
	c->what = *what;
	c->what.timeout = what->timeout > 0 ? what->timeout : TIMEOUT;
	c->arg = arg;
	c->body.max = what->max > 0 ? what->max : MAX_DEFAULT;
	c->heard = uv_now(sat_loop(cl->self));
	rc = call_set(c, what);
	if (rc == 0 && curl_multi_add_handle(cl->multi, c->easy) != CURLM_OK)
		rc = -ENOMEM;
	if (rc != 0) {
		call_free(c);
		return rc;
	}
	c->next = cl->calls;
	c->link = &cl->calls;
	if (cl->calls != NULL)
		cl->calls->link = &c->next;
	cl->calls = c;
	cl->n_calls++;
	if (what->endless)
		tick_soon(cl);
	*call = c;
	return 0;
}

static void client_cancel(void *state, void *call)
{
	struct call *c = call;

	if (c->why == 0)
		c->why = -ECANCELED;
	tick_soon(state);
}

/* ---- The module --------------------------------------------------------- */

static void timer_closed(uv_handle_t *h)
{
	handle_closed(h->data);
}

static int start(void *state)
{
	struct client *cl = state;

	cl->multi = curl_multi_init();
	if (cl->multi == NULL)
		return -ENOMEM;
	curl_multi_setopt(cl->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(cl->multi, CURLMOPT_SOCKETDATA, cl);
	curl_multi_setopt(cl->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(cl->multi, CURLMOPT_TIMERDATA, cl);
	curl_multi_setopt(cl->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS);
	curl_multi_setopt(cl->multi, CURLMOPT_MAX_HOST_CONNECTIONS, PER_HOST);
	uv_timer_init(sat_loop(cl->self), &cl->wake);
	uv_timer_init(sat_loop(cl->self), &cl->tick);
	uv_idle_init(sat_loop(cl->self), &cl->soon);
	cl->wake.data = cl->tick.data = cl->soon.data = cl;
	cl->handles = 3;
	return 0;
}

static void stop(void *state)
{
	struct client *cl = state;

	cl->stopping = true;
	for (struct call *c = cl->calls; c != NULL; c = c->next)
		if (c->why == 0)
			c->why = -ECANCELED;
	ticked(&cl->tick);
	curl_multi_cleanup(cl->multi);
	uv_close((uv_handle_t *)&cl->wake, timer_closed);
	uv_close((uv_handle_t *)&cl->tick, timer_closed);
	uv_close((uv_handle_t *)&cl->soon, timer_closed);
}

static void destroy(void *state)
{
	struct client *cl = state;

	free(cl->proxy);
	free(cl);
	curl_global_cleanup();
}

static const struct sat_option *const options[] = {
	SAT_OPTION("proxy", SAT_STRING, .help = "URL of a proxy for all requests; the environment's are not used"),
	NULL
};

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	const char *proxy = sat_conf_string(conf, "proxy");
	struct client *cl = calloc(1, sizeof(*cl));

	if (cl == NULL)
		return -ENOMEM;
	cl->self = self;
	cl->proxy = proxy != NULL ? strdup(proxy) : NULL;
	if ((proxy != NULL && cl->proxy == NULL) || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		free(cl->proxy);
		free(cl);
		return -ENOMEM;
	}
	*state = cl;
	return 0;
}

SAT_MODULE(client_curl,
	.name = "client-curl", .version = SAT_VERSION, .summary = "HTTP client",
	.options = options,
	.create = create, .start = start, .stop = stop, .destroy = destroy,
	.http_client = &(const struct sat_http_client){
		.size = sizeof(struct sat_http_client),
		.fetch = client_fetch,
		.cancel = client_cancel,
	});
