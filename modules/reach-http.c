/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach-http - whether a URL answers, with what status and text, and how fast.
 *
 * Of a body no more is read than is looked at; what a URL carries behind `?` may
 * be a secret, and stands in no event.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <satellite/module.h>

#define TEXT_MAX	256		/* of what is looked for */
#define BODY_MAX	((uint64_t)1 << 20)	/* in so much of the body */

struct http {
	struct sat_probe *probe;
	struct sat_self *self;
	struct sat_fetch what;		/* its texts are the settings' */
	double threshold, warning;	/* milliseconds; NAN: none */
	int status;			/* 0: any of 200 to 299 */
	const char *text;		/* NULL: any */
	int shown;			/* bytes of the URL that may be shown */
	/* of a run */
	struct sat_call *call;
	int64_t began;
	uint64_t received;
	bool found, enough, late;
	char tail[TEXT_MAX];		/* what came last, and may be the begin of the text */
	size_t n_tail;
	int answered;			/* the status that came with the body */
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SAT_SECOND + t.tv_nsec / 1000;
}

/* ---- The body ----------------------------------------------------------- */

/* Whether the text is in what came, or on the seam to what came before. */
static void look_in(struct http *h, const char *p, size_t n)
{
	size_t len = strlen(h->text), head = n < len - 1 ? n : len - 1, all, keep;
	char seam[2 * TEXT_MAX];

	memcpy(seam, h->tail, h->n_tail);
	memcpy(seam + h->n_tail, p, head);
	all = h->n_tail + head;
	h->found = h->found || memmem(seam, all, h->text, len) != NULL || memmem(p, n, h->text, len) != NULL;
	if (n > head) {
		memcpy(seam, p + n - head, head);
		all = head;
	}
	keep = all < len - 1 ? all : len - 1;
	memcpy(h->tail, seam + all - keep, keep);
	h->n_tail = keep;
}

static int take(void *arg, int status, const void *p, size_t n)
{
	struct http *h = arg;

	h->answered = status;
	h->received += n;
	if (h->text != NULL && !h->found)
		look_in(h, p, n);
	h->enough = h->text == NULL || h->found || h->received >= BODY_MAX;
	return h->enough ? -ECANCELED : 0;
}

/* ---- What came of it ---------------------------------------------------- */

static const char *judge(const struct http *h, int status, double ms)
{
	if (h->status != 0 ? status != h->status : status < 200 || status > 299)
		return "critical";
	if ((h->text != NULL && !h->found) || ms >= h->threshold)
		return "critical";
	return ms >= h->warning ? "warning" : "ok";
}

static void report(struct http *h, int status, double ms)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%.*s answers %d in %.1f ms", h->shown < 300 ? h->shown : 300,
			 h->what.url, status, ms);

	if (h->text != NULL && !h->found)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ", without \"%.100s\"", h->text);
	if (!isnan(h->threshold))
		snprintf(text + n, sizeof(text) - (size_t)n, ", threshold %.15g ms", h->threshold);
	sat_report(h->probe, .has = SAT_HAS_DOUBLE, .metric.d = ms, .description = text,
		   .state = judge(h, status, ms));
	sat_probe_done(h->probe);
}

static void report_failure(struct http *h, const char *why)
{
	char text[512];

	snprintf(text, sizeof(text), "%.*s: %s", h->shown < 300 ? h->shown : 300, h->what.url, why);
	sat_report(h->probe, .state = "critical", .description = text);
	sat_probe_done(h->probe);
}

static void done(void *arg, const struct sat_answer *answer)
{
	struct http *h = arg;
	double ms = (double)(now() - h->began) / 1e3;
	char late[64];

	h->call = NULL;
	if (answer->rc == 0 || h->enough) {
		report(h, answer->rc == 0 ? answer->status : h->answered, ms);
		return;
	}
	snprintf(late, sizeof(late), "no answer in %g s", (double)sat_probe_timeout(h->probe) / SAT_SECOND);
	if (h->late || answer->rc == -ETIMEDOUT)
		report_failure(h, late);
	else
		report_failure(h, answer->error != NULL ? answer->error : strerror(-answer->rc));
}

/* ---- A run -------------------------------------------------------------- */

static void run(void *def)
{
	/* A connection left from the last run would show that that run got through. */
	static const char *const headers[] = { "Connection: close", NULL };
	struct http *h = def;

	h->began = now();
	h->received = 0;
	h->n_tail = 0;
	h->found = h->enough = h->late = false;
	h->what.headers = headers;
	h->what.timeout = sat_probe_timeout(h->probe);
	h->call = sat_fetch(h->self, &h->what, h);
	if (h->call == NULL)
		report_failure(h, "could not be asked");
}

/* done() follows, and ends the run. */
static void timeout(void *def)
{
	struct http *h = def;

	h->late = true;
	if (h->call != NULL)
		sat_fetch_cancel(h->call);
}

/* ---- An entry ----------------------------------------------------------- */

static int judge_url(struct http *h, const struct sat_conf *conf)
{
	const char *url = h->what.url, *host = strstr(url, "://");

	h->shown = (int)strcspn(url, "?#");
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return sat_conf_error(conf, "url", "is no http:// or https://");
	if (strpbrk(url, " \t\n") != NULL || strlen(url) > 2000)
		return sat_conf_error(conf, "url", "has blanks, or more than 2000 bytes");
	if (memchr(host + 3, '@', strcspn(host + 3, "/?#")) != NULL)
		return sat_conf_error(conf, "url", "holds a password: write user and password beside it");
	return 0;
}

static int judge_settings(struct http *h, const struct sat_conf *conf)
{
	int rc = judge_url(h, conf);

	if (sat_fetch_settings(conf, &h->what) != 0)
		rc = -EINVAL;
	if (h->text != NULL && (*h->text == '\0' || strlen(h->text) >= TEXT_MAX))
		rc = sat_conf_error(conf, "contains", "is no text of 1 to %d bytes", TEXT_MAX - 1);
	if (h->warning >= h->threshold)
		rc = sat_conf_error(conf, "warning", "%.15g is critical already, with the threshold %.15g", h->warning,
				    h->threshold);
	return rc;
}

static double number(const struct sat_conf *conf, const char *name)
{
	return sat_conf_has(conf, name) ? sat_conf_number(conf, name) : NAN;
}

static void read_settings(struct http *h, const struct sat_conf *conf)
{
	h->status = sat_conf_has(conf, "status") ? (int)sat_conf_integer(conf, "status") : 0;
	h->text = sat_conf_string(conf, "contains");
	h->threshold = number(conf, "threshold");
	h->warning = number(conf, "warning");
	h->what = (struct sat_fetch){
		.size = sizeof(struct sat_fetch), .url = sat_conf_string(conf, "url"),
		.no_redirect = h->status >= 300 && h->status < 400,
		.data = take, .done = done,
	};
}

static int define(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	struct http *h = calloc(1, sizeof(*h));
	int rc;

	(void)module;
	if (h == NULL)
		return -ENOMEM;
	h->probe = probe;
	h->self = sat_probe_self(probe);
	read_settings(h, conf);
	rc = judge_settings(h, conf);
	rc = rc != 0 ? rc : sat_probe_service(probe, "%.*s reachable in ms", h->shown, h->what.url);
	if (rc != 0) {
		free(h);
		return rc;
	}
	*def = h;
	return 0;
}

static const struct sat_option *const options[] = {
	SAT_OPTION("url", SAT_STRING, .required = true, .help = "what to fetch"),
	SAT_OPTION("status", SAT_INTEGER, .min = 100, .max = 599,
		   .help = "critical with another status; default: any of 200 to 299"),
	SAT_OPTION("contains", SAT_STRING, .help = "critical where the body's first MiB has not this text"),
	SAT_OPTION("threshold", SAT_NUMBER, .min = 0, .max = 1e8, .help = "critical when not faster, in milliseconds"),
	SAT_OPTION("warning", SAT_NUMBER, .min = 0, .max = 1e8, .help = "warning when not faster"),
	SAT_FETCH_OPTIONS("the server's"),
	NULL,
};

static const struct sat_check *const checks[] = {
	&(const struct sat_check){
		.size = sizeof(struct sat_check), .name = "http-reachable",
		.summary = "whether a URL answers as it should, and how fast", .options = options,
		.define = define, .run = run, .timeout = timeout, .undefine = free,
	},
	NULL,
};

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	(void)state;
	return sat_need(self, conf, "http-client");
}

SAT_MODULE(reach_http, .name = "reach-http", .version = SAT_VERSION,
	   .summary = "whether URLs answer", .checks = checks, .create = create);
