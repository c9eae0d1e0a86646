/* SPDX-License-Identifier: Apache-2.0 */
/* hosts - the inventory, as the store mirrors it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "whitelist.h"

static const char *const prefixes[OF_N] = {
	[OF_HOSTS] = "whitelist/", [OF_DELETED] = "deleted/", [OF_MARK] = "inventory/",
	[OF_GUARD] = "guard/",
};

bool name_legal(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_BYTES || name[0] == '-')
		return false;
	for (const unsigned char *p = (const unsigned char *)name; *p != '\0'; p++)
		if (*p <= ' ' || *p == 0x7f || *p == '/')
			return false;
	return true;
}

bool name_like(const char *pattern, const char *name)
{
	const char *star = NULL, *from = NULL;

	while (*name != '\0') {
		if (*pattern == '%') {
			star = pattern++;
			from = name;
		} else if (*pattern == '_' || *pattern == *name) {
			pattern++;
			name++;
		} else if (star != NULL) {
			pattern = star + 1;
			name = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '%')
		pattern++;
	return *pattern == '\0';
}

/* ---- The table ---------------------------------------------------------- */

/* Where a name's host is, or would be; there are buckets. */
static struct host **bucket_of(const struct whitelist *wl, const char *name)
{
	return &wl->buckets[sat_hash(0, name) & (wl->n_buckets - 1)];
}

struct host *hosts_find(struct whitelist *wl, const char *name)
{
	struct host *h = wl->n_buckets == 0 ? NULL : *bucket_of(wl, name);

	while (h != NULL && strcmp(h->name, name) != 0)
		h = h->bucket;
	return h;
}

/* A slave sends the events of its host in a row, and each event asks for it more than once. */
struct host *hosts_of(struct whitelist *wl, const struct sat_event *ev)
{
	struct host *h = wl->recent;

	if (h != NULL && sat_text_is(ev, ev->host, h->name, h->name_len))
		return h;
	h = hosts_find(wl, ev->host);
	if (h != NULL)
		wl->recent = h;
	return h;
}

static int grow(struct whitelist *wl)
{
	size_t n = wl->n_buckets == 0 ? 64 : 2 * wl->n_buckets;
	struct host **buckets = calloc(n, sizeof(*buckets));

	if (buckets == NULL)
		return wl->n_buckets == 0 ? -ENOMEM : 0;	/* a crowded table still works */
	for (struct host *h = wl->first; h != NULL; h = h->after) {
		struct host **at = &buckets[sat_hash(0, h->name) & (n - 1)];

		h->bucket = *at;
		*at = h;
	}
	free(wl->buckets);
	wl->buckets = buckets;
	wl->n_buckets = n;
	return 0;
}

struct host *hosts_get(struct whitelist *wl, const char *name)
{
	struct host *h = hosts_find(wl, name), **at;

	if (h != NULL || wl->n_all >= HOSTS_MAX || (wl->n_all >= wl->n_buckets && grow(wl) != 0))
		return h;
	h = calloc(1, sizeof(*h) + strlen(name) + 1);
	if (h == NULL)
		return NULL;
	strcpy(h->name, name);
	h->name_len = strlen(name);
	at = bucket_of(wl, name);
	h->bucket = *at;
	*at = h;
	h->before = wl->last;
	*(wl->last == NULL ? &wl->first : &wl->last->after) = h;
	wl->last = h;
	wl->n_all++;
	return h;
}

static void destroy(struct host *h)
{
	record_free(h->rec);
	wishes_free(h);
	free(h->deleted);
	free(h);
}

void hosts_tidy(struct whitelist *wl, struct host *h)
{
	struct host **at;

	if (h->rec != NULL || h->deleted != NULL || h->queued[0] || h->queued[1] || h->flying || h->orders != NULL ||
	    h->create != FLAG_NONE || h->holds != NULL || h->wishes != NULL || h->heard_ever)
		return;
	at = bucket_of(wl, h->name);
	while (*at != h)
		at = &(*at)->bucket;
	*at = h->bucket;
	*(h->before == NULL ? &wl->first : &h->before->after) = h->after;
	*(h->after == NULL ? &wl->last : &h->after->before) = h->before;
	if (wl->silence_next == h)
		wl->silence_next = h->after;
	if (wl->recent == h)
		wl->recent = NULL;
	wl->n_all--;
	destroy(h);
}

/* ---- What a host's state means to others -------------------------------- */

static void announce(struct whitelist *wl, struct host *h)
{
	bool on = h->told == FLAG_ON;
	const char *cause = h->rec->manual_flag != FLAG_NONE ? "a person said so" :
			    h->rec->cause != NULL ? h->rec->cause : "";

	sat_count(wl->self, on ? COUNT_TURNED_ON : COUNT_TURNED_OFF, 1);
	sat_log(wl->self, LOG_NOTICE, "%s: %s: %s", h->name, flag_name(h->told), cause);
	sat_emit(wl->self, .host = h->name, .service = on ? "satellite/host/on" : "satellite/host/off",
		 .state = "ok", .description = cause);
}

static void state_changed(struct whitelist *wl, struct host *h)
{
	enum flag state = h->rec == NULL ? FLAG_NONE : record_state(h->rec), was = h->told;

	if (state == was)
		return;
	wl->n_hosts += (state != FLAG_NONE) - (was != FLAG_NONE);
	wl->n_on += (state == FLAG_ON);
	wl->n_on -= (was == FLAG_ON);
	h->told = state;
	if (wl->settled && state != FLAG_NONE && was != FLAG_NONE)
		announce(wl, h);
	sat_gauge(wl->self, COUNT_HOSTS, (int64_t)wl->n_hosts);
	sat_gauge(wl->self, COUNT_HOSTS_ON, (int64_t)wl->n_on);
	numbers_changed(wl);
	file_changed(wl);
	actuators_changed(wl);
}

void hosts_take(struct whitelist *wl, struct host *h, struct record *rec, int64_t version)
{
	if (h->create != FLAG_NONE && rec->managed_flag != FLAG_NONE) {
		h->create = FLAG_NONE;
		wl->creating--;
	}
	record_free(h->rec);
	h->rec = rec;
	h->version = version;
	h->seen = true;
	state_changed(wl, h);
	wishes_settle(wl, h);
	wishes_until(wl, h);
	if (h->holds != NULL || h->wishes != NULL || h->create != FLAG_NONE)
		commit_dirty(wl, h);
}

void hosts_gone(struct whitelist *wl, struct host *h)
{
	if (h->rec == NULL)
		return;
	record_free(h->rec);
	h->rec = NULL;
	if (!sat_dry_run()) {	/* who deletes a host ends what was wished for it */
		wishes_free(h);
		h->heard_ever = false;
	}
	state_changed(wl, h);
	hosts_tidy(wl, h);
}

/* ---- The mirror --------------------------------------------------------- */

static void put_host(struct whitelist *wl, struct host *h, const void *value, size_t len, int64_t version)
{
	struct record *rec = NULL;
	int rc;

	if (h->rec != NULL && h->version == version) {
		h->seen = true;
		return;
	}
	rc = len <= 16 * RECORD_MAX ? record_parse(&rec, value, len) : -E2BIG;
	if (rc == 0) {
		hosts_take(wl, h, rec, version);
		return;
	}
	if (rc == -ENOMEM) {
		hosts_starved(wl);
		return;
	}
	/* What cannot be read changes nothing; a new host is off, as if empty. */
	sat_log(wl->self, LOG_ERR, "%s: record %lld in the store: %s", h->name, (long long)version,
		rc == -EBADMSG ? "not a host's record" : strerror(-rc));
	h->seen = true;
	h->version = version;
	if (h->rec != NULL)
		return;
	if (record_parse(&rec, NULL, 0) == 0)
		hosts_take(wl, h, rec, version);
	else
		hosts_starved(wl);
}

static void put_deleted(struct whitelist *wl, struct host *h, const void *value, size_t len)
{
	char *ids = malloc(len + 1);

	if (ids == NULL) {
		hosts_starved(wl);
		return;
	}
	memcpy(ids, len == 0 ? "" : value, len);
	ids[len] = '\0';
	free(h->deleted);
	h->deleted = ids;
}

static void put(void *arg, const char *key, const void *value, size_t len, int64_t version)
{
	struct mirror *m = arg;
	const char *name = key + strlen(prefixes[m->of]);
	struct host *h;

	if (m->of == OF_MARK) {
		import_mark(m->wl, value, len, version);
		return;
	}
	if (m->of == OF_GUARD) {
		if (strcmp(name, "latch") == 0)
			decide_latch(m->wl, value, len);
		return;
	}
	if (!name_legal(name)) {
		sat_log(m->wl->self, LOG_WARNING, "the store's \"%s\": not a legal name, left alone", key);
		return;
	}
	h = hosts_get(m->wl, name);
	if (h == NULL && m->wl->n_all >= HOSTS_MAX)
		sat_log(m->wl->self, LOG_ERR, "%s: no room in the inventory", name);
	else if (h == NULL)
		hosts_starved(m->wl);
	else if (m->of == OF_DELETED)
		put_deleted(m->wl, h, value, len);
	else
		put_host(m->wl, h, value, len, version);
}

static void gone(void *arg, const char *key)
{
	struct mirror *m = arg;
	struct host *h = hosts_find(m->wl, key + strlen(prefixes[m->of]));

	if (m->of == OF_MARK) {
		import_mark(m->wl, NULL, 0, 0);
	} else if (m->of == OF_GUARD) {
		decide_latch(m->wl, NULL, 0);
	} else if (m->of == OF_HOSTS && h != NULL) {
		hosts_gone(m->wl, h);
	} else if (h != NULL) {
		free(h->deleted);
		h->deleted = NULL;
		hosts_tidy(m->wl, h);
	}
}

/* What the store did not name since it was lost has gone meanwhile. */
static void sweep(struct whitelist *wl)
{
	struct host *next;

	for (struct host *h = wl->first; h != NULL; h = next) {
		next = h->after;
		if (h->rec != NULL && !h->seen)
			hosts_gone(wl, h);
	}
}

static void all_synced(struct whitelist *wl)
{
	sweep(wl);
	wl->synced = true;
	if (!wl->settled)
		sat_log(wl->self, LOG_INFO, "%zu hosts in the store, %zu on", wl->n_hosts, wl->n_on);
	else
		sat_log(wl->self, LOG_NOTICE, "the store is back: %zu hosts, %zu on", wl->n_hosts, wl->n_on);
	wl->settled = true;
	wishes_strangers(wl);
	import_consider(wl);
	decide_anew(wl);
	commit_all(wl);
	numbers_changed(wl);
	file_changed(wl);
	actuators_changed(wl);
}

static void synced(void *arg)
{
	struct mirror *m = arg;

	m->synced = true;
	for (int of = 0; of < OF_N; of++)
		if (!m->wl->mirrors[of].synced)
			return;
	if (!m->wl->synced && !m->wl->starved)
		all_synced(m->wl);
}

static void out_of_touch(struct whitelist *wl, int rc)
{
	if (!wl->synced)
		return;
	wl->synced = false;
	sat_log(wl->self, LOG_ERR, "the store is out of touch: %s; hosts stay as they are", strerror(-rc));
	commit_lost(wl);
}

static void lost(void *arg, int rc)
{
	struct mirror *m = arg;
	struct whitelist *wl = m->wl;

	m->synced = false;
	for (struct host *h = wl->first; m->of == OF_HOSTS && h != NULL; h = h->after)
		h->seen = false;
	out_of_touch(wl, rc);
}

/* Half an inventory is none: until all of it was read, nothing is written. */
void hosts_starved(struct whitelist *wl)
{
	wl->starved = true;
	out_of_touch(wl, -ENOMEM);
}

void hosts_again(struct whitelist *wl)
{
	hosts_stop(wl);
	for (struct host *h = wl->first; h != NULL; h = h->after) {
		h->seen = false;
		h->version = -1;
	}
	wl->starved = hosts_start(wl) != 0;
}

int hosts_start(struct whitelist *wl)
{
	static const struct sat_mirror calls = {
		.size = sizeof(calls), .put = put, .gone = gone, .synced = synced, .lost = lost,
	};
	int rc = 0;

	for (int of = 0; of < OF_N && rc == 0; of++) {
		struct mirror *m = &wl->mirrors[of];

		*m = (struct mirror){ .wl = wl, .of = of };
		rc = sat_store_mirror(wl->link, prefixes[of], &calls, m);
		m->on = rc == 0;
	}
	if (rc != 0)
		hosts_stop(wl);
	return rc;
}

void hosts_stop(struct whitelist *wl)
{
	for (int of = 0; of < OF_N; of++) {
		if (wl->mirrors[of].on)
			sat_store_unmirror(wl->link, &wl->mirrors[of]);
		wl->mirrors[of].on = wl->mirrors[of].synced = false;
	}
	wl->synced = false;
}

void hosts_free(struct whitelist *wl)
{
	while (wl->first != NULL) {
		struct host *h = wl->first;

		wl->first = h->after;
		destroy(h);
	}
	wl->recent = NULL;
	free(wl->buckets);
}
