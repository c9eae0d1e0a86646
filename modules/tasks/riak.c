/* SPDX-License-Identifier: Apache-2.0 */
/* riak - another store of records, that speaks Riak's HTTP: its settings, how it is asked, how it stands. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "riak.h"

#define SERVICE		"satellite/tasks/riak"
#define BACKOFF_MIN	SAT_SECOND
#define BACKOFF_MAX	(60 * SAT_SECOND)
enum { BUCKET_MAX = 1024, URL_MAX = 1024 };

/* ---- How it is asked ---------------------------------------------------- */

/* A byte that may stand in a path stays as it is, another is three. */
static char *encode(char *to, const char *s)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~";

	for (; *s != '\0'; s++) {
		if (strchr(plain, *s) != NULL)
			*to++ = *s;
		else
			to += sprintf(to, "%%%02X", (unsigned char)*s);
	}
	*to = '\0';
	return to;
}

/* These two a URL does not end with: they are folders.  No record has a longer id. */
bool riak_legal(const char *id)
{
	return strlen(id) <= NAME_MAX_BYTES && strcmp(id, ".") != 0 && strcmp(id, "..") != 0;
}

struct sat_call *riak_ask(struct riak *r, unsigned at, struct sat_fetch *what, const char *id, const char *more,
			  void *arg)
{
	size_t base = strlen(r->urls[at]) + strlen(r->path);
	char *url = malloc(base + 3 * strlen(id) + strlen(more) + 1);
	struct sat_call *call;

	if (url == NULL)
		return NULL;
	sprintf(url, "%s%s", r->urls[at], r->path);
	strcpy(encode(url + base, id), more);
	what->size = sizeof(*what);
	what->url = url;
	what->no_redirect = true;
	call = sat_fetch(r->self, what, arg);
	free(url);
	return call;
}

/* ---- How it stands ------------------------------------------------------ */

const char *riak_advice(const struct riak *r, int status)
{
	switch (status) {
	case 401:
	case 403:
		return r->how.user == NULL && r->how.token == NULL ?
			": it wants credentials (settings: user, password, or token)" :
			": it does not take these credentials (settings: user, password, or token)";
	case 404:
	case 405:
		return ": is that a Riak, and its style right? (settings: url, style)";
	default:
		return status >= 300 && status < 400 ? ": it is elsewhere (setting: url)" : "";
	}
}

static void tell(struct riak *r, const char *state, const char *why)
{
	sat_emit(r->self, .has = SAT_HAS_TTL, .ttl = 300, .service = SERVICE, .state = state, .description = why);
}

static int64_t jitter(int64_t about)
{
	uint64_t n = 0;

	uv_random(NULL, NULL, &n, sizeof(n), 0, NULL);
	return about / 2 + (int64_t)(n % (uint64_t)about);
}

/* Others of the same moment fail, too: that is one pause. */
static void pause_it(struct riak *r, unsigned url)
{
	int64_t now = sat_clock();

	if (now < r->not_before)
		return;
	r->url = (url + 1) % r->n_urls;
	r->backoff = r->backoff == 0 ? BACKOFF_MIN : r->backoff < BACKOFF_MAX / 2 ? 2 * r->backoff : BACKOFF_MAX;
	r->not_before = now + jitter(r->backoff);
	sat_alarm_set(r->self, &r->again, r->not_before);
}

void riak_trouble(struct riak *r, unsigned url, const char *what, const struct sat_answer *answer)
{
	char why[512];

	sat_count(r->self, COUNT_RIAK_ERRORS, 1);
	if (answer->rc != 0)
		snprintf(why, sizeof(why), "%s: %s: %s", r->urls[url], what,
			 answer->error != NULL ? answer->error : strerror(-answer->rc));
	else
		snprintf(why, sizeof(why), "%s: %s: it answers %d%s", r->urls[url], what, answer->status,
			 riak_advice(r, answer->status));
	if (!r->ill)
		sat_log(r->self, LOG_ERR, "%s; records wait in the file, up to %lld of them", why,
			(long long)r->max_unsent);
	if (sat_clock() >= r->not_before)
		tell(r, "critical", why);
	r->ill = true;
	pause_it(r, url);
}

void riak_well(struct riak *r)
{
	r->backoff = 0;
	if (r->ill) {
		sat_log(r->self, LOG_NOTICE, "%s: takes records again", r->urls[r->url]);
		tell(r, "ok", "records are taken");
	}
	r->ill = false;
}

/* ---- Life --------------------------------------------------------------- */

static void go_on(struct riak *r)
{
	send_pump(r);
	if (riak_wants(r) && !r->t->lost)
		keep_turn(r->t);
}

static void again(struct sat_alarm *alarm)
{
	go_on(SAT_OWNER(alarm, struct riak, again));
}

void riak_start(struct riak *r)
{
	if (r == NULL)
		return;
	r->stopping = false;
	r->again.fire = again;
}

void riak_acting(struct riak *r)
{
	if (r != NULL)
		go_on(r);
}

bool riak_idle(const struct riak *r)
{
	return r == NULL || (r->n_puts == 0 && r->n_seeks == 0);
}

void riak_stop(struct riak *r)
{
	if (r == NULL)
		return;
	r->stopping = true;
	sat_alarm_stop(&r->again);
	send_stop(r);
	seek_stop(r);
}

void riak_free(struct riak *r)
{
	if (r == NULL)
		return;
	sat_alarm_stop(&r->again);
	records_free(r->todo);
	records_free(r->sent);
	for (unsigned i = 0; i < r->n_urls; i++)
		free(r->urls[i]);
	free(r->path);
	free(r);
}

/* ---- Settings ----------------------------------------------------------- */

const struct sat_option *const riak_options[] = {
	SAT_OPTION("url", SAT_STRINGS, .required = true,
		   .help = "http://HOST:8098; of several, the next is asked when one does not answer"),
	SAT_OPTION("bucket", SAT_STRING, .required = true, .help = "the bucket that has, or is to have, the records"),
	SAT_OPTION("style", SAT_STRING, .fallback = "buckets",
		   .help = "its paths: \"buckets\" for /buckets/B/keys/K, \"riak\" for the older /riak/B/K"),
	SAT_OPTION("queue", SAT_INTEGER, .fallback = "100000", .min = 1, .max = 1e9,
		   .help = "records that may wait for it in the file; the oldest go unsent"),
	SAT_OPTION("timeout", SAT_SECONDS, .fallback = "10", .min = 0.1, .max = 600, .help = "for a request"),
	SAT_FETCH_OPTIONS("its"),
	NULL
};

static int make_path(struct riak *r, const struct sat_conf *conf)
{
	const char *style = sat_conf_string(conf, "style"), *bucket = sat_conf_string(conf, "bucket");
	bool old = strcmp(style, "riak") == 0;
	char name[3 * BUCKET_MAX + 1];

	if (!old && strcmp(style, "buckets") != 0)
		return sat_conf_error(conf, "style", "is \"%s\", and can be \"buckets\" or \"riak\"", style);
	if (bucket[0] == '\0' || !riak_legal(bucket) || strlen(bucket) > BUCKET_MAX)
		return sat_conf_error(conf, "bucket", "is no name of a bucket");
	encode(name, bucket);
	return asprintf(&r->path, old ? "/riak/%s/" : "/buckets/%s/keys/", name) >= 0 ? 0 : -ENOMEM;
}

/* Every mistake is reported, not the first alone. */
static int settings(struct riak *r, const struct sat_conf *conf)
{
	int rc = sat_fetch_bases(conf, "url", r->urls, URLS_MAX, &r->n_urls), more = make_path(r, conf);

	if (rc == -ENOMEM || more == -ENOMEM)
		return -ENOMEM;
	rc = more != 0 ? more : rc;
	r->how.timeout = sat_conf_time(conf, "timeout");
	r->max_unsent = sat_conf_integer(conf, "queue");
	if (sat_fetch_settings(conf, &r->how) != 0)
		rc = -EINVAL;
	more = sat_need(r->self, conf, "http-client");
	return rc != 0 ? rc : more;
}

int riak_new(struct tasks *t, const struct sat_conf *group, struct riak **to)
{
	struct riak *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return -ENOMEM;
	r->t = t;
	r->self = t->self;
	rc = settings(r, group);
	if (rc == 0)
		*to = r;
	else
		riak_free(r);
	return rc;
}
