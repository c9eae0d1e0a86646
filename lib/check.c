/* SPDX-License-Identifier: Apache-2.0 */
/* check - the entries of `checks`: building, adopting, stopping; when each runs. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clock.h"
#include "event.h"
#include "json.h"
#include "log.h"
#include "probe.h"
#include "self.h"
#include "slow.h"

#define FIRST_RUN	(5 * SAT_SECOND)	/* a fresh start reports within this */
#define LONGEST_RUN	(60 * SAT_SECOND)	/* the default timeout is at most this */

struct checks {
	struct sat_probe **list;
	size_t n, running;
	unsigned unscheduled;		/* their alarm found no memory */
	void (*done)(void *arg);	/* set while it stops */
	void *arg;
};

/* Judged together with the check's own; `check` only where it names the check. */
static const struct sat_option *const named[] = {
	SAT_OPTION("check", SAT_STRING, .required = true, .help = "which check"),
	SAT_OPTION("interval", SAT_SECONDS, .fallback = "60", .min = 0.1, .max = 31 * 86400.0,
		   .help = "time between two runs"),
	SAT_OPTION("service", SAT_STRING, .help = "name of its events, behind service-prefix"),
	SAT_OPTION("ttl", SAT_SECONDS, .min = 0.1, .max = 366 * 86400.0,
		   .help = "how long a result is good for; default 5 intervals"),
	SAT_OPTION("tags", SAT_STRINGS, .help = "tags of its events"),
	SAT_OPTION("attributes", SAT_GROUP, .help = "attributes of its events, name = \"text\""),
	SAT_OPTION("host", SAT_STRING, .help = "host of its events; default: this one"),
	SAT_OPTION("timeout", SAT_SECONDS, .min = 0.1, .max = 86400,
		   .help = "longest time of a run; default: the interval, at most 60 s"),
	NULL
};
static const struct sat_option *const *const common = named + 1;
#define COMMON	(sizeof(named) / sizeof(*named) - 2)

/* ---- When each runs ----------------------------------------------------- */

/* The same on every start, and spread over all hosts and services. */
static uint64_t spread(const struct sat_probe *p)
{
	const char *texts[] = { probe_host(p), p->service };
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < 2; i++)
		for (const char *s = texts[i]; ; s++) {
			h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
			if (*s == '\0')
				break;
		}
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	return h ^ h >> 33;
}

/* The next point of its phase, but none within half an interval from now. */
static int64_t next_due(const struct sat_probe *p, int64_t now)
{
	int64_t phase = (int64_t)((spread(p) >> 20) % (uint64_t)p->interval);
	int64_t since = (now - phase) % p->interval;
	int64_t due = now + p->interval - (since < 0 ? since + p->interval : since);

	return due - now < p->interval / 2 ? due + p->interval : due;
}

static void schedule(struct sat_probe *p, int64_t due)
{
	bool was = p->unscheduled;

	p->unscheduled = sat_alarm_set(&self_host, &p->due, due) != 0;
	if (p->unscheduled && !was) {
		p->set->unscheduled++;
		log_line(LOG_ERR, p->self->name, "%s: out of memory; it runs when another check does", p->service);
	} else if (was && !p->unscheduled) {
		p->set->unscheduled--;
	}
}

static void schedule_again(struct checks *c, int64_t now)
{
	for (size_t i = 0; c->unscheduled > 0 && i < c->n; i++)
		if (c->list[i]->unscheduled)
			schedule(c->list[i], now);
}

static void report_overdue(struct sat_probe *p)
{
	char text[64];

	snprintf(text, sizeof(text), p->waits ? "not run: waits its turn for %.0f s" : "still running after %.0f s",
		 (double)(sat_clock() - p->began) / SAT_SECOND);
	sat_report(p, .state = "critical", .description = text);
}

static void timed_out(struct sat_alarm *alarm)
{
	struct sat_probe *p = SAT_OWNER(alarm, struct sat_probe, limit);

	p->overdue = true;
	if (p->check->timeout != NULL)
		p->check->timeout(p->def);
	else
		report_overdue(p);
}

static void run(struct sat_probe *p, int64_t now)
{
	const struct slow_call call = {
		.path = p->self->name, .what = "check", .name = p->service,
		.hint = "; with isolate = true in its group it would run in a process of its own",
	};

	p->running = true;
	p->overdue = p->waits = false;
	p->began = now;
	p->begun = clock_boot();
	p->set->running++;
	if (sat_alarm_set(&self_host, &p->limit, now + p->timeout) != 0) {
		sat_report(p, .state = "critical", .description = "not run: out of memory");
		sat_probe_done(p);
		return;
	}
	slow_enter(&call);
	p->check->run(p->def);
	slow_leave();
}

static void fall_due(struct sat_alarm *alarm)
{
	struct sat_probe *p = SAT_OWNER(alarm, struct sat_probe, due);
	int64_t now = sat_clock();

	/* After a stall the clock goes on in strides, a turn each: one run at their end, not one in each. */
	if (clock_behind()) {
		schedule(p, now + 1);
		return;
	}
	schedule(p, next_due(p, now));
	schedule_again(p->set, now);
	if (!p->running) {
		run(p, now);
		return;
	}
	self_add(SELF_CHECKS_SKIPPED, 1);
	if (p->overdue || p->waits)
		report_overdue(p);
}

static void start(struct sat_probe *p)
{
	int64_t within = p->interval < FIRST_RUN ? p->interval : FIRST_RUN;

	p->started = true;
	if (p->self->isolated != NULL)
		return;		/* another process runs it */
	p->due.fire = fall_due;
	p->limit.fire = timed_out;
	schedule(p, sat_clock() + (int64_t)(spread(p) % (uint64_t)within));
}

int sat_probe_waits(struct sat_probe *p, bool waits)
{
	assert(p->running);
	p->waits = waits;
	sat_alarm_stop(&p->limit);
	if (waits)
		return 0;
	p->overdue = false;
	p->began = sat_clock();
	p->begun = clock_boot();
	return sat_alarm_set(&self_host, &p->limit, p->began + p->timeout);
}

void sat_probe_done(struct sat_probe *p)
{
	struct checks *c = p->set;

	assert(p->running);
	p->running = p->waits = false;
	p->took = clock_boot() - p->begun + 1;
	sat_alarm_stop(&p->limit);
	if (--c->running == 0 && c->done != NULL)
		c->done(c->arg);
}

/* ---- Building ----------------------------------------------------------- */

/* Which key names the check: the first that is none of the host's. */
static const struct sat_conf *own_key(const struct sat_conf *entry)
{
	size_t n = sat_conf_count(entry);

	for (size_t i = 0; i < n; i++) {
		const struct sat_conf *s = sat_conf_at(entry, i);
		size_t k = 0;

		while (k < COMMON && strcmp(common[k]->name, sat_conf_name(s)) != 0)
			k++;
		if (k == COMMON)
			return s;
	}
	return NULL;
}

/* What the JVM Satellite calls satellite-slave.recipes/NAME is NAME here; NULL: reported. */
static const char *without_namespace(const char *name, const struct sat_conf *where)
{
	static const char *const spaces[] = { "satellite-slave.recipes/", "satellite-slave.mesos.recipes/" };
	const char *own = name;

	for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++)
		if (strncmp(name, spaces[i], strlen(spaces[i])) == 0)
			own = name + strlen(spaces[i]);
	if (own == name || strcmp(own, "cache-state") != 0)
		return own;
	sat_conf_error(where, NULL, "cache-state is no check here, since the master follows the tasks by itself "
		       "(module mesos-master, events mesos/tasks): leave it out");
	return NULL;
}

/* The entry's check, and the instance that has it; NULL: reported. */
static const struct sat_check *identify(const struct sat_conf *entry, const struct check_finder *finder,
					struct sat_self **self, bool *own)
{
	const struct sat_conf *s;
	struct sat_value v;
	const char *name;

	if (!sat_conf_is_group(entry)) {
		sat_conf_error(entry, NULL, "a check is a group, such as { check = \"free-memory\"; }");
		return NULL;
	}
	s = conf_find(entry, "check");
	*own = s == NULL;
	if (*own) {
		s = own_key(entry);
		if (s != NULL)
			return finder->find(finder->arg, sat_conf_name(s), true, s, self);
		sat_conf_error(entry, NULL, "names no check");
		return NULL;
	}
	v = sat_conf_value(s);
	if (v.kind != SAT_TEXT) {
		sat_conf_error(s, NULL, "is not the name of a check");
		return NULL;
	}
	name = without_namespace(v.text, s);
	return name != NULL ? finder->find(finder->arg, name, false, s, self) : NULL;
}

static const struct sat_probe *twin(const struct checks *c, const struct sat_probe *p)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i] != p && probe_same_place(c->list[i], p))
			return c->list[i];
	return NULL;
}

static void read_times(struct sat_probe *p, const struct sat_conf *entry)
{
	p->interval = sat_conf_time(entry, "interval");
	p->ttl = sat_conf_has(entry, "ttl") ? sat_conf_number(entry, "ttl")
					    : 5 * (double)p->interval / SAT_SECOND;
	p->timeout = p->interval < LONGEST_RUN ? p->interval : LONGEST_RUN;
	if (sat_conf_has(entry, "timeout"))
		p->timeout = sat_conf_time(entry, "timeout");
}

static int define(struct checks *c, struct sat_probe *p, const struct sat_conf *entry)
{
	int rc = probe_labels(p, entry);
	char where[256];

	read_times(p, entry);
	if (p->check->define != NULL) {
		int judged = p->check->define(p, p->self->state, entry, &p->def);

		p->defined = judged == 0;
		if (rc == 0)
			rc = judged;
	}
	if (rc != 0)
		return rc;
	if (p->service == NULL)
		return sat_conf_error(entry, "service", "must be given, since %s has no name of its own",
				      p->check->name);
	if (twin(c, p) == NULL)
		return 0;
	return sat_conf_error(entry, "service", "\"%s\" has a check already, at %s", p->service,
			      conf_where(twin(c, p)->conf, where, sizeof(where)));
}

/* Append one entry; -EINVAL: reported. */
static int add(struct checks *c, struct conf *file, const struct sat_conf *entry, const char *prefix,
	       const struct check_finder *finder)
{
	struct sat_self *self = NULL;
	bool own;
	const struct sat_check *check = identify(entry, finder, &self, &own);
	struct sat_probe *p;
	int rc, more;

	if (check == NULL)
		return -EINVAL;
	rc = conf_judge(entry, check->options, own ? common : named);
	if (!conf_usable(entry) || self->failed)
		return -EINVAL;
	p = probe_new(c, file, entry, prefix, check, self);
	if (p == NULL)
		return -ENOMEM;
	more = define(c, p, entry);
	if (more != 0) {
		probe_free(p);
		return more;
	}
	p->entry = 1;
	for (size_t i = 0; i < c->n; i++)
		p->entry += c->list[i]->self == self;
	c->list[c->n++] = p;
	return rc;
}

struct checks *checks_build(struct conf *file, const struct sat_conf *list, const char *prefix,
			    const struct check_finder *finder)
{
	struct checks *c = calloc(1, sizeof(*c));
	size_t n = list != NULL ? sat_conf_count(list) : 0;
	int bad = 0;

	if (c != NULL)
		c->list = calloc(n + 1, sizeof(*c->list));
	if (c == NULL || c->list == NULL) {
		bad = -ENOMEM;
		n = 0;
	}
	if (list != NULL && !sat_conf_is_list(list)) {
		sat_conf_error(list, NULL, "%s: write a list, ( { … }, { … } )",
			       sat_conf_is_group(list) ? "is a group" : "is no list");
		bad = bad != 0 ? bad : -EINVAL;
		n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		int rc = add(c, file, sat_conf_at(list, i), prefix, finder);

		if (rc != 0 && bad != -ENOMEM)
			bad = rc;
	}
	if (bad == 0)
		return c;
	if (bad == -ENOMEM)
		log_line(LOG_ERR, NULL, "checks: out of memory");
	checks_free(c);
	return NULL;
}

/* ---- Reload and stop ---------------------------------------------------- */

/* No more runs, no more reports. */
static void silence(struct sat_probe *p)
{
	p->stopping = true;
	sat_alarm_stop(&p->due);
	if (p->unscheduled) {
		p->unscheduled = false;
		p->set->unscheduled--;
	}
}

static void move(struct sat_probe *p, struct checks *to)
{
	p->set->running -= p->running;
	p->set->unscheduled -= p->unscheduled;
	p->set = to;
	to->running += p->running;
	to->unscheduled += p->unscheduled;
}

/* Take over from the entry of this place: whole where nothing changed, else what it reported. */
static void succeed(struct checks *next, size_t i, struct checks *prev)
{
	struct sat_probe *p = next->list[i];

	for (size_t k = 0; prev != NULL && k < prev->n; k++) {
		struct sat_probe *was = prev->list[k];

		if (!was->started || !probe_same_place(was, p))
			continue;
		if (probe_same_settings(was, p)) {
			next->list[i] = was;
			move(was, next);
			prev->list[k] = p;
			move(p, prev);
			return;
		}
		probe_inherit(p, was);
		break;
	}
	start(p);
}

void checks_adopt(struct checks *next, struct checks *prev)
{
	for (size_t i = 0; i < next->n; i++)
		succeed(next, i, prev);
	for (size_t k = 0; prev != NULL && k < prev->n; k++) {
		if (!prev->list[k]->started)
			continue;
		silence(prev->list[k]);
		probe_retire(prev->list[k]);
	}
}

void checks_stop(struct checks *c, bool retire, void (*done)(void *arg), void *arg)
{
	c->running++;		/* until all have been told */
	for (size_t i = 0; i < c->n; i++) {
		struct sat_probe *p = c->list[i];

		if (!p->started)
			continue;
		silence(p);
		if (retire)
			probe_retire(p);
		sat_alarm_stop(&p->limit);
		if (p->running && !p->overdue && p->check->timeout != NULL)
			p->check->timeout(p->def);
	}
	c->done = done;
	c->arg = arg;
	if (--c->running == 0 && done != NULL)
		done(arg);
}

void checks_free(struct checks *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++)
		probe_free(c->list[i]);
	free(c->list);
	free(c);
}

void checks_each(const struct checks *c, void (*fn)(void *arg, const char *service, int64_t took), void *arg)
{
	for (size_t k = 0; k < c->n; k++)
		if (c->list[k]->took != 0)
			fn(arg, c->list[k]->service, c->list[k]->took);
}

void checks_each_running(const struct checks *c, void (*fn)(void *arg, const char *service), void *arg)
{
	for (size_t k = 0; k < c->n; k++)
		if (c->list[k]->running)
			fn(arg, c->list[k]->service);
}

struct sat_probe *checks_entry(const struct checks *c, const struct sat_self *self, unsigned entry)
{
	for (size_t k = 0; k < c->n; k++)
		if (c->list[k]->self == self && c->list[k]->entry == entry)
			return c->list[k];
	return NULL;
}

size_t checks_count(const struct checks *c)
{
	return c->n;
}

/* ---- For people --------------------------------------------------------- */

static void print_seconds(const char *name, int64_t micros, struct sat_buf *out)
{
	sat_buf_printf(out, ", \"%s\": ", name);
	json_seconds(out, micros > 0 ? micros : 0);
}

static void print(const struct sat_probe *p, int64_t now, struct sat_buf *out)
{
	sat_buf_printf(out, "{\"service\": ");
	sat_buf_json(out, p->service);
	print_seconds("interval", p->interval, out);
	print_seconds("took", p->took, out);
	sat_buf_printf(out, ", \"running\": %s", p->running ? "true" : "false");
	if (p->started && !p->unscheduled && !p->stopping)
		print_seconds("next", p->due.due - now, out);
	if (p->last != NULL) {
		print_seconds("ago", sat_wall() - p->last->pub.time, out);
		sat_buf_printf(out, ", \"last\": ");
		sat_buf_event(out, &p->last->pub);
	}
	sat_buf_printf(out, "}");
}

void checks_print(const struct checks *c, struct sat_buf *out)
{
	sat_buf_printf(out, "[");
	for (size_t k = 0; k < c->n; k++) {
		sat_buf_printf(out, "%s\n  ", k == 0 ? "" : ",");
		print(c->list[k], sat_clock(), out);
	}
	sat_buf_printf(out, "]");
}
