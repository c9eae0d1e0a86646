/* SPDX-License-Identifier: Apache-2.0 */
/* figures - every figure that this process has, under the name that /metrics shows; in parts, as tour.h asks. */
#ifndef FIGURES_H
#define FIGURES_H

#include <dirent.h>

#include "http.h"

struct figures_files { DIR *folder; size_t n; };	/* zero at first */

void figures_host(struct sat_figures *to);	/* the process, but for its files, and the host */
/* Some of its files; false: those were all, and are told.  There may be 50,000. */
bool figures_files(struct sat_figures *to, struct figures_files *f);
void figures_files_end(struct figures_files *f);
void figures_instance(struct sat_figures *to, struct sat_self *self);	/* its counters and its figures() */
bool figures_series(struct sat_figures *to, struct sat_self *self, uint64_t *at);	/* as series() */

#endif
