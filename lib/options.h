/* SPDX-License-Identifier: Apache-2.0 */
/* options - the command line: what was asked for. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

struct options {
	const char *role, *config, *modules, *log, *url, *state_dir, *isolated;	/* NULL: not given */
	bool check, dry_run, verbose, help, version, names, reap;
	int argc;			/* what is left: a command with its arguments */
	char **argv;			/* NULL-ended; argv[0] is the command */
};

/* Takes known options out of argv, wherever they stand before "--".  -EINVAL:
 * said on stderr.  Options after a command that are not known are left to it. */
int options_parse(struct options *o, int argc, char **argv);
void options_help(void);

#endif
