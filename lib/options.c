/* SPDX-License-Identifier: Apache-2.0 */
/* options - the command line: what was asked for. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

struct option {
	const char *name;
	enum { FLAG, TEXT, ROLE } kind;
	size_t at;			/* of its member in struct options */
	bool early;			/* after a command it is the command's own */
};

#define AT(member) offsetof(struct options, member)

static const struct option known[] = {
	{ "role", ROLE, AT(role), false },
	{ "config", TEXT, AT(config), false },
	{ "modules", TEXT, AT(modules), false },
	{ "log", TEXT, AT(log), false },
	{ "url", TEXT, AT(url), false },
	{ "state-dir", TEXT, AT(state_dir), false },
	{ "isolated", TEXT, AT(isolated), false },
	{ "check", FLAG, AT(check), true },
	{ "dry-run", FLAG, AT(dry_run), true },
	{ "verbose", FLAG, AT(verbose), false },
	{ "help", FLAG, AT(help), true },
	{ "version", FLAG, AT(version), true },
	{ "names", FLAG, AT(names), false },
	{ "reap", FLAG, AT(reap), false },
};

void options_help(void)
{
	puts("satellite - monitor a Mesos cluster, alert, and keep its whitelist\n"
	     "\n"
	     "  satellite --role=master|slave [--config FILE]   run\n"
	     "  satellite --check ...        judge configuration and modules, touch nothing\n"
	     "  satellite --dry-run ...      run, but print what would be sent or done\n"
	     "  satellite replay [--config FILE] [--reap] EVENTS   streams, over JSON lines\n"
	     "  satellite module FILE.so [--names]   what a module has\n"
	     "  satellite status | query Q | hosts | why HOST | on HOST | off HOST | ...\n"
	     "                               talk to a running one; a wrong one lists them all\n"
	     "\n"
	     "  --config FILE     default: " SAT_SYSCONFDIR "/ROLE.cfg, or built-in defaults\n"
	     "  --modules DIR     look for modules here first\n"
	     "  --state-dir DIR   instead of the file's\n"
	     "  --log FILE        append the log to FILE instead of writing it to stderr\n"
	     "  --verbose         log more\n"
	     "  --url URL         where commands go, instead of the socket in the state-dir;\n"
	     "                    or SATELLITE_URL in the environment\n"
	     "  --help, --version\n"
	     "\n"
	     "SIGHUP reads the configuration again, SIGTERM ends cleanly.\n"
	     "See satellite(8), satellite.cfg(5), satellite-streams(5), satellite-module(7).");
}

static const struct option *find(const char *arg, const char **value)
{
	size_t n = strcspn(arg, "=");

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strlen(known[i].name) != n || memcmp(known[i].name, arg, n) != 0)
			continue;
		*value = arg[n] == '=' ? arg + n + 1 : NULL;
		return &known[i];
	}
	return NULL;
}

static int complain(const char *arg, const char *why)
{
	fprintf(stderr, "satellite: %s: %s; see satellite --help\n", arg, why);
	return -EINVAL;
}

static int store(struct options *o, const struct option *known_as, const char *arg, const char *value)
{
	void *at = (char *)o + known_as->at;

	if (known_as->kind == FLAG) {
		if (value != NULL)
			return complain(arg, "takes no value");
		*(bool *)at = true;
		return 0;
	}
	if (value == NULL || *value == '\0')
		return complain(arg, "needs a value");
	if (known_as->kind == ROLE && strcmp(value, "agent") == 0)
		value = "slave";
	if (known_as->kind == ROLE && strcmp(value, "master") != 0 && strcmp(value, "slave") != 0)
		return complain(arg, "is not master or slave");
	*(const char **)at = value;
	return 0;
}

int options_parse(struct options *o, int argc, char **argv)
{
	int i, rc;

	*o = (struct options){ .argv = argv + 1 };
	for (i = 1; i < argc; i++) {
		bool dashed = strncmp(argv[i], "--", 2) == 0;
		const char *arg = argv[i], *value = NULL;
		const struct option *option = dashed ? find(arg + 2, &value) : NULL;

		if (strcmp(arg, "--") == 0)
			break;
		if (option == NULL || (option->early && o->argc > 0)) {
			if (dashed && o->argc == 0)
				return complain(arg, "is not known");
			o->argv[o->argc++] = argv[i];
			continue;
		}
		if (option->kind != FLAG && value == NULL && i + 1 < argc)
			value = argv[++i];
		rc = store(o, option, arg, value);
		if (rc != 0)
			return rc;
	}
	for (i += i < argc && o->argc == 0; i < argc; i++)
		o->argv[o->argc++] = argv[i];
	o->argv[o->argc] = NULL;
	return 0;
}
