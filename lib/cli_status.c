/* SPDX-License-Identifier: Apache-2.0 */
/* cli_status - the answer of GET /status, for people: what is not 0, and each check and master in a line. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_status.h"
#include "json.h"

static bool is_true(const struct json *object, const char *key)
{
	const struct json *v = json_get(object, key);

	return v != NULL && v->kind == JSON_TRUE;
}

static double number_of(const struct json *object, const char *key, double otherwise)
{
	const struct json *v = json_get(object, key);
	double d;

	return v != NULL && v->kind == JSON_NUMBER && json_double(v, &d) ? d : otherwise;
}

/* ---- Figures ------------------------------------------------------------ */

static void print_counters(const struct json *object)
{
	for (const struct json *v = object != NULL ? object->first : NULL; v != NULL; v = v->next)
		if (v->kind == JSON_NUMBER && strcmp(v->text, "0") != 0)
			printf(" %s=%s", v->key, v->text);
}

/* "satellite_forward_master_up{master=m1:5555}": the name without what its module and its label say. */
static void print_figure(const struct json *v, const char *module)
{
	const char *labels = strchr(v->key, '{');
	size_t len = labels != NULL ? (size_t)(labels - v->key) : strlen(v->key);
	const char *name = v->key;
	const char *const prefixes[] = { "satellite_", module, "_" };
	size_t label = labels != NULL ? strcspn(labels + 1, "=") : 0;
	double d = 0;

	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(prefixes[i]);

		if (len > n && strncmp(name, prefixes[i], n) == 0) {
			name += n;
			len -= n;
		}
	}
	if (label > 0 && len > label + 1 && strncmp(name, labels + 1, label) == 0 && name[label] == '_') {
		name += label + 1;
		len -= label + 1;
	}
	json_double(v, &d);
	printf(" %.*s=%.15g", (int)len, name, d);
}

static bool same_labels(const struct json *v, const char *labels)
{
	const char *own = strchr(v->key, '{');

	return own != NULL && strcmp(own, labels) == 0;
}

/* All that has these labels, in a line; but only where v is the first that has them. */
static void print_labelled(const struct json *object, const struct json *v, const char *module)
{
	const char *labels = strchr(v->key, '{'), *value;
	char head[256];

	for (const struct json *w = object->first; w != v; w = w->next)
		if (same_labels(w, labels))
			return;
	value = strchr(labels, '=');
	snprintf(head, sizeof(head), "%.*s", (int)(strlen(labels) - 2), labels + 1);
	if (value != NULL && (size_t)(value - labels) < sizeof(head) && strchr(labels, ',') == NULL)
		head[value - labels - 1] = ' ';
	printf("  %-34s", head);
	for (const struct json *w = v; w != NULL; w = w->next)
		if (same_labels(w, labels))
			print_figure(w, module);
	printf("\n");
}

static void print_instance(const struct json *v)
{
	const char *name = json_text(v, "name"), *module = json_text(v, "module");
	const struct json *figures = json_get(v, "figures");
	bool named = strcmp(name, module) != 0;

	printf("%-20s %s%s%s", name, named ? module : "", named ? " " : "", json_text(v, "version"));
	print_counters(json_get(v, "isolated"));
	print_counters(json_get(v, "counters"));
	for (const struct json *w = figures != NULL ? figures->first : NULL; w != NULL; w = w->next)
		if (strchr(w->key, '{') == NULL)
			print_figure(w, module);
	printf("\n");
	for (const struct json *w = figures != NULL ? figures->first : NULL; w != NULL; w = w->next)
		if (strchr(w->key, '{') != NULL)
			print_labelled(figures, w, module);
}

/* ---- Checks ------------------------------------------------------------- */

static void print_check(const struct json *v)
{
	const struct json *last = json_get(v, "last");
	const char *metric = json_text(last, "metric"), *description = json_text(last, "description");

	printf("  %-8s %s", last != NULL ? json_text(last, "state") : is_true(v, "running") ? "runs" : "-",
	       json_text(v, "service"));
	if (*metric != '\0')
		printf(" = %s", metric);
	if (*description != '\0')
		printf(": %s", description);
	if (last != NULL)
		printf(" (%.0f s ago, took %.3g ms)", number_of(v, "ago", 0), 1e3 * number_of(v, "took", 0));
	else
		printf(" (not reported yet, next in %.0f s)", number_of(v, "next", 0));
	printf("\n");
}

/* ---- All of it ---------------------------------------------------------- */

static void print_uptime(const struct json *doc)
{
	const struct json *v = json_get(doc, "uptime");
	int64_t s = 0;

	if (v == NULL || !json_int(v, &s))
		return;
	printf("up %" PRId64 " d %02" PRId64 ":%02" PRId64 ":%02" PRId64 "\n",
	       s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
}

void cli_status(const struct json *doc)
{
	const struct json *list = json_get(doc, "unready"), *v;

	printf("satellite %s on %s, %s, %s, ", json_text(doc, "version"), json_text(doc, "host"),
	       is_true(doc, "acting") ? "acting" : "not acting", is_true(doc, "ready") ? "ready" : "not ready");
	print_uptime(doc);
	if (*json_text(doc, "leader") != '\0')
		printf("%-20s %s\n", "leader", json_text(doc, "leader"));
	for (v = list != NULL ? list->first : NULL; v != NULL; v = v->next)
		printf("  not ready: %s: %s\n", json_text(v, "part"), json_text(v, "reason"));
	printf("%-20s %s in the index", "events", json_text(doc, "index"));
	print_counters(json_get(doc, "counters"));
	printf("\n");
	list = json_get(doc, "instances");
	for (v = list != NULL ? list->first : NULL; v != NULL; v = v->next)
		print_instance(v);
	list = json_get(doc, "checks");
	if (list != NULL && list->first != NULL)
		printf("what its checks said last:\n");
	for (v = list != NULL ? list->first : NULL; v != NULL; v = v->next)
		print_check(v);
}
