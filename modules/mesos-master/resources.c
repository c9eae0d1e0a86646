/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources - what each agent has and uses, for /metrics, as mesos_exporter called it.
 *
 * Its agents are those that Mesos lists: what is only in the registry, or is gone, is not there.
 */
#include <string.h>

#include "mesos.h"

#define MB 1048576.0

enum { AT_ONCE = 128, SLOTS_AT_ONCE = 4096 };	/* agents; slots of their table */

enum of { TOTAL, USED, UNRESERVED };

static const struct resource {
	const char *name;
	enum of of;
	size_t at;		/* in struct model_resources */
	double scale;
	const char *help;
} all[] = {
#define MEMBER(m) offsetof(struct model_resources, m)
	{ "mesos_slave_cpus", TOTAL, MEMBER(cpus), 1, "CPUs of an agent" },
	{ "mesos_slave_cpus_used", USED, MEMBER(cpus), 1, "CPUs of an agent that are in use" },
	{ "mesos_slave_cpus_unreserved", UNRESERVED, MEMBER(cpus), 1, "CPUs of an agent that no role has" },
	{ "mesos_slave_mem_bytes", TOTAL, MEMBER(mem), MB, "bytes of memory of an agent" },
	{ "mesos_slave_mem_used_bytes", USED, MEMBER(mem), MB, "bytes of memory of an agent that are in use" },
	{ "mesos_slave_mem_unreserved_bytes", UNRESERVED, MEMBER(mem), MB,
	  "bytes of memory of an agent that no role has" },
	{ "mesos_slave_disk_bytes", TOTAL, MEMBER(disk), MB, "bytes of disk of an agent" },
	{ "mesos_slave_disk_used_bytes", USED, MEMBER(disk), MB, "bytes of disk of an agent that are in use" },
	{ "mesos_slave_disk_unreserved_bytes", UNRESERVED, MEMBER(disk), MB,
	  "bytes of disk of an agent that no role has" },
	{ "mesos_slave_ports", TOTAL, 0, 1, "ports of an agent" },
	{ "mesos_slave_ports_used", USED, 0, 1, "ports of an agent that are in use" },
	{ "mesos_slave_ports_unreserved", UNRESERVED, 0, 1, "ports of an agent that no role has" },
};
#define PORTS_FROM 9		/* of these: an integer */

static bool is_listed(const struct model_agent *a)
{
	return a->stand < MODEL_RECOVERED && a->pid[0] != '\0';
}

static void tell_resource(struct sat_figures *out, size_t i, const struct model_agent *const *agents, size_t n)
{
	const struct resource *r = &all[i];
	struct sat_attr label = { .key = "slave" };

	for (; n > 0; agents++, n--) {
		const struct model_agent *a = *agents;
		struct model_resources s;
		double d;

		if ((r->of == TOTAL && !a->has_total) || (r->of == UNRESERVED && !a->has_unreserved))
			continue;
		s = r->of == USED ? model_agent_used(a) : r->of == TOTAL ? a->total : a->unreserved;
		if (i >= PORTS_FROM)
			d = s.ports;
		else
			memcpy(&d, (const char *)&s + r->at, sizeof(d));
		label.value = a->pid;
		sat_figure(out, r->name, true, r->help, &label, 1, d * r->scale);
	}
}

/* ---- Attributes --------------------------------------------------------- */

/* As Prometheus can have it: any other character, of however many bytes, is one _. */
static void label_name(char *to, size_t size, const char *name)
{
	size_t n = 0;

	for (; n + 1 < size && *name != '\0'; name++) {
		char c = *name;
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if ((c & 0xc0) == 0x80)
			continue;
		to[n] = letter || (n > 0 && c >= '0' && c <= '9') ? c : '_';
		n++;
	}
	to[n] = '\0';
}

/* mesos_exporter had "" for other than simple words. */
static bool is_simple(const char *value)
{
	return value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-/.")] == '\0';
}

static void tell_attributes(const struct mesos *m, struct sat_figures *out, const struct model_agent *a)
{
	static char names[MESOS_ATTRIBUTES][256], values[MESOS_ATTRIBUTES][INTERN_MAX + 1];
	static char key[INTERN_MAX + 1], called[256], value[INTERN_MAX + 1];
	struct sat_attr labels[1 + MESOS_ATTRIBUTES] = { { "slave", a->pid } };
	const char *at = a->attributes;
	uint32_t n = 0, i;

	for (; n < MESOS_ATTRIBUTES && m->attributes[n] != NULL; n++) {
		label_name(names[n], sizeof(names[n]), m->attributes[n]);
		values[n][0] = '\0';
		labels[1 + n] = (struct sat_attr){ names[n], values[n] };
	}
	while (model_attribute(&at, key, value)) {
		label_name(called, sizeof(called), key);
		for (i = 0; i < n && is_simple(value); i++)
			if (strcmp(called, names[i]) == 0)
				strcpy(values[i], value);
	}
	sat_figure(out, "mesos_slave_attributes", false, "1; attributes of an agent", labels, 1 + n, 1);
}

/* Of so many agents that they stay in the cache, each family in turn. */
bool resources_tell(const struct mesos *m, struct sat_figures *out, uint32_t *slot)
{
	const struct table *t = &m->model.agents;
	const struct model_agent *agents[AT_ONCE], *a;
	size_t i, n = 0;

	for (i = 0; i < SLOTS_AT_ONCE && n < AT_ONCE && *slot < t->size; i++) {
		a = (const struct model_agent *)table_at(t, (*slot)++);
		if (a != NULL && is_listed(a))
			agents[n++] = a;
	}
	for (i = 0; i < sizeof(all) / sizeof(*all); i++)
		tell_resource(out, i, agents, n);
	for (i = 0; i < n && m->attributes != NULL && m->attributes[0] != NULL; i++)
		tell_attributes(m, out, agents[i]);
	return *slot < t->size;
}
