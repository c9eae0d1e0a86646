/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command - checks that are programs: { command = "…"; service = "…"; parse = "nagios"; }.
 *
 * A child sees the environment that is configured and nothing of ours.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

struct commands {		/* the instance */
	struct sat_self *self;
	const struct sat_conf *conf;
	struct turns turns;
};

static void undefine(void *def)
{
	struct command *c = def;

	free(c->argv);
	free(c->env);
	free(c->manner.groups);
	free(c);
}

static int judge_list(struct command *c, const struct sat_conf *list)
{
	size_t n = sat_conf_count(list);
	const char **words = calloc(n + 1, sizeof(*words));
	int rc = 0;

	if (words == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct sat_value v = sat_conf_value(sat_conf_at(list, i));

		if (v.kind == SAT_TEXT)
			words[i] = v.text;
		else
			rc = sat_conf_error(list, NULL, "word %zu is not a string", i + 1);
	}
	if (rc == 0 && (n == 0 || words[0][0] == '\0'))
		rc = sat_conf_error(list, NULL, "names no program");
	if (rc == 0) {
		c->argv = words_copy(words, n);
		rc = c->argv == NULL ? -ENOMEM : 0;
	}
	free(words);
	return rc;
}

static int judge_command(struct command *c, const struct sat_conf *conf)
{
	const struct sat_conf *s = sat_conf_get(conf, "command");
	struct sat_value v = sat_conf_value(s);
	bool shell = sat_conf_boolean(conf, "shell");
	const char *why = NULL;

	if (shell && v.kind == SAT_TEXT) {
		const char *words[] = { "/bin/sh", "-c", v.text };

		c->argv = words_copy(words, 3);
	} else if (v.kind == SAT_TEXT) {
		c->argv = words_split(v.text, &why);
	} else if (sat_conf_is_list(s) && !shell) {
		return judge_list(c, s);
	} else {
		why = shell ? "is not a string, which a shell needs" : "is neither a string nor a list of them";
	}
	if (why != NULL)
		return sat_conf_error(s, NULL, "%s", why);
	return c->argv == NULL ? -ENOMEM : 0;
}

/* Which of these words a setting is; -EINVAL: reported. */
static int judge_word(const struct sat_conf *conf, const char *setting, const char *const *words, const char *all)
{
	const char *word = sat_conf_string(conf, setting);

	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return sat_conf_error(conf, setting, "\"%s\" is none of %s", word, all);
}

static int judge_parse(struct command *c, const struct sat_conf *conf)
{
	static const char *const names[] = { "exit", "nagios", "number", "json", NULL };
	static const char *const figures[] = { "attributes", "events", "none", NULL };
	int parse = judge_word(conf, "parse", names, "exit, nagios, number, json");
	int perfdata = judge_word(conf, "perfdata", figures, "attributes, events, none");

	if (parse < 0 || perfdata < 0)
		return -EINVAL;
	c->parse = (enum parse)parse;
	c->perfdata = (enum perfdata)perfdata;
	if (c->perfdata != PERFDATA_ATTRIBUTES && c->parse != PARSE_NAGIOS)
		return sat_conf_error(conf, "perfdata", "is of plugins: it needs parse = \"nagios\"");
	return 0;
}

static int judge_limit(struct limit *l, const struct command *c, const struct sat_conf *conf, const char *name)
{
	const char *why;

	if (!sat_conf_has(conf, name))
		return 0;
	if (c->parse != PARSE_NUMBER)
		return sat_conf_error(conf, name, "is a threshold for a number: it needs parse = \"number\"");
	why = limit_read(l, sat_conf_value(sat_conf_get(conf, name)));
	if (why != NULL)
		return sat_conf_error(conf, name, "%s", why);
	if (l->kind == LIMIT_RANGE && c->low)
		return sat_conf_error(conf, name, "is a range, which says itself what is bad: without low = true");
	return 0;
}

static int judge_limits(struct command *c, const struct sat_conf *conf)
{
	const struct limit *warning = &c->warning, *critical = &c->critical;
	int rc, more;

	c->low = sat_conf_boolean(conf, "low");
	rc = judge_limit(&c->warning, c, conf, "warning");
	more = judge_limit(&c->critical, c, conf, "critical");
	if (rc != 0 || more != 0)
		return rc != 0 ? rc : more;
	if (warning->kind == LIMIT_NUMBER && critical->kind == LIMIT_NUMBER && warning->from != critical->from &&
	    c->low != (warning->from > critical->from))
		return sat_conf_error(conf, "warning", "would come after critical (low = true: low values are bad)");
	return 0;
}

static int define(struct sat_probe *probe, void *module, const struct sat_conf *conf, void **def)
{
	struct commands *all = module;
	const struct sat_conf *envs[] = { sat_conf_get(all->conf, "env"), sat_conf_get(conf, "env") };
	struct command *c = calloc(1, sizeof(*c));
	int rc, more;

	if (c == NULL)
		return -ENOMEM;
	c->probe = probe;
	c->self = all->self;
	c->turns = &all->turns;
	c->host = sat_conf_string(conf, "host");
	rc = judge_command(c, conf);
	more = judge_parse(c, conf);
	if (more == 0)
		more = judge_limits(c, conf);
	rc = rc != 0 ? rc : more;
	more = manner_read(&c->manner, conf, all->conf);
	rc = rc != 0 ? rc : more;
	c->env = words_env(envs, 2, &more);
	rc = rc != 0 ? rc : more;
	if (rc == 0)
		*def = c;
	else
		undefine(c);
	return rc;
}

static void run(void *def)
{
	turn_take(def);
}

static void timeout(void *def)
{
	if (!turn_forgo(def))
		run_kill(def);
}

static int create(struct sat_self *self, const struct sat_conf *conf, void **state)
{
	struct commands *all = calloc(1, sizeof(*all));
	struct manner manner = { 0 };
	int rc;

	if (all == NULL)
		return -ENOMEM;
	all->self = self;
	all->conf = conf;
	turns_init(&all->turns, (unsigned)sat_conf_integer(conf, "parallel"));
	rc = manner_read(&manner, conf, NULL);	/* each entry reads it again, with its own */
	free(manner.groups);
	if (rc == 0)
		*state = all;
	else
		free(all);
	return rc;
}

static void destroy(void *state)
{
	struct commands *all = state;

	sat_alarm_stop(&all->turns.alarm);
	free(all);
}

#define MANNER_OPTIONS \
	SAT_OPTION("user", SAT_STRING, .help = "run as this user and in its groups, as root can"), \
	SAT_OPTION("nice", SAT_INTEGER, .min = -20, .max = 19, .help = "niceness; else ours"), \
	SAT_OPTION("cgroup", SAT_STRING, .help = "cgroup v2 in which each gets a folder of its own, and ends with all in it")

static const struct sat_option *const check_options[] = {
	SAT_OPTION("command", SAT_ANY, .required = true,
		   .help = "the program and its arguments: a string, or a list"),
	SAT_OPTION("shell", SAT_BOOLEAN, .fallback = "false", .help = "hand the string to sh -c"),
	SAT_OPTION("parse", SAT_STRING, .fallback = "exit",
		   .help = "what its end means: exit, nagios, number, json"),
	SAT_OPTION("perfdata", SAT_STRING, .fallback = "attributes",
		   .help = "parse = \"nagios\": what its figures become: attributes, events, none"),
	SAT_OPTION("warning", SAT_ANY,
		   .help = "parse = \"number\": a warning from this number on, or by this range (\"10:20\")"),
	SAT_OPTION("critical", SAT_ANY, .help = "parse = \"number\": critical, likewise"),
	SAT_OPTION("low", SAT_BOOLEAN, .fallback = "false", .help = "low numbers are the bad ones"),
	SAT_OPTION("env", SAT_GROUP, .help = "environment, over the module's"),
	MANNER_OPTIONS,
	NULL
};

static const struct sat_option *const options[] = {
	SAT_OPTION("env", SAT_GROUP, .help = "environment of every command; else PATH and LANG alone"),
	MANNER_OPTIONS,
	SAT_OPTION("parallel", SAT_INTEGER, .fallback = "16", .min = 1, .max = 1024,
		   .help = "how many run at once; others wait their turn"),
	NULL
};

static const struct sat_check command_check = {
	.size = sizeof(struct sat_check), .name = "command", .summary = "a program's exit status or output",
	.options = check_options, .own_key = true, .define = define, .run = run, .timeout = timeout,
	.undefine = undefine,
};

static const struct sat_counter *const counters[] = {
	[COUNT_RUNS] = SAT_COUNTER("runs", .help = "commands started"),
	[COUNT_TIMEOUTS] = SAT_COUNTER("timeouts", .help = "commands killed since their time was up"),
	[COUNT_OUTPUT_DROPPED] = SAT_COUNTER("output-dropped", .help = "bytes printed beyond what is kept"),
	[COUNT_PERFDATA_REFUSED] = SAT_COUNTER("perfdata-refused", .help = "figures of plugins that were malformed or too many"),
	[COUNT_WAITED] = SAT_COUNTER("waited", .help = "commands that had to wait for their turn"),
	[COUNT_WAITING] = SAT_COUNTER("waiting", .gauge = true, .help = "commands that wait for their turn"),
	NULL
};

SAT_MODULE(command, .name = "command", .version = SAT_VERSION, .summary = "checks that are programs",
	   .options = options, .create = create, .destroy = destroy,
	   .checks = (const struct sat_check *const[]){ &command_check, NULL }, .counters = counters);
