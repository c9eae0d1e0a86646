/* SPDX-License-Identifier: Apache-2.0 */
/*
 * silence - who was last heard when, by time of receipt.
 *
 * A host is heard when an event of it is indexed, or reaches persist-event or
 * delete-event; not the others, since windows in front of them say old things
 * again.  What this master says itself about a host does not count.  Times are
 * saved every minute.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whitelist.h"

/* Events that a master makes up: its own, Mesos' own, and what the index expires. */
static bool from_host(const struct sat_event *ev)
{
	const char *s = ev->service;

	if (ev->state != NULL && strcmp(ev->state, "expired") == 0)
		return false;
	if (s == NULL)
		return true;
	return strncmp(s, "satellite/", 10) != 0 &&
	       (strncmp(s, "mesos/", 6) != 0 || strncmp(s, "mesos/slave/", 12) == 0);
}

static void mark(struct host *h, int64_t t)
{
	h->heard_ever = true;
	h->heard = t;
}

/* Most events are of a host that was heard in this turn of the loop already. */
void silence_heard(struct host *h, const struct sat_event *ev)
{
	int64_t now = sat_clock();

	if (h != NULL && !(h->heard_ever && h->heard == now) && from_host(ev))
		mark(h, now);
}

static void indexed(void *state, const char *topic, const struct sat_item *item)
{
	(void)topic;
	for (uint32_t i = 0; i < item->n; i++)
		if (item->evs[i]->host != NULL)
			silence_heard(hosts_of(state, item->evs[i]), item->evs[i]);
}

/* Lately: within half the time after which a host counts as silent. */
double silence_fresh(struct whitelist *wl)
{
	int64_t since = sat_clock() - wl->silent / 2;
	size_t ever = 0, fresh = 0;

	for (const struct host *h = wl->first; h != NULL; h = h->after) {
		if (h->rec == NULL || !h->heard_ever)
			continue;
		ever++;
		fresh += h->heard >= since;
	}
	return ever == 0 ? 1 : (double)fresh / (double)ever;
}

/* ---- Telling ------------------------------------------------------------ */

static int64_t round_time(const struct whitelist *wl)
{
	int64_t t = wl->silent / 10;

	return t < SAT_SECOND ? SAT_SECOND : t > 60 * SAT_SECOND ? 60 * SAT_SECOND : t;
}

/* Hosts get as long to be heard by a master that has just started. */
static void tell(struct whitelist *wl, const struct host *h)
{
	int64_t now = sat_clock(), age = now - h->heard;
	bool silent = age > wl->silent && now - wl->started > wl->silent;

	sat_emit(wl->self, .has = SAT_HAS_INT | SAT_HAS_TTL, .host = h->name,
		 .service = "satellite/host/heard", .state = silent ? "critical" : "ok",
		 .metric = { .i = age / SAT_SECOND }, .ttl = 5 * (double)round_time(wl) / 1e6,
		 .description = silent ? "not heard from" : NULL);
}

/* A round goes over all hosts, in slices, so that 50,000 do not speak at once. */
static void tick(struct sat_alarm *alarm)
{
	struct whitelist *wl = SAT_OWNER(alarm, struct whitelist, silence);
	int64_t ticks = round_time(wl) / SAT_SECOND;
	size_t n = wl->n_all / (size_t)ticks + 1;
	struct host *h = wl->silence_next;

	sat_alarm_set(wl->self, alarm, sat_clock() + SAT_SECOND);	/* first: it has the room that it had */
	if (wl->starved)
		hosts_again(wl);
	for (size_t i = 0; i < n; i++, h = h->after) {
		if (h == NULL)
			h = wl->first;
		if (h == NULL)
			break;
		if (h->rec == NULL)
			continue;
		if (h->heard_ever)
			tell(wl, h);
		reap_events(wl, h);
		reap_agent(wl, h);
	}
	wl->silence_next = h;
}

/* ---- Over a restart ----------------------------------------------------- */

static char *heard_text(struct whitelist *wl, size_t *len)
{
	struct sat_buf text = { .max = FILE_MAX };
	int64_t wall = sat_wall() - sat_clock();

	sat_buf_add(&text, "", 0);
	for (const struct host *h = wl->first; h != NULL; h = h->after) {
		if (!h->heard_ever || h->rec == NULL)
			continue;
		micros_print(&text, h->heard + wall);
		sat_buf_printf(&text, " %s\n", h->name);
	}
	*len = text.len;
	if (!text.full && text.p != NULL)
		return text.p;
	sat_buf_free(&text);
	return NULL;
}

static void saved(void *arg, int rc)
{
	struct file_job *job = arg;

	if (rc != 0)
		sat_log(job->wl->self, LOG_ERR, "%s: %s", job->path, strerror(-rc));
	if (rc == -ETIMEDOUT)
		return;		/* its late() ends it */
	free(job->text);
	job->text = NULL;
	job->busy = false;
	whitelist_idle(job->wl);
}

void silence_save(struct whitelist *wl)
{
	size_t len;
	char *text = wl->heard_job.busy || !wl->settled || sat_dry_run() ? NULL : heard_text(wl, &len);

	if (text != NULL)
		file_job_start(&wl->heard_job, wl->heard_path, text, len, saved);
}

static void minute(struct sat_alarm *alarm)
{
	struct whitelist *wl = SAT_OWNER(alarm, struct whitelist, minute);

	sat_alarm_set(wl->self, alarm, sat_clock() + 60 * SAT_SECOND);
	silence_save(wl);
	for (struct host *h = wl->first; h != NULL; h = h->after)
		if (h->soft)
			commit_dirty(wl, h);
	decide_soon(wl);
	/* What another alarm should have done, had there been memory for it. */
	commit_soon(wl);
	wishes_look(wl);
	import_consider(wl);
	file_start(wl);
	if (wl->file_changed)
		file_changed(wl);
	if (wl->actuate_wanted)
		actuators_changed(wl);
}

static void restore(struct whitelist *wl, char *line)
{
	char *name = strchr(line, ' ');
	struct host *h;
	int64_t age;

	if (name == NULL || !name_legal(name + 1))
		return;
	age = sat_wall() - (int64_t)(strtod(line, NULL) * 1e6);
	h = hosts_get(wl, name + 1);
	if (h != NULL && !h->heard_ever)
		mark(h, sat_clock() - (age > 0 ? age : 0));
}

/* Once, before the first event; at most a few megabytes. */
static void load(struct whitelist *wl)
{
	char *text = NULL, *save_at = NULL;
	size_t len = 0;
	int rc = sat_file_read(wl->heard_path, FILE_MAX, &text, &len);

	if (rc != 0 && rc != -ENOENT)
		sat_log(wl->self, LOG_WARNING, "%s: %s", wl->heard_path, strerror(-rc));
	for (char *line = rc == 0 ? strtok_r(text, "\n", &save_at) : NULL; line != NULL;
	     line = strtok_r(NULL, "\n", &save_at))
		restore(wl, line);
	free(text);
}

int silence_start(struct whitelist *wl)
{
	int rc;

	wl->started = sat_clock();
	wl->silence.fire = tick;
	wl->minute.fire = minute;
	load(wl);
	rc = sat_alarm_set(wl->self, &wl->silence, sat_clock() + SAT_SECOND);
	if (rc == 0)
		rc = sat_alarm_set(wl->self, &wl->minute, sat_clock() + 60 * SAT_SECOND);
	return rc == 0 ? sat_subscribe(wl->self, "index", indexed) : rc;
}

void silence_stop(struct whitelist *wl)
{
	sat_alarm_stop(&wl->silence);
	sat_alarm_stop(&wl->minute);
}
