/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actuators - other ways than the file to put what is decided into effect.
 *
 * Each is a module of its own, actuator-NAME, which hears of every host whether it
 * is on or off, as the file has it, and says of which hosts that is not so where it
 * looks.  The topics by which they speak are in module.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whitelist.h"

#define SETTLE	(100 * SAT_MS)	/* what changes together is told together */
#define AGAIN	SAT_SECOND

/* ---- What is decided ---------------------------------------------------- */

static bool may_tell(const struct whitelist *wl)
{
	return wl->n_actuators > 0 && wl->synced && wl->mark >= MARK_IMPORTED && wl->n_hosts > 0 && !wl->stopping;
}

static void tell_in(struct whitelist *wl, int64_t wait)
{
	if (!wl->actuate_due)
		wl->actuate_due = sat_alarm_set(wl->self, &wl->actuate, sat_clock() + wait) == 0;
}

static int publish(struct whitelist *wl)
{
	const struct sat_attr store = { "store", wl->store };
	struct sat_event *list = calloc(wl->n_hosts + 1, sizeof(*list));
	const struct sat_event **evs = calloc(wl->n_hosts + 1, sizeof(*evs));
	uint32_t n = 0;
	int rc = -ENOMEM;

	if (list != NULL && evs != NULL) {
		evs[n] = &list[n];
		list[n++] = (struct sat_event){ .size = sizeof(*list), .service = "whitelist/hosts",
			.attrs = &store, .n_attrs = 1 };
		for (const struct host *h = wl->first; h != NULL && n <= wl->n_hosts; h = h->after) {
			if (h->told == FLAG_NONE)
				continue;
			evs[n] = &list[n];
			list[n++] = (struct sat_event){ .size = sizeof(*list), .service = "whitelist/hosts",
				.host = h->name, .state = flag_name(h->told) };
		}
		rc = sat_publish(wl->self, "whitelist/hosts", &(struct sat_item){ .evs = evs, .n = n, .list = true },
				 true);
	}
	free(list);
	free(evs);
	return rc;
}

static void tell(struct sat_alarm *alarm)
{
	struct whitelist *wl = SAT_OWNER(alarm, struct whitelist, actuate);

	wl->actuate_due = false;
	if (!may_tell(wl))
		return;
	wl->actuate_wanted = publish(wl) != 0;
	if (wl->actuate_wanted)
		tell_in(wl, AGAIN);
}

void actuators_changed(struct whitelist *wl)
{
	wl->actuate.fire = tell;
	wl->actuate_wanted = true;
	if (may_tell(wl))
		tell_in(wl, SETTLE);
}

/* ---- What they say ------------------------------------------------------ */

static void forget(struct actuator *a)
{
	for (size_t i = 0; i < a->n; i++)
		sat_drop(a->said[i]);
	free(a->said);
	a->said = NULL;
	a->n = 0;
}

static void heard(void *state, const char *topic, const struct sat_item *item)
{
	struct whitelist *wl = state;
	const struct sat_event **said;

	for (struct actuator *a = wl->actuators; a < wl->actuators + wl->n_actuators; a++) {
		if (strcmp(topic + strlen("actuator/"), a->name) != 0)
			continue;
		said = calloc(item->n + 1, sizeof(*said));
		forget(a);
		while (said != NULL && a->n < item->n && (said[a->n] = sat_keep(item->evs[a->n])) != NULL)
			a->n++;
		a->said = said;
	}
}

/* What it says of a host; NULL: nothing.  In front of the hosts stands how it is itself. */
static const char *of_host(const struct actuator *a, const char *host)
{
	size_t from = 1, to = a->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		const char *name = a->said[mid]->host;
		int order = name == NULL ? -1 : strcmp(name, host);

		if (order == 0)
			return a->said[mid]->description;
		if (order < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}

bool actuator_print(const struct actuator *a, const char *host, struct sat_buf *out)
{
	const char *text = of_host(a, host), *trouble = a->n > 0 ? a->said[0]->description : NULL;

	if (text == NULL)
		return false;
	text_print(text, out);
	if (trouble != NULL) {
		sat_buf_printf(out, "; ");
		text_print(trouble, out);
	}
	return true;
}

/* ---- Settings, life ----------------------------------------------------- */

static int add(struct whitelist *wl, const struct sat_conf *at, const char *name)
{
	char module[64];
	int n = snprintf(module, sizeof(module), "actuator-%s", name);

	for (unsigned i = 0; i < wl->n_actuators; i++)
		if (strcmp(wl->actuators[i].name, name) == 0)
			return sat_conf_error(at, NULL, "\"%s\" stands there twice", name);
	if (wl->n_actuators == ACTUATORS_MAX || n >= (int)sizeof(module))
		return sat_conf_error(at, NULL, "is one too many, or too long");
	wl->actuators[wl->n_actuators].name = strdup(name);
	if (wl->actuators[wl->n_actuators].name == NULL)
		return -ENOMEM;
	wl->n_actuators++;
	return sat_need(wl->self, at, module);
}

int actuators_judge(struct whitelist *wl, const struct sat_conf *conf)
{
	size_t n;
	const char *const *names = sat_conf_strings(conf, "actuators", &n);
	int rc = 0, more;

	if (n == 0)
		return sat_conf_error(conf, "actuators", "names none: nothing would come of what is decided");
	for (size_t i = 0; i < n; i++) {
		wl->to_file |= strcmp(names[i], "file") == 0;
		more = strcmp(names[i], "file") == 0 ? 0 :
			add(wl, sat_conf_at(sat_conf_get(conf, "actuators"), i), names[i]);
		rc = rc != 0 ? rc : more;
	}
	return rc;
}

int actuators_start(struct whitelist *wl)
{
	char topic[64];
	int rc = 0;

	for (unsigned i = 0; i < wl->n_actuators && rc == 0; i++) {
		snprintf(topic, sizeof(topic), "actuator/%s", wl->actuators[i].name);
		rc = sat_subscribe(wl->self, topic, heard);
	}
	return rc;
}

void actuators_free(struct whitelist *wl)
{
	for (unsigned i = 0; i < wl->n_actuators; i++) {
		forget(&wl->actuators[i]);
		free(wl->actuators[i].name);
	}
	free(wl->store);
}
