/* SPDX-License-Identifier: Apache-2.0 */
/* probe - one entry of `checks`: its names, its events, what it has to take back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "log.h"
#include "probe.h"
#include "self.h"

#define MAX_REPORTED	256u	/* services of one entry that are remembered */

static int (*relay)(const struct sat_event *ev, unsigned entry);

struct reported {
	struct reported *next;
	const char *host;	/* behind service; NULL: this one */
	char service[];
};

struct sat_probe *probe_new(struct checks *set, struct conf *file, const struct sat_conf *entry,
			    const char *prefix, const struct sat_check *check, struct sat_self *self)
{
	size_t len = strlen(prefix) + 1;
	struct sat_probe *p = calloc(1, sizeof(*p) + len);
	struct sat_buf canonical = { .max = 1 << 20 };

	if (p == NULL)
		return NULL;
	conf_canonical(entry, NULL, &canonical);
	sat_buf_add(&canonical, "", 1);
	if (canonical.full) {
		sat_buf_free(&canonical);
		free(p);
		return NULL;
	}
	p->canonical = canonical.p;
	p->prefix = memcpy(p + 1, prefix, len);
	p->set = set;
	p->check = check;
	p->self = self;
	p->file = conf_ref(file);
	p->conf = entry;
	return p;
}

static void forget(struct sat_probe *p)
{
	while (p->reported != NULL) {
		struct reported *r = p->reported;

		p->reported = r->next;
		free(r);
	}
	p->n_reported = 0;
}

void probe_free(struct sat_probe *p)
{
	if (p == NULL || p->running)
		return;
	if (p->defined && p->check->undefine != NULL)
		p->check->undefine(p->def);
	sat_alarm_stop(&p->due);
	sat_alarm_stop(&p->limit);
	forget(p);
	sat_drop(p->last != NULL ? &p->last->pub : NULL);
	conf_unref(p->file);
	free(p->canonical);
	free(p->service);
	free(p->attrs);
	free(p);
}

/* ---- Names -------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct sat_attr *)a)->key, ((const struct sat_attr *)b)->key);
}

static int attributes(struct sat_probe *p, const struct sat_conf *group)
{
	size_t n = sat_conf_count(group);
	int rc = 0;

	p->attrs = calloc(n + 1, sizeof(*p->attrs));
	if (p->attrs == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct sat_conf *s = sat_conf_at(group, i);
		struct sat_value v = sat_conf_value(s);

		if (sat_field(sat_conf_name(s)).id != FIELD_ATTR)
			rc = sat_conf_error(s, NULL, "is a field of the event, not an attribute");
		else if (v.kind != SAT_TEXT)
			rc = sat_conf_error(s, NULL, "is not a string");
		else
			p->attrs[p->n_attrs++] = (struct sat_attr){ sat_conf_name(s), v.text };
	}
	qsort(p->attrs, p->n_attrs, sizeof(*p->attrs), by_key);
	return rc;
}

int probe_labels(struct sat_probe *p, const struct sat_conf *entry)
{
	const struct sat_conf *group = sat_conf_get(entry, "attributes");
	const char *service = sat_conf_string(entry, "service");
	size_t n = 0;

	p->host = sat_conf_string(entry, "host");
	if (sat_conf_has(entry, "tags"))
		p->tags = sat_conf_strings(entry, "tags", &n);
	p->n_tags = (uint32_t)n;
	if (service != NULL && asprintf(&p->service, "%s%s", p->prefix, service) < 0) {
		p->service = NULL;
		return -ENOMEM;
	}
	return group != NULL ? attributes(p, group) : 0;
}

int sat_probe_service(struct sat_probe *p, const char *fmt, ...)
{
	struct sat_buf b = { .max = 1 << 16 };
	va_list ap;
	char *text;
	int n;

	if (p->service != NULL)
		return 0;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -ENOMEM;
	sat_buf_add(&b, p->prefix, strlen(p->prefix));
	sat_buf_add(&b, text, (size_t)n + 1);
	free(text);
	if (b.full) {
		sat_buf_free(&b);
		return -ENOMEM;
	}
	p->service = b.p;
	return 0;
}

struct sat_self *sat_probe_self(struct sat_probe *p)
{
	return p->self;
}

const char *sat_probe_name(struct sat_probe *p)
{
	return p->service;
}

double sat_probe_ttl(struct sat_probe *p)
{
	return p->ttl;
}

int64_t sat_probe_timeout(struct sat_probe *p)
{
	return p->timeout;
}

const char *probe_host(const struct sat_probe *p)
{
	return p->host != NULL ? p->host : sat_host();
}

bool probe_same_place(const struct sat_probe *a, const struct sat_probe *b)
{
	return strcmp(a->service, b->service) == 0 && strcmp(probe_host(a), probe_host(b)) == 0;
}

bool probe_same_settings(const struct sat_probe *a, const struct sat_probe *b)
{
	return a->self == b->self && a->check == b->check && strcmp(a->canonical, b->canonical) == 0;
}

/* ---- Events ------------------------------------------------------------- */

static bool same_host(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : sat_host(), b != NULL ? b : sat_host()) == 0;
}

/* Remember what will have to be taken back. */
static void remember(struct sat_probe *p, const struct sat_event *ev)
{
	size_t service = strlen(ev->service) + 1;
	size_t host = ev->host != NULL ? strlen(ev->host) + 1 : 0;
	struct reported *r;

	for (r = p->reported; r != NULL; r = r->next)
		if (strcmp(r->service, ev->service) == 0 && same_host(r->host, ev->host))
			return;
	r = p->n_reported < MAX_REPORTED ? malloc(sizeof(*r) + service + host) : NULL;
	if (r == NULL)
		return;		/* it expires by its ttl, then */
	memcpy(r->service, ev->service, service);
	r->host = host != 0 ? memcpy(r->service + service, ev->host, host) : NULL;
	r->next = p->reported;
	p->reported = r;
	p->n_reported++;
}

/* Its own attributes, and those of the entry that it lacks, in order; NULL: no memory. */
static struct sat_attr *merge(const struct sat_probe *p, struct sat_event *ev)
{
	struct sat_attr *all = calloc(p->n_attrs + ev->n_attrs, sizeof(*all));
	uint32_t a = 0, b = 0, n = 0;

	if (all == NULL)
		return NULL;
	while (a < ev->n_attrs || b < p->n_attrs) {
		int order = a == ev->n_attrs ? 1 : b == p->n_attrs ? -1
						: strcmp(ev->attrs[a].key, p->attrs[b].key);

		all[n++] = order <= 0 ? ev->attrs[a] : p->attrs[b];
		a += order <= 0;
		b += order >= 0;
	}
	ev->attrs = all;
	ev->n_attrs = n;
	return all;
}

static void fill(const struct sat_probe *p, struct sat_event *ev)
{
	if (ev->host == NULL)
		ev->host = p->host;
	if (!(ev->has & SAT_HAS_TIME))
		ev->time = sat_wall();
	if (!(ev->has & SAT_HAS_TTL))
		ev->ttl = p->ttl;
	ev->has |= SAT_HAS_TIME | SAT_HAS_TTL;
	if (!(ev->has & SAT_HAS_TAGS) && p->n_tags > 0) {
		ev->has |= SAT_HAS_TAGS;
		ev->tags = p->tags;
		ev->n_tags = p->n_tags;
	}
}

/* For people who ask; that it is kept is no condition of its being sent. */
static void keep_last(struct sat_probe *p, const struct sat_event *ev)
{
	if (p->last != NULL && event_refill(p->last, ev))
		return;
	if (p->last != NULL)
		sat_drop(&p->last->pub);
	p->last = event_copy(ev);
}

void probes_relay(int (*to)(const struct sat_event *ev, unsigned entry))
{
	relay = to;
}

int sat_report_event(struct sat_probe *p, const struct sat_event *given)
{
	struct sat_event ev = { 0 };
	struct sat_attr *attrs = NULL;
	char *service = NULL;
	int rc = -ENOMEM;

	if (p->stopping)
		return 0;
	memcpy(&ev, given, given->size < sizeof(ev) ? given->size : sizeof(ev));
	ev.size = sizeof(ev);
	if (ev.service != NULL && asprintf(&service, "%s%s", p->prefix, ev.service) < 0)
		return rc;
	ev.service = service != NULL ? service : p->service;
	fill(p, &ev);
	if (p->n_attrs > 0) {
		attrs = merge(p, &ev);
		if (attrs == NULL)
			goto out;
	}
	if (ev.service == p->service)
		keep_last(p, &ev);
	rc = relay != NULL ? relay(&ev, p->entry) : sat_emit_event(p->self, &ev);
	if (rc == 0)
		remember(p, &ev);
out:
	free(attrs);
	free(service);
	return rc;
}

int probe_relayed(struct sat_probe *p, const struct sat_event *ev)
{
	int rc;

	if (p->stopping)
		return 0;
	if (ev->service != NULL && strcmp(ev->service, p->service) == 0)
		keep_last(p, ev);
	rc = sat_emit_event(p->self, ev);
	if (rc == 0 && ev->service != NULL)
		remember(p, ev);
	return rc;
}

void probe_inherit(struct sat_probe *p, struct sat_probe *was)
{
	p->reported = was->reported;
	p->n_reported = was->n_reported;
	was->reported = NULL;
	was->n_reported = 0;
}

/* It bears the entry's labels too, so that it takes the way that the others took. */
void probe_retire(struct sat_probe *p)
{
	const char **tags = calloc(p->n_tags + 1, sizeof(*tags));
	const char *only[] = { "retired" };

	for (uint32_t i = 0; tags != NULL && i < p->n_tags; i++)
		tags[i] = p->tags[i];
	if (tags != NULL)
		tags[p->n_tags] = only[0];
	for (struct reported *r = p->reported; r != NULL; r = r->next)
		sat_emit(p->self, .has = SAT_HAS_TIME | SAT_HAS_TTL | SAT_HAS_TAGS, .host = r->host, .service = r->service,
			 .state = "expired", .description = "this check is no longer run",
			 .time = sat_wall(), .ttl = p->ttl, .tags = tags != NULL ? tags : only,
			 .n_tags = tags != NULL ? p->n_tags + 1 : 1, .attrs = p->attrs, .n_attrs = p->n_attrs);
	free(tags);
	forget(p);
}
