/* SPDX-License-Identifier: Apache-2.0 */
/* verdict - what a child's exit status and output mean. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "perfdata.h"

#define LINE	1024	/* of a description */

/* The first line, up to `end` if that is not 0, for people: no control characters. */
static void first_line(const char *text, char end, char *line)
{
	size_t n = 0;

	text += strspn(text, " \t\r\n");
	while (text[n] != '\0' && text[n] != '\n' && (end == '\0' || text[n] != end) && n < LINE - 1) {
		line[n] = iscntrl((unsigned char)text[n]) ? ' ' : text[n];
		n++;
	}
	if (n == LINE - 1)	/* not in the middle of a UTF-8 character */
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	while (n > 0 && line[n - 1] == ' ')
		n--;
	line[n] = '\0';
}

static void describe(const struct outcome *o, char end, char *line)
{
	first_line(o->out, end, line);
	if (line[0] == '\0')
		first_line(o->err, '\0', line);
	if (line[0] != '\0')
		return;
	if (o->signal != 0)
		snprintf(line, LINE, "ended by signal %d (%s)", o->signal, strsignal(o->signal));
	else
		snprintf(line, LINE, "exit status %lld", (long long)o->status);
}

static int64_t status_of(const struct outcome *o)
{
	return o->signal != 0 ? 128 + o->signal : o->status;
}

static void report_status(struct command *c, const struct outcome *o, const char *state, char end)
{
	char line[LINE];

	describe(o, end, line);
	sat_report(c->probe, .has = SAT_HAS_INT, .metric.i = status_of(o), .state = state, .description = line);
}

static void report_exit(struct command *c, const struct outcome *o)
{
	report_status(c, o, status_of(o) == 0 ? "ok" : "critical", '\0');
}

/* ---- Nagios plugins ----------------------------------------------------- */

/* What a figure is called as an attribute: JSON has the event's own fields beside it. */
static const char *key_of(const char *label)
{
	static const char *const taken[][2] = {
		{ "host", "perf-host" }, { "service", "perf-service" }, { "state", "perf-state" },
		{ "description", "perf-description" }, { "metric", "perf-metric" }, { "tags", "perf-tags" },
		{ "time", "perf-time" }, { "ttl", "perf-ttl" },
	};

	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		if (strcmp(taken[i][0], label) == 0)
			return taken[i][1];
	return label;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct sat_attr *)a)->key, ((const struct sat_attr *)b)->key);
}

/* The figures as attributes of the check's event; how many, each once. */
static uint32_t figures_of(const struct perf *all, size_t n, struct sat_attr attrs[PERF_MOST])
{
	uint32_t kept = 0;

	for (size_t i = 0; i < n; i++)
		attrs[i] = (struct sat_attr){ key_of(all[i].label), all[i].text };
	qsort(attrs, n, sizeof(*attrs), by_key);
	for (size_t i = 0; i < n; i++)	/* "time", and a "perf-time" beside it */
		if (kept == 0 || strcmp(attrs[kept - 1].key, attrs[i].key) != 0)
			attrs[kept++] = attrs[i];
	return kept;
}

static void set_metric(struct sat_event *ev, const struct perf *p)
{
	ev->has &= ~SAT_HAS_METRIC;
	if (p->known && p->whole) {
		ev->has |= SAT_HAS_INT;
		ev->metric.i = p->i;
	} else if (p->known) {
		ev->has |= SAT_HAS_DOUBLE;
		ev->metric.d = p->d;
	}
}

/* sat_report_event() puts the prefix in front again. */
static const char *without_prefix(const char *service)
{
	const char *prefix = sat_top_string("service-prefix");

	if (prefix != NULL && strncmp(service, prefix, strlen(prefix)) == 0)
		service += strlen(prefix);
	return service;
}

/* SERVICE/LABEL. */
static void report_figure(struct command *c, const struct perf *p)
{
	const struct sat_attr all[] = {
		{ "critical", p->critical }, { "max", p->max }, { "min", p->min }, { "unit", p->unit },
		{ "warning", p->warning },
	};
	struct sat_attr attrs[sizeof(all) / sizeof(*all)];
	struct sat_event ev = { .size = sizeof(ev), .state = "ok", .attrs = attrs, .description = p->text };
	char *service;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i].value[0] != '\0')
			attrs[ev.n_attrs++] = all[i];
	if (asprintf(&service, "%s/%s", without_prefix(sat_probe_name(c->probe)), p->label) < 0) {
		sat_count(c->self, COUNT_PERFDATA_REFUSED, 1);
		return;
	}
	ev.service = service;
	set_metric(&ev, p);
	sat_report_event(c->probe, &ev);
	free(service);
}

/* The check's own event with its figures, or before theirs. */
static void report_figures(struct command *c, struct sat_event *ev, const struct perf *all, size_t n)
{
	struct sat_attr attrs[PERF_MOST];

	if (n > 0)
		set_metric(ev, &all[0]);
	if (c->perfdata == PERFDATA_ATTRIBUTES) {
		ev->attrs = attrs;
		ev->n_attrs = figures_of(all, n, attrs);
	}
	sat_report_event(c->probe, ev);
	for (size_t i = 0; c->perfdata == PERFDATA_EVENTS && i < n; i++)
		report_figure(c, &all[i]);
}

/* Plugins' text ends where their figures begin, at a |. */
static void report_nagios(struct command *c, const struct outcome *o)
{
	static const char *const states[] = { "ok", "warning", "critical" };
	int64_t status = status_of(o);
	const char *state = status >= 0 && status < 3 ? states[status] : "unknown";
	struct perf all[PERF_MOST];
	size_t n, refused;
	char line[LINE], *room;
	struct sat_event ev = { .size = sizeof(ev), .has = SAT_HAS_INT, .metric.i = status, .state = state,
				.description = line };

	describe(o, '|', line);
	room = c->perfdata != PERFDATA_NONE ? malloc(strlen(o->out) + 1) : NULL;
	n = room != NULL ? perfdata_read(o->out, room, all, &refused) : 0;
	if (room != NULL)
		sat_count(c->self, COUNT_PERFDATA_REFUSED, (int64_t)refused);
	report_figures(c, &ev, all, n);
	free(room);
}

/* ---- Numbers ------------------------------------------------------------ */

/* A number alone, or before a blank. */
static int read_number(const char *text, struct sat_event *ev)
{
	char *end;

	errno = 0;
	ev->metric.i = strtoll(text, &end, 10);
	ev->has = SAT_HAS_INT;
	if (end == text || errno != 0 || (*end != '\0' && !isspace((unsigned char)*end))) {
		ev->metric.d = strtod(text, &end);
		ev->has = SAT_HAS_DOUBLE;
		if (end == text || !isfinite(ev->metric.d) || (*end != '\0' && !isspace((unsigned char)*end)))
			return -EBADMSG;
	}
	return 0;
}

/* Whether it is past this limit, and in what words. */
static bool is_bad(const struct command *c, const struct limit *l, double value, const char *state, char *why, size_t size)
{
	if (!limit_passed(l, c->low, value))
		return false;
	if (l->kind == LIMIT_RANGE)
		snprintf(why, size, ", %s %s %s", state, l->inside ? "within" : "outside", l->text);
	else
		snprintf(why, size, ", %s at %.15g", state, l->from);
	return true;
}

static void report_number(struct command *c, const struct outcome *o)
{
	struct sat_event ev = { .size = sizeof(ev), .state = "ok" };
	char line[LINE], why[96] = "", text[LINE + sizeof(why)];
	double value;

	if (status_of(o) != 0) {
		report_status(c, o, "critical", '\0');
		return;
	}
	first_line(o->out, '\0', line);
	ev.description = text;
	if (read_number(line, &ev) != 0) {
		snprintf(text, sizeof(text), "is not a number: %s", line[0] != '\0' ? line : "no output");
		sat_report(c->probe, .state = "critical", .description = text);
		return;
	}
	value = sat_metric(&ev);
	if (is_bad(c, &c->critical, value, "critical", why, sizeof(why)))
		ev.state = "critical";
	else if (is_bad(c, &c->warning, value, "warning", why, sizeof(why)))
		ev.state = "warning";
	snprintf(text, sizeof(text), "%s%s", line, why);
	sat_report_event(c->probe, &ev);
}

/* ---- Events ------------------------------------------------------------- */

/* Whether an event that the command printed is the entry's own: the same host and service. */
static bool is_own(const struct command *c, const struct sat_event *ev)
{
	const char *own = sat_probe_name(c->probe), *host = c->host != NULL ? c->host : sat_host();

	if (ev->host != NULL && strcmp(ev->host, host) != 0)
		return false;
	return ev->service == NULL || strcmp(ev->service, without_prefix(own)) == 0;
}

/* Each line an event; unless one of them is the entry's own, that says how it went. */
static void report_json(struct command *c, const struct outcome *o)
{
	char error[256], text[512] = "";
	unsigned n = 0, at = 0;
	bool own = false;
	size_t len;

	for (const char *s = o->out; *s != '\0'; s += len + (s[len] == '\n')) {
		const struct sat_event *ev;

		len = strcspn(s, "\n");
		at++;
		if (strspn(s, " \t\r") >= len)
			continue;
		ev = sat_event_parse(s, len, error, sizeof(error));
		own = own || (ev != NULL && is_own(c, ev));
		if (ev != NULL && sat_report_event(c->probe, ev) == 0)
			n++;
		else if (text[0] == '\0')
			snprintf(text, sizeof(text), "line %u: %s", at, ev == NULL ? error : "not taken");
		sat_drop(ev);
	}
	if (status_of(o) != 0) {
		report_status(c, o, "critical", '\n');
		return;
	}
	if (text[0] != '\0') {
		sat_report(c->probe, .state = "critical", .description = text);
		return;
	}
	if (own)
		return;
	snprintf(text, sizeof(text), "%u events", n);
	sat_report(c->probe, .has = SAT_HAS_INT, .metric.i = n, .state = "ok", .description = text);
}

void verdict_report(struct command *c, const struct outcome *o)
{
	switch (c->parse) {
	case PARSE_EXIT:
		report_exit(c, o);
		break;
	case PARSE_NAGIOS:
		report_nagios(c, o);
		break;
	case PARSE_NUMBER:
		report_number(c, o);
		break;
	case PARSE_JSON:
		report_json(c, o);
		break;
	}
}
