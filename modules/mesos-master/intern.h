/* SPDX-License-Identifier: Apache-2.0 */
/* intern - texts kept once each, and counted: two are the same where their pointers are. */
#ifndef INTERN_H
#define INTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "table.h"

#define INTERN_MAX	4095	/* bytes of one */

struct intern {			/* zero at first */
	struct table table;
	size_t bytes;		/* of all of them, as allocated */
	size_t max;		/* of that; 0: any */
};

extern const char intern_none[];	/* "", which costs nothing, and need not be dropped */

/* Of a NUL-ended text of at most INTERN_MAX bytes: one more reference.  NULL: out of memory, or of max. */
const char *intern(struct intern *in, const char *text);
const char *intern_find(const struct intern *in, const char *text);	/* or NULL; no reference */
/* Soon it is asked for: what has to be fetched from memory for that is on its way meanwhile. */
void intern_expect(const struct intern *in, const char *text);
void intern_drop(struct intern *in, const char *text);
uint32_t intern_hash(const char *text);		/* of one that is kept */
void intern_free(struct intern *in);		/* all of them */

#endif
