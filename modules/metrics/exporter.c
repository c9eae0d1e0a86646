/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter - figures of Mesos' metrics/snapshot, under the names that mesos_exporter gave them.
 *
 * A key that it did not know keeps its name as a label: what a newer Mesos says is not lost.
 * A figure that follows from two is there when both are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter.h"
#include "keys.h"

#define LABELS_MAX	4
#define KEY_MAX		1024

/* ---- Of one answer ------------------------------------------------------ */

static const char *const resources[] = {
	"cpus", "cpus_revocable", "mem", "mem_revocable", "disk", "disk_revocable", "gpus", "gpus_revocable",
};
#define RESOURCES	(sizeof(resources) / sizeof(*resources))

enum { TOTAL, USED, PERCENT, PARTS };
static const char *const parts[PARTS] = { "total", "used", "percent" };

/* One figure is the difference of two others. */
static const struct difference {
	const char *of, *less;		/* keys */
	const char *name, *label, *value;
	enum family_type type;
} differences[] = {
	{ "containerizer/fetcher/cache_size_total_bytes", "containerizer/fetcher/cache_size_used_bytes",
	  "mesos_slave_containerizer_fetcher_cache_size", "type", "free", FAMILY_GAUGE },
	{ "containerizer/mesos/disk/project_ids_total", "containerizer/mesos/disk/project_ids_free",
	  "mesos_slave_containerizer_xfs_project_ids", "type", "used", FAMILY_GAUGE },
	{ "master/slave_removals", "master/slave_shutdowns_completed",
	  "mesos_master_slave_removal_events_total", "event", "died", FAMILY_COUNTER },
};
#define DIFFERENCES	(sizeof(differences) / sizeof(*differences))

struct seen { double d; bool is; };

struct exporter {
	struct families *families;
	char instance[256];			/* whose figures come; "": it is called as its module */
	struct seen resources[2][RESOURCES][PARTS];	/* of masters, of agents */
	struct seen differences[DIFFERENCES][2];
};

/* With the instance's name, where it has one of its own: two Mesos have the same keys. */
static void give(struct exporter *e, const char *name, enum family_type type, const char *help,
		 const struct sat_attr *labels, uint32_t n, double value)
{
	struct sat_attr all[LABELS_MAX + 1];

	memcpy(all, labels, n * sizeof(*labels));
	if (e->instance[0] != '\0')
		all[n++] = (struct sat_attr){ "name", e->instance };
	families_add(e->families, name, type, help, all, n, value);
}

/* ---- Keys that are what they are ---------------------------------------- */

struct entry {
	const char *key, *values;
	const struct key_family *family;
};

static struct entry entries[512];	/* sorted by key */
static size_t n_entries;

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->key, y->key);
}

static void add_entries(const struct key_family *f)
{
	for (; f->name != NULL; f++)
		for (const struct key *k = f->keys; k->key != NULL; k++)
			if (n_entries < sizeof(entries) / sizeof(*entries))
				entries[n_entries++] = (struct entry){ k->key, k->values, f };
}

void exporter_init(void)
{
	if (n_entries > 0)
		return;
	add_entries(keys_master);
	add_entries(keys_agent);
	qsort(entries, n_entries, sizeof(*entries), compare);
}

/* The next of "a|b|c", copied; what comes after it. */
static const char *part(const char *list, char **to, const char **word)
{
	size_t n = strcspn(list, "|");

	*word = *to;
	memcpy(*to, list, n);
	(*to)[n] = '\0';
	*to += n + 1;
	return list[n] == '|' ? list + n + 1 : NULL;
}

static void add_known(struct exporter *of, const struct entry *e, double value)
{
	struct sat_attr labels[LABELS_MAX];
	const char *names = e->family->labels, *values = e->values;
	char text[256], *to = text;
	uint32_t n = 0;

	while (n < LABELS_MAX && names != NULL && *names != '\0' && values != NULL) {
		names = part(names, &to, &labels[n].key);
		values = part(values, &to, &labels[n++].value);
	}
	give(of, e->family->name, e->family->type, e->family->help, labels, n, value);
}

static bool take_known(struct exporter *to, const char *key, double value)
{
	const struct entry wanted = { .key = key };
	const struct entry *e = bsearch(&wanted, entries, n_entries, sizeof(*entries), compare);

	if (e == NULL)
		return false;
	while (e > entries && strcmp(e[-1].key, key) == 0)
		e--;
	for (; e < entries + n_entries && strcmp(e->key, key) == 0; e++)
		add_known(to, e, value);
	return true;
}

/* ---- Keys with names in them -------------------------------------------- */

/* Each * of a pattern matches at least one byte, as many as it can; where they lie in key. */
struct piece { const char *at; size_t n; };

static bool match(const char *pattern, const char *key, struct piece *pieces)
{
	size_t n = strcspn(pattern, "*"), len;

	if (strncmp(pattern, key, n) != 0)
		return false;
	if (pattern[n] == '\0')
		return key[n] == '\0';
	for (len = strlen(key + n); len > 0; len--) {
		if (match(pattern + n + 1, key + n + len, pieces + 1)) {
			*pieces = (struct piece){ key + n, len };
			return true;
		}
	}
	return false;
}

static const struct pattern {
	const char *pattern, *name;
	enum family_type type;
	const char *labels[3];		/* by the order of their places */
	const char *help;
} patterns[] = {
	{ "master/slave_removals/reason_*", "mesos_master_slave_removal_events_reasons", FAMILY_COUNTER,
	  { "reason" }, "agents that were removed" },
	{ "master/task_*/source_*/reason_*", "mesos_master_task_state_counts_by_source_reason", FAMILY_COUNTER,
	  { "state", "source", "reason" }, "tasks by how they ended" },
	{ "slave/task_*/source_*/reason_*", "mesos_slave_task_state_counts_by_source_reason", FAMILY_COUNTER,
	  { "state", "source", "reason" }, "tasks by how they ended" },
	{ "allocator/mesos/offer_filters/roles/*/active", "mesos_master_allocator_offer_filters_active", FAMILY_GAUGE,
	  { "role" }, "offer filters of a role" },
	{ "allocator/mesos/quota/roles/*/resources/*/offered_or_allocated",
	  "mesos_master_allocator_role_quota_offered_or_allocated", FAMILY_GAUGE,
	  { "role", "resource" }, "what of a role's quota is offered or allocated" },
	{ "allocator/mesos/quota/roles/*/resources/*/guarantee", "mesos_master_allocator_role_quota_guarantee",
	  FAMILY_GAUGE, { "role", "resource" }, "a role's quota" },
	{ "allocator/mesos/roles/*/shares/dominant", "mesos_master_allocator_role_shares_dominant", FAMILY_GAUGE,
	  { "role" }, "a role's dominant share" },
	{ "master/frameworks/*/messages_*", "mesos_master_frameworks_messages", FAMILY_COUNTER,
	  { "framework", "type" }, "messages of a framework" },
	{ "frameworks/*/messages_*", "mesos_master_frameworks_messages", FAMILY_COUNTER,
	  { "framework", "type" }, "messages of a framework" },
};

static bool take_pattern(struct exporter *e, const char *key, double value)
{
	struct sat_attr labels[3];
	struct piece pieces[4];
	char text[KEY_MAX], *to = text;
	uint32_t n;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		const struct pattern *p = &patterns[i];

		if (!match(p->pattern, key, pieces))
			continue;
		for (n = 0; n < 3 && p->labels[n] != NULL; n++) {
			labels[n] = (struct sat_attr){ p->labels[n], to };
			memcpy(to, pieces[n].at, pieces[n].n);
			to[pieces[n].n] = '\0';
			to += pieces[n].n + 1;
		}
		give(e, p->name, p->type, p->help, labels, n, value);
		return true;
	}
	return false;
}

/* ---- Resources, and other differences ----------------------------------- */

static void add_resource(struct exporter *e, int role, size_t i, const char *type, double value)
{
	const struct sat_attr label = { "type", type };
	char name[64];

	snprintf(name, sizeof(name), "mesos_%s_%s", role == 0 ? "master" : "slave", resources[i]);
	give(e, name, FAMILY_GAUGE,
	     strstr(name, "mem") != NULL || strstr(name, "disk") != NULL ?
	     "MB, as Mesos counts them; percent: a fraction of 1" : "how many; percent: a fraction of 1",
	     &label, 1, value);
}

static bool take_resource(struct exporter *e, const char *key, double value)
{
	int role = strncmp(key, "master/", 7) == 0 ? 0 : strncmp(key, "slave/", 6) == 0 ? 1 : -1;
	const char *name = role >= 0 ? strchr(key, '/') + 1 : NULL, *last = name != NULL ? strrchr(name, '_') : NULL;
	size_t i, n = last != NULL ? (size_t)(last - name) : 0;
	int p;

	for (i = 0; last != NULL && i < RESOURCES; i++) {
		if (strlen(resources[i]) != n || strncmp(name, resources[i], n) != 0)
			continue;
		for (p = 0; p < PARTS; p++) {
			if (strcmp(last + 1, parts[p]) != 0)
				continue;
			e->resources[role][i][p] = (struct seen){ value, true };
			add_resource(e, role, i, parts[p], value);
			return true;
		}
	}
	return false;
}

static void note_difference(struct exporter *e, const char *key, double value)
{
	for (size_t i = 0; i < DIFFERENCES; i++) {
		if (strcmp(key, differences[i].of) == 0)
			e->differences[i][0] = (struct seen){ value, true };
		if (strcmp(key, differences[i].less) == 0)
			e->differences[i][1] = (struct seen){ value, true };
	}
}

void exporter_end(struct exporter *e)
{
	for (int role = 0; role < 2; role++)
		for (size_t i = 0; i < RESOURCES; i++) {
			const struct seen *s = e->resources[role][i];

			if (s[TOTAL].is && s[USED].is)
				add_resource(e, role, i, "free", s[TOTAL].d - s[USED].d);
		}
	for (size_t i = 0; i < DIFFERENCES; i++) {
		const struct difference *d = &differences[i];
		const struct sat_attr label = { d->label, d->value };
		const struct seen *s = e->differences[i];

		if (s[0].is && s[1].is)
			give(e, d->name, d->type, d->name, &label, 1, s[0].d - s[1].d);
	}
	memset(e->resources, 0, sizeof(e->resources));
	memset(e->differences, 0, sizeof(e->differences));
}

/* ---- All of it ---------------------------------------------------------- */

struct exporter *exporter_new(struct families *f)
{
	struct exporter *e = calloc(1, sizeof(*e));

	if (e != NULL)
		e->families = f;
	return e;
}

void exporter_free(struct exporter *e)
{
	free(e);
}

bool exporter_take(struct exporter *e, const char *name, const struct sat_attr *labels, uint32_t n, double value)
{
	const char *key = NULL, *instance = "";

	if (strcmp(name, "satellite_mesos_snapshot") != 0)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(labels[i].key, "key") == 0)
			key = labels[i].value;
		else if (strcmp(labels[i].key, "name") == 0)
			instance = labels[i].value;
	if (key == NULL || strlen(key) >= KEY_MAX)
		return false;
	if (strcmp(instance, e->instance) != 0)
		exporter_end(e);
	snprintf(e->instance, sizeof(e->instance), "%s", instance);
	note_difference(e, key, value);
	if (take_resource(e, key, value) || take_known(e, key, value) || take_pattern(e, key, value))
		return true;
	families_add(e->families, name, FAMILY_UNKNOWN, "a figure of metrics/snapshot that has no name of its own here",
		     labels, n, value);
	return true;
}
