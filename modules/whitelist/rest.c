/* SPDX-License-Identifier: Apache-2.0 */
/* rest - the whitelist over HTTP, as the JVM Satellite has it. */
#include <errno.h>
#include <string.h>

#include "whitelist.h"

enum { EVENT_BYTES = 256, LIST_MAX = 1 << 30 };

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

static int get_why(void *state, struct sat_request *req)
{
	return why_get(state, req);
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

/* ---- Changing ----------------------------------------------------------- */

void rest_submit(struct whitelist *wl, struct order *o)
{
	struct host *h = hosts_find(wl, o->host);
	bool known = h != NULL && h->rec != NULL;

	if (o->what != ORDER_POST && !known && wl->synced && (h == NULL || h->orders == NULL))
		order_done(o, 404, NULL);
	else if (!wl->synced || sat_dry_run() || known || o->what != ORDER_POST)
		commit_order(wl, o);
	else
		admit(wl, o);
}

static int change(struct whitelist *wl, struct sat_request *req, int what)
{
	const char *event = what == ORDER_FORGET ? NULL : sat_request_part(req, "event");
	struct order *o;
	char error[256];
	size_t len;
	const void *body = sat_request_body(req, &len);
	int rc = 0;

	o = order_new(wl, req, what, sat_request_part(req, "host"), event);
	if (o == NULL)
		return -ENOMEM;
	if (what == ORDER_POST)
		rc = order_body(o, body, len, sat_wall(), error, sizeof(error));
	if (event != NULL && (*event == '\0' || strlen(event) > EVENT_BYTES))
		order_refuse(o, 400, "an event's name has 1 to %d bytes", EVENT_BYTES);
	else if (rc != 0)
		order_refuse(o, rc == -EINVAL ? 400 : 503, "%s", rc == -EINVAL ? error : strerror(-rc));
	else
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

static int get_guard(void *state, struct sat_request *req)
{
	decide_guard(state, req, OVER_REST);
	return 0;
}

static int reset_guard(void *state, struct sat_request *req)
{
	decide_reset(state, req, OVER_REST);
	return 0;
}

const struct sat_route *const whitelist_routes[] = {
	SAT_ROUTE("GET", "/whitelist/{flag}", SAT_READ, get_list),
	SAT_ROUTE("GET", "/whitelist/host/{host}", SAT_READ, get_host),
	SAT_ROUTE("GET", "/whitelist/host/{host}/why", SAT_READ, get_why),
	SAT_ROUTE("DELETE", "/whitelist/host/{host}", SAT_OPERATE, delete_host),
	SAT_ROUTE("POST", "/whitelist/host/{host}/event/{event}", SAT_OPERATE, post_event),
	SAT_ROUTE("DELETE", "/whitelist/host/{host}/event/{event}", SAT_OPERATE, delete_event),
	SAT_ROUTE("GET", "/guard", SAT_READ, get_guard),
	SAT_ROUTE("POST", "/guard/reset", SAT_OPERATE, reset_guard),
	SAT_ROUTE("GET", "/metrics/snapshot", SAT_READ, get_snapshot),
	NULL
};
