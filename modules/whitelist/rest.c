/* SPDX-License-Identifier: Apache-2.0 */
/* rest - the whitelist over HTTP, as the JVM Satellite has it. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "whitelist.h"

enum { LOOKUPS_MAX = 64, EVENT_BYTES = 256, LIST_MAX = 1 << 30 };
#define LOOKUP_TIME	(5 * SAT_SECOND)

/* ---- Reading ------------------------------------------------------------ */

static int not_read(struct sat_request *req)
{
	sat_reply_error(req, 503, "the store has not been read yet");
	return 0;
}

static int get_list(void *state, struct sat_request *req)
{
	struct whitelist *wl = state;
	const char *flag = sat_request_part(req, "flag");
	bool all = strcmp(flag, "all") == 0, on = strcmp(flag, "on") == 0;
	struct sat_buf out = { .max = LIST_MAX };
	size_t n = 0;

	if (!all && !on && strcmp(flag, "off") != 0) {
		sat_reply_error(req, 400, "\"%.100s\" is none of on, off, all", flag);
		return 0;
	}
	if (!wl->settled)
		return not_read(req);
	sat_buf_printf(&out, "{");
	for (const struct host *h = wl->first; h != NULL; h = h->after) {
		if (h->rec == NULL || (!all && (h->told == FLAG_ON) != on))
			continue;
		sat_buf_printf(&out, "%s", n++ == 0 ? "" : ",");
		sat_buf_json(&out, h->name);
		sat_buf_printf(&out, ":");
		record_print(h->rec, &out);
	}
	sat_buf_printf(&out, "}");
	sat_reply_buf(req, 200, "application/json", &out);
	return 0;
}

static int get_host(void *state, struct sat_request *req)
{
	struct whitelist *wl = state;
	const struct host *h = hosts_find(wl, sat_request_part(req, "host"));
	struct sat_buf out = { .max = 16 * RECORD_MAX };

	if (!wl->settled)
		return not_read(req);
	if (h == NULL || h->rec == NULL) {
		sat_reply_error(req, 404, "not in the inventory");
		return 0;
	}
	record_print(h->rec, &out);
	sat_reply_buf(req, 200, "application/json", &out);
	return 0;
}

static int get_snapshot(void *state, struct sat_request *req)
{
	struct whitelist *wl = state;
	struct sat_buf out = { .max = 1024 };

	if (!wl->settled) {		/* no zeroes for what nobody has read */
		sat_reply_error(req, 503, "the store was not read yet");
		return 0;
	}
	sat_buf_printf(&out, "{\"num-available-hosts\":%zu,\"num-hosts-up\":%zu,\"prop-available-hosts\":%.6g}",
		       wl->n_hosts, wl->n_on, wl->n_hosts == 0 ? 0 : (double)wl->n_on / (double)wl->n_hosts);
	sat_reply_buf(req, 200, "application/json", &out);
	return 0;
}

/* ---- A new host is looked up first -------------------------------------- */

struct lookup {
	struct lookup *next;
	struct whitelist *wl;
	struct order *order;		/* NULL: answered already */
	struct sat_alarm alarm;
	uv_getaddrinfo_t req;
};

static void lookup_free(struct lookup *l)
{
	struct lookup **at = &l->wl->lookups;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	l->wl->n_lookups--;
	sat_alarm_stop(&l->alarm);
	whitelist_idle(l->wl);
	free(l);
}

static void commit(struct whitelist *wl, struct order *o)
{
	struct host *h = hosts_get(wl, o->host);

	if (h == NULL)
		order_refuse(o, 503, "no room in the inventory");
	else
		commit_order(wl, h, o);
}

static void found(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct lookup *l = req->data;
	struct order *o = l->order;

	uv_freeaddrinfo(list);
	l->order = NULL;
	if (o != NULL && status == 0)
		commit(l->wl, o);
	else if (o != NULL)
		order_refuse(o, 400, "%s: %s", o->host, uv_strerror(status));
	lookup_free(l);
}

static void too_late(struct sat_alarm *alarm)
{
	struct lookup *l = SAT_OWNER(alarm, struct lookup, alarm);
	struct order *o = l->order;

	l->order = NULL;
	order_refuse(o, 503, "%s: no answer from the name service", o->host);
	uv_cancel((uv_req_t *)&l->req);
}

/* Not through sat_work(): an instance's jobs queue up behind one another, and
 * the file must not wait for a name service. */
static void lookup(struct whitelist *wl, struct order *o)
{
	struct lookup *l = wl->n_lookups < LOOKUPS_MAX ? calloc(1, sizeof(*l)) : NULL;

	if (l == NULL) {
		order_refuse(o, 503, "too many names are looked up");
		return;
	}
	*l = (struct lookup){ .next = wl->lookups, .wl = wl, .order = o, .alarm.fire = too_late, .req.data = l };
	wl->lookups = l;
	wl->n_lookups++;
	if (uv_getaddrinfo(sat_loop(wl->self), &l->req, found, o->host, NULL, NULL) == 0) {
		sat_alarm_set(wl->self, &l->alarm, sat_clock() + LOOKUP_TIME);
		return;
	}
	order_refuse(o, 503, "%s: cannot be looked up", o->host);
	lookup_free(l);
}

void rest_stop(struct whitelist *wl)
{
	for (struct lookup *l = wl->lookups; l != NULL; l = l->next) {
		struct order *o = l->order;

		l->order = NULL;
		sat_alarm_stop(&l->alarm);
		if (o != NULL)
			order_refuse(o, 503, "the process ends");
		uv_cancel((uv_req_t *)&l->req);
	}
}

void rest_submit(struct whitelist *wl, struct order *o)
{
	struct host *h = hosts_find(wl, o->host);
	bool known = h != NULL && h->rec != NULL;

	if (o->what != ORDER_POST && !known && wl->synced && (h == NULL || h->orders == NULL))
		order_done(o, 404, NULL);
	else if (!wl->synced || sat_dry_run() || known || o->what != ORDER_POST)
		commit(wl, o);
	else if (!name_legal(o->host))
		order_refuse(o, 400, "\"%.300s\" is not a legal name for a host", o->host);
	else if (wl->host_pattern != NULL && !name_like(wl->host_pattern, o->host))
		order_refuse(o, 400, "%s does not match \"%s\"", o->host, wl->host_pattern);
	else if (wl->resolve)
		lookup(wl, o);
	else
		commit(wl, o);
}

/* ---- Changing ----------------------------------------------------------- */

static int change(struct whitelist *wl, struct sat_request *req, int what)
{
	const char *event = what == ORDER_FORGET ? NULL : sat_request_part(req, "event");
	struct order *o;
	char error[256];
	size_t len;
	const void *body = sat_request_body(req, &len);
	int rc = 0;

	if (event != NULL && (*event == '\0' || strlen(event) > EVENT_BYTES)) {
		sat_reply_error(req, 400, "an event's name has 1 to %d bytes", EVENT_BYTES);
		return 0;
	}
	o = order_new(req, what, sat_request_part(req, "host"), event);
	if (o == NULL)
		return -ENOMEM;
	if (what == ORDER_POST)
		rc = order_body(o, body, len, sat_wall(), error, sizeof(error));
	if (rc == -EINVAL) {
		order_refuse(o, 400, "%s", error);
		return 0;
	}
	if (rc != 0) {
		order_free(o);
		return rc;
	}
	sat_log(wl->self, LOG_NOTICE, "%s: %s %s%s%s", sat_request_who(req), sat_request_method(req), o->host,
		event == NULL ? "" : ": ", event == NULL ? "" : event);
	rest_submit(wl, o);
	return 0;
}

static int post_event(void *state, struct sat_request *req)
{
	return change(state, req, ORDER_POST);
}

static int delete_event(void *state, struct sat_request *req)
{
	return change(state, req, ORDER_DROP);
}

static int delete_host(void *state, struct sat_request *req)
{
	return change(state, req, ORDER_FORGET);
}

const struct sat_route *const whitelist_routes[] = {
	SAT_ROUTE("GET", "/whitelist/{flag}", SAT_READ, get_list),
	SAT_ROUTE("GET", "/whitelist/host/{host}", SAT_READ, get_host),
	SAT_ROUTE("DELETE", "/whitelist/host/{host}", SAT_OPERATE, delete_host),
	SAT_ROUTE("POST", "/whitelist/host/{host}/event/{event}", SAT_OPERATE, post_event),
	SAT_ROUTE("DELETE", "/whitelist/host/{host}/event/{event}", SAT_OPERATE, delete_event),
	SAT_ROUTE("GET", "/metrics/snapshot", SAT_READ, get_snapshot),
	NULL
};
