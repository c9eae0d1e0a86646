/* SPDX-License-Identifier: Apache-2.0 */
/* hash - of texts and keys, seeded: nobody outside can choose what collides.  sat_hash() lives here. */
#ifndef HASH_H
#define HASH_H

#include <satellite/module.h>

uint32_t hash_bytes(const void *p, size_t n);
/* Of two texts and their lengths; NULL is a text, too. */
uint32_t hash_texts(const char *a, size_t a_len, const char *b, size_t b_len);
uint32_t hash_pair(const char *a, const char *b);	/* the same, measured here */

/* More of a key that outlives this process and is the same in others, so without a seed: FNV-1a, twice. */
void hash_lasting(uint64_t key[2], const void *p, size_t n);
extern const uint64_t hash_basis[2];		/* such a key of nothing */

#endif
