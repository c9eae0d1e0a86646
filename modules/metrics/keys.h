/* SPDX-License-Identifier: Apache-2.0 */
/* keys - which key of metrics/snapshot goes under which name, with which labels. */
#ifndef KEYS_H
#define KEYS_H

#include "families.h"

struct key { const char *key, *values; };	/* of the labels, "|" between */

struct key_family {
	const char *name;
	enum family_type type;
	const char *labels;		/* names, "|" between; "": none */
	const char *help;
	const struct key *keys;		/* ends with a NULL key */
};

extern const struct key_family keys_master[], keys_agent[];	/* end with a NULL name */

#endif
