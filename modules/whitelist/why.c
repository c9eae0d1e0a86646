/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why - what put a host in its state, and what would change it.
 *
 * Read out of the record, which every master has, so that all of them say the
 * same; only what the guard waits for right now is the acting one's to know.
 */
#include <inttypes.h>
#include <string.h>

#include "why.h"

static const char *const sources[] = {
	[NOBODY] = "nobody", [A_PERSON] = "person", [A_STREAM] = "stream", [THE_IMPORT] = "import",
	[ANOTHER] = "another program",
};

/* ---- Looking ------------------------------------------------------------ */

/* The acting master knows; the others read what it wrote. */
static enum verdict verdict_of(const struct host *h)
{
	if (sat_acting() && h->judged)
		return h->verdict == GUARD_PASS ? GUARD_NOTHING : h->verdict;
	for (enum verdict v = GUARD_PROTECTED; h->rec->verdict != NULL && v <= GUARD_RATE; v++)
		if (strcmp(h->rec->verdict, guard_words(v)) == 0)
			return v;
	return GUARD_NOTHING;
}

static enum source source_of(const struct record *rec)
{
	if (rec->manual_flag != FLAG_NONE)
		return A_PERSON;
	if (rec->managed_flag != rec->flag)
		return ANOTHER;
	if (rec->managed_flag == FLAG_NONE)
		return NOBODY;
	return rec->flipped != 0 && rec->flipped == rec->since ? A_STREAM : THE_IMPORT;
}

static struct why look(struct whitelist *wl, const struct host *h)
{
	const struct rec_event *word = record_word(h->rec);
	struct why w = { .wl = wl, .h = h, .rec = h->rec, .source = source_of(h->rec),
		.on = record_state(h->rec) == FLAG_ON, .wish = wishes_flag(h), .verdict = verdict_of(h) };

	if (w.source == A_PERSON)
		w.since = word == NULL ? 0 : word->time;
	else if (w.source != ANOTHER)
		w.since = h->rec->since;
	w.freed = w.source != ANOTHER && h->rec->freed > w.since;
	if (w.freed)
		w.since = h->rec->freed;
	return w;
}

static void because_print(const struct why *w, struct sat_buf *out)
{
	const char *flag = flag_name(w->rec->managed_flag), *ours = flag_name(w->rec->flag);

	if (w->source == A_PERSON) {
		word_print(w->rec, out);
	} else if (w->source == ANOTHER) {
		sat_buf_printf(out, "another program set managed-flag to %s", flag == NULL ? "null" : flag);
		if (ours != NULL)
			sat_buf_printf(out, "; satellite last wrote %s", ours);
	} else if (w->source == NOBODY) {
		sat_buf_printf(out, "nobody turned it on");
	} else {
		text_print(w->rec->cause == NULL ? "" : w->rec->cause, out);
	}
	if (w->freed)
		sat_buf_printf(out, "; until then a person had it %s", w->on ? "off" : "on");
}

/* ---- In ten lines ------------------------------------------------------- */

static void label(const char *name, struct sat_buf *out)
{
	sat_buf_printf(out, "%-9s ", name);
}

static void lines_state(const struct why *w, struct sat_buf *out)
{
	label("state", out);
	sat_buf_printf(out, "%s", w->on ? "on" : "off");
	if (w->since != 0) {
		sat_buf_printf(out, " since ");
		when_print(w->since, out);
		sat_buf_printf(out, ", ");
		span_print(sat_wall() - w->since, out);
	}
	sat_buf_printf(out, "\n");
	label("because", out);
	because_print(w, out);
	sat_buf_printf(out, "\n");
}

/* What streams hold it off for, or would; the cause of its state need not be said twice. */
static void lines_holds(const struct why *w, struct sat_buf *out)
{
	unsigned n = 0;

	for (const struct hold *hold = w->h->holds; hold != NULL; hold = hold->next) {
		if (!hold->off || (w->source == A_STREAM && *hold->name == '\0' && w->rec->cause != NULL &&
				   strcmp(hold->cause, w->rec->cause) == 0) || ++n > SHOWN_MAX)
			continue;
		label(w->on ? "wished" : "held off", out);
		sat_buf_printf(out, w->on ? "off since " : "since ");
		when_print(hold->since, out);
		until_print(hold->until, out);
		sat_buf_printf(out, ": ");
		text_print(hold->cause, out);
		sat_buf_printf(out, "\n");
	}
}

static void line_guard(const struct why *w, struct sat_buf *out)
{
	const char *wish = flag_name(w->wish);

	if (w->verdict == GUARD_NOTHING &&
	    !(w->wl->guard.mode == GUARD_OBSERVE && w->wish != FLAG_NONE && w->wish != w->rec->managed_flag))
		return;
	if (wish == NULL)
		wish = w->rec->managed_flag == FLAG_OFF ? "on" : "off";
	label("guard", out);
	sat_buf_printf(out, "wished %s, %s%s\n", wish, w->wl->guard.mode == GUARD_OBSERVE ? "only observed: " : "",
		       guard_words(w->verdict == GUARD_NOTHING ? GUARD_PASS : w->verdict));
}

static void line_check(const struct rec_event *e, struct sat_buf *out)
{
	struct told t = told_read(e->text);

	label("failing", out);
	text_print(e->name, out);
	sat_buf_printf(out, " is ");
	text_print(e->state, out);
	if (t.metric != NULL)
		sat_buf_printf(out, ", metric %s", t.metric);
	if (e->time != 0) {
		sat_buf_printf(out, ", ");
		when_print(e->time, out);
	}
	if (t.description != NULL && *t.description != '\0') {
		sat_buf_printf(out, ": ");
		text_print(t.description, out);
	}
	sat_buf_printf(out, "\n");
	told_free(&t);
}

static void lines_checks(const struct why *w, struct sat_buf *out)
{
	unsigned n = 0;

	for (const struct rec_event *e = w->rec->managed; e != NULL; e = e->next)
		if (check_fails(e) && ++n <= SHOWN_MAX)
			line_check(e, out);
	if (n > SHOWN_MAX) {
		label("", out);
		sat_buf_printf(out, "and %u more\n", n - SHOWN_MAX);
	}
}

static void lines_heard(const struct why *w, struct sat_buf *out)
{
	label("heard", out);
	if (w->h->heard_ever) {
		span_print(sat_clock() - w->h->heard, out);
		sat_buf_printf(out, " ago");
	} else {
		sat_buf_printf(out, "never");
	}
	if (w->wl->n_agents > 0 && import_agent(w->wl, w->h->name) != NULL) {
		sat_buf_printf(out, "; registered with Mesos");
	} else if (w->wl->n_agents > 0) {
		sat_buf_printf(out, "; not registered with Mesos");
		sat_buf_printf(out, w->h->unlisted != 0 ? " for at least " : "");
		if (w->h->unlisted != 0)
			span_print(sat_clock() - w->h->unlisted, out);
	}
	sat_buf_printf(out, "\n");
}

/* Where what is decided is not what is. */
static void lines_actuators(const struct why *w, struct sat_buf *out)
{
	for (unsigned i = 0; i < w->wl->n_actuators; i++) {
		struct sat_buf text = { .max = 4096 };

		if (actuator_print(&w->wl->actuators[i], w->h->name, &text) && !text.full) {
			label(w->wl->actuators[i].name, out);
			sat_buf_printf(out, "%.*s\n", (int)text.len, text.p);
		}
		out->full |= text.full;
		sat_buf_free(&text);
	}
}

static void lines_decisions(const struct why *w, struct sat_buf *out)
{
	for (unsigned i = w->source == A_STREAM; i < RECORD_DECISIONS && w->rec->decisions[i] != NULL; i++) {
		struct told t = told_read(w->rec->decisions[i]);

		label("before", out);
		when_print(t.time, out);
		sat_buf_printf(out, " ");
		text_print(t.flag == NULL ? "" : t.flag, out);
		sat_buf_printf(out, ": ");
		text_print(t.cause == NULL ? "" : t.cause, out);
		sat_buf_printf(out, "\n");
		told_free(&t);
	}
}

static void why_print(const struct why *w, struct sat_buf *out)
{
	struct sat_buf way = { .max = 64 << 10 };
	char *save = NULL;

	label("host", out);
	sat_buf_printf(out, "%s\n", w->h->name);
	lines_state(w, out);
	lines_holds(w, out);
	line_guard(w, out);
	lines_checks(w, out);
	lines_actuators(w, out);
	lines_heard(w, out);
	lines_decisions(w, out);
	why_ways(w, &way);
	if (way.full)
		out->full = true;
	for (char *line = way.full ? NULL : strtok_r(way.p, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		label("to change", out);
		sat_buf_printf(out, "%s\n", line);
	}
	sat_buf_free(&way);
}

/* ---- As JSON ------------------------------------------------------------ */

static void time_json(const char *key, int64_t t, struct sat_buf *out)
{
	sat_buf_printf(out, ",\"%s\":", key);
	if (t == 0)
		sat_buf_printf(out, "null");
	else
		micros_print(out, t);
}

static void text_json(const char *key, struct sat_buf *text, struct sat_buf *out)
{
	sat_buf_add(text, "", 1);
	if (text->full)
		out->full = true;
	sat_buf_printf(out, ",\"%s\":", key);
	sat_buf_json(out, text->full ? NULL : text->p);
	sat_buf_free(text);
}

static void holds_json(const struct why *w, struct sat_buf *out)
{
	unsigned n = 0;

	sat_buf_printf(out, ",\"holds\":[");
	for (const struct hold *hold = w->h->holds; hold != NULL; hold = hold->next) {
		if (!hold->off)
			continue;
		sat_buf_printf(out, "%s{\"name\":", n++ == 0 ? "" : ",");
		sat_buf_json(out, hold->name);
		time_json("since", hold->since, out);
		time_json("until", hold->until, out);
		sat_buf_printf(out, ",\"cause\":");
		sat_buf_json(out, hold->cause);
		sat_buf_printf(out, "}");
	}
	sat_buf_printf(out, "]");
}

static void actuators_json(const struct why *w, struct sat_buf *out)
{
	sat_buf_printf(out, ",\"actuators\":{");
	for (unsigned i = 0; i < w->wl->n_actuators; i++) {
		struct sat_buf text = { .max = 4096 };
		bool says = actuator_print(&w->wl->actuators[i], w->h->name, &text);

		sat_buf_add(&text, "", 1);
		out->full |= text.full;
		sat_buf_printf(out, i == 0 ? "" : ",");
		sat_buf_json(out, w->wl->actuators[i].name);
		sat_buf_printf(out, ":");
		sat_buf_json(out, says && !text.full ? text.p : NULL);
		sat_buf_free(&text);
	}
	sat_buf_printf(out, "}");
}

/* Events and decisions stand as they are kept. */
static void kept_json(const struct why *w, struct sat_buf *out)
{
	unsigned n = 0;

	sat_buf_printf(out, ",\"failing\":{");
	for (const struct rec_event *e = w->rec->managed; e != NULL; e = e->next)
		if (check_fails(e))
			sat_buf_printf(out, "%s%s:%s", n++ == 0 ? "" : ",", e->key, e->text);
	sat_buf_printf(out, "},\"decisions\":[");
	for (unsigned i = 0; i < RECORD_DECISIONS && w->rec->decisions[i] != NULL; i++)
		sat_buf_printf(out, "%s%s", i == 0 ? "" : ",", w->rec->decisions[i]);
	sat_buf_printf(out, "]");
}

static void ways_json(const struct why *w, struct sat_buf *out)
{
	struct sat_buf way = { .max = 64 << 10 };
	char *save = NULL;
	unsigned n = 0;

	why_ways(w, &way);
	if (way.full)
		out->full = true;
	sat_buf_printf(out, ",\"change\":[");
	for (char *line = way.full ? NULL : strtok_r(way.p, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		sat_buf_printf(out, "%s", n++ == 0 ? "" : ",");
		sat_buf_json(out, line);
	}
	sat_buf_printf(out, "]");
	sat_buf_free(&way);
}

/* Without the end of the object. */
static void state_json(const struct why *w, struct sat_buf *out)
{
	const struct rec_event *word = w->source == A_PERSON ? record_word(w->rec) : NULL;
	struct sat_buf because = { .max = RECORD_MAX };

	sat_buf_printf(out, "{\"host\":");
	sat_buf_json(out, w->h->name);
	sat_buf_printf(out, ",\"state\":\"%s\"", w->on ? "on" : "off");
	time_json("since", w->since, out);
	time_json("until", word == NULL ? 0 : word->until, out);
	sat_buf_printf(out, ",\"source\":\"%s\"", sources[w->source]);
	because_print(w, &because);
	text_json("because", &because, out);
	sat_buf_printf(out, ",\"wished\":");
	sat_buf_json(out, flag_name(w->wish));
	sat_buf_printf(out, ",\"guard\":");
	sat_buf_json(out, w->verdict == GUARD_NOTHING ? NULL : guard_words(w->verdict));
	if (w->h->heard_ever)
		sat_buf_printf(out, ",\"heard\":%" PRId64, (sat_clock() - w->h->heard) / SAT_SECOND);
	else
		sat_buf_printf(out, ",\"heard\":null");
	sat_buf_printf(out, ",\"registered\":%s", w->wl->n_agents == 0 ? "null" :
		       import_agent(w->wl, w->h->name) != NULL ? "true" : "false");
	actuators_json(w, out);
}

static void why_json(const struct why *w, struct sat_buf *out)
{
	const struct rec_event *word = w->source == A_PERSON ? record_word(w->rec) : NULL;

	state_json(w, out);
	sat_buf_printf(out, ",\"event\":%s", word == NULL ? "null" : word->text);
	holds_json(w, out);
	kept_json(w, out);
	ways_json(w, out);
	sat_buf_printf(out, "}");
}

void why_brief(struct whitelist *wl, const struct host *h, struct sat_buf *out)
{
	struct why w = look(wl, h);

	state_json(&w, out);
	sat_buf_printf(out, "}");
}

/* ---- Answering ---------------------------------------------------------- */

/* Why there is nothing to say of it. */
static void unknown_print(struct whitelist *wl, const struct host *h, const char *name, struct sat_buf *out)
{
	const char *id = import_agent(wl, name);

	sat_buf_printf(out, "not in the inventory");
	if (h != NULL && h->deleted != NULL) {
		sat_buf_printf(out, "; a person deleted it: it stays away until its agent registers anew, or "
			       "\"satellite on %s\"", name);
		sat_buf_printf(out, wl->to_file ? "; it gets no work" : "; its agent is left as it was then");
	}
	if (id != NULL)
		sat_buf_printf(out, "; Mesos lists it as agent %.200s", id);
	else
		sat_buf_printf(out, "; Mesos %s", wl->n_agents > 0 ? "lists no such agent" : "has named no agents here");
	for (unsigned i = 0; i < wl->n_actuators; i++) {
		struct sat_buf text = { .max = 4096 };

		if (actuator_print(&wl->actuators[i], name, &text) && !text.full)
			sat_buf_printf(out, "; %s: %.*s", wl->actuators[i].name, (int)text.len, text.p);
		sat_buf_free(&text);
	}
	sat_buf_add(out, "", 1);
}

int why_tell(struct whitelist *wl, const char *name, bool json, struct sat_buf *out)
{
	const struct host *h = hosts_find(wl, name);
	struct why w;

	if (!wl->settled) {
		sat_buf_add(out, "the store has not been read yet", sizeof("the store has not been read yet"));
		return 503;
	}
	if (h == NULL || h->rec == NULL) {
		unknown_print(wl, h, name, out);
		return 404;
	}
	w = look(wl, h);
	(json ? why_json : why_print)(&w, out);
	return 200;
}

int why_get(struct whitelist *wl, struct sat_request *req)
{
	struct sat_buf out = { .max = 16 * RECORD_MAX };
	int status = why_tell(wl, sat_request_part(req, "host"), true, &out);

	if (status == 200 || out.full) {
		sat_reply_buf(req, status, "application/json", &out);
		return 0;
	}
	sat_reply_error(req, status, "%s", out.p);
	sat_buf_free(&out);
	return 0;
}

void why_run(struct whitelist *wl, struct sat_request *req, const char *host, bool json)
{
	struct sat_buf out = { .max = 16 * RECORD_MAX }, error = { .max = 4096 };
	int status = why_tell(wl, host, json, &out);

	if (status == 200 || out.full) {
		sat_buf_printf(&out, json ? "\n" : "");
		sat_command_done(req, 0, &out);
		return;
	}
	sat_buf_printf(&error, "%.253s: %s\n", host, out.p);
	sat_buf_free(&out);
	sat_command_done(req, 1, &error);
}
