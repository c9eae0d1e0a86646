/* SPDX-License-Identifier: Apache-2.0 */
/* commands - satellite hosts, on, off and forget. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whitelist.h"

static int fail(struct sat_request *req, const char *fmt, ...) SAT_PRINTF(2);
static int fail(struct sat_request *req, const char *fmt, ...)
{
	struct sat_buf out = { .max = 4096 };
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sat_buf_printf(&out, "%s\n", text);
	sat_command_done(req, 1, &out);
	return 0;
}

static void host_print(struct whitelist *wl, const struct host *h, struct sat_buf *out)
{
	const struct record *rec = h->rec;

	sat_buf_printf(out, "%-40s %-4s ", h->name, flag_name(h->told));
	if (h->heard_ever)
		sat_buf_printf(out, "%8llds  ", (long long)((sat_clock() - h->heard) / SAT_SECOND));
	else
		sat_buf_printf(out, "%9s  ", "never");
	if (rec->manual_flag != FLAG_NONE)
		word_print(rec, out);
	else
		text_print(rec->cause != NULL ? rec->cause : "nobody turned it on", out);
	if (wl->guard.mode == GUARD_OBSERVE && h->verdict != GUARD_NOTHING)
		sat_buf_printf(out, "; wished %s, only observed: %s",
			       flag_name(wishes_flag(h)), guard_words(h->verdict));
	else if (rec->verdict != NULL)
		sat_buf_printf(out, "; wished %s, %s", rec->managed_flag == FLAG_OFF ? "on" : "off", rec->verdict);
	sat_buf_printf(out, "\n");
}

static int run_hosts(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	struct whitelist *wl = state;
	const char *which = argc > 1 ? argv[1] : "all";
	bool all = strcmp(which, "all") == 0, on = strcmp(which, "on") == 0, off = strcmp(which, "off") == 0;
	struct sat_buf out = { .max = 256 << 20 };
	size_t n = 0;

	if (!wl->settled)
		return fail(req, "the store has not been read yet");
	sat_buf_printf(&out, "%-40s %-4s %9s  %s\n", "HOST", "IS", "HEARD", "BECAUSE");
	for (const struct host *h = wl->first; h != NULL; h = h->after) {
		bool named = !all && !on && !off && strcmp(which, h->name) == 0;

		if (h->rec == NULL || !(all || named || (on && h->told == FLAG_ON) || (off && h->told == FLAG_OFF)))
			continue;
		host_print(wl, h, &out);
		n++;
	}
	if (n == 0 && !all && !on && !off) {
		sat_buf_free(&out);
		return fail(req, "%s: not in the inventory", which);
	}
	sat_command_done(req, 0, &out);
	return 0;
}

static int run_why(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	bool json = argc == 3 && strcmp(argv[2], "--json") == 0;

	if (argc != 2 && !json)
		return fail(req, "usage: satellite why HOST [--json]");
	why_run(state, req, argv[1], json);
	return 0;
}

struct given { const char *host, *reason, *ttl; };

/* HOST [--reason R] [--ttl T] */
static int arguments(struct given *g, int argc, const char *const *argv)
{
	for (int i = 1; i < argc; i++) {
		const char **to = strcmp(argv[i], "--reason") == 0 ? &g->reason :
				  strcmp(argv[i], "--ttl") == 0 ? &g->ttl : NULL;

		if (to != NULL && i + 1 < argc)
			*to = argv[++i];
		else if (to == NULL && g->host == NULL && argv[i][0] != '-')
			g->host = argv[i];
		else
			return -EINVAL;
	}
	return g->host == NULL ? -EINVAL : 0;
}

/* What a person says is one event, named after nobody, so the next word replaces it. */
static int say(struct whitelist *wl, struct sat_request *req, int argc, const char *const *argv,
	       const char *state)
{
	struct given g = { 0 };
	struct sat_buf body = { .max = 64 << 10 };
	struct order *o;
	char error[256];
	int rc;

	if (arguments(&g, argc, argv) != 0)
		return fail(req, "usage: satellite %s HOST [--reason TEXT] [--ttl 7day]", argv[0]);
	o = order_new(wl, req, ORDER_POST, g.host, "operator");
	if (o == NULL)
		return fail(req, "out of memory");
	o->command = true;
	sat_buf_printf(&body, "{\"state\":\"%s\",\"by\":", state);
	sat_buf_json(&body, sat_request_who(req));
	sat_buf_printf(&body, ",\"description\":");
	sat_buf_json(&body, g.reason);
	sat_buf_printf(&body, ",\"ttl\":");
	sat_buf_json(&body, g.ttl);
	sat_buf_printf(&body, "}");
	rc = body.full ? -ENOMEM : order_body(o, body.p, body.len, sat_wall(), error, sizeof(error));
	sat_buf_free(&body);
	if (rc != 0)
		order_refuse(o, rc == -EINVAL ? 400 : 503, "%s", rc == -EINVAL ? error : strerror(-rc));
	else
		rest_submit(wl, o);
	return 0;
}

static int run_on(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	return say(state, req, argc, argv, "ok");
}

static int run_off(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	return say(state, req, argc, argv, "critical");
}

static int run_forget(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	struct whitelist *wl = state;
	struct order *o;

	if (argc != 2)
		return fail(req, "usage: satellite forget HOST");
	o = order_new(wl, req, ORDER_FORGET, argv[1], NULL);
	if (o == NULL)
		return fail(req, "out of memory");
	o->command = true;
	rest_submit(wl, o);
	return 0;
}

static int run_guard(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	if (argc == 1)
		decide_guard(state, req, true);
	else if (argc == 2 && strcmp(argv[1], "reset") == 0)
		decide_reset(state, req, true);
	else
		return fail(req, "usage: satellite guard [reset]");
	return 0;
}

#define COMMAND(n, u, s, r, f) &(const struct sat_command){ .size = sizeof(struct sat_command), \
	.name = (n), .usage = (u), .summary = (s), .role = (r), .run = (f) }

const struct sat_command *const whitelist_commands[] = {
	COMMAND("hosts", "hosts [on|off|all|HOST]", "list hosts, their state, and why", SAT_READ, run_hosts),
	COMMAND("why", "why HOST [--json]", "what put a host in its state, and what would change it", SAT_READ, run_why),
	COMMAND("on", "on HOST [--reason TEXT] [--ttl 7day]", "turn a host on", SAT_OPERATE, run_on),
	COMMAND("off", "off HOST [--reason TEXT] [--ttl 7day]", "turn a host off", SAT_OPERATE, run_off),
	COMMAND("guard", "guard [reset]", "what holds streams back from hosts; reset its breaker", SAT_OPERATE, run_guard),
	COMMAND("forget", "forget HOST", "take a host out of the inventory", SAT_OPERATE, run_forget),
	NULL
};
