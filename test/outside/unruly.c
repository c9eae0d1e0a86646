/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unruly - a module that does on demand what no module should: each run of its check
 * does what the first word of a file says.
 *
 *   checks = ( { check = "unruly"; file = "/tmp/order"; } );
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <satellite/module.h>

static const struct sat_option *const options[] = {
	SAT_OPTION("file", SAT_STRING, .required = true, .help = "what to do"),
	NULL
};

enum { RUNS };
static const struct sat_counter *const counters[] = { [RUNS] = SAT_COUNTER("runs", .help = "runs of its check"), NULL };

struct check {
	struct sat_probe *probe;
	const char *file;
};

static int define(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	struct check *c = calloc(1, sizeof(*c));

	(void)module;
	if (c == NULL)
		return -ENOMEM;
	c->probe = probe;
	c->file = sat_conf_string(conf, "file");
	*def = c;
	return sat_probe_service(probe, "unruly");
}

static void crash(void)
{
	signal(SIGSEGV, SIG_DFL);	/* a sanitizer would make a report of it */
	raise(SIGSEGV);
}

static void leak(void)
{
	for (int i = 0; i < 64; i++) {
		char *p = malloc(1 << 20);

		if (p != NULL)
			memset(p, 1, 1 << 20);
		__asm__ volatile("" : : "r"(p) : "memory");
	}
}

/* The fd is nobody's business but the host's: a module that writes to it is broken. */
static void garbage(void)
{
	static const char text[] = "this is no message of Riemann's, whoever reads it\n";

	if (write(3, text, sizeof(text)) < 0)
		perror("garbage");
}

static void flood(struct check *c)
{
	for (int i = 0; i < 20000; i++)
		sat_report(c->probe, .has = SAT_HAS_INT, .state = "ok", .service = "flood", .metric.i = i);
}

static void obey(struct check *c, const char *order)
{
	if (strcmp(order, "crash") == 0)
		crash();
	else if (strcmp(order, "loop") == 0)
		for (;;)
			__asm__ volatile("" : : : "memory");
	else if (strcmp(order, "block") == 0)
		sat_log(sat_probe_self(c->probe), LOG_NOTICE, "blocks"), sleep(3600);
	else if (strcmp(order, "slow") == 0)
		usleep(1500000);
	else if (strcmp(order, "leak") == 0)
		leak();
	else if (strcmp(order, "garbage") == 0)
		garbage();
	else if (strcmp(order, "flood") == 0)
		flood(c);
	else if (strcmp(order, "exit") == 0)
		_exit(7);
	else if (strcmp(order, "print") == 0)
		puts("a library says something"), fflush(stdout);
	else if (strcmp(order, "log") == 0)
		sat_log(sat_probe_self(c->probe), LOG_NOTICE, "logged");
}

static void run(void *def)
{
	struct check *c = def;
	char order[16] = "";
	FILE *f = fopen(c->file, "re");

	if (f != NULL && fscanf(f, "%15s", order) != 1)
		order[0] = '\0';
	if (f != NULL)
		fclose(f);
	sat_count(sat_probe_self(c->probe), RUNS, 1);
	obey(c, order);
	sat_report(c->probe, .has = SAT_HAS_INT, .state = "ok", .metric.i = getpid());
	sat_probe_done(c->probe);
}

static const struct sat_check unruly = {
	.size = sizeof(struct sat_check), .name = "unruly", .summary = "what no module should do",
	.options = options, .define = define, .run = run, .undefine = free,
};

/* Once it takes its time. */
static int sleepy(const struct sat_at *at, void *def, void *state, const struct sat_item *item)
{
	static int slept;

	(void)def;
	(void)state;
	if (item->n == 1 && item->evs[0]->service != NULL && strcmp(item->evs[0]->service, "sleep") == 0 && !slept++)
		usleep(1500000);
	sat_pass(at, 0, item);
	return 0;
}
static const struct sat_op sleepy_op = { .size = sizeof(struct sat_op), .name = "sleepy", .item = sleepy };

SAT_MODULE(unruly,
	.name = "unruly", .version = "1.0", .summary = "a test: what no module should do",
	.ops = (const struct sat_op *const[]){ &sleepy_op, NULL },
	.checks = (const struct sat_check *const[]){ &unruly, NULL }, .counters = counters);
