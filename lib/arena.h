/* SPDX-License-Identifier: Apache-2.0 */
/* arena - memory that is given back all at once, in chunks that are reused. */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

struct arena_chunk;
struct arena { struct arena_chunk *first, *now; size_t used, max, total; };	/* zero it; max 0: 64 MiB */

void *arena_get(struct arena *a, size_t size);		/* zeroed, 16-byte aligned; NULL: full or no memory */
void *arena_raw(struct arena *a, size_t size);		/* the same, not zeroed */
char *arena_text(struct arena *a, const char *s, size_t n);	/* a copy, NUL-ended */
void arena_reset(struct arena *a);			/* all is free again; keeps up to 1 MiB of chunks */
void arena_free(struct arena *a);

#endif
