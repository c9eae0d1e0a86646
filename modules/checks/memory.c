/* SPDX-License-Identifier: Apache-2.0 */
/* memory - free memory and swap, out of /proc/meminfo. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"

/* A line "Name:   123 kB" of meminfo, in MiB. */
static int meminfo(const char *text, const char *name, int64_t *mib)
{
	size_t len = strlen(name);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		char *end;
		long long kib;

		line += *line == '\n';
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		errno = 0;
		kib = strtoll(line + len + 1, &end, 10);
		if (end == line + len + 1 || errno != 0 || kib < 0)
			return -EBADMSG;
		*mib = kib / 1024;
		return 0;
	}
	return -EBADMSG;
}

static void run_memory(void *def)
{
	struct check *c = def;
	char file[8192], text[128];
	int64_t mib = 0;
	int rc = proc_read(c->path, file, sizeof(file));

	if (rc == 0)
		rc = meminfo(file, "MemFree", &mib);
	if (rc != 0) {
		report_failure(c, c->path, rc);
		return;
	}
	snprintf(text, sizeof(text), "%lld MiB free, threshold %g", (long long)mib, c->threshold);
	report_int(c, (double)mib > c->threshold, mib, text);
}

static void report_swap(struct check *c, bool iff)
{
	char file[8192], text[128];
	int64_t mib = 0, total = 0;
	int rc = proc_read(c->path, file, sizeof(file));

	if (rc == 0)
		rc = meminfo(file, "SwapFree", &mib);
	if (rc == 0)
		rc = meminfo(file, "SwapTotal", &total);
	if (rc != 0) {
		report_failure(c, c->path, rc);
		return;
	}
	if (total == 0)
		snprintf(text, sizeof(text), "this host has no swap");
	else
		snprintf(text, sizeof(text), "%lld of %lld MiB of swap free, threshold %g", (long long)mib,
			 (long long)total, c->threshold);
	report_int(c, (iff && total == 0) || (double)mib > c->threshold, mib, text);
}

static void run_swap(void *def)
{
	report_swap(def, false);
}

static void run_swap_iff_swap(void *def)
{
	report_swap(def, true);
}

static int define_memory(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return proc_define(probe, conf, "free memory in MB", def);
}

static int define_swap(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return proc_define(probe, conf, "free swap in MB", def);
}

static int define_swap_iff_swap(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	(void)module;
	return proc_define(probe, conf, "free swap iff swap in MB", def);
}

TABLE(memory, SAT_OPTION("threshold", SAT_NUMBER, .fallback = "50", .min = 0, .max = 1e12,
			 .help = "critical when not more MiB are free"),
      SAT_OPTION("file", SAT_STRING, .fallback = "/proc/meminfo", .help = "what to read"));

CHECK(free_memory, "free-memory", "MiB of memory that nothing uses", memory,
      .define = define_memory, .run = run_memory, .undefine = proc_undefine);
CHECK(free_swap, "free-swap", "MiB of swap that nothing uses", memory,
      .define = define_swap, .run = run_swap, .undefine = proc_undefine);
CHECK(free_swap_iff_swap, "free-swap-iff-swap", "the same; a host without swap is well", memory,
      .define = define_swap_iff_swap, .run = run_swap_iff_swap, .undefine = proc_undefine);
