/* SPDX-License-Identifier: Apache-2.0 */
/* pressure - the share of time that tasks stall on a resource (PSI), out of /proc/pressure. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"

struct pressure {
	struct check check;
	const char *resource, *stall;
	int over;
};

/* "some avg10=0.00 avg60=0.12 avg300=0.34 total=567": the figure of one line. */
static int figure(const char *text, const char *stall, int over, double *value)
{
	size_t len = strlen(stall);
	char key[32], *end;
	const char *at;

	snprintf(key, sizeof(key), " avg%d=", over);
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, stall, len) != 0 || line[len] != ' ')
			continue;
		at = strstr(line, key);
		if (at == NULL)
			break;
		at += strlen(key);
		*value = strtod(at, &end);
		return end != at ? 0 : -EBADMSG;
	}
	return -EBADMSG;
}

static void run(void *def)
{
	struct pressure *p = def;
	struct check *c = &p->check;
	char path[512], text[512];
	double value = 0;
	int rc;

	snprintf(path, sizeof(path), "%.400s/%s", c->path, p->resource);
	rc = proc_read(path, text, sizeof(text));
	if (rc == -ENOENT || rc == -EOPNOTSUPP)
		report_state(c, "critical", "%s: %s: this kernel does not measure it (boot parameter psi=1)", path, strerror(-rc));
	else if (rc != 0)
		report_failure(c, path, rc);
	else if (figure(text, p->stall, p->over, &value) != 0)
		report_state(c, "critical", "%s: tells no avg%d of \"%s\"", path, p->over, p->stall);
	else
		report_double(c, value, "%s tasks stalled on %s for %.2f%% of the last %d s",
			      *p->stall == 's' ? "some" : "all", p->resource, value, p->over);
}

/* One of a few words, or a mistake. */
static int one_of(const struct sat_conf *conf, const char *name, const char *const *words, const char *all)
{
	const char *text = sat_conf_string(conf, name);

	for (; *words != NULL; words++)
		if (strcmp(*words, text) == 0)
			return 0;
	return sat_conf_error(conf, name, "\"%s\" is none of %s", text, all);
}

static int judge(struct pressure *p, const struct sat_conf *conf)
{
	static const char *const resources[] = { "cpu", "memory", "io", NULL }, *const stalls[] = { "some", "full", NULL };
	int rc = one_of(conf, "resource", resources, "cpu, memory and io");
	int more = one_of(conf, "stall", stalls, "some and full");

	rc = more != 0 ? more : rc;
	p->over = (int)sat_conf_integer(conf, "over");
	if (p->over != 10 && p->over != 60 && p->over != 300)
		rc = sat_conf_error(conf, "over", "%d is none of 10, 60 and 300", p->over);
	p->resource = sat_conf_string(conf, "resource");
	p->stall = sat_conf_string(conf, "stall");
	more = limits_read(&p->check.limits, conf, false);
	return rc != 0 ? rc : more;
}

static int define(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	struct pressure *p = calloc(1, sizeof(*p));
	int rc;

	(void)module;
	if (p == NULL)
		return -ENOMEM;
	p->check.probe = probe;
	p->check.path = sat_conf_string(conf, "file");
	rc = judge(p, conf);
	if (rc == 0)
		rc = sat_probe_service(probe, "%s pressure %s over past %d seconds", p->resource, p->stall, p->over);
	if (rc != 0) {
		free(p);
		return rc;
	}
	*def = p;
	return 0;
}

TABLE(pressure, SAT_OPTION("resource", SAT_STRING, .required = true, .help = "cpu, memory or io"),
      SAT_OPTION("stall", SAT_STRING, .fallback = "some",
		 .help = "some: time in which a task waited; full: in which all did"),
      SAT_OPTION("over", SAT_INTEGER, .fallback = "60", .help = "seconds: 10, 60 or 300"),
      LIMITS("60", "when not below it, in percent"),
      SAT_OPTION("file", SAT_STRING, .fallback = "/proc/pressure", .help = "the folder to read"));

CHECK(pressure, "pressure", "the share of time that tasks stall on a resource", pressure,
      .define = define, .run = run, .undefine = free);
