/* SPDX-License-Identifier: Apache-2.0 */
/* source - one thing that a Mesos master is asked for, under whichever path it has it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mesos.h"
#include "legal.h"

#define SILENCE_MAX	(3600 * SAT_SECOND)

int64_t source_boot(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * SAT_SECOND + ts.tv_nsec / 1000;
}

static const char *base_of(const struct source *s)
{
	return s->base != NULL ? s->base : s->m->url;
}

static void collect(struct source *s, const void *p, size_t n)
{
	size_t room = sizeof(s->words) - s->n_words;

	if (n > room)
		n = room;
	if (n > 0)
		memcpy(s->words + s->n_words, p, n);
	s->n_words += n;
}

static int data(void *arg, int status, const void *p, size_t n)
{
	struct source *s = arg;

	if (s->endless) {
		s->counted += n;
		s->m->bytes[s->m->bucket] += n;
		sat_count(s->m->self, COUNT_BYTES, (int64_t)n);
	}
	if (status == 200) {
		s->heard = sat_clock();
		return s->data(s->m, p, n);
	}
	collect(s, p, n);
	return 0;
}

/* ---- How it went -------------------------------------------------------- */

void source_say(const struct source *s)
{
	char service[64];

	if (!s->known)
		return;
	snprintf(service, sizeof(service), "mesos/endpoint/%s", s->name);
	mesos_say(s->m, service, &(struct sat_value){ .kind = SAT_DOUBLE, .d = s->took },
		  s->trouble == 0 ? "ok" : "critical", s->why);
}

/* For those in this process who must know how fresh the rest is. */
static void publish(const struct source *s)
{
	struct sat_event ev = { .size = sizeof(ev), .service = "mesos/health",
				.state = s->trouble == 0 ? "ok" : "critical",
				.description = s->why };
	const struct sat_event *evs[] = { &ev };

	if (s == &s->m->snapshot)
		sat_publish(s->m->self, ev.service, &(struct sat_item){ .evs = evs, .n = 1 }, true);
}

static void news(struct source *s, int code)
{
	bool changed = !s->known || s->trouble != code;

	s->known = true;
	s->trouble = code;
	if (!changed)
		return;
	sat_log(s->m->self, code == 0 ? LOG_NOTICE : LOG_WARNING, "%s", s->why);
	source_say(s);
	publish(s);
}

void source_trouble(struct source *s, int code, const char *fmt, ...)
{
	va_list ap;
	int n;

	n = snprintf(s->why, sizeof(s->why), "%s%s%s%s: ", base_of(s), s->paths[s->path],
		     s->via[0] != '\0' ? ", sent on to " : "", s->via);
	va_start(ap, fmt);
	if (n > 0 && (size_t)n < sizeof(s->why))
		vsnprintf(s->why + n, sizeof(s->why) - (size_t)n, fmt, ap);
	va_end(ap);
	sat_count(s->m->self, COUNT_FAILURES, 1);
	news(s, code);
}

void source_well(struct source *s)
{
	snprintf(s->why, sizeof(s->why), "%s%s: answers", base_of(s), s->paths[s->path]);
	sat_gauge(s->m->self, s->gauge, sat_wall() / SAT_SECOND);
	news(s, 0);
}

/* No answer at all. */
static void unreached(struct source *s, const struct sat_answer *a)
{
	const char *words = a->error != NULL ? a->error : strerror(-a->rc);

	if (a->rc == -ECONNREFUSED)
		source_trouble(s, a->rc, "%s: does a Mesos master run there?", words);
	else if (a->rc == -ETIMEDOUT)
		source_trouble(s, a->rc, "no answer within %.3g s: it is overloaded, stopped or cut off "
			       "(setting: timeout)", (double)s->timeout / SAT_SECOND);
	else if (a->rc == -EMSGSIZE)
		source_trouble(s, a->rc, "more than %zu MiB: no Mesos master's answer is so large", s->max >> 20);
	else
		source_trouble(s, a->rc, "%s", words);
}

/* An answer, but not the one we asked for. */
static void refused(struct source *s, const struct sat_answer *a)
{
	const char *hint = "";
	size_t i;

	if (s->data == NULL)
		collect(s, a->body, a->len);
	for (i = 0; i < s->n_words && (unsigned char)s->words[i] >= 0x20; i++)
		continue;
	if (!legal_text(s->words, i))
		i = 0;
	if (a->status == 401)
		hint = s->m->how.token != NULL ? ": it does not take this token (setting: token)" :
		       s->m->how.user == NULL ? ": it wants credentials (settings: user, password, or token)" :
					    ": it does not take these credentials (settings: user, password)";
	else if (a->status == 403)
		hint = ": this principal may not see it; allow it in the Mesos master's ACLs";
	else if (a->status == 404)
		hint = ": it has none of the paths of a Mesos master (setting: url)";
	source_trouble(s, a->status, "answers %d%s%s%.*s", a->status, hint, i > 0 ? ": " : "", (int)i,
		       s->words);
}

/* ---- Asking ------------------------------------------------------------- */

static bool ask(struct source *s);

/* A follower sends on to its leader. */
static void note_via(struct source *s, const char *url)
{
	s->via[0] = '\0';
	if (url != NULL && strncmp(url, base_of(s), strlen(base_of(s))) != 0)
		snprintf(s->via, sizeof(s->via), "%.*s", (int)strcspn(url, "?#@"), url);
}

/*
 * The leader may be on any host, and the client keeps our credentials from those that we did not name.
 * By the word of a master that has them already it is one of theirs: it is asked by itself, though never
 * in the clear where that one was not.
 */
static bool ask_leader(struct source *s, const struct sat_answer *a)
{
	const char *base = base_of(s);

	if (a->status != 401 || s->sent_on || (s->m->how.user == NULL && s->m->how.token == NULL) || s->via[0] == '\0' ||
	    strcmp(s->via, a->url) != 0 || strncmp(s->via, base, strcspn(base, ":") + 1) != 0)
		return false;
	s->sent_on = true;
	return ask(s);
}

static void done(void *arg, const struct sat_answer *a)
{
	struct source *s = arg;
	struct mesos *m = s->m;
	const struct sat_answer gone = { .size = sizeof(gone), .rc = -ECANCELED };
	const struct sat_answer late = { .size = sizeof(late), .rc = -ETIMEDOUT };

	s->call = NULL;
	m->answered = s;
	s->took = (double)(sat_clock() - s->asked) / SAT_SECOND;
	m->bytes[m->bucket] += a->received - s->counted;
	sat_count(m->self, COUNT_BYTES, (int64_t)(a->received - s->counted));
	if (!s->endless && s->took > m->longest[m->bucket])
		m->longest[m->bucket] = s->took;
	note_via(s, a->url);
	/* It lay here while this process was stopped: of what is now it says nothing. */
	if (a->rc == 0 && !s->endless && source_boot() - s->asked_boot > s->timeout + SAT_SECOND)
		a = &late;
	if (s->dropped)
		a = &gone;
	if (a->rc == 0 && a->status == 200 && !m->stopping) {
		s->done(m, a);
		return;
	}
	if (a->rc == 0 && !m->stopping && ask_leader(s, a))
		return;
	if (a->rc == 0 && a->status == 404 && !m->stopping) {
		s->sent_on = false;
		s->path = s->paths[s->path + 1] != NULL ? s->path + 1 : 0;
		if (s->path != s->first && ask(s))
			return;
	}
	s->failed(m, a);
}

static bool ask(struct source *s)
{
	struct mesos *m = s->m;
	char url[2048];
	struct sat_fetch what = m->how;

	snprintf(url, sizeof(url), "%s%s", s->sent_on ? s->via : base_of(s), s->sent_on ? "" : s->paths[s->path]);
	what.size = sizeof(what);
	what.url = url;
	what.headers = (const char *const []){
		"Accept: application/json", s->body != NULL ? "Content-Type: application/json" : NULL, NULL };
	what.body = s->body;
	what.body_len = s->body != NULL ? strlen(s->body) : 0;
	what.endless = s->endless;
	what.timeout = s->endless ? SILENCE_MAX : s->timeout;	/* whoever follows it watches it */
	what.max = s->max;
	what.data = s->data != NULL ? data : NULL;
	what.done = done;
	s->n_words = 0;
	s->counted = 0;
	s->heard = 0;
	s->dropped = false;
	s->asked = sat_clock();
	s->asked_boot = source_boot();
	s->call = sat_fetch(m->self, &what, s);
	sat_count(m->self, COUNT_REQUESTS, 1);
	m->requests[m->bucket]++;
	return s->call != NULL;
}

/* The path that worked last comes first; after a 404 the others, once round. */
bool source_ask(struct source *s)
{
	s->first = s->path;
	s->sent_on = false;
	return ask(s);
}

void source_drop(struct source *s)
{
	if (s->call == NULL)
		return;
	s->dropped = true;
	sat_fetch_cancel(s->call);
}

/* What failed() is for, where the answer says it all. */
void source_failed(struct source *s, const struct sat_answer *a)
{
	if (s->dropped)
		return;
	if (a->rc != 0)
		unreached(s, a);
	else
		refused(s, a);
}

/* ---- What it costs the master ------------------------------------------- */

void mesos_turn_bytes(struct mesos *m, int64_t now)
{
	if (now < m->bucket_end)
		return;
	sat_gauge(m->self, GAUGE_BYTES_PER_MINUTE, (int64_t)mesos_bytes_per_minute(m));
	sat_gauge(m->self, GAUGE_REQUESTS_PER_MINUTE, mesos_requests_per_minute(m));
	sat_gauge(m->self, GAUGE_LONGEST, (int64_t)(mesos_longest(m) * SAT_SECOND));
	m->bucket = (m->bucket + 1) % BUCKETS;
	m->bytes[m->bucket] = 0;
	m->requests[m->bucket] = 0;
	m->longest[m->bucket] = 0;
	m->bucket_end = now + BUCKET;
}

uint64_t mesos_bytes_per_minute(const struct mesos *m)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < BUCKETS; i++)
		sum += m->bytes[i];
	return sum;
}

unsigned mesos_requests_per_minute(const struct mesos *m)
{
	unsigned i, sum = 0;

	for (i = 0; i < BUCKETS; i++)
		sum += m->requests[i];
	return sum;
}

double mesos_longest(const struct mesos *m)
{
	double most = 0;
	unsigned i;

	for (i = 0; i < BUCKETS; i++)
		most = m->longest[i] > most ? m->longest[i] : most;
	return most;
}
