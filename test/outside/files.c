/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files - an example of a module: a check of the files that a host has open,
 * and a stream operator that passes on every nth event.
 *
 *   checks = ( { check = "open-files"; threshold = 80; interval = 60; } );
 *   streams = ( { every-nth = 3; do = ( "index" ); } );
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <satellite/module.h>

/* ---- The check ---------------------------------------------------------- */

/* The settings of an entry.  The host judges them, and prints them for people. */
static const struct sat_option *const check_options[] = {
	SAT_OPTION("threshold", SAT_NUMBER, .fallback = "80", .min = 0, .max = 100, .help = "critical above, in percent"),
	NULL
};

struct check {		/* one entry of `checks` */
	struct sat_probe *probe;
	double threshold;
};

/* Judge the entry and name its service.  Nothing outside is touched here, since
 * `satellite --check` comes by, too. */
static int define_check(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	struct check *c = calloc(1, sizeof(*c));
	int rc;

	(void)module;
	if (c == NULL)
		return -ENOMEM;
	c->probe = probe;
	c->threshold = sat_conf_number(conf, "threshold");
	rc = sat_probe_service(probe, "open files");
	if (rc != 0)
		free(c);
	else
		*def = c;
	return rc;
}

/* One run: any number of reports, then sat_probe_done() once.  A file of /proc is
 * read at once; what may block belongs into sat_work(). */
static void run_check(void *def)
{
	struct check *c = def;
	double used = 0, most = 0;
	FILE *f = fopen("/proc/sys/fs/file-nr", "re");
	bool read = f != NULL && fscanf(f, "%lf %*s %lf", &used, &most) == 2 && most > 0;

	if (f != NULL)
		fclose(f);
	if (read)	/* host, time and ttl are filled in by the host */
		sat_report(c->probe, .has = SAT_HAS_DOUBLE, .metric.d = 100 * used / most,
			   .state = 100 * used / most > c->threshold ? "critical" : "ok");
	else
		sat_report(c->probe, .state = "critical", .description = "/proc/sys/fs/file-nr cannot be read");
	sat_probe_done(c->probe);
}

static const struct sat_check open_files = {
	.size = sizeof(struct sat_check), .name = "open-files", .summary = "files open, in percent of what the kernel allows",
	.options = check_options, .define = define_check, .run = run_check, .undefine = free,
};

/* ---- The operator ------------------------------------------------------- */

/* The option that bears the operator's name is its argument. */
static const struct sat_option *const nth_options[] = {
	SAT_OPTION("every-nth", SAT_INTEGER, .required = true, .min = 1, .max = 1e9, .help = "which one passes"),
	NULL
};

struct nth { int64_t n; };		/* the node: one place in the config */
struct count { int64_t seen; };		/* its state, one in each fork of a `by` */

static int define_nth(struct sat_node *node, void *module, const struct sat_conf *conf, void **def)
{
	struct nth *nth = calloc(1, sizeof(*nth));

	(void)node;
	(void)module;
	if (nth == NULL)
		return -ENOMEM;
	nth->n = sat_conf_integer(conf, "every-nth");
	*def = nth;
	return 0;
}

static int item_nth(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	const struct nth *nth = def;
	struct count *count = state;

	if (++count->seen % nth->n == 0) {
		count->seen = 0;		/* as good as new: the fork may be freed */
		sat_pass(at, 0, item);		/* 0 is `do` */
	}
	return 0;
}

/* With these two its count survives a restart. */
static int save_nth(const void *def, const void *state, struct sat_writer *out)
{
	const struct count *count = state;

	(void)def;
	return sat_write_int(out, count->seen);
}

static int load_nth(const struct sat_at *at, const void *def, void *state, uint32_t version, struct sat_reader *in)
{
	struct count *count = state;

	(void)at;
	(void)def;
	return version == 1 ? sat_read_int(in, &count->seen) : -EBADMSG;
}

static bool idle_nth(const void *def, const void *state)
{
	const struct count *count = state;

	(void)def;
	return count->seen == 0;
}

static const struct sat_op every_nth = {
	.size = sizeof(struct sat_op), .state_version = 1, .name = "every-nth", .summary = "pass on every nth event",
	.options = nth_options, .state_size = sizeof(struct count), .define = define_nth, .undefine = free,
	.item = item_nth, .idle = idle_nth, .save = save_nth, .load = load_nth,
};

/* ---- The module --------------------------------------------------------- */

/* The one name that is exported.  A module with a life of its own (sockets, a
 * connection) would have create, start, stop and destroy here, too. */
SAT_MODULE(files,
	.name = "files", .version = "1.0", .summary = "an example: open files, and every nth event",
	.checks = (const struct sat_check *const[]){ &open_files, NULL },
	.ops = (const struct sat_op *const[]){ &every_nth, NULL });
