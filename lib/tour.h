/* SPDX-License-Identifier: Apache-2.0 */
/* tour - sat_figures_tour(): every figure of this process, in slices. */
#ifndef TOUR_H
#define TOUR_H

#include <satellite/module.h>

void tour_budget(int64_t each);		/* for tests: microseconds of a turn; 0: the least that is a step */

#endif
