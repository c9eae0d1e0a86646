/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import - where the inventory comes from: at first start the file that is
 * there, or else the registered agents; later the agents that register.
 *
 * A key beside the records says how far that went, so that a process killed in
 * the middle goes on, and an emptied store is never taken for a first start:
 *
 *   importing   hosts are being written; the file is not
 *   imported    the file's are; agents that are registered but were not in the
 *               file are not new, and come in as off, once they are heard of
 *   complete    an agent without a record is new
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whitelist.h"

#define KEY	"inventory/import"
#define RETRY	(5 * SAT_SECOND)

static const char *const marks[] = {
	[MARK_NONE] = "", [MARK_IMPORTING] = "importing", [MARK_IMPORTED] = "imported",
	[MARK_COMPLETE] = "complete",
};

static void again(struct whitelist *wl)
{
	if (!wl->stopping)
		sat_alarm_set(wl->self, &wl->import_alarm, sat_clock() + RETRY);
}

static void agents_heard(void *state, const char *topic, const struct sat_item *item);

/* Without agents there may have been no memory for them: hear the list again. */
static void retry(struct sat_alarm *alarm)
{
	struct whitelist *wl = SAT_OWNER(alarm, struct whitelist, import_alarm);

	if (wl->agents == NULL && sat_subscribe(wl->self, "mesos/agents", agents_heard) != 0)
		again(wl);
	import_consider(wl);
}

/* ---- The mark ----------------------------------------------------------- */

void import_mark(struct whitelist *wl, const char *value, size_t len, int64_t version)
{
	enum mark mark = MARK_NONE;

	for (size_t i = MARK_IMPORTING; value != NULL && i <= MARK_COMPLETE; i++)
		if (len == strlen(marks[i]) && memcmp(value, marks[i], len) == 0)
			mark = i;
	if (value != NULL && mark == MARK_NONE)
		mark = MARK_COMPLETE;	/* of a later version of this program */
	wl->mark = mark;
	wl->mark_version = version;
	if (mark == MARK_COMPLETE) {
		free(wl->import_text);
		wl->import_text = NULL;
	}
	if (wl->synced) {
		file_changed(wl);
		actuators_changed(wl);
		import_consider(wl);
	}
}

static void marked(void *arg, int rc, size_t culprit, const int64_t *versions)
{
	struct whitelist *wl = arg;

	(void)culprit;
	wl->mark_busy = false;
	if (rc != 0)
		again(wl);
	else if (wl->mark != wl->mark_wanted || wl->mark_version < versions[1])
		import_mark(wl, marks[wl->mark_wanted], strlen(marks[wl->mark_wanted]), versions[1]);
	else
		import_consider(wl);	/* the mirror said it first */
	whitelist_idle(wl);
}

static void mark_set(struct whitelist *wl, enum mark mark)
{
	struct sat_change changes[2] = { { 0 }, {
		.what = wl->mark == MARK_NONE ? SAT_CREATE : SAT_PUT, .key = KEY, .value = marks[mark],
		.len = strlen(marks[mark]), .version = wl->mark_version,
	} };

	if (wl->mark_busy || !sat_fence(wl->link, &changes[0]))
		return;
	wl->mark_wanted = mark;
	wl->mark_busy = sat_store_commit(wl->link, changes, 2, marked, wl) == 0;
	if (!wl->mark_busy)
		again(wl);
}

/* ---- Hosts that come in ------------------------------------------------- */

/* false: no memory; else it is on its way, is there, or cannot be. */
static bool bring(struct whitelist *wl, const char *name, enum flag flag, const char *cause)
{
	struct host *h;

	if (!name_legal(name)) {
		sat_log(wl->self, LOG_WARNING, "\"%s\": not a legal name for a host, left out", name);
		return true;
	}
	h = hosts_get(wl, name);
	if (h == NULL) {
		sat_log(wl->self, LOG_ERR, "%s: no room in the inventory", name);
		return wl->n_all >= HOSTS_MAX;
	}
	/* One that a person added meanwhile is imported, too. */
	if (h->rec != NULL && (h->rec->managed_flag != FLAG_NONE || wl->mark != MARK_IMPORTING))
		return true;
	if (h->create == FLAG_NONE)
		wl->creating++;
	h->create = flag;
	h->create_cause = cause;
	commit_dirty(wl, h);
	return true;
}

/* All of the file; false: no memory. */
static bool bring_file(struct whitelist *wl)
{
	char *text = strdup(wl->import_text), *save = NULL;
	bool all = text != NULL;

	for (char *line = all ? strtok_r(text, "\n", &save) : NULL; line != NULL; line = strtok_r(NULL, "\n", &save))
		all = bring(wl, line, FLAG_ON, wl->from_file) && all;
	free(text);
	if (!all)
		again(wl);
	return all;
}

/* Without a copy: a file that cannot be looked at must not count as empty. */
static bool any_legal(const char *text)
{
	char name[NAME_BYTES + 1];
	size_t n;

	for (; *text != '\0'; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		snprintf(name, sizeof(name), "%.*s", n <= NAME_BYTES ? (int)n : 0, text);
		if (name_legal(name))
			return true;
	}
	return false;
}

/* All agents; false: no memory. */
static bool bring_agents(struct whitelist *wl, enum flag flag, const char *cause)
{
	bool all = true;

	for (size_t i = 0; i < wl->n_agents; i++) {
		struct host *h = hosts_find(wl, wl->agents[i].host);

		if (h != NULL && ((h->rec != NULL && wl->mark != MARK_IMPORTING) || h->create != FLAG_NONE))
			continue;
		/* A deleted host stays deleted, until its agent registers anew. */
		if (h != NULL && h->deleted != NULL && strstr(h->deleted, wl->agents[i].id) != NULL)
			continue;
		all = bring(wl, wl->agents[i].host, flag, cause) && all;
	}
	if (!all)
		again(wl);
	return all;
}

/* ---- The first start ---------------------------------------------------- */

static int read_job(void *arg)
{
	struct import_job *job = arg;

	return sat_file_read(job->wl->path, FILE_MAX, &job->text, &job->len);
}

static void read_end(struct import_job *job)
{
	free(job->text);
	job->text = NULL;
	job->busy = false;
	whitelist_idle(job->wl);
}

static void read_late(void *arg)
{
	read_end(arg);
}

static void read_done(void *arg, int rc)
{
	struct import_job *job = arg;
	struct whitelist *wl = job->wl;

	if (rc == -ENOENT || (rc == 0 && !any_legal(job->text))) {
		sat_log(wl->self, LOG_NOTICE, "%s: %s; waiting for Mesos to name its agents", wl->path,
			rc == 0 ? "names no host" : "is not there");
		wl->import_text = strdup("");
	} else if (rc == 0) {
		wl->import_text = job->text;
		job->text = NULL;
	} else if (rc != wl->import_error) {
		sat_log(wl->self, LOG_ERR, "%s: %s; nothing is imported", wl->path, strerror(-rc));
	}
	wl->import_error = rc;
	if (rc != -ETIMEDOUT)
		read_end(job);
	if (wl->import_text != NULL)
		import_consider(wl);
	else
		again(wl);
}

static void read_file(struct whitelist *wl)
{
	struct sat_job work = { .size = sizeof(work), .work = read_job, .done = read_done, .late = read_late,
		.deadline = 30 * SAT_SECOND, .arg = &wl->import_job };

	if (wl->import_job.busy)
		return;
	wl->import_job.wl = wl;
	wl->import_job.busy = sat_work(wl->self, &work) == 0;
	if (!wl->import_job.busy)
		again(wl);
}

/* Records without a mark are those of the JVM Satellite.  Nobody adds a host
 * before there is a mark, so that an import is never taken for them. */
static void begin(struct whitelist *wl)
{
	if (wl->n_hosts > 0) {
		sat_log(wl->self, LOG_NOTICE, "taking over %zu hosts from the store", wl->n_hosts);
		mark_set(wl, MARK_IMPORTED);
	} else {
		mark_set(wl, wl->import ? MARK_IMPORTING : MARK_COMPLETE);
	}
}

static void first_start(struct whitelist *wl)
{
	bool file, all;

	if (wl->import_text == NULL) {
		read_file(wl);
		return;
	}
	file = *wl->import_text != '\0';
	if (!file && wl->n_agents == 0)
		return;		/* agents_heard() comes back here */
	all = file ? bring_file(wl) : bring_agents(wl, FLAG_ON, "imported: registered at first start");
	if (!all || wl->creating > 0 || wl->n_hosts == 0)
		return;
	sat_log(wl->self, LOG_NOTICE, "imported %zu hosts from %s", wl->n_hosts, file ? wl->path : "Mesos' agents");
	mark_set(wl, file ? MARK_IMPORTED : MARK_COMPLETE);
}

void import_consider(struct whitelist *wl)
{
	if (!wl->synced || wl->creating > 0 || wl->mark_busy || wl->stopping || sat_dry_run() || !sat_acting())
		return;
	if (wl->mark == MARK_NONE) {
		begin(wl);
	} else if (wl->mark == MARK_IMPORTING) {
		first_start(wl);
	} else if (wl->mark == MARK_COMPLETE) {
		bring_agents(wl, wl->new_agents == NEW_ON ? FLAG_ON : FLAG_OFF, "a new agent registered");
	} else if (wl->n_agents > 0) {
		bool all = bring_agents(wl, FLAG_OFF, "registered at first start, but not in the whitelist file");

		if (all && wl->creating == 0)
			mark_set(wl, MARK_COMPLETE);
	}
}

/* ---- Agents ------------------------------------------------------------- */

static void agents_free(struct whitelist *wl)
{
	for (size_t i = 0; i < wl->n_agents; i++) {
		free(wl->agents[i].host);
		free(wl->agents[i].id);
	}
	free(wl->agents);
	wl->agents = NULL;
	wl->n_agents = 0;
}

static int by_host(const void *a, const void *b)
{
	const struct agent *x = a, *y = b;

	return strcmp(x->host, y->host);
}

static void agents_heard(void *state, const char *topic, const struct sat_item *item)
{
	struct whitelist *wl = state;

	(void)topic;
	agents_free(wl);
	wl->agents = calloc(item->n + 1, sizeof(*wl->agents));
	if (wl->agents == NULL)
		again(wl);
	for (uint32_t i = 0; wl->agents != NULL && i < item->n && i < HOSTS_MAX; i++) {
		const char *id = sat_attr(item->evs[i], "id");
		struct agent *a = &wl->agents[wl->n_agents];

		if (item->evs[i]->host == NULL)
			continue;
		a->host = strdup(item->evs[i]->host);
		a->id = strdup(id == NULL ? "" : id);
		wl->n_agents++;
		if (a->host == NULL || a->id == NULL) {	/* half a list is no list */
			agents_free(wl);
			again(wl);
			return;
		}
	}
	if (wl->n_agents > 0)
		qsort(wl->agents, wl->n_agents, sizeof(*wl->agents), by_host);
	import_consider(wl);
}

const char *import_agent(struct whitelist *wl, const char *host)
{
	const struct agent key = { .host = (char *)host }, *found = wl->n_agents == 0 ? NULL :
		bsearch(&key, wl->agents, wl->n_agents, sizeof(key), by_host);

	return found == NULL ? NULL : found->id;
}

const char *import_agent_ids(struct whitelist *wl, const char *host, struct sat_buf *out)
{
	sat_buf_add(out, "", 0);
	for (size_t i = 0; i < wl->n_agents; i++)
		if (strcmp(wl->agents[i].host, host) == 0)
			sat_buf_printf(out, "%s\n", wl->agents[i].id);
	return out->p;
}

int import_start(struct whitelist *wl)
{
	wl->import_alarm.fire = retry;
	return sat_subscribe(wl->self, "mesos/agents", agents_heard);
}

void import_stop(struct whitelist *wl)
{
	sat_alarm_stop(&wl->import_alarm);
}

void import_free(struct whitelist *wl)
{
	agents_free(wl);
	free(wl->import_text);
	free(wl->from_file);
}
