/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figures - every figure that this process has, under the name that /metrics shows.
 *
 * A counter's unit is the first word of its help; what others read is in seconds and bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "figures.h"
#include "http.h"
#include "lead.h"
#include "life.h"
#include "search.h"

struct telling {
	struct sat_figures *to;
	const struct sat_self *self;
};

static void tell(struct sat_figures *to, const char *name, bool gauge, const char *help, double value)
{
	sat_figure(to, name, gauge, help, NULL, 0, value);
}

/* ---- Instances ---------------------------------------------------------- */

static const struct unit {
	const char *word, *name;
	double in_one;		/* of name, so many */
	bool other;		/* what others read is not that word */
} units[] = {
	{ "microseconds ", "seconds", 1e6, true }, { "nanoseconds ", "seconds", 1e9, true },
	{ "seconds ", "seconds", 1, false }, { "bytes ", "bytes", 1, false },
	{ "time of ", "timestamp_seconds", 1, false },
};

static const struct unit *unit_of(const char *help)
{
	for (size_t i = 0; help != NULL && i < sizeof(units) / sizeof(*units); i++)
		if (strncmp(help, units[i].word, strlen(units[i].word)) == 0)
			return &units[i];
	return NULL;
}

/* satellite_<module>_<name>, and the unit, unless it is said there. */
static void name_counter(char *to, size_t size, const char *module, const char *name, const struct unit *u)
{
	bool more = u != NULL && strstr(name, u->name) == NULL;

	snprintf(to, size, "satellite_%s_%s%s%s", module, name, more ? "_" : "", more ? u->name : "");
	for (; *to != '\0'; to++)
		if (*to == '-')
			*to = '_';
}

/* An instance that is not called as its module has its own name as a label. */
static uint32_t label_of(const struct sat_self *self, struct sat_attr *label)
{
	if (self == NULL || self->module == NULL || strcmp(self->name, self->module->name) == 0)
		return 0;
	*label = (struct sat_attr){ "name", self->name };
	return 1;
}

static void tell_counter(const struct telling *t, const char *module, const struct sat_counter *c, int64_t value)
{
	const struct unit *u = unit_of(c->help);
	struct sat_attr label;
	char name[256], help[512];

	if (!self_known(c, value))
		return;
	name_counter(name, sizeof(name), module, c->name, u);
	snprintf(help, sizeof(help), "%s%s", u != NULL && u->other ? "seconds " : "",
		 c->help == NULL ? c->name : u != NULL && u->other ? c->help + strlen(u->word) : c->help);
	sat_figure(t->to, name, c->gauge, help, &label, label_of(t->self, &label),
		  (double)value / (u != NULL ? u->in_one : 1));
}

static void pass_figure(void *arg, const char *name, bool gauge, const char *help,
			const struct sat_attr *labels, uint32_t n, double value)
{
	const struct telling *t = arg;
	struct sat_attr all[32];
	uint32_t more = label_of(t->self, &all[0]);

	if (n > 31)
		n = 31;
	if (n > 0)
		memcpy(all + more, labels, n * sizeof(*labels));
	sat_figure(t->to, name, gauge, help, all, n + more, value);
}

void figures_instance(struct sat_figures *to, struct sat_self *self)
{
	struct telling t = { to, self };
	struct sat_figures own = { .figure = pass_figure, .arg = &t };

	for (unsigned i = 0; i < self->n_counters; i++)
		tell_counter(&t, self->module->name, self->module->counters[i], sat_counted(self, i));
	if (self->module->figures != NULL && self->isolated == NULL)
		self->module->figures(self->state, &own);
}

bool figures_series(struct sat_figures *to, struct sat_self *self, uint64_t *at)
{
	struct telling t = { to, self };
	struct sat_figures own = { .figure = pass_figure, .arg = &t };

	return self->module->series != NULL && self->isolated == NULL && self->module->series(self->state, &own, at);
}

/* ---- The host ----------------------------------------------------------- */

static void tell_check(void *arg, const char *service, int64_t took)
{
	struct sat_attr label = { "service", service };

	sat_figure(arg, "satellite_check_seconds", true, "seconds that the last run of a check took", &label, 1,
		  (double)took / 1e6);
}

static void tell_host(struct sat_figures *to)
{
	struct telling t = { .to = to };
	const struct streams *s = engine_streams();
	const struct sat_attr version = { "version", SAT_VERSION };
	char words[512];
	enum lead_seen seen = lead_seen(words, sizeof(words));

	sat_figure(to, "satellite_build_info", true, "1; the version is its label", &version, 1, 1);
	for (unsigned i = 0; i < SELF_N; i++)
		tell_counter(&t, "process", self_describe(i), self_get(i));
	tell(to, "satellite_process_index", true, "events in the index", (double)sat_index_size());
	tell(to, "satellite_process_inputs_waiting", true, "events that wait for the streams", (double)engine_waiting());
	tell(to, "satellite_process_queries_waiting", true, "queries begun, or waiting to be", (double)search_waiting());
	tell(to, "satellite_process_forks", true, "forks of the streams", s != NULL ? (double)streams_forks(s) : 0);
	tell(to, "satellite_process_acting", true, "1: this process acts", sat_acting());
	tell(to, "satellite_process_unready", true, "parts of it that are not ready",
	     (double)http_each_unready(NULL, NULL));
	tell(to, "satellite_leader", true, "1: this process acts, 0: another, -1: nobody",
	     seen == LEAD_SELF ? 1 : seen == LEAD_ANOTHER ? 0 : -1);
	if (life_setup() != NULL)
		checks_each(life_setup()->checks, tell_check, to);
}

/* ---- The process, under the names that all exporters have ---------------- */

/* The fields behind the name in /proc/self/stat: user and system time, start, size, resident. */
struct stat_fields { unsigned long long user, system, start, size; long long resident; };

static bool read_stat(struct stat_fields *s)
{
	FILE *f = fopen("/proc/self/stat", "re");
	char text[2048], *p;
	size_t n;

	if (f == NULL)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')');
	return p != NULL &&
	       sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u"
		      " %llu %llu %*d %*d %*d %*d %*d %*d %llu %llu %lld", &s->user, &s->system, &s->start, &s->size, &s->resident) == 5;
}

static double seconds_of(clockid_t clock)
{
	struct timespec now = { 0 };

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

enum { FILES_AT_ONCE = 256 };

static void tell_limit(struct sat_figures *to)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_cur != RLIM_INFINITY)
		tell(to, "process_max_fds", true, "open files at most", (double)most.rlim_cur);
}

bool figures_files(struct sat_figures *to, struct figures_files *f)
{
	const struct dirent *e = NULL;

	if (f->folder == NULL)
		f->folder = opendir("/proc/self/fd");
	for (unsigned i = 0; f->folder != NULL && i < FILES_AT_ONCE; i++) {
		e = readdir(f->folder);
		if (e == NULL)
			break;
		f->n += e->d_name[0] != '.';
	}
	if (e != NULL)
		return true;
	if (f->folder != NULL)		/* which is open, too */
		tell(to, "process_open_fds", true, "open files", (double)f->n - 1);
	figures_files_end(f);
	tell_limit(to);
	return false;
}

void figures_files_end(struct figures_files *f)
{
	if (f->folder != NULL)
		closedir(f->folder);
	f->folder = NULL;
}

static void tell_process(struct sat_figures *to)
{
	double tick = (double)sysconf(_SC_CLK_TCK);
	struct stat_fields s;

	if (!read_stat(&s))
		return;
	tell(to, "process_cpu_seconds", false, "seconds of CPU used", (double)(s.user + s.system) / tick);
	tell(to, "process_start_time_seconds", true, "time it began, in seconds since 1970",
	     seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME) + (double)s.start / tick);
	tell(to, "process_virtual_memory_bytes", true, "bytes of address space", (double)s.size);
	tell(to, "process_resident_memory_bytes", true, "bytes of memory in use",
	     (double)s.resident * (double)sysconf(_SC_PAGESIZE));
}

void figures_host(struct sat_figures *to)
{
	tell_process(to);
	tell_host(to);
}
