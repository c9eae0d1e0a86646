/* SPDX-License-Identifier: Apache-2.0 */
/* hash - of texts and keys, seeded: nobody outside can choose what collides.  sat_hash() lives here. */
#ifndef HASH_H
#define HASH_H

#include <satellite/module.h>

uint32_t hash_bytes(const void *p, size_t n);
uint32_t hash_pair(const char *a, const char *b);	/* of two texts; NULL is one, too */

#endif
