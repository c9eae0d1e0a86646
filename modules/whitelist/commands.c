/* SPDX-License-Identifier: Apache-2.0 */
/* commands - satellite hosts, why, on, off, forget and guard. */
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
	for (unsigned i = 0; i < wl->n_actuators; i++) {
		struct sat_buf text = { .max = 4096 };

		if (actuator_print(&wl->actuators[i], h->name, &text))
			sat_buf_printf(out, "; %s: %.*s", wl->actuators[i].name, (int)text.len, text.p);
		sat_buf_free(&text);
	}
	if (h->unlisted != 0 && sat_clock() - h->unlisted > wl->silent)
		sat_buf_printf(out, "; unknown to Mesos for %lld s", (long long)((sat_clock() - h->unlisted) / SAT_SECOND));
	sat_buf_printf(out, "\n");
}

/* ---- Arguments ---------------------------------------------------------- */

struct given { const char *word, *reason, *ttl; bool json; };

/* --name VALUE or --name=VALUE: how many arguments that is; 0: it is not that. */
static int option(const char *name, const char **to, int left, const char *const *argv)
{
	size_t n = strlen(name);

	if (strncmp(argv[0], name, n) != 0 || (argv[0][n] != '\0' && argv[0][n] != '='))
		return 0;
	if (argv[0][n] == '=')
		*to = argv[0] + n + 1;
	else if (left > 1)
		*to = argv[1];
	else
		return 0;
	return argv[0][n] == '=' ? 1 : 2;
}

/* One word at most; says: options of what a person says, too. */
static int arguments(struct given *g, bool says, int argc, const char *const *argv)
{
	for (int i = 1, n; i < argc; i += n) {
		n = !says ? 0 : option("--reason", &g->reason, argc - i, argv + i);
		if (says && n == 0)
			n = option("--ttl", &g->ttl, argc - i, argv + i);
		if (n == 0 && strcmp(argv[i], "--json") == 0)
			g->json = true;
		else if (n == 0 && g->word == NULL && argv[i][0] != '-')
			g->word = argv[i];
		else if (n == 0)
			return -EINVAL;
		n = n == 0 ? 1 : n;
	}
	return 0;
}

static int usage(struct sat_request *req, const char *line)
{
	struct sat_buf out = { .max = 4096 };

	sat_buf_printf(&out, "usage: satellite %s\n", line);
	sat_command_done(req, 2, &out);
	return 0;
}

/* ---- Commands ----------------------------------------------------------- */

#define HOSTS	"hosts [on|off|all|HOST] [--json]"
#define WHY	"why HOST [--json]"
#define ON	"on HOST [--reason TEXT] [--ttl 7day] [--json]"
#define OFF	"off HOST [--reason TEXT] [--ttl 7day] [--json]"
#define FORGET	"forget HOST [--json]"
#define GUARD	"guard [reset] [--json]"

/* -ENOENT: it names a host that is not there. */
static int hosts_print(struct whitelist *wl, const char *which, bool json, struct sat_buf *out)
{
	bool all = strcmp(which, "all") == 0, on = strcmp(which, "on") == 0, off = strcmp(which, "off") == 0;
	size_t n = 0;

	for (const struct host *h = wl->first; h != NULL; h = h->after) {
		bool named = !all && !on && !off && strcmp(which, h->name) == 0;

		if (h->rec == NULL || !(all || named || (on && h->told == FLAG_ON) || (off && h->told == FLAG_OFF)))
			continue;
		if (json)
			sat_buf_printf(out, n == 0 ? "\n" : ",\n");
		if (json)
			why_brief(wl, h, out);
		else
			host_print(wl, h, out);
		n++;
	}
	return n > 0 || all || on || off ? 0 : -ENOENT;
}

static int run_hosts(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	struct whitelist *wl = state;
	struct given g = { 0 };
	struct sat_buf out = { .max = 256 << 20 };
	int rc;

	if (arguments(&g, false, argc, argv) != 0)
		return usage(req, HOSTS);
	if (!wl->settled)
		return fail(req, "the store has not been read yet");
	if (g.json)
		sat_buf_printf(&out, "[");
	else
		sat_buf_printf(&out, "%-40s %-4s %9s  %s\n", "HOST", "IS", "HEARD", "BECAUSE");
	rc = hosts_print(wl, g.word == NULL ? "all" : g.word, g.json, &out);
	if (rc != 0) {
		sat_buf_free(&out);
		return fail(req, "%s: not in the inventory", g.word);
	}
	sat_buf_printf(&out, g.json ? "\n]\n" : "");
	sat_command_done(req, 0, &out);
	return 0;
}

static int run_why(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	struct given g = { 0 };

	if (arguments(&g, false, argc, argv) != 0 || g.word == NULL)
		return usage(req, WHY);
	why_run(state, req, g.word, g.json);
	return 0;
}

/* What a person says is one event, named after nobody, so the next word replaces it. */
static int say(struct whitelist *wl, struct sat_request *req, const struct given *g, const char *state)
{
	struct sat_buf body = { .max = 64 << 10 };
	struct order *o;
	char error[256];
	int rc;

	o = order_new(wl, req, ORDER_POST, g->word, "operator");
	if (o == NULL)
		return fail(req, "out of memory");
	o->form = g->json ? AS_JSON : AS_TEXT;
	sat_buf_printf(&body, "{\"state\":\"%s\",\"by\":", state);
	sat_buf_json(&body, sat_request_who(req));
	sat_buf_printf(&body, ",\"description\":");
	sat_buf_json(&body, g->reason);
	sat_buf_printf(&body, ",\"ttl\":");
	sat_buf_json(&body, g->ttl);
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
	struct given g = { 0 };

	if (arguments(&g, true, argc, argv) != 0 || g.word == NULL)
		return usage(req, ON);
	return say(state, req, &g, "ok");
}

static int run_off(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	struct given g = { 0 };

	if (arguments(&g, true, argc, argv) != 0 || g.word == NULL)
		return usage(req, OFF);
	return say(state, req, &g, "critical");
}

static int run_forget(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	struct whitelist *wl = state;
	struct given g = { 0 };
	struct order *o;

	if (arguments(&g, false, argc, argv) != 0 || g.word == NULL)
		return usage(req, FORGET);
	o = order_new(wl, req, ORDER_FORGET, g.word, NULL);
	if (o == NULL)
		return fail(req, "out of memory");
	o->form = g.json ? AS_JSON : AS_TEXT;
	rest_submit(wl, o);
	return 0;
}

static int run_guard(void *state, struct sat_request *req, int argc, const char *const *argv)
{
	struct given g = { 0 };

	if (arguments(&g, false, argc, argv) != 0 || (g.word != NULL && strcmp(g.word, "reset") != 0))
		return usage(req, GUARD);
	if (g.word == NULL)
		decide_guard(state, req, g.json ? AS_JSON : AS_TEXT);
	else
		decide_reset(state, req, g.json ? AS_JSON : AS_TEXT);
	return 0;
}

#define COMMAND(n, u, s, r, f) &(const struct sat_command){ .size = sizeof(struct sat_command), \
	.name = (n), .usage = (u), .summary = (s), .role = (r), .run = (f) }

const struct sat_command *const whitelist_commands[] = {
	COMMAND("hosts", HOSTS, "list hosts, their state, and why", SAT_READ, run_hosts),
	COMMAND("why", WHY, "what put a host in its state, and what would change it", SAT_READ, run_why),
	COMMAND("on", ON, "turn a host on", SAT_OPERATE, run_on),
	COMMAND("off", OFF, "turn a host off", SAT_OPERATE, run_off),
	COMMAND("guard", GUARD, "what holds streams back from hosts; reset its breaker", SAT_OPERATE, run_guard),
	COMMAND("forget", FORGET, "take a host out of the inventory", SAT_OPERATE, run_forget),
	NULL
};
