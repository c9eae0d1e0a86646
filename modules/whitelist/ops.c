/* SPDX-License-Identifier: Apache-2.0 */
/* ops - the operators by which streams say what they want of hosts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "whitelist.h"

/* One place in the streams; it borrows nothing. */
struct def {
	struct whitelist *wl;
	char *hold;
	int64_t ttl;
};

static void undefine(void *arg)
{
	struct def *d = arg;

	free(d->hold);
	free(d);
}

static int def_new(void *module, const char *hold, int64_t ttl, void **out)
{
	struct def *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return -ENOMEM;
	*d = (struct def){ .wl = module, .hold = strdup(hold == NULL ? "" : hold), .ttl = ttl };
	if (d->hold == NULL) {
		undefine(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

static int define_plain(struct sat_node *node, void *module, const struct sat_conf *conf, void **out)
{
	(void)node, (void)conf;
	return def_new(module, NULL, 0, out);
}

static int define_off(struct sat_node *node, void *module, const struct sat_conf *conf, void **out)
{
	const char *hold = sat_conf_string(conf, "off-host");

	(void)node;
	if (sat_conf_has(conf, "ttl") && (hold == NULL || *hold == '\0'))
		return sat_conf_error(conf, "ttl", "only a named hold ends by itself");
	return def_new(module, hold, sat_conf_has(conf, "ttl") ? sat_conf_time(conf, "ttl") : 0, out);
}

static int define_on(struct sat_node *node, void *module, const struct sat_conf *conf, void **out)
{
	(void)node;
	return def_new(module, sat_conf_string(conf, "on-host"), 0, out);
}

/* ---- One host, on or off ------------------------------------------------ */

static int hold(const struct sat_at *at, struct def *d, const struct sat_event *ev, bool off)
{
	struct cause cause = { .node = sat_at_path(at), .ev = ev };

	return wishes_hold(d->wl, ev->host, d->hold, off, d->ttl, &cause);
}

static int hold_item(const struct sat_at *at, struct def *d, const struct sat_item *item, bool off)
{
	int rc = 0;

	for (uint32_t i = 0; i < item->n && rc == 0; i++) {
		if (item->evs[i]->host == NULL)
			return sat_fail(at, -EINVAL, "an event without a host turns nothing %s", off ? "off" : "on");
		rc = hold(at, d, item->evs[i], off);
	}
	if (rc != 0)
		return sat_fail(at, rc, "%s", strerror(-rc));
	if (item->n > 0)
		sat_shown(at, off ? "off-host" : "on-host", NULL, item);
	sat_pass(at, 0, item);
	return 0;
}

static int off_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	return hold_item(at, def, item, true);
}

static int on_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	return hold_item(at, def, item, false);
}

/* ---- Events of the record ----------------------------------------------- */

static int event_item(const struct sat_at *at, struct def *d, const struct sat_item *item, bool keep)
{
	int rc = 0;

	for (uint32_t i = 0; i < item->n && rc == 0; i++) {
		const struct sat_event *ev = item->evs[i];
		struct host *h;

		if (ev->host == NULL || ev->service == NULL)
			return sat_fail(at, -EINVAL, "an event without host or service is none of a record");
		h = hosts_of(d->wl, ev);
		silence_heard(h, ev);
		rc = wishes_event(d->wl, h, ev, keep);
	}
	if (rc != 0)
		return sat_fail(at, rc, "%s", strerror(-rc));
	if (item->n > 0)
		sat_shown(at, keep ? "persist-event" : "delete-event", NULL, item);
	sat_pass(at, 0, item);
	return 0;
}

static int persist_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	return event_item(at, def, item, true);
}

static int delete_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	(void)state;
	return event_item(at, def, item, false);
}

/* ---- All tests pass ----------------------------------------------------- */

static bool failing(const struct sat_event *ev)
{
	return ev->state != NULL && (strcmp(ev->state, "critical") == 0 || strcmp(ev->state, "expired") == 0);
}

/* The events of one host: off if one fails, or one of its record does. */
static int judge(const struct sat_at *at, struct def *d, const struct sat_event **evs, uint32_t n)
{
	struct host *h = hosts_find(d->wl, evs[0]->host);
	struct sat_item item = { .evs = evs, .n = n, .list = true };
	struct sat_event kept = { .size = sizeof(kept), .host = evs[0]->host, .state = "failing" };
	const struct sat_event *cause = NULL;
	int rc;

	for (uint32_t i = 0; i < n && cause == NULL; i++)
		if (failing(evs[i]))
			cause = evs[i];
	if (cause == NULL && h != NULL && (kept.service = wishes_failing(h)) != NULL)
		cause = &kept;
	rc = hold(at, d, cause != NULL ? cause : evs[0], cause != NULL);
	if (rc == 0)
		sat_shown(at, cause != NULL ? "off-host" : "on-host", NULL, &item);
	return rc;
}

/* A list may hold several hosts, each of which is judged by itself. */
static int ensure_item(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	struct def *d = def;
	const struct sat_event **left, **one;
	uint32_t n_left = 0;
	int rc = 0;

	(void)state;
	left = sat_scratch(at, (2 * (size_t)item->n + 1) * sizeof(*left));
	if (left == NULL)
		return -ENOMEM;
	one = left + item->n;
	for (uint32_t i = 0; i < item->n; i++) {
		if (item->evs[i]->host == NULL)
			continue;
		left[n_left++] = item->evs[i];
	}
	while (n_left > 0 && rc == 0) {
		const char *host = left[0]->host;
		uint32_t n = 0, others = 0;

		for (uint32_t i = 0; i < n_left; i++)
			if (strcmp(left[i]->host, host) == 0)
				one[n++] = left[i];
			else
				left[others++] = left[i];
		n_left = others;
		rc = judge(at, d, one, n);
	}
	if (rc != 0)
		return sat_fail(at, rc, "%s", strerror(-rc));
	sat_pass(at, 0, item);
	return 0;
}

static const struct sat_option *const off_options[] = {
	SAT_OPTION("off-host", SAT_STRING, .help = "a hold of this name, which only its name, its ttl or a person ends"),
	SAT_OPTION("ttl", SAT_SECONDS, .min = 1, .max = 1e9, .help = "seconds until a named hold ends"),
	NULL
};

static const struct sat_option *const on_options[] = {
	SAT_OPTION("on-host", SAT_STRING, .help = "end the hold of this name"),
	NULL
};

#define OP(n, s, o, d, i) &(const struct sat_op){ .size = sizeof(struct sat_op), .name = (n), \
	.summary = (s), .options = (o), .define = (d), .undefine = undefine, .item = (i) }

const struct sat_op *const whitelist_ops[] = {
	OP("off-host", "wish the event's host off", off_options, define_off, off_item),
	OP("on-host", "wish the event's host on", on_options, define_on, on_item),
	OP("persist-event", "keep the event in its host's record", NULL, define_plain, persist_item),
	OP("delete-event", "drop the event from its host's record", NULL, define_plain, delete_item),
	OP("ensure-all-tests-pass", "off if one of a host's events fails, else on", NULL, define_plain, ensure_item),
	NULL
};
