/* SPDX-License-Identifier: Apache-2.0 */
/* replay - streams over recorded events, on a virtual clock. */
#ifndef REPLAY_H
#define REPLAY_H

#include "engine.h"

/* The line that replay prints for what reaches outside; --dry-run shows it, too. */
void replay_show(const char *path, const char *does, const char *tap, const struct sat_item *item,
		 const char *error, bool top);

/* How a line asks for the same configuration to be built anew: as a reload takes the
 * streams over, or as a restart finds them in the state file.  -errno: reported. */
typedef int replay_again(bool restart);

/* Reads JSON lines from path ("-": standard input), after engine_init(NULL);
 * the streams are swapped in once the first line has told the time.  reap: the
 * reaper takes its turns, as it does live.  Exit status: 0, or 1 after a mistake
 * that was reported. */
int replay_main(struct streams *streams, const char *path, bool reap, replay_again *again);

#endif
