/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach-tcp - whether a TCP port takes connections, and how fast.
 *
 * A name is looked up on a thread; then its addresses are tried one after the
 * other, until one takes the connection.
 */
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <satellite/module.h>

#define ADDRESSES	8

struct lookup {			/* a job: it touches nothing but itself */
	struct tcp *asker;	/* NULL: it is gone */
	int rc;			/* of getaddrinfo() */
	size_t n;
	struct sockaddr_storage found[ADDRESSES];
	char host[256], port[8];
};

struct tcp {
	struct sat_probe *probe;
	struct sat_self *self;
	const char *address;		/* as written */
	char host[256];
	int port;
	double threshold, warning;	/* milliseconds; NAN: none */
	struct lookup *lookup;		/* under way, or hanging since an earlier run */
	/* of a run */
	uint64_t began;
	struct sockaddr_storage list[ADDRESSES];
	size_t n, next;
	uv_tcp_t handle;
	uv_connect_t connect;
	int rc;				/* of the last address */
	double ms;
	bool waits, open, late;		/* not done yet; an address is tried; its time is up */
};

/* ---- What came of it ---------------------------------------------------- */

static void report_failure(struct tcp *t, const char *why)
{
	char text[512];

	t->waits = false;
	snprintf(text, sizeof(text), "%s: %s", t->address, why);
	sat_report(t->probe, .state = "critical", .description = text);
	sat_probe_done(t->probe);
}

static void report_late(struct tcp *t, const char *what)
{
	char why[100];

	snprintf(why, sizeof(why), "%s in %g s", what, (double)sat_probe_timeout(t->probe) / SAT_SECOND);
	report_failure(t, why);
}

static void report(struct tcp *t)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%s takes connections, in %.1f ms", t->address, t->ms);

	t->waits = false;
	if (!isnan(t->threshold))
		snprintf(text + n, sizeof(text) - (size_t)n, ", threshold %.15g ms", t->threshold);
	sat_report(t->probe, .has = SAT_HAS_DOUBLE, .metric.d = t->ms, .description = text,
		   .state = t->ms >= t->threshold ? "critical" : t->ms >= t->warning ? "warning" : "ok");
	sat_probe_done(t->probe);
}

/* ---- The addresses ------------------------------------------------------ */

static void try_next(struct tcp *t);

static void closed(uv_handle_t *handle)
{
	struct tcp *t = handle->data;

	t->open = false;
	if (t->rc == 0)
		report(t);
	else if (t->late)
		report_late(t, "no answer");
	else
		try_next(t);
}

static void close_handle(struct tcp *t)
{
	if (!uv_is_closing((uv_handle_t *)&t->handle))
		uv_close((uv_handle_t *)&t->handle, closed);
}

static void connected(uv_connect_t *connect, int status)
{
	struct tcp *t = connect->data;

	t->rc = status;
	t->ms = (double)(uv_hrtime() - t->began) / 1e6;
	close_handle(t);
}

static void try_next(struct tcp *t)
{
	const struct sockaddr *to = (const struct sockaddr *)&t->list[t->next];

	if (t->next == t->n) {
		report_failure(t, strerror(-t->rc));
		return;
	}
	t->next++;
	t->rc = uv_tcp_init(sat_loop(t->self), &t->handle);
	if (t->rc != 0) {
		report_failure(t, strerror(-t->rc));
		return;
	}
	t->open = true;
	t->handle.data = t->connect.data = t;
	t->rc = uv_tcp_connect(&t->connect, &t->handle, to, connected);
	if (t->rc != 0)
		close_handle(t);
}

/* ---- The name ----------------------------------------------------------- */

static void keep(struct lookup *l, const struct addrinfo *list)
{
	for (; list != NULL && l->n < ADDRESSES; list = list->ai_next)
		if (list->ai_addrlen <= sizeof(l->found[0]))
			memcpy(&l->found[l->n++], list->ai_addr, list->ai_addrlen);
}

static void resolve(struct lookup *l, int flags)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *list = NULL;

	l->rc = getaddrinfo(l->host, l->port, &hints, &list);
	if (l->rc != 0)
		return;
	keep(l, list);
	freeaddrinfo(list);
}

static int on_thread(void *arg)
{
	resolve(arg, AI_ADDRCONFIG);
	return 0;
}

static void lookup_free(struct lookup *l)
{
	if (l->asker != NULL)
		l->asker->lookup = NULL;
	free(l);
}

static void came_late(void *arg)
{
	lookup_free(arg);
}

static void use(struct tcp *t, const struct lookup *l)
{
	if (l->rc != 0) {
		report_failure(t, l->rc == EAI_SYSTEM ? "its name cannot be looked up" : gai_strerror(l->rc));
		return;
	}
	t->n = l->n;
	t->next = 0;
	memcpy(t->list, l->found, sizeof(t->list));
	t->rc = -EHOSTUNREACH;
	try_next(t);
}

static void looked_up(void *arg, int rc)
{
	struct lookup *l = arg;
	struct tcp *t = l->asker;

	if (t != NULL && t->waits) {
		if (rc == -ETIMEDOUT)
			report_late(t, "its name was not found");
		else if (rc != 0)
			report_failure(t, strerror(-rc));
		else
			use(t, l);
	}
	if (rc != -ETIMEDOUT)
		lookup_free(l);
}

/* ---- A run -------------------------------------------------------------- */

static void look_up(struct tcp *t, struct lookup *l)
{
	int rc;

	l->asker = t;
	t->lookup = l;
	rc = sat_work(t->self, &(struct sat_job){ .size = sizeof(struct sat_job), .work = on_thread,
		      .done = looked_up, .late = came_late, .deadline = sat_probe_timeout(t->probe), .arg = l,
		      .lane = l });	/* one that hangs holds up no other */
	if (rc == 0)
		return;
	lookup_free(l);
	report_failure(t, strerror(-rc));
}

static void run(void *def)
{
	struct tcp *t = def;
	struct lookup *l;

	t->waits = true;
	t->late = false;
	t->began = uv_hrtime();
	if (t->lookup != NULL) {	/* still: do not ask again, it would take another thread */
		report_late(t, "its name was not found");
		return;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		report_failure(t, strerror(ENOMEM));
		return;
	}
	snprintf(l->host, sizeof(l->host), "%s", t->host);
	snprintf(l->port, sizeof(l->port), "%d", t->port);
	resolve(l, AI_NUMERICHOST);	/* an address needs no thread */
	if (l->rc == EAI_NONAME) {
		look_up(t, l);
		return;
	}
	use(t, l);
	free(l);
}

static void timeout(void *def)
{
	struct tcp *t = def;

	t->late = true;
	if (t->open)
		close_handle(t);	/* closed() ends the run */
	else if (t->waits)
		report_late(t, "its name was not found");
}

/* ---- An entry ----------------------------------------------------------- */

/* "host:port", "[::1]:port"; NULL: good. */
static const char *split(struct tcp *t)
{
	const char *colon = strrchr(t->address, ':'), *from = t->address, *to = colon;
	char *end;

	if (colon == NULL)
		return "has no port";
	t->port = (int)strtol(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || strlen(colon) > 6 || t->port < 1 || t->port > 65535)
		return "has no port from 1 to 65535";
	if (*from == '[' && to > from && to[-1] == ']') {
		from++;
		to--;
	} else if (memchr(from, ':', (size_t)(to - from)) != NULL) {
		return "is not [address]:port";
	}
	if (to == from || (size_t)(to - from) >= sizeof(t->host) || strcspn(from, " \t\n/[]") < (size_t)(to - from))
		return "has no host";
	memcpy(t->host, from, (size_t)(to - from));
	return NULL;
}

static int read_settings(struct tcp *t, const struct sat_conf *conf)
{
	const char *why;
	int rc = 0;

	t->address = sat_conf_string(conf, "address");
	t->threshold = sat_conf_has(conf, "threshold") ? sat_conf_number(conf, "threshold") : NAN;
	t->warning = sat_conf_has(conf, "warning") ? sat_conf_number(conf, "warning") : NAN;
	why = split(t);
	if (why != NULL)
		rc = sat_conf_error(conf, "address", "\"%s\" %s", t->address, why);
	if (t->warning >= t->threshold)
		rc = sat_conf_error(conf, "warning", "%.15g is critical already, with the threshold %.15g", t->warning,
				    t->threshold);
	return rc;
}

static int define(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	struct tcp *t = calloc(1, sizeof(*t));
	int rc;

	(void)module;
	if (t == NULL)
		return -ENOMEM;
	t->probe = probe;
	t->self = sat_probe_self(probe);
	rc = read_settings(t, conf);
	rc = rc != 0 ? rc : sat_probe_service(probe, "%s reachable in ms", t->address);
	if (rc != 0) {
		free(t);
		return rc;
	}
	*def = t;
	return 0;
}

static void undefine(void *def)
{
	struct tcp *t = def;

	if (t->lookup != NULL)
		t->lookup->asker = NULL;
	free(t);
}

static const struct sat_option *const options[] = {
	SAT_OPTION("address", SAT_STRING, .required = true, .help = "host:port, [IPv6 address]:port"),
	SAT_OPTION("threshold", SAT_NUMBER, .min = 0, .max = 1e8, .help = "critical when not faster, in milliseconds"),
	SAT_OPTION("warning", SAT_NUMBER, .min = 0, .max = 1e8, .help = "warning when not faster"),
	NULL,
};

static const struct sat_check *const checks[] = {
	&(const struct sat_check){
		.size = sizeof(struct sat_check), .name = "tcp-reachable",
		.summary = "whether a port takes connections, and how fast", .options = options,
		.define = define, .run = run, .timeout = timeout, .undefine = undefine,
	},
	NULL,
};

SAT_MODULE(reach_tcp, .name = "reach-tcp", .version = SAT_VERSION,
	   .summary = "whether TCP ports take connections", .checks = checks);
