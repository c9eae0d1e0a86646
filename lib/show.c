/* SPDX-License-Identifier: Apache-2.0 */
/* show - what a module has, as `satellite module FILE.so` prints it. */
#include <stdio.h>

#include "show.h"

static const char *type_name(enum sat_type type)
{
	static const char *const names[] = {
		[SAT_STRING] = "string", [SAT_INTEGER] = "integer", [SAT_NUMBER] = "number",
		[SAT_BOOLEAN] = "true or false", [SAT_SECONDS] = "seconds", [SAT_STRINGS] = "strings",
		[SAT_QUERY] = "query", [SAT_GROUP] = "group", [SAT_NODES] = "streams", [SAT_ANY] = "any",
		[SAT_CLAUSES] = "clauses",
	};

	return (size_t)type < sizeof(names) / sizeof(*names) && names[type] != NULL ? names[type] : "unknown";
}

static void show_options(const struct sat_option *const *options, int indent)
{
	for (; options != NULL && *options != NULL; options++) {
		const struct sat_option *o = *options;

		printf("%*s%s: %s", indent, "", o->name, type_name(o->type));
		if (o->required)
			printf(", required");
		if (o->fallback != NULL)
			printf(", default %s", *o->fallback != '\0' ? o->fallback : "empty");
		if (o->min != 0 || o->max != 0)
			printf(", %.10g to %.10g", o->min, o->max);
		printf("%s%s\n", o->help != NULL ? "; " : "", o->help != NULL ? o->help : "");
		show_options(o->inner, indent + 2);
	}
}

static void show_thing(const char *kind, const char *name, const char *summary,
		       const struct sat_option *const *options)
{
	printf("\n%s %s%s%s\n", kind, name, summary != NULL ? " - " : "", summary != NULL ? summary : "");
	show_options(options, 4);
}

static void show_doors(const struct sat_module *m)
{
	if (m->store != NULL)
		show_thing("store", m->store->name, NULL, NULL);
	for (size_t i = 0; m->commands != NULL && m->commands[i] != NULL; i++) {
		const struct sat_command *c = m->commands[i];

		printf("\ncommand %s - %s\n", c->usage != NULL ? c->usage : c->name,
		       c->summary != NULL ? c->summary : "");
	}
	for (size_t i = 0; m->routes != NULL && m->routes[i] != NULL; i++)
		printf("%sroute %s %s\n", i == 0 ? "\n" : "", m->routes[i]->method, m->routes[i]->path);
	if (m->http_server != NULL)
		show_thing("service", "http-server", NULL, NULL);
	if (m->http_client != NULL)
		show_thing("service", "http-client", NULL, NULL);
	if (m->tls != NULL)
		show_thing("service", "tls", NULL, NULL);
}

static void show_op(const struct sat_op *op)
{
	uint32_t bytes = op->state_size + (op->within != NULL ? op->within->state_size : 0);

	show_thing("operator", op->name, op->summary, op->options);
	if (bytes != 0)
		printf("    (knows what came before: %u bytes in each fork)\n", bytes);
}

void show_module(const struct sat_module *m)
{
	printf("%s %s, ABI %u.%u - %s\n", m->name, m->version != NULL ? m->version : "?", m->abi >> 16,
	       m->abi & 0xffff, m->summary != NULL ? m->summary : "");
	show_options(m->options, 4);
	for (size_t i = 0; m->ops != NULL && m->ops[i] != NULL; i++)
		show_op(m->ops[i]);
	for (size_t i = 0; m->checks != NULL && m->checks[i] != NULL; i++)
		show_thing("check", m->checks[i]->name, m->checks[i]->summary, m->checks[i]->options);
	show_doors(m);
	for (size_t i = 0; m->counters != NULL && m->counters[i] != NULL; i++)
		printf("%s%s %s; %s\n", i == 0 ? "\n" : "", m->counters[i]->gauge ? "gauge" : "counter",
		       m->counters[i]->name, m->counters[i]->help != NULL ? m->counters[i]->help : "");
}
