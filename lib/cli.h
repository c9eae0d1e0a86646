/* SPDX-License-Identifier: Apache-2.0 */
/* cli - the operator's commands: they talk to a living satellite; no engine here. */
#ifndef CLI_H
#define CLI_H

/* argv[0] is the command.  Exit status: 0 done, 1 refused or not found, 2 usage,
 * 3 nobody answers.  url NULL: the control socket in state_dir. */
int cli_main(int argc, char **argv, const char *state_dir, const char *url);

#endif
