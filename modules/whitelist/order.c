/* SPDX-License-Identifier: Apache-2.0 */
/* order - what a person asks for, of one host: judged, carried out, answered. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "whitelist.h"

#define TTL_MAX	(INT64_C(100) * 366 * 86400)	/* seconds */

void order_free(struct order *o)
{
	if (o == NULL)
		return;
	free(o->host);
	free(o->event);
	free(o->text);
	free(o);
}

struct order *order_new(struct whitelist *wl, struct sat_request *req, int what, const char *host,
			const char *event)
{
	struct order *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->wl = wl;
	o->req = req;
	o->what = what;
	o->host = strdup(host);
	o->event = event == NULL ? NULL : strdup(event);
	if (o->host != NULL && (event == NULL || o->event != NULL))
		return o;
	order_free(o);
	return NULL;
}

/* ---- The body of a POST ------------------------------------------------- */

int order_ttl(const char *text, size_t len, int64_t *ttl)
{
	static const struct { const char *name; int64_t seconds; } units[] = {
		{ "minute", 60 }, { "hour", 3600 }, { "day", 86400 }, { "week", 7 * 86400 },
	};
	int64_t n = 0;
	size_t at = 0;

	while (at < len && text[at] >= '0' && text[at] <= '9' && n <= TTL_MAX)
		n = 10 * n + (text[at++] - '0');
	if (at == 0 || n == 0)
		return -EINVAL;
	if (at < len && text[len - 1] == 's')
		len--;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (len - at != strlen(units[i].name) || memcmp(text + at, units[i].name, len - at) != 0)
			continue;
		if (n > TTL_MAX / units[i].seconds)
			return -ERANGE;
		*ttl = n * units[i].seconds * SAT_SECOND;
		return 0;
	}
	return -EINVAL;
}

struct body {
	struct sat_buf text;
	const char *state;		/* NULL: not yet seen */
	int64_t ttl;
	const char *seen[64];		/* raw names, to find one that comes twice */
	size_t seen_len[64], n;
	char *error;
	size_t size;
};

static int refuse(struct body *b, const char *name, const char *reason)
{
	snprintf(b->error, b->size, "%.100s: %s", name, reason);
	return -EINVAL;
}

static int not_text(void *arg, const struct member *m)
{
	(void)arg;
	return m->kind == M_STRING && m->key == NULL ? 0 : -EINVAL;
}

static int state_judge(struct body *b, const struct member *m)
{
	bool ok = m->kind == M_STRING && m->len == 2 && memcmp(m->text, "ok", 2) == 0;
	bool critical = m->kind == M_STRING && m->len == 8 && memcmp(m->text, "critical", 8) == 0;

	b->state = ok ? "ok" : critical ? "critical" : NULL;
	return b->state != NULL ? 0 : refuse(b, "state", "is neither \"ok\" nor \"critical\"");
}

static int ttl_judge(struct body *b, const struct member *m)
{
	int rc = m->kind == M_STRING ? order_ttl(m->text, m->len, &b->ttl) : -EINVAL;

	if (rc == -ERANGE)
		return refuse(b, "ttl", "is over 100 years");
	return rc == 0 ? 0 : refuse(b, "ttl", "is no number of minutes, hours, days or weeks, such as \"7day\"");
}

static int judge(struct body *b, const struct member *m)
{
	if (strcmp(m->key, "state") == 0)
		return state_judge(b, m);
	if (m->kind == M_NULL)
		return 0;
	if (strcmp(m->key, "ttl") == 0)
		return ttl_judge(b, m);
	if (strcmp(m->key, "metric") == 0 || strcmp(m->key, "time") == 0)
		return m->kind == M_NUMBER ? 0 : refuse(b, m->key, "is not a number");
	if (strcmp(m->key, "tags") == 0)
		return m->kind == M_LIST && members_read(m->raw, m->raw_len, not_text, NULL) == 0 ?
		       0 : refuse(b, "tags", "is not a list of strings");
	return m->kind == M_STRING ? 0 : refuse(b, m->key, "is not a string");
}

static int twice(struct body *b, const struct member *m)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->seen_len[i] == m->raw_key_len && memcmp(b->seen[i], m->raw_key, m->raw_key_len) == 0)
			return refuse(b, m->key, "stands there twice");
	if (b->n == 64)
		return refuse(b, m->key, "is one member too many");
	b->seen[b->n] = m->raw_key;
	b->seen_len[b->n++] = m->raw_key_len;
	return 0;
}

static int body_member(void *arg, const struct member *m)
{
	struct body *b = arg;
	int rc = m->key == NULL ? -EBADMSG : twice(b, m);

	if (rc == 0)
		rc = judge(b, m);
	if (rc != 0 || m->kind == M_NULL || strcmp(m->key, "time") == 0 || strcmp(m->key, "ttl") == 0)
		return rc;
	sat_buf_add(&b->text, m->raw_key, m->raw_key_len);
	sat_buf_add(&b->text, ":", 1);
	sat_buf_add(&b->text, m->raw, m->raw_len);
	sat_buf_add(&b->text, ",", 1);
	return 0;
}

/* The server says when; a ttl is kept in seconds. */
static int body_end(struct order *o, struct body *b, int64_t now)
{
	if (b->ttl != 0)
		sat_buf_printf(&b->text, "\"ttl\":%" PRId64 ",", b->ttl / SAT_SECOND);
	sat_buf_printf(&b->text, "\"time\":");
	micros_print(&b->text, now);
	sat_buf_add(&b->text, "}", 2);
	if (b->text.full)
		return -ENOMEM;
	o->state = b->state;
	o->ttl = b->ttl;
	free(o->text);
	o->text = b->text.p;
	b->text.p = NULL;
	return 0;
}

int order_body(struct order *o, const void *body, size_t len, int64_t now, char *error, size_t size)
{
	struct body b = { .text.max = 2 << 20, .error = error, .size = size };
	int rc;

	*error = '\0';
	sat_buf_add(&b.text, "{", 1);
	rc = len == 0 ? -EBADMSG : members_read(body, len, body_member, &b);
	if (rc == -EBADMSG) {
		snprintf(error, size, "the body is not a JSON object");
		rc = -EINVAL;
	} else if (rc == 0 && b.state == NULL) {
		rc = refuse(&b, "state", "is missing");
	} else if (rc == 0) {
		rc = body_end(o, &b, now);
	}
	sat_buf_free(&b.text);
	return rc;
}

/* ---- Carrying it out ---------------------------------------------------- */

static int post(const struct order *o, struct record *rec)
{
	if (record_event(rec->manual, o->event) == NULL &&
	    record_events(rec->manual) + record_events(rec->managed) >= RECORD_EVENTS)
		return 409;
	if (record_put(&rec->manual, o->event, o->text, strlen(o->text)) != 0)
		return 503;
	record_manual(rec);
	return 201;
}

int order_apply(const struct order *o, struct record *rec, bool known)
{
	if (o->what == ORDER_POST)
		return post(o, rec);
	if (!known)
		return 404;
	if (o->what == ORDER_DROP && !record_drop(&rec->manual, o->event))
		return 404;
	record_unsaid(rec, sat_wall());
	return 200;
}

/* ---- What is kept of it in the log -------------------------------------- */

/* Every change counts; what is refused may be anybody's noise. */
static bool audit_allowed(struct whitelist *wl, int status)
{
	if (status < 300)
		return sat_log_allowed(wl->self, &wl->audit_done, 1000, 10 * SAT_SECOND);
	return sat_log_allowed(wl->self, &wl->audit_refused, 20, 10 * SAT_SECOND);
}

/* Before the answer, which ends the request.  why NULL: nothing to say. */
static void audit(const struct order *o, int status, const char *why)
{
	char ttl[40] = "";

	if (!audit_allowed(o->wl, status))
		return;
	if (o->ttl != 0)
		snprintf(ttl, sizeof(ttl), " for %" PRId64 " s", o->ttl / SAT_SECOND);
	sat_log(o->wl->self, LOG_NOTICE, "%s: %s %.260s%s%.260s%s%s%s: %d%s%s", sat_request_who(o->req),
		o->what == ORDER_POST ? "POST" : "DELETE", o->host, o->event == NULL ? "" : ": ",
		o->event == NULL ? "" : o->event, o->state == NULL ? "" : ": ", o->state == NULL ? "" : o->state,
		ttl, status, why == NULL ? "" : ", ", why == NULL ? "" : why);
}

/* ---- Answering ---------------------------------------------------------- */

static const char *reason(const struct order *o, int status)
{
	if (status == 409)
		return "the host holds 64 events already";
	if (status == 404 && o->what == ORDER_DROP)
		return "the host has no such event, or is not in the inventory";
	return status == 404 ? "not in the inventory" : "out of memory";
}

/* The file gives a forgotten host no work.  The others leave it as it is, which is to be known. */
static void left_print(const struct order *o, struct sat_buf *out)
{
	const struct whitelist *wl = o->wl;

	if (wl->n_actuators == 0 || (o->was == FLAG_ON && wl->to_file))
		return;
	for (unsigned i = 0; i < wl->n_actuators; i++)
		sat_buf_printf(out, "%s\"%s\"", i == 0 ? "; " : ", ", wl->actuators[i].name);
	sat_buf_printf(out, " leave%s its agent %s, until \"satellite %s %s\"", wl->n_actuators == 1 ? "s" : "",
		       flag_name(o->was), o->was == FLAG_ON ? "off" : "on", o->host);
}

/* An error goes to standard error, in words, whatever the form.  A name with a slip of the pen is a legal
 * host, too: better said while the person looks. */
static void command_done(struct order *o, int status, const char *text)
{
	bool knows = o->wl->n_agents > 0, registered = import_agent(o->wl, o->host) != NULL;
	struct sat_buf out = { .max = 4096 };

	if (o->form == AS_TEXT || status >= 300) {
		sat_buf_printf(&out, "%s: %s%s", o->host, text, status < 300 && o->what == ORDER_POST && knows &&
			       !registered ? "; but Mesos lists no such agent" : "");
		if (status < 300 && o->what == ORDER_FORGET && (registered || !knows))
			left_print(o, &out);
		sat_buf_printf(&out, "\n");
	} else {
		sat_buf_printf(&out, "{\"host\":");
		sat_buf_json(&out, o->host);
		sat_buf_printf(&out, ",\"state\":\"%s\",\"registered\":%s", text, !knows ? "null" :
			       registered ? "true" : "false");
		if (o->what == ORDER_FORGET)
			sat_buf_printf(&out, ",\"was\":\"%s\"", flag_name(o->was));
		sat_buf_printf(&out, "}\n");
	}
	sat_command_done(o->req, status < 300 ? 0 : 1, &out);
}

void order_done(struct order *o, int status, const struct record *rec)
{
	struct sat_buf out = { .max = 16 * RECORD_MAX };

	if (status >= 300) {
		order_refuse(o, status, "%s", reason(o, status));
		return;
	}
	audit(o, status, NULL);
	if (o->form != OVER_REST) {
		command_done(o, status, rec == NULL ? "forgotten" :
			     record_state(rec) == FLAG_ON ? "on" : "off");
		order_free(o);
		return;
	}
	if (rec == NULL)
		sat_buf_printf(&out, "{}");
	else
		record_print(rec, &out);
	sat_reply_buf(o->req, status, "application/json", &out);
	order_free(o);
}

void order_refuse(struct order *o, int status, const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	audit(o, status, text);
	if (o->form != OVER_REST)
		command_done(o, status, text);
	else
		sat_reply_error(o->req, status, "%s", text);
	order_free(o);
}

void order_unknown(struct order *o)
{
	static const char body[] = "{\"error\":\"the store was lost before it answered; "
		"to ask again is harmless\",\"outcome\":\"unknown\"}";

	audit(o, 503, "the store was lost before it answered: outcome unknown");
	if (o->form != OVER_REST)
		command_done(o, 503, "the store was lost before it answered: outcome unknown");
	else
		sat_reply(o->req, 503, "application/json", body, sizeof(body) - 1, NULL);
	order_free(o);
}
