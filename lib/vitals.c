/* SPDX-License-Identifier: Apache-2.0 */
/* vitals - what this process watches about itself, as events of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "check.h"
#include "clock.h"
#include "engine.h"
#include "http.h"
#include "lead.h"
#include "life.h"
#include "log.h"
#include "search.h"
#include "vitals.h"

#define LONGEST 256		/* bytes of a service */

static int64_t every, before;	/* the interval; when it was told last, of CLOCK_BOOTTIME */
static struct sat_alarm beat, leader_look;
static enum lead_seen leader_seen = LEAD_ANOTHER;
static uint64_t leader_words;	/* a hash; 0: nobody acts, which is said with for how long */
static uint64_t begun;

/* ---- Events ------------------------------------------------------------- */

static const char *const tags[] = { "satellite" };

static void tell(struct sat_event *ev)
{
	ev->size = sizeof(*ev);
	ev->ttl = (double)every / 1e6 * 3;
	ev->tags = tags;
	ev->n_tags = 1;
	ev->has |= SAT_HAS_TTL | SAT_HAS_TAGS;
	if (ev->state == NULL)
		ev->state = "ok";
	sat_emit_event(&self_host, ev);
}

static void tell_int(const char *part, const char *name, int64_t value, const char *state, const char *why)
{
	char service[LONGEST];
	struct sat_event ev = { .has = SAT_HAS_INT, .service = service, .metric.i = value, .state = state,
				.description = why };

	snprintf(service, sizeof(service), "satellite/%s/%s", part, name);
	tell(&ev);
}

static void tell_double(const char *part, const char *name, double value)
{
	char service[LONGEST];
	struct sat_event ev = { .has = SAT_HAS_DOUBLE, .service = service, .metric.d = value };

	snprintf(service, sizeof(service), "satellite/%s/%s", part, name);
	tell(&ev);
}

/* ---- Counters ----------------------------------------------------------- */

/* Since it was told last, or since the beginning. */
static void tell_counter(struct sat_self *self, const char *part, unsigned i, const struct sat_counter *c,
			 double seconds)
{
	int64_t now = sat_counted(self, i);

	if (c->gauge && self_known(c, now))
		tell_int(part, c->name, now, NULL, NULL);
	else if (c->gauge)
		return;
	else if (self->told != NULL)
		tell_double(part, c->name, (double)(now - self->told[i]) / seconds);
	if (self->told != NULL)
		self->told[i] = now;
}

static void tell_figure(void *arg, const char *name, bool gauge, const char *help,
			const struct sat_attr *labels, uint32_t n, double value)
{
	const struct sat_self *self = arg;
	const char *own = self_figure(self, name);
	char text[LONGEST], *p;

	(void)help;
	if (!gauge || own == NULL)
		return;
	snprintf(text, sizeof(text), "%s", own);
	while ((p = strchr(text, '_')) != NULL)
		*p = '-';
	for (uint32_t i = 0; i < n; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "/%s", labels[i].value);
	}
	tell_double(self->name, text, value);
}

static void tell_instance(void *arg, struct sat_self *self)
{
	struct sat_figures figures = { .figure = tell_figure, .arg = self };
	double seconds = *(const double *)arg;

	if (self->module == NULL)
		return;
	for (unsigned i = 0; i < self->n_counters; i++)
		tell_counter(self, self->name, i, self->module->counters[i], seconds);
	if (self->module->figures != NULL && self->isolated == NULL)
		self->module->figures(self->state, &figures);
}

/* ---- The process -------------------------------------------------------- */

static int64_t memory(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long long size = 0, resident = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lld %lld", &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * sysconf(_SC_PAGESIZE);
}

static void tell_process(double seconds)
{
	const struct streams *s = engine_streams();

	for (unsigned i = 0; i < SELF_N; i++)
		tell_counter(&self_host, "process", i, self_describe(i), seconds);
	tell_int("process", "index", (int64_t)sat_index_size(), NULL, NULL);
	tell_int("process", "inputs-waiting", (int64_t)engine_waiting(), NULL, NULL);
	tell_int("process", "queries-waiting", (int64_t)search_waiting(), NULL, NULL);
	tell_int("process", "forks", s != NULL ? (int64_t)streams_forks(s) : 0, NULL, NULL);
	tell_int("process", "memory", memory(), NULL, NULL);
	tell_int("process", "acting", sat_acting(), NULL, NULL);
}

/* ---- Who acts ----------------------------------------------------------- */

static void tell_leader(void)
{
	char words[512];
	enum lead_seen seen = lead_seen(words, sizeof(words));
	struct sat_event ev = { .has = SAT_HAS_INT, .service = "satellite/leader", .metric.i = seen == LEAD_SELF,
				.description = words, .state = seen == LEAD_NOBODY ? "critical" : "ok" };

	if (words[0] != '\0')
		tell(&ev);
}

/* Nobody acts, or another does: that is not for the next interval to say. */
static void look_for_leader(struct sat_alarm *a)
{
	char words[512];
	enum lead_seen seen = lead_seen(words, sizeof(words));
	uint64_t now = seen != LEAD_NOBODY ? sat_hash(0, words) : 0;

	if ((seen == LEAD_NOBODY) != (leader_seen == LEAD_NOBODY))
		log_line(seen == LEAD_NOBODY ? LOG_WARNING : LOG_NOTICE, NULL, "leader: %s", words);
	if ((seen != leader_seen || now != leader_words) && every > 0)
		tell_leader();
	leader_seen = seen;
	leader_words = now;
	sat_alarm_set(&self_host, a, sat_clock() + SAT_SECOND);
}

/* A process that acts whatever happens has nobody to look for. */
static void watch_leader(void)
{
	char words[512];

	lead_seen(words, sizeof(words));
	leader_look.fire = look_for_leader;
	if (words[0] != '\0')
		sat_alarm_set(&self_host, &leader_look, sat_clock() + SAT_SECOND);
	else
		sat_alarm_stop(&leader_look);
}

/* ---- All of it ---------------------------------------------------------- */

static void note_reason(void *arg, const char *part, const char *reason)
{
	struct sat_buf *b = arg;

	sat_buf_printf(b, "%s%s: %s", b->len != 0 ? "; " : "", part, reason);
}

static void tell_ready(void)
{
	struct sat_buf b = { .max = 4096 };
	unsigned n = http_each_unready(note_reason, &b);

	tell_int("process", "unready", n, n != 0 ? "warning" : "ok", b.len != 0 && !b.full ? b.p : NULL);
	sat_buf_free(&b);
}

static void tell_check(void *arg, const char *service, int64_t took)
{
	(void)arg;
	tell_double("check-seconds", service, (double)took / 1e6);
}

/* The heartbeat comes last: who hears it knows that the rest was told. */
static void tell_all(struct sat_alarm *a)
{
	double seconds = (double)(clock_boot() - before) / 1e6;
	const struct setup *s = life_setup();

	before = clock_boot();
	seconds = seconds > 0 ? seconds : 1;
	tell_process(seconds);
	tell_leader();
	tell_ready();
	http_each(tell_instance, &seconds);
	if (s != NULL)
		checks_each(s->checks, tell_check, NULL);
	tell_int("process", "heartbeat", (int64_t)((uv_hrtime() - begun) / 1000000000), NULL, NULL);
	sat_alarm_set(&self_host, a, sat_clock() + every);
}

void vitals_every(int64_t interval)
{
	if (begun == 0)
		begun = uv_hrtime();
	if (before == 0)
		before = clock_boot();
	beat.fire = tell_all;
	if (interval > 0 && interval < SAT_SECOND / 10)
		interval = SAT_SECOND / 10;
	watch_leader();
	if (interval == every)
		return;
	every = interval;
	if (every == 0)
		sat_alarm_stop(&beat);
	else
		sat_alarm_set(&self_host, &beat, sat_clock() + every);
}
