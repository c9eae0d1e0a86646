/* SPDX-License-Identifier: Apache-2.0 */
/* memory - free and available memory, and swap, out of /proc/meminfo. */
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

/* false: reported. */
static bool read_mib(struct check *c, const char *name, int64_t *mib)
{
	char file[8192];
	int rc = proc_read(c->path, file, sizeof(file));

	if (rc != 0)
		report_failure(c, c->path, rc);
	else if ((rc = meminfo(file, name, mib)) != 0)
		report_state(c, "critical", "%s: tells no %s in kB", c->path, name);
	return rc == 0;
}

static void run_free(void *def)
{
	struct check *c = def;
	int64_t mib;

	if (read_mib(c, "MemFree", &mib))
		report_int(c, mib, "%lld MiB free", (long long)mib);
}

/* What programs could have without swapping: caches that can go are not used up. */
static void run_available(void *def)
{
	struct check *c = def;
	int64_t mib;

	if (read_mib(c, "MemAvailable", &mib))
		report_int(c, mib, "%lld MiB available", (long long)mib);
}

static void report_swap(struct check *c, bool iff)
{
	int64_t mib, total;

	if (!read_mib(c, "SwapFree", &mib) || !read_mib(c, "SwapTotal", &total))
		return;
	if (total != 0)
		report_int(c, mib, "%lld of %lld MiB of swap free", (long long)mib, (long long)total);
	else
		report_as(c, iff ? "ok" : limits_state(&c->limits, 0), 0, "this host has no swap");
}

static void run_swap(void *def)
{
	report_swap(def, false);
}

static void run_swap_iff_swap(void *def)
{
	report_swap(def, true);
}

#define DEFINE(id, service) \
	static int define_##id(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def) \
	{ \
		(void)module; \
		return proc_define(probe, conf, service, true, def); \
	}
DEFINE(free, "free memory in MB")
DEFINE(available, "available memory in MB")
DEFINE(swap, "free swap in MB")
DEFINE(swap_iff_swap, "free swap iff swap in MB")

#define MEMINFO	SAT_OPTION("file", SAT_STRING, .fallback = "/proc/meminfo", .help = "what to read")
TABLE(free, LIMITS("50", "when not more MiB are free"), MEMINFO);
TABLE(available, LIMITS("100", "when not more MiB are available"), MEMINFO);

CHECK(free_memory, "free-memory", "MiB of memory that nothing uses", free,
      .define = define_free, .run = run_free, .undefine = free);
CHECK(available_memory, "available-memory", "MiB of memory that programs could have", available,
      .define = define_available, .run = run_available, .undefine = free);
CHECK(free_swap, "free-swap", "MiB of swap that nothing uses", free,
      .define = define_swap, .run = run_swap, .undefine = free);
CHECK(free_swap_iff_swap, "free-swap-iff-swap", "the same; a host without swap is well", free,
      .define = define_swap_iff_swap, .run = run_swap_iff_swap, .undefine = free);
