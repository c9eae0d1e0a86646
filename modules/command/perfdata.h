/* SPDX-License-Identifier: Apache-2.0 */
/* perfdata - the figures that a Nagios plugin prints behind a |. */
#ifndef PERFDATA_H
#define PERFDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PERF_MOST	128	/* of one output */

/* One figure; all texts lie in the room that was given, and none is NULL. */
struct perf {
	const char *label;
	const char *text;		/* value and unit as they were written: "12.5%"; "U": not known */
	const char *unit;		/* behind the value */
	const char *warning, *critical, *min, *max;	/* "": not given */
	bool known, whole;
	int64_t i;			/* the value, where it is whole */
	double d;			/* else */
};

/* Read all that a plugin printed; `room` holds strlen(text) + 1 bytes.  How many there are; *refused:
 * how many more were malformed, too long, too many, or of a label that was there already. */
size_t perfdata_read(const char *text, char *room, struct perf all[PERF_MOST], size_t *refused);

#endif
